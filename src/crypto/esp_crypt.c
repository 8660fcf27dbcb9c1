/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/esp_crypt.h"

#include <stdlib.h>

#include "util/mem.h"

/* IVs for CBC are fetched in batches: most of the cost is the call. */
#define IV_POOL 256

struct esp_crypt {
	const struct cipher_impl *cipher;
	const struct mac_impl *integ;
	const struct rng_impl *rng;
	void *cipher_ctx; /* NULL until there was a packet, as the next */
	void *integ_ctx;
	bool ready; /* they have their keys */
	uint8_t nonce[CRYPTO_MAX_IV]; /* begins with the salt */
	uint8_t *iv_pool;	      /* CBC that sealed something, else NULL */
	size_t iv_left;		      /* bytes at the end of iv_pool not used yet */
	uint8_t keys[];		      /* of the cipher, without salt; of the integrity algorithm */
};

static void put_u32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

struct esp_crypt *esp_crypt_new(const struct protect *p, const uint8_t *encr_key,
				const uint8_t *integ_key)
{
	size_t n = p->cipher->key_len, n_integ = protect_integ_key_len(p);
	struct esp_crypt *c = xcalloc(1, sizeof(*c) + n + n_integ);

	c->cipher = p->cipher;
	c->integ = p->integ;
	c->rng = p->rng;
	memcpy(c->nonce, encr_key + n, p->cipher->salt_len);
	memcpy(c->keys, encr_key, n);
	if (n_integ)
		memcpy(c->keys + n, integ_key, n_integ);
	return c;
}

/* The contexts are many times larger than the keys, and most SAs are idle: the first packet makes them. */
static bool esp_crypt_begin(struct esp_crypt *c)
{
	if (c->ready)
		return true;
	if (!c->cipher_ctx)
		c->cipher_ctx = c->cipher->ctx_new(c->cipher);
	if (!c->cipher_ctx || !c->cipher->ctx_key(c->cipher, c->cipher_ctx, c->keys))
		return false;
	if (c->integ && !c->integ_ctx)
		c->integ_ctx = c->integ->ctx_new(c->integ);
	if (c->integ && (!c->integ_ctx || !c->integ->ctx_key(c->integ, c->integ_ctx,
							     bytes_of(c->keys + c->cipher->key_len, c->integ->key_len))))
		return false;
	c->ready = true;
	return true;
}

void esp_crypt_free(struct esp_crypt *c)
{
	if (!c)
		return;
	if (c->cipher_ctx)
		c->cipher->ctx_free(c->cipher_ctx);
	if (c->integ_ctx)
		c->integ->ctx_free(c->integ_ctx);
	free(c->iv_pool);
	secret_wipe(c, sizeof(*c) + c->cipher->key_len + (c->integ ? c->integ->key_len : 0));
	free(c);
}

/* RFC 3602, 3: the IV of CBC must be unpredictable. */
static bool esp_iv_random(struct esp_crypt *c, uint8_t *iv)
{
	size_t n = c->cipher->iv_len;

	if (!c->iv_pool)
		c->iv_pool = xmalloc(IV_POOL);
	if (c->iv_left < n) {
		if (!c->rng->random(c->iv_pool, IV_POOL))
			return false;
		c->iv_left = IV_POOL;
	}
	memcpy(iv, c->iv_pool + IV_POOL - c->iv_left, n);
	c->iv_left -= n;
	return true;
}

/* A cipher with a salt is a counter mode: its IV need only be unique (RFC 4106, 3.1; RFC 3686, 3.1;
 * RFC 4309, 3.1; RFC 7634, 2), and the 64-bit sequence number is. */
static bool esp_iv(struct esp_crypt *c, const uint8_t *packet, uint8_t *iv, uint32_t seq_hi)
{
	if (!c->cipher->salt_len)
		return esp_iv_random(c, iv);
	if (c->cipher->iv_len > 8)
		memset(iv, 0, c->cipher->iv_len - 8u);
	put_u32(iv + c->cipher->iv_len - 8, seq_hi);
	memcpy(iv + c->cipher->iv_len - 4, packet + 4, 4);
	return true;
}

static void esp_nonce(struct esp_crypt *c, const uint8_t *iv)
{
	size_t n = c->cipher->iv_len;

	if (n == 8) /* nearly always; and then it is one instruction */
		memcpy(c->nonce + c->cipher->salt_len, iv, 8);
	else
		memcpy(c->nonce + c->cipher->salt_len, iv, n);
}

/* RFC 4106, 5: the AAD is SPI | sequence number, the latter in 8 bytes with ESN. */
static struct bytes esp_aad(const uint8_t *packet, uint32_t seq_hi, bool esn, uint8_t space[12])
{
	if (!esn)
		return bytes_of(packet, ESP_HEADER_LEN);
	memcpy(space, packet, 4);
	put_u32(space + 4, seq_hi);
	memcpy(space + 8, packet + 4, 4);
	return bytes_of(space, 12);
}

/* RFC 4303, 3.3.2.1: over the packet up to the ICV, and the upper half of an ESN. */
static bool esp_mac(struct esp_crypt *c, const uint8_t *packet, size_t n, uint32_t seq_hi, bool esn,
		    uint8_t *icv)
{
	uint8_t high[4];
	struct bytes parts[] = { { packet, n }, { high, 4 } };

	put_u32(high, seq_hi);
	return c->integ->mac(c->integ, c->integ_ctx, parts, esn ? 2 : 1, icv);
}

bool esp_crypt_seal(struct esp_crypt *c, uint8_t *packet, size_t n_plain, uint32_t seq_hi, bool esn)
{
	const struct cipher_impl *cipher = c->cipher;
	uint8_t *iv = packet + ESP_HEADER_LEN, *data = iv + cipher->iv_len;
	uint8_t space[12];

	if (!n_plain || n_plain % cipher->block || !esp_crypt_begin(c) || !esp_iv(c, packet, iv, seq_hi))
		return false;
	esp_nonce(c, iv);
	if (cipher->aead)
		return cipher->encrypt(cipher, c->cipher_ctx, c->nonce,
				       esp_aad(packet, seq_hi, esn, space), data, n_plain,
				       data + n_plain);
	return cipher->encrypt(cipher, c->cipher_ctx, c->nonce, BYTES_NONE, data, n_plain, NULL) &&
	       esp_mac(c, packet, ESP_HEADER_LEN + cipher->iv_len + n_plain, seq_hi, esn,
		       data + n_plain);
}

bool esp_crypt_open(struct esp_crypt *c, uint8_t *packet, size_t n_cipher, uint32_t seq_hi,
		    bool esn)
{
	const struct cipher_impl *cipher = c->cipher;
	uint8_t *iv = packet + ESP_HEADER_LEN, *data = iv + cipher->iv_len;
	uint8_t space[12], icv[CRYPTO_MAX_MAC];

	if (!n_cipher || n_cipher % cipher->block || !esp_crypt_begin(c))
		return false;
	esp_nonce(c, iv);
	if (cipher->aead)
		return cipher->decrypt(cipher, c->cipher_ctx, c->nonce,
				       esp_aad(packet, seq_hi, esn, space), data, n_cipher,
				       data + n_cipher);
	return esp_mac(c, packet, ESP_HEADER_LEN + cipher->iv_len + n_cipher, seq_hi, esn, icv) &&
	       secret_equal(bytes_of(icv, c->integ->out_len),
			    bytes_of(data + n_cipher, c->integ->out_len)) &&
	       cipher->decrypt(cipher, c->cipher_ctx, c->nonce, BYTES_NONE, data, n_cipher, NULL);
}
