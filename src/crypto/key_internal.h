/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CRYPTO_KEY_INTERNAL_H
#define BEWICK_CRYPTO_KEY_INTERNAL_H

#include <openssl/evp.h>

#include "crypto/der.h"
#include "crypto/key.h"

/* What the files key*.c and signature*.c share. */

#define RSA_BITS_MIN 1024u
#define RSA_BITS_MAX 16384u
#define RSA_EXPONENT_BITS_MAX 64u /* larger ones only make verification slow */

/* Object identifiers, content only. */
extern const struct bytes oid_rsa, oid_rsa_pss, oid_ec, oid_ed25519, oid_ed448;

struct key_curve {
	int nid;
	unsigned bits;
	unsigned len; /* bytes of a coordinate, and of a number below the order */
	const char *group; /* OpenSSL's name */
	struct bytes oid;
};
const struct key_curve *key_curve_by_oid(struct bytes oid); /* NULL: not one of ours */
const struct key_curve *key_curve_by_nid(int nid);

/* What an AlgorithmIdentifier says of a key. */
struct key_algorithm {
	enum key_type type;
	const struct key_curve *curve; /* ECDSA; NULL: not said */
	bool pss_only;
	uint8_t pss_hash;
};
/* Reads an AlgorithmIdentifier of a key. */
bool key_algorithm_read(struct reader *r, struct key_algorithm *ret, struct errtext *err);
/* The rest of r: the name of a curve. */
bool key_ec_parameters(struct reader *r, struct key_algorithm *ret, struct errtext *err);
/* Dotted, for error texts. */
struct text oid_text(struct bytes oid);

/* The bits of a SubjectPublicKeyInfo, checked; NULL: err says what is wrong. */
struct public_key *public_key_from_bits(const struct key_algorithm *a, struct bytes spki, struct bytes bits, struct errtext *err);
/* The SubjectPublicKeyInfo of a key; algorithm: a whole AlgorithmIdentifier. */
void key_spki_build(struct buf *ret, struct bytes algorithm, struct bytes bits);
/* The usual AlgorithmIdentifier. */
void key_algorithm_build(struct buf *ret, enum key_type type, const struct key_curve *curve);
/* From values, for formats that have no SubjectPublicKeyInfo. */
struct public_key *public_key_from_rsa(struct bytes n, struct bytes e, struct errtext *err);
struct public_key *public_key_from_point(enum key_type type, const struct key_curve *curve, struct bytes bits, struct errtext *err);
/* Whether the encoded point of Ed25519 (else Ed448) is one of a key: canonical, on the curve, not of a small order. */
struct result edwards_point_check(bool ed25519, struct bytes point);
bool key_is_expected(enum key_type type, enum key_type expected, struct errtext *err);

/* RSASSA-PSS-params (RFC 4055, 3.1) as signature.h has them. */
struct result pss_parameters_read(struct reader *r, unsigned *ret_hash, unsigned *ret_salt_len);

/* Signs by a key of this process. */
bool memory_sign(EVP_PKEY *evp, const struct public_key *k, const struct sig_scheme *s, const struct bytes *parts, size_t n_parts,
		 struct buf *ret, struct errtext *err);
const EVP_MD *hash_md(unsigned hash); /* enum hash_id; NULL: none */
bool hash_parts(unsigned hash, const struct bytes *parts, size_t n_parts, uint8_t digest[EVP_MAX_MD_SIZE]);
struct bytes pkcs1_digest_info(unsigned hash); /* DigestInfo without the hash (RFC 8017, 9.2, note 1) */
unsigned hash_len(unsigned hash);
/* The classic method of that curve and its hash (RFC 4754); 0: none. */
unsigned auth_method_of_curve(int nid, unsigned *ret_hash);
/* r and s of a signature, without leading zeroes; len: bytes of the curve's order. */
bool ecdsa_der_read(struct bytes der, unsigned len, struct bytes *ret_r, struct bytes *ret_s);
/* The hash that a PKCS#1 signature of that key says it is of, by the whole padding; 0: it is none. */
unsigned pkcs1_hash_find(const struct public_key *k, struct bytes signature);
/* What OpenSSL says of its last failure; the queue is empty then. */
const char *openssl_why(void);

#endif
