/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "config/settings.h"
#include "fence.h"
#include "kernel/vip.h"
#include "kernel/xfrm_policy.h"
#include "policy.h"
#include "probe.h"
#include "sa.h"

#define TIMEOUT_MS 5000
#define TIMEOUT_MAX_MS 600000
#define RECEIVE_BUFFER (8 << 20)
#define ANSWERS_BUFFER (1 << 19) /* what we ask at once is answered within it */
#define COUNTERS_AGE_MS 500

/* ---- start and stop ---- */

bool backend_settings(struct kernel *k, const struct settings *s, struct errtext *err)
{
	int64_t timeout = settings_int(s, SETTING "timeout", 0), retries = settings_int(s, SETTING "retries", 1);
	int64_t buffer = settings_int(s, SETTING "receive_buffer_size", RECEIVE_BUFFER);

	if (timeout < 0 || timeout > TIMEOUT_MAX_MS || retries < 0 || retries > 100 || buffer < 0 || buffer > INT32_MAX) {
		errtext_set(err, SETTING "timeout, retries or receive_buffer_size is out of range");
		return false;
	}
	k->nl_options = (struct nl_options){ timeout ? (unsigned)timeout : TIMEOUT_MS, (unsigned)retries, (int)buffer };
	k->owner = xfrm_owner(settings_int(s, "port", 500));
	return true;
}

static void backend_stop(struct kernel *k)
{
	netlink_service_stop(k);
	if (k->policies_open)
		policies_close(k);
	nl_free(k->nl);
	nl_free(k->events);
	/* those whose last request had no answer */
	LIST_FOREACH_SAFE(it, &k->children) {
		struct kernel_handle *h = list_entry(it, struct kernel_handle, link);

		list_del(&h->link);
		handle_free(h);
	}
	hashtab_clear(&k->sas);
	loop_free(k->loop);
	if (k->box)
		mailbox_free(k->box);
	spi_pool_free(k->spis);
	free(k);
}

/* What it answers must not be lost, as an SA of which that is not known fails: however few events are to wait. */
static struct nl *backend_open_requests(const struct kernel *k, struct errtext *err)
{
	struct nl_options o = k->nl_options;

	if (o.receive_buffer && o.receive_buffer < ANSWERS_BUFFER)
		o.receive_buffer = ANSWERS_BUFFER;
	return nl_open(NETLINK_XFRM, &o, err);
}

bool backend_open(struct kernel *k, const struct kernel_env *env, struct errtext *err)
{
	k->box = mailbox_new();
	k->loop = loop_new();
	if (!k->box || !k->loop) {
		errtext_set(err, "cannot make an event loop: %s", strerror(errno));
		return false;
	}
	if (!k->nl)
		k->nl = backend_open_requests(k, err);
	if (!k->nl)
		return false;
	/* before the dumps: what happens after them must not be missed */
	if (!k->events && !events_open(k, err))
		return false;
	k->policies_open = policies_open(k, env->settings, err);
	if (!k->policies_open)
		return false;
	return policies_flush(k, err) && owner_flush(k, err);
}

struct kernel *backend_new(const struct kernel_env *env)
{
	struct kernel *k = xcalloc(1, sizeof(*k));
	uint64_t seed[3];

	if (getrandom(seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
		seed[0] = seed[1] = seed[2] = env->generation_seed;
	list_init(&k->children);
	list_init(&k->queries);
	list_init(&k->fences);
	k->event = env->event;
	k->event_arg = env->event_arg;
	k->mark = env->mark;
	k->spis = spi_pool_new(seed[0]);
	k->hash_key = (struct hash_key){ seed[1], seed[2] };
	return k;
}

static struct kernel *backend_start(const struct kernel_env *env, struct errtext *err)
{
	struct kernel *k = backend_new(env);

	if (backend_settings(k, env->settings, err) && backend_open(k, env, err) && netlink_service_start(k, err))
		return k;
	backend_stop(k);
	return NULL;
}

/* ---- requests of workers ---- */

static enum kernel_status backend_spi_alloc(struct kernel *k, uint8_t segment, struct kernel_done done,
					    uint32_t *ret_spi, struct errtext *err)
{
	if (spi_pool_take(k->spis, segment, ret_spi))
		return KERNEL_OK;
	errtext_set(err, "all inbound SPIs of segment %u are in use", segment);
	return KERNEL_FAILED;
}

static void backend_spi_free(struct kernel *k, uint32_t spi)
{
	spi_pool_give(k->spis, spi);
}

/* Mail that nobody reads any more: what it is about was freed by the stop. */
static void backend_drop_mail(struct mail *m)
{
}

static enum kernel_status backend_install(struct kernel *k, const struct kernel_child *conf, struct kernel_done done,
					  struct kernel_handle **ret_handle, struct errtext *err)
{
	struct kernel_handle *h = handle_new(k, conf, err);

	if (!h)
		return KERNEL_FAILED;
	if (h->conf.in.spi)
		spi_pool_mark(k->spis, h->conf.in.spi);
	h->done = done;
	h->install_mail = (struct mail){ .kind = SERVICE_INSTALL, .drop = backend_drop_mail };
	*ret_handle = h;
	mailbox_post(k->box, &h->install_mail);
	return KERNEL_PENDING;
}

static void backend_remove(struct kernel *k, struct kernel_handle *h)
{
	h->remove_mail = (struct mail){ .kind = SERVICE_REMOVE, .drop = backend_drop_mail };
	mailbox_post(k->box, &h->remove_mail);
}

static void backend_drop_carry(struct mail *m)
{
	free(container_of(m, struct service_carry, mail));
}

static void backend_carry(struct kernel *k, struct kernel_handle *h, bool on)
{
	struct service_carry *c = xcalloc(1, sizeof(*c));

	*c = (struct service_carry){ .mail = { .kind = SERVICE_CARRY, .drop = backend_drop_carry }, .h = h, .on = on };
	mailbox_post(k->box, &c->mail);
}

static struct kernel_usage backend_usage(struct sa *sa)
{
	return (struct kernel_usage){
		.bytes = atomic_load_explicit(&sa->bytes, memory_order_relaxed),
		.packets = atomic_load_explicit(&sa->packets, memory_order_relaxed),
		.last_use_ms = atomic_load_explicit(&sa->last_use_ms, memory_order_relaxed),
	};
}

/* One question per child at a time is under way: its mail is in the handle. */
static bool backend_query(struct kernel *k, struct kernel_handle *h, struct kernel_usage *ret_in,
			  struct kernel_usage *ret_out)
{
	uint64_t now = clock_monotonic_ms(), asked = atomic_load_explicit(&h->asked_ms, memory_order_acquire);

	*ret_in = backend_usage(&h->in);
	*ret_out = backend_usage(&h->out);
	if (handle_has_sas(h) && asked != QUERY_POSTED && now - asked >= COUNTERS_AGE_MS &&
	    atomic_compare_exchange_strong(&h->asked_ms, &asked, QUERY_POSTED)) {
		h->query_mail = (struct mail){ .kind = SERVICE_QUERY, .drop = backend_drop_mail };
		mailbox_post(k->box, &h->query_mail);
	}
	return handle_has_sas(h);
}

static void backend_drop_move(struct mail *m)
{
	free(container_of(m, struct move, mail));
}

static enum kernel_status backend_update(struct kernel *k, struct kernel_handle *h, const struct kernel_move *where,
					 struct kernel_done done, struct errtext *err)
{
	struct move *m = xcalloc(1, sizeof(*m));

	*m = (struct move){ .mail = { .kind = SERVICE_MOVE, .drop = backend_drop_move }, .h = h,
			    .to_elsewhere = true, .where = *where, .done = done };
	mailbox_post(k->box, &m->mail);
	return KERNEL_PENDING;
}

static void backend_advance(struct kernel *k, struct kernel_handle *h, uint64_t delta)
{
	struct move *m = xcalloc(1, sizeof(*m));

	*m = (struct move){ .mail = { .kind = SERVICE_MOVE, .drop = backend_drop_move }, .h = h, .delta = delta };
	mailbox_post(k->box, &m->mail);
}

static void backend_drop_vip(struct mail *m)
{
	free(container_of(m, struct service_vip, mail));
}

/* In order with the children that need it. */
static void backend_post_vip(struct kernel *k, const struct kernel_vip *vip, bool add)
{
	struct service_vip *v = xcalloc(1, sizeof(*v));

	*v = (struct service_vip){ .mail = { .kind = SERVICE_VIP, .drop = backend_drop_vip }, .vip = *vip, .add = add };
	mailbox_post(k->box, &v->mail);
}

static bool backend_vip_add(struct kernel *k, const struct kernel_vip *vip, struct errtext *err)
{
	if (!vip_is_possible(vip, err))
		return false;
	backend_post_vip(k, vip, true);
	return true;
}

static void backend_vip_remove(struct kernel *k, const struct kernel_vip *vip)
{
	backend_post_vip(k, vip, false);
}

static void backend_drop_fence(struct mail *m)
{
	free(container_of(m, struct fence, mail));
}

static void backend_fence(struct kernel *k, struct kernel_done done)
{
	struct fence *f = xcalloc(1, sizeof(*f));

	*f = (struct fence){ .mail = { .kind = SERVICE_FENCE, .drop = backend_drop_fence }, .done = done };
	mailbox_post(k->box, &f->mail);
}

static void backend_stats(struct kernel *k, void (*fn)(void *arg, const char *name, uint64_t value), void *arg)
{
	const struct nl_counters *c = nl_counters(k->nl), *e = nl_counters(k->events);

	fn(arg, "netlink-requests", c->requests);
	fn(arg, "netlink-batches", c->batches);
	fn(arg, "netlink-errors", c->errors);
	fn(arg, "netlink-lost", c->lost);
	fn(arg, "netlink-overruns", c->overruns + e->overruns);
	fn(arg, "netlink-dumps-repeated", c->interrupted_dumps);
	fn(arg, "installs-failed", k->n_failed);
}

const struct kernel_ops netlink_ops = {
	.name = "kernel-netlink",
	.supports_transport = true,
	.supports_beet = true,
	.supports_scope = true,
	.supports_sha256_96 = true,
	.supports_hw_offload = true,
	.supports_tfc = true,
	.udp_encap = true,
	.probe = netlink_probe,
	.start = backend_start,
	.stop = backend_stop,
	.spi_alloc = backend_spi_alloc,
	.spi_free = backend_spi_free,
	.install = backend_install,
	.remove = backend_remove,
	.carry = backend_carry,
	.query = backend_query,
	.update = backend_update,
	.advance = backend_advance,
	.vip_add = backend_vip_add,
	.vip_remove = backend_vip_remove,
	.fence = backend_fence,
	.stats = backend_stats,
};
