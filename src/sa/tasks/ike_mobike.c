/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/address.h"
#include "sa/exchange.h"
#include "sa/nat.h"
#include "sa/tasks/tasks.h"

/* RFC 4555: INFORMATIONAL exchanges that say, or ask, where an IKE_SA is (sa/mobike.h). */

#define MOBIKE_COOKIE_LEN 16
#define MOBIKE_COOKIE_MIN 8
#define MOBIKE_COOKIE_MAX 64

struct task_ike_mobike {
	struct task task;
	uint8_t kind;  /* enum mobike_kind */
	uint8_t place; /* of the IKE_SA when the request was built: the answer is about that */
	uint8_t refusals;
	/* initiator: ours, responder: the peer's */
	uint8_t cookie[MOBIKE_COOKIE_MAX];
	uint8_t n_cookie;
	/* responder */
	bool nat;           /* the request detects NATs: so does the answer */
	bool told;          /* the peer's addresses are others now */
	uint16_t refuse;    /* notify */
	struct addr local, remote; /* of the request */
};

static struct task_ike_mobike *mobike_of(struct task *t)
{
	return (struct task_ike_mobike *)t;
}

struct task *ike_mobike_new(struct ike_sa *sa, enum mobike_kind kind)
{
	struct task *t = task_new(sa, TASK_IKE_MOBIKE);

	mobike_of(t)->kind = (uint8_t)kind;
	return t;
}

void ike_mobike_again(struct task *t)
{
	mobike_of(t)->place--;
}

enum mobike_kind ike_mobike_kind(const struct task *t)
{
	return (enum mobike_kind)((const struct task_ike_mobike *)t)->kind;
}

/* ---- initiator of the exchange ---- */

static void mobike_put_cookie(struct builder *b, const struct task_ike_mobike *m)
{
	if (m->n_cookie)
		builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_COOKIE2, bytes_of(m->cookie, m->n_cookie));
}

static enum outcome mobike_build_request(struct ike_sa *sa, struct task *t, struct builder *b)
{
	struct task_ike_mobike *m = mobike_of(t);

	m->place = sa->place;
	if (m->kind == MOBIKE_UPDATE) {
		builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_UPDATE_SA_ADDRESSES, BYTES_NONE);
		sa->nat_fake = nat_forced(sa);
		if (sa->nat_t)
			nat_build(sa, b, &sa->local, &sa->remote, sa->nat_fake);
	}
	if (m->kind != MOBIKE_ADDRESSES) {
		m->n_cookie = MOBIKE_COOKIE_LEN;
		crypto_random(sa->ctx->crypto, m->cookie, m->n_cookie);
		mobike_put_cookie(b, m);
	}
	if (m->kind != MOBIKE_CHECK) {
		mobike_put_addrs(sa, b);
		mobike_put_no_nats(sa, b);
	}
	return OUTCOME_DONE;
}

static bool mobike_cookie_ok(const struct task_ike_mobike *m, const struct payload_list *in)
{
	const struct payload_notify *n = payload_notify(in, NOTIFY_COOKIE2);

	return !m->n_cookie || (n && bytes_equal(n->data, bytes_of(m->cookie, m->n_cookie)));
}

/* The peer refuses; false: it is not asked again. */
static bool mobike_refused(struct ike_sa *sa, struct task_ike_mobike *m, const struct payload_list *in)
{
	struct addr local, remote;

	m->refusals++;
	sa->settling = false;
	if (payload_notify(in, NOTIFY_UNEXPECTED_NAT_DETECTED)) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the peer sees a NAT between, which it does not support");
		/* RFC 4555 3.9 SHOULD: retried, so that one changed packet does not rule out a path */
		return m->refusals < LIMIT_MOBIKE_TRIES;
	}
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the peer does not accept %s...%s", addr_format_port(&sa->local).s,
	       addr_format_port(&sa->remote).s);
	if (m->refusals >= LIMIT_MOBIKE_TRIES || !mobike_other_path(sa, &local, &remote))
		return false;
	mobike_move(sa, &local, &remote);
	return true;
}

static void mobike_updated(struct ike_sa *sa, const struct payload_list *in)
{
	struct addr local = sa->local, remote = sa->remote;

	sa->settling = false;
	if (!sa->nat_t)
		return;
	nat_detect(sa, in, sa->spi_i, sa->spi_r, &local, &remote);
	mobike_take_mapping(sa, in, false);
	mobike_move(sa, &local, &remote); /* NATs came or went: the children follow */
}

static void mobike_checked(struct ike_sa *sa)
{
	LOG_SA(&sa->log, IKE, LOG_LEVEL_DETAIL, "the peer gets packets at %s", addr_format_port(&sa->remote).s);
	sa->unchecked = false;
	ike_sa_lead_children(sa);
}

static enum outcome mobike_process_response(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	struct task_ike_mobike *m = mobike_of(t);

	/* RFC 4555 3.7 MUST: another value closes the IKE_SA */
	if (!mobike_cookie_ok(m, in)) {
		sa->cause = CAUSE_SYNTAX;
		sa->why = "the peer answered a return routability check with another COOKIE2";
		return OUTCOME_IKE_FATAL;
	}
	/* its successor has asked by itself (mobike_replace) */
	if (ike_sa_current(sa) != sa)
		return OUTCOME_DONE;
	/* RFC 4555, 3.5 and 3.7: what was sent from, or to, more than one address says nothing */
	if (m->place != sa->place)
		return OUTCOME_MORE;
	if (payload_notify(in, NOTIFY_UNACCEPTABLE_ADDRESSES) || payload_notify(in, NOTIFY_UNEXPECTED_NAT_DETECTED))
		return mobike_refused(sa, m, in) ? OUTCOME_MORE : OUTCOME_DONE;
	switch ((enum mobike_kind)m->kind) {
	case MOBIKE_UPDATE:
		mobike_updated(sa, in);
		break;
	case MOBIKE_CHECK:
		mobike_checked(sa);
		break;
	case MOBIKE_ADDRESSES:
	case MOBIKE_NOTHING:
		break;
	}
	return OUTCOME_DONE;
}

/* ---- responder of the exchange ---- */

/* RFC 4555, 3.5: whether the peer may be there. Networks in remote_addrs are where peers of this connection are; an address or a
 * name is where it is called. */
static bool mobike_acceptable(const struct ike_sa *sa, const struct addr *remote)
{
	const struct endpoint *e = sa->conn->remote_addrs;

	for (size_t i = 0; i < sa->conn->n_remote; i++)
		if (e[i].kind != ENDPOINT_PREFIX && e[i].kind != ENDPOINT_RANGE)
			return true;
	return endpoints_match(e, sa->conn->n_remote, remote) > 0;
}

static void mobike_follow(struct ike_sa *sa, struct task_ike_mobike *m, const struct payload_list *in)
{
	struct ike_sa *current = ike_sa_current(sa);

	if (!mobike_acceptable(sa, &m->remote)) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the peer wants to move to %s, which remote_addrs does not allow",
		       addr_format(&m->remote).s);
		m->refuse = NOTIFY_UNACCEPTABLE_ADDRESSES;
		return;
	}
	if (m->nat) {
		sa->nat_fake = nat_forced(sa);
		nat_detect(sa, in, sa->spi_i, sa->spi_r, &m->local, &m->remote);
	}
	/* RFC 4555 3.7 SHOULD: before CHILD_SAs send there */
	if (sa->ctx->options.mobike_return_check && !addr_equal_ip(&current->remote, &m->remote))
		current->unchecked = true;
	mobike_move(sa, &m->local, &m->remote);
}

static void mobike_take_cookie(struct task_ike_mobike *m, const struct payload_list *in)
{
	const struct payload_notify *n = payload_notify(in, NOTIFY_COOKIE2);

	if (!n || n->data.n < MOBIKE_COOKIE_MIN || n->data.n > MOBIKE_COOKIE_MAX)
		return;
	m->n_cookie = (uint8_t)n->data.n;
	memcpy(m->cookie, n->data.p, n->data.n);
}

static enum outcome mobike_process_request(struct ike_sa *sa, struct task *t, const struct payload_list *in)
{
	struct task_ike_mobike *m = mobike_of(t);
	bool update = payload_notify(in, NOTIFY_UPDATE_SA_ADDRESSES);
	bool addresses = payload_notify(in, NOTIFY_ADDITIONAL_IP4_ADDRESS) ||
			 payload_notify(in, NOTIFY_ADDITIONAL_IP6_ADDRESS) ||
			 payload_notify(in, NOTIFY_NO_ADDITIONAL_ADDRESSES);

	m->local = sa->incoming->local;
	m->remote = sa->incoming->remote;
	m->nat = payload_notify(in, NOTIFY_NAT_DETECTION_SOURCE_IP) && payload_notify(in, NOTIFY_NAT_DETECTION_DESTINATION_IP);
	mobike_take_cookie(m, in);
	/* RFC 4555 3.9 MUST: compared with the addresses of the packet */
	if ((update || addresses) && !mobike_nats_allowed(in, &m->local, &m->remote)) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "%s is behind a NAT, which the peer does not allow",
		       addr_format_port(&m->remote).s);
		m->refuse = NOTIFY_UNEXPECTED_NAT_DETECTED;
		return OUTCOME_DONE;
	}
	if (addresses) {
		mobike_take_addrs(ike_sa_current(sa), in);
		m->told = true;
	}
	if (update && sa->origin)
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "ignored UPDATE_SA_ADDRESSES: we decide where this IKE_SA is (RFC 4555, 3.5)");
	else if (update)
		mobike_follow(sa, m, in);
	return OUTCOME_DONE;
}

static enum outcome mobike_build_response(struct ike_sa *sa, struct task *t, struct builder *b)
{
	struct task_ike_mobike *m = mobike_of(t);

	if (m->refuse)
		builder_notify(b, PROTOCOL_NONE, BYTES_NONE, m->refuse, BYTES_NONE);
	else if (m->nat)
		nat_build(sa, b, &m->local, &m->remote, nat_forced(sa)); /* RFC 4555 3.8 MUST */
	mobike_put_cookie(b, m);
	return OUTCOME_DONE;
}

/* What follows from the request begins behind the answer. */
static void mobike_after(struct ike_sa *sa, struct task *t)
{
	struct task_ike_mobike *m = mobike_of(t);
	struct ike_sa *current = ike_sa_current(sa);

	if (m->kind != MOBIKE_NOTHING || current->finished || current->state == IKE_STATE_CLOSED)
		return;
	if (current->unchecked)
		mobike_queue(current, MOBIKE_CHECK, 0);
	if (m->told && sa->origin)
		mobike_reconsider(current, &m->local, &m->remote);
	if (current != sa)
		ike_sa_run_queue(current);
}

const struct task_ops task_ike_mobike = {
	.size = sizeof(struct task_ike_mobike),
	.exchange = EXCHANGE_INFORMATIONAL,
	.build_request = mobike_build_request,
	.process_response = mobike_process_response,
	.process_request = mobike_process_request,
	.build_response = mobike_build_response,
	.after = mobike_after,
};
