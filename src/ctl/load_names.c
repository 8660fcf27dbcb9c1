/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/load.h"

#include <errno.h>
#include <stdlib.h>

#include "util/mem.h"

void names_add(struct names *names, struct bytes name)
{
	names->v = xrealloc(names->v, (names->n + 1) * sizeof(char *));
	names->v[names->n++] = xstrndup(name.n ? (const char *)name.p : "", name.n);
}

void names_remove(struct names *names, const char *name)
{
	size_t kept = 0;

	for (size_t i = 0; i < names->n; i++) {
		if (strcmp(names->v[i], name) == 0)
			free(names->v[i]);
		else
			names->v[kept++] = names->v[i];
	}
	names->n = kept;
}

void names_clear(struct names *names)
{
	for (size_t i = 0; i < names->n; i++)
		free(names->v[i]);
	free(names->v);
	*names = (struct names){ 0 };
}

void names_from_reply(struct names *names, struct bytes reply, const char *list)
{
	struct vici_parser p = vici_parser_of(reply);
	struct vici_entry e;
	struct bytes items;

	if (list && !vici_find(reply, VICI_LIST_START, list, &items))
		return;
	if (list)
		p = vici_parser_of_list(items);
	while (vici_next_entry(&p, &e)) {
		if (e.kind == VICI_LIST_ITEM)
			names_add(names, e.value);
		else if (e.kind == VICI_SECTION_START && !list)
			names_add(names, e.name);
	}
}

int load_get(struct load *l, const char *command, const char *list, struct names *ret)
{
	struct bewick_vici_message *reply;
	int err = bewick_vici_call(l->ctl->vici, command, NULL, &reply);

	if (err == -ENOENT)
		return -1;
	if (err) {
		fprintf(stderr, "%s request failed: %s\n", command, strerror(-err));
		return -err;
	}
	(void)ctl_raw_reply(l->ctl, command, ctl_bytes(reply));
	names_from_reply(ret, ctl_bytes(reply), list);
	bewick_vici_message_free(reply);
	return 0;
}
