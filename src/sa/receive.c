/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sa/exchange.h"
#include "sa/fragment.h"
#include "sa/hint.h"
#include "sa/init_variant.h"
#include "sa/mobike.h"
#include "sa/nat.h"
#include "sa/stream.h"
#include "sa/sync.h"

/* Where a packet came from and to, for the log. */
struct receive_path {
	const struct addr *local, *remote;
	size_t n;
};

/* Counters of a kind of message: four per exchange, in the order of enum sa_counter. */
static void receive_count(struct ike_sa *sa, unsigned exchange, bool response, bool out)
{
	if (exchange >= EXCHANGE_IKE_SA_INIT && exchange <= EXCHANGE_INFORMATIONAL)
		ike_sa_count(sa, (exchange - EXCHANGE_IKE_SA_INIT) * 4 + (out ? 2 : 0) + (response ? 1 : 0));
}

static void receive_log_parsed(struct ike_sa *sa, const struct ike_header *h, const struct payload_list *in,
			       const struct receive_path *path)
{
	/* probes come all the time: they are details */
	bool probe = h->flags & IKE_FLAG_RESPONSE ? exchange_is_probe(sa) :
						    h->exchange == EXCHANGE_INFORMATIONAL &&
							    (in->count == 0 || sync_may_be(sa, h));
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
	ike_sa_count(sa, SA_COUNTER_INVALID);
	LOG_SA(&sa->log, ENC, LOG_LEVEL_CONTROL, "invalid %s %s %u from %s: %s%s%s", exchange_name(h->exchange),
	       h->flags & IKE_FLAG_RESPONSE ? "response" : "request", h->message_id,
	       addr_format_port(&sa->remote).s, r.why, err.payload ? " in payload " : "",
	       err.payload ? payload_name(err.payload) : "");
	*ret_notify = NOTIFY_INVALID_SYNTAX;
	return false;
}

/* A message that passed its check, in one piece. */
struct receive_opened {
	struct bytes body;
	uint8_t first;
	uint64_t hash;      /* by which its repeats are known */
	uint16_t fragment;  /* bytes of the largest fragment it came in; 0: it came whole */
	size_t n;           /* bytes as they came */
};

/* Nothing has changed by this message. Anybody can send it: the log is spared. */
static void receive_dropped(struct ike_sa *sa, const struct ike_header *h, struct result r)
{
	ike_sa_count(sa, r.code == RESULT_AUTH ? SA_COUNTER_AUTH_FAILED : SA_COUNTER_INVALID);
	if (ratelimit_take(&sa->ctx->noise, sa_now(sa->ctx)))
		LOG_SA(&sa->log, ENC, LOG_LEVEL_CONTROL, "dropped %s %s %u from %s: %s", exchange_name(h->exchange),
		       h->flags & IKE_FLAG_RESPONSE ? "response" : "request", h->message_id,
		       addr_format_port(&sa->remote).s, r.why);
}

/* RFC 7383, 5: a peer that sends more than a message can have. Whoever is not authenticated yet goes; else only what came goes. */
static void receive_too_much(struct ike_sa *sa, const struct ike_header *h)
{
	bool response = h->flags & IKE_FLAG_RESPONSE;

	ike_sa_count(sa, SA_COUNTER_INVALID);
	LOG_SA(&sa->log, ENC, LOG_LEVEL_CONTROL, "dropped the fragments of %s %s %u from %s: larger than %u bytes or more than %u",
	       exchange_name(h->exchange), response ? "response" : "request", h->message_id,
	       addr_format_port(&sa->remote).s, LIMIT_MESSAGE, LIMIT_FRAGMENTS);
	if (response || sa->state == IKE_STATE_CONNECTING)
		ike_sa_finish(sa, IKE_EVENT_FAILED, CAUSE_SYNTAX, "the peer's message is larger than we take");
}

static bool receive_fragment(struct ike_sa *sa, const struct ike_header *h, const struct seal_place *place, uint8_t *msg, size_t n,
			     struct receive_opened *ret)
{
	struct fragment_whole whole;
	struct result why;

	switch (fragment_take(sa, h, place, msg, n, &whole, &why)) {
	case FRAGMENT_DROPPED:
		if (result_is_ok(why))
			sa->ctx->counters[SA_COUNTER_STALE]++;
		else
			receive_dropped(sa, h, why);
		return false;
	case FRAGMENT_TOO_MUCH:
		receive_too_much(sa, h);
		return false;
	case FRAGMENT_KEPT:
		sa->last_in_ms = sa_now(sa->ctx);
		LOG_SA(&sa->log, ENC, LOG_LEVEL_DETAIL, "received fragment %u of %u of %s %u", place->fragment.number,
		       place->fragment.total, exchange_name(h->exchange), h->message_id);
		return false;
	case FRAGMENT_WHOLE:
		LOG_SA(&sa->log, ENC, LOG_LEVEL_CONTROL, "received fragment %u of %u, reassembled an IKE message of %zu bytes",
		       place->fragment.number, place->fragment.total, whole.inner.n);
		*ret = (struct receive_opened){ whole.inner, whole.first, whole.hash, whole.largest, whole.n };
		return true;
	}
	return false;
}

/* Opens a protected message; false: there is none (yet), and nothing but fragments has changed. */
static bool receive_open(struct ike_sa *sa, const struct ike_header *h, uint8_t *msg, size_t n, struct receive_opened *ret)
{
	struct seal_place place;
	struct result r;

	*ret = (struct receive_opened){ .hash = hash_bytes(&sa->ctx->hash, bytes_of(msg, n)), .n = n };
	if (h->exchange == EXCHANGE_IKE_SA_INIT) {
		ret->body = bytes_of(msg + IKE_HEADER_LEN, n - IKE_HEADER_LEN);
		ret->first = h->next;
		return true;
	}
	if (!seal_find(bytes_of(msg, n), &place)) {
		receive_dropped(sa, h, result_fail(RESULT_INVALID, "no Encrypted payload at the end of the message"));
		return false;
	}
	if (place.fragment.total)
		return receive_fragment(sa, h, &place, msg, n, ret);
	ret->first = place.first;
	r = seal_open_at(sa, msg, n, &place, &ret->body);
	if (!result_is_ok(r))
		receive_dropped(sa, h, r);
	return result_is_ok(r);
}

/*
 * Whether a request that has been answered is asked again, in another form: RFC 7383, 2.5.2 and 2.4: cut into smaller fragments,
 * or cut at all, because our answer did not arrive. Only the first fragment counts, and it must be true.
 */
static bool receive_asked_again(struct ike_sa *sa, const struct stored_reply *reply, uint8_t *msg, size_t n)
{
	struct seal_place place;
	struct bytes inner;

	if (reply->request_hash == hash_bytes(&sa->ctx->hash, bytes_of(msg, n)))
		return true;
	return seal_find(bytes_of(msg, n), &place) && place.fragment.number == 1 &&
	       result_is_ok(seal_open_at(sa, msg, n, &place, &inner));
}

/*
 * RFC 7383, 2.5.1: who asks again in smaller fragments has found that larger ones do not pass: neither will those of our answer. The
 * request was verified, and a first fragment is as large as any.
 */
static void receive_fit_reply(struct ike_sa *sa, const struct ike_header *h, const struct addr *local, const struct addr *remote,
			      const uint8_t *msg, size_t n)
{
	struct buf *data = window_in_data(&sa->in, h->message_id);
	size_t size = n + fragment_headers(sa, local, remote);
	struct seal_place place;

	if (h->exchange == EXCHANGE_IKE_SA_INIT || !seal_find(bytes_of(msg, n), &place) || place.fragment.total < 2)
		return;
	(void)fragment_again(sa, local, remote, data, size < LIMIT_FRAGMENT_SIZE_MIN ? LIMIT_FRAGMENT_SIZE_MIN : size);
}

/* A repeat is known by its bytes, so that a forged one earns nothing and a true one costs no decryption. */
static void receive_repeat(struct ike_sa *sa, const struct ike_header *h, const struct addr *local,
			   const struct addr *remote, uint8_t *msg, size_t n)
{
	const struct stored_reply *reply = window_in_reply(&sa->in, h->message_id);

	if (!reply || (!receive_asked_again(sa, reply, msg, n) &&
		       !(h->exchange == EXCHANGE_IKE_SA_INIT && init_variant_is(sa, bytes_of(msg, n))))) {
		sa->ctx->counters[SA_COUNTER_STALE]++;
		return;
	}
	sa->ctx->counters[SA_COUNTER_REPEAT]++;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "received retransmit of request with ID %u, retransmitting response",
	       h->message_id);
	receive_fit_reply(sa, h, local, remote, msg, n);
	fragment_send(sa, local, remote, buf_bytes(&reply->data), LOG_LEVEL_DETAIL);
}

/*
 * RFC 6311, 5.1: a synchronization has id 0 whatever the window says. Whether it is one shows when it is opened; until then the
 * id is taken for new, unless it repeats the one that was answered.
 */
static enum window_verdict receive_verdict(const struct ike_sa *sa, const struct ike_header *h, struct bytes msg)
{
	const struct stored_reply *reply;

	if (!sync_may_be(sa, h))
		return window_in_check(&sa->in, h->message_id);
	reply = window_in_reply(&sa->in, 0);
	return reply && reply->request_hash == hash_bytes(&sa->ctx->hash, msg) ? WINDOW_REPEAT : WINDOW_NEW;
}

/* Of a verified message: it may move the window, or set it. */
static bool receive_in_order(struct ike_sa *sa, const struct ike_header *h, const struct payload_list *in, bool sync)
{
	if (sync ? sync_accepts(sa, in) : window_in_check(&sa->in, h->message_id) == WINDOW_NEW)
		return true;
	sa->ctx->counters[SA_COUNTER_STALE]++;
	return false;
}

/* RFC 7296, 2.3: a request ahead of the window is not answered; if it is the peer's own, it may be told of it. */
static void receive_future(struct ike_sa *sa, const struct ike_header *h, uint8_t *msg, size_t n)
{
	struct seal_place place;
	struct bytes inner;

	if (hint_may_tell(sa) && seal_find(bytes_of(msg, n), &place) && result_is_ok(seal_open_at(sa, msg, n, &place, &inner)))
		hint_tell_message_id(sa, h->message_id);
}

/* Whether a request can be one now. What has no place in an SA that is up is refused, but only when its check is passed. */
static bool receive_in_time(const struct ike_sa *sa, const struct ike_header *h)
{
	bool setup = h->exchange == EXCHANGE_IKE_SA_INIT || h->exchange == EXCHANGE_IKE_AUTH;

	/* both are only ever asked by the initiator, and an IKE_SA_INIT request makes an SA, it finds none */
	if (setup && sa->initiator)
		return false;
	/* RFC 7296 2.21.3 MUST: once there is an IKE_SA all requests having errors are answered */
	return exchange_allowed(sa->state, h->exchange, true) ||
	       (!setup && exchange_allowed(sa->state, EXCHANGE_INFORMATIONAL, true));
}

static void receive_request(struct ike_sa *sa, const struct ike_header *h, const struct addr *local,
			    const struct addr *remote, uint8_t *msg, size_t n)
{
	struct receive_path path = { local, remote, n };
	struct sa_ctx *ctx = sa->ctx;
	struct receive_opened opened;
	struct payload_list in;
	uint8_t critical;
	unsigned notify;
	bool parsed, sync;

	switch (receive_verdict(sa, h, bytes_of(msg, n))) {
	case WINDOW_NEW:
		break;
	case WINDOW_REPEAT:
		receive_repeat(sa, h, local, remote, msg, n);
		return;
	case WINDOW_FUTURE:
		receive_future(sa, h, msg, n);
		/* fall through */
	case WINDOW_STALE:
		ctx->counters[SA_COUNTER_STALE]++;
		LOG_SA(&sa->log, IKE, LOG_LEVEL_DETAIL, "dropped request with ID %u, expected %u", h->message_id,
		       sa->in.next);
		return;
	}
	if (sa->incoming || !receive_in_time(sa, h)) {
		ctx->counters[SA_COUNTER_STALE]++;
		if (ratelimit_take(&ctx->noise, sa_now(ctx)))
			LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "dropped %s request in state %s",
			       exchange_name(h->exchange), ike_state_name(sa->state));
		return;
	}
	if (!receive_open(sa, h, msg, n, &opened))
		return;
	path.n = opened.n;
	parsed = receive_parse(sa, h, opened.body, opened.first, &path, &in, &notify, &critical);
	if (parsed && !exchange_allowed(sa->state, h->exchange, true)) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "%s asks for %s, which nobody announced",
		       addr_format_port(remote).s, exchange_name(h->exchange));
		parsed = false;
		notify = NOTIFY_INVALID_SYNTAX;
	}
	sync = parsed && sync_may_be(sa, h) && sync_is_request(&in);
	if (!receive_in_order(sa, h, &in, sync))
		return;

	/* from here on the message is the peer's own (an IKE_SA_INIT creates the SA): state may move */
	receive_count(sa, h->exchange, false, false);
	sa->last_in_ms = sa_now(ctx);
	if (!sync)
		window_in_accept(&sa->in, h->message_id);
	fragment_forget(sa, false); /* it may have come whole after all */
	sa->incoming = xcalloc(1, sizeof(*sa->incoming));
	*sa->incoming = (struct incoming){ .local = *local, .remote = *remote, .hash = opened.hash,
					   .message_id = h->message_id, .fragment = opened.fragment,
					   .exchange = h->exchange };
	if (sa->state == IKE_STATE_CONNECTING) {
		/* RFC 7296, 2.23: the peer may have moved to the NAT-T port */
		bool counted = sa->half_open && !addr_equal_ip(&sa->remote, remote);

		if (counted)
			ctx->ops->half_open(ctx->host, sa, false);
		sa->local = *local;
		sa->remote = *remote;
		stream_hold(sa);
		if (counted)
			ctx->ops->half_open(ctx->host, sa, true);
	} else {
		nat_follow(sa, local, remote);
	}
	if (h->exchange == EXCHANGE_IKE_SA_INIT) {
		buf_reset(&sa->setup->init_request);
		buf_add(&sa->setup->init_request, msg, n);
	}
	if (stream_follow(sa, local, remote) && sa->outstanding)
		outstanding_nudge(sa); /* RFC 9329 6.2 MUST */
	if (parsed) {
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
	struct receive_opened opened;
	struct payload_list in;
	uint8_t critical;
	unsigned notify;

	if (hint_is_unprotected(sa, h)) {
		hint_receive(sa, h, remote, bytes_of(msg + IKE_HEADER_LEN, n - IKE_HEADER_LEN));
		return;
	}
	if (!o || o->message_id != h->message_id || o->exchange != h->exchange || sa->park) {
		ctx->counters[SA_COUNTER_STALE]++;
		return;
	}
	if (!receive_open(sa, h, msg, n, &opened))
		return;
	path.n = opened.n;
	receive_count(sa, h->exchange, true, false);
	if (!receive_parse(sa, h, opened.body, opened.first, &path, &in, &notify, &critical)) {
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
		nat_follow(sa, local, remote);
		if (o->probed)
			mobike_answered(sa, local, remote);
		stream_follow(sa, local, remote);
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
		ike_sa_count(sa, SA_COUNTER_INVALID);
		return;
	}
	if (h->spi_i != sa->spi_i || (h->spi_r != sa->spi_r && !(sa->initiator && sa->spi_r == 0) &&
				      h->exchange != EXCHANGE_IKE_SA_INIT)) {
		ike_sa_count(sa, SA_COUNTER_INVALID);
		return;
	}
	if (h->flags & IKE_FLAG_RESPONSE)
		receive_response(sa, h, local, remote, msg, n);
	else if (sa->state == IKE_STATE_CLOSED)
		receive_repeat(sa, h, local, remote, msg, n);
	else
		receive_request(sa, h, local, remote, msg, n);
	arena_reset(&sa->ctx->arena);
}
