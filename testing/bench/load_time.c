/* SPDX-License-Identifier: Apache-2.0 */
/* What it costs that SAs are there, on a clock that is turned by hand: timers, keepalives, a look at changed addresses. */
#include <time.h>

#include "load.h"
#include "loop/loop.h"

#define NEVER_MS (24 * 3600000ull)

static double load_cpu(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* Only what is wanted is due. CPU time until then. */
static double load_pass(struct load *l, uint64_t duration_ms)
{
	uint64_t now = wheel_now(l->ctx.wheel), end = now + duration_ms;
	double cpu = load_cpu();

	while (now < end) {
		uint64_t next = wheel_next(l->ctx.wheel);

		/* as a loop does: nothing is done before something is due */
		now = next > now ? next < end ? next : end : now + 1;
		wheel_advance(l->ctx.wheel, now);
	}
	(void)net_flush(l->nw);
	cpu = load_cpu() - cpu;
	l->ahead_ms = end - clock_monotonic_ms();
	return cpu;
}

static void load_postpone(struct ike_sa *sa, uint64_t rekey_ms, uint64_t reauth_ms)
{
	sa->dpd_ms = 0;
	sa->rekey_ms = rekey_ms;
	sa->reauth_ms = reauth_ms;
	sa->over_ms = reauth_ms + 3600000;
	for (struct child_sa *c = sa->children; c; c = c->next)
		c->rekey_ms = c->life_ms = rekey_ms;
}

struct load_idle load_idle_hour(struct load *l, unsigned dpd_delay_s, unsigned rekey_s, unsigned reauth_s)
{
	struct conn *conn = (struct conn *)(uintptr_t)l->conn; /* ours: nobody else reads it */
	uint64_t now = wheel_now(l->ctx.wheel);
	struct load_idle idle = { 0 };

	conn->dpd_delay = dpd_delay_s;
	for (size_t i = 0; i < l->n_sas; i++) {
		struct ike_sa *sa = l->sas[i];

		/* spread as SAs are that came one after the other; none comes to its end in this hour */
		load_postpone(sa, now + 1000ull * rekey_s + i, now + 1000ull * reauth_s + i);
		sa->last_in_ms = now - 1000ull * dpd_delay_s * i / l->n_sas;
		ike_sa_schedule(sa);
	}
	l->traffic = true;
	l->wakeups = 0;
	idle.cpu_s = load_pass(l, 3600000);
	idle.wakeups = l->wakeups;
	l->traffic = false;
	conn->dpd_delay = 0;
	return idle;
}

/* ---- keepalives ---- */

static void keepalives_begin(struct load *l, unsigned interval_s)
{
	uint64_t now = wheel_now(l->ctx.wheel);

	l->ctx.options.keep_alive = interval_s;
	l->wakeups = l->keepalives = 0;
	for (size_t i = 0; i < l->n_sas; i++) {
		struct ike_sa *sa = l->sas[i];

		load_postpone(sa, now + NEVER_MS, now + NEVER_MS);
		sa->nat_local = true;
		sa->keepalive_ms = 0;
		sa->last_out_ms = now - 1000ull * interval_s * i / l->n_sas;
		ike_sa_schedule(sa);
	}
}

struct load_keepalives load_keepalives(struct load *l, unsigned interval_s, unsigned minutes)
{
	struct load_keepalives k = { 0 };
	double cpu;

	keepalives_begin(l, interval_s);
	k.cpu_s = load_pass(l, 60000ull * minutes);
	k.sent = l->keepalives;
	cpu = load_cpu();
	for (uint64_t i = 0; i < k.sent; i++) {
		const struct ike_sa *sa = l->sas[i % l->n_sas];

		l->ctx.ops->keepalive(l, &sa->local, &sa->remote);
	}
	(void)net_flush(l->nw);
	k.floor_s = load_cpu() - cpu;
	keepalives_begin(l, interval_s);
	l->traffic = true;
	k.busy_cpu_s = load_pass(l, 60000ull * minutes);
	k.busy_wakeups = l->wakeups;
	l->traffic = false;
	for (size_t i = 0; i < l->n_sas; i++) {
		l->sas[i]->nat_local = false;
		ike_sa_schedule(l->sas[i]);
	}
	return k;
}

/* ---- addresses ---- */

struct load_roam load_roam(struct load *l, size_t n)
{
	/* as of a gateway: all SAs have one address, and there are some more */
	struct local_addr own[4] = { { .up = true, .carrier = true, .loopback = true } };
	struct load_roam r = { 0 };
	double cpu;

	for (size_t i = 0; i < ARRAY_LEN(own); i++) {
		own[i] = own[0];
		own[i].addr = (struct addr){ .family = AF_INET, .ip = { 127, 0, 0, (uint8_t)(i + 1) } };
	}
	l->ctx.locals = local_addrs_new(own, ARRAY_LEN(own));
	for (size_t i = 0; i < n; i++) {
		struct ike_sa *sa = l->sas[i];

		memcpy(sa->local.ip, own[0].addr.ip, 4);
		sa->mobike = true;
		sa->told_addrs = 1; /* none of them is to be told */
	}
	cpu = load_cpu();
	for (size_t i = 0; i < n; i++)
		ike_sa_roam(l->sas[i], n);
	r.cpu_s = load_cpu() - cpu;
	cpu = load_cpu();
	for (size_t i = 0; i < n; i++) {
		unsigned ifindex;

		(void)l->ctx.ops->route(l, &l->sas[i]->local, &l->sas[i]->remote, &ifindex);
	}
	r.floor_s = load_cpu() - cpu;
	return r;
}
