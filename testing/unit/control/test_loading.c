/* SPDX-License-Identifier: Apache-2.0 */
#include "testing/unit/control/control_test.h"

#include <stdio.h>
#include <time.h>

/* Many connections: the cost of one does not grow with how many there are. */

static struct lab lab;
static struct peer p;

static void setup(void)
{
	lab_open(&lab);
	peer_open(&p, &lab);
}

static void teardown(void)
{
	peer_close(&p);
	lab_close(&lab);
}

/* CPU time of this process, control's thread and all, for loading [from, to) one after the other. */
static double load(unsigned from, unsigned to, bool start)
{
	struct timespec before, after;
	char name[16];

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
	for (unsigned i = from; i < to; i++) {
		snprintf(name, sizeof(name), "c%u", i);
		peer_load_conn(&p, name, start, (const char *const[]){ "net", NULL });
		/* the answer came when the workers had it */
		ck_assert_uint_eq(lab.workers.n_conns, i + 1);
		pthread_mutex_lock(&lab.workers.lock);
		lab.workers.n_calls = lab.workers.taken = 0;
		pthread_mutex_unlock(&lab.workers.lock);
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
	return (double)(after.tv_sec - before.tv_sec) + 1e-9 * (double)(after.tv_nsec - before.tv_nsec);
}

static void ck_linear(bool start)
{
	double first, last;

	load(0, 500, start); /* whatever comes first is done */
	first = load(500, 2000, start);
	load(2000, 8500, start);
	last = load(8500, 10000, start);
	ck_assert_msg(last < 2 * first, "the first 1500 took %f s, the last %f s", first, last);
}

START_TEST(ten_thousand_connections)
{
	ck_linear(false);
}
END_TEST

START_TEST(ten_thousand_that_start)
{
	ck_linear(true);
}
END_TEST

/* A file is loaded again: what it has as before stays the very same. */
START_TEST(the_same_again_changes_nothing)
{
	enum { N = 50 };
	unsigned before;
	char name[16];

	for (unsigned round = 0; round < 3; round++) {
		before = lab.workers.n_configs;
		for (unsigned i = 0; i < N; i++) {
			/* in the last round one is different */
			snprintf(name, sizeof(name), "c%u", i);
			peer_load_conn(&p, name, round == 2 && i == 7, (const char *const[]){ "net", NULL });
		}
		ck_assert_uint_eq(lab.workers.n_configs, before + (round == 0 ? N : round == 1 ? 0 : 1));
		ck_assert_uint_eq(lab.workers.n_conns, N);
	}
}
END_TEST

/* What comes together is given to the workers together, before the first answer. */
START_TEST(pipelined_loads_make_few_snapshots)
{
	enum { N = 500 };
	struct vici_writer all = { 0 };

	for (unsigned i = 0; i < N; i++) {
		struct vici_writer w = { 0 };
		struct bytes segment;
		char id[16];

		snprintf(id, sizeof(id), "s%u", i);
		vici_write_packet(&w, VICI_CMD_REQUEST, "load-shared");
		vici_write_str(&w, "id", id);
		vici_write_str(&w, "type", "ike");
		vici_write_str(&w, "data", "secret");
		ck_assert(result_is_ok(vici_writer_done(&w, &segment)));
		vici_write_raw(&all, segment);
		vici_writer_clear(&w);
	}
	peer_send(&p, all.out.p, all.out.n);
	vici_writer_clear(&all);
	for (unsigned i = 0; i < N; i++) {
		peer_recv(&p, VICI_CMD_RESPONSE);
		peer_succeeded(&p);
		ck_assert_uint_gt(lab.workers.n_secrets, i);
	}
	ck_assert_uint_eq(lab.workers.n_secrets, N);
	ck_assert_uint_lt(lab.workers.n_configs, N / 4);
}
END_TEST

TCase *control_loading_tests(void)
{
	TCase *t = tcase_create("loading");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, ten_thousand_connections);
	tcase_add_test(t, ten_thousand_that_start);
	tcase_add_test(t, the_same_again_changes_nothing);
	tcase_add_test(t, pipelined_loads_make_few_snapshots);
	return t;
}
