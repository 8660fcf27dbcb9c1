/* SPDX-License-Identifier: Apache-2.0 */
#include "policy.h"

#include <stdlib.h>

#include "util/hash.h"
#include "util/mem.h"

/* One shape. Sorted by rank in its family's array. */
struct policy_class {
	uint32_t priority;
	uint8_t local_len, remote_len; /* bits */
	struct hashtab pairs;
};

/* All policies of one pair of prefixes, the most specific first. */
struct policy_pair {
	struct hashnode node;
	uint8_t local[16], remote[16];
	struct policy *first;
};

struct policy {
	struct policy *next;
	struct policy_pair *pair;
	const struct ts *local, *remote;
	void *child;
	uint32_t priority;
	uint8_t local_len, remote_len;
	uint8_t order; /* among those of equal rank */
};

enum policy_order { POLICY_ORDER_SHUNT, POLICY_ORDER_SA, POLICY_ORDER_TRAP };

struct policy_family {
	struct policy_class **classes;
	size_t n;
};

struct policy_table {
	struct hash_key key;
	struct policy_family families[2]; /* IPv4, IPv6 */
	size_t count;
};

struct policy_table *policy_table_new(const struct hash_key *key)
{
	struct policy_table *t = xcalloc(1, sizeof(*t));

	t->key = *key;
	return t;
}

void policy_table_free(struct policy_table *t)
{
	if (!t)
		return;
	for (int i = 0; i < 2; i++)
		free(t->families[i].classes);
	free(t);
}

size_t policy_table_count(const struct policy_table *t)
{
	return t->count;
}

static bool ts_pair_fits(const struct ts *local, const struct ts *remote)
{
	return local->family == remote->family &&
	       (local->protocol == 0 || remote->protocol == 0 || local->protocol == remote->protocol);
}

size_t policy_count(struct ts_list local, struct ts_list remote)
{
	size_t n = 0;

	for (size_t i = 0; i < local.count; i++)
		for (size_t j = 0; j < remote.count; j++)
			n += ts_pair_fits(&local.p[i], &remote.p[j]);
	return n;
}

struct policy *policies_new(struct ts_list local, struct ts_list remote, uint32_t priority, void *child,
			    size_t *ret_count)
{
	size_t n = 0;
	struct policy *list = xcalloc(policy_count(local, remote), sizeof(*list));

	for (size_t i = 0; i < local.count; i++) {
		for (size_t j = 0; j < remote.count; j++) {
			if (!ts_pair_fits(&local.p[i], &remote.p[j]))
				continue;
			list[n++] = (struct policy){
				.local = &local.p[i],
				.remote = &remote.p[j],
				.child = child,
				.priority = priority ? priority : POLICY_PRIORITY_COMPUTED,
				.local_len = ts_cover(&local.p[i]).len,
				.remote_len = ts_cover(&remote.p[j]).len,
			};
		}
	}
	*ret_count = n;
	return list;
}

/* Size of a range as a big-endian number, less one. */
static void ts_range_size(const struct ts *ts, uint8_t *ret)
{
	int borrow = 0;

	for (int i = 16; i-- > 0;) {
		int d = ts->to[i] - ts->from[i] - borrow;

		borrow = d < 0;
		ret[i] = (uint8_t)d;
	}
}

static int ts_range_compare(const struct ts *a, const struct ts *b)
{
	uint8_t size_a[16], size_b[16];

	ts_range_size(a, size_a);
	ts_range_size(b, size_b);
	return memcmp(size_a, size_b, 16);
}

static int policy_ports(const struct policy *p)
{
	return (uint16_t)(p->local->port_to - p->local->port_from) +
	       (uint16_t)(p->remote->port_to - p->remote->port_from);
}

static bool policy_has_protocol(const struct policy *p)
{
	return p->local->protocol || p->remote->protocol;
}

/* Within one pair of prefixes: below 0 if a is the more specific. */
static int policy_compare(const struct policy *a, const struct policy *b)
{
	int c = ts_range_compare(a->remote, b->remote);

	if (c == 0)
		c = ts_range_compare(a->local, b->local);
	if (c == 0)
		c = policy_has_protocol(b) - policy_has_protocol(a);
	if (c == 0)
		c = policy_ports(a) - policy_ports(b);
	return c;
}

static int class_compare(const struct policy_class *c, const struct policy *p)
{
	int sum_c = c->local_len + c->remote_len, sum_p = p->local_len + p->remote_len;

	if (c->priority != p->priority)
		return c->priority < p->priority ? -1 : 1;
	if (sum_c != sum_p)
		return sum_p - sum_c;
	return p->remote_len - c->remote_len;
}

static struct policy_family *policy_family(const struct policy_table *t, uint8_t family)
{
	return (struct policy_family *)&t->families[family == AF_INET6];
}

/* Index of the policy's class, or where it would have to go. */
static size_t class_index(const struct policy_family *fam, const struct policy *p, bool *ret_found)
{
	size_t low = 0, high = fam->n;

	while (low < high) {
		size_t mid = (low + high) / 2;

		if (class_compare(fam->classes[mid], p) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	*ret_found = low < fam->n && class_compare(fam->classes[low], p) == 0;
	return low;
}

static struct policy_class *class_get(struct policy_family *fam, const struct policy *p)
{
	bool found;
	size_t i = class_index(fam, p, &found);
	struct policy_class *c;

	if (found)
		return fam->classes[i];
	c = xcalloc(1, sizeof(*c));
	c->priority = p->priority;
	c->local_len = p->local_len;
	c->remote_len = p->remote_len;
	fam->classes = xrealloc(fam->classes, (fam->n + 1) * sizeof(*fam->classes));
	memmove(fam->classes + i + 1, fam->classes + i, (fam->n - i) * sizeof(*fam->classes));
	fam->classes[i] = c;
	fam->n++;
	return c;
}

static void class_drop_if_empty(struct policy_family *fam, const struct policy *p)
{
	bool found;
	size_t i = class_index(fam, p, &found);

	if (!found || fam->classes[i]->pairs.count)
		return;
	hashtab_clear(&fam->classes[i]->pairs);
	free(fam->classes[i]);
	fam->n--;
	memmove(fam->classes + i, fam->classes + i + 1, (fam->n - i) * sizeof(*fam->classes));
}

/* The first `len` bits of an address. */
static void ip_mask(const uint8_t *ip, size_t size, uint8_t len, uint8_t *ret)
{
	size_t whole = len / 8;

	memcpy(ret, ip, whole);
	if (len % 8)
		ret[whole] = ip[whole] & (uint8_t)(0xff00 >> len % 8);
	whole += len % 8 != 0;
	memset(ret + whole, 0, size - whole);
}

static struct policy_pair *pair_find(const struct policy_table *t, const struct policy_class *c, size_t size,
				     const uint8_t *local, const uint8_t *remote, uint64_t *ret_hash)
{
	uint8_t both[32];

	ip_mask(local, size, c->local_len, both);
	ip_mask(remote, size, c->remote_len, both + size);
	*ret_hash = hash_bytes(&t->key, bytes_of(both, 2 * size));
	for (struct hashnode *n = hashtab_first(&c->pairs, *ret_hash); n; n = hashtab_next(n)) {
		struct policy_pair *pair = container_of(n, struct policy_pair, node);

		if (memcmp(pair->local, both, size) == 0 && memcmp(pair->remote, both + size, size) == 0)
			return pair;
	}
	return NULL;
}

static size_t ts_addr_size(const struct ts *ts)
{
	return ts->family == AF_INET ? 4 : 16;
}

static struct policy_pair *pair_get(struct policy_table *t, struct policy_class *c, const struct policy *p)
{
	size_t size = ts_addr_size(p->local);
	uint64_t hash;
	struct policy_pair *pair = pair_find(t, c, size, p->local->from, p->remote->from, &hash);

	if (pair)
		return pair;
	pair = xcalloc(1, sizeof(*pair));
	ip_mask(p->local->from, size, c->local_len, pair->local);
	ip_mask(p->remote->from, size, c->remote_len, pair->remote);
	hashtab_insert(&c->pairs, &pair->node, hash);
	return pair;
}

static bool policy_same(const struct policy *a, const struct policy *b)
{
	return ts_equal(a->local, b->local) && ts_equal(a->remote, b->remote);
}

/* Where a policy that waits goes: behind the first with its selectors. Else it need not wait. */
static struct policy **pair_waiting_place(struct policy **at, const struct policy *p)
{
	for (struct policy **it = at; *it && policy_compare(*it, p) == 0 && (*it)->order == POLICY_ORDER_SA; it = &(*it)->next)
		if (policy_same(*it, p))
			return &(*it)->next;
	return at;
}

static uint8_t policy_order(enum policy_place place)
{
	switch (place) {
	case POLICY_SHUNT:
		return POLICY_ORDER_SHUNT;
	case POLICY_NEWEST:
	case POLICY_WAITS:
		return POLICY_ORDER_SA;
	case POLICY_TRAP:
		return POLICY_ORDER_TRAP;
	}
	return POLICY_ORDER_SA;
}

static void pair_insert(struct policy_pair *pair, struct policy *p, enum policy_place place)
{
	struct policy **at = &pair->first;

	while (*at && policy_compare(*at, p) < 0)
		at = &(*at)->next;
	p->order = policy_order(place);
	while (*at && policy_compare(*at, p) == 0 && ((*at)->order < p->order || place == POLICY_TRAP))
		at = &(*at)->next;
	if (place == POLICY_WAITS)
		at = pair_waiting_place(at, p);
	p->pair = pair;
	p->next = *at;
	*at = p;
}

void policies_add(struct policy_table *t, struct policy *list, size_t count, enum policy_place place)
{
	for (size_t i = 0; i < count; i++) {
		struct policy *p = &list[i];
		struct policy_class *c = class_get(policy_family(t, p->local->family), p);

		pair_insert(pair_get(t, c, p), p, place);
		t->count++;
	}
}

void policies_remove(struct policy_table *t, struct policy *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct policy *p = &list[i];
		struct policy_family *fam = policy_family(t, p->local->family);
		struct policy **at = &p->pair->first;

		while (*at != p)
			at = &(*at)->next;
		*at = p->next;
		t->count--;
		if (!p->pair->first) {
			hashtab_remove(&class_get(fam, p)->pairs, &p->pair->node);
			free(p->pair);
			class_drop_if_empty(fam, p);
		}
		p->pair = NULL;
	}
}

void *policy_find(const struct policy_table *t, const struct flow *f)
{
	const struct policy_family *fam = policy_family(t, f->family);
	size_t size = f->family == AF_INET ? 4 : 16;

	for (size_t i = 0; i < fam->n; i++) {
		uint64_t hash;
		const struct policy_pair *pair = pair_find(t, fam->classes[i], size, f->src, f->dst, &hash);

		for (const struct policy *p = pair ? pair->first : NULL; p; p = p->next)
			if (flow_matches(f, true, p->local, p->remote))
				return p->child;
	}
	return NULL;
}
