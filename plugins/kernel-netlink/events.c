/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/filter.h>
#include <stddef.h>

#include "policies.h"
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

/* ---- what others do to ours (nothing that we did comes here: events_filter) ---- */

static void event_sa_deleted(struct kernel *k, const struct nlmsghdr *m)
{
	struct sa_report r;

	if (!sa_report_read(m, &r) || r.info.sel.user != k->owner)
		return;
	LOG(KNL, LOG_LEVEL_CONTROL, "another program removed the SA %08x of ours", ntohl(r.info.id.spi));
	resync_sas(k);
}

static void event_policy_changed(struct kernel *k, const struct nlmsghdr *m)
{
	uint32_t owner;

	if (!policy_read_owner(m, &owner) || owner != k->owner)
		return;
	LOG(KNL, LOG_LEVEL_CONTROL, "another program changed a policy of ours");
	resync_policies(k);
}

/*
 * We never migrate. An SA that others moved is at an address that the peer was not told of, so the policies are set back, and
 * the CHILD_SA is made anew where its IKE_SA is.
 */
static void event_migrated(struct kernel *k, const struct nlmsghdr *m)
{
	struct xfrm_userpolicy_id id;
	struct addr src, dst;

	if (mnl_nlmsg_get_payload_len(m) < sizeof(id))
		return;
	memcpy(&id, mnl_nlmsg_get_payload(m), sizeof(id));
	src = sa_get_addr(id.sel.family, &id.sel.saddr);
	dst = sa_get_addr(id.sel.family, &id.sel.daddr);
	LOG(KNL, LOG_LEVEL_AUDIT, "another program migrated SAs of policy %s/%u === %s/%u: what is ours of them is made anew",
	    addr_format(&src).s, id.sel.prefixlen_s, addr_format(&dst).s, id.sel.prefixlen_d);
	resync_policies(k);
	resync_sas(k);
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
	case XFRM_MSG_FLUSHSA:
		LOG(KNL, LOG_LEVEL_AUDIT, "another program flushed the SAs of the kernel");
		resync_sas(k);
		break;
	case XFRM_MSG_FLUSHPOLICY:
		LOG(KNL, LOG_LEVEL_AUDIT, "another program flushed the policies of the kernel");
		resync_policies(k);
		break;
	case XFRM_MSG_DELSA:
		event_sa_deleted(k, m);
		break;
	case XFRM_MSG_NEWPOLICY:
	case XFRM_MSG_UPDPOLICY:
	case XFRM_MSG_DELPOLICY:
		event_policy_changed(k, m);
		break;
	case XFRM_MSG_MIGRATE:
		event_migrated(k, m);
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
	LOG(KNL, LOG_LEVEL_CONTROL, "events of the kernel were lost: all SAs and policies are looked at");
	resync_policies(k);
	resync_sas(k);
}

/* ---- listening ---- */

/*
 * Of the groups that tell of each change only what others did is wanted, and no new SAs: 10,000 of our own would fill the buffer.
 * The kernel notes in each notification whose request it was.
 */
static int events_filter(struct kernel *k)
{
	static const uint16_t theirs[] = { XFRM_MSG_DELSA, XFRM_MSG_FLUSHSA, XFRM_MSG_NEWPOLICY, XFRM_MSG_UPDPOLICY,
					   XFRM_MSG_DELPOLICY, XFRM_MSG_FLUSHPOLICY };
	static const uint16_t never[] = { XFRM_MSG_NEWSA, XFRM_MSG_UPDSA };
	struct sock_filter code[ARRAY_LEN(theirs) + ARRAY_LEN(never) + 6];
	size_t n = 0, pid = 1 + ARRAY_LEN(never) + ARRAY_LEN(theirs) + 1, drop = pid + 2;

	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type));
	for (size_t i = 0; i < ARRAY_LEN(never); i++, n++)
		code[n] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(never[i]), (uint8_t)(drop - n - 1), 0);
	for (size_t i = 0; i < ARRAY_LEN(theirs); i++, n++)
		code[n] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(theirs[i]), (uint8_t)(pid - n - 1), 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_pid));
	code[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(nl_portid(k->nl)), 0, 1);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, 0);
	code[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, UINT32_MAX);
	return nl_filter(k->events, code, n);
}

bool events_open(struct kernel *k, struct errtext *err)
{
	static const unsigned groups[] = { XFRMNLGRP_ACQUIRE, XFRMNLGRP_EXPIRE, XFRMNLGRP_MAPPING, XFRMNLGRP_MIGRATE,
					   XFRMNLGRP_SA, XFRMNLGRP_POLICY };
	int e;

	k->events = nl_open(NETLINK_XFRM, &k->nl_options, err);
	if (!k->events)
		return false;
	e = events_filter(k);
	for (size_t i = 0; !e && i < ARRAY_LEN(groups); i++)
		e = nl_group(k->events, groups[i], true);
	if (e) {
		errtext_set(err, "cannot listen to the kernel's events: %s", strerror(e));
		return false;
	}
	nl_on_event(k->events, event_message, k);
	return true;
}
