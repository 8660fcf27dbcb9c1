/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/deadline.h"

#include "sa/exchange.h"
#include "sa/fragment.h"
#include "sa/nat.h"
#include "sa/reauth.h"
#include "sa/successor.h"
#include "sa/task.h"

static void deadline_timer(struct timer *t);

uint64_t deadline_jitter(struct ike_sa *sa, uint64_t limit, uint64_t jitter)
{
	uint64_t random;

	if (!limit || !jitter)
		return limit;
	crypto_random(sa->ctx->crypto, &random, sizeof(random));
	if (jitter >= limit)
		jitter = limit - 1;
	return limit - (jitter == UINT64_MAX ? random : random % (jitter + 1));
}

/* The earlier of two; 0 is none. */
static void deadline_min(uint64_t *first, uint64_t ms)
{
	if (ms && (!*first || ms < *first))
		*first = ms;
}

/* Configured times reach up to INT64_MAX ms; those beyond never come. */
static uint64_t deadline_cap(uint64_t ms)
{
	return ms < INT64_MAX ? ms : INT64_MAX;
}

static uint64_t deadline_after(struct ike_sa *sa, uint64_t seconds, uint64_t jitter)
{
	if (!seconds)
		return 0;
	return deadline_cap(sa_now(sa->ctx) + deadline_jitter(sa, seconds * 1000, jitter * 1000));
}

void deadline_of_ike(struct ike_sa *sa)
{
	const struct conn *conn = sa->conn;
	uint64_t soft = 0;

	sa->rekey_ms = deadline_after(sa, conn->rekey_time, conn->rand_time);
	sa->reauth_ms = deadline_after(sa, conn->reauth_time, conn->rand_time);
	/* over_time is counted from the soft lifetime as drawn: there is always as much time to replace the SA */
	deadline_min(&soft, sa->rekey_ms);
	deadline_min(&soft, sa->reauth_ms);
	sa->over_ms = soft ? deadline_cap(soft + 1000 * conn->over_time) : 0;
}

void deadline_of_child(struct child_sa *c)
{
	c->rekey_ms = deadline_after(c->ike, c->conf->rekey_time, c->conf->rand_time);
	c->life_ms = deadline_after(c->ike, c->conf->life_time, 0);
	if (!c->idle_ms)
		c->idle_ms = deadline_after(c->ike, c->conf->inactivity, 0);
}

/* ---- signs of life ---- */

/*
 * RFC 4555, 3.12: what comes from other addresses than those agreed on does not show that the peer heard of a move. Backends tell of ESP in
 * UDP that does; of plain ESP, after a move, nobody knows. Then only IKE counts.
 */
static bool deadline_believes_esp(const struct ike_sa *sa, const struct child_sa *c)
{
	if (!sa->mobike)
		return true;
	return !sa->settling && !sa->unchecked && sa->astray_ms <= sa->last_in_ms && (c->encap || sa->place == 0);
}

/* When the peer was last heard of, by IKE or by ESP (RFC 7296, 2.4: any protected packet is a sign of life). */
static uint64_t deadline_last_heard(const struct ike_sa *sa)
{
	uint64_t last = sa->last_in_ms;

	for (struct child_sa *c = sa->children; c; c = c->next) {
		struct kernel_usage in, out;

		child_sa_usage(c, &in, &out);
		if (in.last_use_ms > last && deadline_believes_esp(sa, c))
			last = in.last_use_ms;
	}
	return last;
}

static void deadline_alive(struct ike_sa *sa)
{
	uint64_t now = sa_now(sa->ctx), delay = 1000 * sa->conn->dpd_delay;
	uint64_t last = deadline_last_heard(sa);

	if (now < last + delay) {
		sa->dpd_ms = last + delay;
		return;
	}
	sa->dpd_ms = now + delay;
	/* an outstanding request is a probe by itself */
	if (sa->outstanding || sa->active || sa->park)
		return;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_DETAIL, "sending DPD request");
	ike_sa_probe(sa);
}

/* ---- the timer ---- */

static uint64_t deadline_next(const struct ike_sa *sa)
{
	uint64_t first = 0;

	deadline_min(&first, sa->rekey_ms);
	deadline_min(&first, sa->reauth_ms);
	deadline_min(&first, sa->over_ms);
	deadline_min(&first, sa->dpd_ms);
	deadline_min(&first, sa->keepalive_ms);
	deadline_min(&first, sa->backend_ms);
	deadline_min(&first, fragment_deadline(sa));
	for (const struct child_sa *c = sa->children; c; c = c->next) {
		deadline_min(&first, c->rekey_ms);
		deadline_min(&first, c->life_ms);
		deadline_min(&first, c->overlap_ms);
		deadline_min(&first, c->idle_ms);
	}
	/* while an exchange is under way its end looks at the queue */
	if (!sa->active && !sa->parked_request)
		for (const struct task *t = sa->queued; t; t = t->next)
			if (t->not_before > sa_now(sa->ctx))
				deadline_min(&first, t->not_before);
	return first;
}

void ike_sa_schedule(struct ike_sa *sa)
{
	struct sa_ctx *ctx = sa->ctx;
	uint64_t now = sa_now(ctx), first;

	switch ((enum ike_state)sa->state) {
	case IKE_STATE_CREATED:
	case IKE_STATE_CONNECTING:
		/* the half-open limit does not begin anew */
		if (!sa->initiator && !sa->over_ms && ctx->options.half_open_timeout)
			sa->over_ms = now + 1000ull * ctx->options.half_open_timeout;
		first = sa->over_ms;
		deadline_min(&first, sa->backend_ms);
		/* an initiator may wait for a name with the same timer */
		if (first)
			timer_start(ctx->wheel, &sa->timer, first, deadline_timer);
		return;
	case IKE_STATE_ESTABLISHED:
	case IKE_STATE_REKEYING:
	case IKE_STATE_REKEYED:
	case IKE_STATE_DELETING:
		if (!sa->conn->dpd_delay || sa->state == IKE_STATE_REKEYED || sa->state == IKE_STATE_DELETING)
			sa->dpd_ms = 0;
		else if (!sa->dpd_ms)
			sa->dpd_ms = sa->last_in_ms + 1000 * sa->conn->dpd_delay;
		sa->keepalive_ms = nat_keepalive_next(sa);
		first = deadline_next(sa);
		if (first)
			timer_start(ctx->wheel, &sa->timer, first, deadline_timer);
		else
			timer_stop(ctx->wheel, &sa->timer);
		return;
	case IKE_STATE_CLOSED:
		timer_start(ctx->wheel, &sa->timer, now + 1000ull * ctx->options.closed_linger, deadline_timer);
		return;
	case IKE_STATE_PASSIVE:
	case IKE_STATE_DESTROYING:
	case IKE_STATES:
		timer_stop(ctx->wheel, &sa->timer);
		return;
	}
}

/* True, once, when the time of a field has come. */
static bool deadline_due(const struct ike_sa *sa, uint64_t *ms)
{
	if (!*ms || *ms > sa_now(sa->ctx))
		return false;
	*ms = 0;
	return true;
}

/* Sends when the peer does, which shows that it has it, and in the end without that: the other one may lead nowhere. */
static void deadline_carry(struct child_sa *c)
{
	uint64_t now = sa_now(c->ike->ctx);
	struct kernel_usage in, out;

	child_sa_usage(c, &in, &out);
	if (c->state == CHILD_STATE_INSTALLED && (in.packets || now >= c->installed_ms + LIMIT_OVERLAP_OUT_MAX_MS))
		child_sa_carry(c, true);
	else if (c->state == CHILD_STATE_INSTALLED || c->state == CHILD_STATE_INSTALLING)
		c->overlap_ms = now + LIMIT_OVERLAP_OUT_MS;
}

/* When it had its last packet, in either direction; 0: it had none. */
static uint64_t deadline_last_used(const struct child_sa *c)
{
	struct kernel_usage in, out;

	child_sa_usage(c, &in, &out);
	return in.last_use_ms > out.last_use_ms ? in.last_use_ms : out.last_use_ms;
}

void deadline_idle_follows(struct child_sa *c, const struct child_sa *old)
{
	uint64_t last = deadline_last_used(old), idle = c->conf->inactivity * 1000;

	if (!idle || !old->idle_ms)
		return;
	c->idle_ms = last && last + idle > old->idle_ms ? last + idle : old->idle_ms;
}

/* Without traffic for as long as is allowed it is closed; a backend that has to look is asked twice. */
static void deadline_idle(struct child_sa *c)
{
	struct ike_sa *sa = c->ike;
	uint64_t now = sa_now(sa->ctx), idle = c->conf->inactivity * 1000, last = deadline_last_used(c);
	bool asked = c->idle_asked, only = ike_sa_count_children(sa) == 1;

	c->idle_asked = false;
	if (last && last + idle > now) {
		c->idle_ms = deadline_cap(last + idle);
		return;
	}
	/* what is being replaced or closed ends by that, or goes on */
	if (c->state != CHILD_STATE_INSTALLED) {
		c->idle_ms = deadline_cap(now + idle);
		return;
	}
	if (!asked) {
		c->idle_asked = true;
		c->idle_ms = now + LIMIT_IDLE_LOOK_MS;
		return;
	}
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "CHILD_SA %s{%u} had no traffic for %llus (inactivity): it is closed%s",
	       c->conf->name, c->id, (unsigned long long)c->conf->inactivity,
	       only && sa->ctx->options.inactivity_close_ike ? " with its IKE_SA" : "");
	if (only && sa->ctx->options.inactivity_close_ike)
		ike_sa_terminate(sa, false, (struct sa_request){ 0 });
	else
		ike_sa_terminate_child(sa, c, (struct sa_request){ 0 });
}

/* One CHILD_SA whose time has come; false: none. The list changes by it. */
static bool deadline_child(struct ike_sa *sa)
{
	for (struct child_sa *c = sa->children; c; c = c->next) {
		if (deadline_due(sa, &c->overlap_ms)) {
			if (c->state == CHILD_STATE_DELETED)
				child_sa_free(c);
			else
				deadline_carry(c);
			return true;
		}
		if (deadline_due(sa, &c->idle_ms)) {
			deadline_idle(c);
			return true;
		}
		if (deadline_due(sa, &c->life_ms)) {
			ike_sa_child_expired(sa, c, true);
			return true;
		}
		if (deadline_due(sa, &c->rekey_ms)) {
			ike_sa_child_expired(sa, c, false);
			return true;
		}
	}
	return false;
}

/* The hard lifetime. */
static void deadline_over(struct ike_sa *sa)
{
	if (sa->state == IKE_STATE_REKEYED) {
		successor_overdue(sa);
		return;
	}
	if (sa->state == IKE_STATE_DELETING || reauth_overdue(sa))
		return;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "IKE_SA %s[%u] reached its hard lifetime and is closed", sa->log.name,
	       sa->log.id);
	for (const struct child_sa *c = sa->children; c; c = c->next)
		if (c->state == CHILD_STATE_INSTALLED)
			ike_sa_child_wanted(sa, c->conn, c->conf);
	ike_sa_terminate(sa, false, (struct sa_request){ 0 });
}

static void deadline_run(struct ike_sa *sa)
{
	while (!sa->finished && deadline_child(sa))
		;
	if (sa->finished)
		return;
	if (fragment_deadline(sa) && fragment_deadline(sa) <= sa_now(sa->ctx))
		fragment_forget(sa, false);
	if (deadline_due(sa, &sa->backend_ms))
		exchange_backend_late(sa);
	if (!sa->finished && deadline_due(sa, &sa->rekey_ms))
		ike_sa_rekey(sa);
	if (!sa->finished && deadline_due(sa, &sa->reauth_ms))
		reauth_due(sa);
	if (!sa->finished && deadline_due(sa, &sa->over_ms))
		deadline_over(sa);
	if (!sa->finished)
		ike_sa_run_queue(sa);
	if (!sa->finished && sa->dpd_ms && sa->dpd_ms <= sa_now(sa->ctx))
		deadline_alive(sa);
	if (!sa->finished && sa->keepalive_ms && sa->keepalive_ms <= sa_now(sa->ctx))
		nat_keepalive(sa);
	if (!sa->finished)
		ike_sa_schedule(sa);
}

static void deadline_timer(struct timer *t)
{
	struct ike_sa *sa = container_of(t, struct ike_sa, timer);

	switch ((enum ike_state)sa->state) {
	case IKE_STATE_CREATED:
	case IKE_STATE_CONNECTING:
		if (deadline_due(sa, &sa->backend_ms))
			exchange_backend_late(sa);
		if (sa->finished || (sa->state != IKE_STATE_CREATED && sa->state != IKE_STATE_CONNECTING))
			return;
		if (!deadline_due(sa, &sa->over_ms)) {
			ike_sa_schedule(sa);
			return;
		}
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
		       "deleting half-open IKE_SA %s[%u] with %s: no complete IKE_AUTH within %us", sa->log.name,
		       sa->log.id, addr_format_port(&sa->remote).s, sa->ctx->options.half_open_timeout);
		ike_sa_finish(sa, sa->state == IKE_STATE_CREATED ? IKE_EVENT_DESTROY : IKE_EVENT_SILENT, CAUSE_NONE,
			      NULL);
		return;
	case IKE_STATE_ESTABLISHED:
	case IKE_STATE_REKEYING:
	case IKE_STATE_REKEYED:
	case IKE_STATE_DELETING:
		deadline_run(sa);
		return;
	case IKE_STATE_CLOSED:
		ike_sa_finish(sa, IKE_EVENT_LINGERED, CAUSE_NONE, NULL);
		return;
	case IKE_STATE_PASSIVE:
	case IKE_STATE_DESTROYING:
	case IKE_STATES:
		return;
	}
}
