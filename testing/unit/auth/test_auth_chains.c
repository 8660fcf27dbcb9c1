/* SPDX-License-Identifier: Apache-2.0 */
#include <sched.h>
#include <stdlib.h>

#include "auth_lab.h"
#include "loop/loop.h"
#include "pki_ocsp.h"
#include "util/log.h"

/* What is asked for the certificates of one chain: side by side, of a peer's, and of ours for a peer. */

#define CA_URL "http://ocsp.test/ca"
#define LEAF_URL "http://ocsp.test/leaf"
#define CA_LIST "http://crl.test/root"
#define LEAF_LIST "http://crl.test/ca"

static struct auth_lab lab;
static struct pki_cert *ca, *moon; /* below lab.root */
static struct buf of_ca, of_moon;

static void setup(void)
{
	static const char *const ca_extensions[] = { "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign",
						     "subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid",
						     "authorityInfoAccess=OCSP;URI:" CA_URL, "crlDistributionPoints=URI:" CA_LIST, NULL };
	static const char *const extensions[] = { "keyUsage=critical,digitalSignature", "subjectAltName=DNS:moon.test",
						  "authorityInfoAccess=OCSP;URI:" LEAF_URL, "crlDistributionPoints=URI:" LEAF_LIST, NULL };

	auth_lab_init(&lab);
	ca = pki_cert_new(&(struct pki_spec){ .subject = "CN=sub", .issuer = lab.root, .extensions = ca_extensions });
	moon = pki_cert_new(&(struct pki_spec){ .subject = "CN=moon", .issuer = ca, .extensions = extensions });
	of_ca = pki_ocsp_der(&(struct pki_ocsp_spec){ .cert = ca, .issuer = lab.root });
	of_moon = pki_ocsp_der(&(struct pki_ocsp_spec){ .cert = moon, .issuer = ca });
	lab.remote.revocation = REVOCATION_STRICT;
}

static void teardown(void)
{
	auth_lab_clear(&lab);
	pki_cert_free(moon);
	pki_cert_free(ca);
	buf_free(&of_ca);
	buf_free(&of_moon);
}

/* Both are asked before either answers. */
START_TEST(test_side_by_side)
{
	struct auth_request *v = auth_lab_verify(&lab, "moon.test", moon, ca);

	auth_lab_send(&lab, v);
	lab_await(CA_URL);
	lab_await(LEAF_URL);
	ck_assert_uint_eq(lab_fetches(), 2);
	lab_answer_fetch(_i ? CA_URL : LEAF_URL, buf_bytes(_i ? &of_ca : &of_moon), NULL);
	lab_answer_fetch(_i ? LEAF_URL : CA_URL, buf_bytes(_i ? &of_moon : &of_ca), NULL);
	ck_assert_ptr_eq(auth_lab_answer(&lab), v);
	ck_assert_msg(v->ok, "%s", v->why.s);
	ck_assert_uint_eq(lab_fetches(), 2);
	auth_lab_free(v);
}
END_TEST

/* Each has its own way from OCSP to the list. */
START_TEST(test_list_after_ocsp)
{
	struct buf list = pki_crl_der(&(struct pki_crl_spec){ .issuer = lab.root, .number = 1 });
	struct auth_request *v = auth_lab_verify(&lab, "moon.test", moon, ca);

	auth_lab_send(&lab, v);
	lab_answer_fetch(CA_URL, BYTES_NONE, "404");
	lab_await(CA_LIST);
	lab_await(LEAF_URL); /* still */
	ck_assert_uint_eq(lab_fetches(), 3);
	lab_answer_fetch(CA_LIST, buf_bytes(&list), NULL);
	lab_answer_fetch(LEAF_URL, buf_bytes(&of_moon), NULL);
	ck_assert_ptr_eq(auth_lab_answer(&lab), v);
	ck_assert_msg(v->ok, "%s", v->why.s);
	auth_lab_free(v);
	buf_free(&list);
}
END_TEST

/* Who is revoked is refused at once, whatever else is still asked for; what comes later harms nobody, and serves the next. */
START_TEST(test_revoked_at_once)
{
	struct buf revoked = pki_ocsp_der(&(struct pki_ocsp_spec){ .cert = _i ? ca : moon, .issuer = _i ? lab.root : ca,
								   .status = PKI_OCSP_REVOKED, .reason = 1 });
	struct auth_request *v = auth_lab_verify(&lab, "moon.test", moon, ca);

	auth_lab_send(&lab, v);
	lab_await(CA_URL);
	lab_await(LEAF_URL);
	lab_answer_fetch(_i ? CA_URL : LEAF_URL, buf_bytes(&revoked), NULL);
	ck_assert_ptr_eq(auth_lab_answer(&lab), v);
	ck_assert(!v->ok);
	ck_assert_msg(strstr(v->why.s, _i ? "'CN=sub'" : "'CN=moon'") && strstr(v->why.s, "was revoked"), "%s", v->why.s);
	auth_lab_free(v);
	lab_answer_fetch(_i ? LEAF_URL : CA_URL, buf_bytes(_i ? &of_moon : &of_ca), NULL);
	auth_lab_expect(&lab, auth_lab_verify(&lab, "moon.test", moon, ca), "was revoked");
	buf_free(&revoked);
}
END_TEST

/* Whatever is being judged when the service ends, ends with it. */
START_TEST(test_end_while_judged)
{
	for (int i = 0; i < 20; i++) {
		auth_lab_send(&lab, auth_lab_verify(&lab, "moon.test", moon, ca));
		lab_await(CA_URL);
		lab_await(LEAF_URL);
		lab_answer_fetch(CA_URL, buf_bytes(&of_ca), NULL);
		lab_answer_fetch(LEAF_URL, buf_bytes(&of_moon), NULL);
		if (i % 2)
			sched_yield();
		auth_lab_restart(&lab);
	}
}
END_TEST

/* Of several that are not known, that next to the anchor is named, whichever fails first. */
START_TEST(test_unknown)
{
	struct auth_request *v = auth_lab_verify(&lab, "moon.test", moon, ca);

	lab_serve(LEAF_LIST, BYTES_NONE, "leaf list");
	lab_serve(CA_LIST, BYTES_NONE, "CA list");
	auth_lab_send(&lab, v);
	lab_await(CA_URL);
	lab_await(LEAF_URL);
	lab_answer_fetch(_i ? CA_URL : LEAF_URL, BYTES_NONE, "first");
	lab_answer_fetch(_i ? LEAF_URL : CA_URL, BYTES_NONE, "second");
	ck_assert_ptr_eq(auth_lab_answer(&lab), v);
	ck_assert(!v->ok);
	ck_assert_msg(strstr(v->why.s, "'CN=sub'") && strstr(v->why.s, _i ? "first" : "second") && strstr(v->why.s, "CA list"), "%s",
		      v->why.s);
	auth_lab_free(v);
}
END_TEST

/* Nothing is spent on a chain of which something is known to be revoked. */
START_TEST(test_known_above)
{
	const struct pki_cert *const revoked[] = { ca, NULL };

	ck_assert(creds_set_add_crl(lab.creds, pki_crl_new(&(struct pki_crl_spec){ .issuer = lab.root, .revoked = revoked, .number = 1 })));
	auth_lab_expect(&lab, auth_lab_verify(&lab, "moon.test", moon, ca), "was revoked");
	ck_assert_uint_eq(lab_fetches(), 0);
}
END_TEST

/* A server that does not answer has its share of the request's time, and leaves the rest to the next one. */
START_TEST(test_time_is_shared)
{
	struct buf list = pki_crl_der(&(struct pki_crl_spec){ .issuer = ca, .number = 1 });
	struct auth_request *v = auth_lab_verify(&lab, "moon.test", moon, ca);

	ck_assert(creds_set_add_crl(lab.creds, pki_crl_new(&(struct pki_crl_spec){ .issuer = lab.root, .number = 1 })));
	lab_serve(LEAF_LIST, buf_bytes(&list), NULL);
	v->deadline_ms = clock_monotonic_ms() + 4000; /* of which OCSP has 1750 */
	auth_lab_do(&lab, v);
	ck_assert_msg(v->ok, "%s", v->why.s);
	ck_assert(lab_is_pending(LEAF_URL));
	auth_lab_free(v);
	buf_free(&list);
}
END_TEST

/* The service ends while a request waits for several things. */
START_TEST(test_close)
{
	auth_lab_send(&lab, auth_lab_verify(&lab, "moon.test", moon, ca));
	auth_lab_send(&lab, auth_lab_verify(&lab, "moon.test", moon, ca));
	lab_await(CA_URL);
	lab_await(LEAF_URL);
	auth_service_free(lab.s);
	lab.s = NULL;
	lab_answer_fetch(LEAF_URL, buf_bytes(&of_moon), NULL);
}
END_TEST

/* ---- stapling (RFC 4806) ---- */

static struct auth_request *sign_stapled(void)
{
	struct auth_request *s = auth_lab_sign(&lab, "moon.test");

	s->ocsp_asked = true;
	return s;
}

static void expect_staples(struct auth_request *s, const struct buf *first, const struct buf *second)
{
	const struct buf *staples[] = { first, second };
	size_t n = 0;

	ck_assert_msg(s->ok, "%s", s->why.s);
	for (size_t i = 0; i < s->n_ret_certs; i++) {
		if (s->ret_certs[i].encoding != CERT_OCSP_CONTENT)
			continue;
		while (n < 2 && !staples[n])
			n++;
		ck_assert_uint_lt(n, 2);
		ck_assert(bytes_equal(s->ret_certs[i].data, buf_bytes(staples[n++])));
	}
	while (n < 2)
		ck_assert_ptr_null(staples[n++]);
	auth_lab_free(s);
}

/* Of our certificate and of the CA that is sent with it, each in a payload; what cannot be had is left out. */
START_TEST(test_staple_all)
{
	struct auth_request *s = sign_stapled();
	struct buf revoked = pki_ocsp_der(&(struct pki_ocsp_spec){ .cert = ca, .issuer = lab.root, .status = PKI_OCSP_REVOKED });

	auth_lab_own(&lab, moon);
	ck_assert(creds_set_add_cert(lab.creds, cert_ref(ca->cert), CERT_FLAG_NONE));
	auth_lab_send(&lab, s);
	lab_await(CA_URL);
	lab_await(LEAF_URL);
	if (_i == 0)
		lab_answer_fetch(CA_URL, buf_bytes(&of_ca), NULL);
	else if (_i == 1)
		lab_answer_fetch(CA_URL, BYTES_NONE, "404");
	else
		lab_answer_fetch(CA_URL, buf_bytes(&revoked), NULL);
	lab_answer_fetch(LEAF_URL, buf_bytes(&of_moon), NULL);
	ck_assert_ptr_eq(auth_lab_answer(&lab), s);
	ck_assert_uint_eq(s->n_ret_certs, _i == 0 ? 4 : 3);
	expect_staples(s, &of_moon, _i == 0 ? &of_ca : NULL);
	buf_free(&revoked);
}
END_TEST

/* A responder that does not answer costs two seconds, not the response of the other one. */
START_TEST(test_staple_slow)
{
	struct auth_request *s = sign_stapled();

	auth_lab_own(&lab, moon);
	ck_assert(creds_set_add_cert(lab.creds, cert_ref(ca->cert), CERT_FLAG_NONE));
	lab_serve(LEAF_URL, buf_bytes(&of_moon), NULL);
	auth_lab_do(&lab, s);
	expect_staples(s, &of_moon, NULL);
	ck_assert(lab_is_pending(CA_URL));
}
END_TEST

static void look_for(void *arg, const struct log_event *ev)
{
	if (strstr(ev->msg, "sent along does not count for certificate 'CN=sub'") && strstr(ev->msg, "the response's signature is not the CA's"))
		__atomic_fetch_add((unsigned *)arg, 1, __ATOMIC_RELAXED);
}

/* What came along for the whole chain: nobody is asked. One of these missing or wrong, that one is asked for. */
START_TEST(test_stapled_chain)
{
	struct buf forged = pki_ocsp_der(&(struct pki_ocsp_spec){ .cert = ca, .issuer = lab.root, .key = moon->key });
	struct auth_request *v = auth_lab_verify(&lab, "moon.test", moon, ca);

	struct log_sink *sink;
	int8_t levels[LOG_GROUPS];
	unsigned told = 0;

	memset(levels, LOG_LEVEL_CONTROL, sizeof(levels));
	sink = log_sink_add(levels, look_for, &told);
	lab_serve(CA_URL, BYTES_NONE, "404");
	lab_serve(CA_LIST, BYTES_NONE, "404");
	auth_lab_add_cert(v, CERT_OCSP_CONTENT, buf_bytes(&of_moon));
	if (_i < 2)
		auth_lab_add_cert(v, CERT_OCSP_CONTENT, buf_bytes(_i ? &forged : &of_ca));
	auth_lab_expect(&lab, v, _i ? "'CN=sub'" : NULL);
	ck_assert_uint_eq(lab_fetches(), _i ? 2 : 0);
	log_sink_remove(sink);
	ck_assert_uint_eq(told, _i == 1); /* and why it is of no use */
	buf_free(&forged);
}
END_TEST

Suite *suite_auth_chains(void)
{
	Suite *s = suite_create("auth_chains");
	TCase *tc = tcase_create("chains");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_side_by_side, 0, 2);
	tcase_add_test(tc, test_list_after_ocsp);
	tcase_add_loop_test(tc, test_revoked_at_once, 0, 2);
	tcase_add_test(tc, test_end_while_judged);
	tcase_add_loop_test(tc, test_unknown, 0, 2);
	tcase_add_test(tc, test_known_above);
	tcase_add_test(tc, test_time_is_shared);
	tcase_add_test(tc, test_close);
	tcase_add_loop_test(tc, test_staple_all, 0, 3);
	tcase_add_test(tc, test_staple_slow);
	tcase_add_loop_test(tc, test_stapled_chain, 0, 3);
	suite_add_tcase(s, tc);
	return s;
}
