/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/config_payload.h"

#include <stdlib.h>

void sa_attributes_unref(struct sa_attributes *a)
{
	if (a && --a->refs == 0)
		free(a);
}

void config_payload_inherit(struct ike_sa *sa, const struct ike_sa *old)
{
	sa->attributes = old->attributes;
	if (sa->attributes)
		sa->attributes->refs++;
}

static const struct payload_cp *config_payload_find(const struct payload_list *in, unsigned type)
{
	const struct payload *p = payload_find(in, PAYLOAD_CP, NULL);

	return p && p->cp.type == type ? &p->cp : NULL;
}

/* ---- client ---- */

static void config_payload_build_request(struct ike_sa *sa, struct builder *b)
{
	struct cp_attribute attrs[LIMIT_CP_KEPT];
	uint16_t types[LIMIT_CP_KEPT];
	size_t n;

	sa->cp_asked = false;
	/* RFC 7296, 2.19: a request asks for an address, too; without one it is sent only where the operator wants that */
	if (!sa->ctx->options.attributes_without_vips)
		return;
	n = attributes_wanted(sa->ctx->attributes, types, ARRAY_LEN(types));
	for (size_t i = 0; i < n; i++)
		attrs[i] = (struct cp_attribute){ types[i], BYTES_NONE };
	if (n)
		builder_cp(b, CP_REQUEST, attrs, n);
	sa->cp_asked = n > 0;
}

/* Whether somebody here wants it. */
static bool config_payload_keeps(const struct ike_sa *sa, const struct cp_attribute *attr)
{
	if (attr->value.n && attr->value.n <= LIMIT_CP_VALUE && attribute_handler_of(sa->ctx->attributes, attr->type))
		return true;
	LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "handling %s attribute failed: %s", cp_attr_name(attr->type),
	       attr->value.n == 0 ? "it is empty" : attr->value.n > LIMIT_CP_VALUE ? "it is too long" : "no plugin handles it");
	return false;
}

static void config_payload_take_reply(struct ike_sa *sa, const struct payload_cp *cp)
{
	size_t kept[LIMIT_CP_KEPT], n = 0, size = 0;
	struct sa_attributes *a;
	uint8_t *at;

	for (size_t i = 0; i < cp->count && n < LIMIT_CP_KEPT; i++) {
		if (!config_payload_keeps(sa, &cp->attrs[i]))
			continue;
		kept[n++] = i;
		size += cp->attrs[i].value.n;
	}
	if (n == 0)
		return;
	a = xcalloc(1, sizeof(*a) + n * sizeof(a->list[0]) + size);
	a->refs = 1;
	a->count = n;
	at = (uint8_t *)&a->list[n];
	for (size_t i = 0; i < n; i++) {
		struct bytes value = cp->attrs[kept[i]].value;

		a->list[i] = (struct attribute){ cp->attrs[kept[i]].type, bytes_of(memcpy(at, value.p, value.n), value.n) };
		at += value.n;
	}
	sa_attributes_unref(sa->attributes);
	sa->attributes = a;
}

/* ---- gateway ---- */

/* RFC 7296, 3.15.1: the types that we could answer with, 2 bytes each. */
static struct bytes config_payload_supported(struct arena *a, const struct cp_attribute *attrs, size_t n)
{
	uint8_t *types = arena_alloc(a, 2 * (n + 1));
	struct writer w = writer_of(types, 2 * (n + 1));

	for (size_t i = 0; i < n; i++) {
		bool seen = false;

		for (size_t k = 0; k < i; k++)
			seen |= attrs[k].type == attrs[i].type;
		if (!seen)
			writer_u16(&w, attrs[i].type);
	}
	writer_u16(&w, CP_ATTR_SUPPORTED_ATTRIBUTES);
	return writer_done(&w);
}

/* RFC 7296 3.15.1 MUST: a netmask only with an address, which nobody gives here. */
static bool config_payload_gives(uint16_t type)
{
	return type != CP_ATTR_INTERNAL_IP4_ADDRESS && type != CP_ATTR_INTERNAL_IP6_ADDRESS &&
	       type != CP_ATTR_INTERNAL_IP4_NETMASK;
}

static void config_payload_build_reply(struct ike_sa *sa, struct builder *b)
{
	const struct attribute_query query = { .conn = sa->log.name, .remote_id = &sa->remote_id };
	struct attribute given[LIMIT_CP_KEPT];
	struct cp_attribute attrs[LIMIT_CP_KEPT + 1];
	size_t n_given, n = 0;

	/* RFC 7296 2.19 MUST NOT: no CFG_REPLY without a CFG_REQUEST */
	if (!sa->cp_asked)
		return;
	n_given = attributes_provide(sa->ctx->attributes, &query, given, ARRAY_LEN(given));
	for (size_t i = 0; i < n_given; i++)
		if (config_payload_gives(given[i].type))
			attrs[n++] = (struct cp_attribute){ given[i].type, given[i].value };
	if (sa->cp_supported) {
		attrs[n] = (struct cp_attribute){ CP_ATTR_SUPPORTED_ATTRIBUTES,
						  config_payload_supported(&sa->ctx->arena, attrs, n) };
		n++;
	}
	if (n)
		builder_cp(b, CP_REPLY, attrs, n);
}

static void config_payload_take_request(struct ike_sa *sa, const struct payload_cp *cp)
{
	bool address = false;

	sa->cp_asked = cp != NULL;
	sa->cp_supported = false;
	for (size_t i = 0; cp && i < cp->count; i++) {
		sa->cp_supported |= cp->attrs[i].type == CP_ATTR_SUPPORTED_ATTRIBUTES;
		address |= cp->attrs[i].type == CP_ATTR_INTERNAL_IP4_ADDRESS || cp->attrs[i].type == CP_ATTR_INTERNAL_IP6_ADDRESS;
	}
	if (address)
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the peer asks for a virtual address: this version has none to give");
}

/* ---- both ---- */

void config_payload_build(struct ike_sa *sa, struct builder *b)
{
	if (sa->initiator)
		config_payload_build_request(sa, b);
	else
		config_payload_build_reply(sa, b);
}

void config_payload_take(struct ike_sa *sa, const struct payload_list *in)
{
	const struct payload_cp *cp = config_payload_find(in, sa->initiator ? CP_REPLY : CP_REQUEST);

	if (!sa->initiator)
		config_payload_take_request(sa, cp);
	else if (cp && sa->cp_asked)
		config_payload_take_reply(sa, cp);
}
