/* SPDX-License-Identifier: Apache-2.0 */
/* From the TUN device to the peers: read, seal under the gate, send. */
#include "dataplane.h"

#include <errno.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "icmp.h"
#include "loop/loop.h"
#include "pmtu.h"
#include "tfc.h"
#include "tun_io.h"

#define PACKET_MAX (65507 - PACKET_TAILROOM - 40) /* what still fits into a UDP datagram when sealed */
#define IPV4_MTU_MIN 68   /* RFC 791 */
#define IPV6_MTU_MIN 1280 /* RFC 8200, 5: below, the outer packet is fragmented instead */
#define GSO_BYTES_MAX 65000
#define GSO_SEGMENTS_MAX 64
#define SEND_WAIT_MS 100
#define ACQUIRE_INTERVAL_MS 1000

/* One packet to be sent; `dest` is an index, runs with the same one can be sent together. */
struct out_item {
	struct bytes packet;
	uint16_t dest;
	uint8_t tos;
	bool df;
};

union out_control {
	struct cmsghdr align;
	uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint16_t))];
};

struct batch_out {
	struct tun_reader in;
	struct out_item items[TUN_PACKETS_MAX];
	size_t n_items;
	struct bytes replies[TUN_PACKETS_MAX]; /* ICMP, to the TUN device */
	size_t n_replies;
	struct out_dest dests[TUN_PACKETS_MAX];
	const struct kernel_handle *dest_of; /* whose the last one is; compared only */
	size_t n_dests;
	struct event_list events;
	struct frag_cache frags;
	struct pmtu_cache pmtus;
	struct tfc tfc;
	int df_now[2]; /* of the IPv4, IPv6 socket; -1 unknown */

	struct mmsghdr msgs[TUN_PACKETS_MAX];
	struct iovec iov[TUN_PACKETS_MAX];
	union out_control control[TUN_PACKETS_MAX];
	const struct out_item *first[TUN_PACKETS_MAX]; /* item of each message's first segment */
};

struct batch_out *batch_out_new(const struct dataplane *dp)
{
	struct batch_out *b = xcalloc(1, sizeof(*b));

	tun_reader_init(&b->in);
	b->frags.key = b->pmtus.key = dp->hash_key;
	b->df_now[0] = b->df_now[1] = -1;
	return b;
}

void batch_out_free(struct batch_out *b)
{
	tun_reader_clear(&b->in);
	tfc_clear(&b->tfc);
	free(b);
}

static void out_tell(struct batch_out *b, const struct kernel_handle *c, enum kernel_event_kind kind)
{
	struct kernel_event ev = child_event(c, kind);

	event_list_add(&b->events, &ev);
}

static void out_tell_limit(struct batch_out *b, const struct kernel_handle *c, enum esp_limit limit)
{
	if (limit != ESP_LIMIT_NONE)
		out_tell(b, c, limit == ESP_LIMIT_SOFT ? KERNEL_EVENT_EXPIRE_SOFT : KERNEL_EVENT_EXPIRE_HARD);
}

/* What a packet says of itself: ports only where they mean something alone (RFC 4301, 4.4.1.1). */
static struct ts out_packet_ts(const struct flow *f, const uint8_t *ip, uint16_t port)
{
	struct addr a = addr_from_ip(f->family, ip);
	struct ts ts = ts_from_addr(&a);

	ts.protocol = f->protocol;
	if (f->has_ports)
		ts.port_from = ts.port_to = port;
	return ts;
}

/* A trap met a packet: the first ones wait for the tunnel, and each of them asks for it; others once a second. */
static enum drop out_acquire(struct dataplane *dp, struct batch_out *b, struct kernel_handle *c, const struct flow *f,
			     struct bytes packet, uint64_t now_ms)
{
	size_t expired = hold_expire(&dp->hold, now_ms);
	bool held = hold_add(&dp->hold, c->child_id, packet, now_ms);

	for (size_t i = 0; i < expired; i++)
		drop_count(&dp->drops, DROP_ACQUIRE);
	if (held || c->acquire_ms == 0 || now_ms - c->acquire_ms >= ACQUIRE_INTERVAL_MS) {
		struct kernel_event ev = child_event(c, KERNEL_EVENT_ACQUIRE);

		c->acquire_ms = now_ms;
		ev.src = c->dest.local;
		ev.dst = c->dest.remote;
		ev.packet_src = out_packet_ts(f, f->src, f->src_port);
		ev.packet_dst = out_packet_ts(f, f->dst, f->dst_port);
		event_list_add(&b->events, &ev);
	}
	return held ? DROP_HELD : DROP_ACQUIRE;
}

/* Whether it fits; decides on the outer "do not fragment". */
static enum drop out_check_size(struct batch_out *b, const struct kernel_handle *c, uint8_t *packet,
				const struct flow *f, uint64_t now_ms, bool *ret_df)
{
	size_t mtu = c->dest.remote.stream ? 0 : pmtu_find(&b->pmtus, &c->dest.remote, now_ms);
	size_t least = f->family == AF_INET ? IPV4_MTU_MIN : IPV6_MTU_MIN;
	size_t room = mtu ? esp_inner_max(&c->out, c->dest.remote.family, mtu) : PACKET_MAX;

	*ret_df = f->df && c->out.copy_df && !c->dest.remote.stream; /* RFC 9329, 6.8 */
	if (f->len <= room)
		return DROP_NONE;
	if (f->len <= PACKET_MAX && (!*ret_df || f->len <= least)) {
		*ret_df = false;
		return DROP_NONE;
	}
	if (*ret_df) {
		b->replies[b->n_replies] = icmp_too_big(packet, f, room > least ? room : least);
		b->n_replies += b->replies[b->n_replies].n > 0;
	}
	return DROP_TOO_BIG;
}

/* RFC 4303, 2.7: behind the packet, whose own length tells where it ends. Not beyond what passes by the path or the device. */
static uint8_t *out_pad(struct dataplane *dp, struct batch_out *b, const struct kernel_handle *c, uint8_t *packet, size_t *n,
			uint64_t now_ms)
{
	size_t mtu = c->dest.remote.stream ? 0 : pmtu_find(&b->pmtus, &c->dest.remote, now_ms);
	size_t room = mtu ? esp_inner_max(&c->out, c->dest.remote.family, mtu) : PACKET_MAX, from = *n, to = c->out.tfc;

	if (to > dp->mtu)
		to = dp->mtu;
	if (to > room)
		to = room;
	if (to <= from)
		return packet;
	*n = to;
	return tfc_pad(&b->tfc, b->n_items, packet, from, to, dp->mtu);
}

static uint16_t out_dest_index(struct batch_out *b, const struct kernel_handle *c)
{
	if (b->dest_of != c) {
		b->dests[b->n_dests++] = c->dest;
		b->dest_of = c;
	}
	return (uint16_t)(b->n_dests - 1);
}

static enum drop out_packet(struct dataplane *dp, struct batch_out *b, uint8_t *packet, size_t n, uint64_t now_ms)
{
	struct out_item *item = &b->items[b->n_items];
	struct kernel_handle *c;
	enum esp_limit limit;
	enum drop drop;
	struct flow f;
	size_t len;

	if (!flow_parse(bytes_of(packet, n), &f))
		return DROP_BAD_INNER;
	frag_cache_find(&b->frags, &f);
	c = policy_find(dp->policies, &f);
	if (!c)
		return DROP_NO_POLICY;
	if (child_is_shunt(c))
		return c->mode == IPSEC_MODE_DROP ? DROP_SHUNT : DROP_PASS;
	if (c->out.spi == 0)
		return out_acquire(dp, b, c, &f, bytes_of(packet, f.len), now_ms);
	drop = out_check_size(b, c, packet, &f, now_ms, &item->df);
	if (drop != DROP_NONE)
		return drop;
	len = f.len;
	if (len < c->out.tfc)
		packet = out_pad(dp, b, c, packet, &len, now_ms);
	drop = esp_encap(&c->out, packet, len, now_ms, &item->packet, &limit);
	out_tell_limit(b, c, limit);
	if (drop != DROP_NONE)
		return drop;
	frag_cache_keep(&b->frags, &f);
	item->tos = esp_outer_tos(&c->out, f.tos);
	item->dest = out_dest_index(b, c);
	b->n_items++;
	return DROP_NONE;
}

/* ---- sending ---- */

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

static void out_msg_begin(struct batch_out *b, size_t i, struct iovec *iov, const struct out_item *item)
{
	struct out_dest *d = &b->dests[item->dest];
	struct msghdr *m = &b->msgs[i].msg_hdr;

	memset(b->control[i].bytes, 0, sizeof(b->control[i].bytes));
	*m = (struct msghdr){ .msg_name = &d->to, .msg_namelen = d->to_len, .msg_iov = iov, .msg_iovlen = 1,
			      .msg_control = b->control[i].bytes };
	*iov = (struct iovec){ (void *)item->packet.p, item->packet.n };
	b->first[i] = item;
	out_msg_control(m, d, item->tos);
}

/* Whether an item can be one more segment of a message (UDP_SEGMENT: all but the last are of one size). */
static bool out_msg_takes(const struct batch_out *b, size_t i, const struct out_item *item)
{
	const struct msghdr *m = &b->msgs[i].msg_hdr;
	size_t size = m->msg_iov[0].iov_len;

	return b->first[i]->dest == item->dest && b->first[i]->tos == item->tos &&
	       m->msg_iov[m->msg_iovlen - 1].iov_len == size && item->packet.n <= size &&
	       m->msg_iovlen < GSO_SEGMENTS_MAX && (m->msg_iovlen + 1) * size <= GSO_BYTES_MAX;
}

/* Messages of all items of one kind; how many. */
static size_t out_gather(struct dataplane *dp, struct batch_out *b, uint8_t family, bool df)
{
	size_t n = 0, n_iov = 0;

	for (size_t i = 0; i < b->n_items; i++) {
		const struct out_item *item = &b->items[i];

		if (item->df != df || b->dests[item->dest].remote.family != family || b->dests[item->dest].remote.stream)
			continue;
		if (dp->use_gso && n && out_msg_takes(b, n - 1, item)) {
			b->iov[n_iov++] = (struct iovec){ (void *)item->packet.p, item->packet.n };
			b->msgs[n - 1].msg_hdr.msg_iovlen++;
			continue;
		}
		out_msg_begin(b, n++, &b->iov[n_iov++], item);
	}
	for (size_t i = 0; i < n; i++) {
		struct msghdr *m = &b->msgs[i].msg_hdr;
		uint16_t size = (uint16_t)m->msg_iov[0].iov_len;

		if (m->msg_iovlen > 1)
			control_add(m, IPPROTO_UDP, UDP_SEGMENT, &size, sizeof(size));
	}
	return n;
}

static void out_set_df(struct batch_out *b, int fd, uint8_t family, bool df)
{
	bool v4 = family == AF_INET;
	int value = v4 ? (df ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT) : (df ? IPV6_PMTUDISC_DO : IPV6_PMTUDISC_DONT);

	if (b->df_now[!v4] == df)
		return;
	/* Cannot fail with these values; then packets would go as before. */
	(void)setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_MTU_DISCOVER : IPV6_MTU_DISCOVER, &value,
			 sizeof(value));
	b->df_now[!v4] = df;
}

/* The path is narrower than the packet: the next ones like it are answered by ICMP. */
static enum drop out_learn_mtu(struct dataplane *dp, struct batch_out *b, const struct out_dest *d)
{
	uint64_t now_ms = clock_monotonic_ms();

	if (!pmtu_find(&b->pmtus, &d->remote, now_ms)) {
		size_t mtu = pmtu_ask(&d->remote, dp->mark);

		if (mtu)
			pmtu_keep(&b->pmtus, &d->remote, mtu, now_ms);
	}
	return DROP_TOO_BIG;
}

/* False: waited in vain, or the end has come. */
static bool out_wait(struct dataplane *dp, int fd)
{
	struct pollfd fds[2] = { { fd, POLLOUT, 0 }, { dp->stop_fd, POLLIN, 0 } };

	return poll(fds, 2, SEND_WAIT_MS) > 0 && !fds[1].revents && (fds[0].revents & POLLOUT);
}

/* The segments of a message that could not go together, one by one. */
static void out_send_apart(struct dataplane *dp, struct batch_out *b, int fd, size_t i)
{
	struct msghdr m = b->msgs[i].msg_hdr;
	const struct out_dest *d = &b->dests[b->first[i]->dest];
	struct iovec *iov = m.msg_iov;
	size_t n = m.msg_iovlen;

	m.msg_iovlen = 1;
	m.msg_controllen -= n > 1 ? CMSG_SPACE(sizeof(uint16_t)) : 0;
	for (size_t s = 0; s < n; s++) {
		m.msg_iov = &iov[s];
		while (sendmsg(fd, &m, 0) < 0) {
			if (errno == EINTR || (errno == EAGAIN && out_wait(dp, fd)))
				continue;
			drop_count(&dp->drops, errno == EMSGSIZE ? out_learn_mtu(dp, b, d) : DROP_SEND);
			break;
		}
	}
}

static void out_send(struct dataplane *dp, struct batch_out *b, int fd, size_t n)
{
	size_t i = 0;

	while (i < n) {
		int sent = sendmmsg(fd, b->msgs + i, (unsigned)(n - i), 0);

		if (sent > 0) {
			i += (size_t)sent;
			continue;
		}
		if (errno == EINTR || (errno == EAGAIN && out_wait(dp, fd)))
			continue;
		/* No offload on this route, or segments larger than its MTU. */
		if (b->msgs[i].msg_hdr.msg_iovlen > 1 && (errno == EIO || errno == EOPNOTSUPP))
			dp->use_gso = false;
		out_send_apart(dp, b, fd, i);
		i++;
	}
}

/* Runs for the same TCP stream, in their order. */
static void out_send_streams(struct dataplane *dp, struct batch_out *b)
{
	struct bytes run[STREAM_MAX];

	for (size_t i = 0, n; i < b->n_items; i += n) {
		uint32_t stream = b->dests[b->items[i].dest].remote.stream;
		size_t taken;

		for (n = 0; i + n < b->n_items && n < ARRAY_LEN(run) && b->dests[b->items[i + n].dest].remote.stream == stream; n++)
			run[n] = b->items[i + n].packet;
		if (!stream)
			continue;
		taken = dp->stream_send ? dp->stream_send(dp->stream_arg, stream, run, n) : 0;
		for (size_t j = taken; j < n; j++)
			drop_count(&dp->drops, DROP_SEND);
	}
}

static void batch_out_send(struct dataplane *dp, struct batch_out *b)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };

	out_send_streams(dp, b);
	for (int f = 0; f < 2 && b->n_items; f++) {
		int fd = families[f] == AF_INET ? dp->fds4[0] : dp->fds6[0];

		for (int df = 0; df < 2; df++) {
			size_t n = out_gather(dp, b, families[f], df);

			if (!n)
				continue;
			out_set_df(b, fd, families[f], df);
			out_send(dp, b, fd, n);
		}
	}
	tun_write(dp->tun_fd, dp->vnet, b->replies, b->n_replies, &dp->drops);
}

/* Packets that were held and have an SA now come into the buffers, up to a batch. Under the gate. */
static void batch_out_take_held(struct dataplane *dp, struct batch_out *b, uint64_t now_ms)
{
	size_t expired = hold_expire(&dp->hold, now_ms);

	for (size_t i = 0; i < expired; i++)
		drop_count(&dp->drops, DROP_ACQUIRE);
	tun_reader_reset(&b->in);
	LIST_FOREACH_SAFE(it, &dp->hold.list) {
		struct held_packet *p = list_entry(it, struct held_packet, link);
		struct kernel_handle *c;
		struct flow f;

		if (!flow_parse(bytes_of(p->data, p->n), &f))
			continue;
		frag_cache_find(&b->frags, &f);
		c = policy_find(dp->policies, &f);
		if (!c || (c->out.spi == 0 && !child_is_shunt(c)))
			continue;
		if (!tun_reader_put(&b->in, bytes_of(p->data, p->n)))
			break;
		hold_remove(&dp->hold, p);
	}
}

static void batch_out_begin(struct batch_out *b)
{
	b->n_items = b->n_replies = b->n_dests = 0;
	b->dest_of = NULL;
}

/* The packets that were read. Under the gate. */
static void batch_out_seal(struct dataplane *dp, struct batch_out *b, uint64_t now_ms)
{
	for (size_t i = 0; i < b->in.n; i++) {
		enum drop drop = out_packet(dp, b, b->in.packets[i].p, b->in.packets[i].n, now_ms);

		if (drop != DROP_NONE)
			drop_count(&dp->drops, drop);
	}
}

size_t batch_out_run(struct dataplane *dp, struct batch_out *b)
{
	size_t n = tun_read(&b->in, dp->tun_fd, dp->vnet, &dp->drops);
	uint64_t now_ms = clock_monotonic_ms();

	if (n == 0)
		return 0;
	atomic_fetch_add_explicit(&dp->batches_out, 1, memory_order_relaxed);
	batch_out_begin(b);
	pthread_mutex_lock(&dp->gate_out);
	batch_out_seal(dp, b, now_ms);
	pthread_mutex_unlock(&dp->gate_out);
	event_list_tell(dp, &b->events);
	batch_out_send(dp, b);
	return n;
}

size_t batch_out_release(struct dataplane *dp, struct batch_out *b)
{
	uint64_t now_ms = clock_monotonic_ms(), count;

	(void)!read(dp->release_fd, &count, sizeof(count));
	batch_out_begin(b);
	pthread_mutex_lock(&dp->gate_out);
	batch_out_take_held(dp, b, now_ms);
	batch_out_seal(dp, b, now_ms);
	pthread_mutex_unlock(&dp->gate_out);
	event_list_tell(dp, &b->events);
	batch_out_send(dp, b);
	return b->in.n;
}
