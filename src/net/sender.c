/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "net/net_worker.h"
#include "net/tcp.h"
#include "proto/limits.h"
#include "util/log.h"
#include "util/mem.h"

/* A buffer that one large message made larger than this is not kept. */
#define SENDER_KEEP 4096

struct send_entry {
	struct addr local, remote;
	uint8_t *p; /* kept for the next message of this place */
	size_t n, cap;
	uint8_t tos;
};

/* Ring of messages for one socket, in the order they were queued. */
struct send_queue {
	size_t head, count;
	struct send_entry ring[NET_QUEUE];
};

union sender_control {
	struct cmsghdr align;
	char b[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int))];
};

struct sender {
	struct mmsghdr msgs[NET_BATCH];
	struct iovec iovs[NET_BATCH];
	struct sockaddr_storage names[NET_BATCH];
	union sender_control controls[NET_BATCH];
};

struct sender *sender_new(void)
{
	return xcalloc(1, sizeof(struct sender));
}

void sender_free(struct sender *s)
{
	free(s);
}

void send_queue_free(struct send_queue *q)
{
	if (!q)
		return;
	for (size_t i = 0; i < NET_QUEUE; i++)
		free(q->ring[i].p);
	free(q);
}

static void send_queue_pop(struct send_queue *q)
{
	struct send_entry *e = &q->ring[q->head];

	if (e->cap > SENDER_KEEP) {
		free(e->p);
		e->p = NULL;
		e->cap = 0;
	}
	q->head = (q->head + 1) % NET_QUEUE;
	q->count--;
}

/* Space for a message of n bytes at the end, or NULL: full. */
static struct send_entry *send_queue_push(struct send_queue *q, size_t n)
{
	struct send_entry *e = &q->ring[(q->head + q->count) % NET_QUEUE];

	if (q->count == NET_QUEUE)
		return NULL;
	q->count++;
	if (n > e->cap) {
		e->cap = n < 512 ? 512 : n;
		e->p = xrealloc(e->p, e->cap);
	}
	e->n = n;
	return e;
}

static bool sender_needs_source(const struct addr *local)
{
	return local->family && !addr_is_any(local);
}

static void sender_add_control(struct msghdr *h, int level, int type, const void *data, size_t n)
{
	struct cmsghdr *c = (struct cmsghdr *)((char *)h->msg_control + h->msg_controllen);

	c->cmsg_len = CMSG_LEN(n);
	c->cmsg_level = level;
	c->cmsg_type = type;
	memcpy(CMSG_DATA(c), data, n);
	h->msg_controllen += CMSG_SPACE(n);
}

/* The pktinfo that makes `local` the source. */
static void sender_set_source(struct msghdr *h, const struct addr *local)
{
	struct in_pktinfo v4 = { 0 };
	struct in6_pktinfo v6 = { .ipi6_ifindex = local->scope };

	if (local->family == AF_INET) {
		memcpy(&v4.ipi_spec_dst, local->ip, sizeof(v4.ipi_spec_dst));
		sender_add_control(h, IPPROTO_IP, IP_PKTINFO, &v4, sizeof(v4));
	} else {
		memcpy(&v6.ipi6_addr, local->ip, sizeof(v6.ipi6_addr));
		sender_add_control(h, IPPROTO_IPV6, IPV6_PKTINFO, &v6, sizeof(v6));
	}
}

static void sender_set_control(struct msghdr *h, union sender_control *control, const struct send_entry *e)
{
	bool v4 = e->remote.family == AF_INET;
	int tos = e->tos;

	if (!tos && !sender_needs_source(&e->local))
		return;
	memset(control, 0, sizeof(*control));
	h->msg_control = control->b;
	if (sender_needs_source(&e->local))
		sender_set_source(h, &e->local);
	if (tos)
		sender_add_control(h, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS, &tos, sizeof(tos));
}

static unsigned sender_prepare(struct sender *s, struct send_queue *q)
{
	unsigned n = q->count < NET_BATCH ? (unsigned)q->count : NET_BATCH;

	for (unsigned i = 0; i < n; i++) {
		struct send_entry *e = &q->ring[(q->head + i) % NET_QUEUE];
		struct msghdr *h = &s->msgs[i].msg_hdr;

		s->iovs[i] = (struct iovec){ e->p, e->n };
		*h = (struct msghdr){ .msg_name = &s->names[i],
				      .msg_iov = &s->iovs[i],
				      .msg_iovlen = 1 };
		h->msg_namelen = addr_to_sockaddr(&e->remote, &s->names[i]);
		sender_set_control(h, &s->controls[i], e);
	}
	return n;
}

static uint64_t sender_now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Peers can provoke these: few lines, and the number of those left out. */
static void sender_log_failure(struct net_worker *w, const struct send_entry *e, int error)
{
	if (!ratelimit_take(&w->log_limit, sender_now_ms())) {
		w->log_skipped++;
		return;
	}
	LOG(NET, 1,
	    "sending %zu bytes from %s to %s failed: %s (%" PRIu64
	    " more since the last such line)",
	    e->n, addr_format_port(&e->local).s, addr_format_port(&e->remote).s, strerror(error),
	    w->log_skipped);
	w->log_skipped = 0;
}

/* One system call. False: the socket's buffer is full. */
static bool sender_flush_batch(struct net_worker *w, enum net_sock sock, struct send_queue *q)
{
	unsigned n = sender_prepare(w->sender, q);
	int sent = sendmmsg(w->fds[sock], w->sender->msgs, n, MSG_DONTWAIT);
	int error = errno;

	if (sent < 0 && error == EINTR)
		return true;
	if (sent < 0 && error == EAGAIN)
		return false;
	if (sent <= 0) {
		/* it is the first that was refused */
		w->counters.send_errors++;
		sender_log_failure(w, &q->ring[q->head], error);
		send_queue_pop(q);
		return true;
	}
	for (int i = 0; i < sent; i++) {
		w->counters.sent++;
		w->counters.sent_bytes += q->ring[q->head].n;
		send_queue_pop(q);
	}
	return true;
}

static bool sender_flush_sock(struct net_worker *w, enum net_sock sock)
{
	struct send_queue *q = w->queues[sock];

	while (q && q->count)
		if (!sender_flush_batch(w, sock, q))
			return false;
	return true;
}

unsigned net_flush(struct net_worker *w)
{
	unsigned full = 0;

	for (enum net_sock sock = 0; sock < NET_SOCKS; sock++)
		if (!sender_flush_sock(w, sock))
			full |= 1u << sock;
	return full;
}

static enum net_sock sender_choose(const struct net_worker *w, const struct addr *local,
				   const struct addr *remote)
{
	return net_sock_of(remote->family == AF_INET6, local->port == w->port_nat_t);
}

static bool sender_can_send(const struct net_worker *w, enum net_sock sock,
			    const struct addr *local, const struct addr *remote)
{
	if (w->fds[sock] < 0 || addr_len(remote) == 0)
		return false;
	return local->family == 0 || local->family == remote->family;
}

static void sender_queue(struct net_worker *w, enum net_sock sock, const struct addr *local,
			 const struct addr *remote, size_t marker, uint8_t tos, struct bytes data)
{
	struct send_queue **q = &w->queues[sock];
	struct send_entry *e = NULL;

	if (sender_can_send(w, sock, local, remote) && data.n <= LIMIT_DATAGRAM) {
		if (!*q)
			*q = xcalloc(1, sizeof(**q));
		e = send_queue_push(*q, marker + data.n);
	}
	if (!e) {
		w->counters.send_dropped++;
		return;
	}
	e->local = *local;
	e->remote = *remote;
	e->tos = tos;
	memset(e->p, 0, marker);
	if (data.n)
		memcpy(e->p + marker, data.p, data.n);
	/* a whole batch: send it while the messages are in the cache */
	if ((*q)->count % NET_BATCH == 0)
		(void)sender_flush_sock(w, sock);
}

void net_send_dscp(struct net_worker *w, const struct addr *local, const struct addr *remote, unsigned dscp,
		   struct bytes data)
{
	enum net_sock sock = sender_choose(w, local, remote);

	/* RFC 9329, 9.3: packets of one connection are marked alike */
	if (remote->stream) {
		if (w->tcp)
			tcp_send_ike(w->tcp, remote->stream, data);
		return;
	}
	sender_queue(w, sock, local, remote, net_sock_is_natt(sock) ? NATT_MARKER_LEN : 0, (uint8_t)(dscp << 2), data);
}

void net_send(struct net_worker *w, const struct addr *local, const struct addr *remote,
	      struct bytes data)
{
	net_send_dscp(w, local, remote, 0, data);
}

void net_send_keepalive(struct net_worker *w, const struct addr *local, const struct addr *remote)
{
	static const uint8_t keepalive = 0xff;

	/* RFC 9329 6.6 SHOULD NOT */
	if (remote->stream)
		return;
	sender_queue(w, sender_choose(w, local, remote), local, remote, 0, 0, bytes_of(&keepalive, 1));
}
