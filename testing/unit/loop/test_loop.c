/* SPDX-License-Identifier: Apache-2.0 */
#include "loop_test.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop/loop.h"
#include "util/mem.h"

static struct loop *loop;

/* A watched eventfd that can be read from the start. */
struct source {
	int fd;
	struct loop_fd *lfd;
	unsigned calls;
	struct source *other;
};

static void setup(void)
{
	loop = loop_new();
	ck_assert_ptr_nonnull(loop);
}

static void teardown(void)
{
	loop_free(loop);
}

static void source_open(struct source *s, loop_fd_fn *fn)
{
	s->fd = eventfd(1, EFD_NONBLOCK);
	s->lfd = loop_add(loop, s->fd, EPOLLIN, fn, s);
	s->calls = 0;
	ck_assert_ptr_nonnull(s->lfd);
}

static void source_close(struct source *s)
{
	loop_remove(s->lfd);
	close(s->fd);
}

static void stop_in_idle(void *arg)
{
	unsigned *turns = arg;

	if (--*turns == 0)
		loop_stop(loop);
}

/* Some turns; the timer keeps them from waiting. */
static void tick(struct timer *t)
{
	timer_start(loop_wheel(loop), t, loop_now(loop), tick);
}

static void run_turns(unsigned turns)
{
	struct timer t = { 0 };

	timer_start(loop_wheel(loop), &t, 0, tick);
	loop_set_idle(loop, stop_in_idle, &turns);
	loop_run(loop);
	loop_set_idle(loop, NULL, NULL);
	timer_stop(loop_wheel(loop), &t);
}

static void count_and_stop(void *arg, uint32_t events)
{
	struct source *s = arg;

	ck_assert(events & EPOLLIN);
	s->calls++;
	loop_stop(loop);
}

START_TEST(loop_calls_fd)
{
	struct source s;

	source_open(&s, count_and_stop);
	loop_run(loop);
	ck_assert_uint_eq(s.calls, 1);
	/* level-triggered, and the loop can be run again */
	loop_run(loop);
	ck_assert_uint_eq(s.calls, 2);
	source_close(&s);
}
END_TEST

static void count(void *arg, uint32_t events)
{
	((struct source *)arg)->calls++;
}

static void remove_other(void *arg, uint32_t events)
{
	struct source *s = arg;

	s->calls++;
	if (s->other->lfd) {
		loop_remove(s->other->lfd);
		s->other->lfd = NULL;
	}
}

/* Both are readable in one turn: who comes first removes the other. */
START_TEST(loop_remove_in_same_turn)
{
	struct source a, b;

	source_open(&a, remove_other);
	source_open(&b, remove_other);
	a.other = &b;
	b.other = &a;
	run_turns(2);
	ck_assert_uint_eq(!a.calls + !b.calls, 1);
	ck_assert_uint_eq(!a.lfd + !b.lfd, 1);
	source_close(&a);
	source_close(&b);
}
END_TEST

static void remove_self(void *arg, uint32_t events)
{
	struct source *s = arg;

	s->calls++;
	loop_remove(s->lfd);
	s->lfd = NULL;
}

/* Also with an fd of the same number watched in the same callback. */
static void replace_self(void *arg, uint32_t events)
{
	struct source *s = arg, *next = s->other;
	int fd = s->fd;

	s->calls++;
	source_close(s);
	s->lfd = NULL;
	source_open(next, count);
	ck_assert_int_eq(next->fd, fd);
}

START_TEST(loop_remove_self)
{
	struct source a, b, c;

	source_open(&a, remove_self);
	run_turns(3);
	ck_assert_uint_eq(a.calls, 1);
	source_close(&a);

	source_open(&b, replace_self);
	b.other = &c;
	run_turns(4);
	ck_assert_uint_eq(b.calls, 1);
	ck_assert_uint_eq(c.calls, 3);
	source_close(&c);
}
END_TEST

START_TEST(loop_modifies)
{
	struct source s;

	source_open(&s, count);
	loop_modify(s.lfd, 0);
	run_turns(3);
	ck_assert_uint_eq(s.calls, 0);
	loop_modify(s.lfd, EPOLLIN | EPOLLOUT);
	run_turns(3);
	ck_assert_uint_eq(s.calls, 3);
	source_close(&s);
}
END_TEST

START_TEST(loop_many_fds)
{
	static struct source sources[200];

	for (size_t i = 0; i < ARRAY_LEN(sources); i++)
		source_open(&sources[i], count);
	/* more than fit in one turn; nobody starves */
	run_turns(20);
	for (size_t i = 0; i < ARRAY_LEN(sources); i++) {
		ck_assert_uint_gt(sources[i].calls, 0);
		source_close(&sources[i]);
	}
}
END_TEST

START_TEST(loop_add_errors)
{
	int file = open("/proc/self/exe", O_RDONLY);

	errno = 0;
	ck_assert_ptr_null(loop_add(loop, 9999, EPOLLIN, count, NULL));
	ck_assert_int_eq(errno, EBADF);
	ck_assert_ptr_null(loop_add(loop, file, EPOLLIN, count, NULL));
	ck_assert_int_eq(errno, EPERM);
	close(file);
	loop_remove(NULL);
	loop_free(NULL);
}
END_TEST

/* ---- timers and idle ---- */

struct trace {
	struct timer t;
	char text[32];
	size_t n;
};

static struct trace trace;

static void trace_add(char c)
{
	ck_assert_uint_lt(trace.n, sizeof(trace.text) - 1);
	trace.text[trace.n++] = c;
}

static void trace_fd(void *arg, uint32_t events)
{
	struct source *s = arg;

	trace_add('f');
	/* else its timers would count from the last turn, which may be long ago */
	ck_assert(wheel_now(loop_wheel(loop)) == loop_now(loop));
	loop_remove(s->lfd);
	timer_start(loop_wheel(loop), &trace.t, loop_now(loop), trace.t.fn);
}

static void trace_timer(struct timer *t)
{
	trace_add('t');
	ck_assert(wheel_now(loop_wheel(loop)) == loop_now(loop));
	loop_stop(loop);
}

static void trace_idle(void *arg)
{
	trace_add('i');
}

/* Before waiting and at the end: what was queued last goes out, too. */
START_TEST(loop_turn_order)
{
	uint64_t start = clock_monotonic_ms();
	struct source s;

	while (clock_monotonic_ms() == start) /* the loop is as old */
		;
	trace = (struct trace){ .t.fn = trace_timer };
	loop_set_idle(loop, trace_idle, NULL);
	source_open(&s, trace_fd);
	loop_run(loop);
	ck_assert_str_eq(trace.text, "ifti");
	close(s.fd);
}
END_TEST

static uint64_t fired_at;

static void note_time(struct timer *t)
{
	fired_at = loop_now(loop);
	loop_stop(loop);
}

START_TEST(loop_timer_waits)
{
	struct timer t = { 0 };
	uint64_t due = clock_monotonic_ms() + 20;

	timer_start(loop_wheel(loop), &t, due, note_time);
	loop_run(loop);
	/* not early, whatever the machine does */
	ck_assert(fired_at >= due);
}
END_TEST

/* ---- stopping ---- */

START_TEST(loop_stop_before_run)
{
	loop_stop(loop);
	loop_run(loop);
	/* used up: the next run is ended by its own stop */
	run_turns(2);
}
END_TEST

static void *stop_main(void *arg)
{
	loop_stop(loop);
	return NULL;
}

START_TEST(loop_stop_from_thread)
{
	for (int i = 0; i < 100; i++) {
		pthread_t thread;

		pthread_create(&thread, NULL, stop_main, NULL);
		loop_run(loop); /* waits for ever without it */
		pthread_join(thread, NULL);
	}
}
END_TEST

static void stop_on_signal(int sig)
{
	loop_stop(loop);
}

static void *signal_main(void *arg)
{
	pthread_kill(*(pthread_t *)arg, SIGUSR1);
	return NULL;
}

START_TEST(loop_stop_from_signal)
{
	struct sigaction sa = { .sa_handler = stop_on_signal };
	pthread_t self = pthread_self(), thread;

	sigaction(SIGUSR1, &sa, NULL);
	for (int i = 0; i < 100; i++) {
		pthread_create(&thread, NULL, signal_main, &self);
		loop_run(loop);
		pthread_join(thread, NULL);
	}
}
END_TEST

TCase *loop_tests(void)
{
	TCase *tc = tcase_create("loop");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, loop_calls_fd);
	tcase_add_test(tc, loop_remove_in_same_turn);
	tcase_add_test(tc, loop_remove_self);
	tcase_add_test(tc, loop_modifies);
	tcase_add_test(tc, loop_many_fds);
	tcase_add_test(tc, loop_add_errors);
	tcase_add_test(tc, loop_turn_order);
	tcase_add_test(tc, loop_timer_waits);
	tcase_add_test(tc, loop_stop_before_run);
	tcase_add_test(tc, loop_stop_from_thread);
	tcase_add_test(tc, loop_stop_from_signal);
	return tc;
}
