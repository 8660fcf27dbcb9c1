/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_WORKER_TRAP_TABLE_H
#define BEWICK_WORKER_TRAP_TABLE_H

#include "util/list.h"
#include "worker/internal.h"
#include "worker/trap.h"

/* What the files of traps share; all on the first worker's thread. */

/* Acquires of all traps that control is asked for in a second, at most. */
#define TRAPS_ACQUIRES_PER_SECOND 200
#define TRAP_PAUSE_FIRST_MS 1000
#define TRAP_PAUSE_MAX_MS 16000

struct trap {
	struct list link; /* traps->list, in the order of installing */
	struct worker *worker;
	uint32_t id;	  /* as of a CHILD_SA: the backend names it in events */
	uint32_t reqid;	  /* 0: a shunt */
	const struct conn *conn; /* a reference; NULL: of a plugin */
	const struct child_conf *conf; /* in conn */
	char *owner;		 /* of a plugin: its name */
	struct arena arena;	 /* selectors and name */
	const char *name;
	enum ipsec_mode mode;
	struct ts_list local, remote;
	struct addr local_addr, remote_addr; /* outer; family 0: not known */
	struct kernel_handle *handle;
	uint32_t tries;	/* to install it: tells answers of the backend apart */
	bool installed; /* else the backend has not answered yet, or it waits */
	bool waits;	/* for an address of ours */
	struct sa_request *waiters;
	size_t n_waiters;
	bool keep; /* while bypass networks change: there still */

	/* trap_acquire.c */
	bool busy;	       /* control is bringing it up, for `running` */
	bool has_next;	       /* another packet came meanwhile, or in the pause */
	struct child_acquire running, next;
	unsigned pause_ms;     /* after the last failure, 0 none */
	struct timer timer;    /* until the end of the pause */
};

struct traps {
	struct worker *worker;
	struct list list;
	struct list gone; /* trap_gone.c */
	uint32_t last_gone;
	struct ratelimit limit;
};

struct trap *traps_by_id(struct traps *t, uint32_t id);
/* Packets that came and were not acted on are forgotten. */
void trap_acquire_stop(struct trap *t);
void trap_acquire_ended(struct trap *t, enum cause cause);

/* What is mailed to the owner. */
enum trap_op { TRAP_OP_INSTALL, TRAP_OP_UNINSTALL, TRAP_OP_LIST, TRAP_OP_ENDED, TRAP_OP_INSTALLED, TRAP_OP_BYPASS,
	       TRAP_OP_GONE };

struct trap_mail {
	struct mail mail;
	enum trap_op op;
	uint64_t request;
	struct mailbox *reply_to;
	const struct conn *conn; /* a reference */
	char *ike, *child;	 /* owned; BYPASS: ike is who says so */
	uint32_t id, tries;	 /* GONE: of the answer that is due */
	enum cause cause;	 /* ENDED */
	enum kernel_status status; /* INSTALLED */
	struct errtext err;
	struct prefix *nets; /* BYPASS: owned */
	size_t n_nets;
};

struct trap_mail *trap_mail_new(enum trap_op op);
void trap_mail_post(struct workers *pool, struct trap_mail *m);
/* NULL: shut down, or reply_to NULL; else tells it. */
void trap_reply(uint64_t request, struct mailbox *reply_to, enum cause cause, const char *why);

/* trap_gone.c. The waiter hears when the backend has done all that it was asked for; traps_gone: it has. */
void traps_gone_wait(struct traps *t, struct sa_request waiter);
void traps_gone(struct traps *t, uint32_t id);
void traps_gone_clear(struct traps *t);

/* trap_install.c. False: err says why. */
bool trap_install(struct trap *t, struct errtext *err);
/* Addresses and selectors of a child's policy. With t->waits: it may be possible later. */
bool trap_resolve(struct trap *t, struct errtext *err);
/* Whether our address towards the peer is another one now. */
bool trap_has_moved(const struct trap *t);

#endif
