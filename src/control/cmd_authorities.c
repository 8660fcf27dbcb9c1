/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <strings.h>

#include "config/conn.h"
#include "control/internal.h"
#include "util/file.h"

/* load-authority, unload-authority, get-authorities, list-authorities: what the operator says of CAs. */

struct authority_parse {
	struct arena arena;
	struct authority a;
	struct command *cmd;
	const struct tree *section, *cacert, *file, *handle;
	struct errtext *err;
};

static bool authority_fail(struct authority_parse *p, const char *what, const char *key, const char *why)
{
	errtext_set(p->err, "%s: %s, authority discarded%s%s%s", what, key, why ? " (" : "", why ? why : "", why ? ")" : "");
	return false;
}

static bool uri_is_good(struct bytes text, bool file)
{
	static const char *const schemes[] = { "http://", "https://", "file://" };

	for (size_t i = 0; i < ARRAY_LEN(schemes) - !file; i++) {
		size_t n = strlen(schemes[i]);

		if (text.n > n && strncasecmp((const char *)text.p, schemes[i], n) == 0)
			return vici_is_printable(text) && !memchr(text.p, ' ', text.n);
	}
	return false;
}

/* Behind it comes a hash, and what peers name is compared with it: it has to be more than the beginning of a host's name. */
static bool uri_is_base(struct bytes text)
{
	size_t n = text.p[4] == ':' ? 7 : 8; /* http:// or https:// */

	return text.p[n] != '/' && memchr(text.p + n, '/', text.n - n);
}

static bool authority_uris(struct authority_parse *p, const struct tree *list, bool file, const char *const **ret, size_t *ret_n)
{
	const char **uris = arena_array(&p->arena, const char *, list->count + 1);
	size_t n = 0;

	TREE_FOREACH(it, list) {
		struct bytes text = buf_bytes(&it->value);

		if (!uri_is_good(text, file))
			return authority_fail(p, "invalid value for", list->name,
					      file ? "a URI begins with http://, https:// or file://" :
						     "a URI begins with http:// or https://");
		uris[n++] = arena_printf(&p->arena, "%.*s", (int)text.n, (const char *)text.p);
	}
	*ret = uris;
	*ret_n = n;
	return true;
}

static bool authority_value(struct authority_parse *p, const struct tree *it)
{
	struct bytes text = buf_bytes(&it->value);

	if (strcmp(it->name, "cacert") == 0) {
		p->cacert = it;
		return true;
	}
	if (!vici_is_printable(text))
		return authority_fail(p, "invalid value for", it->name, NULL);
	if (strcmp(it->name, "file") == 0) {
		p->file = it;
	} else if (strcmp(it->name, "handle") == 0) {
		p->handle = it;
	} else if (strcmp(it->name, "cert_uri_base") == 0) {
		if (!uri_is_good(text, false))
			return authority_fail(p, "invalid value for", it->name, "a URI begins with http:// or https://");
		if (!uri_is_base(text))
			return authority_fail(p, "invalid value for", it->name, "a host and a path, as in http://host/");
		p->a.cert_uri_base = arena_printf(&p->arena, "%s", buf_str(&it->value));
	} else if (strcmp(it->name, "slot") != 0 && strcmp(it->name, "module") != 0) {
		return authority_fail(p, "unknown option", it->name, NULL);
	}
	return true;
}

static bool authority_entry(struct authority_parse *p, const struct tree *it)
{
	if (it->kind == TREE_VALUE)
		return authority_value(p, it);
	if (it->kind == TREE_LIST && strcmp(it->name, "crl_uris") == 0)
		return authority_uris(p, it, true, &p->a.crl_uris, &p->a.n_crl_uris);
	if (it->kind == TREE_LIST && strcmp(it->name, "ocsp_uris") == 0)
		return authority_uris(p, it, false, &p->a.ocsp_uris, &p->a.n_ocsp_uris);
	return authority_fail(p, "unknown option", it->name, NULL);
}

/* The certificate, or why there is none. */
static struct cert *authority_cert(struct authority_parse *p, struct errtext *why)
{
	struct buf data = { 0 };
	struct cert *cert = NULL;

	if (p->cacert) {
		cert = cert_parse(buf_bytes(&p->cacert->value), why);
	} else if (p->file) {
		if (conn_file_cert(p->file, &data, why))
			cert = cert_parse(buf_bytes(&data), why);
		buf_free(&data);
	} else if (p->handle) {
		if (conn_token_cert(p->section, token_cert_find, p->cmd, &data, why))
			cert = cert_parse(buf_bytes(&data), why);
		buf_free(&data);
	} else {
		why->s[0] = '\0';
	}
	if (!cert || cert->ca)
		return cert;
	errtext_set(why, "%s lacks CA basic constraint", cert_text(cert).s);
	cert_unref(cert);
	return NULL;
}

static bool authority_parse(struct authority_parse *p, const struct tree *section)
{
	struct errtext why = { "" };

	if (!section->name[0] || !vici_is_printable(bytes_str(section->name))) {
		errtext_set(p->err, "invalid section: %s", "?");
		return false;
	}
	p->section = section;
	p->a.name = section->name;
	TREE_FOREACH(it, section) {
		if (!authority_entry(p, it))
			return false;
	}
	p->a.cacert = authority_cert(p, &why);
	if (!p->a.cacert)
		errtext_set(p->err, "CA certificate missing: %s%s%s%s", section->name, why.s[0] ? " (" : "", why.s, why.s[0] ? ")" : "");
	return p->a.cacert != NULL;
}

static bool authority_load(struct command *cmd, const struct tree *section, struct errtext *err)
{
	struct authority_parse p = { .err = err, .cmd = cmd };
	struct control *c = cmd->control;
	bool ok = authority_parse(&p, section);

	if (ok) {
		LOG(CFG, 1, "loaded authority '%s': %s", p.a.name, cert_text(p.a.cacert).s);
		creds_set_put_authority(config_store_creds(c->store), &p.a);
		control_config_changed(c);
	}
	cert_unref(p.a.cacert);
	arena_free(&p.arena);
	return ok;
}

void cmd_load_authority(struct command *cmd)
{
	struct errtext err;

	if (command_each_section(cmd, authority_load, &err)) {
		command_ok(cmd);
		return;
	}
	if (token_certs_ask(cmd, cmd_load_authority))
		return;
	LOG(CFG, 1, "vici: load-authority failed: %s", err.s);
	command_fail(cmd, "%s", err.s);
}

void cmd_unload_authority(struct command *cmd)
{
	struct control *c = cmd->control;
	char *name = vici_find_str(command_request(cmd), "name");

	if (!name) {
		command_fail(cmd, "unload: missing authority name");
		return;
	}
	if (!creds_set_remove_authority(config_store_creds(c->store), name)) {
		command_fail(cmd, "unload: authority '%s' not found", name);
	} else {
		LOG(CFG, 1, "unloaded authority '%s'", name);
		control_config_changed(c);
		control_flush_certs(c, VICI_CERT_ANY);
		command_ok(cmd);
	}
	free(name);
}

void cmd_get_authorities(struct command *cmd)
{
	const struct credentials *creds = control_snapshot(cmd->control)->creds;
	struct vici_writer *w = command_reply(cmd);

	vici_write_list(w, "authorities");
	for (size_t i = 0; i < creds->n_authorities; i++)
		vici_write_item_str(w, creds->authorities[i].name);
	vici_write_list_end(w);
	command_end(cmd);
}

static void authority_list(struct vici_writer *w, const char *key, const char *const *texts, size_t n)
{
	vici_write_list(w, key);
	for (size_t i = 0; i < n; i++)
		vici_write_item_str(w, texts[i]);
	vici_write_list_end(w);
}

static void authority_event(struct command *cmd, const struct authority *a)
{
	struct buf subject = { 0 };
	struct vici_writer w;

	id_format(&subject, &a->cacert->subject);
	command_event_begin(&w, CONTROL_EVENT_LIST_AUTHORITY);
	vici_write_section(&w, a->name);
	vici_write_str(&w, "cacert", buf_str(&subject));
	authority_list(&w, "crl_uris", a->crl_uris, a->n_crl_uris);
	authority_list(&w, "ocsp_uris", a->ocsp_uris, a->n_ocsp_uris);
	if (a->cert_uri_base)
		vici_write_str(&w, "cert_uri_base", a->cert_uri_base);
	vici_write_section_end(&w);
	command_event_send(cmd, &w);
	buf_free(&subject);
}

void cmd_list_authorities(struct command *cmd)
{
	const struct credentials *creds = control_snapshot(cmd->control)->creds;
	char *name = vici_find_str(command_request(cmd), "name");

	for (size_t i = 0; command_wants(cmd, CONTROL_EVENT_LIST_AUTHORITY) && i < creds->n_authorities; i++) {
		if (!name || strcmp(name, creds->authorities[i].name) == 0)
			authority_event(cmd, &creds->authorities[i]);
	}
	free(name);
	command_reply(cmd);
	command_end(cmd);
}
