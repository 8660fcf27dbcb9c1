/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CONFIG_VALUE_H
#define BEWICK_CONFIG_VALUE_H

#include "util/bytes.h"
#include "util/reader.h"

/* What settings.h does not offer of the typed scalars. */

/* Longest time that can be configured, in s (some 292,000 years): ms of it fit into 63 bits. */
#define VALUE_TIME_MAX (INT64_MAX / 1000)

/*
 * A number in C notation without sign at the cursor: decimal, 0x hex, 0 octal. False without any
 * digit. With *ret_overflow the number is meaningless.
 */
MUST_CHECK bool value_take_uint(struct reader *r, uint64_t *ret, bool *ret_overflow);
EXPORT MUST_CHECK bool value_double(struct bytes text, double *ret); /* decimal, finite */
EXPORT bool value_is_printable(struct bytes text); /* ASCII without control characters */

#endif
