/* SPDX-License-Identifier: Apache-2.0 */
#include "config/credentials_set.h"

#include <stdlib.h>

#include "util/hash.h"
#include "util/mem.h"

/* The writer's side of credentials: lists in order of loading, and the snapshot that is made of them. */

struct item {
	void *p;
	uint64_t hash; /* of what makes it the same as another */
	uint8_t flag;  /* of a certificate */
};

struct items {
	struct item *v;
	size_t n, cap;
};

struct creds_set {
	struct items certs, pubkeys, keys, crls, acerts, authorities;
	struct credentials *snapshot; /* of the present state, or NULL */
};

/* What is loaded is the administrator's: a fixed key does. */
static const struct hash_key set_key = { 0x6c6f61646564, 0x6372656473 };

static uint64_t item_hash(struct bytes of)
{
	return hash_bytes(&set_key, of);
}

static void items_add(struct items *l, void *p, uint64_t hash, uint8_t flag)
{
	if (l->n == l->cap) {
		l->cap = l->cap ? l->cap * 2 : 8;
		l->v = xrealloc(l->v, l->cap * sizeof(*l->v));
	}
	l->v[l->n++] = (struct item){ p, hash, flag };
}

static void items_remove(struct items *l, size_t at)
{
	l->n--;
	memmove(&l->v[at], &l->v[at + 1], (l->n - at) * sizeof(*l->v));
}

static void set_changed(struct creds_set *s)
{
	credentials_unref(s->snapshot);
	s->snapshot = NULL;
}

struct creds_set *creds_set_new(void)
{
	return xcalloc(1, sizeof(struct creds_set));
}

void creds_set_clear(struct creds_set *s)
{
	set_changed(s);
	for (size_t i = 0; i < s->certs.n; i++)
		cert_unref(s->certs.v[i].p);
	for (size_t i = 0; i < s->pubkeys.n; i++)
		public_key_unref(s->pubkeys.v[i].p);
	for (size_t i = 0; i < s->keys.n; i++)
		private_key_unref(s->keys.v[i].p);
	for (size_t i = 0; i < s->crls.n; i++)
		crl_unref(s->crls.v[i].p);
	for (size_t i = 0; i < s->acerts.n; i++)
		acert_unref(s->acerts.v[i].p);
	s->certs.n = s->pubkeys.n = s->keys.n = s->crls.n = s->acerts.n = 0;
}

void creds_set_free(struct creds_set *s)
{
	if (!s)
		return;
	creds_set_clear(s);
	for (size_t i = 0; i < s->authorities.n; i++)
		shared_authority_unref(s->authorities.v[i].p);
	free(s->certs.v);
	free(s->pubkeys.v);
	free(s->keys.v);
	free(s->crls.v);
	free(s->acerts.v);
	free(s->authorities.v);
	free(s);
}

/* ---- certificates and keys */

static const struct item *set_find_cert(const struct creds_set *s, const struct cert *cert, uint64_t hash, uint8_t flag)
{
	for (size_t i = 0; i < s->certs.n; i++) {
		const struct item *it = &s->certs.v[i];

		if (it->hash == hash && it->flag == flag && cert_equal(it->p, cert))
			return it;
	}
	return NULL;
}

bool creds_set_add_cert(struct creds_set *s, struct cert *cert, enum cert_flag flag)
{
	uint64_t hash = item_hash(cert->der);
	uint8_t as = cert->ca ? CERT_FLAG_CA : (uint8_t)flag;

	if (set_find_cert(s, cert, hash, as)) {
		cert_unref(cert);
		return false;
	}
	set_changed(s);
	items_add(&s->certs, cert, hash, as);
	return true;
}

bool creds_set_add_pubkey(struct creds_set *s, struct public_key *key)
{
	uint64_t hash = item_hash(key->spki);

	for (size_t i = 0; i < s->pubkeys.n; i++) {
		if (s->pubkeys.v[i].hash == hash && public_key_equal(s->pubkeys.v[i].p, key)) {
			public_key_unref(key);
			return false;
		}
	}
	set_changed(s);
	items_add(&s->pubkeys, key, hash, 0);
	return true;
}

/* Its position, or that behind the last. */
static size_t set_find_key(const struct creds_set *s, const uint8_t key_id[KEY_ID_LEN])
{
	uint64_t hash = item_hash(bytes_of(key_id, KEY_ID_LEN));
	size_t i = 0;

	for (; i < s->keys.n; i++) {
		const struct private_key *k = s->keys.v[i].p;

		if (s->keys.v[i].hash == hash && memcmp(k->public->id, key_id, KEY_ID_LEN) == 0)
			break;
	}
	return i;
}

bool creds_set_add_key(struct creds_set *s, struct private_key *key)
{
	size_t at = set_find_key(s, key->public->id);

	set_changed(s);
	if (at < s->keys.n) {
		private_key_unref(s->keys.v[at].p);
		s->keys.v[at].p = key;
		return false;
	}
	items_add(&s->keys, key, item_hash(bytes_of(key->public->id, KEY_ID_LEN)), 0);
	return true;
}

bool creds_set_remove_key(struct creds_set *s, const uint8_t key_id[KEY_ID_LEN])
{
	size_t at = set_find_key(s, key_id);

	if (at == s->keys.n)
		return false;
	set_changed(s);
	private_key_unref(s->keys.v[at].p);
	items_remove(&s->keys, at);
	return true;
}

/* ---- CRLs */

/* Of one issuer, key and distribution point, and both base or both delta. */
static bool crl_same_place(const struct crl *a, const struct crl *b)
{
	return !a->base.n == !b->base.n && id_equal(&a->issuer, &b->issuer) &&
	       bytes_equal(a->authority_key_id, b->authority_key_id) && bytes_equal(a->idp, b->idp);
}

bool creds_set_add_crl(struct creds_set *s, struct crl *crl)
{
	for (size_t i = 0; i < s->crls.n; i++) {
		struct crl *old = s->crls.v[i].p;

		if (!crl_same_place(old, crl))
			continue;
		if (!crl_is_newer(crl, old)) {
			crl_unref(crl);
			return false;
		}
		set_changed(s);
		crl_unref(old);
		s->crls.v[i].p = crl;
		return true;
	}
	set_changed(s);
	items_add(&s->crls, crl, 0, 0);
	return true;
}

/* ---- attribute certificates */

bool creds_set_add_acert(struct creds_set *s, struct acert *ac)
{
	uint64_t hash = item_hash(ac->der);

	for (size_t i = 0; i < s->acerts.n; i++) {
		if (s->acerts.v[i].hash == hash && acert_equal(s->acerts.v[i].p, ac)) {
			acert_unref(ac);
			return false;
		}
	}
	set_changed(s);
	items_add(&s->acerts, ac, hash, 0);
	return true;
}

/* ---- authorities */

void shared_authority_unref(struct shared_authority *a)
{
	if (!a || atomic_fetch_sub_explicit(&a->refs, 1, memory_order_acq_rel) != 1)
		return;
	cert_unref(a->a.cacert);
	arena_free(&a->arena);
	free(a);
}

static const char *const *texts_dup(struct arena *a, const char *const *texts, size_t n)
{
	const char **copy = arena_array(a, const char *, n + 1);

	for (size_t i = 0; i < n; i++)
		copy[i] = arena_printf(a, "%s", texts[i]);
	return copy;
}

static struct shared_authority *shared_authority_new(const struct authority *from)
{
	struct shared_authority *sa = xcalloc(1, sizeof(*sa));

	atomic_init(&sa->refs, 1);
	sa->a = *from;
	sa->a.name = arena_printf(&sa->arena, "%s", from->name);
	sa->a.cacert = cert_ref(from->cacert);
	sa->a.crl_uris = texts_dup(&sa->arena, from->crl_uris, from->n_crl_uris);
	sa->a.ocsp_uris = texts_dup(&sa->arena, from->ocsp_uris, from->n_ocsp_uris);
	if (from->cert_uri_base)
		sa->a.cert_uri_base = arena_printf(&sa->arena, "%s", from->cert_uri_base);
	return sa;
}

static size_t set_find_authority(const struct creds_set *s, const char *name)
{
	size_t i = 0;

	while (i < s->authorities.n && strcmp(((struct shared_authority *)s->authorities.v[i].p)->a.name, name) != 0)
		i++;
	return i;
}

void creds_set_put_authority(struct creds_set *s, const struct authority *a)
{
	size_t at = set_find_authority(s, a->name);
	struct shared_authority *sa = shared_authority_new(a);

	set_changed(s);
	if (at == s->authorities.n) {
		items_add(&s->authorities, sa, 0, 0);
		return;
	}
	shared_authority_unref(s->authorities.v[at].p);
	s->authorities.v[at].p = sa;
}

bool creds_set_remove_authority(struct creds_set *s, const char *name)
{
	size_t at = set_find_authority(s, name);

	if (at == s->authorities.n)
		return false;
	set_changed(s);
	shared_authority_unref(s->authorities.v[at].p);
	items_remove(&s->authorities, at);
	return true;
}

/* ---- the snapshot */

/* Those loaded, then the authorities' that are not among them. */
static void snapshot_certs(const struct creds_set *s, struct credentials *ret)
{
	struct loaded_cert *certs = xcalloc(s->certs.n + s->authorities.n + 1, sizeof(*certs));
	size_t n = 0;

	for (size_t i = 0; i < s->certs.n; i++)
		certs[n++] = (struct loaded_cert){ cert_ref(s->certs.v[i].p), s->certs.v[i].flag };
	for (size_t i = 0; i < s->authorities.n; i++) {
		const struct shared_authority *sa = s->authorities.v[i].p;
		size_t at = s->certs.n;

		if (set_find_cert(s, sa->a.cacert, item_hash(sa->a.cacert->der), CERT_FLAG_CA))
			continue;
		while (at < n && !cert_equal(certs[at].cert, sa->a.cacert))
			at++;
		if (at == n)
			certs[n++] = (struct loaded_cert){ cert_ref(sa->a.cacert), CERT_FLAG_CA };
	}
	ret->certs = certs;
	ret->n_certs = n;
}

struct credentials *creds_set_snapshot(struct creds_set *s)
{
	struct public_key **pubkeys;
	struct private_key **keys;
	struct crl **crls;
	struct acert **acerts;
	struct shared_authority **authorities;
	struct credentials c = { 0 };

	if (s->snapshot)
		return credentials_ref(s->snapshot);
	snapshot_certs(s, &c);
	c.pubkeys = pubkeys = xcalloc(s->pubkeys.n + 1, sizeof(struct public_key *));
	for (; c.n_pubkeys < s->pubkeys.n; c.n_pubkeys++)
		pubkeys[c.n_pubkeys] = public_key_ref(s->pubkeys.v[c.n_pubkeys].p);
	c.keys = keys = xcalloc(s->keys.n + 1, sizeof(struct private_key *));
	for (; c.n_keys < s->keys.n; c.n_keys++)
		keys[c.n_keys] = private_key_ref(s->keys.v[c.n_keys].p);
	c.crls = crls = xcalloc(s->crls.n + 1, sizeof(struct crl *));
	for (; c.n_crls < s->crls.n; c.n_crls++)
		crls[c.n_crls] = crl_ref(s->crls.v[c.n_crls].p);
	c.acerts = acerts = xcalloc(s->acerts.n + 1, sizeof(struct acert *));
	for (; c.n_acerts < s->acerts.n; c.n_acerts++)
		acerts[c.n_acerts] = acert_ref(s->acerts.v[c.n_acerts].p);
	authorities = xcalloc(s->authorities.n + 1, sizeof(struct shared_authority *));
	for (; c.n_authorities < s->authorities.n; c.n_authorities++) {
		authorities[c.n_authorities] = s->authorities.v[c.n_authorities].p;
		atomic_fetch_add_explicit(&authorities[c.n_authorities]->refs, 1, memory_order_relaxed);
	}
	s->snapshot = credentials_new(&c, authorities);
	return credentials_ref(s->snapshot);
}
