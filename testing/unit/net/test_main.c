/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "support.h"

int main(void)
{
	Suite *suite = suite_create("net");
	SRunner *runner;
	int failed;

	suite_add_tcase(suite, test_steer());
	suite_add_tcase(suite, test_open());
	suite_add_tcase(suite, test_receive());
	suite_add_tcase(suite, test_send());
	suite_add_tcase(suite, test_tcp());
	suite_add_tcase(suite, test_tcp_frame());
	suite_add_tcase(suite, test_watch());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
