/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_IKE_SA_STATES_H
#define BEWICK_SA_IKE_SA_STATES_H

#include <stddef.h>

#include "util/result.h"

/* X(symbol, name as VICI prints it) */
#define IKE_STATE_LIST(X)                                                                          \
	X(CREATED)                                                                                 \
	X(CONNECTING)                                                                              \
	X(ESTABLISHED)                                                                             \
	X(REKEYING)                                                                                \
	X(REKEYED)                                                                                 \
	X(DELETING)                                                                                \
	X(CLOSED)                                                                                  \
	X(PASSIVE)                                                                                 \
	X(DESTROYING)

#define IKE_EVENT_LIST(X)                                                                          \
	X(INITIATE)       /* our IKE_SA_INIT goes out */                                           \
	X(RESPOND)        /* an IKE_SA_INIT came in and is answered */                             \
	X(RESTART)        /* a new attempt with a new SPI: COOKIE and INVALID_KE keep the old one */ \
	X(AUTHENTICATED)  /* both sides are who they should be */                                  \
	X(INHERITED)      /* made by rekeying: the old IKE_SA vouches for the peer */              \
	X(REKEY_SENT)     /* our request for a successor is on its way */                          \
	X(REKEY_FAILED)   /* no successor: what worked goes on */                                  \
	X(REPLACED)       /* the children belong to the successor */                               \
	X(DELETE_SENT)    /* our Delete is on its way */                                           \
	X(DELETE_ANSWERED) /* the peer's Delete was received and its answer sent */                \
	X(DELETE_ACKED)   /* the peer answered our Delete */                                       \
	X(SILENT)         /* all retransmits without an answer */                                  \
	X(REFUSED)        /* IKE_FATAL that was answered: the answer is kept for repeats */        \
	X(FAILED)         /* IKE_FATAL */                                                          \
	X(LINGERED)       /* closed_linger is over */                                              \
	X(DESTROY)        /* by order, without telling the peer */

#define IKE_STATE_ENUM(NAME) IKE_STATE_##NAME,
#define IKE_EVENT_ENUM(NAME) IKE_EVENT_##NAME,
enum ike_state { IKE_STATE_LIST(IKE_STATE_ENUM) IKE_STATES };
enum ike_event { IKE_EVENT_LIST(IKE_EVENT_ENUM) IKE_EVENTS };

/* One legal transition. */
struct ike_transition {
	enum ike_state state;
	enum ike_event event;
	enum ike_state next;
	const char *meaning;
};

extern EXPORT const struct ike_transition ike_transitions[];
extern EXPORT const size_t ike_transitions_count;

EXPORT const char *ike_state_name(enum ike_state s);
EXPORT const char *ike_event_name(enum ike_event e);
/* The row for a state and an event, NULL if the move is not declared. */
EXPORT const struct ike_transition *ike_transition_find(enum ike_state s, enum ike_event e);

#endif
