/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <stdlib.h>

#include "config/settings.h"
#include "daemon/daemon.h"
#include "daemon/values.h"
#include "util/log.h"

#define EXIT_USAGE 2

/* Lines of group CFG are what reading settings complains of. */
static void check_complained(void *arg, const struct log_event *ev)
{
	unsigned *complaints = arg;

	(*complaints)++;
	fprintf(stderr, "%.*s\n", (int)ev->msg_len, ev->msg);
}

static int run_check(const struct options *o)
{
	const char *file = options_settings_file(o);
	unsigned complaints = 0, wrong;
	int8_t levels[LOG_GROUPS];
	struct settings *s;
	struct log_sink *sink;
	struct errtext err;

	if (!file) {
		printf("there is no settings file: the defaults count\n");
		return 0;
	}
	s = settings_load(file, &err);
	if (!s) {
		fprintf(stderr, "bewickd: %s\n", err.s);
		return 1;
	}
	memset(levels, LOG_LEVEL_SILENT, sizeof(levels));
	levels[LOG_GROUP_CFG] = LOG_LEVEL_CONTROL;
	sink = log_sink_add(levels, check_complained, &complaints);
	values_check(s);
	wrong = complaints;
	settings_warn_unknown(s);
	log_sink_remove(sink);
	settings_free(s);
	if (!complaints)
		printf("%s: no errors\n", file);
	return wrong ? 1 : 0;
}

static bool load_settings(struct daemon *d)
{
	struct errtext err;

	d->settings_file = options_settings_file(d->options);
	d->settings = d->first_settings = settings_load(d->settings_file, &err);
	if (!d->settings)
		fprintf(stderr, "bewickd: %s\n", err.s);
	return d->settings != NULL;
}

static int run_daemon(struct daemon *d)
{
	struct errtext err;

	d->loggers = loggers_new();
	if (daemon_start(d, &err)) {
		loop_run(d->loop);
	} else {
		d->failed = true;
		LOG(DMN, LOG_LEVEL_AUDIT, "cannot start: %s", err.s);
		if (!loggers_on_stderr(d->loggers))
			fprintf(stderr, "bewickd: cannot start: %s\n", err.s);
	}
	daemon_stop(d);
	LOG(DMN, LOG_LEVEL_CONTROL, "bewickd has ended");
	loggers_free(d->loggers);
	return d->failed ? 1 : 0;
}

static int run_with_settings(const struct options *o)
{
	struct daemon d = { .options = o, .signal_fd = -1, .wake_fd = -1, .pid_fd = -1 };
	int status;

	if (!load_settings(&d))
		return 1;
	pthread_rwlock_init(&d.events_lock, NULL);
	status = o->mode == RUN_LIST_PLUGINS ? daemon_list_plugins(&d) : run_daemon(&d);
	pthread_rwlock_destroy(&d.events_lock);
	if (d.settings != d.first_settings)
		settings_free(d.settings);
	settings_free(d.first_settings);
	return status;
}

int main(int argc, char **argv)
{
	struct options o;
	struct errtext err;

	if (!options_parse(argc, argv, &o, &err)) {
		fprintf(stderr, "bewickd: %s; see bewickd --help\n", err.s);
		return EXIT_USAGE;
	}
	switch (o.mode) {
	case RUN_VERSION:
		printf("bewickd %s\n", PACKAGE_VERSION);
		return 0;
	case RUN_HELP:
		fputs(options_help, stdout);
		return 0;
	case RUN_CHECK:
		return run_check(&o);
	case RUN_DAEMON:
	case RUN_LIST_PLUGINS:
		return run_with_settings(&o);
	}
	return EXIT_USAGE;
}
