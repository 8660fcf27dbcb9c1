/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TEST_PROTO_H
#define BEWICK_TEST_PROTO_H

#include <check.h>
#include <stdint.h>

TCase *test_fuzz_values(void);
TCase *test_iana(void);
TCase *test_id(void);
TCase *test_id_dn(void);
TCase *test_proposal(void);
TCase *test_proposal_select(void);
TCase *test_ts(void);
TCase *test_ts_algebra(void);

/* A small seeded generator (xorshift), the same on every run. */
struct test_random {
	uint64_t s;
};

static inline uint32_t test_random(struct test_random *r, uint32_t below)
{
	r->s ^= r->s << 13;
	r->s ^= r->s >> 7;
	r->s ^= r->s << 17;
	return (uint32_t)(r->s >> 16) % below;
}

#endif
