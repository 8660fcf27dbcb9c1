/* SPDX-License-Identifier: Apache-2.0 */
#include "util/writer.h"
#include "worker/internal.h"

/*
 * Stateless cookies (RFC 7296, 2.6): version | SHA-256(secret | Ni | IPi | SPIi). The secret of a time span
 * is derived from one drawn at start, so all workers agree without talking; the last span's is still taken.
 */
#define COOKIE_SPAN_MS 120000

bool cookie_make(struct worker *w, const struct addr *remote, uint64_t spi_i, struct bytes nonce, unsigned age,
		 uint8_t *ret_cookie)
{
	uint64_t span = sa_now(&w->ctx) / COOKIE_SPAN_MS - age;
	uint8_t tail[16];
	struct writer wr = writer_of(tail, sizeof(tail));
	struct bytes parts[4];

	writer_u64(&wr, span);
	writer_u64(&wr, spi_i);
	parts[0] = bytes_of(w->pool->cookie_secret, sizeof(w->pool->cookie_secret));
	parts[1] = writer_done(&wr);
	parts[2] = bytes_of(remote->ip, addr_len(remote));
	parts[3] = nonce;
	ret_cookie[0] = (uint8_t)span;
	return result_is_ok(crypto_hash(w->ctx.crypto, HASH_SHA2_256, parts, ARRAY_LEN(parts), ret_cookie + 1));
}

bool cookie_check(struct worker *w, const struct addr *remote, uint64_t spi_i, struct bytes nonce, struct bytes cookie)
{
	uint8_t own[COOKIE_LEN];

	for (unsigned age = 0; age < 2; age++)
		if (cookie_make(w, remote, spi_i, nonce, age, own) && secret_equal(cookie, bytes_of(own, sizeof(own))))
			return true;
	return false;
}

void cookie_sent(struct worker *w)
{
	/* taken in the span it was made in, and in the next */
	w->cookies_until_ms = sa_now(&w->ctx) + 2 * COOKIE_SPAN_MS;
}

bool cookie_may_be_held(const struct worker *w)
{
	return sa_now(&w->ctx) < w->cookies_until_ms;
}
