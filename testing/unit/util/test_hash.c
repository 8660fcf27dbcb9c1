/* SPDX-License-Identifier: Apache-2.0 */
#include "test_util.h"

#include <stdlib.h>

#include "util/hash.h"
#include "util/mem.h"

static uint64_t ref_rotl(uint64_t x, int n)
{
	return (x << n) | (x >> (64 - n));
}

static void ref_rounds(uint64_t v[4], int n)
{
	while (n-- > 0) {
		v[0] += v[1];
		v[1] = ref_rotl(v[1], 13);
		v[1] ^= v[0];
		v[0] = ref_rotl(v[0], 32);
		v[2] += v[3];
		v[3] = ref_rotl(v[3], 16);
		v[3] ^= v[2];
		v[0] += v[3];
		v[3] = ref_rotl(v[3], 21);
		v[3] ^= v[0];
		v[2] += v[1];
		v[1] = ref_rotl(v[1], 17);
		v[1] ^= v[2];
		v[2] = ref_rotl(v[2], 32);
	}
}

/* SipHash-c-d, step by step as its paper describes it, on a padded copy. */
static uint64_t ref_siphash(int c, int d, uint64_t k0, uint64_t k1, const uint8_t *p, size_t n)
{
	uint64_t v[4] = { k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
			  k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573 };
	size_t padded = (n / 8 + 1) * 8;
	uint8_t *copy = xcalloc(padded, 1);

	if (n)
		memcpy(copy, p, n);
	copy[padded - 1] = (uint8_t)n;
	for (size_t i = 0; i < padded; i += 8) {
		uint64_t m = 0;

		for (int j = 7; j >= 0; j--)
			m = m * 256 + copy[i + (size_t)j];
		v[3] ^= m;
		ref_rounds(v, c);
		v[0] ^= m;
	}
	v[2] ^= 255;
	ref_rounds(v, d);
	free(copy);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

static void count_up(uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)i;
}

/* The vector in the paper (Aumasson and Bernstein, appendix A) is of SipHash-2-4: it
 * proves the other implementation, with which ours is compared. */
START_TEST(siphash_against_reference)
{
	uint8_t data[200];
	uint64_t seed = 5;

	count_up(data, sizeof(data));
	ck_assert(ref_siphash(2, 4, 0x0706050403020100, 0x0f0e0d0c0b0a0908, data, 15) ==
		  0xa129ca6149be45e5);
	for (size_t n = 0; n <= sizeof(data); n++) {
		struct hash_key key = { test_random(&seed), test_random(&seed) };

		ck_assert(hash_bytes(&key, bytes_of(data, n)) ==
			  ref_siphash(1, 3, key.k0, key.k1, data, n));
	}
	ck_assert(hash_bytes(&(struct hash_key){ 0, 0 }, BYTES_NONE) ==
		  ref_siphash(1, 3, 0, 0, data, 0));
}
END_TEST

/* Bytes 0, 1, 2 ... under the zero key, as Python 3.11 hashes them (PYTHONHASHSEED=0). */
START_TEST(siphash_known_values)
{
	static const struct {
		size_t n;
		uint64_t hash;
	} known[] = {
		{ 1, 0x68a914128e01e473 },  { 7, 0x2f098ab0c751325a },	{ 8, 0xead411e67ebe2eea },
		{ 9, 0x75927f9d95124362 },  { 15, 0xf30eb725bb91c9ea }, { 16, 0x8972188433a5c5b7 },
		{ 63, 0x385d3e39e5f37359 }, { 64, 0x75e05fd5bbc870c6 },
	};
	const struct hash_key zero = { 0, 0 };
	uint8_t data[64];

	count_up(data, sizeof(data));
	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		ck_assert(hash_bytes(&zero, bytes_of(data, known[i].n)) == known[i].hash);
	ck_assert(hash_u64(&zero, 0x0706050403020100) == 0xead411e67ebe2eea);
}
END_TEST

/* ---- the table against an array ---- */

#define MODEL_ITEMS 3000

struct item {
	struct hashnode node;
	uint32_t key;
	bool in;
	unsigned seen;
};

/* Few hash values, so that many items share one. */
static uint64_t item_hash(uint32_t key)
{
	return hash_u64(&(struct hash_key){ 1, 2 }, key % 1000) | (uint64_t)key << 40;
}

static struct item *item_find(const struct hashtab *t, uint32_t key)
{
	struct hashnode *node = hashtab_first(t, item_hash(key));

	while (node && container_of(node, struct item, node)->key != key)
		node = hashtab_next(node);
	return node ? container_of(node, struct item, node) : NULL;
}

static void item_mark(struct hashnode *node, void *arg)
{
	container_of(node, struct item, node)->seen++;
}

static void check_table(struct hashtab *t, struct item *items, size_t count)
{
	ck_assert_uint_eq(t->count, count);
	hashtab_walk(t, item_mark, NULL);
	for (uint32_t i = 0; i < MODEL_ITEMS; i++) {
		ck_assert_ptr_eq(item_find(t, i), items[i].in ? &items[i] : NULL);
		ck_assert_uint_eq(items[i].seen, items[i].in);
		items[i].seen = 0;
	}
}

START_TEST(hashtab_against_model)
{
	struct hashtab t = { 0 };
	struct item *items = xcalloc(MODEL_ITEMS, sizeof(*items));
	uint64_t seed = 9;
	size_t count = 0;

	for (uint32_t i = 0; i < MODEL_ITEMS; i++)
		items[i].key = i;
	for (int step = 0; step < 100000; step++) {
		struct item *it = &items[test_random(&seed) % MODEL_ITEMS];
		/* tides, so that the table grows and shrinks */
		bool insert = test_random(&seed) % 10 < (step / 20000 % 2 ? 1 : 9);

		if (insert && !it->in) {
			hashtab_insert(&t, &it->node, item_hash(it->key));
			it->in = true;
			count++;
		} else if (!insert) {
			hashtab_remove(&t, &it->node); /* no harm when it is not in */
			count -= it->in;
			it->in = false;
		}
		ck_assert(t.count <= 2 * t.size);
		ck_assert(t.size <= 4 || t.count >= t.size / 8);
		if (step % 5000 == 0)
			check_table(&t, items, count);
	}
	check_table(&t, items, count);
	hashtab_clear(&t);
	ck_assert(t.buckets == NULL && t.count == 0);
	ck_assert_ptr_null(item_find(&t, 1));
	free(items);
}
END_TEST

struct walk {
	struct hashtab *t;
	unsigned calls;
};

static void item_remove_and_free(struct hashnode *node, void *arg)
{
	struct walk *w = arg;

	w->calls++;
	hashtab_remove(w->t, node);
	free(container_of(node, struct item, node));
}

START_TEST(hashtab_walk_may_free)
{
	struct hashtab t = { 0 };
	struct walk w = { &t, 0 };

	hashtab_walk(&t, item_remove_and_free, &w);
	for (uint32_t i = 0; i < 1000; i++) {
		struct item *it = xcalloc(1, sizeof(*it));

		hashtab_insert(&t, &it->node, item_hash(i));
	}
	hashtab_walk(&t, item_remove_and_free, &w);
	ck_assert_uint_eq(w.calls, 1000);
	ck_assert_uint_eq(t.count, 0);
	/* what it held is given back at the end */
	ck_assert_uint_le(t.size, 8);
	hashtab_clear(&t);
}
END_TEST

TCase *hash_tests(void)
{
	TCase *tc = tcase_create("hash");

	tcase_add_test(tc, siphash_against_reference);
	tcase_add_test(tc, siphash_known_values);
	tcase_add_test(tc, hashtab_against_model);
	tcase_add_test(tc, hashtab_walk_may_free);
	return tc;
}
