/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CRYPTO_ESP_CRYPT_H
#define BEWICK_CRYPTO_ESP_CRYPT_H

#include "crypto/crypto.h"

/*
 * Protection of ESP packets (RFC 4303) where we carry ESP ourselves: one context
 * per SA and direction, used by one thread at a time. The provider's contexts in it are made and keyed when the first packet comes.
 * Needs no crypto_ctx.
 *
 * packet: SPI (4) | sequence number (4) | IV | data | ICV, the ICV being
 * protect_icv_len() bytes, the IV cipher->iv_len.
 */
struct esp_crypt;

#define ESP_HEADER_LEN 8 /* SPI and sequence number */

/* encr_key: key | salt, protect_encr_key_len() bytes. Keys are copied; p is borrowed no longer than the
 * call, its implementations for the life of the context. */
EXPORT struct esp_crypt *esp_crypt_new(const struct protect *p, const uint8_t *encr_key, const uint8_t *integ_key);
EXPORT void esp_crypt_free(struct esp_crypt *c);
/*
 * Seals in place. The caller wrote SPI, sequence number and n_plain bytes of plaintext that end in pad length and next
 * header, padded to the cipher's block, and left room for the ICV. Writes the IV: for counter
 * modes the 64-bit sequence number (unique under a key as long as the number is), for CBC random.
 * seq_hi: the upper half of an extended sequence number; 0 without esn. False: the provider failed.
 */
EXPORT MUST_CHECK bool esp_crypt_seal(struct esp_crypt *c, uint8_t *packet, size_t n_plain, uint32_t seq_hi, bool esn);
/* The reverse, for n_cipher bytes between IV and ICV. False: forged, damaged or of an impossible
 * length; the content is then undefined. Says nothing of replays. */
EXPORT MUST_CHECK bool esp_crypt_open(struct esp_crypt *c, uint8_t *packet, size_t n_cipher, uint32_t seq_hi, bool esn);

#endif
