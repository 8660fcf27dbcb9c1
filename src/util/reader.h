/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_UTIL_READER_H
#define BEWICK_UTIL_READER_H

#include "util/bytes.h"

/*
 * Bounded read cursor with a sticky error: read a run of fields, then check
 * once. After a read past the end every further read gives 0 or nothing and
 * `bad` stays set. Numbers are in network order. All functions are inline:
 * this is the only way that input is looked at.
 */
struct reader {
	const uint8_t *p;
	size_t n; /* bytes left */
	bool bad;
};

static inline struct reader reader_of(struct bytes b)
{
	return (struct reader){ b.p, b.n, false };
}

static inline bool reader_ok(const struct reader *r)
{
	return !r->bad;
}

/* No error and nothing left over. */
static inline bool reader_done(const struct reader *r)
{
	return !r->bad && r->n == 0;
}

static inline size_t reader_left(const struct reader *r)
{
	return r->bad ? 0 : r->n;
}

static inline struct bytes reader_bytes(struct reader *r, size_t n)
{
	struct bytes b = { r->p, n };

	if (r->bad || n > r->n) {
		r->bad = true;
		r->n = 0;
		return BYTES_NONE;
	}
	r->p += n;
	r->n -= n;
	return b;
}

static inline struct bytes reader_rest(struct reader *r)
{
	return reader_bytes(r, reader_left(r));
}

static inline void reader_skip(struct reader *r, size_t n)
{
	(void)reader_bytes(r, n);
}

static inline struct reader reader_sub(struct reader *r, size_t n)
{
	struct reader sub = reader_of(reader_bytes(r, n));

	sub.bad = r->bad;
	return sub;
}

static inline uint64_t reader_uint(struct reader *r, size_t n)
{
	struct bytes b = reader_bytes(r, n);
	uint64_t v = 0;

	for (size_t i = 0; i < b.n; i++)
		v = v << 8 | b.p[i];
	return v;
}

static inline uint8_t reader_u8(struct reader *r)
{
	return (uint8_t)reader_uint(r, 1);
}

static inline uint16_t reader_u16(struct reader *r)
{
	return (uint16_t)reader_uint(r, 2);
}

static inline uint32_t reader_u32(struct reader *r)
{
	return (uint32_t)reader_uint(r, 4);
}

static inline uint64_t reader_u64(struct reader *r)
{
	return reader_uint(r, 8);
}

#endif
