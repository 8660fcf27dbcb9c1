/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/mailbox.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "util/mem.h"

/*
 * The senders push on a stack, the reader takes all of it and turns it round. An empty
 * stack is NULL while the reader is awake and mailbox_asleep after it
 * found nothing; only who replaces the latter writes to the eventfd. The event stays
 * set until the reader finds nothing: a reader that takes once per turn
 * and waits again is woken again, so it cannot miss what came in between. The stack of a
 * closed box is mailbox_shut for good: a sender either was before that, or finds it.
 */
struct mailbox {
	_Atomic(struct mail *) head;
	atomic_size_t count;
	struct mail *rest; /* the reader's: what was there when it was closed */
	int fd;
};

static struct mail mailbox_asleep, mailbox_shut;

static void mailbox_set_event(struct mailbox *box)
{
	uint64_t one = 1;
	ssize_t done;

	do {
		done = write(box->fd, &one, sizeof(one));
	} while (done < 0 && errno == EINTR);
}

static void mailbox_clear_event(struct mailbox *box)
{
	uint64_t value;
	ssize_t done;

	do {
		done = read(box->fd, &value, sizeof(value));
	} while (done < 0 && errno == EINTR);
}

static void mail_drop(struct mail *m)
{
	if (m->drop)
		m->drop(m);
}

struct mailbox *mailbox_new(void)
{
	struct mailbox *box;
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return NULL;
	box = xcalloc(1, sizeof(*box));
	box->fd = fd;
	atomic_init(&box->head, &mailbox_asleep);
	atomic_init(&box->count, 0);
	return box;
}

void mailbox_free(struct mailbox *box)
{
	struct mail *m, *next;

	if (!box)
		return;
	mailbox_close(box);
	for (m = mailbox_take(box); m; m = next) {
		next = m->next;
		mail_drop(m);
	}
	close(box->fd);
	free(box);
}

void mailbox_post(struct mailbox *box, struct mail *m)
{
	struct mail *head = atomic_load_explicit(&box->head, memory_order_relaxed);

	atomic_fetch_add_explicit(&box->count, 1, memory_order_relaxed);
	do {
		if (head == &mailbox_shut) {
			atomic_fetch_sub_explicit(&box->count, 1, memory_order_relaxed);
			mail_drop(m);
			return;
		}
		m->next = head == &mailbox_asleep ? NULL : head;
	} while (!atomic_compare_exchange_weak_explicit(&box->head, &head, m, memory_order_acq_rel,
							memory_order_relaxed));
	if (head == &mailbox_asleep)
		mailbox_set_event(box);
}

int mailbox_fd(const struct mailbox *box)
{
	return box->fd;
}

/* From newest first to oldest first. */
static struct mail *mailbox_reverse(struct mailbox *box, struct mail *m)
{
	struct mail *list = NULL, *next;
	size_t n = 0;

	for (; m; m = next) {
		next = m->next;
		m->next = list;
		list = m;
		n++;
	}
	atomic_fetch_sub_explicit(&box->count, n, memory_order_relaxed);
	return list;
}

/* Of a closed box. */
static struct mail *mailbox_take_rest(struct mailbox *box)
{
	struct mail *rest = box->rest;

	box->rest = NULL;
	if (!rest)
		mailbox_clear_event(box);
	return rest;
}

struct mail *mailbox_take(struct mailbox *box)
{
	struct mail *head = atomic_load_explicit(&box->head, memory_order_relaxed);

	if (head == &mailbox_shut)
		return mailbox_take_rest(box);
	/* An event while asleep: its sender was slower with the eventfd than we with the
	 * mail. It is cleared awake, so that no sender can set it meanwhile. */
	if (head == &mailbox_asleep &&
	    atomic_compare_exchange_strong_explicit(&box->head, &head, NULL, memory_order_acq_rel,
						    memory_order_relaxed))
		head = NULL;
	if (!head) {
		mailbox_clear_event(box);
		if (atomic_compare_exchange_strong_explicit(&box->head, &head, &mailbox_asleep,
							    memory_order_acq_rel,
							    memory_order_relaxed))
			return NULL;
		/* mail came in between: its sender saw a reader awake and left the event alone */
		mailbox_set_event(box);
	}
	return mailbox_reverse(box,
			       atomic_exchange_explicit(&box->head, NULL, memory_order_acq_rel));
}

size_t mailbox_count(const struct mailbox *box)
{
	return atomic_load_explicit(&box->count, memory_order_relaxed);
}

void mailbox_close(struct mailbox *box)
{
	struct mail *head = atomic_exchange_explicit(&box->head, &mailbox_shut, memory_order_acq_rel);

	if (head != &mailbox_shut && head != &mailbox_asleep)
		box->rest = mailbox_reverse(box, head);
}
