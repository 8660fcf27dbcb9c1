/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_SA_CHILD_SA_H
#define BEWICK_SA_CHILD_SA_H

#include "kernel/kernel.h"
#include "sa/child_sa_states.h"
#include "sa/host.h"

/* A CHILD_SA: a pair of ESP SAs. Owned by its IKE_SA. Holds no keys: the backend does. */
struct child_sa {
	struct hashnode by_id; /* the host's */
	struct child_sa *next; /* of the IKE_SA */
	struct ike_sa *ike;
	const struct conn *conn; /* a reference: the configuration it was made with */
	const struct child_conf *conf; /* in conn */
	struct kernel_handle *handle;  /* when installed */
	uint64_t installed_ms;
	/* sa/deadline.h */
	uint64_t rekey_ms, life_ms; /* soft and hard lifetime */
	/* DELETED: until when late packets are taken; else when it sends at the latest, installed with out_waits */
	uint64_t overlap_ms;
	uint64_t idle_ms;           /* the next look whether it has traffic */
	uint32_t id, reqid;
	uint32_t line_id; /* id of the first one of its line of rekeyings: hooks know it by this */
	uint32_t spi_in, spi_out; /* host order; 0 = none yet */
	uint32_t successor; /* id of what the peer made to replace it, or of what replaced it; 0 none */
	uint8_t state; /* enum child_state */
	uint8_t mode;  /* enum ipsec_mode: what is asked for; what was agreed on */
	uint8_t rekey_failures;
	uint8_t place;   /* of the IKE_SA when it was installed or moved last */
	bool idle_asked : 1; /* the backend was asked for its last packet, and may not have known it at once */
	bool peer_no_tfc : 1; /* the peer takes no padding for the sake of traffic analysis (RFC 7296, 1.3.1) */
	bool encap : 1;
	bool initiator : 1;  /* of the exchange that made it */
	bool own_ke : 1;     /* suite.ke tells the key exchange it was made with */
	bool reauth_asked : 1; /* a reauthentication under way has taken it into account */
	bool out_waits : 1;  /* install: the one it replaces sends until the peer closes that */
	bool announced : 1;  /* control knows it as the one that is up */
	bool superseded : 1; /* another one does its work: late packets are taken after its end */
	bool peer_deletes : 1; /* REKEYED: closing it is the peer's */
	bool over : 1;       /* REKEYING: its hard limit is reached */
	bool of_trap : 1;    /* reqid is the trap's, which has the configured selectors */
	bool conf_local_ts : 1; /* its local selectors are those of conf: n_local is their number */
	struct suite suite;
	uint16_t n_local, n_remote;
	struct ts *ts; /* local ones but for conf's, then n_remote: owned */
	uint64_t claim; /* its selectors, when they are the peer's alone (sa_host_ops.claim_selectors); 0 none */
	struct ipsec_scope *scope; /* owned; NULL: the usual (sa/scope.h) */
};

/* old: the one that it is to replace, or NULL; reqid, marks and interface ids are the same then. */
struct child_sa *child_sa_new(struct ike_sa *ike, const struct conn *conn, const struct child_conf *conf,
			      const struct child_sa *old);
/* Takes it out of its IKE_SA, removes it from the backend, frees it. */
void child_sa_free(struct child_sa *c);
/* Moves by the table; an undeclared move is logged and refused. */
EXPORT bool child_sa_move(struct child_sa *c, enum child_event event);
void child_sa_set_ts(struct child_sa *c, struct ts_list local, struct ts_list remote);
static inline struct ts_list child_sa_local_ts(const struct child_sa *c)
{
	return (struct ts_list){ c->n_local, c->conf_local_ts ? c->conf->local_ts.p : c->ts };
}
static inline struct ts_list child_sa_remote_ts(const struct child_sa *c)
{
	return (struct ts_list){ c->n_remote, c->ts && !c->conf_local_ts ? c->ts + c->n_local : c->ts };
}
/* What the configuration wants of a child that has gone: up again, or trapped (enum child_action). */
void child_sa_act(const struct child_sa *c, unsigned action);
/* Hands keys and policies to the backend. KEYMAT as keys_derive_child gives it. */
enum kernel_status child_sa_install(struct child_sa *c, struct bytes keymat, const struct protect *protect,
				    struct errtext *err);
/* After KERNEL_OK, at once or later: INSTALLED. */
void child_sa_installed(struct child_sa *c);
/* It is new to control: logged and told. */
void child_sa_announce(struct child_sa *c);
/* Both. */
void child_sa_established(struct child_sa *c);
/* Whether outbound packets may use it (kernel_ops.carry). */
void child_sa_carry(struct child_sa *c, bool on);
/* The end of a DELETED one: told if anybody knew of it; freed, at once or when no late packets can come any more. */
void child_sa_closed(struct child_sa *c);
/* "10.2.0.0/16 === 10.1.0.0/16" */
void child_sa_format_ts(struct buf *out, const struct child_sa *c);
/* Counters of the backend; zero if it does not know. */
void child_sa_usage(const struct child_sa *c, struct kernel_usage *ret_in, struct kernel_usage *ret_out);

#endif
