/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CONFIG_CHUNKS_H
#define BEWICK_CONFIG_CHUNKS_H

#include <stdatomic.h>
#include <stddef.h>

/*
 * An ordered list of counted objects that is cheap to copy: it is cut into chunks, which copies share. A change
 * copies the one chunk that it is in, if anybody else has it. With tens of thousands of connections loaded one by one,
 * each with a snapshot of its own, this is what keeps loading linear.
 */
struct chunk;

struct chunk_ops {
	void (*ref)(void *item);
	void (*unref)(void *item);
};

struct chunks {
	const struct chunk_ops *ops;
	struct chunk **v;
	size_t n, cap; /* chunks */
	size_t count;  /* items */
};

/* Takes the caller's reference. */
void chunks_append(struct chunks *c, void *item);
/* Takes the new item's reference; the old item's passes to the caller. */
void *chunks_replace(struct chunks *c, size_t at, void *item);
void *chunks_remove(struct chunks *c, size_t at);
void chunks_clear(struct chunks *c);
/* The copy may be read and cleared on any thread, but not changed. */
struct chunks chunks_copy(const struct chunks *c);
/* All items in order, borrowed from c; the caller frees the array. */
void **chunks_flat(const struct chunks *c);

#endif
