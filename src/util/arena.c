/* SPDX-License-Identifier: Apache-2.0 */
#include "util/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/mem.h"
#include "util/secret.h"

#define ARENA_ALIGN	  _Alignof(max_align_t)
#define ARENA_FIRST	  ((size_t)4096)
#define ARENA_CHUNK_MAX	  ((size_t)65536)
#define ARENA_HEADER_SIZE ARENA_ROUND(sizeof(struct arena_chunk))
#define ARENA_ROUND(n)	  (((n) + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1))

struct arena_chunk {
	struct arena_chunk *next;
	size_t used; /* with the header */
	size_t size;
};

static struct arena_chunk *arena_chunk_new(size_t size)
{
	struct arena_chunk *c = xmalloc(size);

	c->next = NULL;
	c->size = size;
	c->used = ARENA_HEADER_SIZE;
	return c;
}

/* Appends a chunk with room for n bytes and makes it the current one. */
static void arena_grow(struct arena *a, size_t n)
{
	size_t size = a->current ? a->current->size * 2 : ARENA_FIRST;

	if (size > ARENA_CHUNK_MAX)
		size = ARENA_CHUNK_MAX;
	/* A big request never becomes the first chunk, which lives until arena_free. */
	if (!a->current) {
		a->first = a->current = arena_chunk_new(size);
		if (n <= size - ARENA_HEADER_SIZE)
			return;
	}
	if (size < ARENA_HEADER_SIZE + n)
		size = ARENA_HEADER_SIZE + n;
	a->current->next = arena_chunk_new(size);
	a->current = a->current->next;
}

/* Not zeroed. */
static void *arena_take(struct arena *a, size_t n)
{
	struct arena_chunk *c;
	void *p;

	if (n > SIZE_MAX / 2)
		abort();
	/* no two allocations share an address, not even empty ones */
	n = ARENA_ROUND(n ? n : 1);
	if (!a->current || n > a->current->size - a->current->used)
		arena_grow(a, n);
	c = a->current;
	p = (uint8_t *)c + c->used;
	c->used += n;
	return p;
}

/* What is used is cleared, not whole chunks: most of a chunk never is. */
void *arena_alloc(struct arena *a, size_t n)
{
	return memset(arena_take(a, n), 0, n);
}

void *arena_calloc(struct arena *a, size_t count, size_t n)
{
	size_t total;

	if (__builtin_mul_overflow(count, n, &total))
		abort();
	return arena_alloc(a, total);
}

void *arena_dup(struct arena *a, const void *p, size_t n)
{
	void *copy = arena_take(a, n);

	if (n)
		memcpy(copy, p, n);
	return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap, again;
	char *s;
	int n;

	va_start(ap, fmt);
	va_copy(again, ap);
	n = vsnprintf(NULL, 0, fmt, ap);
	if (n < 0)
		abort();
	s = arena_alloc(a, (size_t)n + 1);
	(void)vsnprintf(s, (size_t)n + 1, fmt, again);
	va_end(again);
	va_end(ap);
	return s;
}

/* Messages hold passwords and keys: all that was used is cleansed. */
static void arena_free_chunks(struct arena_chunk *c)
{
	while (c) {
		struct arena_chunk *next = c->next;

		secret_wipe(c, c->used);
		free(c);
		c = next;
	}
}

void arena_reset(struct arena *a)
{
	struct arena_chunk *c = a->first;

	if (!c)
		return;
	arena_free_chunks(c->next);
	c->next = NULL;
	secret_wipe((uint8_t *)c + ARENA_HEADER_SIZE, c->used - ARENA_HEADER_SIZE);
	c->used = ARENA_HEADER_SIZE;
	a->current = c;
}

void arena_free(struct arena *a)
{
	arena_free_chunks(a->first);
	*a = (struct arena){ NULL, NULL };
}
