/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/lanes.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "loop/helper.h"
#include "util/hash.h"
#include "util/mem.h"

/* A lane exists while something of it waits or runs: one job of the pool does it all. */
struct lane {
	struct helper_job job;
	struct hashnode node;
	struct lanes *lanes;
	uint64_t id;
	struct lane_item *first, **last;
};

struct lanes {
	struct helper_pool *pool;
	int cancel_fd;
	unsigned max_items;
	struct hash_key key;  /* ids are our own numbers: nobody aims at them */
	pthread_mutex_t lock; /* guards all below, and the queues of lanes; not held while items run */
	pthread_cond_t empty;
	struct hashtab table;
	unsigned waiting, running;
	bool closed;
};

static struct lane *lane_find(struct lanes *l, uint64_t id)
{
	struct hashnode *n = hashtab_first(&l->table, hash_u64(&l->key, id));

	while (n && container_of(n, struct lane, node)->id != id)
		n = hashtab_next(n);
	return n ? container_of(n, struct lane, node) : NULL;
}

static void lane_drop(struct mail *m)
{
	free(container_of(container_of(m, struct helper_job, mail), struct lane, job));
}

/* With the lock held. */
static struct lane_item *lane_take(struct lane *lane)
{
	struct lane_item *item = lane->first;

	if (!item)
		return NULL;
	lane->first = item->next;
	if (!lane->first)
		lane->last = &lane->first;
	lane->lanes->waiting--;
	return item;
}

static void lane_compute(struct helper_job *job)
{
	struct lane *lane = container_of(job, struct lane, job);
	struct lanes *l = lane->lanes;
	struct lane_item *item;

	pthread_mutex_lock(&l->lock);
	while ((item = lane_take(lane))) {
		l->running++;
		pthread_mutex_unlock(&l->lock);
		item->run(item, l->cancel_fd);
		item->drop(item);
		pthread_mutex_lock(&l->lock);
		l->running--;
	}
	hashtab_remove(&l->table, &lane->node);
	if (!l->waiting && !l->running)
		pthread_cond_broadcast(&l->empty);
	pthread_mutex_unlock(&l->lock);
}

static struct lane *lane_new(struct lanes *l, uint64_t id)
{
	struct lane *lane = xcalloc(1, sizeof(*lane));

	lane->job = (struct helper_job){ .mail = { .drop = lane_drop }, .compute = lane_compute };
	lane->lanes = l;
	lane->id = id;
	lane->last = &lane->first;
	return lane;
}

struct lanes *lanes_new(unsigned max_threads, unsigned max_items)
{
	struct lanes *l = xcalloc(1, sizeof(*l));
	pthread_condattr_t attr;

	l->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->cancel_fd < 0) {
		free(l);
		return NULL;
	}
	l->max_items = max_items;
	l->pool = helper_pool_new(max_threads, max_items);
	pthread_mutex_init(&l->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&l->empty, &attr);
	pthread_condattr_destroy(&attr);
	return l;
}

bool lanes_submit(struct lanes *l, struct lane_item *item)
{
	struct lane *lane, *made = NULL;
	bool taken = false;

	pthread_mutex_lock(&l->lock);
	if (l->closed || l->waiting >= l->max_items)
		goto out;
	lane = lane_find(l, item->lane);
	/* the helper that gets the new one waits for our lock, and then finds the item */
	if (!lane) {
		lane = made = lane_new(l, item->lane);
		if (!helper_submit(l->pool, &lane->job)) {
			free(lane);
			goto out;
		}
	}
	item->next = NULL;
	*lane->last = item;
	lane->last = &item->next;
	l->waiting++;
	if (made)
		hashtab_insert(&l->table, &made->node, hash_u64(&l->key, made->id));
	taken = true;
out:
	pthread_mutex_unlock(&l->lock);
	return taken;
}

/* With the lock held: what waits in a lane goes on the list. */
static void lane_empty(struct hashnode *node, void *arg)
{
	struct lane *lane = container_of(node, struct lane, node);
	struct lane_item **dropped = arg, *item;

	while ((item = lane_take(lane))) {
		item->next = *dropped;
		*dropped = item;
	}
}

bool lanes_finish(struct lanes *l, uint64_t deadline_ms)
{
	struct timespec until = { .tv_sec = (time_t)(deadline_ms / 1000), .tv_nsec = (long)(deadline_ms % 1000) * 1000000 };
	struct lane_item *dropped = NULL;
	bool done;
	int e = 0;

	pthread_mutex_lock(&l->lock);
	l->closed = true;
	while ((l->waiting || l->running) && e != ETIMEDOUT)
		e = pthread_cond_timedwait(&l->empty, &l->lock, &until);
	done = !l->waiting && !l->running;
	if (!done)
		hashtab_walk(&l->table, lane_empty, &dropped);
	pthread_mutex_unlock(&l->lock);
	if (!done)
		(void)eventfd_write(l->cancel_fd, 1);
	while (dropped) {
		struct lane_item *item = dropped;

		dropped = item->next;
		item->drop(item);
	}
	return done;
}

void lanes_free(struct lanes *l)
{
	if (!l)
		return;
	(void)lanes_finish(l, 0);
	helper_pool_free(l->pool);
	hashtab_clear(&l->table); /* lanes whose job was never begun went with the pool */
	pthread_cond_destroy(&l->empty);
	pthread_mutex_destroy(&l->lock);
	close(l->cancel_fd);
	free(l);
}
