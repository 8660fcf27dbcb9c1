/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/trap_table.h"

#include <stdlib.h>

/* Who uninstalls a policy is answered when the backend has done it: until then packets are treated as before. */

struct trap_gone {
	struct list link;
	uint32_t id;
	struct sa_request waiter;
};

static void gone_end(struct trap_gone *g, enum cause cause, const char *why)
{
	request_waiter_done(g->waiter, cause, why);
	list_del(&g->link);
	free(g);
}

static void gone_done(void *arg, uint64_t token, enum kernel_status status, const struct errtext *err)
{
	struct worker *w = arg;
	struct trap_mail *m = trap_mail_new(TRAP_OP_GONE);

	m->id = (uint32_t)token;
	trap_mail_post(w->pool, m);
}

void traps_gone_wait(struct traps *t, struct sa_request waiter)
{
	struct sa_ctx *ctx = &t->worker->ctx;
	struct trap_gone *g;

	if (!ctx->kernel_ops->fence) {
		request_waiter_done(waiter, CAUSE_NONE, NULL);
		return;
	}
	g = xcalloc(1, sizeof(*g));
	g->id = ++t->last_gone;
	g->waiter = waiter;
	list_add_tail(&t->gone, &g->link);
	ctx->kernel_ops->fence(ctx->kernel, (struct kernel_done){ gone_done, t->worker, g->id });
}

void traps_gone(struct traps *t, uint32_t id)
{
	LIST_FOREACH_SAFE(it, &t->gone) {
		struct trap_gone *g = list_entry(it, struct trap_gone, link);

		if (g->id == id)
			gone_end(g, CAUSE_NONE, NULL);
	}
}

void traps_gone_clear(struct traps *t)
{
	LIST_FOREACH_SAFE(it, &t->gone)
		gone_end(list_entry(it, struct trap_gone, link), CAUSE_SHUTDOWN, "the daemon is shutting down");
}
