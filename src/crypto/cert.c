/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/cert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/sha.h>

#include "crypto/cert_fields.h"
#include "crypto/x509_data.h"
#include "proto/limits.h"
#include "util/mem.h"

enum { SIGNER_UNKNOWN, SIGNER_WRITTEN, SIGNER_KNOWN };

struct cert_own {
	struct arena arena; /* what the views of struct cert point to */
	/* The key that was found to have signed it, a fact that does not change: who finds it first writes it down, once. */
	atomic_int signer_state;
	uint8_t signer[SHA256_DIGEST_LENGTH]; /* of its SubjectPublicKeyInfo */
	const char *text; /* NULL: not yet */
};

/* ---- life */

struct cert *cert_ref(const struct cert *c)
{
	struct cert *mine = (struct cert *)c;

	atomic_fetch_add_explicit(&mine->refs, 1, memory_order_relaxed);
	return mine;
}

static void cert_free(struct cert *c)
{
	struct cert_own *own = c->own;

	public_key_unref(c->key);
	X509_free(c->x509);
	arena_free(&own->arena);
	free(own);
	free(c);
}

void cert_unref(const struct cert *c)
{
	struct cert *mine = (struct cert *)c;

	if (mine && atomic_fetch_sub_explicit(&mine->refs, 1, memory_order_acq_rel) == 1)
		cert_free(mine);
}

/* ---- parsing */

/* d2i takes some BER, too: what is hashed and compared is then not what was parsed. */
static bool x509_is_der(X509 *x, struct bytes der)
{
	unsigned char *again = NULL;
	int n = i2d_X509(x, &again);
	bool same = n > 0 && bytes_equal(bytes_of(again, (size_t)n), der);

	OPENSSL_free(again);
	return same;
}

/* RFC 5280, 4.2: no extension twice. */
static bool x509_extensions_are_unique(const X509 *x, int n)
{
	for (int i = 1; i < n; i++) {
		const ASN1_OBJECT *object = X509_EXTENSION_get_object(X509_get_ext(x, i));

		for (int j = 0; j < i; j++) {
			if (!OBJ_cmp(object, X509_EXTENSION_get_object(X509_get_ext(x, j))))
				return false;
		}
	}
	return true;
}

static const char *x509_decode(struct bytes der, X509 **ret_x509)
{
	const unsigned char *p = der.p;
	X509 *x = d2i_X509(NULL, &p, (long)der.n);
	const char *why = NULL;

	if (!x)
		return "it is no X.509 certificate";
	if (p != der.p + der.n)
		why = "something follows it";
	else if (!x509_is_der(x, der))
		why = "it is not encoded by DER";
	else if (X509_get_ext_count(x) > LIMIT_CERT_EXTENSIONS)
		why = "it has too many extensions";
	else if (!x509_extensions_are_unique(x, X509_get_ext_count(x)))
		why = "it has an extension twice";
	else if (X509_check_purpose(x, -1, 0) != 1 || X509_get_extension_flags(x) & EXFLAG_INVALID)
		why = "its extensions are malformed or contradict each other";
	if (why)
		X509_free(x);
	else
		*ret_x509 = x;
	return why;
}

static const char *cert_fill(struct arena *a, X509 *x, struct cert *c)
{
	const X509_ALGOR *algorithm;

	c->subject = x509_name(a, X509_get_subject_name(x));
	c->issuer = x509_name(a, X509_get_issuer_name(x));
	if (!c->subject.data.n || X509_NAME_entry_count(X509_get_issuer_name(x)) < 1)
		return "it has no issuer";
	c->subject_hash = x509_name_hash(&c->subject);
	c->issuer_hash = x509_name_hash(&c->issuer);
	c->self_issued = c->subject_hash == c->issuer_hash && id_equal(&c->subject, &c->issuer);
	c->serial = x509_integer(a, X509_get0_serialNumber(x));
	X509_get0_signature(NULL, &algorithm, x);
	c->signature = x509_scheme(algorithm);
	c->subject_key_id = x509_octets(a, X509_get0_subject_key_id(x));
	c->authority_key_id = x509_octets(a, X509_get0_authority_key_id(x));
	if (!x509_time(X509_get0_notBefore(x), &c->not_before) || !x509_time(X509_get0_notAfter(x), &c->not_after))
		return "its validity is malformed";
	return NULL;
}

static const char *cert_extensions(struct arena *a, X509 *x, struct cert *c)
{
	const char *why = cert_fields_names(a, x, c);

	why = why ? why : cert_fields_usage(x, c);
	why = why ? why : cert_fields_uris(a, x, c);
	return why ? why : cert_fields_policies(a, x, c);
}

static bool cert_key(X509 *x, struct cert *c, struct errtext *err)
{
	unsigned char *spki = NULL;
	int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &spki);
	struct errtext why = { "its public key is malformed" };

	if (n > 0)
		c->key = public_key_parse(bytes_of(spki, (size_t)n), KEY_ANY, &why);
	OPENSSL_free(spki);
	if (!c->key)
		errtext_set(err, "certificate %s: %.200s", cert_text(c).s, why.s);
	return c->key != NULL;
}

static bool cert_load(struct bytes data, struct cert *c, struct errtext *err)
{
	struct cert_own *own = c->own;
	struct errtext text = { "" };
	const char *why;
	X509 *x = NULL;

	if (!x509_data_der(&own->arena, data, "CERTIFICATE", LIMIT_CERT, &c->der, &text)) {
		errtext_set(err, "no certificate: %s", text.s);
		return false;
	}
	why = x509_decode(c->der, &x);
	c->x509 = x;
	why = why ? why : cert_fill(&own->arena, x, c);
	if (why) {
		errtext_set(err, "malformed certificate: %s", why);
		return false;
	}
	why = cert_extensions(&own->arena, x, c);
	if (why) {
		errtext_set(err, "malformed certificate %s: %s", cert_text(c).s, why);
		return false;
	}
	return cert_key(x, c, err);
}

/* Each authentication says whose it is, and DNs are costly to decode. */
static void cert_texts(struct cert *c)
{
	struct cert_own *own = c->own;
	struct id_text subject = id_text(&c->subject);
	struct cert_text text = cert_text(c);

	c->subject_text = arena_dup(&own->arena, subject.s, strlen(subject.s) + 1);
	own->text = arena_dup(&own->arena, text.s, strlen(text.s) + 1);
}

struct cert *cert_parse(struct bytes data, struct errtext *err)
{
	struct cert *c = xcalloc(1, sizeof(*c));
	bool ok;

	atomic_init(&c->refs, 1);
	c->own = xcalloc(1, sizeof(struct cert_own));
	ERR_set_mark();
	ok = cert_load(data, c, err);
	ERR_pop_to_mark();
	if (ok) {
		cert_texts(c);
		return c;
	}
	cert_free(c);
	return NULL;
}

struct cert *cert_stand_in(X509 *x, const char *text)
{
	struct cert *c = xcalloc(1, sizeof(*c));
	struct cert_own *own = xcalloc(1, sizeof(*own));

	atomic_init(&c->refs, 1);
	c->own = own;
	c->x509 = x;
	c->attributes = true;
	c->issuer = x509_name(&own->arena, X509_get_issuer_name(x));
	c->issuer_hash = x509_name_hash(&c->issuer);
	c->serial = x509_integer(&own->arena, X509_get0_serialNumber(x));
	own->text = arena_dup(&own->arena, text, strlen(text) + 1);
	c->subject_text = own->text;
	if (!cert_fields_uris(&own->arena, x, c))
		return c;
	cert_free(c);
	return NULL;
}

/* ---- comparing */

bool cert_equal(const struct cert *a, const struct cert *b)
{
	return a == b || bytes_equal(a->der, b->der);
}

static bool key_id_is(const struct cert *c, struct bytes id)
{
	return id.n && (bytes_equal(c->subject_key_id, id) || bytes_equal(bytes_of(c->key->id, KEY_ID_LEN), id) ||
			bytes_equal(bytes_of(c->key->spki_id, KEY_ID_LEN), id));
}

/* An empty subject names nobody. */
static bool subject_is_empty(const struct cert *c)
{
	return X509_NAME_entry_count(X509_get_subject_name(c->x509)) < 1;
}

int cert_match_id(const struct cert *c, const struct id *id)
{
	if (!id->data.n || id->type == ID_TYPE_ANY)
		return ID_MATCH_NONE;
	if (id->type == ID_TYPE_KEY_ID)
		return key_id_is(c, id->data) ? ID_MATCH_PERFECT : ID_MATCH_NONE;
	if (id->type == ID_TYPE_DER_ASN1_DN && !subject_is_empty(c) && id_equal(&c->subject, id))
		return ID_MATCH_PERFECT;
	for (size_t i = 0; i < c->n_names; i++) {
		if (id_equal(&c->names[i], id))
			return ID_MATCH_PERFECT;
	}
	return ID_MATCH_NONE;
}

int cert_match_pattern(const struct cert *c, const struct id *pattern)
{
	int best = id_is_any(pattern) ? ID_MATCH_ANY : cert_match_id(c, pattern), score;

	if (best)
		return best;
	if (!subject_is_empty(c))
		best = id_match(&c->subject, pattern);
	for (size_t i = 0; i < c->n_names; i++) {
		score = id_match(&c->names[i], pattern);
		best = score > best ? score : best;
	}
	return best;
}

bool cert_maybe_issued_by(const struct cert *c, const struct cert *issuer)
{
	if (c->issuer_hash != issuer->subject_hash || !id_equal(&c->issuer, &issuer->subject))
		return false;
	return !c->authority_key_id.n || !issuer->subject_key_id.n ||
	       bytes_equal(c->authority_key_id, issuer->subject_key_id);
}

static bool x509_verify(X509 *x, EVP_PKEY *key)
{
	int good;

	ERR_set_mark();
	good = X509_verify(x, key);
	ERR_pop_to_mark();
	return good == 1; /* 0 and -1 are not */
}

bool cert_is_signed_by(const struct cert *c, const struct cert *issuer)
{
	struct cert_own *own = c->own;
	uint8_t signer[SHA256_DIGEST_LENGTH];
	int unknown = SIGNER_UNKNOWN;

	SHA256(issuer->key->spki.p, issuer->key->spki.n, signer);
	if (atomic_load_explicit(&own->signer_state, memory_order_acquire) == SIGNER_KNOWN &&
	    memcmp(own->signer, signer, sizeof(signer)) == 0)
		return true;
	if (!x509_verify(c->x509, issuer->key->evp))
		return false;
	if (atomic_compare_exchange_strong(&own->signer_state, &unknown, SIGNER_WRITTEN)) {
		memcpy(own->signer, signer, sizeof(signer));
		atomic_store_explicit(&own->signer_state, SIGNER_KNOWN, memory_order_release);
	}
	return true;
}

/* ---- text */

struct cert_text cert_text(const struct cert *c)
{
	const struct cert_own *own = c->own;
	struct cert_text out;
	char serial[64] = "00";
	size_t n = 0;

	if (own->text) {
		snprintf(out.s, sizeof(out.s), "%s", own->text);
		return out;
	}
	for (size_t i = 0; i < c->serial.n && n + 4 < sizeof(serial); i++)
		n += (size_t)snprintf(serial + n, sizeof(serial) - n, "%s%02x", i ? ":" : "", c->serial.p[i]);
	snprintf(out.s, sizeof(out.s), "'%.150s' (issuer '%.150s', serial %s)", id_text(&c->subject).s,
		 id_text(&c->issuer).s, serial);
	return out;
}

void cert_names_format(struct buf *out, const struct cert *c)
{
	bool subject = !subject_is_empty(c);

	if (subject)
		buf_printf(out, "'%s'", id_text(&c->subject).s);
	for (size_t i = 0; i < c->n_names; i++)
		buf_printf(out, "%s'%s'", i || subject ? ", " : "", id_text(&c->names[i]).s);
	if (!subject && !c->n_names)
		buf_add_str(out, "none");
}
