/* SPDX-License-Identifier: Apache-2.0 */
#include "testing/unit/control/control_test.h"

/* install, uninstall, list-policies; what loading does about traps; packets that met one. */

static struct lab lab;
static struct peer p;

static void setup(void)
{
	lab_open(&lab);
	peer_open(&p, &lab);
}

static void teardown(void)
{
	peer_close(&p);
	lab_close(&lab);
}

static void settle(void)
{
	peer_ask(&p, "version", NULL);
}

/* Connection "site" with one child. */
static void load(const char *child, const char *key, const char *value)
{
	static const char *const sides[] = { "local", "remote" };
	struct vici_writer w = { 0 };

	vici_write_section(&w, "site");
	vici_write_list(&w, "remote_addrs");
	vici_write_item_str(&w, "192.0.2.1");
	vici_write_list_end(&w);
	for (size_t i = 0; i < 2; i++) {
		vici_write_section(&w, sides[i]);
		vici_write_str(&w, "auth", "psk");
		vici_write_section_end(&w);
	}
	vici_write_section(&w, "children");
	vici_write_section(&w, child);
	vici_write_str(&w, key, value);
	if (strcmp(key, "mode") == 0)
		vici_write_str(&w, "start_action", "start");
	vici_write_section_end(&w);
	vici_write_section_end(&w);
	vici_write_section_end(&w);
	peer_call(&p, "load-conn", &w, NULL);
	vici_writer_clear(&w);
	peer_succeeded(&p);
}

START_TEST(by_hand)
{
	struct fake_call call;

	peer_load_conn(&p, "site", false, (const char *const[]){ "net", NULL });
	peer_ask(&p, "install", NULL);
	peer_failed(&p, "missing configuration name");
	peer_ask(&p, "install", "child", "nix", NULL);
	peer_failed(&p, "configuration name not found");
	peer_ask(&p, "install", "child", "net", "ike", "other", NULL);
	peer_failed(&p, "configuration name not found");
	peer_ask(&p, "install", "child", "net", "ike", "site", NULL);
	peer_succeeded(&p);
	call = fake_next(&lab.workers, FAKE_TRAP_INSTALL);
	ck_assert_str_eq(call.ike, "site");
	ck_assert_str_eq(call.child, "net");
	peer_ask(&p, "uninstall", "child", "nix", NULL);
	peer_failed(&p, "policy 'nix' not found");
	peer_ask(&p, "uninstall", "child", "net", NULL);
	peer_succeeded(&p);
	peer_ask(&p, "uninstall", "child", "net", NULL);
	peer_failed(&p, "policy 'net' not found");
	lab.workers.cause = CAUSE_KERNEL;
	peer_ask(&p, "install", "child", "net", NULL);
	peer_failed(&p, "installing policy 'net' failed");
}
END_TEST

START_TEST(list)
{
	unsigned events;
	struct vici_writer w = { 0 };

	peer_load_conn(&p, "site", false, (const char *const[]){ "a", "b", "c", NULL });
	peer_ask(&p, "install", "child", "a", NULL);
	peer_ask(&p, "install", "child", "b", NULL);
	peer_ask(&p, "install", "child", "c", NULL);
	peer_register(&p, "list-policy");
	peer_call(&p, "list-policies", NULL, &events);
	ck_assert_uint_eq(events, 0); /* no kind was asked for */
	vici_write_str(&w, "trap", "yes");
	vici_write_str(&w, "drop", "yes");
	peer_call(&p, "list-policies", &w, &events);
	ck_assert_uint_eq(events, 2);
	vici_write_str(&w, "pass", "no"); /* any value */
	vici_write_str(&w, "child", "b");
	peer_call(&p, "list-policies", &w, &events);
	ck_assert_uint_eq(events, 1);
	vici_write_str(&w, "ike", "other");
	peer_call(&p, "list-policies", &w, &events);
	ck_assert_uint_eq(events, 0);
	vici_writer_clear(&w);
}
END_TEST

START_TEST(loading)
{
	load("net", "start_action", "trap");
	ck_assert_str_eq(fake_next(&lab.workers, FAKE_TRAP_INSTALL).child, "net");
	load("net", "start_action", "trap"); /* the same */
	settle();
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_TRAP_INSTALL), 1);
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_TRAP_UNINSTALL), 0);
	load("net", "start_action", "trap|start");
	ck_assert_str_eq(fake_next(&lab.workers, FAKE_TRAP_UNINSTALL).child, "net");
	ck_assert_str_eq(fake_next(&lab.workers, FAKE_TRAP_INSTALL).child, "net");
	ck_assert_str_eq(fake_next(&lab.workers, FAKE_INITIATE).child, "net");
	load("net", "mode", "pass"); /* with start_action = start: there is nothing else to start */
	fake_next(&lab.workers, FAKE_TRAP_UNINSTALL);
	ck_assert_str_eq(fake_next(&lab.workers, FAKE_TRAP_INSTALL).child, "net");
	peer_ask(&p, "unload-conn", "name", "site", NULL);
	peer_succeeded(&p);
	ck_assert_str_eq(fake_next(&lab.workers, FAKE_TRAP_UNINSTALL).child, "net");
	settle();
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_INITIATE), 1);
	ck_assert_uint_eq(lab.workers.n_traps, 0);
}
END_TEST

static struct worker_reply *mail(unsigned kind)
{
	struct config *config = control_config(lab.control);
	struct worker_reply *r = xcalloc(1, sizeof(*r));

	r->mail.kind = kind;
	r->conn = conn_ref(config_conn(config, "site"));
	r->child = r->conn->children[0].name;
	config_unref(config);
	return r;
}

static void met(uint32_t trap_id)
{
	struct worker_reply *r = mail(WORKER_ACQUIRE);

	r->trap_id = trap_id;
	r->acquire.src = r->acquire.dst = ts_any(AF_INET6);
	mailbox_post(control_mailbox(lab.control), &r->mail);
}

START_TEST(packet)
{
	static const struct fake_sa sa = { "site", 6, IKE_STATE_ESTABLISHED, { NULL } };
	struct fake_call call;

	load("net", "start_action", "trap");
	fake_set(&lab.workers, &sa, 1);
	met(5);
	call = fake_next(&lab.workers, FAKE_INITIATE);
	ck_assert_str_eq(call.child, "net");
	ck_assert_uint_eq(call.ike_id, 6); /* the one that is up */
	ck_assert_uint_eq(call.acquire.src.family, AF_INET6);
	call = fake_next(&lab.workers, FAKE_TRAP_ENDED);
	ck_assert_uint_eq(call.child_id, 5);
	ck_assert_int_eq(call.ended, CAUSE_NONE);
	/* a failure is the trap's to repeat, nobody else's */
	lab.workers.cause = CAUSE_PEER_SILENT;
	met(5);
	ck_assert_int_eq(fake_next(&lab.workers, FAKE_TRAP_ENDED).ended, CAUSE_PEER_SILENT);
	settle();
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_INITIATE), 2);
}
END_TEST

START_TEST(packet_of_the_past)
{
	struct worker_reply *r;

	load("net", "start_action", "trap");
	r = mail(WORKER_ACQUIRE);
	r->trap_id = 5;
	load("other", "start_action", "trap");
	mailbox_post(control_mailbox(lab.control), &r->mail);
	ck_assert_int_eq(fake_next(&lab.workers, FAKE_TRAP_ENDED).ended, CAUSE_POLICY);
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_INITIATE), 0);
}
END_TEST

/* dpd_action and close_action; _i: 1 meanwhile the configuration has changed */
START_TEST(again)
{
	struct worker_reply *r;

	load("net", "dpd_action", "trap");
	settle();
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_TRAP_INSTALL), 0);
	r = mail(WORKER_RETRAP);
	if (_i)
		load("net", "close_action", "trap");
	mailbox_post(control_mailbox(lab.control), &r->mail);
	if (!_i)
		ck_assert_str_eq(fake_next(&lab.workers, FAKE_TRAP_INSTALL).child, "net");
	settle();
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_TRAP_INSTALL), !_i);
	/* it goes with its connection */
	peer_ask(&p, "unload-conn", "name", "site", NULL);
	settle();
	ck_assert_uint_eq(fake_count(&lab.workers, FAKE_TRAP_UNINSTALL), !_i);
}
END_TEST

TCase *control_trap_tests(void)
{
	TCase *t = tcase_create("traps");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, by_hand);
	tcase_add_test(t, list);
	tcase_add_test(t, loading);
	tcase_add_test(t, packet);
	tcase_add_test(t, packet_of_the_past);
	tcase_add_loop_test(t, again, 0, 2);
	return t;
}
