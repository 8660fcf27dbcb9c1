/* SPDX-License-Identifier: Apache-2.0 */
#include "offload.h"

#include <netinet/in.h>

#include "checksum.h"

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4 /* Linux 6.2 */
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

#define TCP_HEADER_LEN 20
#define UDP_HEADER_LEN 8
#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_CWR 0x80
#define IPV6_HEADER_LEN 40

static unsigned get16(const uint8_t *p)
{
	return (unsigned)p[0] << 8 | p[1];
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static void put32(uint8_t *p, uint32_t v)
{
	put16(p, v >> 16);
	put16(p + 2, v & 0xffff);
}

/* ---- outbound ---- */

struct piece {
	bool v4, udp;
	size_t l4;   /* where the transport header begins */
	size_t head; /* all headers */
	size_t size; /* of each payload but the last */
};

static bool piece_parse(const struct virtio_net_hdr *h, struct bytes packet, struct piece *ret)
{
	uint8_t kind = h->gso_type & (uint8_t)~VIRTIO_NET_HDR_GSO_ECN;
	struct piece p = { .l4 = h->csum_start, .size = h->gso_size };

	if (packet.n < 20 || packet.n > OFFLOAD_PACKET_MAX || !p.size || !(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return false;
	p.v4 = packet.p[0] >> 4 == 4;
	p.udp = kind == VIRTIO_NET_HDR_GSO_UDP_L4;
	if (!p.udp && kind != (p.v4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6))
		return false;
	if (p.l4 < (p.v4 ? 20 : IPV6_HEADER_LEN) || p.l4 + (p.udp ? UDP_HEADER_LEN : TCP_HEADER_LEN) > packet.n ||
	    h->csum_offset != (p.udp ? 6 : 16))
		return false;
	p.head = p.l4 + (p.udp ? UDP_HEADER_LEN : 4 * (size_t)(packet.p[p.l4 + 12] >> 4));
	*ret = p;
	return p.head >= p.l4 + (p.udp ? UDP_HEADER_LEN : TCP_HEADER_LEN) && p.head < packet.n &&
	       p.head <= OFFLOAD_HEADERS_MAX;
}

size_t offload_count(const struct virtio_net_hdr *h, struct bytes packet)
{
	struct piece p;
	size_t n;

	if (h->gso_type == VIRTIO_NET_HDR_GSO_NONE)
		return 1;
	if (!piece_parse(h, packet, &p))
		return 0;
	n = (packet.n - p.head + p.size - 1) / p.size;
	return n <= OFFLOAD_SEGMENTS_MAX ? n : 0;
}

bool offload_checksum(const struct virtio_net_hdr *h, uint8_t *packet, size_t n)
{
	size_t at = (size_t)h->csum_start + h->csum_offset;
	uint16_t sum;

	if (!(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM))
		return true;
	if (h->csum_start >= n || at + 2 > n)
		return false;
	/* the sum of the pseudo header is there already */
	sum = (uint16_t)~checksum_fold(checksum_add(0, packet + h->csum_start, n - h->csum_start));
	/* RFC 768: a sum of zero is sent as all ones; for TCP both are right */
	checksum_put(packet + at, sum ? sum : 0xffff);
	return true;
}

/* RFC 9293, 3.1 and RFC 8200, 8.1: addresses, protocol, length. */
static uint64_t pseudo_header(const uint8_t *ip, bool v4, unsigned protocol, size_t l4_len)
{
	uint64_t sum = v4 ? checksum_add(0, ip + 12, 8) : checksum_add(0, ip + 8, 32);

	return checksum_add_u16(checksum_add_u16(sum, protocol), (unsigned)l4_len);
}

static void ip_finish(uint8_t *ip, bool v4, size_t ip_len, size_t total)
{
	if (!v4) {
		put16(ip + 4, (unsigned)(total - IPV6_HEADER_LEN));
		return;
	}
	put16(ip + 2, (unsigned)total);
	put16(ip + 10, 0);
	checksum_put(ip + 10, (uint16_t)~checksum_fold(checksum_add(0, ip, ip_len)));
}

size_t offload_segment(const struct virtio_net_hdr *h, struct bytes piece, size_t i, uint8_t *ret)
{
	struct piece p;
	size_t from, n;
	uint8_t *l4;
	uint16_t sum;
	bool last;

	if (!piece_parse(h, piece, &p))
		return 0;
	from = p.head + i * p.size;
	n = piece.n - from < p.size ? piece.n - from : p.size;
	last = from + n == piece.n;
	l4 = ret + p.l4;
	memcpy(ret, piece.p, p.head);
	memcpy(ret + p.head, piece.p + from, n);
	if (p.v4)
		put16(ret + 4, get16(ret + 4) + (unsigned)i); /* RFC 6864: unique where it may be fragmented */
	ip_finish(ret, p.v4, p.l4, p.head + n);
	if (p.udp) {
		put16(l4 + 4, (unsigned)(UDP_HEADER_LEN + n));
		put16(l4 + 6, 0);
	} else {
		put32(l4 + 4, get32(l4 + 4) + (uint32_t)(i * p.size));
		l4[13] &= (uint8_t)~((last ? 0 : TCP_FIN | TCP_PSH) | (i ? TCP_CWR : 0));
		put16(l4 + 16, 0);
	}
	sum = (uint16_t)~checksum_fold(checksum_add(
		pseudo_header(ret, p.v4, p.udp ? IPPROTO_UDP : IPPROTO_TCP, p.head - p.l4 + n), l4, p.head - p.l4 + n));
	checksum_put(l4 + h->csum_offset, sum ? sum : 0xffff);
	return p.head + n;
}

/* ---- inbound ---- */

/* Of the IP header, if there is nothing in it but TCP or UDP; else 0. */
static size_t run_ip_len(const uint8_t *p, size_t n, uint8_t *ret_protocol)
{
	bool v4 = n >= 20 && p[0] >> 4 == 4;

	/* no options, not a fragment */
	if (v4 && (p[0] != 0x45 || get16(p + 6) & 0x3fff))
		return 0;
	if (!v4 && (n < IPV6_HEADER_LEN || p[0] >> 4 != 6))
		return 0;
	*ret_protocol = v4 ? p[9] : p[6];
	return v4 ? 20 : IPV6_HEADER_LEN;
}

/* A plain TCP packet's header, 0 if it is more than that. */
static size_t run_tcp_len(const uint8_t *t, size_t n)
{
	size_t head = n < TCP_HEADER_LEN ? 0 : 4 * (size_t)(t[12] >> 4);

	if (head < TCP_HEADER_LEN || (t[13] & ~(TCP_ACK | TCP_PSH)) || !(t[13] & TCP_ACK))
		return 0;
	return head;
}

/* UDP with a checksum. */
static size_t run_udp_len(const uint8_t *u, size_t n)
{
	return n >= UDP_HEADER_LEN && get16(u + 4) == n && get16(u + 6) ? UDP_HEADER_LEN : 0;
}

/* Headers of a plain packet, with a payload and a good checksum; 0 if it is anything else. */
static size_t run_head_len(const uint8_t *p, size_t n, size_t *ret_ip_len, bool *ret_udp)
{
	uint8_t protocol = 0;
	size_t ip = run_ip_len(p, n, &protocol), head = 0;

	if (ip && protocol == IPPROTO_TCP)
		head = run_tcp_len(p + ip, n - ip);
	else if (ip && protocol == IPPROTO_UDP)
		head = run_udp_len(p + ip, n - ip);
	if (!head || ip + head >= n)
		return 0;
	if (checksum_fold(checksum_add(pseudo_header(p, ip == 20, protocol, n - ip), p + ip, n - ip)) != 0xffff)
		return 0;
	*ret_ip_len = ip;
	*ret_udp = protocol == IPPROTO_UDP;
	return ip + head;
}

void offload_run_begin(struct offload_run *r, uint8_t *packet, size_t n, bool udp)
{
	r->h = (struct virtio_net_hdr){ 0 };
	r->iov[0] = (struct iovec){ &r->h, sizeof(r->h) };
	r->iov[1] = (struct iovec){ packet, n };
	r->n_iov = 2;
	r->n = 1;
	r->between = 0;
	r->head = packet;
	r->end = packet + n;
	r->total = n;
	r->udp = false;
	r->head_len = run_head_len(packet, n, &r->ip_len, &r->udp);
	r->open = r->head_len && (r->udp ? udp : !(packet[r->ip_len + 13] & TCP_PSH));
	if (!r->open)
		return;
	r->payload = n - r->head_len;
	r->next_seq = r->udp ? 0 : get32(packet + r->ip_len + 4) + (uint32_t)r->payload;
	r->next_id = (uint16_t)(get16(packet + 4) + 1);
}

/* All that must be equal in both headers, so that cutting the run again gives what came. */
static bool run_same_head(const struct offload_run *r, const uint8_t *p)
{
	const uint8_t *a = r->head, *ta = a + r->ip_len, *tp = p + r->ip_len;

	if (r->ip_len == 20) {
		bool df = a[6] & 0x40;

		/* TOS; flags; TTL and protocol; addresses. Without DF the identification counts on */
		if (a[1] != p[1] || a[6] != p[6] || memcmp(a + 8, p + 8, 2) != 0 || memcmp(a + 12, p + 12, 8) != 0 ||
		    (!df && get16(p + 4) != r->next_id))
			return false;
	} else if (memcmp(a, p, 4) != 0 || memcmp(a + 6, p + 6, 34) != 0) {
		return false;
	}
	/* ports; of TCP the place, acknowledgement and length; window; urgent pointer and options */
	if (memcmp(ta, tp, 4) != 0 || r->udp)
		return r->udp && memcmp(ta, tp, 4) == 0;
	return get32(tp + 4) == r->next_seq && memcmp(ta + 8, tp + 8, 5) == 0 && memcmp(ta + 14, tp + 14, 2) == 0 &&
	       memcmp(ta + 18, tp + 18, r->head_len - r->ip_len - 18) == 0;
}

/* Few large pieces are copied much faster than many small ones. */
static void run_append(struct offload_run *r, uint8_t *packet, size_t payload)
{
	struct iovec *last = &r->iov[r->n_iov - 1];
	uint8_t *data = packet + r->head_len;

	if (packet >= r->end && (size_t)(packet - r->end) <= r->between) {
		memmove((uint8_t *)last->iov_base + last->iov_len, data, payload);
		last->iov_len += payload;
	} else {
		r->iov[r->n_iov++] = (struct iovec){ data, payload };
	}
	r->end = data + payload;
	r->n++;
}

bool offload_run_add(struct offload_run *r, uint8_t *packet, size_t n)
{
	size_t ip_len, payload;
	uint8_t push;
	bool udp;

	if (!r->open || r->n >= OFFLOAD_IOV_MAX || n <= r->head_len || packet[0] >> 4 != r->head[0] >> 4)
		return false;
	payload = n - r->head_len;
	if (payload > r->payload || r->total + payload > OFFLOAD_PACKET_MAX || !run_same_head(r, packet) ||
	    run_head_len(packet, n, &ip_len, &udp) != r->head_len || udp != r->udp)
		return false;
	push = udp ? 0 : packet[ip_len + 13] & TCP_PSH;
	run_append(r, packet, payload); /* the packet's headers may be gone */
	r->total += payload;
	r->next_seq += (uint32_t)payload;
	r->next_id++;
	/* a short one, or one that wants to be read now, is the last */
	r->open = payload == r->payload && !push;
	if (!udp)
		r->head[r->ip_len + 13] |= push;
	return true;
}

void offload_run_end(struct offload_run *r)
{
	bool v4 = r->n > 1 && r->ip_len == 20;

	if (r->n <= 1)
		return;
	ip_finish(r->head, v4, r->ip_len, r->total);
	if (r->udp)
		put16(r->head + r->ip_len + 4, (unsigned)(r->total - r->ip_len));
	checksum_put(r->head + r->ip_len + (r->udp ? 6 : 16),
		     checksum_fold(pseudo_header(r->head, v4, r->udp ? IPPROTO_UDP : IPPROTO_TCP, r->total - r->ip_len)));
	r->h = (struct virtio_net_hdr){
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.gso_type = r->udp ? VIRTIO_NET_HDR_GSO_UDP_L4 : v4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6,
		.hdr_len = (uint16_t)r->head_len,
		.gso_size = (uint16_t)r->payload,
		.csum_start = (uint16_t)r->ip_len,
		.csum_offset = r->udp ? 6 : 16,
	};
}
