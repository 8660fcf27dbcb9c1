/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "net/tcp.h"
#include "side.h"
#include "wire/builder.h"

/* RFC 9329 with whole pools of workers: the streams of one address go to the worker of each IKE_SA, and back. */

/* One that is free for a moment. */
static uint16_t free_port(void)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t len = sizeof(sa);

	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&sa, len), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&sa, &len), 0);
	close(fd);
	return ntohs(sa.sin_port);
}

static void pair_start(struct side *a, struct side *b)
{
	struct side_setup caller = { .workers = 2, .tcp = true };
	/* RFC 9329 6.3 SHOULD NOT: cookies; over UDP the second one would be asked for one */
	struct side_setup called = { .workers = 3, .tcp = true, .tcp_port = free_port(), .cookie_threshold = 1 };
	char conf[4096];

	side_start(b, &called, SIDE_B, 0);
	ck_assert_int_lt(snprintf(conf, sizeof(conf), SIDE_A_WITH("unique = never\n tcp = yes\n remote_tcp_port = %u"), 9,
				  called.tcp_port), (int)sizeof(conf));
	side_start(a, &caller, conf, 0);
}

static void wait_no_streams(const struct side *s)
{
	for (int i = 0; i < SIDE_WAIT_MS; i++) {
		if (tcp_counters(net_tcp(s->net)).streams == 0)
			return;
		(void)poll(NULL, 0, 1);
	}
	ck_abort_msg("streams are left");
}

START_TEST(many)
{
	struct side a, b;

	pair_start(&a, &b);
	side_up(&a, "load", "net", 60);
	ck_assert_uint_eq(side_list(&b, NULL).established, 60);
	ck_assert_uint_eq(side_list(&b, NULL).children, 60);
	ck_assert_uint_eq(tcp_counters(net_tcp(b.net)).streams, 60);
	/* one request each, and no cookie */
	ck_assert_uint_eq(side_stats(&a).counters[SA_COUNTER_INIT_OUT_REQ], 60);
	ck_assert_uint_eq(side_stats(&a).net_sent, 0);
	ck_assert_uint_eq(side_terminate(&a, NULL, false), 60);
	wait_no_streams(&a);
	side_stop(&a, 2000);
	wait_no_streams(&b);
	side_stop(&b, 2000);
}
END_TEST

/* The end of a side: its Deletes go out over TCP before that is closed. */
START_TEST(stopped)
{
	struct side a, b;

	pair_start(&a, &b);
	workers_want_events(b.w, 1u << SA_EVENT_IKE_DOWN);
	side_up(&a, "load", "net", 5);
	side_stop(&a, 2000);
	side_events(&b, SA_EVENT_IKE_DOWN, 5);
	side_stop(&b, 2000);
}
END_TEST

/* All connections break at once, and all IKE_SAs go on. */
START_TEST(broken)
{
	struct side a, b;
	uint64_t accepted;

	pair_start(&a, &b);
	side_up(&a, "load", "net", 20);
	accepted = tcp_counters(net_tcp(b.net)).accepted;
	for (uint32_t stream = 1; stream <= 20; stream++)
		tcp_reconnect(net_tcp(a.net), stream);
	for (int i = 0; i < SIDE_WAIT_MS && tcp_counters(net_tcp(b.net)).accepted < accepted + 20; i++)
		(void)poll(NULL, 0, 1);
	ck_assert_uint_eq(tcp_counters(net_tcp(b.net)).accepted, accepted + 20);
	ck_assert_uint_eq(side_terminate(&b, NULL, false), 20);
	ck_assert_uint_eq(side_list(&a, NULL).established, 0);
	wait_no_streams(&a);
	side_stop(&a, 2000);
	side_stop(&b, 2000);
}
END_TEST

TCase *test_streams(void)
{
	TCase *t = tcase_create("streams");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, many);
	tcase_add_test(t, stopped);
	tcase_add_test(t, broken);
	return t;
}
