/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/options.h"

#include <getopt.h>
#include <stdlib.h>
#include <unistd.h>

#define DEFAULT_SETTINGS SYSCONFDIR "/bewick.conf"

const char options_help[] =
	"usage: bewickd [OPTION]...\n"
	"IKEv2 daemon. It runs in the foreground until SIGTERM or SIGINT; SIGHUP makes it read its\n"
	"settings again. Connections and secrets are loaded with swanctl.\n"
	"\n"
	"  --settings FILE    settings (default $STRONGSWAN_CONF, else " DEFAULT_SETTINGS ")\n"
	"  --plugin-dir DIR   where plugins are (default " PLUGINDIR ")\n"
	"  --list-plugins     load the plugins, show what each provides, and end\n"
	"  --check            read the settings, report what is wrong with them, and end\n"
	"  --version          show the version and end\n"
	"  --help             show this text and end\n"
	"\n"
	"Exit status: 0 a clean end, 1 an error, 2 wrong usage.\n";

enum { OPT_SETTINGS = 256, OPT_PLUGIN_DIR, OPT_LIST_PLUGINS, OPT_CHECK };

static const struct option long_options[] = {
	{ "settings", required_argument, NULL, OPT_SETTINGS },
	{ "plugin-dir", required_argument, NULL, OPT_PLUGIN_DIR },
	{ "list-plugins", no_argument, NULL, OPT_LIST_PLUGINS },
	{ "check", no_argument, NULL, OPT_CHECK },
	{ "version", no_argument, NULL, 'v' },
	{ "help", no_argument, NULL, 'h' },
	{ NULL, 0, NULL, 0 },
};

static bool options_wrong(int argc, char **argv, int c, struct errtext *err)
{
	const char *what = optind > 0 && optind <= argc ? argv[optind - 1] : "";

	if (c == ':')
		errtext_set(err, "%s needs an argument", what);
	else
		errtext_set(err, "unknown option %s", what);
	return false;
}

bool options_parse(int argc, char **argv, struct options *ret, struct errtext *err)
{
	struct options o = { .mode = RUN_DAEMON };
	int c;

	optind = 0; /* glibc: start afresh */
	while ((c = getopt_long(argc, argv, "+:hv", long_options, NULL)) != -1) {
		switch (c) {
		case OPT_SETTINGS:
			o.settings = optarg;
			break;
		case OPT_PLUGIN_DIR:
			o.plugin_dir = optarg;
			break;
		case OPT_LIST_PLUGINS:
			o.mode = RUN_LIST_PLUGINS;
			break;
		case OPT_CHECK:
			o.mode = RUN_CHECK;
			break;
		case 'v':
			o.mode = RUN_VERSION;
			break;
		case 'h':
			o.mode = RUN_HELP;
			break;
		default:
			return options_wrong(argc, argv, c, err);
		}
	}
	if (optind < argc) {
		errtext_set(err, "there is no argument '%s'", argv[optind]);
		return false;
	}
	*ret = o;
	return true;
}

const char *options_settings_file(const struct options *o)
{
	const char *env = getenv("STRONGSWAN_CONF");

	if (o->settings)
		return o->settings;
	if (env && *env)
		return env;
	return access(DEFAULT_SETTINGS, F_OK) == 0 ? DEFAULT_SETTINGS : NULL;
}
