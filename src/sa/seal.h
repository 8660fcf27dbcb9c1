/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_SEAL_H
#define BEWICK_SA_SEAL_H

#include "wire/builder.h"

struct ike_sa;

/*
 * Verifies and decrypts the SK payload of a message in place (RFC 7296, 3.14; RFC 5282).
 * ret_inner is the plaintext without padding, ret_first the type of its first payload.
 * RESULT_AUTH: the check failed; RESULT_INVALID: no SK payload where it should be.
 */
EXPORT MUST_CHECK struct result seal_open(struct ike_sa *sa, uint8_t *msg, size_t n, struct bytes *ret_inner,
					  uint8_t *ret_first);

/*
 * Wraps `inner` (a chain whose first payload is `first`) into an SK payload behind the header `h`, into
 * out. Returns the whole message, empty on failure (too long, crypto).
 */
EXPORT struct bytes seal_message(struct ike_sa *sa, const struct ike_header *h, uint8_t first, struct bytes inner,
				 uint8_t *out, size_t cap);

#endif
