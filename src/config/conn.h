/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CONFIG_CONN_H
#define BEWICK_CONFIG_CONN_H

#include <stdatomic.h>

#include "config/auth_rules.h"
#include "config/conn_counters.h"
#include "config/tree.h"
#include "crypto/cert.h"
#include "proto/id.h"
#include "proto/ipsec.h"
#include "proto/proposal.h"
#include "proto/ts.h"
#include "util/arena.h"

/*
 * A connection as load-conn gave it: immutable after conn_parse, counted. SAs hold a
 * reference to the one they were made with; a reload makes a new object.
 */

/* local_addrs / remote_addrs entry. */
enum endpoint_kind { ENDPOINT_ANY, ENDPOINT_ADDR, ENDPOINT_PREFIX, ENDPOINT_RANGE, ENDPOINT_NAME };
struct endpoint {
	enum endpoint_kind kind;
	struct addr addr;     /* ADDR; RANGE: first; ANY: of this family, 0 both */
	struct addr addr_to;  /* RANGE: last */
	struct prefix prefix; /* PREFIX */
	const char *text;     /* as configured; NAME: to be resolved */
};

enum conn_unique { UNIQUE_NO, UNIQUE_REPLACE, UNIQUE_KEEP, UNIQUE_NEVER };
enum conn_auth { CONN_AUTH_ANY, CONN_AUTH_PUBKEY, CONN_AUTH_PSK, CONN_AUTH_EAP };
enum conn_revocation { REVOCATION_RELAXED, REVOCATION_IFURI, REVOCATION_STRICT };
enum conn_send_cert { SEND_CERT_IFASKED, SEND_CERT_ALWAYS, SEND_CERT_NEVER };
enum conn_ocsp { CONN_OCSP_REPLY, CONN_OCSP_REQUEST, CONN_OCSP_BOTH, CONN_OCSP_NEVER };
enum conn_fragmentation { FRAGMENTATION_YES, FRAGMENTATION_ACCEPT, FRAGMENTATION_NO, FRAGMENTATION_FORCE };
/* RFC 9329; our own key */
enum conn_tcp { CONN_TCP_NO, CONN_TCP_FALLBACK, CONN_TCP_YES };
enum conn_childless { CHILDLESS_ALLOW, CHILDLESS_NEVER, CHILDLESS_FORCE, CHILDLESS_PREFER };
enum child_action { ACTION_NONE = 0, ACTION_TRAP = 1, ACTION_START = 2 }; /* bits */

/* One authentication round of one side. */
struct conn_round {
	int round;
	enum conn_auth auth;
	const char *auth_text; /* as configured */
	struct id id;          /* local: may be any (then our address); remote: a pattern */
	struct auth_rules rules;
	size_t n_certs, n_cacerts, n_pubkeys, n_policies, n_groups;
	struct cert *const *certs;   /* local: candidates; remote: only these */
	struct cert *const *cacerts; /* remote: the chain has one of them */
	struct public_key *const *pubkeys;
	struct id ca_id;             /* remote: of a CA in the chain; any: not asked for */
	const char *const *policies; /* OIDs: all must be valid for the end entity's certificate (RFC 5280, 6.1) */
	const char *const *groups;
	enum conn_revocation revocation;
};

/* A number as configured: itself, or one that each CHILD_SA (of a connection's if_id: each IKE_SA) gets of its own. */
enum scope_kind {
	SCOPE_FIXED,
	SCOPE_UNIQUE,     /* one for both directions */
	SCOPE_UNIQUE_DIR, /* one for each direction */
	SCOPE_SAME,       /* set_mark_in and set_mark_out: the value of mark_in, of mark_out */
};
struct mark_conf {
	enum scope_kind kind;
	struct ipsec_mark mark; /* without a value unless FIXED */
};
struct if_id_conf {
	enum scope_kind kind;
	uint32_t id; /* FIXED; 0 none */
};

/* What struct ipsec_scope of a CHILD_SA is made from. */
struct scope_conf {
	struct mark_conf mark_in, mark_out, set_mark_in, set_mark_out;
	struct if_id_conf if_id_in, if_id_out;
	bool mark_in_sa;
};

#define TFC_MTU UINT32_MAX

struct child_conf {
	const char *name;
	enum ipsec_mode_conf { CHILD_TUNNEL, CHILD_TRANSPORT, CHILD_BEET, CHILD_PASS, CHILD_DROP } mode;
	struct proposal_list esp; /* never empty unless ah is used */
	struct ts_list local_ts, remote_ts; /* dynamic entries unresolved */
	uint64_t rekey_time, life_time, rand_time;          /* s, 0 = off; rand may exceed rekey */
	uint64_t rekey_bytes, life_bytes, rand_bytes;
	uint64_t rekey_packets, life_packets, rand_packets;
	unsigned start_action, dpd_action, close_action; /* enum child_action bits */
	uint32_t reqid, priority, replay_window;
	uint64_t inactivity; /* s */
	bool policies, policies_fwd_out, copy_df, copy_ecn;
	bool sha256_96;  /* HMAC-SHA-256 is cut to 96 bits, not to 128 (RFC 4868) */
	bool hostaccess; /* for updown scripts */
	enum copy_dscp copy_dscp;
	enum hw_offload hw_offload;
	uint32_t tfc_padding; /* bytes; 0 none; TFC_MTU */
	struct scope_conf scope;
	const char *updown, *interface; /* NULL: none */
};

/* Packets between the selectors pass in clear or are dropped: it is installed, and never negotiated. */
static inline bool child_conf_is_shunt(const struct child_conf *c)
{
	return c->mode == CHILD_PASS || c->mode == CHILD_DROP;
}

struct conn_object;
struct credentials;

struct conn {
	atomic_uint refs;
	struct arena arena; /* owns everything below */
	uint64_t serial;    /* place in the order of loading, kept over reloads of the same name */
	const char *name;
	int version; /* 0 or 2 */
	size_t n_local, n_remote;
	const struct endpoint *local_addrs, *remote_addrs; /* at least one each */
	uint16_t local_port, remote_port; /* 500 unless configured; local 4500: NAT-T from the beginning, remote too then */
	enum conn_tcp tcp;        /* as initiator */
	uint16_t remote_tcp_port; /* 4500 unless configured */
	struct proposal_list proposals;
	bool encap, mobike;
	uint8_t dscp; /* of IKE packets */
	uint64_t dpd_delay;   /* s, 0 off */
	uint64_t dpd_timeout; /* s; means nothing to IKEv2, only listed */
	enum conn_fragmentation fragmentation;
	enum conn_childless childless;
	enum conn_unique unique;
	bool send_certreq;
	enum conn_send_cert send_cert;
	enum conn_ocsp ocsp;
	int keyingtries; /* 0 = for ever */
	uint64_t rekey_time, reauth_time, over_time, rand_time; /* s; rand_time may exceed the others */
	size_t n_vips, n_pools;
	const struct addr *vips;   /* addresses to ask for; any of the family: whichever */
	const char *const *pools;  /* names, to be tried in this order; they need not be loaded */
	struct if_id_conf if_id_in, if_id_out; /* of children that have none */
	size_t n_local_rounds, n_remote_rounds; /* at least one each, in effective order */
	const struct conn_round *local_rounds, *remote_rounds;
	bool shunts_only; /* no child of it is ever negotiated: it is no peer's, and authentication may be missing */
	size_t n_children;
	const struct child_conf *children;
	struct conn_object *objects;    /* certificates and keys of the rounds: the references */
	struct conn_counters *counters; /* a reference; of the name, over reloads */
	struct tree *source; /* what it was loaded from, for comparing on reload */
};

/* What the IPsec backend can; what it cannot is refused, with its name. */
struct conn_backend {
	const char *name; /* "kernel-userland"; NULL: not said */
	bool transport, beet;
	bool scope; /* marks, interfaces, copy_dscp, policies */
	bool hw_offload, tfc, sha256_96;
};

struct token_ref;
/* The certificate on a token, DER, added to ret. */
typedef bool token_cert_fn(void *arg, const struct token_ref *t, struct buf *ret, struct errtext *err);

/* What parsing needs to know of the host. */
struct conn_env {
	transform_have_fn *have; /* which transforms the crypto providers have */
	void *have_arg;
	uint32_t default_replay_window;
	struct conn_backend backend;
	bool tcp;            /* IKE and ESP over TCP are possible */
	bool updown; /* the plugin is loaded */
	const struct credentials *creds; /* loaded: certificates that are among them are shared; NULL: none. Borrowed while parsing */
	bool chain_rules_only; /* constraints of `auth` without `ike:` are not for the signature in AUTH */
	uint16_t port, port_nat_t; /* of our sockets; 0 means 500 and 4500 */
	token_cert_fn *token_cert; /* NULL: they cannot be read here */
	void *token_arg;
};

/*
 * Builds a connection from the section of its name in a load-conn message; the section is copied.
 * All keys of swanctl.conf are known: those that this version cannot obey yet and that are set to
 * other than their default are refused, with "unsupported: KEY = VALUE (SENTENCE)", so that
 * nothing is parsed and ignored. err: else VICI's words ("unknown option: colour, config
 * discarded", "invalid value for: proposals, config discarded", "invalid section: foo"), with a reason in brackets behind them where it
 * is about certificates and keys. Files that it names are read.
 * NULL on failure. The caller has the only reference.
 */
EXPORT struct conn *conn_parse(const struct tree *section, const struct conn_env *env, struct errtext *err);
/* What a section with `file`, or with `handle`, `slot` and `module`, says where the certificate is: its bytes, added to ret. */
EXPORT MUST_CHECK bool conn_file_cert(const struct tree *file, struct buf *ret, struct errtext *err);
EXPORT MUST_CHECK bool conn_token_cert(const struct tree *section, token_cert_fn *fn, void *arg, struct buf *ret, struct errtext *err);
/* Any thread. */
EXPORT struct conn *conn_ref(const struct conn *c);
EXPORT void conn_unref(const struct conn *c);
EXPORT const struct child_conf *conn_child(const struct conn *c, const char *name);
/* Whether the IKE parts (all but children) of both are the same. */
EXPORT bool conn_ike_equal(const struct conn *a, const struct conn *b);
EXPORT bool child_conf_equal(const struct conn *a, const struct child_conf *ca, const struct conn *b,
			     const struct child_conf *cb);
/* Whether one can be in the place of the other and nothing changes: children in the same order, too. */
EXPORT bool conn_equal(const struct conn *a, const struct conn *b);
/* Whether it names one host that can be called: an address or a name. */
EXPORT bool endpoint_is_one(const struct endpoint *e);
/* Names fit everything. */
EXPORT bool endpoint_fits(const struct endpoint *e, const struct addr *a);
/* How well an address fits the entries: 0 not, 1 any or a name (which nobody resolves here), 2
 * prefix or range, 3 exactly. */
EXPORT int endpoints_match(const struct endpoint *e, size_t n, const struct addr *a);

#endif
