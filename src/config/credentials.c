/* SPDX-License-Identifier: Apache-2.0 */
#include "config/credentials.h"

#include <stdlib.h>

#include "config/credentials_set.h"
#include "util/hash.h"
#include "util/mem.h"

/* A position in an array under the hash of what is looked for. */
struct row {
	uint64_t hash;
	size_t at;
};

struct creds_index {
	struct row *subjects; /* of the certificates, by hash, then position */
	struct row *keys;     /* of the private keys */
	struct row *holders;  /* of the attribute certificates */
};

struct creds_own {
	_Atomic(struct creds_index *) index; /* made by the first look-up, by whichever thread */
	struct shared_authority **authorities;
};

/* Subjects are hashed after checks, if they are a peer's: a fixed key does. */
static const struct hash_key creds_key = { 0x6372656473, 0x696e646578 };

/* ---- life */

struct credentials *credentials_ref(const struct credentials *c)
{
	struct credentials *mine = (struct credentials *)c;

	atomic_fetch_add_explicit(&mine->refs, 1, memory_order_relaxed);
	return mine;
}

static void index_free(struct creds_index *x)
{
	if (!x)
		return;
	free(x->subjects);
	free(x->keys);
	free(x->holders);
	free(x);
}

static void own_free(struct creds_own *own, size_t n_authorities)
{
	if (!own)
		return;
	index_free(atomic_load(&own->index));
	for (size_t i = 0; i < n_authorities; i++)
		shared_authority_unref(own->authorities[i]);
	free(own->authorities);
	free(own);
}

void credentials_unref(const struct credentials *c)
{
	struct credentials *mine = (struct credentials *)c;

	if (!mine || atomic_fetch_sub_explicit(&mine->refs, 1, memory_order_acq_rel) != 1)
		return;
	for (size_t i = 0; i < mine->n_certs; i++)
		cert_unref(mine->certs[i].cert);
	for (size_t i = 0; i < mine->n_pubkeys; i++)
		public_key_unref(mine->pubkeys[i]);
	for (size_t i = 0; i < mine->n_keys; i++)
		private_key_unref(mine->keys[i]);
	for (size_t i = 0; i < mine->n_crls; i++)
		crl_unref(mine->crls[i]);
	for (size_t i = 0; i < mine->n_acerts; i++)
		acert_unref(mine->acerts[i]);
	own_free(mine->own, mine->n_authorities);
	free((void *)mine->certs);
	free((void *)mine->pubkeys);
	free((void *)mine->keys);
	free((void *)mine->crls);
	free((void *)mine->acerts);
	free((void *)mine->authorities);
	free(mine);
}

struct credentials *credentials_new(const struct credentials *from, struct shared_authority **shared)
{
	struct credentials *c = xcalloc(1, sizeof(*c));
	struct authority *authorities = xcalloc(from->n_authorities + 1, sizeof(*authorities));
	struct creds_own *own = xcalloc(1, sizeof(*own));

	*c = *from;
	atomic_init(&c->refs, 1);
	for (size_t i = 0; i < c->n_authorities; i++)
		authorities[i] = shared[i]->a;
	c->authorities = authorities;
	own->authorities = shared;
	c->own = own;
	return c;
}

/* ---- look-ups */

static int row_compare(const void *one, const void *other)
{
	const struct row *a = one, *b = other;

	if (a->hash != b->hash)
		return a->hash < b->hash ? -1 : 1;
	return a->at < b->at ? -1 : a->at > b->at;
}

static uint64_t key_hash(const uint8_t key_id[KEY_ID_LEN])
{
	return hash_bytes(&creds_key, bytes_of(key_id, KEY_ID_LEN));
}

static uint64_t name_hash(const struct id *name)
{
	struct buf normal = { 0 };
	uint64_t hash;

	(void)id_hash_bytes(name, &normal);
	hash = hash_bytes(&creds_key, buf_bytes(&normal));
	buf_free(&normal);
	return hash;
}

static uint64_t serial_hash(uint64_t issuer_hash, struct bytes serial)
{
	return issuer_hash ^ hash_bytes(&creds_key, serial);
}

/* What a certificate surely has if it is the holder's. */
static uint64_t holder_hash(const struct acert *ac)
{
	if (!id_is_any(&ac->holder_issuer))
		return serial_hash(ac->holder_issuer_hash, ac->holder_serial);
	return name_hash(&ac->holder_names[0]);
}

static struct creds_index *index_new(const struct credentials *c)
{
	struct creds_index *x = xcalloc(1, sizeof(*x));

	x->subjects = xcalloc(c->n_certs + 1, sizeof(*x->subjects));
	for (size_t i = 0; i < c->n_certs; i++)
		x->subjects[i] = (struct row){ c->certs[i].cert->subject_hash, i };
	qsort(x->subjects, c->n_certs, sizeof(*x->subjects), row_compare);
	x->keys = xcalloc(c->n_keys + 1, sizeof(*x->keys));
	for (size_t i = 0; i < c->n_keys; i++)
		x->keys[i] = (struct row){ key_hash(c->keys[i]->public->id), i };
	qsort(x->keys, c->n_keys, sizeof(*x->keys), row_compare);
	x->holders = xcalloc(c->n_acerts + 1, sizeof(*x->holders));
	for (size_t i = 0; i < c->n_acerts; i++)
		x->holders[i] = (struct row){ holder_hash(c->acerts[i]), i };
	qsort(x->holders, c->n_acerts, sizeof(*x->holders), row_compare);
	return x;
}

/* Two threads may make it at the same time: the first to put it in wins. */
static const struct creds_index *credentials_index(const struct credentials *c)
{
	struct creds_own *own = c->own;
	struct creds_index *index = atomic_load_explicit(&own->index, memory_order_acquire), *mine;

	if (index)
		return index;
	mine = index_new(c);
	if (atomic_compare_exchange_strong(&own->index, &index, mine))
		return mine;
	index_free(mine);
	return index;
}

/* The first row of that hash, if there is one. */
static size_t rows_find(const struct row *rows, size_t n, uint64_t hash)
{
	size_t from = 0, to = n;

	while (from < to) {
		size_t middle = from + (to - from) / 2;

		if (rows[middle].hash < hash)
			from = middle + 1;
		else
			to = middle;
	}
	return from;
}

const struct private_key *credentials_key(const struct credentials *c, const uint8_t key_id[KEY_ID_LEN])
{
	const struct row *rows = credentials_index(c)->keys;
	uint64_t hash = key_hash(key_id);

	for (size_t i = rows_find(rows, c->n_keys, hash); i < c->n_keys && rows[i].hash == hash; i++) {
		const struct private_key *k = c->keys[rows[i].at];

		if (memcmp(k->public->id, key_id, KEY_ID_LEN) == 0)
			return k;
	}
	return NULL;
}

static const struct loaded_cert *credentials_by_name(const struct credentials *c, const struct id *dn, uint64_t hash, size_t at)
{
	const struct row *rows = credentials_index(c)->subjects;

	for (size_t i = rows_find(rows, c->n_certs, hash); i < c->n_certs && rows[i].hash == hash; i++) {
		const struct loaded_cert *lc = &c->certs[rows[i].at];

		if (id_equal(&lc->cert->subject, dn) && at-- == 0)
			return lc;
	}
	return NULL;
}

const struct loaded_cert *credentials_by_subject(const struct credentials *c, const struct cert *cert, size_t at)
{
	return credentials_by_name(c, &cert->subject, cert->subject_hash, at);
}

const struct loaded_cert *credentials_issuer(const struct credentials *c, const struct cert *cert, size_t at)
{
	return credentials_by_name(c, &cert->issuer, cert->issuer_hash, at);
}

const struct loaded_cert *credentials_aa(const struct credentials *c, const struct acert *ac, size_t at)
{
	const struct loaded_cert *lc;

	for (size_t i = 0; (lc = credentials_by_name(c, &ac->issuer, ac->issuer_hash, i)); i++) {
		if (lc->flag == CERT_FLAG_AA && at-- == 0)
			return lc;
	}
	return NULL;
}

/* Those under one hash that are the holder's, and are not there yet. */
static size_t acerts_collect(const struct credentials *c, uint64_t hash, const struct cert *holder, const struct acert **ret,
			     size_t n, size_t max)
{
	const struct row *rows = credentials_index(c)->holders;

	for (size_t i = rows_find(rows, c->n_acerts, hash); i < c->n_acerts && rows[i].hash == hash; i++) {
		const struct acert *ac = c->acerts[rows[i].at];
		size_t seen = 0, first = 0;

		for (; seen < n && ret[seen] != ac; seen++)
			first = ret[seen]->not_after < ret[first]->not_after ? seen : first;
		if (seen < n || !acert_is_of(ac, holder))
			continue;
		if (n < max)
			ret[n++] = ac;
		else if (ac->not_after > ret[first]->not_after)
			ret[first] = ac;
	}
	return n;
}

size_t credentials_acerts(const struct credentials *c, const struct cert *holder, const struct acert **ret, size_t max)
{
	size_t n;

	if (!c->n_acerts)
		return 0;
	n = acerts_collect(c, serial_hash(holder->issuer_hash, holder->serial), holder, ret, 0, max);
	n = acerts_collect(c, name_hash(&holder->subject), holder, ret, n, max);
	for (size_t i = 0; i < holder->n_names; i++)
		n = acerts_collect(c, name_hash(&holder->names[i]), holder, ret, n, max);
	return n;
}

const struct authority *credentials_authority(const struct credentials *c, const struct cert *ca)
{
	for (size_t i = 0; i < c->n_authorities; i++) {
		const struct cert *mine = c->authorities[i].cacert;

		/* a certificate that was made anew is of the same CA */
		if (cert_equal(mine, ca) || (id_equal(&mine->subject, &ca->subject) && public_key_equal(mine->key, ca->key)))
			return &c->authorities[i];
	}
	return NULL;
}
