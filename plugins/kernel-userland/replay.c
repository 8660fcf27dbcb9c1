/* SPDX-License-Identifier: Apache-2.0 */
#include "replay.h"

#include <string.h>

#include "util/mem.h"

/* Without a window the high half still has to be guessed: the nearest number is taken. */
#define REPLAY_INFER_UNCHECKED ((uint32_t)1 << 31)

struct replay *replay_new(uint32_t window, uint64_t top)
{
	/* An unaligned window touches one block more than it fills. */
	uint32_t need = window ? (window - 1) / 64 + 2 : 1;
	uint32_t count = 1;
	struct replay *r;

	while (count < need)
		count *= 2;
	r = xcalloc(1, sizeof(*r) + count * sizeof(r->blocks[0]));
	r->top = top;
	r->window = window;
	r->mask = count - 1;
	if (top)
		memset(r->blocks, 0xff, count * sizeof(r->blocks[0]));
	/* What follows in the block of `top` is still to come. */
	if (top)
		r->blocks[top / 64 & r->mask] = UINT64_MAX >> (63 - top % 64);
	return r;
}

/* RFC 4303, A2.2: the high half under which seq_lo is nearest above the window's bottom. */
static bool replay_infer(const struct replay *r, uint32_t seq_lo, uint64_t *ret_seq)
{
	uint32_t window = r->window ? r->window : REPLAY_INFER_UNCHECKED;
	uint32_t top_lo = (uint32_t)r->top;
	uint64_t high = r->top >> 32;
	uint32_t bottom = top_lo - window + 1;

	if (top_lo >= window - 1) {
		if (seq_lo < bottom) {
			if (high == UINT32_MAX)
				return false;
			high++;
		}
	} else if (seq_lo >= bottom) {
		if (high == 0)
			return false;
		high--;
	}
	*ret_seq = high << 32 | seq_lo;
	return true;
}

bool replay_check(const struct replay *r, uint32_t seq_lo, bool esn, uint64_t *ret_seq)
{
	uint64_t seq = seq_lo;

	if (esn && !replay_infer(r, seq_lo, &seq))
		return false;
	if (seq == 0)
		return false; /* RFC 4303, 3.3.3: the first packet has 1 */
	if (r->window && seq <= r->top) {
		if (r->top - seq >= r->window)
			return false;
		if (r->blocks[seq / 64 & r->mask] >> seq % 64 & 1)
			return false;
	}
	*ret_seq = seq;
	return true;
}

void replay_accept(struct replay *r, uint64_t seq)
{
	if (seq > r->top) {
		uint64_t ahead = seq / 64 - r->top / 64;

		if (ahead > r->mask)
			ahead = (uint64_t)r->mask + 1;
		for (uint64_t i = 0; i < ahead; i++)
			r->blocks[(seq / 64 - i) & r->mask] = 0;
		r->top = seq;
	}
	r->blocks[seq / 64 & r->mask] |= (uint64_t)1 << seq % 64;
}
