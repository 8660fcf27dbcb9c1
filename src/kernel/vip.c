/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/vip.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/ipsec.h"
#include "util/log.h"

#define AGAIN_MAX 8 /* in a row, with less than this between: */
#define AGAIN_S 60
#define RIPEN_MS 1000 /* it takes one or two */

enum vip_state {
	VIP_WAITS,  /* there is nothing to put it onto */
	VIP_OURS,   /* we put it there */
	VIP_HOSTS,  /* the host has it without us */
};

struct vip {
	struct hashnode node; /* by address */
	struct addr addr, local;
	uint32_t if_id;
	unsigned refs;
	enum vip_state state;
	bool suspect;       /* it may be gone */
	bool young;         /* IPv6, added, but perhaps not in force */
	unsigned n_again;   /* so often in a row it was put back, */
	time_t again_s;     /* the last time then */
	struct rtnl *rtnl;  /* VIP_OURS: where it is */
	unsigned ifindex;
	struct errtext why; /* VIP_WAITS, and was said */
};

struct vip_place {
	struct rtnl *rtnl;
	unsigned ifindex;
	bool tunnel; /* what goes out there may have it for a source without being asked */
};

/* ---- the table ---- */

static uint64_t vip_hash(const struct vip_table *t, const struct addr *a)
{
	return hash_bytes(&t->hash_key, bytes_of(a->ip, addr_len(a)));
}

static struct vip *vip_next(struct hashnode *n, const struct addr *a)
{
	for (; n; n = hashtab_next(n))
		if (addr_equal_ip(&container_of(n, struct vip, node)->addr, a))
			return container_of(n, struct vip, node);
	return NULL;
}

/* All with this address: there is one for each interface id. */
static struct vip *vip_first(const struct vip_table *t, const struct addr *a)
{
	return vip_next(hashtab_first(&t->all, vip_hash(t, a)), a);
}

static struct vip *vip_after(struct vip *v)
{
	return vip_next(hashtab_next(&v->node), &v->addr);
}

static struct vip *vip_find(const struct vip_table *t, const struct addr *a, uint32_t if_id)
{
	struct vip *v = vip_first(t, a);

	while (v && v->if_id != if_id)
		v = vip_after(v);
	return v;
}

static void vip_set_state(struct vip_table *t, struct vip *v, enum vip_state state)
{
	t->n_waiting -= v->state == VIP_WAITS;
	t->n_waiting += state == VIP_WAITS;
	v->state = state;
}

/* ---- where it goes ---- */

static bool vip_goes_onto_link(const struct vip_table *t, const struct vip *v)
{
	return !v->if_id && !t->on && !t->device;
}

/*
 * Once on the loopback device it stays there. A link that loses our outer address is left, too: when it gets another one IPv4 would
 * find ours first, as the source of what asks for none.
 */
static bool vip_place_on_link(struct vip_table *t, const struct vip *v, struct vip_place *ret, struct errtext *why)
{
	unsigned loopback = if_nametoindex("lo");

	if ((v->state != VIP_OURS || v->ifindex != loopback) && rtnl_addr_find(&t->rtnl, &v->local, &ret->ifindex) &&
	    rtnl_link_is_up(&t->rtnl, ret->ifindex))
		return true;
	ret->ifindex = loopback;
	if (ret->ifindex && rtnl_link_is_up(&t->rtnl, ret->ifindex))
		return true;
	errtext_set(why, "neither the link of %s nor the loopback device is up", addr_format(&v->local).s);
	return false;
}

static bool vip_find_place(struct vip_table *t, const struct vip *v, struct vip_place *ret, struct errtext *why)
{
	*ret = (struct vip_place){ .rtnl = &t->rtnl };
	if (v->if_id) {
		ret->tunnel = true;
		if (!t->find_interface || !t->find_interface(t->find_arg, &t->rtnl, v->if_id, &ret->rtnl, &ret->ifindex)) {
			errtext_set(why, "there is no XFRM interface with id %u", v->if_id);
			return false;
		}
	} else if (vip_goes_onto_link(t, v)) {
		return vip_place_on_link(t, v, ret, why);
	} else if (t->on) {
		ret->ifindex = if_nametoindex(t->on);
		if (!ret->ifindex) {
			errtext_set(why, "there is no interface named %s (install_virtual_ip_on)", t->on);
			return false;
		}
	} else {
		ret->ifindex = t->device;
		ret->tunnel = true;
	}
	if (rtnl_link_is_up(ret->rtnl, ret->ifindex))
		return true;
	errtext_set(why, "its interface is down");
	return false;
}

static const char *vip_link_name(const struct vip_place *p, char buffer[IF_NAMESIZE])
{
	const char *name = if_indextoname(p->ifindex, buffer);

	return name ? name : "an interface in another namespace";
}

/* ---- putting and taking ---- */

static struct rtnl_address vip_address(const struct vip_table *t, const struct vip *v, const struct vip_place *p)
{
	return (struct rtnl_address){ .addr = v->addr, .len = (uint8_t)(addr_len(&v->addr) * 8), .ifindex = p->ifindex,
				      .metric = t->metric, .quiet = !p->tunnel };
}

static void vip_take_off(struct vip_table *t, struct vip *v)
{
	struct vip_place p = { v->rtnl, v->ifindex, false };
	struct rtnl_address a = vip_address(t, v, &p);

	if (v->state == VIP_OURS)
		(void)rtnl_addr_del(v->rtnl, &a); /* gone is fine */
}

static void vip_wait(struct vip_table *t, struct vip *v, const struct errtext *why)
{
	vip_take_off(t, v); /* what is on a link that is down would be in the way when it comes up */
	vip_set_state(t, v, VIP_WAITS);
	if (strcmp(v->why.s, why->s) != 0)
		LOG(KNL, LOG_LEVEL_CONTROL, "virtual address %s is on no interface: %s", addr_format(&v->addr).s, why->s);
	v->why = *why;
}

/* Another of ours with the same address, for another interface, does not count. */
static bool vip_is_hosts(struct vip_table *t, const struct vip *v, const struct vip_place *p)
{
	unsigned ifindex;

	if (v->if_id || !rtnl_addr_find(p->rtnl, &v->addr, &ifindex))
		return false;
	for (struct vip *other = vip_first(t, &v->addr); other; other = vip_after(other))
		if (other->state == VIP_OURS)
			return false;
	return true;
}

static void vip_leave_to_host(struct vip_table *t, struct vip *v)
{
	vip_take_off(t, v);
	vip_set_state(t, v, VIP_HOSTS);
	LOG(KNL, LOG_LEVEL_DETAIL, "virtual address %s is this host's already", addr_format(&v->addr).s);
}

/* With someone who always removes it we do not fight for ever. */
static bool vip_may_come_back(struct vip *v)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	if (now.tv_sec - v->again_s >= AGAIN_S)
		v->n_again = 0;
	v->again_s = now.tv_sec;
	return v->n_again++ < AGAIN_MAX;
}

static void vip_put(struct vip_table *t, struct vip *v, const struct vip_place *p)
{
	bool was = v->state == VIP_OURS, moves = was && v->ifindex != p->ifindex;
	struct rtnl_address a = vip_address(t, v, p);
	char name[IF_NAMESIZE];
	struct errtext why;
	int e = rtnl_addr_add(p->rtnl, &a);

	if (e == EEXIST && was && !moves)
		return;
	if (e == EEXIST) {
		vip_leave_to_host(t, v);
		return;
	}
	if (e == 0 && was && !moves && !vip_may_come_back(v)) {
		errtext_set(&why, "somebody removes it from %s again and again", vip_link_name(p, name));
		vip_wait(t, v, &why);
		return;
	}
	if (e) {
		errtext_set(&why, "it cannot be added to %s: %s", vip_link_name(p, name), strerror(e));
		vip_wait(t, v, &why);
		return;
	}
	/* on both for a moment: connections and routes do not notice */
	if (moves)
		vip_take_off(t, v);
	vip_set_state(t, v, VIP_OURS);
	v->rtnl = p->rtnl;
	v->ifindex = p->ifindex;
	v->why.s[0] = 0;
	v->young = v->addr.family == AF_INET6;
	t->n_put++;
	if (t->routes && !v->if_id)
		routes_know_vip(t->routes, &v->addr);
	LOG(KNL, was ? LOG_LEVEL_CONTROL : LOG_LEVEL_DETAIL, "virtual address %s is on %s%s", addr_format(&v->addr).s,
	    vip_link_name(p, name), moves ? " now" : was ? " again: somebody had removed it" : "");
}

/* Puts it where it should be, or finds that it is. */
static void vip_settle(struct vip_table *t, struct vip *v)
{
	struct vip_place place;
	struct errtext why;

	if (!vip_find_place(t, v, &place, &why))
		vip_wait(t, v, &why);
	else if (v->state != VIP_OURS && vip_is_hosts(t, v, &place))
		vip_leave_to_host(t, v);
	else
		vip_put(t, v, &place);
}

/* ---- who wants it ---- */

bool vip_is_possible(const struct kernel_vip *vip, struct errtext *err)
{
	const uint8_t *ip = vip->addr.ip;
	bool v4 = vip->addr.family == AF_INET;

	if (!addr_is_any(&vip->addr) && !addr_is_link_local(&vip->addr) &&
	    (v4 ? ip[0] != 127 && ip[0] < 224 && ip[0] != 0 : ip[0] != 0xff && !IN6_IS_ADDR_LOOPBACK((const struct in6_addr *)ip)))
		return true;
	errtext_set(err, "%s cannot be an address of this host", addr_format(&vip->addr).s);
	return false;
}

void vip_table_add(struct vip_table *t, const struct kernel_vip *vip)
{
	struct vip *v = vip_find(t, &vip->addr, vip->if_id);

	if (v) {
		v->refs++;
		return;
	}
	v = xcalloc(1, sizeof(*v));
	v->addr = vip->addr;
	v->addr.port = 0;
	v->local = vip->local;
	v->if_id = vip->if_id;
	v->refs = 1;
	t->n_waiting++;
	hashtab_insert(&t->all, &v->node, vip_hash(t, &v->addr));
	vip_settle(t, v);
}

static void vip_end(struct hashnode *node, void *table)
{
	struct vip *v = container_of(node, struct vip, node);
	struct vip_table *t = table;

	vip_take_off(t, v);
	vip_set_state(t, v, VIP_HOSTS);
	t->n_suspect -= v->suspect;
	hashtab_remove(&t->all, &v->node);
	free(v);
}

void vip_table_remove(struct vip_table *t, const struct kernel_vip *vip)
{
	struct vip *v = vip_find(t, &vip->addr, vip->if_id);

	if (v && --v->refs == 0)
		vip_end(&v->node, t);
}

/* The kernel makes an IPv6 address one of the host's on a thread of its own, after it said yes: what came for it at once would be lost. */
static void vip_ripen(struct vip_table *t, struct vip *v)
{
	unsigned ifindex;

	for (unsigned i = 0; v->young && i < RIPEN_MS && !rtnl_addr_find(&t->rtnl, &v->addr, &ifindex); i++)
		(void)poll(NULL, 0, 1);
	v->young = false;
}

bool vip_table_has_all(struct vip_table *t, const struct addr *list, size_t n, struct errtext *err)
{
	for (size_t i = 0; i < n; i++) {
		struct vip *v = vip_find(t, &list[i], 0);

		if (v)
			vip_ripen(t, v);
		if (!v || v->state != VIP_WAITS)
			continue;
		errtext_set(err, "virtual address %s is on no interface: %s", addr_format(&v->addr).s, v->why.s);
		return false;
	}
	return true;
}

/* ---- what happens to interfaces ---- */

static void vip_suspect(struct vip_table *t, struct vip *v)
{
	if (v->state == VIP_WAITS || v->suspect)
		return;
	v->suspect = true;
	t->n_suspect++;
}

struct vip_gone {
	struct vip_table *t;
	const struct addr *addr; /* not of a virtual one; none: a link */
	unsigned ifindex;        /* a link's, 0 any */
};

static bool vip_depends(const struct vip *v, const struct vip_gone *g)
{
	if (g->addr->family)
		return vip_goes_onto_link(g->t, v) && addr_equal_ip(&v->local, g->addr);
	return !g->ifindex || v->state == VIP_HOSTS || (v->rtnl == &g->t->rtnl && v->ifindex == g->ifindex);
}

static void vip_gone_with(struct hashnode *node, void *arg)
{
	struct vip *v = container_of(node, struct vip, node);
	struct vip_gone *g = arg;

	if (vip_depends(v, g))
		vip_suspect(g->t, v);
}

static bool vip_gone(void *table, const struct addr *a, bool vip, unsigned ifindex)
{
	struct vip_gone g = { table, a, ifindex };

	if (!vip)
		hashtab_walk(&g.t->all, vip_gone_with, &g);
	if (!a->family)
		return true;
	for (struct vip *v = vip_first(g.t, a); v; v = vip_after(v))
		vip_suspect(g.t, v);
	return g.t->n_suspect > 0;
}

static void vip_look(struct hashnode *node, void *table)
{
	struct vip *v = container_of(node, struct vip, node);
	struct vip_table *t = table;

	if (v->suspect || v->state == VIP_WAITS) {
		t->n_suspect -= v->suspect;
		v->suspect = false;
		vip_settle(t, v);
	}
}

void vip_table_follow(struct vip_table *t)
{
	unsigned before = t->n_put;

	if (rtnl_monitor_read(&t->monitor, 0, vip_gone, t) && (t->n_waiting || t->n_suspect))
		hashtab_walk(&t->all, vip_look, t);
	/* meanwhile routes may have done without it */
	if (t->routes && t->n_put != before)
		routes_refresh(t->routes);
}

int vip_table_fd(const struct vip_table *t)
{
	return rtnl_monitor_fd(&t->monitor);
}

/* ---- start and end ---- */

bool vip_table_open(struct vip_table *t, uint16_t ike_port, struct errtext *err)
{
	size_t left;
	int e;

	t->metric = VIP_METRIC | ike_port;
	if (t->on && strlen(t->on) >= IF_NAMESIZE) {
		errtext_set(err, "install_virtual_ip_on: '%s' is too long for an interface", t->on);
		return false;
	}
	if (!rtnl_open(&t->rtnl, err))
		return false;
	e = rtnl_monitor_open(&t->monitor, RTNL_WATCH_LINKS);
	if (e) {
		errtext_set(err, "cannot watch addresses: %s", strerror(e));
		return false;
	}
	left = rtnl_addr_clean(&t->rtnl, t->metric);
	if (left)
		LOG(KNL, LOG_LEVEL_CONTROL, "removed %zu virtual addresses that an earlier life of the daemon left", left);
	return true;
}

void vip_table_close(struct vip_table *t)
{
	hashtab_walk(&t->all, vip_end, t);
	hashtab_clear(&t->all);
	rtnl_close(&t->monitor);
	rtnl_close(&t->rtnl);
}
