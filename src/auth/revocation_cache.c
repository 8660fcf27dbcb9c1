/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <pthread.h>
#include <stdlib.h>

#include "auth/revocation_inside.h"
#include "util/hash.h"
#include "util/list.h"

/* The least recently used goes when there is more. */
#define CACHE_CRLS 1024
#define CACHE_CRL_BYTES (128u << 20)
#define CACHE_OCSP 8192
#define CACHE_CERTS 2048

struct cached_crl {
	struct list link;
	struct crl *crl;
	uint8_t issuer[KEY_ID_LEN]; /* spki_id of who signed it */
	bool loaded; /* by the operator: only that its signature was verified is kept */
};

struct cached_ocsp {
	struct list link;
	struct hashnode node;
	uint8_t issuer[KEY_ID_LEN];
	struct buf serial, der;
	struct ocsp_answer answer;
};

struct cached_cert {
	struct list link;
	struct hashnode node;
	uint8_t sha1[20];
	struct cert *cert;
};

struct revocation_cache {
	struct hash_key key;
	/* Guards what follows; nothing is called under it that takes long. */
	pthread_mutex_t lock;
	struct list crls, ocsp, certs; /* used last: first */
	size_t n_crls, crl_bytes, n_ocsp, n_certs;
	struct hashtab ocsp_index, cert_index;
};

struct revocation_cache *revocation_cache_new(void)
{
	struct revocation_cache *c = xcalloc(1, sizeof(*c));

	if (RAND_bytes((unsigned char *)&c->key, sizeof(c->key)) != 1) {
		free(c);
		return NULL;
	}
	pthread_mutex_init(&c->lock, NULL);
	list_init(&c->crls);
	list_init(&c->ocsp);
	list_init(&c->certs);
	return c;
}

static void cached_crl_free(struct revocation_cache *c, struct cached_crl *e)
{
	c->n_crls--;
	c->crl_bytes -= e->crl->der.n;
	list_del(&e->link);
	crl_unref(e->crl);
	free(e);
}

static void cached_ocsp_free(struct revocation_cache *c, struct cached_ocsp *e)
{
	c->n_ocsp--;
	list_del(&e->link);
	hashtab_remove(&c->ocsp_index, &e->node);
	buf_free(&e->serial);
	buf_free(&e->der);
	free(e);
}

static void cached_cert_free(struct revocation_cache *c, struct cached_cert *e)
{
	c->n_certs--;
	list_del(&e->link);
	hashtab_remove(&c->cert_index, &e->node);
	cert_unref(e->cert);
	free(e);
}

void revocation_cache_flush(struct revocation_cache *c, unsigned what)
{
	pthread_mutex_lock(&c->lock);
	if (what & REVOCATION_FLUSH_CRLS)
		LIST_FOREACH_SAFE(it, &c->crls)
			cached_crl_free(c, list_entry(it, struct cached_crl, link));
	if (what & REVOCATION_FLUSH_OCSP)
		LIST_FOREACH_SAFE(it, &c->ocsp)
			cached_ocsp_free(c, list_entry(it, struct cached_ocsp, link));
	if (what & REVOCATION_FLUSH_CERTS)
		LIST_FOREACH_SAFE(it, &c->certs)
			cached_cert_free(c, list_entry(it, struct cached_cert, link));
	pthread_mutex_unlock(&c->lock);
}

void revocation_cache_free(struct revocation_cache *c)
{
	if (!c)
		return;
	revocation_cache_flush(c, REVOCATION_FLUSH_CRLS | REVOCATION_FLUSH_OCSP | REVOCATION_FLUSH_CERTS);
	hashtab_clear(&c->ocsp_index);
	hashtab_clear(&c->cert_index);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

/* ---- CRLs ---- */

/* Whether both speak of the same certificates: a CA may have several CRLs. */
static bool crl_same_scope(const struct crl *a, const struct crl *b)
{
	return id_equal(&a->issuer, &b->issuer) && (a->base.n == 0) == (b->base.n == 0) && bytes_equal(a->idp, b->idp);
}

static void cache_trim_crls(struct revocation_cache *c)
{
	while (c->n_crls > CACHE_CRLS || (c->crl_bytes > CACHE_CRL_BYTES && c->n_crls > 1))
		cached_crl_free(c, list_entry(c->crls.prev, struct cached_crl, link));
}

bool revocation_cache_put_crl(struct revocation_cache *c, struct crl *crl, const struct cert *issuer, bool loaded)
{
	struct cached_crl *e;
	bool newer = true;

	pthread_mutex_lock(&c->lock);
	LIST_FOREACH_SAFE(it, &c->crls) {
		e = list_entry(it, struct cached_crl, link);
		if (loaded || e->loaded || memcmp(e->issuer, issuer->key->spki_id, KEY_ID_LEN) != 0 ||
		    !crl_same_scope(e->crl, crl))
			continue;
		/* whose key it is has been verified, whether it says so or not (authorityKeyIdentifier) */
		if (crl_is_later(crl, e->crl))
			cached_crl_free(c, e);
		else
			newer = false;
	}
	if (newer) {
		e = xcalloc(1, sizeof(*e));
		e->crl = crl_ref(crl);
		memcpy(e->issuer, issuer->key->spki_id, KEY_ID_LEN);
		e->loaded = loaded;
		list_add_head(&c->crls, &e->link);
		c->n_crls++;
		c->crl_bytes += crl->der.n;
		cache_trim_crls(c);
	}
	pthread_mutex_unlock(&c->lock);
	return newer;
}

/* With the lock held. */
static struct cached_crl *cache_find_loaded(struct revocation_cache *c, const struct crl *crl, const struct cert *issuer)
{
	LIST_FOREACH(it, &c->crls) {
		struct cached_crl *e = list_entry(it, struct cached_crl, link);

		if (e->loaded && e->crl == crl && memcmp(e->issuer, issuer->key->spki_id, KEY_ID_LEN) == 0)
			return e;
	}
	return NULL;
}

/* A loaded CRL's signature is verified once. */
static bool cache_verifies_loaded(struct revocation_cache *c, struct crl *crl, const struct cert *issuer)
{
	struct cached_crl *e;
	struct errtext ignored;

	pthread_mutex_lock(&c->lock);
	e = cache_find_loaded(c, crl, issuer);
	if (e) {
		list_del(&e->link);
		list_add_head(&c->crls, &e->link);
	}
	pthread_mutex_unlock(&c->lock);
	if (e)
		return true;
	if (!crl_check(crl, issuer, &ignored))
		return false;
	(void)revocation_cache_put_crl(c, crl, issuer, true);
	return true;
}

size_t revocation_cache_crls(struct revocation_cache *c, const struct credentials *creds, const struct cert *cert,
			     const struct cert *issuer, struct crl *ret[REVOCATION_CRLS])
{
	size_t n = 0;

	for (size_t i = 0; i < creds->n_crls && n < REVOCATION_CRLS; i++)
		if (id_equal(&creds->crls[i]->issuer, &issuer->subject) && crl_covers(creds->crls[i], cert) &&
		    cache_verifies_loaded(c, creds->crls[i], issuer))
			ret[n++] = crl_ref(creds->crls[i]);
	pthread_mutex_lock(&c->lock);
	LIST_FOREACH_SAFE(it, &c->crls) {
		struct cached_crl *e = list_entry(it, struct cached_crl, link);

		if (n == REVOCATION_CRLS)
			break;
		if (e->loaded || memcmp(e->issuer, issuer->key->spki_id, KEY_ID_LEN) != 0 ||
		    !id_equal(&e->crl->issuer, &issuer->subject) || !crl_covers(e->crl, cert))
			continue;
		ret[n++] = crl_ref(e->crl);
		list_del(&e->link);
		list_add_head(&c->crls, &e->link);
	}
	pthread_mutex_unlock(&c->lock);
	return n;
}

void revocation_cache_each_crl(struct revocation_cache *c, void (*fn)(void *arg, const struct crl *crl), void *arg)
{
	struct crl **all;
	size_t n = 0;

	pthread_mutex_lock(&c->lock);
	all = xcalloc(c->n_crls + 1, sizeof(*all));
	LIST_FOREACH(it, &c->crls)
		if (!list_entry(it, struct cached_crl, link)->loaded)
			all[n++] = crl_ref(list_entry(it, struct cached_crl, link)->crl);
	pthread_mutex_unlock(&c->lock);
	for (size_t i = 0; i < n; i++) {
		fn(arg, all[i]);
		crl_unref(all[i]);
	}
	free(all);
}

/* ---- OCSP ---- */

static uint64_t cache_hash_serial(const struct revocation_cache *c, const struct cert *cert, const struct cert *issuer)
{
	return hash_bytes(&c->key, cert->serial) ^ hash_bytes(&c->key, bytes_of(issuer->key->spki_id, KEY_ID_LEN));
}

static struct cached_ocsp *cache_find_ocsp(struct revocation_cache *c, const struct cert *cert, const struct cert *issuer)
{
	for (struct hashnode *h = hashtab_first(&c->ocsp_index, cache_hash_serial(c, cert, issuer)); h; h = hashtab_next(h)) {
		struct cached_ocsp *e = container_of(h, struct cached_ocsp, node);

		if (memcmp(e->issuer, issuer->key->spki_id, KEY_ID_LEN) == 0 && bytes_equal(buf_bytes(&e->serial), cert->serial))
			return e;
	}
	return NULL;
}

static bool ocsp_supersedes(const struct ocsp_answer *a, const struct ocsp_answer *old)
{
	return a->this_update > old->this_update ||
	       (a->this_update == old->this_update && (a->status == CERT_STATUS_REVOKED || old->status != CERT_STATUS_REVOKED));
}

void revocation_cache_put_ocsp(struct revocation_cache *c, const struct cert *cert, const struct cert *issuer,
			       const struct ocsp_answer *answer, struct bytes der)
{
	struct cached_ocsp *e, *old;

	pthread_mutex_lock(&c->lock);
	old = cache_find_ocsp(c, cert, issuer);
	if (old && !ocsp_supersedes(answer, &old->answer)) {
		pthread_mutex_unlock(&c->lock);
		return;
	}
	if (old)
		cached_ocsp_free(c, old);
	e = xcalloc(1, sizeof(*e));
	e->answer = *answer;
	memcpy(e->issuer, issuer->key->spki_id, KEY_ID_LEN);
	buf_add_bytes(&e->serial, cert->serial);
	buf_add_bytes(&e->der, der);
	list_add_head(&c->ocsp, &e->link);
	hashtab_insert(&c->ocsp_index, &e->node, cache_hash_serial(c, cert, issuer));
	if (++c->n_ocsp > CACHE_OCSP)
		cached_ocsp_free(c, list_entry(c->ocsp.prev, struct cached_ocsp, link));
	pthread_mutex_unlock(&c->lock);
}

bool revocation_cache_ocsp(struct revocation_cache *c, const struct cert *cert, const struct cert *issuer, int64_t now,
			   struct ocsp_answer *ret_answer, struct buf *ret_der)
{
	struct cached_ocsp *e;

	pthread_mutex_lock(&c->lock);
	e = cache_find_ocsp(c, cert, issuer);
	if (e && e->answer.valid_until < now) {
		cached_ocsp_free(c, e);
		e = NULL;
	}
	if (e) {
		*ret_answer = e->answer;
		if (ret_der)
			buf_add_bytes(ret_der, buf_bytes(&e->der));
		list_del(&e->link);
		list_add_head(&c->ocsp, &e->link);
	}
	pthread_mutex_unlock(&c->lock);
	return e != NULL;
}

void revocation_cache_each_ocsp(struct revocation_cache *c, void (*fn)(void *arg, struct bytes der), void *arg)
{
	struct buf *all;
	size_t n = 0;

	pthread_mutex_lock(&c->lock);
	all = xcalloc(c->n_ocsp + 1, sizeof(*all));
	LIST_FOREACH(it, &c->ocsp)
		buf_add_bytes(&all[n++], buf_bytes(&list_entry(it, struct cached_ocsp, link)->der));
	pthread_mutex_unlock(&c->lock);
	for (size_t i = 0; i < n; i++) {
		fn(arg, buf_bytes(&all[i]));
		buf_free(&all[i]);
	}
	free(all);
}

/* ---- certificates ---- */

static struct cached_cert *cache_find_cert(struct revocation_cache *c, const uint8_t sha1[20])
{
	for (struct hashnode *h = hashtab_first(&c->cert_index, hash_bytes(&c->key, bytes_of(sha1, 20))); h; h = hashtab_next(h)) {
		struct cached_cert *e = container_of(h, struct cached_cert, node);

		if (memcmp(e->sha1, sha1, 20) == 0)
			return e;
	}
	return NULL;
}

void revocation_cache_put_cert(struct revocation_cache *c, struct cert *cert)
{
	uint8_t sha1[20];
	struct cached_cert *e;

	SHA1(cert->der.p, cert->der.n, sha1);
	pthread_mutex_lock(&c->lock);
	e = cache_find_cert(c, sha1);
	if (e) {
		list_del(&e->link);
		list_add_head(&c->certs, &e->link);
	} else {
		e = xcalloc(1, sizeof(*e));
		e->cert = cert_ref(cert);
		memcpy(e->sha1, sha1, sizeof(sha1));
		list_add_head(&c->certs, &e->link);
		hashtab_insert(&c->cert_index, &e->node, hash_bytes(&c->key, bytes_of(sha1, sizeof(sha1))));
		if (++c->n_certs > CACHE_CERTS)
			cached_cert_free(c, list_entry(c->certs.prev, struct cached_cert, link));
	}
	pthread_mutex_unlock(&c->lock);
}

struct cert *revocation_cache_cert(struct revocation_cache *c, const uint8_t sha1[20])
{
	struct cached_cert *e;
	struct cert *cert;

	pthread_mutex_lock(&c->lock);
	e = cache_find_cert(c, sha1);
	cert = e ? cert_ref(e->cert) : NULL;
	pthread_mutex_unlock(&c->lock);
	return cert;
}

void revocation_cache_each_cert(struct revocation_cache *c, void (*fn)(void *arg, const struct cert *cert), void *arg)
{
	struct cert **all;
	size_t n = 0;

	pthread_mutex_lock(&c->lock);
	all = xcalloc(c->n_certs + 1, sizeof(*all));
	LIST_FOREACH(it, &c->certs)
		all[n++] = cert_ref(list_entry(it, struct cached_cert, link)->cert);
	pthread_mutex_unlock(&c->lock);
	for (size_t i = 0; i < n; i++) {
		fn(arg, all[i]);
		cert_unref(all[i]);
	}
	free(all);
}
