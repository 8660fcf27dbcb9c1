/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_EXCHANGE_H
#define BEWICK_SA_EXCHANGE_H

#include "sa/ike_sa.h"

/* Whether a request of this type may come in, or our own go out, in a state: a table. */
EXPORT bool exchange_allowed(enum ike_state state, unsigned exchange, bool incoming);

/* Builds and sends a request of all queued tasks that go together; false if nothing was to send. */
bool exchange_start(struct ike_sa *sa);
/* A verified message (or an IKE_SA_INIT) with its payloads. */
void exchange_request(struct ike_sa *sa, const struct ike_header *h, const struct payload_list *in);
void exchange_response(struct ike_sa *sa, const struct ike_header *h, const struct payload_list *in);
void exchange_unhold(struct ike_setup *s);
/* The exchange under way is only a sign of life. */
bool exchange_is_probe(const struct ike_sa *sa);
/* At which level its messages are logged. */
int exchange_log_level(const struct ike_sa *sa);
/* An answer that is just one notify; unprotected when there are no keys yet. */
void exchange_reply_notify(struct ike_sa *sa, const struct ike_header *h, unsigned notify, struct bytes data);
/* An INFORMATIONAL request with one notify that nobody waits to be answered: the SA is about to end. */
void exchange_notify_once(struct ike_sa *sa, unsigned notify);
/* The exchange under way is a RFC 6311 sync of our own: message id 0, apart from the window. */
bool exchange_is_sync(const struct ike_sa *sa);
/* The outstanding request ended, by its answer or with the SA. */
void outstanding_free(struct ike_sa *sa);
/* Sends a request and keeps repeating it. */
void outstanding_send(struct ike_sa *sa, unsigned exchange, uint32_t message_id, struct bytes msg);
/* Repeats it now, as if it had not been sent before: on a path where it was not. */
void outstanding_restart(struct ike_sa *sa);
/* Repeats it now, when there is reason to believe that an answer can be had. */
void outstanding_nudge(struct ike_sa *sa);
/* The same again under the next id, as if it had not been sent before. False: it could not be sealed. */
bool outstanding_renumber(struct ike_sa *sa);

/* The backend did not answer in time: what waits for it has failed. Its answer is for nobody then. */
void exchange_backend_late(struct ike_sa *sa);

#endif
