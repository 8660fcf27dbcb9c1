/* SPDX-License-Identifier: Apache-2.0 */
#include "sa.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <stdlib.h>

#include "util/log.h"

/* ---- the table ---- */

static uint64_t sa_hash(const struct kernel *k, uint32_t spi)
{
	return hash_u64(&k->hash_key, spi);
}

void sa_index(struct kernel *k, struct sa *sa, bool add)
{
	if (add == sa->indexed)
		return;
	sa->indexed = add;
	if (add)
		hashtab_insert(&k->sas, &sa->node, sa_hash(k, sa->conf->spi));
	else
		hashtab_remove(&k->sas, &sa->node);
}

struct sa *sa_find(struct kernel *k, uint32_t spi, const struct addr *dst)
{
	for (struct hashnode *n = hashtab_first(&k->sas, sa_hash(k, spi)); n; n = hashtab_next(n)) {
		struct sa *sa = container_of(n, struct sa, node);

		if (sa->conf->spi == spi && addr_equal_ip(&sa->conf->dst, dst))
			return sa;
	}
	return NULL;
}

/* ---- adding ---- */

/* The number of packets that may still be sent, for lifetimes. */
static void sa_set_limit(struct sa *sa, const struct sa_state *state)
{
	uint64_t sent = state ? state->oseq : 0, used = state ? state->used.packets : 0;

	sa->limit_packets = 0;
	if (!sa->in && sa->h->conf.suite.esn != ESN_YES)
		sa->limit_packets = used + UINT32_MAX - (sent < UINT32_MAX ? sent : UINT32_MAX - 1);
}

static const char *sa_what(const struct sa *sa)
{
	return sa->in ? "add the inbound SA" : "add the outbound SA";
}

static void sa_queue_new(struct kernel *k, struct sa *sa, bool offload, struct txn *t);

static void sa_fail(struct sa *sa, struct txn *t, int error, const char *text)
{
	const struct kernel_child *c = &sa->h->conf;

	if (error == ENOENT || error == ENOSYS) {
		struct buf suite = { 0 };

		suite_format(&suite, &c->suite);
		txn_fail(t, "%s: cannot %s with SPI %08x: the kernel lacks %s, or ESP%s%s", c->name, sa_what(sa),
			 sa->conf->spi, buf_str(&suite), *text ? ": " : "", text);
		buf_free(&suite);
	} else {
		txn_fail(t, "%s: cannot %s with SPI %08x to %s: %s", c->name, sa_what(sa), sa->conf->spi,
			 addr_format(&sa->conf->dst).s, txn_reason(error, text).s);
	}
}

static bool sa_added(struct txn *t, void *arg, int error, const char *text)
{
	struct sa *sa = arg;

	if (!error)
		return true;
	if (error == EEXIST) /* someone else's: it stays */
		sa->ours = false;
	sa_fail(sa, t, error, text);
	return true;
}

static const char *sa_device(const struct sa *sa, char name[IF_NAMESIZE])
{
	return if_indextoname(sa->h->offload_ifindex, name) ? name : "?";
}

/* Of an SA that has to be a device's. */
static bool sa_added_device(struct txn *t, void *arg, int error, const char *text)
{
	struct sa *sa = arg;
	char device[IF_NAMESIZE];

	if (error && error != EEXIST)
		txn_fail(t, "%s: hw_offload: cannot %s on the device %s: %s", sa->h->conf.name, sa_what(sa), sa_device(sa, device),
			 txn_reason(error, text).s);
	return sa_added(t, arg, error, text);
}

static bool sa_added_auto(struct txn *t, void *arg, int error, const char *text)
{
	struct sa *sa = arg;

	if (!error)
		return true;
	if (error == EEXIST || t->failed)
		return sa_added(t, arg, error, text);
	LOG(KNL, LOG_LEVEL_DETAIL, "%s: not offloaded: %s", sa->h->conf.name, txn_reason(error, text).s);
	sa_queue_new(sa->h->kernel, sa, false, t);
	return true;
}

struct sa_offload_check {
	struct sa *sa;
	bool offloaded;
};

static void sa_offload_seen(void *arg, const struct nlmsghdr *h)
{
	struct sa_offload_check *o = arg;
	struct sa_report r;

	if (h && sa_report_read(h, &r))
		o->offloaded = r.offloaded;
}

static bool sa_offload_checked(struct txn *t, void *arg, int error, const char *text)
{
	struct sa_offload_check *o = arg;
	const struct kernel_child *c = &o->sa->h->conf;
	char device[IF_NAMESIZE];

	if (!error && !o->offloaded)
		txn_fail(t, "%s: hw_offload: the device %s cannot do ESP", c->name, sa_device(o->sa, device));
	free(o);
	return true; /* an SA that is not there failed already */
}

/* Of a device without ESP the kernel says nothing and does it itself: whether it was taken is asked. */
static void sa_check_offload(struct sa *sa, struct txn *t)
{
	struct sa_offload_check *o = xcalloc(1, sizeof(*o));
	union nl_request_buffer b;

	o->sa = sa;
	sa_build_id(&b, XFRM_MSG_GETSA, sa);
	txn_ask(t, &b, "see whether it is offloaded", sa_offload_seen, sa_offload_checked, o);
}

static void sa_queue_new(struct kernel *k, struct sa *sa, bool offload, struct txn *t)
{
	bool automatic = sa->h->conf.hw_offload == HW_OFFLOAD_AUTO;
	union nl_request_buffer b;

	sa_build_new(&b, k->owner, sa, sa->state, offload);
	txn_queue(t, &b, sa_what(sa), !offload ? sa_added : automatic ? sa_added_auto : sa_added_device, sa);
	if (offload && !automatic)
		sa_check_offload(sa, t);
}

void sa_add(struct kernel *k, struct sa *sa, struct txn *t)
{
	sa->ours = sa->seen = true;
	sa->told_hard = false;
	sa_set_limit(sa, sa->state);
	sa_index(k, sa, true);
	sa_queue_new(k, sa, sa->h->offload_ifindex != 0, t);
}

void sas_added(struct kernel_handle *h)
{
	free(h->in.state);
	free(h->out.state);
	h->in.state = h->out.state = NULL;
}

/* ---- offload ---- */

static unsigned device_of(const struct addr *local)
{
	struct ifaddrs *list, *i;
	unsigned found = 0;

	if (getifaddrs(&list) < 0)
		return 0;
	for (i = list; i && !found; i = i->ifa_next) {
		struct sockaddr_storage ss = { 0 };
		struct addr a;

		if (!i->ifa_addr || (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
			continue;
		memcpy(&ss, i->ifa_addr, i->ifa_addr->sa_family == AF_INET ? sizeof(struct sockaddr_in)
									   : sizeof(struct sockaddr_in6));
		if (addr_from_sockaddr(&ss, &a) && addr_equal_ip(&a, local))
			found = if_nametoindex(i->ifa_name);
	}
	freeifaddrs(list);
	return found;
}

bool sas_offload(struct kernel *k, struct kernel_handle *h, struct txn *t)
{
	const struct kernel_child *c = &h->conf;

	h->offload_ifindex = 0;
	if (c->hw_offload == HW_OFFLOAD_NO)
		return true;
	h->offload_ifindex = c->scope.interface ? if_nametoindex(c->scope.interface) : device_of(&c->out.src);
	if (h->offload_ifindex || c->hw_offload == HW_OFFLOAD_AUTO)
		return true;
	txn_fail(t, "%s: hw_offload: no device has the address %s", c->name, addr_format(&c->out.src).s);
	return false;
}

/* ---- removing ---- */

static void sa_delete(struct kernel *k, struct sa *sa, struct nl_answer answer)
{
	union nl_request_buffer b;

	sa->ours = false;
	sa_build_id(&b, XFRM_MSG_DELSA, sa);
	nl_queue(k->nl, &b, answer);
}

void sas_undo(struct kernel *k, struct kernel_handle *h)
{
	if (h->in.ours)
		sa_delete(k, &h->in, (struct nl_answer){ 0 });
	if (h->out.ours)
		sa_delete(k, &h->out, (struct nl_answer){ 0 });
}

void sas_remove(struct kernel *k, struct kernel_handle *h, nl_done_fn *done)
{
	struct sa *both[] = { &h->out, &h->in };

	for (size_t i = 0; i < ARRAY_LEN(both); i++) {
		sa_index(k, both[i], false);
		if (!both[i]->ours)
			continue;
		handle_ref(h);
		sa_delete(k, both[i], (struct nl_answer){ NULL, done, h });
	}
}
