/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "control/internal.h"
#include "worker/trap.h"

/*
 * load-conn answers when the policies of what it loaded are installed, or are not going to be. The connection is in force either way, so
 * that is success, with the reasons as errmsg. What only waits for an address of ours is no failure.
 */
struct policy_load {
	struct job job;
	struct command *cmd;
	struct list parts; /* those without an answer */
	struct buf failed;
};

struct policy_part {
	struct list link;
	struct waiter waiter;
	struct policy_load *load;
	char child[];
};

static void part_free(struct control *c, struct policy_part *part)
{
	waiter_stop(c, &part->waiter);
	list_del(&part->link);
	free(part);
}

static void policy_load_free(struct control *c, struct job *job)
{
	struct policy_load *l = container_of(job, struct policy_load, job);

	LIST_FOREACH_SAFE(it, &l->parts)
		part_free(c, list_entry(it, struct policy_part, link));
	list_del(&job->link);
	if (l->cmd)
		command_abandon(l->cmd);
	buf_free(&l->failed);
	free(l);
}

static void policy_load_end(struct policy_load *l)
{
	struct command *cmd = l->cmd;

	vici_write_str(command_reply(cmd), "success", "yes");
	if (l->failed.n)
		command_errmsg(cmd, &l->failed);
	l->cmd = NULL;
	policy_load_free(cmd->control, &l->job);
	command_end(cmd);
}

static void part_mail(struct waiter *w, const struct worker_reply *r)
{
	struct policy_part *part = container_of(w, struct policy_part, waiter);
	struct policy_load *l = part->load;

	if (r->mail.kind != WORKER_REPLY_ENDED)
		return;
	if (r->cause != CAUSE_NONE && r->cause != CAUSE_RESOLVE)
		buf_printf(&l->failed, "%sinstalling policy '%s' failed: %s", l->failed.n ? "; " : "", part->child,
			   r->detail ? r->detail : r->why ? r->why : "no reason is known");
	part_free(l->cmd->control, part);
	if (list_empty(&l->parts))
		policy_load_end(l);
}

struct policy_load *policy_load_new(struct command *cmd)
{
	struct policy_load *l = xcalloc(1, sizeof(*l));

	l->job.free = policy_load_free;
	l->cmd = cmd;
	list_init(&l->parts);
	list_add_tail(&cmd->control->jobs, &l->job.link);
	return l;
}

uint64_t policy_load_add(struct policy_load *l, const char *child)
{
	size_t size = strlen(child) + 1;
	struct policy_part *part = xcalloc(1, sizeof(*part) + size);

	part->load = l;
	memcpy(part->child, child, size);
	list_add_tail(&l->parts, &part->link);
	waiter_start(l->cmd->control, &part->waiter, part_mail);
	return part->waiter.id;
}

void policy_load_ready(struct policy_load *l)
{
	if (list_empty(&l->parts))
		policy_load_end(l);
}
