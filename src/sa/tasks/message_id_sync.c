/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/sync.h"
#include "sa/tasks/tasks.h"

/*
 * RFC 6311, 5: as the node that took over, we ask with message id 0; as the peer of one, we answer. A request with only the
 * delta of sequence numbers is an ordinary one.
 */
struct task_message_id_sync {
	struct task task;
	struct sync_values sent; /* initiator; responder: what is answered */
	uint64_t delta;          /* initiator: by which the peer's sequence numbers are to jump, 0 none */
	bool ids;                /* responder: message ids, too */
};

static struct task_message_id_sync *sync_of(struct task *t)
{
	return (struct task_message_id_sync *)t;
}

struct task *message_id_sync_new(struct ike_sa *sa, uint64_t delta)
{
	struct task *t = task_new(sa, TASK_IKE_MID_SYNC);

	sync_of(t)->delta = delta;
	return t;
}

/* ---- initiator ---- */

static void sync_put_delta(struct ike_sa *sa, uint64_t delta, struct builder *b)
{
	size_t n = sync_delta_len(sa);
	uint8_t data[8];
	struct writer w = writer_of(data, sizeof(data));

	if (!delta || !sa->sync_replay)
		return;
	if (n == 8)
		writer_u64(&w, delta);
	else if (n == 4)
		writer_u32(&w, delta > UINT32_MAX ? UINT32_MAX : (uint32_t)delta);
	else
		return; /* RFC 6311, 6.4: with and without ESN together there is no delta for all */
	builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_IPSEC_REPLAY_COUNTER_SYNC, writer_done(&w));
}

static enum outcome sync_build_request(struct ike_sa *sa, struct task *t, struct builder *b)
{
	struct sync_values *v = &sync_of(t)->sent;

	if (sa->sync_ids) {
		crypto_random(sa->ctx->crypto, &v->nonce, sizeof(v->nonce));
		/* RFC 6311 5.1 MUST: above all that was used, also by an earlier sync; so it is used up from now on */
		if (UINT32_MAX - sa->out.next <= LIMIT_WINDOW)
			return OUTCOME_IKE_FATAL;
		sa->out.next += LIMIT_WINDOW;
		v->send = sa->out.next;
		v->recv = sa->in.next;
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "synchronizing message IDs: we send %u next and expect %u", v->send,
		       v->recv);
		sync_put(b, v);
	}
	sync_put_delta(sa, sync_of(t)->delta, b);
	return OUTCOME_DONE;
}

static enum outcome sync_process_response(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	const struct sync_values *sent = &sync_of(t)->sent;
	struct sync_values got;

	if (!sa->sync_ids)
		return OUTCOME_DONE;
	/* RFC 6311 5.1 MUST: silently dropped if the nonce is not the one that was sent, as any other answer with id 0 is a repeat */
	if (!sync_parse(in, false, &got) || got.nonce != sent->nonce) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_DETAIL, "dropped a response with message ID 0 that does not answer our sync");
		return OUTCOME_IGNORE;
	}
	/* its M2 and P2 are at least our M1 and P1 (RFC 6311, 5.1) */
	if (got.recv < sent->send || got.send < sent->recv) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "dropped the answer to our sync: it goes back from %u, %u to %u, %u",
		       sent->send, sent->recv, got.recv, got.send);
		return OUTCOME_IGNORE;
	}
	if (got.recv > sa->out.next)
		sa->out.next = got.recv;
	if (got.send > sa->in.next)
		sa->in.next = got.send;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "message IDs are synchronized: we send %u next and expect %u", sa->out.next,
	       sa->in.next);
	return OUTCOME_DONE;
}

/* ---- responder; receive.c has asked sync_accepts ---- */

static enum outcome sync_process_request(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	const struct payload_notify *replay = payload_notify(in, NOTIFY_IPSEC_REPLAY_COUNTER_SYNC);
	struct sync_values got, *v = &sync_of(t)->sent;

	if (sa->incoming->message_id == 0 && sa->sync_ids && sync_parse(in, true, &got)) {
		sync_of(t)->ids = true;
		sa->sync_floor = got.send + 1;
		if (got.send > sa->in.next)
			sa->in.next = got.send;
		if (got.recv > sa->out.next)
			sa->out.next = got.recv;
		v->nonce = got.nonce;
		v->send = sa->out.next;
		v->recv = sa->in.next;
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the peer synchronizes message IDs: we send %u next and expect %u",
		       v->send, v->recv);
	}
	if (replay)
		sync_advance(sa, replay->data);
	return OUTCOME_DONE;
}

static enum outcome sync_build_response(struct ike_sa *sa, struct task *t, struct builder *b)
{
	if (sync_of(t)->ids)
		sync_put(b, &sync_of(t)->sent);
	return OUTCOME_DONE;
}

static void sync_after(struct ike_sa *sa, struct task *t)
{
	/* the answer is on its way: what was asked under the old ids can go after it */
	if (sync_of(t)->ids)
		sync_renew_outstanding(sa);
}

const struct task_ops task_message_id_sync = {
	.size = sizeof(struct task_message_id_sync),
	.exchange = EXCHANGE_INFORMATIONAL,
	.build_request = sync_build_request,
	.process_response = sync_process_response,
	.process_request = sync_process_request,
	.build_response = sync_build_response,
	.after = sync_after,
};
