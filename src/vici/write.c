/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>

#include "vici/message.h"

static void vici_write_fail(struct vici_writer *w, const char *why)
{
	if (!w->bad)
		w->bad = why;
}

void vici_write_packet(struct vici_writer *w, enum vici_type type, const char *name)
{
	size_t n = name ? strlen(name) : 0;

	if (w->out.n)
		vici_write_fail(w, "a packet begins with its header");
	if (n > UINT8_MAX)
		vici_write_fail(w, "name longer than 255 bytes");
	if (w->bad)
		return;
	w->packet = true;
	buf_add_u32(&w->out, 0);
	buf_add_u8(&w->out, (uint8_t)type);
	if (name) {
		buf_add_u8(&w->out, (uint8_t)n);
		buf_add(&w->out, name, n);
	}
}

/* Only the element's own limits and place; depth is kept by the callers. */
void vici_write_element(struct vici_writer *w, const struct vici_element *e)
{
	bool item = e->kind == VICI_LIST_ITEM || e->kind == VICI_LIST_END;

	if (item != w->in_list)
		vici_write_fail(w, "only items may stand in a list");
	if (e->name.n > UINT8_MAX)
		vici_write_fail(w, "name longer than 255 bytes");
	if (e->value.n > UINT16_MAX)
		vici_write_fail(w, "value longer than 65535 bytes");
	if (e->kind == VICI_SECTION_END && !w->depth)
		vici_write_fail(w, "section closed that was not opened");
	if (e->kind == VICI_SECTION_START && w->depth >= LIMIT_VICI_DEPTH)
		vici_write_fail(w, "sections nested too deeply");
	if (w->bad)
		return;
	buf_add_u8(&w->out, (uint8_t)e->kind);
	if (e->kind == VICI_SECTION_START || e->kind == VICI_KEY_VALUE ||
	    e->kind == VICI_LIST_START) {
		buf_add_u8(&w->out, (uint8_t)e->name.n);
		buf_add_bytes(&w->out, e->name);
	}
	if (e->kind == VICI_KEY_VALUE || e->kind == VICI_LIST_ITEM) {
		buf_add_u16(&w->out, (uint16_t)e->value.n);
		buf_add_bytes(&w->out, e->value);
	}
	if (e->kind == VICI_SECTION_START)
		w->depth++;
	else if (e->kind == VICI_SECTION_END)
		w->depth--;
	else if (e->kind == VICI_LIST_START || e->kind == VICI_LIST_END)
		w->in_list = e->kind == VICI_LIST_START;
}

void vici_write_section(struct vici_writer *w, const char *name)
{
	vici_write_element(w, &(struct vici_element){ VICI_SECTION_START, bytes_str(name) });
}

void vici_write_section_end(struct vici_writer *w)
{
	vici_write_element(w, &(struct vici_element){ VICI_SECTION_END });
}

void vici_write_value(struct vici_writer *w, const char *key, struct bytes value)
{
	vici_write_element(w, &(struct vici_element){ VICI_KEY_VALUE, bytes_str(key), value });
}

void vici_write_str(struct vici_writer *w, const char *key, const char *value)
{
	vici_write_value(w, key, bytes_str(value));
}

void vici_write_fmt(struct vici_writer *w, const char *key, const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	vici_write_value(w, key, buf_bytes(&text));
	buf_free(&text);
}

void vici_write_list(struct vici_writer *w, const char *name)
{
	vici_write_element(w, &(struct vici_element){ VICI_LIST_START, bytes_str(name) });
}

void vici_write_item(struct vici_writer *w, struct bytes value)
{
	vici_write_element(w, &(struct vici_element){ VICI_LIST_ITEM, BYTES_NONE, value });
}

void vici_write_item_str(struct vici_writer *w, const char *value)
{
	vici_write_item(w, bytes_str(value));
}

void vici_write_list_end(struct vici_writer *w)
{
	vici_write_element(w, &(struct vici_element){ VICI_LIST_END });
}

void vici_write_raw(struct vici_writer *w, struct bytes elements)
{
	if (w->in_list)
		vici_write_fail(w, "only items may stand in a list");
	if (!w->bad)
		buf_add_bytes(&w->out, elements);
}

struct result vici_writer_done(struct vici_writer *w, struct bytes *ret)
{
	size_t n = w->out.n;

	if (w->in_list)
		vici_write_fail(w, "list not closed");
	if (w->depth)
		vici_write_fail(w, "section not closed");
	if (w->bad)
		return result_fail(RESULT_INVALID, w->bad);
	if (n > LIMIT_VICI_SEGMENT + (w->packet ? VICI_HEADER : 0))
		return result_fail(RESULT_LIMIT, "message longer than 512 KiB");
	for (int i = VICI_HEADER - 1; w->packet && i >= 0; i--)
		w->out.p[i] = (uint8_t)((n - VICI_HEADER) >> 8 * (VICI_HEADER - 1 - i));
	*ret = buf_bytes(&w->out);
	return result_ok();
}

void vici_writer_clear(struct vici_writer *w)
{
	buf_wipe(&w->out);
	*w = (struct vici_writer){ 0 };
}
