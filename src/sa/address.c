/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/address.h"

#include "sa/stream.h"

bool ike_sa_wants_encap(const struct ike_sa *sa)
{
	return sa->nat_local || sa->nat_remote || sa->nat_fake;
}

void child_sa_moved(struct child_sa *c, enum kernel_status status, const struct errtext *err)
{
	struct ike_sa *sa = c->ike;

	if (status != KERNEL_FAILED)
		return;
	/* law: a child's trouble costs the child at most; new ones are made where the IKE_SA is */
	LOG_SA(&sa->log, KNL, LOG_LEVEL_AUDIT, "CHILD_SA %s{%u} could not be moved to %s === %s: %s; it is rekeyed instead",
	       c->conf->name, c->id, addr_format_port(&sa->local).s, addr_format_port(&sa->remote).s, err->s);
	ike_sa_rekey_child(sa, c);
}

/* Transport mode has the hosts' addresses in its selectors: another address needs another SA. Behind a NAT they are not those that
 * are seen here, and as a rule only the port changes. */
static bool child_sa_is_bound(const struct child_sa *c)
{
	const struct ike_sa *sa = c->ike;

	return c->mode == IPSEC_MODE_TRANSPORT && !sa->nat_local && !sa->nat_remote && c->n_local && c->n_remote &&
	       !(ts_is_host(&child_sa_local_ts(c).p[0], &sa->local) && ts_is_host(&child_sa_remote_ts(c).p[0], &sa->remote));
}

void child_sa_follow(struct child_sa *c)
{
	struct ike_sa *sa = c->ike;
	struct sa_ctx *ctx = sa->ctx;
	struct kernel_move move = { sa->local, sa->remote, ike_sa_wants_encap(sa) };
	struct errtext err = { "the IPsec backend cannot move SAs" };
	enum kernel_status status = KERNEL_FAILED;

	/* one that is being installed comes here when it is (child_sa_installed) */
	if (!c->handle || c->state == CHILD_STATE_INSTALLING || c->place == sa->place || sa->unchecked)
		return;
	c->place = sa->place;
	if (child_sa_is_bound(c)) {
		errtext_set(&err, "transport mode is between the addresses that were");
		child_sa_moved(c, KERNEL_FAILED, &err);
		return;
	}
	c->encap = move.encap;
	if (ctx->kernel_ops->update)
		status = ctx->kernel_ops->update(ctx->kernel, c->handle, &move, ctx->ops->move_done(ctx->host, c), &err);
	child_sa_moved(c, status, &err);
}

void ike_sa_move_to(struct ike_sa *sa, const struct addr *local, const struct addr *remote)
{
	struct addr from = sa->local, to = sa->remote;
	bool encap = false;

	for (const struct child_sa *c = sa->children; c; c = c->next)
		encap |= c->handle && c->encap != ike_sa_wants_encap(sa);
	if (addr_equal(local, &from) && addr_equal(remote, &to) && !encap)
		return;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "IKE_SA moves from %s...%s to %s...%s", addr_format_port(&from).s,
	       addr_format_port(&to).s, addr_format_port(local).s, addr_format_port(remote).s);
	if (sa->announced && !(addr_equal(local, &from) && addr_equal(remote, &to)))
		sa->ctx->ops->moving(sa->ctx->host, sa, local, remote);
	sa->local = *local;
	sa->remote = *remote;
	sa->path_size = 0; /* another path, perhaps a wider one */
	stream_hold(sa);
	sa->place++;
	sa->ctx->ops->moved(sa->ctx->host, sa);
	ike_sa_lead_children(sa);
}

void ike_sa_lead_children(struct ike_sa *sa)
{
	for (struct child_sa *c = sa->children, *next; c; c = next) {
		next = c->next;
		child_sa_follow(c);
	}
}
