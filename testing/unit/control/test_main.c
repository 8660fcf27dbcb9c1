/* SPDX-License-Identifier: Apache-2.0 */
#include "testing/unit/control/control_test.h"

int main(void)
{
	Suite *suite = suite_create("control");
	SRunner *runner = srunner_create(suite);
	int failed;

	suite_add_tcase(suite, control_message_tests());
	suite_add_tcase(suite, control_fuzz_load_tests());
	suite_add_tcase(suite, control_client_tests());
	suite_add_tcase(suite, control_command_tests());
	suite_add_tcase(suite, control_creds_tests());
	suite_add_tcase(suite, control_token_tests());
	suite_add_tcase(suite, control_event_tests());
	suite_add_tcase(suite, control_hook_tests());
	suite_add_tcase(suite, control_initiate_tests());
	suite_add_tcase(suite, control_counter_tests());
	suite_add_tcase(suite, control_loading_tests());
	suite_add_tcase(suite, control_load_policies_tests());
	suite_add_tcase(suite, control_pool_tests());
	suite_add_tcase(suite, control_rekey_tests());
	suite_add_tcase(suite, control_sync_tests());
	suite_add_tcase(suite, control_terminate_tests());
	suite_add_tcase(suite, control_trap_tests());
	suite_add_tcase(suite, control_action_tests());
	suite_add_tcase(suite, control_reinit_tests());
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed != 0;
}
