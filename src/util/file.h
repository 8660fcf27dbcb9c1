/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_UTIL_FILE_H
#define BEWICK_UTIL_FILE_H

#include "util/bytes.h"

/* Adds the content of a regular file of at most max bytes. 0, or an errno (EFBIG: it is longer); then nothing was added. */
EXPORT MUST_CHECK int file_read(const char *path, size_t max, struct buf *ret);

#endif
