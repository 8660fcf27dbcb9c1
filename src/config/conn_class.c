/* SPDX-License-Identifier: Apache-2.0 */
#include "config/conn_class.h"

#include <stdlib.h>

#include "util/mem.h"

/* Those with an identity, by its hash. */
struct class_id {
	struct hashnode node;
	struct positions at;
};

/* The first one with its proposals. */
struct class_proposals {
	struct hashnode node;
	uint32_t position;
};

/* Smaller ones are walked. */
#define CLASS_LARGE 8

/* Identities to look for come from peers, those to collide with do not. */
static const struct hash_key class_key = { 0x636f6e6e, 0x636c617373 };

void positions_add(struct positions *p, uint32_t position)
{
	if (p->n == p->cap) {
		p->cap = p->cap ? p->cap * 2 : 1;
		p->v = xrealloc(p->v, p->cap * sizeof(*p->v));
	}
	p->v[p->n++] = position;
}

static void class_id_free(struct hashnode *n, void *arg)
{
	struct class_id *i = container_of(n, struct class_id, node);

	hashtab_remove(arg, n);
	free(i->at.v);
	free(i);
}

void conn_class_free(struct conn_class *c)
{
	hashtab_walk(&c->by_id, class_id_free, &c->by_id);
	hashtab_clear(&c->by_id);
	free(c->open.v);
	free(c->proposals.v);
	free(c->all.v);
	buf_free(&c->key);
	free(c);
}

/* ---- identities */

static uint64_t class_hash_id(const struct id *id, struct buf *scratch)
{
	buf_reset(scratch);
	(void)id_hash_bytes(id, scratch);
	return hash_bytes(&class_key, buf_bytes(scratch));
}

static const struct id *class_peer(const struct conn *conn)
{
	return &conn->remote_rounds[0].id;
}

static struct class_id *class_find_id(const struct conn_class *c, struct conn *const *conns, const struct id *id, uint64_t hash)
{
	for (struct hashnode *n = hashtab_first(&c->by_id, hash); n; n = hashtab_next(n)) {
		struct class_id *i = container_of(n, struct class_id, node);

		if (id_equal(class_peer(conns[i->at.v[0]]), id))
			return i;
	}
	return NULL;
}

static void class_add_id(struct conn_class *c, struct conn *const *conns, uint32_t position, struct buf *scratch)
{
	const struct id *id = class_peer(conns[position]);
	struct class_id *i;
	uint64_t hash;

	if (!id_is_exact(id)) {
		positions_add(&c->open, position);
		return;
	}
	hash = class_hash_id(id, scratch);
	i = class_find_id(c, conns, id, hash);
	if (!i) {
		i = xcalloc(1, sizeof(*i));
		hashtab_insert(&c->by_id, &i->node, hash);
	}
	positions_add(&i->at, position);
}

/* ---- proposals */

static uint64_t class_hash_proposals(struct proposal_list l, struct buf *scratch)
{
	buf_reset(scratch);
	for (size_t i = 0; i < l.count; i++) {
		buf_add_u8(scratch, l.p[i].protocol);
		buf_add_u16(scratch, l.p[i].count);
		for (size_t k = 0; k < l.p[i].count; k++) {
			buf_add_u8(scratch, l.p[i].transforms[k].type);
			buf_add_u16(scratch, l.p[i].transforms[k].id);
			buf_add_u16(scratch, l.p[i].transforms[k].key_bits);
		}
	}
	return hash_bytes(&class_key, buf_bytes(scratch));
}

static bool transforms_equal(const struct proposal *a, const struct proposal *b)
{
	for (size_t i = 0; i < a->count; i++)
		if (a->transforms[i].type != b->transforms[i].type || a->transforms[i].id != b->transforms[i].id ||
		    a->transforms[i].key_bits != b->transforms[i].key_bits)
			return false;
	return true;
}

static bool proposals_equal(struct proposal_list a, struct proposal_list b)
{
	if (a.count != b.count)
		return false;
	for (size_t i = 0; i < a.count; i++)
		if (a.p[i].protocol != b.p[i].protocol || a.p[i].count != b.p[i].count || !transforms_equal(&a.p[i], &b.p[i]))
			return false;
	return true;
}

static bool class_has_proposals(const struct hashtab *seen, struct conn *const *conns, struct proposal_list l, uint64_t hash)
{
	for (struct hashnode *n = hashtab_first(seen, hash); n; n = hashtab_next(n))
		if (proposals_equal(conns[container_of(n, struct class_proposals, node)->position]->proposals, l))
			return true;
	return false;
}

static void class_find_proposals(struct conn_class *c, struct conn *const *conns, struct buf *scratch)
{
	struct class_proposals *nodes = xcalloc(c->all.n, sizeof(*nodes));
	struct hashtab seen = { 0 };

	for (size_t i = 0; i < c->all.n; i++) {
		struct proposal_list l = conns[c->all.v[i]]->proposals;
		uint64_t hash = class_hash_proposals(l, scratch);

		if (class_has_proposals(&seen, conns, l, hash))
			continue;
		nodes[i].position = c->all.v[i];
		hashtab_insert(&seen, &nodes[i].node, hash);
		positions_add(&c->proposals, c->all.v[i]);
	}
	hashtab_clear(&seen);
	free(nodes);
}

/* ---- */

void conn_class_complete(struct conn_class *c, struct conn *const *conns)
{
	struct buf scratch = { 0 };

	if (c->all.n <= CLASS_LARGE)
		return;
	for (size_t i = 0; i < c->all.n; i++)
		class_add_id(c, conns, c->all.v[i], &scratch);
	class_find_proposals(c, conns, &scratch);
	buf_free(&scratch);
}

static struct span span_of(const struct positions *p)
{
	return (struct span){ p->v, p->n };
}

size_t conn_class_spans(const struct conn_class *c, struct conn *const *conns, const struct conn_filter *filter,
			struct span ret_spans[CLASS_SPANS])
{
	struct buf scratch = { 0 };
	const struct class_id *i;

	ret_spans[0] = span_of(&c->all);
	if (c->all.n <= CLASS_LARGE)
		return 1;
	if (filter->proposals) {
		ret_spans[0] = span_of(&c->proposals);
		return 1;
	}
	/* names that are not equal may fit each other then */
	if (!filter->peer || (filter->peer->type == ID_TYPE_DER_ASN1_DN && id_dn_matching() != ID_DN_STRICT))
		return 1;
	ret_spans[0] = span_of(&c->open);
	i = class_find_id(c, conns, filter->peer, class_hash_id(filter->peer, &scratch));
	if (i)
		ret_spans[1] = span_of(&i->at);
	buf_free(&scratch);
	return i ? 2 : 1;
}

size_t span_count_to(struct span s, uint32_t position)
{
	size_t from = 0, to = s.n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (s.v[middle] <= position)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}
