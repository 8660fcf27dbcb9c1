/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/load.h"

#include <stdlib.h>

#include "util/mem.h"

/* Keys that are lists in messages and comma separated in the file. */
static const char *const list_keys[] = {
	"local_addrs", "remote_addrs", "proposals", "esp_proposals", "ah_proposals", "local_ts",
	"remote_ts",   "vips",	       "pools",	    "groups",	     "cert_policy",  NULL,
};

/* Keys that name files, and the folder for relative names. */
static const struct {
	const char *key, *folder;
} file_keys[] = {
	{ "certs", "x509" },
	{ "cacerts", "x509ca" },
	{ "pubkeys", "pubkey" },
};

static bool char_is_blank(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* Takes the next item off a comma separated list, trimmed; false at the end. Empty ones are skipped. */
static bool list_next(struct bytes *rest, struct bytes *ret)
{
	while (rest->n) {
		const uint8_t *comma = memchr(rest->p, ',', rest->n);
		size_t n = comma ? (size_t)(comma - rest->p) : rest->n;
		struct bytes item = bytes_of(rest->p, n);

		rest->p += n + (comma ? 1 : 0);
		rest->n -= n + (comma ? 1 : 0);
		while (item.n && char_is_blank(item.p[0])) {
			item.p++;
			item.n--;
		}
		while (item.n && char_is_blank(item.p[item.n - 1]))
			item.n--;
		*ret = item;
		if (item.n)
			return true;
	}
	return false;
}

static void build_list(struct bewick_vici_message *m, const struct tree *value)
{
	struct bytes rest = buf_bytes(&value->value), item;

	bewick_vici_list(m, value->name);
	while (list_next(&rest, &item))
		bewick_vici_item(m, item.p, item.n);
	bewick_vici_list_end(m);
}

static void build_value(struct bewick_vici_message *m, const struct tree *value)
{
	bewick_vici_value(m, value->name, value->value.p, value->value.n);
}

static bool has_prefix(struct bytes text, const char *prefix)
{
	return text.n >= strlen(prefix) && memcmp(text.p, prefix, strlen(prefix)) == 0;
}

bool load_decode(struct bytes text, struct buf *ret)
{
	if (has_prefix(text, "0x"))
		return hex_decode(bytes_of(text.p + 2, text.n - 2), ret);
	if (has_prefix(text, "0s"))
		return base64_decode(bytes_of(text.p + 2, text.n - 2), ret);
	buf_add_bytes(ret, text);
	return true;
}

/* A certificate or public key: the content of a file, or inline data. */
static bool blob_read(const struct load *l, const char *what, const char *folder, struct bytes name,
		      struct buf *ret)
{
	char *text = xstrndup((const char *)name.p, name.n), *path = NULL;
	int err = 0;
	bool ok;

	if (has_prefix(name, "0x") || has_prefix(name, "0s")) {
		ok = load_decode(name, ret);
		if (!ok)
			fprintf(stderr, "loading %s certificate failed: invalid inline data '%s'\n", what,
				text);
	} else {
		err = load_file(l, folder, text, &path, ret);
		ok = err == 0;
		if (!ok)
			fprintf(stderr, "loading %s certificate '%s' failed: %s\n", what, path,
				strerror(err));
	}
	free(path);
	free(text);
	return ok;
}

static bool build_files(const struct load *l, struct bewick_vici_message *m, const struct tree *value,
			const char *folder)
{
	struct bytes rest = buf_bytes(&value->value), item;
	bool ok = true;

	bewick_vici_list(m, value->name);
	while (ok && list_next(&rest, &item)) {
		struct buf data = { 0 };

		ok = blob_read(l, value->name, folder, item, &data);
		bewick_vici_item(m, data.p, data.n);
		buf_free(&data);
	}
	bewick_vici_list_end(m);
	return ok;
}

static bool key_is_list(const char *name)
{
	for (int i = 0; list_keys[i]; i++) {
		if (strcmp(list_keys[i], name) == 0)
			return true;
	}
	return false;
}

static bool build_conn_value(const struct load *l, struct bewick_vici_message *m,
			     const struct tree *value)
{
	for (size_t i = 0; i < ARRAY_LEN(file_keys); i++) {
		if (strcmp(file_keys[i].key, value->name) == 0)
			return build_files(l, m, value, file_keys[i].folder);
	}
	if (key_is_list(value->name))
		build_list(m, value);
	else
		build_value(m, value);
	return true;
}

/* Keys come before subsections. Recursion is bounded by the parser: LIMIT_CONF_DEPTH. */
bool load_build_conn(const struct load *l, struct bewick_vici_message *m, const struct tree *conn)
{
	TREE_FOREACH(it, conn)
	{
		if (it->kind != TREE_SECTION && !build_conn_value(l, m, it))
			return false;
	}
	TREE_FOREACH(it, conn)
	{
		if (it->kind != TREE_SECTION)
			continue;
		bewick_vici_section(m, it->name);
		if (!load_build_conn(l, m, it))
			return false;
		bewick_vici_section_end(m);
	}
	return true;
}

/* Pools and authorities have no sections. */
static bool build_flat_check(const char *what, const struct tree *section, const struct tree *it)
{
	if (it->kind != TREE_SECTION)
		return true;
	fprintf(stderr, "loading %s '%s' failed: unexpected section '%s'\n", what, section->name,
		it->name);
	return false;
}

bool load_build_pool(const struct load *l, struct bewick_vici_message *m, const struct tree *pool)
{
	TREE_FOREACH(it, pool)
	{
		if (!build_flat_check("pool", pool, it))
			return false;
		if (strcmp(it->name, "addrs") == 0)
			build_value(m, it);
		else
			build_list(m, it);
	}
	return true;
}

bool load_build_authority(const struct load *l, struct bewick_vici_message *m,
			  const struct tree *authority)
{
	TREE_FOREACH(it, authority)
	{
		struct buf data = { 0 };

		if (!build_flat_check("authority", authority, it))
			return false;
		if (strcmp(it->name, "cacert") == 0) {
			if (!blob_read(l, "ca", "x509ca", buf_bytes(&it->value), &data))
				return false;
			bewick_vici_value(m, it->name, data.p, data.n);
			buf_free(&data);
		} else if (strcmp(it->name, "crl_uris") == 0 || strcmp(it->name, "ocsp_uris") == 0) {
			build_list(m, it);
		} else {
			build_value(m, it);
		}
	}
	return true;
}
