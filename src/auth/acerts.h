/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_AUTH_ACERTS_H
#define BEWICK_AUTH_ACERTS_H

#include "auth/trust.h"
#include "crypto/acert.h"

/*
 * What attribute certificates say of a peer whose certificate is trusted (RFC 5755, 5): those that it sent, and those that are loaded.
 * Who says it is an attribute authority that is loaded as such (flag AA), and whose own certificate is trusted. A pure function over
 * values, for helper threads.
 */
#define ACERT_GRANTS 8
#define ACERTS_LOADED 64 /* of one holder */

struct acerts_input {
	const struct trust_input *trust; /* credentials, round, certificates of the peer, time */
	const struct conn *conn;         /* who we are: for certificates that are not for all */
	const struct cert *holder;       /* the peer's end entity */
	struct acert *const *sent;       /* by the peer */
	size_t n_sent;
};

/* Good but for revocation: the chain begins with the attribute certificate's stand-in, unless it is never revoked. */
struct acert_grant {
	struct acert *acert;       /* a reference */
	struct trust_chain *chain; /* a reference; its issuer's */
	const char *group;         /* that the round wants; in acert */
};

/* Those that put the peer into a group that the round wants, at most ACERT_GRANTS. None: err says which groups the peer is in, by which
 * certificate, why each of the others was not taken, and which are wanted. */
EXPORT size_t acerts_check(const struct acerts_input *in, struct acert_grant *ret, struct errtext *err);
EXPORT void acert_grants_clear(struct acert_grant *grants, size_t n);

#endif
