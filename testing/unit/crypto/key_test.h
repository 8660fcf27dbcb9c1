/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TESTING_UNIT_CRYPTO_KEY_TEST_H
#define BEWICK_TESTING_UNIT_CRYPTO_KEY_TEST_H

#include "crypto/der.h"
#include "crypto/key.h"
#include "crypto_test.h"

/* Pairs of keys by name, from vectors/crypto/keys.txt. */
#define TEST_KEYS 16
struct test_key {
	char name[32];
	struct private_key *private;
	struct buf pkcs8, traditional, spki; /* DER */
};
extern struct test_key test_keys[TEST_KEYS];
extern size_t n_test_keys;
void test_keys_load(void);
void test_keys_free(void);
const struct test_key *test_key(const char *name);
struct bytes test_hex(struct buf *own, const char *hex); /* white space in it is skipped */
void test_key_bad(TCase *t);
void test_signature_bad(TCase *t);

#endif
