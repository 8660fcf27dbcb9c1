/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth_identity.h"
#include "sa/config_payload.h"
#include "sa/exchange_parts.h"
#include "sa/mobike.h"
#include "sa/qcd.h"
#include "sa/reauth.h"
#include "sa/sync.h"
#include "sa/tasks/ike_auth.h"

/* IKE_AUTH (RFC 7296, 1.2 and 2.15; RFC 4739): who both sides are. The first CHILD_SA is child_create's. */

enum outcome ike_auth_fatal(struct ike_sa *sa, enum cause cause, const char *why, unsigned notify)
{
	sa->cause = (uint8_t)cause;
	sa->why = why;
	sa->fatal_notify = (uint16_t)notify;
	return OUTCOME_IKE_FATAL;
}

struct id ike_auth_local_id(const struct ike_sa *sa, const struct conn_round *round)
{
	return id_is_any(&round->id) ? id_from_addr(&sa->local) : id_dup(auth_identity_as_certified(sa->ctx->config, round));
}

static void auth_set_id(struct id *to, struct id from)
{
	id_free(to);
	*to = from;
}

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

static void auth_put_follows(struct ike_sa *sa, const struct task_ike_auth *t, struct builder *b)
{
	/* RFC 4739, 2.1 */
	if (t->n_proved < sa->conn->n_local_rounds)
		builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_ANOTHER_AUTH_FOLLOWS, BYTES_NONE);
}

/* Several rounds of one side need a peer that knows them. */
static bool auth_rounds_possible(struct ike_sa *sa)
{
	const struct conn *conn = sa->conn;

	if ((conn->n_local_rounds < 2 && conn->n_remote_rounds < 2) || sa->setup->announced.multiple)
		return true;
	if (sa->ctx->options.multiple_authentication)
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
		       "connection '%s' has several authentication rounds, which %s does not support (RFC 4739)", conn->name,
		       addr_format(&sa->remote).s);
	else
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
		       "connection '%s' has several authentication rounds, which multiple_authentication = no forbids", conn->name);
	return false;
}

/* RFC 4739 2.1 MUST: all rounds of the connection, neither fewer nor more. */
static bool auth_rounds_fit(struct ike_sa *sa, const struct task_ike_auth *t)
{
	size_t wanted = sa->conn->n_remote_rounds;

	if (t->more_in ? t->n_checked < wanted : t->n_checked == wanted)
		return true;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
	       "authentication of '%s' failed: it %s after round %u, connection '%s' wants %zu", id_text(&t->id_in).s,
	       t->more_in ? "goes on" : "ends", t->n_checked, sa->log.name, wanted);
	return false;
}

static bool auth_is_last(const struct ike_sa *sa, const struct task_ike_auth *t)
{
	return !t->more_in && t->n_proved == sa->conn->n_local_rounds;
}

/* ---- initiator ---- */

static enum outcome auth_begin(struct ike_sa *sa, struct task_ike_auth *t)
{
	const struct id *remote = &sa->conn->remote_rounds[0].id;

	if (!t->task.next && !sa->childless) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
		       "%s does not support an IKE_SA without a CHILD_SA (RFC 6023): initiate a child of '%s'",
		       addr_format(&sa->remote).s, sa->log.name);
		return ike_auth_fatal(sa, CAUSE_POLICY, "the peer does not support an IKE_SA without a CHILD_SA", 0);
	}
	if (!auth_rounds_possible(sa))
		return ike_auth_fatal(sa, CAUSE_POLICY, "several authentications are not possible with the peer", 0);
	t->begun = true;
	id_free(&sa->remote_id);
	if (remote->type) {
		sa->remote_id = id_dup(remote);
		auth_set_id(&t->id_in, id_dup(remote));
	}
	auth_set_id(&sa->local_id, ike_auth_local_id(sa, &sa->conn->local_rounds[0]));
	return OUTCOME_DONE;
}

static enum outcome auth_prepare(struct ike_sa *sa, struct task *task)
{
	struct task_ike_auth *t = ike_auth_of(task);
	enum outcome o = t->begun ? OUTCOME_DONE : auth_begin(sa, t);

	if (o != OUTCOME_DONE)
		return o;
	if (t->n_proved == sa->conn->n_local_rounds) {
		ike_auth_forget_proof(t); /* only the peer goes on */
		return OUTCOME_DONE;
	}
	auth_set_id(&t->id_out, ike_auth_local_id(sa, &sa->conn->local_rounds[t->n_proved]));
	return ike_auth_prove(sa, t);
}

/* What is only in the first request. */
static void auth_put_first(struct ike_sa *sa, struct builder *b)
{
	const struct id *remote = &sa->conn->remote_rounds[0].id;

	/* RFC 7296, 2.4: only if this is the one IKE_SA between the two identities */
	if (sa->conn->unique != UNIQUE_NEVER && !kin_reauth_old(sa) &&
	    !sa->ctx->ops->has_other(sa->ctx->host, &sa->local_id, &sa->remote_id))
		builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_INITIAL_CONTACT, BYTES_NONE);
	announce_certreq(sa, b);
	/* a pattern is no identity that the peer could have */
	if (!id_is_pattern(remote))
		builder_id(b, false, remote);
}

static enum outcome auth_build_request(struct ike_sa *sa, struct task *task, struct builder *b)
{
	struct task_ike_auth *t = ike_auth_of(task);
	bool first = t->n_proved == 1 && t->n_checked == 0;

	if (!t->proof)
		return OUTCOME_MORE; /* RFC 4739, 2.5: an empty request for the peer's next round */
	builder_id(b, true, &t->id_out);
	ike_auth_put_certs(t, b);
	if (first)
		auth_put_first(sa, b);
	ike_auth_put(t, b);
	if (first && sa->setup->announced.multiple)
		builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_MULTIPLE_AUTH_SUPPORTED, BYTES_NONE);
	auth_put_follows(sa, t, b);
	if (first)
		auth_put_extensions(sa, b);
	return OUTCOME_MORE;
}

static enum outcome auth_peer_error(struct ike_sa *sa, const struct task_ike_auth *t, const struct payload_list *in)
{
	for (size_t i = 0; i < in->count; i++) {
		const struct payload *p = &in->p[i];

		if (p->type != PAYLOAD_NOTIFY || p->notify.type >= NOTIFY_FIRST_STATUS)
			continue;
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "received %s notify error from %s",
		       notify_name(p->notify.type), addr_format_port(&sa->remote).s);
		if (p->notify.type == NOTIFY_AUTHENTICATION_FAILED) {
			LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
			       "'%s' did not accept us as '%s': compare identities, secrets and certificates with its log",
			       id_text(&sa->remote_id).s, id_text(&t->id_out).s);
			return ike_auth_fatal(sa, CAUSE_AUTHENTICATION,
					      "the peer did not accept our authentication (AUTHENTICATION_FAILED)", 0);
		}
		if (p->notify.type == NOTIFY_UNEXPECTED_NAT_DETECTED) {
			/* RFC 4555 3.9 SHOULD: tried again, so that one changed packet does not rule out a path */
			sa->setup->again = ++sa->setup->nat_refusals < LIMIT_MOBIKE_TRIES;
			return ike_auth_fatal(sa, CAUSE_PEER_ERROR, "the peer sees a NAT between, which one of us does not support "
					      "(UNEXPECTED_NAT_DETECTED)", 0);
		}
	}
	return ike_auth_fatal(sa, CAUSE_PEER_ERROR, "the peer's IKE_AUTH response has no AUTH", 0);
}

/* RFC 7296, 2.21.2: the responder may hold an SA that we do not accept; it is told so, once. */
static enum outcome auth_reject(struct ike_sa *sa, enum outcome o)
{
	if (o == OUTCOME_IKE_FATAL)
		exchange_notify_once(sa, NOTIFY_AUTHENTICATION_FAILED);
	return o;
}

/* The response at hand is believed. */
static enum outcome auth_response_passed(struct ike_sa *sa, struct task_ike_auth *t, const struct payload_list *in)
{
	if (!auth_rounds_fit(sa, t))
		return auth_reject(sa, ike_auth_fatal(sa, CAUSE_AUTHENTICATION,
						      "the peer authenticates in other rounds than configured", 0));
	if (!auth_is_last(sa, t))
		return OUTCOME_MORE;
	auth_take_extensions(sa, in);
	(void)mobike_take(sa, in);
	ike_sa_established(sa);
	reauth_take_lifetime(sa, in);
	return OUTCOME_DONE;
}

static enum outcome auth_process_response(struct ike_sa *sa, struct task *task, const struct payload_list *in)
{
	struct task_ike_auth *t = ike_auth_of(task);
	const struct payload *pid = payload_find(in, PAYLOAD_IDR, NULL);
	const struct payload *pauth = payload_find(in, PAYLOAD_AUTH, NULL);
	const struct id *want;
	enum outcome o;

	if (t->n_checked && !t->more_in) {
		/* the peer has proved all it wants to: this is about us */
		if (payload_notify(in, NOTIFY_AUTHENTICATION_FAILED))
			return auth_peer_error(sa, t, in);
		return auth_response_passed(sa, t, in);
	}
	if (!pid || !pauth)
		return auth_peer_error(sa, t, in);
	want = &sa->conn->remote_rounds[t->n_checked].id;
	if (id_match(&pid->id, want) == ID_MATCH_NONE) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the peer says it is '%s', connection '%s' wants '%s'",
		       id_text(&pid->id).s, sa->log.name, id_text(want).s);
		return auth_reject(sa, ike_auth_fatal(sa, CAUSE_AUTHENTICATION,
						      "the peer has another identity than configured", 0));
	}
	if (t->n_checked == 0)
		auth_set_id(&sa->remote_id, id_dup(&pid->id));
	auth_set_id(&t->id_in, id_dup(&pid->id));
	t->more_in = payload_notify(in, NOTIFY_ANOTHER_AUTH_FOLLOWS) != NULL;
	o = ike_auth_check(sa, t, in);
	if (o != OUTCOME_DONE)
		return auth_reject(sa, o);
	t->n_checked++;
	return auth_response_passed(sa, t, in);
}

/* ---- responder ---- */

/* What the connection says of the IKE_SA as a whole; the first request asked for it. */
static enum outcome auth_request_allowed(struct ike_sa *sa, const struct payload_list *first)
{
	const struct conn *conn = sa->conn;

	sa->init_contact = payload_notify(first, NOTIFY_INITIAL_CONTACT) != NULL;
	if (conn->unique == UNIQUE_KEEP && !sa->init_contact && !sa->ctx->ops->claim(sa->ctx->host, sa)) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "'%s' has an IKE_SA already and unique = keep: refused",
		       id_text(&sa->remote_id).s);
		return ike_auth_fatal(sa, CAUSE_POLICY, "the peer has an IKE_SA already (unique = keep)",
				      NOTIFY_AUTHENTICATION_FAILED);
	}
	if (!payload_find(first, PAYLOAD_SA, NULL) && conn->childless == CHILDLESS_NEVER)
		return ike_auth_fatal(sa, CAUSE_POLICY, "the peer wants no CHILD_SA and childless = never",
				      NOTIFY_INVALID_SYNTAX);
	if (payload_find(first, PAYLOAD_SA, NULL) && conn->childless == CHILDLESS_FORCE)
		return ike_auth_fatal(sa, CAUSE_POLICY, "the peer wants a CHILD_SA in IKE_AUTH and childless = force",
				      NOTIFY_AUTHENTICATION_FAILED);
	auth_take_extensions(sa, first);
	if (!mobike_take(sa, first))
		return ike_auth_fatal(sa, CAUSE_POLICY,
				      "there is a NAT between, which the peer does not allow (NO_NATS_ALLOWED)",
				      NOTIFY_UNEXPECTED_NAT_DETECTED);
	return OUTCOME_DONE;
}

/* What is to be sent is there: nothing can go wrong with the answer any more. */
static enum outcome auth_request_done(struct ike_sa *sa, struct task_ike_auth *t, const struct payload_list *first)
{
	enum outcome o;

	if (!auth_is_last(sa, t))
		return OUTCOME_MORE;
	o = auth_request_allowed(sa, first);
	if (o != OUTCOME_DONE)
		return o;
	sa->overlaps = !sa->init_contact && sa->ctx->ops->has_other(sa->ctx->host, &sa->local_id, &sa->remote_id);
	ike_sa_established(sa);
	return OUTCOME_DONE;
}

/* The peer is believed so far: our next round, if there is one. */
static enum outcome auth_request_passed(struct ike_sa *sa, struct task_ike_auth *t, const struct payload_list *first)
{
	enum outcome o;

	if (!auth_rounds_fit(sa, t))
		return ike_auth_fatal(sa, CAUSE_AUTHENTICATION, "the peer authenticates in other rounds than configured",
				      NOTIFY_AUTHENTICATION_FAILED);
	if (t->n_proved == sa->conn->n_local_rounds) {
		ike_auth_forget_proof(t);
		return auth_request_done(sa, t, first);
	}
	auth_set_id(&t->id_out, ike_auth_local_id(sa, &sa->conn->local_rounds[t->n_proved]));
	o = ike_auth_prove(sa, t);
	return o == OUTCOME_DONE ? auth_request_done(sa, t, first) : o;
}

static enum outcome auth_check_request(struct ike_sa *sa, struct task_ike_auth *t, const struct payload_list *in)
{
	enum outcome o;

	t->more_in = payload_notify(in, NOTIFY_ANOTHER_AUTH_FOLLOWS) != NULL;
	o = ike_auth_check(sa, t, in);
	if (o != OUTCOME_DONE)
		return o;
	t->n_checked++;
	return auth_request_passed(sa, t, exchange_message(sa, in));
}

static enum outcome auth_wants_eap(struct ike_sa *sa, const struct id *id)
{
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "'%s' wants EAP, which no connection allows", id_text(id).s);
	return ike_auth_fatal(sa, CAUSE_AUTHENTICATION, "the peer wants EAP, which the connection does not allow",
			      NOTIFY_AUTHENTICATION_FAILED);
}

static enum outcome auth_first_request(struct ike_sa *sa, struct task_ike_auth *t, const struct payload_list *in)
{
	const struct payload *pid = payload_find(in, PAYLOAD_IDI, NULL);
	const struct payload *pidr = payload_find(in, PAYLOAD_IDR, NULL);
	const struct payload *pauth = payload_find(in, PAYLOAD_AUTH, NULL);
	const struct conn *conn;

	if (!pid)
		return ike_auth_fatal(sa, CAUSE_SYNTAX, "the IKE_AUTH request has no IDi", NOTIFY_INVALID_SYNTAX);
	announced_take(sa, in);
	auth_set_id(&sa->remote_id, id_dup(&pid->id));
	auth_set_id(&t->id_in, id_dup(&pid->id));
	if (!pauth)
		return auth_wants_eap(sa, &pid->id);
	conn = ike_auth_choose(sa, &pid->id, pidr ? &pidr->id : NULL, pauth->auth.method,
			       payload_notify(in, NOTIFY_ANOTHER_AUTH_FOLLOWS) != NULL, &t->others);
	if (!conn)
		return ike_auth_fatal(sa, CAUSE_AUTHENTICATION, "no connection fits the identities",
				      NOTIFY_AUTHENTICATION_FAILED);
	if (conn != sa->conn) {
		LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "selected connection '%s'", conn->name);
		ike_sa_set_conn(sa, conn);
	}
	t->begun = true;
	auth_set_id(&sa->local_id, ike_auth_local_id(sa, &conn->local_rounds[0]));
	auth_set_id(&t->id_out, id_dup(&sa->local_id));
	if (!auth_rounds_possible(sa))
		return ike_auth_fatal(sa, CAUSE_POLICY, "several authentications are not possible with the peer",
				      NOTIFY_AUTHENTICATION_FAILED);
	return auth_check_request(sa, t, in);
}

/* RFC 4739, 2.3 to 2.5: another round of the peer, or only an occasion for ours. */
static enum outcome auth_next_request(struct ike_sa *sa, struct task_ike_auth *t, const struct payload_list *in)
{
	const struct payload *pid = payload_find(in, PAYLOAD_IDI, NULL);
	const struct id *want;

	if (payload_find(in, PAYLOAD_EAP, NULL) || !pid != !t->more_in || !payload_find(in, PAYLOAD_AUTH, NULL) != !t->more_in) {
		if (pid && t->more_in)
			return auth_wants_eap(sa, &pid->id);
		return ike_auth_fatal(sa, CAUSE_SYNTAX, "the IKE_AUTH request is not the next step of the authentication",
				      NOTIFY_INVALID_SYNTAX);
	}
	if (!t->more_in)
		return auth_request_passed(sa, t, exchange_message(sa, in));
	want = &sa->conn->remote_rounds[t->n_checked].id;
	if (id_match(&pid->id, want) == ID_MATCH_NONE) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "in round %u the peer says it is '%s', connection '%s' wants '%s'",
		       t->n_checked + 1, id_text(&pid->id).s, sa->log.name, id_text(want).s);
		return ike_auth_fatal(sa, CAUSE_AUTHENTICATION, "the peer has another identity than configured",
				      NOTIFY_AUTHENTICATION_FAILED);
	}
	auth_set_id(&t->id_in, id_dup(&pid->id));
	return auth_check_request(sa, t, in);
}

static enum outcome auth_process_request(struct ike_sa *sa, struct task *task, const struct payload_list *in)
{
	struct task_ike_auth *t = ike_auth_of(task);

	return t->begun ? auth_next_request(sa, t, in) : auth_first_request(sa, t, in);
}

static enum outcome auth_build_response(struct ike_sa *sa, struct task *task, struct builder *b)
{
	struct task_ike_auth *t = ike_auth_of(task);

	if (t->proof) {
		builder_id(b, false, &t->id_out);
		ike_auth_put_certs(t, b);
		ike_auth_put(t, b);
		auth_put_follows(sa, t, b);
	}
	if (!auth_is_last(sa, t))
		return OUTCOME_MORE;
	auth_put_extensions(sa, b);
	reauth_put_lifetime(sa, b);
	return OUTCOME_DONE;
}

/* ---- both ---- */

static enum outcome auth_authenticated(struct ike_sa *sa, struct task *task, struct auth_request *r)
{
	struct task_ike_auth *t = ike_auth_of(task);
	bool checking = t->step == AUTH_STEP_CHECKING;
	enum outcome o = checking ? ike_auth_checked(sa, t, r) : ike_auth_proved(sa, t, r);

	if (o != OUTCOME_DONE)
		return checking && sa->initiator ? auth_reject(sa, o) : o;
	t->n_checked += checking;
	if (sa->initiator)
		return checking ? auth_response_passed(sa, t, exchange_message(sa, NULL)) : OUTCOME_DONE;
	return checking ? auth_request_passed(sa, t, exchange_message(sa, NULL)) :
			  auth_request_done(sa, t, exchange_message(sa, NULL));
}

static void auth_clear(struct ike_sa *sa, struct task *task)
{
	struct task_ike_auth *t = ike_auth_of(task);

	id_free(&t->id_out);
	id_free(&t->id_in);
	ike_auth_forget_proof(t);
}

const struct task_ops task_ike_auth = {
	.size = sizeof(struct task_ike_auth),
	.exchange = EXCHANGE_IKE_AUTH,
	.prepare = auth_prepare,
	.build_request = auth_build_request,
	.process_response = auth_process_response,
	.process_request = auth_process_request,
	.build_response = auth_build_response,
	.authenticated = auth_authenticated,
	.clear = auth_clear,
};
