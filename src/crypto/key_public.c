/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/objects.h>
#include <openssl/param_build.h>
#include <openssl/sha.h>
#include <stdlib.h>

#include "crypto/key_internal.h"
#include "util/mem.h"

/* SubjectPublicKeyInfo (RFC 5280, 4.1.2.7) and the keys in it. The forms are checked here, octet by octet, before OpenSSL sees a number. */

struct text oid_text(struct bytes oid)
{
	struct reader r = reader_of(oid);
	struct buf b = { NULL, 0, 0 };
	struct text t;
	uint64_t arc = 0;
	bool first = true;

	while (reader_left(&r) && b.n < sizeof(t.s) - 24) {
		uint8_t c = reader_u8(&r);

		arc = arc << 7 | (c & 0x7f);
		if (c & 0x80)
			continue;
		if (first)
			buf_printf(&b, "%u.%llu", arc < 80 ? (unsigned)(arc / 40) : 2u,
				   (unsigned long long)(arc < 80 ? arc % 40 : arc - 80));
		else
			buf_printf(&b, ".%llu", (unsigned long long)arc);
		first = false;
		arc = 0;
	}
	memcpy(t.s, buf_str(&b), b.n);
	t.s[b.n] = '\0';
	buf_free(&b);
	return t;
}

bool key_ec_parameters(struct reader *parameters, struct key_algorithm *ret, struct errtext *err)
{
	struct bytes oid;

	if (!der_next_is(parameters, DER_OID)) {
		/* RFC 5480, 2.1.1: implicitCurve and specifiedCurve MUST NOT be used */
		errtext_set(err, "the curve of an elliptic key is not given by its name");
		return false;
	}
	oid = der_take(parameters, DER_OID);
	if (!reader_done(parameters)) {
		errtext_set(err, "the name of the curve is malformed");
		return false;
	}
	ret->curve = key_curve_by_oid(oid);
	if (!ret->curve) {
		int nid = OBJ_txt2nid(oid_text(oid).s);

		errtext_set(err, "curve %s%s%s%s is not supported", oid_text(oid).s, nid ? " (" : "", nid ? OBJ_nid2sn(nid) : "", nid ? ")" : "");
	}
	return ret->curve != NULL;
}

/* RFC 4055, 1.2 and 3.1: a key without parameters is for any hash. */
static bool key_pss_parameters(struct reader *parameters, struct key_algorithm *ret, struct errtext *err)
{
	struct result r;
	unsigned hash, salt_len;

	ret->pss_only = true;
	if (!reader_left(parameters))
		return true;
	r = pss_parameters_read(parameters, &hash, &salt_len);
	if (!result_is_ok(r)) {
		errtext_set(err, "RSASSA-PSS parameters of the key: %s", r.why);
		return false;
	}
	ret->pss_hash = (uint8_t)hash;
	return true;
}

static bool key_no_parameters(struct reader *parameters, enum key_type type, struct errtext *err)
{
	/* RFC 3279, 2.3.1: NULL for RSA; RFC 8410, 3: absent for Ed25519 and Ed448 */
	if (type == KEY_RSA && der_take(parameters, DER_NULL).n)
		parameters->bad = true;
	if (reader_done(parameters))
		return true;
	errtext_set(err, "the parameters of the %s key's algorithm are not %s", key_type_name(type),
		    type == KEY_RSA ? "NULL" : "absent");
	return false;
}

static bool key_parameters(struct bytes oid, struct reader *parameters, struct key_algorithm *ret, struct errtext *err)
{
	if (bytes_equal(oid, oid_rsa)) {
		ret->type = KEY_RSA;
		return key_no_parameters(parameters, ret->type, err);
	}
	if (bytes_equal(oid, oid_rsa_pss)) {
		ret->type = KEY_RSA;
		return key_pss_parameters(parameters, ret, err);
	}
	if (bytes_equal(oid, oid_ec)) {
		ret->type = KEY_ECDSA;
		return key_ec_parameters(parameters, ret, err);
	}
	if (bytes_equal(oid, oid_ed25519) || bytes_equal(oid, oid_ed448)) {
		ret->type = bytes_equal(oid, oid_ed25519) ? KEY_ED25519 : KEY_ED448;
		return key_no_parameters(parameters, ret->type, err);
	}
	errtext_set(err, "keys of algorithm %s are not supported", oid_text(oid).s);
	return false;
}

bool key_algorithm_read(struct reader *r, struct key_algorithm *ret, struct errtext *err)
{
	struct reader a = der_enter(r, DER_SEQUENCE);
	struct bytes oid = der_take(&a, DER_OID);

	*ret = (struct key_algorithm){ .type = KEY_ANY };
	if (!reader_ok(&a) || !oid.n) {
		errtext_set(err, "the key's algorithm identifier is malformed");
		return false;
	}
	return key_parameters(oid, &a, ret, err);
}

void key_algorithm_build(struct buf *ret, enum key_type type, const struct key_curve *curve)
{
	struct buf in = { NULL, 0, 0 };

	switch (type) {
	case KEY_RSA:
		der_add(&in, DER_OID, oid_rsa);
		der_add(&in, DER_NULL, BYTES_NONE);
		break;
	case KEY_ECDSA:
		der_add(&in, DER_OID, oid_ec);
		der_add(&in, DER_OID, curve->oid);
		break;
	case KEY_ED25519:
	case KEY_ED448:
		der_add(&in, DER_OID, type == KEY_ED25519 ? oid_ed25519 : oid_ed448);
		break;
	case KEY_ANY:
		break;
	}
	der_add(ret, DER_SEQUENCE, buf_bytes(&in));
	buf_free(&in);
}

void key_spki_build(struct buf *ret, struct bytes algorithm, struct bytes bits)
{
	struct buf in = { NULL, 0, 0 };

	buf_add_bytes(&in, algorithm);
	der_add_bits(&in, bits);
	der_add(ret, DER_SEQUENCE, buf_bytes(&in));
	buf_free(&in);
}

/* ---- to OpenSSL ---- */

static EVP_PKEY *evp_from_params(const char *type, const OSSL_PARAM *params)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
	EVP_PKEY *evp = NULL;

	if (ctx && EVP_PKEY_fromdata_init(ctx) == 1)
		(void)EVP_PKEY_fromdata(ctx, &evp, EVP_PKEY_PUBLIC_KEY, (OSSL_PARAM *)(uintptr_t)params);
	EVP_PKEY_CTX_free(ctx);
	return evp;
}

static EVP_PKEY *evp_from_rsa(struct bytes n, struct bytes e)
{
	BIGNUM *bn_n = BN_bin2bn(n.p, (int)n.n, NULL), *bn_e = BN_bin2bn(e.p, (int)e.n, NULL);
	OSSL_PARAM_BLD *b = OSSL_PARAM_BLD_new();
	OSSL_PARAM *params = NULL;
	EVP_PKEY *evp = NULL;

	if (b && bn_n && bn_e && OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_N, bn_n) &&
	    OSSL_PARAM_BLD_push_BN(b, OSSL_PKEY_PARAM_RSA_E, bn_e))
		params = OSSL_PARAM_BLD_to_param(b);
	if (params)
		evp = evp_from_params("RSA", params);
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(b);
	BN_free(bn_n);
	BN_free(bn_e);
	return evp;
}

static EVP_PKEY *evp_from_point(const struct key_curve *curve, struct bytes point)
{
	OSSL_PARAM params[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, (char *)(uintptr_t)curve->group, 0),
		OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, (void *)(uintptr_t)point.p, point.n),
		OSSL_PARAM_construct_end(),
	};

	return evp_from_params("EC", params); /* fails for a point that is not on the curve, or is 0 */
}

/* Takes evp. */
static struct public_key *public_key_make(EVP_PKEY *evp, const struct key_algorithm *a, unsigned bits, struct bytes spki,
					  struct bytes key_bits)
{
	struct public_key *k = xcalloc(1, sizeof(*k) + spki.n);
	uint8_t *copy = (uint8_t *)(k + 1);

	memcpy(copy, spki.p, spki.n);
	atomic_init(&k->refs, 1);
	k->type = a->type;
	k->bits = bits;
	k->curve = a->curve ? a->curve->nid : 0;
	k->pss_only = a->pss_only;
	k->pss_hash = a->pss_hash;
	k->spki = bytes_of(copy, spki.n);
	k->evp = evp;
	SHA1(key_bits.p, key_bits.n, k->id);
	SHA1(spki.p, spki.n, k->spki_id);
	return k;
}

static unsigned number_bits(struct bytes n)
{
	unsigned bits = (unsigned)n.n * 8;

	for (uint8_t top = n.n ? n.p[0] : 0; n.n && !(top & 0x80); top = (uint8_t)(top << 1))
		bits--;
	return bits;
}

/* n and e without leading zeroes. */
static bool rsa_check(struct bytes n, struct bytes e, struct errtext *err)
{
	unsigned bits = n.n > RSA_BITS_MAX ? RSA_BITS_MAX + 1 : number_bits(n);

	if (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX) {
		errtext_set(err, "the RSA modulus has %u bits: it must have %u to %u", bits, RSA_BITS_MIN, RSA_BITS_MAX);
		return false;
	}
	if (!(n.p[n.n - 1] & 1)) {
		errtext_set(err, "the RSA modulus is even");
		return false;
	}
	if (!e.n || !(e.p[e.n - 1] & 1) || (e.n == 1 && e.p[0] < 3)) {
		errtext_set(err, "the RSA exponent is even, or less than 3");
		return false;
	}
	if (number_bits(e) > RSA_EXPONENT_BITS_MAX) {
		errtext_set(err, "the RSA exponent has more than %u bits", RSA_EXPONENT_BITS_MAX);
		return false;
	}
	return true;
}

static struct public_key *public_key_rsa(const struct key_algorithm *a, struct bytes spki, struct bytes bits, struct errtext *err)
{
	struct reader all = reader_of(bits), r = der_enter(&all, DER_SEQUENCE);
	struct bytes n = der_unsigned(&r), e = der_unsigned(&r);
	EVP_PKEY *evp;

	if (!reader_done(&r) || !reader_done(&all)) {
		errtext_set(err, "the RSA public key is malformed: not modulus and exponent in strict DER");
		return NULL;
	}
	if (!rsa_check(n, e, err))
		return NULL;
	evp = evp_from_rsa(n, e);
	if (!evp) {
		errtext_set(err, "OpenSSL refuses the RSA public key: %s", openssl_why());
		return NULL;
	}
	return public_key_make(evp, a, number_bits(n), spki, bits);
}

static struct public_key *public_key_ec(const struct key_algorithm *a, struct bytes spki, struct bytes bits, struct errtext *err)
{
	bool whole = bits.n == 1 + 2 * (size_t)a->curve->len && bits.p[0] == POINT_CONVERSION_UNCOMPRESSED;
	bool half = bits.n == 1 + (size_t)a->curve->len && (bits.p[0] & ~1) == POINT_CONVERSION_COMPRESSED;
	EVP_PKEY *evp;

	if (!whole && !half) {
		errtext_set(err, "the public point of %s is malformed: %zu octets", a->curve->group, bits.n);
		return NULL;
	}
	evp = evp_from_point(a->curve, bits);
	if (!evp) {
		errtext_set(err, "the public point is not on %s (OpenSSL: %s)", a->curve->group, openssl_why());
		return NULL;
	}
	return public_key_make(evp, a, a->curve->bits, spki, bits);
}

static struct public_key *public_key_edwards(const struct key_algorithm *a, struct bytes spki, struct bytes bits, struct errtext *err)
{
	bool small = a->type == KEY_ED25519;
	struct result r = edwards_point_check(small, bits);
	EVP_PKEY *evp;

	if (!result_is_ok(r)) {
		errtext_set(err, "the %s public key %s", key_type_name(a->type), r.why);
		return NULL;
	}
	evp = EVP_PKEY_new_raw_public_key(small ? EVP_PKEY_ED25519 : EVP_PKEY_ED448, NULL, bits.p, bits.n);
	if (!evp) {
		errtext_set(err, "OpenSSL refuses the %s public key: %s", key_type_name(a->type), openssl_why());
		return NULL;
	}
	return public_key_make(evp, a, small ? 256 : 456, spki, bits);
}

struct public_key *public_key_from_bits(const struct key_algorithm *a, struct bytes spki, struct bytes bits, struct errtext *err)
{
	switch (a->type) {
	case KEY_RSA:
		return public_key_rsa(a, spki, bits, err);
	case KEY_ECDSA:
		return public_key_ec(a, spki, bits, err);
	case KEY_ED25519:
	case KEY_ED448:
		return public_key_edwards(a, spki, bits, err);
	case KEY_ANY:
		break;
	}
	errtext_set(err, "the key is of no type");
	return NULL;
}

struct public_key *public_key_from_point(enum key_type type, const struct key_curve *curve, struct bytes bits, struct errtext *err)
{
	struct key_algorithm a = { .type = type, .curve = curve };
	struct buf algorithm = { NULL, 0, 0 }, spki = { NULL, 0, 0 };
	struct public_key *k;

	key_algorithm_build(&algorithm, type, curve);
	key_spki_build(&spki, buf_bytes(&algorithm), bits);
	k = public_key_from_bits(&a, buf_bytes(&spki), bits, err);
	buf_free(&spki);
	buf_free(&algorithm);
	return k;
}

struct public_key *public_key_from_rsa(struct bytes n, struct bytes e, struct errtext *err)
{
	struct buf numbers = { NULL, 0, 0 }, bits = { NULL, 0, 0 };
	struct public_key *k;

	der_add_unsigned(&numbers, n);
	der_add_unsigned(&numbers, e);
	der_add(&bits, DER_SEQUENCE, buf_bytes(&numbers));
	k = public_key_from_point(KEY_RSA, NULL, buf_bytes(&bits), err);
	buf_free(&bits);
	buf_free(&numbers);
	return k;
}

/* ---- files ---- */

/* RSAPublicKey (RFC 8017, A.1.1) begins with an INTEGER, SubjectPublicKeyInfo with a SEQUENCE. */
static struct public_key *public_key_from_der(struct bytes der, struct errtext *err)
{
	struct reader all = reader_of(der), r = der_enter(&all, DER_SEQUENCE);
	struct key_algorithm a;
	struct bytes bits;

	if (!reader_done(&all)) {
		errtext_set(err, reader_ok(&all) ? "something follows the public key" : "it is not a public key in DER or PEM");
		return NULL;
	}
	if (der_next_is(&r, DER_INTEGER))
		return public_key_from_point(KEY_RSA, NULL, der, err);
	if (!key_algorithm_read(&r, &a, err))
		return NULL;
	bits = der_bits(&r);
	if (!reader_done(&r)) {
		errtext_set(err, "the SubjectPublicKeyInfo is malformed");
		return NULL;
	}
	return public_key_from_bits(&a, der, bits, err);
}

static bool pem_is_public(struct bytes label, const void *arg)
{
	return bytes_equal_str(label, "PUBLIC KEY") || bytes_equal_str(label, "RSA PUBLIC KEY");
}

struct public_key *public_key_parse(struct bytes data, enum key_type expected, struct errtext *err)
{
	struct buf der = { NULL, 0, 0 };
	struct public_key *k = NULL;
	struct bytes label;

	switch (der_is_whole(data, DER_SEQUENCE) ? PEM_NONE : pem_decode(data, pem_is_public, NULL, &der, &label, NULL)) {
	case PEM_NONE:
		k = public_key_from_der(data, err);
		break;
	case PEM_OTHER:
		errtext_set(err, "there is no public key among its PEM blocks, but %s", pem_other_text(label).s);
		break;
	case PEM_BAD:
		errtext_set(err, "the PEM block is malformed");
		break;
	case PEM_FOUND:
		k = public_key_from_der(buf_bytes(&der), err);
		break;
	}
	buf_free(&der);
	if (k && !key_is_expected(k->type, expected, err)) {
		public_key_unref(k);
		return NULL;
	}
	return k;
}
