/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_AUTH_TEST_H
#define BEWICK_AUTH_TEST_H

#include <check.h>

#include "pki.h"

Suite *suite_cert(void);
Suite *suite_crl(void);

#endif
