/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "confs.h"
#include "lab.h"
#include "sa/seal.h"
#include "suites.h"

/* Messages that are not as they should be: at the wrong time, of the wrong kind, with more than is understood. */

static uint8_t space[8192];

static struct builder fresh(void)
{
	return builder_of(space, sizeof(space));
}

static struct lab *up(void)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab->b.kernel_children, 1);
	return lab;
}

/* IKE_SA_INIT is done, the IKE_AUTH request is under way. */
static struct lab *half_up(void)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);

	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	lab_deliver(lab);
	return lab;
}

static void expect_up(struct lab *lab, unsigned children)
{
	ck_assert_ptr_nonnull(lab_sa(&lab->a));
	ck_assert_ptr_nonnull(lab_sa(&lab->b));
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab->a.kernel_children, children);
	ck_assert_uint_eq(lab->b.kernel_children, children);
}

/* The only packet under way: its exchange, and the notify in it with its data. */
static unsigned only_notify(struct lab *lab, unsigned exchange, bool response, uint32_t *ret_data)
{
	struct arena arena = { 0 };
	struct payload_list list;
	struct ike_header h;
	unsigned type;

	ck_assert_uint_eq(lab->n_packets, 1);
	lab_peek(lab, 0, &arena, &h, &list);
	ck_assert_uint_eq(h.exchange, exchange);
	ck_assert_int_eq(!(h.flags & IKE_FLAG_RESPONSE), !response);
	ck_assert_uint_eq(list.count, 1);
	ck_assert_uint_eq(list.p[0].type, PAYLOAD_NOTIFY);
	type = list.p[0].notify.type;
	if (ret_data) {
		struct reader r = reader_of(list.p[0].notify.data);

		*ret_data = reader_u32(&r);
		ck_assert(reader_done(&r));
	}
	arena_free(&arena);
	return type;
}

/* ---- at the wrong time ---- */

/* RFC 7296, 1.2: IKE_AUTH is the initiator's to ask. A responder that has keys but proved nothing yet tries it. */
START_TEST(auth_to_initiator)
{
	struct lab *lab = half_up();
	struct builder b = fresh();
	struct arena arena = { 0 };
	struct payload_list list;
	struct ike_header h;

	lab_peek(lab, 0, &arena, &h, &list);
	for (size_t i = 0; i < list.count; i++)
		builder_payload(&b, &list.p[i]);
	lab_inject(&lab->b, lab_sa(&lab->b), EXCHANGE_IKE_AUTH, false, 0, &b);
	lab_choose(lab, 1);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 1);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_CONNECTING);
	ck_assert_uint_eq(lab_sa(&lab->a)->in.next, 0);
	arena_free(&arena);
	lab_run(lab);
	expect_up(lab, 1);
	lab_free(lab);
}
END_TEST

static const unsigned foreign[] = { 0, 33, 38, EXCHANGE_IKE_INTERMEDIATE, EXCHANGE_IKE_FOLLOWUP_KE, 99, 240, 255 };

/* RFC 7296, 2.21.3 MUST: an exchange that was never agreed on is an error that is answered, if it is the peer's own request. */
START_TEST(foreign_exchange)
{
	struct lab *lab = up();
	struct ike_sa *a = lab_sa(&lab->a);
	struct builder b = fresh();

	if (foreign[_i] == EXCHANGE_IKE_FOLLOWUP_KE)
		builder_ke(&b, KE_CURVE_25519, bytes_str("01234567890123456789012345678901"));
	lab_inject(&lab->a, a, foreign[_i], false, a->out.next, &b);
	for (size_t at = 18; at < lab->packets[0].n; at++)
		lab_forge(lab, at);
	ck_assert_uint_eq(lab->n_packets, 1);
	expect_up(lab, 1);
	lab_deliver(lab);
	ck_assert_uint_eq(only_notify(lab, foreign[_i], true, NULL), NOTIFY_INVALID_SYNTAX);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	ck_assert_uint_eq(lab->b.kernel_children, 0);
	lab_free(lab);
}
END_TEST

/* Before there is an SA nothing is answered, and the real message still counts. */
START_TEST(foreign_exchange_early)
{
	struct lab *lab = half_up();
	struct builder b = fresh();

	lab_inject(&lab->a, lab_sa(&lab->a), foreign[_i], false, 1, &b);
	lab_inject(&lab->b, lab_sa(&lab->b), foreign[_i], false, 0, &b);
	for (int i = 0; i < 2; i++) {
		lab_choose(lab, 1);
		lab_deliver(lab);
	}
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_run(lab);
	expect_up(lab, 1);
	lab_free(lab);
}
END_TEST

/* RFC 7296, 2.3: a request outside the window is not answered; the peer is told in an exchange of ours, MUST be rate-limited. */
START_TEST(future_id)
{
	struct lab *lab = up();
	struct ike_sa *a = lab_sa(&lab->a);
	uint32_t ids[] = { a->out.next + 1, a->out.next + 77, UINT32_MAX }, data;
	struct builder b = fresh();

	lab_inject(&lab->a, a, EXCHANGE_INFORMATIONAL, false, ids[_i], &b);
	for (size_t at = 8; at < lab->packets[0].n; at++)
		lab_forge(lab, at);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_deliver(lab);
	ck_assert_uint_eq(only_notify(lab, EXCHANGE_INFORMATIONAL, false, &data), NOTIFY_INVALID_MESSAGE_ID);
	ck_assert_uint_eq(data, ids[_i]);
	ck_assert_uint_eq(lab_sa(&lab->b)->in.next, a->out.next);
	/* who is told does nothing but answer */
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_run(lab);
	for (int i = 0; i < 10; i++) {
		lab_inject(&lab->a, a, EXCHANGE_INFORMATIONAL, false, ids[_i], &b);
		lab_deliver(lab);
		ck_assert_uint_eq(lab->n_packets, 0);
	}
	lab_advance(lab, LIMIT_HINT_MS);
	lab_inject(&lab->a, a, EXCHANGE_INFORMATIONAL, false, ids[_i], &b);
	lab_deliver(lab);
	ck_assert_uint_eq(only_notify(lab, EXCHANGE_INFORMATIONAL, false, &data), NOTIFY_INVALID_MESSAGE_ID);
	lab_run(lab);
	/* ids that were used up are just old */
	lab_advance(lab, LIMIT_HINT_MS);
	lab_inject(&lab->a, a, EXCHANGE_INFORMATIONAL, false, a->out.next - 2, &b);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 0);
	expect_up(lab, 1);
	lab_free(lab);
}
END_TEST

/* What we sent comes back to us: our own flag is not the peer's (RFC 7296, 3.1). */
START_TEST(reflected)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);

	lab_initiate(&lab->a, "one");
	for (unsigned n = 0; lab->n_packets; n++) {
		struct lab_end *from = lab->packets[0].to == &lab->a ? &lab->b : &lab->a;
		struct lab_end *to = lab->packets[0].to;
		uint64_t sent = lab->sent;

		/* an IKE_SA_INIT request comes from nobody yet: it would make an SA of its own */
		if (n) {
			lab->packets[0].to = from;
			lab_repeat(lab);
			ck_assert_uint_eq(lab->sent, sent);
			lab_choose(lab, lab->n_packets - 1);
			lab->packets[0].to = to;
		}
		lab_deliver(lab);
		ck_assert_uint_le(lab->n_packets, 1);
	}
	expect_up(lab, 1);
	lab_free(lab);
}
END_TEST

/* ---- with more in it ---- */

static const unsigned extras[] = {
	NOTIFY_ADDITIONAL_TS_POSSIBLE, NOTIFY_SET_WINDOW_SIZE, NOTIFY_HTTP_CERT_LOOKUP_SUPPORTED, NOTIFY_NAT_DETECTION_SOURCE_IP,
	NOTIFY_COOKIE, NOTIFY_ESP_TFC_PADDING_NOT_SUPPORTED, NOTIFY_NON_FIRST_FRAGMENTS_ALSO, NOTIFY_MOBIKE_SUPPORTED,
	NOTIFY_IKEV2_FRAGMENTATION_SUPPORTED, 16500, 40960, 65535,
};

/* The packet under way comes with all these notifies and an unknown payload as well, behind or in front of what belongs there. */
static void add_extras(struct lab *lab, bool in_front, bool critical)
{
	struct lab_end *to = lab->packets[0].to, *from = to == &lab->a ? &lab->b : &lab->a;
	struct arena arena = { 0 };
	struct builder b = fresh();
	struct payload_list list;
	struct ike_header h;

	lab_peek(lab, 0, &arena, &h, &list);
	for (size_t i = 0; !in_front && i < list.count; i++)
		builder_raw(&b, list.p[i].type, critical, list.p[i].body);
	for (size_t i = 0; i < ARRAY_LEN(extras); i++)
		builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, extras[i], bytes_str("what?"));
	builder_raw(&b, 254, false, bytes_str("unknown"));
	builder_vendor(&b, BYTES_NONE);
	for (size_t i = 0; in_front && i < list.count; i++)
		builder_raw(&b, list.p[i].type, critical, list.p[i].body);
	lab_drop(lab);
	lab_inject(from, lab_sa(from), h.exchange, h.flags & IKE_FLAG_RESPONSE, h.message_id, &b);
	lab_choose(lab, lab->n_packets - 1);
	arena_free(&arena);
}

/* RFC 7296, 3.10.1 MUST: status notifies that mean nothing here are ignored, wherever they are; 2.5: so are unknown payloads that are not
 * critical, and the critical bit of known ones. _i: bit 0 the place, bit 1 critical */
START_TEST(extras_everywhere)
{
	struct lab *lab = half_up();
	bool in_front = _i & 1, critical = _i & 2;
	unsigned n = 0;

	for (; lab->n_packets; n++) {
		add_extras(lab, in_front, critical);
		lab_deliver(lab);
	}
	expect_up(lab, 1);
	lab_add_child(&lab->b, lab_sa(&lab->b), "two");
	for (; lab->n_packets; n++) {
		add_extras(lab, in_front, critical);
		lab_deliver(lab);
	}
	expect_up(lab, 2);
	ike_sa_terminate_child(lab_sa(&lab->a), lab_sa(&lab->a)->children, (struct sa_request){ 0 });
	for (; lab->n_packets; n++) {
		add_extras(lab, in_front, critical);
		lab_deliver(lab);
	}
	expect_up(lab, 1);
	ike_sa_probe(lab_sa(&lab->b));
	for (; lab->n_packets; n++) {
		add_extras(lab, in_front, critical);
		lab_deliver(lab);
	}
	ck_assert_uint_eq(n, 8);
	expect_up(lab, 1);
	lab_free(lab);
}
END_TEST

/* RFC 7296, 2.21.3 and 3.10.1: an error of whatever kind in a request of the peer is for the log; nothing ends by it. */
START_TEST(errors_in_requests)
{
	static const unsigned errors[] = { NOTIFY_INVALID_MESSAGE_ID, NOTIFY_TEMPORARY_FAILURE, NOTIFY_CHILD_SA_NOT_FOUND,
					   NOTIFY_INVALID_MAJOR_VERSION, NOTIFY_INVALID_SELECTORS, NOTIFY_NO_PROPOSAL_CHOSEN, 8192, 16383 };
	struct lab *lab = up();
	struct ike_sa *a = lab_sa(&lab->a);

	for (size_t i = 0; i < ARRAY_LEN(errors); i++) {
		struct builder b = fresh();

		builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, errors[i], bytes_str("data"));
		lab_inject(&lab->a, a, EXCHANGE_INFORMATIONAL, false, a->out.next++, &b);
		lab_deliver(lab);
		ck_assert_uint_eq(lab->n_packets, 1);
		lab_run(lab);
		expect_up(lab, 1);
	}
	lab_free(lab);
}
END_TEST

/* An error in the answer to a probe says that somebody lives. */
START_TEST(error_in_answer_to_probe)
{
	struct lab *lab = up();
	struct builder b = fresh();

	ike_sa_probe(lab_sa(&lab->a));
	lab_deliver(lab);
	lab_drop(lab);
	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, 8192, BYTES_NONE);
	lab_inject(&lab->b, lab_sa(&lab->b), EXCHANGE_INFORMATIONAL, true, lab_sa(&lab->a)->out.next - 1, &b);
	lab_run(lab);
	expect_up(lab, 1);
	lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	lab_run(lab);
	expect_up(lab, 2);
	lab_free(lab);
}
END_TEST

/* ---- IKE_SA_INIT that is no good ---- */

enum init_fault { EMPTY, NO_NONCE, TWO_KES, NONCE_15, NONCE_257, KE_EMPTY, WRONG_NEXT, CRITICAL, WITH_AUTH, CUT, INIT_FAULTS };

static void init_build(struct builder *b, const struct payload_list *list, enum init_fault fault)
{
	static const uint8_t bytes[300] = { 0 };

	for (size_t i = 0; i < list->count && fault != EMPTY; i++) {
		const struct payload *p = &list->p[i];

		if (p->type == PAYLOAD_NONCE && (fault == NO_NONCE || fault == NONCE_15 || fault == NONCE_257)) {
			if (fault != NO_NONCE)
				builder_raw(b, PAYLOAD_NONCE, false, bytes_of(bytes, fault == NONCE_15 ? 15 : 257));
			continue;
		}
		builder_raw(b, p->type, false, fault == KE_EMPTY && p->type == PAYLOAD_KE ? bytes_of(bytes, 4) : p->body);
		if (p->type == PAYLOAD_KE && fault == TWO_KES)
			builder_raw(b, p->type, false, p->body);
	}
	if (fault == CRITICAL)
		builder_raw(b, 200, true, bytes_str("?"));
	if (fault == WITH_AUTH)
		builder_auth(b, AUTH_METHOD_SHARED_KEY, bytes_str("0123456789"));
}

/* RFC 7296, 2.21.1 and 2.5: answered, and nothing is kept of it; the good one comes after. */
START_TEST(bad_init_request)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	uint8_t msg[1024];
	struct builder b = builder_of(msg, sizeof(msg));
	struct arena arena = { 0 };
	struct payload_list list;
	struct ike_header h;
	struct bytes all;

	lab_initiate(&lab->a, "one");
	lab_peek(lab, 0, &arena, &h, &list);
	builder_header(&b, &h);
	init_build(&b, &list, (enum init_fault)_i);
	all = builder_finish(&b);
	if (_i == WRONG_NEXT)
		msg[16] = PAYLOAD_KE;
	if (_i == CUT)
		all = bytes_of(msg, all.n - 3), msg[26] = (uint8_t)(all.n >> 8), msg[27] = (uint8_t)all.n;
	lab_inject_bytes(&lab->a, all);
	lab_choose(lab, 1);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->b.n_sas, 0);
	ck_assert_uint_eq(lab->b.half_open, 0);
	ck_assert_uint_eq(lab->n_packets, 2);
	arena_reset(&arena);
	lab_peek(lab, 1, &arena, &h, &list);
	ck_assert(h.flags & IKE_FLAG_RESPONSE);
	ck_assert_uint_eq(list.count, 1);
	ck_assert_uint_eq(list.p[0].notify.type, _i == CRITICAL ? NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD : NOTIFY_INVALID_SYNTAX);
	arena_free(&arena);
	lab_run(lab);
	expect_up(lab, 1);
	lab_free(lab);
}
END_TEST

/* As answers all of them are passed over: anyone can have sent them (RFC 7296, 2.21.1). */
START_TEST(bad_init_response)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	uint8_t msg[1024];
	struct builder b = builder_of(msg, sizeof(msg));
	struct arena arena = { 0 };
	struct payload_list list;
	struct ike_header h;
	struct bytes all;

	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	lab_peek(lab, 0, &arena, &h, &list);
	builder_header(&b, &h);
	init_build(&b, &list, (enum init_fault)_i);
	all = builder_finish(&b);
	if (_i == WRONG_NEXT)
		msg[16] = PAYLOAD_KE;
	if (_i == CUT)
		all = bytes_of(msg, all.n - 3), msg[26] = (uint8_t)(all.n >> 8), msg[27] = (uint8_t)all.n;
	lab_inject_bytes(&lab->b, all);
	lab_choose(lab, 1);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 1);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_CONNECTING);
	arena_free(&arena);
	lab_run(lab);
	expect_up(lab, 1);
	lab_free(lab);
}
END_TEST

Suite *odd_suite(void)
{
	Suite *s = suite_create("exchange/odd");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, auth_to_initiator);
	tcase_add_loop_test(t, foreign_exchange, 0, ARRAY_LEN(foreign));
	tcase_add_loop_test(t, foreign_exchange_early, 0, ARRAY_LEN(foreign));
	tcase_add_loop_test(t, future_id, 0, 3);
	tcase_add_test(t, reflected);
	tcase_add_loop_test(t, extras_everywhere, 0, 4);
	tcase_add_test(t, errors_in_requests);
	tcase_add_test(t, error_in_answer_to_probe);
	tcase_add_loop_test(t, bad_init_request, 0, INIT_FAULTS);
	tcase_add_loop_test(t, bad_init_response, 0, INIT_FAULTS);
	suite_add_tcase(s, t);
	return s;
}
