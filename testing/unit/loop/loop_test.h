/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TEST_LOOP_H
#define BEWICK_TEST_LOOP_H

#include <check.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

TCase *wheel_tests(void);
TCase *wheel_model_tests(void);
TCase *mailbox_tests(void);
TCase *loop_tests(void);
TCase *helper_tests(void);
TCase *lanes_tests(void);
TCase *program_tests(void);
TCase *thread_tests(void);

/* Repeatable random numbers (Marsaglia's xorshift64*); the seed must not be 0. */
static inline uint64_t test_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1du;
}

/* Waits (forever: the test's time limit ends it) or only looks whether fd is readable. */
static inline bool fd_readable(int fd, bool wait)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, wait ? -1 : 0) == 1;
}

#endif
