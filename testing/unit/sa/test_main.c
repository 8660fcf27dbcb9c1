/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sa_test.h"

int main(void)
{
	Suite *suite = suite_create("sa");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, test_collision());
	suite_add_tcase(suite, test_states());
	suite_add_tcase(suite, test_window());
	suite_add_tcase(suite, test_seal());
	suite_add_tcase(suite, test_fragment());
	suite_add_tcase(suite, test_fuzz_fragment());
	suite_add_tcase(suite, test_nat());
	suite_add_tcase(suite, test_deadline());
	suite_add_tcase(suite, test_info());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
