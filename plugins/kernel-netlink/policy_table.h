/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNEL_NETLINK_POLICY_TABLE_H
#define KERNEL_NETLINK_POLICY_TABLE_H

#include "kernel/kernel.h"
#include "policy_message.h"
#include "kernel/selectors.h"
#include "txn.h"
#include "util/hash.h"
#include "util/list.h"

/*
 * The kernel has one policy per selector, direction, mark and interface id; here children, traps and shunts share it. The
 * best one is what the kernel has: lowest priority, then by class, then the newest. When it goes the next one takes
 * its place by one update, so that no packet passes in between. The service thread's.
 */
struct policy_table {
	struct nl *nl;
	struct hash_key hash_key;
	struct hashtab policies;
};

struct policy;

/* One share in a policy. */
struct policy_use {
	struct list link;
	struct policy *policy;
	const struct kernel_child *child; /* borrowed; NULL for shunts of our own */
	uint32_t priority;
	enum policy_class class;
	bool off;  /* carries no outbound packets */
	bool hold; /* of a child whose SAs are away for a moment: any SA of its reqid will do */
};

/* t NULL: nobody waits; failures are logged. */
void policy_use_add(struct policy_table *table, struct policy_use *use, const struct policy_key *key, bool waits,
		    struct txn *t);
void policy_use_remove(struct policy_table *table, struct policy_use *use);
void policy_use_carry(struct policy_table *table, struct policy_use *use, bool on);
/* What the child says of addresses changed, or `hold`. */
void policy_use_changed(struct policy_table *table, struct policy_use *use, struct txn *t);
/* The trap that the kernel has under the key, NULL: no trap. */
const struct policy_use *policy_find_trap(const struct policy_table *table, const struct policy_key *key);
/* A dump begins; the kernel has this (false: the key is unknown here); and what it had not, or otherwise, is set: how many. */
void policy_table_unseen(struct policy_table *table);
MUST_CHECK bool policy_table_seen(struct policy_table *table, const struct policy_key *key, const struct policy_state *state);
size_t policy_table_heal(struct policy_table *table);
void policy_table_clear(struct policy_table *table); /* no uses are left */

/* What the kernel ought to have; for tests. */
struct policy_state policy_use_wanted(const struct policy_use *use);

#endif
