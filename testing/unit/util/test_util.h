/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TEST_UTIL_H
#define BEWICK_TEST_UTIL_H

#include <check.h>
#include <stdint.h>

TCase *addr_tests(void);
TCase *arena_tests(void);
TCase *bytes_tests(void);
TCase *cursor_tests(void);
TCase *encoding_tests(void);
TCase *hash_tests(void);
TCase *log_tests(void);
TCase *mem_tests(void);
TCase *ratelimit_tests(void);
TCase *secret_tests(void);

/* Repeatable random numbers (Marsaglia's xorshift64*); the seed must not be 0. */
static inline uint64_t test_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1du;
}

#endif
