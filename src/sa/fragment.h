/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_FRAGMENT_H
#define BEWICK_SA_FRAGMENT_H

#include "sa/seal.h"
#include "util/addr.h"

struct ike_sa;

/*
 * IKE messages in pieces (RFC 7383). One message or all its fragments is the same to who stores and sends it: IKE messages back to
 * back, each with its own length. So a reply or request that was not cut is kept as it always was.
 */

/* ---- out ---- */

/* Seals `inner` into one message, or, if the IP datagram would be larger than the settings say and both sides do fragmentation,
 * into fragments. Empty on failure: too long, crypto. */
EXPORT struct bytes fragment_seal(struct ike_sa *sa, const struct ike_header *h, uint8_t first, struct bytes inner,
				  uint8_t *out, size_t cap);
/* Takes the first message off those back to back; false at the end. */
EXPORT bool fragment_next(struct bytes *msgs, struct bytes *ret_one);
/* Sends them all; the log says so at `level`. */
void fragment_send(struct ike_sa *sa, const struct addr *local, const struct addr *remote, struct bytes msgs, int level);
/*
 * Cuts what fragment_seal made, and what is still kept for repeats, into smaller pieces, for IP datagrams of up to `size` bytes between these
 * addresses; with new IVs. False, and it stays as it is: it is not larger, or must not be cut.
 */
EXPORT bool fragment_again(struct ike_sa *sa, const struct addr *local, const struct addr *remote, struct buf *msgs, size_t size);
/* A request that gets no answer: cut for the next smaller of a few sizes (RFC 7383, 2.5.2), which the IKE_SA keeps to from then on.
 * False: none helps. */
bool fragment_smaller(struct ike_sa *sa, struct buf *msgs);
/* Largest IP datagram that is sent to this peer in one piece, by the settings and what was found out. */
size_t fragment_size(const struct ike_sa *sa, const struct addr *remote);
/* All of an IP datagram between these addresses that is not the IKE message, in bytes. */
size_t fragment_headers(const struct ike_sa *sa, const struct addr *local, const struct addr *remote);
/* Whether we cut what is too large. */
bool fragment_wanted(const struct ike_sa *sa);

/* ---- in ---- */

enum fragment_verdict {
	FRAGMENT_DROPPED,  /* not new, not true, or not to be used: nothing has changed */
	FRAGMENT_KEPT,     /* verified; others are missing */
	FRAGMENT_WHOLE,    /* it was the last that was missing */
	FRAGMENT_TOO_MUCH, /* verified, and more than the limits allow: the whole message was forgotten */
};

/* A message put together again. */
struct fragment_whole {
	struct bytes inner; /* in the arena of the context */
	uint8_t first;      /* type of its first payload */
	uint64_t hash;      /* of the first fragment as it came: RFC 7383, 2.6.1: its repeat asks for the answer */
	size_t n;           /* bytes of all fragments as they came */
	uint16_t largest;   /* bytes of the largest one */
};

/* One fragment of a message whose id is the next (requests) or that of our request (responses). The bytes are changed in place. */
EXPORT enum fragment_verdict fragment_take(struct ike_sa *sa, const struct ike_header *h, const struct seal_place *place,
					   uint8_t *msg, size_t n, struct fragment_whole *ret_whole, struct result *ret_why);
/* What came of a request or response is not to be completed any more. */
EXPORT void fragment_forget(struct ike_sa *sa, bool response);
/* Whether something of a request or response is kept. */
EXPORT bool fragment_held(const struct ike_sa *sa, bool response);
/* When a request that is not complete is forgotten, in ms; 0: there is none. */
EXPORT uint64_t fragment_deadline(const struct ike_sa *sa);

#endif
