/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_SEAL_H
#define BEWICK_SA_SEAL_H

#include "wire/builder.h"

struct ike_sa;
struct protect;

/*
 * Verifies and decrypts the SK payload of a message in place (RFC 7296, 3.14; RFC 5282).
 * ret_inner is the plaintext without padding, ret_first the type of its first payload.
 * RESULT_AUTH: the check failed; RESULT_INVALID: no SK payload where it should be.
 */
EXPORT MUST_CHECK struct result seal_open(struct ike_sa *sa, uint8_t *msg, size_t n, struct bytes *ret_inner,
					  uint8_t *ret_first);

/* Where the SK or SKF payload of a message is and what can be seen from outside. Nothing of it is verified. */
struct seal_place {
	size_t aad_len; /* all in front of the payload's IV */
	uint8_t first;  /* type of the first payload inside */
	struct payload_skf fragment; /* RFC 7383, 2.5; total 0: a whole message in SK */
};

/* False: no such payload at the end of the message, or a fragment number that cannot be. */
EXPORT bool seal_find(struct bytes msg, struct seal_place *ret_place);
/* Verifies and decrypts what seal_find found, of a whole message or a fragment; else as seal_open. */
EXPORT MUST_CHECK struct result seal_open_at(struct ike_sa *sa, uint8_t *msg, size_t n, const struct seal_place *place,
					     struct bytes *ret_inner);

/*
 * Wraps `inner` (a chain whose first payload is `first`) into an SK payload behind the header `h`, into
 * out. Returns the whole message, empty on failure (too long, crypto).
 */
EXPORT struct bytes seal_message(struct ike_sa *sa, const struct ike_header *h, uint8_t first, struct bytes inner,
				 uint8_t *out, size_t cap);
/* The same for one piece of a message, in an SKF payload (RFC 7383, 2.5). `first` as it is to be written. */
EXPORT struct bytes seal_fragment(struct ike_sa *sa, const struct ike_header *h, const struct payload_skf *fragment,
				  uint8_t first, struct bytes inner, uint8_t *out, size_t cap);
/* How many bytes of payloads fit into an IKE message of `size` bytes; 0 if none do. */
EXPORT size_t seal_room(const struct protect *p, size_t size, bool fragment);

/* Opens a message of our own (or a fragment of one) again; msg is changed in place. False: it is not ours, or crypto failed. */
EXPORT bool seal_reopen(struct ike_sa *sa, uint8_t *msg, size_t n, struct seal_place *ret_place, struct bytes *ret_inner);
/*
 * A message of our own (or a fragment of one) under another message id: opened, and sealed again with a new IV in place. False: it
 * is not ours, or crypto failed; its content is then undefined.
 */
EXPORT bool seal_renumber(struct ike_sa *sa, uint8_t *msg, size_t n, uint32_t message_id);

#endif
