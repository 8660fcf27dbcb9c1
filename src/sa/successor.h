/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_SUCCESSOR_H
#define BEWICK_SA_SUCCESSOR_H

#include "sa/kin.h"

/*
 * How one IKE_SA follows another (RFC 7296, 1.3.2, 2.8 and 2.18). The successor is made by the exchange that rekeys; when
 * it is known to be the one (at once, unless both sides rekey at the same time) it takes over children, queued tasks
 * and waiters, and the old one is REKEYED until one side closes it.
 */

/* What the exchange agreed on; borrowed. */
struct successor_keys {
	bool initiator; /* we began the exchange, and are the original initiator of the successor */
	uint64_t own_spi, peer_spi; /* own_spi 0: a new one */
	const struct suite *suite;
	struct bytes shared, ni, nr;
};

/* A successor of `old`: reachable by its SPI and ESTABLISHED, but without children. NULL: no keys could be derived. */
struct ike_sa *successor_new(struct ike_sa *old, const struct successor_keys *k);
/* `sa` goes on in place of `old`. What was queued is not begun: the caller runs the queue of `sa` when it may. */
void successor_replace(struct ike_sa *old, struct ike_sa *sa);
/* Of two successors `redundant` is not needed; ours: it is closed by us, else the peer has a while to do it. */
void successor_drop(struct ike_sa *redundant, struct ike_sa *survivor, bool ours);
/* Our Delete of an IKE_SA that was replaced (RFC 7296, 2.8 MUST: the last request on it). Queued. */
void successor_delete_old(struct ike_sa *old);

/* ---- both sides rekey at once (RFC 7296, 2.8.2) ---- */

/* The peer's successor `sa` is noted, while our own request is under way. */
void successor_set_rival(struct ike_sa *old, struct ike_sa *sa, struct bytes ni, struct bytes nr);
/* Ours did not come about, or the peer did not see it: the noted one replaces `old` and is returned. NULL: there is none. */
struct ike_sa *successor_rival_wins(struct ike_sa *old);
/* The peer closes one that nobody has decided about: what its nonces say holds all the same. */
void successor_rival_closed(struct ike_sa *sa);
/* Ours is there, too: the nonces decide. Returns the one that replaced `old`; NULL: that was closed already. */
struct ike_sa *successor_decide(struct ike_sa *old, struct ike_sa *ours, struct bytes ni, struct bytes nr);
/* A request came in on `sa`: a peer that uses a successor has decided. */
void successor_heard(struct ike_sa *sa, const struct payload_list *in);
static inline bool successor_is_undecided(const struct ike_sa *sa)
{
	return kin_rival(sa) && kin_rival(sa)->sa == sa;
}

/* ---- ends ---- */

/* A rekeying that we began failed for good; the IKE_SA goes on. Plans the next attempt. */
void successor_failed(struct ike_sa *old, const char *why);
/* `sa` was closed by the peer: what waited for that goes on. */
void successor_closed(struct ike_sa *sa);
/* The time that the peer has to close an IKE_SA in REKEYED is over. */
void successor_overdue(struct ike_sa *old);
/* `sa` ends: nobody points to it any more. */
void successor_unlink(struct ike_sa *sa);

#endif
