/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/nat.h"

#include "sa/address.h"

#define NAT_HASH_LEN 20

/* SHA-1(SPIs | IP | port) */
static bool nat_hash(struct ike_sa *sa, uint64_t spi_i, uint64_t spi_r, const struct addr *a, uint8_t *out)
{
	uint8_t data[16 + 16 + 2];
	struct writer w = writer_of(data, sizeof(data));
	struct bytes part;

	writer_u64(&w, spi_i);
	writer_u64(&w, spi_r);
	writer_bytes(&w, bytes_of(a->ip, addr_len(a)));
	writer_u16(&w, a->port);
	part = writer_done(&w);
	return result_is_ok(crypto_hash(sa->ctx->crypto, HASH_SHA1, &part, 1, out));
}

bool nat_forced(const struct ike_sa *sa)
{
	return sa->ctx->kernel_ops->force_encap || (sa->conn && sa->conn->encap);
}

void nat_build(struct ike_sa *sa, struct builder *b, const struct addr *local, const struct addr *remote, bool fake)
{
	uint8_t source[NAT_HASH_LEN], dest[NAT_HASH_LEN];

	if (!nat_hash(sa, sa->spi_i, sa->spi_r, local, source) || !nat_hash(sa, sa->spi_i, sa->spi_r, remote, dest))
		return;
	/* wrong, but not random: a request that is repeated with a cookie must be the same otherwise (RFC 7296, 2.6) */
	for (unsigned i = 0; fake && i < sizeof(source); i++)
		source[i] = (uint8_t)~source[i];
	builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_NAT_DETECTION_SOURCE_IP, bytes_of(source, sizeof(source)));
	builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_NAT_DETECTION_DESTINATION_IP, bytes_of(dest, sizeof(dest)));
}

void nat_detect(struct ike_sa *sa, const struct payload_list *in, uint64_t spi_i, uint64_t spi_r,
		const struct addr *local, const struct addr *remote)
{
	uint8_t source[NAT_HASH_LEN], dest[NAT_HASH_LEN];
	bool any_source = false, source_ok = false, any_dest = false, dest_ok = false;

	if (!nat_hash(sa, spi_i, spi_r, remote, source) || !nat_hash(sa, spi_i, spi_r, local, dest))
		return;
	for (size_t i = 0; i < in->count; i++) {
		const struct payload *p = &in->p[i];

		if (p->type != PAYLOAD_NOTIFY)
			continue;
		if (p->notify.type == NOTIFY_NAT_DETECTION_SOURCE_IP) {
			any_source = true;
			source_ok |= bytes_equal(p->notify.data, bytes_of(source, sizeof(source)));
		} else if (p->notify.type == NOTIFY_NAT_DETECTION_DESTINATION_IP) {
			any_dest = true;
			dest_ok |= bytes_equal(p->notify.data, bytes_of(dest, sizeof(dest)));
		}
	}
	sa->nat_remote = any_source && !source_ok;
	sa->nat_local = any_dest && !dest_ok;
	if (sa->nat_local)
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "local host is behind NAT");
	if (sa->nat_remote)
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "remote host is behind NAT");
}

/* ---- the peer's NAT forgets ---- */

static bool nat_may_follow(const struct ike_sa *sa)
{
	/* RFC 7296 2.23 SHOULD NOT: who is behind a NAT itself does not; RFC 4555 has its own way */
	if (!sa->nat_remote || sa->nat_local || sa->mobike || sa->remote.stream)
		return false;
	return !sa->finished && (sa->state == IKE_STATE_CONNECTING || sa->state == IKE_STATE_ESTABLISHED ||
				 sa->state == IKE_STATE_REKEYING || sa->state == IKE_STATE_REKEYED ||
				 sa->state == IKE_STATE_DELETING);
}

void nat_follow(struct ike_sa *sa, const struct addr *local, const struct addr *remote)
{
	/* what comes to the other port has a mapping of its own, that ESP has no part in */
	if (remote->stream || addr_equal(remote, &sa->remote) || local->port != sa->local.port || !addr_equal_ip(local, &sa->local) ||
	    !nat_may_follow(sa))
		return;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the NAT of the peer gave it another address: %s instead of %s",
	       addr_format_port(remote).s, addr_format_port(&sa->remote).s);
	ike_sa_move_to(sa, &sa->local, remote);
}

void nat_follow_esp(struct child_sa *c, const struct addr *remote)
{
	/* RFC 4555 3.12 SHOULD: no sign that the peer knows where it is, or gets what we send there (sa/deadline.c) */
	if (c->ike->mobike && !addr_equal(remote, &c->ike->remote))
		c->ike->astray_ms = sa_now(c->ike->ctx);
	/* of one that was replaced it may have come late */
	if (c->encap && (c->state == CHILD_STATE_INSTALLED || c->state == CHILD_STATE_REKEYING) &&
	    remote->family == c->ike->remote.family && remote->port)
		nat_follow(c->ike, &c->ike->local, remote);
}

/* ---- our NAT is to remember ---- */

uint64_t nat_keepalive_next(const struct ike_sa *sa)
{
	const struct sa_options *o = &sa->ctx->options;

	/* RFC 3948, 4: only who is behind a NAT, not who only says so */
	if (!sa->nat_local || sa->remote.stream /* RFC 9329, 6.6 */ || !o->keep_alive || (sa->state != IKE_STATE_ESTABLISHED && sa->state != IKE_STATE_REKEYING))
		return 0;
	return sa->keepalive_ms ? sa->keepalive_ms : sa->last_out_ms + 1000ull * o->keep_alive;
}

/* ESP has the same mapping as IKE. */
static uint64_t nat_last_out(const struct ike_sa *sa)
{
	uint64_t last = sa->last_out_ms;

	for (const struct child_sa *c = sa->children; c; c = c->next) {
		struct kernel_usage in, out;

		child_sa_usage(c, &in, &out);
		if (out.last_use_ms > last)
			last = out.last_use_ms;
	}
	return last;
}

void nat_keepalive(struct ike_sa *sa)
{
	const struct sa_options *o = &sa->ctx->options;
	uint64_t now = sa_now(sa->ctx), interval = 1000ull * o->keep_alive, due = nat_last_out(sa) + interval;

	if (now < due) {
		sa->keepalive_ms = due;
		return;
	}
	if (o->keep_alive_dpd_margin && now > due + 1000ull * o->keep_alive_dpd_margin && !sa->outstanding) {
		/* the machine slept: the mapping is gone, and the peer perhaps, too */
		LOG_SA(&sa->log, IKE, LOG_LEVEL_DETAIL, "keepalive is late, sending DPD request instead");
		ike_sa_probe(sa);
	} else {
		LOG_SA(&sa->log, NET, LOG_LEVEL_DETAIL, "sending keep alive to %s", addr_format_port(&sa->remote).s);
		sa->ctx->ops->keepalive(sa->ctx->host, &sa->local, &sa->remote);
		sa->last_out_ms = now;
	}
	sa->keepalive_ms = now + interval;
}
