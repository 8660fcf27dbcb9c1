/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/exchange.h"

/* In which states an exchange may begin. */
struct exchange_rule {
	uint8_t state; /* enum ike_state */
	uint8_t exchange;
	bool in, out;
};

static const struct exchange_rule exchange_rules[] = {
	{ IKE_STATE_CREATED, EXCHANGE_IKE_SA_INIT, true, true },
	{ IKE_STATE_CONNECTING, EXCHANGE_IKE_SA_INIT, false, true }, /* again with COOKIE or another KE */
	{ IKE_STATE_CONNECTING, EXCHANGE_IKE_AUTH, true, true },
	{ IKE_STATE_ESTABLISHED, EXCHANGE_CREATE_CHILD_SA, true, true },
	{ IKE_STATE_ESTABLISHED, EXCHANGE_INFORMATIONAL, true, true },
	/* our request for a successor may have to go out again (INVALID_KE_PAYLOAD) */
	{ IKE_STATE_REKEYING, EXCHANGE_CREATE_CHILD_SA, true, true },
	{ IKE_STATE_REKEYING, EXCHANGE_INFORMATIONAL, true, false },
	{ IKE_STATE_REKEYED, EXCHANGE_CREATE_CHILD_SA, true, false },
	{ IKE_STATE_REKEYED, EXCHANGE_INFORMATIONAL, true, true },
	/* RFC 7296, 2.25.2: what a peer asks while we close is answered, children are refused */
	{ IKE_STATE_DELETING, EXCHANGE_CREATE_CHILD_SA, true, false },
	{ IKE_STATE_DELETING, EXCHANGE_INFORMATIONAL, true, false },
};

bool exchange_allowed(enum ike_state state, unsigned exchange, bool incoming)
{
	for (size_t i = 0; i < ARRAY_LEN(exchange_rules); i++) {
		const struct exchange_rule *r = &exchange_rules[i];

		if (r->state == state && r->exchange == exchange)
			return incoming ? r->in : r->out;
	}
	return false;
}
