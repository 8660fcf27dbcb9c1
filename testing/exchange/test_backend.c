/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "confs.h"
#include "lab.h"
#include "suites.h"

/* A backend that never answers: what waits for it fails after a limit, and what has nothing to do with it goes on. */

/* _i & 1: SPI or installation; _i & 2: the responder or the initiator is the slow one; _i & 4: in IKE_AUTH or later. */
START_TEST(never_answers)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	struct lab_end *e = _i & 2 ? &lab->b : &lab->a;
	unsigned before = 0;
	uint64_t r;

	if (_i & 4) {
		lab_initiate(&lab->a, "one");
		lab_run(lab);
		before = 1;
	}
	e->kernel_async = true;
	r = _i & 4 ? lab_add_child(&lab->a, lab_sa(&lab->a), "two") : lab_initiate(&lab->a, "one");
	lab_run(lab);
	if (_i & 1) {
		lab_kernel_complete(e, KERNEL_OK);
		lab_run(lab);
	}
	ck_assert_uint_eq(e->n_pending, 1);
	/* the peer asks again, without getting an answer */
	for (int i = 0; i < 19; i++) {
		lab_advance(lab, 1000);
		lab_run(lab);
	}
	ck_assert_uint_eq(e->n_pending, 1);
	ck_assert_uint_eq(lab->a.requests[r].done, 0);
	lab_advance(lab, 1000);
	lab_run(lab);
	for (int i = 0; i < 60 && !lab->a.requests[r].done; i++) {
		lab_advance(lab, 1000);
		lab_run(lab);
	}
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	ck_assert_int_ne(lab->a.requests[r].cause, CAUSE_NONE);
	/* law: the IKE_SA is up, and so is its other child */
	ck_assert_ptr_nonnull(lab_sa(&lab->a));
	ck_assert_ptr_nonnull(lab_sa(&lab->b));
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab->a.kernel_children, before);
	ck_assert_uint_eq(lab->b.kernel_children, before);
	/* an answer that comes after all is for nobody */
	lab_kernel_complete(e, KERNEL_OK);
	lab_run(lab);
	ck_assert_uint_eq(e->kernel_children, before);
	/* and all works when the backend does */
	e->kernel_async = false;
	r = lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	lab_run(lab);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_NONE);
	ck_assert_uint_eq(lab->a.kernel_children, before + 1);
	ck_assert_uint_eq(lab->b.kernel_children, before + 1);
	lab_free(lab);
}
END_TEST

/* One that answers in time is not given up, however long the whole takes. */
START_TEST(slow_is_fine)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);

	lab->a.kernel_async = lab->b.kernel_async = true;
	lab_initiate(&lab->a, "one");
	for (int i = 0; i < 4; i++) {
		lab_run(lab);
		lab_advance(lab, 15000);
		lab_run(lab);
		lab_kernel_complete(lab->a.n_pending ? &lab->a : &lab->b, KERNEL_OK);
	}
	lab_run(lab);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 1);
	/* nothing is left to fail */
	lab_advance(lab, 40000);
	lab_run(lab);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 1);
	lab_free(lab);
}
END_TEST

Suite *backend_suite(void)
{
	Suite *s = suite_create("exchange/backend");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_loop_test(t, never_answers, 0, 8);
	tcase_add_test(t, slow_is_fine);
	suite_add_tcase(s, t);
	return s;
}
