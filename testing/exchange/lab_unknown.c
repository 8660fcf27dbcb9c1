/* SPDX-License-Identifier: Apache-2.0 */
/* SPIs of the lab that no IKE_SA has. */
#include "lab_private.h"

#include <check.h>

#include "sa/hint.h"

void lab_reserve_spi(void *host, uint64_t spi, bool is)
{
	struct lab_end *e = host;
	size_t i = 0;

	ck_assert(spi);
	while (i < LAB_RESERVED && e->reserved[i] != (is ? 0 : spi))
		i++;
	ck_assert_uint_lt(i, LAB_RESERVED);
	e->reserved[i] = is ? spi : 0;
}

void lab_unknown(const struct lab_packet *p, const struct ike_header *h)
{
	struct lab_end *e = p->to;
	uint64_t own = h->flags & IKE_FLAG_INITIATOR ? h->spi_r : h->spi_i;
	uint8_t msg[256];

	for (size_t i = 0; i < LAB_RESERVED; i++)
		if (e->reserved[i] == own)
			return;
	if (!(h->flags & IKE_FLAG_RESPONSE) && (h->next == PAYLOAD_SK || h->next == PAYLOAD_SKF) && h->spi_i && h->spi_r)
		lab_put(e, &p->local, &p->remote, hint_unknown(&e->ctx, h, msg, sizeof(msg)));
}
