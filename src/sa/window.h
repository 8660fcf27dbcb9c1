/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_WINDOW_H
#define BEWICK_SA_WINDOW_H

#include "proto/limits.h"
#include "util/bytes.h"

/*
 * Message ids of one direction of requests: ours out, or the peer's in (RFC 7296, 2.2
 * and 2.3). Plain values and a few stored replies; looks at ids, decides, moves only when told.
 */

/* A reply kept for repeats of its request. */
struct stored_reply {
	uint64_t request_hash; /* of the request's bytes: RFC 7296, 2.1: repeats are bitwise identical */
	struct buf data; /* the whole message */
};

struct window_in {
	uint32_t next; /* id of the next new request */
	uint32_t reply_id[LIMIT_WINDOW]; /* which one each reply is for */
	struct stored_reply reply[LIMIT_WINDOW];
};

struct window_out {
	uint32_t next; /* id of our next request */
};

enum window_verdict {
	WINDOW_NEW,
	WINDOW_REPEAT, /* answered already, the reply is stored */
	WINDOW_STALE,  /* older than what we remember */
	WINDOW_FUTURE, /* beyond the window */
};

EXPORT enum window_verdict window_in_check(const struct window_in *w, uint32_t message_id);
/* The request with the next id was accepted: its integrity was verified. */
EXPORT void window_in_accept(struct window_in *w, uint32_t message_id);
/* Keeps a copy of the reply, in place of the oldest. */
EXPORT void window_in_store(struct window_in *w, uint32_t message_id, uint64_t request_hash, struct bytes reply);
EXPORT const struct stored_reply *window_in_reply(const struct window_in *w, uint32_t message_id);
struct buf *window_in_data(struct window_in *w, uint32_t message_id); /* of a reply that is there, to give it another form */
EXPORT void window_in_clear(struct window_in *w);

#endif
