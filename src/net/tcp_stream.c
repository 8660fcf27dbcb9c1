/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tcp_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "proto/limits.h"
#include "util/log.h"
#include "util/mem.h"

#define CONNECT_MS 10000
#define RETRY_MS 1000       /* a broken connection of ours; doubled each time, */
#define RETRY_MAX_MS 30000  /* up to that */
#define ENDING_MS 2000      /* for what is still to be written when nobody uses it */

static void stream_timer(struct timer *timer);
static void stream_event(void *arg, uint32_t events);
static void stream_try(struct tcp_stream *s, int fd);

/* ---- names and numbers ---- */

struct tcp_stream *tcp_stream_find(struct tcp *t, uint32_t id)
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
	tcp_stream_drop_out(s);
}

void tcp_stream_free(struct tcp_stream *s)
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
void tcp_stream_broken(struct tcp_stream *s, const char *why)
{
	unsigned wait = RETRY_MS;
	bool at_once = s->state == TCP_STATE_OPEN && s->retries == 0;

	TCP_COUNT(s->tcp, broken, 1);
	if (stream_may_log(s))
		LOG(NET, s->holds || s->fresh ? LOG_LEVEL_CONTROL : LOG_LEVEL_DETAIL, "TCP connection with %s %s: %s", addr_format_port(&s->remote).s,
		    s->state == TCP_STATE_CONNECTING ? "cannot be made" : "is broken", why);
	if (s->source || s->ending || (!s->holds && (!s->fresh || s->retries))) {
		tcp_stream_free(s);
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
		tcp_stream_broken(s, "no answer");
	} else if (s->holds == 0) {
		if (!s->ending && stream_may_log(s))
			LOG(NET, LOG_LEVEL_DETAIL, "TCP connection with %s has no IKE_SA and is closed", addr_format_port(&s->remote).s);
		tcp_stream_free(s);
	}
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
			tcp_stream_broken(s, strerror(errno));
			return;
		}
		tcp_socket_prepare(s->tcp, fd, s->remote.family);
		if (s->bound) {
			struct addr local = s->local;

			local.port = 0;
			len = addr_to_sockaddr(&local, &sa);
			if (bind(fd, (struct sockaddr *)&sa, len) < 0) {
				s->fd = fd;
				tcp_stream_broken(s, strerror(errno));
				return;
			}
		}
	}
	len = addr_to_sockaddr(&s->remote, &sa);
	if ((connect(fd, (struct sockaddr *)&sa, len) < 0 && errno != EINPROGRESS) || !stream_watch(s, fd, EPOLLOUT)) {
		s->fd = fd;
		tcp_stream_broken(s, strerror(errno));
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

static void stream_connected(struct tcp_stream *s)
{
	struct tcp *t = s->tcp;
	socklen_t len = sizeof(int);
	struct addr local;
	int e = 0;

	if (getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0)
		e = errno;
	if (e || !tcp_socket_name(s->fd, &local)) {
		tcp_stream_broken(s, strerror(e));
		return;
	}
	s->local = local;
	s->state = TCP_STATE_OPEN;
	s->bad = 0;
	timer_stop(loop_wheel(t->loop), &s->timer);
	TCP_COUNT(t, connected, 1);
	LOG(NET, LOG_LEVEL_CONTROL, "TCP connection from %s to %s is made%s", addr_format_port(&s->local).s,
	    addr_format_port(&s->remote).s, s->was_up ? " again" : "");
	tcp_stream_send_prefix(s);
	s->wants_out = true;
	loop_modify(s->lfd, EPOLLIN | EPOLLOUT);
	/* also when it is the first one that did not fail: what waited for the others is lost */
	if (s->was_up || s->retries)
		t->user.reopened(t->user.arg, s->owner, s->id, &s->local);
	s->was_up = true;
	if (!s->holds)
		stream_wait(s, LIMIT_STREAM_WAIT_MS);
	tcp_stream_flush(s);
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
	tcp_socket_prepare(t, fd, remote->family);
	TCP_COUNT(t, accepted, 1);
	stream_wait(s, LIMIT_STREAM_WAIT_MS);
	if (tcp_socket_name(fd, &s->local) && stream_watch(s, fd, EPOLLIN))
		return;
	s->fd = fd;
	tcp_stream_free(s);
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

		tcp_stream_flush(s);
		s = tcp_stream_find(t, id);
	}
	if (s && s->state != TCP_STATE_BROKEN && events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		tcp_stream_read(s);
}

/* ---- who uses it ---- */

void tcp_stream_hold(struct tcp *t, uint32_t id, uint64_t owner)
{
	struct tcp_stream *s = tcp_stream_find(t, id);

	if (!s)
		return;
	s->owner = owner;
	s->ending = s->fresh = false;
	if (s->holds++ > 0)
		return;
	if (s->source)
		tcp_source_waits(t, s->source, false);
	/* the timer of a connection that is being made goes on */
	if (tcp_stream_can_write(s))
		timer_stop(loop_wheel(t->loop), &s->timer);
}

void tcp_stream_release(struct tcp *t, uint32_t id)
{
	struct tcp_stream *s = tcp_stream_find(t, id);

	if (!s || s->holds == 0 || --s->holds > 0)
		return;
	if (s->source) {
		/* RFC 9329, 6.1: it is the peer's to close, within reason */
		tcp_source_waits(t, s->source, true);
		stream_wait(s, LIMIT_STREAM_WAIT_MS);
	} else if (s->out && tcp_stream_can_write(s)) {
		s->ending = true;
		stream_wait(s, ENDING_MS);
	} else {
		tcp_stream_free(s);
	}
}

void tcp_stream_reconnect(struct tcp *t, uint32_t id)
{
	struct tcp_stream *s = tcp_stream_find(t, id);

	if (!s || s->source || !s->holds)
		return;
	s->retries = 0; /* there is a reason to hope */
	if (s->state == TCP_STATE_OPEN || s->state == TCP_STATE_CONNECTING)
		tcp_stream_broken(s, "our address has changed");
	else
		stream_wait(s, 0);
}

void tcp_streams_close(struct tcp *t)
{
	LIST_FOREACH_SAFE(it, &t->list)
		tcp_stream_free(list_entry(it, struct tcp_stream, link));
}
