/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/thread.h"

#include <signal.h>
#include <stdlib.h>

#include "util/mem.h"

int thread_start(pthread_t *ret_thread, const char *name, void *(*fn)(void *), void *arg)
{
	sigset_t all, before;
	int e;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	e = pthread_create(ret_thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (!e && name)
		(void)pthread_setname_np(*ret_thread, name);
	return e;
}

static void thread_stop_drop(struct mail *m)
{
	free(m);
}

void thread_stop(pthread_t thread, struct mailbox *box, unsigned kind)
{
	struct mail *m = xcalloc(1, sizeof(*m));

	m->kind = kind;
	m->drop = thread_stop_drop;
	mailbox_post(box, m);
	pthread_join(thread, NULL);
}
