/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/log_writer.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "loop/loop.h"
#include "loop/thread.h"
#include "util/mem.h"

/* How long past the limit the thread may take to notice it. */
#define WRITER_GRACE_MS 200
/* How long lines are gathered before they are written. */
#define WRITER_GATHER_MS 10

struct log_writer {
	const struct log_writer_ops *ops;
	void *arg;
	size_t limit;
	pthread_t thread;
	int stop_fd; /* readable: the end has come */
	_Atomic uint64_t deadline_ms; /* set before stop_fd */
	pthread_mutex_t lock; /* guards what follows */
	pthread_cond_t wake, ended;
	struct buf waiting;
	uint64_t lost; /* lines */
	bool stop, over;
	struct buf work; /* the thread's */
};

static uint64_t writer_count_lines(const char *p, size_t n)
{
	uint64_t lines = 0;

	for (const char *end = p + n; p < end && (p = memchr(p, '\n', (size_t)(end - p))); p++)
		lines++;
	return lines;
}

/* With the lock held: moves what waits to `work`. */
static void writer_take(struct log_writer *w)
{
	struct buf taken = w->waiting;

	w->waiting = w->work;
	buf_reset(&w->waiting);
	w->work = taken;
	if (w->lost)
		w->ops->lost(w->arg, w->lost, &w->work);
	w->lost = 0;
}

/* With the lock held: lines that come in the next moment are written together. Woken for each, this thread would
 * cost the workers more than the formatting. */
static void writer_gather(struct log_writer *w)
{
	uint64_t until = clock_monotonic_ms() + WRITER_GATHER_MS;
	struct timespec ts = { .tv_sec = (time_t)(until / 1000), .tv_nsec = (long)(until % 1000) * 1000000 };

	while (!w->stop && pthread_cond_timedwait(&w->wake, &w->lock, &ts) == 0)
		;
}

static void *writer_main(void *arg)
{
	struct log_writer *w = arg;

	pthread_mutex_lock(&w->lock);
	for (;;) {
		size_t left;

		while (!w->stop && !w->waiting.n && !w->lost)
			pthread_cond_wait(&w->wake, &w->lock);
		if (!w->waiting.n && !w->lost)
			break;
		writer_gather(w);
		writer_take(w);
		pthread_mutex_unlock(&w->lock);
		left = w->ops->write(w->arg, w, (const char *)w->work.p, w->work.n);
		pthread_mutex_lock(&w->lock);
		if (left && w->stop && !w->waiting.n)
			break;
		w->lost += writer_count_lines((const char *)w->work.p + w->work.n - left, left);
		/* What cannot be written is told with the next line that can. */
		if (left && !w->waiting.n && !w->stop)
			pthread_cond_wait(&w->wake, &w->lock);
	}
	w->over = true;
	pthread_cond_signal(&w->ended);
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

static void writer_destroy(struct log_writer *w)
{
	if (w->stop_fd >= 0)
		close(w->stop_fd);
	pthread_cond_destroy(&w->wake);
	pthread_cond_destroy(&w->ended);
	pthread_mutex_destroy(&w->lock);
	buf_free(&w->waiting);
	buf_free(&w->work);
	free(w);
}

struct log_writer *log_writer_new(const struct log_writer_ops *ops, void *arg, size_t limit)
{
	struct log_writer *w = xcalloc(1, sizeof(*w));
	pthread_condattr_t attr;
	int e;

	w->ops = ops;
	w->arg = arg;
	w->limit = limit;
	pthread_mutex_init(&w->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&w->wake, &attr);
	pthread_cond_init(&w->ended, &attr);
	pthread_condattr_destroy(&attr);
	w->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	e = w->stop_fd < 0 ? errno : thread_start(&w->thread, NULL, writer_main, w);
	if (!e)
		return w;
	writer_destroy(w);
	errno = e;
	return NULL;
}

void log_writer_add(struct log_writer *w, const char *lines, size_t n)
{
	pthread_mutex_lock(&w->lock);
	if (w->waiting.n + n > w->limit) {
		w->lost += writer_count_lines(lines, n);
	} else {
		if (!w->waiting.n)
			pthread_cond_signal(&w->wake);
		buf_add(&w->waiting, lines, n);
	}
	pthread_mutex_unlock(&w->lock);
}

bool log_writer_wait(const struct log_writer *w, int fd)
{
	struct pollfd p[2] = { { .fd = fd, .events = POLLOUT }, { .fd = w->stop_fd, .events = POLLIN } };
	uint64_t deadline = 0;

	for (;;) {
		uint64_t now = clock_monotonic_ms();

		if (deadline && now >= deadline)
			return false;
		if (poll(p, deadline ? 1 : 2, deadline ? (int)(deadline - now) : -1) < 0 && errno != EINTR)
			return false;
		if (p[0].revents)
			return true;
		if (p[1].revents)
			deadline = atomic_load(&w->deadline_ms);
	}
}

static bool writer_wait_over(struct log_writer *w, uint64_t until_ms)
{
	struct timespec ts = { .tv_sec = (time_t)(until_ms / 1000), .tv_nsec = (long)(until_ms % 1000) * 1000000 };
	bool over;

	pthread_mutex_lock(&w->lock);
	w->stop = true;
	pthread_cond_signal(&w->wake);
	while (!w->over && pthread_cond_timedwait(&w->ended, &w->lock, &ts) == 0)
		;
	over = w->over;
	pthread_mutex_unlock(&w->lock);
	return over;
}

bool log_writer_free(struct log_writer *w, unsigned limit_ms)
{
	uint64_t deadline = clock_monotonic_ms() + limit_ms;

	if (!w)
		return true;
	atomic_store(&w->deadline_ms, deadline);
	if (eventfd_write(w->stop_fd, 1) < 0 || !writer_wait_over(w, deadline + WRITER_GRACE_MS)) {
		pthread_detach(w->thread);
		return false;
	}
	pthread_join(w->thread, NULL);
	writer_destroy(w);
	return true;
}
