/* SPDX-License-Identifier: Apache-2.0 */
#include "control/internal.h"

/* The message of a parsed command as a tree, as what a configuration file says. */


/* They become strings. */
static bool conf_name_is_fine(const struct tree *section, struct bytes name)
{
	return (name.n == 0 || !memchr(name.p, 0, name.n)) && !tree_find_bytes(section, name);
}

struct tree *conf_message_parse(struct bytes message)
{
	struct vici_parser p = vici_parser_of(message);
	struct tree *root = tree_new(), *at = root;
	struct vici_element e;
	struct result r;

	while (result_is_ok(r = vici_parse_next(&p, &e)) && e.kind != VICI_END) {
		/* names are unique in their section */
		if ((e.kind == VICI_SECTION_START || e.kind == VICI_KEY_VALUE || e.kind == VICI_LIST_START) &&
		    !conf_name_is_fine(at, e.name)) {
			r = result_fail(RESULT_INVALID, "a name is used twice or has a NUL");
			break;
		}
		switch (e.kind) {
		case VICI_SECTION_START:
			at = tree_add_section(at, e.name);
			break;
		case VICI_LIST_START:
			at = tree_add_list(at, e.name);
			break;
		case VICI_SECTION_END:
		case VICI_LIST_END:
			at = at->parent;
			break;
		case VICI_KEY_VALUE:
			tree_add_value(at, e.name, e.value);
			break;
		case VICI_LIST_ITEM:
			tree_add_item(at, e.value);
			break;
		case VICI_END:
			break;
		}
	}
	if (result_is_ok(r))
		return root;
	LOG(CFG, 1, "vici: a message cannot be parsed: %s", r.why);
	tree_free(root);
	return NULL;
}

bool command_each_section(struct command *cmd, command_section_fn *fn, struct errtext *err)
{
	struct tree *root = conf_message_parse(command_request(cmd));
	bool ok = root != NULL;

	if (!root)
		errtext_set(err, "parsing request failed");
	for (const struct tree *it = root ? root->first : NULL; it && ok; it = it->next)
		ok = it->kind != TREE_SECTION || fn(cmd, it, err);
	if (root)
		tree_free(root);
	return ok;
}
