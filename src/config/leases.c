/* SPDX-License-Identifier: Apache-2.0 */
#include "config/leases.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/random.h>

#include "proto/limits.h"
#include "util/hash.h"
#include "util/list.h"
#include "util/log.h"
#include "util/mem.h"

/* An address that somebody has, or had. */
struct slot {
	struct hashnode by_id, by_offset;
	struct list offline; /* in the order of being left */
	struct id id;	     /* owned */
	bool known;	     /* it is in by_id */
	uint64_t pair;
	uint32_t offset;
	uint32_t number; /* in leases.slots */
	uint32_t users;	 /* IKE_SAs; 0: offline */
};

struct leases {
	atomic_uint refs;
	struct lease_range range;
	struct hash_key key; /* identities are peers' to choose */
	/* Guards all that follows. */
	pthread_mutex_t lock;
	bool closed;
	struct hashtab by_id, by_offset;
	struct list offline; /* left longest ago: first */
	struct slot **slots; /* in order of first use; they never go */
	size_t n, cap, n_online;
	uint32_t unused; /* no slot has an offset above it, but for those that were asked for by address */
};

struct leases *leases_new(const struct lease_range *range)
{
	struct leases *l = xcalloc(1, sizeof(*l));

	atomic_init(&l->refs, 1);
	l->range = *range;
	invariant(getrandom(&l->key, sizeof(l->key), 0) == (ssize_t)sizeof(l->key));
	pthread_mutex_init(&l->lock, NULL);
	list_init(&l->offline);
	return l;
}

struct leases *leases_ref(struct leases *l)
{
	atomic_fetch_add_explicit(&l->refs, 1, memory_order_relaxed);
	return l;
}

void leases_unref(struct leases *l)
{
	if (!l || atomic_fetch_sub_explicit(&l->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < l->n; i++) {
		id_free(&l->slots[i]->id);
		free(l->slots[i]);
	}
	hashtab_clear(&l->by_id);
	hashtab_clear(&l->by_offset);
	free(l->slots);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

/* ---- addresses ---- */

static struct addr lease_addr(const struct leases *l, uint32_t offset)
{
	struct addr a = l->range.first;
	uint64_t carry = offset;

	for (size_t i = addr_len(&a); i-- && carry;) {
		carry += a.ip[i];
		a.ip[i] = (uint8_t)carry;
		carry >>= 8;
	}
	return a;
}

/* False: it is not one of the pool's. */
static bool lease_offset(const struct leases *l, const struct addr *a, uint32_t *ret_offset)
{
	const struct addr *first = &l->range.first;
	int64_t diff = 0;

	if (a->family != first->family)
		return false;
	for (size_t i = 0; i < addr_len(a); i++) {
		diff = diff * 256 + a->ip[i] - first->ip[i];
		/* what follows cannot make it small again */
		if (diff > (1ll << 40) || diff < -(1ll << 40))
			return false;
	}
	if (diff < 0 || diff >= l->range.size)
		return false;
	*ret_offset = (uint32_t)diff;
	return true;
}

/* ---- slots ---- */

static uint64_t slot_hash(const struct leases *l, const struct id *id)
{
	struct buf text = { 0 };
	uint64_t hash;

	(void)id_hash_bytes(id, &text);
	hash = hash_bytes(&l->key, buf_bytes(&text));
	buf_free(&text);
	return hash;
}

static struct slot *slot_at(const struct leases *l, uint32_t offset)
{
	for (struct hashnode *n = hashtab_first(&l->by_offset, hash_u64(&l->key, offset)); n; n = hashtab_next(n)) {
		struct slot *s = container_of(n, struct slot, by_offset);

		if (s->offset == offset)
			return s;
	}
	return NULL;
}

static bool slot_is_held(const struct leases *l, const struct slot *s, const struct lease_wish *w)
{
	for (size_t i = 0; i < w->n_held; i++)
		if (w->held[i].of == l && w->held[i].slot == s->number)
			return true;
	return false;
}

/* Whether the wish may have it while others of the identity do. */
static bool slot_is_shared(const struct leases *l, const struct slot *s, const struct lease_wish *w, bool named)
{
	return (w->share || named) && s->pair == w->pair && !slot_is_held(l, s, w);
}

/* The identity's own: the one that is named, that of an IKE_SA which is about to end, any that it has left. */
static struct slot *slot_own(const struct leases *l, const struct lease_wish *w, uint64_t hash)
{
	struct slot *best = NULL;
	int best_rank = 0;

	for (struct hashnode *n = hashtab_first(&l->by_id, hash); n; n = hashtab_next(n)) {
		struct slot *s = container_of(n, struct slot, by_id);
		struct addr a = lease_addr(l, s->offset);
		bool named = addr_equal_ip(&a, &w->wanted);
		int rank = named ? 3 : s->users ? 2 : 1;

		if (rank > best_rank && id_equal(&s->id, w->id) && (!s->users || slot_is_shared(l, s, w, named))) {
			best = s;
			best_rank = rank;
		}
	}
	return best;
}

static struct slot *slot_new(struct leases *l, uint32_t offset)
{
	struct slot *s = xcalloc(1, sizeof(*s));

	if (l->n == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 16;
		l->slots = xrealloc(l->slots, l->cap * sizeof(struct slot *));
	}
	list_init(&s->offline);
	s->offset = offset;
	s->number = (uint32_t)l->n;
	l->slots[l->n++] = s;
	hashtab_insert(&l->by_offset, &s->by_offset, hash_u64(&l->key, offset));
	return s;
}

/* One that nobody ever had, the named one if it can be. */
static struct slot *slot_unused(struct leases *l, const struct lease_wish *w)
{
	uint32_t offset;

	if (l->n - l->n_online >= LIMIT_LEASES_OFFLINE)
		return NULL;
	if (lease_offset(l, &w->wanted, &offset) && !slot_at(l, offset))
		return slot_new(l, offset);
	/* each that was asked for by address is passed once */
	while (l->unused < l->range.size && slot_at(l, l->unused))
		l->unused++;
	return l->unused < l->range.size ? slot_new(l, l->unused++) : NULL;
}

static struct slot *slot_left(struct leases *l)
{
	return list_empty(&l->offline) ? NULL : list_entry(l->offline.next, struct slot, offline);
}

static void slot_give(struct leases *l, struct slot *s, const struct lease_wish *w, uint64_t hash)
{
	if (s->known)
		hashtab_remove(&l->by_id, &s->by_id);
	id_free(&s->id);
	s->id = id_dup(w->id);
	s->known = true;
	hashtab_insert(&l->by_id, &s->by_id, hash);
}

static enum lease_result slot_choose(struct leases *l, const struct lease_wish *w, struct slot **ret)
{
	uint64_t hash = slot_hash(l, w->id);
	struct slot *s = slot_own(l, w, hash);
	enum lease_result result = LEASE_NEW;

	if (s) {
		*ret = s;
		return s->users ? LEASE_SHARED : LEASE_AGAIN;
	}
	s = slot_unused(l, w);
	if (!s) {
		s = slot_left(l);
		result = LEASE_TAKEN;
	}
	if (!s)
		return LEASE_FULL;
	slot_give(l, s, w, hash);
	*ret = s;
	return result;
}

enum lease_result leases_take(struct leases *l, const struct lease_wish *w, struct lease *ret, struct addr *ret_addr)
{
	enum lease_result result = LEASE_CLOSED;
	struct slot *s;

	if (w->wanted.family != l->range.first.family)
		return LEASE_FAMILY;
	pthread_mutex_lock(&l->lock);
	if (!l->closed)
		result = slot_choose(l, w, &s);
	if (result <= LEASE_TAKEN) {
		l->n_online += s->users++ == 0;
		list_del(&s->offline);
		s->pair = w->pair;
		*ret = (struct lease){ leases_ref(l), s->number };
		*ret_addr = lease_addr(l, s->offset);
	}
	pthread_mutex_unlock(&l->lock);
	return result;
}

void lease_release(struct lease *lease)
{
	struct leases *l = lease->of;
	struct slot *s;

	if (!l)
		return;
	pthread_mutex_lock(&l->lock);
	s = l->slots[lease->slot];
	if (--s->users == 0) {
		l->n_online--;
		list_add_tail(&l->offline, &s->offline);
	}
	pthread_mutex_unlock(&l->lock);
	leases_unref(l);
	*lease = (struct lease){ 0 };
}

void leases_count(struct leases *l, size_t *ret_online, size_t *ret_offline)
{
	pthread_mutex_lock(&l->lock);
	*ret_online = l->n_online;
	*ret_offline = l->n - l->n_online;
	pthread_mutex_unlock(&l->lock);
}

bool leases_close(struct leases *l)
{
	bool free_now;

	pthread_mutex_lock(&l->lock);
	free_now = l->n_online == 0;
	l->closed |= free_now;
	pthread_mutex_unlock(&l->lock);
	return free_now;
}

size_t leases_list(struct leases *l, size_t from, struct lease_info *ret, size_t max)
{
	size_t n = 0;

	pthread_mutex_lock(&l->lock);
	for (; n < max && from + n < l->n; n++) {
		const struct slot *s = l->slots[from + n];

		ret[n] = (struct lease_info){ lease_addr(l, s->offset), id_dup(&s->id), s->users > 0 };
	}
	pthread_mutex_unlock(&l->lock);
	return n;
}
