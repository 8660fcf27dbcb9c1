/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/netlink.h>
#include <stdlib.h>

#include "fence.h"

void fence_want(struct kernel *k, struct fence *f)
{
	f->number = ++k->fence_no;
	list_add_tail(&k->fences, &f->link);
}

/* What is being installed or moved has a removal waiting behind it, perhaps. */
static bool fence_waits(const struct kernel *k, const struct fence *f)
{
	LIST_FOREACH(it, &k->children) {
		const struct kernel_handle *h = list_entry(it, struct kernel_handle, link);

		if (h->busy && h->busy_since < f->number)
			return true;
	}
	return false;
}

static void fence_passed(void *arg, int error, const char *text)
{
	struct fence *f = arg;

	f->done.fn(f->done.arg, f->done.token, KERNEL_OK, NULL);
	free(f);
}

void fences_check(struct kernel *k)
{
	union nl_request_buffer b;

	LIST_FOREACH_SAFE(it, &k->fences) {
		struct fence *f = list_entry(it, struct fence, link);

		if (fence_waits(k, f))
			return;
		list_del(&f->link);
		/* the kernel does nothing about it but answer, in its turn */
		(void)nl_begin(&b, NLMSG_NOOP, 0);
		nl_queue(k->nl, &b, (struct nl_answer){ NULL, fence_passed, f });
	}
}

void fences_end(struct kernel *k)
{
	LIST_FOREACH_SAFE(it, &k->fences) {
		struct fence *f = list_entry(it, struct fence, link);

		list_del(&f->link);
		fence_passed(f, 0, "");
	}
}
