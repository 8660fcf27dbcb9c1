/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "confs.h"
#include "lab.h"
#include "suites.h"

/*
 * A tunnel whose IKE_SA and CHILD_SA are rekeyed by both sides all the time, over a line that loses, repeats and reorders and
 * between hosts that now and then stand still, with a clock that goes as it does outside. Then the line is healed, and both sides
 * are to use the same tunnel soon. STORM_SEED=n runs one storm, STORM_RUNS=n that many per part; with CK_FORK=no a failing one
 * tells its seed.
 */
#define PARTS 4
#define RUNS 25			/* per part */
#define STORM_MS 150000
#define CALM_MS 40000
#define AGREE_MS 8000		/* without agreement in the calm; rekeying itself takes a few round trips */

#define STORM_IKE CONF_IKE "\n rekey_time = 20s\n over_time = 90s\n rand_time = 10s"
#define STORM_ESP "rekey_time = 8s\n life_time = 90s\n rand_time = 4s\n esp_proposals = aes128gcm16"
static const char pfs_a[] = CONF_A_WITH(STORM_IKE, CHILD_A("one", "1", STORM_ESP "-x25519"));
static const char pfs_b[] = CONF_B_WITH(STORM_IKE, CHILD_B("one", "1", STORM_ESP "-x25519"));
static const char plain_a[] = CONF_A_WITH(STORM_IKE, CHILD_A("one", "1", STORM_ESP));
static const char plain_b[] = CONF_B_WITH(STORM_IKE, CHILD_B("one", "1", STORM_ESP));

struct flying {
	struct lab_packet p;
	uint64_t at;
};

struct storm {
	struct lab *lab;
	uint64_t state;
	struct flying flying[LAB_PACKETS];
	size_t n;
	uint64_t backend_ms[2]; /* when the oldest pending request of an end's backend is answered; 0: none */
	uint64_t asleep[2];	/* an end does nothing until then */
	unsigned stall_every;	/* ms, on average */
	bool calm;
};

static unsigned pick(struct storm *s, unsigned n)
{
	s->state ^= s->state << 13;
	s->state ^= s->state >> 7;
	s->state ^= s->state << 17;
	return (unsigned)((s->state * 0x2545f4914f6cdd1d >> 33) % n);
}

static struct lab_end *end_of(struct storm *s, unsigned i)
{
	return i ? &s->lab->b : &s->lab->a;
}

/* What was sent just now gets its time of arrival. */
static void storm_launch(struct storm *s)
{
	struct lab *lab = s->lab;

	for (size_t i = 0; i < lab->n_packets; i++) {
		struct lab_packet p = lab->packets[i];
		bool lost = !s->calm && pick(s, 100) < 20;

		for (unsigned copies = !s->calm && pick(s, 100) < 10 ? 2 : 1; copies && !lost; copies--) {
			ck_assert_uint_lt(s->n, LAB_PACKETS);
			s->flying[s->n].p = p;
			s->flying[s->n].p.data = xmemdup(p.data, p.n);
			s->flying[s->n++].at = lab->now + pick(s, 3) + (!s->calm && pick(s, 100) < 20 ? 15 : 0);
		}
		free(p.data);
	}
	lab->n_packets = 0;
	for (unsigned i = 0; i < 2; i++)
		if (end_of(s, i)->n_pending && !s->backend_ms[i])
			s->backend_ms[i] = lab->now + pick(s, 3);
}

static bool storm_awake(struct storm *s, unsigned end)
{
	return s->asleep[end] <= s->lab->now;
}

/* One packet that has arrived; false: none. */
static bool storm_arrive(struct storm *s)
{
	for (size_t i = 0; i < s->n; i++) {
		struct flying f = s->flying[i];

		if (f.at > s->lab->now || !storm_awake(s, f.p.to == &s->lab->b))
			continue;
		s->flying[i] = s->flying[--s->n];
		s->lab->packets[s->lab->n_packets++] = f.p;
		lab_deliver(s->lab);
		return true;
	}
	return false;
}

static bool storm_backend(struct storm *s, unsigned end)
{
	struct lab_end *e = end_of(s, end);

	if (!s->backend_ms[end] || s->backend_ms[end] > s->lab->now || !storm_awake(s, end))
		return false;
	s->backend_ms[end] = 0;
	if (e->n_pending)
		lab_kernel_complete(e, KERNEL_OK);
	return true;
}

/* A millisecond. */
static void storm_step(struct storm *s)
{
	struct lab *lab = s->lab;

	for (unsigned i = 0; i < 2; i++) {
		if (!s->calm && pick(s, s->stall_every) == 0)
			s->asleep[i] = lab->now + pick(s, 4000);
		end_of(s, i)->asleep = !storm_awake(s, i);
	}
	lab_advance(lab, 1);
	do {
		storm_launch(s);
	} while (storm_backend(s, 0) || storm_backend(s, 1) || storm_arrive(s));
	lab->a.n_events = lab->b.n_events = 0;
	lab->n_replies = 0;
}

/* The one CHILD_SA in use of the one IKE_SA in use; NULL: there is none, or not one only. */
static const struct child_sa *storm_used(const struct lab_end *e)
{
	const struct child_sa *found = NULL;
	bool other = false;

	for (size_t i = 0; i < e->n_sas; i++) {
		if (e->sas[i]->state != IKE_STATE_ESTABLISHED)
			continue;
		if (other)
			return NULL;
		other = true;
		for (const struct child_sa *c = e->sas[i]->children; c; c = c->next) {
			if (c->state != CHILD_STATE_INSTALLED)
				continue;
			if (found)
				return NULL;
			found = c;
		}
	}
	return found;
}

static bool storm_agrees(const struct lab *lab)
{
	const struct child_sa *a = storm_used(&lab->a), *b = storm_used(&lab->b);

	return a && b && a->ike->spi_i == b->ike->spi_i && a->ike->spi_r == b->ike->spi_r && a->spi_in == b->spi_out &&
	       a->spi_out == b->spi_in;
}

static void storm_tell(const struct lab_end *e)
{
	for (size_t i = 0; i < e->n_sas; i++) {
		const struct ike_sa *sa = e->sas[i];

		fprintf(stderr, "%s: IKE_SA [%u] %016llx %016llx %s\n", e->name, sa->log.id, (unsigned long long)sa->spi_i,
			(unsigned long long)sa->spi_r, ike_state_name((enum ike_state)sa->state));
		for (const struct child_sa *c = sa->children; c; c = c->next)
			fprintf(stderr, "   {%u} %08x_i %08x_o %s\n", c->id, c->spi_in, c->spi_out,
				child_state_name((enum child_state)c->state));
	}
}

static void storm_run(uint64_t seed)
{
	struct storm s = { .state = seed * 0x9e3779b97f4a7c15 + 1 };
	uint64_t agreed, begin;
	struct lab *lab;

	s.stall_every = pick(&s, 2) ? 20000 : 3000;
	lab = s.lab = pick(&s, 2) ? lab_new(pfs_a, pfs_b) : lab_new(plain_a, plain_b);
	crypto_ctx_seed(lab->a.ctx.crypto, seed * 2);
	crypto_ctx_seed(lab->b.ctx.crypto, seed * 2 + 1);
	for (unsigned i = 0; i < 2; i++) {
		struct sa_options *o = &end_of(&s, i)->ctx.options;

		o->retransmit_timeout = 0.4;
		o->retransmit_base = 1.1;
		o->retransmit_tries = 25;
		o->retransmit_limit = 2;
		o->qcd_secrets.count = 1;
		memset(o->qcd_secrets.secret[0], (int)i + 1, QCD_SECRET_LEN);
		end_of(&s, i)->kernel_async = pick(&s, 2);
	}
	lab_initiate(&lab->a, "one");
	for (begin = lab->now; lab->now < begin + STORM_MS;)
		storm_step(&s);
	s.calm = true;
	s.asleep[0] = s.asleep[1] = 0;
	for (begin = agreed = lab->now; lab->now < begin + CALM_MS;) {
		storm_step(&s);
		if (storm_agrees(lab))
			agreed = lab->now;
		if (lab->now <= agreed + AGREE_MS)
			continue;
		storm_tell(&lab->a);
		storm_tell(&lab->b);
		ck_abort_msg("they do not agree for %u s, %llu s after the storm", AGREE_MS / 1000,
			     (unsigned long long)(lab->now - begin) / 1000);
	}
	/* each was heard, or closed in order */
	ck_assert_uint_eq(lab->a.silent_ends + lab->b.silent_ends, 0);
	while (s.n)
		free(s.flying[--s.n].p.data);
	lab_free(lab);
}

START_TEST(storms)
{
	lab_seeds("STORM", RUNS, (unsigned long)_i, storm_run);
}
END_TEST

Suite *storm_suite(void)
{
	Suite *s = suite_create("exchange/storm");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 300);
	tcase_add_loop_test(t, storms, 0, PARTS);
	suite_add_tcase(s, t);
	return s;
}
