/* SPDX-License-Identifier: Apache-2.0 */
#include "file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util/mem.h"

#define RESOLV_MARK "# by bewick"
#define RESOLV_MAX (1u << 20)

static bool line_is_ours(struct bytes line)
{
	size_t n = strlen(RESOLV_MARK);

	while (line.n && (line.p[line.n - 1] == '\n' || line.p[line.n - 1] == '\r'))
		line.n--;
	return line.n >= n && memcmp(line.p + line.n - n, RESOLV_MARK, n) == 0;
}

void resolv_rewrite(struct buf *out, struct bytes old, const struct addr *servers, size_t n)
{
	for (size_t i = 0; i < n; i++)
		buf_printf(out, "nameserver %s   " RESOLV_MARK "\n", addr_format(&servers[i]).s);
	while (old.n) {
		const uint8_t *end = memchr(old.p, '\n', old.n);
		struct bytes line = { old.p, end ? (size_t)(end - old.p) + 1 : old.n };

		if (!line_is_ours(line))
			buf_add_bytes(out, line);
		old.p += line.n;
		old.n -= line.n;
	}
}

static bool file_read(int fd, struct buf *out)
{
	uint8_t part[4096];
	ssize_t n;

	while ((n = read(fd, part, sizeof(part))) > 0 || (n < 0 && errno == EINTR)) {
		if (n > 0)
			buf_add(out, part, (size_t)n);
		if (out->n > RESOLV_MAX) {
			errno = EFBIG;
			return false;
		}
	}
	return n == 0;
}

static bool file_write(int fd, struct bytes data)
{
	while (data.n) {
		ssize_t n = write(fd, data.p, data.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		data.p += n;
		data.n -= (size_t)n;
	}
	return true;
}

/* False: no such replacement is possible here. */
static bool file_replace(const char *path, const struct stat *st, struct bytes data)
{
	char *temporary = xasprintf("%s.bewick", path);
	int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	bool ok = fd >= 0 && file_write(fd, data) && fchown(fd, st->st_uid, st->st_gid) == 0 &&
		  fchmod(fd, st->st_mode & 07777) == 0 && fsync(fd) == 0;

	if (fd >= 0)
		close(fd);
	ok = ok && rename(temporary, path) == 0;
	if (!ok && fd >= 0)
		unlink(temporary);
	free(temporary);
	return ok;
}

/* Files that are mounted by themselves, as namespaces have them, cannot be replaced. */
static bool file_overwrite(const char *path, struct bytes data)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC), saved;
	bool ok = fd >= 0 && file_write(fd, data);

	saved = errno;
	if (fd >= 0)
		close(fd);
	errno = saved;
	return ok;
}

static bool file_create(const char *path, struct bytes data)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	bool ok = fd >= 0 && file_write(fd, data);

	if (fd >= 0)
		close(fd);
	return ok;
}

static bool resolv_update_real(const char *path, const struct addr *servers, size_t n)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct buf old = { 0 }, new = { 0 };
	struct stat st;
	bool ok;

	if (fd < 0 && errno == ENOENT) {
		resolv_rewrite(&new, BYTES_NONE, servers, n);
		ok = n == 0 || file_create(path, buf_bytes(&new));
		goto out;
	}
	ok = fd >= 0 && fstat(fd, &st) == 0 && file_read(fd, &old);
	if (!ok)
		goto out;
	resolv_rewrite(&new, buf_bytes(&old), servers, n);
	ok = bytes_equal(buf_bytes(&old), buf_bytes(&new)) || file_replace(path, &st, buf_bytes(&new)) ||
	     file_overwrite(path, buf_bytes(&new));
out:
	if (fd >= 0)
		close(fd);
	buf_free(&old);
	buf_free(&new);
	return ok;
}

bool resolv_update(const char *path, const struct addr *servers, size_t n)
{
	char *real = realpath(path, NULL);
	bool ok = resolv_update_real(real ? real : path, servers, n);
	int saved = errno;

	free(real);
	errno = saved;
	return ok;
}
