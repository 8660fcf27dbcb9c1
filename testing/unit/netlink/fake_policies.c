/* SPDX-License-Identifier: Apache-2.0 */
#include "fake.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy_message.h"
#include "util/mem.h"

/* The policies of the fake kernel: what was set, told by a dump. */

struct fake_policy *fake_policy_find(struct fake_kernel *f, const struct policy_key *key)
{
	for (size_t i = 0; i < f->n_policies; i++)
		if (f->policies[i].there && memcmp(&f->policies[i].key, key, sizeof(*key)) == 0)
			return &f->policies[i];
	return NULL;
}

static int fake_policy_attr(const struct nlattr *a, void *arg)
{
	struct fake_policy *p = arg;

	if (mnl_attr_get_type(a) == XFRMA_MARK)
		memcpy(&p->key.mark, mnl_attr_get_payload(a), sizeof(p->key.mark));
	if (mnl_attr_get_type(a) == XFRMA_IF_ID)
		p->key.if_id = mnl_attr_get_u32(a);
	if (mnl_attr_get_type(a) == XFRMA_TMPL) {
		memcpy(&p->tmpl, mnl_attr_get_payload(a), sizeof(p->tmpl));
		p->has_tmpl = true;
	}
	return MNL_CB_OK;
}

void fake_policy_add(struct fake_kernel *f, const struct fake_policy *p)
{
	struct fake_policy *at = fake_policy_find(f, &p->key);

	if (!at) {
		f->policies = xrealloc(f->policies, (f->n_policies + 1) * sizeof(*f->policies));
		at = &f->policies[f->n_policies++];
	}
	*at = *p;
	at->there = true;
}

int fake_policy_request(struct fake_kernel *f, const struct nlmsghdr *h)
{
	const struct xfrm_userpolicy_info *info = mnl_nlmsg_get_payload(h);
	const struct xfrm_userpolicy_id *id = mnl_nlmsg_get_payload(h);
	struct fake_policy p, *there;

	memset(&p, 0, sizeof(p));
	if (h->nlmsg_type == XFRM_MSG_UPDPOLICY) {
		memcpy(&p.key.sel, &info->sel, sizeof(p.key.sel));
		p.key.dir = info->dir;
		p.info = *info;
		mnl_attr_parse(h, sizeof(*info), fake_policy_attr, &p);
		fake_policy_add(f, &p);
		return 0;
	}
	memcpy(&p.key.sel, &id->sel, sizeof(p.key.sel));
	p.key.dir = id->dir;
	mnl_attr_parse(h, sizeof(*id), fake_policy_attr, &p);
	there = fake_policy_find(f, &p.key);
	if (!there)
		return ENOENT;
	there->there = false;
	return 0;
}

size_t fake_policy_count(const struct fake_kernel *f)
{
	size_t n = 0;

	for (size_t i = 0; i < f->n_policies; i++)
		n += f->policies[i].there;
	return n;
}

size_t fake_policy_message(const struct fake_policy *p, struct nlmsghdr *h)
{
	memcpy(mnl_nlmsg_put_extra_header(h, sizeof(p->info)), &p->info, sizeof(p->info));
	if (p->has_tmpl)
		mnl_attr_put(h, XFRMA_TMPL, sizeof(p->tmpl), &p->tmpl);
	if (p->key.mark.m)
		mnl_attr_put(h, XFRMA_MARK, sizeof(p->key.mark), &p->key.mark);
	if (p->key.if_id)
		mnl_attr_put_u32(h, XFRMA_IF_ID, p->key.if_id);
	return h->nlmsg_len;
}
