/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_LOOP_LOOP_H
#define BEWICK_LOOP_LOOP_H

#include "loop/wheel.h"

/*
 * Event loop of one thread over epoll: descriptors, one timer wheel. One owner
 * thread; only loop_stop may be called from others and from signal handlers.
 */
struct loop;
struct loop_fd;
typedef void loop_fd_fn(void *arg, uint32_t events /* EPOLL* */);
typedef void loop_idle_fn(void *arg);

EXPORT struct loop *loop_new(void); /* NULL: errno */
EXPORT void loop_free(struct loop *l);
EXPORT struct wheel *loop_wheel(struct loop *l); /* CLOCK_MONOTONIC ms; of NULL: NULL, by which timers that never ran can be stopped */
EXPORT uint64_t loop_now(const struct loop *l);  /* ms, taken once per turn */
/* The fd is borrowed. NULL: errno. May be called in callbacks, as may remove. */
EXPORT struct loop_fd *loop_add(struct loop *l, int fd, uint32_t events, loop_fd_fn *fn, void *arg);
EXPORT void loop_modify(struct loop_fd *lfd, uint32_t events);
EXPORT void loop_remove(struct loop_fd *lfd); /* before the fd is closed; fn is not called any more, not even in this turn */
/* Called at the end of each turn, before waiting: flush batches here. */
EXPORT void loop_set_idle(struct loop *l, loop_idle_fn *fn, void *arg);
EXPORT void loop_run(struct loop *l); /* until loop_stop, which may have been called before */
EXPORT void loop_stop(struct loop *l);
EXPORT uint64_t clock_monotonic_ms(void);

#endif
