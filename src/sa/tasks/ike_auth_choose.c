/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/tasks/ike_auth.h"

#include <string.h>

/* Which connection is for the peer that just said who it is. */

bool ike_auth_fits(const struct conn_round *round, unsigned method)
{
	bool psk = method == AUTH_METHOD_SHARED_KEY;
	bool signature = method == AUTH_METHOD_SIGNATURE || method == AUTH_METHOD_RSA || method == AUTH_METHOD_ECDSA_256 ||
			 method == AUTH_METHOD_ECDSA_384 || method == AUTH_METHOD_ECDSA_521;

	switch (round->auth) {
	case CONN_AUTH_ANY:
		return psk || signature;
	case CONN_AUTH_PUBKEY:
		return signature;
	case CONN_AUTH_PSK:
		return psk;
	case CONN_AUTH_EAP:
		return false;
	}
	return false;
}

struct choice {
	const struct id *idi, *idr;
	unsigned method;
	bool more;
};

/* The first of those that match best. */
struct choose_result {
	const struct conn *conn;
	int score;
	bool others; /* there is another one that matches as well */
};

static void choose_take(struct choose_result *r, const struct conn *conn, int score)
{
	if (score == r->score)
		r->others = true;
	if (score > r->score)
		*r = (struct choose_result){ conn, score, false };
}

/* How well the identities fit; 0: not. */
static int choose_by_id(const struct ike_sa *sa, const struct conn *conn, const struct choice *c)
{
	int score = id_match(c->idi, &conn->remote_rounds[0].id);
	struct id local;

	if (!score || !c->idr)
		return score;
	local = ike_auth_local_id(sa, &conn->local_rounds[0]);
	/* never the other way round: what a peer sends is no pattern, and regular expressions of its making cost without limit */
	if (id_match(c->idr, &local) == ID_MATCH_NONE)
		score = 0;
	id_free(&local);
	return score;
}

static void choose_log(struct ike_sa *sa, const struct choice *c, const struct conn *near)
{
	if (!near)
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
		       "no connection fits %s[%s]...%s[%s]: check local and remote id of the connections for these addresses",
		       addr_format(&sa->local).s, c->idr ? id_text(c->idr).s : "%any", addr_format(&sa->remote).s,
		       id_text(c->idi).s);
	else if (!ike_auth_fits(&near->remote_rounds[0], c->method))
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
		       "authentication of '%s' failed: it uses %s, connection '%s' wants auth = %s", id_text(c->idi).s,
		       auth_method_name(c->method), near->name, near->remote_rounds[0].auth_text);
	else
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
		       "authentication of '%s' failed: it wants %s round, connection '%s' has %zu of its rounds (RFC 4739)",
		       id_text(c->idi).s, c->more ? "more than one" : "one", near->name, near->n_remote_rounds);
}

/*
 * Whether the connection asks for more than the peer offers: a signature instead of a secret that many may share, or more rounds. Not
 * that it would take the IKE proposal, which is the peer's choice, too.
 */
static bool choose_demands_more(const struct conn *conn, const struct choice *c)
{
	return (c->method == AUTH_METHOD_SHARED_KEY && conn->remote_rounds[0].auth == CONN_AUTH_PUBKEY) ||
	       (!c->more && conn->n_remote_rounds > 1);
}

/*
 * Addresses and the agreed IKE proposal must fit as well; the best match of the peer's identity wins, then the better addresses. What
 * proof it brings is the peer's choice: so who is named by a connection that demands more is not let in by one that names it less exactly.
 */
const struct conn *ike_auth_choose(struct ike_sa *sa, const struct id *idi, const struct id *idr, unsigned method, bool more,
				   bool *ret_others)
{
	struct proposal agreed = proposal_from_suite(&sa->ctx->arena, &sa->suite);
	struct proposal_list agreed_list = { 1, &agreed };
	const struct choice c = { idi, idr, method, more };
	struct choose_result best = { 0 }, near = { 0 }, strict = { 0 };
	const struct conn *conn;
	struct suite suite;
	size_t index;

	for (size_t rank = 0; (conn = config_match_peer(sa->ctx->config, &sa->local, &sa->remote, idi, rank)); rank++) {
		int score = choose_by_id(sa, conn, &c);
		bool agrees;

		if (!score || score < best.score)
			continue;
		agrees = proposal_select(conn->proposals, agreed_list, 0, &suite, &index);
		if (agrees && ike_auth_fits(&conn->remote_rounds[0], method) && more == (conn->n_remote_rounds > 1)) {
			choose_take(&best, conn, score);
			continue;
		}
		if (agrees)
			choose_take(&near, conn, score);
		if (choose_demands_more(conn, &c))
			choose_take(&strict, conn, score);
	}
	if (strict.score > best.score)
		best.conn = NULL;
	if (!best.conn)
		choose_log(sa, &c, strict.conn ? strict.conn : near.conn);
	else
		*ret_others = best.others;
	return best.conn;
}

/* ---- when it refuses ---- */

static bool certs_equal(struct cert *const *a, size_t n_a, struct cert *const *b, size_t n_b)
{
	for (size_t i = 0; i < n_a && n_a == n_b; i++)
		if (!cert_equal(a[i], b[i]))
			return false;
	return n_a == n_b;
}

static bool texts_equal(const char *const *a, size_t n_a, const char *const *b, size_t n_b)
{
	for (size_t i = 0; i < n_a && n_a == n_b; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return n_a == n_b;
}

static bool keys_equal(const struct conn_round *a, const struct conn_round *b)
{
	for (size_t i = 0; i < a->n_pubkeys && a->n_pubkeys == b->n_pubkeys; i++)
		if (!public_key_equal(a->pubkeys[i], b->pubkeys[i]))
			return false;
	return a->n_pubkeys == b->n_pubkeys;
}

/* Whether both ask the same of the peer, but for its identity (or use the same of ours). */
static bool rounds_equal(const struct conn_round *a, const struct conn_round *b)
{
	return a->auth == b->auth && strcmp(a->auth_text ? a->auth_text : "", b->auth_text ? b->auth_text : "") == 0 &&
	       certs_equal(a->certs, a->n_certs, b->certs, b->n_certs) &&
	       certs_equal(a->cacerts, a->n_cacerts, b->cacerts, b->n_cacerts) && keys_equal(a, b) &&
	       id_equal(&a->ca_id, &b->ca_id) && texts_equal(a->policies, a->n_policies, b->policies, b->n_policies) &&
	       texts_equal(a->groups, a->n_groups, b->groups, b->n_groups) && a->revocation == b->revocation;
}

/* Up to here both would have gone the same way: nothing was asked for, or said of us, that the other one would not have. */
static bool others_same_way(const struct conn *a, const struct conn *b, const struct task_ike_auth *t)
{
	if (b->n_remote_rounds <= t->n_checked || b->n_local_rounds < t->n_proved)
		return false;
	for (size_t i = 0; i < t->n_checked; i++)
		if (!id_equal(&a->remote_rounds[i].id, &b->remote_rounds[i].id) ||
		    !rounds_equal(&a->remote_rounds[i], &b->remote_rounds[i]))
			return false;
	for (size_t i = 0; i < t->n_proved; i++)
		if (!id_equal(&a->local_rounds[i].id, &b->local_rounds[i].id) || !rounds_equal(&a->local_rounds[i], &b->local_rounds[i]))
			return false;
	return true;
}

/* As ike_auth_choose, for a peer that has an AUTH payload of round n_checked in `in`. */
static bool others_fit(struct ike_sa *sa, const struct conn *conn, const struct task_ike_auth *t, const struct payload_list *in)
{
	const struct payload *pidr = payload_find(in, PAYLOAD_IDR, NULL);
	const struct choice c = { &t->id_in, t->n_checked == 0 && pidr ? &pidr->id : NULL, 0, false };
	struct proposal agreed = proposal_from_suite(&sa->ctx->arena, &sa->suite);
	struct proposal_list agreed_list = { 1, &agreed };
	const struct conn_round *round = &conn->remote_rounds[t->n_checked];
	struct suite suite;
	size_t index;

	/*
	 * A connection that names the peer less exactly is no way around what the exact one demands: only those that name it as well.
	 */
	if (id_match(&t->id_in, &round->id) != id_match(&t->id_in, &sa->conn->remote_rounds[t->n_checked].id))
		return false;
	if (conn->n_local_rounds > 1 && !sa->setup->announced.multiple)
		return false;
	return (!c.idr || choose_by_id(sa, conn, &c)) && ike_auth_fits(round, payload_find(in, PAYLOAD_AUTH, NULL)->auth.method) &&
	       t->more_in == (conn->n_remote_rounds > t->n_checked + 1u) &&
	       proposal_select(conn->proposals, agreed_list, 0, &suite, &index);
}

size_t ike_auth_others(struct ike_sa *sa, const struct task_ike_auth *t, const struct payload_list *in,
		       const struct conn *ret[AUTH_OTHERS_MAX])
{
	/* of all, the identity of the first round is the same */
	const struct id *first = t->n_checked ? &sa->conn->remote_rounds[0].id : &t->id_in;
	const struct conn *conn;
	size_t n = 0;

	for (size_t rank = 0; n < AUTH_OTHERS_MAX && (conn = config_match_peer(sa->ctx->config, &sa->local, &sa->remote, first, rank)); rank++) {
		bool seen;

		if (conn == sa->conn || !others_same_way(sa->conn, conn, t) || !others_fit(sa, conn, t, in))
			continue;
		/* who demands the same says the same */
		seen = rounds_equal(&conn->remote_rounds[t->n_checked], &sa->conn->remote_rounds[t->n_checked]);
		for (size_t i = 0; i < n && !seen; i++)
			seen = rounds_equal(&conn->remote_rounds[t->n_checked], &ret[i]->remote_rounds[t->n_checked]);
		if (!seen)
			ret[n++] = conn;
	}
	return n;
}
