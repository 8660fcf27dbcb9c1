/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNEL_NETLINK_POLICY_MESSAGE_H
#define KERNEL_NETLINK_POLICY_MESSAGE_H

#include <linux/xfrm.h>

#include "netlink.h"

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

/* Adds, or replaces at once what has that key. */
void policy_build_set(union nl_request_buffer *b, const struct policy_key *key, const struct policy_state *state);
void policy_build_delete(union nl_request_buffer *b, const struct policy_key *key);
void policy_build_dump(union nl_request_buffer *b);
/* Of XFRM_MSG_NEWPOLICY and, outbound, XFRM_MSG_ACQUIRE. False: not such a message, or cut. */
MUST_CHECK bool policy_read_key(const struct nlmsghdr *h, struct policy_key *ret);
/* Of XFRM_MSG_NEWPOLICY. */
MUST_CHECK bool policy_read(const struct nlmsghdr *h, struct policy_key *ret_key, struct policy_state *ret_state);
/* Of the notifications of XFRM_MSG_NEWPOLICY, UPDPOLICY and DELPOLICY: the user id of its selector. False: cut. */
MUST_CHECK bool policy_read_owner(const struct nlmsghdr *h, uint32_t *ret_owner);
/* Hash thresholds of one family: prefixes as long are hashed. */
struct policy_threshold {
	uint8_t local, remote;
};
void policy_build_thresholds(union nl_request_buffer *b, const struct policy_threshold *v4,
			     const struct policy_threshold *v6);

#endif
