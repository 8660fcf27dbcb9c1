/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "daemon/daemon.h"
#include "daemon/values.h"
#include "util/log.h"

/* What only a start can change; compared as text. */
static const char *const fixed_keys[] = {
	"kernel", "load", "load_modular", "max_packet", "pidfile", "plugins.kernel-userland.threads",
	"plugins.socket-default.fwmark", "plugins.vici.socket", "port", "port_nat_t", "tcp_port", "workers",
};

static void reload_note_fixed(const struct settings *old, const struct settings *new)
{
	for (size_t i = 0; i < ARRAY_LEN(fixed_keys); i++) {
		const char *a = settings_str(old, fixed_keys[i], ""), *b = settings_str(new, fixed_keys[i], "");

		if (strcmp(a, b) != 0)
			LOG(CFG, LOG_LEVEL_CONTROL, "setting '%s' has changed: it counts after a restart",
			    fixed_keys[i]);
	}
}

void daemon_apply_options(struct daemon *d)
{
	struct workers_options workers = { 0 };

	values_workers(d->settings, &workers);
	workers.sa.port = net_port(d->net);
	workers.sa.port_nat_t = net_port_nat_t(d->net);
	daemon_load_qcd(d, &workers.sa);
	workers_set_options(d->workers, &workers);
	secret_wipe(&workers.sa.qcd_secrets, sizeof(workers.sa.qcd_secrets));
}

static void reload_apply(struct daemon *d)
{
	struct control_settings control;

	daemon_apply_options(d);
	daemon_apply_auth(d);
	daemon_set_modules(d);
	daemon_watch(d);
	daemon_bypass(d);
	values_control(d->settings, &control);
	control_reloaded(d->control, &control);
}

void daemon_reload(struct daemon *d)
{
	struct errtext err;
	struct settings *new = settings_load(d->settings_file, &err);

	if (!new) {
		loggers_configure(d->loggers, d->settings); /* log rotation goes on */
		LOG(CFG, LOG_LEVEL_AUDIT, "the settings stay as they are: %s", err.s);
		control_reloaded(d->control, NULL);
		return;
	}
	loggers_configure(d->loggers, new);
	settings_warn_unknown(new);
	reload_note_fixed(d->first_settings, new);
	if (d->settings != d->first_settings)
		settings_free(d->settings);
	d->settings = new;
	reload_apply(d);
	LOG(CFG, LOG_LEVEL_CONTROL, "settings read from %s", d->settings_file ? d->settings_file : "nowhere");
}
