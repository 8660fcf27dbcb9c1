/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sa/hint.h"
#include "wire/builder.h"
#include "worker/internal.h"

/*
 * Packets with SPIs that nobody here knows (RFC 7296, 1.5 and 2.21.4; RFC 6290, 4.5), and what others say about such packets of
 * ours. All of it is unprotected: everything has a limit, per source and in all.
 */
#define UNKNOWN_PER_SECOND 2000      /* of a worker: after a crash all peers are to hear of it soon */
#define UNKNOWN_SOURCE_PER_SECOND 20 /* of a source address; some share a bucket */
#define UNKNOWN_BUCKETS 1024

struct unknown_limits {
	struct ratelimit all;
	struct ratelimit source[UNKNOWN_BUCKETS];
	/* for packets with the SPIs of an IKE_SA here, by these */
	struct ratelimit known_all;
	struct ratelimit known[UNKNOWN_BUCKETS];
};

/* What is said about an ESP packet of ours; goes from worker to worker until one has the IKE_SA. */
struct hint_mail {
	struct mail mail;
	struct addr remote;
	unsigned hops; /* workers that were asked before */
	uint8_t first; /* type of the first payload */
	size_t n;
	uint8_t body[]; /* all behind the header */
};

struct unknown_limits *unknown_limits_new(void)
{
	struct unknown_limits *l = xcalloc(1, sizeof(*l));

	l->all = l->known_all = (struct ratelimit){ .per_second = UNKNOWN_PER_SECOND, .burst = UNKNOWN_PER_SECOND };
	for (size_t i = 0; i < UNKNOWN_BUCKETS; i++)
		l->source[i] = l->known[i] =
			(struct ratelimit){ .per_second = UNKNOWN_SOURCE_PER_SECOND, .burst = UNKNOWN_SOURCE_PER_SECOND };
	return l;
}

void unknown_limits_free(struct unknown_limits *l)
{
	free(l);
}

/* The source's own limit first: who is over it takes nothing from the others. */
bool unknown_within_limits(struct worker *w, const struct addr *remote)
{
	uint64_t hash = hash_bytes(&w->pool->hash, bytes_of(remote->ip, addr_len(remote)));
	uint64_t now = sa_now(&w->ctx);

	return ratelimit_take(&w->unknown->source[hash % UNKNOWN_BUCKETS], now) && ratelimit_take(&w->unknown->all, now);
}

/*
 * A gateway that has lost thousands of IKE_SAs with us tells so of each, from one address: what counts is the IKE_SA. Who knows its SPIs
 * takes nothing from others; who does not know any never comes here.
 */
bool unknown_known_within_limits(struct worker *w, uint64_t spi)
{
	uint64_t hash = hash_u64(&w->pool->hash, spi), now = sa_now(&w->ctx);

	return ratelimit_take(&w->unknown->known[hash % UNKNOWN_BUCKETS], now) && ratelimit_take(&w->unknown->known_all, now);
}

/* ---- IKE for an unknown SPI ---- */

static void unknown_answer(struct worker *w, const struct ike_header *h, const struct addr *local, const struct addr *remote)
{
	uint8_t msg[256];

	net_send(w->net, local, remote, hint_unknown(&w->ctx, h, msg, sizeof(msg)));
}

/* ---- INVALID_SPI about ESP of ours ---- */

static bool unknown_hint_here(struct worker *w, const struct hint_mail *m)
{
	uint64_t hash = sa_table_addr_hash(w, &m->remote);
	const struct payload_notify *n;
	struct payload_list in;
	struct wire_error err;
	struct reader r;
	uint32_t spi;
	bool done = false;

	if (!result_is_ok(payloads_parse(&w->ctx.arena, bytes_of(m->body, m->n), m->first, &in, &err)) ||
	    !(n = payload_notify(&in, NOTIFY_INVALID_SPI)))
		return true; /* nobody can do anything with it */
	r = reader_of(n->data);
	spi = reader_u32(&r);
	for (struct hashnode *node = hashtab_first(&w->by_addr, hash); node && reader_done(&r) && !done;
	     node = hashtab_next(node)) {
		struct ike_sa *sa = container_of(node, struct ike_sa, by_addr);

		done = addr_equal_ip(&sa->remote, &m->remote) && hint_invalid_spi(sa, &m->remote, spi, &in);
	}
	return done || !reader_done(&r);
}

void unknown_hint(struct worker *w, struct mail *mail)
{
	struct hint_mail *m = container_of(mail, struct hint_mail, mail);
	bool done = unknown_hint_here(w, m);

	arena_reset(&w->ctx.arena);
	if (!done && ++m->hops < w->pool->count)
		mailbox_post(w->pool->workers[(w->index + 1) % w->pool->count].box, mail);
	else
		mail->drop(mail);
}

static void unknown_hint_begin(struct worker *w, const struct ike_header *h, const struct addr *remote, const uint8_t *p, size_t n)
{
	struct hint_mail *m = xmalloc(sizeof(*m) + n - IKE_HEADER_LEN);

	*m = (struct hint_mail){ .mail = { .kind = WORKER_MAIL_HINT, .drop = mail_free }, .remote = *remote, .first = h->next,
				 .n = n - IKE_HEADER_LEN };
	memcpy(m->body, p + IKE_HEADER_LEN, m->n);
	unknown_hint(w, &m->mail);
}

void unknown_message(struct worker *w, const struct ike_header *h, const struct addr *local, const struct addr *remote,
		     const uint8_t *p, size_t n)
{
	bool sealed = h->next == PAYLOAD_SK || h->next == PAYLOAD_SKF;

	w->ctx.counters[SA_COUNTER_INVALID_SPI]++;
	/* RFC 6290 9.2 MUST NOT: a token of an IKE_SA that lives; the peer has our rekeying's answer under way, and asks again */
	if (sa_table_is_reserved(w, h->flags & IKE_FLAG_INITIATOR ? h->spi_r : h->spi_i))
		return;
	/* RFC 7296 2.21.4 MUST NOT: respond to a response; nor to what is itself unprotected (1.5) */
	if (h->flags & IKE_FLAG_RESPONSE || h->exchange == EXCHANGE_IKE_SA_INIT ||
	    (!sealed && (h->exchange != EXCHANGE_INFORMATIONAL || h->next != PAYLOAD_NOTIFY)) ||
	    !unknown_within_limits(w, remote))
		return;
	if (ratelimit_take(&w->answers, sa_now(&w->ctx)))
		LOG(NET, LOG_LEVEL_DETAIL, "%s from %s for SPIs %016llx %016llx that no IKE_SA has", exchange_name(h->exchange),
		    addr_format_port(remote).s, (unsigned long long)h->spi_i, (unsigned long long)h->spi_r);
	if (!sealed)
		unknown_hint_begin(w, h, remote, p, n);
	else if (h->spi_i && h->spi_r && !w->stopping)
		unknown_answer(w, h, local, remote);
}

/* ---- ESP for an unknown SPI ---- */

/* RFC 7296, 1.5: outside of an IKE_SA, with SPIs of zero; there is no answer to it. */
static void unknown_tell_outside(struct worker *w, const struct kernel_event *ev)
{
	struct ike_header h = { .version = IKE_VERSION, .exchange = EXCHANGE_INFORMATIONAL, .flags = IKE_FLAG_INITIATOR };
	struct addr local = ev->dst, remote = ev->src;
	uint8_t msg[64], spi[4];
	struct writer wr = writer_of(spi, sizeof(spi));
	struct builder b = builder_of(msg, sizeof(msg));

	/* in UDP from the port it came from, else plain ESP */
	local.port = ev->src.port ? w->ctx.options.port_nat_t : w->ctx.options.port;
	if (!remote.port)
		remote.port = IKE_PORT;
	writer_u32(&wr, ev->spi);
	builder_header(&b, &h);
	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_INVALID_SPI, writer_done(&wr));
	net_send(w->net, &local, &remote, builder_finish(&b));
}

/* The IKE_SA with who sent it; ret_known: a child has that SPI, being set up or lingering, and nothing is wrong. */
static struct ike_sa *unknown_esp_sa(struct worker *w, const struct kernel_event *ev, bool *ret_known)
{
	struct ike_sa *found = NULL;

	*ret_known = false;
	for (struct hashnode *n = hashtab_first(&w->by_addr, sa_table_addr_hash(w, &ev->src)); n; n = hashtab_next(n)) {
		struct ike_sa *sa = container_of(n, struct ike_sa, by_addr);

		if (!addr_equal_ip(&sa->remote, &ev->src) || (ev->src.port && ev->src.port != sa->remote.port))
			continue;
		*ret_known |= hint_knows_spi(sa, ev->spi);
		if (sa->state == IKE_STATE_ESTABLISHED)
			found = sa;
	}
	return found;
}

void unknown_esp(struct worker *w, const struct kernel_event *ev)
{
	bool known;
	struct ike_sa *sa = unknown_esp_sa(w, ev, &known);

	if (known)
		return;
	if (sa)
		hint_tell_invalid_spi(sa, ev->spi);
	else if (w->index + 1 < w->pool->count)
		kernel_event_post(&w->pool->workers[w->index + 1], ev);
	else if (unknown_within_limits(w, &ev->src) && !w->stopping)
		unknown_tell_outside(w, ev);
}
