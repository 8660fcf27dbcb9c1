/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "control/internal.h"

/* list-sas */

/*
 * Workers tell a slice at a time and are asked for more when the client has read what there was: however many SAs there are and however
 * slowly it reads, little waits here, and other clients get their turn.
 */
struct list_job {
	struct list link; /* control->lists */
	struct job job;
	struct waiter waiter;
	struct command *cmd;
	struct request_mail **held; /* of workers that wait */
	size_t n_held;
};

/* They go on, or (without workers) are done. */
static void list_release(struct control *c, struct list_job *l)
{
	struct request_mail **held = l->held;
	size_t n = l->n_held;

	l->held = NULL;
	l->n_held = 0;
	for (size_t i = 0; i < n; i++) {
		if (c->workers)
			workers_more(c->workers, held[i]);
		else
			worker_more_drop(held[i]);
	}
	free(held);
}

static void list_drained(struct command *cmd)
{
	list_release(cmd->control, cmd->drained_arg);
}

void lists_end(struct control *c)
{
	LIST_FOREACH(it, &c->lists)
		list_release(c, list_entry(it, struct list_job, link));
}

static void list_free(struct control *c, struct job *job)
{
	struct list_job *l = container_of(job, struct list_job, job);

	waiter_stop(c, &l->waiter);
	list_release(c, l);
	list_del(&job->link);
	list_del(&l->link);
	if (l->cmd)
		command_abandon(l->cmd);
	free(l);
}

static void list_more(struct list_job *l, struct request_mail *more)
{
	struct control *c = l->cmd->control;

	l->held = xrealloc(l->held, (l->n_held + 1) * sizeof(struct request_mail *));
	l->held[l->n_held++] = more;
	if (!c->workers || !command_is_behind(l->cmd))
		list_release(c, l);
}

static void list_mail(struct waiter *waiter, const struct worker_reply *r)
{
	struct list_job *l = container_of(waiter, struct list_job, waiter);
	struct command *cmd = l->cmd;
	struct vici_writer w;

	if (r->mail.kind == WORKER_REPLY_SA && command_wants(cmd, CONTROL_EVENT_LIST_SA)) {
		command_event_begin(&w, CONTROL_EVENT_LIST_SA);
		sa_message_ike(&w, r->info, true);
		command_event_send(cmd, &w);
	} else if (r->mail.kind == WORKER_REPLY_MORE) {
		list_more(l, worker_reply_take_more(r));
	} else if (r->mail.kind == WORKER_REPLY_DONE) {
		cmd->drained = NULL;
		l->cmd = NULL;
		list_free(cmd->control, &l->job);
		command_reply(cmd);
		command_end(cmd);
	}
}

void cmd_list_sas(struct command *cmd)
{
	struct control *c = cmd->control;
	struct bytes message = command_request(cmd);
	char *ike = vici_find_str(message, "ike"), *child = vici_find_str(message, "child");
	struct worker_select sel = { .ike = ike, .child = child };
	struct list_job *l;

	sel.ike_id = command_id(cmd, "ike-id");
	sel.child_id = command_id(cmd, "child-id");
	if (!c->workers || !command_wants(cmd, CONTROL_EVENT_LIST_SA)) {
		/* nobody would see anything */
		command_reply(cmd);
		command_end(cmd);
	} else {
		l = xcalloc(1, sizeof(*l));
		l->cmd = cmd;
		l->job.free = list_free;
		cmd->drained = list_drained;
		cmd->drained_arg = l;
		list_add_tail(&c->jobs, &l->job.link);
		list_add_tail(&c->lists, &l->link);
		waiter_start(c, &l->waiter, list_mail);
		workers_list_paced(c->workers, l->waiter.id, c->box, &sel);
	}
	free(ike);
	free(child);
}
