/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "control/internal.h"
#include "worker/trap.h"

/* Traps and shunts: install, uninstall, list-policies; what loading does about them; the packets that met one. */

/* ---- what the configuration wants installed ---- */

static bool child_wants_policy(const struct child_conf *child)
{
	return child->start_action & ACTION_TRAP || (child_conf_is_shunt(child) && child->start_action);
}

static bool child_is_same(const struct conn *a, const struct child_conf *child, const struct conn *b)
{
	const struct child_conf *other = b ? conn_child(b, child->name) : NULL;

	return other && child_conf_equal(a, child, b, other);
}

static void traps_install(struct control *c, const struct conn *conn, const char *child, struct policy_load *load)
{
	c->has_traps = true;
	control_publish(c);
	workers_trap_install(c->workers, load ? policy_load_add(load, child) : 0, load ? c->box : NULL, conn, child);
}

void traps_conn_changed(struct control *c, const struct conn *old, const struct conn *conn, struct policy_load *load)
{
	const struct conn *same = old && conn && conn_ike_equal(old, conn) ? conn : NULL;

	if (!c->workers)
		return;
	/* also what was installed by hand, or by another action */
	for (size_t i = 0; old && c->has_traps && i < old->n_children; i++)
		if (!child_is_same(old, &old->children[i], same))
			workers_trap_uninstall(c->workers, 0, NULL, old->name, old->children[i].name);
	for (size_t i = 0; conn && i < conn->n_children; i++) {
		const struct child_conf *child = &conn->children[i];

		if (child_wants_policy(child) && !(same && child_is_same(conn, child, old)))
			traps_install(c, conn, child->name, load);
	}
}

void traps_again(struct control *c, const struct worker_reply *r)
{
	const struct conn *conn = r->conn ? config_store_conn(c->store, r->conn->name) : NULL;
	const struct child_conf *was = r->conn ? conn_child(r->conn, r->child) : NULL;

	/* another configuration is in force by now: it has its own actions */
	if (c->workers && conn && was && conn_ike_equal(conn, r->conn) && child_is_same(r->conn, was, conn))
		traps_install(c, conn, r->child, NULL);
}

/* ---- packets ---- */

void traps_acquired(struct control *c, const struct worker_reply *r)
{
	struct initiate_how how = { .acquire = &r->acquire, .trap_id = r->trap_id };
	const struct conn *conn = config_store_conn(c->store, r->conn->name);

	if (!c->workers)
		return;
	if (conn && conn_child(conn, r->child))
		initiate_start(c, conn, r->child, &how);
	else
		workers_trap_ended(c->workers, r->trap_id, CAUSE_POLICY);
}

/* ---- install, uninstall ---- */

struct policy_job {
	struct job job;
	struct waiter waiter;
	struct command *cmd;
	char *child;
	bool install;
};

static void policy_free(struct control *c, struct job *job)
{
	struct policy_job *p = container_of(job, struct policy_job, job);

	waiter_stop(c, &p->waiter);
	list_del(&job->link);
	if (p->cmd)
		command_abandon(p->cmd);
	free(p->child);
	free(p);
}

static void policy_mail(struct waiter *w, const struct worker_reply *r)
{
	struct policy_job *p = container_of(w, struct policy_job, waiter);
	struct command *cmd = p->cmd;

	if (r->mail.kind != WORKER_REPLY_ENDED)
		return;
	p->cmd = NULL;
	waiter_stop(cmd->control, &p->waiter);
	if (r->cause == CAUSE_NONE)
		command_ok(cmd);
	else if (p->install)
		command_fail(cmd, "installing policy '%s' failed%s%s", p->child, r->detail ? ": " : "",
			     r->detail ? r->detail : "");
	else
		command_fail(cmd, "policy '%s' not found", p->child);
	list_del(&p->job.link);
	free(p->child);
	free(p);
}

/* Takes the name. */
static struct policy_job *policy_start(struct command *cmd, char *child, bool install)
{
	struct policy_job *p = xcalloc(1, sizeof(*p));

	p->job.free = policy_free;
	p->cmd = cmd;
	p->child = child;
	p->install = install;
	list_add_tail(&cmd->control->jobs, &p->job.link);
	waiter_start(cmd->control, &p->waiter, policy_mail);
	return p;
}

void cmd_install(struct command *cmd)
{
	struct control *c = cmd->control;
	char *ike = vici_find_str(command_request(cmd), "ike"), *child = vici_find_str(command_request(cmd), "child");
	const struct conn *conn = child ? control_find_conn(c, ike, child) : NULL;

	if (!child) {
		command_fail(cmd, "missing configuration name");
	} else if (!conn) {
		command_fail(cmd, "configuration name not found");
	} else if (!command_no_workers(cmd)) {
		LOG(CFG, 1, "vici install '%s'", child);
		c->has_traps = true;
		workers_trap_install(c->workers, policy_start(cmd, child, true)->waiter.id, c->box, conn, child);
		child = NULL;
	}
	free(ike);
	free(child);
}

void cmd_uninstall(struct command *cmd)
{
	struct control *c = cmd->control;
	char *ike = vici_find_str(command_request(cmd), "ike"), *child = vici_find_str(command_request(cmd), "child");

	if (!child) {
		command_fail(cmd, "missing configuration name");
	} else if (!command_no_workers(cmd)) {
		LOG(CFG, 1, "vici uninstall '%s'", child);
		workers_trap_uninstall(c->workers, policy_start(cmd, child, false)->waiter.id, c->box, ike, child);
		child = NULL;
	}
	free(ike);
	free(child);
}

/* ---- list-policies ---- */

struct policies_job {
	struct job job;
	struct waiter waiter;
	struct command *cmd;
	char *ike, *child; /* filters */
	bool trap, pass, drop;
};

static void policies_free(struct control *c, struct job *job)
{
	struct policies_job *p = container_of(job, struct policies_job, job);

	waiter_stop(c, &p->waiter);
	list_del(&job->link);
	if (p->cmd)
		command_abandon(p->cmd);
	free(p->ike);
	free(p->child);
	free(p);
}

static bool policies_wants(const struct policies_job *p, const struct trap_info *t)
{
	bool kind = t->mode == IPSEC_MODE_PASS ? p->pass : t->mode == IPSEC_MODE_DROP ? p->drop : p->trap;

	return kind && (!p->child || strcmp(p->child, t->child) == 0) &&
	       (!p->ike || (t->ike && strcmp(p->ike, t->ike) == 0));
}

static void policies_selectors(struct vici_writer *w, const char *key, struct ts_list list)
{
	vici_write_list(w, key);
	for (size_t i = 0; i < list.count; i++)
		vici_write_item_str(w, ts_format(&list.p[i]).s);
	vici_write_list_end(w);
}

static void policies_event(struct command *cmd, const struct trap_info *t)
{
	char *name = t->ike ? xasprintf("%s/%s", t->ike, t->child) : xstrdup(t->child);
	struct vici_writer w;

	command_event_begin(&w, CONTROL_EVENT_LIST_POLICY);
	vici_write_section(&w, name);
	vici_write_str(&w, "child", t->child);
	if (t->reqid)
		vici_write_fmt(&w, "reqid", "%u", t->reqid);
	if (t->ike)
		vici_write_str(&w, "ike", t->ike);
	vici_write_str(&w, "mode", sa_message_mode(t->mode));
	policies_selectors(&w, "local-ts", t->local);
	policies_selectors(&w, "remote-ts", t->remote);
	vici_write_section_end(&w);
	command_event_send(cmd, &w);
	free(name);
}

static void policies_mail(struct waiter *waiter, const struct worker_reply *r)
{
	struct policies_job *p = container_of(waiter, struct policies_job, waiter);
	struct command *cmd = p->cmd;

	if (r->mail.kind == WORKER_REPLY_TRAP && command_wants(cmd, CONTROL_EVENT_LIST_POLICY) &&
	    policies_wants(p, r->trap)) {
		policies_event(cmd, r->trap);
	} else if (r->mail.kind == WORKER_REPLY_DONE) {
		p->cmd = NULL;
		policies_free(cmd->control, &p->job);
		command_reply(cmd);
		command_end(cmd);
	}
}

static bool policies_asked(struct bytes message, const char *kind)
{
	struct bytes value;

	return vici_find(message, VICI_KEY_VALUE, kind, &value);
}

void cmd_list_policies(struct command *cmd)
{
	struct control *c = cmd->control;
	struct bytes message = command_request(cmd);
	struct policies_job *p;

	if (!c->workers) {
		command_reply(cmd);
		command_end(cmd);
		return;
	}
	p = xcalloc(1, sizeof(*p));
	p->job.free = policies_free;
	p->cmd = cmd;
	p->ike = vici_find_str(message, "ike");
	p->child = vici_find_str(message, "child");
	p->trap = policies_asked(message, "trap");
	p->pass = policies_asked(message, "pass");
	p->drop = policies_asked(message, "drop");
	list_add_tail(&c->jobs, &p->job.link);
	waiter_start(c, &p->waiter, policies_mail);
	workers_trap_list(c->workers, p->waiter.id, c->box);
}
