/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/collision.h"
#include "sa/child_successor.h"
#include "sa/tasks/child.h"

/*
 * A successor for a CHILD_SA (RFC 7296, 1.3.3 and 2.8). Both sides may ask at once (2.8.1): then the exchange that ends first
 * leaves to the other what it made, and the one that ends last decides which of the two stays.
 */
struct task_child_rekey {
	struct child_negotiation n;
	bool sent;    /* initiator: our request is out, or was */
	bool ended;
	bool crossed; /* the other exchange has ended */
	uint32_t other_id; /* what it made; 0: nothing */
	struct secret other_nonces[2];
};

static struct task_child_rekey *rekey_of(struct task *t)
{
	return (struct task_child_rekey *)t;
}

struct task *child_rekey_new(struct ike_sa *sa, uint32_t child_id)
{
	struct child_sa *old = ike_sa_child(sa, child_id);
	struct child_negotiation *n;
	struct task *t;

	if (!old)
		return NULL;
	t = task_new(sa, TASK_CHILD_REKEY);
	n = negotiation_of(t);
	n->initiator = true;
	n->old_id = child_id;
	n->conn = conn_ref(old->conn);
	n->conf = old->conf;
	return t;
}

static const struct task *rekey_find(const struct task *list, uint32_t old_id, bool initiator, bool sent)
{
	for (; list; list = list->next) {
		const struct task_child_rekey *r = (const struct task_child_rekey *)list;

		if (list->type == TASK_CHILD_REKEY && r->n.old_id == old_id && r->n.initiator == initiator && !r->ended &&
		    (r->sent || !sent))
			return list;
	}
	return NULL;
}

bool child_rekey_is_pending(const struct ike_sa *sa, uint32_t child_id)
{
	return rekey_find(sa->active, child_id, true, false) || rekey_find(sa->queued, child_id, true, false);
}

/* ---- the end of both ---- */

/* The exchange about the same CHILD_SA that the other side, or ours, has under way. */
static struct task_child_rekey *rekey_other(struct ike_sa *sa, const struct task_child_rekey *r)
{
	const struct task *t;

	if (!r->n.initiator) {
		/* between two attempts with different key exchange methods ours is in the queue */
		t = rekey_find(sa->active, r->n.old_id, true, true);
		if (!t)
			t = rekey_find(sa->queued, r->n.old_id, true, true);
	} else {
		t = r->sent ? rekey_find(sa->passive, r->n.old_id, false, false) : NULL;
	}
	return (struct task_child_rekey *)t;
}

static struct child_sa *rekey_made(struct ike_sa *sa, const struct task_child_rekey *r)
{
	struct child_sa *c = r->n.failed ? NULL : negotiate_sa(sa, &r->n);

	return child_successor_is_live(c) ? c : NULL;
}

static struct child_sa *rekey_others(struct ike_sa *sa, const struct task_child_rekey *r)
{
	struct child_sa *c = r->other_id ? ike_sa_child(sa, r->other_id) : NULL;

	return child_successor_is_live(c) ? c : NULL;
}

static void rekey_leave_to(struct ike_sa *sa, struct task_child_rekey *r, struct task_child_rekey *other)
{
	struct child_sa *made = rekey_made(sa, r), *old = negotiate_old(sa, &r->n);

	other->crossed = true;
	other->other_id = made ? made->id : 0;
	secret_set(&other->other_nonces[0], secret_bytes(&r->n.nonce));
	secret_set(&other->other_nonces[1], secret_bytes(&r->n.peer_nonce));
	if (!made)
		return;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "both sides rekey CHILD_SA %s{%u} at once: %s exchange has ended with %s{%u}",
	       made->conf->name, r->n.old_id, r->n.initiator ? "our" : "the peer's", made->conf->name, made->id);
	/* the peer may close the old one before it answers us */
	if (old && !r->n.initiator)
		old->successor = made->id;
}

/* RFC 7296, 2.25: the peer has no such CHILD_SA. It is gone here, too, and a new one is asked for, or what it replaced goes on. */
static void rekey_lost(struct ike_sa *sa, struct child_sa *old)
{
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the peer has no CHILD_SA %s{%u} with SPIs %08x_i %08x_o", old->conf->name,
	       old->id, old->spi_in, old->spi_out);
	child_sa_move(old, CHILD_EVENT_LOST);
	if (!child_successor_closed(old)) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "a new CHILD_SA %s is set up", old->conf->name);
		ike_sa_queue(sa, child_create_new(sa, old->conn, old->conf, (struct sa_request){ 0 }));
	}
	child_sa_closed(old);
}

/* Neither side made a successor. */
static void rekey_without(struct ike_sa *sa, struct task_child_rekey *r)
{
	struct child_sa *old = negotiate_old(sa, &r->n);

	if (!old || (!r->n.initiator && !r->crossed))
		return; /* a refusal of ours */
	if (old->state == CHILD_STATE_REKEYING && r->n.refusal == NOTIFY_CHILD_SA_NOT_FOUND) {
		rekey_lost(sa, old);
		return;
	}
	if (old->state == CHILD_STATE_REKEYING)
		child_sa_move(old, CHILD_EVENT_REKEY_FAILED);
	if (old->state != CHILD_STATE_INSTALLED)
		return;
	if (old->over)
		ike_sa_child_expired(sa, old, true);
	else if (!r->n.again)
		child_successor_retry(old);
}

/* What this exchange made has the lowest nonce of both. */
static bool rekey_is_redundant(const struct task_child_rekey *r)
{
	struct collision_nonces here = { secret_bytes(&r->n.nonce), secret_bytes(&r->n.peer_nonce) };
	struct collision_nonces there = { secret_bytes(&r->other_nonces[0]), secret_bytes(&r->other_nonces[1]) };

	return collision_ours_redundant(here, there);
}

/* RFC 7296, 2.8.1: who made the one that stays closes the old one, who made the redundant one closes that. */
static void rekey_settle(struct ike_sa *sa, struct task_child_rekey *r)
{
	struct child_sa *old = negotiate_old(sa, &r->n);
	struct child_sa *ours = r->n.initiator ? rekey_made(sa, r) : rekey_others(sa, r);
	struct child_sa *theirs = r->n.initiator ? rekey_others(sa, r) : rekey_made(sa, r);
	struct child_sa *winner, *loser = NULL;
	bool closed = !old || old->state == CHILD_STATE_DELETED;

	if (ours && theirs)
		loser = rekey_is_redundant(r) == r->n.initiator ? ours : theirs;
	else if (ours && r->n.initiator && r->other_id && closed && rekey_is_redundant(r))
		loser = ours; /* the peer closed the old one and the one that stays before its answer came */
	winner = loser == ours || !ours ? theirs : ours;
	if (loser && !winner) {
		child_successor_drop(loser, true);
		return;
	}
	if (!winner) {
		rekey_without(sa, r);
		return;
	}
	if (loser)
		child_successor_drop(loser, loser == ours);
	if (old && (old->state == CHILD_STATE_INSTALLED || old->state == CHILD_STATE_REKEYING)) {
		child_successor_takes_over(old, winner, winner == ours);
		/* until it is closed the peer may not know the new one */
		if (loser && winner == theirs)
			child_sa_carry(old, true);
	} else if (loser && loser->announced) {
		child_successor_announce(loser, winner); /* it had the place of the old one, which the peer closed early */
	} else {
		/* the old one was closed: this is a new one, or was, and has given its place on */
		winner = child_successor_of(winner);
		if (!winner->announced && !winner->superseded)
			child_sa_announce(winner);
	}
}

/* Once, when an exchange has no more to do. */
static void rekey_end(struct ike_sa *sa, struct task_child_rekey *r)
{
	struct task_child_rekey *other;

	if (r->ended || !r->n.old_id)
		return;
	r->ended = true;
	other = rekey_other(sa, r);
	if (other)
		rekey_leave_to(sa, r, other);
	else
		rekey_settle(sa, r);
}

static enum outcome rekey_after(struct ike_sa *sa, struct task_child_rekey *r, enum outcome o)
{
	if (o == OUTCOME_DONE || o == OUTCOME_CHILD_FAILED)
		rekey_end(sa, r);
	return o;
}

/* ---- initiator ---- */

/* Without a word about failure: there is nothing to be rekeyed any more. */
static enum outcome rekey_give_up(struct ike_sa *sa, struct task_child_rekey *r, const char *why)
{
	struct child_sa *c = negotiate_sa(sa, &r->n);

	LOG_SA(&sa->log, IKE, LOG_LEVEL_DETAIL, "rekeying CHILD_SA %s{%u} is not needed: %s", r->n.conf->name, r->n.old_id, why);
	if (c) {
		child_sa_move(c, CHILD_EVENT_FAILED);
		child_sa_free(c);
	}
	r->n.child_id = 0;
	r->n.failed = true;
	task_request_done(sa, &r->n.task, CAUSE_CLOSED, why);
	rekey_end(sa, r);
	return OUTCOME_CHILD_FAILED;
}

/* Why our request has no purpose any more, or NULL. */
static const char *rekey_moot(struct ike_sa *sa, const struct task_child_rekey *r)
{
	struct child_sa *old = negotiate_old(sa, &r->n);

	if (rekey_others(sa, r))
		return "the peer did it";
	if (!old || (old->state != CHILD_STATE_INSTALLED && !(r->sent && old->state == CHILD_STATE_REKEYING)))
		return "it was replaced or closed";
	return NULL;
}

static enum outcome rekey_prepare(struct ike_sa *sa, struct task *t)
{
	struct task_child_rekey *r = rekey_of(t);
	const char *moot = rekey_moot(sa, r);
	enum outcome o;

	if (moot)
		return rekey_give_up(sa, r, moot);
	if (r->n.child_id)
		return OUTCOME_DONE; /* asked again: everything is there */
	o = negotiate_prepare(sa, &r->n);
	if (o == OUTCOME_CHILD_FAILED)
		rekey_end(sa, r);
	return o;
}

static enum outcome rekey_build_request(struct ike_sa *sa, struct task *t, struct builder *b)
{
	struct task_child_rekey *r = rekey_of(t);
	const char *moot = rekey_moot(sa, r);
	struct child_sa *old = negotiate_old(sa, &r->n);
	uint8_t spi[4];
	enum outcome o;

	if (moot)
		return rekey_give_up(sa, r, moot);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "rekeying CHILD_SA %s{%u} as {%u}", old->conf->name, old->id, r->n.child_id);
	/* RFC 7296, 1.3.3: the SPI that we expect in inbound packets */
	for (unsigned i = 0; i < 4; i++)
		spi[i] = (uint8_t)(old->spi_in >> (24 - 8 * i));
	builder_notify(b, PROTOCOL_ESP, bytes_of(spi, 4), NOTIFY_REKEY_SA, BYTES_NONE);
	o = negotiate_build_request(sa, &r->n, b);
	if (o != OUTCOME_MORE) {
		rekey_end(sa, r);
		return o;
	}
	if (old->state == CHILD_STATE_INSTALLED)
		child_sa_move(old, CHILD_EVENT_REKEY_SENT);
	r->sent = true;
	return o;
}

static enum outcome rekey_process_response(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	struct task_child_rekey *r = rekey_of(t);
	const struct payload_notify *error = negotiate_error(in);
	const char *moot = rekey_moot(sa, r);

	/* RFC 7296, 2.8.1: an error is of no interest when the peer's own rekeying was first */
	if (error && moot && !payload_find(in, PAYLOAD_SA, NULL)) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "received %s notify, which is as it should be: rekeyings crossed",
		       notify_name(error->type));
		return rekey_give_up(sa, r, moot);
	}
	return rekey_after(sa, r, negotiate_process_response(sa, &r->n, in));
}

/* ---- responder ---- */

static const char *rekey_refusal(struct ike_sa *sa, unsigned notify)
{
	if (notify == NOTIFY_CHILD_SA_NOT_FOUND)
		return "there is no CHILD_SA with the SPI that it names: it was replaced or closed";
	return sa->state == IKE_STATE_ESTABLISHED ? "it is being closed, or not up here yet" : "the IKE_SA is being closed or rekeyed";
}

/* The answer to a request of ours is under way: it may name a CHILD_SA that the peer rekeys already. */
static bool rekey_answer_is_due(const struct ike_sa *sa)
{
	for (const struct task *t = sa->active; t; t = t->next)
		if ((t->type == TASK_CHILD_CREATE || t->type == TASK_CHILD_REKEY) && sa->outstanding)
			return true;
	return false;
}

/* The CHILD_SA that the peer wants to replace; NULL: refused. */
static struct child_sa *rekey_choose(struct ike_sa *sa, struct child_negotiation *n, const struct payload_list *in)
{
	const struct payload_notify *which = payload_notify(in, NOTIFY_REKEY_SA);
	struct reader r = reader_of(which->spi);
	struct child_sa *old;
	enum child_state state = CHILD_STATES;
	uint32_t spi = reader_u32(&r);
	unsigned notify;

	if (which->protocol != PROTOCOL_ESP || !reader_done(&r))
		spi = 0;
	old = ike_sa_child_by_spi_out(sa, spi);
	if (old)
		state = (enum child_state)old->state;
	else if (rekey_answer_is_due(sa))
		state = CHILD_STATE_CREATED;
	notify = collision_rekey_child(sa->state, state);
	if (!notify && ike_sa_count_children(sa) >= 2 * LIMIT_CHILDREN)
		notify = NOTIFY_TEMPORARY_FAILURE;
	if (!notify)
		return old;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the peer asks to rekey the CHILD_SA with its SPI %08x%s%s", spi,
	       old ? ", which is in state " : "", old ? child_state_name(old->state) : "");
	if (notify == NOTIFY_CHILD_SA_NOT_FOUND)
		n->notify_spi = spi;
	(void)negotiate_answer_refusal(sa, n, CAUSE_POLICY, rekey_refusal(sa, notify), notify);
	return NULL;
}

static enum outcome rekey_process_request(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	struct child_negotiation *n = negotiation_of(t);
	struct arena *a = &sa->ctx->arena;
	struct ts_list local, remote, tsi, tsr;
	struct child_sa *old;

	if (negotiate_check_request(sa, n, in) != OUTCOME_DONE)
		return OUTCOME_IKE_FATAL;
	old = rekey_choose(sa, n, in);
	if (!old)
		return OUTCOME_DONE;
	n->old_id = old->id;
	n->conn = conn_ref(old->conn);
	n->conf = old->conf;
	negotiate_selectors(sa, n, n->conf, &local, &remote);
	tsr = payload_find(in, PAYLOAD_TSR, NULL)->ts;
	tsi = payload_find(in, PAYLOAD_TSI, NULL)->ts;
	if (old->mode == IPSEC_MODE_TRANSPORT) {
		tsr = negotiate_nat_selectors(sa, tsr, true);
		tsi = negotiate_nat_selectors(sa, tsi, false);
	}
	local = ts_narrow(a, local, tsr);
	remote = ts_narrow(a, remote, tsi);
	if (!local.count || !remote.count)
		return negotiate_answer_refusal(sa, n, CAUSE_SELECTORS,
						"its traffic selectors have nothing of those of the CHILD_SA to be rekeyed",
						NOTIFY_TS_UNACCEPTABLE);
	return negotiate_answer(sa, n, in, local, remote);
}

static enum outcome rekey_build_response(struct ike_sa *sa, struct task *t, struct builder *b)
{
	enum outcome o = negotiate_build_response(sa, negotiation_of(t), b);

	rekey_end(sa, rekey_of(t));
	return o;
}

/* ---- both ---- */

static enum outcome rekey_resume(struct ike_sa *sa, struct task *t, enum kernel_status status, const struct errtext *err)
{
	struct task_child_rekey *r = rekey_of(t);
	bool installing = r->n.stage == NEGOTIATE_INSTALLING;
	enum outcome o;

	if (!r->n.initiator)
		return negotiate_answer_resume(sa, &r->n, status, err);
	o = negotiate_resume(sa, &r->n, status, err);
	if (installing || o == OUTCOME_CHILD_FAILED)
		return rekey_after(sa, r, o);
	return o;
}

static void rekey_clear(struct ike_sa *sa, struct task *t)
{
	struct task_child_rekey *r = rekey_of(t);

	negotiate_clear(sa, &r->n);
	secret_clear(&r->other_nonces[0]);
	secret_clear(&r->other_nonces[1]);
}

const struct task_ops task_child_rekey = {
	.size = sizeof(struct task_child_rekey),
	.exchange = EXCHANGE_CREATE_CHILD_SA,
	.prepare = rekey_prepare,
	.build_request = rekey_build_request,
	.process_response = rekey_process_response,
	.process_request = rekey_process_request,
	.build_response = rekey_build_response,
	.resume = rekey_resume,
	.clear = rekey_clear,
};
