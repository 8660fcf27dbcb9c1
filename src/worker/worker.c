/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/thread.h"
#include "sa/address.h"
#include "sa/nat.h"
#include "sa/stream.h"
#include "worker/internal.h"

#include <malloc.h>
#include <stdlib.h>
#include <sys/epoll.h>

/* One worker's thread: sockets, mail and timers in one loop. */

/* Memory goes back to the system when this many SAs were freed and it is quiet for a while. */
#define TRIM_AFTER_FREED 512
#define TRIM_QUIET_MS 2000
#define ANSWERS_PER_SECOND 20

static void worker_socket(void *arg, uint32_t events)
{
	struct worker_socket *s = arg;
	struct worker *w = s->worker;
	const struct datagram *list;
	size_t n;

	(void)events; /* errors are cleared by reading; what waits to be sent goes out at the end of the turn */
	n = net_receive(w->net, s->sock, &list);
	for (size_t i = 0; i < n; i++)
		dispatch_datagram(w, &list[i].local, &list[i].remote, (uint8_t *)(uintptr_t)list[i].data.p,
				  list[i].data.n);
}

static void worker_idle(void *arg)
{
	struct worker *w = arg;
	unsigned full = net_flush(w->net);

	for (unsigned i = 0; i < NET_SOCKS; i++) {
		if (!w->fds[i])
			continue;
		if ((full >> i & 1) != w->sockets[i].full) {
			w->sockets[i].full = full >> i & 1;
			loop_modify(w->fds[i], EPOLLIN | (w->sockets[i].full ? EPOLLOUT : 0));
		}
	}
	sa_table_free_dead(w);
	if (w->freed >= TRIM_AFTER_FREED) {
		w->freed = 0;
		timer_start(w->ctx.wheel, &w->trim_timer, sa_now(&w->ctx) + TRIM_QUIET_MS, w->trim_timer.fn);
	}
}

/* ---- giving memory back: on a helper, because it takes its time ---- */

static void trim_compute(struct helper_job *job)
{
	(void)job;
	malloc_trim(0);
}

static void worker_trim(struct timer *t)
{
	struct worker *w = container_of(t, struct worker, trim_timer);
	struct helper_job *job = xcalloc(1, sizeof(*job));

	job->mail.kind = WORKER_MAIL_TRIMMED;
	job->mail.drop = mail_free;
	job->compute = trim_compute;
	job->reply_to = w->box;
	job->deadline_ms = UINT64_MAX;
	if (!helper_submit(w->pool->options.helpers, job))
		free(job);
}

/* ---- mail ---- */

static void worker_set_options(struct worker *w, const struct sa_options *o)
{
	bool keep_alive = w->ctx.options.keep_alive != o->keep_alive;

	w->ctx.options = *o;
	if (!keep_alive)
		return;
	/* it counts for all that are there, in the time from now on */
	for (size_t i = 0; i < w->by_id.size; i++)
		for (struct hashnode *node = w->by_id.buckets[i]; node; node = node->next) {
			struct ike_sa *sa = container_of(node, struct ike_sa, by_id);

			sa->keepalive_ms = 0;
			if (sa->nat_local && (sa->state == IKE_STATE_ESTABLISHED || sa->state == IKE_STATE_REKEYING))
				ike_sa_schedule(sa);
		}
}

static void worker_take_config(struct worker *w)
{
	struct config *old = w->ctx.config;

	atomic_store(&w->config_posted, false); /* first: what is set from now on has a mail of its own */
	w->ctx.config = pool_config(w->pool);
	config_unref(old);
}

static void worker_kernel_event(struct worker *w, const struct kernel_event *ev)
{
	struct child_sa *c = sa_table_child(w, ev->child_id); /* its IKE_SA may have been rekeyed */

	if (ev->kind == KERNEL_EVENT_INVALID_SPI)
		unknown_esp(w, ev);
	if (ev->kind == KERNEL_EVENT_ACQUIRE)
		traps_acquire(w, ev);
	if (c && (ev->kind == KERNEL_EVENT_EXPIRE_HARD || ev->kind == KERNEL_EVENT_EXPIRE_SOFT))
		ike_sa_child_expired(c->ike, c, ev->kind == KERNEL_EVENT_EXPIRE_HARD);
	if (c && ev->kind == KERNEL_EVENT_GONE)
		ike_sa_child_gone(c->ike, c);
	if (c && ev->kind == KERNEL_EVENT_MAPPING && ev->src.stream)
		ike_sa_stream_esp(c->ike, &ev->dst, &ev->src);
	else if (c && ev->kind == KERNEL_EVENT_MAPPING)
		nat_follow_esp(c, &ev->src);
}

static void worker_stop_timer(struct timer *t)
{
	struct worker *w = container_of(t, struct worker, stop_timer);

	loop_stop(w->loop);
}

static void worker_check_stopped(struct worker *w)
{
	if (w->stopping && sa_table_count(w) == 0) /* CLOSED ones do not hold us up */
		loop_stop(w->loop);
}

/* Deletes go out for all at once; the answers have until the limit. */
static void worker_stop(struct worker *w, unsigned limit_ms)
{
	size_t n;
	uint32_t *ids = sa_table_ids(w, &n);

	w->stopping = true;
	for (size_t i = 0; i < n; i++) {
		struct ike_sa *sa = sa_table_by_id(w, ids[i]);

		if (sa)
			ike_sa_terminate(sa, limit_ms == 0, (struct sa_request){ 0 });
	}
	free(ids);
	timer_start(w->ctx.wheel, &w->stop_timer, sa_now(&w->ctx) + limit_ms, worker_stop_timer);
}

static void worker_run_mail(struct worker *w, struct mail *m)
{
	switch ((enum worker_mail_kind)m->kind) {
	case WORKER_MAIL_PACKET: {
		struct packet_mail *p = container_of(m, struct packet_mail, mail);

		if (p->remote.stream)
			atomic_fetch_sub_explicit(&w->stream_bytes, p->n, memory_order_relaxed);
		dispatch_datagram(w, &p->local, &p->remote, p->data, p->n);
		break;
	}
	case WORKER_MAIL_STREAM:
		streams_reopened(w, container_of(m, struct stream_mail, mail));
		break;
	case WORKER_MAIL_CONFIG:
		worker_take_config(w);
		break;
	case WORKER_MAIL_OPTIONS:
		worker_set_options(w, &container_of(m, struct options_mail, mail)->options);
		break;
	case WORKER_MAIL_KERNEL_DONE: {
		struct kernel_done_mail *k = container_of(m, struct kernel_done_mail, mail);
		struct child_sa *moved = k->ike_id ? NULL : sa_table_child(w, k->child_id);
		struct ike_sa *sa = k->ike_id ? sa_table_by_id(w, k->ike_id) : NULL;

		if (moved)
			child_sa_moved(moved, k->status, &k->err);
		if (sa)
			ike_sa_kernel_done(sa, k->child_id, k->status, &k->err);
		break;
	}
	case WORKER_MAIL_KERNEL_EVENT:
		worker_kernel_event(w, &container_of(m, struct kernel_event_mail, mail)->ev);
		break;
	case WORKER_MAIL_RESOLVED:
		host_resolved(w, container_of(m, struct resolve_job, job.mail));
		break;
	case WORKER_MAIL_REPLACE:
		host_replace(w, container_of(m, struct replace_mail, mail));
		break;
	case WORKER_MAIL_LIST:
	case WORKER_MAIL_FIND:
	case WORKER_MAIL_STATS:
	case WORKER_MAIL_INITIATE:
	case WORKER_MAIL_TERMINATE:
	case WORKER_MAIL_SYNC_IDS:
	case WORKER_MAIL_REKEY:
	case WORKER_MAIL_REAUTH_TIME:
		request_run(w, container_of(m, struct request_mail, mail));
		return; /* frees or keeps the mail itself */
	case WORKER_MAIL_STOP:
		worker_stop(w, container_of(m, struct stop_mail, mail)->limit_ms);
		break;
	case WORKER_MAIL_HINT:
		unknown_hint(w, m);
		return; /* goes on to the next */
	case WORKER_MAIL_ROAM:
		roam_run(w, m);
		return; /* it may take several turns */
	case WORKER_MAIL_AUTHENTICATED:
		authentication_answered(w, m);
		return;
	case WORKER_MAIL_RECHECK_CRL:
		authentication_recheck(w, m);
		return; /* it may take several turns */
	case WORKER_MAIL_TRAP:
		traps_mail(w, m);
		return;
	case WORKER_MAIL_TRIMMED:
		break;
	}
	m->drop(m);
}

static void worker_mail(void *arg, uint32_t events)
{
	struct worker *w = arg;
	struct mail *m = mailbox_take(w->box);

	(void)events;
	while (m) {
		struct mail *next = m->next;

		worker_run_mail(w, m);
		m = next;
	}
}

static void worker_turn(void *arg)
{
	struct worker *w = arg;

	worker_idle(w);
	worker_check_stopped(w);
}

static void *worker_thread(void *arg)
{
	struct worker *w = arg;

	log_set_thread(w->index + 2);
	loop_run(w->loop);
	return NULL;
}

/* ---- making and ending ---- */

bool worker_init(struct worker *w, struct workers *pool, unsigned index, struct errtext *err)
{
	const struct workers_options *o = &pool->options;
	int fds[NET_SOCKS];

	w->pool = pool;
	w->index = index;
	w->net = net_worker(o->net, index);
	w->box = mailbox_new();
	w->loop = loop_new();
	if (!w->box || !w->loop) {
		errtext_set(err, "worker %u has no event loop: too many open files?", index);
		return false;
	}
	w->answers = (struct ratelimit){ .per_second = ANSWERS_PER_SECOND, .burst = ANSWERS_PER_SECOND };
	w->unknown = unknown_limits_new();
	w->traps = index == 0 ? traps_new(w) : NULL;
	w->trim_timer.fn = worker_trim;
	sa_ctx_init(&w->ctx);
	w->ctx.ops = &worker_host_ops;
	w->ctx.host = w;
	w->ctx.shard = index;
	w->ctx.wheel = loop_wheel(w->loop);
	w->ctx.crypto = crypto_ctx_new(o->crypto);
	w->ctx.kernel = o->kernel;
	w->ctx.kernel_ops = o->kernel_ops;
	w->ctx.attributes = o->attributes;
	w->ctx.config = pool_config(pool);
	w->ctx.hash = pool->hash;
	w->ctx.options = o->sa;
	net_worker_fds(w->net, fds);
	for (unsigned i = 0; i < NET_SOCKS; i++) {
		if (fds[i] < 0)
			continue;
		w->sockets[i] = (struct worker_socket){ .worker = w, .sock = i };
		w->fds[i] = loop_add(w->loop, fds[i], EPOLLIN, worker_socket, &w->sockets[i]);
	}
	if (!loop_add(w->loop, mailbox_fd(w->box), EPOLLIN, worker_mail, w)) {
		errtext_set(err, "worker %u cannot watch its mailbox", index);
		return false;
	}
	loop_set_idle(w->loop, worker_turn, w);
	return true;
}

bool worker_run(struct worker *w, struct errtext *err)
{
	if (thread_start(&w->thread, NULL, worker_thread, w) != 0) {
		errtext_set(err, "worker thread %u could not be started: too many threads?", w->index);
		return false;
	}
	w->running = true;
	return true;
}

/* After its thread has ended. */
void worker_clear(struct worker *w)
{
	size_t n;
	uint32_t *ids;

	if (!w->pool)
		return;
	if (w->ctx.out) {
		ids = sa_table_ids(w, &n);
		for (size_t i = 0; i < n; i++) {
			struct ike_sa *sa = sa_table_by_id(w, ids[i]);

			if (sa)
				ike_sa_finish(sa, IKE_EVENT_DESTROY, CAUSE_SHUTDOWN, "the daemon is shutting down");
		}
		free(ids);
		traps_free(w->traps);
		/* what is left has closed and lingered; the table shrinks meanwhile, and moves what is in it */
		for (size_t i = 0; w->by_id.count; i++)
			while (w->by_id.count && w->by_id.buckets[i % w->by_id.size])
				ike_sa_finish(container_of(w->by_id.buckets[i % w->by_id.size], struct ike_sa, by_id),
					      IKE_EVENT_DESTROY, CAUSE_NONE, NULL);
		net_flush(w->net);
		sa_table_free_dead(w);
		config_unref(w->ctx.config);
		local_addrs_unref(w->ctx.locals);
		crypto_ctx_free(w->ctx.crypto);
		sa_ctx_clear(&w->ctx);
	}
	free(w->dead);
	hashtab_clear(&w->by_spi);
	hashtab_clear(&w->by_id);
	hashtab_clear(&w->by_peer);
	hashtab_clear(&w->by_addr);
	hashtab_clear(&w->by_name);
	unknown_limits_free(w->unknown);
	hashtab_clear(&w->by_child);
	hashtab_clear(&w->reserved);
	if (w->loop)
		loop_free(w->loop);
	mailbox_free(w->box);
}
