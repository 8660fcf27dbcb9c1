/* SPDX-License-Identifier: Apache-2.0 */
#include "test_proto.h"

#include "proto/iana.h"
#include "util/mem.h"

#define NUMBER(SYMBOL, VALUE, ...) VALUE,

static void check_sorted(const unsigned *numbers, size_t n)
{
	for (size_t i = 1; i < n; i++)
		ck_assert_uint_lt(numbers[i - 1], numbers[i]);
}

/* The look-up halves intervals, so each list must be in order. */
START_TEST(lists_are_sorted)
{
#define CHECK(LIST)                                                                                \
	do {                                                                                       \
		static const unsigned numbers[] = { LIST(NUMBER) };                                \
		check_sorted(numbers, ARRAY_LEN(numbers));                                         \
	} while (0)
	CHECK(IANA_EXCHANGE_LIST);
	CHECK(IANA_PAYLOAD_LIST);
	CHECK(IANA_PROTOCOL_LIST);
	CHECK(IANA_TRANSFORM_LIST);
	CHECK(IANA_ENCR_LIST);
	CHECK(IANA_PRF_LIST);
	CHECK(IANA_INTEG_LIST);
	CHECK(IANA_KE_LIST);
	CHECK(IANA_NOTIFY_LIST);
	CHECK(IANA_ID_LIST);
	CHECK(IANA_AUTH_LIST);
	CHECK(IANA_CP_ATTR_LIST);
	CHECK(IANA_CERT_LIST);
	CHECK(IANA_CP_TYPE_LIST);
	CHECK(IANA_EAP_CODE_LIST);
	CHECK(IANA_EAP_TYPE_LIST);
#undef CHECK
}
END_TEST

/* Every number gives the name of its own line of the list. */
START_TEST(every_name)
{
#define ONE(SYMBOL, VALUE, NAME, ...) ck_assert_str_eq(CHECKED(SYMBOL), NAME);
#define CHECKED exchange_name
	IANA_EXCHANGE_LIST(ONE)
#undef CHECKED
#define CHECKED encr_name
	IANA_ENCR_LIST(ONE)
#undef CHECKED
#define CHECKED integ_name
	IANA_INTEG_LIST(ONE)
#undef CHECKED
#define CHECKED ke_name
	IANA_KE_LIST(ONE)
#undef CHECKED
#define CHECKED notify_name
	IANA_NOTIFY_LIST(ONE)
#undef CHECKED
#define CHECKED cp_attr_name
	IANA_CP_ATTR_LIST(ONE)
#undef CHECKED
#undef ONE
}
END_TEST

START_TEST(names_of_logs)
{
	ck_assert_str_eq(exchange_name(34), "IKE_SA_INIT");
	ck_assert_str_eq(exchange_name(43), "IKE_INTERMEDIATE");
	ck_assert_str_eq(payload_name(33), "SECURITY_ASSOCIATION");
	ck_assert_str_eq(payload_name(34), "KEY_EXCHANGE");
	ck_assert_str_eq(payload_short_name(40), "No");
	ck_assert_str_eq(payload_short_name(53), "EF");
	ck_assert_str_eq(notify_short_name(16388), "NATD_S_IP");
	ck_assert_str_eq(notify_short_name(16389), "NATD_D_IP");
	ck_assert_str_eq(notify_short_name(17), "INVAL_KE");
	ck_assert_str_eq(notify_short_name(16418), "CHDLESS_SUP");
	ck_assert_str_eq(notify_short_name(16420), "MSG_ID_SYN_SUP");
	ck_assert_str_eq(notify_short_name(16397), "ADD_4_ADDR");
	ck_assert_str_eq(notify_short_name(16398), "ADD_6_ADDR");
	ck_assert_str_eq(notify_short_name(16430), "FRAG_SUP");
	ck_assert_str_eq(notify_short_name(16431), "HASH_ALG");
	ck_assert_str_eq(notify_short_name(16406), "REDIR_SUP");
	ck_assert_str_eq(notify_short_name(16404), "MULT_AUTH");
	ck_assert_str_eq(notify_short_name(16384), "INIT_CONTACT");
	ck_assert_str_eq(notify_short_name(38), "TS_UNACCEPT");
	ck_assert_str_eq(notify_short_name(14), "NO_PROP");
	ck_assert_str_eq(notify_short_name(24), "AUTH_FAILED");
	ck_assert_str_eq(notify_short_name(16403), "AUTH_LFT");
	ck_assert_str_eq(notify_short_name(16417), "EAP_ONLY");
	ck_assert_str_eq(notify_short_name(16396), "MOBIKE_SUP");
	ck_assert_str_eq(notify_name(38), "TS_UNACCEPTABLE");
	ck_assert_str_eq(encr_name(20), "AES_GCM_16");
	ck_assert_str_eq(prf_name(5), "PRF_HMAC_SHA2_256");
	ck_assert_str_eq(integ_name(12), "HMAC_SHA2_256_128");
	ck_assert_str_eq(ke_name(19), "ECP_256");
	ck_assert_str_eq(ke_name(31), "CURVE_25519");
	ck_assert_str_eq(ke_name(36), "ML_KEM_768");
	ck_assert_str_eq(cp_type_short_name(CP_REQUEST), "CPRQ");
	ck_assert_str_eq(cp_type_short_name(CP_REPLY), "CPRP");
	ck_assert_str_eq(cp_attr_short_name(1), "ADDR");
	ck_assert_str_eq(cp_attr_short_name(3), "DNS");
	ck_assert_str_eq(cp_attr_short_name(28672), "U_BANNER");
	ck_assert_str_eq(eap_code_short_name(1), "REQ");
	ck_assert_str_eq(eap_code_short_name(3), "SUCC");
	ck_assert_str_eq(eap_type_short_name(26), "MSCHAPV2");
}
END_TEST

START_TEST(unknown_numbers)
{
	const char *a = notify_short_name(40000), *b = encr_name(999);

	ck_assert_str_eq(a, "(40000)");
	ck_assert_str_eq(b, "(999)");
	ck_assert_str_eq(notify_name(4294967295u), "(4294967295)");
	ck_assert_str_eq(payload_short_name(1), "(1)");
}
END_TEST

TCase *test_iana(void)
{
	TCase *t = tcase_create("iana");

	tcase_add_test(t, lists_are_sorted);
	tcase_add_test(t, every_name);
	tcase_add_test(t, names_of_logs);
	tcase_add_test(t, unknown_numbers);
	return t;
}
