/* SPDX-License-Identifier: Apache-2.0 */
#include "config/conn_rules.h"

#include <stdio.h>

#include "config/settings.h"
#include "config/value.h"
#include "proto/limits.h"
#include "util/mem.h"
#include "util/reader.h"

/* ---- scalars; the text is printable */

bool scalar_bool(const struct conn_rule *rule, struct bytes text, uint64_t *ret)
{
	bool v;

	if (!value_bool(text, &v))
		return false;
	*ret = v;
	return true;
}

bool scalar_uint(const struct conn_rule *rule, struct bytes text, uint64_t *ret)
{
	int64_t v;

	if (!value_int(text, &v) || v < 0 || (uint64_t)v > rule->max)
		return false;
	*ret = (uint64_t)v;
	return true;
}

bool scalar_time(const struct conn_rule *rule, struct bytes text, uint64_t *ret)
{
	return value_time(text, ret);
}

bool scalar_size(const struct conn_rule *rule, struct bytes text, uint64_t *ret)
{
	if (!value_size(text, ret))
		return false;
	if (*ret == CONN_UNSET)
		*ret = CONN_UNSET - 1;
	return true;
}

bool scalar_word(const struct conn_rule *rule, struct bytes text, uint64_t *ret)
{
	for (size_t i = 0; rule->words[i]; i++) {
		if (bytes_equal_nocase(text, rule->words[i])) {
			*ret = i;
			return true;
		}
	}
	return false;
}

bool scalar_action(const struct conn_rule *rule, struct bytes text, uint64_t *ret)
{
	static const struct {
		const char *word;
		unsigned bits;
	} words[] = {
		{ "none", ACTION_NONE },     { "clear", ACTION_NONE },
		{ "trap", ACTION_TRAP },     { "route", ACTION_TRAP },
		{ "start", ACTION_START },   { "restart", ACTION_START },
		{ "trap|start", ACTION_TRAP | ACTION_START },
	};

	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		if (bytes_equal_nocase(text, words[i].word)) {
			*ret = words[i].bits;
			return true;
		}
	}
	return false;
}

bool conn_take_u32(struct reader *r, uint64_t *ret)
{
	bool overflow;

	return value_take_uint(r, ret, &overflow) && !overflow && *ret <= UINT32_MAX;
}

bool scalar_dscp(const struct conn_rule *rule, struct bytes text, uint64_t *ret)
{
	uint64_t v = 0;

	if (text.n != 6)
		return false;
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] != '0' && text.p[i] != '1')
			return false;
		v = v << 1 | (text.p[i] == '1');
	}
	*ret = v;
	return true;
}

bool scalar_tfc(const struct conn_rule *rule, struct bytes text, uint64_t *ret)
{
	struct reader r = reader_of(text);

	*ret = TFC_MTU;
	return bytes_equal_nocase(text, "mtu") || (conn_take_u32(&r, ret) && reader_done(&r));
}

bool scalar_per_cpu(const struct conn_rule *rule, struct bytes text, uint64_t *ret)
{
	*ret = 2;
	return bytes_equal_nocase(text, "encap") || scalar_bool(rule, text, ret);
}

bool scalar_text(const struct conn_rule *rule, struct bytes text, uint64_t *ret)
{
	*ret = text.n > 0;
	return true;
}

bool scalar_id(const struct conn_rule *rule, struct bytes text, uint64_t *ret)
{
	struct id id;

	*ret = text.n > 0;
	if (!id_parse(text, &id))
		return false;
	id_free(&id);
	return true;
}

/* Dotted decimal, two arcs at least. */
bool scalar_oid(const struct conn_rule *rule, struct bytes text, uint64_t *ret)
{
	size_t dots = 0;

	for (size_t i = 0; i < text.n; i++) {
		bool dot = text.p[i] == '.';

		if (!dot && (text.p[i] < '0' || text.p[i] > '9'))
			return false;
		if (dot && (i == 0 || i + 1 == text.n || text.p[i - 1] == '.'))
			return false;
		dots += dot;
	}
	*ret = 1;
	return dots > 0;
}

/* ---- what is more than a number */

const char *conn_keep_text(struct conn_parse *p, struct bytes text)
{
	return arena_printf(p->arena, "%.*s", (int)text.n, text.n ? (const char *)text.p : "");
}

bool entry_updown(struct conn_parse *p, const struct conn_rule *rule, const struct tree *entry, void *section)
{
	struct bytes text = buf_bytes(&entry->value);

	(void)rule;
	if (text.n && !p->env->updown)
		return conn_fail_unsupported(p, "updown", text, "the plugin updown is not loaded");
	((struct child_conf *)section)->updown = text.n ? arena_printf(p->arena, "%s", buf_str(&entry->value)) : NULL;
	return true;
}

bool entry_refused_list(struct conn_parse *p, const struct conn_rule *rule, const struct tree *entry, void *section)
{
	TREE_FOREACH(it, entry) {
		struct bytes text = buf_bytes(&it->value);
		uint64_t v;

		if (rule->scalar && (!value_is_printable(text) || !rule->scalar(rule, text, &v)))
			return conn_fail_value(p, rule->name);
	}
	if (!entry->first)
		return true;
	return conn_fail_unsupported(p, rule->name,
				     rule->scalar ? buf_bytes(&entry->first->value) : bytes_str("<data>"),
				     rule->refusal);
}

bool entry_id(struct conn_parse *p, const struct conn_rule *rule, const struct tree *entry, void *section)
{
	struct id *field = (struct id *)((char *)section + rule->offset), id;

	if (!id_parse(buf_bytes(&entry->value), &id))
		return conn_fail_value(p, rule->name);
	if (!id_pattern_is_valid(&id)) {
		id_free(&id);
		return conn_fail_value(p, rule->name);
	}
	field->type = id.type;
	field->data = bytes_of(arena_dup(p->arena, id.data.p, id.data.n), id.data.n);
	id_free(&id);
	return true;
}

/* ---- addresses */

static bool name_is_plausible(struct bytes text)
{
	bool letters = false;

	for (size_t i = 0; i < text.n; i++) {
		uint8_t c = text.p[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (!letter && !(c >= '0' && c <= '9') && (c == 0 || !strchr("-_.", c)))
			return false;
		letters = letters || letter;
	}
	/* only digits and dots are an address gone wrong */
	return letters && text.n <= 255 && text.p[0] != '.' && text.p[0] != '-';
}

static bool endpoint_parse_range(struct bytes text, struct endpoint *e)
{
	const uint8_t *dash = text.n ? memchr(text.p, '-', text.n) : NULL;

	if (!dash || !addr_parse(bytes_of(text.p, (size_t)(dash - text.p)), &e->addr) ||
	    !addr_parse(bytes_of(dash + 1, text.n - (size_t)(dash + 1 - text.p)), &e->addr_to))
		return false;
	e->kind = ENDPOINT_RANGE;
	return e->addr.family == e->addr_to.family &&
	       memcmp(e->addr.ip, e->addr_to.ip, addr_len(&e->addr)) <= 0;
}

static bool endpoint_parse(struct bytes text, struct endpoint *e)
{
	if (bytes_equal_str(text, "%any") || bytes_equal_str(text, "%any4") || bytes_equal_str(text, "%any6")) {
		*e = (struct endpoint){ .kind = ENDPOINT_ANY };
		e->addr.family = text.n < 5 ? AF_UNSPEC : text.p[4] == '4' ? AF_INET : AF_INET6;
		return true;
	}
	if (addr_parse(text, &e->addr)) {
		e->kind = addr_is_any(&e->addr) ? ENDPOINT_ANY : ENDPOINT_ADDR;
		return true;
	}
	if (text.n && memchr(text.p, '/', text.n)) {
		e->kind = ENDPOINT_PREFIX;
		return prefix_parse(text, &e->prefix);
	}
	if (endpoint_parse_range(text, e))
		return true;
	*e = (struct endpoint){ .kind = ENDPOINT_NAME };
	return name_is_plausible(text);
}

/* The offset is that of the pointer; the count stands in local_addrs' or remote_addrs' own field. */
bool entry_endpoints(struct conn_parse *p, const struct conn_rule *rule, const struct tree *entry, void *section)
{
	struct conn *c = section;
	bool local = rule->offset == offsetof(struct conn, local_addrs);
	struct endpoint *list = arena_array(p->arena, struct endpoint, entry->count);
	size_t n = 0;

	TREE_FOREACH(it, entry) {
		struct bytes text = buf_bytes(&it->value);

		if (!value_is_printable(text) || !endpoint_parse(text, &list[n]))
			return conn_fail_value(p, rule->name);
		list[n++].text = conn_keep_text(p, text);
	}
	if (n == 0)
		return true; /* the default */
	*(local ? &c->local_addrs : &c->remote_addrs) = list;
	*(local ? &c->n_local : &c->n_remote) = n;
	return true;
}

bool entry_vips(struct conn_parse *p, const struct conn_rule *rule, const struct tree *entry, void *section)
{
	struct conn *c = section;
	struct addr *list = arena_array(p->arena, struct addr, entry->count + 1);

	if (entry->count > LIMIT_VIPS)
		return conn_fail_value(p, rule->name);
	TREE_FOREACH(it, entry) {
		struct addr *a = &list[c->n_vips];

		if (!addr_parse(buf_bytes(&it->value), a) || a->scope)
			return conn_fail_value(p, rule->name);
		c->n_vips++;
	}
	c->vips = list;
	return true;
}

bool entry_pools(struct conn_parse *p, const struct conn_rule *rule, const struct tree *entry, void *section)
{
	const char **list = arena_array(p->arena, const char *, entry->count + 1);
	struct conn *c = section;

	TREE_FOREACH(it, entry) {
		struct bytes text = buf_bytes(&it->value);

		if (!text.n || !value_is_printable(text))
			return conn_fail_value(p, rule->name);
		list[c->n_pools++] = conn_keep_text(p, text);
	}
	c->pools = list;
	return true;
}

bool entry_selectors(struct conn_parse *p, const struct conn_rule *rule, const struct tree *entry, void *section)
{
	struct ts_list *field = (struct ts_list *)((char *)section + rule->offset);
	struct ts *list;
	size_t n = 0;

	if (!entry->count)
		return true; /* the default */
	if (entry->count > LIMIT_SELECTORS)
		return conn_fail_value(p, rule->name);
	list = arena_array(p->arena, struct ts, entry->count);
	TREE_FOREACH(it, entry) {
		if (!ts_parse(buf_bytes(&it->value), &list[n++]))
			return conn_fail_value(p, rule->name);
	}
	*field = (struct ts_list){ n, list };
	return true;
}

/* ---- proposals */

static const char *transform_name(const struct transform *t)
{
	switch (t->type) {
	case TRANSFORM_ENCR:
		return encr_name(t->id);
	case TRANSFORM_PRF:
		return prf_name(t->id);
	case TRANSFORM_INTEG:
		return integ_name(t->id);
	case TRANSFORM_KE:
		return ke_name(t->id);
	default:
		return transform_type_name(t->type);
	}
}

/* RFC 9370: ke1_ and so on. */
static bool proposals_have_additional(struct proposal_list list)
{
	for (size_t i = 0; i < list.count; i++) {
		for (size_t j = 0; j < list.p[i].count; j++) {
			if (list.p[i].transforms[j].type >= TRANSFORM_ADDKE1)
				return true;
		}
	}
	return false;
}

static bool proposals_are_supported(struct conn_parse *p, const char *key, struct bytes text, struct proposal_list list)
{
	const struct transform *missing = NULL;
	char why[128];

	if (proposals_have_additional(list))
		return conn_fail_unsupported(p, key, text, "additional key exchanges are not supported yet");
	if (p->env->have)
		missing = proposal_first_missing(list, p->env->have, p->env->have_arg);
	if (!missing)
		return true;
	snprintf(why, sizeof(why), "no plugin provides %s", transform_name(missing));
	return conn_fail_unsupported(p, key, text, why);
}

bool entry_proposals(struct conn_parse *p, const struct conn_rule *rule, const struct tree *entry, void *section)
{
	enum ike_protocol protocol = (enum ike_protocol)rule->max;
	struct proposal *all = NULL;
	size_t n = 0;

	TREE_FOREACH(it, entry) {
		struct bytes text = buf_bytes(&it->value);
		struct proposal_list list;
		struct proposal *more;
		struct errtext why;

		if (!value_is_printable(text) ||
		    !proposal_parse(p->arena, protocol, text, p->env->have, p->env->have_arg, &list, &why) ||
		    n + list.count > LIMIT_PROPOSALS)
			return conn_fail_value(p, rule->name);
		if (rule->refusal)
			return conn_fail_unsupported(p, rule->name, text, rule->refusal);
		if (!proposals_are_supported(p, rule->name, text, list))
			return false;
		more = arena_array(p->arena, struct proposal, n + list.count);
		if (n)
			memcpy(more, all, n * sizeof(*all));
		if (list.count)
			memcpy(more + n, list.p, list.count * sizeof(*all));
		all = more;
		n += list.count;
	}
	if (!rule->refusal)
		*(struct proposal_list *)((char *)section + rule->offset) = (struct proposal_list){ n, all };
	return true;
}

bool conn_default_proposals(struct conn_parse *p, const char *key, enum ike_protocol protocol,
			    struct proposal_list *list)
{
	if (list->count == 0)
		*list = proposal_default(p->arena, protocol, p->env->have, p->env->have_arg);
	if (list->count == 0)
		return conn_fail_unsupported(p, key, bytes_str("default"), "no plugin provides what they need");
	return true;
}
