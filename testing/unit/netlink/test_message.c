/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/udp.h>
#include <stdlib.h>

#include "algorithms.h"
#include "test_netlink.h"

#define ATTRS (XFRMA_MAX + 1)

/* A message, taken apart again. */
struct parsed {
	union nl_request_buffer b;
	const struct xfrm_usersa_info *info;
	const struct nlattr *a[ATTRS];
};

static int parsed_attr(const struct nlattr *a, void *arg)
{
	struct parsed *p = arg;

	ck_assert_uint_lt(mnl_attr_get_type(a), ATTRS);
	ck_assert_ptr_null(p->a[mnl_attr_get_type(a)]);
	p->a[mnl_attr_get_type(a)] = a;
	return MNL_CB_OK;
}

static void parse(struct parsed *p)
{
	p->info = mnl_nlmsg_get_payload(&p->b.h);
	memset(p->a, 0, sizeof(p->a));
	ck_assert_int_eq(mnl_attr_parse(&p->b.h, sizeof(*p->info), parsed_attr, p), MNL_CB_OK);
}

static const void *attr(const struct parsed *p, unsigned type)
{
	ck_assert_msg(p->a[type] != NULL, "attribute %u is there", type);
	return mnl_attr_get_payload(p->a[type]);
}

static uint32_t attr_u32(const struct parsed *p, unsigned type)
{
	attr(p, type);
	return mnl_attr_get_u32(p->a[type]);
}

static struct kernel_handle *handle(const struct kernel_child *c)
{
	struct errtext err = { "" };
	struct kernel_handle *h = handle_new(NULL, c, &err);

	ck_assert_msg(h != NULL, "%s", err.s);
	return h;
}

static void build(struct parsed *p, const struct kernel_child *c, bool in, const struct sa_state *state)
{
	struct kernel_handle *h = handle(c);

	sa_build_new(&p->b, 0x42570000 | 500, in ? &h->in : &h->out, state, false);
	handle_free(h);
	parse(p);
}

START_TEST(test_tunnel_gcm)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	struct parsed p;
	const struct xfrm_algo_aead *aead;
	const struct xfrm_replay_state_esn *replay;

	build(&p, &c, true, NULL);
	ck_assert_uint_eq(p.b.h.nlmsg_type, XFRM_MSG_NEWSA);
	ck_assert_uint_eq(p.info->id.spi, htonl(0xc0de));
	ck_assert_uint_eq(p.info->id.proto, IPPROTO_ESP);
	ck_assert_uint_eq(ntohl(p.info->id.daddr.a4), 0xc0000201);
	ck_assert_uint_eq(ntohl(p.info->saddr.a4), 0xc0000202);
	ck_assert_uint_eq(p.info->family, AF_INET);
	ck_assert_uint_eq(p.info->mode, XFRM_MODE_TUNNEL);
	ck_assert_uint_eq(p.info->reqid, 9);
	ck_assert_uint_eq(p.info->flags, 0);
	ck_assert_uint_eq(p.info->replay_window, 0);
	ck_assert_uint_eq(p.info->sel.user, 0x42570000 | 500);
	ck_assert(p.info->lft.soft_byte_limit == XFRM_INF && p.info->lft.hard_packet_limit == XFRM_INF);
	ck_assert_uint_eq(p.info->lft.hard_add_expires_seconds, 0);
	aead = attr(&p, XFRMA_ALG_AEAD);
	ck_assert_str_eq(aead->alg_name, "rfc4106(gcm(aes))");
	ck_assert_uint_eq(aead->alg_key_len, 160);
	ck_assert_uint_eq(aead->alg_icv_len, 128);
	ck_assert_mem_eq(aead->alg_key, "key of in, and salt", 20);
	replay = attr(&p, XFRMA_REPLAY_ESN_VAL);
	ck_assert_uint_eq(replay->bmp_len, 1);
	ck_assert_uint_eq(replay->replay_window, 32);
	ck_assert_uint_eq(replay->seq, 0);
	ck_assert_ptr_null(p.a[XFRMA_ENCAP]);
	ck_assert_ptr_null(p.a[XFRMA_MARK]);
	ck_assert_ptr_null(p.a[XFRMA_IF_ID]);
	ck_assert_ptr_null(p.a[XFRMA_ALG_CRYPT]);
	ck_assert_ptr_null(p.a[XFRMA_LTIME_VAL]);
	build(&p, &c, false, NULL);
	ck_assert_uint_eq(p.info->id.spi, htonl(0xbeef));
	ck_assert_uint_eq(ntohl(p.info->id.daddr.a4), 0xc0000202);
	ck_assert_mem_eq(((const struct xfrm_algo_aead *)attr(&p, XFRMA_ALG_AEAD))->alg_key, "key of out, and sal", 20);
}
END_TEST

/* Lengths of truncation as the RFCs have them; the kernel's own default for SHA-256 is the draft's 96. */
START_TEST(test_cbc_hmac)
{
	static const struct {
		unsigned integ, bits;
		const char *name;
	} all[] = {
		{ INTEG_HMAC_SHA1_96, 96, "hmac(sha1)" },	 { INTEG_HMAC_SHA2_256_128, 128, "hmac(sha256)" },
		{ INTEG_HMAC_SHA2_384_192, 192, "hmac(sha384)" }, { INTEG_HMAC_SHA2_512_256, 256, "hmac(sha512)" },
		{ INTEG_AES_XCBC_96, 96, "xcbc(aes)" },		 { INTEG_AES_CMAC_96, 96, "cmac(aes)" },
	};
	static const uint8_t key[64] = "an integrity key";
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	const struct xfrm_algo *crypt;
	const struct xfrm_algo_auth *auth;
	struct parsed p;

	c.suite.encr = ENCR_AES_CBC;
	c.in.encr_key.n = c.out.encr_key.n = 16;
	for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
		c.suite.integ = (uint16_t)all[i].integ;
		c.in.integ_key = c.out.integ_key = bytes_of(key, all[i].bits / 4);
		build(&p, &c, true, NULL);
		crypt = attr(&p, XFRMA_ALG_CRYPT);
		auth = attr(&p, XFRMA_ALG_AUTH_TRUNC);
		ck_assert_str_eq(crypt->alg_name, "cbc(aes)");
		ck_assert_uint_eq(crypt->alg_key_len, 128);
		ck_assert_str_eq(auth->alg_name, all[i].name);
		ck_assert_uint_eq(auth->alg_trunc_len, all[i].bits);
		ck_assert_uint_eq(auth->alg_key_len, all[i].bits * 2);
		ck_assert_mem_eq(auth->alg_key, key, all[i].bits / 4);
		ck_assert_ptr_null(p.a[XFRMA_ALG_AEAD]);
	}
}
END_TEST

START_TEST(test_aead_icv)
{
	static const struct {
		unsigned encr, bits;
		const char *name;
	} all[] = {
		{ ENCR_AES_GCM_8, 64, "rfc4106(gcm(aes))" },   { ENCR_AES_GCM_12, 96, "rfc4106(gcm(aes))" },
		{ ENCR_AES_CCM_8, 64, "rfc4309(ccm(aes))" },   { ENCR_AES_CCM_16, 128, "rfc4309(ccm(aes))" },
		{ ENCR_NULL_AES_GMAC, 128, "rfc4543(gcm(aes))" }, { ENCR_CHACHA20_POLY1305, 128, "rfc7539esp(chacha20,poly1305)" },
	};
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	struct parsed p;

	for (unsigned i = 0; i < ARRAY_LEN(all); i++) {
		const struct xfrm_algo_aead *aead;

		c.suite.encr = (uint16_t)all[i].encr;
		build(&p, &c, true, NULL);
		aead = attr(&p, XFRMA_ALG_AEAD);
		ck_assert_str_eq(aead->alg_name, all[i].name);
		ck_assert_uint_eq(aead->alg_icv_len, all[i].bits);
	}
}
END_TEST

START_TEST(test_esn_and_windows)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	const struct xfrm_replay_state_esn *r;
	struct parsed p;

	c.suite.esn = ESN_YES;
	c.replay_window = 4096;
	build(&p, &c, true, NULL);
	ck_assert_uint_eq(p.info->flags, XFRM_STATE_ESN);
	r = attr(&p, XFRMA_REPLAY_ESN_VAL);
	ck_assert_uint_eq(r->bmp_len, 128);
	ck_assert_uint_eq(r->replay_window, 4096);
	ck_assert_uint_eq(mnl_attr_get_payload_len(p.a[XFRMA_REPLAY_ESN_VAL]), sizeof(*r) + 512);
	build(&p, &c, false, NULL);
	r = attr(&p, XFRMA_REPLAY_ESN_VAL);
	ck_assert_uint_eq(r->replay_window, 32); /* outbound ESN needs one, too */
	ck_assert(p.info->lft.hard_packet_limit == XFRM_INF);
	c.suite.esn = ESN_NO;
	c.replay_window = 0;
	build(&p, &c, true, NULL);
	r = attr(&p, XFRMA_REPLAY_ESN_VAL);
	ck_assert_uint_eq(r->bmp_len, 0);
	ck_assert_uint_eq(r->replay_window, 0);
	c.replay_window = 33;
	build(&p, &c, true, NULL);
	ck_assert_uint_eq(((const struct xfrm_replay_state_esn *)attr(&p, XFRMA_REPLAY_ESN_VAL))->bmp_len, 2);
}
END_TEST

/* Numbers that were used before: the window of an imported SA takes nothing at or below the highest. */
START_TEST(test_preset_numbers)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	const struct xfrm_replay_state_esn *r;
	struct kernel_handle *h;
	struct sa_state *state;
	struct parsed p;

	c.suite.esn = ESN_YES;
	c.replay_window = 64;
	c.in.seq = 0x500000007;
	c.out.seq = 0x600000009;
	h = handle(&c);
	state = sa_state_of_conf(&h->in);
	sa_build_new(&p.b, 1, &h->in, state, false);
	free(state);
	parse(&p);
	r = attr(&p, XFRMA_REPLAY_ESN_VAL);
	ck_assert_uint_eq(r->seq, 7);
	ck_assert_uint_eq(r->seq_hi, 5);
	ck_assert_uint_eq(r->bmp[0] & r->bmp[1], UINT32_MAX);
	state = sa_state_of_conf(&h->out);
	sa_build_new(&p.b, 1, &h->out, state, false);
	free(state);
	parse(&p);
	r = attr(&p, XFRMA_REPLAY_ESN_VAL);
	ck_assert_uint_eq(r->oseq, 9);
	ck_assert_uint_eq(r->oseq_hi, 6);
	handle_free(h);
}
END_TEST

START_TEST(test_flags)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	struct ts mixed = test_ts("fd00::/64");
	struct parsed p;

	c.copy_df = c.copy_ecn = false;
	c.copy_dscp = COPY_DSCP_IN;
	build(&p, &c, true, NULL);
	ck_assert_uint_eq(p.info->flags, XFRM_STATE_NOECN | XFRM_STATE_NOPMTUDISC | XFRM_STATE_DECAP_DSCP);
	ck_assert_uint_eq(attr_u32(&p, XFRMA_SA_EXTRA_FLAGS), XFRM_SA_XFLAG_DONT_ENCAP_DSCP);
	c.copy_dscp = COPY_DSCP_YES;
	build(&p, &c, true, NULL);
	ck_assert(p.info->flags & XFRM_STATE_DECAP_DSCP);
	ck_assert_ptr_null(p.a[XFRMA_SA_EXTRA_FLAGS]);
	c.copy_dscp = COPY_DSCP_NO;
	build(&p, &c, true, NULL);
	ck_assert(!(p.info->flags & XFRM_STATE_DECAP_DSCP));
	ck_assert_uint_eq(attr_u32(&p, XFRMA_SA_EXTRA_FLAGS), XFRM_SA_XFLAG_DONT_ENCAP_DSCP);
	c.remote_ts.p = &mixed;
	build(&p, &c, true, NULL);
	ck_assert(p.info->flags & XFRM_STATE_AF_UNSPEC);
	c.mode = IPSEC_MODE_TRANSPORT;
	c.tfc = 900;
	build(&p, &c, true, NULL);
	ck_assert(!(p.info->flags & XFRM_STATE_AF_UNSPEC));
	ck_assert_uint_eq(p.info->mode, XFRM_MODE_TRANSPORT);
	ck_assert_ptr_null(p.a[XFRMA_TFCPAD]);
	build(&p, &c, false, NULL);
	ck_assert_uint_eq(attr_u32(&p, XFRMA_TFCPAD), 900);
}
END_TEST

START_TEST(test_encap)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	const struct xfrm_encap_tmpl *e;
	struct parsed p;

	c.encap = true;
	c.in.src.port = c.out.dst.port = 31337;
	build(&p, &c, true, NULL);
	e = attr(&p, XFRMA_ENCAP);
	ck_assert_uint_eq(e->encap_type, UDP_ENCAP_ESPINUDP);
	ck_assert_uint_eq(ntohs(e->encap_sport), 31337);
	ck_assert_uint_eq(ntohs(e->encap_dport), 4500);
	ck_assert_uint_eq(attr_u32(&p, XFRMA_MTIMER_THRESH), 1);
	build(&p, &c, false, NULL);
	e = attr(&p, XFRMA_ENCAP);
	ck_assert_uint_eq(ntohs(e->encap_sport), 4500);
	ck_assert_uint_eq(ntohs(e->encap_dport), 31337);
	ck_assert_ptr_null(p.a[XFRMA_MTIMER_THRESH]);
}
END_TEST

START_TEST(test_scope)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	const struct xfrm_mark *m;
	struct kernel_handle *h;
	struct parsed p;

	c.scope = (struct ipsec_scope){ .mark_in = { 1, 0xff }, .mark_out = { 2, 0xff }, .set_mark_in = { 3, 0xf0 },
					.set_mark_out = { 4, 0xf }, .if_id_in = 5, .if_id_out = 6 };
	build(&p, &c, true, NULL);
	ck_assert_ptr_null(p.a[XFRMA_MARK]); /* only by mark_in_sa */
	ck_assert_uint_eq(attr_u32(&p, XFRMA_SET_MARK), 3);
	ck_assert_uint_eq(attr_u32(&p, XFRMA_SET_MARK_MASK), 0xf0);
	ck_assert_uint_eq(attr_u32(&p, XFRMA_IF_ID), 5);
	build(&p, &c, false, NULL);
	m = attr(&p, XFRMA_MARK);
	ck_assert(m->v == 2 && m->m == 0xff);
	ck_assert_uint_eq(attr_u32(&p, XFRMA_SET_MARK), 4);
	ck_assert_uint_eq(attr_u32(&p, XFRMA_IF_ID), 6);
	c.scope.mark_in_sa = true;
	build(&p, &c, true, NULL);
	m = attr(&p, XFRMA_MARK);
	ck_assert(m->v == 1 && m->m == 0xff);
	/* it is part of what the SA is found by */
	h = handle(&c);
	sa_build_id(&p.b, XFRM_MSG_DELSA, &h->in);
	ck_assert_uint_eq(mnl_nlmsg_get_payload_len(&p.b.h), sizeof(struct xfrm_usersa_id) + 4 + sizeof(*m));
	handle_free(h);
}
END_TEST

START_TEST(test_lifetimes)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	struct kernel_handle *h;
	struct parsed p;

	c.life = (struct kernel_life){ 1000, 2000, 30, 40 };
	build(&p, &c, false, NULL);
	ck_assert_uint_eq(p.info->lft.soft_byte_limit, 1000);
	ck_assert_uint_eq(p.info->lft.hard_byte_limit, 2000);
	ck_assert_uint_eq(p.info->lft.soft_packet_limit, 30);
	ck_assert_uint_eq(p.info->lft.hard_packet_limit, 40);
	/* RFC 4303, 3.3.3: numbers do not cycle; without ESN what they leave is a limit, too */
	c.life = (struct kernel_life){ 0 };
	h = handle(&c);
	h->out.limit_packets = 1600;
	sa_build_new(&p.b, 1, &h->out, NULL, false);
	parse(&p);
	ck_assert_uint_eq(p.info->lft.hard_packet_limit, 1600);
	ck_assert_uint_eq(p.info->lft.soft_packet_limit, 1500);
	handle_free(h);
}
END_TEST

START_TEST(test_beet)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	struct ts local = test_ts("10.1.0.1/32"), remote = test_ts("10.2.0.1/32");
	struct errtext err;
	struct parsed p;

	c.mode = IPSEC_MODE_BEET;
	ck_assert_ptr_null(handle_new(NULL, &c, &err));
	c.local_ts.p = &local;
	c.remote_ts.p = &remote;
	build(&p, &c, true, NULL);
	ck_assert_uint_eq(p.info->mode, XFRM_MODE_BEET);
	ck_assert_uint_eq(p.info->sel.family, AF_INET);
	ck_assert_uint_eq(ntohl(p.info->sel.saddr.a4), 0x0a020001);
	ck_assert_uint_eq(ntohl(p.info->sel.daddr.a4), 0x0a010001);
	ck_assert_uint_eq(p.info->sel.prefixlen_s, 32);
}
END_TEST

START_TEST(test_refused)
{
	struct kernel_child good = bench_child(0xc0de, 0xbeef), c = good;
	struct errtext err;

	c.suite.encr = ENCR_AES_GCM_16_IIV;
	ck_assert_ptr_null(handle_new(NULL, &c, &err));
	ck_assert_ptr_nonnull(strstr(err.s, "no cipher with transform id 30"));
	c = good;
	c.suite.encr = ENCR_AES_CBC;
	c.suite.integ = 0;
	ck_assert_ptr_null(handle_new(NULL, &c, &err));
	ck_assert_ptr_nonnull(strstr(err.s, "integrity"));
	c = good;
	c.replay_window = 4097;
	ck_assert_ptr_null(handle_new(NULL, &c, &err));
	ck_assert_ptr_nonnull(strstr(err.s, "at most 4096"));
	c = good;
	c.replay_window = 0;
	c.suite.esn = ESN_YES;
	ck_assert_ptr_null(handle_new(NULL, &c, &err));
	c = good;
	c.protocol = PROTOCOL_AH;
	ck_assert_ptr_null(handle_new(NULL, &c, &err));
	c = good;
	c.out.spi = 0;
	ck_assert_ptr_null(handle_new(NULL, &c, &err));
	c = good;
	c.in.encr_key.n = 500;
	ck_assert_ptr_null(handle_new(NULL, &c, &err));
}
END_TEST

/* Each cut of a report is refused or read within its bounds (ASan looks). */
START_TEST(test_report_cuts)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	struct sa_report r;
	struct parsed p;
	unsigned whole;

	c.replay_window = 128;
	build(&p, &c, true, NULL);
	whole = p.b.h.nlmsg_len;
	ck_assert(sa_report_read(&p.b.h, &r));
	ck_assert_ptr_nonnull(r.replay);
	for (unsigned n = sizeof(struct nlmsghdr); n < whole; n++) {
		struct nlmsghdr *cut = calloc(1, MNL_ALIGN(n)); /* messages begin and end at 4 bytes */

		memcpy(cut, &p.b.h, n);
		cut->nlmsg_len = n;
		if (sa_report_read(cut, &r)) {
			struct sa_state *s = sa_state_new(&r);

			ck_assert(r.has_info);
			free(s);
		}
		free(cut);
	}
}
END_TEST

TCase *tcase_message(void)
{
	TCase *t = tcase_create("message");

	tcase_add_test(t, test_tunnel_gcm);
	tcase_add_test(t, test_cbc_hmac);
	tcase_add_test(t, test_aead_icv);
	tcase_add_test(t, test_esn_and_windows);
	tcase_add_test(t, test_preset_numbers);
	tcase_add_test(t, test_flags);
	tcase_add_test(t, test_encap);
	tcase_add_test(t, test_scope);
	tcase_add_test(t, test_lifetimes);
	tcase_add_test(t, test_beet);
	tcase_add_test(t, test_refused);
	tcase_add_test(t, test_report_cuts);
	return t;
}
