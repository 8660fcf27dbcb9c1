/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/qcd.h"
#include "sa/reauth.h"
#include "sa/tasks/ike_rekey.h"

/*
 * New keys for an IKE_SA by a successor (RFC 7296, 1.3.2 and 2.18). Whatever fails, the old one goes on. This file is
 * the initiator's side and what both share; ike_rekey_respond.c the responder's.
 */

struct proposal_list ike_rekey_proposals(struct ike_sa *sa, uint64_t spi, uint16_t ke)
{
	struct arena *a = &sa->ctx->arena;
	struct proposal_list conf = sa->conn->proposals;
	struct proposal *out = arena_array(a, struct proposal, conf.count + 1);
	struct suite first = sa->suite;

	first.ke = ke;
	out[0] = proposal_from_suite(a, &first);
	if (conf.count)
		memcpy(out + 1, conf.p, conf.count * sizeof(*out));
	for (size_t i = 0; i <= conf.count; i++) {
		out[i].number = (uint8_t)(i + 1);
		out[i].spi_len = 8;
		for (int k = 0; k < 8; k++)
			out[i].spi[k] = (uint8_t)(spi >> (56 - 8 * k));
	}
	return (struct proposal_list){ conf.count + 1, out };
}

uint64_t ike_rekey_spi(const struct proposal *p)
{
	struct reader r = reader_of(bytes_of(p->spi, p->spi_len));
	uint64_t spi = reader_u64(&r);

	return reader_done(&r) ? spi : 0;
}

/* ---- initiator ---- */

static bool ike_rekey_make_key(struct ike_sa *sa, struct task_ike_rekey *rk, uint8_t *ret_public)
{
	if (rk->ke_key)
		rk->ke->key_free(rk->ke_key);
	rk->ke_key = NULL;
	rk->ke = crypto_ke(crypto_ctx_registry(sa->ctx->crypto), rk->ke_id);
	if (!rk->ke || rk->ke->init_len > IKE_REKEY_KE_MAX)
		return false;
	rk->ke_key = rk->ke->initiate(rk->ke, ret_public);
	return rk->ke_key != NULL;
}

/* The end of an attempt: the old IKE_SA goes on, unless the peer made a successor meanwhile. */
static enum outcome ike_rekey_failed(struct ike_sa *sa, struct task_ike_rekey *rk, enum cause cause, const char *why)
{
	rk->survivor = successor_rival_wins(sa);
	if (rk->survivor || sa->state == IKE_STATE_REKEYED) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_DETAIL, "our own rekeying of IKE_SA %s[%u] is not needed: %s", sa->log.name,
		       sa->log.id, why);
		return OUTCOME_DONE;
	}
	if (sa->state == IKE_STATE_REKEYING)
		ike_sa_move(sa, IKE_EVENT_REKEY_FAILED);
	successor_failed(sa, why);
	task_request_done(sa, &rk->task, cause, why);
	return OUTCOME_CHILD_FAILED;
}

static enum outcome ike_rekey_build_request(struct ike_sa *sa, struct task *t, struct builder *b)
{
	struct task_ike_rekey *rk = ike_rekey_of(t);
	uint8_t public[IKE_REKEY_KE_MAX];

	if (!rk->spi) {
		rk->spi = sa->ctx->ops->make_spi(sa->ctx->host);
		sa->ctx->ops->reserve_spi(sa->ctx->host, rk->spi, true);
	}
	if (!rk->ke_id)
		rk->ke_id = sa->suite.ke;
	if (!ike_rekey_make_key(sa, rk, public))
		return ike_rekey_failed(sa, rk, CAUSE_CRYPTO, "no key pair could be made");
	crypto_random(sa->ctx->crypto, secret_alloc(&rk->nonce, IKE_REKEY_NONCE), IKE_REKEY_NONCE);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "rekeying IKE_SA %s[%u]", sa->log.name, sa->log.id);
	if (sa->state == IKE_STATE_ESTABLISHED)
		ike_sa_move(sa, IKE_EVENT_REKEY_SENT);
	builder_sa(b, ike_rekey_proposals(sa, rk->spi, rk->ke_id));
	builder_ke(b, rk->ke_id, bytes_of(public, rk->ke->init_len));
	builder_nonce(b, secret_bytes(&rk->nonce));
	return OUTCOME_MORE;
}

/* RFC 7296, 1.3: the same again with the method that the peer wants. */
static enum outcome ike_rekey_got_invalid_ke(struct ike_sa *sa, struct task_ike_rekey *rk, struct bytes data)
{
	struct reader r = reader_of(data);
	uint16_t method = reader_u16(&r);

	if (!reader_done(&r) || method == rk->ke_id ||
	    !proposal_has(ike_rekey_proposals(sa, 0, sa->suite.ke), TRANSFORM_KE, method) ||
	    !crypto_ke(crypto_ctx_registry(sa->ctx->crypto), method) || rk->ke_rounds >= LIMIT_INVALID_KE_ROUNDS)
		return ike_rekey_failed(sa, rk, CAUSE_KEY_EXCHANGE,
					"the peer wants a key exchange method that we do not offer (INVALID_KE_PAYLOAD)");
	/* the peer has made a successor already: there is no need for another */
	if (kin_rival(sa) || sa->state != IKE_STATE_REKEYING)
		return ike_rekey_failed(sa, rk, CAUSE_KEY_EXCHANGE, "the peer wants another key exchange method");
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "peer didn't accept key exchange method %s, it requested %s",
	       ke_name(rk->ke_id), ke_name(method));
	rk->ke_rounds++;
	rk->ke_id = method;
	return OUTCOME_MORE;
}

/* RFC 7296, 2.25: the peer is busy with something that does not go together with rekeying. */
static enum outcome ike_rekey_got_temporary(struct ike_sa *sa, struct task_ike_rekey *rk)
{
	uint64_t now = sa_now(sa->ctx);

	if (kin_rival(sa) || sa->state != IKE_STATE_REKEYING)
		return ike_rekey_failed(sa, rk, CAUSE_PEER_ERROR, "the peer has rekeyed it (TEMPORARY_FAILURE)");
	if (!rk->temporary_ms)
		rk->temporary_ms = now;
	if (now - rk->temporary_ms >= LIMIT_TEMPORARY_MS)
		return ike_rekey_failed(sa, rk, CAUSE_PEER_ERROR, "the peer cannot do it for too long (TEMPORARY_FAILURE)");
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the peer cannot rekey IKE_SA %s[%u] now, trying again in a few seconds",
	       sa->log.name, sa->log.id);
	ike_sa_move(sa, IKE_EVENT_REKEY_FAILED);
	rk->again = true;
	return OUTCOME_DONE;
}

static const struct payload_notify *ike_rekey_error(const struct payload_list *in)
{
	for (size_t i = 0; i < in->count; i++)
		if (in->p[i].type == PAYLOAD_NOTIFY && in->p[i].notify.type < NOTIFY_FIRST_STATUS)
			return &in->p[i].notify;
	return NULL;
}

static enum outcome ike_rekey_refused(struct ike_sa *sa, struct task_ike_rekey *rk, const struct payload_notify *n)
{
	struct buf text = { 0 };

	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "received %s notify, IKE_SA %s[%u] is not rekeyed", notify_name(n->type),
	       sa->log.name, sa->log.id);
	switch (n->type) {
	case NOTIFY_INVALID_KE_PAYLOAD:
		return ike_rekey_got_invalid_ke(sa, rk, n->data);
	case NOTIFY_TEMPORARY_FAILURE:
		return ike_rekey_got_temporary(sa, rk);
	case NOTIFY_NO_PROPOSAL_CHOSEN:
		proposal_format(&text, ike_rekey_proposals(sa, 0, rk->ke_id));
		LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "proposals we sent: %s", buf_str(&text));
		buf_free(&text);
		return ike_rekey_failed(sa, rk, CAUSE_PROPOSAL, "the peer accepts none of our IKE proposals (NO_PROPOSAL_CHOSEN)");
	case NOTIFY_NO_ADDITIONAL_SAS:
		return ike_rekey_failed(sa, rk, CAUSE_PEER_ERROR, "the peer does not rekey (NO_ADDITIONAL_SAS)");
	default:
		return ike_rekey_failed(sa, rk, CAUSE_PEER_ERROR, "the peer refused it");
	}
}

static void ike_rekey_log_suite(struct ike_sa *sa, const struct suite *suite)
{
	struct buf text = { 0 };

	if (!log_is_wanted(LOG_GROUP_CFG, LOG_LEVEL_CONTROL))
		return;
	suite_format(&text, suite);
	LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "selected proposal: %s", buf_str(&text));
	buf_free(&text);
}

static enum outcome ike_rekey_process_response(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	struct task_ike_rekey *rk = ike_rekey_of(t);
	const struct payload *psa = payload_find(in, PAYLOAD_SA, NULL);
	const struct payload *pke = payload_find(in, PAYLOAD_KE, NULL);
	const struct payload *pn = payload_find(in, PAYLOAD_NONCE, NULL);
	struct secret shared = { 0 };
	struct ike_sa *made;
	struct suite suite;

	/* RFC 7296, 3.10.1 MUST: an error is the end of the request, whatever stands beside it */
	if (ike_rekey_error(in))
		return ike_rekey_refused(sa, rk, ike_rekey_error(in));
	if (!psa || !pke || !pn)
		return ike_rekey_failed(sa, rk, CAUSE_SYNTAX, "the peer's answer lacks SA, key exchange or nonce");
	if (psa->sa.count != 1 || !ike_rekey_spi(&psa->sa.p[0]) ||
	    !proposal_accept(ike_rekey_proposals(sa, rk->spi, rk->ke_id), &psa->sa.p[0], 0, &suite))
		return ike_rekey_failed(sa, rk, CAUSE_PROPOSAL, "the peer chose a proposal that we did not offer");
	if (suite.ke != rk->ke_id || pke->ke.method != suite.ke || !rk->ke->finish(rk->ke, rk->ke_key, pke->ke.data, &shared))
		return ike_rekey_failed(sa, rk, CAUSE_KEY_EXCHANGE, "the peer's key exchange is not valid");
	made = successor_new(sa, &(struct successor_keys){ .initiator = true, .own_spi = rk->spi,
							     .peer_spi = ike_rekey_spi(&psa->sa.p[0]), .suite = &suite,
							     .shared = secret_bytes(&shared), .ni = secret_bytes(&rk->nonce),
							     .nr = pn->nonce });
	secret_clear(&shared);
	if (!made)
		return ike_rekey_failed(sa, rk, CAUSE_CRYPTO, "keys could not be derived");
	ike_rekey_log_suite(made, &suite);
	qcd_take(made, in);
	rk->survivor = successor_decide(sa, made, secret_bytes(&rk->nonce), pn->nonce);
	/* RFC 6290, 4.3: ours comes in an exchange of its own */
	if (rk->survivor == made && qcd_has_token(made))
		ike_sa_queue(made, ike_notify_new(made, NOTIFY_QUICK_CRASH_DETECTION, 0));
	return OUTCOME_DONE;
}

/* ---- both ---- */

static void ike_rekey_after(struct ike_sa *sa, struct task *t)
{
	struct task_ike_rekey *rk = ike_rekey_of(t);

	if (rk->made) {
		ike_rekey_answered(sa, rk);
	} else if (rk->again && sa->state == IKE_STATE_ESTABLISHED) {
		struct task *next = task_new(sa, TASK_IKE_REKEY);

		ike_rekey_of(next)->temporary_ms = rk->temporary_ms;
		next->request = t->request;
		t->request.id = 0;
		task_retry_later(sa, next);
	} else if (rk->survivor) {
		/* what waited for the end of the exchange */
		ike_sa_run_queue(rk->survivor);
		reauth_check(rk->survivor);
	}
}

static void ike_rekey_clear(struct ike_sa *sa, struct task *t)
{
	struct task_ike_rekey *rk = ike_rekey_of(t);

	if (rk->spi)
		sa->ctx->ops->reserve_spi(sa->ctx->host, rk->spi, false);
	if (rk->ke_key)
		rk->ke->key_free(rk->ke_key);
	secret_clear(&rk->nonce);
	secret_clear(&rk->peer_nonce);
	buf_free(&rk->ke_public);
	/* the answer never went out */
	if (rk->made)
		ike_sa_finish(rk->made, IKE_EVENT_DESTROY, CAUSE_NONE, NULL);
}

const struct task_ops task_ike_rekey = {
	.size = sizeof(struct task_ike_rekey),
	.exchange = EXCHANGE_CREATE_CHILD_SA,
	.build_request = ike_rekey_build_request,
	.process_response = ike_rekey_process_response,
	.process_request = ike_rekey_process_request,
	.build_response = ike_rekey_build_response,
	.after = ike_rekey_after,
	.clear = ike_rekey_clear,
};
