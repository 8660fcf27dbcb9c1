/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "test_kernel.h"

#include "kernel/route.h"

static const char *prefixes_of(const char *text)
{
	static struct buf out;
	struct prefix list[ROUTE_PREFIXES_MAX];
	struct ts ts = test_ts(text);
	size_t n = route_prefixes(&ts, list);

	buf_reset(&out);
	for (size_t i = 0; i < n; i++)
		buf_printf(&out, "%s%s/%u", i ? " " : "", addr_format(&list[i].net).s, list[i].len);
	return buf_str(&out);
}

START_TEST(test_ranges)
{
	ck_assert_str_eq(prefixes_of("10.1.0.0/16"), "10.1.0.0/16");
	ck_assert_str_eq(prefixes_of("0.0.0.0/0"), "0.0.0.0/0");
	ck_assert_str_eq(prefixes_of("::/0"), "::/0");
	ck_assert_str_eq(prefixes_of("10.0.0.5-10.0.0.9"), "10.0.0.5/32 10.0.0.6/31 10.0.0.8/31");
	ck_assert_str_eq(prefixes_of("255.255.255.254-255.255.255.255"), "255.255.255.254/31");
	ck_assert_str_eq(prefixes_of("fd00::1-fd00::4"), "fd00::1/128 fd00::2/127 fd00::4/128");
	ck_assert_str_eq(prefixes_of("192.168.255.255-192.169.0.0"), "192.168.255.255/32 192.169.0.0/32");
}
END_TEST

/* The worst there are. */
START_TEST(test_most)
{
	struct prefix list[ROUTE_PREFIXES_MAX];
	struct ts v4 = test_ts("0.0.0.1-255.255.255.254");
	struct ts v6 = test_ts("::1-ffff:ffff:ffff:ffff:ffff:ffff:ffff:fffe");

	ck_assert_uint_eq(route_prefixes(&v4, list), 62);
	ck_assert_uint_eq(route_prefixes(&v6, list), 254);
}
END_TEST

/* Each address of a random range is in exactly one prefix, and none beside it in any. */
START_TEST(test_random_ranges)
{
	struct test_random r = { 5 };

	for (int i = 0; i < 300; i++) {
		struct prefix list[ROUTE_PREFIXES_MAX];
		uint32_t from = 0x0a000000 + test_random(&r, 700), to = from + test_random(&r, 700);
		struct ts ts = { .family = AF_INET, .port_to = 65535 };
		size_t n;

		for (int k = 0; k < 4; k++) {
			ts.from[k] = (uint8_t)(from >> (24 - 8 * k));
			ts.to[k] = (uint8_t)(to >> (24 - 8 * k));
		}
		n = route_prefixes(&ts, list);
		for (uint32_t a = from - 3; a < to + 3; a++) {
			uint8_t ip[4] = { (uint8_t)(a >> 24), (uint8_t)(a >> 16), (uint8_t)(a >> 8), (uint8_t)a };
			struct addr addr = addr_from_ip(AF_INET, ip);
			unsigned in = 0;

			for (size_t k = 0; k < n; k++)
				in += prefix_contains(&list[k], &addr);
			ck_assert_uint_eq(in, a >= from && a <= to);
		}
	}
}
END_TEST

TCase *tcase_route(void)
{
	TCase *tc = tcase_create("route");

	tcase_add_test(tc, test_ranges);
	tcase_add_test(tc, test_most);
	tcase_add_test(tc, test_random_ranges);
	return tc;
}
