/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_UTIL_WRITER_H
#define BEWICK_UTIL_WRITER_H

#include "util/bytes.h"

/*
 * Bounded write cursor over a caller's buffer with a sticky error: when
 * something does not fit, nothing of it is written, `full` is set and every
 * further write is ignored. Numbers go out in network order.
 */
struct writer {
	uint8_t *p; /* start of the buffer */
	size_t n;   /* bytes written */
	size_t cap;
	bool full;
};

static inline struct writer writer_of(void *p, size_t cap)
{
	return (struct writer){ (uint8_t *)p, 0, cap, false };
}

static inline bool writer_ok(const struct writer *w)
{
	return !w->full;
}

static inline struct bytes writer_done(const struct writer *w)
{
	return (struct bytes){ w->p, w->full ? 0 : w->n };
}

/* n bytes to be filled by the caller, or NULL. */
static inline uint8_t *writer_reserve(struct writer *w, size_t n)
{
	uint8_t *at;

	if (w->full || n > w->cap - w->n) {
		w->full = true;
		return NULL;
	}
	at = w->p + w->n;
	w->n += n;
	return at;
}

static inline void writer_bytes(struct writer *w, struct bytes b)
{
	uint8_t *at = writer_reserve(w, b.n);

	if (at && b.n)
		memcpy(at, b.p, b.n);
}

static inline void writer_uint(struct writer *w, uint64_t v, size_t n)
{
	uint8_t *at = writer_reserve(w, n);

	for (size_t i = n; at && i-- > 0; v >>= 8)
		at[i] = (uint8_t)v;
}

static inline void writer_u8(struct writer *w, uint8_t v)
{
	writer_uint(w, v, 1);
}

static inline void writer_u16(struct writer *w, uint16_t v)
{
	writer_uint(w, v, 2);
}

static inline void writer_u32(struct writer *w, uint32_t v)
{
	writer_uint(w, v, 4);
}

static inline void writer_u64(struct writer *w, uint64_t v)
{
	writer_uint(w, v, 8);
}

/* Overwrites what was written at offset `at` (must have been written). */
static inline void writer_patch(struct writer *w, size_t at, uint64_t v, size_t n)
{
	if (w->full || at + n > w->n)
		return;
	for (size_t i = n; i-- > 0; v >>= 8)
		w->p[at + i] = (uint8_t)v;
}

#endif
