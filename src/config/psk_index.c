/* SPDX-License-Identifier: Apache-2.0 */
#include "config/psk_index.h"

#include <stdlib.h>

#include "util/hash.h"
#include "util/mem.h"

/*
 * A gateway has thousands of secrets that name itself and one peer. Secrets are found by hashing
 * their owners; of the rows for the local and the remote identity only the shorter is walked, for
 * secrets that name both, and from each the latest is enough for those that name one. Owners
 * that are patterns cannot be hashed: their secrets are walked by every look-up.
 */
struct owner {
	struct hashnode node;
	const struct id *id;
	uint32_t *secrets; /* positions, ascending */
	size_t n, cap;
};

struct psk_index {
	struct shared_secret *const *secrets;
	struct hashtab owners;
	struct owner **all;
	size_t n_all, cap_all;
	uint32_t *patterns; /* positions of secrets with a pattern among the owners */
	size_t n_patterns, cap_patterns;
	bool has_any;
	uint32_t any; /* position of the latest without owners */
};

struct psk_score {
	int sides;   /* that an owner names, more closely than by any */
	int quality; /* sum of id_match of both */
};

static const struct hash_key psk_key = { 0x70736b, 0x6f776e657273 };

static void owner_add(uint32_t **v, size_t *n, size_t *cap, uint32_t position)
{
	if (*n && (*v)[*n - 1] == position)
		return; /* an owner named twice */
	if (*n == *cap) {
		*cap = *cap ? *cap * 2 : 1;
		*v = xrealloc(*v, *cap * sizeof(**v));
	}
	(*v)[(*n)++] = position;
}

static uint64_t id_hash(const struct id *id)
{
	struct buf normal = { 0 };
	uint64_t hash;

	(void)id_hash_bytes(id, &normal);
	hash = hash_bytes(&psk_key, buf_bytes(&normal));
	buf_free(&normal);
	return hash;
}

static struct owner *index_owner(const struct psk_index *x, const struct id *id, uint64_t hash)
{
	for (struct hashnode *n = hashtab_first(&x->owners, hash); n; n = hashtab_next(n)) {
		struct owner *o = container_of(n, struct owner, node);

		if (id_equal(o->id, id))
			return o;
	}
	return NULL;
}

static void index_add_owner(struct psk_index *x, const struct id *id, uint32_t position)
{
	uint64_t hash = id_hash(id);
	struct owner *o = index_owner(x, id, hash);

	if (!o) {
		o = xcalloc(1, sizeof(*o));
		o->id = id;
		hashtab_insert(&x->owners, &o->node, hash);
		if (x->n_all == x->cap_all) {
			x->cap_all = x->cap_all ? x->cap_all * 2 : 16;
			x->all = xrealloc(x->all, x->cap_all * sizeof(struct owner *));
		}
		x->all[x->n_all++] = o;
	}
	owner_add(&o->secrets, &o->n, &o->cap, position);
}

struct psk_index *psk_index_new(struct shared_secret *const *secrets, size_t n)
{
	struct psk_index *x = xcalloc(1, sizeof(*x));

	x->secrets = secrets;
	for (size_t i = 0; i < n; i++) {
		const struct shared_secret *s = secrets[i];

		if (s->type != SHARED_IKE)
			continue;
		if (s->n_owners == 0) {
			x->has_any = true;
			x->any = (uint32_t)i;
		}
		for (size_t j = 0; j < s->n_owners; j++) {
			if (id_is_exact(&s->owners[j]))
				index_add_owner(x, &s->owners[j], (uint32_t)i);
			else
				owner_add(&x->patterns, &x->n_patterns, &x->cap_patterns, (uint32_t)i);
		}
	}
	return x;
}

void psk_index_free(struct psk_index *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < x->n_all; i++) {
		free(x->all[i]->secrets);
		free(x->all[i]);
	}
	hashtab_clear(&x->owners);
	free(x->all);
	free(x->patterns);
	free(x);
}

/* ---- look-up */

struct psk_search {
	const struct psk_index *index;
	const struct id *local, *remote;
	struct psk_score score; /* of the best so far */
	uint32_t position;
	bool found;
};

static int owners_match(const struct shared_secret *s, const struct id *id)
{
	int best = s->n_owners ? ID_MATCH_NONE : ID_MATCH_ANY;

	for (size_t i = 0; i < s->n_owners; i++) {
		int m = id_match(id, &s->owners[i]);

		if (m > best)
			best = m;
	}
	return best;
}

static bool score_less(struct psk_score a, struct psk_score b)
{
	return a.sides != b.sides ? a.sides < b.sides : a.quality < b.quality;
}

static void search_try(struct psk_search *search, uint32_t position)
{
	const struct shared_secret *s = search->index->secrets[position];
	int l = owners_match(s, search->local), r = owners_match(s, search->remote);
	struct psk_score score = { (l > ID_MATCH_ANY) + (r > ID_MATCH_ANY), l + r };

	if (score.quality == 0)
		return;
	if (search->found && (score_less(score, search->score) ||
			      (!score_less(search->score, score) && position < search->position)))
		return;
	search->score = score;
	search->position = position;
	search->found = true;
}

static void search_owners(struct psk_search *search)
{
	const struct owner *l = index_owner(search->index, search->local, id_hash(search->local));
	const struct owner *r = index_owner(search->index, search->remote, id_hash(search->remote));

	if (l && r) {
		const struct owner *few = l->n < r->n ? l : r;

		for (size_t i = 0; i < few->n; i++)
			search_try(search, few->secrets[i]);
	}
	if (l)
		search_try(search, l->secrets[l->n - 1]);
	if (r)
		search_try(search, r->secrets[r->n - 1]);
}

const struct shared_secret *psk_index_find(const struct psk_index *x, const struct id *local, const struct id *remote)
{
	struct psk_search search = { .index = x, .local = local, .remote = remote };

	search_owners(&search);
	for (size_t i = 0; i < x->n_patterns; i++)
		search_try(&search, x->patterns[i]);
	if (x->has_any)
		search_try(&search, x->any);
	return search.found ? x->secrets[search.position] : NULL;
}
