/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_CHECKSUM_H
#define USERLAND_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/*
 * The Internet checksum (RFC 1071), summed in the machine's order: the sum is right in either, as long as it is stored the way it
 * was read.
 */
uint64_t checksum_add(uint64_t sum, const uint8_t *p, size_t n);

/* A number that the sum is to contain, as if it stood there in network order. */
static inline uint64_t checksum_add_u16(uint64_t sum, unsigned v)
{
	uint8_t p[2] = { (uint8_t)(v >> 8), (uint8_t)v };
	uint16_t word;

	memcpy(&word, p, sizeof(word));
	sum += word;
	return sum + (sum < word);
}

/* The 16 bits of a sum, in the machine's order; not complemented. */
static inline uint16_t checksum_fold(uint64_t sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static inline void checksum_put(uint8_t *at, uint16_t folded)
{
	memcpy(at, &folded, 2);
}

#endif
