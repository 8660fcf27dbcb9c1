/* SPDX-License-Identifier: Apache-2.0 */
#include "support.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "proto/iana.h"
#include "util/writer.h"

#define WAIT_MS 10000
#define MAX_FDS 256

struct net_options support_options(void)
{
	struct net_options o = net_options_default();

	o.port = o.port_nat_t = 0;
	o.workers = 4;
	o.rcvbuf = 1 << 18;
	o.steer_secret = 0x0123456789abcdef;
	return o;
}

struct net *support_open(const struct net_options *options)
{
	struct errtext err = { "" };
	struct net *net = NULL;

	ck_assert_msg(result_is_ok(net_open(options, &net, &err)), "%s", err.s);
	return net;
}

bool support_has_family(const struct net *net, int family)
{
	struct addr a = support_loopback(family, 0);
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&a, &sa);
	int fd = socket(family, SOCK_DGRAM, 0);
	bool ok = net_has_family(net, family) && fd >= 0 &&
		  bind(fd, (struct sockaddr *)&sa, len) == 0;

	if (fd >= 0)
		close(fd);
	if (!ok)
		fprintf(stderr, "# no %s here: not tested\n", addr_format(&a).s);
	return ok;
}

struct addr support_addr(const char *ip, uint16_t port)
{
	struct addr a;

	ck_assert(addr_parse(bytes_str(ip), &a));
	a.port = port;
	return a;
}

struct addr support_loopback(int family, uint16_t port)
{
	return support_addr(family == AF_INET ? "127.0.0.1" : "::1", port);
}

int support_socket(const char *ip, struct addr *ret_addr)
{
	struct addr a = support_addr(ip, 0);
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&a, &sa);
	int fd = socket(a.family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, len), 0);
	len = sizeof(sa);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	ck_assert(addr_from_sockaddr(&sa, ret_addr));
	return fd;
}

void support_sendto(int fd, const struct addr *to, const void *p, size_t n)
{
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(to, &sa);

	ck_assert_int_eq(sendto(fd, p, n, 0, (struct sockaddr *)&sa, len), (ssize_t)n);
}

size_t support_recv(int fd, void *p, size_t n, struct addr *ret_from)
{
	struct pollfd pfd = { fd, POLLIN, 0 };
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	ssize_t got;

	ck_assert_int_eq(poll(&pfd, 1, WAIT_MS), 1);
	got = recvfrom(fd, p, n, 0, (struct sockaddr *)&sa, &len);
	ck_assert_int_ge(got, 0);
	ck_assert(addr_from_sockaddr(&sa, ret_from));
	return (size_t)got;
}

size_t support_header(uint8_t *out, bool natt, uint64_t spi_i, uint64_t spi_r, uint8_t flags)
{
	struct writer w = writer_of(out, SUPPORT_HEADER_MAX);

	if (natt)
		writer_u32(&w, 0);
	writer_u64(&w, spi_i);
	writer_u64(&w, spi_r);
	writer_u8(&w, PAYLOAD_SA);
	writer_u8(&w, IKE_VERSION);
	writer_u8(&w, EXCHANGE_IKE_SA_INIT);
	writer_u8(&w, flags);
	writer_u32(&w, 0);
	writer_u32(&w, IKE_HEADER_LEN);
	ck_assert(writer_ok(&w));
	return w.n;
}

unsigned support_wait(struct net *net, const struct net_options *options, enum net_sock *ret_sock)
{
	struct pollfd pfds[MAX_FDS];
	unsigned index[MAX_FDS], n = 0;
	enum net_sock sock[MAX_FDS];
	unsigned total = options->workers + options->esp_sockets;

	ck_assert_uint_le(total * NET_SOCKS, MAX_FDS);
	for (unsigned i = 0; i < total; i++) {
		int fds[NET_SOCKS] = { -1, -1, -1, -1 };

		if (i < options->workers) {
			net_worker_fds(net_worker(net, i), fds);
		} else {
			fds[NET_SOCK_V4_NATT] = net_esp_fd(net, AF_INET, i - options->workers);
			fds[NET_SOCK_V6_NATT] = net_esp_fd(net, AF_INET6, i - options->workers);
		}
		for (enum net_sock s = 0; s < NET_SOCKS; s++) {
			pfds[n] = (struct pollfd){ fds[s], POLLIN, 0 };
			index[n] = i;
			sock[n++] = s;
		}
	}
	ck_assert_int_eq(poll(pfds, n, WAIT_MS), 1);
	for (unsigned i = 0; i < n; i++)
		if (pfds[i].fd >= 0 && pfds[i].revents & POLLIN) {
			*ret_sock = sock[i];
			return index[i];
		}
	ck_abort_msg("nothing to read");
}

size_t support_receive(struct net_worker *w, enum net_sock sock, const struct datagram **ret_list)
{
	int fds[NET_SOCKS];
	struct pollfd pfd = { .events = POLLIN };

	net_worker_fds(w, fds);
	pfd.fd = fds[sock];
	ck_assert_int_eq(poll(&pfd, 1, WAIT_MS), 1);
	return net_receive(w, sock, ret_list);
}

uint64_t support_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state * 0x2545f4914f6cdd1d;
}

void support_random_bytes(void *state, void *out, size_t n)
{
	uint8_t *p = out;

	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)(support_random(state) >> 32);
}
