/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "loop/thread.h"
#include "loop_test.h"

#define KIND_STOP 7

struct served {
	struct mailbox *box;
	bool blocks_all, named;
	unsigned taken, last;
};

static void *serve(void *arg)
{
	struct served *s = arg;
	char name[16] = "";
	sigset_t mask;

	pthread_sigmask(SIG_SETMASK, NULL, &mask);
	s->blocks_all = sigismember(&mask, SIGTERM) == 1 && sigismember(&mask, SIGUSR2) == 1;
	while (s->last != KIND_STOP) {
		struct pollfd p = { mailbox_fd(s->box), POLLIN, 0 };

		(void)poll(&p, 1, 5000);
		for (struct mail *m = mailbox_take(s->box), *next; m; m = next) {
			next = m->next;
			s->taken++;
			s->last = m->kind;
			free(m);
		}
	}
	/* who made it names it, and tells the end after that */
	pthread_getname_np(pthread_self(), name, sizeof(name));
	s->named = strcmp(name, "test-served") == 0;
	return NULL;
}

START_TEST(a_thread_has_a_name_blocks_signals_and_ends_by_mail)
{
	struct served s = { .box = mailbox_new() };
	struct mail *first = calloc(1, sizeof(*first));
	sigset_t before, after;
	pthread_t thread;

	pthread_sigmask(SIG_SETMASK, NULL, &before);
	ck_assert_int_eq(thread_start(&thread, "test-served", serve, &s), 0);
	pthread_sigmask(SIG_SETMASK, NULL, &after);
	ck_assert_int_eq(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
	mailbox_post(s.box, first);
	thread_stop(thread, s.box, KIND_STOP);
	ck_assert(s.blocks_all && s.named);
	ck_assert_uint_eq(s.taken, 2);
	mailbox_free(s.box);
}
END_TEST

START_TEST(the_end_of_who_reads_no_more_is_dropped)
{
	struct served s = { .box = mailbox_new(), .last = KIND_STOP };
	pthread_t thread;

	ck_assert_int_eq(thread_start(&thread, NULL, serve, &s), 0);
	thread_stop(thread, s.box, KIND_STOP);
	mailbox_free(s.box); /* a sanitizer sees that nothing is left */
	ck_assert_uint_eq(s.taken, 0);
}
END_TEST

TCase *thread_tests(void)
{
	TCase *tc = tcase_create("thread");

	tcase_add_test(tc, a_thread_has_a_name_blocks_signals_and_ends_by_mail);
	tcase_add_test(tc, the_end_of_who_reads_no_more_is_dropped);
	return tc;
}
