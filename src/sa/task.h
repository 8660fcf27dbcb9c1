/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_TASK_H
#define BEWICK_SA_TASK_H

#include "sa/mobike.h"
#include "wire/builder.h"

/*
 * A task does one thing and has two sides. Each task is one file in sa/tasks with a constant
 * table of operations; tasks.c lists them all. A task never sees the others.
 */

/* X(symbol, name as VICI prints it) */
#define TASK_LIST(X)                                                                               \
	X(IKE_INIT)                                                                                \
	X(IKE_AUTH)                                                                                \
	X(IKE_DELETE)                                                                              \
	X(IKE_DPD)                                                                                 \
	X(IKE_MOBIKE)                                                                              \
	X(IKE_REAUTH)                                                                              \
	X(IKE_AUTH_LIFETIME)                                                                       \
	X(IKE_MID_SYNC)                                                                            \
	X(IKE_NOTIFY)                                                                              \
	X(IKE_REKEY)                                                                               \
	X(CHILD_CREATE)                                                                            \
	X(CHILD_REKEY)                                                                             \
	X(CHILD_DELETE)

#define TASK_ENUM(NAME) TASK_##NAME,
enum task_type { TASK_LIST(TASK_ENUM) TASKS };

struct task {
	struct task *next;
	const struct task_ops *ops;
	struct sa_request request; /* who waits for the end, if anyone */
	uint64_t not_before;       /* ms: stays queued until then (task_retry_later); 0 at once */
	uint8_t type;              /* enum task_type */
	bool waiting;              /* parked: a completion must come first */
	bool held;                 /* a task in front of it decides first: the message is not read yet, or the answer comes with a later one */
	bool finished;
	bool child_failed;         /* ended as CHILD_FAILED */
};

struct task_ops {
	size_t size; /* of the task's own struct, which begins with struct task */
	uint8_t exchange; /* the one that the task begins as initiator */
	/* Initiator, before anything is built: what may have to WAIT. May be NULL. */
	enum outcome (*prepare)(struct ike_sa *sa, struct task *t);
	/* Initiator. NULL: the task only answers. */
	enum outcome (*build_request)(struct ike_sa *sa, struct task *t, struct builder *b);
	enum outcome (*process_response)(struct ike_sa *sa, struct task *t, const struct payload_list *in);
	/* Responder. */
	enum outcome (*process_request)(struct ike_sa *sa, struct task *t, const struct payload_list *in);
	enum outcome (*build_response)(struct ike_sa *sa, struct task *t, struct builder *b);
	/* Goes on after WAIT; status and err are the backend's. */
	enum outcome (*resume)(struct ike_sa *sa, struct task *t, enum kernel_status status,
			       const struct errtext *err);
	/* Likewise, when the answer of sa_host_ops.authenticate is there; NULL: it does not come in time. May be NULL. */
	enum outcome (*authenticated)(struct ike_sa *sa, struct task *t, struct auth_request *r);
	/* A DELETED, refused or finished task's end; frees what it holds, not itself. May be NULL. */
	void (*clear)(struct ike_sa *sa, struct task *t);
	/* After the response is on its way, or the exchange is complete: what must come last (the end of
	 * the IKE_SA). May be NULL. */
	void (*after)(struct ike_sa *sa, struct task *t);
};

/* Defined by sa/tasks/tasks.c. */
extern const struct task_ops *const task_table[TASKS];

/* Constructors, each in its task's file. The task is not queued yet. */
struct task *task_new(struct ike_sa *sa, enum task_type type);
void task_free(struct ike_sa *sa, struct task *t);
/* RFC 7296, 2.25: after TEMPORARY_FAILURE the task is to be queued again; its turn comes after a random time of
 * LIMIT_RETRY_MIN_MS to LIMIT_RETRY_MAX_MS, so that two sides which hinder each other do not do so again. */
void task_retry_later(struct ike_sa *sa, struct task *t);
EXPORT const char *task_name(enum task_type type);

/* conf NULL: childless, only as part of the first exchanges. */
struct task *child_create_new(struct ike_sa *sa, const struct conn *conn, const struct child_conf *conf,
			      struct sa_request request);
/* Makes it one for the packet that a trap met (copied); returns the task. */
struct task *child_create_for(struct task *t, const struct child_acquire *acquire);
/* A successor for a CHILD_SA; NULL: there is none with this id. */
struct task *child_rekey_new(struct ike_sa *sa, uint32_t child_id);
/* Whether it is being rekeyed by us, or waits for its turn. */
bool child_rekey_is_pending(const struct ike_sa *sa, uint32_t child_id);
/* By order: what replaces it meanwhile is closed, too, and what it replaced. */
struct task *child_delete_new(struct ike_sa *sa, uint32_t child_id, struct sa_request request);
/* Queues the end of this one alone, whatever follows it. */
void child_delete_this(struct ike_sa *sa, uint32_t child_id);
/* The operator's orders to close `old`, still waiting for their turn, are meant for its successor now. */
void child_delete_follow(struct ike_sa *sa, const struct child_sa *old, const struct child_sa *next);
/* The peer is to drop what it made for our inbound SPI, of which there is no CHILD_SA here. Queued. */
void child_delete_spi(struct ike_sa *sa, uint32_t spi_in);
/* The peer closed an SA of which we know nothing: it may be the one that the answer still under way will name. */
void child_create_spi_gone(struct ike_sa *sa, uint32_t spi_out);
/* RFC 4478: tells the peer how long its authentication is good for; at_once: it is to be repeated now. */
struct task *ike_auth_lifetime_new(struct ike_sa *sa, bool at_once);
/* RFC 6311: agrees on message ids with the peer (if negotiated); delta: by which its sequence numbers are to jump, 0 none. */
struct task *message_id_sync_new(struct ike_sa *sa, uint64_t delta);
/* Tells the peer something by one notify in an INFORMATIONAL exchange: enum notify_type, of which ike_notify.c knows what goes
 * into it; INVALID_SPI: value is the SPI. */
struct task *ike_notify_new(struct ike_sa *sa, unsigned type, uint32_t value);
/* RFC 4555: a request of its own (sa/mobike.h). */
struct task *ike_mobike_new(struct ike_sa *sa, enum mobike_kind kind);
/* What is under way is not believed any more: it is asked once more. */
void ike_mobike_again(struct task *t);
/* Which one a task of type IKE_MOBIKE is; MOBIKE_NOTHING: it only answers. */
enum mobike_kind ike_mobike_kind(const struct task *t);
/* The configuration a queued or active child_create is for; NULL for other tasks. */
const struct child_conf *child_create_conf(const struct task *t);
/* The id of the CHILD_SA that a task works at, 0 if none. */
uint32_t task_child_id(const struct task *t);

#endif
