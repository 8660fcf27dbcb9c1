/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel says: whose answer it is, and what it means. */
#include <errno.h>
#include <linux/netlink.h>
#include <string.h>

#include "netlink_inside.h"

#define NL_DUMP_REPEATS 8

struct nl_ack {
	int error;
	const char *text;
};

static int nl_ack_cb(const struct nlattr *a, void *arg)
{
	struct nl_ack *ack = arg;

	if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG && mnl_attr_validate(a, MNL_TYPE_NUL_STRING) >= 0)
		ack->text = mnl_attr_get_str(a);
	return MNL_CB_OK;
}

/* NLMSG_ERROR, or the NLMSG_DONE of a dump, begins with minus errno. */
static struct nl_ack nl_ack_read(const struct nlmsghdr *h)
{
	struct nl_ack ack = { 0, "" };
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);
	size_t offset = sizeof(*e);
	int value;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(value))
		return ack;
	memcpy(&value, mnl_nlmsg_get_payload(h), sizeof(value));
	ack.error = value < 0 ? -value : 0;
	if (h->nlmsg_type != NLMSG_ERROR || !(h->nlmsg_flags & NLM_F_ACK_TLVS) ||
	    mnl_nlmsg_get_payload_len(h) < sizeof(*e))
		return ack;
	if (!(h->nlmsg_flags & NLM_F_CAPPED) && e->msg.nlmsg_len >= sizeof(e->msg))
		offset += e->msg.nlmsg_len - sizeof(e->msg);
	if (offset <= mnl_nlmsg_get_payload_len(h))
		mnl_attr_parse(h, (unsigned)offset, nl_ack_cb, &ack);
	return ack;
}

static struct nl_request *nl_find(struct nl *n, const struct nlmsghdr *h)
{
	if (h->nlmsg_pid != n->io.portid || h->nlmsg_seq == 0)
		return NULL;
	LIST_FOREACH(it, &n->sent) { /* answers come in order: it is nearly always the first */
		struct nl_request *q = list_entry(it, struct nl_request, link);

		if (q->h->nlmsg_seq == h->nlmsg_seq)
			return q;
	}
	return NULL;
}

/* True: it begins again. */
static bool nl_dump_repeat(struct nl *n, struct nl_request *q)
{
	if (!q->interrupted || q->repeats >= NL_DUMP_REPEATS)
		return false; /* of a table that never rests the last is as good as any */
	q->interrupted = false;
	q->repeats++;
	n->counters.interrupted_dumps++;
	nl_requeue(n, q);
	return true;
}

void nl_message(struct nl *n, const struct nlmsghdr *h)
{
	struct nl_request *q = nl_find(n, h);
	struct nl_ack ack;

	if (!q) {
		if (n->event && h->nlmsg_type >= NLMSG_MIN_TYPE)
			n->event(n->event_arg, h);
		return;
	}
	if (h->nlmsg_flags & NLM_F_DUMP_INTR)
		q->interrupted = true;
	if (h->nlmsg_type >= NLMSG_MIN_TYPE) {
		if (n->loop)
			q->due = clock_monotonic_ms() + n->options.timeout_ms;
		if (q->answer.message)
			q->answer.message(q->answer.arg, h);
		return;
	}
	if (h->nlmsg_type != NLMSG_ERROR && h->nlmsg_type != NLMSG_DONE)
		return;
	ack = nl_ack_read(h);
	if (ack.error == 0 && q->dump && (h->nlmsg_type != NLMSG_DONE || nl_dump_repeat(n, q)))
		return;
	if (nl_worked_before(q, ack.error))
		ack.error = 0;
	nl_sent_end(n, q, ack.error, ack.error ? ack.text : "");
}
