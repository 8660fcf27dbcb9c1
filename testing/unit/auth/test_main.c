/* SPDX-License-Identifier: Apache-2.0 */
#include "auth_test.h"

int main(void)
{
	SRunner *r = srunner_create(suite_cert());
	int failed;

	srunner_add_suite(r, suite_auth_odd());
	srunner_add_suite(r, suite_rfc5280());
	srunner_add_suite(r, suite_acert());
	srunner_add_suite(r, suite_acerts());
	srunner_add_suite(r, suite_attacks());
	srunner_add_suite(r, suite_auth_groups());
	srunner_add_suite(r, suite_crl());
	srunner_add_suite(r, suite_revocation());
	srunner_add_suite(r, suite_auth_service());
	srunner_add_suite(r, suite_auth_chains());
	srunner_add_suite(r, suite_auth_others());
	srunner_add_suite(r, suite_cert_cache());
	srunner_add_suite(r, suite_cert_corpus());
	srunner_add_suite(r, suite_revocation_corpus());
	srunner_add_suite(r, suite_sign_methods());
	srunner_add_suite(r, suite_trust());
	srunner_add_suite(r, suite_trust_paths());
	srunner_add_suite(r, suite_trust_names());
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed != 0;
}
