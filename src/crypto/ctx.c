/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ctx.h"

#include <stdlib.h>

#include "util/log.h"
#include "util/mem.h"

/* Random bytes are fetched in one go and handed out: a call to the generator costs as
 * much as a kilobyte of its output. */
#define RANDOM_POOL 4096

/* Few algorithms are in use at a time: the first used are found first. */
struct cipher_slot {
	const struct cipher_impl *impl;
	void *ctx;
};

struct mac_slot {
	const struct mac_impl *impl;
	void *ctx;
};

struct ke_slot {
	const struct ke_impl *impl;
	void *ctx;
};

struct crypto_ctx {
	const struct crypto_registry *registry;
	struct cipher_slot *ciphers;
	size_t n_ciphers;
	struct mac_slot *macs;
	size_t n_macs;
	struct ke_slot *kes;
	size_t n_kes;
	bool seeded;
	uint64_t seed_state;
	size_t pool_left; /* bytes at the end of the pool not handed out yet */
	uint8_t pool[RANDOM_POOL];
};

struct crypto_ctx *crypto_ctx_new(const struct crypto_registry *r)
{
	struct crypto_ctx *c = xcalloc(1, sizeof(*c));

	c->registry = r;
	return c;
}

void crypto_ctx_free(struct crypto_ctx *c)
{
	if (!c)
		return;
	for (size_t i = 0; i < c->n_ciphers; i++)
		c->ciphers[i].impl->ctx_free(c->ciphers[i].ctx);
	for (size_t i = 0; i < c->n_macs; i++)
		c->macs[i].impl->ctx_free(c->macs[i].ctx);
	for (size_t i = 0; i < c->n_kes; i++)
		c->kes[i].impl->ctx_free(c->kes[i].ctx);
	free(c->ciphers);
	free(c->macs);
	free(c->kes);
	secret_wipe(c, sizeof(*c));
	free(c);
}

const struct crypto_registry *crypto_ctx_registry(const struct crypto_ctx *c)
{
	return c->registry;
}

void *ctx_of_cipher(struct crypto_ctx *c, const struct cipher_impl *impl)
{
	void *ctx;

	for (size_t i = 0; i < c->n_ciphers; i++) {
		if (c->ciphers[i].impl == impl)
			return c->ciphers[i].ctx;
	}
	ctx = impl->ctx_new(impl);
	if (ctx) {
		c->ciphers = xrealloc(c->ciphers, (c->n_ciphers + 1) * sizeof(*c->ciphers));
		c->ciphers[c->n_ciphers++] = (struct cipher_slot){ impl, ctx };
	}
	return ctx;
}

void *ctx_of_mac(struct crypto_ctx *c, const struct mac_impl *impl)
{
	void *ctx;

	for (size_t i = 0; i < c->n_macs; i++) {
		if (c->macs[i].impl == impl)
			return c->macs[i].ctx;
	}
	ctx = impl->ctx_new(impl);
	if (ctx) {
		c->macs = xrealloc(c->macs, (c->n_macs + 1) * sizeof(*c->macs));
		c->macs[c->n_macs++] = (struct mac_slot){ impl, ctx };
	}
	return ctx;
}

/* NULL if there is none. */
static void *ctx_of_ke(struct crypto_ctx *c, const struct ke_impl *impl)
{
	void *ctx;

	for (size_t i = 0; i < c->n_kes; i++) {
		if (c->kes[i].impl == impl)
			return c->kes[i].ctx;
	}
	ctx = impl->ctx_new ? impl->ctx_new(impl) : NULL;
	if (ctx) {
		c->kes = xrealloc(c->kes, (c->n_kes + 1) * sizeof(*c->kes));
		c->kes[c->n_kes++] = (struct ke_slot){ impl, ctx };
	}
	return ctx;
}

bool crypto_ke_respond(struct crypto_ctx *c, const struct ke_impl *impl, struct bytes peer, uint8_t *ret_public,
		       struct secret *ret_secret)
{
	return impl->respond(impl, ctx_of_ke(c, impl), peer, ret_public, ret_secret);
}

void crypto_ctx_seed(struct crypto_ctx *c, uint64_t seed)
{
	c->seeded = true;
	c->seed_state = seed;
	c->pool_left = 0;
}

/* SplitMix64: repeatable, not secret. */
static void pool_fill_seeded(struct crypto_ctx *c)
{
	for (size_t i = 0; i < RANDOM_POOL; i += 8) {
		uint64_t z = c->seed_state += 0x9e3779b97f4a7c15u;

		z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
		z = (z ^ z >> 27) * 0x94d049bb133111ebu;
		z ^= z >> 31;
		for (size_t j = 0; j < 8; j++)
			c->pool[i + j] = (uint8_t)(z >> 8 * j);
	}
}

void crypto_random(struct crypto_ctx *c, void *out, size_t n)
{
	uint8_t *to = out;

	while (n) {
		uint8_t *from;
		size_t take;

		if (!c->pool_left) {
			if (c->seeded)
				pool_fill_seeded(c);
			else
				invariant(crypto_rng(c->registry)->random(c->pool, RANDOM_POOL));
			c->pool_left = RANDOM_POOL;
		}
		from = c->pool + RANDOM_POOL - c->pool_left;
		take = n < c->pool_left ? n : c->pool_left;
		memcpy(to, from, take);
		secret_wipe(from, take);
		c->pool_left -= take;
		to += take;
		n -= take;
	}
}
