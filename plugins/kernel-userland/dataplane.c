/* SPDX-License-Identifier: Apache-2.0 */
#include "dataplane.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "loop/thread.h"
#include "util/log.h"

void dataplane_init(struct dataplane *dp)
{
	if (getrandom(&dp->hash_key, sizeof(dp->hash_key), 0) != (ssize_t)sizeof(dp->hash_key))
		LOG(KNL, LOG_LEVEL_CONTROL, "no random hash key: %s", strerror(errno));
	pthread_mutex_init(&dp->gate_in, NULL);
	pthread_mutex_init(&dp->gate_out, NULL);
	dp->policies = policy_table_new(&dp->hash_key);
	dp->drops_in = policy_table_new(&dp->hash_key);
	hold_init(&dp->hold);
	dp->release_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

void dataplane_clear(struct dataplane *dp)
{
	policy_table_free(dp->policies);
	policy_table_free(dp->drops_in);
	hold_clear(&dp->hold);
	if (dp->release_fd >= 0)
		close(dp->release_fd);
	hashtab_clear(&dp->spis);
	pthread_mutex_destroy(&dp->gate_in);
	pthread_mutex_destroy(&dp->gate_out);
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
	if (c->in.spi) {
		pthread_mutex_lock(&dp->gate_in);
		taken = dataplane_find_spi(dp, c->in.spi) != NULL;
		if (!taken)
			hashtab_insert(&dp->spis, &c->spi_node, hash_u64(&dp->hash_key, c->in.spi));
		pthread_mutex_unlock(&dp->gate_in);
	}
	if (taken)
		return false;
	if (c->policies_in) {
		pthread_mutex_lock(&dp->gate_in);
		policies_add(dp->drops_in, c->policies_in, c->n_policies, c->place);
		pthread_mutex_unlock(&dp->gate_in);
	}
	pthread_mutex_lock(&dp->gate_out);
	policies_add(dp->policies, c->policies, c->n_policies, c->place);
	if (c->out.spi && dp->hold.n)
		(void)!write(dp->release_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
	pthread_mutex_unlock(&dp->gate_out);
	c->in_tables = c->carries = true;
	return true;
}

void dataplane_remove(struct dataplane *dp, struct kernel_handle *c)
{
	if (!c->in_tables)
		return;
	pthread_mutex_lock(&dp->gate_out);
	if (c->carries)
		policies_remove(dp->policies, c->policies, c->n_policies);
	if (c->out.spi == 0)
		hold_forget(&dp->hold, c->child_id);
	pthread_mutex_unlock(&dp->gate_out);
	c->carries = false;
	if (c->policies_in) {
		pthread_mutex_lock(&dp->gate_in);
		policies_remove(dp->drops_in, c->policies_in, c->n_policies);
		pthread_mutex_unlock(&dp->gate_in);
	}
	if (c->in.spi) {
		pthread_mutex_lock(&dp->gate_in);
		hashtab_remove(&dp->spis, &c->spi_node);
		pthread_mutex_unlock(&dp->gate_in);
	}
	c->in_tables = false;
}

void dataplane_carry(struct dataplane *dp, struct kernel_handle *c, bool on)
{
	if (!c->in_tables)
		return;
	pthread_mutex_lock(&dp->gate_out);
	if (c->carries)
		policies_remove(dp->policies, c->policies, c->n_policies);
	if (on)
		policies_add(dp->policies, c->policies, c->n_policies, POLICY_NEWEST);
	c->carries = on;
	pthread_mutex_unlock(&dp->gate_out);
}

void dataplane_move(struct dataplane *dp, struct kernel_handle *c, const struct addr *local, const struct addr *remote)
{
	pthread_mutex_lock(&dp->gate_out);
	out_dest_set(&c->dest, local, remote);
	pthread_mutex_unlock(&dp->gate_out);
	pthread_mutex_lock(&dp->gate_in);
	c->peer = *remote;
	pthread_mutex_unlock(&dp->gate_in);
}

void dataplane_advance(struct dataplane *dp, struct kernel_handle *c, uint64_t delta)
{
	pthread_mutex_lock(&dp->gate_out);
	esp_out_advance(&c->out, delta);
	pthread_mutex_unlock(&dp->gate_out);
}

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

	LOG(KNL, LOG_LEVEL_AUDIT, "kernel-userland: %s is gone, nothing is carried any more", what);
	if (dp->event)
		dp->event(dp->event_arg, &ev);
}

static void *dataplane_out_main(void *arg)
{
	struct dataplane *dp = arg;
	struct batch_out *batch = batch_out_new(dp);
	struct pollfd fds[3] = { { dp->tun_fd, POLLIN, 0 }, { dp->stop_fd, POLLIN, 0 }, { dp->release_fd, POLLIN, 0 } };

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
		while (fds[2].revents && batch_out_release(dp, batch) > 0)
			;
		for (int turn = 0; turn < 16 && batch_out_run(dp, batch) > 0; turn++)
			;
	}
	batch_out_free(batch);
	return NULL;
}

static void *dataplane_in_main(void *arg)
{
	struct dataplane *dp = arg;
	struct batch_in *batch = batch_in_new(dp);
	size_t n_polls = 2 * (size_t)dp->n_fds + 1;
	struct pollfd *polls = xcalloc(n_polls, sizeof(*polls));

	for (unsigned i = 0; i < dp->n_fds; i++) {
		polls[2 * i] = (struct pollfd){ dp->fds4[i], POLLIN, 0 };
		polls[2 * i + 1] = (struct pollfd){ dp->fds6[i], POLLIN, 0 };
	}
	polls[n_polls - 1] = (struct pollfd){ dp->stop_fd, POLLIN, 0 };
	for (;;) {
		int n;

		while ((n = poll(polls, (nfds_t)n_polls, -1)) < 0 && errno == EINTR)
			;
		if (n < 0 || polls[n_polls - 1].revents)
			break;
		for (size_t i = 0; i + 1 < n_polls; i++)
			if (polls[i].revents)
				for (int turn = 0; turn < 16 && batch_in_run(dp, batch, polls[i].fd) > 0; turn++)
					;
	}
	free(polls);
	batch_in_free(batch);
	return NULL;
}

bool dataplane_start(struct dataplane *dp, struct errtext *err)
{
	int e = thread_start(&dp->thread_in, "bewick-esp-in", dataplane_in_main, dp);

	if (e == 0) {
		e = thread_start(&dp->thread_out, "bewick-esp-out", dataplane_out_main, dp);
		dp->running = e == 0;
		if (e) {
			(void)!write(dp->stop_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
			pthread_join(dp->thread_in, NULL);
		}
	}
	if (e)
		errtext_set(err, "cannot start the packet threads: %s", strerror(e));
	return e == 0;
}

void dataplane_stop(struct dataplane *dp)
{
	if (!dp->running)
		return;
	(void)!write(dp->stop_fd, &(uint64_t){ 1 }, sizeof(uint64_t));
	pthread_join(dp->thread_in, NULL);
	pthread_join(dp->thread_out, NULL);
	dp->running = false;
}
