/* SPDX-License-Identifier: Apache-2.0 */
#include "route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/log.h"

#define ROUTE_SOURCE_USERS 16

struct route {
	struct hashnode node;
	struct prefix dst;
	struct list users[2]; /* route_use, of kind device and throw */
	enum rtnl_route_kind kind; /* as the kernel has it */
	struct addr src;
};

/* A child's share in a route. */
struct route_use {
	struct list link;
	struct route *route;
	const struct kernel_handle *child;
};

/* ---- ranges to prefixes, on addresses as big-endian numbers ---- */

static bool ip_bit(const uint8_t *ip, unsigned bit)
{
	return ip[bit / 8] >> (7 - bit % 8) & 1;
}

/* The last address of the prefix of `len` bits at ip. */
static void ip_last(const uint8_t *ip, unsigned size, unsigned len, uint8_t *ret)
{
	memcpy(ret, ip, size);
	for (unsigned bit = len; bit < size * 8; bit++)
		ret[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
}

/* False: it was the highest. */
static bool ip_next(uint8_t *ip, unsigned size)
{
	while (size-- > 0)
		if (++ip[size])
			return true;
	return false;
}

size_t route_prefixes(const struct ts *ts, struct prefix ret[ROUTE_PREFIXES_MAX])
{
	unsigned size = ts->family == AF_INET ? 4 : 16;
	uint8_t at[16] = { 0 }, last[16];
	size_t n = 0;

	memcpy(at, ts->from, size);
	do {
		unsigned len = size * 8;

		while (len > 0 && !ip_bit(at, len - 1)) {
			ip_last(at, size, len - 1, last);
			if (memcmp(last, ts->to, size) > 0)
				break;
			len--;
		}
		ret[n++] = (struct prefix){ addr_from_ip(ts->family, at), (uint8_t)len };
		ip_last(at, size, len, at);
	} while (memcmp(at, ts->to, size) < 0 && ip_next(at, size) && n < ROUTE_PREFIXES_MAX);
	return n;
}

/* ---- sources ---- */

static bool addr_is_known(const struct route_table *t, const struct addr *a)
{
	for (size_t i = 0; i < t->n_addrs; i++)
		if (addr_equal_ip(&t->addrs[i], a))
			return true;
	return false;
}

/* A selector for everything says nothing about which source is meant. */
static bool ts_names(const struct ts *ts, const struct addr *a)
{
	struct ts host = ts_from_addr(a);

	return ts->family == a->family && ts_cover(ts).len > 0 && memcmp(ts->from, host.from, 16) <= 0 &&
	       memcmp(ts->to, host.from, 16) >= 0;
}

static bool ts_list_names(struct ts_list list, const struct addr *a)
{
	for (size_t i = 0; i < list.count; i++)
		if (ts_names(&list.p[i], a))
			return true;
	return false;
}

static struct addr route_source(const struct route_table *t, const struct kernel_handle *c, uint8_t family)
{
	for (size_t i = 0; i < c->n_vips; i++)
		if (c->vips[i].family == family && addr_is_known(t, &c->vips[i]))
			return c->vips[i];
	for (size_t i = 0; i < t->n_addrs; i++)
		if (t->addrs[i].family == family && ts_list_names(c->local_ts, &t->addrs[i]))
			return t->addrs[i];
	return (struct addr){ 0 };
}

bool routes_is_local(const struct route_table *t, struct ts_list local_ts)
{
	for (size_t i = 0; i < t->n_addrs; i++)
		if (ts_list_names(local_ts, &t->addrs[i]))
			return true;
	return false;
}

/* ---- the table ---- */

static uint64_t route_hash(const struct route_table *t, const struct prefix *p)
{
	uint8_t key[18] = { p->net.family, p->len };

	memcpy(key + 2, p->net.ip, 16);
	return hash_bytes(&t->hash_key, bytes_of(key, sizeof(key)));
}

static struct route *route_get(struct route_table *t, const struct prefix *dst)
{
	uint64_t hash = route_hash(t, dst);
	struct route *route;

	for (struct hashnode *n = hashtab_first(&t->routes, hash); n; n = hashtab_next(n)) {
		route = container_of(n, struct route, node);
		if (route->dst.len == dst->len && addr_equal_ip(&route->dst.net, &dst->net))
			return route;
	}
	route = xcalloc(1, sizeof(*route));
	route->dst = *dst;
	list_init(&route->users[0]);
	list_init(&route->users[1]);
	hashtab_insert(&t->routes, &route->node, hash);
	return route;
}

static struct rtnl_route route_as(const struct route_table *t, const struct route *route, enum rtnl_route_kind kind,
				  const struct addr *src)
{
	return (struct rtnl_route){ route->dst, kind, t->ifindex, t->table, *src };
}

/* The newest users decide; a default route of thousands is not searched for more. */
static struct addr route_best_source(const struct route_table *t, const struct route *route)
{
	struct addr src = { 0 };
	int left = ROUTE_SOURCE_USERS;

	LIST_FOREACH(it, &route->users[0])
	{
		if (src.family || left-- == 0)
			break;
		src = route_source(t, list_entry(it, struct route_use, link)->child, route->dst.net.family);
	}
	return src;
}

/* Makes the kernel's route what the users want; 0 or errno. */
static int route_sync(struct route_table *t, struct route *route)
{
	enum rtnl_route_kind kind = !list_empty(&route->users[0]) ? RTNL_ROUTE_DEVICE :
				    !list_empty(&route->users[1]) ? RTNL_ROUTE_THROW :
								    RTNL_ROUTE_NONE;
	struct addr src = { 0 };
	struct rtnl_route now;
	int e = 0;

	if (kind == RTNL_ROUTE_DEVICE)
		src = route_best_source(t, route);
	if (kind == route->kind && addr_equal_ip(&src, &route->src))
		return 0;
	if (route->kind != RTNL_ROUTE_NONE && kind != route->kind) {
		now = route_as(t, route, route->kind, &route->src);
		(void)rtnl_route_del(t->rtnl, &now); /* gone is fine */
		route->kind = RTNL_ROUTE_NONE;
	}
	if (kind != RTNL_ROUTE_NONE) {
		now = route_as(t, route, kind, &src);
		e = rtnl_route_set(t->rtnl, &now);
		/* The address went a moment ago: its change is still to be read. */
		if (e == EINVAL && src.family) {
			src = now.src = (struct addr){ 0 };
			e = rtnl_route_set(t->rtnl, &now);
		}
	}
	if (e == 0) {
		route->kind = kind;
		route->src = src;
	}
	return e;
}

static void route_use_end(struct route_table *t, struct route_use *use)
{
	struct route *route = use->route;

	list_del(&use->link);
	(void)route_sync(t, route);
	if (!list_empty(&route->users[0]) || !list_empty(&route->users[1]))
		return;
	hashtab_remove(&t->routes, &route->node);
	free(route);
}

void routes_remove(struct route_table *t, struct kernel_handle *c)
{
	for (size_t i = 0; i < c->n_routes; i++)
		route_use_end(t, &c->routes[i]);
	free(c->routes);
	c->routes = NULL;
	c->n_routes = 0;
}

/* ---- what a child needs ---- */

struct route_wish {
	struct prefix dst;
	bool throw;
};

struct route_wishes {
	struct route_wish *list;
	size_t n;
};

static void wish_add(struct route_wishes *w, const struct prefix *dst, bool throw)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->list[i].throw == throw && w->list[i].dst.len == dst->len &&
		    addr_equal_ip(&w->list[i].dst.net, &dst->net))
			return;
	if (w->n % 16 == 0)
		w->list = xrealloc(w->list, (w->n + 16) * sizeof(*w->list));
	w->list[w->n++] = (struct route_wish){ *dst, throw };
}

/* Whether a remote prefix is wider than a local one and holds it. */
static bool wish_swallows(const struct route_wishes *w, size_t n_remote, const struct prefix *local)
{
	for (size_t i = 0; i < n_remote; i++)
		if (w->list[i].dst.len < local->len && prefix_contains(&w->list[i].dst, &local->net))
			return true;
	return false;
}

static bool wishes_of(const struct kernel_handle *c, struct route_wishes *w, struct errtext *err)
{
	struct prefix prefixes[ROUTE_PREFIXES_MAX];
	size_t n_remote;

	for (size_t i = 0; i < c->remote_ts.count && w->n <= ROUTES_MAX_PER_CHILD; i++) {
		size_t n = route_prefixes(&c->remote_ts.p[i], prefixes);

		for (size_t j = 0; j < n; j++)
			wish_add(w, &prefixes[j], false);
	}
	n_remote = w->n;
	for (size_t i = 0; i < c->local_ts.count && w->n <= ROUTES_MAX_PER_CHILD; i++) {
		size_t n = route_prefixes(&c->local_ts.p[i], prefixes);

		for (size_t j = 0; j < n; j++)
			if (wish_swallows(w, n_remote, &prefixes[j]))
				wish_add(w, &prefixes[j], true);
	}
	if (w->n <= ROUTES_MAX_PER_CHILD)
		return true;
	errtext_set(err, "%s: its selectors need more than %d routes", c->name, ROUTES_MAX_PER_CHILD);
	return false;
}

bool routes_add(struct route_table *t, struct kernel_handle *c, struct errtext *err)
{
	struct route_wishes w = { 0 };
	bool ok = wishes_of(c, &w, err);

	if (ok)
		c->routes = xcalloc(w.n, sizeof(*c->routes));
	for (size_t i = 0; i < w.n && ok; i++) {
		struct route_use *use = &c->routes[c->n_routes++];
		int e;

		use->route = route_get(t, &w.list[i].dst);
		use->child = c;
		/* The newest decides on the source. */
		list_add_head(&use->route->users[w.list[i].throw], &use->link);
		e = route_sync(t, use->route);
		if (e == 0)
			continue;
		errtext_set(err, "%s: cannot add the route to %s/%u in table %u: %s", c->name,
			    addr_format(&w.list[i].dst.net).s, w.list[i].dst.len, t->table, strerror(e));
		ok = false;
	}
	free(w.list);
	if (!ok)
		routes_remove(t, c);
	return ok;
}

/* ---- changes of addresses ---- */

static void routes_addr(void *arg, const struct addr *a)
{
	struct route_table *t = arg;

	if (t->n_addrs % 16 == 0)
		t->addrs = xrealloc(t->addrs, (t->n_addrs + 16) * sizeof(*t->addrs));
	t->addrs[t->n_addrs++] = *a;
}

static void routes_sync_all(struct route_table *t)
{
	for (size_t i = 0; i < t->routes.size; i++) {
		for (struct hashnode *n = t->routes.buckets[i]; n; n = n->next) {
			struct route *route = container_of(n, struct route, node);
			int e = route_sync(t, route);

			if (e)
				LOG(KNL, LOG_LEVEL_CONTROL, "cannot renew the route to %s/%u: %s",
				    addr_format(&route->dst.net).s, route->dst.len, strerror(e));
		}
	}
}

void routes_refresh(struct route_table *t)
{
	t->n_addrs = 0;
	(void)rtnl_addresses(t->rtnl, routes_addr, t);
	routes_sync_all(t);
}

void routes_forget_source(void *table, const struct addr *a)
{
	struct route_table *t = table;

	for (size_t i = 0; i < t->routes.size; i++)
		for (struct hashnode *n = t->routes.buckets[i]; n; n = n->next) {
			struct route *route = container_of(n, struct route, node);

			if (route->kind == RTNL_ROUTE_DEVICE && addr_equal_ip(&route->src, a))
				route->kind = RTNL_ROUTE_NONE;
		}
}

void routes_clear(struct route_table *t)
{
	hashtab_clear(&t->routes);
	free(t->addrs);
	t->addrs = NULL;
	t->n_addrs = 0;
}
