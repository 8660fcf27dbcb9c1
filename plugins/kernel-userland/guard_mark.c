/* SPDX-License-Identifier: Apache-2.0 */
#include "guard_mark.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#define CHAIN "mark"
#define BATCH_SIZE 4096
#define REPLY_SIZE 8192
#define NAME_SIZE 32

/* ---- messages ---- */

struct mark_batch {
	union {
		struct nlmsghdr align;
		char bytes[BATCH_SIZE];
	};
	size_t len;
	char table[NAME_SIZE];
};

static struct nlmsghdr *batch_begin(struct mark_batch *b, uint16_t type, uint16_t flags, uint8_t family, uint16_t res_id)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(b->bytes + b->len);
	struct nfgenmsg *g;

	h->nlmsg_type = type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	g = mnl_nlmsg_put_extra_header(h, sizeof(*g));
	g->nfgen_family = family;
	g->version = NFNETLINK_V0;
	g->res_id = htons(res_id);
	return h;
}

static void batch_end(struct mark_batch *b, const struct nlmsghdr *h)
{
	b->len += NLMSG_ALIGN(h->nlmsg_len);
}

static void batch_border(struct mark_batch *b, uint16_t type)
{
	batch_end(b, batch_begin(b, type, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES));
}

static struct nlmsghdr *batch_message(struct mark_batch *b, uint16_t type, uint16_t flags)
{
	return batch_begin(b, NFNL_SUBSYS_NFTABLES << 8 | type, flags | NLM_F_CREATE, NFPROTO_IPV6, 0);
}

static void put_be32(struct nlmsghdr *h, uint16_t type, uint32_t v)
{
	mnl_attr_put_u32(h, type, htonl(v));
}

static void put_value(struct nlmsghdr *h, uint16_t type, uint32_t v)
{
	struct nlattr *data = mnl_attr_nest_start(h, type);

	mnl_attr_put_u32(h, NFTA_DATA_VALUE, v); /* registers have the order of the host */
	mnl_attr_nest_end(h, data);
}

struct expr {
	struct nlattr *elem, *data;
};

static struct expr expr_begin(struct nlmsghdr *h, const char *name)
{
	struct expr e;

	e.elem = mnl_attr_nest_start(h, NFTA_LIST_ELEM);
	mnl_attr_put_strz(h, NFTA_EXPR_NAME, name);
	e.data = mnl_attr_nest_start(h, NFTA_EXPR_DATA);
	return e;
}

static void expr_end(struct nlmsghdr *h, struct expr e)
{
	mnl_attr_nest_end(h, e.data);
	mnl_attr_nest_end(h, e.elem);
}

static void expr_meta(struct nlmsghdr *h, uint32_t key, uint16_t reg_type)
{
	struct expr e = expr_begin(h, "meta");

	put_be32(h, NFTA_META_KEY, key);
	put_be32(h, reg_type, NFT_REG_1);
	expr_end(h, e);
}

static void expr_equals(struct nlmsghdr *h, uint32_t value)
{
	struct expr e = expr_begin(h, "cmp");

	put_be32(h, NFTA_CMP_SREG, NFT_REG_1);
	put_be32(h, NFTA_CMP_OP, NFT_CMP_EQ);
	put_value(h, NFTA_CMP_DATA, value);
	expr_end(h, e);
}

static void expr_set_bits(struct nlmsghdr *h, uint32_t bits)
{
	struct expr e = expr_begin(h, "bitwise");

	put_be32(h, NFTA_BITWISE_SREG, NFT_REG_1);
	put_be32(h, NFTA_BITWISE_DREG, NFT_REG_1);
	put_be32(h, NFTA_BITWISE_LEN, sizeof(bits));
	put_value(h, NFTA_BITWISE_MASK, ~bits);
	put_value(h, NFTA_BITWISE_XOR, bits);
	expr_end(h, e);
}

/* ---- table, chain, rules ---- */

static void batch_table(struct mark_batch *b)
{
	struct nlmsghdr *h = batch_message(b, NFT_MSG_NEWTABLE, NLM_F_EXCL);

	mnl_attr_put_strz(h, NFTA_TABLE_NAME, b->table);
	put_be32(h, NFTA_TABLE_FLAGS, NFT_TABLE_F_OWNER);
	batch_end(b, h);
}

/* Behind all others: who sets marks of his own does so before. */
static void batch_chain(struct mark_batch *b)
{
	struct nlmsghdr *h = batch_message(b, NFT_MSG_NEWCHAIN, 0);
	struct nlattr *hook;

	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, b->table);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, CHAIN);
	hook = mnl_attr_nest_start(h, NFTA_CHAIN_HOOK);
	put_be32(h, NFTA_HOOK_HOOKNUM, NF_INET_PRE_ROUTING);
	put_be32(h, NFTA_HOOK_PRIORITY, INT_MAX);
	mnl_attr_nest_end(h, hook);
	mnl_attr_put_strz(h, NFTA_CHAIN_TYPE, "filter");
	batch_end(b, h);
}

/* iif IFINDEX meta mark set mark | GUARD_MARK */
static void batch_rule(struct mark_batch *b, unsigned ifindex)
{
	struct nlmsghdr *h = batch_message(b, NFT_MSG_NEWRULE, NLM_F_APPEND);
	struct nlattr *list;

	mnl_attr_put_strz(h, NFTA_RULE_TABLE, b->table);
	mnl_attr_put_strz(h, NFTA_RULE_CHAIN, CHAIN);
	list = mnl_attr_nest_start(h, NFTA_RULE_EXPRESSIONS);
	expr_meta(h, NFT_META_IIF, NFTA_META_DREG);
	expr_equals(h, ifindex);
	expr_meta(h, NFT_META_MARK, NFTA_META_DREG);
	expr_set_bits(h, GUARD_MARK);
	expr_meta(h, NFT_META_MARK, NFTA_META_SREG);
	mnl_attr_nest_end(h, list);
	batch_end(b, h);
}

/* The kernel answers within the call that sends: first what failed. 0 or errno. */
static int mark_answer(struct mnl_socket *s)
{
	union {
		struct nlmsghdr align;
		char bytes[REPLY_SIZE];
	} reply;
	ssize_t n;

	while ((n = recv(mnl_socket_get_fd(s), &reply, sizeof(reply), MSG_DONTWAIT)) > 0) {
		int left = (int)n;

		for (const struct nlmsghdr *h = &reply.align; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left)) {
			const struct nlmsgerr *e = mnl_nlmsg_get_payload(h);

			if (h->nlmsg_type == NLMSG_ERROR && mnl_nlmsg_get_payload_len(h) >= sizeof(*e) && e->error)
				return -e->error;
		}
	}
	return 0;
}

static int mark_set_up(struct mnl_socket *s, unsigned ifindex, unsigned port)
{
	struct mark_batch b;

	memset(&b, 0, sizeof(b));
	snprintf(b.table, sizeof(b.table), "bewick-%u", port);
	batch_border(&b, NFNL_MSG_BATCH_BEGIN);
	batch_table(&b);
	batch_chain(&b);
	batch_rule(&b, ifindex);
	batch_rule(&b, if_nametoindex("lo"));
	batch_border(&b, NFNL_MSG_BATCH_END);
	if (mnl_socket_sendto(s, b.bytes, b.len) < 0)
		return errno;
	return mark_answer(s);
}

struct mnl_socket *guard_mark_open(unsigned ifindex, unsigned port, struct errtext *err)
{
	struct mnl_socket *s = mnl_socket_open2(NETLINK_NETFILTER, SOCK_CLOEXEC);
	int e = errno;

	if (s && mnl_socket_bind(s, 0, MNL_SOCKET_AUTOPID) == 0) {
		e = mark_set_up(s, ifindex, port);
		if (e == 0)
			return s;
	} else if (s) {
		e = errno;
	}
	errtext_set(err, "nftables with tables that have owners: %s", strerror(e));
	guard_mark_close(s);
	return NULL;
}

void guard_mark_close(struct mnl_socket *s)
{
	if (s)
		mnl_socket_close(s);
}
