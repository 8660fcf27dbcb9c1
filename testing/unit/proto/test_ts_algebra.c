/* SPDX-License-Identifier: Apache-2.0 */
#include "test_proto.h"

#include <stdlib.h>

#include "proto/ts.h"

/* Laws of selectors, on random ones from a small space so that they often meet. */

#define ROUNDS 50000

static struct ts random_ts(struct test_random *r)
{
	bool v6 = test_random(r, 4) == 0;
	size_t n = v6 ? 16 : 4;
	struct ts t = { .family = v6 ? AF_INET6 : AF_INET, .port_to = 65535 };
	uint8_t a = (uint8_t)test_random(r, 16), b = (uint8_t)test_random(r, 16);

	t.from[0] = t.to[0] = 10;
	if (test_random(r, 3)) {
		t.from[n - 1] = a < b ? a : b;
		t.to[n - 1] = a < b ? b : a;
	} else {
		t.to[n - 2] = (uint8_t)test_random(r, 3);
		t.to[n - 1] = 0xff;
	}
	t.protocol = (uint8_t)(test_random(r, 3) * 6);
	switch (test_random(r, 4)) {
	case 0:
		t.port_from = 65535;
		t.port_to = 0;
		break;
	case 1:
		t.port_from = (uint16_t)test_random(r, 20);
		t.port_to = (uint16_t)(t.port_from + test_random(r, 20));
		break;
	case 2:
		t.port_from = (uint16_t)(65530 + test_random(r, 6));
		break;
	}
	return t;
}

static void check_same(bool x, const struct ts *a, bool y, const struct ts *b)
{
	ck_assert_int_eq(x, y);
	if (x)
		ck_assert_msg(ts_equal(a, b), "%s and %s", ts_format(a).s, ts_format(b).s);
}

START_TEST(intersection_laws)
{
	struct test_random r = { 0x1234567 };
	unsigned met = 0, empty = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct ts a = random_ts(&r), b = random_ts(&r), c = random_ts(&r);
		struct ts ab, ba, bc, left, right, aa;
		bool x = ts_intersect(&a, &b, &ab), y = ts_intersect(&b, &a, &ba);

		check_same(x, &ab, y, &ba);
		ck_assert(ts_intersect(&a, &a, &aa) && ts_equal(&a, &aa));
		x = x && ts_intersect(&ab, &c, &left);
		y = ts_intersect(&b, &c, &bc) && ts_intersect(&a, &bc, &right);
		check_same(x, &left, y, &right);
		if (x)
			met++;
		else
			empty++;
	}
	/* The laws were tried on both kinds. */
	ck_assert_uint_gt(met, 100);
	ck_assert_uint_gt(empty, 100);
}
END_TEST

START_TEST(containment_laws)
{
	struct test_random r = { 0x7654321 };
	unsigned contained = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct ts a = random_ts(&r), b = random_ts(&r), ab;
		bool meet = ts_intersect(&a, &b, &ab);
		bool inside = ts_contains(&a, &b);

		ck_assert_int_eq(inside, meet && ts_equal(&ab, &b));
		ck_assert(ts_contains(&a, &a));
		if (meet)
			ck_assert(ts_is_valid(&ab) && ts_contains(&a, &ab) && ts_contains(&b, &ab));
		if (inside && ts_contains(&b, &a))
			ck_assert(ts_equal(&a, &b));
		contained += inside;
	}
	ck_assert_uint_gt(contained, 100);
}
END_TEST

/* Membership of single packets says the same as the ranges do. */
static bool holds(const struct ts *t, const struct ts *packet)
{
	size_t n = t->family == AF_INET ? 4 : 16;
	bool opaque = t->port_from > t->port_to, all = t->port_from == 0 && t->port_to == 65535;

	if (t->family != packet->family || memcmp(packet->from, t->from, n) < 0 ||
	    memcmp(packet->from, t->to, n) > 0 || (t->protocol && t->protocol != packet->protocol))
		return false;
	if (packet->port_from > packet->port_to)
		return opaque || all;
	return !opaque && packet->port_from >= t->port_from && packet->port_from <= t->port_to;
}

START_TEST(intersection_is_of_packets)
{
	struct test_random r = { 0xabcdef };
	unsigned both = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct ts a = random_ts(&r), b = random_ts(&r), packet = random_ts(&r), ab;
		bool meet = ts_intersect(&a, &b, &ab);

		packet.protocol = test_random(&r, 2) ? 6 : 12;
		if (packet.port_from <= packet.port_to)
			packet.port_to = packet.port_from;
		ck_assert_int_eq(holds(&a, &packet) && holds(&b, &packet),
				 meet && holds(&ab, &packet));
		both += meet && holds(&ab, &packet);
	}
	ck_assert_uint_gt(both, 100);
}
END_TEST

START_TEST(narrowing_never_widens)
{
	struct test_random r = { 0xfedcba };
	struct arena arena = { NULL, NULL };
	unsigned some = 0;

	for (int i = 0; i < ROUNDS / 10; i++) {
		struct ts ours[4], theirs[4];
		struct ts_list a = { test_random(&r, 5), ours }, b = { test_random(&r, 5), theirs }, out;

		for (int j = 0; j < 4; j++) {
			ours[j] = random_ts(&r);
			theirs[j] = random_ts(&r);
		}
		out = ts_narrow(&arena, a, b);
		ck_assert(ts_list_within(a, out));
		ck_assert(ts_list_within(b, out));
		for (size_t x = 0; x < out.count; x++) {
			for (size_t y = 0; y < out.count; y++)
				ck_assert(x == y || !ts_contains(&out.p[x], &out.p[y]));
		}
		/* and loses nothing: every intersection lies in an entry */
		for (size_t x = 0; x < a.count; x++) {
			for (size_t y = 0; y < b.count; y++) {
				struct ts both;

				if (ts_intersect(&ours[x], &theirs[y], &both))
					ck_assert(ts_list_within(out, (struct ts_list){ 1, &both }));
			}
		}
		some += out.count > 1;
		arena_reset(&arena);
	}
	ck_assert_uint_gt(some, 100);
	arena_free(&arena);
}
END_TEST

START_TEST(prefixes)
{
	struct test_random r = { 0x13579 };
	unsigned exact = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct ts t = random_ts(&r), whole;
		struct prefix p, cover = ts_cover(&t);

		whole = ts_from_prefix(&cover);
		ck_assert(ts_contains(&whole, &t));
		/* no smaller one covers it */
		if (cover.len < (t.family == AF_INET ? 32 : 128)) {
			struct prefix half = cover;
			struct ts sub;

			half.len++;
			sub = ts_from_prefix(&half);
			ck_assert(!ts_contains(&sub, &t));
		}
		t.protocol = 0;
		t.port_from = 0;
		t.port_to = 65535;
		ck_assert_int_eq(ts_to_prefix(&t, &p), ts_equal(&whole, &t));
		exact += ts_equal(&whole, &t);
	}
	ck_assert_uint_gt(exact, 100);
}
END_TEST

/* What is printed with a dash instead of two dots is read back as the same. */
START_TEST(text_round_trip)
{
	struct test_random r = { 0x24680 };

	for (int i = 0; i < 3000; i++) {
		struct ts t = random_ts(&r), back;
		struct ts_text text = ts_format(&t);
		char *dots = strstr(text.s, "..");
		char *upper = strstr(text.s, "OPAQUE");

		if (dots) {
			dots[0] = '-';
			memmove(dots + 1, dots + 2, strlen(dots + 1));
		}
		upper = strstr(text.s, "OPAQUE");
		if (upper)
			memcpy(upper, "opaque", 6);
		ck_assert_msg(ts_parse(bytes_str(text.s), &back), "%s", text.s);
		ck_assert_msg(ts_equal(&t, &back), "%s", text.s);
	}
}
END_TEST

TCase *test_ts_algebra(void)
{
	TCase *t = tcase_create("ts_algebra");

	tcase_add_test(t, intersection_laws);
	tcase_add_test(t, containment_laws);
	tcase_add_test(t, intersection_is_of_packets);
	tcase_add_test(t, narrowing_never_widens);
	tcase_add_test(t, prefixes);
	tcase_add_test(t, text_round_trip);
	tcase_set_timeout(t, 60);
	return t;
}
