/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "config/settings.h"
#include "test_netlink.h"

static struct bench b;

static void setup(void)
{
	bench_open(&b, NULL);
}

static void teardown(void)
{
	bench_close(&b);
}

START_TEST(test_install_remove)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	struct kernel_handle *h = bench_install(&b, &c);
	uint32_t spi;
	struct errtext err;

	ck_assert_int_eq(b.status, KERNEL_OK);
	ck_assert_uint_eq(fake_count(b.fake), 2);
	netlink_ops.remove(b.k, h);
	bench_turn(&b);
	ck_assert_uint_eq(fake_count(b.fake), 0);
	ck_assert_uint_eq(b.k->n_children, 0);
	ck_assert_uint_eq(b.k->sas.count, 0);
	ck_assert_int_eq(netlink_ops.spi_alloc(b.k, 3, bench_done(&b), &spi, &err), KERNEL_OK);
	ck_assert_uint_eq(spi >> 24, 3);
}
END_TEST

/* All of it or nothing, and the error says which part, and why. */
START_TEST(test_second_fails)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	struct kernel_handle *h;

	b.fake->fail_type = XFRM_MSG_NEWSA;
	b.fake->fail_skip = 1;
	b.fake->fail_error = ENOSYS;
	h = bench_install(&b, &c);
	ck_assert_int_eq(b.status, KERNEL_FAILED);
	ck_assert_ptr_nonnull(strstr(b.err.s, "cannot add the outbound SA with SPI 0000beef: the kernel lacks"));
	ck_assert_ptr_nonnull(strstr(b.err.s, "AES_GCM_16_128"));
	ck_assert_uint_eq(fake_count(b.fake), 0);
	netlink_ops.remove(b.k, h);
	bench_turn(&b);
}
END_TEST

/* An SPI that someone else has: theirs is not touched. */
START_TEST(test_foreign_stays)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef), d = bench_child(0xc0df, 0xbeef);
	struct kernel_handle *h = bench_install(&b, &c), *g;

	b.fake->sas[0].info.sel.user = 0;
	g = bench_install(&b, &d);
	ck_assert_int_eq(b.status, KERNEL_FAILED);
	ck_assert_ptr_nonnull(strstr(b.err.s, "someone else's"));
	ck_assert_uint_eq(fake_count(b.fake), 2);
	ck_assert_ptr_nonnull(fake_find(b.fake, 0xbeef));
	netlink_ops.remove(b.k, g);
	netlink_ops.remove(b.k, h);
	bench_turn(&b);
	ck_assert_uint_eq(fake_count(b.fake), 0);
}
END_TEST

/* A lost answer: whether the SA is there is not known, so it is removed. */
START_TEST(test_lost_answer)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	struct kernel_handle *h = NULL;
	struct errtext err;

	b.fake->mute_type = XFRM_MSG_NEWSA;
	b.fake->mute = 1;
	ck_assert_int_eq(netlink_ops.install(b.k, &c, bench_done(&b), &h, &err), KERNEL_PENDING);
	bench_turn(&b);
	ck_assert_uint_eq(b.done, 0);
	nl_expire(b.k->nl, UINT64_MAX);
	bench_turn(&b);
	ck_assert_uint_eq(b.done, 1);
	ck_assert_int_eq(b.status, KERNEL_FAILED);
	ck_assert_uint_eq(fake_count(b.fake), 0);
	netlink_ops.remove(b.k, h);
	bench_turn(&b);
}
END_TEST

/* Removed before it is installed: `done` is called once, nothing stays. */
static unsigned fence_sas, fence_passed;

static void fence_done(void *arg, uint64_t token, enum kernel_status status, const struct errtext *err)
{
	ck_assert_int_eq(status, KERNEL_OK);
	fence_sas = fake_count(b.fake);
	fence_passed++;
}

/* Told when what was removed before is gone, also if it had to be installed first. */
START_TEST(test_fence)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef), d = bench_child(0xc0df, 0xbeee);
	struct kernel_done done = { fence_done, NULL, 0 };
	struct kernel_handle *first, *second = NULL;
	struct errtext err;

	fence_sas = fence_passed = 0;
	first = bench_install(&b, &c);
	netlink_ops.install(b.k, &d, bench_done(&b), &second, &err);
	netlink_ops.remove(b.k, second);
	netlink_ops.remove(b.k, first);
	netlink_ops.fence(b.k, done);
	ck_assert_uint_eq(fence_passed, 0);
	bench_turn(&b);
	ck_assert_uint_eq(fence_passed, 1);
	ck_assert_uint_eq(fence_sas, 0);
	ck_assert_uint_eq(b.k->n_children, 0);
	/* with nothing to wait for, too */
	netlink_ops.fence(b.k, done);
	bench_turn(&b);
	ck_assert_uint_eq(fence_passed, 2);
}
END_TEST

START_TEST(test_remove_while_installing)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	struct kernel_handle *h = NULL;
	struct errtext err;

	netlink_ops.install(b.k, &c, bench_done(&b), &h, &err);
	netlink_ops.remove(b.k, h);
	bench_turn(&b);
	ck_assert_uint_eq(b.done, 1);
	ck_assert_uint_eq(fake_count(b.fake), 0);
	ck_assert_uint_eq(b.k->n_children, 0);
}
END_TEST

/* Counters: the first answer is old, the next one is not; what was asked within half a second is not read again. */
START_TEST(test_counters)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	struct kernel_handle *h = bench_install(&b, &c);
	struct kernel_usage in, out;

	fake_find(b.fake, 0xc0de)->used = (struct xfrm_lifetime_cur){ 1000, 10, 1, 1 };
	fake_find(b.fake, 0xbeef)->used = (struct xfrm_lifetime_cur){ 2000, 20, 1, 1 };
	ck_assert(netlink_ops.query(b.k, h, &in, &out));
	ck_assert_uint_eq(in.bytes, 0);
	bench_turn(&b);
	ck_assert(netlink_ops.query(b.k, h, &in, &out));
	ck_assert(in.bytes == 1000 && in.packets == 10 && out.bytes == 2000 && out.packets == 20);
	ck_assert(in.last_use_ms > 0 && in.last_use_ms <= clock_monotonic_ms());
	bench_turn(&b);
	ck_assert_uint_eq(fake_seen(b.fake, XFRM_MSG_GETSA), 3); /* the dump of the start, and one each */
	netlink_ops.remove(b.k, h);
	bench_turn(&b);
}
END_TEST

/* Many questions are one dump. */
START_TEST(test_counters_of_many)
{
	struct kernel_handle *h[100];
	struct kernel_usage in, out;
	unsigned before;

	for (uint32_t i = 0; i < ARRAY_LEN(h); i++) {
		struct kernel_child c = bench_child(0xc000 + i, 0xd000 + i);

		h[i] = bench_install(&b, &c);
		fake_find(b.fake, 0xc000 + i)->used.bytes = 100 + i;
	}
	before = fake_seen(b.fake, XFRM_MSG_GETSA);
	for (uint32_t i = 0; i < ARRAY_LEN(h); i++)
		netlink_ops.query(b.k, h[i], &in, &out);
	bench_turn(&b);
	ck_assert_uint_eq(fake_seen(b.fake, XFRM_MSG_GETSA), before + 1);
	for (uint32_t i = 0; i < ARRAY_LEN(h); i++) {
		netlink_ops.query(b.k, h[i], &in, &out);
		ck_assert_uint_eq(in.bytes, 100 + i);
		netlink_ops.remove(b.k, h[i]);
	}
	bench_turn(&b);
	ck_assert_uint_eq(fake_count(b.fake), 0);
}
END_TEST

/* Removed while its counters are on the way. */
START_TEST(test_remove_while_counting)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	struct kernel_handle *h = bench_install(&b, &c);
	struct kernel_usage in, out;

	b.fake->mute_type = XFRM_MSG_GETSA;
	b.fake->mute = 2;
	netlink_ops.query(b.k, h, &in, &out);
	bench_turn(&b);
	netlink_ops.query(b.k, h, &in, &out);
	netlink_ops.remove(b.k, h);
	bench_turn(&b);
	nl_expire(b.k->nl, UINT64_MAX);
	bench_turn(&b);
	ck_assert_uint_eq(fake_count(b.fake), 0);
	ck_assert_uint_eq(nl_outstanding(b.k->nl), 0);
}
END_TEST

/* ---- events ---- */

static void tell_expire(const struct fake_sa *sa, bool hard)
{
	_Alignas(8) uint8_t bytes[512];
	struct nlmsghdr *h = mnl_nlmsg_put_header(bytes);
	struct xfrm_user_expire *x = mnl_nlmsg_put_extra_header(h, sizeof(*x));

	h->nlmsg_type = XFRM_MSG_EXPIRE;
	x->state = sa->info;
	x->state.curlft = (struct xfrm_lifetime_cur){ 77, 7, 1, 1 };
	x->hard = hard;
	event_message(b.k, h);
}

START_TEST(test_expire)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	struct kernel_handle *h = bench_install(&b, &c);
	struct fake_sa *out = fake_find(b.fake, 0xbeef), *in = fake_find(b.fake, 0xc0de);
	struct kernel_usage u, v;

	tell_expire(out, false);
	tell_expire(out, false); /* once is enough */
	ck_assert_uint_eq(b.n_events, 1);
	ck_assert_int_eq(b.events[0].kind, KERNEL_EVENT_EXPIRE_SOFT);
	ck_assert(b.events[0].spi == 0xc0de && b.events[0].child_id == 5 && b.events[0].ike_id == 6 && b.events[0].reqid == 9);
	tell_expire(in, false);
	tell_expire(in, true);
	ck_assert_uint_eq(b.n_events, 3);
	ck_assert_int_eq(b.events[1].kind, KERNEL_EVENT_EXPIRE_SOFT);
	ck_assert_int_eq(b.events[2].kind, KERNEL_EVENT_EXPIRE_HARD);
	netlink_ops.query(b.k, h, &u, &v);
	ck_assert(u.packets == 7 && v.packets == 7);
	out->info.sel.user = 0; /* someone else's */
	tell_expire(out, true);
	ck_assert_uint_eq(b.n_events, 3);
	netlink_ops.remove(b.k, h);
	bench_turn(&b);
}
END_TEST

START_TEST(test_mapping)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	struct kernel_handle *h = bench_install(&b, &c);
	_Alignas(8) uint8_t bytes[512];
	struct nlmsghdr *m = mnl_nlmsg_put_header(bytes);
	struct xfrm_user_mapping *x = mnl_nlmsg_put_extra_header(m, sizeof(*x));
	struct addr at = test_addr("198.51.100.7", 0);

	m->nlmsg_type = XFRM_MSG_MAPPING;
	x->id.spi = htonl(0xc0de);
	x->id.family = AF_INET;
	x->id.proto = IPPROTO_ESP;
	sa_put_addr(&x->id.daddr, &c.in.dst);
	sa_put_addr(&x->new_saddr, &at);
	x->new_sport = htons(1025);
	event_message(b.k, m);
	ck_assert_uint_eq(b.n_events, 1);
	ck_assert_int_eq(b.events[0].kind, KERNEL_EVENT_MAPPING);
	ck_assert_str_eq(addr_format_port(&b.events[0].src).s, "198.51.100.7[1025]");
	ck_assert_uint_eq(b.events[0].child_id, 5);
	/* cut short, or of an SA that nobody knows */
	m->nlmsg_len -= 4;
	event_message(b.k, m);
	m->nlmsg_len += 4;
	x->id.spi = htonl(0xbad);
	event_message(b.k, m);
	ck_assert_uint_eq(b.n_events, 1);
	netlink_ops.remove(b.k, h);
	bench_turn(&b);
}
END_TEST

/* Events were lost: what the kernel has no more is told, and what is past its soft limit. */
START_TEST(test_resync)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef), d = bench_child(0xc0df, 0xbee0);
	struct kernel_handle *h, *g;

	d.unique_id = 50;
	d.life.soft_bytes = 1000;
	h = bench_install(&b, &c);
	g = bench_install(&b, &d);
	fake_find(b.fake, 0xc0de)->there = false;
	fake_find(b.fake, 0xbee0)->used.bytes = 1001;
	b.fake->interrupt = 1;
	event_message(b.k, NULL);
	bench_turn(&b);
	ck_assert_uint_eq(b.n_events, 2);
	for (unsigned i = 0; i < 2; i++) {
		bool gone = b.events[i].child_id == 5;

		ck_assert_int_eq(b.events[i].kind, gone ? KERNEL_EVENT_GONE : KERNEL_EVENT_EXPIRE_SOFT);
	}
	event_message(b.k, NULL); /* again: nothing is new */
	bench_turn(&b);
	ck_assert_uint_eq(b.n_events, 2);
	netlink_ops.remove(b.k, h);
	netlink_ops.remove(b.k, g);
	bench_turn(&b);
	ck_assert_uint_eq(fake_count(b.fake), 0);
}
END_TEST

/* ---- offload ---- */

START_TEST(test_offload)
{
	static const enum hw_offload musts[] = { HW_OFFLOAD_CRYPTO, HW_OFFLOAD_PACKET };
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	struct kernel_handle *h;
	uint8_t packet = musts[_i] == HW_OFFLOAD_PACKET ? XFRM_OFFLOAD_PACKET : 0;

	c.scope.interface = "lo";
	c.hw_offload = HW_OFFLOAD_AUTO;
	b.fake->fail_offload = true;
	h = bench_install(&b, &c); /* both are tried again without */
	ck_assert_int_eq(b.status, KERNEL_OK);
	ck_assert_uint_eq(fake_count(b.fake), 2);
	netlink_ops.remove(b.k, h);
	bench_turn(&b);
	c.hw_offload = musts[_i];
	h = bench_install(&b, &c);
	ck_assert_int_eq(b.status, KERNEL_FAILED);
	ck_assert_ptr_nonnull(strstr(b.err.s, "hw_offload: cannot add the"));
	ck_assert_uint_eq(fake_count(b.fake), 0);
	netlink_ops.remove(b.k, h);
	bench_turn(&b);
	b.fake->fail_offload = false; /* now the kernel takes it, and does not tell that the device cannot */
	h = bench_install(&b, &c);
	ck_assert_int_eq(b.status, KERNEL_FAILED);
	ck_assert_ptr_nonnull(strstr(b.err.s, "the device lo cannot do ESP"));
	ck_assert_uint_eq(fake_count(b.fake), 0);
	netlink_ops.remove(b.k, h);
	bench_turn(&b);
	b.fake->can_offload = true;
	h = bench_install(&b, &c);
	ck_assert_int_eq(b.status, KERNEL_OK);
	ck_assert(fake_find(b.fake, 0xbeef)->offloaded);
	ck_assert_uint_eq(fake_find(b.fake, 0xbeef)->offload.flags, packet);
	ck_assert_uint_eq(fake_find(b.fake, 0xc0de)->offload.flags, packet | XFRM_OFFLOAD_INBOUND);
	netlink_ops.remove(b.k, h);
	bench_turn(&b);
	/* what can be is not left out */
	c.hw_offload = HW_OFFLOAD_AUTO;
	h = bench_install(&b, &c);
	ck_assert_int_eq(b.status, KERNEL_OK);
	ck_assert(fake_find(b.fake, 0xbeef)->offloaded && fake_find(b.fake, 0xc0de)->offloaded);
	netlink_ops.remove(b.k, h);
	bench_turn(&b);
}
END_TEST

/* ---- what a dead predecessor left ---- */

/* The next life removes our SAs, those with marks too, and nothing else; and takes no SPI that is in use. */
START_TEST(test_predecessor)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef);
	struct fake_kernel *fake = b.fake;
	struct kernel_handle *h;
	struct bench next;

	c.scope.mark_out = (struct ipsec_mark){ 1, 1 };
	h = bench_install(&b, &c);
	fake->sas[10] = fake->sas[0];
	fake->sas[10].info.id.spi = htonl(0x1234);
	fake->sas[10].info.sel.user = 0;
	fake->n_sas = 11;
	bench_open(&next, fake);
	ck_assert_uint_eq(fake_count(fake), 1);
	ck_assert_ptr_nonnull(fake_find(fake, 0x1234));
	netlink_ops.stop(next.k);
	settings_free(next.settings);
	ck_assert_uint_eq(fake_count(fake), 1);
	netlink_ops.remove(b.k, h);
	bench_turn(&b);
}
END_TEST

/* 1,000 children at once: all there, all gone, in batches. */
START_TEST(test_many)
{
	static struct kernel_handle *h[1000];
	struct errtext err;
	unsigned sends = b.fake->sends;

	for (uint32_t i = 0; i < ARRAY_LEN(h); i++) {
		struct kernel_child c = bench_child(0x10000 + i, 0x20000 + i);

		ck_assert_int_eq(netlink_ops.install(b.k, &c, bench_done(&b), &h[i], &err), KERNEL_PENDING);
	}
	bench_turn(&b);
	ck_assert_uint_eq(b.done, 1000);
	ck_assert_uint_eq(fake_count(b.fake), 2000);
	ck_assert_uint_le(b.fake->sends - sends, 80);
	for (uint32_t i = 0; i < ARRAY_LEN(h); i++)
		netlink_ops.remove(b.k, h[i]);
	bench_turn(&b);
	ck_assert_uint_eq(fake_count(b.fake), 0);
	ck_assert_uint_eq(nl_outstanding(b.k->nl), 0);
}
END_TEST

TCase *tcase_backend(void)
{
	TCase *t = tcase_create("backend");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_install_remove);
	tcase_add_test(t, test_second_fails);
	tcase_add_test(t, test_foreign_stays);
	tcase_add_test(t, test_lost_answer);
	tcase_add_test(t, test_fence);
	tcase_add_test(t, test_remove_while_installing);
	tcase_add_test(t, test_counters);
	tcase_add_test(t, test_counters_of_many);
	tcase_add_test(t, test_remove_while_counting);
	tcase_add_test(t, test_expire);
	tcase_add_test(t, test_mapping);
	tcase_add_test(t, test_resync);
	tcase_add_loop_test(t, test_offload, 0, 2);
	tcase_add_test(t, test_predecessor);
	tcase_add_test(t, test_many);
	return t;
}
