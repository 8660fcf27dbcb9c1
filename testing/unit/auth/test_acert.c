/* SPDX-License-Identifier: Apache-2.0 */
/* What is read out of attribute certificates, and which are refused. */
#include <stdlib.h>

#include "auth_test.h"
#include "crypto/der.h"
#include "pki_acert.h"
#include "proto/limits.h"
#include "util/mem.h"

static struct pki_cert *root, *aa, *moon;

static void setup(void)
{
	static const char *const plain[] = { "keyUsage=critical,digitalSignature", "subjectKeyIdentifier=hash", NULL };

	root = pki_ca(NULL, "C=CH, CN=root");
	aa = pki_cert_new(&(struct pki_spec){ .subject = "C=CH, CN=aa", .issuer = root, .extensions = plain });
	moon = pki_leaf(root, "C=CH, CN=moon", "DNS:moon.example.org, email:admin@example.org, IP:192.0.2.1, URI:http://moon/");
}

static void teardown(void)
{
	pki_cert_free(root);
	pki_cert_free(aa);
	pki_cert_free(moon);
}

static void is_bad(const struct pki_acert_spec *spec, const char *why)
{
	struct pki_acert_spec s = *spec;
	struct errtext err = { "" };
	struct acert *ac;
	struct buf der;

	s.holder = s.holder ? s.holder : moon;
	s.issuer = s.issuer ? s.issuer : aa;
	der = pki_acert_der(&s);
	ac = acert_parse(buf_bytes(&der), &err);
	ck_assert_msg(!ac, "it is taken, but: %s", why);
	ck_assert_msg(strstr(err.s, why), "'%s' is not in: %s", why, err.s);
	buf_free(&der);
}

static struct acert *made(const struct pki_acert_spec *spec)
{
	struct pki_acert_spec s = *spec;

	s.holder = s.holder ? s.holder : moon;
	s.issuer = s.issuer ? s.issuer : aa;
	return pki_acert_new(&s);
}

static struct buf hex(const char *text)
{
	struct buf out = { 0 };

	ck_assert_msg(hex_decode(bytes_str(text), &out), "%s", text);
	return out;
}

START_TEST(test_fields)
{
	static const char *const groups[] = { "sales", "gr\xc3\xbcn", "a b", NULL };
	static const char *const extensions[] = { "authorityKeyIdentifier=keyid", PKI_NEVER_REVOKED, "1.2.3.4=DER:0500", NULL };
	struct acert *ac = made(&(struct pki_acert_spec){ .groups = groups, .extensions = extensions, .serial = 0xabcd,
							  .name = "C=CH, CN=moon", .not_before = PKI_NOW, .not_after = PKI_NOW + 7 });

	ck_assert(id_equal(&ac->issuer, &aa->cert->subject) && id_equal(&ac->holder_issuer, &root->cert->subject));
	ck_assert(bytes_equal(ac->holder_serial, moon->cert->serial) && bytes_equal(ac->serial, bytes_of("\xab\xcd", 2)));
	ck_assert_int_eq(ac->not_before, PKI_NOW);
	ck_assert_int_eq(ac->not_after, PKI_NOW + 7);
	ck_assert_uint_eq(ac->n_groups, 3);
	for (size_t i = 0; i < 3; i++)
		ck_assert_str_eq(ac->groups[i], groups[i]);
	ck_assert(ac->never_revoked && !ac->targeted && !ac->foreign_groups);
	ck_assert(bytes_equal(ac->authority_key_id, aa->cert->subject_key_id));
	ck_assert(ac->signature.kind == SIG_ECDSA && ac->signature.hash == HASH_SHA2_256 && !ac->signature_why);
	ck_assert_str_eq(acert_text(ac).s, "of 'C=CH, CN=moon' (issuer 'C=CH, CN=aa', serial ab:cd)");
	ck_assert(acert_maybe_issued_by(ac, aa->cert) && !acert_maybe_issued_by(ac, root->cert));
	acert_unref(ac);
}
END_TEST

/* RFC 5755, 4.4: strings, OIDs and octets, in one attribute with several values. */
START_TEST(test_kinds_of_groups)
{
	static const char *const expected[] = { "1.2.840.113549", "sales", "0x00ff", "text" };
	/* two IetfAttrSyntax: an OID and a string; octets that are no text, and some that are */
	struct buf values = hex("3011300f" "06062a864886f70d" "0c0573616c6573" "300c300a" "040200ff" "040474657874");
	struct buf attributes = pki_group_attribute(buf_bytes(&values));
	struct acert *ac = made(&(struct pki_acert_spec){ .parts = { .attributes = buf_bytes(&attributes) } });

	ck_assert_uint_eq(ac->n_groups, ARRAY_LEN(expected));
	for (size_t i = 0; i < ac->n_groups; i++)
		ck_assert_str_eq(ac->groups[i], expected[i]);
	acert_unref(ac);
	buf_free(&attributes);
	buf_free(&values);
}
END_TEST

/* RFC 5755, 4.4: groups of one authority are not those of the same name of another. */
START_TEST(test_policy_authority)
{
	const struct pki_cert *authorities[] = { aa, moon };

	for (size_t i = 0; i < 2; i++) {
		struct buf name = { 0 }, list = hex("3003" "0c0178"), syntax = { 0 }, value = { 0 }, attributes;
		struct acert *ac;

		der_add(&name, DER_CONTEXT(4), authorities[i]->cert->subject.data);
		der_add(&syntax, DER_CONTEXT(0), buf_bytes(&name));
		buf_add_bytes(&syntax, buf_bytes(&list));
		der_add(&value, DER_SEQUENCE, buf_bytes(&syntax));
		attributes = pki_group_attribute(buf_bytes(&value));
		ac = made(&(struct pki_acert_spec){ .parts = { .attributes = buf_bytes(&attributes) } });
		ck_assert_uint_eq(ac->n_groups, i == 0);
		ck_assert_uint_eq(ac->foreign_groups, i == 1);
		acert_unref(ac);
		buf_free(&name);
		buf_free(&list);
		buf_free(&syntax);
		buf_free(&value);
		buf_free(&attributes);
	}
}
END_TEST

/* Other attributes do not matter (chargingIdentity, a private one). */
START_TEST(test_other_attributes)
{
	struct buf attributes = hex("3028" "3018" "06082b0601050507" "0a03" "310c" "300a" "3008" "0c0673696c656e74"
				    "300c" "06032a0304" "3105" "0c03616263");
	struct acert *ac = made(&(struct pki_acert_spec){ .parts = { .attributes = buf_bytes(&attributes) } });

	ck_assert_uint_eq(ac->n_groups, 0);
	acert_unref(ac);
	buf_free(&attributes);
}
END_TEST

START_TEST(test_pem)
{
	struct buf der = pki_acert_der(&(struct pki_acert_spec){ .holder = moon, .issuer = aa }), pem = { 0 };
	char *text = xcalloc(1, der.n * 2);
	struct errtext err;
	struct acert *ac;

	EVP_EncodeBlock((unsigned char *)text, der.p, (int)der.n);
	buf_printf(&pem, "something\n-----BEGIN ATTRIBUTE CERTIFICATE-----\n%s\n-----END ATTRIBUTE CERTIFICATE-----\n", text);
	ac = acert_parse(buf_bytes(&pem), &err);
	ck_assert_msg(ac && bytes_equal(ac->der, buf_bytes(&der)), "%s", err.s);
	acert_unref(ac);
	buf_reset(&pem);
	buf_printf(&pem, "-----BEGIN CERTIFICATE-----\n%s\n-----END CERTIFICATE-----\n", text);
	ck_assert(!acert_parse(buf_bytes(&pem), &err));
	free(text);
	buf_free(&pem);
	buf_free(&der);
}
END_TEST

START_TEST(test_truncated)
{
	struct buf der = pki_acert_der(&(struct pki_acert_spec){ .holder = moon, .issuer = aa, .name = "C=CH, CN=moon" });
	struct errtext err;

	for (size_t n = 0; n < der.n; n++) {
		uint8_t *copy = xmalloc(n + 1); /* of the exact size, so that over-reads show */

		memcpy(copy, der.p, n);
		ck_assert_msg(!acert_parse(bytes_of(copy, n), &err), "%zu bytes", n);
		free(copy);
	}
	buf_add_u8(&der, 0);
	ck_assert(!acert_parse(buf_bytes(&der), &err));
	buf_free(&der);
}
END_TEST

/* Whatever bit is another one: it is refused, or it is not signed. */
START_TEST(test_changed)
{
	struct buf der = pki_acert_der(&(struct pki_acert_spec){ .holder = moon, .issuer = aa, .name = "C=CH, CN=moon" });
	unsigned parsed = 0;

	for (size_t bit = 0; bit < der.n * 8; bit++) {
		struct errtext err = { "" };
		struct acert *ac;

		der.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		ac = acert_parse(buf_bytes(&der), &err);
		ck_assert_msg(!ac || !acert_is_signed_by(ac, aa->cert), "bit %zu", bit);
		ck_assert(ac || err.s[0]);
		parsed += ac != NULL;
		acert_unref(ac);
		der.p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	ck_assert_uint_gt(parsed, 0);
	buf_free(&der);
}
END_TEST

START_TEST(test_malformed)
{
	static const struct {
		size_t part; /* of struct pki_acert_parts */
		const char *hex, *why;
	} rows[] = {
#define PART(NAME) offsetof(struct pki_acert_parts, NAME)
		{ PART(version), "020100", "it is not of version 2" },
		{ PART(version), "020102", "it is not of version 2" },
		{ PART(version), "0101ff", "it is no X.509 attribute certificate" },
		{ PART(holder), "3000", "it has no holder" },
		{ PART(holder), "3002a200", "objectDigestInfo" },
		{ PART(holder), "3004a1020500", NULL }, /* a kind of name that we do not know: nobody's */
		{ PART(holder), "3002a100", "its holder's name is malformed" },
		{ PART(holder), "3006a104a4023000", NULL }, /* an empty DN: nobody's */
		{ PART(holder), "3007a005" "3000" "020101", "its holder's certificate is malformed" },
		{ PART(holder), "300ba009" "3004a4023000" "020101", "is not one name" },
		{ PART(holder), "3003020101", "its holder is malformed" },
		{ PART(issuer), "3000", "its issuer is not in the form of version 2" },
		{ PART(issuer), "a0023000", "its issuer is malformed" },
		{ PART(issuer), "a0063004a4023000", "its issuer is not one name" },
		{ PART(issuer), "a0063004820278" "79", "its issuer is not one name" },
		{ PART(algorithm), "3003020101", NULL }, /* seen when it is to be verified */
		{ PART(outer_algorithm), "300506032b6570", "it names two algorithms" },
		{ PART(serial), "020100", "its serial number is not positive" },
		{ PART(serial), "0201ff", "its serial number is not positive" },
		{ PART(serial), "021500ff0102030405060708090a0b0c0d0e0f10111213", "or too long" },
		{ PART(serial), "02157f0102030405060708090a0b0c0d0e0f1011121314", "or too long" },
		{ PART(validity), "3000", "its validity is malformed" },
		{ PART(validity), "3022180f32303236313132323137313735385a" "180f32303236313132323137313735385a", NULL },
		{ PART(validity), "3022180f32303236313332323137313735385a" "180f32303236313132323137313735385a",
		  "its validity is malformed" }, /* month 13 */
		{ PART(validity), "3022180f32303236303233303137313735385a" "180f32303236313132323137313735385a",
		  "its validity is malformed" }, /* 30 February */
		{ PART(validity), "3022180f323032363131323231373137353830" "180f32303236313132323137313735385a",
		  "its validity is malformed" }, /* no Z */
		{ PART(validity), "301e170d3236313132323137313735385a" "170d3236313132323137313735385a", "its validity is malformed" },
		{ PART(attributes), "3000", "it has no attributes" },
		{ PART(attributes), "300a" "3008" "06032a0304" "31" "01" "05", "its attributes are malformed" },
		{ PART(attributes), "3009" "3007" "06032a0304" "3100", "its attributes are malformed" },
		{ PART(attributes), "3016" "3009" "06032a0304" "31020500" "3009" "06032a0304" "31020500", "it has an attribute twice" },
		{ PART(rest), "0303000102", "issuerUniqueID" },
		{ PART(rest), "0500", "" },
		{ PART(rest), "3002" "3000", "its extensions are malformed" },
		{ PART(rest), "300b" "3009" "0603551d38" "0402" "0500" "0500", "" },
		{ PART(rest), "300e" "300c" "0603551d38" "010100" "04020500", "its extensions are malformed" },
		{ PART(rest), "300b" "3009" "0603551d38" "0402" "0501", "its noRevAvail is malformed" },
		{ PART(rest), "3016" "3009" "0603551d38" "04020500" "3009" "0603551d38" "04020500", "it has an extension twice" },
		{ PART(rest), "300e" "300c" "06032a0304" "0101ff" "04020500", "the critical extension 1.2.3.4, which is not known" },
		{ PART(rest), "3012" "3010" "06082b0601050507" "0104" "0101ff" "040101", "an audit identity only" },
		{ PART(rest), "300b" "3009" "0603551d37" "0402" "0500", "its targetInformation is malformed" },
		{ PART(rest), "300b" "3009" "0603551d23" "0402" "0500", "its authorityKeyIdentifier is malformed" },
		{ PART(rest), "300b" "3009" "0603551d1f" "0402" "0500", "its cRLDistributionPoints" },
		{ PART(signature), "030101", "its signature is malformed" },
		{ PART(signature), "0302000105", "" },
#undef PART
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct pki_acert_spec spec = { .holder = moon, .issuer = aa };
		struct buf part = hex(rows[i].hex);

		*(struct bytes *)((char *)&spec.parts + rows[i].part) = buf_bytes(&part);
		if (rows[i].why) {
			is_bad(&spec, rows[i].why);
		} else {
			struct acert *ac = made(&spec);

			ck_assert(!acert_is_signed_by(ac, moon->cert));
			acert_unref(ac);
		}
		buf_free(&part);
	}
}
END_TEST

START_TEST(test_malformed_groups)
{
	static const char *const rows[] = {
		"3003020101",                /* no list */
		"3000",
		"3005300302" "0101",         /* an INTEGER */
		"300530030c01" "00",         /* NUL */
		"300530030c01" "0a",
		"300530030c01" "ff",         /* no UTF-8 */
		"300430020c00",              /* empty */
		"300430020400",
		"3005300306" "0180",         /* half an OID */
		"30063004" "0c0161" "05",    /* cut */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf value = hex(rows[i]), attributes = pki_group_attribute(buf_bytes(&value));

		is_bad(&(struct pki_acert_spec){ .parts = { .attributes = buf_bytes(&attributes) } }, "malformed");
		buf_free(&value);
		buf_free(&attributes);
	}
}
END_TEST

START_TEST(test_limits)
{
	static const char *groups[LIMIT_ACERT_GROUPS + 2];
	struct errtext err;
	struct buf big = { 0 };
	struct acert *ac;

	for (size_t i = 0; i <= LIMIT_ACERT_GROUPS; i++)
		groups[i] = "g";
	is_bad(&(struct pki_acert_spec){ .groups = groups }, "too many groups");
	groups[LIMIT_ACERT_GROUPS] = NULL;
	ac = made(&(struct pki_acert_spec){ .groups = groups });
	ck_assert_uint_eq(ac->n_groups, LIMIT_ACERT_GROUPS);
	acert_unref(ac);
	buf_add_u8(&big, 0x30);
	memset(buf_extend(&big, 3 * LIMIT_ACERT), 0, 3 * LIMIT_ACERT);
	ck_assert(!acert_parse(buf_bytes(&big), &err));
	ck_assert_msg(strstr(err.s, "larger than"), "%s", err.s);
	buf_free(&big);
}
END_TEST

/* RFC 5755, 4.2.2. */
START_TEST(test_holder)
{
	struct pki_cert *again = pki_cert_new(&(struct pki_spec){ .subject = "C=CH, CN=moon", .issuer = root });
	struct pki_cert *other_ca = pki_ca(NULL, "C=CH, CN=other");
	struct pki_cert *same_serial = pki_cert_new(&(struct pki_spec){ .subject = "C=CH, CN=moon", .issuer = other_ca,
									.serial = 0x77 });
	struct pki_cert *seven = pki_cert_new(&(struct pki_spec){ .subject = "C=CH, CN=moon", .issuer = root, .serial = 0x77 });
	struct acert *base = made(&(struct pki_acert_spec){ .holder = seven });
	struct acert *name = made(&(struct pki_acert_spec){ .no_base = true, .name = "c=ch, cn=MOON" });
	struct acert *both = made(&(struct pki_acert_spec){ .holder = seven, .name = "C=CH, CN=moon" });
	struct acert *torn = made(&(struct pki_acert_spec){ .holder = seven, .name = "C=CH, CN=sun" });

	ck_assert(acert_is_of(base, seven->cert) && !acert_is_of(base, again->cert) && !acert_is_of(base, same_serial->cert));
	ck_assert(acert_is_of(name, moon->cert) && acert_is_of(name, again->cert) && !acert_is_of(name, aa->cert));
	ck_assert(acert_is_of(both, seven->cert) && !acert_is_of(both, again->cert));
	ck_assert(!acert_is_of(torn, seven->cert));
	acert_unref(base);
	acert_unref(name);
	acert_unref(both);
	acert_unref(torn);
	pki_cert_free(again);
	pki_cert_free(other_ca);
	pki_cert_free(same_serial);
	pki_cert_free(seven);
}
END_TEST

/* A serial number of a certificate that is negative is another one than that of the same digits. */
START_TEST(test_negative_serial)
{
	struct pki_cert *negative = pki_cert_new(&(struct pki_spec){ .subject = "CN=x", .issuer = root, .serial = -1 });
	struct pki_cert *positive = pki_cert_new(&(struct pki_spec){ .subject = "CN=x", .issuer = root, .serial = 255 });
	struct acert *ac = made(&(struct pki_acert_spec){ .holder = positive });

	ck_assert(acert_is_of(ac, positive->cert) && !acert_is_of(ac, negative->cert));
	acert_unref(ac);
	pki_cert_free(negative);
	pki_cert_free(positive);
}
END_TEST

/* Names of the other kinds: all of them are the certificate's, or it is not the holder's. */
START_TEST(test_holder_names)
{
	static const struct {
		const char *hex;
		bool is;
	} rows[] = {
		{ "3016a114" "82106d6f6f6e2e6578616d706c652e6f7267" "8201" "78", false }, /* moon.example.org and x */
		{ "3014a112" "82106d6f6f6e2e6578616d706c652e6f7267", true },
		{ "3014a112" "82104d4f4f4e2e6578616d706c652e6f7267", true },
		{ "3015a113" "811161646d696e406578616d706c652e6f7267", true },
		{ "3008a106" "8704c0000201", true },
		{ "3008a106" "8704c0000202", false },
		{ "300ea10c" "860a687474703a2f2f6d6f6f6e", false },
		{ "300fa10d" "860c687474703a2f2f6d6f6f6e2f", false }, /* its length is not that of the name */
		{ "300ea10c" "860a687474703a2f2f6d6f6f6f", false },
		{ "300aa108" "8806" "2b0601050507", false }, /* registeredID */
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf holder = hex(rows[i].hex);
		struct pki_acert_spec spec = { .holder = moon, .issuer = aa, .parts = { .holder = buf_bytes(&holder) } };
		struct buf der = pki_acert_der(&spec);
		struct errtext err;
		struct acert *ac = acert_parse(buf_bytes(&der), &err);

		ck_assert_msg((ac && acert_is_of(ac, moon->cert)) == rows[i].is, "%s", rows[i].hex);
		acert_unref(ac);
		buf_free(&der);
		buf_free(&holder);
	}
}
END_TEST

/* RFC 5755, 4.2.2: our certificates have no issuerUID. */
START_TEST(test_issuer_uid)
{
	struct buf names = { 0 }, list = { 0 }, base = { 0 }, holder = { 0 }, all = { 0 };

	der_add(&names, DER_CONTEXT(4), root->cert->subject.data);
	der_add(&list, DER_SEQUENCE, buf_bytes(&names));
	buf_add_bytes(&base, buf_bytes(&list));
	der_add_unsigned(&base, moon->cert->serial);
	der_add_bits(&base, bytes_str("uid"));
	der_add(&holder, DER_CONTEXT(0), buf_bytes(&base));
	der_add(&all, DER_SEQUENCE, buf_bytes(&holder));
	is_bad(&(struct pki_acert_spec){ .parts = { .holder = buf_bytes(&all) } }, "its holder has an issuerUID");
	buf_free(&names);
	buf_free(&list);
	buf_free(&base);
	buf_free(&holder);
	buf_free(&all);
}
END_TEST

START_TEST(test_long_serial)
{
	struct buf serial = hex("02147f0102030405060708090a0b0c0d0e0f10111213");
	struct acert *ac = made(&(struct pki_acert_spec){ .parts = { .serial = buf_bytes(&serial) } });

	ck_assert(ac->serial.n == 20 && bytes_equal(ac->serial, bytes_of(serial.p + 2, 20)));
	ck_assert(strstr(acert_text(ac).s, "serial 7f:01:02:03:04:05:06:07:08:09:0a:0b:0c:0d:0e:0f:10:11:12:13)"));
	acert_unref(ac);
	buf_free(&serial);
}
END_TEST

/*
 * One that strongSwan's pki 5.9.8 made ("pki --acert"), by somebody else's code: of C=CH, CN=moon, whose certificate is of C=CH, O=Test, CN=CA;
 * its signature is by the key below.
 */
START_TEST(test_by_pki)
{
	static const char pem[] =
		"-----BEGIN ATTRIBUTE CERTIFICATE-----\n"
		"MIIBpTCCAUwCAQEwXaA5MC2kKzApMQswCQYDVQQGEwJDSDENMAsGA1UEChMEVGVz\n"
		"dDELMAkGA1UEAxMCQ0ECCB7HAwELrfCGoSCkHjAcMQswCQYDVQQGEwJDSDENMAsG\n"
		"A1UEAxMEbW9vbqAgMB6kHDAaMQswCQYDVQQGEwJDSDELMAkGA1UEAxMCYWEwCgYI\n"
		"KoZIzj0EAwICCCUOihatQTuHMCIYDzIwMjYxMTIxMTcxNzU4WhgPMjAyNjExMjIx\n"
		"NzE3NThaMCUwIwYIKwYBBQUHCgQxFzAVMBMMBXNhbGVzDAUxLjIuMwwDYSBiMGUw\n"
		"WAYDVR0jBFEwT4AUThb/VJnXQw3k+fl4xel//5INHUShLaQrMCkxCzAJBgNVBAYT\n"
		"AkNIMQ0wCwYDVQQKEwRUZXN0MQswCQYDVQQDEwJDQYIIb900H7n2/VUwCQYDVR04\n"
		"BAIFADAKBggqhkjOPQQDAgNHADBEAiBG5HvlReupjjrgPLNMwzXQxp1G1LmETdgO\n"
		"THfkETQS9gIgHii83jUi+TgQ0jdEWMjsHk3FmiFeA/73wfw/z+gaL/Q=\n"
		"-----END ATTRIBUTE CERTIFICATE-----\n";
	static const char spki[] =
		"3059301306072a8648ce3d020106082a8648ce3d0301070342000432f624"
		"f59f4df51284b81b3a3eedf04951b96b59881aab5dc41f7422266b1b1e74"
		"ca8729e974fc3b46c1a33a7bc67ea3e49af13e7f4ab03b7898da70666615"
		"ae";
	static const char *const groups[] = { "sales", "1.2.3", "a b" };
	struct buf key = hex(spki);
	struct errtext err = { "" };
	struct acert *ac = acert_parse(bytes_str(pem), &err);
	struct cert issuer = { .key = public_key_parse(buf_bytes(&key), KEY_ANY, &err) };

	ck_assert_msg(ac && issuer.key, "%s", err.s);
	ck_assert(acert_is_signed_by(ac, &issuer) && !acert_is_signed_by(ac, aa->cert));
	ck_assert_str_eq(acert_text(ac).s, "of 'C=CH, CN=moon' (issuer 'C=CH, CN=aa', serial 25:0e:8a:16:ad:41:3b:87)");
	ck_assert_str_eq(id_text(&ac->holder_issuer).s, "C=CH, O=Test, CN=CA");
	ck_assert(ac->never_revoked && ac->authority_key_id.n == 20);
	ck_assert_uint_eq(ac->n_groups, ARRAY_LEN(groups));
	for (size_t i = 0; i < ac->n_groups; i++)
		ck_assert_str_eq(ac->groups[i], groups[i]);
	acert_unref(ac);
	public_key_unref(issuer.key);
	buf_free(&key);
}
END_TEST

START_TEST(test_targets)
{
	/* SEQUENCE OF Targets: {moon.example.org, the group "vpn"}, {C..., an unknown kind} */
	static const char *const extensions[] = {
		"2.5.29.55=critical,DER:3024301ba012" "82106d6f6f6e2e6578616d706c652e6f7267" "a105820376706e" "3005a003880101", NULL
	};
	struct acert *ac = made(&(struct pki_acert_spec){ .extensions = extensions });

	ck_assert(ac->targeted && !ac->never_revoked);
	ck_assert_uint_eq(ac->n_targets, 1);
	ck_assert(cert_match_id(moon->cert, &ac->targets[0]));
	acert_unref(ac);
}
END_TEST

START_TEST(test_signature)
{
	static const enum pki_key_type types[] = { PKI_P256, PKI_RSA2048, PKI_ED25519 };

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		struct pki_cert *one = pki_cert_new(&(struct pki_spec){ .subject = "CN=aa", .issuer = root, .type = types[i] });
		struct pki_cert *other = pki_cert_new(&(struct pki_spec){ .subject = "CN=aa", .issuer = root, .type = types[i] });
		struct acert *ac = made(&(struct pki_acert_spec){ .issuer = one });

		ck_assert(acert_is_signed_by(ac, one->cert) && !acert_is_signed_by(ac, other->cert));
		ck_assert(!acert_is_signed_by(ac, types[i] == PKI_P256 ? root->cert : aa->cert));
		acert_unref(ac);
		pki_cert_free(one);
		pki_cert_free(other);
	}
}
END_TEST

/* RFC 5755, 6: where to ask, or that it is never revoked, but not both. */
START_TEST(test_revocation)
{
	static const char *const pointers[] = { "crlDistributionPoints=URI:http://crl.test/aa", "authorityInfoAccess=OCSP;URI:http://o.test/",
						NULL };
	static const char *const both[] = { "crlDistributionPoints=URI:http://crl.test/aa", PKI_NEVER_REVOKED, NULL };
	struct acert *ac = made(&(struct pki_acert_spec){ .extensions = pointers, .serial = 0x1234 });
	const struct cert *c = ac->revocable;

	ck_assert(!ac->never_revoked && c->attributes && c->n_crl_uris == 1 && c->n_ocsp_uris == 1);
	ck_assert_str_eq(c->crl_uris[0], "http://crl.test/aa");
	ck_assert_str_eq(c->ocsp_uris[0], "http://o.test/");
	ck_assert(bytes_equal(c->serial, ac->serial) && id_equal(&c->issuer, &aa->cert->subject));
	ck_assert(c->issuer_hash == aa->cert->subject_hash && c->not_after == ac->not_after);
	acert_unref(ac);
	is_bad(&(struct pki_acert_spec){ .extensions = both }, "never revoked, and where to ask");
}
END_TEST

Suite *suite_acert(void)
{
	Suite *s = suite_create("auth/acert");
	TCase *t = tcase_create("acert");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_set_timeout(t, 60);
	tcase_add_test(t, test_fields);
	tcase_add_test(t, test_kinds_of_groups);
	tcase_add_test(t, test_policy_authority);
	tcase_add_test(t, test_other_attributes);
	tcase_add_test(t, test_pem);
	tcase_add_test(t, test_truncated);
	tcase_add_test(t, test_changed);
	tcase_add_test(t, test_malformed);
	tcase_add_test(t, test_malformed_groups);
	tcase_add_test(t, test_limits);
	tcase_add_test(t, test_holder);
	tcase_add_test(t, test_negative_serial);
	tcase_add_test(t, test_holder_names);
	tcase_add_test(t, test_issuer_uid);
	tcase_add_test(t, test_long_serial);
	tcase_add_test(t, test_by_pki);
	tcase_add_test(t, test_targets);
	tcase_add_test(t, test_signature);
	tcase_add_test(t, test_revocation);
	suite_add_tcase(s, t);
	return s;
}
