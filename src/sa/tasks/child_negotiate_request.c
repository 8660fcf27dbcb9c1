/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/tasks/child.h"
#include "sa/vips.h"

/* The initiator's side of a negotiation. */

static const char negotiate_no_vip[] = "we asked for a virtual address (vips), which local_ts needs, and the gateway gave none";

enum outcome negotiate_prepare(struct ike_sa *sa, struct child_negotiation *n)
{
	struct sa_ctx *ctx = sa->ctx;
	struct child_sa *old = negotiate_old(sa, n);
	struct errtext err = { "" };
	struct ts_list local, remote;
	struct child_sa *c;
	enum kernel_status status;

	if (vips_are_missing(sa, n->conf))
		return negotiate_without(sa, n, CAUSE_PEER_ERROR, negotiate_no_vip, negotiate_no_vip);
	c = child_sa_new(sa, n->conn, n->conf, old);
	c->mode = (uint8_t)negotiate_mode(sa, n);
	n->child_id = c->id;
	negotiate_selectors(sa, n, n->conf, &local, &remote);
	if (!negotiate_mode_selectors(sa, n, (enum ipsec_mode)c->mode, &local, &remote))
		return negotiate_mode_impossible(sa, n);
	n->stage = NEGOTIATE_SPI;
	status = ctx->kernel_ops->spi_alloc(ctx->kernel, ctx->options.segment,
					    ctx->ops->kernel_done(ctx->host, sa, c->id), &c->spi_in, &err);
	if (status == KERNEL_PENDING)
		return OUTCOME_WAIT;
	return negotiate_resume(sa, n, status, &err);
}

enum outcome negotiate_without(struct ike_sa *sa, struct child_negotiation *n, enum cause cause, const char *why,
			       const char *why_fatal)
{
	(void)negotiate_failed(sa, n, cause, why, 0);
	if (sa->state != IKE_STATE_CONNECTING || sa->childless)
		return OUTCOME_CHILD_FAILED;
	sa->cause = (uint8_t)cause;
	sa->why = why_fatal;
	return OUTCOME_IKE_FATAL;
}

static enum outcome negotiate_no_spi(struct ike_sa *sa, struct child_negotiation *n, const struct errtext *err)
{
	LOG_SA(&sa->log, KNL, LOG_LEVEL_CONTROL, "no SPI for CHILD_SA %s: %s", n->conf->name, err ? err->s : "");
	return negotiate_without(sa, n, CAUSE_KERNEL, "the IPsec backend gave no SPI",
				 "the IPsec backend gave no SPI for the first CHILD_SA, and the peer does not take an IKE_SA without one");
}

/* The proposals with the SPI; in IKE_AUTH without key exchange methods (RFC 7296, 1.2). */
static struct proposal_list negotiate_offer(struct ike_sa *sa, const struct child_negotiation *n, uint32_t spi)
{
	struct arena *a = &sa->ctx->arena;
	struct proposal_list list = negotiate_proposals(sa, n);
	struct proposal *out = arena_array(a, struct proposal, list.count);

	for (size_t i = 0; i < list.count; i++) {
		struct transform *ts = arena_array(a, struct transform, list.p[i].count);
		uint16_t count = 0;

		out[i] = list.p[i];
		out[i].number = (uint8_t)(i + 1);
		out[i].spi_len = 4;
		for (int k = 3; k >= 0; k--, spi = spi << 24 | spi >> 8)
			out[i].spi[k] = (uint8_t)spi;
		for (uint16_t k = 0; k < list.p[i].count; k++)
			if (!(n->in_auth && list.p[i].transforms[k].type == TRANSFORM_KE))
				ts[count++] = list.p[i].transforms[k];
		out[i].transforms = ts;
		out[i].count = count;
	}
	return (struct proposal_list){ list.count, out };
}

static enum outcome negotiate_build_ke(struct ike_sa *sa, struct child_negotiation *n, struct builder *b)
{
	uint8_t public[NEGOTIATE_KE_MAX];

	crypto_random(sa->ctx->crypto, secret_alloc(&n->nonce, NEGOTIATE_NONCE), NEGOTIATE_NONCE);
	builder_nonce(b, secret_bytes(&n->nonce));
	if (!n->ke_id)
		n->ke_id = (uint16_t)proposal_first(negotiate_proposals(sa, n), TRANSFORM_KE);
	if (n->ke_id == KE_NONE)
		return OUTCOME_MORE;
	if (n->ke_key)
		n->ke->key_free(n->ke_key);
	n->ke_key = NULL;
	n->ke = crypto_ke(crypto_ctx_registry(sa->ctx->crypto), n->ke_id);
	if (!n->ke || n->ke->init_len > sizeof(public) || !(n->ke_key = n->ke->initiate(n->ke, public)))
		return negotiate_failed(sa, n, CAUSE_CRYPTO, "no key pair could be made", 0);
	builder_ke(b, n->ke_id, bytes_of(public, n->ke->init_len));
	return OUTCOME_MORE;
}

enum outcome negotiate_build_request(struct ike_sa *sa, struct child_negotiation *n, struct builder *b)
{
	struct child_sa *c = negotiate_sa(sa, n);
	struct ts_list local, remote;
	enum outcome o = OUTCOME_MORE;

	if (!c)
		return OUTCOME_CHILD_FAILED;
	if (c->state == CHILD_STATE_RETRYING)
		child_sa_move(c, CHILD_EVENT_RETRIED);
	n->in_auth = sa->state == IKE_STATE_CONNECTING;
	negotiate_selectors(sa, n, n->conf, &local, &remote);
	(void)negotiate_mode_selectors(sa, n, (enum ipsec_mode)c->mode, &local, &remote);
	child_sa_set_ts(c, local, remote);
	negotiate_build_mode(c, b);
	builder_sa(b, negotiate_offer(sa, n, c->spi_in));
	if (!n->in_auth)
		o = negotiate_build_ke(sa, n, b);
	if (o == OUTCOME_MORE) {
		builder_ts(b, true, child_sa_local_ts(c));
		builder_ts(b, false, child_sa_remote_ts(c));
	}
	return o;
}

const struct payload_notify *negotiate_error(const struct payload_list *in)
{
	for (size_t i = 0; i < in->count; i++)
		if (in->p[i].type == PAYLOAD_NOTIFY && in->p[i].notify.type < NOTIFY_FIRST_STATUS)
			return &in->p[i].notify;
	return NULL;
}

/* The peer has an SA that we cannot use: it is told to drop it. */
static enum outcome negotiate_bad_answer(struct ike_sa *sa, struct child_negotiation *n, enum cause cause, const char *why)
{
	struct child_sa *c = negotiate_sa(sa, n);

	child_delete_spi(sa, c->spi_in);
	return negotiate_failed(sa, n, cause, why, 0);
}

static enum outcome negotiate_take_ke(struct ike_sa *sa, struct child_negotiation *n, const struct suite *suite,
				      const struct payload_list *in)
{
	const struct payload *pke = payload_find(in, PAYLOAD_KE, NULL);

	if (n->in_auth || suite->ke == KE_NONE)
		return OUTCOME_DONE;
	if (!pke || pke->ke.method != suite->ke || !n->ke_key || suite->ke != n->ke_id)
		return negotiate_bad_answer(sa, n, CAUSE_KEY_EXCHANGE, "the peer's key exchange is not the one it chose");
	if (!n->ke->finish(n->ke, n->ke_key, pke->ke.data, &n->shared))
		return negotiate_bad_answer(sa, n, CAUSE_KEY_EXCHANGE, "the peer's key exchange value is not valid");
	return OUTCOME_DONE;
}

/* The peer's Delete can overtake its answer: then the CHILD_SA of the answer is none any more. */
static bool negotiate_is_gone(const struct child_negotiation *n, uint32_t spi_out)
{
	for (unsigned i = 0; i < n->n_gone; i++)
		if (n->gone[i] == spi_out)
			return true;
	return false;
}

static void negotiate_note_gone(struct child_negotiation *n, uint32_t spi_out)
{
	memmove(n->gone + 1, n->gone, sizeof(n->gone) - sizeof(n->gone[0]));
	n->gone[0] = spi_out;
	if (n->n_gone < NEGOTIATE_GONE)
		n->n_gone++;
}

void child_create_spi_gone(struct ike_sa *sa, uint32_t spi_out)
{
	for (struct task *t = sa->active; t; t = t->next)
		if (t->type == TASK_CHILD_CREATE || t->type == TASK_CHILD_REKEY)
			negotiate_note_gone(negotiation_of(t), spi_out);
}

/* Both lists of an answer lie in what we offered, and neither is empty. */
static bool negotiate_selectors_fit(const struct child_sa *c, struct ts_list tsi, struct ts_list tsr)
{
	return tsi.count && tsr.count && ts_list_within(child_sa_local_ts(c), tsi) &&
	       ts_list_within(child_sa_remote_ts(c), tsr);
}

/* RFC 7296, 2.9.2 MUST NOT: a peer that narrows all the same has its reasons; who wonders finds them here. */
static void negotiate_log_narrowed(struct ike_sa *sa, const struct child_negotiation *n, const struct child_sa *c)
{
	struct child_sa *old = negotiate_old(sa, n);
	struct buf text = { 0 };

	if (!old || (ts_list_within(child_sa_local_ts(c), child_sa_local_ts(old)) &&
		     ts_list_within(child_sa_remote_ts(c), child_sa_remote_ts(old))))
		return;
	child_sa_format_ts(&text, old);
	buf_add_str(&text, ", the new ones are ");
	child_sa_format_ts(&text, c);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the peer narrowed the traffic selectors of CHILD_SA %s{%u} when rekeying: they were %s",
	       old->conf->name, old->id, buf_str(&text));
	buf_free(&text);
}

enum outcome negotiate_process_response(struct ike_sa *sa, struct child_negotiation *n, const struct payload_list *in)
{
	struct child_sa *c = negotiate_sa(sa, n);
	const struct payload *psa = payload_find(in, PAYLOAD_SA, NULL);
	const struct payload *pn = payload_find(in, PAYLOAD_NONCE, NULL);
	const struct payload *tsi = payload_find(in, PAYLOAD_TSI, NULL);
	const struct payload *tsr = payload_find(in, PAYLOAD_TSR, NULL);
	struct ts_list local, remote;
	const char *why;
	struct reader r;
	enum outcome o;

	if (!c)
		return OUTCOME_CHILD_FAILED;
	/* RFC 7296, 3.10.1 MUST: an error is the end of the request, whatever stands beside it. (In IKE_AUTH it may be about
	 * something else.) */
	if (psa && tsi && tsr && !n->in_auth && negotiate_error(in))
		return negotiate_bad_answer(sa, n, CAUSE_PEER_ERROR, "the peer's answer has a CHILD_SA and an error");
	if (!psa || !tsi || !tsr) {
		const struct payload_notify *notify = negotiate_error(in);

		if (notify)
			return negotiate_refused(sa, n, notify);
		return negotiate_failed(sa, n, CAUSE_SYNTAX, "the peer's answer has no CHILD_SA", 0);
	}
	if (!n->in_auth && !pn)
		return negotiate_bad_answer(sa, n, CAUSE_SYNTAX, "the peer's answer has no nonce");
	if (psa->sa.count != 1 || psa->sa.p[0].spi_len != 4 ||
	    !proposal_accept(negotiate_offer(sa, n, c->spi_in), &psa->sa.p[0], n->in_auth ? PROPOSAL_SKIP_KE : 0, &c->suite))
		return negotiate_bad_answer(sa, n, CAUSE_PROPOSAL, "the peer chose a proposal that we did not offer");
	local = tsi->ts;
	remote = tsr->ts;
	if (c->mode == IPSEC_MODE_TRANSPORT && negotiate_asks_transport(in)) {
		local = negotiate_nat_selectors(sa, local, true);
		remote = negotiate_nat_selectors(sa, remote, false);
	}
	if (!negotiate_selectors_fit(c, local, remote))
		return negotiate_bad_answer(sa, n, CAUSE_SELECTORS, "the peer widened the traffic selectors");
	if (vips_are_missing(sa, n->conf))
		return negotiate_bad_answer(sa, n, CAUSE_PEER_ERROR, negotiate_no_vip);
	local = vips_narrow_answer(sa, n->conf->local_ts, local);
	if (!local.count)
		return negotiate_bad_answer(sa, n, CAUSE_SELECTORS, "the peer accepted other traffic selectors than for the virtual address that it gave");
	why = negotiate_take_mode(sa, n, in);
	if (why)
		return negotiate_bad_answer(sa, n, CAUSE_PEER_ERROR, why);
	o = negotiate_take_ke(sa, n, &c->suite, in);
	if (o != OUTCOME_DONE)
		return o;
	r = reader_of(bytes_of(psa->sa.p[0].spi, 4));
	c->spi_out = reader_u32(&r);
	if (negotiate_is_gone(n, c->spi_out))
		return negotiate_failed(sa, n, CAUSE_CLOSED, "the peer closed it at once", 0);
	c->own_ke = !n->in_auth && c->suite.ke != KE_NONE;
	child_sa_set_ts(c, local, remote);
	(void)negotiate_claim(sa, c); /* whom we called ourselves we want, whoever else is there */
	negotiate_log_narrowed(sa, n, c);
	negotiate_log_suite(sa, c);
	if (n->in_auth)
		return negotiate_install(sa, n, secret_bytes(&sa->setup->ni), secret_bytes(&sa->setup->nr));
	secret_set(&n->peer_nonce, pn->nonce);
	return negotiate_install(sa, n, secret_bytes(&n->nonce), secret_bytes(&n->peer_nonce));
}

enum outcome negotiate_resume(struct ike_sa *sa, struct child_negotiation *n, enum kernel_status status,
			      const struct errtext *err)
{
	switch ((enum negotiate_stage)n->stage) {
	case NEGOTIATE_SPI:
		return status == KERNEL_OK ? OUTCOME_DONE : negotiate_no_spi(sa, n, err);
	case NEGOTIATE_INSTALLING:
		return negotiate_installed(sa, n, status, err);
	case NEGOTIATE_BEGIN:
		break;
	}
	return OUTCOME_CHILD_FAILED;
}
