/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CONFIG_POOLS_H
#define BEWICK_CONFIG_POOLS_H

#include <stdatomic.h>

#include "config/cp_value.h"
#include "config/leases.h"
#include "config/tree.h"
#include "util/arena.h"

/*
 * A pool of virtual addresses as load-pool gave it, with the attributes that go with them: immutable, counted. Who has which address
 * is in the leases, which a definition with the same addresses takes over from the one before.
 */
struct pool {
	atomic_uint refs;
	const char *name;
	struct addr base; /* as it was configured */
	struct lease_range range;
	size_t n_attributes;
	const struct cp_value *attributes;
	struct leases *leases; /* a reference */
	struct arena arena;    /* owns name and attributes */
};

/*
 * Out of a section of load-pool, with leases of its own; err: VICI's words ("missing addrs for pool 'p'", "invalid attribute: frob",
 * "invalid attribute value for dns", "invalid addrs value: 300.1.1.1/3"). NULL on failure. The caller has the only reference.
 */
EXPORT struct pool *pool_parse(const struct tree *section, struct errtext *err);
EXPORT struct pool *pool_ref(const struct pool *p);
EXPORT void pool_unref(const struct pool *p);

/* All of them, in order of first loading: an immutable, counted snapshot. Any thread. */
struct pools {
	atomic_uint refs;
	size_t n;
	const struct pool **list;
	const struct pool **by_name; /* the same, sorted */
};
EXPORT void pools_unref(const struct pools *p);
EXPORT const struct pool *pools_find(const struct pools *p, const char *name); /* borrowed; NULL: none */

/* The writer's side: one thread. */
struct pools_set;
EXPORT struct pools_set *pools_set_new(void);
EXPORT void pools_set_free(struct pools_set *s);
/* A reference to the present state; the same object as long as nothing changes. */
EXPORT struct pools *pools_set_snapshot(struct pools_set *s);
/* Takes the pool; in the place of one of its name. False, err says why: its addresses are others than before, and some of those are
 * in use. */
EXPORT MUST_CHECK bool pools_set_put(struct pools_set *s, struct pool *pool, struct errtext *err);
/* False: there is none, or addresses of it are in use. */
EXPORT MUST_CHECK bool pools_set_remove(struct pools_set *s, const char *name, struct errtext *err);

#endif
