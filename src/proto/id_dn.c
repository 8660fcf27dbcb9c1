/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/id_dn.h"

#include <limits.h>
#include <stdlib.h>

#include <openssl/err.h>
#include <openssl/objects.h>

#include "util/mem.h"

/* ---- DER to values ---- */

/* One attribute of a name: its type and the value in normal form, in dn.text. */
struct dn_part {
	int set;     /* number of the RDN it is in */
	size_t at;   /* of the part in dn.text: object, value */
	size_t oid_n;
	size_t value_n;
};

struct dn {
	struct dn_part *parts;
	size_t count;
	size_t rdns;
	struct buf text;
};

X509_NAME *dn_decode(struct bytes der)
{
	const unsigned char *p = der.p;
	X509_NAME *name;

	if (!der.n || der.n > LONG_MAX)
		return NULL;
	ERR_set_mark();
	name = d2i_X509_NAME(NULL, &p, (long)der.n);
	ERR_pop_to_mark();
	if (name && p != der.p + der.n) {
		X509_NAME_free(name);
		name = NULL;
	}
	return name;
}

int dn_value_utf8(const ASN1_STRING *value, unsigned char **ret_utf8)
{
	int n;

	ERR_set_mark();
	n = ASN1_STRING_to_UTF8(ret_utf8, value);
	ERR_pop_to_mark();
	return n;
}

static uint8_t ascii_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

bool dn_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* RFC 5280, 7.1: case is ignored and white space collapsed; the type of string must not matter. */
static void value_add_normal(struct buf *out, const ASN1_STRING *value)
{
	unsigned char *utf8 = NULL;
	int n = dn_value_utf8(value, &utf8);
	struct bytes v = n >= 0 ? bytes_of(utf8, (size_t)n) :
				  bytes_of(ASN1_STRING_get0_data(value),
					   (size_t)ASN1_STRING_length(value));
	bool space = false, some = false;

	if (n < 0) { /* no text: its octets, behind one that begins no UTF-8 */
		buf_add_u8(out, 0xff);
		buf_add_u8(out, (uint8_t)ASN1_STRING_type(value));
		buf_add_bytes(out, v);
		return;
	}
	for (size_t i = 0; i < v.n; i++) {
		if (dn_space(v.p[i])) {
			space = true;
			continue;
		}
		if (space && some)
			buf_add_u8(out, ' ');
		space = false;
		some = true;
		buf_add_u8(out, ascii_lower(v.p[i]));
	}
	OPENSSL_free(utf8);
}

static void dn_free(struct dn *dn)
{
	free(dn->parts);
	buf_free(&dn->text);
	*dn = (struct dn){ NULL, 0, 0, { NULL, 0, 0 } };
}

static bool dn_load(struct bytes der, struct dn *ret_dn)
{
	X509_NAME *name = dn_decode(der);
	struct dn dn = { NULL, 0, 0, { NULL, 0, 0 } };
	int count;

	if (!name)
		return false;
	count = X509_NAME_entry_count(name);
	dn.parts = xcalloc((size_t)count, sizeof(*dn.parts));
	for (int i = 0; i < count; i++) {
		X509_NAME_ENTRY *e = X509_NAME_get_entry(name, i);
		const ASN1_OBJECT *object = X509_NAME_ENTRY_get_object(e);
		struct dn_part *part = &dn.parts[dn.count++];

		part->set = X509_NAME_ENTRY_set(e);
		part->at = dn.text.n;
		part->oid_n = OBJ_length(object);
		buf_add(&dn.text, OBJ_get0_data(object), part->oid_n);
		value_add_normal(&dn.text, X509_NAME_ENTRY_get_data(e));
		part->value_n = dn.text.n - part->at - part->oid_n;
		if (i == 0 || part->set != dn.parts[i - 1].set)
			dn.rdns++;
	}
	X509_NAME_free(name);
	*ret_dn = dn;
	return true;
}

static struct bytes part_oid(const struct dn *dn, const struct dn_part *p)
{
	return bytes_of(dn->text.p + p->at, p->oid_n);
}

static struct bytes part_value(const struct dn *dn, const struct dn_part *p)
{
	return bytes_of(dn->text.p + p->at + p->oid_n, p->value_n);
}

static int part_cmp(const void *x, const void *y, void *arg)
{
	const struct dn_part *a = x, *b = y;
	const struct dn *dn = arg;
	int c;

	if (a->set != b->set)
		return a->set < b->set ? -1 : 1;
	c = bytes_cmp(part_oid(dn, a), part_oid(dn, b));
	return c ? c : bytes_cmp(part_value(dn, a), part_value(dn, b));
}

/*
 * The order within a SET depends on the types of strings, so it is made anew. RDNs with more than one attribute are rare; but a peer's
 * certificate may have one with thousands.
 */
static void dn_sort(struct dn *dn)
{
	if (dn->rdns != dn->count)
		qsort_r(dn->parts, dn->count, sizeof(*dn->parts), part_cmp, dn);
}

bool dn_normal(struct buf *out, struct bytes der)
{
	struct dn dn;

	if (!dn_load(der, &dn))
		return false;
	dn_sort(&dn);
	for (size_t i = 0; i < dn.count; i++) {
		const struct dn_part *p = &dn.parts[i];

		buf_add_u32(out, (uint32_t)p->set);
		buf_add_u32(out, (uint32_t)p->oid_n);
		buf_add_bytes(out, part_oid(&dn, p));
		buf_add_u32(out, (uint32_t)p->value_n);
		buf_add_bytes(out, part_value(&dn, p));
	}
	dn_free(&dn);
	return true;
}

/* ---- patterns ---- */

enum part_match { PART_DIFFERS, PART_WILDCARD, PART_EQUAL };

static enum part_match part_match(const struct dn *id, const struct dn_part *a,
				  const struct dn *pattern, const struct dn_part *b)
{
	struct bytes want = part_value(pattern, b);

	if (!bytes_equal(part_oid(id, a), part_oid(pattern, b)))
		return PART_DIFFERS;
	if (bytes_equal_str(want, "*"))
		return PART_WILDCARD;
	return bytes_equal(part_value(id, a), want) ? PART_EQUAL : PART_DIFFERS;
}

/* Finds each part of the pattern one of its own in the identity: in RDNs of the same number,
 * or, unless strict, anywhere. Exact ones are taken first, so that a wildcard takes none of theirs. */
static bool dn_assign(const struct dn *id, const struct dn *pattern, bool strict, bool *used,
		      size_t *ret_exact)
{
	size_t exact = 0, found = 0;

	for (int pass = PART_EQUAL; pass >= PART_WILDCARD; pass--) {
		for (size_t j = 0; j < pattern->count; j++) {
			const struct dn_part *b = &pattern->parts[j];
			bool wild = bytes_equal_str(part_value(pattern, b), "*");

			if (wild != (pass == PART_WILDCARD))
				continue;
			for (size_t i = 0; i < id->count; i++) {
				const struct dn_part *a = &id->parts[i];

				if (used[i] || (strict && a->set != b->set) ||
				    part_match(id, a, pattern, b) == PART_DIFFERS)
					continue;
				used[i] = true;
				found++;
				exact += !wild;
				break;
			}
		}
	}
	*ret_exact = exact;
	return found == pattern->count;
}

static int dn_score(const struct dn *id, const struct dn *pattern, enum id_dn_matching mode)
{
	size_t exact = 0;
	bool all, *used;

	if (mode == ID_DN_RELAXED ? id->count < pattern->count :
				    id->count != pattern->count || id->rdns != pattern->rdns)
		return ID_MATCH_NONE;
	used = xcalloc(id->count, sizeof(*used));
	all = dn_assign(id, pattern, mode == ID_DN_STRICT, used, &exact);
	free(used);
	if (!all)
		return ID_MATCH_NONE;
	if (exact == id->count)
		return ID_MATCH_PERFECT;
	return exact < ID_MATCH_PERFECT - 1 - ID_MATCH_WILDCARD ? ID_MATCH_WILDCARD + (int)exact :
								  ID_MATCH_PERFECT - 1;
}

bool dn_has_wildcard(struct bytes der)
{
	bool found = false;
	struct dn dn;

	if (!dn_load(der, &dn))
		return false;
	for (size_t i = 0; i < dn.count && !found; i++)
		found = bytes_equal_str(part_value(&dn, &dn.parts[i]), "*");
	dn_free(&dn);
	return found;
}

int dn_match(struct bytes der, struct bytes pattern, enum id_dn_matching mode)
{
	struct dn a, b;
	int score;

	if (!dn_load(der, &a))
		return ID_MATCH_NONE;
	if (!dn_load(pattern, &b)) {
		dn_free(&a);
		return ID_MATCH_NONE;
	}
	score = dn_score(&a, &b, mode);
	dn_free(&a);
	dn_free(&b);
	return score;
}
