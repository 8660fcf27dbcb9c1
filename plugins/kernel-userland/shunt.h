/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_SHUNT_H
#define USERLAND_SHUNT_H

#include "child.h"
#include "kernel/rtnl.h"

/*
 * What keeps the packets of a shunt out of the TUN device: routing rules with its addresses, protocol and ports, just
 * before the rule that leads into our table. PASS skips that one, DROP ends in a black hole, and what a child or trap with narrower
 * selectors is about goes on as without shunts. Our own packets skip all of them. What is sent before a source address
 * is chosen is on the safe side: rather dropped than in clear. One thread's.
 */
#define SHUNT_RULES_MAX 256 /* of one shunt or child */

struct shunt_rule {
	struct list link; /* shunt_table->rules */
	struct kernel_handle *owner;
	enum ipsec_mode mode; /* PASS, DROP; else as if there were no shunts */
	uint32_t priority; /* of the policy */
	uint32_t tag;	   /* tells it from others in the kernel; 0: it is not there */
	uint8_t family;
	bool unbound; /* src is: none chosen yet */
	struct prefix src, dst;
	uint8_t protocol; /* 0 any */
	uint16_t sport[2], dport[2]; /* 0 to 65535: any */
};

struct shunt_table {
	struct rtnl *rtnl;
	uint32_t priority; /* of the rule that leads into our table */
	uint32_t mark;	   /* of our own packets, 0 none */
	struct list rules; /* the most specific first; as the kernel has them */
	uint32_t last_tag;
	unsigned shunts;
};

void shunts_init(struct shunt_table *t); /* removes what a dead predecessor left */
/*
 * All rules of a shunt (local: one of this host's addresses is in its local selectors), or none and err says why; `children` are all
 * handles there are (struct kernel_handle.link).
 */
bool shunts_add(struct shunt_table *t, struct kernel_handle *c, bool local, const struct list *children, struct errtext *err);
/* What a child or trap needs beside the shunts there are. */
bool shunts_add_child(struct shunt_table *t, struct kernel_handle *c, struct errtext *err);
void shunts_remove(struct shunt_table *t, struct kernel_handle *c); /* of either */
/* Whether everything to the remote selectors may go as if there was no table of ours, whoever sends it. */
bool shunt_is_whole(const struct kernel_handle *c);

#endif
