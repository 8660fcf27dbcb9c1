/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "auth_lab.h"
#include "proto/iana.h"
#include "util/reader.h"
#include "util/writer.h"

/* What the peer takes (RFC 9593) chooses among our keys, certificates and schemes. */

static struct auth_lab lab;

static void setup(void)
{
	auth_lab_init(&lab);
	lab.o.no_ocsp = lab.o.no_crl = true;
	auth_service_set_options(lab.s, &lab.o);
}

static void teardown(void)
{
	auth_lab_clear(&lab);
}

static struct pki_cert *own(const struct pki_cert *issuer, const char *subject, enum pki_key_type type)
{
	static const char *const extensions[] = { "keyUsage=critical,digitalSignature", "subjectAltName=DNS:moon.test", NULL };
	struct pki_cert *c = pki_cert_new(&(struct pki_spec){ .subject = subject, .issuer = issuer, .type = type, .extensions = extensions });

	auth_lab_own(&lab, c);
	return c;
}

static void put_scheme(struct writer *w, uint8_t link, struct sig_scheme s)
{
	struct bytes der = sig_scheme_der(&s);

	writer_u8(w, (uint8_t)(3 + der.n));
	writer_u8(w, AUTH_METHOD_SIGNATURE);
	writer_u8(w, link);
	writer_bytes(w, der);
}

/* To sign for a peer that announces this. */
static struct auth_request *sign_for(struct writer *w, const struct pki_cert *const *cas, size_t n)
{
	struct auth_request *r = auth_lab_sign(&lab, "moon.test");
	struct auth_methods *m = arena_new(&r->arena, struct auth_methods);
	uint8_t *list = arena_alloc(&r->arena, 200);

	ck_assert(writer_ok(w));
	auth_methods_take(m, writer_done(w));
	r->methods = m;
	for (size_t i = 0; i < n; i++)
		memcpy(list + i * KEY_ID_LEN, cas[i]->cert->key->spki_id, KEY_ID_LEN);
	r->certreq = bytes_of(list, n * KEY_ID_LEN);
	r->certreq_seen = n > 0;
	return r;
}

static void expect_sign(struct auth_request *r, const char *cert, const char *scheme)
{
	struct sig_scheme s = { 0 };
	struct reader in;

	auth_lab_do(&lab, r);
	ck_assert_msg(r->ok, "%s", r->why.s);
	ck_assert_msg(strstr(r->how.s, cert), "%s", r->how.s);
	ck_assert_uint_eq(r->ret_method, AUTH_METHOD_SIGNATURE);
	in = reader_of(r->ret_auth);
	ck_assert(result_is_ok(sig_scheme_parse(reader_bytes(&in, reader_u8(&in)), &s)));
	ck_assert_str_eq(sig_scheme_name(&s), scheme);
}

static const struct sig_scheme ecdsa512 = { SIG_ECDSA, HASH_SHA2_512, 0 }, ecdsa256 = { SIG_ECDSA, HASH_SHA2_256, 0 };
static const struct sig_scheme pss384 = { SIG_RSA_PSS, HASH_SHA2_384, 48 }, pkcs256 = { SIG_RSA_PKCS1, HASH_SHA2_256, 0 };
static const struct sig_scheme pss256 = { SIG_RSA_PSS, HASH_SHA2_256, 32 }, ed = { SIG_ED25519, HASH_IDENTITY, 0 };

/* One key: the hash and the padding that the peer names, else ours as ever. */
START_TEST(test_scheme)
{
	static const struct {
		enum pki_key_type type;
		struct sig_scheme takes[2];
		const char *scheme;
		bool notice;
	} rows[] = {
		{ PKI_P256, { { SIG_ECDSA, HASH_SHA2_512, 0 }, { SIG_ED448, HASH_IDENTITY, 0 } }, "ECDSA_WITH_SHA512_DER", false },
		{ PKI_RSA2048, { { SIG_RSA_PSS, HASH_SHA2_384, 48 }, { SIG_ECDSA, HASH_SHA2_256, 0 } }, "RSA_EMSA_PSS_SHA2_384", false },
		/* of several that it takes, ours */
		{ PKI_RSA2048, { { SIG_RSA_PSS, HASH_SHA2_256, 32 }, { SIG_RSA_PKCS1, HASH_SHA2_256, 0 } }, "RSA_EMSA_PKCS1_SHA2_256", false },
		{ PKI_RSA2048, { { SIG_ECDSA, HASH_SHA2_256, 0 }, { SIG_ED25519, HASH_IDENTITY, 0 } }, "RSA_EMSA_PKCS1_SHA2_256", true },
		{ PKI_ED25519, { { SIG_ECDSA, HASH_SHA2_256, 0 }, { SIG_ECDSA, HASH_SHA2_384, 0 } }, "ED25519", true },
	};
	struct pki_cert *moon = own(lab.ca, "CN=moon", rows[_i].type);
	uint8_t data[300];
	struct writer w = writer_of(data, sizeof(data));
	struct auth_request *r;

	put_scheme(&w, 0, rows[_i].takes[0]);
	put_scheme(&w, 0, rows[_i].takes[1]);
	r = sign_for(&w, NULL, 0);
	expect_sign(r, "CN=moon", rows[_i].scheme);
	ck_assert((r->notice != NULL) == rows[_i].notice);
	if (r->notice) /* both lists, and what is tried */
		ck_assert_msg(strstr(r->notice, "the peer takes ECDSA_WITH_SHA256_DER, ") && strstr(r->notice, "by CN=moon") &&
			      strstr(r->notice, rows[_i].scheme), "%s", r->notice);
	auth_lab_free(r);
	pki_cert_free(moon);
}
END_TEST

/* A rule of ours is not given up for the peer. */
START_TEST(test_rules_stay)
{
	struct pki_cert *moon = own(lab.ca, "CN=moon", PKI_RSA2048);
	uint8_t data[300];
	struct writer w = writer_of(data, sizeof(data));
	struct auth_request *r;

	put_scheme(&w, 0, pkcs256);
	lab.local.rules.n_ike = 1;
	lab.local.rules.ike[0] = (struct key_rule){ .type = KEY_RSA, .pss = true, .hashes = HASH_BIT(HASH_SHA2_384) };
	r = sign_for(&w, NULL, 0);
	expect_sign(r, "CN=moon", "RSA_EMSA_PSS_SHA2_384");
	ck_assert_ptr_nonnull(r->notice);
	auth_lab_free(r);
	pki_cert_free(moon);
}
END_TEST

/* Several certificates that suit: the order of the peer's list decides, not that of ours. */
START_TEST(test_preference)
{
	struct pki_cert *rsa = own(lab.ca, "CN=rsa", PKI_RSA2048), *ecdsa = own(lab.ca, "CN=ecdsa", PKI_P256);
	uint8_t data[300];
	struct writer w = writer_of(data, sizeof(data));
	struct auth_request *r;

	put_scheme(&w, 0, _i ? pss256 : ecdsa256);
	put_scheme(&w, 0, _i ? ecdsa256 : pss256);
	r = sign_for(&w, NULL, 0);
	expect_sign(r, _i ? "CN=rsa" : "CN=ecdsa", _i ? "RSA_EMSA_PSS_SHA2_256" : "ECDSA_WITH_SHA256_DER");
	auth_lab_free(r);
	pki_cert_free(rsa);
	pki_cert_free(ecdsa);
}
END_TEST

/* RFC 9593, 3.2.2: a method that is linked to a CA is for certificates below it alone; without CERTREQ links mean nothing. */
START_TEST(test_links)
{
	struct pki_cert *other = pki_ca(NULL, "CN=other");
	const struct pki_cert *const cas[] = { other, lab.root };
	struct pki_cert *one = own(lab.ca, "CN=one", PKI_P256), *two = own(other, "CN=two", PKI_RSA2048);
	uint8_t data[300];
	struct writer w = writer_of(data, sizeof(data));
	struct auth_request *r;

	ck_assert(creds_set_add_cert(lab.creds, cert_ref(lab.ca->cert), CERT_FLAG_NONE));
	ck_assert(creds_set_add_cert(lab.creds, cert_ref(other->cert), CERT_FLAG_CA));
	switch (_i) {
	case 0: /* ECDSA with the root, which is above the CA */
		put_scheme(&w, 1, ed);
		put_scheme(&w, 2, ecdsa512);
		break;
	case 1: /* ECDSA with the other one only, which did not issue our ECDSA certificate */
		put_scheme(&w, 1, ecdsa512);
		put_scheme(&w, 1, pss384);
		break;
	case 2: /* there is no third CA */
		put_scheme(&w, 3, ecdsa512);
		put_scheme(&w, 0, pss384);
		break;
	case 3:
		put_scheme(&w, 3, ecdsa512);
		break;
	}
	r = sign_for(&w, cas, _i == 3 ? 0 : 2);
	expect_sign(r, _i == 1 || _i == 2 ? "CN=two" : "CN=one", _i == 1 || _i == 2 ? "RSA_EMSA_PSS_SHA2_384" : "ECDSA_WITH_SHA512_DER");
	ck_assert_ptr_null(r->notice);
	auth_lab_free(r);
	pki_cert_free(one);
	pki_cert_free(two);
	pki_cert_free(other);
}
END_TEST

/* Without RFC 7427: the method alone. */
START_TEST(test_classic)
{
	struct pki_cert *rsa = own(lab.ca, "CN=rsa", PKI_RSA2048), *ecdsa = own(lab.ca, "CN=ecdsa", PKI_P256);
	static const uint8_t data[2][3] = { { 3, AUTH_METHOD_RSA, 0 }, { 3, AUTH_METHOD_ECDSA_256, 0 } };
	struct auth_request *r = auth_lab_sign(&lab, "moon.test");
	struct auth_methods *m = arena_new(&r->arena, struct auth_methods);

	auth_methods_take(m, bytes_of(data[_i], 3));
	r->methods = m;
	r->peer_hashes = 0;
	auth_lab_do(&lab, r);
	ck_assert_msg(r->ok, "%s", r->why.s);
	ck_assert_uint_eq(r->ret_method, data[_i][1]);
	ck_assert_ptr_null(r->notice);
	auth_lab_free(r);
	pki_cert_free(rsa);
	pki_cert_free(ecdsa);
}
END_TEST

/* Raw keys, too. */
START_TEST(test_raw)
{
	struct pki_cert *rsa = own(lab.ca, "CN=rsa", PKI_RSA2048), *ecdsa = own(lab.ca, "CN=ecdsa", PKI_P256);
	struct public_key *keys[] = { rsa->cert->key, ecdsa->cert->key };
	uint8_t data[300];
	struct writer w = writer_of(data, sizeof(data));
	struct auth_request *r;

	lab.local.pubkeys = keys;
	lab.local.n_pubkeys = 2;
	put_scheme(&w, 0, _i == 0 ? ecdsa512 : _i == 1 ? pss256 : ed);
	r = sign_for(&w, NULL, 0);
	expect_sign(r, _i == 0 ? "raw ECDSA" : "raw RSA",
		    _i == 0 ? "ECDSA_WITH_SHA512_DER" : _i == 1 ? "RSA_EMSA_PSS_SHA2_256" : "RSA_EMSA_PKCS1_SHA2_256");
	ck_assert((r->notice != NULL) == (_i == 2));
	auth_lab_free(r);
	pki_cert_free(rsa);
	pki_cert_free(ecdsa);
}
END_TEST

/* Each truncation, and lengths that do not fit the method. */
START_TEST(test_parse)
{
	static const uint8_t wrong[] = { 3, AUTH_METHOD_SHARED_KEY, 0, 2, AUTH_METHOD_RSA, 3, AUTH_METHOD_SIGNATURE, 0, 4, AUTH_METHOD_RSA, 0, 0, 2, 13 };
	uint8_t data[300];
	struct writer w = writer_of(data, sizeof(data));
	struct auth_methods all = { 0 }, odd = { 0 }, empty = { 0 };

	put_scheme(&w, 1, ecdsa512);
	put_scheme(&w, 0, ed);
	writer_u8(&w, 2);
	writer_u8(&w, AUTH_METHOD_SHARED_KEY);
	for (size_t n = 0; n < writer_done(&w).n; n++) {
		struct auth_methods m = { 0 };
		uint8_t *copy = malloc(n + 1);

		memcpy(copy, data, n);
		auth_methods_take(&m, bytes_of(copy, n));
		ck_assert_uint_lt(m.n, 3);
		ck_assert(!m.unknown);
		free(copy);
	}
	auth_methods_take(&all, writer_done(&w));
	ck_assert_uint_eq(all.n, 3);
	auth_methods_take(&odd, bytes_of(wrong, sizeof(wrong)));
	ck_assert(odd.n == 0 && odd.unknown && auth_methods_say(&odd));
	auth_methods_take(&empty, BYTES_NONE);
	ck_assert(!auth_methods_say(&empty) && !auth_methods_say(NULL));
	for (int i = 0; i < 100; i++)
		auth_methods_take(&all, writer_done(&w));
	ck_assert_uint_eq(all.n, AUTH_METHODS_MAX);
}
END_TEST

Suite *suite_sign_methods(void)
{
	Suite *s = suite_create("sign_methods");
	TCase *tc = tcase_create("methods");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_loop_test(tc, test_scheme, 0, 5);
	tcase_add_test(tc, test_rules_stay);
	tcase_add_loop_test(tc, test_preference, 0, 2);
	tcase_add_loop_test(tc, test_links, 0, 4);
	tcase_add_loop_test(tc, test_classic, 0, 2);
	tcase_add_loop_test(tc, test_raw, 0, 3);
	tcase_add_test(tc, test_parse);
	suite_add_tcase(s, tc);
	return s;
}
