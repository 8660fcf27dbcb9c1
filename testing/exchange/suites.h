/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TESTING_EXCHANGE_SUITES_H
#define BEWICK_TESTING_EXCHANGE_SUITES_H

#include <check.h>

Suite *setup_suite(void);
Suite *config_payload_suite(void);
Suite *children_suite(void);
Suite *crossing_suite(void);
Suite *fragments_suite(void);
Suite *path_size_suite(void);
Suite *fuzz_suite(void);
Suite *idle_suite(void);
Suite *ike_rekey_suite(void);
Suite *addrs_suite(void);
Suite *mobike_suite(void);
Suite *mobike_rules_suite(void);
Suite *mobike_auth_suite(void);
Suite *mobike_vips_suite(void);
Suite *nat_suite(void);
Suite *auth_suite(void);
Suite *auth_keys_suite(void);
Suite *auth_methods_suite(void);
Suite *auth_others_suite(void);
Suite *auth_asked_suite(void);
Suite *auth_attacks_suite(void);
Suite *auth_rounds_suite(void);
Suite *backend_suite(void);
Suite *modes_suite(void);
Suite *odd_suite(void);
Suite *child_rekey_suite(void);
Suite *peer_suite(void);
Suite *reauth_suite(void);
Suite *qcd_suite(void);
Suite *random_suite(void);
Suite *storm_suite(void);
Suite *stream_suite(void);
Suite *sync_suite(void);
Suite *traps_suite(void);
Suite *vips_suite(void);
Suite *rfc_suite(void);
Suite *rfc_rekey_suite(void);

#endif
