/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "key_test.h"
#include "util/mem.h"

/* Keys that are refused, and why. */

static void refuses(struct bytes data, const char *why)
{
	struct errtext err = { "" };

	ck_assert_msg(!public_key_parse(data, KEY_ANY, &err), "accepted, though: %s", why);
	ck_assert_msg(strstr(err.s, why), "'%s' instead of '%s'", err.s, why);
}

static void refuses_private(struct bytes data, const char *why)
{
	struct errtext err = { "" };

	ck_assert_msg(!private_key_parse(data, KEY_ANY, &err), "accepted, though: %s", why);
	ck_assert_msg(strstr(err.s, why), "'%s' instead of '%s'", err.s, why);
}

/* A SubjectPublicKeyInfo of that algorithm (hex of the AlgorithmIdentifier's content) and those bits. */
static void spki_of(struct buf *ret, const char *algorithm, struct bytes bits)
{
	struct buf a = { NULL, 0, 0 }, in = { NULL, 0, 0 };

	(void)test_hex(&a, algorithm);
	der_add(&in, DER_SEQUENCE, buf_bytes(&a));
	der_add_bits(&in, bits);
	buf_reset(ret);
	der_add(ret, DER_SEQUENCE, buf_bytes(&in));
	buf_free(&in);
	buf_free(&a);
}

static void refuses_bits(const char *algorithm, struct bytes bits, const char *why)
{
	struct buf spki = { NULL, 0, 0 };

	spki_of(&spki, algorithm, bits);
	refuses(buf_bytes(&spki), why);
	buf_free(&spki);
}

#define ALG_RSA "0609 2a864886f70d010101 0500"
#define ALG_P256 "0607 2a8648ce3d0201 0608 2a8648ce3d030107"
#define ALG_ED25519 "0603 2b6570"
#define ALG_ED448 "0603 2b6571"

/* ---- RSA ---- */

/* INTEGERs as they are given. */
static void rsa_bits(struct buf *ret, struct bytes n, struct bytes e)
{
	struct buf in = { NULL, 0, 0 };

	der_add(&in, DER_INTEGER, n);
	der_add(&in, DER_INTEGER, e);
	buf_reset(ret);
	der_add(ret, DER_SEQUENCE, buf_bytes(&in));
	buf_free(&in);
}

static void refuses_rsa(struct bytes n, struct bytes e, const char *why)
{
	struct buf bits = { NULL, 0, 0 };

	rsa_bits(&bits, n, e);
	refuses_bits(ALG_RSA, buf_bytes(&bits), why);
	refuses(buf_bytes(&bits), why); /* PKCS#1 alone */
	buf_free(&bits);
}

START_TEST(rsa_numbers)
{
	static const uint8_t f4[] = { 1, 0, 1 }, one[] = { 1 }, even[] = { 1, 0, 0 }, zero[] = { 0 }, negative[] = { 0x83 }, padded[] = { 0, 3 };
	static const uint8_t large[] = { 1, 0, 0, 0, 0, 0, 0, 0, 1 };
	uint8_t *n = xmalloc(2050);
	struct bytes good;

	memset(n, 0x55, 2050);
	n[0] = 0;
	n[1] = 0x80;
	good = bytes_of(n, 257);
	refuses_rsa(good, bytes_of(one, 1), "even, or less than 3");
	refuses_rsa(good, bytes_of(even, 3), "even, or less than 3");
	refuses_rsa(good, bytes_of(zero, 1), "even, or less than 3");
	refuses_rsa(good, bytes_of(negative, 1), "malformed");
	refuses_rsa(good, bytes_of(padded, 2), "malformed");
	refuses_rsa(good, BYTES_NONE, "malformed");
	refuses_rsa(good, bytes_of(large, 9), "more than 64 bits");
	refuses_rsa(bytes_of(n + 1, 256), bytes_of(f4, 3), "malformed"); /* negative */
	refuses_rsa(bytes_of(zero, 1), bytes_of(f4, 3), "has 0 bits");
	refuses_rsa(bytes_of(n, 128), bytes_of(f4, 3), "has 1016 bits");
	n[2] = 0x7f;
	refuses_rsa(bytes_of(n + 2, 128), bytes_of(f4, 3), "has 1023 bits");
	refuses_rsa(bytes_of(n, 2050), bytes_of(f4, 3), "it must have 1024 to 16384");
	n[256] = 0x54;
	refuses_rsa(good, bytes_of(f4, 3), "even");
	free(n);
}
END_TEST

START_TEST(rsa_form)
{
	const struct test_key *k = test_key("rsa-2048");
	struct buf spki = { NULL, 0, 0 }, bits = { NULL, 0, 0 }, n = { NULL, 0, 0 };
	static const uint8_t f4[] = { 1, 0, 1 };
	struct reader all = reader_of(buf_bytes(&k->spki)), in = der_enter(&all, DER_SEQUENCE);

	(void)der_element(&in);
	buf_add_bytes(&bits, der_bits(&in));
	spki_of(&spki, "0609 2a864886f70d010101", buf_bytes(&bits));
	refuses(buf_bytes(&spki), "not NULL");
	spki_of(&spki, "0609 2a864886f70d010101 050100", buf_bytes(&bits));
	refuses(buf_bytes(&spki), "not NULL");
	spki_of(&spki, "0609 2a864886f70d010101 0500 0500", buf_bytes(&bits));
	refuses(buf_bytes(&spki), "not NULL");
	/* something follows: the whole, the numbers, the bits */
	buf_reset(&spki);
	buf_add_bytes(&spki, buf_bytes(&k->spki));
	buf_add_u8(&spki, 0);
	refuses(buf_bytes(&spki), "something follows the public key");
	buf_add_u8(&bits, 0);
	refuses_bits(ALG_RSA, buf_bytes(&bits), "malformed");
	/* BER: a length that is not the shortest, and one that is not said */
	test_hex(&spki, "3080 0000");
	refuses(buf_bytes(&spki), "not a public key");
	test_hex(&spki, "308105 3003 0600 0300");
	refuses(buf_bytes(&spki), "not a public key");
	(void)buf_extend(&n, 257);
	memset(n.p, 0x55, n.n);
	n.p[0] = 0;
	n.p[1] = 0x80;
	rsa_bits(&bits, buf_bytes(&n), bytes_of(f4, 3));
	bits.p[2]++; /* the length of what is inside */
	refuses_bits(ALG_RSA, buf_bytes(&bits), "malformed");
	buf_free(&spki);
	buf_free(&bits);
	buf_free(&n);
}
END_TEST

START_TEST(rsa_pss_parameters)
{
	const struct test_key *k = test_key("rsa-2048");
	struct reader all = reader_of(buf_bytes(&k->spki)), in = der_enter(&all, DER_SEQUENCE);
	struct bytes bits;

	(void)der_element(&in);
	bits = der_bits(&in);
	refuses_bits("0609 2a864886f70d01010a 3000", bits, "RSASSA-PSS parameters of the key: the hash is SHA-1");
	refuses_bits("0609 2a864886f70d01010a 0500", bits, "RSASSA-PSS parameters of the key: they are malformed");
	/* salt of 16 */
	refuses_bits("0609 2a864886f70d01010a 3034 a00f300d06096086480165030402010500 a11c301a06092a864886f70d010108"
		     "300d06096086480165030402010500 a203020110",
		     bits, "the salt is not as long as the hash");
}
END_TEST

/* ---- elliptic curves ---- */

START_TEST(points)
{
	const struct test_key *k = test_key("ecdsa-P-256");
	struct buf bits = { NULL, 0, 0 }, spki = { NULL, 0, 0 };
	struct bytes good = bytes_of(k->spki.p + k->spki.n - 65, 65);
	struct public_key *p;
	struct errtext err;

	buf_add_bytes(&bits, good);
	bits.p[64] ^= 1;
	refuses_bits(ALG_P256, buf_bytes(&bits), "the public point is not on P-256");
	memset(bits.p + 1, 0, 64);
	refuses_bits(ALG_P256, buf_bytes(&bits), "the public point is not on P-256");
	memset(bits.p + 1, 0xff, 64);
	refuses_bits(ALG_P256, buf_bytes(&bits), "the public point is not on P-256");
	refuses_bits(ALG_P256, bytes_of("\0", 1), "malformed: 1 octets"); /* infinity */
	refuses_bits(ALG_P256, BYTES_NONE, "malformed: 0 octets");
	refuses_bits(ALG_P256, bytes_of(good.p, 64), "malformed: 64 octets");
	memcpy(bits.p, good.p, 65);
	bits.p[0] = (uint8_t)(6 + (good.p[64] & 1)); /* hybrid */
	refuses_bits(ALG_P256, buf_bytes(&bits), "malformed: 65 octets");
	bits.p[0] = 4;
	refuses_bits("0607 2a8648ce3d0201 0605 2b8104 0022", buf_bytes(&bits), "the public point of P-384 is malformed");
	refuses_bits("0607 2a8648ce3d0201 0605 2b8104000a", buf_bytes(&bits), "curve 1.3.132.0.10 (secp256k1) is not supported");
	refuses_bits("0607 2a8648ce3d0201", buf_bytes(&bits), "not given by its name");
	refuses_bits("0607 2a8648ce3d0201 0500", buf_bytes(&bits), "not given by its name");
	refuses_bits("0607 2a8648ce3d0201 3003020101", buf_bytes(&bits), "not given by its name");
	refuses_bits("0607 2a8648ce3d0201 0608 2a8648ce3d030107 0500", buf_bytes(&bits), "malformed");
	/* compressed is the same key */
	bits.p[0] = (uint8_t)(2 + (good.p[64] & 1));
	spki_of(&spki, ALG_P256, bytes_of(bits.p, 33));
	p = public_key_parse(buf_bytes(&spki), KEY_ANY, &err);
	ck_assert_msg(p, "%s", err.s);
	ck_assert(public_key_equal(p, k->private->public));
	public_key_unref(p);
	buf_free(&bits);
	buf_free(&spki);
}
END_TEST

static void refuses_point(const char *algorithm, const char *hex, const char *why)
{
	struct buf bits = { NULL, 0, 0 };

	refuses_bits(algorithm, test_hex(&bits, hex), why);
	buf_free(&bits);
}

#define Z8 "0000000000000000"
#define F8 "ffffffffffffffff"

START_TEST(edwards_points)
{
	/* y = 0, 1, p - 1, and of order 8, with either sign; p, p + 1, 2^255 - 1; 2 is not on the curve */
	refuses_point(ALG_ED25519, Z8 Z8 Z8 Z8, "small order");
	refuses_point(ALG_ED25519, Z8 Z8 Z8 "0000000000000080", "small order");
	refuses_point(ALG_ED25519, "0100000000000000" Z8 Z8 Z8, "small order");
	refuses_point(ALG_ED25519, "ecffffffffffffff" F8 F8 "ffffffffffffff7f", "small order");
	refuses_point(ALG_ED25519, "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "small order");
	refuses_point(ALG_ED25519, "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85", "small order");
	refuses_point(ALG_ED25519, "edffffffffffffff" F8 F8 "ffffffffffffff7f", "out of range");
	refuses_point(ALG_ED25519, F8 F8 F8 F8, "out of range");
	refuses_point(ALG_ED25519, "0200000000000000" Z8 Z8 Z8, "not on its curve");
	refuses_point(ALG_ED25519, Z8 Z8 Z8, "wrong length");
	refuses_point(ALG_ED25519 "0500", "5800000000000000" Z8 Z8 Z8, "not absent");
	refuses_point(ALG_ED448, Z8 Z8 Z8 Z8 Z8 Z8 Z8 "00", "small order");
	refuses_point(ALG_ED448, "0100000000000000" Z8 Z8 Z8 Z8 Z8 Z8 "80", "small order");
	refuses_point(ALG_ED448, F8 F8 F8 F8 F8 F8 F8 "00", "out of range");
	refuses_point(ALG_ED448, "0400000000000000" Z8 Z8 Z8 Z8 Z8 Z8 "01", "out of range");
	refuses_point(ALG_ED448, Z8 Z8 Z8 Z8 Z8 Z8 Z8, "wrong length");
}
END_TEST

START_TEST(other_algorithms)
{
	/* ML-DSA-65, X25519, DSA, and nothing */
	refuses_bits("0609 608648016503040312", bytes_str("0123456789"), "keys of algorithm 2.16.840.1.101.3.4.3.18 are not supported");
	refuses_bits("0603 2b656e", bytes_str("0123456789"), "keys of algorithm 1.3.101.110 are not supported");
	refuses_bits("0607 2a8648ce380401", bytes_str("0123456789"), "keys of algorithm 1.2.840.10040.4.1 are not supported");
	refuses_bits("", bytes_str("0123456789"), "algorithm identifier is malformed");
	refuses(BYTES_NONE, "not a public key");
	refuses(bytes_str("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "no public key among its PEM blocks");
	refuses(bytes_str("-----BEGIN PUBLIC KEY-----\nAA!A\n-----END PUBLIC KEY-----\n"), "the PEM block is malformed");
	refuses(bytes_str("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), "the PEM block is malformed");
	refuses(bytes_str("-----BEGIN PUBLIC KEY-----\nAAAA\n"), "the PEM block is malformed");
}
END_TEST

START_TEST(expected_type)
{
	struct errtext err;

	ck_assert_ptr_null(public_key_parse(buf_bytes(&test_key("ed25519")->spki), KEY_RSA, &err));
	ck_assert_str_eq(err.s, "it is a key of type ED25519, not RSA");
	ck_assert_ptr_null(private_key_parse(buf_bytes(&test_key("rsa-2048")->pkcs8), KEY_ECDSA, &err));
	ck_assert_str_eq(err.s, "it is a key of type RSA, not ECDSA");
}
END_TEST

/* ---- private keys ---- */

/* Each number of an RSA key changed: they do not fit each other any more. */
START_TEST(rsa_private)
{
	const struct test_key *k = test_key("rsa-2048");
	struct reader all = reader_of(buf_bytes(&k->traditional)), in = der_enter(&all, DER_SEQUENCE);
	struct buf copy = { NULL, 0, 0 };

	(void)der_element(&in);
	for (int i = 0; i < 8; i++) {
		struct bytes number = der_element(&in);
		size_t at = (size_t)(number.p - k->traditional.p) + number.n - 1;

		buf_reset(&copy);
		buf_add_bytes(&copy, buf_bytes(&k->traditional));
		copy.p[at] ^= 2;
		refuses_private(buf_bytes(&copy), "do not fit each other");
	}
	ck_assert(reader_done(&in));
	buf_reset(&copy);
	buf_add_bytes(&copy, buf_bytes(&k->traditional));
	copy.p[6] = 1; /* the version of more than two primes */
	refuses_private(buf_bytes(&copy), "more than two primes");
	buf_add_u8(&copy, 0);
	refuses_private(buf_bytes(&copy), "something follows");
	buf_free(&copy);
}
END_TEST

START_TEST(ec_private)
{
	struct buf b = { NULL, 0, 0 };

	/* SEC1 of P-256: 0, the order, one too long, no curve, another version */
	refuses_private(test_hex(&b, "3031 020101 0420 " Z8 Z8 Z8 Z8 "a00a 0608 2a8648ce3d030107"), "0 or out of range");
	refuses_private(test_hex(&b, "3031 020101 0420 ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"
				     "a00a 0608 2a8648ce3d030107"),
			"0 or out of range");
	refuses_private(test_hex(&b, "3032 020101 0421 01" Z8 Z8 Z8 Z8 "a00a 0608 2a8648ce3d030107"), "too long");
	refuses_private(test_hex(&b, "3025 020101 0420 01" Z8 Z8 Z8 "00000000000000"), "names no curve");
	refuses_private(test_hex(&b, "3031 020102 0420 01" Z8 Z8 Z8 "00000000000000 a00a 0608 2a8648ce3d030107"), "malformed");
	buf_free(&b);
}
END_TEST

/* The public part of another key beside the private one. */
START_TEST(pairs)
{
	const struct test_key *k = test_key("ecdsa-P-256");
	struct buf copy = { NULL, 0, 0 }, in = { NULL, 0, 0 };
	struct private_key *p;
	struct errtext err;

	buf_add_bytes(&copy, buf_bytes(&k->traditional));
	ck_assert_uint_eq(copy.p[1] + 2u, copy.n);
	copy.p[36] ^= 1; /* in the number */
	refuses_private(buf_bytes(&copy), "does not belong to its public key");
	/* without it all is well, and so is RFC 5958's form of Ed25519 with it */
	copy.p[36] ^= 1;
	copy.n -= 70; /* [1] at the end */
	copy.p[1] = (uint8_t)(copy.n - 2);
	p = private_key_parse(buf_bytes(&copy), KEY_ANY, &err);
	ck_assert_msg(p, "%s", err.s);
	ck_assert(public_key_equal(p->public, k->private->public));
	private_key_unref(p);
	test_hex(&in, "3051 020101 3005 0603 2b6570 0422 0420 d4ee72dbf913584ad5b6d8f1f769f8ad3afe7c28cbf1d4fbe097a88f44755842"
		      "8121 00 19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1"); /* RFC 8410, 10.3, without attributes */
	p = private_key_parse(buf_bytes(&in), KEY_ED25519, &err);
	ck_assert_msg(p, "%s", err.s);
	private_key_unref(p);
	in.p[16] ^= 1;
	refuses_private(buf_bytes(&in), "does not belong to its public key");
	buf_free(&copy);
	buf_free(&in);
}
END_TEST

START_TEST(encrypted_or_nothing)
{
	struct buf b = { NULL, 0, 0 };

	refuses_private(test_hex(&b, "3017 3013 0609 2a864886f70d01050d 3006 0000 0000 0000 0400"), "encrypted");
	refuses_private(bytes_str("-----BEGIN ENCRYPTED PRIVATE KEY-----\nMBcwEwYJKoZIhvcNAQUNMAYAAAAAAAAEAA==\n"
				  "-----END ENCRYPTED PRIVATE KEY-----\n"),
			"encrypted");
	refuses_private(bytes_str("-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n"
				  "-----END RSA PRIVATE KEY-----\n"),
			"encrypted");
	refuses_private(test_hex(&b, "300b 020102 3003 060100 0401 00"), "not a private key");
	refuses_private(test_hex(&b, "3016 020100 300b 0609 608648016503040312 0404 00000000"),
			"keys of algorithm 2.16.840.1.101.3.4.3.18 are not supported");
	refuses_private(buf_bytes(&test_key("ed25519")->spki), "no private key");
	refuses_private(bytes_str("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "no private key among");
	buf_free(&b);
}
END_TEST

/* ---- keys of the DNS ---- */

static void raw_is(struct public_key *k, const char *name, const struct errtext *err)
{
	ck_assert_msg(k, "%s: %s", name, err->s);
	ck_assert_bytes(k->spki, buf_bytes(&test_key(name)->spki), name);
	public_key_unref(k);
}

static void raw_fails(struct public_key *k, const char *why, const struct errtext *err)
{
	ck_assert_ptr_null(k);
	ck_assert_msg(strstr(err->s, why), "%s", err->s);
}

START_TEST(dns_keys)
{
	const struct test_key *rsa = test_key("rsa-2048"), *ec = test_key("ecdsa-P-384"), *ed = test_key("ed448");
	struct reader all = reader_of(buf_bytes(&rsa->spki)), in = der_enter(&all, DER_SEQUENCE), bits;
	struct buf b = { NULL, 0, 0 };
	struct errtext err = { "" };
	struct bytes n, e;

	(void)der_element(&in);
	bits = reader_of(der_bits(&in));
	in = der_enter(&bits, DER_SEQUENCE);
	n = der_unsigned(&in);
	e = der_unsigned(&in);
	buf_add_u8(&b, (uint8_t)e.n);
	buf_add_bytes(&b, e);
	buf_add_bytes(&b, n);
	raw_is(public_key_parse_ipseckey(2, buf_bytes(&b), &err), rsa->name, &err);
	buf_reset(&b);
	buf_add_u8(&b, 0); /* RFC 3110: a length of two octets */
	buf_add_u16(&b, (uint16_t)e.n);
	buf_add_bytes(&b, e);
	buf_add_bytes(&b, n);
	raw_is(public_key_parse_ipseckey(2, buf_bytes(&b), &err), rsa->name, &err);
	b.p[3] = 0;
	raw_fails(public_key_parse_ipseckey(2, buf_bytes(&b), &err), "RFC 3110", &err);
	raw_fails(public_key_parse_ipseckey(2, bytes_of(b.p, 6), &err), "RFC 3110", &err);
	raw_fails(public_key_parse_ipseckey(2, bytes_of(b.p, 2), &err), "RFC 3110", &err);
	raw_fails(public_key_parse_ipseckey(2, BYTES_NONE, &err), "RFC 3110", &err);
	raw_is(public_key_parse_ipseckey(3, bytes_of(ec->spki.p + ec->spki.n - 96, 96), &err), ec->name, &err);
	raw_fails(public_key_parse_ipseckey(3, bytes_of(ec->spki.p + ec->spki.n - 95, 95), &err), "RFC 6605", &err);
	raw_is(public_key_parse_ipseckey(4, bytes_of(ed->spki.p + ed->spki.n - 57, 57), &err), ed->name, &err);
	raw_fails(public_key_parse_ipseckey(4, bytes_of(ed->spki.p, 31), &err), "wrong length", &err);
	raw_fails(public_key_parse_ipseckey(1, buf_bytes(&b), &err), "DSA", &err);
	raw_fails(public_key_parse_ipseckey(0, buf_bytes(&b), &err), "algorithm 0 of IPSECKEY", &err);
	/* DNSKEY: flags, protocol 3, algorithm */
	(void)test_hex(&b, "0101 03 10");
	buf_add(&b, ed->spki.p + ed->spki.n - 57, 57);
	raw_is(public_key_parse_dnskey(buf_bytes(&b), &err), ed->name, &err);
	b.p[3] = 15;
	raw_fails(public_key_parse_dnskey(buf_bytes(&b), &err), "algorithm 15 of DNSKEY", &err);
	b.p[2] = 2;
	raw_fails(public_key_parse_dnskey(buf_bytes(&b), &err), "malformed", &err);
	raw_fails(public_key_parse_dnskey(bytes_of(b.p, 3), &err), "malformed", &err);
	buf_free(&b);
}
END_TEST

void test_key_bad(TCase *t)
{
	tcase_add_test(t, rsa_numbers);
	tcase_add_test(t, rsa_form);
	tcase_add_test(t, rsa_pss_parameters);
	tcase_add_test(t, points);
	tcase_add_test(t, edwards_points);
	tcase_add_test(t, other_algorithms);
	tcase_add_test(t, expected_type);
	tcase_add_test(t, rsa_private);
	tcase_add_test(t, ec_private);
	tcase_add_test(t, pairs);
	tcase_add_test(t, encrypted_or_nothing);
	tcase_add_test(t, dns_keys);
}
