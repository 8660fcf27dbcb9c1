/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "config/settings.h"
#include "daemon/daemon.h"
#include "daemon/values.h"
#include "util/log.h"

/* For the deletes and their answers at the end. */
#define STOP_WORKERS_MS 2500
#define STOP_SCRIPTS_MS 10000
#define STOP_HOOKS_MS 5000 /* for the scripts of tunnels that went down with us */
#define START_SCRIPTS_MS 300000
/* Threads that look up names, and look-ups that may wait for one. */
#define HELPERS 3
#define TOKEN_HELPERS 4
#define HELPERS_WAITING 4096
#define NOFILE_WANTED 8192

static bool start_logging(struct daemon *d, struct errtext *err)
{
	(void)err;
	loggers_configure(d->loggers, d->settings);
	LOG(DMN, LOG_LEVEL_CONTROL, "bewickd %s, settings %s%s", PACKAGE_VERSION,
	    d->settings_file ? "from " : "at their defaults", d->settings_file ? d->settings_file : "");
	if (values_key_process(d->settings) && d->signer) /* a complaint about it was too early to be logged */
		LOG(DMN, LOG_LEVEL_CONTROL, "private keys are kept by a process of their own, %d%s%s", (int)signer_pid(d->signer),
		    *signer_lacks(d->signer) ? "; " : "", signer_lacks(d->signer));
	settings_warn_unknown(d->settings);
	daemon_set_modules(d);
	if (settings_str(d->settings, "user", NULL) || settings_str(d->settings, "group", NULL))
		LOG(DMN, LOG_LEVEL_AUDIT, "settings 'user' and 'group': running as another user is not supported "
		    "yet, this process keeps uid %u", (unsigned)getuid());
	return true;
}

static void control_each_algorithm(void *arg, control_algorithm_fn *fn, void *fn_arg)
{
	crypto_each(arg, fn, fn_arg);
}

static void control_ask_reload(void *arg)
{
	struct daemon *d = arg;

	atomic_store(&d->reload_asked, true);
	daemon_wake(d);
}

static bool start_has_plugin(const struct daemon *d, const char *name)
{
	for (size_t i = 0; i < d->n_plugins; i++)
		if (strcmp(d->plugin_names[i], name) == 0)
			return true;
	return false;
}

static bool start_hooks(struct daemon *d, struct errtext *err)
{
	(void)err;
	hooks_start(d->plugin_env.hooks);
	return true;
}

/* All SAs are gone, and control has told of it. */
static void stop_hooks(struct daemon *d)
{
	hooks_finish(d->plugin_env.hooks, clock_monotonic_ms() + STOP_HOOKS_MS);
}

static bool start_control(struct daemon *d, struct errtext *err)
{
	struct control_options o = {
		.uri = values_control_uri(d->settings),
		.settings_file = d->settings_file,
		.plugins = d->plugin_names,
		.n_plugins = d->n_plugins,
		.backend = d->kernel_ops->name,
		.backend_why = kernel_chosen_why(d->plugin_env.kernel),
		.env = {
			.have = crypto_have,
			.have_arg = d->plugin_env.crypto,
			.backend = daemon_backend(d->kernel_ops),
			.tcp = net_tcp(d->net) != NULL,
			.updown = start_has_plugin(d, "updown"),
			.port = net_port(d->net),
			.port_nat_t = net_port_nat_t(d->net),
		},
		.hooks = d->plugin_env.hooks,
		.attributes = d->plugin_env.attributes,
		.each_algorithm = control_each_algorithm,
		.algorithm_arg = d->plugin_env.crypto,
		.reload = control_ask_reload,
		.reload_arg = d,
	};

	values_control(d->settings, &o.settings);
	d->control = control_new(&o, err);
	return d->control != NULL;
}

static void stop_control(struct daemon *d)
{
	if (d->control_serves)
		control_stop(d->control);
	d->control_serves = false;
	control_free(d->control);
	d->control = NULL;
}

static void events_go_to(struct daemon *d, struct workers *workers)
{
	pthread_rwlock_wrlock(&d->events_lock);
	d->events_to = workers;
	pthread_rwlock_unlock(&d->events_lock);
}

static bool start_workers(struct daemon *d, struct errtext *err)
{
	struct config *config = control_config(d->control);
	struct workers_options o = {
		.count = d->n_workers,
		.net = d->net,
		.crypto = d->plugin_env.crypto,
		.kernel_ops = d->kernel_ops,
		.kernel = d->kernel,
		.attributes = d->plugin_env.attributes,
		.auth = d->auth,
		.config = config,
		.events = control_mailbox(d->control),
	};

	values_workers(d->settings, &o);
	o.sa.port = net_port(d->net);
	o.sa.port_nat_t = net_port_nat_t(d->net);
	d->helpers = o.helpers = helper_pool_new(HELPERS, HELPERS_WAITING);
	d->token_helpers = helper_pool_new(TOKEN_HELPERS, HELPERS_WAITING);
	daemon_load_qcd(d, &o.sa);
	d->workers = workers_start(&o, err);
	secret_wipe(&o.sa.qcd_secrets, sizeof(o.sa.qcd_secrets));
	config_unref(config);
	if (!d->workers)
		return false;
	events_go_to(d, d->workers);
	daemon_watch(d);
	daemon_bypass(d);
	return true;
}

static void stop_workers(struct daemon *d)
{
	bool quiet = !d->helpers || helper_pool_close(d->helpers);
	bool tokens_quiet = !d->token_helpers || helper_pool_close(d->token_helpers);

	auth_service_close(d->auth); /* its answers go to the workers' boxes */
	timer_stop(loop_wheel(d->loop), &d->qcd_timer);
	events_go_to(d, NULL);
	daemon_unwatch(d);
	daemon_no_bypass(d);
	workers_stop(d->workers, STOP_WORKERS_MS);
	d->workers = NULL;
	/* a look-up, or a token, that hangs ends with the process */
	if (quiet)
		helper_pool_free(d->helpers);
	if (tokens_quiet)
		helper_pool_free(d->token_helpers);
	d->helpers = d->token_helpers = NULL;
}

static bool start_serving(struct daemon *d, struct errtext *err)
{
	control_use(d->control, &(struct control_parts){ .signer = d->signer, .helpers = d->token_helpers, .auth = d->auth });
	d->control_serves = control_start(d->control, d->workers, err);
	return d->control_serves;
}

static void stop_serving(struct daemon *d)
{
	if (d->control_serves)
		control_quiesce(d->control);
}

static bool start_announce(struct daemon *d, struct errtext *err)
{
	(void)err;
	daemon_write_pid(d);
	LOG(DMN, LOG_LEVEL_CONTROL, "ready: control socket %s", values_control_uri(d->settings));
	daemon_notify("READY=1");
	d->start_scripts = scripts_start(d->settings, "start-scripts", START_SCRIPTS_MS);
	return true;
}

static void stop_announced(struct daemon *d)
{
	daemon_notify("STOPPING=1");
	scripts_end(d->start_scripts);
	d->start_scripts = NULL;
	daemon_ignore_hup(d); /* who rotates logs does not mean the scripts */
	scripts_run(d->settings, "stop-scripts", d->signal_fd, STOP_SCRIPTS_MS);
	daemon_remove_pid(d);
}

/* Sockets of workers and clients may be more than the 1024 that are usual. */
static void start_allow_files(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= NOFILE_WANTED)
		return;
	limit.rlim_cur = limit.rlim_max < NOFILE_WANTED ? limit.rlim_max : NOFILE_WANTED;
	(void)setrlimit(RLIMIT_NOFILE, &limit); /* we do with less */
}

/* In the order of starting. `down` is called if `up` was, whether it succeeded or not. */
static const struct {
	bool (*up)(struct daemon *d, struct errtext *err);
	void (*down)(struct daemon *d);
} steps[] = {
	{ daemon_start_signer, daemon_stop_signer },
	{ daemon_open_loop, daemon_close_loop },
	{ start_logging, NULL },
	{ daemon_load_plugins, daemon_unload_plugins },
	{ daemon_check_crypto, NULL },
	{ daemon_open_net, daemon_close_net },
	{ start_hooks, stop_hooks },
	{ daemon_start_auth, daemon_stop_auth },
	{ start_control, stop_control },
	{ daemon_start_kernel, daemon_stop_kernel },
	{ start_workers, stop_workers },
	{ start_serving, stop_serving },
	{ start_announce, stop_announced },
};

bool daemon_start(struct daemon *d, struct errtext *err)
{
	/* Each worker gets a heap of its own; more of them would only scatter what is freed. */
	start_allow_files();
	mallopt(M_ARENA_MAX, (int)values_worker_count(d->settings) + 2);
	for (size_t i = 0; i < ARRAY_LEN(steps); i++) {
		d->started = i + 1;
		if (!steps[i].up(d, err))
			return false;
	}
	return true;
}

void daemon_stop(struct daemon *d)
{
	for (; d->started; d->started--) {
		if (steps[d->started - 1].down)
			steps[d->started - 1].down(d);
	}
}
