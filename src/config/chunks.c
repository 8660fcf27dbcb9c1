/* SPDX-License-Identifier: Apache-2.0 */
#include "config/chunks.h"

#include <stdlib.h>
#include <string.h>

#include "util/log.h"
#include "util/mem.h"

#define CHUNK_ITEMS 128

struct chunk {
	atomic_uint refs;
	size_t n; /* at least 1 */
	void *items[CHUNK_ITEMS];
};

static struct chunk *chunk_new(void)
{
	struct chunk *k = xmalloc(sizeof(*k));

	atomic_init(&k->refs, 1);
	k->n = 0;
	return k;
}

static void chunk_unref(const struct chunk_ops *ops, struct chunk *k)
{
	if (atomic_fetch_sub_explicit(&k->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < k->n; i++)
		ops->unref(k->items[i]);
	free(k);
}

/* The chunk at a place, to be changed: of nobody else. Only the owner of the list makes copies, so 1 stays 1. */
static struct chunk *chunks_own(struct chunks *c, size_t i)
{
	struct chunk *k = c->v[i], *mine;

	if (atomic_load_explicit(&k->refs, memory_order_acquire) == 1)
		return k;
	mine = chunk_new();
	mine->n = k->n;
	memcpy(mine->items, k->items, k->n * sizeof(k->items[0]));
	for (size_t j = 0; j < mine->n; j++)
		c->ops->ref(mine->items[j]);
	chunk_unref(c->ops, k);
	c->v[i] = mine;
	return mine;
}

/* The chunk of an item; *at becomes its place in there. */
static size_t chunks_find(const struct chunks *c, size_t *at)
{
	size_t i = 0;

	invariant(*at < c->count);
	while (*at >= c->v[i]->n)
		*at -= c->v[i++]->n;
	return i;
}

void chunks_append(struct chunks *c, void *item)
{
	struct chunk *k;

	if (c->n == 0 || c->v[c->n - 1]->n == CHUNK_ITEMS) {
		if (c->n == c->cap) {
			c->cap = c->cap ? c->cap * 2 : 4;
			c->v = xrealloc(c->v, c->cap * sizeof(struct chunk *));
		}
		c->v[c->n++] = chunk_new();
	}
	k = chunks_own(c, c->n - 1);
	k->items[k->n++] = item;
	c->count++;
}

void *chunks_replace(struct chunks *c, size_t at, void *item)
{
	size_t i = chunks_find(c, &at);
	struct chunk *k = chunks_own(c, i);
	void *old = k->items[at];

	k->items[at] = item;
	return old;
}

void *chunks_remove(struct chunks *c, size_t at)
{
	size_t i = chunks_find(c, &at);
	struct chunk *k = chunks_own(c, i);
	void *old = k->items[at];

	k->n--;
	memmove(&k->items[at], &k->items[at + 1], (k->n - at) * sizeof(k->items[0]));
	if (k->n == 0) {
		free(k);
		c->n--;
		memmove(&c->v[i], &c->v[i + 1], (c->n - i) * sizeof(struct chunk *));
	}
	c->count--;
	return old;
}

void chunks_clear(struct chunks *c)
{
	for (size_t i = 0; i < c->n; i++)
		chunk_unref(c->ops, c->v[i]);
	free(c->v);
	*c = (struct chunks){ .ops = c->ops };
}

struct chunks chunks_copy(const struct chunks *c)
{
	struct chunks copy = *c;

	copy.cap = c->n;
	copy.v = c->n ? xmemdup(c->v, c->n * sizeof(struct chunk *)) : NULL;
	for (size_t i = 0; i < copy.n; i++)
		atomic_fetch_add_explicit(&copy.v[i]->refs, 1, memory_order_relaxed);
	return copy;
}

void **chunks_flat(const struct chunks *c)
{
	void **flat = xmalloc(c->count * sizeof(*flat)), **to = flat;

	for (size_t i = 0; i < c->n; i++) {
		memcpy(to, c->v[i]->items, c->v[i]->n * sizeof(*to));
		to += c->v[i]->n;
	}
	return flat;
}
