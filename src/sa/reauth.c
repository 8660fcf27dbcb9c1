/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/reauth.h"

#include <stdlib.h>

#include "sa/deadline.h"
#include "sa/task.h"
#include "sa/vips.h"

/* ---- children of the old one ---- */

static bool reauth_is_up(const struct child_sa *c)
{
	return c->state == CHILD_STATE_INSTALLED || c->state == CHILD_STATE_REKEYING || c->state == CHILD_STATE_UPDATING;
}

static bool reauth_is_asked(const struct ike_sa *sa, const char *name)
{
	const struct task *const lists[] = { sa->queued, sa->active };
	uint32_t id;

	for (size_t i = 0; i < ARRAY_LEN(lists); i++) {
		for (const struct task *t = lists[i]; t; t = t->next) {
			const struct child_conf *conf = child_create_conf(t);

			if (conf && strcmp(conf->name, name) == 0)
				return true;
		}
	}
	return ike_sa_has_child(sa, name, &id);
}

static void reauth_ask(struct ike_sa *sa, struct child_sa *c)
{
	const struct child_conf *conf = conn_child(sa->conn, c->conf->name);

	c->reauth_asked = true;
	if (reauth_is_asked(sa, c->conf->name))
		return;
	if (conf)
		ike_sa_queue(sa, child_create_new(sa, sa->conn, conf, (struct sa_request){ 0 }));
	else
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "connection '%s' has no child '%s' any more: not set up again",
		       sa->conn->name, c->conf->name);
}

/* Each child of `old` that was not asked for yet is asked for, in the order in which they came up. */
static void reauth_ask_all(struct ike_sa *sa, struct ike_sa *old)
{
	size_t n = ike_sa_count_children(old), i = 0;
	struct child_sa **list = xcalloc(n + 1, sizeof(struct child_sa *));

	for (struct child_sa *c = old->children; c; c = c->next)
		list[i++] = c;
	while (n--)
		if (reauth_is_up(list[n]) && !list[n]->reauth_asked)
			reauth_ask(sa, list[n]);
	free(list);
}

/* What waits to be set up in `old` is set up in `sa`; who waits for it still does. */
static void reauth_move_queue(struct ike_sa *sa, struct ike_sa *old)
{
	for (struct task **at = &old->queued; *at;) {
		struct task *t = *at;

		if (!child_create_conf(t) || task_child_id(t)) {
			at = &t->next;
			continue;
		}
		*at = t->next;
		t->next = NULL;
		ike_sa_queue(sa, t);
	}
}

/* ---- beginning ---- */

/* What is to be authenticated anew must still be configured, and have something to be for. */
static const struct conn *reauth_conn(struct ike_sa *sa)
{
	const struct conn *conn = config_conn(sa->ctx->config, sa->conn->name);
	const char *why = NULL;
	bool any = false;

	for (const struct child_sa *c = sa->children; c; c = c->next)
		any |= reauth_is_up(c);
	for (const struct task *t = sa->queued; t; t = t->next)
		any |= child_create_conf(t) != NULL;
	if (!conn)
		why = "its connection is not loaded any more";
	else if (!ike_sa_can_initiate(conn))
		why = "remote_addrs names no single peer any more";
	else if (!any && !sa->childless)
		why = "it has no CHILD_SA, and the peer does not support an IKE_SA without one (RFC 6023)";
	if (!why)
		return conn;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "IKE_SA %s[%u] cannot be reauthenticated: %s", sa->log.name, sa->log.id, why);
	return NULL;
}

static void reauth_link(struct ike_sa *old, struct ike_sa *sa)
{
	kin_of(old)->reauth_new = sa;
	kin_of(sa)->reauth_old = old;
}

static void reauth_unlink(struct ike_sa *old, struct ike_sa *sa)
{
	old->kin->reauth_new = NULL;
	sa->kin->reauth_old = NULL;
	kin_trim(old);
	kin_trim(sa);
}

/* The old one carries the traffic until the new one can. */
static void reauth_make(struct ike_sa *sa, const struct conn *conn)
{
	struct ike_sa *new_sa = ike_sa_new_initiator(sa->ctx, conn, 0);

	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "reauthenticating IKE_SA %s[%u] by IKE_SA [%u] before it is closed", sa->log.name,
	       sa->log.id, new_sa->log.id);
	reauth_link(sa, new_sa);
	for (struct child_sa *c = sa->children; c; c = c->next)
		c->reauth_asked = false;
	reauth_ask_all(new_sa, sa);
	ike_sa_initiate(new_sa, NULL, (struct sa_request){ 0 });
}

/* The new one is made when the old one is gone: reauth_ended. */
static void reauth_break(struct ike_sa *sa)
{
	sa->reauth_break = true;
	for (struct child_sa *c = sa->children; c; c = c->next)
		c->reauth_asked = false;
	ike_sa_queue(sa, task_new(sa, TASK_IKE_REAUTH));
	ike_sa_run_queue(sa);
}

static bool reauth_is_under_way(const struct ike_sa *sa)
{
	return kin_reauth_new(sa) || sa->reauth_break || ike_sa_has_task(sa, TASK_IKE_REAUTH);
}

static bool reauth_begin(struct ike_sa *sa)
{
	const struct conn *conn = reauth_conn(sa);

	if (!conn)
		return false;
	if (sa->ctx->options.make_before_break)
		reauth_make(sa, conn);
	else
		reauth_break(sa);
	return true;
}

bool reauth_instead(struct ike_sa *sa)
{
	if (sa->state != IKE_STATE_ESTABLISHED || reauth_is_under_way(sa) || !sa->origin || sa->children || !reauth_conn(sa))
		return false;
	reauth_break(sa);
	return true;
}

void ike_sa_reauth(struct ike_sa *sa)
{
	if (sa->finished || sa->state != IKE_STATE_ESTABLISHED || reauth_is_under_way(sa))
		return;
	if (sa->origin) {
		(void)reauth_begin(sa);
		return;
	}
	/* RFC 4478, 2: it is for the original initiator to begin */
	ike_sa_queue(sa, ike_auth_lifetime_new(sa, true));
	ike_sa_run_queue(sa);
}

/* From when it was due the old IKE_SA has over_time, and a while at least, for the new one to come. */
static void reauth_limit(struct ike_sa *sa)
{
	uint64_t now = sa_now(sa->ctx), over = now + 1000 * sa->conn->over_time;

	if (!sa->over_ms || sa->over_ms > over)
		sa->over_ms = over;
	if (sa->over_ms < now + LIMIT_REAUTH_GRACE_MS)
		sa->over_ms = now + LIMIT_REAUTH_GRACE_MS;
}

void reauth_due(struct ike_sa *sa)
{
	uint64_t now = sa_now(sa->ctx);

	if (reauth_is_under_way(sa) || sa->state == IKE_STATE_REKEYED || sa->state == IKE_STATE_DELETING)
		return;
	if (sa->state != IKE_STATE_ESTABLISHED) {
		sa->reauth_ms = now + LIMIT_REAUTH_MIN_MS;
		return;
	}
	if (sa->reauth_tries == 0)
		reauth_limit(sa);
	if (!sa->origin) {
		/* RFC 4478, 2: the responder deletes it soon after the end of the lifetime */
		sa->reauth_tries = 1;
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
		       "IKE_SA %s[%u]: '%s' did not reauthenticate in time (RFC 4478), it is closed in %llus unless that happens",
		       sa->log.name, sa->log.id, id_text(&sa->remote_id).s,
		       (unsigned long long)(sa->over_ms - now + 999) / 1000);
	} else if (!reauth_begin(sa)) {
		ike_sa_terminate(sa, false, (struct sa_request){ 0 });
	}
}

bool reauth_overdue(struct ike_sa *sa)
{
	struct ike_sa *new_sa = kin_reauth_new(sa);

	if (sa->reauth_break)
		return true;
	if (!sa->origin || sa->state != IKE_STATE_ESTABLISHED || !(new_sa || sa->reauth_tries))
		return false;
	if (!reauth_conn(sa))
		return false;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
	       "IKE_SA %s[%u] reached its hard lifetime before it was reauthenticated: it is closed and set up anew", sa->log.name,
	       sa->log.id);
	if (new_sa) {
		reauth_unlink(sa, new_sa);
		ike_sa_terminate(new_sa, false, (struct sa_request){ 0 });
	}
	reauth_break(sa);
	return true;
}

/* ---- endings ---- */

static bool reauth_makes_children(const struct ike_sa *sa)
{
	const struct task *const lists[] = { sa->queued, sa->active };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		for (const struct task *t = lists[i]; t; t = t->next)
			if (child_create_conf(t))
				return true;
	return false;
}

void reauth_check(struct ike_sa *sa)
{
	struct ike_sa *old = kin_reauth_old(sa);
	struct task *t;

	if (!old || sa->finished || sa->state != IKE_STATE_ESTABLISHED || reauth_makes_children(sa))
		return;
	/* what came up or was asked for meanwhile */
	reauth_ask_all(sa, old);
	reauth_move_queue(sa, old);
	if (reauth_makes_children(sa))
		return;
	reauth_unlink(old, sa);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "IKE_SA %s[%u] has taken the place of [%u]", sa->log.name, sa->log.id, old->log.id);
	/* not at once: packets by the old one may still be on their way, or the peer begins to send by the new one only now */
	t = task_new(old, TASK_IKE_REAUTH);
	t->not_before = sa_now(old->ctx) + LIMIT_OVERLAP_MS;
	old->rekey_ms = old->reauth_ms = old->over_ms = 0;
	ike_sa_queue(old, t);
	ike_sa_schedule(old);
	/* what was put off when this one came up */
	if (sa->conn->unique == UNIQUE_REPLACE)
		sa->ctx->ops->replace_others(sa->ctx->host, sa, true);
}

/* The new one failed: what works goes on, and is tried again after a growing pause. */
static void reauth_failed(struct ike_sa *old, struct ike_sa *sa)
{
	uint64_t pause = LIMIT_REAUTH_RETRY_MS;

	reauth_unlink(old, sa);
	if (old->finished || old->state == IKE_STATE_CLOSED)
		return;
	for (unsigned i = 0; i < old->reauth_tries && pause < LIMIT_REAUTH_RETRY_MAX_MS; i++)
		pause *= 2;
	if (pause > LIMIT_REAUTH_RETRY_MAX_MS)
		pause = LIMIT_REAUTH_RETRY_MAX_MS;
	pause = deadline_jitter(old, pause, pause / 2);
	if (old->reauth_tries < UINT8_MAX)
		old->reauth_tries++;
	old->reauth_ms = sa_now(old->ctx) + pause;
	LOG_SA(&old->log, IKE, LOG_LEVEL_CONTROL,
	       "reauthentication of IKE_SA %s[%u] failed (%s): it stays, next try in %llu.%llus", old->log.name, old->log.id,
	       sa->why ? sa->why : "the new IKE_SA was closed", (unsigned long long)pause / 1000,
	       (unsigned long long)pause % 1000 / 100);
	ike_sa_schedule(old);
}

/* Set-ups of a new IKE_SA that nobody waits for and that did not come about. */
static void reauth_give_back(struct ike_sa *sa)
{
	const struct task *const lists[] = { sa->queued, sa->active };

	for (size_t i = 0; i < ARRAY_LEN(lists); i++)
		for (const struct task *t = lists[i]; t; t = t->next)
			if (child_create_conf(t) && !t->request.id)
				ike_sa_child_wanted(sa, sa->conn, child_create_conf(t));
}

void reauth_ended(struct ike_sa *sa)
{
	struct ike_sa *new_sa;
	const struct conn *conn;

	if (kin_reauth_new(sa))
		reauth_unlink(sa, kin_reauth_new(sa));
	if (kin_reauth_old(sa))
		reauth_failed(kin_reauth_old(sa), sa);
	else if (sa->cause != CAUSE_SHUTDOWN && sa->cause != CAUSE_CLOSED)
		reauth_give_back(sa);
	if (!sa->reauth_break)
		return;
	sa->reauth_break = false;
	if (sa->cause == CAUSE_SHUTDOWN || !(conn = config_conn(sa->ctx->config, sa->conn->name)))
		return;
	new_sa = ike_sa_new_initiator(sa->ctx, conn, 0);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "IKE_SA [%u] is set up in the place of %s[%u]", new_sa->log.id, sa->log.name,
	       sa->log.id);
	reauth_ask_all(new_sa, sa);
	reauth_move_queue(new_sa, sa);
	/* addresses that the gateway gave stay where they are, and are asked for again */
	vips_pass(sa, new_sa);
	ike_sa_initiate(new_sa, NULL, (struct sa_request){ 0 });
}

void reauth_cancel(struct ike_sa *sa)
{
	struct ike_sa *new_sa = kin_reauth_new(sa);

	sa->reauth_break = false;
	if (!new_sa)
		return;
	reauth_unlink(sa, new_sa);
	ike_sa_terminate(new_sa, false, (struct sa_request){ 0 });
}

void reauth_inherit(struct ike_sa *old, struct ike_sa *successor)
{
	struct ike_sa *new_sa = kin_reauth_new(old);

	successor->origin = old->origin;
	successor->reauth_ms = old->reauth_ms;
	successor->reauth_tries = old->reauth_tries;
	/* RFC 4478, 2: the time limit applies to the new SA */
	if (old->reauth_tries && old->over_ms)
		successor->over_ms = old->over_ms;
	old->reauth_ms = 0;
	/* the task that closes it goes with the queue */
	successor->reauth_break = old->reauth_break;
	old->reauth_break = false;
	if (new_sa) {
		reauth_unlink(old, new_sa);
		reauth_link(successor, new_sa);
	}
	/* it is itself the new one of another */
	if (kin_reauth_old(old)) {
		new_sa = old;
		old = kin_reauth_old(new_sa);
		reauth_unlink(old, new_sa);
		reauth_link(old, successor);
	}
}

bool reauth_may_overlap(const struct ike_sa *sa)
{
	return sa->overlaps && sa_now(sa->ctx) < sa->established_ms + LIMIT_REAUTH_GRACE_MS;
}

/* ---- RFC 4478 ---- */

bool reauth_lifetime(const struct ike_sa *sa, uint32_t *ret_s)
{
	uint64_t now = sa_now(sa->ctx), left;

	if (sa->origin || !sa->reauth_ms || sa->reauth_tries)
		return false;
	left = sa->reauth_ms > now ? (sa->reauth_ms - now + 999) / 1000 : 0;
	*ret_s = left > UINT32_MAX ? UINT32_MAX : (uint32_t)left;
	return true;
}

void reauth_put_lifetime(const struct ike_sa *sa, struct builder *b)
{
	uint8_t data[4];
	struct writer w = writer_of(data, sizeof(data));
	uint32_t seconds;

	if (!reauth_lifetime(sa, &seconds))
		return;
	writer_u32(&w, seconds);
	builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_AUTH_LIFETIME, writer_done(&w));
}

/* RFC 4478, 2: the initial exchange is to be repeated within the time; our own policy may want it earlier (RFC 4478, 5). */
static void reauth_obey(struct ike_sa *sa, uint32_t seconds)
{
	uint64_t now = sa_now(sa->ctx), left = 1000ull * seconds, margin = 1000 * sa->conn->over_time;
	uint64_t floor = sa->established_ms + LIMIT_REAUTH_MIN_MS, at;

	if (margin > left / 2)
		margin = left / 2;
	if (margin < left / 10)
		margin = left / 10;
	at = now + deadline_jitter(sa, left - margin, margin / 2);
	if (at < floor)
		at = floor;
	if (!sa->over_ms || sa->over_ms > now + left)
		sa->over_ms = now + left > at + LIMIT_REAUTH_GRACE_MS ? now + left : at + LIMIT_REAUTH_GRACE_MS;
	if (sa->reauth_ms && sa->reauth_ms <= at)
		at = sa->reauth_ms;
	sa->reauth_ms = at;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "received AUTH_LIFETIME of %us, scheduling reauthentication in %llus", seconds,
	       (unsigned long long)(at > now ? at - now : 0) / 1000);
	ike_sa_schedule(sa);
}

void reauth_take_lifetime(struct ike_sa *sa, const struct payload_list *in)
{
	const struct payload_notify *n = payload_notify(in, NOTIFY_AUTH_LIFETIME);
	struct reader r;
	uint32_t seconds;

	if (!n)
		return;
	r = reader_of(n->data);
	seconds = reader_u32(&r);
	if (!reader_done(&r))
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "ignored an AUTH_LIFETIME notify of %zu bytes, it has 4", n->data.n);
	else if (!sa->origin)
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
		       "ignored AUTH_LIFETIME: only the original responder sends it (RFC 4478), and that is ourselves");
	else if (!reauth_is_under_way(sa))
		reauth_obey(sa, seconds);
}

void ike_sa_set_reauth_time(struct ike_sa *sa, uint64_t seconds)
{
	uint64_t now = sa_now(sa->ctx), at = sa->established_ms + 1000 * seconds;

	if (sa->finished || sa->state != IKE_STATE_ESTABLISHED || reauth_is_under_way(sa))
		return;
	sa->reauth_tries = 0;
	sa->reauth_ms = !seconds ? 0 : at > now ? at : now + 1;
	ike_sa_schedule(sa);
	if (sa->origin || !seconds)
		return;
	ike_sa_queue(sa, ike_auth_lifetime_new(sa, false));
	ike_sa_run_queue(sa);
}
