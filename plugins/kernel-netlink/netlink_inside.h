/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNEL_NETLINK_NETLINK_INSIDE_H
#define KERNEL_NETLINK_NETLINK_INSIDE_H

#include "netlink.h"
#include "util/list.h"

/* What netlink.c, netlink_socket.c and netlink_answer.c share; nobody else. */

struct nl_request {
	struct list link;
	uint64_t due;
	unsigned tries; /* how often it was lost */
	bool dump, interrupted;
	unsigned repeats; /* of an interrupted dump */
	struct nl_answer answer;
	struct nlmsghdr *h; /* behind this struct */
};

struct nl {
	struct nl_io io;
	struct mnl_socket *socket; /* NULL: io is someone else's */
	struct nl_options options;
	struct loop *loop;
	struct loop_fd *watch;
	struct timer timer; /* of the oldest unanswered request, or of sending again */
	struct list queued, sent, dumps;
	size_t n_queued, n_sent, n_dumps;
	bool dumping; /* one of `sent` is a dump */
	bool dead;
	uint32_t seq;
	nl_event_fn *event;
	void *event_arg;
	nl_dead_fn *on_dead;
	void *dead_arg;
	struct nl_counters counters;
	uint8_t *buffer;
};

/* ---- netlink.c ---- */
/* It is over; frees it. */
void nl_sent_end(struct nl *n, struct nl_request *q, int error, const char *text);
/* Will be sent again. */
void nl_requeue(struct nl *n, struct nl_request *q);
/* Whether an error of a repeated request says that the first one worked. */
bool nl_worked_before(const struct nl_request *q, int error);

/* ---- netlink_answer.c ---- */
void nl_message(struct nl *n, const struct nlmsghdr *h);

#endif
