/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_KERNEL_RTNL_H
#define BEWICK_KERNEL_RTNL_H

#include "util/addr.h"

/*
 * What backends ask of rtnetlink: one request at a time, answered by the kernel at once. A struct rtnl belongs
 * to one thread. Numbers returned are 0 or an errno.
 */
struct mnl_socket;
struct rtnl {
	struct mnl_socket *socket;
	uint32_t seq;
};

/* Tags routes and rules as ours, so that what a dead predecessor left is known. */
#define RTNL_PROTOCOL 219

enum rtnl_route_kind { RTNL_ROUTE_NONE, RTNL_ROUTE_DEVICE, RTNL_ROUTE_THROW };

/* The way packets take: a device, and a next hop unless the destination is on the link. */
struct rtnl_via {
	unsigned ifindex; /* 0: no way */
	struct addr gateway; /* family 0 = none */
};

struct rtnl_route {
	struct prefix dst;
	enum rtnl_route_kind kind;
	struct rtnl_via via; /* RTNL_ROUTE_DEVICE; a gateway of another family is left out */
	uint32_t table;
	struct addr src; /* preferred source, family 0 = none */
	uint32_t mtu, mss; /* 0 = not set */
};

/* What a rule and a look-up may be told apart by; all 0: nothing. */
struct rtnl_select {
	uint32_t mark, mask;
	uint32_t uid;
};

/* Which packets look into the table: those that `select` fits, or with `invert` all others. */
struct rtnl_rule {
	uint8_t family;
	uint32_t table, priority;
	struct rtnl_select select;
	bool invert;
};

EXPORT bool rtnl_open(struct rtnl *r, struct errtext *err);
EXPORT bool rtnl_open_xfrm(struct rtnl *r, struct errtext *err); /* for policies, by rtnl_message.h. False: the kernel has none, perhaps */
EXPORT void rtnl_close(struct rtnl *r);
EXPORT int rtnl_link_up(struct rtnl *r, unsigned ifindex, unsigned mtu); /* mtu 0: as it is */
EXPORT int rtnl_link_no_policy(struct rtnl *r, unsigned ifindex); /* IPv4 packets that come from it meet no IPsec policies */
EXPORT int rtnl_link_no_addrgen(struct rtnl *r, unsigned ifindex); /* no link-local IPv6 address */
EXPORT int rtnl_route_set(struct rtnl *r, const struct rtnl_route *route); /* adds or replaces */
EXPORT int rtnl_route_del(struct rtnl *r, const struct rtnl_route *route);
/* How packets to the address go; the table that said so, too. */
EXPORT int rtnl_route_lookup(struct rtnl *r, const struct addr *to, const struct rtnl_select *as,
			     struct rtnl_via *ret_via, uint32_t *ret_table);
EXPORT int rtnl_rule_add(struct rtnl *r, const struct rtnl_rule *rule);
EXPORT int rtnl_rule_del(struct rtnl *r, const struct rtnl_rule *rule);
/* Removes rules of ours that point to the table, and routes of ours in it. */
EXPORT void rtnl_clean(struct rtnl *r, uint32_t table);
/* Calls fn with every address of this host that can be a source; vip: a virtual one of ours (VIP_METRIC). */
typedef void rtnl_addr_fn(void *arg, const struct addr *a, bool vip);
EXPORT int rtnl_addresses(struct rtnl *r, rtnl_addr_fn *fn, void *arg);

/* ---- addresses (rtnl_addr.c) ---- */

struct rtnl_address {
	struct addr addr;
	uint8_t len; /* of its network */
	unsigned ifindex;
	uint32_t metric; /* VIP_METRIC and what is below it, 0 none */
	bool quiet;      /* IPv6: the source of packets only where it is asked for by name */
};

/* EEXIST: the link has it already, whoever put it there. */
EXPORT int rtnl_addr_add(struct rtnl *r, const struct rtnl_address *a);
EXPORT int rtnl_addr_del(struct rtnl *r, const struct rtnl_address *a);
/* Whether it is one of this host's, and of which link. */
EXPORT bool rtnl_addr_find(struct rtnl *r, const struct addr *a, unsigned *ret_ifindex);
/* Removes all addresses with this metric. How many. */
EXPORT size_t rtnl_addr_clean(struct rtnl *r, uint32_t metric);
EXPORT bool rtnl_link_is_up(struct rtnl *r, unsigned ifindex);

/* ---- changes ---- */

enum rtnl_watch { RTNL_WATCH_ADDRS, RTNL_WATCH_LINKS, RTNL_WATCH_ROUTES }; /* each with those before it */

/* Changes, of routes those outside the table `but`. The descriptor is readable when there are some. */
EXPORT int rtnl_monitor_open(struct rtnl *r, enum rtnl_watch what); /* 0 or errno */
EXPORT int rtnl_monitor_fd(const struct rtnl *r);
/* An address went (with its device), or (none) a device. The kernel drops routes that use it. None and 0: changes were lost, anything
 * may be gone. True: it concerns somebody. */
typedef bool rtnl_gone_fn(void *arg, const struct addr *a, bool vip, unsigned ifindex);
/* Reads all that is there. True: something changed; virtual addresses of ours that come do not count, and those that go if they concern
 * nobody: there may be thousands. */
EXPORT bool rtnl_monitor_read(struct rtnl *r, uint32_t but, rtnl_gone_fn *gone, void *arg);

#endif
