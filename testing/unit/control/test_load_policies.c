/* SPDX-License-Identifier: Apache-2.0 */
#include "testing/unit/control/control_test.h"

/* load-conn answers behind the policies of what it loads. */

static struct lab lab;
static struct peer p, other;

static void setup(void)
{
	lab_open(&lab);
	peer_open(&p, &lab);
	peer_open(&other, &lab);
	lab.workers.hold_traps = true;
}

static void teardown(void)
{
	peer_close(&p);
	peer_close(&other);
	lab_close(&lab);
}

/* Asks to load "site" with two traps and a child without. */
static void load(void)
{
	static const char *const sides[] = { "local", "remote" }, *const children[] = { "a", "b", "c" };
	struct vici_writer w = { 0 };

	vici_write_section(&w, "site");
	for (size_t i = 0; i < 2; i++) {
		vici_write_section(&w, sides[i]);
		vici_write_str(&w, "auth", "psk");
		vici_write_section_end(&w);
	}
	vici_write_section(&w, "children");
	for (size_t i = 0; i < 3; i++) {
		vici_write_section(&w, children[i]);
		vici_write_str(&w, "start_action", i < 2 ? "trap" : "none");
		vici_write_section_end(&w);
	}
	vici_write_section_end(&w);
	vici_write_section_end(&w);
	peer_packet(&p, VICI_CMD_REQUEST, "load-conn", &w);
	vici_writer_clear(&w);
}

static struct fake_call asked(const char *child)
{
	struct fake_call call = fake_next(&lab.workers, FAKE_TRAP_INSTALL);

	ck_assert_str_eq(call.child, child);
	return call;
}

static void ck_no_answer_yet(void)
{
	peer_ask(&other, "version", NULL); /* control's thread has gone on */
	ck_assert(!peer_has_packet(&p));
}

START_TEST(answers_when_all_are_installed)
{
	struct fake_call a, b;

	load();
	a = asked("a");
	b = asked("b");
	ck_no_answer_yet();
	fake_ended(&b, CAUSE_NONE);
	ck_no_answer_yet();
	fake_ended(&a, CAUSE_NONE);
	peer_recv(&p, VICI_CMD_RESPONSE);
	peer_succeeded(&p);
	peer_value(&p, "errmsg", NULL);
	load(); /* there already: nothing to wait for */
	peer_recv(&p, VICI_CMD_RESPONSE);
	peer_succeeded(&p);
}
END_TEST

START_TEST(tells_what_failed)
{
	struct fake_call a, b;

	load();
	a = asked("a");
	b = asked("b");
	fake_ended_detail(&a, CAUSE_KERNEL, "no room");
	ck_no_answer_yet();
	fake_ended(&b, CAUSE_KERNEL);
	peer_recv(&p, VICI_CMD_RESPONSE);
	/* it is in force */
	peer_value(&p, "success", "yes");
	peer_value(&p, "errmsg", "installing policy 'a' failed: no room; installing policy 'b' failed: the test says so");
}
END_TEST

START_TEST(an_address_that_is_to_come_is_no_failure)
{
	struct fake_call a, b;

	load();
	a = asked("a");
	b = asked("b");
	fake_ended(&a, CAUSE_RESOLVE);
	fake_ended(&b, CAUSE_NONE);
	peer_recv(&p, VICI_CMD_RESPONSE);
	peer_succeeded(&p);
	peer_value(&p, "errmsg", NULL);
}
END_TEST

/* _i: 0 the client goes while it waits, 1 the daemon ends */
START_TEST(nobody_waits_any_more)
{
	struct fake_call a, b;

	load();
	a = asked("a");
	b = asked("b");
	if (_i)
		return;
	peer_close(&p);
	peer_ask(&other, "version", NULL);
	fake_ended(&a, CAUSE_NONE);
	fake_ended(&b, CAUSE_NONE);
	peer_ask(&other, "version", NULL);
	peer_open(&p, &lab);
}
END_TEST

TCase *control_load_policies_tests(void)
{
	TCase *t = tcase_create("load_policies");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, answers_when_all_are_installed);
	tcase_add_test(t, tells_what_failed);
	tcase_add_test(t, an_address_that_is_to_come_is_no_failure);
	tcase_add_loop_test(t, nobody_waits_any_more, 0, 2);
	return t;
}
