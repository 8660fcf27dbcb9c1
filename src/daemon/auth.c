/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/daemon.h"
#include "daemon/values.h"

bool daemon_start_auth(struct daemon *d, struct errtext *err)
{
	struct auth_options o = { .fetchers = d->plugin_env.fetchers };

	values_auth(d->settings, &o);
	d->auth = auth_service_new(&o, err);
	return d->auth != NULL;
}

void daemon_stop_auth(struct daemon *d)
{
	auth_service_free(d->auth);
	d->auth = NULL;
}

void daemon_apply_auth(struct daemon *d)
{
	struct auth_options o = { 0 };

	values_auth(d->settings, &o);
	auth_service_set_options(d->auth, &o);
}
