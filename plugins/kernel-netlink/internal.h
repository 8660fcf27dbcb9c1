/* SPDX-License-Identifier: Apache-2.0 */
#ifndef KERNEL_NETLINK_INTERNAL_H
#define KERNEL_NETLINK_INTERNAL_H

#include <linux/xfrm.h>
#include <pthread.h>
#include <stdatomic.h>

#include "kernel/kernel.h"
#include "kernel/spi_pool.h"
#include "loop/loop.h"
#include "loop/mailbox.h"
#include "netlink.h"
#include "txn.h"
#include "util/hash.h"

#define SETTING "plugins.kernel-netlink."

#define QUERY_POSTED UINT64_MAX

struct policies; /* policy.c's */

/*
 * The backend. Requests of workers are mail to one service thread, which alone talks to the kernel.
 *
 * Owner: the `user` of a selector is stored with SAs and policies and given back in dumps, but the kernel matches no packet
 * with it. All of ours have `owner` there, so that what a killed predecessor left is known for ours and nothing
 * else is touched. It holds the IKE port: two daemons in one namespace can only differ in that.
 */
struct kernel {
	kernel_event_fn *event;
	void *event_arg;
	struct nl_options nl_options;
	uint32_t owner;
	uint32_t mark; /* of IKE's packets, 0 none */
	struct spi_pool *spis;
	struct mailbox *box;
	pthread_t service;
	bool service_runs;

	/* the service thread's after the start */
	struct loop *loop;
	struct nl *nl;     /* requests */
	struct nl *events; /* ACQUIRE, EXPIRE, MAPPING */
	struct hash_key hash_key;
	struct hashtab sas; /* struct sa by SPI */
	struct list children;
	size_t n_children;
	struct list fences;      /* fence.h: those that still wait here */
	uint64_t fence_no;       /* of the last one */
	struct list queries;     /* children whose counters are wanted */
	size_t n_queries;
	bool dumping;            /* a dump of all SAs is under way */
	bool resync;             /* the next dump is to find what vanished; resync_dump: the one under way does */
	bool resync_dump, stopping;
	bool resync_busy;        /* it could not tell of all: some were busy */
	unsigned n_gone;         /* it found: SAs that are gone, */
	unsigned n_unknown;      /* and some of ours that nobody knows */
	unsigned moving;         /* moves under way: SA notifications are on */
	_Atomic uint64_t n_failed; /* for statistics */
	bool policies_open;
	struct policies *policies;
};

/* One direction. */
struct sa {
	struct hashnode node; /* in kernel.sas, while `indexed` */
	bool indexed;
	struct kernel_handle *h;
	const struct kernel_sa *conf; /* in h->conf */
	bool in;
	bool ours;       /* in the kernel, or perhaps: to be deleted */
	bool told_soft, told_hard;
	bool seen;       /* by the dump under way */
	struct sa_state *state;   /* to begin with, while it is added; NULL: at zero */
	uint64_t limit_packets; /* hard limit that sequence numbers leave; 0 none */
	/* last known; the service thread writes, workers read */
	_Atomic uint64_t bytes, packets, last_use_ms;
};

/* A CHILD_SA; without SPIs a trap or shunt. Made by the worker that installs it, then the service thread's. */
struct kernel_handle {
	struct kernel *kernel;
	struct mail install_mail, remove_mail, query_mail; /* embedded: neither can fail */
	struct kernel_done done;                           /* of install */
	struct kernel_child conf; /* a deep copy; addresses change when it moves. Keys are wiped with it */
	struct sa in, out;
	unsigned offload_ifindex; /* != 0: the SAs are offloaded to it */

	struct list link; /* of all children */
	struct list query_link;
	unsigned refs;    /* requests under way that know it, and one until it is removed */
	bool busy;        /* installing or moving: what comes meanwhile waits */
	uint64_t busy_since; /* kernel.fence_no then */
	bool installed;
	bool remove_wanted, removed;
	struct txn txn;
	struct move *move, *next_move; /* under way; to be done next */
	_Atomic uint64_t asked_ms;     /* when counters were read last; QUERY_POSTED: query_mail is under way */
	void *policy;                  /* policy.c's */
};

static inline bool handle_has_sas(const struct kernel_handle *h)
{
	return h->conf.in.spi != 0;
}

/* ---- child.c ---- */
/* Checks and copies. NULL: err says what this backend cannot do. Any thread. */
struct kernel_handle *handle_new(struct kernel *k, const struct kernel_child *conf, struct errtext *err);
void handle_free(struct kernel_handle *h);
void handle_ref(struct kernel_handle *h);
void handle_unref(struct kernel_handle *h);

/* ---- service.c ---- */
bool netlink_service_start(struct kernel *k, struct errtext *err);
void netlink_service_stop(struct kernel *k);
void service_turn(struct kernel *k); /* what the thread does when woken, without one: tests */
/* Mail to the service thread. */
enum service_mail { SERVICE_INSTALL, SERVICE_REMOVE, SERVICE_MOVE, SERVICE_CARRY, SERVICE_QUERY, SERVICE_VIP, SERVICE_FENCE,
		    SERVICE_STOP };
struct service_carry {
	struct mail mail;
	struct kernel_handle *h;
	bool on;
};
struct service_vip {
	struct mail mail;
	struct kernel_vip vip;
	bool add;
};
void kernel_tell(struct kernel *k, const struct kernel_event *ev);
struct kernel_event handle_event(const struct kernel_handle *h, enum kernel_event_kind kind);

/* ---- backend.c: the steps of a start, which tests take with sockets of their own ---- */
struct kernel *backend_new(const struct kernel_env *env);
bool backend_settings(struct kernel *k, const struct settings *s, struct errtext *err);
/* Opens what is not there yet and removes what is left of a former life; netlink_service_start is next. */
bool backend_open(struct kernel *k, const struct kernel_env *env, struct errtext *err);
void event_message(void *kernel, const struct nlmsghdr *m); /* nl_event_fn of k->events */

EXPORT extern const struct kernel_ops netlink_ops;

#endif
