/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_OUTCOME_H
#define BEWICK_SA_OUTCOME_H

#include <stdint.h>

#include "util/result.h"

/* How a step of a task ends. Decided where the cause is known. */
enum outcome {
	OUTCOME_DONE,         /* finished */
	OUTCOME_MORE,         /* takes part in another exchange */
	OUTCOME_WAIT,         /* parked until a completion, the exchange with it */
	OUTCOME_CHILD_FAILED, /* its CHILD_SA is not to be; the exchange and the IKE_SA go on */
	OUTCOME_IKE_FATAL,    /* the IKE_SA ends */
	OUTCOME_IGNORE,       /* not a message to act on (unauthenticated): go on waiting */
};

/* Why something failed, for logs, events and who asked for it. */
enum cause {
	CAUSE_NONE,
	CAUSE_AUTHENTICATION, /* ours of the peer, or the peer's of us */
	CAUSE_PROPOSAL,       /* nothing in common */
	CAUSE_SELECTORS,
	CAUSE_KEY_EXCHANGE,
	CAUSE_PEER_SILENT,    /* no reply after all retransmits */
	CAUSE_PEER_LOST,      /* it has forgotten the IKE_SA, and proved that */
	CAUSE_PEER_ERROR,     /* an error notify that has no cause of its own here */
	CAUSE_SYNTAX,         /* a message that broke the rules */
	CAUSE_CRITICAL,       /* an unknown payload that must not be skipped */
	CAUSE_KERNEL,         /* the backend refused */
	CAUSE_DUPLICATE,
	CAUSE_POLICY,         /* our configuration says no */
	CAUSE_RESOLVE,        /* a name without an address */
	CAUSE_CRYPTO,
	CAUSE_CLOSED,         /* the SA went away meanwhile */
	CAUSE_SHUTDOWN,
	CAUSES
};

EXPORT const char *cause_name(enum cause cause); /* "no-proposal" */

#endif
