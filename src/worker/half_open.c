/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "worker/internal.h"

struct half_open_entry {
	struct hashnode node;
	struct addr addr;
	unsigned count;
};

struct half_open {
	pthread_mutex_t lock; /* guards table and the entries in it */
	struct hashtab table;
	struct hash_key key;
	atomic_uint total;
};

struct half_open *half_open_new(void)
{
	struct half_open *h = xcalloc(1, sizeof(*h));

	pthread_mutex_init(&h->lock, NULL);
	h->key = (struct hash_key){ (uintptr_t)h, clock_monotonic_ms() };
	return h;
}

void half_open_free(struct half_open *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->table.size; i++) {
		struct hashnode *n = h->table.buckets[i];

		while (n) {
			struct hashnode *next = n->next;

			free(container_of(n, struct half_open_entry, node));
			n = next;
		}
	}
	hashtab_clear(&h->table);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

static struct half_open_entry *half_open_find(struct half_open *h, const struct addr *remote, uint64_t *ret_hash)
{
	*ret_hash = hash_bytes(&h->key, bytes_of(remote->ip, addr_len(remote)));
	for (struct hashnode *n = hashtab_first(&h->table, *ret_hash); n; n = hashtab_next(n)) {
		struct half_open_entry *e = container_of(n, struct half_open_entry, node);

		if (addr_equal_ip(&e->addr, remote))
			return e;
	}
	return NULL;
}

void half_open_add(struct half_open *h, const struct addr *remote)
{
	struct half_open_entry *e;
	uint64_t hash;

	pthread_mutex_lock(&h->lock);
	e = half_open_find(h, remote, &hash);
	if (!e) {
		e = xcalloc(1, sizeof(*e));
		e->addr = *remote;
		hashtab_insert(&h->table, &e->node, hash);
	}
	e->count++;
	pthread_mutex_unlock(&h->lock);
	atomic_fetch_add(&h->total, 1);
}

void half_open_remove(struct half_open *h, const struct addr *remote)
{
	struct half_open_entry *e;
	uint64_t hash;

	pthread_mutex_lock(&h->lock);
	e = half_open_find(h, remote, &hash);
	if (e && --e->count == 0) {
		hashtab_remove(&h->table, &e->node);
		free(e);
	}
	pthread_mutex_unlock(&h->lock);
	atomic_fetch_sub(&h->total, 1);
}

unsigned half_open_total(struct half_open *h)
{
	return atomic_load_explicit(&h->total, memory_order_relaxed);
}

unsigned half_open_of(struct half_open *h, const struct addr *remote)
{
	struct half_open_entry *e;
	uint64_t hash;
	unsigned n;

	pthread_mutex_lock(&h->lock);
	e = half_open_find(h, remote, &hash);
	n = e ? e->count : 0;
	pthread_mutex_unlock(&h->lock);
	return n;
}
