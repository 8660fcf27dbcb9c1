/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/loop.h"

#include <errno.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "util/log.h"
#include "util/mem.h"

/* Events taken per turn; with level-triggered descriptors the others come next turn. */
#define LOOP_BATCH 64

struct loop_fd {
	struct list link; /* in the loop's fds, or in dead until the turn ends */
	struct loop *loop;
	loop_fd_fn *fn; /* NULL: removed */
	void *arg;
	int fd;
	uint32_t events;
};

struct loop {
	struct wheel *wheel;
	uint64_t now;
	int epoll;
	int stop_fd;
	atomic_bool stop;
	bool dispatching;
	struct list fds;
	struct list dead; /* removed while their events may be in the batch */
	loop_idle_fn *idle;
	void *idle_arg;
};

uint64_t clock_monotonic_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

struct loop *loop_new(void)
{
	struct loop *l = xcalloc(1, sizeof(*l));
	struct epoll_event ev = { .events = EPOLLIN }; /* data.ptr NULL: the stop event */
	int saved_errno;

	list_init(&l->fds);
	list_init(&l->dead);
	atomic_init(&l->stop, false);
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->epoll < 0 || l->stop_fd < 0 ||
	    epoll_ctl(l->epoll, EPOLL_CTL_ADD, l->stop_fd, &ev) != 0) {
		saved_errno = errno;
		loop_free(l);
		errno = saved_errno;
		return NULL;
	}
	l->now = clock_monotonic_ms();
	l->wheel = wheel_new(l->now);
	return l;
}

static void loop_free_fds(struct list *head)
{
	LIST_FOREACH_SAFE(it, head)
		free(list_entry(it, struct loop_fd, link));
	list_init(head);
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	loop_free_fds(&l->fds);
	loop_free_fds(&l->dead);
	wheel_free(l->wheel);
	if (l->epoll >= 0)
		close(l->epoll);
	if (l->stop_fd >= 0)
		close(l->stop_fd);
	free(l);
}

struct wheel *loop_wheel(struct loop *l)
{
	return l ? l->wheel : NULL;
}

uint64_t loop_now(const struct loop *l)
{
	return l->now;
}

struct loop_fd *loop_add(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn, void *arg)
{
	struct loop_fd *lfd = xcalloc(1, sizeof(*lfd));
	struct epoll_event ev = { .events = events, .data.ptr = lfd };

	*lfd = (struct loop_fd){ .loop = l, .fn = fn, .arg = arg, .fd = fd, .events = events };
	if (epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &ev) != 0) {
		free(lfd);
		return NULL;
	}
	list_add_tail(&l->fds, &lfd->link);
	return lfd;
}

void loop_modify(struct loop_fd *lfd, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data.ptr = lfd };

	/* edge-triggered and one-shot descriptors are armed again by the same events */
	if (events == lfd->events && !(events & (EPOLLET | EPOLLONESHOT)))
		return;
	if (expect(epoll_ctl(lfd->loop->epoll, EPOLL_CTL_MOD, lfd->fd, &ev) == 0))
		lfd->events = events;
}

void loop_remove(struct loop_fd *lfd)
{
	if (!lfd)
		return;
	(void)expect(epoll_ctl(lfd->loop->epoll, EPOLL_CTL_DEL, lfd->fd, NULL) == 0);
	lfd->fn = NULL;
	list_del(&lfd->link);
	if (lfd->loop->dispatching)
		list_add_tail(&lfd->loop->dead, &lfd->link);
	else
		free(lfd);
}

void loop_set_idle(struct loop *l, loop_idle_fn *fn, void *arg)
{
	l->idle = fn;
	l->idle_arg = arg;
}

static void loop_call_idle(struct loop *l)
{
	if (l->idle)
		l->idle(l->idle_arg);
}

static int loop_timeout(const struct loop *l)
{
	uint64_t next = wheel_next(l->wheel), now;

	if (next == UINT64_MAX)
		return -1;
	/* not the turn's time: the callbacks may have taken long */
	now = clock_monotonic_ms();
	if (next <= now)
		return 0;
	return next - now < INT_MAX ? (int)(next - now) : INT_MAX;
}

static void loop_clear_stop(struct loop *l)
{
	uint64_t value;
	ssize_t done = read(l->stop_fd, &value, sizeof(value));

	/* nothing to read is fine: the flag decides */
	(void)done;
}

static void loop_turn(struct loop *l)
{
	struct epoll_event events[LOOP_BATCH];
	int n = epoll_wait(l->epoll, events, LOOP_BATCH, loop_timeout(l));

	if (n < 0) {
		if (!expect(errno == EINTR))
			loop_stop(l);
		n = 0;
	}
	l->now = clock_monotonic_ms();
	l->dispatching = true;
	/* first: callbacks start timers from the wheel's time, which must not be that of the last turn */
	wheel_advance(l->wheel, l->now);
	for (int i = 0; i < n; i++) {
		struct loop_fd *lfd = events[i].data.ptr;

		if (!lfd)
			loop_clear_stop(l);
		else if (lfd->fn)
			lfd->fn(lfd->arg, events[i].events);
	}
	l->dispatching = false;
	loop_free_fds(&l->dead);
	wheel_advance(l->wheel, l->now); /* what they started and is due already */
}

void loop_run(struct loop *l)
{
	while (!atomic_load(&l->stop)) {
		loop_call_idle(l);
		loop_turn(l);
	}
	/* what the last turn queued goes out */
	loop_call_idle(l);
	atomic_store(&l->stop, false);
}

void loop_stop(struct loop *l)
{
	int saved_errno = errno;
	uint64_t one = 1;
	ssize_t done;

	atomic_store(&l->stop, true);
	do {
		done = write(l->stop_fd, &one, sizeof(one));
	} while (done < 0 && errno == EINTR);
	errno = saved_errno;
}
