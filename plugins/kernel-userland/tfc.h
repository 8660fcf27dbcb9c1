/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_TFC_H
#define USERLAND_TFC_H

#include <stddef.h>
#include <stdint.h>

#include "tun_io.h"

/*
 * Packets that are made longer, so that their lengths tell less (RFC 4303, 2.7). They are copied, because others may stand right
 * behind them; the copies live until the next batch.
 */
struct tfc {
	uint8_t **buffers; /* of each packet of a batch, made when they are needed first */
	size_t room;       /* bytes of a packet in one */
};

void tfc_clear(struct tfc *t);
/* The packet, n bytes, with zeros up to `to` bytes (at most `most`, which is always the same), as the index-th of its batch. */
uint8_t *tfc_pad(struct tfc *t, size_t index, const uint8_t *packet, size_t n, size_t to, size_t most);

#endif
