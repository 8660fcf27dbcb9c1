/* SPDX-License-Identifier: Apache-2.0 */
#include "tfc.h"

#include <stdlib.h>
#include <string.h>

#include "esp.h"
#include "util/mem.h"

void tfc_clear(struct tfc *t)
{
	for (size_t i = 0; t->buffers && i < TUN_PACKETS_MAX; i++)
		free(t->buffers[i]);
	free(t->buffers);
	*t = (struct tfc){ 0 };
}

uint8_t *tfc_pad(struct tfc *t, size_t index, const uint8_t *packet, size_t n, size_t to, size_t most)
{
	uint8_t *p;

	if (t->room != most)
		tfc_clear(t);
	t->room = most;
	if (!t->buffers)
		t->buffers = xcalloc(TUN_PACKETS_MAX, sizeof(*t->buffers));
	if (!t->buffers[index])
		t->buffers[index] = xmalloc(PACKET_HEADROOM + most + PACKET_TAILROOM);
	p = t->buffers[index] + PACKET_HEADROOM;
	memcpy(p, packet, n);
	memset(p + n, 0, to - n);
	return p;
}
