/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TESTING_UNIT_SA_TEST_H
#define BEWICK_TESTING_UNIT_SA_TEST_H

#include <check.h>

#include "testing/exchange/confs.h"
#include "testing/exchange/lab.h"

TCase *test_collision(void);
TCase *test_deadline(void);
TCase *test_fragment(void);
TCase *test_fuzz_fragment(void);
TCase *test_info(void);
TCase *test_nat(void);
TCase *test_seal(void);
TCase *test_states(void);
TCase *test_window(void);

/* Two endpoints with an IKE_SA and the child "one" between them. */
static inline struct lab *sa_test_up(const char *conf_a, const char *conf_b)
{
	struct lab *lab = lab_new(conf_a, conf_b);

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_ptr_nonnull(lab_sa(&lab->a));
	ck_assert_ptr_nonnull(lab_sa(&lab->b));
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	return lab;
}

#endif
