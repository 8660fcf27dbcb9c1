/* SPDX-License-Identifier: Apache-2.0 */
/* The section `secrets` of swanctl.conf: shared secrets and tokens. */
#include "ctl/load.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/mem.h"

enum secret_use {
	SECRET_SHARED,
	SECRET_FILE, /* passphrases of a key file, see load_keys.c */
	SECRET_TOKEN,
};

/* The name of a section begins with its type; the first that fits. */
static const struct {
	const char *type;
	enum secret_use use;
} secret_types[] = {
	{ "eap", SECRET_SHARED }, { "xauth", SECRET_SHARED }, { "ntlm", SECRET_SHARED },
	{ "ike", SECRET_SHARED }, { "ppk", SECRET_SHARED },   { "private", SECRET_FILE },
	{ "rsa", SECRET_FILE },	  { "ecdsa", SECRET_FILE },   { "pkcs8", SECRET_FILE },
	{ "pkcs12", SECRET_FILE }, { "token", SECRET_TOKEN },
};

/* Index into secret_types or -1. */
static int secret_type(const char *section)
{
	for (size_t i = 0; i < ARRAY_LEN(secret_types); i++) {
		if (strncmp(section, secret_types[i].type, strlen(secret_types[i].type)) == 0)
			return (int)i;
	}
	return -1;
}

static void add_owners(struct bewick_vici_message *m, const struct tree *section)
{
	bewick_vici_list(m, "owners");
	TREE_FOREACH(it, section)
	{
		if (it->kind == TREE_VALUE && strncmp(it->name, "id", 2) == 0)
			bewick_vici_item(m, it->value.p, it->value.n);
	}
	bewick_vici_list_end(m);
}

static int shared_send(struct creds *c, const char *type, const struct tree *section,
		       struct bytes data)
{
	struct bewick_vici_message *m = bewick_vici_message_new();
	char *success = xasprintf("loaded %s secret '%s'", type, section->name);
	char *failure = xasprintf("loading %s secret '%s'", type, section->name);
	int ret;

	bewick_vici_str(m, "id", section->name);
	bewick_vici_str(m, "type", type);
	bewick_vici_value(m, "data", data.p, data.n);
	add_owners(m, section);
	/* even if the daemon refuses the new one: the old one stays */
	names_remove(&c->shared, section->name);
	ret = creds_send(c, "load-shared", m, success, failure, NULL);
	free(success);
	free(failure);
	return ret;
}

static int shared_load(struct creds *c, const char *type, const struct tree *section)
{
	const struct tree *secret = tree_find(section, "secret");
	struct buf data = { 0 };
	int ret = 0;

	if (!secret || secret->kind != TREE_VALUE) {
		fprintf(stderr, "missing secret in '%s', ignored\n", section->name);
		return 0;
	}
	if (load_decode(buf_bytes(&secret->value), &data)) {
		ret = shared_send(c, type, section, buf_bytes(&data));
	} else {
		fprintf(stderr, "loading %s secret '%s' failed: not valid %s\n", type, section->name,
			secret->value.p[1] == 'x' ? "hex after 0x" : "base64 after 0s");
		names_remove(&c->shared, section->name);
		c->l->refused = true;
	}
	buf_wipe(&data);
	return ret;
}

/* A passphrase that no file is opened with. The names are those of folders. */
static void passphrase_check(const struct creds *c, const char *folder, const struct tree *section)
{
	const struct tree *file = tree_find(section, "file");
	char *path;

	if (!file || file->kind != TREE_VALUE || !file->value.n) {
		fprintf(stderr, "ignoring secret '%s': it has no 'file'\n", section->name);
		return;
	}
	path = xasprintf("%s/%s/%s", c->l->dir, folder, buf_str(&file->value));
	if (access(path, F_OK) < 0)
		fprintf(stderr, "ignoring secret '%s': there is no file '%s'\n", section->name, path);
	free(path);
}

int creds_load_shared(struct creds *c)
{
	const struct tree *secrets = tree_find(c->l->conf, "secrets");
	int ret = 0;

	for (const struct tree *it = secrets ? secrets->first : NULL; it && !ret; it = it->next) {
		int type = secret_type(it->name);

		if (type < 0 || it->kind != TREE_SECTION)
			fprintf(stderr, "ignoring unsupported secret '%s'\n", it->name);
		else if (secret_types[type].use == SECRET_SHARED)
			ret = shared_load(c, secret_types[type].type, it);
		else if (secret_types[type].use == SECRET_FILE)
			passphrase_check(c, secret_types[type].type, it);
	}
	return ret;
}

/* ---- tokens --------------------------------------------------------------- */

static void token_pin(struct creds *c, struct bewick_vici_message *m, const struct tree *section)
{
	const struct tree *pin = tree_find(section, "pin");
	struct buf typed = { 0 };
	char *prompt;

	if (pin && pin->kind == TREE_VALUE) {
		bewick_vici_value(m, "pin", pin->value.p, pin->value.n);
		return;
	}
	if (!c->l->prompt)
		return;
	prompt = xasprintf("PIN for %s: ", section->name);
	if (creds_ask(prompt, &typed))
		bewick_vici_value(m, "pin", typed.p, typed.n);
	buf_wipe(&typed);
	free(prompt);
}

static int token_load(struct creds *c, const struct tree *section)
{
	static const char *const keys[] = { "handle", "slot", "module" };
	struct bewick_vici_message *m = bewick_vici_message_new();
	char *failure = xasprintf("loading key %s from token", section->name), *id = NULL;
	int ret;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		const struct tree *value = tree_find(section, keys[i]);

		if (value && value->kind == TREE_VALUE)
			bewick_vici_value(m, keys[i], value->value.p, value->value.n);
	}
	token_pin(c, m, section);
	ret = creds_send(c, "load-token", m, NULL, failure, &id);
	if (id) {
		names_remove(&c->keys, id);
		if (c->l->ctl->format == CTL_PLAIN)
			printf("loaded key %s from token [keyid: %s]\n", section->name, id);
	}
	free(failure);
	free(id);
	return ret;
}

int creds_load_tokens(struct creds *c)
{
	const struct tree *secrets = tree_find(c->l->conf, "secrets");
	int ret = 0;

	for (const struct tree *it = secrets ? secrets->first : NULL; it && !ret; it = it->next) {
		int type = secret_type(it->name);

		if (type >= 0 && secret_types[type].use == SECRET_TOKEN && it->kind == TREE_SECTION)
			ret = token_load(c, it);
	}
	return ret;
}
