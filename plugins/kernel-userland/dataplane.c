/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "loop/thread.h"
#include "util/log.h"

void dataplane_init(struct dataplane *dp, unsigned n)
{
	if (getrandom(&dp->hash_key, sizeof(dp->hash_key), 0) != (ssize_t)sizeof(dp->hash_key))
		LOG(KNL, LOG_LEVEL_CONTROL, "no random hash key: %s", strerror(errno));
	dp->policies = policy_table_new(&dp->hash_key);
	dp->drops_in = policy_table_new(&dp->hash_key);
	pthread_mutex_init(&dp->hold_lock, NULL);
	hold_init(&dp->hold);
	dp->release_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	dp->n_lanes = n;
	dp->lanes = xcalloc(n + 1, sizeof(*dp->lanes));
	for (unsigned i = 0; i <= n; i++) {
		struct lane *lane = &dp->lanes[i];

		lane->dp = dp;
		lane->tun_fd = lane->fd4 = lane->fd6 = -1;
		pthread_mutex_init(&lane->gate_in, NULL);
		pthread_mutex_init(&lane->gate_out, NULL);
	}
}

void dataplane_clear(struct dataplane *dp)
{
	policy_table_free(dp->policies);
	policy_table_free(dp->drops_in);
	hold_clear(&dp->hold);
	pthread_mutex_destroy(&dp->hold_lock);
	if (dp->release_fd >= 0)
		close(dp->release_fd);
	hashtab_clear(&dp->spis);
	for (unsigned i = 0; i <= dp->n_lanes; i++) {
		pthread_mutex_destroy(&dp->lanes[i].gate_in);
		pthread_mutex_destroy(&dp->lanes[i].gate_out);
	}
	free(dp->lanes);
}

/* ---- what the service thread changes ---- */

static void gates_close_in(struct dataplane *dp)
{
	for (unsigned i = 0; i <= dp->n_lanes; i++)
		pthread_mutex_lock(&dp->lanes[i].gate_in);
}

static void gates_open_in(struct dataplane *dp)
{
	for (unsigned i = 0; i <= dp->n_lanes; i++)
		pthread_mutex_unlock(&dp->lanes[i].gate_in);
}

static void gates_close_out(struct dataplane *dp)
{
	for (unsigned i = 0; i < dp->n_lanes; i++)
		pthread_mutex_lock(&dp->lanes[i].gate_out);
}

static void gates_open_out(struct dataplane *dp)
{
	for (unsigned i = 0; i < dp->n_lanes; i++)
		pthread_mutex_unlock(&dp->lanes[i].gate_out);
}

struct kernel_handle *dataplane_find_spi(const struct dataplane *dp, uint32_t spi)
{
	struct hashnode *n = hashtab_first(&dp->spis, hash_u64(&dp->hash_key, spi));

	for (; n; n = hashtab_next(n)) {
		struct kernel_handle *c = container_of(n, struct kernel_handle, spi_node);

		if (c->in.spi == spi)
			return c;
	}
	return NULL;
}

bool dataplane_add(struct dataplane *dp, struct kernel_handle *c)
{
	bool taken = false;

	/* Inbound first: an answer to our first packet must find its SA. */
	if (c->in.spi || c->policies_in) {
		gates_close_in(dp);
		taken = c->in.spi && dataplane_find_spi(dp, c->in.spi) != NULL;
		if (c->in.spi && !taken)
			hashtab_insert(&dp->spis, &c->spi_node, hash_u64(&dp->hash_key, c->in.spi));
		if (c->policies_in && !taken)
			policies_add(dp->drops_in, c->policies_in, c->n_policies, c->place);
		gates_open_in(dp);
	}
	if (taken)
		return false;
	gates_close_out(dp);
	policies_add(dp->policies, c->policies, c->n_policies, c->place);
	if (c->out.spi && dp->hold.n)
		(void)!write(dp->release_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
	gates_open_out(dp);
	c->in_tables = c->carries = true;
	return true;
}

void dataplane_remove(struct dataplane *dp, struct kernel_handle *c)
{
	if (!c->in_tables)
		return;
	gates_close_out(dp);
	if (c->carries)
		policies_remove(dp->policies, c->policies, c->n_policies);
	if (c->out.spi == 0)
		hold_forget(&dp->hold, c->child_id);
	gates_open_out(dp);
	c->carries = false;
	if (c->in.spi || c->policies_in) {
		gates_close_in(dp);
		if (c->policies_in)
			policies_remove(dp->drops_in, c->policies_in, c->n_policies);
		if (c->in.spi)
			hashtab_remove(&dp->spis, &c->spi_node);
		gates_open_in(dp);
	}
	c->in_tables = false;
}

void dataplane_carry(struct dataplane *dp, struct kernel_handle *c, bool on)
{
	if (!c->in_tables)
		return;
	gates_close_out(dp);
	if (c->carries)
		policies_remove(dp->policies, c->policies, c->n_policies);
	if (on)
		policies_add(dp->policies, c->policies, c->n_policies, POLICY_NEWEST);
	c->carries = on;
	gates_open_out(dp);
}

void dataplane_move(struct dataplane *dp, struct kernel_handle *c, const struct addr *local, const struct addr *remote)
{
	gates_close_out(dp);
	out_dest_set(&c->dest, local, remote);
	gates_open_out(dp);
	gates_close_in(dp);
	c->peer = *remote;
	gates_open_in(dp);
}

void dataplane_advance(struct dataplane *dp, struct kernel_handle *c, uint64_t delta)
{
	pthread_mutex_lock(&c->out_lock);
	esp_out_advance(&c->out, delta);
	pthread_mutex_unlock(&c->out_lock);
}

/* ---- events ---- */

void event_list_add(struct event_list *l, const struct kernel_event *ev)
{
	if (l->n < ARRAY_LEN(l->list))
		l->list[l->n++] = *ev;
}

void event_list_tell(struct dataplane *dp, struct event_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		if (dp->event)
			dp->event(dp->event_arg, &l->list[i]);
	l->n = 0;
}

/* Tells the core that nothing is carried any more: a descriptor failed for good. */
static void dataplane_dead(struct dataplane *dp, const char *what)
{
	struct kernel_event ev = { .kind = KERNEL_EVENT_DEAD };

	if (atomic_exchange(&dp->dead, true))
		return;
	LOG(KNL, LOG_LEVEL_AUDIT, "kernel-userland: %s is gone, nothing is carried any more", what);
	if (dp->event)
		dp->event(dp->event_arg, &ev);
}

/* ---- threads ---- */

static void *lane_out_main(void *arg)
{
	struct lane *lane = arg;
	struct dataplane *dp = lane->dp;
	struct batch_out *batch = batch_out_new(lane);
	/* packets that were held are the first lane's */
	int release_fd = lane == dp->lanes ? dp->release_fd : -1;
	struct pollfd fds[3] = { { lane->tun_fd, POLLIN, 0 }, { dp->stop_fd, POLLIN, 0 }, { release_fd, POLLIN, 0 } };

	for (;;) {
		int n;

		/* A busy device is read without asking; the stop is still seen between batches. */
		while ((n = poll(fds, 3, -1)) < 0 && errno == EINTR)
			;
		if (n < 0 || fds[1].revents)
			break;
		if (fds[0].revents & (POLLERR | POLLHUP | POLLNVAL)) {
			dataplane_dead(dp, "the TUN device");
			break;
		}
		/* what came first goes first */
		while (fds[2].revents && batch_out_release(batch) > 0)
			;
		for (int turn = 0; turn < 16 && batch_out_run(batch) > 0; turn++)
			;
	}
	batch_out_free(batch);
	return NULL;
}

static void *lane_in_main(void *arg)
{
	struct lane *lane = arg;
	struct batch_in *batch = batch_in_new(lane);
	struct pollfd fds[3] = { { lane->fd4, POLLIN, 0 }, { lane->fd6, POLLIN, 0 }, { lane->dp->stop_fd, POLLIN, 0 } };

	for (;;) {
		int n;

		while ((n = poll(fds, 3, -1)) < 0 && errno == EINTR)
			;
		if (n < 0 || fds[2].revents)
			break;
		for (int i = 0; i < 2; i++)
			if (fds[i].revents)
				for (int turn = 0; turn < 16 && batch_in_run(batch, fds[i].fd) > 0; turn++)
					;
	}
	batch_in_free(batch);
	return NULL;
}

/* 0, or errno. Names of threads have 15 characters. */
static int lane_start(struct lane *lane, unsigned index)
{
	char name[32];
	int e;

	snprintf(name, sizeof(name), "bewick-esp-i%u", index % 100);
	e = thread_start(&lane->thread_in, name, lane_in_main, lane);
	if (e)
		return e;
	lane->threads++;
	snprintf(name, sizeof(name), "bewick-esp-o%u", index % 100);
	e = thread_start(&lane->thread_out, name, lane_out_main, lane);
	if (e == 0)
		lane->threads++;
	return e;
}

bool dataplane_start(struct dataplane *dp, struct errtext *err)
{
	int e = 0;

	for (unsigned i = 0; i < dp->n_lanes && e == 0; i++)
		e = lane_start(&dp->lanes[i], i);
	if (e == 0)
		return true;
	dataplane_stop(dp);
	errtext_set(err, "cannot start the packet threads: %s", strerror(e));
	return false;
}

void dataplane_stop(struct dataplane *dp)
{
	if (dp->n_lanes && dp->lanes[0].threads)
		(void)!write(dp->stop_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
	for (unsigned i = 0; i < dp->n_lanes; i++) {
		struct lane *lane = &dp->lanes[i];

		if (lane->threads > 0)
			pthread_join(lane->thread_in, NULL);
		if (lane->threads > 1)
			pthread_join(lane->thread_out, NULL);
		lane->threads = 0;
	}
}
