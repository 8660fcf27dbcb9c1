/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_GUARD_H
#define USERLAND_GUARD_H

#include "child.h"
#include "kernel/rtnl.h"

/*
 * Packets in clear to this host itself, which a shunt of mode DROP is about: no routing rule sees such packets, but inbound policies of
 * the kernel (XFRM) do. As long as there is such a shunt, those of mode PASS have policies, too. What comes out of the TUN device was
 * judged before: of IPv4 it meets no policy; of IPv6 the kernel cannot tell it from what comes in clear, so that children have
 * policies that let it pass where such a shunt meets them. One thread's.
 */
struct guard {
	struct rtnl xfrm;
	bool missing; /* the kernel has no policies */
	uint32_t owner; /* the user id of our selectors */
	const int *fds[2]; /* of ESP, of two families: they are to pass; n_fds each, -1 none */
	unsigned n_fds;
	bool fds_pass;
	unsigned drops;	   /* shunts of mode DROP that are there */
	struct list users; /* kernel_handle.guard_link, oldest first: those with policies */
};

void guard_init(struct guard *g); /* the values above `drops` but xfrm and missing are set. Removes what a dead predecessor left */
void guard_close(struct guard *g); /* all shunts are removed */
/* What a shunt or child needs. `children`: all there are (link). False: err says why, and of c nothing is left. */
bool guard_add(struct guard *g, struct kernel_handle *c, const struct list *children, struct errtext *err);
void guard_remove(struct guard *g, struct kernel_handle *c);

#endif
