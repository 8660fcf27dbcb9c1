/* SPDX-License-Identifier: Apache-2.0 */
#include "loop_test.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "loop/mailbox.h"
#include "util/mem.h"

struct letter {
	struct mail mail;
	unsigned number;
};

static atomic_uint dropped;

static void letter_drop(struct mail *m)
{
	atomic_fetch_add(&dropped, 1);
	free(m);
}

static void post(struct mailbox *box, unsigned kind, unsigned number)
{
	struct letter *l = xcalloc(1, sizeof(*l));

	l->mail.kind = kind;
	l->mail.drop = letter_drop;
	l->number = number;
	mailbox_post(box, &l->mail);
}

static unsigned letter_number(const struct mail *m)
{
	return container_of(m, struct letter, mail)->number;
}

/* Takes once and checks that there is just this one. */
static void take_one(struct mailbox *box, unsigned number)
{
	struct mail *m = mailbox_take(box);

	ck_assert_ptr_nonnull(m);
	ck_assert_ptr_null(m->next);
	ck_assert_uint_eq(letter_number(m), number);
	free(m);
}

START_TEST(mailbox_order)
{
	struct mailbox *box = mailbox_new();
	struct mail *m, *next;
	unsigned n = 0;

	ck_assert_ptr_null(mailbox_take(box));
	for (unsigned i = 0; i < 10; i++)
		post(box, 3, i);
	ck_assert_uint_eq(mailbox_count(box), 10);
	for (m = mailbox_take(box); m; m = next) {
		next = m->next;
		ck_assert_uint_eq(m->kind, 3);
		ck_assert_uint_eq(letter_number(m), n++);
		free(m);
	}
	ck_assert_uint_eq(n, 10);
	ck_assert_uint_eq(mailbox_count(box), 0);
	ck_assert_ptr_null(mailbox_take(box));
	mailbox_free(box);
}
END_TEST

START_TEST(mailbox_event)
{
	struct mailbox *box = mailbox_new();
	int fd = mailbox_fd(box);

	ck_assert(!fd_readable(fd, false));
	post(box, 0, 1);
	ck_assert(fd_readable(fd, false));
	take_one(box, 1);
	/* awake: the event stays until the reader finds nothing */
	post(box, 0, 2);
	ck_assert(fd_readable(fd, false));
	take_one(box, 2);
	ck_assert_ptr_null(mailbox_take(box));
	ck_assert(!fd_readable(fd, false));
	post(box, 0, 3);
	ck_assert(fd_readable(fd, false));
	take_one(box, 3);
	mailbox_free(box);
}
END_TEST

/* The promise to senders: no system call while the reader is awake. The number in the
 * eventfd counts the writes. */
START_TEST(mailbox_awake_costs_nothing)
{
	struct mailbox *box = mailbox_new();
	struct mail *m, *next;
	uint64_t writes = 0;

	for (unsigned i = 0; i < 100; i++) {
		post(box, 0, i);
		if (i % 10 == 9) {
			for (m = mailbox_take(box); m; m = next) {
				next = m->next;
				free(m);
			}
		}
	}
	ck_assert_int_eq(read(mailbox_fd(box), &writes, sizeof(writes)), sizeof(writes));
	ck_assert_uint_eq(writes, 1);
	mailbox_free(box);
}
END_TEST

/* A sender slower with the eventfd than the reader with the mail: the event that comes
 * late is cleared too, or the reader would spin. */
START_TEST(mailbox_late_event)
{
	struct mailbox *box = mailbox_new();
	uint64_t one = 1;

	ck_assert_ptr_null(mailbox_take(box));
	ck_assert_int_eq(write(mailbox_fd(box), &one, sizeof(one)), sizeof(one));
	ck_assert_ptr_null(mailbox_take(box));
	ck_assert(!fd_readable(mailbox_fd(box), false));
	post(box, 0, 1);
	ck_assert(fd_readable(mailbox_fd(box), false));
	take_one(box, 1);
	mailbox_free(box);
}
END_TEST

START_TEST(mailbox_close_and_free)
{
	struct mailbox *box = mailbox_new();

	atomic_store(&dropped, 0);
	post(box, 0, 1);
	mailbox_close(box);
	post(box, 0, 2);
	ck_assert_uint_eq(atomic_load(&dropped), 1);
	take_one(box, 1);
	mailbox_free(box);
	ck_assert_uint_eq(atomic_load(&dropped), 1);

	box = mailbox_new();
	post(box, 0, 1);
	post(box, 0, 2);
	mailbox_free(box);
	ck_assert_uint_eq(atomic_load(&dropped), 3);
	mailbox_free(NULL);
}
END_TEST

#define CLOSES 6000

static _Atomic(struct mailbox *) posted_to; /* NULL: none for now */
static atomic_uint posters;

static void *poster_main(void *arg)
{
	atomic_bool *end = arg;

	while (!atomic_load(end)) {
		struct mailbox *box = atomic_load(&posted_to);

		if (!box) {
			sched_yield();
			continue;
		}
		atomic_fetch_add(&posters, 1);
		if (atomic_load(&posted_to) == box && mailbox_count(box) < 100)
			post(box, 0, 0);
		atomic_fetch_sub(&posters, 1);
	}
	return NULL;
}

/* What is taken after the close is the rest, whatever is posted at that moment: all else was dropped by its sender. */
START_TEST(mailbox_close_while_posting)
{
	atomic_bool end = false;
	pthread_t thread[2];

	for (size_t k = 0; k < 2; k++)
		pthread_create(&thread[k], NULL, poster_main, &end);
	for (unsigned i = 0; i < CLOSES; i++) {
		struct mailbox *box = mailbox_new();
		struct mail *m, *next;

		atomic_store(&posted_to, box);
		ck_assert(fd_readable(mailbox_fd(box), true));
		mailbox_close(box);
		for (m = mailbox_take(box); m; m = next) {
			next = m->next;
			free(m);
		}
		atomic_store(&posted_to, NULL);
		while (atomic_load(&posters))
			sched_yield();
		ck_assert_ptr_null(mailbox_take(box));
		ck_assert_uint_eq(mailbox_count(box), 0);
		ck_assert(!fd_readable(mailbox_fd(box), false));
		mailbox_free(box);
	}
	atomic_store(&end, true);
	for (size_t k = 0; k < 2; k++)
		pthread_join(thread[k], NULL);
}
END_TEST

#define SENDERS 4
#define LETTERS 20000

struct sender {
	struct mailbox *box;
	unsigned kind;
};

static void *sender_main(void *arg)
{
	const struct sender *s = arg;

	for (unsigned i = 0; i < LETTERS; i++)
		post(s->box, s->kind, i);
	return NULL;
}

/* Checks the order of each sender and returns the number of letters. */
static unsigned read_letters(struct mail *m, unsigned *expected)
{
	unsigned n = 0;
	struct mail *next;

	for (; m; m = next, n++) {
		next = m->next;
		if (letter_number(m) != expected[m->kind]++)
			ck_abort_msg("sender %u: out of order", m->kind);
		free(m);
	}
	return n;
}

/* With 0: the reader takes until there is nothing; with 1: once each time it is woken.
 * A lost wake-up hangs the test. */
START_TEST(mailbox_many_senders)
{
	struct mailbox *box = mailbox_new();
	struct sender senders[SENDERS];
	pthread_t thread[SENDERS];
	unsigned expected[SENDERS] = { 0 }, total = 0;

	for (unsigned i = 0; i < SENDERS; i++) {
		senders[i] = (struct sender){ box, i };
		pthread_create(&thread[i], NULL, sender_main, &senders[i]);
	}
	while (total < SENDERS * LETTERS) {
		unsigned n;

		ck_assert(fd_readable(mailbox_fd(box), true));
		do {
			n = read_letters(mailbox_take(box), expected);
			total += n;
		} while (_i == 0 && n > 0);
	}
	for (unsigned i = 0; i < SENDERS; i++)
		pthread_join(thread[i], NULL);
	ck_assert_uint_eq(total, SENDERS * LETTERS);
	ck_assert_uint_eq(mailbox_count(box), 0);
	mailbox_free(box);
}
END_TEST

#define ROUNDS 5000

/* Waits for one letter the way a worker does and returns its number. */
static unsigned wait_letter(struct mailbox *box)
{
	struct mail *m;
	unsigned number;

	do {
		if (!fd_readable(mailbox_fd(box), true))
			ck_abort_msg("poll failed");
		m = mailbox_take(box);
	} while (!m);
	number = letter_number(m);
	if (m->next)
		ck_abort_msg("two letters at a time");
	free(m);
	return number;
}

static void *echo_main(void *arg)
{
	struct mailbox **boxes = arg;

	for (int i = 0; i < ROUNDS; i++)
		post(boxes[1], 0, wait_letter(boxes[0]));
	return NULL;
}

/* One letter at a time, so that both readers fall asleep again and again. */
START_TEST(mailbox_ping_pong)
{
	struct mailbox *boxes[2] = { mailbox_new(), mailbox_new() };
	pthread_t thread;

	pthread_create(&thread, NULL, echo_main, boxes);
	for (unsigned i = 0; i < ROUNDS; i++) {
		post(boxes[0], 0, i);
		ck_assert_uint_eq(wait_letter(boxes[1]), i);
	}
	pthread_join(thread, NULL);
	mailbox_free(boxes[0]);
	mailbox_free(boxes[1]);
}
END_TEST

static atomic_uint seen;

static void *chaser_main(void *arg)
{
	for (unsigned i = 0; i < LETTERS; i++) {
		while (atomic_load(&seen) < i)
			sched_yield();
		post(arg, 0, i);
	}
	return NULL;
}

/* Each letter is posted at the moment that the reader has seen the last one and is about to fall
 * asleep; the reader takes once each time it is woken. */
START_TEST(mailbox_post_while_falling_asleep)
{
	struct mailbox *box = mailbox_new();
	pthread_t thread;

	atomic_store(&seen, 0);
	pthread_create(&thread, NULL, chaser_main, box);
	for (unsigned i = 0; i < LETTERS; i++) {
		if (wait_letter(box) != i)
			ck_abort_msg("out of order");
		atomic_store(&seen, i + 1);
	}
	pthread_join(thread, NULL);
	mailbox_free(box);
}
END_TEST

TCase *mailbox_tests(void)
{
	TCase *tc = tcase_create("mailbox");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, mailbox_order);
	tcase_add_test(tc, mailbox_event);
	tcase_add_test(tc, mailbox_awake_costs_nothing);
	tcase_add_test(tc, mailbox_late_event);
	tcase_add_test(tc, mailbox_close_and_free);
	tcase_add_test(tc, mailbox_close_while_posting);
	tcase_add_loop_test(tc, mailbox_many_senders, 0, 2);
	tcase_add_test(tc, mailbox_ping_pong);
	tcase_add_test(tc, mailbox_post_while_falling_asleep);
	return tc;
}
