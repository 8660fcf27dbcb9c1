/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdlib.h>

#include "control/internal.h"
#include "worker/trap.h"

/*
 * Bringing up a child or an IKE_SA: for the command, for start actions, and again after a loss.
 *
 *	(limits) -> find an IKE_SA to use -> initiate -> ENDED
 *
 * Jobs of one connection look for an IKE_SA one after the other: the second finds what the first made.
 */
enum initiate_phase { INITIATE_LIMITS, INITIATE_WAITING, INITIATE_FINDING, INITIATE_RUNNING };

struct initiate {
	struct list link; /* control->initiates */
	struct control *control;
	struct waiter waiter;
	struct timer timeout;
	enum initiate_phase phase;
	const struct conn *conn; /* a reference */
	char *child;		 /* NULL: the IKE_SA only */
	struct command *cmd;	 /* NULL: nobody waits */
	int timeout_ms;
	bool start_action;
	bool forgotten; /* not repeated if it fails */
	struct reinit *reinit;
	struct child_acquire acquire;
	uint32_t trap_id; /* 0: not for a packet */
	/* the best one found, then the one in use */
	uint32_t ike_id;
	unsigned worker;
	bool established;
};

static void initiate_mail(struct waiter *w, const struct worker_reply *r);

static void initiate_enter(struct initiate *job, enum initiate_phase phase)
{
	struct control *c = job->control;

	c->n_finding -= job->phase == INITIATE_FINDING;
	c->n_finding_later -= job->phase == INITIATE_WAITING;
	job->phase = phase;
	c->n_finding += phase == INITIATE_FINDING;
	c->n_finding_later += phase == INITIATE_WAITING;
}

static const char *initiate_kind(const struct initiate *job)
{
	return job->child ? "CHILD_SA" : "IKE_SA";
}

static const char *initiate_what(const struct initiate *job)
{
	return job->child ? job->child : job->conn->name;
}

static void initiate_free(struct initiate *job)
{
	struct control *c = job->control;

	initiate_enter(job, INITIATE_RUNNING);
	waiter_stop(c, &job->waiter);
	timer_stop(loop_wheel(c->loop), &job->timeout);
	list_del(&job->link);
	conn_unref(job->conn);
	free(job->child);
	free(job);
}

static void initiate_find_next(struct control *c, const char *conn);

/* Answers whoever waits, and lets the next one look. */
static void initiate_end(struct initiate *job, enum cause cause, const char *limits)
{
	struct control *c = job->control;
	const struct conn *conn = conn_ref(job->conn);
	struct command *cmd = job->cmd;
	struct reinit *reinit = job->reinit;
	char *start = job->start_action && !job->forgotten && job->child ? xstrdup(job->child) : NULL;

	job->cmd = NULL;
	if (cmd && limits)
		command_fail(cmd, "establishing %s '%s' not possible at the moment due to limits", initiate_kind(job),
			     initiate_what(job));
	else if (cmd && cause != CAUSE_NONE)
		command_fail(cmd, "establishing %s '%s' failed", initiate_kind(job), initiate_what(job));
	else if (cmd)
		command_ok(cmd);
	if (job->trap_id && c->workers)
		workers_trap_ended(c->workers, job->trap_id, cause);
	initiate_free(job);
	if (reinit)
		reinit_done(c, reinit, cause);
	else if (start && cause != CAUSE_NONE && cause != CAUSE_DUPLICATE)
		reinit_start_failed(c, conn, start, cause);
	free(start);
	initiate_find_next(c, conn->name);
	conn_unref(conn);
}

/* ---- limits ---- */

static bool initiate_is_limited(const struct control *c, const struct worker_stats *s)
{
	unsigned half_open = c->settings.init_limit_half_open, load = c->settings.init_limit_job_load;

	return (half_open && s->half_open >= half_open) || (load && s->mail >= load);
}

/* ---- finding ---- */

static bool initiate_is_finding(struct control *c, const char *conn)
{
	if (c->n_finding == 0)
		return false;
	LIST_FOREACH(it, &c->initiates) {
		struct initiate *job = list_entry(it, struct initiate, link);

		if (job->phase == INITIATE_FINDING && strcmp(job->conn->name, conn) == 0)
			return true;
	}
	return false;
}

static void initiate_run(struct initiate *job)
{
	struct control *c = job->control;

	if (!job->ike_id) {
		job->ike_id = workers_next_ike_id(c->workers);
		job->worker = UINT_MAX;
	}
	initiate_enter(job, INITIATE_RUNNING);
	if (job->cmd)
		command_log(job->cmd, job->cmd->log_level, job->ike_id);
	waiter_start(c, &job->waiter, initiate_mail);
	workers_acquire(c->workers, job->waiter.id, c->box, job->conn, job->child, job->trap_id ? &job->acquire : NULL,
			job->ike_id, job->worker);
}

static void initiate_find(struct initiate *job)
{
	struct control *c = job->control;

	if (!c->workers) {
		initiate_end(job, CAUSE_SHUTDOWN, NULL);
		return;
	}
	if (!c->settings.reuse_ikesa) {
		initiate_run(job);
		return;
	}
	initiate_enter(job, INITIATE_WAITING);
	if (initiate_is_finding(c, job->conn->name))
		return;
	initiate_enter(job, INITIATE_FINDING);
	waiter_start(c, &job->waiter, initiate_mail);
	workers_find(c->workers, job->waiter.id, c->box, job->conn->name);
}

static void initiate_find_next(struct control *c, const char *conn)
{
	if (c->n_finding_later == 0)
		return;
	LIST_FOREACH(it, &c->initiates) {
		struct initiate *job = list_entry(it, struct initiate, link);

		if (job->phase == INITIATE_WAITING && strcmp(job->conn->name, conn) == 0) {
			initiate_find(job);
			return;
		}
	}
}

/* An established one is better than one that may still fail; among equals the newest. */
static void initiate_found(struct initiate *job, const struct worker_reply *r)
{
	if (r->origin_id < generation_min(job->control, job->conn->name))
		return;
	if (job->ike_id && (r->established < job->established ||
			    (r->established == job->established && r->ike_id < job->ike_id)))
		return;
	job->ike_id = r->ike_id;
	job->worker = r->worker;
	job->established = r->established;
}

static void initiate_mail(struct waiter *w, const struct worker_reply *r)
{
	struct initiate *job = container_of(w, struct initiate, waiter);
	struct control *c = job->control;

	switch ((enum worker_reply_kind)r->mail.kind) {
	case WORKER_REPLY_FOUND:
		initiate_found(job, r);
		return;
	case WORKER_REPLY_DONE:
		if (!c->workers) {
			initiate_end(job, CAUSE_SHUTDOWN, NULL);
		} else if (job->phase == INITIATE_FINDING) {
			initiate_run(job);
			initiate_find_next(c, job->conn->name);
		} else if (r->stats && initiate_is_limited(c, r->stats)) {
			initiate_end(job, CAUSE_POLICY, "limits");
		} else {
			initiate_find(job);
		}
		return;
	case WORKER_REPLY_ENDED:
		if (r->cause != CAUSE_NONE && !job->cmd)
			LOG(CFG, 1, "establishing %s '%s' failed: %s", initiate_kind(job), initiate_what(job),
			    r->why ? r->why : "no reason given");
		initiate_end(job, r->cause, NULL);
		return;
	case WORKER_REPLY_SA:
	case WORKER_REPLY_MATCHES:
	case WORKER_EVENT:
	case WORKER_REINITIATE:
	case WORKER_RETRAP:
	case WORKER_ACQUIRE:
	case WORKER_REPLY_TRAP:
	case WORKER_REPLY_MORE:
		return;
	}
}

/* ---- beginning ---- */

static void initiate_timeout(struct timer *t)
{
	struct initiate *job = container_of(t, struct initiate, timeout);
	struct command *cmd = job->cmd;

	job->cmd = NULL; /* the SA keeps trying */
	if (cmd)
		command_fail(cmd, "%s '%s' not established after %dms", initiate_kind(job), initiate_what(job),
			     job->timeout_ms);
}

void initiate_start(struct control *c, const struct conn *conn, const char *child, const struct initiate_how *how)
{
	struct initiate *job = xcalloc(1, sizeof(*job));

	control_publish(c); /* the workers need the secret that was loaded with it */
	job->control = c;
	job->conn = conn_ref(conn);
	job->child = child ? xstrdup(child) : NULL;
	job->cmd = how->cmd;
	job->timeout_ms = how->timeout_ms;
	job->start_action = how->start_action;
	job->reinit = how->reinit;
	job->trap_id = how->trap_id;
	if (how->acquire)
		job->acquire = *how->acquire;
	list_add_tail(&c->initiates, &job->link);
	if (job->cmd && job->timeout_ms > 0)
		timer_start(loop_wheel(c->loop), &job->timeout, loop_now(c->loop) + (uint64_t)job->timeout_ms,
			    initiate_timeout);
	if (c->workers && how->init_limits && (c->settings.init_limit_half_open || c->settings.init_limit_job_load)) {
		waiter_start(c, &job->waiter, initiate_mail);
		workers_stats(c->workers, job->waiter.id, c->box);
		return;
	}
	initiate_find(job);
}

void initiate_abort_all(struct control *c)
{
	LIST_FOREACH_SAFE(it, &c->initiates) {
		struct initiate *job = list_entry(it, struct initiate, link);

		if (job->cmd)
			command_abandon(job->cmd);
		if (job->reinit)
			reinit_done(c, job->reinit, CAUSE_SHUTDOWN);
		initiate_free(job);
	}
}

void initiate_forget(struct control *c, const char *conn, const char *child)
{
	LIST_FOREACH(it, &c->initiates) {
		struct initiate *job = list_entry(it, struct initiate, link);

		if ((!conn || strcmp(job->conn->name, conn) == 0) &&
		    (!child || (job->child && strcmp(job->child, child) == 0)))
			job->forgotten = true;
	}
}

static bool initiate_is_start_of(const struct initiate *job, const char *const *children, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (job->start_action && job->child && strcmp(job->child, children[i]) == 0)
			return true;
	}
	return false;
}

void initiate_cancel_starts(struct control *c, const char *conn, const char *const *children, size_t n)
{
	LIST_FOREACH_SAFE(it, &c->initiates) {
		struct initiate *job = list_entry(it, struct initiate, link);

		if (job->phase != INITIATE_RUNNING && strcmp(job->conn->name, conn) == 0 &&
		    initiate_is_start_of(job, children, n))
			initiate_end(job, CAUSE_POLICY, NULL);
	}
}

bool initiate_is_starting(struct control *c, uint32_t ike_id, const char *conn, const char *const *children, size_t n)
{
	bool ours = false;

	LIST_FOREACH(it, &c->initiates) {
		struct initiate *job = list_entry(it, struct initiate, link);
		if (job->phase != INITIATE_RUNNING || job->ike_id != ike_id || strcmp(job->conn->name, conn) != 0)
			continue;
		if (!initiate_is_start_of(job, children, n))
			return false; /* somebody else wants it */
		ours = true;
	}
	return ours;
}
