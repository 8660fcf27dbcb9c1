/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TEST_PLUGINS_H
#define BEWICK_TEST_PLUGINS_H

#include <check.h>

TCase *resolv_file_tests(void);
TCase *variables_tests(void);

#endif
