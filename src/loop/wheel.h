/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_LOOP_WHEEL_H
#define BEWICK_LOOP_WHEEL_H

#include "util/list.h"
#include "util/result.h"
#include <stdint.h>

/*
 * Hierarchical timer wheel (Varghese and Lauck, SOSP 1987, scheme 7): start and
 * stop in constant time, nothing is done for timers that are far away except
 * a few moves down. Time is ms of any clock that never goes back; the owner tells
 * the time by wheel_advance. One owner, no locks.
 */
struct timer;
typedef void timer_fn(struct timer *t);

/* Embedded in its user (container_of). Zeroed = not running. */
struct timer {
	struct list link; /* next NULL: not running */
	uint64_t due;     /* ms */
	timer_fn *fn;
};

struct wheel;

EXPORT struct wheel *wheel_new(uint64_t now_ms);
EXPORT void wheel_free(struct wheel *w); /* running timers are stopped */
EXPORT uint64_t wheel_now(const struct wheel *w);
/* Starts, or moves, a timer; one that is due already runs at the next advance, and counts as due
 * when it was started. */
EXPORT void timer_start(struct wheel *w, struct timer *t, uint64_t due_ms, timer_fn *fn);
EXPORT void timer_stop(struct wheel *w, struct timer *t); /* no-op if not running, also without a wheel */
static inline bool timer_running(const struct timer *t)
{
	return t->link.next != NULL;
}
/* Runs all timers due at or before now, in order of their due times (same ms: order of starting).
 * In fn the wheel is at now already; a timer is stopped before its fn is called, which may start, stop
 * or free any timer, but not advance or free the wheel. */
EXPORT void wheel_advance(struct wheel *w, uint64_t now_ms);
/* When wheel_advance has to be called next: at or before the first due time (it may be
 * early, never late); UINT64_MAX without timers. */
EXPORT uint64_t wheel_next(const struct wheel *w);
EXPORT size_t wheel_count(const struct wheel *w);

#endif
