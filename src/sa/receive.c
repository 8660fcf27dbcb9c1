/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sa/exchange.h"
#include "sa/seal.h"

/* Where a packet came from and to, for the log. */
struct receive_path {
	const struct addr *local, *remote;
	size_t n;
};

/* Counters of a kind of message: four per exchange, in the order of enum sa_counter. */
static void receive_count(struct ike_sa *sa, unsigned exchange, bool response, bool out)
{
	if (exchange >= EXCHANGE_IKE_SA_INIT && exchange <= EXCHANGE_INFORMATIONAL)
		sa->ctx->counters[(exchange - EXCHANGE_IKE_SA_INIT) * 4 + (out ? 2 : 0) + (response ? 1 : 0)]++;
}

static void receive_log_parsed(struct ike_sa *sa, const struct ike_header *h, const struct payload_list *in,
			       const struct receive_path *path)
{
	/* probes come all the time: they are details */
	bool probe = h->flags & IKE_FLAG_RESPONSE ? exchange_is_probe(sa) :
						    h->exchange == EXCHANGE_INFORMATIONAL && in->count == 0;
	int level = probe ? LOG_LEVEL_DETAIL : LOG_LEVEL_CONTROL;

	LOG_SA(&sa->log, NET, level, "received packet: from %s to %s (%zu bytes)", addr_format_port(path->remote).s,
	       addr_format_port(path->local).s, path->n);
	if (log_is_wanted(LOG_GROUP_ENC, level)) {
		struct buf text = { 0 };

		payloads_describe(&text, in);
		LOG_SA(&sa->log, ENC, level, "parsed %s %s %u %s", exchange_name(h->exchange),
		       h->flags & IKE_FLAG_RESPONSE ? "response" : "request", h->message_id, buf_str(&text));
		buf_free(&text);
	}
}

/*
 * Parses and checks the payloads of a verified message. On failure says which notify answers it (0: none).
 */
static bool receive_parse(struct ike_sa *sa, const struct ike_header *h, struct bytes body, uint8_t first,
			  const struct receive_path *path, struct payload_list *ret_list, unsigned *ret_notify, uint8_t *ret_critical)
{
	struct wire_error err = { 0 };
	struct result r = payloads_parse(&sa->ctx->arena, body, first, ret_list, &err);

	*ret_critical = 0;
	if (!result_is_ok(r) && err.critical) {
		/* RFC 7296, 2.5 MUST: UNSUPPORTED_CRITICAL_PAYLOAD with the payload's type */
		LOG_SA(&sa->log, ENC, LOG_LEVEL_CONTROL, "payload type %u is unknown and marked critical by %s",
		       err.payload, addr_format_port(&sa->remote).s);
		*ret_notify = NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD;
		*ret_critical = err.payload;
		return false;
	}
	if (result_is_ok(r)) {
		receive_log_parsed(sa, h, ret_list, path);
		r = rules_check(h, ret_list);
	}
	if (result_is_ok(r))
		return true;
	sa->ctx->counters[SA_COUNTER_INVALID]++;
	LOG_SA(&sa->log, ENC, LOG_LEVEL_CONTROL, "invalid %s %s %u from %s: %s%s%s", exchange_name(h->exchange),
	       h->flags & IKE_FLAG_RESPONSE ? "response" : "request", h->message_id,
	       addr_format_port(&sa->remote).s, r.why, err.payload ? " in payload " : "",
	       err.payload ? payload_name(err.payload) : "");
	*ret_notify = NOTIFY_INVALID_SYNTAX;
	return false;
}

/* Opens a protected message; false: dropped, nothing has changed. */
static bool receive_open(struct ike_sa *sa, const struct ike_header *h, uint8_t *msg, size_t n, struct bytes *ret_body,
			 uint8_t *ret_first)
{
	struct result r;

	if (h->exchange == EXCHANGE_IKE_SA_INIT) {
		*ret_body = bytes_of(msg + IKE_HEADER_LEN, n - IKE_HEADER_LEN);
		*ret_first = h->next;
		return true;
	}
	r = seal_open(sa, msg, n, ret_body, ret_first);
	if (result_is_ok(r))
		return true;
	sa->ctx->counters[r.code == RESULT_AUTH ? SA_COUNTER_AUTH_FAILED : SA_COUNTER_INVALID]++;
	LOG_SA(&sa->log, ENC, LOG_LEVEL_CONTROL, "dropped %s %s %u from %s: %s", exchange_name(h->exchange),
	       h->flags & IKE_FLAG_RESPONSE ? "response" : "request", h->message_id,
	       addr_format_port(&sa->remote).s, r.why);
	return false;
}

/* A repeat is known by its bytes, so that a forged one earns nothing and a true one costs no decryption. */
static void receive_repeat(struct ike_sa *sa, const struct ike_header *h, const struct addr *local,
			   const struct addr *remote, struct bytes msg)
{
	const struct stored_reply *reply = window_in_reply(&sa->in, h->message_id);

	if (!reply || reply->request_hash != hash_bytes(&sa->ctx->hash, msg)) {
		sa->ctx->counters[SA_COUNTER_STALE]++;
		return;
	}
	sa->ctx->counters[SA_COUNTER_REPEAT]++;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "received retransmit of request with ID %u, retransmitting response",
	       h->message_id);
	sa->ctx->ops->send(sa->ctx->host, local, remote, buf_bytes(&reply->data));
}

static void receive_request(struct ike_sa *sa, const struct ike_header *h, const struct addr *local,
			    const struct addr *remote, uint8_t *msg, size_t n)
{
	struct receive_path path = { local, remote, n };
	struct sa_ctx *ctx = sa->ctx;
	struct payload_list in;
	struct bytes body;
	uint8_t first, critical;
	unsigned notify;
	uint64_t hash;

	switch (window_in_check(&sa->in, h->message_id)) {
	case WINDOW_NEW:
		break;
	case WINDOW_REPEAT:
		receive_repeat(sa, h, local, remote, bytes_of(msg, n));
		return;
	case WINDOW_STALE:
	case WINDOW_FUTURE:
		ctx->counters[SA_COUNTER_STALE]++;
		LOG_SA(&sa->log, IKE, LOG_LEVEL_DETAIL, "dropped request with ID %u, expected %u", h->message_id,
		       sa->in.next);
		return;
	}
	/* an IKE_SA_INIT request makes a responder's SA, it finds none */
	if (sa->incoming || (sa->initiator && h->exchange == EXCHANGE_IKE_SA_INIT) ||
	    !exchange_allowed(sa->state, h->exchange, true)) {
		ctx->counters[SA_COUNTER_STALE]++;
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "dropped %s request in state %s", exchange_name(h->exchange),
		       ike_state_name(sa->state));
		return;
	}
	hash = hash_bytes(&ctx->hash, bytes_of(msg, n));
	if (!receive_open(sa, h, msg, n, &body, &first))
		return;

	/* from here on the message is the peer's own (an IKE_SA_INIT creates the SA): state may move */
	receive_count(sa, h->exchange, false, false);
	sa->last_in_ms = sa_now(ctx);
	window_in_accept(&sa->in, h->message_id);
	sa->incoming = xcalloc(1, sizeof(*sa->incoming));
	*sa->incoming = (struct incoming){ .local = *local, .remote = *remote, .hash = hash,
					   .message_id = h->message_id, .exchange = h->exchange };
	if (sa->state == IKE_STATE_CONNECTING) {
		/* RFC 7296, 2.23: the peer may have moved to the NAT-T port */
		bool counted = sa->half_open && !addr_equal_ip(&sa->remote, remote);

		if (counted)
			ctx->ops->half_open(ctx->host, sa, false);
		sa->local = *local;
		sa->remote = *remote;
		if (counted)
			ctx->ops->half_open(ctx->host, sa, true);
	}
	if (h->exchange == EXCHANGE_IKE_SA_INIT) {
		buf_reset(&sa->setup->init_request);
		buf_add(&sa->setup->init_request, msg, n);
	}
	if (receive_parse(sa, h, body, first, &path, &in, &notify, &critical)) {
		exchange_request(sa, h, &in);
		return;
	}
	exchange_reply_notify(sa, h, notify, bytes_of(&critical, critical ? 1 : 0));
	if (notify == NOTIFY_INVALID_SYNTAX || sa->state == IKE_STATE_CREATED || sa->state == IKE_STATE_CONNECTING) {
		/* RFC 7296, 2.21.3: an authenticated INVALID_SYNTAX ends the IKE_SA */
		sa->cause = CAUSE_SYNTAX;
		sa->why = "the peer sent a message that breaks the protocol";
		if (sa->state == IKE_STATE_CREATED)
			ike_sa_finish(sa, IKE_EVENT_FAILED, CAUSE_SYNTAX, sa->why);
		else
			ike_sa_close(sa);
	}
}

static void receive_response(struct ike_sa *sa, const struct ike_header *h, const struct addr *local,
			     const struct addr *remote, uint8_t *msg, size_t n)
{
	struct receive_path path = { local, remote, n };
	struct sa_ctx *ctx = sa->ctx;
	struct outstanding *o = sa->outstanding;
	bool init = h->exchange == EXCHANGE_IKE_SA_INIT;
	struct payload_list in;
	struct bytes body;
	uint8_t first, critical;
	unsigned notify;

	if (!o || o->message_id != h->message_id || o->exchange != h->exchange || sa->park) {
		ctx->counters[SA_COUNTER_STALE]++;
		return;
	}
	if (!receive_open(sa, h, msg, n, &body, &first))
		return;
	receive_count(sa, h->exchange, true, false);
	if (!receive_parse(sa, h, body, first, &path, &in, &notify, &critical)) {
		/* RFC 7296, 2.21.1: what is not authenticated is not obeyed, a good answer may still come */
		if (!init)
			ike_sa_finish(sa, IKE_EVENT_FAILED,
				      notify == NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD ? CAUSE_CRITICAL : CAUSE_SYNTAX,
				      "the peer's answer breaks the protocol");
		return;
	}
	if (init) {
		buf_reset(&sa->setup->init_response);
		buf_add(&sa->setup->init_response, msg, n);
		sa->setup->peer_spi = h->spi_r;
	} else {
		sa->last_in_ms = sa_now(ctx);
	}
	exchange_response(sa, h, &in);
}

void ike_sa_receive(struct ike_sa *sa, const struct ike_header *h, const struct addr *local,
		    const struct addr *remote, uint8_t *msg, size_t n)
{
	if (sa->finished)
		return;
	/* the sender's role is fixed: a message that claims our own is a reflection or a mistake */
	if (!(h->flags & IKE_FLAG_INITIATOR) != sa->initiator) {
		sa->ctx->counters[SA_COUNTER_INVALID]++;
		return;
	}
	if (h->spi_i != sa->spi_i || (h->spi_r != sa->spi_r && !(sa->initiator && sa->spi_r == 0) &&
				      h->exchange != EXCHANGE_IKE_SA_INIT)) {
		sa->ctx->counters[SA_COUNTER_INVALID]++;
		return;
	}
	if (h->flags & IKE_FLAG_RESPONSE)
		receive_response(sa, h, local, remote, msg, n);
	else if (sa->state == IKE_STATE_CLOSED)
		receive_repeat(sa, h, local, remote, bytes_of(msg, n));
	else
		receive_request(sa, h, local, remote, msg, n);
	arena_reset(&sa->ctx->arena);
}
