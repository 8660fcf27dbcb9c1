/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "policies.h"
#include "test_netlink.h"

/* Virtual addresses by the backend's operations: on real links of a namespace of the test's own, with children of a kernel that is not. */

static bool can; /* false: there is no such namespace */
static struct bench b;
static struct ts vip_ts, remote_ts;
static struct addr vip;

static void setup(void)
{
	can = unshare(CLONE_NEWNET) == 0;
	ck_assert_msg(can || geteuid() != 0, "no network namespace: %s", strerror(errno));
	if (!can)
		fprintf(stderr, "# no network namespaces here: virtual addresses are not tested\n");
	else
		ck_assert_int_eq(system("ip link set lo up && ip link add e0 type bridge && ip link set e0 up && "
					"ip addr add 192.0.2.1/24 dev e0"), 0);
	vip = test_addr("10.3.0.1", 0);
	vip_ts = test_ts("10.3.0.1/32");
	remote_ts = test_ts("10.2.0.0/24");
}

static bool shows(const char *command, const char *what)
{
	FILE *f = popen(command, "r");
	char line[512];
	bool found = false;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		found = found || strstr(line, what);
	pclose(f);
	return found;
}

static struct kernel_vip request(uint32_t if_id)
{
	return (struct kernel_vip){ .addr = vip, .local = test_addr("192.0.2.1", 4500), .if_id = if_id };
}

static void add(uint32_t if_id)
{
	struct kernel_vip v = request(if_id);
	struct errtext err;

	ck_assert(netlink_ops.vip_add(b.k, &v, &err));
	bench_turn(&b);
}

static void drop(uint32_t if_id)
{
	struct kernel_vip v = request(if_id);

	netlink_ops.vip_remove(b.k, &v);
	bench_turn(&b);
}

static struct kernel_child roadwarrior(void)
{
	struct kernel_child c = bench_child(0xa1, 0xb1);

	c.local_ts = (struct ts_list){ 1, &vip_ts };
	c.remote_ts = (struct ts_list){ 1, &remote_ts };
	c.vips = &vip;
	c.n_vips = 1;
	return c;
}

/* Posted one after the other: the address is there when the child needs it, and stays till it does not. */
START_TEST(test_with_child)
{
	struct kernel_child c = roadwarrior();
	struct kernel_vip v = request(0);
	struct kernel_handle *h;
	struct errtext err;

	if (!can)
		return;
	bench_open_with(&b, NULL, "");
	ck_assert(netlink_ops.vip_add(b.k, &v, &err));
	h = bench_install(&b, &c);
	ck_assert_msg(b.status == KERNEL_OK, "%s", b.err.s);
	ck_assert(shows("ip -o addr show dev e0", "10.3.0.1/32"));
	ck_assert(shows("ip route show table 220 2>/dev/null", "10.2.0.0/24 dev e0 proto 219 scope link src 10.3.0.1"));
	netlink_ops.remove(b.k, h);
	netlink_ops.vip_remove(b.k, &v);
	bench_turn(&b);
	ck_assert(!shows("ip -o addr show", "10.3.0.1") && !shows("ip route show table 220 2>/dev/null", "10.2.0.0"));
	v.addr = test_addr("127.0.0.1", 0);
	ck_assert(!netlink_ops.vip_add(b.k, &v, &err));
	ck_assert_str_eq(err.s, "127.0.0.1 cannot be an address of this host");
	add(0);
	bench_close(&b);
	ck_assert(!shows("ip -o addr show", "10.3.0.1"));
}
END_TEST

/* Nowhere to put it: the child that would route from another address fails, and says why. */
START_TEST(test_without)
{
	struct kernel_child c = roadwarrior();
	struct kernel_handle *h;

	if (!can)
		return;
	bench_open_with(&b, NULL, "install_virtual_ip_on = none0");
	add(0);
	h = bench_install(&b, &c);
	ck_assert_int_eq(b.status, KERNEL_FAILED);
	ck_assert_str_eq(b.err.s,
			 "virtual address 10.3.0.1 is on no interface: there is no interface named none0 (install_virtual_ip_on)");
	netlink_ops.remove(b.k, h);
	bench_turn(&b);
	ck_assert(!shows("ip route show table 220 2>/dev/null", "10.2.0.0"));
	drop(0);
	/* nobody asked to put it anywhere (install_virtual_ip = no): it is the operator's */
	h = bench_install(&b, &c);
	ck_assert_msg(b.status == KERNEL_OK, "%s", b.err.s);
	netlink_ops.remove(b.k, h);
	/* of an XFRM interface that is not there: it is routed into, whenever it comes */
	add(42);
	c.scope.if_id_in = c.scope.if_id_out = 42;
	h = bench_install(&b, &c);
	ck_assert_msg(b.status == KERNEL_OK, "%s", b.err.s);
	ck_assert(!shows("ip -o addr show", "10.3.0.1"));
	netlink_ops.remove(b.k, h);
	drop(42);
	bench_close(&b);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("vips");
	TCase *tc = tcase_create("vips");
	SRunner *runner;
	int failed;

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, test_with_child);
	tcase_add_test(tc, test_without);
	suite_add_tcase(suite, tc);
	runner = srunner_create(suite);
	srunner_run_all(runner, CK_NORMAL);
	failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
