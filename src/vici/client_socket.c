/* SPDX-License-Identifier: Apache-2.0 */
/* From a URI to a connected socket. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/mem.h"
#include "vici/client_private.h"

/*
 * Connects while the socket still blocks, bounded by the send timeout: a non-blocking
 * connect to a unix socket whose backlog is full would only say EAGAIN.
 */
static int client_socket_open(int family, const struct sockaddr *to, socklen_t len, int timeout_ms)
{
	struct timeval limit = { timeout_ms / 1000, timeout_ms % 1000 * 1000 };
	int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int err, flags;

	if (fd < 0)
		return -errno;
	if (timeout_ms == 0)
		limit.tv_usec = 1; /* zero would mean no limit */
	if (timeout_ms >= 0 && setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
		goto fail;
	while (connect(fd, to, len) < 0) {
		if (errno == EINTR && family == AF_UNIX)
			continue;
		if (errno == EAGAIN || errno == EINPROGRESS)
			errno = ETIMEDOUT;
		goto fail;
	}
	flags = fcntl(fd, F_GETFL);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
		goto fail;
	return fd;
fail:
	err = errno;
	close(fd);
	return -err;
}

static int client_socket_unix(const char *path, int timeout_ms)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };

	if (strlen(path) >= sizeof(to.sun_path))
		return -ENAMETOOLONG;
	memcpy(to.sun_path, path, strlen(path));
	return client_socket_open(AF_UNIX, (struct sockaddr *)&to, sizeof(to), timeout_ms);
}

static int client_socket_tcp(const char *host, const char *port, int timeout_ms)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list, *it;
	int fd = -EHOSTUNREACH;

	if (getaddrinfo(host, port, &hints, &list) != 0)
		return -EHOSTUNREACH;
	for (it = list; it && fd < 0; it = it->ai_next)
		fd = client_socket_open(it->ai_family, it->ai_addr, it->ai_addrlen, timeout_ms);
	freeaddrinfo(list);
	return fd;
}

/* "host:port" or "[address]:port" */
static int client_socket_hostport(const char *text, int timeout_ms)
{
	const char *colon = strrchr(text, ':');
	char *host;
	int fd;

	if (!colon || colon == text || !colon[1])
		return -EINVAL;
	if (text[0] == '[' && colon[-1] == ']')
		host = xstrndup(text + 1, (size_t)(colon - text) - 2);
	else
		host = xstrndup(text, (size_t)(colon - text));
	fd = client_socket_tcp(host, colon + 1, timeout_ms);
	free(host);
	return fd;
}

int client_socket(const char *uri, int timeout_ms)
{
	if (strncmp(uri, "unix://", 7) == 0)
		return client_socket_unix(uri + 7, timeout_ms);
	if (strncmp(uri, "tcp://", 6) == 0)
		return client_socket_hostport(uri + 6, timeout_ms);
	return -EAFNOSUPPORT;
}
