/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TEST_CONTROL_H
#define BEWICK_TEST_CONTROL_H

#include <stdatomic.h>
#include <check.h>
#include <pthread.h>
#include <stdlib.h>

#include "control/control.h"
#include "control/internal.h"
#include "worker/trap.h"

TCase *control_fuzz_load_tests(void);
TCase *control_message_tests(void);
TCase *control_client_tests(void);
TCase *control_command_tests(void);
TCase *control_creds_tests(void);
TCase *control_event_tests(void);
TCase *control_hook_tests(void);
TCase *control_initiate_tests(void);
TCase *control_counter_tests(void);
TCase *control_loading_tests(void);
TCase *control_load_policies_tests(void);
TCase *control_pool_tests(void);
TCase *control_rekey_tests(void);
TCase *control_sync_tests(void);
TCase *control_terminate_tests(void);
TCase *control_token_tests(void);
TCase *control_trap_tests(void);
TCase *control_action_tests(void);
TCase *control_reinit_tests(void);

/* ---- workers that play their part: what control asks is recorded, answers are as set here ---- */

#define PEER_WAIT_MS 30000 /* longer than anything takes; then the test fails */
#define FAKE_WORKERS 2 /* as many say how many SAs match */
#define FAKE_SAS 8
#define FAKE_CALLS 256
#define FAKE_PART 128

enum fake_kind {
	FAKE_LIST,
	FAKE_FIND,
	FAKE_STATS,
	FAKE_INITIATE,
	FAKE_TERMINATE,
	FAKE_REKEY,
	FAKE_REAUTH_TIME,
	FAKE_SYNC,
	FAKE_TRAP_INSTALL,
	FAKE_TRAP_UNINSTALL,
	FAKE_TRAP_ENDED,
};

struct fake_call {
	enum fake_kind kind;
	uint64_t request;
	struct mailbox *reply_to;
	char ike[64], child[64]; /* of a selection or connection; "" none */
	uint32_t ike_id, child_id;
	unsigned worker;
	struct child_acquire acquire;
	enum cause ended; /* of a trap */
	bool force, reauth;
	uint64_t seconds;
	uint64_t delta;
};

struct fake_sa {
	const char *ike;
	uint32_t id;
	enum ike_state state;
	const char *children[4]; /* ids: 100 * id + place */
};

struct workers {
	pthread_mutex_t lock; /* guards all below */
	pthread_cond_t called;
	struct fake_call calls[FAKE_CALLS];
	size_t n_calls;
	size_t taken; /* by fake_next */
	struct fake_sa sas[FAKE_SAS];
	size_t n_sas;
	size_t copies; /* of the first SA in lists, for long ones, which are told in parts */
	atomic_uint parts; /* that were told */
	bool hold_find;	    /* DONE of find is the test's */
	bool hold_initiate; /* ENDED of initiate is the test's */
	bool hold_traps;    /* ENDED of installing a trap is the test's */
	char traps[FAKE_SAS][2][64]; /* installed: connection, child */
	size_t n_traps;
	bool hold_end;	    /* ENDED of terminate is the test's */
	enum cause cause;   /* of ENDED */
	uint32_t last_id;
	uint64_t half_open, queued;
	uint64_t counters[SA_COUNTERS];
	unsigned events;
	struct config *config; /* the last one, held as workers do */
	/* read by tests while control goes on: */
	atomic_uint n_configs; /* snapshots given */
	atomic_uint n_rechecks; /* CRLs that established SAs are to be looked at for */
	atomic_size_t n_conns, n_secrets; /* of the last one */
};

/* The next call of a kind that the test has not seen; fails after 5 s. */
struct fake_call fake_next(struct workers *w, enum fake_kind kind);
size_t fake_count(struct workers *w, enum fake_kind kind);
void fake_set(struct workers *w, const struct fake_sa *sas, size_t n);
void fake_ended(const struct fake_call *call, enum cause cause);
void fake_ended_detail(const struct fake_call *call, enum cause cause, const char *detail);
void fake_done(const struct fake_call *call);
void fake_event(struct mailbox *box, enum sa_event event, const struct fake_sa *sa);
void fake_event_of(struct mailbox *box, enum sa_event event, struct ike_info *info); /* takes info */
/* Takes both. */
void fake_rekey_event(struct mailbox *box, enum sa_event event, struct ike_info *old, struct ike_info *new);
void fake_wait_events(struct workers *w, unsigned mask); /* until control wants these */
struct ike_info *fake_info(const struct fake_sa *sa);

/* ---- a control with such workers ---- */

struct lab {
	char dir[64], uri[128], path[96];
	struct workers workers;
	struct control *control;
	unsigned reloads; /* asked for */
	bool reload_fails;
};

extern struct control_parts lab_parts; /* of those that are opened from now on */
extern unsigned lab_token_ms;
void lab_open(struct lab *lab);
void lab_open_with(struct lab *lab, const struct hook_registry *hooks, const struct attribute_registry *attributes);
void lab_close(struct lab *lab);

/* ---- a client that sends any bytes ---- */

struct peer {
	int fd;
	struct buf in;
	struct buf packet; /* the last one received */
	struct vici_packet got;
};

void peer_open(struct peer *p, const struct lab *lab);
void peer_close(struct peer *p);
void peer_send(struct peer *p, const void *data, size_t n);
void peer_packet(struct peer *p, enum vici_type type, const char *name, const struct vici_writer *message);
/* The next packet; fails after 5 s. The message is in p->got until the next one. */
void peer_recv(struct peer *p, enum vici_type expected);
enum vici_type peer_recv_any(struct peer *p); /* the same, of any type, which is returned */
bool peer_has_packet(struct peer *p); /* something to be received */
bool peer_is_closed(struct peer *p); /* waits for the end of the stream; false: a packet came, or 5 s are over */
/* Registers and sees the confirmation. */
void peer_register(struct peer *p, const char *event);
/* Sends a request and receives until its reply; events are counted in *ret_events (may be NULL). */
void peer_call(struct peer *p, const char *command, const struct vici_writer *message, unsigned *ret_events);
/* Asserts on the message received last. */
void peer_value(const struct peer *p, const char *key, const char *expected); /* NULL: not there */
void peer_failed(const struct peer *p, const char *errmsg);		       /* success=no */
void peer_succeeded(const struct peer *p);
/* Request with key/value pairs up to NULL; asserts nothing. */
void peer_ask(struct peer *p, const char *command, const char *key, ...);
void peer_send_request(struct peer *p, const char *command, const char *key, ...);

/* A connection with the children given (NULL-terminated), loaded by the peer. start: all have start_action=start. */
void peer_load_conn(struct peer *p, const char *name, bool start, const char *const *children);
/* With an identity of the peer: another IKE part than without. */
void peer_load_conn_with(struct peer *p, const char *name, const char *id, bool start, const char *const *children);

#endif
