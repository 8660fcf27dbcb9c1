/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "side.h"
#include "worker/trap.h"

/* Traps and shunts of a pool of workers, with kernel-null: what is installed, listed and acquired. */

static struct side a;

static void start(const char *conf)
{
	struct side_setup setup = { .workers = 2 };

	side_start(&a, &setup, conf, 4500);
}

/* How a request ended that was made with number 9. */
static enum cause ended(void)
{
	struct worker_reply *r = side_next(&a);
	enum cause cause = r->cause;

	ck_assert_uint_eq(r->mail.kind, WORKER_REPLY_ENDED);
	ck_assert_uint_eq(r->request, 9);
	/* why a policy cannot be is said in words */
	ck_assert(cause != CAUSE_KERNEL || (r->detail && r->detail[0]));
	worker_reply_free(r);
	return cause;
}

static enum cause install(const char *conn, const char *child)
{
	workers_trap_install(a.w, 9, a.box, config_conn(a.options.config, conn), child);
	return ended();
}

static enum cause uninstall(const char *conn, const char *child)
{
	workers_trap_uninstall(a.w, 9, a.box, conn, child);
	return ended();
}

/* "load/net 1 10.1.0.0/24 === 10.2.0.0/24;" for each policy; also all that was asked before is done. */
static void expect_list(const char *expected)
{
	struct buf text = { 0 };

	workers_trap_list(a.w, 9, a.box);
	for (;;) {
		struct worker_reply *r = side_next(&a);
		bool done = r->mail.kind == WORKER_REPLY_DONE;

		if (!done) {
			ck_assert_uint_eq(r->mail.kind, WORKER_REPLY_TRAP);
			buf_printf(&text, "%s%s%s %u ", r->trap->ike ? r->trap->ike : "", r->trap->ike ? "/" : "", r->trap->child,
				   r->trap->mode);
			ts_list_format(&text, r->trap->local);
			buf_add_str(&text, " === ");
			ts_list_format(&text, r->trap->remote);
			buf_add_str(&text, ";");
		}
		worker_reply_free(r);
		if (done)
			break;
	}
	ck_assert_str_eq(buf_str(&text), expected);
	buf_free(&text);
}

static struct kernel_event event(uint32_t trap, const char *src, const char *dst)
{
	struct kernel_event ev = { .kind = KERNEL_EVENT_ACQUIRE, .child_id = trap };

	ck_assert(ts_parse(bytes_str(src), &ev.packet_src) && ts_parse(bytes_str(dst), &ev.packet_dst));
	return ev;
}

static void met(uint32_t trap, const char *src, const char *dst)
{
	struct kernel_event ev = event(trap, src, dst);

	workers_kernel_event(a.w, &ev);
}

static bool asked_nothing(void)
{
	return !a.event_queue && !(a.event_queue = mailbox_take(a.events));
}

/* The next order to control; which trap, and for which packet. */
static uint32_t acquired(const char *src)
{
	struct worker_reply *r = side_next_event(&a);
	uint32_t trap = r->trap_id;

	ck_assert_uint_eq(r->mail.kind, WORKER_ACQUIRE);
	ck_assert_str_eq(r->conn->name, "load");
	ck_assert_str_eq(r->child, "net");
	ck_assert_str_eq(ts_format(&r->acquire.src).s, src);
	worker_reply_free(r);
	return trap;
}

#define SHUNT(NAME, MODE) NAME " { mode = " MODE "\n local_ts = 10.1.0.0/16\n remote_ts = dynamic[tcp/22] }\n"
#define SHUNTS "connections { s { children { " SHUNT("clear", "pass") SHUNT("gone", "drop") " } } }\n"

START_TEST(install_and_list)
{
	start(SIDE_A);
	ck_assert_int_eq(install("load", "net"), CAUSE_NONE);
	ck_assert_int_eq(install("load", "net"), CAUSE_NONE);
	ck_assert_int_eq(install("load", "nix"), CAUSE_POLICY);
	ck_assert_int_eq(install("load", "more"), CAUSE_NONE);
	expect_list("load/net 0 10.1.0.0/24 === 10.2.0.0/24;load/more 0 10.3.0.0/24 === 10.4.0.0/24;");
	ck_assert_int_eq(uninstall("other", "net"), CAUSE_POLICY);
	ck_assert_int_eq(uninstall(NULL, "net"), CAUSE_NONE);
	ck_assert_int_eq(uninstall("load", "net"), CAUSE_POLICY);
	expect_list("load/more 0 10.3.0.0/24 === 10.4.0.0/24;");
	side_stop(&a, 0); /* with one that is installed */
}
END_TEST

static sem_t fenced;
static struct kernel_done fence;
static atomic_bool fence_open;

static void hold_fence(struct kernel *k, struct kernel_done done)
{
	if (atomic_load(&fence_open)) {
		done.fn(done.arg, done.token, KERNEL_OK, NULL);
		return;
	}
	fence = done;
	sem_post(&fenced);
}

/* Who uninstalls is told when the backend has done it; a stop waits for what the backend still has to say. */
START_TEST(uninstall_waits)
{
	struct side_setup setup = { .fence = hold_fence };

	sem_init(&fenced, 0, 0);
	side_start(&a, &setup, SIDE_A, 4500);
	ck_assert_int_eq(install("load", "net"), CAUSE_NONE);
	workers_trap_uninstall(a.w, 9, a.box, "load", "net");
	sem_wait(&fenced);
	expect_list(""); /* and no other answer before */
	fence.fn(fence.arg, fence.token, KERNEL_OK, NULL);
	ck_assert_int_eq(ended(), CAUSE_NONE);
	ck_assert_int_eq(install("load", "net"), CAUSE_NONE);
	workers_trap_uninstall(a.w, 9, a.box, "load", "net");
	sem_wait(&fenced);
	fence.fn(fence.arg, fence.token, KERNEL_OK, NULL);
	atomic_store(&fence_open, true);
	side_stop_workers(&a, 0);
	(void)ended(); /* by the backend, or by the stop */
	side_free(&a);
}
END_TEST

START_TEST(shunts)
{
	start(SHUNTS);
	ck_assert_int_eq(install("s", "clear"), CAUSE_NONE);
	ck_assert_int_eq(install("s", "gone"), CAUSE_NONE);
	/* as configured */
	expect_list("s/clear 3 10.1.0.0/16 === dynamic[tcp/ssh];s/gone 4 10.1.0.0/16 === dynamic[tcp/ssh];");
	/* and nothing to negotiate */
	workers_initiate(a.w, 9, a.box, config_conn(a.options.config, "s"), "clear", workers_next_ike_id(a.w), UINT_MAX);
	ck_assert_int_eq(ended(), CAUSE_POLICY);
	workers_initiate(a.w, 9, a.box, config_conn(a.options.config, "s"), NULL, workers_next_ike_id(a.w), UINT_MAX);
	ck_assert_int_eq(ended(), CAUSE_POLICY);
	side_stop(&a, 0);
}
END_TEST

#define TRAPPED(REMOTE, CHILD)                                                                                          \
	"connections { load { version = 2\n remote_addrs = " REMOTE "\n proposals = aes128-sha256-x25519\n"            \
	" local { auth = psk\n id = a }\n remote { auth = psk\n id = b }\n children { net { " CHILD " } } } }\n"

/* What has no single peer, or whose selectors are not known, is no trap. */
START_TEST(not_for_anybody)
{
	static const struct {
		const char *conf;
		enum cause cause;
	} cases[] = {
		{ TRAPPED("%%any", "remote_ts = 10.2.0.0/16"), CAUSE_KERNEL },
		{ TRAPPED("127.0.0.0/8", "remote_ts = 10.2.0.0/16"), CAUSE_KERNEL },
		{ TRAPPED("peer.invalid", "local_ts = 10.1.0.0/16"), CAUSE_KERNEL },
		{ TRAPPED("peer.invalid", "local_ts = 10.1.0.0/16\n remote_ts = 10.2.0.0/16"), CAUSE_NONE },
		{ TRAPPED("127.0.0.1", ""), CAUSE_NONE },
	};

	start(cases[_i].conf);
	ck_assert_int_eq(install("load", "net"), cases[_i].cause);
	if (cases[_i].cause != CAUSE_NONE)
		expect_list("");
	else if (_i == 4)
		expect_list("load/net 0 127.0.0.1/32 === 127.0.0.1/32;");
	side_stop(&a, 0);
}
END_TEST

START_TEST(acquire)
{
	uint32_t trap;

	start(SIDE_A);
	ck_assert_int_eq(install("load", "net"), CAUSE_NONE);
	met(1, "10.1.0.5[udp/1000]", "10.2.0.6[udp/2000]");
	trap = acquired("10.1.0.5/32[udp/1000]");
	ck_assert_uint_eq(trap, 1);
	/* the same pair waits for that; of others the latest is remembered */
	met(trap, "10.1.0.5[udp/1001]", "10.2.0.6[udp/2000]");
	met(trap, "10.1.0.7[udp/1000]", "10.2.0.6[udp/2000]");
	met(trap, "10.1.0.8[udp/1000]", "10.2.0.6[udp/2000]");
	expect_list("load/net 0 10.1.0.0/24 === 10.2.0.0/24;");
	ck_assert(asked_nothing());
	workers_trap_ended(a.w, trap, CAUSE_NONE);
	ck_assert_uint_eq(acquired("10.1.0.8/32[udp/1000]"), trap);
	/* after a failure it is quiet for a while, and what came meanwhile is forgotten */
	met(trap, "10.1.0.9[udp/1000]", "10.2.0.6[udp/2000]");
	workers_trap_ended(a.w, trap, CAUSE_PEER_SILENT);
	met(trap, "10.1.0.10[udp/1000]", "10.2.0.6[udp/2000]");
	expect_list("load/net 0 10.1.0.0/24 === 10.2.0.0/24;");
	ck_assert(asked_nothing());
	/* in the end the next packet tries again */
	ck_assert_uint_eq(acquired("10.1.0.10/32[udp/1000]"), trap);
	side_stop(&a, 0);
}
END_TEST

/* Nonsense of a backend, and what comes for a trap that is no more. */
START_TEST(acquire_of_nothing)
{
	struct kernel_event ev = { .kind = KERNEL_EVENT_ACQUIRE, .child_id = 1 };

	start(SIDE_A);
	ck_assert_int_eq(install("load", "net"), CAUSE_NONE);
	workers_kernel_event(a.w, &ev);
	met(77, "10.1.0.5[udp/1000]", "10.2.0.6[udp/2000]");
	met(1, "10.1.0.5[udp/1000]", "fd00::1");
	ck_assert_int_eq(uninstall("load", "net"), CAUSE_NONE);
	met(1, "10.1.0.5[udp/1000]", "10.2.0.6[udp/2000]");
	workers_trap_ended(a.w, 1, CAUSE_NONE);
	expect_list("");
	ck_assert(asked_nothing());
	side_stop(&a, 0);
}
END_TEST

static struct prefix net(const char *text)
{
	struct prefix p;

	ck_assert(prefix_parse(bytes_str(text), &p));
	return p;
}

START_TEST(bypass)
{
	struct prefix nets[] = { net("10.5.0.0/16"), net("fd05::/64"), net("10.6.0.0/16") };

	start(SIDE_A);
	workers_set_bypass(a.w, "Bypass LAN", nets, 2);
	expect_list("Bypass LAN 10.5.0.0/16 3 10.5.0.0/16 === 10.5.0.0/16;Bypass LAN fd05::/64 3 fd05::/64 === fd05::/64;");
	workers_set_bypass(a.w, "other", nets, 1);
	workers_set_bypass(a.w, "Bypass LAN", nets + 1, 2);
	expect_list("Bypass LAN fd05::/64 3 fd05::/64 === fd05::/64;other 10.5.0.0/16 3 10.5.0.0/16 === 10.5.0.0/16;"
		    "Bypass LAN 10.6.0.0/16 3 10.6.0.0/16 === 10.6.0.0/16;");
	workers_set_bypass(a.w, "Bypass LAN", NULL, 0);
	workers_set_bypass(a.w, "other", NULL, 0);
	expect_list("");
	side_stop(&a, 0);
}
END_TEST

TCase *test_traps(void)
{
	TCase *t = tcase_create("traps");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, install_and_list);
	tcase_add_test(t, uninstall_waits);
	tcase_add_test(t, shunts);
	tcase_add_loop_test(t, not_for_anybody, 0, 5);
	tcase_add_test(t, acquire);
	tcase_add_test(t, acquire_of_nothing);
	tcase_add_test(t, bypass);
	return t;
}
