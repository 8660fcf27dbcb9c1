/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "test_kernel.h"

int main(void)
{
	Suite *suite = suite_create("kernel");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, tcase_registry());
	suite_add_tcase(suite, tcase_spi_pool());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
