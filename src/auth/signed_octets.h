/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_AUTH_SIGNED_OCTETS_H
#define BEWICK_AUTH_SIGNED_OCTETS_H

#include "auth/psk.h"
#include "util/arena.h"

/* What one side signs (RFC 7296, 2.15): its IKE_SA_INIT message | the other's nonce | prf(SK_p, its identity), from the arena. */
EXPORT MUST_CHECK struct result signed_octets(struct crypto_ctx *c, unsigned prf, const struct psk_octets *octets,
					      const struct id *id, struct arena *a, struct bytes *ret);

#endif
