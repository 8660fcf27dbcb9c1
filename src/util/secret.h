/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_UTIL_SECRET_H
#define BEWICK_UTIL_SECRET_H

#include "util/bytes.h"

/* An owned key or password that is cleansed when freed. Never logged. A zeroed
 * one is empty and valid. */
struct secret {
	uint8_t *p;
	size_t n;
};

EXPORT void secret_set(struct secret *s, struct bytes data); /* copies; wipes what was there */
EXPORT uint8_t *secret_alloc(struct secret *s, size_t n);   /* n zero bytes to be filled */
EXPORT void secret_clear(struct secret *s);
/* Constant time for equal lengths; the length is no secret. */
EXPORT bool secret_equal(struct bytes a, struct bytes b);
EXPORT void secret_wipe(void *p, size_t n); /* OPENSSL_cleanse */

static inline struct bytes secret_bytes(const struct secret *s)
{
	return (struct bytes){ s->p, s->n };
}

#endif
