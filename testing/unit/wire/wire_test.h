/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TEST_WIRE_H
#define BEWICK_TEST_WIRE_H

#include <check.h>

#include "wire/builder.h"

TCase *header_cases(void);
TCase *payloads_cases(void);
TCase *sa_payload_cases(void);
TCase *builder_cases(void);
TCase *rules_cases(void);
TCase *describe_cases(void);
TCase *mutation_cases(void);
TCase *captures_cases(void);
TCase *corpus_cases(void);

/* Path of a file below the top of the source tree; static, for one use. */
const char *source_path(const char *name);
/* hex, spaces allowed, into out; aborts on anything else. */
struct bytes hex_bytes(struct buf *out, const char *hex);

/* Small deterministic random numbers. */
struct rng {
	uint64_t state;
};
uint64_t rng_next(struct rng *r);
static inline uint32_t rng_below(struct rng *r, uint32_t n)
{
	return (uint32_t)(rng_next(r) % n);
}
struct bytes rng_bytes(struct rng *r, struct arena *a, size_t n);

/* A message with a random choice of payloads of all kinds, SK and SKF included; the bytes live in the arena. */
struct bytes random_message(struct rng *r, struct arena *a);

/* Parses the payloads behind a header; the header is read too. */
MUST_CHECK struct result message_parse(struct arena *a, struct bytes message, struct ike_header *ret_h,
				       struct payload_list *ret_list, struct wire_error *ret_err);
/* Writes header and payloads again, in the arena. */
struct bytes message_rewrite(struct arena *a, const struct ike_header *h, const struct payload_list *list);
/* Puts a header in front of payloads. */
struct bytes message_wrap(struct arena *a, unsigned exchange, unsigned flags, uint32_t id, unsigned first,
			  struct bytes payloads);

/* Pages with an unreadable one behind them: a read past the end of what is put there ends the test. */
struct guard {
	uint8_t *base;
	size_t size;
};
struct guard guard_new(void);
void guard_free(struct guard *g);
uint8_t *guard_put(struct guard *g, struct bytes b);

#endif
