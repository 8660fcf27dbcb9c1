/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_UTIL_ARENA_H
#define BEWICK_UTIL_ARENA_H

#include "util/bytes.h"

/*
 * Memory for the life of one message: allocations are never freed one by one,
 * arena_reset frees them all and keeps the first chunk for the next message.
 * One owner, no locks. A zeroed arena is valid and empty.
 */
struct arena_chunk;
struct arena {
	struct arena_chunk *first;
	struct arena_chunk *current;
};

EXPORT void *arena_alloc(struct arena *a, size_t n); /* zeroed, aligned for any type, never NULL */
EXPORT void *arena_calloc(struct arena *a, size_t count, size_t n); /* aborts on overflow */
EXPORT void *arena_dup(struct arena *a, const void *p, size_t n);
EXPORT char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
EXPORT void arena_reset(struct arena *a); /* cleanses the content */
EXPORT void arena_free(struct arena *a);

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define arena_array(a, type, count) ((type *)arena_calloc((a), (count), sizeof(type)))

#endif
