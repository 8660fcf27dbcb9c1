/* SPDX-License-Identifier: Apache-2.0 */
#include "loop_test.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "loop/helper.h"
#include "loop/loop.h"
#include "util/mem.h"

/* A door that helpers wait at. */
struct gate {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned arrived;
	bool open;
};

struct task {
	struct helper_job job;
	unsigned number;
	bool computed;
	struct gate *gate;
	unsigned parties; /* opens the gate when so many have arrived */
};

static struct mailbox *box;
static struct gate gate;
static atomic_uint dropped;

static void setup(void)
{
	box = mailbox_new();
	ck_assert_ptr_nonnull(box);
	gate = (struct gate){ PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, 0, false };
	atomic_store(&dropped, 0);
}

static void teardown(void)
{
	mailbox_free(box);
}

static void gate_open(struct gate *g)
{
	pthread_mutex_lock(&g->lock);
	g->open = true;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

static void gate_pass(struct gate *g, unsigned parties)
{
	pthread_mutex_lock(&g->lock);
	if (++g->arrived == parties)
		g->open = true;
	pthread_cond_broadcast(&g->changed);
	while (!g->open)
		pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

static void gate_await(struct gate *g, unsigned arrived)
{
	pthread_mutex_lock(&g->lock);
	while (g->arrived < arrived)
		pthread_cond_wait(&g->changed, &g->lock);
	pthread_mutex_unlock(&g->lock);
}

static void task_compute(struct helper_job *job)
{
	struct task *t = container_of(job, struct task, job);

	if (t->gate)
		gate_pass(t->gate, t->parties);
	t->computed = true;
}

static void task_drop(struct mail *m)
{
	atomic_fetch_add(&dropped, 1);
	free(m);
}

static struct task *task_new(unsigned number)
{
	struct task *t = xcalloc(1, sizeof(*t));

	t->job.mail.drop = task_drop;
	t->job.compute = task_compute;
	t->job.reply_to = box;
	t->number = number;
	return t;
}

/* A task that holds a helper at the gate. */
static void submit_blocker(struct helper_pool *pool)
{
	struct task *t = task_new(1000);

	t->gate = &gate;
	ck_assert(helper_submit(pool, &t->job));
	gate_await(&gate, 1);
}

/* Waits for the next task that comes back. */
static struct task *wait_task(struct mail **rest)
{
	struct mail *m;

	while (!*rest) {
		ck_assert(fd_readable(mailbox_fd(box), true));
		*rest = mailbox_take(box);
	}
	m = *rest;
	*rest = m->next;
	return container_of(m, struct task, job.mail);
}

START_TEST(helper_order)
{
	struct helper_pool *pool = helper_pool_new(1, 100);
	struct mail *rest = NULL;

	for (unsigned i = 0; i < 50; i++)
		ck_assert(helper_submit(pool, &task_new(i)->job));
	for (unsigned i = 0; i < 50; i++) {
		struct task *t = wait_task(&rest);

		ck_assert_uint_eq(t->number, i);
		ck_assert(t->computed && !t->job.late);
		free(t);
	}
	helper_pool_free(pool);
	ck_assert_uint_eq(atomic_load(&dropped), 0);
}
END_TEST

/* Three tasks that wait for each other need three threads. */
START_TEST(helper_threads_on_demand)
{
	struct helper_pool *pool = helper_pool_new(3, 0);
	struct mail *rest = NULL;

	for (unsigned i = 0; i < 3; i++) {
		struct task *t = task_new(i);

		t->gate = &gate;
		t->parties = 3;
		ck_assert(helper_submit(pool, &t->job));
	}
	for (unsigned i = 0; i < 3; i++)
		free(wait_task(&rest));
	helper_pool_free(pool);
}
END_TEST

START_TEST(helper_limit)
{
	struct helper_pool *pool = helper_pool_new(1, 2);
	struct task *refused = task_new(9);
	struct mail *rest = NULL;

	submit_blocker(pool);
	ck_assert_uint_eq(helper_pool_waiting(pool), 0);
	ck_assert(helper_submit(pool, &task_new(0)->job));
	ck_assert(helper_submit(pool, &task_new(1)->job));
	ck_assert_uint_eq(helper_pool_waiting(pool), 2);
	ck_assert(!helper_submit(pool, &refused->job));
	ck_assert_uint_eq(helper_pool_waiting(pool), 2);
	free(refused); /* still ours */
	gate_open(&gate);
	for (unsigned i = 0; i < 3; i++)
		free(wait_task(&rest));
	helper_pool_free(pool);
	ck_assert_uint_eq(atomic_load(&dropped), 0);
}
END_TEST

static void drop_and_open(struct mail *m)
{
	gate_open(&gate);
	task_drop(m);
}

/* The running job is waited for and comes back; the others are dropped, before
 * that: it is a drop that opens the gate. */
START_TEST(helper_shutdown)
{
	struct helper_pool *pool = helper_pool_new(1, 10);
	struct mail *m;

	submit_blocker(pool);
	for (unsigned i = 0; i < 5; i++) {
		struct task *t = task_new(i);

		t->job.mail.drop = drop_and_open;
		ck_assert(helper_submit(pool, &t->job));
	}
	helper_pool_free(pool);
	ck_assert_uint_eq(atomic_load(&dropped), 5);
	m = mailbox_take(box);
	ck_assert_ptr_nonnull(m);
	ck_assert_ptr_null(m->next);
	ck_assert(container_of(m, struct task, job.mail)->computed);
	free(m);
}
END_TEST

START_TEST(helper_late_before_begun)
{
	struct helper_pool *pool = helper_pool_new(1, 10);
	struct task *past = task_new(1), *future = task_new(2), *t;
	struct mail *rest = NULL;

	past->job.deadline_ms = 1;
	future->job.deadline_ms = UINT64_MAX;
	ck_assert(helper_submit(pool, &past->job));
	t = wait_task(&rest);
	ck_assert_ptr_eq(t, past);
	ck_assert(t->job.late && !t->computed);
	free(t);
	ck_assert(helper_submit(pool, &future->job));
	t = wait_task(&rest);
	ck_assert(!t->job.late && t->computed);
	free(t);
	helper_pool_free(pool);
}
END_TEST

/* The only helper is stuck: jobs come back when their deadlines pass, also those that come after one
 * with a farther deadline; the others keep waiting. */
START_TEST(helper_late_while_stuck)
{
	struct helper_pool *pool = helper_pool_new(1, 10);
	uint64_t now = clock_monotonic_ms();
	struct task *task[5], *t;
	struct mail *rest = NULL;

	submit_blocker(pool);
	for (unsigned i = 0; i < 5; i++)
		task[i] = task_new(i);
	task[0]->job.deadline_ms = now + 24 * 3600 * 1000;
	task[2]->job.deadline_ms = now + 10;
	task[3]->job.deadline_ms = now + 20;
	ck_assert(helper_submit(pool, &task[0]->job));
	ck_assert(helper_submit(pool, &task[1]->job));
	for (unsigned i = 2; i < 4; i++) {
		ck_assert(helper_submit(pool, &task[i]->job));
		t = wait_task(&rest);
		ck_assert_ptr_eq(t, task[i]);
		ck_assert(t->job.late && !t->computed);
		ck_assert(clock_monotonic_ms() >= t->job.deadline_ms);
		free(t);
	}
	ck_assert_uint_eq(helper_pool_waiting(pool), 2);
	/* the queue is whole */
	ck_assert(helper_submit(pool, &task[4]->job));
	gate_open(&gate);
	t = wait_task(&rest);
	ck_assert_uint_eq(t->number, 1000);
	free(t);
	for (unsigned i = 0; i < 5; i = i == 1 ? 4 : i + 1) {
		t = wait_task(&rest);
		ck_assert_ptr_eq(t, task[i]);
		ck_assert(!t->job.late && t->computed);
		free(t);
	}
	helper_pool_free(pool);
}
END_TEST

static struct helper_pool *asked_pool;

static void drop_and_ask(struct mail *m)
{
	struct task *t = task_new(2);

	if (!helper_submit(asked_pool, &t->job))
		free(t);
	gate_open(&gate);
	task_drop(m);
}

/* What is dropped may ask for more: with 0 what nobody waits for, with 1 what waits when the pool is closed, with 2 what runs then. */
START_TEST(helper_drop_asks)
{
	struct task *t = task_new(1);
	struct mail *rest = NULL;

	asked_pool = helper_pool_new(1, 10);
	t->job.mail.drop = drop_and_ask;
	if (_i == 0)
		t->job.reply_to = NULL;
	if (_i == 2)
		t->gate = &gate;
	if (_i == 1)
		submit_blocker(asked_pool);
	ck_assert(helper_submit(asked_pool, &t->job));
	if (_i == 2)
		gate_await(&gate, 1);
	if (_i)
		ck_assert(!helper_pool_close(asked_pool));
	if (_i == 2)
		gate_open(&gate);
	if (_i == 0) {
		t = wait_task(&rest);
		ck_assert_uint_eq(t->number, 2);
		free(t);
	}
	helper_pool_free(asked_pool);
	ck_assert_uint_eq(atomic_load(&dropped), _i == 1 ? 2 : 1);
}
END_TEST

static void check_signals(struct helper_job *job)
{
	sigset_t set;

	pthread_sigmask(SIG_SETMASK, NULL, &set);
	container_of(job, struct task, job)->computed = sigismember(&set, SIGTERM) == 1 &&
							sigismember(&set, SIGHUP) == 1;
}

START_TEST(helper_blocks_signals)
{
	struct helper_pool *pool = helper_pool_new(0, 1);
	struct task *t = task_new(1);
	struct mail *rest = NULL;
	sigset_t set;

	t->job.compute = check_signals;
	ck_assert(helper_submit(pool, &t->job));
	t = wait_task(&rest);
	ck_assert(t->computed);
	free(t);
	pthread_sigmask(SIG_SETMASK, NULL, &set);
	ck_assert_int_eq(sigismember(&set, SIGTERM), 0);
	helper_pool_free(pool);
	helper_pool_free(NULL);
}
END_TEST

/* Many jobs by several askers at once; every one that was taken comes back once. */
static struct helper_pool *busy_pool;
static atomic_uint taken;

static void *asker_main(void *arg)
{
	for (unsigned i = 0; i < 2000; i++) {
		struct task *t = task_new(i);

		t->job.deadline_ms = i % 3 ? 0 : clock_monotonic_ms() + i % 2;
		if (helper_submit(busy_pool, &t->job))
			atomic_fetch_add(&taken, 1);
		else
			free(t);
	}
	return NULL;
}

START_TEST(helper_busy)
{
	pthread_t thread[3];
	unsigned back = 0;
	struct mail *m, *next;

	atomic_store(&taken, 0);
	busy_pool = helper_pool_new(4, 50);
	for (size_t i = 0; i < ARRAY_LEN(thread); i++)
		pthread_create(&thread[i], NULL, asker_main, NULL);
	for (size_t i = 0; i < ARRAY_LEN(thread); i++)
		pthread_join(thread[i], NULL);
	/* the end of the pool drops what waits: some must have been done before */
	ck_assert_int_eq(poll(&(struct pollfd){ .fd = mailbox_fd(box), .events = POLLIN }, 1, 30000), 1);
	helper_pool_free(busy_pool);
	for (m = mailbox_take(box); m; m = next) {
		struct task *t = container_of(m, struct task, job.mail);

		next = m->next;
		ck_assert(t->job.late != t->computed);
		free(t);
		back++;
	}
	ck_assert_uint_gt(back, 0);
	ck_assert_uint_eq(back + atomic_load(&dropped), atomic_load(&taken));
}
END_TEST

TCase *helper_tests(void)
{
	TCase *tc = tcase_create("helper");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, helper_order);
	tcase_add_test(tc, helper_threads_on_demand);
	tcase_add_test(tc, helper_limit);
	tcase_add_test(tc, helper_shutdown);
	tcase_add_test(tc, helper_late_before_begun);
	tcase_add_test(tc, helper_late_while_stuck);
	tcase_add_loop_test(tc, helper_drop_asks, 0, 3);
	tcase_add_test(tc, helper_blocks_signals);
	tcase_add_test(tc, helper_busy);
	return tc;
}
