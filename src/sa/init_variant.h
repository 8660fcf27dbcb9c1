/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_INIT_VARIANT_H
#define BEWICK_SA_INIT_VARIANT_H

#include "sa/ike_sa.h"

#define INIT_VARIANTS 2

/*
 * The IKE_SA_INIT request that we answered may not be the one whose octets the peer authenticates. A peer that is asked for a cookie sends
 * its request again with the cookie in front (RFC 7296, 2.6); when a late repeat of the first request is then answered, because the load
 * is over, it takes that answer for the answer to the second. Nothing in it could tell. The second is made here from the
 * first, because our cookies can be computed again: n-th guess (0 .. INIT_VARIANTS - 1) into `out`. False: there is none.
 */
bool init_variant(struct ike_sa *sa, unsigned n, struct buf *out);
/* Whether an IKE_SA_INIT request is one of them: then it has the same answer. */
bool init_variant_is(struct ike_sa *sa, struct bytes request);

#endif
