/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/reauth.h"
#include "sa/tasks/child.h"

/* The responder's side of a negotiation: what of the offers we take, the answer. */

enum outcome negotiate_answer_refusal(struct ike_sa *sa, struct child_negotiation *n, enum cause cause, const char *why,
				      unsigned notify)
{
	/* as responder the exchange goes on: the refusal is our answer */
	(void)negotiate_failed(sa, n, cause, why, notify);
	return OUTCOME_DONE;
}

enum outcome negotiate_check_request(struct ike_sa *sa, const struct child_negotiation *n, const struct payload_list *in)
{
	if (payload_find(in, PAYLOAD_SA, NULL) && payload_find(in, PAYLOAD_TSI, NULL) && payload_find(in, PAYLOAD_TSR, NULL) &&
	    (n->in_auth || payload_find(in, PAYLOAD_NONCE, NULL)))
		return OUTCOME_DONE;
	/* RFC 7296, 2.21.3: with INVALID_SYNTAX the IKE_SA ends on both sides */
	sa->cause = CAUSE_SYNTAX;
	sa->why = "a request for a CHILD_SA lacks SA, nonce or traffic selectors";
	sa->fatal_notify = NOTIFY_INVALID_SYNTAX;
	return OUTCOME_IKE_FATAL;
}

static void negotiate_log_proposals(struct ike_sa *sa, struct proposal_list theirs, struct proposal_list ours)
{
	struct buf text = { 0 };

	if (!log_is_wanted(LOG_GROUP_IKE, LOG_LEVEL_CONTROL))
		return;
	proposal_format(&text, theirs);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "received proposals: %s", buf_str(&text));
	buf_reset(&text);
	proposal_format(&text, ours);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "configured proposals: %s", buf_str(&text));
	buf_free(&text);
}

static enum outcome negotiate_answer_ke(struct ike_sa *sa, struct child_negotiation *n, const struct suite *suite,
					 const struct payload *pke)
{
	const struct ke_impl *ke;

	if (n->in_auth || suite->ke == KE_NONE)
		return OUTCOME_DONE;
	if (!pke || pke->ke.method != suite->ke) {
		n->notify_data = suite->ke;
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "key exchange method %s in KE payload unacceptable, requesting %s",
		       pke ? ke_name(pke->ke.method) : "none", ke_name(suite->ke));
		return negotiate_answer_refusal(sa, n, CAUSE_KEY_EXCHANGE, "the peer is asked for another key exchange method",
				       NOTIFY_INVALID_KE_PAYLOAD);
	}
	ke = crypto_ke(crypto_ctx_registry(sa->ctx->crypto), suite->ke);
	if (!ke)
		return negotiate_answer_refusal(sa, n, CAUSE_CRYPTO, "the key exchange method is not available",
				       NOTIFY_NO_PROPOSAL_CHOSEN);
	if (!crypto_ke_respond(sa->ctx->crypto, ke, pke->ke.data, buf_extend(&n->ke_public, ke->resp_len), &n->shared))
		return negotiate_answer_refusal(sa, n, CAUSE_KEY_EXCHANGE, "the peer's key exchange value is not valid",
				       NOTIFY_NO_PROPOSAL_CHOSEN);
	return OUTCOME_DONE;
}

/* After the SPI is there. */
static enum outcome negotiate_answer_install(struct ike_sa *sa, struct child_negotiation *n, enum kernel_status status,
					     const struct errtext *err)
{
	struct bytes ni = n->in_auth ? secret_bytes(&sa->setup->ni) : secret_bytes(&n->peer_nonce);
	struct bytes nr = n->in_auth ? secret_bytes(&sa->setup->nr) : secret_bytes(&n->nonce);
	enum outcome o;

	if (!negotiate_sa(sa, n))
		return OUTCOME_DONE;
	if (status != KERNEL_OK) {
		LOG_SA(&sa->log, KNL, LOG_LEVEL_CONTROL, "no SPI for CHILD_SA %s: %s", n->conf->name, err ? err->s : "");
		return negotiate_answer_refusal(sa, n, CAUSE_KERNEL, "the IPsec backend gave no SPI", NOTIFY_NO_ADDITIONAL_SAS);
	}
	o = negotiate_install(sa, n, ni, nr);
	return o == OUTCOME_CHILD_FAILED ? OUTCOME_DONE : o;
}

/* What was agreed, kept over a WAIT. */
static struct child_sa *negotiate_answer_child(struct ike_sa *sa, struct child_negotiation *n, const struct suite *suite,
					       const struct proposal *theirs, struct bytes nonce)
{
	struct child_sa *old = negotiate_old(sa, n), *c = child_sa_new(sa, n->conn, n->conf, old);
	struct reader r = reader_of(bytes_of(theirs->spi, 4));

	n->child_id = c->id;
	if (old) {
		c->out_waits = true;
	} else if (reauth_may_overlap(sa)) {
		/* the peer cannot take what comes by this one before it has our answer */
		c->out_waits = true;
		c->overlap_ms = sa_now(sa->ctx) + LIMIT_OVERLAP_OUT_MS;
	}
	c->suite = *suite;
	c->own_ke = !n->in_auth && suite->ke != KE_NONE;
	c->spi_out = reader_u32(&r);
	if (!n->in_auth) {
		secret_set(&n->peer_nonce, nonce);
		crypto_random(sa->ctx->crypto, secret_alloc(&n->nonce, NEGOTIATE_NONCE), NEGOTIATE_NONCE);
	}
	return c;
}

enum outcome negotiate_answer(struct ike_sa *sa, struct child_negotiation *n, const struct payload_list *in,
			      struct ts_list local, struct ts_list remote)
{
	const struct payload *psa = payload_find(in, PAYLOAD_SA, NULL);
	const struct payload *pn = payload_find(in, PAYLOAD_NONCE, NULL);
	struct proposal_list ours = negotiate_proposals(sa, n);
	struct child_sa *c;
	struct suite suite;
	struct errtext err = { "" };
	enum kernel_status status;
	enum ipsec_mode mode;
	size_t index;

	if (!negotiate_answer_mode(sa, n, in, &local, &remote, &mode))
		return negotiate_answer_refusal(sa, n, CAUSE_POLICY, "it is to be rekeyed in another mode than it has",
						NOTIFY_NO_PROPOSAL_CHOSEN);
	if (!proposal_select(ours, psa->sa,
			     (n->in_auth ? PROPOSAL_SKIP_KE : 0) |
				     (sa->ctx->options.prefer_peer_proposals ? PROPOSAL_PREFER_PEER : 0),
			     &suite, &index) || psa->sa.p[index].spi_len != 4) {
		negotiate_log_proposals(sa, psa->sa, n->conf->esp);
		return negotiate_answer_refusal(sa, n, CAUSE_PROPOSAL,
						"no ESP proposal in common (esp_proposals of both sides must share one)",
						NOTIFY_NO_PROPOSAL_CHOSEN);
	}
	if (negotiate_answer_ke(sa, n, &suite, payload_find(in, PAYLOAD_KE, NULL)) != OUTCOME_DONE || n->failed)
		return OUTCOME_DONE;
	c = negotiate_answer_child(sa, n, &suite, &psa->sa.p[index], pn ? pn->nonce : BYTES_NONE);
	c->mode = (uint8_t)mode;
	c->peer_no_tfc = payload_notify(in, NOTIFY_ESP_TFC_PADDING_NOT_SUPPORTED) != NULL;
	child_sa_set_ts(c, local, remote);
	if (!negotiate_claim(sa, c)) {
		negotiate_log_claimed(sa, c);
		return negotiate_answer_refusal(sa, n, CAUSE_SELECTORS, "another peer has the same traffic selectors",
						NOTIFY_TS_UNACCEPTABLE);
	}
	negotiate_log_suite(sa, c);
	n->stage = NEGOTIATE_SPI;
	status = sa->ctx->kernel_ops->spi_alloc(sa->ctx->kernel, sa->ctx->options.segment,
						sa->ctx->ops->kernel_done(sa->ctx->host, sa, c->id), &c->spi_in, &err);
	if (status == KERNEL_PENDING)
		return OUTCOME_WAIT;
	return negotiate_answer_install(sa, n, status, &err);
}

enum outcome negotiate_answer_resume(struct ike_sa *sa, struct child_negotiation *n, enum kernel_status status,
				     const struct errtext *err)
{
	if (n->stage == NEGOTIATE_SPI)
		return negotiate_answer_install(sa, n, status, err);
	return negotiate_installed(sa, n, status, err);
}

static void negotiate_build_refusal(const struct child_negotiation *n, struct builder *b)
{
	uint8_t data[2] = { (uint8_t)(n->notify_data >> 8), (uint8_t)n->notify_data };
	uint8_t spi[4] = { (uint8_t)(n->notify_spi >> 24), (uint8_t)(n->notify_spi >> 16), (uint8_t)(n->notify_spi >> 8),
			   (uint8_t)n->notify_spi };

	builder_notify(b, n->notify_spi ? PROTOCOL_ESP : PROTOCOL_NONE, bytes_of(spi, n->notify_spi ? 4 : 0),
		       n->notify ? n->notify : NOTIFY_TEMPORARY_FAILURE,
		       bytes_of(data, n->notify == NOTIFY_INVALID_KE_PAYLOAD ? 2 : 0));
}

enum outcome negotiate_build_response(struct ike_sa *sa, struct child_negotiation *n, struct builder *b)
{
	struct child_sa *c = negotiate_sa(sa, n);
	struct proposal p;

	if (n->failed || !c) {
		negotiate_build_refusal(n, b);
		return OUTCOME_CHILD_FAILED;
	}
	negotiate_build_mode(c, b);
	p = proposal_from_suite(&sa->ctx->arena, &c->suite);
	p.spi_len = 4;
	for (unsigned i = 0; i < 4; i++)
		p.spi[i] = (uint8_t)(c->spi_in >> (24 - 8 * i));
	builder_sa(b, (struct proposal_list){ 1, &p });
	if (!n->in_auth) {
		builder_nonce(b, secret_bytes(&n->nonce));
		if (n->ke_public.n)
			builder_ke(b, c->suite.ke, buf_bytes(&n->ke_public));
	}
	builder_ts(b, true, child_sa_remote_ts(c));
	builder_ts(b, false, child_sa_local_ts(c));
	return OUTCOME_DONE;
}
