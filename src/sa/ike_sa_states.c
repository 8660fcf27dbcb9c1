/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/ike_sa_states.h"

#include "util/mem.h"

#define ROW(STATE, EVENT, NEXT, MEANING)                                                           \
	{ IKE_STATE_##STATE, IKE_EVENT_##EVENT, IKE_STATE_##NEXT, MEANING }

/* Every move an IKE_SA can make. */
const struct ike_transition ike_transitions[] = {
	ROW(CREATED, INITIATE, CONNECTING, "we begin an IKE_SA_INIT exchange"),
	ROW(CREATED, RESPOND, CONNECTING, "a peer began an IKE_SA_INIT exchange"),
	ROW(CREATED, INHERITED, ESTABLISHED, "made by rekeying another IKE_SA"),
	ROW(CREATED, FAILED, DESTROYING, "the first message could not be built or was refused"),
	ROW(CREATED, DESTROY, DESTROYING, "given up before anything was sent"),

	ROW(CONNECTING, RESTART, CONNECTING, "another round of attempts (keyingtries)"),
	ROW(CONNECTING, AUTHENTICATED, ESTABLISHED, "IKE_AUTH is complete"),
	ROW(CONNECTING, FAILED, DESTROYING, "authentication or negotiation failed"),
	ROW(CONNECTING, REFUSED, CLOSED, "the peer was told that authentication failed"),
	ROW(CONNECTING, SILENT, DESTROYING, "the peer did not answer"),
	ROW(CONNECTING, DESTROY, DESTROYING, "given up by order or half-open for too long"),

	ROW(ESTABLISHED, REKEY_SENT, REKEYING, "we ask for a successor"),
	ROW(ESTABLISHED, REPLACED, REKEYED, "the peer made a successor"),
	ROW(ESTABLISHED, DELETE_SENT, DELETING, "we close it"),
	ROW(ESTABLISHED, DELETE_ANSWERED, CLOSED, "the peer closed it"),
	ROW(ESTABLISHED, REFUSED, CLOSED, "the peer broke the rules and was told so"),
	ROW(ESTABLISHED, SILENT, DESTROYING, "the peer is gone"),
	ROW(ESTABLISHED, FAILED, DESTROYING, "the peer broke the rules"),
	ROW(ESTABLISHED, DESTROY, DESTROYING, "removed by order, without telling the peer"),

	/* RFC 7296, 2.25.2: the peer may do anything but create children meanwhile */
	ROW(REKEYING, REKEY_FAILED, ESTABLISHED, "no successor: this one goes on"),
	ROW(REKEYING, REPLACED, REKEYED, "a successor has the children, ours or the peer's"),
	ROW(REKEYING, DELETE_ANSWERED, CLOSED, "the peer closed it instead"),
	ROW(REKEYING, REFUSED, CLOSED, "the peer broke the rules and was told so"),
	ROW(REKEYING, SILENT, DESTROYING, "the peer is gone"),
	ROW(REKEYING, FAILED, DESTROYING, "the peer broke the rules"),
	ROW(REKEYING, DESTROY, DESTROYING, "removed by order, without telling the peer"),

	/* RFC 7296, 2.8: who made the successor deletes; if that never comes, the other does */
	ROW(REKEYED, DELETE_SENT, DELETING, "the old IKE_SA is closed"),
	ROW(REKEYED, DELETE_ANSWERED, CLOSED, "the peer closed the old IKE_SA"),
	ROW(REKEYED, REFUSED, CLOSED, "the peer broke the rules and was told so"),
	ROW(REKEYED, SILENT, DESTROYING, "the peer has forgotten it already"),
	ROW(REKEYED, FAILED, DESTROYING, "the peer broke the rules"),
	ROW(REKEYED, DESTROY, DESTROYING, "removed by order"),

	/* RFC 7296, 1.4.1: deletes may cross; both are answered, both close */
	ROW(DELETING, DELETE_ACKED, DESTROYING, "the peer knows"),
	ROW(DELETING, DELETE_ANSWERED, CLOSED, "deletes crossed"),
	ROW(DELETING, REFUSED, CLOSED, "the peer broke the rules and was told so"),
	ROW(DELETING, SILENT, DESTROYING, "the peer is gone, nothing is left to tell it"),
	ROW(DELETING, FAILED, DESTROYING, "the answer to our Delete broke the rules"),
	ROW(DELETING, DESTROY, DESTROYING, "removed by order"),

	ROW(CLOSED, LINGERED, DESTROYING, "no repeat of the peer's Delete can come any more"),
	ROW(CLOSED, DESTROY, DESTROYING, "shutting down"),
};
const size_t ike_transitions_count = ARRAY_LEN(ike_transitions);

#define NAME(SYMBOL) #SYMBOL,
static const char *const state_names[] = { IKE_STATE_LIST(NAME) };
static const char *const event_names[] = { IKE_EVENT_LIST(NAME) };

const char *ike_state_name(enum ike_state s)
{
	return (size_t)s < ARRAY_LEN(state_names) ? state_names[s] : "?";
}

const char *ike_event_name(enum ike_event e)
{
	return (size_t)e < ARRAY_LEN(event_names) ? event_names[e] : "?";
}

const struct ike_transition *ike_transition_find(enum ike_state s, enum ike_event e)
{
	for (size_t i = 0; i < ARRAY_LEN(ike_transitions); i++)
		if (ike_transitions[i].state == s && ike_transitions[i].event == e)
			return &ike_transitions[i];
	return NULL;
}
