/* SPDX-License-Identifier: Apache-2.0 */
#include "test_proto.h"

#include <stdlib.h>

#include "proto/limits.h"
#include "proto/ts.h"
#include "util/mem.h"

static struct ts ts(const char *text)
{
	struct ts t;

	ck_assert_msg(ts_parse(bytes_str(text), &t), "%s", text);
	return t;
}

START_TEST(texts)
{
	static const struct {
		const char *in;
		const char *out;
	} cases[] = {
		{ "10.1.0.0/16", "10.1.0.0/16" },
		{ "10.1.2.3/16", "10.1.0.0/16" },
		{ "10.1.0.1", "10.1.0.1/32" },
		{ "10.1.0.1/99", "10.1.0.1/32" },
		{ "10.1.0.1/256", "10.1.0.1/32" },
		{ "0.0.0.0/0", "0.0.0.0/0" },
		{ "%any", "0.0.0.0/32" },
		{ "fec0::/64", "fec0::/64" },
		{ "fec0::1", "fec0::1/128" },
		{ "fec0::1/200", "fec0::1/128" },
		{ "::/0", "::/0" },
		{ "10.1.0.5-10.1.0.9", "10.1.0.5..10.1.0.9" },
		{ "10.1.0.0-10.1.0.255", "10.1.0.0/24" },
		{ "fec0::1-fec0::5", "fec0::1..fec0::5" },
		{ "10.1.0.5-10.1.0.9[udp/5000-5010]", "10.1.0.5..10.1.0.9[udp/5000-5010]" },
		{ "10.1.0.1/32[tcp/80]", "10.1.0.1/32[tcp/http]" },
		{ "10.8.0.0/16[udp/53]", "10.8.0.0/16[udp/domain]" },
		{ "10.1.0.0/16[tcp]", "10.1.0.0/16[tcp]" },
		{ "10.1.0.0/16[6]", "10.1.0.0/16[tcp]" },
		{ "10.1.0.0/16[253]", "10.1.0.0/16[253]" },
		{ "10.1.0.0/16[253/7]", "10.1.0.0/16[253/7]" },
		{ "10.1.0.0/16[any]", "10.1.0.0/16" },
		{ "10.1.0.0/16[]", "10.1.0.0/16" },
		{ "10.1.0.0/16[/]", "10.1.0.0/16" },
		{ "10.1.0.0/16[any/any]", "10.1.0.0/16" },
		{ "10.1.0.0/16[/80]", "10.1.0.0/16[0/80]" },
		{ "10.1.0.0/16[tcp/]", "10.1.0.0/16[tcp]" },
		{ "10.1.0.0/16[tcp/any]", "10.1.0.0/16[tcp]" },
		{ "10.1.0.0/16[tcp/opaque]", "10.1.0.0/16[tcp/OPAQUE]" },
		{ "10.1.0.0/16[tcp/0-65535]", "10.1.0.0/16[tcp]" },
		{ "10.1.0.0/16[esp]", "10.1.0.0/16[esp]" },
		{ "dynamic", "dynamic" },
		{ "dynamic[tcp/http]", "dynamic[tcp/http]" },
		{ "10.0.0.0/8[icmp/8]", "10.0.0.0/8[icmp/8]" },
		{ "10.0.0.0/8[icmp/771]", "10.0.0.0/8[icmp/3(3)]" },
		{ "10.0.0.0/8[icmp/0-255]", "10.0.0.0/8[icmp/0-255]" },
		{ "fec0::/64[ipv6-icmp/128]", "fec0::/64[ipv6-icmp/128]" },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		struct ts t = ts(cases[i].in);

		ck_assert_str_eq(ts_format(&t).s, cases[i].out);
		ck_assert(ts_is_valid(&t));
	}
}
END_TEST

START_TEST(values)
{
	struct ts t = ts("10.0.0.0/8[icmp/8]");

	ck_assert_uint_eq(t.port_from, 0x0800);
	ck_assert_uint_eq(t.port_to, 0x0800);
	t = ts("10.0.0.0/8[tcp/opaque]");
	ck_assert_uint_eq(t.port_from, 65535);
	ck_assert_uint_eq(t.port_to, 0);
	t = ts("dynamic[udp/500]");
	ck_assert(t.dynamic);
	ck_assert_uint_eq(t.family, 0);
	t = ts("10.1.0.0/16[tcp/https]");
	ck_assert_uint_eq(t.port_from, 443);
}
END_TEST

START_TEST(bad_texts)
{
	static const char *const bad[] = {
		"",
		"nonsense",
		"host.example.org",
		"10.0.0.0/8[frob]",
		"10.0.0.0/8[tcp/frob]",
		"10.0.0.0/8[tcp",
		"10.0.0.0/8tcp]",
		"10.0.0.0/8[tcp]x",
		"10.0.0.0/8 [tcp]",
		"10.0.0.0/8[256]",
		"10.0.0.0/8[tcp/65536]",
		"10.0.0.0/8[tcp/20-10]",
		"10.0.0.0/8[tcp/80-]",
		"10.0.0.0/8[tcp/-80]",
		"10.0.0.0/8[icmp/http]",
		"10.0.0.0/",
		"10.0.0.0/x",
		"10.0.0.0/-1",
		"10.0.0.9-10.0.0.5",
		"10.0.0.1-fec0::1",
		"10.0.0.1-",
		"-10.0.0.1",
		"10.0.0",
		"fec0:::1",
		"[tcp]",
		"dynamics",
	};
	struct ts t;

	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		ck_assert_msg(!ts_parse(bytes_str(bad[i]), &t), "%s", bad[i]);
	ck_assert(!ts_parse(BYTES_NONE, &t));
	ck_assert(!ts_parse(bytes_of("10.0.0.0/8[t\0p]", 15), &t));
}
END_TEST

START_TEST(lists_as_text)
{
	struct ts t[2] = { ts("10.1.0.0/16"), ts("10.1.0.1[tcp/80]") };
	struct buf b = { NULL, 0, 0 };

	ts_list_format(&b, (struct ts_list){ 2, t });
	ck_assert_str_eq(buf_str(&b), "10.1.0.0/16 10.1.0.1/32[tcp/http]");
	buf_free(&b);
}
END_TEST

START_TEST(valid)
{
	struct ts t = ts("10.0.0.1-10.0.0.2");

	t.to[3] = 0;
	ck_assert(!ts_is_valid(&t));
	t = ts("10.0.0.1[tcp/80]");
	t.port_to = 79;
	ck_assert(!ts_is_valid(&t));
	t.port_from = 65535;
	t.port_to = 1;
	ck_assert(!ts_is_valid(&t));
	t = ts("10.0.0.1");
	t.family = AF_UNIX;
	ck_assert(!ts_is_valid(&t));
	t = ts_any(AF_INET6);
	ck_assert(ts_is_valid(&t));
}
END_TEST

START_TEST(hosts_and_prefixes)
{
	struct ts t = ts("10.1.0.1[tcp/80]"), range = ts("10.1.0.5-10.1.0.9"), u;
	struct addr a = { .family = AF_INET, .port = 500, .ip = { 10, 1, 0, 1 } };
	struct addr b = { .family = AF_INET, .ip = { 10, 1, 0, 2 } };
	struct addr six = { .family = AF_INET6, .ip = { 10, 1, 0, 1 } };
	struct prefix p;

	ck_assert(ts_is_host(&t, &a));
	ck_assert(!ts_is_host(&t, &b));
	ck_assert(!ts_is_host(&t, &six));
	u = ts("10.1.0.0/31");
	ck_assert(!ts_is_host(&u, &a));
	ck_assert(ts_to_prefix(&u, &p));
	ck_assert_uint_eq(p.len, 31);
	ck_assert(!ts_to_prefix(&range, &p));
	p = ts_cover(&range);
	ck_assert_uint_eq(p.len, 28);
	ck_assert_str_eq(addr_format(&p.net).s, "10.1.0.0");
	u = ts_from_prefix(&p);
	ck_assert(ts_contains(&u, &range));
	u = ts_from_addr(&a);
	ck_assert_str_eq(ts_format(&u).s, "10.1.0.1/32");
	u = ts_any(AF_INET);
	ck_assert(ts_to_prefix(&u, &p));
	ck_assert_uint_eq(p.len, 0);
	u = ts_any(AF_INET6);
	ck_assert_str_eq(ts_format(&u).s, "::/0");
	u = ts("dynamic");
	ck_assert(!ts_to_prefix(&u, &p));
}
END_TEST

START_TEST(resolving)
{
	struct arena arena = { NULL, NULL };
	struct ts conf[3] = { ts("dynamic[tcp/80]"), ts("10.9.0.0/16"), ts("dynamic") };
	struct addr hosts[3] = {
		{ .family = AF_INET, .ip = { 192, 0, 2, 1 } },
		{ .family = 0 },
		{ .family = AF_INET6, .ip = { 0x20, 1, 0xd, 0xb8, [15] = 1 } },
	};
	struct buf b = { NULL, 0, 0 };
	struct ts_list out = ts_resolve(&arena, (struct ts_list){ 3, conf }, hosts, 3);

	ts_list_format(&b, out);
	ck_assert_str_eq(buf_str(&b), "192.0.2.1/32[tcp/http] 2001:db8::1/128[tcp/http] 10.9.0.0/16 "
				      "192.0.2.1/32 2001:db8::1/128");
	out = ts_resolve(&arena, (struct ts_list){ 3, conf }, NULL, 0);
	ck_assert_uint_eq(out.count, 1);
	/* What is not resolved matches nothing. */
	ck_assert(!ts_contains(&conf[2], &conf[1]));
	ck_assert(!ts_contains(&conf[2], &conf[2]));
	ck_assert(!ts_intersect(&conf[2], &conf[2], &conf[0]));
	buf_free(&b);
	arena_free(&arena);
}
END_TEST

static void check_narrow(const char *ours, const char *theirs, const char *expected)
{
	struct arena arena = { NULL, NULL };
	struct ts t[2][8];
	struct ts_list lists[2];
	struct buf b = { NULL, 0, 0 };

	for (int side = 0; side < 2; side++) {
		const char *s = side ? theirs : ours;

		lists[side] = (struct ts_list){ 0, t[side] };
		while (*s) {
			size_t n = strcspn(s, " ");

			ck_assert(ts_parse(bytes_of(s, n), &t[side][lists[side].count++]));
			s += s[n] ? n + 1 : n;
		}
	}
	ts_list_format(&b, ts_narrow(&arena, lists[0], lists[1]));
	ck_assert_str_eq(buf_str(&b), expected);
	buf_free(&b);
	arena_free(&arena);
}

START_TEST(narrowing)
{
	check_narrow("10.1.0.0/16", "0.0.0.0/0", "10.1.0.0/16");
	check_narrow("0.0.0.0/0", "10.1.0.0/16", "10.1.0.0/16");
	check_narrow("10.1.0.0/16", "10.2.0.0/16", "");
	check_narrow("10.1.0.0/16", "::/0", "");
	check_narrow("", "0.0.0.0/0", "");
	/* RFC 7296, 2.9: the packet's selector first, then what it is in */
	check_narrow("10.1.0.0/16", "10.1.0.5[tcp/80] 10.0.0.0/8", "10.1.0.0/16");
	check_narrow("10.1.0.0/16[tcp] 10.2.0.0/16", "10.2.0.0/24 10.0.0.0/8[tcp/80-90]",
		     "10.2.0.0/24 10.1.0.0/16[tcp/80-90] 10.2.0.0/16[tcp/80-90]");
	check_narrow("10.1.0.0-10.1.0.9 ::/0", "10.1.0.5-10.1.0.20 fec0::/16",
		     "10.1.0.5..10.1.0.9 fec0::/16");
	check_narrow("10.1.0.0/16[tcp]", "10.1.0.0/16[udp]", "");
	check_narrow("10.1.0.0/16[tcp/opaque]", "10.1.0.0/16[tcp]", "10.1.0.0/16[tcp/OPAQUE]");
	check_narrow("10.1.0.0/16[tcp/opaque]", "10.1.0.0/16[tcp/80]", "");
}
END_TEST

START_TEST(narrowing_is_bounded)
{
	struct arena arena = { NULL, NULL };
	struct ts *t = calloc(300, sizeof(*t));
	struct ts any = ts_any(AF_INET);
	struct ts_list out;

	ck_assert_ptr_nonnull(t);
	for (unsigned i = 0; i < 300; i++) {
		struct addr a = { .family = AF_INET, .ip = { 10, (uint8_t)(i >> 8), (uint8_t)i, 1 } };

		t[i] = ts_from_addr(&a);
	}
	out = ts_narrow(&arena, (struct ts_list){ 1, &any }, (struct ts_list){ 300, t });
	ck_assert_uint_eq(out.count, LIMIT_SELECTORS);
	ck_assert(ts_list_within((struct ts_list){ 300, t }, out));
	free(t);
	arena_free(&arena);
}
END_TEST

START_TEST(lists)
{
	struct ts a[3] = { ts("10.1.0.0/16"), ts("10.2.0.0/16"), ts("10.1.0.0/16") };
	struct ts b[3] = { ts("10.2.0.0/16"), ts("10.1.0.0/16"), ts("10.1.0.0/16") };
	struct ts c[3] = { ts("10.2.0.0/16"), ts("10.1.0.0/16"), ts("10.2.0.0/16") };
	struct ts inner = ts("10.1.3.0/24[tcp]"), other = ts("10.1.0.0-10.2.0.0");
	struct ts_list la = { 3, a }, lb = { 3, b }, lc = { 3, c };

	ck_assert(ts_list_equal(la, lb));
	ck_assert(!ts_list_equal(la, lc));
	ck_assert(!ts_list_equal(lc, la));
	ck_assert(!ts_list_equal(la, (struct ts_list){ 2, b }));
	ck_assert(ts_list_within(la, (struct ts_list){ 1, &inner }));
	ck_assert(!ts_list_within(la, (struct ts_list){ 1, &other }));
	ck_assert(ts_list_within(la, (struct ts_list){ 0, NULL }));
	ck_assert(!ts_list_within((struct ts_list){ 0, NULL }, la));
}
END_TEST

TCase *test_ts(void)
{
	TCase *t = tcase_create("ts");

	tcase_add_test(t, texts);
	tcase_add_test(t, values);
	tcase_add_test(t, bad_texts);
	tcase_add_test(t, lists_as_text);
	tcase_add_test(t, valid);
	tcase_add_test(t, hosts_and_prefixes);
	tcase_add_test(t, resolving);
	tcase_add_test(t, narrowing);
	tcase_add_test(t, narrowing_is_bounded);
	tcase_add_test(t, lists);
	return t;
}
