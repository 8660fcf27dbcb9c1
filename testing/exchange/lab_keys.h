/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TESTING_EXCHANGE_LAB_KEYS_H
#define BEWICK_TESTING_EXCHANGE_LAB_KEYS_H

#include "lab.h"
#include "testing/unit/auth/pki.h"

/* IKE_AUTH with the real service, which both ends ask: for suites whose fixture these two are. */
void keys_setup(void);
void keys_teardown(void);
extern struct pki_cert *keys_root, *keys_ca; /* the CA is below the root */

/* A certificate of the CA. */
struct pki_cert *keys_leaf(const char *subject, const char *san, enum pki_key_type type);
/* Both ends with signatures both ways. */
struct lab *keys_lab(void);
/* The end has this certificate (or all of them) with its key and the CA, and believes `anchor`. */
void keys_load(struct lab_end *e, const struct pki_cert *own, const struct pki_cert *anchor);
void keys_load_all(struct lab_end *e, const struct pki_cert *const *own, size_t n, const struct pki_cert *anchor);
/* Requests of both ends go to the service; true when an answer came. */
bool keys_serve(struct lab *lab);
/* Until it is quiet. */
void keys_run(struct lab *lab);

#endif
