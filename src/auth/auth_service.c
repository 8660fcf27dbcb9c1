/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth_inside.h"

#include <errno.h>
#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "loop/thread.h"
#include "util/log.h"

#define AUTH_SLOW_THREADS 4 /* tokens, the process that signs */

void auth_service_ref(struct auth_service *s)
{
	atomic_fetch_add(&s->refs, 1);
}

void auth_service_unref(struct auth_service *s)
{
	if (atomic_fetch_sub(&s->refs, 1) > 1)
		return;
	hashtab_clear(&s->wait_index);
	revocation_cache_free(s->cache);
	cert_cache_free(s->certs);
	mailbox_free(s->box);
	loop_free(s->loop);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->crl_lock);
	free(s);
}

/* ---- jobs ---- */

static void job_free(struct auth_job *job)
{
	struct auth_service *s = job->s;

	for (size_t i = 0; i < job->n_certs; i++)
		cert_unref(job->certs[i]);
	if (job->raw)
		public_key_unref(job->raw);
	for (size_t i = 0; i < job->n_acerts; i++)
		acert_unref(job->acerts[i]);
	acert_grants_clear(job->grants, job->n_grants);
	if (job->chain)
		trust_chain_unref(job->chain);
	if (job->proof_key)
		public_key_unref(job->proof_key);
	auth_verify_chain_end(job);
	free(job);
	atomic_fetch_sub(&s->jobs, 1);
	auth_service_unref(s);
}

void auth_job_drop(struct auth_job *job)
{
	struct auth_request *r = job->r;

	job_free(job);
	if (r->mail.drop)
		r->mail.drop(&r->mail);
}

static struct auth_job *job_of(struct mail *m)
{
	return container_of(m, struct auth_job, helper.mail);
}

static void job_mail_drop(struct mail *m)
{
	auth_job_drop(job_of(m));
}

enum auth_next auth_job_fail(struct auth_job *job, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(job->r->why.s, sizeof(job->r->why.s), fmt, ap);
	va_end(ap);
	job->r->ok = false;
	return AUTH_NEXT_DONE;
}

/* The answer goes to who asked, whose box exists as long as the service is not closed. */
static void job_answer(struct auth_job *job)
{
	struct auth_service *s = job->s;
	struct auth_request *r = job->r;

	pthread_mutex_lock(&s->lock);
	if (s->closed) {
		pthread_mutex_unlock(&s->lock);
		auth_job_drop(job);
		return;
	}
	mailbox_post(r->reply_to, &r->mail);
	pthread_mutex_unlock(&s->lock);
	job_free(job);
}

static enum auth_next job_run(struct auth_job *job, enum auth_place place)
{
	job->place = place;
	if (clock_monotonic_ms() >= job->r->deadline_ms)
		return auth_job_fail(job, "it took too long");
	return job->r->work == AUTH_SIGN ? auth_sign_run(job) : auth_verify_run(job);
}

static void job_compute(struct helper_job *h)
{
	struct auth_job *job = container_of(h, struct auth_job, helper);

	job->next = job_run(job, AUTH_AT_HELPER);
}

static void job_submit(struct auth_job *job, struct helper_pool *pool)
{
	job->helper.mail = (struct mail){ .kind = AUTH_MAIL_JOB, .drop = job_mail_drop };
	job->helper.compute = job_compute;
	job->helper.reply_to = job->s->box;
	job->helper.deadline_ms = job->r->deadline_ms;
	if (helper_submit(pool, &job->helper))
		return;
	(void)auth_job_fail(job, "too many authentications wait for their computation");
	job_answer(job);
}

static void job_send_on(struct auth_job *job)
{
	switch (job->next) {
	case AUTH_NEXT_DONE:
		job_answer(job);
		return;
	case AUTH_NEXT_COMPUTE:
		job_submit(job, job->s->cpu);
		return;
	case AUTH_NEXT_SLOW:
		job_submit(job, job->s->slow);
		return;
	case AUTH_NEXT_WAIT:
		if (job->place == AUTH_AT_SERVICE) {
			auth_wait_for(job);
			return;
		}
		job->helper.mail = (struct mail){ .kind = AUTH_MAIL_WAIT, .drop = job_mail_drop };
		mailbox_post(job->s->box, &job->helper.mail);
		return;
	}
}

void auth_job_go(struct auth_job *job, enum auth_place place)
{
	job->next = job_run(job, place);
	job_send_on(job);
}

bool auth_submit(struct auth_service *s, struct auth_request *r)
{
	struct auth_job *job;
	bool closed;

	if (atomic_fetch_add(&s->jobs, 1) >= AUTH_JOBS_MAX) {
		atomic_fetch_sub(&s->jobs, 1);
		return false;
	}
	job = xcalloc(1, sizeof(*job));
	auth_service_ref(s);
	job->s = s;
	job->r = r;
	list_init(&job->waiters);
	pthread_mutex_lock(&s->lock);
	job->o = s->options;
	closed = s->closed;
	pthread_mutex_unlock(&s->lock);
	job->now = job->o.now ? job->o.now() : (int64_t)time(NULL);
	job->want_deadline_ms = r->deadline_ms > AUTH_MARGIN_MS ? r->deadline_ms - AUTH_MARGIN_MS : 0;
	job->cert_deadline_ms = (clock_monotonic_ms() + job->want_deadline_ms) / 2;
	if (closed) {
		job_free(job);
		return false;
	}
	r->ok = false;
	r->why = r->how = (struct errtext){ "" };
	r->notice = NULL;
	r->chain = r->group_chain = NULL;
	auth_job_go(job, AUTH_AT_ASKER);
	return true;
}

/* ---- the thread ---- */

static void service_job_back(struct auth_job *job)
{
	job->place = AUTH_AT_SERVICE;
	if (job->helper.late)
		job->next = auth_job_fail(job, "it took too long: it waited for its computation");
	job_send_on(job);
}

static void service_mail(struct auth_service *s, struct mail *m)
{
	switch ((enum auth_mail)m->kind) {
	case AUTH_MAIL_JOB:
		service_job_back(job_of(m));
		return;
	case AUTH_MAIL_WAIT:
		auth_wait_for(job_of(m));
		return;
	case AUTH_MAIL_FETCHED:
	case AUTH_MAIL_JUDGED:
		auth_wait_mail(s, m);
		return;
	case AUTH_MAIL_STOP:
		free(m);
		loop_stop(s->loop);
		return;
	}
}

static void service_box(void *arg, uint32_t events)
{
	struct auth_service *s = arg;
	struct mail *m = mailbox_take(s->box), *next;

	(void)events;
	for (; m; m = next) {
		next = m->next;
		service_mail(s, m);
	}
}

static void *service_main(void *arg)
{
	struct auth_service *s = arg;

	loop_run(s->loop);
	auth_wait_close(s);
	return NULL;
}

static void service_take_options(struct auth_service *s, const struct auth_options *o)
{
	pthread_mutex_lock(&s->lock);
	s->options = *o;
	if (!s->options.fetch_timeout)
		s->options.fetch_timeout = 10;
	if (!s->options.fetch_failed_ttl)
		s->options.fetch_failed_ttl = 60;
	if (s->options.ocsp_nonce_len > OCSP_NONCE_MAX)
		s->options.ocsp_nonce_len = OCSP_NONCE_MAX;
	pthread_mutex_unlock(&s->lock);
}

struct auth_service *auth_service_new(const struct auth_options *options, struct errtext *err)
{
	struct auth_service *s = xcalloc(1, sizeof(*s));
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned threads = options->threads ? options->threads : cpus > 0 ? (unsigned)cpus : 1;

	atomic_init(&s->refs, 1);
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->crl_lock, NULL);
	list_init(&s->waits);
	service_take_options(s, options);
	s->cache = revocation_cache_new();
	s->certs = cert_cache_new();
	s->box = mailbox_new();
	s->loop = loop_new();
	if (s->cache && s->certs && s->box && s->loop && RAND_bytes((unsigned char *)&s->hash, sizeof(s->hash)) == 1)
		s->box_fd = loop_add(s->loop, mailbox_fd(s->box), EPOLLIN, service_box, s);
	s->cpu = helper_pool_new(threads, AUTH_JOBS_MAX);
	s->slow = helper_pool_new(AUTH_SLOW_THREADS, AUTH_JOBS_MAX);
	s->slow_quiet = true;
	if (s->box_fd)
		errno = thread_start(&s->thread, "auth", service_main, s);
	s->running = s->box_fd && errno == 0;
	if (s->running)
		return s;
	errtext_set(err, "the service of authentication cannot be started: %m");
	auth_service_free(s);
	return NULL;
}

void auth_service_set_options(struct auth_service *s, const struct auth_options *options)
{
	struct auth_options o = *options;

	o.fetchers = s->options.fetchers; /* fixed */
	service_take_options(s, &o);
}

/* Nobody reads the box any more. */
static void service_drain(struct auth_service *s)
{
	struct mail *m, *next;

	if (!s->box)
		return;
	mailbox_close(s->box);
	for (m = mailbox_take(s->box); m; m = next) {
		next = m->next;
		if (m->drop)
			m->drop(m);
	}
}

void auth_service_close(struct auth_service *s)
{
	if (!s || !s->running)
		return;
	s->running = false;
	auth_service_on_crl(s, NULL, NULL);
	pthread_mutex_lock(&s->lock);
	s->closed = true;
	pthread_mutex_unlock(&s->lock);
	/* first the thread, which lets go of what helpers have: they drop it, and it would still be in the thread's lists */
	thread_stop(s->thread, s->box, AUTH_MAIL_STOP);
	(void)helper_pool_close(s->cpu);
	s->slow_quiet = helper_pool_close(s->slow);
	service_drain(s);
}

void auth_service_free(struct auth_service *s)
{
	if (!s)
		return;
	auth_service_close(s);
	helper_pool_free(s->cpu);
	if (s->slow_quiet) /* a token that hangs ends with the process */
		helper_pool_free(s->slow);
	service_drain(s);
	auth_service_unref(s);
}

/* ---- what others see of the cache ---- */

void auth_service_each_crl(struct auth_service *s, void (*fn)(void *arg, const struct crl *crl), void *arg)
{
	revocation_cache_each_crl(s->cache, fn, arg);
}

void auth_service_each_cert(struct auth_service *s, void (*fn)(void *arg, const struct cert *cert), void *arg)
{
	revocation_cache_each_cert(s->cache, fn, arg);
}

void auth_service_each_ocsp(struct auth_service *s, void (*fn)(void *arg, struct bytes der), void *arg)
{
	revocation_cache_each_ocsp(s->cache, fn, arg);
}

_Static_assert((int)AUTH_CACHED_CERTS == REVOCATION_FLUSH_CERTS && (int)AUTH_CACHED_CRLS == REVOCATION_FLUSH_CRLS &&
		       (int)AUTH_CACHED_OCSP == REVOCATION_FLUSH_OCSP,
	       "the same bits");

void auth_service_flush(struct auth_service *s, unsigned what)
{
	revocation_cache_flush(s->cache, what);
	if (what & AUTH_CACHED_CERTS)
		cert_cache_clear(s->certs);
	atomic_fetch_add(&s->generation, 1); /* failures are forgotten, too */
}

void auth_service_on_crl(struct auth_service *s, void (*fn)(void *arg, const struct crl *crl), void *arg)
{
	pthread_mutex_lock(&s->crl_lock);
	s->on_crl = fn;
	s->on_crl_arg = arg;
	pthread_mutex_unlock(&s->crl_lock);
}

void auth_service_new_crl(struct auth_service *s, const struct crl *crl)
{
	pthread_mutex_lock(&s->crl_lock);
	if (s->on_crl)
		s->on_crl(s->on_crl_arg, crl);
	pthread_mutex_unlock(&s->crl_lock);
}

void auth_request_clear(struct auth_request *r)
{
	if (r->conn)
		conn_unref(r->conn);
	for (size_t i = 0; i < r->n_others; i++)
		conn_unref(r->others[i].conn);
	r->n_others = 0;
	if (r->config)
		config_unref(r->config);
	if (r->chain)
		trust_chain_unref(r->chain);
	trust_chain_unref(r->group_chain);
	r->conn = NULL;
	r->config = NULL;
	r->chain = r->group_chain = NULL;
	arena_free(&r->arena);
}
