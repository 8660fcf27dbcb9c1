/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "daemon/daemon.h"
#include "daemon/values.h"
#include "net/tcp.h"
#include "util/log.h"

static void backend_event(void *arg, const struct kernel_event *ev)
{
	struct daemon *d = arg;

	if (ev->kind == KERNEL_EVENT_DEAD) {
		atomic_store(&d->backend_dead, true);
		daemon_wake(d);
		return;
	}
	pthread_rwlock_rdlock(&d->events_lock);
	if (d->events_to)
		workers_kernel_event(d->events_to, ev);
	pthread_rwlock_unlock(&d->events_lock);
}

static size_t backend_stream_send(void *arg, uint32_t stream, const struct bytes *packets, size_t n)
{
	return tcp_send_esp(arg, stream, packets, n);
}

static void backend_draw(const struct daemon *d, void *out, size_t n)
{
	struct crypto_ctx *c = crypto_ctx_new(d->plugin_env.crypto);

	crypto_random(c, out, n);
	crypto_ctx_free(c);
}

struct conn_backend daemon_backend(const struct kernel_ops *ops)
{
	return (struct conn_backend){
		.name = ops->name,
		.transport = ops->supports_transport,
		.beet = ops->supports_beet,
		.scope = ops->supports_scope,
		.hw_offload = ops->supports_hw_offload,
		.tfc = ops->supports_tfc,
		.sha256_96 = ops->supports_sha256_96,
	};
}

/* Our packets must not take the ways that are made for those of tunnels. */
static uint32_t backend_mark(const struct daemon *d)
{
	return values_mark(d->settings, d->kernel_ops->esp_sockets || d->kernel_ops->udp_encap);
}

bool daemon_open_net(struct daemon *d, struct errtext *err)
{
	struct net_options o = net_options_default();
	const char *name = settings_str(d->settings, "kernel", "auto");

	d->kernel_ops = kernel_choose(d->plugin_env.kernel, name, d->settings, err);
	if (!d->kernel_ops)
		return false;
	values_net(d->settings, &o);
	o.tcp = d->kernel_ops->supports_streams;
	d->n_workers = o.workers = values_worker_count(d->settings);
	if (d->kernel_ops->esp_sockets && !d->kernel_ops->esp_sockets(d->settings, &d->n_esp_sockets, err))
		return false;
	o.esp_sockets = d->n_esp_sockets;
	o.udp_encap = d->kernel_ops->udp_encap;
	o.bypass = o.udp_encap || o.esp_sockets > 0; /* the latter has policies for shunts */
	o.mark = backend_mark(d);
	backend_draw(d, &o.steer_secret, sizeof(o.steer_secret));
	if (!result_is_ok(net_open(&o, &d->net, err)))
		return false;
	return true;
}

void daemon_close_net(struct daemon *d)
{
	net_close(d->net);
	d->net = NULL;
}

bool daemon_start_kernel(struct daemon *d, struct errtext *err)
{
	unsigned n = d->n_esp_sockets;
	struct kernel_env env = {
		.settings = d->first_settings,
		.crypto = d->plugin_env.crypto,
		.event = backend_event,
		.event_arg = d,
		.esp_n = n,
		.mark = backend_mark(d),
	};
	struct errtext why;

	d->esp_fds4 = xcalloc(n ? n : 1, sizeof(int));
	d->esp_fds6 = xcalloc(n ? n : 1, sizeof(int));
	for (unsigned i = 0; i < n; i++) {
		d->esp_fds4[i] = net_esp_fd(d->net, AF_INET, i);
		d->esp_fds6[i] = net_esp_fd(d->net, AF_INET6, i);
	}
	env.esp_fds4 = d->esp_fds4;
	env.esp_fds6 = d->esp_fds6;
	if (net_tcp(d->net)) {
		env.stream_send = backend_stream_send;
		env.stream_arg = net_tcp(d->net);
	}
	backend_draw(d, &env.generation_seed, sizeof(env.generation_seed));
	d->kernel = d->kernel_ops->start(&env, &why);
	if (d->kernel)
		return true;
	errtext_set(err, "the IPsec backend %s cannot start: %s", d->kernel_ops->name, why.s);
	return false;
}

void daemon_stop_kernel(struct daemon *d)
{
	if (d->kernel)
		d->kernel_ops->stop(d->kernel);
	d->kernel = NULL;
	free(d->esp_fds4);
	free(d->esp_fds6);
	d->esp_fds4 = d->esp_fds6 = NULL;
}
