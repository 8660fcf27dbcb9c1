/* SPDX-License-Identifier: Apache-2.0 */
#include "sa_program.h"

#include <check.h>
#include <stdlib.h>

#include "sa/seal.h"
#include "wire/builder.h"

#define FORGE_PAYLOADS 12 /* at most, in one message */

static uint8_t inner[LIMIT_MESSAGE], outer[LIMIT_MESSAGE];

static void forge_send(struct lab_end *to, const struct addr *local, const struct addr *remote, struct bytes msg)
{
	struct lab *lab = to->lab;
	struct lab_packet *p = &lab->packets[lab->n_packets];

	ck_assert_uint_lt(lab->n_packets++, LAB_PACKETS);
	*p = (struct lab_packet){ .to = to, .local = *local, .remote = *remote, .n = msg.n };
	p->data = xmemdup(msg.p, msg.n);
}

/* Seals for the receiver's SA as its peer would; empty when it does not fit. */
static struct bytes forge_seal(struct program *in, const struct ike_sa *sa, const struct ike_header *h, const struct builder *b)
{
	struct ike_sa peer = *sa;

	if (!writer_ok(&b->w) || b->w.n > LIMIT_MESSAGE - 256)
		return BYTES_NONE;
	peer.initiator = !sa->initiator;
	peer.seal_counter = UINT64_MAX / 2 + in->forged++;
	return seal_message(&peer, h, b->first, bytes_of(b->w.p, b->w.n), outer, sizeof(outer));
}

/* ---- changing a list of payloads ---- */

static void edit_one(struct program *in, struct arena *a, const struct ike_sa *sa, const struct payload *p, struct builder *b)
{
	uint8_t *body;

	switch (program_pick(in, 32)) {
	case 1:
		return; /* missing */
	case 2:
		builder_raw(b, p->type, p->critical, p->body);
		break; /* twice */
	case 3:
		forge_payload(in, a, sa, b);
		break;
	case 4:
		forge_payload(in, a, sa, b);
		return;
	case 5:
		body = arena_dup(a, p->body.p, p->body.n);
		if (p->body.n)
			body[program_u16(in) % p->body.n] ^= (uint8_t)(1u << program_pick(in, 8));
		builder_raw(b, p->type, p->critical, bytes_of(body, p->body.n));
		return;
	case 6:
		builder_raw(b, p->type, true, bytes_of(p->body.p, p->body.n ? program_u16(in) % p->body.n : 0));
		return;
	case 7:
		builder_raw(b, program_u8(in), p->critical, p->body);
		return;
	default:
		break;
	}
	builder_raw(b, p->type, p->critical, p->body);
}

static void edit_list(struct program *in, struct arena *a, const struct ike_sa *sa, const struct payload_list *list,
		      struct builder *b)
{
	bool edit = program_pick(in, 2);

	if (edit && list->count > 1 && program_pick(in, 8) == 7) {
		size_t i = program_pick(in, (unsigned)list->count), k = program_pick(in, (unsigned)list->count);
		struct payload swapped = list->p[i];

		list->p[i] = list->p[k];
		list->p[k] = swapped;
	}
	for (size_t i = 0; i < list->count; i++) {
		if (edit)
			edit_one(in, a, sa, &list->p[i], b);
		else
			builder_raw(b, list->p[i].type, list->p[i].critical, list->p[i].body);
	}
	for (unsigned n = edit ? program_pick(in, 4) : 0; n; n--)
		forge_payload(in, a, sa, b);
}

/* ---- whole messages ---- */

static uint32_t pick_message_id(struct program *in, const struct ike_sa *sa, bool response)
{
	uint32_t id = !sa ? 0 : response ? (sa->outstanding ? sa->outstanding->message_id : sa->out.next - 1) : sa->in.next;

	switch (program_pick(in, 12)) {
	case 1:
		return id + 1;
	case 2:
		return id - 1;
	case 3:
		return 0;
	case 4:
		return UINT32_MAX - program_pick(in, 2);
	case 5:
		return id + program_u8(in);
	default:
		return id;
	}
}

static struct ike_header pick_header(struct program *in, const struct ike_sa *sa, unsigned exchange, bool response)
{
	struct ike_header h = { .version = IKE_VERSION, .exchange = (uint8_t)exchange };
	unsigned odd = program_u8(in);

	h.message_id = pick_message_id(in, sa, response);
	if (sa) {
		h.spi_i = sa->spi_i;
		h.spi_r = sa->spi_r;
	}
	h.flags = (uint8_t)((sa && !sa->initiator ? IKE_FLAG_INITIATOR : 0) | (response ? IKE_FLAG_RESPONSE : 0));
	if (odd < 0xe0)
		return h;
	if (odd & 1)
		h.exchange = program_u8(in);
	if (odd & 2)
		h.flags = program_u8(in);
	if (odd & 4)
		h.version = program_u8(in);
	if (odd & 8)
		h.spi_r = program_pick(in, 2) ? 0 : h.spi_r ^ program_u8(in);
	return h;
}

/* Payloads by recipe with changes, or one by one. */
static unsigned pick_payloads(struct program *in, struct arena *a, const struct ike_sa *sa, struct builder *b)
{
	unsigned kind = program_u8(in), exchange = EXCHANGE_IKE_SA_INIT + program_pick(in, 4);
	struct payload_list list;
	struct builder made;
	struct wire_error err;

	if (kind % 16 == 15) {
		/* no chain at all */
		b->first = program_u8(in);
		for (unsigned n = program_pick(in, 64); n; n--)
			writer_u8(&b->w, program_u8(in));
		return exchange;
	}
	if (kind % 4 == 3) {
		for (unsigned n = program_pick(in, FORGE_PAYLOADS); n; n--)
			forge_payload(in, a, sa, b);
		return kind & 4 ? EXCHANGE_INFORMATIONAL : exchange;
	}
	made = builder_of(arena_alloc(a, 8192), 8192);
	exchange = forge_recipe(in, a, sa, &made);
	if (writer_ok(&made.w) &&
	    result_is_ok(payloads_parse(a, bytes_of(made.w.p, made.w.n), made.first, &list, &err)))
		edit_list(in, a, sa, &list, b);
	return exchange;
}

/* The same in fragments (RFC 7383), of which some may be wrong. */
static bool forge_fragments(struct program *in, struct lab_end *to, struct ike_sa *sa, const struct ike_header *h,
			    const struct builder *b)
{
	unsigned total = 1 + program_pick(in, 5);
	size_t chunk = b->w.n / total + 1;
	struct ike_sa peer = *sa;

	peer.initiator = !sa->initiator;
	for (unsigned i = 0; i < total; i++) {
		struct payload_skf f = { .number = (uint16_t)(i + 1), .total = (uint16_t)total };
		unsigned odd = program_u8(in);
		size_t from = i * chunk < b->w.n ? i * chunk : b->w.n, n = b->w.n - from < chunk ? b->w.n - from : chunk;
		struct bytes msg;

		if (odd == 0xff)
			continue;
		if (odd > 0xf0)
			f.number = program_u16(in);
		if (odd > 0xe8)
			f.total = program_u16(in);
		peer.seal_counter = UINT64_MAX / 2 + in->forged++;
		msg = seal_fragment(&peer, h, &f, i ? PAYLOAD_NONE : b->first, bytes_of(b->w.p + from, n), outer,
				    sizeof(outer));
		if (msg.n)
			forge_send(to, &sa->local, &sa->remote, msg);
	}
	return true;
}

bool forge_sealed(struct program *in, struct lab_end *to, struct ike_sa *sa)
{
	struct builder b = builder_of(inner, sizeof(inner));
	bool response = program_pick(in, 4) == 3;
	struct arena a = { 0 };
	struct ike_header h;
	struct bytes msg;
	unsigned exchange = pick_payloads(in, &a, sa, &b);

	if (response && sa->outstanding && program_pick(in, 4))
		exchange = sa->outstanding->exchange;
	h = pick_header(in, sa, exchange, response);
	if (program_pick(in, 12) == 11 && writer_ok(&b.w) && b.w.n < LIMIT_MESSAGE - 256) {
		bool sent = forge_fragments(in, to, sa, &h, &b);

		arena_free(&a);
		return sent;
	}
	msg = forge_seal(in, sa, &h, &b);
	if (msg.n)
		forge_send(to, &sa->local, &sa->remote, msg);
	arena_free(&a);
	return msg.n != 0;
}

bool forge_plain(struct program *in, struct lab_end *to, struct ike_sa *sa)
{
	struct lab *lab = to->lab;
	struct lab_end *other = to == &lab->a ? &lab->b : &lab->a;
	bool response = program_pick(in, 2);
	struct builder b = builder_of(outer, sizeof(outer));
	struct builder payloads = builder_of(inner, sizeof(inner));
	struct arena a = { 0 };
	struct ike_header h;
	struct bytes msg = BYTES_NONE;
	unsigned exchange = pick_payloads(in, &a, sa, &payloads);

	if (!sa || sa->state == IKE_STATE_CONNECTING || program_pick(in, 2))
		exchange = EXCHANGE_IKE_SA_INIT;
	h = pick_header(in, sa, exchange, response);
	if (!sa) {
		h.spi_i = program_u8(in);
		h.spi_r = program_u8(in) & 1;
		h.flags |= response ? 0 : IKE_FLAG_INITIATOR;
	}
	h.next = payloads.first;
	builder_header(&b, &h);
	if (writer_ok(&payloads.w)) {
		writer_bytes(&b.w, bytes_of(payloads.w.p, payloads.w.n));
		msg = builder_finish(&b);
	}
	if (msg.n) {
		outer[16] = payloads.first;
		forge_send(to, sa ? &sa->local : &to->addr, sa ? &sa->remote : &other->addr, msg);
	}
	arena_free(&a);
	return msg.n != 0;
}

/* The SA of the receiver that a packet is for and whose keys open it. */
static struct ike_sa *packet_sa(const struct lab_packet *p, const struct ike_header *h)
{
	for (size_t i = 0; i < p->to->n_sas; i++)
		if (p->to->sas[i]->spi_i == h->spi_i && p->to->sas[i]->spi_r == h->spi_r && !p->to->sas[i]->finished)
			return p->to->sas[i];
	return NULL;
}

bool forge_rewrite(struct program *in, struct lab *lab, size_t i)
{
	struct lab_packet *p = &lab->packets[i];
	struct builder b = builder_of(inner, sizeof(inner));
	struct arena a = { 0 };
	struct bytes body, msg = BYTES_NONE;
	struct payload_list list;
	struct wire_error err;
	struct ike_header h;
	struct ike_sa *sa;
	uint8_t first, *copy = arena_dup(&a, p->data, p->n);
	bool plain;

	if (!result_is_ok(header_parse(bytes_of(copy, p->n), &h)))
		goto out;
	plain = h.exchange == EXCHANGE_IKE_SA_INIT;
	sa = packet_sa(p, &h);
	first = h.next;
	body = bytes_of(copy + IKE_HEADER_LEN, p->n - IKE_HEADER_LEN);
	if (!plain && (!sa || !sa->protect.cipher || !result_is_ok(seal_open(sa, copy, p->n, &body, &first))))
		goto out;
	if (!result_is_ok(payloads_parse(&a, body, first, &list, &err)))
		goto out;
	if (plain) {
		b = builder_of(outer, sizeof(outer));
		builder_header(&b, &h);
		edit_list(in, &a, sa, &list, &b);
		msg = builder_finish(&b);
	} else {
		edit_list(in, &a, sa, &list, &b);
		msg = forge_seal(in, sa, &h, &b);
	}
	if (msg.n) {
		free(p->data);
		p->data = xmemdup(msg.p, msg.n);
		p->n = msg.n;
	}
out:
	arena_free(&a);
	return msg.n != 0;
}
