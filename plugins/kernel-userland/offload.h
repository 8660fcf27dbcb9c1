/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_OFFLOAD_H
#define USERLAND_OFFLOAD_H

#include <linux/virtio_net.h>
#include <sys/uio.h>

#include "flow.h"

/*
 * What a TUN device with IFF_VNET_HDR leaves to us, and takes from us, so that one system call carries many packets: outbound
 * TCP and UDP in pieces as large as 64 KiB without checksums; inbound runs of TCP segments, or of datagrams of one size, as one. Pure functions over
 * bytes. The device's header comes from the kernel, the packets from anybody.
 */

#define OFFLOAD_PACKET_MAX 65535
#define OFFLOAD_HEADERS_MAX 256  /* of a piece: likewise */
#define OFFLOAD_SEGMENTS_MAX 2048 /* of one piece: more is refused */
#define OFFLOAD_IOV_MAX 64        /* packets that inbound become one */

/* How many packets a piece becomes; 0: it makes no sense. 1: it is one already (but may lack its checksum). */
size_t offload_count(const struct virtio_net_hdr *h, struct bytes packet);
/* Puts the checksum in that the kernel left out. False: it makes no sense. */
bool offload_checksum(const struct virtio_net_hdr *h, uint8_t *packet, size_t n);
/*
 * Writes packet number i (from 0) of a piece for which offload_count says more than 1, and its length. ret has room for the
 * headers and gso_size bytes.
 */
size_t offload_segment(const struct virtio_net_hdr *h, struct bytes piece, size_t i, uint8_t *ret);

/* Inbound: a run of segments that goes to the device as one. */
struct offload_run {
	struct virtio_net_hdr h;
	struct iovec iov[OFFLOAD_IOV_MAX + 1]; /* [0] is h, [1] begins with the first packet, then there are only payloads */
	size_t n_iov;
	size_t n;       /* packets */
	size_t between; /* set after offload_run_begin: see tun_write */
	/* of the first packet, for what follows */
	uint8_t *head, *end; /* end: of the last packet, where it came */
	size_t ip_len, head_len, total, payload;
	uint32_t next_seq;
	uint16_t next_id;
	bool udp;
	bool open; /* another may follow */
};

/* Begins with a packet (whole, n bytes, which may be changed until the run was written). udp: the device takes runs of datagrams. */
void offload_run_begin(struct offload_run *r, uint8_t *packet, size_t n, bool udp);
/* Whether a packet is the next of the run: then it is in it. */
bool offload_run_add(struct offload_run *r, uint8_t *packet, size_t n);
/* Before it is written: the headers stand for all of it. */
void offload_run_end(struct offload_run *r);

#endif
