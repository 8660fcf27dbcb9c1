/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/exchange.h"
#include "sa/initiate.h"
#include "sa/task.h"

void ike_sa_initiate(struct ike_sa *sa, const struct child_conf *child, struct sa_request request)
{
	ike_sa_initiate_for(sa, child, NULL, request);
}

void ike_sa_initiate_for(struct ike_sa *sa, const struct child_conf *child, const struct child_acquire *acquire,
			 struct sa_request request)
{
	ike_sa_queue(sa, task_new(sa, TASK_IKE_INIT));
	ike_sa_queue(sa, task_new(sa, TASK_IKE_AUTH));
	if (child)
		ike_sa_queue(sa, child_create_for(child_create_new(sa, sa->conn, child, request), acquire));
	else
		sa->setup->request = request;
	initiate_attempt(sa);
}

void initiate_reset(struct ike_sa *sa)
{
	struct sa_ctx *ctx = sa->ctx;
	uint8_t attempt = sa->setup->attempt, nat_refusals = sa->setup->nat_refusals;
	struct sa_request request = sa->setup->request;
	uint32_t entry = sa->setup->entry;
	uint64_t old = sa->spi_i;

	outstanding_free(sa);
	while (sa->active) {
		struct task *t = sa->active;

		sa->active = t->next;
		if (t->type == TASK_CHILD_CREATE) {
			t->held = false;
			ike_sa_queue(sa, t);
		} else {
			task_request_done(sa, t, CAUSE_NONE, NULL);
			task_free(sa, t);
		}
	}
	while (sa->queued && (sa->queued->type == TASK_IKE_INIT || sa->queued->type == TASK_IKE_AUTH)) {
		struct task *t = sa->queued;

		sa->queued = t->next;
		task_free(sa, t);
	}
	ike_setup_free(sa->setup);
	sa->setup = xcalloc(1, sizeof(*sa->setup));
	sa->setup->request = request;
	sa->setup->entry = entry;
	sa->setup->attempt = attempt;
	sa->setup->nat_refusals = nat_refusals;
	secret_clear(&sa->keys.all);
	memset(&sa->protect, 0, sizeof(sa->protect));
	memset(&sa->suite, 0, sizeof(sa->suite));
	sa->nat_local = sa->nat_remote = sa->nat_fake = false;
	sa->spi_i = ctx->ops->make_spi(ctx->host);
	sa->spi_r = 0;
	ctx->ops->own_spi(ctx->host, sa, old, sa->spi_i);
	sa->out.next = 0;
	window_in_clear(&sa->in);
	sa->in.next = 0;
	ike_sa_move(sa, IKE_EVENT_RESTART);
	ike_sa_queue(sa, task_new(sa, TASK_IKE_INIT));
	ike_sa_queue(sa, task_new(sa, TASK_IKE_AUTH));
}

void initiate_begin_again(struct ike_sa *sa)
{
	initiate_reset(sa);
	sa->cause = CAUSE_NONE;
	sa->why = NULL;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "trying again from IKE_SA_INIT on");
	initiate_attempt(sa);
}

void ike_sa_restart(struct ike_sa *sa)
{
	initiate_reset(sa);
	sa->setup->attempt += sa->setup->attempt < UINT8_MAX;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "%s did not answer, attempt %u of %s", addr_format(&sa->remote).s,
	       sa->setup->attempt, sa->conn->keyingtries ? "keyingtries" : "unlimited keyingtries");
	/* the name may point elsewhere by now, and the ports start over */
	initiate_advance(sa);
	initiate_attempt(sa);
}
