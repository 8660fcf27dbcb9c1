/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_KERNEL_SPI_POOL_H
#define BEWICK_KERNEL_SPI_POOL_H

#include <stdint.h>

#include "util/result.h"

/*
 * Inbound SPIs for backends that allocate them themselves: the top byte is a segment, the rest
 * is unique in it. One bit per SPI; a freed one comes back only after all others of the segment,
 * so that late packets never meet a new SA. The order is a keyed permutation that
 * differs from run to run. Any thread.
 */
struct spi_pool;

EXPORT struct spi_pool *spi_pool_new(uint64_t seed); /* seed: any; tests fix it */
EXPORT void spi_pool_free(struct spi_pool *p);
/* False: all of the segment are taken. Never gives an SPI below 256 (RFC 4303, 2.1). */
EXPORT MUST_CHECK bool spi_pool_take(struct spi_pool *p, uint8_t segment, uint32_t *ret_spi);
/* Marks one that came from elsewhere (an imported SA); no-op if taken. */
EXPORT void spi_pool_mark(struct spi_pool *p, uint32_t spi);
EXPORT void spi_pool_give(struct spi_pool *p, uint32_t spi); /* no-op if free */

#endif
