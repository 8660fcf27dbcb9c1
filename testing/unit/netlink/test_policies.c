/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <errno.h>

#include "policies.h"
#include "policy.h"
#include "test_netlink.h"

/* Who shares a policy, and what the kernel has of it after each step. */

static struct bench b;

static void setup(void)
{
	bench_open(&b, NULL);
}

static void teardown(void)
{
	bench_close(&b);
}

static struct kernel_child trap(void)
{
	struct kernel_child c = bench_child(0, 0);

	c.unique_id = 99;
	c.in.encr_key = c.out.encr_key = BYTES_NONE;
	return c;
}

static struct kernel_handle *install(const struct kernel_child *c)
{
	struct kernel_handle *h = bench_install(&b, c);

	ck_assert_msg(b.status == KERNEL_OK, "%s", b.err.s);
	return h;
}

static void uninstall(struct kernel_handle *h)
{
	netlink_ops.remove(b.k, h);
	bench_turn(&b);
}

static const struct policy_use *use_of(struct kernel_handle *h, uint32_t dir)
{
	struct child_policies *cp = h->policy;

	/* in, fwd, out of the one pair */
	ck_assert_uint_eq(cp->n_uses, 3);
	return &cp->uses[dir == XFRM_POLICY_IN ? 0 : dir == XFRM_POLICY_FWD ? 1 : 2];
}

/* What the kernel has of the policy that h takes part in. */
static struct policy_state state_of(struct kernel_handle *h, uint32_t dir)
{
	return policy_use_wanted(use_of(h, dir));
}

static uint32_t out_spi(struct kernel_handle *h)
{
	return ntohl(state_of(h, XFRM_POLICY_OUT).tmpl.id.spi);
}

static unsigned updates(void)
{
	return fake_seen(b.fake, XFRM_MSG_UPDPOLICY);
}

static unsigned deletes(void)
{
	return fake_seen(b.fake, XFRM_MSG_DELPOLICY);
}

/* The newest carries; when it goes the one before does, by an update, and what is the same is not sent again. */
START_TEST(test_newest_carries)
{
	struct kernel_child c = bench_child(0xa1, 0xb1), d = bench_child(0xa2, 0xb2);
	struct kernel_handle *first = install(&c), *second;

	ck_assert_uint_eq(updates(), 3);
	ck_assert_uint_eq(out_spi(first), 0xb1);
	second = install(&d);
	ck_assert_uint_eq(updates(), 4); /* inbound, both are taken already */
	ck_assert_uint_eq(out_spi(first), 0xb2);
	uninstall(second);
	ck_assert_uint_eq(updates(), 5);
	ck_assert_uint_eq(out_spi(first), 0xb1);
	ck_assert_uint_eq(deletes(), 0);
	uninstall(first);
	ck_assert_uint_eq(deletes(), 3);
}
END_TEST

/* The responder of a rekey: the old one carries until it goes. Then what carry() says. */
START_TEST(test_waits_and_carry)
{
	struct kernel_child c = bench_child(0xa1, 0xb1), d = bench_child(0xa2, 0xb2);
	struct kernel_handle *first = install(&c), *second;

	d.out_waits = true;
	second = install(&d);
	ck_assert_uint_eq(out_spi(first), 0xb1);
	netlink_ops.carry(b.k, first, false);
	bench_turn(&b);
	ck_assert_uint_eq(out_spi(first), 0xb2);
	netlink_ops.carry(b.k, first, true);
	bench_turn(&b);
	ck_assert_uint_eq(out_spi(first), 0xb1);
	/* all are off: nothing leaves in clear because of that */
	netlink_ops.carry(b.k, first, false);
	netlink_ops.carry(b.k, second, false);
	bench_turn(&b);
	ck_assert(state_of(first, XFRM_POLICY_OUT).present);
	uninstall(first);
	ck_assert_uint_eq(out_spi(second), 0xb2);
	uninstall(second);
}
END_TEST

/* Both sides rekeyed at once, and now again: what waits comes behind the one that carries, not behind the redundant one that lingers. */
START_TEST(test_waits_behind_what_carries)
{
	struct kernel_child c = bench_child(0xa1, 0xb1), d = bench_child(0xa2, 0xb2), e = bench_child(0xa3, 0xb3);
	struct kernel_handle *first = install(&c), *redundant = install(&d), *waits;

	netlink_ops.carry(b.k, redundant, false);
	bench_turn(&b);
	ck_assert_uint_eq(out_spi(first), 0xb1);
	e.out_waits = true;
	waits = install(&e);
	ck_assert_uint_eq(out_spi(first), 0xb1);
	netlink_ops.carry(b.k, first, false);
	bench_turn(&b);
	ck_assert_uint_eq(out_spi(first), 0xb3);
	uninstall(redundant);
	uninstall(first);
	ck_assert_uint_eq(out_spi(waits), 0xb3);
	uninstall(waits);
}
END_TEST

/* Inbound: the reqid, as long as all have the same; else any SA. */
START_TEST(test_reqids)
{
	struct kernel_child c = bench_child(0xa1, 0xb1), d = bench_child(0xa2, 0xb2);
	struct kernel_handle *first, *second;

	c.reqid = 7;
	d.reqid = 8;
	first = install(&c);
	ck_assert_uint_eq(state_of(first, XFRM_POLICY_IN).tmpl.reqid, 7);
	second = install(&d);
	ck_assert_uint_eq(state_of(first, XFRM_POLICY_IN).tmpl.reqid, 0);
	ck_assert_uint_eq(state_of(first, XFRM_POLICY_OUT).tmpl.reqid, 8);
	uninstall(first);
	ck_assert_uint_eq(state_of(second, XFRM_POLICY_IN).tmpl.reqid, 8);
	uninstall(second);
}
END_TEST

/* A trap gives way to an SA and comes back by an update when it goes: never is there no policy. */
START_TEST(test_trap_comes_back)
{
	struct kernel_child t = trap(), c = bench_child(0xa1, 0xb1);
	struct kernel_handle *trapped = install(&t), *h;

	ck_assert_uint_eq(fake_count(b.fake), 0);
	ck_assert(state_of(trapped, XFRM_POLICY_OUT).has_tmpl);
	ck_assert_uint_eq(out_spi(trapped), 0);
	h = install(&c);
	ck_assert_uint_eq(out_spi(trapped), 0xb1);
	/* while it is taken down the trap asks for another */
	netlink_ops.carry(b.k, h, false);
	bench_turn(&b);
	ck_assert_uint_eq(out_spi(trapped), 0);
	uninstall(h);
	ck_assert_uint_eq(out_spi(trapped), 0);
	ck_assert_uint_eq(deletes(), 0);
	uninstall(trapped);
	ck_assert_uint_eq(deletes(), 3);
}
END_TEST

/* Shunts come before SAs and traps of equal selectors; an explicit priority before all. */
START_TEST(test_shunts)
{
	struct kernel_child s = trap(), c = bench_child(0xa1, 0xb1), d = bench_child(0xa2, 0xb2);
	struct kernel_handle *sa, *shunt, *first;

	sa = install(&c);
	s.mode = IPSEC_MODE_DROP;
	shunt = install(&s);
	ck_assert_uint_eq(state_of(sa, XFRM_POLICY_OUT).action, XFRM_POLICY_BLOCK);
	ck_assert_uint_eq(state_of(sa, XFRM_POLICY_IN).action, XFRM_POLICY_BLOCK);
	d.priority = 5;
	first = install(&d);
	ck_assert_uint_eq(out_spi(sa), 0xb2);
	ck_assert_uint_eq(state_of(sa, XFRM_POLICY_OUT).priority, 5);
	uninstall(first);
	ck_assert_uint_eq(state_of(sa, XFRM_POLICY_OUT).action, XFRM_POLICY_BLOCK);
	uninstall(shunt);
	ck_assert_uint_eq(state_of(sa, XFRM_POLICY_OUT).action, XFRM_POLICY_ALLOW);
	ck_assert_uint_eq(out_spi(sa), 0xb1);
	uninstall(sa);
}
END_TEST

/* A policy that the kernel refuses: all is undone, and who was there before has it again. */
START_TEST(test_refused_is_undone)
{
	struct kernel_child c = bench_child(0xa1, 0xb1), d = bench_child(0xa2, 0xb2);
	struct kernel_handle *first = install(&c), *second;
	unsigned before = updates();

	b.fake->fail_type = XFRM_MSG_UPDPOLICY;
	b.fake->fail_skip = 0;
	b.fake->fail_error = ENOBUFS;
	second = bench_install(&b, &d);
	ck_assert_int_eq(b.status, KERNEL_FAILED);
	ck_assert_ptr_nonnull(strstr(b.err.s, "cannot set the outbound policy"));
	b.fake->fail_error = 0;
	uninstall(second);
	ck_assert_uint_eq(fake_count(b.fake), 2);
	ck_assert_uint_eq(out_spi(first), 0xb1);
	ck_assert_uint_gt(updates(), before + 1); /* sent again, as nobody knows what the kernel has */
	uninstall(first);
}
END_TEST

static void tell_acquire(const struct xfrm_user_acquire *a)
{
	_Alignas(8) uint8_t bytes[1024];
	struct nlmsghdr *h = mnl_nlmsg_put_header(bytes);

	h->nlmsg_type = XFRM_MSG_ACQUIRE;
	memcpy(mnl_nlmsg_put_extra_header(h, sizeof(*a)), a, sizeof(*a));
	event_read(b.k, h);
}

/* A packet that met a trap is told with its own selectors; one that met an SA's policy is not. */
START_TEST(test_acquire)
{
	struct kernel_child t = trap(), c = bench_child(0xa1, 0xb1);
	struct kernel_handle *trapped = install(&t), *h;
	struct xfrm_user_acquire a;

	memset(&a, 0, sizeof(a));
	a.policy.dir = XFRM_POLICY_OUT;
	a.policy.sel.family = a.sel.family = AF_INET;
	a.policy.sel.user = b.k->owner;
	memcpy(&a.policy.sel.saddr, t.local_ts.p[0].from, 4);
	memcpy(&a.policy.sel.daddr, t.remote_ts.p[0].from, 4);
	a.policy.sel.prefixlen_s = ts_cover(&t.local_ts.p[0]).len;
	a.policy.sel.prefixlen_d = ts_cover(&t.remote_ts.p[0]).len;
	memcpy(&a.sel.saddr, t.local_ts.p[0].to, 4);
	memcpy(&a.sel.daddr, t.remote_ts.p[0].to, 4);
	a.sel.proto = IPPROTO_TCP;
	a.sel.sport = htons(1234);
	a.sel.dport = htons(80);
	a.sel.sport_mask = a.sel.dport_mask = UINT16_MAX;
	tell_acquire(&a);
	ck_assert_uint_eq(b.n_events, 1);
	ck_assert_int_eq(b.events[0].kind, KERNEL_EVENT_ACQUIRE);
	ck_assert_uint_eq(b.events[0].child_id, 99);
	ck_assert(b.events[0].packet_src.protocol == IPPROTO_TCP && b.events[0].packet_src.port_from == 1234 &&
		  b.events[0].packet_dst.port_from == 80 && b.events[0].packet_dst.port_to == 80);
	ck_assert_mem_eq(b.events[0].packet_src.from, t.local_ts.p[0].to, 16);
	h = install(&c);
	tell_acquire(&a);
	ck_assert_uint_eq(b.n_events, 1);
	uninstall(h);
	uninstall(trapped);
}
END_TEST

/* Marks, interface ids and devices make other policies; what has none of them is not shared with what has. */
START_TEST(test_scopes)
{
	struct kernel_child c = bench_child(0xa1, 0xb1), d = bench_child(0xa2, 0xb2), e = bench_child(0xa3, 0xb3);
	struct kernel_handle *plain = install(&c), *marked, *missing;

	d.scope.mark_out = (struct ipsec_mark){ 1, UINT32_MAX };
	d.scope.if_id_in = 5;
	d.fwd_out = true;
	marked = install(&d);
	ck_assert_uint_eq(updates(), 7);
	ck_assert_uint_eq(out_spi(plain), 0xb1);
	e.scope.interface = "no-such-thing";
	missing = bench_install(&b, &e);
	ck_assert_int_eq(b.status, KERNEL_FAILED);
	ck_assert_ptr_nonnull(strstr(b.err.s, "there is no interface named no-such-thing"));
	uninstall(missing);
	uninstall(marked);
	ck_assert_uint_eq(deletes(), 4);
	uninstall(plain);
}
END_TEST

TCase *tcase_policies(void)
{
	TCase *tc = tcase_create("policies");

	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_newest_carries);
	tcase_add_test(tc, test_waits_and_carry);
	tcase_add_test(tc, test_waits_behind_what_carries);
	tcase_add_test(tc, test_reqids);
	tcase_add_test(tc, test_trap_comes_back);
	tcase_add_test(tc, test_shunts);
	tcase_add_test(tc, test_refused_is_undone);
	tcase_add_test(tc, test_acquire);
	tcase_add_test(tc, test_scopes);
	return tc;
}
