/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "key_test.h"
#include "proto/iana.h"
#include "util/mem.h"

/* Signatures and identifiers of algorithms that nearly are. */

/* ---- PKCS#1 padding: what a key signs is given octet by octet ---- */

#define EM_LEN 128 /* rsa-1024-e3 */
static const uint8_t info_sha256[] = { 0x30, 0x31, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 32 };

static void em_sign(const struct test_key *k, const uint8_t *em, struct buf *ret)
{
	const uint8_t *p = k->pkcs8.p;
	EVP_PKEY *evp = d2i_AutoPrivateKey(NULL, &p, (long)k->pkcs8.n);
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(evp, NULL);
	size_t n = EM_LEN;

	buf_reset(ret);
	ck_assert_int_eq(EVP_PKEY_decrypt_init(ctx), 1);
	ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_NO_PADDING), 1);
	ck_assert_int_eq(EVP_PKEY_decrypt(ctx, buf_extend(ret, n), &n, em, EM_LEN), 1);
	EVP_PKEY_CTX_free(ctx);
	EVP_PKEY_free(evp);
}

/* 0, type, pad times 0xff, 0, info, digest, garbage up to the end. */
static void em_build(uint8_t *em, uint8_t type, size_t pad, struct bytes info, struct bytes digest)
{
	struct buf b = { NULL, 0, 0 };

	buf_add_u8(&b, 0);
	buf_add_u8(&b, type);
	for (size_t i = 0; i < pad; i++)
		buf_add_u8(&b, 0xff);
	buf_add_u8(&b, 0);
	buf_add_bytes(&b, info);
	buf_add_bytes(&b, digest);
	while (b.n < EM_LEN)
		buf_add_u8(&b, 0x5a);
	ck_assert_uint_eq(b.n, EM_LEN);
	memcpy(em, b.p, EM_LEN);
	buf_free(&b);
}

static enum result_code em_verify(const uint8_t *em)
{
	const struct test_key *k = test_key("rsa-1024-e3");
	struct sig_scheme s = { SIG_RSA_PKCS1, HASH_SHA2_256, 0 }, found;
	struct bytes message = bytes_str("message"), view;
	struct buf signature = { NULL, 0, 0 }, scratch = { NULL, 0, 0 };
	struct result r, classic;

	em_sign(k, em, &signature);
	r = public_key_verify(k->private->public, &s, &message, 1, buf_bytes(&signature));
	/* method 1 looks for the hash first, and finds none in what is no signature */
	classic = auth_signature_parse(AUTH_METHOD_RSA, buf_bytes(&signature), k->private->public, &found, &scratch, &view);
	ck_assert(result_is_ok(classic) || !result_is_ok(r));
	buf_free(&signature);
	buf_free(&scratch);
	return r.code;
}

START_TEST(pkcs1_padding)
{
	static const uint8_t no_null[] = { 0x30, 0x2f, 0x30, 11, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 4, 32 };
	static const uint8_t long_length[] = { 0x30, 0x81, 0x31, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1, 5, 0, 4, 32 };
	static const uint8_t sha384[] = { 0x30, 0x41, 0x30, 13, 6, 9, 0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2, 5, 0, 4, 48 };
	struct bytes info = bytes_of(info_sha256, sizeof(info_sha256)), hash, bare = BYTES_NONE;
	uint8_t digest[32], em[EM_LEN];
	size_t pad = EM_LEN - 3 - sizeof(info_sha256) - 32;

	ck_assert_int_eq(EVP_Digest("message", 7, digest, NULL, EVP_sha256(), NULL), 1);
	hash = bytes_of(digest, 32);
	em_build(em, 1, pad, info, hash);
	ck_assert_int_eq(em_verify(em), RESULT_OK);
	/* every octet in front of the digest, and of it, counts */
	for (size_t i = 0; i < EM_LEN; i++) {
		em[i] ^= i ? 0x10 : 0x01;
		if (i || em[0] < 1) /* not above the modulus */
			ck_assert_int_eq(em_verify(em), RESULT_AUTH);
		em[i] ^= i ? 0x10 : 0x01;
	}
	/* what e = 3 lets everybody forge: garbage behind the digest, with little or the least padding */
	em_build(em, 1, 8, info, hash);
	ck_assert_int_eq(em_verify(em), RESULT_AUTH);
	em_build(em, 1, 0, info, hash);
	ck_assert_int_eq(em_verify(em), RESULT_AUTH);
	em_build(em, 1, pad - 1, info, hash);
	ck_assert_int_eq(em_verify(em), RESULT_AUTH);
	/* block type 2; NULL missing; BER; another hash's name; no DigestInfo; a short digest */
	em_build(em, 2, pad, info, hash);
	ck_assert_int_eq(em_verify(em), RESULT_AUTH);
	em_build(em, 1, pad + 2, bytes_of(no_null, sizeof(no_null)), hash);
	ck_assert_int_eq(em_verify(em), RESULT_AUTH);
	em_build(em, 1, pad - 1, bytes_of(long_length, sizeof(long_length)), hash);
	ck_assert_int_eq(em_verify(em), RESULT_AUTH);
	em_build(em, 1, pad, bytes_of(sha384, sizeof(sha384)), hash);
	ck_assert_int_eq(em_verify(em), RESULT_AUTH);
	em_build(em, 1, pad + sizeof(info_sha256), bare, hash);
	ck_assert_int_eq(em_verify(em), RESULT_AUTH);
	em_build(em, 1, pad + 12, info, bytes_of(digest, 20));
	ck_assert_int_eq(em_verify(em), RESULT_AUTH);
}
END_TEST

/* Signatures of the wrong length, and numbers above the modulus. */
START_TEST(rsa_lengths)
{
	const struct public_key *k = test_key("rsa-2048")->private->public;
	static const struct sig_scheme kinds[] = { { SIG_RSA_PKCS1, HASH_SHA2_256, 0 }, { SIG_RSA_PSS, HASH_SHA2_256, 32 } };
	struct bytes message = bytes_str("message");
	uint8_t octets[257];

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		memset(octets, 0xff, sizeof(octets));
		ck_assert_int_eq(public_key_verify(k, &kinds[i], &message, 1, bytes_of(octets, 256)).code, RESULT_AUTH);
		ck_assert_int_eq(public_key_verify(k, &kinds[i], &message, 1, bytes_of(octets, 257)).code, RESULT_INVALID);
		ck_assert_int_eq(public_key_verify(k, &kinds[i], &message, 1, bytes_of(octets, 255)).code, RESULT_INVALID);
		ck_assert_int_eq(public_key_verify(k, &kinds[i], &message, 1, BYTES_NONE).code, RESULT_INVALID);
		memset(octets, 0, sizeof(octets));
		ck_assert_int_eq(public_key_verify(k, &kinds[i], &message, 1, bytes_of(octets, 256)).code, RESULT_AUTH);
		octets[255] = 1;
		ck_assert_int_eq(public_key_verify(k, &kinds[i], &message, 1, bytes_of(octets, 256)).code, RESULT_AUTH);
	}
}
END_TEST

/* PSS with another length of salt than is said. */
START_TEST(pss_salt)
{
	const struct test_key *k = test_key("rsa-2048");
	const uint8_t *p = k->pkcs8.p;
	static const int salts[] = { 0, 20, 31, 32, 33, 64 };
	static const struct sig_scheme s = { SIG_RSA_PSS, HASH_SHA2_256, 32 };
	EVP_PKEY *evp = d2i_AutoPrivateKey(NULL, &p, (long)k->pkcs8.n);
	struct bytes message = bytes_str("message");
	uint8_t digest[32], signature[256];

	ck_assert_int_eq(EVP_Digest("message", 7, digest, NULL, EVP_sha256(), NULL), 1);
	for (size_t i = 0; i < ARRAY_LEN(salts); i++) {
		EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(evp, NULL);
		size_t n = sizeof(signature);

		ck_assert_int_eq(EVP_PKEY_sign_init(ctx), 1);
		ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_PSS_PADDING), 1);
		ck_assert_int_eq(EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()), 1);
		ck_assert_int_eq(EVP_PKEY_CTX_set_rsa_pss_saltlen(ctx, salts[i]), 1);
		ck_assert_int_eq(EVP_PKEY_sign(ctx, signature, &n, digest, 32), 1);
		ck_assert_int_eq(public_key_verify(k->private->public, &s, &message, 1, bytes_of(signature, n)).code,
				 salts[i] == 32 ? RESULT_OK : RESULT_AUTH);
		EVP_PKEY_CTX_free(ctx);
	}
	EVP_PKEY_free(evp);
}
END_TEST

/* ---- RFC 4754 ---- */

/* RFC 4754, 8: the AUTH payloads' data for "abc". */
static const struct {
	unsigned method;
	const char *spki, *auth, *order;
} rfc4754[] = {
	{ AUTH_METHOD_ECDSA_256,
	  "3059 3013 0607 2a8648ce3d0201 0608 2a8648ce3d030107 0342 00 04"
	  "2442A5CC0ECD015FA3CA31DC8E2BBC70BF42D60CBCA20085E0822CB04235E970"
	  "6FC98BD7E50211A4A27102FA3549DF79EBCB4BF246B80945CDDFE7D509BBFD7D",
	  "CB28E0999B9C7715FD0A80D8E47A77079716CBBF917DD72E97566EA1C066957C"
	  "86FA3BB4E26CAD5BF90B7F81899256CE7594BB1EA0C89212748BFF3B3D5B0315",
	  "FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551" },
	{ AUTH_METHOD_ECDSA_384,
	  "3076 3010 0607 2a8648ce3d0201 0605 2b81040022 0362 00 04"
	  "96281BF8DD5E0525CA049C048D345D3082968D10FEDF5C5ACA0C64E6465A97EA5CE10C9DFEC2179741571072 1F437922"
	  "447688BA94708EB6E2E4D59F6AB6D7EDFF9301D249FE49C33096655F5D502FAD3D383B91C5E7EDAA2B714CC99D5743CA",
	  "FB017B914E29149432D8BAC29A514640B46F53DDAB2C69948084E2930F1C8F7E08E07C9C63F2D21A07DCB56A6AF56EB3"
	  "B263A1305E057F984D38726A1B46874109F417BCA112674C528262A40A629AF1CBB9F516CE0FA7D2FF630863A00E8B9F",
	  "FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973" },
	{ AUTH_METHOD_ECDSA_521,
	  "30819b 3010 0607 2a8648ce3d0201 0605 2b81040023 038186 00 04"
	  "0151518F1AF0F563517EDD5485190DF95A4BF57B5CBA4CF2A9A3F6474725A35F7AFE0A6DDEB8BEDBCD6A197E592D40188901CECD650699C9B5E456AEA5"
	  "ADD19052A8"
	  "006F3B142EA1BFFF7E2837AD44C9E4FF6D2D34C73184BBAD90026DD5E6E85317D9DF45CAD7803C6C20035B2F3FF63AFF4E1BA64D1C077577DA3F4286C5"
	  "8F0AEAE643",
	  "0154FD3836AF92D0DCA57DD5341D3053988534FDE8318FC6AAAAB68E2E6F4339B19F2F281A7E0B22C269D93CF8794A9278880ED7DBB8D9362CAEACEE54"
	  "4320552251"
	  "017705A7030290D1CEB605A9A1BB03FF9CDD521E87A696EC926C8C10C8362DF4975367101F67D1CF9BCCBF2F3D239534FA509E70AAC851AE01AAC68D62"
	  "F866472660",
	  "01FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB7"
	  "1E91386409" },
};

static struct result fixed_verify(unsigned method, const struct public_key *k, struct bytes auth)
{
	struct buf scratch = { NULL, 0, 0 }, again = { NULL, 0, 0 };
	struct bytes abc = bytes_str("abc"), signature;
	struct sig_scheme s;
	struct result r = auth_signature_parse(method, auth, k, &s, &scratch, &signature);

	if (result_is_ok(r))
		r = public_key_verify(k, &s, &abc, 1, signature);
	if (result_is_ok(r)) {
		ck_assert_result(auth_signature_write(method, &s, k, signature, &again), "written again");
		ck_assert_bytes(buf_bytes(&again), auth, "written again");
	}
	buf_free(&scratch);
	buf_free(&again);
	return r;
}

START_TEST(ecdsa_fixed_form)
{
	for (size_t i = 0; i < ARRAY_LEN(rfc4754); i++) {
		struct buf spki = { NULL, 0, 0 }, auth = { NULL, 0, 0 }, order = { NULL, 0, 0 };
		unsigned method = rfc4754[i].method;
		struct public_key *k;
		struct errtext err;
		size_t half;

		k = public_key_parse(test_hex(&spki, rfc4754[i].spki), KEY_ECDSA, &err);
		ck_assert_msg(k, "%u: %s", method, err.s);
		(void)test_hex(&auth, rfc4754[i].auth);
		(void)test_hex(&order, rfc4754[i].order);
		half = auth.n / 2;
		ck_assert_result(fixed_verify(method, k, buf_bytes(&auth)), "RFC 4754, 8");
		for (size_t j = 0; j < ARRAY_LEN(rfc4754); j++) { /* methods of other curves, with this key */
			if (j != i)
				ck_assert_int_eq(fixed_verify(rfc4754[j].method, k, buf_bytes(&auth)).code, RESULT_INVALID);
		}
		for (size_t n = 0; n < auth.n; n++)
			ck_assert_int_eq(fixed_verify(method, k, bytes_of(auth.p, n)).code, RESULT_INVALID);
		buf_add_u8(&auth, 0);
		ck_assert_int_eq(fixed_verify(method, k, buf_bytes(&auth)).code, RESULT_INVALID);
		auth.n--;
		for (int side = 0; side < 2; side++) { /* r, then s: 0, the order, changed */
			uint8_t saved[66];
			uint8_t *at = auth.p + (side ? half : 0);

			memcpy(saved, at, half);
			memset(at, 0, half);
			ck_assert(!result_is_ok(fixed_verify(method, k, buf_bytes(&auth))));
			memcpy(at, order.p, half);
			ck_assert(!result_is_ok(fixed_verify(method, k, buf_bytes(&auth))));
			memset(at, 0xff, half);
			ck_assert(!result_is_ok(fixed_verify(method, k, buf_bytes(&auth))));
			memcpy(at, saved, half);
			at[half - 1] ^= 1;
			ck_assert_int_eq(fixed_verify(method, k, buf_bytes(&auth)).code, RESULT_AUTH);
			at[half - 1] ^= 1;
		}
		ck_assert_result(fixed_verify(method, k, buf_bytes(&auth)), "unchanged");
		public_key_unref(k);
		buf_free(&spki);
		buf_free(&auth);
		buf_free(&order);
	}
}
END_TEST

/* Numbers shorter than the order get their zeroes, and lose them again. */
START_TEST(ecdsa_short_numbers)
{
	const struct public_key *k = test_key("ecdsa-P-521")->private->public;
	static const struct sig_scheme s = { SIG_ECDSA, HASH_SHA2_512, 0 };
	struct buf der = { NULL, 0, 0 }, auth = { NULL, 0, 0 }, scratch = { NULL, 0, 0 };
	struct sig_scheme found;
	struct bytes view;

	(void)test_hex(&der, "3007 020105 02020080");
	ck_assert_result(auth_signature_write(AUTH_METHOD_ECDSA_521, &s, k, buf_bytes(&der), &auth), "write");
	ck_assert_uint_eq(auth.n, 132);
	ck_assert_uint_eq(auth.p[65], 5);
	ck_assert_uint_eq(auth.p[131], 0x80);
	ck_assert_result(auth_signature_parse(AUTH_METHOD_ECDSA_521, buf_bytes(&auth), k, &found, &scratch, &view), "parse");
	ck_assert_bytes(view, buf_bytes(&der), "the same");
	buf_reset(&auth);
	(void)test_hex(&der, "3006 020100 020105"); /* no signature has 0 */
	ck_assert_int_eq(auth_signature_write(AUTH_METHOD_ECDSA_521, &s, k, buf_bytes(&der), &auth).code, RESULT_INVALID);
	ck_assert_uint_eq(auth.n, 0);
	buf_free(&der);
	buf_free(&auth);
	buf_free(&scratch);
}
END_TEST

/* ---- RFC 8420 ---- */

/* RFC 8032, 7.3 and 7.1: of the prehashed form, and of that which IKE has, with the same sizes. */
START_TEST(edwards_prehashed)
{
	static const struct sig_scheme s = { SIG_ED25519, HASH_IDENTITY, 0 };
	static const char *const spki[] = {
		"302a 3005 0603 2b6570 0321 00 ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
		"302a 3005 0603 2b6570 0321 00 fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
	};
	static const char *const signature[] = {
		"98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a"
		"26083406",
		"6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1e"
		"c40a",
	};
	struct bytes messages[] = { bytes_str("abc"), bytes_of("\xaf\x82", 2) };

	for (size_t i = 0; i < 2; i++) {
		struct buf der = { NULL, 0, 0 }, sig = { NULL, 0, 0 };
		struct errtext err;
		struct public_key *k = public_key_parse(test_hex(&der, spki[i]), KEY_ED25519, &err);
		uint8_t digest[64];
		struct bytes hashed;

		ck_assert_msg(k, "%s", err.s);
		(void)test_hex(&sig, signature[i]);
		ck_assert_int_eq(public_key_verify(k, &s, &messages[i], 1, buf_bytes(&sig)).code, i ? RESULT_OK : RESULT_AUTH);
		ck_assert_int_eq(EVP_Digest(messages[i].p, messages[i].n, digest, NULL, EVP_sha512(), NULL), 1);
		hashed = bytes_of(digest, sizeof(digest));
		ck_assert_int_eq(public_key_verify(k, &s, &hashed, 1, buf_bytes(&sig)).code, RESULT_AUTH);
		public_key_unref(k);
		buf_free(&der);
		buf_free(&sig);
	}
}
END_TEST

/* ---- AlgorithmIdentifiers ---- */

static void scheme_is(const char *hex, enum result_code code, const char *name)
{
	struct buf der = { NULL, 0, 0 };
	struct sig_scheme s;
	struct result r = sig_scheme_parse(test_hex(&der, hex), &s);

	ck_assert_msg(r.code == code, "%s: %s", hex, r.why ? r.why : "accepted");
	if (code == RESULT_OK)
		ck_assert_str_eq(sig_scheme_name(&s), name);
	buf_free(&der);
}

#define PSS "0609 2a864886f70d01010a"
#define A256 "300d 0609 608648016503040201 0500"
#define A256_BARE "300b 0609 608648016503040201"
#define A384 "300d 0609 608648016503040202 0500"
#define MGF "0609 2a864886f70d010108"

START_TEST(algorithm_identifiers)
{
	/* RFC 7427, appendix A, word by word */
	scheme_is("300d 0609 2a864886f70d010105 0500", RESULT_OK, "RSA_EMSA_PKCS1_SHA1");
	scheme_is("300d 0609 2a864886f70d01010b 0500", RESULT_OK, "RSA_EMSA_PKCS1_SHA2_256");
	scheme_is("300d 0609 2a864886f70d01010c 0500", RESULT_OK, "RSA_EMSA_PKCS1_SHA2_384");
	scheme_is("300d 0609 2a864886f70d01010d 0500", RESULT_OK, "RSA_EMSA_PKCS1_SHA2_512");
	scheme_is("3009 0607 2a8648ce3d0401", RESULT_OK, "ECDSA_WITH_SHA1_DER");
	scheme_is("300a 0608 2a8648ce3d040302", RESULT_OK, "ECDSA_WITH_SHA256_DER");
	scheme_is("300a 0608 2a8648ce3d040303", RESULT_OK, "ECDSA_WITH_SHA384_DER");
	scheme_is("300a 0608 2a8648ce3d040304", RESULT_OK, "ECDSA_WITH_SHA512_DER");
	scheme_is("3046 0609 2a864886f70d01010a 3039 a00f 300d 0609 608648016503040201 0500 a11c 301a 0609 2a864886f70d010108"
		  "300d 0609 608648016503040201 0500 a203 020120 a303 020101",
		  RESULT_OK, "RSA_EMSA_PSS_SHA2_256");
	scheme_is("3005 0603 2b6570", RESULT_OK, "ED25519"); /* RFC 8420, A */
	scheme_is("3005 0603 2b6571", RESULT_OK, "ED448");
	/* parameters absent where they have to be NULL, NULL where they have to be absent, or both */
	scheme_is("300b 0609 2a864886f70d01010b", RESULT_INVALID, NULL);
	scheme_is("300c 0608 2a8648ce3d040302 0500", RESULT_INVALID, NULL);
	scheme_is("3007 0603 2b6570 0500", RESULT_INVALID, NULL);
	scheme_is("300f 0609 2a864886f70d01010b 0500 0500", RESULT_INVALID, NULL);
	scheme_is("300e 0609 2a864886f70d01010b 0500 00", RESULT_INVALID, NULL);
	scheme_is("300d 0609 2a864886f70d01010b 0500 00", RESULT_INVALID, NULL);
	scheme_is("30810d 0609 2a864886f70d01010b 0500", RESULT_INVALID, NULL);
	scheme_is("3080 0609 2a864886f70d01010b 0500 0000", RESULT_INVALID, NULL);
	scheme_is("3100", RESULT_INVALID, NULL);
	scheme_is("3000", RESULT_INVALID, NULL);
	scheme_is("", RESULT_INVALID, NULL);
	/* ML-DSA-44, -65, -87, DSA, MD5 with RSA, RSA encryption */
	scheme_is("300b 0609 608648016503040311", RESULT_UNSUPPORTED, NULL);
	scheme_is("300b 0609 608648016503040312", RESULT_UNSUPPORTED, NULL);
	scheme_is("300b 0609 608648016503040313", RESULT_UNSUPPORTED, NULL);
	scheme_is("3009 0607 2a8648ce380403", RESULT_UNSUPPORTED, NULL);
	scheme_is("300d 0609 2a864886f70d010104 0500", RESULT_UNSUPPORTED, NULL);
	scheme_is("300d 0609 2a864886f70d010101 0500", RESULT_UNSUPPORTED, NULL);
}
END_TEST

START_TEST(pss_identifiers)
{
	/* RFC 4055, 2.1 MUST: the hash's parameters absent; X.690, 11.5: defaults are left out */
	scheme_is("303e " PSS " 3031 a00d " A256_BARE " a11a 3018 " MGF A256_BARE " a203 020120", RESULT_INVALID, NULL); /* lengths do not fit */
	scheme_is("303d " PSS " 3030 a00d " A256_BARE " a118 3016 " MGF " " A256_BARE " a203 020120", RESULT_INVALID, NULL);
	scheme_is("303d " PSS " 3030 a00d " A256_BARE " a11a 3018 " MGF " " A256_BARE " a203 020120", RESULT_OK, "RSA_EMSA_PSS_SHA2_256");
	scheme_is("3041 " PSS " 3034 a00f " A256 " a11c 301a " MGF " " A256 " a203 020120", RESULT_OK, "RSA_EMSA_PSS_SHA2_256");
	/* absent, NULL, empty (SHA-1), the defaults written out (RFC 7427, A.4.2) */
	scheme_is("300b " PSS, RESULT_INVALID, NULL);
	scheme_is("300d " PSS " 0500", RESULT_INVALID, NULL);
	scheme_is("300d " PSS " 3000", RESULT_UNSUPPORTED, NULL);
	scheme_is("303e " PSS " 3031 a00b 3009 0605 2b0e03021a 0500 a118 3016 " MGF " 3009 0605 2b0e03021a 0500 a203 020114 a303 020101",
		  RESULT_UNSUPPORTED, NULL);
	/* another hash for the mask; salts of 20 and 64; trailer 2; a negative salt; fields out of order, twice, unknown */
	scheme_is("3041 " PSS " 3034 a00f " A256 " a11c 301a " MGF " " A384 " a203 020120", RESULT_UNSUPPORTED, NULL);
	scheme_is("303c " PSS " 302f a00f " A256 " a11c 301a " MGF " " A256, RESULT_UNSUPPORTED, NULL);
	scheme_is("3041 " PSS " 3034 a00f " A256 " a11c 301a " MGF " " A256 " a203 020140", RESULT_UNSUPPORTED, NULL);
	scheme_is("3046 " PSS " 3039 a00f " A256 " a11c 301a " MGF " " A256 " a203 020120 a303 020102", RESULT_INVALID, NULL);
	scheme_is("3041 " PSS " 3034 a00f " A256 " a11c 301a " MGF " " A256 " a203 0201e0", RESULT_INVALID, NULL);
	scheme_is("3041 " PSS " 3034 a11c 301a " MGF " " A256 " a00f " A256 " a203 020120", RESULT_INVALID, NULL);
	scheme_is("3046 " PSS " 3039 a00f " A256 " a11c 301a " MGF " " A256 " a203 020120 a203 020120", RESULT_INVALID, NULL);
	scheme_is("3046 " PSS " 3039 a00f " A256 " a11c 301a " MGF " " A256 " a203 020120 a403 020101", RESULT_INVALID, NULL);
}
END_TEST

/* A part of each is none, and so is it with more behind. */
START_TEST(identifiers_truncated)
{
	static const struct sig_scheme some[] = { { SIG_RSA_PSS, HASH_SHA2_384, 48 }, { SIG_ED448, HASH_IDENTITY, 0 },
						  { SIG_RSA_PKCS1, HASH_SHA1, 0 } };
	struct sig_scheme s;

	for (size_t i = 0; i < ARRAY_LEN(some); i++) {
		struct bytes der = sig_scheme_der(&some[i]);

		ck_assert_result(sig_scheme_parse(der, &s), "whole");
		for (size_t n = 0; n < der.n; n++) {
			uint8_t *copy = xmemdup(der.p, n);

			ck_assert_int_eq(sig_scheme_parse(bytes_of(copy, n), &s).code, RESULT_INVALID);
			free(copy);
		}
	}
}
END_TEST

/* ---- AUTH ---- */

static enum result_code auth_parse(unsigned method, struct bytes data, const char *key)
{
	struct buf scratch = { NULL, 0, 0 };
	struct sig_scheme s;
	struct bytes view;
	struct result r = auth_signature_parse(method, data, test_key(key)->private->public, &s, &scratch, &view);

	buf_free(&scratch);
	return r.code;
}

START_TEST(auth_data)
{
	static const uint8_t ed25519[] = { 7, 0x30, 5, 6, 3, 0x2b, 0x65, 112, 0xaa };
	static const uint8_t ecdsa_null[] = { 14, 0x30, 12, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2, 5, 0, 0xaa };

	ck_assert_int_eq(auth_parse(14, bytes_of(ed25519, 9), "ed25519"), RESULT_OK);
	for (size_t n = 0; n < 9; n++)
		ck_assert_int_eq(auth_parse(14, bytes_of(ed25519, n), "ed25519"), RESULT_INVALID);
	ck_assert_int_eq(auth_parse(14, bytes_of(ed25519, 9), "ed448"), RESULT_INVALID); /* not of that key */
	ck_assert_int_eq(auth_parse(14, bytes_of(ecdsa_null, sizeof(ecdsa_null)), "ecdsa-P-256"), RESULT_INVALID);
	ck_assert_int_eq(auth_parse(14, bytes_of("\0\xaa", 2), "ed448"), RESULT_INVALID);
	ck_assert_int_eq(auth_parse(1, bytes_of(ed25519, 9), "ed25519"), RESULT_INVALID);
	ck_assert_int_eq(auth_parse(1, bytes_of(ed25519, 9), "rsa-pss-2048"), RESULT_INVALID);
	ck_assert_int_eq(auth_parse(1, bytes_of(ed25519, 9), "rsa-2048"), RESULT_AUTH);
	ck_assert_int_eq(auth_parse(1, BYTES_NONE, "rsa-2048"), RESULT_AUTH);
	ck_assert_int_eq(auth_parse(9, bytes_of(ed25519, 9), "ecdsa-brainpoolP256r1"), RESULT_INVALID);
	ck_assert_int_eq(auth_parse(9, bytes_of(ed25519, 9), "rsa-2048"), RESULT_INVALID);
	ck_assert_int_eq(auth_parse(2, bytes_of(ed25519, 9), "rsa-2048"), RESULT_UNSUPPORTED);
	ck_assert_int_eq(auth_parse(0, BYTES_NONE, "rsa-2048"), RESULT_UNSUPPORTED);
}
END_TEST

/* Method 1 says nothing of the hash: it is found inside. */
START_TEST(rsa_classic)
{
	const struct test_key *k = test_key("rsa-2048");
	struct bytes message = bytes_str("message"), view;

	for (unsigned hash = HASH_SHA1; hash <= HASH_SHA2_512; hash++) {
		struct sig_scheme s = { SIG_RSA_PKCS1, (uint8_t)hash, 0 }, found;
		struct buf made = { NULL, 0, 0 }, auth = { NULL, 0, 0 }, scratch = { NULL, 0, 0 };
		struct errtext err;

		ck_assert(private_key_sign(k->private, &s, &message, 1, &made, &err));
		ck_assert_result(auth_signature_write(1, &s, k->private->public, buf_bytes(&made), &auth), "write");
		ck_assert_result(auth_signature_parse(1, buf_bytes(&auth), k->private->public, &found, &scratch, &view), "parse");
		ck_assert_uint_eq(found.hash, hash);
		ck_assert_result(public_key_verify(k->private->public, &found, &message, 1, view), "verify");
		buf_free(&made);
		buf_free(&auth);
		buf_free(&scratch);
	}
}
END_TEST

/* ---- choice ---- */

#define H1 HASH_BIT(HASH_SHA1)
#define H256 HASH_BIT(HASH_SHA2_256)
#define H384 HASH_BIT(HASH_SHA2_384)
#define H512 HASH_BIT(HASH_SHA2_512)
#define HID HASH_BIT(HASH_IDENTITY)

START_TEST(choices)
{
	static const struct {
		const char *key;
		unsigned peer, allowed;
		bool pss;
		const char *scheme; /* NULL: none */
		unsigned method;
	} cases[] = {
		{ "rsa-2048", SIG_HASHES, 0, false, "RSA_EMSA_PKCS1_SHA2_256", 14 },
		{ "rsa-2048", SIG_HASHES, 0, true, "RSA_EMSA_PSS_SHA2_256", 14 },
		{ "rsa-4096", SIG_HASHES, 0, false, "RSA_EMSA_PKCS1_SHA2_384", 14 },
		{ "rsa-2048", H1 | H512, 0, false, "RSA_EMSA_PKCS1_SHA2_512", 14 },
		{ "rsa-2048", H1, 0, false, NULL, 0 }, /* SHA-1 only where it is allowed */
		{ "rsa-2048", H1, H1, false, "RSA_EMSA_PKCS1_SHA1", 14 },
		{ "rsa-2048", H1, H1, true, NULL, 0 },
		{ "rsa-2048", SIG_HASHES, H384, false, "RSA_EMSA_PKCS1_SHA2_384", 14 },
		{ "rsa-2048", H256, H384, false, NULL, 0 },
		{ "rsa-1024-e3", H512, 0, true, NULL, 0 }, /* too short for it */
		{ "rsa-pss-2048", SIG_HASHES, 0, false, "RSA_EMSA_PSS_SHA2_256", 14 },
		{ "rsa-pss-2048-sha256", H384 | H512, 0, false, NULL, 0 },
		{ "ecdsa-P-256", SIG_HASHES, 0, false, "ECDSA_WITH_SHA256_DER", 14 },
		{ "ecdsa-P-384", SIG_HASHES, 0, false, "ECDSA_WITH_SHA384_DER", 14 },
		{ "ecdsa-P-521", SIG_HASHES, 0, false, "ECDSA_WITH_SHA512_DER", 14 },
		{ "ecdsa-P-256", H512, 0, false, "ECDSA_WITH_SHA512_DER", 14 },
		{ "ecdsa-brainpoolP512r1", SIG_HASHES, 0, false, "ECDSA_WITH_SHA512_DER", 14 },
		{ "ed25519", SIG_HASHES, 0, false, "ED25519", 14 },
		{ "ed25519", H256 | H384 | H512, 0, false, NULL, 0 }, /* RFC 8420: only if it says Identity */
		{ "ed448", HID, HID, false, "ED448", 14 },
		/* without RFC 7427 */
		{ "rsa-2048", 0, 0, true, "RSA_EMSA_PKCS1_SHA1", 1 },
		{ "rsa-2048", 0, SIG_HASHES, true, "RSA_EMSA_PKCS1_SHA2_256", 1 },
		{ "rsa-2048", 0, H1 | H256, false, "RSA_EMSA_PKCS1_SHA1", 1 },
		{ "rsa-2048", 0, H512, false, "RSA_EMSA_PKCS1_SHA2_512", 1 },
		{ "rsa-pss-2048", 0, 0, false, NULL, 0 },
		{ "ecdsa-P-256", 0, 0, false, "ECDSA_WITH_SHA256_DER", 9 },
		{ "ecdsa-P-384", 0, 0, false, "ECDSA_WITH_SHA384_DER", 10 },
		{ "ecdsa-P-521", 0, 0, false, "ECDSA_WITH_SHA512_DER", 11 },
		{ "ecdsa-P-256", 0, H384, false, NULL, 0 },
		{ "ecdsa-brainpoolP256r1", 0, 0, false, NULL, 0 },
		{ "ed25519", 0, 0, false, NULL, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct public_key *k = test_key(cases[i].key)->private->public;
		struct sig_scheme s;
		unsigned method;
		bool found = sig_scheme_choose(k, cases[i].peer, cases[i].allowed, cases[i].pss, &s, &method);

		ck_assert_msg(found == (cases[i].scheme != NULL), "case %zu: %s", i, found ? sig_scheme_name(&s) : "none");
		if (!found)
			continue;
		ck_assert_msg(!strcmp(sig_scheme_name(&s), cases[i].scheme), "case %zu: %s", i, sig_scheme_name(&s));
		ck_assert_msg(method == cases[i].method, "case %zu: %u", i, method);
	}
}
END_TEST

void test_signature_bad(TCase *t)
{
	tcase_add_test(t, pkcs1_padding);
	tcase_add_test(t, rsa_lengths);
	tcase_add_test(t, pss_salt);
	tcase_add_test(t, ecdsa_fixed_form);
	tcase_add_test(t, ecdsa_short_numbers);
	tcase_add_test(t, edwards_prehashed);
	tcase_add_test(t, algorithm_identifiers);
	tcase_add_test(t, pss_identifiers);
	tcase_add_test(t, identifiers_truncated);
	tcase_add_test(t, auth_data);
	tcase_add_test(t, rsa_classic);
	tcase_add_test(t, choices);
}
