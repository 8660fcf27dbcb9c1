/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_GUARD_TABLE_H
#define USERLAND_GUARD_TABLE_H

#include "kernel/rtnl.h"
#include "kernel/xfrm_policy.h"
#include "util/hash.h"
#include "util/list.h"

/*
 * Policies of the host's kernel (XFRM), shared: those who want the same one have a use of it each, and the kernel has it as the first of
 * them wants it, by priority. Adding and removing a use costs the same however many there are. One thread's.
 */
struct guard_policy;

struct guard_want {
	struct policy_key key;
	uint8_t action; /* XFRM_POLICY_ALLOW or BLOCK */
	uint32_t priority;
};

struct guard_use {
	struct list link; /* of the policy, the first one in force */
	struct guard_policy *policy; /* NULL: none */
	uint8_t action;
	uint32_t priority;
};

struct guard_table {
	struct rtnl xfrm;
	uint32_t owner; /* the user id of our selectors */
	struct hash_key hash_key;
	struct hashtab policies;
	bool tuned; /* the kernel hashes as suits our policies */
};

/* The values above `policies` but xfrm are set. Removes what a dead predecessor left. False: the kernel has no policies. */
bool guard_table_open(struct guard_table *t);
void guard_table_close(struct guard_table *t); /* without uses */
/*
 * The kernel finds, adds and removes policies at a flat cost when they are hashed: those with single addresses at both ends, unless it
 * is told otherwise. Ours have single remote addresses at best. Said as long as there are some, and only where nobody else has any, or
 * other wishes.
 */
void guard_table_tune(struct guard_table *t, bool on);
int guard_use_add(struct guard_table *t, struct guard_use *use, const struct guard_want *want); /* 0 or errno */
void guard_use_end(struct guard_table *t, struct guard_use *use);

#endif
