/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "loop_test.h"

int main(void)
{
	Suite *suite = suite_create("loop");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, wheel_tests());
	suite_add_tcase(suite, wheel_model_tests());
	suite_add_tcase(suite, mailbox_tests());
	suite_add_tcase(suite, loop_tests());
	suite_add_tcase(suite, helper_tests());
	suite_add_tcase(suite, lanes_tests());
	suite_add_tcase(suite, program_tests());
	suite_add_tcase(suite, thread_tests());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
