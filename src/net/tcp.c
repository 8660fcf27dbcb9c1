/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tcp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "loop/thread.h"
#include "net/tcp_stream.h"
#include "proto/limits.h"
#include "util/log.h"
#include "util/mem.h"
#include "util/writer.h"

/* ---- the thread ---- */

static bool tcp_run_mail(struct tcp *t, struct mail *m)
{
	struct tcp_mail *tm = container_of(m, struct tcp_mail, mail);

	switch ((enum tcp_mail_kind)m->kind) {
	case TCP_MAIL_SEND:
		tcp_stream_send(t, container_of(m, struct tcp_out, mail));
		return true;
	case TCP_MAIL_CONNECT:
		tcp_stream_connect(t, tm);
		break;
	case TCP_MAIL_HOLD:
		tcp_stream_hold(t, tm->stream, tm->owner);
		break;
	case TCP_MAIL_RELEASE:
		tcp_stream_release(t, tm->stream);
		break;
	case TCP_MAIL_RECONNECT:
		tcp_stream_reconnect(t, tm->stream);
		break;
	case TCP_MAIL_STOP:
		free(tm);
		return false;
	}
	free(tm);
	return true;
}

static void tcp_take_mail(void *arg, uint32_t events)
{
	struct tcp *t = arg;

	(void)events;
	for (struct mail *m = mailbox_take(t->box), *next; m; m = next) {
		next = m->next;
		if (!tcp_run_mail(t, m))
			loop_stop(t->loop);
	}
	tcp_streams_flush(t);
}

static void *tcp_main(void *arg)
{
	struct tcp *t = arg;

	loop_run(t->loop);
	tcp_listen_close(t);
	tcp_take_mail(t, 0);
	tcp_streams_close(t);
	return NULL;
}

struct result tcp_new(const struct tcp_options *options, struct tcp **ret_tcp, struct errtext *err)
{
	struct tcp *t = xcalloc(1, sizeof(*t));

	t->options = *options;
	t->listen_fds[0] = t->listen_fds[1] = -1;
	t->log_limit = (struct ratelimit){ .per_second = 2, .burst = 20 };
	list_init(&t->list);
	list_init(&t->to_flush);
	t->rx = xmalloc(65536 + TCP_READ_MAX);
	if (getrandom(&t->hash, sizeof(t->hash), 0) != (ssize_t)sizeof(t->hash))
		t->hash = (struct hash_key){ (uintptr_t)t, clock_monotonic_ms() };
	t->loop = loop_new();
	t->box = mailbox_new();
	if (!t->loop || !t->box) {
		errtext_set(err, "no event loop for TCP: %s", strerror(errno));
	} else if (tcp_listen(t, err)) {
		*ret_tcp = t;
		return result_ok();
	}
	tcp_free(t);
	return result_fail(RESULT_SYSTEM, "TCP cannot be used");
}

bool tcp_start(struct tcp *t, const struct tcp_user *user, struct errtext *err)
{
	int e;

	t->user = *user;
	if (!loop_add(t->loop, mailbox_fd(t->box), EPOLLIN, tcp_take_mail, t) || !tcp_listen_watch(t)) {
		errtext_set(err, "cannot watch TCP sockets: %s", strerror(errno));
		return false;
	}
	e = thread_start(&t->thread, "bewick-tcp", tcp_main, t);
	if (e) {
		errtext_set(err, "cannot start the thread for TCP: %s", strerror(e));
		return false;
	}
	t->runs = true;
	return true;
}

static void tcp_mail_drop(struct mail *m)
{
	struct tcp_mail *tm = container_of(m, struct tcp_mail, mail);

	if (m->kind == TCP_MAIL_CONNECT)
		close(tm->fd);
	free(tm);
}

static void tcp_post(struct tcp *t, enum tcp_mail_kind kind, struct tcp_mail mail)
{
	struct tcp_mail *m = xmalloc(sizeof(*m));

	*m = mail;
	m->mail = (struct mail){ .kind = kind, .drop = tcp_mail_drop };
	mailbox_post(t->box, &m->mail);
}

void tcp_stop(struct tcp *t)
{
	if (!t || !t->runs)
		return;
	tcp_post(t, TCP_MAIL_STOP, (struct tcp_mail){ 0 });
	pthread_join(t->thread, NULL);
	mailbox_close(t->box);
	t->runs = false;
}

void tcp_free(struct tcp *t)
{
	if (!t)
		return;
	tcp_stop(t);
	tcp_listen_close(t);
	if (t->box)
		mailbox_free(t->box);
	if (t->loop)
		loop_free(t->loop);
	hashtab_clear(&t->streams);
	hashtab_clear(&t->sources);
	free(t->rx);
	free(t);
}

/* ---- any thread ---- */

uint16_t tcp_port(const struct tcp *t)
{
	return t->options.port;
}

static bool tcp_bind(int fd, const struct addr *local, int family)
{
	static const uint8_t zero[16];
	struct addr at = local->family ? *local : addr_from_ip(family, zero);
	struct sockaddr_storage sa;
	socklen_t len;

	at.port = 0;
	len = addr_to_sockaddr(&at, &sa);
	return bind(fd, (struct sockaddr *)&sa, len) == 0;
}

bool tcp_connect(struct tcp *t, struct addr *local, bool bound, const struct addr *remote, uint32_t *ret_stream)
{
	int fd = socket(remote->family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP);
	struct addr name;
	int e;

	if (fd < 0)
		return false;
	tcp_socket_prepare(t, fd, remote->family);
	/* the port is known from here on: NAT detection covers it (RFC 9329, 6.5) */
	if (!tcp_bind(fd, local, remote->family) || !tcp_socket_name(fd, &name)) {
		e = errno;
		close(fd);
		errno = e;
		return false;
	}
	if (local->family == 0)
		*local = name;
	local->port = name.port;
	do
		*ret_stream = atomic_fetch_add(&t->next_id, 1) + 1;
	while (*ret_stream == 0);
	tcp_post(t, TCP_MAIL_CONNECT, (struct tcp_mail){ .stream = *ret_stream, .fd = fd, .local = *local, .remote = *remote,
							  .bound = bound });
	return true;
}

void tcp_hold(struct tcp *t, uint32_t stream, uint64_t owner)
{
	tcp_post(t, TCP_MAIL_HOLD, (struct tcp_mail){ .stream = stream, .owner = owner });
}

void tcp_release(struct tcp *t, uint32_t stream)
{
	tcp_post(t, TCP_MAIL_RELEASE, (struct tcp_mail){ .stream = stream });
}

void tcp_reconnect(struct tcp *t, uint32_t stream)
{
	tcp_post(t, TCP_MAIL_RECONNECT, (struct tcp_mail){ .stream = stream });
}

static void tcp_out_drop(struct mail *m)
{
	free(container_of(m, struct tcp_out, mail));
}

static struct tcp_out *tcp_out_new(struct tcp *t, uint32_t stream, size_t n)
{
	struct tcp_out *out = xmalloc(sizeof(*out) + n);

	*out = (struct tcp_out){ .mail = { .kind = TCP_MAIL_SEND, .drop = tcp_out_drop }, .tcp = t, .stream = stream, .n = n };
	return out;
}

static void tcp_out_post(struct tcp_out *out)
{
	atomic_fetch_add_explicit(&out->tcp->mailed, out->n, memory_order_relaxed);
	mailbox_post(out->tcp->box, &out->mail);
}

void tcp_send_ike(struct tcp *t, uint32_t stream, struct bytes message)
{
	size_t n = TCP_LENGTH_LEN + 4 + message.n;
	struct tcp_out *out;
	struct writer w;

	if (n > 65535) {
		TCP_COUNT(t, dropped_out, 1);
		return;
	}
	out = tcp_out_new(t, stream, n);
	w = writer_of(out->data, n);
	writer_u16(&w, (uint16_t)n);
	writer_u32(&w, 0);
	writer_bytes(&w, message);
	out->count = 1;
	tcp_out_post(out);
}

size_t tcp_send_esp(struct tcp *t, uint32_t stream, const struct bytes *packets, size_t n)
{
	struct tcp_out *out;
	struct writer w;
	size_t bytes = 0;

	for (size_t i = 0; i < n; i++)
		bytes += packets[i].n <= TCP_MESSAGE_MAX ? TCP_LENGTH_LEN + packets[i].n : 0;
	if (bytes == 0 || atomic_load_explicit(&t->mailed, memory_order_relaxed) + bytes > LIMIT_STREAM_MAIL) {
		TCP_COUNT(t, dropped_out, n);
		return 0;
	}
	out = tcp_out_new(t, stream, bytes);
	out->esp = true;
	w = writer_of(out->data, bytes);
	for (size_t i = 0; i < n; i++) {
		if (packets[i].n > TCP_MESSAGE_MAX)
			continue;
		writer_u16(&w, (uint16_t)(TCP_LENGTH_LEN + packets[i].n));
		writer_bytes(&w, packets[i]);
		out->count++;
	}
	n = out->count;
	tcp_out_post(out);
	return n;
}

struct tcp_counters tcp_counters(const struct tcp *t)
{
#define LOAD(WHAT) .WHAT = atomic_load_explicit(&t->counters.WHAT, memory_order_relaxed)
	return (struct tcp_counters){
		LOAD(accepted), LOAD(refused), LOAD(connected), LOAD(broken), LOAD(streams), LOAD(ike_in), LOAD(ike_out),
		LOAD(esp_in), LOAD(esp_out), LOAD(dropped_in), LOAD(dropped_out),
	};
#undef LOAD
}
