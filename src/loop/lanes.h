/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_LOOP_LANES_H
#define BEWICK_LOOP_LANES_H

#include <stdbool.h>
#include <stdint.h>

#include "util/result.h"

/*
 * Work for helper threads that has an order: what is of one lane is done one after the other, as it came; different
 * lanes do not wait for each other, as long as there are threads.
 */
struct lane_item {
	struct lane_item *next;
	uint64_t lane;
	/* On a helper. cancel_fd becomes readable when the end cannot wait any longer. */
	void (*run)(struct lane_item *item, int cancel_fd);
	void (*drop)(struct lane_item *item); /* frees it: after run, or without */
};

struct lanes;

/* Threads are made when needed. At most max_items wait. NULL: errno tells. */
EXPORT struct lanes *lanes_new(unsigned max_threads, unsigned max_items);
/* Takes the item. False: too many wait, or lanes_finish was called; it is still the caller's. Any thread. */
EXPORT MUST_CHECK bool lanes_submit(struct lanes *l, struct lane_item *item);
/* Nothing is taken any more. Waits till all is done, at the latest at deadline_ms (CLOCK_MONOTONIC): then what waits is dropped
 * and what runs is told. False: it came to that. */
EXPORT bool lanes_finish(struct lanes *l, uint64_t deadline_ms);
/* Finishes at once, if that was not done, and waits for what runs. NULL is fine. */
EXPORT void lanes_free(struct lanes *l);

#endif
