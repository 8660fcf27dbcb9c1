/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test_kernel.h"

#include "kernel/vip.h"

/* Virtual addresses on links of a network namespace of the test's own. */

#define PORT 500

static bool can; /* false: no namespaces here */
static struct vip_table t;

static void sh(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void sh(const char *format, ...)
{
	char command[512];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	ck_assert_msg(system(command) == 0, "%s", command);
}

/* Lines of a command's output that have both words. */
static unsigned lines(const char *command, const char *a, const char *b)
{
	FILE *f = popen(command, "r");
	char line[512];
	unsigned n = 0;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, a) && strstr(line, b);
	pclose(f);
	return n;
}

static bool on(const char *dev, const char *address)
{
	char name[32];

	(void)snprintf(name, sizeof(name), ": %s ", dev);
	return lines("ip -o addr show", name, address) == 1;
}

static bool nowhere(const char *address)
{
	return lines("ip -o addr show", address, address) == 0;
}

static struct addr addr_of(const char *text)
{
	struct addr a;

	ck_assert(addr_parse(bytes_str(text), &a));
	return a;
}

static struct kernel_vip vip(const char *text)
{
	return (struct kernel_vip){ .addr = addr_of(text), .local = addr_of("192.0.2.1") };
}

static void open_table(void)
{
	struct errtext err;

	t.hash_key = (struct hash_key){ 1, 2 };
	ck_assert_msg(vip_table_open(&t, PORT, &err), "%s", err.s);
}

static void setup(void)
{
	can = unshare(CLONE_NEWNET) == 0;
	ck_assert_msg(can || geteuid() != 0, "no network namespace: %s", strerror(errno));
	if (!can) {
		fprintf(stderr, "# no network namespaces here: virtual addresses are not tested\n");
		return;
	}
	sh("ip link set lo up && ip link add e0 type veth peer name e1 && ip link set e0 up && ip link set e1 up && "
	   "ip addr add 192.0.2.1/24 dev e0 && ip addr add 2001:db8::1/64 dev e0 nodad");
	t = (struct vip_table){ 0 };
}

static void add(const char *text)
{
	struct kernel_vip v = vip(text);

	vip_table_add(&t, &v);
}

/* A daemon that has these, and is killed. */
static void leave(const char *one, const char *other)
{
	pid_t pid = fork();
	int status;

	ck_assert_int_ge(pid, 0);
	if (!pid) {
		open_table();
		add(one);
		add(other);
		raise(SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void drop(const char *text)
{
	struct kernel_vip v = vip(text);

	vip_table_remove(&t, &v);
}

/* On the link of our own address, single, and not a source for what does not ask for it; as often added as removed. */
START_TEST(test_on_link)
{
	if (!can)
		return;
	open_table();
	add("10.3.0.1");
	add("fd03::1");
	add("10.3.0.1");
	ck_assert(on("e0", "10.3.0.1/32") && on("e0", "fd03::1/128"));
	ck_assert_uint_eq(lines("ip -6 -o addr show dev e0", "fd03::1", "deprecated"), 1);
	ck_assert_uint_eq(lines("ip -6 -o addr show dev e0", "fd03::1", "tentative"), 0);
	ck_assert_uint_eq(lines("ip -6 route show", "fd03::1", ""), 0);
	ck_assert_uint_eq(lines("ip route get 192.0.2.9", "src 192.0.2.1", ""), 1);
	ck_assert_uint_eq(lines("ip -6 route get 2001:db8::9", "src 2001:db8::1", ""), 1);
	drop("10.3.0.1");
	ck_assert(on("e0", "10.3.0.1/32"));
	drop("10.3.0.1");
	ck_assert(nowhere("10.3.0.1") && on("e0", "fd03::1"));
	add("10.3.0.2");
	vip_table_close(&t);
	ck_assert(nowhere("10.3.0.") && nowhere("fd03::1") && on("e0", "192.0.2.1/24"));
}
END_TEST

/* What the host had before stays the host's; when that goes, ours comes. */
START_TEST(test_hosts_own)
{
	if (!can)
		return;
	sh("ip addr add 10.3.0.1/24 dev e1 && ip addr add fd03::1/64 dev e0 nodad");
	open_table();
	add("10.3.0.1");
	add("fd03::1");
	ck_assert(!on("e0", "10.3.0.1") && on("e0", "fd03::1/64"));
	drop("10.3.0.1");
	drop("fd03::1");
	ck_assert(on("e1", "10.3.0.1/24") && on("e0", "fd03::1/64"));
	add("10.3.0.1");
	sh("ip addr del 10.3.0.1/24 dev e1");
	vip_table_follow(&t);
	ck_assert(on("e0", "10.3.0.1/32"));
	vip_table_close(&t);
	ck_assert(nowhere("10.3.0.1") && on("e0", "fd03::1/64"));
}
END_TEST

/* A daemon that was killed: the next one on its port removes what it left, and nothing else. */
START_TEST(test_leftovers)
{
	struct errtext err;

	if (!can)
		return;
	leave("10.3.0.1", "fd03::1");
	sh("ip addr add 10.4.0.1/32 dev e0 && ip addr add 10.5.0.1/32 dev e0 metric 7");
	t.hash_key = (struct hash_key){ 1, 2 };
	ck_assert_msg(vip_table_open(&t, PORT + 1, &err), "%s", err.s);
	vip_table_close(&t);
	ck_assert(on("e0", "10.3.0.1/32") && on("e0", "fd03::1/128"));
	open_table();
	ck_assert(nowhere("10.3.0.1") && nowhere("fd03::1") && on("e0", "10.4.0.1/32") && on("e0", "10.5.0.1"));
	vip_table_close(&t);
}
END_TEST

/* Taken away by someone, with the link down, with the link gone: it is there all the same. */
START_TEST(test_stays_there)
{
	if (!can)
		return;
	open_table();
	add("10.3.0.1");
	add("fd03::1");
	sh("ip addr del 10.3.0.1/32 dev e0 && ip addr del fd03::1/128 dev e0");
	vip_table_follow(&t);
	ck_assert(on("e0", "10.3.0.1/32") && on("e0", "fd03::1/128"));
	/* nothing to do: its own events do not make it think so */
	vip_table_follow(&t);
	drop("10.3.0.1");
	add("10.3.0.1");
	vip_table_follow(&t);
	ck_assert(on("e0", "10.3.0.1/32"));
	sh("ip link set e0 down");
	vip_table_follow(&t);
	ck_assert(on("lo", "10.3.0.1/32") && on("lo", "fd03::1/128") && !on("e0", "10.3.0.1"));
	sh("ip link set e0 up");
	vip_table_follow(&t);
	ck_assert(on("lo", "10.3.0.1/32") && on("lo", "fd03::1/128"));
	drop("10.3.0.1");
	add("10.3.0.1");
	ck_assert(on("e0", "10.3.0.1/32"));
	/* a new address there comes before ours */
	sh("ip addr del 192.0.2.1/24 dev e0 && ip addr add 192.0.2.7/24 dev e0 && ip route add 198.51.100.0/24 dev e0");
	vip_table_follow(&t);
	ck_assert(on("lo", "10.3.0.1/32") && !on("e0", "10.3.0.1"));
	sh("ip route replace 198.51.100.0/24 dev e0");
	ck_assert_uint_eq(lines("ip route get 198.51.100.1", "src 192.0.2.7", ""), 1);
	sh("ip addr add 192.0.2.1/24 dev e0");
	drop("10.3.0.1");
	add("10.3.0.1");
	ck_assert(on("e0", "10.3.0.1/32"));
	sh("ip link del e0");
	vip_table_follow(&t);
	ck_assert(on("lo", "10.3.0.1/32") && on("lo", "fd03::1/128"));
	vip_table_close(&t);
	ck_assert(nowhere("10.3.0.1") && nowhere("fd03::1"));
}
END_TEST

/* With someone who removes it whenever it is there we do not fight for ever; the next change of the network is another chance. */
START_TEST(test_fight)
{
	unsigned n = 0;

	if (!can)
		return;
	open_table();
	add("10.3.0.1");
	for (; n < 100 && on("e0", "10.3.0.1/32"); n++) {
		sh("ip addr del 10.3.0.1/32 dev e0");
		vip_table_follow(&t);
	}
	ck_assert_uint_ge(n, 8);
	ck_assert_uint_lt(n, 100);
	vip_table_follow(&t);
	vip_table_follow(&t);
	ck_assert(nowhere("10.3.0.1"));
	sh("ip link set e1 down");
	vip_table_follow(&t);
	ck_assert(on("e0", "10.3.0.1/32"));
	vip_table_close(&t);
}
END_TEST

/* An interface that is named, and comes late, goes and comes again. */
START_TEST(test_named)
{
	struct addr list[2] = { addr_of("10.9.9.9"), addr_of("10.3.0.1") };
	struct errtext err;

	if (!can)
		return;
	t.on = "late0";
	open_table();
	add("10.3.0.1");
	add("fd03::1");
	ck_assert(nowhere("10.3.0.1"));
	ck_assert(!vip_table_has_all(&t, list, 2, &err));
	ck_assert_str_eq(err.s, "virtual address 10.3.0.1 is on no interface: there is no interface named late0 (install_virtual_ip_on)");
	ck_assert(vip_table_has_all(&t, list, 1, &err));
	for (int i = 0; i < 2; i++) {
		sh("ip link add late0 type bridge");
		vip_table_follow(&t);
		ck_assert(nowhere("10.3.0.1"));
		sh("ip link set late0 up");
		vip_table_follow(&t);
		ck_assert(on("late0", "10.3.0.1/32") && on("late0", "fd03::1/128"));
		ck_assert(vip_table_has_all(&t, list, 2, &err));
		sh("ip link set late0 down");
		vip_table_follow(&t);
		ck_assert(nowhere("10.3.0.1") && nowhere("fd03::1"));
		sh("ip link set late0 up");
		vip_table_follow(&t);
		ck_assert(on("late0", "10.3.0.1/32") && on("late0", "fd03::1/128"));
		sh("ip link del late0");
		vip_table_follow(&t);
		ck_assert(!vip_table_has_all(&t, list, 2, &err));
	}
	vip_table_close(&t);
}
END_TEST

static bool find_interface(void *arg, struct rtnl *home, uint32_t if_id, struct rtnl **ret_rtnl, unsigned *ret_ifindex)
{
	*ret_rtnl = home;
	*ret_ifindex = if_id == 42 ? *(unsigned *)arg : 0;
	return *ret_ifindex != 0;
}

/* On a tunnel's device it may be the source of all; of two interface ids each has its own. */
START_TEST(test_tunnels)
{
	struct kernel_vip v = vip("10.3.0.1");
	unsigned e1;

	if (!can)
		return;
	t.device = if_nametoindex("e0");
	e1 = if_nametoindex("e1");
	t.find_interface = find_interface;
	t.find_arg = &e1;
	open_table();
	add("fd03::1");
	ck_assert_uint_eq(lines("ip -6 -o addr show dev e0", "fd03::1", "deprecated"), 0);
	ck_assert(on("e0", "fd03::1/128"));
	v.if_id = 42;
	vip_table_add(&t, &v);
	ck_assert(on("e1", "10.3.0.1/32") && !on("e0", "10.3.0.1"));
	add("10.3.0.1");
	ck_assert_uint_eq(lines("ip -o addr show", "10.3.0.1/32", ""), 2);
	vip_table_remove(&t, &v);
	ck_assert(on("e0", "10.3.0.1/32") && !on("e1", "10.3.0.1"));
	v.if_id = 43;
	vip_table_add(&t, &v);
	ck_assert(!on("e1", "10.3.0.1"));
	vip_table_remove(&t, &v);
	vip_table_close(&t);
	ck_assert(nowhere("10.3.0.1"));
}
END_TEST

/* Routes of a child have its virtual address for a source as soon as it is there, if its selectors have it; others' do not. */
START_TEST(test_routes)
{
	struct route_table routes = { .rtnl = &t.rtnl, .table = 220 };
	struct ts vip4 = test_ts("10.3.0.1/32"), vip6 = test_ts("fd03::1/128"), wide = test_ts("0.0.0.0/0"), far4 = test_ts("10.1.0.0/16"),
		  far6 = test_ts("fd01::/16"), near = test_ts("192.0.2.0/24"), site = test_ts("10.6.0.0/16"), all = test_ts("10.0.0.0/8");
	struct addr vips[2] = { addr_of("10.3.0.1"), addr_of("fd03::1") };
	struct route_user a = { .name = "a", .local_ts = { 1, &vip4 }, .remote_ts = { 1, &far4 }, .vips = vips, .n_vips = 2 };
	struct route_user b = { .name = "b", .local_ts = { 1, &vip6 }, .remote_ts = { 1, &far6 }, .vips = vips, .n_vips = 2 };
	struct route_user c = { .name = "c", .local_ts = { 1, &near }, .remote_ts = { 1, &site }, .vips = vips, .n_vips = 2 };
	struct route_user d = { .name = "d", .local_ts = { 1, &all }, .remote_ts = { 1, &site } };
	struct route_user e = { .name = "e", .local_ts = { 1, &wide }, .remote_ts = { 1, &site }, .vips = vips, .n_vips = 2 };
	struct errtext err;

	if (!can)
		return;
	routes.ifindex = if_nametoindex("e0");
	routes_init(&routes);
	t.routes = &routes;
	open_table();
	routes_refresh(&routes);
	add("10.3.0.1");
	add("fd03::1");
	ck_assert(routes_add(&routes, &a, &err) && routes_add(&routes, &b, &err) && routes_add(&routes, &c, &err));
	ck_assert_uint_eq(lines("ip route show table 220", "10.1.0.0/16", "src 10.3.0.1"), 1);
	ck_assert_uint_eq(lines("ip -6 route show table 220", "fd00::/16", "src fd03::1") +
			  lines("ip -6 route show table 220", "fd01::/16", "src fd03::1"), 1);
	ck_assert_uint_eq(lines("ip route show table 220", "10.6.0.0/16", "src 192.0.2.1"), 1);
	routes_remove(&routes, &c);
	ck_assert(routes_add(&routes, &e, &err));
	ck_assert_uint_eq(lines("ip route show table 220", "10.6.0.0/16", "src 10.3.0.1"), 1);
	routes_remove(&routes, &e);
	/* it goes, and comes back: the routes had to do without */
	sh("ip addr del 10.3.0.1/32 dev e0 && ip addr del fd03::1/128 dev e0");
	routes_refresh(&routes);
	ck_assert_uint_eq(lines("ip route show table 220", "10.1.0.0/16", "src 10.3.0.1"), 0);
	vip_table_follow(&t);
	ck_assert_uint_eq(lines("ip route show table 220", "10.1.0.0/16", "src 10.3.0.1"), 1);
	ck_assert_uint_eq(lines("ip -6 route show table 220", "fd01::/16", "src fd03::1") +
			  lines("ip -6 route show table 220", "fd00::/16", "src fd03::1"), 1);
	/* of another child's virtual address and one of the host's own, the latter */
	sh("ip addr add 10.7.0.1/24 dev e1");
	routes_refresh(&routes);
	ck_assert(routes_add(&routes, &d, &err));
	ck_assert_uint_eq(lines("ip route show table 220", "10.6.0.0/16", "src 10.7.0.1"), 1);
	/* the link goes down: the address is elsewhere, and the routes come again with it */
	sh("ip link set e0 down");
	vip_table_follow(&t);
	sh("ip link set e0 up");
	routes_forget(&routes, &(struct addr){ 0 }, false, routes.ifindex);
	routes_refresh(&routes);
	ck_assert_uint_eq(lines("ip route show table 220", "10.1.0.0/16", "src 10.3.0.1"), 1);
	ck_assert_uint_eq(lines("ip -6 route show table 220", "fd01::/16", "src fd03::1"), 1);
	routes_remove(&routes, &a);
	routes_remove(&routes, &b);
	routes_remove(&routes, &d);
	routes_clear(&routes);
	vip_table_close(&t);
}
END_TEST

START_TEST(test_impossible)
{
	static const char *const no[] = { "127.0.0.1", "224.0.0.1", "255.255.255.255", "0.0.0.0", "0.1.2.3", "::", "::1", "ff02::1", "fe80::1",
					  "169.254.1.1" };
	struct kernel_vip v = vip("10.3.0.1");
	struct errtext err;

	ck_assert(vip_is_possible(&v, &err));
	v.addr = addr_of("2001:db8::7");
	ck_assert(vip_is_possible(&v, &err));
	for (size_t i = 0; i < ARRAY_LEN(no); i++) {
		v.addr = addr_of(no[i]);
		ck_assert_msg(!vip_is_possible(&v, &err), "%s", no[i]);
	}
}
END_TEST

TCase *tcase_vip(void)
{
	TCase *tc = tcase_create("vip");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, test_on_link);
	tcase_add_test(tc, test_hosts_own);
	tcase_add_test(tc, test_leftovers);
	tcase_add_test(tc, test_stays_there);
	tcase_add_test(tc, test_fight);
	tcase_add_test(tc, test_named);
	tcase_add_test(tc, test_tunnels);
	tcase_add_test(tc, test_routes);
	tcase_add_test(tc, test_impossible);
	return tc;
}
