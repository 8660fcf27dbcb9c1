/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sa/exchange.h"
#include "sa/fragment.h"
#include "sa/mobike.h"
#include "sa/stream.h"

/* Retransmits after which the path is suspected, and others are tried. */
#define OUTSTANDING_OTHER_PATHS 2
/* After which large messages are suspected, and smaller ones are tried (RFC 7383, 2.5.2: a few within some seconds). */
#define OUTSTANDING_SMALLER 1

/* n-th wait of a request in ms: timeout * base^n, capped, less a random part (RFC 7296, 2.4). */
static uint64_t outstanding_wait(struct ike_sa *sa, unsigned n)
{
	const struct sa_options *o = &sa->ctx->options;
	double ms = o->retransmit_timeout * 1000.0;
	uint32_t random;

	for (unsigned i = 0; i < n && ms < 1e9; i++)
		ms *= o->retransmit_base;
	if (o->retransmit_limit && ms > o->retransmit_limit * 1000.0)
		ms = o->retransmit_limit * 1000.0;
	if (o->retransmit_jitter) {
		crypto_random(sa->ctx->crypto, &random, sizeof(random));
		ms -= ms * o->retransmit_jitter / 100.0 * ((double)random / UINT32_MAX);
	}
	return ms < 1 ? 1 : (uint64_t)ms;
}

/* A request that routers had to fragment may never have arrived; said so, because it is hard to find out. */
static void outstanding_hint_size(struct ike_sa *sa)
{
	struct outstanding *o = sa->outstanding;
	struct bytes rest = buf_bytes(&o->data), one;

	if (o->exchange == EXCHANGE_IKE_SA_INIT || !fragment_next(&rest, &one) || rest.n ||
	    one.n < fragment_size(sa, &sa->remote))
		return;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
	       "the request has %zu bytes and was not sent in IKE fragments (%s): the path may drop IP fragments", one.n,
	       sa->fragmentation ? "fragmentation = accept" :
	       sa->conn->fragmentation == FRAGMENTATION_NO ? "fragmentation = no" : "the peer does not support them");
}

/* All retransmits are over. */
static void outstanding_silent(struct ike_sa *sa)
{
	struct outstanding *o = sa->outstanding;

	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "giving up after %u retransmits: %s gave no %sanswer to %s %u",
	       sa->ctx->options.retransmit_tries, addr_format_port(&sa->remote).s,
	       sa->setup && sa->setup->error_notify ? "acceptable " : "", exchange_name(o->exchange), o->message_id);
	outstanding_hint_size(sa);
	if (sa->state == IKE_STATE_CONNECTING && sa->initiator &&
	    (sa->conn->keyingtries == 0 || sa->setup->attempt < sa->conn->keyingtries)) {
		stream_forget(sa);
		ike_sa_restart(sa);
		return;
	}
	/* what was not obeyed, because anyone could have sent it, is the reason all the same */
	if (sa->setup && sa->setup->error_notify == NOTIFY_NO_PROPOSAL_CHOSEN)
		ike_sa_finish(sa, IKE_EVENT_SILENT, CAUSE_PROPOSAL,
			      "the peer accepts none of our IKE proposals (NO_PROPOSAL_CHOSEN)");
	else if (sa->setup && sa->setup->error_notify)
		ike_sa_finish(sa, IKE_EVENT_SILENT, CAUSE_PEER_ERROR, "the peer refused the IKE_SA_INIT request");
	else
		ike_sa_finish(sa, IKE_EVENT_SILENT, CAUSE_PEER_SILENT, "the peer does not answer");
}

static void outstanding_timer(struct timer *t)
{
	struct outstanding *o = container_of(t, struct outstanding, timer);
	struct ike_sa *sa = o->sa;

	if (mobike_waits(sa)) {
		timer_start(sa->ctx->wheel, &o->timer, sa_now(sa->ctx) + outstanding_wait(sa, o->tries), outstanding_timer);
		return;
	}
	if (stream_falls_back(sa))
		return;
	if (o->tries >= OUTSTANDING_SMALLER && o->exchange != EXCHANGE_IKE_SA_INIT && fragment_smaller(sa, &o->data)) {
		o->tries = 0; /* RFC 7383 2.5.2 MUST: the timers start over */
		o->cuts++;
	} else if (o->tries < sa->ctx->options.retransmit_tries) {
		o->tries++;
	} else if (!mobike_is_patient(sa)) {
		outstanding_silent(sa);
		return;
	}
	/* RFC 9329 6.2 SHOULD NOT: TCP repeats, and a new connection gets it again (sa/stream.h); only the time runs */
	if (!sa->remote.stream) {
		sa->ctx->counters[SA_COUNTER_RETRANSMIT]++;
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "retransmit %u of request with message ID %u", o->tries + o->cuts,
		       o->message_id);
		fragment_send(sa, &sa->local, &sa->remote, buf_bytes(&o->data), LOG_LEVEL_CONTROL);
		if (sa->mobike && o->tries + o->cuts >= OUTSTANDING_OTHER_PATHS)
			mobike_try_paths(sa);
	}
	timer_start(sa->ctx->wheel, &o->timer, sa_now(sa->ctx) + outstanding_wait(sa, o->tries), outstanding_timer);
}

void outstanding_restart(struct ike_sa *sa)
{
	struct outstanding *o = sa->outstanding;

	o->tries = 0;
	o->probed = false;
	o->since_ms = sa_now(sa->ctx);
	fragment_send(sa, &sa->local, &sa->remote, buf_bytes(&o->data), LOG_LEVEL_CONTROL);
	timer_start(sa->ctx->wheel, &o->timer, sa_now(sa->ctx) + outstanding_wait(sa, 0), outstanding_timer);
}

void outstanding_send(struct ike_sa *sa, unsigned exchange, uint32_t message_id, struct bytes msg)
{
	struct outstanding *o = xcalloc(1, sizeof(*o));

	o->sa = sa;
	o->exchange = (uint8_t)exchange;
	o->message_id = message_id;
	o->since_ms = sa_now(sa->ctx);
	buf_add_bytes(&o->data, msg);
	sa->outstanding = o;
	fragment_send(sa, &sa->local, &sa->remote, msg, exchange_log_level(sa));
	timer_start(sa->ctx->wheel, &o->timer, sa_now(sa->ctx) + outstanding_wait(sa, 0), outstanding_timer);
}

void outstanding_nudge(struct ike_sa *sa)
{
	fragment_send(sa, &sa->local, &sa->remote, buf_bytes(&sa->outstanding->data), LOG_LEVEL_CONTROL);
}

bool outstanding_renumber(struct ike_sa *sa)
{
	struct outstanding *o = sa->outstanding;
	struct bytes rest = buf_bytes(&o->data), one;

	while (fragment_next(&rest, &one))
		if (!seal_renumber(sa, o->data.p + (one.p - o->data.p), one.n, sa->out.next))
			return false;
	fragment_forget(sa, true);
	o->message_id = sa->out.next++;
	o->tries = 0;
	fragment_send(sa, &sa->local, &sa->remote, buf_bytes(&o->data), LOG_LEVEL_CONTROL);
	timer_start(sa->ctx->wheel, &o->timer, sa_now(sa->ctx) + outstanding_wait(sa, 0), outstanding_timer);
	return true;
}

void outstanding_free(struct ike_sa *sa)
{
	struct outstanding *o = sa->outstanding;

	if (!o)
		return;
	sa->outstanding = NULL;
	fragment_forget(sa, true);
	timer_stop(sa->ctx->wheel, &o->timer);
	buf_free(&o->data);
	free(o);
}
