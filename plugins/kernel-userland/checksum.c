/* SPDX-License-Identifier: Apache-2.0 */
#include "checksum.h"

#define STEP 64 /* bytes of two vectors */

/* Words of 32 bits in lanes of 64 cannot overflow, so that no carries are needed. */
typedef uint64_t checksum_lanes __attribute__((vector_size(STEP / 2)));

static uint64_t checksum_carry(uint64_t sum, uint64_t v)
{
	sum += v;
	return sum + (sum < v); /* the carry comes around */
}

/* n: a multiple of STEP. */
static inline __attribute__((always_inline)) uint64_t checksum_steps(const uint8_t *p, size_t n)
{
	const checksum_lanes low = { UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX };
	checksum_lanes a = { 0 }, b = { 0 };

	for (; n; n -= STEP, p += STEP) {
		checksum_lanes v, w;

		memcpy(&v, p, sizeof(v));
		memcpy(&w, p + sizeof(v), sizeof(w));
		a += (v & low) + (w & low);
		b += (v >> 32) + (w >> 32);
	}
	a += b;
	return a[0] + a[1] + a[2] + a[3];
}

#ifdef __x86_64__
/* What all machines of this kind have is half as wide. */
static __attribute__((target("avx2"))) uint64_t checksum_steps_wide(const uint8_t *p, size_t n)
{
	return checksum_steps(p, n);
}
#else
#define checksum_steps_wide checksum_steps
#define __builtin_cpu_supports(FEATURE) 0
#endif

/* Of less than STEP bytes: words of 32 bits cannot overflow either. */
static uint64_t checksum_rest(const uint8_t *p, size_t n)
{
	uint64_t sum = 0, v;
	uint32_t w;
	uint16_t s = 0;

	for (; n >= sizeof(v); n -= sizeof(v), p += sizeof(v)) {
		memcpy(&v, p, sizeof(v));
		sum += (v & UINT32_MAX) + (v >> 32);
	}
	if (n & sizeof(w)) {
		memcpy(&w, p, sizeof(w));
		sum += w;
		p += sizeof(w);
	}
	if (n & sizeof(s)) {
		memcpy(&s, p, sizeof(s));
		sum += s;
		p += sizeof(s);
	}
	s = 0;
	memcpy(&s, p, n & 1);
	return sum + s;
}

uint64_t checksum_add(uint64_t sum, const uint8_t *p, size_t n)
{
	size_t whole = n - n % STEP;

	if (whole)
		sum = checksum_carry(sum, __builtin_cpu_supports("avx2") ? checksum_steps_wide(p, whole) : checksum_steps(p, whole));
	return checksum_carry(sum, checksum_rest(p + whole, n - whole));
}
