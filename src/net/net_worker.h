/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_NET_NET_WORKER_H
#define BEWICK_NET_NET_WORKER_H

#include "net/net.h"
#include "util/ratelimit.h"

/* Inside of net/: one worker's state, in the hands of receiver.c and sender.c. */

#define NATT_MARKER_LEN 4 /* RFC 3948, 2.2 */

struct receiver; /* buffers for one batch */
struct sender;	 /* system call arguments for one batch */
struct send_queue;

struct net_worker {
	unsigned index;
	uint16_t port_nat_t;
	struct tcp *tcp; /* NULL: none */
	unsigned max_packet;
	int fds[NET_SOCKS];
	uint16_t ports[NET_SOCKS];
	struct net_counters counters;
	struct receiver *receiver;
	struct sender *sender;
	struct send_queue *queues[NET_SOCKS]; /* made when first used */
	struct ratelimit log_limit;
	uint64_t log_skipped; /* lines not logged since the last */
};

static inline bool net_sock_is_natt(enum net_sock sock)
{
	return sock == NET_SOCK_V4_NATT || sock == NET_SOCK_V6_NATT;
}

static inline enum net_sock net_sock_of(bool v6, bool natt)
{
	return v6 ? (natt ? NET_SOCK_V6_NATT : NET_SOCK_V6)
		  : (natt ? NET_SOCK_V4_NATT : NET_SOCK_V4);
}

struct receiver *receiver_new(unsigned max_packet);
void receiver_free(struct receiver *r);
struct sender *sender_new(void);
void sender_free(struct sender *s);
void send_queue_free(struct send_queue *q);

#endif
