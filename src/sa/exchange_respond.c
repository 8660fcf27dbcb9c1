/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sa/exchange_parts.h"
#include "sa/fragment.h"
#include "sa/successor.h"
#include "sa/sync.h"
/* The engine's other half: requests of the peer, the tasks that answer them, the answer. */

static void exchange_send_reply(struct ike_sa *sa, const struct ike_header *h, struct bytes msg, struct buf *desc)
{
	struct incoming *i = sa->incoming;

	if (!msg.n) {
		LOG_SA(&sa->log, ENC, LOG_LEVEL_AUDIT, "a response to %s could not be built", exchange_name(h->exchange));
		buf_free(desc);
		return;
	}
	exchange_log_built(sa, h, desc);
	exchange_count_out(sa, h->exchange, true);
	window_in_store(&sa->in, i->message_id, i->hash, msg);
	fragment_send(sa, &i->local, &i->remote, msg, exchange_log_level(sa));
}

static void exchange_incoming_done(struct ike_sa *sa)
{
	free(sa->incoming);
	sa->incoming = NULL;
}

void exchange_reply_notify(struct ike_sa *sa, const struct ike_header *h, unsigned notify, struct bytes data)
{
	struct ike_header reply = exchange_header(sa, h->exchange, h->message_id, true);
	struct buf desc = { 0 };
	struct builder b = exchange_begin(sa, &reply, &desc);

	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, notify, data);
	exchange_send_reply(sa, &reply, exchange_end(sa, &reply, &b), &desc);
	exchange_incoming_done(sa);
}

static void exchange_reply_empty(struct ike_sa *sa, const struct ike_header *h)
{
	struct ike_header reply = exchange_header(sa, h->exchange, h->message_id, true);
	struct buf desc = { 0 };
	struct builder b = exchange_begin(sa, &reply, &desc);

	exchange_send_reply(sa, &reply, exchange_end(sa, &reply, &b), &desc);
}

/* IKE_FATAL as responder: the peer is told, the answer is kept for its repeats, the SA is over. */
static void exchange_refuse(struct ike_sa *sa)
{
	uint8_t data[2] = { (uint8_t)(sa->fatal_data >> 8), (uint8_t)sa->fatal_data };
	struct ike_header h = { .exchange = sa->incoming->exchange, .message_id = sa->incoming->message_id };
	bool init = h.exchange == EXCHANGE_IKE_SA_INIT;

	if (sa->fatal_notify)
		exchange_reply_notify(sa, &h, sa->fatal_notify, bytes_of(data, sa->fatal_data ? 2 : 0));
	else
		exchange_reply_empty(sa, &h); /* the peer told us of the end */
	exchange_incoming_done(sa);
	/* an IKE_SA_INIT that is refused leaves no state (RFC 7296, 2.21.1) */
	if (init) {
		ike_sa_finish(sa, IKE_EVENT_FAILED, sa->cause, sa->why);
		return;
	}
	if (sa->cause == CAUSE_NONE)
		sa->cause = CAUSE_POLICY;
	if (sa->why)
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "IKE_SA %s[%u] with %s ends: %s", sa->log.name, sa->log.id,
		       addr_format_port(&sa->remote).s, sa->why);
	ike_sa_close(sa);
}

static void exchange_build_response(struct ike_sa *sa)
{
	struct ike_header h = exchange_header(sa, sa->incoming->exchange, sa->incoming->message_id, true);
	struct buf desc = { 0 };
	struct builder b = exchange_begin(sa, &h, &desc);
	struct bytes msg;

	for (struct task *t = sa->passive; t; t = t->next) {
		enum outcome o;

		if (t->held)
			continue;
		o = t->ops->build_response(sa, t, &b);
		if (o == OUTCOME_IKE_FATAL) {
			buf_free(&desc);
			exchange_refuse(sa);
			return;
		}
		if (o != OUTCOME_MORE)
			exchange_task_ended(sa, t, o);
	}
	msg = exchange_end(sa, &h, &b);
	if (h.exchange == EXCHANGE_IKE_SA_INIT && msg.n) {
		buf_reset(&sa->setup->init_response);
		buf_add_bytes(&sa->setup->init_response, msg);
	}
	exchange_send_reply(sa, &h, msg, &desc);
	exchange_incoming_done(sa);
	exchange_settle(sa);
	exchange_clean(sa, &sa->passive);
	if (!sa->finished && sa->state != IKE_STATE_CLOSED)
		ike_sa_run_queue(sa);
}

static void exchange_add_passive(struct ike_sa *sa, struct task *t)
{
	struct task **at = &sa->passive;

	while (*at)
		at = &(*at)->next;
	*at = t;
}

/* RFC 7296, 1.3.2: an SA payload for IKE and no selectors. */
static bool exchange_rekeys_ike(const struct payload_list *in)
{
	const struct payload *psa = payload_find(in, PAYLOAD_SA, NULL);

	return psa && !payload_find(in, PAYLOAD_TSI, NULL) && (!psa->sa.count || psa->sa.p[0].protocol == PROTOCOL_IKE);
}

/* The tasks that answer a request, by exchange and payloads. */
static void exchange_make_passive(struct ike_sa *sa, const struct ike_header *h, const struct payload_list *in)
{
	const struct payload *d = NULL;
	bool mobike_all;

	switch (h->exchange) {
	case EXCHANGE_IKE_SA_INIT:
		exchange_add_passive(sa, task_new(sa, TASK_IKE_INIT));
		break;
	case EXCHANGE_IKE_AUTH:
		if (sa->passive)
			break; /* it goes on (RFC 7296, 2.16; RFC 4739): the first request said what for */
		exchange_add_passive(sa, task_new(sa, TASK_IKE_AUTH));
		if (payload_find(in, PAYLOAD_SA, NULL))
			exchange_add_passive(sa, task_new(sa, TASK_CHILD_CREATE));
		break;
	case EXCHANGE_CREATE_CHILD_SA:
		exchange_add_passive(sa, task_new(sa, exchange_rekeys_ike(in)			  ? TASK_IKE_REKEY :
					      payload_notify(in, NOTIFY_REKEY_SA) ? TASK_CHILD_REKEY :
										    TASK_CHILD_CREATE));
		break;
	case EXCHANGE_INFORMATIONAL:
		/* RFC 7296, 3.11: one payload per protocol; with the IKE_SA its children go */
		while ((d = payload_find(in, PAYLOAD_DELETE, d)) && d->del.protocol != PROTOCOL_IKE)
			;
		if (d)
			exchange_add_passive(sa, task_new(sa, TASK_IKE_DELETE));
		else if (payload_find(in, PAYLOAD_DELETE, NULL))
			exchange_add_passive(sa, task_new(sa, TASK_CHILD_DELETE));
		else if (payload_notify(in, NOTIFY_AUTH_LIFETIME))
			exchange_add_passive(sa, task_new(sa, TASK_IKE_AUTH_LIFETIME));
		else if (h->message_id == 0 && sa->sync_ids && sync_is_request(in))
			exchange_add_passive(sa, task_new(sa, TASK_IKE_MID_SYNC));
		else if (payload_notify(in, NOTIFY_IPSEC_REPLAY_COUNTER_SYNC) && !sync_is_request(in))
			exchange_add_passive(sa, task_new(sa, TASK_IKE_MID_SYNC));
		else if (!mobike_concerns(sa, in, &mobike_all) || !mobike_all)
			exchange_add_passive(sa, task_new(sa, TASK_IKE_DPD));
		/* RFC 4555 4.2.5 MUST: COOKIE2 is answered in any INFORMATIONAL exchange */
		if (mobike_concerns(sa, in, &mobike_all))
			exchange_add_passive(sa, task_new(sa, TASK_IKE_MOBIKE));
		break;
	default:
		break;
	}
}

/* The tasks from t on read the request, as far as none of them has to wait or wants another one; then it is answered. */
static void exchange_read_request(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	for (bool stop = false; t && !stop; t = t->next) {
		enum outcome o;

		t->held = false;
		o = t->ops->process_request(sa, t, in);
		if (sa->finished)
			return;
		if (o == OUTCOME_IKE_FATAL) {
			exchange_refuse(sa);
			return;
		}
		t->waiting = o == OUTCOME_WAIT;
		stop = t->waiting || o == OUTCOME_MORE;
		if (stop)
			exchange_hold(sa, t, in);
		else
			in = exchange_message(sa, in); /* the rest was asked in the first one */
	}
	sa->parked_request = exchange_waiting(sa->passive);
	if (sa->parked_request)
		exchange_parked(sa);
	else
		exchange_build_response(sa);
}

void exchange_request(struct ike_sa *sa, const struct ike_header *h, const struct payload_list *in)
{
	successor_heard(sa, in);
	if (h->exchange == EXCHANGE_CREATE_CHILD_SA)
		ike_sa_refresh_conn(sa);
	exchange_make_passive(sa, h, in);
	exchange_read_request(sa, sa->passive, in);
}

void exchange_passive_goes_on(struct ike_sa *sa, struct task *t, enum outcome o)
{
	if (sa->finished)
		return;
	t->waiting = o == OUTCOME_WAIT;
	sa->parked_request = false;
	if (o == OUTCOME_IKE_FATAL)
		exchange_refuse(sa);
	else if (o == OUTCOME_WAIT || o == OUTCOME_MORE)
		exchange_read_request(sa, NULL, NULL);
	else
		exchange_read_request(sa, t->next, exchange_message(sa, NULL));
}
