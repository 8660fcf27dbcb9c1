/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "lab.h"

/* Runs by a seed that can be repeated. */

static const char *seeds_name;
static unsigned long seeds_at;

/* Runs when an assertion fails, too. */
static void seeds_said(void)
{
	if (seeds_at)
		fprintf(stderr, "%s_SEED=%lu\n", seeds_name, seeds_at);
}

void lab_seeds(const char *name, unsigned long runs, unsigned long part, void (*run)(uint64_t seed))
{
	static bool listening;
	char key[2][32];
	const char *seed, *many;

	snprintf(key[0], sizeof(key[0]), "%s_SEED", name);
	snprintf(key[1], sizeof(key[1]), "%s_RUNS", name);
	seed = getenv(key[0]);
	many = getenv(key[1]);
	if (seed) {
		run(strtoull(seed, NULL, 0));
		return;
	}
	if (many)
		runs = strtoul(many, NULL, 0);
	if (!listening)
		atexit(seeds_said);
	listening = true;
	seeds_name = name;
	for (unsigned long i = 0; i < runs; i++) {
		seeds_at = part * runs + i + 1;
		run(seeds_at);
	}
	seeds_at = 0;
}
