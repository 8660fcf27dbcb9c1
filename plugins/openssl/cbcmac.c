/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/evp.h>
#include <stdlib.h>

#include "openssl.h"
#include "util/mem.h"

/*
 * AES-XCBC-MAC (RFC 3566) and AES-CMAC (RFC 4493): CBC-MACs whose last block is changed
 * by one of two values made from the key, as it is whole or was padded.
 */
#define BLOCK 16
#define CHUNK 512 /* bytes per call of libcrypto, which wants room for the ciphertext */

static EVP_CIPHER *aes_cbc, *aes_ecb;

struct cbcmac {
	struct mac_impl impl;
	bool xcbc; /* else CMAC */
};

struct cbcmac_ctx {
	EVP_CIPHER_CTX *ecb;
	EVP_CIPHER_CTX *cbc;
	uint8_t whole[BLOCK];  /* into a last block that is whole */
	uint8_t padded[BLOCK]; /* into one that was padded */
	uint8_t last[BLOCK];   /* held back until it is known whether it is the last */
	size_t last_n;
};

static void cbcmac_ctx_free(void *arg)
{
	struct cbcmac_ctx *ctx = arg;

	EVP_CIPHER_CTX_free(ctx->ecb);
	EVP_CIPHER_CTX_free(ctx->cbc);
	secret_wipe(ctx, sizeof(*ctx));
	free(ctx);
}

static EVP_CIPHER_CTX *aes_new(const EVP_CIPHER *cipher)
{
	EVP_CIPHER_CTX *evp = EVP_CIPHER_CTX_new();

	if (evp && EVP_EncryptInit_ex2(evp, cipher, NULL, NULL, NULL) == 1 &&
	    EVP_CIPHER_CTX_set_padding(evp, 0) == 1)
		return evp;
	EVP_CIPHER_CTX_free(evp);
	return NULL;
}

static void *cbcmac_ctx_new(const struct mac_impl *impl)
{
	struct cbcmac_ctx *ctx = xcalloc(1, sizeof(*ctx));

	ctx->ecb = aes_new(aes_ecb);
	ctx->cbc = aes_new(aes_cbc);
	if (ctx->ecb && ctx->cbc)
		return ctx;
	cbcmac_ctx_free(ctx);
	return NULL;
}

/* RFC 4493, 2.3: multiplication by x in GF(2^128). */
static void block_double(const uint8_t *in, uint8_t *out)
{
	uint8_t carry = in[0] >> 7;

	for (size_t i = 0; i < BLOCK; i++)
		out[i] = (uint8_t)(in[i] << 1 | (i + 1 < BLOCK ? in[i + 1] >> 7 : 0));
	out[BLOCK - 1] ^= carry ? 0x87 : 0;
}

static bool cbcmac_set_key(bool xcbc, struct cbcmac_ctx *ctx, const uint8_t *key)
{
	uint8_t blocks[3 * BLOCK] = { 0 };
	bool ok;
	int len;

	/* RFC 3566, 4: K1, K2, K3 = E(K, 0x01..), E(K, 0x02..), E(K, 0x03..) */
	for (size_t i = 0; xcbc && i < sizeof(blocks); i++)
		blocks[i] = (uint8_t)(1 + i / BLOCK);
	ok = EVP_EncryptInit_ex2(ctx->ecb, NULL, key, NULL, NULL) == 1 &&
	     EVP_EncryptUpdate(ctx->ecb, blocks, &len, blocks, xcbc ? 3 * BLOCK : BLOCK) == 1;
	if (xcbc) {
		memcpy(ctx->whole, blocks + BLOCK, BLOCK);
		memcpy(ctx->padded, blocks + 2 * BLOCK, BLOCK);
	} else {
		block_double(blocks, ctx->whole);
		block_double(ctx->whole, ctx->padded);
	}
	ok = ok && EVP_EncryptInit_ex2(ctx->cbc, NULL, xcbc ? blocks : key, NULL, NULL) == 1;
	secret_wipe(blocks, sizeof(blocks));
	return ok;
}

static bool cbcmac_encrypt(struct cbcmac_ctx *ctx, const uint8_t *in, size_t n, uint8_t *out)
{
	int len;

	return EVP_EncryptUpdate(ctx->cbc, out, &len, in, (int)n) == 1;
}

static bool cbcmac_update(struct cbcmac_ctx *ctx, struct bytes data)
{
	uint8_t scratch[CHUNK];

	while (data.n) {
		size_t take;

		if (ctx->last_n == BLOCK) {
			if (!cbcmac_encrypt(ctx, ctx->last, BLOCK, scratch))
				return false;
			ctx->last_n = 0;
		}
		if (ctx->last_n == 0 && data.n > BLOCK) {
			take = (data.n - 1) / BLOCK * BLOCK;
			take = take < CHUNK ? take : CHUNK;
			if (!cbcmac_encrypt(ctx, data.p, take, scratch))
				return false;
		} else {
			take = data.n < BLOCK - ctx->last_n ? data.n : BLOCK - ctx->last_n;
			memcpy(ctx->last + ctx->last_n, data.p, take);
			ctx->last_n += take;
		}
		data.p += take;
		data.n -= take;
	}
	return true;
}

static bool cbcmac_final(struct cbcmac_ctx *ctx, uint8_t out[BLOCK])
{
	const uint8_t *mix = ctx->whole;

	if (ctx->last_n < BLOCK) {
		memset(ctx->last + ctx->last_n, 0, BLOCK - ctx->last_n);
		ctx->last[ctx->last_n] = 0x80;
		mix = ctx->padded;
	}
	for (size_t i = 0; i < BLOCK; i++)
		ctx->last[i] ^= mix[i];
	return cbcmac_encrypt(ctx, ctx->last, BLOCK, out);
}

static bool cbcmac_mac(const struct mac_impl *impl, void *arg, const struct bytes *parts,
		       size_t n_parts, uint8_t *out)
{
	static const uint8_t zero_iv[BLOCK];
	struct cbcmac_ctx *ctx = arg;
	uint8_t mac[BLOCK];

	ctx->last_n = 0;
	if (EVP_EncryptInit_ex2(ctx->cbc, NULL, NULL, zero_iv, NULL) != 1)
		return false;
	for (size_t i = 0; i < n_parts; i++) {
		if (!cbcmac_update(ctx, parts[i]))
			return false;
	}
	if (!cbcmac_final(ctx, mac))
		return false;
	memcpy(out, mac, impl->out_len);
	return true;
}

static bool integ_ctx_key(const struct mac_impl *impl, void *arg, struct bytes key)
{
	return key.n == BLOCK &&
	       cbcmac_set_key(container_of(impl, struct cbcmac, impl)->xcbc, arg, key.p);
}

/* Keys of other lengths: RFC 4434, 2 pads a short one with zeros and condenses a long one;
 * RFC 4615, 3 condenses both. */
static bool prf_ctx_key(const struct mac_impl *impl, void *arg, struct bytes key)
{
	bool xcbc = container_of(impl, struct cbcmac, impl)->xcbc, ok;
	uint8_t exact[BLOCK] = { 0 };

	if (key.n == BLOCK)
		return cbcmac_set_key(xcbc, arg, key.p);
	if (xcbc && key.n < BLOCK) {
		if (key.n)
			memcpy(exact, key.p, key.n);
		ok = true;
	} else {
		ok = cbcmac_set_key(xcbc, arg, exact) && cbcmac_mac(impl, arg, &key, 1, exact);
	}
	ok = ok && cbcmac_set_key(xcbc, arg, exact);
	secret_wipe(exact, sizeof(exact));
	return ok;
}

/* clang-format off */
#define CBCMAC(ID, OUT_LEN, PRF, XCBC, KEY_FN)                                                     \
	{ .impl = { .id = ID, .key_len = BLOCK, .out_len = OUT_LEN, .fixed_key = PRF,              \
		    .plugin = OPENSSL_PLUGIN, .ctx_new = cbcmac_ctx_new,                           \
		    .ctx_free = cbcmac_ctx_free, .ctx_key = KEY_FN, .mac = cbcmac_mac },           \
	  .xcbc = XCBC }
/* clang-format on */

static const struct cbcmac integs[] = {
	CBCMAC(INTEG_AES_XCBC_96, 12, false, true, integ_ctx_key),
	CBCMAC(INTEG_AES_CMAC_96, 12, false, false, integ_ctx_key),
};

static const struct cbcmac prfs[] = {
	CBCMAC(PRF_AES128_XCBC, BLOCK, true, true, prf_ctx_key),
	CBCMAC(PRF_AES128_CMAC, BLOCK, true, false, prf_ctx_key),
};

unsigned openssl_cbcmacs_add(struct crypto_registry *r)
{
	unsigned n = 0;

	aes_cbc = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL);
	aes_ecb = EVP_CIPHER_fetch(NULL, "AES-128-ECB", NULL);
	if (!aes_cbc || !aes_ecb) {
		openssl_lacks("AES-128 for AES-XCBC and AES-CMAC");
		return 0;
	}
	for (size_t i = 0; i < ARRAY_LEN(integs); i++)
		n += crypto_add_integ(r, &integs[i].impl);
	for (size_t i = 0; i < ARRAY_LEN(prfs); i++)
		n += crypto_add_prf(r, &prfs[i].impl);
	return n;
}

void openssl_cbcmacs_free(void)
{
	EVP_CIPHER_free(aes_cbc);
	EVP_CIPHER_free(aes_ecb);
	aes_cbc = aes_ecb = NULL;
}
