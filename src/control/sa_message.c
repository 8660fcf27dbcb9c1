/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "control/internal.h"

/* SAs as VICI prints them; the order of keys is what clients have always seen. */

static void message_host(struct vici_writer *w, const char *side, const struct addr *a, const char *id)
{
	char key[32];

	snprintf(key, sizeof(key), "%s-host", side);
	vici_write_str(w, key, addr_format(a).s);
	snprintf(key, sizeof(key), "%s-port", side);
	vici_write_fmt(w, key, "%u", a->port);
	snprintf(key, sizeof(key), "%s-id", side);
	vici_write_str(w, key, id);
}

static void message_flag(struct vici_writer *w, const char *key, bool set)
{
	if (set)
		vici_write_str(w, key, "yes");
}

void sa_message_suite(struct vici_writer *w, const struct suite *s, bool with_prf, bool with_ke)
{
	char key[8];

	if (s->encr)
		vici_write_str(w, "encr-alg", encr_name(s->encr));
	if (s->encr_bits)
		vici_write_fmt(w, "encr-keysize", "%u", s->encr_bits);
	if (s->integ)
		vici_write_str(w, "integ-alg", integ_name(s->integ));
	if (with_prf && s->prf)
		vici_write_str(w, "prf-alg", prf_name(s->prf));
	if (!with_ke || !s->ke)
		return;
	vici_write_str(w, "dh-group", ke_name(s->ke));
	for (size_t i = 0; i < ARRAY_LEN(s->addke); i++) {
		snprintf(key, sizeof(key), "ake%zu", i + 1);
		if (s->addke[i])
			vici_write_str(w, key, ke_name(s->addke[i]));
	}
}

static void message_tasks(struct vici_writer *w, const char *key, const char *const *names, size_t n)
{
	if (n == 0)
		return;
	vici_write_list(w, key);
	for (size_t i = 0; i < n; i++)
		vici_write_item_str(w, names[i]);
	vici_write_list_end(w);
}

static void message_selectors(struct vici_writer *w, const char *key, struct ts_list list)
{
	vici_write_list(w, key);
	for (size_t i = 0; i < list.count; i++)
		vici_write_item_str(w, ts_format(&list.p[i]).s);
	vici_write_list_end(w);
}

static void message_usage(struct vici_writer *w, const char *way, const struct kernel_usage *u, int64_t use_s)
{
	char key[32];

	snprintf(key, sizeof(key), "bytes-%s", way);
	vici_write_fmt(w, key, "%llu", (unsigned long long)u->bytes);
	snprintf(key, sizeof(key), "packets-%s", way);
	vici_write_fmt(w, key, "%llu", (unsigned long long)u->packets);
	snprintf(key, sizeof(key), "use-%s", way);
	if (use_s >= 0)
		vici_write_fmt(w, key, "%lld", (long long)use_s);
}

static bool child_has_keys(enum child_state state)
{
	return state == CHILD_STATE_INSTALLED || state == CHILD_STATE_REKEYING || state == CHILD_STATE_REKEYED ||
	       state == CHILD_STATE_DELETING || state == CHILD_STATE_DELETED;
}

/* Seconds until something is due; negative when it is late. */
static void message_until(struct vici_writer *w, const char *key, bool has, int64_t s)
{
	if (has)
		vici_write_fmt(w, key, "%lld", (long long)s);
}

const char *sa_message_mode(enum ipsec_mode mode)
{
	switch (mode) {
	case IPSEC_MODE_TUNNEL:
		return "TUNNEL";
	case IPSEC_MODE_TRANSPORT:
		return "TRANSPORT";
	case IPSEC_MODE_BEET:
		return "BEET";
	case IPSEC_MODE_PASS:
		return "PASS";
	case IPSEC_MODE_DROP:
		return "DROP";
	}
	return "";
}

static void message_mark(struct vici_writer *w, const char *way, const struct ipsec_mark *m)
{
	char key[32];

	if (!m->mask)
		return;
	snprintf(key, sizeof(key), "mark-%s", way);
	vici_write_fmt(w, key, "%08x", m->value);
	snprintf(key, sizeof(key), "mark-mask-%s", way);
	if (m->mask != UINT32_MAX)
		vici_write_fmt(w, key, "%08x", m->mask);
}

static void message_if_ids(struct vici_writer *w, uint32_t in, uint32_t out)
{
	if (in)
		vici_write_fmt(w, "if-id-in", "%08x", in);
	if (out)
		vici_write_fmt(w, "if-id-out", "%08x", out);
}

static void message_scope(struct vici_writer *w, const struct ipsec_scope *s)
{
	if (!s)
		return;
	message_mark(w, "in", &s->mark_in);
	message_mark(w, "out", &s->mark_out);
	message_if_ids(w, s->if_id_in, s->if_id_out);
}

static void message_child_keys(struct vici_writer *w, const struct child_info *c)
{
	vici_write_str(w, "name", c->name);
	vici_write_fmt(w, "uniqueid", "%u", c->id);
	vici_write_fmt(w, "reqid", "%u", c->reqid);
	vici_write_str(w, "state", child_state_name(c->state));
	vici_write_str(w, "mode", sa_message_mode(c->mode));
	if (c->installed && child_has_keys(c->state)) {
		vici_write_str(w, "protocol", c->suite.protocol == PROTOCOL_AH ? "AH" : "ESP");
		message_flag(w, "encap", c->encap);
		vici_write_fmt(w, "spi-in", "%08x", c->spi_in);
		vici_write_fmt(w, "spi-out", "%08x", c->spi_out);
		message_scope(w, c->scope);
		sa_message_suite(w, &c->suite, false, c->own_ke);
		if (c->suite.esn)
			vici_write_str(w, "esn", "1");
		message_usage(w, "in", &c->in, c->use_in_s);
		message_usage(w, "out", &c->out, c->use_out_s);
		message_until(w, "rekey-time", c->has_rekey, c->rekey_s);
		message_until(w, "life-time", c->has_life, c->life_s);
		vici_write_fmt(w, "install-time", "%llu", (unsigned long long)c->install_s);
	}
	message_selectors(w, "local-ts", c->local_ts);
	message_selectors(w, "remote-ts", c->remote_ts);
}

static void message_child(struct vici_writer *w, const struct child_info *c)
{
	char name[256];

	/* names of sections have at most 255 bytes; the number must stay */
	snprintf(name, sizeof(name), "%.240s-%u", c->name, c->id);
	vici_write_section(w, name);
	message_child_keys(w, c);
	vici_write_section_end(w);
}

/* CLOSED is a shell that clients have no word for: to them it is going. */
static const char *message_state(enum ike_state state)
{
	return ike_state_name(state == IKE_STATE_CLOSED ? IKE_STATE_DELETING : state);
}

static void message_vips(struct vici_writer *w, const char *key, const struct addr *vips, size_t n)
{
	if (n == 0)
		return;
	vici_write_list(w, key);
	for (size_t i = 0; i < n; i++)
		vici_write_item_str(w, addr_format(&vips[i]).s);
	vici_write_list_end(w);
}

static void message_ike_keys(struct vici_writer *w, const struct ike_info *info)
{
	bool nat = info->nat_local || info->nat_remote || info->nat_fake;

	vici_write_fmt(w, "uniqueid", "%u", info->id);
	vici_write_str(w, "version", "2");
	vici_write_str(w, "state", message_state(info->state));
	message_host(w, "local", &info->local, info->local_id);
	message_host(w, "remote", &info->remote, info->remote_id);
	message_flag(w, "initiator", info->initiator);
	vici_write_fmt(w, "initiator-spi", "%016llx", (unsigned long long)info->spi_i);
	vici_write_fmt(w, "responder-spi", "%016llx", (unsigned long long)info->spi_r);
	message_flag(w, "encap-tcp", info->over_tcp); /* ours */
	message_flag(w, "nat-local", info->nat_local);
	message_flag(w, "nat-remote", info->nat_remote);
	message_flag(w, "nat-fake", info->nat_fake);
	message_flag(w, "nat-any", nat);
	message_if_ids(w, info->if_id_in, info->if_id_out);
	if (info->has_suite)
		sa_message_suite(w, &info->suite, true, true);
	if (info->state == IKE_STATE_ESTABLISHED) {
		vici_write_fmt(w, "established", "%llu", (unsigned long long)info->established_s);
		message_until(w, "rekey-time", info->has_rekey, info->rekey_s);
		message_until(w, "reauth-time", info->has_reauth, info->reauth_s);
	}
	message_vips(w, "local-vips", info->local_vips, info->n_local_vips);
	message_vips(w, "remote-vips", info->remote_vips, info->n_remote_vips);
	message_tasks(w, "tasks-queued", info->queued, info->n_queued);
	message_tasks(w, "tasks-active", info->active, info->n_active);
	message_tasks(w, "tasks-passive", info->passive, info->n_passive);
}

void sa_message_ike(struct vici_writer *w, const struct ike_info *info, bool children)
{
	vici_write_section(w, info->name);
	message_ike_keys(w, info);
	if (children) {
		vici_write_section(w, "child-sas");
		for (size_t i = 0; i < info->n_children; i++)
			message_child(w, &info->children[i]);
		vici_write_section_end(w);
	}
	vici_write_section_end(w);
}

void sa_message_ike_update(struct vici_writer *w, const struct ike_info *info, const struct addr *local, const struct addr *remote)
{
	vici_write_str(w, "local-host", addr_format(local).s);
	vici_write_fmt(w, "local-port", "%u", local->port);
	vici_write_str(w, "remote-host", addr_format(remote).s);
	vici_write_fmt(w, "remote-port", "%u", remote->port);
	sa_message_ike(w, info, false);
}

void sa_message_ike_rekey(struct vici_writer *w, const struct ike_info *old, const struct ike_info *new)
{
	vici_write_section(w, old->name);
	vici_write_section(w, "old");
	message_ike_keys(w, old);
	vici_write_section_end(w);
	vici_write_section(w, "new");
	message_ike_keys(w, new);
	vici_write_section_end(w);
	vici_write_section_end(w);
}

void sa_message_child_rekey(struct vici_writer *w, const struct ike_info *old, const struct ike_info *new)
{
	vici_write_section(w, old->name);
	message_ike_keys(w, old);
	vici_write_section(w, "child-sas");
	vici_write_section(w, old->children[0].name); /* without the number: it stands for both */
	vici_write_section(w, "old");
	message_child_keys(w, &old->children[0]);
	vici_write_section_end(w);
	vici_write_section(w, "new");
	message_child_keys(w, &new->children[0]);
	vici_write_section_end(w);
	vici_write_section_end(w);
	vici_write_section_end(w);
	vici_write_section_end(w);
}
