/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sa/vips.h"

/* Virtual addresses that we give clients, out of the pools of their connection. */

void vip_give_back(struct ike_sa *sa, struct sa_vip *vip)
{
	LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "lease %s of '%s' is given back", addr_format(&vip->addr).s, id_text(&sa->remote_id).s);
	lease_release(&vip->lease);
}

/* RFC 7296, 2.4: of IKE_SAs of one pair of identities. */
static uint64_t vips_pair(const struct ike_sa *sa)
{
	struct buf text = { 0 };
	uint64_t hash;

	(void)id_hash_bytes(&sa->local_id, &text);
	(void)id_hash_bytes(&sa->remote_id, &text);
	hash = hash_bytes(&sa->ctx->hash, buf_bytes(&text));
	buf_free(&text);
	return hash;
}

static void lease_log(struct ike_sa *sa, const struct pool *pool, enum lease_result result, const struct addr *a)
{
	size_t online, offline;

	switch (result) {
	case LEASE_NEW:
		LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "new lease %s out of pool '%s'", addr_format(a).s, pool->name);
		break;
	case LEASE_AGAIN:
		LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "lease %s out of pool '%s', which it had before", addr_format(a).s, pool->name);
		break;
	case LEASE_SHARED:
		LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "lease %s out of pool '%s', which it has in another IKE_SA, too",
		       addr_format(a).s, pool->name);
		break;
	case LEASE_TAKEN:
		LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "lease %s out of pool '%s', of another client that has gone", addr_format(a).s,
		       pool->name);
		break;
	case LEASE_FULL:
		leases_count(pool->leases, &online, &offline);
		LOG_SA(&sa->log, CFG, LOG_LEVEL_AUDIT, "pool '%s' is full: %zu of its %u addresses are in use, none is left for '%s'",
		       pool->name, online, pool->range.size, id_text(&sa->remote_id).s);
		break;
	case LEASE_CLOSED:
		LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "pool '%s' is being unloaded", pool->name);
		break;
	case LEASE_FAMILY:
		break;
	}
}

/* One more address, of the first pool that has one. */
static bool vip_lease(struct ike_sa *sa, struct sa_vips *v, const struct addr *wanted)
{
	struct lease held[LIMIT_VIPS];
	struct lease_wish w = { .id = &sa->remote_id, .pair = vips_pair(sa), .wanted = *wanted, .held = held, .n_held = v->n };
	struct sa_vip *vip = &v->list[v->n];

	/* those are closed when this one is up */
	w.share = sa->conn->unique == UNIQUE_REPLACE || (sa->init_contact && sa->conn->unique != UNIQUE_NEVER);
	for (size_t i = 0; i < v->n; i++)
		held[i] = v->list[i].lease;
	for (size_t i = 0; i < sa->conn->n_pools; i++) {
		const struct pool *pool = pools_find(sa->ctx->config->pools, sa->conn->pools[i]);
		enum lease_result result;

		if (!pool) {
			LOG_SA(&sa->log, CFG, LOG_LEVEL_AUDIT, "pool '%s' of connection '%s' is not loaded", sa->conn->pools[i],
			       sa->conn->name);
			continue;
		}
		result = leases_take(pool->leases, &w, &vip->lease, &vip->addr);
		lease_log(sa, pool, result, &vip->addr);
		if (result <= LEASE_TAKEN) {
			v->n++;
			return true;
		}
	}
	return false;
}

static void vip_answer(struct ike_sa *sa, struct sa_vips *v, const struct addr *wanted)
{
	bool any = addr_is_any(wanted);

	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "peer requested virtual IP %s",
	       !any ? addr_format(wanted).s : wanted->family == AF_INET ? "%any" : "%any6");
	if (vip_lease(sa, v, wanted))
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "assigning virtual IP %s to peer '%s'", addr_format(&v->list[v->n - 1].addr).s,
		       id_text(&sa->remote_id).s);
	else
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "no virtual IP%s for '%s'%s", wanted->family == AF_INET ? "" : "v6 address",
		       id_text(&sa->remote_id).s, sa->conn->n_pools ? "" : ": the connection has no pools");
}

void vips_take_request(struct ike_sa *sa, const struct payload_cp *cp)
{
	struct sa_vips *v = vips_new(false);
	struct addr wanted;
	size_t n = 0;

	vips_free(sa);
	for (size_t i = 0; cp && i < cp->count && n < LIMIT_VIPS; i++) {
		if (!vip_parse(&cp->attrs[i], &wanted))
			continue;
		n++;
		vip_answer(sa, v, &wanted);
	}
	sa->vips_asked = n > 0;
	vips_set(sa, v);
}

size_t vips_put_reply(struct ike_sa *sa, struct cp_attribute *attrs)
{
	struct addr vips[LIMIT_VIPS];
	size_t n = vips_addrs(sa, false, vips);

	for (size_t i = 0; i < n; i++)
		attrs[i] = vip_attribute(sa, &vips[i]);
	return n;
}

const char *vips_refusal(const struct ike_sa *sa, unsigned *ret_notify)
{
	/* who began the first IKE_SA is the client */
	if (sa->origin || sa->vips)
		return NULL;
	if (sa->vips_asked) {
		*ret_notify = NOTIFY_INTERNAL_ADDRESS_FAILURE;
		return "there is no virtual address for the peer (pools)";
	}
	if (!sa->conn->n_pools)
		return NULL;
	/* RFC 7296 2.19 MUST: CP was expected */
	*ret_notify = NOTIFY_FAILED_CP_REQUIRED;
	return "the peer has not asked for a virtual address, which the connection has pools for";
}
