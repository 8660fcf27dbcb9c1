/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <stdlib.h>

#include "crypto/key_internal.h"
#include "util/mem.h"
#include "util/secret.h"

/* Private keys of this process: PKCS#1 (RFC 8017), SEC1 (RFC 5915), PKCS#8 (RFC 5958, RFC 8410). */
struct memory_key {
	struct private_key base;
	EVP_PKEY *evp;
};

static bool memory_key_sign(const struct private_key *k, const struct sig_scheme *scheme, const struct bytes *parts, size_t n_parts,
			    struct buf *ret, struct errtext *err)
{
	const struct memory_key *m = (const struct memory_key *)k;

	return memory_sign(m->evp, k->public, scheme, parts, n_parts, ret, err);
}

static void memory_key_free(struct private_key *k)
{
	struct memory_key *m = (struct memory_key *)k;

	public_key_unref(k->public);
	EVP_PKEY_free(m->evp);
	free(m);
}

static const struct private_key_ops memory_key_ops = {
	.sign = memory_key_sign,
	.free = memory_key_free,
	.quick = true,
};

/* Takes both, which must be a pair. */
static struct private_key *memory_key_make(EVP_PKEY *evp, struct public_key *public, struct errtext *err)
{
	struct memory_key *m;

	if (!evp) {
		errtext_set(err, "OpenSSL refuses the private key: %s", openssl_why());
		public_key_unref(public);
		return NULL;
	}
	if (EVP_PKEY_eq(evp, public->evp) != 1) {
		errtext_set(err, "the private key does not belong to its public key");
		EVP_PKEY_free(evp);
		public_key_unref(public);
		return NULL;
	}
	m = xcalloc(1, sizeof(*m));
	atomic_init(&m->base.refs, 1);
	m->base.ops = &memory_key_ops;
	m->base.public = public;
	m->evp = evp;
	return &m->base;
}

static EVP_PKEY *evp_from_private(const char *type, OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *evp = NULL;

	if (ctx && EVP_PKEY_fromdata_init(ctx) == 1)
		(void)EVP_PKEY_fromdata(ctx, &evp, EVP_PKEY_KEYPAIR, params);
	EVP_PKEY_CTX_free(ctx);
	return evp;
}

/* ---- RSA ---- */

enum { RSA_N, RSA_E, RSA_D, RSA_P, RSA_Q, RSA_DP, RSA_DQ, RSA_QI, RSA_NUMBERS };

/* x * y is 1 modulo (m - less) */
static bool rsa_inverse(const BIGNUM *x, const BIGNUM *y, const BIGNUM *m, unsigned less, BN_CTX *ctx)
{
	BIGNUM *n = BN_CTX_get(ctx), *t = BN_CTX_get(ctx);

	return t && BN_copy(n, m) && BN_sub_word(n, less) && BN_mod_mul(t, x, y, n, ctx) && BN_is_one(t);
}

/* All that is in the file belongs together. Not whether p and q are primes: that takes minutes for the longest. */
static bool rsa_numbers_fit(BIGNUM *const *x, BN_CTX *ctx)
{
	BIGNUM *t = BN_CTX_get(ctx);

	for (size_t i = 0; i < RSA_NUMBERS; i++) {
		if (BN_is_zero(x[i]) || BN_cmp(x[i], x[RSA_N]) > 0)
			return false;
	}
	if (BN_is_one(x[RSA_P]) || BN_is_one(x[RSA_Q]) || !BN_is_odd(x[RSA_P]) || !BN_is_odd(x[RSA_Q]))
		return false;
	return t && BN_mul(t, x[RSA_P], x[RSA_Q], ctx) && BN_cmp(t, x[RSA_N]) == 0 &&
	       rsa_inverse(x[RSA_E], x[RSA_D], x[RSA_P], 1, ctx) && rsa_inverse(x[RSA_E], x[RSA_D], x[RSA_Q], 1, ctx) &&
	       rsa_inverse(x[RSA_E], x[RSA_DP], x[RSA_P], 1, ctx) && rsa_inverse(x[RSA_E], x[RSA_DQ], x[RSA_Q], 1, ctx) &&
	       BN_cmp(x[RSA_DP], x[RSA_P]) < 0 && BN_cmp(x[RSA_DQ], x[RSA_Q]) < 0 && BN_cmp(x[RSA_QI], x[RSA_P]) < 0 &&
	       rsa_inverse(x[RSA_QI], x[RSA_Q], x[RSA_P], 0, ctx);
}

static EVP_PKEY *evp_from_numbers(BIGNUM *const *x)
{
	static const char *const names[RSA_NUMBERS] = {
		OSSL_PKEY_PARAM_RSA_N,	     OSSL_PKEY_PARAM_RSA_E,	    OSSL_PKEY_PARAM_RSA_D,
		OSSL_PKEY_PARAM_RSA_FACTOR1, OSSL_PKEY_PARAM_RSA_FACTOR2,   OSSL_PKEY_PARAM_RSA_EXPONENT1,
		OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
	};
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *evp = NULL;
	bool ok = b != NULL;

	for (size_t i = 0; ok && i < RSA_NUMBERS; i++)
		ok = OSSL_PARAM_BLD_push_BN(b, names[i], x[i]);
	if (ok)
		params = OSSL_PARAM_BLD_to_param(b);
	if (params)
		evp = evp_from_private("RSA", params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(b);
	return evp;
}

static EVP_PKEY *rsa_evp(const struct bytes *numbers, struct errtext *err)
{
	BIGNUM *x[RSA_NUMBERS] = { NULL };
	BN_CTX *ctx = BN_CTX_secure_new();
	EVP_PKEY *evp = NULL;
	bool ok = ctx != NULL;

	for (size_t i = 0; i < RSA_NUMBERS; i++) {
		/* secure ones are cleansed, also where they are handed over */
		x[i] = i <= RSA_E ? BN_new() : BN_secure_new();
		ok = ok && x[i] && BN_bin2bn(numbers[i].p, (int)numbers[i].n, x[i]);
	}
	if (ctx)
		BN_CTX_start(ctx);
	if (!ok || !rsa_numbers_fit(x, ctx)) {
		errtext_set(err, "the numbers of the RSA private key do not fit each other");
	} else {
		evp = evp_from_numbers(x);
		if (!evp)
			errtext_set(err, "OpenSSL refuses the RSA private key: %s", openssl_why());
	}
	if (ctx)
		BN_CTX_end(ctx);
	BN_CTX_free(ctx);
	for (size_t i = 0; i < RSA_NUMBERS; i++)
		BN_clear_free(x[i]);
	return evp;
}

/* The same algorithm identifier as the private key's: one of PSS stays one. */
static struct public_key *rsa_public(const struct key_algorithm *a, struct bytes algorithm, const struct bytes *numbers,
				     struct errtext *err)
{
	struct buf in = { NULL, 0, 0 }, bits = { NULL, 0, 0 }, spki = { NULL, 0, 0 };
	struct public_key *k;

	der_add_unsigned(&in, numbers[RSA_N]);
	der_add_unsigned(&in, numbers[RSA_E]);
	der_add(&bits, DER_SEQUENCE, buf_bytes(&in));
	key_spki_build(&spki, algorithm, buf_bytes(&bits));
	k = public_key_from_bits(a, buf_bytes(&spki), buf_bytes(&bits), err);
	buf_free(&in);
	buf_free(&bits);
	buf_free(&spki);
	return k;
}

static struct private_key *private_key_rsa(const struct key_algorithm *a, struct bytes algorithm, struct bytes der, struct errtext *err)
{
	struct reader all = reader_of(der), r = der_enter(&all, DER_SEQUENCE);
	struct bytes version = der_unsigned(&r), numbers[RSA_NUMBERS];
	struct public_key *public;
	EVP_PKEY *evp;

	for (size_t i = 0; i < RSA_NUMBERS; i++)
		numbers[i] = der_unsigned(&r);
	if (reader_ok(&r) && version.n) {
		errtext_set(err, "RSA keys of more than two primes are not supported");
		return NULL;
	}
	if (!reader_done(&r) || !reader_done(&all)) {
		errtext_set(err, "the RSA private key is malformed");
		return NULL;
	}
	public = rsa_public(a, algorithm, numbers, err);
	if (!public)
		return NULL;
	evp = rsa_evp(numbers, err);
	if (!evp) {
		public_key_unref(public);
		return NULL;
	}
	return memory_key_make(evp, public, err);
}

/* ---- elliptic curves ---- */

/* The public point, uncompressed; false: the number is 0 or not below the order. */
static bool ec_point(const struct key_curve *curve, const BIGNUM *d, struct buf *ret)
{
	EC_GROUP *group = EC_GROUP_new_by_curve_name(curve->nid);
	EC_POINT *point = group ? EC_POINT_new(group) : NULL;
	size_t n = 1 + 2 * (size_t)curve->len;
	bool ok = point && !BN_is_zero(d) && BN_cmp(d, EC_GROUP_get0_order(group)) < 0 &&
		  EC_POINT_mul(group, point, d, NULL, NULL, NULL) &&
		  EC_POINT_point2oct(group, point, POINT_CONVERSION_UNCOMPRESSED, buf_extend(ret, n), n, NULL) == n;

	EC_POINT_clear_free(point);
	EC_GROUP_free(group);
	return ok;
}

static EVP_PKEY *ec_evp(const struct key_curve *curve, const BIGNUM *d, struct bytes point)
{
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *evp = NULL;

	if (b && OSSL_PARAM_BLD_push_utf8_string(b, OSSL_PKEY_PARAM_GROUP_NAME, curve->group, 0) &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_PRIV_KEY, d) &&
	    OSSL_PARAM_BLD_push_octet_string(b, OSSL_PKEY_PARAM_PUB_KEY, point.p, point.n))
		params = OSSL_PARAM_BLD_to_param(b);
	if (params)
		evp = evp_from_private("EC", params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(b);
	return evp;
}

static struct private_key *private_key_ec_number(const struct key_curve *curve, struct bytes number, struct bytes said,
						 struct errtext *err)
{
	BIGNUM *d = BN_secure_new();
	struct buf point = { NULL, 0, 0 };
	struct public_key *public = NULL;
	struct private_key *k = NULL;

	if (!d || !BN_bin2bn(number.p, (int)number.n, d) || !ec_point(curve, d, &point)) {
		errtext_set(err, "the private number of %s is 0 or out of range", curve->group);
		goto out;
	}
	if (said.n)
		public = public_key_from_point(KEY_ECDSA, curve, said, err);
	else
		public = public_key_from_point(KEY_ECDSA, curve, buf_bytes(&point), err);
	if (public)
		k = memory_key_make(ec_evp(curve, d, buf_bytes(&point)), public, err);
out:
	buf_free(&point);
	BN_clear_free(d);
	return k;
}

/* The optional fields of ECPrivateKey. */
static bool ec_options_read(struct reader *r, struct key_algorithm *a, struct bytes *ret_said, struct errtext *err)
{
	struct key_algorithm named = { .type = KEY_ECDSA };
	struct reader in;

	if (der_next_is(r, DER_CONTEXT(0))) {
		in = der_enter(r, DER_CONTEXT(0));
		if (!key_ec_parameters(&in, &named, err))
			return false;
		if (a->curve && a->curve != named.curve) {
			errtext_set(err, "the private key names two different curves");
			return false;
		}
		a->curve = named.curve;
	}
	if (der_next_is(r, DER_CONTEXT(1))) {
		in = der_enter(r, DER_CONTEXT(1));
		*ret_said = der_bits(&in);
		if (!reader_done(&in))
			r->bad = true;
	}
	return true;
}

static struct private_key *private_key_ec(const struct key_algorithm *algorithm, struct bytes der, struct errtext *err)
{
	struct reader all = reader_of(der), r = der_enter(&all, DER_SEQUENCE);
	struct bytes version = der_unsigned(&r), number = der_take(&r, DER_OCTET_STRING), said = BYTES_NONE;
	struct key_algorithm a = *algorithm;

	if (!ec_options_read(&r, &a, &said, err))
		return NULL;
	if (!reader_done(&r) || !reader_done(&all) || version.n != 1 || version.p[0] != 1) {
		errtext_set(err, "the elliptic private key is malformed");
		return NULL;
	}
	if (!a.curve) {
		errtext_set(err, "the elliptic private key names no curve");
		return NULL;
	}
	if (number.n > a.curve->len) {
		errtext_set(err, "the private number of %s is too long", a.curve->group);
		return NULL;
	}
	return private_key_ec_number(a.curve, number, said, err);
}

/* RFC 8410, 7: an OCTET STRING in the OCTET STRING */
static struct private_key *private_key_edwards(enum key_type type, struct bytes der, struct bytes said, struct errtext *err)
{
	struct reader r = reader_of(der);
	struct bytes seed = der_take(&r, DER_OCTET_STRING);
	int nid = type == KEY_ED25519 ? EVP_PKEY_ED25519 : EVP_PKEY_ED448;
	uint8_t point[57];
	size_t n = sizeof(point);
	struct public_key *public;
	EVP_PKEY *evp;

	if (!reader_done(&r)) {
		errtext_set(err, "the %s private key is malformed", key_type_name(type));
		return NULL;
	}
	evp = EVP_PKEY_new_raw_private_key(nid, NULL, seed.p, seed.n);
	if (!evp || EVP_PKEY_get_raw_public_key(evp, point, &n) != 1) {
		errtext_set(err, "OpenSSL refuses the %s private key: %s", key_type_name(type), openssl_why());
		EVP_PKEY_free(evp);
		return NULL;
	}
	public = public_key_from_point(type, NULL, said.n ? said : bytes_of(point, n), err);
	if (public)
		return memory_key_make(evp, public, err);
	EVP_PKEY_free(evp);
	return NULL;
}

/* ---- containers ---- */

/* Version 1 may end with the public key (RFC 5958, 2). */
static void pkcs8_options_read(struct reader *r, bool version_1, struct bytes *ret_said)
{
	struct reader in;
	unsigned tag;

	if (der_next_is(r, DER_CONTEXT(0)))
		(void)der_any(r, &tag);
	if (!version_1 || !der_next_is(r, DER_CONTEXT_P(1)))
		return;
	in = reader_of(der_take(r, DER_CONTEXT_P(1)));
	if (reader_u8(&in) || !reader_ok(&in))
		r->bad = true;
	*ret_said = reader_rest(&in);
}

/* r is behind the version. */
static struct private_key *private_key_pkcs8(struct reader *r, bool version_1, struct errtext *err)
{
	struct reader at = *r;
	struct bytes algorithm = der_element(&at), der, said = BYTES_NONE;
	struct key_algorithm a;

	if (!key_algorithm_read(r, &a, err))
		return NULL;
	der = der_take(r, DER_OCTET_STRING);
	pkcs8_options_read(r, version_1, &said);
	if (!reader_done(r)) {
		errtext_set(err, "the PKCS#8 container is malformed");
		return NULL;
	}
	switch (a.type) {
	case KEY_RSA:
		return private_key_rsa(&a, algorithm, der, err);
	case KEY_ECDSA:
		return private_key_ec(&a, der, err);
	case KEY_ED25519:
	case KEY_ED448:
		return private_key_edwards(a.type, der, said, err);
	case KEY_ANY:
		break;
	}
	errtext_set(err, "the key is of no type");
	return NULL;
}

static struct private_key *private_key_pkcs1(struct bytes der, struct errtext *err)
{
	struct key_algorithm a = { .type = KEY_RSA };
	struct buf algorithm = { NULL, 0, 0 };
	struct private_key *k;

	key_algorithm_build(&algorithm, KEY_RSA, NULL);
	k = private_key_rsa(&a, buf_bytes(&algorithm), der, err);
	buf_free(&algorithm);
	return k;
}

/*
 * By what follows the version: INTEGER is RSAPrivateKey, OCTET STRING is ECPrivateKey, SEQUENCE is PKCS#8. Without a version it is an
 * encrypted one.
 */
static struct private_key *private_key_from_der(struct bytes der, struct errtext *err)
{
	static const struct key_algorithm ec = { .type = KEY_ECDSA };
	struct reader all = reader_of(der), r = der_enter(&all, DER_SEQUENCE);
	struct bytes version;

	if (!reader_done(&all)) {
		errtext_set(err, reader_ok(&all) ? "something follows the private key" : "it is not a private key in DER or PEM");
		return NULL;
	}
	if (der_next_is(&r, DER_SEQUENCE)) {
		errtext_set(err, "it is no private key, or an encrypted one: those are decrypted before they are loaded");
		return NULL;
	}
	version = der_unsigned(&r);
	if (der_next_is(&r, DER_INTEGER))
		return private_key_pkcs1(der, err);
	if (der_next_is(&r, DER_OCTET_STRING))
		return private_key_ec(&ec, der, err);
	if (!reader_ok(&r) || version.n > 1 || (version.n && version.p[0] > 1)) {
		errtext_set(err, "it is not a private key in PKCS#1, SEC1 or PKCS#8");
		return NULL;
	}
	return private_key_pkcs8(&r, version.n != 0, err);
}

static bool pem_is_private(struct bytes label, const void *arg)
{
	static const char *const labels[] = { "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY", "ENCRYPTED PRIVATE KEY" };

	for (size_t i = 0; i < ARRAY_LEN(labels); i++) {
		if (bytes_equal_str(label, labels[i]))
			return true;
	}
	return false;
}

struct private_key *private_key_parse(struct bytes data, enum key_type expected, struct errtext *err)
{
	struct buf der = { NULL, 0, 0 };
	struct private_key *k = NULL;
	struct bytes label;

	switch (der_is_whole(data, DER_SEQUENCE) ? PEM_NONE : pem_decode(data, pem_is_private, NULL, &der, &label, NULL)) {
	case PEM_NONE:
		k = private_key_from_der(data, err);
		break;
	case PEM_OTHER:
		errtext_set(err, "there is no private key among its PEM blocks, but %s", pem_other_text(label).s);
		break;
	case PEM_BAD:
		if (memmem(data.p, data.n, "ENCRYPTED", strlen("ENCRYPTED")))
			errtext_set(err, "the private key is encrypted: it must be decrypted before it is loaded");
		else
			errtext_set(err, "the PEM block is malformed");
		break;
	case PEM_FOUND:
		k = private_key_from_der(buf_bytes(&der), err);
		break;
	}
	buf_wipe(&der);
	if (k && !key_is_expected(k->public->type, expected, err)) {
		private_key_unref(k);
		return NULL;
	}
	return k;
}
