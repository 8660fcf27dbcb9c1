/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_DAEMON_DAEMON_H
#define BEWICK_DAEMON_DAEMON_H

#include <pthread.h>
#include <stdatomic.h>

#include "auth/auth_service.h"
#include "control/control.h"
#include "crypto/signer.h"
#include "daemon/loggers.h"
#include "daemon/options.h"
#include "daemon/scripts.h"
#include "kernel/bypass.h"
#include "kernel/kernel.h"
#include "loop/helper.h"
#include "loop/loop.h"
#include "net/net.h"
#include "plugin/loader.h"

/*
 * The process: what it is made of, in the order in which it is started and, reversed, stopped.
 * All of it belongs to the main thread, but for what is said.
 */
struct daemon {
	const struct options *options;
	const char *settings_file; /* NULL: defaults */
	struct settings *settings; /* in force */
	/* What plugins and the backend were started with: they borrow from it till the end. */
	struct settings *first_settings;
	struct loggers *loggers;

	struct signer *signer; /* the process that signs, or NULL */
	struct loop_fd *signer_watch;
	struct loop *loop;
	int signal_fd;
	int wake_fd; /* other threads set a flag below, then write to it */
	atomic_bool reload_asked, backend_dead;
	bool failed; /* ends because of an error */
	size_t started; /* steps of startup.c */

	struct plugin_env plugin_env;
	struct plugin_set *plugins;
	const char **plugin_names;
	size_t n_plugins;

	struct net *net;
	uint64_t steer_secret;
	const struct kernel_ops *kernel_ops;
	struct kernel *kernel;
	unsigned n_esp_sockets;
	int *esp_fds4, *esp_fds6; /* n_esp_sockets */

	struct timer qcd_timer;

	struct auth_service *auth;
	struct control *control;
	bool control_serves;
	unsigned n_workers;
	struct helper_pool *helpers; /* for names */
	struct helper_pool *token_helpers; /* apart: a token that hangs delays no look-up */
	struct workers *workers;
	struct net_watch *watch; /* NULL: not possible here */
	struct bypass_registry bypasses; /* of plugins */
	struct bypass *bypass[BYPASS_MAX]; /* running, or NULL */
	/* Guards events_to: the backend's threads read it, start and stop write. */
	pthread_rwlock_t events_lock;
	struct workers *events_to; /* NULL: events are dropped */

	char *pid_file; /* ours, to be removed */
	int pid_fd;
	struct scripts *start_scripts;
};

/* startup.c. Both sides log; start says in err why it cannot be. */
MUST_CHECK bool daemon_start(struct daemon *d, struct errtext *err);
void daemon_stop(struct daemon *d); /* what was started, also after a failed start */

/* keys.c: the process that signs, if it is wanted, and the PKCS#11 modules. */
MUST_CHECK bool daemon_start_signer(struct daemon *d, struct errtext *err);
void daemon_stop_signer(struct daemon *d);
void daemon_set_modules(struct daemon *d); /* logs what is wrong */

/* plugins.c. Fails when a mandatory plugin cannot be loaded. */
MUST_CHECK bool daemon_load_plugins(struct daemon *d, struct errtext *err);
/* Whether what was loaded has the algorithms without which nothing can be set up. */
MUST_CHECK bool daemon_check_crypto(struct daemon *d, struct errtext *err);
void daemon_unload_plugins(struct daemon *d);
int daemon_list_plugins(struct daemon *d);

/* backend.c: the sockets and the data plane, which have to fit each other. */
/* What connections need to know of it. */
struct conn_backend daemon_backend(const struct kernel_ops *ops);
MUST_CHECK bool daemon_open_net(struct daemon *d, struct errtext *err);
void daemon_close_net(struct daemon *d);
MUST_CHECK bool daemon_start_kernel(struct daemon *d, struct errtext *err);
void daemon_stop_kernel(struct daemon *d);

/* auth.c: the service of certificates and signatures, and its settings in force. It is closed before the workers stop. */
MUST_CHECK bool daemon_start_auth(struct daemon *d, struct errtext *err);
void daemon_stop_auth(struct daemon *d);
void daemon_apply_auth(struct daemon *d);

/* signals.c: the main thread's loop. */
MUST_CHECK bool daemon_open_loop(struct daemon *d, struct errtext *err);
void daemon_close_loop(struct daemon *d);
void daemon_wake(struct daemon *d); /* any thread */
void daemon_ignore_hup(struct daemon *d); /* from now on signal_fd is readable when we shall end, and only then */

/* roam.c: changes of addresses and routes go to the workers, from now on and by the settings in force. */
void daemon_watch(struct daemon *d);
void daemon_unwatch(struct daemon *d);
/* bypass.c: starts them, or starts them anew. */
void daemon_bypass(struct daemon *d);
void daemon_no_bypass(struct daemon *d);

/* reload.c */
void daemon_reload(struct daemon *d);
void daemon_apply_options(struct daemon *d); /* the settings in force go to the workers */

/* qcd.c: the secrets of our tokens, out of their file; has a new one made when it is time. */
void daemon_load_qcd(struct daemon *d, struct sa_options *o);

/* pidfile.c */
void daemon_write_pid(struct daemon *d);
void daemon_remove_pid(struct daemon *d);

/* notify.c: tells systemd, when it started us; "READY=1". */
void daemon_notify(const char *state);

#endif
