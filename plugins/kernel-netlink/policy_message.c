/* SPDX-License-Identifier: Apache-2.0 */
#include "policy_message.h"

#include <string.h>

static void policy_put_key(struct nlmsghdr *h, const struct policy_key *key)
{
	if (key->mark.m)
		mnl_attr_put(h, XFRMA_MARK, sizeof(key->mark), &key->mark);
	if (key->if_id)
		mnl_attr_put_u32(h, XFRMA_IF_ID, key->if_id);
}

void policy_build_set(union nl_request_buffer *b, const struct policy_key *key, const struct policy_state *state)
{
	/* UPDPOLICY takes the place of a policy under one lock: no packet meets none, and packets that wait go on to the new one. */
	struct nlmsghdr *h = nl_begin(b, XFRM_MSG_UPDPOLICY, 0);
	struct xfrm_userpolicy_info *p = mnl_nlmsg_put_extra_header(h, sizeof(*p));

	memcpy(&p->sel, &key->sel, sizeof(p->sel));
	p->dir = (uint8_t)key->dir;
	p->action = state->action;
	p->priority = state->priority;
	p->share = XFRM_SHARE_ANY;
	p->lft.soft_byte_limit = p->lft.hard_byte_limit = XFRM_INF;
	p->lft.soft_packet_limit = p->lft.hard_packet_limit = XFRM_INF;
	if (state->has_tmpl)
		mnl_attr_put(h, XFRMA_TMPL, sizeof(state->tmpl), &state->tmpl);
	policy_put_key(h, key);
}

void policy_build_delete(union nl_request_buffer *b, const struct policy_key *key)
{
	struct nlmsghdr *h = nl_begin(b, XFRM_MSG_DELPOLICY, 0);
	struct xfrm_userpolicy_id *id = mnl_nlmsg_put_extra_header(h, sizeof(*id));

	memcpy(&id->sel, &key->sel, sizeof(id->sel));
	id->dir = (uint8_t)key->dir;
	policy_put_key(h, key);
}

void policy_build_dump(union nl_request_buffer *b)
{
	(void)nl_begin(b, XFRM_MSG_GETPOLICY, NLM_F_DUMP);
}

static int policy_read_attr(const struct nlattr *a, void *arg)
{
	struct policy_key *key = arg;

	if (mnl_attr_get_type(a) == XFRMA_MARK && mnl_attr_get_payload_len(a) >= sizeof(key->mark))
		memcpy(&key->mark, mnl_attr_get_payload(a), sizeof(key->mark));
	if (mnl_attr_get_type(a) == XFRMA_IF_ID && mnl_attr_get_payload_len(a) >= sizeof(key->if_id))
		key->if_id = mnl_attr_get_u32(a);
	return MNL_CB_OK;
}

bool policy_read_key(const struct nlmsghdr *h, struct policy_key *ret)
{
	bool acquire = h->nlmsg_type == XFRM_MSG_ACQUIRE;
	size_t head = acquire ? sizeof(struct xfrm_user_acquire) : sizeof(struct xfrm_userpolicy_info);
	const struct xfrm_userpolicy_info *p;
	struct policy_key key;

	if ((!acquire && h->nlmsg_type != XFRM_MSG_NEWPOLICY) || mnl_nlmsg_get_payload_len(h) < head)
		return false;
	p = acquire ? &((const struct xfrm_user_acquire *)mnl_nlmsg_get_payload(h))->policy :
		      mnl_nlmsg_get_payload(h);
	memset(&key, 0, sizeof(key));
	memcpy(&key.sel, &p->sel, sizeof(key.sel));
	key.dir = acquire ? XFRM_POLICY_OUT : p->dir;
	mnl_attr_parse(h, (unsigned)head, policy_read_attr, &key);
	*ret = key;
	return true;
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
	const struct xfrm_userpolicy_info *p = mnl_nlmsg_get_payload(h);
	struct policy_state s;

	if (h->nlmsg_type != XFRM_MSG_NEWPOLICY || !policy_read_key(h, ret_key))
		return false;
	memset(&s, 0, sizeof(s));
	s.present = true;
	s.action = p->action;
	s.priority = p->priority;
	mnl_attr_parse(h, sizeof(*p), policy_read_template, &s);
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
