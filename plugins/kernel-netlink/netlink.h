/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNEL_NETLINK_NETLINK_H
#define KERNEL_NETLINK_NETLINK_H

#include <libmnl/libmnl.h>
#include <stdatomic.h>
#include <sys/uio.h>

#include "loop/loop.h"

/*
 * A netlink socket whose requests are queued, sent many at a time, and each answered through a
 * function. One thread. Nothing blocks but nl_drain.
 */
struct nl;

/* How bytes come and go; tests put a kernel of their own here. Results and errno as those of sendmsg and recv. */
struct nl_io {
	int fd; /* readable when recv has something */
	ssize_t (*send)(void *arg, const struct iovec *iov, size_t n);
	ssize_t (*recv)(void *arg, void *buffer, size_t size);
	void *arg;
	uint32_t portid; /* what answers to our requests have as nlmsg_pid */
};

struct nl_options {
	unsigned timeout_ms; /* after which a request counts as lost, not 0 */
	unsigned retries;    /* of what was lost and may be repeated */
	int receive_buffer;  /* bytes, 0: the system's */
};

/* A message of the answer, or of a dump; borrowed. NULL: a dump begins again, what it said is void. */
typedef void nl_message_fn(void *arg, const struct nlmsghdr *h);
/* The end of a request. error: 0 or an errno; text: the kernel's own words, "" if it had none, borrowed. */
typedef void nl_done_fn(void *arg, int error, const char *text);
/* What nobody asked for: multicast messages. NULL: some were lost (ENOBUFS). */
typedef void nl_event_fn(void *arg, const struct nlmsghdr *h);
/* The socket is lost for good. */
typedef void nl_dead_fn(void *arg, const char *why);

/* fn may be NULL. A zeroed one is for requests whose end nobody waits for. */
struct nl_answer {
	nl_message_fn *message;
	nl_done_fn *done;
	void *arg;
};

/* Room for the largest request we make: a NEWSA with a replay window of 4096 and the longest keys. */
#define NL_REQUEST_SIZE 2048
union nl_request_buffer {
	struct nlmsghdr h;
	uint64_t align; /* of what follows the header */
	uint8_t bytes[NL_REQUEST_SIZE];
};

/* Opens a socket of `protocol` (NETLINK_XFRM). Without a loop only nl_drain reads. NULL: err says why. */
struct nl *nl_open(int protocol, const struct nl_options *o, struct errtext *err);
struct nl *nl_new(const struct nl_io *io, const struct nl_options *o); /* over something else; io->fd stays the caller's */
void nl_free(struct nl *n); /* requests that wait end with ECANCELED */
MUST_CHECK bool nl_watch(struct nl *n, struct loop *loop); /* reads by the loop from now on */
void nl_on_event(struct nl *n, nl_event_fn *fn, void *arg);
void nl_on_dead(struct nl *n, nl_dead_fn *fn, void *arg);
int nl_group(struct nl *n, unsigned group, bool join); /* 0 or errno */
struct sock_filter;
int nl_filter(struct nl *n, const struct sock_filter *code, size_t n_code); /* what comes; 0 or errno */
uint32_t nl_portid(const struct nl *n);

/* Begins a message in b: type and NLM_F_* beside REQUEST and ACK. */
struct nlmsghdr *nl_begin(union nl_request_buffer *b, uint16_t type, uint16_t flags);
/* Queues a copy; b is wiped, as it may hold keys. A request with NLM_F_DUMP waits for the dump before it. Order is kept among the others. */
void nl_queue(struct nl *n, union nl_request_buffer *b, struct nl_answer answer);
/* Sends what is queued and reads what is there: at the end of each turn of the loop. Not in callbacks. */
void nl_flush(struct nl *n);
/* Blocks until all is answered, or `limit_ms` are over. False: not all was. Not in callbacks. */
bool nl_drain(struct nl *n, unsigned limit_ms);
void nl_expire(struct nl *n, uint64_t now_ms); /* what should be answered by then counts as lost; a timer does it */
size_t nl_outstanding(const struct nl *n); /* queued or unanswered */

/* Written by the thread of the socket; any thread may read. */
struct nl_counters {
	_Atomic uint64_t requests, batches, errors, lost, overruns, interrupted_dumps;
};
const struct nl_counters *nl_counters(const struct nl *n);

#endif
