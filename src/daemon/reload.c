/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "daemon/daemon.h"
#include "daemon/values.h"
#include "util/log.h"

/* What only a start can change (in bewick.conf(5) with a *); compared as text. */
static const char *const fixed_keys[] = {
	"install_routes",
	"install_virtual_ip_on",
	"kernel",
	"load",
	"load_modular",
	"max_packet",
	"pidfile",
	"plugins.curl.redir",
	"plugins.ipseckey.enable",
	"plugins.kernel-netlink.bypass_tcp",
	"plugins.kernel-netlink.fwmark",
	"plugins.kernel-netlink.mss",
	"plugins.kernel-netlink.mtu",
	"plugins.kernel-netlink.port_bypass",
	"plugins.kernel-netlink.receive_buffer_size",
	"plugins.kernel-netlink.retries",
	"plugins.kernel-netlink.timeout",
	"plugins.kernel-netlink.xfrm_acq_expires",
	"plugins.kernel-userland.device",
	"plugins.kernel-userland.drop_clear",
	"plugins.kernel-userland.mtu",
	"plugins.kernel-userland.threads",
	"plugins.socket-default.fwmark",
	"plugins.socket-default.use_ipv4",
	"plugins.socket-default.use_ipv6",
	"plugins.unbound.resolv_conf",
	"plugins.unbound.trust_anchors",
	"plugins.vici.socket",
	"port",
	"port_nat_t",
	"private_key_process",
	"routing_table",
	"routing_table_prio",
	"tcp_port",
	"workers",
};

static const char *const fixed_sections[] = {
	"plugins.kernel-netlink.interfaces",
	"plugins.kernel-netlink.spdh_thresh",
	"plugins.pkcs11.modules",
};

static void reload_note(const char *key)
{
	LOG(CFG, LOG_LEVEL_CONTROL, "setting '%s' has changed: it counts after a restart", key);
}

static void reload_note_key(const struct settings *old, const struct settings *new, const char *key)
{
	if (strcmp(settings_str(old, key, ""), settings_str(new, key, "")) != 0)
		reload_note(key);
}

struct section_text {
	const struct settings *settings;
	const char *section;
	struct buf *text;
};

static void section_add(const struct settings *s, const char *section, struct buf *text);

static void section_add_key(void *arg, const char *name)
{
	const struct section_text *t = arg;
	struct buf key = { 0 };

	buf_printf(&key, "%s.%s%c", t->section, name, 0);
	buf_printf(t->text, "%s = %s\n", (const char *)key.p, settings_str(t->settings, (const char *)key.p, ""));
	buf_free(&key);
}

static void section_add_section(void *arg, const char *name)
{
	const struct section_text *t = arg;
	struct buf section = { 0 };

	buf_printf(&section, "%s.%s%c", t->section, name, 0);
	section_add(t->settings, (const char *)section.p, t->text);
	buf_free(&section);
}

static void section_add(const struct settings *s, const char *section, struct buf *text)
{
	struct section_text t = { s, section, text };

	buf_printf(text, "%s\n", section);
	settings_each(s, section, false, section_add_key, &t);
	settings_each(s, section, true, section_add_section, &t);
}

static void reload_note_section(const struct settings *old, const struct settings *new, const char *section)
{
	struct buf a = { 0 }, b = { 0 };

	section_add(old, section, &a);
	section_add(new, section, &b);
	if (!bytes_equal(buf_bytes(&a), buf_bytes(&b)))
		reload_note(section);
	buf_free(&a);
	buf_free(&b);
}

struct plugins_noted {
	const struct settings *old, *new;
	bool again; /* those that the old settings have were looked at */
};

static void reload_note_plugin(void *arg, const char *name)
{
	const struct plugins_noted *n = arg;
	struct buf key = { 0 };

	buf_printf(&key, "plugins.%s.load%c", name, 0);
	if (!n->again || !settings_str(n->old, (const char *)key.p, NULL))
		reload_note_key(n->old, n->new, (const char *)key.p);
	buf_free(&key);
}

static void reload_note_fixed(const struct settings *old, const struct settings *new)
{
	struct plugins_noted n = { old, new, false };

	for (size_t i = 0; i < ARRAY_LEN(fixed_keys); i++)
		reload_note_key(old, new, fixed_keys[i]);
	for (size_t i = 0; i < ARRAY_LEN(fixed_sections); i++)
		reload_note_section(old, new, fixed_sections[i]);
	settings_each(old, "plugins", true, reload_note_plugin, &n);
	n.again = true;
	settings_each(new, "plugins", true, reload_note_plugin, &n);
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
