/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TESTING_EXCHANGE_SUITES_H
#define BEWICK_TESTING_EXCHANGE_SUITES_H

#include <check.h>

Suite *setup_suite(void);
Suite *children_suite(void);

#endif
