/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "mobile.h"
#include "sa/address.h"
#include "sa/fragment.h"
#include "suites.h"

/* Paths that lose large datagrams in silence: RFC 7383, 2.5.2. */

#define NETS(N) ",10." #N ".1.0/24,10." #N ".3.0/24,10." #N ".5.0/24,10." #N ".7.0/24,10." #N ".9.0/24,10." #N ".11.0/24"
#define MANY NETS(11) NETS(13) NETS(15) NETS(17) NETS(19) NETS(21) NETS(23) NETS(25)
#define LARGE(NAME, LOCAL, REMOTE)                                                                 \
	NAME " { local_ts = " LOCAL MANY "\n remote_ts = " REMOTE MANY "\n" ESP " }\n"
#define IKE_WITH(VALUE) CONF_IKE "\n fragmentation = " VALUE
#define CONF_LARGE_A(VALUE) CONF_A_WITH(IKE_WITH(VALUE), LARGE("one", "10.1.1.0/24", "10.1.2.0/24") LARGE("two", "10.2.1.0/24", "10.2.2.0/24"))
#define CONF_LARGE_B(VALUE) CONF_B_WITH(IKE_WITH(VALUE), LARGE("one", "10.1.2.0/24", "10.1.1.0/24") LARGE("two", "10.2.2.0/24", "10.2.1.0/24"))

#define FIRST_MS 4000
#define SECOND_MS 7200 /* after the first */

static struct lab *path_lab(const char *value, uint16_t setting, size_t out, size_t back)
{
	char conf[2][8192];
	struct lab *lab;

	snprintf(conf[0], sizeof(conf[0]), CONF_LARGE_A("%s"), value);
	snprintf(conf[1], sizeof(conf[1]), CONF_LARGE_B("%s"), value);
	lab = lab_new(conf[0], conf[1]);
	lab->a.ctx.options.fragment_size_v4 = lab->b.ctx.options.fragment_size_v4 = setting;
	lab->narrow[0] = out;
	lab->narrow[1] = back;
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
		ck_assert_ptr_null(lab_sa(ends[i])->outstanding);
	}
}

/* No answer until a request is cut. */
static void silence(struct lab *lab)
{
	lab_advance(lab, FIRST_MS);
	lab_run(lab);
	lab_advance(lab, SECOND_MS);
	lab_run(lab);
}

static struct payload_skf first_fragment(const struct lab *lab)
{
	struct seal_place place;

	ck_assert_uint_ge(lab->n_packets, 1);
	ck_assert(seal_find(bytes_of(lab->packets[0].data, lab->packets[0].n), &place));
	return place.fragment;
}

/* RFC 7383, 2.5.2 MUST: from larger to smaller sizes; timers begin anew; later exchanges begin with what passed. */
START_TEST(found)
{
	static const struct {
		uint16_t setting, path;
		unsigned cuts, found;
	} ways[] = {
		{ 4000, 1400, 1, 1280 }, { 4000, 1279, 2, 576 }, { 4000, 576, 2, 576 }, { 1280, 1000, 1, 576 },
		/* the settings are the upper limit, and 1280 makes no more pieces than 1400 */
		{ 4000, 0, 0, 0 },	 { 1400, 1300, 1, 576 }, { 576, 576, 0, 0 },
	};
	struct lab *lab = path_lab("yes", ways[_i].setting, ways[_i].path, ways[_i].path);
	unsigned retransmits;

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	for (unsigned i = 0; i < ways[_i].cuts; i++) {
		ck_assert_uint_eq(lab_sa(&lab->a)->path_size, i == 0 ? 0 : 1280);
		lab_advance(lab, FIRST_MS - 1);
		ck_assert_uint_eq(lab_sa(&lab->a)->outstanding->tries, 0);
		lab_advance(lab, 1);
		ck_assert_uint_eq(lab_sa(&lab->a)->outstanding->tries, 1);
		lab_advance(lab, SECOND_MS);
		lab_run(lab);
	}
	expect_up(lab, 1);
	ck_assert_uint_eq(lab_sa(&lab->a)->path_size, ways[_i].found);
	ck_assert_uint_eq(lab->a.ctx.counters[SA_COUNTER_RETRANSMIT], 2 * ways[_i].cuts);
	retransmits = lab->a.ctx.counters[SA_COUNTER_RETRANSMIT];
	lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	lab_run(lab);
	expect_up(lab, 2);
	ck_assert_uint_eq(lab->a.ctx.counters[SA_COUNTER_RETRANSMIT], retransmits);
	lab_free(lab);
}
END_TEST

/* The peer asks, too, and finds for itself; what the first one found is followed in answers. */
START_TEST(both)
{
	struct lab *lab = path_lab("yes", 4000, 1000, 1000);

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	for (unsigned i = 0; i < 2; i++)
		silence(lab);
	expect_up(lab, 1);
	ck_assert_uint_eq(lab_sa(&lab->b)->path_size, 0);
	lab_add_child(&lab->b, lab_sa(&lab->b), "two");
	lab_run(lab);
	ck_assert_ptr_nonnull(lab_sa(&lab->b)->outstanding);
	for (unsigned i = 0; i < 2; i++)
		silence(lab);
	expect_up(lab, 2);
	ck_assert_uint_eq(lab_sa(&lab->b)->path_size, 576);
	lab_free(lab);
}
END_TEST

/* Requests pass and answers do not: the answer is cut as the request is when it is asked for again (RFC 7383, 2.5.1). */
START_TEST(answers_only)
{
	struct lab *lab = path_lab("yes", 4000, 0, 700);

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_CONNECTING);
	silence(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_CONNECTING);
	silence(lab);
	expect_up(lab, 1);
	/* it was made once */
	ck_assert_uint_eq(lab_live(&lab->b), 1);
	lab_free(lab);
}
END_TEST

/* RFC 7383, 2.5.2 and 2.6 MUST: more fragments than before; the peer begins anew with them, whatever it has kept, and late ones count no more. */
START_TEST(sets)
{
	struct lab *lab = path_lab("yes", 1280, 0, 0);
	unsigned before;

	lab_initiate(&lab->a, "one");
	lab_deliver(lab);
	lab_deliver(lab);
	before = first_fragment(lab).total;
	ck_assert_uint_eq(before, lab->n_packets);
	ck_assert_uint_ge(before, 2);
	lab_deliver(lab); /* the others are late */
	ck_assert_ptr_nonnull(lab_sa(&lab->b)->fragments);
	lab_advance(lab, FIRST_MS);
	while (lab->n_packets >= before) {
		lab_choose(lab, before - 1);
		lab_drop(lab);
	}
	lab_advance(lab, SECOND_MS);
	lab_choose(lab, before - 1);
	ck_assert_uint_gt(first_fragment(lab).total, before);
	ck_assert_uint_eq(first_fragment(lab).number, 1);
	lab_deliver(lab);
	for (unsigned i = 1; i < before; i++) {
		ck_assert_uint_eq(first_fragment(lab).total, before);
		lab_deliver(lab);
	}
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_CONNECTING);
	lab_run(lab);
	expect_up(lab, 1);
	lab_free(lab);
}
END_TEST

/* RFC 7383 2.5.2 MUST: at the smallest size retransmission goes on to its end; and without fragmentation nothing is cut. */
START_TEST(in_vain)
{
	static const char *const values[] = { "yes", "accept", "no" };
	struct lab *lab = path_lab(values[_i], 4000, 500, 500);
	unsigned cuts = _i == 0 ? 2 : 0;
	uint64_t last;

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	for (unsigned i = 0; i < cuts; i++)
		silence(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->outstanding->cuts, cuts);
	last = lab->a.ctx.counters[SA_COUNTER_RETRANSMIT];
	for (unsigned i = 0; i < 200 && lab_live(&lab->a); i++) {
		lab_advance(lab, 1000);
		lab_run(lab);
	}
	ck_assert_uint_eq(lab->a.ctx.counters[SA_COUNTER_RETRANSMIT], last + lab->a.ctx.options.retransmit_tries);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	lab_free(lab);
}
END_TEST

/* What was found holds for successors, and not for other paths. */
START_TEST(kept)
{
	struct lab *lab = path_lab("yes", 4000, 1000, 1000);
	struct ike_sa *a, *old;
	struct addr elsewhere;

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	for (unsigned i = 0; i < 2; i++)
		silence(lab);
	expect_up(lab, 1);
	old = lab_sa(&lab->a);
	ike_sa_rekey(old);
	lab_run(lab);
	a = lab_sa(&lab->a);
	ck_assert_uint_eq(a->path_size, 576);
	elsewhere = a->local;
	elsewhere.ip[3] ^= 64;
	ike_sa_move_to(a, &elsewhere, &a->remote);
	ck_assert_uint_eq(a->path_size, 0);
	lab_free(lab);
}
END_TEST

Suite *path_size_suite(void)
{
	Suite *s = suite_create("exchange/path_size");
	TCase *t = tcase_create("all");

	tcase_add_loop_test(t, found, 0, 7);
	tcase_add_test(t, both);
	tcase_add_test(t, answers_only);
	tcase_add_test(t, sets);
	tcase_add_loop_test(t, in_vain, 0, 3);
	tcase_add_test(t, kept);
	suite_add_tcase(s, t);
	return s;
}
