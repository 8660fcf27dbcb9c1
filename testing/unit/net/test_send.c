/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proto/iana.h"
#include "support.h"

/* The library calls this one instead of libc's: a kernel that is short of something. */
static struct {
	int error;	/* every call fails with it */
	int fail_first; /* that many calls do, and then it is over; 0: all */
	unsigned most;	/* messages taken by one call; 0: all */
	unsigned calls;
} kernel;

EXPORT int sendmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags);

int sendmmsg(int fd, struct mmsghdr *msgs, unsigned n, int flags)
{
	kernel.calls++;
	if (kernel.error) {
		errno = kernel.error;
		if (kernel.fail_first && --kernel.fail_first == 0)
			kernel.error = 0;
		return -1;
	}
	if (kernel.most && n > kernel.most)
		n = kernel.most;
	return (int)syscall(SYS_sendmmsg, fd, msgs, n, flags);
}

struct fixture {
	struct net *net;
	struct net_worker *w;
	struct addr local, local_natt, client;
	int fd;
};

static struct fixture fixture_open(void)
{
	struct net_options o = support_options();
	struct fixture f;
	int rcvbuf = 4 << 20;

	memset(&kernel, 0, sizeof(kernel));
	o.workers = 2;
	f.net = support_open(&o);
	f.w = net_worker(f.net, 1);
	f.local = support_loopback(AF_INET, net_port(f.net));
	f.local_natt = support_loopback(AF_INET, net_port_nat_t(f.net));
	f.fd = support_socket("127.0.0.1", &f.client);
	(void)setsockopt(f.fd, SOL_SOCKET, SO_RCVBUF, &rcvbuf, sizeof(rcvbuf));
	return f;
}

static void fixture_close(struct fixture *f)
{
	close(f->fd);
	net_close(f->net);
}

static void expect_packet(int fd, const struct addr *from, const void *p, size_t n)
{
	static uint8_t got[70000];
	struct addr at;

	ck_assert_uint_eq(support_recv(fd, got, sizeof(got), &at), n);
	ck_assert(addr_equal(&at, from));
	ck_assert_mem_eq(got, p, n);
}

static void expect_number(struct fixture *f, unsigned i)
{
	expect_packet(f->fd, &f->local, &i, sizeof(i));
}

static void send_number(struct fixture *f, unsigned i)
{
	net_send(f->w, &f->local, &f->client, bytes_of(&i, sizeof(i)));
}

START_TEST(source_and_marker)
{
	struct fixture f = fixture_open();
	struct addr from = support_addr("127.0.0.2", net_port(f.net));
	struct addr any = { .port = net_port_nat_t(f.net) };
	struct addr any4 = support_addr("0.0.0.0", net_port(f.net));

	net_send(f.w, &from, &f.client, bytes_str("plain"));
	ck_assert_uint_eq(net_flush(f.w), 0);
	expect_packet(f.fd, &from, "plain", 5);

	from.port = net_port_nat_t(f.net);
	net_send(f.w, &from, &f.client, bytes_str("natt"));
	ck_assert_uint_eq(net_flush(f.w), 0);
	expect_packet(f.fd, &from, "\0\0\0\0natt", 8);

	net_send(f.w, &any, &f.client, bytes_str("any"));
	net_send_keepalive(f.w, &any, &f.client);
	net_send(f.w, &any4, &f.client, bytes_str("any4"));
	ck_assert_uint_eq(net_flush(f.w), 0);
	/* two sockets: the order between them is that of net_flush */
	expect_packet(f.fd, &f.local, "any4", 4);
	expect_packet(f.fd, &f.local_natt, "\0\0\0\0any", 7);
	expect_packet(f.fd, &f.local_natt, "\xff", 1);
	fixture_close(&f);
}
END_TEST

static int received_tos(int fd, bool v6)
{
	char data[64], control[CMSG_SPACE(sizeof(int))];
	struct iovec iov = { data, sizeof(data) };
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c;

	ck_assert_int_gt(recvmsg(fd, &m, 0), 0);
	c = CMSG_FIRSTHDR(&m);
	ck_assert_ptr_nonnull(c);
	return v6 ? *(int *)CMSG_DATA(c) : *CMSG_DATA(c);
}

/* The traffic class is the message's own: the next one has none. */
START_TEST(dscp)
{
	struct fixture f = fixture_open();
	struct addr from = support_loopback(AF_INET6, net_port(f.net)), client, none = { .port = net_port(f.net) };
	int on = 1, fd;

	ck_assert_int_eq(setsockopt(f.fd, IPPROTO_IP, IP_RECVTOS, &on, sizeof(on)), 0);
	net_send_dscp(f.w, &f.local, &f.client, 46, bytes_str("expedited"));
	net_send(f.w, &f.local, &f.client, bytes_str("usual"));
	net_send_dscp(f.w, &none, &f.client, 10, bytes_str("no source"));
	ck_assert_uint_eq(net_flush(f.w), 0);
	ck_assert_int_eq(received_tos(f.fd, false), 46 << 2);
	ck_assert_int_eq(received_tos(f.fd, false), 0);
	ck_assert_int_eq(received_tos(f.fd, false), 10 << 2);
	if (support_has_family(f.net, AF_INET6)) {
		fd = support_socket("::1", &client);
		ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_RECVTCLASS, &on, sizeof(on)), 0);
		net_send_dscp(f.w, &from, &client, 46, bytes_str("v6"));
		ck_assert_uint_eq(net_flush(f.w), 0);
		ck_assert_int_eq(received_tos(fd, true), 46 << 2);
		close(fd);
	}
	fixture_close(&f);
}
END_TEST

START_TEST(source_and_marker_v6)
{
	struct fixture f = fixture_open();
	struct addr from = support_loopback(AF_INET6, net_port_nat_t(f.net));
	struct addr client;
	int fd;

	if (support_has_family(f.net, AF_INET6)) {
		fd = support_socket("::1", &client);
		net_send(f.w, &from, &client, bytes_str("natt"));
		from.port = net_port(f.net);
		net_send(f.w, &from, &client, bytes_str("plain"));
		ck_assert_uint_eq(net_flush(f.w), 0);
		expect_packet(fd, &from, "plain", 5);
		from.port = net_port_nat_t(f.net);
		expect_packet(fd, &from, "\0\0\0\0natt", 8);
		close(fd);
	}
	fixture_close(&f);
}
END_TEST

/* Several batches come in order, each message with its own content; places in the ring are used
 * again. */
START_TEST(many)
{
	struct fixture f = fixture_open();

	for (unsigned round = 0; round < 12; round++) {
		for (unsigned i = 0; i < 200; i++)
			send_number(&f, round * 1000 + i);
		ck_assert_uint_eq(net_flush(f.w), 0);
		for (unsigned i = 0; i < 200; i++)
			expect_number(&f, round * 1000 + i);
	}
	ck_assert_uint_eq(net_worker_counters(f.w)->sent, 12 * 200);
	ck_assert_uint_eq(net_worker_counters(f.w)->sent_bytes, 12 * 200 * sizeof(unsigned));
	ck_assert_uint_lt(kernel.calls, 12 * 200 / 32);
	fixture_close(&f);
}
END_TEST

START_TEST(large_messages)
{
	struct fixture f = fixture_open();
	static uint8_t data[60000];
	uint64_t state = 3;

	support_random_bytes(&state, data, sizeof(data));
	for (int i = 0; i < 5; i++) {
		net_send(f.w, &f.local, &f.client, bytes_of(data, sizeof(data) - (size_t)i));
		send_number(&f, 7);
	}
	ck_assert_uint_eq(net_flush(f.w), 0);
	for (int i = 0; i < 5; i++) {
		expect_packet(f.fd, &f.local, data, sizeof(data) - (size_t)i);
		expect_number(&f, 7);
	}
	fixture_close(&f);
}
END_TEST

START_TEST(kernel_takes_some)
{
	struct fixture f = fixture_open();

	kernel.most = 3;
	for (unsigned i = 0; i < 100; i++)
		send_number(&f, i);
	ck_assert_uint_eq(net_flush(f.w), 0);
	for (unsigned i = 0; i < 100; i++)
		expect_number(&f, i);
	ck_assert_uint_eq(net_worker_counters(f.w)->sent, 100);
	fixture_close(&f);
}
END_TEST

/* What does not fit waits, up to a bound, and goes out in order when there is room again. */
START_TEST(kernel_is_full)
{
	struct fixture f = fixture_open();
	const struct net_counters *c = net_worker_counters(f.w);

	kernel.error = EAGAIN;
	for (unsigned i = 0; i < NET_QUEUE + 10; i++)
		send_number(&f, i);
	ck_assert_uint_eq(net_flush(f.w), 1u << NET_SOCK_V4);
	ck_assert_uint_eq(c->sent, 0);
	ck_assert_uint_eq(c->send_dropped, 10);
	ck_assert_uint_eq(c->send_errors, 0);
	kernel.error = 0;
	ck_assert_uint_eq(net_flush(f.w), 0);
	for (unsigned i = 0; i < NET_QUEUE; i++)
		expect_number(&f, i);
	ck_assert_uint_eq(c->sent, NET_QUEUE);
	fixture_close(&f);
}
END_TEST

START_TEST(kernel_is_interrupted)
{
	struct fixture f = fixture_open();

	kernel.error = EINTR;
	kernel.fail_first = 3;
	send_number(&f, 1);
	ck_assert_uint_eq(net_flush(f.w), 0);
	expect_number(&f, 1);
	fixture_close(&f);
}
END_TEST

/* One destination that cannot be reached takes nothing else with it. */
START_TEST(kernel_refuses_one)
{
	struct fixture f = fixture_open();
	struct addr broadcast = support_addr("255.255.255.255", 500);
	struct addr foreign =
		support_addr("192.0.2.77", net_port(f.net)); /* not an address of ours */
	const struct net_counters *c = net_worker_counters(f.w);
	static uint8_t large[65535];

	send_number(&f, 1);
	net_send(f.w, &f.local, &broadcast, bytes_str("EACCES"));
	send_number(&f, 2);
	net_send(f.w, &f.local, &f.client, bytes_of(large, sizeof(large))); /* EMSGSIZE */
	net_send(f.w, &foreign, &f.client, bytes_str("EINVAL"));
	send_number(&f, 3);
	ck_assert_uint_eq(net_flush(f.w), 0);
	for (unsigned i = 1; i <= 3; i++)
		expect_number(&f, i);
	ck_assert_uint_eq(c->sent, 3);
	ck_assert_uint_eq(c->send_errors, 3);
	fixture_close(&f);
}
END_TEST

START_TEST(impossible_is_dropped)
{
	struct net_options o = support_options();
	struct addr v6 = support_loopback(AF_INET6, 500), v4 = support_loopback(AF_INET, 500),
		    none = { 0 };
	const struct net_counters *c;
	struct net *net;

	o.ipv6 = false;
	net = support_open(&o);
	c = net_worker_counters(net_worker(net, 0));
	net_send(net_worker(net, 0), &none, &v6, bytes_str("no socket"));
	ck_assert_uint_eq(c->send_dropped, 1);
	net_send(net_worker(net, 0), &v6, &v4, bytes_str("mixed families"));
	ck_assert_uint_eq(c->send_dropped, 2);
	net_send(net_worker(net, 0), &none, &none, bytes_str("nowhere"));
	ck_assert_uint_eq(c->send_dropped, 3);
	net_close(net);
}
END_TEST

/* A reply goes back the way the request came, and a closed port there does no harm. */
START_TEST(round_trip)
{
	struct fixture f = fixture_open();
	struct addr nobody = f.client, to = support_addr("127.0.0.3", net_port_nat_t(f.net));
	int fd = support_socket("127.0.0.1", &nobody);
	uint8_t packet[SUPPORT_HEADER_MAX];
	const struct datagram *d;
	enum net_sock sock;
	struct net_options o = support_options();
	struct net_worker *w;

	close(fd);
	o.workers = 2;
	for (int i = 0; i < 50; i++) {
		net_send(f.w, &f.local_natt, &nobody, bytes_str("ICMP port unreachable"));
		ck_assert_uint_eq(net_flush(f.w), 0);
		support_sendto(f.fd, &to, packet, support_header(packet, true, (uint64_t)i, 0, 0));
		w = net_worker(f.net, support_wait(f.net, &o, &sock));
		ck_assert_uint_eq(net_receive(w, sock, &d), 1);
		net_send(w, &d->local, &d->remote, d->data);
		ck_assert_uint_eq(net_flush(w), 0);
		expect_packet(f.fd, &to, packet, sizeof(packet));
	}
	fixture_close(&f);
}
END_TEST

TCase *test_send(void)
{
	TCase *tc = tcase_create("send");

	tcase_set_timeout(tc, 30);
	tcase_add_test(tc, source_and_marker);
	tcase_add_test(tc, source_and_marker_v6);
	tcase_add_test(tc, dscp);
	tcase_add_test(tc, many);
	tcase_add_test(tc, large_messages);
	tcase_add_test(tc, kernel_takes_some);
	tcase_add_test(tc, kernel_is_full);
	tcase_add_test(tc, kernel_is_interrupted);
	tcase_add_test(tc, kernel_refuses_one);
	tcase_add_test(tc, impossible_is_dropped);
	tcase_add_test(tc, round_trip);
	return tc;
}
