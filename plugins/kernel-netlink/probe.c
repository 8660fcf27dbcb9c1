/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include <arpa/inet.h>
#include <linux/xfrm.h>
#include <string.h>
#include <sys/random.h>

#include "txn.h"

#define PROBE_LIMIT_MS 5000
#define PROBE_ICV_BITS 128
#define PROBE_KEY 20 /* AES-128 and its salt */

/* An SA that nobody can use: from and to the loopback address, with a random key. */
static void probe_build_new(union nl_request_buffer *b, uint32_t spi)
{
	struct nlmsghdr *h = nl_begin(b, XFRM_MSG_NEWSA, NLM_F_CREATE | NLM_F_EXCL);
	struct xfrm_usersa_info *p = mnl_nlmsg_put_extra_header(h, sizeof(*p));
	struct {
		struct xfrm_algo_aead head;
		uint8_t key[PROBE_KEY];
	} gcm = { .head = { .alg_key_len = PROBE_KEY * 8, .alg_icv_len = PROBE_ICV_BITS } };

	p->id.daddr.a4 = p->saddr.a4 = htonl(INADDR_LOOPBACK);
	p->id.spi = htonl(spi);
	p->id.proto = IPPROTO_ESP;
	p->family = AF_INET;
	p->mode = XFRM_MODE_TUNNEL;
	p->lft.soft_byte_limit = p->lft.hard_byte_limit = XFRM_INF;
	p->lft.soft_packet_limit = p->lft.hard_packet_limit = XFRM_INF;
	strcpy(gcm.head.alg_name, "rfc4106(gcm(aes))");
	(void)!getrandom(gcm.key, sizeof(gcm.key), 0);
	mnl_attr_put(h, XFRMA_ALG_AEAD, sizeof(gcm), &gcm);
}

static void probe_build_del(union nl_request_buffer *b, uint32_t spi)
{
	struct nlmsghdr *h = nl_begin(b, XFRM_MSG_DELSA, 0);
	struct xfrm_usersa_id *id = mnl_nlmsg_put_extra_header(h, sizeof(*id));

	id->daddr.a4 = htonl(INADDR_LOOPBACK);
	id->spi = htonl(spi);
	id->family = AF_INET;
	id->proto = IPPROTO_ESP;
}

struct probe_answer {
	bool there;
	struct text why;
};

static void probe_done(void *arg, int error, const char *text)
{
	struct probe_answer *a = arg;

	a->there = error == 0;
	a->why = txn_reason(error, text);
}

bool netlink_probe(const struct settings *settings, struct errtext *err)
{
	struct nl_options o = { .timeout_ms = PROBE_LIMIT_MS };
	struct probe_answer added = { .why = { "no answer" } };
	struct nl *n = nl_open(NETLINK_XFRM, &o, err);
	union nl_request_buffer b;
	uint32_t spi = 0;

	if (!n)
		return false;
	(void)!getrandom(&spi, sizeof(spi), 0);
	spi |= 0x80000000;
	probe_build_new(&b, spi);
	nl_queue(n, &b, (struct nl_answer){ NULL, probe_done, &added });
	(void)nl_drain(n, PROBE_LIMIT_MS);
	if (added.there) {
		probe_build_del(&b, spi);
		nl_queue(n, &b, (struct nl_answer){ 0 });
		(void)nl_drain(n, PROBE_LIMIT_MS);
	} else {
		errtext_set(err, "the kernel cannot do ESP with AES-GCM: %s", added.why.s);
	}
	nl_free(n);
	return added.there;
}
