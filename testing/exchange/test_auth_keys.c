/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/kept_chain.h"
#include "confs.h"
#include "lab_auth.h"
#include "lab_keys.h"
#include "suites.h"

/* IKE_AUTH with the real service: keys of each kind, chains, strangers, and what is revoked later. */

static const enum pki_key_type types[] = { PKI_P256, PKI_P384, PKI_RSA2048, PKI_ED25519 };

START_TEST(kinds)
{
	struct lab *lab = keys_lab();
	struct pki_cert *a = keys_leaf("CN=a", "subjectAltName=DNS:a.test", types[_i]);
	struct pki_cert *b = keys_leaf("CN=b", "subjectAltName=DNS:b.test", types[(_i + 1) % 4]);

	keys_load(&lab->a, a, keys_root);
	keys_load(&lab->b, b, keys_root);
	lab_initiate(&lab->a, "one");
	keys_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 1);
	/* the chains that were believed: end entity, CA, anchor */
	ck_assert_uint_eq(lab_sa(&lab->a)->chains->count, 1);
	ck_assert_uint_eq(kept_chain_length(lab_sa(&lab->a)->chains->chains[0]), 3);
	ck_assert_str_eq(kept_chain_text(lab_sa(&lab->b)->chains->chains[0]).s, cert_text(a->cert).s);
	pki_cert_free(a);
	pki_cert_free(b);
	lab_free(lab);
}
END_TEST

/* Who has no anchor, or the wrong one, believes nobody; who has no key proves nothing. */
START_TEST(strangers)
{
	struct lab *lab = keys_lab();
	struct pki_cert *a = pki_leaf(keys_root, "CN=a", "DNS:a.test");
	struct pki_cert *b = pki_leaf(keys_root, "CN=b", "DNS:b.test");
	struct pki_cert *other = pki_ca(NULL, "CN=root"); /* of the same name */

	keys_load(&lab->a, _i == 0 ? NULL : a, _i == 1 ? other : keys_root);
	keys_load(&lab->b, _i == 2 ? NULL : b, _i == 3 ? other : keys_root);
	lab_initiate(&lab->a, "one");
	keys_run(lab);
	lab_advance(lab, 31000);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_CHILD_UP), 0);
	pki_cert_free(a);
	pki_cert_free(b);
	pki_cert_free(other);
	lab_free(lab);
}
END_TEST

/* A good certificate, of somebody else. */
START_TEST(other_name)
{
	struct lab *lab = keys_lab();
	struct pki_cert *a = keys_leaf("CN=a", "subjectAltName=DNS:eve.test", PKI_P256);
	struct pki_cert *b = keys_leaf("CN=b", "subjectAltName=DNS:b.test", PKI_P256);
	struct cert *only[] = { a->cert };

	keys_load(&lab->a, a, keys_root);
	keys_load(&lab->b, b, keys_root);
	((struct conn_round *)(uintptr_t)config_conn(lab->a.ctx.config, "net")->local_rounds)->certs = only;
	((struct conn_round *)(uintptr_t)config_conn(lab->a.ctx.config, "net")->local_rounds)->n_certs = 1;
	lab_initiate(&lab->a, "one");
	keys_run(lab);
	lab_advance(lab, 31000);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_IKE_UP), 0);
	((struct conn_round *)(uintptr_t)config_conn(lab->a.ctx.config, "net")->local_rounds)->n_certs = 0;
	pki_cert_free(a);
	pki_cert_free(b);
	lab_free(lab);
}
END_TEST

/* The cookie that came between (sa/init_variant.h): what the peer signed is a request that we did not see. */
START_TEST(other_request)
{
	struct lab *lab = keys_lab();
	struct pki_cert *a = keys_leaf("CN=a", "subjectAltName=DNS:a.test", PKI_P256);
	struct pki_cert *b = keys_leaf("CN=b", "subjectAltName=DNS:b.test", PKI_P256);
	static const uint8_t cookie[LAB_COOKIE] = { [0 ... LAB_COOKIE - 1] = 0x11 };
	uint8_t inner[128];
	struct builder n = builder_of(inner, sizeof(inner));

	keys_load(&lab->a, a, keys_root);
	keys_load(&lab->b, b, keys_root);
	lab_initiate(&lab->a, "one");
	/* a is asked for a cookie, and then gets the answer to its first request */
	builder_notify(&n, PROTOCOL_NONE, BYTES_NONE, NOTIFY_COOKIE, bytes_of(cookie, sizeof(cookie)));
	lab_inject_init(&lab->a, 0, &n);
	lab_choose(lab, 1);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 2); /* the first request, and that with the cookie */
	lab_deliver(lab);
	keys_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	pki_cert_free(a);
	pki_cert_free(b);
	lab_free(lab);
}
END_TEST

/* A CRL that comes later ends what its certificates carried, on rekeyed IKE_SAs as well, and nothing else. */
START_TEST(revoked_later)
{
	struct lab *lab = keys_lab();
	struct pki_cert *a = keys_leaf("CN=a", "subjectAltName=DNS:a.test", PKI_P256);
	struct pki_cert *b = keys_leaf("CN=b", "subjectAltName=DNS:b.test", PKI_P256);
	const struct pki_cert *revoked_a[] = { a, NULL }, *revoked_b[] = { b, NULL };
	struct crl *of_a = pki_crl_new(&(struct pki_crl_spec){ .issuer = keys_ca, .revoked = revoked_a, .number = 1 });
	struct crl *of_b = pki_crl_new(&(struct pki_crl_spec){ .issuer = keys_ca, .revoked = revoked_b, .number = 1 });

	keys_load(&lab->a, a, keys_root);
	keys_load(&lab->b, b, keys_root);
	lab_initiate(&lab->a, "one");
	keys_run(lab);
	if (_i) {
		ike_sa_rekey(lab_sa(&lab->a));
		keys_run(lab);
	}
	ck_assert_uint_eq(lab_sa(&lab->b)->chains->count, 1);
	/* b's own certificate is not b's affair */
	ike_sa_recheck_crl(lab_sa(&lab->b), of_b);
	keys_run(lab);
	ck_assert_uint_eq(lab_live(&lab->b), 1);
	ike_sa_recheck_crl(lab_sa(&lab->b), of_a);
	keys_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	crl_unref(of_a);
	crl_unref(of_b);
	pki_cert_free(a);
	pki_cert_free(b);
	lab_free(lab);
}
END_TEST

Suite *auth_keys_suite(void)
{
	Suite *s = suite_create("exchange/auth_keys");
	TCase *tc = tcase_create("keys");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, keys_setup, keys_teardown);
	tcase_add_loop_test(tc, kinds, 0, 4);
	tcase_add_loop_test(tc, strangers, 0, 4);
	tcase_add_test(tc, other_name);
	tcase_add_test(tc, other_request);
	tcase_add_loop_test(tc, revoked_later, 0, 2);
	suite_add_tcase(s, tc);
	return s;
}
