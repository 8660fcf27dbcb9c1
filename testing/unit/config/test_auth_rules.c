/* SPDX-License-Identifier: Apache-2.0 */
#include "config/auth_rules.h"

#include "test_config.h"

static void rule_text(struct buf *out, const struct key_rule *rules, size_t n)
{
	static const char *const hashes[] = { "sha1", "sha256", "sha384", "sha512", "identity" };

	for (size_t i = 0; i < n; i++) {
		const struct key_rule *r = &rules[i];

		buf_printf(out, "%s%s%s", i ? " " : "", key_type_name(r->type), r->pss ? "/PSS" : "");
		if (r->min_bits)
			buf_printf(out, ">=%u", r->min_bits);
		for (unsigned h = 0; h < ARRAY_LEN(hashes); h++) {
			if (r->hashes & HASH_BIT(h + 1))
				buf_printf(out, ",%s", hashes[h]);
		}
	}
}

static const struct {
	const char *text, *chain, *ike;
} good[] = {
	{ "pubkey", "", "" },
	{ "rsa", "RSA", "RSA" },
	{ "pubkey-sha256", "ANY,sha256", "ANY,sha256" },
	{ "rsa-2048-sha256-ecdsa-256", "RSA>=2048,sha256 ECDSA>=256", "RSA>=2048,sha256 ECDSA>=256" },
	{ "rsa-2048-ecdsa-256-sha384-sha512", "RSA>=2048,sha384,sha512 ECDSA>=256,sha384,sha512",
	  "RSA>=2048,sha384,sha512 ECDSA>=256,sha384,sha512" },
	{ "rsa/pss-3072", "RSA/PSS>=3072", "RSA/PSS>=3072" },
	{ "ike:rsa/pss-sha384", "", "RSA/PSS,sha384" },
	{ "ike:pubkey-sha256", "", "ANY,sha256" },
	{ "rsa-4096-ike:pubkey-sha256", "RSA>=4096", "ANY,sha256" },
	{ "ecdsa-384-ike:ecdsa-sha384-rsa-sha512", "ECDSA>=384 RSA,sha512", "ECDSA,sha384" },
	/* the first word only says of what class it is */
	{ "pubkey-ed25519", "ED25519", "ED25519" },
	{ "pubkey-ed25519-ed448-identity", "ED25519,identity ED448,identity", "ED25519,identity ED448,identity" },
	{ "ike:ed25519", "", "ED25519" },
	{ "pubkey-sha1-sha256", "ANY,sha1,sha256", "ANY,sha1,sha256" },
};

static void ck_rules(const struct key_rule *rules, size_t n, const char *text, const char *expected)
{
	struct buf out = { 0 };

	rule_text(&out, rules, n);
	ck_assert_msg(strcmp(buf_str(&out), expected) == 0, "'%s' gave '%s' instead of '%s'", text, buf_str(&out), expected);
	buf_free(&out);
}

START_TEST(test_good)
{
	struct auth_rules r;
	struct errtext err = { "" };

	ck_assert_msg(auth_rules_parse(bytes_str(good[_i].text), true, &r, &err), "'%s': %s", good[_i].text, err.s);
	ck_rules(r.chain, r.n_chain, good[_i].text, good[_i].chain);
	ck_rules(r.ike, r.n_ike, good[_i].text, good[_i].ike);
}
END_TEST

/* signature_authentication_constraints = no: only what is said of IKE is for IKE. */
START_TEST(test_chain_only)
{
	struct auth_rules r;
	struct errtext err;

	ck_assert(auth_rules_parse(bytes_str("rsa-2048-sha256"), false, &r, &err));
	ck_assert_uint_eq(r.n_chain, 1);
	ck_assert_uint_eq(r.n_ike, 0);
	ck_assert(auth_rules_parse(bytes_str("rsa-2048-sha256-ike:rsa-sha512"), false, &r, &err));
	ck_assert_uint_eq(r.n_ike, 1);
}
END_TEST

static const struct {
	const char *text, *error;
} bad[] = {
	{ "", "'' is no kind of key" },
	{ "magic", "'magic' is no kind of key" },
	{ "sha256", "'sha256' is no kind of key" },
	{ "ike:", "'ike:' is no kind of key" },
	{ "rsa-", "'' is neither a kind of key, nor a strength, nor a hash" },
	{ "rsa--sha256", "'' is neither a kind of key, nor a strength, nor a hash" },
	{ "rsa-sha257", "'sha257' is neither a kind of key, nor a strength, nor a hash" },
	{ "rsa-ike:sha256", "'ike:sha256' is neither a kind of key, nor a strength, nor a hash" },
	{ "rsa-md5", "'md5' is a hash that signatures are not accepted with" },
	{ "rsa-sha224", "'sha224' is a hash that signatures are not accepted with" },
	{ "pubkey-2048", "'2048' is a number that no kind of key with a strength is before" },
	{ "rsa-2048-4096", "'4096' is a number that no kind of key with a strength is before" },
	{ "rsa-sha256-2048", "'2048' is a number that no kind of key with a strength is before" },
	{ "rsa-0", "'0' is no strength of a key" },
	{ "rsa-65536", "'65536' is no strength of a key" },
	{ "rsa-99999999999999999999", "'99999999999999999999' is no strength of a key" },
	{ "rsa-rsa-rsa-rsa-rsa-rsa-rsa-rsa-ecdsa", "'ecdsa' is one kind of key too many" },
};

START_TEST(test_bad)
{
	struct auth_rules r;
	struct errtext err = { "" };

	ck_assert_msg(!auth_rules_parse(bytes_str(bad[_i].text), true, &r, &err), "'%s' was accepted", bad[_i].text);
	ck_assert_str_eq(err.s, bad[_i].error);
}
END_TEST

#define RSA(BITS) { .type = KEY_RSA, .bits = BITS }
#define ECDSA(BITS) { .type = KEY_ECDSA, .bits = BITS }

static const struct {
	const char *rules;
	struct public_key key;
	struct sig_scheme scheme; /* kind NONE: the key alone */
	bool allowed;
} allows[] = {
	{ "pubkey", RSA(2048), { SIG_RSA_PKCS1, HASH_SHA2_256, 0 }, true },
	{ "pubkey", RSA(2048), { SIG_RSA_PKCS1, HASH_SHA1, 0 }, false },
	{ "pubkey", { .type = KEY_ED25519, .bits = 256 }, { SIG_ED25519, HASH_IDENTITY, 0 }, true },
	{ "pubkey-sha1", RSA(2048), { SIG_RSA_PKCS1, HASH_SHA1, 0 }, true },
	{ "pubkey-sha256", { .type = KEY_ED25519, .bits = 256 }, { SIG_ED25519, HASH_IDENTITY, 0 }, false },
	{ "rsa-2048", RSA(2048), { SIG_RSA_PSS, HASH_SHA2_512, 64 }, true },
	{ "rsa-2048", RSA(2047), { SIG_RSA_PSS, HASH_SHA2_512, 64 }, false },
	{ "rsa-2048", RSA(2047), { 0 }, false },
	{ "rsa-2048", RSA(4096), { SIG_RSA_PKCS1, HASH_SHA1, 0 }, false },
	{ "rsa-2048", ECDSA(521), { SIG_ECDSA, HASH_SHA2_512, 0 }, false },
	{ "rsa-2048-ecdsa-384", ECDSA(521), { SIG_ECDSA, HASH_SHA2_512, 0 }, true },
	{ "rsa-2048-ecdsa-384", ECDSA(256), { SIG_ECDSA, HASH_SHA2_256, 0 }, false },
	{ "rsa-2048-sha512", RSA(2048), { SIG_RSA_PKCS1, HASH_SHA2_256, 0 }, false },
	{ "rsa-2048-sha512", RSA(2048), { 0 }, true },
	{ "rsa/pss-sha256", RSA(2048), { SIG_RSA_PKCS1, HASH_SHA2_256, 0 }, false },
	{ "rsa/pss-sha256", RSA(2048), { SIG_RSA_PSS, HASH_SHA2_256, 32 }, true },
};

START_TEST(test_allows)
{
	struct auth_rules r;
	struct errtext err;
	const struct sig_scheme *s = allows[_i].scheme.kind == SIG_NONE ? NULL : &allows[_i].scheme;

	ck_assert(auth_rules_parse(bytes_str(allows[_i].rules), true, &r, &err));
	ck_assert_msg(key_rules_allow(r.ike, r.n_ike, &allows[_i].key, s) == allows[_i].allowed, "row %d, %s", _i, allows[_i].rules);
	ck_assert(key_rules_allow(r.chain, r.n_chain, &allows[_i].key, s) == allows[_i].allowed);
}
END_TEST

Suite *suite_auth_rules(void)
{
	Suite *s = suite_create("config/auth_rules");
	TCase *tc = tcase_create("auth_rules");

	tcase_add_loop_test(tc, test_good, 0, ARRAY_LEN(good));
	tcase_add_test(tc, test_chain_only);
	tcase_add_loop_test(tc, test_bad, 0, ARRAY_LEN(bad));
	tcase_add_loop_test(tc, test_allows, 0, ARRAY_LEN(allows));
	suite_add_tcase(s, tc);
	return s;
}
