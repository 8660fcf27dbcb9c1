/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TEST_CORPUS_H
#define BEWICK_TEST_CORPUS_H

#include <stddef.h>
#include <stdint.h>

/* The kept inputs of a fuzzer, given to its target again, which aborts where a property does not hold. */
struct corpus {
	const char *folder;
	unsigned at_least; /* files: else the folder is not the one that is meant */
	int (*target)(const uint8_t *data, size_t n);
	unsigned cut;    /* also cut to each n-th length; 0 not */
	unsigned change; /* also with each n-th octet changed; 0 not */
};

/* An assertion of check fails if the folder cannot be read. Each input is in memory of its exact size. */
void corpus_replay(const struct corpus *c);

#endif
