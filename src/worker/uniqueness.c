/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "worker/internal.h"

struct pair_entry {
	struct hashnode node;
	uint64_t hash;
	uint64_t owner; /* of a claim */
	unsigned count;
};

/* Split by hash so that workers seldom meet. */
#define UNIQUENESS_SHARDS 16
struct uniqueness {
	struct {
		pthread_mutex_t lock; /* guards table */
		struct hashtab table;
	} shard[UNIQUENESS_SHARDS];
};

struct uniqueness *uniqueness_new(void)
{
	struct uniqueness *u = xcalloc(1, sizeof(*u));

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
	for (struct hashnode *n = hashtab_first(t, hash >> 4); n; n = hashtab_next(n)) {
		struct pair_entry *e = container_of(n, struct pair_entry, node);

		if (e->hash == hash)
			return e;
	}
	return NULL;
}

bool uniqueness_claim(struct uniqueness *u, uint64_t hash, uint64_t owner, unsigned *ret_count)
{
	unsigned s = hash % UNIQUENESS_SHARDS;
	struct pair_entry *e;
	bool ok;

	pthread_mutex_lock(&u->shard[s].lock);
	e = uniqueness_find(&u->shard[s].table, hash);
	if (!e) {
		e = xcalloc(1, sizeof(*e));
		e->hash = hash;
		e->owner = owner;
		hashtab_insert(&u->shard[s].table, &e->node, hash >> 4);
	}
	ok = e->owner == owner;
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
