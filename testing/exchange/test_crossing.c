/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>

#include "confs.h"
#include "lab.h"
#include "sa/task.h"
#include "suites.h"

/* Exchanges that meet each other, the operator, or the end of their IKE_SA. */

static struct lab *crossing_up(void)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	return lab;
}

/* Runs net and backends, in the order of _i, until nothing is left to do. */
static void crossing_run(struct lab *lab)
{
	while (lab->n_packets || lab->a.n_pending || lab->b.n_pending) {
		lab_run(lab);
		while (lab->a.n_pending)
			lab_kernel_complete(&lab->a, KERNEL_OK);
		while (lab->b.n_pending)
			lab_kernel_complete(&lab->b, KERNEL_OK);
		lab_check(lab);
	}
}

static void expect_gone(struct lab *lab)
{
	ck_assert_uint_eq(lab_live(&lab->a) + lab_live(&lab->b), 0);
	ck_assert_uint_eq(lab->a.kernel_children + lab->b.kernel_children, 0);
	lab_advance(lab, 10100);
	ck_assert_uint_eq(lab->a.n_sas + lab->b.n_sas, 0);
}

/* The IKE_SA is closed while a child is being made. _i & 1: the request is lost at first, _i & 2: slow backends */
START_TEST(terminate_while_creating)
{
	struct lab *lab = crossing_up();
	struct sa_request end = lab_request_new(&lab->a);
	uint64_t r;

	lab->a.kernel_async = lab->b.kernel_async = _i & 2;
	r = lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	ike_sa_terminate(lab_sa(&lab->a), false, end);
	if (_i & 1 && lab->n_packets) {
		lab_drop(lab);
		lab_advance(lab, 4100);
	}
	crossing_run(lab);
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	ck_assert_uint_eq(lab->a.requests[end.id].done, 1);
	expect_gone(lab);
	lab_free(lab);
}
END_TEST

START_TEST(terminate_twice)
{
	struct lab *lab = crossing_up();
	struct sa_request one = lab_request_new(&lab->a), two = lab_request_new(&lab->a), three = lab_request_new(&lab->a);

	ike_sa_terminate(lab_sa(&lab->a), false, one);
	ike_sa_terminate(lab_sa(&lab->a), false, two);
	lab_drop(lab);
	if (_i)
		ike_sa_terminate(lab_sa(&lab->a), true, three);
	else
		lab_advance(lab, 4100);
	lab_run(lab);
	ck_assert_uint_eq(lab->a.requests[one.id].done, 1);
	ck_assert_uint_eq(lab->a.requests[two.id].done, 1);
	ck_assert_uint_eq(lab->a.requests[three.id].done, _i);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	lab_free(lab);
}
END_TEST

/* The Delete of the IKE_SA waits for the answer to the child's. _i: the answer is lost at first */
START_TEST(ike_delete_behind_child_delete)
{
	struct lab *lab = crossing_up();
	struct ike_sa *a = lab_sa(&lab->a);
	struct sa_request child = lab_request_new(&lab->a), ike = lab_request_new(&lab->a);

	ike_sa_terminate_child(a, a->children, child);
	ike_sa_terminate(a, false, ike);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_deliver(lab);
	if (_i) {
		lab_drop(lab);
		lab_advance(lab, 4100);
	}
	lab_run(lab);
	ck_assert_uint_eq(lab->a.requests[child.id].done, 1);
	ck_assert_uint_eq(lab->a.requests[ike.id].done, 1);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_CHILD_DOWN), 1);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_CHILD_DOWN), 1);
	expect_gone(lab);
	lab_free(lab);
}
END_TEST

/* a asks for a child while b closes the IKE_SA. _i: bit 0 whose packet comes first, bit 1 slow backends */
START_TEST(create_meets_ike_delete)
{
	struct lab *lab = crossing_up();
	uint64_t r;
	struct sa_request end = lab_request_new(&lab->b);

	lab->a.kernel_async = lab->b.kernel_async = _i & 2;
	r = lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	if (_i & 2)
		lab_kernel_complete(&lab->a, KERNEL_OK);
	ike_sa_terminate(lab_sa(&lab->b), false, end);
	ck_assert_uint_eq(lab->n_packets, 2);
	if (_i & 1)
		lab_choose(lab, 1);
	crossing_run(lab);
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	ck_assert_int_ne(lab->a.requests[r].cause, CAUSE_NONE);
	ck_assert_uint_eq(lab->b.requests[end.id].done, 1);
	expect_gone(lab);
	lab_free(lab);
}
END_TEST

/*
 * Both ask for a child at once, the same or another. Each has a window of its own, so both come about. _i: bit 0 the
 * same child, bit 1 a's backend is slow, bit 2 b's.
 */
START_TEST(create_from_both)
{
	struct lab *lab = lab_new(CONF_A_WITH(CONF_IKE, CHILD_A("one", "1", ESP) CHILD_A("two", "2", ESP) CHILD_A("three", "3", ESP)),
				  CONF_B_WITH(CONF_IKE, CHILD_B("one", "1", ESP) CHILD_B("two", "2", ESP) CHILD_B("three", "3", ESP)));
	uint64_t ra, rb;

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	lab->a.kernel_async = _i & 2;
	lab->b.kernel_async = _i & 4;
	ra = lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	rb = lab_add_child(&lab->b, lab_sa(&lab->b), _i & 1 ? "two" : "three");
	crossing_run(lab);
	/* no repeat was needed: neither exchange got in the other's way */
	ck_assert_uint_eq(lab->a.ctx.counters[SA_COUNTER_STALE] + lab->b.ctx.counters[SA_COUNTER_STALE], 0);
	ck_assert_uint_eq(lab->a.requests[ra].done, 1);
	ck_assert_uint_eq(lab->b.requests[rb].done, 1);
	ck_assert_int_eq(lab->a.requests[ra].cause, CAUSE_NONE);
	ck_assert_int_eq(lab->b.requests[rb].cause, CAUSE_NONE);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 3);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 3);
	lab_free(lab);
}
END_TEST

/* The answer to our request comes while our backend works at the peer's; and the reverse. */
START_TEST(both_parked)
{
	struct lab *lab = crossing_up();
	uint64_t ra, rb;

	lab->a.kernel_async = true;
	/* a waits for an SPI for its own, then for one to answer b with */
	ra = lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	ck_assert_uint_eq(lab->a.n_pending, 1);
	rb = lab_add_child(&lab->b, lab_sa(&lab->b), "two");
	lab_run(lab);
	ck_assert_uint_eq(lab->a.n_pending, 2);
	crossing_run(lab);
	ck_assert_uint_eq(lab->a.requests[ra].done, 1);
	ck_assert_uint_eq(lab->b.requests[rb].done, 1);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 3);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 3);
	lab_free(lab);
}
END_TEST

/* The peer closes a child that our backend has not installed yet. _i: the backend fails in the end */
START_TEST(delete_meets_install)
{
	struct lab *lab = crossing_up();
	struct sa_request end = lab_request_new(&lab->b);
	uint64_t r;

	lab->a.kernel_async = true;
	r = lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	lab_kernel_complete(&lab->a, KERNEL_OK);
	lab_run(lab);
	ck_assert_uint_eq(lab->a.n_pending, 1);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLING), 1);
	ike_sa_terminate_child(lab_sa(&lab->b), lab_sa(&lab->b)->children, end);
	lab_run(lab);
	lab_kernel_complete(&lab->a, _i ? KERNEL_FAILED : KERNEL_OK);
	lab_run(lab);
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_CLOSED);
	ck_assert_uint_eq(lab->b.requests[end.id].done, 1);
	ck_assert_uint_eq(lab->a.kernel_children, 1);
	ck_assert_uint_eq(lab->b.kernel_children, 1);
	/* what never was up does not go down */
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_CHILD_DOWN), 0);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	lab_free(lab);
}
END_TEST

/* The peer makes a child and closes it at once, and its Delete is faster than its answer. */
START_TEST(delete_overtakes_answer)
{
	struct lab *lab = crossing_up();
	struct sa_request end = lab_request_new(&lab->b);
	uint64_t r = lab_add_child(&lab->a, lab_sa(&lab->a), "two");

	lab_deliver(lab);
	ike_sa_terminate_child(lab_sa(&lab->b), lab_sa(&lab->b)->children, end);
	lab_choose(lab, 1);
	lab_deliver(lab);
	lab_run(lab);
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_CLOSED);
	ck_assert_uint_eq(lab->b.requests[end.id].done, 1);
	ck_assert_uint_eq(lab->a.kernel_children, 1);
	ck_assert_uint_eq(lab->b.kernel_children, 1);
	lab_free(lab);
}
END_TEST

/* The SA ends while the backend works; the completion finds nobody. _i: at which of the waits, and on whose side */
START_TEST(completion_too_late)
{
	struct lab *lab = crossing_up();
	struct lab_end *slow = _i & 1 ? &lab->b : &lab->a;
	uint64_t r;

	slow->kernel_async = true;
	r = lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	if (_i & 2) {
		lab_run(lab);
		lab_kernel_complete(slow, KERNEL_OK);
	}
	lab_run(lab);
	ck_assert_uint_eq(slow->n_pending, 1);
	ike_sa_terminate(lab_sa(slow), true, lab_request_new(slow));
	lab_advance(lab, 1);
	ck_assert_uint_eq(lab_live(slow), 0);
	lab_kernel_complete(slow, _i & 4 ? KERNEL_FAILED : KERNEL_OK);
	lab_run(lab);
	ck_assert_uint_le(lab->a.requests[r].done, 1);
	lab_free(lab);
}
END_TEST

/* Several children asked for before the IKE_SA is there; the middle one cannot be. */
START_TEST(several_queued)
{
	struct lab *lab = lab_new(CONF_A_WITH(CONF_IKE, CHILD_A("one", "1", ESP) CHILD_A("two", "2", ESP) CHILD_A("three", "3", ESP)),
				  CONF_B_WITH(CONF_IKE, CHILD_B("one", "1", ESP) CHILD_B("two", "7", ESP) CHILD_B("three", "3", ESP)));
	uint64_t r[3];

	lab->a.kernel_async = lab->b.kernel_async = _i;
	r[0] = lab_initiate(&lab->a, "one");
	r[1] = lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	r[2] = lab_add_child(&lab->a, lab_sa(&lab->a), "three");
	crossing_run(lab);
	for (int i = 0; i < 3; i++) {
		ck_assert_uint_eq(lab->a.requests[r[i]].done, 1);
		ck_assert_int_eq(lab->a.requests[r[i]].cause, i == 1 ? CAUSE_SELECTORS : CAUSE_NONE);
	}
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 2);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 2);
	lab_free(lab);
}
END_TEST

/* RFC 6023. a's word, b's word, whether the IKE_SA comes up, messages until the child is up */
START_TEST(childless_variants)
{
	static const struct {
		const char *a, *b;
		bool up;
		unsigned sent;
	} cases[] = {
		{ "allow", "allow", true, 4 }, { "allow", "never", true, 4 },  { "never", "never", true, 4 },
		{ "force", "force", true, 6 }, { "force", "allow", true, 6 },  { "prefer", "allow", true, 6 },
		{ "prefer", "never", true, 4 }, { "allow", "force", false, 0 }, { "force", "never", false, 0 },
	};
	struct lab *lab;
	char conf_a[1024], conf_b[1024];
	uint64_t r;

	snprintf(conf_a, sizeof(conf_a), CONF_A_WITH(CONF_IKE "\n childless = %s", CHILD_A("one", "1", ESP)), cases[_i].a);
	snprintf(conf_b, sizeof(conf_b), CONF_B_WITH(CONF_IKE "\n childless = %s", CHILD_B("one", "1", ESP)), cases[_i].b);
	lab = lab_new(conf_a, conf_b);
	r = lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	ck_assert_int_eq(lab->a.requests[r].cause == CAUSE_NONE, cases[_i].up);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), cases[_i].up);
	ck_assert_uint_eq(lab_live(&lab->a), cases[_i].up);
	if (cases[_i].up)
		ck_assert_uint_eq(lab->sent, cases[_i].sent);
	lab_free(lab);
}
END_TEST

/* A backend that hangs: probes that cannot go out do not pile up (found by fuzz_sa). */
START_TEST(probes_do_not_pile_up)
{
	struct lab *lab = lab_new(CONF_A, CONF_B_WITH(CONF_IKE "\n dpd_delay = 3s", CHILD_B("one", "1", ESP) CHILD_B("two", "2", ESP)));
	unsigned queued = 0;

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	lab->b.kernel_async = true;
	lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	lab_run(lab);
	ck_assert_uint_eq(lab->b.n_pending, 1);
	for (unsigned i = 0; i < 6; i++) {
		lab_advance(lab, 3000);
		while (lab->n_packets)
			lab_drop(lab);
	}
	for (const struct task *t = lab_sa(&lab->b)->queued; t; t = t->next)
		queued++;
	ck_assert_uint_eq(queued, 1);
	lab_free(lab);
}
END_TEST

/* RFC 7296, 2.2 MUST: message ids do not wrap */
START_TEST(ids_used_up)
{
	struct lab *lab = crossing_up();

	lab_sa(&lab->a)->out.next = UINT32_MAX;
	lab_sa(&lab->b)->in.next = UINT32_MAX;
	ike_sa_probe(lab_sa(&lab->a));
	ck_assert_uint_eq(lab->n_packets, 0);
	lab_advance(lab, 1);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	lab_free(lab);
}
END_TEST

Suite *crossing_suite(void)
{
	Suite *s = suite_create("exchange/crossing");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, terminate_while_creating, 0, 4);
	tcase_add_loop_test(t, terminate_twice, 0, 2);
	tcase_add_loop_test(t, ike_delete_behind_child_delete, 0, 2);
	tcase_add_loop_test(t, create_meets_ike_delete, 0, 4);
	tcase_add_loop_test(t, create_from_both, 0, 8);
	tcase_add_test(t, both_parked);
	tcase_add_loop_test(t, delete_meets_install, 0, 2);
	tcase_add_test(t, delete_overtakes_answer);
	tcase_add_loop_test(t, completion_too_late, 0, 8);
	tcase_add_loop_test(t, several_queued, 0, 2);
	tcase_add_loop_test(t, childless_variants, 0, 9);
	tcase_add_test(t, probes_do_not_pile_up);
	tcase_add_test(t, ids_used_up);
	suite_add_tcase(s, t);
	return s;
}
