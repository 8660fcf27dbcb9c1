/* SPDX-License-Identifier: Apache-2.0 */
#include "ipseckey_test.h"

#include <string.h>

#include "plugins/ipseckey/record.h"
#include "util/mem.h"

/* Keys by `openssl pkey -pubout`, and the records of the same ones as a zone has them. */
static const struct {
	const char *record, *spki;
	enum key_type type;
} good[] = {
	{ "10 0 2 . AwEAAcMQ9gKwM7yYttyS+qlCewoVFM6tzjTYJAe4+n77Ob9F3DfNmAiZgFKz12fOpERv2WXRn0koxIMaa3ebnLVDbJhLljG3xJcJ4v+wplPs4uzSN99efE4LH3FQRzZcptqgFvp2TKKrGzWRoo+ZGl3dPdiQCCZMDpE7v4Dqz1S7zb/f",
	  "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDDEPYCsDO8mLbckvqpQnsKFRTOrc402CQHuPp++zm/Rdw3zZgImYBSs9dnzqREb9ll0Z9JKMSDGmt3m5y1Q2yYS5Yxt8SXCeL/sKZT7OLs0jffXnxOCx9xUEc2XKbaoBb6dkyiqxs1kaKPmRpd3T3YkAgmTA6RO7+A6s9Uu82/3wIDAQAB",
	  KEY_RSA },
	{ "10 0 3 . ZKvQ2xGT/zrs8pVPx6lk2tK6jdesosYEK8J/pxkMZ42Z/mkNO9i1/fR9k+4Bx9VYCcfegjOujhrPPkHjbJcYlg==",
	  "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEZKvQ2xGT/zrs8pVPx6lk2tK6jdesosYEK8J/pxkMZ42Z/mkNO9i1/fR9k+4Bx9VYCcfegjOujhrPPkHjbJcYlg==",
	  KEY_ECDSA },
	{ "10 0 3 . r65Hy8GxzmTgiav5j/HA8rqAsAbKIcCSSR/oETKE/UxlnNnKKG4AnPvHaJIbBBFuBstykEYrHwYnvjY/WKmgRvQ2rx185ZcbFRdEAq1JfLiViBIpT1JCxAE7jWagDh8c",
	  "MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEr65Hy8GxzmTgiav5j/HA8rqAsAbKIcCSSR/oETKE/UxlnNnKKG4AnPvHaJIbBBFuBstykEYrHwYnvjY/WKmgRvQ2rx185ZcbFRdEAq1JfLiViBIpT1JCxAE7jWagDh8c",
	  KEY_ECDSA },
	{ "10 0 4 . S/2utMSaNZZFn0oL4ZTXnnPplvUmMvF2/IvbFAIHX0M=", "MCowBQYDK2VwAyEAS/2utMSaNZZFn0oL4ZTXnnPplvUmMvF2/IvbFAIHX0M=", KEY_ED25519 },
	{ "10 0 4 . QcdyjrM3+hxNSviE02BLg37fJEFlwlazytrhu5cF6o4OsgvBMLeYjsuX63opdJ5g4lilcFnvFTKA",
	  "MEMwBQYDK2VxAzoAQcdyjrM3+hxNSviE02BLg37fJEFlwlazytrhu5cF6o4OsgvBMLeYjsuX63opdJ5g4lilcFnvFTKA", KEY_ED448 },
	/* gateways of all kinds before the key */
	{ "10 1 4 192.0.2.38 S/2utMSaNZZFn0oL4ZTXnnPplvUmMvF2/IvbFAIHX0M=", "MCowBQYDK2VwAyEAS/2utMSaNZZFn0oL4ZTXnnPplvUmMvF2/IvbFAIHX0M=", KEY_ED25519 },
	{ "10 2 4 2001:db8:0:8002::2000:1 S/2utMSaNZZFn0oL4ZTXnnPplvUmMvF2/IvbFAIHX0M=", "MCowBQYDK2VwAyEAS/2utMSaNZZFn0oL4ZTXnnPplvUmMvF2/IvbFAIHX0M=", KEY_ED25519 },
	{ "10 3 4 mygateway.example.com. S/2utMSaNZZFn0oL4ZTXnnPplvUmMvF2/IvbFAIHX0M=", "MCowBQYDK2VwAyEAS/2utMSaNZZFn0oL4ZTXnnPplvUmMvF2/IvbFAIHX0M=", KEY_ED25519 },
};

/* As it is in a packet; the length that comes first is cut off. */
static struct buf rdata_of(const char *text)
{
	char *line = xasprintf("moon.test. IN IPSECKEY %s", text);
	ldns_buffer *wire = ldns_buffer_new(4096);
	struct buf rdata = { 0 };
	ldns_rr *rr = NULL;

	ck_assert_msg(ldns_rr_new_frm_str(&rr, line, 300, NULL, NULL) == LDNS_STATUS_OK, "%s", line);
	ck_assert(ldns_rr_rdata2buffer_wire(wire, rr) == LDNS_STATUS_OK);
	buf_add(&rdata, ldns_buffer_begin(wire), ldns_buffer_position(wire));
	ldns_buffer_free(wire);
	ldns_rr_free(rr);
	free(line);
	return rdata;
}

START_TEST(test_good)
{
	struct buf rdata = rdata_of(good[_i].record), spki = { 0 }, expected = { 0 };
	enum key_type type = KEY_ANY;
	struct errtext err = { "" };

	ck_assert(base64_decode(bytes_str(good[_i].spki), &expected));
	ck_assert_msg(record_spki(buf_bytes(&rdata), &spki, &type, &err), "%s", err.s);
	ck_assert_int_eq(type, good[_i].type);
	ck_assert(bytes_equal(buf_bytes(&spki), buf_bytes(&expected)));
	buf_free(&rdata);
	buf_free(&spki);
	buf_free(&expected);
}
END_TEST

/* RSA's modulus is all that is left: any length of it is one. A point of a large curve may be cut to one of a smaller. */
START_TEST(test_truncated)
{
	struct buf rdata = rdata_of(good[_i].record), spki = { 0 };
	enum key_type type;
	struct errtext err;

	for (size_t n = 0; n < rdata.n; n++) {
		uint8_t *copy = xmemdup(rdata.p, n ? n : 1);
		bool ok;

		buf_reset(&spki);
		ok = record_spki(bytes_of(copy, n), &spki, &type, &err);
		ck_assert_msg(!ok || (good[_i].type == KEY_RSA && n > 3 + 4) || n == 3 + 64 || n == 3 + 32, "%zu bytes", n);
		free(copy);
	}
	buf_free(&rdata);
	buf_free(&spki);
}
END_TEST

static const struct {
	const char *hex, *why;
} bad[] = {
	{ "0a0004", "has 0 bytes, which is no known curve's" },
	{ "0a0000", "there is no key in it" },
	{ "0a0001" "00", "algorithm 1, which is not supported" },
	{ "0a0009" "00", "algorithm 9, which is not supported" },
	{ "0a0404" "00", "the record is malformed" },
	{ "0a0304" "c00c" "00", "the record is malformed" }, /* compressed */
	{ "0a0304" "40" "6161", "the record is malformed" },
	{ "0a0002" "00", "RSA key is malformed" },
	{ "0a0002" "03010001", "RSA key is malformed" },
	{ "0a0002" "03000001" "c1", "RSA key is malformed" },
	{ "0a0002" "01" "03" "00c1", "RSA key is malformed" },
	{ "0a0002" "000000" "c1", "RSA key is malformed" },
	{ "0a0002" "03010001" "c1", "RSA key is too large" }, /* its exponent is larger than its modulus */
	{ "0a0003" "040506", "ECDSA key has 3 bytes" },
};

START_TEST(test_bad)
{
	struct buf rdata = { 0 }, spki = { 0 };
	struct errtext err = { "" };
	enum key_type type;

	ck_assert(hex_decode(bytes_str(bad[_i].hex), &rdata));
	ck_assert(!record_spki(buf_bytes(&rdata), &spki, &type, &err));
	ck_assert_msg(strstr(err.s, bad[_i].why) != NULL, "'%s' is not in '%s'", bad[_i].why, err.s);
	buf_free(&rdata);
	buf_free(&spki);
}
END_TEST

START_TEST(test_huge_rsa)
{
	struct buf rdata = { 0 }, spki = { 0 };
	struct errtext err = { "" };
	enum key_type type;

	ck_assert(hex_decode(bytes_str("0a000203010001"), &rdata));
	memset(buf_extend(&rdata, 2049), 0xff, 2049);
	ck_assert(!record_spki(buf_bytes(&rdata), &spki, &type, &err));
	ck_assert_str_eq(err.s, "its RSA key is too large");
	buf_free(&rdata);
	buf_free(&spki);
}
END_TEST

TCase *record_tests(void)
{
	TCase *c = tcase_create("record");

	tcase_add_loop_test(c, test_good, 0, ARRAY_LEN(good));
	tcase_add_loop_test(c, test_truncated, 0, ARRAY_LEN(good));
	tcase_add_loop_test(c, test_bad, 0, ARRAY_LEN(bad));
	tcase_add_test(c, test_huge_rsa);
	return c;
}
