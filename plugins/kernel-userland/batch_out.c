/* SPDX-License-Identifier: Apache-2.0 */
/* From the TUN device to the peers: read, find the SAs under the gate, seal and send under their locks. */
#include "dataplane.h"

#include <stdlib.h>
#include <unistd.h>

#include "icmp.h"
#include "loop/loop.h"
#include "out_send.h"
#include "tfc.h"

#define PACKET_MAX (65507 - PACKET_TAILROOM - 40) /* what still fits into a UDP datagram when sealed */
#define IPV4_MTU_MIN 68   /* RFC 791 */
#define IPV6_MTU_MIN 1280 /* RFC 8200, 5: below, the outer packet is fragmented instead */
#define ACQUIRE_INTERVAL_MS 1000

/* Locks of SAs that are held at a time. */
#define LOCKS_MAX 32

/* Groups by their child: an entry counts only in the batch that made it. */
#define GROUP_SLOTS 4096 /* more than there are groups */

struct group_slot {
	uint64_t batch;
	uint16_t group;
};

struct batch_out {
	struct lane *lane;
	struct tun_reader in;
	struct out_item items[TUN_PACKETS_MAX];
	size_t n_items;
	struct bytes replies[TUN_PACKETS_MAX]; /* ICMP, to the TUN device */
	size_t n_replies;
	struct out_group groups[TUN_PACKETS_MAX];
	size_t n_groups;
	struct out_group *last; /* of the packet before */
	struct esp_room room;   /* of the groups; ESP_ROOM_MOST if it differs */
	struct flow flow;       /* likewise */
	struct kernel_handle *flow_of; /* its SA's, NULL if it had none; valid under the gate */
	uint64_t batch;
	struct group_slot slots[GROUP_SLOTS];
	const struct out_group *order[TUN_PACKETS_MAX];
	struct event_list events;
	struct frag_cache frags;
	struct tfc tfc;
	struct out_sender sender;
};

struct batch_out *batch_out_new(struct lane *lane)
{
	struct batch_out *b = xcalloc(1, sizeof(*b));

	b->lane = lane;
	tun_reader_init(&b->in);
	b->frags.key = lane->dp->hash_key;
	out_sender_init(&b->sender, lane);
	return b;
}

void batch_out_free(struct batch_out *b)
{
	tun_reader_clear(&b->in);
	tfc_clear(&b->tfc);
	free(b);
}

static void out_tell(struct batch_out *b, const struct kernel_handle *c, enum kernel_event_kind kind)
{
	struct kernel_event ev = child_event(c, kind);

	event_list_add(&b->events, &ev);
}

static void out_tell_limit(struct batch_out *b, const struct kernel_handle *c, enum esp_limit limit)
{
	if (limit != ESP_LIMIT_NONE)
		out_tell(b, c, limit == ESP_LIMIT_SOFT ? KERNEL_EVENT_EXPIRE_SOFT : KERNEL_EVENT_EXPIRE_HARD);
}

/* What a packet says of itself: ports only where they mean something alone (RFC 4301, 4.4.1.1). */
static struct ts out_packet_ts(const struct flow *f, const uint8_t *ip, uint16_t port)
{
	struct addr a = addr_from_ip(f->family, ip);
	struct ts ts = ts_from_addr(&a);

	ts.protocol = f->protocol;
	if (f->has_ports)
		ts.port_from = ts.port_to = port;
	return ts;
}

/* A trap met a packet: the first ones wait for the tunnel, and each of them asks for it; others once a second. */
static enum drop out_acquire(struct dataplane *dp, struct batch_out *b, struct kernel_handle *c, const struct flow *f,
			     struct bytes packet, uint64_t now_ms)
{
	size_t expired;
	bool held;

	pthread_mutex_lock(&dp->hold_lock);
	expired = hold_expire(&dp->hold, now_ms);
	held = hold_add(&dp->hold, c->child_id, packet, now_ms);
	for (size_t i = 0; i < expired; i++)
		drop_count(&dp->drops, DROP_ACQUIRE);
	if (held || c->acquire_ms == 0 || now_ms - c->acquire_ms >= ACQUIRE_INTERVAL_MS) {
		struct kernel_event ev = child_event(c, KERNEL_EVENT_ACQUIRE);

		c->acquire_ms = now_ms;
		ev.src = c->dest.local;
		ev.dst = c->dest.remote;
		ev.packet_src = out_packet_ts(f, f->src, f->src_port);
		ev.packet_dst = out_packet_ts(f, f->dst, f->dst_port);
		event_list_add(&b->events, &ev);
	}
	pthread_mutex_unlock(&dp->hold_lock);
	return held ? DROP_HELD : DROP_ACQUIRE;
}

/* Whether it fits; decides on the outer "do not fragment". */
static enum drop out_check_size(struct batch_out *b, const struct kernel_handle *c, const struct tun_packet *p,
				const struct flow *f, uint64_t now_ms, bool *ret_df)
{
	size_t mtu = c->dest.remote.stream ? 0 : pmtu_find(&b->sender.pmtus, &c->dest.remote, now_ms);
	size_t least = f->family == AF_INET ? IPV4_MTU_MIN : IPV6_MTU_MIN;
	size_t room = mtu ? esp_inner_max(&c->out, c->dest.remote.family, mtu) : PACKET_MAX;

	*ret_df = f->df && c->out.copy_df && !c->dest.remote.stream; /* RFC 9329, 6.8 */
	if (f->len <= room)
		return DROP_NONE;
	if (f->len <= PACKET_MAX && (!*ret_df || f->len <= least)) {
		*ret_df = false;
		return DROP_NONE;
	}
	if (*ret_df) {
		b->replies[b->n_replies] = icmp_too_big(tun_reader_roomy(&b->in, p), f, room > least ? room : least);
		b->n_replies += b->replies[b->n_replies].n > 0;
	}
	return DROP_TOO_BIG;
}

/* RFC 4303, 2.7: behind the packet, whose own length tells where it ends. Not beyond what passes by the path or the device. */
static uint8_t *out_pad(struct dataplane *dp, struct batch_out *b, const struct kernel_handle *c, uint8_t *packet, size_t *n,
			uint64_t now_ms)
{
	size_t mtu = c->dest.remote.stream ? 0 : pmtu_find(&b->sender.pmtus, &c->dest.remote, now_ms);
	size_t room = mtu ? esp_inner_max(&c->out, c->dest.remote.family, mtu) : PACKET_MAX, from = *n, to = c->out.tfc;

	if (to > dp->mtu)
		to = dp->mtu;
	if (to > room)
		to = room;
	if (to <= from)
		return packet;
	*n = to;
	return tfc_pad(&b->tfc, b->n_items, packet, from, to, dp->mtu);
}

/* The next batch will be for the same SAs: its packets get the room that these need, if it is the same for all. */
static void out_room_for(struct batch_out *b, const struct kernel_handle *c)
{
	struct esp_room room = esp_out_room(&c->out);
	bool same = room.head == b->room.head && room.align == b->room.align && room.icv == b->room.icv;

	b->room = b->n_groups == 1 || same ? room : ESP_ROOM_MOST;
}

/* Whether the first n bytes of it can be sealed where they are. */
static bool out_has_room(const struct kernel_handle *c, const struct tun_packet *p, size_t n)
{
	struct esp_room room = esp_out_room(&c->out);

	return p->head >= room.head && p->n - n + p->tail >= esp_room_tail(&room, n);
}

/* What there is for this child already, or a new group. */
static struct out_group *out_group_of(struct batch_out *b, struct kernel_handle *c)
{
	size_t at = ((uintptr_t)c >> 4) * 2654435761u % GROUP_SLOTS;
	struct out_group *g;

	if (b->last && b->last->child == c)
		return b->last;
	for (; b->slots[at].batch == b->batch; at = (at + 1) % GROUP_SLOTS)
		if (b->groups[b->slots[at].group].child == c)
			return b->last = &b->groups[b->slots[at].group];
	b->slots[at] = (struct group_slot){ b->batch, (uint16_t)b->n_groups };
	g = b->last = &b->groups[b->n_groups++];
	child_get(c);
	g->child = c;
	g->dest = c->dest;
	out_room_for(b, c);
	memset(g->first, 0xff, sizeof(g->first));
	return g;
}

static void out_group_add(struct batch_out *b, struct out_group *g, bool df)
{
	uint16_t i = (uint16_t)b->n_items++;

	b->items[i].next = OUT_ITEM_NONE;
	if (g->first[df] == OUT_ITEM_NONE)
		g->first[df] = i;
	else
		b->items[g->last[df]].next = i;
	g->last[df] = i;
}

/* A packet for an SA joins what the batch has for it. */
static enum drop out_join(struct dataplane *dp, struct batch_out *b, struct kernel_handle *c, const struct tun_packet *p,
			  const struct flow *f, uint64_t now_ms)
{
	struct out_item *item = &b->items[b->n_items];
	uint8_t *packet = p->p;
	size_t len = f->len;
	bool df;
	enum drop drop = out_check_size(b, c, p, f, now_ms, &df);

	if (drop != DROP_NONE)
		return drop;
	if (len < c->out.tfc)
		packet = out_pad(dp, b, c, packet, &len, now_ms);
	if (packet == p->p && !out_has_room(c, p, len))
		packet = tun_reader_roomy(&b->in, p);
	*item = (struct out_item){ .inner = packet, .n = (uint32_t)len, .tos = esp_outer_tos(&c->out, f->tos) };
	out_group_add(b, out_group_of(b, c), df);
	return DROP_NONE;
}

/* Finds a packet's SA, under the gate. */
static enum drop out_packet(struct dataplane *dp, struct batch_out *b, const struct tun_packet *p, uint64_t now_ms)
{
	struct flow *f = &b->flow;
	struct kernel_handle *c;

	if (p->again && b->flow_of) {
		f->len = (uint32_t)p->n;
		return out_join(dp, b, b->flow_of, p, f, now_ms);
	}
	b->flow_of = NULL;
	if (!flow_parse(bytes_of(p->p, p->n), f))
		return DROP_BAD_INNER;
	frag_cache_find(&b->frags, f);
	c = policy_find(dp->policies, f);
	if (!c)
		return DROP_NO_POLICY;
	if (child_is_shunt(c))
		return c->mode == IPSEC_MODE_DROP ? DROP_SHUNT : DROP_PASS;
	if (c->out.spi == 0)
		return out_acquire(dp, b, c, f, bytes_of(p->p, f->len), now_ms);
	frag_cache_keep(&b->frags, f);
	b->flow_of = c;
	return out_join(dp, b, c, p, f, now_ms);
}

/* ---- sealing and sending ---- */

/* Under the SA's lock. */
static void out_seal(struct batch_out *b, const struct out_group *g, uint64_t now_ms)
{
	struct drop_counters *drops = &b->lane->dp->drops;
	struct esp_out *out = &g->child->out;

	for (int df = 0; df < 2; df++) {
		for (uint16_t i = g->first[df]; i != OUT_ITEM_NONE; i = b->items[i].next) {
			struct out_item *item = &b->items[i];
			enum esp_limit limit;
			enum drop drop = esp_encap(out, item->inner, item->n, now_ms, &item->packet, &limit);

			out_tell_limit(b, g->child, limit);
			if (drop != DROP_NONE)
				drop_count(drops, drop);
		}
	}
}

static int group_compare(const void *a, const void *b)
{
	uintptr_t x = (uintptr_t)(*(const struct out_group *const *)a)->child;
	uintptr_t y = (uintptr_t)(*(const struct out_group *const *)b)->child;

	return (x > y) - (x < y);
}

/* The locks are held until all is sent: what another lane has for the same SA comes behind, with higher sequence numbers. */
static void batch_out_send(struct batch_out *b, uint64_t now_ms)
{
	struct dataplane *dp = b->lane->dp;

	for (size_t i = 0; i < b->n_groups; i++)
		b->order[i] = &b->groups[i];
	if (b->n_groups > 1)
		qsort(b->order, b->n_groups, sizeof(b->order[0]), group_compare);
	for (size_t from = 0, n; from < b->n_groups; from += n) {
		n = b->n_groups - from < LOCKS_MAX ? b->n_groups - from : LOCKS_MAX;
		for (size_t i = from; i < from + n; i++) {
			pthread_mutex_lock(&b->order[i]->child->out_lock);
			out_seal(b, b->order[i], now_ms);
		}
		out_sender_send(&b->sender, b->order + from, n, b->items);
		for (size_t i = from; i < from + n; i++) {
			pthread_mutex_unlock(&b->order[i]->child->out_lock);
			child_put(b->order[i]->child);
		}
		event_list_tell(dp, &b->events);
	}
	tun_write(b->lane->tun_fd, dp->vnet, b->replies, b->n_replies, 0, &dp->drops);
}

/* Packets that were held and have an SA now come into the buffers, up to a batch. Under the gate. */
static void batch_out_take_held(struct dataplane *dp, struct batch_out *b, uint64_t now_ms)
{
	size_t expired;

	pthread_mutex_lock(&dp->hold_lock);
	expired = hold_expire(&dp->hold, now_ms);
	for (size_t i = 0; i < expired; i++)
		drop_count(&dp->drops, DROP_ACQUIRE);
	tun_reader_reset(&b->in);
	LIST_FOREACH_SAFE(it, &dp->hold.list) {
		struct held_packet *p = list_entry(it, struct held_packet, link);
		struct kernel_handle *c;
		struct flow f;

		if (!flow_parse(bytes_of(p->data, p->n), &f))
			continue;
		frag_cache_find(&b->frags, &f);
		c = policy_find(dp->policies, &f);
		if (!c || (c->out.spi == 0 && !child_is_shunt(c)))
			continue;
		if (!tun_reader_put(&b->in, bytes_of(p->data, p->n)))
			break;
		hold_remove(&dp->hold, p);
	}
	pthread_mutex_unlock(&dp->hold_lock);
}

/* Carries what was read, or held. */
static void batch_out_carry(struct batch_out *b, bool held)
{
	struct dataplane *dp = b->lane->dp;
	uint64_t now_ms = clock_monotonic_ms();

	b->n_items = b->n_replies = b->n_groups = 0;
	b->last = NULL;
	b->flow_of = NULL;
	b->batch++;
	pthread_mutex_lock(&b->lane->gate_out);
	if (held)
		batch_out_take_held(dp, b, now_ms);
	for (size_t i = 0; i < b->in.n; i++) {
		enum drop drop = out_packet(dp, b, &b->in.packets[i], now_ms);

		if (drop != DROP_NONE)
			drop_count(&dp->drops, drop);
	}
	pthread_mutex_unlock(&b->lane->gate_out);
	if (b->n_groups)
		b->in.room = b->room;
	event_list_tell(dp, &b->events);
	batch_out_send(b, now_ms);
}

size_t batch_out_run(struct batch_out *b)
{
	struct dataplane *dp = b->lane->dp;
	size_t n = tun_read(&b->in, b->lane->tun_fd, dp->vnet, &dp->drops);

	if (n == 0)
		return 0;
	atomic_fetch_add_explicit(&b->lane->batches_out, 1, memory_order_relaxed);
	batch_out_carry(b, false);
	return n;
}

size_t batch_out_release(struct batch_out *b)
{
	uint64_t count;

	(void)!read(b->lane->dp->release_fd, &count, sizeof(count));
	batch_out_carry(b, true);
	return b->in.n;
}
