/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_NET_LOCALS_H
#define BEWICK_NET_LOCALS_H

#include <stdatomic.h>

#include "util/addr.h"

/*
 * The addresses of this host at one moment: an immutable, counted snapshot that threads share. net/watch.h makes them.
 */
struct local_addr {
	struct addr addr; /* port 0; scope of link-local ones */
	unsigned ifindex; /* of the link it is on */
	uint8_t prefix_len; /* of its network there; 0 not known */
	bool up;          /* the link is up, and the address may be used */
	bool carrier;     /* and has one */
	bool loopback;    /* any link may lead to it */
	bool told;        /* it may be told to peers, and tried as a source: global, and of a link that the settings allow */
	bool vip;         /* a virtual one of ours: it leads to nobody outside of its tunnel */
};

struct local_addrs {
	atomic_uint refs;
	size_t n;
	struct local_addr p[];
};

EXPORT struct local_addrs *local_addrs_new(const struct local_addr *p, size_t n); /* copies */
EXPORT struct local_addrs *local_addrs_ref(struct local_addrs *l);               /* any thread; NULL is fine */
EXPORT void local_addrs_unref(struct local_addrs *l);
EXPORT bool local_addrs_equal(const struct local_addrs *a, const struct local_addrs *b);
/* Whether all but virtual addresses are the same. */
EXPORT bool local_addrs_same_ways(const struct local_addrs *a, const struct local_addrs *b);
/* By IP; NULL: this host has no such address. */
EXPORT const struct local_addr *local_addrs_find(const struct local_addrs *l, const struct addr *a);

/* Whether it is a virtual address of ours. */
EXPORT bool local_addrs_is_vip(const struct local_addrs *l, const struct addr *a);

#endif
