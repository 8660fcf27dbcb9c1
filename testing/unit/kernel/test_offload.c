/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test_kernel.h"

#include "offload.h"
#include "tun_io.h"

static const bool versions[] = { true, false }; /* IPv4 */

#define MSS 100

static uint8_t piece[8192];

static void put(uint8_t *p, uint32_t v, int n)
{
	while (n-- > 0)
		*p++ = (uint8_t)(v >> 8 * n);
}

static uint32_t get(const uint8_t *p, int n)
{
	uint32_t v = 0;

	while (n-- > 0)
		v = v << 8 | *p++;
	return v;
}

/* RFC 1071 as it is written: 16 bits at a time. */
static uint32_t sum_of(uint32_t sum, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		sum += i % 2 ? p[i] : (uint32_t)p[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint32_t pseudo(const uint8_t *ip, bool v4, unsigned protocol, size_t n)
{
	return sum_of((uint32_t)n + protocol, v4 ? ip + 12 : ip + 8, v4 ? 8 : 32);
}

/* A large TCP (or UDP) piece as the kernel leaves it: `n` bytes of payload; the checksum is that of the pseudo header. */
static size_t make_piece(bool v4, bool udp, size_t n, unsigned flags, struct virtio_net_hdr *h)
{
	size_t l4 = v4 ? 20 : 40, head = l4 + (udp ? 8 : 32), total = head + n;
	uint8_t *p = piece, *t = piece + l4;

	memset(piece, 0, head);
	if (v4) {
		put(p, 0x4510, 2);
		put(p + 2, (uint32_t)total, 2);
		put(p + 4, 0xfffe, 2);
		put(p + 6, 0x4000, 2);
		put(p + 8, 64u << 8 | (udp ? 17 : 6), 2);
		memcpy(p + 12, "\x0a\1\0\1\x0a\2\0\1", 8);
	} else {
		put(p, 0x61000000, 4);
		put(p + 4, (uint32_t)(total - 40), 2);
		put(p + 6, (udp ? 17u : 6u) << 8 | 64, 2);
		memset(p + 8, 0x11, 16);
		memset(p + 24, 0x22, 16);
	}
	put(t, 0x12345678, 4);
	if (!udp) {
		put(t + 4, 0xffffffc0, 4); /* the number wraps on the way */
		put(t + 8, 0x01020304, 4);
		put(t + 12, 0x8000 | flags, 2);
		memcpy(t + 20, "\1\1\x08\x0a\1\2\3\4\5\6\7\x08", 12); /* timestamps */
	} else {
		put(t + 4, (uint32_t)(total - l4), 2);
	}
	put(t + (udp ? 6 : 16), pseudo(p, v4, udp ? 17 : 6, total - l4), 2);
	for (size_t i = 0; i < n; i++)
		piece[head + i] = (uint8_t)(i * 7 + i / 251);
	*h = (struct virtio_net_hdr){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .hdr_len = (uint16_t)head, .gso_size = MSS,
				      .gso_type = udp ? 5 : v4 ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_TCPV6,
				      .csum_start = (uint16_t)l4, .csum_offset = udp ? 6 : 16 };
	return total;
}

static void check_whole(const uint8_t *p, size_t n, bool v4, bool udp)
{
	size_t l4 = v4 ? 20 : 40;
	struct flow f;

	ck_assert(flow_parse(bytes_of(p, n), &f));
	ck_assert_uint_eq(f.len, n);
	if (v4)
		ck_assert_uint_eq(sum_of(0, p, 20), 0xffff);
	ck_assert_uint_eq(sum_of(pseudo(p, v4, udp ? 17 : 6, n - l4), p + l4, n - l4), 0xffff);
}

START_TEST(tcp_is_cut)
{
	bool v4 = versions[_i];
	size_t head = v4 ? 52 : 72;
	struct virtio_net_hdr h;
	size_t n = make_piece(v4, false, 7 * MSS + 3, 0x99 /* CWR ACK PSH FIN */, &h), total = 0;
	uint8_t out[2048];

	ck_assert_uint_eq(offload_count(&h, bytes_of(piece, n)), 8);
	for (size_t i = 0; i < 8; i++) {
		size_t len = offload_segment(&h, bytes_of(piece, n), i, out);
		const uint8_t *t = out + head - 32;

		ck_assert_uint_eq(len, head + (i < 7 ? MSS : 3));
		check_whole(out, len, v4, false);
		ck_assert_uint_eq(get(t + 4, 4), (uint32_t)(0xffffffc0 + i * MSS));
		ck_assert_uint_eq(t[13], i == 0 ? 0x90 : i == 7 ? 0x19 : 0x10);
		if (v4)
			ck_assert_uint_eq(get(out + 4, 2), (0xfffe + i) & 0xffff);
		ck_assert(memcmp(out + head, piece + head + total, len - head) == 0);
		total += len - head;
	}
	ck_assert_uint_eq(total, 7 * MSS + 3);
}
END_TEST

START_TEST(udp_is_cut)
{
	bool v4 = versions[_i];
	struct virtio_net_hdr h;
	size_t n = make_piece(v4, true, 2 * MSS + 1, 0, &h);
	uint8_t out[2048];

	ck_assert_uint_eq(offload_count(&h, bytes_of(piece, n)), 3);
	for (size_t i = 0; i < 3; i++)
		check_whole(out, offload_segment(&h, bytes_of(piece, n), i, out), v4, true);
}
END_TEST

START_TEST(checksum_is_put_in)
{
	bool v4 = versions[_i];
	struct virtio_net_hdr h;
	size_t n = make_piece(v4, false, 61, 0x10, &h);

	h.gso_type = VIRTIO_NET_HDR_GSO_NONE;
	ck_assert_uint_eq(offload_count(&h, bytes_of(piece, n)), 1);
	if (v4)
		put(piece + 10, 0xffff ^ sum_of(0, piece, 20), 2);
	ck_assert(offload_checksum(&h, piece, n));
	check_whole(piece, n, v4, false);
	h.csum_start = (uint16_t)n;
	ck_assert(!offload_checksum(&h, piece, n));
	h.csum_start = (uint16_t)(n - 17);
	ck_assert(!offload_checksum(&h, piece, n));
}
END_TEST

/* What a header from the device could say that does not fit its packet. */
START_TEST(nonsense_is_refused)
{
	struct virtio_net_hdr good, h;
	size_t n = make_piece(true, false, 300, 0x10, &good);
	struct bytes p = bytes_of(piece, n);

	ck_assert_uint_eq(offload_count(&good, p), 3);
#define REFUSED(FIELD, VALUE)                                                                      \
	do {                                                                                       \
		h = good;                                                                          \
		h.FIELD = VALUE;                                                                   \
		ck_assert_uint_eq(offload_count(&h, p), 0);                                        \
	} while (0)
	REFUSED(gso_size, 0);
	REFUSED(flags, 0);
	REFUSED(gso_type, VIRTIO_NET_HDR_GSO_TCPV6);
	REFUSED(gso_type, 77);
	REFUSED(csum_start, 19);
	REFUSED(csum_start, n - 4);
	REFUSED(csum_start, 65535);
	REFUSED(csum_offset, 6);
#undef REFUSED
	piece[32] = 0x40; /* a TCP header of 16 bytes */
	ck_assert_uint_eq(offload_count(&good, p), 0);
	piece[32] = 0xf0;
	ck_assert_uint_eq(offload_count(&good, bytes_of(piece, 60)), 0);
	ck_assert_uint_eq(offload_count(&good, bytes_of(piece, 12)), 0);
}
END_TEST

/* Cut and put together again it is the piece that it was. */
START_TEST(runs_are_put_together)
{
	bool v4 = versions[_i & 1], udp = _i & 2;
	static uint8_t packets[8][2048];
	struct virtio_net_hdr h;
	size_t n = make_piece(v4, udp, 6 * MSS + 9, 0x18, &h), at = 0;
	size_t lens[7];
	struct offload_run r;
	uint8_t joined[8192];

	for (size_t i = 0; i < 7; i++)
		lens[i] = offload_segment(&h, bytes_of(piece, n), i, packets[i]);
	offload_run_begin(&r, packets[0], lens[0], udp);
	if (!udp)
		ck_assert(!offload_run_add(&r, packets[2], lens[2])); /* a gap */
	for (size_t i = 1; i < 7; i++)
		ck_assert(offload_run_add(&r, packets[i], lens[i]));
	ck_assert(!offload_run_add(&r, packets[6], lens[6])); /* the short one was the last */
	offload_run_end(&r);
	for (size_t i = 1; i < r.n_iov; at += r.iov[i++].iov_len)
		memcpy(joined + at, r.iov[i].iov_base, r.iov[i].iov_len);
	ck_assert_uint_eq(at, n);
	if (v4)
		put(piece + 10, 0xffff ^ sum_of(0, piece, 20), 2);
	ck_assert(memcmp(joined, piece, n) == 0);
	ck_assert(memcmp(&r.h, &h, sizeof(h)) == 0);
}
END_TEST

/* Packets that stand close together become one run of bytes, and nothing else is touched. */
START_TEST(runs_are_moved_together)
{
	bool v4 = versions[_i & 1], udp = _i & 2;
	static uint8_t buffer[4096];
	struct virtio_net_hdr h;
	size_t n = make_piece(v4, udp, 5 * MSS + 9, 0x18, &h), at = 32, got = 0;
	size_t lens[6], between[] = { 0, 20, 20, 21, 20, 20 }; /* before each */
	uint8_t *packets[6], joined[8192];
	struct offload_run r;

	memset(buffer, 0xee, sizeof(buffer));
	for (size_t i = 0; i < 6; at += lens[i++]) {
		at += between[i];
		packets[i] = buffer + at;
		lens[i] = offload_segment(&h, bytes_of(piece, n), i, packets[i]);
	}
	offload_run_begin(&r, packets[0], lens[0], udp);
	r.between = 20;
	for (size_t i = 1; i < 6; i++)
		ck_assert_msg(offload_run_add(&r, packets[i], lens[i]), "%zu", i);
	offload_run_end(&r);
	ck_assert_uint_eq(r.n, 6);
	ck_assert_uint_eq(r.n_iov, 3); /* the fourth begins anew */
	for (size_t i = 1; i < r.n_iov; got += r.iov[i++].iov_len)
		memcpy(joined + got, r.iov[i].iov_base, r.iov[i].iov_len);
	ck_assert_uint_eq(got, n);
	if (v4)
		put(piece + 10, 0xffff ^ sum_of(0, piece, 20), 2);
	ck_assert(memcmp(joined, piece, n) == 0);
	for (size_t i = 0; i < 21; i++)
		ck_assert_uint_eq(packets[3][i - 21], 0xee);
	for (size_t i = 0; i < 32; i++)
		ck_assert(buffer[i] == 0xee && buffer[at + i] == 0xee);
}
END_TEST

/* With the room that an SA needs cut packets stand one behind the other when they are sealed; one that needs more gets it. */
START_TEST(room_is_what_is_needed)
{
	struct drop_counters drops = { 0 };
	struct tun_reader *reader = calloc(1, sizeof(*reader));
	struct virtio_net_hdr h;
	size_t n = make_piece(versions[_i], false, 5 * MSS + 9, 0x10, &h), len = n - 5 * MSS - 9 + MSS;
	struct iovec iov[2] = { { &h, sizeof(h) }, { piece, n } };
	struct tun_packet *p = reader->packets;
	uint8_t copy[256], *moved[2];
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	tun_reader_init(reader);
	for (unsigned align = 1; align <= 16; align *= 4) {
		reader->room = (struct esp_room){ 24, (uint8_t)align, 12 };
		ck_assert_int_eq(writev(pair[0], iov, 2), (ssize_t)(n + sizeof(h)));
		ck_assert_uint_eq(tun_read(reader, pair[1], TUN_VNET_TCP, &drops), 1);
		ck_assert_uint_eq(reader->n, 6);
		for (size_t i = 0; i < 6; i++) {
			size_t sealed = (p[i].n + 2 + align - 1) / align * align + 12;

			ck_assert_uint_eq(p[i].n, i < 5 ? len : len - MSS + 9);
			ck_assert_uint_eq(p[i].head, 24);
			ck_assert_uint_eq(p[i].n + p[i].tail, sealed);
			ck_assert(i == 5 || p[i + 1].p == p[i].p + sealed + 24);
		}
	}
	memcpy(copy, p[2].p, len);
	for (int i = 0; i < 2; i++) {
		moved[i] = tun_reader_roomy(reader, &p[1 + i]);
		ck_assert(moved[i] != p[1 + i].p && memcmp(moved[i], p[1 + i].p, len) == 0);
		memset(moved[i] - PACKET_HEADROOM, 0x55, PACKET_HEADROOM + len + PACKET_TAILROOM);
	}
	ck_assert(memcmp(p[2].p, copy, len) == 0);
	ck_assert_uint_eq(moved[0][len + PACKET_TAILROOM - 1], 0x55);
	ck_assert(moved[1] >= moved[0] + len + PACKET_TAILROOM + PACKET_HEADROOM);
	/* what is no piece has room */
	h = (struct virtio_net_hdr){ 0 };
	iov[1].iov_len = len;
	ck_assert_int_eq(writev(pair[0], iov, 2), (ssize_t)(len + sizeof(h)));
	ck_assert_uint_eq(tun_read(reader, pair[1], TUN_VNET_TCP, &drops), 1);
	ck_assert(tun_reader_roomy(reader, p) == p->p);
	tun_reader_clear(reader);
	free(reader);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

/* Each byte of a second packet's headers matters, and its checksum. */
START_TEST(strangers_stay_apart)
{
	bool v4 = versions[_i & 1], udp = _i & 2;
	uint8_t first[2048], second[2048], changed[2048];
	struct virtio_net_hdr h;
	size_t n = make_piece(v4, udp, 2 * MSS, 0x10, &h), a, b;
	struct offload_run r;

	a = offload_segment(&h, bytes_of(piece, n), 0, first);
	b = offload_segment(&h, bytes_of(piece, n), 1, second);
	for (size_t i = 0; i < b; i++) {
		memcpy(changed, second, b);
		changed[i] ^= 0x40;
		/* the header checksum and, with DF, the identification of IPv4 are not looked at: the SA has vouched for them */
		if (v4 && ((i >= 2 && i < 6) || i == 10 || i == 11))
			continue;
		if (!v4 && (i == 4 || i == 5))
			continue;
		offload_run_begin(&r, first, a, true);
		ck_assert_msg(!offload_run_add(&r, changed, b), "byte %zu", i);
	}
	offload_run_begin(&r, first, a, true);
	ck_assert(!offload_run_add(&r, second, b - 1));
	ck_assert(offload_run_add(&r, second, b));
	/* the device need not know runs of datagrams */
	offload_run_begin(&r, first, a, false);
	ck_assert(offload_run_add(&r, second, b) == !udp);
	if (udp) {
		/* RFC 768: without a checksum; then nothing vouches for it */
		memcpy(changed, second, b);
		put(changed + (v4 ? 26 : 46), 0, 2);
		offload_run_begin(&r, first, a, true);
		ck_assert(!offload_run_add(&r, changed, b));
	}
	/* one packet alone is written as it is */
	memcpy(changed, second, b);
	offload_run_begin(&r, second, b, true);
	offload_run_end(&r);
	ck_assert(r.n_iov == 2 && r.h.gso_type == 0 && r.h.flags == 0 && memcmp(second, changed, b) == 0);
}
END_TEST

/* Through a device: pieces read, packets written. */
START_TEST(device)
{
	struct drop_counters drops = { 0 };
	struct tun_reader *reader = calloc(1, sizeof(*reader));
	struct bytes list[64];
	uint8_t got[8192];
	struct virtio_net_hdr h;
	size_t n = make_piece(versions[_i], false, 50 * MSS, 0x10, &h);
	struct iovec iov[2] = { { &h, sizeof(h) }, { piece, n } };
	int pair[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	tun_reader_init(reader);
	ck_assert_int_eq(writev(pair[0], iov, 2), (ssize_t)(n + sizeof(h)));
	ck_assert_int_eq(write(pair[0], "short", 5), 5);
	h.gso_size = 0;
	ck_assert_int_eq(writev(pair[0], iov, 2), (ssize_t)(n + sizeof(h)));
	ck_assert_uint_eq(tun_read(reader, pair[1], TUN_VNET_TCP, &drops), 3);
	ck_assert_uint_eq(reader->n, 50);
	ck_assert_uint_eq(drops.n[DROP_BAD_INNER], 2);
	for (size_t i = 0; i < 50; i++)
		list[i] = bytes_of(reader->packets[i].p, reader->packets[i].n);
	tun_write(pair[1], TUN_VNET_TCP, list, 50, 0, &drops);
	ck_assert_int_eq(read(pair[0], got, sizeof(got)), (ssize_t)(n + sizeof(h)));
	ck_assert(memcmp(got + sizeof(h) + (n - 50 * MSS), piece + (n - 50 * MSS), 50 * MSS) == 0);
	ck_assert_int_eq(read(pair[0], got, sizeof(got)), -1);
	ck_assert_uint_eq(tun_read(reader, pair[1], TUN_VNET_TCP, &drops), 0);
	tun_reader_clear(reader);
	free(reader);
	close(pair[0]);
	close(pair[1]);
}
END_TEST

TCase *tcase_offload(void)
{
	TCase *t = tcase_create("offload");

	tcase_add_loop_test(t, tcp_is_cut, 0, 2);
	tcase_add_loop_test(t, udp_is_cut, 0, 2);
	tcase_add_loop_test(t, checksum_is_put_in, 0, 2);
	tcase_add_loop_test(t, runs_are_moved_together, 0, 4);
	tcase_add_loop_test(t, room_is_what_is_needed, 0, 2);
	tcase_add_test(t, nonsense_is_refused);
	tcase_add_loop_test(t, runs_are_put_together, 0, 4);
	tcase_add_loop_test(t, strangers_stay_apart, 0, 4);
	tcase_add_loop_test(t, device, 0, 2);
	return t;
}
