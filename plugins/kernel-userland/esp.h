/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_ESP_H
#define USERLAND_ESP_H

#include "crypto/esp_crypt.h"
#include "drop.h"
#include "kernel/kernel.h"
#include "replay.h"

/*
 * One direction's SA and what it does to a packet (RFC 4303, tunnel mode), in place in a buffer. No
 * I/O, no look-ups. Each belongs to the thread of its direction; only usage is read by others.
 */

/* Room an inner packet needs around it: header and IV, or an ICMP error; padding and ICV. */
#define PACKET_HEADROOM 64
#define PACKET_TAILROOM 64

/* What an SA needs of it. */
struct esp_room {
	uint8_t head;       /* header and IV */
	uint8_t align, icv; /* padding and its trailer; what follows */
};

#define ESP_ROOM_MOST ((struct esp_room){ PACKET_HEADROOM, 1, PACKET_TAILROOM - 2 })

/* Behind a packet of n bytes. */
static inline size_t esp_room_tail(const struct esp_room *r, size_t n)
{
	return (-(n + 2) & (r->align - 1u)) + 2 + r->icv;
}

#define ESP_NEXT_DUMMY 59 /* RFC 4303, 2.6 */

/* Written by the owner, read by anyone. Bytes are those of the inner packets. */
struct esp_usage {
	_Atomic uint64_t bytes, packets, last_use_ms;
};

/* What an SA uses up, and what it told of that. */
struct esp_life {
	struct kernel_life limit;
	bool soft_told, hard_told;
};

struct esp_out {
	uint32_t spi; /* 0: no SA, a trap */
	struct esp_crypt *crypt;
	uint8_t iv_len, icv_len, align;
	bool esn, copy_df, copy_ecn;
	uint32_t tfc; /* packets are padded to so many bytes, 0 not */
	uint64_t seq, seq_max; /* last used; the last one that may be */
	struct esp_life life;
	struct esp_usage usage;
};

struct esp_in {
	uint32_t spi;
	struct esp_crypt *crypt;
	uint8_t iv_len, icv_len, align;
	bool esn, copy_ecn;
	struct replay *replay;
	struct esp_life life;
	struct esp_usage usage;
};

/* What a packet reached: to be told when no lock is held. */
enum esp_limit { ESP_LIMIT_NONE, ESP_LIMIT_SOFT, ESP_LIMIT_HARD };

void esp_out_init(struct esp_out *o, const struct kernel_child *child);
void esp_in_init(struct esp_in *in, const struct kernel_child *child);
void esp_out_clear(struct esp_out *o);
struct esp_room esp_out_room(const struct esp_out *o);
void esp_in_clear(struct esp_in *in);
/* The sequence number jumps ahead, at most to the last one: then nothing can be sent any more. */
void esp_out_advance(struct esp_out *o, uint64_t delta);

/*
 * Seals the packet `inner` (n bytes, a buffer with head- and tailroom around). Afterwards
 * *ret_packet lies in the same buffer. DROP_NONE, or why it must not be sent.
 */
enum drop esp_encap(struct esp_out *o, uint8_t *inner, size_t n, uint64_t now_ms, struct bytes *ret_packet,
		    enum esp_limit *ret_limit);
/*
 * Opens an ESP packet in place; the inner packet (with TFC padding, if any) lies within. What it is
 * said to be (ret_next: 4, 41) is not looked into here. Nothing but buffer content changes
 * before the integrity check.
 */
enum drop esp_decap(struct esp_in *in, uint8_t *packet, size_t n, struct bytes *ret_inner, uint8_t *ret_next);
/* Counts a packet that was let through. */
enum esp_limit esp_in_count(struct esp_in *in, size_t n, uint64_t now_ms);

/* Largest inner packet whose outer packet (family, UDP) fits in mtu; 0 if none does. */
size_t esp_inner_max(const struct esp_out *o, uint8_t outer_family, size_t mtu);
/* RFC 6040, 4.1 and 5.1: the outer field. */
uint8_t esp_outer_tos(const struct esp_out *o, uint8_t inner_tos);
/* RFC 6040, 4.2: puts a congestion mark of the outer header into the inner one. False: must be dropped. */
bool esp_inner_ecn(uint8_t *inner, uint8_t family, uint8_t outer_tos);

#endif
