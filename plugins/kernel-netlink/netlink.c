/* SPDX-License-Identifier: Apache-2.0 */
#include "netlink_inside.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/xfrm.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "util/log.h"
#include "util/secret.h"

/* Unanswered at most: their answers have to fit into the socket's buffer, at about 1 KiB each. */
#define NL_WINDOW 128
#define NL_BATCH 64
#define NL_BATCH_BYTES 32768
#define NL_BUFFER 65536
#define NL_LATER_MS 10 /* when the kernel has no memory for a request */

/* ---- making and ending ---- */

struct nl *nl_new(const struct nl_io *io, const struct nl_options *o)
{
	struct nl *n = xcalloc(1, sizeof(*n));

	n->io = *io;
	n->options = *o;
	list_init(&n->queued);
	list_init(&n->sent);
	list_init(&n->dumps);
	n->buffer = xmalloc(NL_BUFFER);
	return n;
}

void nl_on_event(struct nl *n, nl_event_fn *fn, void *arg)
{
	n->event = fn;
	n->event_arg = arg;
}

void nl_on_dead(struct nl *n, nl_dead_fn *fn, void *arg)
{
	n->on_dead = fn;
	n->dead_arg = arg;
}

size_t nl_outstanding(const struct nl *n)
{
	return n->n_queued + n->n_sent + n->n_dumps;
}

const struct nl_counters *nl_counters(const struct nl *n)
{
	return &n->counters;
}

/* ---- requests ---- */

struct nlmsghdr *nl_begin(union nl_request_buffer *b, uint16_t type, uint16_t flags)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(b->bytes);

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | flags;
	return h;
}

void nl_queue(struct nl *n, union nl_request_buffer *b, struct nl_answer answer)
{
	struct nl_request *q = xcalloc(1, sizeof(*q) + MNL_ALIGN(b->h.nlmsg_len));

	q->h = (struct nlmsghdr *)(q + 1);
	memcpy(q->h, b->bytes, b->h.nlmsg_len);
	secret_wipe(b->bytes, b->h.nlmsg_len);
	q->answer = answer;
	q->dump = (q->h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
	n->counters.requests++;
	if (q->dump) {
		list_add_tail(&n->dumps, &q->link);
		n->n_dumps++;
	} else {
		list_add_tail(&n->queued, &q->link);
		n->n_queued++;
	}
}

static void nl_request_end(struct nl *n, struct nl_request *q, int error, const char *text)
{
	struct nl_answer answer = q->answer;

	if (error)
		n->counters.errors++;
	secret_wipe(q->h, q->h->nlmsg_len);
	free(q);
	if (answer.done)
		answer.done(answer.arg, error, text);
}

static void nl_sent_remove(struct nl *n, struct nl_request *q)
{
	list_del(&q->link);
	n->n_sent--;
	if (q->dump)
		n->dumping = false;
}

void nl_sent_end(struct nl *n, struct nl_request *q, int error, const char *text)
{
	nl_sent_remove(n, q);
	nl_request_end(n, q, error, text);
}

void nl_requeue(struct nl *n, struct nl_request *q)
{
	nl_sent_remove(n, q);
	if (q->dump) {
		if (q->answer.message)
			q->answer.message(q->answer.arg, NULL);
		list_add_head(&n->dumps, &q->link);
		n->n_dumps++;
	} else {
		list_add_head(&n->queued, &q->link);
		n->n_queued++;
	}
}

static void nl_end_list(struct nl *n, struct list *head, size_t *count, int error, const char *text)
{
	while (!list_empty(head)) {
		struct nl_request *q = list_entry(head->next, struct nl_request, link);

		list_del(&q->link);
		(*count)--;
		nl_request_end(n, q, error, text);
	}
}

static void nl_end_all(struct nl *n, int error, const char *text)
{
	nl_end_list(n, &n->sent, &n->n_sent, error, text);
	nl_end_list(n, &n->queued, &n->n_queued, error, text);
	nl_end_list(n, &n->dumps, &n->n_dumps, error, text);
	n->dumping = false;
}

void nl_free(struct nl *n)
{
	if (!n)
		return;
	n->dead = true;
	nl_end_all(n, ECANCELED, "");
	if (n->watch)
		loop_remove(n->watch);
	if (n->loop)
		timer_stop(loop_wheel(n->loop), &n->timer);
	if (n->socket)
		mnl_socket_close(n->socket);
	free(n->buffer);
	free(n);
}

/* ---- what is lost ---- */

/* An SA that is made again would begin with sequence numbers that were used (law 3): what became of it is unknown. */
static bool nl_may_repeat(const struct nl_request *q)
{
	return q->h->nlmsg_type != XFRM_MSG_NEWSA && q->h->nlmsg_type != XFRM_MSG_UPDSA;
}

bool nl_worked_before(const struct nl_request *q, int error)
{
	if (q->tries == 0)
		return false;
	switch (q->h->nlmsg_type) {
	case XFRM_MSG_DELSA:
		return error == ESRCH;
	case XFRM_MSG_DELPOLICY:
		return error == ENOENT;
	case XFRM_MSG_NEWPOLICY:
		return error == EEXIST;
	default:
		return false;
	}
}

static void nl_lost(struct nl *n, struct nl_request *q, int error)
{
	n->counters.lost++;
	if (nl_may_repeat(q) && q->tries < n->options.retries) {
		q->tries++;
		nl_requeue(n, q);
	} else {
		nl_sent_end(n, q, error, "");
	}
}

/* Answers were dropped because the socket's buffer was full: whose, nobody knows. From the last, so that the order is kept. */
static void nl_overrun(struct nl *n)
{
	n->counters.overruns++;
	for (size_t left = n->n_sent; left > 0 && !list_empty(&n->sent); left--)
		nl_lost(n, list_entry(n->sent.prev, struct nl_request, link), ENOBUFS);
	if (n->event)
		n->event(n->event_arg, NULL);
}

static void nl_die(struct nl *n, int error)
{
	if (n->dead)
		return;
	n->dead = true;
	LOG(KNL, LOG_LEVEL_AUDIT, "the netlink socket is lost: %s", strerror(error));
	if (n->watch)
		loop_remove(n->watch);
	n->watch = NULL;
	nl_end_all(n, error, "");
	if (n->on_dead)
		n->on_dead(n->dead_arg, strerror(error));
}

/* ---- reading ---- */

/* False: nothing more to read now. */
static bool nl_read_one(struct nl *n)
{
	ssize_t got = n->io.recv(n->io.arg, n->buffer, NL_BUFFER);
	int left = (int)got;

	if (got < 0 && errno == ENOBUFS) {
		nl_overrun(n);
		return true;
	}
	if (got < 0) {
		if (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
			nl_die(n, errno);
		return errno == EINTR;
	}
	for (const struct nlmsghdr *h = (const void *)n->buffer; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
		nl_message(n, h);
	/* of a dump's reply, keys */
	secret_wipe(n->buffer, (size_t)got);
	return true;
}

static void nl_read(struct nl *n)
{
	while (!n->dead && nl_read_one(n))
		;
}

static void nl_readable(void *arg, uint32_t events)
{
	nl_read(arg);
}

/* ---- sending ---- */

/* Takes the next request to be sent off its queue; NULL: none may be sent now. */
static struct nl_request *nl_next(struct nl *n)
{
	struct list *from = !n->dumping && n->n_dumps ? &n->dumps : &n->queued;
	struct nl_request *q;

	if (n->n_sent >= NL_WINDOW || list_empty(from))
		return NULL;
	q = list_entry(from->next, struct nl_request, link);
	list_del(&q->link);
	if (q->dump)
		n->n_dumps--;
	else
		n->n_queued--;
	return q;
}

static void nl_put_back(struct nl *n, struct nl_request *q)
{
	list_add_head(q->dump ? &n->dumps : &n->queued, &q->link);
	if (q->dump)
		n->n_dumps++;
	else
		n->n_queued++;
}

static size_t nl_gather(struct nl *n, struct iovec *iov)
{
	uint64_t due = clock_monotonic_ms() + n->options.timeout_ms;
	size_t count = 0, bytes = 0;
	struct nl_request *q;

	while (count < NL_BATCH && (q = nl_next(n)) != NULL) {
		if (bytes + q->h->nlmsg_len > NL_BATCH_BYTES && count) {
			nl_put_back(n, q);
			break;
		}
		if (++n->seq == 0)
			n->seq = 1;
		q->h->nlmsg_seq = n->seq;
		q->h->nlmsg_pid = n->io.portid; /* xfrm_user copies it to the notifications of what we ask for (move.c) */
		q->due = due;
		n->dumping |= q->dump;
		list_add_tail(&n->sent, &q->link);
		n->n_sent++;
		iov[count++] = (struct iovec){ q->h, MNL_ALIGN(q->h->nlmsg_len) };
		bytes += q->h->nlmsg_len;
	}
	return count;
}

/* The batch was not taken: it is tried again, or fails. */
static void nl_send_failed(struct nl *n, size_t count, int error)
{
	bool again = error == EAGAIN || error == ENOBUFS || error == ENOMEM || error == EINTR;

	for (; count > 0; count--) {
		struct nl_request *q = list_entry(n->sent.prev, struct nl_request, link);

		if (again)
			nl_requeue(n, q);
		else
			nl_sent_end(n, q, error, "");
	}
}

static void nl_timer_set(struct nl *n);

void nl_expire(struct nl *n, uint64_t now)
{
	while (!list_empty(&n->sent)) {
		struct nl_request *q = list_entry(n->sent.next, struct nl_request, link);

		if (q->due > now)
			break;
		nl_lost(n, q, ETIMEDOUT);
	}
}

static void nl_timer(struct timer *t)
{
	struct nl *n = container_of(t, struct nl, timer);

	nl_expire(n, clock_monotonic_ms());
	nl_timer_set(n);
}

static void nl_timer_set(struct nl *n)
{
	uint64_t now;

	if (!n->loop || n->dead)
		return;
	now = clock_monotonic_ms();
	if (!list_empty(&n->sent)) {
		uint64_t due = list_entry(n->sent.next, struct nl_request, link)->due;

		timer_start(loop_wheel(n->loop), &n->timer, due > now ? due : now + 1, nl_timer);
	} else if (n->n_queued + n->n_dumps) {
		timer_start(loop_wheel(n->loop), &n->timer, now + NL_LATER_MS, nl_timer);
	} else {
		timer_stop(loop_wheel(n->loop), &n->timer);
	}
}

void nl_flush(struct nl *n)
{
	struct iovec iov[NL_BATCH];
	size_t count;

	if (n->dead)
		nl_end_all(n, ENOTCONN, "");
	while (!n->dead && (count = nl_gather(n, iov)) > 0) {
		n->counters.batches++;
		if (n->io.send(n->io.arg, iov, count) < 0) {
			nl_send_failed(n, count, errno);
			break;
		}
		nl_read(n); /* the kernel has answered all but dumps when send returns */
	}
	nl_timer_set(n);
}

bool nl_watch(struct nl *n, struct loop *loop)
{
	n->loop = loop;
	n->watch = loop_add(loop, n->io.fd, EPOLLIN, nl_readable, n);
	return n->watch != NULL;
}

bool nl_drain(struct nl *n, unsigned limit_ms)
{
	uint64_t now = clock_monotonic_ms(), end = now + limit_ms;

	while (nl_outstanding(n) && !n->dead && now < end) {
		struct pollfd p = { n->io.fd, POLLIN, 0 };

		nl_flush(n);
		if (!nl_outstanding(n))
			break;
		(void)poll(&p, 1, (int)(end - now < NL_LATER_MS ? end - now : NL_LATER_MS));
		nl_read(n);
		now = clock_monotonic_ms();
	}
	return nl_outstanding(n) == 0;
}
