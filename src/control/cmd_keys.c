/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "control/internal.h"
#include "util/secret.h"

/* load-key, unload-key, get-keys, load-token: private keys. */

static const struct {
	const char *word;
	enum key_type type;
} key_types[] = {
	{ "any", KEY_ANY },	    { "rsa", KEY_RSA },	    { "ecdsa", KEY_ECDSA },
	{ "ed25519", KEY_ED25519 }, { "ed448", KEY_ED448 },
};

static bool key_type_parse(struct bytes word, enum key_type *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(key_types); i++) {
		if (bytes_equal_nocase(word, key_types[i].word)) {
			*ret = key_types[i].type;
			return true;
		}
	}
	return false;
}

static void key_hex(const struct private_key *key, struct buf *ret)
{
	buf_add_hex(ret, bytes_of(key->public->id, KEY_ID_LEN));
}

/* The store takes the key; its id is the answer. */
static void key_loaded(struct command *cmd, struct private_key *key, const char *from)
{
	struct control *c = cmd->control;
	struct buf id = { 0 };

	key_hex(key, &id);
	LOG(CFG, 1, "loaded %s private key %s%s", key_type_name(key->public->type), buf_str(&id), from);
	(void)creds_set_add_key(config_store_creds(c->store), key);
	control_config_changed(c);
	vici_write_str(command_reply(cmd), "success", "yes");
	vici_write_str(command_reply(cmd), "id", buf_str(&id));
	buf_free(&id);
	command_end(cmd);
}

void cmd_load_key(struct command *cmd)
{
	struct bytes message = command_request(cmd), word, data;
	struct control *c = cmd->control;
	struct private_key *key;
	enum key_type type;
	struct errtext why;

	if (!vici_find_text(message, "type", &word)) {
		command_fail(cmd, "key type missing");
		return;
	}
	if (!key_type_parse(word, &type)) {
		command_fail(cmd, "invalid key type: %.*s", (int)word.n, word.n ? (const char *)word.p : "");
		return;
	}
	if (!vici_find(message, VICI_KEY_VALUE, "data", &data) || !data.n) {
		command_fail(cmd, "key data missing");
		return;
	}
	key = c->signer ? signer_key_parse(c->signer, data, type, &why) : private_key_parse(data, type, &why);
	if (key) {
		key_loaded(cmd, key, c->signer ? " into the process that signs" : "");
		return;
	}
	LOG(CFG, 1, "parsing %s private key failed: %s", key_type_name(type), why.s);
	command_fail(cmd, "parsing %s private key failed: %s", key_type_name(type), why.s);
}

void cmd_unload_key(struct command *cmd)
{
	struct control *c = cmd->control;
	struct buf id = { 0 };
	struct bytes hex;

	if (!vici_find_text(command_request(cmd), "id", &hex) || !hex.n) {
		command_fail(cmd, "key id missing");
		return;
	}
	if (!hex_decode(hex, &id) || id.n != KEY_ID_LEN || !creds_set_remove_key(config_store_creds(c->store), id.p)) {
		command_fail(cmd, "key not found");
	} else {
		LOG(CFG, 1, "unloaded private key %.*s", (int)hex.n, (const char *)hex.p);
		control_config_changed(c);
		token_keys_gone(c);
		command_ok(cmd);
	}
	buf_free(&id);
}

void cmd_get_keys(struct command *cmd)
{
	const struct credentials *creds = control_snapshot(cmd->control)->creds;
	struct vici_writer *w = command_reply(cmd);

	vici_write_list(w, "keys");
	for (size_t i = 0; i < creds->n_keys; i++) {
		struct buf id = { 0 };

		key_hex(creds->keys[i], &id);
		vici_write_item_str(w, buf_str(&id));
		buf_free(&id);
	}
	vici_write_list_end(w);
	command_end(cmd);
}

/* ---- tokens */

static void token_key_came(struct command *cmd, struct token_job *answer)
{
	if (answer->ok) {
		key_loaded(cmd, private_key_ref(answer->ret_key), " of a token");
	} else {
		LOG(CFG, 1, "loading private key from token failed: %s", answer->why.s);
		command_fail(cmd, "loading private key from token failed: %s", answer->why.s);
	}
	token_job_free(answer);
}

/* -1: not given. */
static bool token_slot_parse(struct bytes message, int64_t *ret)
{
	struct bytes text;

	*ret = -1;
	if (!vici_find_text(message, "slot", &text) || !text.n)
		return true;
	*ret = vici_find_int(message, "slot", -1);
	return *ret >= 0 && *ret <= UINT32_MAX;
}

void cmd_load_token(struct command *cmd)
{
	struct bytes message = command_request(cmd), hex;
	struct buf handle = { 0 };
	struct token_ref t = { .slot = -1 };
	char *module, *pin;

	if (!vici_find_text(message, "handle", &hex) || !hex.n) {
		command_fail(cmd, "keyid missing");
		return;
	}
	if (!hex_decode(hex, &handle)) {
		command_fail(cmd, "loading private key from token failed: the handle is not hex: %.*s", (int)hex.n,
			     (const char *)hex.p);
		return;
	}
	if (!token_slot_parse(message, &t.slot)) {
		buf_free(&handle);
		command_fail(cmd, "loading private key from token failed: the slot is not a number");
		return;
	}
	t.handle = buf_bytes(&handle);
	t.module = module = vici_find_str(message, "module");
	t.pin = pin = vici_find_str(message, "pin");
	token_ask(cmd, token_job_new(true, &t), token_key_came);
	buf_free(&handle);
	free(module);
	if (pin)
		secret_wipe(pin, strlen(pin));
	free(pin);
}
