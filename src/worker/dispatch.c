/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "wire/builder.h"
#include "worker/internal.h"

/*
 * From a datagram to its IKE_SA. What no SA exists for meets cookies and limits here, which keep no state.
 */

/* A message without payloads but one notify, that no IKE_SA stands behind. */
static void dispatch_answer(struct worker *w, const struct ike_header *h, const struct addr *local,
			    const struct addr *remote, unsigned notify, struct bytes data)
{
	uint8_t msg[256];
	struct ike_header reply = *h;
	struct builder b = builder_of(msg, sizeof(msg));

	reply.version = IKE_VERSION;
	reply.flags = (uint8_t)((h->flags & IKE_FLAG_INITIATOR ? 0 : IKE_FLAG_INITIATOR) | IKE_FLAG_RESPONSE);
	builder_header(&b, &reply);
	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, notify, data);
	net_send(w->net, local, remote, builder_finish(&b));
}

/* RFC 7296, 2.6: whether the source has shown that it gets our packets; else it is asked to, by a cookie. */
static bool dispatch_cookie_ok(struct worker *w, const struct ike_header *h, const struct addr *local,
			       const struct addr *remote, struct bytes body)
{
	struct payload_list in;
	struct wire_error err;
	const struct payload *nonce;
	const struct payload_notify *cookie;
	uint8_t own[COOKIE_LEN];
	bool ok = false;

	if (!result_is_ok(payloads_parse(&w->ctx.arena, body, h->next, &in, &err))) {
		w->ctx.counters[SA_COUNTER_INVALID]++;
		arena_reset(&w->ctx.arena);
		return false;
	}
	nonce = payload_find(&in, PAYLOAD_NONCE, NULL);
	cookie = payload_notify(&in, NOTIFY_COOKIE);
	if (nonce && cookie)
		ok = cookie_check(w, remote, h->spi_i, nonce->nonce, cookie->data);
	if (nonce && !ok && cookie_make(w, remote, h->spi_i, nonce->nonce, 0, own)) {
		LOG(IKE, LOG_LEVEL_DETAIL, "asking %s for a cookie", addr_format_port(remote).s);
		dispatch_answer(w, h, local, remote, NOTIFY_COOKIE, bytes_of(own, sizeof(own)));
		cookie_sent(w);
	}
	arena_reset(&w->ctx.arena);
	return ok;
}

static bool dispatch_within_limits(struct worker *w, const struct ike_header *h, const struct addr *local,
				   const struct addr *remote, struct bytes body)
{
	unsigned cookie_threshold = w->pool->limits.cookie_threshold;
	unsigned cookie_threshold_ip = w->pool->limits.cookie_threshold_ip;
	unsigned block_threshold = w->pool->limits.block_threshold, ikesa_limit = w->pool->limits.ikesa_limit;
	unsigned total = half_open_total(w->pool->half_open), of_peer;
	uint64_t now = sa_now(&w->ctx);

	if (w->pool->limits.initiator_only)
		return false;
	if (ikesa_limit) {
		uint64_t n = 0;

		for (unsigned i = 0; i < w->pool->count; i++)
			n += atomic_load_explicit(&w->pool->workers[i].n_sas, memory_order_relaxed);
		if (n >= ikesa_limit) {
			if (ratelimit_take(&w->answers, now))
				LOG(NET, LOG_LEVEL_CONTROL, "ignoring IKE_SA_INIT from %s: ikesa_limit of %u reached",
				    addr_format_port(remote).s, ikesa_limit);
			return false;
		}
	}
	of_peer = half_open_of(w->pool->half_open, remote);
	if (block_threshold && of_peer >= block_threshold) {
		if (ratelimit_take(&w->answers, now))
			LOG(NET, LOG_LEVEL_CONTROL,
			    "ignoring IKE_SA_INIT from %s: it has %u half-open IKE_SAs (block_threshold %u)",
			    addr_format_port(remote).s, of_peer, block_threshold);
		return false;
	}
	/* RFC 9329 6.3 SHOULD NOT: who has a TCP connection has shown that it gets our packets */
	if (remote->stream)
		return true;
	if ((cookie_threshold && total >= cookie_threshold) ||
	    (cookie_threshold_ip && of_peer >= cookie_threshold_ip))
		return dispatch_cookie_ok(w, h, local, remote, body);
	return true;
}

/* An IKE_SA_INIT request: a repeat finds its half-open SA, a new one makes it. */
static void dispatch_init(struct worker *w, const struct ike_header *h, const struct addr *local,
			  const struct addr *remote, uint8_t *p, size_t n)
{
	struct ike_sa *sa = sa_table_by_init(w, h->spi_i, remote);

	if (!sa) {
		if (w->stopping || h->message_id != 0 || h->spi_i == 0 ||
		    !dispatch_within_limits(w, h, local, remote, bytes_of(p + IKE_HEADER_LEN, n - IKE_HEADER_LEN)))
			return;
		sa = ike_sa_new_responder(&w->ctx, h->spi_i, local, remote);
		sa_table_add_init(w, sa);
	}
	ike_sa_receive(sa, h, local, remote, p, n);
}

static void dispatch_elsewhere(struct worker *w, unsigned owner, const struct addr *local, const struct addr *remote,
			       const uint8_t *p, size_t n)
{
	struct packet_mail *m = xmalloc(sizeof(*m) + n);

	m->mail.kind = WORKER_MAIL_PACKET;
	m->mail.drop = mail_free;
	m->local = *local;
	m->remote = *remote;
	m->n = n;
	memcpy(m->data, p, n);
	mailbox_post(w->pool->workers[owner].box, &m->mail);
}

static bool dispatch_version_ok(struct worker *w, const struct ike_header *h, const struct addr *local,
				const struct addr *remote)
{
	if (h->version >> 4 == IKE_VERSION >> 4)
		return true;
	w->ctx.counters[SA_COUNTER_INVALID]++;
	/* RFC 7296, 2.5: a request of a higher major version is told ours; not authenticated, so limited */
	if (h->version >> 4 > IKE_VERSION >> 4 && !(h->flags & IKE_FLAG_RESPONSE) &&
	    ratelimit_take(&w->answers, sa_now(&w->ctx)))
		dispatch_answer(w, h, local, remote, NOTIFY_INVALID_MAJOR_VERSION, BYTES_NONE);
	if (ratelimit_take(&w->answers, sa_now(&w->ctx)))
		LOG(NET, LOG_LEVEL_CONTROL, "dropped IKE version %u.%u packet from %s: only IKEv2 is spoken here",
		    h->version >> 4, h->version & 15, addr_format_port(remote).s);
	return false;
}

void dispatch_datagram(struct worker *w, const struct addr *local, const struct addr *remote, uint8_t *p, size_t n)
{
	struct ike_header h;
	struct ike_sa *sa;
	struct result r = header_parse(bytes_of(p, n), &h);
	unsigned owner;
	uint64_t spi;

	if (!result_is_ok(r)) {
		w->ctx.counters[SA_COUNTER_INVALID]++;
		if (ratelimit_take(&w->answers, sa_now(&w->ctx)))
			LOG(NET, LOG_LEVEL_CONTROL, "dropped packet from %s: %s", addr_format_port(remote).s, r.why);
		return;
	}
	if (!dispatch_version_ok(w, &h, local, remote))
		return;
	owner = steer_packet_owner(net_steer(w->pool->options.net), h.spi_i, h.spi_r, h.flags);
	if (owner != w->index) {
		dispatch_elsewhere(w, owner, local, remote, p, n);
		return;
	}
	if (h.exchange == EXCHANGE_IKE_SA_INIT && h.flags & IKE_FLAG_INITIATOR && !(h.flags & IKE_FLAG_RESPONSE) &&
	    h.spi_r == 0) {
		dispatch_init(w, &h, local, remote, p, n);
		return;
	}
	spi = h.flags & IKE_FLAG_INITIATOR ? h.spi_r : h.spi_i;
	sa = sa_table_by_spi(w, spi);
	if (!sa) {
		unknown_message(w, &h, local, remote, p, n);
		return;
	}
	/* RFC 6290 8.1 SHOULD: what is said without protection is looked at within limits */
	if (h.exchange != EXCHANGE_IKE_SA_INIT && h.next != PAYLOAD_SK && h.next != PAYLOAD_SKF &&
	    !unknown_known_within_limits(w, spi)) {
		w->ctx.counters[SA_COUNTER_INVALID]++;
		return;
	}
	ike_sa_receive(sa, &h, local, remote, p, n);
}
