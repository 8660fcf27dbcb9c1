/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "confs.h"
#include "lab.h"
#include "sa/collision.h"
#include "sa/kin.h"
#include "suites.h"

/* Rekeying of an IKE_SA (RFC 7296, 1.3.2, 2.8, 2.18 and 2.25.2): from both ends, through every loss, refusal and crossing. */

#define IKE_TIMES CONF_IKE "\n rekey_time = 1000s\n over_time = 200s\n rand_time = 0s\n reauth_time = 5000s"
#define TWO(SIDE) CHILD_##SIDE("one", "1", ESP) CHILD_##SIDE("two", "2", ESP)

static struct lab *rekey_up_with(const char *conf_a, const char *conf_b)
{
	struct lab *lab = lab_new(conf_a, conf_b);

	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_sa(&lab->b)->state, IKE_STATE_ESTABLISHED);
	return lab;
}

static struct lab *rekey_up(void)
{
	return rekey_up_with(CONF_A, CONF_B);
}

/* Both have the same single IKE_SA with the same n children; nothing is under way. */
static void expect_one(struct lab *lab, unsigned n)
{
	struct ike_sa *a = lab_sa(&lab->a), *b = lab_sa(&lab->b);

	lab_check(lab);
	ck_assert(a && b);
	ck_assert_uint_eq(a->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(b->state, IKE_STATE_ESTABLISHED);
	ck_assert(a->spi_i == b->spi_i && a->spi_r == b->spi_r && a->initiator != b->initiator);
	ck_assert(!a->active && !b->active && !kin_rival(a) && !kin_rival(b) && !kin_successor(a) && !kin_successor(b));
	ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), n);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), n);
	for (struct child_sa *c = a->children; c; c = c->next)
		ck_assert(ike_sa_child_by_spi_out(b, c->spi_in) && ike_sa_child_by_spi_out(b, c->spi_in)->spi_in == c->spi_out);
}

/* The tunnel went through all of it without having been down. */
static void expect_unharmed(struct lab *lab, unsigned rekeyed)
{
	struct lab_end *ends[] = { &lab->a, &lab->b };

	for (size_t i = 0; i < 2; i++) {
		ck_assert_uint_eq(lab_count(ends[i], SA_EVENT_IKE_UP), 1);
		ck_assert_uint_eq(lab_count(ends[i], SA_EVENT_IKE_DOWN), 0);
		ck_assert_uint_eq(lab_count(ends[i], SA_EVENT_CHILD_DOWN), 0);
		ck_assert_uint_eq(lab_count(ends[i], SA_EVENT_IKE_REKEY), rekeyed);
		ck_assert_uint_eq(ends[i]->reinitiated, 0);
	}
}

/* Keys and message ids are right: exchanges work from both sides, with children. */
static void expect_works(struct lab *lab)
{
	struct lab_end *ends[] = { &lab->a, &lab->b };
	unsigned n = lab_children(&lab->a, CHILD_STATE_INSTALLED);

	for (size_t i = 0; i < 2; i++) {
		struct ike_sa *sa = lab_sa(ends[i]);
		uint32_t next = sa->out.next;
		uint64_t r;

		ike_sa_probe(sa);
		lab_run(lab);
		ck_assert(!sa->outstanding && sa->out.next == next + 1);
		if (n > 1)
			continue;
		r = lab_add_child(ends[i], sa, "two");
		lab_run(lab);
		ck_assert_int_eq(ends[i]->requests[r].cause, CAUSE_NONE);
		ck_assert_uint_eq(ike_sa_count_children(sa), n + 1);
		for (struct child_sa *c = sa->children; c; c = c->next)
			if (strcmp(c->conf->name, "two") == 0) {
				ike_sa_terminate_child(sa, c, (struct sa_request){ 0 });
				break;
			}
		lab_run(lab);
	}
}

/* Runs net and time until nothing happens any more but deadlines that are far away. */
static void rekey_settle(struct lab *lab)
{
	for (unsigned i = 0; i < 40; i++) {
		lab_run(lab);
		lab_advance(lab, 2000);
	}
	lab_run(lab);
}

static void expect_gone(struct lab *lab)
{
	ck_assert_uint_eq(lab_live(&lab->a) + lab_live(&lab->b), 0);
	ck_assert_uint_eq(lab->a.kernel_children + lab->b.kernel_children, 0);
	lab_advance(lab, 10100);
	ck_assert_uint_eq(lab->a.n_sas + lab->b.n_sas, 0);
}

/* ---- one side ---- */

/* _i: who rekeys */
START_TEST(rekey_once)
{
	struct lab *lab = rekey_up_with(CONF_A_WITH(IKE_TIMES, TWO(A)), CONF_B_WITH(IKE_TIMES, TWO(B)));
	struct lab_end *ends[] = { &lab->a, &lab->b }, *e = ends[_i], *other = ends[!_i];
	uint64_t spi_i = lab_sa(e)->spi_i, spi_r = lab_sa(e)->spi_r, reauth_ms = lab_sa(e)->reauth_ms;
	uint32_t child = lab_sa(e)->children->id, id = lab_sa(e)->log.id;
	uint8_t d[64];
	unsigned sent = lab->sent;

	ck_assert_uint_le(lab_sa(e)->keys.d_len, sizeof(d));
	memcpy(d, ike_keys_d(&lab_sa(e)->keys), lab_sa(e)->keys.d_len);
	lab_advance(lab, 10000);
	ike_sa_rekey(lab_sa(e));
	ike_sa_rekey(lab_sa(e));
	ck_assert_uint_eq(lab_sa(e)->state, IKE_STATE_REKEYING);
	lab_run(lab);
	/* RFC 7296, 2.8: the exchange, then the old one is deleted by who rekeyed */
	ck_assert_uint_eq(lab->sent - sent, 4);
	expect_one(lab, 1);
	expect_unharmed(lab, 1);
	/* RFC 7296, 1.3.2: who rekeys is the original initiator of the successor; RFC 7296, 2.18 MUST: ids from 0 */
	ck_assert(lab_sa(e)->initiator && !lab_sa(other)->initiator);
	ck_assert_uint_eq(lab_sa(e)->out.next + lab_sa(e)->in.next + lab_sa(other)->out.next + lab_sa(other)->in.next, 0);
	ck_assert(lab_sa(e)->spi_i != spi_i && lab_sa(e)->spi_i != spi_r && lab_sa(e)->spi_r != spi_r);
	ck_assert_int_ne(memcmp(d, ike_keys_d(&lab_sa(e)->keys), lab_sa(e)->keys.d_len), 0);
	ck_assert_uint_eq(lab_sa(e)->children->id, child);
	ck_assert_uint_ne(lab_sa(e)->log.id, id);
	ck_assert_uint_eq(lab_sa(e)->origin_id, id);
	/* RFC 7296, 2.8.3: rekeying is not reauthentication */
	ck_assert_uint_eq(lab_sa(e)->reauth_ms, reauth_ms);
	ck_assert_uint_eq(lab_sa(e)->rekey_ms, lab->now + 1000000);
	ck_assert_uint_eq(lab_sa(e)->over_ms, lab->now + 1200000);
	expect_works(lab);
	lab_free(lab);
}
END_TEST

/* One message after the other is lost at first, or comes twice. _i: which, and then what */
START_TEST(rekey_through_loss)
{
	struct lab *lab = rekey_up();
	int which = _i / 2;

	ike_sa_rekey(lab_sa(&lab->a));
	for (int n = 0; lab->n_packets; n++) {
		if (n != which) {
			lab_deliver(lab);
		} else if (_i & 1) {
			lab_repeat(lab);
		} else {
			lab_drop(lab);
			lab_advance(lab, 4100);
		}
	}
	expect_one(lab, 1);
	expect_unharmed(lab, 1);
	expect_works(lab);
	lab_free(lab);
}
END_TEST

/* Nothing of a message that fails its check moves anything. */
START_TEST(rekey_forged)
{
	struct lab *lab = rekey_up();

	ike_sa_rekey(lab_sa(&lab->a));
	while (lab->n_packets) {
		size_t n_a = lab->a.n_sas, n_b = lab->b.n_sas;

		lab_forge(lab, 40);
		ck_assert(lab->a.n_sas == n_a && lab->b.n_sas == n_b);
		lab_deliver(lab);
	}
	expect_one(lab, 1);
	expect_unharmed(lab, 1);
	lab_free(lab);
}
END_TEST

/* The peer that rekeyed forgets to close the old one: it goes by itself and costs nothing. */
START_TEST(old_never_deleted)
{
	struct lab *lab = rekey_up();
	struct ike_sa *a = lab_sa(&lab->a);

	ike_sa_rekey(a);
	lab_deliver(lab);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_drop(lab);
	ike_sa_finish(a, IKE_EVENT_DESTROY, CAUSE_NONE, NULL);
	lab_advance(lab, 1);
	ck_assert_uint_eq(lab_live(&lab->b), 2);
	ike_sa_probe(lab_sa(&lab->a));
	lab_run(lab);
	lab_advance(lab, 29000);
	ck_assert_uint_eq(lab_live(&lab->b), 2);
	lab_advance(lab, 1100);
	expect_one(lab, 1);
	expect_unharmed(lab, 1);
	expect_works(lab);
	lab_free(lab);
}
END_TEST

/* The answer gets through only after a long time: the old IKE_SA is still there to repeat it. */
START_TEST(answer_very_late)
{
	struct lab *lab = rekey_up();

	ike_sa_rekey(lab_sa(&lab->a));
	lab_deliver(lab);
	for (unsigned i = 0; i < 50; i++) {
		while (lab->n_packets)
			if (lab->packets[0].to == &lab->b)
				lab_deliver(lab);
			else
				lab_drop(lab);
		lab_advance(lab, 1000);
	}
	rekey_settle(lab);
	expect_one(lab, 1);
	expect_unharmed(lab, 1);
	expect_works(lab);
	lab_free(lab);
}
END_TEST

/* Nothing comes back at all: a dead peer, as for every request; and nothing leaks at the other end. */
START_TEST(answer_never)
{
	struct lab *lab = rekey_up();

	ike_sa_rekey(lab_sa(&lab->a));
	for (unsigned i = 0; i < 400; i++) {
		while (lab->n_packets)
			if (lab->packets[0].to == &lab->b)
				lab_deliver(lab);
			else
				lab_drop(lab);
		lab_advance(lab, 1000);
	}
	expect_gone(lab);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_IKE_DOWN), 1);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_IKE_DOWN), 1);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_CHILD_DOWN), 1);
	lab_free(lab);
}
END_TEST

/* Again and again, from both ends, faster than the old ones go. */
START_TEST(many_times)
{
	struct lab *lab = rekey_up();

	for (unsigned i = 0; i < 12; i++) {
		struct lab_end *e = i % 3 ? &lab->a : &lab->b;

		for (size_t k = 0; k < e->n_sas; k++)
			if (e->sas[k]->state == IKE_STATE_ESTABLISHED) {
				ike_sa_rekey(e->sas[k]);
				break;
			}
		/* the Deletes are slow */
		for (unsigned n = 0; n < 2; n++) {
			lab_choose(lab, lab->n_packets - 1);
			lab_deliver(lab);
		}
	}
	lab_run(lab);
	expect_one(lab, 1);
	expect_unharmed(lab, 12);
	expect_works(lab);
	lab_free(lab);
}
END_TEST

/* The soft lifetime begins it; with the same time at both ends they collide, and agree. */
START_TEST(by_time)
{
	struct lab *lab = rekey_up_with(CONF_A_WITH(IKE_TIMES, TWO(A)), _i ? CONF_B_WITH(IKE_TIMES, TWO(B)) : CONF_B);

	lab_advance(lab, 999000);
	ck_assert_uint_eq(lab->n_packets, 0);
	lab_advance(lab, 1000);
	ck_assert_uint_eq(lab->n_packets, _i ? 2 : 1);
	rekey_settle(lab);
	expect_one(lab, 1);
	expect_unharmed(lab, 1);
	lab_advance(lab, 1000000);
	rekey_settle(lab);
	expect_one(lab, 1);
	expect_unharmed(lab, 2);
	lab_free(lab);
}
END_TEST

/* ---- refusals ---- */

/* In place of b: answers the request under way with a notify. */
static void rekey_answer(struct lab *lab, unsigned notify, unsigned data)
{
	uint8_t out[64], value[2] = { (uint8_t)(data >> 8), (uint8_t)data };
	struct builder b = builder_of(out, sizeof(out));
	struct ike_sa *sb = lab_sa(&lab->b);

	builder_notify(&b, PROTOCOL_NONE, BYTES_NONE, notify, bytes_of(value, data ? 2 : 0));
	lab_drop(lab);
	lab_inject(&lab->b, sb, EXCHANGE_CREATE_CHILD_SA, true, sb->in.next++, &b);
	lab_deliver(lab);
}

/* RFC 7296, 2.25 MUST NOT: TEMPORARY_FAILURE is not followed by the same at once */
START_TEST(refused_for_now)
{
	struct lab *lab = rekey_up();

	ike_sa_rekey(lab_sa(&lab->a));
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_uint_eq(lab->n_packets, 1);
		rekey_answer(lab, NOTIFY_TEMPORARY_FAILURE, 0);
		ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
		ck_assert_uint_eq(lab->n_packets, 0);
		lab_advance(lab, 1900);
		ck_assert_uint_eq(lab->n_packets, 0);
		lab_advance(lab, 4200);
	}
	lab_run(lab);
	expect_one(lab, 1);
	expect_unharmed(lab, 1);
	lab_free(lab);
}
END_TEST

/* Refused for good: the tunnel goes on, attempts are fewer and fewer, the hard lifetime ends it. _i: how */
START_TEST(refused)
{
	static const struct {
		unsigned notify, data;
	} how[] = { { NOTIFY_NO_ADDITIONAL_SAS, 0 }, { NOTIFY_NO_PROPOSAL_CHOSEN, 0 }, { NOTIFY_INVALID_KE_PAYLOAD, KE_MODP_2048 },
		    { NOTIFY_INVALID_KE_PAYLOAD, 0 }, { NOTIFY_INVALID_SELECTORS, 0 } };
	struct lab *lab = rekey_up_with(CONF_A_WITH(IKE_TIMES, CHILD_A("one", "1", ESP "\n start_action = start")), CONF_B);
	unsigned attempts = 0;
	uint64_t last = 0, pause = 0;

	lab_advance(lab, 1000000);
	last = lab->now;
	for (unsigned s = 0; s < 199; s++) {
		if (lab->n_packets) {
			ck_assert_uint_ge((lab->now - last) * 4, pause * 3);
			pause = lab->now - last;
			last = lab->now;
			attempts++;
			rekey_answer(lab, how[_i].notify, how[_i].data);
		}
		ck_assert_uint_eq(lab_sa(&lab->a)->state, IKE_STATE_ESTABLISHED);
		lab_advance(lab, 1000);
	}
	ck_assert(attempts >= 4 && attempts <= 7);
	expect_one(lab, 1);
	ck_assert_uint_eq(lab->a.reinitiated, 0);
	lab_advance(lab, 2000);
	lab_run(lab);
	ck_assert_uint_eq(lab->a.reinitiated, 1);
	expect_gone(lab);
	lab_free(lab);
}
END_TEST

/* RFC 7296, 1.3: INVALID_KE_PAYLOAD is followed, as often as is sensible. */
START_TEST(other_key_exchange)
{
#define KE_BOTH "proposals = aes128gcm16-prfsha256-x25519-ecp256"
	struct lab *lab = rekey_up_with(CONF_A_WITH(KE_BOTH, TWO(A)), CONF_B_WITH(KE_BOTH, TWO(B)));
	unsigned n = 0;

	ike_sa_rekey(lab_sa(&lab->a));
	if (_i == 0) {
		rekey_answer(lab, NOTIFY_INVALID_KE_PAYLOAD, KE_ECP_256);
		lab_run(lab);
		expect_one(lab, 1);
		expect_unharmed(lab, 1);
		ck_assert_uint_eq(lab_sa(&lab->a)->suite.ke, KE_ECP_256);
	} else {
		for (; lab->n_packets && n < 20; n++)
			rekey_answer(lab, NOTIFY_INVALID_KE_PAYLOAD, n % 2 ? KE_CURVE_25519 : KE_ECP_256);
		ck_assert_uint_eq(n, LIMIT_INVALID_KE_ROUNDS + 1);
		expect_one(lab, 1);
		expect_unharmed(lab, 0);
	}
	lab_free(lab);
}
END_TEST

/* ---- both sides ---- */

/* The nonces of packet i. */
static struct bytes nonce_of(struct lab *lab, size_t i, struct arena *a)
{
	struct ike_header h;
	struct payload_list in;

	lab_peek(lab, i, a, &h, &in);
	ck_assert_ptr_nonnull(payload_find(&in, PAYLOAD_NONCE, NULL));
	return payload_find(&in, PAYLOAD_NONCE, NULL)->nonce;
}

static struct lab *collide(unsigned seed)
{
	struct lab *lab = rekey_up();

	crypto_ctx_seed(lab->a.ctx.crypto, seed * 2 + 1);
	crypto_ctx_seed(lab->b.ctx.crypto, seed * 2 + 2);
	ike_sa_rekey(lab_sa(&lab->a));
	ike_sa_rekey(lab_sa(&lab->b));
	ck_assert_uint_eq(lab->n_packets, 2);
	return lab;
}

static struct ike_sa *undecided_of(struct lab_end *e)
{
	for (size_t i = 0; i < e->n_sas; i++)
		if (kin_rival(e->sas[i]) && kin_rival(e->sas[i])->sa == e->sas[i])
			return e->sas[i];
	return NULL;
}

/* RFC 7296, 2.8.2: both see it. Of the two new ones that with the lowest nonce is closed by who made it. */
START_TEST(both_see)
{
	struct lab *lab = collide(_i);
	struct collision_nonces na, nb;
	struct arena arena = { 0 };
	bool b_wins;

	na.i = nonce_of(lab, 0, &arena);
	nb.i = nonce_of(lab, 1, &arena);
	lab_deliver(lab);
	lab_deliver(lab);
	ck_assert(undecided_of(&lab->a) && undecided_of(&lab->b));
	na.r = nonce_of(lab, 0, &arena);
	nb.r = nonce_of(lab, 1, &arena);
	b_wins = collision_ours_redundant(na, nb);
	ck_assert(collision_ours_redundant(nb, na) != b_wins);
	lab_run(lab);
	expect_one(lab, 1);
	expect_unharmed(lab, 1);
	ck_assert(lab_sa(&lab->b)->initiator == b_wins);
	expect_works(lab);
	arena_free(&arena);
	lab_free(lab);
}
END_TEST

/* Only a sees it: its request is lost. _i & 1: it comes late, into b's closing; _i & 2: b's Delete is late */
START_TEST(one_sees)
{
	struct lab *lab = collide(_i);

	lab_drop(lab);
	lab_deliver(lab);
	ck_assert_ptr_nonnull(undecided_of(&lab->a));
	lab_deliver(lab); /* b has its answer and closes the old one */
	ck_assert_ptr_null(undecided_of(&lab->b));
	if (_i & 2)
		lab_drop(lab);
	if (_i & 1)
		lab_advance(lab, 4100);
	rekey_settle(lab);
	expect_one(lab, 1);
	expect_unharmed(lab, 1);
	ck_assert(lab_sa(&lab->b)->initiator);
	expect_works(lab);
	lab_free(lab);
}
END_TEST

/* Both requests arrive, the answer to a is lost at first: b decides before a can. */
START_TEST(one_decides_first)
{
	struct lab *lab = collide(_i);

	lab_deliver(lab);
	lab_deliver(lab);
	/* what goes to a: b's answer to a's request */
	if (lab->packets[0].to != &lab->a)
		lab_choose(lab, 1);
	ck_assert_ptr_eq(lab->packets[0].to, &lab->a);
	lab_drop(lab);
	lab_deliver(lab);
	rekey_settle(lab);
	lab_advance(lab, 40000);
	expect_one(lab, 1);
	expect_unharmed(lab, 1);
	expect_works(lab);
	lab_free(lab);
}
END_TEST

/* The answer to the side whose successor is redundant is lost: the other waits with closing the old IKE_SA, so that a repeat can
 * still tell, and nothing is left behind. */
START_TEST(winner_waits)
{
	struct lab *lab = collide(_i);
	struct collision_nonces na, nb;
	struct arena arena = { 0 };
	struct lab_end *loser;

	na.i = nonce_of(lab, 0, &arena);
	nb.i = nonce_of(lab, 1, &arena);
	lab_deliver(lab);
	lab_deliver(lab);
	na.r = nonce_of(lab, 0, &arena);
	nb.r = nonce_of(lab, 1, &arena);
	loser = collision_ours_redundant(na, nb) ? &lab->a : &lab->b;
	if (lab->packets[0].to != loser)
		lab_choose(lab, 1);
	lab_drop(lab);
	lab_run(lab);
	ck_assert_ptr_nonnull(undecided_of(loser));
	ck_assert_uint_eq(lab->n_packets, 0);
	lab_advance(lab, 4100);
	lab_run(lab);
	expect_one(lab, 1);
	expect_unharmed(lab, 1);
	arena_free(&arena);
	lab_free(lab);
}
END_TEST

/* The peer uses its successor before we know that it stays. */
START_TEST(used_before_decided)
{
	struct lab *lab = collide(_i);
	uint64_t r = lab_add_child(&lab->b, lab->b.sas[0], "two");
	struct lab_packet late;

	lab_deliver(lab);
	lab_deliver(lab);
	if (lab->packets[0].to != &lab->a)
		lab_choose(lab, 1);
	/* b's answer to a is held back */
	late = lab->packets[0];
	memmove(lab->packets, lab->packets + 1, --lab->n_packets * sizeof(late));
	lab_deliver(lab);
	/* what b does on its successor comes before what it does on the old one */
	while (lab->n_packets) {
		lab_choose(lab, lab->n_packets - 1);
		lab_deliver(lab);
	}
	lab->packets[lab->n_packets++] = late;
	rekey_settle(lab);
	ck_assert_uint_eq(lab->b.requests[r].done, 1);
	ck_assert_int_eq(lab->b.requests[r].cause, CAUSE_NONE);
	lab_advance(lab, 40000);
	expect_one(lab, 2);
	expect_unharmed(lab, 1);
	expect_works(lab);
	lab_free(lab);
}
END_TEST

/* All orders and losses of a collision, by seed (RANDOM_SEED=n: that one), with children asked for and closed on both sides meanwhile. */
START_TEST(collisions)
{
	const char *only = getenv("RANDOM_SEED");
	unsigned from = only ? (unsigned)atoi(only) : (unsigned)_i * 100, to = only ? from + 1 : from + 100;

	for (unsigned seed = from; seed < to; seed++) {
		struct lab *lab = collide(seed);
		uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;
		uint64_t ra = 0, rb = 0;

		if (seed & 1)
			ra = lab_add_child(&lab->a, lab->a.sas[0], "two");
		if (seed & 2)
			rb = lab_add_child(&lab->b, lab->b.sas[0], seed & 1 ? "one" : "two");
		for (unsigned i = 0; lab->n_packets && i < 60; i++) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			lab_choose(lab, x % lab->n_packets);
			if (x >> 20 & 7)
				lab_deliver(lab);
			else if (x >> 24 & 1)
				lab_repeat(lab);
			else
				lab_drop(lab);
			if ((x >> 32 & 15) == 0)
				lab_advance(lab, 4100);
		}
		/* until the last Delete has been answered or given up */
		for (unsigned i = 0; i < 3; i++)
			rekey_settle(lab);
		ck_assert_msg(lab_sa(&lab->a) && lab_sa(&lab->b), "seed %u", seed);
		ck_assert_msg(lab_sa(&lab->a)->spi_i == lab_sa(&lab->b)->spi_i, "seed %u", seed);
		ck_assert_uint_eq(lab->a.requests[ra].done, ra != 0);
		ck_assert_uint_eq(lab->b.requests[rb].done, rb != 0);
		expect_one(lab, lab_children(&lab->a, CHILD_STATE_INSTALLED));
		ck_assert_uint_ge(lab_children(&lab->a, CHILD_STATE_INSTALLED), 1);
		ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_IKE_DOWN) + lab_count(&lab->b, SA_EVENT_IKE_DOWN), 0);
		expect_works(lab);
		lab_free(lab);
	}
}
END_TEST

/* The peer dies in the middle of a collision: what was inherited is looked after, nothing is left. */
START_TEST(silent_while_undecided)
{
	struct lab *lab = collide(_i);

	lab_drop(lab);
	lab_deliver(lab);
	ck_assert_ptr_nonnull(undecided_of(&lab->a));
	for (unsigned i = 0; i < 500; i++) {
		while (lab->n_packets)
			lab_drop(lab);
		lab_advance(lab, 1000);
	}
	expect_gone(lab);
	lab_free(lab);
}
END_TEST

/* ---- with other things under way ---- */

/* One rekeys, the other closes the IKE_SA. _i & 1: whose comes first, _i & 2: the first is lost at first */
START_TEST(meets_delete)
{
	struct lab *lab = rekey_up();
	struct sa_request end = lab_request_new(&lab->b);

	ike_sa_rekey(lab_sa(&lab->a));
	ike_sa_terminate(lab_sa(&lab->b), false, end);
	ck_assert_uint_eq(lab->n_packets, 2);
	if (_i & 1)
		lab_choose(lab, 1);
	if (_i & 2) {
		lab_drop(lab);
		lab_deliver(lab);
		lab_advance(lab, 4100);
	}
	lab_run(lab);
	ck_assert_uint_eq(lab->b.requests[end.id].done, 1);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_IKE_DOWN), 1);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_IKE_REKEY) + lab_count(&lab->b, SA_EVENT_IKE_REKEY), 0);
	expect_gone(lab);
	lab_free(lab);
}
END_TEST

/* The operator closes a tunnel that is being rekeyed. _i: on whose side, at which moment, forced or not */
START_TEST(terminated_meanwhile)
{
	struct lab *lab = rekey_up();
	struct lab_end *e = _i & 1 ? &lab->b : &lab->a;
	struct ike_sa *sa = lab_sa(e);
	struct sa_request end = lab_request_new(e);
	unsigned moment = (unsigned)_i >> 1 & 3;
	bool force = _i & 8;

	ike_sa_rekey(lab_sa(&lab->a));
	for (unsigned i = 0; i < moment; i++)
		lab_deliver(lab);
	ike_sa_terminate(sa, force, end);
	lab_advance(lab, 1);
	lab_run(lab);
	ck_assert_uint_eq(e->requests[end.id].done, 1);
	ck_assert_uint_eq(lab_count(e, SA_EVENT_IKE_DOWN), 1);
	ck_assert_uint_eq(lab_count(e, SA_EVENT_CHILD_DOWN), 1);
	ck_assert_uint_eq(lab_live(e), 0);
	if (!force)
		expect_gone(lab);
	lab_free(lab);
}
END_TEST

/* The operator names the peer's successor before it is known whether it stays. _i & 1: whose is it, _i >> 1: who would win */
START_TEST(terminated_undecided)
{
	struct lab *lab = collide(_i / 2);
	struct lab_end *e = _i & 1 ? &lab->b : &lab->a;
	struct sa_request end = lab_request_new(e);

	lab_deliver(lab);
	lab_deliver(lab);
	ike_sa_terminate(undecided_of(e), false, end);
	lab_run(lab);
	rekey_settle(lab);
	ck_assert_uint_eq(e->requests[end.id].done, 1);
	ck_assert_uint_eq(lab_count(e, SA_EVENT_IKE_DOWN), 1);
	expect_gone(lab);
	lab_free(lab);
}
END_TEST

/*
 * The peer has decided for its own successor and closes it on purpose before our answer comes: ours must not take its place, the
 * peer takes it for redundant. _i & 1: who closes
 */
START_TEST(terminated_decided)
{
	struct lab *lab = collide(_i / 2);
	struct lab_end *e = _i & 1 ? &lab->b : &lab->a;
	struct sa_request end = lab_request_new(e);

	lab_deliver(lab);
	lab_deliver(lab);
	/* a's answer to b is the second one */
	lab_choose(lab, _i & 1);
	lab_deliver(lab);
	ike_sa_terminate(e->sas[0], false, end);
	/* its Delete overtakes our answer */
	lab_choose(lab, 1);
	lab_deliver(lab);
	lab_run(lab);
	rekey_settle(lab);
	ck_assert_uint_eq(e->requests[end.id].done, 1);
	expect_gone(lab);
	lab_free(lab);
}
END_TEST

/* RFC 7296, 1.3.2 SHOULD NOT: what is asked for during rekeying is done on the successor. _i: who asks, and when */
START_TEST(children_wait)
{
	struct lab *lab = rekey_up();
	struct lab_end *e = _i & 1 ? &lab->b : &lab->a;
	struct ike_sa *sa = lab_sa(e);
	struct sa_request closed = lab_request_new(e);
	uint64_t r;

	ike_sa_rekey(sa);
	if (_i & 2) {
		lab_deliver(lab);
		lab_deliver(lab);
		ck_assert_uint_ne(sa->state, IKE_STATE_REKEYING);
	}
	r = lab_add_child(e, sa, "two");
	if (!(_i & 2)) {
		ike_sa_terminate_child(sa, sa->children, closed);
		ck_assert_uint_eq(lab->n_packets, 1);
	}
	lab_run(lab);
	ck_assert_uint_eq(e->requests[r].done, 1);
	ck_assert_int_eq(e->requests[r].cause, CAUSE_NONE);
	ck_assert_uint_eq(e->requests[closed.id].done, !(_i & 2));
	expect_one(lab, _i & 2 ? 2 : 1);
	lab_free(lab);
}
END_TEST

/* RFC 7296, 2.25.1 and 2.25.2: a child is made or closed by one side while the other rekeys. _i & 1: made, & 2: order */
START_TEST(meets_child)
{
	struct lab *lab = rekey_up();
	struct sa_request r = lab_request_new(&lab->b);
	struct ike_sa *b = lab_sa(&lab->b);

	ike_sa_rekey(lab_sa(&lab->a));
	if (_i & 1)
		ike_sa_add_child(b, b->conn, conn_child(b->conn, "two"), r);
	else
		ike_sa_terminate_child(b, b->children, r);
	ck_assert_uint_eq(lab->n_packets, 2);
	if (_i & 2)
		lab_choose(lab, 1);
	lab_run(lab);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_IKE_REKEY), 0);
	rekey_settle(lab);
	ck_assert_uint_eq(lab->b.requests[r.id].done, 1);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_IKE_REKEY), 1);
	expect_one(lab, lab_children(&lab->a, CHILD_STATE_INSTALLED));
	if (!(_i & 1))
		ck_assert_uint_eq(lab_children(&lab->a, CHILD_STATE_INSTALLED), 0);
	lab_free(lab);
}
END_TEST

/* What still comes on a replaced IKE_SA is answered, but makes nothing (RFC 7296, 2.25.2). _i: a child, an IKE_SA, a probe */
START_TEST(old_makes_nothing)
{
	struct lab *lab = rekey_up();
	struct ike_sa *a = lab_sa(&lab->a), *b = lab_sa(&lab->b);
	uint8_t out[512], ke[32] = { 9 }, nonce[32] = { 0 };
	struct builder m = builder_of(out, sizeof(out));
	struct arena arena = { 0 };
	struct payload_list in;
	struct ike_header h;
	struct proposal p;

	ike_sa_rekey(a);
	lab_deliver(lab);
	lab_deliver(lab);
	ck_assert_uint_eq(b->state, IKE_STATE_REKEYED);
	ck_assert_uint_eq(a->state, IKE_STATE_DELETING);
	lab_drop(lab);
	if (_i < 2) {
		p = proposal_from_suite(&arena, _i ? &a->suite : &lab->b.sas[1]->children->suite);
		p.spi_len = _i ? 8 : 4;
		memset(p.spi, 7, 8);
		builder_sa(&m, (struct proposal_list){ 1, &p });
		builder_nonce(&m, bytes_of(nonce, sizeof(nonce)));
		if (_i)
			builder_ke(&m, a->suite.ke, bytes_of(ke, sizeof(ke)));
		else
			for (int side = 0; side < 2; side++)
				builder_ts(&m, side == 0, side == 0 ? kin_successor(b)->conn->children[0].remote_ts :
								       kin_successor(b)->conn->children[0].local_ts);
	}
	lab_inject(&lab->a, a, _i < 2 ? EXCHANGE_CREATE_CHILD_SA : EXCHANGE_INFORMATIONAL, false, b->in.next, &m);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_peek(lab, 0, &arena, &h, &in);
	ck_assert(h.flags & IKE_FLAG_RESPONSE);
	ck_assert((payload_notify(&in, NOTIFY_TEMPORARY_FAILURE) != NULL) == (_i < 2));
	ck_assert_uint_eq(lab->b.n_sas, 2);
	ck_assert_uint_eq(lab->b.kernel_children, 1);
	arena_free(&arena);
	lab_free(lab);
}
END_TEST

/* An IKE_SA that was replaced leads to the one that replaced it. */
START_TEST(stands_for_successor)
{
	struct lab *lab = rekey_up();
	struct ike_sa *old = lab_sa(&lab->b), *first, *second;
	uint64_t r;

	ike_sa_rekey(lab_sa(&lab->a));
	lab_deliver(lab);
	lab_deliver(lab);
	first = ike_sa_current(old);
	ck_assert(first != old && first->state == IKE_STATE_ESTABLISHED);
	ike_sa_rekey(ike_sa_current(lab->a.sas[0]));
	lab_choose(lab, lab->n_packets - 1);
	lab_deliver(lab);
	second = ike_sa_current(old);
	ck_assert(second != first && ike_sa_current(first) == second);
	/* the one in the middle goes first */
	ike_sa_finish(first, IKE_EVENT_DESTROY, CAUSE_NONE, NULL);
	ck_assert_ptr_eq(ike_sa_current(old), second);
	r = lab_add_child(&lab->b, old, "two");
	lab_run(lab);
	rekey_settle(lab);
	ck_assert_int_eq(lab->b.requests[r].cause, CAUSE_NONE);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 2);
	lab_free(lab);
}
END_TEST

Suite *ike_rekey_suite(void)
{
	Suite *s = suite_create("exchange/ike_rekey");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, rekey_once, 0, 2);
	tcase_add_loop_test(t, rekey_through_loss, 0, 8);
	tcase_add_test(t, rekey_forged);
	tcase_add_test(t, old_never_deleted);
	tcase_add_test(t, answer_very_late);
	tcase_add_test(t, answer_never);
	tcase_add_test(t, many_times);
	tcase_add_loop_test(t, by_time, 0, 2);
	tcase_add_test(t, refused_for_now);
	tcase_add_loop_test(t, refused, 0, 5);
	tcase_add_loop_test(t, other_key_exchange, 0, 2);
	tcase_add_loop_test(t, both_see, 0, 16);
	tcase_add_loop_test(t, one_sees, 0, 8);
	tcase_add_loop_test(t, one_decides_first, 0, 16);
	tcase_add_loop_test(t, winner_waits, 0, 8);
	tcase_add_loop_test(t, used_before_decided, 0, 16);
	tcase_add_test(t, silent_while_undecided);
	tcase_add_loop_test(t, meets_delete, 0, 4);
	tcase_add_loop_test(t, terminated_meanwhile, 0, 16);
	tcase_add_loop_test(t, terminated_decided, 0, 16);
	tcase_add_loop_test(t, terminated_undecided, 0, 8);
	tcase_add_loop_test(t, children_wait, 0, 4);
	tcase_add_loop_test(t, meets_child, 0, 4);
	tcase_add_loop_test(t, old_makes_nothing, 0, 3);
	tcase_add_test(t, stands_for_successor);
	suite_add_tcase(s, t);
	t = tcase_create("collisions");
	tcase_set_timeout(t, 120);
	tcase_add_loop_test(t, collisions, 0, 8);
	suite_add_tcase(s, t);
	return s;
}
