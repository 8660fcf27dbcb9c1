/* SPDX-License-Identifier: Apache-2.0 */
/* Rules of RFC 5280 and RFC 4945 on odd, but well-formed, certificates and CRLs. */
#include <stdlib.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "auth/revocation.h"
#include "auth_test.h"
#include "util/mem.h"

static struct pki_cert *root;
static struct trust_test t;

static void setup(void)
{
	root = pki_ca(NULL, "CN=root");
	trust_test_init(&t, "CN=leaf");
	trust_test_load(&t, root, CERT_FLAG_CA);
}

static void teardown(void)
{
	trust_test_clear(&t);
	pki_cert_free(root);
}

/* The last place of `what`, of n octets, gets `with` as its last octet. */
static void change_last(struct buf *der, const char *what, size_t n, uint8_t with)
{
	size_t at = der->n - n;

	while (at && memcmp(der->p + at, what, n) != 0)
		at--;
	ck_assert_uint_gt(at, 0);
	der->p[at + n - 1] = with;
}

#define ECDSA_WITH_SHA256 "\x2a\x86\x48\xce\x3d\x04\x03\x02"

/* RFC 5280, 4.1.1.2: the algorithm outside has to be the one that is signed. */
START_TEST(signature_algorithms_differ)
{
	struct pki_cert *leaf = pki_leaf(root, "CN=leaf", NULL);
	struct buf der = pki_cert_der(leaf);
	struct errtext err;

	trust_test_send(&t, leaf);
	trust_test_good(&t, "leaf < root");
	change_last(&der, ECDSA_WITH_SHA256, 8, 3);
	trust_test_send_none(&t);
	t.peer[t.n_peer++] = cert_parse(buf_bytes(&der), &err);
	ck_assert_msg(t.peer[0], "%s", err.s);
	trust_test_bad(&t, "CN=leaf");
	buf_free(&der);
	pki_cert_free(leaf);
}
END_TEST

/* RFC 5280, 5.1.1.2 */
START_TEST(crl_algorithms_differ)
{
	struct buf der = pki_crl_der(&(struct pki_crl_spec){ .issuer = root });
	struct errtext err;
	struct crl *crl = crl_parse(buf_bytes(&der), &err);

	ck_assert(crl && crl_check(crl, root->cert, &err));
	crl_unref(crl);
	change_last(&der, ECDSA_WITH_SHA256, 8, 3);
	crl = crl_parse(buf_bytes(&der), &err);
	ck_assert(!crl || !crl_check(crl, root->cert, &err));
	crl_unref(crl);
	buf_free(&der);
}
END_TEST

/* RFC 5280, 4.1.2.5: the last second of UTCTime, and the first of GeneralizedTime. */
START_TEST(times)
{
	static const int64_t ends[] = { INT64_C(2524607999), INT64_C(2524608000) };
	static const uint8_t tags[] = { V_ASN1_UTCTIME, V_ASN1_GENERALIZEDTIME };
	static const char *const extensions[] = { "basicConstraints=critical,CA:TRUE", NULL };
	struct pki_cert *ca = pki_cert_new(&(struct pki_spec){ .subject = "CN=ca", .extensions = extensions, .not_after = INT64_C(4000000000) });

	trust_test_load(&t, ca, CERT_FLAG_CA);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		struct pki_cert *c = pki_cert_new(&(struct pki_spec){ .subject = "CN=leaf", .issuer = ca, .not_after = ends[i] });

		ck_assert_int_eq(X509_get0_notAfter(c->x509)->type, tags[i]);
		ck_assert_int_eq(c->cert->not_after, ends[i]);
		trust_test_send_none(&t);
		trust_test_send(&t, c);
		t.now = ends[i];
		trust_test_good(&t, "leaf < ca");
		t.now = ends[i] + t.skew + 1;
		trust_test_bad(&t, "expired");
		pki_cert_free(c);
	}
	pki_cert_free(ca);
}
END_TEST

static void extension_is_ignored(const char *extension)
{
	const char *const extensions[] = { "keyUsage=critical,digitalSignature", extension, NULL };
	struct pki_cert *leaf = pki_cert_new(&(struct pki_spec){ .subject = "CN=leaf", .issuer = root, .extensions = extensions });

	trust_test_send(&t, leaf);
	trust_test_good(&t, "leaf < root");
	pki_cert_free(leaf);
}

/* RFC 4945, 5.1.3.3: a period that is long over, 2001 */
START_TEST(private_key_usage_period)
{
	extension_is_ignored("2.5.29.16=DER:3022800f32303031303130313030303030305a810f32303031303230313030303030305a");
}
END_TEST

/* RFC 4945, 5.1.3.17 */
START_TEST(subject_info_access)
{
	extension_is_ignored("subjectInfoAccess=1.3.6.1.5.5.7.48.5;URI:http://ca.test/");
}
END_TEST

static struct crl *numbered(const char *extension)
{
	const char *const extensions[] = { extension, NULL };

	return pki_crl_new(&(struct pki_crl_spec){ .issuer = root, .extensions = extensions });
}

/* RFC 5280, 5.2.3: 20 octets, and the longer number is the newer one. */
START_TEST(long_crl_numbers)
{
	struct crl *low = numbered("2.5.29.20=DER:0214" "7e" "00000000000000000000000000000000000000");
	struct crl *high = numbered("2.5.29.20=DER:0214" "7f" "00000000000000000000000000000000000000");
	struct crl *shorter = numbered("2.5.29.20=DER:0213" "7f" "000000000000000000000000000000000000");

	ck_assert_uint_eq(high->number.n, 20);
	ck_assert(crl_is_newer(high, low) && !crl_is_newer(low, high) && !crl_is_newer(low, low));
	ck_assert(crl_is_newer(low, shorter) && !crl_is_newer(shorter, low));
	crl_unref(low);
	crl_unref(high);
	crl_unref(shorter);
}
END_TEST

static struct buf crl_with_entry(const struct pki_cert *revoked, const char *oid)
{
	const struct pki_cert *const list[] = { revoked, NULL };
	struct buf der = pki_crl_der(&(struct pki_crl_spec){ .issuer = root, .revoked = list }), out = { 0 };
	const unsigned char *p = der.p;
	X509_CRL *crl = d2i_X509_CRL(NULL, &p, (long)der.n);
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	ASN1_OBJECT *object = OBJ_txt2obj(oid, 1);
	X509_EXTENSION *e;
	unsigned char *made = NULL;
	int n;

	ck_assert(ASN1_OCTET_STRING_set(value, (const unsigned char *)"\x05\x00", 2));
	e = X509_EXTENSION_create_by_OBJ(NULL, object, 1, value);
	ck_assert(X509_REVOKED_add_ext(sk_X509_REVOKED_value(X509_CRL_get_REVOKED(crl), 0), e, -1));
	ck_assert_int_gt(X509_CRL_sign(crl, root->key, EVP_sha256()), 0);
	n = i2d_X509_CRL(crl, &made);
	ck_assert_int_gt(n, 0);
	buf_add(&out, made, (size_t)n);
	OPENSSL_free(made);
	X509_EXTENSION_free(e);
	ASN1_OBJECT_free(object);
	ASN1_OCTET_STRING_free(value);
	X509_CRL_free(crl);
	buf_free(&der);
	return out;
}

/* RFC 5280, 5.3: what the entry means is not known; the list says nothing that could be relied on, neither of this nor of others. */
START_TEST(critical_entry_extension)
{
	struct pki_cert *leaf = pki_leaf(root, "CN=leaf", NULL);
	struct buf der = crl_with_entry(leaf, "1.3.6.1.4.1.99999.7");
	struct errtext err = { "" };
	struct crl *crl = crl_parse(buf_bytes(&der), &err);

	ck_assert(!crl);
	ck_assert_msg(strstr(err.s, "critical"), "%s", err.s);
	buf_free(&der);
	pki_cert_free(leaf);
}
END_TEST

/* RFC 4945, 6: the three ends of lines, white space around them, and lines of any length. */
START_TEST(pem_lines)
{
	static const struct {
		const char *before, *after;
		size_t length;
	} forms[] = { { "", "\n", 64 }, { "", "\r\n", 64 }, { "", "\r", 64 }, { " \t", " \t\n", 64 }, { "", "\n", 76 }, { "", "\n", 100000 } };

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		struct buf text = { 0 }, pem = { 0 };
		struct errtext err = { "" };
		struct cert *c;

		(void)buf_extend(&text, root->cert->der.n * 2);
		text.n = (size_t)EVP_EncodeBlock(text.p, root->cert->der.p, (int)root->cert->der.n);
		buf_printf(&pem, "%s-----BEGIN CERTIFICATE-----%s", forms[i].before, forms[i].after);
		for (size_t at = 0; at < text.n; at += forms[i].length)
			buf_printf(&pem, "%s%.*s%s", forms[i].before,
				   (int)(text.n - at < forms[i].length ? text.n - at : forms[i].length), (const char *)text.p + at,
				   forms[i].after);
		buf_printf(&pem, "%s-----END CERTIFICATE-----%s", forms[i].before, forms[i].after);
		c = cert_parse(buf_bytes(&pem), &err);
		ck_assert_msg(c && cert_equal(c, root->cert), "%zu: %s", i, err.s);
		cert_unref(c);
		buf_free(&text);
		buf_free(&pem);
	}
}
END_TEST

Suite *suite_rfc5280(void)
{
	Suite *s = suite_create("rfc5280");
	TCase *tc = tcase_create("rfc5280");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, signature_algorithms_differ);
	tcase_add_test(tc, crl_algorithms_differ);
	tcase_add_test(tc, times);
	tcase_add_test(tc, private_key_usage_period);
	tcase_add_test(tc, subject_info_access);
	tcase_add_test(tc, long_crl_numbers);
	tcase_add_test(tc, critical_entry_extension);
	tcase_add_test(tc, pem_lines);
	suite_add_tcase(s, tc);
	return s;
}
