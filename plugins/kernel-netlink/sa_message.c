/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/udp.h>
#include <stdlib.h>
#include <string.h>

#include "algorithms.h"
#include "sa.h"
#include "kernel/selectors.h"
#include "util/secret.h"

#define WORD_BITS 32

void sa_put_addr(xfrm_address_t *to, const struct addr *a)
{
	memset(to, 0, sizeof(*to));
	memcpy(to, a->ip, addr_len(a));
}

struct addr sa_get_addr(uint16_t family, const xfrm_address_t *a)
{
	return addr_from_ip(family, (const uint8_t *)a);
}

/* ---- building ---- */

/* A struct that is followed by the key. */
static void sa_put_keyed(struct nlmsghdr *h, uint16_t type, const void *head, size_t n, struct bytes key)
{
	uint8_t whole[sizeof(struct xfrm_algo_auth) + SA_MAX_KEY];

	memcpy(whole, head, n);
	memcpy(whole + n, key.p, key.n);
	mnl_attr_put(h, type, n + key.n, whole);
	secret_wipe(whole, sizeof(whole));
}

static void sa_put_algorithms(struct nlmsghdr *h, const struct sa *sa)
{
	const struct kernel_child *c = &sa->h->conf;
	const struct kernel_algorithm *cipher = kernel_cipher(c->suite.encr);
	struct bytes encr_key = sa->conf->encr_key, integ_key = sa->conf->integ_key;

	if (cipher->bits) {
		struct xfrm_algo_aead aead = { .alg_key_len = (unsigned)encr_key.n * 8, .alg_icv_len = cipher->bits };

		strcpy(aead.alg_name, cipher->name);
		sa_put_keyed(h, XFRMA_ALG_AEAD, &aead, sizeof(aead), encr_key);
	} else {
		const struct kernel_algorithm *integ = kernel_integrity(c->suite.integ);
		struct xfrm_algo crypt = { .alg_key_len = (unsigned)encr_key.n * 8 };
		struct xfrm_algo_auth auth = { .alg_key_len = (unsigned)integ_key.n * 8, .alg_trunc_len = integ->bits };

		strcpy(crypt.alg_name, cipher->name);
		strcpy(auth.alg_name, integ->name);
		sa_put_keyed(h, XFRMA_ALG_CRYPT, &crypt, sizeof(crypt), encr_key);
		sa_put_keyed(h, XFRMA_ALG_AUTH_TRUNC, &auth, sizeof(auth), integ_key);
	}
}

/*
 * Always the form with a bitmap of its own size: it is the one for ESN and for windows above 32, and no worse for the others.
 * Outbound ESN needs a window, too, though nothing is received.
 */
static void sa_put_replay(struct nlmsghdr *h, const struct sa *sa, const struct sa_state *state)
{
	const struct kernel_child *c = &sa->h->conf;
	uint32_t window = sa->in ? c->replay_window : c->suite.esn == ESN_YES ? WORD_BITS : 0;
	unsigned words = (window + WORD_BITS - 1) / WORD_BITS;
	union {
		struct xfrm_replay_state_esn r;
		uint8_t bytes[sizeof(struct xfrm_replay_state_esn) + SA_MAX_WINDOW / 8];
	} u = { .r = { .bmp_len = words, .replay_window = window } };

	if (state) {
		u.r.oseq = (uint32_t)state->oseq;
		u.r.oseq_hi = c->suite.esn == ESN_YES ? (uint32_t)(state->oseq >> 32) : 0;
		u.r.seq = (uint32_t)state->seq;
		u.r.seq_hi = c->suite.esn == ESN_YES ? (uint32_t)(state->seq >> 32) : 0;
		if (state->bmp_len == words)
			memcpy(u.bytes + sizeof(u.r), state->bmp, words * sizeof(state->bmp[0]));
		else if (state->seq) /* which were received is not known: none of the window is taken again */
			memset(u.bytes + sizeof(u.r), 0xff, words * sizeof(state->bmp[0]));
	}
	mnl_attr_put(h, XFRMA_REPLAY_ESN_VAL, sizeof(u.r) + words * sizeof(u.r.bmp[0]), u.bytes);
}

static uint64_t sa_limit(uint64_t configured)
{
	return configured ? configured : XFRM_INF;
}

/*
 * Without ESN the kernel stops at 2^32 - 1 packets without a word; an event before that is what makes us rekey in time
 * (RFC 4303, 3.3.3). The counter of packets goes with the sequence number but for the jumps, which `limit_packets` knows.
 */
static void sa_put_lifetime(struct xfrm_lifetime_cfg *l, const struct sa *sa)
{
	const struct kernel_life *life = &sa->h->conf.life;

	l->soft_byte_limit = sa_limit(life->soft_bytes);
	l->hard_byte_limit = sa_limit(life->hard_bytes);
	l->soft_packet_limit = sa_limit(life->soft_packets);
	l->hard_packet_limit = sa_limit(life->hard_packets);
	if (sa->limit_packets && l->hard_packet_limit > sa->limit_packets)
		l->hard_packet_limit = sa->limit_packets;
	if (sa->limit_packets && l->soft_packet_limit > sa->limit_packets - sa->limit_packets / SA_SOFT_SHARE)
		l->soft_packet_limit = sa->limit_packets - sa->limit_packets / SA_SOFT_SHARE;
}

uint8_t sa_mode(enum ipsec_mode mode)
{
	switch (mode) {
	case IPSEC_MODE_TRANSPORT:
		return XFRM_MODE_TRANSPORT;
	case IPSEC_MODE_BEET:
		return XFRM_MODE_BEET;
	case IPSEC_MODE_TUNNEL:
	case IPSEC_MODE_PASS:
	case IPSEC_MODE_DROP:
		break;
	}
	return XFRM_MODE_TUNNEL;
}

static bool sa_is_mixed(const struct kernel_child *c)
{
	for (size_t i = 0; i < c->local_ts.count; i++)
		if (c->local_ts.p[i].family != c->out.dst.family)
			return true;
	for (size_t i = 0; i < c->remote_ts.count; i++)
		if (c->remote_ts.p[i].family != c->out.dst.family)
			return true;
	return false;
}

static uint8_t sa_flags(const struct kernel_child *c)
{
	uint8_t flags = 0;

	if (!c->copy_ecn)
		flags |= XFRM_STATE_NOECN;
	if (!c->copy_df)
		flags |= XFRM_STATE_NOPMTUDISC;
	if (c->copy_dscp == COPY_DSCP_IN || c->copy_dscp == COPY_DSCP_YES)
		flags |= XFRM_STATE_DECAP_DSCP;
	if (c->suite.esn == ESN_YES)
		flags |= XFRM_STATE_ESN;
	if (c->mode == IPSEC_MODE_TUNNEL && sa_is_mixed(c))
		flags |= XFRM_STATE_AF_UNSPEC;
	return flags;
}

/* An inbound tunnel takes what lies within the selectors of its child: policies that several share may not say whose it was. */
static void sa_put_inner(struct xfrm_selector *sel, const struct kernel_child *c)
{
	struct xfrm_selector out, in;

	if (!selectors_cover(c->local_ts, c->remote_ts, &out))
		return;
	in = selector_reverse(&out);
	memcpy(sel, &in, sizeof(in));
}

/* BEET puts the inner addresses back from the selector. */
static void sa_put_selector(struct xfrm_selector *sel, const struct sa *sa, uint32_t owner)
{
	const struct kernel_child *c = &sa->h->conf;
	const struct ts *src = sa->in ? &c->remote_ts.p[0] : &c->local_ts.p[0];
	const struct ts *dst = sa->in ? &c->local_ts.p[0] : &c->remote_ts.p[0];

	if (c->mode == IPSEC_MODE_TUNNEL && sa->in && !c->no_policies)
		sa_put_inner(sel, c);
	sel->user = owner;
	if (c->mode != IPSEC_MODE_BEET)
		return;
	sel->family = src->family;
	memcpy(&sel->saddr, src->from, sizeof(src->from));
	memcpy(&sel->daddr, dst->from, sizeof(dst->from));
	sel->prefixlen_s = sel->prefixlen_d = src->family == AF_INET ? 32 : 128;
}

static struct ipsec_mark sa_mark(const struct sa *sa)
{
	static const struct ipsec_mark none;
	const struct ipsec_scope *s = &sa->h->conf.scope;

	if (!sa->in)
		return s->mark_out;
	return s->mark_in_sa ? s->mark_in : none;
}

static void sa_put_mark(struct nlmsghdr *h, const struct sa *sa)
{
	struct ipsec_mark mark = sa_mark(sa);
	struct xfrm_mark m = { mark.value, mark.mask };

	if (mark.mask)
		mnl_attr_put(h, XFRMA_MARK, sizeof(m), &m);
}

static void sa_put_scope(struct nlmsghdr *h, const struct sa *sa)
{
	const struct ipsec_scope *s = &sa->h->conf.scope;
	struct ipsec_mark set = sa->in ? s->set_mark_in : s->set_mark_out;
	uint32_t if_id = sa->in ? s->if_id_in : s->if_id_out;

	sa_put_mark(h, sa);
	if (set.mask) {
		mnl_attr_put_u32(h, XFRMA_SET_MARK, set.value);
		mnl_attr_put_u32(h, XFRMA_SET_MARK_MASK, set.mask);
	}
	if (if_id)
		mnl_attr_put_u32(h, XFRMA_IF_ID, if_id);
}

static void sa_put_encap(struct nlmsghdr *h, const struct sa *sa)
{
	struct xfrm_encap_tmpl e = { .encap_type = UDP_ENCAP_ESPINUDP, .encap_sport = htons(sa->conf->src.port),
				     .encap_dport = htons(sa->conf->dst.port) };

	if (!sa->h->conf.encap)
		return;
	mnl_attr_put(h, XFRMA_ENCAP, sizeof(e), &e);
	if (sa->in) /* else a peer that moved gives an event per packet */
		mnl_attr_put_u32(h, XFRMA_MTIMER_THRESH, 1);
}

static void sa_put_offload(struct nlmsghdr *h, const struct sa *sa)
{
	struct xfrm_user_offload o = { .ifindex = (int)sa->h->offload_ifindex };

	o.flags = sa->in ? XFRM_OFFLOAD_INBOUND : 0;
	if (sa->h->conf.hw_offload == HW_OFFLOAD_PACKET)
		o.flags |= XFRM_OFFLOAD_PACKET;
	mnl_attr_put(h, XFRMA_OFFLOAD_DEV, sizeof(o), &o);
}

void sa_build_new(union nl_request_buffer *b, uint32_t owner, const struct sa *sa, const struct sa_state *state,
		  bool offload)
{
	const struct kernel_child *c = &sa->h->conf;
	struct nlmsghdr *h = nl_begin(b, XFRM_MSG_NEWSA, NLM_F_CREATE | NLM_F_EXCL);
	struct xfrm_usersa_info *p = mnl_nlmsg_put_extra_header(h, sizeof(*p));

	sa_put_selector(&p->sel, sa, owner);
	sa_put_addr(&p->id.daddr, &sa->conf->dst);
	sa_put_addr(&p->saddr, &sa->conf->src);
	p->id.spi = htonl(sa->conf->spi);
	p->id.proto = IPPROTO_ESP;
	p->family = sa->conf->dst.family;
	p->reqid = c->reqid;
	p->mode = sa_mode(c->mode);
	p->flags = sa_flags(c);
	sa_put_lifetime(&p->lft, sa);
	sa_put_algorithms(h, sa);
	sa_put_replay(h, sa, state);
	sa_put_scope(h, sa);
	sa_put_encap(h, sa);
	if (c->copy_dscp == COPY_DSCP_IN || c->copy_dscp == COPY_DSCP_NO)
		mnl_attr_put_u32(h, XFRMA_SA_EXTRA_FLAGS, XFRM_SA_XFLAG_DONT_ENCAP_DSCP);
	if (c->tfc && !sa->in)
		mnl_attr_put_u32(h, XFRMA_TFCPAD, c->tfc);
	if (state && state->used.add_time)
		mnl_attr_put(h, XFRMA_LTIME_VAL, sizeof(state->used), &state->used);
	if (offload)
		sa_put_offload(h, sa);
}

void sa_build_id(union nl_request_buffer *b, uint16_t type, const struct sa *sa)
{
	struct nlmsghdr *h = nl_begin(b, type, 0);
	struct xfrm_usersa_id *id = mnl_nlmsg_put_extra_header(h, sizeof(*id));

	sa_put_addr(&id->daddr, &sa->conf->dst);
	id->spi = htonl(sa->conf->spi);
	id->family = sa->conf->dst.family;
	id->proto = IPPROTO_ESP;
	sa_put_mark(h, sa);
}

void sa_build_dump(union nl_request_buffer *b)
{
	(void)nl_begin(b, XFRM_MSG_GETSA, NLM_F_DUMP);
}

/* ---- reading ---- */

static const void *sa_attr(const struct nlattr *a, size_t min)
{
	return mnl_attr_get_payload_len(a) >= min ? mnl_attr_get_payload(a) : NULL;
}

static int sa_report_attr(const struct nlattr *a, void *arg)
{
	struct sa_report *r = arg;
	const struct xfrm_replay_state_esn *esn;
	const void *p;

	switch (mnl_attr_get_type(a)) {
	case XFRMA_SA:
		if ((p = sa_attr(a, sizeof(r->info)))) {
			memcpy(&r->info, p, sizeof(r->info));
			r->has_info = true;
		}
		break;
	case XFRMA_REPLAY_ESN_VAL:
		esn = sa_attr(a, sizeof(*esn));
		if (esn && esn->bmp_len <= SA_MAX_WINDOW / WORD_BITS &&
		    mnl_attr_get_payload_len(a) >= sizeof(*esn) + esn->bmp_len * sizeof(esn->bmp[0]))
			r->replay = esn;
		break;
	case XFRMA_LASTUSED:
		if ((p = sa_attr(a, sizeof(r->last_used_s))))
			memcpy(&r->last_used_s, p, sizeof(r->last_used_s));
		break;
	case XFRMA_OFFLOAD_DEV:
		r->offloaded = true;
		break;
	}
	return MNL_CB_OK;
}

bool sa_report_read(const struct nlmsghdr *h, struct sa_report *ret)
{
	size_t head = h->nlmsg_type == XFRM_MSG_NEWSA ? sizeof(struct xfrm_usersa_info) : sizeof(struct xfrm_usersa_id);
	struct sa_report r = { .has_info = h->nlmsg_type == XFRM_MSG_NEWSA };

	if (h->nlmsg_type != XFRM_MSG_NEWSA && h->nlmsg_type != XFRM_MSG_DELSA)
		return false;
	if (mnl_nlmsg_get_payload_len(h) < head)
		return false;
	if (r.has_info)
		memcpy(&r.info, mnl_nlmsg_get_payload(h), sizeof(r.info));
	mnl_attr_parse(h, (unsigned)head, sa_report_attr, &r);
	if (!r.has_info)
		return false;
	*ret = r;
	return true;
}

struct sa_state *sa_state_new(const struct sa_report *r)
{
	struct sa_state *s;
	size_t n;

	if (!r->replay)
		return NULL;
	n = r->replay->bmp_len * sizeof(s->bmp[0]);
	s = xcalloc(1, sizeof(*s) + n);
	s->oseq = (uint64_t)r->replay->oseq_hi << 32 | r->replay->oseq;
	s->seq = (uint64_t)r->replay->seq_hi << 32 | r->replay->seq;
	s->used = r->info.curlft;
	s->bmp_len = r->replay->bmp_len;
	memcpy(s->bmp, r->replay->bmp, n);
	return s;
}

struct sa_state *sa_state_of_conf(const struct sa *sa)
{
	struct sa_state *s;

	if (sa->conf->seq == 0)
		return NULL;
	s = xcalloc(1, sizeof(*s));
	if (sa->in)
		s->seq = sa->conf->seq;
	else
		s->oseq = sa->conf->seq;
	return s;
}
