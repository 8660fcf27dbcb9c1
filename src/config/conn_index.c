/* SPDX-License-Identifier: Apache-2.0 */
#include "config/conn_index.h"

#include <stdlib.h>

#include "config/conn_class.h"
#include "util/hash.h"
#include "util/mem.h"

/* One prefix of a class's remote addresses. */
struct addr_net {
	struct hashnode node;
	struct prefix prefix;
	const struct conn_class *class;
};

struct name_node {
	struct hashnode node;
	const struct conn *conn;
};

/* Growing array of pointers. */
struct class_list {
	const struct conn_class **v;
	size_t n, cap;
};

/*
 * Connections with the same addresses on both sides are one class (conn_class.h): ten thousand road warriors are matched at once. A
 * class whose peers are single addresses or prefixes is found by hashing the packet's address cut to each prefix length in use; what is
 * left (any, names, ranges) is a list of classes that every look-up walks.
 */
struct conn_index {
	struct conn *const *conns;
	struct name_node *name_nodes;
	struct hashtab names;
	struct hashtab classes;
	struct class_list all, walked;
	struct hashtab nets;
	struct addr_net **net_nodes;
	size_t n_nets, cap_nets;
	bool lens4[33], lens6[129]; /* prefix lengths in use */
};

/* What is looked up by comes from peers, what is hashed to collide with does not. */
static const struct hash_key index_key = { 0x636f6e6e, 0x696e646578 };

static void class_list_add(struct class_list *l, const struct conn_class *class)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 8;
		l->v = xrealloc(l->v, l->cap * sizeof(*l->v));
	}
	l->v[l->n++] = class;
}

static bool class_list_has(const struct class_list *l, size_t n, const struct conn_class *class)
{
	for (size_t i = 0; i < n; i++) {
		if (l->v[i] == class)
			return true;
	}
	return false;
}

/* ---- classes */

static void key_add_addr(struct buf *key, const struct addr *a)
{
	buf_add_u8(key, a->family);
	buf_add_u32(key, a->scope);
	buf_add(key, a->ip, addr_len(a));
}

static void key_add_endpoints(struct buf *key, const struct endpoint *e, size_t n)
{
	buf_add_u32(key, (uint32_t)n);
	for (size_t i = 0; i < n; i++) {
		/* a name matches as any does */
		buf_add_u8(key, e[i].kind == ENDPOINT_NAME ? ENDPOINT_ANY : (uint8_t)e[i].kind);
		key_add_addr(key, &e[i].addr);
		key_add_addr(key, &e[i].addr_to);
		key_add_addr(key, &e[i].prefix.net);
		buf_add_u8(key, e[i].prefix.len);
	}
}

static struct conn_class *index_class(struct conn_index *x, const struct conn *c, bool *ret_new)
{
	struct buf key = { 0 };
	struct conn_class *class;
	uint64_t hash;

	key_add_endpoints(&key, c->local_addrs, c->n_local);
	key_add_endpoints(&key, c->remote_addrs, c->n_remote);
	hash = hash_bytes(&index_key, buf_bytes(&key));
	for (struct hashnode *n = hashtab_first(&x->classes, hash); n; n = hashtab_next(n)) {
		class = container_of(n, struct conn_class, node);
		if (bytes_equal(buf_bytes(&class->key), buf_bytes(&key))) {
			buf_free(&key);
			*ret_new = false;
			return class;
		}
	}
	class = xcalloc(1, sizeof(*class));
	class->key = key;
	class->sample = c;
	hashtab_insert(&x->classes, &class->node, hash);
	class_list_add(&x->all, class);
	*ret_new = true;
	return class;
}

/* ---- prefixes */

static uint64_t prefix_hash(const struct prefix *p)
{
	uint8_t key[18];

	key[0] = p->net.family;
	key[1] = p->len;
	memcpy(key + 2, p->net.ip, addr_len(&p->net));
	return hash_bytes(&index_key, bytes_of(key, 2 + addr_len(&p->net)));
}

static bool prefix_equal(const struct prefix *a, const struct prefix *b)
{
	return a->len == b->len && addr_equal_ip(&a->net, &b->net);
}

static struct prefix prefix_of(const struct addr *a, unsigned len)
{
	struct prefix p = { .net = addr_from_ip(a->family, a->ip), .len = (uint8_t)len };

	for (size_t i = 0; i < addr_len(a); i++) {
		unsigned kept = len > i * 8 ? len - (unsigned)i * 8 : 0;

		if (kept < 8)
			p.net.ip[i] &= (uint8_t)(0xff00 >> kept);
	}
	return p;
}

static void index_net(struct conn_index *x, const struct conn_class *class, struct prefix prefix)
{
	struct addr_net *net = xcalloc(1, sizeof(*net));

	net->prefix = prefix;
	net->class = class;
	if (x->n_nets == x->cap_nets) {
		x->cap_nets = x->cap_nets ? x->cap_nets * 2 : 16;
		x->net_nodes = xrealloc(x->net_nodes, x->cap_nets * sizeof(struct addr_net *));
	}
	x->net_nodes[x->n_nets++] = net;
	hashtab_insert(&x->nets, &net->node, prefix_hash(&net->prefix));
	(net->prefix.net.family == AF_INET ? x->lens4 : x->lens6)[net->prefix.len] = true;
}

static void index_add_class(struct conn_index *x, const struct conn_class *class)
{
	bool walked = false;

	for (size_t i = 0; i < class->sample->n_remote; i++) {
		const struct endpoint *e = &class->sample->remote_addrs[i];

		switch (e->kind) {
		case ENDPOINT_ADDR:
			index_net(x, class, prefix_of(&e->addr, (unsigned)addr_len(&e->addr) * 8));
			break;
		case ENDPOINT_PREFIX:
			index_net(x, class, e->prefix);
			break;
		case ENDPOINT_ANY:
		case ENDPOINT_NAME:
		case ENDPOINT_RANGE:
			walked = true;
			break;
		}
	}
	if (walked)
		class_list_add(&x->walked, class);
}

/* ---- the index */

struct conn_index *conn_index_new(struct conn *const *conns, size_t n)
{
	struct conn_index *x = xcalloc(1, sizeof(*x));

	x->conns = conns;
	x->name_nodes = xcalloc(n, sizeof(*x->name_nodes));
	for (size_t i = 0; i < n; i++) {
		struct name_node *name = &x->name_nodes[i];
		struct conn_class *class;
		bool is_new;

		name->conn = conns[i];
		hashtab_insert(&x->names, &name->node, hash_bytes(&index_key, bytes_str(conns[i]->name)));
		if (conns[i]->shunts_only)
			continue; /* no peer's */
		class = index_class(x, conns[i], &is_new);
		positions_add(&class->all, (uint32_t)i);
		if (is_new)
			index_add_class(x, class);
	}
	for (size_t i = 0; i < x->all.n; i++)
		conn_class_complete((struct conn_class *)x->all.v[i], conns);
	return x;
}

void conn_index_free(struct conn_index *x)
{
	if (!x)
		return;
	for (size_t i = 0; i < x->all.n; i++)
		conn_class_free((struct conn_class *)x->all.v[i]);
	for (size_t i = 0; i < x->n_nets; i++)
		free(x->net_nodes[i]);
	hashtab_clear(&x->names);
	hashtab_clear(&x->classes);
	hashtab_clear(&x->nets);
	free(x->all.v);
	free(x->walked.v);
	free(x->net_nodes);
	free(x->name_nodes);
	free(x);
}

const struct conn *conn_index_name(const struct conn_index *x, const char *name)
{
	uint64_t hash = hash_bytes(&index_key, bytes_str(name));

	for (struct hashnode *n = hashtab_first(&x->names, hash); n; n = hashtab_next(n)) {
		const struct conn *c = container_of(n, struct name_node, node)->conn;

		if (strcmp(c->name, name) == 0)
			return c;
	}
	return NULL;
}

/* ---- matching addresses */

/* Scores are sums of two matches of 1 to 3. */
#define SCORE_MAX 6

/* Classes whose remote addresses may match, each once. */
static void match_candidates(const struct conn_index *x, const struct addr *remote, struct class_list *out)
{
	const bool *lens = remote->family == AF_INET ? x->lens4 : x->lens6;
	size_t by_net;

	for (unsigned len = 0; len <= addr_len(remote) * 8; len++) {
		struct prefix p;
		uint64_t hash;

		if (!lens[len])
			continue;
		p = prefix_of(remote, len);
		hash = prefix_hash(&p);
		for (struct hashnode *n = hashtab_first(&x->nets, hash); n; n = hashtab_next(n)) {
			const struct addr_net *net = container_of(n, struct addr_net, node);

			if (prefix_equal(&net->prefix, &p) && !class_list_has(out, out->n, net->class))
				class_list_add(out, net->class);
		}
	}
	by_net = out->n;
	for (size_t i = 0; i < x->walked.n; i++) {
		if (!class_list_has(out, by_net, x->walked.v[i]))
			class_list_add(out, x->walked.v[i]);
	}
}

static int class_score(const struct conn_class *class, const struct addr *local, const struct addr *remote)
{
	const struct conn *c = class->sample;
	int l = endpoints_match(c->local_addrs, c->n_local, local);
	int r = endpoints_match(c->remote_addrs, c->n_remote, remote);

	return l && r ? l + r : 0;
}

/* Growing array. */
struct span_list {
	struct span *v;
	size_t n, cap, members;
};

static void span_list_add(struct span_list *l, const struct conn_index *x, const struct conn_class *class,
			  const struct conn_filter *filter)
{
	if (l->n + CLASS_SPANS > l->cap) {
		l->cap = l->cap ? l->cap * 2 : 4 * CLASS_SPANS;
		l->v = xrealloc(l->v, l->cap * sizeof(*l->v));
	}
	for (size_t i = conn_class_spans(class, x->conns, filter, &l->v[l->n]); i > 0; i--)
		l->members += l->v[l->n++].n;
}

/* The rank-th of all these together, which are more than rank. */
static const struct conn *match_nth(const struct conn_index *x, const struct span_list *l, size_t rank)
{
	uint32_t from = 0, to = UINT32_MAX;

	if (l->n == 1)
		return x->conns[l->v[0].v[rank]];
	/* the lowest position up to which there are rank + 1 */
	while (from < to) {
		uint32_t middle = from + (to - from) / 2;
		size_t count = 0;

		for (size_t i = 0; i < l->n; i++)
			count += span_count_to(l->v[i], middle);
		if (count > rank)
			to = middle;
		else
			from = middle + 1;
	}
	return x->conns[from];
}

const struct conn *conn_index_match(const struct conn_index *x, const struct addr *local, const struct addr *remote,
				    const struct conn_filter *filter, size_t rank)
{
	struct class_list candidates = { 0 };
	struct span_list by_score[SCORE_MAX + 1] = { 0 };
	const struct conn *found = NULL;

	match_candidates(x, remote, &candidates);
	for (size_t i = 0; i < candidates.n; i++) {
		int score = class_score(candidates.v[i], local, remote);

		if (score)
			span_list_add(&by_score[score], x, candidates.v[i], filter);
	}
	for (int score = SCORE_MAX; score > 0 && !found; score--) {
		if (rank < by_score[score].members)
			found = match_nth(x, &by_score[score], rank);
		else
			rank -= by_score[score].members;
	}
	for (int score = 0; score <= SCORE_MAX; score++)
		free(by_score[score].v);
	free(candidates.v);
	return found;
}
