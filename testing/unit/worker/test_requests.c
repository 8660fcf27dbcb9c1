/* SPDX-License-Identifier: Apache-2.0 */
#include <limits.h>
#include <stdio.h>

#include "side.h"

/* What control asks of the workers: initiate, find, list, terminate, events; and their failures. */

static void two_sides(struct side *a, struct side *b, unsigned workers)
{
	struct side_setup setup = { .workers = workers };

	side_start(b, &setup, SIDE_B, 0);
	side_start(a, &setup, SIDE_A, side_port(b));
}

static void two_stop(struct side *a, struct side *b)
{
	side_stop(a, 2000);
	side_stop(b, 2000);
}

/* One set-up that fails; why. */
static enum cause failure(const char *remote, const char *more, const char *child)
{
	struct side_setup setup = { .workers = 2 };
	char conf[1024];
	enum cause cause;
	struct side a;
	struct worker_reply *r;

	snprintf(conf, sizeof(conf),
		 "connections { load { version = 2\n remote_addrs = %s\n %s\n proposals = aes128-sha256-x25519\n"
		 " local { auth = psk\n id = a }\n remote { auth = psk\n id = b }\n"
		 " children { net { esp_proposals = aes128gcm16 } } } }\nsecrets { ike { secret = \"load\" } }\n",
		 remote, more);
	side_start(&a, &setup, conf, 0);
	workers_initiate(a.w, 5, a.box, config_conn(a.options.config, "load"), child, workers_next_ike_id(a.w), UINT_MAX);
	r = side_next(&a);
	ck_assert_uint_eq(r->mail.kind, WORKER_REPLY_ENDED);
	ck_assert_uint_eq(r->request, 5);
	cause = r->cause;
	ck_assert(r->why && *r->why);
	worker_reply_free(r);
	ck_assert_uint_eq(side_list(&a, NULL).sas, 0);
	side_stop(&a, 0);
	return cause;
}

START_TEST(initiate_fails)
{
	/* a broadcast address has no route without being asked for */
	ck_assert_int_eq(failure("255.255.255.255", "", "net"), CAUSE_RESOLVE);
	ck_assert_int_eq(failure("nonexistent.invalid", "", "net"), CAUSE_RESOLVE);
	ck_assert_int_eq(failure("127.0.0.0/8", "", "net"), CAUSE_POLICY);
	ck_assert_int_eq(failure("127.0.0.1", "", "unknown"), CAUSE_POLICY);
}
END_TEST

/* The name is still being looked up when the daemon ends. */
START_TEST(stop_while_resolving)
{
	struct side_setup setup = { .workers = 2 };
	struct side a;

	side_start(&a, &setup,
		   "connections { load { version = 2\n remote_addrs = nonexistent.invalid\n local { auth = psk }\n"
		   " remote { auth = psk }\n children { net { esp_proposals = aes128gcm16 } } } }\n", 0);
	side_initiate(&a, "load", "net", 50);
	side_stop_workers(&a, 0);
	ck_assert_uint_eq(side_ended(&a, 50, CAUSE_NONE), 0);
	side_free(&a);
}
END_TEST

static unsigned find(struct side *s, const char *conn, uint32_t *ret_id, unsigned *ret_worker)
{
	unsigned n = 0;
	bool done = false;

	workers_find(s->w, 3, s->box, conn);
	while (!done) {
		struct worker_reply *r = side_next(s);

		done = r->mail.kind == WORKER_REPLY_DONE;
		if (!done) {
			ck_assert_uint_eq(r->mail.kind, WORKER_REPLY_FOUND);
			ck_assert(r->established);
			*ret_id = r->ike_id;
			*ret_worker = r->worker;
			n++;
		}
		worker_reply_free(r);
	}
	return n;
}

START_TEST(reuse)
{
	struct side a, b;
	uint32_t id = 0;
	unsigned worker = 0;

	two_sides(&a, &b, 4);
	ck_assert_uint_eq(find(&a, "load", &id, &worker), 0);
	side_up(&a, "load", "net", 1);
	ck_assert_uint_eq(find(&a, "load", &id, &worker), 1);
	ck_assert_uint_eq(find(&a, "other", &id, &worker), 0);
	ck_assert_uint_lt(worker, 4);
	workers_initiate(a.w, 1, a.box, config_conn(a.options.config, "load"), "more", id, worker);
	ck_assert_uint_eq(side_ended(&a, 1, CAUSE_NONE), 1);
	ck_assert_uint_eq(side_list(&a, NULL).sas, 1);
	ck_assert_uint_eq(side_list(&b, NULL).children, 2);
	/* what is there already is not made twice */
	workers_initiate(a.w, 1, a.box, config_conn(a.options.config, "load"), "more", id, worker);
	ck_assert_uint_eq(side_ended(&a, 1, CAUSE_DUPLICATE), 1);
	/* only the IKE_SA: it is up */
	workers_initiate(a.w, 1, a.box, config_conn(a.options.config, "load"), NULL, id, worker);
	ck_assert_uint_eq(side_ended(&a, 1, CAUSE_NONE), 1);
	ck_assert_uint_eq(side_list(&a, NULL).sas, 1);
	/* it went away meanwhile: a new one is made */
	ck_assert_uint_eq(side_terminate(&a, &(struct worker_select){ .ike_id = id }, false), 1);
	workers_initiate(a.w, 1, a.box, config_conn(a.options.config, "load"), "net", id, worker);
	ck_assert_uint_eq(side_ended(&a, 1, CAUSE_NONE), 1);
	ck_assert_uint_eq(side_list(&a, NULL).children, 1);
	two_stop(&a, &b);
}
END_TEST

START_TEST(terminate)
{
	struct side a, b;
	uint32_t id = 0;
	unsigned worker = 0;

	two_sides(&a, &b, 2);
	side_up(&a, "load", "net", 10);
	/* nothing matches: no end comes */
	ck_assert_uint_eq(side_terminate(&a, &(struct worker_select){ .ike = "other" }, false), 0);
	ck_assert_uint_eq(side_terminate(&a, &(struct worker_select){ .child = "more" }, false), 0);
	ck_assert_uint_eq(side_terminate(&a, &(struct worker_select){ .child_id = 3 }, false), 1);
	ck_assert_uint_eq(side_list(&a, NULL).children, 9);
	ck_assert_uint_eq(side_list(&b, NULL).children, 9);
	ck_assert_uint_eq(side_terminate(&a, &(struct worker_select){ .child = "net" }, false), 9);
	ck_assert_uint_eq(side_list(&b, NULL).children, 0);
	ck_assert_uint_eq(side_list(&b, NULL).established, 10);
	ck_assert_uint_eq(find(&a, "load", &id, &worker), 10);
	ck_assert_uint_eq(side_terminate(&a, &(struct worker_select){ .ike_id = id }, false), 1);
	ck_assert_uint_eq(side_list(&a, NULL).sas, 9);
	/* by force: at once, and the peer is told all the same, once */
	workers_want_events(b.w, 1u << SA_EVENT_IKE_DOWN);
	ck_assert_uint_eq(side_terminate(&a, &(struct worker_select){ .ike = "load" }, true), 9);
	ck_assert_uint_eq(side_list(&a, NULL).sas, 0);
	side_events(&b, SA_EVENT_IKE_DOWN, 9);
	/* nobody waits */
	side_up(&a, "load", "net", 5);
	workers_terminate(a.w, 1, NULL, &(struct worker_select){ .ike = "load" }, false);
	side_events(&b, SA_EVENT_IKE_DOWN, 5);
	two_stop(&a, &b);
}
END_TEST

/* Only what is wanted is mailed, in order, and it tells what it is about. */
START_TEST(events)
{
	struct side a, b;
	struct worker_reply *r;

	two_sides(&a, &b, 2);
	side_up(&a, "load", "net", 3);
	(void)side_list(&a, NULL);
	ck_assert_uint_eq(mailbox_count(a.events) + mailbox_count(b.events), 0);
	workers_want_events(a.w, 1u << SA_EVENT_IKE_UP | 1u << SA_EVENT_CHILD_UP);
	side_up(&a, "load", "net", 1);
	ck_assert_uint_eq(mailbox_count(a.events), 2);
	r = side_next_event(&a);
	ck_assert_uint_eq(r->mail.kind, WORKER_EVENT);
	ck_assert_int_eq(r->event, SA_EVENT_IKE_UP);
	ck_assert_str_eq(r->info->name, "load");
	ck_assert_str_eq(r->info->remote_id, "b.load");
	ck_assert_uint_eq(r->info->n_children, 0);
	worker_reply_free(r);
	r = side_next_event(&a);
	ck_assert_int_eq(r->event, SA_EVENT_CHILD_UP);
	ck_assert_uint_eq(r->info->n_children, 1);
	ck_assert_str_eq(r->info->children[0].name, "net");
	worker_reply_free(r);
	/* the downs were not asked for */
	ck_assert_uint_eq(side_terminate(&a, &(struct worker_select){ .ike = "load" }, false), 4);
	ck_assert_uint_eq(mailbox_count(a.events), 0);
	two_stop(&a, &b);
}
END_TEST

/* For hooks: only children with a command, only IKE_SAs that were given attributes. */
START_TEST(events_for_hooks)
{
	struct side a, b;
	struct worker_reply *r;

	two_sides(&a, &b, 2);
	workers_want_events(a.w, WORKERS_WANT_UPDOWN | WORKERS_WANT_ATTRIBUTES);
	side_up(&a, "load", "net", 1);
	side_up(&a, "load", "more", 1);
	r = side_next_event(&a);
	ck_assert_int_eq(r->event, SA_EVENT_CHILD_UP);
	ck_assert_str_eq(r->info->children[0].name, "more");
	ck_assert_str_eq(r->info->children[0].updown, "a command");
	ck_assert_uint_eq(r->info->children[0].line_id, r->info->children[0].id);
	worker_reply_free(r);
	ck_assert_uint_eq(side_terminate(&a, &(struct worker_select){ .ike = "load" }, false), 2);
	r = side_next_event(&a);
	ck_assert_int_eq(r->event, SA_EVENT_CHILD_DOWN);
	ck_assert_str_eq(r->info->children[0].name, "more");
	worker_reply_free(r);
	ck_assert_uint_eq(mailbox_count(a.events), 0);
	two_stop(&a, &b);
}
END_TEST

/* What the backend tells: the hard limit of a child closes it on both sides, and the others stay; one whose SAs are gone is rekeyed. */
START_TEST(kernel_events)
{
	struct side a, b;
	struct worker_reply *r;
	struct kernel_event ev = { .kind = KERNEL_EVENT_EXPIRE_HARD };
	uint32_t other;

	two_sides(&a, &b, 4);
	workers_want_events(a.w, 1u << SA_EVENT_CHILD_UP | 1u << SA_EVENT_CHILD_REKEY);
	workers_want_events(b.w, 1u << SA_EVENT_CHILD_DOWN);
	side_up(&a, "load", "net", 8);
	r = side_next_event(&a);
	ev.ike_id = r->info->id;
	ev.child_id = r->info->children[0].id;
	worker_reply_free(r);
	r = side_next_event(&a);
	other = r->info->children[0].id;
	worker_reply_free(r);
	side_events(&a, SA_EVENT_CHILD_UP, 6);
	workers_kernel_event(a.w, &ev);
	side_events(&b, SA_EVENT_CHILD_DOWN, 1);
	ck_assert_uint_eq(side_list(&b, NULL).children, 7);
	ck_assert_uint_eq(side_list(&b, NULL).established, 8);
	/* gone by somebody else's hand */
	ev = (struct kernel_event){ .kind = KERNEL_EVENT_GONE, .child_id = other };
	workers_kernel_event(a.w, &ev);
	r = side_next_event(&a);
	ck_assert_int_eq(r->event, SA_EVENT_CHILD_REKEY);
	ck_assert_uint_eq(r->info->children[0].id, other);
	worker_reply_free(r);
	/* of SAs that nobody has, and kinds that are nothing to us */
	ev.ike_id = 4711;
	workers_kernel_event(a.w, &ev);
	ev.kind = KERNEL_EVENT_INVALID_SPI;
	workers_kernel_event(a.w, &ev);
	ck_assert_uint_eq(side_list(&a, NULL).established, 8);
	two_stop(&a, &b);
}
END_TEST

/* Requests from several at once while SAs come and go, and log levels that change: for the thread sanitizer. */
static void quiet_sink(void *arg, const struct log_event *ev)
{
	(void)arg;
	(void)ev;
}

START_TEST(busy)
{
	static int8_t quiet[LOG_GROUPS], loud[LOG_GROUPS];
	struct log_sink *sink;
	struct side a, b;

	memset(quiet, -1, sizeof(quiet));
	memset(loud, 2, sizeof(loud));
	sink = log_sink_add(quiet, quiet_sink, NULL);
	two_sides(&a, &b, 4);
	side_initiate(&a, "load", "net", 200);
	for (int i = 0; i < 20; i++) {
		static const struct worker_select all;

		log_sink_set_levels(sink, i % 2 ? quiet : loud);
		workers_list(b.w, 1, b.box, &all);
		workers_stats(b.w, 2, b.box);
		workers_find(b.w, 3, b.box, "gw");
		workers_want_events(b.w, i % 2 ? 15 : 0);
	}
	ck_assert_uint_eq(side_ended(&a, 200, CAUSE_NONE), 200);
	for (unsigned done = 0; done < 60;) {
		struct worker_reply *r = side_next(&b);

		done += r->mail.kind == WORKER_REPLY_DONE;
		worker_reply_free(r);
	}
	log_sink_set_levels(sink, quiet);
	two_stop(&a, &b);
	log_sink_remove(sink);
}
END_TEST

/* What was counted of a connection of the side. */
static uint64_t counted(struct side *s, const char *conn, enum sa_counter which)
{
	uint64_t counts[CONN_COUNTERS];

	conn_counters_get(config_conn(s->options.config, conn)->counters, counts);
	return counts[which];
}

/* Messages count for the connection once it is known, and for all from the beginning. */
START_TEST(counters_of_connections)
{
	struct worker_stats stats;
	struct side a, b;

	two_sides(&a, &b, 2);
	side_up(&a, "load", "net", 3);
	ck_assert_uint_eq(counted(&a, "load", SA_COUNTER_INIT_OUT_REQ), 3);
	ck_assert_uint_eq(counted(&a, "load", SA_COUNTER_AUTH_OUT_REQ), 3);
	ck_assert_uint_eq(counted(&a, "load", SA_COUNTER_AUTH_IN_RESP), 3);
	ck_assert_uint_eq(counted(&b, "gw", SA_COUNTER_INIT_IN_REQ), 0);
	ck_assert_uint_eq(counted(&b, "gw", SA_COUNTER_INIT_OUT_RESP), 0);
	ck_assert_uint_eq(counted(&b, "gw", SA_COUNTER_AUTH_IN_REQ), 0);
	ck_assert_uint_eq(counted(&b, "gw", SA_COUNTER_AUTH_OUT_RESP), 3);
	stats = side_stats(&b);
	ck_assert_uint_eq(stats.counters[SA_COUNTER_INIT_IN_REQ], 3);
	ck_assert_uint_eq(stats.counters[SA_COUNTER_AUTH_IN_REQ], 3);
	ck_assert_uint_eq(side_terminate(&a, NULL, false), 3);
	ck_assert_uint_eq(counted(&b, "gw", SA_COUNTER_INFO_IN_REQ), 3);
	ck_assert_uint_eq(counted(&b, "gw", SA_COUNTER_INFO_OUT_RESP), 3);
	ck_assert_uint_eq(counted(&a, "load", SA_COUNTER_INFO_IN_RESP), 3);
	two_stop(&a, &b);
}
END_TEST

TCase *test_requests(void)
{
	TCase *t = tcase_create("requests");

	tcase_set_timeout(t, 120);
	tcase_add_test(t, initiate_fails);
	tcase_add_test(t, stop_while_resolving);
	tcase_add_test(t, reuse);
	tcase_add_test(t, terminate);
	tcase_add_test(t, events);
	tcase_add_test(t, events_for_hooks);
	tcase_add_test(t, kernel_events);
	tcase_add_test(t, busy);
	tcase_add_test(t, counters_of_connections);
	return t;
}
