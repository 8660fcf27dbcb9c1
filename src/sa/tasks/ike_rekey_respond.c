/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/collision.h"
#include "sa/qcd.h"
#include "sa/reauth.h"
#include "sa/tasks/ike_rekey.h"

/* The responder's side of ike_rekey. */

static enum outcome ike_rekey_refuse(struct ike_sa *sa, struct task_ike_rekey *rk, const char *why, unsigned notify)
{
	rk->notify = (uint16_t)notify;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "rekeying of IKE_SA %s[%u] by %s refused: %s, sending %s", sa->log.name,
	       sa->log.id, addr_format_port(&sa->remote).s, why, notify_name(notify));
	return OUTCOME_DONE;
}

/* RFC 7296, 2.25.1: we are creating, rekeying or closing a CHILD_SA. */
static bool ike_rekey_is_busy(const struct ike_sa *sa)
{
	for (const struct task *t = sa->active; t; t = t->next)
		if (t->ops->exchange == EXCHANGE_CREATE_CHILD_SA ? t->type != TASK_IKE_REKEY : t->type == TASK_CHILD_DELETE)
			return true;
	return false;
}

/* What we take: the suite in use with the method that the peer has sent a value of, if that is one of ours. */
static struct proposal_list ike_rekey_ours(struct ike_sa *sa, uint16_t method)
{
	bool ours = proposal_has(sa->conn->proposals, TRANSFORM_KE, method) && method != KE_NONE;

	return ike_rekey_proposals(sa, 0, ours ? method : sa->suite.ke);
}

static void ike_rekey_log_proposals(struct ike_sa *sa, struct proposal_list theirs)
{
	struct buf text = { 0 };

	if (!log_is_wanted(LOG_GROUP_CFG, LOG_LEVEL_CONTROL))
		return;
	proposal_format(&text, theirs);
	LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "received proposals: %s", buf_str(&text));
	buf_reset(&text);
	proposal_format(&text, ike_rekey_ours(sa, sa->suite.ke));
	LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "configured proposals: %s", buf_str(&text));
	buf_free(&text);
}

/* The answer's key exchange and the keys; the successor, or NULL with the refusal noted. */
static struct ike_sa *ike_rekey_make(struct ike_sa *sa, struct task_ike_rekey *rk, const struct suite *suite,
				     uint64_t peer_spi, struct bytes ke_data)
{
	const struct ke_impl *ke = crypto_ke(crypto_ctx_registry(sa->ctx->crypto), suite->ke);
	struct secret shared = { 0 };
	struct ike_sa *made;

	if (!ke) {
		(void)ike_rekey_refuse(sa, rk, "the key exchange method is not available", NOTIFY_NO_PROPOSAL_CHOSEN);
		return NULL;
	}
	if (!crypto_ke_respond(sa->ctx->crypto, ke, ke_data, buf_extend(&rk->ke_public, ke->resp_len), &shared)) {
		(void)ike_rekey_refuse(sa, rk, "the peer's key exchange value is not valid", NOTIFY_NO_PROPOSAL_CHOSEN);
		return NULL;
	}
	crypto_random(sa->ctx->crypto, secret_alloc(&rk->nonce, IKE_REKEY_NONCE), IKE_REKEY_NONCE);
	made = successor_new(sa, &(struct successor_keys){ .peer_spi = peer_spi, .suite = suite,
							     .shared = secret_bytes(&shared), .ni = secret_bytes(&rk->peer_nonce),
							     .nr = secret_bytes(&rk->nonce) });
	secret_clear(&shared);
	if (!made)
		(void)ike_rekey_refuse(sa, rk, "keys could not be derived", NOTIFY_NO_PROPOSAL_CHOSEN);
	return made;
}

enum outcome ike_rekey_process_request(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	struct task_ike_rekey *rk = ike_rekey_of(t);
	const struct payload *psa = payload_find(in, PAYLOAD_SA, NULL);
	const struct payload *pke = payload_find(in, PAYLOAD_KE, NULL);
	const struct payload *pn = payload_find(in, PAYLOAD_NONCE, NULL);
	unsigned notify = collision_rekey_ike(sa->state, ike_rekey_is_busy(sa));
	struct suite suite;
	size_t index;

	/* one that both sides still have to decide about is no IKE_SA to rekey yet */
	if (notify || kin_rival(sa))
		return ike_rekey_refuse(sa, rk, "it meets something else that is under way", NOTIFY_TEMPORARY_FAILURE);
	if (!proposal_select(ike_rekey_ours(sa, pke->ke.method), psa->sa,
			     sa->ctx->options.prefer_peer_proposals ? PROPOSAL_PREFER_PEER : 0, &suite, &index) ||
	    !ike_rekey_spi(&psa->sa.p[index])) {
		ike_rekey_log_proposals(sa, psa->sa);
		return ike_rekey_refuse(sa, rk, "no IKE proposal in common", NOTIFY_NO_PROPOSAL_CHOSEN);
	}
	if (pke->ke.method != suite.ke) {
		rk->notify_data = suite.ke;
		return ike_rekey_refuse(sa, rk, "the proposal chosen has another key exchange method", NOTIFY_INVALID_KE_PAYLOAD);
	}
	secret_set(&rk->peer_nonce, pn->nonce);
	rk->made = ike_rekey_make(sa, rk, &suite, ike_rekey_spi(&psa->sa.p[index]), pke->ke.data);
	return OUTCOME_DONE;
}

enum outcome ike_rekey_build_response(struct ike_sa *sa, struct task *t, struct builder *b)
{
	struct task_ike_rekey *rk = ike_rekey_of(t);
	uint8_t data[2] = { (uint8_t)(rk->notify_data >> 8), (uint8_t)rk->notify_data };
	struct proposal p;

	if (!rk->made) {
		builder_notify(b, PROTOCOL_NONE, BYTES_NONE, rk->notify, bytes_of(data, rk->notify_data ? 2 : 0));
		return OUTCOME_CHILD_FAILED;
	}
	p = proposal_from_suite(&sa->ctx->arena, &rk->made->suite);
	p.spi_len = 8;
	for (int i = 0; i < 8; i++)
		p.spi[i] = (uint8_t)(rk->made->spi_r >> (56 - 8 * i));
	builder_sa(b, (struct proposal_list){ 1, &p });
	builder_ke(b, rk->made->suite.ke, buf_bytes(&rk->ke_public));
	builder_nonce(b, secret_bytes(&rk->nonce));
	qcd_build(rk->made, b);
	return OUTCOME_DONE;
}

void ike_rekey_answered(struct ike_sa *sa, struct task_ike_rekey *rk)
{
	struct ike_sa *made = rk->made;

	rk->made = NULL;
	/* RFC 7296, 2.8.2: with our own request under way it is too early to tell which successor stays */
	if (sa->state == IKE_STATE_REKEYING) {
		successor_set_rival(sa, made, secret_bytes(&rk->peer_nonce), secret_bytes(&rk->nonce));
		return;
	}
	successor_replace(sa, made);
	ike_sa_run_queue(made);
	reauth_check(made);
}
