/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "control/internal.h"

/* The socket that clients connect to. */

#define LISTEN_BACKLOG 128

static int listen_fail(int fd, struct errtext *err, const char *uri, const char *what)
{
	errtext_set(err, "control socket %s: %s: %s", uri, what, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

/* What a daemon left behind is removed; what one still uses is not. */
static bool listen_remove_stale(const struct sockaddr_un *sun, const char *uri, struct errtext *err)
{
	struct stat st;
	int fd, rc;

	if (lstat(sun->sun_path, &st) < 0)
		return true;
	if (!S_ISSOCK(st.st_mode)) {
		errtext_set(err, "control socket %s: there is something that is not a socket", uri);
		return false;
	}
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	rc = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)sun, sizeof(*sun));
	/* EAGAIN: its backlog is full, so it lives */
	if (rc == 0 || (fd >= 0 && errno == EAGAIN)) {
		close(fd);
		errtext_set(err, "another daemon is listening on %s", uri);
		return false;
	}
	if (fd >= 0)
		close(fd);
	if (unlink(sun->sun_path) == 0 || errno == ENOENT)
		return true;
	errtext_set(err, "control socket %s: the old socket cannot be removed: %s", uri, strerror(errno));
	return false;
}

static int listen_unix(struct control *c, const char *uri, struct errtext *err)
{
	const char *path = uri + strlen("unix://");
	struct sockaddr_un sun = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, rc;

	if (!path[0] || strlen(path) >= sizeof(sun.sun_path)) {
		errtext_set(err, "control socket %s: the path must have 1 to %zu bytes", uri, sizeof(sun.sun_path) - 1);
		return -1;
	}
	strcpy(sun.sun_path, path);
	if (!listen_remove_stale(&sun, uri, err))
		return -1;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return listen_fail(fd, err, uri, "socket");
	/* no other thread makes files at start-up; chmod afterwards would leave a gap */
	mask = umask(0007);
	rc = bind(fd, (struct sockaddr *)&sun, sizeof(sun));
	umask(mask);
	if (rc < 0)
		return listen_fail(fd, err, uri, "cannot be made");
	if (listen(fd, LISTEN_BACKLOG) < 0 || lstat(path, &c->unix_stat) < 0) {
		unlink(path);
		return listen_fail(fd, err, uri, "listen");
	}
	c->unix_path = xstrdup(path);
	return fd;
}

static int listen_tcp_addr(const struct addrinfo *ai)
{
	int one = 1, fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (bind(fd, ai->ai_addr, ai->ai_addrlen) == 0 && listen(fd, LISTEN_BACKLOG) == 0)
		return fd;
	close(fd);
	return -1;
}

static int listen_tcp(const char *uri, struct errtext *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE }, *list;
	char *host = xstrdup(uri + strlen("tcp://")), *colon = strrchr(host, ':'), *name = host;
	int fd = -1, rc;

	if (!colon || colon == host || !colon[1]) {
		errtext_set(err, "control socket %s: expected tcp://HOST:PORT", uri);
		free(host);
		return -1;
	}
	*colon = '\0';
	if (name[0] == '[' && colon[-1] == ']') {
		colon[-1] = '\0';
		name++;
	}
	rc = getaddrinfo(name, colon + 1, &hints, &list);
	if (rc != 0) {
		errtext_set(err, "control socket %s: %s", uri, gai_strerror(rc));
		free(host);
		return -1;
	}
	for (const struct addrinfo *ai = list; ai && fd < 0; ai = ai->ai_next)
		fd = listen_tcp_addr(ai);
	if (fd < 0)
		errtext_set(err, "control socket %s: %s", uri, strerror(errno));
	freeaddrinfo(list);
	free(host);
	return fd;
}

int listen_open(struct control *c, const char *uri, struct errtext *err)
{
	if (strncmp(uri, "unix://", 7) == 0)
		return listen_unix(c, uri, err);
	if (strncmp(uri, "tcp://", 6) == 0)
		return listen_tcp(uri, err);
	if (strncmp(uri, "systemd://", 10) == 0)
		errtext_set(err, "control socket %s: sockets made by systemd are not supported", uri);
	else
		errtext_set(err, "control socket %s: expected unix:///PATH or tcp://HOST:PORT", uri);
	return -1;
}

void listen_close(struct control *c)
{
	struct stat st;

	if (c->listen_fd >= 0)
		close(c->listen_fd);
	c->listen_fd = -1;
	/* another daemon may have put its own in our place */
	if (c->unix_path && lstat(c->unix_path, &st) == 0 && st.st_dev == c->unix_stat.st_dev &&
	    st.st_ino == c->unix_stat.st_ino)
		unlink(c->unix_path);
	free(c->unix_path);
	c->unix_path = NULL;
}
