/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/tasks/child_create.h"

/*
 * A new CHILD_SA, in IKE_AUTH or CREATE_CHILD_SA (RFC 7296, 1.2 and 1.3.1). Its failure is never the
 * IKE_SA's. This file is the initiator's side and what both share; child_create_respond.c the responder's.
 */

struct task *child_create_new(struct ike_sa *sa, const struct conn *conn, const struct child_conf *conf,
			      struct sa_request request)
{
	struct task *t = task_new(sa, TASK_CHILD_CREATE);
	struct task_child_create *cc = child_create_of(t);

	t->request = request;
	cc->initiator = true;
	cc->conn = conn_ref(conn);
	cc->conf = conf;
	return t;
}

const struct child_conf *child_create_conf(const struct task *t)
{
	return t->type == TASK_CHILD_CREATE ? ((const struct task_child_create *)t)->conf : NULL;
}

uint32_t child_create_id(const struct task *t)
{
	return ((const struct task_child_create *)t)->child_id;
}

static void create_note_gone(struct task_child_create *cc, uint32_t spi_out)
{
	memmove(cc->gone + 1, cc->gone, sizeof(cc->gone) - sizeof(cc->gone[0]));
	cc->gone[0] = spi_out;
	if (cc->n_gone < CHILD_CREATE_GONE)
		cc->n_gone++;
}

void child_create_spi_gone(struct ike_sa *sa, uint32_t spi_out)
{
	for (struct task *t = sa->active; t; t = t->next)
		if (t->type == TASK_CHILD_CREATE)
			create_note_gone(child_create_of(t), spi_out);
}

/* The peer's Delete can overtake its answer: then the CHILD_SA of the answer is none any more. */
static bool create_is_gone(const struct task_child_create *cc, uint32_t spi_out)
{
	for (unsigned i = 0; i < cc->n_gone; i++)
		if (cc->gone[i] == spi_out)
			return true;
	return false;
}

struct child_sa *child_create_sa(struct ike_sa *sa, struct task_child_create *cc)
{
	return cc->child_id ? ike_sa_child(sa, cc->child_id) : NULL;
}

/* The one place where a child's failure ends: log, waiter, the half-made SA. */
enum outcome child_create_failed(struct ike_sa *sa, struct task_child_create *cc, enum cause cause, const char *why,
				 unsigned notify)
{
	struct child_sa *c = child_create_sa(sa, cc);
	bool close_ike = cc->in_auth && sa->ctx->options.close_ike_on_child_failure;

	cc->notify = (uint16_t)notify;
	cc->failed = true;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "CHILD_SA %s%s%s with %s failed: %s; %s the IKE_SA",
	       cc->conf ? "'" : "", cc->conf ? cc->conf->name : "asked for by the peer", cc->conf ? "'" : "",
	       addr_format_port(&sa->remote).s, why, close_ike ? "closing" : "keeping");
	if (c) {
		child_sa_move(c, c->state == CHILD_STATE_INSTALLING ? CHILD_EVENT_INSTALL_FAILED : CHILD_EVENT_FAILED);
		child_sa_free(c);
	}
	cc->child_id = 0;
	/* after this exchange, by an ordinary Delete */
	if (close_ike)
		ike_sa_queue(sa, task_new(sa, TASK_IKE_DELETE));
	if (cc->initiator && !cc->task.request.id)
		ike_sa_child_wanted(sa, cc->conn, cc->conf);
	task_request_done(sa, &cc->task, cause, why);
	return OUTCOME_CHILD_FAILED;
}

/* Keys (RFC 7296, 2.17) and their way to the backend. */
enum outcome child_create_install(struct ike_sa *sa, struct task_child_create *cc, struct bytes ni, struct bytes nr)
{
	struct child_sa *c = child_create_sa(sa, cc);
	struct secret keymat = { 0 };
	struct protect protect;
	struct errtext err = { "" };
	enum kernel_status status;

	if (!result_is_ok(protect_init(crypto_ctx_registry(sa->ctx->crypto), &c->suite, &protect)) ||
	    !result_is_ok(keys_derive_child(sa->ctx->crypto, sa->suite.prf,
					    bytes_of(ike_keys_d(&sa->keys), sa->keys.d_len), secret_bytes(&cc->shared), ni,
					    nr, protect_encr_key_len(&protect), protect_integ_key_len(&protect), &keymat)))
		return child_create_failed(sa, cc, CAUSE_CRYPTO, "keys could not be derived", NOTIFY_NO_PROPOSAL_CHOSEN);
	c->encap = sa->nat_local || sa->nat_remote || sa->nat_fake;
	c->initiator = cc->initiator;
	status = child_sa_install(c, secret_bytes(&keymat), &protect, &err);
	secret_clear(&keymat);
	cc->stage = CHILD_CREATE_INSTALLING;
	if (status == KERNEL_PENDING)
		return OUTCOME_WAIT;
	return child_create_installed(sa, cc, status, &err);
}

enum outcome child_create_installed(struct ike_sa *sa, struct task_child_create *cc, enum kernel_status status,
				    const struct errtext *err)
{
	struct child_sa *c = child_create_sa(sa, cc);

	if (!c) {
		task_request_done(sa, &cc->task, CAUSE_CLOSED, "the peer closed it at once");
		return OUTCOME_CHILD_FAILED;
	}
	if (status != KERNEL_OK) {
		LOG_SA(&sa->log, KNL, LOG_LEVEL_CONTROL, "installing CHILD_SA %s{%u} failed: %s", c->conf->name, c->id,
		       err ? err->s : "");
		if (cc->initiator)
			child_delete_spi(sa, c->spi_in);
		return child_create_failed(sa, cc, CAUSE_KERNEL, "the IPsec backend refused to install it",
					   NOTIFY_NO_ADDITIONAL_SAS);
	}
	child_sa_established(c);
	task_request_done(sa, &cc->task, CAUSE_NONE, NULL);
	return OUTCOME_DONE;
}

/* ---- initiator ---- */

/* RFC 7296, 2.9: what "dynamic" stands for is known only now. */
static void create_offer_ts(struct ike_sa *sa, struct task_child_create *cc, struct child_sa *c)
{
	struct arena *a = &sa->ctx->arena;

	child_sa_set_ts(c, ts_resolve(a, cc->conf->local_ts, &sa->local, 1),
			ts_resolve(a, cc->conf->remote_ts, &sa->remote, 1));
}

static bool create_is_duplicate(struct ike_sa *sa, struct task_child_create *cc)
{
	struct child_sa *other;
	struct buf ts = { 0 };
	uint32_t id;

	if (!ike_sa_has_child(sa, cc->conf->name, &id))
		return false;
	other = ike_sa_child(sa, id);
	child_sa_format_ts(&ts, other);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
	       "not establishing CHILD_SA %s due to existing duplicate {%u} with SPIs %08x_i %08x_o and TS %s",
	       cc->conf->name, id, other->spi_in, other->spi_out, buf_str(&ts));
	buf_free(&ts);
	return true;
}

static enum outcome create_prepare(struct ike_sa *sa, struct task *t)
{
	struct task_child_create *cc = child_create_of(t);
	struct sa_ctx *ctx = sa->ctx;
	struct errtext err = { "" };
	struct child_sa *c;
	enum kernel_status status;

	if (cc->child_id)
		return OUTCOME_DONE; /* asked again: everything is there */
	if (create_is_duplicate(sa, cc)) {
		cc->failed = true;
		task_request_done(sa, t, CAUSE_DUPLICATE, "it exists already");
		return OUTCOME_CHILD_FAILED;
	}
	c = child_sa_new(sa, cc->conn, cc->conf);
	cc->child_id = c->id;
	cc->stage = CHILD_CREATE_SPI;
	status = ctx->kernel_ops->spi_alloc(ctx->kernel, ctx->options.segment,
					    ctx->ops->kernel_done(ctx->host, sa, c->id), &c->spi_in, &err);
	if (status == KERNEL_PENDING)
		return OUTCOME_WAIT;
	if (status == KERNEL_FAILED)
		return child_create_failed(sa, cc, CAUSE_KERNEL, "the IPsec backend gave no SPI", 0);
	return OUTCOME_DONE;
}

/* Our proposals with the SPI; in IKE_AUTH without key exchange methods (RFC 7296, 1.2). */
static struct proposal_list create_offer(struct ike_sa *sa, const struct task_child_create *cc, uint32_t spi)
{
	struct arena *a = &sa->ctx->arena;
	struct proposal_list conf = cc->conf->esp;
	struct proposal *out = arena_array(a, struct proposal, conf.count);

	for (size_t i = 0; i < conf.count; i++) {
		struct transform *ts = arena_array(a, struct transform, conf.p[i].count);
		uint16_t n = 0;

		out[i] = conf.p[i];
		out[i].number = (uint8_t)(i + 1);
		out[i].spi_len = 4;
		for (int k = 3; k >= 0; k--, spi = spi << 24 | spi >> 8)
			out[i].spi[k] = (uint8_t)spi;
		for (uint16_t k = 0; k < conf.p[i].count; k++)
			if (!(cc->in_auth && conf.p[i].transforms[k].type == TRANSFORM_KE))
				ts[n++] = conf.p[i].transforms[k];
		out[i].transforms = ts;
		out[i].count = n;
	}
	return (struct proposal_list){ conf.count, out };
}

static enum outcome create_build_ke(struct ike_sa *sa, struct task_child_create *cc, struct builder *b)
{
	uint8_t public[CHILD_CREATE_KE_MAX];

	crypto_random(sa->ctx->crypto, secret_alloc(&cc->nonce, CHILD_CREATE_NONCE), CHILD_CREATE_NONCE);
	builder_nonce(b, secret_bytes(&cc->nonce));
	if (!cc->ke_id)
		cc->ke_id = (uint16_t)proposal_first(cc->conf->esp, TRANSFORM_KE);
	if (cc->ke_id == KE_NONE)
		return OUTCOME_MORE;
	if (cc->ke_key)
		cc->ke->key_free(cc->ke_key);
	cc->ke_key = NULL;
	cc->ke = crypto_ke(crypto_ctx_registry(sa->ctx->crypto), cc->ke_id);
	if (!cc->ke || cc->ke->init_len > sizeof(public) || !(cc->ke_key = cc->ke->initiate(cc->ke, public)))
		return child_create_failed(sa, cc, CAUSE_CRYPTO, "no key pair could be made", 0);
	builder_ke(b, cc->ke_id, bytes_of(public, cc->ke->init_len));
	return OUTCOME_MORE;
}

static enum outcome create_build_request(struct ike_sa *sa, struct task *t, struct builder *b)
{
	struct task_child_create *cc = child_create_of(t);
	struct child_sa *c = child_create_sa(sa, cc);
	enum outcome o = OUTCOME_MORE;

	if (!c)
		return OUTCOME_CHILD_FAILED;
	if (c->state == CHILD_STATE_RETRYING)
		child_sa_move(c, CHILD_EVENT_RETRIED);
	cc->in_auth = sa->state == IKE_STATE_CONNECTING;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "establishing CHILD_SA %s{%u}", c->conf->name, c->id);
	create_offer_ts(sa, cc, c);
	builder_sa(b, create_offer(sa, cc, c->spi_in));
	if (!cc->in_auth)
		o = create_build_ke(sa, cc, b);
	if (o == OUTCOME_MORE) {
		builder_ts(b, true, child_sa_local_ts(c));
		builder_ts(b, false, child_sa_remote_ts(c));
	}
	return o;
}

/* RFC 7296, 1.3: the same again with the method that the peer wants. */
static enum outcome create_got_invalid_ke(struct ike_sa *sa, struct task_child_create *cc, struct bytes data)
{
	struct child_sa *c = child_create_sa(sa, cc);
	struct reader r = reader_of(data);
	uint16_t method = reader_u16(&r);

	if (!reader_done(&r) || cc->in_auth || method == cc->ke_id ||
	    !proposal_has(cc->conf->esp, TRANSFORM_KE, method) ||
	    !crypto_ke(crypto_ctx_registry(sa->ctx->crypto), method) || cc->ke_rounds++ >= LIMIT_INVALID_KE_ROUNDS) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the peer wants key exchange method %s for CHILD_SA '%s', which we do not offer",
		       ke_name(method), cc->conf->name);
		return child_create_failed(sa, cc, CAUSE_KEY_EXCHANGE, "no key exchange method in common (INVALID_KE_PAYLOAD)", 0);
	}
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "peer didn't accept key exchange method %s, it requested %s",
	       ke_name(cc->ke_id), ke_name(method));
	child_sa_move(c, CHILD_EVENT_RETRY);
	cc->ke_id = method;
	return OUTCOME_MORE;
}

/* What the peer's refusal means, and both offers for the log. */
static enum outcome create_refused(struct ike_sa *sa, struct task_child_create *cc, const struct payload_notify *n)
{
	struct child_sa *c = child_create_sa(sa, cc);
	struct buf text = { 0 };

	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "received %s notify, no CHILD_SA built", notify_name(n->type));
	switch (n->type) {
	case NOTIFY_INVALID_KE_PAYLOAD:
		return create_got_invalid_ke(sa, cc, n->data);
	case NOTIFY_TS_UNACCEPTABLE:
		child_sa_format_ts(&text, c);
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "traffic selectors we proposed: %s", buf_str(&text));
		buf_free(&text);
		return child_create_failed(sa, cc, CAUSE_SELECTORS, "the peer accepts none of our traffic selectors (TS_UNACCEPTABLE)", 0);
	case NOTIFY_NO_PROPOSAL_CHOSEN:
		proposal_format(&text, cc->conf->esp);
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "proposals we sent: %s", buf_str(&text));
		buf_free(&text);
		return child_create_failed(sa, cc, CAUSE_PROPOSAL, "the peer accepts none of our ESP proposals (NO_PROPOSAL_CHOSEN)", 0);
	case NOTIFY_NO_ADDITIONAL_SAS:
		return child_create_failed(sa, cc, CAUSE_PEER_ERROR, "the peer takes no more CHILD_SAs (NO_ADDITIONAL_SAS)", 0);
	case NOTIFY_TEMPORARY_FAILURE:
		return child_create_failed(sa, cc, CAUSE_PEER_ERROR, "the peer cannot do it now (TEMPORARY_FAILURE)", 0);
	default:
		return child_create_failed(sa, cc, CAUSE_PEER_ERROR, "the peer refused it", 0);
	}
}

static const struct payload_notify *create_error(const struct payload_list *in)
{
	for (size_t i = 0; i < in->count; i++)
		if (in->p[i].type == PAYLOAD_NOTIFY && in->p[i].notify.type < NOTIFY_FIRST_STATUS)
			return &in->p[i].notify;
	return NULL;
}

/* The peer has an SA that we cannot use: it is told to drop it. */
static enum outcome create_bad_answer(struct ike_sa *sa, struct task_child_create *cc, enum cause cause, const char *why)
{
	struct child_sa *c = child_create_sa(sa, cc);

	child_delete_spi(sa, c->spi_in);
	return child_create_failed(sa, cc, cause, why, 0);
}

static enum outcome create_take_ke(struct ike_sa *sa, struct task_child_create *cc, const struct suite *suite,
				   const struct payload_list *in)
{
	const struct payload *pke = payload_find(in, PAYLOAD_KE, NULL);

	if (cc->in_auth || suite->ke == KE_NONE)
		return OUTCOME_DONE;
	if (!pke || pke->ke.method != suite->ke || !cc->ke_key || suite->ke != cc->ke_id)
		return create_bad_answer(sa, cc, CAUSE_KEY_EXCHANGE, "the peer's key exchange is not the one it chose");
	if (!cc->ke->finish(cc->ke, cc->ke_key, pke->ke.data, &cc->shared))
		return create_bad_answer(sa, cc, CAUSE_KEY_EXCHANGE, "the peer's key exchange value is not valid");
	return OUTCOME_DONE;
}

static enum outcome create_process_response(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	struct task_child_create *cc = child_create_of(t);
	struct child_sa *c = child_create_sa(sa, cc);
	const struct payload *psa = payload_find(in, PAYLOAD_SA, NULL);
	const struct payload *pn = payload_find(in, PAYLOAD_NONCE, NULL);
	const struct payload *tsi = payload_find(in, PAYLOAD_TSI, NULL);
	const struct payload *tsr = payload_find(in, PAYLOAD_TSR, NULL);
	struct bytes ni, nr;
	struct reader r;
	enum outcome o;

	if (!c)
		return OUTCOME_CHILD_FAILED;
	/* RFC 7296, 3.10.1 MUST: an error is the end of the request, whatever stands beside it. (In IKE_AUTH it may be about
	 * something else.) */
	if (psa && tsi && tsr && !cc->in_auth && create_error(in))
		return create_bad_answer(sa, cc, CAUSE_PEER_ERROR, "the peer's answer has a CHILD_SA and an error");
	if (!psa || !tsi || !tsr) {
		const struct payload_notify *n = create_error(in);

		if (n)
			return create_refused(sa, cc, n);
		return child_create_failed(sa, cc, CAUSE_SYNTAX, "the peer's answer has no CHILD_SA", 0);
	}
	if (!cc->in_auth && !pn)
		return create_bad_answer(sa, cc, CAUSE_SYNTAX, "the peer's answer has no nonce");
	if (psa->sa.count != 1 || psa->sa.p[0].spi_len != 4 ||
	    !proposal_accept(create_offer(sa, cc, c->spi_in), &psa->sa.p[0], cc->in_auth ? PROPOSAL_SKIP_KE : 0, &c->suite))
		return create_bad_answer(sa, cc, CAUSE_PROPOSAL, "the peer chose a proposal that we did not offer");
	if (!tsi->ts.count || !tsr->ts.count || !ts_list_within(child_sa_local_ts(c), tsi->ts) ||
	    !ts_list_within(child_sa_remote_ts(c), tsr->ts))
		return create_bad_answer(sa, cc, CAUSE_SELECTORS, "the peer widened the traffic selectors");
	o = create_take_ke(sa, cc, &c->suite, in);
	if (o != OUTCOME_DONE)
		return o;
	r = reader_of(bytes_of(psa->sa.p[0].spi, 4));
	c->spi_out = reader_u32(&r);
	if (create_is_gone(cc, c->spi_out))
		return child_create_failed(sa, cc, CAUSE_CLOSED, "the peer closed it at once", 0);
	c->own_ke = !cc->in_auth && c->suite.ke != KE_NONE;
	child_sa_set_ts(c, tsi->ts, tsr->ts);
	child_create_log_suite(sa, c);
	ni = cc->in_auth ? secret_bytes(&sa->setup->ni) : secret_bytes(&cc->nonce);
	nr = cc->in_auth ? secret_bytes(&sa->setup->nr) : pn->nonce;
	return child_create_install(sa, cc, ni, nr);
}

void child_create_log_suite(struct ike_sa *sa, const struct child_sa *c)
{
	if (log_is_wanted(LOG_GROUP_CFG, LOG_LEVEL_CONTROL)) {
		struct buf text = { 0 };

		suite_format(&text, &c->suite);
		LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "selected proposal: %s", buf_str(&text));
		buf_free(&text);
	}
}

static enum outcome create_resume(struct ike_sa *sa, struct task *t, enum kernel_status status, const struct errtext *err)
{
	struct task_child_create *cc = child_create_of(t);

	switch (cc->stage) {
	case CHILD_CREATE_SPI:
		if (!cc->initiator)
			return child_create_respond_resume(sa, cc, status);
		if (status != KERNEL_OK)
			return child_create_failed(sa, cc, CAUSE_KERNEL, "the IPsec backend gave no SPI", 0);
		return OUTCOME_DONE;
	case CHILD_CREATE_INSTALLING:
		return child_create_installed(sa, cc, status, err);
	case CHILD_CREATE_BEGIN:
		break;
	}
	return OUTCOME_CHILD_FAILED;
}

static void create_clear(struct ike_sa *sa, struct task *t)
{
	struct task_child_create *cc = child_create_of(t);
	struct child_sa *c = child_create_sa(sa, cc);

	/* not finished: the IKE_SA ends or starts over */
	if (c && (c->state == CHILD_STATE_CREATED || c->state == CHILD_STATE_INSTALLING ||
		  c->state == CHILD_STATE_RETRYING)) {
		child_sa_move(c, CHILD_EVENT_DESTROY);
		child_sa_free(c);
	}
	if (cc->ke_key)
		cc->ke->key_free(cc->ke_key);
	secret_clear(&cc->nonce);
	secret_clear(&cc->peer_nonce);
	secret_clear(&cc->shared);
	buf_free(&cc->ke_public);
	conn_unref(cc->conn);
}

const struct task_ops task_child_create = {
	.size = sizeof(struct task_child_create),
	.exchange = EXCHANGE_CREATE_CHILD_SA,
	.prepare = create_prepare,
	.build_request = create_build_request,
	.process_response = create_process_response,
	.process_request = child_create_process_request,
	.build_response = child_create_build_response,
	.resume = create_resume,
	.clear = create_clear,
};
