/* SPDX-License-Identifier: Apache-2.0 */
#ifndef USERLAND_USERLAND_H
#define USERLAND_USERLAND_H

#include "dataplane.h"
#include "guard.h"
#include "kernel/vip.h"
#include "kernel/spi_pool.h"
#include "shunt.h"
#include "tun.h"

/*
 * The backend. Requests of workers are mail to one service thread, which owns the routes, changes the
 * tables of the data plane and answers; so no worker waits for a system call or a batch.
 */
struct kernel {
	kernel_event_fn *event;
	struct spi_pool *spis;
	struct mailbox *box;
	pthread_t service;
	bool service_runs;
	struct dataplane dp;
	struct batch_in *stream_batch; /* of the thread of the TCP streams; made when first used */
	int stop_fd;
	char device[IFNAMSIZ];
	unsigned ifindex, mtu;
	bool has_fds[2]; /* sockets for IPv4, IPv6 */

	/* the service thread's after the start */
	struct rtnl rtnl, monitor;
	struct rtnl_rule rules[2];
	size_t n_rules;
	struct route_table routes;
	struct vip_table vips;
	struct shunt_table shunts;
	struct guard guard;
	bool install_routes;
	bool told_forwarding;
	struct list children;
};

/* Mail to the service thread. */
enum service_mail { SERVICE_INSTALL, SERVICE_REMOVE, SERVICE_UPDATE, SERVICE_ADVANCE, SERVICE_CARRY, SERVICE_VIP, SERVICE_FENCE,
		    SERVICE_STOP };

struct service_carry {
	struct mail mail;
	struct kernel_handle *child;
	bool on;
};

struct service_update {
	struct mail mail;
	struct kernel_handle *child;
	struct kernel_move move;
	struct kernel_done done;
};

struct service_fence {
	struct mail mail;
	struct kernel_done done;
};

struct service_advance {
	struct mail mail;
	struct kernel_handle *child;
	uint64_t delta;
};

struct service_vip {
	struct mail mail;
	struct kernel_vip vip;
	bool add;
};

bool service_start(struct kernel *k, struct errtext *err);
void service_stop(struct kernel *k); /* all mail before it is done; children that are left are freed */

EXPORT extern const struct kernel_ops userland_ops;

#endif
