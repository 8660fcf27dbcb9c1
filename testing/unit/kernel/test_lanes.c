/* SPDX-License-Identifier: Apache-2.0 */
/* A data plane with several lanes: a socket pair stands for each queue of the TUN device, UDP runs on the loopback. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test_kernel.h"

#include "dataplane.h"
#include "util/mem.h"

#define LANES 3
#define LIMIT_MS 60000

struct side {
	struct dataplane dp;
	int tun[LANES]; /* the host's */
	uint16_t port[LANES];
};

static struct side sides[2];
static const uint8_t keys[2][36] = { { 1, 2, 3 }, { 4, 5, 6 } };

static void side_open(struct side *s)
{
	memset(s, 0, sizeof(*s));
	s->dp.stop_fd = eventfd(0, EFD_NONBLOCK);
	dataplane_init(&s->dp, LANES);
	for (unsigned i = 0; i < LANES; i++) {
		struct addr a = test_addr("127.0.0.1", 0);
		struct sockaddr_storage ss;
		socklen_t n = addr_to_sockaddr(&a, &ss);
		int pair[2], fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

		ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
		ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, n), 0);
		n = sizeof(ss);
		ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&ss, &n), 0);
		ck_assert(addr_from_sockaddr(&ss, &a));
		s->port[i] = a.port;
		s->tun[i] = pair[0];
		s->dp.lanes[i].tun_fd = pair[1];
		s->dp.lanes[i].fd4 = fd;
		s->dp.lanes[i].use_gso = true;
	}
}

static void side_close(struct side *s)
{
	for (unsigned i = 0; i < LANES; i++) {
		close(s->tun[i]);
		close(s->dp.lanes[i].tun_fd);
		close(s->dp.lanes[i].fd4);
	}
	dataplane_clear(&s->dp);
	close(s->dp.stop_fd);
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

/* Number k of the children of a side, to lane `to` of the other: 10.(1 + side).k.0/24 with 10.(2 - side).k.0/24. */
static struct kernel_handle *child(int side, unsigned k, unsigned to, uint32_t window)
{
	char mine[32], yours[32];
	struct kernel_child c = { .name = "test", .protocol = PROTOCOL_ESP, .mode = IPSEC_MODE_TUNNEL, .encap = true,
				  .replay_window = window, .copy_df = true };
	struct kernel_handle *h;
	struct ts local, remote;
	struct errtext err;

	snprintf(mine, sizeof(mine), "10.%d.%u.0/24", 1 + side, k);
	snprintf(yours, sizeof(yours), "10.%d.%u.0/24", 2 - side, k);
	local = test_ts(mine);
	remote = test_ts(yours);
	c.protect = test_protect(ENCR_AES_GCM_16, 256, 0, &c.suite);
	c.in = (struct kernel_sa){ .spi = 0x1000 + 2 * k + (uint32_t)side, .encr_key = bytes_of(keys[side], 36) };
	c.out = (struct kernel_sa){ .spi = 0x1000 + 2 * k + (uint32_t)!side, .encr_key = bytes_of(keys[!side], 36) };
	c.out.src = test_addr("127.0.0.1", 4500);
	c.out.dst = test_addr("127.0.0.1", sides[!side].port[to]);
	c.local_ts = (struct ts_list){ 1, &local };
	c.remote_ts = (struct ts_list){ 1, &remote };
	h = child_new(&c, &err);
	ck_assert_msg(h != NULL, "%s", err.s);
	ck_assert(dataplane_add(&sides[side].dp, h));
	return h;
}

static void child_end(int side, struct kernel_handle *h)
{
	dataplane_remove(&sides[side].dp, h);
	child_put(h);
}

static void start(int side)
{
	struct errtext err;

	ck_assert_msg(dataplane_start(&sides[side].dp, &err), "%s", err.s);
}

static size_t packet_of(uint8_t *p, unsigned k, unsigned flow, unsigned number)
{
	char src[32], dst[32];

	snprintf(src, sizeof(src), "10.1.%u.5", k);
	snprintf(dst, sizeof(dst), "10.2.%u.6", k);
	return test_packet(p, src, dst, 17, flow, number, 100);
}

/* The host of side 0 sends by one queue. */
static void push(unsigned lane, const uint8_t *p, size_t n)
{
	ck_assert_int_eq(send(sides[0].tun[lane], p, n, 0), (ssize_t)n);
}

/* The next packet that comes to the host of side 1, by any queue: which. */
static unsigned pull(uint8_t *p, size_t room)
{
	struct pollfd fds[LANES];

	for (unsigned i = 0; i < LANES; i++)
		fds[i] = (struct pollfd){ sides[1].tun[i], POLLIN, 0 };
	ck_assert_msg(poll(fds, LANES, LIMIT_MS) > 0, "nothing came; replays %llu",
		      (unsigned long long)sides[1].dp.drops.n[DROP_REPLAY]);
	for (unsigned i = 0; i < LANES; i++) {
		if (fds[i].revents & POLLIN) {
			ck_assert_int_gt(recv(fds[i].fd, p, room, 0), 24);
			return i;
		}
	}
	ck_abort_msg("an error on a queue");
	return 0;
}

static unsigned field(const uint8_t *p, size_t at)
{
	return (unsigned)p[at] << 8 | p[at + 1];
}

/* All lanes send under one SA at once: no number twice, and none so late that a small window has left it behind; flows in order. */
START_TEST(lanes_share_an_sa)
{
	struct kernel_handle *left = child(0, 0, 0, 32), *right = child(1, 0, 0, 32);
	enum { ROUNDS = 60, BURST = 40 };
	unsigned next[LANES] = { 0 };
	uint8_t p[2048];

	start(0);
	start(1);
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < BURST; i++)
			for (unsigned lane = 0; lane < LANES; lane++)
				push(lane, p, packet_of(p, 0, 1000 + lane, round * BURST + i));
		for (unsigned i = 0; i < LANES * BURST; i++) {
			unsigned flow;

			ck_assert_uint_eq(pull(p, sizeof(p)), 0);
			flow = field(p, 20) - 1000;
			ck_assert_uint_lt(flow, LANES);
			ck_assert_uint_eq(field(p, 22), next[flow]++);
		}
	}
	dataplane_stop(&sides[0].dp);
	dataplane_stop(&sides[1].dp);
	for (unsigned lane = 0; lane < LANES; lane++)
		ck_assert_uint_gt(sides[0].dp.lanes[lane].batches_out, 0);
	ck_assert_uint_eq(left->out.seq, ROUNDS * BURST * LANES);
	ck_assert_uint_eq(right->in.usage.packets, ROUNDS * BURST * LANES);
	ck_assert_uint_eq(sides[1].dp.drops.n[DROP_REPLAY], 0);
	child_end(0, left);
	child_end(1, right);
}
END_TEST

static struct {
	_Atomic unsigned calls, inside, most, packets;
	uint32_t last; /* sequence number */
	_Atomic bool disorder;
} streams;

static size_t stream_send(void *arg, uint32_t stream, const struct bytes *packets, size_t n)
{
	struct pollfd waiting = { sides[0].dp.lanes[1].tun_fd, POLLIN, 0 };
	unsigned inside = atomic_fetch_add(&streams.inside, 1) + 1;

	if (inside > atomic_load(&streams.most))
		atomic_store(&streams.most, inside);
	if (atomic_fetch_add(&streams.calls, 1) == 0) {
		/* here the first lane stays until the second has read what it has to send, and a moment longer */
		while (atomic_load(&streams.packets) < 1 || poll(&waiting, 1, 0) > 0)
			poll(NULL, 0, 1);
		poll(NULL, 0, 30);
	}
	for (size_t i = 0; i < n; i++) {
		uint32_t seq = (uint32_t)field(packets[i].p, 4) << 16 | field(packets[i].p, 6);

		if (seq != streams.last + 1)
			atomic_store(&streams.disorder, true);
		streams.last = seq;
	}
	atomic_fetch_sub(&streams.inside, 1);
	return n;
}

/* What is sealed first is sent first, whatever comes between. */
START_TEST(one_lane_sends_at_a_time)
{
	struct kernel_handle *h = child(0, 0, 0, 32);
	struct addr local = test_addr("127.0.0.1", 4500), remote = test_addr("127.0.0.1", 1234);
	uint8_t p[2048];

	memset(&streams, 0, sizeof(streams));
	sides[0].dp.stream_send = stream_send;
	remote.stream = 7;
	dataplane_move(&sides[0].dp, h, &local, &remote);
	start(0);
	push(0, p, packet_of(p, 0, 1, 0));
	while (!atomic_load(&streams.calls))
		poll(NULL, 0, 1);
	push(1, p, packet_of(p, 0, 2, 0));
	atomic_store(&streams.packets, 1);
	while (atomic_load(&streams.calls) < 2 || atomic_load(&streams.inside))
		poll(NULL, 0, 1);
	dataplane_stop(&sides[0].dp);
	ck_assert_uint_eq(streams.most, 1);
	ck_assert_uint_eq(streams.last, 2);
	ck_assert(!streams.disorder);
	child_end(0, h);
}
END_TEST

/* What comes to a lane goes out by its queue: SAs of different peers are carried side by side, while others come and go. */
START_TEST(lanes_have_their_peers)
{
	struct kernel_handle *left[LANES], *right[LANES];
	enum { ROUNDS = 40, BURST = 20, LATE = 9999 };
	uint8_t p[2048];

	for (unsigned k = 0; k < LANES; k++) {
		left[k] = child(0, k, k, 32);
		right[k] = child(1, k, k, 32);
	}
	start(0);
	start(1);
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct kernel_handle *other = child(0, 100 + round, 0, 32), *far = child(1, 100 + round, 0, 32);

		/* a queue of the device may have packets for all */
		for (unsigned i = 0; i < BURST; i++)
			for (unsigned k = 0; k < LANES; k++)
				push((k + round) % LANES, p, packet_of(p, k, k, i));
		push(round % LANES, p, packet_of(p, 100 + round, 77, 1));
		for (unsigned i = 0; i < LANES * BURST + 1;) {
			unsigned lane = pull(p, sizeof(p));

			i += field(p, 22) != LATE;
			ck_assert_uint_eq(field(p, 20), field(p, 20) == 77 ? 77 : lane);
			ck_assert(field(p, 20) != 77 || lane == 0);
		}
		/* it may still be on its way when its SA goes */
		push((round + 1) % LANES, p, packet_of(p, 100 + round, 77, LATE));
		child_end(0, other);
		child_end(1, far);
	}
	dataplane_stop(&sides[0].dp);
	dataplane_stop(&sides[1].dp);
	for (unsigned k = 0; k < LANES; k++) {
		ck_assert_uint_gt(sides[1].dp.lanes[k].batches_in, 0);
		ck_assert_uint_eq(right[k]->in.usage.packets, ROUNDS * BURST);
		child_end(0, left[k]);
		child_end(1, right[k]);
	}
}
END_TEST

/* A packet that comes twice, to two lanes at once, passes once. */
START_TEST(lanes_share_a_window)
{
	struct kernel_handle *left = child(0, 0, 0, 64), *right = child(1, 0, 0, 64);
	enum { COUNT = 2000, BURST = 20 };
	struct batch_out *out = batch_out_new(&sides[0].dp.lanes[0]);
	struct pollfd came = { sides[1].dp.lanes[0].fd4, POLLIN, 0 };
	uint8_t p[2048], kept[BURST][2048];
	ssize_t len[BURST];

	start(1);
	/* packets are caught on their way, by a socket that takes the place of the peer's */
	came.fd = sides[0].dp.lanes[1].fd4;
	left->dest.to.v4.sin_port = htons(sides[0].port[1]);
	for (unsigned number = 0; number < COUNT; number += BURST) {
		for (unsigned i = 0; i < BURST; i++) {
			push(0, p, packet_of(p, 0, 1, number + i));
			ck_assert_uint_eq(batch_out_run(out), 1);
			ck_assert_int_eq(poll(&came, 1, LIMIT_MS), 1);
			len[i] = recv(came.fd, kept[i], sizeof(kept[i]), 0);
			ck_assert_int_gt(len[i], 0);
		}
		for (unsigned i = 0; i < BURST; i++) {
			for (unsigned lane = 0; lane < LANES; lane++) {
				struct addr to = test_addr("127.0.0.1", sides[1].port[lane]);
				struct sockaddr_storage ss;
				socklen_t n = addr_to_sockaddr(&to, &ss);

				ck_assert_int_eq(sendto(came.fd, kept[i], (size_t)len[i], 0, (struct sockaddr *)&ss, n), len[i]);
			}
		}
		for (unsigned i = 0; i < BURST; i++)
			(void)pull(p, sizeof(p));
		/* none is left in the sockets before the next */
		for (unsigned ms = 0; atomic_load(&sides[1].dp.drops.n[DROP_REPLAY]) < (LANES - 1) * (number + BURST); ms++) {
			ck_assert_uint_lt(ms, LIMIT_MS);
			poll(NULL, 0, 1);
		}
	}
	dataplane_stop(&sides[1].dp);
	ck_assert_uint_eq(right->in.usage.packets, COUNT);
	ck_assert_uint_eq(sides[1].dp.drops.n[DROP_REPLAY], (LANES - 1) * COUNT);
	batch_out_free(out);
	child_end(0, left);
	child_end(1, right);
}
END_TEST

/* Packets that must not be fragmented leave apart from those that may be: their numbers are in that order, too. And one batch
 * may have packets for more SAs than are locked at a time. */
START_TEST(batch_is_in_order)
{
	struct batch_out *out = batch_out_new(&sides[0].dp.lanes[0]);
	struct batch_in *in = batch_in_new(&sides[1].dp.lanes[0]);
	struct pollfd came = { sides[1].dp.lanes[0].fd4, POLLIN, 0 };
	enum { CHILDREN = 40, COUNT = 60 };
	struct kernel_handle *left[CHILDREN], *right[CHILDREN];
	unsigned count = _i ? 2 * CHILDREN : COUNT, got = 0, next[2] = { 0, 1 };
	uint8_t p[2048];

	for (unsigned k = 0; k < CHILDREN; k++) {
		left[k] = child(0, k, 0, 16);
		right[k] = child(1, k, 0, 16);
	}
	for (unsigned i = 0; i < count; i++) {
		size_t n = packet_of(p, _i ? i % CHILDREN : 0, 1, i);

		p[6] = i & 1 ? 0x40 : 0;
		push(0, p, n);
	}
	while (sides[0].dp.lanes[0].batches_out < 10 && batch_out_run(out) > 0)
		;
	while (got < count) {
		ck_assert_int_eq(poll(&came, 1, LIMIT_MS), 1);
		batch_in_run(in, came.fd);
		for (ssize_t n; (n = recv(sides[1].tun[0], p, sizeof(p), 0)) > 0; got++) {
			unsigned df = p[6] ? 1 : 0;

			if (_i)
				continue;
			ck_assert_uint_eq(field(p, 22), next[df]);
			next[df] += 2;
		}
		ck_assert_uint_eq(sides[1].dp.drops.n[DROP_REPLAY], 0);
	}
	for (unsigned k = 0; k < CHILDREN; k++) {
		ck_assert_uint_eq(left[k]->users, 1);
		ck_assert_uint_eq(right[k]->in.usage.packets, _i ? 2 : k ? 0 : COUNT);
		child_end(0, left[k]);
		child_end(1, right[k]);
	}
	batch_out_free(out);
	batch_in_free(in);
}
END_TEST

TCase *tcase_lanes(void)
{
	TCase *tc = tcase_create("lanes");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, lanes_share_an_sa);
	tcase_add_test(tc, one_lane_sends_at_a_time);
	tcase_add_test(tc, lanes_have_their_peers);
	tcase_add_test(tc, lanes_share_a_window);
	tcase_add_loop_test(tc, batch_is_in_order, 0, 2);
	return tc;
}
