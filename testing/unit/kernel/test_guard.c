/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "test_kernel.h"

#include "guard.h"
#include "util/mem.h"

/* Policies of the kernel in a network namespace of the test's own. */

#define PORT 500
#define DEVICE 1 /* lo stands for the TUN device */

static bool can; /* false: no namespaces here, or no policies */
static struct guard g;

static unsigned lines(const char *command, const char *what)
{
	FILE *f = popen(command, "r");
	char line[1024];
	unsigned n = 0;

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f))
		n += strstr(line, what) != NULL;
	pclose(f);
	return n;
}

static unsigned count(const char *what)
{
	return lines("ip -o xfrm policy", what);
}

/* Whether the kernel hashes policies with single remote addresses. */
static bool tuned(void)
{
	return lines("ip -s -s xfrm policy count", "IPv4 thresholds: local 0 remote 32") == 1 &&
	       lines("ip -s -s xfrm policy count", "IPv6 thresholds: local 0 remote 128") == 1;
}

static void open_guard(bool clear)
{
	g = (struct guard){ .clear = clear, .ifindex = DEVICE, .port = PORT, .table.hash_key = { 1, 2 } };
	guard_init(&g);
}

static void setup(void)
{
	can = unshare(CLONE_NEWNET) == 0;
	ck_assert_msg(can || geteuid() != 0, "no network namespace: %s", strerror(errno));
	if (can) {
		open_guard(true);
		can = !g.missing;
		guard_close(&g);
	}
	if (!can)
		fprintf(stderr, "# no network namespaces or no policies here: what comes in clear is not tested\n");
}

static struct kernel_handle *child(enum ipsec_mode mode, const char *local, const char *remote, uint32_t priority)
{
	struct ts l = test_ts(local), r = test_ts(remote);
	struct kernel_child conf = { .protocol = PROTOCOL_ESP, .mode = mode, .encap = true, .name = "child", .priority = priority,
				     .local_ts = { 1, &l }, .remote_ts = { 1, &r } };
	struct errtext err;
	struct kernel_handle *c = child_new(&conf, &err);

	ck_assert_msg(c != NULL, "%s", err.s);
	return c;
}

static struct kernel_handle *add(enum ipsec_mode mode, const char *local, const char *remote, uint32_t priority)
{
	struct kernel_handle *c = child(mode, local, remote, priority);
	struct errtext err;

	ck_assert_msg(guard_add(&g, c, &err), "%s", err.s);
	return c;
}

static void drop(struct kernel_handle *c)
{
	guard_remove(&g, c);
	child_put(c);
}

/* One policy for each direction, as long as somebody has those selectors; and what a host needs only as long. */
START_TEST(test_shared)
{
	struct kernel_handle *a, *b, *other;

	if (!can)
		return;
	open_guard(true);
	a = add(IPSEC_MODE_TUNNEL, "10.1.0.0/16", "10.2.0.0/16", 0);
	ck_assert_uint_eq(count("action block"), 2);
	ck_assert_uint_eq(count("src 10.2.0.0/16 dst 10.1.0.0/16"), 2);
	ck_assert_uint_eq(count("dir fwd"), 1);
	ck_assert_uint_gt(count("proto ipv6-icmp"), 0);
	ck_assert(tuned());
	b = add(IPSEC_MODE_TUNNEL, "10.1.0.0/16", "10.2.0.0/16", 0);
	other = add(IPSEC_MODE_TUNNEL, "10.1.0.0/16", "10.3.0.0/16", 0);
	ck_assert_uint_eq(count("action block"), 4);
	drop(a);
	ck_assert_uint_eq(count("src 10.2.0.0/16 dst 10.1.0.0/16"), 2);
	drop(b);
	ck_assert_uint_eq(count("action block"), 2);
	ck_assert_uint_eq(count("src 10.2.0.0/16"), 0);
	drop(other);
	ck_assert_uint_eq(count("dir"), 0);
	ck_assert(!tuned());
	guard_close(&g);
}
END_TEST

/* How policies are hashed is ours to say only where nobody else has some, or has said so. */
START_TEST(test_of_others)
{
	struct kernel_handle *c;

	if (!can)
		return;
	open_guard(true);
	ck_assert_int_eq(system("ip xfrm policy add src 10.9.0.0/16 dst 10.8.0.0/16 dir out"), 0);
	c = add(IPSEC_MODE_TUNNEL, "10.1.0.0/16", "10.2.0.0/16", 0);
	ck_assert(!tuned());
	drop(c);
	ck_assert_uint_eq(count("dir"), 1);
	ck_assert_int_eq(system("ip xfrm policy flush && ip xfrm policy set hthresh4 24 24"), 0);
	c = add(IPSEC_MODE_TUNNEL, "10.1.0.0/16", "10.2.0.0/16", 0);
	drop(c);
	ck_assert_uint_eq(lines("ip -s -s xfrm policy count", "IPv4 thresholds: local 24 remote 24"), 1);
	guard_close(&g);
}
END_TEST

/* The kernel has the policy of the most urgent of those who share one, whoever comes and goes; shunts come first among equals. */
START_TEST(test_first_wins)
{
	struct kernel_handle *tunnel, *pass, *urgent, *late;

	if (!can)
		return;
	open_guard(true);
	pass = add(IPSEC_MODE_PASS, "10.1.0.0/16", "10.2.0.0/16", 0);
	ck_assert_uint_eq(count("dir"), 0);
	tunnel = add(IPSEC_MODE_TUNNEL, "10.1.0.0/16", "10.2.0.0/16", 0);
	ck_assert_uint_eq(count("action block"), 0);
	ck_assert_uint_eq(count("src 10.2.0.0/16 dst 10.1.0.0/16"), 2);
	late = add(IPSEC_MODE_TUNNEL, "10.1.0.0/16", "10.2.0.0/16", 900000);
	urgent = add(IPSEC_MODE_TUNNEL, "10.1.0.0/16", "10.2.0.0/16", 7);
	ck_assert_uint_eq(count("action block priority 7"), 2);
	drop(urgent);
	ck_assert_uint_eq(count("action block"), 0);
	drop(pass);
	ck_assert_uint_eq(count("action block"), 2);
	drop(tunnel);
	ck_assert_uint_eq(count("action block priority 1200000"), 2);
	drop(late);
	ck_assert_uint_eq(count("dir"), 0);
	guard_close(&g);
}
END_TEST

/* Exceptions: among local addresses inside a tunnel for everything, and what goes into the tunnel. */
START_TEST(test_exceptions)
{
	struct kernel_handle *c;

	if (!can)
		return;
	open_guard(true);
	c = add(IPSEC_MODE_TUNNEL, "10.1.0.0/16[tcp]", "0.0.0.0/0", 0);
	ck_assert_uint_eq(count("src 10.1.0.0/16 dst 10.1.0.0/16"), 3);
	ck_assert_uint_eq(count("dev lo"), 1);
	ck_assert_uint_eq(count("action block"), 2);
	drop(c);
	c = add(IPSEC_MODE_TUNNEL, "0.0.0.0/0", "10.1.0.5/32", 0);
	ck_assert_uint_eq(count("src 10.1.0.5/32 dst 0.0.0.0/0"), 2);
	ck_assert_uint_eq(count("10.1.0.5"), 2);
	drop(c);
	guard_close(&g);
}
END_TEST

/* Switched off, shunts that drop are there all the same. Selectors that the kernel does not know are no failure of the tunnel. */
START_TEST(test_not_children)
{
	struct kernel_handle *c, *shunt;

	if (!can)
		return;
	open_guard(false);
	c = add(IPSEC_MODE_TUNNEL, "10.1.0.0/16", "10.2.0.0/16", 0);
	ck_assert_uint_eq(count("dir"), 0);
	shunt = add(IPSEC_MODE_DROP, "10.1.0.0/16", "10.2.0.0/16", 0);
	ck_assert_uint_eq(count("action block"), 1);
	drop(shunt);
	ck_assert_uint_eq(count("dir"), 0);
	drop(c);
	guard_close(&g);
	open_guard(true);
	c = add(IPSEC_MODE_TUNNEL, "10.0.0.1-10.254.255.254[tcp/1-65534]", "11.0.0.1-11.254.255.254[tcp/1-65534]", 0);
	ck_assert_uint_eq(count("dir"), 0);
	drop(c);
	guard_close(&g);
}
END_TEST

/* Where packets of IPv6 out of the device cannot be marked, children have policies that let theirs pass what shunts drop. */
START_TEST(test_without_marks)
{
	struct kernel_handle *c, *shunt;

	if (!can)
		return;
	open_guard(true);
	g.mark_tried = true;
	c = add(IPSEC_MODE_TUNNEL, "fd01::/64", "fd02::/64", 0);
	ck_assert_uint_eq(count("action block"), 0);
	ck_assert_uint_eq(count("src fd02::/64 dst fd01::/64"), 1);
	shunt = add(IPSEC_MODE_DROP, "fd01::/64", "::/0", 0);
	ck_assert_uint_eq(count("action block"), 1);
	drop(c);
	drop(shunt);
	guard_close(&g);
	open_guard(true);
	c = add(IPSEC_MODE_TUNNEL, "fd01::/64", "fd02::/64", 0);
	ck_assert_uint_eq(count("action block"), 2);
	ck_assert_uint_eq(count("mark 0/0x10000000"), 2);
	drop(c);
	guard_close(&g);
}
END_TEST

START_TEST(test_killed)
{
	pid_t pid;
	int status;

	if (!can)
		return;
	pid = fork();
	ck_assert_int_ge(pid, 0);
	if (!pid) {
		open_guard(true);
		(void)add(IPSEC_MODE_TUNNEL, "10.1.0.0/16", "10.2.0.0/16", 0);
		(void)add(IPSEC_MODE_TUNNEL, "fd01::/64", "fd02::/64", 0);
		raise(SIGKILL);
	}
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	ck_assert_uint_gt(count("action block"), 0);
	open_guard(true);
	ck_assert_uint_eq(count("dir"), 0);
	guard_close(&g);
}
END_TEST

TCase *tcase_guard(void)
{
	TCase *tc = tcase_create("guard");

	tcase_set_timeout(tc, 120);
	tcase_add_checked_fixture(tc, setup, NULL);
	tcase_add_test(tc, test_shared);
	tcase_add_test(tc, test_of_others);
	tcase_add_test(tc, test_first_wins);
	tcase_add_test(tc, test_exceptions);
	tcase_add_test(tc, test_not_children);
	tcase_add_test(tc, test_without_marks);
	tcase_add_test(tc, test_killed);
	return tc;
}
