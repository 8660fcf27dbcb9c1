/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/child_successor.h"

#include <stdio.h>

#include "sa/deadline.h"
#include "sa/task.h"

bool child_successor_is_live(const struct child_sa *c)
{
	return c && c->handle &&
	       (c->state == CHILD_STATE_INSTALLED || c->state == CHILD_STATE_REKEYING || c->state == CHILD_STATE_REKEYED);
}

struct child_sa *child_successor_of(struct child_sa *c)
{
	/* each was made after the one before: the chain has an end */
	while (c->state == CHILD_STATE_REKEYED && c->successor) {
		struct child_sa *next = ike_sa_child(c->ike, c->successor);

		if (!child_successor_is_live(next))
			break;
		c = next;
	}
	return c;
}

static void child_successor_log(const struct child_sa *old, const struct child_sa *next)
{
	struct buf text = { 0 };

	if (!log_is_wanted(LOG_GROUP_IKE, LOG_LEVEL_AUDIT))
		return;
	child_sa_format_ts(&text, next);
	LOG_SA(&old->ike->log, IKE, LOG_LEVEL_AUDIT, "CHILD_SA %s{%u} rekeyed as %s{%u} with SPIs %08x_i %08x_o and TS %s",
	       old->conf->name, old->id, next->conf->name, next->id, next->spi_in, next->spi_out, buf_str(&text));
	buf_free(&text);
}

void child_successor_announce(struct child_sa *old, struct child_sa *next)
{
	struct ike_sa *sa = old->ike;

	if (next->announced || !old->announced)
		return;
	child_successor_log(old, next);
	sa->ctx->ops->rekeyed(sa->ctx->host, sa, old, sa, next);
	old->announced = false;
	next->announced = true;
	child_delete_follow(sa, old, next);
}

/* The peer is to close it; if it never does, we do. */
static void child_successor_await_delete(struct child_sa *c)
{
	uint64_t limit = sa_now(c->ike->ctx) + LIMIT_REPLACED_MS;

	c->peer_deletes = true;
	if (!c->life_ms || c->life_ms > limit)
		c->life_ms = limit;
	ike_sa_schedule(c->ike);
}

void child_successor_takes_over(struct child_sa *old, struct child_sa *next, bool ours)
{
	child_sa_move(old, CHILD_EVENT_REPLACED);
	old->successor = next->id;
	old->superseded = true;
	old->rekey_ms = 0;
	child_successor_announce(old, next);
	if (ours)
		child_delete_this(old->ike, old->id);
	else
		child_successor_await_delete(old);
}

void child_successor_drop(struct child_sa *loser, bool ours)
{
	LOG_SA(&loser->ike->log, IKE, LOG_LEVEL_CONTROL, "CHILD_SA %s{%u} with SPIs %08x_i %08x_o is redundant: both sides rekeyed, %s closes it",
	       loser->conf->name, loser->id, loser->spi_in, loser->spi_out, ours ? "this one" : "the peer");
	if (loser->state == CHILD_STATE_INSTALLED)
		child_sa_move(loser, CHILD_EVENT_REPLACED);
	loser->superseded = true;
	loser->rekey_ms = 0;
	child_sa_carry(loser, false);
	if (ours)
		child_delete_this(loser->ike, loser->id);
	else
		child_successor_await_delete(loser);
}

/* RFC 7296, 2.8: the peer keeps the old one when it gives up the new one before closing that. */
static void child_successor_revive(struct child_sa *old, struct child_sa *lost)
{
	struct ike_sa *sa = old->ike;

	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the peer gave up CHILD_SA %s{%u} without closing %s{%u}, which it had replaced: that goes on",
	       lost->conf->name, lost->id, old->conf->name, old->id);
	child_sa_move(old, CHILD_EVENT_REVIVED);
	old->successor = 0;
	old->superseded = old->peer_deletes = false;
	old->life_ms = old->conf->life_time ? old->installed_ms + 1000 * old->conf->life_time : 0;
	child_sa_carry(old, true);
	child_successor_announce(lost, old);
	child_successor_retry(old);
}

bool child_successor_closed(struct child_sa *c)
{
	bool revived = false;
	struct child_sa *next = c->successor ? ike_sa_child(c->ike, c->successor) : NULL;

	if (child_successor_is_live(next)) {
		c->superseded = true;
		child_successor_announce(c, next);
	}
	for (struct child_sa *old = c->ike->children; old; old = old->next)
		if (old->successor == c->id && old->state == CHILD_STATE_REKEYED && old->peer_deletes) {
			child_successor_revive(old, c);
			revived = true;
		}
	return revived;
}

/* How long to wait after so many failures; 0: there is no more time before the hard limit. */
static uint64_t child_successor_wait(struct child_sa *old, uint64_t left)
{
	uint64_t wait = LIMIT_REKEY_RETRY_MS;

	for (unsigned i = 0; i < old->rekey_failures && wait < LIMIT_REKEY_RETRY_MAX_MS; i++)
		wait *= 2;
	if (wait > LIMIT_REKEY_RETRY_MAX_MS)
		wait = LIMIT_REKEY_RETRY_MAX_MS;
	/* RFC 7296, 2.8.1: jitter, so that two sides do not go on meeting each other */
	wait = deadline_jitter(old->ike, wait, wait / 2);
	if (!old->life_ms)
		return wait;
	if (wait > left / 2)
		wait = left / 2;
	return wait < LIMIT_REKEY_RETRY_MIN_MS ? 0 : wait;
}

void child_successor_retry(struct child_sa *old)
{
	struct ike_sa *sa = old->ike;
	uint64_t now = sa_now(sa->ctx);
	uint64_t left = old->life_ms > now ? old->life_ms - now : 0, wait = child_successor_wait(old, left);
	char limit[80] = "";

	if (old->rekey_failures < UINT8_MAX)
		old->rekey_failures++;
	old->rekey_ms = wait ? now + wait : 0;
	ike_sa_schedule(sa);
	if (old->life_ms)
		snprintf(limit, sizeof(limit), " and closed in %llus, at its hard limit", (unsigned long long)(left + 999) / 1000);
	if (wait)
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "CHILD_SA %s{%u} is rekeyed again in %llus%s%s", old->conf->name,
		       old->id, (unsigned long long)(wait + 999) / 1000, *limit ? "; without a successor it is kept" : "", limit);
	else
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "CHILD_SA %s{%u} has no successor: it is not rekeyed any more%s",
		       old->conf->name, old->id, limit);
}
