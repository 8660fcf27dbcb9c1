/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "config/settings.h"
#include "control/internal.h"

/* sync-ids (our own extension): IKE_SAs agree on message ids with their peers, as after a take-over (RFC 6311). */

struct sync_ids {
	struct job job;
	struct waiter waiter;
	struct command *cmd;
	unsigned left; /* workers that have not said how many match */
	unsigned matches;
};

static void sync_free(struct control *c, struct job *job)
{
	struct sync_ids *s = container_of(job, struct sync_ids, job);

	waiter_stop(c, &s->waiter);
	list_del(&job->link);
	if (s->cmd)
		command_abandon(s->cmd);
	free(s);
}

static void sync_mail(struct waiter *waiter, const struct worker_reply *r)
{
	struct sync_ids *s = container_of(waiter, struct sync_ids, waiter);
	struct command *cmd = s->cmd;
	struct vici_writer *w;

	if (r->mail.kind != WORKER_REPLY_MATCHES)
		return;
	s->matches += r->matches;
	s->left--;
	if (s->left)
		return;
	w = command_reply(cmd);
	vici_write_str(w, "success", s->matches ? "yes" : "no");
	vici_write_fmt(w, "matches", "%u", s->matches);
	if (!s->matches)
		vici_write_str(w, "errmsg", "no matching IKE_SAs whose peers can synchronize message IDs found");
	s->cmd = NULL;
	sync_free(cmd->control, &s->job);
	command_end(cmd);
}

static void sync_begin(struct command *cmd, const struct worker_select *sel, uint64_t delta)
{
	struct control *c = cmd->control;
	struct sync_ids *s = xcalloc(1, sizeof(*s));

	if (sel->ike)
		LOG(CFG, 1, "vici sync-ids IKE_SA '%s'", sel->ike);
	else
		LOG(CFG, 1, "vici sync-ids IKE_SA #%u", sel->ike_id);
	s->job.free = sync_free;
	s->cmd = cmd;
	s->left = workers_count(c->workers);
	list_add_tail(&c->jobs, &s->job.link);
	waiter_start(c, &s->waiter, sync_mail);
	workers_sync_ids(c->workers, s->waiter.id, c->box, sel, delta);
}

void cmd_sync_ids(struct command *cmd)
{
	struct bytes message = command_request(cmd);
	char *ike = vici_find_str(message, "ike"), *text = vici_find_str(message, "replay-delta");
	struct worker_select sel = { .ike = ike, .ike_id = command_id(cmd, "ike-id") };
	int64_t delta = 0;

	if (!ike && !sel.ike_id)
		command_fail(cmd, "missing sync-ids selector");
	else if (text && (!value_int(bytes_str(text), &delta) || delta < 0))
		command_fail(cmd, "replay-delta is '%s': a number from 0 on is possible", text);
	else if (!command_no_workers(cmd))
		sync_begin(cmd, &sel, (uint64_t)delta);
	free(ike);
	free(text);
}
