/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sa/stream.h"
#include "worker/internal.h"

/* Between the thread of the TCP streams (net/tcp.h) and the workers: what comes is mail to the owner of the SPI in it. */

static struct worker *streams_owner(struct workers *pool, struct bytes message)
{
	struct ike_header h;

	if (!result_is_ok(header_parse(message, &h)))
		return NULL;
	return &pool->workers[steer_packet_owner(net_steer(pool->options.net), h.spi_i, h.spi_r, h.flags)];
}

static bool streams_ike(void *arg, const struct addr *local, const struct addr *remote, struct bytes message)
{
	struct worker *w = streams_owner(arg, message);
	struct packet_mail *m;

	/* a sender that is faster than its worker must not fill the memory */
	if (!w || atomic_load_explicit(&w->stream_bytes, memory_order_relaxed) + message.n > LIMIT_STREAM_INPUT)
		return false;
	atomic_fetch_add_explicit(&w->stream_bytes, message.n, memory_order_relaxed);
	m = xmalloc(sizeof(*m) + message.n);
	m->mail.kind = WORKER_MAIL_PACKET;
	m->mail.drop = mail_free;
	m->local = *local;
	m->remote = *remote;
	m->n = message.n;
	memcpy(m->data, message.p, message.n);
	mailbox_post(w->box, &m->mail);
	return true;
}

_Static_assert(sizeof(struct tcp_packet) == sizeof(struct kernel_packet) && offsetof(struct tcp_packet, n) ==
	       offsetof(struct kernel_packet, n), "the data plane gets the list as it is");

static size_t streams_esp(void *arg, const struct addr *local, const struct addr *remote, const struct tcp_packet *list, size_t n)
{
	const struct workers_options *o = &((struct workers *)arg)->options;

	return o->kernel_ops->stream_input(o->kernel, local, remote, (const struct kernel_packet *)(const void *)list, n);
}

static void streams_tell_reopened(void *arg, uint64_t owner, uint32_t stream, const struct addr *local)
{
	struct workers *pool = arg;
	struct stream_mail *m = xcalloc(1, sizeof(*m));

	m->mail.kind = WORKER_MAIL_STREAM;
	m->mail.drop = mail_free;
	m->ike_id = (uint32_t)owner;
	m->stream = stream;
	m->local = *local;
	mailbox_post(pool->workers[owner >> 32].box, &m->mail);
}

struct tcp_user streams_user(struct workers *pool)
{
	return (struct tcp_user){ pool, streams_ike, streams_esp, streams_tell_reopened };
}

/* ---- on a worker ---- */

struct streams_search {
	uint32_t stream;
	struct ike_sa *found;
};

static void streams_visit(struct hashnode *node, void *arg)
{
	struct ike_sa *sa = container_of(node, struct ike_sa, by_id);
	struct streams_search *s = arg;

	if (sa->stream == s->stream && !sa->finished && sa->state != IKE_STATE_CLOSED)
		s->found = sa;
}

void streams_reopened(struct worker *w, const struct stream_mail *m)
{
	struct ike_sa *sa = sa_table_by_id(w, m->ike_id);
	struct streams_search search = { .stream = m->stream };

	/* a redundant successor was the last that asked for it, and is gone: rare enough to look through all */
	if (!sa || sa->finished || sa->stream != m->stream) {
		hashtab_walk(&w->by_id, streams_visit, &search);
		sa = search.found;
	}
	if (sa)
		ike_sa_stream_reopened(sa, &m->local);
}

bool streams_open(void *host, bool bound, struct addr *local, struct addr *remote)
{
	struct tcp *tcp = net_tcp(((struct worker *)host)->pool->options.net);

	return tcp && tcp_connect(tcp, local, bound, remote, &remote->stream);
}

void streams_use(void *host, struct ike_sa *sa, uint32_t stream, bool is)
{
	struct worker *w = host;
	struct tcp *tcp = net_tcp(w->pool->options.net);

	if (is)
		tcp_hold(tcp, stream, (uint64_t)w->index << 32 | sa->log.id);
	else
		tcp_release(tcp, stream);
}

void streams_again(void *host, uint32_t stream)
{
	tcp_reconnect(net_tcp(((struct worker *)host)->pool->options.net), stream);
}
