/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <semaphore.h>
#include <stdlib.h>
#include <time.h>

#include "worker/internal.h"

#define FENCE_LIMIT_S 5

static void pool_free(struct workers *pool)
{
	for (unsigned i = 0; i < pool->count; i++)
		worker_clear(&pool->workers[i]);
	free(pool->workers);
	half_open_free(pool->half_open);
	uniqueness_free(pool->uniqueness);
	uniqueness_free(pool->selectors);
	trap_reqids_free(pool->trap_reqids);
	config_unref(pool->config);
	pthread_mutex_destroy(&pool->config_lock);
	secret_wipe(&pool->options.sa.qcd_secrets, sizeof(pool->options.sa.qcd_secrets));
	secret_wipe(pool->cookie_secret, sizeof(pool->cookie_secret));
	free(pool);
}

/* Secrets of this life of the daemon. */
static void pool_seed(struct workers *pool)
{
	struct crypto_ctx *c = crypto_ctx_new(pool->options.crypto);

	crypto_random(c, pool->cookie_secret, sizeof(pool->cookie_secret));
	crypto_random(c, &pool->hash, sizeof(pool->hash));
	crypto_ctx_free(c);
}

static void pool_set_limits(struct workers *pool, const struct workers_options *options)
{
	atomic_store(&pool->limits.cookie_threshold, options->cookie_threshold);
	atomic_store(&pool->limits.cookie_threshold_ip, options->cookie_threshold_ip);
	atomic_store(&pool->limits.block_threshold, options->block_threshold);
	atomic_store(&pool->limits.ikesa_limit, options->ikesa_limit);
	atomic_store(&pool->limits.initiator_only, options->initiator_only);
}

struct workers *workers_start(const struct workers_options *options, struct errtext *err)
{
	struct workers *pool = xcalloc(1, sizeof(*pool));
	bool ok = true;

	pool->options = *options;
	pool->options.config = NULL; /* it changes: pool->config */
	pool->config = config_ref(options->config);
	pthread_mutex_init(&pool->config_lock, NULL);
	pool->workers = xcalloc(options->count, sizeof(*pool->workers));
	pool->half_open = half_open_new();
	pool->uniqueness = uniqueness_new(false);
	pool->selectors = uniqueness_new(true);
	pool->trap_reqids = trap_reqids_new();
	pool_seed(pool);
	pool_set_limits(pool, options);
	pool->count = options->count;
	for (unsigned i = 0; ok && i < options->count; i++)
		ok = worker_init(&pool->workers[i], pool, i, err);
	for (unsigned i = 0; ok && i < options->count; i++)
		ok = worker_run(&pool->workers[i], err);
	if (ok && net_tcp(options->net)) {
		struct tcp_user user = streams_user(pool);

		ok = tcp_start(net_tcp(options->net), &user, err);
	}
	if (ok)
		return pool;
	workers_stop(pool, 0);
	return NULL;
}

/* ---- the end ---- */

/* The backend may still have answers for boxes of workers: they are waited for. */
struct pool_fence {
	sem_t passed;
};

static void pool_fence_passed(void *arg, uint64_t token, enum kernel_status status, const struct errtext *err)
{
	sem_post(&((struct pool_fence *)arg)->passed);
}

/* False: it hangs; then what it knows stays until the process ends. */
static bool pool_fence(const struct workers *pool)
{
	struct pool_fence *f;
	struct timespec until;
	int e;

	if (!pool->options.kernel_ops || !pool->options.kernel_ops->fence)
		return true;
	f = xcalloc(1, sizeof(*f));
	sem_init(&f->passed, 0, 0);
	pool->options.kernel_ops->fence(pool->options.kernel, (struct kernel_done){ pool_fence_passed, f, 0 });
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += FENCE_LIMIT_S;
	do
		e = sem_timedwait(&f->passed, &until);
	while (e < 0 && errno == EINTR);
	if (e < 0)
		return false;
	sem_destroy(&f->passed);
	free(f);
	return true;
}

static void stop_post(struct worker *w, unsigned limit_ms)
{
	struct stop_mail *m = xcalloc(1, sizeof(*m));

	m->mail.kind = WORKER_MAIL_STOP;
	m->mail.drop = mail_free;
	m->limit_ms = limit_ms;
	mailbox_post(w->box, &m->mail);
}

void workers_stop(struct workers *pool, unsigned limit_ms)
{
	if (!pool)
		return;
	for (unsigned i = 0; i < pool->count; i++)
		if (pool->workers[i].running)
			stop_post(&pool->workers[i], limit_ms);
	for (unsigned i = 0; i < pool->count; i++)
		if (pool->workers[i].running)
			pthread_join(pool->workers[i].thread, NULL);
	/* behind the workers, whose last messages it sends, and before their boxes are gone */
	tcp_stop(net_tcp(pool->options.net));
	if (pool_fence(pool))
		pool_free(pool);
}

unsigned workers_count(const struct workers *pool)
{
	return pool->count;
}

void kernel_event_post(struct worker *w, const struct kernel_event *ev)
{
	struct kernel_event_mail *m = xcalloc(1, sizeof(*m));

	m->mail.kind = WORKER_MAIL_KERNEL_EVENT;
	m->mail.drop = mail_free;
	m->ev = *ev;
	mailbox_post(w->box, &m->mail);
}

void workers_kernel_event(void *workers, const struct kernel_event *ev)
{
	struct workers *pool = workers;

	/* one of them is to act, to which it goes on from there; traps are the first one's */
	if (ev->kind == KERNEL_EVENT_INVALID_SPI || ev->kind == KERNEL_EVENT_ACQUIRE) {
		kernel_event_post(&pool->workers[0], ev);
		return;
	}
	for (unsigned i = 0; i < pool->count; i++)
		kernel_event_post(&pool->workers[i], ev);
}

struct config *pool_config(struct workers *pool)
{
	struct config *config;

	pthread_mutex_lock(&pool->config_lock);
	config = config_ref(pool->config);
	pthread_mutex_unlock(&pool->config_lock);
	return config;
}

/* One mail at a time: who is behind takes the latest and skips those between. */
static void config_post(struct worker *w)
{
	struct mail *m;

	if (atomic_exchange(&w->config_posted, true))
		return;
	m = xcalloc(1, sizeof(*m));
	m->kind = WORKER_MAIL_CONFIG;
	m->drop = mail_free;
	mailbox_post(w->box, m);
}

void workers_set_config(struct workers *pool, struct config *config)
{
	struct config *old;

	pthread_mutex_lock(&pool->config_lock);
	old = pool->config;
	pool->config = config_ref(config);
	pthread_mutex_unlock(&pool->config_lock);
	config_unref(old);
	for (unsigned i = 0; i < pool->count; i++)
		config_post(&pool->workers[i]);
}

static void options_drop(struct mail *m)
{
	struct options_mail *o = container_of(m, struct options_mail, mail);

	secret_wipe(&o->options.qcd_secrets, sizeof(o->options.qcd_secrets));
	free(o);
}

void workers_set_options(struct workers *pool, const struct workers_options *options)
{
	pool_set_limits(pool, options);
	for (unsigned i = 0; i < pool->count; i++) {
		struct options_mail *m = xcalloc(1, sizeof(*m));

		m->mail.kind = WORKER_MAIL_OPTIONS;
		m->mail.drop = options_drop;
		m->options = options->sa;
		mailbox_post(pool->workers[i].box, &m->mail);
	}
}

void workers_want_events(struct workers *pool, unsigned mask)
{
	atomic_store(&pool->events, mask);
}
