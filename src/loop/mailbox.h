/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_LOOP_MAILBOX_H
#define BEWICK_LOOP_MAILBOX_H

#include "util/result.h"
#include <stddef.h>
#include <stdint.h>

/*
 * A queue of mail with many senders and one reader; the only way into a worker.
 * Order per sender is kept. The eventfd wakes the reader; posting to a box whose reader is awake
 * costs no system call.
 */
struct mail {
	struct mail *next; /* the mailbox's while queued */
	unsigned kind;     /* the reader's own enum */
	void (*drop)(struct mail *m); /* frees it when nobody will read it (shutdown, full box) */
};

struct mailbox;

EXPORT struct mailbox *mailbox_new(void); /* NULL: errno */
EXPORT void mailbox_free(struct mailbox *box); /* drops what is left */
/* Takes the mail. Any thread. After mailbox_close: drops it. */
EXPORT void mailbox_post(struct mailbox *box, struct mail *m);
EXPORT int mailbox_fd(const struct mailbox *box); /* readable when there is mail to be taken */
/* All mail in order as a list linked by next, NULL if none, which clears the event: the reader may take until
 * there is none, or once each time the descriptor (watched level-triggered) is readable. Reader only. */
EXPORT struct mail *mailbox_take(struct mailbox *box);
EXPORT size_t mailbox_count(const struct mailbox *box); /* roughly, for statistics */
/* By the reader, or when it has ended: later posts are dropped; what is in it can still be taken, and nothing comes to it. */
EXPORT void mailbox_close(struct mailbox *box);

#endif
