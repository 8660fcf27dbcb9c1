/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/window.h"

enum window_verdict window_in_check(const struct window_in *w, uint32_t message_id)
{
	uint32_t behind = w->next - message_id;

	/* RFC 7296, 2.2 MUST NOT wrap: the last id is never taken, so that `next` cannot become 0 and old requests new */
	if (message_id >= w->next && message_id - w->next < LIMIT_WINDOW && message_id != UINT32_MAX)
		return WINDOW_NEW;
	if (behind <= LIMIT_WINDOW && message_id < w->next)
		return WINDOW_REPEAT;
	return message_id < w->next ? WINDOW_STALE : WINDOW_FUTURE;
}

void window_in_accept(struct window_in *w, uint32_t message_id)
{
	if (message_id == w->next)
		w->next++;
}

void window_in_store(struct window_in *w, uint32_t message_id, uint64_t request_hash, struct bytes reply)
{
	struct stored_reply *r = &w->reply[message_id % LIMIT_WINDOW];

	/* exactly sized: an idle SA keeps it */
	if (r->data.cap < reply.n || r->data.cap > reply.n + 64)
		buf_free(&r->data);
	buf_reset(&r->data);
	buf_add_bytes(&r->data, reply);
	w->reply_id[message_id % LIMIT_WINDOW] = message_id;
	r->request_hash = request_hash;
}

const struct stored_reply *window_in_reply(const struct window_in *w, uint32_t message_id)
{
	const struct stored_reply *r = &w->reply[message_id % LIMIT_WINDOW];

	return r->data.n && w->reply_id[message_id % LIMIT_WINDOW] == message_id ? r : NULL;
}

struct buf *window_in_data(struct window_in *w, uint32_t message_id)
{
	return &w->reply[message_id % LIMIT_WINDOW].data;
}

void window_in_clear(struct window_in *w)
{
	for (unsigned i = 0; i < LIMIT_WINDOW; i++)
		buf_free(&w->reply[i].data);
}
