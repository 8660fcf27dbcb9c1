/* SPDX-License-Identifier: Apache-2.0 */
#include "policy.h"
#include "sa.h"
#include "util/log.h"

static void event_expire(struct kernel *k, const struct nlmsghdr *m)
{
	struct xfrm_user_expire x;
	struct kernel_event ev;
	struct addr dst;
	struct sa *sa;

	if (mnl_nlmsg_get_payload_len(m) < sizeof(x))
		return;
	memcpy(&x, mnl_nlmsg_get_payload(m), sizeof(x));
	if (x.state.id.proto != IPPROTO_ESP || x.state.sel.user != k->owner)
		return;
	dst = sa_get_addr(x.state.family, &x.state.id.daddr);
	sa = sa_find(k, ntohl(x.state.id.spi), &dst);
	if (!sa || sa->told_hard || (sa->told_soft && !x.hard))
		return;
	counters_set(sa, &x.state.curlft, 0);
	ev = handle_event(sa->h, x.hard ? KERNEL_EVENT_EXPIRE_HARD : KERNEL_EVENT_EXPIRE_SOFT);
	if (x.hard) {
		sa->told_hard = true;
		sa->ours = false; /* the kernel has deleted it */
	} else {
		sa->told_soft = true;
	}
	kernel_tell(k, &ev);
}

static void event_mapping(struct kernel *k, const struct nlmsghdr *m)
{
	struct xfrm_user_mapping x;
	struct kernel_event ev;
	struct addr dst;
	struct sa *sa;

	if (mnl_nlmsg_get_payload_len(m) < sizeof(x))
		return;
	memcpy(&x, mnl_nlmsg_get_payload(m), sizeof(x));
	if (x.id.proto != IPPROTO_ESP)
		return;
	dst = sa_get_addr(x.id.family, &x.id.daddr);
	sa = sa_find(k, ntohl(x.id.spi), &dst);
	if (!sa || !sa->in)
		return;
	ev = handle_event(sa->h, KERNEL_EVENT_MAPPING);
	ev.dst = sa->conf->dst;
	ev.src = sa_get_addr(x.id.family, &x.new_saddr);
	ev.src.port = ntohs(x.new_sport);
	kernel_tell(k, &ev);
}

void event_read(struct kernel *k, const struct nlmsghdr *m)
{
	switch (m->nlmsg_type) {
	case XFRM_MSG_EXPIRE:
		event_expire(k, m);
		break;
	case XFRM_MSG_MAPPING:
		event_mapping(k, m);
		break;
	case XFRM_MSG_ACQUIRE:
		if (mnl_nlmsg_get_payload_len(m) >= sizeof(struct xfrm_user_acquire))
			policies_event_acquire(k, m);
		break;
	}
}

void event_message(void *arg, const struct nlmsghdr *m)
{
	struct kernel *k = arg;

	if (m) {
		event_read(k, m);
		return;
	}
	LOG(KNL, LOG_LEVEL_CONTROL, "events of the kernel were lost: all SAs are looked at");
	counters_resync(k);
}

bool events_open(struct kernel *k, struct errtext *err)
{
	static const unsigned groups[] = { XFRMNLGRP_ACQUIRE, XFRMNLGRP_EXPIRE, XFRMNLGRP_MAPPING };

	k->events = nl_open(NETLINK_XFRM, &k->nl_options, err);
	if (!k->events)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(groups); i++) {
		int e = nl_group(k->events, groups[i], true);

		if (e) {
			errtext_set(err, "cannot listen to the kernel's events: %s", strerror(e));
			return false;
		}
	}
	nl_on_event(k->events, event_message, k);
	return true;
}
