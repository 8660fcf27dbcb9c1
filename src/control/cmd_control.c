/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdlib.h>

#include "control/internal.h"

/* initiate, terminate */

static int control_timeout(struct bytes message)
{
	int64_t v = vici_find_int(message, "timeout", 0);

	return v < 0 ? -1 : v > INT_MAX ? INT_MAX : (int)v;
}

static int control_level(struct bytes message)
{
	int64_t v = vici_find_int(message, "loglevel", LOG_LEVEL_CONTROL);

	return v < LOG_LEVEL_SILENT ? LOG_LEVEL_SILENT : v > LOG_LEVEL_SECRET ? LOG_LEVEL_SECRET : (int)v;
}

/* ---- initiate ---- */

const struct conn *control_find_conn(struct control *c, const char *ike, const char *child)
{
	const struct config *config = control_snapshot(c);

	if (ike) {
		const struct conn *conn = config_store_conn(c->store, ike);

		return conn && (!child || conn_child(conn, child)) ? conn : NULL;
	}
	for (size_t i = 0; i < config->n_conns; i++) {
		const struct conn *conn = config_conns(config)[i];

		if (conn_child(conn, child))
			return conn;
	}
	return NULL;
}

static void initiate_parsed(struct command *cmd, const char *ike, const char *child)
{
	struct control *c = cmd->control;
	struct bytes message = command_request(cmd);
	struct initiate_how how = { .cmd = cmd, .timeout_ms = control_timeout(message) };
	const struct conn *conn = control_find_conn(c, ike, child);

	if (!conn) {
		command_fail(cmd, "%s config '%s' not found", child ? "CHILD_SA" : "IKE_SA", child ? child : ike);
		return;
	}
	LOG(CFG, 1, "vici initiate %s '%s'", child ? "CHILD_SA" : "IKE_SA", child ? child : ike);
	how.init_limits = vici_find_bool(message, "init-limits", false);
	if (how.timeout_ms < 0) {
		command_ok(cmd);
		how.cmd = NULL;
	} else {
		command_log(cmd, control_level(message), 0);
	}
	initiate_start(c, conn, child, &how);
}

void cmd_initiate(struct command *cmd)
{
	char *ike = vici_find_str(command_request(cmd), "ike"), *child = vici_find_str(command_request(cmd), "child");

	if (!ike && !child)
		command_fail(cmd, "missing configuration name");
	else if (!command_no_workers(cmd))
		initiate_parsed(cmd, ike, child);
	free(ike);
	free(child);
}

/* ---- terminate ---- */

struct terminate {
	struct job job;
	struct control *control;
	struct waiter waiter;
	struct timer timeout;
	struct command *cmd;
	struct worker_select sel; /* names are ours */
	char *ike, *child;
	int timeout_ms;
	bool force, listing;
	unsigned left; /* workers that have not said how many match */
	unsigned matches, ended, terminated;
};

static void terminate_mail(struct waiter *w, const struct worker_reply *r);

static void terminate_free(struct control *c, struct job *job)
{
	struct terminate *t = container_of(job, struct terminate, job);

	waiter_stop(c, &t->waiter);
	timer_stop(loop_wheel(c->loop), &t->timeout);
	list_del(&job->link);
	if (t->cmd)
		command_abandon(t->cmd);
	free(t->ike);
	free(t->child);
	free(t);
}

static void terminate_end(struct terminate *t)
{
	struct command *cmd = t->cmd;
	const char *err = t->matches == 0	      ? "no matching SAs to terminate found" :
			  t->terminated == t->matches ? NULL :
			  t->matches == 1	      ? "terminating SA failed" :
							"not all matching SAs could be terminated";
	struct vici_writer *w = command_reply(cmd);

	vici_write_str(w, "success", err ? "no" : "yes");
	vici_write_fmt(w, "matches", "%u", t->matches);
	vici_write_fmt(w, "terminated", "%u", t->terminated);
	if (err)
		vici_write_str(w, "errmsg", err);
	t->cmd = NULL;
	cmd->log_name = NULL; /* it was the job's */
	terminate_free(t->control, &t->job);
	command_end(cmd);
}

/* Gone is gone, however that came about. */
static bool terminate_is_success(enum cause cause)
{
	return cause == CAUSE_NONE || cause == CAUSE_PEER_SILENT || cause == CAUSE_PEER_LOST || cause == CAUSE_CLOSED;
}

static void terminate_timeout(struct timer *timer)
{
	struct terminate *t = container_of(timer, struct terminate, timeout);

	if (t->force && t->control->workers && !t->child && !t->sel.child_id) {
		/* the time for a Delete is over: destroyed without an answer */
		t->force = false;
		workers_terminate(t->control->workers, 0, NULL, &t->sel, true);
		timer_start(loop_wheel(t->control->loop), &t->timeout, loop_now(t->control->loop) + 1000,
			    terminate_timeout);
		return;
	}
	terminate_end(t);
}

static void terminate_run(struct terminate *t)
{
	struct control *c = t->control;

	if (!c->workers) {
		terminate_end(t);
		return;
	}
	t->left = workers_count(c->workers);
	waiter_start(c, &t->waiter, terminate_mail);
	workers_terminate(c->workers, t->waiter.id, c->box, &t->sel, t->force && t->timeout_ms <= 0);
	if (t->timeout_ms > 0)
		timer_start(loop_wheel(c->loop), &t->timeout, loop_now(c->loop) + (uint64_t)t->timeout_ms,
			    terminate_timeout);
}

static void terminate_check(struct terminate *t)
{
	if (t->left)
		return;
	if (t->timeout_ms < 0)
		t->terminated = t->matches;
	if (t->timeout_ms < 0 || t->ended >= t->matches)
		terminate_end(t);
}

static void terminate_mail(struct waiter *w, const struct worker_reply *r)
{
	struct terminate *t = container_of(w, struct terminate, waiter);

	switch ((enum worker_reply_kind)r->mail.kind) {
	case WORKER_REPLY_SA:
		if (!t->listing)
			return;
		if (r->info->n_children)
			command_log(t->cmd, t->cmd->log_level, r->info->id);
		/* what the operator closes by its number stays closed */
		for (size_t i = 0; t->sel.child_id && i < r->info->n_children; i++)
			reinit_forget(t->control, r->info->name, r->info->children[i].name);
		if (t->sel.ike_id && !t->sel.child_id && !t->child)
			reinit_forget(t->control, r->info->name, NULL);
		return;
	case WORKER_REPLY_DONE:
		t->listing = false;
		terminate_run(t);
		return;
	case WORKER_REPLY_MATCHES:
		t->matches += r->matches;
		t->left -= t->left > 0;
		break;
	case WORKER_REPLY_ENDED:
		t->ended++;
		t->terminated += terminate_is_success(r->cause);
		break;
	case WORKER_REPLY_FOUND:
	case WORKER_EVENT:
	case WORKER_REINITIATE:
	case WORKER_RETRAP:
	case WORKER_ACQUIRE:
	case WORKER_REPLY_TRAP:
	case WORKER_REPLY_MORE:
		return;
	}
	terminate_check(t);
}

/* Which IKE_SAs are meant is known, or must be asked first so that their log lines can be told from others. */
static void terminate_begin(struct terminate *t)
{
	struct control *c = t->control;
	struct command *cmd = t->cmd;

	command_log(cmd, control_level(command_request(cmd)), t->sel.ike_id);
	cmd->log_name = t->ike && !t->sel.ike_id ? t->ike : NULL;
	if (t->child || (t->ike && !t->sel.child_id))
		reinit_forget(c, t->ike, t->child);
	if (!t->sel.child_id && (t->ike || (!t->sel.ike_id && !command_wants(cmd, CONTROL_EVENT_CONTROL_LOG)))) {
		terminate_run(t);
		return;
	}
	t->listing = true;
	waiter_start(c, &t->waiter, terminate_mail);
	workers_list(c->workers, t->waiter.id, c->box, &t->sel);
}

void cmd_terminate(struct command *cmd)
{
	struct bytes message = command_request(cmd);
	char *ike = vici_find_str(message, "ike"), *child = vici_find_str(message, "child");
	uint32_t ike_id = command_id(cmd, "ike-id"), child_id = command_id(cmd, "child-id");
	struct terminate *t;

	if (!ike && !child && !ike_id && !child_id)
		command_fail(cmd, "missing terminate selector");
	else if (!command_no_workers(cmd)) {
		if (child || (ike && !child_id))
			LOG(CFG, 1, "vici terminate %s '%s'", child ? "CHILD_SA" : "IKE_SA", child ? child : ike);
		else
			LOG(CFG, 1, "vici terminate %s #%u", child_id ? "CHILD_SA" : "IKE_SA",
			    child_id ? child_id : ike_id);
		t = xcalloc(1, sizeof(*t));
		*t = (struct terminate){ .job.free = terminate_free, .control = cmd->control, .cmd = cmd };
		t->ike = ike;
		t->child = child;
		t->sel = (struct worker_select){ .ike = ike, .child = child, .ike_id = ike_id, .child_id = child_id };
		t->timeout_ms = control_timeout(message);
		t->force = vici_find_bool(message, "force", false);
		list_add_tail(&cmd->control->jobs, &t->job.link);
		terminate_begin(t);
		return;
	}
	free(ike);
	free(child);
}
