/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "confs.h"
#include "lab.h"
#include "sa/child_sa.h"
#include "suites.h"

/* CHILD_SAs for a packet that met a trap, and what becomes of traps. */

#define TRAP_REQID 77

static struct child_acquire packet(const char *src, const char *dst)
{
	struct child_acquire a;

	ck_assert(ts_parse(bytes_str(src), &a.src) && ts_parse(bytes_str(dst), &a.dst));
	return a;
}

/* The packet comes: _i-like `up` 0: with a new IKE_SA, 1: with one that is up. The request is under way when this returns. */
static uint64_t trap_met(struct lab *lab, const struct child_acquire *acquire, bool up)
{
	const struct conn *conn = config_conn(lab->a.ctx.config, "net");
	struct sa_request r = lab_request_new(&lab->a);
	struct ike_sa *sa;

	if (up && !lab_sa(&lab->a)) {
		lab_initiate(&lab->a, NULL);
		lab_run(lab);
		ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	}
	if (up) {
		ike_sa_add_child_for(lab_sa(&lab->a), conn, conn_child(conn, "one"), acquire, r);
		return r.id;
	}
	sa = ike_sa_new_initiator(&lab->a.ctx, conn, 0);
	ike_sa_initiate_for(sa, conn_child(conn, "one"), acquire, r);
	lab_deliver(lab);
	lab_deliver(lab);
	return r.id;
}

/* The selectors of the request under way: "TSi === TSr". */
static void expect_offer(struct lab *lab, const char *expected)
{
	struct arena arena = { 0 };
	struct payload_list list;
	struct buf text = { 0 };
	struct ike_header h;

	ck_assert_uint_eq(lab->n_packets, 1);
	lab_peek(lab, 0, &arena, &h, &list);
	ck_assert(payload_find(&list, PAYLOAD_TSI, NULL) && payload_find(&list, PAYLOAD_TSR, NULL));
	ts_list_format(&text, payload_find(&list, PAYLOAD_TSI, NULL)->ts);
	buf_add_str(&text, " === ");
	ts_list_format(&text, payload_find(&list, PAYLOAD_TSR, NULL)->ts);
	ck_assert_str_eq(buf_str(&text), expected);
	buf_free(&text);
	arena_free(&arena);
}

static void expect_child(const struct child_sa *c, const char *expected)
{
	struct buf text = { 0 };

	ck_assert_ptr_nonnull(c);
	ts_list_format(&text, child_sa_local_ts(c));
	buf_add_str(&text, " === ");
	ts_list_format(&text, child_sa_remote_ts(c));
	ck_assert_str_eq(buf_str(&text), expected);
	buf_free(&text);
}

/* RFC 7296, 2.9 SHOULD: the packet's own selectors first. _i: 0 in IKE_AUTH, 1 in CREATE_CHILD_SA */
START_TEST(packet_comes_first)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	struct child_acquire a = packet("10.1.1.5[udp/1000]", "10.1.2.6[udp/2000]");
	uint64_t request;

	lab->a.trap_reqid = TRAP_REQID;
	request = trap_met(lab, &a, _i);
	expect_offer(lab, "10.1.1.5/32[udp/1000] 10.1.1.0/24 === 10.1.2.6/32[udp/2000] 10.1.2.0/24");
	lab_run(lab);
	ck_assert_uint_eq(lab->a.requests[request].done, 1);
	ck_assert_uint_eq(lab->a.requests[request].cause, CAUSE_NONE);
	expect_child(lab_sa(&lab->a)->children, "10.1.1.0/24 === 10.1.2.0/24");
	ck_assert_uint_eq(lab_sa(&lab->a)->children->reqid, TRAP_REQID);
	/* what replaces it is the trap's as well, and offers the packet no more */
	ike_sa_rekey_child(lab_sa(&lab->a), lab_sa(&lab->a)->children);
	expect_offer(lab, "10.1.1.0/24 === 10.1.2.0/24");
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->children->reqid, TRAP_REQID);
	lab_check(lab);
	lab_free(lab);
}
END_TEST

/* A packet that is the whole of the selectors is not told twice, one outside of them not at all. */
START_TEST(packet_that_says_nothing_new)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	struct child_acquire a = packet("10.1.1.0/24", "10.77.0.1");

	(void)trap_met(lab, &a, false);
	expect_offer(lab, "10.1.1.0/24 === 10.1.2.0/24");
	lab_run(lab);
	lab_free(lab);
}
END_TEST

/* The trap works on beside an SA that is narrower; that has a reqid of its own, as its policy is another one. */
START_TEST(peer_narrows)
{
	struct lab *lab = lab_new(CONF_A, CONF_B_WITH(CONF_IKE, "one { local_ts = 10.1.2.6, 10.1.2.7\n remote_ts = 10.1.1.0/24\n" ESP "}"));
	struct child_acquire a = packet("10.1.1.5[udp/1000]", "10.1.2.6[udp/2000]");
	struct child_acquire other = packet("10.1.1.5[udp/1000]", "10.1.2.8[udp/2000]");
	uint64_t request;
	uint32_t reqid;

	lab->a.trap_reqid = TRAP_REQID;
	(void)trap_met(lab, &a, false);
	lab_run(lab);
	reqid = lab_sa(&lab->a)->children->reqid;
	ck_assert_uint_ne(reqid, TRAP_REQID);
	/* the same packet again needs nothing, another one asks, in vain */
	request = trap_met(lab, &a, true);
	ck_assert_uint_eq(lab->n_packets, 0);
	ck_assert_uint_eq(lab->a.requests[request].cause, CAUSE_DUPLICATE);
	request = trap_met(lab, &other, true);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_run(lab);
	ck_assert_uint_eq(lab->a.requests[request].done, 1);
	ck_assert_uint_eq(lab_live(&lab->a), 1);
	lab_check(lab);
	lab_free(lab);
}
END_TEST

/* RFC 7296, 2.9: SINGLE_PAIR_REQUIRED is answered by a request for the packet's addresses; _i as above */
START_TEST(single_pair)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	struct child_acquire a = packet("10.1.1.5[udp/1000]", "10.1.2.6[udp/2000]");
	uint8_t space[256];
	struct builder b = builder_of(space, sizeof(space));
	uint64_t request = trap_met(lab, &a, true);

	if (_i) {
		/* it says so once more: then that is its last word */
		lab_drop(lab);
		lab_sa(&lab->b)->in.next++;
		builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_SINGLE_PAIR_REQUIRED, BYTES_NONE);
		lab_inject(&lab->b, lab_sa(&lab->b), EXCHANGE_CREATE_CHILD_SA, true, lab_sa(&lab->a)->out.next - 1, &b);
		lab_deliver(lab);
		expect_offer(lab, "10.1.1.5/32 === 10.1.2.6/32");
	}
	lab_drop(lab);
	lab_sa(&lab->b)->in.next++;
	b = builder_of(space, sizeof(space));
	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_SINGLE_PAIR_REQUIRED, BYTES_NONE);
	lab_inject(&lab->b, lab_sa(&lab->b), EXCHANGE_CREATE_CHILD_SA, true, lab_sa(&lab->a)->out.next - 1, &b);
	lab_deliver(lab);
	if (_i) {
		ck_assert_uint_eq(lab->n_packets, 0);
		ck_assert_uint_eq(lab->a.requests[request].cause, CAUSE_SELECTORS);
	} else {
		expect_offer(lab, "10.1.1.5/32 === 10.1.2.6/32");
		lab_run(lab);
		ck_assert_uint_eq(lab->a.requests[request].cause, CAUSE_NONE);
		expect_child(lab_sa(&lab->a)->children, "10.1.1.5/32 === 10.1.2.6/32");
	}
	ck_assert_uint_eq(lab->a.requests[request].done, 1);
	lab_check(lab);
	lab_free(lab);
}
END_TEST

/* TEMPORARY_FAILURE: what is asked for later is still for the packet. */
START_TEST(not_now)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	struct child_acquire a = packet("10.1.1.5[udp/1000]", "10.1.2.6[udp/2000]");
	uint8_t space[256];
	struct builder b = builder_of(space, sizeof(space));
	uint64_t request = trap_met(lab, &a, true);

	lab_drop(lab);
	lab_sa(&lab->b)->in.next++;
	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_TEMPORARY_FAILURE, BYTES_NONE);
	lab_inject(&lab->b, lab_sa(&lab->b), EXCHANGE_CREATE_CHILD_SA, true, lab_sa(&lab->a)->out.next - 1, &b);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 0);
	for (unsigned s = 0; s < 60 && !lab->n_packets; s++)
		lab_advance(lab, 1000);
	expect_offer(lab, "10.1.1.5/32[udp/1000] 10.1.1.0/24 === 10.1.2.6/32[udp/2000] 10.1.2.0/24");
	lab_run(lab);
	ck_assert_uint_eq(lab->a.requests[request].done, 1);
	ck_assert_uint_eq(lab->a.requests[request].cause, CAUSE_NONE);
	lab_free(lab);
}
END_TEST

#define CONF_A_TRAP CONF_A_WITH(CONF_IKE "\n dpd_delay = 30s", CHILD_A("one", "1", ESP "\n dpd_action = trap\n close_action = trap|start"))

/* close_action when the peer closes the child (_i 0) or the IKE_SA (1), not when we do (2); dpd_action when the peer is silent (3). */
START_TEST(actions)
{
	static const unsigned traps[] = { 1, 1, 0, 1 }, starts[] = { 1, 1, 0, 0 };
	struct lab *lab = lab_new(CONF_A_TRAP, CONF_B);

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	if (_i == 0)
		ike_sa_terminate_child(lab_sa(&lab->b), lab_sa(&lab->b)->children, lab_request_new(&lab->b));
	else if (_i == 1)
		ike_sa_terminate(lab_sa(&lab->b), false, lab_request_new(&lab->b));
	else if (_i == 2)
		ike_sa_terminate(lab_sa(&lab->a), false, lab_request_new(&lab->a));
	for (unsigned s = 0; _i == 3 && s < 250 && lab_live(&lab->a); s++) {
		lab_advance(lab, 1000);
		while (lab->n_packets)
			lab_drop(lab);
	}
	lab_run(lab);
	ck_assert_uint_eq(lab->a.retrapped, traps[_i]);
	ck_assert_uint_eq(lab->a.reinitiated, starts[_i]);
	lab_free(lab);
}
END_TEST

/* A shunt is no answer to a peer, even if its selectors suit best. */
START_TEST(shunts_are_not_negotiated)
{
	struct lab *lab = lab_new(CONF_A, CONF_B_WITH(CONF_IKE, CHILD_B("clear", "1", "mode = pass") CHILD_B("gone", "1", "mode = drop")
						      "wide { local_ts = 10.1.0.0/16\n remote_ts = 10.1.0.0/16\n" ESP "}"));

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_str_eq(lab_sa(&lab->b)->children->conf->name, "wide");
	lab_free(lab);
}
END_TEST

Suite *traps_suite(void)
{
	Suite *s = suite_create("exchange/traps");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, packet_comes_first, 0, 2);
	tcase_add_test(t, packet_that_says_nothing_new);
	tcase_add_test(t, peer_narrows);
	tcase_add_loop_test(t, single_pair, 0, 2);
	tcase_add_test(t, not_now);
	tcase_add_loop_test(t, actions, 0, 4);
	tcase_add_test(t, shunts_are_not_negotiated);
	suite_add_tcase(s, t);
	return s;
}
