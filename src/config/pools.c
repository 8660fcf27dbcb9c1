/* SPDX-License-Identifier: Apache-2.0 */
#include "config/pools.h"

#include <stdlib.h>

#include "config/value.h"
#include "util/mem.h"

#define POOL_HOST_BITS 31 /* of a larger net so much of it */

/* ---- addresses ---- */

/* size: how many there are from the first on. */
static bool range_set(const struct addr *first, uint64_t size, struct lease_range *ret)
{
	if (size == 0)
		return false;
	*ret = (struct lease_range){ *first, size > LIMIT_POOL_SIZE ? LIMIT_POOL_SIZE : (uint32_t)size };
	return true;
}

/* Both ends belong to it. */
static bool range_parse(struct bytes from, struct bytes to, struct addr *ret_base, struct lease_range *ret)
{
	struct addr a, b;
	uint64_t diff = 0;

	if (!addr_parse(from, &a) || !addr_parse(to, &b) || a.scope || b.scope || a.family != b.family ||
	    memcmp(a.ip, b.ip, addr_len(&a)) > 0)
		return false;
	for (size_t i = 0; i < addr_len(&a) && diff <= UINT32_MAX; i++)
		diff = diff * 256 + b.ip[i] - a.ip[i];
	*ret_base = a;
	return range_set(&a, diff > UINT32_MAX ? LIMIT_POOL_SIZE : diff + 1, ret);
}

static bool prefix_len_parse(struct bytes text, unsigned bits, unsigned *ret)
{
	unsigned v = 0;

	if (text.n == 0 || text.n > 3)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		v = 10 * v + (text.p[i] - '0');
	}
	*ret = v;
	return v <= bits;
}

/* The number that the last bits make. */
static uint32_t addr_host_part(const struct addr *a, unsigned host_bits)
{
	uint32_t v = 0;

	for (size_t i = addr_len(a) - 4; i < addr_len(a); i++)
		v = v << 8 | a->ip[i];
	return v & ((1u << host_bits) - 1);
}

static void addr_add(struct addr *a, unsigned n)
{
	for (size_t i = addr_len(a); i-- && n;) {
		n += a->ip[i];
		a->ip[i] = (uint8_t)n;
		n >>= 8;
	}
}

/*
 * From the network address: all but that and the broadcast address, if there are more than two. From one above it: from there on, the
 * broadcast address left out.
 */
static bool cidr_parse(struct bytes net, struct bytes len, struct addr *ret_base, struct lease_range *ret)
{
	struct addr a;
	unsigned prefix, host_bits;
	uint32_t total, at;

	if (!addr_parse(net, &a) || a.scope || !prefix_len_parse(len, (unsigned)(8 * addr_len(&a)), &prefix))
		return false;
	host_bits = (unsigned)(8 * addr_len(&a)) - prefix;
	if (host_bits > POOL_HOST_BITS)
		host_bits = POOL_HOST_BITS;
	total = 1u << host_bits;
	at = addr_host_part(&a, host_bits);
	*ret_base = a;
	if (host_bits > 1 && at == 0)
		addr_add(&a, at = 1);
	return range_set(&a, total - at - (host_bits > 1), ret);
}

static bool addrs_parse(struct bytes text, struct addr *ret_base, struct lease_range *ret)
{
	const uint8_t *slash = text.n ? memchr(text.p, '/', text.n) : NULL, *dash = text.n ? memchr(text.p, '-', text.n) : NULL;
	const uint8_t *at = slash ? slash : dash;
	struct bytes before, after;

	if (!at)
		return range_parse(text, text, ret_base, ret); /* a single one */
	before = bytes_of(text.p, (size_t)(at - text.p));
	after = bytes_of(at + 1, text.n - before.n - 1);
	return slash ? cidr_parse(before, after, ret_base, ret) : range_parse(before, after, ret_base, ret);
}

/* ---- a pool ---- */

struct pool *pool_ref(const struct pool *p)
{
	struct pool *mine = (struct pool *)p;

	atomic_fetch_add_explicit(&mine->refs, 1, memory_order_relaxed);
	return mine;
}

void pool_unref(const struct pool *p)
{
	struct pool *mine = (struct pool *)p;

	if (!mine || atomic_fetch_sub_explicit(&mine->refs, 1, memory_order_acq_rel) != 1)
		return;
	leases_unref(mine->leases);
	arena_free(&mine->arena);
	free(mine);
}

/* Addresses are leased, not attributes that all have in common. */
static bool attribute_is_fit(const struct tree *list)
{
	struct cp_value any;

	if (list->kind != TREE_LIST || !cp_key_is_known(list->name) || strcmp(list->name, "address") == 0)
		return false;
	if (list->name[0] < '0' || list->name[0] > '9' || !cp_value_parse(list->name, bytes_str(""), &any))
		return true;
	return any.type != CP_ATTR_INTERNAL_IP4_ADDRESS && any.type != CP_ATTR_INTERNAL_IP6_ADDRESS;
}

static bool attribute_parse(const struct tree *list, struct cp_value *values, size_t *n, struct errtext *err)
{
	if (!attribute_is_fit(list)) {
		errtext_set(err, "invalid attribute: %s", value_is_printable(bytes_str(list->name)) ? list->name : "?");
		return false;
	}
	TREE_FOREACH(it, list) {
		if (*n == LIMIT_CP_KEPT) {
			errtext_set(err, "too many attributes: %s, a pool has at most %d", list->name, LIMIT_CP_KEPT);
			return false;
		}
		if (!value_is_printable(buf_bytes(&it->value)) || !cp_value_parse(list->name, buf_bytes(&it->value), &values[*n])) {
			errtext_set(err, "invalid attribute value for %s", list->name);
			return false;
		}
		(*n)++;
	}
	return true;
}

static bool pool_parse_entries(struct pool *p, const struct tree *section, struct errtext *err)
{
	struct cp_value values[LIMIT_CP_KEPT];
	bool addrs = false;
	size_t n = 0;

	TREE_FOREACH(it, section) {
		struct bytes text = buf_bytes(&it->value);

		if (strcmp(it->name, "addrs") != 0 || it->kind != TREE_VALUE) {
			if (!attribute_parse(it, values, &n, err))
				return false;
			continue;
		}
		addrs = addrs_parse(text, &p->base, &p->range);
		if (!addrs) {
			errtext_set(err, "invalid addrs value: %s", value_is_printable(text) ? buf_str(&it->value) : "?");
			return false;
		}
	}
	if (!addrs)
		errtext_set(err, "missing addrs for pool '%s'", section->name);
	p->attributes = arena_dup(&p->arena, values, n * sizeof(values[0]));
	p->n_attributes = n;
	return addrs;
}

struct pool *pool_parse(const struct tree *section, struct errtext *err)
{
	struct pool *p;

	if (!section->name[0] || !value_is_printable(bytes_str(section->name))) {
		errtext_set(err, "invalid section: ?");
		return NULL;
	}
	p = xcalloc(1, sizeof(*p));
	atomic_init(&p->refs, 1);
	p->name = arena_printf(&p->arena, "%s", section->name);
	if (!pool_parse_entries(p, section, err)) {
		pool_unref(p);
		return NULL;
	}
	p->leases = leases_new(&p->range);
	return p;
}

/* ---- snapshots ---- */

static struct pools *pools_ref(const struct pools *p)
{
	struct pools *mine = (struct pools *)p;

	atomic_fetch_add_explicit(&mine->refs, 1, memory_order_relaxed);
	return mine;
}

void pools_unref(const struct pools *p)
{
	struct pools *mine = (struct pools *)p;

	if (!mine || atomic_fetch_sub_explicit(&mine->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < mine->n; i++)
		pool_unref(mine->list[i]);
	free(mine->list);
	free(mine->by_name);
	free(mine);
}

static int pools_compare(const void *a, const void *b)
{
	return strcmp((*(const struct pool *const *)a)->name, (*(const struct pool *const *)b)->name);
}

static int pools_compare_name(const void *name, const void *pool)
{
	return strcmp(name, (*(const struct pool *const *)pool)->name);
}

const struct pool *pools_find(const struct pools *p, const char *name)
{
	const struct pool *const *at = p->n ? bsearch(name, p->by_name, p->n, sizeof(*p->by_name), pools_compare_name) : NULL;

	return at ? *at : NULL;
}

/* ---- the writer's side ---- */

struct pools_set {
	const struct pool **list;
	size_t n, cap;
	struct pools *snapshot; /* of the present state, or NULL */
};

struct pools_set *pools_set_new(void)
{
	return xcalloc(1, sizeof(struct pools_set));
}

void pools_set_free(struct pools_set *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->n; i++)
		pool_unref(s->list[i]);
	free(s->list);
	pools_unref(s->snapshot);
	free(s);
}

static void pools_set_changed(struct pools_set *s)
{
	pools_unref(s->snapshot);
	s->snapshot = NULL;
}

struct pools *pools_set_snapshot(struct pools_set *s)
{
	struct pools *p = s->snapshot;

	if (p)
		return pools_ref(p);
	p = s->snapshot = xcalloc(1, sizeof(*p));
	atomic_init(&p->refs, 1);
	p->n = s->n;
	p->list = xcalloc(s->n + 1, sizeof(*p->list));
	p->by_name = xcalloc(s->n + 1, sizeof(*p->by_name));
	for (size_t i = 0; i < s->n; i++)
		p->list[i] = p->by_name[i] = pool_ref(s->list[i]);
	qsort(p->by_name, p->n, sizeof(*p->by_name), pools_compare);
	return pools_ref(p);
}

static size_t pools_set_find(const struct pools_set *s, const char *name)
{
	size_t i = 0;

	while (i < s->n && strcmp(s->list[i]->name, name) != 0)
		i++;
	return i;
}

static bool pool_same_addrs(const struct pool *a, const struct pool *b)
{
	return addr_equal_ip(&a->base, &b->base) && addr_equal_ip(&a->range.first, &b->range.first) && a->range.size == b->range.size;
}

/* The leases of the old definition are those of the new one; false: they cannot be, and are in use. */
static bool pool_succeed(struct pool *pool, const struct pool *old)
{
	if (!pool_same_addrs(pool, old))
		return leases_close(old->leases);
	leases_unref(pool->leases);
	pool->leases = leases_ref(old->leases);
	return true;
}

bool pools_set_put(struct pools_set *s, struct pool *pool, struct errtext *err)
{
	size_t at = pools_set_find(s, pool->name);

	if (at < s->n && !pool_succeed(pool, s->list[at])) {
		errtext_set(err, "vici pool %s has online leases, unable to replace", pool->name);
		pool_unref(pool);
		return false;
	}
	pools_set_changed(s);
	if (at < s->n) {
		pool_unref(s->list[at]);
		s->list[at] = pool;
		return true;
	}
	if (s->n == s->cap) {
		s->cap = s->cap ? 2 * s->cap : 8;
		s->list = xrealloc(s->list, s->cap * sizeof(*s->list));
	}
	s->list[s->n++] = pool;
	return true;
}

bool pools_set_remove(struct pools_set *s, const char *name, struct errtext *err)
{
	size_t at = pools_set_find(s, name);

	if (at == s->n) {
		errtext_set(err, "%s not found", name);
		return false;
	}
	if (!leases_close(s->list[at]->leases)) {
		errtext_set(err, "%s has online leases, unable to unload", name);
		return false;
	}
	pools_set_changed(s);
	pool_unref(s->list[at]);
	memmove(&s->list[at], &s->list[at + 1], (--s->n - at) * sizeof(*s->list));
	return true;
}
