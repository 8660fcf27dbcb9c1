/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <sys/random.h>

#include "control/internal.h"

/*
 * What the configuration wants up and what is not: lost SAs (dpd_action, close_action), and set-ups that failed (these and
 * start_action). One attempt per connection and child at a time, with pauses that grow and vary, as long as that part of the
 * configuration is in force and the operator does not say otherwise.
 */
#define REINIT_FIRST_MS 1000
#define REINIT_MAX_MS 60000

struct reinit {
	struct list link; /* control->reinits */
	struct hashnode by_conn;
	struct control *control;
	struct timer timer;
	char *conn, *child; /* child NULL: the IKE_SA */
	uint64_t last_ms;   /* when it was last tried, or came up */
	unsigned pause_ms;  /* before the next time */
	unsigned flaps;	    /* how often it was lost soon after it had come up */
	bool running;	    /* an attempt is under way */
	bool forgotten;	    /* to be freed when that is over */
};

static void reinit_try(struct timer *t);

/* Names are the administrator's: a fixed key does. */
static const struct hash_key reinit_key = { 5, 6 };

static struct hashnode *reinit_first(const struct control *c, const char *conn)
{
	return hashtab_first(&c->reinits_by_conn, hash_bytes(&reinit_key, bytes_str(conn)));
}

static void reinit_free(struct reinit *r)
{
	timer_stop(loop_wheel(r->control->loop), &r->timer);
	list_del(&r->link);
	hashtab_remove(&r->control->reinits_by_conn, &r->by_conn);
	free(r->conn);
	free(r->child);
	free(r);
}

static struct reinit *reinit_get(struct control *c, const char *conn, const char *child)
{
	struct reinit *r;

	for (struct hashnode *n = reinit_first(c, conn); n; n = hashtab_next(n)) {
		r = container_of(n, struct reinit, by_conn);
		if (!r->forgotten && strcmp(r->conn, conn) == 0 && !r->child == !child &&
		    (!child || strcmp(r->child, child) == 0))
			return r;
	}
	r = xcalloc(1, sizeof(*r));
	r->control = c;
	r->conn = xstrdup(conn);
	r->child = child ? xstrdup(child) : NULL;
	list_add_tail(&c->reinits, &r->link);
	hashtab_insert(&c->reinits_by_conn, &r->by_conn, hash_bytes(&reinit_key, bytes_str(conn)));
	return r;
}

static const char *reinit_kind(const struct reinit *r)
{
	return r->child ? "CHILD_SA" : "IKE_SA";
}

static const char *reinit_what(const struct reinit *r)
{
	return r->child ? r->child : r->conn;
}

/* Less a random part: what was lost together does not come back in step. */
static uint64_t reinit_jitter(unsigned pause_ms)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = (uint32_t)clock_monotonic_ms();
	return pause_ms - random % (pause_ms / 4 + 1);
}

static void reinit_schedule(struct reinit *r)
{
	struct control *c = r->control;
	uint64_t pause = reinit_jitter(r->pause_ms);

	if (r->running || timer_running(&r->timer))
		return;
	LOG(CFG, 1, "bringing up %s '%s' of '%s' again in %llu.%llus", reinit_kind(r), reinit_what(r), r->conn,
	    (unsigned long long)pause / 1000, (unsigned long long)pause % 1000 / 100);
	timer_start(loop_wheel(c->loop), &r->timer, loop_now(c->loop) + pause, reinit_try);
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
		r->pause_ms = r->flaps = 0;
	else
		r->flaps++;
	reinit_schedule(r);
}

/* keyingtries is for a peer that is silent from the start; what was up once and is wanted again is not given up. */
static bool reinit_gives_up(const struct reinit *r, enum cause cause)
{
	const struct conn *conn = config_conn(r->control->config, r->conn);
	const struct child_conf *child = conn && r->child ? conn_child(conn, r->child) : NULL;

	return cause == CAUSE_PEER_SILENT && child && conn->keyingtries != 0 && child->start_action & ACTION_START &&
	       !((child->dpd_action | child->close_action) & ACTION_START);
}

static void reinit_failed(struct reinit *r, enum cause cause)
{
	if (cause == CAUSE_SHUTDOWN) {
		reinit_free(r);
	} else if (cause == CAUSE_POLICY) {
		LOG(CFG, 1, "%s '%s' of '%s' is given up: the configuration does not allow it", reinit_kind(r), reinit_what(r),
		    r->conn);
		reinit_free(r);
	} else if (reinit_gives_up(r, cause)) {
		LOG(CFG, 1, "%s '%s' of '%s' is given up: the peer did not answer (keyingtries; 0 would try for ever)",
		    reinit_kind(r), reinit_what(r), r->conn);
		reinit_free(r);
	} else {
		reinit_schedule(r);
	}
}

void reinit_done(struct control *c, struct reinit *r, enum cause cause)
{
	r->running = false;
	if (r->forgotten) {
		reinit_free(r);
	} else if (cause == CAUSE_NONE || cause == CAUSE_DUPLICATE) {
		unsigned pause = REINIT_FIRST_MS;

		for (unsigned i = 0; i < r->flaps && pause < REINIT_MAX_MS; i++)
			pause *= 2;
		r->pause_ms = pause < REINIT_MAX_MS ? pause : REINIT_MAX_MS;
		r->last_ms = loop_now(c->loop);
	} else {
		reinit_failed(r, cause);
	}
}

void reinit_start_failed(struct control *c, const struct conn *conn, const char *child, enum cause cause)
{
	const struct conn *now = config_conn(c->config, conn->name);
	const struct child_conf *was = conn_child(conn, child), *is = now ? conn_child(now, child) : NULL;
	struct reinit *r;

	/* what was loaded meanwhile has its own start actions */
	if (!c->workers || !is || !conn_ike_equal(conn, now) || !child_conf_equal(conn, was, now, is))
		return;
	r = reinit_get(c, conn->name, child);
	if (r->running || timer_running(&r->timer))
		return;
	r->last_ms = loop_now(c->loop);
	r->pause_ms = REINIT_FIRST_MS;
	reinit_failed(r, cause);
}

static bool reinit_is_of(const struct reinit *r, const char *conn, const char *child)
{
	return (!conn || strcmp(r->conn, conn) == 0) && (!child || (r->child && strcmp(r->child, child) == 0));
}

static void reinit_forget_one(struct reinit *r)
{
	timer_stop(loop_wheel(r->control->loop), &r->timer);
	if (r->running)
		r->forgotten = true;
	else
		reinit_free(r);
}

/* One that is not forgotten yet. */
static struct reinit *reinit_find(const struct control *c, const char *conn, const char *child)
{
	for (struct hashnode *n = reinit_first(c, conn); n; n = hashtab_next(n)) {
		struct reinit *r = container_of(n, struct reinit, by_conn);

		if (!r->forgotten && reinit_is_of(r, conn, child))
			return r;
	}
	return NULL;
}

void reinit_forget(struct control *c, const char *conn, const char *child)
{
	struct reinit *r;

	while (conn && (r = reinit_find(c, conn, child)))
		reinit_forget_one(r);
	if (!conn) {
		LIST_FOREACH_SAFE(it, &c->reinits) {
			r = list_entry(it, struct reinit, link);
			if (reinit_is_of(r, conn, child))
				reinit_forget_one(r);
		}
	}
	initiate_forget(c, conn, child);
}

void reinit_config_changed(struct control *c, const struct conn *old, const struct conn *conn)
{
	if (!conn || !conn_ike_equal(old, conn)) {
		reinit_forget(c, old->name, NULL);
		return;
	}
	for (size_t i = 0; i < old->n_children; i++) {
		const struct child_conf *was = &old->children[i], *is = conn_child(conn, was->name);

		if (!is || !child_conf_equal(old, was, conn, is))
			reinit_forget(c, old->name, was->name);
	}
}
