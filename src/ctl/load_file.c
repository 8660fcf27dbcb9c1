/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl/load.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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

static int file_read(const char *path, struct buf *ret)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;
	ssize_t n = -1;

	if (fd < 0)
		return errno;
	if (fstat(fd, &st) == 0 && !S_ISREG(st.st_mode)) {
		close(fd);
		return S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	}
	while (ret->n <= FILE_LIMIT) {
		uint8_t *at = buf_extend(ret, 4096);

		n = read(fd, at, 4096);
		ret->n -= 4096 - (size_t)(n > 0 ? n : 0);
		if (n <= 0)
			break;
	}
	close(fd);
	if (n < 0)
		return errno;
	return ret->n > FILE_LIMIT ? EFBIG : 0;
}

int load_file(const struct load *l, const char *folder, const char *name, char **ret_path,
	      struct buf *ret)
{
	int err;

	*ret_path = name[0] == '/' ? xstrdup(name) : xasprintf("%s/%s/%s", l->dir, folder, name);
	err = file_read(*ret_path, ret);
	if (err)
		buf_wipe(ret);
	return err;
}
