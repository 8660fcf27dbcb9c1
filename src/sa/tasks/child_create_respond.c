/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/collision.h"
#include "sa/tasks/child_create.h"

/* The responder's side of child_create: which child it is, what of the offers we take. */

static enum outcome respond_refused(struct ike_sa *sa, struct task_child_create *cc, enum cause cause, const char *why,
				    unsigned notify)
{
	/* as responder the exchange goes on: the refusal is our answer */
	(void)child_create_failed(sa, cc, cause, why, notify);
	return OUTCOME_DONE;
}

/* RFC 7296, 2.21.3: with INVALID_SYNTAX the IKE_SA ends on both sides. */
static enum outcome respond_broken(struct ike_sa *sa)
{
	sa->cause = CAUSE_SYNTAX;
	sa->why = "a request for a CHILD_SA lacks SA, nonce or traffic selectors";
	sa->fatal_notify = NOTIFY_INVALID_SYNTAX;
	return OUTCOME_IKE_FATAL;
}

/* How well a child's selectors suit the peer's wish: 3 they are the same, 2 the wish lies in them, 1 they share a part. */
static int respond_score(struct ts_list local, struct ts_list remote, struct ts_list tsi, struct ts_list tsr)
{
	if (!ts_list_within(local, tsr) || !ts_list_within(remote, tsi))
		return 1;
	return ts_list_within(tsr, local) && ts_list_within(tsi, remote) ? 3 : 2;
}

/* The child whose selectors suit best; the first of equals. Its selectors narrowed to the peer's (RFC 7296, 2.9). */
static const struct child_conf *respond_choose(struct ike_sa *sa, struct ts_list tsi, struct ts_list tsr,
					       struct ts_list *ret_local, struct ts_list *ret_remote)
{
	struct arena *a = &sa->ctx->arena;
	const struct child_conf *best = NULL;
	int best_score = 0;

	for (size_t i = 0; i < sa->conn->n_children; i++) {
		const struct child_conf *conf = &sa->conn->children[i];
		struct ts_list local = ts_resolve(a, conf->local_ts, &sa->local, 1);
		struct ts_list remote = ts_resolve(a, conf->remote_ts, &sa->remote, 1);
		struct ts_list l = ts_narrow(a, local, tsr), r = ts_narrow(a, remote, tsi);
		int score = l.count && r.count ? respond_score(local, remote, tsi, tsr) : 0;

		if (score <= best_score)
			continue;
		best = conf;
		best_score = score;
		*ret_local = l;
		*ret_remote = r;
	}
	return best;
}

static void respond_log_selectors(struct ike_sa *sa, struct ts_list tsi, struct ts_list tsr)
{
	struct buf theirs = { 0 }, ours = { 0 };

	if (!log_is_wanted(LOG_GROUP_IKE, LOG_LEVEL_CONTROL))
		return;
	ts_list_format(&theirs, tsr);
	buf_add_str(&theirs, " === ");
	ts_list_format(&theirs, tsi);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "traffic selectors %s unacceptable", buf_str(&theirs));
	for (size_t i = 0; i < sa->conn->n_children; i++) {
		buf_reset(&ours);
		ts_list_format(&ours, sa->conn->children[i].local_ts);
		buf_add_str(&ours, " === ");
		ts_list_format(&ours, sa->conn->children[i].remote_ts);
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "  child '%s' of connection '%s' allows %s",
		       sa->conn->children[i].name, sa->conn->name, buf_str(&ours));
	}
	buf_free(&theirs);
	buf_free(&ours);
}

static void respond_log_proposals(struct ike_sa *sa, struct proposal_list theirs, struct proposal_list ours)
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

static enum outcome respond_key_exchange(struct ike_sa *sa, struct task_child_create *cc, const struct suite *suite,
					 const struct payload *pke)
{
	const struct ke_impl *ke;

	if (cc->in_auth || suite->ke == KE_NONE)
		return OUTCOME_DONE;
	if (!pke || pke->ke.method != suite->ke) {
		cc->notify_data = suite->ke;
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "key exchange method %s in KE payload unacceptable, requesting %s",
		       pke ? ke_name(pke->ke.method) : "none", ke_name(suite->ke));
		return respond_refused(sa, cc, CAUSE_KEY_EXCHANGE, "the peer is asked for another key exchange method",
				       NOTIFY_INVALID_KE_PAYLOAD);
	}
	ke = crypto_ke(crypto_ctx_registry(sa->ctx->crypto), suite->ke);
	if (!ke)
		return respond_refused(sa, cc, CAUSE_CRYPTO, "the key exchange method is not available",
				       NOTIFY_NO_PROPOSAL_CHOSEN);
	if (!ke->respond(ke, pke->ke.data, buf_extend(&cc->ke_public, ke->resp_len), &cc->shared))
		return respond_refused(sa, cc, CAUSE_KEY_EXCHANGE, "the peer's key exchange value is not valid",
				       NOTIFY_NO_PROPOSAL_CHOSEN);
	return OUTCOME_DONE;
}

static enum outcome respond_install(struct ike_sa *sa, struct task_child_create *cc)
{
	struct bytes ni = cc->in_auth ? secret_bytes(&sa->setup->ni) : secret_bytes(&cc->peer_nonce);
	struct bytes nr = cc->in_auth ? secret_bytes(&sa->setup->nr) : secret_bytes(&cc->nonce);
	enum outcome o = child_create_install(sa, cc, ni, nr);

	return o == OUTCOME_CHILD_FAILED ? OUTCOME_DONE : o;
}

enum outcome child_create_respond_resume(struct ike_sa *sa, struct task_child_create *cc, enum kernel_status status)
{
	if (!child_create_sa(sa, cc))
		return OUTCOME_DONE;
	if (status != KERNEL_OK)
		return respond_refused(sa, cc, CAUSE_KERNEL, "the IPsec backend gave no SPI", NOTIFY_NO_ADDITIONAL_SAS);
	return respond_install(sa, cc);
}

/* RFC 7296, 1.3.3: rekeying is asked for in the same exchange; this release refuses it. */
static const char *respond_unsupported(struct ike_sa *sa, const struct payload_list *in, const struct payload *psa)
{
	if (collision_create_child(sa->state))
		return "the IKE_SA is being rekeyed or closed";
	if (payload_notify(in, NOTIFY_REKEY_SA))
		return "rekeying of a CHILD_SA is not supported";
	return NULL;
}

enum outcome child_create_process_request(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	struct task_child_create *cc = child_create_of(t);
	const struct payload *psa = payload_find(in, PAYLOAD_SA, NULL);
	const struct payload *pn = payload_find(in, PAYLOAD_NONCE, NULL);
	const struct payload *tsi = payload_find(in, PAYLOAD_TSI, NULL);
	const struct payload *tsr = payload_find(in, PAYLOAD_TSR, NULL);
	struct ts_list local = { 0 }, remote = { 0 };
	struct child_sa *c;
	struct suite suite;
	struct errtext err = { "" };
	enum kernel_status status;
	const char *why;
	size_t index;

	cc->in_auth = sa->incoming->exchange == EXCHANGE_IKE_AUTH;
	why = psa ? respond_unsupported(sa, in, psa) : NULL;
	if (why)
		return respond_refused(sa, cc, CAUSE_POLICY, why,
				       collision_create_child(sa->state) ? NOTIFY_TEMPORARY_FAILURE : NOTIFY_NO_ADDITIONAL_SAS);
	if (!psa || !tsi || !tsr || (!cc->in_auth && !pn))
		return respond_broken(sa);
	if (ike_sa_count_children(sa) >= LIMIT_CHILDREN)
		return respond_refused(sa, cc, CAUSE_POLICY, "the IKE_SA has as many CHILD_SAs as are allowed",
				       NOTIFY_NO_ADDITIONAL_SAS);
	if (payload_notify(in, NOTIFY_USE_TRANSPORT_MODE))
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the peer prefers transport mode, tunnel mode is answered");
	cc->conf = respond_choose(sa, tsi->ts, tsr->ts, &local, &remote);
	if (!cc->conf) {
		respond_log_selectors(sa, tsi->ts, tsr->ts);
		return respond_refused(sa, cc, CAUSE_SELECTORS, "no child has these traffic selectors", NOTIFY_TS_UNACCEPTABLE);
	}
	cc->conn = conn_ref(sa->conn);
	if (!proposal_select(cc->conf->esp, psa->sa,
			     (cc->in_auth ? PROPOSAL_SKIP_KE : 0) |
				     (sa->ctx->options.prefer_peer_proposals ? PROPOSAL_PREFER_PEER : 0),
			     &suite, &index) || psa->sa.p[index].spi_len != 4) {
		respond_log_proposals(sa, psa->sa, cc->conf->esp);
		return respond_refused(sa, cc, CAUSE_PROPOSAL, "no ESP proposal in common", NOTIFY_NO_PROPOSAL_CHOSEN);
	}
	if (respond_key_exchange(sa, cc, &suite, payload_find(in, PAYLOAD_KE, NULL)) != OUTCOME_DONE || cc->failed)
		return OUTCOME_DONE;

	c = child_sa_new(sa, sa->conn, cc->conf);
	cc->child_id = c->id;
	c->suite = suite;
	c->own_ke = !cc->in_auth && suite.ke != KE_NONE;
	for (unsigned i = 0; i < 4; i++)
		c->spi_out = c->spi_out << 8 | psa->sa.p[index].spi[i];
	child_sa_set_ts(c, local, remote);
	if (!cc->in_auth) {
		secret_set(&cc->peer_nonce, pn->nonce);
		crypto_random(sa->ctx->crypto, secret_alloc(&cc->nonce, CHILD_CREATE_NONCE), CHILD_CREATE_NONCE);
	}
	child_create_log_suite(sa, c);
	cc->stage = CHILD_CREATE_SPI;
	status = sa->ctx->kernel_ops->spi_alloc(sa->ctx->kernel, sa->ctx->options.segment,
						sa->ctx->ops->kernel_done(sa->ctx->host, sa, c->id), &c->spi_in, &err);
	if (status == KERNEL_PENDING)
		return OUTCOME_WAIT;
	return child_create_respond_resume(sa, cc, status);
}

enum outcome child_create_build_response(struct ike_sa *sa, struct task *t, struct builder *b)
{
	struct task_child_create *cc = child_create_of(t);
	struct child_sa *c = child_create_sa(sa, cc);
	struct proposal p;

	if (cc->failed || !c) {
		uint8_t data[2] = { (uint8_t)(cc->notify_data >> 8), (uint8_t)cc->notify_data };

		builder_notify(b, PROTOCOL_NONE, BYTES_NONE, cc->notify ? cc->notify : NOTIFY_TEMPORARY_FAILURE,
			       bytes_of(data, cc->notify == NOTIFY_INVALID_KE_PAYLOAD ? 2 : 0));
		return OUTCOME_CHILD_FAILED;
	}
	p = proposal_from_suite(&sa->ctx->arena, &c->suite);
	p.spi_len = 4;
	for (unsigned i = 0; i < 4; i++)
		p.spi[i] = (uint8_t)(c->spi_in >> (24 - 8 * i));
	builder_sa(b, (struct proposal_list){ 1, &p });
	if (!cc->in_auth) {
		builder_nonce(b, secret_bytes(&cc->nonce));
		if (cc->ke_public.n)
			builder_ke(b, c->suite.ke, buf_bytes(&cc->ke_public));
	}
	builder_ts(b, true, child_sa_remote_ts(c));
	builder_ts(b, false, child_sa_local_ts(c));
	return OUTCOME_DONE;
}
