/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CRYPTO_KEY_H
#define BEWICK_CRYPTO_KEY_H

#include <stdatomic.h>

#include "crypto/signature.h"
#include "util/bytes.h"
#include "util/result.h"

/*
 * Asymmetric keys: immutable, counted, for any thread. They are OpenSSL's inside, as certificates are; what a
 * signature looks like in IKE is in crypto/signature.h.
 */
enum key_type { KEY_ANY, KEY_RSA, KEY_ECDSA, KEY_ED25519, KEY_ED448 };
#define KEY_ID_LEN 20 /* SHA-1 */

struct public_key {
	atomic_uint refs;
	enum key_type type;
	unsigned bits;              /* RSA: of the modulus; else of the curve (256, 384, 512, 521; Ed25519 256, Ed448 456) */
	int curve;                  /* ECDSA: OpenSSL's NID */
	bool pss_only;              /* RSA: of id-RSASSA-PSS, which makes no other signatures (RFC 4055, 1.2), */
	uint8_t pss_hash;           /* and with parameters only of this hash; else 0 */
	uint8_t id[KEY_ID_LEN];     /* of the subjectPublicKey bits: the usual subjectKeyIdentifier, and VICI's key id */
	uint8_t spki_id[KEY_ID_LEN]; /* of the whole SubjectPublicKeyInfo: what CERTREQ names (RFC 7296, 3.7) */
	struct bytes spki;          /* DER */
	void *evp;                  /* EVP_PKEY */
};

/* DER or PEM of a SubjectPublicKeyInfo, or of a PKCS#1 RSAPublicKey; nothing may follow. NULL: err says what is wrong
 * (other algorithm, RSA below 1024 or above 16384 bits, even or tiny exponent, a point that is not on its curve). */
EXPORT struct public_key *public_key_parse(struct bytes data, enum key_type expected, struct errtext *err);
/* The public key of an IPSECKEY record (RFC 4025, 2.6, algorithms 1 to 4: DSA, which is refused, RSA, ECDSA, EdDSA). */
EXPORT struct public_key *public_key_parse_ipseckey(unsigned algorithm, struct bytes data, struct errtext *err);
/* The data of a DNSKEY or KEY record (RFC 4034, 2.1). */
EXPORT struct public_key *public_key_parse_dnskey(struct bytes rdata, struct errtext *err);
/* Any thread. */
EXPORT struct public_key *public_key_ref(const struct public_key *k);
EXPORT void public_key_unref(const struct public_key *k);
EXPORT bool public_key_equal(const struct public_key *a, const struct public_key *b);
EXPORT const char *key_type_name(enum key_type type); /* "RSA", "ECDSA", "ED25519", "ED448", "ANY" */
/* "RSA 2048", "ECDSA 256", "ED25519": for logs. */
EXPORT struct text public_key_text(const struct public_key *k);

/*
 * A private key; where it is, is its own affair: in this process, on a token, in the process that signs
 * (crypto/signer.h).
 */
struct private_key;
struct private_key_ops {
	/* Signs the concatenated parts. Any thread, several at once; may take its time unless `quick`. */
	bool (*sign)(const struct private_key *k, const struct sig_scheme *scheme, const struct bytes *parts, size_t n_parts,
		     struct buf *ret, struct errtext *err);
	void (*free)(struct private_key *k);
	bool quick; /* in memory: signing is computation only */
};
struct private_key {
	atomic_uint refs;
	const struct private_key_ops *ops;
	struct public_key *public;
};

/* DER or PEM of PKCS#1, SEC1 or PKCS#8, not encrypted. NULL: err says why. */
EXPORT struct private_key *private_key_parse(struct bytes data, enum key_type expected, struct errtext *err);
EXPORT struct private_key *private_key_ref(const struct private_key *k);
EXPORT void private_key_unref(const struct private_key *k);
EXPORT MUST_CHECK bool private_key_sign(const struct private_key *k, const struct sig_scheme *scheme, const struct bytes *parts,
					size_t n_parts, struct buf *ret, struct errtext *err);

#endif
