/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/exchange.h"
#include "sa/task.h"

/* The first entry that names one peer: an address or a name. */
static const struct endpoint *initiate_remote(const struct conn *conn)
{
	for (size_t i = 0; i < conn->n_remote; i++)
		if (conn->remote_addrs[i].kind == ENDPOINT_ADDR || conn->remote_addrs[i].kind == ENDPOINT_NAME)
			return &conn->remote_addrs[i];
	return NULL;
}

bool ike_sa_can_initiate(const struct conn *conn)
{
	return initiate_remote(conn) != NULL;
}

static int initiate_local_family(const struct conn *conn)
{
	for (size_t i = 0; i < conn->n_local; i++)
		if (conn->local_addrs[i].kind == ENDPOINT_ADDR)
			return conn->local_addrs[i].addr.family;
	return AF_UNSPEC;
}

/* Our own end: the first configured address of the peer's family, else what the routes say. */
static bool initiate_set_local(struct ike_sa *sa)
{
	const struct conn *conn = sa->conn;
	struct sa_ctx *ctx = sa->ctx;
	bool found = false;

	for (size_t i = 0; i < conn->n_local && !found; i++) {
		if (conn->local_addrs[i].kind == ENDPOINT_ADDR &&
		    conn->local_addrs[i].addr.family == sa->remote.family) {
			sa->local = conn->local_addrs[i].addr;
			found = true;
		}
	}
	if (!found && !ctx->ops->source_address(ctx->host, &sa->remote, &sa->local))
		return false;
	sa->remote.port = conn->remote_port ? conn->remote_port : IKE_PORT;
	/* RFC 7296, 2.23: everything but port 500 carries the non-ESP marker, from our NAT-T port */
	sa->local.port = sa->remote.port == IKE_PORT ? ctx->options.port : ctx->options.port_nat_t;
	return true;
}

static void initiate_no_way(struct ike_sa *sa)
{
	ike_sa_finish(sa, IKE_EVENT_DESTROY, CAUSE_RESOLVE, "no route to the peer, or no local address of its family");
}

/* Addresses are known: the first request of this attempt goes out. */
static void initiate_begin(struct ike_sa *sa)
{
	if (sa->state == IKE_STATE_CREATED)
		LOG_SA(&sa->log, IKE, LOG_LEVEL_AUDIT, "initiating IKE_SA %s[%u] to %s", sa->log.name, sa->log.id,
		       addr_format(&sa->remote).s);
	ike_sa_run_queue(sa);
}

/* ---- names ---- */

static void initiate_resolve(struct ike_sa *sa);

static void initiate_again(struct timer *t)
{
	initiate_resolve(container_of(t, struct ike_sa, timer));
}

static void initiate_resolve(struct ike_sa *sa)
{
	const struct endpoint *remote = initiate_remote(sa->conn);
	struct sa_ctx *ctx = sa->ctx;

	if (!remote) {
		ike_sa_finish(sa, IKE_EVENT_DESTROY, CAUSE_POLICY,
			      "remote_addrs names no single peer (an address or a name is needed to initiate)");
		return;
	}
	sa->setup->resolving = remote->kind == ENDPOINT_NAME;
	if (sa->setup->resolving) {
		if (!ctx->ops->resolve(ctx->host, sa, remote->text, initiate_local_family(sa->conn)))
			ike_sa_resolved(sa, NULL, 0);
		return;
	}
	sa->remote = remote->addr;
	if (initiate_set_local(sa) || sa->local.family == sa->remote.family)
		initiate_begin(sa);
	else
		initiate_no_way(sa);
}

/* Where in the list to begin: behind the address that was tried last, so that each attempt tries another. */
static size_t initiate_next(const struct ike_sa *sa, const struct addr *addrs, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (addr_equal_ip(&addrs[i], &sa->remote))
			return i + 1;
	return 0;
}

static void initiate_unresolved(struct ike_sa *sa)
{
	uint32_t pause = sa->ctx->options.retry_initiate_interval;
	const char *name = initiate_remote(sa->conn)->text;

	if (sa->remote.family) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the name '%s' in remote_addrs of '%s' has no address now, using %s as before",
		       name, sa->log.name, addr_format(&sa->remote).s);
		sa->setup->resolving = false;
		(void)initiate_set_local(sa);
		initiate_begin(sa);
	} else if (pause) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the name '%s' in remote_addrs of '%s' has no address, trying again in %us",
		       name, sa->log.name, pause);
		timer_start(sa->ctx->wheel, &sa->timer, sa_now(sa->ctx) + 1000ull * pause, initiate_again);
	} else {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the name '%s' in remote_addrs of '%s' has no address", name, sa->log.name);
		ike_sa_finish(sa, IKE_EVENT_DESTROY, CAUSE_RESOLVE, "the peer's name could not be resolved");
	}
}

void ike_sa_resolved(struct ike_sa *sa, const struct addr *addrs, size_t n)
{
	size_t first;

	if (sa->finished || !sa->setup || !sa->setup->resolving)
		return;
	if (n == 0) {
		initiate_unresolved(sa);
		return;
	}
	sa->setup->resolving = false;
	first = initiate_next(sa, addrs, n);
	for (size_t i = 0; i < n; i++) {
		sa->remote = addrs[(first + i) % n];
		if (initiate_set_local(sa)) {
			initiate_begin(sa);
			return;
		}
	}
	initiate_no_way(sa);
}

void ike_sa_initiate(struct ike_sa *sa, const struct child_conf *child, struct sa_request request)
{
	ike_sa_queue(sa, task_new(sa, TASK_IKE_INIT));
	ike_sa_queue(sa, task_new(sa, TASK_IKE_AUTH));
	if (child)
		ike_sa_queue(sa, child_create_new(sa, sa->conn, child, request));
	else
		sa->init_request = request;
	initiate_resolve(sa);
}

void ike_sa_restart(struct ike_sa *sa)
{
	struct sa_ctx *ctx = sa->ctx;
	uint8_t attempt = sa->setup->attempt;
	uint64_t old = sa->spi_i;

	outstanding_free(sa);
	while (sa->active) {
		struct task *t = sa->active;

		sa->active = t->next;
		if (t->type == TASK_CHILD_CREATE) {
			ike_sa_queue(sa, t);
		} else {
			task_request_done(sa, t, CAUSE_NONE, NULL);
			task_free(sa, t);
		}
	}
	while (sa->queued && (sa->queued->type == TASK_IKE_INIT || sa->queued->type == TASK_IKE_AUTH)) {
		struct task *t = sa->queued;

		sa->queued = t->next;
		task_free(sa, t);
	}
	ike_setup_free(sa->setup);
	sa->setup = xcalloc(1, sizeof(*sa->setup));
	sa->setup->attempt = attempt < UINT8_MAX ? attempt + 1 : attempt;
	secret_clear(&sa->keys.all);
	memset(&sa->protect, 0, sizeof(sa->protect));
	memset(&sa->suite, 0, sizeof(sa->suite));
	sa->nat_local = sa->nat_remote = sa->nat_fake = false;
	sa->spi_i = ctx->ops->make_spi(ctx->host);
	sa->spi_r = 0;
	ctx->ops->own_spi(ctx->host, sa, old, sa->spi_i);
	sa->out.next = 0;
	window_in_clear(&sa->in);
	sa->in.next = 0;
	ike_sa_move(sa, IKE_EVENT_RESTART);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "attempt %u of %s to reach %s", sa->setup->attempt,
	       sa->conn->keyingtries ? "keyingtries" : "unlimited keyingtries", addr_format(&sa->remote).s);
	ike_sa_queue(sa, task_new(sa, TASK_IKE_INIT));
	ike_sa_queue(sa, task_new(sa, TASK_IKE_AUTH));
	/* the name may point elsewhere by now, and the ports start over */
	initiate_resolve(sa);
}
