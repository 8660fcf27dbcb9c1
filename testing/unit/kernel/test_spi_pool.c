/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "test_kernel.h"

#include "kernel/spi_pool.h"
#include "util/mem.h"

/* 16 million locks take minutes under a sanitizer, and there is one thread only. */
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
START_TEST(test_whole_segment)
{
	struct spi_pool *p = spi_pool_new(1);
	uint8_t *seen = xcalloc(1, 1u << 21);
	uint32_t spi, n = 0, first = 0, bad = 0;

	/* RFC 4303 2.1 MUST: SPIs 0 to 255 are not used */
	while (spi_pool_take(p, 0, &spi)) {
		bad += spi < 256 || spi >> 24 || (seen[spi % (1u << 24) / 8] >> spi % 8 & 1);
		seen[spi % (1u << 24) / 8] |= (uint8_t)(1 << spi % 8);
		first = first ? first : spi;
		n++;
	}
	ck_assert_uint_eq(bad, 0); /* asserted once: each assertion is a system call */
	ck_assert_uint_eq(n, (1u << 24) - 256);
	spi_pool_give(p, first);
	ck_assert(spi_pool_take(p, 0, &spi));
	ck_assert_uint_eq(spi, first);
	ck_assert(!spi_pool_take(p, 0, &spi));
	free(seen);
	spi_pool_free(p);
}
END_TEST
#endif

START_TEST(test_segments_marks_reuse)
{
	struct spi_pool *p = spi_pool_new(7), *twin = spi_pool_new(7);
	uint32_t a, b, c;

	ck_assert(spi_pool_take(p, 0xc3, &a));
	ck_assert_uint_eq(a >> 24, 0xc3);
	ck_assert(spi_pool_take(p, 0xc3, &b));
	ck_assert_uint_ne(a, b);
	spi_pool_give(p, a);
	ck_assert(spi_pool_take(p, 0xc3, &c));
	ck_assert_uint_ne(c, a); /* not at once */
	/* the twin would give a first: marked, it gives b */
	spi_pool_mark(twin, a);
	ck_assert(spi_pool_take(twin, 0xc3, &c));
	ck_assert_uint_eq(c, b);
	spi_pool_free(p);
	spi_pool_free(twin);
}
END_TEST

TCase *tcase_spi_pool(void)
{
	TCase *tc = tcase_create("spi_pool");

	tcase_set_timeout(tc, 60);
#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
	tcase_add_test(tc, test_whole_segment);
#endif
	tcase_add_test(tc, test_segments_marks_reuse);
	return tc;
}
