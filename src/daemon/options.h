/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_DAEMON_OPTIONS_H
#define BEWICK_DAEMON_OPTIONS_H

#include "util/result.h"

enum run_mode { RUN_DAEMON, RUN_CHECK, RUN_LIST_PLUGINS, RUN_VERSION, RUN_HELP };

/* The command line. Texts are borrowed from argv. */
struct options {
	enum run_mode mode;
	const char *settings;	/* --settings */
	const char *plugin_dir; /* --plugin-dir; NULL: the installation's */
};

/* On failure err is a sentence for the user. */
MUST_CHECK bool options_parse(int argc, char **argv, struct options *ret, struct errtext *err);
/*
 * Which settings file counts: --settings, else $STRONGSWAN_CONF, else the installation's, which
 * may be missing: NULL then.
 */
const char *options_settings_file(const struct options *o);
extern const char options_help[];

#endif
