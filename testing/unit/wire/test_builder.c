/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_test.h"

/* What was built parses, and what was parsed builds the same bytes. */
START_TEST(random_roundtrip)
{
	struct rng rng = { (uint64_t)_i };

	for (int i = 0; i < 200; i++) {
		struct arena a = { 0 };
		struct bytes message = random_message(&rng, &a);
		struct payload_list list;
		struct wire_error err;
		struct ike_header h;
		struct result result = message_parse(&a, message, &h, &list, &err);

		ck_assert_msg(result_is_ok(result), "%s", result.why);
		ck_assert(bytes_equal(message_rewrite(&a, &h, &list), message));
		arena_free(&a);
	}
}
END_TEST

START_TEST(values_survive)
{
	const struct transform transforms[] = { { TRANSFORM_ENCR, ENCR_AES_CBC, 256 }, { TRANSFORM_ESN, ESN_NO, 0 } };
	const struct proposal proposals[] = {
		{ .protocol = PROTOCOL_ESP, .spi_len = 4, .spi = "\1\2\3\4", .count = 2, .transforms = transforms },
		{ .protocol = PROTOCOL_IKE, .count = 1, .transforms = transforms },
	};
	const uint32_t spis[] = { 0x01020304, 0xfffefdfc };
	struct arena a = { 0 };
	uint8_t out[500];
	struct builder b = builder_of(out, sizeof(out));
	struct payload_list list;
	struct wire_error err;
	struct bytes body;

	builder_sa(&b, (struct proposal_list){ 2, proposals });
	builder_delete(&b, PROTOCOL_AH, spis, 2);
	builder_notify(&b, PROTOCOL_ESP, bytes_of("\1\2\3\4", 4), NOTIFY_REKEY_SA, bytes_str("x"));
	builder_id(&b, false, &(struct id){ ID_TYPE_FQDN, bytes_str("a.test") });
	body = builder_finish(&b);
	ck_assert_uint_eq(b.first, PAYLOAD_SA);
	ck_assert(result_is_ok(payloads_parse(&a, body, b.first, &list, &err)));
	ck_assert_uint_eq(list.count, 4);
	ck_assert_uint_eq(list.p[0].sa.p[0].number, 1); /* 1.. unless set */
	ck_assert_uint_eq(list.p[0].sa.p[1].number, 2);
	ck_assert_uint_eq(list.p[0].sa.p[0].transforms[0].key_bits, 256);
	ck_assert_uint_eq(payload_delete_spi(&list.p[1].del, 1), 0xfffefdfc);
	ck_assert_uint_eq(list.p[2].notify.type, NOTIFY_REKEY_SA);
	ck_assert_uint_eq(list.p[3].type, PAYLOAD_IDR);
	ck_assert(bytes_equal_str(list.p[3].id.data, "a.test"));
	arena_free(&a);
}
END_TEST

START_TEST(proposal_number_kept)
{
	const struct proposal answer = { .protocol = PROTOCOL_IKE, .number = 7 };
	uint8_t out[100];
	struct builder b = builder_of(out, sizeof(out));

	builder_sa(&b, (struct proposal_list){ 1, &answer });
	ck_assert_uint_eq(builder_finish(&b).n, 12);
	ck_assert_uint_eq(out[8], 7);
}
END_TEST

START_TEST(no_payloads)
{
	const struct ike_header h = { .version = IKE_VERSION, .exchange = EXCHANGE_INFORMATIONAL, .next = 33 };
	uint8_t out[IKE_HEADER_LEN];
	struct builder b = builder_of(out, sizeof(out));
	struct builder inner = builder_of(out, sizeof(out));
	struct bytes message;

	builder_header(&b, &h);
	message = builder_finish(&b);
	ck_assert_uint_eq(message.n, IKE_HEADER_LEN);
	ck_assert_uint_eq(out[16], PAYLOAD_NONE);
	ck_assert_uint_eq(out[27], IKE_HEADER_LEN);
	ck_assert_uint_eq(builder_finish(&inner).n, 0);
	ck_assert_uint_eq(inner.first, PAYLOAD_NONE);
}
END_TEST

/* Each size that is too small gives nothing, and nothing is written behind it. */
START_TEST(overflow)
{
	uint8_t whole[4096], part[4096];
	struct arena a = { 0 };
	struct rng rng = { 4 };
	struct bytes message = random_message(&rng, &a);
	struct payload_list list;
	struct wire_error err;
	struct ike_header h;

	while (message.n < 300 || message.n > sizeof(whole))
		message = random_message(&rng, &a);
	ck_assert(result_is_ok(message_parse(&a, message, &h, &list, &err)));
	for (size_t cap = 0; cap <= message.n; cap++) {
		struct builder b = builder_of(part, cap);
		struct bytes done;

		memset(part, 0x5a, sizeof(part));
		builder_header(&b, &h);
		for (size_t i = 0; i < list.count; i++)
			builder_payload(&b, &list.p[i]);
		done = builder_finish(&b);
		ck_assert_uint_eq(done.n, cap < message.n ? 0 : message.n);
		ck_assert_uint_eq(part[cap], 0x5a);
	}
	arena_free(&a);
}
END_TEST

START_TEST(refused)
{
	static uint8_t out[300000], big[70000];
	const struct proposal many[LIMIT_PROPOSALS + 1];
	struct builder b = builder_of(out, sizeof(out));

	builder_vendor(&b, bytes_of(big, 65531));
	ck_assert_uint_eq(builder_finish(&b).n, 65535);
	b = builder_of(out, sizeof(out));
	builder_vendor(&b, bytes_of(big, 65532)); /* a payload's length has 16 bits */
	ck_assert_uint_eq(writer_done(&b.w).n, 0);
	b = builder_of(out, sizeof(out));
	builder_vendor(&b, bytes_of(big, 40000));
	builder_vendor(&b, bytes_of(big, 40000)); /* LIMIT_MESSAGE */
	ck_assert_uint_eq(builder_finish(&b).n, 0);
	b = builder_of(out, sizeof(out));
	builder_sk_begin(&b, PAYLOAD_NONE, NULL);
	builder_sk_end(&b);
	ck_assert_uint_eq(builder_finish(&b).n, 4);
	builder_vendor(&b, BYTES_NONE); /* nothing can follow SK */
	ck_assert_uint_eq(builder_finish(&b).n, 0);
	b = builder_of(out, sizeof(out));
	builder_delete(&b, PROTOCOL_IKE, (const uint32_t[]){ 1 }, 1);
	ck_assert_uint_eq(builder_finish(&b).n, 0);
	b = builder_of(out, sizeof(out));
	memset((void *)many, 0, sizeof(many));
	builder_sa(&b, (struct proposal_list){ LIMIT_PROPOSALS + 1, many });
	ck_assert_uint_eq(builder_finish(&b).n, 0);
}
END_TEST

/* As sa/seal does it: lengths are final before the body is encrypted in place. */
START_TEST(sk_opened)
{
	const struct ike_header h = { .spi_i = 1, .version = IKE_VERSION, .exchange = EXCHANGE_IKE_AUTH };
	const struct payload_skf fragment = { 2, 3 };
	uint8_t out[100], *body;
	struct builder b = builder_of(out, sizeof(out));
	struct bytes message;

	builder_header(&b, &h);
	builder_sk_begin(&b, PAYLOAD_IDI, &fragment);
	body = writer_reserve(&b.w, 20);
	ck_assert_ptr_eq(body, out + 36);
	builder_sk_end(&b);
	message = builder_finish(&b);
	ck_assert_uint_eq(message.n, 56);
	ck_assert_mem_eq(out + 16, "\x35", 1);
	ck_assert_mem_eq(out + 24, "\0\0\0\x38\x23\0\0\x1c\0\2\0\3", 12);
}
END_TEST

TCase *builder_cases(void)
{
	TCase *tc = tcase_create("builder");

	tcase_add_loop_test(tc, random_roundtrip, 0, 20);
	tcase_add_test(tc, values_survive);
	tcase_add_test(tc, proposal_number_kept);
	tcase_add_test(tc, no_payloads);
	tcase_add_test(tc, overflow);
	tcase_add_test(tc, refused);
	tcase_add_test(tc, sk_opened);
	return tc;
}
