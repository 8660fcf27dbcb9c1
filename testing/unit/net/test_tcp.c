/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "net/tcp.h"
#include "net/tcp_frame.h"
#include "proto/iana.h"
#include "proto/limits.h"
#include "support.h"
#include "util/mem.h"

/* The thread of the TCP streams, with real sockets on the loopback. */

#define WAIT_MS 30000

struct got {
	struct addr local, remote;
	bool esp;
	size_t n;
	uint8_t data[256]; /* the beginning */
};

struct fixture {
	struct tcp *tcp;
	uint16_t port;
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t changed;
	struct got *got;
	size_t n_got;
	unsigned reopened;
	uint64_t owner;
	struct addr reopened_from;
	bool esp_is_bad;
};

static struct got *fixture_add(struct fixture *f, const struct addr *local, const struct addr *remote, const void *p, size_t n)
{
	struct got *g;

	f->got = xrealloc(f->got, (f->n_got + 1) * sizeof(*f->got));
	g = &f->got[f->n_got++];
	*g = (struct got){ .local = *local, .remote = *remote, .n = n };
	memcpy(g->data, p, n < sizeof(g->data) ? n : sizeof(g->data));
	pthread_cond_broadcast(&f->changed);
	return g;
}

static bool on_ike(void *arg, const struct addr *local, const struct addr *remote, struct bytes message)
{
	struct fixture *f = arg;

	pthread_mutex_lock(&f->lock);
	fixture_add(f, local, remote, message.p, message.n);
	pthread_mutex_unlock(&f->lock);
	return true;
}

static size_t on_esp(void *arg, const struct addr *local, const struct addr *remote, const struct tcp_packet *list, size_t n)
{
	struct fixture *f = arg;

	pthread_mutex_lock(&f->lock);
	for (size_t i = 0; i < n; i++)
		fixture_add(f, local, remote, list[i].p, list[i].n)->esp = true;
	n = f->esp_is_bad ? 0 : n;
	pthread_mutex_unlock(&f->lock);
	return n;
}

static void on_reopened(void *arg, uint64_t owner, uint32_t stream, const struct addr *local)
{
	struct fixture *f = arg;

	(void)stream;
	pthread_mutex_lock(&f->lock);
	f->reopened++;
	f->owner = owner;
	f->reopened_from = *local;
	pthread_cond_broadcast(&f->changed);
	pthread_mutex_unlock(&f->lock);
}

static uint16_t port_of(int fd)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	struct addr a;

	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	ck_assert(addr_from_sockaddr(&sa, &a));
	return a.port;
}

static int listener(const char *ip)
{
	struct addr a = support_addr(ip, 0);
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&a, &sa);
	int fd = socket(a.family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, len), 0);
	ck_assert_int_eq(listen(fd, 16), 0);
	return fd;
}

static struct fixture *fixture_new(bool listens)
{
	struct fixture *f = xcalloc(1, sizeof(*f));
	struct tcp_user user = { f, on_ike, on_esp, on_reopened };
	struct tcp_options o = { .ipv4 = true, .max_message = 10000 };
	struct errtext err = { "" };

	pthread_mutex_init(&f->lock, NULL);
	pthread_cond_init(&f->changed, NULL);
	if (listens) {
		int fd = listener("127.0.0.1"); /* a port that was free a moment ago */

		o.port = f->port = port_of(fd);
		close(fd);
	}
	ck_assert_msg(result_is_ok(tcp_new(&o, &f->tcp, &err)), "%s", err.s);
	ck_assert_uint_eq(tcp_port(f->tcp), f->port);
	ck_assert_msg(tcp_start(f->tcp, &user, &err), "%s", err.s);
	return f;
}

static void fixture_free(struct fixture *f)
{
	tcp_stop(f->tcp);
	ck_assert_uint_eq(tcp_counters(f->tcp).streams, 0);
	tcp_free(f->tcp);
	pthread_mutex_destroy(&f->lock);
	pthread_cond_destroy(&f->changed);
	free(f->got);
	free(f);
}

/* Waits under the lock until something changes; fails when nothing does. */
static void fixture_wait(struct fixture *f)
{
	struct timespec end;

	clock_gettime(CLOCK_REALTIME, &end);
	end.tv_sec += WAIT_MS / 1000;
	ck_assert_int_eq(pthread_cond_timedwait(&f->changed, &f->lock, &end), 0);
}

static unsigned fixture_reopened(struct fixture *f)
{
	unsigned n;

	pthread_mutex_lock(&f->lock);
	n = f->reopened;
	pthread_mutex_unlock(&f->lock);
	return n;
}

static struct got wait_got(struct fixture *f, size_t i)
{
	struct got g;

	pthread_mutex_lock(&f->lock);
	while (f->n_got <= i)
		fixture_wait(f);
	g = f->got[i];
	pthread_mutex_unlock(&f->lock);
	return g;
}

static int dial(const struct fixture *f)
{
	struct addr a = support_addr("127.0.0.1", f->port);
	struct sockaddr_storage sa;
	socklen_t len = addr_to_sockaddr(&a, &sa);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&sa, len), 0);
	return fd;
}

static void write_all(int fd, const void *p, size_t n)
{
	ck_assert_int_eq(send(fd, p, n, MSG_NOSIGNAL), (ssize_t)n);
}

/* Exactly so many bytes, waiting for them. */
static void read_all(int fd, void *p, size_t n)
{
	struct pollfd pfd = { fd, POLLIN, 0 };

	for (size_t done = 0; done < n;) {
		ssize_t r;

		ck_assert_int_eq(poll(&pfd, 1, WAIT_MS), 1);
		r = recv(fd, (uint8_t *)p + done, n - done, 0);
		ck_assert_int_gt(r, 0);
		done += (size_t)r;
	}
}

static void expect_closed(int fd)
{
	struct pollfd pfd = { fd, POLLIN, 0 };
	uint8_t byte[256];
	ssize_t r;

	do {
		ck_assert_int_eq(poll(&pfd, 1, WAIT_MS), 1);
		r = recv(fd, byte, sizeof(byte), 0);
	} while (r > 0);
	ck_assert(r == 0 || errno == ECONNRESET);
	close(fd);
}

static void wait_counter(struct fixture *f, uint64_t (*get)(const struct tcp_counters *), uint64_t least)
{
	for (int i = 0; i < WAIT_MS; i++) {
		struct tcp_counters c = tcp_counters(f->tcp);

		if ((int64_t)(get(&c) - least) >= 0)
			return;
		(void)poll(NULL, 0, 1);
	}
	ck_abort_msg("a counter stays below %llu", (unsigned long long)least);
}

static uint64_t get_refused(const struct tcp_counters *c)
{
	return c->refused;
}

static uint64_t get_broken(const struct tcp_counters *c)
{
	return c->broken;
}

static uint64_t get_gone(const struct tcp_counters *c)
{
	return c->esp_out + c->dropped_out;
}

static uint64_t get_dropped_out(const struct tcp_counters *c)
{
	return c->dropped_out;
}

/* An IKE message with its frame; returns its length. */
static size_t ike_frame(uint8_t *out, uint8_t mark)
{
	memset(out, 0, 34);
	out[1] = 34;
	memset(out + 6, mark, 16);
	return 34;
}

/* Messages, however cut, come in order and whole; answers go back without a prefix. _i: bytes per write */
START_TEST(accepts)
{
	struct fixture *f = fixture_new(true);
	int fd = dial(f), step = _i;
	uint8_t data[200];
	size_t n = 0;
	struct got g;

	memcpy(data, TCP_PREFIX, 6);
	n = 6;
	n += ike_frame(data + n, 1);
	memcpy(data + n, "\0\3\xff\0\2\0\12\0\0\1\0\0\0\0\7", 15); /* keepalive, empty, ESP */
	n += 15;
	n += ike_frame(data + n, 2);
	for (size_t at = 0; at < n; at += (size_t)step)
		write_all(fd, data + at, n - at < (size_t)step ? n - at : (size_t)step);
	g = wait_got(f, 0);
	ck_assert(!g.esp && g.n == 28 && g.data[0] == 1);
	ck_assert_uint_eq(g.local.port, f->port);
	ck_assert_uint_eq(g.remote.port, port_of(fd));
	ck_assert_uint_ne(g.remote.stream, 0);
	g = wait_got(f, 1);
	ck_assert(g.esp && g.n == 8 && g.data[7] == 7);
	g = wait_got(f, 2);
	ck_assert(!g.esp && g.data[0] == 2);
	tcp_send_ike(f->tcp, g.remote.stream, bytes_of(g.data, g.n));
	ck_assert_uint_eq(tcp_send_esp(f->tcp, g.remote.stream, &(struct bytes){ (const uint8_t *)"\0\0\1\0\0\0\0\11", 8 }, 1), 1);
	read_all(fd, data, 34 + 10);
	ck_assert_int_eq(memcmp(data, "\0\x22\0\0\0\0\2\2", 8), 0);
	ck_assert_int_eq(memcmp(data + 34, "\0\12\0\0\1\0\0\0\0\11", 10), 0);
	/* what is sent to a stream that is not there is like a lost datagram */
	tcp_send_ike(f->tcp, g.remote.stream + 1000, bytes_of(g.data, g.n));
	wait_counter(f, get_dropped_out, 1);
	close(fd);
	fixture_free(f);
}
END_TEST

/* What is left of a message waits for the rest, cut at each byte: each piece ends one message and begins the next. */
START_TEST(halves)
{
	struct fixture *f = fixture_new(true);
	uint8_t frame[34], piece[80] = TCP_PREFIX;
	size_t n = TCP_PREFIX_LEN;
	int fd = dial(f);

	for (size_t cut = 0; cut < sizeof(frame); cut++) {
		struct got g;

		ike_frame(frame, (uint8_t)cut);
		memcpy(piece + n, frame + (cut ? cut : 0), sizeof(frame) - cut);
		n += sizeof(frame) - cut;
		ike_frame(frame, (uint8_t)(cut + 1));
		memcpy(piece + n, frame, cut + 1);
		n += cut + 1;
		write_all(fd, piece, n);
		n = 0;
		g = wait_got(f, cut);
		ck_assert(g.n == 28 && g.data[0] == cut && g.data[15] == cut);
	}
	close(fd);
	fixture_free(f);
}
END_TEST

static const struct {
	const char *data;
	size_t n;
} broken[] = {
	{ "GET / HTTP/1.1", 14 }, { "IKETCPX\0", 8 }, { "IKETCP\0\0", 8 }, { "IKETCP\0\1", 8 }, { "\0", 1 }, { "IKETCP\xff\xff", 8 },
};

START_TEST(closes_what_is_broken)
{
	struct fixture *f = fixture_new(true);
	int fd = dial(f);

	write_all(fd, broken[_i].data, broken[_i].n);
	expect_closed(fd);
	wait_counter(f, get_broken, 1); /* for a reason, not because the time is over */
	ck_assert_uint_eq(f->n_got, 0);
	fixture_free(f);
}
END_TEST

/* A held stream may carry the longest message; too many that are nothing end it (RFC 9329, 6.1) */
START_TEST(corrupted)
{
	struct fixture *f = fixture_new(true);
	uint8_t frame[34], *large = xcalloc(1, 65535);
	int fd = dial(f);
	struct got g;

	pthread_mutex_lock(&f->lock);
	f->esp_is_bad = true;
	pthread_mutex_unlock(&f->lock);
	ike_frame(frame, 1);
	write_all(fd, TCP_PREFIX, 6);
	write_all(fd, frame, 34);
	g = wait_got(f, 0);
	tcp_hold(f->tcp, g.remote.stream, 1);
	tcp_send_ike(f->tcp, g.remote.stream, bytes_of(g.data, 28));
	read_all(fd, frame, 34); /* so the hold was seen */
	memset(large, 0xff, 2);
	memset(large + 2, 1, 4);
	write_all(fd, large, 65535);
	g = wait_got(f, 1);
	ck_assert(g.esp && g.n == 65533);
	for (unsigned i = 1; i < LIMIT_STREAM_BAD; i++)
		write_all(fd, "\0\12\0\0\1\0\0\0\0\7", 10);
	expect_closed(fd);
	free(large);
	fixture_free(f);
}
END_TEST

/* One address may have so many connections that nobody uses, and more that an SA uses */
START_TEST(flood)
{
	struct fixture *f = fixture_new(true);
	int fds[LIMIT_STREAMS_SOURCE_WAITING], fd;
	uint8_t frame[34];
	struct got g;

	ike_frame(frame, 1);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++) {
		fds[i] = dial(f);
		write_all(fds[i], TCP_PREFIX, 6);
		write_all(fds[i], frame, 34);
		(void)wait_got(f, i);
	}
	for (unsigned i = 0; i < 100; i++)
		expect_closed(dial(f));
	wait_counter(f, get_refused, 100);
	ck_assert_uint_eq(tcp_counters(f->tcp).streams, ARRAY_LEN(fds));
	g = wait_got(f, 0);
	tcp_hold(f->tcp, g.remote.stream, 1);
	tcp_send_ike(f->tcp, g.remote.stream, bytes_of(g.data, 28));
	read_all(fds[0], frame, 34);
	fd = dial(f);
	write_all(fd, TCP_PREFIX, 6);
	ike_frame(frame, 2);
	write_all(fd, frame, 34);
	ck_assert_uint_eq(wait_got(f, ARRAY_LEN(fds)).data[0], 2);
	close(fd);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		close(fds[i]);
	fixture_free(f);
}
END_TEST

/* A peer that does not read costs so much memory, and no more */
START_TEST(peer_does_not_read)
{
	struct fixture *f = fixture_new(true);
	uint8_t frame[34], esp[1400] = { 0, 0, 1 };
	struct bytes packets[64];
	int fd = dial(f);
	struct got g;

	ike_frame(frame, 1);
	write_all(fd, TCP_PREFIX, 6);
	write_all(fd, frame, 34);
	g = wait_got(f, 0);
	for (size_t i = 0; i < ARRAY_LEN(packets); i++)
		packets[i] = bytes_of(esp, sizeof(esp));
	/* what is neither written nor dropped waits, and that is little */
	for (unsigned i = 1; i <= 200; i++) {
		ck_assert_uint_eq(tcp_send_esp(f->tcp, g.remote.stream, packets, ARRAY_LEN(packets)), ARRAY_LEN(packets));
		wait_counter(f, get_gone, i * ARRAY_LEN(packets) - LIMIT_STREAM_ESP / sizeof(esp));
	}
	wait_counter(f, get_dropped_out, 1000);
	close(fd);
	fixture_free(f);
}
END_TEST

static int take(int listen_fd)
{
	struct pollfd pfd = { listen_fd, POLLIN, 0 };
	int fd;

	ck_assert_int_eq(poll(&pfd, 1, WAIT_MS), 1);
	fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	ck_assert_int_ge(fd, 0);
	return fd;
}

/* Ours: the prefix first; made again when it breaks; closed when nobody uses it any more */
START_TEST(connects)
{
	struct fixture *f = fixture_new(false);
	int listen_fd = listener("127.0.0.1"), fd;
	struct addr remote = support_addr("127.0.0.1", port_of(listen_fd)), local = { 0 };
	uint8_t message[28] = { 9 }, data[64];
	uint32_t stream;

	ck_assert(tcp_connect(f->tcp, &local, false, &remote, &stream));
	ck_assert(stream && local.port);
	tcp_hold(f->tcp, stream, 42);
	tcp_send_ike(f->tcp, stream, bytes_of(message, sizeof(message)));
	fd = take(listen_fd);
	read_all(fd, data, 6 + 34);
	ck_assert_int_eq(memcmp(data, "IKETCP\0\x22\0\0\0\0\11", 13), 0);
	write_all(fd, data + 6, 34);
	ck_assert(wait_got(f, 0).remote.stream == stream);
	ck_assert_uint_eq(fixture_reopened(f), 0);
	close(fd);
	fd = take(listen_fd);
	read_all(fd, data, 6);
	ck_assert_int_eq(memcmp(data, TCP_PREFIX, 6), 0);
	pthread_mutex_lock(&f->lock);
	while (!f->reopened)
		fixture_wait(f);
	ck_assert_uint_eq(f->owner, 42);
	ck_assert_uint_ne(f->reopened_from.port, 0);
	pthread_mutex_unlock(&f->lock);
	/* by order, too */
	tcp_reconnect(f->tcp, stream);
	expect_closed(fd);
	fd = take(listen_fd);
	read_all(fd, data, 6);
	/* what was said before is still sent */
	tcp_send_ike(f->tcp, stream, bytes_of(message, sizeof(message)));
	tcp_release(f->tcp, stream);
	read_all(fd, data, 34);
	expect_closed(fd);
	close(listen_fd);
	fixture_free(f);
}
END_TEST

/* Nobody listens: it is tried again, and the number is good until it is given up */
START_TEST(connects_in_vain)
{
	struct fixture *f = fixture_new(false);
	int listen_fd = listener("127.0.0.1"), fd;
	struct addr remote = support_addr("127.0.0.1", port_of(listen_fd)), local = support_addr("127.0.0.1", 0);
	struct sockaddr_storage sa;
	uint32_t stream;
	uint8_t data[6];
	socklen_t len;

	close(listen_fd);
	ck_assert(tcp_connect(f->tcp, &local, true, &remote, &stream));
	tcp_hold(f->tcp, stream, 1);
	for (int i = 0; i < WAIT_MS && tcp_counters(f->tcp).broken == 0; i++)
		(void)poll(NULL, 0, 1);
	listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	len = addr_to_sockaddr(&remote, &sa);
	ck_assert_int_eq(setsockopt(listen_fd, SOL_SOCKET, SO_REUSEADDR, &(int){ 1 }, sizeof(int)), 0);
	ck_assert_int_eq(bind(listen_fd, (struct sockaddr *)&sa, len), 0);
	ck_assert_int_eq(listen(listen_fd, 1), 0);
	fd = take(listen_fd);
	read_all(fd, data, 6);
	/* what was to go out when it failed is lost, and has to be sent again */
	pthread_mutex_lock(&f->lock);
	while (!f->reopened)
		fixture_wait(f);
	pthread_mutex_unlock(&f->lock);
	close(fd);
	close(listen_fd);
	fixture_free(f);
}
END_TEST

/* A port that another program has is said by name */
START_TEST(port_in_use)
{
	int fd = listener("0.0.0.0");
	struct tcp_options o = { .port = port_of(fd), .ipv4 = true };
	struct errtext err = { "" };
	struct tcp *tcp = NULL;

	ck_assert(!result_is_ok(tcp_new(&o, &tcp, &err)));
	ck_assert_ptr_nonnull(strstr(err.s, "is in use by another program; stop it or set bewickd.tcp_port"));
	close(fd);
}
END_TEST

/* Without descriptors it is not made, and nothing of it is left; with 0 there is none, with 1 to 3 the next part has none. */
START_TEST(no_descriptors)
{
	struct tcp_options o = { .ipv4 = true };
	struct errtext err = { "" };
	struct tcp *tcp = NULL;
	struct rlimit before, none;
	int next = dup(2);

	ck_assert_int_ge(next, 0);
	close(next);
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	none = (struct rlimit){ (rlim_t)next + (rlim_t)_i, before.rlim_max };
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert(!result_is_ok(tcp_new(&o, &tcp, &err)));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
	ck_assert_ptr_nonnull(strstr(err.s, strerror(EMFILE)));
	ck_assert_int_eq(dup(2), next);
	close(next);
}
END_TEST

TCase *test_tcp(void)
{
	TCase *t = tcase_create("tcp");

	tcase_add_loop_test(t, accepts, 1, 3);
	tcase_add_loop_test(t, accepts, 40, 42);
	tcase_add_loop_test(t, accepts, 200, 201);
	tcase_add_test(t, halves);
	tcase_add_loop_test(t, closes_what_is_broken, 0, ARRAY_LEN(broken));
	tcase_add_test(t, corrupted);
	tcase_add_test(t, flood);
	tcase_add_test(t, peer_does_not_read);
	tcase_add_test(t, connects);
	tcase_add_test(t, connects_in_vain);
	tcase_add_test(t, port_in_use);
	tcase_add_loop_test(t, no_descriptors, 0, 3);
	tcase_set_timeout(t, 90);
	return t;
}
