/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_WIRE_BUILDER_H
#define BEWICK_WIRE_BUILDER_H

#include "util/writer.h"
#include "wire/message.h"

/*
 * Writes a chain of payloads into a caller's buffer: each call appends one payload and links it to the one
 * before. The header, if any, is written first by builder_header; for what goes into SK a builder starts without.
 * Sticky overflow as the writer's.
 */
struct builder {
	struct writer w;
	size_t link;      /* offset of the next-payload byte to patch, or SIZE_MAX: `first` gets it */
	uint8_t first;    /* type of the first payload */
	size_t start;     /* offset of the open payload */
	bool header;      /* builder_header was called */
	bool closed;      /* SK or SKF was begun: no payload can follow */
	struct buf *desc; /* when not NULL, gets " SA KE No", for printing "[%s ]" */
};

EXPORT struct builder builder_of(void *p, size_t cap);
/* 28 bytes; next and length are patched in as payloads follow and by builder_finish. */
EXPORT void builder_header(struct builder *b, const struct ike_header *h);
/* Fills in the length. Result: the whole message, empty if it did not fit. */
EXPORT struct bytes builder_finish(struct builder *b);

EXPORT void builder_sa(struct builder *b, struct proposal_list list); /* numbers 1.. unless set */
EXPORT void builder_ke(struct builder *b, unsigned method, struct bytes data);
EXPORT void builder_nonce(struct builder *b, struct bytes nonce);
EXPORT void builder_id(struct builder *b, bool initiator, const struct id *id);
EXPORT void builder_auth(struct builder *b, unsigned method, struct bytes data);
EXPORT void builder_cert(struct builder *b, bool request, unsigned encoding, struct bytes data);
EXPORT void builder_notify(struct builder *b, unsigned protocol, struct bytes spi, unsigned type, struct bytes data);
EXPORT void builder_delete(struct builder *b, unsigned protocol, const uint32_t *spis, size_t count); /* IKE: count 0 */
EXPORT void builder_vendor(struct builder *b, struct bytes data);
EXPORT void builder_ts(struct builder *b, bool initiator, struct ts_list list);
EXPORT void builder_cp(struct builder *b, unsigned type, const struct cp_attribute *attrs, size_t count);
EXPORT void builder_eap(struct builder *b, struct bytes packet);
/* A payload as is (unknown types, tests). */
EXPORT void builder_raw(struct builder *b, unsigned type, bool critical, struct bytes body);
/* Opens an SK (or SKF) payload and leaves its body to the caller (sa/seal); builder_sk_end patches its length. */
EXPORT void builder_sk_begin(struct builder *b, uint8_t inner_first, const struct payload_skf *fragment);
EXPORT void builder_sk_end(struct builder *b);
/* Re-encodes a parsed payload. */
EXPORT void builder_payload(struct builder *b, const struct payload *p);

#endif
