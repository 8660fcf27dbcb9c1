/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TEST_KERNEL_H
#define TEST_KERNEL_H

#include <check.h>

TCase *tcase_registry(void);
TCase *tcase_spi_pool(void);

#endif
