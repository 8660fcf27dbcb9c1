/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>

#include "policies.h"
#include "policy.h"
#include "test_netlink.h"

/* Others flush, remove, change and migrate what is ours, or events are lost: what the backend finds and does. */

static struct bench b;

static void setup(void)
{
	bench_open(&b, NULL);
}

static void teardown(void)
{
	bench_close(&b);
}

static void tell(uint16_t type, const void *payload, size_t n)
{
	_Alignas(8) uint8_t bytes[1024];
	struct nlmsghdr *h = mnl_nlmsg_put_header(bytes);

	h->nlmsg_type = type;
	memcpy(mnl_nlmsg_put_extra_header(h, n), payload, n);
	event_message(b.k, h);
	bench_turn(&b);
	bench_turn(&b);
}

static void tell_flush_sas(void)
{
	struct xfrm_usersa_flush f = { .proto = 0 };

	tell(XFRM_MSG_FLUSHSA, &f, sizeof(f));
}

static void remove_child(struct kernel_handle *h)
{
	netlink_ops.remove(b.k, h);
	bench_turn(&b);
}

static struct kernel_child trap_like(const struct kernel_child *like)
{
	struct kernel_child c = *like;

	c.unique_id = 99;
	c.in.spi = c.out.spi = 0;
	c.in.encr_key = c.out.encr_key = BYTES_NONE;
	return c;
}

/* Both SAs of one child are gone: told, once for each, and nothing is removed that is not there. */
START_TEST(flushed_sas)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef), d = bench_child(0xc0df, 0xbee0);
	struct kernel_handle *h, *g;
	unsigned deleted;

	d.unique_id = 50;
	h = bench_install(&b, &c);
	g = bench_install(&b, &d);
	fake_find(b.fake, 0xc0de)->there = false;
	fake_find(b.fake, 0xbeef)->there = false;
	tell_flush_sas();
	tell_flush_sas();
	ck_assert_uint_eq(b.n_events, 2);
	for (unsigned i = 0; i < 2; i++) {
		ck_assert_int_eq(b.events[i].kind, KERNEL_EVENT_GONE);
		ck_assert_uint_eq(b.events[i].child_id, 5);
	}
	deleted = fake_seen(b.fake, XFRM_MSG_DELSA);
	remove_child(h);
	ck_assert_uint_eq(fake_seen(b.fake, XFRM_MSG_DELSA), deleted);
	remove_child(g);
}
END_TEST

/* One that is being installed is looked at when it is. */
START_TEST(flushed_while_installing)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	struct kernel_handle *h;
	struct errtext err;

	b.fake->mute_type = XFRM_MSG_UPDPOLICY;
	b.fake->mute = 1;
	ck_assert_int_eq(netlink_ops.install(b.k, &c, bench_done(&b), &h, &err), KERNEL_PENDING);
	bench_turn(&b);
	ck_assert_uint_eq(b.done, 0);
	fake_find(b.fake, 0xbeef)->there = false;
	tell_flush_sas();
	ck_assert_uint_eq(b.n_events, 0);
	nl_expire(b.k->nl, UINT64_MAX); /* asked again */
	bench_turn(&b);
	bench_turn(&b);
	ck_assert_uint_eq(b.done, 1);
	ck_assert_int_eq(b.status, KERNEL_OK);
	bench_turn(&b);
	ck_assert_uint_eq(b.n_events, 1);
	ck_assert_int_eq(b.events[0].kind, KERNEL_EVENT_GONE);
	remove_child(h);
}
END_TEST

/* Of an SA that someone migrated a copy is left, with our mark: it goes, and those of others stay. */
START_TEST(unknown_sas)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	struct kernel_handle *h = bench_install(&b, &c);
	struct xfrm_userpolicy_id id = { .sel.family = AF_INET };
	struct fake_sa *out = fake_find(b.fake, 0xbeef);
	uint16_t cut = sizeof(id) - 4;

	b.fake->sas[10] = *out;
	b.fake->sas[10].info.sel.user = 0;
	b.fake->sas[10].info.id.spi = htonl(0x1234);
	b.fake->n_sas = 11;
	out->info.id.daddr.a4 = htonl(0xc0000263);
	tell(XFRM_MSG_MIGRATE, &id, cut);
	ck_assert_uint_eq(b.n_events, 0);
	tell(XFRM_MSG_MIGRATE, &id, sizeof(id));
	ck_assert_uint_eq(b.n_events, 1);
	ck_assert_int_eq(b.events[0].kind, KERNEL_EVENT_GONE);
	ck_assert_ptr_null(fake_find(b.fake, 0xbeef));
	ck_assert_ptr_nonnull(fake_find(b.fake, 0x1234));
	remove_child(h);
	ck_assert_uint_eq(fake_count(b.fake), 1);
}
END_TEST

/* Missing or changed policies are set as they were, unknown ones of ours go, those of others stay. */
START_TEST(policies)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	struct kernel_handle *h = bench_install(&b, &c);
	struct fake_policy foreign, unknown, *changed;
	struct xfrm_userpolicy_type type = { 0 };
	unsigned updates = fake_seen(b.fake, XFRM_MSG_UPDPOLICY);

	ck_assert_uint_eq(fake_policy_count(b.fake), 3);
	tell(XFRM_MSG_FLUSHPOLICY, &type, sizeof(type)); /* not of ours: nothing is set */
	ck_assert_uint_eq(fake_seen(b.fake, XFRM_MSG_UPDPOLICY), updates);
	foreign = unknown = b.fake->policies[0];
	foreign.key.sel.user = foreign.info.sel.user = 0;
	unknown.key.sel.prefixlen_d = unknown.info.sel.prefixlen_d = 8;
	fake_policy_add(b.fake, &foreign);
	fake_policy_add(b.fake, &unknown);
	b.fake->policies[1].there = false;
	changed = &b.fake->policies[2];
	changed->tmpl.id.daddr.a4 ^= 1;
	tell(XFRM_MSG_FLUSHPOLICY, &type, sizeof(type));
	ck_assert_uint_eq(fake_seen(b.fake, XFRM_MSG_UPDPOLICY), updates + 2);
	ck_assert_uint_eq(fake_policy_count(b.fake), 4);
	ck_assert_ptr_null(fake_policy_find(b.fake, &unknown.key));
	ck_assert_ptr_nonnull(fake_policy_find(b.fake, &foreign.key));
	remove_child(h);
	ck_assert_uint_eq(fake_policy_count(b.fake), 1);
}
END_TEST

/* Notifications of single changes: only of what is ours they are a reason to look. */
START_TEST(whose_it_is)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	struct kernel_handle *h = bench_install(&b, &c);
	struct xfrm_userpolicy_info info = b.fake->policies[0].info;
	struct xfrm_userpolicy_id id = { .sel = info.sel };
	unsigned dumps = fake_seen(b.fake, XFRM_MSG_GETPOLICY), sas = fake_seen(b.fake, XFRM_MSG_GETSA);

	tell(XFRM_MSG_UPDPOLICY, &info, sizeof(info));
	tell(XFRM_MSG_DELPOLICY, &id, sizeof(id));
	ck_assert_uint_eq(fake_seen(b.fake, XFRM_MSG_GETPOLICY), dumps + 2);
	info.sel.user = id.sel.user = 0;
	tell(XFRM_MSG_NEWPOLICY, &info, sizeof(info));
	tell(XFRM_MSG_DELPOLICY, &id, sizeof(id));
	tell(XFRM_MSG_DELPOLICY, &id, sizeof(id) - 4);
	tell(XFRM_MSG_UPDPOLICY, &info, sizeof(info) - 4);
	ck_assert_uint_eq(fake_seen(b.fake, XFRM_MSG_GETPOLICY), dumps + 2);
	fake_tell_deleted(b.fake, 0xc0de, event_message, b.k);
	bench_turn(&b);
	ck_assert_uint_eq(fake_seen(b.fake, XFRM_MSG_GETSA), sas + 1);
	fake_find(b.fake, 0xc0de)->info.sel.user = 0;
	fake_tell_deleted(b.fake, 0xc0de, event_message, b.k);
	bench_turn(&b);
	ck_assert_uint_eq(fake_seen(b.fake, XFRM_MSG_GETSA), sas + 1);
	fake_find(b.fake, 0xc0de)->info.sel.user = b.k->owner;
	remove_child(h);
}
END_TEST

/* A packet that waits is told again when events were lost; not if its child is there meanwhile, and not of others' SAs. */
START_TEST(waiting_packets)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef), t = trap_like(&c);
	struct kernel_handle *trap = bench_install(&b, &t), *h;
	struct fake_sa larval = { .there = true };

	larval.info.id.proto = IPPROTO_ESP;
	larval.info.family = larval.info.sel.family = AF_INET;
	larval.info.reqid = 9;
	larval.info.sel.prefixlen_s = larval.info.sel.prefixlen_d = 32;
	memcpy(&larval.info.sel.saddr, c.local_ts.p[0].to, 4);
	memcpy(&larval.info.sel.daddr, c.remote_ts.p[0].to, 4);
	b.fake->sas[0] = b.fake->sas[1] = larval;
	b.fake->sas[1].info.reqid = 10; /* nobody's here */
	b.fake->n_sas = 2;
	event_message(b.k, NULL);
	bench_turn(&b);
	ck_assert_uint_eq(b.n_events, 1);
	ck_assert_int_eq(b.events[0].kind, KERNEL_EVENT_ACQUIRE);
	ck_assert_uint_eq(b.events[0].child_id, 99);
	ck_assert_mem_eq(b.events[0].packet_src.from, c.local_ts.p[0].to, 4);
	h = bench_install(&b, &c);
	event_message(b.k, NULL);
	bench_turn(&b);
	ck_assert_uint_eq(b.n_events, 1);
	remove_child(h);
	remove_child(trap);
}
END_TEST

TCase *tcase_resync(void)
{
	TCase *t = tcase_create("resync");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, flushed_sas);
	tcase_add_test(t, flushed_while_installing);
	tcase_add_test(t, unknown_sas);
	tcase_add_test(t, policies);
	tcase_add_test(t, whose_it_is);
	tcase_add_test(t, waiting_packets);
	return t;
}
