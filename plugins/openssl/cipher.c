/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

#include "openssl.h"
#include "util/mem.h"

/* The counter block that libcrypto wants, made of salt, IV and a block counter. */
#define CTR_BLOCK 16

struct cipher {
	struct cipher_impl impl;
	const char *name; /* libcrypto's */
	EVP_CIPHER *evp;
};

enum keyed {
	KEYED_NOT, /* the key is in `key` only */
	KEYED_ENCRYPT,
	KEYED_DECRYPT,
};

/* The key is set together with the IV, by the first use after ctx_key: one call to libcrypto is
 * cheaper than two, and for CBC the key schedule depends on the direction. */
struct cipher_ctx {
	EVP_CIPHER_CTX *evp;
	enum keyed keyed;
	uint8_t key[32];
};

static struct cipher *cipher_of(const struct cipher_impl *impl)
{
	return container_of(impl, struct cipher, impl);
}

static void cipher_ctx_free(void *arg)
{
	struct cipher_ctx *ctx = arg;

	EVP_CIPHER_CTX_free(ctx->evp);
	secret_wipe(ctx, sizeof(*ctx));
	free(ctx);
}

static EVP_CIPHER_CTX *evp_new(const struct cipher *c)
{
	size_t nonce_len = (size_t)c->impl.salt_len + c->impl.iv_len;
	size_t tag_len = c->impl.icv_len;
	OSSL_PARAM params[3] = { OSSL_PARAM_construct_end(), OSSL_PARAM_construct_end(),
				 OSSL_PARAM_construct_end() };
	EVP_CIPHER_CTX *evp = EVP_CIPHER_CTX_new();

	if (c->impl.aead) {
		params[0] = OSSL_PARAM_construct_size_t(OSSL_CIPHER_PARAM_AEAD_IVLEN, &nonce_len);
		/* CCM has to know the length of the tag from the start; the others take it from the
		 * tag. */
		if (EVP_CIPHER_get_mode(c->evp) == EVP_CIPH_CCM_MODE)
			params[1] = OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG,
								      NULL, tag_len);
	}
	/* libcrypto says "no padding" again with each IV, which costs; only CBC has any to switch off. */
	if (evp && EVP_CipherInit_ex2(evp, c->evp, NULL, NULL, 1, params) == 1 &&
	    (EVP_CIPHER_get_mode(c->evp) != EVP_CIPH_CBC_MODE || EVP_CIPHER_CTX_set_padding(evp, 0) == 1))
		return evp;
	EVP_CIPHER_CTX_free(evp);
	return NULL;
}

static void *cipher_ctx_new(const struct cipher_impl *impl)
{
	struct cipher_ctx *ctx = xcalloc(1, sizeof(*ctx));

	ctx->evp = evp_new(cipher_of(impl));
	if (ctx->evp)
		return ctx;
	cipher_ctx_free(ctx);
	return NULL;
}

static bool cipher_ctx_key(const struct cipher_impl *impl, void *arg, const uint8_t *key)
{
	struct cipher_ctx *ctx = arg;

	memcpy(ctx->key, key, impl->key_len);
	ctx->keyed = KEYED_NOT;
	return true;
}

static bool cipher_begin(struct cipher_ctx *ctx, const uint8_t *iv, enum keyed direction,
			 const OSSL_PARAM *params)
{
	const uint8_t *key = ctx->keyed == direction ? NULL : ctx->key;

	ctx->keyed = KEYED_NOT;
	if (EVP_CipherInit_ex2(ctx->evp, NULL, key, iv, direction == KEYED_ENCRYPT, params) != 1)
		return false;
	ctx->keyed = direction;
	return true;
}

/* ---- CBC (RFC 3602): the nonce is the IV ---- */

static bool cbc_run(void *arg, const uint8_t *iv, enum keyed direction, uint8_t *data, size_t n)
{
	struct cipher_ctx *ctx = arg;
	int len;

	return n <= INT32_MAX && cipher_begin(ctx, iv, direction, NULL) &&
	       EVP_CipherUpdate(ctx->evp, data, &len, data, (int)n) == 1 && (size_t)len == n;
}

static bool cbc_encrypt(const struct cipher_impl *impl, void *ctx, const uint8_t *nonce,
			struct bytes aad, uint8_t *data, size_t n, uint8_t *icv)
{
	return cbc_run(ctx, nonce, KEYED_ENCRYPT, data, n);
}

static bool cbc_decrypt(const struct cipher_impl *impl, void *ctx, const uint8_t *nonce,
			struct bytes aad, uint8_t *data, size_t n, const uint8_t *icv)
{
	return cbc_run(ctx, nonce, KEYED_DECRYPT, data, n);
}

/* ---- CTR (RFC 3686, 4): counter block = nonce | IV | 1; both directions encrypt ---- */

static bool ctr_run(void *ctx, const uint8_t *nonce, uint8_t *data, size_t n)
{
	uint8_t block[CTR_BLOCK] = { [CTR_BLOCK - 1] = 1 };

	memcpy(block, nonce, 12);
	return cbc_run(ctx, block, KEYED_ENCRYPT, data, n);
}

static bool ctr_encrypt(const struct cipher_impl *impl, void *ctx, const uint8_t *nonce,
			struct bytes aad, uint8_t *data, size_t n, uint8_t *icv)
{
	return ctr_run(ctx, nonce, data, n);
}

static bool ctr_decrypt(const struct cipher_impl *impl, void *ctx, const uint8_t *nonce,
			struct bytes aad, uint8_t *data, size_t n, const uint8_t *icv)
{
	return ctr_run(ctx, nonce, data, n);
}

/* ---- GCM (RFC 4106), ChaCha20-Poly1305 (RFC 7634), CCM (RFC 4309) ---- */

/* CCM has to know the length of the text before its AAD. */
static bool aead_lengths(const struct cipher_impl *impl, struct cipher_ctx *ctx, size_t n)
{
	int len;

	return EVP_CIPHER_get_mode(cipher_of(impl)->evp) != EVP_CIPH_CCM_MODE ||
	       EVP_CipherUpdate(ctx->evp, NULL, &len, NULL, (int)n) == 1;
}

static bool aead_text(struct cipher_ctx *ctx, struct bytes aad, uint8_t *data, size_t n)
{
	int len;

	if (aad.n && EVP_CipherUpdate(ctx->evp, NULL, &len, aad.p, (int)aad.n) != 1)
		return false;
	return EVP_CipherUpdate(ctx->evp, data, &len, data, (int)n) == 1 && (size_t)len == n;
}

static bool aead_encrypt(const struct cipher_impl *impl, void *arg, const uint8_t *nonce,
			 struct bytes aad, uint8_t *data, size_t n, uint8_t *icv)
{
	struct cipher_ctx *ctx = arg;
	OSSL_PARAM tag[] = { OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, icv,
							       impl->icv_len),
			     OSSL_PARAM_construct_end() };
	uint8_t none[1];
	int len;

	return n <= INT32_MAX && cipher_begin(ctx, nonce, KEYED_ENCRYPT, NULL) &&
	       aead_lengths(impl, ctx, n) && aead_text(ctx, aad, data, n) &&
	       EVP_CipherFinal_ex(ctx->evp, none, &len) == 1 &&
	       EVP_CIPHER_CTX_get_params(ctx->evp, tag) == 1;
}

static bool aead_decrypt(const struct cipher_impl *impl, void *arg, const uint8_t *nonce,
			 struct bytes aad, uint8_t *data, size_t n, const uint8_t *icv)
{
	struct cipher_ctx *ctx = arg;
	OSSL_PARAM tag[] = { OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG,
							       (void *)(uintptr_t)icv,
							       impl->icv_len),
			     OSSL_PARAM_construct_end() };
	bool ccm = EVP_CIPHER_get_mode(cipher_of(impl)->evp) == EVP_CIPH_CCM_MODE;
	uint8_t none[1];
	int len;

	/* CCM checks the tag together with the text and has no final step. */
	return n <= INT32_MAX && cipher_begin(ctx, nonce, KEYED_DECRYPT, tag) &&
	       aead_lengths(impl, ctx, n) && aead_text(ctx, aad, data, n) &&
	       (ccm || EVP_CipherFinal_ex(ctx->evp, none, &len) == 1);
}

/* ---- table ---- */

/* clang-format off */
#define COMMON .plugin = OPENSSL_PLUGIN, .ctx_new = cipher_ctx_new, .ctx_free = cipher_ctx_free, \
	       .ctx_key = cipher_ctx_key
#define CBC(BITS)                                                                                  \
	{ .impl = { .id = ENCR_AES_CBC, .key_bits = BITS, .key_len = BITS / 8, .iv_len = 16,       \
		    .block = 16, COMMON, .encrypt = cbc_encrypt, .decrypt = cbc_decrypt },         \
	  .name = "AES-" #BITS "-CBC" }
#define CTR(BITS)                                                                                  \
	{ .impl = { .id = ENCR_AES_CTR, .key_bits = BITS, .key_len = BITS / 8, .salt_len = 4,      \
		    .iv_len = 8, .block = 1, COMMON, .encrypt = ctr_encrypt,                       \
		    .decrypt = ctr_decrypt },                                                      \
	  .name = "AES-" #BITS "-CTR" }
#define AEAD(ID, BITS, KEY_LEN, SALT, ICV, NAME)                                                   \
	{ .impl = { .id = ID, .key_bits = BITS, .aead = true, .key_len = KEY_LEN,                  \
		    .salt_len = SALT, .iv_len = 8, .block = 1, .icv_len = ICV, COMMON,             \
		    .encrypt = aead_encrypt, .decrypt = aead_decrypt },                            \
	  .name = NAME }
#define GCM(ICV, BITS) AEAD(ENCR_AES_GCM_##ICV, BITS, BITS / 8, 4, ICV, "AES-" #BITS "-GCM")
#define CCM(ICV, BITS) AEAD(ENCR_AES_CCM_##ICV, BITS, BITS / 8, 3, ICV, "AES-" #BITS "-CCM")

static struct cipher ciphers[] = {
	CBC(128),     CBC(192),	    CBC(256),	  CTR(128),     CTR(192),     CTR(256),
	GCM(16, 128), GCM(16, 192), GCM(16, 256), GCM(12, 128), GCM(12, 192), GCM(12, 256),
	GCM(8, 128),  GCM(8, 192),  GCM(8, 256),  CCM(16, 128), CCM(16, 192), CCM(16, 256),
	CCM(12, 128), CCM(12, 192), CCM(12, 256), CCM(8, 128),  CCM(8, 192),  CCM(8, 256),
	AEAD(ENCR_CHACHA20_POLY1305, 0, 32, 4, 16, "ChaCha20-Poly1305"),
};
/* clang-format on */

unsigned openssl_ciphers_add(struct crypto_registry *r)
{
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_LEN(ciphers); i++) {
		ciphers[i].evp = EVP_CIPHER_fetch(NULL, ciphers[i].name, NULL);
		if (!ciphers[i].evp)
			openssl_lacks(ciphers[i].name);
		else if (crypto_add_cipher(r, &ciphers[i].impl))
			n++;
	}
	return n;
}

void openssl_ciphers_free(void)
{
	for (size_t i = 0; i < ARRAY_LEN(ciphers); i++) {
		EVP_CIPHER_free(ciphers[i].evp);
		ciphers[i].evp = NULL;
	}
}
