/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TESTING_BENCH_LOAD_INSIDE_H
#define BEWICK_TESTING_BENCH_LOAD_INSIDE_H

#include "load.h"

/* Between load.c and load_certs.c. */
bool load_authenticate(void *host, struct ike_sa *sa, struct auth_request *r); /* of sa_host_ops */
void load_answers(struct load *l); /* of the service */
void load_forget(struct load *l, const struct ike_sa *sa);
void load_free_certificates(struct load *l);

#endif
