/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/daemon.h"
#include "daemon/values.h"

/* On a thread of the service. */
static void daemon_new_crl(void *arg, const struct crl *crl)
{
	struct daemon *d = arg;

	pthread_rwlock_rdlock(&d->events_lock);
	if (d->events_to)
		workers_recheck_crl(d->events_to, crl);
	pthread_rwlock_unlock(&d->events_lock);
}

bool daemon_start_auth(struct daemon *d, struct errtext *err)
{
	struct auth_options o = { .fetchers = d->plugin_env.fetchers };

	values_auth(d->settings, &o);
	d->auth = auth_service_new(&o, err);
	if (d->auth)
		auth_service_on_crl(d->auth, daemon_new_crl, d);
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
