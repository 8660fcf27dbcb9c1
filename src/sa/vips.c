/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/vips.h"

#include <stdlib.h>

size_t vips_addrs(const struct ike_sa *sa, bool ours, struct addr ret[LIMIT_VIPS])
{
	const struct sa_vips *v = sa->vips;

	if (!v || v->ours != ours)
		return 0;
	for (size_t i = 0; i < v->n; i++)
		ret[i] = v->list[i].addr;
	return v->n;
}

void vips_pass(struct ike_sa *old, struct ike_sa *sa)
{
	sa->vips = old->vips;
	old->vips = NULL;
}

void vips_free(struct ike_sa *sa)
{
	struct sa_vips *v = sa->vips;

	for (size_t i = 0; v && i < v->n; i++) {
		if (v->ours)
			vip_uninstall(sa, &v->list[i]);
		else
			vip_give_back(sa, &v->list[i]);
	}
	free(v);
	sa->vips = NULL;
}

struct sa_vips *vips_new(bool ours)
{
	struct sa_vips *v = xcalloc(1, sizeof(*v) + LIMIT_VIPS * sizeof(v->list[0]));

	v->ours = ours;
	return v;
}

void vips_set(struct ike_sa *sa, struct sa_vips *v)
{
	if (v->n == 0) {
		free(v);
		v = NULL;
	}
	sa->vips = v ? xrealloc(v, sizeof(*v) + v->n * sizeof(v->list[0])) : NULL;
}

/* ---- attributes ---- */

#define VIP_PREFIX_LEN 128

bool vip_parse(const struct cp_attribute *attr, struct addr *ret)
{
	bool v4 = attr->type == CP_ATTR_INTERNAL_IP4_ADDRESS;

	if (!v4 && attr->type != CP_ATTR_INTERNAL_IP6_ADDRESS)
		return false;
	*ret = (struct addr){ .family = v4 ? AF_INET : AF_INET6 };
	/* an IPv6 address has a prefix length behind it */
	if (v4 ? attr->value.n == 4 : attr->value.n == 16 || attr->value.n == 17)
		*ret = addr_from_ip(ret->family, attr->value.p);
	return true;
}

struct cp_attribute vip_attribute(struct ike_sa *sa, const struct addr *a)
{
	bool v4 = a->family == AF_INET;
	uint16_t type = v4 ? CP_ATTR_INTERNAL_IP4_ADDRESS : CP_ATTR_INTERNAL_IP6_ADDRESS;
	uint8_t *value;

	if (addr_is_any(a))
		return (struct cp_attribute){ type, BYTES_NONE };
	value = arena_alloc(&sa->ctx->arena, sizeof(a->ip) + 1);
	memcpy(value, a->ip, addr_len(a));
	value[16] = VIP_PREFIX_LEN;
	return (struct cp_attribute){ type, bytes_of(value, v4 ? 4 : 17) };
}

/* ---- selectors ---- */

bool vips_are_needed(struct ts_list conf)
{
	for (size_t i = 0; i < conf.count; i++)
		if (conf.p[i].dynamic)
			return true;
	return false;
}

/* Asked for in an exchange that is not complete. */
static bool vips_are_pending(const struct ike_sa *sa)
{
	return sa->initiator && !sa->established_ms && sa->conn->n_vips;
}

/* RFC 7296, 2.19: any address, for the gateway to narrow. */
static struct ts_list vips_any_ts(struct ike_sa *sa, struct ts_list conf)
{
	static const int families[] = { AF_INET, AF_INET6 };
	struct ts *out = arena_array(&sa->ctx->arena, struct ts, conf.count * ARRAY_LEN(families) + 1);
	size_t n = 0;

	for (size_t i = 0; i < conf.count; i++) {
		if (!conf.p[i].dynamic) {
			out[n++] = conf.p[i];
			continue;
		}
		for (size_t f = 0; f < ARRAY_LEN(families); f++) {
			size_t k = 0;

			while (k < sa->conn->n_vips && sa->conn->vips[k].family != families[f])
				k++;
			if (k == sa->conn->n_vips)
				continue;
			out[n] = ts_any(families[f]);
			out[n].protocol = conf.p[i].protocol;
			out[n].port_from = conf.p[i].port_from;
			out[n].port_to = conf.p[i].port_to;
			n++;
		}
	}
	return (struct ts_list){ n, out };
}

static struct ts_list vips_resolve(struct ike_sa *sa, struct ts_list conf, bool ours, const struct addr *outer)
{
	struct addr hosts[LIMIT_VIPS];
	size_t n = vips_addrs(sa, ours, hosts);

	return n ? ts_resolve(&sa->ctx->arena, conf, hosts, n) : ts_resolve(&sa->ctx->arena, conf, outer, 1);
}

struct ts_list vips_local_ts(struct ike_sa *sa, struct ts_list conf)
{
	/* one that is left of an IKE_SA before this one counts when the gateway gives it again */
	if (vips_are_pending(sa))
		return vips_any_ts(sa, conf);
	return vips_resolve(sa, conf, true, &sa->local);
}

struct ts_list vips_remote_ts(struct ike_sa *sa, struct ts_list conf)
{
	return vips_resolve(sa, conf, false, &sa->remote);
}

struct ts_list vips_narrow_answer(struct ike_sa *sa, struct ts_list conf, struct ts_list answer)
{
	if (!sa->vips || !sa->vips->ours || !vips_are_needed(conf))
		return answer;
	return ts_narrow(&sa->ctx->arena, vips_local_ts(sa, conf), answer);
}

bool vips_are_missing(const struct ike_sa *sa, const struct child_conf *conf)
{
	/* who began the first IKE_SA asked */
	return sa->origin && sa->established_ms && sa->conn->n_vips && !sa->vips && vips_are_needed(conf->local_ts);
}

void vips_acquire(const struct ike_sa *sa, struct child_acquire *acquire)
{
	if (!sa->vips || !sa->vips->ours || !ts_is_host(&acquire->src, &sa->local))
		return;
	for (size_t i = 0; i < sa->vips->n; i++) {
		struct ts host = ts_from_addr(&sa->vips->list[i].addr);

		if (host.family != acquire->src.family)
			continue;
		memcpy(acquire->src.from, host.from, sizeof(host.from));
		memcpy(acquire->src.to, host.to, sizeof(host.to));
		return;
	}
}
