/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CRYPTO_KAT_VECTORS_H
#define BEWICK_CRYPTO_KAT_VECTORS_H

#include "crypto/crypto.h"

/* Known answers, all in hex, with the place they were taken from. */
struct kat_cipher {
	uint16_t id, key_bits;
	const char *origin;
	const char *key;
	const char *nonce; /* salt | IV */
	const char *aad;
	const char *plain;
	const char *cipher; /* with the ICV behind. GCM's shorter ICVs are the start of the long one. */
};

struct kat_mac {
	uint16_t id;
	const char *origin;
	const char *key, *data, *mac;
};

struct kat_hash {
	uint16_t id;
	const char *origin;
	const char *data, *hash;
};

struct kat_ke {
	uint16_t id;
	const char *origin;
	const char *private_value, *peer, *secret;
	const char *bad_peer; /* must be refused (RFC 6989, RFC 8031) */
};

/* The peer's value is 2^(bits - 1). */
struct kat_modp {
	uint16_t id;
	const char *private_value;
	const char *secret; /* its first bytes */
};

extern const struct kat_cipher kat_ciphers[];
extern const size_t kat_ciphers_count;
extern const struct kat_mac kat_integs[];
extern const size_t kat_integs_count;
extern const struct kat_mac kat_prfs[];
extern const size_t kat_prfs_count;
extern const struct kat_hash kat_hashes[];
extern const size_t kat_hashes_count;
extern const struct kat_ke kat_kes[];
extern const size_t kat_kes_count;
extern const struct kat_modp kat_modps[];
extern const size_t kat_modps_count;

#endif
