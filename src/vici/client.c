/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "util/list.h"
#include "util/mem.h"
#include "vici/bewick-vici.h"
#include "vici/client_private.h"

#define CLIENT_READ 16384

struct client_handler {
	struct list link;
	char *event;
	bewick_vici_event_fn *fn;
	void *arg;
};

struct bewick_vici {
	int fd;
	int timeout_ms;
	int error;	 /* negative errno after which the stream cannot be trusted */
	bool in_handler;
	struct buf in;	 /* received bytes */
	size_t consumed; /* of `in`, by the packet that was handed out last */
	struct list handlers;
};

static int64_t client_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Negative: never. */
static int64_t client_deadline(int timeout_ms)
{
	return timeout_ms < 0 ? -1 : client_now_ms() + timeout_ms;
}

static int client_fail(struct bewick_vici *c, int error)
{
	c->error = error;
	return error;
}

int bewick_vici_connect(const char *uri, int timeout_ms, struct bewick_vici **ret)
{
	int fd = client_socket(uri, timeout_ms);
	struct bewick_vici *c;

	if (fd < 0)
		return fd;
	c = xcalloc(1, sizeof(*c));
	c->fd = fd;
	c->timeout_ms = timeout_ms;
	list_init(&c->handlers);
	*ret = c;
	return 0;
}

static void client_handler_free(struct client_handler *h)
{
	list_del(&h->link);
	free(h->event);
	free(h);
}

void bewick_vici_free(struct bewick_vici *c)
{
	if (!c)
		return;
	LIST_FOREACH_SAFE(it, &c->handlers)
		client_handler_free(list_entry(it, struct client_handler, link));
	close(c->fd);
	buf_wipe(&c->in);
	free(c);
}

void bewick_vici_set_timeout(struct bewick_vici *c, int timeout_ms)
{
	c->timeout_ms = timeout_ms;
}

int bewick_vici_fd(const struct bewick_vici *c)
{
	return c->fd;
}

/* ---- bytes ---------------------------------------------------------------- */

/* 0: ready, or -ETIMEDOUT. Signals do not end the wait. */
static int client_wait(struct bewick_vici *c, short what, int64_t deadline)
{
	struct pollfd p = { .fd = c->fd, .events = what };

	for (;;) {
		int64_t left = deadline < 0 ? -1 : deadline - client_now_ms();
		int n = poll(&p, 1, deadline < 0 ? -1 : left < 0 ? 0 : left > INT_MAX ? INT_MAX : (int)left);

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (deadline >= 0 && client_now_ms() >= deadline)
			return -ETIMEDOUT;
	}
}

static int client_send(struct bewick_vici *c, struct bytes out, int64_t deadline)
{
	while (out.n) {
		ssize_t n = send(c->fd, out.p, out.n, MSG_NOSIGNAL);

		if (n >= 0) {
			out.p += n;
			out.n -= (size_t)n;
		} else if (errno == EAGAIN || errno == EWOULDBLOCK) {
			int err = client_wait(c, POLLOUT, deadline);

			if (err)
				return client_fail(c, err);
		} else if (errno != EINTR) {
			return client_fail(c, errno == EPIPE ? -ECONNRESET : -errno);
		}
	}
	return 0;
}

/* Reads what is there; 0 or a negative errno, -EAGAIN if nothing is. */
static int client_receive(struct bewick_vici *c)
{
	uint8_t chunk[CLIENT_READ];
	ssize_t n = recv(c->fd, chunk, sizeof(chunk), 0);

	if (n > 0)
		buf_add(&c->in, chunk, (size_t)n);
	if (n >= 0)
		return n ? 0 : client_fail(c, -ECONNRESET);
	if (errno == EINTR)
		return 0;
	return errno == EAGAIN || errno == EWOULDBLOCK ? -EAGAIN : client_fail(c, -errno);
}

/* Drops the packet that was handed out last. */
static void client_consume(struct bewick_vici *c)
{
	size_t left = c->in.n - c->consumed;

	if (!c->consumed)
		return;
	memmove(c->in.p, c->in.p + c->consumed, left);
	c->in.n = left;
	c->consumed = 0;
}

/*
 * The next packet, borrowed until the next call. -ETIMEDOUT leaves the stream
 * intact: what has come of a packet stays for later.
 */
static int client_packet(struct bewick_vici *c, int64_t deadline, struct vici_packet *ret)
{
	struct bytes packet;
	int err;

	client_consume(c);
	for (;;) {
		if (!result_is_ok(vici_segment_next(buf_bytes(&c->in), &packet, &c->consumed)))
			return client_fail(c, -EBADMSG);
		if (c->consumed)
			break;
		err = client_receive(c);
		if (err == -EAGAIN)
			err = client_wait(c, POLLIN, deadline);
		if (err)
			return err;
	}
	if (!result_is_ok(vici_packet_parse(packet, ret)) ||
	    !result_is_ok(vici_message_check(ret->message)))
		return client_fail(c, -EBADMSG);
	return 0;
}

/* ---- packets -------------------------------------------------------------- */

static struct bewick_vici_message *client_message(struct bytes elements)
{
	struct bewick_vici_message *m = bewick_vici_message_new();

	vici_write_raw(&m->w, elements);
	return m;
}

static struct client_handler *client_handler_find(struct bewick_vici *c, struct bytes event)
{
	LIST_FOREACH(it, &c->handlers) {
		struct client_handler *h = list_entry(it, struct client_handler, link);

		if (bytes_equal_str(event, h->event))
			return h;
	}
	return NULL;
}

static void client_event(struct bewick_vici *c, const struct vici_packet *p)
{
	struct client_handler *h = client_handler_find(c, p->name);
	struct bewick_vici_message *m;

	if (!h)
		return; /* was under way when it was unregistered */
	m = client_message(p->message);
	c->in_handler = true;
	h->fn(h->arg, h->event, m);
	c->in_handler = false;
	bewick_vici_message_free(m);
}

/* Sends one packet and gives the one that answers it; events go to their handlers. */
static int client_exchange(struct bewick_vici *c, enum vici_type type, const char *name,
			   struct bytes message, struct vici_packet *ret)
{
	int64_t deadline = client_deadline(c->timeout_ms);
	struct vici_writer w = { 0 };
	struct bytes out;
	int err;

	if (c->error)
		return c->error;
	if (c->in_handler)
		return -EBUSY;
	vici_write_packet(&w, type, name);
	vici_write_raw(&w, message);
	err = result_is_ok(vici_writer_done(&w, &out)) ? client_send(c, out, deadline) : -EINVAL;
	vici_writer_clear(&w);
	while (!err) {
		err = client_packet(c, deadline, ret);
		if (err == -ETIMEDOUT)
			client_fail(c, err); /* the answer may come later: it would be taken for another */
		if (err || ret->type != VICI_EVENT)
			break;
		client_event(c, ret);
	}
	return err;
}

int bewick_vici_call(struct bewick_vici *c, const char *command,
		     const struct bewick_vici_message *request,
		     struct bewick_vici_message **ret_reply)
{
	struct bytes message = BYTES_NONE;
	struct vici_packet p;
	int err;

	if (request) {
		struct vici_writer w = request->w;

		if (!result_is_ok(vici_writer_done(&w, &message)))
			return -EINVAL;
	}
	err = client_exchange(c, VICI_CMD_REQUEST, command, message, &p);
	if (err)
		return err;
	if (p.type == VICI_CMD_UNKNOWN)
		return -ENOENT;
	if (p.type != VICI_CMD_RESPONSE)
		return client_fail(c, -EBADMSG);
	if (ret_reply)
		*ret_reply = client_message(p.message);
	return 0;
}

static int client_registration(struct bewick_vici *c, enum vici_type type, const char *event)
{
	struct vici_packet p;
	int err = client_exchange(c, type, event, BYTES_NONE, &p);

	if (err)
		return err;
	if (p.type == VICI_EVENT_UNKNOWN)
		return -ENOENT;
	return p.type == VICI_EVENT_CONFIRM ? 0 : client_fail(c, -EBADMSG);
}

int bewick_vici_register(struct bewick_vici *c, const char *event, bewick_vici_event_fn *fn,
			 void *arg)
{
	struct client_handler *h;
	int err;

	if (client_handler_find(c, bytes_str(event)))
		return -EEXIST; /* every event would arrive twice */
	err = client_registration(c, VICI_EVENT_REGISTER, event);
	if (err)
		return err;
	h = xcalloc(1, sizeof(*h));
	h->event = xstrdup(event);
	h->fn = fn;
	h->arg = arg;
	list_add_tail(&c->handlers, &h->link);
	return 0;
}

int bewick_vici_unregister(struct bewick_vici *c, const char *event)
{
	struct client_handler *h = client_handler_find(c, bytes_str(event));
	int err = client_registration(c, VICI_EVENT_UNREGISTER, event);

	if (err == 0 && h)
		client_handler_free(h);
	return err;
}

int bewick_vici_dispatch(struct bewick_vici *c, int timeout_ms)
{
	int64_t deadline = client_deadline(timeout_ms);
	struct vici_packet p;
	int n = 0, err;

	if (c->error)
		return c->error;
	if (c->in_handler)
		return -EBUSY;
	/* after the first one only what is there already */
	while ((err = client_packet(c, n ? 0 : deadline, &p)) == 0) {
		if (p.type != VICI_EVENT)
			return client_fail(c, -EBADMSG);
		client_event(c, &p);
		n++;
	}
	return err == -ETIMEDOUT ? n : n ? n : err;
}
