/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "control/internal.h"

/* list-sas */

struct list_job {
	struct job job;
	struct waiter waiter;
	struct command *cmd;
};

static void list_free(struct control *c, struct job *job)
{
	struct list_job *l = container_of(job, struct list_job, job);

	waiter_stop(c, &l->waiter);
	list_del(&job->link);
	if (l->cmd)
		command_abandon(l->cmd);
	free(l);
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
	} else if (r->mail.kind == WORKER_REPLY_DONE) {
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
		list_add_tail(&c->jobs, &l->job.link);
		waiter_start(c, &l->waiter, list_mail);
		workers_list(c->workers, l->waiter.id, c->box, &sel);
	}
	free(ike);
	free(child);
}
