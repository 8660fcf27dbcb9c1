/* SPDX-License-Identifier: Apache-2.0 */
#include "out_send.h"

#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>

#include "loop/loop.h"

#define GSO_BYTES_MAX 65000
#define GSO_SEGMENTS_MAX 64
#define SEND_WAIT_MS 100

void out_sender_init(struct out_sender *s, struct lane *lane)
{
	s->lane = lane;
	s->pmtus.key = lane->dp->hash_key;
	s->df_now[0] = s->df_now[1] = -1;
}

/* ---- messages ---- */

static void control_add(struct msghdr *m, int level, int type, const void *data, size_t n)
{
	struct cmsghdr *c = (struct cmsghdr *)((uint8_t *)m->msg_control + m->msg_controllen);

	c->cmsg_level = level;
	c->cmsg_type = type;
	c->cmsg_len = CMSG_LEN(n);
	memcpy(CMSG_DATA(c), data, n);
	m->msg_controllen += CMSG_SPACE(n);
}

/* Source address and TOS. */
static void out_msg_control(struct msghdr *m, const struct out_dest *d, uint8_t tos)
{
	bool v4 = d->remote.family == AF_INET;
	int value = tos;

	if (v4 && !addr_is_any(&d->local)) {
		struct in_pktinfo info = { 0 };

		memcpy(&info.ipi_spec_dst, d->local.ip, 4);
		control_add(m, IPPROTO_IP, IP_PKTINFO, &info, sizeof(info));
	} else if (!v4 && !addr_is_any(&d->local)) {
		struct in6_pktinfo info = { .ipi6_ifindex = d->local.scope };

		memcpy(&info.ipi6_addr, d->local.ip, 16);
		control_add(m, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof(info));
	}
	if (tos)
		control_add(m, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_TOS : IPV6_TCLASS, &value, sizeof(value));
}

static void out_msg_begin(struct out_sender *s, size_t i, struct iovec *iov, const struct out_group *g,
			  const struct out_item *item)
{
	struct msghdr *m = &s->msgs[i].msg_hdr;

	memset(s->control[i].bytes, 0, sizeof(s->control[i].bytes));
	*m = (struct msghdr){ .msg_name = (void *)&g->dest.to, .msg_namelen = g->dest.to_len, .msg_iov = iov, .msg_iovlen = 1,
			      .msg_control = s->control[i].bytes };
	*iov = (struct iovec){ (void *)item->packet.p, item->packet.n };
	s->about[i] = (struct out_msg){ g, item->tos, 1, item->packet.n, item->packet.n };
	out_msg_control(m, &g->dest, item->tos);
}

/* Whether an item can be one more segment of a message (UDP_SEGMENT: all but the last are of one size). */
static bool out_msg_takes(const struct out_sender *s, size_t i, const struct out_group *g, const struct out_item *item)
{
	const struct out_msg *m = &s->about[i];

	return m->group == g && m->tos == item->tos && m->last == m->size && item->packet.n <= m->size &&
	       m->n < GSO_SEGMENTS_MAX && (m->n + 1) * m->size <= GSO_BYTES_MAX;
}

/* One more packet in message i; how many iovecs that took. */
static size_t out_msg_add(struct out_sender *s, size_t i, const struct out_item *item)
{
	struct msghdr *m = &s->msgs[i].msg_hdr;
	struct iovec *end = &m->msg_iov[m->msg_iovlen - 1];

	s->about[i].n++;
	s->about[i].last = item->packet.n;
	if ((uint8_t *)end->iov_base + end->iov_len == item->packet.p) {
		end->iov_len += item->packet.n;
		return 0;
	}
	end[1] = (struct iovec){ (void *)item->packet.p, item->packet.n };
	m->msg_iovlen++;
	return 1;
}

/* Messages of all items of one kind; how many. */
static size_t out_gather(struct out_sender *s, const struct out_group *const *groups, size_t n_groups,
			 const struct out_item *items, uint8_t family, bool df)
{
	size_t n = 0, n_iov = 0;

	for (size_t k = 0; k < n_groups; k++) {
		const struct out_group *g = groups[k];

		if (g->dest.remote.family != family || g->dest.remote.stream)
			continue;
		for (uint16_t i = g->first[df]; i != OUT_ITEM_NONE; i = items[i].next) {
			const struct out_item *item = &items[i];

			if (!item->packet.n)
				continue;
			if (s->lane->use_gso && n && out_msg_takes(s, n - 1, g, item)) {
				n_iov += out_msg_add(s, n - 1, item);
				continue;
			}
			out_msg_begin(s, n++, &s->iov[n_iov++], g, item);
		}
	}
	for (size_t i = 0; i < n; i++) {
		uint16_t size = (uint16_t)s->about[i].size;

		if (s->about[i].n > 1)
			control_add(&s->msgs[i].msg_hdr, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size));
	}
	return n;
}

/* ---- sending ---- */

static void out_set_df(struct out_sender *s, int fd, uint8_t family, bool df)
{
	bool v4 = family == AF_INET;
	int value = v4 ? (df ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT) : (df ? IPV6_PMTUDISC_DO : IPV6_PMTUDISC_DONT);

	if (s->df_now[!v4] == df)
		return;
	/* Cannot fail with these values; then packets would go as before. */
	(void)setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &value,
			 sizeof(value));
	s->df_now[!v4] = df;
}

/* The path is narrower than the packet: the next ones like it are answered by ICMP. */
static enum drop out_learn_mtu(struct out_sender *s, const struct out_dest *d)
{
	uint64_t now_ms = clock_monotonic_ms();

	if (!pmtu_find(&s->pmtus, &d->remote, now_ms)) {
		size_t mtu = pmtu_ask(&d->remote, s->lane->dp->mark);

		if (mtu)
			pmtu_keep(&s->pmtus, &d->remote, mtu, now_ms);
	}
	return DROP_TOO_BIG;
}

/* False: waited in vain, or the end has come. */
static bool out_wait(const struct out_sender *s, int fd)
{
	struct pollfd fds[2] = { { fd, POLLOUT, 0 }, { s->lane->dp->stop_fd, POLLIN, 0 } };

	return poll(fds, 2, SEND_WAIT_MS) > 0 && !fds[1].revents && (fds[0].revents & POLLOUT);
}

/* The segments of a message that could not go together, one by one. */
static void out_send_apart(struct out_sender *s, int fd, size_t i)
{
	struct msghdr m = s->msgs[i].msg_hdr;
	const struct out_msg *about = &s->about[i];
	const struct out_dest *d = &about->group->dest;
	struct iovec *from = m.msg_iov, one;
	size_t at = 0;

	m.msg_iov = &one;
	m.msg_iovlen = 1;
	m.msg_controllen -= about->n > 1 ? CMSG_SPACE(sizeof(uint16_t)) : 0;
	for (size_t k = 0; k < about->n; k++, at += one.iov_len) {
		if (at == from->iov_len) {
			from++;
			at = 0;
		}
		one = (struct iovec){ (uint8_t *)from->iov_base + at, k + 1 < about->n ? about->size : about->last };
		while (sendmsg(fd, &m, 0) < 0) {
			if (errno == EINTR || (errno == EAGAIN && out_wait(s, fd)))
				continue;
			drop_count(&s->lane->dp->drops, errno == EMSGSIZE ? out_learn_mtu(s, d) : DROP_SEND);
			break;
		}
	}
}

static void out_send_msgs(struct out_sender *s, int fd, size_t n)
{
	size_t i = 0;

	while (i < n) {
		int sent = sendmmsg(fd, s->msgs + i, (unsigned)(n - i), 0);

		if (sent > 0) {
			i += (size_t)sent;
			continue;
		}
		if (errno == EINTR || (errno == EAGAIN && out_wait(s, fd)))
			continue;
		/* No offload on this route, or segments larger than its MTU. */
		if (s->about[i].n > 1 && (errno == EIO || errno == EOPNOTSUPP))
			s->lane->use_gso = false;
		out_send_apart(s, fd, i);
		i++;
	}
}

static void out_send_run(struct dataplane *dp, uint32_t stream, const struct bytes *run, size_t n)
{
	size_t taken = dp->stream_send ? dp->stream_send(dp->stream_arg, stream, run, n) : 0;

	for (size_t i = taken; i < n; i++)
		drop_count(&dp->drops, DROP_SEND);
}

/* To a TCP stream, in their order. */
static void out_send_stream(struct dataplane *dp, const struct out_group *g, const struct out_item *items)
{
	struct bytes run[STREAM_MAX];
	size_t n = 0;

	for (int df = 0; df < 2; df++) {
		for (uint16_t i = g->first[df]; i != OUT_ITEM_NONE; i = items[i].next) {
			if (items[i].packet.n)
				run[n++] = items[i].packet;
			if (n == ARRAY_LEN(run)) {
				out_send_run(dp, g->dest.remote.stream, run, n);
				n = 0;
			}
		}
	}
	if (n)
		out_send_run(dp, g->dest.remote.stream, run, n);
}

void out_sender_send(struct out_sender *s, const struct out_group *const *groups, size_t n, const struct out_item *items)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < n; i++)
		if (groups[i]->dest.remote.stream)
			out_send_stream(s->lane->dp, groups[i], items);
	for (int f = 0; f < 2; f++) {
		int fd = families[f] == AF_INET ? s->lane->fd4 : s->lane->fd6;

		for (int df = 0; df < 2; df++) {
			size_t msgs = out_gather(s, groups, n, items, families[f], df);

			if (!msgs)
				continue;
			out_set_df(s, fd, families[f], df);
			out_send_msgs(s, fd, msgs);
		}
	}
}
