/* SPDX-License-Identifier: Apache-2.0 */
#include "auth_lab.h"

#include <openssl/evp.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "loop/loop.h"
#include "util/mem.h"

/* ---- the fetcher ---- */

#define PENDING_MAX 64

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	unsigned begun;
	struct fetch *pending[PENDING_MAX];
	struct {
		const char *url;
		struct bytes data;
		const char *why;
	} served[PENDING_MAX];
	size_t n_served;
	struct buf post;
	struct public_key *key;
	const char *key_why;
} web = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static bool web_start(void *arg, struct fetch *f, struct errtext *err)
{
	(void)arg;
	pthread_mutex_lock(&web.lock);
	web.begun++;
	buf_reset(&web.post);
	buf_add_bytes(&web.post, f->post);
	for (size_t i = 0; i < web.n_served; i++) {
		if (strcmp(web.served[i].url, f->url) != 0)
			continue;
		pthread_mutex_unlock(&web.lock);
		if (web.served[i].data.n > f->max)
			f->done(f, false, BYTES_NONE, "too long");
		else
			f->done(f, !web.served[i].why, web.served[i].data, web.served[i].why);
		return true;
	}
	for (size_t i = 0; i < PENDING_MAX; i++) {
		if (web.pending[i])
			continue;
		web.pending[i] = f;
		pthread_cond_broadcast(&web.changed);
		pthread_mutex_unlock(&web.lock);
		return true;
	}
	pthread_mutex_unlock(&web.lock);
	errtext_set(err, "too many");
	return false;
}

static bool web_keys(void *arg, struct key_query *q, struct errtext *err)
{
	(void)arg;
	(void)err;
	q->done(q, web.key ? 1 : 0, &web.key, web.key_why);
	return true;
}

static const char *const schemes[] = { "http", "https", "file", NULL };
static const struct fetcher web_fetcher = { .name = "web", .schemes = schemes, .start = web_start };
static const struct key_source web_source = { .name = "dns", .start = web_keys };

static struct fetch *web_find(const char *url, bool take)
{
	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct fetch *f = web.pending[i];

		if (!f || strcmp(f->url, url) != 0)
			continue;
		if (take)
			web.pending[i] = NULL;
		return f;
	}
	return NULL;
}

unsigned lab_fetches(void)
{
	unsigned n;

	pthread_mutex_lock(&web.lock);
	n = web.begun;
	pthread_mutex_unlock(&web.lock);
	return n;
}

bool lab_is_pending(const char *url)
{
	bool is;

	pthread_mutex_lock(&web.lock);
	is = web_find(url, false) != NULL;
	pthread_mutex_unlock(&web.lock);
	return is;
}

void lab_await(const char *url)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += LAB_PATIENCE_MS / 1000;
	pthread_mutex_lock(&web.lock);
	while (!web_find(url, false))
		ck_assert_msg(pthread_cond_timedwait(&web.changed, &web.lock, &until) == 0, "%s is not fetched", url);
	pthread_mutex_unlock(&web.lock);
}

void lab_answer_fetch(const char *url, struct bytes data, const char *why)
{
	struct fetch *f;

	lab_await(url);
	pthread_mutex_lock(&web.lock);
	f = web_find(url, true);
	pthread_mutex_unlock(&web.lock);
	f->done(f, !why, data, why);
}

void lab_serve(const char *url, struct bytes data, const char *why)
{
	pthread_mutex_lock(&web.lock);
	web.served[web.n_served].url = url;
	web.served[web.n_served].data = data;
	web.served[web.n_served++].why = why;
	pthread_mutex_unlock(&web.lock);
}

struct buf lab_last_post(void)
{
	struct buf post = { 0 };

	pthread_mutex_lock(&web.lock);
	buf_add_bytes(&post, buf_bytes(&web.post));
	pthread_mutex_unlock(&web.lock);
	return post;
}

void lab_serve_keys(struct public_key *key, const char *why)
{
	web.key = key;
	web.key_why = why;
}

/* ---- the lab ---- */

static int64_t lab_now(void)
{
	return PKI_NOW;
}

void auth_lab_restart(struct auth_lab *l)
{
	struct errtext err;

	auth_service_free(l->s);
	l->s = auth_service_new(&l->o, &err);
	ck_assert_msg(l->s, "%s", err.s);
}

void auth_lab_init(struct auth_lab *l)
{
	*l = (struct auth_lab){ .local = { .auth = CONN_AUTH_PUBKEY, .auth_text = "pubkey" },
				.remote = { .auth = CONN_AUTH_PUBKEY, .auth_text = "pubkey" } };
	l->fetchers = fetch_registry_new();
	fetch_add_fetcher(l->fetchers, &web_fetcher);
	l->o = (struct auth_options){ .threads = 2, .fetchers = l->fetchers, .enforce_critical = true, .now = lab_now };
	l->box = mailbox_new();
	l->store = config_store_new();
	l->creds = config_store_creds(l->store);
	atomic_init(&l->conn.refs, 1);
	l->conn.send_cert = SEND_CERT_ALWAYS;
	l->conn.n_local_rounds = l->conn.n_remote_rounds = 1;
	l->conn.local_rounds = &l->local;
	l->conn.remote_rounds = &l->remote;
	l->root = pki_ca(NULL, "CN=root");
	l->ca = pki_ca(l->root, "CN=CA");
	ck_assert(creds_set_add_cert(l->creds, cert_ref(l->root->cert), CERT_FLAG_CA));
	auth_lab_restart(l);
}

void auth_lab_clear(struct auth_lab *l)
{
	auth_service_free(l->s);
	for (size_t i = 0; i < PENDING_MAX; i++) {
		struct fetch *f = web.pending[i];

		web.pending[i] = NULL;
		if (f) /* the fetcher ends after the service */
			f->done(f, false, BYTES_NONE, "the end");
	}
	web.n_served = 0;
	web.begun = 0;
	web.key = NULL;
	buf_free(&web.post);
	mailbox_free(l->box);
	config_store_free(l->store);
	fetch_registry_free(l->fetchers);
	pki_cert_free(l->ca);
	pki_cert_free(l->root);
}

static struct private_key *key_of(EVP_PKEY *key)
{
	unsigned char *der = NULL;
	int n = i2d_PrivateKey(key, &der);
	struct errtext err;
	struct private_key *k = private_key_parse(bytes_of(der, (size_t)n), KEY_ANY, &err);

	ck_assert_msg(k, "%s", err.s);
	OPENSSL_free(der);
	return k;
}

void auth_lab_own(struct auth_lab *l, const struct pki_cert *c)
{
	(void)creds_set_add_cert(l->creds, cert_ref(c->cert), CERT_FLAG_NONE);
	(void)creds_set_add_key(l->creds, key_of(c->key));
}

void auth_lab_with_dns(struct auth_lab *l)
{
	fetch_add_key_source(l->fetchers, &web_source);
}

/* ---- requests ---- */

static void request_drop(struct mail *m)
{
	struct auth_request *r = container_of(m, struct auth_request, mail);

	auth_lab_free(r);
}

void auth_lab_free(struct auth_request *r)
{
	auth_request_clear(r);
	free(r);
}

static struct auth_request *request_new(struct auth_lab *l, enum auth_work work, const struct conn_round *round, const char *id)
{
	struct auth_request *r = xcalloc(1, sizeof(*r));
	struct id parsed;

	r->mail.drop = request_drop;
	r->reply_to = l->box;
	r->work = work;
	r->deadline_ms = clock_monotonic_ms() + LAB_PATIENCE_MS;
	r->conn = conn_ref(&l->conn);
	r->round = round;
	ck_assert(id_parse(bytes_str(id), &parsed));
	r->id = (struct id){ parsed.type, bytes_of(arena_dup(&r->arena, parsed.data.p, parsed.data.n), parsed.data.n) };
	id_free(&parsed);
	r->n_octets = 1;
	r->octets[0] = bytes_str("what is signed");
	return r;
}

struct auth_request *auth_lab_sign(struct auth_lab *l, const char *id)
{
	struct auth_request *r = request_new(l, AUTH_SIGN, &l->local, id);

	r->peer_hashes = SIG_HASHES;
	return r;
}

void auth_lab_add_cert(struct auth_request *r, uint8_t encoding, struct bytes data)
{
	struct auth_cert *list = arena_array(&r->arena, struct auth_cert, r->n_certs + 1);

	if (r->n_certs)
		memcpy(list, r->certs, r->n_certs * sizeof(*list));
	list[r->n_certs].encoding = encoding;
	list[r->n_certs++].data = bytes_of(arena_dup(&r->arena, data.p, data.n), data.n);
	r->certs = list;
}

void auth_lab_set_auth(struct auth_request *r, EVP_PKEY *key, const char *octets)
{
	struct private_key *k = key_of(key);
	struct bytes part = bytes_str(octets);
	struct buf signature = { 0 }, auth = { 0 };
	struct sig_scheme scheme;
	struct errtext err;

	ck_assert(sig_scheme_choose(k->public, SIG_HASHES, 0, false, &scheme, &r->method));
	ck_assert_msg(private_key_sign(k, &scheme, &part, 1, &signature, &err), "%s", err.s);
	ck_assert(result_is_ok(auth_signature_write(r->method, &scheme, k->public, buf_bytes(&signature), &auth)));
	r->auth = bytes_of(arena_dup(&r->arena, auth.p, auth.n), auth.n);
	buf_free(&signature);
	buf_free(&auth);
	private_key_unref(k);
}

struct auth_request *auth_lab_verify(struct auth_lab *l, const char *id, const struct pki_cert *cert, const struct pki_cert *ca)
{
	struct auth_request *r = request_new(l, AUTH_VERIFY, &l->remote, id);

	auth_lab_set_auth(r, cert->key, "what is signed");
	auth_lab_add_cert(r, CERT_X509_SIGNATURE, cert->cert->der);
	if (ca)
		auth_lab_add_cert(r, CERT_X509_SIGNATURE, ca->cert->der);
	return r;
}

void auth_lab_send(struct auth_lab *l, struct auth_request *r)
{
	if (!r->config)
		r->config = config_store_snapshot(l->store);
	ck_assert(auth_submit(l->s, r));
}

struct auth_request *auth_lab_answer(struct auth_lab *l)
{
	static struct mail *left; /* of what was taken at once */
	struct pollfd fd = { mailbox_fd(l->box), POLLIN, 0 };
	struct mail *m;

	while (!left) {
		ck_assert_msg(poll(&fd, 1, LAB_PATIENCE_MS) == 1, "there is no answer");
		left = mailbox_take(l->box);
	}
	m = left;
	left = m->next;
	return container_of(m, struct auth_request, mail);
}

void auth_lab_do(struct auth_lab *l, struct auth_request *r)
{
	auth_lab_send(l, r);
	ck_assert(auth_lab_answer(l) == r);
}

void auth_lab_expect(struct auth_lab *l, struct auth_request *r, const char *why)
{
	auth_lab_do(l, r);
	ck_assert_msg(r->ok == !why, "%s", r->why.s);
	if (why)
		ck_assert_msg(strstr(r->why.s, why), "'%s', not '%s'", r->why.s, why);
	auth_lab_free(r);
}
