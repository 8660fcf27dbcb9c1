/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>

#include "test_netlink.h"

static struct bench b;
static struct kernel_handle *h;

static void setup(void)
{
	struct kernel_child c = bench_child(0xc0de, 0xbeef);

	bench_open(&b, NULL);
	c.replay_window = 64;
	h = bench_install(&b, &c);
}

static void teardown(void)
{
	netlink_ops.remove(b.k, h);
	bench_turn(&b);
	ck_assert_uint_eq(fake_count(b.fake), 0);
	ck_assert_uint_eq(b.k->moving, 0);
	bench_close(&b);
}

static struct xfrm_replay_state_esn *replay(uint32_t spi)
{
	return (struct xfrm_replay_state_esn *)fake_find(b.fake, spi)->replay;
}

static void use(uint32_t oseq, uint32_t seq)
{
	replay(0xbeef)->oseq = oseq;
	replay(0xc0de)->seq = seq;
	replay(0xc0de)->bmp[1] = 0xabcd;
	fake_find(b.fake, 0xbeef)->used.bytes = 100 * oseq;
	fake_find(b.fake, 0xbeef)->used.packets = oseq;
}

static struct kernel_move to(const char *local, const char *remote, uint16_t port, bool encap)
{
	return (struct kernel_move){ test_addr(local, encap ? 4500 : 500), test_addr(remote, port), encap };
}

/* Addresses, ports and encapsulation change; keys, numbers, windows, counters and limits stay. */
START_TEST(test_moves)
{
	struct kernel_move m = to("192.0.2.99", "198.51.100.4", 31000, true);
	struct kernel_usage in, out;
	struct errtext err;
	struct fake_sa *sa;

	use(500, 300);
	ck_assert_int_eq(netlink_ops.update(b.k, h, &m, bench_done(&b), &err), KERNEL_PENDING);
	bench_turn(&b);
	ck_assert_uint_eq(b.done, 2);
	ck_assert_int_eq(b.status, KERNEL_OK);
	ck_assert_uint_eq(fake_count(b.fake), 2);
	sa = fake_find(b.fake, 0xbeef);
	ck_assert_uint_eq(ntohl(sa->info.id.daddr.a4), 0xc6336404);
	ck_assert_uint_eq(ntohl(sa->info.saddr.a4), 0xc0000263);
	ck_assert(sa->encap && sa->sport == 4500 && sa->dport == 31000);
	ck_assert_uint_eq(replay(0xbeef)->oseq, 500);
	ck_assert_uint_eq(sa->used.bytes, 50000);
	sa = fake_find(b.fake, 0xc0de);
	ck_assert(sa->encap && sa->sport == 31000 && sa->dport == 4500);
	ck_assert_uint_eq(replay(0xc0de)->seq, 300);
	ck_assert_uint_eq(replay(0xc0de)->bmp[1], 0xabcd);
	netlink_ops.query(b.k, h, &in, &out);
	ck_assert_uint_eq(out.bytes, 50000);
	/* numbers without ESN are a limit that goes along: 500 are gone */
	ck_assert_uint_eq(fake_find(b.fake, 0xbeef)->info.lft.hard_packet_limit, UINT32_MAX);
	/* and back, without encapsulation: found where it is now */
	m = to("192.0.2.1", "192.0.2.2", 500, false);
	netlink_ops.update(b.k, h, &m, bench_done(&b), &err);
	bench_turn(&b);
	ck_assert_int_eq(b.status, KERNEL_OK);
	ck_assert(!fake_find(b.fake, 0xbeef)->encap);
	ck_assert_uint_eq(replay(0xbeef)->oseq, 500);
}
END_TEST

/* Law 3: without the kernel's word on the last number nothing is added under the old key. */
START_TEST(test_no_word)
{
	struct kernel_move m = to("192.0.2.99", "198.51.100.4", 500, false);
	struct errtext err;

	use(500, 300);
	b.fake->tell_deleted = false;
	netlink_ops.update(b.k, h, &m, bench_done(&b), &err);
	bench_turn(&b);
	ck_assert_int_eq(b.status, KERNEL_FAILED);
	ck_assert_ptr_nonnull(strstr(b.err.s, "sequence numbers"));
	ck_assert_uint_eq(fake_count(b.fake), 0);
	/* and again: it says why */
	netlink_ops.update(b.k, h, &m, bench_done(&b), &err);
	bench_turn(&b);
	ck_assert_int_eq(b.status, KERNEL_FAILED);
	ck_assert_ptr_nonnull(strstr(b.err.s, "gone"));
}
END_TEST

/* The new place is taken: nothing is left half. */
START_TEST(test_add_fails)
{
	struct kernel_move m = to("192.0.2.99", "198.51.100.4", 500, false);
	struct errtext err;

	b.fake->fail_type = XFRM_MSG_NEWSA;
	b.fake->fail_error = EINVAL;
	netlink_ops.update(b.k, h, &m, bench_done(&b), &err);
	bench_turn(&b);
	ck_assert_int_eq(b.status, KERNEL_FAILED);
	ck_assert_uint_eq(fake_count(b.fake), 0);
}
END_TEST

/* Asked three times in a row: each is answered, the last one counts. */
START_TEST(test_last_counts)
{
	struct kernel_move m = to("192.0.2.99", "198.51.100.4", 500, false);
	struct errtext err;

	for (uint8_t i = 1; i <= 3; i++) {
		m.remote.ip[3] = i;
		netlink_ops.update(b.k, h, &m, bench_done(&b), &err);
	}
	bench_turn(&b);
	bench_turn(&b);
	ck_assert_uint_eq(b.done, 4);
	ck_assert_uint_eq(ntohl(fake_find(b.fake, 0xbeef)->info.id.daddr.a4), 0xc6336403);
	ck_assert_uint_eq(fake_seen(b.fake, XFRM_MSG_DELSA), 4); /* the first and the last */
}
END_TEST

/* Removed in the middle of a move: all is answered, nothing stays (teardown looks). */
START_TEST(test_remove_while_moving)
{
	struct kernel_child c = bench_child(0xc0df, 0xbee0);
	struct kernel_handle *g = bench_install(&b, &c);
	struct kernel_move m = to("192.0.2.99", "198.51.100.4", 500, false);
	struct errtext err;
	unsigned done = b.done;

	netlink_ops.update(b.k, g, &m, bench_done(&b), &err);
	netlink_ops.update(b.k, g, &m, bench_done(&b), &err);
	netlink_ops.remove(b.k, g);
	bench_turn(&b);
	ck_assert_uint_eq(b.done, done + 2);
	ck_assert_uint_eq(fake_count(b.fake), 2);
}
END_TEST

/* Numbers jump ahead, together with a move too; what is left of them shrinks. */
START_TEST(test_advance)
{
	struct kernel_move m = to("192.0.2.99", "198.51.100.4", 500, false);
	struct errtext err;

	use(500, 300);
	netlink_ops.advance(b.k, h, 1000);
	bench_turn(&b);
	ck_assert_uint_eq(replay(0xbeef)->oseq, 1500);
	ck_assert_uint_eq(fake_find(b.fake, 0xbeef)->info.lft.hard_packet_limit, (uint64_t)UINT32_MAX - 1000);
	netlink_ops.advance(b.k, h, 1);
	netlink_ops.advance(b.k, h, 2);
	netlink_ops.update(b.k, h, &m, bench_done(&b), &err);
	netlink_ops.advance(b.k, h, 3);
	bench_turn(&b);
	bench_turn(&b);
	ck_assert_uint_eq(replay(0xbeef)->oseq, 1506);
	ck_assert_uint_eq(ntohl(fake_find(b.fake, 0xbeef)->info.id.daddr.a4), 0xc6336404);
	ck_assert_uint_eq(b.n_events, 0);
	/* more than there is: the end of the child */
	netlink_ops.advance(b.k, h, UINT32_MAX - 1506);
	bench_turn(&b);
	ck_assert_uint_eq(b.n_events, 1);
	ck_assert_int_eq(b.events[0].kind, KERNEL_EVENT_EXPIRE_HARD);
	ck_assert_ptr_null(fake_find(b.fake, 0xbeef));
}
END_TEST

TCase *tcase_move(void)
{
	TCase *t = tcase_create("move");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, test_moves);
	tcase_add_test(t, test_no_word);
	tcase_add_test(t, test_add_fails);
	tcase_add_test(t, test_last_counts);
	tcase_add_test(t, test_remove_while_moving);
	tcase_add_test(t, test_advance);
	return t;
}
