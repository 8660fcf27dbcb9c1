/* SPDX-License-Identifier: Apache-2.0 */
#include "util/mem.h"
#include "wire_test.h"

static struct arena arena;
static struct buf input;
static struct payload_list list;
static struct wire_error err;

static void teardown(void)
{
	arena_free(&arena);
	buf_free(&input);
}

static struct result parse_sa(const char *body_hex)
{
	struct buf body = { 0 };
	struct result result;

	hex_bytes(&body, body_hex);
	buf_reset(&input);
	buf_add_u16(&input, 0);
	buf_add_u16(&input, (uint16_t)(body.n + 4));
	buf_add_bytes(&input, buf_bytes(&body));
	result = payloads_parse(&arena, buf_bytes(&input), PAYLOAD_SA, &list, &err);
	buf_free(&body);
	return result;
}

#define T_AES_128 "0300000c 0100000c 800e0080" /* ENCR_AES_CBC, key length 128 */
#define T_PRF "03000008 02000005"
#define T_KE_LAST "00000008 0400001f"

START_TEST(two_proposals)
{
	const struct proposal *p;

	ck_assert(result_is_ok(parse_sa("02ff0024 01010003" T_AES_128 T_PRF T_KE_LAST
					"00000020 02030402 01020304" T_AES_128 "00000008 05000000")));
	ck_assert_uint_eq(list.p->sa.count, 2);
	p = list.p->sa.p;
	ck_assert_uint_eq(p[0].number, 1);
	ck_assert_uint_eq(p[0].protocol, PROTOCOL_IKE);
	ck_assert_uint_eq(p[0].spi_len, 0);
	ck_assert_uint_eq(p[0].count, 3);
	ck_assert_uint_eq(p[0].transforms[0].type, TRANSFORM_ENCR);
	ck_assert_uint_eq(p[0].transforms[0].id, ENCR_AES_CBC);
	ck_assert_uint_eq(p[0].transforms[0].key_bits, 128);
	ck_assert_uint_eq(p[0].transforms[1].key_bits, 0);
	ck_assert_uint_eq(p[0].transforms[2].type, TRANSFORM_KE);
	ck_assert_uint_eq(p[0].transforms[2].id, KE_CURVE_25519);
	ck_assert_uint_eq(p[1].number, 2);
	ck_assert_uint_eq(p[1].protocol, PROTOCOL_ESP);
	ck_assert_uint_eq(p[1].spi_len, 4);
	ck_assert_mem_eq(p[1].spi, "\1\2\3\4", 4);
	ck_assert_uint_eq(p[1].count, 2);
}
END_TEST

/* RFC 7296, 3.3.6: an attribute that is not understood makes its transform unacceptable, no other one. */
START_TEST(unknown_attribute)
{
	static const char *const attrs[] = {
		"800d0080",		   /* another TV attribute */
		"000e0002 0080 ",	   /* key length as TLV */
		"00630004 01020304",	   /* another TLV attribute */
		"800e0000",		   /* no key length at all */
		"800e0080 800e0080",	   /* twice */
		"800e0080 800f0001",	   /* one more */
		"800e0080 80630001 00620000",
	};
	struct buf text = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(attrs); i++) {
		struct buf attr = { 0 };
		unsigned n = (unsigned)hex_bytes(&attr, attrs[i]).n;

		/* The same type with a good transform in the list: that one stays. */
		buf_reset(&text);
		buf_printf(&text, "0000%04x 01010003 0300%04x 0100000c %s" T_AES_128 "00000008 02000005",
			   8 + 8 + n + 12 + 8, 8 + n, attrs[i]);
		ck_assert(result_is_ok(parse_sa(buf_str(&text))));
		ck_assert_uint_eq(list.p->sa.p[0].count, 2);
		ck_assert_uint_eq(list.p->sa.p[0].transforms[0].key_bits, 128);
		ck_assert_uint_eq(list.p->sa.p[0].transforms[1].type, TRANSFORM_PRF);

		/* The only one of its type: the proposal must match nothing, not do without the type. */
		buf_reset(&text);
		buf_printf(&text, "0000%04x 01010002 0300%04x 0100000c %s" "00000008 02000005",
			   8 + 8 + n + 8, 8 + n, attrs[i]);
		ck_assert(result_is_ok(parse_sa(buf_str(&text))));
		ck_assert_uint_eq(list.p->sa.count, 1);
		ck_assert_uint_eq(list.p->sa.p[0].count, 0);
		buf_free(&attr);
	}
	buf_free(&text);
}
END_TEST

START_TEST(spi_sizes)
{
	static const struct {
		unsigned protocol, len;
		bool ok;
	} rows[] = { { 1, 0, true }, { 1, 8, true }, { 1, 4, false }, { 1, 1, false }, { 2, 4, true }, { 2, 0, false },
		     { 3, 4, true }, { 3, 8, false }, { 3, 2, false }, { 9, 0, true }, { 9, 8, true }, { 9, 16, false } };
	struct buf text = { 0 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_reset(&text);
		buf_printf(&text, "0000%04x 01%02x%02x01 %.*s 00000008 0100000b", 16 + rows[i].len, rows[i].protocol,
			   rows[i].len, (int)rows[i].len * 2, "a1a2a3a4a5a6a7a8a1a2a3a4a5a6a7a8");
		ck_assert_int_eq(parse_sa(buf_str(&text)).code, rows[i].ok ? RESULT_OK : RESULT_INVALID);
	}
	buf_free(&text);
}
END_TEST

/* The "last" bytes of transforms say what the count says already: they are not needed. */
START_TEST(transform_last_bytes_lenient)
{
	ck_assert(result_is_ok(parse_sa("00000018 01010002 00000008 02000005 03000008 0400001f")));
	ck_assert_uint_eq(list.p->sa.p[0].count, 2);
}
END_TEST

START_TEST(no_transforms_never_match)
{
	ck_assert(result_is_ok(parse_sa("00000008 01010000")));
	ck_assert_uint_eq(list.p->sa.p[0].count, 0);
}
END_TEST

static const char *const bad_sas[] = {
	"",
	"00",
	"00000008 010100",
	"00000007 01010000",
	"00000009 01010000",
	"00000008 00010000",				     /* number 0 */
	"02000008 01010000",				     /* more to come, but it ends */
	"00000008 01010000 00000008 02010000",		     /* last, but it goes on */
	"03000008 01010000 00000008 02010000",
	"00000010 01010002 00000008 02000005",		     /* fewer transforms than counted */
	"00000018 01010001 03000008 02000005 00000008 0400001f", /* more transforms than counted */
	"00000010 01010001 00000007 02000005",
	"00000010 01010001 00000009 02000005",
	"00000010 01010001 00000000 02000005",
	"0000000c 01010001 00000008",
	"00000011 01010001 00000009 02000005 00",	     /* attribute cut off */
	"00000013 01010001 0000000b 02000005 800e00",
	"00000014 01010001 0000000c 0100000c 000e0001",	     /* TLV value cut off */
	"00000008 01030400",				     /* SPI cut off */
	"0000000b 01030400 010203",
	"00000009 01010000 00",				     /* rest in the proposal */
	"000000ff 01010000",
};

START_TEST(sa_bad)
{
	ck_assert_int_eq(parse_sa(bad_sas[_i]).code, RESULT_INVALID);
}
END_TEST

START_TEST(sa_limits)
{
	struct buf text = { 0 };

	for (unsigned n = LIMIT_PROPOSALS; n <= LIMIT_PROPOSALS + 1; n++) {
		buf_reset(&text);
		for (unsigned i = 1; i <= n; i++)
			buf_printf(&text, "%s000008 %02x010000", i < n ? "02" : "00", i);
		ck_assert_int_eq(parse_sa(buf_str(&text)).code,
				 n > LIMIT_PROPOSALS ? RESULT_LIMIT : RESULT_OK);
	}
	for (unsigned n = LIMIT_TRANSFORM_ATTRS; n <= LIMIT_TRANSFORM_ATTRS + 1; n++) {
		buf_reset(&text);
		buf_printf(&text, "0000%04x 01010001 0000%04x 0100000c", 16 + 4 * n, 8 + 4 * n);
		for (unsigned i = 0; i < n; i++)
			buf_add_str(&text, "80630001");
		ck_assert_int_eq(parse_sa(buf_str(&text)).code,
				 n > LIMIT_TRANSFORM_ATTRS ? RESULT_LIMIT : RESULT_OK);
	}
	buf_free(&text);
}
END_TEST

TCase *sa_payload_cases(void)
{
	TCase *tc = tcase_create("sa_payload");

	tcase_add_checked_fixture(tc, NULL, teardown);
	tcase_add_test(tc, two_proposals);
	tcase_add_test(tc, unknown_attribute);
	tcase_add_test(tc, spi_sizes);
	tcase_add_test(tc, transform_last_bytes_lenient);
	tcase_add_test(tc, no_transforms_never_match);
	tcase_add_loop_test(tc, sa_bad, 0, ARRAY_LEN(bad_sas));
	tcase_add_test(tc, sa_limits);
	return tc;
}
