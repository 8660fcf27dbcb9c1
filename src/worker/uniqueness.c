/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "worker/internal.h"

/* There is one for each peer: the hash is the number of the shard, what the node knows of it, and the rest. */
struct pair_entry {
	struct hashnode node;
	uint32_t rest;
	unsigned count;
	uint64_t owner[]; /* one, of a claim */
};

/* Split by hash so that workers seldom meet. */
#define UNIQUENESS_SHARDS 16
#define UNIQUENESS_NODE_SHIFT 4
#define UNIQUENESS_REST_SHIFT 36
struct uniqueness {
	bool claims;
	struct {
		pthread_mutex_t lock; /* guards table */
		struct hashtab table;
	} shard[UNIQUENESS_SHARDS];
};

struct uniqueness *uniqueness_new(bool claims)
{
	struct uniqueness *u = xcalloc(1, sizeof(*u));

	u->claims = claims;
	for (unsigned i = 0; i < UNIQUENESS_SHARDS; i++)
		pthread_mutex_init(&u->shard[i].lock, NULL);
	return u;
}

void uniqueness_free(struct uniqueness *u)
{
	if (!u)
		return;
	for (unsigned s = 0; s < UNIQUENESS_SHARDS; s++) {
		struct hashtab *t = &u->shard[s].table;

		for (size_t i = 0; i < t->size; i++) {
			struct hashnode *n = t->buckets[i];

			while (n) {
				struct hashnode *next = n->next;

				free(container_of(n, struct pair_entry, node));
				n = next;
			}
		}
		hashtab_clear(t);
		pthread_mutex_destroy(&u->shard[s].lock);
	}
	free(u);
}

static struct pair_entry *uniqueness_find(struct hashtab *t, uint64_t hash)
{
	for (struct hashnode *n = hashtab_first(t, hash >> UNIQUENESS_NODE_SHIFT); n; n = hashtab_next(n)) {
		struct pair_entry *e = container_of(n, struct pair_entry, node);

		if (e->rest == hash >> UNIQUENESS_REST_SHIFT)
			return e;
	}
	return NULL;
}

static struct pair_entry *uniqueness_make(struct uniqueness *u, uint64_t hash, uint64_t owner)
{
	struct pair_entry *e = xcalloc(1, sizeof(*e) + (u->claims ? sizeof(e->owner[0]) : 0));

	e->rest = (uint32_t)(hash >> UNIQUENESS_REST_SHIFT);
	if (u->claims)
		e->owner[0] = owner;
	hashtab_insert(&u->shard[hash % UNIQUENESS_SHARDS].table, &e->node, hash >> UNIQUENESS_NODE_SHIFT);
	return e;
}

bool uniqueness_claim(struct uniqueness *u, uint64_t hash, uint64_t owner, unsigned *ret_count)
{
	unsigned s = hash % UNIQUENESS_SHARDS;
	struct pair_entry *e;
	bool ok;

	pthread_mutex_lock(&u->shard[s].lock);
	e = uniqueness_find(&u->shard[s].table, hash);
	if (!e)
		e = uniqueness_make(u, hash, owner);
	ok = !u->claims || e->owner[0] == owner;
	e->count += ok;
	*ret_count = e->count;
	pthread_mutex_unlock(&u->shard[s].lock);
	return ok;
}

unsigned uniqueness_add(struct uniqueness *u, uint64_t hash)
{
	unsigned n;

	(void)uniqueness_claim(u, hash, 0, &n);
	return n;
}

void uniqueness_remove(struct uniqueness *u, uint64_t hash)
{
	unsigned s = hash % UNIQUENESS_SHARDS;
	struct pair_entry *e;

	pthread_mutex_lock(&u->shard[s].lock);
	e = uniqueness_find(&u->shard[s].table, hash);
	if (e && --e->count == 0) {
		hashtab_remove(&u->shard[s].table, &e->node);
		free(e);
	}
	pthread_mutex_unlock(&u->shard[s].lock);
}

unsigned uniqueness_count(struct uniqueness *u, uint64_t hash)
{
	unsigned s = hash % UNIQUENESS_SHARDS, n;
	struct pair_entry *e;

	pthread_mutex_lock(&u->shard[s].lock);
	e = uniqueness_find(&u->shard[s].table, hash);
	n = e ? e->count : 0;
	pthread_mutex_unlock(&u->shard[s].lock);
	return n;
}

uint64_t uniqueness_hash(const struct hash_key *key, const struct id *local, const struct id *remote)
{
	struct buf a = { 0 }, b = { 0 };
	uint64_t h;

	id_hash_bytes(local, &a);
	id_hash_bytes(remote, &b);
	h = hash_bytes(key, buf_bytes(&a)) * 31 + hash_bytes(key, buf_bytes(&b));
	buf_free(&a);
	buf_free(&b);
	return h;
}
