/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/load.h"

#include <errno.h>
#include <stdlib.h>

#include "util/file.h"
#include "util/mem.h"

/* No value of a message can be longer. */
#define FILE_LIMIT 65535

static char *dir_of(const char *file)
{
	const char *slash = strrchr(file, '/');

	if (!slash)
		return xstrdup(".");
	return xstrndup(file, slash == file ? 1 : (size_t)(slash - file));
}

int load_open(struct load *l, struct ctl *ctl)
{
	const char *given = ctl_opt(ctl, "file"), *dir = getenv("SWANCTL_DIR");
	struct errtext err = { "" };
	char *file;

	*l = (struct load){ .ctl = ctl, .prompt = !ctl_flag(ctl, "noprompt") };
	l->dir = given ? dir_of(given) : xstrdup(dir && *dir ? dir : SWANCTLDIR);
	file = given ? xstrdup(given) : xasprintf("%s/swanctl.conf", l->dir);
	l->conf = tree_parse_file(file, &err);
	if (!l->conf)
		fprintf(stderr, "%s\ninvalid config file '%s', nothing was changed\n", err.s, file);
	free(file);
	if (l->conf)
		return 0;
	load_close(l);
	return EINVAL;
}

void load_close(struct load *l)
{
	tree_free(l->conf);
	free(l->dir);
	l->conf = NULL;
	l->dir = NULL;
}

int load_file(const struct load *l, const char *folder, const char *name, char **ret_path,
	      struct buf *ret)
{
	int err;

	*ret_path = name[0] == '/' ? xstrdup(name) : xasprintf("%s/%s/%s", l->dir, folder, name);
	err = file_read(*ret_path, FILE_LIMIT, ret);
	return err;
}
