/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>
#include <string.h>

#include "test_kernel.h"

#include "esp.h"
#include "icmp.h"

static uint8_t buffer[PACKET_HEADROOM + 2048];
static uint8_t *const packet = buffer + PACKET_HEADROOM;

static struct bytes answer(const char *src, const char *dst, unsigned protocol, unsigned port, size_t mtu)
{
	size_t n = test_packet(packet, src, dst, protocol, port, port, 1400);
	struct flow f;

	ck_assert(flow_parse(bytes_of(packet, n), &f));
	return icmp_too_big(packet, &f, mtu);
}

static unsigned sum(uint32_t start, struct bytes b)
{
	for (size_t i = 0; i < b.n; i++)
		start += i % 2 ? b.p[i] : (uint32_t)b.p[i] << 8;
	while (start >> 16)
		start = (start & 0xffff) + (start >> 16);
	return start;
}

START_TEST(test_v4)
{
	struct bytes b = answer("10.1.0.1", "10.2.0.9", IPPROTO_TCP, 80, 1300);
	struct flow f;

	ck_assert_uint_eq(b.n, 576);
	ck_assert(flow_parse(b, &f));
	ck_assert_uint_eq(f.protocol, IPPROTO_ICMP);
	ck_assert_uint_eq(f.dst_port, 0x0304);
	ck_assert(memcmp(f.src, "\x0a\2\0\x09", 4) == 0 && memcmp(f.dst, "\x0a\1\0\1", 4) == 0);
	ck_assert_uint_eq(b.p[26] << 8 | b.p[27], 1300);
	ck_assert_uint_eq(sum(0, bytes_of(b.p, 20)), 0xffff);
	ck_assert_uint_eq(sum(0, bytes_of(b.p + 20, b.n - 20)), 0xffff);
	ck_assert(flow_parse(bytes_of(b.p + 28, 1500), &f)); /* the original follows, whole header first */
	ck_assert_uint_eq(f.protocol, IPPROTO_TCP);
}
END_TEST

START_TEST(test_v6)
{
	struct bytes b = answer("fd01::1", "fd02::9", IPPROTO_UDP, 80, 1290);
	struct flow f;

	ck_assert_uint_eq(b.n, 1280);
	ck_assert(flow_parse(b, &f));
	ck_assert_uint_eq(f.protocol, IPPROTO_ICMPV6);
	ck_assert_uint_eq(f.dst_port, 0x0200);
	ck_assert_uint_eq(f.src[15], 9);
	ck_assert_uint_eq(f.dst[15], 1);
	ck_assert_uint_eq(b.p[46] << 8 | b.p[47], 1290);
	ck_assert_uint_eq(sum((uint32_t)b.n - 40 + IPPROTO_ICMPV6, bytes_of(b.p + 8, b.n - 8)), 0xffff);
}
END_TEST

START_TEST(test_no_answer)
{
	/* RFC 1122 3.2.2 MUST NOT, RFC 4443 2.4 MUST NOT: errors about errors, multicast, later fragments */
	ck_assert_uint_eq(answer("10.1.0.1", "10.2.0.9", IPPROTO_ICMP, 3 << 8, 1300).n, 0);
	ck_assert_uint_gt(answer("10.1.0.1", "10.2.0.9", IPPROTO_ICMP, 8 << 8, 1300).n, 0);
	ck_assert_uint_eq(answer("fd01::1", "fd02::9", IPPROTO_ICMPV6, 2 << 8, 1300).n, 0);
	ck_assert_uint_gt(answer("fd01::1", "fd02::9", IPPROTO_ICMPV6, 128 << 8, 1300).n, 0);
	ck_assert_uint_eq(answer("10.1.0.1", "224.0.0.9", IPPROTO_UDP, 3, 1300).n, 0);
	ck_assert_uint_eq(answer("fd01::1", "ff02::9", IPPROTO_UDP, 3, 1300).n, 0);
}
END_TEST

TCase *tcase_icmp(void)
{
	TCase *tc = tcase_create("icmp");

	tcase_add_test(tc, test_v4);
	tcase_add_test(tc, test_v6);
	tcase_add_test(tc, test_no_answer);
	return tc;
}
