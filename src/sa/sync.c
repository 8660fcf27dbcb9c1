/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/sync.h"

#include "sa/exchange.h"
#include "sa/seal.h"
#include "sa/task.h"

/* ---- IKE_AUTH ---- */

void sync_build(struct ike_sa *sa, struct builder *b)
{
	const struct sa_ctx *ctx = sa->ctx;

	if (sa->initiator) {
		sa->sync_ids = ctx->options.message_id_sync;
		sa->sync_replay = ctx->options.message_id_sync && ctx->kernel_ops->advance;
	}
	/* RFC 6311 5 MUST NOT: a responder asserts only what the initiator asserted (sync_take saw to that) */
	if (sa->sync_ids)
		builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_IKEV2_MESSAGE_ID_SYNC_SUPPORTED, BYTES_NONE);
	if (sa->sync_replay)
		builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_IPSEC_REPLAY_COUNTER_SYNC_SUPPORTED, BYTES_NONE);
}

void sync_take(struct ike_sa *sa, const struct payload_list *in)
{
	const struct sa_ctx *ctx = sa->ctx;
	bool can = sa->initiator ? sa->sync_ids : ctx->options.message_id_sync;
	bool can_replay = sa->initiator ? sa->sync_replay : ctx->options.message_id_sync && ctx->kernel_ops->advance;

	sa->sync_ids = can && payload_notify(in, NOTIFY_IKEV2_MESSAGE_ID_SYNC_SUPPORTED);
	sa->sync_replay = can_replay && payload_notify(in, NOTIFY_IPSEC_REPLAY_COUNTER_SYNC_SUPPORTED);
}

void sync_inherit(struct ike_sa *new_sa, const struct ike_sa *old)
{
	new_sa->sync_ids = old->sync_ids;
	new_sa->sync_replay = old->sync_replay;
	new_sa->sync_floor = 0;
}

/* ---- values ---- */

bool sync_parse(const struct payload_list *in, bool request, struct sync_values *ret)
{
	const struct payload_notify *n = NULL;
	struct sync_values v;
	unsigned replay = 0;
	struct reader r;

	/* RFC 6311 5.1 MUST NOT: any additional payload, but the delta in a request */
	for (size_t i = 0; i < in->count; i++) {
		const struct payload *p = &in->p[i];

		if (p->type == PAYLOAD_NOTIFY && p->notify.type == NOTIFY_IKEV2_MESSAGE_ID_SYNC && !n)
			n = &p->notify;
		else if (p->type != PAYLOAD_NOTIFY || p->notify.type != NOTIFY_IPSEC_REPLAY_COUNTER_SYNC || !request || replay++)
			return false;
	}
	if (!n)
		return false;
	r = reader_of(n->data);
	v.nonce = reader_u32(&r);
	v.send = reader_u32(&r);
	v.recv = reader_u32(&r);
	/* the last id is never used: after it nothing could follow (RFC 7296, 2.2) */
	if (!reader_done(&r) || v.send == UINT32_MAX || v.recv == UINT32_MAX)
		return false;
	*ret = v;
	return true;
}

void sync_put(struct builder *b, const struct sync_values *v)
{
	uint8_t data[12];
	struct writer w = writer_of(data, sizeof(data));

	writer_u32(&w, v->nonce);
	writer_u32(&w, v->send);
	writer_u32(&w, v->recv);
	builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_IKEV2_MESSAGE_ID_SYNC, writer_done(&w));
}

bool sync_accepts(const struct ike_sa *sa, const struct payload_list *in)
{
	struct sync_values v;

	if (!sync_parse(in, true, &v)) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_DETAIL, "dropped a message id sync that is malformed or has other payloads");
		return false;
	}
	if (v.send >= sa->in.next && v.send >= sa->sync_floor)
		return true;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_DETAIL,
	       "dropped a message id sync with M1 %u: requests up to %u and a sync below %u were seen", v.send,
	       sa->in.next, sa->sync_floor);
	return false;
}

/* ---- sequence numbers ---- */

size_t sync_delta_len(const struct ike_sa *sa)
{
	size_t n = 0;

	for (const struct child_sa *c = sa->children; c; c = c->next) {
		size_t of_child = c->suite.esn == ESN_YES ? 8 : 4;

		if (!c->handle)
			continue;
		if (n && n != of_child)
			return 0;
		n = of_child;
	}
	return n;
}

void sync_advance(struct ike_sa *sa, struct bytes delta)
{
	struct sa_ctx *ctx = sa->ctx;
	struct reader r = reader_of(delta);
	uint64_t v = delta.n == 8 ? reader_u64(&r) : reader_u32(&r);
	unsigned n = 0;

	if (!sa->sync_replay || !ctx->kernel_ops->advance || !reader_done(&r)) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "ignored IPSEC_REPLAY_COUNTER_SYNC from %s: %s",
		       addr_format_port(&sa->remote).s, sa->sync_replay ? "malformed" : "it was not negotiated");
		return;
	}
	for (const struct child_sa *c = sa->children; c; c = c->next) {
		if (!c->handle)
			continue;
		ctx->kernel_ops->advance(ctx->kernel, c->handle, v);
		n++;
	}
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "outbound sequence numbers of %u CHILD_SAs jump ahead by %llu, as the peer asks", n,
	       (unsigned long long)v);
}

/* ---- our own request that is under way ---- */

/* Inbound SPIs of CREATE_CHILD_SAs under way: the peer may have SAs for them that we will never hear of. */
static size_t sync_spis_asked(const struct ike_sa *sa, uint32_t *ret_spis, size_t max)
{
	size_t n = 0;

	for (const struct task *t = sa->active; t && n < max; t = t->next) {
		const struct child_sa *c = task_child_id(t) ? ike_sa_child(sa, task_child_id(t)) : NULL;

		if (c && c->spi_in && !c->handle)
			ret_spis[n++] = c->spi_in;
	}
	return n;
}

static void sync_send_again(struct ike_sa *sa)
{
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "request %u is sent again with message ID %u", sa->outstanding->message_id,
	       sa->out.next);
	if (!outstanding_renumber(sa))
		ike_sa_finish(sa, IKE_EVENT_FAILED, CAUSE_CRYPTO, "a request could not be encrypted again");
}

static void sync_refuse_outstanding(struct ike_sa *sa)
{
	struct payload notify = { .type = PAYLOAD_NOTIFY, .known = true, .notify = { .type = NOTIFY_TEMPORARY_FAILURE } };
	struct payload_list list = { .count = 1, .p = &notify };
	struct ike_header h = { .exchange = sa->outstanding->exchange, .message_id = sa->outstanding->message_id,
				.flags = IKE_FLAG_RESPONSE };
	uint32_t spis[4];
	size_t n = sync_spis_asked(sa, spis, ARRAY_LEN(spis));

	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "request %u will not be answered any more: it is asked again later",
	       h.message_id);
	for (size_t i = 0; i < n; i++)
		child_delete_spi(sa, spis[i]);
	exchange_response(sa, &h, &list);
	/* a task that does not end by it waits for the new node's answer */
	if (!sa->finished && sa->outstanding && sa->outstanding->message_id == h.message_id)
		sync_send_again(sa);
}

void sync_renew_outstanding(struct ike_sa *sa)
{
	struct outstanding *o = sa->outstanding;

	/* a sync of our own crosses with the peer's: both are answered (RFC 6311, appendix A.4) */
	if (!o || (o->message_id == 0 && exchange_is_sync(sa)))
		return;
	if (o->exchange == EXCHANGE_CREATE_CHILD_SA)
		sync_refuse_outstanding(sa);
	else
		sync_send_again(sa);
}

/* ---- from outside ---- */

static bool sync_is_queued(const struct task *t)
{
	for (; t; t = t->next)
		if (t->type == TASK_IKE_MID_SYNC)
			return true;
	return false;
}

bool ike_sa_sync(struct ike_sa *sa, uint64_t delta)
{
	if (sa->finished || sa->state != IKE_STATE_ESTABLISHED || sync_is_queued(sa->queued) || sync_is_queued(sa->active) ||
	    !(sa->sync_ids || (sa->sync_replay && delta)))
		return false;
	ike_sa_queue(sa, message_id_sync_new(sa, delta));
	ike_sa_run_queue(sa);
	return true;
}

void ike_sa_sync_ids(struct ike_sa *sa)
{
	(void)ike_sa_sync(sa, 0);
}
