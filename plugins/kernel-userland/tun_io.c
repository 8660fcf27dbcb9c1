/* SPDX-License-Identifier: Apache-2.0 */
#include "tun_io.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "util/mem.h"

#define STRIDE (65536 + PACKET_HEADROOM + PACKET_TAILROOM + 1472) /* no power of two: the cache */
/* what one piece may need, of the smallest packets */
#define CUT_PIECE (OFFLOAD_PACKET_MAX + OFFLOAD_SEGMENTS_MAX * (OFFLOAD_HEADERS_MAX + PACKET_HEADROOM + PACKET_TAILROOM))
#define CUT_MAX (TUN_PACKETS_ENOUGH * 4096 + CUT_PIECE)
#define MOVED_MAX (CUT_MAX + TUN_PACKETS_MAX * (PACKET_HEADROOM + PACKET_TAILROOM)) /* all that was cut */

void tun_reader_init(struct tun_reader *r)
{
	r->buffers = xmalloc((size_t)TUN_BATCH * STRIDE);
	r->cut = xmalloc(CUT_MAX);
	r->room = ESP_ROOM_MOST;
}

void tun_reader_clear(struct tun_reader *r)
{
	free(r->buffers);
	free(r->cut);
	free(r->moved);
}

/* False: the piece makes no sense. */
static bool tun_cut(struct tun_reader *r, const struct virtio_net_hdr *h, struct bytes piece, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		uint8_t *p = r->cut + r->n_cut + r->room.head;
		size_t n = offload_segment(h, piece, i, p), tail = esp_room_tail(&r->room, n);

		if (!n)
			return false;
		r->packets[r->n++] = (struct tun_packet){ p, n, r->room.head, (uint16_t)tail, i > 0 };
		r->n_cut += r->room.head + n + tail;
	}
	return true;
}

static bool tun_take(struct tun_reader *r, const struct virtio_net_hdr *h, uint8_t *packet, size_t n)
{
	struct bytes piece = bytes_of(packet, n);
	size_t count = offload_count(h, piece);

	if (count > 1)
		return tun_cut(r, h, piece, count);
	if (count != 1 || !offload_checksum(h, packet, n))
		return false;
	r->packets[r->n++] = (struct tun_packet){ packet, n, PACKET_HEADROOM, PACKET_TAILROOM, false };
	r->n_buffers++;
	return true;
}

void tun_reader_reset(struct tun_reader *r)
{
	r->n = r->n_cut = r->n_moved = r->n_buffers = 0;
}

uint8_t *tun_reader_roomy(struct tun_reader *r, const struct tun_packet *p)
{
	uint8_t *to;

	if (p->head >= PACKET_HEADROOM && p->tail >= PACKET_TAILROOM)
		return p->p;
	if (!r->moved)
		r->moved = xmalloc(MOVED_MAX);
	to = r->moved + r->n_moved + PACKET_HEADROOM;
	memcpy(to, p->p, p->n);
	r->n_moved += PACKET_HEADROOM + p->n + PACKET_TAILROOM;
	return to;
}

bool tun_reader_put(struct tun_reader *r, struct bytes packet)
{
	uint8_t *p = r->buffers + r->n * STRIDE + PACKET_HEADROOM;

	if (r->n == TUN_BATCH || packet.n > OFFLOAD_PACKET_MAX)
		return false;
	memcpy(p, packet.p, packet.n);
	r->packets[r->n++] = (struct tun_packet){ p, packet.n, PACKET_HEADROOM, PACKET_TAILROOM, false };
	return true;
}

size_t tun_read(struct tun_reader *r, int fd, enum tun_vnet vnet, struct drop_counters *drops)
{
	size_t reads = 0, bytes = 0;

	tun_reader_reset(r);
	while (reads < TUN_BATCH && r->n < TUN_PACKETS_ENOUGH && bytes < TUN_BYTES_ENOUGH && r->n_cut + CUT_PIECE <= CUT_MAX) {
		/* what a piece was in can be used again: it is cut */
		uint8_t *p = r->buffers + r->n_buffers * STRIDE + PACKET_HEADROOM;
		struct virtio_net_hdr h = { 0 };
		struct iovec iov[2] = { { &h, sizeof(h) }, { p, OFFLOAD_PACKET_MAX } };
		ssize_t n = readv(fd, vnet ? iov : iov + 1, vnet ? 2 : 1);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		reads++;
		bytes += (size_t)n;
		if ((vnet && (size_t)n <= sizeof(h)) || !tun_take(r, &h, p, (size_t)n - (vnet ? sizeof(h) : 0)))
			drop_count(drops, DROP_BAD_INNER);
	}
	return reads;
}

static void tun_writev(int fd, const struct iovec *iov, size_t n, size_t packets, struct drop_counters *drops)
{
	ssize_t r;

	while ((r = writev(fd, iov, (int)n)) < 0 && errno == EINTR)
		;
	for (size_t i = 0; r < 0 && i < packets; i++)
		drop_count(drops, DROP_TUN_WRITE);
}

void tun_write(int fd, enum tun_vnet vnet, const struct bytes *packets, size_t n, size_t between, struct drop_counters *drops)
{
	struct offload_run run;

	for (size_t i = 0; !vnet && i < n; i++) {
		struct iovec iov = { (void *)packets[i].p, packets[i].n };

		tun_writev(fd, &iov, 1, 1, drops);
	}
	for (size_t i = 0; vnet && i < n;) {
		offload_run_begin(&run, (uint8_t *)packets[i].p, packets[i].n, vnet == TUN_VNET_UDP);
		run.between = between;
		for (i++; i < n && offload_run_add(&run, (uint8_t *)packets[i].p, packets[i].n); i++)
			;
		offload_run_end(&run);
		tun_writev(fd, run.iov, run.n_iov, run.n, drops);
	}
}
