/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_FUZZ_H
#define BEWICK_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* What a fuzz target defines (libFuzzer's interface). It aborts when a property does not hold. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
