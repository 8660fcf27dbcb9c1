/* SPDX-License-Identifier: Apache-2.0 */
#include "test_util.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "util/addr.h"
#include "util/mem.h"

static struct addr addr_must(const char *text)
{
	struct addr a;

	ck_assert_msg(addr_parse(bytes_str(text), &a), "%s was refused", text);
	return a;
}

START_TEST(addr_good)
{
	static const char *const texts[][2] = {
		{ "10.0.0.1", "10.0.0.1" },
		{ "255.255.255.255", "255.255.255.255" },
		{ "0.0.0.0", "0.0.0.0" },
		{ "::", "::" },
		{ "2001:DB8:0:0:0:0:0:1", "2001:db8::1" },
		{ "::ffff:192.0.2.1", "::ffff:192.0.2.1" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
		  "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
		{ "fe80::1", "fe80::1" },
		{ "fe80::1%4000000000", "fe80::1%4000000000" },
	};

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct addr a = addr_must(texts[i][0]);

		ck_assert_uint_eq(a.port, 0);
		ck_assert_str_eq(addr_format(&a).s, texts[i][1]);
	}
	ck_assert_uint_eq(addr_must("fe80::1%7777777").scope, 7777777);
}
END_TEST

START_TEST(addr_bad)
{
	static const char *const texts[] = {
		"", " ", "10.0.0", "10.0.0.256", "10.0.0.1 ", " 10.0.0.1", "10.0.0.1.", "010.0.0.1.2",
		"10.0.0.0/8", "10.0.0.1%eth0", "host", "1:2", ":::", "2001:db8::g", "2001:db8::1%1",
		"fe80::1%", "fe80::1%0", "fe80::1%nosuchinterface0", "fe80::1%4294967296", "fe80::1%-1",
		"fe80::1%01", "::1%1%1", "%1", "%any",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc:dddd:eeee:ffff",
	};
	struct addr a = { .port = 99 };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		ck_assert_msg(!addr_parse(bytes_str(texts[i]), &a), "%s was taken", texts[i]);
	ck_assert(!addr_parse(bytes_of("10.0.0.1\0x", 10), &a));
	ck_assert(!addr_parse(bytes_of("10.0.0.1\0", 9), &a));
	ck_assert(!addr_parse(BYTES_NONE, &a));
	ck_assert_uint_eq(a.port, 99);
}
END_TEST

/* Each truncation in memory of the exact size, without a NUL. */
START_TEST(addr_truncations)
{
	static const char text[] = "fe80::12.34.56.78%123456/64";

	for (size_t n = 0; n < sizeof(text); n++) {
		char *copy = xmemdup(text, n);
		struct prefix p;
		struct addr a;

		(void)!addr_parse(bytes_of(copy, n), &a);
		(void)!prefix_parse(bytes_of(copy, n), &p);
		free(copy);
	}
}
END_TEST

START_TEST(addr_formats)
{
	struct addr a = addr_must("10.0.0.1"), none = { 0 };

	a.port = 500;
	ck_assert_str_eq(addr_format_port(&a).s, "10.0.0.1[500]");
	a = addr_must("2001:db8::1");
	a.port = 65535;
	ck_assert_str_eq(addr_format_port(&a).s, "2001:db8::1[65535]");
	ck_assert_str_eq(addr_format(&none).s, "%any");
	ck_assert_str_eq(addr_format_port(&none).s, "%any[0]");
}
END_TEST

START_TEST(addr_comparisons)
{
	struct addr a = addr_must("10.0.0.1"), b = a, six = addr_must("fe80::1%9"), none = { 0 };

	ck_assert(addr_equal(&a, &b) && addr_equal_ip(&a, &b));
	b.port = 1;
	ck_assert(!addr_equal(&a, &b) && addr_equal_ip(&a, &b));
	b = addr_must("10.0.0.2");
	ck_assert(!addr_equal(&a, &b) && !addr_equal_ip(&a, &b));
	b = six;
	b.scope = 8;
	ck_assert(!addr_equal(&six, &b) && addr_equal_ip(&six, &b));
	/* ::a00:1 begins with other bytes, but families are compared first in any case */
	b = addr_must("a00:1::");
	ck_assert(!addr_equal_ip(&a, &b));
	ck_assert(addr_equal(&none, &none) && !addr_equal(&none, &a));
}
END_TEST

START_TEST(addr_kinds)
{
	struct addr a = { 0 };

	ck_assert(addr_is_any(&a));
	ck_assert(!addr_is_link_local(&a));
	a = addr_must("0.0.0.0");
	ck_assert(addr_is_any(&a));
	a = addr_must("::");
	ck_assert(addr_is_any(&a));
	a = addr_must("0.0.0.1");
	ck_assert(!addr_is_any(&a));
	a = addr_must("::1");
	ck_assert(!addr_is_any(&a) && !addr_is_link_local(&a));
	a = addr_must("169.254.3.4");
	ck_assert(addr_is_link_local(&a));
	a = addr_must("169.253.3.4");
	ck_assert(!addr_is_link_local(&a));
	a = addr_must("febf::1");
	ck_assert(addr_is_link_local(&a));
	a = addr_must("fec0::1");
	ck_assert(!addr_is_link_local(&a));
}
END_TEST

START_TEST(prefix_good)
{
	static const struct {
		const char *text, *net;
		unsigned len;
	} good[] = {
		{ "10.1.2.3", "10.1.2.3", 32 },	     { "10.1.2.3/32", "10.1.2.3", 32 },
		{ "10.1.2.3/31", "10.1.2.2", 31 },   { "10.1.2.3/24", "10.1.2.0", 24 },
		{ "10.255.2.3/9", "10.128.0.0", 9 }, { "10.1.2.3/0", "0.0.0.0", 0 },
		{ "2001:db8::1", "2001:db8::1", 128 }, { "2001:db8:ffff::/33", "2001:db8:8000::", 33 },
		{ "::1/0", "::", 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		struct prefix p;

		ck_assert_msg(prefix_parse(bytes_str(good[i].text), &p), "%s", good[i].text);
		ck_assert_str_eq(addr_format(&p.net).s, good[i].net);
		ck_assert_uint_eq(p.len, good[i].len);
	}
}
END_TEST

START_TEST(prefix_bad)
{
	static const char *const texts[] = {
		"", "/", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/+8", "10.0.0.0/ 8",
		"10.0.0.0/8 ", "10.0.0.0/08", "10.0.0.0/8/8", "10.0.0/8", "::/129", "10.0.0.0/255.0.0.0",
		"10.0.0.0/4294967304", "10.0.0.0/18446744073709551624", "10.0.0.0/99999999999999999999999",
	};
	struct prefix p;

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		ck_assert_msg(!prefix_parse(bytes_str(texts[i]), &p), "%s was taken", texts[i]);
}
END_TEST

START_TEST(prefix_members)
{
	static const struct {
		const char *prefix, *addr;
		bool in;
	} rows[] = {
		{ "10.0.0.0/8", "10.255.255.255", true }, { "10.0.0.0/8", "11.0.0.0", false },
		{ "10.0.0.0/8", "9.255.255.255", false }, { "10.0.0.128/25", "10.0.0.127", false },
		{ "10.0.0.128/25", "10.0.0.128", true },  { "10.0.0.1/32", "10.0.0.1", true },
		{ "10.0.0.1/32", "10.0.0.0", false },	  { "0.0.0.0/0", "200.1.2.3", true },
		{ "0.0.0.0/0", "::", false },		  { "::/0", "1.2.3.4", false },
		{ "2001:db8::/33", "2001:db8:7fff::", true }, { "2001:db8::/33", "2001:db8:8000::", false },
		{ "::1/128", "::1", true },		  { "::1/128", "::", false },
	};
	const struct addr none = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct addr a = addr_must(rows[i].addr);
		struct prefix p;

		ck_assert(prefix_parse(bytes_str(rows[i].prefix), &p));
		ck_assert_msg(prefix_contains(&p, &a) == rows[i].in, "%s in %s", rows[i].addr,
			      rows[i].prefix);
		ck_assert(!prefix_contains(&p, &none));
	}
	ck_assert(!prefix_contains(&(struct prefix){ 0 }, &none));
}
END_TEST

START_TEST(sockaddr_roundtrip)
{
	static const char *const texts[] = { "192.0.2.7", "2001:db8::7", "fe80::7%3333333" };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct addr a = addr_must(texts[i]), back;
		struct sockaddr_storage sa;
		socklen_t len;

		a.port = 4500;
		len = addr_to_sockaddr(&a, &sa);
		ck_assert_uint_eq(len, a.family == AF_INET ? sizeof(struct sockaddr_in)
							   : sizeof(struct sockaddr_in6));
		/* the port is at the same place in both */
		ck_assert_uint_eq(((struct sockaddr_in *)&sa)->sin_port, htons(4500));
		ck_assert(addr_from_sockaddr(&sa, &back));
		ck_assert(addr_equal(&a, &back));
	}
}
END_TEST

START_TEST(sockaddr_odd)
{
	struct addr a = { 0 }, global = addr_must("2001:db8::1");
	struct sockaddr_storage sa;

	ck_assert_uint_eq(addr_to_sockaddr(&a, &sa), 0);
	ck_assert(!addr_from_sockaddr(&sa, &a));
	sa.ss_family = AF_UNIX;
	ck_assert(!addr_from_sockaddr(&sa, &a));
	/* a scope of a global address would make equal addresses differ */
	(void)addr_to_sockaddr(&global, &sa);
	((struct sockaddr_in6 *)&sa)->sin6_scope_id = 2;
	ck_assert(addr_from_sockaddr(&sa, &a));
	ck_assert(addr_equal(&a, &global));
	a = addr_from_ip(AF_INET, (const uint8_t[]){ 1, 2, 3, 4 });
	ck_assert_str_eq(addr_format(&a).s, "1.2.3.4");
}
END_TEST

TCase *addr_tests(void)
{
	TCase *tc = tcase_create("addr");

	tcase_add_test(tc, addr_good);
	tcase_add_test(tc, addr_bad);
	tcase_add_test(tc, addr_truncations);
	tcase_add_test(tc, addr_formats);
	tcase_add_test(tc, addr_comparisons);
	tcase_add_test(tc, addr_kinds);
	tcase_add_test(tc, prefix_good);
	tcase_add_test(tc, prefix_bad);
	tcase_add_test(tc, prefix_members);
	tcase_add_test(tc, sockaddr_roundtrip);
	tcase_add_test(tc, sockaddr_odd);
	return tc;
}
