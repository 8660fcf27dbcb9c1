/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_UTIL_BYTES_H
#define BEWICK_UTIL_BYTES_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "util/result.h"

/* Borrowed bytes: whoever made it says how long they live. */
struct bytes {
	const uint8_t *p;
	size_t n;
};

static inline struct bytes bytes_of(const void *p, size_t n)
{
	return (struct bytes){ (const uint8_t *)p, n };
}

static inline struct bytes bytes_str(const char *s)
{
	return (struct bytes){ (const uint8_t *)s, strlen(s) };
}

#define BYTES_NONE ((struct bytes){ NULL, 0 })

EXPORT bool bytes_equal(struct bytes a, struct bytes b);
EXPORT bool bytes_equal_str(struct bytes a, const char *s);
EXPORT bool bytes_equal_nocase(struct bytes a, const char *s);
EXPORT int bytes_cmp(struct bytes a, struct bytes b); /* memcmp order; a prefix of the other comes first */

/* Owned bytes that grow. A zeroed struct buf is empty and valid. The content is
 * followed by a NUL that does not count, so that text can be used as a string. */
struct buf {
	uint8_t *p;
	size_t n;
	size_t cap;
};

EXPORT void buf_free(struct buf *b); /* and makes it empty */
/* Cleanses the content, then frees. Growing may have left copies: keys go into a struct secret. */
EXPORT void buf_wipe(struct buf *b);
EXPORT void buf_reset(struct buf *b); /* keeps the memory */
EXPORT uint8_t *buf_extend(struct buf *b, size_t n); /* n more bytes, uninitialised */
/* What is added must not point into b. */
EXPORT void buf_add(struct buf *b, const void *p, size_t n);
EXPORT void buf_add_bytes(struct buf *b, struct bytes x);
EXPORT void buf_add_str(struct buf *b, const char *s);
EXPORT void buf_add_u8(struct buf *b, uint8_t v);
EXPORT void buf_add_u16(struct buf *b, uint16_t v); /* network order */
EXPORT void buf_add_u32(struct buf *b, uint32_t v);
EXPORT void buf_add_u64(struct buf *b, uint64_t v);
EXPORT void buf_printf(struct buf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
EXPORT void buf_vprintf(struct buf *b, const char *fmt, va_list ap) PRINTF_LIKE(2, 0);
EXPORT void buf_add_decimal(struct buf *b, uint64_t v, unsigned digits); /* at least so many digits, up to 20 */
EXPORT void buf_add_hex(struct buf *b, struct bytes x); /* lower case */
EXPORT char *buf_take_str(struct buf *b); /* the text, now the caller's; empties b */

static inline struct bytes buf_bytes(const struct buf *b)
{
	return (struct bytes){ b->p, b->n };
}

static inline const char *buf_str(const struct buf *b)
{
	return b->p ? (const char *)b->p : "";
}

/* Fixed-size text made on the stack; longer text is cut. */
struct text {
	char s[256];
};

/* v with at least `digits` digits, without NUL. out has room for DECIMAL_MAX. Returns the length. For texts that are made all the
 * time: a fraction of what printf costs. */
#define DECIMAL_MAX 20
EXPORT size_t decimal_format(char *out, uint64_t v, unsigned digits);

/* Decodes hex digits (both cases, even count, nothing else) and adds them to out.
 * Fails on anything else, and adds nothing then. */
EXPORT MUST_CHECK bool hex_decode(struct bytes hex, struct buf *out);
/* RFC 4648 base64 with or without padding, added to out; white space is skipped. Adds nothing on failure. */
EXPORT MUST_CHECK bool base64_decode(struct bytes text, struct buf *out);

#endif
