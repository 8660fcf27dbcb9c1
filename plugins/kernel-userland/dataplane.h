/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_DATAPLANE_H
#define USERLAND_DATAPLANE_H

#include <pthread.h>

#include "child.h"
#include "hold.h"
#include "tun_io.h"

/*
 * Packets are carried by pairs of threads, one pair per lane: a lane has a queue of the TUN device and sockets of its own. The
 * device gives all packets of a flow to one queue, the sockets are steered by peer, so that neither a flow nor what a peer sends is
 * spread over threads. Any lane may meet any SA: who works with one direction of it has its lock (child.h), for outbound packets
 * until they are sent, so that sequence numbers leave in their order.
 *
 * All look into the same tables. Each thread holds its own gate while it does, never over a system call; who changes a
 * table holds the gates of all. So a look-up takes no lock that others want, and what is found may be used under the gate,
 * or longer with child_get.
 */
struct lane {
	struct dataplane *dp;
	int tun_fd;     /* borrowed, as all descriptors; nonblocking */
	int fd4, fd6;   /* -1 = none; nonblocking */
	bool use_gso;   /* UDP_SEGMENT works: the outbound thread's after the start */
	pthread_mutex_t gate_in, gate_out;
	pthread_t thread_in, thread_out;
	unsigned threads; /* that run */
	_Atomic uint64_t batches_in, batches_out; /* that carried at least one packet */
};

#define LANES_MAX 32

struct dataplane {
	enum tun_vnet vnet;
	int stop_fd; /* readable when the threads are to end */
	kernel_event_fn *event;
	void *event_arg;
	struct hash_key hash_key;
	uint32_t mark;  /* of the sockets, 0 none */
	uint32_t mtu;   /* of the TUN device */
	struct drop_counters drops;
	_Atomic bool dead; /* and told */

	size_t (*stream_send)(void *arg, uint32_t stream, const struct bytes *packets, size_t n); /* NULL: no TCP */
	void *stream_arg;

	/* under all gates of the direction, or one to look: */
	struct hashtab spis;
	struct policy_table *drops_in; /* what DROP shunts are about */
	struct policy_table *policies;

	pthread_mutex_t hold_lock; /* taken under a gate: hold, and acquire_ms of traps */
	struct hold hold;
	int release_fd; /* readable when held packets may have a way */

	unsigned n_lanes;
	struct lane *lanes;  /* and one more, without threads and sockets, for what comes in TCP streams */
};

/* n: 1 to LANES_MAX. The caller then sets the descriptors and event. */
void dataplane_init(struct dataplane *dp, unsigned n);
bool dataplane_start(struct dataplane *dp, struct errtext *err);
void dataplane_stop(struct dataplane *dp); /* waits for the threads */
void dataplane_clear(struct dataplane *dp);

/* The service thread's. False: the inbound SPI is in use. */
bool dataplane_add(struct dataplane *dp, struct kernel_handle *c);
void dataplane_remove(struct dataplane *dp, struct kernel_handle *c);
/* Outbound packets may use it, before others with its selectors, or not at all. The service thread's. */
void dataplane_carry(struct dataplane *dp, struct kernel_handle *c, bool on);
void dataplane_move(struct dataplane *dp, struct kernel_handle *c, const struct addr *local, const struct addr *remote);

void dataplane_advance(struct dataplane *dp, struct kernel_handle *c, uint64_t delta);

/* NULL: none. Under a gate. */
struct kernel_handle *dataplane_find_spi(const struct dataplane *dp, uint32_t spi);

/* Events are gathered under a gate and told without it. */
struct event_list {
	struct kernel_event list[16];
	size_t n;
};
void event_list_add(struct event_list *l, const struct kernel_event *ev); /* forgets what is too much */
void event_list_tell(struct dataplane *dp, struct event_list *l);        /* and empties it */

/* ---- batches; each belongs to one thread ---- */
#define BATCH_MAX 64         /* datagrams read from a socket */
#define BATCH_SEGMENTS (64 * BATCH_MAX) /* packets in the datagrams of a batch (UDP_GRO gives up to 64) */
#define BATCH_STRIDE (65536 + PACKET_HEADROOM + PACKET_TAILROOM + 1472) /* no power of two: the cache */

struct batch_out;
struct batch_in;
struct batch_out *batch_out_new(struct lane *lane);
void batch_out_free(struct batch_out *b);
struct batch_in *batch_in_new(struct lane *lane);
void batch_in_free(struct batch_in *b);
/* Reads what is there, up to a batch, carries it on; how many packets were read. 0: nothing there. */
size_t batch_out_run(struct batch_out *b);
/* The same with packets that were held and have an SA now. */
size_t batch_out_release(struct batch_out *b);
size_t batch_in_run(struct batch_in *b, int fd);
/* Carries on what came in a TCP stream, at most STREAM_MAX packets; how many were good. The thread of the streams. */
#define STREAM_MAX 256
size_t batch_in_stream(struct batch_in *b, const struct addr *local, const struct addr *remote,
		       const struct kernel_packet *list, size_t n);

#endif
