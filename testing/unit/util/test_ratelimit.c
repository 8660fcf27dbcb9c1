/* SPDX-License-Identifier: Apache-2.0 */
#include "test_util.h"

#include "util/ratelimit.h"

static unsigned take_all(struct ratelimit *r, uint64_t now)
{
	unsigned n = 0;

	while (n < 1000 && ratelimit_take(r, now))
		n++;
	return n;
}

START_TEST(ratelimit_burst_and_refill)
{
	struct ratelimit r = { .per_second = 10, .burst = 5 };

	ck_assert_uint_eq(take_all(&r, 1000), 5);
	ck_assert_uint_eq(take_all(&r, 1000), 0);
	ck_assert_uint_eq(take_all(&r, 1099), 0);
	ck_assert_uint_eq(take_all(&r, 1100), 1);
	ck_assert_uint_eq(take_all(&r, 1400), 3);
	/* no more than the burst after a long time, nor when it is asked often */
	ck_assert_uint_eq(take_all(&r, 1000000), 5);
	for (uint64_t t = 1000001; t < 1001000; t++)
		ck_assert_uint_eq(take_all(&r, t), (t - 1000000) % 100 == 0);
}
END_TEST

TCase *ratelimit_tests(void)
{
	TCase *tc = tcase_create("ratelimit");

	tcase_add_test(tc, ratelimit_burst_and_refill);
	return tc;
}
