/* SPDX-License-Identifier: Apache-2.0 */
#include "curl_file.h"

#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The path of "file:///path" and "file://localhost/path"; to be freed by curl_free. NULL: it is none. */
static char *file_path(const char *url)
{
	const char *at = url + strlen("file:");
	char *path;
	int n;

	if (strncmp(at, "//localhost/", 12) == 0)
		at += 11;
	else if (strncmp(at, "///", 3) == 0)
		at += 2;
	if (at[0] != '/' || at[1] == '/')
		return NULL;
	path = curl_easy_unescape(NULL, at, 0, &n);
	if (path && strlen(path) != (size_t)n) {
		curl_free(path);
		return NULL;
	}
	return path;
}

static bool file_read(int fd, size_t max, struct buf *ret, struct errtext *err)
{
	char chunk[16384];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			errtext_set(err, "%s", strerror(errno));
			return false;
		}
		if ((size_t)n > max - ret->n) {
			errtext_set(err, "it has more than %zu bytes", max);
			return false;
		}
		buf_add(ret, chunk, (size_t)n);
	}
	return true;
}

bool curl_file_read(const char *url, size_t max, struct buf *ret, struct errtext *err)
{
	char *path = file_path(url);
	struct stat st;
	bool ok = false;
	int fd = -1;

	if (!path) {
		errtext_set(err, "it names no file of this host");
		return false;
	}
	/* what is no file could keep us for ever */
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0 || fstat(fd, &st) < 0)
		errtext_set(err, "%s", strerror(errno));
	else if (!S_ISREG(st.st_mode))
		errtext_set(err, "it is not a regular file");
	else
		ok = file_read(fd, max, ret, err);
	if (fd >= 0)
		close(fd);
	curl_free(path);
	return ok;
}
