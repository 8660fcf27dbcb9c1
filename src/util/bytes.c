/* SPDX-License-Identifier: Apache-2.0 */
#include "util/bytes.h"

#include <stdio.h>
#include <stdlib.h>

#include "util/mem.h"
#include "util/reader.h"
#include "util/secret.h"

#define BUF_MIN 64

static uint8_t ascii_lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

bool bytes_equal(struct bytes a, struct bytes b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool bytes_equal_str(struct bytes a, const char *s)
{
	return bytes_equal(a, bytes_str(s));
}

bool bytes_equal_nocase(struct bytes a, const char *s)
{
	if (strlen(s) != a.n)
		return false;
	for (size_t i = 0; i < a.n; i++) {
		if (ascii_lower(a.p[i]) != ascii_lower((uint8_t)s[i]))
			return false;
	}
	return true;
}

int bytes_cmp(struct bytes a, struct bytes b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int diff = n ? memcmp(a.p, b.p, n) : 0;

	if (diff)
		return diff;
	return (a.n > b.n) - (a.n < b.n);
}

void buf_free(struct buf *b)
{
	free(b->p);
	*b = (struct buf){ NULL, 0, 0 };
}

void buf_wipe(struct buf *b)
{
	secret_wipe(b->p, b->cap);
	buf_free(b);
}

void buf_reset(struct buf *b)
{
	b->n = 0;
	if (b->p)
		b->p[0] = '\0';
}

uint8_t *buf_extend(struct buf *b, size_t n)
{
	uint8_t *at;

	if (n > SIZE_MAX / 4 - b->n)
		abort();
	/* one byte more for the NUL */
	if (b->n + n + 1 > b->cap) {
		size_t cap = b->cap * 2;

		if (cap < BUF_MIN)
			cap = BUF_MIN;
		if (cap < b->n + n + 1)
			cap = b->n + n + 1;
		b->p = xrealloc(b->p, cap);
		b->cap = cap;
	}
	at = b->p + b->n;
	b->n += n;
	b->p[b->n] = '\0';
	return at;
}

void buf_add(struct buf *b, const void *p, size_t n)
{
	uint8_t *at = buf_extend(b, n);

	if (n)
		memcpy(at, p, n);
}

void buf_add_bytes(struct buf *b, struct bytes x)
{
	buf_add(b, x.p, x.n);
}

void buf_add_str(struct buf *b, const char *s)
{
	buf_add(b, s, strlen(s));
}

static void buf_add_uint(struct buf *b, uint64_t v, size_t n)
{
	uint8_t *at = buf_extend(b, n);

	for (size_t i = n; i-- > 0; v >>= 8)
		at[i] = (uint8_t)v;
}

void buf_add_u8(struct buf *b, uint8_t v)
{
	buf_add_uint(b, v, 1);
}

void buf_add_u16(struct buf *b, uint16_t v)
{
	buf_add_uint(b, v, 2);
}

void buf_add_u32(struct buf *b, uint32_t v)
{
	buf_add_uint(b, v, 4);
}

void buf_add_u64(struct buf *b, uint64_t v)
{
	buf_add_uint(b, v, 8);
}

void buf_vprintf(struct buf *b, const char *fmt, va_list ap)
{
	va_list again;
	size_t room;
	int n;

	(void)buf_extend(b, 0);
	room = b->cap - b->n;
	va_copy(again, ap);
	n = vsnprintf((char *)b->p + b->n, room, fmt, ap);
	if (n < 0)
		abort();
	if ((size_t)n < room) {
		b->n += (size_t)n;
	} else {
		char *at = (char *)buf_extend(b, (size_t)n);

		(void)vsnprintf(at, (size_t)n + 1, fmt, again);
	}
	va_end(again);
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(b, fmt, ap);
	va_end(ap);
}

size_t decimal_format(char *out, uint64_t v, unsigned digits)
{
	char reversed[DECIMAL_MAX];
	size_t n = 0;

	if (digits > DECIMAL_MAX)
		digits = DECIMAL_MAX;
	for (; v || n < digits || n == 0; v /= 10)
		reversed[n++] = (char)('0' + v % 10);
	for (size_t i = 0; i < n; i++)
		out[i] = reversed[n - 1 - i];
	return n;
}

void buf_add_decimal(struct buf *b, uint64_t v, unsigned digits)
{
	char text[DECIMAL_MAX];

	buf_add(b, text, decimal_format(text, v, digits));
}

void buf_add_hex(struct buf *b, struct bytes x)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t *at;

	if (x.n > SIZE_MAX / 8)
		abort();
	at = buf_extend(b, x.n * 2);
	for (size_t i = 0; i < x.n; i++) {
		*at++ = (uint8_t)digits[x.p[i] >> 4];
		*at++ = (uint8_t)digits[x.p[i] & 15];
	}
}

char *buf_take_str(struct buf *b)
{
	char *s;

	(void)buf_extend(b, 0);
	s = (char *)b->p;
	*b = (struct buf){ NULL, 0, 0 };
	return s;
}

/* Takes back what was added after the length was n, without leaving it in memory. */
static void buf_cut(struct buf *b, size_t n)
{
	if (b->n > n)
		secret_wipe(b->p + n, b->n - n);
	b->n = n;
}

static int hex_value(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

bool hex_decode(struct bytes hex, struct buf *out)
{
	struct reader r = reader_of(hex);
	size_t before = out->n;

	while (reader_left(&r)) {
		int high = hex_value(reader_u8(&r));
		int low = hex_value(reader_u8(&r));

		if (!reader_ok(&r) || high < 0 || low < 0) {
			buf_cut(out, before);
			return false;
		}
		buf_add_u8(out, (uint8_t)(high << 4 | low));
	}
	return true;
}

static int base64_value(uint8_t c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

static bool is_space(uint8_t c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

/* RFC 4648, 4 and 3.2: padding may be left out, but what is there has to fill a
 * group of four. Bits left over are ignored (3.5): hand-made secrets have some. */
bool base64_decode(struct bytes text, struct buf *out)
{
	struct reader r = reader_of(text);
	size_t before = out->n, digits = 0, pads = 0;
	uint32_t group = 0;

	while (reader_left(&r)) {
		uint8_t c = reader_u8(&r);
		int v = base64_value(c);

		if (is_space(c))
			continue;
		if (c == '=') {
			pads++;
			continue;
		}
		if (v < 0 || pads)
			goto bad;
		group = group << 6 | (uint32_t)v;
		if (digits++ % 4)
			buf_add_u8(out, (uint8_t)(group >> (6 - 2 * ((digits - 1) % 4))));
	}
	if (digits % 4 == 1 || (pads && (pads > 2 || (digits + pads) % 4)))
		goto bad;
	return true;
bad:
	buf_cut(out, before);
	return false;
}
