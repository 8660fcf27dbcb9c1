/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/outcome.h"

const char *cause_name(enum cause cause)
{
	static const char *const names[] = {
		[CAUSE_NONE] = "none",
		[CAUSE_AUTHENTICATION] = "authentication",
		[CAUSE_PROPOSAL] = "proposal",
		[CAUSE_SELECTORS] = "selectors",
		[CAUSE_KEY_EXCHANGE] = "key-exchange",
		[CAUSE_PEER_SILENT] = "peer-silent",
		[CAUSE_PEER_LOST] = "peer-lost-state",
		[CAUSE_PEER_ERROR] = "peer-error",
		[CAUSE_SYNTAX] = "syntax",
		[CAUSE_CRITICAL] = "critical-payload",
		[CAUSE_KERNEL] = "kernel",
		[CAUSE_DUPLICATE] = "duplicate",
		[CAUSE_POLICY] = "policy",
		[CAUSE_RESOLVE] = "resolve",
		[CAUSE_CRYPTO] = "crypto",
		[CAUSE_CLOSED] = "closed",
		[CAUSE_SHUTDOWN] = "shutdown",
	};

	return cause < CAUSES ? names[cause] : "?";
}
