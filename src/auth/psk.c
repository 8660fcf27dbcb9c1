/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/psk.h"

#include "proto/limits.h"

struct result psk_auth(struct crypto_ctx *c, unsigned prf, struct bytes psk, const struct psk_octets *octets,
		       const struct id *id, uint8_t *ret_auth, size_t *ret_len)
{
	uint8_t body[4 + LIMIT_ID] = { id->type };

	if (id->data.n > LIMIT_ID)
		return result_fail(RESULT_LIMIT, "the identity is too long");
	/* RestOfIDPayload: type, three reserved octets, data */
	memcpy(body + 4, id->data.p, id->data.n);
	return keys_psk_auth(c, prf, psk, octets->message, octets->nonce, octets->sk_p,
			     bytes_of(body, 4 + id->data.n), ret_auth, ret_len);
}

bool psk_verify(struct crypto_ctx *c, unsigned prf, struct bytes psk, const struct psk_octets *octets,
		const struct id *id, struct bytes auth)
{
	uint8_t own[PSK_AUTH_MAX];
	size_t n;
	bool same;

	if (!result_is_ok(psk_auth(c, prf, psk, octets, id, own, &n)))
		return false;
	same = secret_equal(auth, bytes_of(own, n));
	secret_wipe(own, sizeof(own));
	return same;
}
