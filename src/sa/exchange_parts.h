/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_EXCHANGE_PARTS_H
#define BEWICK_SA_EXCHANGE_PARTS_H

#include "sa/exchange.h"
#include "sa/task.h"

/* What the two halves of the engine share: exchange.c (requests of ours) and exchange_respond.c (the peer's). */

/* A message: header, a builder for its payloads, the bytes to send (empty: it could not be built), counter and log. */
struct ike_header exchange_header(const struct ike_sa *sa, unsigned exchange, uint32_t message_id, bool response);
struct builder exchange_begin(struct ike_sa *sa, const struct ike_header *h, struct buf *desc);
struct bytes exchange_end(struct ike_sa *sa, const struct ike_header *h, struct builder *b);
void exchange_count_out(struct ike_sa *sa, unsigned exchange, bool response);
void exchange_log_built(struct ike_sa *sa, const struct ike_header *h, struct buf *desc);

/* Ends of tasks. exchange_clean frees the finished ones of a list and lets them say their last words. */
void exchange_task_ended(struct ike_sa *sa, struct task *t, enum outcome o);
void exchange_clean(struct ike_sa *sa, struct task **list);
/* Something waits for the backend from now on: it has a limited time (sa/deadline.h). */
void exchange_parked(struct ike_sa *sa);
bool exchange_waiting(const struct task *list);

/*
 * A task that WAITs, or that takes part in more than this exchange, holds back those behind it: they read the message when it is
 * done. What is still to be read of it outlives the packet: as responder that is the first IKE_AUTH request.
 */
void exchange_hold(struct ike_sa *sa, struct task *t, const struct payload_list *in);
/* What is to be read now: what is held, else `in`. */
const struct payload_list *exchange_message(const struct ike_sa *sa, const struct payload_list *in);

/* IKE_AUTH is over: what was only for it goes. */
void exchange_settle(struct ike_sa *sa);

/* A task that answers a request of the peer goes on after a completion; o is what came of it. */
void exchange_passive_goes_on(struct ike_sa *sa, struct task *t, enum outcome o);

#endif
