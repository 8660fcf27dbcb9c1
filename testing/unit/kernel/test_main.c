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
	suite_add_tcase(suite, tcase_replay());
	suite_add_tcase(suite, tcase_flow());
	suite_add_tcase(suite, tcase_policy());
	suite_add_tcase(suite, tcase_esp());
	suite_add_tcase(suite, tcase_icmp());
	suite_add_tcase(suite, tcase_route());
	suite_add_tcase(suite, tcase_offload());
	suite_add_tcase(suite, tcase_dataplane());
	suite_add_tcase(suite, tcase_vip());
	suite_add_tcase(suite, tcase_guard());
	suite_add_tcase(suite, tcase_lanes());
	suite_add_tcase(suite, tcase_pieces());
	suite_add_tcase(suite, tcase_corpus());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
