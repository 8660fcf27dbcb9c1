/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNEL_NETLINK_FENCE_H
#define KERNEL_NETLINK_FENCE_H

#include "internal.h"

/* Who wants to know when all that was asked before is done (kernel_ops.fence). The service thread's. */
struct fence {
	struct mail mail;
	struct list link;
	struct kernel_done done;
	uint64_t number;
};

void fence_want(struct kernel *k, struct fence *f); /* takes it */
void fences_check(struct kernel *k); /* at the end of each turn, before requests are sent */
void fences_end(struct kernel *k);   /* nothing is asked of the kernel any more */

#endif
