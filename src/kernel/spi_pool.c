/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/spi_pool.h"

#include <pthread.h>
#include <stdlib.h>

#include "util/mem.h"

#define SPI_BITS 24
#define SPI_COUNT (1u << SPI_BITS)
#define SPI_PAGE_BITS 15 /* SPIs per page of the bitmap: 4 KiB */
#define SPI_PAGES (SPI_COUNT >> SPI_PAGE_BITS)
#define SPI_FIRST 256 /* RFC 4303, 2.1: 0 is local, 1 to 255 are reserved by IANA */
#define SPI_ROUNDS 4

/* Bits are in the order of allocation, so that a busy segment touches few pages. */
struct spi_segment {
	uint64_t *pages[SPI_PAGES];
	uint32_t next; /* where to look first */
};

struct spi_pool {
	uint32_t key[SPI_ROUNDS];
	pthread_mutex_t lock; /* all below */
	struct spi_segment *segments[256];
};

struct spi_pool *spi_pool_new(uint64_t seed)
{
	struct spi_pool *p = xcalloc(1, sizeof(*p));

	for (size_t i = 0; i < SPI_ROUNDS; i++) {
		seed = seed * 6364136223846793005u + 1442695040888963407u;
		p->key[i] = (uint32_t)(seed >> 32);
	}
	pthread_mutex_init(&p->lock, NULL);
	return p;
}

void spi_pool_free(struct spi_pool *p)
{
	if (!p)
		return;
	for (size_t s = 0; s < ARRAY_LEN(p->segments); s++) {
		for (size_t i = 0; p->segments[s] && i < SPI_PAGES; i++)
			free(p->segments[s]->pages[i]);
		free(p->segments[s]);
	}
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* A Feistel network over two halves of 12 bits: a permutation whatever the round function is. */
static uint32_t spi_round(uint32_t half, uint32_t key)
{
	uint32_t x = (half ^ key) * 0x9e3779b1u;

	return (x ^ x >> 15) >> 3 & 0xfff;
}

static uint32_t spi_of_index(const struct spi_pool *p, uint32_t index)
{
	uint32_t left = index >> 12, right = index & 0xfff;

	for (int i = 0; i < SPI_ROUNDS; i++) {
		uint32_t mixed = left ^ spi_round(right, p->key[i]);

		left = right;
		right = mixed;
	}
	return left << 12 | right;
}

static uint32_t spi_to_index(const struct spi_pool *p, uint32_t spi)
{
	uint32_t left = spi >> 12 & 0xfff, right = spi & 0xfff;

	for (int i = SPI_ROUNDS; i-- > 0;) {
		uint32_t mixed = right ^ spi_round(left, p->key[i]);

		right = left;
		left = mixed;
	}
	return left << 12 | right;
}

static struct spi_segment *spi_segment_get(struct spi_pool *p, uint8_t segment)
{
	if (!p->segments[segment])
		p->segments[segment] = xcalloc(1, sizeof(struct spi_segment));
	return p->segments[segment];
}

static bool spi_segment_test(const struct spi_segment *s, uint32_t index)
{
	const uint64_t *page = s->pages[index >> SPI_PAGE_BITS];
	uint32_t bit = index & ((1u << SPI_PAGE_BITS) - 1);

	return page && (page[bit / 64] >> bit % 64 & 1);
}

static void spi_segment_set(struct spi_segment *s, uint32_t index, bool taken)
{
	uint64_t **page = &s->pages[index >> SPI_PAGE_BITS];
	uint32_t bit = index & ((1u << SPI_PAGE_BITS) - 1);

	if (!*page)
		*page = xcalloc(1, (1u << SPI_PAGE_BITS) / 8);
	if (taken)
		(*page)[bit / 64] |= (uint64_t)1 << bit % 64;
	else
		(*page)[bit / 64] &= ~((uint64_t)1 << bit % 64);
}

bool spi_pool_take(struct spi_pool *p, uint8_t segment, uint32_t *ret_spi)
{
	struct spi_segment *s;
	bool found = false;

	pthread_mutex_lock(&p->lock);
	s = spi_segment_get(p, segment);
	for (uint32_t tries = 0; tries < SPI_COUNT && !found; tries++) {
		uint32_t index = s->next;
		uint32_t spi = (uint32_t)segment << SPI_BITS | spi_of_index(p, index);

		s->next = (index + 1) % SPI_COUNT;
		if (spi < SPI_FIRST || spi_segment_test(s, index))
			continue;
		spi_segment_set(s, index, true);
		*ret_spi = spi;
		found = true;
	}
	pthread_mutex_unlock(&p->lock);
	return found;
}

void spi_pool_mark(struct spi_pool *p, uint32_t spi)
{
	pthread_mutex_lock(&p->lock);
	spi_segment_set(spi_segment_get(p, (uint8_t)(spi >> SPI_BITS)), spi_to_index(p, spi), true);
	pthread_mutex_unlock(&p->lock);
}

void spi_pool_give(struct spi_pool *p, uint32_t spi)
{
	pthread_mutex_lock(&p->lock);
	spi_segment_set(spi_segment_get(p, (uint8_t)(spi >> SPI_BITS)), spi_to_index(p, spi), false);
	pthread_mutex_unlock(&p->lock);
}
