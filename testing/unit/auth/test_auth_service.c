/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/sha.h>
#include <poll.h>
#include <stdlib.h>

#include "auth_lab.h"
#include "loop/loop.h"
#include "pki_ocsp.h"
#include "util/mem.h"

#define OCSP_URL "http://ocsp.test/"
#define CRL_URL "http://crl.test/ca"

static struct auth_lab lab;
static struct pki_cert *moon; /* of lab.ca, with URIs */

static struct pki_cert *peer_with(const struct pki_cert *issuer, const char *name, const char *const *more)
{
	const char *extensions[8] = { "keyUsage=critical,digitalSignature", name };
	size_t n = 2;

	while (more && *more)
		extensions[n++] = *more++;
	return pki_cert_new(&(struct pki_spec){ .subject = "CN=peer", .issuer = issuer, .extensions = extensions });
}

static void setup(void)
{
	static const char *const uris[] = { "crlDistributionPoints=URI:" CRL_URL, "authorityInfoAccess=OCSP;URI:" OCSP_URL, NULL };

	auth_lab_init(&lab);
	moon = peer_with(lab.ca, "subjectAltName=DNS:moon.test", uris);
}

static void teardown(void)
{
	auth_lab_clear(&lab);
	pki_cert_free(moon);
}

/* ---- signing ---- */

START_TEST(test_sign_and_verify)
{
	struct auth_request *s = auth_lab_sign(&lab, "moon.test"), *v;

	auth_lab_own(&lab, moon);
	ck_assert(creds_set_add_cert(lab.creds, cert_ref(lab.ca->cert), CERT_FLAG_NONE));
	auth_lab_do(&lab, s);
	ck_assert_msg(s->ok, "%s", s->why.s);
	ck_assert_uint_eq(s->ret_method, AUTH_METHOD_SIGNATURE);
	ck_assert_uint_eq(s->n_ret_certs, 2); /* the root stays here */
	ck_assert_uint_eq(s->ret_certs[0].encoding, CERT_X509_SIGNATURE);
	ck_assert(bytes_equal(s->ret_certs[0].data, moon->cert->der));
	ck_assert(bytes_equal(s->ret_certs[1].data, lab.ca->cert->der));
	v = auth_lab_verify(&lab, "moon.test", moon, NULL);
	v->method = s->ret_method;
	v->auth = bytes_of(arena_dup(&v->arena, s->ret_auth.p, s->ret_auth.n), s->ret_auth.n);
	lab.o.no_ocsp = lab.o.no_crl = true;
	auth_service_set_options(lab.s, &lab.o);
	auth_lab_do(&lab, v);
	ck_assert_msg(v->ok, "%s", v->why.s);
	ck_assert(v->chain && v->chain->n == 3);
	ck_assert_msg(strstr(v->how.s, "CN=peer") && strstr(v->how.s, "CN=root"), "%s", v->how.s);
	auth_lab_free(s);
	auth_lab_free(v);
}
END_TEST

START_TEST(test_sign_send_cert)
{
	static const struct {
		enum conn_send_cert send;
		bool asked;
		size_t n;
	} rows[] = { { SEND_CERT_ALWAYS, false, 1 }, { SEND_CERT_NEVER, true, 0 }, { SEND_CERT_IFASKED, true, 1 }, { SEND_CERT_IFASKED, false, 0 } };

	auth_lab_own(&lab, moon);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct auth_request *s = auth_lab_sign(&lab, "moon.test");

		lab.conn.send_cert = rows[i].send;
		s->certreq_seen = rows[i].asked;
		auth_lab_do(&lab, s);
		ck_assert_msg(s->ok, "%s", s->why.s);
		ck_assert_uint_eq(s->n_ret_certs, rows[i].n);
		auth_lab_free(s);
	}
}
END_TEST

START_TEST(test_sign_nothing)
{
	auth_lab_expect(&lab, auth_lab_sign(&lab, "moon.test"), "we have no certificate for our identity 'moon.test'");
	ck_assert(creds_set_add_cert(lab.creds, cert_ref(moon->cert), CERT_FLAG_NONE));
	auth_lab_expect(&lab, auth_lab_sign(&lab, "sun.test"), "we have no certificate");
	auth_lab_expect(&lab, auth_lab_sign(&lab, "moon.test"), "the private key of our certificate 'CN=peer'");
	auth_lab_own(&lab, moon);
	lab.local.rules.n_ike = 1;
	lab.local.rules.ike[0] = (struct key_rule){ .type = KEY_RSA };
	auth_lab_expect(&lab, auth_lab_sign(&lab, "moon.test"), "can make no signature that 'auth = pubkey' allows");
}
END_TEST

/* Of two certificates with the name, that of the CA which the peer asks for. */
START_TEST(test_sign_certreq)
{
	struct pki_cert *root = pki_ca(NULL, "CN=second"), *second = peer_with(root, "subjectAltName=DNS:moon.test", NULL);
	const struct pki_cert *const roots[] = { lab.root, root };

	auth_lab_own(&lab, moon);
	auth_lab_own(&lab, second);
	ck_assert(creds_set_add_cert(lab.creds, cert_ref(lab.ca->cert), CERT_FLAG_NONE));
	ck_assert(creds_set_add_cert(lab.creds, cert_ref(root->cert), CERT_FLAG_CA));
	for (size_t i = 0; i < 2; i++) {
		struct auth_request *s = auth_lab_sign(&lab, "moon.test");

		s->certreq = bytes_of(roots[i]->cert->key->spki_id, KEY_ID_LEN);
		auth_lab_do(&lab, s);
		ck_assert_msg(s->ok, "%s", s->why.s);
		ck_assert(bytes_equal(s->ret_certs[0].data, i ? second->cert->der : moon->cert->der));
		auth_lab_free(s);
	}
	pki_cert_free(second);
	pki_cert_free(root);
}
END_TEST

START_TEST(test_certreq)
{
	struct pki_cert *second = pki_ca(NULL, "CN=second");
	struct config *config;
	struct buf hashes = { 0 };
	struct cert *only[] = { second->cert };

	ck_assert(creds_set_add_cert(lab.creds, cert_ref(second->cert), CERT_FLAG_CA));
	config = config_store_snapshot(lab.store);
	auth_certreq(config, &lab.conn, &hashes);
	ck_assert_uint_eq(hashes.n, 2 * KEY_ID_LEN);
	buf_reset(&hashes);
	lab.remote.cacerts = only;
	lab.remote.n_cacerts = 1;
	auth_certreq(config, &lab.conn, &hashes);
	ck_assert(bytes_equal(buf_bytes(&hashes), bytes_of(second->cert->key->spki_id, KEY_ID_LEN)));
	buf_reset(&hashes);
	lab.remote.auth = CONN_AUTH_PSK;
	auth_certreq(config, &lab.conn, &hashes);
	ck_assert_uint_eq(hashes.n, 0);
	buf_free(&hashes);
	config_unref(config);
	pki_cert_free(second);
}
END_TEST

START_TEST(test_sign_staple)
{
	struct buf good = pki_ocsp_der(&(struct pki_ocsp_spec){ .cert = moon, .issuer = lab.ca });
	struct auth_request *s;

	auth_lab_own(&lab, moon);
	ck_assert(creds_set_add_cert(lab.creds, cert_ref(lab.ca->cert), CERT_FLAG_NONE));
	for (int i = 0; i < 2; i++) {
		s = auth_lab_sign(&lab, "moon.test");
		s->ocsp_asked = true;
		auth_lab_send(&lab, s);
		if (i == 0)
			lab_answer_fetch(OCSP_URL, buf_bytes(&good), NULL);
		ck_assert(auth_lab_answer(&lab) == s);
		ck_assert_msg(s->ok, "%s", s->why.s);
		ck_assert_uint_eq(s->n_ret_certs, 3);
		ck_assert_uint_eq(s->ret_certs[2].encoding, CERT_OCSP_CONTENT);
		ck_assert(bytes_equal(s->ret_certs[2].data, buf_bytes(&good)));
		auth_lab_free(s);
	}
	/* without it we go on */
	auth_service_flush(lab.s, AUTH_CACHED_OCSP);
	lab_serve(OCSP_URL, BYTES_NONE, "no");
	s = auth_lab_sign(&lab, "moon.test");
	s->ocsp_asked = true;
	auth_lab_do(&lab, s);
	ck_assert_msg(s->ok && s->n_ret_certs == 2, "%s", s->why.s);
	auth_lab_free(s);
	buf_free(&good);
}
END_TEST

/* ---- verifying ---- */

/* Who is not trusted, or has not the key, makes us fetch nothing. */
START_TEST(test_nothing_fetched_before_trust)
{
	struct pki_cert *evil_root = pki_ca(NULL, "CN=root"), *evil_ca = pki_ca(evil_root, "CN=CA");
	static const char *const uris[] = { "crlDistributionPoints=URI:" CRL_URL, "authorityInfoAccess=OCSP;URI:" OCSP_URL, NULL };
	struct pki_cert *evil = peer_with(evil_ca, "subjectAltName=DNS:moon.test", uris);
	struct auth_request *v;

	lab.remote.revocation = REVOCATION_STRICT;
	auth_lab_expect(&lab, auth_lab_verify(&lab, "moon.test", evil, evil_ca), "");
	auth_lab_expect(&lab, auth_lab_verify(&lab, "sun.test", moon, lab.ca), "sun.test");
	v = auth_lab_verify(&lab, "moon.test", moon, lab.ca);
	auth_lab_set_auth(v, evil->key, "what is signed");
	auth_lab_expect(&lab, v, "its signature");
	v = auth_lab_verify(&lab, "moon.test", moon, lab.ca);
	auth_lab_set_auth(v, moon->key, "what is not signed");
	auth_lab_expect(&lab, v, "its signature");
	lab.remote.rules.n_ike = 1;
	lab.remote.rules.ike[0] = (struct key_rule){ .type = KEY_ECDSA, .min_bits = 384 };
	auth_lab_expect(&lab, auth_lab_verify(&lab, "moon.test", moon, lab.ca), "which 'auth = pubkey' does not allow");
	ck_assert_uint_eq(lab_fetches(), 0);
	pki_cert_free(evil);
	pki_cert_free(evil_ca);
	pki_cert_free(evil_root);
}
END_TEST

/* What the peer signed may be one of several. */
START_TEST(test_octets)
{
	struct auth_request *v = auth_lab_verify(&lab, "moon.test", moon, lab.ca);

	lab.o.no_ocsp = lab.o.no_crl = true;
	auth_service_set_options(lab.s, &lab.o);
	v->n_octets = 3;
	v->octets[1] = v->octets[2] = bytes_str("what is signed");
	v->octets[0] = v->octets[1] = bytes_str("nothing");
	auth_lab_expect(&lab, v, NULL);
}
END_TEST

static void serve_ca_list(void)
{
	static struct buf list;

	buf_free(&list);
	list = pki_crl_der(&(struct pki_crl_spec){ .issuer = lab.root });
	ck_assert(creds_set_add_crl(lab.creds, crl_parse(buf_bytes(&list), &(struct errtext){ "" })));
}

START_TEST(test_ocsp)
{
	struct buf good = pki_ocsp_der(&(struct pki_ocsp_spec){ .cert = moon, .issuer = lab.ca }), nonce, post, der;
	struct auth_request *v;

	lab.remote.revocation = REVOCATION_STRICT;
	lab.o.ocsp_nonce_len = 32;
	auth_service_set_options(lab.s, &lab.o);
	serve_ca_list();
	auth_lab_send(&lab, v = auth_lab_verify(&lab, "moon.test", moon, lab.ca));
	lab_await(OCSP_URL);
	post = lab_last_post();
	nonce = pki_ocsp_nonce(buf_bytes(&post));
	ck_assert_uint_eq(nonce.n, 32);
	der = pki_ocsp_der(&(struct pki_ocsp_spec){ .cert = moon, .issuer = lab.ca, .nonce = buf_bytes(&nonce) });
	lab_answer_fetch(OCSP_URL, buf_bytes(&der), NULL);
	ck_assert(auth_lab_answer(&lab) == v);
	ck_assert_msg(v->ok, "%s", v->why.s);
	auth_lab_free(v);
	/* known now */
	auth_lab_expect(&lab, auth_lab_verify(&lab, "moon.test", moon, lab.ca), NULL);
	ck_assert_uint_eq(lab_fetches(), 1);
	auth_service_flush(lab.s, AUTH_CACHED_OCSP);
	auth_lab_send(&lab, v = auth_lab_verify(&lab, "moon.test", moon, lab.ca));
	lab_answer_fetch(OCSP_URL, buf_bytes(&good), NULL); /* without nonce: from its store */
	ck_assert(auth_lab_answer(&lab) == v);
	ck_assert_msg(v->ok, "%s", v->why.s);
	auth_lab_free(v);
	buf_free(&good);
	buf_free(&nonce);
	buf_free(&post);
	buf_free(&der);
}
END_TEST

START_TEST(test_ocsp_revoked)
{
	struct buf der = pki_ocsp_der(&(struct pki_ocsp_spec){ .cert = moon, .issuer = lab.ca, .status = PKI_OCSP_REVOKED, .reason = 1 });

	lab_serve(OCSP_URL, buf_bytes(&der), NULL);
	auth_lab_expect(&lab, auth_lab_verify(&lab, "moon.test", moon, lab.ca), "was revoked: on ");
	buf_free(&der);
}
END_TEST

static unsigned crls_told;

static void count_crl(void *arg, const struct crl *crl)
{
	(void)arg;
	(void)crl;
	__atomic_fetch_add(&crls_told, 1, __ATOMIC_RELAXED);
}

/* The responder is broken, the list is not. */
START_TEST(test_crl_after_ocsp)
{
	struct buf list = pki_crl_der(&(struct pki_crl_spec){ .issuer = lab.ca, .number = 1 });

	crls_told = 0;
	auth_service_on_crl(lab.s, count_crl, NULL);
	lab.remote.revocation = REVOCATION_STRICT;
	serve_ca_list();
	lab_serve(OCSP_URL, bytes_str("garbage"), NULL);
	lab_serve(CRL_URL, buf_bytes(&list), NULL);
	for (int i = 0; i < 3; i++)
		auth_lab_expect(&lab, auth_lab_verify(&lab, "moon.test", moon, lab.ca), NULL);
	ck_assert_uint_eq(lab_fetches(), 2);
	ck_assert_uint_eq(__atomic_load_n(&crls_told, __ATOMIC_RELAXED), 1);
	buf_free(&list);
}
END_TEST

START_TEST(test_crl_revoked)
{
	const struct pki_cert *const revoked[] = { moon, NULL };
	struct buf list = pki_crl_der(&(struct pki_crl_spec){ .issuer = lab.ca, .number = 1, .revoked = revoked });

	lab_serve(OCSP_URL, BYTES_NONE, "HTTP status 500");
	lab_serve(CRL_URL, buf_bytes(&list), NULL);
	auth_lab_expect(&lab, auth_lab_verify(&lab, "moon.test", moon, lab.ca), "was revoked");
	buf_free(&list);
}
END_TEST

/* Which list failed and why; not tried again for a while, unless the operator says so. */
START_TEST(test_failures)
{
	lab.remote.revocation = REVOCATION_STRICT;
	serve_ca_list();
	lab_serve(OCSP_URL, BYTES_NONE, "HTTP status 500");
	lab_serve(CRL_URL, BYTES_NONE, "connection refused");
	auth_lab_expect(&lab, auth_lab_verify(&lab, "moon.test", moon, lab.ca),
			"OCSP: '" OCSP_URL "': HTTP status 500; CRL: '" CRL_URL "': connection refused");
	auth_lab_expect(&lab, auth_lab_verify(&lab, "moon.test", moon, lab.ca), "HTTP status 500");
	ck_assert_uint_eq(lab_fetches(), 2);
	auth_service_flush(lab.s, AUTH_CACHED_CRLS);
	auth_lab_expect(&lab, auth_lab_verify(&lab, "moon.test", moon, lab.ca), "HTTP status 500");
	ck_assert_uint_eq(lab_fetches(), 4);
	lab.remote.revocation = REVOCATION_RELAXED;
	auth_lab_expect(&lab, auth_lab_verify(&lab, "moon.test", moon, lab.ca), NULL);
	ck_assert_uint_eq(lab_fetches(), 4);
}
END_TEST

/* A list that is of no use is not fetched by each peer again. */
START_TEST(test_useless_crl)
{
	struct buf stale = pki_crl_der(&(struct pki_crl_spec){ .issuer = lab.ca, .next_update = PKI_NOW - PKI_DAY });

	lab.remote.revocation = REVOCATION_STRICT;
	serve_ca_list();
	lab.o.no_ocsp = true;
	auth_service_set_options(lab.s, &lab.o);
	lab_serve(CRL_URL, buf_bytes(&stale), NULL);
	for (int i = 0; i < 3; i++)
		auth_lab_expect(&lab, auth_lab_verify(&lab, "moon.test", moon, lab.ca), "out of date");
	ck_assert_uint_eq(lab_fetches(), 1);
	buf_free(&stale);
}
END_TEST

START_TEST(test_stapled)
{
	struct buf good = pki_ocsp_der(&(struct pki_ocsp_spec){ .cert = moon, .issuer = lab.ca });
	struct buf forged = pki_ocsp_der(&(struct pki_ocsp_spec){ .cert = moon, .issuer = lab.ca, .key = moon->key });
	struct auth_request *v = auth_lab_verify(&lab, "moon.test", moon, lab.ca);

	lab.remote.revocation = REVOCATION_STRICT;
	serve_ca_list();
	lab_serve(OCSP_URL, BYTES_NONE, "HTTP status 500");
	lab_serve(CRL_URL, BYTES_NONE, "no");
	auth_lab_add_cert(v, CERT_OCSP_CONTENT, buf_bytes(&forged));
	auth_lab_expect(&lab, v, "is not known");
	auth_service_flush(lab.s, AUTH_CACHED_OCSP);
	v = auth_lab_verify(&lab, "moon.test", moon, lab.ca);
	auth_lab_add_cert(v, CERT_OCSP_CONTENT, buf_bytes(&good));
	auth_lab_expect(&lab, v, NULL);
	ck_assert_uint_eq(lab_fetches(), 2);
	buf_free(&good);
	buf_free(&forged);
}
END_TEST

/* ---- waiting ---- */

/* A thousand wait for one server that does not answer; it is asked once, and others do not notice. */
START_TEST(test_hanging_server)
{
	struct pki_cert *plain = peer_with(lab.ca, "subjectAltName=DNS:sun.test", NULL);
	struct buf good = pki_ocsp_der(&(struct pki_ocsp_spec){ .cert = moon, .issuer = lab.ca });
	unsigned waiting = 1000;

	for (unsigned i = 0; i < waiting; i++)
		auth_lab_send(&lab, auth_lab_verify(&lab, "moon.test", moon, lab.ca));
	lab_await(OCSP_URL);
	for (int i = 0; i < 50; i++)
		auth_lab_expect(&lab, auth_lab_verify(&lab, "sun.test", plain, lab.ca), NULL);
	ck_assert_uint_eq(lab_fetches(), 1);
	lab_answer_fetch(OCSP_URL, buf_bytes(&good), NULL);
	for (unsigned i = 0; i < waiting; i++) {
		struct auth_request *r = auth_lab_answer(&lab);

		ck_assert_msg(r->ok, "%s", r->why.s);
		auth_lab_free(r);
	}
	ck_assert_uint_eq(lab_fetches(), 1);
	buf_free(&good);
	pki_cert_free(plain);
}
END_TEST

/* In a time that the server does not keep. On a machine that halts for the rest of that time it takes too long: again. */
static struct auth_request *verify_in_little_time(enum conn_revocation policy)
{
	lab.remote.revocation = policy;
	for (int tries = 0;; tries++) {
		struct auth_request *v = auth_lab_verify(&lab, "moon.test", moon, lab.ca);

		v->deadline_ms = clock_monotonic_ms() + 700;
		auth_lab_do(&lab, v);
		if (tries == 10 || !strstr(v->why.s, "took too long"))
			return v;
		auth_lab_free(v);
	}
}

/* The request's time ends before the server's. What only wants to know of revocations goes on. */
START_TEST(test_deadline)
{
	struct auth_request *v = verify_in_little_time(REVOCATION_RELAXED);

	ck_assert_msg(v->ok, "%s", v->why.s);
	auth_lab_free(v);
	serve_ca_list();
	v = verify_in_little_time(REVOCATION_STRICT);
	ck_assert(!v->ok);
	ck_assert_msg(strstr(v->why.s, "no answer in time"), "%s", v->why.s);
	auth_lab_free(v);
	v = auth_lab_verify(&lab, "moon.test", moon, lab.ca);
	v->deadline_ms = clock_monotonic_ms() - 1;
	auth_lab_expect(&lab, v, "took too long");
}
END_TEST

/* The end: what waits is dropped, nothing is posted, and what is fetched may come later. */
START_TEST(test_close)
{
	struct buf good = pki_ocsp_der(&(struct pki_ocsp_spec){ .cert = moon, .issuer = lab.ca });
	struct pollfd fd = { mailbox_fd(lab.box), POLLIN, 0 };
	struct auth_request *v = auth_lab_verify(&lab, "moon.test", moon, lab.ca);

	auth_lab_send(&lab, auth_lab_verify(&lab, "moon.test", moon, lab.ca));
	lab_await(OCSP_URL);
	auth_service_close(lab.s);
	v->config = config_store_snapshot(lab.store);
	ck_assert(!auth_submit(lab.s, v));
	auth_lab_free(v);
	auth_service_free(lab.s);
	lab.s = NULL;
	lab_answer_fetch(OCSP_URL, buf_bytes(&good), NULL);
	ck_assert_int_eq(poll(&fd, 1, 0), 0);
	buf_free(&good);
}
END_TEST

/* ---- hash and URL, raw keys ---- */

static struct auth_request *verify_by_url(const struct pki_cert *c, const char *url, uint8_t encoding)
{
	struct auth_request *v = auth_lab_verify(&lab, "moon.test", c, lab.ca);
	struct buf data = { 0 };
	uint8_t sha1[20];

	v->n_certs = 0;
	v->hash_and_url = true;
	SHA1(c->cert->der.p, c->cert->der.n, sha1);
	buf_add(&data, sha1, sizeof(sha1));
	buf_add_str(&data, url);
	auth_lab_add_cert(v, encoding, buf_bytes(&data));
	auth_lab_add_cert(v, CERT_X509_SIGNATURE, lab.ca->cert->der);
	buf_free(&data);
	return v;
}

START_TEST(test_hash_and_url)
{
	static const char good[] = "http://certs.test/moon", wrong[] = "http://certs.test/wrong", huge[] = "http://certs.test/huge";
	struct pki_cert *plain = peer_with(lab.ca, "subjectAltName=DNS:moon.test", NULL);
	struct buf zeroes = { 0 };
	struct auth_request *v;

	memset(buf_extend(&zeroes, 100000), 0, 100000);
	lab_serve(good, plain->cert->der, NULL);
	lab_serve(wrong, moon->cert->der, NULL);
	lab_serve(huge, buf_bytes(&zeroes), NULL);
	auth_lab_expect(&lab, verify_by_url(plain, good, CERT_HASH_AND_URL), "for which we did not ask");
	lab.o.hash_and_url = true;
	auth_service_set_options(lab.s, &lab.o);
	auth_lab_expect(&lab, verify_by_url(plain, "file:///etc/passwd", CERT_HASH_AND_URL), "only http and https");
	auth_lab_expect(&lab, verify_by_url(plain, "http://a b", CERT_HASH_AND_URL), "no URL has");
	ck_assert_uint_eq(lab_fetches(), 0);
	auth_lab_expect(&lab, verify_by_url(plain, wrong, CERT_HASH_AND_URL), "has not the hash");
	auth_lab_expect(&lab, verify_by_url(plain, huge, CERT_HASH_AND_URL), "too long");
	auth_lab_expect(&lab, verify_by_url(plain, good, CERT_HASH_AND_URL), NULL);
	ck_assert_uint_eq(lab_fetches(), 3);
	auth_lab_expect(&lab, verify_by_url(plain, good, CERT_HASH_AND_URL), NULL); /* known by its hash */
	ck_assert_uint_eq(lab_fetches(), 3);
	creds_set_put_authority(lab.creds, &(struct authority){ .name = "a", .cacert = lab.root->cert, .cert_uri_base = "http://other.test/" });
	auth_service_flush(lab.s, AUTH_CACHED_CERTS);
	auth_lab_expect(&lab, verify_by_url(plain, good, CERT_HASH_AND_URL), "below no cert_uri_base");
	creds_set_put_authority(lab.creds, &(struct authority){ .name = "a", .cacert = lab.root->cert, .cert_uri_base = "http://certs.test/a/" });
	auth_lab_expect(&lab, verify_by_url(plain, "http://certs.test/a/../moon", CERT_HASH_AND_URL), "below no cert_uri_base");
	auth_lab_expect(&lab, verify_by_url(plain, "http://certs.test/a/%2E%2e/moon", CERT_HASH_AND_URL), "below no cert_uri_base");
	ck_assert_uint_eq(lab_fetches(), 3);
	v = auth_lab_verify(&lab, "moon.test", plain, NULL);
	v->hash_and_url = true;
	v->n_certs = 0;
	auth_lab_add_cert(v, CERT_HASH_AND_URL, bytes_str("short"));
	auth_lab_expect(&lab, v, "malformed");
	buf_free(&zeroes);
	pki_cert_free(plain);
}
END_TEST

START_TEST(test_sign_by_url)
{
	struct auth_request *s;

	auth_lab_own(&lab, moon);
	ck_assert(creds_set_add_cert(lab.creds, cert_ref(lab.ca->cert), CERT_FLAG_NONE));
	creds_set_put_authority(lab.creds, &(struct authority){ .name = "a", .cacert = lab.ca->cert, .cert_uri_base = "http://certs.test/" });
	lab.o.hash_and_url = true;
	auth_service_set_options(lab.s, &lab.o);
	s = auth_lab_sign(&lab, "moon.test");
	s->hash_and_url = true;
	auth_lab_do(&lab, s);
	ck_assert_msg(s->ok, "%s", s->why.s);
	ck_assert_uint_eq(s->n_ret_certs, 2);
	ck_assert_uint_eq(s->ret_certs[0].encoding, CERT_HASH_AND_URL);
	ck_assert_uint_eq(s->ret_certs[0].data.n, 20 + strlen("http://certs.test/") + 40);
	ck_assert_uint_eq(s->ret_certs[1].encoding, CERT_X509_SIGNATURE); /* of the root, that has no base */
	auth_lab_free(s);
}
END_TEST

START_TEST(test_raw_keys)
{
	struct public_key *keys[] = { moon->cert->key };
	struct auth_request *s, *v;

	lab.local.pubkeys = lab.remote.pubkeys = keys;
	lab.local.n_pubkeys = lab.remote.n_pubkeys = 1;
	auth_lab_own(&lab, moon);
	s = auth_lab_sign(&lab, "moon.test");
	auth_lab_do(&lab, s);
	ck_assert_msg(s->ok, "%s", s->why.s);
	ck_assert_uint_eq(s->n_ret_certs, 1);
	ck_assert_uint_eq(s->ret_certs[0].encoding, CERT_RAW_PUBLIC_KEY);
	ck_assert_uint_eq(s->ret_method, AUTH_METHOD_SIGNATURE);
	v = auth_lab_verify(&lab, "moon.test", moon, NULL);
	v->n_certs = 0;
	auth_lab_add_cert(v, CERT_RAW_PUBLIC_KEY, s->ret_certs[0].data);
	auth_lab_expect(&lab, v, NULL);
	v = auth_lab_verify(&lab, "moon.test", moon, NULL);
	v->n_certs = 0; /* it sends none */
	auth_lab_expect(&lab, v, NULL);
	v = auth_lab_verify(&lab, "moon.test", lab.root, NULL);
	v->n_certs = 0;
	auth_lab_expect(&lab, v, "its signature");
	v = auth_lab_verify(&lab, "moon.test", lab.root, NULL);
	v->n_certs = 0;
	auth_lab_add_cert(v, CERT_RAW_PUBLIC_KEY, lab.root->cert->key->spki);
	auth_lab_expect(&lab, v, "is none of those");
	lab.remote.n_pubkeys = 0;
	v = auth_lab_verify(&lab, "moon.test", moon, NULL);
	v->n_certs = 0;
	auth_lab_add_cert(v, CERT_RAW_PUBLIC_KEY, s->ret_certs[0].data);
	auth_lab_expect(&lab, v, "the connection trusts none");
	auth_lab_free(s);
}
END_TEST

/* RFC 7670, 3 (RFC 4055, 1.2): a key that is for RSASSA-PSS only says so, with its parameters, and signs so. */
START_TEST(test_raw_pss_key)
{
	static const uint8_t pss[] = { 0x06, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0x0a };
	static const uint8_t sha384[] = { 0x06, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2 };
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA-PSS", NULL);
	EVP_PKEY *evp = NULL;
	unsigned char *der = NULL;
	struct private_key *k;
	struct public_key *keys[1];
	struct auth_request *s, *v;
	struct errtext err;
	int n;

	ck_assert(EVP_PKEY_keygen_init(ctx) > 0 && EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, 2048) > 0 &&
		  EVP_PKEY_CTX_set_rsa_pss_keygen_md(ctx, EVP_sha384()) > 0 &&
		  EVP_PKEY_CTX_set_rsa_pss_keygen_mgf1_md(ctx, EVP_sha384()) > 0 &&
		  EVP_PKEY_CTX_set_rsa_pss_keygen_saltlen(ctx, 48) > 0 && EVP_PKEY_generate(ctx, &evp) > 0);
	n = i2d_PrivateKey(evp, &der);
	k = private_key_parse(bytes_of(der, (size_t)n), KEY_ANY, &err);
	ck_assert_msg(k, "%s", err.s);
	keys[0] = k->public;
	lab.local.pubkeys = lab.remote.pubkeys = keys;
	lab.local.n_pubkeys = lab.remote.n_pubkeys = 1;
	(void)creds_set_add_key(lab.creds, private_key_ref(k));
	s = auth_lab_sign(&lab, "moon.test");
	auth_lab_do(&lab, s);
	ck_assert_msg(s->ok, "%s", s->why.s);
	ck_assert_uint_eq(s->n_ret_certs, 1);
	ck_assert_ptr_nonnull(memmem(s->ret_certs[0].data.p, 40, pss, sizeof(pss)));
	ck_assert_ptr_nonnull(memmem(s->ret_certs[0].data.p, 40, sha384, sizeof(sha384)));
	ck_assert_ptr_nonnull(strstr(s->how.s, "raw"));
	/* the peer, who has it in that form, too */
	v = auth_lab_verify(&lab, "moon.test", moon, NULL);
	v->n_certs = 0;
	v->method = s->ret_method;
	v->auth = bytes_of(arena_dup(&v->arena, s->ret_auth.p, s->ret_auth.n), s->ret_auth.n);
	auth_lab_add_cert(v, CERT_RAW_PUBLIC_KEY, s->ret_certs[0].data);
	auth_lab_do(&lab, v);
	ck_assert_msg(v->ok, "%s", v->why.s);
	ck_assert_msg(strstr(v->how.s, "RSA_EMSA_PSS_SHA2_384"), "%s", v->how.s);
	auth_lab_free(v);
	auth_lab_free(s);
	private_key_unref(k);
	OPENSSL_free(der);
	EVP_PKEY_free(evp);
	EVP_PKEY_CTX_free(ctx);
}
END_TEST

START_TEST(test_keys_by_dns)
{
	struct auth_request *v;

	v = auth_lab_verify(&lab, "moon.test", moon, NULL);
	v->n_certs = 0;
	auth_lab_expect(&lab, v, "none is loaded for 'moon.test'");
	auth_lab_with_dns(&lab);
	lab_serve_keys(NULL, "the zone is not signed");
	v = auth_lab_verify(&lab, "moon.test", moon, NULL);
	v->n_certs = 0;
	auth_lab_expect(&lab, v, "the zone is not signed");
	auth_service_flush(lab.s, AUTH_CACHED_CERTS);
	lab_serve_keys(moon->cert->key, NULL);
	v = auth_lab_verify(&lab, "moon.test", moon, NULL);
	v->n_certs = 0;
	auth_lab_expect(&lab, v, NULL);
	v = auth_lab_verify(&lab, "moon.test", lab.root, NULL);
	v->n_certs = 0;
	auth_lab_expect(&lab, v, "its signature");
	/* an address, or a peer that has certificates, is not looked up */
	v = auth_lab_verify(&lab, "192.0.2.1", moon, NULL);
	v->n_certs = 0;
	auth_lab_expect(&lab, v, "none is loaded for '192.0.2.1'");
}
END_TEST

/* A peer that sends nothing may be known by what is loaded. */
START_TEST(test_loaded_peer)
{
	struct pki_cert *plain = peer_with(lab.ca, "subjectAltName=DNS:moon.test", NULL);
	struct auth_request *v;

	ck_assert(creds_set_add_cert(lab.creds, cert_ref(plain->cert), CERT_FLAG_NONE));
	ck_assert(creds_set_add_cert(lab.creds, cert_ref(lab.ca->cert), CERT_FLAG_CA));
	v = auth_lab_verify(&lab, "moon.test", plain, NULL);
	v->n_certs = 0;
	auth_lab_expect(&lab, v, NULL);
	pki_cert_free(plain);
}
END_TEST

Suite *suite_auth_service(void)
{
	Suite *s = suite_create("auth_service");
	TCase *tc = tcase_create("auth_service");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_sign_and_verify);
	tcase_add_test(tc, test_sign_send_cert);
	tcase_add_test(tc, test_sign_nothing);
	tcase_add_test(tc, test_sign_certreq);
	tcase_add_test(tc, test_certreq);
	tcase_add_test(tc, test_sign_staple);
	tcase_add_test(tc, test_nothing_fetched_before_trust);
	tcase_add_test(tc, test_octets);
	tcase_add_test(tc, test_ocsp);
	tcase_add_test(tc, test_ocsp_revoked);
	tcase_add_test(tc, test_crl_after_ocsp);
	tcase_add_test(tc, test_crl_revoked);
	tcase_add_test(tc, test_failures);
	tcase_add_test(tc, test_useless_crl);
	tcase_add_test(tc, test_stapled);
	tcase_add_test(tc, test_hanging_server);
	tcase_add_test(tc, test_deadline);
	tcase_add_test(tc, test_close);
	tcase_add_test(tc, test_hash_and_url);
	tcase_add_test(tc, test_sign_by_url);
	tcase_add_test(tc, test_raw_keys);
	tcase_add_test(tc, test_raw_pss_key);
	tcase_add_test(tc, test_keys_by_dns);
	tcase_add_test(tc, test_loaded_peer);
	suite_add_tcase(s, tc);
	return s;
}
