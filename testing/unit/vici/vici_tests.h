/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TEST_VICI_H
#define BEWICK_TEST_VICI_H

#include <check.h>
#include <stddef.h>
#include <stdint.h>

TCase *vici_message_tests(void);
TCase *vici_client_tests(void);
/* testing/fuzz/fuzz_vici.c */
void vici_fuzz_one(const uint8_t *data, size_t n);

#endif
