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

#endif
