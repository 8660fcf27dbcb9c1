/* SPDX-License-Identifier: Apache-2.0 */
#include <time.h>

#include "sa.h"

/*
 * Counters are read when they are asked for, in the background: a question is answered with what is known, and a child's
 * numbers are read at most twice a second. When many are wanted, all SAs are read in one dump.
 */
#define COUNTERS_MANY 32
#define COUNTERS_SHARE 8 /* of the children: from here on the dump is cheaper */

static uint64_t counters_monotonic(uint64_t realtime_s)
{
	uint64_t real = (uint64_t)time(NULL), now = clock_monotonic_ms();
	uint64_t ago = realtime_s < real ? (real - realtime_s) * 1000 : 0;

	return ago < now ? now - ago : 1;
}

void counters_set(struct sa *sa, const struct xfrm_lifetime_cur *used, uint64_t last_used_s)
{
	uint64_t before = atomic_load_explicit(&sa->packets, memory_order_relaxed);

	if (last_used_s)
		atomic_store_explicit(&sa->last_use_ms, counters_monotonic(last_used_s), memory_order_relaxed);
	else if (used->packets > before) /* kernels that do not tell */
		atomic_store_explicit(&sa->last_use_ms, clock_monotonic_ms(), memory_order_relaxed);
	atomic_store_explicit(&sa->bytes, used->bytes, memory_order_relaxed);
	atomic_store_explicit(&sa->packets, used->packets, memory_order_relaxed);
}

static void counters_read(struct sa *sa, const struct nlmsghdr *h)
{
	struct sa_report r;

	if (h && h->nlmsg_type == XFRM_MSG_NEWSA && sa_report_read(h, &r))
		counters_set(sa, &r.info.curlft, r.last_used_s);
}

void counters_want(struct kernel *k, struct kernel_handle *h)
{
	atomic_store_explicit(&h->asked_ms, clock_monotonic_ms(), memory_order_release);
	if (h->remove_wanted || !list_empty(&h->query_link))
		return;
	list_add_tail(&k->queries, &h->query_link);
	k->n_queries++;
}

void counters_forget(struct kernel *k, struct kernel_handle *h)
{
	if (list_empty(&h->query_link))
		return;
	list_del(&h->query_link);
	k->n_queries--;
}

/* ---- one by one ---- */

static void counters_message(void *arg, const struct nlmsghdr *h)
{
	counters_read(arg, h);
}

static void counters_done(void *arg, int error, const char *text)
{
	handle_unref(((struct sa *)arg)->h);
}

static void counters_ask_sa(struct kernel *k, struct sa *sa)
{
	union nl_request_buffer b;

	if (!sa->ours)
		return;
	handle_ref(sa->h);
	sa_build_id(&b, XFRM_MSG_GETSA, sa);
	nl_queue(k->nl, &b, (struct nl_answer){ counters_message, counters_done, sa });
}

/* ---- all ---- */

static struct sa *counters_find(struct kernel *k, const struct xfrm_usersa_info *info)
{
	struct addr dst;

	if (info->id.proto != IPPROTO_ESP || info->sel.user != k->owner)
		return NULL;
	dst = sa_get_addr(info->family, &info->id.daddr);
	return sa_find(k, ntohl(info->id.spi), &dst);
}

static void counters_dump_message(void *arg, const struct nlmsghdr *h)
{
	struct kernel *k = arg;
	struct sa_report r;
	struct sa *sa;

	if (!h || h->nlmsg_type != XFRM_MSG_NEWSA || !sa_report_read(h, &r))
		return;
	sa = counters_find(k, &r.info);
	if (sa) {
		sa->seen = true;
		counters_set(sa, &r.info.curlft, r.last_used_s);
	} else if (k->resync_dump) {
		resync_sas_seen(k, h, &r);
	}
}

static void counters_dump_done(void *arg, int error, const char *text)
{
	struct kernel *k = arg;
	bool resync = k->resync_dump;

	k->dumping = k->resync_dump = false;
	if (resync && !error)
		resync_sas_done(k);
	if (k->resync || (resync && error && !k->stopping)) {
		k->resync = true;
		counters_dump(k);
	}
}

static void counters_unseen(struct hashnode *node, void *arg)
{
	container_of(node, struct sa, node)->seen = false;
}

void counters_dump(struct kernel *k)
{
	union nl_request_buffer b;

	k->dumping = true;
	k->resync_dump = k->resync;
	k->resync = false;
	k->n_gone = k->n_unknown = 0;
	if (k->resync_dump)
		hashtab_walk(&k->sas, counters_unseen, NULL);
	sa_build_dump(&b);
	nl_queue(k->nl, &b, (struct nl_answer){ counters_dump_message, counters_dump_done, k });
}

void counters_ask(struct kernel *k)
{
	bool many = k->n_queries > COUNTERS_MANY && k->n_queries > k->n_children / COUNTERS_SHARE;

	if (many && k->dumping)
		return; /* when that is done */
	if (many)
		counters_dump(k);
	LIST_FOREACH_SAFE(it, &k->queries) {
		struct kernel_handle *h = list_entry(it, struct kernel_handle, query_link);

		counters_forget(k, h);
		if (many)
			continue;
		counters_ask_sa(k, &h->in);
		counters_ask_sa(k, &h->out);
	}
}
