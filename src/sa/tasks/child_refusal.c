/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/tasks/child.h"

/* What a peer's refusal of a CHILD_SA means: what we had offered, what can be done, whether it is asked again. */

enum refusal_offer { REFUSAL_NOTHING, REFUSAL_PROPOSALS, REFUSAL_SELECTORS };

struct refusal {
	uint16_t notify;
	uint8_t cause;
	uint8_t offer;    /* what of our offer belongs into the log */
	const char *why;  /* for who waits, and the log */
	const char *help; /* what the operator can do */
};

static const struct refusal refusals[] = {
	{ NOTIFY_NO_PROPOSAL_CHOSEN, CAUSE_PROPOSAL, REFUSAL_PROPOSALS,
	  "the peer accepts none of our ESP proposals (NO_PROPOSAL_CHOSEN)",
	  "esp_proposals of both sides must share one; key exchange methods in them count from the first rekeying on" },
	{ NOTIFY_TS_UNACCEPTABLE, CAUSE_SELECTORS, REFUSAL_SELECTORS,
	  "the peer accepts none of our traffic selectors (TS_UNACCEPTABLE)",
	  "local_ts and remote_ts must overlap the peer's, the other way round" },
	{ NOTIFY_SINGLE_PAIR_REQUIRED, CAUSE_SELECTORS, REFUSAL_SELECTORS,
	  "the peer takes one pair of addresses per CHILD_SA only (SINGLE_PAIR_REQUIRED)",
	  "a child per pair of single addresses in local_ts and remote_ts is needed, or start_action = trap" },
	{ NOTIFY_NO_ADDITIONAL_SAS, CAUSE_PEER_ERROR, REFUSAL_NOTHING,
	  "the peer takes no more CHILD_SAs (NO_ADDITIONAL_SAS)",
	  "its limit must be raised, or the IKE_SA set up anew; its log may tell more" },
	{ NOTIFY_FAILED_CP_REQUIRED, CAUSE_PEER_ERROR, REFUSAL_NOTHING,
	  "the peer wants us to ask for a virtual address (FAILED_CP_REQUIRED)",
	  "vips of the connection must ask for one, as 0.0.0.0" },
	{ NOTIFY_INTERNAL_ADDRESS_FAILURE, CAUSE_PEER_ERROR, REFUSAL_NOTHING,
	  "the peer has no virtual address for us (INTERNAL_ADDRESS_FAILURE)",
	  "its pools are full, missing, or of the other family than vips" },
	{ NOTIFY_TEMPORARY_FAILURE, CAUSE_PEER_ERROR, REFUSAL_NOTHING,
	  "the peer cannot do it now (TEMPORARY_FAILURE)",
	  "it is busy with this IKE_SA for too long: its log tells with what" },
	{ NOTIFY_CHILD_SA_NOT_FOUND, CAUSE_PEER_ERROR, REFUSAL_NOTHING,
	  "the peer has no such CHILD_SA (CHILD_SA_NOT_FOUND)",
	  "nothing, when both sides rekeyed at once; else the peer lost it" },
};

static const struct refusal refusal_other = {
	0, CAUSE_PEER_ERROR, REFUSAL_NOTHING, "the peer refused it", "the peer's log tells why",
};

static const struct refusal *refusal_find(unsigned notify)
{
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++)
		if (refusals[i].notify == notify)
			return &refusals[i];
	return &refusal_other;
}

static void refusal_log(struct ike_sa *sa, const struct child_negotiation *n, const struct refusal *f)
{
	struct child_sa *c = negotiate_sa(sa, n);
	struct buf text = { 0 };

	if (f->offer == REFUSAL_SELECTORS) {
		child_sa_format_ts(&text, c);
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "traffic selectors we proposed: %s", buf_str(&text));
	} else if (f->offer == REFUSAL_PROPOSALS) {
		proposal_format(&text, negotiate_proposals(sa, n));
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "proposals we sent: %s", buf_str(&text));
	}
	buf_free(&text);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "what helps CHILD_SA '%s': %s", n->conf->name, f->help);
}

/* RFC 7296, 1.3: the same again with the method that the peer wants. */
static enum outcome refused_invalid_ke(struct ike_sa *sa, struct child_negotiation *n, struct bytes data)
{
	struct child_sa *c = negotiate_sa(sa, n);
	struct reader r = reader_of(data);
	uint16_t method = reader_u16(&r);

	if (!reader_done(&r) || n->in_auth || method == n->ke_id || !proposal_has(n->conf->esp, TRANSFORM_KE, method) ||
	    !crypto_ke(crypto_ctx_registry(sa->ctx->crypto), method) || n->ke_rounds++ >= LIMIT_INVALID_KE_ROUNDS) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
		       "the peer wants key exchange method %s for CHILD_SA '%s', which we do not offer: esp_proposals must have it",
		       ke_name(method), n->conf->name);
		return negotiate_failed(sa, n, CAUSE_KEY_EXCHANGE, "no key exchange method in common (INVALID_KE_PAYLOAD)", 0);
	}
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "peer didn't accept key exchange method %s, it requested %s",
	       ke_name(n->ke_id), ke_name(method));
	child_sa_move(c, CHILD_EVENT_RETRY);
	n->ke_id = method;
	return OUTCOME_MORE;
}

/* Another task for the same, with who waits for this one, which ends. NULL: what it was to replace is gone. */
static struct task *refused_again(struct ike_sa *sa, struct child_negotiation *n)
{
	struct child_sa *c = negotiate_sa(sa, n);
	struct task *t = n->old_id ? child_rekey_new(sa, n->old_id) :
				     child_create_new(sa, n->conn, n->conf, n->task.request);

	if (!t)
		return NULL;
	t->request = n->task.request;
	n->task.request.id = 0;
	negotiation_of(t)->tries = n->tries;
	negotiation_of(t)->acquired = n->acquired;
	negotiation_of(t)->acquire = n->acquire;
	negotiation_of(t)->single_pair = n->single_pair;
	n->again = n->failed = true;
	child_sa_move(c, CHILD_EVENT_FAILED);
	child_sa_free(c);
	n->child_id = 0;
	return t;
}

/* RFC 7296, 2.25 MUST: not at once again, but after a while. */
static enum outcome refused_for_now(struct ike_sa *sa, struct child_negotiation *n)
{
	struct task *t = refused_again(sa, n);

	if (!t)
		return OUTCOME_CHILD_FAILED;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the peer cannot do it now, CHILD_SA '%s' is asked for again in a few seconds",
	       n->conf->name);
	negotiation_of(t)->tries++;
	task_retry_later(sa, t);
	return OUTCOME_CHILD_FAILED;
}

/* RFC 7296, 2.9: then for the packet's two addresses only. */
static enum outcome refused_single_pair(struct ike_sa *sa, struct child_negotiation *n)
{
	struct task *t;

	n->single_pair = true;
	t = refused_again(sa, n);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "CHILD_SA '%s' is asked for again, for one pair of addresses", n->conf->name);
	ike_sa_queue(sa, t);
	return OUTCOME_CHILD_FAILED;
}

enum outcome negotiate_refused(struct ike_sa *sa, struct child_negotiation *n, const struct payload_notify *notify)
{
	const struct refusal *f = refusal_find(notify->type);

	n->refusal = notify->type;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "received %s notify, no CHILD_SA built", notify_name(notify->type));
	if (notify->type == NOTIFY_INVALID_KE_PAYLOAD)
		return refused_invalid_ke(sa, n, notify->data);
	if (notify->type == NOTIFY_TEMPORARY_FAILURE && !n->in_auth && n->tries < LIMIT_TEMPORARY_TRIES &&
	    (!n->old_id || negotiate_old(sa, n)))
		return refused_for_now(sa, n);
	if (notify->type == NOTIFY_SINGLE_PAIR_REQUIRED && n->acquired && !n->single_pair)
		return refused_single_pair(sa, n);
	refusal_log(sa, n, f);
	return negotiate_failed(sa, n, f->cause, f->why, 0);
}
