/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CONTROL_CONTROL_H
#define BEWICK_CONTROL_CONTROL_H

#include "config/store.h"
#include "plugin/hooks.h"
#include "worker/worker.h"

/*
 * The VICI server. One thread of its own serves all clients; it owns the configuration store. It
 * asks the workers by mail and waits for nobody: a command that takes time is a state machine
 * which the answers and timers move on.
 *
 * Order of life: control_new (the socket is there), workers_start with control_mailbox and
 * control_config, control_start, ..., control_quiesce, workers_stop, control_stop, control_free.
 */
struct auth_service;
struct control;
struct signer;

typedef void control_algorithm_fn(void *arg, const char *section, const char *name, const char *plugin);

/* What the settings say; a reload brings new ones. */
struct control_settings {
	bool reuse_ikesa;
	unsigned init_limit_half_open, init_limit_job_load; /* for initiate with init-limits; 0 off */
	uint32_t replay_window;
	bool chain_rules_only; /* signature_authentication_constraints = no */
	unsigned token_ms; /* commands wait so long for a token */
};

struct control_options {
	const char *uri;	    /* "unix:///path" or "tcp://host:port" */
	const char *settings_file;  /* for messages; NULL: none */
	const char *const *plugins; /* names for stats, borrowed */
	size_t n_plugins;
	const char *backend, *backend_why; /* for stats, borrowed; NULL: not told */
	struct conn_env env;
	/* Frozen; NULL: nobody is told. */
	const struct hook_registry *hooks;
	const struct attribute_registry *attributes;
	struct control_settings settings;
	/* For get-algorithms: calls fn for each; section words are VICI's. */
	void (*each_algorithm)(void *arg, control_algorithm_fn *fn, void *fn_arg);
	void *algorithm_arg;
	/* reload-settings: called on control's thread, must return at once; control_reloaded follows. */
	void (*reload)(void *arg);
	void *reload_arg;
};

/* Listens. On failure err is a sentence for the administrator. Start-up thread. */
EXPORT struct control *control_new(const struct control_options *options, struct errtext *err);
EXPORT struct mailbox *control_mailbox(struct control *c); /* for workers_options.events */
EXPORT struct config *control_config(struct control *c);   /* the first snapshot, a reference; before the start */
/* Before the start; NULL: there is none. They are used till control_quiesce. */
struct control_parts {
	struct auth_service *auth;   /* for the certificates and CRLs that it has cached */
	struct signer *signer;	     /* private keys are given to it */
	struct helper_pool *helpers; /* ask tokens for keys and certificates */
};
EXPORT void control_use(struct control *c, const struct control_parts *parts);
/* Serves clients. On failure err says why. */
EXPORT bool control_start(struct control *c, struct workers *workers, struct errtext *err);
/* Any thread: settings were read again; NULL: that failed. Answers all reload-settings that wait. */
EXPORT void control_reloaded(struct control *c, const struct control_settings *settings);
/* After this nothing is asked of the workers any more, but their events still go to clients. */
EXPORT void control_quiesce(struct control *c);
/* Gives clients what is queued for them (within a second), disconnects them and ends the thread. */
EXPORT void control_stop(struct control *c);
EXPORT void control_free(struct control *c); /* NULL is fine */

#endif
