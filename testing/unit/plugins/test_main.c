/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "plugins_test.h"

int main(void)
{
	Suite *suite = suite_create("plugins");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, resolv_file_tests());
	suite_add_tcase(suite, variables_tests());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
