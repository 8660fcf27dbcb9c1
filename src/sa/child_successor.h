/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_CHILD_SUCCESSOR_H
#define BEWICK_SA_CHILD_SUCCESSOR_H

#include "sa/ike_sa.h"

/*
 * CHILD_SAs that follow each other by rekeying (RFC 7296, 2.8). Of an old one and what replaces it, control knows one at any
 * time; outbound packets go by the old one until the peer surely has the new one.
 */

/* The one that does this one's work: a successor that is there, or itself. */
struct child_sa *child_successor_of(struct child_sa *c);
/* Whether it can carry packets: installed and not being closed. */
bool child_successor_is_live(const struct child_sa *c);
/* `next` replaces `old`, which moves to REKEYED. ours: we made it and close the old one; else the peer does. */
void child_successor_takes_over(struct child_sa *old, struct child_sa *next, bool ours);
/* `loser` came of two rekeyings that crossed and is not needed (RFC 7296, 2.8.1). ours: we close it. */
void child_successor_drop(struct child_sa *loser, bool ours);
/* Control learns that `next` is what `old` was. */
void child_successor_announce(struct child_sa *old, struct child_sa *next);
/* The peer closes `c`, or has none: a successor of it is announced; what it had replaced goes on (true: there is one). */
bool child_successor_closed(struct child_sa *c);
/* A rekeying of ours failed: when it is tried again. */
void child_successor_retry(struct child_sa *old);

#endif
