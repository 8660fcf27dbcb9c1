/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel/xfrm_policy.h"

#include <stddef.h>
#include <string.h>

static void policy_put_key(struct nlmsghdr *h, const struct policy_key *key)
{
	if (key->mark.m)
		mnl_attr_put(h, XFRMA_MARK, sizeof(key->mark), &key->mark);
	if (key->if_id)
		mnl_attr_put_u32(h, XFRMA_IF_ID, key->if_id);
}

void policy_put(struct nlmsghdr *h, const struct policy_key *key, const struct policy_state *state)
{
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

void policy_put_id(struct nlmsghdr *h, const struct policy_key *key)
{
	struct xfrm_userpolicy_id *id = mnl_nlmsg_put_extra_header(h, sizeof(*id));

	memcpy(&id->sel, &key->sel, sizeof(id->sel));
	id->dir = (uint8_t)key->dir;
	policy_put_key(h, key);
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
	struct xfrm_userpolicy_info p;
	struct policy_key key;

	if ((!acquire && h->nlmsg_type != XFRM_MSG_NEWPOLICY) || mnl_nlmsg_get_payload_len(h) < head)
		return false;
	/* messages are aligned to 4 bytes only */
	memcpy(&p, (const uint8_t *)mnl_nlmsg_get_payload(h) + (acquire ? offsetof(struct xfrm_user_acquire, policy) : 0), sizeof(p));
	memset(&key, 0, sizeof(key));
	memcpy(&key.sel, &p.sel, sizeof(key.sel));
	key.dir = acquire ? XFRM_POLICY_OUT : p.dir;
	mnl_attr_parse(h, (unsigned)head, policy_read_attr, &key);
	*ret = key;
	return true;
}
