/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_message.h"

#include <string.h>

void policy_build_set(union nl_request_buffer *b, const struct policy_key *key, const struct policy_state *state)
{
	/* UPDPOLICY takes the place of a policy under one lock: no packet meets none, and packets that wait go on to the new one. */
	policy_put(nl_begin(b, XFRM_MSG_UPDPOLICY, 0), key, state);
}

void policy_build_delete(union nl_request_buffer *b, const struct policy_key *key)
{
	policy_put_id(nl_begin(b, XFRM_MSG_DELPOLICY, 0), key);
}

void policy_build_dump(union nl_request_buffer *b)
{
	(void)nl_begin(b, XFRM_MSG_GETPOLICY, NLM_F_DUMP);
}

static int policy_read_template(const struct nlattr *a, void *arg)
{
	struct policy_state *s = arg;

	if (mnl_attr_get_type(a) == XFRMA_TMPL && mnl_attr_get_payload_len(a) >= sizeof(s->tmpl)) {
		memcpy(&s->tmpl, mnl_attr_get_payload(a), sizeof(s->tmpl));
		s->has_tmpl = true;
	}
	return MNL_CB_OK;
}

bool policy_read(const struct nlmsghdr *h, struct policy_key *ret_key, struct policy_state *ret_state)
{
	struct xfrm_userpolicy_info p;
	struct policy_state s;

	if (h->nlmsg_type != XFRM_MSG_NEWPOLICY || !policy_read_key(h, ret_key))
		return false;
	memcpy(&p, mnl_nlmsg_get_payload(h), sizeof(p));
	memset(&s, 0, sizeof(s));
	s.present = true;
	s.action = p.action;
	s.priority = p.priority;
	mnl_attr_parse(h, sizeof(p), policy_read_template, &s);
	*ret_state = s;
	return true;
}

static int policy_read_deleted(const struct nlattr *a, void *arg)
{
	if (mnl_attr_get_type(a) == XFRMA_POLICY && mnl_attr_get_payload_len(a) >= sizeof(struct xfrm_userpolicy_info))
		memcpy(arg, mnl_attr_get_payload(a), sizeof(struct xfrm_userpolicy_info));
	return MNL_CB_OK;
}

bool policy_read_owner(const struct nlmsghdr *h, uint32_t *ret_owner)
{
	const struct xfrm_userpolicy_id *id = mnl_nlmsg_get_payload(h);
	struct xfrm_userpolicy_info info;

	memset(&info, 0, sizeof(info));
	if (h->nlmsg_type == XFRM_MSG_DELPOLICY) {
		if (mnl_nlmsg_get_payload_len(h) < sizeof(*id))
			return false;
		memcpy(&info.sel, &id->sel, sizeof(info.sel));
		mnl_attr_parse(h, sizeof(*id), policy_read_deleted, &info);
	} else {
		if (mnl_nlmsg_get_payload_len(h) < sizeof(info))
			return false;
		memcpy(&info, mnl_nlmsg_get_payload(h), sizeof(info));
	}
	*ret_owner = info.sel.user;
	return true;
}

static void policy_put_threshold(struct nlmsghdr *h, uint16_t type, const struct policy_threshold *t)
{
	struct xfrmu_spdhthresh thresh = { .lbits = t->local, .rbits = t->remote };

	mnl_attr_put(h, type, sizeof(thresh), &thresh);
}

void policy_build_thresholds(union nl_request_buffer *b, const struct policy_threshold *v4,
			     const struct policy_threshold *v6)
{
	struct nlmsghdr *h = nl_begin(b, XFRM_MSG_NEWSPDINFO, 0);

	(void)mnl_nlmsg_put_extra_header(h, sizeof(uint32_t));
	policy_put_threshold(h, XFRMA_SPD_IPV4_HTHRESH, v4);
	policy_put_threshold(h, XFRMA_SPD_IPV6_HTHRESH, v6);
}
