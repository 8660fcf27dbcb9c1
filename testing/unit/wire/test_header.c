/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_test.h"

static const uint8_t header[28] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x08, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16,
				    0x17, 0x18, 0x21, 0x20, 0x22, 0x08, 0x00, 0x00, 0x01, 0x02, 0x00, 0x00, 0x00, 0x1c };

START_TEST(header_fields)
{
	struct ike_header h;

	ck_assert(result_is_ok(header_parse(bytes_of(header, 28), &h)));
	ck_assert_uint_eq(h.spi_i, 0x0102030405060708);
	ck_assert_uint_eq(h.spi_r, 0x1112131415161718);
	ck_assert_uint_eq(h.next, PAYLOAD_SA);
	ck_assert_uint_eq(h.version, IKE_VERSION);
	ck_assert_uint_eq(h.exchange, EXCHANGE_IKE_SA_INIT);
	ck_assert_uint_eq(h.flags, IKE_FLAG_INITIATOR);
	ck_assert_uint_eq(h.message_id, 0x102);
	ck_assert_uint_eq(h.length, 28);
}
END_TEST

START_TEST(header_truncated)
{
	struct ike_header h = { .length = 77 };

	ck_assert_int_eq(header_parse(bytes_of(header, (size_t)_i), &h).code, RESULT_INVALID);
	ck_assert_uint_eq(h.length, 77);
}
END_TEST

START_TEST(header_length_differs)
{
	static const uint32_t lengths[] = { 0, 27, 28, 30, 0x1d000000, 0xffffffff };
	uint8_t datagram[29] = { 0 };
	struct ike_header h;

	memcpy(datagram, header, 28);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		for (int j = 0; j < 4; j++)
			datagram[24 + j] = (uint8_t)(lengths[i] >> (24 - 8 * j));
		ck_assert_int_eq(header_parse(bytes_of(datagram, 29), &h).code, RESULT_INVALID);
	}
	memcpy(datagram + 24, "\0\0\0\x1b", 4); /* the datagram's, but below the minimum */
	ck_assert_int_eq(header_parse(bytes_of(datagram, 27), &h).code, RESULT_INVALID);
}
END_TEST

TCase *header_cases(void)
{
	TCase *tc = tcase_create("header");

	tcase_add_test(tc, header_fields);
	tcase_add_loop_test(tc, header_truncated, 0, 28);
	tcase_add_test(tc, header_length_differs);
	return tc;
}
