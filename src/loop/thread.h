/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_LOOP_THREAD_H
#define BEWICK_LOOP_THREAD_H

#include <pthread.h>

#include "loop/mailbox.h"

/* Every thread but the main one begins here: with all signals blocked, which are the main thread's. */

/* name: as tools show it, 15 bytes at most; NULL: that of the process. 0 or an errno. */
EXPORT MUST_CHECK int thread_start(pthread_t *ret_thread, const char *name, void *(*fn)(void *), void *arg);
/* Posts mail with nothing but a kind, which means the end to who reads the box and is freed with free(); waits for the end. */
EXPORT void thread_stop(pthread_t thread, struct mailbox *box, unsigned kind);

#endif
