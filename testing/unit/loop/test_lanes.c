/* SPDX-License-Identifier: Apache-2.0 */
#include "loop_test.h"

#include <pthread.h>
#include <stdlib.h>

#include "loop/lanes.h"
#include "loop/loop.h"
#include "util/mem.h"

struct step {
	struct lane_item item;
	unsigned number;
	bool waits; /* for the door, or the end */
	unsigned parties; /* waits until so many have begun */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static bool open_door;
static unsigned begun, ran[256], n_ran, n_dropped, n_cancelled;
static struct lanes *lanes;

static void setup(void)
{
	open_door = false;
	begun = n_ran = n_dropped = n_cancelled = 0;
}

static void step_run(struct lane_item *item, int cancel_fd)
{
	struct step *s = container_of(item, struct step, item);

	pthread_mutex_lock(&lock);
	begun++;
	pthread_cond_broadcast(&changed);
	while ((s->waits && !open_door) || begun < s->parties)
		pthread_cond_wait(&changed, &lock);
	ran[n_ran++] = s->number;
	pthread_mutex_unlock(&lock);
	if (cancel_fd >= 0 && fd_readable(cancel_fd, false))
		__atomic_add_fetch(&n_cancelled, 1, __ATOMIC_SEQ_CST);
}

static void step_drop(struct lane_item *item)
{
	__atomic_add_fetch(&n_dropped, 1, __ATOMIC_SEQ_CST);
	free(container_of(item, struct step, item));
}

static bool submit(uint64_t lane, unsigned number, bool waits, unsigned parties)
{
	struct step *s = xcalloc(1, sizeof(*s));

	*s = (struct step){ { NULL, lane, step_run, step_drop }, number, waits, parties };
	if (lanes_submit(lanes, &s->item))
		return true;
	free(s);
	return false;
}

static void door_open(void)
{
	pthread_mutex_lock(&lock);
	open_door = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&lock);
}

static void wait_begun(unsigned n)
{
	pthread_mutex_lock(&lock);
	while (begun < n)
		pthread_cond_wait(&changed, &lock);
	pthread_mutex_unlock(&lock);
}

static uint64_t far(void)
{
	return clock_monotonic_ms() + 3600000;
}

/* What is of one lane runs in order, whatever threads there are. */
START_TEST(test_order)
{
	lanes = lanes_new(4, 1000);
	for (unsigned i = 0; i < 200; i++)
		ck_assert(submit(7, i, false, 0));
	ck_assert(lanes_finish(lanes, far()));
	for (unsigned i = 0; i < 200; i++)
		ck_assert_uint_eq(ran[i], i);
	ck_assert_uint_eq(n_dropped, 200);
	ck_assert_uint_eq(n_cancelled, 0);
	lanes_free(lanes);
}
END_TEST

/* Another lane does not wait: this test ends only if three run at once. */
START_TEST(test_parallel)
{
	lanes = lanes_new(3, 1000);
	for (unsigned i = 0; i < 3; i++)
		ck_assert(submit(i, i, false, 3));
	ck_assert(lanes_finish(lanes, far()));
	ck_assert_uint_eq(n_ran, 3);
	lanes_free(lanes);
}
END_TEST

/* A lane that was empty and is used again. */
START_TEST(test_again)
{
	lanes = lanes_new(2, 10);
	for (unsigned i = 0; i < 50; i++) {
		ck_assert(submit(i % 3, i, false, 0));
		wait_begun(i + 1);
	}
	ck_assert(lanes_finish(lanes, far()));
	ck_assert_uint_eq(n_ran, 50);
	lanes_free(lanes);
}
END_TEST

START_TEST(test_limit)
{
	lanes = lanes_new(1, 2);
	ck_assert(submit(1, 0, true, 0));
	wait_begun(1);
	ck_assert(submit(1, 1, false, 0));
	ck_assert(submit(2, 2, false, 0));
	ck_assert(!submit(1, 3, false, 0));
	ck_assert(!submit(3, 3, false, 0));
	door_open();
	ck_assert(lanes_finish(lanes, far()));
	ck_assert_uint_eq(n_ran, 3);
	ck_assert(!submit(1, 4, false, 0));
	lanes_free(lanes);
}
END_TEST

/* The end does not wait for ever: what waits is dropped, what runs is told. */
START_TEST(test_finish)
{
	lanes = lanes_new(1, 10);
	ck_assert(submit(1, 0, true, 0));
	wait_begun(1);
	ck_assert(submit(1, 1, false, 0));
	ck_assert(submit(2, 2, false, 0));
	ck_assert(!lanes_finish(lanes, clock_monotonic_ms() + 10));
	ck_assert_uint_eq(__atomic_load_n(&n_dropped, __ATOMIC_SEQ_CST), 2);
	door_open();
	lanes_free(lanes);
	ck_assert_uint_eq(n_ran, 1);
	ck_assert_uint_eq(n_dropped, 3);
	ck_assert_uint_eq(n_cancelled, 1);
}
END_TEST

TCase *lanes_tests(void)
{
	TCase *tc = tcase_create("lanes");

	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, test_order);
	tcase_add_test(tc, test_parallel);
	tcase_add_test(tc, test_again);
	tcase_add_test(tc, test_limit);
	tcase_add_test(tc, test_finish);
	return tc;
}
