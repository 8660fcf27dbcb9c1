/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_RTNL_H
#define USERLAND_RTNL_H

#include "util/addr.h"

/*
 * What we ask of rtnetlink: one request at a time, answered by the kernel at once. A struct rtnl belongs to
 * one thread. Numbers returned are 0 or an errno.
 */
struct mnl_socket;
struct rtnl {
	struct mnl_socket *socket;
	uint32_t seq;
};

/* Tags routes and rules as ours, so that what a dead predecessor left is known. */
#define RTNL_PROTOCOL 219

enum rtnl_route_kind { RTNL_ROUTE_NONE, RTNL_ROUTE_DEVICE, RTNL_ROUTE_THROW };

struct rtnl_route {
	struct prefix dst;
	enum rtnl_route_kind kind;
	unsigned ifindex; /* RTNL_ROUTE_DEVICE */
	uint32_t table;
	struct addr src; /* preferred source, family 0 = none */
};

/* mark 0: for all packets; else for those without it. */
struct rtnl_rule {
	uint8_t family;
	uint32_t table, priority, mark;
};

bool rtnl_open(struct rtnl *r, struct errtext *err);
void rtnl_close(struct rtnl *r);
int rtnl_link_up(struct rtnl *r, unsigned ifindex, unsigned mtu);
int rtnl_link_no_addrgen(struct rtnl *r, unsigned ifindex); /* no link-local IPv6 address */
int rtnl_route_set(struct rtnl *r, const struct rtnl_route *route); /* adds or replaces */
int rtnl_route_del(struct rtnl *r, const struct rtnl_route *route);
int rtnl_rule_add(struct rtnl *r, const struct rtnl_rule *rule);
int rtnl_rule_del(struct rtnl *r, const struct rtnl_rule *rule);
/* Removes rules of ours that point to the table, and routes of ours in it that have no device. */
void rtnl_clean(struct rtnl *r, uint32_t table);
/* Calls fn with every address of this host that can be a source. */
typedef void rtnl_addr_fn(void *arg, const struct addr *a);
int rtnl_addresses(struct rtnl *r, rtnl_addr_fn *fn, void *arg);

/* Address changes. The descriptor is readable when there are some. */
int rtnl_monitor_open(struct rtnl *r); /* 0 or errno */
int rtnl_monitor_fd(const struct rtnl *r);
/* Reads all that is there; fn gets addresses that went. True: something changed. */
bool rtnl_monitor_read(struct rtnl *r, rtnl_addr_fn *gone, void *arg);

#endif
