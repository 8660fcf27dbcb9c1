/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "worker/internal.h"

/* The IKE_SAs of one worker. No locks: everything here is on the worker's thread. */

void sa_table_add_spi(struct worker *w, struct ike_sa *sa, uint64_t spi)
{
	hashtab_insert(&w->by_spi, &sa->by_spi, hash_u64(&w->pool->hash, spi));
	hashtab_insert(&w->by_id, &sa->by_id, hash_u64(&w->pool->hash, sa->log.id));
	atomic_store_explicit(&w->n_sas, w->by_spi.count, memory_order_relaxed);
}

void sa_table_remove_spi(struct worker *w, struct ike_sa *sa)
{
	hashtab_remove(&w->by_spi, &sa->by_spi);
	hashtab_remove(&w->by_id, &sa->by_id);
	atomic_store_explicit(&w->n_sas, w->by_spi.count, memory_order_relaxed);
}

struct ike_sa *sa_table_by_spi(struct worker *w, uint64_t spi)
{
	struct hashnode *n = hashtab_first(&w->by_spi, hash_u64(&w->pool->hash, spi));

	for (; n; n = hashtab_next(n)) {
		struct ike_sa *sa = container_of(n, struct ike_sa, by_spi);

		if (ike_sa_own_spi(sa) == spi)
			return sa;
	}
	return NULL;
}

struct ike_sa *sa_table_by_id(struct worker *w, uint32_t id)
{
	struct hashnode *n = hashtab_first(&w->by_id, hash_u64(&w->pool->hash, id));

	for (; n; n = hashtab_next(n)) {
		struct ike_sa *sa = container_of(n, struct ike_sa, by_id);

		if (sa->log.id == id)
			return sa;
	}
	return NULL;
}

/* ---- SPIs that are proposed for successors ---- */

struct reserved_spi {
	struct hashnode node;
	uint64_t spi;
};

static struct reserved_spi *sa_table_reserved(struct worker *w, uint64_t spi)
{
	for (struct hashnode *n = hashtab_first(&w->reserved, hash_u64(&w->pool->hash, spi)); n; n = hashtab_next(n)) {
		struct reserved_spi *r = container_of(n, struct reserved_spi, node);

		if (r->spi == spi)
			return r;
	}
	return NULL;
}

bool sa_table_is_reserved(struct worker *w, uint64_t spi)
{
	return sa_table_reserved(w, spi) != NULL;
}

void sa_table_reserve(struct worker *w, uint64_t spi)
{
	struct reserved_spi *r = xcalloc(1, sizeof(*r));

	r->spi = spi;
	hashtab_insert(&w->reserved, &r->node, hash_u64(&w->pool->hash, spi));
}

void sa_table_unreserve(struct worker *w, uint64_t spi)
{
	struct reserved_spi *r = sa_table_reserved(w, spi);

	if (!r)
		return;
	hashtab_remove(&w->reserved, &r->node);
	free(r);
}

/* ---- peers ---- */

static uint64_t sa_table_init_hash(struct worker *w, uint64_t spi_i, const struct addr *remote)
{
	return hash_u64(&w->pool->hash, spi_i ^ hash_bytes(&w->pool->hash, bytes_of(remote->ip, addr_len(remote))));
}

void sa_table_add_init(struct worker *w, struct ike_sa *sa)
{
	sa->in_peer_table = true;
	hashtab_insert(&w->by_peer, &sa->by_peer, sa_table_init_hash(w, sa->spi_i, &sa->remote));
}

struct ike_sa *sa_table_by_init(struct worker *w, uint64_t spi_i, const struct addr *remote)
{
	struct hashnode *n = hashtab_first(&w->by_peer, sa_table_init_hash(w, spi_i, remote));

	for (; n; n = hashtab_next(n)) {
		struct ike_sa *sa = container_of(n, struct ike_sa, by_peer);

		if (!sa->initiator && sa->half_open && sa->spi_i == spi_i && addr_equal_ip(&sa->remote, remote))
			return sa;
	}
	return NULL;
}

void sa_table_add_peer(struct worker *w, struct ike_sa *sa, uint64_t hash)
{
	sa_table_remove_peer(w, sa);
	sa->in_peer_table = true;
	hashtab_insert(&w->by_peer, &sa->by_peer, hash);
}

void sa_table_remove_peer(struct worker *w, struct ike_sa *sa)
{
	if (!sa->in_peer_table)
		return;
	sa->in_peer_table = false;
	hashtab_remove(&w->by_peer, &sa->by_peer);
}

uint64_t sa_table_addr_hash(const struct worker *w, const struct addr *remote)
{
	return hash_bytes(&w->pool->hash, bytes_of(remote->ip, addr_len(remote)));
}

void sa_table_add_addr(struct worker *w, struct ike_sa *sa)
{
	hashtab_insert(&w->by_addr, &sa->by_addr, sa_table_addr_hash(w, &sa->remote));
	sa->in_addr_table = true;
}

void sa_table_remove_addr(struct worker *w, struct ike_sa *sa)
{
	hashtab_remove(&w->by_addr, &sa->by_addr);
	sa->in_addr_table = false;
}

void sa_table_add_child(struct worker *w, struct child_sa *c)
{
	hashtab_insert(&w->by_child, &c->by_id, hash_u64(&w->pool->hash, c->id));
}

void sa_table_remove_child(struct worker *w, struct child_sa *c)
{
	hashtab_remove(&w->by_child, &c->by_id);
}

struct child_sa *sa_table_child(struct worker *w, uint32_t id)
{
	struct hashnode *n = hashtab_first(&w->by_child, hash_u64(&w->pool->hash, id));

	for (; n; n = hashtab_next(n)) {
		struct child_sa *c = container_of(n, struct child_sa, by_id);

		if (c->id == id)
			return c;
	}
	return NULL;
}

/* ---- names of connections ---- */

/* What SAs of one name hang on. The name is that of the first of them. */
struct sa_group {
	struct hashnode node;
	struct list sas;
};

static struct sa_group *sa_table_group(const struct worker *w, const char *name, uint64_t hash)
{
	for (struct hashnode *n = hashtab_first(&w->by_name, hash); n; n = hashtab_next(n)) {
		struct sa_group *g = container_of(n, struct sa_group, node);

		if (strcmp(list_entry(g->sas.next, struct ike_sa, by_name)->log.name, name) == 0)
			return g;
	}
	return NULL;
}

static uint64_t sa_table_name_hash(const struct worker *w, const char *name)
{
	return hash_bytes(&w->pool->hash, bytes_str(name));
}

struct list *sa_table_by_name(const struct worker *w, const char *name)
{
	struct sa_group *g = sa_table_group(w, name, sa_table_name_hash(w, name));

	return g ? &g->sas : NULL;
}

void sa_table_set_name(struct worker *w, struct ike_sa *sa)
{
	uint64_t hash = sa_table_name_hash(w, sa->log.name);
	struct sa_group *g;

	sa_table_remove_name(w, sa);
	g = sa_table_group(w, sa->log.name, hash);
	if (!g) {
		g = xcalloc(1, sizeof(*g));
		list_init(&g->sas);
		hashtab_insert(&w->by_name, &g->node, hash);
	}
	list_add_tail(&g->sas, &sa->by_name);
}

void sa_table_remove_name(struct worker *w, struct ike_sa *sa)
{
	struct list *other = sa->by_name.next;

	if (!other)
		return;
	list_del(&sa->by_name);
	sa->by_name = (struct list){ 0 };
	if (list_empty(other)) { /* it is the head, then */
		struct sa_group *g = list_entry(other, struct sa_group, sas);

		hashtab_remove(&w->by_name, &g->node);
		free(g);
	}
}

/* ---- all of them ---- */

size_t sa_table_count(const struct worker *w)
{
	return w->by_id.count - w->ctx.closed;
}

uint32_t *sa_table_ids(struct worker *w, size_t *ret_count)
{
	uint32_t *ids = xmalloc(w->by_id.count * sizeof(*ids) + 1);
	size_t n = 0;

	for (size_t i = 0; i < w->by_id.size; i++) {
		for (struct hashnode *node = w->by_id.buckets[i]; node; node = node->next) {
			struct ike_sa *sa = container_of(node, struct ike_sa, by_id);

			if (sa->state != IKE_STATE_CLOSED)
				ids[n++] = sa->log.id;
		}
	}
	*ret_count = n;
	return ids;
}

#define WALK_SLICE 128 /* IKE_SAs looked at before packets get their turn again */

static void walk_add(struct sa_walk *walk, size_t *cap, const struct ike_sa *sa)
{
	if (sa->state == IKE_STATE_CLOSED)
		return;
	if (walk->n_ids == *cap) {
		*cap *= 2;
		walk->ids = xrealloc(walk->ids, *cap * sizeof(*walk->ids));
	}
	walk->ids[walk->n_ids++] = sa->log.id;
}

void sa_walk_select(struct worker *w, struct sa_walk *walk, const char *name, uint32_t id)
{
	const struct ike_sa *one = id ? sa_table_by_id(w, id) : NULL;
	struct list *group = name && !id ? sa_table_by_name(w, name) : NULL;
	size_t cap = 1;

	if (walk->ids || (!name && !id))
		return;
	walk->newest = workers_last_ike_id(w->pool);
	walk->ids = xmalloc(cap * sizeof(*walk->ids));
	if (one)
		walk_add(walk, &cap, one);
	if (group) {
		LIST_FOREACH(it, group)
			walk_add(walk, &cap, list_entry(it, struct ike_sa, by_name));
	}
}

void sa_walk_turn(struct worker *w, struct sa_walk *walk)
{
	if (!walk->ids) {
		walk->newest = workers_last_ike_id(w->pool);
		walk->ids = sa_table_ids(w, &walk->n_ids);
	}
	walk->left = WALK_SLICE;
}

struct ike_sa *sa_walk_next(struct worker *w, struct sa_walk *walk)
{
	struct ike_sa *sa = NULL;

	while (!sa && walk->left && walk->next < walk->n_ids) {
		sa = sa_table_by_id(w, walk->ids[walk->next++]);
		walk->left--;
	}
	return sa;
}

void sa_walk_clear(struct sa_walk *walk)
{
	free(walk->ids);
	*walk = (struct sa_walk){ 0 };
}

void sa_table_bury(struct worker *w, struct ike_sa *sa)
{
	if (w->n_dead == w->cap_dead) {
		w->cap_dead = w->cap_dead ? 2 * w->cap_dead : 64;
		w->dead = xrealloc(w->dead, w->cap_dead * sizeof(*w->dead));
	}
	w->dead[w->n_dead++] = sa;
}

void sa_table_free_dead(struct worker *w)
{
	/* freeing may bury more */
	for (size_t i = 0; i < w->n_dead; i++)
		ike_sa_free(w->dead[i]);
	w->freed += w->n_dead;
	w->n_dead = 0;
}
