/* SPDX-License-Identifier: Apache-2.0 */
#include "pki_acert.h"

#include <check.h>
#include <stdlib.h>
#include <time.h>

#include "crypto/der.h"

/* Wraps what is in `content` and empties it. */
static void wrap(struct buf *out, unsigned tag, struct buf *content)
{
	der_add(out, tag, buf_bytes(content));
	buf_free(content);
}

/* GeneralNames of one directoryName, without their own tag. */
static struct buf dn_names(struct bytes dn)
{
	struct buf out = { 0 };

	der_add(&out, DER_CONTEXT(4), dn);
	return out;
}

static void add_holder(struct buf *out, const struct pki_acert_spec *spec)
{
	struct buf holder = { 0 };

	if (!spec->no_base) {
		struct buf base = { 0 }, names = dn_names(spec->holder->cert->issuer.data);

		wrap(&base, DER_SEQUENCE, &names);
		der_add_unsigned(&base, spec->holder->cert->serial);
		wrap(&holder, DER_CONTEXT(0), &base);
	}
	if (spec->name) {
		struct buf names;
		struct id id;

		ck_assert(id_parse(bytes_str(spec->name), &id));
		names = dn_names(id.data);
		wrap(&holder, DER_CONTEXT(1), &names);
		id_free(&id);
	}
	wrap(out, DER_SEQUENCE, &holder);
}

static void add_issuer(struct buf *out, const struct pki_acert_spec *spec)
{
	struct buf form = { 0 }, names = dn_names(spec->issuer->cert->subject.data);

	wrap(&form, DER_SEQUENCE, &names);
	wrap(out, DER_CONTEXT(0), &form);
}

static void add_time(struct buf *out, int64_t at)
{
	time_t t = at;
	struct tm tm;
	char text[32];

	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y%m%d%H%M%SZ", &tm);
	der_add(out, DER_GENERALIZED_TIME, bytes_str(text));
}

static void add_validity(struct buf *out, const struct pki_acert_spec *spec)
{
	struct buf validity = { 0 };

	add_time(&validity, spec->not_before ? spec->not_before : PKI_NOW - 3600);
	add_time(&validity, spec->not_after ? spec->not_after : PKI_NOW + 3600);
	wrap(out, DER_SEQUENCE, &validity);
}

struct buf pki_group_attribute(struct bytes values)
{
	static const uint8_t oid[] = { 0x2b, 6, 1, 5, 5, 7, 10, 4 };
	struct buf attribute = { 0 }, list = { 0 }, out = { 0 };

	der_add(&attribute, DER_OID, bytes_of(oid, sizeof(oid)));
	der_add(&attribute, DER_SET, values);
	wrap(&list, DER_SEQUENCE, &attribute);
	wrap(&out, DER_SEQUENCE, &list);
	return out;
}

static void add_groups(struct buf *out, const struct pki_acert_spec *spec)
{
	static const char *const usual[] = { "sales", NULL };
	const char *const *groups = spec->groups ? spec->groups : usual;
	struct buf values = { 0 }, syntax = { 0 }, set = { 0 }, attributes;

	for (size_t i = 0; groups[i]; i++)
		der_add(&values, DER_UTF8_STRING, bytes_str(groups[i]));
	wrap(&syntax, DER_SEQUENCE, &values);
	wrap(&set, DER_SEQUENCE, &syntax);
	attributes = pki_group_attribute(buf_bytes(&set));
	buf_add_bytes(out, buf_bytes(&attributes));
	buf_free(&attributes);
	buf_free(&set);
}

static void add_extensions(struct buf *out, const struct pki_acert_spec *spec)
{
	static const char *const usual[] = { PKI_NEVER_REVOKED, NULL };
	struct buf list = pki_extensions_der(spec->issuer, spec->extensions ? spec->extensions : usual, NULL);

	if (list.n)
		der_add(out, DER_SEQUENCE, buf_bytes(&list));
	buf_free(&list);
}

static struct bytes algorithm_of(const struct pki_acert_spec *spec)
{
	struct sig_scheme s = { SIG_ECDSA, HASH_SHA2_256, 0 };

	if (EVP_PKEY_get_id(spec->issuer->key) == EVP_PKEY_ED25519)
		s = (struct sig_scheme){ SIG_ED25519, HASH_IDENTITY, 0 };
	else if (EVP_PKEY_get_id(spec->issuer->key) == EVP_PKEY_RSA)
		s.kind = SIG_RSA_PKCS1;
	if (spec->md == EVP_sha1())
		s.hash = HASH_SHA1;
	return sig_scheme_der(&s);
}

static void sign(struct buf *out, const struct pki_acert_spec *spec, struct bytes info)
{
	EVP_PKEY *key = spec->key ? spec->key : spec->issuer->key;
	const EVP_MD *md = EVP_PKEY_get_id(key) == EVP_PKEY_ED25519 ? NULL : spec->md ? spec->md : EVP_sha256();
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t signature[1024];
	size_t n = sizeof(signature);

	ck_assert(EVP_DigestSignInit(ctx, NULL, md, NULL, key) == 1);
	ck_assert(EVP_DigestSign(ctx, signature, &n, info.p, info.n) == 1);
	der_add_bits(out, bytes_of(signature, n));
	EVP_MD_CTX_free(ctx);
}

static void add_serial(struct buf *out, const struct pki_acert_spec *spec)
{
	static unsigned serials = 0x100;
	unsigned n = spec->serial ? spec->serial : ++serials;
	const uint8_t value[] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n };

	der_add_unsigned(out, bytes_of(value, sizeof(value)));
}

/* The part that a test gives, or what makes it. */
static void add_part(struct buf *out, struct bytes part, void (*add)(struct buf *out, const struct pki_acert_spec *spec),
		     const struct pki_acert_spec *spec)
{
	if (part.p)
		buf_add_bytes(out, part);
	else
		add(out, spec);
}

static void add_version(struct buf *out, const struct pki_acert_spec *spec)
{
	(void)spec;
	der_add_unsigned(out, bytes_of("\x01", 1));
}

static void add_algorithm(struct buf *out, const struct pki_acert_spec *spec)
{
	buf_add_bytes(out, algorithm_of(spec));
}

struct buf pki_acert_der(const struct pki_acert_spec *spec)
{
	const struct pki_acert_parts *parts = &spec->parts;
	struct buf fields = { 0 }, all = { 0 }, out = { 0 };

	add_part(&fields, parts->version, add_version, spec);
	add_part(&fields, parts->holder, add_holder, spec);
	add_part(&fields, parts->issuer, add_issuer, spec);
	add_part(&fields, parts->algorithm, add_algorithm, spec);
	add_part(&fields, parts->serial, add_serial, spec);
	add_part(&fields, parts->validity, add_validity, spec);
	add_part(&fields, parts->attributes, add_groups, spec);
	add_part(&fields, parts->rest, add_extensions, spec);
	wrap(&all, DER_SEQUENCE, &fields);
	buf_add_bytes(&out, buf_bytes(&all));
	add_part(&out, parts->outer_algorithm.p ? parts->outer_algorithm : parts->algorithm, add_algorithm, spec);
	if (parts->signature.p)
		buf_add_bytes(&out, parts->signature);
	else
		sign(&out, spec, buf_bytes(&all));
	buf_free(&all);
	wrap(&all, DER_SEQUENCE, &out);
	return all;
}

struct acert *pki_acert_new(const struct pki_acert_spec *spec)
{
	struct buf der = pki_acert_der(spec);
	struct errtext err = { "" };
	struct acert *ac = acert_parse(buf_bytes(&der), &err);

	ck_assert_msg(ac, "%s", err.s);
	buf_free(&der);
	return ac;
}

struct pki_cert pki_acert_revocable(const struct acert *ac)
{
	return (struct pki_cert){ .cert = ac->revocable, .x509 = ac->revocable->x509 };
}
