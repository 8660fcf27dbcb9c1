/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "key_test.h"
#include "proto/iana.h"
#include "util/mem.h"

static unsigned salt_of(unsigned kind, unsigned hash)
{
	static const unsigned lengths[] = { 0, 20, 32, 48, 64, 0 };

	return kind == SIG_RSA_PSS ? lengths[hash] : 0;
}

START_TEST(vectors_verify)
{
	struct vectors *v = vectors_open("signatures.txt");
	struct buf spki = { NULL, 0, 0 };
	struct public_key *k = NULL;
	struct errtext err;

	while (vectors_next(v)) {
		unsigned kind = vec_num(v, "kind"), hash = vec_num(v, "hash");
		struct sig_scheme s = { (uint8_t)kind, (uint8_t)hash, (uint8_t)salt_of(kind, hash) };
		struct bytes msg = vec_hex(v, "msg"), parts[3];
		struct result r;

		if (strcmp(vec_text(v, "spki"), "=") != 0) {
			public_key_unref(k);
			k = public_key_parse(vec_hex(v, "spki"), KEY_ANY, &err);
			ck_assert_msg(k, "%s: %s", vec_text(v, "name"), err.s);
		}
		parts[0] = bytes_of(msg.p, msg.n / 3);
		parts[1] = bytes_of(msg.p + msg.n / 3, 0);
		parts[2] = bytes_of(msg.p + msg.n / 3, msg.n - msg.n / 3);
		r = public_key_verify(k, &s, parts, 3, vec_hex(v, "sig"));
		ck_assert_msg(result_is_ok(r) == !strcmp(vec_text(v, "result"), "valid"), "%s: %s", vec_text(v, "name"),
			      r.why ? r.why : "valid");
	}
	public_key_unref(k);
	vectors_close(v, 500);
	buf_free(&spki);
}
END_TEST

static const struct sig_scheme all_schemes[] = {
	{ SIG_RSA_PKCS1, HASH_SHA1, 0 },     { SIG_RSA_PKCS1, HASH_SHA2_256, 0 }, { SIG_RSA_PKCS1, HASH_SHA2_384, 0 },
	{ SIG_RSA_PKCS1, HASH_SHA2_512, 0 }, { SIG_RSA_PSS, HASH_SHA2_256, 32 },  { SIG_RSA_PSS, HASH_SHA2_384, 48 },
	{ SIG_RSA_PSS, HASH_SHA2_512, 64 },  { SIG_ECDSA, HASH_SHA1, 0 },	  { SIG_ECDSA, HASH_SHA2_256, 0 },
	{ SIG_ECDSA, HASH_SHA2_384, 0 },     { SIG_ECDSA, HASH_SHA2_512, 0 },	  { SIG_ED25519, HASH_IDENTITY, 0 },
	{ SIG_ED448, HASH_IDENTITY, 0 },
};

static void round_trip(const struct test_key *k, const struct sig_scheme *s)
{
	struct bytes parts[2] = { bytes_str("message"), bytes_str("nonce") }, joined = bytes_str("messagenonce"), sig;
	struct buf made = { NULL, 0, 0 }, auth = { NULL, 0, 0 }, scratch = { NULL, 0, 0 };
	const struct public_key *p = k->private->public;
	struct errtext err = { "" };
	struct sig_scheme found;

	ck_assert_msg(private_key_sign(k->private, s, parts, 2, &made, &err), "%s %s: %s", k->name, sig_scheme_name(s), err.s);
	ck_assert_result(public_key_verify(p, s, &joined, 1, buf_bytes(&made)), k->name);
	ck_assert(!result_is_ok(public_key_verify(p, s, parts, 1, buf_bytes(&made))));
	ck_assert_result(auth_signature_write(AUTH_METHOD_SIGNATURE, s, p, buf_bytes(&made), &auth), k->name);
	ck_assert_result(auth_signature_parse(AUTH_METHOD_SIGNATURE, buf_bytes(&auth), p, &found, &scratch, &sig), k->name);
	ck_assert_str_eq(sig_scheme_name(&found), sig_scheme_name(s));
	ck_assert_bytes(sig, buf_bytes(&made), k->name);
	buf_free(&made);
	buf_free(&auth);
	buf_free(&scratch);
}

/* Each key with each scheme: it fits and works, or is refused by both sides. */
START_TEST(signs_and_verifies)
{
	unsigned fits = 0;

	for (size_t i = 0; i < n_test_keys; i++) {
		for (size_t j = 0; j < ARRAY_LEN(all_schemes); j++) {
			struct bytes none = BYTES_NONE;
			struct buf made = { NULL, 0, 0 };
			struct errtext err;

			if (sig_scheme_fits(&all_schemes[j], test_keys[i].private->public)) {
				round_trip(&test_keys[i], &all_schemes[j]);
				fits++;
				continue;
			}
			ck_assert(!private_key_sign(test_keys[i].private, &all_schemes[j], &none, 1, &made, &err));
			ck_assert_int_eq(public_key_verify(test_keys[i].private->public, &all_schemes[j], &none, 1, none).code,
					 RESULT_UNSUPPORTED);
		}
	}
	/* 2 RSA keys with all 7, 1024 bits without PSS of SHA-512, PSS keys with 3 and 1, 6 curves with 4 hashes, 2 Edwards */
	ck_assert_uint_eq(fits, 2 * 7 + 6 + 3 + 1 + 6 * 4 + 2);
}
END_TEST

Suite *suite_signature(void)
{
	Suite *s = suite_create("signature");
	TCase *t = tcase_create("signature");

	tcase_add_unchecked_fixture(t, test_keys_load, test_keys_free);
	tcase_add_test(t, vectors_verify);
	tcase_add_test(t, signs_and_verifies);
	test_signature_bad(t);
	tcase_set_timeout(t, 60);
	suite_add_tcase(s, t);
	return s;
}
