/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/crypto.h"

/* First 64 bits of each nonce, for PRFs whose key has a fixed length. */
#define FIXED_KEY_NONCE 8

static void put_u64(uint8_t *p, uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

/* RFC 7296, 2.14: SKEYSEED = prf(Ni | Nr, g^ir). */
static struct result skeyseed_first(struct crypto_ctx *c, const struct mac_impl *prf,
				    struct bytes shared, struct bytes ni, struct bytes nr,
				    uint8_t *seed)
{
	struct secret key = { 0 };
	struct result result;
	uint8_t *p;

	/* RFC 7296, 2.14: a PRF with a fixed key length takes the first 64 bits of each nonce. */
	if (prf->fixed_key) {
		if (ni.n < FIXED_KEY_NONCE || nr.n < FIXED_KEY_NONCE)
			return result_fail(RESULT_INVALID,
					   "a nonce is shorter than the PRF's key needs");
		ni.n = nr.n = FIXED_KEY_NONCE;
	}
	p = secret_alloc(&key, ni.n + nr.n);
	memcpy(p, ni.p, ni.n);
	memcpy(p + ni.n, nr.p, nr.n);
	result = crypto_prf_run(c, prf->id, secret_bytes(&key), &shared, 1, seed);
	secret_clear(&key);
	return result;
}

/* RFC 7296, 2.18: SKEYSEED = prf(SK_d (old), g^ir (new) | Ni | Nr), with the old SA's PRF. */
static struct result skeyseed_rekey(struct crypto_ctx *c, unsigned old_prf, struct bytes old_d,
				    struct bytes shared, struct bytes ni, struct bytes nr,
				    uint8_t *seed, size_t *ret_len)
{
	const struct mac_impl *prf = crypto_prf(crypto_ctx_registry(c), old_prf);
	struct bytes parts[] = { shared, ni, nr };

	if (!prf)
		return result_fail(RESULT_UNSUPPORTED, "no provider has the PRF of the old IKE_SA");
	TRY(crypto_prf_run(c, old_prf, old_d, parts, 3, seed));
	*ret_len = prf->out_len;
	return result_ok();
}

/* {SK_d | SK_ai | SK_ar | SK_ei | SK_er | SK_pi | SK_pr} = prf+(SKEYSEED, Ni | Nr | SPIi | SPIr) */
static struct result keys_expand(struct crypto_ctx *c, unsigned prf, struct bytes seed,
				 struct bytes ni, struct bytes nr, uint64_t spi_i, uint64_t spi_r,
				 struct ike_keys *keys)
{
	size_t n = (size_t)keys->d_len + 2 * ((size_t)keys->a_len + keys->e_len + keys->p_len);
	struct buf s = { 0 };
	uint8_t spis[16];
	struct result result;

	put_u64(spis, spi_i);
	put_u64(spis + 8, spi_r);
	buf_add_bytes(&s, ni);
	buf_add_bytes(&s, nr);
	buf_add(&s, spis, sizeof(spis));
	result = crypto_prf_plus(c, prf, seed, buf_bytes(&s), secret_alloc(&keys->all, n), n);
	buf_free(&s);
	if (!result_is_ok(result))
		secret_clear(&keys->all);
	return result;
}

struct result keys_derive_ike(struct crypto_ctx *c, const struct suite *s, struct bytes shared,
			      struct bytes ni, struct bytes nr, uint64_t spi_i, uint64_t spi_r,
			      unsigned old_prf, struct bytes old_d, struct ike_keys *ret_keys)
{
	const struct mac_impl *prf = crypto_prf(crypto_ctx_registry(c), s->prf);
	uint8_t seed[CRYPTO_MAX_MAC];
	struct ike_keys keys = { 0 };
	struct result result;
	struct protect p;
	size_t seed_len;

	if (!prf)
		return result_fail(RESULT_UNSUPPORTED, "no provider has the PRF");
	TRY(protect_init(crypto_ctx_registry(c), s, &p));
	seed_len = prf->out_len;
	result = old_d.n ? skeyseed_rekey(c, old_prf, old_d, shared, ni, nr, seed, &seed_len)
			 : skeyseed_first(c, prf, shared, ni, nr, seed);
	if (!result_is_ok(result))
		goto out;
	keys.d_len = keys.p_len = prf->key_len;
	keys.a_len = (uint8_t)protect_integ_key_len(&p);
	keys.e_len = (uint8_t)protect_encr_key_len(&p);
	result = keys_expand(c, s->prf, bytes_of(seed, seed_len), ni, nr, spi_i, spi_r, &keys);
	if (result_is_ok(result)) {
		secret_clear(&ret_keys->all);
		*ret_keys = keys;
	}
out:
	secret_wipe(seed, sizeof(seed));
	return result;
}

void ike_keys_forget_p(struct ike_keys *k)
{
	if (!k->p_len)
		return;
	secret_set(&k->all, bytes_of(k->all.p, k->all.n - 2 * (size_t)k->p_len));
	k->p_len = 0;
}

struct result keys_derive_child(struct crypto_ctx *c, unsigned prf, struct bytes sk_d,
				struct bytes shared, struct bytes ni, struct bytes nr,
				size_t encr_len, size_t integ_len, struct secret *ret_keymat)
{
	size_t n = 2 * (encr_len + integ_len);
	struct secret seed = { 0 }, keymat = { 0 };
	struct result result;
	uint8_t *p = secret_alloc(&seed, shared.n + ni.n + nr.n);

	/* RFC 7296, 2.17: KEYMAT = prf+(SK_d, [g^ir (new) |] Ni | Nr) */
	if (shared.n)
		memcpy(p, shared.p, shared.n);
	memcpy(p + shared.n, ni.p, ni.n);
	memcpy(p + shared.n + ni.n, nr.p, nr.n);
	result = crypto_prf_plus(c, prf, sk_d, secret_bytes(&seed), secret_alloc(&keymat, n), n);
	secret_clear(&seed);
	if (!result_is_ok(result)) {
		secret_clear(&keymat);
		return result;
	}
	secret_clear(ret_keymat);
	*ret_keymat = keymat;
	return result;
}

struct result keys_psk_auth(struct crypto_ctx *c, unsigned prf, struct bytes psk,
			    struct bytes message, struct bytes nonce, struct bytes sk_p,
			    struct bytes id_body, uint8_t *ret_auth, size_t *ret_len)
{
	const struct mac_impl *impl = crypto_prf(crypto_ctx_registry(c), prf);
	const struct bytes pad = bytes_str("Key Pad for IKEv2");
	uint8_t maced_id[CRYPTO_MAX_MAC], key[CRYPTO_MAX_MAC];
	struct result result;

	if (!impl)
		return result_fail(RESULT_UNSUPPORTED, "no provider has the PRF");
	/* RFC 7296, 2.15: AUTH = prf(prf(Shared Secret, "Key Pad for IKEv2"), <SignedOctets>) */
	result = crypto_prf_run(c, prf, psk, &pad, 1, key);
	if (!result_is_ok(result))
		goto out;
	result = crypto_prf_run(c, prf, sk_p, &id_body, 1, maced_id);
	if (!result_is_ok(result))
		goto out;
	struct bytes octets[] = { message, nonce, { maced_id, impl->out_len } };
	result = crypto_prf_run(c, prf, bytes_of(key, impl->out_len), octets, 3, ret_auth);
	if (result_is_ok(result))
		*ret_len = impl->out_len;
out:
	secret_wipe(key, sizeof(key));
	return result;
}
