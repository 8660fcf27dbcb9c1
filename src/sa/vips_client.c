/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sa/kin.h"
#include "sa/scope.h"
#include "sa/vips.h"

/* Virtual addresses that a gateway gives us. */

/* ---- on an interface ---- */

static bool vip_install(struct ike_sa *sa, struct sa_vip *vip)
{
	struct sa_ctx *ctx = sa->ctx;
	struct errtext err = { "" };
	struct kernel_vip k;

	vip->own.local = sa->local;
	vip->own.if_id = sa->if_id_out;
	k = (struct kernel_vip){ vip->addr, vip->own.local, vip->own.if_id };
	if (!ctx->options.install_virtual_ip)
		return true;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "installing new virtual IP %s", addr_format(&vip->addr).s);
	if (!ctx->kernel_ops->vip_add) {
		LOG_SA(&sa->log, KNL, LOG_LEVEL_CONTROL, "%s does not put addresses onto interfaces", ctx->kernel_ops->name);
		return true;
	}
	vip->own.installed = ctx->kernel_ops->vip_add(ctx->kernel, &k, &err);
	if (!vip->own.installed)
		LOG_SA(&sa->log, KNL, LOG_LEVEL_AUDIT, "installing virtual IP %s failed: %s", addr_format(&vip->addr).s, err.s);
	return vip->own.installed;
}

void vip_uninstall(struct ike_sa *sa, struct sa_vip *vip)
{
	struct sa_ctx *ctx = sa->ctx;
	const struct kernel_vip k = { vip->addr, vip->own.local, vip->own.if_id };

	if (!vip->own.installed)
		return;
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "removing virtual IP %s", addr_format(&vip->addr).s);
	ctx->kernel_ops->vip_remove(ctx->kernel, &k);
	vip->own.installed = false;
}

/* ---- asking ---- */

/* The address that we had so far for this entry of the configuration, else what the entry says. */
static const struct addr *vip_wish(const struct ike_sa *sa, size_t entry)
{
	const struct sa_vips *had = sa->vips ? sa->vips : kin_reauth_old(sa) ? kin_reauth_old(sa)->vips : NULL;
	const struct addr *conf = &sa->conn->vips[entry];
	size_t nth = 0;

	for (size_t i = 0; i < entry; i++)
		nth += sa->conn->vips[i].family == conf->family;
	for (size_t i = 0; had && had->ours && i < had->n; i++)
		if (had->list[i].addr.family == conf->family && nth-- == 0)
			return &had->list[i].addr;
	return conf;
}

size_t vips_put_request(struct ike_sa *sa, struct cp_attribute *attrs)
{
	for (size_t i = 0; i < sa->conn->n_vips; i++)
		attrs[i] = vip_attribute(sa, vip_wish(sa, i));
	return sa->conn->n_vips;
}

/* ---- the answer ---- */

static bool vip_is_good(const struct addr *a)
{
	static const uint8_t loopback[16] = { [15] = 1 };

	if (a->family == AF_INET)
		return a->ip[0] != 0 && a->ip[0] != 127 && a->ip[0] < 224;
	return !addr_is_any(a) && a->ip[0] != 0xff && memcmp(a->ip, loopback, sizeof(loopback)) != 0;
}

static size_t vips_count(const struct sa_vips *v, uint8_t family)
{
	size_t n = 0;

	for (size_t i = 0; i < v->n; i++)
		n += v->list[i].addr.family == family;
	return n;
}

static size_t vips_wished(const struct ike_sa *sa, uint8_t family)
{
	size_t n = 0;

	for (size_t i = 0; i < sa->conn->n_vips; i++)
		n += sa->conn->vips[i].family == family;
	return n;
}

/* RFC 7296, 3.15.1: as many as were asked for, at most. */
static bool vip_is_acceptable(struct ike_sa *sa, const struct sa_vips *v, const struct addr *a)
{
	const char *why = NULL;

	if (!vip_is_good(a))
		why = "it is none that a host can have";
	else if (vips_count(v, a->family) == vips_wished(sa, a->family))
		why = "it was not asked for";
	for (size_t i = 0; i < v->n; i++)
		if (addr_equal_ip(&v->list[i].addr, a))
			why = "it is there twice";
	if (why)
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "ignored virtual IP %s from the gateway: %s", addr_format(a).s, why);
	return why == NULL;
}

/* From the IKE_SA that was before, or new. */
static void vip_obtain(struct ike_sa *sa, struct sa_vips *had, struct sa_vips *v, const struct addr *a)
{
	struct sa_vip *vip = &v->list[v->n];

	for (size_t i = 0; had && i < had->n; i++) {
		if (!addr_equal_ip(&had->list[i].addr, a))
			continue;
		*vip = had->list[i];
		had->list[i].own.installed = false;
		v->n++;
		return;
	}
	*vip = (struct sa_vip){ .addr = *a };
	v->n += vip_install(sa, vip);
}

static void vips_log_missing(struct ike_sa *sa, const struct sa_vips *v)
{
	static const uint8_t families[] = { AF_INET, AF_INET6 };

	for (size_t i = 0; i < ARRAY_LEN(families); i++) {
		size_t wished = vips_wished(sa, families[i]), n = vips_count(v, families[i]);

		if (n < wished)
			LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "of %zu virtual IPv%d address%s that we asked for we have %zu", wished,
			       families[i] == AF_INET ? 4 : 6, wished == 1 ? "" : "es", n);
	}
}

void vips_take_reply(struct ike_sa *sa, const struct payload_cp *cp)
{
	struct sa_vips *had = sa->vips, *v;
	struct addr a;

	if (!had && !sa->conn->n_vips)
		return;
	v = vips_new(true);
	scope_of_ike(sa);
	for (size_t i = 0; cp && i < cp->count && v->n < LIMIT_VIPS; i++)
		if (vip_parse(&cp->attrs[i], &a) && vip_is_acceptable(sa, v, &a))
			vip_obtain(sa, had, v, &a);
	vips_log_missing(sa, v);
	vips_free(sa); /* those that it has not any more */
	vips_set(sa, v);
}
