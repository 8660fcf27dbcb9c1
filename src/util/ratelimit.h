/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_UTIL_RATELIMIT_H
#define BEWICK_UTIL_RATELIMIT_H

#include <stdbool.h>
#include <stdint.h>

/* Token bucket. Times in ms of any monotonic clock. One owner, no locks. */
struct ratelimit {
	uint32_t per_second; /* refill */
	uint32_t burst;      /* most tokens held */
	uint64_t tokens_milli;
	uint64_t last_ms;
};

static inline bool ratelimit_take(struct ratelimit *r, uint64_t now_ms)
{
	uint64_t cap = (uint64_t)r->burst * 1000;
	uint64_t gain = (now_ms - r->last_ms) * r->per_second;

	if (now_ms > r->last_ms || r->last_ms == 0) {
		r->tokens_milli = r->last_ms == 0 || gain > cap - r->tokens_milli
				      ? cap
				      : r->tokens_milli + gain;
		r->last_ms = now_ms;
	}
	if (r->tokens_milli < 1000)
		return false;
	r->tokens_milli -= 1000;
	return true;
}

#endif
