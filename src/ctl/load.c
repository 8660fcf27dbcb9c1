/* SPDX-License-Identifier: Apache-2.0 */
/* The load-* verbs. What connections, pools and authorities have in common is a table. */
#include "ctl/load.h"

#include <errno.h>
#include <stdlib.h>

#include "util/mem.h"

struct load_kind {
	const char *section; /* of the file; also the plural */
	const char *one;
	const char *get, *get_list, *load, *unload; /* get_list NULL: the reply has sections */
	bool (*build)(const struct load *l, struct bewick_vici_message *m, const struct tree *section);
};

static const struct load_kind kind_conns = {
	"connections", "connection", "get-conns", "conns", "load-conn", "unload-conn", load_build_conn,
};
static const struct load_kind kind_pools = {
	"pools", "pool", "get-pools", NULL, "load-pool", "unload-pool", load_build_pool,
};
static const struct load_kind kind_authorities = {
	"authorities",	  "authority",	       "get-authorities",   "authorities",
	"load-authority", "unload-authority", load_build_authority,
};

struct load_count {
	unsigned loaded, incomplete, failed, unloaded;
};

/* The daemon's word on one item: counts and says it. Takes the reply. */
static void item_reply(struct load *l, const struct load_kind *k, const char *command, const char *name,
		       struct bewick_vici_message *reply, struct load_count *count)
{
	char *errmsg = ctl_errmsg(ctl_bytes(reply));
	bool raw = ctl_raw_reply(l->ctl, command, ctl_bytes(reply));
	bool load = command == k->load;
	/* what is in force, but lacks a policy */
	char *lacks = load && !errmsg ? vici_find_str(ctl_bytes(reply), "errmsg") : NULL;

	if (errmsg && !raw)
		fprintf(stderr, "%s %s '%s' failed: %s\n", load ? "loading" : "unloading", k->one, name,
			errmsg);
	else if (!raw && load)
		printf("loaded %s '%s'\n", k->one, name);
	if (lacks && !raw)
		fprintf(stderr, "%s '%s' is loaded, but %s\n", k->one, name, lacks);
	if (load)
		*(errmsg ? &count->failed : &count->loaded) += 1;
	else if (!errmsg)
		count->unloaded++;
	count->incomplete += lacks != NULL;
	free(errmsg);
	free(lacks);
	bewick_vici_message_free(reply);
}

/* 0, or an exit status after which nothing more can be done. */
static int item_load(struct load *l, const struct load_kind *k, const struct tree *item,
		     struct load_count *count)
{
	struct bewick_vici_message *m = bewick_vici_message_new(), *reply;
	int err = 0;

	bewick_vici_section(m, item->name);
	if (item->kind != TREE_SECTION) {
		fprintf(stderr, "loading %s '%s' failed: expected a section, found a value\n", k->one,
			item->name);
		count->failed++;
	} else if (!k->build(l, m, item)) {
		count->failed++;
	} else {
		bewick_vici_section_end(m);
		err = bewick_vici_call(l->ctl->vici, k->load, m, &reply);
		if (!err)
			item_reply(l, k, k->load, item->name, reply, count);
	}
	bewick_vici_message_free(m);
	if (err == -EINVAL) {
		fprintf(stderr, "loading %s '%s' failed: longer than a message can be\n", k->one,
			item->name);
		count->failed++;
		err = 0;
	} else if (err) {
		fprintf(stderr, "%s request failed: %s\n", k->load, strerror(-err));
	}
	return -err;
}

static int item_unload(struct load *l, const struct load_kind *k, const char *name,
		       struct load_count *count)
{
	struct bewick_vici_message *m = bewick_vici_message_new(), *reply;
	int err;

	bewick_vici_str(m, "name", name);
	err = ctl_call(l->ctl, k->unload, m, &reply);
	bewick_vici_message_free(m);
	if (!err)
		item_reply(l, k, k->unload, name, reply, count);
	return err;
}

static int load_summary(const struct load *l, const struct load_kind *k, const struct load_count *c)
{
	if (l->ctl->format != CTL_PLAIN)
		return 0;
	if (c->failed) {
		fprintf(stderr, "loaded %u of %u %s, %u failed to load, %u unloaded\n", c->loaded,
			c->loaded + c->failed, k->section, c->failed, c->unloaded);
		return EINVAL;
	}
	if (c->loaded)
		printf("successfully loaded %u %s, %u unloaded\n", c->loaded, k->section, c->unloaded);
	else
		printf("no %s found, %u unloaded\n", k->section, c->unloaded);
	return c->incomplete ? EIO : 0;
}

/* A daemon without the command: an error only for what the file asks for. */
static int load_unknown(struct load *l, const struct load_kind *k, const struct tree *section)
{
	if (l->all && (!section || !section->first))
		return 0;
	fprintf(stderr, "loading %s failed: the daemon does not know the command '%s'\n", k->section,
		k->get);
	l->refused = true;
	return l->all ? 0 : ENOENT;
}

static int load_kind(struct load *l, const struct load_kind *k)
{
	const struct tree *section = tree_find(l->conf, k->section);
	struct names old = { 0 };
	struct load_count count = { 0 };
	int ret;

	if (section && section->kind != TREE_SECTION) {
		fprintf(stderr, "'%s' is not a section, nothing of it was changed\n", k->section);
		return EINVAL;
	}
	ret = load_get(l, k->get, k->get_list, &old);
	if (ret < 0)
		return load_unknown(l, k, section);
	for (const struct tree *it = section ? section->first : NULL; it && !ret; it = it->next) {
		names_remove(&old, it->name); /* what fails to load stays as it was */
		ret = item_load(l, k, it, &count);
	}
	for (size_t i = 0; i < old.n && !ret; i++)
		ret = item_unload(l, k, old.v[i], &count);
	names_clear(&old);
	return ret ? ret : load_summary(l, k, &count);
}

static int run_load_kind(struct ctl *ctl, const struct load_kind *k)
{
	struct load l;
	int ret = load_open(&l, ctl);

	if (!ret)
		ret = load_kind(&l, k);
	load_close(&l);
	return ret;
}

static int run_load_conns(struct ctl *ctl)
{
	return run_load_kind(ctl, &kind_conns);
}

static int run_load_pools(struct ctl *ctl)
{
	return run_load_kind(ctl, &kind_pools);
}

static int run_load_authorities(struct ctl *ctl)
{
	return run_load_kind(ctl, &kind_authorities);
}

static int run_load_creds(struct ctl *ctl)
{
	struct load l;
	int ret = load_open(&l, ctl);

	if (!ret)
		ret = load_creds(&l, ctl_flag(ctl, "clear"));
	if (!ret && l.refused)
		ret = EINVAL;
	load_close(&l);
	return ret;
}

static int run_load_all(struct ctl *ctl)
{
	static const struct load_kind *const kinds[] = { &kind_authorities, &kind_pools, &kind_conns };
	struct load l;
	int ret = load_open(&l, ctl);

	if (ret)
		return ret;
	l.all = true;
	ret = load_creds(&l, ctl_flag(ctl, "clear"));
	for (size_t i = 0; i < ARRAY_LEN(kinds) && !ret; i++)
		ret = load_kind(&l, kinds[i]);
	if (!ret && l.refused)
		ret = EINVAL;
	load_close(&l);
	return ret;
}

#define OPT_FILE { "file", 'f', "file", "instead of swanctl.conf; base for certificates and keys" }
#define OPT_CLEAR { "clear", 'c', NULL, "drop all loaded credentials first" }
#define OPT_NOPROMPT { "noprompt", 'n', NULL, "do not ask for passwords" }

const struct ctl_verb ctl_verbs_load[] = {
	{ "load-all", 'q', "load credentials, authorities, pools and connections", false, run_load_all,
	  { OPT_CLEAR, OPT_NOPROMPT, OPT_FILE } },
	{ "load-authorities", 'b', "(re-)load certification authorities", false, run_load_authorities,
	  { OPT_FILE } },
	{ "load-conns", 'c', "(re-)load connections", false, run_load_conns, { OPT_FILE } },
	{ "load-creds", 's', "(re-)load credentials", false, run_load_creds,
	  { OPT_CLEAR, OPT_NOPROMPT, OPT_FILE } },
	{ "load-pools", 'a', "(re-)load address pools", false, run_load_pools, { OPT_FILE } },
	{ 0 },
};
