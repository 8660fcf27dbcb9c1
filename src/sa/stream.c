/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/stream.h"

#include "sa/address.h"
#include "sa/exchange.h"
#include "sa/initiate.h"

/* RFC 9329, 5.1: at least once over UDP; each one more would make the user wait longer than the last. */
#define FALLBACK_TRIES 1

void stream_hold(struct ike_sa *sa)
{
	struct sa_ctx *ctx = sa->ctx;
	uint32_t old = sa->stream;

	if (sa->remote.stream == old)
		return;
	sa->stream = sa->remote.stream;
	if (sa->stream)
		ctx->ops->stream_use(ctx->host, sa, sa->stream, true);
	if (old)
		ctx->ops->stream_use(ctx->host, sa, old, false);
}

void stream_release(struct ike_sa *sa)
{
	sa->remote.stream = 0;
	stream_hold(sa);
}

bool stream_wanted(const struct ike_sa *sa)
{
	return sa->conn->tcp == CONN_TCP_YES || sa->over_tcp;
}

bool stream_open(struct ike_sa *sa)
{
	/* who says nothing of local addresses wants the connection to be made again from wherever it can be */
	bool bound = sa->conn->local_addrs[0].kind != ENDPOINT_ANY;
	struct addr local = sa->local, remote = sa->remote;
	struct sa_ctx *ctx = sa->ctx;

	remote.port = sa->conn->remote_tcp_port;
	if (!ctx->ops->stream_open(ctx->host, bound, &local, &remote))
		return false;
	sa->local = local;
	sa->remote = remote;
	stream_hold(sa);
	return true;
}

bool stream_falls_back(struct ike_sa *sa)
{
	const struct outstanding *o = sa->outstanding;

	if (!sa->initiator || o->exchange != EXCHANGE_IKE_SA_INIT || sa->conn->tcp != CONN_TCP_FALLBACK || sa->remote.stream ||
	    sa->over_tcp || o->tries < FALLBACK_TRIES)
		return false;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "%s does not answer over UDP: trying TCP port %u (tcp = fallback)",
	       addr_format_port(&sa->remote).s, sa->conn->remote_tcp_port);
	sa->over_tcp = true;
	/* RFC 9329 5.1 MUST: a new exchange, with a new SPI and new NAT detection; of the same attempt, with the same address */
	initiate_reset(sa);
	if (!stream_open(sa))
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "no TCP connection to %s can be opened", addr_format_port(&sa->remote).s);
	ike_sa_run_queue(sa);
	return true;
}

void stream_forget(struct ike_sa *sa)
{
	sa->over_tcp = false;
}

bool stream_follow(struct ike_sa *sa, const struct addr *local, const struct addr *remote)
{
	/* an SA changes between UDP and TCP by MOBIKE only (RFC 9329, 5) */
	if (sa->origin || !sa->remote.stream || !remote->stream || remote->stream == sa->remote.stream ||
	    sa->state == IKE_STATE_CLOSED)
		return false;
	/* RFC 9329 6.1 SHOULD: the connection on which something valid came last, that is no repeat */
	ike_sa_move_to(sa, local, remote);
	return true;
}

void ike_sa_stream_esp(struct ike_sa *sa, const struct addr *local, const struct addr *remote)
{
	/* RFC 9329 6.2 MUST: a request that waits for its answer is sent again on a new connection */
	if (!sa->finished && stream_follow(sa, local, remote) && sa->outstanding)
		outstanding_nudge(sa);
}

void ike_sa_stream_reopened(struct ike_sa *sa, const struct addr *local)
{
	if (sa->finished || !sa->remote.stream || sa->state == IKE_STATE_CLOSED)
		return;
	ike_sa_move_to(sa, local, &sa->remote);
	if (sa->outstanding)
		outstanding_nudge(sa);
	/* RFC 9329 6.1: the peer learns of the new connection by an empty message */
	else if (sa->state == IKE_STATE_ESTABLISHED)
		ike_sa_probe(sa);
}
