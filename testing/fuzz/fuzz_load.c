/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client loads. Input: a letter, then a message.
 *   c  load-conn       a  load-authority
 *   x  load-cert       k  load-key        s  load-shared      p  load-pool
 * Each is answered once, at once, by success or a reason. What was accepted can be told about, is accepted again, and is gone when it is
 * unloaded. The unit tests of src/control replay the corpus; there as here the workers are none.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/internal.h"
#include "fuzz.h"

#define LOAD_MAX 16384

static struct control *control;
static struct client *client;

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void load_end(void)
{
	control_free(control);
}

static void load_start(void)
{
	struct control_options o = { .env = { .backend = { "mock", .transport = true }, .updown = true, .tcp = true },
				     .settings = { .replay_window = 32 } };
	struct errtext err;
	char uri[64];
	int fds[2];

	snprintf(uri, sizeof(uri), "unix:///tmp/fuzz-load.%d", (int)getpid());
	o.uri = uri;
	control = control_new(&o, &err);
	require(control != NULL && socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) == 0);
	client_new(control, fds[0]);
	close(fds[1]);
	client = list_entry(control->clients.next, struct client, link);
	atexit(load_end);
}

/* What is in the client's output: one packet. True: success. */
static bool load_answer(void)
{
	struct bytes out = bytes_of(client->out.p + client->out_used, client->out.n - client->out_used), packet, text = { 0 };
	struct vici_packet p;
	size_t used;
	bool ok;

	require(!client->command); /* nothing here takes time */
	require(result_is_ok(vici_segment_next(out, &packet, &used)) && used == out.n);
	require(result_is_ok(vici_packet_parse(packet, &p)) && p.type == VICI_CMD_RESPONSE);
	ok = !vici_find_text(p.message, "success", &text) || bytes_equal_str(text, "yes");
	if (!ok)
		require(bytes_equal_str(text, "no") && vici_find_text(p.message, "errmsg", &text) && text.n && vici_is_printable(text));
	control->queued -= out.n;
	buf_reset(&client->out);
	client->out_used = 0;
	list_del(&client->dirty);
	return ok;
}

static bool load_run(const char *command, struct bytes message)
{
	require(command_run(client, bytes_str(command), message));
	return load_answer();
}

static bool load_run_named(const char *command, const char *key, const char *value)
{
	struct vici_writer w = { 0 };
	bool ok;

	vici_write_str(&w, key, value);
	ok = load_run(command, buf_bytes(&w.out));
	vici_writer_clear(&w);
	return ok;
}

/* As list-conns tells of them. */
static void load_tell(const struct config *config)
{
	for (size_t i = 0; i < config->n_conns; i++) {
		struct vici_writer w = { 0 };
		struct bytes segment;

		vici_write_packet(&w, VICI_EVENT, "list-conn");
		conn_message(&w, config_conns(config)[i]);
		require(result_is_ok(vici_writer_done(&w, &segment)));
		vici_writer_clear(&w);
	}
	require(load_run("get-conns", BYTES_NONE) && load_run("get-authorities", BYTES_NONE) && load_run("get-shared", BYTES_NONE) &&
		load_run("get-keys", BYTES_NONE) && load_run("get-pools", BYTES_NONE));
}

static void load_unload_conns(void)
{
	struct config *config = config_ref(control_snapshot(control));

	for (size_t i = 0; i < config->n_conns; i++)
		require(load_run_named("unload-conn", "name", config_conns(config)[i]->name));
	config_unref(config);
	require(control_snapshot(control)->n_conns == 0);
}

static void load_unload_authorities(void)
{
	while (control_snapshot(control)->creds->n_authorities) {
		char *name = xstrdup(control_snapshot(control)->creds->authorities[0].name);

		require(load_run_named("unload-authority", "name", name));
		free(name);
	}
}

static void load_unload(void)
{
	load_unload_conns();
	load_unload_authorities();
	require(load_run("clear-creds", BYTES_NONE));
	require(control_snapshot(control)->n_secrets == 0 && control_snapshot(control)->creds->n_certs == 0 &&
		control_snapshot(control)->creds->n_keys == 0);
}

static const char *load_command(uint8_t letter)
{
	static const struct {
		uint8_t letter;
		const char *command;
	} commands[] = { { 'c', "load-conn" }, { 'a', "load-authority" }, { 'x', "load-cert" },
			 { 'k', "load-key" },  { 's', "load-shared" },	{ 'p', "load-pool" } };

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		if (commands[i].letter == letter)
			return commands[i].command;
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *command = size && size <= LOAD_MAX ? load_command(data[0]) : NULL;
	struct bytes message = bytes_of(data + 1, size - 1);

	if (!command)
		return 0;
	if (!control)
		load_start();
	if (load_run(command, message)) {
		load_tell(control_snapshot(control));
		require(load_run(command, message));
	}
	load_unload();
	return 0;
}
