/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_SYNC_H
#define BEWICK_SA_SYNC_H

#include "sa/ike_sa.h"
#include "wire/builder.h"

/*
 * RFC 6311: another node goes on with an IKE_SA and does not know the last numbers that were used. One exchange with
 * message id 0 agrees on higher ones; ESP sequence numbers jump ahead. The exchange itself is tasks/message_id_sync.c.
 */

/* ---- IKE_AUTH (RFC 6311, 5) ---- */

/* Announces what we can do, as responder only what the peer announced. */
void sync_build(struct ike_sa *sa, struct builder *b);
/* What the peer announced, of what we announce. */
void sync_take(struct ike_sa *sa, const struct payload_list *in);
/* The successor of a rekeying can what the old one could; its message ids begin anew. */
EXPORT void sync_inherit(struct ike_sa *new_sa, const struct ike_sa *old);

/* ---- what comes in ---- */

struct sync_values {
	uint32_t nonce;
	uint32_t send, recv; /* EXPECTED_SEND_REQ_MESSAGE_ID, EXPECTED_RECV_REQ_MESSAGE_ID of who wrote it */
};

/* The values of a message that is nothing but a synchronization (RFC 6311, 5.1); false: it is not, or malformed. */
EXPORT bool sync_parse(const struct payload_list *in, bool request, struct sync_values *ret);
void sync_put(struct builder *b, const struct sync_values *v);

/* A request that can be one: id 0, where no window has a place for it. It is small and never comes in fragments. */
static inline bool sync_may_be(const struct ike_sa *sa, const struct ike_header *h)
{
	return sa->sync_ids && h->message_id == 0 && h->exchange == EXCHANGE_INFORMATIONAL && h->next == PAYLOAD_SK;
}
/* A verified message of which sync_may_be said yes is a synchronization. */
static inline bool sync_is_request(const struct payload_list *in)
{
	return payload_notify(in, NOTIFY_IKEV2_MESSAGE_ID_SYNC) != NULL;
}
/* RFC 6311 5.1 MUST: silently dropped if its M1 is not above all that was seen, or with any other payload. */
bool sync_accepts(const struct ike_sa *sa, const struct payload_list *in);

/* ---- what the tasks need ---- */

/* RFC 6311, 6.4: the peer wants our outbound sequence numbers to jump. */
void sync_advance(struct ike_sa *sa, struct bytes delta);
/* Bytes of the delta for the children that there are: 4, 8 with extended sequence numbers, 0 if they differ or there are none. */
size_t sync_delta_len(const struct ike_sa *sa);
/*
 * The ids have moved under a request of ours that is under way: nobody will answer it (RFC 6311, 9). An INFORMATIONAL one
 * goes out again with a new id; a CREATE_CHILD_SA, which the other node may or may not have carried out, counts as refused
 * for the moment.
 */
void sync_renew_outstanding(struct ike_sa *sa);

#endif
