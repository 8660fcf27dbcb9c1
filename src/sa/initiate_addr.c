/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sa/initiate.h"
#include "sa/stream.h"

/* Before an address is looked for again that had no way to it. */
#define INITIATE_PAUSE_S 5

bool ike_sa_can_initiate(const struct conn *conn)
{
	for (size_t i = 0; i < conn->n_remote; i++)
		if (endpoint_is_one(&conn->remote_addrs[i]))
			return true;
	return false;
}

/* ---- our own end ---- */

static bool initiate_local_name(const struct ike_setup *s, size_t entry, const struct addr *remote, struct addr *ret)
{
	for (size_t i = 0; i < s->n_names; i++) {
		const struct initiate_name *n = &s->names[i];

		if (n->entry != entry || n->addr.family != remote->family)
			continue;
		*ret = n->addr;
		return true;
	}
	return false;
}

static bool initiate_local_addr(const struct endpoint *e, const struct addr *remote, struct addr *ret)
{
	if (e->addr.family != remote->family ||
	    (addr_is_link_local(&e->addr) && e->addr.scope && remote->scope && e->addr.scope != remote->scope))
		return false;
	*ret = e->addr;
	return true;
}

/* What one entry of local_addrs has for a peer. */
static bool initiate_local(struct ike_sa *sa, size_t entry, const struct addr *remote, struct addr *ret)
{
	const struct endpoint *e = &sa->conn->local_addrs[entry];
	struct sa_ctx *ctx = sa->ctx;

	switch (e->kind) {
	case ENDPOINT_ADDR:
		return initiate_local_addr(e, remote, ret);
	case ENDPOINT_NAME:
		return initiate_local_name(sa->setup, entry, remote, ret);
	case ENDPOINT_ANY:
	case ENDPOINT_PREFIX:
	case ENDPOINT_RANGE:
		/* what the routes say, if it is among them */
		if (ctx->ops->source_address(ctx->host, remote, ret) && endpoint_fits(e, ret) && !local_addrs_is_vip(ctx->locals, ret))
			return true;
		return e->kind != ENDPOINT_ANY && ctx->ops->own_address(ctx->host, e, remote, ret);
	}
	return false;
}

/* RFC 7296, 2.23: everything but port 500 carries the non-ESP marker, from our NAT-T port. */
static void initiate_set_ports(struct ike_sa *sa)
{
	const struct sa_options *o = &sa->ctx->options;

	sa->remote.port = sa->conn->remote_port;
	sa->local.port = sa->remote.port == IKE_PORT ? o->port : o->port_nat_t;
}

/* The first entry that has something decides. */
static bool initiate_try(struct ike_sa *sa, const struct addr *remote)
{
	const struct conn *conn = sa->conn;
	struct addr local;
	size_t i = 0;

	while (i < conn->n_local && !initiate_local(sa, i, remote, &local))
		i++;
	if (i == conn->n_local) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_DETAIL, "no route to %s, or no local address of its family",
		       addr_format(remote).s);
		return false;
	}
	sa->remote = *remote;
	sa->remote.stream = 0;
	sa->local = local;
	if (stream_wanted(sa))
		return stream_open(sa);
	initiate_set_ports(sa);
	stream_hold(sa);
	return true;
}

/* Addresses are known: the first request of this attempt goes out. */
static void initiate_begin(struct ike_sa *sa)
{
	sa->setup->resolving = false;
	if (sa->state == IKE_STATE_CREATED)
		LOG_SA(&sa->log, IKE, LOG_LEVEL_AUDIT, "initiating IKE_SA %s[%u] to %s", sa->log.name, sa->log.id,
		       addr_format(&sa->remote).s);
	ike_sa_run_queue(sa);
}

/* ---- none of the entries will do ---- */

static void initiate_again(struct timer *t)
{
	initiate_attempt(container_of(t, struct ike_sa, timer));
}

static void initiate_pause(struct ike_sa *sa, uint32_t seconds)
{
	timer_start(sa->ctx->wheel, &sa->timer, sa_now(sa->ctx) + 1000ull * seconds, initiate_again);
}

/* The one that was called before; false: this is the first attempt. */
static bool initiate_as_before(struct ike_sa *sa)
{
	struct addr remote = sa->remote;

	if (!remote.family)
		return false;
	if (sa->setup->unresolved)
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the name '%s' in remote_addrs of '%s' has no address now, using %s as before",
		       sa->setup->unresolved, sa->log.name, addr_format(&remote).s);
	/* without a route, too: there may be one before the last retransmit */
	if (!initiate_try(sa, &remote) && !stream_wanted(sa))
		initiate_set_ports(sa);
	initiate_begin(sa);
	return true;
}

static void initiate_unresolved(struct ike_sa *sa)
{
	uint32_t pause = sa->ctx->options.retry_initiate_interval;
	const char *name = sa->setup->unresolved;

	if (pause) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the name '%s' in remote_addrs of '%s' has no address, trying again in %us",
		       name, sa->log.name, pause);
		initiate_pause(sa, pause);
	} else {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the name '%s' in remote_addrs of '%s' has no address", name, sa->log.name);
		ike_sa_finish(sa, IKE_EVENT_DESTROY, CAUSE_RESOLVE, "the peer's name could not be resolved");
	}
}

static void initiate_no_way(struct ike_sa *sa)
{
	const char *why = "no route to the peer, or no local address of its family";
	struct ike_setup *s = sa->setup;

	if (sa->conn->keyingtries && s->attempt >= sa->conn->keyingtries) {
		ike_sa_finish(sa, IKE_EVENT_DESTROY, CAUSE_RESOLVE, why);
		return;
	}
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "IKE_SA %s[%u]: %s, trying again in %us", sa->log.name, sa->log.id, why,
	       INITIATE_PAUSE_S);
	s->attempt += s->attempt < UINT8_MAX;
	initiate_pause(sa, INITIATE_PAUSE_S);
}

/* ---- entry by entry ---- */

static void initiate_next_entry(struct ike_sa *sa)
{
	sa->setup->entry = (uint32_t)((sa->setup->entry + 1) % sa->conn->n_remote);
}

/* From the entry at hand until one will do, or all were looked at. */
static void initiate_walk(struct ike_sa *sa)
{
	struct ike_setup *s = sa->setup;
	struct sa_ctx *ctx = sa->ctx;

	for (; s->left; s->left--, initiate_next_entry(sa)) {
		const struct endpoint *e = &sa->conn->remote_addrs[s->entry];

		if (e->kind == ENDPOINT_NAME) {
			if (ctx->ops->resolve(ctx->host, sa, e->text, AF_UNSPEC))
				return; /* goes on in ike_sa_resolved */
			s->unresolved = e->text;
		} else if (e->kind == ENDPOINT_ADDR && initiate_try(sa, &e->addr)) {
			initiate_begin(sa);
			return;
		}
	}
	if (initiate_as_before(sa))
		return;
	if (s->unresolved)
		initiate_unresolved(sa);
	else
		initiate_no_way(sa);
}

/* The names among local_addrs come first. */
static void initiate_local_names(struct ike_sa *sa)
{
	const struct conn *conn = sa->conn;
	struct ike_setup *s = sa->setup;
	struct sa_ctx *ctx = sa->ctx;

	for (; s->local_entry < conn->n_local; s->local_entry++) {
		const struct endpoint *e = &conn->local_addrs[s->local_entry];

		if (e->kind == ENDPOINT_NAME && ctx->ops->resolve(ctx->host, sa, e->text, AF_UNSPEC))
			return;
	}
	initiate_walk(sa);
}

static void initiate_keep_local(struct ike_sa *sa, const struct addr *addrs, size_t n)
{
	struct ike_setup *s = sa->setup;

	if (n == 0)
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the name '%s' in local_addrs of '%s' has no address",
		       sa->conn->local_addrs[s->local_entry].text, sa->log.name);
	else
		s->names = xrealloc(s->names, (s->n_names + n) * sizeof(*s->names));
	for (size_t i = 0; i < n; i++)
		s->names[s->n_names++] = (struct initiate_name){ addrs[i], s->local_entry };
}

/* Where in the list to begin: behind the address that was tried last, so that each attempt tries another. */
static size_t initiate_behind(const struct ike_sa *sa, const struct addr *addrs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (addr_equal_ip(&addrs[i], &sa->remote))
			return i + 1;
	return 0;
}

/* Of the addresses of a name: with others to turn to, each is tried once in a round. */
static bool initiate_try_list(struct ike_sa *sa, const struct addr *addrs, size_t n)
{
	size_t first = initiate_behind(sa, addrs, n), last = sa->setup->others ? n : first + n;

	for (size_t i = first; i < last; i++)
		if (initiate_try(sa, &addrs[i % n]))
			return true;
	return false;
}

void ike_sa_resolved(struct ike_sa *sa, const struct addr *addrs, size_t n)
{
	struct ike_setup *s = sa->setup;

	if (sa->finished || !s || !s->resolving)
		return;
	if (s->local_entry < sa->conn->n_local) {
		initiate_keep_local(sa, addrs, n);
		s->local_entry++;
		initiate_local_names(sa);
		return;
	}
	if (s->left == 0)
		return;
	if (n == 0)
		s->unresolved = sa->conn->remote_addrs[s->entry].text;
	else if (initiate_try_list(sa, addrs, n)) {
		initiate_begin(sa);
		return;
	}
	s->left--;
	initiate_next_entry(sa);
	initiate_walk(sa);
}

void initiate_advance(struct ike_sa *sa)
{
	/* a name may have more addresses */
	if (sa->conn->remote_addrs[sa->setup->entry].kind != ENDPOINT_NAME)
		initiate_next_entry(sa);
}

void initiate_attempt(struct ike_sa *sa)
{
	struct ike_setup *s = sa->setup;
	size_t usable = 0;

	for (size_t i = 0; i < sa->conn->n_remote; i++)
		usable += endpoint_is_one(&sa->conn->remote_addrs[i]);
	if (!usable) {
		ike_sa_finish(sa, IKE_EVENT_DESTROY, CAUSE_POLICY,
			      "remote_addrs names no single peer (an address or a name is needed to initiate)");
		return;
	}
	s->others = usable > 1;
	s->resolving = true;
	s->unresolved = NULL;
	/* the one more comes round to the first again: of a name whose addresses were all tried */
	s->left = (uint32_t)(sa->conn->n_remote + s->others);
	s->local_entry = 0;
	s->n_names = 0;
	initiate_local_names(sa);
}
