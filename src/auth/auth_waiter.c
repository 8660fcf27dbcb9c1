/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth_inside.h"

#include <stdlib.h>

#include "util/mem.h"

/* What a job has asked for, from its side; auth_wait.c has it from the other one. */

void auth_got_clear(struct auth_got *got)
{
	for (size_t i = 0; i < got->n_certs; i++)
		cert_unref(got->certs[i]);
	for (size_t i = 0; i < got->n_keys; i++)
		public_key_unref(got->keys[i]);
	*got = (struct auth_got){ 0 };
}

void auth_ask(struct auth_job *job, const struct auth_want *want, uint64_t deadline_ms, unsigned tag)
{
	struct auth_waiter *waiter = xcalloc(1, sizeof(*waiter));

	waiter->job = job;
	waiter->want = *want;
	waiter->deadline_ms = deadline_ms < job->want_deadline_ms ? deadline_ms : job->want_deadline_ms;
	waiter->tag = tag;
	list_init(&waiter->of_wait);
	list_add_tail(&job->waiters, &waiter->of_job);
}

struct auth_waiter *auth_answered(struct auth_job *job)
{
	LIST_FOREACH(it, &job->waiters) {
		struct auth_waiter *waiter = list_entry(it, struct auth_waiter, of_job);

		if (waiter->state != AUTH_WAITER_DONE)
			continue;
		list_del(&waiter->of_job);
		list_del(&waiter->of_wait); /* of those that are about to be told */
		return waiter;
	}
	return NULL;
}

void auth_waiter_free(struct auth_waiter *waiter)
{
	auth_got_clear(&waiter->got);
	free(waiter);
}

void auth_ask_no_more(struct auth_job *job)
{
	LIST_FOREACH_SAFE(it, &job->waiters) {
		struct auth_waiter *waiter = list_entry(it, struct auth_waiter, of_job);

		if (waiter->state == AUTH_WAITER_PENDING)
			timer_stop(loop_wheel(job->s->loop), &waiter->timer);
		list_del(&waiter->of_wait);
		list_del(&waiter->of_job);
		auth_waiter_free(waiter);
	}
}
