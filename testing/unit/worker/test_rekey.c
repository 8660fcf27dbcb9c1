/* SPDX-License-Identifier: Apache-2.0 */
#include "side.h"

/* Rekeying by order of control: who is meant, what is told of it, and that all SAs are there afterwards. */

#define REKEYS (1u << SA_EVENT_IKE_REKEY | 1u << SA_EVENT_CHILD_REKEY)
#define UPDOWNS                                                                                                        \
	(1u << SA_EVENT_IKE_UP | 1u << SA_EVENT_IKE_DOWN | 1u << SA_EVENT_CHILD_UP | 1u << SA_EVENT_CHILD_DOWN)

static struct side a, b;

static void setup(void)
{
	struct side_setup setup = { .workers = 4 };

	side_start(&b, &setup, SIDE_B, 0);
	side_start(&a, &setup, SIDE_A, side_port(&b));
}

static void teardown(void)
{
	side_stop(&a, 2000);
	side_stop(&b, 2000);
}

static unsigned rekey(struct side *s, const struct worker_select *sel, bool reauth)
{
	unsigned matches = 0;

	workers_rekey(s->w, 11, s->box, sel, reauth);
	for (unsigned i = 0; i < workers_count(s->w); i++) {
		struct worker_reply *r = side_next(s);

		ck_assert_uint_eq(r->mail.kind, WORKER_REPLY_MATCHES);
		ck_assert_uint_eq(r->request, 11);
		matches += r->matches;
		worker_reply_free(r);
	}
	return matches;
}

/* n events of a kind and none of another; both ends of each are checked. */
static void told(struct side *s, enum sa_event event, unsigned n)
{
	while (n--) {
		struct worker_reply *r = side_next_event(s);

		ck_assert_int_eq(r->event, event);
		ck_assert(r->info && r->info_new);
		ck_assert_str_eq(r->info->name, r->info_new->name);
		if (event == SA_EVENT_CHILD_REKEY) {
			ck_assert_uint_eq(r->info->n_children, 1);
			ck_assert_uint_eq(r->info_new->n_children, 1);
			ck_assert_uint_eq(r->info->id, r->info_new->id);
			ck_assert_uint_ne(r->info->children[0].id, r->info_new->children[0].id);
			ck_assert_uint_eq(r->info->children[0].reqid, r->info_new->children[0].reqid);
			ck_assert_int_eq(r->info_new->children[0].state, CHILD_STATE_INSTALLED);
		} else {
			ck_assert_uint_eq(r->info->n_children + r->info_new->n_children, 0);
			ck_assert_uint_ne(r->info->id, r->info_new->id);
			ck_assert_int_eq(r->info_new->state, IKE_STATE_ESTABLISHED);
		}
		worker_reply_free(r);
	}
}

static void both_want(unsigned mask)
{
	workers_want_events(a.w, mask);
	workers_want_events(b.w, mask);
}

START_TEST(children)
{
	struct worker_select net = { .child = "net" };

	side_up(&a, "load", "net", 8);
	both_want(REKEYS | UPDOWNS);
	ck_assert_uint_eq(rekey(&a, &net, false), 8);
	told(&a, SA_EVENT_CHILD_REKEY, 8);
	told(&b, SA_EVENT_CHILD_REKEY, 8);
	ck_assert_uint_eq(side_stats(&a).counters[SA_COUNTER_CHILD_REKEY], 8);
	ck_assert_uint_eq(side_stats(&b).counters[SA_COUNTER_CHILD_REKEY], 8);
	ck_assert_uint_eq(side_list(&a, NULL).established, 8);
	/* the responder may ask, too */
	ck_assert_uint_eq(rekey(&b, &(struct worker_select){ .ike = "gw", .child = "net" }, false), 8);
	told(&a, SA_EVENT_CHILD_REKEY, 8);
	told(&b, SA_EVENT_CHILD_REKEY, 8);
	ck_assert_uint_eq(mailbox_count(a.events) + mailbox_count(b.events), 0);
}
END_TEST

START_TEST(ike_sas)
{
	side_up(&a, "load", "net", 8);
	both_want(REKEYS | UPDOWNS);
	ck_assert_uint_eq(rekey(&a, &(struct worker_select){ .ike = "load" }, false), 8);
	told(&a, SA_EVENT_IKE_REKEY, 8);
	told(&b, SA_EVENT_IKE_REKEY, 8);
	ck_assert_uint_eq(side_stats(&a).counters[SA_COUNTER_IKE_REKEY_INIT], 8);
	ck_assert_uint_eq(side_stats(&b).counters[SA_COUNTER_IKE_REKEY_RESP], 8);
	ck_assert_uint_eq(side_stats(&b).counters[SA_COUNTER_IKE_REKEY_INIT], 0);
	/* whatever is left of the old ones is not ESTABLISHED */
	ck_assert_uint_eq(side_list(&a, NULL).established, 8);
	ck_assert_uint_eq(side_list(&b, NULL).established, 8);
	ck_assert_uint_eq(side_list(&b, NULL).children, 8);
}
END_TEST

START_TEST(reauthentication)
{
	side_up(&a, "load", "net", 4);
	both_want(1u << SA_EVENT_CHILD_UP);
	ck_assert_uint_eq(rekey(&a, &(struct worker_select){ .ike = "load" }, true), 4);
	/* broken before made: who reads the events box brings them up again */
	for (unsigned n = 0; n < 4;) {
		struct worker_reply *r = side_next_event(&a);

		n += r->mail.kind == WORKER_REINITIATE || r->event == SA_EVENT_CHILD_UP;
		worker_reply_free(r);
	}
}
END_TEST

START_TEST(only_what_is_meant)
{
	struct worker_reply *r;
	uint32_t ike_id, child_id;

	ck_assert_uint_eq(rekey(&a, &(struct worker_select){ .ike = "load" }, false), 0);
	workers_want_events(a.w, 1u << SA_EVENT_CHILD_UP);
	side_up(&a, "load", "net", 4);
	r = side_next_event(&a);
	ike_id = r->info->id;
	child_id = r->info->children[0].id;
	worker_reply_free(r);
	side_events(&a, SA_EVENT_CHILD_UP, 3);
	both_want(REKEYS);
	ck_assert_uint_eq(rekey(&a, &(struct worker_select){ .ike = "other" }, false), 0);
	ck_assert_uint_eq(rekey(&a, &(struct worker_select){ .child = "more" }, false), 0);
	ck_assert_uint_eq(rekey(&a, &(struct worker_select){ .ike_id = ike_id, .child_id = child_id + 100 }, false), 0);
	ck_assert_uint_eq(rekey(&a, &(struct worker_select){ .child_id = child_id }, false), 1);
	told(&a, SA_EVENT_CHILD_REKEY, 1);
	told(&b, SA_EVENT_CHILD_REKEY, 1);
	ck_assert_uint_eq(rekey(&a, &(struct worker_select){ .child_id = child_id }, false), 0); /* it is another now */
	ck_assert_uint_eq(rekey(&a, &(struct worker_select){ .ike_id = ike_id }, false), 1);
	told(&a, SA_EVENT_IKE_REKEY, 1);
	told(&b, SA_EVENT_IKE_REKEY, 1);
	ck_assert_uint_eq(mailbox_count(a.events) + mailbox_count(b.events), 0);
}
END_TEST

/* From both sides at once, and everything at once: in the end there is one of each. */
START_TEST(all_at_once)
{
	struct worker_select net = { .child = "net" }, load = { .ike = "load" }, gw = { .ike = "gw" };

	side_up(&a, "load", "net", 16);
	for (int i = 0; i < 3; i++) {
		workers_rekey(a.w, 0, NULL, &net, false);
		workers_rekey(b.w, 0, NULL, &net, false);
		workers_rekey(a.w, 0, NULL, &load, false);
		workers_rekey(b.w, 0, NULL, &gw, false);
		ck_assert_uint_eq(side_list(&a, &(struct worker_select){ .ike = "other" }).sas, 0);
	}
	/* closing finds all there are, whichever they are by now */
	while (side_list(&a, NULL).sas)
		side_terminate(&a, &load, false);
}
END_TEST

TCase *test_rekey(void)
{
	TCase *t = tcase_create("rekey");

	tcase_set_timeout(t, 120);
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, children);
	tcase_add_test(t, ike_sas);
	tcase_add_test(t, reauthentication);
	tcase_add_test(t, only_what_is_meant);
	tcase_add_test(t, all_at_once);
	return t;
}
