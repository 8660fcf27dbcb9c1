/* SPDX-License-Identifier: Apache-2.0 */
/* What is to be sent on a stream. */
#include "net/tcp_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "proto/limits.h"
#include "util/mem.h"

#define WRITES_AT_ONCE 64

static void stream_pop(struct tcp_stream *s)
{
	struct tcp_out *out = s->out;

	s->out = out->next;
	if (!s->out)
		s->out_tail = &s->out;
	s->out_bytes -= out->n;
	free(out);
}

void tcp_stream_drop_out(struct tcp_stream *s)
{
	while (s->out) {
		TCP_COUNT(s->tcp, dropped_out, s->out->count);
		stream_pop(s);
	}
}

static void stream_written(struct tcp_stream *s, size_t n)
{
	while (s->out && n >= s->out->n - s->out->done) {
		struct tcp_out *o = s->out;

		n -= o->n - o->done;
		if (o->esp)
			TCP_COUNT(s->tcp, esp_out, o->count);
		else
			TCP_COUNT(s->tcp, ike_out, o->count);
		stream_pop(s);
	}
	if (s->out)
		s->out->done += n;
}

/* False: the stream is gone, or broken. */
static bool stream_write(struct tcp_stream *s)
{
	while (s->out) {
		struct iovec iov[WRITES_AT_ONCE];
		struct msghdr m = { .msg_iov = iov };
		ssize_t n;

		for (struct tcp_out *o = s->out; o && m.msg_iovlen < WRITES_AT_ONCE; o = o->next)
			iov[m.msg_iovlen++] = (struct iovec){ o->data + o->done, o->n - o->done };
		n = sendmsg(s->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0) {
			tcp_stream_broken(s, strerror(errno));
			return false;
		}
		stream_written(s, (size_t)n);
	}
	return true;
}

bool tcp_stream_can_write(const struct tcp_stream *s)
{
	return s->state == TCP_STATE_PREFIX || s->state == TCP_STATE_OPEN;
}

/* Writes what can be written, watches for the rest. May free it. */
void tcp_stream_flush(struct tcp_stream *s)
{
	bool more;

	if (!tcp_stream_can_write(s) || !stream_write(s))
		return;
	more = s->out != NULL;
	if (!more && s->ending) {
		tcp_stream_free(s);
		return;
	}
	if (more != s->wants_out)
		loop_modify(s->lfd, EPOLLIN | (more ? EPOLLOUT : 0));
	s->wants_out = more;
}

static void stream_queue(struct tcp_stream *s, struct tcp_out *out)
{
	out->next = NULL;
	*s->out_tail = out;
	s->out_tail = &out->next;
	s->out_bytes += out->n;
	if (list_empty(&s->flush) && !s->wants_out)
		list_add_tail(&s->tcp->to_flush, &s->flush);
}

void tcp_stream_send(struct tcp *t, struct tcp_out *out)
{
	struct tcp_stream *s = tcp_stream_find(t, out->stream);
	/* ESP does not wait for a connection: IKE may, and what waits is what makes the SA work again */
	bool room = s && s->out_bytes + out->n <= (out->esp ? LIMIT_STREAM_ESP : LIMIT_STREAM_IKE) &&
		    (tcp_stream_can_write(s) || !out->esp);

	atomic_fetch_sub_explicit(&t->mailed, out->n, memory_order_relaxed);
	if (room) {
		stream_queue(s, out);
		return;
	}
	TCP_COUNT(t, dropped_out, out->count);
	free(out);
}

void tcp_streams_flush(struct tcp *t)
{
	while (!list_empty(&t->to_flush)) {
		struct tcp_stream *s = list_entry(t->to_flush.next, struct tcp_stream, flush);

		list_del(&s->flush);
		list_init(&s->flush);
		tcp_stream_flush(s);
	}
}

void tcp_stream_send_prefix(struct tcp_stream *s)
{
	struct tcp_out *out = xmalloc(sizeof(*out) + TCP_PREFIX_LEN);

	*out = (struct tcp_out){ .tcp = s->tcp, .n = TCP_PREFIX_LEN, .next = s->out };
	memcpy(out->data, TCP_PREFIX, TCP_PREFIX_LEN);
	if (!s->out)
		s->out_tail = &out->next;
	s->out = out;
	s->out_bytes += out->n;
}
