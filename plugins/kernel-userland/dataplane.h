/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_DATAPLANE_H
#define USERLAND_DATAPLANE_H

#include <pthread.h>

#include "child.h"
#include "hold.h"

/*
 * The tables the two packet threads look into and the threads themselves. Each thread holds
 * the gate of its direction while it works on a batch of packets, never over a system call; the
 * service thread takes a gate to change what that direction sees. So a packet costs no
 * lock, and whoever holds both gates may free a child that is in no table.
 */
struct dataplane {
	int tun_fd;            /* borrowed, as all descriptors; nonblocking */
	bool vnet;             /* the TUN device has IFF_VNET_HDR (offload.h) */
	const int *fds4, *fds6; /* n_fds pairs, -1 = none; nonblocking */
	unsigned n_fds;
	int stop_fd; /* readable when the threads are to end */
	kernel_event_fn *event;
	void *event_arg;
	struct hash_key hash_key;
	uint32_t mark;  /* of the sockets, 0 none */
	uint32_t mtu;   /* of the TUN device */
	bool use_gso; /* UDP_SEGMENT works here: the outbound thread's after the start */
	struct drop_counters drops;
	_Atomic uint64_t batches_in, batches_out; /* that carried at least one packet */

	size_t (*stream_send)(void *arg, uint32_t stream, const struct bytes *packets, size_t n); /* NULL: no TCP */
	void *stream_arg;

	pthread_mutex_t gate_in; /* spis, and esp_in, peer and selectors of all in it */
	struct hashtab spis;
	struct policy_table *drops_in; /* what DROP shunts are about */
	pthread_mutex_t gate_out; /* policies, and esp_out and dest of all in them */
	struct policy_table *policies;
	struct hold hold;
	int release_fd; /* readable when held packets may have a way */

	pthread_t thread_in, thread_out;
	bool running;
};

/* Descriptors, event and n_fds were set by the caller. */
void dataplane_init(struct dataplane *dp);
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

/* NULL: none. Under gate_in. */
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
struct batch_out *batch_out_new(const struct dataplane *dp);
void batch_out_free(struct batch_out *b);
struct batch_in *batch_in_new(const struct dataplane *dp);
void batch_in_free(struct batch_in *b);
/* Reads what is there, up to a batch, carries it on; how many packets were read. 0: nothing there. */
size_t batch_out_run(struct dataplane *dp, struct batch_out *b);
/* The same with packets that were held and have an SA now. */
size_t batch_out_release(struct dataplane *dp, struct batch_out *b);
size_t batch_in_run(struct dataplane *dp, struct batch_in *b, int fd);
/* Carries on what came in a TCP stream, at most STREAM_MAX packets; how many were good. The thread of the streams. */
#define STREAM_MAX 256
size_t batch_in_stream(struct dataplane *dp, struct batch_in *b, const struct addr *local, const struct addr *remote,
		       const struct kernel_packet *list, size_t n);

#endif
