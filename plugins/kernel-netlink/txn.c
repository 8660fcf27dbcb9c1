/* SPDX-License-Identifier: Apache-2.0 */
#include "txn.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/mem.h"

struct txn_request {
	struct txn *txn;
	const char *what;
	nl_message_fn *message;
	txn_fn *fn;
	void *arg;
};

void txn_begin(struct txn *t, struct nl *nl, txn_end_fn *end)
{
	*t = (struct txn){ .nl = nl, .open = 1, .end = end };
}

void txn_fail(struct txn *t, const char *fmt, ...)
{
	va_list ap;

	if (t->failed)
		return;
	t->failed = true;
	va_start(ap, fmt);
	(void)vsnprintf(t->err.s, sizeof(t->err.s), fmt, ap);
	va_end(ap);
}

struct text txn_reason(int error, const char *text)
{
	struct text out;
	const char *why = NULL;

	switch (error) {
	case ENOSYS:
	case EPROTONOSUPPORT:
		why = "the kernel lacks it";
		break;
	case EEXIST:
		why = "it exists already and is someone else's";
		break;
	case EPERM:
		why = "not permitted (CAP_NET_ADMIN is needed)";
		break;
	case ECONNREFUSED:
		why = "the kernel has no IPsec (xfrm_user)";
		break;
	case ETIMEDOUT:
		why = "the kernel does not answer";
		break;
	}
	(void)snprintf(out.s, sizeof(out.s), "%s%s%s%s%.150s", why ? why : "", why ? ": " : "", strerror(error),
		       *text ? ": " : "", text);
	return out;
}

static void txn_drop(struct txn *t)
{
	if (--t->open == 0)
		t->end(t); /* which may free it */
}

static void txn_done(void *arg, int error, const char *text)
{
	struct txn_request *r = arg;
	struct txn *t = r->txn;
	bool handled = r->fn && r->fn(t, r->arg, error, text);

	if (error && !handled)
		txn_fail(t, "cannot %s: %s", r->what, txn_reason(error, text).s);
	free(r);
	txn_drop(t);
}

static void txn_message(void *arg, const struct nlmsghdr *h)
{
	struct txn_request *r = arg;

	if (r->message)
		r->message(r->arg, h);
}

void txn_ask(struct txn *t, union nl_request_buffer *b, const char *what, nl_message_fn *message, txn_fn *fn, void *arg)
{
	struct txn_request *r = xcalloc(1, sizeof(*r));

	*r = (struct txn_request){ t, what, message, fn, arg };
	t->open++;
	nl_queue(t->nl, b, (struct nl_answer){ txn_message, txn_done, r });
}

void txn_queue(struct txn *t, union nl_request_buffer *b, const char *what, txn_fn *fn, void *arg)
{
	txn_ask(t, b, what, NULL, fn, arg);
}

void txn_close(struct txn *t)
{
	txn_drop(t);
}
