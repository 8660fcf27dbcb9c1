/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_PLUGINS_CURL_THREAD_H
#define BEWICK_PLUGINS_CURL_THREAD_H

#include "auth/fetch.h"

/* The thread that runs all transfers, and the one that reads files; made with the first of either. */
struct curl_thread;
struct curl_thread *curl_thread_new(long redirects); /* NULL: out of memory */
/* All that is under way fails. */
void curl_thread_free(struct curl_thread *t);
/* As struct fetcher's start. */
bool curl_thread_fetch(void *arg, struct fetch *f, struct errtext *err);

#endif
