/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_WORKER_TRAP_H
#define BEWICK_WORKER_TRAP_H

#include "worker/worker.h"

/*
 * Policies without SAs: traps, whose first packet brings a CHILD_SA up, and shunts, which let packets pass in clear or drop them.
 * The first worker owns them all. What a trap wants goes to control as WORKER_ACQUIRE, which brings the child up as for an operator.
 */

/* A policy, as it is installed. Owned by its reply. */
struct trap_info {
	struct arena arena;
	const char *ike, *child; /* ike NULL: no connection's */
	enum ipsec_mode mode;    /* PASS, DROP; else a trap */
	uint32_t reqid;          /* traps */
	struct ts_list local, remote; /* shunts: as configured */
};

void trap_info_free(struct trap_info *t);

/* One ENDED follows, with success also if it is installed already. Takes a reference to conn. reply_to NULL: nobody waits. */
EXPORT void workers_trap_install(struct workers *w, uint64_t request, struct mailbox *reply_to, const struct conn *conn,
				 const char *child);
/* The first of this name (ike NULL: of any connection). One ENDED, CAUSE_POLICY: there is none. */
EXPORT void workers_trap_uninstall(struct workers *w, uint64_t request, struct mailbox *reply_to, const char *ike,
				   const char *child);
/* REPLY_TRAP for each, in the order of installing, then DONE. */
EXPORT void workers_trap_list(struct workers *w, uint64_t request, struct mailbox *reply_to);
/* What WORKER_ACQUIRE asked for has come to an end. */
EXPORT void workers_trap_ended(struct workers *w, uint32_t trap_id, enum cause cause);
/*
 * A child of conn for the packet that met its trap; otherwise as workers_initiate.
 */
EXPORT void workers_acquire(struct workers *w, uint64_t request, struct mailbox *reply_to, const struct conn *conn,
			    const char *child, const struct child_acquire *acquire, uint32_t ike_id, unsigned worker);
/* Networks that pass in clear among themselves, by whoever the name says: in place of those of the same name. Any thread. */
EXPORT void workers_set_bypass(struct workers *w, const char *name, const struct prefix *nets, size_t n);

#endif
