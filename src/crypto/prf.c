/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ctx.h"

static const char prf_missing[] = "no provider has the PRF";
static const char prf_failed[] = "the provider failed to compute the PRF";

struct result crypto_mac(struct crypto_ctx *c, const struct mac_impl *impl, struct bytes key,
			 const struct bytes *parts, size_t n_parts, uint8_t *out)
{
	void *ctx = ctx_of_mac(c, impl);

	if (!ctx || !impl->ctx_key(impl, ctx, key) || !impl->mac(impl, ctx, parts, n_parts, out))
		return result_fail(RESULT_CRYPTO, "the provider failed to compute the MAC");
	return result_ok();
}

struct result crypto_prf_run(struct crypto_ctx *c, unsigned prf, struct bytes key,
			     const struct bytes *parts, size_t n_parts, uint8_t *out)
{
	const struct mac_impl *impl = crypto_prf(crypto_ctx_registry(c), prf);
	void *ctx;

	if (!impl)
		return result_fail(RESULT_UNSUPPORTED, prf_missing);
	ctx = ctx_of_mac(c, impl);
	if (!ctx || !impl->ctx_key(impl, ctx, key) || !impl->mac(impl, ctx, parts, n_parts, out))
		return result_fail(RESULT_CRYPTO, prf_failed);
	return result_ok();
}

struct result crypto_prf_plus(struct crypto_ctx *c, unsigned prf, struct bytes key,
			      struct bytes seed, uint8_t *out, size_t n)
{
	const struct mac_impl *impl = crypto_prf(crypto_ctx_registry(c), prf);
	struct result result = result_fail(RESULT_CRYPTO, prf_failed);
	uint8_t t[CRYPTO_MAX_MAC];
	uint8_t counter = 0;
	void *ctx;

	if (!impl)
		return result_fail(RESULT_UNSUPPORTED, prf_missing);
	if (n > (size_t)255 * impl->out_len)
		return result_fail(RESULT_LIMIT, "more key material asked for than prf+ gives");
	ctx = ctx_of_mac(c, impl);
	if (!ctx || !impl->ctx_key(impl, ctx, key))
		return result;
	/* RFC 7296, 2.13: T1 = prf(K, S | 0x01), Tn = prf(K, Tn-1 | S | n) */
	while (n) {
		size_t take = n < impl->out_len ? n : impl->out_len;
		size_t prev = counter ? impl->out_len : 0;

		counter++;
		struct bytes parts[] = { { t, prev }, seed, { &counter, 1 } };
		if (!impl->mac(impl, ctx, parts, 3, t))
			goto out;
		memcpy(out, t, take);
		out += take;
		n -= take;
	}
	result = result_ok();
out:
	secret_wipe(t, sizeof(t));
	return result;
}

struct result crypto_hash(struct crypto_ctx *c, enum hash_id hash, const struct bytes *parts,
			  size_t n_parts, uint8_t *out)
{
	const struct hash_impl *impl = crypto_hasher(crypto_ctx_registry(c), hash);

	if (!impl)
		return result_fail(RESULT_UNSUPPORTED, "no provider has the hash");
	if (!impl->hash(impl, parts, n_parts, out))
		return result_fail(RESULT_CRYPTO, "the provider failed to compute the hash");
	return result_ok();
}
