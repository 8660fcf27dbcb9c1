/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_DAEMON_VALUES_H
#define BEWICK_DAEMON_VALUES_H

#include "auth/auth_service.h"
#include "config/settings.h"
#include "control/control.h"
#include "net/net.h"
#include "worker/worker.h"

/*
 * From settings to what the parts take. A value that cannot be is logged, with what can, and the
 * default taken in its place.
 */

/* Only the members that come from settings; the ports are those of `net`. */
void values_net(const struct settings *s, struct net_options *ret);
void values_workers(const struct settings *s, struct workers_options *ret);
void values_control(const struct settings *s, struct control_settings *ret);
void values_auth(const struct settings *s, struct auth_options *ret);
unsigned values_worker_count(const struct settings *s);
bool values_key_process(const struct settings *s); /* private keys are kept by a process of their own */
unsigned values_token_ms(const struct settings *s); /* who waits for a token waits so long */
uint32_t values_mark(const struct settings *s, bool needed);
const char *values_control_uri(const struct settings *s);
/* A number between min and max. */
int64_t values_int(const struct settings *s, const char *key, int64_t min, int64_t max, int64_t fallback);
/* Reads all of them, for what they log. */
void values_check(const struct settings *s);

#endif
