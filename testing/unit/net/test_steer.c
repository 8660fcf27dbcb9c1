/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/filter.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/steer.h"
#include "proto/iana.h"
#include "support.h"
#include "util/writer.h"

#define SECRET 0x0123456789abcdef

START_TEST(spi_is_the_workers)
{
	uint64_t state = 4711;

	for (unsigned workers = 1; workers <= 64; workers++) {
		struct steer s = steer_init(workers, 0, SECRET + workers);

		for (unsigned i = 0; i < workers; i++) {
			uint8_t segment = (uint8_t)(i * 5);
			uint64_t spi = steer_make_spi(&s, i, segment, support_random_bytes, &state);

			ck_assert_uint_ne(spi, 0);
			ck_assert_uint_eq(spi >> 56, segment);
			ck_assert_uint_eq(steer_owner(&s, spi), i);
		}
	}
}
END_TEST

/* The segment, and all else above 32 bits, plays no part. */
START_TEST(segment_does_not_steer)
{
	struct steer s = steer_init(8, 0, SECRET);

	for (uint64_t i = 0; i < 256; i++)
		ck_assert_uint_eq(steer_owner(&s, i << 56 | 0x12345678),
				  steer_owner(&s, 0x12345678));
}
END_TEST

/* SPIs in a row, or with a common low part, still reach all workers evenly. */
START_TEST(load_is_even)
{
	static const unsigned shifts[] = { 0, 8, 16, 20 };
	struct steer s = steer_init(7, 0, SECRET);

	for (unsigned k = 0; k < sizeof(shifts) / sizeof(shifts[0]); k++) {
		unsigned count[7] = { 0 };

		for (uint64_t i = 0; i < 4096; i++)
			count[steer_owner(&s, i << shifts[k])]++;
		for (unsigned i = 0; i < 7; i++) {
			ck_assert_uint_gt(count[i], 4096 / 7 * 2 / 3);
			ck_assert_uint_lt(count[i], 4096 / 7 * 3 / 2);
		}
	}
}
END_TEST

/* SPIs gathered for one worker are of no use after the secret changed. */
START_TEST(secret_decides)
{
	struct steer a = steer_init(8, 0, SECRET), b = steer_init(8, 0, SECRET + 1);
	uint64_t state = 99;
	unsigned same = 0;

	for (unsigned i = 0; i < 2000; i++) {
		uint64_t spi = steer_make_spi(&a, 3, 0, support_random_bytes, &state);

		same += steer_owner(&b, spi) == 3;
	}
	ck_assert_uint_gt(same, 2000 / 8 / 2);
	ck_assert_uint_lt(same, 2000 / 8 * 2);
}
END_TEST

START_TEST(packet_goes_by_our_spi)
{
	struct steer s = steer_init(16, 0, SECRET);
	uint64_t state = 1, spi_i, spi_r;

	spi_i = steer_make_spi(&s, 5, 0, support_random_bytes, &state);
	spi_r = steer_make_spi(&s, 9, 0, support_random_bytes, &state);
	/* from the initiator: we are the responder */
	ck_assert_uint_eq(steer_packet_owner(&s, spi_i, spi_r, IKE_FLAG_INITIATOR), 9);
	ck_assert_uint_eq(
		steer_packet_owner(&s, spi_i, spi_r, IKE_FLAG_INITIATOR | IKE_FLAG_RESPONSE), 9);
	/* IKE_SA_INIT request */
	ck_assert_uint_eq(steer_packet_owner(&s, spi_i, 0, IKE_FLAG_INITIATOR), 5);
	/* an SPI whose low half is zero is one nevertheless */
	ck_assert_uint_eq(steer_packet_owner(&s, spi_i, 1ULL << 40, IKE_FLAG_INITIATOR),
			  steer_owner(&s, 0));
	/* from the responder: we are the initiator */
	ck_assert_uint_eq(steer_packet_owner(&s, spi_i, spi_r, IKE_FLAG_RESPONSE), 5);
	ck_assert_uint_eq(steer_packet_owner(&s, spi_i, spi_r, 0), 5);
	ck_assert_uint_eq(steer_packet_owner(&s, spi_i, 0, 0), 5);
}
END_TEST

START_TEST(program_fits)
{
	struct sock_filter code[STEER_PROGRAM_MAX];
	struct steer s = steer_init(4, 2, SECRET);

	ck_assert_uint_le(steer_program(&s, false, code), STEER_PROGRAM_MAX);
	ck_assert_uint_le(steer_program(&s, true, code), STEER_PROGRAM_MAX);
}
END_TEST

/* ---- the kernel agrees ---- */

static void drain(struct net *net, const struct net_options *o, unsigned index, enum net_sock sock)
{
	const struct datagram *list;
	uint8_t packet[64];
	int fd;

	if (index < o->workers) {
		(void)net_receive(net_worker(net, index), sock, &list);
		return;
	}
	fd = net_esp_fd(net, sock == NET_SOCK_V4_NATT ? AF_INET : AF_INET6, index - o->workers);
	ck_assert_int_gt(recv(fd, packet, sizeof(packet), 0), 0);
}

static void expect_at(struct net *net, const struct net_options *o, unsigned index,
		      enum net_sock sock)
{
	enum net_sock at;

	ck_assert_uint_eq(support_wait(net, o, &at), index);
	ck_assert_uint_eq(at, sock);
	drain(net, o, index, sock);
}

/* SPIs of all kinds: ours, foreign, none, with empty halves. */
static uint64_t some_spi(uint64_t *state)
{
	uint64_t v = support_random(state);

	switch (support_random(state) >> 32 & 7) {
	case 0:
		return 0;
	case 1:
		return v << 32;
	case 2:
		return v >> 32;
	default:
		return v;
	}
}

static void kernel_agrees(unsigned workers, unsigned esp_sockets, int family, bool natt)
{
	enum net_sock sock = (family == AF_INET ? NET_SOCK_V4 : NET_SOCK_V6) + natt;
	struct net_options o = support_options();
	uint64_t state = 12345 + workers;
	struct addr client, to;
	unsigned seen[8] = { 0 };
	struct net *net;
	int fd;

	o.workers = workers;
	o.esp_sockets = esp_sockets;
	net = support_open(&o);
	if (!support_has_family(net, family)) {
		net_close(net);
		return;
	}
	to = support_loopback(family, natt ? net_port_nat_t(net) : net_port(net));
	fd = support_socket(family == AF_INET ? "127.0.0.1" : "::1", &client);
	for (unsigned i = 0; i < 2000; i++) {
		uint64_t spi_i = some_spi(&state), spi_r = some_spi(&state);
		uint8_t packet[SUPPORT_HEADER_MAX], flags = (uint8_t)(support_random(&state) >> 40);
		size_t n = support_header(packet, natt, spi_i, spi_r, flags);
		unsigned owner = steer_packet_owner(net_steer(net), spi_i, spi_r, flags);

		support_sendto(fd, &to, packet, n);
		expect_at(net, &o, owner, sock);
		seen[owner]++;
	}
	for (unsigned i = 0; i < workers; i++)
		ck_assert_uint_gt(seen[i], 100);
	close(fd);
	net_close(net);
}

START_TEST(kernel_steers_v4)
{
	kernel_agrees(4, 0, AF_INET, false);
}
END_TEST

START_TEST(kernel_steers_v4_natt)
{
	kernel_agrees(4, 0, AF_INET, true);
	kernel_agrees(3, 2, AF_INET, true);
	kernel_agrees(1, 2, AF_INET, true);
}
END_TEST

START_TEST(kernel_steers_v6)
{
	kernel_agrees(4, 0, AF_INET6, false);
}
END_TEST

START_TEST(kernel_steers_v6_natt)
{
	kernel_agrees(4, 2, AF_INET6, true);
}
END_TEST

/* All of a peer comes to one socket, whatever its SPIs; peers are spread. */
static void esp_agrees(int family, unsigned esp_sockets)
{
	enum net_sock sock = family == AF_INET ? NET_SOCK_V4_NATT : NET_SOCK_V6_NATT;
	struct net_options o = support_options();
	unsigned seen[4] = { 0 };
	uint64_t state = 777;
	struct addr to;
	struct net *net;

	o.esp_sockets = esp_sockets;
	net = support_open(&o);
	if (!support_has_family(net, family)) {
		net_close(net);
		return;
	}
	to = support_loopback(family, net_port_nat_t(net));
	for (unsigned i = 0; i < 200; i++) {
		struct addr client;
		int fd;
		unsigned at;
		char ip[32] = "::1";

		if (family == AF_INET)
			snprintf(ip, sizeof(ip), "127.0.%u.1", i);
		fd = support_socket(ip, &client);
		at = steer_esp_socket(net_steer(net), &client);
		for (unsigned k = 0; k < 3; k++) {
			uint8_t packet[40] = { 0 };
			struct writer w = writer_of(packet, sizeof(packet));

			writer_u32(&w, (uint32_t)support_random(&state) | 1);
			support_sendto(fd, &to, packet, sizeof(packet));
			expect_at(net, &o, esp_sockets ? o.workers + at : 0, sock);
		}
		seen[at]++;
		close(fd);
	}
	for (unsigned i = 0; i < esp_sockets; i++)
		ck_assert_uint_gt(seen[i], 20);
	net_close(net);
}

START_TEST(kernel_steers_esp)
{
	esp_agrees(AF_INET, 3);
	esp_agrees(AF_INET, 1);
	esp_agrees(AF_INET, 0);
	esp_agrees(AF_INET6, 2);
}
END_TEST

/* What the program cannot read goes to worker 0, and is dropped there. */
START_TEST(kernel_steers_short_packets)
{
	struct net_options o = support_options();
	static const uint8_t zeros[19];
	struct addr client, to;
	struct net *net;
	int fd;

	o.esp_sockets = 2;
	net = support_open(&o);
	fd = support_socket("127.0.0.1", &client);
	for (int natt = 0; natt <= 1; natt++)
		for (size_t n = 1; n <= sizeof(zeros); n++) {
			to = support_loopback(AF_INET, natt ? net_port_nat_t(net) : net_port(net));
			support_sendto(fd, &to, zeros, n);
			expect_at(net, &o, 0, natt ? NET_SOCK_V4_NATT : NET_SOCK_V4);
		}
	ck_assert_uint_eq(net_worker_counters(net_worker(net, 0))->drop_runt, 2 * sizeof(zeros));
	close(fd);
	net_close(net);
}
END_TEST

/* Without the program packets still arrive, if not at their owner. */
START_TEST(nothing_is_lost_without_steering)
{
	struct net_options o = support_options();
	unsigned wrong = 0, count = 0;
	uint64_t state = 5;
	struct net *net;

	o.steer = false;
	net = support_open(&o);
	for (unsigned i = 0; i < 200; i++) {
		uint64_t spi = support_random(&state);
		uint8_t packet[SUPPORT_HEADER_MAX];
		size_t n = support_header(packet, i & 1, spi, 0, IKE_FLAG_INITIATOR);
		struct addr client,
			to = support_loopback(AF_INET, i & 1 ? net_port_nat_t(net) : net_port(net));
		int fd = support_socket("127.0.0.1", &client);
		const struct datagram *list;
		enum net_sock sock;
		unsigned at;

		support_sendto(fd, &to, packet, n);
		at = support_wait(net, &o, &sock);
		count += net_receive(net_worker(net, at), sock, &list);
		wrong += at != steer_packet_owner(net_steer(net), spi, 0, IKE_FLAG_INITIATOR);
		close(fd);
	}
	ck_assert_uint_eq(count, 200);
	ck_assert_uint_gt(wrong, 50); /* else this tested nothing */
	net_close(net);
}
END_TEST

TCase *test_steer(void)
{
	TCase *tc = tcase_create("steer");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, spi_is_the_workers);
	tcase_add_test(tc, segment_does_not_steer);
	tcase_add_test(tc, load_is_even);
	tcase_add_test(tc, secret_decides);
	tcase_add_test(tc, packet_goes_by_our_spi);
	tcase_add_test(tc, program_fits);
	tcase_add_test(tc, kernel_steers_v4);
	tcase_add_test(tc, kernel_steers_v4_natt);
	tcase_add_test(tc, kernel_steers_v6);
	tcase_add_test(tc, kernel_steers_v6_natt);
	tcase_add_test(tc, kernel_steers_esp);
	tcase_add_test(tc, kernel_steers_short_packets);
	tcase_add_test(tc, nothing_is_lost_without_steering);
	return tc;
}
