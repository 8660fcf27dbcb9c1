/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "control/internal.h"
#include "crypto/signer.h"

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

/* ---- tokens: a helper asks them, they may take their time */

struct token_load {
	struct job job;
	struct command *cmd;
};

struct token_job {
	struct helper_job helper; /* first */
	struct token_load *load;  /* control's: to be touched on its thread only */
	struct buf handle;
	int64_t slot;
	char *module, *pin;
	/* the answer */
	struct private_key *key;
	struct errtext why;
};

static void token_compute(struct helper_job *helper)
{
	struct token_job *j = container_of(helper, struct token_job, helper);
	struct token_ref t = { .handle = buf_bytes(&j->handle), .slot = j->slot, .module = j->module, .pin = j->pin };

	j->key = private_key_from_token(&t, &j->why);
}

static void token_drop(struct mail *m)
{
	struct token_job *j = container_of(m, struct token_job, helper.mail);

	private_key_unref(j->key);
	buf_free(&j->handle);
	free(j->module);
	if (j->pin)
		secret_wipe(j->pin, strlen(j->pin));
	free(j->pin);
	free(j);
}

static void token_free(struct control *c, struct job *job)
{
	struct token_load *t = container_of(job, struct token_load, job);

	(void)c;
	list_del(&job->link);
	if (t->cmd)
		command_abandon(t->cmd);
	free(t);
}

void token_mail(struct control *c, struct mail *m)
{
	struct token_job *j = container_of(m, struct token_job, helper.mail);
	struct token_load *t = j->load;
	struct command *cmd = t->cmd;

	t->cmd = NULL;
	token_free(c, &t->job);
	if (j->key) {
		key_loaded(cmd, private_key_ref(j->key), " of a token");
		return;
	}
	LOG(CFG, 1, "loading private key from token failed: %s", j->why.s);
	command_fail(cmd, "loading private key from token failed: %s", j->why.s);
}

static struct token_job *token_job_new(struct command *cmd, struct bytes handle)
{
	struct bytes message = command_request(cmd);
	struct token_job *j = xcalloc(1, sizeof(*j));

	j->helper.mail.kind = CONTROL_MAIL_TOKEN;
	j->helper.mail.drop = token_drop;
	j->helper.compute = token_compute;
	j->helper.reply_to = cmd->control->box;
	buf_add_bytes(&j->handle, handle);
	j->slot = vici_find_int(message, "slot", -1);
	j->module = vici_find_str(message, "module");
	j->pin = vici_find_str(message, "pin");
	return j;
}

void cmd_load_token(struct command *cmd)
{
	struct control *c = cmd->control;
	struct buf handle = { 0 };
	struct token_load *t;
	struct token_job *j;
	struct bytes hex;

	if (!vici_find_text(command_request(cmd), "handle", &hex) || !hex.n) {
		command_fail(cmd, "keyid missing");
		return;
	}
	if (!hex_decode(hex, &handle)) {
		command_fail(cmd, "loading private key from token failed: the handle is not hex: %.*s", (int)hex.n,
			     (const char *)hex.p);
		return;
	}
	t = xcalloc(1, sizeof(*t));
	t->job.free = token_free;
	t->cmd = cmd;
	list_add_tail(&c->jobs, &t->job.link);
	j = token_job_new(cmd, buf_bytes(&handle));
	j->load = t;
	buf_free(&handle);
	if (c->helpers && helper_submit(c->helpers, &j->helper))
		return;
	errtext_set(&j->why, "no thread is free for it");
	token_mail(c, &j->helper.mail);
	token_drop(&j->helper.mail);
}
