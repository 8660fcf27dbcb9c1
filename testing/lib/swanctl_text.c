/* SPDX-License-Identifier: Apache-2.0 */
#include "swanctl_text.h"

#include "util/mem.h"

/* These keys go over VICI as lists. */
static void text_make_lists(struct tree *section)
{
	static const char *const keys[] = { "local_addrs", "remote_addrs", "proposals", "esp_proposals",
					    "local_ts", "remote_ts", "vips", "pools", "dns", "subnet", "netmask",
					    "28672" };

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		struct tree *t = tree_find(section, keys[i]);
		struct buf text = { 0 };

		if (!t || t->kind != TREE_VALUE)
			continue;
		buf_add_bytes(&text, buf_bytes(&t->value));
		buf_free(&t->value);
		t->kind = TREE_LIST;
		for (char *save, *item = strtok_r((char *)text.p, ", ", &save); item; item = strtok_r(NULL, ", ", &save))
			tree_add_item(t, bytes_str(item));
		buf_free(&text);
	}
	TREE_FOREACH(t, section)
		if (t->kind == TREE_SECTION)
			text_make_lists(t);
}

static bool text_connections(struct config_store *store, const struct tree *root, const struct conn_env *env,
			     struct errtext *err)
{
	struct tree *section = tree_find(root, "connections");

	if (!section)
		return true;
	TREE_FOREACH(t, section) {
		struct conn *conn = conn_parse(t, env, err);

		if (!conn)
			return false;
		conn_unref(config_store_put_conn(store, conn));
	}
	return true;
}

static bool text_pools(struct config_store *store, const struct tree *root, struct errtext *err)
{
	struct tree *section = tree_find(root, "pools");

	for (struct tree *t = section ? section->first : NULL; t; t = t->next) {
		struct pool *pool = pool_parse(t, err);

		if (!pool || !pools_set_put(config_store_pools(store), pool, err))
			return false;
	}
	return true;
}

struct config *swanctl_text_load(const char *text, const char *name, const struct conn_env *env, struct errtext *err)
{
	struct config_store *store = config_store_new();
	struct tree *root = tree_parse_text(bytes_str(text), name, err), *secrets;
	struct config *config = NULL;

	if (root) {
		text_make_lists(root);
		if (text_pools(store, root, err) && text_connections(store, root, env, err)) {
			secrets = tree_find(root, "secrets");
			for (struct tree *t = secrets ? secrets->first : NULL; t; t = t->next)
				config_store_put_secret(store, t->name, SHARED_IKE, NULL, 0,
							buf_bytes(&tree_find(t, "secret")->value));
			config = config_store_snapshot(store);
		}
	}
	config_store_free(store);
	tree_free(root);
	return config;
}
