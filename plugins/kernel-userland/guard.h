/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_GUARD_H
#define USERLAND_GUARD_H

#include "child.h"
#include "guard_table.h"

/*
 * Packets in clear that inbound policies are about: those that should have come through a tunnel (RFC 4301, 5.2, step 3b), to this host
 * or to be forwarded, and to this host itself those of shunts of mode DROP, which no routing rule sees. Policies of the kernel (XFRM) drop
 * them. As long as there are some, shunts of mode PASS have policies, too, and what a host cannot do without. What
 * comes out of the TUN device was judged before: of IPv4 it meets no policies, of IPv6 a mark tells it from the rest. Where that
 * mark is not to be had, children have policies of IPv6 that let pass, for the sake of drop shunts. One thread's.
 */
#define GUARD_FIXED_MAX 16

struct guard {
	struct guard_table table;
	bool missing; /* the kernel has no policies */
	bool clear;   /* children have policies that drop */
	unsigned ifindex; /* of the TUN device */
	uint16_t port;	  /* names us: that of IKE */
	const int *fds[2]; /* of ESP, of two families: they are to pass; n_fds each, -1 none */
	unsigned n_fds;
	bool fds_pass;
	bool mark_tried;
	struct mnl_socket *mark; /* of guard_mark.h; NULL: no marks */
	struct list passes; /* kernel_handle.guard_link: shunts of mode PASS */
	unsigned users;	    /* others that have policies */
	struct guard_use fixed[GUARD_FIXED_MAX];
	unsigned n_fixed;
};

void guard_init(struct guard *g); /* `clear`, ifindex, port, the fds, n_fds and hash_key are set. Removes what a dead predecessor left */
void guard_close(struct guard *g); /* all children are removed */
/* What a shunt or child needs. False: err says why, and of c nothing is left. */
bool guard_add(struct guard *g, struct kernel_handle *c, struct errtext *err);
void guard_remove(struct guard *g, struct kernel_handle *c);

#endif
