/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/tasks/ike_auth.h"

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

/* How well the identities fit; 0: not. */
static int choose_by_id(const struct ike_sa *sa, const struct conn *conn, const struct choice *c)
{
	int score = id_match(c->idi, &conn->remote_rounds[0].id);
	struct id local;

	if (!score || !c->idr)
		return score;
	local = ike_auth_local_id(sa, &conn->local_rounds[0]);
	if (id_match(&local, c->idr) == ID_MATCH_NONE)
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
 * Addresses and the agreed IKE proposal must fit as well; the best match of the peer's identity wins, then the better addresses.
 */
const struct conn *ike_auth_choose(struct ike_sa *sa, const struct id *idi, const struct id *idr, unsigned method, bool more)
{
	struct proposal agreed = proposal_from_suite(&sa->ctx->arena, &sa->suite);
	struct proposal_list agreed_list = { 1, &agreed };
	const struct choice c = { idi, idr, method, more };
	const struct conn *conn, *best = NULL, *near = NULL;
	int best_score = 0, near_score = 0;
	struct suite suite;
	size_t index;

	for (size_t rank = 0; (conn = config_match_addrs(sa->ctx->config, &sa->local, &sa->remote, rank)); rank++) {
		int score = choose_by_id(sa, conn, &c);

		if (score <= best_score || !proposal_select(conn->proposals, agreed_list, 0, &suite, &index))
			continue;
		if (ike_auth_fits(&conn->remote_rounds[0], method) && more == (conn->n_remote_rounds > 1)) {
			best = conn;
			best_score = score;
		} else if (score > near_score) {
			near = conn;
			near_score = score;
		}
	}
	if (!best)
		choose_log(sa, &c, near);
	return best;
}
