/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/mobike.h"

#include <stdlib.h>

#include "sa/address.h"
#include "sa/exchange.h"
#include "sa/kin.h"
#include "sa/task.h"

struct mobike_addrs {
	size_t n;
	struct addr p[];
};

/* ---- our addresses ---- */

bool mobike_may_be_at(const struct ike_sa *sa, const struct addr *local)
{
	return endpoints_match(sa->conn->local_addrs, sa->conn->n_local, local) > 0;
}

static bool mobike_is_told(const struct ike_sa *sa, const struct local_addr *l)
{
	return l->told && l->up && !addr_is_link_local(&l->addr) && mobike_may_be_at(sa, &l->addr);
}

uint64_t mobike_own_addrs(const struct ike_sa *sa)
{
	const struct local_addrs *l = sa->ctx->locals;
	uint64_t sum = 1;

	for (size_t i = 0; l && i < l->n; i++)
		if (mobike_is_told(sa, &l->p[i]))
			sum += hash_bytes(&sa->ctx->hash, bytes_of(l->p[i].addr.ip, addr_len(&l->p[i].addr)));
	return sum;
}

void mobike_put_addrs(struct ike_sa *sa, struct builder *b)
{
	const struct local_addrs *l = sa->ctx->locals;
	unsigned n = 0;

	sa->told_addrs = mobike_own_addrs(sa);
	for (size_t i = 0; l && i < l->n && n < LIMIT_MOBIKE_ADDRS; i++) {
		const struct addr *a = &l->p[i].addr;

		/* RFC 4555, 3.6: the one in the IP header goes without saying */
		if (addr_equal_ip(a, &sa->local) || !mobike_is_told(sa, &l->p[i]))
			continue;
		builder_notify(b, PROTOCOL_NONE, BYTES_NONE,
			       a->family == AF_INET ? NOTIFY_ADDITIONAL_IP4_ADDRESS : NOTIFY_ADDITIONAL_IP6_ADDRESS,
			       bytes_of(a->ip, addr_len(a)));
		n++;
	}
	if (n == 0)
		builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_NO_ADDITIONAL_ADDRESSES, BYTES_NONE);
}

/* ---- the peer's ---- */

static bool mobike_notify_addr(const struct payload *p, struct addr *ret)
{
	if (p->type != PAYLOAD_NOTIFY)
		return false;
	if (p->notify.type == NOTIFY_ADDITIONAL_IP4_ADDRESS && p->notify.data.n == 4)
		*ret = addr_from_ip(AF_INET, p->notify.data.p);
	else if (p->notify.type == NOTIFY_ADDITIONAL_IP6_ADDRESS && p->notify.data.n == 16)
		*ret = addr_from_ip(AF_INET6, p->notify.data.p);
	else
		return false;
	return !addr_is_any(ret) && !addr_is_link_local(ret);
}

void mobike_take_addrs(struct ike_sa *sa, const struct payload_list *in)
{
	struct mobike_addrs *list;
	struct addr a;
	size_t n = 0;

	for (size_t i = 0; i < in->count; i++)
		n += mobike_notify_addr(&in->p[i], &a);
	if (n > LIMIT_MOBIKE_ADDRS)
		n = LIMIT_MOBIKE_ADDRS;
	free(sa->peer_addrs);
	sa->peer_addrs = NULL;
	if (n == 0)
		return;
	list = xcalloc(1, sizeof(*list) + n * sizeof(list->p[0]));
	for (size_t i = 0; i < in->count && list->n < n; i++)
		list->n += mobike_notify_addr(&in->p[i], &list->p[list->n]);
	sa->peer_addrs = list;
}

const struct addr *mobike_peer_addr(const struct ike_sa *sa, size_t i)
{
	return sa->peer_addrs && i < sa->peer_addrs->n ? &sa->peer_addrs->p[i] : NULL;
}

void mobike_clear(struct ike_sa *sa)
{
	free(sa->peer_addrs);
	sa->peer_addrs = NULL;
}

/* ---- IKE_AUTH ---- */

void mobike_build(struct ike_sa *sa, struct builder *b)
{
	/* over TCP whoever opened the connection opens another from wherever it is (RFC 9329, 6.1) */
	if (sa->remote.stream || (!sa->initiator ? !sa->mobike : !sa->conn->mobike))
		return;
	builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_MOBIKE_SUPPORTED, BYTES_NONE);
	mobike_put_addrs(sa, b);
	if (sa->initiator)
		mobike_put_no_nats(sa, b);
}

bool mobike_take(struct ike_sa *sa, const struct payload_list *in)
{
	if (!sa->initiator && !mobike_nats_allowed(in, &sa->incoming->local, &sa->incoming->remote))
		return false;
	sa->mobike = sa->conn->mobike && !sa->remote.stream && payload_notify(in, NOTIFY_MOBIKE_SUPPORTED);
	if (!sa->mobike)
		return true;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "peer supports MOBIKE");
	mobike_take_addrs(sa, in);
	return true;
}

void mobike_inherit(struct ike_sa *sa, const struct ike_sa *old)
{
	sa->mobike = old->mobike;
	sa->nat_t = old->nat_t;
	sa->unchecked = old->unchecked;
	sa->offline = old->offline;
	sa->settling = old->settling;
	sa->place = old->place;
	sa->told_addrs = old->told_addrs;
	mobike_clear(sa);
	if (old->peer_addrs)
		sa->peer_addrs = xmemdup(old->peer_addrs, sizeof(*old->peer_addrs) +
							  old->peer_addrs->n * sizeof(old->peer_addrs->p[0]));
}

void mobike_replace(struct ike_sa *old, struct ike_sa *sa)
{
	if (!old->mobike)
		return;
	/* it may have been made before the last move */
	mobike_inherit(sa, old);
	sa->local = old->local;
	sa->remote = old->remote;
	sa->nat_local = old->nat_local;
	sa->nat_remote = old->nat_remote;
	sa->nat_fake = old->nat_fake;
	/* an answer on the old one may never come */
	for (const struct task *t = old->active; t; t = t->next)
		if (t->type == TASK_IKE_MOBIKE)
			mobike_queue(sa, ike_mobike_kind(t), 0);
}

/* ---- messages ---- */

bool mobike_is_notify(unsigned type)
{
	switch (type) {
	case NOTIFY_UPDATE_SA_ADDRESSES:
	case NOTIFY_ADDITIONAL_IP4_ADDRESS:
	case NOTIFY_ADDITIONAL_IP6_ADDRESS:
	case NOTIFY_NO_ADDITIONAL_ADDRESSES:
	case NOTIFY_COOKIE2:
	case NOTIFY_NO_NATS_ALLOWED:
	case NOTIFY_NAT_DETECTION_SOURCE_IP:
	case NOTIFY_NAT_DETECTION_DESTINATION_IP:
		return true;
	default:
		return false;
	}
}

bool mobike_concerns(const struct ike_sa *sa, const struct payload_list *in, bool *ret_all)
{
	size_t n = 0;

	for (size_t i = 0; sa->mobike && i < in->count; i++)
		n += in->p[i].type == PAYLOAD_NOTIFY && mobike_is_notify(in->p[i].notify.type);
	*ret_all = n && n == in->count;
	return n;
}

/* RFC 4555, 4.2.6: addresses and ports of a packet, source first. */
static struct bytes mobike_no_nats(uint8_t data[36], const struct addr *from, const struct addr *to)
{
	struct writer w = writer_of(data, 36);

	writer_bytes(&w, bytes_of(from->ip, addr_len(from)));
	writer_bytes(&w, bytes_of(to->ip, addr_len(to)));
	writer_u16(&w, from->port);
	writer_u16(&w, to->port);
	return writer_done(&w);
}

void mobike_put_no_nats(struct ike_sa *sa, struct builder *b)
{
	uint8_t data[36];

	/* RFC 4555 3.9 MUST: in all that can change addresses, when NAT traversal is not enabled */
	if (!sa->nat_t)
		builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_NO_NATS_ALLOWED,
			       mobike_no_nats(data, &sa->local, &sa->remote));
}

bool mobike_nats_allowed(const struct payload_list *in, const struct addr *local, const struct addr *remote)
{
	const struct payload_notify *n = payload_notify(in, NOTIFY_NO_NATS_ALLOWED);
	uint8_t data[36];

	/* RFC 9329 7.1 SHOULD: ignored over TCP, which has no trouble with NATs */
	return !n || remote->stream || bytes_equal(n->data, mobike_no_nats(data, remote, local));
}

void mobike_take_mapping(struct ike_sa *sa, const struct payload_list *in, bool compare)
{
	const struct payload_notify *n = payload_notify(in, NOTIFY_NAT_DETECTION_DESTINATION_IP);
	struct reader r = n ? reader_of(n->data) : reader_of(BYTES_NONE);
	uint64_t was = sa->mapping, now = reader_u64(&r);

	if (!reader_ok(&r))
		return;
	sa->mapping = now;
	if (!compare || now == was)
		return;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "%s sees us at another address than before: a NAT between has changed its mapping",
	       addr_format_port(&sa->remote).s);
	mobike_queue(sa, MOBIKE_UPDATE, 0);
}

/* ---- moving ---- */

void mobike_queue(struct ike_sa *sa, enum mobike_kind kind, uint64_t delay_ms)
{
	struct task *t;

	/* the one under way sees for itself whether it is still right */
	for (t = sa->active; t; t = t->next)
		if (t->type == TASK_IKE_MOBIKE && ike_mobike_kind(t) == kind)
			return;
	for (t = sa->queued; t; t = t->next) {
		if (t->type != TASK_IKE_MOBIKE || ike_mobike_kind(t) != kind)
			continue;
		if (!delay_ms)
			t->not_before = 0;
		return;
	}
	t = ike_mobike_new(sa, kind);
	t->not_before = delay_ms ? sa_now(sa->ctx) + delay_ms : 0;
	ike_sa_queue(sa, t);
}

static void mobike_move_one(struct ike_sa *sa, const struct ike_sa *from, const struct addr *local, const struct addr *remote)
{
	uint8_t place = sa->place;

	sa->nat_local = from->nat_local;
	sa->nat_remote = from->nat_remote;
	sa->nat_fake = from->nat_fake;
	ike_sa_move_to(sa, local, remote);
	ike_sa_schedule(sa); /* keepalives */
	/* RFC 4555, 3.5: outstanding requests go on from the new addresses */
	if (sa->outstanding && sa->place != place)
		outstanding_restart(sa);
}

void mobike_move(struct ike_sa *sa, const struct addr *local, const struct addr *remote)
{
	struct ike_sa *current = ike_sa_current(sa), *next;
	const struct rival *rival = kin_rival(current);

	for (struct ike_sa *old = kin_replaced(current); old; old = next) {
		next = kin_next_replaced(old);
		mobike_move_one(old, sa, local, remote);
	}
	if (rival && rival->old == current && rival->sa)
		mobike_move_one(rival->sa, sa, local, remote);
	mobike_move_one(current, sa, local, remote);
}

void mobike_update(struct ike_sa *sa, const struct addr *local, const struct addr *remote)
{
	struct ike_sa *current = ike_sa_current(sa);

	/* first: moving may put other requests into the queue, and run it */
	mobike_queue(current, MOBIKE_UPDATE, 0);
	current->offline = false;
	current->settling = true;
	mobike_move(current, local, remote);
	ike_sa_run_queue(current);
}
