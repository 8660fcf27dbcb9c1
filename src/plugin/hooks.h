/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_PLUGIN_HOOKS_H
#define BEWICK_PLUGIN_HOOKS_H

#include "plugin/attributes.h"
#include "proto/ipsec.h"
#include "proto/ts.h"
#include "util/arena.h"

/*
 * What plugins are told of tunnels, as plain values: nobody outside the workers sees an SA. Registered at load, frozen
 * before workers start.
 */

/* A CHILD_SA is up, or was and is not any more. Rekeyings are neither: the last one of a line goes down. */
struct hook_child {
	bool up;
	const char *conn, *name; /* the connection's, the child's */
	uint32_t ike_id, child_id, reqid;
	uint32_t line_id; /* the same when it comes up and when it goes down, whatever was rekeyed meanwhile */
	uint8_t protocol; /* PROTOCOL_ESP, PROTOCOL_AH */
	bool initiator;   /* of the IKE_SA */
	bool encap;       /* ESP in UDP */
	bool hostaccess;
	const char *updown;       /* command; NULL none */
	struct addr local, remote; /* of the IKE_SA, with ports */
	const char *local_id, *remote_id;
	struct ts_list local_ts, remote_ts;
	struct ipsec_scope scope;
	size_t n_local_vips, n_remote_vips; /* virtual addresses: ours, the peer's */
	const struct addr *local_vips, *remote_vips;
	size_t n_attributes; /* that the gateway gave us */
	const struct attribute *attributes;
};

struct hook {
	const char *name;
	/* Before workers start; not when plugins are only listed. May be NULL. */
	void (*start)(void *arg);
	/* On control's thread: must not wait; `child` is borrowed for the call. May be NULL. */
	void (*child)(void *arg, const struct hook_child *child);
	bool only_updown; /* only children with an updown command concern it */
	/* After the last event: what is under way has time until deadline_ms (CLOCK_MONOTONIC). May be NULL. */
	void (*finish)(void *arg, uint64_t deadline_ms);
	void *arg;
};

struct hook_registry;
EXPORT struct hook_registry *hook_registry_new(void);
EXPORT void hook_registry_free(struct hook_registry *r);
EXPORT void hook_add(struct hook_registry *r, const struct hook *h); /* borrowed until removed */
EXPORT void hook_remove(struct hook_registry *r, const struct hook *h);

enum hook_interest {
	HOOK_INTEREST_NONE,
	HOOK_INTEREST_UPDOWN, /* children with an updown command */
	HOOK_INTEREST_ALL,
};

/* These accept r == NULL. */
EXPORT enum hook_interest hooks_interest(const struct hook_registry *r);
EXPORT void hooks_start(const struct hook_registry *r);
EXPORT void hooks_child(const struct hook_registry *r, const struct hook_child *child);
EXPORT void hooks_finish(const struct hook_registry *r, uint64_t deadline_ms);

/* A copy that lives in the arena. */
EXPORT struct hook_child *hook_child_dup(struct arena *a, const struct hook_child *child);

#endif
