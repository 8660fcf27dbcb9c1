/* SPDX-License-Identifier: Apache-2.0 */
#include "test_proto.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/proposal.h"
#include "util/mem.h"

static struct arena arena;

static void setup(void)
{
	arena = (struct arena){ NULL, NULL };
}

static void teardown(void)
{
	arena_free(&arena);
}

/* The proposal as text again, or "! error". */
static const char *parsed(enum ike_protocol protocol, const char *text)
{
	struct proposal_list list;
	struct errtext err;
	struct buf b = { NULL, 0, 0 };
	const char *s;

	if (proposal_parse(&arena, protocol, bytes_str(text), NULL, NULL, &list, &err))
		proposal_format(&b, list);
	else
		buf_printf(&b, "! %s", err.s);
	s = arena_printf(&arena, "%s", buf_str(&b));
	buf_free(&b);
	return s;
}

static const struct {
	const char *token;
	const char *name;
} encr[] = {
	{ "null", "NULL" },
	{ "des", "DES_CBC" },
	{ "3des", "3DES_CBC" },
	{ "aes", "AES_CBC_128" },
	{ "aes128", "AES_CBC_128" },
	{ "aes192", "AES_CBC_192" },
	{ "aes256", "AES_CBC_256" },
	{ "aes128ctr", "AES_CTR_128" },
	{ "aes192ctr", "AES_CTR_192" },
	{ "aes256ctr", "AES_CTR_256" },
	{ "camellia", "CAMELLIA_CBC_128" },
	{ "camellia128", "CAMELLIA_CBC_128" },
	{ "camellia192", "CAMELLIA_CBC_192" },
	{ "camellia256", "CAMELLIA_CBC_256" },
	{ "camellia128ctr", "CAMELLIA_CTR_128" },
	{ "camellia192ctr", "CAMELLIA_CTR_192" },
	{ "camellia256ctr", "CAMELLIA_CTR_256" },
	{ "blowfish", "BLOWFISH_CBC_128" },
	{ "blowfish128", "BLOWFISH_CBC_128" },
	{ "blowfish192", "BLOWFISH_CBC_192" },
	{ "blowfish256", "BLOWFISH_CBC_256" },
	{ "cast128", "CAST_CBC_128" },
};

static const struct {
	const char *token;
	const char *name;
} aead_modes[] = {
	{ "gcm", "GCM_16" },	{ "gcm8", "GCM_8" },   { "gcm64", "GCM_8" },  { "gcm12", "GCM_12" },
	{ "gcm96", "GCM_12" },	{ "gcm16", "GCM_16" }, { "gcm128", "GCM_16" }, { "ccm", "CCM_16" },
	{ "ccm8", "CCM_8" },	{ "ccm64", "CCM_8" },  { "ccm12", "CCM_12" }, { "ccm96", "CCM_12" },
	{ "ccm16", "CCM_16" },	{ "ccm128", "CCM_16" },
};

static const struct {
	const char *token;
	const char *name;
	const char *prf; /* derived for IKE */
} integ[] = {
	{ "md5", "HMAC_MD5_96", "PRF_HMAC_MD5" },
	{ "md5_128", "HMAC_MD5_128", "PRF_HMAC_MD5" },
	{ "sha", "HMAC_SHA1_96", "PRF_HMAC_SHA1" },
	{ "sha1", "HMAC_SHA1_96", "PRF_HMAC_SHA1" },
	{ "sha1_160", "HMAC_SHA1_160", "PRF_HMAC_SHA1" },
	{ "sha256", "HMAC_SHA2_256_128", "PRF_HMAC_SHA2_256" },
	{ "sha2_256", "HMAC_SHA2_256_128", "PRF_HMAC_SHA2_256" },
	{ "sha384", "HMAC_SHA2_384_192", "PRF_HMAC_SHA2_384" },
	{ "sha2_384", "HMAC_SHA2_384_192", "PRF_HMAC_SHA2_384" },
	{ "sha512", "HMAC_SHA2_512_256", "PRF_HMAC_SHA2_512" },
	{ "sha2_512", "HMAC_SHA2_512_256", "PRF_HMAC_SHA2_512" },
	{ "aesxcbc", "AES_XCBC_96", "PRF_AES128_XCBC" },
	{ "aescmac", "AES_CMAC_96", "PRF_AES128_CMAC" },
};

static const struct {
	const char *token;
	const char *name;
} prf[] = {
	{ "prfmd5", "PRF_HMAC_MD5" },	      { "prfsha1", "PRF_HMAC_SHA1" },
	{ "prfsha256", "PRF_HMAC_SHA2_256" }, { "prfsha384", "PRF_HMAC_SHA2_384" },
	{ "prfsha512", "PRF_HMAC_SHA2_512" }, { "prfaesxcbc", "PRF_AES128_XCBC" },
	{ "prfaescmac", "PRF_AES128_CMAC" },
};

static const struct {
	const char *token;
	const char *name;
} ke[] = {
	{ "modp768", "MODP_768" },
	{ "modp1024", "MODP_1024" },
	{ "modp1536", "MODP_1536" },
	{ "modp2048", "MODP_2048" },
	{ "modp3072", "MODP_3072" },
	{ "modp4096", "MODP_4096" },
	{ "modp6144", "MODP_6144" },
	{ "modp8192", "MODP_8192" },
	{ "modp1024s160", "MODP_1024_160" },
	{ "modp2048s224", "MODP_2048_224" },
	{ "modp2048s256", "MODP_2048_256" },
	{ "ecp192", "ECP_192" },
	{ "ecp224", "ECP_224" },
	{ "ecp256", "ECP_256" },
	{ "ecp384", "ECP_384" },
	{ "ecp521", "ECP_521" },
	{ "ecp224bp", "ECP_224_BP" },
	{ "ecp256bp", "ECP_256_BP" },
	{ "ecp384bp", "ECP_384_BP" },
	{ "ecp512bp", "ECP_512_BP" },
	{ "curve25519", "CURVE_25519" },
	{ "x25519", "CURVE_25519" },
	{ "curve448", "CURVE_448" },
	{ "x448", "CURVE_448" },
	{ "mlkem512", "ML_KEM_512" },
	{ "mlkem768", "ML_KEM_768" },
	{ "mlkem1024", "ML_KEM_1024" },
};

#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* formats of the tests themselves */
static const char *text(const char *fmt, const char *a, const char *b)
{
	char s[256];

	snprintf(s, sizeof(s), fmt, a, b ? b : "");
	return arena_printf(&arena, "%s", s);
}

START_TEST(every_cipher)
{
	static const char *const sizes[] = { "128", "192", "256" };

	for (size_t i = 0; i < ARRAY_LEN(encr); i++)
		ck_assert_str_eq(parsed(PROTOCOL_ESP, text("%s-sha256", encr[i].token, NULL)),
				 text("ESP:%s/HMAC_SHA2_256_128/NO_EXT_SEQ", encr[i].name, NULL));
	for (size_t i = 0; i < ARRAY_LEN(aead_modes); i++) {
		for (size_t j = 0; j < ARRAY_LEN(sizes); j++) {
			const char *token =
				arena_printf(&arena, "aes%s%s", sizes[j], aead_modes[i].token);
			const char *name = arena_printf(&arena, "ESP:AES_%s_%s/NO_EXT_SEQ",
							aead_modes[i].name, sizes[j]);

			ck_assert_str_eq(parsed(PROTOCOL_ESP, token), name);
			if (aead_modes[i].token[0] != 'c' || !aead_modes[i].token[3])
				continue;
			token = arena_printf(&arena, "camellia%s%s", sizes[j], aead_modes[i].token);
			name = arena_printf(&arena, "ESP:CAMELLIA_%s_%s/NO_EXT_SEQ",
					    aead_modes[i].name, sizes[j]);
			ck_assert_str_eq(parsed(PROTOCOL_ESP, token), name);
		}
	}
	ck_assert_str_eq(parsed(PROTOCOL_ESP, "aes192gmac"), "ESP:NULL_AES_GMAC_192/NO_EXT_SEQ");
	ck_assert_str_eq(parsed(PROTOCOL_ESP, "chacha20poly1305"),
			 "ESP:CHACHA20_POLY1305/NO_EXT_SEQ");
	ck_assert_str_eq(parsed(PROTOCOL_ESP, "chacha20poly1305compat"),
			 "ESP:CHACHA20_POLY1305_256/NO_EXT_SEQ");
}
END_TEST

START_TEST(every_other_keyword)
{
	for (size_t i = 0; i < ARRAY_LEN(integ); i++) {
		ck_assert_str_eq(parsed(PROTOCOL_ESP, text("aes-%s", integ[i].token, NULL)),
				 text("ESP:AES_CBC_128/%s/NO_EXT_SEQ", integ[i].name, NULL));
		ck_assert_str_eq(parsed(PROTOCOL_AH, integ[i].token),
				 text("AH:%s/NO_EXT_SEQ", integ[i].name, NULL));
		ck_assert_str_eq(parsed(PROTOCOL_IKE, text("aes-%s-x25519", integ[i].token, NULL)),
				 text("IKE:AES_CBC_128/%s/%s/CURVE_25519", integ[i].name,
				      integ[i].prf));
	}
	for (size_t i = 0; i < ARRAY_LEN(prf); i++)
		ck_assert_str_eq(parsed(PROTOCOL_IKE, text("aes256gcm16-%s-ecp384", prf[i].token, NULL)),
				 text("IKE:AES_GCM_16_256/%s/ECP_384", prf[i].name, NULL));
	for (size_t i = 0; i < ARRAY_LEN(ke); i++) {
		ck_assert_str_eq(parsed(PROTOCOL_IKE, text("aes128-sha256-%s", ke[i].token, NULL)),
				 text("IKE:AES_CBC_128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/%s",
				      ke[i].name, NULL));
		ck_assert_str_eq(parsed(PROTOCOL_ESP, text("aes128gcm16-%s", ke[i].token, NULL)),
				 text("ESP:AES_GCM_16_128/%s/NO_EXT_SEQ", ke[i].name, NULL));
		ck_assert_str_eq(parsed(PROTOCOL_IKE, text("aes128gcm16-prfsha256-x25519-ke3_%s",
							   ke[i].token, NULL)),
				 text("IKE:AES_GCM_16_128/PRF_HMAC_SHA2_256/CURVE_25519/KE3_%s",
				      ke[i].name, NULL));
	}
	ck_assert_str_eq(parsed(PROTOCOL_ESP, "aes128gcm16-esn"), "ESP:AES_GCM_16_128/EXT_SEQ");
	ck_assert_str_eq(parsed(PROTOCOL_ESP, "aes128gcm16-esn-noesn"),
			 "ESP:AES_GCM_16_128/EXT_SEQ/NO_EXT_SEQ");
	ck_assert_str_eq(parsed(PROTOCOL_ESP, "aes128gcm16-ecp256-none"),
			 "ESP:AES_GCM_16_128/ECP_256/NONE/NO_EXT_SEQ");
	ck_assert_str_eq(parsed(PROTOCOL_ESP, "aes128gcm16-modpnone"),
			 "ESP:AES_GCM_16_128/NONE/NO_EXT_SEQ");
}
END_TEST

START_TEST(rules)
{
	/* order within a kind, kinds in the order of writing, repetitions */
	ck_assert_str_eq(parsed(PROTOCOL_IKE, "x25519-ecp256-sha384-sha256-aes256-aes128-aes256"),
			 "IKE:AES_CBC_256/AES_CBC_128/HMAC_SHA2_384_192/HMAC_SHA2_256_128/"
			 "PRF_HMAC_SHA2_384/PRF_HMAC_SHA2_256/CURVE_25519/ECP_256");
	ck_assert_str_eq(parsed(PROTOCOL_IKE, "aes128-sha256-ecp256"),
			 "IKE:AES_CBC_128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/ECP_256");
	/* explicit PRFs replace the derived ones */
	ck_assert_str_eq(parsed(PROTOCOL_IKE, "aes128-sha256-prfsha512-ecp256"),
			 "IKE:AES_CBC_128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_512/ECP_256");
	/* integrity beside AEAD is removed, and gives the PRF */
	ck_assert_str_eq(parsed(PROTOCOL_IKE, "aes128gcm16-sha256-ecp256"),
			 "IKE:AES_GCM_16_128/PRF_HMAC_SHA2_256/ECP_256");
	ck_assert_str_eq(parsed(PROTOCOL_ESP, "aes128gcm16-sha256-prfsha256"),
			 "ESP:AES_GCM_16_128/NO_EXT_SEQ");
	/* none is removed from IKE */
	ck_assert_str_eq(parsed(PROTOCOL_IKE, "aes128-sha256-ecp256-none"),
			 "IKE:AES_CBC_128/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/ECP_256");
	ck_assert_str_eq(parsed(PROTOCOL_IKE, "aes256-sha384-x25519-ke1_mlkem768-ke1_none"),
			 "IKE:AES_CBC_256/HMAC_SHA2_384_192/PRF_HMAC_SHA2_384/CURVE_25519/"
			 "KE1_ML_KEM_768/KE1_NONE");
	/* AH: encryption and PRF are removed, gmac counts as integrity */
	ck_assert_str_eq(parsed(PROTOCOL_AH, "aes128-sha256-prfsha1-ecp256-esn"),
			 "AH:HMAC_SHA2_256_128/ECP_256/EXT_SEQ");
	ck_assert_str_eq(parsed(PROTOCOL_AH, "aes128gmac"), "AH:AES_128_GMAC/NO_EXT_SEQ");
	ck_assert_str_eq(parsed(PROTOCOL_AH, "aes192gmac"), "AH:AES_192_GMAC/NO_EXT_SEQ");
	ck_assert_str_eq(parsed(PROTOCOL_AH, "aes256gmac"), "AH:AES_256_GMAC/NO_EXT_SEQ");
}
END_TEST

START_TEST(refused)
{
	static const struct {
		enum ike_protocol protocol;
		const char *text;
		const char *why;
	} bad[] = {
		{ PROTOCOL_IKE, "", "empty algorithm name" },
		{ PROTOCOL_IKE, "aes128--sha256-ecp256", "empty algorithm name" },
		{ PROTOCOL_IKE, "aes128-sha256-ecp256-", "empty algorithm name" },
		{ PROTOCOL_IKE, "-aes128", "empty algorithm name" },
		{ PROTOCOL_IKE, "aes128-foo-ecp256", "unknown algorithm 'foo'" },
		{ PROTOCOL_IKE, "AES128-sha256-ecp256", "unknown algorithm 'AES128'" },
		{ PROTOCOL_IKE, "aes128-sha256-ecp25", "unknown algorithm 'ecp25'" },
		{ PROTOCOL_IKE, "aes128-sha256-ecp256 ", "unknown algorithm 'ecp256 '" },
		{ PROTOCOL_IKE, "aes128-sha256-ecp256-ke8_x25519", "unknown algorithm 'ke8_x25519'" },
		{ PROTOCOL_IKE, "aes128-sha256-ecp256-ke0_x25519", "unknown algorithm 'ke0_x25519'" },
		{ PROTOCOL_IKE, "aes128-sha256-ecp256-ke1_aes128", "unknown algorithm 'ke1_aes128'" },
		{ PROTOCOL_IKE, "aes128-sha256-ecp256-ke1_", "unknown algorithm 'ke1_'" },
		{ PROTOCOL_IKE, "aes128-sha256", "needs a key exchange" },
		{ PROTOCOL_IKE, "aes128-sha256-none", "needs a key exchange" },
		{ PROTOCOL_IKE, "sha256-ecp256", "needs an encryption" },
		{ PROTOCOL_IKE, "aes128-ecp256", "needs an integrity" },
		{ PROTOCOL_IKE, "aes128-prfsha256-ecp256", "needs an integrity" },
		{ PROTOCOL_IKE, "aes128gcm16-ecp256", "needs a pseudo-random function" },
		{ PROTOCOL_IKE, "aes128-aes128gcm16-sha256-ecp256", "mixes" },
		{ PROTOCOL_IKE, "aes128-sha256-ecp256-esn", "'esn' is not for IKE" },
		{ PROTOCOL_IKE, "null-sha256-ecp256", "'null' does not encrypt" },
		{ PROTOCOL_IKE, "aes128gmac-prfsha256-ecp256", "'aes128gmac' does not encrypt" },
		{ PROTOCOL_IKE, "serpent-sha256-ecp256", "'serpent' has no IANA number" },
		{ PROTOCOL_IKE, "twofish256-sha256-ecp256", "'twofish256' has no IANA number" },
		{ PROTOCOL_IKE, "aes128-camelliaxcbc-ecp256", "'camelliaxcbc' has no IANA" },
		{ PROTOCOL_IKE, "aes-sha1-prfcamelliaxcbc-ecp256", "'prfcamelliaxcbc' has no IANA" },
		{ PROTOCOL_IKE, "aes128-sha256-modpnull", "'modpnull' exchanges no key" },
		{ PROTOCOL_ESP, "aes128-sha256_96", "use sha256" },
		{ PROTOCOL_ESP, "aes128-sha2_256_96", "use sha256" },
		{ PROTOCOL_ESP, "sha256", "needs an encryption" },
		{ PROTOCOL_ESP, "aes128", "needs an integrity" },
		{ PROTOCOL_ESP, "null", "needs an integrity" },
		{ PROTOCOL_ESP, "aes128-aes128gcm16-sha256", "mixes" },
		{ PROTOCOL_ESP, "aes128gcm16-ke1_mlkem768", "no first one" },
		{ PROTOCOL_ESP, "aes128gcm16-none-ke1_mlkem768", "no first one" },
		{ PROTOCOL_AH, "aes128", "needs an integrity" },
		{ PROTOCOL_AH, "default", "no default for AH" },
	};

	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		const char *got = parsed(bad[i].protocol, bad[i].text);

		ck_assert_msg(got[0] == '!' && strstr(got, bad[i].why), "'%s' gave '%s', not '%s'",
			      bad[i].text, got, bad[i].why);
	}
}
END_TEST

static bool have_few(void *arg, const struct transform *t)
{
	(void)arg;
	switch (t->type) {
	case TRANSFORM_ENCR:
		return t->id == ENCR_AES_GCM_16 || t->id == ENCR_AES_CBC;
	case TRANSFORM_INTEG:
		return t->id == INTEG_HMAC_SHA2_256_128;
	case TRANSFORM_PRF:
		return t->id == PRF_HMAC_SHA2_256;
	default:
		return t->id == KE_CURVE_25519;
	}
}

static bool have_no_ke(void *arg, const struct transform *t)
{
	(void)arg;
	return t->type != TRANSFORM_KE;
}

static const char *defaults(enum ike_protocol protocol, transform_have_fn *have)
{
	struct buf b = { NULL, 0, 0 };
	const char *s;

	proposal_format(&b, proposal_default(&arena, protocol, have, NULL));
	s = arena_printf(&arena, "%s", buf_str(&b));
	buf_free(&b);
	return s;
}

START_TEST(default_proposals)
{
	const char *ke_all = "ECP_256/ECP_384/ECP_521/ECP_256_BP/ECP_384_BP/ECP_512_BP/CURVE_25519/"
			     "CURVE_448/MODP_3072/MODP_4096/MODP_6144/MODP_8192/MODP_2048";

	ck_assert_str_eq(
		defaults(PROTOCOL_ESP, NULL),
		arena_printf(&arena,
			     "ESP:AES_GCM_16_128/AES_GCM_16_192/AES_GCM_16_256/%s/NONE/NO_EXT_SEQ, "
			     "ESP:AES_CBC_128/AES_CBC_192/AES_CBC_256/HMAC_SHA2_256_128/"
			     "HMAC_SHA2_384_192/HMAC_SHA2_512_256/HMAC_SHA1_96/AES_XCBC_96/%s/NONE/"
			     "NO_EXT_SEQ",
			     ke_all, ke_all));
	ck_assert_str_eq(
		defaults(PROTOCOL_IKE, NULL),
		arena_printf(&arena,
			     "IKE:AES_CBC_128/AES_CBC_192/AES_CBC_256/AES_CTR_128/AES_CTR_192/"
			     "AES_CTR_256/CAMELLIA_CBC_128/CAMELLIA_CBC_192/CAMELLIA_CBC_256/"
			     "CAMELLIA_CTR_128/CAMELLIA_CTR_192/CAMELLIA_CTR_256/3DES_CBC/"
			     "HMAC_SHA2_256_128/HMAC_SHA2_384_192/HMAC_SHA2_512_256/AES_XCBC_96/"
			     "AES_CMAC_96/HMAC_SHA1_96/PRF_HMAC_SHA2_256/PRF_HMAC_SHA2_384/"
			     "PRF_HMAC_SHA2_512/PRF_AES128_XCBC/PRF_AES128_CMAC/PRF_HMAC_SHA1/%s, "
			     "IKE:AES_GCM_16_128/AES_GCM_16_192/AES_GCM_16_256/AES_CCM_16_128/"
			     "AES_CCM_16_192/AES_CCM_16_256/CHACHA20_POLY1305/AES_GCM_12_128/"
			     "AES_GCM_12_192/AES_GCM_12_256/AES_GCM_8_128/AES_GCM_8_192/"
			     "AES_GCM_8_256/AES_CCM_12_128/AES_CCM_12_192/AES_CCM_12_256/"
			     "AES_CCM_8_128/AES_CCM_8_192/AES_CCM_8_256/PRF_HMAC_SHA2_256/"
			     "PRF_HMAC_SHA2_384/PRF_HMAC_SHA2_512/PRF_AES128_XCBC/PRF_AES128_CMAC/"
			     "PRF_HMAC_SHA1/%s",
			     ke_all, ke_all));
	ck_assert_str_eq(parsed(PROTOCOL_ESP, "DeFault"), defaults(PROTOCOL_ESP, NULL));
	ck_assert_str_eq(defaults(PROTOCOL_AH, NULL), "");
	ck_assert_str_eq(
		defaults(PROTOCOL_IKE, have_few),
		"IKE:AES_CBC_128/AES_CBC_192/AES_CBC_256/HMAC_SHA2_256_128/PRF_HMAC_SHA2_256/"
		"CURVE_25519, IKE:AES_GCM_16_128/AES_GCM_16_192/AES_GCM_16_256/PRF_HMAC_SHA2_256/"
		"CURVE_25519");
	/* What lacks a kind is no proposal; a child can do without key exchanges. */
	ck_assert_str_eq(defaults(PROTOCOL_IKE, have_no_ke), "");
	ck_assert_ptr_nonnull(strstr(defaults(PROTOCOL_ESP, have_no_ke),
				     "AES_GCM_16_256/NONE/NO_EXT_SEQ"));
}
END_TEST

START_TEST(helpers)
{
	struct proposal_list list, copy, plain;
	struct errtext err;
	struct buf b = { NULL, 0, 0 };
	const struct transform *t;

	ck_assert(proposal_parse(&arena, PROTOCOL_ESP, bytes_str("aes256-sha256-x25519-ke1_mlkem768"),
				 NULL, NULL, &list, &err));
	ck_assert(proposal_has(list, TRANSFORM_KE, KE_CURVE_25519));
	ck_assert(!proposal_has(list, TRANSFORM_KE, KE_ML_KEM_768));
	ck_assert_uint_eq(proposal_first(list, TRANSFORM_INTEG), INTEG_HMAC_SHA2_256_128);
	ck_assert_uint_eq(proposal_first(list, TRANSFORM_PRF), 0);
	t = proposal_first_missing(list, have_few, NULL);
	ck_assert_ptr_nonnull(t);
	ck_assert_uint_eq(t->type, TRANSFORM_ADDKE1);
	copy = proposal_list_dup(&arena, list);
	ck_assert_ptr_ne(copy.p[0].transforms, list.p[0].transforms);
	plain = proposal_list_without_ke(&arena, proposal_default(&arena, PROTOCOL_ESP, NULL, NULL));
	ck_assert_uint_eq(plain.count, 2);
	plain = proposal_list_without_ke(&arena, copy);
	proposal_format(&b, plain);
	ck_assert_str_eq(buf_str(&b), "ESP:AES_CBC_256/HMAC_SHA2_256_128/NO_EXT_SEQ");
	buf_reset(&b);
	proposal_format(&b, copy);
	ck_assert_str_eq(buf_str(&b), "ESP:AES_CBC_256/HMAC_SHA2_256_128/CURVE_25519/KE1_ML_KEM_768/"
				      "NO_EXT_SEQ");
	buf_free(&b);
}
END_TEST

START_TEST(without_ke_drops_repetitions)
{
	struct proposal_list a, b, both, plain;
	struct proposal p[2];
	struct errtext err;

	ck_assert(proposal_parse(&arena, PROTOCOL_ESP, bytes_str("aes128gcm16-ecp256"), NULL, NULL, &a,
				 &err));
	ck_assert(proposal_parse(&arena, PROTOCOL_ESP, bytes_str("aes128gcm16-x25519"), NULL, NULL, &b,
				 &err));
	p[0] = a.p[0];
	p[1] = b.p[0];
	both = (struct proposal_list){ 2, p };
	plain = proposal_list_without_ke(&arena, both);
	ck_assert_uint_eq(plain.count, 1);
	ck_assert_uint_eq(plain.p[0].count, 2);
}
END_TEST

TCase *test_proposal(void)
{
	TCase *t = tcase_create("proposal");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, every_cipher);
	tcase_add_test(t, every_other_keyword);
	tcase_add_test(t, rules);
	tcase_add_test(t, refused);
	tcase_add_test(t, default_proposals);
	tcase_add_test(t, helpers);
	tcase_add_test(t, without_ke_drops_repetitions);
	return t;
}
