/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tcp_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "proto/limits.h"
#include "util/log.h"
#include "util/mem.h"

#define CONNECT_MS 10000
#define RETRY_MS 1000       /* a broken connection of ours; doubled each time, */
#define RETRY_MAX_MS 30000  /* up to that */
#define ENDING_MS 2000      /* for what is still to be written when nobody uses it */
#define WRITES_AT_ONCE 64
#define ESP_AT_ONCE 256

static void stream_timer(struct timer *timer);
static void stream_event(void *arg, uint32_t events);
static void stream_try(struct tcp_stream *s, int fd);

/* ---- names and numbers ---- */

static struct tcp_stream *stream_find(struct tcp *t, uint32_t id)
{
	for (struct hashnode *n = hashtab_first(&t->streams, hash_u64(&t->hash, id)); n; n = hashtab_next(n)) {
		struct tcp_stream *s = container_of(n, struct tcp_stream, by_id);

		if (s->id == id)
			return s;
	}
	return NULL;
}

static struct tcp_stream *stream_new(struct tcp *t, uint32_t id, const struct addr *remote)
{
	struct tcp_stream *s = xcalloc(1, sizeof(*s));

	s->tcp = t;
	s->id = id;
	s->fd = -1;
	s->remote = *remote;
	s->remote.stream = id;
	s->out_tail = &s->out;
	hashtab_insert(&t->streams, &s->by_id, hash_u64(&t->hash, id));
	list_add_tail(&t->list, &s->link);
	list_init(&s->flush);
	TCP_COUNT(t, streams, 1);
	return s;
}

static void stream_wait(struct tcp_stream *s, unsigned ms)
{
	timer_start(loop_wheel(s->tcp->loop), &s->timer, loop_now(s->tcp->loop) + ms, stream_timer);
}

/* Whether one more line is wanted: peers can provoke these. */
static bool stream_may_log(struct tcp_stream *s)
{
	return s->holds || ratelimit_take(&s->tcp->log_limit, loop_now(s->tcp->loop));
}

/* ---- the end ---- */

static void stream_pop(struct tcp_stream *s)
{
	struct tcp_out *out = s->out;

	s->out = out->next;
	if (!s->out)
		s->out_tail = &s->out;
	s->out_bytes -= out->n;
	free(out);
}

static void stream_drop_out(struct tcp_stream *s)
{
	while (s->out) {
		TCP_COUNT(s->tcp, dropped_out, s->out->count);
		stream_pop(s);
	}
}

static void stream_disconnect(struct tcp_stream *s)
{
	if (s->lfd)
		loop_remove(s->lfd);
	if (s->fd >= 0)
		close(s->fd);
	s->lfd = NULL;
	s->fd = -1;
	s->wants_out = false;
	buf_free(&s->in); /* RFC 9329 6.1 MUST: what came of a message is discarded */
	stream_drop_out(s);
}

static void stream_free(struct tcp_stream *s)
{
	struct tcp *t = s->tcp;

	stream_disconnect(s);
	timer_stop(loop_wheel(t->loop), &s->timer);
	hashtab_remove(&t->streams, &s->by_id);
	list_del(&s->link);
	list_del(&s->flush);
	if (s->source)
		tcp_source_give(t, s->source, s->holds == 0);
	TCP_COUNT(t, streams, -1);
	free(s);
}

/* The connection is of no use any more. A peer's stream ends with it, ours is connected again. */
static void stream_broken(struct tcp_stream *s, const char *why)
{
	unsigned wait = RETRY_MS;
	bool at_once = s->state == TCP_STATE_OPEN && s->retries == 0;

	TCP_COUNT(s->tcp, broken, 1);
	if (stream_may_log(s))
		LOG(NET, s->holds || s->fresh ? LOG_LEVEL_CONTROL : LOG_LEVEL_DETAIL, "TCP connection with %s %s: %s", addr_format_port(&s->remote).s,
		    s->state == TCP_STATE_CONNECTING ? "cannot be made" : "is broken", why);
	if (s->source || s->ending || (!s->holds && (!s->fresh || s->retries))) {
		stream_free(s);
		return;
	}
	stream_disconnect(s);
	for (unsigned i = 0; i < s->retries && wait < RETRY_MAX_MS; i++)
		wait *= 2;
	s->retries++;
	s->state = TCP_STATE_BROKEN;
	/* one that was good does not wait for the next */
	stream_wait(s, at_once ? 0 : wait < RETRY_MAX_MS ? wait : RETRY_MAX_MS);
}

static void stream_timer(struct timer *timer)
{
	struct tcp_stream *s = container_of(timer, struct tcp_stream, timer);

	if (s->state == TCP_STATE_BROKEN) {
		stream_try(s, -1);
	} else if (s->state == TCP_STATE_CONNECTING && s->holds) {
		stream_broken(s, "no answer");
	} else if (s->holds == 0) {
		if (!s->ending && stream_may_log(s))
			LOG(NET, LOG_LEVEL_DETAIL, "TCP connection with %s has no IKE_SA and is closed", addr_format_port(&s->remote).s);
		stream_free(s);
	}
}

/* ---- out ---- */

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
			stream_broken(s, strerror(errno));
			return false;
		}
		stream_written(s, (size_t)n);
	}
	return true;
}

static bool stream_can_write(const struct tcp_stream *s)
{
	return s->state == TCP_STATE_PREFIX || s->state == TCP_STATE_OPEN;
}

/* Writes what can be written, watches for the rest. May free it. */
static void stream_flush(struct tcp_stream *s)
{
	bool more;

	if (!stream_can_write(s) || !stream_write(s))
		return;
	more = s->out != NULL;
	if (!more && s->ending) {
		stream_free(s);
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
	struct tcp_stream *s = stream_find(t, out->stream);
	/* ESP does not wait for a connection: IKE may, and what waits is what makes the SA work again */
	bool room = s && s->out_bytes + out->n <= (out->esp ? LIMIT_STREAM_ESP : LIMIT_STREAM_IKE) &&
		    (stream_can_write(s) || !out->esp);

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
		stream_flush(s);
	}
}

/* ---- in ---- */

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

static void stream_read(struct tcp_stream *s)
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
		stream_broken(s, n ? strerror(errno) : "closed by the peer");
		return;
	}
	s->retries = 0; /* somebody is there */
	data = bytes_of(t->rx, before + (size_t)n);
	fault = stream_parse(s, &data);
	if (fault) {
		stream_broken(s, fault);
		return;
	}
	if (data.n || before)
		buf_free(&s->in);
	buf_add_bytes(&s->in, data);
}

/* ---- connecting ---- */

static bool stream_watch(struct tcp_stream *s, int fd, uint32_t events)
{
	s->fd = fd;
	s->lfd = loop_add(s->tcp->loop, fd, events, stream_event, s);
	return s->lfd != NULL;
}

/* fd: bound already; -1: a new one. */
static void stream_try(struct tcp_stream *s, int fd)
{
	struct sockaddr_storage sa;
	socklen_t len;

	s->state = TCP_STATE_CONNECTING;
	stream_wait(s, CONNECT_MS);
	if (fd < 0) {
		fd = socket(s->remote.family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
		if (fd < 0) {
			stream_broken(s, strerror(errno));
			return;
		}
		tcp_socket_prepare(s->tcp, fd);
		if (s->bound) {
			struct addr local = s->local;

			local.port = 0;
			len = addr_to_sockaddr(&local, &sa);
			if (bind(fd, (struct sockaddr *)&sa, len) < 0) {
				s->fd = fd;
				stream_broken(s, strerror(errno));
				return;
			}
		}
	}
	len = addr_to_sockaddr(&s->remote, &sa);
	if ((connect(fd, (struct sockaddr *)&sa, len) < 0 && errno != EINPROGRESS) || !stream_watch(s, fd, EPOLLOUT)) {
		s->fd = fd;
		stream_broken(s, strerror(errno));
	}
}

void tcp_stream_connect(struct tcp *t, const struct tcp_mail *m)
{
	struct tcp_stream *s = stream_new(t, m->stream, &m->remote);

	s->local = m->local;
	s->bound = m->bound;
	s->fresh = true;
	stream_try(s, m->fd);
}

static void stream_send_prefix(struct tcp_stream *s)
{
	struct tcp_out *out = xmalloc(sizeof(*out) + TCP_PREFIX_LEN);

	*out = (struct tcp_out){ .tcp = s->tcp, .n = TCP_PREFIX_LEN, .next = s->out };
	memcpy(out->data, TCP_PREFIX, TCP_PREFIX_LEN);
	if (!s->out)
		s->out_tail = &out->next;
	s->out = out;
	s->out_bytes += out->n;
}

static void stream_connected(struct tcp_stream *s)
{
	struct tcp *t = s->tcp;
	socklen_t len = sizeof(int);
	struct addr local;
	int e = 0;

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0)
		e = errno;
	if (e || !tcp_socket_name(s->fd, &local)) {
		stream_broken(s, strerror(e));
		return;
	}
	s->local = local;
	s->state = TCP_STATE_OPEN;
	s->bad = 0;
	timer_stop(loop_wheel(t->loop), &s->timer);
	TCP_COUNT(t, connected, 1);
	LOG(NET, LOG_LEVEL_CONTROL, "TCP connection from %s to %s is made%s", addr_format_port(&s->local).s,
	    addr_format_port(&s->remote).s, s->was_up ? " again" : "");
	stream_send_prefix(s);
	s->wants_out = true;
	loop_modify(s->lfd, EPOLLIN | EPOLLOUT);
	/* also when it is the first one that did not fail: what waited for the others is lost */
	if (s->was_up || s->retries)
		t->user.reopened(t->user.arg, s->owner, s->id, &s->local);
	s->was_up = true;
	if (!s->holds)
		stream_wait(s, LIMIT_STREAM_WAIT_MS);
	stream_flush(s);
}

void tcp_stream_accept(struct tcp *t, int fd, const struct addr *remote)
{
	struct tcp_source *source = tcp_source_take(t, remote);
	struct tcp_stream *s;
	uint32_t id;

	if (!source) {
		tcp_refuse(t, fd);
		if (ratelimit_take(&t->log_limit, loop_now(t->loop)))
			LOG(NET, LOG_LEVEL_CONTROL, "refused a TCP connection from %s: too many are open", addr_format_port(remote).s);
		return;
	}
	do
		id = atomic_fetch_add(&t->next_id, 1) + 1;
	while (id == 0);
	s = stream_new(t, id, remote);
	s->source = source;
	s->state = TCP_STATE_PREFIX;
	tcp_socket_prepare(t, fd);
	TCP_COUNT(t, accepted, 1);
	stream_wait(s, LIMIT_STREAM_WAIT_MS);
	if (tcp_socket_name(fd, &s->local) && stream_watch(s, fd, EPOLLIN))
		return;
	s->fd = fd;
	stream_free(s);
}

static void stream_event(void *arg, uint32_t events)
{
	struct tcp_stream *s = arg;

	if (s->state == TCP_STATE_CONNECTING) {
		stream_connected(s);
		return;
	}
	if (events & EPOLLOUT) {
		struct tcp *t = s->tcp;
		uint32_t id = s->id;

		stream_flush(s);
		s = stream_find(t, id);
	}
	if (s && s->state != TCP_STATE_BROKEN && events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		stream_read(s);
}

/* ---- who uses it ---- */

void tcp_stream_hold(struct tcp *t, uint32_t id, uint64_t owner)
{
	struct tcp_stream *s = stream_find(t, id);

	if (!s)
		return;
	s->owner = owner;
	s->ending = s->fresh = false;
	if (s->holds++ > 0)
		return;
	if (s->source)
		tcp_source_waits(t, s->source, false);
	/* the timer of a connection that is being made goes on */
	if (stream_can_write(s))
		timer_stop(loop_wheel(t->loop), &s->timer);
}

void tcp_stream_release(struct tcp *t, uint32_t id)
{
	struct tcp_stream *s = stream_find(t, id);

	if (!s || s->holds == 0 || --s->holds > 0)
		return;
	if (s->source) {
		/* RFC 9329, 6.1: it is the peer's to close, within reason */
		tcp_source_waits(t, s->source, true);
		stream_wait(s, LIMIT_STREAM_WAIT_MS);
	} else if (s->out && stream_can_write(s)) {
		s->ending = true;
		stream_wait(s, ENDING_MS);
	} else {
		stream_free(s);
	}
}

void tcp_stream_reconnect(struct tcp *t, uint32_t id)
{
	struct tcp_stream *s = stream_find(t, id);

	if (!s || s->source || !s->holds)
		return;
	s->retries = 0; /* there is a reason to hope */
	if (s->state == TCP_STATE_OPEN || s->state == TCP_STATE_CONNECTING)
		stream_broken(s, "our address has changed");
	else
		stream_wait(s, 0);
}

void tcp_streams_close(struct tcp *t)
{
	LIST_FOREACH_SAFE(it, &t->list)
		stream_free(list_entry(it, struct tcp_stream, link));
}
