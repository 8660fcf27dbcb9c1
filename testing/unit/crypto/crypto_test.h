/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TESTING_UNIT_CRYPTO_TEST_H
#define BEWICK_TESTING_UNIT_CRYPTO_TEST_H

#include <check.h>

#include "crypto/crypto.h"
#include "util/arena.h"

/* With the plugin openssl of the build tree loaded; frozen. */
extern struct crypto_registry *registry;

/* Reads testing/vectors/crypto: every accessor fails the test if the record lacks the key. */
struct vectors;
struct vectors *vectors_open(const char *file);
bool vectors_next(struct vectors *v);
/* Fails the test unless at least that many records were read, so that none is lost. */
void vectors_close(struct vectors *v, unsigned expected);
const char *vec_text(struct vectors *v, const char *key);
unsigned vec_num(struct vectors *v, const char *key);
struct bytes vec_hex(struct vectors *v, const char *key); /* until the next vectors_next */
struct suite vec_suite(struct vectors *v);		  /* encr, bits, integ */

#define ck_assert_bytes(A, B, WHAT)                                                                \
	do {                                                                                       \
		struct bytes a_ = (A), b_ = (B);                                                   \
		ck_assert_msg(bytes_equal(a_, b_), "%s: differs", WHAT);                           \
	} while (0)
#define ck_assert_result(EXPR, WHAT)                                                               \
	do {                                                                                       \
		struct result r_ = (EXPR);                                                         \
		ck_assert_msg(result_is_ok(r_), "%s: %s", WHAT, r_.why);                           \
	} while (0)

Suite *suite_cipher(void);
Suite *suite_ctx(void);
Suite *suite_esp_crypt(void);
Suite *suite_fuzz_keys(void);
Suite *suite_kat(void);
Suite *suite_ke(void);
Suite *suite_key(void);
Suite *suite_keys(void);
Suite *suite_mac(void);
Suite *suite_protect(void);
Suite *suite_registry(void);
Suite *suite_signature(void);
Suite *suite_signer(void);
Suite *suite_token(void);
Suite *suite_token_mock(void);

#endif
