/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/ctl.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "config/tree.h"
#include "util/mem.h"

#define CONNECT_TIMEOUT_MS 60000

/* Where the socket may be told, the first that is there counts. */
static const char *const socket_settings[][4] = {
	{ "swanctl", "socket" },
	{ "bewickd", "plugins", "vici", "socket" },
	{ "charon-systemd", "plugins", "vici", "socket" },
	{ "charon", "plugins", "vici", "socket" },
};

/* Where the daemon has its settings, then where other VICI daemons have theirs. */
static const char *const settings_files[] = { SYSCONFDIR "/bewick.conf", SYSCONFDIR "/strongswan.conf" };

static const struct tree *setting_find(const struct tree *root, const char *const path[4])
{
	for (int i = 0; i < 4 && path[i] && root; i++)
		root = tree_find(root, path[i]);
	return root && root->kind == TREE_VALUE && root->value.n ? root : NULL;
}

/* The URI to use, the caller's; NULL: the settings are broken and that was said. */
static char *ctl_uri(const struct ctl *ctl)
{
	const char *file = getenv("STRONGSWAN_CONF");
	const struct tree *value = NULL;
	struct errtext err;
	struct tree *root;
	char *uri;

	if (ctl->uri)
		return xstrdup(ctl->uri);
	for (size_t i = 0; i < ARRAY_LEN(settings_files) && !file; i++)
		if (access(settings_files[i], F_OK) == 0)
			file = settings_files[i];
	if (!file)
		return xstrdup("unix://" PIDDIR "/charon.vici");
	root = tree_parse_file(file, &err);
	if (!root) {
		fprintf(stderr, "%s\n", err.s);
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_LEN(socket_settings) && !value; i++)
		value = setting_find(root, socket_settings[i]);
	uri = xstrdup(value ? buf_str(&value->value) : "unix://" PIDDIR "/charon.vici");
	tree_free(root);
	return uri;
}

int ctl_connect(struct ctl *ctl)
{
	char *uri = ctl_uri(ctl);
	int err;

	if (!uri)
		return EINVAL;
	err = bewick_vici_connect(uri, CONNECT_TIMEOUT_MS, &ctl->vici);
	if (err) {
		fprintf(stderr, "connecting to '%s' failed: %s\n", uri, strerror(-err));
		fprintf(stderr, "Error: connecting to '%s' URI failed: %s\n", uri, strerror(-err));
		ctl_usage(ctl, stderr);
	} else {
		/* initiate and others may take as long as they take */
		bewick_vici_set_timeout(ctl->vici, -1);
	}
	free(uri);
	return -err;
}
