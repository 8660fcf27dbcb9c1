/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_TUN_IO_H
#define USERLAND_TUN_IO_H

#include "drop.h"
#include "esp.h"
#include "offload.h"

/*
 * Packets from and to the TUN device. With IFF_VNET_HDR each read may give many packets in one piece, and a run of
 * inbound TCP segments, or of datagrams where the kernel knows that, is written as one.
 */
enum tun_vnet { TUN_VNET_NONE, TUN_VNET_TCP, TUN_VNET_UDP };

#define TUN_BATCH 64                    /* reads at a time */
/* No more reads when there are so many packets, or bytes: they stay in the cache. */
#define TUN_PACKETS_ENOUGH 256
#define TUN_BYTES_ENOUGH (256 * 1024)
#define TUN_PACKETS_MAX (TUN_PACKETS_ENOUGH + OFFLOAD_SEGMENTS_MAX)

struct tun_packet {
	uint8_t *p;
	size_t n;
	uint16_t head, tail; /* free bytes before it, behind it */
	bool again; /* like the one before but for its length and what no selector sees: of one piece */
};

/* One thread's. */
struct tun_reader {
	uint8_t *buffers; /* TUN_BATCH, to read into */
	size_t n_buffers; /* that have packets */
	uint8_t *cut;     /* where packets of pieces are put */
	size_t n_cut;
	/* Around packets of pieces, the owner's: with what their SA needs, and no more, they stand one behind the other when they are
	 * sealed, and are sent as one run of bytes. */
	struct esp_room room;
	uint8_t *moved; /* those that needed more */
	size_t n_moved;
	size_t n;
	struct tun_packet packets[TUN_PACKETS_MAX];
};

void tun_reader_init(struct tun_reader *r);
void tun_reader_clear(struct tun_reader *r);
/* Reads what is there, up to a batch: r->packets are valid until the next call. How many reads; 0: nothing is there. */
size_t tun_read(struct tun_reader *r, int fd, enum tun_vnet vnet, struct drop_counters *drops);
/* A packet of the last read with PACKET_HEADROOM before it and PACKET_TAILROOM behind it, moved if need be; once for each. */
uint8_t *tun_reader_roomy(struct tun_reader *r, const struct tun_packet *p);
/* Packets that were read before, one by one, in place of reading. False: it is full. */
void tun_reader_reset(struct tun_reader *r);
bool tun_reader_put(struct tun_reader *r, struct bytes packet);
/* Writes packets in their order; those that cannot be written are counted. Their bytes may be changed, and what is between two of them
 * if these are no more than `between` bytes: nobody's. */
void tun_write(int fd, enum tun_vnet vnet, const struct bytes *packets, size_t n, size_t between, struct drop_counters *drops);

#endif
