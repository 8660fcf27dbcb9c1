/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "confs.h"
#include "lab.h"
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
	} while (choices_next(&c) && runs < 6000);
	ck_assert_uint_gt(both, 0);
	ck_assert_uint_gt(won[0], 0);
	ck_assert_uint_gt(won[1], 0);
	if (getenv("LAB_COUNT"))
		fprintf(stderr, "rekeyings_cross %d: %u runs, %u with two successors\n", _i, runs, both);
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
	tcase_add_loop_test(t, rekey_lossy, 0, 16);
	tcase_add_loop_test(t, rekeyings_cross, 0, 8);
	suite_add_tcase(s, t);
	return s;
}
