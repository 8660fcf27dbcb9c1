/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_NET_WATCH_H
#define BEWICK_NET_WATCH_H

#include "loop/loop.h"
#include "net/locals.h"
#include "util/result.h"

/*
 * Looks at this host's addresses, links and routes, and says when they have changed and settled. Belongs to the thread of its
 * loop, to which it is a few system calls for each change.
 */
struct net_watch;

/* Protocol number of routes that are our own (rtm_protocol): they come and go with CHILD_SAs, and mean nothing here. */
#define NET_ROUTE_PROTOCOL 219

struct net_watch_options {
	bool follow;             /* watch; else only what is there at the beginning */
	bool routes;             /* changes of routes count */
	const char *use;         /* names of links whose addresses may be told and used, with commas; NULL: all */
	const char *ignore;      /* unless `use` is there: whose may not */
	const char *ignore_tables; /* routing tables (numbers, commas or blanks between) whose changes do not count */
};

/* The addresses, at the beginning and after each change; routes: a route changed, even if no address did. Borrowed. */
typedef void net_watch_fn(void *arg, struct local_addrs *locals, bool routes);

/* NULL: err says why. The first call of fn comes before this returns. Texts are copied. */
EXPORT struct net_watch *net_watch_new(struct loop *loop, const struct net_watch_options *options, net_watch_fn *fn, void *arg,
				       struct errtext *err);
EXPORT void net_watch_free(struct net_watch *w);

#endif
