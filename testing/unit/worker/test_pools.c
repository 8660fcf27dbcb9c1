/* SPDX-License-Identifier: Apache-2.0 */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "side.h"

/* Many SAs over several workers; configuration, uniqueness and the end, across threads. */

#define MANY 300 /* more than a slice of a list for each worker */

#define EVENT(NAME) (1u << SA_EVENT_##NAME)

/* _i: workers of both, with and without steering in the kernel */
START_TEST(many)
{
	static const struct side_setup setups[] = {
		{ .workers = 1 }, { .workers = 2 }, { .workers = 4 }, { .workers = 2, .no_steer = true },
		{ .workers = 4, .no_steer = true },
	};
	struct worker_select some = { .ike = "load", .child = "nothing" };
	struct side a, b;
	struct side_list list;

	side_start(&b, &setups[_i], SIDE_B, 0);
	side_start(&a, &setups[(_i + 1) % 5], SIDE_A, side_port(&b));
	workers_want_events(b.w, EVENT(IKE_DOWN));
	side_up(&a, "load", "net", MANY);
	list = side_list(&a, NULL);
	ck_assert_uint_eq(list.sas, MANY);
	ck_assert_uint_eq(list.established, MANY);
	ck_assert_uint_eq(list.children, MANY);
	list = side_list(&b, NULL);
	ck_assert_uint_eq(list.established, MANY);
	ck_assert_uint_eq(list.children, MANY);
	list = side_list(&a, &some);
	ck_assert_uint_eq(list.sas, MANY);
	ck_assert_uint_eq(list.children, 0);
	ck_assert_uint_eq(side_stats(&b).ike_sas, MANY);
	ck_assert_uint_eq(side_stats(&b).half_open, 0);
	ck_assert_uint_ge(side_stats(&a).counters[SA_COUNTER_AUTH_IN_RESP], MANY);
	some = (struct worker_select){ .ike = "load" };
	ck_assert_uint_eq(side_terminate(&a, &some, false), MANY);
	side_events(&b, SA_EVENT_IKE_DOWN, MANY);
	ck_assert_uint_eq(side_list(&a, NULL).sas, 0);
	ck_assert_uint_eq(side_list(&b, NULL).sas, 0);
	side_stop(&a, 2000);
	side_stop(&b, 2000);
}
END_TEST

START_TEST(memory)
{
	struct side_setup setup = { .workers = 2 };
	struct worker_select all = { 0 };
	struct side a, b;
	size_t before = 0, after;

	side_start(&b, &setup, SIDE_B, 0);
	side_start(&a, &setup, SIDE_A, side_port(&b));
	workers_want_events(b.w, EVENT(IKE_DOWN));
	for (int round = 0; round < 12; round++) {
		side_up(&a, "load", "net", MANY);
		ck_assert_uint_eq(side_terminate(&a, &all, false), MANY);
		side_events(&b, SA_EVENT_IKE_DOWN, MANY);
		/* lists make sure that the turns in which SAs are freed are over */
		(void)side_list(&a, NULL);
		(void)side_list(&b, NULL);
		after = mallinfo2().uordblks;
		if (getenv("SIDE_LOG"))
			fprintf(stderr, "round %d: %zu\n", round, after);
		if (round == 3)
			before = after;
	}
	/* what the first rounds made grow (tables, pools, the threads' caches) stays; each SA more would be seen */
	ck_assert_uint_lt(after, before + (size_t)8 * MANY * 128);
	side_stop(&a, 2000);
	side_stop(&b, 2000);
}
END_TEST

/* The end says good-bye: the peer's SAs are gone, too. _i: with a limit of 0, too, one Delete is sent */
START_TEST(stop)
{
	struct side_setup setup = { .workers = 2 };
	struct side a, b;

	side_start(&b, &setup, SIDE_B, 0);
	side_start(&a, &setup, SIDE_A, side_port(&b));
	workers_want_events(b.w, EVENT(IKE_DOWN));
	side_up(&a, "load", "net", 50);
	side_stop(&a, _i ? 0 : 5000);
	side_events(&b, SA_EVENT_IKE_DOWN, 50);
	ck_assert_uint_eq(side_list(&b, NULL).sas, 0);
	side_stop(&b, 2000);
}
END_TEST

/* What the peer closed and only lingers goes at the end, too (a sanitizer sees what does not). */
START_TEST(stop_with_closed)
{
	struct worker_select all = { 0 };
	struct side_setup setup = { .workers = 1, .closed_linger = 60 };
	struct side a, b;

	side_start(&b, &setup, SIDE_B, 0);
	side_start(&a, &setup, SIDE_A, side_port(&b));
	workers_want_events(b.w, EVENT(IKE_DOWN));
	side_up(&a, "load", "net", MANY);
	ck_assert_uint_eq(side_terminate(&a, &all, false), MANY);
	side_events(&b, SA_EVENT_IKE_DOWN, MANY);
	ck_assert_uint_ge(side_stats(&b).timers, MANY);
	side_stop(&b, 2000);
	side_stop(&a, 2000);
}
END_TEST

/* Who waits for a set-up hears of its end, whatever comes. */
START_TEST(stop_while_connecting)
{
	struct side_setup setup = { .workers = 2 };
	struct side a, b;

	side_start(&b, &setup, SIDE_B, 0);
	side_start(&a, &setup, SIDE_A, side_port(&b));
	side_initiate(&a, "load", "net", 200);
	if (_i == 1)
		(void)side_ended(&a, 1, CAUSE_NONE);
	side_stop_workers(&a, _i == 2 ? 0 : 1000);
	(void)side_ended(&a, _i == 1 ? 199 : 200, CAUSE_NONE);
	side_free(&a);
	side_stop(&b, 0);
}
END_TEST

/* SAs keep the configuration they were made with; new ones have the new one. */
START_TEST(config_change)
{
	struct side_setup setup = { .workers = 2 };
	struct worker_select old = { .ike = "gw" }, new = { .ike = "gate" };
	struct config *config;
	struct side a, b;

	side_start(&b, &setup, SIDE_B, 0);
	side_start(&a, &setup, SIDE_A, side_port(&b));
	side_up(&a, "load", "net", 20);
	config = side_config(SIDE_B_NAMED("gate", "unique = never"), 0);
	workers_set_config(b.w, config);
	config_unref(config);
	/* a gathering request is behind the configuration in each worker's box */
	ck_assert_uint_eq(side_list(&b, &old).established, 20);
	side_up(&a, "load", "net", 30);
	ck_assert_uint_eq(side_list(&b, &old).established, 20);
	ck_assert_uint_eq(side_list(&b, &new).established, 30);
	/* and again while set-ups are under way */
	side_initiate(&a, "load", "net", 100);
	for (int i = 0; i < 50; i++) {
		config = side_config(SIDE_B_NAMED("gate", "unique = never"), 0);
		workers_set_config(b.w, config);
		config_unref(config);
		b.options.sa.retransmit_tries = 5 + i % 2;
		workers_set_options(b.w, &b.options);
	}
	ck_assert_uint_eq(side_ended(&a, 100, CAUSE_NONE), 100);
	side_stop(&a, 2000);
	side_stop(&b, 2000);
}
END_TEST

/* Two pools with the same identity: the second knows nothing of the first's IKE_SA and says so (INITIAL_CONTACT). */
START_TEST(initial_contact)
{
	struct side_setup setup = { .workers = 4 };
	struct side a[2], b;

	side_start(&b, &setup, SIDE_B_NAMED("gw", "unique = no"), 0);
	for (int i = 0; i < 2; i++)
		side_start(&a[i], &setup, SIDE_A_WITH("unique = no"), side_port(&b));
	workers_want_events(b.w, EVENT(IKE_DOWN));
	for (int i = 0; i < 2; i++)
		side_up(&a[i], "load", "net", 1);
	side_events(&b, SA_EVENT_IKE_DOWN, 1);
	ck_assert_uint_eq(side_list(&b, NULL).established, 1);
	side_stop(&a[0], 0);
	side_stop(&a[1], 2000);
	side_stop(&b, 2000);
}
END_TEST

/* _i: 0 replace, 1 keep, 2 never, of a peer that does not say INITIAL_CONTACT */
START_TEST(unique)
{
	static const char *const confs[] = { SIDE_B_NAMED("gw", "unique = replace"), SIDE_B_NAMED("gw", "unique = keep"),
					     SIDE_B_NAMED("gw", "unique = never") };
	struct side_setup setup = { .workers = 4 };
	struct side a, b;

	side_start(&b, &setup, confs[_i], 0);
	side_start(&a, &setup, SIDE_A, side_port(&b));
	workers_want_events(b.w, EVENT(IKE_DOWN));
	for (unsigned i = 0; i < 10; i++) {
		side_initiate(&a, "load", "net", 1);
		ck_assert_uint_eq(side_ended(&a, 1, CAUSE_NONE), _i != 1 || i == 0);
		if (_i == 0 && i)
			side_events(&b, SA_EVENT_IKE_DOWN, 1);
		ck_assert_uint_eq(side_list(&b, NULL).established, _i == 2 ? i + 1 : 1);
	}
	side_stop(&a, 2000);
	side_stop(&b, 2000);
}
END_TEST

/* Many of one peer at once under unique = replace: one is left in the end, not none. */
START_TEST(replace_at_once)
{
	struct side_setup setup = { .workers = 4 };
	struct side a, b;

	side_start(&b, &setup, SIDE_B_NAMED("gw", "unique = replace"), 0);
	side_start(&a, &setup, SIDE_A, side_port(&b));
	workers_want_events(b.w, EVENT(IKE_DOWN));
	side_initiate(&a, "load", NULL, 100);
	(void)side_ended(&a, 100, CAUSE_NONE);
	side_events(&b, SA_EVENT_IKE_DOWN, 99);
	ck_assert_uint_eq(side_list(&b, NULL).established, 1);
	side_stop(&a, 2000);
	side_stop(&b, 2000);
}
END_TEST

/* Many at once under unique = keep: exactly one is taken, on whichever thread, and its end makes place for the next. */
START_TEST(keep_at_once)
{
	struct side_setup setup = { .workers = 4 };
	struct worker_select all = { 0 };
	struct side a, b;

	side_start(&b, &setup, SIDE_B_NAMED("gw", "unique = keep"), 0);
	side_start(&a, &setup, SIDE_A, side_port(&b));
	for (unsigned i = 0; i < 5; i++) {
		side_initiate(&a, "load", NULL, 100);
		ck_assert_uint_eq(side_ended(&a, 100, CAUSE_NONE), 1);
		ck_assert_uint_eq(side_list(&b, NULL).established, 1);
		ck_assert_uint_eq(side_terminate(&a, &all, false), 1);
	}
	side_stop(&a, 2000);
	side_stop(&b, 2000);
}
END_TEST

TCase *test_pools(void)
{
	TCase *t = tcase_create("pools");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, many, 0, 5);
	tcase_add_test(t, memory);
	tcase_add_loop_test(t, stop, 0, 2);
	tcase_add_test(t, stop_with_closed);
	tcase_add_loop_test(t, stop_while_connecting, 0, 3);
	tcase_add_test(t, config_change);
	tcase_add_test(t, initial_contact);
	tcase_add_loop_test(t, unique, 0, 3);
	tcase_add_test(t, replace_at_once);
	tcase_add_test(t, keep_at_once);
	return t;
}
