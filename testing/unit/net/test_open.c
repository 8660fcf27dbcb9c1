/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support.h"
#include "util/mem.h"

/* A socket of "another program" on a port of the wildcard or one address. */
static int squatter(const char *ip, bool reuseport, uint16_t *ret_port)
{
	struct addr a = support_addr(ip, 0);
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&a, &sa);
	int fd = socket(a.family, SOCK_DGRAM, 0), on = 1;

	ck_assert_int_ge(fd, 0);
	if (reuseport)
		ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, len), 0);
	len = sizeof(sa);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	ck_assert(addr_from_sockaddr(&sa, &a));
	*ret_port = a.port;
	return fd;
}

static void expect_refused(const struct net_options *o, const char *text)
{
	struct errtext err = { "" };
	struct net *net = NULL;

	ck_assert(!result_is_ok(net_open(o, &net, &err)));
	ck_assert_ptr_null(net);
	ck_assert_msg(strstr(err.s, text) != NULL, "'%s' lacks '%s'", err.s, text);
}

static void expect_in_use(const char *ip, bool reuseport, bool natt, const char *family)
{
	struct net_options o = support_options();
	uint16_t port;
	int fd = squatter(ip, reuseport, &port);
	char *text = xasprintf(
		"UDP port %u is in use by another program (%s); stop it or set bewickd.%s", port,
		family, natt ? "port_nat_t" : "port");

	*(natt ? &o.port_nat_t : &o.port) = port;
	expect_refused(&o, text);
	free(text);
	close(fd);
	net_close(support_open(&o));
}

START_TEST(port_in_use)
{
	expect_in_use("0.0.0.0", false, false, "udp4");
	expect_in_use("0.0.0.0", false, true, "udp4");
	expect_in_use("127.0.0.1", false, false, "udp4");
}
END_TEST

/* SO_REUSEPORT must not let two programs of one user share the packets. */
START_TEST(port_in_use_with_reuseport)
{
	expect_in_use("0.0.0.0", true, false, "udp4");
	expect_in_use("0.0.0.0", true, true, "udp4");
}
END_TEST

START_TEST(port_in_use_v6)
{
	struct net_options o = support_options();
	struct net *net = support_open(&o);
	bool v6 = support_has_family(net, AF_INET6);

	net_close(net);
	if (v6)
		expect_in_use("::1", true, false, "udp6");
}
END_TEST

START_TEST(second_net_is_refused)
{
	struct net_options o = support_options();
	struct net *net = support_open(&o);

	o.port = net_port(net);
	expect_refused(&o, "is in use by another program (udp4)");
	net_close(net);
	net_close(support_open(&o));
}
END_TEST

START_TEST(random_ports)
{
	struct net_options o = support_options();
	struct net *net = support_open(&o);
	struct addr client, to;
	int fd = support_socket("127.0.0.1", &client);
	uint8_t packet[SUPPORT_HEADER_MAX];
	enum net_sock sock;

	ck_assert_uint_ne(net_port(net), 0);
	ck_assert_uint_ne(net_port_nat_t(net), 0);
	ck_assert_uint_ne(net_port(net), net_port_nat_t(net));
	to = support_loopback(AF_INET, net_port(net));
	support_sendto(fd, &to, packet, support_header(packet, false, 1, 0, 0));
	(void)support_wait(net, &o, &sock);
	ck_assert_uint_eq(sock, NET_SOCK_V4);
	close(fd);
	net_close(net);
}
END_TEST

START_TEST(one_family)
{
	struct net_options o = support_options();
	struct net *net;
	int fds[NET_SOCKS];

	o.ipv6 = false;
	o.esp_sockets = 1;
	net = support_open(&o);
	ck_assert(net_has_family(net, AF_INET));
	ck_assert(!net_has_family(net, AF_INET6));
	net_worker_fds(net_worker(net, 0), fds);
	ck_assert_int_ge(fds[NET_SOCK_V4], 0);
	ck_assert_int_ge(fds[NET_SOCK_V4_NATT], 0);
	ck_assert_int_eq(fds[NET_SOCK_V6], -1);
	ck_assert_int_eq(fds[NET_SOCK_V6_NATT], -1);
	ck_assert_int_ge(net_esp_fd(net, AF_INET, 0), 0);
	ck_assert_int_eq(net_esp_fd(net, AF_INET, 1), -1);
	ck_assert_int_eq(net_esp_fd(net, AF_INET6, 0), -1);
	ck_assert_ptr_null(net_worker(net, o.workers));
	net_close(net);
}
END_TEST

START_TEST(options_refused)
{
	struct net_options o = support_options();

	o.workers = 0;
	expect_refused(&o, "workers");
	o = support_options();
	o.workers = NET_MAX_WORKERS + 1;
	expect_refused(&o, "workers");
	o = support_options();
	o.esp_sockets = NET_MAX_ESP_SOCKETS + 1;
	expect_refused(&o, "ESP sockets");
	o = support_options();
	o.esp_sockets = 1;
	o.steer = false;
	expect_refused(&o, "steering");
	o = support_options();
	o.port = o.port_nat_t = 20500;
	expect_refused(&o, "are the same");
	o = support_options();
	o.max_packet = 31;
	expect_refused(&o, "max_packet");
	o = support_options();
	o.max_packet = 65536;
	expect_refused(&o, "max_packet");
	o = support_options();
	o.rcvbuf = -1;
	expect_refused(&o, "receive buffer");
	o = support_options();
	o.ipv4 = o.ipv6 = false;
	expect_refused(&o, "both IPv4 and IPv6 are off");
}
END_TEST

/* Runs in a child of libcheck, so that the lost rights are lost there only. */
START_TEST(low_port_without_rights)
{
	struct net_options o = support_options();
	FILE *f = fopen("/proc/sys/net/ipv4/ip_unprivileged_port_start", "r");
	int first = 1024;

	if (f) {
		(void)!fscanf(f, "%d", &first);
		fclose(f);
	}
	if (first <= 499) {
		fprintf(stderr, "# anyone may bind port 499 here: not tested\n");
		return;
	}
	if (geteuid() == 0 && setresuid(65534, 65534, 65534) != 0)
		ck_abort_msg("cannot give up root");
	o.port = 499;
	expect_refused(&o, "may not bind UDP port 499 (udp4): ports below 1024 need root or "
			   "CAP_NET_BIND_SERVICE");
}
END_TEST

START_TEST(receive_buffer_is_set)
{
	struct net_options o = support_options();
	struct net *net;
	int fds[NET_SOCKS], value = 0;
	socklen_t len = sizeof(value);

	o.rcvbuf = 100000;
	net = support_open(&o);
	net_worker_fds(net_worker(net, 1), fds);
	ck_assert_int_eq(getsockopt(fds[NET_SOCK_V4_NATT], SOL_SOCKET, SO_RCVBUF, &value, &len), 0);
	ck_assert_int_eq(value, 200000); /* the kernel doubles it: socket(7) */
	net_close(net);
}
END_TEST

START_TEST(source_address)
{
	struct net_options o = support_options();
	struct net *net = support_open(&o);
	struct addr to = support_addr("127.0.0.9", 0), from, want = support_addr("127.0.0.1", 0);

	ck_assert(result_is_ok(net_source_address(net, &to, &from)));
	ck_assert(addr_equal(&from, &want));
	if (support_has_family(net, AF_INET6)) {
		to = want = support_loopback(AF_INET6, 0);
		to.port = 4500;
		ck_assert(result_is_ok(net_source_address(net, &to, &from)));
		ck_assert(addr_equal(&from, &want));
	}
	to = (struct addr){ 0 };
	ck_assert(!result_is_ok(net_source_address(net, &to, &from)));
	/* broadcast is no peer: the system refuses to connect to it */
	to = support_addr("255.255.255.255", 500);
	ck_assert(!result_is_ok(net_source_address(net, &to, &from)));
	net_close(net);
}
END_TEST

TCase *test_open(void)
{
	TCase *tc = tcase_create("open");

	tcase_add_test(tc, port_in_use);
	tcase_add_test(tc, port_in_use_with_reuseport);
	tcase_add_test(tc, port_in_use_v6);
	tcase_add_test(tc, second_net_is_refused);
	tcase_add_test(tc, random_ports);
	tcase_add_test(tc, one_family);
	tcase_add_test(tc, options_refused);
	tcase_add_test(tc, low_port_without_rights);
	tcase_add_test(tc, receive_buffer_is_set);
	tcase_add_test(tc, source_address);
	return tc;
}
