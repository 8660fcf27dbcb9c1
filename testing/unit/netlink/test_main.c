/* SPDX-License-Identifier: Apache-2.0 */
#include <sched.h>
#include <sched.h>
#include <stdlib.h>

#include "test_netlink.h"

int main(void)
{
	Suite *suite = suite_create("netlink");
	SRunner *runner;
	int failed;

	/* a backend sets values of the system when it starts; without privileges it cannot */
	(void)unshare(CLONE_NEWNET);
	/* nothing here is meant for the system's own network */
	(void)!unshare(CLONE_NEWUSER | CLONE_NEWNET);
	suite_add_tcase(suite, tcase_engine());
	suite_add_tcase(suite, tcase_txn());
	suite_add_tcase(suite, tcase_message());
	suite_add_tcase(suite, tcase_backend());
	suite_add_tcase(suite, tcase_move());
	suite_add_tcase(suite, tcase_selectors());
	suite_add_tcase(suite, tcase_policies());
	suite_add_tcase(suite, tcase_resync());
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
