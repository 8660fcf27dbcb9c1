/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TESTING_EXCHANGE_LAB_AUTH_H
#define BEWICK_TESTING_EXCHANGE_LAB_AUTH_H

#include "lab.h"
#include "sa/authentication.h"

/*
 * A service of authentication that needs no keys: a signature is a hash of the octets and of who signs, with its name in front. The
 * test says when it answers, and what.
 */

/* All rounds of the connection "net" of one side have this class from now on, in the order of the letters: p (psk), c (pubkey), a (any).
 * Round n > 0 has the identity "NAME-n" where round 0 has NAME. */
void lab_rounds(struct lab_end *e, const char *conn, bool local, const char *classes);
/* The oldest request is answered; false: there is none. */
bool lab_auth_answer(struct lab_end *e);
/* What it asks for. */
const struct auth_request *lab_auth_waiting(const struct lab_end *e);

/* Gives an answered request to the SA that waits for it, and frees it. */
void lab_auth_give(struct lab_end *e, struct auth_request *r);

/* for lab.c */
bool lab_authenticate(void *host, struct ike_sa *sa, struct auth_request *r);
bool lab_auth_run(struct lab *lab); /* answers all, where the test does not do that; false: there was nothing */
void lab_auth_clear(struct lab_end *e);
void lab_auth_check(const struct lab_end *e);

#endif
