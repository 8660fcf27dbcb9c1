/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/id.h"

#include <regex.h>
#include <stdlib.h>

#include "proto/id_dn.h"
#include "proto/id_gn.h"
#include "util/mem.h"

/* Written at start and by a reload, read by all workers. */
static int dn_matching = ID_DN_STRICT;

void id_set_dn_matching(enum id_dn_matching mode)
{
	__atomic_store_n(&dn_matching, (int)mode, __ATOMIC_RELAXED);
}

enum id_dn_matching id_dn_matching(void)
{
	return (enum id_dn_matching)__atomic_load_n(&dn_matching, __ATOMIC_RELAXED);
}

void id_free(struct id *id)
{
	free((void *)id->data.p);
	*id = (struct id){ ID_TYPE_ANY, BYTES_NONE };
}

struct id id_dup(const struct id *id)
{
	struct id copy = *id;

	if (id->data.n)
		copy.data.p = xmemdup(id->data.p, id->data.n);
	else
		copy.data = BYTES_NONE;
	return copy;
}

struct id id_from_addr(const struct addr *a)
{
	struct id id = { ID_TYPE_ANY, BYTES_NONE };

	if (!addr_len(a))
		return id;
	id.type = a->family == AF_INET ? ID_TYPE_IPV4_ADDR : ID_TYPE_IPV6_ADDR;
	id.data = bytes_of(xmemdup(a->ip, addr_len(a)), addr_len(a));
	return id;
}

bool id_is_any(const struct id *id)
{
	return id->type == ID_TYPE_ANY;
}

static uint8_t lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c + 32) : c;
}

static bool text_equal(struct bytes a, struct bytes b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		if (lower(a.p[i]) != lower(b.p[i]))
			return false;
	}
	return true;
}

static bool type_is_text(unsigned type)
{
	return type == ID_TYPE_FQDN || type == ID_TYPE_RFC822_ADDR;
}

static bool dn_equal(struct bytes a, struct bytes b)
{
	struct buf x = { NULL, 0, 0 }, y = { NULL, 0, 0 };
	bool equal = dn_normal(&x, a) && dn_normal(&y, b) && bytes_equal(buf_bytes(&x), buf_bytes(&y));

	buf_free(&x);
	buf_free(&y);
	return equal;
}

bool id_equal(const struct id *a, const struct id *b)
{
	if (a->type != b->type)
		return false;
	if (id_is_any(a) || bytes_equal(a->data, b->data))
		return true;
	if (type_is_text(a->type))
		return text_equal(a->data, b->data);
	return a->type == ID_TYPE_DER_ASN1_DN && dn_equal(a->data, b->data);
}

uint64_t id_hash_bytes(const struct id *id, struct buf *scratch)
{
	size_t start = scratch->n;

	buf_add_u8(scratch, id->type);
	if (type_is_text(id->type)) {
		for (size_t i = 0; i < id->data.n; i++)
			buf_add_u8(scratch, lower(id->data.p[i]));
	} else if (!id_is_any(id) &&
		   (id->type != ID_TYPE_DER_ASN1_DN || !dn_normal(scratch, id->data))) {
		buf_add_bytes(scratch, id->data);
	}
	return scratch->n - start;
}

/* ---- patterns ---- */

/* A pattern "^...$" of these types is a regular expression (as a DN that is no DER). */
static bool pattern_is_regex(const struct id *pattern)
{
	return (type_is_text(pattern->type) || pattern->type == ID_TYPE_DER_ASN1_DN) &&
	       pattern->data.n >= 2 && pattern->data.p[0] == '^' &&
	       pattern->data.p[pattern->data.n - 1] == '$';
}

bool id_is_pattern(const struct id *id)
{
	switch (id->type) {
	case ID_TYPE_ANY:
	case ID_TYPE_IPV4_ADDR_SUBNET:
	case ID_TYPE_IPV6_ADDR_SUBNET:
	case ID_TYPE_IPV4_ADDR_RANGE:
	case ID_TYPE_IPV6_ADDR_RANGE:
		return true;
	case ID_TYPE_FQDN:
	case ID_TYPE_RFC822_ADDR:
		return pattern_is_regex(id) || (id->data.n && id->data.p[0] == '*');
	case ID_TYPE_DER_ASN1_DN:
		return pattern_is_regex(id) || dn_has_wildcard(id->data);
	}
	return false;
}

static bool regex_compile(struct bytes text, regex_t *ret_regex)
{
	char *s;
	int error;

	if (memchr(text.p, 0, text.n))
		return false;
	s = xstrndup((const char *)text.p, text.n);
	error = regcomp(ret_regex, s, REG_EXTENDED | REG_ICASE | REG_NOSUB);
	free(s);
	return !error;
}

bool id_pattern_is_valid(const struct id *pattern)
{
	regex_t regex;

	if (!pattern_is_regex(pattern))
		return true;
	if (!regex_compile(pattern->data, &regex))
		return false;
	regfree(&regex);
	return true;
}

static int match_regex(const struct id *id, const struct id *pattern)
{
	struct buf text = { NULL, 0, 0 };
	int score = ID_MATCH_NONE;
	regex_t regex;

	if (!regex_compile(pattern->data, &regex))
		return ID_MATCH_NONE;
	/* Octets that are printed otherwise than they are must not match. */
	if (id->type == ID_TYPE_DER_ASN1_DN) {
		if (!dn_format(&text, id->data))
			goto out;
	} else {
		text_add_clean(&text, id->data);
		if (!bytes_equal(buf_bytes(&text), id->data))
			goto out;
	}
	if (!regexec(&regex, buf_str(&text), 0, NULL, 0))
		score = ID_MATCH_WILDCARD;
out:
	regfree(&regex);
	buf_free(&text);
	return score;
}

/* More exact parts are better, but never as good as equality. */
static int wildcard_score(size_t parts)
{
	return parts < ID_MATCH_PERFECT - 1 - ID_MATCH_WILDCARD ? ID_MATCH_WILDCARD + (int)parts :
								  ID_MATCH_PERFECT - 1;
}

/* "*.example.org", "*@example.org": the labels behind the star count. */
static int match_suffix(struct bytes text, struct bytes pattern)
{
	struct bytes suffix = bytes_of(pattern.p + 1, pattern.n - 1);
	size_t labels = 0;

	if (text.n < suffix.n)
		return ID_MATCH_NONE;
	if (!text_equal(bytes_of(text.p + text.n - suffix.n, suffix.n), suffix))
		return ID_MATCH_NONE;
	for (size_t i = 0; i < suffix.n; i++) {
		bool border = suffix.p[i] == '.' || suffix.p[i] == '@';

		labels += !border && (i == 0 || suffix.p[i - 1] == '.' || suffix.p[i - 1] == '@');
	}
	return wildcard_score(labels);
}

/* The bounds of a net or a range, NULL if the identity is none or malformed. */
static bool id_bounds(const struct id *id, size_t *ret_len, uint8_t *ret_from, uint8_t *ret_to)
{
	bool v4 = id->type == ID_TYPE_IPV4_ADDR_SUBNET || id->type == ID_TYPE_IPV4_ADDR_RANGE;
	bool v6 = id->type == ID_TYPE_IPV6_ADDR_SUBNET || id->type == ID_TYPE_IPV6_ADDR_RANGE;
	bool net = id->type == ID_TYPE_IPV4_ADDR_SUBNET || id->type == ID_TYPE_IPV6_ADDR_SUBNET;
	size_t n = v4 ? 4 : 16;

	if ((!v4 && !v6) || id->data.n != 2 * n)
		return false;
	for (size_t i = 0; i < n; i++) {
		uint8_t first = id->data.p[i], second = id->data.p[n + i];

		ret_from[i] = net ? first & second : first;
		ret_to[i] = (uint8_t)(net ? first | ~second : second);
	}
	*ret_len = n;
	return true;
}

/* An address in a net or a range: the longer the common prefix, the better. */
static int match_bounds(const struct id *id, const struct id *pattern)
{
	uint8_t from[16], to[16];
	size_t n, bits = 0;

	if (!id_bounds(pattern, &n, from, to) ||
	    id->type != (n == 4 ? ID_TYPE_IPV4_ADDR : ID_TYPE_IPV6_ADDR) || id->data.n != n)
		return ID_MATCH_NONE;
	if (memcmp(id->data.p, from, n) < 0 || memcmp(id->data.p, to, n) > 0)
		return ID_MATCH_NONE;
	while (bits < n * 8 && !((from[bits / 8] ^ to[bits / 8]) & 0x80 >> bits % 8))
		bits++;
	return wildcard_score(bits * 16 / (n * 8));
}

int id_match(const struct id *id, const struct id *pattern)
{
	if (id_is_any(pattern))
		return ID_MATCH_ANY;
	if (pattern_is_regex(pattern) && pattern->type == id->type)
		return match_regex(id, pattern);
	if (id_equal(id, pattern))
		return ID_MATCH_PERFECT;
	if (id->type != pattern->type)
		return match_bounds(id, pattern);
	if (type_is_text(id->type) && pattern->data.n && pattern->data.p[0] == '*')
		return match_suffix(id->data, pattern->data);
	if (id->type == ID_TYPE_DER_ASN1_DN)
		return dn_match(id->data, pattern->data, id_dn_matching());
	return ID_MATCH_NONE;
}

bool id_is_exact(const struct id *pattern)
{
	switch (pattern->type) {
	case ID_TYPE_FQDN:
	case ID_TYPE_RFC822_ADDR:
	case ID_TYPE_DER_ASN1_DN:
		return pattern->data.n && pattern->data.p[0] != '^' && !memchr(pattern->data.p, '*', pattern->data.n);
	case ID_TYPE_KEY_ID:
	case ID_TYPE_IPV4_ADDR:
	case ID_TYPE_IPV6_ADDR:
		return true;
	default:
		return false;
	}
}

/* ---- text ---- */

static bool bytes_printable(struct bytes b)
{
	for (size_t i = 0; i < b.n; i++) {
		if (b.p[i] < 0x20 || b.p[i] > 0x7e)
			return false;
	}
	return true;
}

static void hex_format(struct buf *out, struct bytes b)
{
	for (size_t i = 0; i < b.n; i++)
		buf_printf(out, "%s%02x", i ? ":" : "", b.p[i]);
}

/* What does not have the shape of its type. */
static void raw_format(struct buf *out, const struct id *id)
{
	buf_printf(out, "{%u}:#", id->type);
	buf_add_hex(out, id->data);
}

static void address_format(struct buf *out, size_t n, const uint8_t *ip)
{
	struct addr a = addr_from_ip(n == 4 ? AF_INET : AF_INET6, ip);
	struct addr_text text = addr_format(&a);

	buf_add_str(out, text.s);
}

static void bounds_format(struct buf *out, const struct id *id)
{
	bool net = id->type == ID_TYPE_IPV4_ADDR_SUBNET || id->type == ID_TYPE_IPV6_ADDR_SUBNET;
	uint8_t from[16], to[16];
	unsigned bits = 0;
	size_t n;

	if (!id_bounds(id, &n, from, to)) {
		raw_format(out, id);
		return;
	}
	address_format(out, n, from);
	if (!net) {
		buf_add_str(out, "-");
		address_format(out, n, to);
		return;
	}
	while (bits < n * 8 && id->data.p[n + bits / 8] & 0x80 >> bits % 8)
		bits++;
	buf_printf(out, "/%u", bits);
}

void id_format(struct buf *out, const struct id *id)
{
	switch (id->type) {
	case ID_TYPE_ANY:
		buf_add_str(out, "%any");
		break;
	case ID_TYPE_IPV4_ADDR:
	case ID_TYPE_IPV6_ADDR:
		if (id->data.n == (id->type == ID_TYPE_IPV4_ADDR ? 4 : 16))
			address_format(out, id->data.n, id->data.p);
		else
			raw_format(out, id);
		break;
	case ID_TYPE_IPV4_ADDR_SUBNET:
	case ID_TYPE_IPV6_ADDR_SUBNET:
	case ID_TYPE_IPV4_ADDR_RANGE:
	case ID_TYPE_IPV6_ADDR_RANGE:
		bounds_format(out, id);
		break;
	case ID_TYPE_FQDN:
	case ID_TYPE_RFC822_ADDR:
		text_add_clean(out, id->data);
		break;
	case ID_TYPE_DER_ASN1_DN:
		if (pattern_is_regex(id))
			text_add_clean(out, id->data);
		else if (!dn_format(out, id->data))
			raw_format(out, id);
		break;
	case ID_TYPE_DER_ASN1_GN:
		if (!gn_format(out, id->data))
			raw_format(out, id);
		break;
	case ID_TYPE_KEY_ID:
		if (bytes_printable(id->data))
			buf_add_bytes(out, id->data);
		else
			hex_format(out, id->data);
		break;
	case ID_TYPE_NULL:
		buf_add_str(out, "ID_NULL");
		break;
	default:
		raw_format(out, id);
		break;
	}
}

struct id_text id_text(const struct id *id)
{
	struct buf text = { NULL, 0, 0 };
	struct id_text out;
	size_t n;

	id_format(&text, id);
	n = text.n < sizeof(out.s) ? text.n : sizeof(out.s) - 1;
	if (n)
		memcpy(out.s, text.p, n);
	out.s[n] = '\0';
	buf_free(&text);
	return out;
}
