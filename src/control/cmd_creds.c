/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "control/internal.h"

/* Shared secrets; clear-creds. */

static bool shared_type_parse(struct bytes text, enum shared_type *ret)
{
	static const struct {
		const char *name;
		enum shared_type type;
	} types[] = { { "ike", SHARED_IKE }, { "eap", SHARED_EAP }, { "xauth", SHARED_EAP }, { "ntlm", SHARED_NTLM },
		      { "ppk", SHARED_PPK } };

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (bytes_equal_nocase(text, types[i].name)) {
			*ret = types[i].type;
			return true;
		}
	}
	return false;
}

/* The list "owners"; false: one of them cannot be an identity. */
static bool shared_owners(struct bytes message, struct id **ret_ids, size_t *ret_n)
{
	struct bytes items;
	struct vici_parser p;
	struct vici_entry e;
	struct id *ids = NULL;
	size_t n = 0;

	if (vici_find(message, VICI_LIST_START, "owners", &items)) {
		p = vici_parser_of_list(items);
		while (vici_next_entry(&p, &e)) {
			ids = xrealloc(ids, (n + 1) * sizeof(*ids));
			if (!vici_is_printable(e.value) || !id_parse(e.value, &ids[n])) {
				for (size_t i = 0; i < n; i++)
					id_free(&ids[i]);
				free(ids);
				return false;
			}
			n++;
		}
	}
	*ret_ids = ids;
	*ret_n = n;
	return true;
}

static void shared_put(struct command *cmd, enum shared_type type, struct bytes data, const struct id *owners,
		       size_t n_owners)
{
	struct control *c = cmd->control;
	char *unique_id = vici_find_str(command_request(cmd), "id");
	struct buf who = { 0 };

	for (size_t i = 0; i < n_owners; i++) {
		buf_add_str(&who, i ? "', '" : "");
		id_format(&who, &owners[i]);
	}
	LOG(CFG, 1, "loaded shared key%s%s%s for: '%s'", unique_id ? " with id '" : "", unique_id ? unique_id : "",
	    unique_id ? "'" : "", n_owners ? buf_str(&who) : "%any");
	buf_free(&who);
	config_store_put_secret(c->store, unique_id, type, owners, n_owners, data);
	free(unique_id);
	control_config_changed(c);
}

void cmd_load_shared(struct command *cmd)
{
	struct bytes message = command_request(cmd), text, data;
	enum shared_type type;
	struct id *owners;
	size_t n_owners;

	if (!vici_find_text(message, "type", &text)) {
		command_fail(cmd, "shared key type missing");
		return;
	}
	if (!shared_type_parse(text, &type)) {
		command_fail(cmd, "invalid shared key type: %.*s", (int)text.n, (const char *)text.p);
		return;
	}
	if (!vici_find(message, VICI_KEY_VALUE, "data", &data) || data.n == 0) {
		command_fail(cmd, "shared key data missing");
		return;
	}
	if (!shared_owners(message, &owners, &n_owners)) {
		command_fail(cmd, "parsing shared key owners failed");
		return;
	}
	shared_put(cmd, type, data, owners, n_owners);
	for (size_t i = 0; i < n_owners; i++)
		id_free(&owners[i]);
	free(owners);
	command_ok(cmd);
}

void cmd_unload_shared(struct command *cmd)
{
	struct control *c = cmd->control;
	char *id = vici_find_str(command_request(cmd), "id");

	if (!id) {
		command_fail(cmd, "unique identifier missing");
		return;
	}
	LOG(CFG, 1, "unloaded shared key with id '%s'", id);
	if (config_store_remove_secret(c->store, id))
		control_config_changed(c);
	free(id);
	command_ok(cmd);
}

void cmd_get_shared(struct command *cmd)
{
	const struct config *config = control_snapshot(cmd->control);
	struct vici_writer *w = command_reply(cmd);

	vici_write_list(w, "keys");
	for (size_t i = 0; i < config->n_secrets; i++) {
		if (config_secrets(config)[i]->unique_id)
			vici_write_item_str(w, config_secrets(config)[i]->unique_id);
	}
	vici_write_list_end(w);
	command_end(cmd);
}

void cmd_clear_creds(struct command *cmd)
{
	struct control *c = cmd->control;

	config_store_clear_secrets(c->store);
	creds_set_clear(config_store_creds(c->store));
	token_keys_gone(c);
	control_flush_certs(c, VICI_CERT_ANY);
	control_config_changed(c);
	command_ok(cmd);
}
