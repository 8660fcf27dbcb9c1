/* SPDX-License-Identifier: Apache-2.0 */
#include "config/store.h"

#include <stdlib.h>

#include "config/conn_index.h"
#include "config/psk_index.h"
#include "util/hash.h"
#include "util/log.h"
#include "util/mem.h"

/* A name in use: keeps its place while connections of that name replace each other. */
struct slot {
	struct hashnode node; /* by name */
	struct conn *conn;
};

/* The same for a secret, but that one loaded again goes to the end. */
struct secret_slot {
	struct hashnode node; /* by unique id, or owners if it has none */
	uint64_t serial;
	struct shared_secret *secret;
};

/* The connections of a snapshot, and what was made of them. */
struct conn_list {
	atomic_uint refs;
	struct chunks chunks;
	size_t n;
	/* made by the first look-up, by whichever thread */
	_Atomic(void **) flat;
	_Atomic(struct conn_index *) index;
};

struct config_store {
	struct hashtab names;
	struct slot **slots; /* in order of conn->serial */
	size_t n_slots, cap_slots;
	struct conn_list *list; /* of the present ones, or NULL */
	struct chunks conns; /* of the slots, in the same order; has the references */
	struct hashtab secret_ids;
	struct secret_slot **secret_slots; /* in order of serial */
	size_t n_secrets, cap_secrets;
	struct chunks secrets; /* likewise */
	struct creds_set *creds;
	struct pools_set *pools;
	uint64_t next_serial;
	struct config *snapshot; /* of the present state, or NULL */
};

/* Names are the administrator's, not peers': a fixed key does. */
static const struct hash_key store_key = { 0x73746f7265, 0x6e616d6573 };

/* ---- shared secrets */

static void secret_ref(struct shared_secret *s)
{
	atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
}

static void secret_unref(struct shared_secret *s)
{
	if (atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < s->n_owners; i++)
		id_free((struct id *)&s->owners[i]);
	free((void *)s->owners);
	free((char *)s->unique_id);
	secret_clear(&s->data);
	free(s);
}

static struct shared_secret *secret_new(const char *unique_id, enum shared_type type, const struct id *owners,
					size_t n_owners, struct bytes data)
{
	struct shared_secret *s = xcalloc(1, sizeof(*s));
	struct id *copies = n_owners ? xcalloc(n_owners, sizeof(*copies)) : NULL;

	for (size_t i = 0; i < n_owners; i++)
		copies[i] = id_dup(&owners[i]);
	atomic_init(&s->refs, 1);
	s->unique_id = unique_id ? xstrdup(unique_id) : NULL;
	s->type = type;
	s->owners = copies;
	s->n_owners = n_owners;
	secret_set(&s->data, data);
	return s;
}

static bool secret_same(const struct shared_secret *a, const struct shared_secret *b)
{
	if (a->type != b->type || a->n_owners != b->n_owners ||
	    !secret_equal(secret_bytes(&a->data), secret_bytes(&b->data)))
		return false;
	for (size_t i = 0; i < a->n_owners; i++) {
		if (!id_equal(&a->owners[i], &b->owners[i]))
			return false;
	}
	return true;
}

/* ---- lists */

static void item_ref_conn(void *item)
{
	conn_ref(item);
}

static void item_unref_conn(void *item)
{
	conn_unref(item);
}

static void item_ref_secret(void *item)
{
	secret_ref(item);
}

static void item_unref_secret(void *item)
{
	secret_unref(item);
}

static const struct chunk_ops conn_ops = { item_ref_conn, item_unref_conn };
static const struct chunk_ops secret_ops = { item_ref_secret, item_unref_secret };

/* Two threads may make it at the same time: the first to put it in wins. */
static void **list_flat(_Atomic(void **) *at, const struct chunks *chunks)
{
	void **flat = atomic_load_explicit(at, memory_order_acquire), **own;

	if (flat)
		return flat;
	own = chunks_flat(chunks);
	if (atomic_compare_exchange_strong(at, &flat, own))
		return own;
	free(own);
	return flat;
}

struct conn *const *config_conns(const struct config *c)
{
	return (struct conn *const *)list_flat(&c->list->flat, &c->list->chunks);
}

struct shared_secret *const *config_secrets(const struct config *c)
{
	return (struct shared_secret *const *)list_flat(&((struct config *)c)->secrets, &c->secret_chunks);
}

/* ---- snapshots */

static void conn_list_unref(struct conn_list *l)
{
	if (!l || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
		return;
	free(atomic_load(&l->flat));
	conn_index_free(atomic_load(&l->index));
	chunks_clear(&l->chunks);
	free(l);
}

/* A reference. */
static struct conn_list *store_list(struct config_store *s)
{
	if (!s->list) {
		s->list = xcalloc(1, sizeof(*s->list));
		atomic_init(&s->list->refs, 1);
		s->list->chunks = chunks_copy(&s->conns);
		s->list->n = s->n_slots;
	}
	atomic_fetch_add_explicit(&s->list->refs, 1, memory_order_relaxed);
	return s->list;
}

struct config *config_ref(const struct config *c)
{
	struct config *mine = (struct config *)c;

	atomic_fetch_add_explicit(&mine->refs, 1, memory_order_relaxed);
	return mine;
}

void config_unref(const struct config *c)
{
	struct config *mine = (struct config *)c;

	if (!mine || atomic_fetch_sub_explicit(&mine->refs, 1, memory_order_acq_rel) != 1)
		return;
	conn_list_unref(mine->list);
	free(atomic_load(&mine->secrets));
	chunks_clear(&mine->secret_chunks);
	credentials_unref(mine->creds);
	pools_unref(mine->pools);
	psk_index_free(atomic_load(&mine->psk_index));
	free(mine);
}

/* As with the lists, two threads may make it. */
static const struct conn_index *config_conn_index(const struct config *c)
{
	struct conn_list *l = c->list;
	struct conn_index *index = atomic_load_explicit(&l->index, memory_order_acquire), *own;

	if (index)
		return index;
	own = conn_index_new(config_conns(c), l->n);
	if (atomic_compare_exchange_strong(&l->index, &index, own))
		return own;
	conn_index_free(own);
	return index;
}

static const struct psk_index *config_psk_index(const struct config *c)
{
	struct config *mine = (struct config *)c;
	struct psk_index *index = atomic_load_explicit(&mine->psk_index, memory_order_acquire), *own;

	if (index)
		return index;
	own = psk_index_new(config_secrets(c), c->n_secrets);
	if (atomic_compare_exchange_strong(&mine->psk_index, &index, own))
		return own;
	psk_index_free(own);
	return index;
}

const struct conn *config_conn(const struct config *c, const char *name)
{
	return conn_index_name(config_conn_index(c), name);
}

const struct conn *config_match_addrs(const struct config *c, const struct addr *local, const struct addr *remote,
				      size_t rank)
{
	return conn_index_match(config_conn_index(c), local, remote, &(struct conn_filter){ 0 }, rank);
}

const struct conn *config_match_peer(const struct config *c, const struct addr *local, const struct addr *remote,
				     const struct id *peer, size_t rank)
{
	return conn_index_match(config_conn_index(c), local, remote, &(struct conn_filter){ .peer = peer }, rank);
}

const struct conn *config_match_proposals(const struct config *c, const struct addr *local, const struct addr *remote, size_t rank)
{
	return conn_index_match(config_conn_index(c), local, remote, &(struct conn_filter){ .proposals = true }, rank);
}

const struct shared_secret *config_find_psk(const struct config *c, const struct id *local, const struct id *remote)
{
	return psk_index_find(config_psk_index(c), local, remote);
}

/* ---- the store */

struct config_store *config_store_new(void)
{
	struct config_store *s = xcalloc(1, sizeof(*s));

	s->conns.ops = &conn_ops;
	s->secrets.ops = &secret_ops;
	s->creds = creds_set_new();
	s->pools = pools_set_new();
	return s;
}

static void store_changed(struct config_store *s)
{
	config_unref(s->snapshot);
	s->snapshot = NULL;
}

static void store_conns_changed(struct config_store *s)
{
	store_changed(s);
	conn_list_unref(s->list);
	s->list = NULL;
}

void config_store_free(struct config_store *s)
{
	if (!s)
		return;
	store_conns_changed(s);
	for (size_t i = 0; i < s->n_slots; i++)
		free(s->slots[i]);
	chunks_clear(&s->conns);
	config_store_clear_secrets(s);
	chunks_clear(&s->secrets);
	creds_set_free(s->creds);
	pools_set_free(s->pools);
	hashtab_clear(&s->names);
	hashtab_clear(&s->secret_ids);
	free(s->slots);
	free(s->secret_slots);
	free(s);
}

struct config *config_store_snapshot(struct config_store *s)
{
	struct credentials *creds = creds_set_snapshot(s->creds);
	struct pools *pools = pools_set_snapshot(s->pools);
	struct config *c = s->snapshot;

	if (c && c->creds == creds && c->pools == pools) {
		credentials_unref(creds);
		pools_unref(pools);
		return config_ref(c);
	}
	store_changed(s);
	c = xcalloc(1, sizeof(*c));
	atomic_init(&c->refs, 1);
	c->list = store_list(s);
	c->n_conns = s->n_slots;
	c->secret_chunks = chunks_copy(&s->secrets);
	c->n_secrets = s->n_secrets;
	c->creds = creds;
	c->pools = pools;
	s->snapshot = c;
	return config_ref(c);
}

struct creds_set *config_store_creds(struct config_store *s)
{
	return s->creds;
}

struct pools_set *config_store_pools(struct config_store *s)
{
	return s->pools;
}

static uint64_t store_hash(const char *name)
{
	return hash_bytes(&store_key, bytes_str(name));
}

static struct slot *store_find_conn(const struct config_store *s, const char *name)
{
	uint64_t hash = store_hash(name);

	for (struct hashnode *n = hashtab_first(&s->names, hash); n; n = hashtab_next(n)) {
		struct slot *slot = container_of(n, struct slot, node);

		if (strcmp(slot->conn->name, name) == 0)
			return slot;
	}
	return NULL;
}

/* Where a slot stands: they are in order of their serials. */
static size_t store_position(const struct config_store *s, const struct slot *slot)
{
	size_t from = 0, to = s->n_slots;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (s->slots[middle]->conn->serial < slot->conn->serial)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

const struct conn *config_store_conn(const struct config_store *s, const char *name)
{
	const struct slot *slot = store_find_conn(s, name);

	return slot ? slot->conn : NULL;
}

/* What was counted of a connection is not lost when it is loaded again. */
static void store_keep_counters(struct conn *conn, const struct conn *old)
{
	if (conn->counters == old->counters)
		return;
	conn_counters_unref(conn->counters);
	conn->counters = conn_counters_ref(old->counters);
}

struct conn *config_store_put_conn(struct config_store *s, struct conn *conn)
{
	struct slot *slot = store_find_conn(s, conn->name);
	struct conn *old;

	store_conns_changed(s);
	if (slot) {
		old = slot->conn;
		conn->serial = old->serial;
		store_keep_counters(conn, old);
		slot->conn = conn;
		chunks_replace(&s->conns, store_position(s, slot), conn);
		return old;
	}
	slot = xcalloc(1, sizeof(*slot));
	slot->conn = conn;
	conn->serial = ++s->next_serial;
	hashtab_insert(&s->names, &slot->node, store_hash(conn->name));
	if (s->n_slots == s->cap_slots) {
		s->cap_slots = s->cap_slots ? s->cap_slots * 2 : 16;
		s->slots = xrealloc(s->slots, s->cap_slots * sizeof(struct slot *));
	}
	s->slots[s->n_slots++] = slot;
	chunks_append(&s->conns, conn);
	return NULL;
}

struct conn *config_store_remove_conn(struct config_store *s, const char *name)
{
	struct slot *slot = store_find_conn(s, name);
	struct conn *conn;
	size_t at;

	if (!slot)
		return NULL;
	at = store_position(s, slot);
	invariant(at < s->n_slots && s->slots[at] == slot);
	store_conns_changed(s);
	s->n_slots--;
	memmove(&s->slots[at], &s->slots[at + 1], (s->n_slots - at) * sizeof(struct slot *));
	hashtab_remove(&s->names, &slot->node);
	conn = chunks_remove(&s->conns, at);
	free(slot);
	return conn;
}

/* ---- secrets in the store */

static uint64_t secret_hash(const struct shared_secret *s)
{
	struct buf key = { 0 };
	uint64_t hash;

	if (s->unique_id)
		buf_add_str(&key, s->unique_id);
	for (size_t i = 0; !s->unique_id && i < s->n_owners; i++)
		(void)id_hash_bytes(&s->owners[i], &key);
	hash = hash_bytes(&store_key, buf_bytes(&key));
	buf_free(&key);
	return hash;
}

/* What a secret would replace, or NULL. */
static struct secret_slot *store_find_secret(const struct config_store *s, const struct shared_secret *secret)
{
	for (struct hashnode *n = hashtab_first(&s->secret_ids, secret_hash(secret)); n; n = hashtab_next(n)) {
		struct secret_slot *slot = container_of(n, struct secret_slot, node);
		const struct shared_secret *old = slot->secret;

		if (!old->unique_id != !secret->unique_id)
			continue;
		if (old->unique_id ? strcmp(old->unique_id, secret->unique_id) == 0 : secret_same(old, secret))
			return slot;
	}
	return NULL;
}

static void store_drop_secret(struct config_store *s, struct secret_slot *slot)
{
	size_t from = 0, to = s->n_secrets;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (s->secret_slots[middle]->serial < slot->serial)
			from = middle + 1;
		else
			to = middle;
	}
	s->n_secrets--;
	memmove(&s->secret_slots[from], &s->secret_slots[from + 1], (s->n_secrets - from) * sizeof(struct secret_slot *));
	hashtab_remove(&s->secret_ids, &slot->node);
	secret_unref(chunks_remove(&s->secrets, from));
	free(slot);
	store_changed(s);
}

void config_store_put_secret(struct config_store *s, const char *unique_id, enum shared_type type,
			     const struct id *owners, size_t n_owners, struct bytes data)
{
	struct shared_secret *secret = secret_new(unique_id, type, owners, n_owners, data);
	struct secret_slot *slot = store_find_secret(s, secret);

	if (slot)
		store_drop_secret(s, slot);
	store_changed(s);
	slot = xcalloc(1, sizeof(*slot));
	slot->secret = secret;
	slot->serial = ++s->next_serial;
	hashtab_insert(&s->secret_ids, &slot->node, secret_hash(secret));
	if (s->n_secrets == s->cap_secrets) {
		s->cap_secrets = s->cap_secrets ? s->cap_secrets * 2 : 16;
		s->secret_slots = xrealloc(s->secret_slots, s->cap_secrets * sizeof(struct secret_slot *));
	}
	s->secret_slots[s->n_secrets++] = slot;
	chunks_append(&s->secrets, secret);
}

bool config_store_remove_secret(struct config_store *s, const char *unique_id)
{
	struct secret_slot *slot = store_find_secret(s, &(struct shared_secret){ .unique_id = unique_id });

	if (slot)
		store_drop_secret(s, slot);
	return slot;
}

void config_store_clear_secrets(struct config_store *s)
{
	while (s->n_secrets)
		store_drop_secret(s, s->secret_slots[s->n_secrets - 1]);
}
