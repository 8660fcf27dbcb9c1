/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNEL_NETLINK_POLICIES_H
#define KERNEL_NETLINK_POLICIES_H

#include "iface.h"
#include "kernel/route.h"
#include "kernel/vip.h"
#include "loop/loop.h"
#include "policy_table.h"

/* What policy.c and the files beside it share. */
struct bypass_port;
struct kernel;
struct settings;

/* Routes of children in a table of our own, and the rules that lead there. */
struct ways {
	bool on; /* install_routes */
	struct rtnl rtnl, monitor;
	struct rtnl_rule rules[2];
	size_t n_rules;
	struct route_table routes;
	struct loop *loop;
	struct loop_fd *watch;
	struct timer settle;
	uint64_t took_ms; /* the last refresh */
};

/* Values of the system that we set and put back. */
#define SYSCTLS_MAX 4
struct sysctls {
	struct {
		const char *path;
		char before[16];
	} list[SYSCTLS_MAX];
	size_t n;
};

struct policies {
	struct policy_table table;
	uint32_t owner;
	/* resync.c */
	bool reading, again; /* a dump is under way; another one is wanted */
	unsigned n_unknown;  /* it found */
	struct ways ways;
	struct sysctls sysctls;
	struct ifaces ifaces;
	struct vip_table vips;
	struct loop_fd *vips_watch;
	struct bypass_port *bypass_ports; /* n_bypass_ports */
	size_t n_bypass_ports;
	struct policy_use *bypasses; /* of the ports; NULL: not installed */
};

/* What a child has here. */
struct child_policies {
	struct kernel_handle *h;
	struct policy_use *uses; /* n_uses */
	size_t n_uses;
	struct route_user route;
	bool routed;
};

/* ---- ways.c ---- */
bool ways_open(struct ways *w, struct kernel *k, const struct settings *s, struct errtext *err);
void ways_close(struct ways *w);

/* ---- sysctl.c ---- */
/* Sets it, and remembers what it was; false: it cannot be. A path that outlives s. */
bool sysctl_set(struct sysctls *s, const char *path, const char *value);
void sysctls_restore(struct sysctls *s);

/* ---- bypass.c: local ports that are reached in clear whatever the policies say ---- */
bool bypasses_check(struct policies *p, const struct settings *s, struct errtext *err);
void bypasses_install(struct policies *p); /* queues requests */
void bypasses_remove(struct policies *p);
void bypasses_free(struct policies *p); /* after those are answered */

#endif
