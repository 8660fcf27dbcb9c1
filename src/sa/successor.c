/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/successor.h"

#include <stdlib.h>

#include "sa/address.h"
#include "sa/authentication.h"
#include "sa/collision.h"
#include "sa/config_payload.h"
#include "sa/deadline.h"
#include "sa/exchange.h"
#include "sa/mobike.h"
#include "sa/reauth.h"
#include "sa/stream.h"
#include "sa/sync.h"
#include "sa/task.h"

/* ---- links ---- */

static void successor_link(struct ike_sa *old, struct ike_sa *sa)
{
	struct ike_kin *k = kin_of(old);

	k->successor = sa;
	k->next_replaced = kin_replaced(sa);
	kin_of(sa)->replaced = old;
}

static void rival_free(struct ike_sa *old)
{
	struct rival *r = old->kin->rival;

	r->old->kin->rival = NULL;
	kin_trim(r->old);
	if (r->sa) {
		r->sa->kin->rival = NULL;
		kin_trim(r->sa);
	}
	secret_clear(&r->ni);
	secret_clear(&r->nr);
	free(r);
}

/* Out of the list of what its successor replaced. */
static void successor_leave(struct ike_sa *sa)
{
	struct ike_sa *successor = kin_successor(sa), **at;

	if (!successor)
		return;
	at = &successor->kin->replaced;
	while (*at != sa)
		at = &(*at)->kin->next_replaced;
	*at = sa->kin->next_replaced;
	sa->kin->successor = sa->kin->next_replaced = NULL;
	kin_trim(successor);
	kin_trim(sa);
}

void successor_unlink(struct ike_sa *sa)
{
	struct ike_sa *other, *successor;

	if (successor_is_undecided(sa)) {
		rival_free(sa->kin->rival->old);
	} else if (kin_rival(sa)) {
		other = sa->kin->rival->sa;
		rival_free(sa);
		if (other)
			ike_sa_finish(other, IKE_EVENT_DESTROY, CAUSE_NONE, NULL);
	}
	successor = kin_successor(sa);
	while ((other = kin_replaced(sa))) {
		successor_leave(other);
		if (successor)
			successor_link(other, successor);
	}
	successor_leave(sa);
}

struct ike_sa *ike_sa_current(struct ike_sa *sa)
{
	/* until the nonces have decided all belongs to the old one */
	if (successor_is_undecided(sa))
		sa = sa->kin->rival->old;
	while (kin_successor(sa))
		sa = kin_successor(sa);
	return sa;
}

/* ---- a new one ---- */

/* What was found out and agreed when the first IKE_SA was set up holds for all that follow it. */
static void successor_inherit(struct ike_sa *sa, const struct ike_sa *old)
{
	ike_sa_set_conn(sa, old->conn);
	sa->local = old->local;
	sa->remote = old->remote;
	stream_hold(sa);
	sa->local_id = id_dup(&old->local_id);
	ike_sa_settle_id(sa);
	sa->remote_id = id_dup(&old->remote_id);
	sa->nat_local = old->nat_local;
	sa->nat_remote = old->nat_remote;
	sa->nat_fake = old->nat_fake;
	sa->last_out_ms = old->last_out_ms;
	sa->childless = old->childless;
	sa->fragmentation = old->fragmentation;
	sa->path_size = old->path_size;
	sync_inherit(sa, old);
	sa->if_id_in = old->if_id_in;
	sa->if_id_out = old->if_id_out;
	mobike_inherit(sa, old);
	config_payload_inherit(sa, old);
	chains_inherit(sa, old);
	sa->origin_id = old->origin_id;
	sa->vips_asked = old->vips_asked;
	sa->was_id = old->log.id;
}

struct ike_sa *successor_new(struct ike_sa *old, const struct successor_keys *k)
{
	struct sa_ctx *ctx = old->ctx;
	uint64_t own = k->own_spi ? k->own_spi : ctx->ops->make_spi(ctx->host);
	struct ike_keys keys = { 0 };
	struct protect protect;
	struct ike_sa *sa;

	/* RFC 7296, 2.18: from the old SK_d, by the old PRF */
	if (!result_is_ok(protect_init(crypto_ctx_registry(ctx->crypto), k->suite, &protect)) ||
	    !result_is_ok(keys_derive_ike(ctx->crypto, k->suite, k->shared, k->ni, k->nr, k->initiator ? own : k->peer_spi,
					  k->initiator ? k->peer_spi : own, old->suite.prf,
					  bytes_of(ike_keys_d(&old->keys), old->keys.d_len), &keys)))
		return NULL;
	ike_keys_forget_p(&keys); /* nobody authenticates by them */
	sa = ike_sa_new_successor(ctx, k->initiator, own, k->peer_spi);
	sa->suite = *k->suite;
	sa->protect = protect;
	sa->keys = keys;
	successor_inherit(sa, old);
	sa->established_ms = sa->last_in_ms = sa_now(ctx);
	ike_sa_move(sa, IKE_EVENT_INHERITED);
	return sa;
}

/* ---- taking over ---- */

/* Either may have moved since there are two: where the peer was heard last it is. */
static void successor_take_place(struct ike_sa *old, struct ike_sa *sa)
{
	bool moved = !addr_equal(&old->local, &sa->local) || !addr_equal(&old->remote, &sa->remote);

	if (moved && old->last_in_ms > sa->last_in_ms) {
		sa->local = old->local;
		sa->remote = old->remote;
		moved = false;
	}
	sa->place = (uint8_t)(old->place + moved);
}

static void successor_move_children(struct ike_sa *old, struct ike_sa *sa)
{
	struct child_sa **at = &sa->children;

	while (*at)
		at = &(*at)->next;
	*at = old->children;
	old->children = NULL;
	for (struct child_sa *c = *at; c; c = c->next) {
		c->ike = sa;
		child_sa_follow(c);
	}
}

/* What is about the old IKE_SA alone has no meaning for another. */
static bool successor_keeps_task(const struct task *t)
{
	return t->type != TASK_IKE_DPD && t->type != TASK_IKE_REKEY && t->type != TASK_IKE_MID_SYNC;
}

static void successor_move_tasks(struct ike_sa *old, struct ike_sa *sa)
{
	struct task *list = old->queued;

	old->queued = NULL;
	while (list) {
		struct task *t = list;

		list = t->next;
		if (successor_keeps_task(t)) {
			ike_sa_queue(sa, t);
			continue;
		}
		task_request_done(old, t, CAUSE_NONE, NULL);
		task_free(old, t);
	}
	/* our own attempt may still be under way: what it was for is reached */
	for (struct task *t = old->active; t; t = t->next)
		if (t->type == TASK_IKE_REKEY)
			task_request_done(old, t, CAUSE_NONE, NULL);
}

/* Rekeying is not reauthentication: its time stays, the other limits begin anew. */
static void successor_deadlines(struct ike_sa *old, struct ike_sa *sa)
{
	deadline_of_ike(sa);
	if (!sa->rekey_ms)
		sa->over_ms = old->over_ms;
	reauth_inherit(old, sa);
}

static void successor_old_deadlines(struct ike_sa *old)
{
	old->rekey_ms = old->reauth_ms = old->dpd_ms = 0;
	old->over_ms = sa_now(old->ctx) + LIMIT_REKEYED_MS;
}

static void successor_log(const struct ike_sa *old, const struct ike_sa *sa)
{
	struct buf text = { 0 };

	if (!log_is_wanted(LOG_GROUP_IKE, LOG_LEVEL_AUDIT))
		return;
	ike_sa_describe(&text, sa);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_AUDIT, "IKE_SA %s[%u] rekeyed %s, in place of [%u]", sa->log.name, sa->log.id,
	       buf_str(&text), old->log.id);
	buf_free(&text);
}

void successor_replace(struct ike_sa *old, struct ike_sa *sa)
{
	struct sa_ctx *ctx = old->ctx;

	successor_log(old, sa);
	successor_take_place(old, sa);
	successor_move_children(old, sa);
	successor_move_tasks(old, sa);
	mobike_replace(old, sa);
	sa->delete_request = old->delete_request;
	old->delete_request.id = 0;
	sa->announced = old->announced;
	old->announced = false;
	ctx->ops->inherited(ctx->host, sa, old);
	successor_deadlines(old, sa); /* the event tells them */
	sa->vips = old->vips; /* both are told of with them */
	ctx->ops->rekeyed(ctx->host, old, NULL, sa, NULL);
	old->vips = NULL;
	ike_sa_move(old, IKE_EVENT_REPLACED);
	successor_link(old, sa);
	successor_old_deadlines(old);
	ike_sa_schedule(old);
	ike_sa_schedule(sa);
}

void successor_delete_old(struct ike_sa *old)
{
	if (old->state == IKE_STATE_REKEYED && !ike_sa_has_task(old, TASK_IKE_DELETE))
		ike_sa_queue(old, task_new(old, TASK_IKE_DELETE));
}

void successor_drop(struct ike_sa *redundant, struct ike_sa *survivor, bool ours)
{
	LOG_SA(&redundant->log, IKE, LOG_LEVEL_CONTROL, "IKE_SA %s[%u] is redundant, both sides rekeyed: %s closes it",
	       redundant->log.name, redundant->log.id, ours ? "this side" : "the peer");
	successor_link(redundant, survivor);
	/* it may be closed already, by order or by the peer */
	if (redundant->state == IKE_STATE_DELETING || redundant->state == IKE_STATE_CLOSED)
		return;
	ike_sa_move(redundant, IKE_EVENT_REPLACED);
	redundant->over_ms = sa_now(redundant->ctx) + LIMIT_REKEYED_MS;
	ike_sa_schedule(redundant);
	if (ours) {
		successor_delete_old(redundant);
		ike_sa_run_queue(redundant);
	}
}

/* ---- rivals ---- */

void successor_set_rival(struct ike_sa *old, struct ike_sa *sa, struct bytes ni, struct bytes nr)
{
	struct rival *r = xcalloc(1, sizeof(*r));

	r->old = old;
	r->sa = sa;
	secret_set(&r->ni, ni);
	secret_set(&r->nr, nr);
	kin_of(old)->rival = kin_of(sa)->rival = r;
	LOG_SA(&old->log, IKE, LOG_LEVEL_CONTROL, "the peer rekeys IKE_SA %s[%u] at the same time", old->log.name, old->log.id);
}

struct ike_sa *successor_rival_wins(struct ike_sa *old)
{
	struct ike_sa *sa;

	if (!kin_rival(old) || kin_rival(old)->old != old)
		return NULL;
	sa = kin_rival(old)->sa;
	rival_free(old);
	if (sa)
		successor_replace(old, sa);
	return sa;
}

void successor_rival_closed(struct ike_sa *sa)
{
	if (!successor_is_undecided(sa))
		return;
	/* its nonces are still needed */
	sa->kin->rival->sa = NULL;
	sa->kin->rival = NULL;
	kin_trim(sa);
}

/*
 * The peer had decided for its own successor and closed it before we knew: ours, which it takes for redundant, must not live on
 * in its place.
 */
static void successor_end_with_rival(struct ike_sa *old, struct ike_sa *ours)
{
	LOG_SA(&old->log, IKE, LOG_LEVEL_CONTROL, "the peer closed the IKE_SA that replaced %s[%u]: its CHILD_SAs go, too",
	       old->log.name, old->log.id);
	rival_free(old);
	ike_sa_move(old, IKE_EVENT_REKEY_FAILED);
	successor_drop(ours, old, true);
	ike_sa_terminate(old, false, (struct sa_request){ 0 });
}

struct ike_sa *successor_decide(struct ike_sa *old, struct ike_sa *ours, struct bytes ni, struct bytes nr)
{
	struct collision_nonces mine = { ni, nr }, theirs;
	const struct rival *rival = kin_rival(old);
	struct ike_sa *sa;

	if (kin_successor(old)) {
		/* the peer did not wait for the end of our exchange: it has decided */
		successor_drop(ours, kin_successor(old), true);
		return kin_successor(old);
	}
	if (!rival) {
		successor_replace(old, ours);
		successor_delete_old(old);
		return ours;
	}
	theirs = (struct collision_nonces){ secret_bytes(&rival->ni), secret_bytes(&rival->nr) };
	if (collision_ours_redundant(mine, theirs)) {
		if (!rival->sa) {
			successor_end_with_rival(old, ours);
			return NULL;
		}
		sa = successor_rival_wins(old);
		successor_drop(ours, sa, true);
		return sa;
	}
	sa = rival->sa;
	rival_free(old);
	successor_replace(old, ours);
	if (!sa) {
		successor_delete_old(old);
		return ours;
	}
	successor_drop(sa, ours, false);
	/* closed at once, the old one could take with it the answer that the peer needs to see what we see; its own Delete
	 * says that it has seen it */
	old->delete_later = true;
	old->over_ms = sa_now(old->ctx) + LIMIT_REDUNDANT_MS;
	ike_sa_schedule(old);
	return ours;
}

void successor_heard(struct ike_sa *sa, const struct payload_list *in)
{
	const struct payload *d = NULL;

	if (!successor_is_undecided(sa))
		return;
	/* closed by who made it: it is redundant, ours will be the one */
	while ((d = payload_find(in, PAYLOAD_DELETE, d)))
		if (d->del.protocol == PROTOCOL_IKE)
			return;
	(void)successor_rival_wins(sa->kin->rival->old);
}

/* ---- ends ---- */

static void successor_delete_now(struct ike_sa *old)
{
	old->delete_later = false;
	successor_delete_old(old);
	ike_sa_run_queue(old);
}

void successor_closed(struct ike_sa *sa)
{
	if (!kin_successor(sa))
		return;
	for (struct ike_sa *old = kin_replaced(kin_successor(sa)); old; old = kin_next_replaced(old))
		if (old->delete_later) {
			successor_delete_now(old);
			return;
		}
}

/* Whether the peer is known to have it. */
static bool successor_is_used(const struct ike_sa *sa)
{
	return sa->initiator || kin_successor(sa) || sa->in.next || sa->out.next > (sa->outstanding ? 1u : 0u);
}

void successor_overdue(struct ike_sa *old)
{
	struct ike_sa *sa = kin_successor(old);

	if (old->state != IKE_STATE_REKEYED)
		return;
	if (old->delete_later) {
		successor_delete_now(old);
		return;
	}
	if (!sa || successor_is_used(sa)) {
		LOG_SA(&old->log, IKE, LOG_LEVEL_CONTROL, "the peer did not close rekeyed IKE_SA %s[%u] in time, dropping it",
		       old->log.name, old->log.id);
		ike_sa_finish(old, IKE_EVENT_DESTROY, CAUSE_NONE, NULL);
		return;
	}
	/* the peer may not have got our answer yet: then a repeat of its request needs the old one */
	old->over_ms = sa_now(old->ctx) + LIMIT_REKEYED_MS;
	if (!sa->outstanding && !sa->active && !ike_sa_has_task(sa, TASK_IKE_DPD))
		ike_sa_probe(sa);
}

void successor_failed(struct ike_sa *sa, const char *why)
{
	uint64_t now = sa_now(sa->ctx), wait = LIMIT_REKEY_WAIT_MAX_MS;
	struct buf text = { 0 };

	if (sa->rekey_failures < 8 && (uint64_t)LIMIT_REKEY_WAIT_MIN_MS << sa->rekey_failures < wait)
		wait = (uint64_t)LIMIT_REKEY_WAIT_MIN_MS << sa->rekey_failures;
	wait = deadline_jitter(sa, wait, wait / 4);
	if (sa->rekey_failures < UINT8_MAX)
		sa->rekey_failures++;
	/* asked for by the operator: the lifetime has a time of its own */
	if (!sa->rekey_ms && sa->conn->rekey_time && (!sa->over_ms || now + wait < sa->over_ms))
		sa->rekey_ms = now + wait;
	if (sa->rekey_ms)
		buf_printf(&text, ", next attempt in %llus", (unsigned long long)(sa->rekey_ms - now) / 1000);
	if (sa->over_ms)
		buf_printf(&text, ", without success it is closed in %llus (over_time)",
			   (unsigned long long)(sa->over_ms > now ? sa->over_ms - now : 0) / 1000);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "rekeying IKE_SA %s[%u] failed: %s; it goes on%s", sa->log.name, sa->log.id, why,
	       text.n ? buf_str(&text) : "");
	buf_free(&text);
	ike_sa_schedule(sa);
}

/* ---- what the operator, or the time, wants ---- */

void ike_sa_rekey(struct ike_sa *sa)
{
	if (sa->finished || sa->state != IKE_STATE_ESTABLISHED || successor_is_undecided(sa) ||
	    ike_sa_has_task(sa, TASK_IKE_REKEY) || ike_sa_has_task(sa, TASK_IKE_DELETE) || ike_sa_has_task(sa, TASK_IKE_REAUTH))
		return;
	ike_sa_queue(sa, task_new(sa, TASK_IKE_REKEY));
	ike_sa_run_queue(sa);
}
