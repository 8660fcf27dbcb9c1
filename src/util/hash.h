/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_UTIL_HASH_H
#define BEWICK_UTIL_HASH_H

#include "util/bytes.h"

/* Key of SipHash-1-3, drawn once per process (or fixed in tests), so that peers
 * cannot aim at one bucket. */
struct hash_key {
	uint64_t k0, k1;
};

EXPORT uint64_t hash_bytes(const struct hash_key *key, struct bytes data);
EXPORT uint64_t hash_u64(const struct hash_key *key, uint64_t v); /* of its 8 bytes, lowest first */

/*
 * Chained hash table over nodes embedded in the items; grows and shrinks by
 * itself, so that its cost per item stays flat. One owner, no locks. The
 * caller compares items: hashtab_first/_next walk the nodes of one hash value.
 */
struct hashnode {
	struct hashnode *next;
	uint32_t hash;
};

struct hashtab {
	struct hashnode **buckets;
	size_t size; /* number of buckets, a power of two, or 0 */
	size_t count;
	unsigned walking; /* hashtab_walk runs: no resizing */
};

EXPORT void hashtab_clear(struct hashtab *t); /* frees the buckets, not the items */
EXPORT void hashtab_insert(struct hashtab *t, struct hashnode *node, uint64_t hash);
EXPORT void hashtab_remove(struct hashtab *t, struct hashnode *node); /* no-op if not in it */
EXPORT struct hashnode *hashtab_first(const struct hashtab *t, uint64_t hash);
EXPORT struct hashnode *hashtab_next(const struct hashnode *node);
typedef void hashtab_fn(struct hashnode *node, void *arg);
/* Calls fn for each node, in no order. fn may remove and free its own node, no
 * other; what it inserts may be visited or not. */
EXPORT void hashtab_walk(struct hashtab *t, hashtab_fn *fn, void *arg);

#endif
