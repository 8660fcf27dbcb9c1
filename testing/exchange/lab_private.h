/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TESTING_EXCHANGE_LAB_PRIVATE_H
#define BEWICK_TESTING_EXCHANGE_LAB_PRIVATE_H

#include "lab.h"

/* For the files of the lab alone. */

/* A pair of SAs that an endpoint's backend has. */
struct lab_child {
	struct lab_child *next; /* as outbound packets see them: the first that carries and has the selectors */
	uint32_t spi_in, spi_out;
	uint64_t selectors; /* equal for equal ones */
	bool carries;
	uint8_t keys[256];
	size_t n_keys;
	uint64_t seq_out;
	struct kernel_move place;
	struct kernel_child asked; /* without what it points to */
};

extern const struct kernel_ops lab_kernel_ops;
/* Both ends of a pair of SAs treat packets alike. */
void lab_check_modes(const struct lab *lab);
/* Virtual addresses are on interfaces, and out of pools, as long as an IKE_SA has them. */
void lab_check_vips(const struct lab_end *e);
struct crypto_registry *lab_registry(void); /* of the process */

/* For a path that is narrow: with the headers of IPv4 and UDP, and the marker (RFC 3948). */
static inline bool lab_is_too_large(const struct lab_end *e, const struct addr *local, size_t n)
{
	size_t limit = e->lab->narrow[e == &e->lab->b];

	return limit && n + 28 + (local->port == IKE_NATT_PORT ? 4 : 0) > limit;
}

void lab_put(struct lab_end *e, const struct addr *local, const struct addr *remote, struct bytes msg);
void lab_reserve_spi(void *host, uint64_t spi, bool is);
/* A request that no IKE_SA of its receiver has the SPIs of: what worker/unknown.c does, without its limits. */
void lab_unknown(const struct lab_packet *p, const struct ike_header *h);

#endif
