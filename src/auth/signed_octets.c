/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/signed_octets.h"

#include "proto/limits.h"

struct result signed_octets(struct crypto_ctx *c, unsigned prf, const struct psk_octets *octets, const struct id *id,
			    struct arena *a, struct bytes *ret)
{
	const struct mac_impl *impl = crypto_prf(crypto_ctx_registry(c), prf);
	uint8_t body[4 + LIMIT_ID] = { id->type };
	struct bytes part = bytes_of(body, 4 + id->data.n);
	struct buf all = { 0 };
	uint8_t maced[CRYPTO_MAX_MAC];
	struct result r;

	if (!impl)
		return result_fail(RESULT_UNSUPPORTED, "no provider has the PRF");
	if (id->data.n > LIMIT_ID)
		return result_fail(RESULT_LIMIT, "the identity is too long");
	/* RestOfIDPayload: type, three reserved octets, data */
	memcpy(body + 4, id->data.p, id->data.n);
	r = crypto_prf_run(c, prf, octets->sk_p, &part, 1, maced);
	if (result_is_ok(r)) {
		buf_add_bytes(&all, octets->message);
		buf_add_bytes(&all, octets->nonce);
		buf_add(&all, maced, impl->out_len);
		*ret = bytes_of(arena_dup(a, all.p, all.n), all.n);
		buf_free(&all);
	}
	return r;
}
