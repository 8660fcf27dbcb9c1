/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_PLUGINS_RESOLVE_FILE_H
#define BEWICK_PLUGINS_RESOLVE_FILE_H

#include "util/addr.h"

/* The file resolv.conf, in which we have lines of our own. */

/* `old` with our lines for these servers in front, and without those of before. */
void resolv_rewrite(struct buf *out, struct bytes old, const struct addr *servers, size_t n);
/* The same with a file. Follows links; whoever reads it sees the old one or the new one, where the file system allows. False:
 * errno tells. What is right already is not touched. */
MUST_CHECK bool resolv_update(const char *path, const struct addr *servers, size_t n);

#endif
