/* SPDX-License-Identifier: Apache-2.0 */
#include "test_util.h"

#include <stdlib.h>

#include "util/mem.h"
#include "util/reader.h"
#include "util/writer.h"

/* u8 u16 u32 u64, 3 bytes, a part of 2, skip 1 */
#define FIELDS_LEN (1 + 2 + 4 + 8 + 3 + 2 + 1)

static void write_fields(struct writer *w)
{
	writer_u8(w, 0x01);
	writer_u16(w, 0x0203);
	writer_u32(w, 0x04050607);
	writer_u64(w, 0x08090a0b0c0d0e0f);
	writer_bytes(w, bytes_str("abc"));
	writer_u16(w, 0x1011);
	writer_u8(w, 0x12);
}

struct fields {
	uint8_t u8;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;
	struct bytes text;
	uint16_t inner;
	bool inner_done;
};

static struct fields read_fields(struct reader *r)
{
	struct fields f = { 0 };
	struct reader sub;

	f.u8 = reader_u8(r);
	f.u16 = reader_u16(r);
	f.u32 = reader_u32(r);
	f.u64 = reader_u64(r);
	f.text = reader_bytes(r, 3);
	sub = reader_sub(r, 2);
	f.inner = reader_u16(&sub);
	f.inner_done = reader_done(&sub);
	reader_skip(r, 1);
	return f;
}

START_TEST(cursor_roundtrip)
{
	uint8_t mem[FIELDS_LEN];
	struct writer w = writer_of(mem, sizeof(mem));
	struct reader r;
	struct fields f;

	write_fields(&w);
	ck_assert(writer_ok(&w));
	ck_assert_uint_eq(writer_done(&w).n, FIELDS_LEN);
	ck_assert_mem_eq(mem, "\1\2\3\4\5\6\7\x8\x9\xa\xb\xc\xd\xe\xf" "abc\x10\x11\x12", FIELDS_LEN);

	r = reader_of(writer_done(&w));
	f = read_fields(&r);
	ck_assert(reader_done(&r) && f.inner_done);
	ck_assert_uint_eq(f.u8, 0x01);
	ck_assert_uint_eq(f.u16, 0x0203);
	ck_assert_uint_eq(f.u32, 0x04050607);
	ck_assert(f.u64 == 0x08090a0b0c0d0e0f);
	ck_assert(bytes_equal_str(f.text, "abc"));
	ck_assert_uint_eq(f.inner, 0x1011);
}
END_TEST

/* Each truncation is noticed, and nothing is read past the end (heap memory of
 * the exact size, for the address sanitizer). */
START_TEST(reader_each_truncation)
{
	size_t n = (size_t)_i;
	uint8_t *mem = xmalloc(n);
	struct reader r = reader_of(bytes_of(mem, n));

	memset(mem, 0xff, n);
	(void)read_fields(&r);
	ck_assert(!reader_ok(&r) && !reader_done(&r));
	ck_assert_uint_eq(reader_left(&r), 0);
	/* sticky: even what would fit gives nothing */
	ck_assert_uint_eq(reader_u8(&r), 0);
	ck_assert_uint_eq(reader_bytes(&r, 0).n, 0);
	ck_assert_uint_eq(reader_rest(&r).n, 0);
	ck_assert(!reader_ok(&r));
	free(mem);
}
END_TEST

START_TEST(reader_huge_length)
{
	struct reader r = reader_of(bytes_str("abcd"));
	struct reader sub;

	(void)reader_u8(&r);
	sub = reader_sub(&r, SIZE_MAX);
	ck_assert(!reader_ok(&r) && !reader_ok(&sub));
	ck_assert_uint_eq(reader_u8(&sub), 0);
}
END_TEST

START_TEST(reader_sub_is_bounded)
{
	struct reader r = reader_of(bytes_str("abcd"));
	struct reader sub = reader_sub(&r, 2);

	ck_assert_uint_eq(reader_u16(&sub), 0x6162);
	ck_assert_uint_eq(reader_u8(&sub), 0);
	ck_assert(!reader_ok(&sub));
	/* the error of a part is its own; the rest can be read */
	ck_assert(reader_ok(&r));
	ck_assert(bytes_equal_str(reader_rest(&r), "cd"));
	ck_assert(reader_done(&r));
}
END_TEST

/* Each capacity that is too small: nothing past it is written, nothing is given out. */
START_TEST(writer_each_truncation)
{
	size_t cap = (size_t)_i;
	uint8_t *mem = xmalloc(cap);
	struct writer w = writer_of(mem, cap);
	size_t n;

	write_fields(&w);
	ck_assert(!writer_ok(&w));
	ck_assert_uint_eq(writer_done(&w).n, 0);
	n = w.n;
	writer_bytes(&w, BYTES_NONE);
	ck_assert_ptr_null(writer_reserve(&w, 0));
	ck_assert_uint_eq(w.n, n);
	free(mem);
}
END_TEST

START_TEST(writer_patches)
{
	uint8_t mem[8] = { 0 };
	struct writer w = writer_of(mem, sizeof(mem));

	writer_u32(&w, 0);
	writer_patch(&w, 1, 0xabcd, 2);
	ck_assert_mem_eq(mem, "\0\xab\xcd\0", 4);
	/* not written yet: left alone */
	writer_patch(&w, 3, 0xffff, 2);
	ck_assert_mem_eq(mem, "\0\xab\xcd\0\0", 5);
	ck_assert(writer_ok(&w));
	writer_u64(&w, 1);
	writer_patch(&w, 0, 0xff, 1);
	ck_assert_mem_eq(mem, "\0\xab\xcd\0\0", 5);
}
END_TEST

TCase *cursor_tests(void)
{
	TCase *tc = tcase_create("cursor");

	tcase_add_test(tc, cursor_roundtrip);
	tcase_add_loop_test(tc, reader_each_truncation, 0, FIELDS_LEN);
	tcase_add_test(tc, reader_huge_length);
	tcase_add_test(tc, reader_sub_is_bounded);
	tcase_add_loop_test(tc, writer_each_truncation, 0, FIELDS_LEN);
	tcase_add_test(tc, writer_patches);
	return tc;
}
