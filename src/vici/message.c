/* SPDX-License-Identifier: Apache-2.0 */
#include "vici/message.h"

#include <errno.h>
#include <stdlib.h>

#include "util/mem.h"

struct result vici_segment_next(struct bytes in, struct bytes *ret_packet, size_t *ret_used)
{
	struct reader r = reader_of(in);
	size_t n = reader_u32(&r);
	struct bytes packet;

	*ret_used = 0;
	if (!reader_ok(&r))
		return result_ok();
	if (n > LIMIT_VICI_SEGMENT)
		return result_fail(RESULT_LIMIT, "segment longer than 512 KiB");
	packet = reader_bytes(&r, n);
	if (!reader_ok(&r))
		return result_ok();
	*ret_packet = packet;
	*ret_used = VICI_HEADER + n;
	return result_ok();
}

static bool vici_type_has_name(enum vici_type type)
{
	return type == VICI_CMD_REQUEST || type == VICI_EVENT_REGISTER ||
	       type == VICI_EVENT_UNREGISTER || type == VICI_EVENT;
}

static bool vici_type_has_message(enum vici_type type)
{
	return type == VICI_CMD_REQUEST || type == VICI_CMD_RESPONSE || type == VICI_EVENT;
}

struct result vici_packet_parse(struct bytes packet, struct vici_packet *ret)
{
	struct reader r = reader_of(packet);
	struct vici_packet p = { .type = (enum vici_type)reader_u8(&r) };

	if (!reader_ok(&r))
		return result_fail(RESULT_INVALID, "empty packet");
	if (p.type > VICI_EVENT)
		return result_fail(RESULT_UNSUPPORTED, "unknown packet type");
	if (vici_type_has_name(p.type)) {
		p.name = reader_bytes(&r, reader_u8(&r));
		if (!reader_ok(&r))
			return result_fail(RESULT_INVALID, "name runs past the packet");
		if (!vici_is_printable(p.name))
			return result_fail(RESULT_INVALID, "name is not printable ASCII");
	}
	if (vici_type_has_message(p.type))
		p.message = reader_rest(&r);
	if (!reader_done(&r))
		return result_fail(RESULT_INVALID, "bytes behind the packet");
	*ret = p;
	return result_ok();
}

struct vici_parser vici_parser_of(struct bytes message)
{
	return (struct vici_parser){ .in = reader_of(message) };
}

struct vici_parser vici_parser_of_list(struct bytes items)
{
	return (struct vici_parser){ .in = reader_of(items), .in_list = true, .list_root = true };
}

static struct result vici_parse_fail(struct vici_parser *p, enum result_code code, const char *why)
{
	p->in.bad = true;
	return result_fail(code, why);
}

static struct result vici_parse_end(struct vici_parser *p, struct vici_element *ret)
{
	if (p->in_list && !p->list_root)
		return vici_parse_fail(p, RESULT_INVALID, "message ends inside a list");
	if (p->depth)
		return vici_parse_fail(p, RESULT_INVALID, "message ends inside a section");
	*ret = (struct vici_element){ .kind = VICI_END };
	return result_ok();
}

/* Does an element of this kind make sense where the parser is? */
static struct result vici_parse_place(struct vici_parser *p, enum vici_kind kind)
{
	switch (kind) {
	case VICI_LIST_ITEM:
	case VICI_LIST_END:
		if (!p->in_list)
			return vici_parse_fail(p, RESULT_INVALID, "list element outside of a list");
		if (kind == VICI_LIST_END && p->list_root)
			return vici_parse_fail(p, RESULT_INVALID, "list closed that was not opened");
		return result_ok();
	case VICI_SECTION_START:
	case VICI_SECTION_END:
	case VICI_KEY_VALUE:
	case VICI_LIST_START:
		if (p->in_list)
			return vici_parse_fail(p, RESULT_INVALID,
					       "other element than an item in a list");
		if (kind == VICI_SECTION_END && !p->depth)
			return vici_parse_fail(p, RESULT_INVALID,
					       "section closed that was not opened");
		if (kind == VICI_SECTION_START && p->depth >= LIMIT_VICI_DEPTH)
			return vici_parse_fail(p, RESULT_LIMIT, "sections nested too deeply");
		return result_ok();
	case VICI_END:
		break;
	}
	return vici_parse_fail(p, RESULT_INVALID, "unknown element");
}

struct result vici_parse_next(struct vici_parser *p, struct vici_element *ret)
{
	struct vici_element e = { VICI_END };

	if (!reader_ok(&p->in))
		return result_fail(RESULT_INVALID, "message is malformed");
	if (!reader_left(&p->in))
		return vici_parse_end(p, ret);
	e.kind = (enum vici_kind)reader_u8(&p->in);
	TRY(vici_parse_place(p, e.kind));
	if (e.kind == VICI_SECTION_START || e.kind == VICI_KEY_VALUE || e.kind == VICI_LIST_START)
		e.name = reader_bytes(&p->in, reader_u8(&p->in));
	if (e.kind == VICI_KEY_VALUE || e.kind == VICI_LIST_ITEM)
		e.value = reader_bytes(&p->in, reader_u16(&p->in));
	if (!reader_ok(&p->in))
		return result_fail(RESULT_INVALID, "message ends inside an element");
	if (e.kind == VICI_SECTION_START)
		p->depth++;
	else if (e.kind == VICI_SECTION_END)
		p->depth--;
	else if (e.kind == VICI_LIST_START || e.kind == VICI_LIST_END)
		p->in_list = e.kind == VICI_LIST_START;
	*ret = e;
	return result_ok();
}

struct result vici_message_check(struct bytes message)
{
	struct vici_parser p = vici_parser_of(message);
	struct vici_element e;

	do
		TRY(vici_parse_next(&p, &e));
	while (e.kind != VICI_END);
	return result_ok();
}

bool vici_next_entry(struct vici_parser *p, struct vici_entry *ret)
{
	struct vici_element e;
	const uint8_t *start;
	size_t before, left;

	if (!result_is_ok(vici_parse_next(p, &e)) || e.kind == VICI_END)
		return false;
	if (e.kind == VICI_KEY_VALUE || e.kind == VICI_LIST_ITEM) {
		*ret = (struct vici_entry){ e.kind, e.name, e.value };
		return true;
	}
	if (e.kind == VICI_SECTION_END || e.kind == VICI_LIST_END) {
		p->in.bad = true; /* p was not at the start of a section */
		return false;
	}
	*ret = (struct vici_entry){ e.kind, e.name, BYTES_NONE };
	start = p->in.p;
	before = left = reader_left(&p->in);
	while (p->depth || (p->in_list && !p->list_root)) {
		left = reader_left(&p->in);
		if (!result_is_ok(vici_parse_next(p, &e)))
			return false;
	}
	ret->value = bytes_of(start, before - left);
	return true;
}

bool vici_find(struct bytes message, enum vici_kind kind, const char *name, struct bytes *ret_value)
{
	struct vici_parser p = vici_parser_of(message);
	struct vici_entry e;

	while (vici_next_entry(&p, &e)) {
		if (e.kind == kind && bytes_equal_str(e.name, name)) {
			*ret_value = e.value;
			return true;
		}
	}
	return false;
}

bool vici_is_printable(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++) {
		if (text.p[i] < 0x20 || text.p[i] > 0x7e)
			return false;
	}
	return true;
}

bool vici_find_text(struct bytes message, const char *key, struct bytes *ret)
{
	struct bytes value;

	if (!vici_find(message, VICI_KEY_VALUE, key, &value) || !vici_is_printable(value))
		return false;
	*ret = value;
	return true;
}

char *vici_find_str(struct bytes message, const char *key)
{
	struct bytes value;

	if (!vici_find_text(message, key, &value))
		return NULL;
	return xstrndup(value.n ? (const char *)value.p : "", value.n);
}

int64_t vici_find_int(struct bytes message, const char *key, int64_t fallback)
{
	struct bytes value;
	char text[32], *end;
	long long n;

	if (!vici_find_text(message, key, &value) || !value.n || value.n >= sizeof(text) ||
	    value.p[0] == ' ')
		return fallback;
	memcpy(text, value.p, value.n);
	text[value.n] = 0;
	errno = 0;
	n = strtoll(text, &end, 0);
	return errno || *end ? fallback : n;
}

bool vici_find_bool(struct bytes message, const char *key, bool fallback)
{
	static const char *const words[][2] = {
		{ "no", "yes" }, { "0", "1" }, { "false", "true" }, { "disabled", "enabled" }
	};
	struct bytes value;

	if (!vici_find_text(message, key, &value))
		return fallback;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		for (int yes = 0; yes < 2; yes++) {
			if (bytes_equal_nocase(value, words[i][yes]))
				return yes;
		}
	}
	return fallback;
}
