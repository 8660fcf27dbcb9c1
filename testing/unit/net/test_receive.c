/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "proto/iana.h"
#include "support.h"

struct fixture {
	struct net *net;
	struct net_worker *w;
	struct addr client;
	int fd;
};

static struct fixture fixture_open(unsigned max_packet)
{
	struct net_options o = support_options();
	struct fixture f;

	o.workers = 1;
	o.max_packet = max_packet;
	f.net = support_open(&o);
	f.w = net_worker(f.net, 0);
	f.fd = support_socket("127.0.0.1", &f.client);
	return f;
}

static void fixture_close(struct fixture *f)
{
	close(f->fd);
	net_close(f->net);
}

static struct addr fixture_to(const struct fixture *f, const char *ip, bool natt)
{
	return support_addr(ip, natt ? net_port_nat_t(f->net) : net_port(f->net));
}

START_TEST(addresses_are_known)
{
	struct fixture f = fixture_open(10000);
	static const char *const ips[] = { "127.0.0.1", "127.0.0.2", "127.1.2.3" };
	const struct datagram *d;
	uint8_t packet[SUPPORT_HEADER_MAX];

	for (int natt = 0; natt <= 1; natt++)
		for (size_t i = 0; i < sizeof(ips) / sizeof(ips[0]); i++) {
			struct addr to = fixture_to(&f, ips[i], natt);
			size_t n = support_header(packet, natt, 42 + i, 0, IKE_FLAG_INITIATOR),
			       cut = natt ? 4 : 0;

			support_sendto(f.fd, &to, packet, n);
			ck_assert_uint_eq(
				support_receive(f.w, natt ? NET_SOCK_V4_NATT : NET_SOCK_V4, &d), 1);
			ck_assert(addr_equal(&d->local, &to));
			ck_assert(addr_equal(&d->remote, &f.client));
			ck_assert_int_eq(d->natt, natt);
			ck_assert(bytes_equal(d->data, bytes_of(packet + cut, n - cut)));
		}
	fixture_close(&f);
}
END_TEST

START_TEST(addresses_are_known_v6)
{
	struct fixture f = fixture_open(10000);
	uint8_t packet[SUPPORT_HEADER_MAX];
	const struct datagram *d;
	struct addr client, to;
	int fd;

	if (support_has_family(f.net, AF_INET6)) {
		fd = support_socket("::1", &client);
		to = fixture_to(&f, "::1", true);
		support_sendto(fd, &to, packet, support_header(packet, true, 42, 0, 0));
		ck_assert_uint_eq(support_receive(f.w, NET_SOCK_V6_NATT, &d), 1);
		ck_assert(addr_equal(&d->local, &to));
		ck_assert(addr_equal(&d->remote, &client));
		ck_assert(d->natt);
		ck_assert_uint_eq(d->data.n, IKE_HEADER_LEN);
		close(fd);
	}
	fixture_close(&f);
}
END_TEST

/* More than a batch: each datagram comes once, in order, with its own content. */
START_TEST(batches)
{
	struct fixture f = fixture_open(10000);
	const unsigned total = 2 * NET_BATCH + 7;
	struct addr to = fixture_to(&f, "127.0.0.1", false);
	uint8_t packet[3000];
	const struct datagram *list;
	unsigned got = 0;

	for (unsigned i = 0; i < total; i++) {
		memset(packet, (int)i, sizeof(packet));
		support_sendto(f.fd, &to, packet, IKE_HEADER_LEN + i * 9);
	}
	while (got < total) {
		size_t n = support_receive(f.w, NET_SOCK_V4, &list);

		ck_assert_uint_le(n, NET_BATCH);
		for (size_t i = 0; i < n; i++, got++) {
			memset(packet, (int)got, sizeof(packet));
			ck_assert(bytes_equal(list[i].data,
					      bytes_of(packet, IKE_HEADER_LEN + got * 9)));
		}
	}
	ck_assert_uint_eq(net_receive(f.w, NET_SOCK_V4, &list), 0);
	ck_assert_uint_eq(net_worker_counters(f.w)->received, total);
	fixture_close(&f);
}
END_TEST

/* What is no IKE message is dropped between two that are. */
START_TEST(rubbish_is_dropped)
{
	struct fixture f = fixture_open(100);
	struct addr to = fixture_to(&f, "127.0.0.1", true);
	const struct net_counters *c = net_worker_counters(f.w);
	static const uint8_t keepalive = 0xff, other = 0xfe, zeros[31], large[101];
	static const uint8_t esp[40] = { 0, 0, 0, 1 };
	uint8_t packet[SUPPORT_HEADER_MAX];
	const struct datagram *list;

	support_sendto(f.fd, &to, packet, support_header(packet, true, 1, 0, 0));
	support_sendto(f.fd, &to, &keepalive, 1);
	support_sendto(f.fd, &to, &other, 1);
	support_sendto(f.fd, &to, zeros, 0);
	support_sendto(f.fd, &to, zeros, 3);
	support_sendto(f.fd, &to, zeros, 4);
	support_sendto(f.fd, &to, zeros, sizeof(zeros));
	support_sendto(f.fd, &to, esp, sizeof(esp));
	support_sendto(f.fd, &to, esp, 4);
	support_sendto(f.fd, &to, large, sizeof(large));
	support_sendto(f.fd, &to, packet, support_header(packet, true, 2, 0, 0));
	support_sendto(f.fd, &to, large, sizeof(large) - 1);
	while (c->received < 3) {
		size_t n = support_receive(f.w, NET_SOCK_V4_NATT, &list);

		for (size_t i = 0; i < n; i++)
			ck_assert_uint_ge(list[i].data.n, IKE_HEADER_LEN);
	}
	ck_assert_uint_eq(c->received, 3);
	ck_assert_uint_eq(c->received_bytes, 28 + 28 + 96);
	ck_assert_uint_eq(c->keepalives, 1);
	ck_assert_uint_eq(c->drop_runt, 5);
	ck_assert_uint_eq(c->drop_esp, 2);
	ck_assert_uint_eq(c->drop_large, 1);
	fixture_close(&f);
}
END_TEST

START_TEST(rubbish_is_dropped_plain)
{
	struct fixture f = fixture_open(10000);
	struct addr to = fixture_to(&f, "127.0.0.1", false);
	const struct net_counters *c = net_worker_counters(f.w);
	static const uint8_t keepalive = 0xff, zeros[27];
	uint8_t packet[SUPPORT_HEADER_MAX];
	const struct datagram *list;

	support_sendto(f.fd, &to, &keepalive, 1);
	support_sendto(f.fd, &to, zeros, sizeof(zeros));
	/* no marker on this port: these are the initiator's SPI */
	support_sendto(f.fd, &to, packet, support_header(packet, false, UINT64_MAX, 0, 0));
	while (c->received < 1)
		(void)support_receive(f.w, NET_SOCK_V4, &list);
	ck_assert_uint_eq(c->keepalives, 1);
	ck_assert_uint_eq(c->drop_runt, 1);
	ck_assert_uint_eq(c->drop_esp, 0);
	fixture_close(&f);
}
END_TEST

START_TEST(broadcast_is_dropped)
{
	struct fixture f = fixture_open(10000);
	struct addr to = fixture_to(&f, "127.255.255.255", false);
	uint8_t packet[SUPPORT_HEADER_MAX];
	const struct datagram *list;
	int on = 1;

	ck_assert_int_eq(setsockopt(f.fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)), 0);
	support_sendto(f.fd, &to, packet, support_header(packet, false, 1, 0, 0));
	ck_assert_uint_eq(support_receive(f.w, NET_SOCK_V4, &list), 0);
	ck_assert_uint_eq(net_worker_counters(f.w)->drop_unanswerable, 1);
	fixture_close(&f);
}
END_TEST

/* A socket that is not there, or has nothing, gives nothing. */
START_TEST(nothing_to_read)
{
	struct net_options o = support_options();
	const struct datagram *list;
	struct net *net;

	o.ipv6 = false;
	net = support_open(&o);
	for (enum net_sock s = 0; s < NET_SOCKS; s++)
		ck_assert_uint_eq(net_receive(net_worker(net, 0), s, &list), 0);
	net_close(net);
}
END_TEST

TCase *test_receive(void)
{
	TCase *tc = tcase_create("receive");

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, addresses_are_known);
	tcase_add_test(tc, addresses_are_known_v6);
	tcase_add_test(tc, batches);
	tcase_add_test(tc, rubbish_is_dropped);
	tcase_add_test(tc, rubbish_is_dropped_plain);
	tcase_add_test(tc, broadcast_is_dropped);
	tcase_add_test(tc, nothing_to_read);
	return tc;
}
