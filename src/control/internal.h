/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CONTROL_INTERNAL_H
#define BEWICK_CONTROL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "control/control.h"
#include "crypto/signer.h"
#include "loop/helper.h"
#include "loop/loop.h"
#include "proto/limits.h"
#include "util/hash.h"
#include "util/list.h"
#include "util/log.h"
#include "util/mem.h"
#include "vici/message.h"

/* What the files of control share. All but the log sink runs on control's own thread. */

/* Mail besides that of workers (enum worker_reply_kind). */
enum control_mail {
	CONTROL_MAIL_LOG = 100, /* a line of the log */
	CONTROL_MAIL_RELOADED,
	CONTROL_MAIL_QUIESCE,
	CONTROL_MAIL_STOP,
	CONTROL_MAIL_TOKEN, /* a helper has asked a token for a key */
};

/* Lines of the log that may wait in the mailbox; more are dropped and counted. */
#define CONTROL_LOG_WAITING 8192
/* All output beyond LIMIT_VICI_QUEUE, of all clients together: what lists may keep for slow readers. */
#define CONTROL_STREAM_TOTAL (256u << 20)
/* A client for which much waits and that has read nothing for so long is disconnected. */
#define CONTROL_STALLED_MS 30000
/* Packets of one client handled before others get their turn. */
#define CONTROL_BURST 64

#define CONTROL_EVENT_LIST(X)                                                                      \
	X(LOG, "log")                                                                              \
	X(CONTROL_LOG, "control-log")                                                              \
	X(LIST_SA, "list-sa")                                                                      \
	X(LIST_POLICY, "list-policy")                                                              \
	X(LIST_CONN, "list-conn")                                                                  \
	X(LIST_CERT, "list-cert")                                                                  \
	X(LIST_AUTHORITY, "list-authority")                                                        \
	X(IKE_UPDOWN, "ike-updown")                                                                \
	X(CHILD_UPDOWN, "child-updown")                                                            \
	X(IKE_REKEY, "ike-rekey")                                                                  \
	X(CHILD_REKEY, "child-rekey")                                                              \
	X(IKE_UPDATE, "ike-update")

#define CONTROL_EVENT_ENUM(NAME, TEXT) CONTROL_EVENT_##NAME,
enum control_event { CONTROL_EVENT_LIST(CONTROL_EVENT_ENUM) CONTROL_EVENTS };

/* Somebody who waits for mail of the workers. Embedded in its user. */
struct waiter;
typedef void waiter_fn(struct waiter *w, const struct worker_reply *r);
struct waiter {
	struct hashnode node;
	uint64_t id; /* 0: not waiting */
	waiter_fn *fn;
};

struct client;
struct policy_load;

/* A request that is being answered. Lives until command_end; its client may be gone before. */
struct command {
	struct list link; /* control->logging, while it wants lines of the log */
	struct control *control;
	struct client *client; /* NULL: disconnected */
	const char *name;      /* of its definition */
	struct buf request;    /* the message */
	struct vici_writer reply;
	bool replying; /* `reply` was begun */
	/* control-log: which IKE_SAs, and how much of them */
	int log_level;
	uint32_t *log_ids;
	size_t n_log_ids;
	const char *log_name; /* or all of this connection; borrowed by the command's job */
	struct token_certs *certs; /* NULL: it needs none of a token */
	/* its client has read all there was (or is gone): a long list goes on. May end the command. NULL: nothing waits for that */
	void (*drained)(struct command *cmd);
	void *drained_arg;
};

struct client {
	struct list link;  /* control->clients, or ->dead */
	struct list dirty; /* control->dirty: has output to be written */
	struct control *control;
	uint64_t number; /* for log lines */
	int fd;		 /* -1: closed */
	struct loop_fd *watch;
	struct timer work; /* more input is at hand */
	struct buf in;
	size_t in_used;
	struct buf out;
	size_t out_used;
	bool out_full;	/* the socket takes no more at present */
	bool eof, gone; /* sends nothing more; reads nothing more either */
	struct command *command;
	unsigned events[CONTROL_EVENTS]; /* registrations */
	uint64_t dropped;		 /* events lost since it had read everything */
	struct timer stalled;		 /* it reads nothing */
};

/* Since when IKE_SAs of a connection have the IKE part that is in force. */
struct generation {
	struct hashnode node;
	uint32_t min_ike_id;
	char name[];
};

struct control {
	struct control_options options;
	struct control_settings settings;
	struct conn_env env;
	char *uri, *settings_file;
	char *unix_path; /* to be removed at the end */
	struct stat unix_stat;
	time_t started;
	uint64_t started_ms;

	struct loop *loop;
	struct mailbox *box;
	struct loop_fd *box_watch, *listen_watch;
	int listen_fd;
	struct timer accept_again; /* descriptors were exhausted */
	pthread_t thread;
	bool running;
	bool stopping;
	struct timer stop_timer;

	struct workers *workers; /* NULL: not yet, or not any more */
	/* Likewise; and NULL where there is none. */
	struct auth_service *auth;
	struct signer *signer;
	struct helper_pool *helpers;
	struct config_store *store;
	struct config *config; /* the snapshot that the workers have */
	bool config_changed;   /* the store has more than that */
	struct hashtab generations;
	bool has_traps; /* one was installed at some time */

	struct list clients, dirty, dead;
	unsigned n_clients;
	uint64_t next_client;
	size_t queued; /* bytes of output of all clients */

	struct hashtab waiters;
	uint64_t next_request;
	struct list logging;   /* commands with control-log */
	struct list initiates; /* jobs, in order */
	unsigned n_finding, n_finding_later; /* of them, in those phases */
	struct list lists;     /* jobs of list-sas */
	struct list jobs;      /* all others */
	struct list token_queries;
	struct timer token_tidy;
	struct list reinits;
	struct hashtab reinits_by_conn;
	struct list reloads; /* commands that wait for the settings */

	uint64_t counters_base[CONN_COUNTERS]; /* of all workers, when they were reset */
	unsigned wanted[CONTROL_EVENTS]; /* registrations of all clients */
	struct log_sink *sink;
	int sink_level;
	atomic_uint log_waiting;
	atomic_uint log_dropped;

	/* Guards `quiet`: control_quiesce waits for it. */
	pthread_mutex_t lock;
	pthread_cond_t cond;
	bool quiet;
};

/* A mail of our own that holds nothing but its kind. */
struct control_signal {
	struct mail mail;
	bool ok;
	struct control_settings settings;
};

/* A line of the log on its way to the clients. */
struct log_mail {
	struct mail mail;
	enum log_group group;
	int level;
	unsigned thread;
	uint32_t sa_id;
	size_t name_len; /* 0: no SA */
	size_t msg_len;
	char text[]; /* name, NUL, message, NUL */
};

/* ---- listen.c ---- */
int listen_open(struct control *c, const char *uri, struct errtext *err); /* -1: err says why */
void listen_close(struct control *c);

/* ---- client.c ---- */
void client_new(struct control *c, int fd); /* takes the descriptor */
void client_close(struct client *cl);	    /* freed at the end of the turn */
void client_free_dead(struct control *c);
void client_flush_all(struct control *c); /* writes what can be written */
/* A reply, or a part of a list: what the client asked for. */
void client_send(struct client *cl, struct bytes segment);
/* A broadcast: dropped when the client does not read. */
void client_send_event(struct client *cl, struct bytes segment);
/* It has not read what it has got: a list waits for `drained`. */
bool client_is_behind(const struct client *cl);
void client_wake(struct client *cl); /* goes on with its input in the next turn */

/* ---- commands.c ---- */
bool command_run(struct client *cl, struct bytes name, struct bytes message); /* false: unknown */
struct bytes command_request(const struct command *cmd);
/* A unique id among the keys of the request; 0: not given, or not one. */
uint32_t command_id(const struct command *cmd, const char *key);
struct vici_writer *command_reply(struct command *cmd); /* begun at the first call */
void command_end(struct command *cmd);			/* sends the reply, frees */
void command_ok(struct command *cmd);			/* success=yes, and ends */
void command_fail(struct command *cmd, const char *fmt, ...) PRINTF_LIKE(2, 3); /* success=no, and ends */
void command_errmsg(struct command *cmd, struct buf *text); /* as printable ASCII; changes text */
/* Answers that the daemon is shutting down, and true, when there are no workers. */
bool command_no_workers(struct command *cmd);
bool command_wants(const struct command *cmd, enum control_event event);
bool command_is_behind(const struct command *cmd); /* its client is */
/* Events of a list: begin, fill, send. */
void command_event_begin(struct vici_writer *w, enum control_event event);
void command_event_send(struct command *cmd, struct vici_writer *w); /* clears w */
void command_log(struct command *cmd, int level, uint32_t ike_id);   /* control-log of one more IKE_SA (0: none yet) */
void command_abandon(struct command *cmd); /* frees without an answer */

void waiter_start(struct control *c, struct waiter *w, waiter_fn *fn); /* gives w->id */
void waiter_stop(struct control *c, struct waiter *w);
void waiter_deliver(struct control *c, const struct worker_reply *r);

/* ---- events.c ---- */
const char *event_name(enum control_event event);
bool event_parse(struct bytes name, enum control_event *ret);
void event_register(struct client *cl, enum control_event event);
bool event_unregister(struct client *cl, enum control_event event);
void events_forget(struct client *cl); /* all registrations of it */
void events_update(struct control *c); /* what workers and the log are to tell us */
void events_sa(struct control *c, const struct worker_reply *r);
void events_log(struct control *c, const struct log_mail *m);

/* ---- hooks.c ---- */
unsigned hooks_events(const struct control *c); /* what workers are to tell us for them */
void hooks_sa(struct control *c, const struct worker_reply *r);

/* ---- messages ---- */
void sa_message_ike(struct vici_writer *w, const struct ike_info *info, bool children);
/* The event ike-update: where it goes, and the section of where it was. */
void sa_message_ike_update(struct vici_writer *w, const struct ike_info *info, const struct addr *local, const struct addr *remote);
/* The sections of the events ike-rekey, and child-rekey (both with the one child that they are about). */
void sa_message_ike_rekey(struct vici_writer *w, const struct ike_info *old, const struct ike_info *new);
void sa_message_child_rekey(struct vici_writer *w, const struct ike_info *old, const struct ike_info *new);
const char *sa_message_mode(enum ipsec_mode mode); /* as VICI calls it */
void sa_message_suite(struct vici_writer *w, const struct suite *s, bool with_prf, bool with_ke);
/* A tree of the whole message; NULL: its structure is wrong. */
struct tree *conf_message_parse(struct bytes message);
/* Calls fn for each section of the request, until one is refused: false, err says why. */
typedef bool command_section_fn(struct command *cmd, const struct tree *section, struct errtext *err);
bool command_each_section(struct command *cmd, command_section_fn *fn, struct errtext *err);
void conn_message(struct vici_writer *w, const struct conn *conn);

/* ---- jobs ---- */
/* cmd NULL: in the background. child NULL: the IKE_SA only. */
struct initiate_how {
	struct command *cmd;
	int timeout_ms; /* 0: none */
	bool init_limits;
	bool start_action;
	struct reinit *reinit; /* is told how it ended */
	const struct child_acquire *acquire; /* for the packet that met this trap, which is told how it ended */
	uint32_t trap_id;
};
void initiate_start(struct control *c, const struct conn *conn, const char *child, const struct initiate_how *how);
void initiate_abort_all(struct control *c); /* at the end */
/* Start actions under way (names NULL: all) are not repeated if they fail. */
void initiate_forget(struct control *c, const char *conn, const char *child);
/* Start actions of these children that have not come to the workers yet are not to be. */
void initiate_cancel_starts(struct control *c, const char *conn, const char *const *children, size_t n);
/* Ids of IKE_SAs that start actions of these children are still setting up. */
bool initiate_is_starting(struct control *c, uint32_t ike_id, const char *conn, const char *const *children, size_t n);

void reinit_request(struct control *c, const struct worker_reply *r);
void reinit_done(struct control *c, struct reinit *r, enum cause cause);
/* A start action came to nothing. */
void reinit_start_failed(struct control *c, const struct conn *conn, const char *child, enum cause cause);
/* NULL: all. What is under way is not repeated either. */
void reinit_forget(struct control *c, const char *conn, const char *child);
/* `conn` (NULL: nothing) is in the place of `old`: what is different is not brought up as it was. */
void reinit_config_changed(struct control *c, const struct conn *old, const struct conn *conn);

/* Undoes the start actions of `undo` children of a connection, then runs those of `start` (of conn, may be NULL). */
void start_actions(struct control *c, const char *name, const char *const *undo, size_t n_undo, bool keep_ike,
		   const struct conn *conn, const char *const *start, size_t n_start);

/* ---- load_policies.c ---- */
/* The command's answer comes when all that was added to it has ended. */
struct policy_load *policy_load_new(struct command *cmd);
uint64_t policy_load_add(struct policy_load *l, const char *child); /* the number of a request to install it */
void policy_load_ready(struct policy_load *l);			    /* nothing more will be added; may free it */

/* ---- traps.c ---- */
/* Policies of children that are no more, or are different now, are removed, new ones installed, for which `load` (may be NULL) waits.
 * old or conn may be NULL. */
void traps_conn_changed(struct control *c, const struct conn *old, const struct conn *conn, struct policy_load *load);
void traps_again(struct control *c, const struct worker_reply *r);    /* RETRAP */
void traps_acquired(struct control *c, const struct worker_reply *r); /* ACQUIRE */

/* Jobs that are freed when control ends. */
struct job {
	struct list link;
	void (*free)(struct control *c, struct job *job);
};
void jobs_free(struct control *c);

/* ---- cmd_list.c ---- */
void lists_end(struct control *c); /* workers tell no more */

/* ---- cmd_control.c ---- */
/* The connection (ike NULL: the first) that has the child (NULL: any); NULL: none. */
const struct conn *control_find_conn(struct control *c, const char *ike, const char *child);

/* ---- cmd_conns.c ---- */
uint32_t generation_min(struct control *c, const char *conn);
void generations_free(struct control *c);
void control_config_changed(struct control *c);
/* Hands changes to the workers now. At the latest that is done before answers are written. */
void control_publish(struct control *c);
static inline const struct config *control_snapshot(struct control *c)
{
	control_publish(c);
	return c->config;
}

/* ---- cert_filter.c ---- */
enum vici_cert { VICI_CERT_ANY, VICI_CERT_PUBKEY, VICI_CERT_X509, VICI_CERT_AC, VICI_CERT_CRL, VICI_CERT_OCSP };
struct cert_filter {
	enum vici_cert type;
	enum cert_flag flag; /* of X509 */
	bool any_flag;
};
bool cert_filter_type(struct bytes word, struct cert_filter *ret);
bool cert_filter_flag(struct bytes word, struct cert_filter *ret);
const char *cert_flag_word(enum cert_flag flag);

/* ---- cmd_certs.c ---- */
/* Drops what was fetched or received of that type. */
void control_flush_certs(struct control *c, enum vici_cert type);

/* ---- tokens.c ---- */
typedef void command_fn(struct command *cmd);
struct token_query;
/* A key or a certificate that a token is asked for, and what it said. */
struct token_job {
	struct helper_job helper;
	struct token_query *query; /* NULL: nobody waits any more */
	bool key;
	struct buf handle;
	int64_t slot;
	char *module, *pin;
	bool ok;
	struct private_key *ret_key;
	struct buf ret_der;
	struct errtext why;
};
struct token_job *token_job_new(bool key, const struct token_ref *t); /* copies */
void token_job_free(struct token_job *j);
/* Takes the question; done gets it back with the answer, or with why there is none in time, perhaps at once. */
typedef void token_done_fn(struct command *cmd, struct token_job *answer);
void token_ask(struct command *cmd, struct token_job *question, token_done_fn *done);
void token_mail(struct control *c, struct mail *m);
void token_queries_end(struct control *c); /* nobody answers any more */
void token_queries_free(struct control *c);
/* Keys were unloaded: sessions with tokens that were theirs alone are ended soon. */
void token_keys_gone(struct control *c);
/* A token_cert_fn (arg: the command): what has come, or fails and remembers that it is wanted. */
bool token_cert_find(void *arg, const struct token_ref *t, struct buf *ret, struct errtext *err);
/* When the command failed: true if something was wanted. It is asked for, and the command begun again. */
bool token_certs_ask(struct command *cmd, command_fn *again);
void token_certs_free(struct command *cmd);

/* ---- the commands ---- */
command_fn cmd_version, cmd_stats, cmd_reload_settings;
command_fn cmd_load_conn, cmd_unload_conn, cmd_get_conns, cmd_list_conns;
command_fn cmd_load_shared, cmd_unload_shared, cmd_get_shared, cmd_clear_creds;
command_fn cmd_load_cert, cmd_flush_certs, cmd_list_certs;
command_fn cmd_load_key, cmd_unload_key, cmd_get_keys, cmd_load_token;
command_fn cmd_load_authority, cmd_unload_authority, cmd_get_authorities, cmd_list_authorities;
command_fn cmd_load_pool, cmd_unload_pool, cmd_get_pools;
command_fn cmd_list_sas;
command_fn cmd_initiate, cmd_terminate, cmd_rekey, cmd_sync_ids;
command_fn cmd_install, cmd_uninstall, cmd_list_policies;
command_fn cmd_get_algorithms;
command_fn cmd_get_counters, cmd_reset_counters;
void cmd_reloaded(struct control *c, bool ok);

#endif
