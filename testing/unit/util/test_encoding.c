/* SPDX-License-Identifier: Apache-2.0 */
#include "test_util.h"

#include "util/bytes.h"

typedef bool decode_fn(struct bytes text, struct buf *out);

/* A failed decoding leaves what was there before, a good one adds to it. */
static void check_decode(decode_fn *decode, const char *text, const char *want)
{
	struct buf b = { 0 };
	bool ok;

	buf_add_str(&b, "before");
	ok = decode(bytes_str(text), &b);
	ck_assert_msg(ok == (want != NULL), "\"%s\" was %s", text, ok ? "taken" : "refused");
	ck_assert_uint_eq(b.n, 6 + (want ? strlen(want) : 0));
	ck_assert_mem_eq(b.p, "before", 6);
	if (want)
		ck_assert_mem_eq(b.p + 6, want, strlen(want));
	buf_free(&b);
}

START_TEST(hex_good_and_bad)
{
	check_decode(hex_decode, "", "");
	check_decode(hex_decode, "61", "a");
	check_decode(hex_decode, "4a4B6c6D", "JKlm");
	check_decode(hex_decode, "6", NULL);
	check_decode(hex_decode, "616", NULL);
	check_decode(hex_decode, "61 62", NULL);
	check_decode(hex_decode, "0x61", NULL);
	check_decode(hex_decode, "6g", NULL);
	check_decode(hex_decode, "g6", NULL);
	check_decode(hex_decode, "61:62", NULL);
}
END_TEST

START_TEST(hex_roundtrip)
{
	struct buf text = { 0 }, back = { 0 };
	uint8_t all[256];

	for (int i = 0; i < 256; i++)
		all[i] = (uint8_t)i;
	buf_add_hex(&text, bytes_of(all, sizeof(all)));
	ck_assert_uint_eq(text.n, 512);
	ck_assert_mem_eq(text.p, "000102030405060708090a0b", 24);
	ck_assert_mem_eq(text.p + 508, "feff", 4);
	ck_assert(hex_decode(buf_bytes(&text), &back));
	ck_assert(bytes_equal(buf_bytes(&back), bytes_of(all, sizeof(all))));
	buf_free(&text);
	buf_free(&back);
}
END_TEST

/* RFC 4648, 10 */
START_TEST(base64_vectors)
{
	check_decode(base64_decode, "", "");
	check_decode(base64_decode, "Zg==", "f");
	check_decode(base64_decode, "Zm8=", "fo");
	check_decode(base64_decode, "Zm9v", "foo");
	check_decode(base64_decode, "Zm9vYg==", "foob");
	check_decode(base64_decode, "Zm9vYmE=", "fooba");
	check_decode(base64_decode, "Zm9vYmFy", "foobar");
	check_decode(base64_decode, "Pz8/fn5+", "???~~~");
}
END_TEST

START_TEST(base64_padding_and_space)
{
	check_decode(base64_decode, "Zg", "f");
	check_decode(base64_decode, "Zm8", "fo");
	check_decode(base64_decode, "Zm9vYg", "foob");
	check_decode(base64_decode, " Zm 9v\r\n\tYm\vFy\n", "foobar");
	check_decode(base64_decode, "Zg = =", "f");
	check_decode(base64_decode, "Zh==", "f"); /* bits left over */
	check_decode(base64_decode, "Z", NULL);
	check_decode(base64_decode, "Zm9vY", NULL);
	check_decode(base64_decode, "Zg=", NULL);
	check_decode(base64_decode, "Zg===", NULL);
	check_decode(base64_decode, "Zm8==", NULL);
	check_decode(base64_decode, "Zm9v=", NULL);
	check_decode(base64_decode, "Zm9v====", NULL);
	check_decode(base64_decode, "=", NULL);
	check_decode(base64_decode, "====", NULL);
	check_decode(base64_decode, "Zg==Zg==", NULL);
	check_decode(base64_decode, "Zg==Zm9v", NULL);
	check_decode(base64_decode, "Zm-_", NULL);
	check_decode(base64_decode, "Zm9v!", NULL);
}
END_TEST

/* Encodes by the book, for the round trip. */
static void base64_encode(struct bytes in, bool pad, struct buf *out)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < in.n; i += 3) {
		uint32_t v = (uint32_t)in.p[i] << 16;

		if (i + 1 < in.n)
			v |= (uint32_t)in.p[i + 1] << 8;
		if (i + 2 < in.n)
			v |= in.p[i + 2];
		for (unsigned j = 0; j < 4; j++) {
			if (i + j < in.n + 1)
				buf_add_u8(out, (uint8_t)digits[v >> (18 - 6 * j) & 63]);
			else if (pad)
				buf_add_u8(out, '=');
		}
	}
}

START_TEST(base64_roundtrip)
{
	uint64_t seed = 11;
	uint8_t data[128];

	for (size_t n = 0; n <= sizeof(data); n++) {
		struct buf text = { 0 }, back = { 0 };

		for (size_t i = 0; i < n; i++)
			data[i] = (uint8_t)test_random(&seed);
		base64_encode(bytes_of(data, n), n % 2, &text);
		ck_assert(base64_decode(buf_bytes(&text), &back));
		ck_assert(bytes_equal(buf_bytes(&back), bytes_of(data, n)));
		buf_free(&text);
		buf_free(&back);
	}
}
END_TEST

TCase *encoding_tests(void)
{
	TCase *tc = tcase_create("encoding");

	tcase_add_test(tc, hex_good_and_bad);
	tcase_add_test(tc, hex_roundtrip);
	tcase_add_test(tc, base64_vectors);
	tcase_add_test(tc, base64_padding_and_space);
	tcase_add_test(tc, base64_roundtrip);
	return tc;
}
