/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sa/exchange.h"
#include "sa/task.h"

#define TASK_NAME(NAME) #NAME,
static const char *const task_names[] = { TASK_LIST(TASK_NAME) };

const char *task_name(enum task_type type)
{
	return (size_t)type < ARRAY_LEN(task_names) ? task_names[type] : "?";
}

struct task *task_new(struct ike_sa *sa, enum task_type type)
{
	const struct task_ops *ops = task_table[type];
	struct task *t = xcalloc(1, ops->size);

	(void)sa;
	t->ops = ops;
	t->type = (uint8_t)type;
	return t;
}

void task_free(struct ike_sa *sa, struct task *t)
{
	if (t->ops->clear)
		t->ops->clear(sa, t);
	free(t);
}

void task_request_done(struct ike_sa *sa, struct task *t, enum cause cause, const char *why)
{
	struct sa_request request = t->request;

	if (!request.id)
		return;
	t->request.id = 0;
	sa->ctx->ops->request_done(sa->ctx->host, request, cause, why);
}

void task_retry_later(struct ike_sa *sa, struct task *t)
{
	uint32_t random;

	crypto_random(sa->ctx->crypto, &random, sizeof(random));
	t->not_before = sa_now(sa->ctx) + LIMIT_RETRY_MIN_MS + random % (LIMIT_RETRY_MAX_MS - LIMIT_RETRY_MIN_MS);
	t->finished = t->waiting = t->child_failed = false;
	ike_sa_queue(sa, t);
	ike_sa_schedule(sa);
}

/* The order in which queued tasks get their turn: what ends things first. */
static int task_priority(const struct task *t)
{
	static const uint8_t priority[TASKS] = {
		[TASK_IKE_INIT] = 0,  [TASK_IKE_AUTH] = 1,	[TASK_IKE_DELETE] = 2,
		[TASK_CHILD_DELETE] = 3, [TASK_IKE_REKEY] = 4, [TASK_CHILD_REKEY] = 4, [TASK_CHILD_CREATE] = 5,
		[TASK_IKE_DPD] = 6, [TASK_IKE_REAUTH] = 2, [TASK_IKE_AUTH_LIFETIME] = 6,
		[TASK_IKE_MID_SYNC] = 0, [TASK_IKE_NOTIFY] = 6, [TASK_IKE_MOBIKE] = 1,
	};

	return priority[t->type];
}

void ike_sa_queue(struct ike_sa *sa, struct task *t)
{
	struct task **at = &sa->queued;

	while (*at && task_priority(*at) <= task_priority(t))
		at = &(*at)->next;
	t->next = *at;
	*at = t;
}

bool ike_sa_has_task(const struct ike_sa *sa, unsigned type)
{
	for (const struct task *t = sa->queued; t; t = t->next)
		if (t->type == type)
			return true;
	for (const struct task *t = sa->active; t; t = t->next)
		if (t->type == type && !t->finished)
			return true;
	return false;
}

void ike_sa_run_queue(struct ike_sa *sa)
{
	while (!sa->finished && sa->queued && exchange_start(sa))
		;
	/* while an exchange was under way the timer did not look at what is for later */
	for (const struct task *t = sa->finished || sa->active ? NULL : sa->queued; t; t = t->next) {
		if (t->not_before > sa_now(sa->ctx)) {
			ike_sa_schedule(sa);
			return;
		}
	}
}
