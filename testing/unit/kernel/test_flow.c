/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "test_kernel.h"

#include "flow.h"
#include "util/mem.h"

static uint8_t packet[2048];

static struct flow parse(size_t n)
{
	struct flow f;

	ck_assert(flow_parse(bytes_of(packet, n), &f));
	return f;
}

START_TEST(test_ports)
{
	size_t n = test_packet(packet, "10.1.0.1", "10.2.0.1", IPPROTO_TCP, 1000, 80, 40);
	struct flow f = parse(n);

	ck_assert_uint_eq(f.family, AF_INET);
	ck_assert(f.has_ports && f.src_port == 1000 && f.dst_port == 80 && f.len == n && !f.df);
	packet[6] = 0x40;
	packet[1] = 0xb9;
	f = parse(n);
	ck_assert(f.df && f.tos == 0xb9);
	n = test_packet(packet, "fd01::1", "fd02::1", IPPROTO_UDP, 53, 5353, 40);
	packet[0] = 0x6a;
	packet[1] = 0xb0;
	f = parse(n);
	ck_assert(f.family == AF_INET6 && f.df && f.src_port == 53 && f.dst_port == 5353 && f.tos == 0xab);
	/* TFC padding is not part of the packet */
	f = parse(n + 100);
	ck_assert_uint_eq(f.len, n);
	/* ICMP: RFC 4301, 4.4.1.1 */
	n = test_packet(packet, "10.1.0.1", "10.2.0.1", IPPROTO_ICMP, 8 << 8 | 3, 0, 40);
	f = parse(n);
	ck_assert(f.has_ports && f.src_port == 0x803 && f.dst_port == 0x803);
	n = test_packet(packet, "10.1.0.1", "10.2.0.1", IPPROTO_ESP, 1, 1, 40);
	ck_assert(!parse(n).has_ports);
}
END_TEST

START_TEST(test_truncations)
{
	struct flow f;
	size_t n = test_packet(packet, "10.1.0.1", "10.2.0.1", IPPROTO_TCP, 1000, 80, 40);

	for (size_t i = 0; i < n; i++) {
		uint8_t *exact = xmemdup(packet, i); /* for the sanitizer */

		ck_assert(!flow_parse(bytes_of(exact, i), &f));
		free(exact);
	}
	packet[0] = 0x44; /* header of 16 bytes */
	ck_assert(!flow_parse(bytes_of(packet, n), &f));
	packet[0] = 0x4f; /* 60 bytes: the ports are elsewhere */
	ck_assert(flow_parse(bytes_of(packet, n), &f));
	packet[3] = 59; /* total length below the header */
	ck_assert(!flow_parse(bytes_of(packet, n), &f));
	packet[0] = 0x55;
	ck_assert(!flow_parse(bytes_of(packet, n), &f));
	n = test_packet(packet, "fd01::1", "fd02::1", IPPROTO_UDP, 53, 5353, 40);
	for (size_t i = 0; i < n; i++)
		ck_assert(!flow_parse(bytes_of(packet, i), &f));
}
END_TEST

/* Puts extension headers between the IPv6 header and the upper layer. */
static size_t insert_ext(size_t n, const uint8_t *ext, size_t ext_len, uint8_t type)
{
	memmove(packet + 40 + ext_len, packet + 40, n - 40);
	memcpy(packet + 40, ext, ext_len);
	packet[40] = packet[6];
	packet[6] = type;
	packet[4] = (uint8_t)((n - 40 + ext_len) >> 8);
	packet[5] = (uint8_t)(n - 40 + ext_len);
	return n + ext_len;
}

START_TEST(test_ipv6_chain)
{
	static const uint8_t hop[16] = { 0, 1 }, fragment[8] = { 0, 0, 0, 1, 0xde, 0xad, 0xbe, 0xef };
	static const uint8_t later[8] = { 0, 0, 0x05, 0xa8, 0xde, 0xad, 0xbe, 0xef };
	size_t n = test_packet(packet, "fd01::1", "fd02::1", IPPROTO_UDP, 53, 5353, 40);
	struct flow f;

	n = insert_ext(n, fragment, 8, IPPROTO_FRAGMENT);
	f = parse(n);
	ck_assert(f.first && !f.later && f.frag_id == 0xdeadbeef && f.has_ports && f.protocol == IPPROTO_UDP);
	n = insert_ext(n, hop, 16, IPPROTO_HOPOPTS);
	f = parse(n);
	ck_assert(f.first && f.has_ports && f.dst_port == 5353);
	n = test_packet(packet, "fd01::1", "fd02::1", IPPROTO_UDP, 53, 5353, 40);
	n = insert_ext(n, later, 8, IPPROTO_FRAGMENT);
	f = parse(n);
	ck_assert(f.later && !f.has_ports && f.protocol == IPPROTO_UDP);
	/* a chain without end is refused */
	n = test_packet(packet, "fd01::1", "fd02::1", IPPROTO_UDP, 53, 5353, 40);
	for (int i = 0; i < 15; i++)
		n = insert_ext(n, hop, 16, IPPROTO_HOPOPTS);
	ck_assert(flow_parse(bytes_of(packet, n), &f));
	n = insert_ext(n, hop, 16, IPPROTO_HOPOPTS);
	ck_assert(!flow_parse(bytes_of(packet, n), &f));
}
END_TEST

static bool matches(const struct flow *f, bool out, const char *local, const char *remote)
{
	struct ts l = test_ts(local), r = test_ts(remote);

	return flow_matches(f, out, &l, &r);
}

START_TEST(test_selectors)
{
	size_t n = test_packet(packet, "10.1.0.1", "10.2.0.1", IPPROTO_TCP, 1000, 80, 40);
	struct flow f = parse(n);
	struct ts opaque = test_ts("10.0.0.0/8[tcp]"), any = test_ts("0.0.0.0/0");

	ck_assert(matches(&f, true, "10.1.0.0/16", "10.2.0.0/16"));
	ck_assert(!matches(&f, false, "10.1.0.0/16", "10.2.0.0/16"));
	ck_assert(matches(&f, false, "10.2.0.0/16", "10.1.0.0/16"));
	ck_assert(!matches(&f, true, "10.1.0.2/32", "10.2.0.0/16"));
	ck_assert(matches(&f, true, "10.1.0.0-10.1.0.1", "10.2.0.1-10.2.0.3"));
	ck_assert(!matches(&f, true, "10.1.0.0/16", "10.2.0.0/16[udp]"));
	ck_assert(matches(&f, true, "10.1.0.0/16", "10.2.0.0/16[tcp/80]"));
	ck_assert(matches(&f, true, "10.1.0.0/16[tcp/999-1000]", "10.2.0.0/16[tcp/80]"));
	ck_assert(!matches(&f, true, "10.1.0.0/16[tcp/80]", "10.2.0.0/16"));
	ck_assert(!matches(&f, true, "fd01::/16", "fd02::/16"));
	/* OPAQUE: for packets without ports only */
	opaque.port_from = 65535;
	opaque.port_to = 0;
	ck_assert(!flow_matches(&f, true, &opaque, &any));
	packet[6] = 0;
	packet[7] = 9;
	f = parse(n);
	ck_assert(flow_matches(&f, true, &opaque, &any));
	ck_assert(!matches(&f, true, "10.1.0.0/16", "10.2.0.0/16[tcp/80]"));
	ck_assert(matches(&f, true, "10.1.0.0/16", "10.2.0.0/16[tcp]"));
}
END_TEST

START_TEST(test_fragments)
{
	struct frag_cache *cache = xcalloc(1, sizeof(*cache));
	size_t n = test_packet(packet, "10.1.0.1", "10.2.0.1", IPPROTO_UDP, 1000, 53, 40);
	struct flow f;

	packet[6] = 0x20; /* the first of several */
	f = parse(n);
	ck_assert(f.first && f.has_ports);
	packet[6] = 0x00;
	packet[7] = 0x08;
	f = parse(n);
	frag_cache_find(cache, &f);
	ck_assert(f.later && !f.has_ports);
	packet[6] = 0x20;
	packet[7] = 0;
	f = parse(n);
	frag_cache_keep(cache, &f);
	packet[6] = 0;
	packet[7] = 0x08;
	f = parse(n);
	frag_cache_find(cache, &f);
	ck_assert(f.has_ports && f.src_port == 1000 && f.dst_port == 53);
	ck_assert(matches(&f, true, "10.1.0.0/16", "10.2.0.0/16[udp/53]"));
	/* no other packet's, also in the same place of the cache */
	for (unsigned id = 0; id < 65536; id++) {
		packet[4] = (uint8_t)(id >> 8);
		packet[5] = (uint8_t)id;
		if (!flow_parse(bytes_of(packet, n), &f))
			ck_abort();
		frag_cache_find(cache, &f);
		if (f.has_ports != (id == 0x1234))
			ck_abort_msg("fragment %x", id);
	}
	free(cache);
}
END_TEST

TCase *tcase_flow(void)
{
	TCase *tc = tcase_create("flow");

	tcase_add_test(tc, test_ports);
	tcase_add_test(tc, test_truncations);
	tcase_add_test(tc, test_ipv6_chain);
	tcase_add_test(tc, test_selectors);
	tcase_add_test(tc, test_fragments);
	return tc;
}
