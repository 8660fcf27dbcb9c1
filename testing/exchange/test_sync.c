/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "confs.h"
#include "lab.h"
#include "sa/sync.h"
#include "suites.h"

/* RFC 6311: b is a cluster of which another member takes over; a is its peer. */

#define IKE_CBC "proposals = aes128-sha256-x25519"
#define CONF_A_CBC CONF_A_WITH(IKE_CBC, CHILD_A("one", "1", ESP) CHILD_A("two", "2", ESP))
#define CONF_B_CBC CONF_B_WITH(IKE_CBC, CHILD_B("one", "1", ESP) CHILD_B("two", "2", ESP))

static struct lab *sync_up(bool cbc)
{
	struct lab *lab = cbc ? lab_new(CONF_A_CBC, CONF_B_CBC) : lab_new(CONF_A, CONF_B);

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_ptr_nonnull(lab_sa(&lab->a));
	ck_assert_ptr_nonnull(lab_sa(&lab->b));
	return lab;
}

/* Each side knows what the other sends next. */
static void expect_in_step(struct lab *lab)
{
	struct ike_sa *a = lab_sa(&lab->a), *b = lab_sa(&lab->b);

	ck_assert_uint_eq(a->out.next, b->in.next);
	ck_assert_uint_eq(b->out.next, a->in.next);
	ck_assert_ptr_null(a->outstanding);
	ck_assert_ptr_null(b->outstanding);
}

/* Exchanges of both sides are answered. */
static void expect_alive(struct lab *lab)
{
	struct ike_sa *sas[] = { lab_sa(&lab->a), lab_sa(&lab->b) };

	for (size_t i = 0; i < 2; i++) {
		uint32_t next = sas[i]->out.next;

		ike_sa_probe(sas[i]);
		lab_run(lab);
		ck_assert_uint_eq(sas[i]->out.next, next + 1);
		ck_assert_ptr_null(sas[i]->outstanding);
	}
	expect_in_step(lab);
}

/* A sync request of b, as a member of a cluster would make it, is put under way. */
static void inject_sync(struct lab *lab, uint32_t nonce, uint32_t send, uint32_t recv, bool response)
{
	struct sync_values v = { nonce, send, recv };
	uint8_t room[64];
	struct builder b = builder_of(room, sizeof(room));
	uint8_t data[12];
	struct writer w = writer_of(data, sizeof(data));

	writer_u32(&w, v.nonce);
	writer_u32(&w, v.send);
	writer_u32(&w, v.recv);
	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_IKEV2_MESSAGE_ID_SYNC, writer_done(&w));
	lab_inject(&lab->b, lab_sa(&lab->b), EXCHANGE_INFORMATIONAL, response, 0, &b);
}

/* RFC 6311, 5: both have to announce it, the responder only to who did. _i: who does not, bit 0 a, bit 1 b */
START_TEST(negotiated)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);

	lab->a.ctx.options.message_id_sync = !(_i & 1);
	lab->b.ctx.options.message_id_sync = !(_i & 2);
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_int_eq(lab_sa(&lab->a)->sync_ids, !_i);
	ck_assert_int_eq(lab_sa(&lab->b)->sync_ids, !_i);
	ck_assert_int_eq(lab_sa(&lab->a)->sync_replay, !_i);
	ck_assert_int_eq(lab_sa(&lab->b)->sync_replay, !_i);
	ck_assert_int_eq(ike_sa_sync(lab_sa(&lab->b), 0), !_i);
	lab_run(lab);
	lab_free(lab);
}
END_TEST

/* _i: bit 0 AES-CBC, bit 1 who asks is the original initiator */
START_TEST(asked_and_answered)
{
	struct lab *lab = sync_up(_i & 1);
	struct ike_sa *a = lab_sa(&lab->a), *b = lab_sa(&lab->b), *asks = _i & 2 ? a : b;
	uint32_t before = asks->out.next;

	for (unsigned n = 1; n <= 3; n++) {
		struct arena arena = { 0 };
		struct payload_list in;
		struct ike_header h;

		ike_sa_sync_ids(asks);
		ike_sa_sync_ids(asks); /* once is enough */
		ck_assert_uint_eq(lab->n_packets, 1);
		lab_peek(lab, 0, &arena, &h, &in);
		ck_assert_uint_eq(h.message_id, 0);
		ck_assert_uint_eq(in.count, 1);
		lab_deliver(lab);
		arena_reset(&arena);
		lab_peek(lab, 0, &arena, &h, &in);
		ck_assert_uint_eq(h.message_id, 0);
		ck_assert_uint_eq(in.count, 1);
		lab_run(lab);
		arena_free(&arena);
		/* what was said to be used up is not used again */
		ck_assert_uint_ge(asks->out.next, before + n);
		expect_in_step(lab);
	}
	expect_alive(lab);
	lab_free(lab);
}
END_TEST

/* RFC 6311, appendix A.3: the new member knows less of what came in than the old one. */
START_TEST(learns_from_answer)
{
	struct lab *lab = sync_up(_i);
	struct ike_sa *b = lab_sa(&lab->b);

	ike_sa_probe(lab_sa(&lab->a));
	lab_run(lab);
	ike_sa_probe(b);
	lab_run(lab);
	b->in.next = 1; /* stale */
	b->out.next = 7; /* a wide guess */
	ike_sa_sync_ids(b);
	lab_run(lab);
	ck_assert_uint_eq(b->in.next, lab_sa(&lab->a)->out.next);
	ck_assert_uint_gt(b->out.next, 7);
	expect_in_step(lab);
	expect_alive(lab);
	lab_free(lab);
}
END_TEST

/* The answer is lost, once or for good while the request is repeated: the same answer, no move. */
START_TEST(repeated_request)
{
	struct lab *lab = sync_up(_i);
	struct ike_sa *a = lab_sa(&lab->a), *b = lab_sa(&lab->b);
	struct bytes first;
	uint32_t in, out;

	ike_sa_sync_ids(b);
	lab_deliver(lab);
	first = bytes_of(xmemdup(lab->packets[0].data, lab->packets[0].n), lab->packets[0].n);
	lab_drop(lab);
	in = a->in.next;
	out = a->out.next;
	for (unsigned i = 0; i < 2; i++) {
		lab_advance(lab, 8000);
		lab_deliver(lab);
		ck_assert_uint_eq(lab->n_packets, 1);
		ck_assert(bytes_equal(bytes_of(lab->packets[0].data, lab->packets[0].n), first));
		if (i == 0)
			lab_drop(lab);
	}
	ck_assert_uint_eq(a->in.next, in);
	ck_assert_uint_eq(a->out.next, out);
	lab_run(lab);
	free((void *)(uintptr_t)first.p);
	expect_in_step(lab);
	expect_alive(lab);
	lab_free(lab);
}
END_TEST

/* RFC 6311 5.1 MUST: a sync from before, played back by anybody, is dropped in silence. */
START_TEST(old_request_replayed)
{
	struct lab *lab = sync_up(_i);
	struct ike_sa *a = lab_sa(&lab->a), *b = lab_sa(&lab->b);
	struct lab_packet old;
	uint32_t in, out;

	ike_sa_sync_ids(b);
	old = lab->packets[0];
	old.data = xmemdup(old.data, old.n);
	lab_run(lab);
	ike_sa_sync_ids(b);
	lab_run(lab);
	ike_sa_probe(a);
	lab_drop(lab); /* a waits for an answer */
	in = a->in.next;
	out = a->out.next;
	lab->packets[lab->n_packets++] = old;
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 0);
	ck_assert_uint_eq(a->in.next, in);
	ck_assert_uint_eq(a->out.next, out);
	ck_assert_uint_gt(lab->a.ctx.counters[SA_COUNTER_STALE], 0);
	ck_assert_ptr_nonnull(a->outstanding);
	lab_advance(lab, 4100);
	lab_run(lab);
	expect_alive(lab);
	lab_free(lab);
}
END_TEST

/* M1 must be above all that was seen: ids of requests, earlier syncs. */
START_TEST(low_m1)
{
	struct lab *lab = sync_up(false);
	struct ike_sa *a = lab_sa(&lab->a);

	inject_sync(lab, 1, 5, 3, false);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_drop(lab);
	ck_assert_uint_eq(a->in.next, 5);
	ck_assert_uint_eq(a->out.next, 3);
	inject_sync(lab, 2, 5, 9, false); /* nothing was asked since, but 5 was named */
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 0);
	ck_assert_uint_eq(a->out.next, 3);
	inject_sync(lab, 3, 4, 9, false);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 0);
	inject_sync(lab, 4, 6, 2, false);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 1);
	ck_assert_uint_eq(a->in.next, 6);
	ck_assert_uint_eq(a->out.next, 3); /* never back */
	/* RFC 7296, 2.2: the last id can never be used */
	lab_drop(lab);
	inject_sync(lab, 5, UINT32_MAX, 3, false);
	inject_sync(lab, 6, 7, UINT32_MAX, false);
	lab_run(lab);
	ck_assert_uint_eq(lab->n_packets, 0);
	ck_assert_uint_eq(a->in.next, 6);
	ck_assert_uint_eq(a->out.next, 3);
	lab_free(lab);
}
END_TEST

/* RFC 6311 5.1 MUST NOT: other payloads with it; nor is a malformed one obeyed. */
START_TEST(not_alone)
{
	struct lab *lab = sync_up(false);
	struct ike_sa *a = lab_sa(&lab->a);
	static const uint8_t data[16] = { 1, 2, 3, 4, 0, 0, 0, 9, 0, 0, 0, 9 };
	uint8_t room[128];
	struct builder b = builder_of(room, sizeof(room));

	switch (_i) {
	case 0:
		builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_IKEV2_MESSAGE_ID_SYNC, bytes_of(data, 12));
		builder_delete(&b, PROTOCOL_IKE, NULL, 0);
		break;
	case 1:
		builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_IKEV2_MESSAGE_ID_SYNC, bytes_of(data, 12));
		builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_IKEV2_MESSAGE_ID_SYNC, bytes_of(data, 12));
		break;
	case 2:
		builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_IKEV2_MESSAGE_ID_SYNC, bytes_of(data, 11));
		break;
	case 3:
		builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_IKEV2_MESSAGE_ID_SYNC, bytes_of(data, 16));
		break;
	case 4: /* nothing of a sync in it: a stale id */
		builder_delete(&b, PROTOCOL_IKE, NULL, 0);
		a->in.next = 4;
		break;
	}
	lab_inject(&lab->b, lab_sa(&lab->b), EXCHANGE_INFORMATIONAL, false, 0, &b);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 0);
	ck_assert_uint_eq(a->in.next, _i == 4 ? 4 : 0);
	ck_assert_int_eq(a->state, IKE_STATE_ESTABLISHED);
	lab_free(lab);
}
END_TEST

START_TEST(not_negotiated)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	struct ike_sa *a;

	lab->a.ctx.options.message_id_sync = false;
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	a = lab_sa(&lab->a);
	ike_sa_probe(lab_sa(&lab->b));
	lab_run(lab);
	inject_sync(lab, 1, 9, 9, false);
	lab_run(lab);
	ck_assert_uint_eq(a->in.next, 1);
	ck_assert_uint_eq(a->out.next, 2);
	ike_sa_sync_ids(lab_sa(&lab->b));
	ck_assert_uint_eq(lab->n_packets, 0);
	expect_alive(lab);
	lab_free(lab);
}
END_TEST

/* RFC 6311 5.1 MUST: an answer with another nonce is dropped; so is one that goes back, and one that answers nothing. */
START_TEST(wrong_answer)
{
	struct lab *lab = sync_up(_i & 1);
	struct ike_sa *a = lab_sa(&lab->a);
	struct arena arena = { 0 };
	struct payload_list in;
	struct sync_values v;
	struct ike_header h;
	uint8_t room[16];
	struct builder empty = builder_of(room, sizeof(room));

	inject_sync(lab, 77, 50, 50, true); /* nothing was asked */
	lab_run(lab);
	ck_assert_uint_eq(a->out.next, 2);
	ike_sa_sync_ids(a);
	lab_peek(lab, 0, &arena, &h, &in);
	ck_assert(sync_parse(&in, true, &v));
	lab_drop(lab);
	inject_sync(lab, v.nonce + 1, 50, 50, true);
	inject_sync(lab, v.nonce, 50, v.send - 1, true);
	lab_inject(&lab->b, lab_sa(&lab->b), EXCHANGE_INFORMATIONAL, true, 0, &empty);
	lab_run(lab);
	ck_assert_uint_eq(a->out.next, v.send);
	ck_assert_uint_eq(a->in.next, v.recv);
	ck_assert_ptr_nonnull(a->outstanding);
	lab_advance(lab, 4100);
	lab_run(lab);
	expect_in_step(lab);
	inject_sync(lab, v.nonce, 50, 50, true); /* RFC 6311, 11 MUST: no answer counts twice */
	lab_run(lab);
	ck_assert_uint_eq(a->in.next, v.recv);
	expect_alive(lab);
	arena_free(&arena);
	lab_free(lab);
}
END_TEST

/* Nobody answers: the IKE_SA ends as with any other request. */
START_TEST(no_answer)
{
	struct lab *lab = sync_up(false);

	ike_sa_sync_ids(lab_sa(&lab->a));
	for (unsigned i = 0; i < 300 && lab->a.n_sas; i++) {
		while (lab->n_packets)
			lab_drop(lab);
		lab_advance(lab, 1000);
	}
	ck_assert_uint_eq(lab->a.n_sas, 0);
	lab_free(lab);
}
END_TEST

/* ---- requests that are under way ---- */

enum waits { WAITS_PROBE, WAITS_CHILD, WAITS_CHILD_DELETE, WAITS_IKE_DELETE, WAITS_CHILD_REKEY, WAITS_IKE_REKEY, WAITS };

static uint64_t sync_begin(struct lab *lab, struct ike_sa *a, enum waits what)
{
	struct sa_request r = lab_request_new(&lab->a);

	switch (what) {
	case WAITS_CHILD:
		return lab_add_child(&lab->a, a, "two");
	case WAITS_CHILD_DELETE:
		ike_sa_terminate_child(a, a->children, r);
		return r.id;
	case WAITS_IKE_DELETE:
		ike_sa_terminate(a, false, r);
		return r.id;
	case WAITS_CHILD_REKEY:
		ike_sa_rekey_child(a, a->children);
		return 0;
	case WAITS_IKE_REKEY:
		ike_sa_rekey(a);
		return 0;
	case WAITS_PROBE:
	case WAITS:
		break;
	}
	ike_sa_probe(a);
	return 0;
}

/*
 * a has asked something when b's other member takes over: nobody will answer under the old id (RFC 6311, 9). _i: what it is;
 * whether the request (0) or only the answer (1) was lost; with AES-CBC.
 */
START_TEST(outstanding_of_peer)
{
	enum waits what = _i % WAITS;
	struct lab *lab = sync_up(_i / WAITS & 2);
	struct ike_sa *a = lab_sa(&lab->a), *b = lab_sa(&lab->b);
	uint64_t r = sync_begin(lab, a, what);

	if (_i / WAITS & 1)
		lab_deliver(lab);
	lab_drop(lab);
	/* b has closed or replaced it: there is nothing to take over */
	if ((what == WAITS_IKE_DELETE || what == WAITS_IKE_REKEY) && _i / WAITS & 1) {
		lab_run(lab);
		lab_free(lab);
		return;
	}
	ike_sa_sync_ids(b);
	lab_run(lab);
	for (unsigned i = 0; i < 20; i++) { /* what is tried again later, and what lingers */
		lab_advance(lab, 1000);
		lab_run(lab);
	}
	if (r)
		ck_assert_uint_eq(lab->a.requests[r].done, 1);
	if (what == WAITS_IKE_DELETE) {
		ck_assert_uint_eq(lab_live(&lab->a) + lab_live(&lab->b), 0);
	} else {
		ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), lab_children(&lab->b, CHILD_STATE_INSTALLED));
		ck_assert_uint_eq(lab->a.kernel_children, lab->b.kernel_children);
		ck_assert_uint_eq(lab->a.kernel_children, what == WAITS_CHILD_DELETE ? 0 :
							  what == WAITS_CHILD && lab->a.requests[r].cause == CAUSE_NONE ? 2 : 1);
		expect_in_step(lab);
		expect_alive(lab);
	}
	lab_free(lab);
}
END_TEST

/* b itself waits for an answer when it is told to synchronize: first things first. _i: what it waits for */
START_TEST(outstanding_of_asker)
{
	struct lab *lab = sync_up(false);
	struct ike_sa *a = lab_sa(&lab->a);
	uint64_t r = sync_begin(lab, a, _i);

	ike_sa_sync_ids(a);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_run(lab);
	if (r)
		ck_assert_uint_eq(lab->a.requests[r].done, 1);
	if (_i != WAITS_IKE_DELETE) {
		expect_in_step(lab);
		expect_alive(lab);
	}
	lab_free(lab);
}
END_TEST

/* RFC 6311, appendix A.4: both sides fail over at once. _i: whose request comes first, and whose answer is lost */
START_TEST(both_ask)
{
	struct lab *lab = sync_up(_i & 4);
	struct ike_sa *a = lab_sa(&lab->a), *b = lab_sa(&lab->b);

	ike_sa_sync_ids(a);
	ike_sa_sync_ids(b);
	ck_assert_uint_eq(lab->n_packets, 2);
	lab_choose(lab, _i & 1);
	if (_i & 2) {
		lab_deliver(lab);
		lab_deliver(lab);
		lab_drop(lab);
		lab_run(lab);
		lab_advance(lab, 4100);
	}
	lab_run(lab);
	expect_in_step(lab);
	expect_alive(lab);
	lab_free(lab);
}
END_TEST

/* The backend takes its time with a request of the peer: the sync waits for a repeat. */
START_TEST(while_answering)
{
	struct lab *lab = sync_up(false);
	struct ike_sa *a = lab_sa(&lab->a);

	lab->a.kernel_async = true;
	lab_add_child(&lab->b, lab_sa(&lab->b), "two");
	lab_deliver(lab);
	ck_assert_uint_gt(lab->a.n_pending, 0);
	inject_sync(lab, 1, 9, 9, false);
	lab_deliver(lab);
	ck_assert_uint_eq(a->in.next, 1);
	while (lab->a.n_pending)
		lab_kernel_complete(&lab->a, KERNEL_OK);
	lab_run(lab);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 2);
	lab_free(lab);
}
END_TEST

/* ---- sequence numbers ---- */

/* _i: bit 0 as an ordinary request, because only that was negotiated */
START_TEST(replay_counters)
{
	struct lab *lab = sync_up(false);
	struct ike_sa *a = lab_sa(&lab->a), *b = lab_sa(&lab->b);

	if (_i)
		a->sync_ids = b->sync_ids = false;
	lab_add_child(&lab->a, a, "two");
	lab_run(lab);
	ck_assert(ike_sa_sync(b, 1000));
	lab_run(lab);
	ck_assert_uint_eq(lab->a.kernel_children, 2);
	for (struct child_sa *c = a->children; c; c = c->next)
		ck_assert_uint_eq(lab_seq_out(c), 1000);
	for (struct child_sa *c = b->children; c; c = c->next)
		ck_assert_uint_eq(lab_seq_out(c), 0);
	expect_alive(lab);
	/* without a delta there is nothing to agree on but ids */
	ck_assert_int_eq(ike_sa_sync(b, 0), !_i);
	lab_run(lab);
	for (struct child_sa *c = a->children; c; c = c->next)
		ck_assert_uint_eq(lab_seq_out(c), 1000);
	lab_free(lab);
}
END_TEST

/* A repeat of the request does not make the numbers jump twice. */
START_TEST(replay_counters_once)
{
	struct lab *lab = sync_up(false);
	struct ike_sa *a = lab_sa(&lab->a), *b = lab_sa(&lab->b);

	if (_i)
		a->sync_ids = b->sync_ids = false;
	ck_assert(ike_sa_sync(b, 1000));
	lab_repeat(lab);
	lab_run(lab);
	ck_assert_uint_eq(lab_seq_out(a->children), 1000);
	lab_free(lab);
}
END_TEST

START_TEST(replay_counters_refused)
{
	struct lab *lab = sync_up(false);
	struct ike_sa *a = lab_sa(&lab->a);
	uint8_t room[64], data[8] = { 0, 0, 1 };
	struct builder b = builder_of(room, sizeof(room));

	a->sync_replay = _i != 0; /* 0: not negotiated, 1: malformed */
	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_IPSEC_REPLAY_COUNTER_SYNC, bytes_of(data, _i ? 5 : 4));
	lab_inject(&lab->b, lab_sa(&lab->b), EXCHANGE_INFORMATIONAL, false, 0, &b);
	lab_deliver(lab);
	ck_assert_uint_eq(lab_seq_out(a->children), 0);
	ck_assert_uint_eq(lab->n_packets, 1); /* answered all the same */
	lab_free(lab);
}
END_TEST

/* ---- IVs ---- */

/* RFC 5282, 3.1: every message has an IV of its own, those with id 0 as well. */
START_TEST(ivs_differ)
{
	struct lab *lab = sync_up(_i);
	uint8_t ivs[32][8];
	size_t n = 0;

	for (unsigned i = 0; i < 8; i++) {
		if (i == 4)
			ike_sa_probe(lab_sa(&lab->a));
		if (i == 4)
			lab_drop(lab); /* is sent again under another id */
		ike_sa_sync_ids(lab_sa(&lab->b));
		while (lab->n_packets) {
			/* of what a sends; b has other keys */
			if (lab->packets[0].to == &lab->b) {
				ck_assert_uint_lt(n, 32);
				memcpy(ivs[n++], lab->packets[0].data + IKE_HEADER_LEN + 4, 8);
			}
			lab_deliver(lab);
		}
	}
	ck_assert_uint_ge(n, 9);
	for (size_t i = 0; i < n; i++)
		for (size_t k = 0; k < i; k++)
			ck_assert_mem_ne(ivs[i], ivs[k], 8);
	expect_alive(lab);
	lab_free(lab);
}
END_TEST

Suite *sync_suite(void)
{
	Suite *s = suite_create("exchange/sync");
	TCase *t = tcase_create("ids"), *w = tcase_create("under way"), *r = tcase_create("sequence numbers");

	tcase_add_loop_test(t, negotiated, 0, 4);
	tcase_add_loop_test(t, asked_and_answered, 0, 4);
	tcase_add_loop_test(t, learns_from_answer, 0, 2);
	tcase_add_loop_test(t, repeated_request, 0, 2);
	tcase_add_loop_test(t, old_request_replayed, 0, 2);
	tcase_add_test(t, low_m1);
	tcase_add_loop_test(t, not_alone, 0, 5);
	tcase_add_test(t, not_negotiated);
	tcase_add_loop_test(t, wrong_answer, 0, 2);
	tcase_add_test(t, no_answer);
	tcase_add_loop_test(t, ivs_differ, 0, 2);
	suite_add_tcase(s, t);
	tcase_add_loop_test(w, outstanding_of_peer, 0, 4 * WAITS);
	tcase_add_loop_test(w, outstanding_of_asker, 0, WAITS);
	tcase_add_loop_test(w, both_ask, 0, 8);
	tcase_add_test(w, while_answering);
	suite_add_tcase(s, w);
	tcase_add_loop_test(r, replay_counters, 0, 2);
	tcase_add_loop_test(r, replay_counters_once, 0, 2);
	tcase_add_loop_test(r, replay_counters_refused, 0, 2);
	suite_add_tcase(s, r);
	return s;
}
