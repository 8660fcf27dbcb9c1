/* SPDX-License-Identifier: Apache-2.0 */
#include "sa_test.h"

/* Lifetimes of IKE_SAs and CHILD_SAs as they are drawn from a connection. */

#define TIMES_CONF(IKE, CHILD) CONF_A_WITH(CONF_IKE "\n" IKE, CHILD_A("one", "1", ESP "\n" CHILD))

struct times {
	uint64_t rekey, reauth, over, child_rekey, child_life; /* ms from the establishment, 0 none */
};

/* What an initiator with this configuration gets. */
static struct times drawn(const char *conf)
{
	struct lab *lab = sa_test_up(conf, CONF_B);
	const struct ike_sa *sa = lab_sa(&lab->a);
	const struct child_sa *c = sa->children;
	struct times t = { 0 };
	uint64_t now = lab->now;

	ck_assert_ptr_nonnull(c);
	t.rekey = sa->rekey_ms ? sa->rekey_ms - now : 0;
	t.reauth = sa->reauth_ms ? sa->reauth_ms - now : 0;
	t.over = sa->over_ms ? sa->over_ms - now : 0;
	t.child_rekey = c->rekey_ms ? c->rekey_ms - now : 0;
	t.child_life = c->life_ms ? c->life_ms - now : 0;
	lab_free(lab);
	return t;
}

/* The recorded ones: rekey 14400 gives a soft lifetime of 12960 to 14400 and a hard one 1440 later. */
START_TEST(defaults)
{
	struct times t = drawn(TIMES_CONF("", ""));

	ck_assert_uint_ge(t.rekey, 12960000);
	ck_assert_uint_le(t.rekey, 14400000);
	ck_assert_uint_eq(t.over, t.rekey + 1440000);
	ck_assert_uint_eq(t.reauth, 0);
	ck_assert_uint_ge(t.child_rekey, 3240000);
	ck_assert_uint_le(t.child_rekey, 3600000);
	ck_assert_uint_eq(t.child_life, 3960000);
}
END_TEST

START_TEST(without_chance)
{
	struct times t = drawn(TIMES_CONF("rekey_time = 100s\n rand_time = 0\n over_time = 7s",
					  "rekey_time = 50s\n rand_time = 0\n life_time = 70s"));

	ck_assert_uint_eq(t.rekey, 100000);
	ck_assert_uint_eq(t.over, 107000);
	ck_assert_uint_eq(t.child_rekey, 50000);
	ck_assert_uint_eq(t.child_life, 70000);
}
END_TEST

/* The hard lifetime follows whichever comes first: nothing may live past a failed one for long. */
START_TEST(both)
{
	struct times t = drawn(TIMES_CONF("rekey_time = 100s\n reauth_time = 300s\n rand_time = 0\n over_time = 7s", ""));

	ck_assert_uint_eq(t.rekey, 100000);
	ck_assert_uint_eq(t.reauth, 300000);
	ck_assert_uint_eq(t.over, 107000);
	t = drawn(TIMES_CONF("rekey_time = 300s\n reauth_time = 100s\n rand_time = 0\n over_time = 7s", ""));
	ck_assert_uint_eq(t.over, 107000);
}
END_TEST

START_TEST(off)
{
	struct times t = drawn(TIMES_CONF("rekey_time = 0", "rekey_time = 0"));

	ck_assert_uint_eq(t.rekey | t.reauth | t.over | t.child_rekey | t.child_life, 0);
	t = drawn(TIMES_CONF("reauth_time = 1h\n rand_time = 0", "rekey_time = 0\n life_time = 10s"));
	ck_assert_uint_eq(t.rekey, 0);
	ck_assert_uint_eq(t.reauth, 3600000);
	ck_assert_uint_eq(t.over, 3960000);
	ck_assert_uint_eq(t.child_rekey, 0);
	ck_assert_uint_eq(t.child_life, 10000);
}
END_TEST

/* More chance than time: it still comes, later than at once. The largest time that loads does not wrap. */
START_TEST(extremes)
{
	struct times t = drawn(TIMES_CONF("rekey_time = 100s\n rand_time = 10h", "rekey_time = 10s\n rand_time = 1h"));

	ck_assert_uint_ge(t.rekey, 1);
	ck_assert_uint_le(t.rekey, 100000);
	ck_assert_uint_ge(t.child_rekey, 1);
	ck_assert_uint_le(t.child_rekey, 10000);
	t = drawn(TIMES_CONF("rekey_time = 9223372036854775\n over_time = 9223372036854775\n rand_time = 0",
			     "life_time = 9223372036854775\n rekey_time = 9223372036854775\n rand_time = 0"));
	ck_assert_uint_gt(t.rekey, UINT64_C(1) << 62);
	ck_assert_uint_ge(t.over, t.rekey);
	ck_assert_uint_gt(t.child_rekey, UINT64_C(1) << 62);
	ck_assert_uint_gt(t.child_life, UINT64_C(1) << 62);
}
END_TEST

TCase *test_deadline(void)
{
	TCase *t = tcase_create("deadline");

	tcase_add_test(t, defaults);
	tcase_add_test(t, without_chance);
	tcase_add_test(t, both);
	tcase_add_test(t, off);
	tcase_add_test(t, extremes);
	return t;
}
