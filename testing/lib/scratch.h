/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TESTING_LIB_SCRATCH_H
#define BEWICK_TESTING_LIB_SCRATCH_H

#include <stddef.h>

/*
 * Folders of tests. All of a program's are in one, which is removed with what is in it when the program and its children have
 * ended, however they end: libcheck's children abort, run out of time, and are killed.
 */

/* Makes one, and writes its path; size: 64 is enough, and short enough for sockets. */
void scratch_dir(char *ret_path, size_t size);

#endif
