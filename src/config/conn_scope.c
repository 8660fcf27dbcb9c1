/* SPDX-License-Identifier: Apache-2.0 */
#include <net/if.h>

#include "config/conn_rules.h"

/* Marks, interface ids and interfaces: what packets of a child are told apart by. */

static bool text_take(struct reader *r, const char *word)
{
	struct reader at = *r;
	struct bytes text = reader_bytes(&at, strlen(word));

	if (!reader_ok(&at) || !bytes_equal_str(text, word))
		return false;
	*r = at;
	return true;
}

/* A word for a number, or FIXED; `last` is the last one that is known here. */
static enum scope_kind scope_take_kind(struct reader *r, enum scope_kind last)
{
	if (text_take(r, "%unique-dir"))
		return SCOPE_UNIQUE_DIR;
	if (text_take(r, "%unique"))
		return SCOPE_UNIQUE;
	if (last == SCOPE_SAME && text_take(r, "%same"))
		return SCOPE_SAME;
	return SCOPE_FIXED;
}

static bool mark_parse(struct bytes text, enum scope_kind last, struct mark_conf *ret)
{
	struct reader r = reader_of(text);
	uint64_t value = 0, mask = UINT32_MAX;

	ret->kind = scope_take_kind(&r, last);
	if (ret->kind == SCOPE_FIXED && !conn_take_u32(&r, &value))
		return false;
	if (reader_left(&r) && (reader_u8(&r) != '/' || !conn_take_u32(&r, &mask)))
		return false;
	/* all of a value of 0 is no mark; a part of it is one */
	if (ret->kind == SCOPE_FIXED && value == 0 && mask == UINT32_MAX)
		mask = 0;
	ret->mark = (struct ipsec_mark){ (uint32_t)(value & mask), (uint32_t)mask };
	return reader_done(&r);
}

bool entry_mark(struct conn_parse *p, const struct conn_rule *rule, const struct tree *entry, void *section)
{
	struct mark_conf *field = (struct mark_conf *)((char *)section + rule->offset);
	struct bytes text = buf_bytes(&entry->value);

	if (!mark_parse(text, (enum scope_kind)rule->max, field))
		return conn_fail_value(p, rule->name);
	return !field->mark.mask || conn_check_needs(p, rule, text);
}

bool entry_if_id(struct conn_parse *p, const struct conn_rule *rule, const struct tree *entry, void *section)
{
	struct if_id_conf *field = (struct if_id_conf *)((char *)section + rule->offset);
	struct bytes text = buf_bytes(&entry->value);
	struct reader r = reader_of(text);
	uint64_t id = 0;

	field->kind = scope_take_kind(&r, SCOPE_UNIQUE_DIR);
	if ((field->kind == SCOPE_FIXED && !conn_take_u32(&r, &id)) || !reader_done(&r))
		return conn_fail_value(p, rule->name);
	field->id = (uint32_t)id;
	return (field->kind == SCOPE_FIXED && !id) || conn_check_needs(p, rule, text);
}

bool entry_interface(struct conn_parse *p, const struct conn_rule *rule, const struct tree *entry, void *section)
{
	const char **field = (const char **)((char *)section + rule->offset);
	struct bytes text = buf_bytes(&entry->value);

	if (!text.n)
		return true;
	if (text.n >= IF_NAMESIZE || memchr(text.p, '/', text.n) || memchr(text.p, ' ', text.n))
		return conn_fail_value(p, rule->name);
	if (!conn_check_needs(p, rule, text))
		return false;
	*field = arena_printf(p->arena, "%.*s", (int)text.n, (const char *)text.p);
	return true;
}
