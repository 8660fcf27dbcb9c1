/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_CHILD_H
#define USERLAND_CHILD_H

#include <pthread.h>
#include <stdatomic.h>

#include "esp.h"
#include "kernel/route.h"
#include "loop/mailbox.h"
#include "policy.h"
#include "util/ratelimit.h"

/* Where the packets of an SA go, ready for sendmsg. */
struct out_dest {
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	} to;
	socklen_t to_len;
	struct addr local, remote; /* local: the source address */
};

void out_dest_set(struct out_dest *d, const struct addr *local, const struct addr *remote);

struct shunt_rule;
struct guard_use;

/*
 * A CHILD_SA, or with spi 0 a trap or a shunt. What is not said to change is set before the service thread
 * hands it to the data plane.
 */
struct kernel_handle {
	struct mail install_mail, remove_mail; /* embedded: removing cannot fail */
	struct kernel_done done;               /* of install */
	uint32_t reqid, ike_id, child_id; /* come back in events */
	char *name;
	struct ts_list local_ts, remote_ts; /* owned */
	struct addr *vips;                  /* owned */
	size_t n_vips;
	struct policy *policies;
	size_t n_policies;
	enum policy_place place;
	uint32_t priority;
	enum ipsec_mode mode; /* TUNNEL, or of a shunt PASS, DROP */
	struct policy *policies_in; /* of a DROP shunt: n_policies */

	_Atomic unsigned users; /* who may still use it; see child_get */
	struct hashnode spi_node; /* of the inbound table */
	/* Taken under a gate: in, usage apart; peer; mappings. */
	pthread_mutex_t in_lock;
	/* Taken without a gate, and held until the packets are sent: out, usage apart. Who takes several does so by address. */
	pthread_mutex_t out_lock;
	struct esp_in in;
	struct esp_out out;
	struct out_dest dest;     /* of all outbound gates */
	struct addr peer;         /* inbound packets come from there, or were told to */
	struct ratelimit mappings; /* other addresses of the peer that are told */
	uint64_t acquire_ms;      /* of a trap: when an acquire was told last; hold_lock's */

	struct list link;         /* of all that were installed; the service thread's, and below */
	bool in_tables;
	bool carries;             /* its policies are in the table */
	struct route_user routes;
	struct shunt_rule *rules; /* n_rules */
	size_t n_rules;
	bool shunted;             /* its rules are there */
	struct guard_use *guards; /* n_guards; guard.c's, NULL: none */
	size_t n_guards;
	struct list guard_link; /* of shunts of mode PASS, if guard_passes */
	bool guard_passes;
};

static inline bool child_is_shunt(const struct kernel_handle *c)
{
	return c->mode != IPSEC_MODE_TUNNEL;
}

static inline struct kernel_event child_event(const struct kernel_handle *c, enum kernel_event_kind kind)
{
	return (struct kernel_event){ .kind = kind, .spi = c->in.spi, .ike_id = c->ike_id, .child_id = c->child_id,
				      .reqid = c->reqid };
}

/* Copies what is needed, and has one user. NULL: err says why. Any thread, takes no lock. */
struct kernel_handle *child_new(const struct kernel_child *conf, struct errtext *err);
/* One more user: under a gate, of a child that is in a table. */
static inline void child_get(struct kernel_handle *c)
{
	atomic_fetch_add_explicit(&c->users, 1, memory_order_relaxed);
}
/* One user less; the last one frees it. The service thread is one until the child is in no table. */
void child_put(struct kernel_handle *c);

#endif
