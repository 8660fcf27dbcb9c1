/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/config_payload.h"

#include <stdlib.h>

#include "sa/vips.h"

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
	struct cp_attribute attrs[LIMIT_VIPS + LIMIT_CP_KEPT];
	uint16_t types[LIMIT_CP_KEPT];
	size_t n = vips_put_request(sa, attrs), n_types;

	sa->cp_asked = false;
	/* RFC 7296 2.19 MUST: a request asks for an address, too; without one it is sent only where the operator wants that */
	if (!n && !sa->ctx->options.attributes_without_vips)
		return;
	n_types = attributes_wanted(sa->ctx->attributes, types, ARRAY_LEN(types));
	for (size_t i = 0; i < n_types; i++)
		attrs[n++] = (struct cp_attribute){ types[i], BYTES_NONE };
	if (n)
		builder_cp(b, CP_REQUEST, attrs, n);
	sa->cp_asked = n > 0;
}

/* Whether somebody here wants it. */
static bool config_payload_keeps(const struct ike_sa *sa, const struct cp_attribute *attr)
{
	struct addr a;

	if (vip_parse(attr, &a))
		return false; /* sa/vips.h has looked at it */
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

struct reply {
	size_t n;
	struct cp_attribute attrs[LIMIT_VIPS + 2 * LIMIT_CP_KEPT + 1]; /* addresses, those of pools, those of plugins, the types of all */
};

static bool reply_has(const struct reply *r, uint16_t type)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->attrs[i].type == type)
			return true;
	return false;
}

/* Addresses are given by sa/vips.h alone. */
static void reply_add(struct reply *r, uint16_t type, struct bytes value)
{
	if (type == CP_ATTR_INTERNAL_IP4_ADDRESS || type == CP_ATTR_INTERNAL_IP6_ADDRESS)
		return;
	/* RFC 7296 3.15.1 MUST: one netmask, only with an address */
	if (type == CP_ATTR_INTERNAL_IP4_NETMASK && (!reply_has(r, CP_ATTR_INTERNAL_IP4_ADDRESS) || reply_has(r, type)))
		return;
	r->attrs[r->n++] = (struct cp_attribute){ type, value };
}

static bool reply_has_value(const struct reply *r, uint16_t type, struct bytes value)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->attrs[i].type == type && bytes_equal(r->attrs[i].value, value))
			return true;
	return false;
}

static bool pool_has_given(const struct ike_sa *sa, const struct pool *pool)
{
	for (size_t i = 0; sa->vips && !sa->vips->ours && i < sa->vips->n; i++)
		if (sa->vips->list[i].lease.of == pool->leases)
			return true;
	return false;
}

/* Along with its addresses a pool gives its attributes; what several pools have is given once. */
static void reply_add_pools(struct ike_sa *sa, struct reply *r)
{
	size_t most = r->n + LIMIT_CP_KEPT;

	for (size_t i = 0; i < sa->conn->n_pools; i++) {
		const struct pool *pool = pools_find(sa->ctx->config->pools, sa->conn->pools[i]);

		for (size_t k = 0; pool && pool_has_given(sa, pool) && k < pool->n_attributes && r->n < most; k++) {
			struct bytes value = bytes_of(pool->attributes[k].data, pool->attributes[k].n);

			if (!reply_has_value(r, pool->attributes[k].type, value))
				reply_add(r, pool->attributes[k].type, value);
		}
	}
}

static void reply_add_plugins(struct ike_sa *sa, struct reply *r)
{
	struct addr vips[LIMIT_VIPS];
	const struct attribute_query query = { .conn = sa->log.name, .remote_id = &sa->remote_id, .vips = vips,
					       .n_vips = vips_addrs(sa, false, vips) };
	struct attribute given[LIMIT_CP_KEPT];
	size_t n = attributes_provide(sa->ctx->attributes, &query, given, ARRAY_LEN(given));

	for (size_t i = 0; i < n; i++)
		reply_add(r, given[i].type, given[i].value);
}

static void config_payload_build_reply(struct ike_sa *sa, struct builder *b)
{
	struct reply r = { .n = 0 };
	size_t n;

	/* RFC 7296 2.19 MUST NOT: no CFG_REPLY without a CFG_REQUEST */
	if (!sa->cp_asked)
		return;
	r.n = vips_put_reply(sa, r.attrs);
	reply_add_pools(sa, &r);
	reply_add_plugins(sa, &r);
	n = r.n;
	if (sa->cp_supported) {
		r.attrs[n] = (struct cp_attribute){ CP_ATTR_SUPPORTED_ATTRIBUTES,
						    config_payload_supported(&sa->ctx->arena, r.attrs, n) };
		n++;
	}
	if (n)
		builder_cp(b, CP_REPLY, r.attrs, n);
}

static void config_payload_take_request(struct ike_sa *sa, const struct payload_cp *cp)
{
	sa->cp_asked = cp != NULL;
	sa->cp_supported = false;
	for (size_t i = 0; cp && i < cp->count; i++)
		sa->cp_supported |= cp->attrs[i].type == CP_ATTR_SUPPORTED_ATTRIBUTES;
	vips_take_request(sa, cp);
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

	if (!sa->initiator) {
		config_payload_take_request(sa, cp);
		return;
	}
	if (!sa->cp_asked)
		cp = NULL;
	if (cp)
		config_payload_take_reply(sa, cp);
	vips_take_reply(sa, cp);
}
