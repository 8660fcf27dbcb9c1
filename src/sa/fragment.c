/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/fragment.h"

#include <stdlib.h>

#include "sa/ike_sa.h"

#define IPV4_HEADER_LEN 20
#define IPV6_HEADER_LEN 40
#define UDP_HEADER_LEN 8
#define NATT_MARKER_LEN 4

/* ---- out ---- */

bool fragment_wanted(const struct ike_sa *sa)
{
	/* `force` is about the first message of IKEv1, which has no protection either: in IKEv2 it is `yes` */
	return sa->fragmentation && sa->conn &&
	       (sa->conn->fragmentation == FRAGMENTATION_YES || sa->conn->fragmentation == FRAGMENTATION_FORCE);
}

size_t fragment_size(const struct ike_sa *sa, const struct addr *remote)
{
	const struct sa_options *o = &sa->ctx->options;

	size_t size = remote->family == AF_INET6 ? o->fragment_size_v6 : o->fragment_size_v4;

	/* RFC 7383, 2.5.2: exchanges begin with what the last one ended with */
	return sa->path_size && sa->path_size < size ? sa->path_size : size;
}

/* All of a datagram that is not the IKE message. */
size_t fragment_headers(const struct ike_sa *sa, const struct addr *local, const struct addr *remote)
{
	return UDP_HEADER_LEN + (remote->family == AF_INET6 ? IPV6_HEADER_LEN : IPV4_HEADER_LEN) +
	       (local->port == sa->ctx->options.port_nat_t ? NATT_MARKER_LEN : 0);
}

/* What is left of the datagram for the IKE message. */
static size_t fragment_message_size(const struct ike_sa *sa)
{
	const struct incoming *i = sa->incoming;
	const struct addr *local = i ? &i->local : &sa->local, *remote = i ? &i->remote : &sa->remote;
	size_t size = fragment_size(sa, remote), headers = fragment_headers(sa, local, remote);

	/* RFC 7383, 2.5.1: the peer may know the path better: its fragments say what passes */
	if (i && i->fragment && i->fragment + headers < size)
		size = i->fragment + headers;
	if (size < LIMIT_FRAGMENT_SIZE_MIN)
		size = LIMIT_FRAGMENT_SIZE_MIN;
	return size - headers;
}

/* Cuts into IKE messages of `size` bytes, if it is at least `least` of them. */
static struct bytes fragment_cut(struct ike_sa *sa, const struct ike_header *h, uint8_t first, struct bytes inner, size_t size,
				 size_t least, uint8_t *out, size_t cap)
{
	size_t room = seal_room(&sa->protect, size, true), total, done = 0;

	total = room ? (inner.n + room - 1) / room : SIZE_MAX;
	if (total < least || total > LIMIT_FRAGMENTS)
		return BYTES_NONE;
	for (size_t i = 0; i < total; i++) {
		struct payload_skf f = { .number = (uint16_t)(i + 1), .total = (uint16_t)total };
		struct bytes chunk = bytes_of(inner.p + i * room, i + 1 < total ? room : inner.n - i * room);
		/* RFC 7383, 2.5 MUST: the first names the first payload, the others none */
		struct bytes one = seal_fragment(sa, h, &f, i ? PAYLOAD_NONE : first, chunk, out + done, cap - done);

		if (!one.n)
			return BYTES_NONE;
		done += one.n;
	}
	return bytes_of(out, done);
}

struct bytes fragment_seal(struct ike_sa *sa, const struct ike_header *h, uint8_t first, struct bytes inner, uint8_t *out, size_t cap)
{
	const struct addr *to = sa->incoming ? &sa->incoming->remote : &sa->remote;
	size_t size = fragment_message_size(sa);

	/* RFC 9329 7.5 SHOULD NOT: fragments over TCP */
	if (to->stream || !fragment_wanted(sa) || inner.n <= seal_room(&sa->protect, size, false))
		return seal_message(sa, h, first, inner, out, cap);
	return fragment_cut(sa, h, first, inner, size, 0, out, cap);
}

/* What is in messages of ours, put together at their place; how many they are, 0 on failure. */
static size_t fragment_reopen(struct ike_sa *sa, uint8_t *p, size_t n, struct bytes *ret_inner, uint8_t *ret_first)
{
	struct bytes msgs = bytes_of(p, n), one, part;
	struct seal_place place;
	size_t count = 0, done = 0;

	while (fragment_next(&msgs, &one)) {
		if (!seal_reopen(sa, p + (one.p - p), one.n, &place, &part))
			return 0;
		memmove(p + done, part.p, part.n);
		done += part.n;
		if (count++ == 0)
			*ret_first = place.first;
	}
	*ret_inner = bytes_of(p, done);
	return count;
}

bool fragment_again(struct ike_sa *sa, const struct addr *local, const struct addr *remote, struct buf *msgs, size_t size)
{
	size_t headers = fragment_headers(sa, local, remote), n, len = msgs->n;
	struct bytes again = BYTES_NONE, inner, one, rest = buf_bytes(msgs);
	uint8_t *text, *out, first;
	struct ike_header h;

	if (remote->stream || !fragment_wanted(sa) || size < LIMIT_FRAGMENT_SIZE_MIN || !fragment_next(&rest, &one) ||
	    one.n + headers <= size || !result_is_ok(header_parse(one, &h)))
		return false;
	text = xmemdup(msgs->p, len);
	out = xmalloc(SA_PACKET_MAX);
	n = fragment_reopen(sa, text, len, &inner, &first);
	/* RFC 7383 2.5.2 MUST: more than before, so that the sets can be told apart */
	if (n)
		again = fragment_cut(sa, &h, first, inner, size - headers, n + 1, out, SA_PACKET_MAX);
	if (again.n) {
		buf_reset(msgs);
		buf_add_bytes(msgs, again);
	}
	secret_wipe(text, len);
	free(text);
	free(out);
	return again.n;
}

static const uint16_t fragment_sizes[] = { 1280, 576 };

bool fragment_smaller(struct ike_sa *sa, struct buf *msgs)
{
	size_t size = fragment_size(sa, &sa->remote);

	for (size_t i = 0; i < ARRAY_LEN(fragment_sizes); i++) {
		if (fragment_sizes[i] >= size || !fragment_again(sa, &sa->local, &sa->remote, msgs, fragment_sizes[i]))
			continue;
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "no answer: IP datagrams of up to %u bytes are tried, instead of %zu",
		       fragment_sizes[i], size);
		sa->path_size = fragment_sizes[i];
		return true;
	}
	return false;
}

bool fragment_next(struct bytes *msgs, struct bytes *ret_one)
{
	struct reader r = reader_of(*msgs);
	uint32_t n;

	reader_skip(&r, IKE_HEADER_LEN - 4);
	n = reader_u32(&r);
	if (!reader_ok(&r) || n < IKE_HEADER_LEN || n > msgs->n)
		return false;
	*ret_one = bytes_of(msgs->p, n);
	*msgs = bytes_of(msgs->p + n, msgs->n - n);
	return true;
}

void fragment_send(struct ike_sa *sa, const struct addr *local, const struct addr *remote, struct bytes msgs, int level)
{
	struct bytes one, rest = msgs;
	unsigned n = 0;

	while (fragment_next(&rest, &one))
		n++;
	if (n > 1)
		LOG_SA(&sa->log, ENC, level, "splitting IKE message (%zu bytes) into %u fragments", msgs.n, n);
	sa->last_out_ms = sa_now(sa->ctx);
	while (fragment_next(&msgs, &one)) {
		LOG_SA(&sa->log, NET, level, "sending packet: from %s to %s (%zu bytes)", addr_format_port(local).s,
		       addr_format_port(remote).s, one.n);
		sa->ctx->ops->send(sa->ctx->host, local, remote, sa->conn ? sa->conn->dscp : 0, one);
	}
}

/* ---- in ---- */

/* One verified piece. */
struct fragment {
	struct fragment *next; /* by number */
	uint16_t number;
	uint16_t n;
	uint8_t data[];
};

/* A message that is not complete; at most one for each direction. Exists only then. */
struct fragment_set {
	struct fragment_set *next;
	struct fragment *parts;
	uint64_t until_ms;
	uint64_t hash; /* of the first fragment's bytes, once it is there */
	uint32_t message_id;
	uint16_t total, count;
	uint16_t largest;
	uint8_t exchange;
	uint8_t first; /* type of the first payload, by the first fragment */
	bool response;
	size_t bytes;    /* of the pieces */
	size_t received; /* of the messages they came in */
};

static struct fragment_set **fragment_at(struct ike_sa *sa, bool response)
{
	struct fragment_set **at = &sa->fragments;

	while (*at && (*at)->response != response)
		at = &(*at)->next;
	return at;
}

void fragment_forget(struct ike_sa *sa, bool response)
{
	struct fragment_set **at = fragment_at(sa, response), *s = *at;

	if (!s)
		return;
	*at = s->next;
	while (s->parts) {
		struct fragment *f = s->parts;

		s->parts = f->next;
		secret_wipe(f->data, f->n);
		free(f);
	}
	free(s);
}

bool fragment_held(const struct ike_sa *sa, bool response)
{
	const struct fragment_set *s = sa->fragments;

	while (s && s->response != response)
		s = s->next;
	return s != NULL;
}

uint64_t fragment_deadline(const struct ike_sa *sa)
{
	for (const struct fragment_set *s = sa->fragments; s; s = s->next)
		if (!s->response)
			return s->until_ms;
	return 0;
}

/* Where a number belongs; *at is it if it is there. */
static struct fragment **fragment_slot(struct fragment_set *s, uint16_t number)
{
	struct fragment **at = &s->parts;

	while (*at && (*at)->number < number)
		at = &(*at)->next;
	return at;
}

/* Of the message at hand, or what is left of an older one. */
static bool fragment_belongs(const struct fragment_set *s, const struct ike_header *h)
{
	return s && s->message_id == h->message_id && s->exchange == h->exchange;
}

/* RFC 7383, 2.6 MUST: not a replay, not of a set that was given up; all that can be said before the integrity check. */
static bool fragment_is_new(struct fragment_set *s, const struct ike_header *h, const struct payload_skf *f)
{
	struct fragment *there;

	if (!fragment_belongs(s, h))
		return true;
	if (f->total != s->total)
		return f->total > s->total;
	there = *fragment_slot(s, f->number);
	return !there || there->number != f->number;
}

static struct fragment_set *fragment_begin(struct ike_sa *sa, const struct ike_header *h, const struct payload_skf *f)
{
	bool response = h->flags & IKE_FLAG_RESPONSE;
	struct fragment_set **at = fragment_at(sa, response), *s = *at;

	if (fragment_belongs(s, h) && s->total == f->total)
		return s;
	/* RFC 7383, 2.6 MUST: more fragments than before are another cut of the message, and it starts over */
	fragment_forget(sa, response);
	at = fragment_at(sa, response);
	*at = s = xcalloc(1, sizeof(*s));
	s->response = response;
	s->message_id = h->message_id;
	s->exchange = h->exchange;
	s->total = f->total;
	s->until_ms = sa_now(sa->ctx) + LIMIT_FRAGMENTS_MS;
	/* before, the half-open limit ends it all, and must not begin anew */
	if (!response && sa->state != IKE_STATE_CONNECTING)
		ike_sa_schedule(sa);
	return s;
}

static void fragment_keep(struct fragment_set *s, const struct seal_place *place, uint64_t hash, size_t n, struct bytes inner)
{
	struct fragment **at = fragment_slot(s, place->fragment.number), *f = xmalloc(sizeof(*f) + inner.n);

	f->number = place->fragment.number;
	f->n = (uint16_t)inner.n;
	if (inner.n)
		memcpy(f->data, inner.p, inner.n);
	f->next = *at;
	*at = f;
	s->count++;
	s->bytes += inner.n;
	s->received += n;
	if (n > s->largest)
		s->largest = (uint16_t)n;
	if (f->number == 1) {
		s->first = place->first;
		s->hash = hash;
	}
}

static void fragment_join(struct ike_sa *sa, const struct fragment_set *s, struct fragment_whole *ret)
{
	uint8_t *p = arena_alloc(&sa->ctx->arena, s->bytes ? s->bytes : 1);

	*ret = (struct fragment_whole){ bytes_of(p, s->bytes), s->first, s->hash, s->received, s->largest };
	for (const struct fragment *f = s->parts; f; f = f->next) {
		if (f->n)
			memcpy(p, f->data, f->n);
		p += f->n;
	}
}

enum fragment_verdict fragment_take(struct ike_sa *sa, const struct ike_header *h, const struct seal_place *place, uint8_t *msg,
				    size_t n, struct fragment_whole *ret_whole, struct result *ret_why)
{
	bool response = h->flags & IKE_FLAG_RESPONSE;
	struct fragment_set *s = *fragment_at(sa, response);
	struct bytes inner;
	uint64_t hash = 0;

	*ret_why = result_ok();
	if (!fragment_is_new(s, h, &place->fragment))
		return FRAGMENT_DROPPED;
	if (place->fragment.number == 1)
		hash = hash_bytes(&sa->ctx->hash, bytes_of(msg, n));
	*ret_why = seal_open_at(sa, msg, n, place, &inner);
	if (!result_is_ok(*ret_why))
		return FRAGMENT_DROPPED;
	s = fragment_begin(sa, h, &place->fragment);
	/* RFC 7383, 5: what a peer can make us hold is bounded */
	if (place->fragment.total > LIMIT_FRAGMENTS || s->bytes + inner.n > LIMIT_MESSAGE) {
		fragment_forget(sa, response);
		return FRAGMENT_TOO_MUCH;
	}
	fragment_keep(s, place, hash, n, inner);
	if (s->count < s->total)
		return FRAGMENT_KEPT;
	fragment_join(sa, s, ret_whole);
	fragment_forget(sa, response);
	return FRAGMENT_WHOLE;
}
