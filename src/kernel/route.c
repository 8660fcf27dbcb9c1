/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/route.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/log.h"

#define ROUTE_SOURCE_USERS 16

/* What the kernel has, or should have. */
struct route_state {
	enum rtnl_route_kind kind;
	struct rtnl_via via;
	struct addr src;
};

struct route {
	struct hashnode node;
	struct prefix dst;
	struct list users[2]; /* route_use, of kind device and throw */
	struct route_state now; /* as the kernel has it */
	bool unsure;            /* or perhaps has no more */
};

/* A child's share in a route. */
struct route_use {
	struct list link;
	struct route *route;
	const struct route_user *user;
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
		if (addr_equal_ip(&t->addrs[i].addr, a))
			return true;
	return false;
}

static bool ts_has(const struct ts *ts, const struct addr *a)
{
	struct ts host = ts_from_addr(a);

	return ts->family == a->family && memcmp(ts->from, host.from, 16) <= 0 && memcmp(ts->to, host.from, 16) >= 0;
}

/* bits: of selectors at least as narrow. */
static bool ts_list_has(struct ts_list list, const struct addr *a, unsigned bits)
{
	for (size_t i = 0; i < list.count; i++)
		if (ts_has(&list.p[i], a) && ts_cover(&list.p[i]).len >= bits)
			return true;
	return false;
}

/* A selector for everything says nothing about which source is meant. */
static bool ts_list_names(struct ts_list list, const struct addr *a)
{
	return ts_list_has(list, a, 1);
}

/* Another child's virtual address only if there is nothing else. */
static struct addr route_source(const struct route_table *t, const struct route_user *c, uint8_t family)
{
	struct addr src = { 0 };

	for (size_t i = 0; i < c->n_vips; i++)
		if (c->vips[i].family == family && ts_list_has(c->local_ts, &c->vips[i], 0) && addr_is_known(t, &c->vips[i]))
			return c->vips[i];
	for (size_t i = 0; i < t->n_addrs; i++) {
		const struct route_addr *a = &t->addrs[i];

		if (a->addr.family != family || (a->vip && src.family) || !ts_list_names(c->local_ts, &a->addr))
			continue;
		src = a->addr;
		if (!a->vip)
			break;
	}
	return src;
}

bool routes_is_local(const struct route_table *t, struct ts_list local_ts)
{
	for (size_t i = 0; i < t->n_addrs; i++)
		if (ts_list_names(local_ts, &t->addrs[i].addr))
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

static struct rtnl_route route_as(const struct route_table *t, const struct route *route, const struct route_state *as)
{
	return (struct rtnl_route){ .dst = route->dst, .kind = as->kind, .via = as->via, .table = t->table,
				    .src = as->src, .mtu = t->mtu, .mss = t->mss };
}

static bool route_state_equal(const struct route_state *a, const struct route_state *b)
{
	return a->kind == b->kind && a->via.ifindex == b->via.ifindex &&
	       addr_equal_ip(&a->via.gateway, &b->via.gateway) && addr_equal_ip(&a->src, &b->src);
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
		src = route_source(t, list_entry(it, struct route_use, link)->user, route->dst.net.family);
	}
	return src;
}

/* The newest user that has one. */
static struct rtnl_via route_best_via(const struct route *route)
{
	struct rtnl_via none = { 0 };
	int left = ROUTE_SOURCE_USERS;

	LIST_FOREACH(it, &route->users[0])
	{
		const struct route_user *u = list_entry(it, struct route_use, link)->user;

		if (u->via.ifindex)
			return u->via;
		if (--left == 0)
			break;
	}
	return none;
}

static struct route_state route_wanted(const struct route_table *t, const struct route *route)
{
	struct route_state want = { RTNL_ROUTE_NONE, { 0 }, { 0 } };

	if (!list_empty(&route->users[0]))
		want.via = route_best_via(route);
	if (want.via.ifindex) {
		want.kind = RTNL_ROUTE_DEVICE;
		want.src = route_best_source(t, route);
	} else if (list_empty(&route->users[0]) && !list_empty(&route->users[1])) {
		want.kind = RTNL_ROUTE_THROW;
	}
	return want;
}

/* Makes the kernel's route what the users want; 0 or errno. */
static int route_sync(struct route_table *t, struct route *route)
{
	struct route_state want = route_wanted(t, route);
	struct rtnl_route r;
	int e = 0;

	if (!route->unsure && route_state_equal(&want, &route->now))
		return 0;
	/* IPv6 replaces by destination and metric, and has no replacement between kinds. */
	if (route->now.kind != RTNL_ROUTE_NONE &&
	    (want.kind != route->now.kind || want.via.ifindex != route->now.via.ifindex)) {
		r = route_as(t, route, &route->now);
		if (want.kind == RTNL_ROUTE_NONE || route->dst.net.family == AF_INET6 || want.kind != route->now.kind)
			(void)rtnl_route_del(t->rtnl, &r); /* gone is fine */
		route->now.kind = RTNL_ROUTE_NONE;
	}
	if (want.kind != RTNL_ROUTE_NONE) {
		r = route_as(t, route, &want);
		e = rtnl_route_set(t->rtnl, &r);
		/* The address went a moment ago: its change is still to be read. */
		if (e == EINVAL && want.src.family) {
			want.src = r.src = (struct addr){ 0 };
			e = rtnl_route_set(t->rtnl, &r);
		}
	}
	if (e == 0)
		route->now = want;
	route->unsure = e != 0;
	return e;
}

/* ---- ways ---- */

/* False: it is as it was. */
static bool user_find_way(struct route_table *t, struct route_user *u)
{
	struct rtnl_via via = { .ifindex = t->ifindex };
	uint32_t table;

	if (u->peer.family && rtnl_route_lookup(t->rtnl, &u->peer, &t->look_as, &via, &table) != 0)
		via = (struct rtnl_via){ 0 };
	/* The rule could not be told to spare look-ups: what we found is our own route. */
	else if (u->peer.family && table == t->table && u->via.ifindex)
		return false;
	if (via.ifindex == u->via.ifindex && addr_equal_ip(&via.gateway, &u->via.gateway))
		return false;
	u->via = via;
	return true;
}

/* The user's way changed. */
static void user_sync(struct route_table *t, struct route_user *u)
{
	for (size_t i = 0; i < u->n_uses; i++) {
		struct route *route = u->uses[i].route;
		int e = route_sync(t, route);

		if (e)
			LOG(KNL, LOG_LEVEL_CONTROL, "%s: cannot move the route to %s/%u: %s", u->name,
			    addr_format(&route->dst.net).s, route->dst.len, strerror(e));
	}
}

void routes_move(struct route_table *t, struct route_user *u, const struct addr *peer)
{
	u->peer = *peer;
	if (u->n_uses && user_find_way(t, u))
		user_sync(t, u);
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

void routes_remove(struct route_table *t, struct route_user *u)
{
	for (size_t i = 0; i < u->n_uses; i++)
		route_use_end(t, &u->uses[i]);
	if (u->uses)
		list_del(&u->link);
	free(u->uses);
	u->uses = NULL;
	u->n_uses = 0;
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

static bool wishes_of(const struct route_user *c, struct route_wishes *w, struct errtext *err)
{
	struct prefix prefixes[ROUTE_PREFIXES_MAX];
	size_t n_remote;

	for (size_t i = 0; i < c->remote_ts.count && w->n <= ROUTES_MAX_PER_CHILD; i++) {
		size_t n = route_prefixes(&c->remote_ts.p[i], prefixes);

		for (size_t j = 0; j < n; j++)
			wish_add(w, &prefixes[j], c->bypass);
	}
	n_remote = w->n;
	for (size_t i = 0; i < c->local_ts.count && !c->bypass && w->n <= ROUTES_MAX_PER_CHILD; i++) {
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

bool routes_add(struct route_table *t, struct route_user *u, struct errtext *err)
{
	struct route_wishes w = { 0 };
	bool ok = wishes_of(u, &w, err);

	if (ok) {
		u->uses = xcalloc(w.n, sizeof(*u->uses));
		list_add_tail(&t->users, &u->link);
		(void)user_find_way(t, u);
	}
	for (size_t i = 0; i < w.n && ok; i++) {
		struct route_use *use = &u->uses[u->n_uses++];
		int e;

		use->route = route_get(t, &w.list[i].dst);
		use->user = u;
		/* The newest decides on the source. */
		list_add_head(&use->route->users[w.list[i].throw], &use->link);
		e = route_sync(t, use->route);
		if (e == 0)
			continue;
		errtext_set(err, "%s: cannot add the route to %s/%u in table %u: %s", u->name,
			    addr_format(&w.list[i].dst.net).s, w.list[i].dst.len, t->table, strerror(e));
		ok = false;
	}
	free(w.list);
	if (!ok)
		routes_remove(t, u);
	return ok;
}

/* ---- changes of addresses ---- */

static void routes_addr(void *arg, const struct addr *a, bool vip)
{
	struct route_table *t = arg;

	if (t->n_addrs == t->max_addrs) {
		t->max_addrs = t->max_addrs ? 2 * t->max_addrs : 16;
		t->addrs = xrealloc(t->addrs, t->max_addrs * sizeof(*t->addrs));
	}
	t->addrs[t->n_addrs++] = (struct route_addr){ *a, vip };
}

void routes_know_vip(struct route_table *t, const struct addr *a)
{
	if (!addr_is_known(t, a))
		routes_addr(t, a, true);
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
	if (!t->ifindex)
		LIST_FOREACH(it, &t->users)
			(void)user_find_way(t, list_entry(it, struct route_user, link));
	routes_sync_all(t);
}

static bool route_may_be_gone(const struct route *route, const struct addr *a, unsigned ifindex)
{
	if (route->now.kind != RTNL_ROUTE_DEVICE)
		return false;
	if (a->family && addr_equal_ip(&route->now.src, a))
		return true;
	return ifindex ? route->now.via.ifindex == ifindex : !a->family;
}

/* With an address may go all routes of its device. */
bool routes_forget(void *table, const struct addr *a, bool vip, unsigned ifindex)
{
	struct route_table *t = table;
	bool any = false;

	for (size_t i = 0; i < t->routes.size; i++)
		for (struct hashnode *n = t->routes.buckets[i]; n; n = n->next) {
			struct route *route = container_of(n, struct route, node);

			if (route_may_be_gone(route, a, ifindex))
				any = route->unsure = true;
		}
	return any;
}

void routes_init(struct route_table *t)
{
	list_init(&t->users);
}

void routes_clear(struct route_table *t)
{
	hashtab_clear(&t->routes);
	free(t->addrs);
	t->addrs = NULL;
	t->n_addrs = t->max_addrs = 0;
}
