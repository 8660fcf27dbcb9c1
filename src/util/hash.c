/* SPDX-License-Identifier: Apache-2.0 */
#include "util/hash.h"

#include <endian.h>
#include <stdlib.h>

#include "util/mem.h"

#define HASHTAB_MIN 4

struct sip {
	uint64_t v0, v1, v2, v3;
};

static inline uint64_t rotl(uint64_t x, unsigned n)
{
	return x << n | x >> (64 - n);
}

static inline void sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v2 += s->v3;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v1;
	s->v0 += s->v3;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 = rotl(s->v2, 32);
}

static inline struct sip sip_start(const struct hash_key *key)
{
	return (struct sip){
		key->k0 ^ 0x736f6d6570736575u,
		key->k1 ^ 0x646f72616e646f6du,
		key->k0 ^ 0x6c7967656e657261u,
		key->k1 ^ 0x7465646279746573u,
	};
}

static inline void sip_word(struct sip *s, uint64_t m)
{
	s->v3 ^= m;
	sip_round(s);
	s->v0 ^= m;
}

/* The last word: what is left of the data and its length. */
static inline uint64_t sip_finish(struct sip *s, uint64_t rest, size_t n)
{
	sip_word(s, rest | (uint64_t)n << 56);
	s->v2 ^= 0xff;
	sip_round(s);
	sip_round(s);
	sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

static inline uint64_t sip_load(const uint8_t *p)
{
	uint64_t v;

	memcpy(&v, p, sizeof(v));
	return le64toh(v);
}

/* Fewer than eight bytes. */
static inline uint64_t sip_load_rest(const uint8_t *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

uint64_t hash_bytes(const struct hash_key *key, struct bytes data)
{
	struct sip s = sip_start(key);
	size_t words = data.n / 8;

	for (size_t i = 0; i < words; i++)
		sip_word(&s, sip_load(data.p + 8 * i));
	return sip_finish(&s, data.n % 8 ? sip_load_rest(data.p + 8 * words, data.n % 8) : 0, data.n);
}

uint64_t hash_u64(const struct hash_key *key, uint64_t v)
{
	struct sip s = sip_start(key);

	sip_word(&s, v);
	return sip_finish(&s, 0, 8);
}

static void hashtab_resize(struct hashtab *t, size_t size)
{
	struct hashnode **buckets = xcalloc(size, sizeof(struct hashnode *));

	for (size_t i = 0; i < t->size; i++) {
		struct hashnode *node = t->buckets[i], *next;

		for (; node; node = next) {
			struct hashnode **at = &buckets[node->hash & (size - 1)];

			next = node->next;
			node->next = *at;
			*at = node;
		}
	}
	free(t->buckets);
	t->buckets = buckets;
	t->size = size;
}

/* Between two nodes a bucket, as they are small and buckets count in memory, and a quarter; far
 * enough apart that items that come and go at a border do not cause work each time. */
static void hashtab_fit(struct hashtab *t)
{
	size_t size = t->size ? t->size : HASHTAB_MIN;

	if (t->walking)
		return;
	while (t->count > 2 * size && size < (size_t)1 << 31)
		size *= 2;
	while (t->count < size / 4 && size > HASHTAB_MIN)
		size /= 2;
	if (size != t->size)
		hashtab_resize(t, size);
}

void hashtab_clear(struct hashtab *t)
{
	free(t->buckets);
	*t = (struct hashtab){ NULL, 0, 0, 0 };
}

void hashtab_insert(struct hashtab *t, struct hashnode *node, uint64_t hash)
{
	struct hashnode **at;

	t->count++;
	hashtab_fit(t);
	node->hash = (uint32_t)hash;
	at = &t->buckets[node->hash & (t->size - 1)];
	node->next = *at;
	*at = node;
}

void hashtab_remove(struct hashtab *t, struct hashnode *node)
{
	struct hashnode **at;

	if (!t->size)
		return;
	at = &t->buckets[node->hash & (t->size - 1)];
	while (*at && *at != node)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = node->next;
	node->next = NULL;
	t->count--;
	hashtab_fit(t);
}

static struct hashnode *hashnode_match(struct hashnode *node, uint32_t hash)
{
	while (node && node->hash != hash)
		node = node->next;
	return node;
}

struct hashnode *hashtab_first(const struct hashtab *t, uint64_t hash)
{
	if (!t->size)
		return NULL;
	return hashnode_match(t->buckets[(uint32_t)hash & (t->size - 1)], (uint32_t)hash);
}

struct hashnode *hashtab_next(const struct hashnode *node)
{
	return hashnode_match(node->next, node->hash);
}

void hashtab_walk(struct hashtab *t, hashtab_fn *fn, void *arg)
{
	t->walking++;
	for (size_t i = 0; i < t->size; i++) {
		struct hashnode *node = t->buckets[i], *next;

		for (; node; node = next) {
			next = node->next;
			fn(node, arg);
		}
	}
	t->walking--;
	if (t->size)
		hashtab_fit(t);
}
