/* SPDX-License-Identifier: Apache-2.0 */
#include "config/conn.h"

#include <stdlib.h>

#include "config/conn_rules.h"
#include "util/mem.h"

struct conn *conn_ref(const struct conn *c)
{
	struct conn *mine = (struct conn *)c;

	atomic_fetch_add_explicit(&mine->refs, 1, memory_order_relaxed);
	return mine;
}

void conn_unref(const struct conn *c)
{
	struct conn *mine = (struct conn *)c;

	if (!mine || atomic_fetch_sub_explicit(&mine->refs, 1, memory_order_acq_rel) != 1)
		return;
	conn_objects_free(mine);
	conn_counters_unref(mine->counters);
	tree_free(mine->source);
	arena_free(&mine->arena);
	free(mine);
}

const struct child_conf *conn_child(const struct conn *c, const char *name)
{
	for (size_t i = 0; i < c->n_children; i++) {
		if (strcmp(c->children[i].name, name) == 0)
			return &c->children[i];
	}
	return NULL;
}

/* ---- comparing */

/* The same entries but for one name, in any order; lists and what is below sections as they are. */
static bool entries_equal(const struct tree *a, const struct tree *b, const char *except)
{
	size_t n_a = 0, n_b = 0;

	TREE_FOREACH(it, a) {
		const struct tree *other;

		if (except && strcmp(it->name, except) == 0)
			continue;
		n_a++;
		other = tree_find(b, it->name);
		if (!other || other->kind != it->kind)
			return false;
		if (it->kind == TREE_SECTION ? !entries_equal(it, other, NULL) : !tree_equal(it, other))
			return false;
	}
	TREE_FOREACH(it, b)
		n_b += !(except && strcmp(it->name, except) == 0);
	return n_a == n_b;
}

static bool certs_equal(struct cert *const *a, size_t n_a, struct cert *const *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++) {
		if (!cert_equal(a[i], b[i]))
			return false;
	}
	return true;
}

static bool pubkeys_equal(const struct conn_round *a, const struct conn_round *b)
{
	if (a->n_pubkeys != b->n_pubkeys)
		return false;
	for (size_t i = 0; i < a->n_pubkeys; i++) {
		if (!public_key_equal(a->pubkeys[i], b->pubkeys[i]))
			return false;
	}
	return true;
}

/* What comes from elsewhere than the source: rules by a setting, certificates and keys out of files. */
static bool round_equal(const struct conn_round *a, const struct conn_round *b)
{
	return a->auth == b->auth && id_equal(&a->id, &b->id) && a->rules.n_chain == b->rules.n_chain &&
	       a->rules.n_ike == b->rules.n_ike && memcmp(a->rules.chain, b->rules.chain, sizeof(a->rules.chain)) == 0 &&
	       memcmp(a->rules.ike, b->rules.ike, sizeof(a->rules.ike)) == 0 &&
	       certs_equal(a->certs, a->n_certs, b->certs, b->n_certs) &&
	       certs_equal(a->cacerts, a->n_cacerts, b->cacerts, b->n_cacerts) && pubkeys_equal(a, b);
}

static bool rounds_equal(const struct conn_round *a, size_t n_a, const struct conn_round *b, size_t n_b)
{
	if (n_a != n_b)
		return false;
	for (size_t i = 0; i < n_a; i++) {
		if (!round_equal(&a[i], &b[i]))
			return false;
	}
	return true;
}

/* The sources decide; two spellings of one value count as a change. The rounds besides, as their
 * order may be that of appearance. */
bool conn_ike_equal(const struct conn *a, const struct conn *b)
{
	return rounds_equal(a->local_rounds, a->n_local_rounds, b->local_rounds, b->n_local_rounds) &&
	       rounds_equal(a->remote_rounds, a->n_remote_rounds, b->remote_rounds, b->n_remote_rounds) &&
	       entries_equal(a->source, b->source, "children");
}

static const struct tree *child_source(const struct conn *c, const struct child_conf *child)
{
	const struct tree *children = tree_find(c->source, "children");

	return children ? tree_find(children, child->name) : NULL;
}

bool child_conf_equal(const struct conn *a, const struct child_conf *ca, const struct conn *b,
		      const struct child_conf *cb)
{
	const struct tree *sa = child_source(a, ca), *sb = child_source(b, cb);

	/* the replay window's default is a setting */
	return sa && sb && strcmp(ca->name, cb->name) == 0 && ca->replay_window == cb->replay_window &&
	       entries_equal(sa, sb, NULL);
}

bool conn_equal(const struct conn *a, const struct conn *b)
{
	if (!conn_ike_equal(a, b) || a->n_children != b->n_children)
		return false;
	for (size_t i = 0; i < a->n_children; i++) {
		if (!child_conf_equal(a, &a->children[i], b, &b->children[i]))
			return false;
	}
	return true;
}

/* ---- addresses */

static bool range_contains(const struct endpoint *e, const struct addr *a)
{
	size_t n = addr_len(a);

	return e->addr.family == a->family && memcmp(e->addr.ip, a->ip, n) <= 0 &&
	       memcmp(a->ip, e->addr_to.ip, n) <= 0;
}

static int endpoint_match(const struct endpoint *e, const struct addr *a)
{
	switch (e->kind) {
	case ENDPOINT_ANY:
		return !e->addr.family || e->addr.family == a->family;
	case ENDPOINT_NAME:
		return 1;
	case ENDPOINT_ADDR:
		return addr_equal_ip(&e->addr, a) && (!e->addr.scope || e->addr.scope == a->scope) ? 3 : 0;
	case ENDPOINT_PREFIX:
		return prefix_contains(&e->prefix, a) ? 2 : 0;
	case ENDPOINT_RANGE:
		return range_contains(e, a) ? 2 : 0;
	}
	return 0;
}

bool endpoint_is_one(const struct endpoint *e)
{
	return e->kind == ENDPOINT_ADDR || e->kind == ENDPOINT_NAME;
}

bool endpoint_fits(const struct endpoint *e, const struct addr *a)
{
	return endpoint_match(e, a) > 0;
}

int endpoints_match(const struct endpoint *e, size_t n, const struct addr *a)
{
	int best = 0;

	for (size_t i = 0; i < n; i++) {
		int m = endpoint_match(&e[i], a);

		if (m > best)
			best = m;
	}
	return best;
}
