/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_POLICY_H
#define USERLAND_POLICY_H

#include "flow.h"
#include "util/list.h"

/*
 * Which child an outbound packet belongs to. One policy per pair of a local and a remote selector
 * that fit together. In order: lower priority; longer prefixes that cover the selectors (sum,
 * then remote); smaller ranges (remote, then local); a protocol; fewer ports; what was added later.
 *
 * Policies hang in a hash table per (family, priority, lengths of the prefixes), and tables are
 * tried in that order: the cost goes with the number of shapes, not of policies.
 * No locks: the owner sees to it.
 */
struct policy_table;
struct policy;

/* What computed priorities (0) count as: explicit ones below come before, others behind. */
#define POLICY_PRIORITY_COMPUTED 200000
/* Policies of one child; selectors come from the peer. */
#define POLICY_MAX_PER_CHILD 4096

enum policy_place {
	POLICY_NEWEST, /* before those of equal rank */
	POLICY_WAITS,  /* the same, but behind the first that has the same selectors and is no trap */
	POLICY_TRAP,   /* behind all of equal rank */
	POLICY_SHUNT,  /* before all of equal rank, also those that come later */
};

struct policy_table *policy_table_new(const struct hash_key *key);
void policy_table_free(struct policy_table *t); /* must be empty */
/* How many policies two lists give. */
size_t policy_count(struct ts_list local, struct ts_list remote);
/* Makes the policies of a child, count of them; the selectors are borrowed, not yet in the table. */
struct policy *policies_new(struct ts_list local, struct ts_list remote, uint32_t priority, void *child,
			    size_t *ret_count);
void policies_add(struct policy_table *t, struct policy *p, size_t count, enum policy_place place);
void policies_remove(struct policy_table *t, struct policy *p, size_t count);
/* The child, or NULL. */
void *policy_find(const struct policy_table *t, const struct flow *f);
size_t policy_table_count(const struct policy_table *t);

#endif
