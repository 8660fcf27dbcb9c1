/* SPDX-License-Identifier: Apache-2.0 */
/* Messages and cursors of the client library: the codec behind opaque structs. */
#include <stdarg.h>
#include <stdlib.h>

#include "util/mem.h"
#include "util/secret.h"
#include "vici/bewick-vici.h"
#include "vici/client_private.h"
#include "vici/message.h"

struct bewick_vici_cursor {
	struct vici_parser parser;
	char name[UINT8_MAX + 1];
};

/* The client library is free of libcrypto: it has no use for the rest of util/secret. Weak:
 * a program linked statically with libbewick too has the other one. */
__attribute__((weak)) void secret_wipe(void *p, size_t n)
{
	if (p)
		explicit_bzero(p, n);
}

struct bewick_vici_message *bewick_vici_message_new(void)
{
	return xcalloc(1, sizeof(struct bewick_vici_message));
}

void bewick_vici_message_free(struct bewick_vici_message *m)
{
	if (m)
		vici_writer_clear(&m->w);
	free(m);
}

void bewick_vici_section(struct bewick_vici_message *m, const char *name)
{
	vici_write_section(&m->w, name);
}

void bewick_vici_section_end(struct bewick_vici_message *m)
{
	vici_write_section_end(&m->w);
}

void bewick_vici_value(struct bewick_vici_message *m, const char *key, const void *data, size_t n)
{
	vici_write_value(&m->w, key, bytes_of(data, n));
}

void bewick_vici_str(struct bewick_vici_message *m, const char *key, const char *value)
{
	vici_write_str(&m->w, key, value);
}

void bewick_vici_fmt(struct bewick_vici_message *m, const char *key, const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list ap;

	va_start(ap, fmt);
	buf_vprintf(&text, fmt, ap);
	va_end(ap);
	vici_write_value(&m->w, key, buf_bytes(&text));
	buf_free(&text);
}

void bewick_vici_list(struct bewick_vici_message *m, const char *name)
{
	vici_write_list(&m->w, name);
}

void bewick_vici_item(struct bewick_vici_message *m, const void *data, size_t n)
{
	vici_write_item(&m->w, bytes_of(data, n));
}

void bewick_vici_item_str(struct bewick_vici_message *m, const char *value)
{
	vici_write_item_str(&m->w, value);
}

void bewick_vici_list_end(struct bewick_vici_message *m)
{
	vici_write_list_end(&m->w);
}

const void *bewick_vici_data(const struct bewick_vici_message *m, size_t *ret_n)
{
	*ret_n = m->w.out.n;
	return m->w.out.p;
}

char *bewick_vici_get(const struct bewick_vici_message *m, const char *path)
{
	struct bytes section = buf_bytes(&m->w.out);
	const char *dot;

	while ((dot = strchr(path, '.'))) {
		char *name = xstrndup(path, (size_t)(dot - path));
		bool found = vici_find(section, VICI_SECTION_START, name, &section);

		free(name);
		if (!found)
			return NULL;
		path = dot + 1;
	}
	return vici_find_str(section, path);
}

struct bewick_vici_cursor *bewick_vici_cursor_new(const struct bewick_vici_message *m)
{
	struct bewick_vici_cursor *cur = xcalloc(1, sizeof(*cur));

	cur->parser = vici_parser_of(buf_bytes(&m->w.out));
	return cur;
}

int bewick_vici_cursor_next(struct bewick_vici_cursor *cur, struct bewick_vici_element *ret)
{
	struct vici_element e;

	if (!result_is_ok(vici_parse_next(&cur->parser, &e)) || e.kind == VICI_END)
		return 0;
	if (e.name.n)
		memcpy(cur->name, e.name.p, e.name.n);
	cur->name[e.name.n] = '\0';
	*ret = (struct bewick_vici_element){
		.kind = (enum bewick_vici_kind)e.kind,
		.name = cur->name,
		.value = e.value.p,
		.value_len = e.value.n,
	};
	return 1;
}

void bewick_vici_cursor_free(struct bewick_vici_cursor *cur)
{
	free(cur);
}
