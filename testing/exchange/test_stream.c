/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "confs.h"
#include "lab.h"
#include "sa/stream.h"
#include "suites.h"

/* RFC 9329: IKE over TCP. A stream of the lab is a number that both ends know. */

#define CONF_TCP(HOW) CONF_A_WITH(CONF_IKE "\n tcp = " HOW, CHILD_A("one", "1", ESP) CHILD_A("two", "2", ESP))

static struct lab *stream_up(void)
{
	struct lab *lab = lab_new(CONF_TCP("yes"), CONF_B);

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 1);
	lab_check(lab);
	return lab;
}

/* The connection is another one: for b a new stream from another port. */
static struct addr stream_new(struct lab *lab, uint32_t number)
{
	struct addr from = lab_sa(&lab->a)->local;

	from.port = (uint16_t)(50000 + number);
	from.stream = number;
	return from;
}

/* All that is under way to b comes over the new stream. */
static void stream_renumber(struct lab *lab, uint32_t number)
{
	for (size_t i = 0; i < lab->n_packets; i++)
		if (lab->packets[i].to == &lab->b)
			lab->packets[i].remote = stream_new(lab, number);
}

/* MOBIKE is for UDP: nobody speaks of it */
static void stream_no_mobike(struct lab *lab)
{
	struct arena arena = { 0 };
	struct payload_list in;
	struct ike_header h;

	lab_peek(lab, 0, &arena, &h, &in);
	ck_assert_ptr_null(payload_notify(&in, NOTIFY_MOBIKE_SUPPORTED));
	arena_free(&arena);
}

/* tcp = yes: to the peer's port, from the stream's, nothing in UDP; NAT detection sees the TCP ports (6.5) */
START_TEST(all_over_tcp)
{
	struct lab *lab = lab_new(CONF_A_WITH(CONF_IKE "\n tcp = yes\n remote_tcp_port = 443", CHILD_A("one", "1", ESP)), CONF_B);

	lab_initiate(&lab->a, "one");
	while (lab->n_packets) {
		stream_no_mobike(lab);
		for (size_t i = 0; i < lab->n_packets; i++)
			ck_assert_uint_eq(lab->packets[i].remote.stream, 1);
		lab_deliver(lab);
	}
	ck_assert_uint_eq(lab_sa(&lab->a)->remote.port, 443);
	ck_assert_uint_eq(lab_sa(&lab->a)->local.port, lab_sa(&lab->b)->remote.port);
	ck_assert(!lab_sa(&lab->a)->nat_local && !lab_sa(&lab->b)->nat_remote);
	ck_assert(!lab_sa(&lab->a)->mobike && !lab_sa(&lab->b)->mobike);
	ck_assert_uint_eq(lab->a.streams[1], 1);
	ck_assert_uint_eq(lab->b.streams[1], 1);
	lab_check(lab);
	lab_free(lab);
}
END_TEST

/* Port 500 over TCP is no reason to go to the NAT-T port */
START_TEST(no_float)
{
	struct lab *lab = lab_new(CONF_A_WITH(CONF_IKE "\n tcp = yes\n encap = yes\n remote_tcp_port = 500", CHILD_A("one", "1", ESP)),
				  CONF_B);

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->remote.port, 500);
	lab_free(lab);
}
END_TEST

/* RFC 9329 5.1: UDP first, at least one repeat, then a new exchange over TCP in the same attempt */
START_TEST(falls_back)
{
	struct lab *lab = lab_new(CONF_TCP("fallback"), CONF_B);
	uint64_t request = lab_initiate(&lab->a, "one"), spi = lab->a.sas[0]->spi_i;
	unsigned sent = 0;

	while (lab->n_packets && !lab->packets[0].remote.stream) {
		lab_drop(lab);
		sent++;
		while (!lab->n_packets && !lab->a.requests[request].done)
			lab_advance(lab, 100);
	}
	ck_assert_uint_eq(sent, 2);
	ck_assert(lab_sa(&lab->a)->spi_i != spi);
	ck_assert_uint_eq(lab_sa(&lab->a)->setup->attempt, 1);
	lab_run(lab);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 1);
	lab_check(lab);
	lab_free(lab);
}
END_TEST

/* Neither way is there: the attempt ends; the next one begins with UDP again. _i: keyingtries - 1 */
START_TEST(falls_back_in_vain)
{
	struct lab *lab = lab_new(CONF_A_WITH(CONF_IKE "\n tcp = fallback\n keyingtries = 2", CHILD_A("one", "1", ESP)), CONF_B);
	uint64_t request = lab_initiate(&lab->a, "one");
	unsigned udp = 0, tcp = 0, turns = 0;
	bool last = true;

	while (!lab->a.requests[request].done) {
		while (lab->n_packets) {
			bool stream = lab->packets[0].remote.stream;

			turns += last && !stream;
			last = stream;
			udp += !stream;
			tcp += stream;
			lab_drop(lab);
		}
		lab_advance(lab, 500);
	}
	ck_assert_uint_eq(turns, 2);
	ck_assert_uint_eq(udp, 4);
	/* RFC 9329 6.2 SHOULD NOT: repeats */
	ck_assert_uint_eq(tcp, 2);
	ck_assert_int_eq(lab->a.requests[request].cause, CAUSE_PEER_SILENT);
	lab_check(lab);
	lab_free(lab);
}
END_TEST

/* No socket: said, and UDP goes on */
START_TEST(no_socket)
{
	struct lab *lab = lab_new(CONF_TCP("fallback"), CONF_B);

	lab->a.no_streams = true;
	lab_initiate(&lab->a, "one");
	for (int i = 0; i < 3; i++) {
		ck_assert(lab->n_packets == 1 && !lab->packets[0].remote.stream);
		lab_drop(lab);
		while (!lab->n_packets)
			lab_advance(lab, 100);
	}
	lab_run(lab);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 1);
	lab_free(lab);
}
END_TEST

/* RFC 9329 6.4 SHOULD NOT: no better answer is waited for */
START_TEST(error_is_believed)
{
	struct lab *lab = lab_new(CONF_A_WITH("proposals = aes256gcm16-prfsha384-ecp384\n tcp = yes", CHILD_A("one", "1", ESP)), CONF_B);
	uint64_t request = lab_initiate(&lab->a, "one");

	lab_run(lab);
	ck_assert_uint_eq(lab->a.requests[request].done, 1);
	ck_assert_int_eq(lab->a.requests[request].cause, CAUSE_PROPOSAL);
	ck_assert_uint_eq(lab->sent, 2);
	lab_check(lab);
	lab_free(lab);
}
END_TEST

/* RFC 9329 7.5 SHOULD NOT: fragments */
START_TEST(no_fragments)
{
	struct lab *lab = lab_new(CONF_TCP("yes"), CONF_B);

	lab->a.ctx.options.fragment_size_v4 = lab->b.ctx.options.fragment_size_v4 = 256;
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert(lab_sa(&lab->a)->fragmentation);
	ck_assert_uint_eq(lab->sent, 4);
	lab_free(lab);
}
END_TEST

/* The stream goes with the tunnel through rekeying by either side. _i: by b */
START_TEST(rekeyed)
{
	struct lab *lab = stream_up();
	struct lab_end *e = _i ? &lab->b : &lab->a;

	ike_sa_rekey(lab_sa(e));
	lab_run(lab);
	lab_advance(lab, 60000);
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a), 1);
	ck_assert_uint_eq(lab_sa(&lab->a)->remote.stream, 1);
	ck_assert_uint_eq(lab_sa(&lab->b)->remote.stream, 1);
	ck_assert_uint_eq(lab->a.streams[1], 1);
	ck_assert_uint_eq(lab->b.streams[1], 1);
	/* RFC 9329 1.2 MUST: who opens connections stays the same */
	ck_assert(lab_sa(&lab->a)->origin && !lab_sa(&lab->b)->origin);
	lab_check(lab);
	ike_sa_terminate(lab_sa(&lab->a), false, (struct sa_request){ 0 });
	lab_run(lab);
	lab_advance(lab, 60000);
	ck_assert_uint_eq(lab->a.streams[1], 0);
	ck_assert_uint_eq(lab->b.streams[1], 0);
	lab_free(lab);
}
END_TEST

/* Made again: a says so at once, b follows, the children too (6.1) */
START_TEST(reopened)
{
	struct lab *lab = stream_up();
	struct addr local = lab_sa(&lab->a)->local;

	local.port = 50007;
	ike_sa_stream_reopened(lab_sa(&lab->a), &local);
	ck_assert_uint_eq(lab->n_packets, 1);
	stream_renumber(lab, 7);
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->b)->remote.stream, 7);
	ck_assert_uint_eq(lab_sa(&lab->b)->remote.port, 50007);
	ck_assert_uint_eq(lab_sa(&lab->a)->local.port, 50007);
	ck_assert_uint_eq(lab->b.streams[1], 0);
	ck_assert_uint_eq(lab->b.streams[7], 1);
	lab_check(lab);
	lab_free(lab);
}
END_TEST

/* A request that was on its way in the connection that broke goes out again (6.2 MUST). _i: of b, which only follows */
START_TEST(request_was_lost)
{
	struct lab *lab = stream_up();
	struct lab_end *e = _i ? &lab->b : &lab->a;
	struct addr local = lab_sa(&lab->a)->local;

	lab_add_child(e, lab_sa(e), "two");
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_drop(lab);
	/* time alone repeats nothing */
	lab_advance(lab, 30000);
	ck_assert_uint_eq(lab->n_packets, 0);
	local.port = 50003;
	ike_sa_stream_reopened(lab_sa(&lab->a), &local);
	ck_assert_uint_eq(lab->n_packets, 1);
	while (lab->n_packets) {
		stream_renumber(lab, 3);
		lab_deliver(lab);
	}
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 2);
	ck_assert_uint_eq(lab_sa(&lab->b)->remote.stream, 3);
	lab_check(lab);
	lab_free(lab);
}
END_TEST

/* What is not authenticated, or a repeat, moves nothing (6.1). _i: forged, repeated, over UDP */
START_TEST(not_followed)
{
	struct lab *lab = stream_up();

	ike_sa_probe(lab_sa(&lab->a));
	if (_i == 1) {
		/* it comes as it should, then again over another stream: the answer goes there, the SA does not */
		lab_repeat(lab);
		ck_assert_uint_eq(lab->n_packets, 2);
		lab_deliver(lab);
	}
	ck_assert_uint_eq(lab->n_packets, 1);
	if (_i == 2) {
		lab->packets[0].remote.stream = 0;
		lab->packets[0].remote.port = 4500;
	} else {
		stream_renumber(lab, 9);
	}
	if (_i == 0) {
		lab_forge(lab, 40);
		lab_drop(lab);
	} else {
		lab_deliver(lab);
		ck_assert_uint_eq(lab->n_packets, 1);
		ck_assert_uint_eq(lab->packets[0].remote.stream, _i == 1 ? 9 : 0);
		lab_drop(lab);
	}
	ck_assert_uint_eq(lab_sa(&lab->b)->remote.stream, 1);
	ck_assert_uint_eq(lab->b.streams[9], 0);
	lab_check(lab);
	lab_free(lab);
}
END_TEST

/* The side that opens connections never follows anything (6.1) */
START_TEST(originator_stays)
{
	struct lab *lab = stream_up();

	ike_sa_probe(lab_sa(&lab->b));
	lab->packets[0].remote.stream = 5;
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->remote.stream, 1);
	lab_check(lab);
	lab_free(lab);
}
END_TEST

/* ESP that came over another stream */
START_TEST(esp_is_followed)
{
	struct lab *lab = stream_up();
	struct addr remote = stream_new(lab, 4);

	ike_sa_stream_esp(lab_sa(&lab->b), &lab_sa(&lab->b)->local, &remote);
	ck_assert_uint_eq(lab_sa(&lab->b)->remote.stream, 4);
	lab_check(lab);
	/* of a side that has opened the stream it is none of its own */
	remote = lab_sa(&lab->a)->remote;
	remote.stream = 5;
	ike_sa_stream_esp(lab_sa(&lab->a), &lab_sa(&lab->a)->local, &remote);
	ck_assert_uint_eq(lab_sa(&lab->a)->remote.stream, 1);
	lab_free(lab);
}
END_TEST

/* RFC 9329 6.6 SHOULD NOT: keepalives behind a NAT, and none is needed */
START_TEST(no_keepalives)
{
	struct lab *lab = stream_up();

	lab_sa(&lab->a)->nat_local = true;
	ike_sa_schedule(lab_sa(&lab->a));
	lab_advance(lab, 600000);
	ck_assert_uint_eq(lab->n_packets, 0);
	lab_free(lab);
}
END_TEST

Suite *stream_suite(void)
{
	Suite *s = suite_create("exchange/stream");
	TCase *t = tcase_create("stream");

	tcase_add_test(t, all_over_tcp);
	tcase_add_test(t, no_float);
	tcase_add_test(t, falls_back);
	tcase_add_test(t, falls_back_in_vain);
	tcase_add_test(t, no_socket);
	tcase_add_test(t, error_is_believed);
	tcase_add_test(t, no_fragments);
	tcase_add_loop_test(t, rekeyed, 0, 2);
	tcase_add_test(t, reopened);
	tcase_add_loop_test(t, request_was_lost, 0, 2);
	tcase_add_loop_test(t, not_followed, 0, 3);
	tcase_add_test(t, originator_stays);
	tcase_add_test(t, esp_is_followed);
	tcase_add_test(t, no_keepalives);
	suite_add_tcase(s, t);
	return s;
}
