/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_AUTH_TEST_H
#define BEWICK_AUTH_TEST_H

#include <check.h>

#include "auth/trust.h"
#include "pki.h"

Suite *suite_acert(void);
Suite *suite_acerts(void);
Suite *suite_attacks(void);
Suite *suite_auth_groups(void);
Suite *suite_cert(void);
Suite *suite_crl(void);
Suite *suite_revocation(void);
Suite *suite_auth_chains(void);
Suite *suite_auth_others(void);
Suite *suite_auth_service(void);
Suite *suite_cert_cache(void);
Suite *suite_cert_corpus(void);
Suite *suite_revocation_corpus(void);
Suite *suite_sign_methods(void);
Suite *suite_auth_odd(void);
Suite *suite_rfc5280(void);
Suite *suite_trust(void);
Suite *suite_trust_names(void);
Suite *suite_trust_paths(void);

/* A check with what a test puts into it. */
struct trust_test {
	struct creds_set *creds;
	struct conn_round round;
	struct cert *peer[64];
	size_t n_peer;
	struct id id;
	int64_t now, skew;
	bool ignore_critical;
	struct errtext why; /* of the last one that failed */
};

void trust_test_init(struct trust_test *t, const char *id);
void trust_test_clear(struct trust_test *t);
void trust_test_load(struct trust_test *t, const struct pki_cert *c, enum cert_flag flag);
void trust_test_send(struct trust_test *t, const struct pki_cert *c);
void trust_test_send_none(struct trust_test *t);
/* NULL: why says what. */
struct trust_chain *trust_test_check(struct trust_test *t);
/* The names of a good chain, "moon < intermediate < root", by common name. */
void trust_test_good(struct trust_test *t, const char *chain);
/* It fails, and the reason has all of these texts ("expired|moon"). */
void trust_test_bad(struct trust_test *t, const char *why);

#endif
