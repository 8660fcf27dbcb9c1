/* SPDX-License-Identifier: Apache-2.0 */
#include "test_proto.h"

#include <stdlib.h>

int main(void)
{
	Suite *s = suite_create("proto");
	SRunner *runner;
	int failed;

	suite_add_tcase(s, test_iana());
	suite_add_tcase(s, test_proposal());
	suite_add_tcase(s, test_proposal_select());
	suite_add_tcase(s, test_ts());
	suite_add_tcase(s, test_ts_algebra());
	suite_add_tcase(s, test_id());
	suite_add_tcase(s, test_id_dn());
	suite_add_tcase(s, test_fuzz_values());
	runner = srunner_create(s);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
