/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_test.h"

static struct buf text, built;
static uint8_t out[1000];
static struct builder b;

static void setup(void)
{
	b = builder_of(out, sizeof(out));
	b.desc = &built;
}

static void teardown(void)
{
	buf_free(&text);
	buf_free(&built);
}

/* What the builder says while it writes is what the parser says when it reads. */
static void check_summary(const char *want)
{
	struct bytes body = builder_finish(&b);
	struct payload_list list;
	struct wire_error err;
	struct arena a = { 0 };
	struct buf line = { 0 };

	ck_assert(result_is_ok(payloads_parse(&a, body, b.first, &list, &err)));
	payloads_describe(&text, &list);
	ck_assert_str_eq(buf_str(&text), want);
	buf_printf(&line, "[%s ]", buf_str(&built));
	ck_assert_str_eq(buf_str(&line), want);
	buf_free(&line);
	arena_free(&a);
}

START_TEST(names)
{
	const struct proposal proposal = { .protocol = PROTOCOL_IKE };
	const struct id id = { ID_TYPE_FQDN, bytes_str("a") };

	builder_sa(&b, (struct proposal_list){ 1, &proposal });
	builder_ke(&b, 31, bytes_str("abc"));
	builder_nonce(&b, bytes_str("0123456789abcdef"));
	builder_notify(&b, 0, BYTES_NONE, NOTIFY_NAT_DETECTION_SOURCE_IP, BYTES_NONE);
	builder_notify(&b, 0, BYTES_NONE, 12345, BYTES_NONE);
	builder_id(&b, true, &id);
	builder_id(&b, false, &id);
	builder_cert(&b, false, 4, BYTES_NONE);
	builder_cert(&b, true, 4, BYTES_NONE);
	builder_auth(&b, 2, BYTES_NONE);
	builder_ts(&b, true, (struct ts_list){ 0, NULL });
	builder_ts(&b, false, (struct ts_list){ 0, NULL });
	builder_delete(&b, PROTOCOL_IKE, NULL, 0);
	builder_vendor(&b, BYTES_NONE);
	builder_raw(&b, 200, false, BYTES_NONE);
	check_summary("[ SA KE No N(NATD_S_IP) N((12345)) IDi IDr CERT CERTREQ AUTH TSi TSr D V (200) ]");
}
END_TEST

START_TEST(configuration)
{
	const struct cp_attribute attrs[] = { { CP_ATTR_INTERNAL_IP4_ADDRESS, BYTES_NONE },
					      { CP_ATTR_INTERNAL_IP4_DNS, BYTES_NONE } };

	builder_cp(&b, CP_REQUEST, attrs, 2);
	builder_cp(&b, CP_REPLY, attrs, 1);
	builder_cp(&b, CP_REPLY, attrs, 0);
	check_summary("[ CPRQ(ADDR DNS) CPRP(ADDR) CPRP ]");
}
END_TEST

START_TEST(eap)
{
	builder_eap(&b, bytes_of("\1\0\0\5\1", 5));
	builder_eap(&b, bytes_of("\2\0\0\6\x1a\1", 6));
	builder_eap(&b, bytes_of("\3\0\0\4", 4));
	builder_eap(&b, bytes_of("\4\0\0\4", 4));
	check_summary("[ EAP/REQ/ID EAP/RES/MSCHAPV2 EAP/SUCC EAP/FAIL ]");
}
END_TEST

START_TEST(fragment)
{
	builder_sk_begin(&b, PAYLOAD_IDI, &(struct payload_skf){ 1, 2 });
	builder_sk_end(&b);
	check_summary("[ EF(1/2) ]");
}
END_TEST

START_TEST(nothing)
{
	check_summary("[ ]");
}
END_TEST

TCase *describe_cases(void)
{
	TCase *tc = tcase_create("describe");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, names);
	tcase_add_test(tc, configuration);
	tcase_add_test(tc, eap);
	tcase_add_test(tc, fragment);
	tcase_add_test(tc, nothing);
	return tc;
}
