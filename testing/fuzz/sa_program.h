/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_FUZZ_SA_PROGRAM_H
#define BEWICK_FUZZ_SA_PROGRAM_H

#include "testing/exchange/lab.h"

/* The input of fuzz_sa: bytes that choose. Behind its end all are 0. */
struct program {
	const uint8_t *p;
	size_t n;
	uint64_t forged; /* counts, so that no two forged messages are sealed under one IV */
};

static inline uint8_t program_u8(struct program *in)
{
	if (!in->n)
		return 0;
	in->n--;
	return *in->p++;
}

static inline unsigned program_pick(struct program *in, unsigned n)
{
	return program_u8(in) % n;
}

static inline uint16_t program_u16(struct program *in)
{
	uint8_t high = program_u8(in);

	return (uint16_t)(high << 8 | program_u8(in));
}

/*
 * Messages of a peer that has the keys of `sa` and obeys nothing. `sa` is the receiver's and has keys; they are put under
 * way to its end. False: the program made none.
 */
bool forge_sealed(struct program *in, struct lab_end *to, struct ike_sa *sa);
/* A message of anybody, for `sa` of `to` (NULL: for no SA of it). */
bool forge_plain(struct program *in, struct lab_end *to, struct ike_sa *sa);
/* Packet i of those under way, which somebody with the keys changes: payloads go, come twice, change, change places. */
bool forge_rewrite(struct program *in, struct lab *lab, size_t i);

/* sa_payloads.c: one payload, most from what is alive in `sa` (NULL: nothing) so that it comes far, some of nonsense. */
void forge_payload(struct program *in, struct arena *a, const struct ike_sa *sa, struct builder *b);
/* The payloads of a whole sound request; its exchange. */
unsigned forge_recipe(struct program *in, struct arena *a, const struct ike_sa *sa, struct builder *b);

#endif
