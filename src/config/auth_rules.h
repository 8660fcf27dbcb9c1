/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CONFIG_AUTH_RULES_H
#define BEWICK_CONFIG_AUTH_RULES_H

#include "crypto/key.h"

/* What `auth` says beside its class: keys and hashes that are good enough ("rsa-3072-sha256-ecdsa-256", "ike:rsa/pss-sha384"). */
struct key_rule {
	uint8_t type;      /* enum key_type; KEY_ANY: hashes for keys of all types */
	bool pss;          /* RSA signatures of PSS only */
	uint16_t min_bits; /* 0: any */
	uint16_t hashes;   /* bits HASH_BIT; 0: any but SHA-1 */
};
#define AUTH_RULES_MAX 8

struct auth_rules {
	uint8_t n_chain, n_ike; /* 0: no constraint */
	struct key_rule chain[AUTH_RULES_MAX]; /* each signature in the chain, and its keys */
	struct key_rule ike[AUTH_RULES_MAX];   /* the signature in AUTH, and its key */
};

/*
 * Reads the text of `auth` behind its class: kinds of keys (pubkey, rsa, rsa/pss, ecdsa, ed25519, ed448; with `ike:` before it one is for
 * the signature in AUTH only), strengths in bits, and hashes, which are those of the kinds before them that have none yet.
 * ike_by_chain: without any `ike:` the same rules are for AUTH. False: err says which word is wrong.
 */
EXPORT MUST_CHECK bool auth_rules_parse(struct bytes text, bool ike_by_chain, struct auth_rules *ret, struct errtext *err);
/* Whether a signature of that scheme (NULL: only the key is looked at) by that key meets one of the rules. Without rules
 * all is allowed but SHA-1. */
EXPORT bool key_rules_allow(const struct key_rule *rules, size_t n, const struct public_key *k, const struct sig_scheme *s);

#endif
