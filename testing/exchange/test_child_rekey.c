/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "confs.h"
#include "lab.h"
#include "sa/task.h"
#include "suites.h"

/*
 * Rekeying of CHILD_SAs: what is made, what is refused, and all orders in which two rekeyings, and a Delete, can cross. While
 * nobody closes anything, each end has one CHILD_SA at any time that the other end can receive on.
 */

#define RK "rekey_time = 1000\n life_time = 1100\n rand_time = 0\n"
#define CONF_A_RK(MORE) CONF_A_WITH(CONF_IKE "\n rekey_time = 0", CHILD_A("one", "1", RK MORE) CHILD_A("two", "2", ESP "\n rekey_time = 0"))
#define CONF_B_RK(MORE) CONF_B_WITH(CONF_IKE "\n rekey_time = 0", CHILD_B("one", "1", RK MORE) CHILD_B("two", "2", ESP "\n rekey_time = 0"))

static struct lab *rekey_up(const char *conf_a, const char *conf_b)
{
	struct lab *lab = lab_new(conf_a, conf_b);

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab->a.kernel_children, 1);
	ck_assert_uint_eq(lab->b.kernel_children, 1);
	return lab;
}

static struct lab_end *end_of(struct lab *lab, int i)
{
	return i & 1 ? &lab->b : &lab->a;
}

static struct child_sa *child_in(struct lab_end *e, enum child_state state)
{
	for (struct child_sa *c = lab_sa(e)->children; c; c = c->next)
		if (c->state == state)
			return c;
	return NULL;
}

static void rekey(struct lab_end *e)
{
	struct child_sa *c = child_in(e, CHILD_STATE_INSTALLED);

	ck_assert_ptr_nonnull(c);
	ike_sa_rekey_child(lab_sa(e), c);
}

static void expect_flows(struct lab *lab)
{
	unsigned lost;

	ck_assert_uint_ge(lab_carried(&lab->a, &lost), 1);
	ck_assert_uint_eq(lost, 0);
	ck_assert_uint_ge(lab_carried(&lab->b, &lost), 1);
	ck_assert_uint_eq(lost, 0);
}

static void run(struct lab *lab)
{
	while (lab->n_packets || lab->a.n_pending || lab->b.n_pending) {
		while (lab->n_packets) {
			lab_deliver(lab);
			expect_flows(lab);
		}
		while (lab->a.n_pending)
			lab_kernel_complete(&lab->a, KERNEL_OK);
		while (lab->b.n_pending)
			lab_kernel_complete(&lab->b, KERNEL_OK);
		expect_flows(lab);
	}
}

/* After the lingering of the old: n CHILD_SAs, the same at both ends, and nothing left to do. */
static void expect_rest(struct lab *lab, unsigned n)
{
	struct ike_sa *a = lab_sa(&lab->a), *b = lab_sa(&lab->b);

	lab_advance(lab, 5001);
	run(lab);
	ck_assert(a && b && !a->queued && !a->active && !a->outstanding && !b->queued && !b->active && !b->outstanding);
	ck_assert_uint_eq(lab->a.kernel_children, n);
	ck_assert_uint_eq(lab->b.kernel_children, n);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), n);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), n);
	for (struct child_sa *c = a->children; c; c = c->next) {
		struct child_sa *t = ike_sa_child_by_spi_out(b, c->spi_in);

		ck_assert(t && t->spi_in == c->spi_out && t->announced && c->announced && !c->successor && !t->successor);
	}
	expect_flows(lab);
}

static void expect_events(struct lab_end *e, unsigned up, unsigned rekeyed, unsigned down)
{
	ck_assert_uint_eq(lab_count(e, SA_EVENT_CHILD_UP), up);
	ck_assert_uint_eq(lab_count(e, SA_EVENT_CHILD_REKEY), rekeyed);
	ck_assert_uint_eq(lab_count(e, SA_EVENT_CHILD_DOWN), down);
}

/* ---- one rekeying ---- */

/* _i: bit 0 who, bit 1 a's backend is slow, bit 2 b's, bit 3 with a key exchange */
START_TEST(rekey_once)
{
	const char *esp = _i & 8 ? ESP : "esp_proposals = aes128gcm16";
	char conf_a[1024], conf_b[1024];
	struct lab *lab;
	uint32_t reqid_a, reqid_b, spi;

	snprintf(conf_a, sizeof(conf_a), CONF_A_WITH(CONF_IKE, CHILD_A("one", "1", RK "%s")), esp);
	snprintf(conf_b, sizeof(conf_b), CONF_B_WITH(CONF_IKE, CHILD_B("one", "1", RK "%s")), esp);
	lab = rekey_up(conf_a, conf_b);
	reqid_a = lab_sa(&lab->a)->children->reqid;
	reqid_b = lab_sa(&lab->b)->children->reqid;
	spi = lab_sa(&lab->a)->children->spi_in;
	lab->a.kernel_async = _i & 2;
	lab->b.kernel_async = _i & 4;
	rekey(end_of(lab, _i));
	run(lab);
	/* late packets are taken for a while */
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_DELETED), 1);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_DELETED), 1);
	ck_assert_uint_eq(lab->a.kernel_children, 2);
	expect_rest(lab, 1);
	expect_events(&lab->a, 1, 1, 0);
	expect_events(&lab->b, 1, 1, 0);
	ck_assert_uint_eq(lab_sa(&lab->a)->children->reqid, reqid_a);
	ck_assert_uint_eq(lab_sa(&lab->b)->children->reqid, reqid_b);
	ck_assert_uint_ne(lab_sa(&lab->a)->children->spi_in, spi);
	ck_assert_uint_eq(lab_sa(&lab->a)->children->suite.ke, _i & 8 ? KE_CURVE_25519 : KE_NONE);
	ck_assert_uint_eq(lab_sa(&lab->b)->children->own_ke, _i & 8 ? 1 : 0);
	lab_free(lab);
}
END_TEST

/* By its time, again and again; the other side never needs to. */
START_TEST(rekey_by_time)
{
	struct lab *lab = rekey_up(CONF_A_RK(ESP), CONF_B_WITH(CONF_IKE, CHILD_B("one", "1", ESP "\n rekey_time = 0")));

	for (unsigned i = 1; i <= 3; i++) {
		lab_advance(lab, 1000001);
		run(lab);
		expect_rest(lab, 1);
		expect_events(&lab->a, 1, i, 0);
		expect_events(&lab->b, 1, i, 0);
	}
	lab_free(lab);
}
END_TEST

/* rekey_time 0: only the backend's event, for bytes, packets and sequence numbers, rekeys it */
START_TEST(rekey_by_backend)
{
	struct lab *lab = rekey_up(CONF_A_WITH(CONF_IKE "\n rekey_time = 0", CHILD_A("one", "1", ESP "\n rekey_time = 0")),
				   CONF_B_WITH(CONF_IKE "\n rekey_time = 0", CHILD_B("one", "1", ESP "\n rekey_time = 0")));
	struct lab_end *e = end_of(lab, _i);

	lab_advance(lab, 100000000);
	ck_assert_uint_eq(lab->n_packets, 0);
	ike_sa_child_expired(lab_sa(e), lab_sa(e)->children, false);
	ike_sa_child_expired(lab_sa(e), lab_sa(e)->children, false);
	run(lab);
	expect_rest(lab, 1);
	expect_events(&lab->a, 1, 1, 0);
	expect_events(&lab->b, 1, 1, 0);
	lab_free(lab);
}
END_TEST

/* Somebody else has removed the SAs from the kernel: new ones with new keys, once, however often it is told. _i: who */
START_TEST(rekey_of_what_is_gone)
{
	struct lab *lab = rekey_up(CONF_A_RK(ESP), CONF_B_RK(ESP));
	struct lab_end *e = end_of(lab, _i);
	uint32_t spi = lab_sa(e)->children->spi_in;

	ike_sa_child_gone(lab_sa(e), lab_sa(e)->children);
	ike_sa_child_gone(lab_sa(e), lab_sa(e)->children); /* of the other direction */
	lab_deliver(lab);
	lab_deliver(lab);
	for (struct child_sa *c = lab_sa(e)->children; c; c = c->next)
		if (c->spi_in == spi)
			ike_sa_child_gone(lab_sa(e), c); /* what is on its way out is not missed */
	run(lab);
	expect_rest(lab, 1);
	ck_assert_uint_ne(lab_sa(e)->children->spi_in, spi);
	expect_events(&lab->a, 1, 1, 0);
	expect_events(&lab->b, 1, 1, 0);
	lab_free(lab);
}
END_TEST

/* Each of the four messages is lost once, or comes twice. _i: who, which, how */
START_TEST(rekey_lossy)
{
	struct lab *lab = rekey_up(CONF_A_RK(ESP), CONF_B_RK(ESP));

	rekey(end_of(lab, _i));
	for (int i = 0; i < _i / 2 % 4; i++) {
		lab_deliver(lab);
		expect_flows(lab);
	}
	if (_i / 8)
		lab_repeat(lab);
	else
		lab_drop(lab);
	expect_flows(lab);
	lab_advance(lab, 4100);
	run(lab);
	expect_rest(lab, 1);
	expect_events(&lab->a, 1, 1, 0);
	expect_events(&lab->b, 1, 1, 0);
	lab_free(lab);
}
END_TEST

/* ---- two that cross ---- */

/* The nonces of a CREATE_CHILD_SA message under way, lowest of both directions by exchange (the initiator's SPI tells whose). */
struct seen {
	uint8_t lowest[2][32]; /* of the exchanges that a and b began */
	bool any[2], answered[2]; /* answered: successfully */
};

static void see(struct lab *lab, size_t i, struct seen *s)
{
	struct arena arena = { 0 };
	struct ike_header h;
	struct payload_list in;
	struct payload *nonce;
	unsigned who;

	lab_peek(lab, i, &arena, &h, &in);
	nonce = payload_find(&in, PAYLOAD_NONCE, NULL);
	/* a request from a, or the answer to it */
	who = (lab->packets[i].to == &lab->b) == !(h.flags & IKE_FLAG_RESPONSE) ? 0 : 1;
	if (h.exchange == EXCHANGE_CREATE_CHILD_SA && nonce) {
		ck_assert_uint_eq(nonce->nonce.n, 32);
		if (!s->any[who] || memcmp(nonce->nonce.p, s->lowest[who], 32) < 0)
			memcpy(s->lowest[who], nonce->nonce.p, 32);
		s->any[who] = true;
		s->answered[who] |= (h.flags & IKE_FLAG_RESPONSE) != 0;
	}
	arena_free(&arena);
}

/* A sequence of choices, counted up like a number with digits of different bases: so all of them come to their turn. */
#define CHOICES 24
struct choices {
	uint8_t digit[CHOICES], base[CHOICES];
	unsigned n, at;
};

static unsigned choose(struct choices *c, unsigned base)
{
	if (c->at == CHOICES || base < 2)
		return 0;
	if (c->at == c->n) {
		c->digit[c->n] = 0;
		c->base[c->n++] = (uint8_t)base;
	}
	return c->digit[c->at++];
}

static bool choices_next(struct choices *c)
{
	c->at = 0;
	while (c->n && ++c->digit[c->n - 1] == c->base[c->n - 1])
		c->n--;
	return c->n > 0;
}

/* One step of net or backends. */
static void cross_step(struct lab *lab, struct choices *c, unsigned *losses, struct seen *s)
{
	unsigned n = (unsigned)lab->n_packets, pending = (lab->a.n_pending > 0) + (lab->b.n_pending > 0);
	unsigned what = choose(c, n + pending);

	if (what >= n) {
		lab_kernel_complete(lab->a.n_pending && what == n ? &lab->a : &lab->b, KERNEL_OK);
		return;
	}
	lab_choose(lab, what);
	see(lab, 0, s);
	if (*losses && choose(c, 2)) {
		(*losses)--;
		lab_drop(lab);
	} else {
		lab_deliver(lab);
	}
}

static void cross_run(struct lab *lab, struct choices *c, unsigned losses, struct seen *s)
{
	for (unsigned i = 0; i < 60; i++) {
		if (lab->n_packets || lab->a.n_pending || lab->b.n_pending)
			cross_step(lab, c, &losses, s);
		else if (lab_sa(&lab->a)->outstanding || lab_sa(&lab->b)->outstanding)
			lab_advance(lab, 4100);
		else
			return;
		expect_flows(lab);
	}
	ck_abort_msg("it never ends");
}

/*
 * Both rekey at once: every order of delivery, slow backends, one loss. One CHILD_SA stays, the same at both ends, and by the rule:
 * the redundant one is that of the lowest nonce. _i: bit 0 a's backend is slow, bit 1 b's, bit 2 a packet may be lost.
 */
START_TEST(rekeyings_cross)
{
	struct choices c = { .n = 0 };
	unsigned runs = 0, both = 0, won[2] = { 0 };

	do {
		struct lab *lab = rekey_up(CONF_A_RK("esp_proposals = aes128gcm16"), CONF_B_RK("esp_proposals = aes128gcm16"));
		struct seen s = { 0 };
		struct child_sa *left;

		lab->a.kernel_async = _i & 1;
		lab->b.kernel_async = _i & 2;
		crypto_ctx_seed(lab->a.ctx.crypto, runs * 2);
		crypto_ctx_seed(lab->b.ctx.crypto, runs * 2 + 1);
		rekey(&lab->a);
		rekey(&lab->b);
		cross_run(lab, &c, _i & 4 ? 1 : 0, &s);
		expect_rest(lab, 1);
		ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_CHILD_UP) + lab_count(&lab->b, SA_EVENT_CHILD_UP), 2);
		ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_CHILD_DOWN) + lab_count(&lab->b, SA_EVENT_CHILD_DOWN), 0);
		left = child_in(&lab->a, CHILD_STATE_INSTALLED);
		ck_assert_uint_ne(left->initiator, child_in(&lab->b, CHILD_STATE_INSTALLED)->initiator);
		if (s.answered[0] && s.answered[1]) {
			bool a_redundant = memcmp(s.lowest[0], s.lowest[1], 32) < 0;

			both++;
			ck_assert_uint_eq(left->initiator, !a_redundant);
		}
		won[left->initiator]++;
		lab_free(lab);
		runs++;
	} while (choices_next(&c) && runs < 1500);
	ck_assert_uint_gt(both, 0);
	ck_assert_uint_gt(won[0], 0);
	ck_assert_uint_gt(won[1], 0);
	if (getenv("LAB_COUNT"))
		fprintf(stderr, "rekeyings_cross %d: %u runs, %u with two successors\n", _i, runs, both);
}
END_TEST

/* The same while a's backend refuses to install (_i 0), gives no SPI (1), or b's (2, 3): at worst all stays as it was. */
START_TEST(failing_backends_cross)
{
	struct choices c = { .n = 0 };
	unsigned runs = 0;

	do {
		struct lab *lab = rekey_up(CONF_A_RK("esp_proposals = aes128gcm16"), CONF_B_RK("esp_proposals = aes128gcm16"));
		struct lab_end *bad = end_of(lab, _i / 2);
		struct seen s = { 0 };

		rekey(&lab->a);
		rekey(&lab->b);
		bad->kernel_fail_install = !(_i & 1);
		bad->kernel_fail_spi = _i & 1;
		cross_run(lab, &c, 1, &s);
		bad->kernel_fail_install = bad->kernel_fail_spi = false;
		lab_advance(lab, 0);
		ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
		ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 1);
		/* and it is tried again */
		for (unsigned i = 0; i < 3; i++) {
			lab_advance(lab, 5001);
			run(lab);
		}
		expect_rest(lab, 1);
		ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_CHILD_DOWN) + lab_count(&lab->b, SA_EVENT_CHILD_DOWN), 0);
		lab_free(lab);
		runs++;
	} while (choices_next(&c) && runs < 1500);
	ck_assert_uint_gt(runs, 20);
}
END_TEST

/* ---- with Deletes ---- */

/* As cross_run, while nothing has to flow. */
static void closing_run(struct lab *lab, struct choices *c, unsigned losses)
{
	struct seen s = { 0 };

	for (unsigned i = 0; i < 80; i++) {
		if (lab->n_packets || lab->a.n_pending || lab->b.n_pending)
			cross_step(lab, c, &losses, &s);
		else if (lab_sa(&lab->a)->outstanding || lab_sa(&lab->b)->outstanding)
			lab_advance(lab, 4100);
		else
			return;
	}
	ck_abort_msg("it never ends");
}

/*
 * The operator closes a CHILD_SA that is being rekeyed: by a, by b or by both; he closes it at the same end (bit 2) or at the other,
 * before all or after so many steps. In the end there is none, whichever packet came first, and he is told.
 */
START_TEST(closed_while_rekeyed)
{
	struct choices c = { .n = 0 };
	unsigned runs = 0;
	unsigned who = 1 + (unsigned)_i % 3;

	do {
		struct lab *lab = rekey_up(CONF_A_RK("esp_proposals = aes128gcm16"), CONF_B_RK("esp_proposals = aes128gcm16"));
		struct lab_end *closer = _i / 3 % 2 ? &lab->a : &lab->b;
		struct sa_request end = lab_request_new(closer);
		unsigned losses = 0, steps = (unsigned)_i / 6;
		struct seen s = { 0 };
		struct child_sa *child;

		if (who & 1)
			rekey(&lab->a);
		if (who & 2)
			rekey(&lab->b);
		for (unsigned i = 0; i < steps && lab->n_packets; i++)
			cross_step(lab, &c, &losses, &s);
		/* what list-sas shows as the one that is up */
		for (child = lab_sa(closer)->children; !child->announced; child = child->next)
			;
		ike_sa_terminate_child(lab_sa(closer), child, end);
		closing_run(lab, &c, 0);
		/* and what was put off is not done */
		for (unsigned i = 0; i < 6; i++) {
			lab_advance(lab, 2501);
			closing_run(lab, &c, 0);
		}
		ck_assert_uint_eq(lab->a.kernel_children + lab->b.kernel_children, 0);
		ck_assert_uint_eq(closer->requests[end.id].done, 1);
		ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_CHILD_DOWN), lab_count(&lab->a, SA_EVENT_CHILD_UP));
		ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_CHILD_DOWN), lab_count(&lab->b, SA_EVENT_CHILD_UP));
		lab_free(lab);
		runs++;
	} while (choices_next(&c) && runs < 2000);
}
END_TEST

/* ---- refusals ---- */

/* The peer's answer to the request of a that is under way is this notify and nothing else. */
static void answer_notify(struct lab *lab, unsigned notify, struct bytes data)
{
	struct ike_sa *b = lab_sa(&lab->b);
	uint32_t id = lab_sa(&lab->a)->outstanding->message_id;
	uint8_t buf[256];
	struct builder m = builder_of(buf, sizeof(buf));

	lab_drop(lab);
	builder_notify(&m, PROTOCOL_NONE, BYTES_NONE, notify, data);
	lab_inject(&lab->b, b, EXCHANGE_CREATE_CHILD_SA, true, id, &m);
	window_in_accept(&b->in, id);
	lab_deliver(lab);
}

/* Refused for good: the old one goes on, is tried again, ever more seldom, and closed at its hard limit. */
START_TEST(refused)
{
	static const unsigned notifies[] = { NOTIFY_NO_PROPOSAL_CHOSEN, NOTIFY_TS_UNACCEPTABLE, NOTIFY_NO_ADDITIONAL_SAS,
					     NOTIFY_INVALID_KE_PAYLOAD, NOTIFY_SINGLE_PAIR_REQUIRED, NOTIFY_FAILED_CP_REQUIRED,
					     NOTIFY_INTERNAL_ADDRESS_FAILURE, NOTIFY_INVALID_SELECTORS, 8191 };
	struct lab *lab = rekey_up(CONF_A_RK(ESP "\n start_action = start"),
				   CONF_B_WITH(CONF_IKE "\n rekey_time = 0", CHILD_B("one", "1", ESP "\n rekey_time = 0")));
	uint8_t group[2] = { 0, 14 };
	unsigned tries = 0, last = 0;

	for (unsigned s = 1; s < 1100; s++) {
		lab_advance(lab, 1000);
		if (!lab->n_packets)
			continue;
		answer_notify(lab, notifies[_i], bytes_of(group, notifies[_i] == NOTIFY_INVALID_KE_PAYLOAD ? 2 : 0));
		ck_assert_uint_eq(lab->n_packets, 0);
		expect_flows(lab);
		ck_assert_uint_eq(child_in(&lab->a, CHILD_STATE_INSTALLED)->rekey_failures, ++tries);
		last = s;
	}
	ck_assert_uint_ge(tries, 4);
	ck_assert_uint_le(tries, 15);
	ck_assert_uint_gt(last, 1040);
	expect_events(&lab->a, 1, 0, 0);
	lab_advance(lab, 2000);
	lab_run(lab);
	ck_assert_uint_eq(lab->a.kernel_children + lab->b.kernel_children, 0);
	expect_events(&lab->a, 1, 0, 1);
	expect_events(&lab->b, 1, 0, 1);
	ck_assert_uint_eq(lab->a.reinitiated, 1);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	lab_free(lab);
}
END_TEST

/* What really makes a peer refuse. 0 another key exchange, 1 the backend's SPI, 2 its install, 3 and 4 our own backend's */
START_TEST(refused_then_done)
{
	struct lab *lab = rekey_up(CONF_A_RK(ESP), CONF_B_RK("esp_proposals = aes128gcm16-x25519"));
	struct lab_end *bad = _i < 3 ? &lab->b : &lab->a;

	bad->kernel_fail_spi = _i == 1 || _i == 3;
	bad->kernel_fail_install = _i == 2 || _i == 4;
	rekey(&lab->a);
	run(lab);
	if (_i) {
		ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
		ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 1);
		expect_events(&lab->a, 1, 0, 0);
		/* control is not left with one that went away */
		ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_CHILD_REKEY) % 2, 0);
		ck_assert(child_in(&lab->b, CHILD_STATE_INSTALLED)->announced);
	}
	bad->kernel_fail_spi = bad->kernel_fail_install = false;
	lab_advance(lab, 5001);
	run(lab);
	expect_rest(lab, 1);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_CHILD_REKEY), 1);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_CHILD_DOWN) + lab_count(&lab->b, SA_EVENT_CHILD_DOWN), 0);
	lab_free(lab);
}
END_TEST

START_TEST(other_key_exchange)
{
	struct lab *lab = rekey_up(CONF_A_RK("esp_proposals = aes128gcm16-x25519-ecp256"), CONF_B_RK("esp_proposals = aes128gcm16-ecp256"));

	rekey(&lab->a);
	run(lab);
	expect_rest(lab, 1);
	ck_assert_uint_eq(lab_sa(&lab->a)->children->suite.ke, KE_ECP_256);
	/* the next time it is the first that is offered */
	rekey(&lab->a);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_deliver(lab);
	lab_deliver(lab);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_CHILD_REKEY), 2);
	run(lab);
	expect_rest(lab, 1);
	lab_free(lab);
}
END_TEST

/*
 * While a's backend is busy with what b made, a learns that its own attempt needs another method. _i 0: it is not needed
 * any more; 1: the IKE_SA goes
 */
START_TEST(other_key_exchange_too_late)
{
	struct lab *lab = rekey_up(CONF_A_RK("esp_proposals = aes128gcm16-x25519-ecp256"),
				   CONF_B_RK("esp_proposals = aes128gcm16-x25519-ecp256"));
	uint8_t method[2] = { 0, KE_ECP_256 };

	rekey(&lab->a);
	rekey(&lab->b);
	lab->a.kernel_async = true;
	lab_choose(lab, 1);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->a.n_pending, 1);
	answer_notify(lab, NOTIFY_INVALID_KE_PAYLOAD, bytes_of(method, 2));
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_RETRYING), 1);
	if (_i) {
		ike_sa_terminate(lab_sa(&lab->a), true, (struct sa_request){ 0 });
		ck_assert_uint_eq(lab_live(&lab->a), 0);
	} else {
		run(lab);
		expect_rest(lab, 1);
		expect_events(&lab->a, 1, 1, 0);
	}
	lab_free(lab);
}
END_TEST

/* No key exchange in common, which IKE_AUTH does not show. _i: who rekeys */
START_TEST(no_key_exchange_in_common)
{
	struct lab *lab = rekey_up(CONF_A_RK(ESP), CONF_B_RK("esp_proposals = aes128gcm16-ecp256"));

	rekey(end_of(lab, _i));
	run(lab);
	expect_rest(lab, 1);
	expect_events(&lab->a, 1, 0, 0);
	lab_free(lab);
}
END_TEST

/* RFC 7296, 2.25 MUST: not at once again, but later */
START_TEST(temporary_failure)
{
	struct lab *lab = rekey_up(CONF_A_RK(ESP), CONF_B_RK(ESP));

	rekey(&lab->a);
	for (unsigned i = 0; i < 3; i++) {
		answer_notify(lab, NOTIFY_TEMPORARY_FAILURE, BYTES_NONE);
		ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
		lab_advance(lab, 1900);
		ck_assert_uint_eq(lab->n_packets, 0);
		lab_advance(lab, 4200);
		ck_assert_uint_eq(lab->n_packets, 1);
	}
	run(lab);
	expect_rest(lab, 1);
	expect_events(&lab->a, 1, 1, 0);
	lab_free(lab);
}
END_TEST

/* The same for a new child: who asked for it waits. */
START_TEST(temporary_failure_of_new)
{
	struct lab *lab = rekey_up(CONF_A_RK(ESP), CONF_B_RK(ESP));
	uint64_t r = lab_add_child(&lab->a, lab_sa(&lab->a), "two");

	answer_notify(lab, NOTIFY_TEMPORARY_FAILURE, BYTES_NONE);
	ck_assert_uint_eq(lab->a.requests[r].done, 0);
	lab_advance(lab, 1900);
	ck_assert_uint_eq(lab->n_packets, 0);
	lab_advance(lab, 4200);
	lab_run(lab);
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_NONE);
	expect_rest(lab, 2);
	lab_free(lab);
}
END_TEST

/* RFC 7296, 2.25 SHOULD: silently deleted, and a new one asked for */
START_TEST(peer_lost_it)
{
	struct lab *lab = rekey_up(CONF_A_RK(ESP), CONF_B_RK(ESP));

	rekey(&lab->a);
	answer_notify(lab, NOTIFY_CHILD_SA_NOT_FOUND, BYTES_NONE);
	lab_run(lab);
	ck_assert_uint_eq(lab->a.kernel_children, 1);
	expect_events(&lab->a, 2, 0, 1);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
	lab_free(lab);
}
END_TEST

/* A request for what we do not have, or are closing. 0 unknown, 1 being closed, 2 replaced, 3 not of ESP */
START_TEST(peer_asks_wrongly)
{
	struct lab *lab = rekey_up(CONF_A_RK(ESP), CONF_B_RK(ESP));
	struct ike_sa *a = lab_sa(&lab->a), *b = lab_sa(&lab->b);
	uint8_t spi[4] = { 1, 2, 3, 4 }, buf[512];
	struct builder m = builder_of(buf, sizeof(buf));
	struct transform t = { .type = TRANSFORM_ENCR, .id = ENCR_AES_GCM_16, .key_bits = 128 };
	struct proposal p = { .protocol = PROTOCOL_ESP, .number = 1, .spi_len = 4, .spi = { 9, 9, 9, 9 }, .count = 1,
			      .transforms = &t };
	struct arena arena = { 0 };
	struct ike_header h;
	struct payload_list in;
	uint32_t old = a->children->spi_in;

	if (_i == 2) {
		rekey(&lab->a);
		lab_run(lab);
	}
	if (_i)
		for (int i = 0; i < 4; i++)
			spi[i] = (uint8_t)(old >> (24 - 8 * i));
	if (_i == 1)
		ike_sa_terminate_child(b, b->children, lab_request_new(&lab->b));
	while (lab->n_packets)
		lab_drop(lab);
	builder_notify(&m, _i == 3 ? PROTOCOL_AH : PROTOCOL_ESP, bytes_of(spi, 4), NOTIFY_REKEY_SA, BYTES_NONE);
	builder_sa(&m, (struct proposal_list){ 1, &p });
	builder_nonce(&m, bytes_of(buf, 32));
	builder_ts(&m, true, child_sa_local_ts(a->children));
	builder_ts(&m, false, child_sa_remote_ts(a->children));
	lab_inject(&lab->a, a, EXCHANGE_CREATE_CHILD_SA, false, a->out.next++, &m);
	lab_deliver(lab);
	lab_peek(lab, lab->n_packets - 1, &arena, &h, &in);
	ck_assert_uint_eq(in.count, 1);
	ck_assert_uint_eq(in.p[0].notify.type, _i == 1 ? NOTIFY_TEMPORARY_FAILURE : NOTIFY_CHILD_SA_NOT_FOUND);
	/* RFC 7296, 2.25: the SPI is copied */
	if (_i == 0)
		ck_assert(in.p[0].notify.protocol == PROTOCOL_ESP && in.p[0].notify.spi.n == 4 &&
			  memcmp(in.p[0].notify.spi.p, spi, 4) == 0);
	arena_free(&arena);
	lab_free(lab);
}
END_TEST

/* b rekeys what a asked for, before its answer has come to a: that it does not exist would be wrong. */
START_TEST(rekeyed_before_known)
{
	struct lab *lab = rekey_up(CONF_A_RK(ESP), CONF_B_RK(ESP));
	uint64_t r = lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	struct child_sa *c;

	lab_deliver(lab);
	lab_drop(lab);
	c = lab_sa(&lab->b)->children;
	ck_assert_str_eq(c->conf->name, "two");
	ike_sa_rekey_child(lab_sa(&lab->b), c);
	lab_run(lab);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 2);
	for (unsigned i = 0; i < 3; i++) {
		lab_advance(lab, 4100);
		lab_run(lab);
	}
	expect_rest(lab, 2);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_NONE);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_CHILD_REKEY), 1);
	lab_free(lab);
}
END_TEST

/*
 * a's backend refuses what b made and rekeys already; a's Delete of it is lost, and b's request comes first: a never had it. The
 * old one goes on, and nothing is set up beside it.
 */
START_TEST(rekeyed_before_given_up)
{
	struct lab *lab = rekey_up(CONF_A_RK(ESP), CONF_B_RK(ESP));
	struct ike_sa *b = lab_sa(&lab->b);

	rekey(&lab->a);
	lab_deliver(lab);
	lab_drop(lab);
	rekey(&lab->b);
	lab_run(lab); /* TEMPORARY_FAILURE: tried again later */
	lab->a.kernel_fail_install = true;
	for (unsigned i = 0; i < 100 && lab_children(&lab->b, CHILD_STATE_REKEYED); i++) {
		lab_advance(lab, 100);
		while (lab->n_packets)
			if (lab_sa(&lab->a)->active && lab_sa(&lab->a)->active->type == TASK_CHILD_DELETE &&
			    lab->packets[0].to == &lab->b && !b->outstanding)
				lab_drop(lab);
			else
				lab_deliver(lab);
	}
	lab->a.kernel_fail_install = false;
	/* both try again */
	for (unsigned i = 0; i < 4; i++) {
		lab_run(lab);
		lab_advance(lab, 5000);
	}
	lab_run(lab);
	expect_rest(lab, 1);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_CHILD_UP), 1);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_CHILD_DOWN), 0);
	lab_free(lab);
}
END_TEST

/* Whichever b closes while a's backend still sets up what a asked for: what b sent on it before is taken. _i: seed of the nonces */
START_TEST(late_packets_of_either)
{
	struct lab *lab = rekey_up(CONF_A_RK(ESP), CONF_B_RK(ESP));

	crypto_ctx_seed(lab->a.ctx.crypto, (uint64_t)_i);
	rekey(&lab->a);
	rekey(&lab->b);
	lab_deliver(lab);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 2); /* the answers, a's to b last */
	lab_choose(lab, 1);
	lab_deliver(lab);
	lab->a.kernel_async = true;
	lab_deliver(lab);
	ck_assert_uint_eq(lab->a.n_pending, 1);
	lab_deliver(lab);
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_DELETED), 1);
	ck_assert_uint_eq(lab->a.kernel_children, 3);
	run(lab);
	expect_rest(lab, 1);
	expect_events(&lab->a, 1, 1, 0);
	lab_free(lab);
}
END_TEST

/*
 * Both rekey; a's request is under way for so long that b closes the old one and rekeys what is in its place. That a's request was in
 * vain tells nobody of another CHILD_SA.
 */
START_TEST(crossed_and_rekeyed_again)
{
	struct lab *lab = rekey_up(CONF_A_RK(ESP), CONF_B_RK(ESP));
	struct lab_packet late;

	rekey(&lab->a);
	late = lab->packets[--lab->n_packets];
	rekey(&lab->b);
	lab_run(lab); /* with its Delete */
	lab->packets[lab->n_packets++] = late;
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 1);
	late = lab->packets[--lab->n_packets];
	rekey(&lab->b);
	lab_deliver(lab);
	lab_deliver(lab);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_CHILD_REKEY), 2);
	lab->packets[lab->n_packets++] = late;
	lab_choose(lab, lab->n_packets - 1);
	lab_deliver(lab);
	run(lab);
	expect_rest(lab, 1);
	expect_events(&lab->a, 1, 2, 0);
	expect_events(&lab->b, 1, 2, 0);
	lab_free(lab);
}
END_TEST

/* ---- the old one ---- */

/* The peer rekeys and never closes the old one: we do. */
START_TEST(never_closed)
{
	struct lab *lab = rekey_up(CONF_A_RK(ESP), CONF_B_RK(ESP));
	struct ike_sa *b = lab_sa(&lab->b);
	uint8_t buf[16];
	struct builder m = builder_of(buf, sizeof(buf));
	uint32_t id;

	rekey(&lab->a);
	lab_deliver(lab);
	lab_deliver(lab);
	/* a believes to have closed it */
	id = lab_sa(&lab->a)->outstanding->message_id;
	lab_drop(lab);
	lab_inject(&lab->b, b, EXCHANGE_INFORMATIONAL, true, id, &m);
	window_in_accept(&b->in, id);
	lab_run(lab);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_REKEYED), 1);
	lab_advance(lab, LIMIT_REPLACED_MS + 1);
	lab_run(lab);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_REKEYED), 0);
	expect_rest(lab, 1);
	expect_events(&lab->b, 1, 1, 0);
	lab_free(lab);
}
END_TEST

/* The hard limit comes while the answer is under way. _i: it is a success, or a refusal */
START_TEST(over_while_rekeyed)
{
	struct lab *lab = rekey_up(CONF_A_RK(ESP), CONF_B_RK(ESP));
	struct ike_sa *a = lab_sa(&lab->a);
	unsigned lost;

	rekey(&lab->a);
	ike_sa_child_expired(a, a->children->state == CHILD_STATE_REKEYING ? a->children : a->children->next, true);
	/* law 3: nothing goes out by it any more */
	ck_assert_uint_eq(lab_carried(&lab->a, &lost), 0);
	if (_i)
		answer_notify(lab, NOTIFY_NO_PROPOSAL_CHOSEN, BYTES_NONE);
	lab_run(lab);
	lab_advance(lab, 5001);
	lab_run(lab);
	ck_assert_uint_eq(lab->a.kernel_children, _i ? 0 : 1);
	ck_assert_uint_eq(lab->b.kernel_children, _i ? 0 : 1);
	lab_free(lab);
}
END_TEST

/* Without an SPI for the first child there is no IKE_AUTH, unless the peer takes one without (RFC 6023). _i: it does; slow backend */
START_TEST(no_spi_for_first)
{
	struct lab *lab = lab_new(CONF_A, _i & 1 ? CONF_B : CONF_B_WITH(CONF_IKE "\n childless = never", CHILD_B("one", "1", ESP)));
	uint64_t r;

	lab->a.kernel_fail_spi = !(_i & 2);
	lab->a.kernel_async = _i & 2;
	r = lab_initiate(&lab->a, "one");
	while (lab->n_packets || lab->a.n_pending) {
		lab_run(lab);
		if (lab->a.n_pending)
			lab_kernel_complete(&lab->a, KERNEL_FAILED);
		lab_advance(lab, 0);
	}
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_KERNEL);
	ck_assert_uint_eq(lab_live(&lab->a), _i & 1);
	ck_assert_uint_eq(lab->a.kernel_children + lab->b.kernel_children, 0);
	lab_free(lab);
}
END_TEST

Suite *child_rekey_suite(void)
{
	Suite *s = suite_create("exchange/child_rekey");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 300);
	tcase_add_loop_test(t, rekey_once, 0, 16);
	tcase_add_test(t, rekey_by_time);
	tcase_add_loop_test(t, rekey_by_backend, 0, 2);
	tcase_add_loop_test(t, rekey_of_what_is_gone, 0, 2);
	tcase_add_loop_test(t, rekey_lossy, 0, 16);
	tcase_add_loop_test(t, rekeyings_cross, 0, 8);
	tcase_add_loop_test(t, failing_backends_cross, 0, 4);
	tcase_add_loop_test(t, closed_while_rekeyed, 0, 30);
	tcase_add_loop_test(t, refused, 0, 9);
	tcase_add_loop_test(t, refused_then_done, 0, 5);
	tcase_add_test(t, other_key_exchange);
	tcase_add_loop_test(t, other_key_exchange_too_late, 0, 2);
	tcase_add_loop_test(t, no_key_exchange_in_common, 0, 2);
	tcase_add_test(t, temporary_failure);
	tcase_add_test(t, temporary_failure_of_new);
	tcase_add_test(t, peer_lost_it);
	tcase_add_loop_test(t, peer_asks_wrongly, 0, 4);
	tcase_add_test(t, rekeyed_before_known);
	tcase_add_test(t, rekeyed_before_given_up);
	tcase_add_loop_test(t, late_packets_of_either, 0, 6);
	tcase_add_test(t, crossed_and_rekeyed_again);
	tcase_add_test(t, never_closed);
	tcase_add_loop_test(t, over_while_rekeyed, 0, 2);
	tcase_add_loop_test(t, no_spi_for_first, 0, 4);
	suite_add_tcase(s, t);
	return s;
}
