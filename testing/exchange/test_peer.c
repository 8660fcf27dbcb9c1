/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "confs.h"
#include "lab.h"
#include "suites.h"

/* A peer that breaks the rules, and strangers who send what is not authenticated. */

#define UNKNOWN_PAYLOAD 200

static uint8_t peer_space[4096];

static struct builder peer_builder(void)
{
	return builder_of(peer_space, sizeof(peer_space));
}

static struct lab *peer_up(void)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	return lab;
}

static void expect_good(struct lab *lab)
{
	ck_assert_ptr_nonnull(lab_sa(&lab->a));
	ck_assert_ptr_nonnull(lab_sa(&lab->b));
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab->a.kernel_children, lab->b.kernel_children);
	/* and it still works */
	lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	lab_run(lab);
	ck_assert_uint_eq(lab->a.kernel_children, lab->b.kernel_children);
	ck_assert_uint_ge(lab->a.kernel_children, 1);
}

/* The notify in the answer under way, which must be the only packet. */
static unsigned answer_notify(struct lab *lab, unsigned *ret_data)
{
	struct arena arena = { 0 };
	struct ike_header h;
	struct payload_list list;
	unsigned type = 0;

	ck_assert_uint_eq(lab->n_packets, 1);
	lab_peek(lab, 0, &arena, &h, &list);
	ck_assert(h.flags & IKE_FLAG_RESPONSE);
	if (list.count == 1 && list.p[0].type == PAYLOAD_NOTIFY) {
		type = list.p[0].notify.type;
		*ret_data = list.p[0].notify.data.n ? list.p[0].notify.data.p[0] : 0;
	}
	arena_free(&arena);
	return type;
}

/* Requests that come before IKE_AUTH is done: neither answered nor counted. _i: 0 CREATE_CHILD_SA, 1 INFORMATIONAL */
START_TEST(before_auth)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	unsigned exchange = _i ? EXCHANGE_INFORMATIONAL : EXCHANGE_CREATE_CHILD_SA;
	struct builder b = peer_builder();

	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	lab_deliver(lab);
	lab_drop(lab);
	builder_delete(&b, PROTOCOL_IKE, NULL, 0);
	lab_inject(&lab->a, lab_sa(&lab->a), exchange, false, 1, &b);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 0);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_CONNECTING);
	lab_inject(&lab->b, lab_sa(&lab->b), exchange, false, 0, &b);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 0);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_CONNECTING);
	lab_advance(lab, 4100);
	lab_run(lab);
	expect_good(lab);
	lab_free(lab);
}
END_TEST

/* _i: 0 as a new request, 1 with the id of the first one, 2 IKE_SA_INIT under the SA's SPIs */
START_TEST(auth_again)
{
	struct lab *lab = peer_up();
	struct builder b = peer_builder();

	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_INITIAL_CONTACT, BYTES_NONE);
	lab_inject(&lab->a, lab_sa(&lab->a), _i == 2 ? EXCHANGE_IKE_SA_INIT : EXCHANGE_IKE_AUTH, false, _i == 1 ? 1 : 2, &b);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 0);
	expect_good(lab);
	lab_free(lab);
}
END_TEST

/* RFC 7296, 2.5 MUST: the type is told, the IKE_SA goes on */
START_TEST(critical_in_request)
{
	struct lab *lab = peer_up();
	struct ike_sa *a = lab_sa(&lab->a);
	struct builder b = peer_builder();
	unsigned data = 0;

	builder_raw(&b, UNKNOWN_PAYLOAD, true, bytes_str("?"));
	lab_inject(&lab->a, a, EXCHANGE_INFORMATIONAL, false, a->out.next++, &b);
	lab_deliver(lab);
	ck_assert_uint_eq(answer_notify(lab, &data), NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD);
	ck_assert_uint_eq(data, UNKNOWN_PAYLOAD);
	lab_run(lab);
	/* not critical: skipped */
	b = peer_builder();
	builder_raw(&b, UNKNOWN_PAYLOAD, false, bytes_str("?"));
	lab_inject(&lab->a, a, EXCHANGE_INFORMATIONAL, false, a->out.next++, &b);
	lab_deliver(lab);
	ck_assert_uint_eq(answer_notify(lab, &data), 0);
	lab_run(lab);
	expect_good(lab);
	lab_free(lab);
}
END_TEST

START_TEST(critical_in_response)
{
	struct lab *lab = peer_up();
	struct ike_sa *a = lab_sa(&lab->a);
	struct builder b = peer_builder();
	uint64_t r = lab_add_child(&lab->a, a, "two");

	lab_drop(lab);
	builder_raw(&b, UNKNOWN_PAYLOAD, true, bytes_str("?"));
	lab_inject(&lab->b, lab_sa(&lab->b), EXCHANGE_CREATE_CHILD_SA, true, a->out.next - 1, &b);
	lab_deliver(lab);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_CRITICAL);
	lab_free(lab);
}
END_TEST

/* In IKE_AUTH there is no SA yet that could go on. */
START_TEST(critical_in_auth)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	struct builder b = peer_builder();
	unsigned data = 0;

	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	lab_deliver(lab);
	lab_drop(lab);
	builder_raw(&b, UNKNOWN_PAYLOAD, true, bytes_str("?"));
	lab_inject(&lab->a, lab_sa(&lab->a), EXCHANGE_IKE_AUTH, false, 1, &b);
	lab_deliver(lab);
	ck_assert_uint_eq(answer_notify(lab, &data), NOTIFY_UNSUPPORTED_CRITICAL_PAYLOAD);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	ck_assert_uint_eq(lab->b.half_open, 0);
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	lab_free(lab);
}
END_TEST

/* RFC 7296, 2.21.3: INVALID_SYNTAX ends the IKE_SA on both sides. _i: what is wrong */
START_TEST(bad_request)
{
	struct lab *lab = peer_up();
	struct ike_sa *a = lab_sa(&lab->a);
	struct builder b = peer_builder();
	struct arena arena = { 0 };
	struct ike_header h;
	struct payload_list list;
	uint64_t r = lab_add_child(&lab->a, a, "two");
	unsigned data = 0;

	lab_peek(lab, 0, &arena, &h, &list);
	lab_drop(lab);
	for (size_t i = 0; i < list.count; i++) {
		bool ts = list.p[i].type == PAYLOAD_TSI || list.p[i].type == PAYLOAD_TSR;

		if ((_i == 0 && list.p[i].type == PAYLOAD_NONCE) || (_i == 1 && ts))
			continue;
		builder_payload(&b, &list.p[i]);
		if (_i == 2 && list.p[i].type == PAYLOAD_NONCE)
			builder_payload(&b, &list.p[i]);
	}
	if (_i == 3)
		builder_raw(&b, PAYLOAD_NOTIFY, false, bytes_str("\377"));
	lab_inject(&lab->a, a, EXCHANGE_CREATE_CHILD_SA, false, a->out.next - 1, &b);
	arena_free(&arena);
	lab_deliver(lab);
	ck_assert_uint_eq(answer_notify(lab, &data), NOTIFY_INVALID_SYNTAX);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	ck_assert_uint_eq(lab->b.kernel_children, 0);
	lab_deliver(lab);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_SYNTAX);
	lab_free(lab);
}
END_TEST

/* What can be wrong with the answer to our CREATE_CHILD_SA. */
enum answer_fault { PROPOSAL_NOT_OFFERED, TWO_PROPOSALS, TSI_WIDER, TSR_ELSEWHERE, NO_KE, OTHER_KE, BAD_KE, ANSWER_FAULTS };

static void answer_build(struct builder *b, const struct payload_list *req, enum answer_fault fault)
{
	struct transform ts[4];
	struct proposal p[2] = { payload_find(req, PAYLOAD_SA, NULL)->sa.p[0] };
	struct ts tsi = payload_find(req, PAYLOAD_TSI, NULL)->ts.p[0], tsr = payload_find(req, PAYLOAD_TSR, NULL)->ts.p[0];
	static const uint8_t nonce[32] = { 1 }, public[32] = { 9 }, zero[32];

	memcpy(ts, p[0].transforms, p[0].count * sizeof(*ts));
	p[0].transforms = ts;
	if (fault == PROPOSAL_NOT_OFFERED)
		ts[0].key_bits = 256;
	p[1] = p[0];
	p[1].number = 2;
	if (fault == TSI_WIDER)
		tsi.from[2] = 0;
	if (fault == TSR_ELSEWHERE)
		tsr.from[1] = tsr.to[1] = 77;
	builder_sa(b, (struct proposal_list){ fault == TWO_PROPOSALS ? 2 : 1, p });
	builder_nonce(b, bytes_of(nonce, sizeof(nonce)));
	if (fault != NO_KE)
		builder_ke(b, fault == OTHER_KE ? KE_CURVE_448 : KE_CURVE_25519,
			   fault == BAD_KE ? bytes_of(zero, sizeof(zero)) : bytes_of(public, sizeof(public)));
	builder_ts(b, true, (struct ts_list){ 1, &tsi });
	builder_ts(b, false, (struct ts_list){ 1, &tsr });
}

/* The child is not to be, the peer is told to drop it, the IKE_SA and its other child go on (law 1). */
START_TEST(bad_answer)
{
	struct lab *lab = peer_up();
	struct ike_sa *a = lab_sa(&lab->a), *b_sa = lab_sa(&lab->b);
	struct builder b = peer_builder();
	struct arena arena = { 0 };
	struct ike_header h;
	struct payload_list list;
	uint64_t r = lab_add_child(&lab->a, a, "two");
	uint32_t spi = a->children->spi_in;

	ck_assert_uint_eq(a->children->state, CHILD_STATE_CREATED);
	lab_peek(lab, 0, &arena, &h, &list);
	answer_build(&b, &list, _i);
	lab_drop(lab);
	b_sa->in.next++; /* as if it had taken the request */
	lab_inject(&lab->b, b_sa, EXCHANGE_CREATE_CHILD_SA, true, h.message_id, &b);
	arena_reset(&arena);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	ck_assert_int_ne(lab->a.requests[r].cause, CAUSE_NONE);
	ck_assert_uint_eq(lab->a.kernel_children, 1);
	ck_assert_uint_eq(lab->a.kernel_spis, 0);
	/* a Delete with the SPI goes out */
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_peek(lab, 0, &arena, &h, &list);
	ck_assert_uint_eq(h.exchange, EXCHANGE_INFORMATIONAL);
	ck_assert_uint_eq(list.count, 1);
	ck_assert_uint_eq(list.p[0].type, PAYLOAD_DELETE);
	ck_assert_uint_eq(list.p[0].del.protocol, PROTOCOL_ESP);
	ck_assert_uint_eq(payload_delete_spi(&list.p[0].del, 0), spi);
	arena_free(&arena);
	lab_run(lab);
	expect_good(lab);
	lab_free(lab);
}
END_TEST

/* A Delete of SPIs that nobody has, of 0, of the same one twice, and with one for the IKE_SA behind it. */
START_TEST(odd_deletes)
{
	struct lab *lab = peer_up();
	struct ike_sa *a = lab_sa(&lab->a);
	uint32_t spis[] = { 0, 0x12345678, a->children->spi_in, a->children->spi_in };
	struct builder b = peer_builder();

	builder_delete(&b, PROTOCOL_ESP, spis, 2);
	lab_inject(&lab->a, a, EXCHANGE_INFORMATIONAL, false, a->out.next++, &b);
	lab_run(lab);
	ck_assert_uint_eq(lab->b.kernel_children, 1);
	b = peer_builder();
	builder_delete(&b, PROTOCOL_ESP, spis, 4);
	lab_inject(&lab->a, a, EXCHANGE_INFORMATIONAL, false, a->out.next++, &b);
	lab_run(lab);
	ck_assert_uint_eq(lab->b.kernel_children, 0);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_CHILD_DOWN), 1);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	b = peer_builder();
	builder_delete(&b, PROTOCOL_ESP, spis, 2);
	builder_delete(&b, PROTOCOL_IKE, NULL, 0);
	lab_inject(&lab->a, a, EXCHANGE_INFORMATIONAL, false, a->out.next++, &b);
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	lab_free(lab);
}
END_TEST

/* ---- strangers, before there are keys ---- */

/* RFC 7296, 2.6: COOKIEs that never end are not followed for ever. */
START_TEST(cookie_loop)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	uint8_t cookie[64] = { 0 };
	unsigned requests = 0;

	lab_initiate(&lab->a, "one");
	for (unsigned round = 0; round < 20; round++) {
		struct builder b = peer_builder();

		while (lab->n_packets > 1)
			lab_drop(lab);
		cookie[0]++;
		builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_COOKIE, bytes_of(cookie, sizeof(cookie)));
		lab_inject_init(&lab->a, 0, &b);
		lab_choose(lab, lab->n_packets - 1);
		lab_deliver(lab);
		requests += lab->n_packets > 1;
	}
	ck_assert_uint_eq(requests, LIMIT_COOKIE_ROUNDS);
	/* the last one reaches the peer */
	while (lab->n_packets > 1)
		lab_drop(lab);
	lab_run(lab);
	expect_good(lab);
	lab_free(lab);
}
END_TEST

/*
 * RFC 7296, 2.6: asked for a cookie, a sends its request again; b sees only a late repeat of the first one and answers that. a authenticates
 * what it sent last, which b has never seen.
 */
START_TEST(cookie_crosses_a_repeat)
{
	struct lab *lab = _i == 3 ? lab_new(CONF_A_WITH("encap = yes", CHILD_A("one", "1", "") CHILD_A("two", "2", "")), CONF_B)
				  : lab_new(CONF_A, CONF_B);
	struct builder b = peer_builder();
	uint8_t cookie[LAB_COOKIE];
	uint64_t request;

	memset(cookie, _i == 2 ? 0x33 : _i == 1 ? 0x22 : 0x11, sizeof(cookie));
	request = lab_initiate(&lab->a, "one");
	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_COOKIE, bytes_of(cookie, sizeof(cookie)));
	lab_inject_init(&lab->a, 0, &b);
	lab_choose(lab, 1);
	lab_deliver(lab); /* the cookie: now the first request and the second are under way */
	ck_assert_uint_eq(lab->n_packets, 2);
	lab_choose(lab, 1);
	lab_drop(lab);
	lab_run(lab);
	if (_i != 2)
		expect_good(lab);
	else /* not a cookie of b: what the peer authenticates is not what b answered */
		ck_assert(!lab_sa(&lab->b) && lab->a.requests[request].cause == CAUSE_AUTHENTICATION);
	lab_free(lab);
}
END_TEST

/* The same, but b's answer to the first request is lost: the second, with the cookie, earns it again. */
START_TEST(cookie_after_an_answer)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	struct builder b = peer_builder();
	uint8_t cookie[LAB_COOKIE];

	memset(cookie, _i ? 0x33 : 0x11, sizeof(cookie));
	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	lab_drop(lab); /* the answer */
	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_COOKIE, bytes_of(cookie, sizeof(cookie)));
	lab_inject_init(&lab->a, 0, &b);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_deliver(lab); /* the request with the cookie */
	ck_assert_uint_eq(lab->n_packets, _i ? 0 : 1);
	if (_i == 0) {
		lab_run(lab);
		expect_good(lab);
	}
	lab_free(lab);
}
END_TEST

START_TEST(invalid_ke_loop)
{
	struct lab *lab = lab_new(CONF_A_WITH("proposals = aes128-sha256-x25519-ecp256-ecp384", CHILD_A("one", "1", "") CHILD_A("two", "2", "")),
				  CONF_B_WITH("proposals = aes128-sha256-x25519-ecp256-ecp384", CHILD_B("one", "1", "") CHILD_B("two", "2", "")));
	static const uint16_t methods[] = { KE_ECP_256, KE_ECP_384, KE_CURVE_25519 };
	unsigned requests = 0;

	lab_initiate(&lab->a, "one");
	for (unsigned round = 0; round < 30; round++) {
		/* every fourth asks for one that we never offered */
		uint16_t method = round % 4 == 3 ? KE_MODP_2048 : methods[(round - round / 4) % 3];
		uint8_t data[2] = { (uint8_t)(method >> 8), (uint8_t)method };
		struct builder b = peer_builder();

		while (lab->n_packets > 1)
			lab_drop(lab);
		builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_INVALID_KE_PAYLOAD, bytes_of(data, 2));
		lab_inject_init(&lab->a, 0, &b);
		lab_choose(lab, lab->n_packets - 1);
		lab_deliver(lab);
		requests += lab->n_packets > 1;
		ck_assert(method != KE_MODP_2048 || lab->n_packets == 1);
	}
	ck_assert_uint_eq(requests, LIMIT_INVALID_KE_ROUNDS);
	while (lab->n_packets > 1)
		lab_drop(lab);
	/* b prefers x25519: it may be asked for once more than we follow, then the attempt waits and ends */
	lab_run(lab);
	ck_assert_uint_le(lab_live(&lab->a), 1);
	lab_free(lab);
}
END_TEST

/* RFC 7296, 2.21.1: an error that anybody can have sent does not end the attempt; the good answer still counts. */
START_TEST(unauthenticated_error)
{
	static const unsigned notifies[] = { NOTIFY_AUTHENTICATION_FAILED, NOTIFY_NO_PROPOSAL_CHOSEN, NOTIFY_INVALID_SYNTAX,
					     NOTIFY_INVALID_MAJOR_VERSION, NOTIFY_TEMPORARY_FAILURE };
	struct lab *lab = lab_new(CONF_A, CONF_B);

	lab_initiate(&lab->a, "one");
	for (unsigned n = 0; n < 10; n++) {
		struct builder b = peer_builder();

		builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, notifies[_i], BYTES_NONE);
		lab_inject_init(&lab->a, n % 2 ? 0 : 0x4711, &b);
		lab_choose(lab, 1);
		lab_deliver(lab);
		ck_assert_uint_eq(lab->n_packets, 1);
		ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_CONNECTING);
	}
	lab_run(lab);
	expect_good(lab);
	lab_free(lab);
}
END_TEST

/* Answers to IKE_SA_INIT that are no good are passed over. */
START_TEST(bad_init_answer)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	struct builder b = peer_builder();
	struct transform ts[] = { { TRANSFORM_ENCR, ENCR_AES_GCM_16, _i == 0 ? 256 : 128 }, { TRANSFORM_PRF, PRF_HMAC_SHA2_256, 0 },
				  { TRANSFORM_KE, KE_CURVE_25519, 0 } };
	struct proposal p = { .protocol = PROTOCOL_IKE, .number = 1, .count = 3, .transforms = ts };
	uint8_t public[32] = { 9 };
	static const uint8_t nonce[32] = { 1 };

	if (_i == 1)
		public[0] = 0;
	lab_initiate(&lab->a, "one");
	builder_sa(&b, (struct proposal_list){ 1, &p });
	if (_i != 2)
		builder_ke(&b, _i == 3 ? KE_ECP_256 : KE_CURVE_25519, bytes_of(public, sizeof(public)));
	builder_nonce(&b, bytes_of(nonce, sizeof(nonce)));
	lab_inject_init(&lab->a, _i == 4 ? 0 : 0x4711, &b);
	lab_choose(lab, 1);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_run(lab);
	expect_good(lab);
	lab_free(lab);
}
END_TEST

Suite *peer_suite(void)
{
	Suite *s = suite_create("exchange/peer");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, before_auth, 0, 2);
	tcase_add_loop_test(t, auth_again, 0, 3);
	tcase_add_test(t, critical_in_request);
	tcase_add_test(t, critical_in_response);
	tcase_add_test(t, critical_in_auth);
	tcase_add_loop_test(t, bad_request, 0, 4);
	tcase_add_loop_test(t, bad_answer, 0, ANSWER_FAULTS);
	tcase_add_test(t, odd_deletes);
	tcase_add_test(t, cookie_loop);
	tcase_add_loop_test(t, cookie_crosses_a_repeat, 0, 4);
	tcase_add_loop_test(t, cookie_after_an_answer, 0, 2);
	tcase_add_test(t, invalid_ke_loop);
	tcase_add_loop_test(t, unauthenticated_error, 0, 5);
	tcase_add_loop_test(t, bad_init_answer, 0, 5);
	suite_add_tcase(s, t);
	return s;
}
