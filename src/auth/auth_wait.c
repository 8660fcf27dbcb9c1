/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth_inside.h"

#include <openssl/rand.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>

#include "auth/auth_store.h"
#include "auth/cert_url.h"
#include "util/log.h"

/* Sizes of answers that are taken. */
#define WAIT_MAX_CRL (32u << 20)
#define WAIT_MAX_OCSP 65536

/*
 * Something from outside that jobs wait for, by all that makes it what it is. It is asked for once; a failure is remembered for a
 * while, and so is that a CRL came: what it says is in the cache. All but what is said belongs to the service's thread; while it is
 * being fetched or judged, it is the fetcher's or the helper's, which touch only `came`.
 */
enum wait_state {
	WAIT_FETCHED,
	WAIT_JUDGED,
	WAIT_FAILED,
	WAIT_DONE, /* a CRL: what it does not say it would not say if it was fetched again */
};

struct auth_wait {
	struct helper_job helper; /* first */
	struct list link;         /* of the service's waits; not in it: nobody is interested any more */
	struct hashnode node;
	struct auth_service *s;   /* a reference */
	struct buf key;
	struct list waiters; /* struct auth_waiter */
	enum wait_state state;
	uint64_t until_ms; /* FAILED, DONE: remembered */
	unsigned generation; /* of the cache when it was asked for */
	struct errtext why;

	enum auth_want_kind kind;
	bool bundle;
	char *url;
	struct cert *cert, *issuer;
	struct credentials *creds;
	struct auth_options o;
	int64_t now;
	uint8_t hash[CERT_URL_HASH], nonce[OCSP_NONCE_MAX];
	struct id id;
	struct fetch fetch;
	struct key_query query;
	struct buf post;
	struct { /* what the fetcher brought, then what it is */
		bool ok;
		struct errtext why;
		struct buf data;
		struct auth_got got;
	} came;
};

static void wait_free(struct auth_wait *w)
{
	struct auth_service *s = w->s;

	buf_free(&w->key);
	buf_free(&w->post);
	buf_free(&w->came.data);
	auth_got_clear(&w->came.got);
	free(w->url);
	if (w->cert)
		cert_unref(w->cert);
	if (w->issuer)
		cert_unref(w->issuer);
	if (w->creds)
		credentials_unref(w->creds);
	id_free(&w->id);
	free(w);
	auth_service_unref(s);
}

static void wait_mail_drop(struct mail *m)
{
	wait_free(container_of(m, struct auth_wait, helper.mail));
}

static void wait_key(const struct auth_want *want, struct buf *ret)
{
	buf_add_u8(ret, (uint8_t)want->kind);
	buf_add_u8(ret, want->bundle);
	if (want->id)
		(void)id_hash_bytes(want->id, ret);
	if (want->url) {
		buf_add_u32(ret, (uint32_t)strlen(want->url));
		buf_add_str(ret, want->url);
	}
	buf_add_bytes(ret, want->hash);
	if (want->issuer)
		buf_add(ret, want->issuer->key->spki_id, KEY_ID_LEN);
	if (want->kind == AUTH_WANT_OCSP)
		buf_add_bytes(ret, want->cert->serial);
}

/* For a peer that may be anybody; what is to be known of revocation is asked for the others. */
static bool want_is_unproven(enum auth_want_kind kind)
{
	return kind == AUTH_WANT_CERT || kind == AUTH_WANT_KEYS;
}

static bool wait_is_over(const struct auth_wait *w)
{
	return w->state == WAIT_FAILED || w->state == WAIT_DONE;
}

static struct auth_wait *wait_find(struct auth_service *s, struct bytes key)
{
	for (struct hashnode *h = hashtab_first(&s->wait_index, hash_bytes(&s->hash, key)); h; h = hashtab_next(h)) {
		struct auth_wait *w = container_of(h, struct auth_wait, node);

		if (bytes_equal(buf_bytes(&w->key), key))
			return w;
	}
	return NULL;
}

static void wait_forget(struct auth_service *s, struct auth_wait *w)
{
	s->n_waits--;
	list_del(&w->link);
	hashtab_remove(&s->wait_index, &w->node);
}

/* ---- the end ---- */

static void wait_copy_got(const struct auth_wait *w, struct auth_got *got)
{
	auth_got_clear(got);
	got->ok = w->state != WAIT_FAILED;
	got->why = w->why;
	for (size_t i = 0; i < w->came.got.n_certs; i++)
		got->certs[got->n_certs++] = cert_ref(w->came.got.certs[i]);
	for (size_t i = 0; i < w->came.got.n_keys; i++)
		got->keys[got->n_keys++] = public_key_ref(w->came.got.keys[i]);
}

/* The job leaves what it waited for, and goes on. */
static void wait_resume(struct auth_waiter *waiter)
{
	list_del(&waiter->of_wait);
	auth_job_go(waiter->job, AUTH_AT_SERVICE);
}

static void wait_done(struct auth_waiter *waiter)
{
	timer_stop(loop_wheel(waiter->job->s->loop), &waiter->timer);
	waiter->wait = NULL;
	waiter->state = AUTH_WAITER_DONE;
}

static void wait_resume_all(struct auth_wait *w)
{
	struct list waiters;

	/* those who ask again for the same must not be met here; a job that goes on takes all of its own that are done */
	list_init(&waiters);
	LIST_FOREACH_SAFE(it, &w->waiters) {
		struct auth_waiter *waiter = list_entry(it, struct auth_waiter, of_wait);

		list_del(it);
		list_add_tail(&waiters, it);
		wait_copy_got(w, &waiter->got);
		wait_done(waiter);
	}
	while (!list_empty(&waiters))
		wait_resume(list_entry(waiters.next, struct auth_waiter, of_wait));
}

static void wait_is_fetched(struct auth_wait *w)
{
	w->s->n_unproven_waits -= want_is_unproven(w->kind);
}

static void wait_failed(struct auth_wait *w, const char *why)
{
	w->state = WAIT_FAILED;
	errtext_set(&w->why, "%s%s%s%s", w->url ? "'" : "", w->url ? w->url : "", w->url ? "': " : "", why);
	w->until_ms = clock_monotonic_ms() + (uint64_t)w->o.fetch_failed_ttl * 1000;
	/* what a peer that has proven nothing makes us try is no news */
	LOG(CFG, want_is_unproven(w->kind) ? LOG_LEVEL_DETAIL : LOG_LEVEL_CONTROL, "fetching %s%s: it counts as failed for %u s",
	    w->url ? "" : "keys: ", w->why.s, w->o.fetch_failed_ttl);
	buf_free(&w->came.data);
	wait_is_fetched(w);
	wait_resume_all(w);
}

static void wait_succeeded(struct auth_wait *w)
{
	wait_is_fetched(w);
	if (w->kind == AUTH_WANT_CRL) {
		w->state = WAIT_DONE;
		w->until_ms = clock_monotonic_ms() + (uint64_t)w->o.fetch_failed_ttl * 1000;
		buf_free(&w->came.data);
		wait_resume_all(w);
		return;
	}
	wait_forget(w->s, w);
	wait_resume_all(w);
	wait_free(w);
}

/* ---- what came ---- */

static bool wait_judge_crl(struct auth_wait *w, struct errtext *err)
{
	struct crl *crl = crl_parse(buf_bytes(&w->came.data), err);
	bool ok = crl && crl_check(crl, w->issuer, err);

	if (ok && crl->next_update && crl->next_update < w->now - w->o.clock_skew)
		LOG(CFG, LOG_LEVEL_CONTROL, "the CRL from '%s' is out of date", w->url);
	if (ok && revocation_cache_put_crl(w->s->cache, crl, w->issuer, false)) {
		LOG(CFG, LOG_LEVEL_DETAIL, "CRL of '%s' fetched from '%s'", id_text(&crl->issuer).s, w->url);
		if (w->o.crl_dir)
			auth_store_crl(w->o.crl_dir, crl, w->issuer);
		auth_service_new_crl(w->s, crl);
	}
	if (crl)
		crl_unref(crl);
	return ok;
}

static bool wait_judge_ocsp(struct auth_wait *w, struct errtext *err)
{
	struct ocsp_check check = { .cert = w->cert, .issuer = w->issuer, .creds = w->creds, .cache = w->s->cache,
				    .nonce = bytes_of(w->nonce, w->o.ocsp_nonce_len), .now = w->now, .skew = w->o.clock_skew };
	struct ocsp_answer answer;

	if (!ocsp_response_check(&check, buf_bytes(&w->came.data), &answer, err))
		return false;
	revocation_cache_put_ocsp(w->s->cache, w->cert, w->issuer, &answer, buf_bytes(&w->came.data));
	return true;
}

static bool wait_judge_cert(struct auth_wait *w, struct errtext *err)
{
	struct auth_got *got = &w->came.got;

	got->n_certs = cert_url_read(buf_bytes(&w->came.data), bytes_of(w->hash, sizeof(w->hash)), w->bundle, AUTH_FETCHED_MAX,
				     got->certs, err);
	return got->n_certs > 0;
}

/* On a helper. */
static void wait_judge(struct helper_job *h)
{
	struct auth_wait *w = container_of(h, struct auth_wait, helper);

	switch (w->kind) {
	case AUTH_WANT_CRL:
		w->came.ok = wait_judge_crl(w, &w->came.why);
		return;
	case AUTH_WANT_OCSP:
		w->came.ok = wait_judge_ocsp(w, &w->came.why);
		return;
	case AUTH_WANT_CERT:
		w->came.ok = wait_judge_cert(w, &w->came.why);
		return;
	case AUTH_WANT_KEYS: /* nothing to judge */
		return;
	}
}

static void wait_came(struct auth_wait *w)
{
	if (!w->came.ok) {
		wait_failed(w, w->came.why.s);
		return;
	}
	if (w->kind == AUTH_WANT_KEYS) {
		wait_succeeded(w);
		return;
	}
	w->state = WAIT_JUDGED;
	w->helper.mail = (struct mail){ .kind = AUTH_MAIL_JUDGED, .drop = wait_mail_drop };
	w->helper.compute = wait_judge;
	w->helper.reply_to = w->s->box;
	w->helper.deadline_ms = 0;
	if (!helper_submit(w->s->cpu, &w->helper))
		wait_failed(w, "too much waits for its computation");
}

void auth_wait_mail(struct auth_service *s, struct mail *m)
{
	struct auth_wait *w = container_of(m, struct auth_wait, helper.mail);

	(void)s;
	if ((enum auth_mail)m->kind == AUTH_MAIL_FETCHED)
		wait_came(w);
	else if (w->came.ok)
		wait_succeeded(w);
	else
		wait_failed(w, w->came.why.s);
}

/* ---- asking: the callbacks may come on other threads, and before the call that asks returns ---- */

static void wait_post(struct auth_wait *w)
{
	struct auth_service *s = w->s;

	auth_service_ref(s); /* the box is there till the post is done, whatever becomes of w */
	w->helper.mail = (struct mail){ .kind = AUTH_MAIL_FETCHED, .drop = wait_mail_drop };
	mailbox_post(s->box, &w->helper.mail);
	auth_service_unref(s);
}

static void wait_fetch_done(struct fetch *f, bool ok, struct bytes data, const char *why)
{
	struct auth_wait *w = container_of(f, struct auth_wait, fetch);

	w->came.ok = ok;
	if (ok)
		buf_add_bytes(&w->came.data, data);
	else
		errtext_set(&w->came.why, "%s", why);
	wait_post(w);
}

static void wait_keys_done(struct key_query *q, size_t n, struct public_key *const *keys, const char *why)
{
	struct auth_wait *w = container_of(q, struct auth_wait, query);

	w->came.ok = n > 0;
	if (n == 0)
		errtext_set(&w->came.why, "%s", why);
	for (size_t i = 0; i < n && i < AUTH_KEYS_MAX; i++)
		w->came.got.keys[w->came.got.n_keys++] = public_key_ref(keys[i]);
	wait_post(w);
}

static bool wait_start(struct auth_wait *w, struct errtext *err)
{
	uint64_t deadline = clock_monotonic_ms() + (uint64_t)w->o.fetch_timeout * 1000;

	if (w->kind == AUTH_WANT_KEYS) {
		w->query = (struct key_query){ .id = w->id, .deadline_ms = deadline, .done = wait_keys_done };
		return fetch_keys(w->o.fetchers, &w->query, err);
	}
	w->fetch = (struct fetch){ .url = w->url, .deadline_ms = deadline, .done = wait_fetch_done,
				   .max = w->kind == AUTH_WANT_CRL ? WAIT_MAX_CRL : w->kind == AUTH_WANT_OCSP ? WAIT_MAX_OCSP : AUTH_CERT_MAX };
	if (w->kind == AUTH_WANT_OCSP) {
		if (w->o.ocsp_nonce_len && RAND_bytes(w->nonce, (int)w->o.ocsp_nonce_len) != 1) {
			errtext_set(err, "no random numbers for a nonce");
			return false;
		}
		if (!ocsp_request_write(w->cert, w->issuer, bytes_of(w->nonce, w->o.ocsp_nonce_len), &w->post)) {
			errtext_set(err, "the OCSP request cannot be made");
			return false;
		}
		w->fetch.post = buf_bytes(&w->post);
		w->fetch.content_type = "application/ocsp-request";
	}
	return fetch_start(w->o.fetchers, &w->fetch, err);
}

static struct auth_wait *wait_new(const struct auth_waiter *waiter, struct buf *key)
{
	const struct auth_want *want = &waiter->want;
	const struct auth_job *job = waiter->job;
	struct auth_service *s = job->s;
	struct auth_wait *w = xcalloc(1, sizeof(*w));

	auth_service_ref(s);
	*w = (struct auth_wait){ .s = s, .key = *key, .kind = want->kind, .bundle = want->bundle, .o = job->o,
				 .generation = atomic_load(&s->generation) };
	*key = (struct buf){ 0 };
	list_init(&w->waiters);
	w->now = job->now;
	w->url = want->url ? xstrdup(want->url) : NULL;
	w->cert = want->cert ? cert_ref(want->cert) : NULL;
	w->issuer = want->issuer ? cert_ref(want->issuer) : NULL;
	w->creds = credentials_ref(job->r->config->creds);
	w->id = want->id ? id_dup(want->id) : (struct id){ 0 };
	if (want->hash.n == sizeof(w->hash))
		memcpy(w->hash, want->hash.p, sizeof(w->hash));
	list_add_head(&s->waits, &w->link);
	hashtab_insert(&s->wait_index, &w->node, hash_bytes(&s->hash, buf_bytes(&w->key)));
	s->n_waits++;
	s->n_unproven_waits += want_is_unproven(want->kind);
	return w;
}

static void wait_timeout(struct timer *t)
{
	struct auth_waiter *waiter = container_of(t, struct auth_waiter, timer);
	const struct auth_wait *w = waiter->wait;

	auth_got_clear(&waiter->got);
	errtext_set(&waiter->got.why, "%s%s%s no answer in time", w->url ? "'" : "", w->url ? w->url : "", w->url ? "':" : "");
	wait_done(waiter);
	wait_resume(waiter);
}

/* What is over makes room. */
static bool wait_has_room(struct auth_service *s)
{
	LIST_FOREACH_SAFE(it, &s->waits) {
		struct auth_wait *w = list_entry(it, struct auth_wait, link);

		if (s->n_waits < AUTH_WAITS_MAX)
			return true;
		if (wait_is_over(w)) {
			wait_forget(s, w);
			wait_free(w);
		}
	}
	return s->n_waits < AUTH_WAITS_MAX;
}

/* At once, without waiting. */
static void wait_refuse(struct auth_waiter *waiter, bool ok, const char *why)
{
	auth_got_clear(&waiter->got);
	waiter->got.ok = ok;
	errtext_set(&waiter->got.why, "%s", why);
	waiter->state = AUTH_WAITER_DONE;
}

static struct auth_wait *wait_known(struct auth_service *s, struct bytes key)
{
	struct auth_wait *w = wait_find(s, key);

	if (w && wait_is_over(w) &&
	    (clock_monotonic_ms() >= w->until_ms || w->generation != atomic_load(&s->generation))) {
		wait_forget(s, w);
		wait_free(w);
		return NULL;
	}
	return w;
}

/* Where there is room for one more. */
static const char *wait_full(struct auth_service *s, const struct auth_want *want)
{
	bool full = want_is_unproven(want->kind) && s->n_unproven_waits >= AUTH_UNPROVEN_WAITS_MAX;

	return full || !wait_has_room(s) ? "too much is being fetched" : NULL;
}

static void wait_join(struct auth_wait *w, struct auth_waiter *waiter)
{
	waiter->wait = w;
	waiter->state = AUTH_WAITER_PENDING;
	list_add_tail(&w->waiters, &waiter->of_wait);
	timer_start(loop_wheel(w->s->loop), &waiter->timer, waiter->deadline_ms, wait_timeout);
}

/* The key is taken. NULL: it is answered; else what is to be started. */
static struct auth_wait *wait_enter(struct auth_waiter *waiter, struct buf *key)
{
	struct auth_service *s = waiter->job->s;
	struct auth_wait *w = wait_known(s, buf_bytes(key)), *fresh = NULL;
	const char *full;

	if (clock_monotonic_ms() >= waiter->deadline_ms) {
		wait_refuse(waiter, false, "no time is left for it");
	} else if (w && wait_is_over(w)) {
		wait_refuse(waiter, w->state == WAIT_DONE, w->why.s);
	} else if (!w && (full = wait_full(s, &waiter->want))) {
		wait_refuse(waiter, false, full);
	} else {
		if (!w)
			w = fresh = wait_new(waiter, key);
		wait_join(w, waiter);
	}
	buf_free(key);
	return fresh;
}

/* One that is new of the job's; NULL: there is none. */
static struct auth_waiter *wait_next_new(struct auth_job *job)
{
	LIST_FOREACH(it, &job->waiters) {
		struct auth_waiter *waiter = list_entry(it, struct auth_waiter, of_job);

		if (waiter->state == AUTH_WAITER_NEW)
			return waiter;
	}
	return NULL;
}

void auth_wait_for(struct auth_job *job)
{
	struct auth_wait *fresh[TRUST_CHAIN_MAX];
	struct auth_waiter *waiter;
	struct errtext err;
	size_t n = 0;
	bool answered = false;

	while ((waiter = wait_next_new(job))) {
		struct buf key = { 0 };

		wait_key(&waiter->want, &key);
		if (n == TRUST_CHAIN_MAX) {
			buf_free(&key);
			wait_refuse(waiter, false, "too much is asked for at once");
		} else {
			fresh[n] = wait_enter(waiter, &key);
			n += fresh[n] != NULL;
		}
		answered |= waiter->state == AUTH_WAITER_DONE;
	}
	for (size_t i = 0; i < n; i++) {
		if (wait_start(fresh[i], &err))
			continue;
		fresh[i]->came.ok = false;
		fresh[i]->came.why = err;
		wait_post(fresh[i]);
	}
	if (answered)
		auth_job_go(job, AUTH_AT_SERVICE);
}

void auth_wait_close(struct auth_service *s)
{
	LIST_FOREACH_SAFE(it, &s->waits) {
		struct auth_wait *w = list_entry(it, struct auth_wait, link);

		while (!list_empty(&w->waiters)) {
			struct auth_job *job = list_entry(w->waiters.next, struct auth_waiter, of_wait)->job;

			auth_ask_no_more(job);
			auth_job_drop(job);
		}
		wait_forget(s, w);
		if (wait_is_over(w)) /* the others are the fetcher's or a helper's, and end as mail that is dropped */
			wait_free(w);
	}
}
