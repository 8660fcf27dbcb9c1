/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_KERNEL_BYPASS_H
#define BEWICK_KERNEL_BYPASS_H

#include "util/addr.h"

/*
 * Networks whose hosts talk to each other in clear, whatever tunnels there are. Plugins find them; what they say is installed as
 * shunts of mode pass, which is the daemon's part.
 */
struct loop;
struct settings;
struct bypass; /* a running source; each has its own struct behind it */

/* The networks as they are now, in place of those told before; copied. On the loop's thread. */
typedef void bypass_fn(void *arg, const char *name, const struct prefix *nets, size_t n);

struct bypass_env {
	const struct settings *settings; /* in force; the source is started anew when they change */
	struct loop *loop;		 /* the daemon's main thread */
	bypass_fn *fn;
	void *arg;
};

struct bypass_ops {
	const char *name; /* "Bypass LAN": of its policies, with the network behind it */
	/* NULL: err says why. May call fn before it returns. */
	struct bypass *(*start)(const struct bypass_env *env, struct errtext *err);
	void (*stop)(struct bypass *b);
};

#define BYPASS_MAX 8

struct bypass_registry {
	const struct bypass_ops *ops[BYPASS_MAX];
	size_t n;
};

EXPORT bool bypass_add(struct bypass_registry *r, const struct bypass_ops *ops); /* borrowed; false: there are too many */
EXPORT void bypass_remove(struct bypass_registry *r, const struct bypass_ops *ops);

#endif
