/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/helper.h"

#include <stdlib.h>
#include <time.h>

#include "loop/loop.h"
#include "loop/thread.h"
#include "util/mem.h"

/*
 * Jobs wait in a queue for one of the helpers. One more thread, made when a job with a
 * deadline has to wait, gives back those whose deadline passes while all helpers
 * are stuck in something slow.
 */
struct helper_pool {
	pthread_mutex_t lock; /* guards all below but max_*; not held while jobs run */
	pthread_cond_t work;  /* a job came, or closing */
	pthread_cond_t watch; /* a nearer deadline came, or closing */
	struct mail *first;
	struct mail **last;
	unsigned queued;
	unsigned idle; /* threads that look for a job, or will when they run */
	unsigned threads;
	bool closing;
	bool closed; /* nothing is posted any more */
	bool watched;       /* the watching thread exists */
	uint64_t watch_due; /* what it waits for */
	pthread_t watcher;
	unsigned max_threads;
	unsigned max_waiting;
	pthread_t thread[];
};

static struct helper_job *helper_job_of(struct mail *m)
{
	return container_of(m, struct helper_job, mail);
}

struct helper_pool *helper_pool_new(unsigned max_threads, unsigned max_waiting)
{
	struct helper_pool *pool;
	pthread_condattr_t attr;

	if (max_threads == 0)
		max_threads = 1;
	pool = xcalloc(1, sizeof(*pool) + max_threads * sizeof(pool->thread[0]));
	pool->max_threads = max_threads;
	pool->max_waiting = max_waiting;
	pool->last = &pool->first;
	pool->watch_due = UINT64_MAX;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->work, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->watch, &attr);
	pthread_condattr_destroy(&attr);
	return pool;
}

static bool helper_job_is_late(const struct helper_job *job, uint64_t now)
{
	return job->deadline_ms && now >= job->deadline_ms;
}

static void helper_drop(struct mail *m)
{
	if (m->drop)
		m->drop(m);
}

/* A list of jobs that nobody will do. */
static void helper_drop_all(struct mail *m)
{
	while (m) {
		struct mail *next = m->next;

		helper_drop(m);
		m = next;
	}
}

/* With the lock held, which is given up while nobody wants the job and it is dropped: that may call whatever there is.
 * After helper_pool_close boxes may be gone. */
static void helper_deliver(struct helper_pool *pool, struct helper_job *job)
{
	if (!pool->closed && job->reply_to) {
		mailbox_post(job->reply_to, &job->mail);
		return;
	}
	pthread_mutex_unlock(&pool->lock);
	helper_drop(&job->mail);
	pthread_mutex_lock(&pool->lock);
}

static void *helper_main(void *arg)
{
	struct helper_pool *pool = arg;

	pthread_mutex_lock(&pool->lock);
	while (!pool->closing) {
		struct helper_job *job;

		if (!pool->first) {
			pthread_cond_wait(&pool->work, &pool->lock);
			continue;
		}
		job = helper_job_of(pool->first);
		pool->first = job->mail.next;
		if (!pool->first)
			pool->last = &pool->first;
		pool->queued--;
		pool->idle--;
		pthread_mutex_unlock(&pool->lock);

		job->late = helper_job_is_late(job, clock_monotonic_ms());
		if (!job->late)
			job->compute(job);

		pthread_mutex_lock(&pool->lock);
		helper_deliver(pool, job);
		pool->idle++;
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* Takes the jobs that are late off the queue, in order; sets watch_due to the next deadline. */
static struct mail *helper_take_late(struct helper_pool *pool, uint64_t now)
{
	struct mail *late = NULL, **end = &late, **at = &pool->first;

	pool->watch_due = UINT64_MAX;
	while (*at) {
		struct helper_job *job = helper_job_of(*at);

		if (helper_job_is_late(job, now)) {
			*at = job->mail.next;
			job->mail.next = NULL;
			*end = &job->mail;
			end = &job->mail.next;
			pool->queued--;
			continue;
		}
		if (job->deadline_ms && job->deadline_ms < pool->watch_due)
			pool->watch_due = job->deadline_ms;
		at = &job->mail.next;
	}
	pool->last = at;
	return late;
}

static void helper_post_late(struct helper_pool *pool, struct mail *m)
{
	struct mail *next;

	for (; m; m = next) {
		struct helper_job *job = helper_job_of(m);

		next = m->next;
		job->late = true;
		helper_deliver(pool, job);
	}
}

static void *helper_watch_main(void *arg)
{
	struct helper_pool *pool = arg;

	pthread_mutex_lock(&pool->lock);
	while (!pool->closing) {
		struct mail *late = helper_take_late(pool, clock_monotonic_ms());

		if (late) {
			helper_post_late(pool, late);
		} else if (pool->watch_due == UINT64_MAX) {
			pthread_cond_wait(&pool->watch, &pool->lock);
		} else {
			struct timespec ts = { .tv_sec = (time_t)(pool->watch_due / 1000),
					       .tv_nsec = (long)(pool->watch_due % 1000) * 1000000 };

			pthread_cond_timedwait(&pool->watch, &pool->lock, &ts);
		}
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* With the lock held: makes sure that somebody looks at the job just queued. */
static void helper_watch(struct helper_pool *pool, const struct helper_job *job)
{
	if (!job->deadline_ms || pool->queued <= pool->idle || job->deadline_ms >= pool->watch_due)
		return;
	/* without it, late jobs are noticed when a helper gets to them */
	if (!pool->watched && !(pool->watched = thread_start(&pool->watcher, NULL, helper_watch_main, pool) == 0))
		return;
	pool->watch_due = job->deadline_ms;
	pthread_cond_signal(&pool->watch);
}

bool helper_submit(struct helper_pool *pool, struct helper_job *job)
{
	bool taken = false;

	pthread_mutex_lock(&pool->lock);
	if (pool->closing || pool->closed)
		goto out;
	if (pool->queued >= pool->idle && pool->threads < pool->max_threads &&
	    thread_start(&pool->thread[pool->threads], NULL, helper_main, pool) == 0) {
		pool->threads++;
		pool->idle++;
	}
	if (pool->threads == 0 || pool->queued >= pool->idle + pool->max_waiting)
		goto out;
	job->late = false;
	job->mail.next = NULL;
	*pool->last = &job->mail;
	pool->last = &job->mail.next;
	pool->queued++;
	pthread_cond_signal(&pool->work);
	helper_watch(pool, job);
	taken = true;
out:
	pthread_mutex_unlock(&pool->lock);
	return taken;
}

bool helper_pool_close(struct helper_pool *pool)
{
	struct mail *m;
	bool quiet;

	pthread_mutex_lock(&pool->lock);
	pool->closed = true;
	m = pool->first;
	pool->first = NULL;
	pool->last = &pool->first;
	pool->queued = 0;
	quiet = pool->idle == pool->threads;
	pthread_mutex_unlock(&pool->lock);
	helper_drop_all(m);
	return quiet;
}

unsigned helper_pool_waiting(struct helper_pool *pool)
{
	unsigned n;

	pthread_mutex_lock(&pool->lock);
	n = pool->queued > pool->idle ? pool->queued - pool->idle : 0;
	pthread_mutex_unlock(&pool->lock);
	return n;
}

void helper_pool_free(struct helper_pool *pool)
{
	struct mail *m;

	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->closing = true;
	m = pool->first;
	pool->first = NULL;
	pool->last = &pool->first;
	pool->queued = 0;
	pthread_cond_broadcast(&pool->work);
	pthread_cond_signal(&pool->watch);
	pthread_mutex_unlock(&pool->lock);

	helper_drop_all(m);
	for (unsigned i = 0; i < pool->threads; i++)
		pthread_join(pool->thread[i], NULL);
	if (pool->watched)
		pthread_join(pool->watcher, NULL);
	pthread_cond_destroy(&pool->work);
	pthread_cond_destroy(&pool->watch);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}
