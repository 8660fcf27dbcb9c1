/* SPDX-License-Identifier: Apache-2.0 */
#include "wire_test.h"

/*
 * Valid messages, cut and corrupted everywhere. They lie at the end of a page with nothing readable
 * behind it, and all that a parse gives must point into them.
 */

static struct guard guard;
static struct arena arena;

static void setup(void)
{
	guard = guard_new();
}

static void teardown(void)
{
	guard_free(&guard);
	arena_free(&arena);
}

static void check_view(struct bytes view, struct bytes message)
{
	if (view.n)
		ck_assert(view.p >= message.p && view.p + view.n <= message.p + message.n);
}

static void check_payload_views(const struct payload *p, struct bytes message)
{
	check_view(p->body, message);
	switch (p->type) {
	case PAYLOAD_KE:
		check_view(p->ke.data, message);
		break;
	case PAYLOAD_IDI:
	case PAYLOAD_IDR:
		check_view(p->id.data, message);
		break;
	case PAYLOAD_CERT:
	case PAYLOAD_CERTREQ:
		check_view(p->cert.data, message);
		break;
	case PAYLOAD_AUTH:
		check_view(p->auth.data, message);
		break;
	case PAYLOAD_NONCE:
		check_view(p->nonce, message);
		break;
	case PAYLOAD_NOTIFY:
		check_view(p->notify.spi, message);
		check_view(p->notify.data, message);
		break;
	case PAYLOAD_DELETE:
		check_view(p->del.spis, message);
		ck_assert_uint_eq(p->del.spis.n, (size_t)p->del.spi_len * p->del.count);
		break;
	case PAYLOAD_VENDOR:
		check_view(p->vendor, message);
		break;
	case PAYLOAD_CP:
		for (size_t i = 0; i < p->cp.count; i++)
			check_view(p->cp.attrs[i].value, message);
		break;
	case PAYLOAD_EAP:
		check_view(p->eap, message);
		break;
	}
}

static void length_set(uint8_t *message, size_t n)
{
	for (int i = 0; i < 4; i++)
		message[27 - i] = (uint8_t)(n >> 8 * i);
}

/* Whether it parses; if so, all that is done to it works too. */
static bool try_message(struct bytes message)
{
	struct payload_list list, again;
	struct buf text = { 0 };
	struct wire_error err;
	struct ike_header h;
	struct bytes once;

	arena_reset(&arena);
	if (!result_is_ok(message_parse(&arena, message, &h, &list, &err)))
		return false;
	for (size_t i = 0; i < list.count; i++)
		check_payload_views(&list.p[i], message);
	payloads_describe(&text, &list);
	buf_free(&text);
	(void)!result_is_ok(rules_check(&h, &list));
	once = message_rewrite(&arena, &h, &list);
	ck_assert(result_is_ok(message_parse(&arena, once, &h, &again, &err)));
	ck_assert(bytes_equal(message_rewrite(&arena, &h, &again), once));
	return true;
}

static struct bytes message_of(uint64_t seed)
{
	static uint8_t copy[4096];
	struct arena a = { 0 };
	struct rng rng = { seed };
	struct bytes message;

	do {
		arena_reset(&a);
		message = random_message(&rng, &a);
	} while (message.n < 200 || message.n > sizeof(copy));
	memcpy(copy, message.p, message.n);
	arena_free(&a);
	return bytes_of(copy, message.n);
}

START_TEST(truncated)
{
	struct bytes message = message_of((uint64_t)_i);

	ck_assert(try_message(bytes_of(guard_put(&guard, message), message.n)));
	for (size_t n = 0; n < message.n; n++) {
		uint8_t *at = guard_put(&guard, bytes_of(message.p, n));

		ck_assert(!try_message(bytes_of(at, n)));
		if (n < IKE_HEADER_LEN)
			continue;
		length_set(at, n); /* now the header is right, and the payloads are cut off */
		ck_assert(!try_message(bytes_of(at, n)));
	}
}
END_TEST

START_TEST(byte_corrupted)
{
	struct bytes message = message_of((uint64_t)_i + 1000);
	uint8_t *at = guard_put(&guard, message);
	size_t accepted = 0, refused = 0;

	for (size_t i = 0; i < message.n; i++) {
		for (unsigned bit = 0; bit < 10; bit++) {
			at[i] = bit < 8 ? message.p[i] ^ (uint8_t)(1u << bit) : bit == 8 ? 0 : 0xff;
			if (try_message(bytes_of(at, message.n)))
				accepted++;
			else
				refused++;
		}
		at[i] = message.p[i];
	}
	ck_assert_uint_gt(accepted, 0);
	ck_assert_uint_gt(refused, 0);
}
END_TEST

/* All values of all bytes of a message with a payload of each kind of structure. */
START_TEST(byte_all_values)
{
	static const char hex[] = "0102030405060708 0000000000000000 21202208 00000000 00000000"
				  "28000024"
				  "00000020 02030402 01020304 0300000c 0100000c 800e0080 00000008 05000000"
				  "2c000014 000102030405060708090a0b0c0d0e0f"
				  "2f000018 01000000 0700001000000000 0a000001 0a0000ff"
				  "29000010 01000000 00030004 08080808"
				  "2a00000c 03044009 01020304"
				  "30000010 03040002 01020304 05060708"
				  "00000009 0107000501";
	struct buf text = { 0 };
	struct bytes message = hex_bytes(&text, hex);
	uint8_t *at;

	at = guard_put(&guard, message);
	length_set(at, message.n);
	ck_assert(try_message(bytes_of(at, message.n)));
	for (size_t i = 0; i < message.n; i++) {
		uint8_t saved = at[i];

		for (unsigned v = 0; v < 256; v++) {
			at[i] = (uint8_t)v;
			(void)try_message(bytes_of(at, message.n));
		}
		at[i] = saved;
	}
	buf_free(&text);
}
END_TEST

START_TEST(noise)
{
	struct rng rng = { (uint64_t)_i };

	for (int i = 0; i < 2000; i++) {
		struct arena a = { 0 };
		size_t n = IKE_HEADER_LEN + 4 + rng_below(&rng, 100);
		uint8_t *at = guard_put(&guard, rng_bytes(&rng, &a, n));

		at[16] = (uint8_t)(33 + rng_below(&rng, 21));
		at[30] = 0;
		at[31] = (uint8_t)(n - IKE_HEADER_LEN);
		at[28] = 0;
		length_set(at, n);
		(void)try_message(bytes_of(at, n));
		arena_free(&a);
	}
}
END_TEST

TCase *mutation_cases(void)
{
	TCase *tc = tcase_create("mutation");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, truncated, 0, 20);
	tcase_add_loop_test(tc, byte_corrupted, 0, 12);
	tcase_add_test(tc, byte_all_values);
	tcase_add_loop_test(tc, noise, 0, 5);
	return tc;
}
