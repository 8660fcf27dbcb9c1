/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_KIN_H
#define BEWICK_SA_KIN_H

#include "sa/ike_sa.h"

/*
 * Other IKE_SAs that one is related to, by rekeying (sa/successor.h) or reauthentication (sa/reauth.h), all on one thread. An idle
 * IKE_SA has none and pays for one pointer.
 */
struct ike_kin {
	struct ike_sa *successor;                /* that replaced this one */
	struct ike_sa *replaced, *next_replaced; /* those that this one replaced; the next of that list */
	struct rival *rival;
	struct ike_sa *reauth_old, *reauth_new; /* make-before-break */
};

/* Both sides rekey an IKE_SA at once: the successor that the peer made, until it is known which one stays (RFC 7296, 2.8.2).
 * Both IKE_SAs point here. */
struct rival {
	struct ike_sa *old, *sa;
	struct secret ni, nr; /* of the exchange that made it */
};

/* To set a relation; what may have been the last one is removed with kin_trim behind it. */
struct ike_kin *kin_of(struct ike_sa *sa);
void kin_trim(struct ike_sa *sa);

static inline struct ike_sa *kin_successor(const struct ike_sa *sa)
{
	return sa->kin ? sa->kin->successor : NULL;
}
static inline struct ike_sa *kin_replaced(const struct ike_sa *sa)
{
	return sa->kin ? sa->kin->replaced : NULL;
}
static inline struct ike_sa *kin_next_replaced(const struct ike_sa *sa)
{
	return sa->kin ? sa->kin->next_replaced : NULL;
}
static inline struct rival *kin_rival(const struct ike_sa *sa)
{
	return sa->kin ? sa->kin->rival : NULL;
}
static inline struct ike_sa *kin_reauth_old(const struct ike_sa *sa)
{
	return sa->kin ? sa->kin->reauth_old : NULL;
}
static inline struct ike_sa *kin_reauth_new(const struct ike_sa *sa)
{
	return sa->kin ? sa->kin->reauth_new : NULL;
}

#endif
