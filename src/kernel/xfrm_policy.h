/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_KERNEL_XFRM_POLICY_H
#define BEWICK_KERNEL_XFRM_POLICY_H

#include <libmnl/libmnl.h>
#include <linux/xfrm.h>

#include "util/bytes.h"

/* The policies of Linux (XFRM) as bytes; for all backends that set some. Pure functions. */

/* What the kernel tells policies apart by. Zeroed before it is filled: compared as bytes. */
struct policy_key {
	struct xfrm_selector sel;
	struct xfrm_mark mark;
	uint32_t if_id;
	uint32_t dir; /* XFRM_POLICY_IN, OUT, FWD */
};

/* What the kernel does with packets; the same. */
struct policy_state {
	bool present;
	bool has_tmpl;
	uint8_t action; /* XFRM_POLICY_ALLOW or BLOCK */
	uint32_t priority;
	struct xfrm_user_tmpl tmpl;
};

/* The user id of our selectors, which says what is ours: "BW" and the IKE port. The kernel matches nothing with it. */
#define XFRM_OWNER_TAG 0x42570000u
static inline uint32_t xfrm_owner(int64_t ike_port)
{
	return XFRM_OWNER_TAG | ((uint32_t)ike_port & 0xffff);
}

/* What follows the header of XFRM_MSG_UPDPOLICY: adds, or replaces at once what has that key. Up to 300 bytes. */
EXPORT void policy_put(struct nlmsghdr *h, const struct policy_key *key, const struct policy_state *state);
EXPORT void policy_put_id(struct nlmsghdr *h, const struct policy_key *key); /* of XFRM_MSG_DELPOLICY */
/* Of XFRM_MSG_NEWPOLICY and, outbound, XFRM_MSG_ACQUIRE. False: not such a message, or cut. */
EXPORT MUST_CHECK bool policy_read_key(const struct nlmsghdr *h, struct policy_key *ret);

#endif
