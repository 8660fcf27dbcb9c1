/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/payloads.h"

/* The payloads that are lists of values: traffic selectors (RFC 7296, 3.13) and configuration (3.15). */

static struct result selector_body_parse(struct reader *r, unsigned type, struct ts *ts)
{
	size_t len = type == TS_TYPE_IPV4_ADDR_RANGE ? 4 : 16;
	struct bytes from, to;

	ts->port_from = reader_u16(r);
	ts->port_to = reader_u16(r);
	from = reader_bytes(r, len);
	to = reader_bytes(r, len);
	if (!reader_done(r))
		return result_fail(RESULT_INVALID, "length of a traffic selector does not fit its type");
	ts->family = type == TS_TYPE_IPV4_ADDR_RANGE ? AF_INET : AF_INET6;
	memcpy(ts->from, from.p, len);
	memcpy(ts->to, to.p, len);
	return result_ok();
}

/* Reads one selector; a type that we don't have leaves the family 0. */
static struct result selector_parse(struct reader *r, struct ts *ts)
{
	uint8_t type = reader_u8(r);
	uint16_t length;
	struct reader body;

	ts->protocol = reader_u8(r);
	length = reader_u16(r);
	if (!reader_ok(r) || length < 4)
		return result_fail(RESULT_INVALID, "traffic selector is too short");
	body = reader_sub(r, length - 4u);
	if (!reader_ok(r))
		return result_fail(RESULT_INVALID, "traffic selector is longer than its payload");
	if (type != TS_TYPE_IPV4_ADDR_RANGE && type != TS_TYPE_IPV6_ADDR_RANGE)
		return result_ok();
	return selector_body_parse(&body, type, ts);
}

/* Selectors of unknown types are left out, as narrowing would do (RFC 7296, 2.9): the list may be empty. */
struct result ts_payload_parse(struct arena *a, struct reader *r, struct payload *p)
{
	uint8_t count = reader_u8(r);
	struct ts *list;
	size_t n = 0;

	reader_skip(r, 3);
	/* Each takes 4 bytes at least: what is allocated stays in proportion to the payload. */
	if (!reader_ok(r) || reader_left(r) < 4u * count)
		return result_fail(RESULT_INVALID, "TS payload is too short");
	list = arena_array(a, struct ts, count);
	for (unsigned i = 0; i < count; i++) {
		TRY(selector_parse(r, &list[n]));
		n += list[n].family != 0;
	}
	if (!reader_done(r))
		return result_fail(RESULT_INVALID, "length of a TS payload does not fit its selectors");
	p->ts = (struct ts_list){ n, list };
	return result_ok();
}

static struct cp_attribute cp_attribute_parse(struct reader *r)
{
	struct cp_attribute attr;
	uint16_t length;

	attr.type = reader_u16(r) & 0x7fff; /* the top bit is reserved */
	length = reader_u16(r);
	attr.value = reader_bytes(r, length);
	return attr;
}

struct result cp_payload_parse(struct arena *a, struct reader *r, struct payload *p)
{
	struct cp_attribute *list;
	struct reader counting;
	size_t count = 0;

	p->cp.type = reader_u8(r);
	reader_skip(r, 3);
	counting = *r;
	while (reader_left(&counting)) {
		if (++count > LIMIT_CP_ATTRS)
			return result_fail(RESULT_LIMIT, "too many configuration attributes");
		(void)cp_attribute_parse(&counting);
	}
	if (!reader_done(&counting))
		return result_fail(RESULT_INVALID, "CP payload or an attribute in it is cut off");
	list = arena_array(a, struct cp_attribute, count);
	for (size_t i = 0; i < count; i++)
		list[i] = cp_attribute_parse(r);
	p->cp.count = count;
	p->cp.attrs = list;
	return result_ok();
}
