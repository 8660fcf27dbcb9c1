/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_ROUTE_H
#define USERLAND_ROUTE_H

#include "child.h"
#include "rtnl.h"

/*
 * Routes of all children in a table of our own: each prefix of a remote selector goes to the TUN
 * device, counted between children with the same one. A local prefix inside a wider remote one (a
 * tunnel for everything) gets a "throw" route, so that what comes out of the tunnel still
 * finds its way. The preferred source is an address of this host inside the local selectors:
 * the child's virtual addresses first. The service thread's.
 */
#define ROUTES_MAX_PER_CHILD 4096

struct route_table {
	struct rtnl *rtnl;
	struct hash_key hash_key;
	struct hashtab routes;
	unsigned ifindex;
	uint32_t table;
	struct addr *addrs; /* of this host */
	size_t n_addrs;
};

/* The smallest set of prefixes that makes up a range; at most ROUTE_PREFIXES_MAX. */
#define ROUTE_PREFIXES_MAX 254
size_t route_prefixes(const struct ts *ts, struct prefix ret[ROUTE_PREFIXES_MAX]);

/* All routes of a child, or none and err says which failed and why. */
bool routes_add(struct route_table *t, struct kernel_handle *c, struct errtext *err);
void routes_remove(struct route_table *t, struct kernel_handle *c);
/* Reads the host's addresses. Afterwards all routes have the sources and are there that they should be. */
void routes_refresh(struct route_table *t);
/* The kernel drops routes with an address that goes: rtnl_addr_fn, arg is the table. */
void routes_forget_source(void *table, const struct addr *a);
void routes_clear(struct route_table *t); /* when no child is left */
/* Whether one of the host's addresses is in the selectors of that family. */
bool routes_is_local(const struct route_table *t, struct ts_list local_ts);

#endif
