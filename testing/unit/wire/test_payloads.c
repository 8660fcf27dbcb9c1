/* SPDX-License-Identifier: Apache-2.0 */
#include "util/mem.h"
#include "wire_test.h"

static struct arena arena;
static struct buf input;
static struct payload_list list;
static struct wire_error err;

static void setup(void)
{
	list = (struct payload_list){ 0, NULL };
	err = (struct wire_error){ NULL, 0, 0, false };
}

static void teardown(void)
{
	arena_free(&arena);
	buf_free(&input);
}

static struct result parse_chain(unsigned first, const char *hex)
{
	return payloads_parse(&arena, hex_bytes(&input, hex), (uint8_t)first, &list, &err);
}

/* One payload of a type with this body. */
static struct result parse_one(unsigned type, const char *body_hex)
{
	struct buf body = { 0 };
	struct result result;

	hex_bytes(&body, body_hex);
	buf_reset(&input);
	buf_add_u16(&input, 0);
	buf_add_u16(&input, (uint16_t)(body.n + 4));
	buf_add_bytes(&input, buf_bytes(&body));
	result = payloads_parse(&arena, buf_bytes(&input), (uint8_t)type, &list, &err);
	buf_free(&body);
	return result;
}

static void check_bytes(struct bytes b, const char *hex)
{
	struct buf want = { 0 };

	ck_assert(bytes_equal(b, hex_bytes(&want, hex)));
	buf_free(&want);
}

#define NONCE "000102030405060708090a0b0c0d0e0f"

START_TEST(chain_of_two)
{
	ck_assert(result_is_ok(parse_chain(PAYLOAD_NONCE, "2b7f0014" NONCE "00000006abcd")));
	ck_assert_uint_eq(list.count, 2);
	ck_assert_uint_eq(list.p[0].type, PAYLOAD_NONCE);
	ck_assert(list.p[0].known && !list.p[0].critical); /* 7f: the reserved bits are ignored */
	check_bytes(list.p[0].nonce, NONCE);
	check_bytes(list.p[1].vendor, "abcd");
	ck_assert_ptr_eq(payload_find(&list, PAYLOAD_VENDOR, NULL), &list.p[1]);
	ck_assert_ptr_null(payload_find(&list, PAYLOAD_VENDOR, &list.p[1]));
	ck_assert_ptr_null(payload_find(&list, PAYLOAD_SA, NULL));
}
END_TEST

START_TEST(chain_empty)
{
	ck_assert(result_is_ok(payloads_parse(&arena, BYTES_NONE, 0, &list, &err)));
	ck_assert_uint_eq(list.count, 0);
	ck_assert_int_eq(parse_chain(PAYLOAD_NONE, "00").code, RESULT_INVALID);
}
END_TEST

static const struct {
	unsigned first;
	const char *hex;
	unsigned payload;
	size_t offset;
} bad_chains[] = {
	{ PAYLOAD_VENDOR, "", PAYLOAD_VENDOR, 0 },
	{ PAYLOAD_VENDOR, "000000", PAYLOAD_VENDOR, 0 },
	{ PAYLOAD_VENDOR, "00000003", PAYLOAD_VENDOR, 0 },
	{ PAYLOAD_VENDOR, "00000000", PAYLOAD_VENDOR, 0 },
	{ PAYLOAD_VENDOR, "00000005", PAYLOAD_VENDOR, 0 },
	{ PAYLOAD_VENDOR, "0000ffff", PAYLOAD_VENDOR, 0 },
	{ PAYLOAD_VENDOR, "0000000400", PAYLOAD_VENDOR, 0 },
	{ PAYLOAD_VENDOR, "2b00000600002b000004", PAYLOAD_VENDOR, 10 },
	{ PAYLOAD_VENDOR, "28000004 00000004", PAYLOAD_NONCE, 4 },
	{ PAYLOAD_SK, "00000005ff 00000004", PAYLOAD_SK, 0 }, /* RFC 7296, 3.14: the last one */
	{ PAYLOAD_SKF, "0000000900010001ff 00000004", PAYLOAD_SKF, 0 },
};

START_TEST(chain_bad)
{
	struct result result = parse_chain(bad_chains[_i].first, bad_chains[_i].hex);

	ck_assert_int_eq(result.code, RESULT_INVALID);
	ck_assert_ptr_eq(err.why, result.why);
	ck_assert_uint_eq(err.payload, bad_chains[_i].payload);
	ck_assert_uint_eq(err.offset, bad_chains[_i].offset);
	ck_assert(!err.critical);
	ck_assert_ptr_null(list.p);
}
END_TEST

START_TEST(chain_limit)
{
	buf_reset(&input);
	for (int i = 0; i < LIMIT_PAYLOADS; i++)
		buf_add_u32(&input, (i + 1 < LIMIT_PAYLOADS ? PAYLOAD_VENDOR << 24 : 0) | 4);
	ck_assert(result_is_ok(payloads_parse(&arena, buf_bytes(&input), PAYLOAD_VENDOR, &list, &err)));
	ck_assert_uint_eq(list.count, LIMIT_PAYLOADS);
	input.p[input.n - 4] = PAYLOAD_VENDOR;
	buf_add_u32(&input, 4);
	ck_assert_int_eq(payloads_parse(&arena, buf_bytes(&input), PAYLOAD_VENDOR, &list, &err).code,
			 RESULT_LIMIT);
}
END_TEST

/* RFC 7296, 2.5: an unknown payload is skipped, unless it is critical. */
START_TEST(unknown_payloads)
{
	ck_assert(result_is_ok(parse_chain(200, "2b000006aabb 00000004")));
	ck_assert(!list.p[0].known);
	check_bytes(list.p[0].body, "aabb");
	ck_assert_int_eq(parse_chain(PAYLOAD_VENDOR, "c8000005aa 2b800006aabb 00000004").code,
			 RESULT_UNSUPPORTED);
	ck_assert(err.critical);
	ck_assert_uint_eq(err.payload, 200);
	ck_assert_uint_eq(err.offset, 5);
	/* Known ones may have the bit. */
	ck_assert(result_is_ok(parse_chain(PAYLOAD_VENDOR, "00800004")));
	ck_assert(list.p[0].critical);
	/* Another fault comes first: it is no message we could answer about. */
	ck_assert_int_eq(parse_chain(200, "28800006aabb 00000004").code, RESULT_INVALID);
	ck_assert(!err.critical);
}
END_TEST

START_TEST(values)
{
	struct payload *p;

	ck_assert(result_is_ok(parse_one(PAYLOAD_KE, "001fffff 0102")));
	p = list.p;
	ck_assert_uint_eq(p->ke.method, 31);
	check_bytes(p->ke.data, "0102");

	ck_assert(result_is_ok(parse_one(PAYLOAD_IDR, "02ffffff 6162")));
	p = list.p;
	ck_assert_uint_eq(p->id.type, ID_TYPE_FQDN);
	check_bytes(p->id.data, "6162");

	ck_assert(result_is_ok(parse_one(PAYLOAD_CERTREQ, "04 0102")));
	p = list.p;
	ck_assert_uint_eq(p->cert.encoding, CERT_X509_SIGNATURE);
	check_bytes(p->cert.data, "0102");

	ck_assert(result_is_ok(parse_one(PAYLOAD_AUTH, "0effffff 0102")));
	p = list.p;
	ck_assert_uint_eq(p->auth.method, 14);
	check_bytes(p->auth.data, "0102");

	ck_assert(result_is_ok(parse_one(PAYLOAD_NOTIFY, "03044009 01020304 aa")));
	p = list.p;
	ck_assert_uint_eq(p->notify.protocol, PROTOCOL_ESP);
	ck_assert_uint_eq(p->notify.type, 16393);
	check_bytes(p->notify.spi, "01020304");
	check_bytes(p->notify.data, "aa");
	ck_assert_ptr_eq(payload_notify(&list, 16393), &p->notify);
	ck_assert_ptr_null(payload_notify(&list, 16394));

	ck_assert(result_is_ok(parse_one(PAYLOAD_EAP, "0107000501")));
	check_bytes(list.p->eap, "0107000501");
}
END_TEST

START_TEST(values_delete)
{
	const struct payload_delete *d;

	ck_assert(result_is_ok(parse_one(PAYLOAD_DELETE, "03040002 01020304 a5060708")));
	d = &list.p->del;
	ck_assert_uint_eq(d->protocol, PROTOCOL_ESP);
	ck_assert_uint_eq(d->count, 2);
	ck_assert_uint_eq(payload_delete_spi(d, 0), 0x01020304);
	ck_assert_uint_eq(payload_delete_spi(d, 1), 0xa5060708);
	ck_assert_uint_eq(payload_delete_spi(d, 2), 0);
	ck_assert(result_is_ok(parse_one(PAYLOAD_DELETE, "01000003")));
	ck_assert_uint_eq(list.p->del.count, 0);
}
END_TEST

START_TEST(values_ts)
{
	const struct ts *ts;

	/* An IPv4 selector, one of a type nobody knows, an IPv6 one with OPAQUE ports. */
	ck_assert(result_is_ok(parse_one(PAYLOAD_TSI, "03ffffff"
						      "0711001000640065 0a000001 0a0000ff"
						      "f0000006abcd"
						      "08000028ffff0000" NONCE NONCE)));
	ck_assert_uint_eq(list.p->ts.count, 2);
	ts = list.p->ts.p;
	ck_assert_uint_eq(ts[0].family, AF_INET);
	ck_assert_uint_eq(ts[0].protocol, 17);
	ck_assert_uint_eq(ts[0].port_from, 100);
	ck_assert_uint_eq(ts[0].port_to, 101);
	check_bytes(bytes_of(ts[0].from, 4), "0a000001");
	check_bytes(bytes_of(ts[0].to, 4), "0a0000ff");
	ck_assert_uint_eq(ts[1].family, AF_INET6);
	ck_assert_uint_eq(ts[1].port_from, 65535);
	ck_assert_uint_eq(ts[1].port_to, 0);
	check_bytes(bytes_of(ts[1].to, 16), NONCE);
	/* From above to: parsed, ts_is_valid is for the caller. */
	ck_assert(result_is_ok(parse_one(PAYLOAD_TSR, "01000000 0711001000640063 0a000002 0a000001")));
}
END_TEST

START_TEST(values_cp)
{
	ck_assert(result_is_ok(parse_one(PAYLOAD_CP, "01ffffff 80010000 00030004 08080808")));
	ck_assert_uint_eq(list.p->cp.type, CP_REQUEST);
	ck_assert_uint_eq(list.p->cp.count, 2);
	ck_assert_uint_eq(list.p->cp.attrs[0].type, CP_ATTR_INTERNAL_IP4_ADDRESS); /* reserved bit ignored */
	ck_assert_uint_eq(list.p->cp.attrs[0].value.n, 0);
	ck_assert_uint_eq(list.p->cp.attrs[1].type, CP_ATTR_INTERNAL_IP4_DNS);
	check_bytes(list.p->cp.attrs[1].value, "08080808");
	ck_assert(result_is_ok(parse_one(PAYLOAD_CP, "02000000")));
	ck_assert_uint_eq(list.p->cp.count, 0);
}
END_TEST

START_TEST(values_sk)
{
	ck_assert(result_is_ok(parse_chain(PAYLOAD_SK, "23000008 a1a2a3a4")));
	ck_assert_uint_eq(list.count, 1);
	ck_assert_uint_eq(list.p->inner_next, PAYLOAD_IDI);
	check_bytes(list.p->body, "a1a2a3a4");
	ck_assert(result_is_ok(parse_chain(PAYLOAD_VENDOR, "35000004 2300000c 00020003 a1a2a3a4")));
	ck_assert_uint_eq(list.count, 2);
	ck_assert_uint_eq(list.p[1].inner_next, PAYLOAD_IDI);
	ck_assert_uint_eq(list.p[1].skf.number, 2);
	ck_assert_uint_eq(list.p[1].skf.total, 3);
	check_bytes(list.p[1].body, "a1a2a3a4");
	/* RFC 7296, 3.14 */
	ck_assert_int_eq(parse_chain(PAYLOAD_SK, "00000005ff 00000004").code, RESULT_INVALID);
	ck_assert_str_eq(err.why, "encrypted payload is not the last one");
}
END_TEST

static const struct {
	unsigned type;
	const char *body;
} bad_bodies[] = {
	{ PAYLOAD_KE, "" },
	{ PAYLOAD_KE, "001f00" },
	{ PAYLOAD_KE, "001f0000" },
	{ PAYLOAD_IDI, "010000" },
	{ PAYLOAD_IDI, "00000000" }, /* would be "any" */
	{ PAYLOAD_IDI, "01000000 0a0000" },
	{ PAYLOAD_IDR, "05000000 0a000001" },
	{ PAYLOAD_CERT, "" },
	{ PAYLOAD_CERTREQ, "" },
	{ PAYLOAD_AUTH, "020000" },
	{ PAYLOAD_NONCE, "" },
	{ PAYLOAD_NONCE, "000102030405060708090a0b0c0d0e" },
	{ PAYLOAD_NOTIFY, "000040" },
	{ PAYLOAD_NOTIFY, "03044009 010203" },
	{ PAYLOAD_NOTIFY, "03ff4009 01020304" },
	{ PAYLOAD_NOTIFY, "03014009 01020304" },
	{ PAYLOAD_DELETE, "010000" },
	{ PAYLOAD_DELETE, "00000000" },
	{ PAYLOAD_DELETE, "04040001 01020304" },
	{ PAYLOAD_DELETE, "01080001 0102030405060708" },
	{ PAYLOAD_DELETE, "03000000" },
	{ PAYLOAD_DELETE, "03080001 0102030405060708" },
	{ PAYLOAD_DELETE, "03040002 01020304" },
	{ PAYLOAD_DELETE, "03040000 01020304" },
	{ PAYLOAD_DELETE, "03044000 01020304" },
	{ PAYLOAD_DELETE, "01000000 01" },
	{ PAYLOAD_TSI, "000000" },
	{ PAYLOAD_TSI, "01000000" },
	{ PAYLOAD_TSI, "ff000000" },
	{ PAYLOAD_TSI, "00000000 07000010000000000a0000010a0000ff" },
	{ PAYLOAD_TSI, "02000000 07000010000000000a0000010a0000ff" },
	{ PAYLOAD_TSI, "01000000 0700000f000000000a0000010a0000" },
	{ PAYLOAD_TSI, "01000000 07000011000000000a0000010a0000ff00" },
	{ PAYLOAD_TSI, "01000000 08000010000000000a0000010a0000ff" },
	{ PAYLOAD_TSI, "01000000 07000028000000000a0000010a0000ff" },
	{ PAYLOAD_TSI, "01000000 f0000003" },
	{ PAYLOAD_TSI, "01000000 f0000005" },
	{ PAYLOAD_TSI, "01000000 f0000000" },
	{ PAYLOAD_CP, "010000" },
	{ PAYLOAD_CP, "01000000 00" },
	{ PAYLOAD_CP, "01000000 000100" },
	{ PAYLOAD_CP, "01000000 00010001" },
	{ PAYLOAD_CP, "01000000 0001ffff" },
	{ PAYLOAD_EAP, "" },
	{ PAYLOAD_EAP, "010700" },
	{ PAYLOAD_EAP, "01070004 01" },
	{ PAYLOAD_EAP, "01070006 01" },
	{ PAYLOAD_SKF, "000100" },
	{ PAYLOAD_SKF, "00000001 aa" }, /* RFC 7383, 2.5 */
	{ PAYLOAD_SKF, "00000000 aa" },
	{ PAYLOAD_SKF, "00030002 aa" },
};

START_TEST(body_bad)
{
	struct result result = parse_one(bad_bodies[_i].type, bad_bodies[_i].body);

	ck_assert_int_eq(result.code, RESULT_INVALID);
	ck_assert_uint_eq(err.payload, bad_bodies[_i].type);
}
END_TEST

/* A body of n bytes that begins as said. */
static struct result parse_long(unsigned type, const char *head_hex, size_t n)
{
	struct buf head = { 0 };
	struct result result;

	hex_bytes(&head, head_hex);
	buf_reset(&input);
	buf_add_u16(&input, 0);
	buf_add_u16(&input, (uint16_t)(n + 4));
	buf_add_bytes(&input, buf_bytes(&head));
	while (input.n < n + 4)
		buf_add_u8(&input, 0);
	buf_free(&head);
	result = payloads_parse(&arena, buf_bytes(&input), (uint8_t)type, &list, &err);
	return result;
}

START_TEST(body_limits)
{
	ck_assert(result_is_ok(parse_long(PAYLOAD_NONCE, "", LIMIT_NONCE_MAX)));
	ck_assert_int_eq(parse_long(PAYLOAD_NONCE, "", LIMIT_NONCE_MAX + 1).code, RESULT_INVALID);
	ck_assert(result_is_ok(parse_long(PAYLOAD_IDI, "02000000", 4 + LIMIT_ID)));
	ck_assert_int_eq(parse_long(PAYLOAD_IDI, "02000000", 5 + LIMIT_ID).code, RESULT_LIMIT);
	ck_assert(result_is_ok(parse_long(PAYLOAD_CERT, "04", 1 + LIMIT_CERT)));
	ck_assert_int_eq(parse_long(PAYLOAD_CERT, "04", 2 + LIMIT_CERT).code, RESULT_LIMIT);
	ck_assert(result_is_ok(parse_long(PAYLOAD_CP, "01", 4 + 4 * LIMIT_CP_ATTRS)));
	ck_assert_int_eq(parse_long(PAYLOAD_CP, "01", 8 + 4 * LIMIT_CP_ATTRS).code, RESULT_LIMIT);
	ck_assert(result_is_ok(parse_long(PAYLOAD_DELETE, "03040400", 4 + 4 * LIMIT_DELETE_SPIS)));
	ck_assert_int_eq(parse_long(PAYLOAD_DELETE, "03040401", 8 + 4 * LIMIT_DELETE_SPIS).code,
			 RESULT_LIMIT);
}
END_TEST

TCase *payloads_cases(void)
{
	TCase *tc = tcase_create("payloads");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, chain_of_two);
	tcase_add_test(tc, chain_empty);
	tcase_add_loop_test(tc, chain_bad, 0, ARRAY_LEN(bad_chains));
	tcase_add_test(tc, chain_limit);
	tcase_add_test(tc, unknown_payloads);
	tcase_add_test(tc, values);
	tcase_add_test(tc, values_delete);
	tcase_add_test(tc, values_ts);
	tcase_add_test(tc, values_cp);
	tcase_add_test(tc, values_sk);
	tcase_add_loop_test(tc, body_bad, 0, ARRAY_LEN(bad_bodies));
	tcase_add_test(tc, body_limits);
	return tc;
}
