/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "suites.h"

int main(void)
{
	SRunner *r = srunner_create(setup_suite());
	int failed;

	srunner_add_suite(r, children_suite());
	srunner_add_suite(r, config_payload_suite());
	srunner_add_suite(r, crossing_suite());
	srunner_add_suite(r, fragments_suite());
	srunner_add_suite(r, path_size_suite());
	srunner_add_suite(r, ike_rekey_suite());
	srunner_add_suite(r, addrs_suite());
	srunner_add_suite(r, mobike_suite());
	srunner_add_suite(r, mobike_rules_suite());
	srunner_add_suite(r, mobike_auth_suite());
	srunner_add_suite(r, mobike_vips_suite());
	srunner_add_suite(r, nat_suite());
	srunner_add_suite(r, auth_suite());
	srunner_add_suite(r, auth_keys_suite());
	srunner_add_suite(r, auth_methods_suite());
	srunner_add_suite(r, auth_others_suite());
	srunner_add_suite(r, auth_asked_suite());
	srunner_add_suite(r, auth_attacks_suite());
	srunner_add_suite(r, auth_rounds_suite());
	srunner_add_suite(r, backend_suite());
	srunner_add_suite(r, modes_suite());
	srunner_add_suite(r, odd_suite());
	srunner_add_suite(r, child_rekey_suite());
	srunner_add_suite(r, idle_suite());
	srunner_add_suite(r, peer_suite());
	srunner_add_suite(r, reauth_suite());
	srunner_add_suite(r, qcd_suite());
	srunner_add_suite(r, storm_suite());
	srunner_add_suite(r, stream_suite());
	srunner_add_suite(r, random_suite());
	srunner_add_suite(r, rfc_suite());
	srunner_add_suite(r, rfc_rekey_suite());
	srunner_add_suite(r, fuzz_suite());
	srunner_add_suite(r, sync_suite());
	srunner_add_suite(r, traps_suite());
	srunner_add_suite(r, vips_suite());
	srunner_run_all(r, CK_NORMAL);
	failed = srunner_ntests_failed(r);
	srunner_free(r);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
