/* SPDX-License-Identifier: Apache-2.0 */
/* What came on a stream, cut into messages. */
#include "net/tcp_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "proto/limits.h"

#define ESP_AT_ONCE 256

struct stream_input {
	struct tcp_packet esp[ESP_AT_ONCE];
	size_t n;
};

static void stream_judge(struct tcp_stream *s, size_t good, size_t n)
{
	s->bad = good ? 0 : s->bad + (unsigned)n;
}

static void stream_give_esp(struct tcp_stream *s, struct stream_input *in)
{
	struct tcp *t = s->tcp;
	size_t good;

	if (!in->n)
		return;
	good = t->user.esp(t->user.arg, &s->local, &s->remote, in->esp, in->n);
	TCP_COUNT(t, esp_in, good);
	TCP_COUNT(t, dropped_in, in->n - good);
	stream_judge(s, good, in->n);
	in->n = 0;
}

static void stream_give_ike(struct tcp_stream *s, struct bytes message)
{
	struct tcp *t = s->tcp;

	if (t->user.ike(t->user.arg, &s->local, &s->remote, message))
		TCP_COUNT(t, ike_in, 1);
	else
		TCP_COUNT(t, dropped_in, 1);
}

static void stream_message(struct tcp_stream *s, struct stream_input *in, struct bytes message)
{
	switch (tcp_frame_kind(&message)) {
	case TCP_KIND_IKE:
		stream_give_esp(s, in);
		stream_give_ike(s, message);
		break;
	case TCP_KIND_ESP:
		in->esp[in->n++] = (struct tcp_packet){ (uint8_t *)(uintptr_t)message.p, message.n };
		if (in->n == ESP_AT_ONCE)
			stream_give_esp(s, in);
		break;
	case TCP_KIND_KEEPALIVE:
		break;
	case TCP_KIND_RUNT:
		TCP_COUNT(s->tcp, dropped_in, 1);
		stream_judge(s, 0, 1);
		break;
	}
}

/* Cuts what is there into messages; what is left of it is *data. NULL, or why the connection must end. */
static const char *stream_parse(struct tcp_stream *s, struct bytes *data)
{
	struct stream_input in = { .n = 0 };
	size_t max = s->holds ? TCP_MESSAGE_MAX : s->tcp->options.max_message;
	enum tcp_frame frame = TCP_FRAME_WHOLE;
	struct bytes message;

	if (s->state == TCP_STATE_PREFIX) {
		frame = tcp_frame_prefix(data);
		if (frame == TCP_FRAME_BROKEN)
			return "it does not begin with IKETCP";
		if (frame == TCP_FRAME_WHOLE)
			s->state = TCP_STATE_OPEN;
	}
	while (frame == TCP_FRAME_WHOLE && s->bad < LIMIT_STREAM_BAD) {
		frame = tcp_frame_next(data, max, &message);
		if (frame == TCP_FRAME_WHOLE)
			stream_message(s, &in, message);
	}
	stream_give_esp(s, &in);
	if (frame == TCP_FRAME_BROKEN)
		return "the length of a message cannot be";
	/* RFC 9329 6.1 SHOULD: a connection that carries nothing valid is corrupted */
	return s->bad >= LIMIT_STREAM_BAD ? "nothing that came for a while was IKE or ESP of ours" : NULL;
}

void tcp_stream_read(struct tcp_stream *s)
{
	struct tcp *t = s->tcp;
	size_t before = s->in.n;
	const char *fault;
	struct bytes data;
	ssize_t n;

	if (before)
		memcpy(t->rx, s->in.p, before);
	n = recv(s->fd, t->rx + before, TCP_READ_MAX, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		tcp_stream_broken(s, n ? strerror(errno) : "closed by the peer");
		return;
	}
	s->retries = 0; /* somebody is there */
	data = bytes_of(t->rx, before + (size_t)n);
	fault = stream_parse(s, &data);
	if (fault) {
		tcp_stream_broken(s, fault);
		return;
	}
	if (data.n || before)
		buf_free(&s->in);
	buf_add_bytes(&s->in, data);
}
