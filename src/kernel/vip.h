/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_KERNEL_VIP_H
#define BEWICK_KERNEL_VIP_H

#include "kernel/kernel.h"
#include "kernel/route.h"

/*
 * Virtual addresses on interfaces, for backends: each single (/32, /128), counted between all who want it, and of this daemon only
 * what it added itself. An address goes
 *
 *	with an interface id  onto the XFRM interface that has it
 *	else                  onto install_virtual_ip_on, or what the backend has chosen (`device`)
 *	else                  onto the link of our outer address; when one of them goes, onto the loopback device
 *
 * It waits while the interface is not there or down, and is put back when it vanishes. What the host had before stays the host's. All have
 * VIP_METRIC, by which the rest of the daemon knows them (net/watch.h) and the next life what a killed one left. One thread's.
 */
struct vip_table {
	/* chosen by the backend before vip_table_open */
	struct hash_key hash_key;
	const char *on;             /* install_virtual_ip_on, borrowed; NULL: not set */
	unsigned device;            /* a tunnel's, 0 none */
	struct route_table *routes; /* to be told; NULL: there are no routes */
	/* The XFRM interface with an id, and a socket in its namespace (borrowed). NULL: the backend has no such things. */
	bool (*find_interface)(void *arg, struct rtnl *home, uint32_t if_id, struct rtnl **ret_rtnl, unsigned *ret_ifindex);
	void *find_arg;

	struct rtnl rtnl, monitor;
	uint32_t metric;
	struct hashtab all;
	unsigned n_waiting, n_suspect;
	unsigned n_put; /* so often one came onto an interface */
};

/* Also removes what a dead predecessor on that port left. vip_table_close in any case. */
EXPORT bool vip_table_open(struct vip_table *t, uint16_t ike_port, struct errtext *err);
EXPORT void vip_table_close(struct vip_table *t); /* removes all */
/* Whether it may be an address of a host at all. Any thread. */
EXPORT bool vip_is_possible(const struct kernel_vip *vip, struct errtext *err);
EXPORT void vip_table_add(struct vip_table *t, const struct kernel_vip *vip);
EXPORT void vip_table_remove(struct vip_table *t, const struct kernel_vip *vip); /* of one that was added; by address and interface id */
/* False: one of them was added and is on no interface, err says why. Else those that were added are in force. */
EXPORT bool vip_table_has_all(struct vip_table *t, const struct addr *list, size_t n, struct errtext *err);
EXPORT int vip_table_fd(const struct vip_table *t); /* when it is readable: */
EXPORT void vip_table_follow(struct vip_table *t);

#endif
