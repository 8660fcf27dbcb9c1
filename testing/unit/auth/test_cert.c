/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/x509v3.h>

#include "auth_test.h"
#include "proto/limits.h"
#include "util/mem.h"

static struct pki_cert *root;

static void setup(void)
{
	root = pki_ca(NULL, "C=CH, O=Bewick, CN=root");
}

static void teardown(void)
{
	pki_cert_free(root);
}

static struct pki_cert *cert_with(const char *one, const char *two, const char *conf)
{
	const char *const extensions[] = { one, two, NULL };

	return pki_cert_new(&(struct pki_spec){ .subject = "CN=x", .issuer = root, .extensions = extensions, .conf = conf });
}

/* It is not parsed, and the reason has this text. */
static void der_is_bad(struct bytes der, const char *why)
{
	struct errtext err = { "" };
	struct cert *c = cert_parse(der, &err);

	ck_assert_msg(!c, "parsed, but: %s", why);
	ck_assert_msg(strstr(err.s, why), "'%s' is not in: %s", why, err.s);
}

static void cert_is_bad(struct pki_cert *c, const char *why)
{
	struct buf der = pki_cert_der(c);

	der_is_bad(buf_bytes(&der), why);
	buf_free(&der);
	pki_cert_free(c);
}

static int matches(const struct cert *c, const char *text)
{
	struct id id;
	int score;

	ck_assert(id_parse(bytes_str(text), &id));
	score = cert_match_id(c, &id);
	id_free(&id);
	return score;
}

START_TEST(test_fields)
{
	static const char *const extensions[] = {
		"basicConstraints=critical,CA:TRUE,pathlen:3", "keyUsage=critical,keyCertSign,digitalSignature",
		"extendedKeyUsage=OCSPSigning", "subjectKeyIdentifier=hash", "authorityKeyIdentifier=keyid",
		"certificatePolicies=1.2.3.4,2.5.29.32.0", "crlDistributionPoints=URI:http://crl.example.org/a.crl,URI:ldap://ldap.example.org/x",
		"freshestCRL=URI:http://crl.example.org/delta.crl", "authorityInfoAccess=OCSP;URI:http://ocsp.example.org/,caIssuers;URI:http://ca.example.org/",
		"noCheck=ignored", NULL
	};
	struct pki_cert *p = pki_cert_new(&(struct pki_spec){ .subject = "C=CH, CN=sub", .issuer = root, .extensions = extensions,
							      .serial = 0x80ff, .not_before = 1000, .not_after = INT64_C(4000000000) });
	const struct cert *c = p->cert;

	ck_assert_str_eq(id_text(&c->subject).s, "C=CH, CN=sub");
	ck_assert_str_eq(id_text(&c->issuer).s, "C=CH, O=Bewick, CN=root");
	ck_assert(bytes_equal(c->serial, bytes_of("\x80\xff", 2)));
	ck_assert_int_eq(c->not_before, 1000);
	ck_assert_int_eq(c->not_after, INT64_C(4000000000));
	ck_assert(c->ca && !c->self_issued && c->ocsp_signer && c->ocsp_nocheck && !c->crl_indirect);
	ck_assert(c->may_sign && c->may_sign_certs && !c->may_sign_crls && !c->for_ike);
	ck_assert(bytes_equal(c->authority_key_id, root->cert->subject_key_id) && c->subject_key_id.n == 20);
	ck_assert(bytes_equal(c->subject_key_id, bytes_of(c->key->id, KEY_ID_LEN)));
	ck_assert_int_eq(c->signature.kind, SIG_ECDSA);
	ck_assert_int_eq(c->signature.hash, HASH_SHA2_256);
	ck_assert_uint_eq(c->n_policies, 2);
	ck_assert_str_eq(c->policies[0], "1.2.3.4");
	ck_assert_uint_eq(c->n_crl_uris, 2);
	ck_assert_str_eq(c->crl_uris[0], "http://crl.example.org/a.crl");
	ck_assert_str_eq(c->crl_uris[1], "ldap://ldap.example.org/x");
	ck_assert_uint_eq(c->n_delta_uris, 1);
	ck_assert_str_eq(c->delta_uris[0], "http://crl.example.org/delta.crl");
	ck_assert_uint_eq(c->n_ocsp_uris, 1);
	ck_assert_str_eq(c->ocsp_uris[0], "http://ocsp.example.org/");
	ck_assert_str_eq(cert_text(c).s, "'C=CH, CN=sub' (issuer 'C=CH, O=Bewick, CN=root', serial 80:ff)");
	ck_assert(cert_maybe_issued_by(c, root->cert) && cert_is_signed_by(c, root->cert));
	ck_assert(!cert_maybe_issued_by(root->cert, c) && !cert_is_signed_by(root->cert, c));
	ck_assert(root->cert->self_issued && cert_is_signed_by(root->cert, root->cert));
	pki_cert_free(p);
}
END_TEST

START_TEST(test_absent_fields)
{
	struct pki_cert *p = pki_cert_new(&(struct pki_spec){ .subject = "CN=x", .issuer = root });
	const struct cert *c = p->cert;

	ck_assert(!c->ca && c->may_sign && c->may_sign_certs && c->may_sign_crls && c->for_ike && !c->ocsp_signer && !c->ocsp_nocheck);
	ck_assert(!c->n_names && !c->n_policies && !c->n_crl_uris && !c->n_ocsp_uris && !c->n_delta_uris);
	ck_assert(!c->subject_key_id.n && !c->authority_key_id.n);
	pki_cert_free(p);
}
END_TEST

START_TEST(test_names)
{
	struct pki_cert *p = cert_with("subjectAltName=DNS:moon.example.org,email:admin@example.org,IP:192.0.2.1,IP:2001:db8::1,"
				       "URI:https://example.org/moon,otherName:1.3.6.1.5.5.7.8.5;UTF8:moon@xmpp.example.org,"
				       "otherName:1.2.3.4;UTF8:nobody,RID:1.2.3.4,dirName:dn", NULL, "[dn]\nC=CH\nCN=other\n");
	static const char *const good[] = { "moon.example.org", "Moon.Example.ORG", "admin@example.org", "192.0.2.1", "2001:db8::1",
					    "uri:https://example.org/moon", "xmppaddr:moon@xmpp.example.org", "C=CH, CN=other", "CN=x", "cn=X" };
	static const char *const bad[] = { "moon", "*.example.org", "uri:https://example.org/moo", "xmppaddr:moon@xmpp.example", "C=CH", "CN=y",
					   "nobody", "192.0.2.10", "CN=*", "%any", "%any4" };

	ck_assert_uint_eq(p->cert->n_names, 7);
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		ck_assert_msg(matches(p->cert, good[i]) == ID_MATCH_PERFECT, "%s", good[i]);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!matches(p->cert, bad[i]), "%s", bad[i]);
	pki_cert_free(p);
}
END_TEST

/* Names that are no clean text are nobody's: neither whole nor cut. */
START_TEST(test_unclean_names)
{
	static const struct {
		const char *der; /* of the GeneralNames */
		const char *text;
	} cases[] = {
		/* moon.example.org NUL .evil.net */
		{ "DER:301b8219:6d6f6f6e2e6578616d706c652e6f7267002e6576696c2e6e6574", "moon.example.org" },
		{ "DER:30058203:6d6fe9", "mo\xe9" },   /* latin-1 */
		{ "DER:30058203:6d6f20", "mo " },
		{ "DER:30028200:", "fqdn:" },
		{ "DER:30058703:c00002", "192.0.2.0" }, /* three octets */
		{ "DER:300a8708:c0000201ffffffff", "192.0.2.1" },
		{ "DER:30078105:6140620a63", "a@b\nc" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		char *text = xasprintf("subjectAltName=%s", cases[i].der), *colon = strrchr(text, ':');
		struct pki_cert *p;

		memmove(colon, colon + 1, strlen(colon)); /* the colon is for readers */
		p = cert_with(text, NULL, NULL);
		ck_assert_msg(!p->cert->n_names && !matches(p->cert, cases[i].text), "%zu", i);
		pki_cert_free(p);
		free(text);
	}
}
END_TEST

START_TEST(test_pattern)
{
	struct pki_cert *p = cert_with("subjectAltName=DNS:moon.example.org", NULL, NULL);
	static const struct {
		const char *pattern;
		bool fits;
	} cases[] = { { "%any", true }, { "*.example.org", true }, { "CN=*", true }, { "CN=x", true }, { "*.example.com", false }, { "C=CH, CN=*", false } };

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct id id;

		ck_assert(id_parse(bytes_str(cases[i].pattern), &id));
		ck_assert_msg((cert_match_pattern(p->cert, &id) > 0) == cases[i].fits, "%s", cases[i].pattern);
		id_free(&id);
	}
	pki_cert_free(p);
}
END_TEST

/* ---- forms of the data */

static struct buf pem_of(struct bytes der, const char *label)
{
	size_t n = 4 * ((der.n + 2) / 3);
	uint8_t *text = xmalloc(n + 1);
	struct buf pem = { 0 };

	EVP_EncodeBlock(text, der.p, (int)der.n);
	buf_printf(&pem, "-----BEGIN %s-----\n", label);
	for (size_t i = 0; i < n; i += 64)
		buf_printf(&pem, "%.*s\n", 64, (char *)text + i);
	buf_printf(&pem, "-----END %s-----\n", label);
	free(text);
	return pem;
}

START_TEST(test_pem)
{
	struct buf der = pki_cert_der(root), pem = pem_of(buf_bytes(&der), "CERTIFICATE"), all = { 0 };
	struct errtext err = { "" };
	struct cert *c = cert_parse(buf_bytes(&pem), &err);

	ck_assert_msg(c, "%s", err.s);
	ck_assert(cert_equal(c, root->cert) && bytes_equal(c->der, buf_bytes(&der)));
	cert_unref(c);
	buf_printf(&all, "Certificate:\n  text of openssl x509 -text\n%s\nend\n", buf_str(&pem));
	c = cert_parse(buf_bytes(&all), &err);
	ck_assert_msg(c, "%s", err.s);
	cert_unref(c);
	buf_add_bytes(&all, buf_bytes(&pem));
	der_is_bad(buf_bytes(&all), "more than one CERTIFICATE");
	der_is_bad(bytes_of(pem.p, pem.n - 10), "PEM of the CERTIFICATE is malformed");
	pem.p[100] = '!';
	der_is_bad(buf_bytes(&pem), "PEM of the CERTIFICATE is malformed");
	buf_reset(&pem);
	der_is_bad(buf_bytes(&pem), "neither DER nor PEM");
	buf_free(&pem);
	pem = pem_of(buf_bytes(&der), "TRUSTED CERTIFICATE");
	der_is_bad(buf_bytes(&pem), "neither DER nor PEM");
	buf_free(&pem);
	buf_free(&all);
	buf_free(&der);
}
END_TEST

START_TEST(test_truncated)
{
	struct buf der = pki_cert_der(root);

	for (size_t n = 0; n < der.n; n++) {
		struct errtext err;
		uint8_t *exact = n ? xmemdup(der.p, n) : NULL;

		ck_assert(!cert_parse(bytes_of(exact, n), &err));
		free(exact);
	}
	buf_add_u8(&der, 0);
	der_is_bad(buf_bytes(&der), "something follows it");
	buf_free(&der);
}
END_TEST

/* BER: the outer length in more octets than needed. */
START_TEST(test_not_der)
{
	struct buf der = pki_cert_der(root), ber = { 0 };

	ck_assert(der.p[1] == 0x82);
	buf_add(&ber, "\x30\x83\x00", 3);
	buf_add(&ber, der.p + 2, der.n - 2);
	der_is_bad(buf_bytes(&ber), "malformed certificate");
	buf_free(&ber);
	buf_free(&der);
}
END_TEST

START_TEST(test_sizes)
{
	char *big = xmalloc(3 * LIMIT_CERT);
	struct pki_cert *p;

	memset(big, 'a', 3 * LIMIT_CERT);
	memcpy(big, "\x30\x83\x01\x00\x00", 5);
	der_is_bad(bytes_of(big, LIMIT_CERT + 1), "larger than 32768");
	p = pki_cert_make(&(struct pki_spec){ .subject = "CN=x", .issuer = root });
	ck_assert(p);
	for (int i = 0; i < 200; i++) {
		ASN1_OCTET_STRING *s = ASN1_OCTET_STRING_new();
		X509_EXTENSION *e;
		ASN1_OBJECT *o;
		char oid[32];

		snprintf(oid, sizeof(oid), "1.2.3.%d", i + 1);
		ASN1_OCTET_STRING_set(s, (const unsigned char *)"\x05\x00", 2);
		o = OBJ_txt2obj(oid, 1);
		e = X509_EXTENSION_create_by_OBJ(NULL, o, 0, s);
		X509_add_ext(p->x509, e, -1);
		X509_EXTENSION_free(e);
		ASN1_OBJECT_free(o);
		ASN1_OCTET_STRING_free(s);
	}
	X509_sign(p->x509, root->key, EVP_sha256());
	cert_is_bad(p, "too many extensions");
	free(big);
}
END_TEST

START_TEST(test_many_names)
{
	struct buf names = { 0 };

	buf_add_str(&names, "subjectAltName=DNS:a");
	for (int i = 0; i < LIMIT_CERT_NAMES; i++)
		buf_printf(&names, ",DNS:a%d", i);
	cert_is_bad(pki_cert_make(&(struct pki_spec){ .subject = "CN=x", .issuer = root,
						      .extensions = (const char *const[]){ buf_str(&names), NULL } }),
		    "too many subjectAltNames");
	buf_reset(&names);
	buf_add_str(&names, "crlDistributionPoints=URI:http://a/");
	for (int i = 0; i < LIMIT_CERT_URIS; i++)
		buf_printf(&names, ",URI:http://a%d/", i);
	cert_is_bad(pki_cert_make(&(struct pki_spec){ .subject = "CN=x", .issuer = root,
						      .extensions = (const char *const[]){ buf_str(&names), NULL } }),
		    "too many URIs");
	buf_reset(&names);
	buf_add_str(&names, "certificatePolicies=1.2.3");
	for (int i = 0; i < LIMIT_CERT_POLICIES; i++)
		buf_printf(&names, ",1.2.3.%d", i);
	cert_is_bad(pki_cert_make(&(struct pki_spec){ .subject = "CN=x", .issuer = root,
						      .extensions = (const char *const[]){ buf_str(&names), NULL } }),
		    "too many certificatePolicies");
	buf_free(&names);
}
END_TEST

START_TEST(test_malformed_extensions)
{
	static const struct {
		const char *extensions[3];
		const char *why;
	} cases[] = {
		{ { "1.2.3.4=DER:0500", "1.2.3.4=DER:0500" }, "an extension twice" },
		{ { "keyUsage=digitalSignature", "2.5.29.15=DER:03020106" }, "an extension twice" },
		{ { "subjectAltName=DER:3005820301" }, "malformed" },
		{ { "2.5.29.19=DER:0500" }, "malformed or contradict" },
		{ { "2.5.29.15=DER:0500" }, "malformed or contradict" },
		{ { "2.5.29.37=DER:0500" }, "malformed" },
		{ { "2.5.29.32=DER:0500" }, "malformed" },
		{ { "2.5.29.31=DER:0500" }, "malformed" },
		{ { "2.5.29.46=DER:0500" }, "malformed" },
		{ { "2.5.29.30=critical,DER:0500" }, "malformed" },
		{ { "1.3.6.1.5.5.7.1.1=DER:0500" }, "authorityInfoAccess is malformed" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++)
		cert_is_bad(pki_cert_make(&(struct pki_spec){ .subject = "CN=x", .issuer = root, .extensions = cases[i].extensions }),
			    cases[i].why);
}
END_TEST

START_TEST(test_distribution_points)
{
	struct pki_cert *p = cert_with("crlDistributionPoints=a,b,c", NULL,
				       "[a]\nfullname=URI:http://a/\nCRLissuer=dirName:dn\n[b]\nfullname=URI:http://b/\nreasons=keyCompromise\n"
				       "[c]\nfullname=URI:http://c/\n[dn]\nCN=other\n");

	ck_assert(p->cert->crl_indirect);
	ck_assert_uint_eq(p->cert->n_crl_uris, 1);
	ck_assert_str_eq(p->cert->crl_uris[0], "http://c/");
	pki_cert_free(p);
}
END_TEST

START_TEST(test_serials)
{
	struct pki_cert *minus = pki_cert_new(&(struct pki_spec){ .subject = "CN=x", .issuer = root, .serial = -1 });
	struct pki_cert *p = pki_cert_make(&(struct pki_spec){ .subject = "CN=x", .issuer = root });
	BIGNUM *number = NULL;
	struct buf der;
	struct errtext err = { "" };
	struct cert *c;

	ck_assert(bytes_equal(minus->cert->serial, bytes_of("\xff", 1)));
	/* longer than RFC 5280 allows: it is taken, and its text is cut */
	BN_hex2bn(&number, "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
	BN_to_ASN1_INTEGER(number, X509_get_serialNumber(p->x509));
	X509_sign(p->x509, root->key, EVP_sha256());
	der = pki_cert_der(p);
	c = cert_parse(buf_bytes(&der), &err);
	ck_assert_msg(c, "%s", err.s);
	ck_assert_uint_eq(c->serial.n, 40);
	ck_assert(strstr(cert_text(c).s, "serial 01:23:45"));
	cert_unref(c);
	BN_free(number);
	buf_free(&der);
	pki_cert_free(minus);
	pki_cert_free(p);
}
END_TEST

/* A key that no one can use here: refused with its name, not with a crash. */
START_TEST(test_unknown_key)
{
	EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "X25519");

	cert_is_bad(pki_cert_make(&(struct pki_spec){ .subject = "CN=x", .issuer = root, .key = key }), "certificate 'CN=x'");
	EVP_PKEY_free(key);
}
END_TEST

START_TEST(test_empty_issuer)
{
	cert_is_bad(pki_cert_make(&(struct pki_spec){ .subject = NULL, .issuer = NULL }), "it has no issuer");
}
END_TEST

Suite *suite_cert(void)
{
	const TTest *const tests[] = {
		test_fields, test_absent_fields, test_names, test_unclean_names, test_pattern, test_pem, test_truncated, test_not_der,
		test_sizes, test_many_names, test_malformed_extensions, test_distribution_points, test_serials, test_unknown_key,
		test_empty_issuer,
	};
	Suite *s = suite_create("cert");
	TCase *tc = tcase_create("cert");

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < ARRAY_LEN(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return s;
}
