/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "confs.h"
#include "lab.h"
#include "sa/kin.h"
#include "suites.h"

/* Reauthentication (RFC 7296, 2.8.3) in both schemes, and lifetimes of authentications (RFC 4478). */

#define REAUTH "\n reauth_time = 100s\n over_time = 20s\n rand_time = 0"
#define START " close_action = start"
#define CHILDREN_A CHILD_A("one", "1", ESP) CHILD_A("two", "2", ESP)
#define CHILDREN_B CHILD_B("one", "1", ESP) CHILD_B("two", "2", ESP)

static const char conf_a[] = CONF_A_WITH(CONF_IKE REAUTH, CHILDREN_A);
static const char conf_b[] = CONF_B_WITH(CONF_IKE, CHILDREN_B);

/* An IKE_SA with both children. */
static struct lab *lab_up(const char *a, const char *b, bool make)
{
	struct lab *lab = lab_new(a, b);

	lab->a.ctx.options.make_before_break = make;
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	lab_run(lab);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 2);
	return lab;
}

static bool carries(struct lab_end *e, const char *name)
{
	for (size_t i = 0; i < e->n_sas; i++)
		for (struct child_sa *c = e->sas[i]->children; c; c = c->next)
			if (c->handle && strcmp(c->conf->name, name) == 0)
				return true;
	return false;
}

static void expect_traffic(struct lab *lab)
{
	ck_assert(carries(&lab->a, "one") && carries(&lab->a, "two"));
	ck_assert(carries(&lab->b, "one") && carries(&lab->b, "two"));
}

/* What both ends send now the other can take. */
static void expect_no_loss(struct lab *lab)
{
	unsigned lost;

	expect_traffic(lab);
	ck_assert_uint_eq(lab_carried(&lab->a, &lost), 2);
	ck_assert_uint_eq(lost, 0);
	ck_assert_uint_eq(lab_carried(&lab->b, &lost), 2);
	ck_assert_uint_eq(lost, 0);
}

/* One IKE_SA at both ends, another one than before, with both children. */
static void expect_anew(struct lab *lab, uint32_t old_id)
{
	lab_run(lab);
	if (lab_live(&lab->a) > 1) {
		expect_no_loss(lab);
		lab->b.usage_in.packets = 1; /* a sends by the new ones */
		lab_advance(lab, LIMIT_OVERLAP_OUT_MS + 1);
		expect_no_loss(lab);
		lab_advance(lab, LIMIT_OVERLAP_MS - LIMIT_OVERLAP_OUT_MS);
		while (lab->n_packets) {
			expect_no_loss(lab);
			lab_deliver(lab);
		}
	}
	ck_assert_uint_eq(lab_live(&lab->a), 1);
	ck_assert_uint_eq(lab_live(&lab->b), 1);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_ne(lab_sa(&lab->a)->log.id, old_id);
	ck_assert(lab_sa(&lab->a)->spi_r == lab_sa(&lab->b)->spi_r);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 2);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 2);
	expect_traffic(lab);
	ck_assert(!kin_reauth_old(lab_sa(&lab->a)) && !kin_reauth_new(lab_sa(&lab->a)));
}

/* Time goes on in small steps, the net as it is told. */
static void pass(struct lab *lab, unsigned seconds, bool lose)
{
	for (unsigned i = 0; i < seconds; i++) {
		lab_advance(lab, 1000);
		while (lose && lab->n_packets)
			lab_drop(lab);
		lab_run(lab);
	}
}

/* ---- break before make ---- */

START_TEST(break_make)
{
	struct lab *lab = lab_up(conf_a, conf_b, false);
	uint32_t id = lab_sa(&lab->a)->log.id;
	size_t n = lab->a.n_events;

	lab_advance(lab, 99900);
	ck_assert_uint_eq(lab->n_packets, 0);
	lab_advance(lab, 200);
	ck_assert_uint_eq(lab->n_packets, 1);
	expect_anew(lab, id);
	ck_assert_int_eq(lab->a.events[n].event, SA_EVENT_IKE_DOWN);
	ck_assert_uint_eq(lab->a.events[n].ike_id, id);
	ck_assert_int_eq(lab->a.events[n + 3].event, SA_EVENT_IKE_UP);
	/* and again when its time has come */
	id = lab_sa(&lab->a)->log.id;
	lab_advance(lab, 100100);
	expect_anew(lab, id);
	ck_assert_uint_eq(lab->a.reinitiated + lab->b.reinitiated, 0);
	lab_free(lab);
}
END_TEST

START_TEST(break_make_by_order)
{
	struct lab *lab = lab_up(CONF_A, CONF_B, false);
	struct ike_sa *sa = lab_sa(&lab->a);
	uint32_t id = sa->log.id;

	ike_sa_reauth(sa);
	ike_sa_reauth(sa); /* under way already */
	ck_assert_uint_eq(sa->state, IKE_STATE_DELETING);
	expect_anew(lab, id);
	lab_free(lab);
}
END_TEST

/* _i: 0 our Delete is lost, 1 its answer, 2 the peer's IKE_SA_INIT response */
START_TEST(break_make_loss)
{
	struct lab *lab = lab_up(conf_a, conf_b, false);
	uint32_t id = lab_sa(&lab->a)->log.id;

	ike_sa_reauth(lab_sa(&lab->a));
	for (int i = 0; i < (_i == 2 ? 3 : _i); i++)
		lab_deliver(lab);
	lab_drop(lab);
	lab_advance(lab, 4100);
	expect_anew(lab, id);
	lab_free(lab);
}
END_TEST

/* The peer has forgotten it: the Delete is never answered, the new one comes up all the same. */
START_TEST(break_make_silent)
{
	struct lab *lab = lab_up(conf_a, conf_b, false);
	uint32_t id = lab_sa(&lab->a)->log.id;

	ike_sa_finish(lab_sa(&lab->b), IKE_EVENT_DESTROY, CAUSE_SHUTDOWN, "power failed");
	lab_advance(lab, 1);
	ike_sa_reauth(lab_sa(&lab->a));
	pass(lab, 170, false);
	expect_anew(lab, id);
	lab_free(lab);
}
END_TEST

START_TEST(break_make_crossing_delete)
{
	struct lab *lab = lab_up(conf_a, conf_b, false);
	uint32_t id = lab_sa(&lab->a)->log.id;

	ike_sa_reauth(lab_sa(&lab->a));
	ike_sa_terminate(lab_sa(&lab->b), false, (struct sa_request){ 0 });
	lab_choose(lab, 1);
	expect_anew(lab, id);
	lab_free(lab);
}
END_TEST

START_TEST(break_make_terminated)
{
	struct lab *lab = lab_up(conf_a, conf_b, false);
	struct sa_request r;

	ike_sa_reauth(lab_sa(&lab->a));
	r = lab_request_new(&lab->a);
	ike_sa_terminate(lab_sa(&lab->a), false, r);
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a) + lab_live(&lab->b), 0);
	ck_assert_uint_eq(lab->a.requests[r.id].done, 1);
	lab_free(lab);
}
END_TEST

/* Who waits for a child still gets it, in the new IKE_SA. */
START_TEST(break_make_takes_the_queue_along)
{
	struct lab *lab = lab_new(conf_a, conf_b);
	uint32_t id;
	uint64_t r;

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	id = lab_sa(&lab->a)->log.id;
	ike_sa_probe(lab_sa(&lab->a));
	r = lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	ike_sa_reauth(lab_sa(&lab->a));
	expect_anew(lab, id);
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_NONE);
	lab_free(lab);
}
END_TEST

/* The new one never comes up: what the configuration wants is brought up later, as after any loss. */
START_TEST(break_make_fails)
{
	struct lab *lab = lab_up(CONF_A_WITH(CONF_IKE REAUTH, CHILD_A("one", "1", ESP "\n" START) CHILD_A("two", "2", ESP)), conf_b, false);

	ike_sa_reauth(lab_sa(&lab->a));
	lab_deliver(lab);
	lab_deliver(lab);
	ck_assert_uint_eq(lab_live(&lab->a), 1);
	pass(lab, 180, true);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	ck_assert_uint_eq(lab->a.reinitiated, 1);
	ck_assert_str_eq(lab->a.reinitiated_child, "one");
	lab_free(lab);
}
END_TEST

/* ---- make before break ---- */

/* One step after the other: at no time a side is without its children. _i: reauthenticated by time or by order */
START_TEST(make_break)
{
	struct lab *lab = lab_up(conf_a, conf_b, true);
	uint32_t id = lab_sa(&lab->a)->log.id;
	size_t n = lab->a.n_events;

	if (_i)
		ike_sa_reauth(lab_sa(&lab->a));
	else
		lab_advance(lab, 100100);
	while (lab->n_packets) {
		expect_no_loss(lab);
		lab_deliver(lab);
	}
	expect_anew(lab, id);
	ck_assert_int_eq(lab->a.events[n].event, SA_EVENT_IKE_UP);
	ck_assert_int_eq(lab->a.events[n + 3].event, SA_EVENT_IKE_DOWN);
	/* no INITIAL_CONTACT, and uniqueness leaves the old one alone */
	ck_assert_uint_eq(lab->a.replaced + lab->b.replaced, 0);
	ck_assert_uint_eq(lab->a.reinitiated + lab->b.reinitiated, 0);
	lab_free(lab);
}
END_TEST

/* _i: which message is lost, of IKE_SA_INIT, IKE_AUTH, CREATE_CHILD_SA and the Delete */
START_TEST(make_break_loss)
{
	struct lab *lab = lab_up(conf_a, conf_b, true);
	uint32_t id = lab_sa(&lab->a)->log.id;

	ike_sa_reauth(lab_sa(&lab->a));
	for (int i = 0; i < _i; i++) {
		if (!lab->n_packets)
			lab_advance(lab, LIMIT_OVERLAP_MS);
		lab_deliver(lab);
	}
	if (!lab->n_packets)
		lab_advance(lab, LIMIT_OVERLAP_MS);
	lab_drop(lab);
	expect_no_loss(lab);
	lab_advance(lab, 4100);
	while (lab->n_packets) {
		expect_no_loss(lab);
		lab_deliver(lab);
	}
	expect_anew(lab, id);
	lab_free(lab);
}
END_TEST

START_TEST(make_break_replace)
{
	struct lab *lab = lab_up(CONF_A_WITH(CONF_IKE REAUTH "\n unique = replace", CHILDREN_A), conf_b, true);
	uint32_t id = lab_sa(&lab->a)->log.id;

	ike_sa_reauth(lab_sa(&lab->a));
	for (int i = 0; i < 4; i++)
		lab_deliver(lab);
	ck_assert_uint_eq(lab->a.sas[1]->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab->a.replaced, 0);
	expect_anew(lab, id);
	lab_free(lab);
}
END_TEST

/* The peer is deaf for a while: the old one stays and tries again, with pauses that grow. */
START_TEST(make_break_tries_again)
{
	struct lab *lab = lab_up(CONF_A_WITH(CONF_IKE "\n reauth_time = 100s\n over_time = 900s\n rand_time = 0", CHILDREN_A), conf_b,
				 true);
	struct ike_sa *old = lab_sa(&lab->a);
	uint64_t last = 0;
	uint32_t id = old->log.id;

	lab->a.ctx.options.retransmit_tries = 0;
	lab_advance(lab, 100100);
	for (unsigned i = 0; i < 4; i++) {
		uint64_t pause;

		ck_assert_ptr_nonnull(kin_reauth_new(old));
		pass(lab, 5, true);
		ck_assert_ptr_null(kin_reauth_new(old));
		ck_assert_uint_eq(lab_live(&lab->a), 1);
		ck_assert_uint_eq(old->reauth_tries, i + 1);
		expect_traffic(lab);
		pause = old->reauth_ms - lab->now;
		ck_assert_uint_le(pause, 2000u << i);
		ck_assert_uint_ge(pause + 1000, 1000u << i); /* a second of `pass` may be gone */
		ck_assert_uint_ge(pause, last / 4);
		last = pause;
		lab_advance(lab, pause);
	}
	expect_anew(lab, id);
	ck_assert_uint_eq(lab_sa(&lab->a)->reauth_tries, 0);
	lab_free(lab);
}
END_TEST

/* It never works out: at the hard lifetime it is closed and set up anew, as if it was configured so. */
START_TEST(make_break_hard_lifetime)
{
	struct lab *lab = lab_up(conf_a, conf_b, true);
	struct ike_sa *old = lab_sa(&lab->a);
	uint32_t id = old->log.id;

	lab_advance(lab, 100100);
	for (unsigned s = 0; s < 19; s++) {
		while (lab->n_packets)
			lab_drop(lab);
		lab_advance(lab, 1000);
		expect_traffic(lab);
	}
	while (lab->n_packets)
		lab_drop(lab);
	lab_advance(lab, 1500);
	ck_assert_uint_eq(old->state, IKE_STATE_DELETING);
	ck_assert_uint_eq(lab_live(&lab->a), 1);
	expect_anew(lab, id);
	lab_free(lab);
}
END_TEST

/* A child that is refused in the new one: its own loss only, brought up later if that is wanted. */
START_TEST(make_break_child_fails)
{
	struct lab *lab = lab_up(CONF_A_WITH(CONF_IKE REAUTH, CHILD_A("one", "1", ESP) CHILD_A("two", "2", ESP "\n" START)), conf_b, true);

	ike_sa_reauth(lab_sa(&lab->a));
	for (int i = 0; i < 4; i++)
		lab_deliver(lab);
	lab->b.kernel_fail_install = true;
	lab_run(lab);
	lab_advance(lab, LIMIT_OVERLAP_MS);
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a), 1);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
	ck_assert(carries(&lab->a, "one") && carries(&lab->b, "one"));
	ck_assert_uint_eq(lab->a.reinitiated, 1);
	ck_assert_str_eq(lab->a.reinitiated_child, "two");
	lab_free(lab);
}
END_TEST

/* What is asked for while both exist is in the new one, too. */
START_TEST(make_break_child_meanwhile)
{
	struct lab *lab = lab_new(conf_a, conf_b);
	struct ike_sa *old;
	uint64_t r;
	uint32_t id;

	lab->a.ctx.options.make_before_break = true;
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	old = lab_sa(&lab->a);
	id = old->log.id;
	ike_sa_reauth(old);
	r = lab_add_child(&lab->a, old, "two");
	expect_anew(lab, id);
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_NONE);
	lab_free(lab);
}
END_TEST

/* The peer closes the old one meanwhile (_i messages later): the new one goes on by itself. */
START_TEST(make_break_old_closed)
{
	struct lab *lab = lab_up(conf_a, conf_b, true);
	uint32_t id = lab_sa(&lab->a)->log.id;
	struct ike_sa *old_b = lab_sa(&lab->b);

	ike_sa_reauth(lab_sa(&lab->a));
	for (int i = 0; i < _i; i++)
		lab_deliver(lab);
	ike_sa_terminate(old_b, false, (struct sa_request){ 0 });
	expect_anew(lab, id);
	lab_free(lab);
}
END_TEST

/* _i messages later the operator closes the old one: both end. */
START_TEST(make_break_terminated)
{
	struct lab *lab = lab_up(conf_a, CONF_B_WITH(CONF_IKE "\n dpd_delay = 10s", CHILDREN_B), true);
	struct ike_sa *old = lab_sa(&lab->a);

	ike_sa_reauth(old);
	for (int i = 0; i < _i; i++)
		lab_deliver(lab);
	ike_sa_terminate(old, false, lab_request_new(&lab->a));
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a), 0);
	/* what the peer had of the new one is half-open there, or found to be gone */
	pass(lab, 200, false);
	ck_assert_uint_eq(lab_live(&lab->b), 0);
	lab_free(lab);
}
END_TEST

/* The new one is closed by the peer before it has all children: the old one stays. */
START_TEST(make_break_new_closed)
{
	struct lab *lab = lab_up(conf_a, conf_b, true);
	struct ike_sa *old = lab_sa(&lab->a);
	uint32_t id = old->log.id;

	ike_sa_reauth(old);
	for (int i = 0; i < 4; i++)
		lab_deliver(lab);
	ike_sa_terminate(lab->b.sas[1], false, (struct sa_request){ 0 });
	lab_choose(lab, lab->n_packets - 1);
	lab_run(lab);
	ck_assert_ptr_eq(lab_sa(&lab->a), old);
	ck_assert_uint_eq(old->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(old->reauth_tries, 1);
	expect_traffic(lab);
	lab_advance(lab, 2000);
	expect_anew(lab, id);
	lab_free(lab);
}
END_TEST

/* ---- with rekeying ---- */

/* _i messages after the reauthentication began the peer rekeys the old IKE_SA, or the new one if it has it. */
static void rekeyed_meanwhile(int after, bool make)
{
	struct lab *lab = lab_up(conf_a, conf_b, make);
	uint32_t id = lab_sa(&lab->a)->log.id;

	ike_sa_reauth(lab_sa(&lab->a));
	for (int i = 0; i < after % 8 && lab->n_packets; i++)
		lab_deliver(lab);
	for (size_t i = 0; i < lab->b.n_sas; i++)
		if (lab->b.sas[i]->state == IKE_STATE_ESTABLISHED && (after < 8 || i == lab->b.n_sas - 1))
			ike_sa_rekey(lab->b.sas[i]);
	lab_run(lab);
	pass(lab, 60, false); /* what waits for a while */
	expect_anew(lab, id);
	ck_assert_uint_eq(lab->a.reinitiated + lab->b.reinitiated, 0);
	lab_free(lab);
}

START_TEST(rekeyed_meanwhile_make)
{
	rekeyed_meanwhile(_i, true);
}
END_TEST

START_TEST(rekeyed_meanwhile_break)
{
	rekeyed_meanwhile(_i, false);
}
END_TEST

/* RFC 4478, 2: the time limit applies to the new SA. */
START_TEST(lifetime_after_rekeying)
{
	struct lab *lab = lab_up(CONF_A, CONF_B_WITH(CONF_IKE REAUTH, CHILDREN_B), false);
	uint64_t at_a = lab_sa(&lab->a)->reauth_ms, at_b = lab_sa(&lab->b)->reauth_ms;
	uint32_t id = lab_sa(&lab->a)->log.id;

	ike_sa_rekey(lab_sa(&lab->b)); /* who initiated the new one is not who is to reauthenticate */
	lab_run(lab);
	ck_assert_uint_ne(lab_sa(&lab->a)->log.id, id);
	ck_assert(!lab_sa(&lab->a)->initiator && lab_sa(&lab->a)->origin && !lab_sa(&lab->b)->origin);
	ck_assert_uint_eq(lab_sa(&lab->a)->reauth_ms, at_a);
	ck_assert_uint_eq(lab_sa(&lab->b)->reauth_ms, at_b);
	id = lab_sa(&lab->a)->log.id;
	lab_advance(lab, at_a - lab->now);
	expect_anew(lab, id);
	ck_assert(lab_sa(&lab->a)->initiator);
	lab_free(lab);
}
END_TEST

/* ---- what cannot be ---- */

START_TEST(without_children)
{
	struct lab *lab = lab_new(CONF_A, CONF_B_WITH(CONF_IKE "\n childless = never", CHILD_B("one", "1", ESP)));
	struct ike_sa *sa;

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	sa = lab_sa(&lab->a);
	ike_sa_terminate_child(sa, sa->children, (struct sa_request){ 0 });
	lab_run(lab);
	ike_sa_reauth(sa);
	ck_assert_uint_eq(lab->n_packets, 0);
	ck_assert_uint_eq(sa->state, IKE_STATE_ESTABLISHED);
	lab_free(lab);
}
END_TEST

START_TEST(childless)
{
	struct lab *lab = lab_new(CONF_A, CONF_B);
	uint32_t id;

	lab_initiate(&lab->a, NULL);
	lab_run(lab);
	id = lab_sa(&lab->a)->log.id;
	ike_sa_reauth(lab_sa(&lab->a));
	lab_run(lab);
	ck_assert_uint_ne(lab_sa(&lab->a)->log.id, id);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	lab_free(lab);
}
END_TEST

/* ---- AUTH_LIFETIME ---- */

static const char conf_b_lifetime[] = CONF_B_WITH(CONF_IKE REAUTH, CHILDREN_B);

START_TEST(lifetime_is_obeyed)
{
	struct lab *lab = lab_up(CONF_A, conf_b_lifetime, false);
	struct ike_sa *sa = lab_sa(&lab->a);
	uint32_t id = sa->log.id;

	/* RFC 4478, 2: within the time; before it by a margin, a tenth here (over_time is 10 % of 4 h) or more */
	ck_assert_uint_ge(sa->reauth_ms, lab->now + 20000);
	ck_assert_uint_le(sa->reauth_ms, lab->now + 90000);
	ck_assert_uint_le(sa->over_ms, lab->now + 100000);
	ck_assert_uint_eq(lab_sa(&lab->b)->reauth_ms, lab->now + 100000);
	lab_advance(lab, sa->reauth_ms - lab->now);
	expect_anew(lab, id);
	ck_assert_uint_ne(lab_sa(&lab->a)->reauth_ms, 0);
	lab_free(lab);
}
END_TEST

/* RFC 4478, 5: our own policy may be stricter. */
START_TEST(lifetime_longer_than_ours)
{
	struct lab *lab = lab_up(CONF_A_WITH(CONF_IKE "\n reauth_time = 30s\n over_time = 5s\n rand_time = 0", CHILDREN_A), conf_b_lifetime, true);

	ck_assert_uint_eq(lab_sa(&lab->a)->reauth_ms, lab->now + 30000);
	lab_free(lab);
}
END_TEST

/* RFC 4478, 2: if it lets the time pass it is told to go. */
START_TEST(lifetime_is_not_obeyed)
{
	struct lab *lab = lab_up(CONF_A, conf_b_lifetime, false);

	lab_sa(&lab->a)->reauth_ms = lab_sa(&lab->a)->over_ms = 0; /* a peer that knows nothing of it */
	lab_advance(lab, 100100);
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->b), 1);
	lab_advance(lab, 20000);
	lab_run(lab);
	ck_assert_uint_eq(lab_live(&lab->a) + lab_live(&lab->b), 0);
	lab_free(lab);
}
END_TEST

/* The responder's operator wants it: an INFORMATIONAL with lifetime 0. */
START_TEST(lifetime_zero)
{
	struct lab *lab = lab_up(CONF_A, CONF_B, true);
	uint32_t id = lab_sa(&lab->a)->log.id;

	lab_advance(lab, 5000);
	ike_sa_reauth(lab_sa(&lab->b));
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->log.id, id);
	lab_advance(lab, 1);
	expect_anew(lab, id);
	lab_free(lab);
}
END_TEST

/* RFC 4478, 2: it may be sent again when the policy changes. */
START_TEST(lifetime_changes)
{
	struct lab *lab = lab_up(CONF_A, CONF_B, false);
	uint32_t id = lab_sa(&lab->a)->log.id;

	ck_assert_uint_eq(lab_sa(&lab->a)->reauth_ms, 0);
	lab_advance(lab, 30000);
	ike_sa_set_reauth_time(lab_sa(&lab->b), 60);
	lab_run(lab);
	ck_assert_uint_gt(lab_sa(&lab->a)->reauth_ms, lab->now);
	ck_assert_uint_le(lab_sa(&lab->a)->reauth_ms, lab->now + 30000);
	lab_advance(lab, 30000);
	expect_anew(lab, id);
	lab_free(lab);
}
END_TEST

/* What is malformed, or comes from who may not send it, changes nothing. _i: which */
START_TEST(lifetime_is_ignored)
{
	static const uint8_t data[5];
	struct lab *lab = lab_up(CONF_A, CONF_B, false);
	struct lab_end *from = _i == 2 ? &lab->a : &lab->b;
	struct ike_sa *sa = lab_sa(from), *to = lab_sa(from == &lab->a ? &lab->b : &lab->a);
	static uint8_t out[256];
	struct builder b = builder_of(out, sizeof(out));

	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_AUTH_LIFETIME, bytes_of(data, _i == 0 ? 3 : _i == 1 ? 5 : 4));
	lab_inject(from, sa, EXCHANGE_INFORMATIONAL, false, sa->out.next++, &b);
	lab_run(lab);
	ck_assert_uint_eq(to->reauth_ms, 0);
	ck_assert_uint_eq(to->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(to->in.next, sa->out.next); /* it was answered */
	lab_free(lab);
}
END_TEST

/* A lifetime of 0 in each IKE_AUTH does not make a loop without a pause. */
START_TEST(lifetime_has_a_floor)
{
	static const uint8_t data[4];
	struct lab *lab = lab_up(CONF_A, CONF_B, false);
	struct ike_sa *sa = lab_sa(&lab->b);
	static uint8_t out[256];
	struct builder b = builder_of(out, sizeof(out));

	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_AUTH_LIFETIME, bytes_of(data, 4));
	lab_inject(&lab->b, sa, EXCHANGE_INFORMATIONAL, false, sa->out.next++, &b);
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->reauth_ms, lab_sa(&lab->a)->established_ms + LIMIT_REAUTH_MIN_MS);
	lab_free(lab);
}
END_TEST

/* ---- names ---- */

#define CONF_NAME(IKE)                                                                                   \
	"connections { net { version = 2\n local_addrs = 192.0.2.1\n remote_addrs = gw.test\n" CONF_IKE IKE \
	"\n local { auth = psk\n id = a.test }\n remote { auth = psk\n id = b.test }\n"                 \
	" children { " CHILDREN_A " } } }\n" CONF_SECRET

static void expect_called(struct lab *lab, const char *addr)
{
	ck_assert_uint_ge(lab->n_packets, 1);
	ck_assert_str_eq(addr_format(&lab->packets[lab->n_packets - 1].local).s, addr);
	while (lab->n_packets)
		lab_drop(lab);
}

/* All retransmits of an attempt are lost. */
static void until_resolving(struct lab *lab, unsigned n)
{
	for (unsigned i = 0; i < 400 && lab->a.resolves < n; i++) {
		while (lab->n_packets)
			lab_drop(lab);
		lab_advance(lab, 1000);
	}
	ck_assert_uint_eq(lab->a.resolves, n);
	ck_assert_uint_eq(lab->n_packets, 0);
}

START_TEST(names_each_attempt)
{
	struct lab *lab = lab_new(CONF_NAME("\n keyingtries = 0"), CONF_B);

	lab_initiate(&lab->a, "one");
	ck_assert_uint_eq(lab->a.resolves, 1);
	lab_resolved(&lab->a, "192.0.2.7 192.0.2.8");
	expect_called(lab, "192.0.2.7");
	until_resolving(lab, 2);
	/* the next one of the list, however the answer is ordered */
	lab_resolved(&lab->a, "192.0.2.8 192.0.2.7");
	expect_called(lab, "192.0.2.8");
	until_resolving(lab, 3);
	lab_resolved(&lab->a, "192.0.2.7 192.0.2.8");
	expect_called(lab, "192.0.2.7");
	until_resolving(lab, 4);
	/* no answer of the resolver: the address that is known */
	lab_resolved(&lab->a, "");
	expect_called(lab, "192.0.2.7");
	until_resolving(lab, 5);
	lab_resolved(&lab->a, "192.0.2.2");
	lab_run(lab);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 1);
	lab_free(lab);
}
END_TEST

START_TEST(names_without_address)
{
	struct lab *lab = lab_new(CONF_NAME(""), CONF_B);
	uint64_t r = lab_initiate(&lab->a, "one");

	lab_resolved(&lab->a, "");
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_RESOLVE);
	lab_advance(lab, 1);
	/* looked up again by and by, if the settings say so */
	lab->a.ctx.options.retry_initiate_interval = 20;
	r = lab_initiate(&lab->a, "one");
	for (unsigned i = 0; i < 3; i++) {
		lab_resolved(&lab->a, "");
		ck_assert_uint_eq(lab->a.requests[r].done, 0);
		lab_advance(lab, 19000);
		ck_assert_uint_eq(lab->a.resolves, 2 + i);
		lab_advance(lab, 1100);
		ck_assert_uint_eq(lab->a.resolves, 3 + i);
	}
	/* a second child meanwhile waits with the first */
	lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	ck_assert_uint_eq(lab->n_packets, 0);
	lab_resolved(&lab->a, "192.0.2.2");
	lab_run(lab);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_NONE);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 2);
	lab_free(lab);
}
END_TEST

/* An answer that comes too late, or twice, is nobody's. */
START_TEST(names_late_answer)
{
	struct lab *lab = lab_new(CONF_NAME(""), CONF_B);

	lab_initiate(&lab->a, "one");
	lab_resolved(&lab->a, "192.0.2.2");
	lab_resolved(&lab->a, "192.0.2.9");
	lab_deliver(lab);
	lab_resolved(&lab->a, "");
	lab_run(lab);
	lab_resolved(&lab->a, "192.0.2.9");
	ck_assert_str_eq(addr_format(&lab_sa(&lab->a)->remote).s, "192.0.2.2");
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 1);
	lab_free(lab);
}
END_TEST

Suite *reauth_suite(void)
{
	Suite *s = suite_create("exchange/reauth");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, break_make);
	tcase_add_test(t, break_make_by_order);
	tcase_add_loop_test(t, break_make_loss, 0, 3);
	tcase_add_test(t, break_make_silent);
	tcase_add_test(t, break_make_crossing_delete);
	tcase_add_test(t, break_make_terminated);
	tcase_add_test(t, break_make_takes_the_queue_along);
	tcase_add_test(t, break_make_fails);
	tcase_add_loop_test(t, make_break, 0, 2);
	tcase_add_loop_test(t, make_break_loss, 0, 8);
	tcase_add_test(t, make_break_replace);
	tcase_add_test(t, make_break_tries_again);
	tcase_add_test(t, make_break_hard_lifetime);
	tcase_add_test(t, make_break_child_fails);
	tcase_add_test(t, make_break_child_meanwhile);
	tcase_add_loop_test(t, make_break_old_closed, 0, 7);
	tcase_add_loop_test(t, make_break_terminated, 0, 6);
	tcase_add_test(t, make_break_new_closed);
	tcase_add_loop_test(t, rekeyed_meanwhile_make, 0, 16);
	tcase_add_loop_test(t, rekeyed_meanwhile_break, 0, 8);
	tcase_add_test(t, lifetime_after_rekeying);
	tcase_add_test(t, without_children);
	tcase_add_test(t, childless);
	tcase_add_test(t, lifetime_is_obeyed);
	tcase_add_test(t, lifetime_longer_than_ours);
	tcase_add_test(t, lifetime_is_not_obeyed);
	tcase_add_test(t, lifetime_zero);
	tcase_add_test(t, lifetime_changes);
	tcase_add_loop_test(t, lifetime_is_ignored, 0, 3);
	tcase_add_test(t, lifetime_has_a_floor);
	tcase_add_test(t, names_each_attempt);
	tcase_add_test(t, names_without_address);
	tcase_add_test(t, names_late_answer);
	suite_add_tcase(s, t);
	return s;
}
