/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/psk.h"
#include "sa/config_payload.h"
#include "sa/exchange.h"
#include "sa/init_variant.h"
#include "sa/mobike.h"
#include "sa/reauth.h"
#include "sa/qcd.h"
#include "sa/sync.h"
#include "sa/tasks/tasks.h"

/* IKE_AUTH (RFC 7296, 1.2 and 2.15): who both sides are. The first CHILD_SA is child_create's. */

static enum outcome auth_fatal(struct ike_sa *sa, enum cause cause, const char *why, unsigned notify)
{
	sa->cause = (uint8_t)cause;
	sa->why = why;
	sa->fatal_notify = (uint16_t)notify;
	return OUTCOME_IKE_FATAL;
}

/* The octets that one side signs: its first message, the other's nonce, its own SK_p. */
static struct psk_octets auth_octets(const struct ike_sa *sa, bool initiator)
{
	const struct ike_setup *s = sa->setup;

	return (struct psk_octets){
		.message = buf_bytes(initiator ? &s->init_request : &s->init_response),
		.nonce = secret_bytes(initiator ? &s->nr : &s->ni),
		.sk_p = bytes_of(initiator ? ike_keys_pi(&sa->keys) : ike_keys_pr(&sa->keys), sa->keys.p_len),
	};
}

/* Our identity in a connection: the configured one, else our address. */
static struct id auth_local_id(const struct ike_sa *sa, const struct conn *conn)
{
	const struct id *id = &conn->local_rounds[0].id;

	return id_is_any(id) ? id_from_addr(&sa->local) : id_dup(id);
}

static enum outcome auth_put(struct ike_sa *sa, struct builder *b)
{
	const struct shared_secret *psk = config_find_psk(sa->ctx->config, &sa->local_id, &sa->remote_id);
	struct psk_octets octets = auth_octets(sa, sa->initiator);
	uint8_t auth[PSK_AUTH_MAX];
	size_t n;

	if (!psk) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
		       "no shared key found for '%s' (myself) - '%s': add one to the secrets section",
		       id_text(&sa->local_id).s, id_text(&sa->remote_id).s);
		return auth_fatal(sa, CAUSE_AUTHENTICATION, "no shared key found for these identities",
				  NOTIFY_AUTHENTICATION_FAILED);
	}
	if (!result_is_ok(psk_auth(sa->ctx->crypto, sa->suite.prf, secret_bytes(&psk->data), &octets, &sa->local_id,
				   auth, &n)))
		return auth_fatal(sa, CAUSE_CRYPTO, "AUTH could not be computed", NOTIFY_AUTHENTICATION_FAILED);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "authentication of '%s' (myself) with pre-shared key",
	       id_text(&sa->local_id).s);
	builder_auth(b, AUTH_METHOD_SHARED_KEY, bytes_of(auth, n));
	secret_wipe(auth, sizeof(auth));
	return OUTCOME_DONE;
}

/* The peer's MAC; the request it covers may be another one than that we saw (sa/init_variant.h). */
static bool auth_mac_ok(struct ike_sa *sa, struct bytes psk, struct bytes auth)
{
	struct psk_octets octets = auth_octets(sa, !sa->initiator);
	bool ok = psk_verify(sa->ctx->crypto, sa->suite.prf, psk, &octets, &sa->remote_id, auth);
	struct buf variant = { 0 };

	for (unsigned n = 0; !ok && !sa->initiator && n < INIT_VARIANTS && init_variant(sa, n, &variant); n++) {
		octets.message = buf_bytes(&variant);
		ok = psk_verify(sa->ctx->crypto, sa->suite.prf, psk, &octets, &sa->remote_id, auth);
	}
	buf_free(&variant);
	return ok;
}

/* Checks the peer's AUTH; false: why has been logged. */
static bool auth_check(struct ike_sa *sa, const struct payload *p)
{
	const struct shared_secret *psk;

	if (p->auth.method != AUTH_METHOD_SHARED_KEY) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
		       "authentication of '%s' failed: it uses %s, connection '%s' wants a pre-shared key",
		       id_text(&sa->remote_id).s, auth_method_name(p->auth.method), sa->log.name);
		return false;
	}
	psk = config_find_psk(sa->ctx->config, &sa->local_id, &sa->remote_id);
	if (!psk) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
		       "no shared key found for '%s' - '%s': add one to the secrets section",
		       id_text(&sa->local_id).s, id_text(&sa->remote_id).s);
		return false;
	}
	if (!auth_mac_ok(sa, secret_bytes(&psk->data), p->auth.data)) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
		       "authentication of '%s' with pre-shared key failed: the MACs differ, so the two sides have different keys",
		       id_text(&sa->remote_id).s);
		return false;
	}
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "authentication of '%s' with pre-shared key successful",
	       id_text(&sa->remote_id).s);
	return true;
}

/* ---- initiator ---- */

/* Behind AUTH and in front of all that is the child's (RFC 6290, 4.2). */
static void auth_put_extensions(struct ike_sa *sa, struct builder *b)
{
	qcd_build(sa, b);
	sync_build(sa, b);
	mobike_build(sa, b);
	config_payload_build(sa, b); /* RFC 7296 2.19 MUST: in front of SA */
}

static void auth_take_extensions(struct ike_sa *sa, const struct payload_list *in)
{
	qcd_take(sa, in);
	sync_take(sa, in);
	config_payload_take(sa, in);
}

static enum outcome auth_build_request(struct ike_sa *sa, struct task *t, struct builder *b)
{
	const struct id *remote = &sa->conn->remote_rounds[0].id;
	enum outcome o;

	if (!t->next && !sa->childless) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
		       "%s does not support an IKE_SA without a CHILD_SA (RFC 6023): initiate a child of '%s'",
		       addr_format(&sa->remote).s, sa->log.name);
		return auth_fatal(sa, CAUSE_POLICY, "the peer does not support an IKE_SA without a CHILD_SA", 0);
	}
	id_free(&sa->local_id);
	id_free(&sa->remote_id);
	sa->local_id = auth_local_id(sa, sa->conn);
	if (remote->type)
		sa->remote_id = id_dup(remote);
	builder_id(b, true, &sa->local_id);
	/* RFC 7296, 2.4: only if this is the one IKE_SA between the two identities */
	if (sa->conn->unique != UNIQUE_NEVER && !sa->reauth_old && !sa->ctx->ops->has_other(sa->ctx->host, &sa->local_id, &sa->remote_id))
		builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_INITIAL_CONTACT, BYTES_NONE);
	if (!id_is_any(remote) && id_match(remote, remote) >= ID_MATCH_PERFECT)
		builder_id(b, false, remote);
	o = auth_put(sa, b);
	auth_put_extensions(sa, b);
	return o == OUTCOME_DONE ? OUTCOME_MORE : o;
}

static enum outcome auth_peer_error(struct ike_sa *sa, const struct payload_list *in)
{
	for (size_t i = 0; i < in->count; i++) {
		const struct payload *p = &in->p[i];

		if (p->type != PAYLOAD_NOTIFY || p->notify.type >= NOTIFY_FIRST_STATUS)
			continue;
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "received %s notify error from %s",
		       notify_name(p->notify.type), addr_format_port(&sa->remote).s);
		if (p->notify.type == NOTIFY_AUTHENTICATION_FAILED) {
			LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
			       "'%s' did not accept us as '%s': compare identities and secrets with its log",
			       id_text(&sa->remote_id).s, id_text(&sa->local_id).s);
			return auth_fatal(sa, CAUSE_AUTHENTICATION,
					  "the peer did not accept our authentication (AUTHENTICATION_FAILED)", 0);
		}
	}
	return auth_fatal(sa, CAUSE_PEER_ERROR, "the peer's IKE_AUTH response has no AUTH", 0);
}

static enum outcome auth_process_response(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	const struct payload *pid = payload_find(in, PAYLOAD_IDR, NULL);
	const struct payload *pauth = payload_find(in, PAYLOAD_AUTH, NULL);
	const struct id *want = &sa->conn->remote_rounds[0].id;

	if (!pid || !pauth)
		return auth_peer_error(sa, in);
	if (id_match(&pid->id, want) == ID_MATCH_NONE) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the peer says it is '%s', connection '%s' wants '%s'",
		       id_text(&pid->id).s, sa->log.name, id_text(want).s);
		/* RFC 7296, 2.21.2: the responder holds an SA that we do not accept; it is told so, once */
		exchange_notify_once(sa, NOTIFY_AUTHENTICATION_FAILED);
		return auth_fatal(sa, CAUSE_AUTHENTICATION, "the peer has another identity than configured", 0);
	}
	id_free(&sa->remote_id);
	sa->remote_id = id_dup(&pid->id);
	if (!auth_check(sa, pauth)) {
		/* RFC 7296, 2.21.2: the responder holds an SA that we do not accept; it is told so, once */
		exchange_notify_once(sa, NOTIFY_AUTHENTICATION_FAILED);
		return auth_fatal(sa, CAUSE_AUTHENTICATION, "the peer could not be authenticated", 0);
	}
	auth_take_extensions(sa, in);
	(void)mobike_take(sa, in);
	ike_sa_established(sa);
	reauth_take_lifetime(sa, in);
	return OUTCOME_DONE;
}

/* ---- responder ---- */

/*
 * The connection that fits now that the identities are known (addresses and the agreed IKE proposal must fit as well); the best match
 * of the peer's identity wins, then the better addresses.
 */
static const struct conn *auth_switch_conn(struct ike_sa *sa, const struct id *idi, const struct id *idr)
{
	struct proposal agreed = proposal_from_suite(&sa->ctx->arena, &sa->suite);
	struct proposal_list agreed_list = { 1, &agreed };
	const struct conn *conn, *best = NULL;
	struct suite suite;
	int best_score = 0;
	size_t index;

	for (size_t rank = 0; (conn = config_match_addrs(sa->ctx->config, &sa->local, &sa->remote, rank)); rank++) {
		struct id local = auth_local_id(sa, conn);
		int score = id_match(idi, &conn->remote_rounds[0].id);

		if (idr && id_match(&local, idr) == ID_MATCH_NONE)
			score = 0;
		id_free(&local);
		if (score > best_score && proposal_select(conn->proposals, agreed_list, 0, &suite, &index)) {
			best = conn;
			best_score = score;
		}
	}
	return best;
}

static enum outcome auth_process_request(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	const struct payload *pid = payload_find(in, PAYLOAD_IDI, NULL);
	const struct payload *pidr = payload_find(in, PAYLOAD_IDR, NULL);
	const struct payload *pauth = payload_find(in, PAYLOAD_AUTH, NULL);
	const struct conn *conn;

	if (!pid)
		return auth_fatal(sa, CAUSE_SYNTAX, "the IKE_AUTH request has no IDi", NOTIFY_INVALID_SYNTAX);
	conn = auth_switch_conn(sa, &pid->id, pidr ? &pidr->id : NULL);
	id_free(&sa->remote_id);
	sa->remote_id = id_dup(&pid->id);
	if (!conn) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
		       "no connection fits %s[%s]...%s[%s]: check local and remote id of the connections for these addresses",
		       addr_format(&sa->local).s, pidr ? id_text(&pidr->id).s : "%any", addr_format(&sa->remote).s,
		       id_text(&pid->id).s);
		return auth_fatal(sa, CAUSE_AUTHENTICATION, "no connection fits the identities",
				  NOTIFY_AUTHENTICATION_FAILED);
	}
	if (conn != sa->conn) {
		LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "selected connection '%s'", conn->name);
		ike_sa_set_conn(sa, conn);
	}
	id_free(&sa->local_id);
	sa->local_id = auth_local_id(sa, conn);
	if (!pauth) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "'%s' wants EAP, connection '%s' wants a pre-shared key",
		       id_text(&sa->remote_id).s, sa->log.name);
		return auth_fatal(sa, CAUSE_AUTHENTICATION, "the peer wants EAP, which the connection does not allow",
				  NOTIFY_AUTHENTICATION_FAILED);
	}
	if (!auth_check(sa, pauth))
		return auth_fatal(sa, CAUSE_AUTHENTICATION, "the peer could not be authenticated",
				  NOTIFY_AUTHENTICATION_FAILED);
	sa->init_contact = payload_notify(in, NOTIFY_INITIAL_CONTACT) != NULL;
	if (conn->unique == UNIQUE_KEEP && !sa->init_contact && !sa->ctx->ops->claim(sa->ctx->host, sa)) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "'%s' has an IKE_SA already and unique = keep: refused",
		       id_text(&sa->remote_id).s);
		return auth_fatal(sa, CAUSE_POLICY, "the peer has an IKE_SA already (unique = keep)",
				  NOTIFY_AUTHENTICATION_FAILED);
	}
	if (!payload_find(in, PAYLOAD_SA, NULL) && conn->childless == CHILDLESS_NEVER)
		return auth_fatal(sa, CAUSE_POLICY, "the peer wants no CHILD_SA and childless = never",
				  NOTIFY_INVALID_SYNTAX);
	if (payload_find(in, PAYLOAD_SA, NULL) && conn->childless == CHILDLESS_FORCE)
		return auth_fatal(sa, CAUSE_POLICY, "the peer wants a CHILD_SA in IKE_AUTH and childless = force",
				  NOTIFY_AUTHENTICATION_FAILED);
	auth_take_extensions(sa, in);
	if (!mobike_take(sa, in))
		return auth_fatal(sa, CAUSE_POLICY, "there is a NAT between, which the peer does not allow (NO_NATS_ALLOWED)",
				  NOTIFY_UNEXPECTED_NAT_DETECTED);
	sa->overlaps = !sa->init_contact && sa->ctx->ops->has_other(sa->ctx->host, &sa->local_id, &sa->remote_id);
	/* the key for our own AUTH is the one just used: nothing can go wrong with the answer any more */
	ike_sa_established(sa);
	return OUTCOME_DONE;
}

static enum outcome auth_build_response(struct ike_sa *sa, struct task *t, struct builder *b)
{
	enum outcome o;

	builder_id(b, false, &sa->local_id);
	o = auth_put(sa, b);
	auth_put_extensions(sa, b);
	if (o == OUTCOME_DONE)
		reauth_put_lifetime(sa, b);
	return o;
}

const struct task_ops task_ike_auth = {
	.size = sizeof(struct task),
	.exchange = EXCHANGE_IKE_AUTH,
	.build_request = auth_build_request,
	.process_response = auth_process_response,
	.process_request = auth_process_request,
	.build_response = auth_build_response,
};
