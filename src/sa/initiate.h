/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_INITIATE_H
#define BEWICK_SA_INITIATE_H

#include "sa/ike_sa.h"

/*
 * Whom an initiator calls, and from where. One address for each attempt (keyingtries): the entries of remote_addrs that name one
 * host are taken in turn, and of a name each of its addresses; what we have no local address or no route for is passed over. Names
 * are looked up at each attempt, by the host.
 */

/* Looks for the addresses of this attempt, and sends its first request when they are known: at once or later. */
void initiate_attempt(struct ike_sa *sa);
/* Nothing of the attempt is left but its number and whom it called; the SPI is a new one. */
void initiate_reset(struct ike_sa *sa);
/* The same attempt once more, of what failed with setup->again. */
void initiate_begin_again(struct ike_sa *sa);
/* The next attempt goes to another address, if there is one. */
void initiate_advance(struct ike_sa *sa);

#endif
