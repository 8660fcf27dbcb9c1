/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/builder.h"

#include "wire/payloads.h"

#define HEADER_NEXT_AT 16
#define HEADER_LENGTH_AT 24
#define NO_LINK SIZE_MAX

struct builder builder_of(void *p, size_t cap)
{
	return (struct builder){ .w = writer_of(p, cap), .link = NO_LINK };
}

void builder_header(struct builder *b, const struct ike_header *h)
{
	writer_u64(&b->w, h->spi_i);
	writer_u64(&b->w, h->spi_r);
	writer_u8(&b->w, PAYLOAD_NONE);
	writer_u8(&b->w, h->version);
	writer_u8(&b->w, h->exchange);
	writer_u8(&b->w, h->flags);
	writer_u32(&b->w, h->message_id);
	writer_u32(&b->w, IKE_HEADER_LEN);
	b->header = true;
	b->link = HEADER_NEXT_AT;
}

struct bytes builder_finish(struct builder *b)
{
	if (b->w.n > LIMIT_MESSAGE)
		b->w.full = true;
	if (b->header)
		writer_patch(&b->w, HEADER_LENGTH_AT, b->w.n, 4);
	return writer_done(&b->w);
}

/* Begins a payload and links it to the one before. Nothing can follow SK and SKF (RFC 7296, 3.14). */
static void payload_open(struct builder *b, unsigned type, bool critical)
{
	if (b->closed)
		b->w.full = true;
	if (b->link == NO_LINK)
		b->first = (uint8_t)type;
	else
		writer_patch(&b->w, b->link, type, 1);
	b->start = b->w.n;
	b->link = b->start;
	writer_u8(&b->w, PAYLOAD_NONE);
	writer_u8(&b->w, critical ? 0x80 : 0);
	writer_u16(&b->w, 0);
}

/* Patches the 16-bit length at `at` of the structure that began at `start`. */
static void length_close(struct builder *b, size_t start, size_t at)
{
	if (b->w.n - start > UINT16_MAX)
		b->w.full = true;
	writer_patch(&b->w, at, b->w.n - start, 2);
}

static void payload_close(struct builder *b)
{
	length_close(b, b->start, b->start + 2);
}

static void name_add(struct builder *b, unsigned type)
{
	if (b->desc)
		describe_name(b->desc, type);
}

/* The two thirds of all payloads that are a few fixed bytes and data. */
static void simple_write(struct builder *b, unsigned type, uint64_t fixed, size_t fixed_len, struct bytes data)
{
	payload_open(b, type, false);
	writer_uint(&b->w, fixed, fixed_len);
	writer_bytes(&b->w, data);
	payload_close(b);
}

static void transform_write(struct builder *b, const struct transform *t, bool last)
{
	writer_u8(&b->w, last ? 0 : 3);
	writer_u8(&b->w, 0);
	writer_u16(&b->w, t->key_bits ? 12 : 8);
	writer_u8(&b->w, t->type);
	writer_u8(&b->w, 0);
	writer_u16(&b->w, t->id);
	if (t->key_bits) {
		writer_u16(&b->w, 0x8000 | 14); /* Key Length as type and value (RFC 7296, 3.3.5) */
		writer_u16(&b->w, t->key_bits);
	}
}

static void proposal_write(struct builder *b, const struct proposal *p, size_t index, bool last)
{
	size_t start = b->w.n;

	if (p->count > LIMIT_TRANSFORMS || p->spi_len > sizeof(p->spi) || index >= LIMIT_PROPOSALS) {
		b->w.full = true;
		return;
	}
	writer_u8(&b->w, last ? 0 : 2);
	writer_u8(&b->w, 0);
	writer_u16(&b->w, 0);
	writer_u8(&b->w, p->number ? p->number : (uint8_t)(index + 1));
	writer_u8(&b->w, p->protocol);
	writer_u8(&b->w, p->spi_len);
	writer_u8(&b->w, (uint8_t)p->count);
	writer_bytes(&b->w, bytes_of(p->spi, p->spi_len));
	for (unsigned i = 0; i < p->count; i++)
		transform_write(b, &p->transforms[i], i + 1u == p->count);
	length_close(b, start, start + 2);
}

void builder_sa(struct builder *b, struct proposal_list list)
{
	name_add(b, PAYLOAD_SA);
	payload_open(b, PAYLOAD_SA, false);
	for (size_t i = 0; i < list.count; i++)
		proposal_write(b, &list.p[i], i, i + 1 == list.count);
	payload_close(b);
}

void builder_ke(struct builder *b, unsigned method, struct bytes data)
{
	name_add(b, PAYLOAD_KE);
	simple_write(b, PAYLOAD_KE, (uint64_t)method << 16, 4, data);
}

void builder_nonce(struct builder *b, struct bytes nonce)
{
	name_add(b, PAYLOAD_NONCE);
	simple_write(b, PAYLOAD_NONCE, 0, 0, nonce);
}

void builder_id(struct builder *b, bool initiator, const struct id *id)
{
	unsigned type = initiator ? PAYLOAD_IDI : PAYLOAD_IDR;

	name_add(b, type);
	simple_write(b, type, (uint64_t)id->type << 24, 4, id->data);
}

void builder_auth(struct builder *b, unsigned method, struct bytes data)
{
	name_add(b, PAYLOAD_AUTH);
	simple_write(b, PAYLOAD_AUTH, (uint64_t)method << 24, 4, data);
}

void builder_cert(struct builder *b, bool request, unsigned encoding, struct bytes data)
{
	unsigned type = request ? PAYLOAD_CERTREQ : PAYLOAD_CERT;

	name_add(b, type);
	simple_write(b, type, encoding, 1, data);
}

void builder_notify(struct builder *b, unsigned protocol, struct bytes spi, unsigned type, struct bytes data)
{
	if (b->desc)
		describe_notify(b->desc, type);
	if (spi.n > 8)
		b->w.full = true;
	payload_open(b, PAYLOAD_NOTIFY, false);
	writer_u8(&b->w, (uint8_t)protocol);
	writer_u8(&b->w, (uint8_t)spi.n);
	writer_u16(&b->w, (uint16_t)type);
	writer_bytes(&b->w, spi);
	writer_bytes(&b->w, data);
	payload_close(b);
}

void builder_delete(struct builder *b, unsigned protocol, const uint32_t *spis, size_t count)
{
	name_add(b, PAYLOAD_DELETE);
	if (count > LIMIT_DELETE_SPIS || (protocol == PROTOCOL_IKE && count))
		b->w.full = true;
	payload_open(b, PAYLOAD_DELETE, false);
	writer_u8(&b->w, (uint8_t)protocol);
	writer_u8(&b->w, protocol == PROTOCOL_IKE ? 0 : 4); /* RFC 7296, 3.11 */
	writer_u16(&b->w, (uint16_t)count);
	for (size_t i = 0; i < count && writer_ok(&b->w); i++)
		writer_u32(&b->w, spis[i]);
	payload_close(b);
}

void builder_vendor(struct builder *b, struct bytes data)
{
	name_add(b, PAYLOAD_VENDOR);
	simple_write(b, PAYLOAD_VENDOR, 0, 0, data);
}

static void selector_write(struct builder *b, const struct ts *ts)
{
	size_t len = ts->family == AF_INET ? 4 : 16;

	writer_u8(&b->w, ts->family == AF_INET ? TS_TYPE_IPV4_ADDR_RANGE : TS_TYPE_IPV6_ADDR_RANGE);
	writer_u8(&b->w, ts->protocol);
	writer_u16(&b->w, (uint16_t)(8 + 2 * len));
	writer_u16(&b->w, ts->port_from);
	writer_u16(&b->w, ts->port_to);
	writer_bytes(&b->w, bytes_of(ts->from, len));
	writer_bytes(&b->w, bytes_of(ts->to, len));
}

void builder_ts(struct builder *b, bool initiator, struct ts_list list)
{
	unsigned type = initiator ? PAYLOAD_TSI : PAYLOAD_TSR;

	name_add(b, type);
	if (list.count > LIMIT_SELECTORS) {
		b->w.full = true;
		return;
	}
	payload_open(b, type, false);
	writer_u32(&b->w, (uint32_t)list.count << 24);
	for (size_t i = 0; i < list.count; i++)
		selector_write(b, &list.p[i]);
	payload_close(b);
}

void builder_cp(struct builder *b, unsigned type, const struct cp_attribute *attrs, size_t count)
{
	if (b->desc)
		describe_cp(b->desc, type, attrs, count);
	payload_open(b, PAYLOAD_CP, false);
	writer_u32(&b->w, (uint32_t)type << 24);
	for (size_t i = 0; i < count; i++) {
		if (attrs[i].value.n > UINT16_MAX || i >= LIMIT_CP_ATTRS)
			b->w.full = true;
		writer_u16(&b->w, attrs[i].type & 0x7fff);
		writer_u16(&b->w, (uint16_t)attrs[i].value.n);
		writer_bytes(&b->w, attrs[i].value);
	}
	payload_close(b);
}

void builder_eap(struct builder *b, struct bytes packet)
{
	if (b->desc)
		describe_eap(b->desc, packet);
	simple_write(b, PAYLOAD_EAP, 0, 0, packet);
}

void builder_raw(struct builder *b, unsigned type, bool critical, struct bytes body)
{
	name_add(b, type);
	payload_open(b, type, critical);
	writer_bytes(&b->w, body);
	payload_close(b);
}

void builder_sk_begin(struct builder *b, uint8_t inner_first, const struct payload_skf *fragment)
{
	if (b->desc && fragment)
		describe_skf(b->desc, fragment);
	else
		name_add(b, PAYLOAD_SK);
	payload_open(b, fragment ? PAYLOAD_SKF : PAYLOAD_SK, false);
	writer_patch(&b->w, b->start, inner_first, 1);
	b->closed = true;
	if (fragment) {
		writer_u16(&b->w, fragment->number);
		writer_u16(&b->w, fragment->total);
	}
}

void builder_sk_end(struct builder *b)
{
	payload_close(b);
}

static void delete_rewrite(struct builder *b, const struct payload_delete *d)
{
	name_add(b, PAYLOAD_DELETE);
	simple_write(b, PAYLOAD_DELETE,
		     (uint64_t)d->protocol << 24 | (uint64_t)d->spi_len << 16 | d->count, 4, d->spis);
}

static void sk_rewrite(struct builder *b, const struct payload *p)
{
	builder_sk_begin(b, p->inner_next, p->type == PAYLOAD_SKF ? &p->skf : NULL);
	writer_bytes(&b->w, p->body);
	builder_sk_end(b);
}

void builder_payload(struct builder *b, const struct payload *p)
{
	switch (p->type) {
	case PAYLOAD_SA:
		builder_sa(b, p->sa);
		break;
	case PAYLOAD_KE:
		builder_ke(b, p->ke.method, p->ke.data);
		break;
	case PAYLOAD_IDI:
	case PAYLOAD_IDR:
		builder_id(b, p->type == PAYLOAD_IDI, &p->id);
		break;
	case PAYLOAD_CERT:
	case PAYLOAD_CERTREQ:
		builder_cert(b, p->type == PAYLOAD_CERTREQ, p->cert.encoding, p->cert.data);
		break;
	case PAYLOAD_AUTH:
		builder_auth(b, p->auth.method, p->auth.data);
		break;
	case PAYLOAD_NONCE:
		builder_nonce(b, p->nonce);
		break;
	case PAYLOAD_NOTIFY:
		builder_notify(b, p->notify.protocol, p->notify.spi, p->notify.type, p->notify.data);
		break;
	case PAYLOAD_DELETE:
		delete_rewrite(b, &p->del);
		break;
	case PAYLOAD_VENDOR:
		builder_vendor(b, p->vendor);
		break;
	case PAYLOAD_TSI:
	case PAYLOAD_TSR:
		builder_ts(b, p->type == PAYLOAD_TSI, p->ts);
		break;
	case PAYLOAD_CP:
		builder_cp(b, p->cp.type, p->cp.attrs, p->cp.count);
		break;
	case PAYLOAD_EAP:
		builder_eap(b, p->eap);
		break;
	case PAYLOAD_SK:
	case PAYLOAD_SKF:
		sk_rewrite(b, p);
		break;
	default:
		builder_raw(b, p->type, p->critical, p->body);
	}
}
