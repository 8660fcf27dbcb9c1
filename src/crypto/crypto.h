/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CRYPTO_CRYPTO_H
#define BEWICK_CRYPTO_CRYPTO_H

#include "proto/proposal.h"
#include "util/secret.h"

/*
 * The algorithm registry and what workers do with it. Providers (plugins) register
 * implementations; each passes known-answer tests or is refused. The registry
 * is frozen before workers start and is then read without locks. First registered wins.
 *
 * A crypto_ctx belongs to one thread. It holds one context per algorithm, re-keyed
 * per message, so that an idle SA holds keys and no contexts, and a pool of random bytes.
 */
struct crypto_registry;
struct crypto_ctx;

/* ---- implementations, for providers ---- */

/* Encryption, AEAD or classic. Lengths in bytes. */
struct cipher_impl {
	uint16_t id;       /* enum encr_id */
	uint16_t key_bits; /* 0 for one-size ciphers */
	bool aead;
	uint8_t key_len;  /* without salt */
	uint8_t salt_len; /* part of the key material, in front of the IV in the nonce */
	uint8_t iv_len;   /* explicit, on the wire */
	uint8_t block;    /* padding granularity: 16 for CBC, 1 for counter modes */
	uint8_t icv_len;  /* AEAD only */
	const char *plugin;
	void *(*ctx_new)(const struct cipher_impl *impl);
	void (*ctx_free)(void *ctx);
	/* key: key_len bytes. Kept in ctx until the next call. */
	bool (*ctx_key)(const struct cipher_impl *impl, void *ctx, const uint8_t *key);
	/* In place. nonce: salt | iv. AEAD: icv written behind by encrypt, checked by decrypt
	 * (false, data undefined). Classic: n is a multiple of block, aad and icv unused. */
	bool (*encrypt)(const struct cipher_impl *impl, void *ctx, const uint8_t *nonce, struct bytes aad,
			uint8_t *data, size_t n, uint8_t *icv);
	bool (*decrypt)(const struct cipher_impl *impl, void *ctx, const uint8_t *nonce, struct bytes aad,
			uint8_t *data, size_t n, const uint8_t *icv);
};

/* Keyed hash: integrity (truncated) and PRF. */
struct mac_impl {
	uint16_t id;      /* enum integ_id or enum prf_id */
	uint8_t key_len;  /* integrity: exact; PRF: preferred (RFC 7296, 2.13) */
	uint8_t out_len;  /* integrity: the ICV; PRF: the whole output */
	bool fixed_key;   /* AES-XCBC/CMAC PRF: key length rules of RFC 4434 and 4615 apply inside ctx_key */
	const char *plugin;
	void *(*ctx_new)(const struct mac_impl *impl);
	void (*ctx_free)(void *ctx);
	bool (*ctx_key)(const struct mac_impl *impl, void *ctx, struct bytes key);
	/* MAC over the parts in order; out gets out_len bytes. Keeps the key. */
	bool (*mac)(const struct mac_impl *impl, void *ctx, const struct bytes *parts, size_t n_parts, uint8_t *out);
};

/* Key exchange in the shape of a KEM, so that Diffie-Hellman and ML-KEM are used alike. */
struct ke_impl {
	uint16_t id; /* enum ke_id */
	uint16_t init_len;   /* bytes of the initiator's public value */
	uint16_t resp_len;   /* bytes of the responder's */
	uint16_t secret_len; /* of the shared secret */
	const char *plugin;
	/* Initiator: makes a key pair; writes init_len bytes. NULL on failure. */
	void *(*initiate)(const struct ke_impl *impl, uint8_t *ret_public);
	/* Initiator, with the responder's value: the shared secret. Validates it (RFC 6989). Frees nothing. */
	bool (*finish)(const struct ke_impl *impl, void *key, struct bytes peer, struct secret *ret_secret);
	void (*key_free)(void *key);
	/* A key of the given private value, for known answers; `finish` needs no more of it. May be NULL. */
	void *(*import)(const struct ke_impl *impl, struct bytes private_value);
	/* What `respond` need not make anew for each exchange, nothing secret; for one thread. Both may be NULL. */
	void *(*ctx_new)(const struct ke_impl *impl);
	void (*ctx_free)(void *ctx);
	/* Responder in one step: validates peer, writes resp_len bytes and the secret. ctx: by ctx_new, or NULL. */
	bool (*respond)(const struct ke_impl *impl, void *ctx, struct bytes peer, uint8_t *ret_public,
			struct secret *ret_secret);
};

struct hash_impl {
	uint16_t id; /* enum hash_id below */
	uint8_t out_len;
	const char *plugin;
	bool (*hash)(const struct hash_impl *impl, const struct bytes *parts, size_t n_parts, uint8_t *out);
};

/* As in the RFC 7427 registry; what else needs a name is above 1024. */
enum hash_id { HASH_SHA1 = 1, HASH_SHA2_256 = 2, HASH_SHA2_384 = 3, HASH_SHA2_512 = 4, HASH_IDENTITY = 5 };

struct rng_impl {
	const char *plugin;
	bool (*random)(uint8_t *out, size_t n); /* key quality; any thread */
};

/* What implementations may not exceed: larger ones are refused when they register. */
#define CRYPTO_MAX_MAC 64 /* output of a MAC, PRF or hash */
#define CRYPTO_MAX_IV 32  /* salt and IV together */
#define CRYPTO_MAX_KEY 64 /* key and salt of a cipher; key of an integrity algorithm */

EXPORT struct crypto_registry *crypto_registry_new(void);
EXPORT void crypto_registry_free(struct crypto_registry *r);
/* Run the known-answer test for that algorithm (where we have one) and add. The impl is
 * borrowed for the life of the registry. False: the test failed (logged), or frozen. A second
 * implementation of the same algorithm is tested, but neither used nor listed. */
EXPORT bool crypto_add_cipher(struct crypto_registry *r, const struct cipher_impl *impl);
EXPORT bool crypto_add_integ(struct crypto_registry *r, const struct mac_impl *impl);
EXPORT bool crypto_add_prf(struct crypto_registry *r, const struct mac_impl *impl);
EXPORT bool crypto_add_ke(struct crypto_registry *r, const struct ke_impl *impl);
EXPORT bool crypto_add_hash(struct crypto_registry *r, const struct hash_impl *impl);
EXPORT bool crypto_add_rng(struct crypto_registry *r, const struct rng_impl *impl);
EXPORT void crypto_registry_freeze(struct crypto_registry *r);

/* ---- look-ups; NULL when there is none ---- */
EXPORT const struct cipher_impl *crypto_cipher(const struct crypto_registry *r, unsigned id, unsigned key_bits);
EXPORT const struct mac_impl *crypto_integ(const struct crypto_registry *r, unsigned id);
EXPORT const struct mac_impl *crypto_prf(const struct crypto_registry *r, unsigned id);
EXPORT const struct ke_impl *crypto_ke(const struct crypto_registry *r, unsigned id);
EXPORT const struct hash_impl *crypto_hasher(const struct crypto_registry *r, unsigned id);
/* Never NULL: without a provider it is the kernel's generator. */
EXPORT const struct rng_impl *crypto_rng(const struct crypto_registry *r);
/* transform_have_fn over a registry: arg is the struct crypto_registry. ESN, KE_NONE and INTEG_NONE are always there. */
EXPORT bool crypto_have(void *registry, const struct transform *t);
/* For get-algorithms: calls fn(section, name, plugin) with VICI's section words ("encryption", "integrity",
 * "aead", "hasher", "prf", "ke", "rng", "nonce-gen"). */
EXPORT void crypto_each(const struct crypto_registry *r,
			void (*fn)(void *arg, const char *section, const char *name, const char *plugin), void *arg);

/* ---- per thread ---- */
EXPORT struct crypto_ctx *crypto_ctx_new(const struct crypto_registry *r);
EXPORT void crypto_ctx_free(struct crypto_ctx *c);
EXPORT const struct crypto_registry *crypto_ctx_registry(const struct crypto_ctx *c);
/* Random bytes of key quality. Failure aborts the process: nothing secure can go on. */
EXPORT void crypto_random(struct crypto_ctx *c, void *out, size_t n);
/* Tests: makes this context's random bytes a function of the seed. */
EXPORT void crypto_ctx_seed(struct crypto_ctx *c, uint64_t seed);
/* prf(key, parts...) into out (the PRF's out_len bytes). */
EXPORT MUST_CHECK struct result crypto_prf_run(struct crypto_ctx *c, unsigned prf, struct bytes key,
					       const struct bytes *parts, size_t n_parts, uint8_t *out);
/* prf+ (RFC 7296, 2.13): n bytes, at most 255 * out_len. */
EXPORT MUST_CHECK struct result crypto_prf_plus(struct crypto_ctx *c, unsigned prf, struct bytes key,
						struct bytes seed, uint8_t *out, size_t n);
/* The responder's side of a key exchange: the peer's value is validated; writes resp_len bytes and the secret. */
EXPORT MUST_CHECK bool crypto_ke_respond(struct crypto_ctx *c, const struct ke_impl *impl, struct bytes peer,
					 uint8_t *ret_public, struct secret *ret_secret);
EXPORT MUST_CHECK struct result crypto_hash(struct crypto_ctx *c, enum hash_id hash, const struct bytes *parts,
					    size_t n_parts, uint8_t *out);
EXPORT MUST_CHECK struct result crypto_mac(struct crypto_ctx *c, const struct mac_impl *impl, struct bytes key,
					   const struct bytes *parts, size_t n_parts, uint8_t *out);

/*
 * One direction of protection of an IKE_SA or a CHILD_SA: pointers to implementations,
 * the keys stay where the SA keeps them.
 */
struct protect {
	const struct cipher_impl *cipher;
	const struct mac_impl *integ; /* NULL with AEAD */
	const struct rng_impl *rng;   /* for the IVs of CBC */
};

EXPORT MUST_CHECK struct result protect_init(const struct crypto_registry *r, const struct suite *s, struct protect *ret);
static inline size_t protect_encr_key_len(const struct protect *p)
{
	return (size_t)p->cipher->key_len + p->cipher->salt_len;
}
static inline size_t protect_integ_key_len(const struct protect *p)
{
	return p->integ ? p->integ->key_len : 0;
}
static inline size_t protect_icv_len(const struct protect *p)
{
	return p->integ ? p->integ->out_len : p->cipher->icv_len;
}
/*
 * IKE messages. (ESP has contexts of its own: crypto/esp_crypt.h.)
 * Seals in place: `packet` is aad | IV | plaintext | room for the ICV: aad_len, then iv_len, then n bytes of
 * (padded) plaintext, n > 0 and a multiple of the cipher's block. encr_key: key | salt. The IV was put in by the
 * caller. Classic: the MAC covers aad | IV | ciphertext (RFC 7296, 3.14). AEAD: RFC 5282.
 */
EXPORT MUST_CHECK struct result protect_seal(struct crypto_ctx *c, const struct protect *p, const uint8_t *encr_key,
					     const uint8_t *integ_key, uint8_t *packet, size_t aad_len, size_t n);
/* The reverse; n is the ciphertext's. Verifies before it decrypts (classic). RESULT_AUTH when the check fails; the
 * packet's content is then undefined. RESULT_INVALID for an n that cannot be. */
EXPORT MUST_CHECK struct result protect_open(struct crypto_ctx *c, const struct protect *p, const uint8_t *encr_key,
					     const uint8_t *integ_key, uint8_t *packet, size_t aad_len, size_t n);

/* ---- key schedule (RFC 7296, 2.13 to 2.18), pure over its inputs ---- */

/* The seven keys in one secret, in the order of RFC 7296, 2.14. Pointers point into `all`. */
struct ike_keys {
	struct secret all;
	uint8_t d_len, a_len, e_len, p_len;
};
static inline uint8_t *ike_keys_d(const struct ike_keys *k) { return k->all.p; }
static inline uint8_t *ike_keys_ai(const struct ike_keys *k) { return k->all.p + k->d_len; }
static inline uint8_t *ike_keys_ar(const struct ike_keys *k) { return ike_keys_ai(k) + k->a_len; }
static inline uint8_t *ike_keys_ei(const struct ike_keys *k) { return ike_keys_ar(k) + k->a_len; }
static inline uint8_t *ike_keys_er(const struct ike_keys *k) { return ike_keys_ei(k) + k->e_len; }
static inline uint8_t *ike_keys_pi(const struct ike_keys *k) { return ike_keys_er(k) + k->e_len; }
static inline uint8_t *ike_keys_pr(const struct ike_keys *k) { return ike_keys_pi(k) + k->p_len; }

/* AUTH was computed: SK_pi and SK_pr are not needed any more. */
EXPORT void ike_keys_forget_p(struct ike_keys *k);
/* old_d: SK_d of the SA being rekeyed (RFC 7296, 2.18, old_prf its PRF), or empty for a first SA. */
EXPORT MUST_CHECK struct result keys_derive_ike(struct crypto_ctx *c, const struct suite *s, struct bytes shared,
						struct bytes ni, struct bytes nr, uint64_t spi_i, uint64_t spi_r,
						unsigned old_prf, struct bytes old_d, struct ike_keys *ret_keys);
/* CHILD_SA KEYMAT (RFC 7296, 2.17): encr_i | integ_i | encr_r | integ_r. shared may be empty (no PFS). */
EXPORT MUST_CHECK struct result keys_derive_child(struct crypto_ctx *c, unsigned prf, struct bytes sk_d,
						  struct bytes shared, struct bytes ni, struct bytes nr,
						  size_t encr_len, size_t integ_len, struct secret *ret_keymat);
/* AUTH by shared key (RFC 7296, 2.15). octets: the peer's or our own signed octets' three parts:
 * message, nonce of the other side, and the id payload body (type, reserved, data) to be MACed with sk_p. */
EXPORT MUST_CHECK struct result keys_psk_auth(struct crypto_ctx *c, unsigned prf, struct bytes psk, struct bytes message,
					      struct bytes nonce, struct bytes sk_p, struct bytes id_body,
					      uint8_t *ret_auth, size_t *ret_len);

#endif
