/* SPDX-License-Identifier: Apache-2.0 */
#include "confs.h"
#include "lab_auth.h"
#include "suites.h"
#include "testing/unit/auth/pki.h"

/* What both sides ask for in IKE_SA_INIT and IKE_AUTH: hashes, certificates, raw keys, OCSP responses. */

/* The test changes a connection that nobody else has. */
static struct conn *conn_of(struct lab_end *e)
{
	return (struct conn *)(uintptr_t)config_conn(e->ctx.config, "net");
}

static struct conn_round *remote_of(struct lab_end *e)
{
	return (struct conn_round *)(uintptr_t)conn_of(e)->remote_rounds;
}

static struct lab *asked_lab(void)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	struct lab_end *ends[] = { &lab->a, &lab->b };

	for (size_t i = 0; i < 2; i++) {
		lab_rounds(ends[i], "net", true, "c");
		lab_rounds(ends[i], "net", false, "c");
	}
	return lab;
}

/* ---- hashes ---- */

/* Those that the packet under way names. */
static unsigned hashes_sent(struct lab *lab)
{
	struct arena arena = { 0 };
	struct payload_list in;
	struct ike_header h;
	const struct payload_notify *n;
	unsigned hashes = 0;

	lab_peek(lab, 0, &arena, &h, &in);
	ck_assert_uint_eq(h.exchange, EXCHANGE_IKE_SA_INIT);
	n = payload_notify(&in, NOTIFY_SIGNATURE_HASH_ALGORITHMS);
	ck_assert_ptr_nonnull(n);
	for (struct reader r = reader_of(n->data); reader_left(&r);)
		hashes |= HASH_BIT(reader_u16(&r));
	arena_free(&arena);
	return hashes;
}

#define SHA2 (HASH_BIT(HASH_SHA2_256) | HASH_BIT(HASH_SHA2_384) | HASH_BIT(HASH_SHA2_512))
#define IDENTITY HASH_BIT(HASH_IDENTITY)

/* RFC 8420, 3: with keys of Edwards curves "Identity", with them alone nothing else, without them all but that. */
static const struct {
	const char *auth;
	unsigned hashes;
} by_rules[] = {
	{ "pubkey", SHA2 | IDENTITY },
	{ "ed25519", IDENTITY },
	{ "ed448", IDENTITY },
	{ "ecdsa", SHA2 },
	{ "rsa-3072", SHA2 },
	{ "ecdsa-sha384", HASH_BIT(HASH_SHA2_384) },
	{ "ecdsa-sha384-ed25519", HASH_BIT(HASH_SHA2_384) | IDENTITY },
	{ "pubkey-sha256", HASH_BIT(HASH_SHA2_256) },
	{ "rsa-sha1", SHA2 | IDENTITY }, /* SHA-1 is never asked for; an empty list would be no better */
};

START_TEST(hashes_by_rules)
{
	struct lab *lab = asked_lab();
	struct lab_end *ends[] = { &lab->a, &lab->b };
	struct errtext err;

	for (size_t i = 0; i < 2; i++)
		ck_assert_msg(auth_rules_parse(bytes_str(by_rules[_i].auth), true, &remote_of(ends[i])->rules, &err), "%s", err.s);
	lab_initiate(&lab->a, "one");
	ck_assert_msg(hashes_sent(lab) == by_rules[_i].hashes, "request, %s: %x", by_rules[_i].auth, hashes_sent(lab));
	lab_deliver(lab);
	ck_assert_msg(hashes_sent(lab) == by_rules[_i].hashes, "response, %s: %x", by_rules[_i].auth, hashes_sent(lab));
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	lab_free(lab);
}
END_TEST

/* A responder knows only by IKE_AUTH which connection it is: it asks for what one of them allows. */
START_TEST(hashes_of_all_connections)
{
	struct lab *lab = lab_new(CONF_A, "connections {"
				  " net { local_addrs = 192.0.2.2\n remote_addrs = 192.0.2.1\n " CONF_IKE "\n local { auth = psk\n id = b.test }\n"
				  " remote { auth = psk\n id = a.test }\n children { " CHILD_B("one", "1", ESP) " } }\n"
				  " more { local_addrs = 192.0.2.2\n remote_addrs = 192.0.2.1\n " CONF_IKE "\n local { auth = psk\n id = b.test }\n"
				  " remote { auth = psk\n id = c.test }\n children { " CHILD_B("two", "2", ESP) " } } }\n" CONF_SECRET);
	struct conn *more = (struct conn *)(uintptr_t)config_conn(lab->b.ctx.config, "more");
	struct errtext err;

	lab_rounds(&lab->a, "net", true, "c");
	lab_rounds(&lab->b, "net", false, "c");
	ck_assert(auth_rules_parse(bytes_str("ed25519"), true, &remote_of(&lab->b)->rules, &err));
	if (_i) {
		lab_rounds(&lab->b, "more", false, "c");
		ck_assert(auth_rules_parse(bytes_str("ecdsa-sha512"), true, &((struct conn_round *)(uintptr_t)more->remote_rounds)->rules,
					   &err));
	}
	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	ck_assert_uint_eq(hashes_sent(lab), _i ? IDENTITY | HASH_BIT(HASH_SHA2_512) : IDENTITY);
	lab_free(lab);
}
END_TEST

/* ---- certificates ---- */

/* The CERTREQ payloads of that encoding in the packet under way; *ret_len: of the data of the last of them. */
static unsigned requests_sent(struct lab *lab, uint8_t encoding, size_t *ret_len)
{
	struct arena arena = { 0 };
	struct payload_list in;
	struct ike_header h;
	unsigned n = 0;

	lab_peek(lab, 0, &arena, &h, &in);
	*ret_len = 0;
	for (const struct payload *p = NULL; (p = payload_find(&in, PAYLOAD_CERTREQ, p));) {
		if (p->cert.encoding != encoding)
			continue;
		n++;
		*ret_len = p->cert.data.n;
	}
	arena_free(&arena);
	return n;
}

/* RFC 7670, 3: the request for raw keys names no CA, also when there are some. */
START_TEST(raw_keys)
{
	struct lab *lab = asked_lab();
	struct lab_end *ends[] = { &lab->a, &lab->b };
	struct pki_cert *root = pki_ca(NULL, "CN=root");
	struct public_key *keys[] = { root->cert->key };
	size_t len;

	for (size_t i = 0; i < 2; i++) {
		remote_of(ends[i])->pubkeys = keys;
		remote_of(ends[i])->n_pubkeys = 1;
		if (_i) {
			struct creds_set *set = creds_set_new();

			creds_set_add_cert(set, cert_ref(root->cert), CERT_FLAG_CA);
			credentials_unref(ends[i]->ctx.config->creds);
			ends[i]->ctx.config->creds = creds_set_snapshot(set);
			creds_set_free(set);
		}
	}
	lab_initiate(&lab->a, "one");
	for (int i = 0; i < 2; i++) { /* the responder in IKE_SA_INIT, the initiator in IKE_AUTH */
		lab_deliver(lab);
		ck_assert_uint_eq(requests_sent(lab, CERT_RAW_PUBLIC_KEY, &len), 1);
		ck_assert_uint_eq(len, 0);
		ck_assert_uint_eq(requests_sent(lab, CERT_X509_SIGNATURE, &len), _i ? 1 : 0);
	}
	ck_assert(lab_sa(&lab->a)->setup->announced.certreq);
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	for (size_t i = 0; i < 2; i++)
		remote_of(ends[i])->n_pubkeys = 0;
	pki_cert_free(root);
	lab_free(lab);
}
END_TEST

/* RFC 4806, 4.1: an OCSP response is asked for by a payload of its own, by who wants one. */
/* RFC 4945, 3.2.8: types that we do not know, and authorities that are none, beside a good one. */
START_TEST(odd_requests)
{
	struct lab *lab = asked_lab();
	static const uint8_t hash[21] = { 1 };
	struct payload p[] = {
		{ .type = PAYLOAD_CERTREQ, .cert = { .encoding = 200, .data = bytes_of(hash, 20) } },
		{ .type = PAYLOAD_CERTREQ, .cert = { .encoding = CERT_X509_SIGNATURE, .data = bytes_of(hash, 21) } },
		{ .type = PAYLOAD_CERTREQ, .cert = { .encoding = CERT_X509_SIGNATURE, .data = bytes_of(hash, 19) } },
		{ .type = PAYLOAD_CERTREQ, .cert = { .encoding = 7, .data = BYTES_NONE } },
		{ .type = PAYLOAD_CERTREQ, .cert = { .encoding = CERT_X509_SIGNATURE, .data = bytes_of(hash, 20) } },
	};
	struct payload_list list = { .p = p, .count = ARRAY_LEN(p) };
	struct auth_announced *a;

	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	a = &lab_sa(&lab->b)->setup->announced;
	buf_reset(&a->cas);
	announced_take(lab_sa(&lab->b), &list);
	ck_assert(a->certreq && !a->ocsp);
	ck_assert_uint_eq(a->cas.n, 20);
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	lab_free(lab);
}
END_TEST

START_TEST(ocsp)
{
	static const enum conn_ocsp asks[] = { CONN_OCSP_REQUEST, CONN_OCSP_BOTH, CONN_OCSP_REPLY, CONN_OCSP_NEVER };
	bool wanted = _i < 2;
	struct lab *lab = asked_lab();
	struct lab_end *ends[] = { &lab->a, &lab->b };
	struct pki_cert *root = pki_ca(NULL, "CN=root");
	size_t len;

	for (size_t i = 0; i < 2; i++) {
		struct creds_set *set = creds_set_new();

		creds_set_add_cert(set, cert_ref(root->cert), CERT_FLAG_CA);
		credentials_unref(ends[i]->ctx.config->creds);
		ends[i]->ctx.config->creds = creds_set_snapshot(set);
		creds_set_free(set);
		conn_of(ends[i])->ocsp = asks[_i];
	}
	lab_initiate(&lab->a, "one");
	for (int i = 0; i < 2; i++) {
		lab_deliver(lab);
		ck_assert_uint_eq(requests_sent(lab, CERT_OCSP_CONTENT, &len), wanted ? 1 : 0);
		ck_assert_uint_eq(len, 0);
		ck_assert_uint_eq(requests_sent(lab, CERT_X509_SIGNATURE, &len), 1);
		ck_assert_uint_eq(len, 20);
	}
	ck_assert(lab_sa(&lab->a)->setup->announced.ocsp == wanted);
	/* who answers such requests does so */
	lab->b.auth = LAB_AUTH_BY_HAND;
	lab_run(lab);
	ck_assert(lab_auth_answer(&lab->b));
	ck_assert_uint_eq(lab_auth_waiting(&lab->b)->work, AUTH_SIGN);
	ck_assert(lab_auth_waiting(&lab->b)->ocsp_asked == (asks[_i] == CONN_OCSP_BOTH));
	ck_assert(lab_auth_answer(&lab->b));
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	pki_cert_free(root);
	lab_free(lab);
}
END_TEST

Suite *auth_asked_suite(void)
{
	Suite *s = suite_create("exchange/auth_asked");
	TCase *tc = tcase_create("asked");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, hashes_by_rules, 0, ARRAY_LEN(by_rules));
	tcase_add_loop_test(tc, hashes_of_all_connections, 0, 2);
	tcase_add_loop_test(tc, raw_keys, 0, 2);
	tcase_add_test(tc, odd_requests);
	tcase_add_loop_test(tc, ocsp, 0, 4);
	suite_add_tcase(s, tc);
	return s;
}
