/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "worker/internal.h"
#include "worker/trap.h"

/* What control asks: how it comes to the workers and back, who waits for an end, and what only looks. */

/* Shared by the workers of one gathering request; the last one through says DONE. */
struct request_gather {
	atomic_uint left;
	uint64_t request;
	struct mailbox *reply_to;
	bool stats;
	pthread_mutex_t lock; /* guards sum */
	struct worker_stats sum;
};

void worker_reply_free(struct worker_reply *r)
{
	if (!r)
		return;
	ike_info_free(r->info);
	ike_info_free(r->info_new);
	conn_unref(r->conn);
	trap_info_free(r->trap);
	free(r->detail);
	free(r->stats);
	if (r->more)
		worker_more_drop(r->more);
	free(r);
}

static void reply_drop(struct mail *m)
{
	worker_reply_free(container_of(m, struct worker_reply, mail));
}

/* With a box: only made; the caller posts. */
struct worker_reply *request_reply(struct mailbox *box, unsigned kind, uint64_t request)
{
	struct worker_reply *r = xcalloc(1, sizeof(*r));

	(void)box;
	r->mail.kind = kind;
	r->mail.drop = reply_drop;
	r->request = request;
	return r;
}

/* ---- waiters ---- */

struct request_waiter {
	uint64_t request;
	struct mailbox *reply_to;
};

struct sa_request request_waiter(uint64_t request, struct mailbox *reply_to)
{
	struct request_waiter *waiter;

	if (!reply_to)
		return (struct sa_request){ 0 };
	waiter = xmalloc(sizeof(*waiter));
	*waiter = (struct request_waiter){ request, reply_to };
	return (struct sa_request){ (uintptr_t)waiter };
}

void request_waiter_done(struct sa_request request, enum cause cause, const char *why)
{
	request_waiter_tell(request, cause, why, NULL);
}

void request_waiter_tell(struct sa_request request, enum cause cause, const char *why, const char *detail)
{
	struct request_waiter *waiter = (struct request_waiter *)(uintptr_t)request.id;
	struct worker_reply *r;

	if (!waiter)
		return;
	r = request_reply(waiter->reply_to, WORKER_REPLY_ENDED, waiter->request);
	r->cause = cause;
	r->why = why;
	r->detail = detail ? xstrdup(detail) : NULL;
	mailbox_post(waiter->reply_to, &r->mail);
	free(waiter);
}

/* ---- gathering ---- */

static void gather_left(struct request_gather *g)
{
	struct worker_reply *r;

	if (atomic_fetch_sub(&g->left, 1) != 1)
		return;
	r = request_reply(g->reply_to, WORKER_REPLY_DONE, g->request);
	if (g->stats)
		r->stats = xmemdup(&g->sum, sizeof(g->sum));
	mailbox_post(g->reply_to, &r->mail);
	pthread_mutex_destroy(&g->lock);
	free(g);
}

static void request_drop(struct mail *mail)
{
	struct request_mail *m = container_of(mail, struct request_mail, mail);

	if (m->gather)
		gather_left(m->gather);
	if (mail->kind == WORKER_MAIL_INITIATE)
		request_waiter_done(request_waiter(m->request, m->reply_to), CAUSE_SHUTDOWN, "the daemon is shutting down");
	free(m->ike);
	free(m->child);
	sa_walk_clear(&m->walk);
	conn_unref(m->conn);
	free(m);
}

static struct request_mail *request_new(unsigned kind, uint64_t request, struct mailbox *reply_to,
					const struct worker_select *sel, struct request_gather *gather)
{
	struct request_mail *m = xcalloc(1, sizeof(*m));

	m->mail.kind = kind;
	m->mail.drop = request_drop;
	m->request = request;
	m->reply_to = reply_to;
	m->gather = gather;
	if (sel) {
		m->ike = sel->ike ? xstrdup(sel->ike) : NULL;
		m->child = sel->child ? xstrdup(sel->child) : NULL;
		m->ike_id = sel->ike_id;
		m->child_id = sel->child_id;
	}
	return m;
}

struct request_mail *worker_reply_take_more(const struct worker_reply *r)
{
	struct request_mail *more = r->more;

	((struct worker_reply *)(uintptr_t)r)->more = NULL;
	return more;
}

void workers_more(struct workers *w, struct request_mail *more)
{
	mailbox_post(w->workers[more->worker].box, &more->mail);
}

void worker_more_drop(struct request_mail *more)
{
	request_drop(&more->mail);
}

static void request_to_all(struct workers *pool, unsigned kind, uint64_t request, struct mailbox *reply_to,
			   const struct worker_select *sel, bool gather, bool flag)
{
	struct request_gather *g = NULL;

	if (gather) {
		g = xcalloc(1, sizeof(*g));
		pthread_mutex_init(&g->lock, NULL);
		g->left = sel && sel->worker ? 1 : pool->count;
		g->request = request;
		g->reply_to = reply_to;
		g->stats = kind == WORKER_MAIL_STATS;
	}
	for (unsigned i = 0; i < pool->count; i++) {
		struct request_mail *m;

		if (sel && sel->worker && sel->worker != i + 1)
			continue;
		m = request_new(kind, request, reply_to, sel, g);
		m->force = kind == WORKER_MAIL_TERMINATE && flag;
		m->paced = kind == WORKER_MAIL_LIST && flag;
		m->reauth = kind == WORKER_MAIL_REKEY && flag;
		mailbox_post(pool->workers[i].box, &m->mail);
	}
}

void workers_list(struct workers *w, uint64_t request, struct mailbox *reply_to, const struct worker_select *sel)
{
	request_to_all(w, WORKER_MAIL_LIST, request, reply_to, sel, true, false);
}

void workers_list_paced(struct workers *w, uint64_t request, struct mailbox *reply_to, const struct worker_select *sel)
{
	request_to_all(w, WORKER_MAIL_LIST, request, reply_to, sel, true, true);
}

void workers_find(struct workers *w, uint64_t request, struct mailbox *reply_to, const char *conn)
{
	struct worker_select sel = { .ike = conn };

	request_to_all(w, WORKER_MAIL_FIND, request, reply_to, &sel, true, false);
}

void workers_stats(struct workers *w, uint64_t request, struct mailbox *reply_to)
{
	request_to_all(w, WORKER_MAIL_STATS, request, reply_to, NULL, true, false);
}

void workers_terminate(struct workers *w, uint64_t request, struct mailbox *reply_to,
		       const struct worker_select *sel, bool force)
{
	request_to_all(w, WORKER_MAIL_TERMINATE, request, reply_to, sel, false, force);
}

void workers_sync_ids(struct workers *w, uint64_t request, struct mailbox *reply_to, const struct worker_select *sel,
		      uint64_t delta)
{
	for (unsigned i = 0; i < w->count; i++) {
		struct request_mail *m = request_new(WORKER_MAIL_SYNC_IDS, request, reply_to, sel, NULL);

		m->delta = delta;
		mailbox_post(w->workers[i].box, &m->mail);
	}
}

void workers_rekey(struct workers *w, uint64_t request, struct mailbox *reply_to, const struct worker_select *sel,
		   bool reauth)
{
	request_to_all(w, WORKER_MAIL_REKEY, request, reply_to, sel, false, reauth);
}

void workers_set_reauth_time(struct workers *w, const char *conn, uint64_t seconds)
{
	struct worker_select sel = { .ike = conn };

	for (unsigned i = 0; i < w->count; i++) {
		struct request_mail *m = request_new(WORKER_MAIL_REAUTH_TIME, 0, NULL, &sel, NULL);

		m->seconds = seconds;
		mailbox_post(w->workers[i].box, &m->mail);
	}
}

void workers_initiate(struct workers *w, uint64_t request, struct mailbox *reply_to, const struct conn *conn,
		      const char *child, uint32_t ike_id, unsigned worker)
{
	workers_acquire(w, request, reply_to, conn, child, NULL, ike_id, worker);
}

void workers_acquire(struct workers *w, uint64_t request, struct mailbox *reply_to, const struct conn *conn,
		     const char *child, const struct child_acquire *acquire, uint32_t ike_id, unsigned worker)
{
	struct worker_select sel = { .child = child, .ike_id = ike_id };
	struct request_mail *m = request_new(WORKER_MAIL_INITIATE, request, reply_to, &sel, NULL);

	m->conn = conn_ref(conn);
	m->found = worker < w->count;
	m->acquired = acquire != NULL;
	if (acquire)
		m->acquire = *acquire;
	if (worker >= w->count)
		worker = atomic_fetch_add(&w->next_worker, 1) % w->count;
	mailbox_post(w->workers[worker].box, &m->mail);
}

uint32_t workers_next_ike_id(struct workers *w)
{
	return atomic_fetch_add_explicit(&w->next_number[SA_NUMBER_IKE], 1, memory_order_relaxed) + 1;
}

uint32_t workers_last_ike_id(const struct workers *w)
{
	return atomic_load_explicit(&w->next_number[SA_NUMBER_IKE], memory_order_relaxed);
}

/* ---- on the worker ---- */

static void list_filter_children(const struct request_mail *m, struct ike_info *info)
{
	size_t kept = 0;

	for (size_t i = 0; i < info->n_children; i++)
		if (request_matches_child(m, info->children[i].name, info->children[i].id))
			info->children[kept++] = info->children[i];
	info->n_children = kept;
}

static bool request_list(struct worker *w, struct request_mail *m)
{
	sa_walk_select(w, &m->walk, m->ike, m->ike_id);
	sa_walk_turn(w, &m->walk);
	for (struct ike_sa *sa; (sa = sa_walk_next(w, &m->walk));) {
		struct worker_reply *r;

		if (sa->state == IKE_STATE_CLOSED || !request_matches(m, sa))
			continue;
		r = request_reply(m->reply_to, WORKER_REPLY_SA, m->request);
		r->worker = w->index;
		r->info = ike_info_new(sa, NULL, false);
		list_filter_children(m, r->info);
		mailbox_post(m->reply_to, &r->mail);
	}
	return sa_walk_is_done(&m->walk);
}

/* A new child can be set up on it, now or when its rekeying is over. */
static bool request_is_usable(const struct ike_sa *sa)
{
	if (ike_sa_current((struct ike_sa *)(uintptr_t)sa) != sa)
		return false;
	return sa->state == IKE_STATE_ESTABLISHED || sa->state == IKE_STATE_REKEYING ||
	       (sa->initiator && (sa->state == IKE_STATE_CONNECTING || sa->state == IKE_STATE_CREATED));
}

static void request_find(struct worker *w, struct request_mail *m)
{
	struct list *group = sa_table_by_name(w, m->ike);

	if (!group)
		return;
	LIST_FOREACH(it, group) {
		const struct ike_sa *sa = list_entry(it, struct ike_sa, by_name);
		struct worker_reply *r;

		if (!request_is_usable(sa))
			continue;
		r = request_reply(m->reply_to, WORKER_REPLY_FOUND, m->request);
		r->ike_id = sa->log.id;
		r->origin_id = sa->origin_id;
		r->worker = w->index;
		r->established = sa->state == IKE_STATE_ESTABLISHED || sa->state == IKE_STATE_REKEYING;
		mailbox_post(m->reply_to, &r->mail);
	}
}

static void request_stats(struct worker *w, struct request_mail *m)
{
	struct worker_stats *s = &m->gather->sum;
	const struct net_counters *net = net_worker_counters(w->net);

	pthread_mutex_lock(&m->gather->lock);
	s->ike_sas += sa_table_count(w); /* the same that list-sas tells of */
	s->half_open = half_open_total(w->pool->half_open);
	s->timers += wheel_count(w->ctx.wheel);
	s->mail += mailbox_count(w->box);
	for (unsigned i = 0; i < SA_COUNTERS; i++)
		s->counters[i] += w->ctx.counters[i];
	s->net_received += net->received;
	s->net_sent += net->sent;
	s->net_dropped += net->drop_runt + net->drop_large + net->drop_unanswerable + net->send_dropped +
			  net->send_errors;
	pthread_mutex_unlock(&m->gather->lock);
}

/* The IKE_SA that was found for an initiate, or the one that has followed it since. */
static struct ike_sa *request_found(struct worker *w, const struct request_mail *m)
{
	struct ike_sa *sa = sa_table_by_id(w, m->ike_id);
	struct list *group;

	if (sa || !m->found)
		return sa ? ike_sa_current(sa) : NULL;
	group = sa_table_by_name(w, m->conn->name);
	if (!group)
		return NULL;
	LIST_FOREACH(it, group) {
		sa = list_entry(it, struct ike_sa, by_name);
		if (sa->was_id == m->ike_id && sa->state != IKE_STATE_CLOSED)
			return ike_sa_current(sa);
	}
	return NULL;
}

static void request_initiate(struct worker *w, struct request_mail *m)
{
	const struct child_conf *child = m->child ? conn_child(m->conn, m->child) : NULL;
	struct sa_request waiter = request_waiter(m->request, m->reply_to);
	const struct child_acquire *acquire = m->acquired ? &m->acquire : NULL;
	struct ike_sa *sa = request_found(w, m);

	if (w->stopping) {
		request_waiter_done(waiter, CAUSE_SHUTDOWN, "the daemon is shutting down");
		return;
	}
	if (m->child && !child) {
		request_waiter_done(waiter, CAUSE_POLICY, "the configuration has no such child");
		return;
	}
	if (child ? child_conf_is_shunt(child) : m->conn->shunts_only) {
		request_waiter_done(waiter, CAUSE_POLICY, "mode pass or drop is installed, not initiated");
		return;
	}
	if (!sa || sa->state == IKE_STATE_DELETING || sa->state == IKE_STATE_CLOSED) {
		sa = ike_sa_new_initiator(&w->ctx, m->conn, sa || m->found ? 0 : m->ike_id);
		ike_sa_initiate_for(sa, child, acquire, waiter);
	} else if (child) {
		ike_sa_add_child_for(sa, m->conn, child, acquire, waiter);
	} else if (!sa->setup || sa->state == IKE_STATE_ESTABLISHED || sa->setup->request.id) {
		/* it is up, or someone else is told when it is: nothing more to wait for */
		request_waiter_done(waiter, CAUSE_NONE, NULL);
	} else {
		sa->setup->request = waiter;
	}
}

/* The rest comes behind what waits, or when it is asked for. */
static void request_continue(struct worker *w, struct request_mail *m)
{
	struct worker_reply *r;

	if (!m->paced) {
		mailbox_post(w->box, &m->mail);
		return;
	}
	m->worker = w->index;
	r = request_reply(m->reply_to, WORKER_REPLY_MORE, m->request);
	r->more = m;
	mailbox_post(m->reply_to, &r->mail);
}

void request_run(struct worker *w, struct request_mail *m)
{
	bool done = true;

	switch ((enum worker_mail_kind)m->mail.kind) {
	case WORKER_MAIL_LIST:
		done = request_list(w, m);
		break;
	case WORKER_MAIL_FIND:
		request_find(w, m);
		break;
	case WORKER_MAIL_STATS:
		request_stats(w, m);
		break;
	case WORKER_MAIL_INITIATE:
		request_initiate(w, m);
		m->reply_to = NULL; /* the waiter is its own now */
		break;
	case WORKER_MAIL_TERMINATE:
		done = request_terminate(w, m);
		break;
	case WORKER_MAIL_SYNC_IDS:
		done = request_sync_ids(w, m);
		break;
	case WORKER_MAIL_REKEY:
		done = request_rekey(w, m);
		break;
	case WORKER_MAIL_REAUTH_TIME:
		done = request_reauth_time(w, m);
		break;
	case WORKER_MAIL_PACKET:
	case WORKER_MAIL_CONFIG:
	case WORKER_MAIL_OPTIONS:
	case WORKER_MAIL_KERNEL_DONE:
	case WORKER_MAIL_KERNEL_EVENT:
	case WORKER_MAIL_RESOLVED:
	case WORKER_MAIL_REPLACE:
	case WORKER_MAIL_STOP:
	case WORKER_MAIL_TRIMMED:
	case WORKER_MAIL_HINT:
	case WORKER_MAIL_ROAM:
	case WORKER_MAIL_TRAP:
	case WORKER_MAIL_STREAM:
	case WORKER_MAIL_AUTHENTICATED:
	case WORKER_MAIL_RECHECK_CRL:
		break;
	}
	if (done)
		m->mail.drop(&m->mail);
	else
		request_continue(w, m);
}
