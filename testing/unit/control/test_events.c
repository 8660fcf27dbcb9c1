/* SPDX-License-Identifier: Apache-2.0 */
#include "testing/unit/control/control_test.h"


/* Events: to whom they go, and what they say. */

static const struct fake_sa sa = { "site", 7, IKE_STATE_ESTABLISHED, { "net" } };
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

static void ck_event(const char *name)
{
	peer_recv(&p, VICI_EVENT);
	ck_assert(bytes_equal_str(p.got.name, name));
}

START_TEST(up_and_down_are_told)
{
	struct mailbox *box = control_mailbox(lab.control);
	struct bytes site, children;

	peer_register(&p, "ike-updown");
	peer_register(&p, "child-updown");
	fake_event(box, SA_EVENT_IKE_UP, &sa);
	ck_event("ike-updown");
	peer_value(&p, "up", "yes");
	ck_assert(vici_find(p.got.message, VICI_SECTION_START, "site", &site));
	ck_assert(!vici_find(site, VICI_SECTION_START, "child-sas", &children));
	fake_event(box, SA_EVENT_CHILD_UP, &sa);
	ck_event("child-updown");
	peer_value(&p, "up", "yes");
	ck_assert(vici_find(p.got.message, VICI_SECTION_START, "site", &site));
	ck_assert(vici_find(site, VICI_SECTION_START, "child-sas", &children));
	ck_assert(vici_find(children, VICI_SECTION_START, "net-700", &site));
	fake_event(box, SA_EVENT_CHILD_DOWN, &sa);
	ck_event("child-updown");
	peer_value(&p, "up", NULL);
	fake_event(box, SA_EVENT_IKE_DOWN, &sa);
	ck_event("ike-updown");
	peer_value(&p, "up", NULL);
}
END_TEST

START_TEST(workers_make_only_what_is_wanted)
{
	struct peer other;

	peer_register(&p, "ike-updown");
	fake_wait_events(&lab.workers, 1u << SA_EVENT_IKE_UP | 1u << SA_EVENT_IKE_DOWN);
	peer_open(&other, &lab);
	peer_register(&other, "child-updown");
	fake_wait_events(&lab.workers, 0xf);
	peer_close(&other); /* registrations go with the connection */
	fake_wait_events(&lab.workers, 1u << SA_EVENT_IKE_UP | 1u << SA_EVENT_IKE_DOWN);
	peer_packet(&p, VICI_EVENT_UNREGISTER, "ike-updown", NULL);
	peer_recv(&p, VICI_EVENT_CONFIRM);
	fake_wait_events(&lab.workers, 0);
}
END_TEST

START_TEST(registered_twice_is_told_twice)
{
	struct mailbox *box = control_mailbox(lab.control);

	peer_register(&p, "ike-updown");
	peer_register(&p, "ike-updown");
	fake_event(box, SA_EVENT_IKE_UP, &sa);
	ck_event("ike-updown");
	ck_event("ike-updown");
	peer_packet(&p, VICI_EVENT_UNREGISTER, "ike-updown", NULL);
	peer_recv(&p, VICI_EVENT_CONFIRM);
	fake_event(box, SA_EVENT_IKE_DOWN, &sa);
	ck_event("ike-updown");
	peer_call(&p, "version", NULL, NULL); /* and no second one */
	peer_value(&p, "daemon", "bewickd");
}
END_TEST

START_TEST(log_lines_up_to_level_1)
{
	const struct log_sa about = { "site", 7 };
	struct bytes msg;

	ck_assert(!log_is_wanted(LOG_GROUP_IKE, 0)); /* nothing is formatted for nobody */
	peer_register(&p, "log");
	ck_assert(log_is_wanted(LOG_GROUP_IKE, 1));
	ck_assert(!log_is_wanted(LOG_GROUP_IKE, 2));
	LOG(NET, 2, "not this one");
	LOG(DMN, 0, "plain\nlines");
	LOG_SA(&about, IKE, 1, "about an SA");
	ck_event("log");
	peer_value(&p, "group", "DMN");
	peer_value(&p, "level", "0");
	peer_value(&p, "ikesa-name", NULL);
	ck_assert(vici_find(p.got.message, VICI_KEY_VALUE, "msg", &msg));
	ck_assert(bytes_equal_str(msg, "plain\nlines"));
	ck_event("log");
	peer_value(&p, "group", "IKE");
	peer_value(&p, "ikesa-name", "site");
	peer_value(&p, "ikesa-uniqueid", "7");
	peer_value(&p, "msg", "about an SA");
	peer_packet(&p, VICI_EVENT_UNREGISTER, "log", NULL);
	peer_recv(&p, VICI_EVENT_CONFIRM);
	ck_assert(!log_is_wanted(LOG_GROUP_IKE, 0));
}
END_TEST

/* Of initiate: only lines about its IKE_SA, up to the level asked for, and only while it runs. */
START_TEST(control_log_is_about_one_sa)
{
	struct log_sa about = { "site", 0 }, other = { "other", 4711 };
	struct fake_call call;

	peer_load_conn(&p, "site", false, (const char *const[]){ "net", NULL });
	lab.workers.hold_initiate = true;
	peer_register(&p, "control-log");
	ck_assert(!log_is_wanted(LOG_GROUP_IKE, 0));
	peer_send_request(&p, "initiate", "child", "net", "loglevel", "2", NULL);
	call = fake_next(&lab.workers, FAKE_INITIATE);
	about.id = call.ike_id;
	LOG_SA(&other, IKE, 1, "of another SA");
	LOG(IKE, 1, "of none");
	LOG_SA(&about, IKE, 3, "too detailed");
	LOG_SA(&about, ENC, 2, "one");
	LOG_SA(&about, IKE, 0, "two");
	fake_ended(&call, CAUSE_NONE);
	ck_event("control-log");
	peer_value(&p, "group", "ENC");
	peer_value(&p, "level", "2");
	peer_value(&p, "thread", NULL);
	peer_value(&p, "msg", "one");
	ck_event("control-log");
	peer_value(&p, "msg", "two");
	peer_recv(&p, VICI_CMD_RESPONSE);
	peer_succeeded(&p);
	ck_assert(!log_is_wanted(LOG_GROUP_IKE, 0));
}
END_TEST

/* Somebody else wants more: that is not for this one. */
START_TEST(levels_of_commands_are_apart)
{
	struct log_sa about = { "site", 0 };
	struct fake_call call;
	struct peer curious;

	peer_open(&curious, &lab);
	peer_load_conn(&p, "site", false, (const char *const[]){ "net", NULL });
	lab.workers.hold_initiate = true;
	peer_register(&curious, "control-log");
	peer_send_request(&curious, "initiate", "child", "net", "loglevel", "4", NULL);
	fake_next(&lab.workers, FAKE_INITIATE);
	peer_register(&p, "control-log");
	peer_send_request(&p, "initiate", "child", "net", NULL);
	call = fake_next(&lab.workers, FAKE_INITIATE);
	about.id = call.ike_id;
	LOG_SA(&about, IKE, 4, "too detailed");
	LOG_SA(&about, IKE, 1, "right");
	fake_ended(&call, CAUSE_NONE);
	ck_event("control-log");
	peer_value(&p, "msg", "right");
	peer_recv(&p, VICI_CMD_RESPONSE);
	ck_assert(log_is_wanted(LOG_GROUP_IKE, 4));
	peer_close(&curious);
}
END_TEST

START_TEST(unread_lines_do_not_pile_up)
{
	/* far more than may wait: all that matters is that nothing blocks and the last command is answered */
	peer_register(&p, "log");
	for (unsigned i = 0; i < 10 * CONTROL_LOG_WAITING; i++)
		LOG(DMN, 1, "line %u", i);
	peer_call(&p, "version", NULL, NULL);
	peer_value(&p, "daemon", "bewickd");
}
END_TEST

TCase *control_event_tests(void)
{
	TCase *t = tcase_create("events");

	tcase_set_timeout(t, 60);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, up_and_down_are_told);
	tcase_add_test(t, workers_make_only_what_is_wanted);
	tcase_add_test(t, registered_twice_is_told_twice);
	tcase_add_test(t, log_lines_up_to_level_1);
	tcase_add_test(t, control_log_is_about_one_sa);
	tcase_add_test(t, levels_of_commands_are_apart);
	tcase_add_test(t, unread_lines_do_not_pile_up);
	return t;
}
