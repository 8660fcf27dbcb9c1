/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "config/settings.h"
#include "test_netlink.h"

struct addr test_addr(const char *text, uint16_t port)
{
	struct addr a;

	ck_assert_msg(addr_parse(bytes_str(text), &a), "%s", text);
	a.port = port;
	return a;
}

struct ts test_ts(const char *text)
{
	struct ts ts;

	ck_assert_msg(ts_parse(bytes_str(text), &ts), "%s", text);
	return ts;
}

static void bench_event(void *arg, const struct kernel_event *ev)
{
	struct bench *b = arg;

	ck_assert_uint_lt(b->n_events, ARRAY_LEN(b->events));
	b->events[b->n_events++] = *ev;
}

void bench_open(struct bench *b, struct fake_kernel *fake)
{
	bench_open_with(b, fake, "install_routes = no");
}

void bench_open_with(struct bench *b, struct fake_kernel *fake, const char *settings)
{
	struct kernel_env env = { .event = bench_event, .event_arg = b };
	struct errtext err = { "" };
	struct nl_io io;
	char text[256];

	(void)snprintf(text, sizeof(text), "bewickd {\n%s\n}", settings);
	*b = (struct bench){ .fake = fake ? fake : fake_new(), .settings = settings_from_text(text, &err) };
	env.settings = b->settings;
	b->k = backend_new(&env);
	ck_assert(backend_settings(b->k, b->settings, &err));
	io = fake_io(b->fake);
	b->k->nl = nl_new(&io, &b->k->nl_options);
	b->k->events = nl_new(&io, &b->k->nl_options);
	ck_assert_msg(backend_open(b->k, &env, &err), "%s", err.s);
}

void bench_close(struct bench *b)
{
	netlink_ops.stop(b->k);
	settings_free(b->settings);
	fake_free(b->fake);
}

void bench_turn(struct bench *b)
{
	service_turn(b->k);
	service_turn(b->k); /* what the answers queued */
}

static void bench_done_fn(void *arg, uint64_t token, enum kernel_status status, const struct errtext *err)
{
	struct bench *b = arg;

	b->done++;
	b->status = status;
	b->err = *err;
}

struct kernel_done bench_done(struct bench *b)
{
	return (struct kernel_done){ bench_done_fn, b, 7 };
}

struct kernel_child bench_child(uint32_t spi_in, uint32_t spi_out)
{
	static const uint8_t key_in[20] = "key of in, and salt", key_out[20] = "key of out, and sal";
	static struct ts local, remote;
	struct kernel_child c = {
		.unique_id = 5, .ike_id = 6, .reqid = 9, .protocol = PROTOCOL_ESP, .copy_df = true, .copy_ecn = true,
		.suite = { .protocol = PROTOCOL_ESP, .encr = ENCR_AES_GCM_16, .encr_bits = 128 },
		.replay_window = 32,
		.name = "net-net",
	};

	local = test_ts("10.1.0.0/24");
	remote = test_ts("10.2.0.0/24");
	c.in = (struct kernel_sa){ .spi = spi_in, .src = test_addr("192.0.2.2", 4500), .dst = test_addr("192.0.2.1", 4500),
				   .encr_key = bytes_of(key_in, sizeof(key_in)) };
	c.out = (struct kernel_sa){ .spi = spi_out, .src = c.in.dst, .dst = c.in.src,
				    .encr_key = bytes_of(key_out, sizeof(key_out)) };
	c.local_ts = (struct ts_list){ 1, &local };
	c.remote_ts = (struct ts_list){ 1, &remote };
	return c;
}

struct kernel_handle *bench_install(struct bench *b, const struct kernel_child *c)
{
	struct errtext err = { "" };
	struct kernel_handle *h = NULL;
	unsigned before = b->done;

	ck_assert_msg(netlink_ops.install(b->k, c, bench_done(b), &h, &err) == KERNEL_PENDING, "%s", err.s);
	bench_turn(b);
	ck_assert_uint_eq(b->done, before + 1);
	return h;
}
