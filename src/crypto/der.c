/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/der.h"

#include <stdio.h>

/* X.690, 10.1: definite, in as few octets as possible. */
static size_t der_length(struct reader *r)
{
	unsigned first = reader_u8(r), count = first & 0x7f;
	uint64_t n;

	if (first < 0x80)
		return first;
	if (count < 1 || count > 4) {
		r->bad = true;
		return 0;
	}
	n = reader_uint(r, count);
	if (n < 0x80 || n >> (8 * (count - 1)) == 0)
		r->bad = true;
	return (size_t)n;
}

struct bytes der_any(struct reader *r, unsigned *ret_tag)
{
	unsigned tag = reader_u8(r);
	struct bytes content;

	if ((tag & 0x1f) == 0x1f)
		r->bad = true;
	content = reader_bytes(r, der_length(r));
	*ret_tag = r->bad ? 0 : tag;
	return r->bad ? BYTES_NONE : content;
}

struct bytes der_take(struct reader *r, unsigned tag)
{
	unsigned found;
	struct bytes content = der_any(r, &found);

	if (found == tag)
		return content;
	r->bad = true;
	return BYTES_NONE;
}

struct bytes der_element(struct reader *r)
{
	struct bytes all = { r->p, 0 };
	size_t left = reader_left(r);
	unsigned tag;

	(void)der_any(r, &tag);
	all.n = left - reader_left(r);
	return r->bad ? BYTES_NONE : all;
}

struct bytes der_unsigned(struct reader *r)
{
	struct bytes v = der_take(r, DER_INTEGER);

	if (!v.n || (v.p[0] & 0x80) || (v.n > 1 && !v.p[0] && !(v.p[1] & 0x80))) {
		r->bad = true;
		return BYTES_NONE;
	}
	return v.p[0] ? v : bytes_of(v.p + 1, v.n - 1);
}

struct bytes der_bits(struct reader *r)
{
	struct bytes v = der_take(r, DER_BIT_STRING);

	if (!v.n || v.p[0]) {
		r->bad = true;
		return BYTES_NONE;
	}
	return bytes_of(v.p + 1, v.n - 1);
}

static void der_add_head(struct buf *b, unsigned tag, size_t n)
{
	unsigned count = 0;

	buf_add_u8(b, (uint8_t)tag);
	if (n < 0x80) {
		buf_add_u8(b, (uint8_t)n);
		return;
	}
	for (size_t left = n; left; left >>= 8)
		count++;
	buf_add_u8(b, (uint8_t)(0x80 | count));
	while (count--)
		buf_add_u8(b, (uint8_t)(n >> (8 * count)));
}

void der_add(struct buf *b, unsigned tag, struct bytes content)
{
	der_add_head(b, tag, content.n);
	buf_add_bytes(b, content);
}

void der_add_unsigned(struct buf *b, struct bytes value)
{
	bool pad;

	while (value.n && !value.p[0])
		value = bytes_of(value.p + 1, value.n - 1);
	pad = !value.n || (value.p[0] & 0x80);
	der_add_head(b, DER_INTEGER, value.n + pad);
	if (pad)
		buf_add_u8(b, 0);
	buf_add_bytes(b, value);
}

void der_add_bits(struct buf *b, struct bytes bits)
{
	der_add_head(b, DER_BIT_STRING, bits.n + 1);
	buf_add_u8(b, 0);
	buf_add_bytes(b, bits);
}

/* ---- PEM ---- */

static const char pem_begin[] = "-----BEGIN ", pem_end[] = "-----END ", pem_dashes[] = "-----";

/* The text up to `mark`, which is skipped too. False: it is not there. */
static bool text_until(struct reader *r, const char *mark, struct bytes *ret)
{
	size_t n = strlen(mark);
	const uint8_t *at = reader_left(r) ? memmem(r->p, r->n, mark, n) : NULL;

	if (!at)
		return false;
	*ret = reader_bytes(r, (size_t)(at - r->p));
	reader_skip(r, n);
	return true;
}

/* A block whose BEGIN was found. */
static bool pem_block(struct reader *r, struct bytes *ret_label, struct bytes *ret_body)
{
	struct bytes end;

	return text_until(r, pem_dashes, ret_label) && !memchr(ret_label->p, '\n', ret_label->n) &&
	       text_until(r, pem_end, ret_body) && text_until(r, pem_dashes, &end) && bytes_equal(end, *ret_label);
}

struct text pem_other_text(struct bytes label)
{
	struct text t = { "something else" };
	size_t n = 0;

	while (n < label.n && (label.p[n] == ' ' || (label.p[n] >= '0' && label.p[n] <= '9') || (label.p[n] >= 'A' && label.p[n] <= 'Z')))
		n++;
	if (n && n == label.n && n < 64)
		snprintf(t.s, sizeof(t.s), "%s %.*s", strchr("AEIOUX", label.p[0]) ? "an" : "a", (int)n, (const char *)label.p);
	return t;
}

enum pem_found pem_decode(struct bytes text, pem_wanted_fn *wanted, const void *arg, struct buf *ret, struct bytes *ret_label,
			  struct bytes *ret_rest)
{
	struct reader r = reader_of(text);
	enum pem_found found = PEM_NONE;
	struct bytes label, body, before;

	while (text_until(&r, pem_begin, &before)) {
		if (!pem_block(&r, &label, &body))
			return PEM_BAD;
		if (found == PEM_NONE)
			*ret_label = label;
		found = PEM_OTHER;
		if (!wanted(label, arg))
			continue;
		*ret_label = label;
		if (ret_rest)
			*ret_rest = bytes_of(r.p, r.n);
		(void)buf_extend(ret, body.n); /* grows once: it may be a private key, of which no copies shall stay */
		ret->n -= body.n;
		return base64_decode(body, ret) ? PEM_FOUND : PEM_BAD;
	}
	return found;
}
