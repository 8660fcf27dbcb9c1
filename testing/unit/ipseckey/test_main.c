/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "ipseckey_test.h"

int main(void)
{
	Suite *suite = suite_create("ipseckey");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, anchors_tests());
	suite_add_tcase(suite, chain_tests());
	suite_add_tcase(suite, dns_tests());
	suite_add_tcase(suite, record_tests());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
