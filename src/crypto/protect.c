/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ctx.h"

struct result protect_init(const struct crypto_registry *r, const struct suite *s,
			   struct protect *ret)
{
	struct protect p = { .cipher = crypto_cipher(r, s->encr, s->encr_bits),
			     .rng = crypto_rng(r) };

	if (!p.cipher)
		return result_fail(RESULT_UNSUPPORTED, "no provider has the encryption algorithm");
	if (!p.cipher->aead) {
		p.integ = crypto_integ(r, s->integ);
		if (!p.integ)
			return result_fail(RESULT_UNSUPPORTED,
					   "no provider has the integrity algorithm");
	}
	*ret = p;
	return result_ok();
}

/* salt | IV, from the end of the key and the packet. */
static void protect_nonce(const struct cipher_impl *cipher, const uint8_t *encr_key,
			  const uint8_t *iv, uint8_t nonce[CRYPTO_MAX_IV])
{
	memcpy(nonce, encr_key + cipher->key_len, cipher->salt_len);
	memcpy(nonce + cipher->salt_len, iv, cipher->iv_len);
}

struct result protect_seal(struct crypto_ctx *c, const struct protect *p, const uint8_t *encr_key,
			   const uint8_t *integ_key, uint8_t *packet, size_t aad_len, size_t n)
{
	const struct cipher_impl *cipher = p->cipher;
	void *ctx = ctx_of_cipher(c, cipher);
	uint8_t *iv = packet + aad_len, *data = iv + cipher->iv_len;
	struct bytes aad = bytes_of(packet, cipher->aead ? aad_len : 0);
	uint8_t nonce[CRYPTO_MAX_IV];

	if (!n || n % cipher->block)
		return result_fail(RESULT_INVALID,
				   "the plaintext is not padded to the cipher's block");
	protect_nonce(cipher, encr_key, iv, nonce);
	if (!ctx || !cipher->ctx_key(cipher, ctx, encr_key) ||
	    !cipher->encrypt(cipher, ctx, nonce, aad, data, n, data + n))
		return result_fail(RESULT_CRYPTO, "the provider failed to encrypt");
	if (cipher->aead)
		return result_ok();
	aad = bytes_of(packet, aad_len + cipher->iv_len + n);
	return crypto_mac(c, p->integ, bytes_of(integ_key, p->integ->key_len), &aad, 1, data + n);
}

struct result protect_open(struct crypto_ctx *c, const struct protect *p, const uint8_t *encr_key,
			   const uint8_t *integ_key, uint8_t *packet, size_t aad_len, size_t n)
{
	const struct cipher_impl *cipher = p->cipher;
	void *ctx = ctx_of_cipher(c, cipher);
	uint8_t *iv = packet + aad_len, *data = iv + cipher->iv_len;
	struct bytes aad = bytes_of(packet, cipher->aead ? aad_len : aad_len + cipher->iv_len + n);
	uint8_t nonce[CRYPTO_MAX_IV], icv[CRYPTO_MAX_MAC];

	if (!n || n % cipher->block)
		return result_fail(RESULT_INVALID,
				   "the ciphertext is not a multiple of the cipher's block");
	if (!cipher->aead) {
		TRY(crypto_mac(c, p->integ, bytes_of(integ_key, p->integ->key_len), &aad, 1, icv));
		if (!secret_equal(bytes_of(icv, p->integ->out_len),
				  bytes_of(data + n, p->integ->out_len)))
			return result_fail(RESULT_AUTH, "the integrity check failed");
	}
	protect_nonce(cipher, encr_key, iv, nonce);
	if (!ctx || !cipher->ctx_key(cipher, ctx, encr_key))
		return result_fail(RESULT_CRYPTO, "the provider failed to key the cipher");
	if (cipher->decrypt(cipher, ctx, nonce, aad, data, n, data + n))
		return result_ok();
	return cipher->aead ? result_fail(RESULT_AUTH, "the integrity check failed")
			    : result_fail(RESULT_CRYPTO, "the provider failed to decrypt");
}
