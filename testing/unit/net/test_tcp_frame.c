/* SPDX-License-Identifier: Apache-2.0 */
#include "fuzz/fuzz.h"
#include "net/tcp_frame.h"
#include "support.h"
#include "util/mem.h"
#include "testing/lib/corpus.h"

/* RFC 9329, 3 and 4 */

#define MAX 10000

START_TEST(prefix_each_length)
{
	struct bytes in;

	for (size_t n = 0; n < TCP_PREFIX_LEN; n++) {
		in = bytes_of((const uint8_t *)TCP_PREFIX, n);
		ck_assert_int_eq(tcp_frame_prefix(&in), TCP_FRAME_MORE);
		ck_assert_uint_eq(in.n, n);
	}
	in = bytes_str("IKETCPx");
	ck_assert_int_eq(tcp_frame_prefix(&in), TCP_FRAME_WHOLE);
	ck_assert(bytes_equal_str(in, "x"));
}
END_TEST

/* The first byte that is wrong ends it. _i: which */
START_TEST(prefix_wrong)
{
	char text[] = TCP_PREFIX;
	struct bytes in;

	text[_i] ^= 0x20;
	in = bytes_of((const uint8_t *)text, (size_t)_i + 1);
	ck_assert_int_eq(tcp_frame_prefix(&in), TCP_FRAME_BROKEN);
	in = bytes_of((const uint8_t *)text, (size_t)_i);
	ck_assert_int_eq(tcp_frame_prefix(&in), TCP_FRAME_MORE);
}
END_TEST

START_TEST(lengths)
{
	uint8_t data[70000] = { 0 };
	struct bytes in, m;

	/* MUST NOT be 0 or 1 */
	for (uint8_t len = 0; len < 2; len++) {
		data[1] = len;
		in = bytes_of(data, 2);
		ck_assert_int_eq(tcp_frame_next(&in, MAX, &m), TCP_FRAME_BROKEN);
		/* half a length says nothing */
		in = bytes_of(data, 1);
		ck_assert_int_eq(tcp_frame_next(&in, MAX, &m), TCP_FRAME_MORE);
	}
	/* empty ones are passed over */
	memcpy(data, "\0\2\0\2\0\3x", 7);
	in = bytes_of(data, 7);
	ck_assert_int_eq(tcp_frame_next(&in, MAX, &m), TCP_FRAME_WHOLE);
	ck_assert(bytes_equal_str(m, "x") && in.n == 0);
	in = bytes_of(data, 4);
	ck_assert_int_eq(tcp_frame_next(&in, MAX, &m), TCP_FRAME_MORE);
	ck_assert_uint_eq(in.n, 0);
	/* the longest */
	data[0] = data[1] = 0xff;
	in = bytes_of(data, sizeof(data));
	ck_assert_int_eq(tcp_frame_next(&in, TCP_MESSAGE_MAX, &m), TCP_FRAME_WHOLE);
	ck_assert_uint_eq(m.n, 65533);
	ck_assert_uint_eq(in.n, sizeof(data) - 65535);
	in = bytes_of(data, 65534);
	ck_assert_int_eq(tcp_frame_next(&in, TCP_MESSAGE_MAX, &m), TCP_FRAME_MORE);
	ck_assert_uint_eq(in.n, 65534);
	/* too long is known by the length alone */
	in = bytes_of(data, 2);
	ck_assert_int_eq(tcp_frame_next(&in, TCP_MESSAGE_MAX - 1, &m), TCP_FRAME_BROKEN);
}
END_TEST

static enum tcp_kind kind_of(const void *p, size_t n, size_t *ret_n)
{
	struct bytes m = bytes_of(p, n);
	enum tcp_kind kind = tcp_frame_kind(&m);

	*ret_n = m.n;
	return kind;
}

START_TEST(kinds)
{
	static const uint8_t zeros[64];
	size_t n;

	ck_assert_int_eq(kind_of("\xff", 1, &n), TCP_KIND_KEEPALIVE);
	ck_assert_int_eq(kind_of("\xfe", 1, &n), TCP_KIND_RUNT);
	ck_assert_int_eq(kind_of("\0\0\1\0\0\0\0", 7, &n), TCP_KIND_RUNT);
	ck_assert_int_eq(kind_of("\0\0\1\0\0\0\0\1", 8, &n), TCP_KIND_ESP);
	ck_assert_uint_eq(n, 8);
	ck_assert_int_eq(kind_of("\xff\xff\xff\xff\0\0\0\1", 8, &n), TCP_KIND_ESP);
	ck_assert_int_eq(kind_of(zeros, 31, &n), TCP_KIND_RUNT);
	ck_assert_int_eq(kind_of(zeros, 32, &n), TCP_KIND_IKE);
	ck_assert_uint_eq(n, 28);
}
END_TEST

/* Whatever the pieces, it is the same: the fuzz target's properties, on its corpus and on random streams. */
START_TEST(pieces)
{
	uint64_t state = 1;
	uint8_t data[600];

	for (int i = 0; i < 3000; i++) {
		size_t n = support_random(&state) % sizeof(data), at = 1;

		support_random_bytes(&state, data, sizeof(data));
		if (data[0] & 1) {
			memcpy(data + 1, TCP_PREFIX, TCP_PREFIX_LEN);
			at += TCP_PREFIX_LEN;
		}
		/* mostly plausible lengths */
		while (at + 2 < sizeof(data) && support_random(&state) % 16) {
			size_t len = support_random(&state) % 40 + 2;

			data[at] = 0;
			data[at + 1] = (uint8_t)len;
			at += len;
		}
		LLVMFuzzerTestOneInput(data, n);
	}
}
END_TEST

START_TEST(corpus)
{
	corpus_replay(&(struct corpus){ .folder = FUZZ_CORPUS, .at_least = 9, .target = LLVMFuzzerTestOneInput });
}
END_TEST

TCase *test_tcp_frame(void)
{
	TCase *t = tcase_create("tcp_frame");

	tcase_add_test(t, prefix_each_length);
	tcase_add_loop_test(t, prefix_wrong, 0, TCP_PREFIX_LEN);
	tcase_add_test(t, lengths);
	tcase_add_test(t, kinds);
	tcase_add_test(t, pieces);
	tcase_add_test(t, corpus);
	return t;
}
