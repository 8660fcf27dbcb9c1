/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNEL_NETLINK_POLICY_MESSAGE_H
#define KERNEL_NETLINK_POLICY_MESSAGE_H

#include "kernel/xfrm_policy.h"
#include "netlink.h"

/* Adds, or replaces at once what has that key. */
void policy_build_set(union nl_request_buffer *b, const struct policy_key *key, const struct policy_state *state);
void policy_build_delete(union nl_request_buffer *b, const struct policy_key *key);
void policy_build_dump(union nl_request_buffer *b);
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
