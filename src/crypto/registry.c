/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "util/log.h"
#include "util/mem.h"

/* Implementations of one kind, in the order they registered. */
struct impl_list {
	const void **impl;
	size_t count;
};

struct crypto_registry {
	struct impl_list ciphers;
	struct impl_list integs;
	struct impl_list prfs;
	struct impl_list kes;
	struct impl_list hashes;
	const struct rng_impl *rng;
	bool frozen;
};

static void impl_list_add(struct impl_list *l, const void *impl)
{
	l->impl = xrealloc(l->impl, (l->count + 1) * sizeof(*l->impl));
	l->impl[l->count++] = impl;
}

/* Stands in until a provider brings a generator. */
static bool kernel_random(uint8_t *out, size_t n)
{
	while (n) {
		ssize_t got = getrandom(out, n < 256 ? n : 256, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		out += got;
		n -= (size_t)got;
	}
	return true;
}

static const struct rng_impl kernel_rng = { .plugin = "built in", .random = kernel_random };

struct crypto_registry *crypto_registry_new(void)
{
	return xcalloc(1, sizeof(struct crypto_registry));
}

void crypto_registry_free(struct crypto_registry *r)
{
	if (!r)
		return;
	free(r->ciphers.impl);
	free(r->integs.impl);
	free(r->prfs.impl);
	free(r->kes.impl);
	free(r->hashes.impl);
	free(r);
}

void crypto_registry_freeze(struct crypto_registry *r)
{
	r->frozen = true;
}

/* Common end of every registration: true if the implementation may be used. */
static bool registry_admit(const struct crypto_registry *r, const char *plugin, const char *name,
			   bool sane, bool passed)
{
	if (r->frozen)
		LOG(LIB, 0, "plugin '%s': %s comes too late, refused", plugin, name);
	else if (!sane)
		LOG(LIB, 0, "plugin '%s': %s has impossible lengths, refused", plugin, name);
	else if (!passed)
		LOG(LIB, 0, "plugin '%s': %s failed its known-answer test, refused", plugin, name);
	return !r->frozen && sane && passed;
}

bool crypto_add_cipher(struct crypto_registry *r, const struct cipher_impl *impl)
{
	bool sane = impl->key_len && impl->key_len + impl->salt_len <= CRYPTO_MAX_KEY &&
		    impl->block && impl->salt_len + impl->iv_len <= CRYPTO_MAX_IV &&
		    impl->icv_len <= CRYPTO_MAX_MAC && impl->aead == (impl->icv_len != 0);

	if (!registry_admit(r, impl->plugin, encr_name(impl->id), sane,
			    sane && !r->frozen && kat_cipher(impl)))
		return false;
	if (!crypto_cipher(r, impl->id, impl->key_bits))
		impl_list_add(&r->ciphers, impl);
	return true;
}

bool crypto_add_integ(struct crypto_registry *r, const struct mac_impl *impl)
{
	bool sane = impl->key_len && impl->key_len <= CRYPTO_MAX_KEY && impl->out_len &&
		    impl->out_len <= CRYPTO_MAX_MAC;

	if (!registry_admit(r, impl->plugin, integ_name(impl->id), sane,
			    sane && !r->frozen && kat_integ(impl)))
		return false;
	if (!crypto_integ(r, impl->id))
		impl_list_add(&r->integs, impl);
	return true;
}

bool crypto_add_prf(struct crypto_registry *r, const struct mac_impl *impl)
{
	bool sane = impl->key_len && impl->key_len <= CRYPTO_MAX_KEY && impl->out_len &&
		    impl->out_len <= CRYPTO_MAX_MAC;

	if (!registry_admit(r, impl->plugin, prf_name(impl->id), sane,
			    sane && !r->frozen && kat_prf(impl)))
		return false;
	if (!crypto_prf(r, impl->id))
		impl_list_add(&r->prfs, impl);
	return true;
}

bool crypto_add_ke(struct crypto_registry *r, const struct ke_impl *impl)
{
	bool sane = impl->init_len && impl->resp_len && impl->secret_len;

	if (!registry_admit(r, impl->plugin, ke_name(impl->id), sane,
			    sane && !r->frozen && kat_ke(impl)))
		return false;
	if (!crypto_ke(r, impl->id))
		impl_list_add(&r->kes, impl);
	return true;
}

static const char *hash_name(unsigned id)
{
	switch ((enum hash_id)id) {
	case HASH_SHA1:
		return "HASH_SHA1";
	case HASH_SHA2_256:
		return "HASH_SHA2_256";
	case HASH_SHA2_384:
		return "HASH_SHA2_384";
	case HASH_SHA2_512:
		return "HASH_SHA2_512";
	case HASH_IDENTITY:
		return "HASH_IDENTITY";
	}
	return "an unknown hash";
}

bool crypto_add_hash(struct crypto_registry *r, const struct hash_impl *impl)
{
	bool sane = impl->out_len && impl->out_len <= CRYPTO_MAX_MAC;

	if (!registry_admit(r, impl->plugin, hash_name(impl->id), sane,
			    sane && !r->frozen && kat_hash(impl)))
		return false;
	if (!crypto_hasher(r, impl->id))
		impl_list_add(&r->hashes, impl);
	return true;
}

bool crypto_add_rng(struct crypto_registry *r, const struct rng_impl *impl)
{
	if (!registry_admit(r, impl->plugin, "the random generator", true,
			    !r->frozen && kat_rng(impl)))
		return false;
	if (!r->rng)
		r->rng = impl;
	return true;
}

const struct cipher_impl *crypto_cipher(const struct crypto_registry *r, unsigned id,
					unsigned key_bits)
{
	for (size_t i = 0; i < r->ciphers.count; i++) {
		const struct cipher_impl *impl = r->ciphers.impl[i];

		if (impl->id == id && impl->key_bits == key_bits)
			return impl;
	}
	return NULL;
}

static const struct mac_impl *mac_find(const struct impl_list *l, unsigned id)
{
	for (size_t i = 0; i < l->count; i++) {
		const struct mac_impl *impl = l->impl[i];

		if (impl->id == id)
			return impl;
	}
	return NULL;
}

const struct mac_impl *crypto_integ(const struct crypto_registry *r, unsigned id)
{
	return mac_find(&r->integs, id);
}

const struct mac_impl *crypto_prf(const struct crypto_registry *r, unsigned id)
{
	return mac_find(&r->prfs, id);
}

const struct ke_impl *crypto_ke(const struct crypto_registry *r, unsigned id)
{
	for (size_t i = 0; i < r->kes.count; i++) {
		const struct ke_impl *impl = r->kes.impl[i];

		if (impl->id == id)
			return impl;
	}
	return NULL;
}

const struct hash_impl *crypto_hasher(const struct crypto_registry *r, unsigned id)
{
	for (size_t i = 0; i < r->hashes.count; i++) {
		const struct hash_impl *impl = r->hashes.impl[i];

		if (impl->id == id)
			return impl;
	}
	return NULL;
}

const struct rng_impl *crypto_rng(const struct crypto_registry *r)
{
	return r->rng ? r->rng : &kernel_rng;
}

bool crypto_have(void *registry, const struct transform *t)
{
	const struct crypto_registry *r = registry;

	if (t->type >= TRANSFORM_ADDKE1 && t->type <= TRANSFORM_ADDKE7)
		return t->id == KE_NONE || crypto_ke(r, t->id);
	switch (t->type) {
	case TRANSFORM_ENCR:
		return crypto_cipher(r, t->id, t->key_bits);
	case TRANSFORM_PRF:
		return crypto_prf(r, t->id);
	case TRANSFORM_INTEG:
		return t->id == INTEG_NONE || crypto_integ(r, t->id);
	case TRANSFORM_KE:
		return t->id == KE_NONE || crypto_ke(r, t->id);
	case TRANSFORM_ESN:
		return t->id == ESN_NO || t->id == ESN_YES;
	}
	return false;
}

typedef void each_fn(void *arg, const char *section, const char *name, const char *plugin);

/* One line per cipher, whatever the number of its key sizes. */
static void registry_each_cipher(const struct crypto_registry *r, bool aead, each_fn *fn, void *arg)
{
	for (size_t i = 0; i < r->ciphers.count; i++) {
		const struct cipher_impl *impl = r->ciphers.impl[i];
		bool seen = false;

		for (size_t j = 0; j < i; j++)
			seen |= ((const struct cipher_impl *)r->ciphers.impl[j])->id == impl->id;
		if (impl->aead == aead && !seen)
			fn(arg, aead ? "aead" : "encryption", encr_name(impl->id), impl->plugin);
	}
}

void crypto_each(const struct crypto_registry *r, each_fn *fn, void *arg)
{
	registry_each_cipher(r, false, fn, arg);
	for (size_t i = 0; i < r->integs.count; i++) {
		const struct mac_impl *impl = r->integs.impl[i];

		fn(arg, "integrity", integ_name(impl->id), impl->plugin);
	}
	registry_each_cipher(r, true, fn, arg);
	for (size_t i = 0; i < r->hashes.count; i++) {
		const struct hash_impl *impl = r->hashes.impl[i];

		fn(arg, "hasher", hash_name(impl->id), impl->plugin);
	}
	for (size_t i = 0; i < r->prfs.count; i++) {
		const struct mac_impl *impl = r->prfs.impl[i];

		fn(arg, "prf", prf_name(impl->id), impl->plugin);
	}
	for (size_t i = 0; i < r->kes.count; i++) {
		const struct ke_impl *impl = r->kes.impl[i];

		fn(arg, "ke", ke_name(impl->id), impl->plugin);
	}
	fn(arg, "rng", "RNG_STRONG", crypto_rng(r)->plugin);
	fn(arg, "nonce-gen", "NONCE_GEN", crypto_rng(r)->plugin);
}
