/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/hint.h"

#include "sa/exchange.h"
#include "sa/qcd.h"
#include "sa/task.h"

/* The peer may not be ready yet for what was set up just now. */
#define HINT_CHILD_YOUNG_MS 5000

static bool hint_in_use(const struct ike_sa *sa)
{
	switch ((enum ike_state)sa->state) {
	case IKE_STATE_ESTABLISHED:
	case IKE_STATE_REKEYING:
	case IKE_STATE_REKEYED:
	case IKE_STATE_DELETING:
		return true;
	case IKE_STATE_CREATED:
	case IKE_STATE_CONNECTING:
	case IKE_STATE_CLOSED:
	case IKE_STATE_PASSIVE:
	case IKE_STATE_DESTROYING:
	case IKE_STATES:
		return false;
	}
	return false;
}

bool hint_is_unprotected(const struct ike_sa *sa, const struct ike_header *h)
{
	return hint_in_use(sa) && h->exchange != EXCHANGE_IKE_SA_INIT && h->next != PAYLOAD_SK && h->next != PAYLOAD_SKF;
}

/* ---- SPIs that nobody here knows ---- */

struct bytes hint_unknown(struct sa_ctx *ctx, const struct ike_header *h, uint8_t *out, size_t size)
{
	const struct sa_options *o = &ctx->options;
	bool initiator = !(h->flags & IKE_FLAG_INITIATOR); /* of us */
	uint64_t own = initiator ? h->spi_i : h->spi_r;
	struct builder b = builder_of(out, size);
	struct ike_header reply = *h;
	uint8_t token[QCD_TOKEN_LEN];

	reply.version = IKE_VERSION;
	reply.flags = (uint8_t)((initiator ? IKE_FLAG_INITIATOR : 0) | IKE_FLAG_RESPONSE);
	builder_header(&b, &reply);
	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_INVALID_IKE_SPI, BYTES_NONE);
	/* RFC 6290 9.2 MUST NOT: what another node of a cluster has is not ours to give up */
	for (unsigned i = 0; o->qcd && own >> 56 == o->segment && i < o->qcd_secrets.count; i++)
		if (qcd_token(ctx->crypto, &o->qcd_secrets, i, initiator, h->spi_i, h->spi_r, token))
			builder_notify(&b, PROTOCOL_IKE, BYTES_NONE, NOTIFY_QUICK_CRASH_DETECTION,
				       bytes_of(token, sizeof(token)));
	return builder_finish(&b);
}

/* ---- unprotected ---- */

/* RFC 7296 2.21.4 SHOULD: a liveness check, limited in frequency; nothing else changes. */
static void hint_probe(struct ike_sa *sa, const struct addr *remote, const char *what)
{
	uint64_t now = sa_now(sa->ctx);

	if (sa->hint_ms && now < sa->hint_ms + LIMIT_HINT_MS)
		return;
	sa->hint_ms = now;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "unprotected %s from %s: asking the peer whether it is there", what,
	       addr_format_port(remote).s);
	if (sa->outstanding)
		outstanding_nudge(sa);
	else
		ike_sa_probe(sa);
}

/* RFC 6290 4.5 MUST: discarded in silence, with all children. */
static void hint_lost(struct ike_sa *sa)
{
	/* a repeat of our Delete came when the peer did not linger any more: all is as it should be */
	if (sa->state == IKE_STATE_DELETING || sa->state == IKE_STATE_REKEYED) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_AUDIT, "IKE_SA deleted: the peer has it no more, as its token shows");
		ike_sa_finish(sa, sa->state == IKE_STATE_DELETING ? IKE_EVENT_DELETE_ACKED : IKE_EVENT_DESTROY, CAUSE_NONE, NULL);
		return;
	}
	ike_sa_finish(sa, IKE_EVENT_SILENT, CAUSE_PEER_LOST, "the peer has lost its state, as its token shows");
}

/* True: the token was the peer's, the SA has ended. */
static bool hint_token(struct ike_sa *sa, const struct addr *remote, const struct payload_list *in, bool *ret_wrong)
{
	enum qcd_verdict verdict = qcd_check(sa, in);

	*ret_wrong = verdict == QCD_WRONG;
	switch (verdict) {
	case QCD_NONE:
		return false;
	case QCD_WRONG:
		/* RFC 6290 4.5 MUST NOT: no answer */
		sa->ctx->counters[SA_COUNTER_TOKEN_WRONG]++;
		LOG_SA(&sa->log, IKE, LOG_LEVEL_DETAIL, "ignored a token from %s that is not the peer's",
		       addr_format_port(remote).s);
		return false;
	case QCD_RIGHT:
		hint_lost(sa);
		return true;
	}
	return false;
}

void hint_receive(struct ike_sa *sa, const struct ike_header *h, const struct addr *remote, struct bytes body)
{
	struct payload_list in;
	struct wire_error err;
	bool wrong;

	sa->ctx->counters[SA_COUNTER_UNPROTECTED]++;
	if (!result_is_ok(payloads_parse(&sa->ctx->arena, body, h->next, &in, &err))) {
		sa->ctx->counters[SA_COUNTER_INVALID]++;
		return;
	}
	if (hint_token(sa, remote, &in, &wrong) || wrong)
		return;
	if (payload_notify(&in, NOTIFY_INVALID_IKE_SPI))
		hint_probe(sa, remote, "INVALID_IKE_SPI");
}

bool hint_invalid_spi(struct ike_sa *sa, const struct addr *remote, uint32_t spi, const struct payload_list *in)
{
	bool wrong;

	if (sa->finished || !hint_in_use(sa) || !ike_sa_child_by_spi_out(sa, spi))
		return false;
	sa->ctx->counters[SA_COUNTER_UNPROTECTED]++;
	/* RFC 6290, 8.2: a token may come with it; a wrong one is no sign of anything */
	if (!hint_token(sa, remote, in, &wrong))
		hint_probe(sa, remote, "INVALID_SPI");
	return true;
}

/* ---- in the IKE_SA ---- */

void hint_lost_child(struct ike_sa *sa, struct bytes data)
{
	struct reader r = reader_of(data);
	uint32_t spi = reader_u32(&r);
	struct child_sa *c = reader_done(&r) ? ike_sa_child_by_spi_out(sa, spi) : NULL;

	if (sa->state != IKE_STATE_ESTABLISHED || !c || c->state != CHILD_STATE_INSTALLED ||
	    sa_now(sa->ctx) < c->installed_ms + HINT_CHILD_YOUNG_MS)
		return;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the peer does not know the SPI %08x that CHILD_SA %s{%u} sends to: it is closed",
	       spi, c->conf->name, c->id);
	ike_sa_child_wanted(sa, c->conn, c->conf);
	/* goes out behind the answer */
	ike_sa_queue(sa, child_delete_new(sa, c->id, (struct sa_request){ 0 }));
}

bool hint_knows_spi(const struct ike_sa *sa, uint32_t spi_in)
{
	for (const struct child_sa *c = sa->children; c; c = c->next)
		if (c->spi_in == spi_in)
			return true;
	return false;
}

static bool hint_is_queued(const struct task *t)
{
	for (; t; t = t->next)
		if (t->type == TASK_IKE_NOTIFY)
			return true;
	return false;
}

bool hint_may_tell(const struct ike_sa *sa)
{
	return !sa->finished && sa->state == IKE_STATE_ESTABLISHED && !hint_is_queued(sa->queued) && !hint_is_queued(sa->active) &&
	       (!sa->hint_ms || sa_now(sa->ctx) >= sa->hint_ms + LIMIT_HINT_MS);
}

void hint_tell_message_id(struct ike_sa *sa, uint32_t message_id)
{
	if (!hint_may_tell(sa))
		return;
	sa->hint_ms = sa_now(sa->ctx);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "request with ID %u from %s is outside the window, %u was expected: the peer is told",
	       message_id, addr_format_port(&sa->remote).s, sa->in.next);
	ike_sa_queue(sa, ike_notify_new(sa, NOTIFY_INVALID_MESSAGE_ID, message_id));
	ike_sa_run_queue(sa);
}

void hint_tell_invalid_spi(struct ike_sa *sa, uint32_t spi)
{
	if (!hint_may_tell(sa))
		return;
	sa->hint_ms = sa_now(sa->ctx);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "ESP with SPI %08x came from %s, which has no SA here: the peer is told", spi,
	       addr_format_port(&sa->remote).s);
	ike_sa_queue(sa, ike_notify_new(sa, NOTIFY_INVALID_SPI, spi));
	ike_sa_run_queue(sa);
}
