/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_AUTHENTICATION_H
#define BEWICK_SA_AUTHENTICATION_H

#include "auth/auth_service.h"
#include "sa/ike_sa.h"
#include "wire/builder.h"

/*
 * Authentication of an IKE_SA, beside the task of IKE_AUTH (sa/tasks/ike_auth.c): what both sides announce for it, the requests to the
 * service that signs and verifies, and the certificates that the peer was believed for.
 */

/* ---- announcements (announce.c): what the peer says goes to struct auth_announced ---- */

/* Of any message of the set-up: keeps what it says. */
EXPORT void announced_take(struct ike_sa *sa, const struct payload_list *in);
void announced_clear(struct auth_announced *a);
/* IKE_SA_INIT: SIGNATURE_HASH_ALGORITHMS; as responder MULTIPLE_AUTH_SUPPORTED, CERTREQ and what goes with it, too. */
void announce_init(struct ike_sa *sa, struct builder *b);
/* Initiator, in the first IKE_AUTH request: CERTREQ and what goes with it. */
void announce_certreq(struct ike_sa *sa, struct builder *b);

/* ---- the service ---- */

/* A request to it; the host needs to know whose it is. */
struct sa_authentication {
	struct auth_request r;
	uint32_t ike_id;
};

/* Of the round, for the SA's configuration; the caller fills in what is to be done. */
struct sa_authentication *authentication_new(struct ike_sa *sa, enum auth_work work, const struct conn_round *round,
					     const struct id *id);
EXPORT void authentication_free(struct sa_authentication *a);
/* The octets that one side authenticates, and if it is the peer their variants (sa/init_variant.h), for r.octets. */
MUST_CHECK bool authentication_octets(struct ike_sa *sa, struct sa_authentication *a);
/* Hands it to the host; the answer comes to the task that waits. False: it is freed, and why is set. */
MUST_CHECK bool authentication_submit(struct ike_sa *sa, struct sa_authentication *a, const char **ret_why);

/* ---- chains of the peer ---- */

#define SA_CHAINS 8 /* of rounds with certificates, and of what put the peer into a group */

/* Immutable after IKE_AUTH, shared by an IKE_SA and its successors, on one thread. */
struct kept_chain;
struct sa_chains {
	unsigned refs, count;
	struct kept_chain *chains[]; /* at most SA_CHAINS */
};

/* NULL: there is none. The chain stays the caller's. */
void chains_add(struct ike_sa *sa, const struct trust_chain *chain);
void chains_inherit(struct ike_sa *sa, const struct ike_sa *old);
void chains_clear(struct ike_sa *sa);
/* A CRL has come: an IKE_SA whose peer's certificate it revokes is closed. */
EXPORT void ike_sa_recheck_crl(struct ike_sa *sa, const struct crl *crl);

#endif
