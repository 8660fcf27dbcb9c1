/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <stdlib.h>

#include "openssl.h"
#include "util/mem.h"

/*
 * Diffie-Hellman: MODP groups (RFC 3526), ECP groups (RFC 5903), Curve25519 and
 * Curve448 (RFC 8031). A key is an EVP_PKEY.
 *
 * Public values are checked here (RFC 6989) and libcrypto's own check is skipped: for MODP it would
 * raise to the power of q, six times the work of the exchange.
 */
#define MAX_PUBLIC 1024 /* MODP_8192 */

enum ke_kind { KIND_MODP, KIND_ECP, KIND_X };

struct ke {
	struct ke_impl impl;
	enum ke_kind kind;
	const char *group; /* libcrypto's name of the group, or of the key type for KIND_X */
	EVP_PKEY *
		params; /* MODP, ECP: the group. KIND_X: some key, whose type matters. Only read. */
	uint8_t *p_minus_1; /* MODP: the prime less one, init_len bytes */
};

static const struct ke *ke_of(const struct ke_impl *impl)
{
	return container_of(impl, struct ke, impl);
}

static void ke_key_free(void *key)
{
	EVP_PKEY_free(key);
}

/* Writes the public value as it goes onto the wire. */
static bool ke_public(const struct ke *ke, EVP_PKEY *key, uint8_t *ret_public)
{
	uint8_t encoded[1 + MAX_PUBLIC];
	size_t len,
		point = ke->kind ==
			KIND_ECP; /* RFC 5903, 6: x | y, without the 04 of an uncompressed point */

	if (EVP_PKEY_get_octet_string_param(key, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY, encoded,
					    sizeof(encoded), &len) != 1 ||
	    len != point + ke->impl.init_len)
		return false;
	memcpy(ret_public, encoded + point, ke->impl.init_len);
	return true;
}

static EVP_PKEY_CTX *ke_generator(const struct ke *ke)
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, ke->params, NULL);

	if (ctx && EVP_PKEY_keygen_init(ctx) == 1)
		return ctx;
	EVP_PKEY_CTX_free(ctx);
	return NULL;
}

/* A new key pair, by a context that can make more. */
static EVP_PKEY *ke_generate(const struct ke *ke, EVP_PKEY_CTX *generator, uint8_t *ret_public)
{
	EVP_PKEY *key = NULL;

	if (EVP_PKEY_generate(generator, &key) == 1 && ke_public(ke, key, ret_public))
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

static void *ke_initiate(const struct ke_impl *impl, uint8_t *ret_public)
{
	const struct ke *ke = ke_of(impl);
	EVP_PKEY_CTX *generator = ke_generator(ke);
	EVP_PKEY *key = generator ? ke_generate(ke, generator, ret_public) : NULL;

	EVP_PKEY_CTX_free(generator);
	return key;
}

/* RFC 6989, 2.1: 1 < r < p - 1. Our groups are of safe primes: no more is needed. */
static bool modp_valid(const struct ke *ke, struct bytes peer)
{
	uint8_t above = 0;

	for (size_t i = 0; i + 1 < peer.n; i++)
		above |= peer.p[i];
	if (!above && peer.p[peer.n - 1] <= 1)
		return false;
	return memcmp(peer.p, ke->p_minus_1, peer.n) < 0;
}

/* A key for ke_set_peer to fill. */
static EVP_PKEY *ke_peer_new(const struct ke *ke)
{
	EVP_PKEY *key = EVP_PKEY_new();

	if (key && EVP_PKEY_copy_parameters(key, ke->params) == 1)
		return key;
	EVP_PKEY_free(key);
	return NULL;
}

/* Makes key the peer's public value; false if it is not one. For points libcrypto checks that the
 * coordinates are below p and on the curve (RFC 6989, 2.3); these groups have no cofactor. */
static bool ke_set_peer(const struct ke *ke, EVP_PKEY *key, struct bytes peer)
{
	uint8_t encoded[1 + MAX_PUBLIC];
	size_t point = ke->kind == KIND_ECP;

	if (peer.n != ke->impl.init_len || (ke->kind == KIND_MODP && !modp_valid(ke, peer)))
		return false;
	encoded[0] = 0x04;
	memcpy(encoded + point, peer.p, peer.n);
	return EVP_PKEY_set1_encoded_public_key(key, encoded, point + peer.n) == 1;
}

/* RFC 7296, 2.14: g^ir is padded to the length of the modulus. */
static bool ke_derive(const struct ke *ke, EVP_PKEY *key, EVP_PKEY *peer, uint8_t *out)
{
	unsigned pad = 1;
	OSSL_PARAM params[] = { OSSL_PARAM_construct_uint(OSSL_EXCHANGE_PARAM_PAD, &pad),
				OSSL_PARAM_construct_end() };
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key, NULL);
	size_t len = ke->impl.secret_len;
	uint8_t any = 0;
	bool ok = ctx && EVP_PKEY_derive_init_ex(ctx, ke->kind == KIND_MODP ? params : NULL) == 1 &&
		  EVP_PKEY_derive_set_peer_ex(ctx, peer, 0) == 1 &&
		  EVP_PKEY_derive(ctx, out, &len) == 1 && len == ke->impl.secret_len;

	EVP_PKEY_CTX_free(ctx);
	for (size_t i = 0; ok && i < len; i++)
		any |= out[i];
	/* RFC 8031, 3.2: all zeros come from a point of small order. (On an ECP curve x may be 0.)
	 */
	return ok && (any || ke->kind != KIND_X);
}

static bool ke_finish(const struct ke_impl *impl, void *key, struct bytes peer_value,
		      struct secret *ret_secret)
{
	const struct ke *ke = ke_of(impl);
	EVP_PKEY *peer = ke_peer_new(ke);
	struct secret secret = { 0 };
	bool ok = peer && ke_set_peer(ke, peer, peer_value) &&
		  ke_derive(ke, key, peer, secret_alloc(&secret, impl->secret_len));

	EVP_PKEY_free(peer);
	if (!ok) {
		ERR_clear_error();
		secret_clear(&secret);
		return false;
	}
	secret_clear(ret_secret);
	*ret_secret = secret;
	return true;
}

/*
 * Of a responder: made once, as libcrypto looks through all names of all its algorithms for each context and each key
 * that it makes (four times 12,000 instructions). The own key is not kept: who keeps none can lose none.
 */
struct ke_ctx {
	EVP_PKEY_CTX *generator;
	EVP_PKEY *peer;
};

static void ke_ctx_free(void *arg)
{
	struct ke_ctx *ctx = arg;

	EVP_PKEY_CTX_free(ctx->generator);
	EVP_PKEY_free(ctx->peer);
	free(ctx);
}

static void *ke_ctx_new(const struct ke_impl *impl)
{
	struct ke_ctx *ctx = xcalloc(1, sizeof(*ctx));

	ctx->generator = ke_generator(ke_of(impl));
	ctx->peer = ke_peer_new(ke_of(impl));
	if (ctx->generator && ctx->peer)
		return ctx;
	ke_ctx_free(ctx);
	return NULL;
}

static bool ke_answer(const struct ke *ke, const struct ke_ctx *ctx, struct bytes peer_value, uint8_t *ret_public,
		      struct secret *secret)
{
	EVP_PKEY *key;
	bool ok;

	/* A bad value costs no key generation. */
	if (!ke_set_peer(ke, ctx->peer, peer_value))
		return false;
	key = ke_generate(ke, ctx->generator, ret_public);
	ok = key && ke_derive(ke, key, ctx->peer, secret_alloc(secret, ke->impl.secret_len));
	EVP_PKEY_free(key);
	return ok;
}

static bool ke_respond(const struct ke_impl *impl, void *arg, struct bytes peer_value, uint8_t *ret_public,
		       struct secret *ret_secret)
{
	struct ke_ctx *ctx = arg ? arg : ke_ctx_new(impl);
	struct secret secret = { 0 };
	bool ok = ctx && ke_answer(ke_of(impl), ctx, peer_value, ret_public, &secret);

	if (ctx && !arg)
		ke_ctx_free(ctx);
	if (!ok) {
		ERR_clear_error();
		secret_clear(&secret);
		return false;
	}
	secret_clear(ret_secret);
	*ret_secret = secret;
	return true;
}

static const char *ke_type(const struct ke *ke)
{
	switch (ke->kind) {
	case KIND_MODP:
		return "DH";
	case KIND_ECP:
		return "EC";
	case KIND_X:
		return ke->group;
	}
	return NULL;
}

/* A key or, with selection EVP_PKEY_KEY_PARAMETERS, a group without one. */
static EVP_PKEY *ke_from_data(const struct ke *ke, int selection, BIGNUM *private_value)
{
	OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, ke_type(ke), NULL);
	OSSL_PARAM *params = NULL;
	EVP_PKEY *key = NULL;

	if (build && ctx &&
	    OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, ke->group, 0) == 1 &&
	    (!private_value ||
	     OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_PRIV_KEY, private_value) == 1))
		params = OSSL_PARAM_BLD_to_param(build);
	if (!params || EVP_PKEY_fromdata_init(ctx) != 1 ||
	    EVP_PKEY_fromdata(ctx, &key, selection, params) != 1)
		key = NULL;
	OSSL_PARAM_free(params);
	OSSL_PARAM_BLD_free(build);
	EVP_PKEY_CTX_free(ctx);
	return key;
}

static void *ke_import(const struct ke_impl *impl, struct bytes private_value)
{
	const struct ke *ke = ke_of(impl);
	BIGNUM *bn;
	EVP_PKEY *key = NULL;

	if (ke->kind == KIND_X)
		return EVP_PKEY_new_raw_private_key_ex(NULL, ke->group, NULL, private_value.p,
						       private_value.n);
	bn = BN_secure_new();
	if (bn && BN_bin2bn(private_value.p, (int)private_value.n, bn))
		key = ke_from_data(ke, EVP_PKEY_KEYPAIR, bn);
	BN_clear_free(bn);
	return key;
}

/* clang-format off */
#define KE(ID, KIND, PUBLIC, SECRET, GROUP)                                                        \
	{ .impl = { .id = ID, .init_len = PUBLIC, .resp_len = PUBLIC, .secret_len = SECRET,        \
		    .plugin = OPENSSL_PLUGIN, .initiate = ke_initiate, .finish = ke_finish,        \
		    .key_free = ke_key_free, .import = ke_import, .ctx_new = ke_ctx_new,           \
		    .ctx_free = ke_ctx_free, .respond = ke_respond },                              \
	  .kind = KIND, .group = GROUP }
/* clang-format on */
#define MODP(BITS) KE(KE_MODP_##BITS, KIND_MODP, BITS / 8, BITS / 8, "modp_" #BITS)

static struct ke kes[] = {
	KE(KE_CURVE_25519, KIND_X, 32, 32, "X25519"),
	KE(KE_ECP_256, KIND_ECP, 64, 32, "P-256"),
	KE(KE_ECP_384, KIND_ECP, 96, 48, "P-384"),
	KE(KE_ECP_521, KIND_ECP, 132, 66, "P-521"),
	KE(KE_CURVE_448, KIND_X, 56, 56, "X448"),
	MODP(3072),
	MODP(4096),
	MODP(6144),
	MODP(8192),
	MODP(2048),
};

static bool ke_fetch_prime(struct ke *ke)
{
	BIGNUM *p = NULL;
	bool ok = EVP_PKEY_get_bn_param(ke->params, OSSL_PKEY_PARAM_FFC_P, &p) == 1 &&
		  BN_sub_word(p, 1) == 1;

	ke->p_minus_1 = xmalloc(ke->impl.init_len);
	ok = ok && BN_bn2binpad(p, ke->p_minus_1, ke->impl.init_len) == ke->impl.init_len;
	BN_free(p);
	return ok;
}

static bool ke_fetch(struct ke *ke)
{
	if (ke->kind == KIND_X)
		ke->params = EVP_PKEY_Q_keygen(NULL, NULL, ke->group);
	else
		ke->params = ke_from_data(ke, EVP_PKEY_KEY_PARAMETERS, NULL);
	return ke->params && (ke->kind != KIND_MODP || ke_fetch_prime(ke));
}

unsigned openssl_kes_add(struct crypto_registry *r)
{
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_LEN(kes); i++) {
		if (!ke_fetch(&kes[i]))
			openssl_lacks(kes[i].group);
		else
			n += crypto_add_ke(r, &kes[i].impl);
	}
	return n;
}

void openssl_kes_free(void)
{
	for (size_t i = 0; i < ARRAY_LEN(kes); i++) {
		EVP_PKEY_free(kes[i].params);
		free(kes[i].p_minus_1);
		kes[i].params = NULL;
		kes[i].p_minus_1 = NULL;
	}
}
