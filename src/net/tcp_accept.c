/* SPDX-License-Identifier: Apache-2.0 */
/* Who may connect: listening sockets, and the limits of streams in all and per source address. */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "net/net.h"
#include "net/tcp_stream.h"
#include "proto/limits.h"
#include "util/log.h"
#include "util/mem.h"

#define LISTEN_BACKLOG 256
#define ACCEPT_MAX 64        /* per turn, so that streams have theirs */
#define ACCEPT_PAUSE_MS 1000 /* when there are no descriptors left */
#define SILENCE_MS 20000     /* what is not acknowledged for so long breaks the connection */
#define UNSENT_MAX 131072    /* bytes: more only waits, and ESP is late anyway */

static bool tcp_set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof(value)) == 0;
}

void tcp_socket_prepare(const struct tcp *t, int fd, int family)
{
	/* best effort: without them it is slower, or finds out later; a mark that cannot be set is refused for UDP before */
	(void)tcp_set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	(void)tcp_set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, SILENCE_MS);
	(void)tcp_set(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, UNSENT_MAX);
	if (t->options.mark)
		(void)tcp_set(fd, SOL_SOCKET, SO_MARK, (int)t->options.mark);
	if (t->options.bypass)
		(void)!net_bypass_policies(fd, family);
}

bool tcp_socket_name(int fd, struct addr *ret_local)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);

	return getsockname(fd, (struct sockaddr *)&sa, &len) == 0 && addr_from_sockaddr(&sa, ret_local);
}

/* ---- sources ---- */

static struct tcp_source *tcp_source_find(struct tcp *t, const struct addr *remote, uint64_t *ret_hash)
{
	*ret_hash = hash_bytes(&t->hash, bytes_of(remote->ip, addr_len(remote)));
	for (struct hashnode *n = hashtab_first(&t->sources, *ret_hash); n; n = hashtab_next(n)) {
		struct tcp_source *s = container_of(n, struct tcp_source, node);

		if (addr_equal_ip(&s->addr, remote))
			return s;
	}
	return NULL;
}

struct tcp_source *tcp_source_take(struct tcp *t, const struct addr *remote)
{
	uint64_t hash;
	struct tcp_source *s = tcp_source_find(t, remote, &hash);

	if (t->accepted >= LIMIT_STREAMS || t->waiting >= LIMIT_STREAMS_WAITING ||
	    (s && (s->total >= LIMIT_STREAMS_SOURCE || s->waiting >= LIMIT_STREAMS_SOURCE_WAITING)))
		return NULL;
	if (!s) {
		s = xcalloc(1, sizeof(*s));
		s->addr = *remote;
		hashtab_insert(&t->sources, &s->node, hash);
	}
	t->accepted++;
	s->total++;
	tcp_source_waits(t, s, true);
	return s;
}

void tcp_source_waits(struct tcp *t, struct tcp_source *s, bool waiting)
{
	t->waiting += waiting ? 1 : -1u;
	s->waiting += waiting ? 1 : -1u;
}

void tcp_source_give(struct tcp *t, struct tcp_source *s, bool waiting)
{
	if (waiting)
		tcp_source_waits(t, s, false);
	t->accepted--;
	if (--s->total > 0)
		return;
	hashtab_remove(&t->sources, &s->node);
	free(s);
}

/* ---- listening ---- */

void tcp_refuse(struct tcp *t, int fd)
{
	struct linger reset = { 1, 0 }; /* no state stays, not even the kernel's */

	TCP_COUNT(t, refused, 1);
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(fd);
}

static void tcp_listen_again(struct timer *timer)
{
	struct tcp *t = container_of(timer, struct tcp, listen_timer);

	for (int i = 0; i < 2; i++)
		if (t->listen_lfds[i])
			loop_modify(t->listen_lfds[i], EPOLLIN);
}

static void tcp_listen_pause(struct tcp *t)
{
	LOG(NET, LOG_LEVEL_CONTROL, "cannot accept TCP connections: %s", strerror(errno));
	for (int i = 0; i < 2; i++)
		if (t->listen_lfds[i])
			loop_modify(t->listen_lfds[i], 0);
	timer_start(loop_wheel(t->loop), &t->listen_timer, loop_now(t->loop) + ACCEPT_PAUSE_MS, tcp_listen_again);
}

static void tcp_accept(struct tcp *t, int listen_fd)
{
	for (int i = 0; i < ACCEPT_MAX; i++) {
		struct sockaddr_storage sa = { 0 };
		socklen_t len = sizeof(sa);
		struct addr remote;
		int fd = accept4(listen_fd, (struct sockaddr *)&sa, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS))
			tcp_listen_pause(t);
		if (fd < 0 && errno != ECONNABORTED && errno != EINTR)
			return;
		if (fd < 0)
			continue;
		if (addr_from_sockaddr(&sa, &remote))
			tcp_stream_accept(t, fd, &remote);
		else
			tcp_refuse(t, fd);
	}
}

static void tcp_accept_v4(void *arg, uint32_t events)
{
	(void)events;
	tcp_accept(arg, ((struct tcp *)arg)->listen_fds[0]);
}

static void tcp_accept_v6(void *arg, uint32_t events)
{
	(void)events;
	tcp_accept(arg, ((struct tcp *)arg)->listen_fds[1]);
}

static int tcp_listen_one(const struct tcp *t, int family)
{
	static const uint8_t zero[16];
	struct addr any = addr_from_ip(family, zero);
	int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_TCP), e;
	struct sockaddr_storage sa;
	socklen_t len;

	if (fd < 0)
		return -1;
	any.port = t->options.port;
	len = addr_to_sockaddr(&any, &sa);
	tcp_socket_prepare(t, fd, family);
	if (tcp_set(fd, SOL_SOCKET, SO_REUSEADDR, 1) && (family == AF_INET || tcp_set(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1)) &&
	    bind(fd, (struct sockaddr *)&sa, len) == 0 && listen(fd, LISTEN_BACKLOG) == 0)
		return fd;
	e = errno;
	close(fd);
	errno = e;
	return -1;
}

bool tcp_listen(struct tcp *t, struct errtext *err)
{
	static const int families[] = { AF_INET, AF_INET6 };
	bool wanted[] = { t->options.ipv4, t->options.ipv6 };

	for (int i = 0; t->options.port && i < 2; i++) {
		if (!wanted[i])
			continue;
		t->listen_fds[i] = tcp_listen_one(t, families[i]);
		if (t->listen_fds[i] >= 0)
			continue;
		if (errno == EADDRINUSE)
			errtext_set(err, "TCP port %u is in use by another program; stop it or set bewickd.tcp_port", t->options.port);
		else
			errtext_set(err, "cannot listen on TCP port %u: %s", t->options.port, strerror(errno));
		return false;
	}
	if (t->options.port)
		LOG(NET, LOG_LEVEL_CONTROL, "listening on TCP port %u for IKE and ESP", t->options.port);
	return true;
}

bool tcp_listen_watch(struct tcp *t)
{
	for (int i = 0; i < 2; i++) {
		if (t->listen_fds[i] < 0)
			continue;
		t->listen_lfds[i] = loop_add(t->loop, t->listen_fds[i], EPOLLIN, i ? tcp_accept_v6 : tcp_accept_v4, t);
		if (!t->listen_lfds[i])
			return false;
	}
	return true;
}

void tcp_listen_close(struct tcp *t)
{
	for (int i = 0; i < 2; i++) {
		if (t->listen_lfds[i])
			loop_remove(t->listen_lfds[i]);
		if (t->listen_fds[i] >= 0)
			close(t->listen_fds[i]);
		t->listen_lfds[i] = NULL;
		t->listen_fds[i] = -1;
	}
	timer_stop(loop_wheel(t->loop), &t->listen_timer);
}
