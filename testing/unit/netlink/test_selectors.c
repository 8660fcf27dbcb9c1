/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>

#include "kernel/selectors.h"
#include "test_netlink.h"

/* As text: "10.1.0.0/16:udp:5000/fff8 10.2.0.0/16:0/0". */
static const char *selector_text(const struct xfrm_selector *s)
{
	static struct buf out;
	struct addr src = addr_from_ip(s->family, (const uint8_t *)&s->saddr);
	struct addr dst = addr_from_ip(s->family, (const uint8_t *)&s->daddr);

	buf_reset(&out);
	buf_printf(&out, "%s/%u:%u/%x %s/%u:%u/%x %u", addr_format(&src).s, s->prefixlen_s, ntohs(s->sport),
		   ntohs(s->sport_mask), addr_format(&dst).s, s->prefixlen_d, ntohs(s->dport), ntohs(s->dport_mask), s->proto);
	return buf_str(&out);
}

static struct selectors make(const char *local, const char *remote)
{
	struct ts l = test_ts(local), r = test_ts(remote);
	struct selectors s = { NULL, 0 };
	struct errtext err = { "" };

	ck_assert_msg(selectors_make((struct ts_list){ 1, &l }, (struct ts_list){ 1, &r }, "child", &s, &err), "%s", err.s);
	return s;
}

static void refused(struct ts_list local, struct ts_list remote, const char *why)
{
	struct selectors s = { NULL, 0 };
	struct errtext err = { "" };

	ck_assert(!selectors_make(local, remote, "child", &s, &err));
	ck_assert_msg(strstr(err.s, why) != NULL, "%s", err.s);
}

static void makes(const char *local, const char *remote, size_t n, const char *first)
{
	struct selectors s = make(local, remote);

	ck_assert_uint_eq(s.n, n);
	ck_assert_str_eq(selector_text(&s.list[0]), first);
	selectors_free(&s);
}

START_TEST(test_pairs)
{
	makes("10.1.0.0/16", "10.2.0.0/16", 1, "10.1.0.0/16:0/0 10.2.0.0/16:0/0 0");
	makes("fd00::/16", "fd01::5", 1, "fd00::/16:0/0 fd01::5/128:0/0 0");
	makes("10.1.0.5-10.1.0.9", "10.2.0.0/16", 3, "10.1.0.5/32:0/0 10.2.0.0/16:0/0 0");
	makes("10.1.0.0/16[udp/5000-5007]", "10.2.0.0/16", 1, "10.1.0.0/16:5000/fff8 10.2.0.0/16:0/0 17");
	makes("10.1.0.0/16[udp]", "10.2.0.0/16[udp/5000-5008]", 2, "10.1.0.0/16:0/0 10.2.0.0/16:5000/fff8 17");
	makes("10.1.0.0/16[tcp/1-65534]", "10.2.0.0/16", 30, "10.1.0.0/16:1/ffff 10.2.0.0/16:0/0 6");
}
END_TEST

/* Type and code stand in both selectors' ports; the kernel has the type as source, the code as destination port. */
START_TEST(test_icmp)
{
	struct selectors s = make("10.1.0.0/16[icmp/8]", "10.2.0.0/16[icmp]");
	struct xfrm_selector back = selector_reverse(&s.list[0]);

	ck_assert_uint_eq(s.n, 1);
	ck_assert_str_eq(selector_text(&s.list[0]), "10.1.0.0/16:8/ff 10.2.0.0/16:0/ff 1");
	ck_assert_str_eq(selector_text(&back), "10.2.0.0/16:8/ff 10.1.0.0/16:0/ff 1");
	selectors_free(&s);
}
END_TEST

START_TEST(test_refused)
{
	struct ts v4 = test_ts("10.1.0.0/16"), v6 = test_ts("fd00::/16"), tcp = test_ts("10.2.0.0/16[tcp]");
	struct ts udp = test_ts("10.2.0.0/16[udp]"), opaque = v4, wide = test_ts("10.0.0.1-10.255.255.254[udp/1-65534]");

	refused((struct ts_list){ 1, &v4 }, (struct ts_list){ 1, &v6 }, "child: no local selector fits a remote one");
	refused((struct ts_list){ 1, &tcp }, (struct ts_list){ 1, &udp }, "no local selector fits");
	refused((struct ts_list){ 1, &wide }, (struct ts_list){ 1, &wide }, "more than 1024 pairs");
	opaque.port_from = 65535;
	opaque.port_to = 0;
	refused((struct ts_list){ 1, &v4 }, (struct ts_list){ 1, &opaque }, "OPAQUE");
}
END_TEST

static uint32_t priority(const char *local, const char *remote, enum policy_class class)
{
	struct selectors s = make(local, remote);
	uint32_t p = selector_priority(&s.list[0], class);

	ck_assert(p >= PRIORITY_FIRST && p < PRIORITY_LAST);
	selectors_free(&s);
	return p;
}

/* Each comes before the next. */
START_TEST(test_priorities)
{
	static const struct {
		const char *local, *remote;
		enum policy_class class;
	} order[] = {
		{ "10.1.0.1[tcp/80]", "10.2.0.1[tcp/80]", POLICY_CLASS_SA },
		{ "10.1.0.1[tcp]", "10.2.0.1[tcp/80]", POLICY_CLASS_SA },
		{ "10.1.0.1[tcp]", "10.2.0.1", POLICY_CLASS_SA },
		{ "10.1.0.1", "10.2.0.1", POLICY_CLASS_SHUNT },
		{ "10.1.0.1", "10.2.0.1", POLICY_CLASS_SA },
		{ "10.1.0.1", "10.2.0.1", POLICY_CLASS_TRAP },
		{ "10.1.0.1", "10.2.0.0/24[tcp/80]", POLICY_CLASS_SA },
		{ "10.1.0.0/24", "10.2.0.0/24", POLICY_CLASS_SA },
		{ "10.1.0.0/24", "0.0.0.0/0", POLICY_CLASS_SHUNT },
		{ "10.1.0.0/24", "0.0.0.0/0", POLICY_CLASS_SA },
		{ "0.0.0.0/0[tcp/80]", "0.0.0.0/0[tcp/80]", POLICY_CLASS_SA },
		{ "0.0.0.0/0", "0.0.0.0/0", POLICY_CLASS_TRANSIT },
		{ "::/0", "fd00::/16", POLICY_CLASS_SA },
		{ "::/0", "::/0", POLICY_CLASS_TRANSIT },
	};

	for (size_t i = 1; i < ARRAY_LEN(order); i++)
		ck_assert_msg(priority(order[i - 1].local, order[i - 1].remote, order[i - 1].class) <
				      priority(order[i].local, order[i].remote, order[i].class),
			      "%s === %s", order[i].local, order[i].remote);
}
END_TEST

START_TEST(test_cover)
{
	struct ts local[] = { test_ts("10.1.0.0/24[tcp]"), test_ts("10.1.3.0/24[udp]") }, remote = test_ts("10.2.0.5[tcp]");
	struct ts mixed[] = { local[0], test_ts("fd00::/16") };
	struct xfrm_selector s;

	ck_assert(selectors_cover((struct ts_list){ 2, local }, (struct ts_list){ 1, &remote }, &s));
	ck_assert_str_eq(selector_text(&s), "10.1.0.0/22:0/0 10.2.0.5/32:0/0 0");
	ck_assert(selectors_cover((struct ts_list){ 1, local }, (struct ts_list){ 1, &remote }, &s));
	ck_assert_str_eq(selector_text(&s), "10.1.0.0/24:0/0 10.2.0.5/32:0/0 6");
	ck_assert(!selectors_cover((struct ts_list){ 2, mixed }, (struct ts_list){ 1, &remote }, &s));
}
END_TEST

TCase *tcase_selectors(void)
{
	TCase *tc = tcase_create("selectors");

	tcase_add_test(tc, test_pairs);
	tcase_add_test(tc, test_icmp);
	tcase_add_test(tc, test_refused);
	tcase_add_test(tc, test_priorities);
	tcase_add_test(tc, test_cover);
	return tc;
}
