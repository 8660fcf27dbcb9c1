/* SPDX-License-Identifier: Apache-2.0 */
/* Virtual addresses: what the ends have of them. */
#include <stdio.h>

#include "lab_private.h"
#include "sa/vips.h"

const char *lab_vips(const struct ike_sa *sa)
{
	static char text[LIMIT_VIPS * 48];
	size_t n = 0;

	text[0] = 0;
	for (size_t i = 0; sa->vips && i < sa->vips->n; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", i ? " " : "", addr_format(&sa->vips->list[i].addr).s);
	return text;
}

const char *lab_pool(const struct lab_end *e, const char *name)
{
	const struct pool *pool = pools_find(e->ctx.config->pools, name);
	static char text[48];
	size_t online, offline;

	ck_assert_ptr_nonnull(pool);
	leases_count(pool->leases, &online, &offline);
	snprintf(text, sizeof(text), "%zu/%zu", online, offline);
	return text;
}

/* All addresses of one kind that SAs of the end have; of those shared by IKE_SAs of one peer each once. */
static size_t lab_leases_held(const struct lab_end *e)
{
	struct sa_vip *held[LAB_SAS * 2];
	size_t n = 0;

	for (size_t k = 0; k < e->n_sas; k++) {
		struct sa_vips *v = e->sas[k]->vips;

		for (size_t i = 0; v && !v->ours && i < v->n; i++) {
			size_t j = 0;

			ck_assert_ptr_nonnull(v->list[i].lease.of);
			while (j < n && !(held[j]->lease.of == v->list[i].lease.of && held[j]->lease.slot == v->list[i].lease.slot))
				j++;
			ck_assert_uint_lt(n, ARRAY_LEN(held));
			if (j == n)
				held[n++] = &v->list[i];
		}
	}
	return n;
}

void lab_check_vips(const struct lab_end *e)
{
	size_t installed = 0, online, offline, leased = 0;

	for (size_t k = 0; k < e->n_sas; k++) {
		const struct ike_sa *sa = e->sas[k];

		if (!sa->vips)
			continue;
		ck_assert_uint_gt(sa->vips->n, 0);
		/* a shell has none, and one that was replaced has left them to its successor */
		ck_assert(sa->state != IKE_STATE_CLOSED && sa->state != IKE_STATE_REKEYED);
		for (size_t i = 0; i < sa->vips->n; i++)
			installed += sa->vips->ours && sa->vips->list[i].own.installed;
	}
	ck_assert_uint_eq(installed, e->n_vips);
	for (size_t i = 0; i < e->ctx.config->pools->n; i++) {
		leases_count(e->ctx.config->pools->list[i]->leases, &online, &offline);
		leased += online;
	}
	ck_assert_uint_eq(leased, lab_leases_held(e));
}
