/* SPDX-License-Identifier: Apache-2.0 */
#include "worker/trap_table.h"

/*
 * Packets that met a trap. One set-up at a time per trap; after one that failed there is a pause, which grows. A packet that comes
 * in between is remembered, the latest of them: backends tell of each only once in a while.
 */

static void acquire_next(struct trap *t);

static void acquire_start(struct trap *t, const struct child_acquire *acquire)
{
	struct worker *w = t->worker;
	struct worker_reply *r;

	if (w->stopping || !ratelimit_take(&w->traps->limit, sa_now(&w->ctx)))
		return;
	t->busy = true;
	t->running = *acquire;
	LOG(KNL, LOG_LEVEL_CONTROL, "creating acquire job for policy %s === %s with reqid {%u}", ts_format(&acquire->src).s,
	    ts_format(&acquire->dst).s, t->reqid);
	r = request_reply(NULL, WORKER_ACQUIRE, 0);
	r->conn = conn_ref(t->conn);
	r->child = t->conf->name;
	r->trap_id = t->id;
	r->acquire = *acquire;
	mailbox_post(w->pool->options.events, &r->mail);
}

static void acquire_pause_over(struct timer *timer)
{
	acquire_next(container_of(timer, struct trap, timer));
}

static void acquire_next(struct trap *t)
{
	if (!t->has_next || t->busy || timer_running(&t->timer))
		return;
	t->has_next = false;
	acquire_start(t, &t->next);
}

static bool acquire_same_pair(const struct child_acquire *a, const struct child_acquire *b)
{
	return a->src.family == b->src.family && memcmp(a->src.from, b->src.from, sizeof(a->src.from)) == 0 &&
	       memcmp(a->dst.from, b->dst.from, sizeof(a->dst.from)) == 0;
}

static struct trap *acquire_trap(struct traps *traps, const struct kernel_event *ev)
{
	LIST_FOREACH(it, &traps->list) {
		struct trap *t = list_entry(it, struct trap, link);

		if (t->reqid && (ev->child_id ? t->id == ev->child_id : t->reqid == ev->reqid))
			return t;
	}
	return NULL;
}

void traps_acquire(struct worker *w, const struct kernel_event *ev)
{
	struct child_acquire acquire = { ev->packet_src, ev->packet_dst };
	struct trap *t = w->traps ? acquire_trap(w->traps, ev) : NULL;

	/* it was taken away a moment ago, or the backend is wrong about what came */
	if (!t || !ts_is_valid(&acquire.src) || !ts_is_valid(&acquire.dst) || acquire.src.family != acquire.dst.family)
		return;
	/* the packet waits for what is being set up for the same pair */
	if (t->busy && acquire_same_pair(&acquire, &t->running))
		return;
	t->next = acquire;
	t->has_next = true;
	acquire_next(t);
}

void trap_acquire_stop(struct trap *t)
{
	timer_stop(t->worker->ctx.wheel, &t->timer);
	t->has_next = false;
}

void trap_acquire_ended(struct trap *t, enum cause cause)
{
	t->busy = false;
	if (cause == CAUSE_NONE || cause == CAUSE_DUPLICATE) {
		t->pause_ms = 0;
		acquire_next(t);
		return;
	}
	/* what came meanwhile has waited in vain, too: the next packet tries again */
	t->has_next = false;
	t->pause_ms = t->pause_ms == 0 ? TRAP_PAUSE_FIRST_MS : t->pause_ms * 2;
	if (t->pause_ms > TRAP_PAUSE_MAX_MS)
		t->pause_ms = TRAP_PAUSE_MAX_MS;
	timer_start(t->worker->ctx.wheel, &t->timer, sa_now(&t->worker->ctx) + t->pause_ms, acquire_pause_over);
}
