/* SPDX-License-Identifier: Apache-2.0 */
#include "config/value.h"

#include <ctype.h>
#include <stdlib.h>

#include "config/settings.h"
#include "util/mem.h"
#include "util/reader.h"

bool value_bool(struct bytes text, bool *ret)
{
	static const struct {
		const char *word;
		bool value;
	} words[] = {
		{ "yes", true }, { "true", true },   { "enabled", true },   { "1", true },
		{ "no", false }, { "false", false }, { "disabled", false }, { "0", false },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (bytes_equal_nocase(text, words[i].word)) {
			*ret = words[i].value;
			return true;
		}
	}
	return false;
}

static int digit_value(struct reader *r)
{
	int c = reader_left(r) ? r->p[0] : 0;

	if (c >= '0' && c <= '9')
		return c - '0';
	c = tolower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : 99;
}

bool value_take_uint(struct reader *r, uint64_t *ret, bool *ret_overflow)
{
	unsigned base = 10, digits = 0;
	uint64_t v = 0;

	*ret_overflow = false;
	if (reader_left(r) >= 1 && r->p[0] == '0') {
		base = reader_left(r) >= 2 && tolower(r->p[1]) == 'x' ? 16 : 8;
		reader_skip(r, base == 16 ? 2 : 0);
	}
	for (; digit_value(r) < (int)base; digits++) {
		if (__builtin_mul_overflow(v, (uint64_t)base, &v) ||
		    __builtin_add_overflow(v, (uint64_t)digit_value(r), &v))
			*ret_overflow = true;
		reader_skip(r, 1);
	}
	*ret = v;
	return digits > 0;
}

bool value_int(struct bytes text, int64_t *ret)
{
	struct reader r = reader_of(text);
	bool minus = reader_left(&r) && r.p[0] == '-', overflow;
	uint64_t v;

	if (minus || (reader_left(&r) && r.p[0] == '+'))
		reader_skip(&r, 1);
	if (!value_take_uint(&r, &v, &overflow) || overflow || !reader_done(&r))
		return false;
	if (v > (uint64_t)INT64_MAX + minus)
		return false;
	*ret = minus ? (int64_t)(0 - v) : (int64_t)v;
	return true;
}

/* A number, blanks, and at most one of the letters; the factor of the letter. */
static bool value_scaled(struct bytes text, const char *units, const uint64_t *factors, uint64_t *ret,
			 bool *ret_overflow)
{
	struct reader r = reader_of(text);
	uint64_t v, factor = 1;

	if (!value_take_uint(&r, &v, ret_overflow))
		return false;
	if (reader_left(&r)) {
		const char *unit;
		int c;

		while (reader_left(&r) && (r.p[0] == ' ' || r.p[0] == '\t'))
			reader_skip(&r, 1);
		c = tolower(reader_u8(&r));
		unit = c ? strchr(units, c) : NULL;
		if (!unit || !reader_done(&r))
			return false;
		factor = factors[unit - units];
	}
	if (__builtin_mul_overflow(v, factor, &v))
		*ret_overflow = true;
	*ret = v;
	return true;
}

bool value_time(struct bytes text, uint64_t *ret_s)
{
	static const uint64_t factors[] = { 1, 60, 3600, 86400 };
	bool overflow;
	uint64_t v;

	if (text.n == 0) {
		*ret_s = 0;
		return true;
	}
	/* Sums and products with ms of what is read must not overflow either. */
	if (!value_scaled(text, "smhd", factors, &v, &overflow) || overflow || v > VALUE_TIME_MAX)
		return false;
	*ret_s = v;
	return true;
}

bool value_size(struct bytes text, uint64_t *ret_bytes)
{
	static const uint64_t factors[] = { 1u << 10, 1u << 20, 1u << 30 };
	bool overflow;
	uint64_t v;

	if (!value_scaled(text, "kmg", factors, &v, &overflow))
		return false;
	*ret_bytes = overflow ? UINT64_MAX : v;
	return true;
}

bool value_double(struct bytes text, double *ret)
{
	char copy[64], *end;
	double v;

	if (text.n == 0 || text.n >= sizeof(copy))
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (!strchr("0123456789.+-eE", text.p[i]) || !text.p[i])
			return false;
	}
	memcpy(copy, text.p, text.n);
	copy[text.n] = '\0';
	v = strtod(copy, &end);
	if (*end || v - v != 0) /* the rest, or infinity */
		return false;
	*ret = v;
	return true;
}

bool value_is_printable(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < 0x20 || text.p[i] > 0x7e)
			return false;
	}
	return true;
}
