/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_AUTH_PSK_H
#define BEWICK_AUTH_PSK_H

#include "crypto/crypto.h"
#include "proto/id.h"

/* Authentication by a pre-shared key (RFC 7296, 2.15). */

#define PSK_AUTH_MAX 64 /* bytes of the largest PRF output */

/* What one side authenticates besides its identity. */
struct psk_octets {
	struct bytes message; /* its whole IKE_SA_INIT message */
	struct bytes nonce;   /* the other side's */
	struct bytes sk_p;    /* SK_pi or SK_pr, its own */
};

/* AUTH of the side with identity `id`, into ret_auth (PSK_AUTH_MAX bytes). */
EXPORT MUST_CHECK struct result psk_auth(struct crypto_ctx *c, unsigned prf, struct bytes psk,
					 const struct psk_octets *octets, const struct id *id, uint8_t *ret_auth,
					 size_t *ret_len);
/* Compares in constant time. */
EXPORT MUST_CHECK bool psk_verify(struct crypto_ctx *c, unsigned prf, struct bytes psk,
				  const struct psk_octets *octets, const struct id *id, struct bytes auth);

#endif
