/* SPDX-License-Identifier: Apache-2.0 */
/* Large pieces of TCP through two data planes whose devices have offloads: cut, sealed, sent, opened, put together again. */
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test_kernel.h"

#include "checksum.h"
#include "dataplane.h"
#include "offload.h"
#include "util/mem.h"

#define HEAD 40 /* IPv4 and TCP without options */
#define MSS 500
#define LIMIT_MS 60000

struct side {
	struct dataplane dp;
	int tun, fd;
	uint16_t port;
};

static struct side sides[2];
static const uint8_t keys[2][64] = { { 1, 2, 3 }, { 4, 5, 6 } };

static void side_open(struct side *s)
{
	struct addr a = test_addr("127.0.0.1", 0);
	struct sockaddr_storage ss;
	socklen_t n = addr_to_sockaddr(&a, &ss);
	int pair[2];

	memset(s, 0, sizeof(*s));
	s->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	ck_assert_int_eq(bind(s->fd, (struct sockaddr *)&ss, n), 0);
	n = sizeof(ss);
	ck_assert_int_eq(getsockname(s->fd, (struct sockaddr *)&ss, &n), 0);
	ck_assert(addr_from_sockaddr(&ss, &a));
	s->port = a.port;
	s->tun = pair[0];
	s->dp.stop_fd = eventfd(0, EFD_NONBLOCK);
	s->dp.vnet = TUN_VNET_TCP;
	dataplane_init(&s->dp, 1);
	s->dp.lanes[0].tun_fd = pair[1];
	s->dp.lanes[0].fd4 = s->fd;
	s->dp.lanes[0].use_gso = true;
}

static void side_close(struct side *s)
{
	close(s->tun);
	close(s->dp.lanes[0].tun_fd);
	close(s->fd);
	close(s->dp.stop_fd);
	dataplane_clear(&s->dp);
}

static void setup(void)
{
	side_open(&sides[0]);
	side_open(&sides[1]);
}

static void teardown(void)
{
	side_close(&sides[0]);
	side_close(&sides[1]);
}

static struct kernel_handle *child_with(int side, const char *mine, const char *yours, uint32_t spi, bool cbc)
{
	struct ts local = test_ts(mine), remote = test_ts(yours);
	struct kernel_child c = { .name = "test", .protocol = PROTOCOL_ESP, .mode = IPSEC_MODE_TUNNEL, .encap = true,
				  .replay_window = 32, .copy_df = true };
	struct kernel_handle *h;
	struct errtext err;

	c.protect = cbc ? test_protect(ENCR_AES_CBC, 256, INTEG_HMAC_SHA2_512_256, &c.suite) :
			  test_protect(ENCR_AES_GCM_16, 256, 0, &c.suite);
	c.in = (struct kernel_sa){ .spi = spi + (uint32_t)side, .encr_key = bytes_of(keys[side], cbc ? 32 : 36) };
	c.out = (struct kernel_sa){ .spi = spi + (uint32_t)!side, .encr_key = bytes_of(keys[!side], cbc ? 32 : 36) };
	if (cbc) {
		c.in.integ_key = bytes_of(keys[side], 64);
		c.out.integ_key = bytes_of(keys[!side], 64);
	}
	c.out.src = test_addr("127.0.0.1", 4500);
	c.out.dst = test_addr("127.0.0.1", sides[!side].port);
	c.local_ts = (struct ts_list){ 1, &local };
	c.remote_ts = (struct ts_list){ 1, &remote };
	h = child_new(&c, &err);
	ck_assert_msg(h != NULL, "%s", err.s);
	ck_assert(dataplane_add(&sides[side].dp, h));
	return h;
}

static struct kernel_handle *child(int side, const char *mine, const char *yours, uint32_t spi)
{
	return child_with(side, mine, yours, spi, false);
}

static void child_end(int side, struct kernel_handle *h)
{
	dataplane_remove(&sides[side].dp, h);
	child_put(h);
}

/* The host of side 0 sends n bytes of TCP to 10.NET.0.1 at once, and lets the device cut them. */
static void push(unsigned net, uint32_t seq, size_t n)
{
	static uint8_t message[sizeof(struct virtio_net_hdr) + HEAD + 8192];
	struct virtio_net_hdr h = { .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .hdr_len = HEAD, .gso_size = MSS,
				    .gso_type = n > MSS ? VIRTIO_NET_HDR_GSO_TCPV4 : VIRTIO_NET_HDR_GSO_NONE, .csum_start = 20,
				    .csum_offset = 16 };
	uint8_t *p = message + sizeof(h), head[HEAD] = { 0x45, 0, 0, 0, 0, 1, 0x40, 0, 64, 6, 0, 0, 10, 1, 0, 1, 10, (uint8_t)net, 0, 1,
							 0, 80, 0, 81 };
	uint64_t sum;

	head[2] = (uint8_t)((HEAD + n) >> 8);
	head[3] = (uint8_t)(HEAD + n);
	for (int i = 0; i < 4; i++)
		head[24 + i] = (uint8_t)(seq >> 8 * (3 - i));
	head[32] = 0x50;
	head[33] = 0x10; /* ACK */
	test_checksum_v4(head);
	sum = checksum_add_u16(checksum_add_u16(checksum_add(0, head + 12, 8), 6), (unsigned)(n + 20));
	checksum_put(head + 36, checksum_fold(sum));
	memcpy(message, &h, sizeof(h));
	memcpy(p, head, HEAD);
	for (size_t i = 0; i < n; i++)
		p[HEAD + i] = (uint8_t)((seq + i) * 7 + (seq + i) / 251);
	ck_assert_int_eq(send(sides[0].tun, message, sizeof(h) + HEAD + n, 0), (ssize_t)(sizeof(h) + HEAD + n));
}

/* What came to the host of side 1: bytes to 10.NET.0.1 in their order; how many messages it took. */
static unsigned take(size_t got[4])
{
	static uint8_t message[65536 + sizeof(struct virtio_net_hdr)];
	unsigned count = 0;

	for (ssize_t r; (r = recv(sides[1].tun, message, sizeof(message), 0)) > 0; count++) {
		uint8_t *p = message + sizeof(struct virtio_net_hdr);
		size_t n = (size_t)r - sizeof(struct virtio_net_hdr) - HEAD;
		unsigned net = p[17];
		uint32_t seq = (uint32_t)p[24] << 24 | (uint32_t)p[25] << 16 | (uint32_t)p[26] << 8 | p[27];

		ck_assert_uint_lt(net, 4);
		ck_assert_uint_eq(seq, got[net]);
		ck_assert_uint_eq((size_t)p[2] << 8 | p[3], HEAD + n);
		for (size_t i = 0; i < n; i++)
			ck_assert_uint_eq(p[HEAD + i], (uint8_t)((seq + i) * 7 + (seq + i) / 251));
		got[net] += n;
	}
	return count;
}

/* Pieces for two SAs and for none, and single packets, in one batch. */
START_TEST(pieces_find_their_sas)
{
	struct kernel_handle *left[2] = { child(0, "10.1.0.0/16", "10.2.0.0/16", 0x1000), child(0, "10.1.0.0/16", "10.3.0.0/16", 0x2000) };
	struct kernel_handle *right[2] = { child(1, "10.2.0.0/16", "10.1.0.0/16", 0x1000), child(1, "10.3.0.0/16", "10.1.0.0/16", 0x2000) };
	struct batch_out *out = batch_out_new(&sides[0].dp.lanes[0]);
	struct batch_in *in = batch_in_new(&sides[1].dp.lanes[0]);
	struct pollfd came = { sides[1].fd, POLLIN, 0 };
	size_t got[4] = { 0 };
	unsigned messages = 0;

	push(2, 0, 3 * MSS);
	push(9, 0, 5 * MSS); /* nobody's */
	push(3, 0, 2 * MSS + 10);
	push(2, 3 * MSS, 77);
	push(2, 3 * MSS + 77, 8 * MSS);
	push(3, 2 * MSS + 10, MSS);
	ck_assert_uint_eq(batch_out_run(out), 6);
	ck_assert_uint_eq(sides[0].dp.drops.n[DROP_NO_POLICY], 5);
	while (got[2] < 11 * MSS + 77 || got[3] < 3 * MSS + 10) {
		ck_assert_int_eq(poll(&came, 1, LIMIT_MS), 1);
		batch_in_run(in, came.fd);
		messages += take(got);
	}
	ck_assert_uint_eq(left[0]->out.usage.packets, 12);
	ck_assert_uint_eq(right[0]->in.usage.packets, 12);
	ck_assert_uint_eq(left[1]->out.usage.packets, 4);
	ck_assert_uint_eq(right[1]->in.usage.packets, 4);
	/* runs came as one */
	ck_assert_uint_lt(messages, 16);
	for (int i = 0; i < 2; i++) {
		child_end(0, left[i]);
		child_end(1, right[i]);
	}
	batch_out_free(out);
	batch_in_free(in);
}
END_TEST

/* Reads until all is there. */
static void take_all(struct batch_in *in, size_t got[4], const size_t want[4])
{
	struct pollfd came = { sides[1].fd, POLLIN, 0 };

	while (memcmp(got, want, 4 * sizeof(*want)) != 0) {
		ck_assert_int_eq(poll(&came, 1, LIMIT_MS), 1);
		batch_in_run(in, came.fd);
		take(got);
	}
}

/* SAs that need more room around packets, and less, than those that the batch before was for. */
START_TEST(rooms_change)
{
	struct kernel_handle *left[2] = { child(0, "10.1.0.0/16", "10.2.0.0/16", 0x1000),
					  child_with(0, "10.1.0.0/16", "10.3.0.0/16", 0x2000, true) };
	struct kernel_handle *right[2] = { child(1, "10.2.0.0/16", "10.1.0.0/16", 0x1000),
					   child_with(1, "10.3.0.0/16", "10.1.0.0/16", 0x2000, true) };
	static const uint8_t batches[][2] = { { 2, 2 }, { 2, 2 }, { 3, 2 }, { 3, 3 }, { 3, 3 }, { 2, 3 }, { 2, 2 }, { 3, 3 }, { 2, 2 } };
	struct batch_out *out = batch_out_new(&sides[0].dp.lanes[0]);
	struct batch_in *in = batch_in_new(&sides[1].dp.lanes[0]);
	size_t got[4] = { 0 }, want[4] = { 0 }, packets[4] = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(batches); i++) {
		for (int k = 0; k < 2; k++) {
			size_t n = 5 * MSS + 1 + i * 3 + (size_t)k, *seq = &want[batches[i][k]];

			push(batches[i][k], (uint32_t)*seq, n);
			*seq += n;
			packets[batches[i][k]] += 6;
		}
		ck_assert_uint_eq(batch_out_run(out), 2);
		take_all(in, got, want);
	}
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(left[i]->out.usage.packets, packets[2 + i]);
		ck_assert_uint_eq(right[i]->in.usage.packets, packets[2 + i]);
		child_end(0, left[i]);
		child_end(1, right[i]);
	}
	batch_out_free(out);
	batch_in_free(in);
}
END_TEST

/* Packets of a message that cannot be sent as one (here because UDP_SEGMENT needs checksums) go one by one, wherever they are. */
START_TEST(packets_go_apart)
{
	struct kernel_handle *left = child(0, "10.1.0.0/16", "10.2.0.0/16", 0x1000);
	struct kernel_handle *right = child(1, "10.2.0.0/16", "10.1.0.0/16", 0x1000);
	struct batch_out *out = batch_out_new(&sides[0].dp.lanes[0]);
	struct batch_in *in = batch_in_new(&sides[1].dp.lanes[0]);
	size_t got[4] = { 0 }, want[4] = { 0 };
	int on = 1;

	ck_assert_int_eq(setsockopt(sides[0].fd, SOL_SOCKET, SO_NO_CHECK, &on, sizeof(on)), 0);
	for (int i = 0; i < 2; i++) {
		push(2, (uint32_t)want[2], 4 * MSS);
		push(2, (uint32_t)want[2] + 4 * MSS, MSS);
		push(2, (uint32_t)want[2] + 5 * MSS, 2 * MSS + 3);
		want[2] += 7 * MSS + 3;
		ck_assert_uint_eq(batch_out_run(out), 3);
		take_all(in, got, want);
	}
	ck_assert_uint_eq(right->in.usage.packets, 2 * 8);
	child_end(0, left);
	child_end(1, right);
	batch_out_free(out);
	batch_in_free(in);
}
END_TEST

TCase *tcase_pieces(void)
{
	TCase *tc = tcase_create("pieces");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, pieces_find_their_sas);
	tcase_add_test(tc, rooms_change);
	tcase_add_test(tc, packets_go_apart);
	return tc;
}
