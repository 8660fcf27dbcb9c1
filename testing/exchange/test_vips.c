/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "confs.h"
#include "lab_auth.h"
#include "sa/vips.h"
#include "suites.h"

/* RFC 7296, 2.19: a asks for virtual addresses, b has pools of them. */

#define CLIENT(NAME, ID, VIPS)                                                                     \
	NAME " { version = 2\n local_addrs = 192.0.2.1\n remote_addrs = 192.0.2.2\n" CONF_IKE "\n" VIPS \
	     "\n local { auth = psk\n id = " ID " }\n remote { auth = psk\n id = b.test }\n"       \
	     " children { one { remote_ts = 10.1.0.0/16\n" ESP " }\n two { remote_ts = 10.2.0.0/16\n" ESP " }\n" \
	     " fixed { local_ts = 10.9.0.0/24\n remote_ts = 10.9.1.0/24\n" ESP " } } }\n"
#define CLIENTS(VIPS) "connections { " CLIENT("net", "a.test", VIPS) CLIENT("other", "o.test", VIPS) " }\n" CONF_SECRET
#define GATEWAY(IKE, POOLS) GATEWAY_OF("", IKE, POOLS)
#define GATEWAY_OF(REMOTE, IKE, POOLS)                                                             \
	"connections { net { version = 2\n local_addrs = 192.0.2.2\n" CONF_IKE "\n" IKE            \
	"\n local { auth = psk\n id = b.test }\n remote { auth = psk\n" REMOTE " }\n"             \
	" children { all { local_ts = 10.0.0.0/8\n" ESP " }\n two { local_ts = 10.2.0.0/16\n" ESP " }\n" \
	" fixed { local_ts = 10.9.1.0/24\n remote_ts = 10.9.0.0/24\n" ESP " } } } }\n"\
	"pools { " POOLS " }\n" CONF_SECRET

#define POOL_4 "p4 { addrs = 10.3.0.0/24\n dns = 10.1.0.53, 10.1.0.54\n 28672 = hello }\n"
#define POOL_6 "p6 { addrs = 2001:db8:3::1-2001:db8:3::ff\n subnet = 2001:db8:1::/64\n dns = 10.1.0.53 }\n"
#define POOL_ONE "one { addrs = 10.3.1.1/32 }\n"
#define WISH_4 "vips = 0.0.0.0"

static struct lab *lab_usual(void)
{
	return lab_new(CLIENTS(WISH_4), GATEWAY("pools = p4", POOL_4));
}

static struct ike_sa *initiate(struct lab *lab, const char *name, const char *child)
{
	const struct conn *conn = config_conn(lab->a.ctx.config, name);
	struct ike_sa *sa = ike_sa_new_initiator(&lab->a.ctx, conn, 0);

	ike_sa_initiate(sa, child ? conn_child(conn, child) : NULL, lab_request_new(&lab->a));
	return sa;
}

static struct lab *lab_up(void)
{
	struct lab *lab = lab_usual();

	initiate(lab, "net", "one");
	lab_run(lab);
	ck_assert_str_eq(lab_vips(lab_sa(&lab->a)), "10.3.0.1");
	return lab;
}

/* The IKE_SA of the other end. */
static struct ike_sa *twin(struct lab_end *e, const struct ike_sa *sa)
{
	for (size_t i = 0; i < e->n_sas; i++)
		if (e->sas[i]->spi_i == sa->spi_i && e->sas[i]->spi_r == sa->spi_r)
			return e->sas[i];
	return NULL;
}

static const char *child_ts(const struct child_sa *c)
{
	static char text[256];
	struct buf b = { 0 };

	ts_list_format(&b, child_sa_local_ts(c));
	buf_add_str(&b, " === ");
	ts_list_format(&b, child_sa_remote_ts(c));
	snprintf(text, sizeof(text), "%s", buf_str(&b));
	buf_free(&b);
	return text;
}

static const struct payload *peek_cp(struct lab *lab, struct arena *a, struct payload_list *ret_list)
{
	struct ike_header h;

	lab_peek(lab, 0, a, &h, ret_list);
	ck_assert_uint_eq(h.exchange, EXCHANGE_IKE_AUTH);
	return payload_find(ret_list, PAYLOAD_CP, NULL);
}

/* What is sent, what is given, who has it, and what the CHILD_SA is for. */
START_TEST(assigned)
{
	struct lab *lab = lab_usual();
	struct arena a = { 0 };
	struct payload_list list;
	const struct payload *cp, *ts;
	struct ike_info *info;
	struct child_sa *c;

	initiate(lab, "net", "one");
	lab_deliver(lab);
	lab_deliver(lab);
	cp = peek_cp(lab, &a, &list);
	ck_assert_ptr_nonnull(cp);
	ck_assert_uint_eq(cp->cp.attrs[0].type, CP_ATTR_INTERNAL_IP4_ADDRESS);
	ck_assert_uint_eq(cp->cp.attrs[0].value.n, 0);
	ts = payload_find(&list, PAYLOAD_TSI, NULL);
	ck_assert_uint_eq(ts->ts.count, 1);
	ck_assert_str_eq(ts_format(&ts->ts.p[0]).s, "0.0.0.0/0");
	lab_deliver(lab);
	cp = peek_cp(lab, &a, &list);
	ck_assert_ptr_nonnull(cp);
	ck_assert_uint_eq(cp->cp.count, 4);
	ck_assert(bytes_equal(cp->cp.attrs[0].value, bytes_of("\x0a\x03\x00\x01", 4)));
	ck_assert_uint_eq(cp->cp.attrs[2].type, CP_ATTR_INTERNAL_IP4_DNS);
	ck_assert_uint_eq(cp->cp.attrs[3].type, CP_ATTR_UNITY_BANNER);
	lab_run(lab);
	c = lab_sa(&lab->a)->children;
	ck_assert_str_eq(child_ts(c), "10.3.0.1/32 === 10.1.0.0/16");
	ck_assert_uint_eq(lab_asked(c)->n_vips, 1);
	ck_assert_str_eq(child_ts(lab_sa(&lab->b)->children), "10.1.0.0/16 === 10.3.0.1/32");
	ck_assert_uint_eq(lab_asked(lab_sa(&lab->b)->children)->n_vips, 0);
	ck_assert_uint_eq(lab->a.n_vips, 1);
	ck_assert_uint_eq(lab->b.n_vips, 0);
	ck_assert_str_eq(lab_pool(&lab->b, "p4"), "1/0");
	info = ike_info_new(lab_sa(&lab->b), NULL, true);
	ck_assert_uint_eq(info->n_remote_vips, 1);
	ck_assert_uint_eq(info->n_local_vips, 0);
	ike_info_free(info);
	arena_free(&a);
	lab_free(lab);
}
END_TEST

/* Another CHILD_SA is for the same address; one that has its own selectors is not concerned. */
START_TEST(more_children)
{
	struct lab *lab = lab_up();

	lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	lab_run(lab);
	ck_assert_str_eq(child_ts(lab_sa(&lab->a)->children), "10.3.0.1/32 === 10.2.0.0/16");
	/* of children that suit, the one that was meant: that any address was asked for does not make them equal */
	ck_assert_str_eq(lab_sa(&lab->b)->children->conf->name, "two");
	lab_add_child(&lab->a, lab_sa(&lab->a), "fixed");
	lab_run(lab);
	ck_assert_str_eq(child_ts(lab_sa(&lab->a)->children), "10.9.0.0/24 === 10.9.1.0/24");
	ck_assert_uint_eq(lab->a.vips_added, 1);
	lab_free(lab);
}
END_TEST

START_TEST(best_child)
{
	struct lab *lab = lab_usual();

	initiate(lab, "net", "two");
	lab_run(lab);
	ck_assert_str_eq(child_ts(lab_sa(&lab->a)->children), "10.3.0.1/32 === 10.2.0.0/16");
	ck_assert_str_eq(lab_sa(&lab->b)->children->conf->name, "two");
	lab_free(lab);
}
END_TEST

/* Both families, of two pools; what both pools have is told once. */
START_TEST(families)
{
	struct lab *lab = lab_new(CLIENTS("vips = 0.0.0.0, ::"), GATEWAY("pools = p6, p4", POOL_4 POOL_6));
	struct arena a = { 0 };
	struct payload_list list;
	const struct payload *cp;

	initiate(lab, "net", "one");
	for (unsigned i = 0; i < 3; i++)
		lab_deliver(lab);
	cp = peek_cp(lab, &a, &list);
	ck_assert_uint_eq(cp->cp.count, 6);
	ck_assert_uint_eq(cp->cp.attrs[1].value.n, 17);
	ck_assert_uint_eq(cp->cp.attrs[1].value.p[16], 128);
	lab_run(lab);
	ck_assert_str_eq(lab_vips(lab_sa(&lab->a)), "10.3.0.1 2001:db8:3::1");
	ck_assert_str_eq(lab_vips(lab_sa(&lab->b)), "10.3.0.1 2001:db8:3::1");
	/* the child has IPv4 on the other side: selectors of both are listed, as the gateway narrows them */
	ck_assert_str_eq(child_ts(lab_sa(&lab->a)->children), "10.3.0.1/32 2001:db8:3::1/128 === 10.1.0.0/16");
	ck_assert_uint_eq(lab->a.n_vips, 2);
	ck_assert_uint_eq(lab_asked(lab_sa(&lab->a)->children)->n_vips, 2);
	arena_free(&a);
	lab_free(lab);
}
END_TEST

/* Several of a family, as many as are allowed. */
START_TEST(several)
{
	struct lab *lab = lab_new(_i ? CLIENTS("vips = 0.0.0.0, 0.0.0.0, 0.0.0.0, 0.0.0.0, ::, ::, ::, ::") : CLIENTS("vips = 0.0.0.0, 10.3.0.9"),
				  GATEWAY("unique = replace\n pools = p4, p6", POOL_4 POOL_6));

	initiate(lab, "net", "one");
	lab_run(lab);
	ck_assert_str_eq(lab_vips(lab_sa(&lab->a)), _i ? "10.3.0.1 10.3.0.2 10.3.0.3 10.3.0.4 2001:db8:3::1 2001:db8:3::2 2001:db8:3::3 2001:db8:3::4" :
							 "10.3.0.1 10.3.0.9");
	ck_assert_uint_eq(lab->a.n_vips, _i ? 8 : 2);
	ike_sa_reauth(lab_sa(&lab->a));
	lab_run(lab);
	ck_assert_uint_eq(lab->a.vips_added, _i ? 8 : 2);
	ck_assert_str_eq(lab_pool(&lab->b, "p4"), _i ? "4/0" : "2/0");
	lab_free(lab);
}
END_TEST

/* The gateway has addresses of one family only: that will do. */
START_TEST(one_family)
{
	struct lab *lab = lab_new(CLIENTS("vips = ::, 0.0.0.0"), GATEWAY("pools = p4", POOL_4));

	initiate(lab, "net", "one");
	lab_run(lab);
	ck_assert_str_eq(lab_vips(lab_sa(&lab->a)), "10.3.0.1");
	ck_assert_str_eq(child_ts(lab_sa(&lab->a)->children), "10.3.0.1/32 === 10.1.0.0/16");
	lab_free(lab);
}
END_TEST

/* RFC 7296, 3.15.1: a certain address is asked for, and given if it is free. */
START_TEST(named)
{
	struct lab *lab = lab_new(_i ? CLIENTS("vips = 10.99.0.1") : CLIENTS("vips = 10.3.0.77"), GATEWAY("pools = p4", POOL_4));

	initiate(lab, "net", "one");
	lab_run(lab);
	ck_assert_str_eq(lab_vips(lab_sa(&lab->a)), _i ? "10.3.0.1" : "10.3.0.77");
	initiate(lab, "other", "one");
	lab_run(lab);
	ck_assert_str_eq(lab_vips(lab->a.sas[1]), _i ? "10.3.0.2" : "10.3.0.1");
	lab_free(lab);
}
END_TEST

/* Several pools are tried in turn. */
START_TEST(next_pool)
{
	struct lab *lab = lab_new(CLIENTS(WISH_4), GATEWAY("pools = missing, one, p4", POOL_4 POOL_ONE));

	initiate(lab, "net", "one");
	lab_run(lab);
	initiate(lab, "other", "one");
	lab_run(lab);
	ck_assert_str_eq(lab_vips(lab->a.sas[0]), "10.3.1.1");
	ck_assert_str_eq(lab_vips(lab->a.sas[1]), "10.3.0.1");
	lab_free(lab);
}
END_TEST

/* All addresses are in use, or there is no pool: INTERNAL_ADDRESS_FAILURE, and the IKE_SA stays (RFC 7296, 3.10.1). */
START_TEST(none_left)
{
	struct lab *lab = lab_new(CLIENTS(WISH_4), _i == 0 ? GATEWAY("pools = one", POOL_ONE) :
						   _i == 1 ? GATEWAY("pools = missing", POOL_ONE) : GATEWAY("", POOL_ONE));
	struct ike_sa *sa;
	uint64_t request;

	if (_i == 0) {
		initiate(lab, "net", "one");
		lab_run(lab);
	}
	sa = initiate(lab, "other", "one");
	lab_run(lab);
	ck_assert_uint_eq(sa->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(twin(&lab->b, sa)->state, IKE_STATE_ESTABLISHED);
	ck_assert_ptr_null(sa->children);
	ck_assert_ptr_null(twin(&lab->b, sa)->children);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_IKE_UP), _i == 0 ? 2 : 1);
	/* asked for again it is by another IKE_SA, which asks for an address again */
	request = lab_add_child(&lab->a, sa, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab->a.requests[request].done, 1);
	ck_assert_uint_eq(lab->a.requests[request].cause, CAUSE_PEER_ERROR);
	ck_assert_uint_eq(lab_live(&lab->a), _i == 0 ? 2 : 1);
	if (_i == 0) {
		ike_sa_terminate(lab->a.sas[0], false, (struct sa_request){ 0 });
		lab_run(lab);
		lab_advance(lab, 20000);
		request = lab_add_child(&lab->a, lab_sa(&lab->a), "one");
		lab_run(lab);
		ck_assert_uint_eq(lab->a.requests[request].cause, CAUSE_NONE);
		ck_assert_str_eq(lab_vips(lab_sa(&lab->a)), "10.3.1.1");
	}
	lab_free(lab);
}
END_TEST

/* RFC 7296 2.19 MUST: FAILED_CP_REQUIRED for who does not ask; the IKE_SA stays */
START_TEST(not_asked)
{
	struct lab *lab = lab_new(CLIENTS(""), GATEWAY("pools = p4", POOL_4));

	initiate(lab, "net", "one");
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_ptr_null(lab_sa(&lab->a)->children);
	ck_assert_str_eq(lab_pool(&lab->b, "p4"), "0/0");
	lab_free(lab);
}
END_TEST

/* Whoever rekeys, nothing is moved, given back or asked for. */
START_TEST(rekeyed)
{
	struct lab *lab = lab_up();
	struct lab_end *e = _i ? &lab->b : &lab->a;

	for (unsigned i = 0; i < 3; i++) {
		ike_sa_rekey(lab_sa(e));
		ike_sa_rekey_child(lab_sa(e), lab_sa(e)->children);
		lab_run(lab);
		lab_advance(lab, 6000);
		lab_run(lab);
	}
	ck_assert_str_eq(lab_vips(lab_sa(&lab->a)), "10.3.0.1");
	ck_assert_str_eq(lab_vips(lab_sa(&lab->b)), "10.3.0.1");
	ck_assert_str_eq(lab_pool(&lab->b, "p4"), "1/0");
	ck_assert_uint_eq(lab->a.vips_added, 1);
	ck_assert_str_eq(child_ts(lab_sa(&lab->a)->children), "10.3.0.1/32 === 10.1.0.0/16");
	/* and a new child afterwards */
	lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	lab_run(lab);
	ck_assert_str_eq(child_ts(lab_sa(&lab->a)->children), "10.3.0.1/32 === 10.2.0.0/16");
	lab_free(lab);
}
END_TEST

/* Both rekey the IKE_SA at once: one has the address in the end. */
START_TEST(rekeyings_cross)
{
	struct lab *lab = lab_up();

	ike_sa_rekey(lab_sa(&lab->a));
	ike_sa_rekey(lab_sa(&lab->b));
	lab_run(lab);
	lab_advance(lab, 60000);
	lab_run(lab);
	ck_assert_str_eq(lab_vips(lab_sa(&lab->a)), "10.3.0.1");
	ck_assert_str_eq(lab_vips(lab_sa(&lab->b)), "10.3.0.1");
	ck_assert_uint_eq(lab->a.vips_added, 1);
	lab_free(lab);
}
END_TEST

/* Both sides, closed or taken for dead: the address is free at once, while a shell lingers. */
START_TEST(closed)
{
	struct lab *lab = lab_up();

	if (_i < 2) {
		ike_sa_terminate(lab_sa(_i ? &lab->b : &lab->a), false, (struct sa_request){ 0 });
		lab_deliver(lab);
		ck_assert_str_eq(lab_pool(&lab->b, "p4"), _i ? "1/0" : "0/1");
		ck_assert_uint_eq(lab->a.n_vips, _i ? 0 : 1);
		lab_run(lab);
	} else {
		ike_sa_terminate(lab_sa(&lab->a), true, (struct sa_request){ 0 });
		ike_sa_terminate(lab_sa(&lab->b), true, (struct sa_request){ 0 });
		lab_advance(lab, 1);
	}
	ck_assert_str_eq(lab_pool(&lab->b, "p4"), "0/1");
	ck_assert_uint_eq(lab->a.n_vips, 0);
	ck_assert_uint_eq(lab_live(&lab->a) + lab_live(&lab->b), 0);
	/* another client gets another one, the first its own again */
	initiate(lab, "other", "one");
	lab_run(lab);
	ck_assert_str_eq(lab_vips(lab_sa(&lab->a)), "10.3.0.2");
	ck_assert_ptr_nonnull(initiate(lab, "net", "one"));
	lab_run(lab);
	ck_assert_str_eq(lab_pool(&lab->b, "p4"), "2/0");
	ck_assert_str_eq(child_ts(lab->a.sas[lab->a.n_sas - 1]->children), "10.3.0.1/32 === 10.1.0.0/16");
	lab_free(lab);
}
END_TEST

/* Reauthentication, by breaking first (0) or making first (1): the same address, which never leaves its interface. */
START_TEST(reauthenticated)
{
	struct lab *lab = lab_new(CLIENTS(WISH_4), _i < 2 ? GATEWAY("pools = p4", POOL_4) : GATEWAY("unique = replace\n pools = p4", POOL_4));
	struct ike_sa *old;

	lab->a.ctx.options.make_before_break = _i % 2;
	initiate(lab, "other", "one");
	lab_run(lab);
	old = initiate(lab, "net", "one");
	lab_run(lab);
	ck_assert_str_eq(lab_vips(old), "10.3.0.2");
	lab_add_child(&lab->a, old, "two");
	lab_run(lab);
	ike_sa_reauth(old);
	for (unsigned i = 0; i < 8; i++) {
		while (lab->n_packets) {
			lab_deliver(lab);
			ck_assert_uint_eq(lab->a.n_vips >= 2, 1);
		}
		lab_advance(lab, 1000);
	}
	ck_assert_uint_eq(lab_live(&lab->a), 2);
	ck_assert_str_eq(lab_pool(&lab->b, "p4"), "2/0");
	ck_assert_uint_eq(lab->a.n_vips, 2);
	/* made first it is put there twice */
	ck_assert_uint_eq(lab->a.vips_added, _i % 2 ? 3 : 2);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 3);
	for (size_t i = 0; i < lab->a.n_sas; i++)
		if (lab->a.sas[i]->state == IKE_STATE_ESTABLISHED && i)
			ck_assert_str_eq(lab_vips(lab->a.sas[i]), "10.3.0.2");
	lab_free(lab);
}
END_TEST

/* A reauthentication that fails: what there was stays (made first), or is taken away with the attempt (broken first). */
START_TEST(reauthentication_fails)
{
	struct lab *lab = lab_up();

	lab->a.ctx.options.make_before_break = _i;
	ike_sa_reauth(lab_sa(&lab->a));
	lab_run(lab);
	if (_i) {
		lab_advance(lab, 3000);
		lab_run(lab);
		ck_assert_uint_eq(lab->a.n_vips, 1);
	}
	ike_sa_reauth(lab_sa(&lab->a));
	for (unsigned i = 0; i < 400; i++) {
		while (lab->n_packets)
			if (lab->packets[0].data[18] == EXCHANGE_IKE_SA_INIT)
				lab_drop(lab);
			else
				lab_deliver(lab);
		lab_advance(lab, 1000);
		if (_i)
			ck_assert_uint_ge(lab->a.n_vips, 1);
	}
	ck_assert_uint_eq(lab->a.n_vips, _i);
	ck_assert_str_eq(lab_pool(&lab->b, "p4"), _i ? "1/0" : "0/1");
	lab_free(lab);
}
END_TEST

/* A client that forgot everything: INITIAL_CONTACT, or unique = replace, gives it its address while the old IKE_SA still has it.
 * Else it is taken for another device. */
START_TEST(forgetful)
{
	static const char *const expected[] = { "10.3.0.1", "10.3.0.1", "10.3.0.2", "10.3.0.2" };
	struct lab *lab = lab_new(CLIENTS(WISH_4), _i == 1 ? GATEWAY("unique = replace\n pools = p4", POOL_4) :
						   _i == 3 ? GATEWAY("unique = never\n pools = p4", POOL_4) :
							     GATEWAY("pools = p4", POOL_4));
	struct ike_sa *sa = initiate(lab, "net", "one");

	lab_run(lab);
	if (_i == 0 || _i == 3) {
		/* without a Delete, and so that it says INITIAL_CONTACT */
		ike_sa_terminate(sa, true, (struct sa_request){ 0 });
		while (lab->n_packets)
			lab_drop(lab);
		lab_advance(lab, 1);
	}
	sa = initiate(lab, "net", "one");
	lab_run(lab);
	ck_assert_str_eq(lab_vips(sa), expected[_i]);
	ck_assert_uint_eq(lab_live(&lab->b), 2);
	ck_assert_str_eq(lab_pool(&lab->b, "p4"), _i < 2 ? "1/0" : "2/0");
	/* the old one goes: the address stays the new one's */
	ike_sa_terminate(lab->b.sas[0], true, (struct sa_request){ 0 });
	lab_advance(lab, 1);
	ck_assert_str_eq(lab_pool(&lab->b, "p4"), _i < 2 ? "1/0" : "1/1");
	lab_free(lab);
}
END_TEST

/* The answer is lost, or the request: the same address, once. */
START_TEST(lost)
{
	struct lab *lab = lab_usual();

	initiate(lab, "net", "one");
	for (int i = 0; i < _i; i++)
		lab_deliver(lab);
	lab_drop(lab);
	lab_advance(lab, 5000);
	lab_run(lab);
	ck_assert_str_eq(lab_vips(lab_sa(&lab->a)), "10.3.0.1");
	ck_assert_str_eq(lab_pool(&lab->b, "p4"), "1/0");
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
	lab_free(lab);
}
END_TEST

/* The client dies in the middle: what it was given is free when its gateway gives it up. */
START_TEST(half_way)
{
	struct lab *lab = lab_usual();

	lab_attributes(lab);
	initiate(lab, "net", "one");
	for (unsigned i = 0; i < 3; i++)
		lab_deliver(lab);
	ck_assert_str_eq(lab_pool(&lab->b, "p4"), "1/0");
	ike_sa_terminate(lab->b.sas[0], true, (struct sa_request){ 0 });
	lab_advance(lab, 1);
	ck_assert_str_eq(lab_pool(&lab->b, "p4"), "0/1");
	lab_free(lab);
}
END_TEST

/* What the gateway says instead of the address it gave. */
static struct ike_sa *answered_with(struct lab *lab, const char *addr)
{
	struct ike_sa *sa = initiate(lab, "net", "one");

	lab->b.kernel_async = true;
	for (unsigned i = 0; i < 3; i++)
		lab_deliver(lab);
	lab_kernel_complete(&lab->b, KERNEL_OK);
	ck_assert_uint_eq(lab->b.sas[0]->vips->n, 1);
	if (addr)
		ck_assert(addr_parse(bytes_str(addr), &lab->b.sas[0]->vips->list[0].addr));
	lab->b.kernel_async = false;
	lab_kernel_complete(&lab->b, KERNEL_OK);
	lab_run(lab);
	return sa;
}

/* An address that was not asked for, or that no host can have, is not taken: then there is none, and no CHILD_SA; the peer is told to
 * drop its own. One that the selectors do not have does not help either. */
START_TEST(bad_answers)
{
	static const char *const addrs[] = { "2001:db8:3::1", "0.0.0.0", "127.0.0.1", "224.0.0.1", "255.255.255.255", "10.3.0.9" };
	struct lab *lab = lab_usual();
	struct ike_sa *sa = answered_with(lab, addrs[_i]);

	ck_assert_uint_eq(sa->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab->a.n_vips, _i == 5);
	ck_assert_ptr_null(sa->children);
	ck_assert_ptr_null(lab_sa(&lab->b)->children);
	lab_free(lab);
}
END_TEST

/* It cannot be put onto an interface: no CHILD_SA, and the IKE_SA stays. Or it is not to be. */
START_TEST(not_installed)
{
	struct lab *lab = lab_usual();

	lab->a.kernel_fail_vip = _i == 0;
	lab->a.ctx.options.install_virtual_ip = _i == 0;
	initiate(lab, "net", "one");
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), _i > 0);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), _i > 0);
	ck_assert_uint_eq(lab->a.vips_added, 0);
	if (_i)
		ck_assert_str_eq(child_ts(lab_sa(&lab->a)->children), "10.3.0.1/32 === 10.1.0.0/16");
	lab_free(lab);
}
END_TEST

/* RFC 7296 2.19 MUST: with several IKE_AUTH exchanges CP is where SA is */
START_TEST(rounds)
{
	struct lab *lab = lab_new(CLIENTS(WISH_4), GATEWAY_OF("id = a.test", "pools = p4", POOL_4));

	lab_rounds(&lab->a, "net", true, "pp");
	lab_rounds(&lab->b, "net", false, "pp");
	lab_rounds(&lab->b, "net", true, "pp");
	lab_rounds(&lab->a, "net", false, "pp");
	initiate(lab, "net", "one");
	while (lab->n_packets) {
		struct arena a = { 0 };
		struct payload_list list;
		struct ike_header h;

		lab_peek(lab, 0, &a, &h, &list);
		if (h.exchange == EXCHANGE_IKE_AUTH)
			ck_assert(!payload_find(&list, PAYLOAD_CP, NULL) == !payload_find(&list, PAYLOAD_SA, NULL));
		arena_free(&a);
		lab_deliver(lab);
	}
	ck_assert_str_eq(child_ts(lab_sa(&lab->a)->children), "10.3.0.1/32 === 10.1.0.0/16");
	lab_free(lab);
}
END_TEST

/* A packet with our outer address met the trap: it is one for the virtual address, and not a new one each time. */
START_TEST(acquired)
{
	struct lab *lab = lab_usual();
	const struct conn *conn = config_conn(lab->a.ctx.config, "net");
	struct child_acquire acquire = { .src = ts_from_addr(&lab->a.addr) };
	struct ike_sa *sa = ike_sa_new_initiator(&lab->a.ctx, conn, 0);
	struct addr dst;

	ck_assert(addr_parse(bytes_str("10.1.0.7"), &dst));
	acquire.dst = ts_from_addr(&dst);
	ike_sa_initiate_for(sa, conn_child(conn, "one"), &acquire, lab_request_new(&lab->a));
	lab_run(lab);
	ck_assert_str_eq(child_ts(sa->children), "10.3.0.1/32 === 10.1.0.0/16");
	ike_sa_add_child_for(sa, conn, conn_child(conn, "one"), &acquire, lab_request_new(&lab->a));
	lab_run(lab);
	ck_assert_ptr_null(sa->children->next);
	lab_free(lab);
}
END_TEST

/* RFC 4555: we, or the peer, are somewhere else: the addresses inside stay. */
START_TEST(moved)
{
	struct lab *lab = lab_usual();

	lab_roam(&lab->a, "192.0.2.1 198.51.100.1");
	initiate(lab, "net", "one");
	lab_run(lab);
	lab_roam(&lab->a, "198.51.100.1");
	lab_run(lab);
	lab_advance(lab, 5000);
	lab_run(lab);
	ck_assert_str_eq(lab_vips(lab_sa(&lab->a)), "10.3.0.1");
	ck_assert_str_eq(child_ts(lab_sa(&lab->a)->children), "10.3.0.1/32 === 10.1.0.0/16");
	ck_assert_uint_eq(lab->a.vips_added, 1);
	lab_free(lab);
}
END_TEST

/* RFC 7296 3.15.1 MUST: one netmask, and only with an address */
START_TEST(netmask)
{
	struct lab *lab = lab_new(_i ? CLIENTS("vips = 0.0.0.0") : CLIENTS("vips = ::"),
				  GATEWAY("pools = p4, p6", "p4 { addrs = 10.3.0.0/24\n netmask = 255.255.255.0, 255.255.0.0 }\n" POOL_6));
	struct arena a = { 0 };
	struct payload_list list;
	const struct payload *cp;
	unsigned n = 0;

	initiate(lab, "net", "one");
	for (unsigned i = 0; i < 3; i++)
		lab_deliver(lab);
	cp = peek_cp(lab, &a, &list);
	for (size_t i = 0; i < cp->cp.count; i++)
		n += cp->cp.attrs[i].type == CP_ATTR_INTERNAL_IP4_NETMASK;
	ck_assert_uint_eq(n, _i);
	lab_run(lab);
	arena_free(&a);
	lab_free(lab);
}
END_TEST

Suite *vips_suite(void)
{
	Suite *s = suite_create("exchange/vips");
	TCase *t = tcase_create("all");

	tcase_add_test(t, assigned);
	tcase_add_test(t, more_children);
	tcase_add_test(t, best_child);
	tcase_add_test(t, families);
	tcase_add_loop_test(t, several, 0, 2);
	tcase_add_test(t, one_family);
	tcase_add_loop_test(t, named, 0, 2);
	tcase_add_test(t, next_pool);
	tcase_add_loop_test(t, none_left, 0, 3);
	tcase_add_test(t, not_asked);
	tcase_add_loop_test(t, rekeyed, 0, 2);
	tcase_add_test(t, rekeyings_cross);
	tcase_add_loop_test(t, closed, 0, 3);
	tcase_add_loop_test(t, reauthenticated, 0, 4);
	tcase_add_loop_test(t, reauthentication_fails, 0, 2);
	tcase_add_loop_test(t, forgetful, 0, 4);
	tcase_add_loop_test(t, lost, 0, 4);
	tcase_add_test(t, half_way);
	tcase_add_loop_test(t, bad_answers, 0, 6);
	tcase_add_loop_test(t, not_installed, 0, 2);
	tcase_add_test(t, rounds);
	tcase_add_test(t, acquired);
	tcase_add_test(t, moved);
	tcase_add_loop_test(t, netmask, 0, 2);
	suite_add_tcase(s, t);
	return s;
}
