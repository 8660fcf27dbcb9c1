/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_STREAM_H
#define BEWICK_SA_STREAM_H

#include "sa/ike_sa.h"

/*
 * An IKE_SA whose messages, and whose children's packets, go over TCP (RFC 9329): sa->remote names the stream. Who began the first
 * IKE_SA of a line of rekeyings opens streams (1.2), the other side follows (6.1).
 */

/* The host is told which stream the SA uses, after each change of sa->remote; at its end. */
void stream_hold(struct ike_sa *sa);
void stream_release(struct ike_sa *sa);

/* Initiator: whether this attempt is to go over TCP; opens a stream from sa->local to sa->remote, whose ports it sets. False: it
 * cannot be. */
bool stream_wanted(const struct ike_sa *sa);
bool stream_open(struct ike_sa *sa);
/* RFC 9329, 5.1: IKE_SA_INIT was repeated over UDP often enough: begins anew over TCP, if that is configured. */
bool stream_falls_back(struct ike_sa *sa);
/* The next attempt starts over, with UDP. */
void stream_forget(struct ike_sa *sa);

/* An authenticated message, no repeat, came by this path: the SA goes on there if it is another stream of the peer's. True: it was. */
bool stream_follow(struct ike_sa *sa, const struct addr *local, const struct addr *remote);
/* Likewise an ESP packet of a child. */
EXPORT void ike_sa_stream_esp(struct ike_sa *sa, const struct addr *local, const struct addr *remote);
/* The host's news: the stream that we opened has a new connection, from this address. */
EXPORT void ike_sa_stream_reopened(struct ike_sa *sa, const struct addr *local);

#endif
