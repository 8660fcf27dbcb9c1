/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_COLLISION_H
#define BEWICK_SA_COLLISION_H

#include "sa/child_sa_states.h"
#include "sa/ike_sa_states.h"
#include "util/bytes.h"

/*
 * What becomes of exchanges that cross (RFC 7296, 2.8.1, 2.8.2 and 2.25), as functions of values alone: no SA is looked
 * at and nothing moves. A notify to answer with, or 0: do as asked.
 */

/* A request for a new CHILD_SA in a state of our IKE_SA. */
EXPORT unsigned collision_create_child(enum ike_state ike);
/*
 * A request to rekey a CHILD_SA. When none has that SPI: CHILD_STATE_CREATED if a request of ours for one is under way,
 * whose lost answer may name it, else CHILD_STATES.
 */
EXPORT unsigned collision_rekey_child(enum ike_state ike, enum child_state child);
/* A request to rekey the IKE_SA; child_busy: a CHILD_SA is being made, rekeyed or closed by us. */
EXPORT unsigned collision_rekey_ike(enum ike_state ike, bool child_busy);

/* The nonces of one exchange. */
struct collision_nonces {
	struct bytes i, r;
};

/*
 * RFC 7296, 2.8.1: of two SAs that replace the same one, that with the lowest of the four nonces is redundant and closed by
 * who made it. True: ours (the one of the exchange that we began). Both sides come to the same answer.
 */
EXPORT bool collision_ours_redundant(struct collision_nonces ours, struct collision_nonces theirs);

#endif
