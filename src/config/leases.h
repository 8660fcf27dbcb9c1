/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CONFIG_LEASES_H
#define BEWICK_CONFIG_LEASES_H

#include "proto/id.h"
#include "util/addr.h"

/*
 * Which identities have which addresses of a pool. Shared by all threads, under a short lock of its own; each operation costs the same
 * however many leases there are, but for the list. An identity that comes back finds its address, until the pool is exhausted (or
 * remembers LIMIT_LEASES_OFFLINE): then the one that was left longest ago is given to another.
 */
struct leases;

struct lease_range {
	struct addr first; /* of those that are given */
	uint32_t size;
};

/* One that is held: to be given back by lease_release. Zeroed: none. */
struct lease {
	struct leases *of; /* a reference */
	uint32_t slot;
};

struct lease_wish {
	const struct id *id;
	/* Names the pair of identities; the same address is shared only by those of one pair. */
	uint64_t pair;
	struct addr wanted; /* its family is; the address, too, unless it is any */
	/* The others of the pair are about to end: the address of one of them is taken over while it still has it. Without this only
	 * who names the address shares it, as when reauthenticating. */
	bool share;
	const struct lease *held; /* by the same IKE_SA: not shared with itself */
	size_t n_held;
};

enum lease_result {
	LEASE_NEW,       /* nobody had it before */
	LEASE_AGAIN,     /* it was the identity's */
	LEASE_SHARED,    /* the identity has it at present */
	LEASE_TAKEN,     /* another one's, who has gone */
	LEASE_FULL,
	LEASE_FAMILY,    /* the pool has no addresses of the family */
	LEASE_CLOSED,    /* the pool was unloaded */
};

EXPORT struct leases *leases_new(const struct lease_range *range); /* the caller has the only reference */
EXPORT struct leases *leases_ref(struct leases *l);
EXPORT void leases_unref(struct leases *l);
/* Up to LEASE_TAKEN an address was given. Any thread. */
EXPORT enum lease_result leases_take(struct leases *l, const struct lease_wish *w, struct lease *ret, struct addr *ret_addr);
/* Clears it; a no-op if it is none. Any thread. */
EXPORT void lease_release(struct lease *lease);
EXPORT void leases_count(struct leases *l, size_t *ret_online, size_t *ret_offline);
/* Nothing is given any more; false, and nothing changes, while addresses are in use. */
EXPORT bool leases_close(struct leases *l);

/* ---- listing, in order of first use ---- */
struct lease_info {
	struct addr addr;
	struct id id; /* owned: id_free */
	bool online;
};
/* Up to max of them, beginning with number `from` (0: the first). Fewer than max: that was all. */
EXPORT size_t leases_list(struct leases *l, size_t from, struct lease_info *ret, size_t max);

#endif
