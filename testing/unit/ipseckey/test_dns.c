/* SPDX-License-Identifier: Apache-2.0 */
#include "ipseckey_test.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop/loop.h"
#include "plugins/ipseckey/dns.h"
#include "util/mem.h"

/* A name server that does as it is told: each question is an event on its thread. */
enum way {
	WAY_GOOD,
	WAY_SILENT,
	WAY_REFUSES,
	WAY_FORGED_FIRST, /* other ids, other questions, a question back; then the answer */
	WAY_CUT,          /* the answer is by TCP */
	WAY_CUT_SILENT,   /* by TCP it does not come */
	WAY_CUT_HUGE,     /* by TCP it has more than is taken */
	WAY_CUT_SHORT,    /* by TCP it ends early */
	WAY_GARBAGE,
	WAY_MANY, /* says that it holds thousands of records */
};

struct server {
	struct addr addr;
	enum way way;
	int udp, tcp, end;
	unsigned asked;
	pthread_t thread;
};

static void put(const struct server *s, const struct sockaddr_storage *to, socklen_t n, struct bytes b)
{
	ck_assert(sendto(s->udp, b.p, b.n, 0, (const struct sockaddr *)to, n) == (ssize_t)b.n);
}

static struct buf answer_to(struct bytes question, bool cut, ldns_pkt_rcode rcode)
{
	ldns_pkt *pkt = NULL;
	struct buf out = { 0 };
	ldns_rr *rr = NULL;
	uint8_t *wire;
	size_t size;

	ck_assert(ldns_wire2pkt(&pkt, question.p, question.n) == LDNS_STATUS_OK);
	ldns_pkt_set_qr(pkt, true);
	ldns_pkt_set_tc(pkt, cut);
	ldns_pkt_set_rcode(pkt, rcode);
	ck_assert(ldns_pkt_cd(pkt) && ldns_pkt_edns_do(pkt) && ldns_pkt_edns_udp_size(pkt) == DNS_UDP_SIZE);
	if (!cut) {
		ldns_rr_new_frm_str(&rr, "moon.test. IN A 10.0.0.1", 300, NULL, NULL);
		ldns_pkt_push_rr(pkt, LDNS_SECTION_ANSWER, rr);
	}
	ck_assert(ldns_pkt2wire(&wire, pkt, &size) == LDNS_STATUS_OK);
	buf_add(&out, wire, size);
	free(wire);
	ldns_pkt_free(pkt);
	return out;
}

static void forge(const struct server *s, const struct sockaddr_storage *to, socklen_t n, struct bytes good)
{
	struct buf b = { 0 };

	for (size_t i = 0; i <= good.n; i++) { /* all truncations, the last one with another id */
		buf_reset(&b);
		buf_add(&b, good.p, i);
		if (i == good.n)
			b.p[0] ^= 1;
		put(s, to, n, buf_bytes(&b));
	}
	buf_reset(&b);
	buf_add(&b, good.p, good.n);
	b.p[2] &= 0x7f; /* a question */
	put(s, to, n, buf_bytes(&b));
	buf_reset(&b);
	buf_add(&b, good.p, good.n);
	b.p[13] ^= 1; /* about another name */
	put(s, to, n, buf_bytes(&b));
	buf_free(&b);
}

static void server_udp(struct server *s)
{
	uint8_t p[4096];
	struct sockaddr_storage from;
	socklen_t n_from = sizeof(from);
	ssize_t n = recvfrom(s->udp, p, sizeof(p), 0, (struct sockaddr *)&from, &n_from);
	struct bytes question = bytes_of(p, n > 0 ? (size_t)n : 0);
	struct buf out = { 0 };

	ck_assert(n > 0);
	s->asked++;
	switch (s->way) {
	case WAY_SILENT:
		return;
	case WAY_GARBAGE:
		memset(p + 2, 0xff, (size_t)n - 2);
		put(s, &from, n_from, question);
		return;
	case WAY_REFUSES:
		out = answer_to(question, false, LDNS_RCODE_REFUSED);
		break;
	case WAY_CUT:
	case WAY_CUT_SILENT:
	case WAY_CUT_HUGE:
	case WAY_CUT_SHORT:
		out = answer_to(question, true, LDNS_RCODE_NOERROR);
		break;
	case WAY_FORGED_FIRST:
		out = answer_to(question, false, LDNS_RCODE_NOERROR);
		forge(s, &from, n_from, buf_bytes(&out));
		break;
	case WAY_MANY:
		out = answer_to(question, false, LDNS_RCODE_NOERROR);
		out.p[6] = 0x10;
		break;
	case WAY_GOOD:
		out = answer_to(question, false, LDNS_RCODE_NOERROR);
		break;
	}
	put(s, &from, n_from, buf_bytes(&out));
	buf_free(&out);
}

static void server_tcp(struct server *s)
{
	int fd = accept(s->tcp, NULL, NULL);
	uint8_t p[4096], length[2];
	struct pollfd end = { .fd = s->end, .events = POLLIN };
	struct buf out;
	ssize_t n;

	ck_assert_int_eq(recv(fd, length, 2, MSG_WAITALL), 2);
	n = recv(fd, p, (size_t)length[0] << 8 | length[1], MSG_WAITALL);
	ck_assert(n > 0);
	out = answer_to(bytes_of(p, (size_t)n), false, LDNS_RCODE_NOERROR);
	length[0] = s->way == WAY_CUT_HUGE ? 0xff : (uint8_t)(out.n >> 8);
	length[1] = (uint8_t)out.n;
	if (s->way == WAY_CUT_SILENT) {
		poll(&end, 1, 5000);
	} else {
		ck_assert_int_eq(send(fd, length, 1, 0), 1); /* in pieces */
		ck_assert_int_eq(send(fd, length + 1, 1, 0), 1);
		(void)!send(fd, out.p, s->way == WAY_CUT_SHORT ? out.n / 2 : out.n, MSG_NOSIGNAL);
	}
	buf_free(&out);
	close(fd);
}

static void *server_run(void *arg)
{
	struct server *s = arg;
	struct pollfd fds[3] = { { s->end, POLLIN, 0 }, { s->udp, POLLIN, 0 }, { s->tcp, POLLIN, 0 } };

	/* what was sent before the end is counted */
	while (poll(fds, 3, -1) > 0 && (fds[1].revents || !fds[0].revents)) {
		if (fds[1].revents)
			server_udp(s);
		else if (fds[2].revents)
			server_tcp(s);
	}
	return NULL;
}

static void server_start(struct server *s, enum way way)
{
	struct sockaddr_storage sa;
	socklen_t n;

	*s = (struct server){ .way = way };
	ck_assert(addr_parse(bytes_str("127.0.0.1"), &s->addr));
	n = addr_to_sockaddr(&s->addr, &sa);
	/* both on one port */
	for (int i = 0; i < 20; i++) {
		s->udp = socket(AF_INET, SOCK_DGRAM, 0);
		s->tcp = socket(AF_INET, SOCK_STREAM, 0);
		s->addr.port = 0;
		addr_to_sockaddr(&s->addr, &sa);
		ck_assert_int_eq(bind(s->udp, (struct sockaddr *)&sa, n), 0);
		ck_assert_int_eq(getsockname(s->udp, (struct sockaddr *)&sa, &n), 0);
		ck_assert(addr_from_sockaddr(&sa, &s->addr));
		if (bind(s->tcp, (struct sockaddr *)&sa, n) == 0)
			break;
		close(s->udp);
		close(s->tcp);
	}
	ck_assert_int_eq(listen(s->tcp, 5), 0);
	s->end = eventfd(0, 0);
	ck_assert_int_eq(pthread_create(&s->thread, NULL, server_run, s), 0);
}

static void server_stop(struct server *s)
{
	eventfd_write(s->end, 1);
	pthread_join(s->thread, NULL);
	close(s->udp);
	close(s->tcp);
	close(s->end);
}

/* ---- tests ---- */

static struct errtext err;

/* The answer about moon.test; ms: the time that there is. */
static ldns_pkt *ask(const struct addr *servers, size_t n, unsigned ms, int cancel_fd)
{
	struct dns_client c = { servers, n, clock_monotonic_ms() + ms, cancel_fd };
	ldns_rdf *name = ldns_dname_new_frm_str("Moon.test.");
	ldns_pkt *pkt;

	err.s[0] = 0;
	pkt = dns_ask(&c, name, LDNS_RR_TYPE_A, &err);
	ldns_rdf_deep_free(name);
	return pkt;
}

static void ck_answer(ldns_pkt *pkt)
{
	ck_assert_msg(pkt != NULL, "%s", err.s);
	ck_assert_uint_eq(ldns_pkt_ancount(pkt), 1);
	ldns_pkt_free(pkt);
}

static const enum way good_ways[] = { WAY_GOOD, WAY_FORGED_FIRST, WAY_CUT };

START_TEST(test_good)
{
	uint64_t begin = clock_monotonic_ms();
	struct server s;

	server_start(&s, good_ways[_i]);
	ck_answer(ask(&s.addr, 1, 20000, -1));
	server_stop(&s);
	/* once, unless our server is so slow that it is asked again */
	if (clock_monotonic_ms() - begin < 500)
		ck_assert_uint_eq(s.asked, 1);
	ck_assert_uint_ge(s.asked, 1);
}
END_TEST

static const enum way bad_ways[] = { WAY_SILENT, WAY_REFUSES, WAY_GARBAGE, WAY_CUT_SILENT, WAY_CUT_HUGE, WAY_CUT_SHORT, WAY_MANY };

/* The time is over, whatever the server does; or the tries are. */
START_TEST(test_bad)
{
	uint64_t begin = clock_monotonic_ms();
	struct server s;

	server_start(&s, bad_ways[_i]);
	ck_assert_ptr_null(ask(&s.addr, 1, 200, -1));
	ck_assert_uint_lt(clock_monotonic_ms() - begin, 5000);
	ck_assert_msg(strstr(err.s, "name server 127.0.0.1") != NULL, "%s", err.s);
	server_stop(&s);
}
END_TEST

/* A server that is of no use is left for the next at once; one that says nothing, later. */
START_TEST(test_next)
{
	struct server s[2];
	struct addr addrs[3];

	server_start(&s[0], _i ? WAY_SILENT : WAY_REFUSES);
	server_start(&s[1], WAY_GOOD);
	addrs[0] = s[0].addr;
	addrs[1] = s[1].addr;
	ck_answer(ask(addrs, 2, 20000, -1));
	server_stop(&s[0]);
	ck_assert_uint_ge(s[0].asked, 1);
	/* nobody is there any more */
	ck_answer(ask(addrs, 2, 20000, -1));
	server_stop(&s[1]);
	ck_assert_ptr_null(ask(addrs, 2, 20000, -1));
}
END_TEST

START_TEST(test_cancel)
{
	uint64_t begin = clock_monotonic_ms();
	struct server s;
	int cancel = eventfd(1, 0);

	server_start(&s, WAY_SILENT);
	ck_assert_ptr_null(ask(&s.addr, 1, 60000, cancel));
	ck_assert_uint_lt(clock_monotonic_ms() - begin, 5000);
	close(cancel);
	server_stop(&s);
}
END_TEST

static const struct {
	const char *text, *first;
	size_t n;
} files[] = {
	{ "nameserver 10.0.0.1\n", "10.0.0.1", 1 },
	{ "# nameserver 10.0.0.9\nsearch test\n nameserver\t2001:db8::1 # it\noptions edns0\nnameserver nonsense\nnameserver 10.0.0.2", "2001:db8::1", 2 },
	{ "", "127.0.0.1", 1 },
	{ "nameserver 10.0.0.1\nnameserver 10.0.0.2\nnameserver 10.0.0.3\nnameserver 10.0.0.4\n", "10.0.0.1", 3 },
};

START_TEST(test_files)
{
	char path[] = "/tmp/bewick-resolv-XXXXXX";
	struct addr servers[DNS_SERVERS];
	int fd = mkstemp(path);
	size_t n = 0;

	ck_assert(write(fd, files[_i].text, strlen(files[_i].text)) >= 0);
	close(fd);
	ck_assert(dns_servers_load(path, servers, &n, &err));
	unlink(path);
	ck_assert_uint_eq(n, files[_i].n);
	ck_assert_str_eq(addr_format(&servers[0]).s, files[_i].first);
	ck_assert_uint_eq(servers[0].port, DNS_PORT);
	ck_assert(!dns_servers_load(path, servers, &n, &err));
	ck_assert_ptr_nonnull(strstr(err.s, "name servers cannot be read from"));
}
END_TEST

TCase *dns_tests(void)
{
	TCase *c = tcase_create("dns");

	tcase_set_timeout(c, 30);
	tcase_add_loop_test(c, test_good, 0, ARRAY_LEN(good_ways));
	tcase_add_loop_test(c, test_bad, 0, ARRAY_LEN(bad_ways));
	tcase_add_loop_test(c, test_next, 0, 2);
	tcase_add_test(c, test_cancel);
	tcase_add_loop_test(c, test_files, 0, ARRAY_LEN(files));
	return c;
}
