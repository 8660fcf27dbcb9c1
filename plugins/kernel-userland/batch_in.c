/* SPDX-License-Identifier: Apache-2.0 */
/* From the peers to the TUN device: receive, open under the gate, write. */
#include "dataplane.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>

#include "loop/loop.h"
#include "tun_io.h"
#include "util/ratelimit.h"
#include "util/reader.h"

/* What ESP has between two packets of one datagram: padding, ICV, the next one's header and IV. */
#define BETWEEN_MAX (PACKET_TAILROOM + PACKET_HEADROOM)
#define LIKE_MIN 44               /* an IPv6 header and ports */
#define INVALID_SPI_PER_SECOND 10 /* told to the core, of all peers together */

union in_control {
	struct cmsghdr align;
	uint8_t bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(struct in_pktinfo)) +
		      2 * CMSG_SPACE(sizeof(int))];
};

struct batch_in {
	uint8_t *buffers; /* BATCH_MAX of BATCH_STRIDE */
	struct bytes writes[BATCH_SEGMENTS]; /* inner packets, in the buffers */
	size_t n_writes;
	struct lane *lane;
	struct kernel_handle *last; /* of the packet before, its lock is ours; valid under the gate of one batch */
	const uint8_t *like; /* the last packet that was let through, LIKE_MIN bytes of it at least; valid as `last` */
	const struct kernel_handle *like_of;
	struct event_list events;
	struct frag_cache frags;
	struct ratelimit invalid_spi;

	struct mmsghdr msgs[BATCH_MAX];
	struct iovec iov[BATCH_MAX];
	union in_control control[BATCH_MAX];
	struct sockaddr_storage names[BATCH_MAX];
};

/* One datagram as it came. */
struct in_datagram {
	uint8_t *p;
	size_t n, segment; /* bytes; of each packet in it but the last */
	uint8_t tos;
	struct addr remote; /* with a stream if it came in one */
	struct addr local;  /* of that */
};

struct batch_in *batch_in_new(struct lane *lane)
{
	struct batch_in *b = xcalloc(1, sizeof(*b));

	b->lane = lane;
	b->buffers = xmalloc((size_t)BATCH_MAX * BATCH_STRIDE);
	b->frags.key = lane->dp->hash_key;
	b->invalid_spi = (struct ratelimit){ .per_second = INVALID_SPI_PER_SECOND, .burst = INVALID_SPI_PER_SECOND };
	for (size_t i = 0; i < BATCH_MAX; i++) {
		b->iov[i] = (struct iovec){ b->buffers + i * BATCH_STRIDE, 65535 };
		b->msgs[i].msg_hdr = (struct msghdr){ .msg_name = &b->names[i], .msg_iov = &b->iov[i], .msg_iovlen = 1,
						      .msg_control = b->control[i].bytes };
	}
	return b;
}

void batch_in_free(struct batch_in *b)
{
	free(b->buffers);
	free(b);
}

static void in_tell_invalid_spi(struct batch_in *b, uint32_t spi, const struct addr *from)
{
	struct kernel_event ev = { .kind = KERNEL_EVENT_INVALID_SPI, .spi = spi, .src = *from };

	if (from->family)
		event_list_add(&b->events, &ev);
}

static void in_tell_limit(struct batch_in *b, const struct kernel_handle *c, enum esp_limit limit)
{
	struct kernel_event ev;

	if (limit == ESP_LIMIT_NONE)
		return;
	ev = child_event(c, limit == ESP_LIMIT_SOFT ? KERNEL_EVENT_EXPIRE_SOFT : KERNEL_EVENT_EXPIRE_HARD);
	event_list_add(&b->events, &ev);
}

/* An authenticated packet, newer than all before, came from elsewhere: the NAT of the peer gave it another address,
 * or it has another TCP connection (RFC 9329, 6.1). */
static void in_check_peer(struct batch_in *b, struct kernel_handle *c, const struct in_datagram *d, uint64_t now_ms)
{
	struct kernel_event ev;

	if (addr_equal(&d->remote, &c->peer) || !d->remote.port || !ratelimit_take(&c->mappings, now_ms))
		return;
	ev = child_event(c, KERNEL_EVENT_MAPPING);
	c->peer = ev.src = d->remote;
	ev.dst = d->local;
	event_list_add(&b->events, &ev);
}

/* The next packet is of this SA, or of none. */
static void in_turn_to(struct batch_in *b, struct kernel_handle *c)
{
	if (b->last == c)
		return;
	if (b->last)
		pthread_mutex_unlock(&b->last->in_lock);
	b->last = c;
	if (c)
		pthread_mutex_lock(&c->in_lock);
}

static struct kernel_handle *in_find(struct dataplane *dp, struct batch_in *b, uint32_t spi)
{
	if (!b->last || b->last->in.spi != spi)
		in_turn_to(b, dataplane_find_spi(dp, spi));
	return b->last;
}

/*
 * Whether all that selectors look at is as in the last packet that was let through, which had no more than an IP header before TCP or UDP
 * either: then this one is let through, too. Much of what comes is in runs of one flow.
 */
static bool in_is_like_last(const struct batch_in *b, const struct kernel_handle *c, struct bytes inner, uint8_t next, size_t *ret_n)
{
	const uint8_t *a = b->like, *p = inner.p;
	bool v4 = next == IPPROTO_IPIP;
	uint8_t protocol;
	size_t n;

	if (!a || b->like_of != c || inner.n < LIKE_MIN)
		return false;
	if (v4 && (p[0] != 0x45 || (p[6] & 0x3f) || p[7] || memcmp(a, p, 2) != 0 || memcmp(a + 6, p + 6, 2) != 0 || a[9] != p[9] ||
		   memcmp(a + 12, p + 12, 12) != 0))
		return false;
	if (!v4 && (next != IPPROTO_IPV6 || p[0] >> 4 != 6 || memcmp(a, p, 4) != 0 || a[6] != p[6] || memcmp(a + 8, p + 8, 36) != 0))
		return false;
	protocol = v4 ? p[9] : p[6];
	n = v4 ? (size_t)(p[2] << 8 | p[3]) : 40 + (size_t)(p[4] << 8 | p[5]);
	*ret_n = n;
	return (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP) && n >= LIKE_MIN && n <= inner.n;
}

/* A DROP shunt comes before an SA of the same or wider selectors. */
static bool in_is_shunted(const struct dataplane *dp, const struct kernel_handle *c, const struct flow *f)
{
	const struct kernel_handle *shunt;
	struct flow back = *f;

	if (policy_table_count(dp->drops_in) == 0)
		return false;
	memcpy(back.src, f->dst, sizeof(back.src));
	memcpy(back.dst, f->src, sizeof(back.dst));
	back.src_port = f->dst_port;
	back.dst_port = f->src_port;
	shunt = policy_find(dp->drops_in, &back);
	return shunt && !(ts_list_within(shunt->local_ts, c->local_ts) && ts_list_within(shunt->remote_ts, c->remote_ts) &&
			  !(ts_list_within(c->local_ts, shunt->local_ts) && ts_list_within(c->remote_ts, shunt->remote_ts)));
}

/* What came out must be what the SA is for (RFC 4301, 5.2). */
static enum drop in_check_selectors(const struct dataplane *dp, struct batch_in *b, const struct kernel_handle *c, struct bytes inner,
				    uint8_t next, size_t *ret_n)
{
	struct flow f;

	if (!flow_parse(inner, &f) || next != (f.family == AF_INET ? IPPROTO_IPIP : IPPROTO_IPV6))
		return DROP_MALFORMED;
	frag_cache_find(&b->frags, &f);
	/* RFC 4301 5.2 MUST: packets that do not match the SA's selectors are discarded */
	if (!flow_within(&f, false, c->local_ts, c->remote_ts))
		return DROP_POLICY_IN;
	frag_cache_keep(&b->frags, &f);
	*ret_n = f.len;
	return in_is_shunted(dp, c, &f) ? DROP_SHUNT_IN : DROP_NONE;
}

static enum drop in_check_inner(const struct dataplane *dp, struct batch_in *b, const struct kernel_handle *c, struct bytes inner,
				uint8_t next, uint8_t tos, size_t *ret_n)
{
	enum drop drop = DROP_NONE;

	if (!in_is_like_last(b, c, inner, next, ret_n))
		drop = in_check_selectors(dp, b, c, inner, next, ret_n);
	if (drop != DROP_NONE || !c->in.copy_ecn)
		return drop;
	return esp_inner_ecn((uint8_t *)inner.p, next == IPPROTO_IPIP ? AF_INET : AF_INET6, tos) ? DROP_NONE : DROP_ECN;
}

static enum drop in_packet(struct dataplane *dp, struct batch_in *b, const struct in_datagram *d, uint8_t *packet,
			   size_t n, uint64_t now_ms)
{
	struct reader r = reader_of(bytes_of(packet, n));
	uint32_t spi = reader_u32(&r);
	struct kernel_handle *c;
	struct bytes inner;
	enum drop drop;
	uint64_t top;
	uint8_t next;

	if (n == 1 && packet[0] == 0xff)
		return DROP_KEEPALIVE;
	if (n < ESP_HEADER_LEN || spi == 0)
		return DROP_NOT_ESP; /* RFC 3948, 2.2 */
	c = in_find(dp, b, spi);
	if (!c) {
		/* RFC 9329, 6.1: a stream with many of these is closed by who has it */
		if (!d->remote.stream && ratelimit_take(&b->invalid_spi, now_ms))
			in_tell_invalid_spi(b, spi, &d->remote);
		return DROP_NO_SA;
	}
	top = c->in.replay->top;
	drop = esp_decap(&c->in, packet, n, &inner, &next);
	if (c->in.replay->top > top)
		in_check_peer(b, c, d, now_ms);
	if (drop == DROP_NONE)
		drop = in_check_inner(dp, b, c, inner, next, d->tos, &inner.n);
	if (drop != DROP_NONE)
		return drop;
	b->like = inner.n >= LIKE_MIN ? inner.p : NULL;
	b->like_of = c;
	in_tell_limit(b, c, esp_in_count(&c->in, inner.n, now_ms));
	b->writes[b->n_writes++] = inner;
	return DROP_NONE;
}

/* The kernel's control data: TOS of the outer header, size of coalesced segments. */
static void in_datagram_control(struct msghdr *m, struct in_datagram *d)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		int value = 0;

		if (c->cmsg_len < CMSG_LEN(1))
			continue;
		memcpy(&value, CMSG_DATA(c), c->cmsg_len >= CMSG_LEN(sizeof(value)) ? sizeof(value) : 1);
		if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS)
			d->tos = *CMSG_DATA(c);
		else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS)
			d->tos = (uint8_t)value;
		else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO && value > 0)
			d->segment = (size_t)value;
	}
}

/* Opens all packets of a datagram. */
static void in_datagram(struct dataplane *dp, struct batch_in *b, const struct in_datagram *d, uint64_t now_ms)
{
	if (d->n == 0)
		drop_count(&dp->drops, DROP_NOT_ESP);
	for (size_t at = 0; at < d->n; at += d->segment) {
		size_t n = d->n - at < d->segment ? d->n - at : d->segment;
		enum drop drop = DROP_MALFORMED;

		if (b->n_writes < BATCH_SEGMENTS)
			drop = in_packet(dp, b, d, d->p + at, n, now_ms);
		if (drop != DROP_NONE)
			drop_count(&dp->drops, drop);
	}
}

static void in_begin(struct batch_in *b)
{
	b->n_writes = 0;
	b->like = NULL;
	pthread_mutex_lock(&b->lane->gate_in);
}

/* between: bytes between packets that are nobody's */
static void in_end(struct batch_in *b, size_t between)
{
	struct dataplane *dp = b->lane->dp;

	in_turn_to(b, NULL);
	pthread_mutex_unlock(&b->lane->gate_in);
	event_list_tell(dp, &b->events);
	tun_write(b->lane->tun_fd, dp->vnet, b->writes, b->n_writes, between, &dp->drops);
}

size_t batch_in_run(struct batch_in *b, int fd)
{
	struct dataplane *dp = b->lane->dp;
	uint64_t now_ms;
	int n;

	for (size_t i = 0; i < BATCH_MAX; i++) {
		b->msgs[i].msg_hdr.msg_namelen = sizeof(b->names[i]);
		b->msgs[i].msg_hdr.msg_controllen = sizeof(b->control[i].bytes);
	}
	n = recvmmsg(fd, b->msgs, BATCH_MAX, MSG_DONTWAIT, NULL);
	if (n <= 0)
		return 0; /* nothing there, or an error that reading has cleared */
	atomic_fetch_add_explicit(&b->lane->batches_in, 1, memory_order_relaxed);
	now_ms = clock_monotonic_ms();
	in_begin(b);
	for (int i = 0; i < n; i++) {
		struct msghdr *m = &b->msgs[i].msg_hdr;
		struct in_datagram d = { .p = b->iov[i].iov_base, .n = b->msgs[i].msg_len };

		d.segment = d.n;
		if (m->msg_flags & MSG_TRUNC) {
			drop_count(&dp->drops, DROP_MALFORMED);
			continue;
		}
		in_datagram_control(m, &d);
		if (!addr_from_sockaddr(&b->names[i], &d.remote))
			d.remote = (struct addr){ 0 };
		in_datagram(dp, b, &d, now_ms);
	}
	in_end(b, BETWEEN_MAX);
	return (size_t)n;
}

size_t batch_in_stream(struct batch_in *b, const struct addr *local, const struct addr *remote,
		       const struct kernel_packet *list, size_t n)
{
	struct in_datagram d = { .local = *local, .remote = *remote };
	struct dataplane *dp = b->lane->dp;
	uint64_t now_ms = clock_monotonic_ms();

	in_begin(b);
	for (size_t i = 0; i < n && i < STREAM_MAX; i++) {
		enum drop drop = in_packet(dp, b, &d, list[i].p, list[i].n, now_ms);

		if (drop != DROP_NONE)
			drop_count(&dp->drops, drop);
	}
	in_end(b, 0);
	return b->n_writes;
}
