/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/internal.h"
#include "loop/thread.h"

/* The thread: new clients, mail, the end. */

#define SERVER_STOP_MS 1000	/* for writing out what is queued */
#define SERVER_ACCEPT_PAUSE 500 /* ms, when there are no descriptors */

/* ---- new clients ---- */

static void server_accept(void *arg, uint32_t events);

static void server_accept_again(struct timer *t)
{
	struct control *c = container_of(t, struct control, accept_again);

	if (!c->listen_watch && c->listen_fd >= 0)
		c->listen_watch = loop_add(c->loop, c->listen_fd, EPOLLIN, server_accept, c);
}

static void server_accept(void *arg, uint32_t events)
{
	struct control *c = arg;

	(void)events;
	for (unsigned i = 0; i < CONTROL_BURST; i++) {
		int fd = accept4(c->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

		if (fd >= 0 && c->n_clients >= LIMIT_VICI_CLIENTS) {
			LOG(CFG, 1, "vici: %u clients are connected, another one is refused", c->n_clients);
			close(fd);
		} else if (fd >= 0) {
			client_new(c, fd);
		} else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
			LOG(CFG, 1, "vici: a client cannot be accepted: %s", strerror(errno));
			loop_remove(c->listen_watch);
			c->listen_watch = NULL;
			timer_start(loop_wheel(c->loop), &c->accept_again, loop_now(c->loop) + SERVER_ACCEPT_PAUSE,
				    server_accept_again);
			return;
		} else if (errno != EINTR && errno != ECONNABORTED) {
			return;
		}
	}
}

/* ---- the end ---- */

static void server_stop_now(struct timer *t)
{
	loop_stop(container_of(t, struct control, stop_timer)->loop);
}

static void server_check_stopped(struct control *c)
{
	if (c->stopping && c->queued == 0)
		loop_stop(c->loop);
}

static void server_stop(struct control *c)
{
	c->stopping = true;
	if (c->listen_watch)
		loop_remove(c->listen_watch);
	c->listen_watch = NULL;
	timer_start(loop_wheel(c->loop), &c->stop_timer, loop_now(c->loop) + SERVER_STOP_MS, server_stop_now);
}

static void server_quiesce(struct control *c)
{
	c->workers = NULL;
	c->auth = NULL;
	c->signer = NULL;
	c->helpers = NULL;
	token_queries_end(c);
	lists_end(c);
	reinit_forget(c, NULL, NULL);
	events_update(c);
	pthread_mutex_lock(&c->lock);
	c->quiet = true;
	pthread_cond_signal(&c->cond);
	pthread_mutex_unlock(&c->lock);
}

static void server_settings(struct control *c, const struct control_settings *s)
{
	c->settings = *s;
	c->env.default_replay_window = s->replay_window;
	c->env.chain_rules_only = s->chain_rules_only;
}

static void server_reloaded(struct control *c, const struct control_signal *s)
{
	if (s->ok)
		server_settings(c, &s->settings);
	cmd_reloaded(c, s->ok);
}

/* ---- mail ---- */

static void server_worker_mail(struct control *c, struct worker_reply *r)
{
	switch ((enum worker_reply_kind)r->mail.kind) {
	case WORKER_REPLY_SA:
	case WORKER_REPLY_FOUND:
	case WORKER_REPLY_MATCHES:
	case WORKER_REPLY_ENDED:
	case WORKER_REPLY_DONE:
	case WORKER_REPLY_TRAP:
	case WORKER_REPLY_MORE:
		waiter_deliver(c, r);
		break;
	case WORKER_EVENT:
		hooks_sa(c, r);
		events_sa(c, r);
		break;
	case WORKER_REINITIATE:
		reinit_request(c, r);
		break;
	case WORKER_RETRAP:
		traps_again(c, r);
		break;
	case WORKER_ACQUIRE:
		traps_acquired(c, r);
		break;
	}
	worker_reply_free(r);
}

static void server_mail(struct control *c, struct mail *m)
{
	if (m->kind < CONTROL_MAIL_LOG) {
		server_worker_mail(c, container_of(m, struct worker_reply, mail));
		return;
	}
	switch ((enum control_mail)m->kind) {
	case CONTROL_MAIL_LOG:
		events_log(c, container_of(m, struct log_mail, mail));
		break;
	case CONTROL_MAIL_RELOADED:
		server_reloaded(c, container_of(m, struct control_signal, mail));
		break;
	case CONTROL_MAIL_QUIESCE:
		server_quiesce(c);
		break;
	case CONTROL_MAIL_STOP:
		server_stop(c);
		break;
	case CONTROL_MAIL_TOKEN:
		token_mail(c, m);
		break;
	}
	m->drop(m);
}

static void server_take_mail(void *arg, uint32_t events)
{
	struct control *c = arg;
	struct mail *m = mailbox_take(c->box);

	(void)events;
	while (m) {
		struct mail *next = m->next;

		server_mail(c, m);
		m = next;
	}
}

static void server_idle(void *arg)
{
	struct control *c = arg;

	control_publish(c); /* before who changed something is answered */
	client_flush_all(c);
	client_free_dead(c);
	server_check_stopped(c);
}

static void *server_thread(void *arg)
{
	struct control *c = arg;

	pthread_setname_np(pthread_self(), "control");
	loop_run(c->loop);
	return NULL;
}

static void signal_drop(struct mail *m)
{
	free(container_of(m, struct control_signal, mail));
}

static struct control_signal *signal_new(enum control_mail kind)
{
	struct control_signal *s = xcalloc(1, sizeof(*s));

	s->mail.kind = kind;
	s->mail.drop = signal_drop;
	return s;
}

/* ---- life ---- */

struct control *control_new(const struct control_options *options, struct errtext *err)
{
	struct control *c = xcalloc(1, sizeof(*c));

	c->options = *options;
	c->env = options->env;
	server_settings(c, &options->settings);
	c->uri = xstrdup(options->uri);
	c->settings_file = options->settings_file ? xstrdup(options->settings_file) : NULL;
	c->started = time(NULL);
	c->started_ms = clock_monotonic_ms();
	c->sink_level = LOG_LEVEL_SILENT;
	list_init(&c->clients);
	list_init(&c->dirty);
	list_init(&c->dead);
	list_init(&c->logging);
	list_init(&c->initiates);
	list_init(&c->jobs);
	list_init(&c->lists);
	list_init(&c->token_queries);
	list_init(&c->reinits);
	list_init(&c->reloads);
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->cond, NULL);
	c->store = config_store_new();
	c->config = config_store_snapshot(c->store);
	c->listen_fd = -1;
	c->loop = loop_new();
	c->box = mailbox_new();
	if (!c->loop || !c->box)
		errtext_set(err, "control: %s", strerror(errno));
	else
		c->listen_fd = listen_open(c, c->uri, err);
	if (c->listen_fd >= 0)
		return c;
	control_free(c);
	return NULL;
}

struct mailbox *control_mailbox(struct control *c)
{
	return c->box;
}

struct config *control_config(struct control *c)
{
	return config_ref(c->config);
}

void control_use(struct control *c, const struct control_parts *parts)
{
	c->auth = parts->auth;
	c->signer = parts->signer;
	c->helpers = parts->helpers;
}

bool control_start(struct control *c, struct workers *workers, struct errtext *err)
{
	int rc;

	c->workers = workers;
	c->box_watch = loop_add(c->loop, mailbox_fd(c->box), EPOLLIN, server_take_mail, c);
	c->listen_watch = loop_add(c->loop, c->listen_fd, EPOLLIN, server_accept, c);
	if (!c->box_watch || !c->listen_watch) {
		errtext_set(err, "control: %s", strerror(errno));
		return false;
	}
	loop_set_idle(c->loop, server_idle, c);
	events_update(c); /* before there is any connection */
	rc = thread_start(&c->thread, NULL, server_thread, c);
	if (rc != 0)
		errtext_set(err, "control: no thread: %s", strerror(rc));
	c->running = rc == 0;
	return c->running;
}

void control_reloaded(struct control *c, const struct control_settings *settings)
{
	struct control_signal *s = signal_new(CONTROL_MAIL_RELOADED);

	s->ok = settings != NULL;
	if (settings)
		s->settings = *settings;
	mailbox_post(c->box, &s->mail);
}

void control_quiesce(struct control *c)
{
	if (!c->running)
		return;
	mailbox_post(c->box, &signal_new(CONTROL_MAIL_QUIESCE)->mail);
	pthread_mutex_lock(&c->lock);
	while (!c->quiet)
		pthread_cond_wait(&c->cond, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

void control_stop(struct control *c)
{
	if (!c->running)
		return;
	mailbox_post(c->box, &signal_new(CONTROL_MAIL_STOP)->mail);
	pthread_join(c->thread, NULL);
	c->running = false;
}

void control_free(struct control *c)
{
	if (!c)
		return;
	control_stop(c);
	c->workers = NULL;
	log_sink_remove(c->sink);
	c->sink = NULL;
	LIST_FOREACH_SAFE(it, &c->clients)
		client_close(list_entry(it, struct client, link));
	client_free_dead(c);
	initiate_abort_all(c);
	reinit_forget(c, NULL, NULL);
	jobs_free(c);
	token_queries_free(c);
	LIST_FOREACH_SAFE(it, &c->reloads)
		command_abandon(list_entry(it, struct command, link));
	hashtab_clear(&c->waiters);
	hashtab_clear(&c->reinits_by_conn);
	generations_free(c);
	listen_close(c);
	if (c->loop)
		loop_free(c->loop);
	if (c->box)
		mailbox_free(c->box);
	config_unref(c->config);
	config_store_free(c->store);
	pthread_mutex_destroy(&c->lock);
	pthread_cond_destroy(&c->cond);
	free(c->settings_file);
	free(c->uri);
	free(c);
}
