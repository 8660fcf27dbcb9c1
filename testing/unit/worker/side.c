/* SPDX-License-Identifier: Apache-2.0 */
#include "side.h"

#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#include "loop/loop.h"
#include "plugin/loader.h"
#include "testing/lib/swanctl_text.h"

/* For the whole process. */
static struct plugin_env side_env;
static struct plugin_set *side_plugins;

static void side_unload_plugins(void)
{
	plugins_unload(side_plugins);
	crypto_registry_free(side_env.crypto);
	kernel_registry_free(side_env.kernel);
}

static void side_load_plugins(void)
{
	struct plugin_options options = { .dir = ".", .load = "openssl! kernel-null!" };
	static int8_t levels[LOG_GROUPS];
	struct errtext err;

	if (side_env.crypto)
		return;
	if (getenv("SIDE_LOG")) {
		memset(levels, atoi(getenv("SIDE_LOG")), sizeof(levels));
		log_sink_add(levels, log_to_stderr, NULL);
	}
	side_env.crypto = crypto_registry_new();
	side_env.kernel = kernel_registry_new();
	side_plugins = plugins_load(&options, &side_env, &err);
	ck_assert_msg(side_plugins != NULL, "%s", err.s);
	atexit(side_unload_plugins);
	crypto_registry_freeze(side_env.crypto);
}

struct config *side_config(const char *conf, unsigned port)
{
	struct conn_env env = { .have = crypto_have, .updown = true, .default_replay_window = 32, .tcp = true };
	struct errtext err = { "" };
	struct config *config;
	char text[4096];

	side_load_plugins();
	env.have_arg = side_env.crypto;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	ck_assert_int_lt(snprintf(text, sizeof(text), conf, port), (int)sizeof(text));
#pragma GCC diagnostic pop
	config = swanctl_text_load(text, "test", &env, &err);
	ck_assert_msg(config != NULL, "%s", err.s);
	return config;
}

void side_start(struct side *s, const struct side_setup *setup, const char *conf, unsigned port)
{
	struct net_options net = net_options_default();
	struct kernel_env kernel = { 0 };
	struct workers_options *o = &s->options;
	struct errtext err = { "" };

	side_load_plugins();
	*s = (struct side){ .events = mailbox_new(), .box = mailbox_new() };
	net.port = net.port_nat_t = 0;
	net.ipv6 = false;
	net.workers = setup->workers ? setup->workers : 1;
	net.steer = !setup->no_steer;
	net.steer_secret = 4711;
	net.tcp = setup->tcp;
	net.tcp_port = setup->tcp_port;
	ck_assert_msg(result_is_ok(net_open(&net, &s->net, &err)), "%s", err.s);
	*o = (struct workers_options){ .count = net.workers, .net = s->net, .crypto = side_env.crypto,
				       .helpers = helper_pool_new(2, 100), .config = setup->config ? setup->config : side_config(conf, port), .auth = setup->auth,
				       .events = s->events, .cookie_threshold = setup->cookie_threshold,
				       .cookie_threshold_ip = setup->cookie_threshold_ip,
				       .block_threshold = setup->block_threshold, .ikesa_limit = setup->ikesa_limit,
				       .initiator_only = setup->initiator_only };
	o->kernel_ops = kernel_choose(side_env.kernel, "null", NULL, &err);
	ck_assert_msg(o->kernel_ops != NULL, "%s", err.s);
	if (setup->fence) {
		static struct kernel_ops fenced;

		fenced = *o->kernel_ops;
		fenced.fence = setup->fence;
		o->kernel_ops = &fenced;
	}
	kernel.crypto = side_env.crypto;
	o->kernel = s->kernel = o->kernel_ops->start(&kernel, &err);
	ck_assert_msg(s->kernel != NULL, "%s", err.s);
	sa_options_default(&o->sa);
	o->sa.port = net_port(s->net);
	o->sa.port_nat_t = net_port_nat_t(s->net);
	o->sa.closed_linger = setup->closed_linger;
	o->sa.qcd_secrets.count = setup->qcd_generations;
	for (unsigned i = 0; i < setup->qcd_generations; i++)
		memset(o->sa.qcd_secrets.secret[i], (int)i + 1, QCD_SECRET_LEN);
	s->w = workers_start(o, &err);
	ck_assert_msg(s->w != NULL, "%s", err.s);
	config_unref(o->config);
}

void side_stop_workers(struct side *s, unsigned limit_ms)
{
	(void)helper_pool_close(s->options.helpers);
	workers_stop(s->w, limit_ms);
	s->w = NULL;
	helper_pool_free(s->options.helpers);
	s->options.kernel_ops->stop(s->kernel);
	net_close(s->net);
}

static void side_drop_queue(struct mail *m)
{
	while (m) {
		struct mail *next = m->next;

		m->drop(m);
		m = next;
	}
}

void side_free(struct side *s)
{
	side_drop_queue(s->queue);
	side_drop_queue(s->event_queue);
	mailbox_free(s->box);
	mailbox_free(s->events);
}

void side_stop(struct side *s, unsigned limit_ms)
{
	side_stop_workers(s, limit_ms);
	side_free(s);
}

unsigned side_port(const struct side *s)
{
	return net_port_nat_t(s->net);
}

static struct worker_reply *side_take(struct mailbox *box, struct mail **queue)
{
	struct pollfd p = { .fd = mailbox_fd(box), .events = POLLIN };
	struct mail *m;

	while (!*queue) {
		*queue = mailbox_take(box);
		if (!*queue)
			ck_assert_msg(poll(&p, 1, SIDE_WAIT_MS) == 1, "what was waited for did not come");
	}
	m = *queue;
	*queue = m->next;
	m->next = NULL;
	return container_of(m, struct worker_reply, mail);
}

struct worker_reply *side_next(struct side *s)
{
	return side_take(s->box, &s->queue);
}

struct worker_reply *side_next_event(struct side *s)
{
	return side_take(s->events, &s->event_queue);
}

void side_initiate(struct side *s, const char *conn, const char *child, unsigned n)
{
	const struct conn *c = config_conn(s->options.config, conn);

	ck_assert_ptr_nonnull(c);
	for (unsigned i = 0; i < n; i++)
		workers_initiate(s->w, 7, s->box, c, child, workers_next_ike_id(s->w), UINT_MAX);
}

unsigned side_ended(struct side *s, unsigned n, enum cause cause)
{
	unsigned with = 0;

	while (n) {
		struct worker_reply *r = side_next(s);

		if (r->mail.kind == WORKER_REPLY_ENDED) {
			n--;
			with += r->cause == cause;
			ck_assert(r->cause == CAUSE_NONE || (r->why && *r->why));
		}
		worker_reply_free(r);
	}
	return with;
}

void side_up(struct side *s, const char *conn, const char *child, unsigned n)
{
	side_initiate(s, conn, child, n);
	ck_assert_uint_eq(side_ended(s, n, CAUSE_NONE), n);
}

void side_events(struct side *s, enum sa_event event, unsigned n)
{
	while (n) {
		struct worker_reply *r = side_next_event(s);

		n -= r->mail.kind == WORKER_EVENT && r->event == event;
		worker_reply_free(r);
	}
}

struct side_list side_list(struct side *s, const struct worker_select *sel)
{
	static const struct worker_select all;
	struct side_list list = { 0 };
	bool done = false;

	workers_list(s->w, 8, s->box, sel ? sel : &all);
	while (!done) {
		struct worker_reply *r = side_next(s);

		ck_assert_uint_eq(r->request, 8);
		done = r->mail.kind == WORKER_REPLY_DONE;
		if (!done) {
			ck_assert_uint_eq(r->mail.kind, WORKER_REPLY_SA);
			list.sas++;
			list.established += r->info->state == IKE_STATE_ESTABLISHED;
			list.children += (unsigned)r->info->n_children;
		}
		worker_reply_free(r);
	}
	return list;
}

unsigned side_terminate(struct side *s, const struct worker_select *sel, bool force)
{
	unsigned matches = 0, counted = 0, ended = 0;

	workers_terminate(s->w, 9, s->box, sel, force);
	while (counted < workers_count(s->w) || ended < matches) {
		struct worker_reply *r = side_next(s);

		ck_assert_uint_eq(r->request, 9);
		counted += r->mail.kind == WORKER_REPLY_MATCHES;
		matches += r->mail.kind == WORKER_REPLY_MATCHES ? r->matches : 0;
		ended += r->mail.kind == WORKER_REPLY_ENDED;
		worker_reply_free(r);
	}
	ck_assert_uint_eq(ended, matches);
	return matches;
}

struct worker_stats side_stats(struct side *s)
{
	struct worker_reply *r;
	struct worker_stats stats;

	workers_stats(s->w, 10, s->box);
	r = side_next(s);
	ck_assert_uint_eq(r->mail.kind, WORKER_REPLY_DONE);
	stats = *r->stats;
	worker_reply_free(r);
	return stats;
}
