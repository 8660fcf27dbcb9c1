/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "control/internal.h"

/*
 * SAs that are to come up again (dpd_action, close_action): at most one attempt per connection and
 * child at a time, with growing pauses, as long as that configuration is loaded.
 */
#define REINIT_FIRST_MS 1000
#define REINIT_MAX_MS 60000

struct reinit {
	struct list link; /* control->reinits */
	struct control *control;
	struct timer timer;
	char *conn, *child; /* child NULL: the IKE_SA */
	uint64_t last_ms;   /* when it was last tried */
	unsigned pause_ms;  /* before the next time */
	bool running;	    /* an attempt is under way */
	bool forgotten;	    /* to be freed when that is over */
};

static void reinit_try(struct timer *t);

static void reinit_free(struct reinit *r)
{
	timer_stop(loop_wheel(r->control->loop), &r->timer);
	list_del(&r->link);
	free(r->conn);
	free(r->child);
	free(r);
}

static struct reinit *reinit_get(struct control *c, const char *conn, const char *child)
{
	struct reinit *r;

	LIST_FOREACH(it, &c->reinits) {
		r = list_entry(it, struct reinit, link);
		if (!r->forgotten && strcmp(r->conn, conn) == 0 && !r->child == !child &&
		    (!child || strcmp(r->child, child) == 0))
			return r;
	}
	r = xcalloc(1, sizeof(*r));
	r->control = c;
	r->conn = xstrdup(conn);
	r->child = child ? xstrdup(child) : NULL;
	list_add_tail(&c->reinits, &r->link);
	return r;
}

static void reinit_schedule(struct reinit *r)
{
	struct control *c = r->control;

	if (!r->running && !timer_running(&r->timer))
		timer_start(loop_wheel(c->loop), &r->timer, loop_now(c->loop) + r->pause_ms, reinit_try);
	r->pause_ms = r->pause_ms == 0 ? REINIT_FIRST_MS : r->pause_ms * 2;
	if (r->pause_ms > REINIT_MAX_MS)
		r->pause_ms = REINIT_MAX_MS;
}

static void reinit_try(struct timer *t)
{
	struct reinit *r = container_of(t, struct reinit, timer);
	struct control *c = r->control;
	const struct conn *conn = config_store_conn(c->store, r->conn);
	struct initiate_how how = { .reinit = r };

	if (!c->workers || !conn || (r->child && !conn_child(conn, r->child))) {
		reinit_free(r);
		return;
	}
	r->running = true;
	r->last_ms = loop_now(c->loop);
	initiate_start(c, conn, r->child, &how);
}

void reinit_request(struct control *c, const struct worker_reply *reply)
{
	const struct conn *conn = reply->conn;
	struct reinit *r;

	if (!c->workers || !conn || !config_store_conn(c->store, conn->name))
		return;
	r = reinit_get(c, conn->name, reply->child);
	if (r->running || timer_running(&r->timer))
		return;
	/* the first time at once; what goes up and down and up is slowed down */
	if (r->last_ms == 0 || loop_now(c->loop) - r->last_ms > REINIT_MAX_MS)
		r->pause_ms = 0;
	LOG(CFG, 1, "bringing up %s '%s' of '%s' again in %u ms", r->child ? "CHILD_SA" : "IKE_SA",
	    r->child ? r->child : r->conn, r->conn, r->pause_ms);
	reinit_schedule(r);
}

void reinit_done(struct control *c, struct reinit *r, enum cause cause)
{
	(void)c;
	r->running = false;
	if (r->forgotten) {
		reinit_free(r);
		return;
	}
	/* up already, or not wanted */
	if (cause == CAUSE_NONE || cause == CAUSE_DUPLICATE || cause == CAUSE_POLICY || cause == CAUSE_SHUTDOWN)
		return;
	reinit_schedule(r);
}

void reinit_forget(struct control *c, const char *conn)
{
	LIST_FOREACH_SAFE(it, &c->reinits) {
		struct reinit *r = list_entry(it, struct reinit, link);

		if (conn && strcmp(r->conn, conn) != 0)
			continue;
		timer_stop(loop_wheel(c->loop), &r->timer);
		if (r->running)
			r->forgotten = true;
		else
			reinit_free(r);
	}
}
