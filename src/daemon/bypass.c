/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "daemon/daemon.h"
#include "util/log.h"
#include "worker/trap.h"

/* What plugins know of networks that pass in clear goes to the workers as shunts. */

static void bypass_found(void *arg, const char *name, const struct prefix *nets, size_t n)
{
	struct daemon *d = arg;

	workers_set_bypass(d->workers, name, nets, n);
}

void daemon_no_bypass(struct daemon *d)
{
	for (size_t i = 0; i < d->bypasses.n; i++)
		if (d->bypass[i])
			d->bypasses.ops[i]->stop(d->bypass[i]);
	memset(d->bypass, 0, sizeof(d->bypass));
}

void daemon_bypass(struct daemon *d)
{
	struct bypass_env env = { d->settings, d->loop, bypass_found, d };

	daemon_no_bypass(d);
	for (size_t i = 0; i < d->bypasses.n; i++) {
		struct errtext err = { "" };

		d->bypass[i] = d->bypasses.ops[i]->start(&env, &err);
		if (!d->bypass[i])
			LOG(CFG, LOG_LEVEL_AUDIT, "%s: %s", d->bypasses.ops[i]->name, err.s);
	}
}
