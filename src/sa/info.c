/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/info.h"

#include <stdlib.h>

#include "sa/config_payload.h"
#include "sa/task.h"
#include "sa/vips.h"

static const char *info_id(struct arena *a, const struct id *id)
{
	struct buf text = { 0 };
	const char *s;

	id_format(&text, id);
	s = arena_dup(a, buf_str(&text), text.n + 1);
	buf_free(&text);
	return s;
}

static struct ts_list info_ts(struct arena *a, struct ts_list list)
{
	return (struct ts_list){ list.count, arena_dup(a, list.p, list.count * sizeof(*list.p)) };
}

static size_t info_tasks(struct arena *a, const struct task *list, const char ***ret_names)
{
	size_t n = 0, i = 0;

	for (const struct task *t = list; t; t = t->next)
		n++;
	*ret_names = arena_array(a, const char *, n ? n : 1);
	for (const struct task *t = list; t; t = t->next)
		(*ret_names)[i++] = task_name(t->type);
	return n;
}

static int64_t info_since(uint64_t now, uint64_t then)
{
	return then == 0 ? -1 : now < then ? 0 : (int64_t)((now - then) / 1000);
}

static bool info_until(uint64_t now, uint64_t then, int64_t *ret_s)
{
	*ret_s = ((int64_t)then - (int64_t)now) / 1000;
	return then != 0;
}

static const struct ipsec_scope *info_scope(struct arena *a, const struct ipsec_scope *scope)
{
	struct ipsec_scope *copy;

	if (!scope)
		return NULL;
	copy = arena_dup(a, scope, sizeof(*scope));
	if (scope->interface)
		copy->interface = arena_dup(a, scope->interface, strlen(scope->interface) + 1);
	return copy;
}

static void info_child(struct arena *a, const struct child_sa *c, struct child_info *out)
{
	uint64_t now = sa_now(c->ike->ctx);

	out->name = arena_dup(a, c->conf->name, strlen(c->conf->name) + 1);
	out->id = c->id;
	out->reqid = c->reqid;
	out->line_id = c->line_id;
	out->updown = c->conf->updown ? arena_dup(a, c->conf->updown, strlen(c->conf->updown) + 1) : NULL;
	out->hostaccess = c->conf->hostaccess;
	out->state = c->state;
	out->mode = (enum ipsec_mode)c->mode;
	out->scope = info_scope(a, c->scope);
	out->encap = c->encap;
	out->own_ke = c->own_ke;
	out->installed = c->installed_ms != 0;
	out->spi_in = c->spi_in;
	out->spi_out = c->spi_out;
	out->suite = c->suite;
	child_sa_usage(c, &out->in, &out->out);
	out->use_in_s = info_since(now, out->in.last_use_ms);
	out->use_out_s = info_since(now, out->out.last_use_ms);
	out->install_s = c->installed_ms ? (now - c->installed_ms) / 1000 : 0;
	out->has_rekey = info_until(now, c->rekey_ms, &out->rekey_s);
	out->has_life = info_until(now, c->life_ms, &out->life_s);
	out->local_ts = info_ts(a, child_sa_local_ts(c));
	out->remote_ts = info_ts(a, child_sa_remote_ts(c));
}

static void info_children(const struct ike_sa *sa, const struct child_sa *only, struct ike_info *info)
{
	size_t n = 0;

	for (const struct child_sa *c = sa->children; c; c = c->next)
		n++;
	info->children = arena_array(&info->arena, struct child_info, n ? n : 1);
	/* the list has the newest first; users see the oldest first */
	for (const struct child_sa *c = sa->children; c; c = c->next)
		if (!only || c == only)
			info_child(&info->arena, c, &info->children[only ? 0 : --n]);
	for (const struct child_sa *c = sa->children; c; c = c->next)
		info->n_children += !only || c == only;
}

static void info_attributes(struct arena *a, const struct ike_sa *sa, struct ike_info *info)
{
	struct attribute *list;

	if (!sa->attributes)
		return;
	info->n_attributes = sa->attributes->count;
	info->attributes = list = arena_dup(a, sa->attributes->list, info->n_attributes * sizeof(*list));
	for (size_t i = 0; i < info->n_attributes; i++)
		list[i].value.p = arena_dup(a, list[i].value.p, list[i].value.n);
}

static size_t info_vips(struct arena *a, const struct ike_sa *sa, bool ours, const struct addr **ret)
{
	struct addr vips[LIMIT_VIPS];
	size_t n = vips_addrs(sa, ours, vips);

	*ret = arena_dup(a, vips, n * sizeof(vips[0]));
	return n;
}

struct ike_info *ike_info_new(const struct ike_sa *sa, const struct child_sa *child, bool no_children)
{
	struct ike_info *info = xcalloc(1, sizeof(*info));
	struct arena *a = &info->arena;

	info->name = arena_dup(a, sa->log.name, strlen(sa->log.name) + 1);
	info->id = sa->log.id;
	info->state = sa->state;
	info->initiator = sa->initiator;
	info->local = sa->local;
	info->remote = sa->remote;
	info->local_id = info_id(a, &sa->local_id);
	info->remote_id = info_id(a, &sa->remote_id);
	info->spi_i = sa->spi_i;
	info->spi_r = sa->spi_r;
	info->over_tcp = sa->remote.stream != 0;
	info->nat_local = sa->nat_local;
	info->nat_remote = sa->nat_remote;
	info->nat_fake = sa->nat_fake;
	info->if_id_in = sa->if_id_in;
	info->if_id_out = sa->if_id_out;
	info->has_suite = sa->suite.encr != 0;
	info->suite = sa->suite;
	if (sa->established_ms)
		info->established_s = (sa_now(sa->ctx) - sa->established_ms) / 1000;
	info->has_rekey = info_until(sa_now(sa->ctx), sa->rekey_ms, &info->rekey_s);
	info->has_reauth = info_until(sa_now(sa->ctx), sa->reauth_ms, &info->reauth_s);
	info->n_queued = info_tasks(a, sa->queued, &info->queued);
	info->n_active = info_tasks(a, sa->active, &info->active);
	info->n_passive = info_tasks(a, sa->passive, &info->passive);
	info->origin_id = sa->origin_id;
	info->n_local_vips = info_vips(a, sa, true, &info->local_vips);
	info->n_remote_vips = info_vips(a, sa, false, &info->remote_vips);
	info_attributes(a, sa, info);
	if (!no_children)
		info_children(sa, child, info);
	return info;
}

void ike_info_free(struct ike_info *info)
{
	if (!info)
		return;
	arena_free(&info->arena);
	free(info);
}
