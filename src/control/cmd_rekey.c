/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "control/internal.h"

/* rekey: begins rekeying (or reauthentication), does not wait for its end. */

struct rekey {
	struct job job;
	struct waiter waiter;
	struct command *cmd;
	unsigned left; /* workers that have not said how many match */
	unsigned matches;
};

static void rekey_free(struct control *c, struct job *job)
{
	struct rekey *k = container_of(job, struct rekey, job);

	waiter_stop(c, &k->waiter);
	list_del(&job->link);
	if (k->cmd)
		command_abandon(k->cmd);
	free(k);
}

static void rekey_mail(struct waiter *waiter, const struct worker_reply *r)
{
	struct rekey *k = container_of(waiter, struct rekey, waiter);
	struct command *cmd = k->cmd;
	struct vici_writer *w;

	if (r->mail.kind != WORKER_REPLY_MATCHES)
		return;
	k->matches += r->matches;
	k->left--;
	if (k->left)
		return;
	w = command_reply(cmd);
	vici_write_str(w, "success", k->matches ? "yes" : "no");
	vici_write_fmt(w, "matches", "%u", k->matches);
	if (!k->matches)
		vici_write_str(w, "errmsg", "no matching SAs to rekey found");
	k->cmd = NULL;
	rekey_free(cmd->control, &k->job);
	command_end(cmd);
}

static void rekey_log(const struct worker_select *sel, bool reauth)
{
	const char *what = sel->child || sel->child_id ? "rekey CHILD_SA" : reauth ? "reauthenticate IKE_SA" : "rekey IKE_SA";

	if (sel->child || (sel->ike && !sel->child_id))
		LOG(CFG, 1, "vici %s '%s'", what, sel->child ? sel->child : sel->ike);
	else
		LOG(CFG, 1, "vici %s #%u", what, sel->child_id ? sel->child_id : sel->ike_id);
}

static void rekey_begin(struct command *cmd, const struct worker_select *sel)
{
	bool reauth = vici_find_bool(command_request(cmd), "reauth", false);
	struct control *c = cmd->control;
	struct rekey *k = xcalloc(1, sizeof(*k));

	rekey_log(sel, reauth);
	k->job.free = rekey_free;
	k->cmd = cmd;
	k->left = workers_count(c->workers);
	list_add_tail(&c->jobs, &k->job.link);
	waiter_start(c, &k->waiter, rekey_mail);
	workers_rekey(c->workers, k->waiter.id, c->box, sel, reauth);
}

void cmd_rekey(struct command *cmd)
{
	struct bytes message = command_request(cmd);
	char *ike = vici_find_str(message, "ike"), *child = vici_find_str(message, "child");
	struct worker_select sel = {
		.ike = ike, .child = child, .ike_id = command_id(cmd, "ike-id"), .child_id = command_id(cmd, "child-id"),
	};

	if (!ike && !child && !sel.ike_id && !sel.child_id)
		command_fail(cmd, "missing rekey selector");
	else if (!command_no_workers(cmd))
		rekey_begin(cmd, &sel);
	free(ike);
	free(child);
}
