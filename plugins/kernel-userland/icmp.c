/* SPDX-License-Identifier: Apache-2.0 */
#include "icmp.h"

#include "checksum.h"
#include "util/writer.h"

#define IPV4_ERROR_MAX 576
#define IPV6_ERROR_MAX 1280
#define ICMP_UNREACHABLE 3
#define ICMP_FRAG_NEEDED 4
#define ICMPV6_TOO_BIG 2
#define ERROR_TTL 64

/* Queries may be answered with errors, errors may not. */
static bool icmp_may_answer(const struct flow *f)
{
	unsigned type = f->dst_port >> 8;

	if (f->later)
		return false;
	if (f->dst[0] >= (f->family == AF_INET ? 224 : 255))
		return false; /* multicast: nobody whom the answer could come from */
	if (f->family == AF_INET && f->protocol == IPPROTO_ICMP)
		return f->has_ports && (type == 0 || type == 8 || type == 13 || type == 14);
	if (f->family == AF_INET6 && f->protocol == IPPROTO_ICMPV6)
		return f->has_ports && type >= 128;
	return true;
}

static struct bytes icmp_too_big_v4(uint8_t *packet, const struct flow *f, size_t mtu)
{
	size_t quoted = f->len < IPV4_ERROR_MAX - 28 ? f->len : IPV4_ERROR_MAX - 28;
	uint8_t *out = packet - 28;
	struct writer w = writer_of(out, 28);

	writer_u16(&w, 0x4500);
	writer_u16(&w, (uint16_t)(28 + quoted));
	writer_u32(&w, 0);
	writer_u8(&w, ERROR_TTL);
	writer_u8(&w, IPPROTO_ICMP);
	writer_u16(&w, 0);
	writer_bytes(&w, bytes_of(f->dst, 4));
	writer_bytes(&w, bytes_of(f->src, 4));
	writer_u8(&w, ICMP_UNREACHABLE);
	writer_u8(&w, ICMP_FRAG_NEEDED);
	writer_u32(&w, 0); /* checksum, unused */
	writer_u16(&w, (uint16_t)mtu);
	checksum_put(out + 10, (uint16_t)~checksum_fold(checksum_add(0, out, 20)));
	checksum_put(out + 22, (uint16_t)~checksum_fold(checksum_add(0, out + 20, 8 + quoted)));
	return bytes_of(out, 28 + quoted);
}

static struct bytes icmp_too_big_v6(uint8_t *packet, const struct flow *f, size_t mtu)
{
	size_t quoted = f->len < IPV6_ERROR_MAX - 48 ? f->len : IPV6_ERROR_MAX - 48;
	uint8_t *out = packet - 48;
	struct writer w = writer_of(out, 48);
	uint64_t sum;

	writer_u32(&w, 0x60000000);
	writer_u16(&w, (uint16_t)(8 + quoted));
	writer_u8(&w, IPPROTO_ICMPV6);
	writer_u8(&w, ERROR_TTL);
	writer_bytes(&w, bytes_of(f->dst, 16));
	writer_bytes(&w, bytes_of(f->src, 16));
	writer_u8(&w, ICMPV6_TOO_BIG);
	writer_u8(&w, 0);
	writer_u16(&w, 0);
	writer_u32(&w, (uint32_t)mtu);
	sum = checksum_add_u16(checksum_add_u16(0, (unsigned)(8 + quoted)), IPPROTO_ICMPV6);
	sum = checksum_add(sum, out + 8, 40 + quoted);
	checksum_put(out + 42, (uint16_t)~checksum_fold(sum));
	return bytes_of(out, 48 + quoted);
}

struct bytes icmp_too_big(uint8_t *packet, const struct flow *f, size_t mtu)
{
	if (!icmp_may_answer(f))
		return BYTES_NONE;
	return f->family == AF_INET ? icmp_too_big_v4(packet, f, mtu) : icmp_too_big_v6(packet, f, mtu);
}
