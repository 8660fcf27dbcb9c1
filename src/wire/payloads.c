/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/payloads.h"

#include "util/mem.h"

#define PAYLOAD_CRITICAL 0x80 /* RFC 7296, 3.2; the other bits are reserved and ignored */
#define PAYLOAD_HEADER_LEN 4

static struct result ke_parse(struct arena *a, struct reader *r, struct payload *p)
{
	p->ke.method = reader_u16(r);
	reader_skip(r, 2);
	p->ke.data = reader_rest(r);
	if (!reader_ok(r))
		return result_fail(RESULT_INVALID, "KE payload is too short");
	if (p->ke.data.n == 0)
		return result_fail(RESULT_INVALID, "KE payload without key exchange data");
	return result_ok();
}

static struct result id_payload_parse(struct arena *a, struct reader *r, struct payload *p)
{
	p->id.type = reader_u8(r);
	reader_skip(r, 3);
	p->id.data = reader_rest(r);
	if (!reader_ok(r))
		return result_fail(RESULT_INVALID, "ID payload is too short");
	/* Type 0 is reserved; inside it stands for "any", which no peer may claim to be. */
	if (p->id.type == 0)
		return result_fail(RESULT_INVALID, "ID payload with the reserved type 0");
	if (p->id.data.n > LIMIT_ID)
		return result_fail(RESULT_LIMIT, "identity is too long");
	if ((p->id.type == ID_TYPE_IPV4_ADDR && p->id.data.n != 4) ||
	    (p->id.type == ID_TYPE_IPV6_ADDR && p->id.data.n != 16))
		return result_fail(RESULT_INVALID, "length of an address identity is wrong");
	return result_ok();
}

static struct result cert_parse(struct arena *a, struct reader *r, struct payload *p)
{
	p->cert.encoding = reader_u8(r);
	p->cert.data = reader_rest(r);
	if (!reader_ok(r))
		return result_fail(RESULT_INVALID, "CERT or CERTREQ payload is too short");
	if (p->cert.data.n > LIMIT_CERT)
		return result_fail(RESULT_LIMIT, "CERT or CERTREQ payload is too long");
	return result_ok();
}

static struct result auth_parse(struct arena *a, struct reader *r, struct payload *p)
{
	p->auth.method = reader_u8(r);
	reader_skip(r, 3);
	p->auth.data = reader_rest(r);
	if (!reader_ok(r))
		return result_fail(RESULT_INVALID, "AUTH payload is too short");
	return result_ok();
}

static struct result nonce_parse(struct arena *a, struct reader *r, struct payload *p)
{
	p->nonce = reader_rest(r);
	/* RFC 7296, 3.9 */
	if (p->nonce.n < LIMIT_NONCE_MIN || p->nonce.n > LIMIT_NONCE_MAX)
		return result_fail(RESULT_INVALID, "nonce is shorter than 16 or longer than 256 bytes");
	return result_ok();
}

static struct result notify_parse(struct arena *a, struct reader *r, struct payload *p)
{
	uint8_t spi_len;

	p->notify.protocol = reader_u8(r);
	spi_len = reader_u8(r);
	p->notify.type = reader_u16(r);
	p->notify.spi = reader_bytes(r, spi_len);
	p->notify.data = reader_rest(r);
	if (!reader_ok(r))
		return result_fail(RESULT_INVALID, "Notify payload is too short");
	if (spi_len != 0 && spi_len != 4 && spi_len != 8)
		return result_fail(RESULT_INVALID, "SPI size of a Notify payload is not 0, 4 or 8");
	return result_ok();
}

static struct result delete_parse(struct arena *a, struct reader *r, struct payload *p)
{
	struct payload_delete *d = &p->del;

	d->protocol = reader_u8(r);
	d->spi_len = reader_u8(r);
	d->count = reader_u16(r);
	d->spis = reader_rest(r);
	if (!reader_ok(r))
		return result_fail(RESULT_INVALID, "Delete payload is too short");
	if (d->protocol != PROTOCOL_IKE && d->protocol != PROTOCOL_AH && d->protocol != PROTOCOL_ESP)
		return result_fail(RESULT_INVALID, "Delete payload for an unknown protocol");
	/* RFC 7296, 3.11: "MUST be zero for IKE or four for AH and ESP" */
	if (d->spi_len != (d->protocol == PROTOCOL_IKE ? 0 : 4))
		return result_fail(RESULT_INVALID, "SPI size of a Delete payload does not fit the protocol");
	if (d->spis.n != (size_t)d->spi_len * d->count)
		return result_fail(RESULT_INVALID, "count of SPIs in a Delete payload does not fit its length");
	if (d->count > LIMIT_DELETE_SPIS)
		return result_fail(RESULT_LIMIT, "too many SPIs in a Delete payload");
	if (d->spi_len == 0)
		d->count = 0; /* so that count SPIs are always there to be read */
	return result_ok();
}

static struct result vendor_parse(struct arena *a, struct reader *r, struct payload *p)
{
	p->vendor = reader_rest(r);
	return result_ok();
}

static struct result eap_payload_parse(struct arena *a, struct reader *r, struct payload *p)
{
	struct reader head = *r;
	uint16_t length;

	reader_skip(&head, 2);
	length = reader_u16(&head);
	p->eap = reader_rest(r);
	if (!reader_ok(&head))
		return result_fail(RESULT_INVALID, "EAP payload is too short");
	/* RFC 7296, 3.16: "MUST be four less than the Payload Length" */
	if (length != p->eap.n)
		return result_fail(RESULT_INVALID, "length in the EAP message is not that of the payload");
	return result_ok();
}

static struct result sk_parse(struct arena *a, struct reader *r, struct payload *p)
{
	p->body = reader_rest(r);
	return result_ok();
}

static struct result skf_parse(struct arena *a, struct reader *r, struct payload *p)
{
	p->skf.number = reader_u16(r);
	p->skf.total = reader_u16(r);
	p->body = reader_rest(r);
	if (!reader_ok(r))
		return result_fail(RESULT_INVALID, "SKF payload is too short");
	/* RFC 7383, 2.5 */
	if (p->skf.number == 0 || p->skf.number > p->skf.total)
		return result_fail(RESULT_INVALID, "fragment number is 0 or above the total");
	return result_ok();
}

static payload_parse_fn *const payload_parsers[] = {
	[PAYLOAD_SA] = sa_payload_parse,
	[PAYLOAD_KE] = ke_parse,
	[PAYLOAD_IDI] = id_payload_parse,
	[PAYLOAD_IDR] = id_payload_parse,
	[PAYLOAD_CERT] = cert_parse,
	[PAYLOAD_CERTREQ] = cert_parse,
	[PAYLOAD_AUTH] = auth_parse,
	[PAYLOAD_NONCE] = nonce_parse,
	[PAYLOAD_NOTIFY] = notify_parse,
	[PAYLOAD_DELETE] = delete_parse,
	[PAYLOAD_VENDOR] = vendor_parse,
	[PAYLOAD_TSI] = ts_payload_parse,
	[PAYLOAD_TSR] = ts_payload_parse,
	[PAYLOAD_SK] = sk_parse,
	[PAYLOAD_CP] = cp_payload_parse,
	[PAYLOAD_EAP] = eap_payload_parse,
	[PAYLOAD_SKF] = skf_parse,
};

/*
 * Cuts the next payload off the chain: *type is its type, and then that of the one behind it. In
 * SK and SKF the next-payload field speaks of the content, and nothing may follow (RFC 7296, 3.14).
 */
static struct result payload_cut(struct reader *r, uint8_t *type, struct payload *p)
{
	uint8_t next = reader_u8(r), flags = reader_u8(r);
	uint16_t length = reader_u16(r);

	if (!reader_ok(r))
		return result_fail(RESULT_INVALID, "payload header is cut off");
	if (length < PAYLOAD_HEADER_LEN)
		return result_fail(RESULT_INVALID, "payload length is below 4");
	p->type = *type;
	p->critical = flags & PAYLOAD_CRITICAL;
	p->body = reader_bytes(r, length - PAYLOAD_HEADER_LEN);
	if (!reader_ok(r))
		return result_fail(RESULT_INVALID, "payload is longer than what is left");
	if (*type == PAYLOAD_SK || *type == PAYLOAD_SKF) {
		if (reader_left(r))
			return result_fail(RESULT_INVALID, "encrypted payload is not the last one");
		p->inner_next = next;
		next = PAYLOAD_NONE;
	}
	*type = next;
	return result_ok();
}

/* Checks the chain of lengths and counts the payloads, so that the list is allocated once. */
static struct result payloads_count(struct bytes body, uint8_t first, size_t *ret_count,
				    struct wire_error *err)
{
	struct reader r = reader_of(body);
	struct payload scratch;
	uint8_t type = first;
	size_t count = 0;

	while (type != PAYLOAD_NONE) {
		err->payload = type;
		err->offset = body.n - reader_left(&r);
		if (++count > LIMIT_PAYLOADS)
			return result_fail(RESULT_LIMIT, "too many payloads");
		TRY(payload_cut(&r, &type, &scratch));
	}
	if (!reader_done(&r))
		return result_fail(RESULT_INVALID, "bytes behind the last payload");
	*ret_count = count;
	return result_ok();
}

static struct result payload_parse(struct arena *a, struct payload *p)
{
	struct reader r = reader_of(p->body);
	payload_parse_fn *parse = p->type < ARRAY_LEN(payload_parsers) ? payload_parsers[p->type] : NULL;

	if (!parse)
		return result_ok();
	p->known = true;
	return parse(a, &r, p);
}

static struct result list_parse(struct arena *a, struct bytes body, uint8_t first,
				struct payload_list *list, struct wire_error *err)
{
	struct reader r = reader_of(body);
	const struct payload *critical = NULL;
	size_t critical_offset = 0;
	uint8_t type = first;

	TRY(payloads_count(body, first, &list->count, err));
	list->p = arena_array(a, struct payload, list->count);
	for (size_t i = 0; i < list->count; i++) {
		struct payload *p = &list->p[i];

		err->payload = type;
		err->offset = body.n - reader_left(&r);
		TRY(payload_cut(&r, &type, p));
		TRY(payload_parse(a, p));
		if (!p->known && p->critical && !critical) {
			critical = p;
			critical_offset = err->offset;
		}
	}
	if (!critical)
		return result_ok();
	/* RFC 7296, 2.5: the caller answers UNSUPPORTED_CRITICAL_PAYLOAD with the type. */
	err->payload = critical->type;
	err->offset = critical_offset;
	err->critical = true;
	return result_fail(RESULT_UNSUPPORTED, "unknown payload with the critical bit");
}

struct result payloads_parse(struct arena *a, struct bytes body, uint8_t first,
			     struct payload_list *ret_list, struct wire_error *ret_err)
{
	struct payload_list list = { 0 };
	struct wire_error err = { NULL, 0, 0, false };
	struct result result = list_parse(a, body, first, &list, &err);

	if (result_is_ok(result)) {
		list.chain = body;
		list.first = first;
		*ret_list = list;
		return result;
	}
	err.why = result.why;
	if (ret_err)
		*ret_err = err;
	return result;
}

struct payload_list payloads_dup(struct arena *a, const struct payload_list *list)
{
	struct payload_list copy = { 0 };
	struct bytes chain = bytes_of(arena_dup(a, list->chain.p, list->chain.n), list->chain.n);

	/* it was parsed before: this cannot fail */
	if (!result_is_ok(payloads_parse(a, chain, list->first, &copy, NULL)))
		copy = (struct payload_list){ 0 };
	return copy;
}

struct payload *payload_find(const struct payload_list *list, unsigned type, const struct payload *after)
{
	for (size_t i = after ? (size_t)(after - list->p) + 1 : 0; i < list->count; i++)
		if (list->p[i].type == type)
			return &list->p[i];
	return NULL;
}

const struct payload_notify *payload_notify(const struct payload_list *list, unsigned type)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->p[i].type == PAYLOAD_NOTIFY && list->p[i].notify.type == type)
			return &list->p[i].notify;
	return NULL;
}
