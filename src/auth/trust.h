/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_AUTH_TRUST_H
#define BEWICK_AUTH_TRUST_H

#include "config/store.h"

/*
 * Certificate path checking: a pure function over values, for helper threads. The chain is built from trust anchors of the
 * credentials, intermediate CAs from there and from the peer (used, never trusted), and checked by X509_verify_cert (RFC 5280, 6).
 */
#define TRUST_CHAIN_MAX 10  /* certificates in a chain */
#define TRUST_PEER_CERTS 16 /* of a peer's that are looked at */

struct trust_input {
	const struct credentials *creds;
	const struct conn_round *round; /* id, certs, cacerts, ca_id, cert_policy, auth_rules; groups: acerts.h */
	const struct id *id;            /* what the peer says it is */
	struct cert *const *certs;      /* of the peer: end entity first, in doubt all are tried */
	size_t n_certs;
	int64_t now;                    /* s since 1970 */
	int64_t skew;                   /* s that clocks may differ by */
	bool enforce_critical;          /* unknown critical extensions are fatal */
};

/* A chain that is good but for revocation: end entity first, trust anchor last. Counted, immutable. */
struct trust_chain {
	atomic_uint refs;
	size_t n;
	struct cert *certs[TRUST_CHAIN_MAX];
	int64_t valid_until; /* the first not_after */
};
EXPORT struct trust_chain *trust_chain_ref(const struct trust_chain *c);
EXPORT void trust_chain_unref(const struct trust_chain *c);

/* The best chain, or NULL: err says which check failed for which certificate and what was looked for, in a sentence for the operator. */
EXPORT struct trust_chain *trust_check(const struct trust_input *in, struct errtext *err);

#endif
