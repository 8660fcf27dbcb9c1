/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_ADDRESS_H
#define BEWICK_SA_ADDRESS_H

#include "sa/ike_sa.h"

/*
 * Where the two ends of an IKE_SA are, and what follows when they move: a peer behind a NAT that gave it another port (RFC 7296,
 * 2.23), or either side with another address (RFC 4555).
 */

/*
 * From now on the SA is between these; the host's tables and the children in the backend follow. The flags nat_local, nat_remote
 * and nat_fake say already what is true of the new path. Nothing happens if all is as before. Only for what is authenticated.
 */
EXPORT void ike_sa_move_to(struct ike_sa *sa, const struct addr *local, const struct addr *remote);
/* Its children that are not where it is follow. */
void ike_sa_lead_children(struct ike_sa *sa);
/* Whether ESP of its children is to be in UDP, by the NATs found and the configuration. */
bool ike_sa_wants_encap(const struct ike_sa *sa);
/* A child that was being installed while its IKE_SA moved is brought to where that is. */
void child_sa_follow(struct child_sa *c);
/* The backend's answer to a move (sa_host_ops.move_done). */
EXPORT void child_sa_moved(struct child_sa *c, enum kernel_status status, const struct errtext *err);

#endif
