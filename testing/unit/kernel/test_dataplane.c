/* SPDX-License-Identifier: Apache-2.0 */
/* Two data planes back to back: a socket pair stands for each TUN device, UDP runs on the loopback. */
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "test_kernel.h"

#include "dataplane.h"
#include "loop/loop.h"
#include "util/mem.h"

struct end {
	struct dataplane dp;
	struct lane *lane;
	int tun, fd4, fd6; /* tun: the host's side */
	uint16_t port4, port6;
	struct batch_out *out;
	struct batch_in *in;
	_Atomic int events[KERNEL_EVENT_DEAD + 1];
	struct kernel_event last;
};

static struct end ends[2];
static const uint8_t keys[2][36] = { { 1, 2, 3 }, { 4, 5, 6 } };

static void on_event(void *arg, const struct kernel_event *ev)
{
	struct end *e = arg;

	atomic_fetch_add(&e->events[ev->kind], 1);
	e->last = *ev;
}

static int bind_udp(int family, uint16_t *ret_port)
{
	struct addr a = test_addr(family == AF_INET ? "127.0.0.1" : "::1", 0);
	struct sockaddr_storage ss;
	socklen_t n = addr_to_sockaddr(&a, &ss);
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0), on = 1;

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&ss, n), 0);
	n = sizeof(ss);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&ss, &n), 0);
	ck_assert(addr_from_sockaddr(&ss, &a));
	*ret_port = a.port;
	ck_assert_int_eq(setsockopt(fd, family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
				    family == AF_INET ? IP_RECVTOS : IPV6_RECVTCLASS, &on, sizeof(on)),
			 0);
	return fd;
}

static void end_open(struct end *e)
{
	int pair[2];

	memset(e, 0, sizeof(*e));
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	e->tun = pair[0];
	e->fd4 = bind_udp(AF_INET, &e->port4);
	e->fd6 = bind_udp(AF_INET6, &e->port6);
	e->dp.stop_fd = eventfd(0, EFD_NONBLOCK);
	e->dp.event = on_event;
	e->dp.event_arg = e;
	dataplane_init(&e->dp, 1);
	e->lane = e->dp.lanes;
	e->lane->tun_fd = pair[1];
	e->lane->fd4 = e->fd4;
	e->lane->fd6 = e->fd6;
	e->lane->use_gso = true;
	e->out = batch_out_new(e->lane);
	e->in = batch_in_new(e->lane);
}

static void end_close(struct end *e)
{
	batch_out_free(e->out);
	batch_in_free(e->in);
	close(e->tun);
	close(e->lane->tun_fd);
	dataplane_clear(&e->dp);
	close(e->fd4);
	close(e->fd6);
	close(e->dp.stop_fd);
}

static void setup(void)
{
	end_open(&ends[0]);
	end_open(&ends[1]);
}

static void teardown(void)
{
	end_close(&ends[0]);
	end_close(&ends[1]);
}

/* The child of one end; the SPI of side i is base + i. */
static struct kernel_handle *child(int side, const char *mine, const char *yours, bool six, uint32_t base)
{
	struct ts local = test_ts(mine), remote = test_ts(yours);
	struct kernel_child c = { .name = "test", .protocol = PROTOCOL_ESP, .mode = IPSEC_MODE_TUNNEL, .encap = true,
				  .ike_id = 5, .unique_id = 6, .reqid = 7, .replay_window = 32, .copy_df = true, .copy_ecn = true };
	struct end *peer = &ends[!side];
	struct errtext err;
	struct kernel_handle *h;

	c.protect = test_protect(ENCR_AES_GCM_16, 256, 0, &c.suite);
	c.in = (struct kernel_sa){ .spi = base + (uint32_t)side, .encr_key = bytes_of(keys[side], 36) };
	c.out = (struct kernel_sa){ .spi = base + (uint32_t)!side, .encr_key = bytes_of(keys[!side], 36) };
	c.out.src = test_addr(six ? "::1" : "127.0.0.1", 4500);
	c.out.dst = test_addr(six ? "::1" : "127.0.0.1", six ? peer->port6 : peer->port4);
	c.local_ts = (struct ts_list){ 1, &local };
	c.remote_ts = (struct ts_list){ 1, &remote };
	h = child_new(&c, &err);
	ck_assert_msg(h != NULL, "%s", err.s);
	return h;
}

static void remove_child(struct end *e, struct kernel_handle *h)
{
	dataplane_remove(&e->dp, h);
	child_put(h);
}

static uint64_t drops(const struct end *e, enum drop why)
{
	return e->dp.drops.n[why];
}

/* Host of one end sends; how many packets went out. */
static size_t push(struct end *e, const uint8_t *p, size_t n)
{
	ck_assert_int_eq(send(e->tun, p, n, 0), (ssize_t)n);
	return batch_out_run(e->out);
}

/* What came to the host of an end, 0 if nothing did. */
static size_t pull(struct end *e, bool six, uint8_t *p)
{
	ssize_t n;

	batch_in_run(e->in, six ? e->fd6 : e->fd4);
	n = recv(e->tun, p, 2048, 0);
	return n > 0 ? (size_t)n : 0;
}

static uint8_t sent[2048], got[2048];

START_TEST(test_through)
{
	bool outer_six = _i & 1, inner_six = _i & 2;
	const char *a = inner_six ? "fd01::/64" : "10.1.0.0/16", *b = inner_six ? "fd02::/64" : "10.2.0.0/16";
	struct kernel_handle *left = child(0, a, b, outer_six, 0x1000), *right = child(1, b, a, outer_six, 0x1000);
	size_t n;

	ck_assert(dataplane_add(&ends[0].dp, left));
	ck_assert(dataplane_add(&ends[1].dp, right));
	n = test_packet(sent, inner_six ? "fd01::5" : "10.1.0.5", inner_six ? "fd02::6" : "10.2.0.6", 17, 1, 2, 60);
	push(&ends[0], sent, n);
	ck_assert_uint_eq(pull(&ends[1], outer_six, got), n);
	ck_assert_mem_eq(got, sent, n);
	n = test_packet(sent, inner_six ? "fd02::6" : "10.2.0.6", inner_six ? "fd01::5" : "10.1.0.5", 17, 1, 2, 600);
	push(&ends[1], sent, n);
	ck_assert_uint_eq(pull(&ends[0], outer_six, got), n);
	ck_assert_mem_eq(got, sent, n);
	ck_assert_uint_eq(left->out.usage.bytes, inner_six ? 104 : 84);
	ck_assert_uint_eq(right->in.usage.bytes, inner_six ? 104 : 84);
	ck_assert_uint_eq(right->in.usage.packets, 1);
	ck_assert_uint_gt(right->in.usage.last_use_ms, 0);
	remove_child(&ends[0], left);
	remove_child(&ends[1], right);
	push(&ends[1], sent, n);
	ck_assert_uint_eq(drops(&ends[1], DROP_NO_POLICY), 1);
}
END_TEST

/* A whole batch of different sizes arrives in order: runs of equal ones go together. */
/* RFC 4303, 2.7: all packets look as long as the device carries, and come out as they were; also several of one read, that stand
 * one behind the other. A longer one than is asked for is as it was. */
START_TEST(test_tfc)
{
	struct kernel_handle *left = child(0, "10.1.0.0/16", "10.2.0.0/16", false, 0x1000);
	struct kernel_handle *right = child(1, "10.2.0.0/16", "10.1.0.0/16", false, 0x1000);
	static const size_t sizes[] = { 0, 1, 60, 372, 373, 600 };
	size_t n;

	ends[0].dp.mtu = _i ? 400 : 1400;
	left->out.tfc = _i ? UINT32_MAX : 400;
	ck_assert(dataplane_add(&ends[0].dp, left));
	ck_assert(dataplane_add(&ends[1].dp, right));
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		uint64_t before = left->out.usage.bytes;

		n = test_packet(sent, "10.1.0.5", "10.2.0.6", 17, 1, 2, sizes[i]);
		push(&ends[0], sent, n);
		ck_assert_uint_eq(left->out.usage.bytes - before, n > 400 ? n : 400);
		ck_assert_uint_eq(pull(&ends[1], false, got), n);
		ck_assert_mem_eq(got, sent, n);
	}
	/* the other direction is not asked to */
	n = test_packet(sent, "10.2.0.6", "10.1.0.5", 17, 1, 2, 10);
	push(&ends[1], sent, n);
	ck_assert_uint_eq(right->out.usage.bytes, n);
	ck_assert_uint_eq(pull(&ends[0], false, got), n);
	/* a batch: each has a place of its own */
	for (size_t i = 0; i < 3; i++) {
		n = test_packet(sent, "10.1.0.5", "10.2.0.6", 17, (unsigned)i, 2, 10 + i);
		ck_assert_int_eq(send(ends[0].tun, sent, n, 0), (ssize_t)n);
	}
	batch_out_run(ends[0].out);
	batch_in_run(ends[1].in, ends[1].fd4);
	for (size_t i = 0; i < 3; i++) {
		n = test_packet(sent, "10.1.0.5", "10.2.0.6", 17, (unsigned)i, 2, 10 + i);
		ck_assert_int_eq(recv(ends[1].tun, got, sizeof(got), 0), (ssize_t)n);
		ck_assert_mem_eq(got, sent, n);
	}
	remove_child(&ends[0], left);
	remove_child(&ends[1], right);
}
END_TEST

START_TEST(test_batch)
{
	struct kernel_handle *left = child(0, "10.1.0.0/16", "10.2.0.0/16", false, 0x1000);
	struct kernel_handle *right = child(1, "10.2.0.0/16", "10.1.0.0/16", false, 0x1000);
	static const size_t sizes[] = { 1000, 1000, 1000, 500, 600, 1000, 1000, 1000, 1000, 8, 9, 1100 };
	size_t n;

	ends[0].lane->use_gso = _i;
	ck_assert(dataplane_add(&ends[0].dp, left));
	ck_assert(dataplane_add(&ends[1].dp, right));
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		n = test_packet(sent, "10.1.0.5", "10.2.0.6", 17, 1000 + (unsigned)i, 2, sizes[i]);
		if (i % 5 == 4)
			sent[1] = 0xb8;
		if (i % 3)
			sent[6] = 0x40; /* DF: goes apart from the others */
		ck_assert_int_eq(send(ends[0].tun, sent, n, 0), (ssize_t)n);
	}
	ck_assert_uint_eq(batch_out_run(ends[0].out), ARRAY_LEN(sizes));
	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		n = pull(&ends[1], false, got);
		ck_assert_uint_gt(n, 0);
		/* in order among those with the same DF */
		ck_assert_uint_eq(n, sizes[(got[20] << 8 | got[21]) - 1000] + 24);
	}
	ck_assert_uint_eq(right->in.usage.packets, ARRAY_LEN(sizes));
	remove_child(&ends[0], left);
	remove_child(&ends[1], right);
}
END_TEST

/* Sealed by hand: with a length that the sender's own data plane would refuse. */
static void send_sealed(struct kernel_handle *h, const uint8_t *p, size_t n)
{
	static uint8_t space[PACKET_HEADROOM + 2048 + PACKET_TAILROOM];
	struct addr to = test_addr("127.0.0.1", ends[1].port4);
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&to, &ss);
	enum esp_limit limit;
	struct bytes packet;

	memcpy(space + PACKET_HEADROOM, p, n);
	ck_assert_int_eq(esp_encap(&h->out, space + PACKET_HEADROOM, n, 1, &packet, &limit), DROP_NONE);
	ck_assert_int_eq(sendto(ends[0].fd4, packet.p, packet.n, 0, (struct sockaddr *)&ss, len), (ssize_t)packet.n);
}

/* RFC 4301 5.2: that a packet is let through says nothing of the next one, unless selectors see the same in both; and then it has a
 * length of its own. */
START_TEST(test_flows_apart)
{
	bool six = _i;
	const char *a = six ? "fd01::5" : "10.1.0.5", *b = six ? "fd02::6" : "10.2.0.6", *any = six ? "::/0" : "0.0.0.0/0";
	struct kernel_handle *left = child(0, any, any, false, 0x1000);
	struct kernel_handle *right = child(1, six ? "fd02::6/128[udp/53]" : "10.2.0.6/32[udp/53]",
					    six ? "fd01::5/128[udp/7]" : "10.1.0.5/32[udp/7]", false, 0x1000);
	const struct {
		const char *src, *dst;
		unsigned protocol, src_port, dst_port;
	} others[] = {
		{ six ? "fd01::4" : "10.1.0.4", b, 17, 7, 53 },
		{ a, six ? "fd02::7" : "10.2.0.7", 17, 7, 53 },
		{ a, b, 6, 7, 53 },
		{ a, b, 132, 7, 53 },
		{ a, b, 17, 8, 53 },
		{ a, b, 17, 7, 54 },
	};
	size_t n, good = 0, bad = ARRAY_LEN(others);

	ck_assert(dataplane_add(&ends[0].dp, left));
	ck_assert(dataplane_add(&ends[1].dp, right));
	for (size_t i = 0; i < ARRAY_LEN(others); i++) {
		for (int k = 0; k < 3; k++, good++) {
			n = test_packet(sent, a, b, 17, 7, 53, 60 + good);
			memset(sent + n, 0, 30); /* TFC padding */
			send_sealed(left, sent, n + 10 * (size_t)k);
		}
		n = test_packet(sent, others[i].src, others[i].dst, others[i].protocol, others[i].src_port, others[i].dst_port, 60);
		send_sealed(left, sent, n);
	}
	n = test_packet(sent, a, b, 17, 7, 53, 60 + good++);
	send_sealed(left, sent, n);
	/* a later fragment: these are no ports */
	if (!six) {
		sent[7] = 10;
		test_checksum_v4(sent);
		send_sealed(left, sent, n);
		bad++;
	}
	/* a byte longer than what came */
	test_packet(sent, a, b, 17, 7, 53, 61);
	send_sealed(left, sent, (six ? 44 : 24) + 60);
	while (right->in.usage.packets + drops(&ends[1], DROP_POLICY_IN) + drops(&ends[1], DROP_MALFORMED) < good + bad + 1) {
		struct pollfd came = { ends[1].fd4, POLLIN, 0 };

		ck_assert_int_eq(poll(&came, 1, 60000), 1);
		batch_in_run(ends[1].in, ends[1].fd4);
	}
	ck_assert_uint_eq(drops(&ends[1], DROP_POLICY_IN), bad);
	ck_assert_uint_eq(drops(&ends[1], DROP_MALFORMED), 1);
	for (size_t i = 0; i < good; i++)
		ck_assert_int_eq(recv(ends[1].tun, got, sizeof(got), 0), (ssize_t)((six ? 44 : 24) + 60 + i));
	ck_assert_int_eq(recv(ends[1].tun, got, sizeof(got), 0), -1);
	remove_child(&ends[0], left);
	remove_child(&ends[1], right);
}
END_TEST

START_TEST(test_refused)
{
	struct kernel_handle *left = child(0, "10.0.0.0/8", "10.2.0.0/16", false, 0x1000);
	struct kernel_handle *right = child(1, "10.2.0.0/16", "10.1.0.0/16", false, 0x1000);
	struct kernel_handle *twin = child(1, "10.2.0.0/16", "10.1.0.0/16", false, 0x1000);
	struct sockaddr_storage ss;
	struct addr to = test_addr("127.0.0.1", ends[1].port4);
	socklen_t len = addr_to_sockaddr(&to, &ss);
	size_t n = test_packet(sent, "10.9.0.5", "10.2.0.6", 17, 1, 2, 60);

	ck_assert(dataplane_add(&ends[0].dp, left));
	ck_assert(dataplane_add(&ends[1].dp, right));
	ck_assert(!dataplane_add(&ends[1].dp, twin));
	child_put(twin);
	/* RFC 4301 5.2 MUST: what does not match the SA's selectors is discarded after decryption */
	push(&ends[0], sent, n);
	ck_assert_uint_eq(pull(&ends[1], false, got), 0);
	ck_assert_uint_eq(drops(&ends[1], DROP_POLICY_IN), 1);
	ck_assert_uint_eq(right->in.usage.packets, 0);
	/* garbage from the device */
	push(&ends[0], (const uint8_t *)"\x45xyz", 4);
	ck_assert_uint_eq(drops(&ends[0], DROP_BAD_INNER), 1);
	/* from the network: keepalive, IKE, runt, unknown SPI */
	ck_assert_int_eq(sendto(ends[0].fd4, "\xff", 1, 0, (void *)&ss, len), 1);
	ck_assert_int_eq(sendto(ends[0].fd4, "\0\0\0\0abcdefgh", 12, 0, (void *)&ss, len), 12);
	ck_assert_int_eq(sendto(ends[0].fd4, "abc", 3, 0, (void *)&ss, len), 3);
	ck_assert_int_eq(sendto(ends[0].fd4, "\1\2\3\4abcdefgh", 12, 0, (void *)&ss, len), 12);
	ck_assert_int_eq(sendto(ends[0].fd4, "", 0, 0, (void *)&ss, len), 0);
	ck_assert_uint_eq(pull(&ends[1], false, got), 0);
	ck_assert_uint_eq(drops(&ends[1], DROP_KEEPALIVE), 1);
	ck_assert_uint_eq(drops(&ends[1], DROP_NOT_ESP), 3);
	ck_assert_uint_eq(drops(&ends[1], DROP_NO_SA), 1);
	ck_assert_int_eq(ends[1].events[KERNEL_EVENT_INVALID_SPI], 1);
	ck_assert_uint_eq(ends[1].last.spi, 0x01020304);
	ck_assert_uint_eq(ends[1].last.src.port, ends[0].port4);
	remove_child(&ends[0], left);
	remove_child(&ends[1], right);
}
END_TEST

/* What end 0 sent under an SA, as the NAT of that end passes it on: from the socket fd. */
static void pass_on(int fd, size_t n)
{
	struct addr to = test_addr("127.0.0.1", ends[1].port4);
	struct sockaddr_storage ss;
	socklen_t len = addr_to_sockaddr(&to, &ss);

	ck_assert_int_eq(sendto(fd, sent, n, 0, (struct sockaddr *)&ss, len), (ssize_t)n);
}

/* RFC 7296, 2.23: authenticated packets from elsewhere are told once, forged, repeated and overtaken ones never. */
START_TEST(test_mapping)
{
	struct kernel_handle *left = child(0, "10.1.0.0/16", "10.2.0.0/16", false, 0x1000);
	struct kernel_handle *right = child(1, "10.2.0.0/16", "10.1.0.0/16", false, 0x1000);
	uint8_t plain[200], kept[4][400];
	size_t n = test_packet(plain, "10.1.0.5", "10.2.0.6", 17, 1, 2, 100), len[4];
	uint16_t port;
	int other = bind_udp(AF_INET, &port);
	struct addr from = test_addr("127.0.0.1", port);
	struct pollfd came = { ends[1].fd4, POLLIN, 0 };

	ck_assert(dataplane_add(&ends[0].dp, left));
	ck_assert(dataplane_add(&ends[1].dp, right));
	/* four packets, caught on their way */
	for (int i = 0; i < 4; i++) {
		ssize_t r;

		push(&ends[0], plain, n);
		ck_assert_int_eq(poll(&came, 1, 30000), 1);
		r = recv(ends[1].fd4, kept[i], sizeof(kept[i]), 0);
		ck_assert_int_gt(r, 0);
		len[i] = (size_t)r;
	}
#define PASS(FD, I)                                         \
	do {                                                \
		memcpy(sent, kept[I], len[I]);              \
		pass_on(FD, len[I]);                        \
		ck_assert_int_eq(poll(&came, 1, 30000), 1); \
		pull(&ends[1], false, got);                 \
	} while (0)
	PASS(ends[0].fd4, 1);
	ck_assert_int_eq(ends[1].events[KERNEL_EVENT_MAPPING], 0);
	PASS(other, 0); /* overtaken */
	PASS(other, 1); /* repeated */
	kept[2][len[2] - 1] ^= 1;
	PASS(other, 2); /* forged */
	kept[2][len[2] - 1] ^= 1;
	ck_assert_int_eq(ends[1].events[KERNEL_EVENT_MAPPING], 0);
	PASS(other, 2);
	ck_assert_int_eq(ends[1].events[KERNEL_EVENT_MAPPING], 1);
	ck_assert(addr_equal(&ends[1].last.src, &from));
	ck_assert_uint_eq(ends[1].last.child_id, 6);
	PASS(other, 3);
	ck_assert_int_eq(ends[1].events[KERNEL_EVENT_MAPPING], 1);
	close(other);
	remove_child(&ends[0], left);
	remove_child(&ends[1], right);
}
END_TEST

static struct kernel_handle *trap_add(const char *local, const char *remote, uint32_t id)
{
	struct ts l = test_ts(local), r = test_ts(remote);
	struct kernel_child conf = { .name = "trap", .mode = IPSEC_MODE_TUNNEL, .unique_id = id, .reqid = 9,
				     .local_ts = { 1, &l }, .remote_ts = { 1, &r } };
	struct errtext err;
	struct kernel_handle *trap = child_new(&conf, &err);

	ck_assert_ptr_nonnull(trap);
	ck_assert(dataplane_add(&ends[0].dp, trap));
	return trap;
}

static bool release_asked(void)
{
	struct pollfd p = { ends[0].dp.release_fd, POLLIN, 0 };

	return poll(&p, 1, 0) > 0;
}

START_TEST(test_trap)
{
	struct kernel_handle *left, *trap = trap_add("10.1.0.0/16", "10.2.0.0/16", 77);
	size_t n = test_packet(sent, "10.1.0.5", "10.2.0.6", 17, 1000, 2000, 60);

	push(&ends[0], sent, n);
	push(&ends[0], sent, n);
	ck_assert_uint_eq(drops(&ends[0], DROP_HELD), 2);
	ck_assert_uint_eq(drops(&ends[0], DROP_ACQUIRE), 0);
	ck_assert_int_eq(ends[0].events[KERNEL_EVENT_ACQUIRE], 2);
	ck_assert_uint_eq(ends[0].last.reqid, 9);
	ck_assert_uint_eq(ends[0].last.child_id, 77);
	ck_assert_str_eq(ts_format(&ends[0].last.packet_src).s, "10.1.0.5/32[udp/1000]");
	ck_assert_str_eq(ts_format(&ends[0].last.packet_dst).s, "10.2.0.6/32[udp/2000]");
	ck_assert(!release_asked());
	left = child(0, "10.1.0.0/16", "10.2.0.0/16", false, 0x1000);
	ck_assert(dataplane_add(&ends[0].dp, left));
	ck_assert(release_asked());
	ck_assert_uint_eq(batch_out_release(ends[0].out), 2);
	ck_assert_uint_eq(batch_out_release(ends[0].out), 0);
	ck_assert(!release_asked());
	ck_assert_uint_eq(left->out.usage.packets, 2);
	push(&ends[0], sent, n);
	ck_assert_uint_eq(left->out.usage.packets, 3);
	remove_child(&ends[0], left);
	/* and it works again */
	push(&ends[0], sent, n);
	ck_assert_int_eq(ends[0].events[KERNEL_EVENT_ACQUIRE], 3);
	remove_child(&ends[0], trap);
	ck_assert_uint_eq(ends[0].dp.hold.n, 0);
}
END_TEST

/* A few packets per trap wait; those that the new SA is not for go on waiting. */
START_TEST(test_trap_limits)
{
	struct kernel_handle *left, *trap = trap_add("10.1.0.0/16", "10.2.0.0/16", 77);
	struct kernel_handle *other = trap_add("10.1.0.0/16", "10.3.0.0/16", 78);
	size_t n = test_packet(sent, "10.1.0.5", "10.2.0.6", 17, 1000, 2000, 60);

	for (int i = 0; i < HOLD_PER_TRAP + 5; i++)
		push(&ends[0], sent, n);
	ck_assert_uint_eq(drops(&ends[0], DROP_HELD), HOLD_PER_TRAP);
	ck_assert_uint_eq(drops(&ends[0], DROP_ACQUIRE), 5);
	ck_assert_int_eq(ends[0].events[KERNEL_EVENT_ACQUIRE], HOLD_PER_TRAP);
	n = test_packet(sent, "10.1.0.5", "10.3.0.6", 17, 1000, 2000, 60);
	push(&ends[0], sent, n);
	left = child(0, "10.1.0.5", "10.3.0.0/16", false, 0x1000);
	ck_assert(dataplane_add(&ends[0].dp, left));
	ck_assert_uint_eq(batch_out_release(ends[0].out), 1);
	ck_assert_uint_eq(left->out.usage.packets, 1);
	ck_assert_uint_eq(ends[0].dp.hold.n, HOLD_PER_TRAP);
	ck_assert_uint_eq(hold_expire(&ends[0].dp.hold, clock_monotonic_ms() + HOLD_MS + 1000), HOLD_PER_TRAP);
	remove_child(&ends[0], left);
	remove_child(&ends[0], other);
	remove_child(&ends[0], trap);
}
END_TEST

/* Both ends tell of a limit that was reached, once, and whose it is. */
START_TEST(test_limits)
{
	struct kernel_handle *left = child(0, "10.1.0.0/16", "10.2.0.0/16", false, 0x1000);
	struct kernel_handle *right = child(1, "10.2.0.0/16", "10.1.0.0/16", false, 0x1000);
	size_t n = test_packet(sent, "10.1.0.5", "10.2.0.6", 17, 1, 2, 60);

	ck_assert(dataplane_add(&ends[0].dp, left));
	ck_assert(dataplane_add(&ends[1].dp, right));
	left->out.life.limit.soft_packets = 2;
	right->in.life.limit.hard_bytes = 3 * 84;
	for (int i = 0; i < 4; i++) {
		push(&ends[0], sent, n);
		ck_assert_uint_eq(pull(&ends[1], false, got), i < 3 ? n : 0);
	}
	ck_assert_int_eq(ends[0].events[KERNEL_EVENT_EXPIRE_SOFT], 1);
	ck_assert_int_eq(ends[0].events[KERNEL_EVENT_EXPIRE_HARD], 0);
	ck_assert_int_eq(ends[1].events[KERNEL_EVENT_EXPIRE_HARD], 1);
	ck_assert_uint_eq(drops(&ends[1], DROP_EXPIRED_IN), 1);
	for (int i = 0; i < 2; i++)
		ck_assert(ends[i].last.spi == 0x1000u + (unsigned)i && ends[i].last.ike_id == 5 &&
			  ends[i].last.child_id == 6 && ends[i].last.reqid == 7);
	remove_child(&ends[0], left);
	remove_child(&ends[1], right);
}
END_TEST

START_TEST(test_move)
{
	struct kernel_handle *left = child(0, "10.1.0.0/16", "10.2.0.0/16", false, 0x1000);
	struct kernel_handle *right = child(1, "10.2.0.0/16", "10.1.0.0/16", false, 0x1000);
	struct addr local = test_addr("::1", 4500), remote = test_addr("::1", ends[1].port6);
	size_t n = test_packet(sent, "10.1.0.5", "10.2.0.6", 17, 1, 2, 60);

	ck_assert(dataplane_add(&ends[0].dp, left));
	ck_assert(dataplane_add(&ends[1].dp, right));
	dataplane_move(&ends[0].dp, left, &local, &remote);
	push(&ends[0], sent, n);
	ck_assert_uint_eq(pull(&ends[1], false, got), 0);
	ck_assert_uint_eq(pull(&ends[1], true, got), n);
	remove_child(&ends[0], left);
	remove_child(&ends[1], right);
}
END_TEST

/* What went out to streams. */
static struct {
	uint32_t stream;
	size_t n;
	uint8_t data[2048];
} streamed[16];
static size_t n_streamed, stream_room;

static size_t stream_send(void *arg, uint32_t stream, const struct bytes *packets, size_t n)
{
	if (n > stream_room)
		return 0;
	ck_assert_ptr_eq(arg, &ends[0]);
	for (size_t i = 0; i < n; i++) {
		streamed[n_streamed].stream = stream;
		streamed[n_streamed].n = packets[i].n;
		memcpy(streamed[n_streamed++].data, packets[i].p, packets[i].n);
	}
	return n;
}

/* RFC 9329: to a peer on TCP packets go to its stream, in order, beside others in UDP; from a stream they come in, and the peer is
 * where they came from last. */
START_TEST(test_streams)
{
	struct kernel_handle *left = child(0, "10.1.0.0/16", "10.2.0.0/16", false, 0x1000);
	struct kernel_handle *right = child(1, "10.2.0.0/16", "10.1.0.0/16", false, 0x1000);
	struct kernel_handle *udp = child(0, "10.1.0.0/16", "10.3.0.0/16", false, 0x2000);
	struct kernel_handle *udp_right = child(1, "10.3.0.0/16", "10.1.0.0/16", false, 0x2000);
	struct addr local = test_addr("127.0.0.1", 4500), remote = test_addr("127.0.0.1", 1234);
	struct kernel_packet in[6];
	size_t n = 0;

	n_streamed = 0;
	stream_room = SIZE_MAX;
	ends[0].dp.stream_send = stream_send;
	ends[0].dp.stream_arg = &ends[0];
	ck_assert(dataplane_add(&ends[0].dp, left) && dataplane_add(&ends[0].dp, udp));
	ck_assert(dataplane_add(&ends[1].dp, right) && dataplane_add(&ends[1].dp, udp_right));
	remote.stream = 3;
	dataplane_move(&ends[0].dp, left, &local, &remote);
	for (unsigned i = 0; i < 6; i++) {
		n = test_packet(sent, "10.1.0.5", i % 3 == 2 ? "10.3.0.6" : "10.2.0.6", 17, 1000 + i, 2, 60);
		ck_assert_int_eq(send(ends[0].tun, sent, n, 0), (ssize_t)n);
	}
	ck_assert_uint_eq(batch_out_run(ends[0].out), 6);
	ck_assert_uint_eq(n_streamed, 4);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_uint_eq(streamed[i].stream, 3);
		in[i] = (struct kernel_packet){ streamed[i].data, streamed[i].n };
	}
	ck_assert_uint_eq(pull(&ends[1], false, got), n);
	ck_assert_uint_eq(udp_right->in.usage.packets, 2);
	ck_assert_int_gt(recv(ends[1].tun, got, sizeof(got), 0), 0);
	/* from elsewhere: said once, with the stream */
	ck_assert_int_eq(ends[1].events[KERNEL_EVENT_MAPPING], 0);
	remote.stream = 9;
	ck_assert_uint_eq(batch_in_stream(ends[1].in, &local, &remote, in, 4), 4);
	for (unsigned i = 0; i < 4; i++) {
		ck_assert_int_eq(recv(ends[1].tun, got, sizeof(got), 0), (ssize_t)n);
		ck_assert_uint_eq(got[20] << 8 | got[21], 1000 + i + i / 2);
	}
	ck_assert_int_eq(ends[1].events[KERNEL_EVENT_MAPPING], 1);
	ck_assert(addr_equal(&ends[1].last.src, &remote) && addr_equal(&ends[1].last.dst, &local));
	/* once more they are replays, and an unknown SPI of a stream is nobody's news */
	in[4] = (struct kernel_packet){ (uint8_t[]){ 1, 2, 3, 4, 0, 0, 0, 1, 0 }, 9 };
	in[5] = (struct kernel_packet){ (uint8_t[]){ 1, 2, 3 }, 3 };
	ck_assert_uint_eq(batch_in_stream(ends[1].in, &local, &remote, in, 6), 0);
	ck_assert_int_eq(ends[1].events[KERNEL_EVENT_INVALID_SPI], 0);
	ck_assert_uint_eq(drops(&ends[1], DROP_NO_SA), 1);
	/* a stream that takes no more: counted */
	stream_room = 0;
	n = test_packet(sent, "10.1.0.5", "10.2.0.6", 17, 1, 2, 60);
	push(&ends[0], sent, n);
	ck_assert_uint_eq(drops(&ends[0], DROP_SEND), 1);
	remove_child(&ends[0], left);
	remove_child(&ends[0], udp);
	remove_child(&ends[1], right);
	remove_child(&ends[1], udp_right);
}
END_TEST

/* Fragments behind the first pass where the first did, both ways. */
START_TEST(test_fragments)
{
	struct kernel_handle *left = child(0, "10.1.0.0/16", "10.2.0.0/16[udp/53]", false, 0x1000);
	struct kernel_handle *right = child(1, "10.2.0.0/16[udp/53]", "10.1.0.0/16", false, 0x1000);
	size_t n = test_packet(sent, "10.1.0.5", "10.2.0.6", 17, 1, 53, 60);

	ck_assert(dataplane_add(&ends[0].dp, left));
	ck_assert(dataplane_add(&ends[1].dp, right));
	sent[7] = 8;
	push(&ends[0], sent, n);
	ck_assert_uint_eq(drops(&ends[0], DROP_NO_POLICY), 1);
	sent[6] = 0x20;
	sent[7] = 0;
	push(&ends[0], sent, n);
	sent[6] = 0;
	sent[7] = 8;
	push(&ends[0], sent, n);
	ck_assert_uint_eq(pull(&ends[1], false, got), n);
	ck_assert_uint_eq(pull(&ends[1], false, got), n);
	ck_assert_uint_eq(right->in.usage.packets, 2);
	remove_child(&ends[0], left);
	remove_child(&ends[1], right);
}
END_TEST

/* The threads, with children coming and going below them: for the thread sanitizer. */
START_TEST(test_threads)
{
	struct kernel_handle *left = child(0, "10.1.0.0/16", "10.2.0.0/16", false, 0x1000);
	struct kernel_handle *right = child(1, "10.2.0.0/16", "10.1.0.0/16", false, 0x1000);
	size_t n = test_packet(sent, "10.1.0.5", "10.2.0.6", 17, 1, 2, 600);
	struct errtext err;
	struct pollfd arrived = { ends[1].tun, POLLIN, 0 };

	ck_assert(dataplane_add(&ends[0].dp, left));
	ck_assert(dataplane_add(&ends[1].dp, right));
	ck_assert(dataplane_start(&ends[0].dp, &err));
	ck_assert(dataplane_start(&ends[1].dp, &err));
	for (uint32_t i = 0; i < 200; i++) {
		struct kernel_handle *other = child(0, "10.1.0.0/16", "10.3.0.0/16", false, 0x2000 + 2 * i);

		ck_assert(dataplane_add(&ends[0].dp, other));
		ck_assert_int_eq(send(ends[0].tun, sent, n, 0), (ssize_t)n);
		remove_child(&ends[0], other);
		ck_assert_int_eq(poll(&arrived, 1, 20000), 1);
		ck_assert_int_eq(recv(ends[1].tun, got, sizeof(got), 0), (ssize_t)n);
		ck_assert_uint_le(atomic_load(&left->out.usage.packets), i + 1);
	}
	dataplane_stop(&ends[0].dp);
	dataplane_stop(&ends[1].dp);
	ck_assert_uint_eq(right->in.usage.packets, 200);
	remove_child(&ends[0], left);
	remove_child(&ends[1], right);
}
END_TEST

/* What this backend does not do is refused, with the reason. */
START_TEST(test_refused_children)
{
	struct ts list[66], six = test_ts("fd00::/8");
	struct kernel_child c = { .name = "net", .protocol = PROTOCOL_ESP, .mode = IPSEC_MODE_TRANSPORT, .encap = true,
				  .in.spi = 300, .out.spi = 301 };
	struct errtext err = { "" };

	for (size_t i = 0; i < ARRAY_LEN(list); i++)
		list[i] = test_ts("10.0.0.0/8");
	c.local_ts = c.remote_ts = (struct ts_list){ 1, list };
	c.out.dst = test_addr("192.0.2.1", 4500);
	ck_assert_ptr_null(child_new(&c, &err));
	ck_assert_str_eq(err.s, "net: kernel-userland carries tunnel mode only");
	c.mode = IPSEC_MODE_TUNNEL;
	c.encap = false;
	ck_assert_ptr_null(child_new(&c, &err));
	ck_assert_str_eq(err.s, "net: kernel-userland carries ESP in UDP only");
	c.encap = true;
	c.remote_ts = (struct ts_list){ 1, &six };
	ck_assert_ptr_null(child_new(&c, &err));
	ck_assert_str_eq(err.s, "net: no local selector fits a remote one");
	c.local_ts = c.remote_ts = (struct ts_list){ 66, list };
	ck_assert_ptr_null(child_new(&c, &err));
	ck_assert_str_eq(err.s, "net: 4356 pairs of selectors, at most 4096 are supported");
	c.local_ts = c.remote_ts = (struct ts_list){ 1, list };
	c.protect = test_protect(ENCR_AES_GCM_16, 256, 0, &c.suite);
	ck_assert_ptr_null(child_new(&c, &err));
	ck_assert_str_eq(err.s, "net: keys of a wrong length");
}
END_TEST

/* Of two with the same selectors the one that carries sends; both receive all the time (RFC 7296, 2.8). */
START_TEST(test_carry)
{
	struct kernel_handle *old = child(0, "10.1.0.0/16", "10.2.0.0/16", false, 0x1000);
	struct kernel_handle *next = child(0, "10.1.0.0/16", "10.2.0.0/16", false, 0x2000);
	struct kernel_handle *far_old = child(1, "10.2.0.0/16", "10.1.0.0/16", false, 0x1000);
	struct kernel_handle *far_next = child(1, "10.2.0.0/16", "10.1.0.0/16", false, 0x2000);
	/* next carries, what old does, which of them sends: 0 none, 1 old, 2 next */
	static const struct {
		bool next;
		int what;
		int sends;
	} steps[] = { { false, -1, 1 }, { true, -1, 2 }, { true, 1, 1 }, { true, 0, 2 }, { false, 0, 0 }, { true, 0, 2 } };
	size_t n = test_packet(sent, "10.1.0.5", "10.2.0.6", 17, 1, 2, 60), back;

	next->place = POLICY_WAITS;
	ck_assert(dataplane_add(&ends[0].dp, old) && dataplane_add(&ends[0].dp, next));
	ck_assert(dataplane_add(&ends[1].dp, far_old) && dataplane_add(&ends[1].dp, far_next));
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		uint64_t by_old = far_old->in.usage.packets, by_next = far_next->in.usage.packets;

		if (i)
			dataplane_carry(&ends[0].dp, next, steps[i].next);
		if (steps[i].what >= 0)
			dataplane_carry(&ends[0].dp, old, steps[i].what);
		push(&ends[0], sent, n);
		ck_assert_uint_eq(pull(&ends[1], false, got), steps[i].sends ? n : 0);
		ck_assert_uint_eq(far_old->in.usage.packets - by_old, steps[i].sends == 1);
		ck_assert_uint_eq(far_next->in.usage.packets - by_next, steps[i].sends == 2);
	}
	/* far_next sends; what far_old sends arrives, too */
	back = test_packet(sent, "10.2.0.6", "10.1.0.5", 17, 1, 2, 60);
	for (int i = 0; i < 2; i++) {
		push(&ends[1], sent, back);
		ck_assert_uint_eq(pull(&ends[0], false, got), back);
		dataplane_carry(&ends[1].dp, far_next, false);
	}
	ck_assert_uint_eq(old->in.usage.packets, 1);
	ck_assert_uint_eq(next->in.usage.packets, 1);
	remove_child(&ends[0], old);
	remove_child(&ends[0], next);
	remove_child(&ends[1], far_old);
	remove_child(&ends[1], far_next);
}
END_TEST

TCase *tcase_dataplane(void)
{
	TCase *tc = tcase_create("dataplane");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, test_through, 0, 4);
	tcase_add_loop_test(tc, test_tfc, 0, 2);
	tcase_add_loop_test(tc, test_batch, 0, 2);
	tcase_add_loop_test(tc, test_flows_apart, 0, 2);
	tcase_add_test(tc, test_refused);
	tcase_add_test(tc, test_trap);
	tcase_add_test(tc, test_trap_limits);
	tcase_add_test(tc, test_limits);
	tcase_add_test(tc, test_move);
	tcase_add_test(tc, test_carry);
	tcase_add_test(tc, test_streams);
	tcase_add_test(tc, test_mapping);
	tcase_add_test(tc, test_fragments);
	tcase_add_test(tc, test_threads);
	tcase_add_test(tc, test_refused_children);
	return tc;
}
