/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "confs.h"
#include "lab.h"
#include "suites.h"

/* CHILD_SAs: their failure is never the IKE_SA's (law 1); deletes, also crossing; DPD. */

static struct lab *children_up(const char *conf_a, const char *conf_b)
{
	struct lab *lab = lab_new(conf_a, conf_b);

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	return lab;
}

static void expect_children(struct lab *lab, unsigned n)
{
	ck_assert_ptr_nonnull(lab_sa(&lab->a));
	ck_assert_ptr_nonnull(lab_sa(&lab->b));
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab->a.kernel_children, n);
	ck_assert_uint_eq(lab->b.kernel_children, n);
}

START_TEST(second_child)
{
	struct lab *lab = children_up(CONF_A, CONF_B);
	uint64_t r = lab_add_child(_i ? &lab->b : &lab->a, lab_sa(_i ? &lab->b : &lab->a), "two");

	lab_run(lab);
	expect_children(lab, 2);
	ck_assert_int_eq((_i ? &lab->b : &lab->a)->requests[r].cause, CAUSE_NONE);
	/* made with a key exchange of its own */
	ck_assert_uint_eq(lab_sa(&lab->a)->children->suite.ke, KE_CURVE_25519);
	ck_assert(lab_sa(&lab->b)->children->own_ke);
	lab_free(lab);
}
END_TEST

/* the responder has a wide child in front of the one that is meant */
START_TEST(best_child_is_chosen)
{
	struct lab *lab = lab_new(
		CONF_A, CONF_B_WITH(CONF_IKE, "wide { local_ts = 10.0.0.0/8\n remote_ts = 10.0.0.0/8\n" ESP " }\n"
					      CHILD_B("one", "1", ESP)));

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	expect_children(lab, 1);
	ck_assert_str_eq(lab_sa(&lab->b)->children->conf->name, "one");
	lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	lab_run(lab);
	expect_children(lab, 2);
	ck_assert_str_eq(lab_sa(&lab->b)->children->conf->name, "wide");
	lab_free(lab);
}
END_TEST

START_TEST(duplicate_child)
{
	struct lab *lab = children_up(CONF_A, CONF_B);
	uint64_t r = lab_add_child(&lab->a, lab_sa(&lab->a), "one");

	lab_run(lab);
	expect_children(lab, 1);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_DUPLICATE);
	lab_free(lab);
}
END_TEST

#define CONF_B_OTHER_TS CONF_B_WITH(CONF_IKE, CHILD_B("one", "7", ESP) CHILD_B("two", "2", ESP))
#define CONF_B_OTHER_ESP CONF_B_WITH(CONF_IKE, CHILD_B("one", "1", "esp_proposals = aes256-sha512") CHILD_B("two", "2", ESP))

/* in IKE_AUTH: 0 selectors, 1 proposals, 2 the responder's backend, 3 the initiator's backend */
START_TEST(first_child_fails)
{
	struct lab *lab = lab_new(CONF_A, _i == 0 ? CONF_B_OTHER_TS : _i == 1 ? CONF_B_OTHER_ESP : CONF_B);
	static const enum cause causes[] = { CAUSE_SELECTORS, CAUSE_PROPOSAL, CAUSE_PEER_ERROR, CAUSE_KERNEL };
	uint64_t r;

	lab->b.kernel_fail_install = _i == 2;
	lab->a.kernel_fail_install = _i == 3;
	r = lab_initiate(&lab->a, "one");
	lab_run(lab);
	expect_children(lab, 0);
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	ck_assert_int_eq(lab->a.requests[r].cause, causes[_i]);
	lab->a.kernel_fail_install = lab->b.kernel_fail_install = false;
	/* and a good one can follow */
	r = lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	lab_run(lab);
	expect_children(lab, 1);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_NONE);
	lab_free(lab);
}
END_TEST

START_TEST(close_ike_on_child_failure)
{
	struct lab *lab = lab_new(CONF_A, CONF_B_OTHER_TS);

	(_i ? &lab->b : &lab->a)->ctx.options.close_ike_on_child_failure = true;
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a) + lab_live(&lab->b), 0);
	lab_free(lab);
}
END_TEST

/* the same in CREATE_CHILD_SA beside a sibling that lives on */
START_TEST(later_child_fails)
{
	struct lab *lab = children_up(
		CONF_A, CONF_B_WITH(CONF_IKE, CHILD_B("one", "1", ESP) CHILD_B("two", "8", "")));
	uint64_t r;

	lab->b.kernel_fail_spi = _i == 1;
	lab->b.kernel_fail_install = _i == 2;
	r = lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	lab_run(lab);
	expect_children(lab, 1);
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	ck_assert_int_ne(lab->a.requests[r].cause, CAUSE_NONE);
	lab_free(lab);
}
END_TEST

START_TEST(child_invalid_ke)
{
	struct lab *lab = children_up(
		CONF_A_WITH(CONF_IKE, CHILD_A("one", "1", ESP) CHILD_A("two", "2", "esp_proposals = aes128gcm16-x25519-ecp256")),
		CONF_B_WITH(CONF_IKE, CHILD_B("one", "1", ESP) CHILD_B("two", "2", "esp_proposals = aes128gcm16-ecp256")));
	uint64_t r = lab_add_child(&lab->a, lab_sa(&lab->a), "two");

	lab_run(lab);
	expect_children(lab, 2);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_NONE);
	ck_assert_uint_eq(lab_sa(&lab->a)->children->suite.ke, KE_ECP_256);
	lab_free(lab);
}
END_TEST

/* _i: the four messages of the exchange and its repeat */
START_TEST(child_lost)
{
	struct lab *lab = children_up(CONF_A, CONF_B);

	lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	for (int i = 0; i < _i; i++)
		lab_deliver(lab);
	lab_drop(lab);
	lab_advance(lab, 4100);
	lab_repeat(lab);
	lab_run(lab);
	expect_children(lab, 2);
	lab_free(lab);
}
END_TEST

START_TEST(child_delete)
{
	struct lab *lab = children_up(CONF_A, CONF_B);
	struct lab_end *e = _i ? &lab->b : &lab->a;
	struct sa_request r = lab_request_new(e);

	ike_sa_terminate_child(lab_sa(e), lab_sa(e)->children, r);
	lab_drop(lab);
	lab_advance(lab, 4100);
	lab_deliver(lab);
	lab_drop(lab);
	lab_advance(lab, 7300);
	lab_run(lab);
	expect_children(lab, 0);
	ck_assert_uint_eq(e->requests[r.id].done, 1);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_CHILD_DOWN), 1);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_CHILD_DOWN), 1);
	lab_free(lab);
}
END_TEST

/* RFC 7296, 1.4.1: both sides close the same child at once */
START_TEST(child_deletes_cross)
{
	struct lab *lab = children_up(CONF_A, CONF_B);
	struct sa_request ra = lab_request_new(&lab->a), rb = lab_request_new(&lab->b);

	ike_sa_terminate_child(lab_sa(&lab->a), lab_sa(&lab->a)->children, ra);
	ike_sa_terminate_child(lab_sa(&lab->b), lab_sa(&lab->b)->children, rb);
	lab_run(lab);
	expect_children(lab, 0);
	ck_assert_uint_eq(lab->a.requests[ra.id].done, 1);
	ck_assert_uint_eq(lab->b.requests[rb.id].done, 1);
	lab_free(lab);
}
END_TEST

START_TEST(ike_delete)
{
	struct lab *lab = children_up(CONF_A, CONF_B);
	struct lab_end *e = _i ? &lab->b : &lab->a;
	struct sa_request r = lab_request_new(e);

	ike_sa_terminate(lab_sa(e), false, r);
	lab_deliver(lab);
	/* the answer is lost: the closed side answers the repeat */
	lab_drop(lab);
	lab_advance(lab, 4100);
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a) + lab_live(&lab->b), 0);
	ck_assert_uint_eq(e->requests[r.id].done, 1);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_IKE_DOWN), 1);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_IKE_DOWN), 1);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_CHILD_DOWN), 1);
	lab_advance(lab, 10100);
	ck_assert_uint_eq(lab->a.n_sas + lab->b.n_sas, 0);
	lab_free(lab);
}
END_TEST

START_TEST(ike_deletes_cross)
{
	struct lab *lab = children_up(CONF_A, CONF_B);

	ike_sa_terminate(lab_sa(&lab->a), false, lab_request_new(&lab->a));
	ike_sa_terminate(lab_sa(&lab->b), false, lab_request_new(&lab->b));
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a) + lab_live(&lab->b), 0);
	lab_advance(lab, 10100);
	ck_assert_uint_eq(lab->a.n_sas + lab->b.n_sas, 0);
	lab_free(lab);
}
END_TEST

#define CONF_A_DPD CONF_A_WITH(CONF_IKE "\n dpd_delay = 30s", CHILD_A("one", "1", ESP "\n dpd_action = restart"))

START_TEST(dpd_alive)
{
	struct lab *lab = children_up(CONF_A_DPD, CONF_B);
	unsigned sent = lab->sent;

	lab_advance(lab, 30100);
	ck_assert_uint_eq(lab->sent, sent + 1);
	lab_run(lab);
	ck_assert_uint_eq(lab->sent, sent + 2);
	/* traffic is a sign of life: no probe */
	lab->a.usage_in.last_use_ms = lab->now + 20000;
	lab_advance(lab, 30100);
	ck_assert_uint_eq(lab->n_packets, 0);
	lab_advance(lab, 25000);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_run(lab);
	expect_children(lab, 1);
	lab_free(lab);
}
END_TEST

START_TEST(dpd_gone)
{
	struct lab *lab = children_up(CONF_A_DPD, CONF_B);

	for (unsigned s = 0; s < 250 && lab_live(&lab->a); s++) {
		lab_advance(lab, 1000);
		while (lab->n_packets)
			lab_drop(lab);
	}
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	ck_assert_uint_eq(lab->a.kernel_children, 0);
	/* dpd_action = restart */
	ck_assert_uint_eq(lab->a.reinitiated, 1);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_IKE_DOWN), 1);
	lab_free(lab);
}
END_TEST

START_TEST(close_action)
{
	struct lab *lab = children_up(CONF_A_WITH(CONF_IKE, CHILD_A("one", "1", ESP "\n close_action = start")), CONF_B);

	ike_sa_terminate_child(lab_sa(&lab->b), lab_sa(&lab->b)->children, lab_request_new(&lab->b));
	lab_run(lab);
	ck_assert_uint_eq(lab->a.reinitiated, 1);
	lab_free(lab);
}
END_TEST

START_TEST(initial_contact)
{
	struct lab *lab = children_up(CONF_A, CONF_B);

	/* a restarts: it remembers nothing, b does */
	ike_sa_finish(lab_sa(&lab->a), IKE_EVENT_DESTROY, CAUSE_SHUTDOWN, "restart");
	lab_advance(lab, 1);
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab->b.replaced, 1);
	lab_free(lab);
}
END_TEST

Suite *children_suite(void)
{
	Suite *s = suite_create("exchange/children");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, second_child, 0, 2);
	tcase_add_test(t, best_child_is_chosen);
	tcase_add_test(t, duplicate_child);
	tcase_add_loop_test(t, first_child_fails, 0, 4);
	tcase_add_loop_test(t, close_ike_on_child_failure, 0, 2);
	tcase_add_loop_test(t, later_child_fails, 0, 3);
	tcase_add_test(t, child_invalid_ke);
	tcase_add_loop_test(t, child_lost, 0, 2);
	tcase_add_loop_test(t, child_delete, 0, 2);
	tcase_add_test(t, child_deletes_cross);
	tcase_add_loop_test(t, ike_delete, 0, 2);
	tcase_add_test(t, ike_deletes_cross);
	tcase_add_test(t, dpd_alive);
	tcase_add_test(t, dpd_gone);
	tcase_add_test(t, close_action);
	tcase_add_test(t, initial_contact);
	suite_add_tcase(s, t);
	return s;
}
