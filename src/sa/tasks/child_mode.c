/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/tasks/child.h"

/*
 * Tunnel mode is what the protocol has by itself; the other modes are asked for and agreed to by a notify (RFC 7296, 1.3.1). A side
 * that gets tunnel mode instead takes it: the packets are protected as well, and peers that differ in their configuration
 * still talk. A successor has the mode of the one that it replaces.
 */

static const struct {
	enum ipsec_mode mode;
	uint16_t notify;
	const char *name; /* as in swanctl.conf */
} modes[] = {
	{ IPSEC_MODE_TUNNEL, 0, "tunnel" },
	{ IPSEC_MODE_TRANSPORT, NOTIFY_USE_TRANSPORT_MODE, "transport" },
	{ IPSEC_MODE_BEET, NOTIFY_USE_BEET_MODE, "beet" },
};

/*
 * There is no notify of the IANA for BEET mode. The number is one that others use for it, too; as it is private to vendors (RFC 7296,
 * 3.10.1), it counts only in a message that says whose it is.
 */
static const char mode_vendor[] = "Bewick: BEET mode";

static const char *mode_name(enum ipsec_mode mode)
{
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (modes[i].mode == mode)
			return modes[i].name;
	return "?";
}

static enum ipsec_mode mode_of_conf(const struct child_conf *conf)
{
	switch (conf->mode) {
	case CHILD_TRANSPORT:
		return IPSEC_MODE_TRANSPORT;
	case CHILD_BEET:
		return IPSEC_MODE_BEET;
	case CHILD_TUNNEL:
	case CHILD_PASS:
	case CHILD_DROP:
		break;
	}
	return IPSEC_MODE_TUNNEL;
}

enum ipsec_mode negotiate_mode(struct ike_sa *sa, const struct child_negotiation *n)
{
	const struct child_sa *old = negotiate_old(sa, n);

	return old ? (enum ipsec_mode)old->mode : mode_of_conf(n->conf);
}

static bool mode_is_of_vendor(const struct payload_list *in)
{
	for (size_t i = 0; i < in->count; i++)
		if (in->p[i].type == PAYLOAD_VENDOR && bytes_equal(in->p[i].vendor, bytes_str(mode_vendor)))
			return true;
	return false;
}

static enum ipsec_mode mode_of_message(const struct payload_list *in)
{
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (modes[i].notify && payload_notify(in, modes[i].notify) &&
		    (modes[i].mode != IPSEC_MODE_BEET || mode_is_of_vendor(in)))
			return modes[i].mode;
	return IPSEC_MODE_TUNNEL;
}

/* ---- selectors ---- */

static bool mode_is_one_host(struct ts_list list)
{
	for (size_t i = 0; i < list.count; i++)
		if (memcmp(list.p[i].from, list.p[i].to, sizeof(list.p[i].from)) != 0 || list.p[i].family != list.p[0].family ||
		    memcmp(list.p[i].from, list.p[0].from, sizeof(list.p[i].from)) != 0)
			return false;
	return list.count > 0;
}

/* Transport mode has no header that could tell other addresses than those of the hosts that talk. */
static struct ts_list mode_narrow(struct arena *a, struct ts_list list, const struct addr *host)
{
	struct ts *ts = arena_new(a, struct ts);

	*ts = ts_from_addr(host);
	return ts_narrow(a, list, (struct ts_list){ 1, ts });
}

bool negotiate_mode_selectors(struct ike_sa *sa, const struct child_negotiation *n, enum ipsec_mode mode, struct ts_list *local,
			      struct ts_list *remote)
{
	const struct child_sa *old = negotiate_old(sa, n);
	struct arena *a = &sa->ctx->arena;

	switch (mode) {
	case IPSEC_MODE_TRANSPORT:
		*local = mode_narrow(a, *local, &sa->local);
		*remote = mode_narrow(a, *remote, &sa->remote);
		return local->count && remote->count;
	case IPSEC_MODE_BEET:
		/* the inner addresses are not sent: each side has one, and the SA knows it */
		if (old) {
			*local = ts_narrow(a, *local, child_sa_local_ts(old));
			*remote = ts_narrow(a, *remote, child_sa_remote_ts(old));
		}
		return mode_is_one_host(*local) && mode_is_one_host(*remote);
	case IPSEC_MODE_TUNNEL:
	case IPSEC_MODE_PASS:
	case IPSEC_MODE_DROP:
		break;
	}
	return true;
}

/* ---- initiator ---- */

enum outcome negotiate_mode_impossible(struct ike_sa *sa, struct child_negotiation *n)
{
	const char *why = negotiate_mode(sa, n) == IPSEC_MODE_TRANSPORT ?
				  "transport mode is between the two hosts, whose addresses local_ts and remote_ts do not have" :
				  "BEET mode needs a single address in local_ts and in remote_ts";

	return negotiate_without(sa, n, CAUSE_SELECTORS, why, why);
}

void negotiate_build_mode(const struct child_sa *c, struct builder *b)
{
	for (size_t i = 0; i < ARRAY_LEN(modes); i++)
		if (modes[i].notify && modes[i].mode == (enum ipsec_mode)c->mode)
			builder_notify(b, PROTOCOL_NONE, BYTES_NONE, modes[i].notify, BYTES_NONE);
	if (c->mode == IPSEC_MODE_BEET)
		builder_vendor(b, bytes_str(mode_vendor));
}

const char *negotiate_take_mode(struct ike_sa *sa, const struct child_negotiation *n, const struct payload_list *in)
{
	struct child_sa *c = negotiate_sa(sa, n);
	enum ipsec_mode got = mode_of_message(in);

	c->peer_no_tfc = payload_notify(in, NOTIFY_ESP_TFC_PADDING_NOT_SUPPORTED) != NULL;
	if (got == (enum ipsec_mode)c->mode)
		return NULL;
	if (got != IPSEC_MODE_TUNNEL)
		return "the peer answered with a mode that we did not ask for";
	if (n->old_id)
		return "the peer does not rekey it in the mode that it has (its configuration may have changed)";
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the peer declined %s mode for CHILD_SA %s{%u}: it is in tunnel mode",
	       mode_name((enum ipsec_mode)c->mode), c->conf->name, c->id);
	c->mode = IPSEC_MODE_TUNNEL;
	return NULL;
}

/* ---- responder ---- */

bool negotiate_answer_mode(struct ike_sa *sa, const struct child_negotiation *n, const struct payload_list *in,
			   struct ts_list *local, struct ts_list *remote, enum ipsec_mode *ret_mode)
{
	enum ipsec_mode asked = mode_of_message(in), ours = negotiate_mode(sa, n);
	struct ts_list l = *local, r = *remote;

	*ret_mode = IPSEC_MODE_TUNNEL;
	if (asked != ours) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "the peer asks for %s mode for CHILD_SA %s, which has mode = %s%s",
		       mode_name(asked), n->conf->name, mode_name(ours), n->old_id ? "" : ": it is in tunnel mode");
		/* what is in tunnel mode, because that was all that was agreed on, stays so */
		return !n->old_id || ours == IPSEC_MODE_TUNNEL;
	}
	if (ours == IPSEC_MODE_TUNNEL)
		return true;
	if (!negotiate_mode_selectors(sa, n, ours, &l, &r)) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
		       "the selectors of CHILD_SA %s do not suit %s mode, which the peer asks for%s", n->conf->name,
		       mode_name(ours), n->old_id ? "" : ": it is in tunnel mode");
		return !n->old_id;
	}
	*local = l;
	*remote = r;
	*ret_mode = ours;
	return true;
}
