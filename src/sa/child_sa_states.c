/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/child_sa_states.h"

#include "util/mem.h"

#define ROW(STATE, EVENT, NEXT, MEANING)                                                           \
	{ CHILD_STATE_##STATE, CHILD_EVENT_##EVENT, CHILD_STATE_##NEXT, MEANING }

/* Every move a CHILD_SA can make. */
const struct child_transition child_transitions[] = {
	ROW(CREATED, INSTALL, INSTALLING, "negotiated, keys derived"),
	ROW(CREATED, FAILED, DESTROYING, "refused by the peer or by us"),
	ROW(CREATED, RETRY, RETRYING, "the peer wants another key exchange method"),
	ROW(CREATED, DESTROY, DESTROYING, "the IKE_SA went away"),

	ROW(RETRYING, RETRIED, CREATED, "asked again"),
	ROW(RETRYING, FAILED, DESTROYING, "it is not needed any more"),
	ROW(RETRYING, DESTROY, DESTROYING, "the IKE_SA went away"),

	ROW(INSTALLING, INSTALL_OK, INSTALLED, "traffic flows"),
	ROW(INSTALLING, INSTALL_FAILED, DESTROYING, "the backend refused"),
	ROW(INSTALLING, DELETE_RECEIVED, DELETED, "the peer closes it before our backend is ready"),
	ROW(INSTALLING, DESTROY, DESTROYING, "the IKE_SA went away"),

	ROW(INSTALLED, REKEY_SENT, REKEYING, "we ask for a successor"),
	ROW(INSTALLED, REPLACED, REKEYED, "the peer made a successor"),
	ROW(INSTALLED, DELETE_SENT, DELETING, "we close it"),
	ROW(INSTALLED, DELETE_RECEIVED, DELETED, "the peer closes it"),
	ROW(INSTALLED, DESTROY, DESTROYING, "the IKE_SA went away"),

	/* RFC 7296, 2.8.1 and 2.25.1: the peer may rekey or close it at the same time */
	ROW(REKEYING, REKEY_FAILED, INSTALLED, "no successor: this one goes on"),
	ROW(REKEYING, REPLACED, REKEYED, "a successor is there, ours or the peer's"),
	ROW(REKEYING, LOST, DELETED, "the peer has no such CHILD_SA"),
	ROW(REKEYING, DELETE_RECEIVED, DELETED, "the peer closes it instead"),
	ROW(REKEYING, DESTROY, DESTROYING, "the IKE_SA went away"),

	ROW(REKEYED, REVIVED, INSTALLED, "the peer gave its successor up"),
	ROW(REKEYED, DELETE_SENT, DELETING, "the old one is closed"),
	ROW(REKEYED, DELETE_RECEIVED, DELETED, "the peer closes the old one"),
	ROW(REKEYED, DESTROY, DESTROYING, "the IKE_SA went away"),

	/* RFC 7296, 1.4.1: a half-closed SA; deletes may cross */
	ROW(DELETING, DELETE_DONE, DELETED, "the peer answered"),
	ROW(DELETING, DELETE_RECEIVED, DELETED, "deletes crossed"),
	ROW(DELETING, DESTROY, DESTROYING, "the IKE_SA went away"),

	ROW(DELETED, DESTROY, DESTROYING, "all is said, late packets had their time"),
};
const size_t child_transitions_count = ARRAY_LEN(child_transitions);

#define NAME(SYMBOL) #SYMBOL,
static const char *const state_names[] = { CHILD_STATE_LIST(NAME) };
static const char *const event_names[] = { CHILD_EVENT_LIST(NAME) };

const char *child_state_name(enum child_state s)
{
	return (size_t)s < ARRAY_LEN(state_names) ? state_names[s] : "?";
}

const char *child_event_name(enum child_event e)
{
	return (size_t)e < ARRAY_LEN(event_names) ? event_names[e] : "?";
}

const struct child_transition *child_transition_find(enum child_state s, enum child_event e)
{
	for (size_t i = 0; i < ARRAY_LEN(child_transitions); i++)
		if (child_transitions[i].state == s && child_transitions[i].event == e)
			return &child_transitions[i];
	return NULL;
}
