/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/log_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "daemon_test.h"

/* What a writer's thread gives, under the control of the test. */
struct outlet {
	pthread_mutex_t lock;
	pthread_cond_t change;
	bool shut;     /* writing waits */
	bool broken;   /* writing fails */
	bool waiting;  /* the thread is in `write` and waits */
	unsigned failures;
	struct buf text;
	int fd; /* for the tests with a pipe */
};

static size_t outlet_write(void *arg, const struct log_writer *w, const char *lines, size_t n)
{
	struct outlet *o = arg;

	(void)w;
	pthread_mutex_lock(&o->lock);
	while (o->shut) {
		o->waiting = true;
		pthread_cond_broadcast(&o->change);
		pthread_cond_wait(&o->change, &o->lock);
	}
	o->waiting = false;
	if (o->broken) {
		o->failures++;
	} else {
		buf_add(&o->text, lines, n);
		n = 0;
	}
	pthread_cond_broadcast(&o->change);
	pthread_mutex_unlock(&o->lock);
	return n;
}

static void outlet_lost(void *arg, uint64_t lines, struct buf *out)
{
	(void)arg;
	buf_printf(out, "%llu lost\n", (unsigned long long)lines);
}

static const struct log_writer_ops outlet_ops = { outlet_write, outlet_lost };

static void outlet_init(struct outlet *o)
{
	*o = (struct outlet){ .fd = -1 };
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->change, NULL);
}

static void outlet_set(struct outlet *o, bool *flag, bool value)
{
	pthread_mutex_lock(&o->lock);
	*flag = value;
	pthread_cond_broadcast(&o->change);
	pthread_mutex_unlock(&o->lock);
}

static void outlet_await_waiting(struct outlet *o)
{
	pthread_mutex_lock(&o->lock);
	while (!o->waiting)
		pthread_cond_wait(&o->change, &o->lock);
	pthread_mutex_unlock(&o->lock);
}

static void add_str(struct log_writer *w, const char *s)
{
	log_writer_add(w, s, strlen(s));
}

START_TEST(test_order)
{
	struct buf want = { 0 };
	struct outlet o;
	struct log_writer *w;

	outlet_init(&o);
	w = log_writer_new(&outlet_ops, &o, 1 << 20);
	ck_assert_ptr_nonnull(w);
	for (unsigned i = 0; i < 5000; i++) {
		char line[32];

		snprintf(line, sizeof(line), "line %u\n", i);
		buf_add_str(&want, line);
		add_str(w, line);
	}
	ck_assert(log_writer_free(w, 10000));
	ck_assert_uint_eq(o.text.n, want.n);
	ck_assert_mem_eq(o.text.p, want.p, want.n);
	buf_free(&want);
	buf_free(&o.text);
}
END_TEST

/* Who logs never waits: beyond the limit lines are counted, and told in their place. */
START_TEST(test_slow)
{
	struct outlet o;
	struct log_writer *w;

	outlet_init(&o);
	o.shut = true;
	w = log_writer_new(&outlet_ops, &o, 10);
	add_str(w, "first\n");
	outlet_await_waiting(&o); /* it is taken: the queue is empty */
	add_str(w, "2\n");
	add_str(w, "too long for it\n");
	add_str(w, "a\nb\nc\nd\ne\nf\n");
	add_str(w, "3\n");
	outlet_set(&o, &o.shut, false);
	ck_assert(log_writer_free(w, 10000));
	ck_assert_str_eq(buf_str(&o.text), "first\n2\n3\n7 lost\n");
	buf_free(&o.text);
}
END_TEST

START_TEST(test_broken)
{
	struct outlet o;
	struct log_writer *w;

	outlet_init(&o);
	o.broken = true;
	w = log_writer_new(&outlet_ops, &o, 1000);
	add_str(w, "one\ntwo\n");
	pthread_mutex_lock(&o.lock);
	while (!o.failures)
		pthread_cond_wait(&o.change, &o.lock);
	o.broken = false;
	pthread_mutex_unlock(&o.lock);
	add_str(w, "three\n");
	ck_assert(log_writer_free(w, 10000));
	/* the thread may have taken "three" before it counted those that failed */
	ck_assert_ptr_nonnull(strstr(buf_str(&o.text), "three\n"));
	ck_assert_ptr_nonnull(strstr(buf_str(&o.text), "2 lost\n"));
	ck_assert_uint_eq(o.text.n, strlen("three\n2 lost\n"));
	buf_free(&o.text);
}
END_TEST

static size_t pipe_write(void *arg, const struct log_writer *w, const char *lines, size_t n)
{
	struct outlet *o = arg;

	while (n && log_writer_wait(w, o->fd)) {
		ssize_t done = write(o->fd, lines, n > 4096 ? 4096 : n);

		if (done > 0) {
			lines += done;
			n -= (size_t)done;
		}
	}
	return n;
}

/* A pipe that nobody reads does not keep the daemon from ending. */
START_TEST(test_end_with_full_pipe)
{
	static const struct log_writer_ops ops = { pipe_write, outlet_lost };
	char *big = xcalloc(1, 200000);
	struct outlet o;
	struct log_writer *w;
	int fds[2];

	outlet_init(&o);
	ck_assert_int_eq(pipe2(fds, O_NONBLOCK), 0);
	o.fd = fds[1];
	memset(big, 'x', 199999);
	big[199999] = '\n';
	w = log_writer_new(&ops, &o, 1 << 20);
	log_writer_add(w, big, 200000);
	ck_assert(log_writer_free(w, 20));
	free(big);
	close(fds[0]);
	close(fds[1]);
}
END_TEST

/* A call that hangs in the system is left behind. */
START_TEST(test_end_with_hanging_call)
{
	struct outlet o;
	struct log_writer *w;

	outlet_init(&o);
	o.shut = true;
	w = log_writer_new(&outlet_ops, &o, 1000);
	add_str(w, "x\n");
	outlet_await_waiting(&o);
	ck_assert(!log_writer_free(w, 20));
}
END_TEST

TCase *log_writer_tests(void)
{
	TCase *tc = tcase_create("log writer");

	tcase_add_test(tc, test_order);
	tcase_add_test(tc, test_slow);
	tcase_add_test(tc, test_broken);
	tcase_add_test(tc, test_end_with_full_pipe);
	tcase_add_test(tc, test_end_with_hanging_call);
	return tc;
}
