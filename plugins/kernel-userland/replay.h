/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_REPLAY_H
#define USERLAND_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Anti-replay window (RFC 4303, 3.4.3) as a ring of bitmap blocks (the idea of RFC 6479), so
 * that moving on costs nothing per packet whatever the size. Owned by the thread that receives.
 */
struct replay {
	uint64_t top;    /* the highest number accepted, 0 = none */
	uint32_t window; /* packets; 0 = no check */
	uint32_t mask;   /* number of blocks - 1 */
	uint64_t blocks[];
};

/* top > 0: everything up to it counts as received. */
struct replay *replay_new(uint32_t window, uint64_t top);
/* The whole number that seq_lo stands for (RFC 4303, appendix A), and whether it may be new. False:
 * seen, too old, or impossible. Changes nothing. */
bool replay_check(const struct replay *r, uint32_t seq_lo, bool esn, uint64_t *ret_seq);
/* After the integrity check: marks a number that replay_check gave. */
void replay_accept(struct replay *r, uint64_t seq);

#endif
