/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/evp.h>
#include <stdlib.h>

#include "openssl.h"
#include "util/mem.h"

/*
 * HMAC (RFC 2104) over libcrypto's digests. EVP_MAC would do, but takes twice the time for
 * the short messages and ever new keys of a key schedule.
 */
#define MAX_BLOCK 128

struct digest {
	const char *name; /* libcrypto's */
	EVP_MD *evp;
	uint8_t out_len;
	uint8_t block;
};

enum digest_index { SHA1, SHA256, SHA384, SHA512 };
static struct digest digests[] = {
	[SHA1] = { "SHA1", NULL, 20, 64 },
	[SHA256] = { "SHA2-256", NULL, 32, 64 },
	[SHA384] = { "SHA2-384", NULL, 48, 128 },
	[SHA512] = { "SHA2-512", NULL, 64, 128 },
};

struct hmac {
	struct mac_impl impl;
	enum digest_index digest;
};

struct hmac_ctx {
	EVP_MD_CTX *work;
	EVP_MD_CTX *inner; /* has hashed the inner pad, once the key is used a second time */
	EVP_MD_CTX *outer;
	const struct digest *digest;
	unsigned uses; /* since ctx_key, up to 2 */
	uint8_t ipad[MAX_BLOCK];
	uint8_t opad[MAX_BLOCK];
};

static void hmac_ctx_free(void *arg)
{
	struct hmac_ctx *ctx = arg;

	EVP_MD_CTX_free(ctx->work);
	EVP_MD_CTX_free(ctx->inner);
	EVP_MD_CTX_free(ctx->outer);
	secret_wipe(ctx, sizeof(*ctx));
	free(ctx);
}

static EVP_MD_CTX *md_ctx_new(const struct digest *d)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();

	if (md && EVP_DigestInit_ex2(md, d->evp, NULL) == 1)
		return md;
	EVP_MD_CTX_free(md);
	return NULL;
}

static void *hmac_ctx_new(const struct mac_impl *impl)
{
	const struct hmac *h = container_of(impl, struct hmac, impl);
	struct hmac_ctx *ctx = xcalloc(1, sizeof(*ctx));

	ctx->digest = &digests[h->digest];
	ctx->work = md_ctx_new(ctx->digest);
	ctx->inner = md_ctx_new(ctx->digest);
	ctx->outer = md_ctx_new(ctx->digest);
	if (ctx->work && ctx->inner && ctx->outer)
		return ctx;
	hmac_ctx_free(ctx);
	return NULL;
}

static bool md_update(EVP_MD_CTX *md, struct bytes data)
{
	return !data.n || EVP_DigestUpdate(md, data.p, data.n) == 1;
}

/* A NULL type keeps the digest and begins anew. */
static bool md_start(EVP_MD_CTX *md, struct bytes first)
{
	return EVP_DigestInit_ex2(md, NULL, NULL) == 1 && md_update(md, first);
}

static bool hmac_ctx_key(const struct mac_impl *impl, void *arg, struct bytes key)
{
	struct hmac_ctx *ctx = arg;
	uint8_t hashed[EVP_MAX_MD_SIZE];
	unsigned len;

	if (key.n > ctx->digest->block) {
		if (!md_start(ctx->work, key) || EVP_DigestFinal_ex(ctx->work, hashed, &len) != 1)
			return false;
		key = bytes_of(hashed, len);
	}
	memset(ctx->ipad, 0x36, sizeof(ctx->ipad));
	memset(ctx->opad, 0x5c, sizeof(ctx->opad));
	for (size_t i = 0; i < key.n; i++) {
		ctx->ipad[i] ^= key.p[i];
		ctx->opad[i] ^= key.p[i];
	}
	ctx->uses = 0;
	secret_wipe(hashed, sizeof(hashed));
	return true;
}

/* Brings `work` behind the pad: hashing it is cheaper for one use of a key, copying
 * a context for every further one. */
static bool hmac_begin(struct hmac_ctx *ctx, EVP_MD_CTX *ready, const uint8_t *pad)
{
	struct bytes block = bytes_of(pad, ctx->digest->block);

	if (ctx->uses == 0)
		return md_start(ctx->work, block);
	if (ctx->uses == 1 && !md_start(ready, block))
		return false;
	return EVP_MD_CTX_copy_ex(ctx->work, ready) == 1;
}

static bool hmac_mac(const struct mac_impl *impl, void *arg, const struct bytes *parts,
		     size_t n_parts, uint8_t *out)
{
	struct hmac_ctx *ctx = arg;
	uint8_t hash[EVP_MAX_MD_SIZE];
	unsigned len;

	if (!hmac_begin(ctx, ctx->inner, ctx->ipad))
		return false;
	for (size_t i = 0; i < n_parts; i++) {
		if (!md_update(ctx->work, parts[i]))
			return false;
	}
	if (EVP_DigestFinal_ex(ctx->work, hash, &len) != 1 ||
	    !hmac_begin(ctx, ctx->outer, ctx->opad) ||
	    EVP_DigestUpdate(ctx->work, hash, len) != 1 ||
	    EVP_DigestFinal_ex(ctx->work, hash, &len) != 1)
		return false;
	ctx->uses += ctx->uses < 2;
	memcpy(out, hash, impl->out_len);
	return true;
}

/* clang-format off */
#define HMAC(ID, KEY_LEN, OUT_LEN, DIGEST)                                                         \
	{ .impl = { .id = ID, .key_len = KEY_LEN, .out_len = OUT_LEN, .plugin = OPENSSL_PLUGIN,    \
		    .ctx_new = hmac_ctx_new, .ctx_free = hmac_ctx_free, .ctx_key = hmac_ctx_key,   \
		    .mac = hmac_mac },                                                             \
	  .digest = DIGEST }
/* clang-format on */

/* Lengths: RFC 2404 and RFC 4868. */
static const struct hmac integs[] = {
	HMAC(INTEG_HMAC_SHA2_256_128, 32, 16, SHA256),
	HMAC(INTEG_HMAC_SHA2_384_192, 48, 24, SHA384),
	HMAC(INTEG_HMAC_SHA2_512_256, 64, 32, SHA512),
	HMAC(INTEG_HMAC_SHA1_96, 20, 12, SHA1),
};

static const struct hmac prfs[] = {
	HMAC(PRF_HMAC_SHA2_256, 32, 32, SHA256),
	HMAC(PRF_HMAC_SHA2_384, 48, 48, SHA384),
	HMAC(PRF_HMAC_SHA2_512, 64, 64, SHA512),
	HMAC(PRF_HMAC_SHA1, 20, 20, SHA1),
};

/* ---- plain hashes ---- */

struct hasher {
	struct hash_impl impl;
	enum digest_index digest;
};

static bool hasher_run(const struct hash_impl *impl, const struct bytes *parts, size_t n_parts,
		       uint8_t *out)
{
	const struct hasher *h = container_of(impl, struct hasher, impl);
	EVP_MD_CTX *md = md_ctx_new(&digests[h->digest]);
	bool ok = md;

	for (size_t i = 0; ok && i < n_parts; i++)
		ok = md_update(md, parts[i]);
	ok = ok && EVP_DigestFinal_ex(md, out, NULL) == 1;
	EVP_MD_CTX_free(md);
	return ok;
}

/* clang-format off */
#define HASHER(ID, OUT_LEN, DIGEST)                                                                \
	{ .impl = { .id = ID, .out_len = OUT_LEN, .plugin = OPENSSL_PLUGIN, .hash = hasher_run },  \
	  .digest = DIGEST }
/* clang-format on */

static const struct hasher hashers[] = {
	HASHER(HASH_SHA1, 20, SHA1),
	HASHER(HASH_SHA2_256, 32, SHA256),
	HASHER(HASH_SHA2_384, 48, SHA384),
	HASHER(HASH_SHA2_512, 64, SHA512),
};

unsigned openssl_hmacs_add(struct crypto_registry *r)
{
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_LEN(digests); i++) {
		digests[i].evp = EVP_MD_fetch(NULL, digests[i].name, NULL);
		if (!digests[i].evp)
			openssl_lacks(digests[i].name);
	}
	for (size_t i = 0; i < ARRAY_LEN(integs); i++)
		n += digests[integs[i].digest].evp && crypto_add_integ(r, &integs[i].impl);
	for (size_t i = 0; i < ARRAY_LEN(prfs); i++)
		n += digests[prfs[i].digest].evp && crypto_add_prf(r, &prfs[i].impl);
	for (size_t i = 0; i < ARRAY_LEN(hashers); i++)
		n += digests[hashers[i].digest].evp && crypto_add_hash(r, &hashers[i].impl);
	return n;
}

void openssl_hmacs_free(void)
{
	for (size_t i = 0; i < ARRAY_LEN(digests); i++) {
		EVP_MD_free(digests[i].evp);
		digests[i].evp = NULL;
	}
}
