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
	suite_add_tcase(s, t);
	return s;
}
