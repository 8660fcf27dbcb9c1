/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <stdlib.h>

void ctl_put(FILE *out, struct bytes value)
{
	if (vici_is_printable(value)) {
		if (value.n)
			fwrite(value.p, 1, value.n, out);
		return;
	}
	fputs("0x", out);
	for (size_t i = 0; i < value.n; i++)
		fprintf(out, "%02x", value.p[i]);
}

static bool element_opens(const struct vici_element *e)
{
	return e->kind == VICI_SECTION_START || e->kind == VICI_LIST_START;
}

static bool element_closes(const struct vici_element *e)
{
	return e->kind == VICI_SECTION_END || e->kind == VICI_LIST_END;
}

void ctl_print_raw(FILE *out, const char *label, struct bytes message)
{
	struct vici_parser p = vici_parser_of(message);
	struct vici_element e;
	bool first = true;

	fprintf(out, "%s {", label);
	while (result_is_ok(vici_parse_next(&p, &e)) && e.kind != VICI_END) {
		if (!first && !element_closes(&e))
			fputc(' ', out);
		first = element_opens(&e);
		ctl_put(out, e.name);
		if (e.kind == VICI_SECTION_START)
			fputs(" {", out);
		else if (e.kind == VICI_LIST_START)
			fputs("=[", out);
		else if (e.kind == VICI_KEY_VALUE)
			fputc('=', out);
		ctl_put(out, e.value);
		if (element_closes(&e))
			fputc(e.kind == VICI_SECTION_END ? '}' : ']', out);
	}
	fputs("}\n", out);
}

void ctl_print_pretty(FILE *out, const char *label, struct bytes message)
{
	struct vici_parser p = vici_parser_of(message);
	struct vici_element e;
	int indent = 2;

	fprintf(out, "%s {\n", label);
	while (result_is_ok(vici_parse_next(&p, &e)) && e.kind != VICI_END) {
		if (element_closes(&e))
			indent -= 2;
		fprintf(out, "%*s", indent, "");
		ctl_put(out, e.name);
		if (e.kind == VICI_SECTION_START)
			fputs(" {", out);
		else if (e.kind == VICI_LIST_START)
			fputs(" = [", out);
		else if (e.kind == VICI_KEY_VALUE)
			fputs(" = ", out);
		ctl_put(out, e.value);
		if (element_closes(&e))
			fputc(e.kind == VICI_SECTION_END ? '}' : ']', out);
		else if (element_opens(&e))
			indent += 2;
		fputc('\n', out);
	}
	fputs("}\n", out);
}

const char *ctl_text(struct bytes section, const char *key)
{
	static char *ring[8];
	static unsigned next;
	char *text = vici_find_str(section, key);

	if (!text)
		return "";
	next = (next + 1) % 8;
	free(ring[next]);
	return ring[next] = text;
}

bool ctl_has(struct bytes section, const char *key)
{
	struct bytes value;

	return vici_find_text(section, key, &value);
}

void ctl_put_list(FILE *out, struct bytes section, const char *list)
{
	struct vici_parser p;
	struct vici_entry e;
	struct bytes items;

	if (!vici_find(section, VICI_LIST_START, list, &items))
		return;
	p = vici_parser_of_list(items);
	while (vici_next_entry(&p, &e)) {
		fputc(' ', out);
		ctl_put(out, e.value);
	}
}

size_t ctl_list_len(struct bytes section, const char *list)
{
	struct vici_parser p;
	struct vici_entry e;
	struct bytes items;
	size_t n = 0;

	if (!vici_find(section, VICI_LIST_START, list, &items))
		return 0;
	p = vici_parser_of_list(items);
	while (vici_next_entry(&p, &e))
		n++;
	return n;
}

void ctl_put_lines(const char *prefix, struct bytes text)
{
	do {
		const uint8_t *end = text.n ? memchr(text.p, '\n', text.n) : NULL;
		size_t n = end ? (size_t)(end - text.p) : text.n;

		fputs(prefix, stdout);
		for (size_t i = 0; i < n; i++)
			putchar(text.p[i] < 0x20 && text.p[i] != '\t' ? '?' : text.p[i]);
		putchar('\n');
		text = end ? bytes_of(end + 1, text.n - n - 1) : BYTES_NONE;
	} while (text.n);
}
