/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials that are files in the directories beside swanctl.conf. */
#include "ctl/load.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "util/mem.h"

static const struct {
	const char *folder, *type, *flag;
} cert_folders[] = {
	{ "x509", "X509", "NONE" },	   { "x509ca", "X509", "CA" },
	{ "x509ocsp", "X509", "OCSP" },	   { "x509aa", "X509", "AA" },
	{ "x509ac", "X509_AC", NULL },	   { "x509crl", "X509_CRL", NULL },
	{ "pubkey", "PUBKEY", NULL },
};

static const char *const key_folders[] = { "private", "rsa", "ecdsa", "pkcs8" };

int creds_send(struct creds *c, const char *command, struct bewick_vici_message *m,
	       const char *success, const char *failure, char **ret_id)
{
	struct bewick_vici_message *reply = NULL;
	int err = bewick_vici_call(c->l->ctl->vici, command, m, &reply);
	char *errmsg = NULL, *lacks = NULL;

	bewick_vici_message_free(m);
	if (err == -ENOENT) {
		c->l->refused = true;
		errmsg = xasprintf("the daemon does not know the command '%s'", command);
	} else if (err == -EINVAL) {
		errmsg = xstrdup("longer than a message can be");
	} else if (err) {
		fprintf(stderr, "%s request failed: %s\n", command, strerror(-err));
		return -err;
	}
	if (!err) {
		errmsg = ctl_errmsg(ctl_bytes(reply));
		lacks = errmsg ? NULL : vici_find_str(ctl_bytes(reply), "errmsg");
		if (ret_id && !errmsg)
			*ret_id = bewick_vici_get(reply, "id");
		if (ctl_raw_reply(c->l->ctl, command, ctl_bytes(reply)))
			goto out;
	}
	if (errmsg)
		fprintf(stderr, "%s failed: %s\n", failure, errmsg);
	else if (success)
		puts(success);
	if (lacks)
		fprintf(stderr, "%s: it is loaded, but %s\n", failure, lacks);
out:
	free(errmsg);
	free(lacks);
	bewick_vici_message_free(reply);
	return 0;
}

int creds_load_cert(struct creds *c, const char *path, const char *type, const char *flag,
		    struct bytes data)
{
	struct bewick_vici_message *m = bewick_vici_message_new();
	char *success = xasprintf("loaded certificate from '%s'", path);
	char *failure = xasprintf("loading '%s'", path);
	int ret;

	bewick_vici_str(m, "type", type);
	if (flag)
		bewick_vici_str(m, "flag", flag);
	bewick_vici_value(m, "data", data.p, data.n);
	ret = creds_send(c, "load-cert", m, success, failure, NULL);
	free(success);
	free(failure);
	return ret;
}

static int creds_cert_file(struct creds *c, size_t folder, const char *name)
{
	struct buf data = { 0 };
	char *path;
	int ret = load_file(c->l, cert_folders[folder].folder, name, &path, &data);

	if (ret)
		fprintf(stderr, "loading '%s' failed: %s\n", path, strerror(ret));
	else if (!data.n)
		fprintf(stderr, "loading '%s' failed: the file is empty\n", path);
	ret = ret || !data.n ? 0 :
		    creds_load_cert(c, path, cert_folders[folder].type, cert_folders[folder].flag,
				    buf_bytes(&data));
	buf_free(&data);
	free(path);
	return ret;
}

/* Names of the regular files of a folder, sorted, so that each load is like the other. */
static void folder_files(const struct load *l, const char *folder, struct names *ret)
{
	char *dir = xasprintf("%s/%s", l->dir, folder);
	struct dirent **list = NULL;
	struct stat st;
	int n = scandir(dir, &list, NULL, alphasort);

	if (n < 0)
		fprintf(stderr, "opening directory '%s' failed: %s\n", dir, strerror(errno));
	for (int i = 0; i < n; i++) {
		char *path = xasprintf("%s/%s", dir, list[i]->d_name);

		if (stat(path, &st) < 0)
			fprintf(stderr, "loading '%s' failed: %s\n", path, strerror(errno));
		else if (S_ISREG(st.st_mode))
			names_add(ret, bytes_str(list[i]->d_name));
		else if (list[i]->d_name[0] != '.')
			fprintf(stderr, "ignoring '%s': it is %s\n", path, S_ISDIR(st.st_mode) ? "a directory" : "no file");
		free(path);
		free(list[i]);
	}
	free(list);
	free(dir);
}

static int creds_certs(struct creds *c)
{
	int ret = 0;

	for (size_t i = 0; i < ARRAY_LEN(cert_folders); i++) {
		struct names files = { 0 };

		folder_files(c->l, cert_folders[i].folder, &files);
		for (size_t j = 0; j < files.n && !ret; j++)
			ret = creds_cert_file(c, i, files.v[j]);
		names_clear(&files);
	}
	return ret;
}

static int creds_keys(struct creds *c)
{
	struct names files = { 0 };
	int ret = 0;

	for (size_t i = 0; i < ARRAY_LEN(key_folders); i++) {
		const char *folder = key_folders[i];
		const char *type = strcmp(folder, "private") == 0 || strcmp(folder, "pkcs8") == 0 ?
					   "any" :
					   folder;

		folder_files(c->l, folder, &files);
		for (size_t j = 0; j < files.n && !ret; j++)
			ret = creds_load_key(c, type, folder, files.v[j]);
		names_clear(&files);
	}
	folder_files(c->l, "pkcs12", &files);
	for (size_t j = 0; j < files.n && !ret; j++)
		ret = creds_load_pkcs12(c, files.v[j]);
	names_clear(&files);
	return ret;
}

/* What the daemon had and the file does not have any more. */
static int creds_unload(struct creds *c, const char *command, const struct names *names)
{
	int ret = 0;

	for (size_t i = 0; i < names->n && !ret; i++) {
		struct bewick_vici_message *m = bewick_vici_message_new();
		char *failure = xasprintf("%s '%s'", command, names->v[i]);

		bewick_vici_str(m, "id", names->v[i]);
		ret = creds_send(c, command, m, NULL, failure, NULL);
		free(failure);
	}
	return ret;
}

static int creds_get(struct creds *c, const char *command, struct names *ret)
{
	int err = load_get(c->l, command, "keys", ret);

	/* a daemon that cannot hold any has none; loading one will tell */
	return err < 0 ? 0 : err;
}

int load_creds(struct load *l, bool clear)
{
	struct creds c = { .l = l };
	const struct tree *secrets = tree_find(l->conf, "secrets");
	int ret = 0;

	if (secrets && secrets->kind != TREE_SECTION) {
		fprintf(stderr, "'secrets' is not a section, no credentials were changed\n");
		return EINVAL;
	}
	if (clear)
		ret = creds_send(&c, "clear-creds", NULL, NULL, "clear-creds", NULL);
	if (!ret)
		ret = creds_get(&c, "get-keys", &c.keys);
	if (!ret)
		ret = creds_get(&c, "get-shared", &c.shared);
	if (!ret)
		ret = creds_certs(&c);
	if (!ret)
		ret = creds_keys(&c);
	if (!ret)
		ret = creds_load_tokens(&c);
	if (!ret)
		ret = creds_load_shared(&c);
	if (!ret)
		ret = creds_unload(&c, "unload-key", &c.keys);
	if (!ret)
		ret = creds_unload(&c, "unload-shared", &c.shared);
	names_clear(&c.keys);
	names_clear(&c.shared);
	return ret;
}
