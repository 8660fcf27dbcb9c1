/* SPDX-License-Identifier: Apache-2.0 */
#include "testing/unit/control/control_test.h"

#include <limits.h>
#include <stdio.h>
#include <time.h>

/* The functions of worker/worker.h, as the tests want them. */

void worker_reply_free(struct worker_reply *r)
{
	if (!r)
		return;
	ike_info_free(r->info);
	ike_info_free(r->info_new);
	conn_unref(r->conn);
	if (r->trap)
		arena_free(&r->trap->arena);
	free(r->trap);
	free(r->detail);
	free(r->stats);
	free(r->more);
	free(r);
}

static void fake_drop(struct mail *m)
{
	worker_reply_free(container_of(m, struct worker_reply, mail));
}

static struct worker_reply *fake_reply(unsigned kind, uint64_t request)
{
	struct worker_reply *r = xcalloc(1, sizeof(*r));

	r->mail.kind = kind;
	r->mail.drop = fake_drop;
	r->request = request;
	return r;
}

static void fake_post(struct mailbox *box, struct worker_reply *r)
{
	mailbox_post(box, &r->mail);
}

static void fake_text(char *out, size_t size, const char *text)
{
	snprintf(out, size, "%s", text ? text : "");
}

/* With the lock held. */
static struct fake_call *fake_record(struct workers *w, enum fake_kind kind, uint64_t request,
				     struct mailbox *reply_to)
{
	struct fake_call *call;

	ck_assert_uint_lt(w->n_calls, FAKE_CALLS);
	call = &w->calls[w->n_calls++];
	*call = (struct fake_call){ .kind = kind, .request = request, .reply_to = reply_to };
	pthread_cond_broadcast(&w->called);
	return call;
}

static struct fake_call *fake_record_select(struct workers *w, enum fake_kind kind, uint64_t request,
					    struct mailbox *reply_to, const struct worker_select *sel)
{
	struct fake_call *call = fake_record(w, kind, request, reply_to);

	fake_text(call->ike, sizeof(call->ike), sel->ike);
	fake_text(call->child, sizeof(call->child), sel->child);
	call->ike_id = sel->ike_id;
	call->child_id = sel->child_id;
	return call;
}

static uint32_t fake_child_id(const struct fake_sa *sa, size_t i)
{
	return 100 * sa->id + (uint32_t)i;
}

static bool fake_matches(const struct fake_sa *sa, const struct worker_select *sel)
{
	return (!sel->ike || strcmp(sa->ike, sel->ike) == 0) && (!sel->ike_id || sa->id == sel->ike_id);
}

struct ike_info *fake_info(const struct fake_sa *sa)
{
	struct ike_info *info = xcalloc(1, sizeof(*info));
	size_t n = 0;

	info->name = arena_printf(&info->arena, "%s", sa->ike);
	info->id = sa->id;
	info->state = sa->state;
	info->local_id = info->remote_id = "%any";
	while (n < ARRAY_LEN(sa->children) && sa->children[n])
		n++;
	info->children = arena_array(&info->arena, struct child_info, n + 1);
	info->n_children = n;
	for (size_t i = 0; i < n; i++) {
		info->children[i].name = arena_printf(&info->arena, "%s", sa->children[i]);
		info->children[i].id = fake_child_id(sa, i);
		info->children[i].state = CHILD_STATE_INSTALLED;
	}
	return info;
}

void workers_list(struct workers *w, uint64_t request, struct mailbox *reply_to, const struct worker_select *sel)
{
	pthread_mutex_lock(&w->lock);
	fake_record_select(w, FAKE_LIST, request, reply_to, sel);
	for (size_t i = 0; i < w->n_sas + w->copies; i++) {
		const struct fake_sa *sa = &w->sas[i < w->n_sas ? i : 0];
		struct worker_reply *r;

		if (!fake_matches(sa, sel))
			continue;
		r = fake_reply(WORKER_REPLY_SA, request);
		r->info = fake_info(sa);
		fake_post(reply_to, r);
	}
	fake_post(reply_to, fake_reply(WORKER_REPLY_DONE, request));
	pthread_mutex_unlock(&w->lock);
}

/* ---- a list in parts of FAKE_PART SAs: the rest is w->copies ---- */

struct request_mail {
	uint64_t request;
	struct mailbox *reply_to;
	size_t left;
};

static void fake_part(struct workers *w, struct request_mail *m)
{
	struct mailbox *reply_to = m->reply_to;
	struct worker_reply *r;

	for (size_t i = 0; i < FAKE_PART && m->left; i++, m->left--) {
		r = fake_reply(WORKER_REPLY_SA, m->request);
		r->info = fake_info(&w->sas[m->left <= w->n_sas ? w->n_sas - m->left : 0]);
		fake_post(m->reply_to, r);
	}
	w->parts++;
	r = fake_reply(m->left ? WORKER_REPLY_MORE : WORKER_REPLY_DONE, m->request);
	if (m->left)
		r->more = m;
	else
		free(m);
	fake_post(reply_to, r);
}

void workers_list_paced(struct workers *w, uint64_t request, struct mailbox *reply_to, const struct worker_select *sel)
{
	struct request_mail *m;

	if (!w->copies) {
		workers_list(w, request, reply_to, sel);
		return;
	}
	pthread_mutex_lock(&w->lock);
	fake_record_select(w, FAKE_LIST, request, reply_to, sel);
	m = xcalloc(1, sizeof(*m));
	*m = (struct request_mail){ request, reply_to, w->n_sas + w->copies };
	fake_part(w, m);
	pthread_mutex_unlock(&w->lock);
}

struct request_mail *worker_reply_take_more(const struct worker_reply *r)
{
	struct request_mail *more = r->more;

	((struct worker_reply *)(uintptr_t)r)->more = NULL;
	return more;
}

void workers_more(struct workers *w, struct request_mail *more)
{
	pthread_mutex_lock(&w->lock);
	fake_part(w, more);
	pthread_mutex_unlock(&w->lock);
}

void worker_more_drop(struct request_mail *more)
{
	free(more);
}

void workers_find(struct workers *w, uint64_t request, struct mailbox *reply_to, const char *conn)
{
	struct worker_select sel = { .ike = conn };

	pthread_mutex_lock(&w->lock);
	fake_record_select(w, FAKE_FIND, request, reply_to, &sel);
	for (size_t i = 0; i < w->n_sas; i++) {
		struct worker_reply *r;

		if (!fake_matches(&w->sas[i], &sel))
			continue;
		r = fake_reply(WORKER_REPLY_FOUND, request);
		r->ike_id = r->origin_id = w->sas[i].id;
		r->worker = w->sas[i].id % FAKE_WORKERS;
		r->established = w->sas[i].state == IKE_STATE_ESTABLISHED;
		fake_post(reply_to, r);
	}
	if (!w->hold_find)
		fake_post(reply_to, fake_reply(WORKER_REPLY_DONE, request));
	pthread_mutex_unlock(&w->lock);
}

void workers_stats(struct workers *w, uint64_t request, struct mailbox *reply_to)
{
	struct worker_reply *r = fake_reply(WORKER_REPLY_DONE, request);

	pthread_mutex_lock(&w->lock);
	fake_record(w, FAKE_STATS, request, reply_to);
	r->stats = xcalloc(1, sizeof(*r->stats));
	r->stats->ike_sas = w->n_sas;
	r->stats->half_open = w->half_open;
	r->stats->mail = w->queued;
	r->stats->timers = 17;
	memcpy(r->stats->counters, w->counters, sizeof(w->counters));
	pthread_mutex_unlock(&w->lock);
	fake_post(reply_to, r);
}

void workers_acquire(struct workers *w, uint64_t request, struct mailbox *reply_to, const struct conn *conn,
		     const char *child, const struct child_acquire *acquire, uint32_t ike_id, unsigned worker)
{
	struct worker_select sel = { .ike = conn->name, .child = child, .ike_id = ike_id };
	struct fake_call *call;

	pthread_mutex_lock(&w->lock);
	call = fake_record_select(w, FAKE_INITIATE, request, reply_to, &sel);
	call->worker = worker;
	if (acquire)
		call->acquire = *acquire;
	if (!w->hold_initiate)
		fake_ended(call, w->cause);
	pthread_mutex_unlock(&w->lock);
}

/* ---- traps: what is installed is listed, w->cause is how installing ends ---- */

void workers_trap_install(struct workers *w, uint64_t request, struct mailbox *reply_to, const struct conn *conn,
			  const char *child)
{
	struct worker_select sel = { .ike = conn->name, .child = child };
	struct fake_call *call;

	pthread_mutex_lock(&w->lock);
	call = fake_record_select(w, FAKE_TRAP_INSTALL, request, reply_to, &sel);
	if (w->cause == CAUSE_NONE) {
		ck_assert_uint_lt(w->n_traps, FAKE_SAS);
		fake_text(w->traps[w->n_traps][0], sizeof(w->traps[0][0]), conn->name);
		fake_text(w->traps[w->n_traps++][1], sizeof(w->traps[0][0]), child);
	}
	if (reply_to && !w->hold_traps)
		fake_ended(call, w->cause);
	pthread_mutex_unlock(&w->lock);
}

void workers_trap_uninstall(struct workers *w, uint64_t request, struct mailbox *reply_to, const char *ike,
			    const char *child)
{
	struct worker_select sel = { .ike = ike, .child = child };
	struct fake_call *call;
	size_t i = 0;

	pthread_mutex_lock(&w->lock);
	call = fake_record_select(w, FAKE_TRAP_UNINSTALL, request, reply_to, &sel);
	while (i < w->n_traps && ((ike && strcmp(w->traps[i][0], ike) != 0) || strcmp(w->traps[i][1], child) != 0))
		i++;
	if (reply_to)
		fake_ended(call, i < w->n_traps ? CAUSE_NONE : CAUSE_POLICY);
	if (i < w->n_traps)
		memmove(w->traps[i], w->traps[i + 1], (--w->n_traps - i) * sizeof(w->traps[0]));
	pthread_mutex_unlock(&w->lock);
}

void workers_trap_list(struct workers *w, uint64_t request, struct mailbox *reply_to)
{
	static const enum ipsec_mode modes[] = { IPSEC_MODE_TUNNEL, IPSEC_MODE_PASS, IPSEC_MODE_DROP };

	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->n_traps; i++) {
		struct worker_reply *r = fake_reply(WORKER_REPLY_TRAP, request);
		struct ts any = ts_any(AF_INET);

		r->trap = xcalloc(1, sizeof(*r->trap));
		r->trap->ike = arena_printf(&r->trap->arena, "%s", w->traps[i][0]);
		r->trap->child = arena_printf(&r->trap->arena, "%s", w->traps[i][1]);
		r->trap->mode = modes[i % 3];
		r->trap->reqid = i % 3 ? 0 : 7;
		r->trap->local = r->trap->remote = (struct ts_list){ 1, arena_dup(&r->trap->arena, &any, sizeof(any)) };
		fake_post(reply_to, r);
	}
	fake_post(reply_to, fake_reply(WORKER_REPLY_DONE, request));
	pthread_mutex_unlock(&w->lock);
}

void workers_trap_ended(struct workers *w, uint32_t trap_id, enum cause cause)
{
	struct worker_select sel = { .child_id = trap_id };

	pthread_mutex_lock(&w->lock);
	fake_record_select(w, FAKE_TRAP_ENDED, 0, NULL, &sel)->ended = cause;
	pthread_mutex_unlock(&w->lock);
}

/* With the lock held: what a selection means to terminate and rekey. */
static unsigned fake_matches_count(const struct workers *w, const struct worker_select *sel)
{
	unsigned matches = 0;

	for (size_t i = 0; i < w->n_sas; i++) {
		for (size_t k = 0; fake_matches(&w->sas[i], sel) && k < ARRAY_LEN(w->sas[i].children); k++) {
			const char *name = w->sas[i].children[k];

			if (!sel->child && !sel->child_id)
				matches += k == 0;
			else if (name && (!sel->child || strcmp(name, sel->child) == 0) &&
				 (!sel->child_id || fake_child_id(&w->sas[i], k) == sel->child_id))
				matches++;
		}
	}
	return matches;
}

/* Each worker says how many; the first has all. */
static void fake_post_matches(struct mailbox *reply_to, uint64_t request, unsigned matches)
{
	for (unsigned i = 0; reply_to && i < FAKE_WORKERS; i++) {
		struct worker_reply *r = fake_reply(WORKER_REPLY_MATCHES, request);

		r->matches = i == 0 ? matches : 0;
		fake_post(reply_to, r);
	}
}

void workers_terminate(struct workers *w, uint64_t request, struct mailbox *reply_to, const struct worker_select *sel,
		       bool force)
{
	struct fake_call *call;
	unsigned matches;

	pthread_mutex_lock(&w->lock);
	call = fake_record_select(w, FAKE_TERMINATE, request, reply_to, sel);
	call->force = force;
	matches = fake_matches_count(w, sel);
	fake_post_matches(reply_to, request, matches);
	for (unsigned i = 0; reply_to && !w->hold_end && i < matches; i++)
		fake_ended(call, w->cause);
	pthread_mutex_unlock(&w->lock);
}

void workers_rekey(struct workers *w, uint64_t request, struct mailbox *reply_to, const struct worker_select *sel,
		   bool reauth)
{
	pthread_mutex_lock(&w->lock);
	fake_record_select(w, FAKE_REKEY, request, reply_to, sel)->reauth = reauth;
	fake_post_matches(reply_to, request, fake_matches_count(w, sel));
	pthread_mutex_unlock(&w->lock);
}

void workers_set_reauth_time(struct workers *w, const char *conn, uint64_t seconds)
{
	struct worker_select sel = { .ike = conn };

	pthread_mutex_lock(&w->lock);
	fake_record_select(w, FAKE_REAUTH_TIME, 0, NULL, &sel)->seconds = seconds;
	pthread_mutex_unlock(&w->lock);
}

void workers_sync_ids(struct workers *w, uint64_t request, struct mailbox *reply_to, const struct worker_select *sel,
		      uint64_t delta)
{
	pthread_mutex_lock(&w->lock);
	fake_record_select(w, FAKE_SYNC, request, reply_to, sel)->delta = delta;
	fake_post_matches(reply_to, request, fake_matches_count(w, sel));
	pthread_mutex_unlock(&w->lock);
}

uint32_t workers_next_ike_id(struct workers *w)
{
	uint32_t id;

	pthread_mutex_lock(&w->lock);
	id = ++w->last_id;
	pthread_mutex_unlock(&w->lock);
	return id;
}

uint32_t workers_last_ike_id(const struct workers *w)
{
	struct workers *mine = (struct workers *)w;
	uint32_t id;

	pthread_mutex_lock(&mine->lock);
	id = mine->last_id;
	pthread_mutex_unlock(&mine->lock);
	return id;
}

unsigned workers_count(const struct workers *w)
{
	(void)w;
	return FAKE_WORKERS;
}

void workers_set_config(struct workers *w, struct config *config)
{
	pthread_mutex_lock(&w->lock);
	w->n_configs++;
	config_unref(w->config);
	w->config = config_ref(config);
	w->n_conns = config->n_conns;
	w->n_secrets = config->n_secrets;
	pthread_mutex_unlock(&w->lock);
}

void workers_recheck_crl(struct workers *w, const struct crl *crl)
{
	(void)crl;
	w->n_rechecks++;
}

void workers_want_events(struct workers *w, unsigned mask)
{
	pthread_mutex_lock(&w->lock);
	w->events = mask;
	pthread_cond_broadcast(&w->called);
	pthread_mutex_unlock(&w->lock);
}

/* ---- the test's side ---- */

static struct timespec fake_deadline(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	ts.tv_sec += PEER_WAIT_MS / 1000;
	return ts;
}

struct fake_call fake_next(struct workers *w, enum fake_kind kind)
{
	struct timespec until = fake_deadline();
	struct fake_call call;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (w->taken < w->n_calls && w->calls[w->taken].kind != kind)
			w->taken++;
		if (w->taken < w->n_calls)
			break;
		if (pthread_cond_timedwait(&w->called, &w->lock, &until) != 0) {
			pthread_mutex_unlock(&w->lock);
			ck_abort_msg("workers were not asked for %d", kind);
		}
	}
	call = w->calls[w->taken++];
	pthread_mutex_unlock(&w->lock);
	return call;
}

size_t fake_count(struct workers *w, enum fake_kind kind)
{
	size_t n = 0;

	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->n_calls; i++)
		n += w->calls[i].kind == kind;
	pthread_mutex_unlock(&w->lock);
	return n;
}

void fake_set(struct workers *w, const struct fake_sa *sas, size_t n)
{
	pthread_mutex_lock(&w->lock);
	memcpy(w->sas, sas, n * sizeof(*sas));
	w->n_sas = n;
	for (size_t i = 0; i < n; i++)
		w->last_id = sas[i].id > w->last_id ? sas[i].id : w->last_id;
	pthread_mutex_unlock(&w->lock);
}

void fake_ended(const struct fake_call *call, enum cause cause)
{
	fake_ended_detail(call, cause, NULL);
}

void fake_ended_detail(const struct fake_call *call, enum cause cause, const char *detail)
{
	struct worker_reply *r = fake_reply(WORKER_REPLY_ENDED, call->request);

	r->cause = cause;
	r->why = cause == CAUSE_NONE ? NULL : "the test says so";
	r->detail = detail ? xstrdup(detail) : NULL;
	fake_post(call->reply_to, r);
}

void fake_done(const struct fake_call *call)
{
	fake_post(call->reply_to, fake_reply(WORKER_REPLY_DONE, call->request));
}

void fake_event(struct mailbox *box, enum sa_event event, const struct fake_sa *sa)
{
	fake_event_of(box, event, fake_info(sa));
}

void fake_event_of(struct mailbox *box, enum sa_event event, struct ike_info *info)
{
	struct worker_reply *r = fake_reply(WORKER_EVENT, 0);

	r->event = event;
	r->info = info;
	fake_post(box, r);
}

void fake_rekey_event(struct mailbox *box, enum sa_event event, struct ike_info *old, struct ike_info *new)
{
	struct worker_reply *r = fake_reply(WORKER_EVENT, 0);

	r->event = event;
	r->info = old;
	r->info_new = new;
	fake_post(box, r);
}

void fake_wait_events(struct workers *w, unsigned mask)
{
	struct timespec until = fake_deadline();
	int rc = 0;

	pthread_mutex_lock(&w->lock);
	while (w->events != mask && rc == 0)
		rc = pthread_cond_timedwait(&w->called, &w->lock, &until);
	pthread_mutex_unlock(&w->lock);
	ck_assert_int_eq(rc, 0);
}
