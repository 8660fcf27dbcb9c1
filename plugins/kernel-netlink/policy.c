/* SPDX-License-Identifier: Apache-2.0 */
#include "policy.h"

bool policies_open(struct kernel *k, const struct settings *settings, struct errtext *err)
{
	return true;
}

void policies_flush(struct kernel *k)
{
}

void policies_close(struct kernel *k)
{
}

bool policies_add(struct kernel *k, struct kernel_handle *h, struct txn *t)
{
	return true;
}

void policies_remove(struct kernel *k, struct kernel_handle *h)
{
}

void policies_move(struct kernel *k, struct kernel_handle *h, struct txn *t)
{
}

void policies_carry(struct kernel *k, struct kernel_handle *h, bool on)
{
}

void policies_event_acquire(struct kernel *k, const struct nlmsghdr *m)
{
}
