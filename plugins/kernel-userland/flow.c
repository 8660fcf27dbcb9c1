/* SPDX-License-Identifier: Apache-2.0 */
#include "flow.h"

#include <netinet/in.h>

#include "util/reader.h"

#define IPPROTO_DCCP_NO 33
#define IPPROTO_MOBILITY 135
#define IPPROTO_UDPLITE_NO 136
#define IPV4_DF 0x4000
#define IPV4_MF 0x2000
#define IPV4_OFFSET 0x1fff
#define IPV6_EXT_MAX 16 /* extension headers looked through */

/* The selectors of the upper layer (RFC 4301, 4.4.1.1). A cut header leaves them unknown. */
static void flow_parse_upper(struct flow *f, struct reader upper)
{
	switch (f->protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
	case IPPROTO_DCCP_NO:
	case IPPROTO_UDPLITE_NO:
		f->src_port = reader_u16(&upper);
		f->dst_port = reader_u16(&upper);
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		f->src_port = f->dst_port = reader_u16(&upper);
		break;
	case IPPROTO_MOBILITY:
		reader_skip(&upper, 2);
		f->src_port = f->dst_port = (uint16_t)(reader_u8(&upper) << 8);
		break;
	default:
		return;
	}
	f->has_ports = reader_ok(&upper);
}

static bool flow_parse_v4(struct reader r, struct flow *f)
{
	size_t have = reader_left(&r);
	unsigned first = reader_u8(&r), frag, header = (first & 15) * 4u;
	struct bytes addr;

	f->family = AF_INET;
	f->tos = reader_u8(&r);
	f->len = reader_u16(&r);
	f->frag_id = reader_u16(&r);
	frag = reader_u16(&r);
	reader_skip(&r, 1);
	f->protocol = reader_u8(&r);
	reader_skip(&r, 2);
	addr = reader_bytes(&r, 8);
	if (!reader_ok(&r) || header < 20 || f->len < header || f->len > have)
		return false;
	memcpy(f->src, addr.p, 4);
	memcpy(f->dst, addr.p + 4, 4);
	r.n = f->len - 20; /* without TFC padding */
	reader_skip(&r, header - 20);
	f->df = frag & IPV4_DF;
	f->later = frag & IPV4_OFFSET;
	f->first = (frag & IPV4_MF) && !f->later;
	if (!f->later)
		flow_parse_upper(f, r);
	return true;
}

/* Walks to the upper layer; stops at what it cannot see through. */
static bool flow_parse_v6_chain(struct reader r, struct flow *f)
{
	for (int i = 0; i < IPV6_EXT_MAX; i++) {
		unsigned next, n, frag;

		switch (f->protocol) {
		case IPPROTO_HOPOPTS:
		case IPPROTO_ROUTING:
		case IPPROTO_DSTOPTS:
			next = reader_u8(&r);
			n = reader_u8(&r);
			reader_skip(&r, 6 + n * 8);
			break;
		case IPPROTO_AH:
			next = reader_u8(&r);
			n = reader_u8(&r);
			reader_skip(&r, n * 4 + 6);
			break;
		case IPPROTO_FRAGMENT:
			next = reader_u8(&r);
			reader_skip(&r, 1);
			frag = reader_u16(&r);
			f->frag_id = reader_u32(&r);
			f->later = frag & 0xfff8;
			f->first = (frag & 1) && !f->later;
			break;
		default:
			flow_parse_upper(f, r);
			return true;
		}
		if (!reader_ok(&r))
			return false;
		f->protocol = (uint8_t)next;
		if (f->later)
			return true;
	}
	return false;
}

static bool flow_parse_v6(struct reader r, struct flow *f)
{
	size_t have = reader_left(&r);
	uint32_t first = reader_u32(&r);
	struct bytes addr;

	f->family = AF_INET6;
	f->tos = (uint8_t)(first >> 20);
	f->len = reader_u16(&r) + 40u;
	f->protocol = reader_u8(&r);
	reader_skip(&r, 1);
	addr = reader_bytes(&r, 32);
	f->df = true;
	if (!reader_ok(&r) || f->len > have)
		return false;
	memcpy(f->src, addr.p, 16);
	memcpy(f->dst, addr.p + 16, 16);
	r.n = f->len - 40;
	return flow_parse_v6_chain(r, f);
}

bool flow_parse(struct bytes packet, struct flow *ret_flow)
{
	struct flow f = { 0 };
	unsigned version = packet.n ? packet.p[0] >> 4 : 0;

	if (version == 4 && !flow_parse_v4(reader_of(packet), &f))
		return false;
	if (version == 6 && !flow_parse_v6(reader_of(packet), &f))
		return false;
	*ret_flow = f;
	return version == 4 || version == 6;
}

static bool flow_end_matches(const struct flow *f, const struct ts *ts, const uint8_t *ip, uint16_t port)
{
	size_t n = f->family == AF_INET ? 4 : 16;

	if (ts->family != f->family || memcmp(ip, ts->from, n) < 0 || memcmp(ip, ts->to, n) > 0)
		return false;
	if (ts->protocol == 0)
		return true;
	if (ts->protocol != f->protocol)
		return false;
	if (ts->port_from == 0 && ts->port_to == 65535)
		return true;
	if (ts->port_from > ts->port_to)
		return !f->has_ports; /* OPAQUE: only what has no ports to see */
	return f->has_ports && port >= ts->port_from && port <= ts->port_to;
}

bool flow_matches(const struct flow *f, bool out, const struct ts *local, const struct ts *remote)
{
	const struct ts *src = out ? local : remote, *dst = out ? remote : local;

	return flow_end_matches(f, src, f->src, f->src_port) && flow_end_matches(f, dst, f->dst, f->dst_port);
}

static bool flow_end_within(const struct flow *f, struct ts_list list, const uint8_t *ip, uint16_t port)
{
	for (size_t i = 0; i < list.count; i++)
		if (flow_end_matches(f, &list.p[i], ip, port))
			return true;
	return false;
}

bool flow_within(const struct flow *f, bool out, struct ts_list local, struct ts_list remote)
{
	return flow_end_within(f, out ? local : remote, f->src, f->src_port) &&
	       flow_end_within(f, out ? remote : local, f->dst, f->dst_port);
}

static size_t frag_cache_slot(const struct frag_cache *c, const struct flow *f)
{
	uint64_t words[5] = { 0 };

	memcpy(words, f->src, 16);
	memcpy(words + 2, f->dst, 16);
	words[4] = (uint64_t)f->frag_id << 16 | (uint64_t)f->family << 8 | f->protocol;
	return hash_bytes(&c->key, bytes_of(words, sizeof(words))) % FRAG_CACHE_SIZE;
}

void frag_cache_find(const struct frag_cache *c, struct flow *f)
{
	const struct flow *kept;

	if (!f->later)
		return;
	kept = &c->entries[frag_cache_slot(c, f)];
	if (kept->family != f->family || kept->protocol != f->protocol || kept->frag_id != f->frag_id ||
	    memcmp(kept->src, f->src, 16) != 0 || memcmp(kept->dst, f->dst, 16) != 0)
		return;
	f->has_ports = kept->has_ports;
	f->src_port = kept->src_port;
	f->dst_port = kept->dst_port;
}

void frag_cache_keep(struct frag_cache *c, const struct flow *f)
{
	if (f->first && f->has_ports)
		c->entries[frag_cache_slot(c, f)] = *f;
}
