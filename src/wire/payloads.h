/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_WIRE_PAYLOADS_H
#define BEWICK_WIRE_PAYLOADS_H

#include "wire/message.h"

/*
 * Shared inside wire/ only. A parser of one kind of payload: reads the body in `r`, which must
 * end empty, and fills p's union. What it keeps are views on the body, or from the arena.
 */
typedef struct result payload_parse_fn(struct arena *a, struct reader *r, struct payload *p);

payload_parse_fn sa_payload_parse;
payload_parse_fn ts_payload_parse;
payload_parse_fn cp_payload_parse;

/* Parts of the "SA KE N(NATD_S_IP) CPRQ(ADDR DNS)" summary: a blank and the name. */
void describe_name(struct buf *out, unsigned type);
void describe_notify(struct buf *out, unsigned notify);
void describe_cp(struct buf *out, unsigned type, const struct cp_attribute *attrs, size_t count);
void describe_eap(struct buf *out, struct bytes packet);
void describe_skf(struct buf *out, const struct payload_skf *skf);

#endif
