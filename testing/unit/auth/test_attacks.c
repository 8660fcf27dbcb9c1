/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "auth_lab.h"
#include "loop/loop.h"
#include "pki_ocsp.h"

/* What a peer could try that must not get in, or no more, or that wants others not to get in. */

#define OCSP_URL "http://ocsp.test/"
#define ROOT_URL "http://ocsp.test/root"

static struct auth_lab lab;
static struct pki_cert *moon; /* of lab.ca, with a URI */

static struct pki_cert *leaf(const struct pki_cert *issuer, const char *subject, const char *names, const char *more)
{
	const char *const extensions[] = { "keyUsage=critical,digitalSignature", names, more, NULL };

	return pki_cert_new(&(struct pki_spec){ .subject = subject, .issuer = issuer, .extensions = extensions });
}

static void setup(void)
{
	auth_lab_init(&lab);
	moon = leaf(lab.ca, "CN=moon", "subjectAltName=DNS:moon.test", "authorityInfoAccess=OCSP;URI:" OCSP_URL);
}

static void teardown(void)
{
	auth_lab_clear(&lab);
	pki_cert_free(moon);
}

/* ---- revocation ---- */

/* Its own old response does not make it good again, when a newer one is known. */
START_TEST(test_old_staple)
{
	struct buf old = pki_ocsp_der(&(struct pki_ocsp_spec){ .cert = moon, .issuer = lab.ca, .this_update = PKI_NOW - _i * 3600 });
	struct buf revoked = pki_ocsp_der(&(struct pki_ocsp_spec){ .cert = moon, .issuer = lab.ca, .status = PKI_OCSP_REVOKED, .reason = 1,
								   .this_update = PKI_NOW - 3600 });
	struct auth_request *v = auth_lab_verify(&lab, "moon.test", moon, lab.ca);

	lab_serve(OCSP_URL, buf_bytes(&revoked), NULL);
	auth_lab_expect(&lab, v, "was revoked");
	v = auth_lab_verify(&lab, "moon.test", moon, lab.ca);
	auth_lab_add_cert(v, CERT_OCSP_CONTENT, buf_bytes(&old));
	auth_lab_expect(&lab, v, _i ? "was revoked" : NULL); /* 0: it is newer, as after a hold */
	buf_free(&old);
	buf_free(&revoked);
}
END_TEST

/* That of another certificate, of the same serial number by a CA of the same name, or of nobody. */
START_TEST(test_staple_of_another)
{
	struct pki_cert *twin = pki_ca(lab.root, "CN=CA"), *other = leaf(lab.ca, "CN=moon", "subjectAltName=DNS:moon.test", NULL);
	struct pki_ocsp_spec specs[] = {
		{ .cert = other, .issuer = lab.ca },
		{ .cert = moon, .issuer = twin },
		{ .cert = moon, .issuer = lab.ca, .signer = twin },
		{ .cert = moon, .issuer = lab.ca, .signer = twin, .by_key = true, .with_cert = true },
		{ .cert = moon, .issuer = lab.ca, .signer = moon, .with_cert = true },
		{ .cert = moon, .issuer = lab.ca, .this_update = PKI_NOW + 3600, .next_update = PKI_NOW + 7200 },
		{ .cert = moon, .issuer = lab.ca, .this_update = PKI_NOW - 7200, .next_update = PKI_NOW - 3600 },
	};
	struct buf der = pki_ocsp_der(&specs[_i]);
	struct auth_request *v = auth_lab_verify(&lab, "moon.test", moon, lab.ca);

	lab.remote.revocation = REVOCATION_STRICT;
	lab_serve(OCSP_URL, BYTES_NONE, "no");
	auth_lab_add_cert(v, CERT_OCSP_CONTENT, buf_bytes(&der));
	auth_lab_expect(&lab, v, "is not known");
	buf_free(&der);
	pki_cert_free(other);
	pki_cert_free(twin);
}
END_TEST

/* Who is loaded as a peer keeps back the certificate of the CA that has revoked it. */
START_TEST(test_ca_kept_back)
{
	struct pki_cert *self = leaf(NULL, "CN=self", "subjectAltName=DNS:self.test", NULL);

	ck_assert(creds_set_add_cert(lab.creds, cert_ref(moon->cert), CERT_FLAG_NONE));
	ck_assert(creds_set_add_cert(lab.creds, cert_ref(self->cert), CERT_FLAG_NONE));
	auth_lab_expect(&lab, auth_lab_verify(&lab, "moon.test", moon, NULL), NULL);
	lab.remote.revocation = _i ? REVOCATION_STRICT : REVOCATION_IFURI;
	auth_lab_expect(&lab, auth_lab_verify(&lab, "moon.test", moon, NULL), "neither loaded nor sent");
	auth_lab_expect(&lab, auth_lab_verify(&lab, "self.test", self, NULL), NULL); /* nobody revokes that one */
	pki_cert_free(self);
}
END_TEST

/* The CA is here, and so is its list; what else is sent is a maze that leads nowhere, in which the way to that CA is not found any more. */
START_TEST(test_maze)
{
	static const char *const extensions[] = { "basicConstraints=critical,CA:TRUE", NULL };
	struct pki_cert *walls[14], *in;
	const struct pki_cert *const revoked[] = { moon, NULL };
	struct auth_request *v;

	ck_assert(creds_set_add_cert(lab.creds, cert_ref(moon->cert), CERT_FLAG_NONE));
	ck_assert(creds_set_add_cert(lab.creds, cert_ref(lab.ca->cert), CERT_FLAG_NONE));
	lab.o.no_crl = lab.o.no_ocsp = true; /* what is loaded counts */
	auth_service_set_options(lab.s, &lab.o);
	auth_lab_expect(&lab, auth_lab_verify(&lab, "moon.test", moon, NULL), NULL);
	ck_assert(creds_set_add_crl(lab.creds, pki_crl_new(&(struct pki_crl_spec){ .issuer = lab.ca, .revoked = revoked, .number = 1 })));
	auth_lab_expect(&lab, auth_lab_verify(&lab, "moon.test", moon, NULL), "was revoked");
	v = auth_lab_verify(&lab, "moon.test", moon, NULL);
	v->n_certs = 0;
	for (size_t i = 0; i < ARRAY_LEN(walls); i++)
		walls[i] = pki_cert_new(&(struct pki_spec){ .subject = "CN=same", .issuer_name = "CN=same", .extensions = extensions });
	in = leaf(walls[0], "CN=in", "subjectAltName=DNS:moon.test", NULL);
	auth_lab_add_cert(v, CERT_X509_SIGNATURE, in->cert->der);
	for (size_t i = 0; i < ARRAY_LEN(walls); i++)
		auth_lab_add_cert(v, CERT_X509_SIGNATURE, walls[i]->cert->der);
	auth_lab_add_cert(v, CERT_X509_SIGNATURE, moon->cert->der);
	auth_lab_expect(&lab, v, "CN=in");
	pki_cert_free(in);
	for (size_t i = 0; i < ARRAY_LEN(walls); i++)
		pki_cert_free(walls[i]);
}
END_TEST

static void count_crl(void *arg, const struct crl *crl)
{
	(void)crl;
	++*(unsigned *)arg;
}

/* A helper reads them, after they were fetched. */
static void await_crls(unsigned wanted)
{
	unsigned n = 0;

	for (int ms = 0; ms < LAB_PATIENCE_MS; ms++, n = 0) {
		auth_service_each_crl(lab.s, count_crl, &n);
		if (n >= wanted)
			return;
		poll(NULL, 0, 1);
	}
	ck_abort_msg("%u CRLs came, not %u", n, wanted);
}

/* It is not on the list that is known; that of its CA is asked for, and takes long. Meanwhile a newer list comes, which it is on. */
START_TEST(test_revoked_while_waiting)
{
	static const char *const extensions[] = { "basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign",
						  "authorityInfoAccess=OCSP;URI:" ROOT_URL, NULL };
	struct pki_cert *sub = pki_cert_new(&(struct pki_spec){ .subject = "CN=sub", .issuer = lab.root, .extensions = extensions });
	struct pki_cert *sun = leaf(sub, "CN=sun", "subjectAltName=DNS:sun.test", "crlDistributionPoints=URI:http://crl.test/1");
	struct pki_cert *star = leaf(sub, "CN=star", "subjectAltName=DNS:star.test", "crlDistributionPoints=URI:http://crl.test/2");
	static const char *const idp[] = { "issuingDistributionPoint=critical,@idp", NULL };
	const struct pki_cert *const revoked[] = { sun, NULL };
	struct buf first = pki_crl_der(&(struct pki_crl_spec){ .issuer = sub, .number = 1, .extensions = idp,
							       .conf = "[idp]\nfullname=URI:http://crl.test/1\n" });
	struct buf second = pki_crl_der(&(struct pki_crl_spec){ .issuer = sub, .number = 2, .revoked = revoked });
	struct buf good = pki_ocsp_der(&(struct pki_ocsp_spec){ .cert = sub, .issuer = lab.root });
	struct auth_request *v = auth_lab_verify(&lab, "sun.test", sun, sub), *w = auth_lab_verify(&lab, "star.test", star, sub);

	lab.remote.revocation = REVOCATION_STRICT;
	auth_lab_send(&lab, v);
	lab_answer_fetch("http://crl.test/1", buf_bytes(&first), NULL);
	lab_await(ROOT_URL);
	await_crls(1);
	auth_lab_send(&lab, w);
	lab_answer_fetch("http://crl.test/2", buf_bytes(&second), NULL);
	await_crls(2);
	lab_answer_fetch(ROOT_URL, buf_bytes(&good), NULL);
	for (int i = 0; i < 2; i++) {
		struct auth_request *r = auth_lab_answer(&lab);

		ck_assert_msg(r == w ? r->ok : strstr(r->why.s, "was revoked") != NULL, "%s", r->why.s);
		auth_lab_free(r);
	}
	buf_free(&first);
	buf_free(&second);
	buf_free(&good);
	pki_cert_free(sun);
	pki_cert_free(star);
	pki_cert_free(sub);
}
END_TEST

/* It is revoked, and says that its certificate is where it takes long: there is time left to ask about the one that it sends, too. */
START_TEST(test_slow_certificate)
{
	static const char url[] = "12345678901234567890http://certs.test/slow"; /* a hash in front */
	struct buf revoked = pki_ocsp_der(&(struct pki_ocsp_spec){ .cert = moon, .issuer = lab.ca, .status = PKI_OCSP_REVOKED });
	struct auth_request *v = auth_lab_verify(&lab, "moon.test", moon, lab.ca);

	lab.o.hash_and_url = v->hash_and_url = true;
	auth_service_set_options(lab.s, &lab.o);
	lab_serve(OCSP_URL, buf_bytes(&revoked), NULL);
	for (int i = 0; i < 3; i++)
		auth_lab_add_cert(v, CERT_HASH_AND_URL, bytes_str(url));
	v->deadline_ms = clock_monotonic_ms() + 6000;
	auth_lab_expect(&lab, v, "was revoked");
	buf_free(&revoked);
}
END_TEST

/* ---- keys in DNS ---- */

#define QUERIES 4200 /* more than may wait for all kinds of things together */
static struct key_query *queries[QUERIES];
static _Atomic size_t n_queries;

static bool keys_hang(void *arg, struct key_query *q, struct errtext *err)
{
	queries[n_queries++] = q;
	return true;
}

static const struct key_source hanging = { .name = "hanging", .start = keys_hang };

/* Anybody makes us look up names of his; while those hang, others are asked about as before. */
START_TEST(test_names_that_hang)
{
	struct buf good = pki_ocsp_der(&(struct pki_ocsp_spec){ .cert = moon, .issuer = lab.ca });
	struct auth_request *v, *r;

	lab.remote.revocation = REVOCATION_RELAXED;
	fetch_add_key_source(lab.fetchers, &hanging);
	for (unsigned i = 0; i < QUERIES; i++) {
		char name[32];

		snprintf(name, sizeof(name), "x%u.test", i);
		v = auth_lab_verify(&lab, name, moon, NULL);
		v->n_certs = 0;
		auth_lab_send(&lab, v);
	}
	v = auth_lab_verify(&lab, "moon.test", moon, lab.ca);
	auth_lab_send(&lab, v);
	lab_answer_fetch(OCSP_URL, buf_bytes(&good), NULL);
	while ((r = auth_lab_answer(&lab)) != v) {
		ck_assert(!r->ok);
		auth_lab_free(r);
	}
	ck_assert_msg(v->ok, "%s", v->why.s);
	ck_assert_uint_lt(n_queries, 1000);
	auth_lab_free(v);
	auth_service_close(lab.s);
	for (size_t i = 0; i < n_queries; i++)
		queries[i]->done(queries[i], 0, NULL, "the end");
	buf_free(&good);
}
END_TEST

/* A key that its owner published is no certificate: it has no CA, no policy, and nobody can revoke it. */
START_TEST(test_key_instead_of_certificate)
{
	static const char *const policy[] = { "1.2.3.4" };
	struct auth_request *v = auth_lab_verify(&lab, "moon.test", moon, NULL);
	struct id ca_id = { 0 };

	auth_lab_with_dns(&lab);
	lab_serve_keys(moon->cert->key, NULL);
	ck_assert(id_parse(bytes_str("CN=CA"), &ca_id));
	if (_i == 1)
		lab.remote.ca_id = ca_id;
	if (_i == 2) {
		lab.remote.policies = policy;
		lab.remote.n_policies = 1;
	}
	if (_i >= 3)
		lab.remote.revocation = _i == 3 ? REVOCATION_IFURI : REVOCATION_STRICT;
	v->n_certs = 0;
	auth_lab_expect(&lab, v, _i ? "none is loaded" : NULL);
	id_free(&ca_id);
}
END_TEST

Suite *suite_attacks(void)
{
	Suite *s = suite_create("auth_attacks");
	TCase *tc = tcase_create("attacks");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_old_staple, 0, 3);
	tcase_add_loop_test(tc, test_staple_of_another, 0, 7);
	tcase_add_loop_test(tc, test_ca_kept_back, 0, 2);
	tcase_add_test(tc, test_maze);
	tcase_add_test(tc, test_revoked_while_waiting);
	tcase_add_test(tc, test_slow_certificate);
	tcase_add_test(tc, test_names_that_hang);
	tcase_add_loop_test(tc, test_key_instead_of_certificate, 0, 5);
	suite_add_tcase(s, tc);
	return s;
}
