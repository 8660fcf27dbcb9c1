/* SPDX-License-Identifier: Apache-2.0 */
#include "loop_test.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "loop/wheel.h"

/*
 * The wheel against a sorted list, which is what it stands for: random starts,
 * moves, stops and advances, also from inside the callbacks. In an advance,
 * the model takes what is due off its list before the first callback; the
 * real wheel must call the same timers in the same order.
 */
#define ITEMS 400
#define STEPS 100000

struct item {
	struct timer t;
	bool running;
	bool firing;  /* taken off the list of the model, not called yet */
	uint64_t due; /* at least the time it was started at */
	uint64_t order;
};

struct model {
	struct wheel *wheel;
	struct item items[ITEMS];
	struct item *sorted[ITEMS]; /* running and not firing */
	size_t count;
	struct item *batch[ITEMS]; /* firing, in order; NULL: stopped meanwhile */
	size_t batch_n, batch_at;
	uint64_t now;
	uint64_t orders;
	uint64_t seed;
	unsigned long calls;
};

static struct model m;

static void model_insert(struct item *it)
{
	size_t i = m.count++;

	for (; i > 0; i--) {
		struct item *before = m.sorted[i - 1];

		if (before->due < it->due || (before->due == it->due && before->order < it->order))
			break;
		m.sorted[i] = before;
	}
	m.sorted[i] = it;
}

static void model_remove(struct item *it)
{
	size_t i = 0;

	if (!it->running)
		return;
	it->running = false;
	if (it->firing) {
		it->firing = false;
		while (m.batch[i] != it)
			i++;
		m.batch[i] = NULL;
		return;
	}
	while (m.sorted[i] != it)
		i++;
	m.count--;
	memmove(&m.sorted[i], &m.sorted[i + 1], (m.count - i) * sizeof(m.sorted[0]));
}

static uint64_t random_due(void)
{
	uint64_t r = test_random(&m.seed);

	switch (test_random(&m.seed) % 8) {
	case 0:
		return m.now - (m.now < 100 ? m.now : r % 100); /* due already */
	case 1:
		return m.now + r % 5;
	case 2:
		return m.now + r % 100;
	case 3:
		return m.now + r % 5000;
	case 4:
		return (m.now + r % 5000) & ~(uint64_t)63; /* many at the borders of slots */
	case 5:
		return m.now + r % 10000000;
	case 6:
		return m.now + (r >> (r % 40 + 20));
	default:
		return m.now + r % 300000;
	}
}

static void item_fn(struct timer *t);

static void random_touch(void)
{
	struct item *it = &m.items[test_random(&m.seed) % ITEMS];

	model_remove(it);
	if (test_random(&m.seed) % 4 == 0) {
		timer_stop(m.wheel, &it->t);
	} else {
		uint64_t due = random_due();

		timer_start(m.wheel, &it->t, due, item_fn);
		it->running = true;
		it->due = due < m.now ? m.now : due;
		it->order = m.orders++;
		model_insert(it);
	}
	ck_assert(timer_running(&it->t) == it->running);
}

static void item_fn(struct timer *t)
{
	struct item *it = container_of(t, struct item, t);

	while (m.batch_at < m.batch_n && !m.batch[m.batch_at])
		m.batch_at++;
	ck_assert(m.batch_at < m.batch_n);
	ck_assert_ptr_eq(m.batch[m.batch_at], it);
	m.batch_at++;
	it->running = it->firing = false;
	ck_assert(!timer_running(t));
	ck_assert(wheel_now(m.wheel) == m.now);
	m.calls++;
	for (unsigned n = (unsigned)(test_random(&m.seed) % 3); n > 0; n--)
		random_touch();
}

static void model_advance(uint64_t now)
{
	size_t n = 0;

	m.now = now > m.now ? now : m.now;
	while (n < m.count && m.sorted[n]->due <= m.now) {
		m.batch[n] = m.sorted[n];
		m.batch[n]->firing = true;
		n++;
	}
	m.count -= n;
	memmove(&m.sorted[0], &m.sorted[n], m.count * sizeof(m.sorted[0]));
	m.batch_n = n;
	m.batch_at = 0;
	wheel_advance(m.wheel, now);
	while (m.batch_at < m.batch_n && !m.batch[m.batch_at])
		m.batch_at++;
	ck_assert_uint_eq(m.batch_at, m.batch_n);
	m.batch_n = 0;
}

static uint64_t random_now(void)
{
	uint64_t r = test_random(&m.seed);

	switch (test_random(&m.seed) % 16) {
	case 0:
		return m.now; /* no time passed */
	case 1:
		return m.now - (m.now < 10 ? m.now : 10); /* it went back */
	case 2:
		return m.now + r % 5000;
	case 3:
		return m.now + r % 300000;
	case 4:
		return test_random(&m.seed) % 50 ? m.now + r % 64 : m.now + (r >> (r % 40 + 20));
	case 5:
	case 6:
		return wheel_next(m.wheel) == UINT64_MAX ? m.now : wheel_next(m.wheel);
	default:
		return m.now + r % 20;
	}
}

static void check_next(void)
{
	uint64_t next = wheel_next(m.wheel);

	ck_assert(wheel_count(m.wheel) == m.count);
	if (m.count == 0)
		ck_assert(next == UINT64_MAX);
	else
		ck_assert(next <= m.sorted[0]->due && next >= m.now);
}

START_TEST(wheel_against_model)
{
	memset(&m, 0, sizeof(m));
	m.seed = 0x1234567 + (uint64_t)_i * 7919;
	m.now = _i % 2 ? 0 : test_random(&m.seed) >> 24;
	m.wheel = wheel_new(m.now);
	for (int step = 0; step < STEPS; step++) {
		if (test_random(&m.seed) % 4)
			random_touch();
		else
			model_advance(random_now());
		check_next();
	}
	/* so that the test is known to have tried something */
	ck_assert_uint_gt(m.calls, STEPS / 20);
	wheel_free(m.wheel);
}
END_TEST

TCase *wheel_model_tests(void)
{
	TCase *tc = tcase_create("wheel_model");

	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, wheel_against_model, 0, 4);
	return tc;
}
