/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_PLUGINS_CURL_FILE_H
#define BEWICK_PLUGINS_CURL_FILE_H

#include "util/bytes.h"

/* The content of a regular file named by a file: URL, at most max bytes. Blocks as files do. False: err says why. */
MUST_CHECK bool curl_file_read(const char *url, size_t max, struct buf *ret, struct errtext *err);

#endif
