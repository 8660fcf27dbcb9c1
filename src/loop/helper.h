/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_LOOP_HELPER_H
#define BEWICK_LOOP_HELPER_H

#include "loop/mailbox.h"

/*
 * Threads for what may block (DNS, files, scripts, tokens). A job is computed on a
 * helper; then it is posted, as mail, to the box of who asked, who completes it. When the asker is gone or
 * the pool is closing, mail.drop cleans up. `compute` must not touch anything but the job.
 */
struct helper_job {
	struct mail mail; /* first: kind and drop set by the asker */
	void (*compute)(struct helper_job *job);
	struct mailbox *reply_to; /* must outlive the pool; NULL: nobody, the job is dropped when it is done */
	uint64_t deadline_ms;     /* CLOCK_MONOTONIC, 0 = none; if it passes before the job is begun, the job is posted
				 * at once, not computed, with `late` set */
	bool late;
};

struct helper_pool;

/* Threads are made when needed, up to max_threads. At most max_waiting jobs may wait. */
EXPORT struct helper_pool *helper_pool_new(unsigned max_threads, unsigned max_waiting);
/* From now on nothing is taken or posted: waiting jobs are dropped, running ones when they end, so that boxes may go
 * before the pool. False: some are running, and helper_pool_free would wait for them. */
EXPORT bool helper_pool_close(struct helper_pool *pool);
/* Waits for running jobs; drops waiting ones. */
EXPORT void helper_pool_free(struct helper_pool *pool);
/* Takes the job. False: too many wait or no thread could be made; the job is still the caller's. Any thread. */
EXPORT MUST_CHECK bool helper_submit(struct helper_pool *pool, struct helper_job *job);
EXPORT unsigned helper_pool_waiting(struct helper_pool *pool);

#endif
