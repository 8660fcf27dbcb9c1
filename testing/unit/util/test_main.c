/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "test_util.h"

int main(void)
{
	Suite *suite = suite_create("util");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, mem_tests());
	suite_add_tcase(suite, bytes_tests());
	suite_add_tcase(suite, encoding_tests());
	suite_add_tcase(suite, cursor_tests());
	suite_add_tcase(suite, arena_tests());
	suite_add_tcase(suite, secret_tests());
	suite_add_tcase(suite, hash_tests());
	suite_add_tcase(suite, addr_tests());
	suite_add_tcase(suite, ratelimit_tests());
	suite_add_tcase(suite, log_tests());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
