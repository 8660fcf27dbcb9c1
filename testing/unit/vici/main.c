/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>

#include "testing/unit/vici/vici_tests.h"

int main(void)
{
	Suite *suite = suite_create("vici");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, vici_message_tests());
	suite_add_tcase(suite, vici_client_tests());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
