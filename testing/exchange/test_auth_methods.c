/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth_methods.h"
#include "auth/kept_chain.h"
#include "confs.h"
#include "lab_auth.h"
#include "lab_keys.h"
#include "suites.h"

/* SUPPORTED_AUTH_METHODS (RFC 9593): what each side says that it takes, and what the other one makes of it. */

static struct conn_round *round_of(struct lab_end *e, bool local)
{
	const struct conn *conn = config_conn(e->ctx.config, "net");

	return (struct conn_round *)(uintptr_t)(local ? conn->local_rounds : conn->remote_rounds);
}

static void takes(struct lab_end *e, const char *auth)
{
	struct errtext err;

	ck_assert_msg(auth_rules_parse(bytes_str(auth), true, &round_of(e, false)->rules, &err), "%s", err.s);
}

/* What the packet under way says. */
static struct auth_methods methods_sent(struct lab *lab, unsigned exchange)
{
	struct auth_methods m = { 0 };
	struct arena arena = { 0 };
	struct payload_list in;
	struct ike_header h;
	const struct payload_notify *n;

	lab_peek(lab, 0, &arena, &h, &in);
	ck_assert_uint_eq(h.exchange, exchange);
	n = payload_notify(&in, NOTIFY_SUPPORTED_AUTH_METHODS);
	if (n) {
		ck_assert_uint_gt(n->data.n, 0);
		auth_methods_take(&m, n->data);
		ck_assert(!m.unknown);
	}
	arena_free(&arena);
	return m;
}

static void expect_methods(const struct auth_methods *m, const char *text)
{
	struct buf out = { 0 };

	auth_methods_format(&out, m);
	ck_assert_str_eq(buf_str(&out), text);
	buf_free(&out);
}

#define EDDSA "ED25519, ED448"
#define ECDSA "ECDSA_WITH_SHA256_DER, ECDSA_WITH_SHA384_DER, ECDSA_WITH_SHA512_DER"
#define PSS "RSA_EMSA_PSS_SHA2_256, RSA_EMSA_PSS_SHA2_384, RSA_EMSA_PSS_SHA2_512"
#define PKCS1 "RSA_EMSA_PKCS1_SHA2_256, RSA_EMSA_PKCS1_SHA2_384, RSA_EMSA_PKCS1_SHA2_512"

static const struct {
	const char *auth, *text;
} by_rules[] = {
	{ "pubkey", EDDSA ", " ECDSA ", " PSS ", " PKCS1 },
	{ "ecdsa", ECDSA },
	{ "ed448", "ED448" },
	{ "rsa/pss", PSS },
	{ "rsa-3072-sha384", "RSA_EMSA_PSS_SHA2_384, RSA_EMSA_PKCS1_SHA2_384" },
	{ "ecdsa-sha512-ed25519", "ED25519, ECDSA_WITH_SHA512_DER" },
	{ "rsa-sha1", "" }, /* it is not for method 14, and there is nothing else */
};

/* RFC 9593, 3: beside the request for certificates, and what the connection allows. */
START_TEST(announced)
{
	struct lab *lab = keys_lab();
	struct lab_end *ends[] = { &lab->a, &lab->b };
	struct auth_methods m;

	for (size_t i = 0; i < 2; i++) {
		ends[i]->auth = LAB_AUTH_AT_ONCE;
		takes(ends[i], by_rules[_i].auth);
	}
	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	m = methods_sent(lab, EXCHANGE_IKE_SA_INIT);
	expect_methods(&m, by_rules[_i].text);
	lab_deliver(lab);
	m = methods_sent(lab, EXCHANGE_IKE_AUTH);
	expect_methods(&m, by_rules[_i].text);
	/* each end knows what the other one takes */
	ck_assert(auth_methods_say(lab_sa(&lab->a)->setup->announced.methods) == (m.n > 0));
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	lab_free(lab);
}
END_TEST

/* Without RFC 7427 the methods before it. */
START_TEST(announced_classic)
{
	struct lab *lab = keys_lab();
	struct auth_methods m;

	lab->a.auth = lab->b.auth = LAB_AUTH_AT_ONCE;
	(_i ? &lab->a : &lab->b)->ctx.options.signature_authentication = false;
	takes(&lab->b, "rsa-ecdsa-sha384");
	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	m = methods_sent(lab, EXCHANGE_IKE_SA_INIT);
	expect_methods(&m, "ECDSA-384 signature, RSA signature");
	lab_free(lab);
}
END_TEST

/* As responder, all that one of the connections would take. */
START_TEST(announced_by_all)
{
	struct lab *lab = lab_new(CONF_A, "connections {"
				  " net { local_addrs = 192.0.2.2\n remote_addrs = 192.0.2.1\n " CONF_IKE "\n local { auth = psk\n id = b.test }\n"
				  " remote { auth = psk\n id = a.test }\n children { " CHILD_B("one", "1", ESP) " } }\n"
				  " more { local_addrs = 192.0.2.2\n remote_addrs = 192.0.2.1\n " CONF_IKE "\n local { auth = psk\n id = b.test }\n"
				  " remote { auth = psk\n id = c.test }\n children { " CHILD_B("two", "2", ESP) " } } }\n" CONF_SECRET);
	struct auth_methods m;

	lab_rounds(&lab->a, "net", true, "c");
	lab_rounds(&lab->b, "net", false, "c");
	takes(&lab->b, "ed25519");
	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	m = methods_sent(lab, EXCHANGE_IKE_SA_INIT);
	expect_methods(&m, "ED25519, pre-shared key");
	lab_free(lab);
}
END_TEST

/* ---- what is made of it ---- */

/* Of two certificates the one that the peer takes, whichever is first. */
START_TEST(certificate)
{
	struct lab *lab = keys_lab();
	struct pki_cert *rsa = keys_leaf("CN=rsa", "subjectAltName=DNS:a.test", PKI_RSA2048);
	struct pki_cert *ecdsa = keys_leaf("CN=ecdsa", "subjectAltName=DNS:a.test", PKI_P256);
	struct pki_cert *b = keys_leaf("CN=b", "subjectAltName=DNS:b.test", PKI_P256);
	const struct pki_cert *own[2] = { _i & 1 ? rsa : ecdsa, _i & 1 ? ecdsa : rsa };

	keys_load_all(&lab->a, own, 2, keys_root);
	keys_load(&lab->b, b, keys_root);
	takes(&lab->b, _i & 2 ? "ike:rsa" : "ike:ecdsa");
	lab_initiate(&lab->a, "one");
	keys_run(lab);
	ck_assert_ptr_nonnull(lab_sa(&lab->b));
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	ck_assert_str_eq(kept_chain_text(lab_sa(&lab->b)->chains->chains[0]).s, cert_text(_i & 2 ? rsa->cert : ecdsa->cert).s);
	pki_cert_free(rsa);
	pki_cert_free(ecdsa);
	pki_cert_free(b);
	lab_free(lab);
}
END_TEST

/* Likewise as responder, by what came with IKE_AUTH. */
START_TEST(certificate_of_responder)
{
	struct lab *lab = keys_lab();
	struct pki_cert *rsa = keys_leaf("CN=rsa", "subjectAltName=DNS:b.test", PKI_RSA2048);
	struct pki_cert *ed = keys_leaf("CN=ed", "subjectAltName=DNS:b.test", PKI_ED25519);
	struct pki_cert *a = keys_leaf("CN=a", "subjectAltName=DNS:a.test", PKI_P256);
	const struct pki_cert *own[2] = { ed, rsa };

	keys_load_all(&lab->b, own, 2, keys_root);
	keys_load(&lab->a, a, keys_root);
	takes(&lab->a, _i ? "ike:rsa/pss-sha384" : "ike:ed25519");
	lab_initiate(&lab->a, "one");
	keys_run(lab);
	ck_assert_ptr_nonnull(lab_sa(&lab->a));
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_str_eq(kept_chain_text(lab_sa(&lab->a)->chains->chains[0]).s, cert_text(_i ? rsa->cert : ed->cert).s);
	pki_cert_free(rsa);
	pki_cert_free(ed);
	pki_cert_free(a);
	lab_free(lab);
}
END_TEST

/* What is not understood is skipped, what is broken ends the list; neither is an error. */
START_TEST(odd)
{
	static const uint8_t data[] = { 2, 2, 5, 99, 1, 2, 3, 3, 9, 7, 3, 2, 0, 5, 14, 0, 48, 0, 2, 200, 40, 14 };
	uint8_t inner[64];
	struct builder b = builder_of(inner, sizeof(inner));
	struct lab *lab = keys_lab();
	struct arena arena = { 0 };
	struct payload_list in;
	struct wire_error err;

	lab->a.auth = lab->b.auth = LAB_AUTH_AT_ONCE;
	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_SUPPORTED_AUTH_METHODS, bytes_of(data, sizeof(data)));
	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	ck_assert(result_is_ok(payloads_parse(&arena, writer_done(&b.w), b.first, &in, &err)));
	announced_take(lab_sa(&lab->b), &in);
	expect_methods(lab_sa(&lab->b)->setup->announced.methods, "pre-shared key, ECDSA-256 signature (of CA 7), and some that are not known here");
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	arena_free(&arena);
	lab_free(lab);
}
END_TEST

Suite *auth_methods_suite(void)
{
	Suite *s = suite_create("exchange/auth_methods");
	TCase *tc = tcase_create("methods");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, keys_setup, keys_teardown);
	tcase_add_loop_test(tc, announced, 0, ARRAY_LEN(by_rules));
	tcase_add_loop_test(tc, announced_classic, 0, 2);
	tcase_add_test(tc, announced_by_all);
	tcase_add_loop_test(tc, certificate, 0, 4);
	tcase_add_loop_test(tc, certificate_of_responder, 0, 2);
	tcase_add_test(tc, odd);
	suite_add_tcase(s, tc);
	return s;
}
