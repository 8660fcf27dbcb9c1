/* SPDX-License-Identifier: Apache-2.0 */
#include "userland.h"

#include <errno.h>
#include <netinet/udp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <unistd.h>

#include "config/settings.h"
#include "util/log.h"

#define SETTING "plugins.kernel-userland."
#define MTU_DEFAULT 1400
#define MTU_MIN 68
#define MTU_MAX 65000
#define THREADS_DEFAULT_MAX 16

static bool userland_probe(const struct settings *settings, struct errtext *err)
{
	return tun_probe(err);
}

/* A pair of threads per processor. */
static bool userland_esp_sockets(const struct settings *settings, unsigned *ret_n, struct errtext *err)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	int64_t n = settings_int(settings, SETTING "threads", 0);

	if (n < 0 || n > LANES_MAX) {
		errtext_set(err, SETTING "threads is %lld: 1 to %d is possible, or 0 for one per processor", (long long)n, LANES_MAX);
		return false;
	}
	if (n == 0)
		n = cpus < 1 ? 1 : cpus > THREADS_DEFAULT_MAX ? THREADS_DEFAULT_MAX : cpus;
	*ret_n = (unsigned)n;
	return true;
}

/* ---- start and stop ---- */

/* The marks of outer headers, and offloads where the kernel has them. */
static void userland_prepare_socket(struct kernel *k, struct lane *lane, int fd, bool v4)
{
	int on = 1, off = 0;

	if (fd < 0)
		return;
	k->has_fds[!v4] = true;
	if (setsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, v4 ? IP_RECVTOS : IPV6_RECVTCLASS, &on, sizeof(on)) < 0)
		LOG(KNL, LOG_LEVEL_CONTROL, "no congestion marks of outer headers: %s", strerror(errno));
	(void)setsockopt(fd, IPPROTO_UDP, UDP_GRO, &on, sizeof(on)); /* only makes it faster */
	if (setsockopt(fd, IPPROTO_UDP, UDP_SEGMENT, &off, sizeof(off)) < 0)
		lane->use_gso = false;
}

static bool userland_prepare_sockets(struct kernel *k, const struct kernel_env *env, struct errtext *err)
{
	for (unsigned i = 0; i < k->dp.n_lanes; i++) {
		struct lane *lane = &k->dp.lanes[i];

		lane->use_gso = true;
		lane->fd4 = env->esp_fds4[i];
		lane->fd6 = env->esp_fds6[i];
		userland_prepare_socket(k, lane, lane->fd4, true);
		userland_prepare_socket(k, lane, lane->fd6, false);
	}
	k->dp.mark = env->mark;
	if (k->has_fds[0] || k->has_fds[1])
		return true;
	errtext_set(err, "there is no socket for ESP on the NAT-T port");
	return false;
}

/* A queue of the device for each lane; what comes in streams goes by the first. */
static bool userland_open_queues(struct kernel *k, const char *name, struct errtext *err)
{
	struct lane *lanes = k->dp.lanes;
	bool udp = false;

	for (unsigned i = 0; i < k->dp.n_lanes; i++) {
		lanes[i].tun_fd = i == 0 ? tun_open(name, k->dp.n_lanes > 1, k->device, err) : tun_open_queue(k->device, err);
		if (lanes[i].tun_fd < 0)
			return false;
	}
	lanes[k->dp.n_lanes].tun_fd = lanes[0].tun_fd;
	if (!tun_offload(lanes[0].tun_fd, &udp))
		LOG(KNL, LOG_LEVEL_CONTROL, "no segmentation offload on %s: %s", k->device, strerror(errno));
	k->dp.vnet = udp ? TUN_VNET_UDP : TUN_VNET_TCP;
	return true;
}

static bool userland_open_device(struct kernel *k, const struct settings *settings, struct errtext *err)
{
	int64_t mtu = settings_int(settings, SETTING "mtu", MTU_DEFAULT);
	int e;

	if (mtu < MTU_MIN || mtu > MTU_MAX) {
		errtext_set(err, SETTING "mtu is %lld: %d to %d is possible", (long long)mtu, MTU_MIN, MTU_MAX);
		return false;
	}
	k->mtu = k->dp.mtu = (unsigned)mtu;
	if (!userland_open_queues(k, settings_str(settings, SETTING "device", "ipsec0"), err))
		return false;
	k->ifindex = if_nametoindex(k->device);
	if (!rtnl_open(&k->rtnl, err))
		return false;
	tun_quiet_ipv6(k->device);
	(void)rtnl_link_no_policy(&k->rtnl, k->ifindex); /* a system without policies needs none of it */
	(void)rtnl_link_no_addrgen(&k->rtnl, k->ifindex); /* a system without IPv6 has none anyway */
	e = rtnl_link_up(&k->rtnl, k->ifindex, k->mtu);
	if (e)
		errtext_set(err, "cannot bring up %s with an MTU of %u: %s", k->device, k->mtu, strerror(e));
	return e == 0;
}

static bool userland_open_routing(struct kernel *k, const struct settings *settings, struct errtext *err)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };
	int64_t table = settings_int(settings, "routing_table", 220);
	int64_t priority = settings_int(settings, "routing_table_prio", 220);
	int e;

	if (table < 1 || table > UINT32_MAX || priority < 0 || priority > UINT32_MAX) {
		errtext_set(err, "routing_table or routing_table_prio is out of range");
		return false;
	}
	k->routes = (struct route_table){ .rtnl = &k->rtnl, .hash_key = k->dp.hash_key, .ifindex = k->ifindex,
					  .table = (uint32_t)table };
	routes_init(&k->routes);
	rtnl_clean(&k->rtnl, k->routes.table);
	k->shunts = (struct shunt_table){ .rtnl = &k->rtnl, .priority = (uint32_t)priority, .mark = k->dp.mark };
	shunts_init(&k->shunts);
	for (size_t i = 0; i < 2; i++) {
		struct rtnl_rule rule = { families[i], (uint32_t)table, (uint32_t)priority,
					  { k->dp.mark, k->dp.mark ? UINT32_MAX : 0, 0 }, k->dp.mark != 0 };

		e = rtnl_rule_add(&k->rtnl, &rule);
		if (e == 0) {
			k->rules[k->n_rules++] = rule;
		} else if (families[i] == AF_INET || (e != EAFNOSUPPORT && e != EOPNOTSUPP)) {
			errtext_set(err, "cannot add the rule for routing table %u: %s", rule.table, strerror(e));
			return false;
		}
	}
	e = rtnl_monitor_open(&k->monitor, RTNL_WATCH_ADDRS);
	if (e) {
		errtext_set(err, "cannot watch addresses: %s", strerror(e));
		return false;
	}
	routes_refresh(&k->routes);
	return true;
}

/* The device is where the packets of tunnels come from and go to; nothing outside sees addresses on it. */
static bool userland_open_vips(struct kernel *k, const struct settings *settings, struct errtext *err)
{
	k->vips = (struct vip_table){ .hash_key = k->dp.hash_key, .device = k->ifindex,
				      .on = settings_str(settings, "install_virtual_ip_on", NULL),
				      .routes = k->install_routes ? &k->routes : NULL };
	return vip_table_open(&k->vips, (uint16_t)settings_int(settings, "port", 500), err);
}

static void userland_open_guard(struct kernel *k, const struct kernel_env *env)
{
	/* whose routes are not ours says by them what goes through tunnels */
	k->guard = (struct guard){ .clear = settings_bool(env->settings, SETTING "drop_clear", k->install_routes),
				   .port = (uint16_t)settings_int(env->settings, "port", 500), .ifindex = k->ifindex,
				   .fds = { env->esp_fds4, env->esp_fds6 }, .n_fds = env->esp_n,
				   .table.hash_key = k->dp.hash_key };
	guard_init(&k->guard);
}

static void userland_stop(struct kernel *k)
{
	dataplane_stop(&k->dp);
	service_stop(k);
	vip_table_close(&k->vips);
	for (size_t i = 0; i < k->n_rules; i++)
		(void)rtnl_rule_del(&k->rtnl, &k->rules[i]);
	routes_clear(&k->routes);
	guard_close(&k->guard);
	rtnl_close(&k->monitor);
	rtnl_close(&k->rtnl);
	if (k->stream_batch)
		batch_in_free(k->stream_batch);
	for (unsigned i = 0; i < k->dp.n_lanes; i++)
		if (k->dp.lanes[i].tun_fd >= 0)
			close(k->dp.lanes[i].tun_fd); /* with the last one the device is gone */
	dataplane_clear(&k->dp);
	if (k->stop_fd >= 0)
		close(k->stop_fd);
	if (k->box)
		mailbox_free(k->box);
	spi_pool_free(k->spis);
	free(k);
}

static struct kernel *userland_start(const struct kernel_env *env, struct errtext *err)
{
	struct kernel *k = xcalloc(1, sizeof(*k));
	uint64_t seed;

	if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		seed = env->generation_seed;
	list_init(&k->children);
	k->spis = spi_pool_new(seed);
	k->install_routes = settings_bool(env->settings, "install_routes", true);
	k->dp.event = env->event;
	k->dp.event_arg = env->event_arg;
	k->dp.stream_send = env->stream_send;
	k->dp.stream_arg = env->stream_arg;
	dataplane_init(&k->dp, env->esp_n);
	k->stop_fd = k->dp.stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	k->box = mailbox_new();
	if (k->stop_fd < 0 || !k->box) {
		errtext_set(err, "cannot make an eventfd: %s", strerror(errno));
		goto failed;
	}
	if (!userland_prepare_sockets(k, env, err) || !userland_open_device(k, env->settings, err) ||
	    (k->install_routes && !userland_open_routing(k, env->settings, err)) || !userland_open_vips(k, env->settings, err))
		goto failed;
	userland_open_guard(k, env);
	if (!service_start(k, err) || !dataplane_start(&k->dp, err))
		goto failed;
	LOG(KNL, LOG_LEVEL_CONTROL, "ESP in user space on %s, MTU %u, %u pair(s) of threads%s", k->device, k->mtu, k->dp.n_lanes,
	    k->dp.lanes[0].use_gso ? ", with segmentation offload" : "");
	return k;
failed:
	userland_stop(k);
	return NULL;
}

/* ---- requests ---- */

static enum kernel_status userland_spi_alloc(struct kernel *k, uint8_t segment, struct kernel_done done,
					     uint32_t *ret_spi, struct errtext *err)
{
	if (spi_pool_take(k->spis, segment, ret_spi))
		return KERNEL_OK;
	errtext_set(err, "all inbound SPIs of segment %u are in use", segment);
	return KERNEL_FAILED;
}

static void userland_spi_free(struct kernel *k, uint32_t spi)
{
	spi_pool_give(k->spis, spi);
}

/* Mail that nobody reads any more; the stop has freed what it was about. */
static void userland_drop_mail(struct mail *m)
{
}

static enum kernel_status userland_install(struct kernel *k, const struct kernel_child *conf, struct kernel_done done,
					   struct kernel_handle **ret_handle, struct errtext *err)
{
	struct kernel_handle *c = child_new(conf, err);

	if (!c)
		return KERNEL_FAILED;
	if (c->in.spi)
		spi_pool_mark(k->spis, c->in.spi);
	c->done = done;
	c->install_mail = (struct mail){ .kind = SERVICE_INSTALL, .drop = userland_drop_mail };
	*ret_handle = c;
	mailbox_post(k->box, &c->install_mail);
	return KERNEL_PENDING;
}

static void userland_remove(struct kernel *k, struct kernel_handle *h)
{
	h->remove_mail = (struct mail){ .kind = SERVICE_REMOVE, .drop = userland_drop_mail };
	mailbox_post(k->box, &h->remove_mail);
}

static struct kernel_usage usage_read(struct esp_usage *u)
{
	return (struct kernel_usage){
		.bytes = atomic_load_explicit(&u->bytes, memory_order_relaxed),
		.packets = atomic_load_explicit(&u->packets, memory_order_relaxed),
		.last_use_ms = atomic_load_explicit(&u->last_use_ms, memory_order_relaxed),
	};
}

static bool userland_query(struct kernel *k, struct kernel_handle *h, struct kernel_usage *ret_in,
			   struct kernel_usage *ret_out)
{
	*ret_in = usage_read(&h->in.usage);
	*ret_out = usage_read(&h->out.usage);
	return true;
}

static void userland_drop_carry(struct mail *m)
{
	free(container_of(m, struct service_carry, mail));
}

static void userland_carry(struct kernel *k, struct kernel_handle *h, bool on)
{
	struct service_carry *c = xcalloc(1, sizeof(*c));

	*c = (struct service_carry){ { .kind = SERVICE_CARRY, .drop = userland_drop_carry }, h, on };
	mailbox_post(k->box, &c->mail);
}

static void userland_drop_update(struct mail *m)
{
	free(container_of(m, struct service_update, mail));
}

static enum kernel_status userland_update(struct kernel *k, struct kernel_handle *h, const struct kernel_move *move,
					  struct kernel_done done, struct errtext *err)
{
	struct service_update *u;

	if (!move->remote.family || !move->remote.port) {
		errtext_set(err, "%s: an update without the peer's address or port", h->name);
		return KERNEL_FAILED;
	}
	u = xcalloc(1, sizeof(*u));
	*u = (struct service_update){ { .kind = SERVICE_UPDATE, .drop = userland_drop_update }, h, *move, done };
	mailbox_post(k->box, &u->mail);
	return KERNEL_PENDING;
}

static void userland_drop_advance(struct mail *m)
{
	free(container_of(m, struct service_advance, mail));
}

static void userland_advance(struct kernel *k, struct kernel_handle *h, uint64_t delta)
{
	struct service_advance *a = xcalloc(1, sizeof(*a));

	*a = (struct service_advance){ { .kind = SERVICE_ADVANCE, .drop = userland_drop_advance }, h, delta };
	mailbox_post(k->box, &a->mail);
}

static void userland_drop_vip(struct mail *m)
{
	free(container_of(m, struct service_vip, mail));
}

/* In order with the children that need it. */
static void userland_post_vip(struct kernel *k, const struct kernel_vip *vip, bool add)
{
	struct service_vip *v = xcalloc(1, sizeof(*v));

	*v = (struct service_vip){ { .kind = SERVICE_VIP, .drop = userland_drop_vip }, *vip, add };
	mailbox_post(k->box, &v->mail);
}

static bool userland_vip_add(struct kernel *k, const struct kernel_vip *vip, struct errtext *err)
{
	if (!vip_is_possible(vip, err))
		return false;
	userland_post_vip(k, vip, true);
	return true;
}

static void userland_vip_remove(struct kernel *k, const struct kernel_vip *vip)
{
	userland_post_vip(k, vip, false);
}

static void userland_drop_fence(struct mail *m)
{
	free(container_of(m, struct service_fence, mail));
}

static void userland_fence(struct kernel *k, struct kernel_done done)
{
	struct service_fence *f = xcalloc(1, sizeof(*f));

	*f = (struct service_fence){ { .kind = SERVICE_FENCE, .drop = userland_drop_fence }, done };
	mailbox_post(k->box, &f->mail);
}

static size_t userland_stream_input(struct kernel *k, const struct addr *local, const struct addr *remote,
				    const struct kernel_packet *list, size_t n)
{
	if (!k->stream_batch)
		k->stream_batch = batch_in_new(&k->dp.lanes[k->dp.n_lanes]);
	return batch_in_stream(k->stream_batch, local, remote, list, n);
}

static void userland_stats(struct kernel *k, void (*fn)(void *arg, const char *name, uint64_t value), void *arg)
{
	static const char *const names[DROPS] = {
#define DROP_NAME(SYMBOL, NAME) NAME,
		DROP_LIST(DROP_NAME)
	};
	uint64_t in = 0, out = 0;

	for (unsigned i = 0; i < k->dp.n_lanes; i++) {
		in += atomic_load_explicit(&k->dp.lanes[i].batches_in, memory_order_relaxed);
		out += atomic_load_explicit(&k->dp.lanes[i].batches_out, memory_order_relaxed);
	}
	fn(arg, "batches-in", in);
	fn(arg, "batches-out", out);
	for (int i = 0; i < DROPS; i++)
		if (names[i])
			fn(arg, names[i], atomic_load_explicit(&k->dp.drops.n[i], memory_order_relaxed));
}

const struct kernel_ops userland_ops = {
	.name = "kernel-userland",
	.force_encap = true,
	.supports_tfc = true,
	.supports_streams = true,
	.esp_sockets = userland_esp_sockets,
	.probe = userland_probe,
	.start = userland_start,
	.stop = userland_stop,
	.spi_alloc = userland_spi_alloc,
	.spi_free = userland_spi_free,
	.install = userland_install,
	.remove = userland_remove,
	.carry = userland_carry,
	.query = userland_query,
	.update = userland_update,
	.advance = userland_advance,
	.stream_input = userland_stream_input,
	.vip_add = userland_vip_add,
	.vip_remove = userland_vip_remove,
	.fence = userland_fence,
	.stats = userland_stats,
};
