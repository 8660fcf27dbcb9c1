/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "net/watch.h"
#include "proto/ipsec.h"
#include "support.h"

/* What is known of the addresses in a network namespace of the test's own. */

static bool can; /* false: no namespaces here */
static struct local_addrs *now;
static unsigned told;

static void changed(void *arg, struct local_addrs *locals, bool routes)
{
	(void)arg;
	(void)routes;
	local_addrs_unref(now);
	now = local_addrs_ref(locals);
	told++;
}

static void sh(const char *command)
{
	ck_assert_msg(system(command) == 0, "%s", command);
}

static void setup(void)
{
	can = unshare(CLONE_NEWNET) == 0;
	ck_assert_msg(can || geteuid() != 0, "no network namespace: %s", strerror(errno));
	if (!can)
		fprintf(stderr, "# no network namespaces here: watching is not tested\n");
	else
		sh("ip link set lo up && ip link add e0 type veth peer name e1 && ip link set e0 up && ip link set e1 up && "
		   "ip addr add 192.0.2.1/24 dev e0 && ip addr add 2001:db8::1/64 dev e0 nodad");
}

static void teardown(void)
{
	local_addrs_unref(now);
	now = NULL;
}

static const struct local_addr *find(const char *text)
{
	struct addr a = support_addr(text, 0);

	return local_addrs_find(now, &a);
}

static void vip_add(const char *verb, unsigned metric, const char *text)
{
	char command[256];

	(void)snprintf(command, sizeof(command), "ip addr %s %s dev e0 metric %u", verb, text, metric);
	sh(command);
}

static void read_again(struct loop *loop)
{
	struct net_watch_options o = { .follow = false };
	struct net_watch *w;
	struct errtext err;

	w = net_watch_new(loop, &o, changed, NULL, &err);
	ck_assert_msg(w, "%s", err.s);
	net_watch_free(w);
}

/* Virtual addresses are known as such, not told to peers, and do not count as a change of ways; others with a metric are as any. */
START_TEST(test_vips)
{
	struct local_addrs *before;
	struct loop *loop;

	if (!can)
		return;
	loop = loop_new();
	read_again(loop);
	ck_assert(find("192.0.2.1")->told && !find("192.0.2.1")->vip && find("2001:db8::1")->told);
	before = local_addrs_ref(now);
	vip_add("add", VIP_METRIC + 500, "10.3.0.1/32");
	vip_add("add", VIP_METRIC + 500, "fd03::1/128");
	read_again(loop);
	ck_assert(find("10.3.0.1")->vip && !find("10.3.0.1")->told && find("10.3.0.1")->up);
	ck_assert(find("fd03::1")->vip && !find("fd03::1")->told);
	ck_assert(!local_addrs_equal(before, now) && local_addrs_same_ways(before, now) && local_addrs_same_ways(now, before));
	vip_add("add", 7, "10.4.0.1/32");
	read_again(loop);
	ck_assert(!find("10.4.0.1")->vip && find("10.4.0.1")->told);
	ck_assert(!local_addrs_same_ways(before, now) && !local_addrs_same_ways(now, before));
	local_addrs_unref(before);
	loop_free(loop);
}
END_TEST

static struct local_addr way(const char *text, bool vip)
{
	return (struct local_addr){ .addr = support_addr(text, 0), .up = true, .vip = vip };
}

START_TEST(test_same_ways)
{
	struct local_addr list[] = { way("10.0.0.1", true), way("192.0.2.1", false), way("10.0.0.2", true), way("192.0.2.2", false),
				     way("10.0.0.3", true) };
	struct local_addrs *all = local_addrs_new(list, 5), *none = local_addrs_new(list, 1), *empty = local_addrs_new(list, 0);
	struct local_addrs *first = local_addrs_new(list, 3), *last = local_addrs_new(list + 2, 3), *mid = local_addrs_new(list + 1, 3);

	ck_assert(local_addrs_same_ways(all, all) && local_addrs_same_ways(none, empty) && local_addrs_same_ways(empty, none));
	ck_assert(local_addrs_same_ways(all, mid) && local_addrs_same_ways(mid, all));
	ck_assert(!local_addrs_same_ways(all, first) && !local_addrs_same_ways(first, all) && !local_addrs_same_ways(first, last));
	ck_assert(!local_addrs_same_ways(none, last) && !local_addrs_same_ways(NULL, none) && local_addrs_same_ways(NULL, NULL));
	ck_assert(local_addrs_is_vip(all, &list[0].addr) && !local_addrs_is_vip(all, &list[1].addr) && !local_addrs_is_vip(NULL, &list[0].addr));
	local_addrs_unref(all);
	local_addrs_unref(none);
	local_addrs_unref(empty);
	local_addrs_unref(first);
	local_addrs_unref(last);
	local_addrs_unref(mid);
}
END_TEST

TCase *test_watch(void)
{
	TCase *tc = tcase_create("watch");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, test_vips);
	tcase_add_test(tc, test_same_ways);
	return tc;
}
