/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_DAEMON_QCD_H
#define BEWICK_DAEMON_QCD_H

#include "worker/worker.h"

/*
 * The secrets of RFC 6290, 5.1, in a file that outlives us: one to QCD_GENERATIONS secrets of QCD_SECRET_LEN bytes, the newest
 * first, nothing else. Only its owner, root or we, may read it. It is replaced as a whole, never written into.
 */

/* Reads the file; makes it, and the folder it is in, if there is none. ret_age_s: since the newest secret was made. False: err says
 * what is wrong with it. */
MUST_CHECK bool qcd_file_load(const char *path, struct qcd_secrets *ret, uint64_t *ret_age_s, struct errtext *err);
/* Puts a new secret in front of those in the file, of which the oldest goes when there are too many. */
MUST_CHECK bool qcd_file_rotate(const char *path, struct errtext *err);

#endif
