/* SPDX-License-Identifier: Apache-2.0 */
#include "loop_test.h"

#include <stdlib.h>

#include "loop/wheel.h"

static struct wheel *wheel;
static struct timer timers[8];
static char fired[64]; /* a letter per timer, in order */
static size_t fired_n;

static void setup(void)
{
	wheel = wheel_new(1000);
	fired_n = 0;
	for (int i = 0; i < 8; i++)
		timers[i] = (struct timer){ { NULL, NULL }, 0, NULL };
}

static void teardown(void)
{
	wheel_free(wheel);
}

static void fire(struct timer *t)
{
	ck_assert(!timer_running(t));
	ck_assert_uint_lt(fired_n, sizeof(fired) - 1);
	fired[fired_n++] = (char)('a' + (t - timers));
}

static void start(int i, uint64_t due)
{
	timer_start(wheel, &timers[i], due, fire);
}

static void check_fired(const char *want)
{
	fired[fired_n] = '\0';
	ck_assert_str_eq(fired, want);
	fired_n = 0;
}

START_TEST(wheel_runs_in_order)
{
	start(0, 5000);
	start(1, 1001);
	start(2, 70000);
	start(3, 1001);
	ck_assert_uint_eq(wheel_count(wheel), 4);
	ck_assert_uint_eq(wheel_next(wheel), 1001);
	wheel_advance(wheel, 1000);
	check_fired("");
	wheel_advance(wheel, 100000);
	check_fired("bdac");
	ck_assert_uint_eq(wheel_count(wheel), 0);
	ck_assert(wheel_next(wheel) == UINT64_MAX);
	ck_assert_uint_eq(wheel_now(wheel), 100000);
}
END_TEST

/* Exactly then, at each level of the wheel and on both sides of its borders. */
START_TEST(wheel_is_exact)
{
	for (unsigned bit = 0; bit < 63; bit++) {
		for (int off = -1; off <= 1; off++) {
			uint64_t due = ((uint64_t)1 << bit) + (uint64_t)off;
			struct wheel *w = wheel_new(0);
			struct timer t = { 0 };

			if (due == 0) {
				wheel_free(w);
				continue;
			}
			timers[0] = t;
			timer_start(w, &timers[0], due, fire);
			ck_assert(wheel_next(w) <= due);
			wheel_advance(w, due - 1);
			check_fired("");
			ck_assert(wheel_next(w) <= due);
			wheel_advance(w, due);
			check_fired("a");
			wheel_free(w);
		}
	}
}
END_TEST

/* The number of wake-ups for one far timer is that of the levels, not of the slots. */
START_TEST(wheel_next_is_sparse)
{
	unsigned wakeups = 0;

	start(0, 1000 + 3600 * 1000);
	while (wheel_count(wheel)) {
		uint64_t next = wheel_next(wheel);

		ck_assert(next > wheel_now(wheel) && next <= 3601000);
		wheel_advance(wheel, next);
		wakeups++;
	}
	check_fired("a");
	ck_assert_uint_le(wakeups, 4);
}
END_TEST

START_TEST(wheel_end_of_time)
{
	start(0, UINT64_MAX);
	start(1, UINT64_MAX - 1);
	wheel_advance(wheel, UINT64_MAX - 2);
	check_fired("");
	wheel_advance(wheel, UINT64_MAX - 1);
	check_fired("b");
	start(2, UINT64_MAX);
	wheel_advance(wheel, UINT64_MAX);
	check_fired("ac");
	start(0, UINT64_MAX);
	wheel_advance(wheel, UINT64_MAX);
	check_fired("a");
}
END_TEST

START_TEST(wheel_overdue)
{
	start(0, 1000);
	start(1, 0);
	start(2, 1001);
	ck_assert(wheel_next(wheel) <= 1000);
	/* as due as each other since they were started */
	wheel_advance(wheel, 1000);
	check_fired("ab");
	/* a clock that goes back changes nothing */
	start(3, 500);
	wheel_advance(wheel, 900);
	check_fired("d");
	ck_assert_uint_eq(wheel_now(wheel), 1000);
	wheel_advance(wheel, 1001);
	check_fired("c");
}
END_TEST

START_TEST(wheel_stop_and_move)
{
	start(0, 1010);
	start(1, 1010);
	start(2, 1010);
	timer_stop(wheel, &timers[1]);
	timer_stop(wheel, &timers[1]);
	ck_assert(!timer_running(&timers[1]));
	start(0, 1010); /* moved behind c */
	wheel_advance(wheel, 1010);
	check_fired("ca");
	/* the last of a slot leaves no trace */
	start(0, 5000);
	timer_stop(wheel, &timers[0]);
	ck_assert(wheel_next(wheel) == UINT64_MAX);
	start(0, 10);
	timer_stop(wheel, &timers[0]);
	ck_assert(wheel_next(wheel) == UINT64_MAX);
	ck_assert_uint_eq(wheel_count(wheel), 0);
}
END_TEST

START_TEST(wheel_order_survives_moves_down)
{
	start(0, 1000 + 70000); /* from far away */
	wheel_advance(wheel, 60000);
	start(1, 1000 + 70000); /* from nearer */
	wheel_advance(wheel, 70990);
	start(2, 1000 + 70000);
	wheel_advance(wheel, 80000);
	check_fired("abc");
}
END_TEST

/* ---- callbacks that touch other timers ---- */

static void fire_and_stop_others(struct timer *t)
{
	fire(t);
	timer_stop(wheel, &timers[1]); /* due in the same advance */
	timer_start(wheel, &timers[2], wheel_now(wheel) + 5, fire);
}

START_TEST(callback_stops_and_moves)
{
	timer_start(wheel, &timers[0], 1010, fire_and_stop_others);
	start(1, 1010);
	start(2, 1011);
	start(3, 1012);
	wheel_advance(wheel, 1020);
	check_fired("ad");
	ck_assert_uint_eq(wheel_count(wheel), 1);
	wheel_advance(wheel, 1024);
	check_fired("");
	wheel_advance(wheel, 1025);
	check_fired("c");
}
END_TEST

static void fire_and_restart(struct timer *t)
{
	fire(t);
	timer_start(wheel, t, wheel_now(wheel), fire_and_restart);
}

/* One that is always due again runs once per advance, so that an advance ends. */
START_TEST(callback_restarts_at_once)
{
	timer_start(wheel, &timers[0], 1010, fire_and_restart);
	wheel_advance(wheel, 1020);
	check_fired("a");
	ck_assert_uint_le(wheel_next(wheel), 1020);
	wheel_advance(wheel, 1020);
	check_fired("a");
	wheel_advance(wheel, 1030);
	check_fired("a");
}
END_TEST

struct pair {
	struct timer t;
	struct pair *other;
};

static unsigned pairs_freed;

static void pair_free_both(struct timer *t)
{
	struct pair *p = container_of(t, struct pair, t);

	timer_stop(wheel, &p->other->t);
	free(p->other);
	free(p);
	pairs_freed++;
}

/* For the address sanitizer. */
START_TEST(callback_frees)
{
	pairs_freed = 0;
	for (uint64_t i = 0; i < 100; i++) {
		struct pair *a = xcalloc(1, sizeof(*a)), *b = xcalloc(1, sizeof(*b));

		a->other = b;
		b->other = a;
		timer_start(wheel, &a->t, 1001 + i * 13 % 200, pair_free_both);
		timer_start(wheel, &b->t, 1001 + i * 7 % 200, pair_free_both);
	}
	wheel_advance(wheel, 1100);
	wheel_advance(wheel, 1300);
	ck_assert_uint_eq(pairs_freed, 100);
	ck_assert_uint_eq(wheel_count(wheel), 0);
}
END_TEST

START_TEST(wheel_free_stops)
{
	struct wheel *w = wheel_new(0);

	timer_start(w, &timers[0], 5, fire);
	timer_start(w, &timers[1], 5000000, fire);
	timer_start(w, &timers[2], 0, fire);
	wheel_free(w);
	for (int i = 0; i < 3; i++)
		ck_assert(!timer_running(&timers[i]));
	wheel_free(NULL);
}
END_TEST

TCase *wheel_tests(void)
{
	TCase *tc = tcase_create("wheel");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, wheel_runs_in_order);
	tcase_add_test(tc, wheel_is_exact);
	tcase_add_test(tc, wheel_next_is_sparse);
	tcase_add_test(tc, wheel_end_of_time);
	tcase_add_test(tc, wheel_overdue);
	tcase_add_test(tc, wheel_stop_and_move);
	tcase_add_test(tc, wheel_order_survives_moves_down);
	tcase_add_test(tc, callback_stops_and_moves);
	tcase_add_test(tc, callback_restarts_at_once);
	tcase_add_test(tc, callback_frees);
	tcase_add_test(tc, wheel_free_stops);
	return tc;
}
