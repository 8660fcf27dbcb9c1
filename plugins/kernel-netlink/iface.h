/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNEL_NETLINK_IFACE_H
#define KERNEL_NETLINK_IFACE_H

#include "kernel/rtnl.h"
#include "util/result.h"

/*
 * XFRM interfaces that the settings ask for: made at the start, with their addresses, perhaps in another network namespace or
 * VRF, and removed at the end. Packets that are routed into one meet the policies with its id (if_id_out). What a dead
 * predecessor left under the same name and id is made anew.
 */
struct iface;
struct settings;

struct ifaces {
	struct iface *list; /* n */
	unsigned n;
};

/* False: err says which and why; none is left then. */
MUST_CHECK bool ifaces_open(struct ifaces *i, const struct settings *s, struct errtext *err);
void ifaces_close(struct ifaces *i);
/* The interface with this id: one of these, or another one in our namespace, whose socket is `home`; the answer's is of the interface's
 * namespace. arg is the struct ifaces. */
bool ifaces_find(void *arg, struct rtnl *home, uint32_t if_id, struct rtnl **ret_rtnl, unsigned *ret_ifindex);

#endif
