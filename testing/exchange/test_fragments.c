/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "confs.h"
#include "lab.h"
#include "sa/fragment.h"
#include "suites.h"

/* IKE messages in fragments (RFC 7383): lost, repeated, in any order, forged, too many. */

#define SIZE 256 /* bytes of an IP datagram */
#define HEADERS 28
#define SELECTORS ",10.9.1.0/24,10.9.3.0/24,10.9.5.0/24,10.9.7.0/24,10.9.9.0/24,10.9.11.0/24,10.9.13.0/24,10.9.15.0/24," \
	"10.9.17.0/24,10.9.19.0/24,10.9.21.0/24,10.9.23.0/24"
#define LARGE(NAME, LOCAL, REMOTE)                                                                 \
	NAME " { local_ts = " LOCAL SELECTORS "\n remote_ts = " REMOTE SELECTORS "\n" ESP " }\n"
#define IKE_WITH(VALUE) CONF_IKE "\n fragmentation = " VALUE
#define CONF_LARGE_A(VALUE) CONF_A_WITH(IKE_WITH(VALUE), LARGE("one", "10.1.1.0/24", "10.1.2.0/24") LARGE("two", "10.2.1.0/24", "10.2.2.0/24"))
#define CONF_LARGE_B(VALUE) CONF_B_WITH(IKE_WITH(VALUE), LARGE("one", "10.1.2.0/24", "10.1.1.0/24") LARGE("two", "10.2.2.0/24", "10.2.1.0/24"))

static struct lab *fragments_lab(const char *conf_a, const char *conf_b)
{
	struct lab *lab = lab_new(conf_a, conf_b);

	lab->a.ctx.options.fragment_size_v4 = lab->b.ctx.options.fragment_size_v4 = SIZE;
	return lab;
}

/* IKE_SA_INIT is done, the IKE_AUTH request is under way. */
static struct lab *fragments_auth(void)
{
	struct lab *lab = fragments_lab(CONF_LARGE_A("yes"), CONF_LARGE_B("yes"));

	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	lab_deliver(lab);
	return lab;
}

static void expect_up(struct lab *lab, unsigned children)
{
	struct lab_end *ends[] = { &lab->a, &lab->b };

	for (size_t i = 0; i < 2; i++) {
		ck_assert_ptr_nonnull(lab_sa(ends[i]));
		ck_assert_uint_eq(lab_sa(ends[i])->state, IKE_STATE_ESTABLISHED);
		ck_assert_uint_eq(ends[i]->kernel_children, children);
		ck_assert_ptr_null(lab_sa(ends[i])->fragments);
	}
}

static struct payload_skf packet_fragment(const struct lab *lab, size_t i)
{
	struct seal_place place;

	ck_assert_uint_lt(i, lab->n_packets);
	ck_assert(seal_find(bytes_of(lab->packets[i].data, lab->packets[i].n), &place));
	return place.fragment;
}

/* All that is under way are the fragments of one message, in order; how many. */
static unsigned expect_fragments(const struct lab *lab)
{
	for (size_t i = 0; i < lab->n_packets; i++) {
		struct payload_skf f = packet_fragment(lab, i);

		ck_assert_uint_eq(f.number, i + 1);
		ck_assert_uint_eq(f.total, lab->n_packets);
		ck_assert_uint_le(lab->packets[i].n + HEADERS, SIZE);
	}
	ck_assert_uint_ge(lab->n_packets, 4);
	return (unsigned)lab->n_packets;
}

/* RFC 7383, 2.5 MUST: the first fragment names the first payload, the others none; as many as needed, none too large. */
START_TEST(whole_set)
{
	struct lab *lab = fragments_auth();
	size_t n = expect_fragments(lab);

	for (size_t i = 0; i < n; i++) {
		struct seal_place place;

		ck_assert(seal_find(bytes_of(lab->packets[i].data, lab->packets[i].n), &place));
		ck_assert_uint_eq(place.first, i ? PAYLOAD_NONE : PAYLOAD_IDI);
		ck_assert(i + 1 == n || lab->packets[i].n + HEADERS > SIZE - 16);
	}
	for (size_t i = 0; i < n; i++)
		lab_deliver(lab);
	expect_fragments(lab);
	lab_run(lab);
	expect_up(lab, 1);
	lab_add_child(&lab->b, lab_sa(&lab->b), "two");
	expect_fragments(lab);
	lab_run(lab);
	expect_up(lab, 2);
	/* what is small is not cut (RFC 7383, 2.4) */
	ike_sa_terminate(lab_sa(&lab->a), false, (struct sa_request){ 0 });
	ck_assert_uint_eq(lab->n_packets, 1);
	ck_assert_uint_eq(packet_fragment(lab, 0).total, 0);
	lab_run(lab);
	lab_free(lab);
}
END_TEST

/* RFC 7383, 2.3 and 2.4 MUST NOT: only if both announced it; `accept` takes but does not send. */
START_TEST(negotiation)
{
	static const char *const a[] = { CONF_LARGE_A("yes"), CONF_LARGE_A("accept"), CONF_LARGE_A("no"), CONF_LARGE_A("force") };
	static const char *const b[] = { CONF_LARGE_B("yes"), CONF_LARGE_B("accept"), CONF_LARGE_B("no"), CONF_LARGE_B("force") };
	unsigned ia = _i / 4, ib = _i % 4;
	bool agreed = ia != 2 && ib != 2;
	struct lab *lab = fragments_lab(a[ia], b[ib]);

	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets > 1, agreed && ia != 1);
	while (lab->packets[0].to == &lab->b)
		lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets > 1, agreed && ib != 1);
	ck_assert_uint_eq(lab_sa(&lab->b)->fragmentation, agreed);
	lab_run(lab);
	expect_up(lab, 1);
	lab_free(lab);
}
END_TEST

/* One of the orders of the first four packets; with `again` each is forged before and comes a second time. */
static void deliver_in_order(struct lab *lab, unsigned order, bool again)
{
	ck_assert_uint_ge(lab->n_packets, 4);
	for (unsigned rest = 4; rest; order /= rest--) {
		lab_choose(lab, order % rest);
		if (again) {
			lab_forge(lab, lab->packets[0].n - 1);
			lab_repeat(lab);
			lab_choose(lab, lab->n_packets - 1);
		}
		lab_deliver(lab);
	}
}

START_TEST(orders)
{
	struct lab *lab = fragments_auth();

	deliver_in_order(lab, _i, false);
	while (lab->packets[0].to == &lab->b)
		lab_deliver(lab);
	expect_fragments(lab);
	deliver_in_order(lab, _i, true);
	lab_run(lab);
	expect_up(lab, 1);
	lab_free(lab);
}
END_TEST

/* One fragment is lost: the request is sent again, all of it, and only what was missing counts. */
START_TEST(lost_of_request)
{
	struct lab *lab = fragments_auth();
	unsigned n = expect_fragments(lab), lost = _i % n;

	for (unsigned i = 0; i < n; i++) {
		if (i == lost)
			lab_drop(lab);
		else
			lab_deliver(lab);
	}
	ck_assert_uint_eq(lab->n_packets, 0);
	ck_assert_ptr_nonnull(lab_sa(&lab->b)->fragments);
	ck_assert_uint_eq(lab_sa(&lab->b)->in.next, 1);
	lab_advance(lab, 4100);
	ck_assert_uint_eq(expect_fragments(lab), n);
	lab_choose(lab, lost);
	lab_deliver(lab);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	lab_run(lab);
	expect_up(lab, 1);
	lab_free(lab);
}
END_TEST

/* RFC 7383, 2.6.1 MUST: the first fragment of an answered request earns the answer, all of it; the others nothing. */
START_TEST(lost_of_response)
{
	struct lab *lab = fragments_auth();
	unsigned n = expect_fragments(lab), replies;

	for (unsigned i = 0; i < n; i++)
		lab_deliver(lab);
	replies = expect_fragments(lab);
	for (unsigned i = 0; i < replies; i++) {
		if (i == _i % replies)
			lab_drop(lab);
		else
			lab_deliver(lab);
	}
	ck_assert_uint_eq(lab->n_packets, 0);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_CONNECTING);
	lab_advance(lab, 4100);
	ck_assert_uint_eq(expect_fragments(lab), n);
	for (unsigned i = 1; i < n; i++) {
		lab_choose(lab, lab->n_packets - 1);
		lab_deliver(lab);
	}
	ck_assert_uint_eq(lab->n_packets, 1);
	ck_assert_uint_eq(lab->b.ctx.counters[SA_COUNTER_REPEAT], 0);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->b.ctx.counters[SA_COUNTER_REPEAT], 1);
	ck_assert_uint_eq(expect_fragments(lab), replies);
	lab_run(lab);
	expect_up(lab, 1);
	lab_free(lab);
}
END_TEST

/* A fragment with one byte changed is not kept, wherever the byte is (law 2). */
START_TEST(forged)
{
	struct lab *lab = fragments_auth();
	unsigned n = expect_fragments(lab);
	struct ike_sa *b = lab_sa(&lab->b);

	for (size_t at = 8; at < lab->packets[0].n; at++) {
		lab_forge(lab, at);
		ck_assert_ptr_null(b->fragments);
	}
	lab_deliver(lab);
	ck_assert_ptr_nonnull(b->fragments);
	/* nor does it harm those that are there: 34 and 35 are the total */
	for (size_t at = 8; at < lab->packets[0].n; at++)
		lab_forge(lab, at);
	for (unsigned i = 1; i < n; i++)
		lab_deliver(lab);
	ck_assert_uint_eq(b->state, IKE_STATE_ESTABLISHED);
	for (size_t at = 8; at < lab->packets[0].n; at++)
		lab_forge(lab, at);
	ck_assert_ptr_null(lab_sa(&lab->a)->fragments);
	lab_run(lab);
	expect_up(lab, 1);
	lab_free(lab);
}
END_TEST

/* ---- sets that a peer should not send ---- */

static uint8_t space[LIMIT_MESSAGE];

static struct lab *fragments_up(void)
{
	struct lab *lab = fragments_auth();

	lab_run(lab);
	expect_up(lab, 1);
	return lab;
}

/* A chain of `count` vendor payloads of n bytes each. */
static struct bytes vendors(size_t count, size_t n)
{
	static const uint8_t data[4096] = { 1 };
	struct builder b = builder_of(space, sizeof(space));

	for (size_t i = 0; i < count; i++)
		builder_vendor(&b, bytes_of(data, n));
	ck_assert(writer_ok(&b.w));
	return bytes_of(b.w.p, b.w.n);
}

static void piece(struct lab *lab, uint16_t number, uint16_t total, struct bytes inner)
{
	struct ike_sa *a = lab_sa(&lab->a);

	lab_inject_fragment(&lab->a, a, EXCHANGE_INFORMATIONAL, false, a->out.next, number, total,
			    number == 1 && inner.n ? PAYLOAD_VENDOR : PAYLOAD_NONE, inner);
	lab_choose(lab, lab->n_packets - 1);
	lab_deliver(lab);
}

static struct bytes part(struct bytes all, size_t i, size_t count)
{
	size_t from = all.n * i / count, to = all.n * (i + 1) / count;

	return bytes_of(all.p + from, to - from);
}

/* RFC 7383, 2.6 MUST: fewer fragments than before are dropped, more begin anew; numbers that cannot be are dropped. */
START_TEST(totals)
{
	struct lab *lab = fragments_up();
	struct ike_sa *b = lab_sa(&lab->b);
	struct bytes all = vendors(6, 20);

	piece(lab, 0, 3, all);
	piece(lab, 4, 3, all);
	piece(lab, 0, 0, all);
	ck_assert_ptr_null(b->fragments);
	piece(lab, 2, 3, part(all, 1, 3));
	piece(lab, 3, 3, part(all, 2, 3));
	/* a set of two would be complete with this */
	piece(lab, 2, 2, part(all, 1, 2));
	piece(lab, 1, 2, part(all, 0, 2));
	ck_assert_uint_eq(lab->n_packets, 0);
	/* four: what came of three counts no more */
	piece(lab, 2, 4, part(all, 1, 4));
	piece(lab, 1, 3, part(all, 0, 3));
	ck_assert_uint_eq(lab->n_packets, 0);
	piece(lab, 4, 4, part(all, 3, 4));
	piece(lab, 1, 4, part(all, 0, 4));
	piece(lab, 1, 4, part(all, 0, 4));
	ck_assert_uint_eq(lab->n_packets, 0);
	piece(lab, 3, 4, part(all, 2, 4));
	ck_assert_uint_eq(lab->n_packets, 1);
	ck_assert_ptr_null(b->fragments);
	lab_sa(&lab->a)->out.next++;
	lab_run(lab);
	expect_up(lab, 1);
	lab_free(lab);
}
END_TEST

/* One is a set as well, and a piece may be empty (RFC 7383, 2.5.3). */
START_TEST(odd_pieces)
{
	struct lab *lab = fragments_up();
	struct bytes all = vendors(6, 20);

	piece(lab, 1, 1, all);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_run(lab);
	lab_sa(&lab->a)->out.next++;
	lab_inject_fragment(&lab->a, lab_sa(&lab->a), EXCHANGE_INFORMATIONAL, false, lab_sa(&lab->a)->out.next, 1, 3,
			    PAYLOAD_VENDOR, BYTES_NONE);
	lab_deliver(lab);
	piece(lab, 3, 3, BYTES_NONE);
	ck_assert_uint_eq(lab->n_packets, 0);
	piece(lab, 2, 3, all);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_run(lab);
	lab_sa(&lab->a)->out.next++;
	/* nothing at all in two pieces is an empty message: a sign of life */
	piece(lab, 2, 2, BYTES_NONE);
	piece(lab, 1, 2, BYTES_NONE);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_run(lab);
	lab_sa(&lab->a)->out.next++;
	expect_up(lab, 1);
	lab_free(lab);
}
END_TEST

/* RFC 7383, 5: what a peer can make us hold is bounded. _i: 0 bytes, 1 count; an established SA goes on. */
START_TEST(too_much)
{
	struct lab *lab = fragments_up();
	struct ike_sa *b = lab_sa(&lab->b);
	struct bytes all = vendors(16, 4000);
	unsigned n = 0;

	if (_i == 0) {
		do {
			ck_assert_uint_lt(n, 3);
			piece(lab, (uint16_t)(2 + n++), 9, bytes_of(all.p, 30000));
		} while (b->fragments);
		ck_assert_uint_eq(n, 3);
	} else {
		piece(lab, 1, LIMIT_FRAGMENTS, part(all, 0, LIMIT_FRAGMENTS));
		ck_assert_ptr_nonnull(b->fragments);
		piece(lab, 1, LIMIT_FRAGMENTS + 1, part(all, 0, LIMIT_FRAGMENTS));
		ck_assert_ptr_null(b->fragments);
	}
	ck_assert_uint_eq(b->ctx->counters[SA_COUNTER_INVALID], 1);
	ck_assert_uint_eq(lab->n_packets, 0);
	/* what is just possible works */
	for (unsigned i = 0; i < LIMIT_FRAGMENTS; i++)
		piece(lab, (uint16_t)(i + 1), LIMIT_FRAGMENTS, part(all, i, LIMIT_FRAGMENTS));
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_sa(&lab->a)->out.next++;
	lab_run(lab);
	expect_up(lab, 1);
	lab_free(lab);
}
END_TEST

/* Before it is authenticated, such a peer is dropped at once. */
START_TEST(too_much_half_open)
{
	struct lab *lab = fragments_auth();
	struct bytes all = vendors(16, 4000);

	while (lab->n_packets)
		lab_drop(lab);
	for (unsigned n = 0; n < 3; n++) {
		ck_assert_uint_eq(lab->b.half_open, 1);
		lab_inject_fragment(&lab->a, lab_sa(&lab->a), EXCHANGE_IKE_AUTH, false, 1, (uint16_t)(2 + n), 9, PAYLOAD_NONE,
				    bytes_of(all.p, 30000));
		lab_deliver(lab);
	}
	ck_assert_uint_eq(lab->b.half_open, 0);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	lab_free(lab);
}
END_TEST

/* An answer that cannot be put together ends the SA, as one that cannot be read does. */
START_TEST(too_much_answer)
{
	struct lab *lab = fragments_up();
	struct ike_sa *a = lab_sa(&lab->a);
	struct bytes all = vendors(16, 4000);
	uint64_t r = lab_add_child(&lab->a, a, "two");

	while (lab->n_packets)
		lab_drop(lab);
	for (unsigned n = 0; n < 3; n++) {
		ck_assert_uint_eq(lab_live(&lab->a), 1);
		lab_inject_fragment(&lab->b, lab_sa(&lab->b), EXCHANGE_CREATE_CHILD_SA, true, a->out.next - 1,
				    (uint16_t)(2 + n), 9, PAYLOAD_NONE, bytes_of(all.p, 30000));
		lab_deliver(lab);
	}
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_SYNTAX);
	lab_free(lab);
}
END_TEST

/* RFC 7383, 2.6 MUST: what came of a request is forgotten after a time; of an answer when it is not waited for. */
START_TEST(forgotten)
{
	struct lab *lab = fragments_up();
	struct ike_sa *a = lab_sa(&lab->a), *b = lab_sa(&lab->b);
	struct bytes all = vendors(6, 20);

	piece(lab, 1, 3, part(all, 0, 3));
	piece(lab, 2, 3, part(all, 1, 3));
	lab_advance(lab, LIMIT_FRAGMENTS_MS - 1);
	ck_assert(fragment_held(b, false));
	lab_advance(lab, 1);
	ck_assert(!fragment_held(b, false));
	piece(lab, 3, 3, part(all, 2, 3));
	ck_assert_uint_eq(lab->n_packets, 0);
	/* the message came whole after all */
	ike_sa_probe(a);
	lab_run(lab);
	ck_assert_ptr_null(b->fragments);

	lab_add_child(&lab->a, a, "two");
	while (lab->packets[0].to == &lab->b)
		lab_deliver(lab);
	lab_deliver(lab);
	ck_assert(fragment_held(a, true));
	while (lab->n_packets)
		lab_drop(lab);
	for (unsigned n = 0; n < 20 && lab_live(&lab->a); n++) {
		lab_advance(lab, 60000);
		while (lab->n_packets)
			lab_drop(lab);
	}
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	lab_free(lab);
}
END_TEST

/* What came of an answer goes with its exchange, by whatever it ends. */
START_TEST(answer_comes_whole)
{
	struct lab *lab = fragments_up();
	struct ike_sa *a = lab_sa(&lab->a);
	struct builder b = builder_of(space, sizeof(space));

	ike_sa_probe(a);
	lab_deliver(lab);
	lab_drop(lab);
	lab_inject_fragment(&lab->b, lab_sa(&lab->b), EXCHANGE_INFORMATIONAL, true, a->out.next - 1, 1, 2, PAYLOAD_NONE, BYTES_NONE);
	lab_deliver(lab);
	ck_assert(fragment_held(a, true));
	lab_inject(&lab->b, lab_sa(&lab->b), EXCHANGE_INFORMATIONAL, true, a->out.next - 1, &b);
	lab_deliver(lab);
	ck_assert_ptr_null(a->outstanding);
	ck_assert(!fragment_held(a, true));
	lab_run(lab);
	expect_up(lab, 1);
	lab_free(lab);
}
END_TEST

/* Time does not run anew with each fragment of a half-open SA. */
START_TEST(half_open)
{
	struct lab *lab = fragments_auth();

	while (lab->n_packets > 1)
		lab_drop(lab);
	lab_advance(lab, 3000);
	lab_deliver(lab);
	lab_advance(lab, 26000);
	ck_assert_uint_eq(lab->b.half_open, 1);
	while (lab->n_packets)
		lab_drop(lab);
	lab_advance(lab, 1000);
	ck_assert_uint_eq(lab->b.half_open, 0);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	lab_free(lab);
}
END_TEST

/* Fragments of another exchange under the same id do not mix; a Delete while something is half received closes. */
START_TEST(mixed)
{
	struct lab *lab = fragments_up();
	struct ike_sa *a = lab_sa(&lab->a);
	struct bytes all = vendors(6, 20);

	piece(lab, 1, 2, part(all, 0, 2));
	lab_inject_fragment(&lab->a, a, EXCHANGE_CREATE_CHILD_SA, false, a->out.next, 2, 2, PAYLOAD_NONE, part(all, 1, 2));
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 0);
	/* ids that are not now */
	lab_inject_fragment(&lab->a, a, EXCHANGE_INFORMATIONAL, false, a->out.next + 1, 1, 1, PAYLOAD_VENDOR, all);
	lab_inject_fragment(&lab->a, a, EXCHANGE_INFORMATIONAL, false, a->out.next - 2, 1, 1, PAYLOAD_VENDOR, all);
	lab_inject_fragment(&lab->b, lab_sa(&lab->b), EXCHANGE_INFORMATIONAL, true, a->out.next, 1, 1, PAYLOAD_VENDOR, all);
	for (int i = 0; i < 3; i++)
		lab_deliver(lab);
	/* the first is ahead of the window, which a is told */
	ck_assert_uint_eq(lab->n_packets, 1);
	ck_assert_ptr_null(a->fragments);
	lab_run(lab);
	piece(lab, 1, 2, part(all, 0, 2));
	ck_assert(fragment_held(lab_sa(&lab->b), false));
	ike_sa_terminate(a, false, (struct sa_request){ 0 });
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a) + lab_live(&lab->b), 0);
	lab_free(lab);
}
END_TEST

/* What is in the fragments is checked as that of a whole message (RFC 7296, 2.5 and 2.21.3). _i: critical, syntax */
START_TEST(bad_content)
{
	struct lab *lab = fragments_up();
	struct ike_sa *a = lab_sa(&lab->a);
	struct builder b = builder_of(space, sizeof(space));
	struct bytes all;

	builder_vendor(&b, bytes_str("some bytes that go first"));
	builder_raw(&b, _i ? PAYLOAD_NOTIFY : 200, true, bytes_str("?"));
	all = bytes_of(b.w.p, b.w.n);
	piece(lab, 2, 2, part(all, 1, 2));
	piece(lab, 1, 2, part(all, 0, 2));
	ck_assert_uint_eq(lab->n_packets, 1);
	ck_assert_uint_eq(lab_live(&lab->b), _i ? 0 : 1);
	a->out.next++;
	lab_run(lab);
	if (!_i)
		expect_up(lab, 1);
	lab_free(lab);
}
END_TEST

/* RFC 7383, 2.5.2 and 2.4: the peer cuts the same request anew, because it got no answer. _i: 1 it was whole before */
START_TEST(cut_anew)
{
	struct lab *lab = fragments_up();
	struct ike_sa *a = lab_sa(&lab->a);
	struct bytes all = vendors(6, 20);
	struct builder whole = builder_of(space + 4096, 4096);

	if (_i) {
		builder_vendor(&whole, bytes_of(all.p, 200));
		lab_inject(&lab->a, a, EXCHANGE_INFORMATIONAL, false, a->out.next, &whole);
		lab_deliver(lab);
	} else {
		piece(lab, 1, 2, part(all, 0, 2));
		piece(lab, 2, 2, part(all, 1, 2));
	}
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_drop(lab);
	piece(lab, 2, 3, part(all, 1, 3));
	piece(lab, 3, 3, part(all, 2, 3));
	ck_assert_uint_eq(lab->n_packets, 0);
	lab_inject_fragment(&lab->a, a, EXCHANGE_INFORMATIONAL, false, a->out.next, 1, 3, PAYLOAD_VENDOR, part(all, 0, 3));
	lab_forge(lab, 40);
	lab_forge(lab, lab->packets[0].n - 1);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 1);
	ck_assert_ptr_null(lab_sa(&lab->b)->fragments);
	ck_assert(lab->packets[0].data[19] & IKE_FLAG_RESPONSE);
	a->out.next++;
	lab_run(lab);
	expect_up(lab, 1);
	lab_free(lab);
}
END_TEST

/* A peer whose fragments are smaller than ours knows why: its answer is cut likewise (RFC 7383, 2.5.1). */
START_TEST(as_small_as_the_peers)
{
	struct lab *lab = fragments_lab(CONF_LARGE_A("yes"), CONF_LARGE_B("yes"));

	lab->b.ctx.options.fragment_size_v4 = 1280;
	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	lab_deliver(lab);
	while (lab->packets[0].to == &lab->b)
		lab_deliver(lab);
	expect_fragments(lab);
	lab_run(lab);
	/* a request of its own is as large as its settings say */
	lab_add_child(&lab->b, lab_sa(&lab->b), "two");
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_run(lab);
	expect_up(lab, 2);
	lab_free(lab);
}
END_TEST

/* RFC 7383, 2.2: before there are keys nothing is cut, and a fragment is nothing. */
START_TEST(init_fragment)
{
	struct lab *lab = fragments_lab(CONF_LARGE_A("yes"), CONF_LARGE_B("yes"));
	uint8_t msg[64] = { 0 };
	struct payload_skf f = { 1, 2 };
	struct ike_header h = { .spi_i = 4711, .version = IKE_VERSION, .exchange = EXCHANGE_IKE_SA_INIT, .flags = IKE_FLAG_INITIATOR };
	struct builder b = builder_of(msg, sizeof(msg));

	builder_header(&b, &h);
	builder_sk_begin(&b, PAYLOAD_SA, &f);
	writer_u64(&b.w, 1);
	builder_sk_end(&b);
	lab_inject_bytes(&lab->a, builder_finish(&b));
	lab_deliver(lab);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	ck_assert_uint_eq(lab->b.half_open, 0);
	lab_free(lab);
}
END_TEST

Suite *fragments_suite(void)
{
	Suite *s = suite_create("exchange/fragments");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, whole_set);
	tcase_add_loop_test(t, negotiation, 0, 16);
	tcase_add_loop_test(t, orders, 0, 24);
	tcase_add_loop_test(t, lost_of_request, 0, 4);
	tcase_add_loop_test(t, lost_of_response, 0, 4);
	tcase_add_test(t, forged);
	tcase_add_test(t, totals);
	tcase_add_test(t, odd_pieces);
	tcase_add_loop_test(t, too_much, 0, 2);
	tcase_add_test(t, too_much_half_open);
	tcase_add_test(t, too_much_answer);
	tcase_add_test(t, forgotten);
	tcase_add_test(t, answer_comes_whole);
	tcase_add_test(t, half_open);
	tcase_add_test(t, mixed);
	tcase_add_loop_test(t, bad_content, 0, 2);
	tcase_add_loop_test(t, cut_anew, 0, 2);
	tcase_add_test(t, as_small_as_the_peers);
	tcase_add_test(t, init_fragment);
	suite_add_tcase(s, t);
	return s;
}
