/* SPDX-License-Identifier: Apache-2.0 */
#include "load_inside.h"

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "loop/loop.h"
#include "testing/lib/swanctl_text.h"

#define LOAD_BATCH 64 /* datagrams, as a turn of a worker sends them */

/* ---- the host of the SAs ---- */

static void load_keepalive(void *host, const struct addr *local, const struct addr *remote)
{
	struct load *l = host;

	net_send_keepalive(l->nw, local, remote);
	if (++l->keepalives % LOAD_BATCH == 0)
		(void)net_flush(l->nw);
}

static bool load_route(void *host, const struct addr *local, const struct addr *remote, unsigned *ret_ifindex)
{
	return result_is_ok(net_route(((struct load *)host)->net, local, remote, ret_ifindex));
}

static void load_send(void *host, const struct addr *local, const struct addr *remote, unsigned dscp, struct bytes msg)
{
	net_send(((struct load *)host)->nw, local, remote, msg);
}

static void load_event(void *host, enum sa_event event, const struct ike_sa *sa, const struct child_sa *child)
{
	struct load *l = host;

	(void)child;
	if (event != SA_EVENT_CHILD_UP)
		return;
	if (l->n_sas == l->cap) {
		l->cap = l->cap ? 2 * l->cap : 1024;
		l->sas = xrealloc(l->sas, l->cap * sizeof(*l->sas));
	}
	((struct ike_sa *)(uintptr_t)sa)->host_order = l->n_sas;
	l->sas[l->n_sas++] = (struct ike_sa *)(uintptr_t)sa;
}

static void load_rekeyed(void *host, const struct ike_sa *sa, const struct child_sa *child, const struct ike_sa *new_sa,
			 const struct child_sa *new_child)
{
	struct load *l = host;
	struct ike_sa *mine = (struct ike_sa *)(uintptr_t)new_sa;

	(void)new_child;
	if (child) {
		l->child_rekeyed++;
		return;
	}
	l->ike_rekeyed++;
	mine->host_order = sa->host_order;
	l->sas[mine->host_order] = mine;
}

static uint64_t load_make_spi(void *host)
{
	struct load *l = host;
	uint64_t spi;

	crypto_random(l->ctx.crypto, &spi, sizeof(spi));
	return spi >> 8 | 1;
}

static uint32_t load_next_number(void *host, enum sa_number kind)
{
	return ++((struct load *)host)->numbers[kind];
}

static void load_own_spi(void *host, struct ike_sa *sa, uint64_t old_spi, uint64_t new_spi)
{
	struct load *l = host;

	if (old_spi)
		hashtab_remove(&l->by_spi, &sa->by_spi);
	if (new_spi)
		hashtab_insert(&l->by_spi, &sa->by_spi, hash_u64(&l->ctx.hash, new_spi));
}

static void load_ignore(void *host, struct ike_sa *sa)
{
	(void)host;
	(void)sa;
}

static void load_replace(void *host, struct ike_sa *sa, bool tell_peer)
{
	(void)host;
	(void)sa;
	(void)tell_peer;
}

static bool load_has_other(void *host, const struct id *local, const struct id *remote)
{
	(void)host;
	(void)local;
	(void)remote;
	return false;
}

static bool load_claim(void *host, struct ike_sa *sa)
{
	(void)host;
	(void)sa;
	return true;
}

static void load_finished(void *host, struct ike_sa *sa)
{
	struct load *l = host;

	hashtab_remove(&l->by_spi, &sa->by_spi);
	load_forget(l, sa);
	if (l->n_dead == l->cap_dead) {
		l->cap_dead = l->cap_dead ? 2 * l->cap_dead : 1024;
		l->dead = xrealloc(l->dead, l->cap_dead * sizeof(*l->dead));
	}
	l->dead[l->n_dead++] = sa;
}

static void load_half_open(void *host, struct ike_sa *sa, bool is)
{
	(void)host;
	(void)sa;
	(void)is;
}

/* Request 1: a set-up ended. */
static void load_request_done(void *host, struct sa_request request, enum cause cause, const char *why)
{
	struct load *l = host;

	if (request.id != 1)
		return;
	l->connecting--;
	if (cause == CAUSE_NONE)
		return;
	if (l->failed++ == 0)
		fprintf(stderr, "a set-up failed: %s\n", why);
}

static struct kernel_done load_kernel_done(void *host, struct ike_sa *sa, uint32_t child_id)
{
	(void)sa;
	(void)child_id;
	return (struct kernel_done){ NULL, host, 0 };
}

static bool load_resolve(void *host, struct ike_sa *sa, const char *name, int family)
{
	(void)host;
	(void)sa;
	(void)name;
	(void)family;
	return false;
}

static bool load_source(void *host, const struct addr *remote, struct addr *ret_local)
{
	struct load *l = host;
	uint32_t ip = htonl(0x7f400000 + ++l->next_addr);

	(void)remote;
	*ret_local = addr_from_ip(AF_INET, (const uint8_t *)&ip);
	return true;
}

static void load_inherited(void *host, struct ike_sa *sa, struct ike_sa *old)
{
	(void)host;
	(void)sa;
	(void)old;
}

static void load_reserve_spi(void *host, uint64_t spi, bool is)
{
	(void)host;
	(void)spi;
	(void)is;
}

static void load_own_child(void *host, struct child_sa *child, bool is)
{
	(void)host;
	(void)child;
	(void)is;
}

static void load_reinitiate(void *host, const struct conn *conn, const struct child_conf *child)
{
	(void)host;
	(void)conn;
	(void)child;
}

static uint32_t load_trap_reqid(void *host, const struct conn *conn, const struct child_conf *child)
{
	(void)host;
	(void)conn;
	(void)child;
	return 0;
}

static const struct sa_host_ops load_host_ops = {
	.send = load_send,
	.keepalive = load_keepalive,
	.event = load_event,
	.rekeyed = load_rekeyed,
	.make_spi = load_make_spi,
	.next_number = load_next_number,
	.own_spi = load_own_spi,
	.established = load_ignore,
	.inherited = load_inherited,
	.own_child = load_own_child,
	.reserve_spi = load_reserve_spi,
	.released = load_ignore,
	.replace_others = load_replace,
	.claim = load_claim,
	.has_other = load_has_other,
	.finished = load_finished,
	.half_open = load_half_open,
	.request_done = load_request_done,
	.kernel_done = load_kernel_done,
	.authenticate = load_authenticate,
	.resolve = load_resolve,
	.source_address = load_source,
	.route = load_route,
	.reinitiate = load_reinitiate,
	.retrap = load_reinitiate,
	.trap_reqid = load_trap_reqid,
};

/* ---- no data plane ---- */

static enum kernel_status load_spi_alloc(struct kernel *k, uint8_t segment, struct kernel_done done, uint32_t *ret_spi,
					 struct errtext *err)
{
	(void)segment;
	(void)done;
	(void)err;
	*ret_spi = 0x1000 + ++((struct load *)k)->next_spi;
	return KERNEL_OK;
}

static void load_spi_free(struct kernel *k, uint32_t spi)
{
	(void)k;
	(void)spi;
}

static enum kernel_status load_install(struct kernel *k, const struct kernel_child *child, struct kernel_done done,
				       struct kernel_handle **ret_handle, struct errtext *err)
{
	(void)child;
	(void)done;
	(void)err;
	*ret_handle = (struct kernel_handle *)k;
	return KERNEL_OK;
}

static void load_remove(struct kernel *k, struct kernel_handle *h)
{
	(void)k;
	(void)h;
}

static bool load_query(struct kernel *k, struct kernel_handle *h, struct kernel_usage *ret_in, struct kernel_usage *ret_out)
{
	struct load *l = (struct load *)k;

	(void)h;
	l->wakeups++;
	*ret_in = *ret_out = (struct kernel_usage){ .last_use_ms = l->traffic ? wheel_now(l->ctx.wheel) - 1 : 0 };
	return true;
}

static const struct kernel_ops load_kernel_ops = {
	.name = "none",
	.spi_alloc = load_spi_alloc,
	.spi_free = load_spi_free,
	.install = load_install,
	.remove = load_remove,
	.query = load_query,
};

/* ---- life ---- */

static bool load_config(struct load *l, struct crypto_registry *crypto, const char *conf)
{
	struct conn_env env = { .have = crypto_have, .have_arg = crypto, .default_replay_window = 32 };
	struct errtext err = { "" };

	l->ctx.config = swanctl_text_load(conf, "load", &env, &err);
	if (!l->ctx.config) {
		fprintf(stderr, "the generator's configuration: %s\n", err.s);
		return false;
	}
	l->conn = config_conn(l->ctx.config, "load");
	return true;
}

struct load *load_new(struct crypto_registry *crypto, const char *conf)
{
	struct load *l = xcalloc(1, sizeof(*l));
	struct net_options options = net_options_default();
	struct errtext err = { "" };

	options.port = options.port_nat_t = 0;
	options.ipv6 = false;
	options.steer_secret = 1;
	if (!result_is_ok(net_open(&options, &l->net, &err))) {
		fprintf(stderr, "%s\n", err.s);
		free(l);
		return NULL;
	}
	l->nw = net_worker(l->net, 0);
	sa_ctx_init(&l->ctx);
	l->ctx.ops = &load_host_ops;
	l->ctx.host = l;
	l->ctx.wheel = wheel_new(clock_monotonic_ms());
	l->ctx.crypto = crypto_ctx_new(crypto);
	l->ctx.kernel = (struct kernel *)l;
	l->ctx.kernel_ops = &load_kernel_ops;
	l->ctx.options.port = net_port(l->net);
	l->ctx.options.port_nat_t = net_port_nat_t(l->net);
	if (!load_config(l, crypto, conf)) {
		load_free(l);
		return NULL;
	}
	return l;
}

static void load_bury(struct load *l)
{
	for (size_t i = 0; i < l->n_dead; i++)
		ike_sa_free(l->dead[i]);
	l->n_dead = 0;
}

void load_free(struct load *l)
{
	for (size_t i = 0; i < l->n_sas; i++)
		if (!l->sas[i]->finished)
			ike_sa_finish(l->sas[i], IKE_EVENT_DESTROY, CAUSE_NONE, NULL);
	load_bury(l);
	load_free_certificates(l);
	config_unref(l->ctx.config);
	wheel_free(l->ctx.wheel);
	crypto_ctx_free(l->ctx.crypto);
	sa_ctx_clear(&l->ctx);
	hashtab_clear(&l->by_spi);
	net_close(l->net);
	free(l->sas);
	free(l->dead);
	free(l);
}

/* ---- work ---- */

static void load_datagram(struct load *l, const struct datagram *d)
{
	struct ike_header h;

	if (!result_is_ok(header_parse(d->data, &h)))
		return;
	for (struct hashnode *n = hashtab_first(&l->by_spi, hash_u64(&l->ctx.hash, h.spi_i)); n; n = hashtab_next(n)) {
		struct ike_sa *sa = container_of(n, struct ike_sa, by_spi);

		if (sa->spi_i == h.spi_i) {
			ike_sa_receive(sa, &h, &d->local, &d->remote, (uint8_t *)(uintptr_t)d->data.p, d->data.n);
			return;
		}
	}
}

void load_turn(struct load *l, int ms)
{
	int fds[NET_SOCKS];
	struct pollfd pfd[NET_SOCKS + 1];
	unsigned n = 0;

	(void)net_flush(l->nw);
	net_worker_fds(l->nw, fds);
	for (unsigned i = 0; i < NET_SOCKS; i++)
		if (fds[i] >= 0)
			pfd[n++] = (struct pollfd){ .fd = fds[i], .events = POLLIN };
	if (l->box)
		pfd[n++] = (struct pollfd){ .fd = mailbox_fd(l->box), .events = POLLIN };
	(void)poll(pfd, n, ms);
	wheel_advance(l->ctx.wheel, clock_monotonic_ms() + l->ahead_ms);
	for (unsigned i = 0; i < NET_SOCKS; i++) {
		const struct datagram *list;
		size_t count = fds[i] >= 0 ? net_receive(l->nw, i, &list) : 0;

		for (size_t k = 0; k < count; k++)
			load_datagram(l, &list[k]);
	}
	if (l->box)
		load_answers(l);
	load_bury(l);
	(void)net_flush(l->nw);
}

void load_begin(struct load *l)
{
	struct ike_sa *sa = ike_sa_new_initiator(&l->ctx, l->conn, 0);

	l->connecting++;
	ike_sa_initiate(sa, &l->conn->children[0], (struct sa_request){ 1 });
}

bool load_establish(struct load *l, size_t count, unsigned parallel)
{
	size_t begun = 0, failed = l->failed;

	while (begun < count || l->connecting) {
		while (begun < count && l->connecting < parallel) {
			load_begin(l);
			begun++;
		}
		load_turn(l, 100);
	}
	return l->failed == failed;
}

bool load_probe(struct load *l, size_t i)
{
	struct ike_sa *sa = l->sas[i];

	if (sa->finished || sa->outstanding)
		return false;
	ike_sa_probe(sa);
	return true;
}

bool load_rekey(struct load *l, size_t i, bool ike)
{
	struct ike_sa *sa = l->sas[i];

	if (sa->finished || sa->outstanding || !sa->children)
		return false;
	if (ike)
		ike_sa_rekey(sa);
	else
		ike_sa_rekey_child(sa, sa->children);
	return true;
}

void load_delete_all(struct load *l)
{
	for (size_t i = 0; i < l->n_sas; i++) {
		ike_sa_terminate(l->sas[i], false, (struct sa_request){ 0 });
		if (i % 64 == 63)
			load_turn(l, 0);
	}
	while (l->by_spi.count)
		load_turn(l, 100);
	l->n_sas = 0;
}
