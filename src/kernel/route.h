/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_KERNEL_ROUTE_H
#define BEWICK_KERNEL_ROUTE_H

#include "kernel/rtnl.h"
#include "proto/ts.h"
#include "util/hash.h"
#include "util/list.h"

/*
 * Routes of all children in a table of our own: each prefix of a remote selector goes to the backend's device,
 * or the way to the peer, counted between children with the same one. A local prefix inside a wider remote one (a
 * tunnel for everything) gets a "throw" route, so that what comes out of the tunnel still
 * finds its way; so do the remote selectors of what bypasses IPsec. The preferred source is an address of
 * this host inside the local selectors: the child's virtual addresses first, those of others last. One thread's.
 */
#define ROUTES_MAX_PER_CHILD 4096

struct route_use;

/* A child, as far as routes go. Filled in by its backend, unchanged and borrowed from routes_add to routes_remove. */
struct route_user {
	const char *name;
	struct ts_list local_ts, remote_ts;
	const struct addr *vips;
	size_t n_vips;
	bool bypass;      /* its packets go as if there were no table of ours */
	struct addr peer; /* its packets go the way to this address; none: to the table's device */

	struct rtnl_via via; /* the table's, and below */
	struct route_use *uses; /* n_uses */
	size_t n_uses;
	struct list link;
};

struct route_addr {
	struct addr addr;
	bool vip;
};

struct route_table {
	struct rtnl *rtnl;
	struct hash_key hash_key;
	struct hashtab routes;
	unsigned ifindex; /* of the device; 0: users have peers */
	uint32_t table;
	struct rtnl_select look_as; /* of look-ups: what our rule does not send into the table */
	uint32_t mtu, mss;          /* of device routes, 0 = not set */
	struct list users;
	struct route_addr *addrs; /* of this host */
	size_t n_addrs, max_addrs;
};

/* The smallest set of prefixes that makes up a range; at most ROUTE_PREFIXES_MAX. */
#define ROUTE_PREFIXES_MAX 254
EXPORT size_t route_prefixes(const struct ts *ts, struct prefix ret[ROUTE_PREFIXES_MAX]);

EXPORT void routes_init(struct route_table *t); /* after what the caller chooses is set */
/* All routes of a child, or none and err says which failed and why. Without a way to the peer they wait for one. */
EXPORT bool routes_add(struct route_table *t, struct route_user *u, struct errtext *err);
EXPORT void routes_remove(struct route_table *t, struct route_user *u);
/* The child's peer is elsewhere; failures are logged. */
EXPORT void routes_move(struct route_table *t, struct route_user *u, const struct addr *peer);
/* Reads the host's addresses. Afterwards all routes have the sources and ways and are there that they should be. */
EXPORT void routes_refresh(struct route_table *t);
/* One that was put onto a link just now, before the host's addresses are read again. */
EXPORT void routes_know_vip(struct route_table *t, const struct addr *a);
/* The kernel drops routes with an address or device that goes: rtnl_gone_fn, arg is the table. */
EXPORT bool routes_forget(void *table, const struct addr *a, bool vip, unsigned ifindex);
EXPORT void routes_clear(struct route_table *t); /* when no child is left */
/* Whether one of the host's addresses is in the selectors of that family. */
EXPORT bool routes_is_local(const struct route_table *t, struct ts_list local_ts);

#endif
