/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include <openssl/rand.h>

#include "crypto/cert.h"
#include "util/hash.h"
#include "util/mem.h"

#define CERT_CACHE_SLOTS 1024

/*
 * One certificate for each hash. Who looks at a slot takes what is in it, so that nobody frees it meanwhile, and puts it back;
 * another one who comes then finds the slot empty and parses, which is right, too.
 */
struct cert_cache {
	struct hash_key key;
	_Atomic(struct cert *) slots[CERT_CACHE_SLOTS];
};

struct cert_cache *cert_cache_new(void)
{
	struct cert_cache *c = xcalloc(1, sizeof(*c));

	if (RAND_bytes((unsigned char *)&c->key, sizeof(c->key)) == 1)
		return c;
	free(c);
	return NULL;
}

/* Takes the reference. */
static void slot_put(struct cert_cache *cache, size_t at, struct cert *c)
{
	cert_unref(atomic_exchange(&cache->slots[at], c));
}

void cert_cache_clear(struct cert_cache *cache)
{
	for (size_t i = 0; cache && i < CERT_CACHE_SLOTS; i++)
		slot_put(cache, i, NULL);
}

void cert_cache_free(struct cert_cache *cache)
{
	cert_cache_clear(cache);
	free(cache);
}

struct cert *cert_cache_parse(struct cert_cache *cache, struct bytes der, struct errtext *err)
{
	size_t at = cache ? hash_bytes(&cache->key, der) % CERT_CACHE_SLOTS : 0;
	struct cert *found = cache ? atomic_exchange(&cache->slots[at], NULL) : NULL, *c;

	if (found && bytes_equal(found->der, der))
		c = cert_ref(found);
	else
		c = cert_parse(der, err);
	if (!cache)
		return c;
	if (c) {
		slot_put(cache, at, cert_ref(c));
		cert_unref(found);
	} else if (found) { /* what is no certificate drives none out */
		slot_put(cache, at, found);
	}
	return c;
}
