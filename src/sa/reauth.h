/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_REAUTH_H
#define BEWICK_SA_REAUTH_H

#include "sa/kin.h"
#include "wire/builder.h"

/*
 * Reauthentication (RFC 7296, 2.8.3): a new IKE_SA with all the children of the old one, by who began the first. Either the old one
 * is closed first (reauth_break), or both exist for a while: reauth_old and reauth_new of the two (sa/kin.h) lead to each other, until the new
 * one has its children and the old one is closed, or the new one has failed and the old one tries again later.
 */

/* reauth_ms has come. */
void reauth_due(struct ike_sa *sa);
/* Nothing is up in it, and what is wanted needs another: that one is made when it is closed, for what waits in the queue. False: not
 * now. */
bool reauth_instead(struct ike_sa *sa);
/* over_ms has come; true: the reauthentication takes care of the end. */
bool reauth_overdue(struct ike_sa *sa);
/* An exchange of ours is complete: the new one may have all its children now. */
void reauth_check(struct ike_sa *sa);
/* sa ends or becomes a shell; its children and its queue are still there. */
void reauth_ended(struct ike_sa *sa);
/* sa is to end by order: no other comes after it. */
void reauth_cancel(struct ike_sa *sa);
/* `successor` was made by rekeying `old`: what is planned or under way goes on with it. */
void reauth_inherit(struct ike_sa *old, struct ike_sa *successor);

/* Responder: the peer may be setting this one up in the place of another, before it closes that. */
bool reauth_may_overlap(const struct ike_sa *sa);

/* ---- AUTH_LIFETIME (RFC 4478) ---- */
/* Seconds until the peer is to have authenticated again; false: we do not ask for it. */
bool reauth_lifetime(const struct ike_sa *sa, uint32_t *ret_s);
/* The notify, if there is a lifetime to tell. */
void reauth_put_lifetime(const struct ike_sa *sa, struct builder *b);
/* Obeys the peer's, if the message has one. */
void reauth_take_lifetime(struct ike_sa *sa, const struct payload_list *in);

#endif
