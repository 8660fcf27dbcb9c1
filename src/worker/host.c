/* SPDX-License-Identifier: Apache-2.0 */
#include <netdb.h>
#include <stdlib.h>

#include "worker/internal.h"

/* What SAs need of the world (sa/host.h), by this worker. */

static void host_send(void *host, const struct addr *local, const struct addr *remote, unsigned dscp, struct bytes msg)
{
	net_send_dscp(((struct worker *)host)->net, local, remote, dscp, msg);
}

static void host_keepalive(void *host, const struct addr *local, const struct addr *remote)
{
	net_send_keepalive(((struct worker *)host)->net, local, remote);
}

static bool host_event_is_wanted(const struct worker *w, enum sa_event event, const struct ike_sa *sa,
				 const struct child_sa *child)
{
	unsigned wanted = atomic_load_explicit(&w->pool->events, memory_order_relaxed), also = 0;

	if (event == SA_EVENT_CHILD_UP || event == SA_EVENT_CHILD_DOWN)
		also = child->conf->updown ? WORKERS_WANT_UPDOWN : 0;
	else if (event == SA_EVENT_IKE_UP || event == SA_EVENT_IKE_DOWN)
		also = sa->attributes ? WORKERS_WANT_ATTRIBUTES : 0;
	return wanted & (1u << event | also);
}

static void host_event(void *host, enum sa_event event, const struct ike_sa *sa, const struct child_sa *child)
{
	struct worker *w = host;
	struct worker_reply *r;

	if (!host_event_is_wanted(w, event, sa, child))
		return;
	r = request_reply(NULL, WORKER_EVENT, 0);
	r->event = event;
	r->info = ike_info_new(sa, child, child == NULL);
	mailbox_post(w->pool->options.events, &r->mail);
}

static void host_rekeyed(void *host, const struct ike_sa *sa, const struct child_sa *child, const struct ike_sa *new_sa,
			 const struct child_sa *new_child)
{
	enum sa_event event = child ? SA_EVENT_CHILD_REKEY : SA_EVENT_IKE_REKEY;
	struct worker *w = host;
	struct worker_reply *r;

	/* RFC 7296, 2.18: who asked for the new IKE_SA is its original initiator */
	sa_count(&w->ctx, sa->conn, child ? SA_COUNTER_CHILD_REKEY :
			  new_sa->initiator ? SA_COUNTER_IKE_REKEY_INIT : SA_COUNTER_IKE_REKEY_RESP);
	if (!(atomic_load_explicit(&w->pool->events, memory_order_relaxed) & 1u << event))
		return;
	r = request_reply(NULL, WORKER_EVENT, 0);
	r->event = event;
	r->info = ike_info_new(sa, child, child == NULL);
	r->info_new = ike_info_new(new_sa, new_child, new_child == NULL);
	mailbox_post(w->pool->options.events, &r->mail);
}

static void host_moving(void *host, const struct ike_sa *sa, const struct addr *local, const struct addr *remote)
{
	struct worker *w = host;
	struct worker_reply *r;

	if (!(atomic_load_explicit(&w->pool->events, memory_order_relaxed) & 1u << SA_EVENT_IKE_UPDATE))
		return;
	r = request_reply(NULL, WORKER_EVENT, 0);
	r->event = SA_EVENT_IKE_UPDATE;
	r->info = ike_info_new(sa, NULL, true);
	r->local = *local;
	r->remote = *remote;
	mailbox_post(w->pool->options.events, &r->mail);
}

static void host_random(void *arg, void *out, size_t n)
{
	crypto_random(((struct worker *)arg)->ctx.crypto, out, n);
}

static uint64_t host_make_spi(void *host)
{
	struct worker *w = host;
	uint64_t spi;

	do {
		spi = steer_make_spi(net_steer(w->pool->options.net), w->index, w->ctx.options.segment, host_random, w);
	} while (sa_table_by_spi(w, spi));
	return spi;
}

static void host_reserve_spi(void *host, uint64_t spi, bool is)
{
	if (is)
		sa_table_reserve(host, spi);
	else
		sa_table_unreserve(host, spi);
}

static uint32_t host_next_number(void *host, enum sa_number kind)
{
	return atomic_fetch_add_explicit(&((struct worker *)host)->pool->next_number[kind], 1, memory_order_relaxed) + 1;
}

static void host_own_spi(void *host, struct ike_sa *sa, uint64_t old_spi, uint64_t new_spi)
{
	if (old_spi)
		sa_table_remove_spi(host, sa);
	if (new_spi)
		sa_table_add_spi(host, sa, new_spi);
}

static bool host_claim(void *host, struct ike_sa *sa)
{
	struct worker *w = host;
	uint64_t hash = uniqueness_hash(&w->pool->hash, &sa->local_id, &sa->remote_id);

	sa->claimed = uniqueness_add(w->pool->uniqueness, hash) == 1;
	if (!sa->claimed)
		uniqueness_remove(w->pool->uniqueness, hash);
	return sa->claimed;
}

static void host_established(void *host, struct ike_sa *sa)
{
	struct worker *w = host;
	uint64_t hash = uniqueness_hash(&w->pool->hash, &sa->local_id, &sa->remote_id);

	sa_table_add_peer(w, sa, hash);
	sa_table_add_addr(w, sa);
	if (!sa->claimed)
		uniqueness_add(w->pool->uniqueness, hash);
	sa->claimed = true;
	/* behind the counting: of two that come up at once the later sees both */
	sa->host_order = atomic_fetch_add(&w->pool->established, 1) + 1;
}

static void host_inherited(void *host, struct ike_sa *sa, struct ike_sa *old)
{
	struct worker *w = host;

	/* the count of the pair stays, and the place in the order: rekeying makes nobody newer than before */
	sa_table_remove_peer(w, old);
	sa_table_add_peer(w, sa, uniqueness_hash(&w->pool->hash, &sa->local_id, &sa->remote_id));
	sa_table_remove_addr(w, old);
	sa_table_add_addr(w, sa);
	sa->host_order = old->host_order;
	sa->claimed = old->claimed;
	old->claimed = false;
}

static void host_named(void *host, struct ike_sa *sa)
{
	sa_table_set_name(host, sa);
}

static void host_own_child(void *host, struct child_sa *child, bool is)
{
	if (is)
		sa_table_add_child(host, child);
	else
		sa_table_remove_child(host, child);
}

static void host_released(void *host, struct ike_sa *sa)
{
	struct worker *w = host;

	if (sa->claimed)
		uniqueness_remove(w->pool->uniqueness,
				  uniqueness_hash(&w->pool->hash, &sa->local_id, &sa->remote_id));
	sa->claimed = false;
	sa_table_remove_peer(w, sa);
	sa_table_remove_addr(w, sa);
}

static void host_moved(void *host, struct ike_sa *sa)
{
	if (!sa->in_addr_table)
		return;
	sa_table_remove_addr(host, sa);
	sa_table_add_addr(host, sa);
}

static void replace_drop(struct mail *m)
{
	struct replace_mail *r = container_of(m, struct replace_mail, mail);

	id_free(&r->local);
	id_free(&r->remote);
	free(r);
}

static void host_replace_others(void *host, struct ike_sa *sa, bool tell_peer)
{
	struct worker *w = host;
	uint64_t hash = uniqueness_hash(&w->pool->hash, &sa->local_id, &sa->remote_id);

	/* itself is counted: nothing to do for the usual, single IKE_SA */
	if (uniqueness_count(w->pool->uniqueness, hash) < 2)
		return;
	for (unsigned i = 0; i < w->pool->count; i++) {
		struct replace_mail *m = xcalloc(1, sizeof(*m));

		m->mail.kind = WORKER_MAIL_REPLACE;
		m->mail.drop = replace_drop;
		m->hash = hash;
		m->except = sa->log.id;
		m->order = sa->host_order;
		m->tell_peer = tell_peer;
		m->local = id_dup(&sa->local_id);
		m->remote = id_dup(&sa->remote_id);
		mailbox_post(w->pool->workers[i].box, &m->mail);
	}
}

static bool host_is_up(const struct ike_sa *sa)
{
	return sa->state == IKE_STATE_ESTABLISHED || sa->state == IKE_STATE_REKEYING;
}

void host_replace(struct worker *w, const struct replace_mail *m)
{
	uint32_t found[16];
	size_t n = 0;

	/* ending an SA changes the chain: collect first; more than a few of one pair are not usual, the rest is found again */
	do {
		n = 0;
		for (struct hashnode *node = hashtab_first(&w->by_peer, m->hash); node && n < ARRAY_LEN(found);
		     node = hashtab_next(node)) {
			struct ike_sa *sa = container_of(node, struct ike_sa, by_peer);

			/* only older ones: two that come up at once must not end each other */
			if (sa->host_order < m->order && host_is_up(sa) && !sa->being_replaced &&
			    id_equal(&sa->local_id, &m->local) && id_equal(&sa->remote_id, &m->remote))
				found[n++] = sa->log.id;
		}
		for (size_t i = 0; i < n; i++) {
			struct ike_sa *sa = sa_table_by_id(w, found[i]);

			if (!sa)
				continue;
			sa->being_replaced = true;
			LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "replaced by IKE_SA [%u] of the same peer '%s'%s", m->except,
			       id_text(&sa->remote_id).s, m->tell_peer ? "" : ", which has forgotten this one");
			ike_sa_terminate(sa, !m->tell_peer, (struct sa_request){ 0 });
		}
	} while (n == ARRAY_LEN(found));
}

static bool host_claim_selectors(void *host, uint64_t selectors, uint64_t peer)
{
	unsigned n;

	return uniqueness_claim(((struct worker *)host)->pool->selectors, selectors, peer, &n);
}

static void host_release_selectors(void *host, uint64_t selectors)
{
	uniqueness_remove(((struct worker *)host)->pool->selectors, selectors);
}

static bool host_has_other(void *host, const struct id *local, const struct id *remote)
{
	struct worker *w = host;

	return uniqueness_count(w->pool->uniqueness, uniqueness_hash(&w->pool->hash, local, remote)) > 0;
}

static void host_finished(void *host, struct ike_sa *sa)
{
	sa_table_remove_spi(host, sa);
	sa_table_remove_name(host, sa);
	sa_table_bury(host, sa);
}

static void host_half_open(void *host, struct ike_sa *sa, bool is)
{
	struct worker *w = host;

	if (is)
		half_open_add(w->pool->half_open, &sa->remote);
	else
		half_open_remove(w->pool->half_open, &sa->remote);
}

static size_t host_cookie(void *host, const struct ike_sa *sa, unsigned age, uint8_t *ret)
{
	/* nearly always nobody was asked for one: then there is nothing to compute, for each peer that signs */
	if (!cookie_may_be_held(host) ||
	    !cookie_make(host, &sa->remote, sa->spi_i, secret_bytes(&sa->setup->ni), age, ret))
		return 0;
	return COOKIE_LEN;
}

static void host_request_done(void *host, struct sa_request request, enum cause cause, const char *why)
{
	(void)host;
	request_waiter_done(request, cause, why);
}

/* ---- completions ---- */

void mail_free(struct mail *m)
{
	free(m); /* mail is the first member of all that use this */
}

static void host_kernel_done_fn(void *arg, uint64_t token, enum kernel_status status, const struct errtext *err)
{
	struct worker *w = arg;
	struct kernel_done_mail *m = xcalloc(1, sizeof(*m));

	m->mail.kind = WORKER_MAIL_KERNEL_DONE;
	m->mail.drop = mail_free;
	m->ike_id = (uint32_t)(token >> 32);
	m->child_id = (uint32_t)token;
	m->status = status;
	if (err)
		m->err = *err;
	mailbox_post(w->box, &m->mail);
}

static struct kernel_done host_kernel_done(void *host, struct ike_sa *sa, uint32_t child_id)
{
	return (struct kernel_done){ host_kernel_done_fn, host, (uint64_t)sa->log.id << 32 | child_id };
}

/* By the child alone: it may belong to a successor of the IKE_SA by then. */
static struct kernel_done host_move_done(void *host, struct child_sa *child)
{
	return (struct kernel_done){ host_kernel_done_fn, host, child->id };
}

static void resolve_drop(struct mail *m)
{
	struct resolve_job *r = container_of(m, struct resolve_job, job.mail);

	free(r->name);
	free(r);
}

static void resolve_compute(struct helper_job *job)
{
	struct resolve_job *r = container_of(job, struct resolve_job, job);
	struct addrinfo hints = { .ai_family = r->family, .ai_socktype = SOCK_DGRAM }, *list;

	if (getaddrinfo(r->name, NULL, &hints, &list) != 0)
		return;
	for (struct addrinfo *ai = list; ai && r->n < LIMIT_RESOLVED; ai = ai->ai_next) {
		struct sockaddr_storage ss = { 0 };

		if (ai->ai_addrlen > sizeof(ss))
			continue;
		memcpy(&ss, ai->ai_addr, ai->ai_addrlen);
		r->n += addr_from_sockaddr(&ss, &r->addrs[r->n]);
	}
	freeaddrinfo(list);
}

#define RESOLVE_LIMIT_MS 20000

static bool host_resolve(void *host, struct ike_sa *sa, const char *name, int family)
{
	struct worker *w = host;
	struct resolve_job *r = xcalloc(1, sizeof(*r));

	r->job.mail.kind = WORKER_MAIL_RESOLVED;
	r->job.mail.drop = resolve_drop;
	r->job.compute = resolve_compute;
	r->job.reply_to = w->box;
	r->job.deadline_ms = clock_monotonic_ms() + RESOLVE_LIMIT_MS;
	r->ike_id = sa->log.id;
	r->family = family;
	r->name = xstrdup(name);
	if (helper_submit(w->pool->options.helpers, &r->job))
		return true;
	resolve_drop(&r->job.mail);
	return false;
}

void host_resolved(struct worker *w, struct resolve_job *job)
{
	struct ike_sa *sa = sa_table_by_id(w, job->ike_id);

	if (sa)
		ike_sa_resolved(sa, job->addrs, job->job.late ? 0 : job->n);
}

static bool host_source_address(void *host, const struct addr *remote, struct addr *ret_local)
{
	return result_is_ok(net_source_address(((struct worker *)host)->pool->options.net, remote, ret_local));
}

struct host_fits {
	const struct endpoint *endpoint;
	const struct local_addrs *locals;
};

static bool host_endpoint_fits(const void *arg, const struct addr *a)
{
	const struct host_fits *f = arg;

	return endpoint_fits(f->endpoint, a) && !local_addrs_is_vip(f->locals, a);
}

static bool host_own_address(void *host, const struct endpoint *e, const struct addr *remote, struct addr *ret_local)
{
	struct host_fits f = { e, ((struct worker *)host)->ctx.locals };

	return net_own_address(remote, host_endpoint_fits, &f, ret_local);
}

static bool host_route(void *host, const struct addr *local, const struct addr *remote, unsigned *ret_ifindex)
{
	return result_is_ok(net_route(((struct worker *)host)->pool->options.net, local, remote, ret_ifindex));
}

static void host_ask_control(struct worker *w, unsigned kind, const struct conn *conn, const struct child_conf *child)
{
	struct worker_reply *r;

	if (w->stopping)
		return;
	r = request_reply(NULL, kind, 0);
	r->conn = conn_ref(conn);
	r->child = child ? child->name : NULL;
	mailbox_post(w->pool->options.events, &r->mail);
}

static void host_reinitiate(void *host, const struct conn *conn, const struct child_conf *child)
{
	host_ask_control(host, WORKER_REINITIATE, conn, child);
}

static void host_retrap(void *host, const struct conn *conn, const struct child_conf *child)
{
	host_ask_control(host, WORKER_RETRAP, conn, child);
}

static uint32_t host_trap_reqid(void *host, const struct conn *conn, const struct child_conf *child)
{
	return trap_reqids_find(((struct worker *)host)->pool->trap_reqids, conn->name, child->name);
}

const struct sa_host_ops worker_host_ops = {
	.send = host_send,
	.keepalive = host_keepalive,
	.event = host_event,
	.rekeyed = host_rekeyed,
	.make_spi = host_make_spi,
	.reserve_spi = host_reserve_spi,
	.next_number = host_next_number,
	.own_spi = host_own_spi,
	.claim = host_claim,
	.established = host_established,
	.inherited = host_inherited,
	.named = host_named,
	.own_child = host_own_child,
	.released = host_released,
	.replace_others = host_replace_others,
	.has_other = host_has_other,
	.claim_selectors = host_claim_selectors,
	.release_selectors = host_release_selectors,
	.finished = host_finished,
	.half_open = host_half_open,
	.cookie = host_cookie,
	.request_done = host_request_done,
	.kernel_done = host_kernel_done,
	.move_done = host_move_done,
	.moving = host_moving,
	.moved = host_moved,
	.authenticate = authentication_ask,
	.resolve = host_resolve,
	.source_address = host_source_address,
	.own_address = host_own_address,
	.route = host_route,
	.stream_open = streams_open,
	.stream_use = streams_use,
	.stream_again = streams_again,
	.reinitiate = host_reinitiate,
	.retrap = host_retrap,
	.trap_reqid = host_trap_reqid,
};
