/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_CHILD_SA_STATES_H
#define BEWICK_SA_CHILD_SA_STATES_H

#include <stddef.h>

#include "util/result.h"

#define CHILD_STATE_LIST(X)                                                                        \
	X(CREATED)                                                                                 \
	X(ROUTED)                                                                                  \
	X(INSTALLING)                                                                              \
	X(INSTALLED)                                                                               \
	X(UPDATING)                                                                                \
	X(REKEYING)                                                                                \
	X(REKEYED)                                                                                 \
	X(RETRYING)                                                                                \
	X(DELETING)                                                                                \
	X(DELETED)                                                                                 \
	X(DESTROYING)

#define CHILD_EVENT_LIST(X)                                                                        \
	X(INSTALL)       /* keys are there, the backend is asked */                                \
	X(INSTALL_OK)                                                                              \
	X(INSTALL_FAILED)                                                                          \
	X(FAILED)        /* the negotiation ended without a CHILD_SA */                            \
	X(RETRY)         /* again with another key exchange method */                              \
	X(RETRIED)       /* the new request is out */                                              \
	X(REKEY_SENT)    /* our request for a successor is on its way */                           \
	X(REKEY_FAILED)  /* no successor: what worked goes on */                                   \
	X(REPLACED)      /* a successor carries the traffic */                                     \
	X(REVIVED)       /* the successor is gone and this one still there */                      \
	X(LOST)          /* the peer does not know it any more */                                  \
	X(DELETE_SENT)   /* our Delete is on its way */                                            \
	X(DELETE_RECEIVED)                                                                         \
	X(DELETE_DONE)   /* both sides know */                                                     \
	X(DESTROY)       /* with its IKE_SA */

#define CHILD_STATE_ENUM(NAME) CHILD_STATE_##NAME,
#define CHILD_EVENT_ENUM(NAME) CHILD_EVENT_##NAME,
enum child_state { CHILD_STATE_LIST(CHILD_STATE_ENUM) CHILD_STATES };
enum child_event { CHILD_EVENT_LIST(CHILD_EVENT_ENUM) CHILD_EVENTS };

struct child_transition {
	enum child_state state;
	enum child_event event;
	enum child_state next;
	const char *meaning;
};

extern EXPORT const struct child_transition child_transitions[];
extern EXPORT const size_t child_transitions_count;

EXPORT const char *child_state_name(enum child_state s);
EXPORT const char *child_event_name(enum child_event e);
EXPORT const struct child_transition *child_transition_find(enum child_state s, enum child_event e);

#endif
