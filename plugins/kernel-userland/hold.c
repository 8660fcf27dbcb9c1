/* SPDX-License-Identifier: Apache-2.0 */
#include "hold.h"

#include <stdlib.h>
#include <string.h>

void hold_init(struct hold *h)
{
	list_init(&h->list);
	h->n = 0;
}

void hold_clear(struct hold *h)
{
	LIST_FOREACH_SAFE(it, &h->list)
		hold_remove(h, list_entry(it, struct held_packet, link));
}

static size_t hold_count(const struct hold *h, uint32_t trap_id)
{
	size_t n = 0;

	LIST_FOREACH(it, &h->list)
		n += list_entry(it, struct held_packet, link)->trap_id == trap_id;
	return n;
}

bool hold_add(struct hold *h, uint32_t trap_id, struct bytes packet, uint64_t now_ms)
{
	struct held_packet *p;

	if (h->n >= HOLD_MAX || hold_count(h, trap_id) >= HOLD_PER_TRAP)
		return false;
	p = xmalloc(sizeof(*p) + packet.n);
	p->trap_id = trap_id;
	p->until_ms = now_ms + HOLD_MS;
	p->n = packet.n;
	memcpy(p->data, packet.p, packet.n);
	list_add_tail(&h->list, &p->link);
	h->n++;
	return true;
}

void hold_remove(struct hold *h, struct held_packet *p)
{
	list_del(&p->link);
	h->n--;
	free(p);
}

size_t hold_expire(struct hold *h, uint64_t now_ms)
{
	size_t before = h->n;

	LIST_FOREACH_SAFE(it, &h->list) {
		struct held_packet *p = list_entry(it, struct held_packet, link);

		if (p->until_ms > now_ms)
			break;
		hold_remove(h, p);
	}
	return before - h->n;
}

void hold_forget(struct hold *h, uint32_t trap_id)
{
	LIST_FOREACH_SAFE(it, &h->list) {
		struct held_packet *p = list_entry(it, struct held_packet, link);

		if (p->trap_id == trap_id)
			hold_remove(h, p);
	}
}
