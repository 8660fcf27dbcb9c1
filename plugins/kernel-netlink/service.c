/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "fence.h"
#include "policy.h"
#include "sa.h"
#include "loop/thread.h"
#include "util/log.h"

#define SERVICE_STOP_MS 30000

void kernel_tell(struct kernel *k, const struct kernel_event *ev)
{
	if (!k->stopping)
		k->event(k->event_arg, ev);
}

struct kernel_event handle_event(const struct kernel_handle *h, enum kernel_event_kind kind)
{
	return (struct kernel_event){ .kind = kind, .spi = h->conf.in.spi, .ike_id = h->conf.ike_id,
				      .child_id = h->conf.unique_id, .reqid = h->conf.reqid };
}

/* ---- installing ---- */

static void service_installed(struct txn *t)
{
	struct kernel_handle *h = container_of(t, struct kernel_handle, txn);
	struct kernel *k = h->kernel;

	if (t->failed) {
		k->n_failed++;
		policies_of_child_remove(k, h);
		sas_undo(k, h);
	}
	sas_added(h);
	if (h->done.fn)
		h->done.fn(h->done.arg, h->done.token, t->failed ? KERNEL_FAILED : KERNEL_OK, &t->err);
	service_settle(k, h);
}

static bool service_install_sas(struct kernel *k, struct kernel_handle *h)
{
	if (!handle_has_sas(h))
		return true;
	if (!sas_offload(k, h, &h->txn))
		return false;
	h->in.state = sa_state_of_conf(&h->in);
	h->out.state = sa_state_of_conf(&h->out);
	sa_add(k, &h->in, &h->txn);
	sa_add(k, &h->out, &h->txn);
	return true;
}

static void service_install(struct kernel *k, struct kernel_handle *h)
{
	list_add_tail(&k->children, &h->link);
	k->n_children++;
	h->busy = true;
	h->busy_since = k->fence_no;
	txn_begin(&h->txn, k->nl, service_installed);
	if (service_install_sas(k, h) && !h->conf.no_policies)
		(void)policies_of_child_add(k, h, &h->txn);
	txn_close(&h->txn);
}

/* ---- removing ---- */

static void service_removed(void *arg, int error, const char *text)
{
	struct kernel_handle *h = arg;

	if (error && error != ESRCH)
		LOG(KNL, LOG_LEVEL_CONTROL, "%s: an SA could not be removed: %s", h->conf.name,
		    txn_reason(error, text).s);
	handle_unref(h);
}

static void service_remove_now(struct kernel *k, struct kernel_handle *h)
{
	counters_forget(k, h);
	move_cancel(h);
	policies_of_child_remove(k, h); /* first, else packets without an SA would call for one */
	sas_remove(k, h, service_removed);
	/* the pool gives it out again only after all others: the kernel has deleted it long before */
	if (h->conf.in.spi)
		spi_pool_give(k->spis, h->conf.in.spi);
	list_del(&h->link);
	k->n_children--;
	handle_unref(h);
}

static void service_remove(struct kernel *k, struct kernel_handle *h)
{
	h->remove_wanted = true;
	if (!h->busy)
		service_remove_now(k, h);
}

void service_settle(struct kernel *k, struct kernel_handle *h)
{
	h->busy = false;
	if (h->remove_wanted)
		service_remove_now(k, h);
	else if (h->next_move)
		move_begin(k, h);
	if (k->resync_busy)
		resync_sas(k);
}

/* ---- the thread ---- */

static void service_mail(struct kernel *k, struct mail *m)
{
	switch ((enum service_mail)m->kind) {
	case SERVICE_INSTALL:
		service_install(k, container_of(m, struct kernel_handle, install_mail));
		break;
	case SERVICE_REMOVE:
		service_remove(k, container_of(m, struct kernel_handle, remove_mail));
		break;
	case SERVICE_MOVE:
		move_want(k, container_of(m, struct move, mail));
		break;
	case SERVICE_CARRY: {
		struct service_carry *c = container_of(m, struct service_carry, mail);

		if (!c->h->remove_wanted)
			policies_carry(k, c->h, c->on);
		free(c);
		break;
	}
	case SERVICE_QUERY:
		counters_want(k, container_of(m, struct kernel_handle, query_mail));
		break;
	case SERVICE_VIP: {
		struct service_vip *v = container_of(m, struct service_vip, mail);

		policies_vip(k, &v->vip, v->add);
		free(v);
		break;
	}
	case SERVICE_FENCE:
		fence_want(k, container_of(m, struct fence, mail));
		break;
	case SERVICE_STOP:
		k->stopping = true;
		loop_stop(k->loop);
		free(m);
		break;
	}
}

static void service_read_mail(void *arg, uint32_t events)
{
	struct kernel *k = arg;

	for (struct mail *m = mailbox_take(k->box), *next; m; m = next) {
		next = m->next;
		service_mail(k, m);
	}
}

static void service_idle(void *arg)
{
	struct kernel *k = arg;

	counters_ask(k);
	fences_check(k);
	nl_flush(k->nl);
	nl_flush(k->events);
}

static void *service_main(void *arg)
{
	struct kernel *k = arg;

	loop_run(k->loop);
	return NULL;
}

static void service_dead(void *arg, const char *why)
{
	struct kernel *k = arg;
	struct kernel_event ev = { .kind = KERNEL_EVENT_DEAD };

	kernel_tell(k, &ev);
}

void service_turn(struct kernel *k)
{
	service_read_mail(k, 0);
	service_idle(k);
}

bool netlink_service_start(struct kernel *k, struct errtext *err)
{
	int e;

	nl_on_dead(k->nl, service_dead, k);
	nl_on_dead(k->events, service_dead, k);
	if (!loop_add(k->loop, mailbox_fd(k->box), EPOLLIN, service_read_mail, k) || !nl_watch(k->nl, k->loop) ||
	    !nl_watch(k->events, k->loop)) {
		errtext_set(err, "cannot watch the kernel: %s", strerror(errno));
		return false;
	}
	loop_set_idle(k->loop, service_idle, k);
	e = thread_start(&k->service, "bewick-xfrm", service_main, k);
	if (e) {
		errtext_set(err, "cannot start the service thread: %s", strerror(e));
		return false;
	}
	k->service_runs = true;
	return true;
}

void netlink_service_stop(struct kernel *k)
{
	if (!k->service_runs)
		return;
	thread_stop(k->service, k->box, SERVICE_STOP);
	k->service_runs = false;
	service_read_mail(k, 0); /* what came behind the end */
	(void)nl_drain(k->nl, SERVICE_STOP_MS); /* so that nobody is busy */
	LIST_FOREACH_SAFE(it, &k->children) {
		struct kernel_handle *h = list_entry(it, struct kernel_handle, link);

		if (!h->busy)
			service_remove(k, h);
	}
	(void)nl_drain(k->nl, SERVICE_STOP_MS);
	fences_end(k);
}
