/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/acert_fields.h"

#include <openssl/asn1.h>
#include <openssl/objects.h>
#include <openssl/x509v3.h>

#include "proto/id_dn.h"
#include "proto/limits.h"
#include "util/mem.h"

/* ---- names (RFC 5280, 4.2.1.6) */

static struct id id_in_arena(struct arena *a, unsigned type, struct bytes data)
{
	return (struct id){ (uint8_t)type, bytes_of(arena_dup(a, data.p, data.n), data.n) };
}

static struct id name_dn(struct arena *a, struct reader *r)
{
	struct bytes der = der_element(r);
	X509_NAME *name = der.n ? dn_decode(der) : NULL;
	bool empty = !name || X509_NAME_entry_count(name) < 1;

	if (!name || !reader_done(r))
		r->bad = true;
	X509_NAME_free(name);
	return r->bad || empty ? (struct id){ 0 } : id_in_arena(a, ID_TYPE_DER_ASN1_DN, der);
}

struct id acert_name(struct arena *a, struct reader *r)
{
	struct reader whole = *r, in;
	struct bytes element = der_element(&whole), content;
	struct id id = { 0 };
	unsigned tag;

	content = der_any(r, &tag);
	in = reader_of(content);
	switch (tag) {
	case DER_CONTEXT(4):
		id = name_dn(a, &in);
		r->bad |= in.bad;
		return id;
	case DER_CONTEXT_P(1):
	case DER_CONTEXT_P(2):
		return content.n ? id_in_arena(a, tag == DER_CONTEXT_P(2) ? ID_TYPE_FQDN : ID_TYPE_RFC822_ADDR, content) : id;
	case DER_CONTEXT_P(7):
		if (content.n == 4 || content.n == 16)
			id = id_in_arena(a, content.n == 4 ? ID_TYPE_IPV4_ADDR : ID_TYPE_IPV6_ADDR, content);
		return id;
	case DER_CONTEXT_P(6): /* those of certificates are in this form, too (cert_fields.c) */
	case DER_CONTEXT(0):
		return id_in_arena(a, ID_TYPE_DER_ASN1_GN, element);
	}
	return id;
}

struct id acert_one_dn(struct arena *a, struct reader *r)
{
	struct id id = acert_name(a, r);

	if (id.type == ID_TYPE_DER_ASN1_DN && !reader_left(r))
		return id;
	return (struct id){ 0 };
}

/* ---- attributes */

static const uint8_t oid_group[] = { 0x2b, 6, 1, 5, 5, 7, 10, 4 }; /* RFC 5755, 4.4.4 */

#define OID_IS(OID, ARRAY) bytes_equal((OID), bytes_of((ARRAY), sizeof(ARRAY)))

bool acert_text_is_clean(struct bytes text)
{
	size_t at = 0;

	while (at < text.n) {
		unsigned long c;
		int n = UTF8_getc(text.p + at, (int)(text.n - at), &c);

		if (n <= 0 || c < 0x20 || (c >= 0x7f && c < 0xa0))
			return false;
		at += (size_t)n;
	}
	return text.n > 0;
}

/* "1.2.3"; NULL: it is none, or a giant. r: at an OBJECT IDENTIFIER. */
static const char *oid_read(struct arena *a, struct reader *r)
{
	struct bytes element = der_element(r);
	const unsigned char *p = element.p;
	ASN1_OBJECT *object = element.n ? d2i_ASN1_OBJECT(NULL, &p, (long)element.n) : NULL;
	char text[128];
	int n = object ? OBJ_obj2txt(text, sizeof(text), object, 1) : 0;

	ASN1_OBJECT_free(object);
	if (n <= 0 || (size_t)n >= sizeof(text)) {
		r->bad = true;
		return NULL;
	}
	return arena_dup(a, text, (size_t)n + 1);
}

static const char *octets_text(struct arena *a, struct bytes value)
{
	struct buf hex = { 0 };
	const char *text;

	if (acert_text_is_clean(value))
		return arena_printf(a, "%.*s", (int)value.n, (const char *)value.p);
	buf_add_str(&hex, "0x");
	buf_add_hex(&hex, value);
	text = arena_dup(a, hex.p, hex.n + 1);
	buf_free(&hex);
	return text;
}

/* One value of IetfAttrSyntax (RFC 5755, 4.4). NULL: r->bad. */
static const char *group_read(struct arena *a, struct reader *r)
{
	struct bytes value;

	if (der_next_is(r, DER_OID))
		return oid_read(a, r);
	if (der_next_is(r, DER_OCTET_STRING)) {
		value = der_take(r, DER_OCTET_STRING);
		r->bad |= value.n == 0;
		return r->bad ? NULL : octets_text(a, value);
	}
	value = der_take(r, DER_UTF8_STRING);
	r->bad |= !acert_text_is_clean(value);
	return r->bad ? NULL : arena_printf(a, "%.*s", (int)value.n, (const char *)value.p);
}

/* Whether the groups are named by the issuer of the certificate itself: policyAuthority is not there, or is its name. */
static bool groups_are_own(struct arena *a, struct reader *r, const struct acert *ac)
{
	struct reader in;
	bool own = false;

	if (!der_next_is(r, DER_CONTEXT(0)))
		return true;
	in = der_enter(r, DER_CONTEXT(0));
	while (reader_left(&in)) {
		struct id name = acert_name(a, &in);

		own |= id_equal(&name, &ac->issuer);
	}
	r->bad |= in.bad;
	return own;
}

static const char *groups_read(struct arena *a, struct reader *r, struct acert *ac, const char **list)
{
	struct reader in = der_enter(r, DER_SEQUENCE), values;
	bool own = groups_are_own(a, &in, ac);

	values = der_enter(&in, DER_SEQUENCE);
	while (reader_left(&values)) {
		const char *group = group_read(a, &values);

		if (ac->n_groups == LIMIT_ACERT_GROUPS)
			return "it has too many groups";
		if (group && own)
			list[ac->n_groups++] = group;
		ac->foreign_groups |= !own;
	}
	return reader_done(&values) && reader_done(&in) ? NULL : "its groups are malformed";
}

static bool oid_is_new(struct bytes *seen, size_t n, struct bytes oid)
{
	for (size_t i = 0; i < n; i++)
		if (bytes_equal(seen[i], oid))
			return false;
	seen[n] = oid;
	return true;
}

const char *acert_attributes(struct arena *a, struct reader *r, struct acert *ac)
{
	const char **groups = arena_array(a, const char *, LIMIT_ACERT_GROUPS), *why = NULL;
	struct bytes seen[LIMIT_ACERT_ATTRIBUTES];
	size_t n = 0;

	ac->groups = groups;
	if (!reader_left(r)) /* RFC 5755, 4.2.7 */
		return "it has no attributes";
	for (; !why && reader_left(r); n++) {
		struct reader in = der_enter(r, DER_SEQUENCE), values;
		struct bytes oid = der_take(&in, DER_OID);

		values = der_enter(&in, DER_SET);
		if (!reader_done(&in) || !reader_left(&values) || !oid.n)
			why = "its attributes are malformed";
		else if (n == LIMIT_ACERT_ATTRIBUTES)
			why = "it has too many attributes";
		else if (!oid_is_new(seen, n, oid))
			why = "it has an attribute twice";
		while (!why && reader_left(&values)) {
			if (OID_IS(oid, oid_group))
				why = groups_read(a, &values, ac, groups);
			else
				(void)der_element(&values);
		}
		if (!why && !reader_ok(&values))
			why = "its attributes are malformed";
	}
	return why ? why : reader_ok(r) ? NULL : "its attributes are malformed";
}

/* ---- extensions (RFC 5755, 4.3) */

static const uint8_t oid_audit[] = { 0x2b, 6, 1, 5, 5, 7, 1, 4 };
static const uint8_t oid_access[] = { 0x2b, 6, 1, 5, 5, 7, 1, 1 };
static const uint8_t oid_crl_points[] = { 0x55, 0x1d, 31 };
static const uint8_t oid_authority_key[] = { 0x55, 0x1d, 35 };
static const uint8_t oid_targets[] = { 0x55, 0x1d, 55 };
static const uint8_t oid_no_revocation[] = { 0x55, 0x1d, 56 };

/* RFC 5755, 4.3.2: names of servers; who is in a group of them we do not know. */
static const char *targets_read(struct arena *a, struct reader *r, struct acert *ac)
{
	struct id *names = arena_array(a, struct id, LIMIT_ACERT_NAMES);
	struct reader lists = der_enter(r, DER_SEQUENCE), list;

	ac->targeted = true;
	ac->targets = names;
	while (reader_left(&lists)) {
		list = der_enter(&lists, DER_SEQUENCE);
		while (reader_left(&list)) {
			unsigned tag;
			struct reader in = reader_of(der_any(&list, &tag));
			struct id name = { 0 };

			if (tag != DER_CONTEXT(0) && tag != DER_CONTEXT(1) && tag != DER_CONTEXT(2))
				return "its targetInformation is malformed";
			if (tag != DER_CONTEXT(2))
				name = acert_name(a, &in);
			if (tag != DER_CONTEXT(2) && !reader_done(&in))
				return "its targetInformation is malformed";
			if (tag != DER_CONTEXT(0) || id_is_any(&name))
				continue;
			if (ac->n_targets == LIMIT_ACERT_NAMES)
				return "it has too many targets";
			names[ac->n_targets++] = name;
		}
		lists.bad |= list.bad;
	}
	return reader_done(&lists) && reader_done(r) ? NULL : "its targetInformation is malformed";
}

static const char *authority_key_read(struct reader *r, struct acert *ac)
{
	struct reader in = der_enter(r, DER_SEQUENCE);

	if (der_next_is(&in, DER_CONTEXT_P(0)))
		ac->authority_key_id = der_take(&in, DER_CONTEXT_P(0));
	while (reader_left(&in))
		(void)der_element(&in);
	return reader_ok(&in) && reader_done(r) ? NULL : "its authorityKeyIdentifier is malformed";
}

/* For cert_fields.c, which knows what is in them. */
static const char *pointer_keep(X509 *x, int nid, struct bytes value)
{
	ASN1_OCTET_STRING *octets = ASN1_OCTET_STRING_new();
	X509_EXTENSION *e = NULL;
	bool ok = octets && ASN1_OCTET_STRING_set(octets, value.p, (int)value.n) == 1;

	e = ok ? X509_EXTENSION_create_by_NID(NULL, nid, 0, octets) : NULL;
	ok = e && X509_add_ext(x, e, -1) == 1;
	X509_EXTENSION_free(e);
	ASN1_OCTET_STRING_free(octets);
	return ok ? NULL : "out of memory";
}

static const char *extension_read(struct arena *a, struct bytes oid, bool critical, struct bytes value, struct acert *ac, X509 *x)
{
	struct reader r = reader_of(value), name;
	struct buf element = { 0 };
	const char *text;

	if (OID_IS(oid, oid_targets))
		return targets_read(a, &r, ac);
	if (OID_IS(oid, oid_authority_key))
		return authority_key_read(&r, ac);
	if (OID_IS(oid, oid_crl_points))
		return pointer_keep(x, NID_crl_distribution_points, value);
	if (OID_IS(oid, oid_access))
		return pointer_keep(x, NID_info_access, value);
	if (OID_IS(oid, oid_no_revocation)) {
		ac->never_revoked = true;
		return !der_take(&r, DER_NULL).n && reader_done(&r) ? NULL : "its noRevAvail is malformed";
	}
	if (!critical)
		return NULL;
	if (OID_IS(oid, oid_audit)) /* our logs name the peer */
		return "its holder is to be known in logs by an audit identity only, which is not supported";
	der_add(&element, DER_OID, oid);
	name = reader_of(buf_bytes(&element));
	text = oid_read(a, &name);
	buf_free(&element);
	return arena_printf(a, "it has the critical extension %s, which is not known", text ? text : "?");
}

/* X.690, 11.1: TRUE is 0xff; 11.5: what is the default is not there. */
static bool critical_read(struct reader *r)
{
	struct bytes value;

	if (!der_next_is(r, DER_BOOLEAN))
		return false;
	value = der_take(r, DER_BOOLEAN);
	r->bad |= value.n != 1 || value.p[0] != 0xff;
	return true;
}

const char *acert_extensions(struct arena *a, struct reader *r, struct acert *ac, X509 *x)
{
	struct bytes seen[LIMIT_CERT_EXTENSIONS];
	const char *why = NULL;
	size_t n = 0;

	for (; !why && reader_left(r); n++) {
		struct reader in = der_enter(r, DER_SEQUENCE);
		struct bytes oid = der_take(&in, DER_OID), value;
		bool critical = critical_read(&in);

		value = der_take(&in, DER_OCTET_STRING);
		if (!reader_done(&in) || !oid.n || !value.n)
			why = "its extensions are malformed";
		else if (n == LIMIT_CERT_EXTENSIONS)
			why = "it has too many extensions";
		else if (!oid_is_new(seen, n, oid))
			why = "it has an extension twice";
		else
			why = extension_read(a, oid, critical, value, ac, x);
	}
	if (!why && !reader_ok(r))
		why = "its extensions are malformed";
	if (!why && ac->never_revoked && X509_get_ext_count(x) > 0) /* RFC 5755, 6 */
		why = "it says that it is never revoked, and where to ask whether it was";
	return why;
}
