/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_PROTO_PROPOSAL_H
#define BEWICK_PROTO_PROPOSAL_H

#include "proto/iana.h"
#include "util/arena.h"
#include "util/bytes.h"

/* One transform (RFC 7296, 3.3.2). key_bits is 0 where the algorithm has one size. */
struct transform {
	uint8_t type; /* enum transform_type */
	uint16_t id;
	uint16_t key_bits;
};

/* One proposal (RFC 7296, 3.3.1). The transforms are borrowed: from the message's
 * arena, or from the configuration that parsed them. Their order is the order
 * of preference within a type. */
struct proposal {
	uint8_t protocol; /* enum ike_protocol */
	uint8_t number;   /* as on the wire, from 1; 0 in a configuration */
	uint8_t spi_len;  /* 0, 4 or 8 */
	uint8_t spi[8];
	uint16_t count;
	const struct transform *transforms;
};

/* Proposals in order of preference. */
struct proposal_list {
	size_t count;
	const struct proposal *p;
};

/* What was agreed: one transform per type. Zero = none of that type. For
 * classic ciphers integ is set, for AEAD it is 0. */
struct suite {
	uint8_t protocol;
	uint8_t number; /* of the peer's proposal that it was selected from */
	uint8_t esn; /* enum esn_id */
	uint16_t encr;
	uint16_t encr_bits; /* 0 for ciphers of one size */
	uint16_t integ;
	uint16_t prf;
	uint16_t ke;
	uint16_t addke[7]; /* ADDKE1 to ADDKE7 (RFC 9370) */
};

/* Whether the crypto providers of this process have a transform. */
typedef bool transform_have_fn(void *arg, const struct transform *t);

/*
 * Reads "aes128-sha256-x25519" or "default" (swanctl's keywords) for PROTOCOL_IKE,
 * PROTOCOL_ESP or PROTOCOL_AH. Allocates from the arena. What a proposal needs and what is
 * removed from it: proposal_keywords.h. "default" gives
 * more than one proposal. `have` (may be NULL) filters the defaults only.
 * On failure err says which token and why.
 */
EXPORT MUST_CHECK bool proposal_parse(struct arena *a, enum ike_protocol protocol, struct bytes text,
				      transform_have_fn *have, void *have_arg,
				      struct proposal_list *ret_list, struct errtext *err);
/* The built-in proposals; none for AH, and none if a kind that is needed is missing. */
EXPORT struct proposal_list proposal_default(struct arena *a, enum ike_protocol protocol,
					     transform_have_fn *have, void *have_arg);
/* First transform of the list that is not in `have`, or NULL. */
EXPORT const struct transform *proposal_first_missing(struct proposal_list list, transform_have_fn *have, void *have_arg);

enum proposal_select_flags {
	PROPOSAL_PREFER_PEER = 1, /* the order of `theirs` decides */
	PROPOSAL_SKIP_KE = 2,     /* key exchanges of both sides are ignored (first child) */
};

/*
 * Chooses the first combination both sides have (RFC 7296, 2.7 and 3.3.6). In a
 * proposal with a type the other lacks there is no match, except that NONE (of integrity,
 * which AEAD ciphers need to be so, and of key exchanges) and ESN_NO stand for absence.
 * A classic cipher without integrity, an IKE suite without key exchange and the like are
 * never chosen. Unknown transform ids are passed over, unknown types refuse the proposal.
 * ret_index: the peer's proposal that was taken.
 */
EXPORT MUST_CHECK bool proposal_select(struct proposal_list ours, struct proposal_list theirs, unsigned flags,
				       struct suite *ret_suite, size_t *ret_index);
/* Whether a responder's answer is one of the combinations we offered. */
EXPORT MUST_CHECK bool proposal_accept(struct proposal_list offered, const struct proposal *answer, unsigned flags,
				       struct suite *ret_suite);
EXPORT bool proposal_has(struct proposal_list list, enum transform_type type, unsigned id);
/* The first transform id of a type in the list, 0 if none. */
EXPORT unsigned proposal_first(struct proposal_list list, enum transform_type type);
EXPORT struct proposal_list proposal_list_dup(struct arena *a, struct proposal_list list);
/* The same without any key exchange (RFC 7296, 1.2: for the child of IKE_AUTH), and without
 * proposals that then repeat an earlier one. Shares nothing with the list. */
EXPORT struct proposal_list proposal_list_without_ke(struct arena *a, struct proposal_list list);
/* One proposal with one transform per type and the number of the selected one, as a responder answers; the SPI is the
 * caller's. NONE is left out (RFC 7296, 3.3.2). */
EXPORT struct proposal proposal_from_suite(struct arena *a, const struct suite *s);

/* "IKE:AES_CBC_128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/ECP_256", lists joined by ", ". */
EXPORT void proposal_format(struct buf *out, struct proposal_list list);
EXPORT void suite_format(struct buf *out, const struct suite *s); /* the same for what was agreed */
EXPORT bool encr_is_aead(unsigned encr);
EXPORT bool suite_equal(const struct suite *a, const struct suite *b);

#endif
