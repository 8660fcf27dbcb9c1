/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_UTIL_MEM_H
#define BEWICK_UTIL_MEM_H

#include <stddef.h>
#include <stdint.h>

#include "util/result.h"

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define container_of(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Small allocations: abort the process when memory is exhausted, never return
 * NULL (also for 0 bytes). Whatever a peer can size is bounded before. */
EXPORT void *xmalloc(size_t n);
EXPORT void *xcalloc(size_t count, size_t n); /* zeroed; aborts on overflow */
EXPORT void *xrealloc(void *p, size_t n);
EXPORT void *xmemdup(const void *p, size_t n);
EXPORT char *xstrdup(const char *s);
EXPORT char *xstrndup(const char *s, size_t n);
EXPORT char *xasprintf(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
