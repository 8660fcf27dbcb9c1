/* SPDX-License-Identifier: Apache-2.0 */
#include "mobile.h"
#include "suites.h"

/* What RFC 4555 has peers do to each other that our own endpoints do not, and moves that cross with other exchanges. */

static uint8_t msg[1024];

/* A request or an answer of `from` with one notify more than `b` has. */
static void inject(struct lab_end *from, bool response, struct builder *b)
{
	struct ike_sa *sa = lab_sa(from), *other = lab_sa(from == &from->lab->a ? &from->lab->b : &from->lab->a);
	uint32_t id = response ? other->outstanding->message_id : other->in.next;

	lab_inject(from, sa, EXCHANGE_INFORMATIONAL, response, id, b);
	if (!response)
		sa->out.next++;
}

static void notify(struct builder *b, unsigned type, const char *data)
{
	builder_notify(b, PROTOCOL_NONE, BYTES_NONE, type, bytes_str(data));
}

/* ---- return routability ---- */

/* RFC 4555 4.2.5 MUST: copied to the answer of any INFORMATIONAL request */
START_TEST(cookie_is_copied)
{
	struct lab *lab = mobile();
	struct builder b = builder_of(msg, sizeof(msg));
	const struct payload_notify *n;
	struct payload_list in;
	struct arena a = { 0 };
	struct ike_header h;

	notify(&b, NOTIFY_COOKIE2, _i == 0 ? "eight by" : _i == 1 ? "seven b" : "");
	if (_i == 2)
		builder_delete(&b, PROTOCOL_ESP, &lab->a.sas[0]->children->spi_in, 1);
	if (_i == 2)
		notify(&b, NOTIFY_COOKIE2, "beside a Delete");
	inject(&lab->a, false, &b);
	lab_deliver(lab);
	lab_peek(lab, 0, &a, &h, &in);
	n = payload_notify(&in, NOTIFY_COOKIE2);
	ck_assert_int_eq(_i == 0, n != NULL && bytes_equal_str(n->data, "eight by"));
	ck_assert(_i != 2 || payload_find(&in, PAYLOAD_DELETE, NULL));
	arena_free(&a);
	lab_drop(lab);
	lab_free(lab);
}
END_TEST

/* RFC 4555 3.7 MUST: another value closes the IKE_SA */
START_TEST(cookie_is_wrong)
{
	struct lab *lab = mobile();
	struct builder b = builder_of(msg, sizeof(msg));

	lab_roam(&lab->a, A2);
	lab_deliver(lab); /* the update; its answer and the check are under way */
	ck_assert(lab->b.sas[0]->unchecked && lab->b.sas[0]->outstanding);
	lab_deliver(lab);
	lab_drop(lab);
	if (_i)
		notify(&b, NOTIFY_COOKIE2, "not that of the request");
	inject(&lab->a, true, &b);
	lab_deliver(lab);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	lab_free(lab);
}
END_TEST

/* Who does not get packets at its new address gets no CHILD_SA's packets there either, and is not given up at once. */
START_TEST(check_is_not_answered)
{
	struct lab *lab = mobile();
	struct addr b1 = address(B1), a1 = address(A1);

	lab_roam(&lab->a, A2);
	lab_deliver(lab);
	for (unsigned n = 0; n < 25; n++) {
		while (lab->n_packets)
			lab_drop(lab);
		lab_advance(lab, 10000);
	}
	ck_assert_uint_eq(lab_live(&lab->b), 1);
	ck_assert(addr_equal_ip(&lab_place_of(lab->b.sas[0]->children)->remote, &a1));
	ck_assert(addr_equal_ip(&lab_place_of(lab->b.sas[0]->children)->local, &b1));
	for (unsigned n = 0; n < 25; n++) {
		while (lab->n_packets)
			lab_drop(lab);
		lab_advance(lab, 10000);
	}
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	lab_free(lab);
}
END_TEST

/* ---- who may be where ---- */

#define NEAR_B "connections { net { version = 2\n remote_addrs = 192.0.2.0/24\n" CONF_IKE "\n" REST_B("")

/* RFC 4555, 3.5: UNACCEPTABLE_ADDRESSES: another one is tried, or all stays. */
START_TEST(unacceptable)
{
	struct lab *lab = mobile_up(MOBILE_A, NEAR_B, A1, B1);

	lab_roam(&lab->a, _i ? A2 : A2 " 192.0.2.77");
	lab_deliver(lab);
	ck_assert(has_notify(lab, 0, NOTIFY_UNACCEPTABLE_ADDRESSES) && has_notify(lab, 0, NOTIFY_COOKIE2));
	ck_assert(is_at(lab->b.sas[0], B1, A1));
	lab_run(lab);
	if (_i == 0)
		all_at(lab, "192.0.2.77", B1);
	ck_assert_uint_eq(lab_live(&lab->a), 1);
	ck_assert(!lab->a.sas[0]->outstanding);
	lab_free(lab);
}
END_TEST

/* With addresses in local_addrs we are there, or nowhere. */
START_TEST(only_configured_addresses)
{
	struct lab *lab = mobile_up("connections { net { version = 2\n local_addrs = 192.0.2.0/24\n remote_addrs = 192.0.2.2\n" CONF_IKE "\n" REST_A(""),
				    MOBILE_B, A1, B1);

	lab_roam(&lab->a, A2);
	ck_assert_uint_eq(lab->n_packets, 0);
	ck_assert(lab->a.sas[0]->offline);
	lab_roam(&lab->a, A2 " 192.0.2.77");
	lab_run(lab);
	all_at(lab, "192.0.2.77", B1);
	lab_free(lab);
}
END_TEST

/* RFC 4555 3.5: the initiator decides */
START_TEST(responder_does_not_decide)
{
	struct lab *lab = mobile();
	struct builder b = builder_of(msg, sizeof(msg));

	notify(&b, NOTIFY_UPDATE_SA_ADDRESSES, "");
	inject(&lab->b, false, &b);
	lab->packets[0].remote = address(B2);
	lab->packets[0].remote.port = 4500;
	lab_run(lab);
	all_at(lab, A1, B1);
	lab_free(lab);
}
END_TEST

/* Law 2: no forgery and no repeat moves anything. */
START_TEST(only_true_and_new_messages)
{
	struct lab *lab = mobile();
	struct lab_packet copy;

	lab_roam(&lab->a, A2);
	lab_forge(lab, 40);
	ck_assert(is_at(lab->b.sas[0], B1, A1));
	copy = lab->packets[0];
	copy.data = xmemdup(copy.data, copy.n);
	copy.remote = address("203.0.113.66");
	copy.remote.port = 4500;
	lab_run(lab);
	all_at(lab, A2, B1);
	lab->packets[lab->n_packets++] = copy;
	lab_run(lab);
	all_at(lab, A2, B1);
	lab_free(lab);
}
END_TEST

/* ---- no NATs ---- */

/* RFC 4555 3.9 MUST: compared with the packet's addresses; refused, and nothing moves */
START_TEST(no_nats_allowed)
{
	static const uint8_t here[] = { 192, 0, 2, 1, 192, 0, 2, 2, 4500 >> 8, 4500 & 255, 4500 >> 8, 4500 & 255 };
	struct lab *lab = mobile();
	struct builder b = builder_of(msg, sizeof(msg));

	notify(&b, NOTIFY_UPDATE_SA_ADDRESSES, "");
	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_NO_NATS_ALLOWED, bytes_of(here, sizeof(here)));
	inject(&lab->a, false, &b);
	if (_i)
		lab->packets[0].remote = address(A2);
	lab->packets[0].remote.port = 4500;
	lab_deliver(lab);
	ck_assert_int_eq(_i, has_notify(lab, 0, NOTIFY_UNEXPECTED_NAT_DETECTED));
	ck_assert(is_at(lab->b.sas[0], B1, A1));
	lab_drop(lab);
	lab_free(lab);
}
END_TEST

/* A peer without NAT traversal: our updates have it; with a NAT on the path it is tried some times and then left. */
START_TEST(no_nats_asked)
{
	struct lab *lab = mobile();

	lab->a.sas[0]->nat_t = false;
	lab_roam(&lab->a, A2);
	ck_assert(has_notify(lab, 0, NOTIFY_NO_NATS_ALLOWED) && !has_notify(lab, 0, NOTIFY_NAT_DETECTION_SOURCE_IP));
	for (unsigned n = 0; _i && lab->n_packets; n++) {
		ck_assert_uint_lt(n, 20);
		if (lab->packets[0].to == &lab->b)
			lab->packets[0].remote.port = 1234;
		lab_deliver(lab);
	}
	lab_run(lab);
	ck_assert(!lab->a.sas[0]->outstanding);
	ck_assert(is_at(lab->b.sas[0], B1, _i ? A1 : A2));
	lab_free(lab);
}
END_TEST

/* ---- other paths ---- */

static struct addr dead_addr;

/* Nothing comes from, or gets to, one address. */
static bool dead(struct lab *lab, bool out, struct addr *src, struct addr *dst)
{
	return !addr_equal_ip(src, &dead_addr) && !addr_equal_ip(dst, &dead_addr);
}

/* The path of the IKE_SA dies without a sign: another one is found, and the peer is told. */
START_TEST(tries_other_paths)
{
	struct lab *lab = mobile_up(MOBILE_A, MOBILE_B, A1 " " A2, B1 " " B2);

	dead_addr = address(_i ? B1 : A1);
	lab->path = dead;
	if (_i < 2)
		ike_sa_probe(lab->a.sas[0]);
	else
		lab_add_child(&lab->a, lab->a.sas[0], "two");
	lab_advance(lab, 4000);
	ck_assert_uint_eq(lab->n_packets, 0);
	lab_advance(lab, 8000);
	ck_assert_uint_gt(lab->n_packets, 0);
	lab_run(lab);
	ck_assert(is_at(lab->a.sas[0], _i ? A1 : A2, _i ? B2 : B1));
	ck_assert(is_at(lab->b.sas[0], _i ? B2 : B1, _i ? A1 : A2));
	ck_assert(!lab->a.sas[0]->outstanding && !lab->b.sas[0]->outstanding);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), _i < 2 ? 1 : 2);
	lab_free(lab);
}
END_TEST

/* No other path works either: it is over as usual. */
START_TEST(no_path_works)
{
	struct lab *lab = mobile_up(MOBILE_A, MOBILE_B, A1 " " A2, B1);

	dead_addr = address(B1);
	lab->path = dead;
	ike_sa_probe(lab->a.sas[0]);
	for (unsigned n = 0; n < 20 && lab_live(&lab->a); n++)
		lab_advance(lab, 20000);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	lab_free(lab);
}
END_TEST

/* RFC 4555, 3.6: the responder's address goes: it tells where it is, the initiator goes there. */
START_TEST(responder_is_elsewhere)
{
	struct lab *lab = mobile_up(MOBILE_A, MOBILE_B, A1, B1);

	lab_roam(&lab->b, B2);
	ck_assert(has_notify(lab, 0, NOTIFY_NO_ADDITIONAL_ADDRESSES) && !has_notify(lab, 0, NOTIFY_UPDATE_SA_ADDRESSES));
	lab_run(lab);
	all_at(lab, A1, B2);
	lab_free(lab);
}
END_TEST

/* ---- without MOBIKE ---- */

START_TEST(plain_is_set_up_anew)
{
	struct lab *lab = mobile_up(ANY_A REST_A("mobike = no\n"), MOBILE_B, A1, B1);

	lab_roam(&lab->b, B2); /* nothing that it could do */
	ck_assert_uint_eq(lab_live(&lab->b), 1);
	lab_roam(&lab->a, "");
	ck_assert_uint_eq(lab_live(&lab->a), 1);
	lab_roam(&lab->a, A2);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	ck_assert_uint_eq(lab->a.reinitiated, 1);
	ck_assert_str_eq(lab->a.reinitiated_child, "one");
	lab_free(lab);
}
END_TEST

/* A first request from an address that is gone is sent again from another. */
START_TEST(connecting)
{
	struct lab *lab = lab_new(MOBILE_A, MOBILE_B);

	lab_roam(&lab->a, A1);
	lab_roam(&lab->b, B1);
	lab_initiate(&lab->a, "one");
	for (int n = 0; n < _i; n++)
		lab_deliver(lab);
	while (lab->n_packets)
		lab_drop(lab);
	lab_roam(&lab->a, A2);
	lab_run(lab);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
	ck_assert(is_at(lab->a.sas[0], A2, B1));
	lab_free(lab);
}
END_TEST

/* ---- crossing ---- */

enum { CROSS_REKEY_IKE_A, CROSS_REKEY_IKE_B, CROSS_REKEY_IKE_BOTH, CROSS_REKEY_CHILD_A, CROSS_REKEY_CHILD_B, CROSS_ADD_CHILD, CROSSES };

static struct ike_sa *newest(struct lab_end *e)
{
	return ike_sa_current(e->sas[0]);
}

static void cross_begin(struct lab *lab, int what)
{
	if (what == CROSS_REKEY_IKE_A || what == CROSS_REKEY_IKE_BOTH)
		ike_sa_rekey(newest(&lab->a));
	if (what == CROSS_REKEY_IKE_B || what == CROSS_REKEY_IKE_BOTH)
		ike_sa_rekey(newest(&lab->b));
	if (what == CROSS_REKEY_CHILD_A)
		ike_sa_rekey_child(newest(&lab->a), newest(&lab->a)->children);
	if (what == CROSS_REKEY_CHILD_B)
		ike_sa_rekey_child(newest(&lab->b), newest(&lab->b)->children);
	if (what == CROSS_ADD_CHILD)
		lab_add_child(&lab->a, newest(&lab->a), "two");
}

/* At each step of another exchange a moves; or the other begins at each step of a move. */
START_TEST(crosses)
{
	int what = _i % CROSSES, steps = _i / CROSSES % 8;
	bool move_first = _i / CROSSES / 8;
	struct lab *lab = mobile();

	if (move_first)
		lab_roam(&lab->a, A2);
	else
		cross_begin(lab, what);
	for (int n = 0; n < steps && lab->n_packets; n++)
		lab_deliver(lab);
	if (move_first)
		cross_begin(lab, what);
	else
		lab_roam(&lab->a, A2);
	for (unsigned n = 0; n < 40; n++) {
		lab_run(lab);
		lab_advance(lab, 2000);
	}
	ck_assert_msg(is_at(newest(&lab->a), A2, B1) && is_at(newest(&lab->b), B1, A2), "b sees a at %s",
		      addr_format(&newest(&lab->b)->remote).s);
	ck_assert(!newest(&lab->a)->outstanding && !newest(&lab->b)->outstanding && !newest(&lab->b)->unchecked);
	ck_assert_uint_eq(lab_live(&lab->a), 1);
	ck_assert_uint_eq(lab_live(&lab->b), 1);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), what == CROSS_ADD_CHILD ? 2 : 1);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), what == CROSS_ADD_CHILD ? 2 : 1);
	lab_free(lab);
}
END_TEST

/* Either side closes at each step of a move. */
START_TEST(crosses_delete)
{
	struct lab *lab = mobile();
	struct lab_end *e = _i % 2 ? &lab->a : &lab->b;

	lab_roam(&lab->a, A2);
	for (int n = 0; n < _i / 2 && lab->n_packets; n++)
		lab_deliver(lab);
	ike_sa_terminate(e->sas[0], false, lab_request_new(e));
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a) + lab_live(&lab->b), 0);
	lab_free(lab);
}
END_TEST

/* A backend that cannot move a CHILD_SA: it is rekeyed where the IKE_SA is. */
START_TEST(backend_cannot_move)
{
	struct lab *lab = mobile();

	lab->b.kernel_fail_move = true;
	lab_roam(&lab->a, A2);
	lab_run(lab);
	lab_advance(lab, 10000);
	lab_run(lab);
	ck_assert(is_at(lab->b.sas[0], B1, A2));
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 1);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_CHILD_REKEY), 1);
	ck_assert(addr_equal(&lab_place_of(lab->b.sas[0]->children)->remote, &lab->b.sas[0]->remote));
	lab_free(lab);
}
END_TEST

START_TEST(two_ike_sas)
{
	struct lab *lab = mobile();

	lab_initiate(&lab->a, "two");
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a), 2);
	lab_roam(&lab->a, A2);
	lab_run(lab);
	for (size_t i = 0; i < 2; i++)
		ck_assert(is_at(lab->a.sas[i], A2, B1) && is_at(lab->b.sas[i], B1, A2));
	lab_free(lab);
}
END_TEST

Suite *mobike_rules_suite(void)
{
	Suite *s = suite_create("exchange/mobike_rules");
	TCase *t = tcase_create("mobike_rules");

	tcase_add_loop_test(t, cookie_is_copied, 0, 3);
	tcase_add_loop_test(t, cookie_is_wrong, 0, 2);
	tcase_add_test(t, check_is_not_answered);
	tcase_add_loop_test(t, unacceptable, 0, 2);
	tcase_add_test(t, only_configured_addresses);
	tcase_add_test(t, responder_does_not_decide);
	tcase_add_test(t, only_true_and_new_messages);
	tcase_add_loop_test(t, no_nats_allowed, 0, 2);
	tcase_add_loop_test(t, no_nats_asked, 0, 2);
	tcase_add_loop_test(t, tries_other_paths, 0, 3);
	tcase_add_test(t, no_path_works);
	tcase_add_test(t, responder_is_elsewhere);
	tcase_add_test(t, plain_is_set_up_anew);
	tcase_add_loop_test(t, connecting, 0, 3);
	tcase_add_loop_test(t, crosses, 0, CROSSES * 16);
	tcase_add_loop_test(t, crosses_delete, 0, 10);
	tcase_add_test(t, backend_cannot_move);
	tcase_add_test(t, two_ike_sas);
	suite_add_tcase(s, t);
	return s;
}
