/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CRYPTO_SIGNATURE_H
#define BEWICK_CRYPTO_SIGNATURE_H

#include "crypto/crypto.h"

/* Signatures as IKE has them: RFC 7427 (method 14) and the methods before it (1, 9, 10, 11). */
enum sig_kind { SIG_NONE, SIG_RSA_PKCS1, SIG_RSA_PSS, SIG_ECDSA, SIG_ED25519, SIG_ED448 };

struct sig_scheme {
	uint8_t kind; /* enum sig_kind */
	uint8_t hash; /* enum hash_id; HASH_IDENTITY for the Edwards curves */
	uint8_t salt_len; /* PSS: the hash's length */
};

/* Sets of hashes: bits 1 << enum hash_id. */
#define HASH_BIT(hash) (1u << (hash))

struct public_key;

/* "RSA_EMSA_PKCS1_SHA2_256", "RSA_EMSA_PSS_SHA2_256", "ECDSA_WITH_SHA256_DER", "ED25519": for logs. */
EXPORT const char *sig_scheme_name(const struct sig_scheme *s);
/*
 * The AlgorithmIdentifier of RFC 7427, appendix A: strict DER, parameters as that appendix has them (NULL for PKCS#1, absent for
 * ECDSA and the Edwards curves; PSS with explicit SHA-2, MGF1 of the same hash, salt of its length, trailer 1). Unknown ones
 * are RESULT_UNSUPPORTED, odd ones RESULT_INVALID.
 */
EXPORT MUST_CHECK struct result sig_scheme_parse(struct bytes der, struct sig_scheme *ret);
EXPORT struct bytes sig_scheme_der(const struct sig_scheme *s); /* constant */
/* Whether keys of that type can make it (P-256 with any hash by RFC 7427; by the classic methods only the one of the curve). */
EXPORT bool sig_scheme_fits(const struct sig_scheme *s, const struct public_key *k);
/* The signature over the concatenated parts. Strict: the whole padding is compared (PKCS#1), minimal DER (ECDSA), canonical lengths.
 * RESULT_AUTH: it is not the key's. */
EXPORT MUST_CHECK struct result public_key_verify(const struct public_key *k, const struct sig_scheme *s, const struct bytes *parts,
						  size_t n_parts, struct bytes signature);

/*
 * AUTH payload data of a signature. Method 14: length, AlgorithmIdentifier and signature (RFC 7427, 3). Method 1: RSA PKCS#1
 * (SHA-1, or SHA-2 as some do: RFC 7296, 2.15). 9, 10, 11: r | s of fixed length (RFC 4754) from the DER that keys make.
 */
EXPORT MUST_CHECK struct result auth_signature_write(unsigned method, const struct sig_scheme *s, const struct public_key *k,
						     struct bytes signature, struct buf *ret);
/* The scheme and the signature as public_key_verify wants it (into scratch or a view of data). */
EXPORT MUST_CHECK struct result auth_signature_parse(unsigned method, struct bytes data, const struct public_key *k,
						     struct sig_scheme *ret_scheme, struct buf *scratch, struct bytes *ret_signature);
/* The best scheme for our key: the peer's hashes (bits; 0: it has no RFC 7427, so a classic method), those that policy allows (0: it says
 * nothing: any but SHA-1, and that only where method 1 has nothing else), pss: RSA keys use PSS. ret_method is the AUTH method. False: there is none. */
EXPORT bool sig_scheme_choose(const struct public_key *k, unsigned peer_hashes, unsigned allowed_hashes, bool pss,
			      struct sig_scheme *ret_scheme, unsigned *ret_method);
/* All of them by the same arguments, the best first; for RSA keys those of the other padding follow, if there is one of the wanted. */
#define SIG_SCHEMES_MAX 8
EXPORT size_t sig_scheme_list(const struct public_key *k, unsigned peer_hashes, unsigned allowed_hashes, bool pss,
			      struct sig_scheme ret[SIG_SCHEMES_MAX], unsigned *ret_method);
/* Our SIGNATURE_HASH_ALGORITHMS (RFC 7427, 4): bits. */
#define SIG_HASHES (HASH_BIT(HASH_SHA2_256) | HASH_BIT(HASH_SHA2_384) | HASH_BIT(HASH_SHA2_512) | HASH_BIT(HASH_IDENTITY))

#endif
