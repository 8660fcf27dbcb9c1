/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_HOLD_H
#define USERLAND_HOLD_H

#include "util/bytes.h"
#include "util/list.h"

/*
 * The first packets that met a trap: kept until an SA carries them, a few per trap, and not for long: who
 * sent them would repeat them anyway. No locks: the owner sees to it.
 */
#define HOLD_MAX 256
#define HOLD_PER_TRAP 8
#define HOLD_MS 10000

struct held_packet {
	struct list link;
	uint32_t trap_id;
	uint64_t until_ms;
	size_t n;
	uint8_t data[];
};

struct hold {
	struct list list; /* the oldest first */
	size_t n;
};

void hold_init(struct hold *h);
void hold_clear(struct hold *h);
/* Copies it. False: there are enough. */
bool hold_add(struct hold *h, uint32_t trap_id, struct bytes packet, uint64_t now_ms);
/* Takes one out and frees it. */
void hold_remove(struct hold *h, struct held_packet *p);
/* Frees what waited too long; how many. */
size_t hold_expire(struct hold *h, uint64_t now_ms);
/* Frees those of a trap that is no more. */
void hold_forget(struct hold *h, uint32_t trap_id);

#endif
