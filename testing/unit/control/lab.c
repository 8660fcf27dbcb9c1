/* SPDX-License-Identifier: Apache-2.0 */
#include "testing/lib/scratch.h"
#include "testing/unit/control/control_test.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void lab_algorithms(void *arg, control_algorithm_fn *fn, void *fn_arg)
{
	(void)arg;
	fn(fn_arg, "encryption", "AES_CBC", "one");
	fn(fn_arg, "encryption", "AES_CBC", "one"); /* another key size */
	fn(fn_arg, "encryption", "AES_CTR", "one");
	fn(fn_arg, "ke", "ECP_256", "two");
}

/* As the daemon does: the answer comes later, by control_reloaded. */
static void lab_reload(void *arg)
{
	struct lab *lab = arg;
	struct control_settings s = { .reuse_ikesa = false };

	lab->reloads++;
	control_reloaded(lab->control, lab->reload_fails ? NULL : &s);
}

struct control_parts lab_parts;
unsigned lab_token_ms = 20000;

void lab_open(struct lab *lab)
{
	lab_open_with(lab, NULL, NULL);
}

void lab_open_with(struct lab *lab, const struct hook_registry *hooks, const struct attribute_registry *attributes)
{
	static const char *const plugins[] = { "one", "two" };
	struct control_options o = {
		.uri = lab->uri,
		.settings_file = "/some/where.conf",
		.plugins = plugins,
		.n_plugins = 2,
		.backend = "kernel-x",
		.backend_why = "of this",
		.env = { .backend = { "mock", .transport = true } },
		.settings = { .reuse_ikesa = true, .replay_window = 32, .token_ms = lab_token_ms },
		.each_algorithm = lab_algorithms,
		.hooks = hooks,
		.attributes = attributes,
		.reload = lab_reload,
		.reload_arg = lab,
	};
	struct errtext err;

	memset(lab, 0, sizeof(*lab));
	scratch_dir(lab->dir, sizeof(lab->dir));
	snprintf(lab->path, sizeof(lab->path), "%s/vici", lab->dir);
	snprintf(lab->uri, sizeof(lab->uri), "unix://%s", lab->path);
	pthread_mutex_init(&lab->workers.lock, NULL);
	pthread_cond_init(&lab->workers.called, NULL);
	lab->control = control_new(&o, &err);
	ck_assert_msg(lab->control != NULL, "%s", err.s);
	control_use(lab->control, &lab_parts);
	ck_assert_msg(control_start(lab->control, &lab->workers, &err), "%s", err.s);
}

void lab_close(struct lab *lab)
{
	control_quiesce(lab->control);
	control_stop(lab->control);
	control_free(lab->control);
	config_unref(lab->workers.config);
	ck_assert_int_eq(access(lab->path, F_OK), -1); /* the socket went with it */
	rmdir(lab->dir);
	pthread_mutex_destroy(&lab->workers.lock);
	pthread_cond_destroy(&lab->workers.called);
}

/* ---- the client ---- */

void peer_open(struct peer *p, const struct lab *lab)
{
	struct sockaddr_un sun = { .sun_family = AF_UNIX };

	memset(p, 0, sizeof(*p));
	strcpy(sun.sun_path, lab->path);
	p->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(p->fd, 0);
	ck_assert_int_eq(connect(p->fd, (struct sockaddr *)&sun, sizeof(sun)), 0);
}

void peer_close(struct peer *p)
{
	close(p->fd);
	buf_free(&p->in);
	buf_free(&p->packet);
}

void peer_send(struct peer *p, const void *data, size_t n)
{
	const uint8_t *at = data;

	while (n) {
		ssize_t done = send(p->fd, at, n, MSG_NOSIGNAL);

		ck_assert_msg(done > 0, "send: %s", strerror(errno));
		at += done;
		n -= (size_t)done;
	}
}

void peer_packet(struct peer *p, enum vici_type type, const char *name, const struct vici_writer *message)
{
	struct vici_writer w = { 0 };
	struct bytes segment;

	vici_write_packet(&w, type, name);
	if (message)
		vici_write_raw(&w, buf_bytes(&message->out));
	ck_assert(result_is_ok(vici_writer_done(&w, &segment)));
	peer_send(p, segment.p, segment.n);
	vici_writer_clear(&w);
}

/* False: the stream has ended, or nothing came. */
static bool peer_read(struct peer *p)
{
	struct pollfd pfd = { .fd = p->fd, .events = POLLIN };
	char bytes[65536];
	ssize_t n;

	if (poll(&pfd, 1, PEER_WAIT_MS) != 1)
		return false;
	n = recv(p->fd, bytes, sizeof(bytes), 0);
	if (n <= 0)
		return false;
	buf_add(&p->in, bytes, (size_t)n);
	return true;
}

enum vici_type peer_recv_any(struct peer *p)
{
	struct bytes packet;
	size_t used = 0;

	for (;;) {
		ck_assert(result_is_ok(vici_segment_next(buf_bytes(&p->in), &packet, &used)));
		if (used)
			break;
		ck_assert_msg(peer_read(p), "no packet came");
	}
	buf_reset(&p->packet);
	buf_add_bytes(&p->packet, packet);
	memmove(p->in.p, p->in.p + used, p->in.n - used);
	p->in.n -= used;
	ck_assert(result_is_ok(vici_packet_parse(buf_bytes(&p->packet), &p->got)));
	return p->got.type;
}

void peer_recv(struct peer *p, enum vici_type expected)
{
	ck_assert_int_eq(peer_recv_any(p), expected);
}

bool peer_has_packet(struct peer *p)
{
	struct pollfd pfd = { .fd = p->fd, .events = POLLIN };

	return p->in.n > 0 || poll(&pfd, 1, 0) == 1;
}

bool peer_is_closed(struct peer *p)
{
	struct pollfd pfd = { .fd = p->fd, .events = POLLIN };
	char byte;

	return p->in.n == 0 && poll(&pfd, 1, PEER_WAIT_MS) == 1 && recv(p->fd, &byte, 1, 0) <= 0;
}

void peer_register(struct peer *p, const char *event)
{
	peer_packet(p, VICI_EVENT_REGISTER, event, NULL);
	peer_recv(p, VICI_EVENT_CONFIRM);
}

static void peer_reply(struct peer *p, unsigned *ret_events)
{
	unsigned events = 0;

	for (;;) {
		struct bytes packet;
		size_t used;

		ck_assert(result_is_ok(vici_segment_next(buf_bytes(&p->in), &packet, &used)));
		if (!used) {
			ck_assert_msg(peer_read(p), "no reply came");
			continue;
		}
		if (packet.p[0] != VICI_EVENT)
			break;
		peer_recv(p, VICI_EVENT);
		events++;
	}
	peer_recv(p, VICI_CMD_RESPONSE);
	if (ret_events)
		*ret_events = events;
}

void peer_call(struct peer *p, const char *command, const struct vici_writer *message, unsigned *ret_events)
{
	peer_packet(p, VICI_CMD_REQUEST, command, message);
	peer_reply(p, ret_events);
}

static void peer_pairs(struct vici_writer *w, const char *key, va_list ap)
{
	for (; key; key = va_arg(ap, const char *))
		vici_write_str(w, key, va_arg(ap, const char *));
}

void peer_send_request(struct peer *p, const char *command, const char *key, ...)
{
	struct vici_writer w = { 0 };
	va_list ap;

	va_start(ap, key);
	peer_pairs(&w, key, ap);
	va_end(ap);
	peer_packet(p, VICI_CMD_REQUEST, command, &w);
	vici_writer_clear(&w);
}

void peer_ask(struct peer *p, const char *command, const char *key, ...)
{
	struct vici_writer w = { 0 };
	va_list ap;

	va_start(ap, key);
	peer_pairs(&w, key, ap);
	va_end(ap);
	peer_call(p, command, &w, NULL);
	vici_writer_clear(&w);
}

void peer_value(const struct peer *p, const char *key, const char *expected)
{
	char *value = vici_find_str(p->got.message, key);

	if (expected)
		ck_assert_pstr_eq(value, expected);
	else
		ck_assert_ptr_null(value);
	free(value);
}

void peer_failed(const struct peer *p, const char *errmsg)
{
	peer_value(p, "success", "no");
	peer_value(p, "errmsg", errmsg);
}

void peer_succeeded(const struct peer *p)
{
	peer_value(p, "errmsg", NULL);
	peer_value(p, "success", "yes");
}

static void write_round(struct vici_writer *w, const char *side, const char *id)
{
	vici_write_section(w, side);
	vici_write_str(w, "auth", "psk");
	if (id)
		vici_write_str(w, "id", id);
	vici_write_section_end(w);
}

void peer_load_conn_with(struct peer *p, const char *name, const char *id, bool start, const char *const *children)
{
	struct vici_writer w = { 0 };

	vici_write_section(&w, name);
	vici_write_list(&w, "remote_addrs");
	vici_write_item_str(&w, "192.0.2.1");
	vici_write_list_end(&w);
	write_round(&w, "local", NULL);
	write_round(&w, "remote", id);
	vici_write_section(&w, "children");
	for (; *children; children++) {
		vici_write_section(&w, *children);
		if (start)
			vici_write_str(&w, "start_action", "start");
		vici_write_section_end(&w);
	}
	vici_write_section_end(&w);
	vici_write_section_end(&w);
	peer_call(p, "load-conn", &w, NULL);
	vici_writer_clear(&w);
	peer_succeeded(p);
}

void peer_load_conn(struct peer *p, const char *name, bool start, const char *const *children)
{
	peer_load_conn_with(p, name, NULL, start, children);
}
