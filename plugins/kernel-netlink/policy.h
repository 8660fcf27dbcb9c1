/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNEL_NETLINK_POLICY_H
#define KERNEL_NETLINK_POLICY_H

#include "internal.h"

/*
 * Policies, routes and interfaces of children: the service thread's, but open and close. Policies of ours have
 * kernel.owner in their selector's `user`.
 */

/* Before the service thread runs; k->nl works (nl_drain). */
bool policies_open(struct kernel *k, const struct settings *settings, struct errtext *err);
/* Removes what a dead predecessor left (only ours); after open. Then what is always there is installed. */
MUST_CHECK bool policies_flush(struct kernel *k, struct errtext *err);
void policies_close(struct kernel *k); /* after the service thread; all children are removed */

/* Queues what h needs. False: it cannot be, and txn_fail was told why. Undone by policies_of_child_remove in any case. */
bool policies_of_child_add(struct kernel *k, struct kernel_handle *h, struct txn *t);
void policies_of_child_remove(struct kernel *k, struct kernel_handle *h); /* no-op if not there; h may be freed afterwards */
void policies_hold(struct kernel *k, struct kernel_handle *h, struct txn *t); /* before a move takes the SAs out */
void policies_move(struct kernel *k, struct kernel_handle *h, struct txn *t); /* h->conf has the new addresses */
void policies_carry(struct kernel *k, struct kernel_handle *h, bool on);
void policies_vip(struct kernel *k, const struct kernel_vip *vip, bool add);
/* A packet with this selector waits for an SA of the trap. */
void policies_tell_acquire(struct kernel *k, const struct kernel_child *trap, const struct xfrm_selector *sel);
void policies_event_acquire(struct kernel *k, const struct nlmsghdr *m); /* XFRM_MSG_ACQUIRE; checked to be long enough */

#endif
