/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "control/internal.h"

/*
 * What loading, changing and unloading a connection does to its SAs: start actions of children that
 * are no more, or are different now, are undone; then those of the new ones run.
 */
struct actions {
	struct job job;
	struct control *control;
	struct waiter waiter;
	char *name;	    /* of the connection */
	char **undo;	    /* its children */
	size_t n_undo;
	bool keep_ike;	    /* an IKE_SA stays, though it has no other child: it is used again at once */
	const struct conn *conn; /* a reference, or NULL */
	char **start;
	size_t n_start;
};

static char **names_dup(const char *const *names, size_t n)
{
	char **copy = xcalloc(n + 1, sizeof(*copy));

	for (size_t i = 0; i < n; i++)
		copy[i] = xstrdup(names[i]);
	return copy;
}

static void names_free(char **names, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

static void actions_free(struct control *c, struct job *job)
{
	struct actions *a = container_of(job, struct actions, job);

	waiter_stop(c, &a->waiter);
	list_del(&job->link);
	conn_unref(a->conn);
	names_free(a->undo, a->n_undo);
	names_free(a->start, a->n_start);
	free(a->name);
	free(a);
}

static bool actions_undoes(const struct actions *a, const char *child)
{
	for (size_t i = 0; i < a->n_undo; i++) {
		if (strcmp(a->undo[i], child) == 0)
			return true;
	}
	return false;
}

static bool child_is_over(enum child_state state)
{
	return state == CHILD_STATE_DELETING || state == CHILD_STATE_DELETED || state == CHILD_STATE_DESTROYING;
}

static void actions_undo_sa(struct actions *a, const struct ike_info *info, unsigned worker)
{
	struct control *c = a->control;
	size_t others = 0, ours = 0;

	if (info->state == IKE_STATE_CONNECTING) {
		struct worker_select sel = { .ike_id = info->id, .worker = worker + 1 };

		if (initiate_is_starting(c, info->id, a->name, (const char *const *)a->undo, a->n_undo))
			workers_terminate(c->workers, 0, NULL, &sel, false);
		return;
	}
	for (size_t i = 0; i < info->n_children; i++) {
		if (actions_undoes(a, info->children[i].name))
			ours++;
		else
			others += !child_is_over(info->children[i].state);
	}
	if (ours && !others && !a->keep_ike) {
		struct worker_select sel = { .ike_id = info->id, .worker = worker + 1 };

		workers_terminate(c->workers, 0, NULL, &sel, false);
		return;
	}
	for (size_t i = 0; i < info->n_children; i++) {
		struct worker_select sel = { .ike_id = info->id, .child_id = info->children[i].id, .worker = worker + 1 };

		if (actions_undoes(a, info->children[i].name) && !child_is_over(info->children[i].state))
			workers_terminate(c->workers, 0, NULL, &sel, false);
	}
}

static void actions_run(struct actions *a)
{
	struct control *c = a->control;
	struct initiate_how how = { .start_action = true };

	/* what was loaded while SAs were undone has its own actions */
	bool current = a->n_undo == 0 || config_store_conn(c->store, a->name) == a->conn;

	for (size_t i = 0; c->workers && current && i < a->n_start; i++)
		initiate_start(c, a->conn, a->start[i], &how);
	actions_free(c, &a->job);
}

static void actions_mail(struct waiter *w, const struct worker_reply *r)
{
	struct actions *a = container_of(w, struct actions, waiter);

	if (r->mail.kind == WORKER_REPLY_SA && a->control->workers)
		actions_undo_sa(a, r->info, r->worker);
	else if (r->mail.kind == WORKER_REPLY_DONE)
		actions_run(a);
}

void start_actions(struct control *c, const char *name, const char *const *undo, size_t n_undo, bool keep_ike,
		   const struct conn *conn, const char *const *start, size_t n_start)
{
	struct worker_select sel = { .ike = name };
	struct actions *a;

	if (!c->workers || (n_undo == 0 && n_start == 0))
		return;
	initiate_cancel_starts(c, name, undo, n_undo);
	a = xcalloc(1, sizeof(*a));
	*a = (struct actions){ .job.free = actions_free, .control = c, .keep_ike = keep_ike };
	a->name = xstrdup(name);
	a->undo = names_dup(undo, n_undo);
	a->n_undo = n_undo;
	a->start = names_dup(start, n_start);
	a->n_start = n_start;
	a->conn = conn ? conn_ref(conn) : NULL;
	list_add_tail(&c->jobs, &a->job.link);
	if (n_undo == 0) {
		actions_run(a);
		return;
	}
	waiter_start(c, &a->waiter, actions_mail);
	workers_list(c->workers, a->waiter.id, c->box, &sel);
}
