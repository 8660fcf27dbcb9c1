/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNEL_NETLINK_TXN_H
#define KERNEL_NETLINK_TXN_H

#include "netlink.h"
#include "util/bytes.h"

/*
 * Requests that succeed together or not at all: all are queued at once; when the last one is answered, `end`
 * runs and, if one failed, undoes the others. The service thread's.
 */
struct txn;
typedef void txn_end_fn(struct txn *t);
/* Looks at the answer of one request. True: it dealt with that error, which is no failure then. */
typedef bool txn_fn(struct txn *t, void *arg, int error, const char *text);

struct txn {
	struct nl *nl;
	unsigned open; /* requests without an answer; one more while it is being filled */
	bool failed;
	struct errtext err; /* the first failure */
	txn_end_fn *end;
};

void txn_begin(struct txn *t, struct nl *nl, txn_end_fn *end);
/* As nl_queue. what: constant, goes into "cannot WHAT: reason". fn: NULL, or sees the answer, success too; it may queue more. */
void txn_queue(struct txn *t, union nl_request_buffer *b, const char *what, txn_fn *fn, void *arg);
/* The same, and `message` sees what comes before the answer. */
void txn_ask(struct txn *t, union nl_request_buffer *b, const char *what, nl_message_fn *message, txn_fn *fn, void *arg);
void txn_fail(struct txn *t, const char *fmt, ...) PRINTF_LIKE(2, 3); /* the first one counts */
void txn_close(struct txn *t); /* all is queued: end may run in here */
/* What an errno and the kernel's words mean, for err: "the kernel lacks it: ...". */
struct text txn_reason(int error, const char *text);

#endif
