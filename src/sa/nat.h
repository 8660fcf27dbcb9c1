/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_NAT_H
#define BEWICK_SA_NAT_H

#include "sa/ike_sa.h"
#include "wire/builder.h"

/* NAT detection in IKE_SA_INIT (RFC 7296, 2.23). */

/* Writes both notifies; with `fake` the source is wrong on purpose, so that the peer encapsulates. */
EXPORT void nat_build(struct ike_sa *sa, struct builder *b, const struct addr *local, const struct addr *remote, bool fake);
/* Compares the peer's notifies with the addresses seen, sets nat_local and nat_remote. */
EXPORT void nat_detect(struct ike_sa *sa, const struct payload_list *in, uint64_t spi_i, uint64_t spi_r,
		       const struct addr *local, const struct addr *remote);
/* The backend or the configuration wants UDP encapsulation without a NAT. */
EXPORT bool nat_forced(const struct ike_sa *sa);

/*
 * A new message of the peer, authenticated, came to `local` from `remote`: if the peer is behind a NAT that gave it another address
 * or port, the IKE_SA and its children go there from now on (RFC 7296, 2.23). Never for repeats.
 */
void nat_follow(struct ike_sa *sa, const struct addr *local, const struct addr *remote);
/* Likewise for authenticated ESP of the child (KERNEL_EVENT_MAPPING). */
EXPORT void nat_follow_esp(struct child_sa *c, const struct addr *remote);
/* When it may have to be kept alive next; 0: never. To be called when what decides that has changed. */
uint64_t nat_keepalive_next(const struct ike_sa *sa);
/* keepalive_ms has come. */
void nat_keepalive(struct ike_sa *sa);

#endif
