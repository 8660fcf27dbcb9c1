/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "util/mem.h"

#define CLIENTS 64

struct client {
	int fd;
	bool endless; /* is sent bytes as long as it takes them */
	size_t n;
	char in[4096];
};

struct server {
	int fd, stop[2];
	uint16_t port;
	atomic_uint requests;
	pthread_t thread;
	size_t n;
	struct client *clients[CLIENTS];
};

static bool client_say(const struct client *c, const char *text)
{
	return write(c->fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static const struct {
	const char *path, *answer;
} answers[] = {
	{ "/ok", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello" },
	{ "/missing", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope" },
	{ "/nothing", "HTTP/1.1 204 No Content\r\n\r\n" },
	{ "/claims-huge", "HTTP/1.1 200 OK\r\nContent-Length: 4000000000\r\n\r\nhello" },
	{ "/to-ok", "HTTP/1.1 302 Found\r\nLocation: /ok\r\nContent-Length: 0\r\n\r\n" },
	{ "/to-file", "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n" },
	{ "/loop", "HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n" },
	{ "/garbage", "SSH-2.0-nothing\r\n" },
};

/* False: the connection ends. */
static bool client_answer(struct client *c)
{
	char path[64], head[128];
	const char *body = strstr(c->in, "\r\n\r\n") + 4;

	if (sscanf(c->in, "%*s %63s", path) != 1)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++)
		if (strcmp(path, answers[i].path) == 0)
			return client_say(c, answers[i].answer) && strcmp(path, "/garbage") != 0;
	if (strcmp(path, "/hang") == 0)
		return true;
	if (strcmp(path, "/truncated") == 0) {
		(void)client_say(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhello");
		return false;
	}
	if (strcmp(path, "/huge") == 0) {
		c->endless = true;
		return client_say(c, "HTTP/1.1 200 OK\r\n\r\n");
	}
	if (strcmp(path, "/post") == 0 && strstr(c->in, "Content-Type: text/test")) {
		snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", strlen(body));
		return client_say(c, head) && client_say(c, body);
	}
	return false;
}

static bool client_read(struct server *s, struct client *c)
{
	ssize_t n = read(c->fd, c->in + c->n, sizeof(c->in) - 1 - c->n);
	const char *length, *end;
	size_t body = 0;

	if (n <= 0)
		return false;
	c->n += (size_t)n;
	c->in[c->n] = 0;
	end = strstr(c->in, "\r\n\r\n");
	length = strstr(c->in, "Content-Length: ");
	if (length)
		body = strtoul(length + 16, NULL, 10);
	if (!end || c->n < (size_t)(end + 4 - c->in) + body)
		return true;
	atomic_fetch_add(&s->requests, 1);
	c->n = 0;
	return client_answer(c);
}

static void server_drop(struct server *s, size_t i)
{
	close(s->clients[i]->fd);
	free(s->clients[i]);
	s->clients[i] = s->clients[--s->n];
}

static void *server_main(void *arg)
{
	static char zeroes[65536];
	struct server *s = arg;

	for (;;) {
		struct pollfd fds[CLIENTS + 2] = { { s->stop[0], POLLIN, 0 }, { s->n < CLIENTS ? s->fd : -1, POLLIN, 0 } };
		size_t n = s->n;

		for (size_t i = 0; i < n; i++)
			fds[i + 2] = (struct pollfd){ s->clients[i]->fd, s->clients[i]->endless ? POLLOUT : POLLIN, 0 };
		poll(fds, n + 2, -1);
		if (fds[0].revents)
			break;
		for (size_t i = n; i-- > 0;) {
			struct client *c = s->clients[i];

			if (!fds[i + 2].revents)
				continue;
			if (c->endless ? send(c->fd, zeroes, sizeof(zeroes), MSG_NOSIGNAL | MSG_DONTWAIT) <= 0 : !client_read(s, c))
				server_drop(s, i);
		}
		if (fds[1].revents) {
			s->clients[s->n] = xcalloc(1, sizeof(struct client));
			s->clients[s->n++]->fd = accept(s->fd, NULL, NULL);
		}
	}
	while (s->n)
		server_drop(s, 0);
	return NULL;
}

struct server *server_start(void)
{
	struct server *s = xcalloc(1, sizeof(*s));
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t n = sizeof(sa);

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(s->fd, (struct sockaddr *)&sa, n) < 0 || listen(s->fd, 128) < 0 ||
	    getsockname(s->fd, (struct sockaddr *)&sa, &n) < 0 || pipe(s->stop) < 0 ||
	    pthread_create(&s->thread, NULL, server_main, s) != 0)
		abort();
	s->port = ntohs(sa.sin_port);
	return s;
}

void server_stop(struct server *s)
{
	close(s->stop[1]);
	pthread_join(s->thread, NULL);
	close(s->stop[0]);
	close(s->fd);
	free(s);
}

uint16_t server_port(const struct server *s)
{
	return s->port;
}

unsigned server_requests(const struct server *s)
{
	return atomic_load(&s->requests);
}
