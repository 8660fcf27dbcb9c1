/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/internal.h"

/*
 * A connected client: bytes in, packets handled one after the other, bytes out. While a command
 * runs, or too much output waits, the input waits, first here up to one segment, then in the kernel.
 */
#define CLIENT_READ 65536
#define CLIENT_IN_MAX (LIMIT_VICI_SEGMENT + VICI_HEADER)
/* Output beyond which no further request is begun. */
#define CLIENT_OUT_BUSY (LIMIT_VICI_QUEUE / 4)

static void client_io(void *arg, uint32_t events);
static void client_work(struct timer *t);

static size_t client_in_waiting(const struct client *cl)
{
	return cl->in.n - cl->in_used;
}

static size_t client_out_waiting(const struct client *cl)
{
	return cl->out.n - cl->out_used;
}

bool client_is_behind(const struct client *cl)
{
	return !cl->gone && client_out_waiting(cl) > CLIENT_READ;
}

/* What is asked for goes on, if only to its end. */
static void client_drained(struct client *cl)
{
	if (cl->command && cl->command->drained)
		cl->command->drained(cl->command);
}

static void client_watch(struct client *cl)
{
	bool read = !cl->eof && client_in_waiting(cl) < CLIENT_IN_MAX;

	if (cl->watch)
		loop_modify(cl->watch, (read ? EPOLLIN : 0u) | (cl->out_full ? EPOLLOUT : 0u));
}

void client_new(struct control *c, int fd)
{
	struct client *cl = xcalloc(1, sizeof(*cl));

	cl->control = c;
	cl->fd = fd;
	cl->number = ++c->next_client;
	list_init(&cl->dirty);
	list_add_tail(&c->clients, &cl->link);
	c->n_clients++;
	cl->watch = loop_add(c->loop, fd, EPOLLIN, client_io, cl);
	if (!cl->watch) {
		LOG(CFG, 1, "vici: client %llu cannot be served: %s", (unsigned long long)cl->number, strerror(errno));
		client_close(cl);
	}
}

static void client_drop_output(struct client *cl)
{
	cl->control->queued -= client_out_waiting(cl);
	buf_wipe(&cl->out);
	cl->out_used = 0;
	cl->out_full = false;
	list_del(&cl->dirty);
}

/* Nobody reads any more; what was asked for is still done. */
static void client_set_gone(struct client *cl)
{
	if (cl->gone)
		return;
	cl->gone = cl->eof = true;
	loop_remove(cl->watch);
	cl->watch = NULL;
	client_drop_output(cl);
	events_forget(cl);
	events_update(cl->control);
	client_drained(cl);
	client_wake(cl);
}

void client_close(struct client *cl)
{
	struct control *c = cl->control;

	if (cl->fd < 0)
		return;
	cl->gone = cl->eof = true;
	events_forget(cl);
	loop_remove(cl->watch);
	cl->watch = NULL;
	close(cl->fd);
	cl->fd = -1;
	client_drop_output(cl);
	timer_stop(loop_wheel(c->loop), &cl->work);
	timer_stop(loop_wheel(c->loop), &cl->stalled);
	if (cl->command) {
		struct command *cmd = cl->command;

		/* it goes on; its answer will be discarded */
		cl->command = NULL;
		cmd->client = NULL;
		if (cmd->drained)
			cmd->drained(cmd);
	}
	list_del(&cl->link);
	list_add_tail(&c->dead, &cl->link);
	c->n_clients--;
	events_update(c);
}

void client_free_dead(struct control *c)
{
	LIST_FOREACH_SAFE(it, &c->dead) {
		struct client *cl = list_entry(it, struct client, link);

		list_del(it);
		buf_wipe(&cl->in);
		free(cl);
	}
}

/* ---- out ---- */

static void client_overflow(struct client *cl)
{
	LOG(CFG, 1, "vici: client %llu does not read, %zu bytes wait for it: disconnected",
	    (unsigned long long)cl->number, client_out_waiting(cl));
	client_close(cl);
}

static void client_is_stalled(struct timer *t)
{
	struct client *cl = container_of(t, struct client, stalled);

	if (client_out_waiting(cl) > CLIENT_OUT_BUSY)
		client_overflow(cl);
}

static void client_set_stalled(struct client *cl)
{
	struct control *c = cl->control;

	if (!timer_running(&cl->stalled))
		timer_start(loop_wheel(c->loop), &cl->stalled, loop_now(c->loop) + CONTROL_STALLED_MS,
			    client_is_stalled);
}

static void client_flush(struct client *cl)
{
	list_del(&cl->dirty);
	while (!cl->gone && client_out_waiting(cl)) {
		ssize_t n = send(cl->fd, cl->out.p + cl->out_used, client_out_waiting(cl), MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
			cl->out_full = true;
			client_watch(cl);
			client_set_stalled(cl);
			return;
		}
		if (n < 0) {
			client_set_gone(cl);
			return;
		}
		cl->out_used += (size_t)n;
		cl->control->queued -= (size_t)n;
		timer_stop(loop_wheel(cl->control->loop), &cl->stalled);
	}
	cl->out_full = false;
	/* a large buffer is not kept for later */
	if (cl->out.cap > CLIENT_READ)
		buf_free(&cl->out);
	else
		buf_reset(&cl->out);
	cl->out_used = 0;
	if (cl->dropped) {
		LOG(CFG, 1, "vici: client %llu missed %llu events because it did not read", (unsigned long long)cl->number,
		    (unsigned long long)cl->dropped);
		cl->dropped = 0;
	}
	client_drained(cl);
	client_wake(cl);
}

void client_flush_all(struct control *c)
{
	/* a line of the log about one client may make output for others: as long as there is some */
	while (!list_empty(&c->dirty))
		client_flush(list_entry(c->dirty.next, struct client, dirty));
}

/* Keeps moving bytes cheap: what was written is cut off when it is the larger part. */
static void client_append(struct client *cl, struct bytes segment)
{
	if (cl->out_used > client_out_waiting(cl) && cl->out_used > CLIENT_READ) {
		size_t rest = client_out_waiting(cl);

		memmove(cl->out.p, cl->out.p + cl->out_used, rest);
		cl->out.n = rest;
		cl->out_used = 0;
	}
	buf_add_bytes(&cl->out, segment);
	cl->control->queued += segment.n;
	if (!cl->out_full && list_empty(&cl->dirty))
		list_add_tail(&cl->control->dirty, &cl->dirty);
}

void client_send(struct client *cl, struct bytes segment)
{
	if (cl->gone)
		return;
	client_append(cl, segment);
	if (client_out_waiting(cl) > LIMIT_VICI_QUEUE && cl->control->queued > CONTROL_STREAM_TOTAL)
		client_overflow(cl);
}

void client_send_event(struct client *cl, struct bytes segment)
{
	if (cl->gone)
		return;
	if (client_out_waiting(cl) + segment.n <= LIMIT_VICI_QUEUE / 2) {
		client_append(cl, segment);
		return;
	}
	cl->dropped++;
	if (cl->out_full)
		client_set_stalled(cl); /* again, when it gets on too slowly */
}

/* ---- in ---- */

static void client_answer(struct client *cl, enum vici_type type)
{
	struct vici_writer w = { 0 };
	struct bytes segment;

	vici_write_packet(&w, type, NULL);
	if (expect(result_is_ok(vici_writer_done(&w, &segment))))
		client_send(cl, segment);
	vici_writer_clear(&w);
}

static void client_packet(struct client *cl, struct bytes packet)
{
	struct vici_packet p;
	enum control_event event;
	struct result r = vici_packet_parse(packet, &p);

	if (!result_is_ok(r)) {
		LOG(CFG, 1, "vici: ignored a packet of client %llu: %s", (unsigned long long)cl->number, r.why);
		return;
	}
	switch (p.type) {
	case VICI_CMD_REQUEST:
		if (!command_run(cl, p.name, p.message))
			client_answer(cl, VICI_CMD_UNKNOWN);
		return;
	case VICI_EVENT_REGISTER:
		if (!event_parse(p.name, &event)) {
			client_answer(cl, VICI_EVENT_UNKNOWN);
			return;
		}
		event_register(cl, event);
		client_answer(cl, VICI_EVENT_CONFIRM);
		return;
	case VICI_EVENT_UNREGISTER:
		client_answer(cl, event_parse(p.name, &event) && event_unregister(cl, event) ? VICI_EVENT_CONFIRM :
											       VICI_EVENT_UNKNOWN);
		return;
	case VICI_CMD_RESPONSE:
	case VICI_CMD_UNKNOWN:
	case VICI_EVENT_CONFIRM:
	case VICI_EVENT_UNKNOWN:
	case VICI_EVENT:
		break;
	}
	LOG(CFG, 1, "vici: ignored a packet of client %llu: type %u is not for a daemon", (unsigned long long)cl->number,
	    (unsigned)p.type);
}

/* One packet out of the input. False: there is none now. */
static bool client_next(struct client *cl)
{
	struct bytes in = bytes_of(cl->in.p + cl->in_used, client_in_waiting(cl)), packet;
	size_t used;
	struct result r;

	if (cl->fd < 0 || cl->command || client_out_waiting(cl) > CLIENT_OUT_BUSY)
		return false;
	r = vici_segment_next(in, &packet, &used);
	if (!result_is_ok(r)) {
		LOG(CFG, 1, "vici: client %llu is disconnected: %s", (unsigned long long)cl->number, r.why);
		client_close(cl);
		return false;
	}
	if (used == 0)
		return false;
	cl->in_used += used;
	client_packet(cl, packet);
	return true;
}

/* The bytes of handled packets go; they may hold secrets. */
static void client_compact(struct client *cl)
{
	size_t rest = client_in_waiting(cl);

	if (cl->in_used == 0)
		return;
	memmove(cl->in.p, cl->in.p + cl->in_used, rest);
	explicit_bzero(cl->in.p + rest, cl->in_used);
	cl->in.n = rest;
	cl->in_used = 0;
	if (rest == 0 && cl->in.cap > CLIENT_READ)
		buf_wipe(&cl->in);
}

static void client_handle(struct client *cl)
{
	unsigned n = 0;

	while (n < CONTROL_BURST && client_next(cl))
		n++;
	if (cl->fd < 0)
		return;
	client_compact(cl);
	client_watch(cl);
	if (n == CONTROL_BURST)
		client_wake(cl);
	else if (cl->eof && !cl->command && (cl->gone || client_out_waiting(cl) == 0))
		client_close(cl);
}

static void client_work(struct timer *t)
{
	client_handle(container_of(t, struct client, work));
}

void client_wake(struct client *cl)
{
	struct control *c = cl->control;

	if (cl->fd >= 0 && (client_in_waiting(cl) || cl->eof))
		timer_start(loop_wheel(c->loop), &cl->work, loop_now(c->loop), client_work);
}

static void client_read(struct client *cl)
{
	size_t room = CLIENT_IN_MAX - client_in_waiting(cl);
	size_t ask = room < CLIENT_READ ? room : CLIENT_READ;
	uint8_t bytes[CLIENT_READ];
	ssize_t n;

	if (cl->eof || room == 0)
		return;
	n = recv(cl->fd, bytes, ask, 0);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
		return;
	if (n <= 0) {
		cl->eof = true;
		if (n < 0)
			client_set_gone(cl);
		return;
	}
	buf_add(&cl->in, bytes, (size_t)n);
	explicit_bzero(bytes, (size_t)n);
}

static void client_io(void *arg, uint32_t events)
{
	struct client *cl = arg;

	if (events & EPOLLOUT)
		client_flush(cl);
	if (cl->fd >= 0 && events & (EPOLLIN | EPOLLHUP | EPOLLERR))
		client_read(cl);
	/* the hang-up is reported again and again: no more of it once all is read, or cannot be taken now */
	if (cl->fd >= 0 && events & (EPOLLHUP | EPOLLERR) && (cl->eof || client_in_waiting(cl) >= CLIENT_IN_MAX))
		client_set_gone(cl);
	client_handle(cl);
}
