/* SPDX-License-Identifier: Apache-2.0 */
#include "pcap.h"

#include <stdio.h>
#include <sys/socket.h>

#include "util/reader.h"

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define PROTO_UDP 17

enum { LINK_NULL = 0, LINK_ETHERNET = 1, LINK_RAW_BSD = 12, LINK_RAW_OPENBSD = 14, LINK_RAW = 101,
       LINK_LOOP = 108, LINK_COOKED = 113, LINK_IPV4 = 228, LINK_IPV6 = 229, LINK_COOKED2 = 276 };

struct pcap_walk {
	pcap_fn *fn;
	void *arg;
	long count;
	bool swapped; /* the file is little-endian */
};

bool file_read(const char *path, struct buf *out)
{
	uint8_t chunk[65536];
	FILE *f = fopen(path, "rb");
	size_t n;

	if (!f)
		return false;
	buf_reset(out);
	while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
		buf_add(out, chunk, n);
	fclose(f);
	return true;
}

static uint32_t file_u32(const struct pcap_walk *w, struct reader *r)
{
	uint32_t v = reader_u32(r);

	return w->swapped ? __builtin_bswap32(v) : v;
}

static uint16_t file_u16(const struct pcap_walk *w, struct reader *r)
{
	uint16_t v = reader_u16(r);

	return w->swapped ? __builtin_bswap16(v) : v;
}

static bool is_ike_port(uint16_t port)
{
	return port == 500 || port == 4500;
}

static void udp_walk(struct pcap_walk *w, struct reader *r, struct pcap_udp *udp)
{
	struct reader ike;
	uint16_t length;

	udp->sport = reader_u16(r);
	udp->dport = reader_u16(r);
	length = reader_u16(r);
	reader_skip(r, 2);
	if (!reader_ok(r) || length < 8)
		return;
	udp->cut |= reader_left(r) < length - 8u;
	udp->payload = reader_bytes(r, udp->cut ? reader_left(r) : length - 8u);
	if (!(is_ike_port(udp->sport) || is_ike_port(udp->dport)))
		return;
	ike = reader_of(udp->payload);
	udp->ike = BYTES_NONE;
	if (udp->sport != 4500 && udp->dport != 4500)
		udp->ike = udp->payload;
	else if (reader_u32(&ike) == 0 && reader_ok(&ike))
		udp->ike = reader_rest(&ike);
	w->count++;
	w->fn(w->arg, udp);
}

static void ipv4_walk(struct pcap_walk *w, struct reader r)
{
	struct pcap_udp udp = { .family = AF_INET };
	size_t header = (reader_u8(&r) & 15u) * 4u, total;
	struct bytes src, dst;
	uint16_t fragment;
	uint8_t proto;

	reader_skip(&r, 1);
	total = reader_u16(&r);
	reader_skip(&r, 2);
	fragment = reader_u16(&r);
	reader_skip(&r, 1);
	proto = reader_u8(&r);
	reader_skip(&r, 2);
	src = reader_bytes(&r, 4);
	dst = reader_bytes(&r, 4);
	if (!reader_ok(&r) || header < 20 || total < header || fragment & 0x1fff || proto != PROTO_UDP)
		return;
	udp.cut = fragment & 0x2000;
	memcpy(udp.src, src.p, 4);
	memcpy(udp.dst, dst.p, 4);
	reader_skip(&r, header - 20);
	udp_walk(w, &r, &udp);
}

static void ipv6_walk(struct pcap_walk *w, struct reader r)
{
	struct pcap_udp udp = { .family = AF_INET6 };
	struct bytes src, dst;
	uint8_t proto;

	reader_skip(&r, 6);
	proto = reader_u8(&r);
	reader_skip(&r, 1);
	src = reader_bytes(&r, 16);
	dst = reader_bytes(&r, 16);
	while (proto == 0 || proto == 43 || proto == 60) { /* hop-by-hop, routing, destination options */
		proto = reader_u8(&r);
		reader_skip(&r, reader_u8(&r) * 8u + 6u);
	}
	if (!reader_ok(&r) || proto != PROTO_UDP)
		return;
	memcpy(udp.src, src.p, 16);
	memcpy(udp.dst, dst.p, 16);
	udp_walk(w, &r, &udp);
}

static void ip_walk(struct pcap_walk *w, struct reader r)
{
	struct reader peek = r;
	uint8_t version = reader_u8(&peek) >> 4;

	if (version == 4)
		ipv4_walk(w, r);
	else if (version == 6)
		ipv6_walk(w, r);
}

static void frame_walk(struct pcap_walk *w, uint32_t link, struct bytes frame)
{
	struct reader r = reader_of(frame);
	uint16_t type = ETHERTYPE_IPV4;

	switch (link) {
	case LINK_ETHERNET:
		reader_skip(&r, 12);
		while ((type = reader_u16(&r)) == 0x8100 || type == 0x88a8)
			reader_skip(&r, 2);
		break;
	case LINK_COOKED:
		reader_skip(&r, 14);
		type = reader_u16(&r);
		break;
	case LINK_COOKED2:
		type = reader_u16(&r);
		reader_skip(&r, 18);
		break;
	case LINK_NULL:
	case LINK_LOOP:
		reader_skip(&r, 4);
		break;
	case LINK_RAW:
	case LINK_RAW_BSD:
	case LINK_RAW_OPENBSD:
	case LINK_IPV4:
	case LINK_IPV6:
		break;
	default:
		return;
	}
	if (reader_ok(&r) && (type == ETHERTYPE_IPV4 || type == ETHERTYPE_IPV6))
		ip_walk(w, r);
}

static bool pcap_walk_classic(struct pcap_walk *w, struct reader *r)
{
	uint32_t link;

	reader_skip(r, 16);
	link = file_u32(w, r) & 0xffff;
	while (reader_left(r)) {
		uint32_t stored;
		struct bytes frame;

		reader_skip(r, 8);
		stored = file_u32(w, r);
		reader_skip(r, 4);
		frame = reader_bytes(r, stored < reader_left(r) ? stored : reader_left(r));
		frame_walk(w, link, frame);
	}
	return reader_ok(r);
}

/* One block of a pcapng file behind its type and length. Interfaces are few: the links of 16 are kept. */
static void pcapng_block(struct pcap_walk *w, uint32_t type, struct reader *r, uint32_t links[16], uint32_t *n_links)
{
	uint32_t interface, stored;

	if (type == 1) { /* interface description */
		uint32_t link = file_u16(w, r);

		if (*n_links < 16)
			links[(*n_links)++] = link;
	} else if (type == 6) { /* enhanced packet */
		interface = file_u32(w, r);
		reader_skip(r, 8);
		stored = file_u32(w, r);
		reader_skip(r, 4);
		if (interface < *n_links)
			frame_walk(w, links[interface], reader_bytes(r, stored));
	} else if (type == 3 && *n_links) { /* simple packet */
		reader_skip(r, 4);
		frame_walk(w, links[0], reader_rest(r));
	}
}

static bool pcap_walk_ng(struct pcap_walk *w, struct reader *r)
{
	uint32_t links[16], n_links = 0;

	while (reader_left(r)) {
		struct reader peek = *r, block;
		uint32_t type, length;

		reader_skip(&peek, 8);
		if (reader_u32(&peek) == 0x4d3c2b1a)
			w->swapped = true;
		type = file_u32(w, r);
		length = file_u32(w, r);
		if (length < 12 || !reader_ok(r))
			return false;
		block = reader_sub(r, length - 12);
		reader_skip(r, 4);
		if (!reader_ok(r))
			return false;
		pcapng_block(w, type, &block, links, &n_links);
	}
	return true;
}

long pcap_each(const char *path, pcap_fn *fn, void *arg)
{
	struct pcap_walk w = { fn, arg, 0, false };
	struct buf file = { 0 };
	struct reader r;
	uint32_t magic;
	bool ok = false;

	if (!file_read(path, &file))
		return -1;
	r = reader_of(buf_bytes(&file));
	magic = reader_u32(&r);
	w.swapped = magic == 0xd4c3b2a1 || magic == 0x4d3cb2a1;
	if (magic == 0x0a0d0d0a) {
		r = reader_of(buf_bytes(&file));
		ok = pcap_walk_ng(&w, &r);
	} else if (w.swapped || magic == 0xa1b2c3d4 || magic == 0xa1b23c4d) {
		ok = pcap_walk_classic(&w, &r);
	}
	buf_free(&file);
	return ok ? w.count : -1;
}
