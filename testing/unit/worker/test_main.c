/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "side.h"

int main(void)
{
	Suite *suite = suite_create("worker");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, test_pools());
	suite_add_tcase(suite, test_many());
	suite_add_tcase(suite, test_requests());
	suite_add_tcase(suite, test_traps());
	suite_add_tcase(suite, test_unknown());
	suite_add_tcase(suite, test_rekey());
	suite_add_tcase(suite, test_authentication());
	suite_add_tcase(suite, test_limits());
	suite_add_tcase(suite, test_streams());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
