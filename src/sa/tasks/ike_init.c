/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/authentication.h"
#include "sa/mobike.h"
#include "sa/nat.h"
#include "sa/tasks/tasks.h"

/* IKE_SA_INIT (RFC 7296, 1.2): proposals, key exchange, nonces, NAT detection. */

#define INIT_NONCE_LEN 32
#define INIT_KE_MAX 1024 /* bytes of the largest public value we have (MODP 8192) */
#define INIT_ERROR_REPEATS 2

struct task_ike_init {
	struct task task;
	/* responder */
	uint8_t ke_public[INIT_KE_MAX];
	bool childless;
};

static struct task_ike_init *init_of(struct task *t)
{
	return (struct task_ike_init *)t;
}

static enum outcome init_fatal(struct ike_sa *sa, enum cause cause, const char *why, unsigned notify, unsigned data)
{
	sa->cause = (uint8_t)cause;
	sa->why = why;
	sa->fatal_notify = (uint16_t)notify;
	sa->fatal_data = (uint16_t)data;
	return OUTCOME_IKE_FATAL;
}

static void init_nonce(struct ike_sa *sa, struct secret *s)
{
	if (!s->n)
		crypto_random(sa->ctx->crypto, secret_alloc(s, INIT_NONCE_LEN), INIT_NONCE_LEN);
}

/* Keys of the new IKE_SA, the shared secret being wiped by the caller. */
static struct result init_derive(struct ike_sa *sa, const struct secret *shared)
{
	struct ike_setup *s = sa->setup;

	TRY(protect_init(crypto_ctx_registry(sa->ctx->crypto), &sa->suite, &sa->protect));
	return keys_derive_ike(sa->ctx->crypto, &sa->suite, secret_bytes(shared), secret_bytes(&s->ni),
			       secret_bytes(&s->nr), sa->spi_i, sa->spi_r, 0, BYTES_NONE, &sa->keys);
}

static void init_log_proposal(struct ike_sa *sa)
{
	if (log_is_wanted(LOG_GROUP_CFG, LOG_LEVEL_CONTROL)) {
		struct buf text = { 0 };

		suite_format(&text, &sa->suite);
		LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "selected proposal: %s", buf_str(&text));
		buf_free(&text);
	}
}

static void init_log_no_proposal(struct ike_sa *sa, struct proposal_list received, struct proposal_list configured)
{
	struct buf theirs = { 0 }, ours = { 0 };

	if (!log_is_wanted(LOG_GROUP_CFG, LOG_LEVEL_CONTROL))
		return;
	proposal_format(&theirs, received);
	proposal_format(&ours, configured);
	LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "received proposals: %s", buf_str(&theirs));
	LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "configured proposals: %s", buf_str(&ours));
	buf_free(&theirs);
	buf_free(&ours);
}

/* RFC 7383, 2.3: used only if both sides announce it. */
static void init_take_fragmentation(struct ike_sa *sa, const struct payload_list *in)
{
	sa->fragmentation = sa->conn->fragmentation != FRAGMENTATION_NO &&
			    payload_notify(in, NOTIFY_IKEV2_FRAGMENTATION_SUPPORTED);
}

/* ---- initiator ---- */

static bool init_make_key(struct ike_sa *sa, uint8_t *ret_public)
{
	struct ike_setup *s = sa->setup;

	if (s->ke_key)
		s->ke->key_free(s->ke_key);
	s->ke_key = NULL;
	s->ke = crypto_ke(crypto_ctx_registry(sa->ctx->crypto), s->ke_id);
	if (!s->ke || s->ke->init_len > INIT_KE_MAX)
		return false;
	s->ke_key = s->ke->initiate(s->ke, ret_public);
	return s->ke_key != NULL;
}

static enum outcome init_build_request(struct ike_sa *sa, struct task *t, struct builder *b)
{
	struct ike_setup *s = sa->setup;
	struct task_ike_init *init = init_of(t);

	if (!s->ke_id)
		s->ke_id = (uint16_t)proposal_first(sa->conn->proposals, TRANSFORM_KE);
	init_nonce(sa, &s->ni);
	/* RFC 7296, 2.6: with a cookie everything else stays the same, the key too */
	if (!s->ke_key && !init_make_key(sa, init->ke_public))
		return init_fatal(sa, CAUSE_CRYPTO, "no key pair could be made for the first key exchange method", 0, 0);
	if (sa->state == IKE_STATE_CREATED)
		ike_sa_move(sa, IKE_EVENT_INITIATE);
	if (s->cookie.n)
		builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_COOKIE, buf_bytes(&s->cookie));
	builder_sa(b, sa->conn->proposals);
	builder_ke(b, s->ke_id, bytes_of(init->ke_public, s->ke->init_len));
	builder_nonce(b, secret_bytes(&s->ni));
	sa->nat_fake = nat_forced(sa);
	nat_build(sa, b, &sa->local, &sa->remote, sa->nat_fake);
	/* RFC 7383, 2.3 */
	if (sa->conn->fragmentation != FRAGMENTATION_NO)
		builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_IKEV2_FRAGMENTATION_SUPPORTED, BYTES_NONE);
	announce_init(sa, b);
	return OUTCOME_MORE;
}

/* The answer to a COOKIE or INVALID_KE_PAYLOAD is IKE_SA_INIT again, with message id 0 (RFC 7296, 2.6). */
static enum outcome init_again(struct ike_sa *sa)
{
	sa->out.next = 0;
	return OUTCOME_MORE;
}

static enum outcome init_got_cookie(struct ike_sa *sa, struct bytes cookie)
{
	struct ike_setup *s = sa->setup;

	/* RFC 7296, 2.6: between 1 and 64 octets; limited, because it is not authenticated */
	if (cookie.n == 0 || cookie.n > LIMIT_COOKIE || s->cookie_rounds++ >= LIMIT_COOKIE_ROUNDS)
		return OUTCOME_IGNORE;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "received a COOKIE, sending it back");
	buf_reset(&s->cookie);
	buf_add_bytes(&s->cookie, cookie);
	return init_again(sa);
}

static enum outcome init_got_invalid_ke(struct ike_sa *sa, struct bytes data)
{
	struct ike_setup *s = sa->setup;
	struct reader r = reader_of(data);
	uint16_t method = reader_u16(&r);

	/* RFC 7296, 1.2: only a method that we offered ourselves */
	if (!reader_done(&r) || method == s->ke_id || !proposal_has(sa->conn->proposals, TRANSFORM_KE, method) ||
	    !crypto_ke(crypto_ctx_registry(sa->ctx->crypto), method) || s->ke_rounds++ >= LIMIT_INVALID_KE_ROUNDS) {
		if (s->n_answers++ < 5)
			LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
			       "ignored INVALID_KE_PAYLOAD from %s: it asks for %s, which we do not offer",
			       addr_format_port(&sa->remote).s, ke_name(method));
		return OUTCOME_IGNORE;
	}
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "peer didn't accept key exchange method %s, it requested %s",
	       ke_name(s->ke_id), ke_name(method));
	s->ke->key_free(s->ke_key);
	s->ke_key = NULL;
	s->ke_id = method;
	return init_again(sa);
}

/*
 * RFC 7296, 2.21.1: anyone can send an error, so it is remembered while we wait for a good answer. When the repeats of our
 * request have earned the same error again, it is believed.
 */
static enum outcome init_got_error(struct ike_sa *sa, unsigned notify)
{
	struct ike_setup *s = sa->setup;

	/* RFC 9329 6.4 SHOULD NOT: over TCP no better answer can come */
	if (sa->remote.stream) {
		s->error_notify = (uint16_t)notify;
	} else if (s->error_notify != notify) {
		s->error_notify = (uint16_t)notify;
		s->error_repeats = 0;
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
		       "received %s notify error from %s (not authenticated): waiting for a better answer",
		       notify_name(notify), addr_format_port(&sa->remote).s);
		return OUTCOME_IGNORE;
	}
	if (!sa->remote.stream && (sa->outstanding->tries < INIT_ERROR_REPEATS || ++s->error_repeats < INIT_ERROR_REPEATS))
		return OUTCOME_IGNORE;
	if (notify == NOTIFY_NO_PROPOSAL_CHOSEN) {
		struct buf ours = { 0 };

		proposal_format(&ours, sa->conn->proposals);
		LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "none of our proposals is acceptable to %s: %s",
		       addr_format_port(&sa->remote).s, buf_str(&ours));
		buf_free(&ours);
		return init_fatal(sa, CAUSE_PROPOSAL, "the peer accepts none of our IKE proposals (NO_PROPOSAL_CHOSEN)", 0, 0);
	}
	return init_fatal(sa, CAUSE_PEER_ERROR, "the peer refused the IKE_SA_INIT request", 0, 0);
}

static enum outcome init_check_notifies(struct ike_sa *sa, const struct payload_list *in)
{
	const struct payload_notify *n;

	if ((n = payload_notify(in, NOTIFY_COOKIE)))
		return init_got_cookie(sa, n->data);
	if ((n = payload_notify(in, NOTIFY_INVALID_KE_PAYLOAD)))
		return init_got_invalid_ke(sa, n->data);
	for (size_t i = 0; i < in->count; i++)
		if (in->p[i].type == PAYLOAD_NOTIFY && in->p[i].notify.type < NOTIFY_FIRST_STATUS)
			return init_got_error(sa, in->p[i].notify.type);
	return OUTCOME_IGNORE;
}

/* What a response must be to be taken; until then nothing of the SA changes. */
static const char *init_take_response(struct ike_sa *sa, const struct payload_list *in)
{
	struct ike_setup *s = sa->setup;
	const struct payload *psa = payload_find(in, PAYLOAD_SA, NULL);
	const struct payload *pke = payload_find(in, PAYLOAD_KE, NULL);
	const struct payload *pn = payload_find(in, PAYLOAD_NONCE, NULL);
	struct secret shared = { 0 };
	struct suite suite;
	bool ok;

	if (!pke || !pn || psa->sa.count != 1 || !s->peer_spi)
		return "it lacks SPI, one proposal, key exchange or nonce";
	if (!proposal_accept(sa->conn->proposals, &psa->sa.p[0], 0, &suite))
		return "its proposal is none of ours";
	if (pke->ke.method != suite.ke || suite.ke != s->ke_id)
		return "its key exchange method is not the one of the proposal";
	if (!s->ke->finish(s->ke, s->ke_key, pke->ke.data, &shared))
		return "its key exchange value is not valid";
	sa->suite = suite;
	sa->spi_r = s->peer_spi;
	secret_set(&s->nr, pn->nonce);
	ok = result_is_ok(init_derive(sa, &shared));
	secret_clear(&shared);
	if (!ok) {
		sa->spi_r = 0;
		memset(&sa->protect, 0, sizeof(sa->protect));
		return "keys could not be derived";
	}
	return NULL;
}

static enum outcome init_process_response(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	const char *why;

	if (!payload_find(in, PAYLOAD_SA, NULL))
		return init_check_notifies(sa, in);
	why = init_take_response(sa, in);
	if (why) {
		if (sa->setup->n_answers++ < 5)
			LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "ignored an IKE_SA_INIT response from %s: %s",
			       addr_format_port(&sa->remote).s, why);
		return OUTCOME_IGNORE;
	}
	init_log_proposal(sa);
	nat_detect(sa, in, sa->spi_i, sa->spi_r, &sa->local, &sa->remote);
	sa->childless = payload_notify(in, NOTIFY_CHILDLESS_IKEV2_SUPPORTED) != NULL;
	init_take_fragmentation(sa, in);
	announced_take(sa, in);
	/* RFC 7296, 2.23: with a NAT between (or to be believed so) all goes on on the NAT-T port */
	sa->nat_t = payload_notify(in, NOTIFY_NAT_DETECTION_SOURCE_IP) != NULL;
	mobike_take_mapping(sa, in, false);
	/* RFC 4555 3.3 MUST: there, too, if both sides have MOBIKE (which is known later) and NAT traversal */
	if ((sa->nat_local || sa->nat_remote || sa->nat_fake || (sa->conn->mobike && sa->nat_t)) && sa->remote.port == IKE_PORT &&
	    !sa->remote.stream) {
		sa->remote.port = IKE_NATT_PORT;
		sa->local.port = sa->ctx->options.port_nat_t;
	}
	return OUTCOME_DONE;
}

/* ---- responder ---- */

/* The connection whose addresses fit best and whose proposals have something in common with the peer's. */
static const struct conn *init_choose_conn(struct ike_sa *sa, struct proposal_list theirs, const struct conn **ret_first)
{
	struct sa_ctx *ctx = sa->ctx;
	unsigned flags = ctx->options.prefer_peer_proposals ? PROPOSAL_PREFER_PEER : 0;
	const struct conn *conn;
	size_t index;

	*ret_first = NULL;
	for (size_t rank = 0; (conn = config_match_proposals(ctx->config, &sa->local, &sa->remote, rank)); rank++) {
		if (!*ret_first)
			*ret_first = conn;
		if (proposal_select(conn->proposals, theirs, flags, &sa->suite, &index))
			return conn;
	}
	return NULL;
}

static enum outcome init_answer_key(struct ike_sa *sa, struct task_ike_init *init, const struct payload *pke,
				    struct bytes nonce)
{
	const struct ke_impl *ke = crypto_ke(crypto_ctx_registry(sa->ctx->crypto), sa->suite.ke);
	struct ike_setup *s = sa->setup;
	struct secret shared = { 0 };
	bool ok;

	if (!ke || ke->resp_len > sizeof(init->ke_public))
		return init_fatal(sa, CAUSE_CRYPTO, "the key exchange method is not available", NOTIFY_NO_PROPOSAL_CHOSEN, 0);
	s->ke = ke;
	if (!crypto_ke_respond(sa->ctx->crypto, ke, pke->ke.data, init->ke_public, &shared))
		return init_fatal(sa, CAUSE_KEY_EXCHANGE, "the peer's key exchange value is not valid",
				  NOTIFY_INVALID_SYNTAX, 0);
	secret_set(&s->ni, nonce);
	init_nonce(sa, &s->nr);
	ok = result_is_ok(init_derive(sa, &shared));
	secret_clear(&shared);
	if (!ok)
		return init_fatal(sa, CAUSE_CRYPTO, "keys could not be derived", NOTIFY_NO_PROPOSAL_CHOSEN, 0);
	return OUTCOME_DONE;
}

static enum outcome init_process_request(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	const struct payload *psa = payload_find(in, PAYLOAD_SA, NULL);
	const struct payload *pke = payload_find(in, PAYLOAD_KE, NULL);
	const struct payload *pn = payload_find(in, PAYLOAD_NONCE, NULL);
	const struct conn *conn, *first;

	if (!psa || !pke || !pn)
		return init_fatal(sa, CAUSE_SYNTAX, "the IKE_SA_INIT request lacks SA, KE or Nonce",
				  NOTIFY_INVALID_SYNTAX, 0);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_AUDIT, "%s is initiating an IKE_SA", addr_format(&sa->remote).s);
	conn = init_choose_conn(sa, psa->sa, &first);
	if (!first) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
		       "no connection is configured for %s...%s, sending NO_PROPOSAL_CHOSEN (check local_addrs and remote_addrs)",
		       addr_format(&sa->local).s, addr_format(&sa->remote).s);
		return init_fatal(sa, CAUSE_POLICY, "no connection is configured for this peer's address",
				  NOTIFY_NO_PROPOSAL_CHOSEN, 0);
	}
	if (!conn) {
		init_log_no_proposal(sa, psa->sa, first->proposals);
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
		       "no IKE proposal in common with %s for connection '%s', sending NO_PROPOSAL_CHOSEN",
		       addr_format(&sa->remote).s, first->name);
		return init_fatal(sa, CAUSE_PROPOSAL, "no IKE proposal in common", NOTIFY_NO_PROPOSAL_CHOSEN, 0);
	}
	ike_sa_set_conn(sa, conn);
	if (pke->ke.method != sa->suite.ke) {
		/* RFC 7296, 1.2: the method we want goes with the notify */
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "key exchange method %s in KE payload unacceptable, requesting %s",
		       ke_name(pke->ke.method), ke_name(sa->suite.ke));
		return init_fatal(sa, CAUSE_NONE, NULL, NOTIFY_INVALID_KE_PAYLOAD, sa->suite.ke);
	}
	init_log_proposal(sa);
	nat_detect(sa, in, sa->spi_i, 0, &sa->local, &sa->remote);
	sa->nat_t = payload_notify(in, NOTIFY_NAT_DETECTION_SOURCE_IP) != NULL;
	init_take_fragmentation(sa, in);
	announced_take(sa, in);
	init_of(t)->childless = conn->childless != CHILDLESS_NEVER;
	return init_answer_key(sa, init_of(t), pke, pn->nonce);
}

static enum outcome init_build_response(struct ike_sa *sa, struct task *t, struct builder *b)
{
	struct task_ike_init *init = init_of(t);
	struct ike_setup *s = sa->setup;
	struct proposal p = proposal_from_suite(&sa->ctx->arena, &sa->suite);

	ike_sa_move(sa, IKE_EVENT_RESPOND);
	builder_sa(b, (struct proposal_list){ 1, &p });
	builder_ke(b, sa->suite.ke, bytes_of(init->ke_public, s->ke->resp_len));
	builder_nonce(b, secret_bytes(&s->nr));
	sa->nat_fake = nat_forced(sa);
	nat_build(sa, b, &sa->local, &sa->remote, sa->nat_fake);
	if (sa->fragmentation)
		builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_IKEV2_FRAGMENTATION_SUPPORTED, BYTES_NONE);
	if (init->childless)
		builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_CHILDLESS_IKEV2_SUPPORTED, BYTES_NONE);
	announce_init(sa, b);
	return OUTCOME_DONE;
}

const struct task_ops task_ike_init = {
	.size = sizeof(struct task_ike_init),
	.exchange = EXCHANGE_IKE_SA_INIT,
	.build_request = init_build_request,
	.process_response = init_process_response,
	.process_request = init_process_request,
	.build_response = init_build_response,
};
