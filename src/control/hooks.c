/* SPDX-License-Identifier: Apache-2.0 */
#include "control/internal.h"

/* What plugins are told of SAs (plugin/hooks.h), and who puts attributes into force (plugin/attributes.h). */

unsigned hooks_events(const struct control *c)
{
	unsigned mask = 0;

	switch (hooks_interest(c->options.hooks)) {
	case HOOK_INTEREST_NONE:
		break;
	case HOOK_INTEREST_UPDOWN:
		mask |= WORKERS_WANT_UPDOWN;
		break;
	case HOOK_INTEREST_ALL:
		mask |= 1u << SA_EVENT_CHILD_UP | 1u << SA_EVENT_CHILD_DOWN;
		break;
	}
	return c->options.attributes ? mask | WORKERS_WANT_ATTRIBUTES : mask;
}

static void hooks_tell_child(struct control *c, const struct ike_info *info, bool up)
{
	const struct child_info *child = info->children;
	struct hook_child facts = {
		.up = up,
		.conn = info->name,
		.ike_id = info->id,
		.initiator = info->initiator,
		.local = info->local,
		.remote = info->remote,
		.local_id = info->local_id,
		.remote_id = info->remote_id,
		.n_local_vips = info->n_local_vips,
		.n_remote_vips = info->n_remote_vips,
		.local_vips = info->local_vips,
		.remote_vips = info->remote_vips,
		.n_attributes = info->n_attributes,
		.attributes = info->attributes,
	};

	if (!expect(info->n_children == 1))
		return;
	facts.name = child->name;
	facts.child_id = child->id;
	facts.line_id = child->line_id;
	facts.reqid = child->reqid;
	facts.protocol = child->suite.protocol;
	facts.encap = child->encap;
	facts.hostaccess = child->hostaccess;
	facts.updown = child->updown;
	facts.local_ts = child->local_ts;
	facts.remote_ts = child->remote_ts;
	if (child->scope)
		facts.scope = *child->scope;
	hooks_child(c->options.hooks, &facts);
}

static void hooks_tell_attributes(struct control *c, const struct ike_info *info, bool up)
{
	const struct attribute_source source = {
		.conn = info->name,
		.ike_id = info->id,
		.origin_id = info->origin_id,
		.local = info->local,
		.remote = info->remote,
	};

	for (size_t i = 0; i < info->n_attributes; i++) {
		const struct attribute *a = &info->attributes[i];
		const struct attribute_handler *h = attribute_handler_of(c->options.attributes, a->type);

		if (h && h->handle)
			h->handle(h->arg, &source, a, up);
	}
}

void hooks_sa(struct control *c, const struct worker_reply *r)
{
	bool up = r->event == SA_EVENT_CHILD_UP || r->event == SA_EVENT_IKE_UP;

	if (!r->info)
		return;
	switch (r->event) {
	case SA_EVENT_CHILD_UP:
	case SA_EVENT_CHILD_DOWN:
		hooks_tell_child(c, r->info, up);
		break;
	case SA_EVENT_IKE_UP:
	case SA_EVENT_IKE_DOWN:
		hooks_tell_attributes(c, r->info, up);
		break;
	case SA_EVENT_IKE_REKEY:
	case SA_EVENT_CHILD_REKEY:
	case SA_EVENT_IKE_UPDATE:
		break;
	}
}
