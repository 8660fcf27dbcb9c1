/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/tasks/child.h"

/* What NATs do to selectors: the addresses of transport mode (RFC 7296, 2.23.1), and peers with the same ones (RFC 3948, 5). */

bool negotiate_asks_transport(const struct payload_list *in)
{
	return payload_notify(in, NOTIFY_USE_TRANSPORT_MODE) != NULL;
}

static bool nat_is_one_host(struct ts_list list, uint8_t family)
{
	for (size_t i = 0; i < list.count; i++)
		if (list.p[i].family != family || memcmp(list.p[i].from, list.p[i].to, sizeof(list.p[i].from)) != 0 ||
		    memcmp(list.p[i].from, list.p[0].from, sizeof(list.p[i].from)) != 0)
			return false;
	return list.count > 0;
}

struct ts_list negotiate_nat_selectors(struct ike_sa *sa, struct ts_list list, bool local)
{
	const struct addr *host = local ? &sa->local : &sa->remote;
	struct ts *ts;

	/* RFC 7296, 2.23.1 MUST: exactly one address */
	if (!(local ? sa->nat_local : sa->nat_remote) || !nat_is_one_host(list, host->family))
		return list;
	ts = arena_array(&sa->ctx->arena, struct ts, list.count);
	for (size_t i = 0; i < list.count; i++) {
		ts[i] = list.p[i];
		memcpy(ts[i].from, host->ip, sizeof(ts[i].from));
		memcpy(ts[i].to, host->ip, sizeof(ts[i].to));
	}
	return (struct ts_list){ list.count, ts };
}

/* ---- several peers ---- */

static void nat_key_add_ts(struct buf *key, struct ts_list list)
{
	buf_add_u32(key, (uint32_t)list.count);
	for (size_t i = 0; i < list.count; i++) {
		buf_add_u8(key, list.p[i].family);
		buf_add_u8(key, list.p[i].protocol);
		buf_add_u32(key, (uint32_t)list.p[i].port_from << 16 | list.p[i].port_to);
		buf_add(key, list.p[i].from, sizeof(list.p[i].from));
		buf_add(key, list.p[i].to, sizeof(list.p[i].to));
	}
}

/* All that tells packets of one peer from those of another. */
static uint64_t nat_key(const struct child_sa *c, bool transport)
{
	static const struct ipsec_scope usual;
	const struct ipsec_scope *s = c->scope ? c->scope : &usual;
	struct buf key = { 0 };
	uint64_t hash;

	nat_key_add_ts(&key, child_sa_local_ts(c));
	nat_key_add_ts(&key, child_sa_remote_ts(c));
	buf_add_u32(&key, s->mark_out.value & s->mark_out.mask);
	buf_add_u32(&key, s->if_id_out);
	buf_add_str(&key, s->interface ? s->interface : "");
	/* of connections of their own an operator knows what he does: two ways to one net */
	buf_add_str(&key, transport ? "" : c->conn->name);
	hash = hash_bytes(&c->ike->ctx->hash, buf_bytes(&key));
	buf_free(&key);
	return hash ? hash : 1;
}

bool negotiate_claim(struct ike_sa *sa, struct child_sa *c)
{
	bool transport = c->mode == IPSEC_MODE_TRANSPORT;
	struct buf id = { 0 };
	uint64_t key, peer;
	bool ok;

	/* two identities on one host that no NAT hides are that host's affair */
	if (!sa->ctx->ops->claim_selectors || (transport && !sa->nat_remote))
		return true;
	key = nat_key(c, transport);
	id_hash_bytes(&sa->remote_id, &id);
	peer = hash_bytes(&sa->ctx->hash, buf_bytes(&id));
	buf_free(&id);
	ok = sa->ctx->ops->claim_selectors(sa->ctx->host, key, peer);
	if (ok)
		c->claim = key;
	return ok;
}

void negotiate_log_claimed(struct ike_sa *sa, const struct child_sa *c)
{
	struct buf text = { 0 };

	child_sa_format_ts(&text, c);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_AUDIT,
	       "CHILD_SA %s for '%s' is refused: %s are another peer's at this time. %s", c->conf->name, id_text(&sa->remote_id).s,
	       buf_str(&text),
	       c->mode == IPSEC_MODE_TRANSPORT ? "In transport mode only one client behind a NAT can have them: use tunnel mode" :
						 "Clients need addresses of their own, or a connection of their own each");
	buf_free(&text);
}
