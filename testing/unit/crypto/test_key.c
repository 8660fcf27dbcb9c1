/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

#include "key_test.h"
#include "util/mem.h"

struct test_key test_keys[TEST_KEYS];
size_t n_test_keys;

static enum key_type type_by_name(const char *name)
{
	for (int t = KEY_RSA; t <= KEY_ED448; t++) {
		if (!strcmp(key_type_name((enum key_type)t), name))
			return (enum key_type)t;
	}
	ck_abort_msg("type %s", name);
	return KEY_ANY;
}

void test_keys_load(void)
{
	struct vectors *v = vectors_open("keys.txt");
	struct errtext err;

	while (vectors_next(v)) {
		struct test_key *k = &test_keys[n_test_keys++];

		ck_assert_uint_le(n_test_keys, TEST_KEYS);
		memset(k, 0, sizeof(*k));
		snprintf(k->name, sizeof(k->name), "%s", vec_text(v, "name"));
		buf_add_bytes(&k->pkcs8, vec_hex(v, "pkcs8"));
		buf_add_bytes(&k->traditional, vec_hex(v, "traditional"));
		buf_add_bytes(&k->spki, vec_hex(v, "spki"));
		k->private = private_key_parse(buf_bytes(&k->pkcs8), type_by_name(vec_text(v, "type")), &err);
		ck_assert_msg(k->private, "%s: %s", k->name, err.s);
		ck_assert_msg(k->private->public->bits == vec_num(v, "bits"), "%s", k->name);
		ck_assert_bytes(bytes_of(k->private->public->id, KEY_ID_LEN), vec_hex(v, "id"), k->name);
		ck_assert_bytes(k->private->public->spki, buf_bytes(&k->spki), k->name);
	}
	vectors_close(v, 13);
}

void test_keys_free(void)
{
	while (n_test_keys) {
		struct test_key *k = &test_keys[--n_test_keys];

		private_key_unref(k->private);
		buf_free(&k->pkcs8);
		buf_free(&k->traditional);
		buf_free(&k->spki);
	}
}

const struct test_key *test_key(const char *name)
{
	for (size_t i = 0; i < n_test_keys; i++) {
		if (!strcmp(test_keys[i].name, name))
			return &test_keys[i];
	}
	ck_abort_msg("no key %s", name);
	return NULL;
}

struct bytes test_hex(struct buf *own, const char *hex)
{
	struct buf digits = { NULL, 0, 0 };

	for (; *hex; hex++) {
		if (*hex != ' ')
			buf_add_u8(&digits, (uint8_t)*hex);
	}
	buf_reset(own);
	ck_assert(hex_decode(buf_bytes(&digits), own));
	buf_free(&digits);
	return buf_bytes(own);
}

/* ---- what is accepted ---- */

static void pem_of(struct buf *ret, const char *label, struct bytes der, const char *before)
{
	size_t n = 4 * ((der.n + 2) / 3);
	char *text = xmalloc(n + 1);

	EVP_EncodeBlock((unsigned char *)text, der.p, (int)der.n);
	buf_reset(ret);
	buf_printf(ret, "%s-----BEGIN %s-----\n", before, label);
	for (size_t at = 0; at < n; at += 64)
		buf_printf(ret, "%.64s\n", text + at);
	buf_printf(ret, "-----END %s-----\n", label);
	free(text);
}

static void public_is(struct bytes data, const struct test_key *k, const char *what)
{
	struct errtext err = { "" };
	struct public_key *p = public_key_parse(data, KEY_ANY, &err);

	ck_assert_msg(p, "%s, %s: %s", k->name, what, err.s);
	ck_assert_msg(public_key_equal(p, k->private->public), "%s, %s", k->name, what);
	ck_assert_msg(!memcmp(p->id, k->private->public->id, KEY_ID_LEN), "%s, %s: id", k->name, what);
	public_key_unref(p);
}

static void private_is(struct bytes data, const struct test_key *k, const char *what)
{
	struct errtext err = { "" };
	struct private_key *p = private_key_parse(data, KEY_ANY, &err);

	ck_assert_msg(p, "%s, %s: %s", k->name, what, err.s);
	ck_assert_msg(public_key_equal(p->public, k->private->public), "%s, %s", k->name, what);
	private_key_unref(p);
}

START_TEST(accepts_all_forms)
{
	for (size_t i = 0; i < n_test_keys; i++) {
		const struct test_key *k = &test_keys[i];
		struct buf pem = { NULL, 0, 0 };

		public_is(buf_bytes(&k->spki), k, "SubjectPublicKeyInfo");
		pem_of(&pem, "PUBLIC KEY", buf_bytes(&k->spki), "");
		public_is(buf_bytes(&pem), k, "PEM");
		private_is(buf_bytes(&k->pkcs8), k, "PKCS#8");
		pem_of(&pem, "PRIVATE KEY", buf_bytes(&k->pkcs8), "a comment\r\n");
		private_is(buf_bytes(&pem), k, "PEM of PKCS#8");
		if (k->traditional.n) {
			bool rsa = k->private->public->type == KEY_RSA;

			private_is(buf_bytes(&k->traditional), k, "PKCS#1 or SEC1");
			pem_of(&pem, rsa ? "RSA PRIVATE KEY" : "EC PRIVATE KEY", buf_bytes(&k->traditional),
			       "-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n");
			private_is(buf_bytes(&pem), k, "PEM of PKCS#1 or SEC1");
		}
		buf_free(&pem);
	}
}
END_TEST

/* Nothing is read beyond the end, and a part of a key is none. */
START_TEST(refuses_truncated)
{
	for (size_t i = 0; i < n_test_keys; i++) {
		const struct test_key *k = &test_keys[i];
		struct errtext err;

		for (size_t n = 0; n < k->spki.n; n++) {
			uint8_t *copy = xmemdup(k->spki.p, n);

			ck_assert_ptr_null(public_key_parse(bytes_of(copy, n), KEY_ANY, &err));
			free(copy);
		}
		for (size_t n = 0; n < k->pkcs8.n; n++) {
			uint8_t *copy = xmemdup(k->pkcs8.p, n);

			ck_assert_ptr_null(private_key_parse(bytes_of(copy, n), KEY_ANY, &err));
			free(copy);
		}
	}
}
END_TEST

Suite *suite_key(void)
{
	Suite *s = suite_create("key");
	TCase *t = tcase_create("key");

	tcase_add_unchecked_fixture(t, test_keys_load, test_keys_free);
	tcase_add_test(t, accepts_all_forms);
	tcase_add_test(t, refuses_truncated);
	test_key_bad(t);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return s;
}
