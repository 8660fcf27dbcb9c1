/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdlib.h>

#include "confs.h"
#include "lab_auth.h"
#include "sa/vips.h"
#include "suites.h"

/*
 * Seeded schedules: both sides make and close children and the IKE_SA, over a net that loses, repeats, reorders and forges, with
 * backends that take their time and sometimes fail. Then the net gets well, and both sides must agree or both be gone.
 * RANDOM_SEED=n runs one schedule, RANDOM_RUNS=n that many per part; with CK_FORK=no a failing one tells its seed.
 */
#define PARTS 8
#define RUNS 400 /* per part */
#define STEPS 60

/* large enough to be cut */
#define ESP_MANY ESP ",aes192gcm16-x25519,aes256gcm16-x25519,aes128-sha256-x25519,aes256-sha512-x25519"
#define IKE_RANDOM CONF_IKE "\n dpd_delay = 30s\n keyingtries = 1"
#define OWN "\n mark_in = %unique\n if_id_out = %unique-dir\n inactivity = 90s"
#define HOSTS "hosts { mode = transport\n" ESP_MANY " }\n"
#define CONF_MOBILE(LOCAL, REMOTE, REMOTE_ADDR, IKE, CHILDREN)                                     \
	"connections { net { version = 2\n remote_addrs = " REMOTE_ADDR ", %any\n" IKE           \
	"\n local { auth = psk\n id = " LOCAL " }\n remote { auth = psk\n id = " REMOTE " }\n"   \
	" children { " CHILDREN " } } }\n" CONF_SECRET
static const char conf_a[] = CONF_MOBILE("a.test", "b.test", "192.0.2.2", IKE_RANDOM, CHILD_A("one", "1", ESP) CHILD_A("two", "2", ESP_MANY OWN) CHILD_A("three", "3", ESP_MANY) HOSTS);
static const char conf_b[] = CONF_MOBILE("b.test", "a.test", "192.0.2.1", IKE_RANDOM, CHILD_B("one", "1", ESP) CHILD_B("two", "2", ESP_MANY) CHILD_B("three", "9", ESP_MANY) HOSTS);

/* a behind a NAT, which changes its mappings at any time; b may call it, in vain */
#define IKE_BEHIND IKE_RANDOM "\n mobike = no"
static const char behind_a[] = CONF_MOBILE("a.test", "b.test", "192.0.2.2", IKE_BEHIND, CHILD_A("one", "1", ESP) CHILD_A("two", "2", ESP_MANY OWN)
					   CHILD_A("three", "3", ESP_MANY) HOSTS);
static const char behind_b[] = CONF_MOBILE("b.test", "a.test", "192.0.2.1", IKE_BEHIND, CHILD_B("one", "1", ESP) CHILD_B("two", "2", ESP_MANY)
					   CHILD_B("three", "9", ESP_MANY) HOSTS);

/* b gives a virtual addresses, of which there are few; it may call a, too, and has none then */
#define VIPS_A "vips = 0.0.0.0"
#define VIPS_B "pools = few\n unique = no"
static const char vips_a[] = CONF_MOBILE("a.test", "b.test", "192.0.2.2", IKE_RANDOM "\n" VIPS_A, "one { remote_ts = 10.1.2.0/24\n" ESP " }\n"
					 "two { remote_ts = 10.2.2.0/24\n" ESP_MANY OWN " }\n" CHILD_A("three", "3", ESP_MANY) HOSTS);
static const char vips_b[] = CONF_MOBILE("b.test", "a.test", "192.0.2.1", IKE_RANDOM "\n" VIPS_B, "one { local_ts = 10.1.2.0/24\n" ESP " }\n"
					 "two { local_ts = 10.2.2.0/24\n" ESP_MANY " }\n" CHILD_B("three", "3", ESP_MANY) HOSTS)
	"pools { few { addrs = 10.3.0.1-10.3.0.3 } }\n";

struct schedule {
	struct lab *lab;
	uint64_t seed, state;
	unsigned requests[2]; /* made by a and b */
	uint64_t ids[2][LAB_REQUESTS];
	bool gentle; /* no loss at all */
	bool mobile; /* addresses come and go (RFC 4555) */
	bool nat;    /* a is behind one */
	bool vips;   /* a asks for virtual addresses */
};

static unsigned pick(struct schedule *s, unsigned n)
{
	s->state ^= s->state << 13;
	s->state ^= s->state >> 7;
	s->state ^= s->state << 17;
	return (unsigned)((s->state * 0x2545f4914f6cdd1d >> 33) % n);
}

static struct lab_end *pick_end(struct schedule *s)
{
	return pick(s, 2) ? &s->lab->a : &s->lab->b;
}

static struct ike_sa *pick_sa(struct schedule *s, struct lab_end *e)
{
	struct ike_sa *sa = e->n_sas ? e->sas[pick(s, (unsigned)e->n_sas)] : NULL;

	return sa && !sa->finished && sa->state != IKE_STATE_CLOSED ? sa : NULL;
}

static struct sa_request schedule_request(struct schedule *s, struct lab_end *e)
{
	struct sa_request r = lab_request_new(e);
	unsigned side = e == &s->lab->b;

	s->ids[side][s->requests[side]++] = r.id;
	return r;
}

/* What comes from, or goes to, an address that is nobody's at the moment is lost. */
static bool owned(struct lab *lab, bool out, struct addr *src, struct addr *dst)
{
	const struct lab_end *from = out ? &lab->a : &lab->b, *to = out ? &lab->b : &lab->a;

	return local_addrs_find(from->ctx.locals, src) && local_addrs_find(to->ctx.locals, dst);
}

static void step_roam(struct schedule *s)
{
	static const char *const addrs[2][5] = {
		{ "192.0.2.1", "198.51.100.1", "198.51.100.1 192.0.2.1", "192.0.2.1 203.0.113.1", "" },
		{ "192.0.2.2", "198.51.100.2", "192.0.2.2 198.51.100.2", "192.0.2.2", "" },
	};
	struct lab_end *e = pick_end(s);

	/* mostly the initiator: if both go at once they may never find each other again */
	if (e == &s->lab->b && pick(s, 4))
		e = &s->lab->a;
	lab_roam(e, addrs[e == &s->lab->b][pick(s, 5)]);
}

/* By order, or for a packet that met its trap. */
static void step_add_child(struct schedule *s, struct lab_end *e, struct ike_sa *sa, const struct child_conf *child)
{
	struct child_acquire a = { .src = child->local_ts.p[0], .dst = child->remote_ts.p[0] };
	bool met = pick(s, 3) == 0;

	if (a.src.dynamic)
		a.src = ts_from_addr(&sa->local);
	if (a.dst.dynamic)
		a.dst = ts_from_addr(&sa->remote);
	memcpy(a.src.to, a.src.from, sizeof(a.src.to));
	memcpy(a.dst.to, a.dst.from, sizeof(a.dst.to));
	a.src.protocol = a.dst.protocol = IPPROTO_UDP;
	a.dst.port_from = a.dst.port_to = (uint16_t)(1 + pick(s, 100));
	ike_sa_add_child_for(sa, sa->conn, child, met ? &a : NULL, schedule_request(s, e));
}

static void step_operator(struct schedule *s)
{
	static const char *const names[] = { "one", "two", "three", "hosts" };
	struct lab_end *e = pick_end(s);
	const char *name = names[pick(s, ARRAY_LEN(names))];
	struct ike_sa *sa = pick_sa(s, e);
	unsigned what = pick(s, 18);

	if (s->requests[0] + s->requests[1] >= LAB_REQUESTS - 2)
		return;
	if (what < 2 && lab_live(e) < 3) {
		const struct conn *conn = config_conn(e->ctx.config, "net");

		ike_sa_initiate(ike_sa_new_initiator(&e->ctx, conn, 0), what ? conn_child(conn, name) : NULL,
				schedule_request(s, e));
	} else if (!sa) {
		return;
	} else if (what < 7 && sa->conn) {
		if (sa->initiator || sa->state == IKE_STATE_ESTABLISHED)
			step_add_child(s, e, sa, conn_child(sa->conn, name));
	} else if (what < 11) {
		/* as the daemon does: only what is up, or already going down */
		struct child_sa *c = sa->children;

		for (unsigned i = pick(s, 4); c && c->next && i; i--)
			c = c->next;
		if (c && sa->state == IKE_STATE_ESTABLISHED &&
		    (c->state == CHILD_STATE_INSTALLED || c->state == CHILD_STATE_REKEYING ||
		     c->state == CHILD_STATE_REKEYED || c->state == CHILD_STATE_DELETING)) {
			if (pick(s, 2))
				ike_sa_rekey_child(sa, c);
			else
				ike_sa_terminate_child(sa, c, schedule_request(s, e));
		}
	} else if (what < 12) {
		ike_sa_terminate(sa, pick(s, 6) == 0, schedule_request(s, e));
	} else if (what < 13 && sa->state == IKE_STATE_ESTABLISHED) {
		ike_sa_probe(sa);
	} else if (what == 14 && lab_live(e) < 4) {
		ike_sa_reauth(sa);
	} else if (what == 13) {
		ike_sa_rekey(sa);
	} else if (what == 17) {
		struct child_sa *c = sa->children;

		/* not of our own doing: the SAs are gone from the kernel */
		if (c && sa->state == IKE_STATE_ESTABLISHED)
			ike_sa_child_gone(sa, pick(s, 2) && c->next ? c->next : c);
	} else if (what == 16) {
		(void)ike_sa_sync(sa, pick(s, 2));
	} else if (what == 15) {
		e->kernel_fail_install = pick(s, 4) == 0;
		e->kernel_fail_spi = pick(s, 8) == 0;
	}
}

static void step_net(struct schedule *s)
{
	struct lab *lab = s->lab;
	unsigned what = s->gentle ? 9 : pick(s, 20);

	if (!lab->n_packets)
		return;
	if (!s->gentle)
		lab_choose(lab, pick(s, (unsigned)lab->n_packets));
	if (what < 3)
		lab_drop(lab);
	else if (what < 5 && lab->n_packets < LAB_PACKETS / 2)
		lab_repeat(lab);
	else if (what < 6)
		/* what is not protected can be forged by anybody: only protected ones */
		if (lab->packets[0].data[18] != EXCHANGE_IKE_SA_INIT)
			lab_forge(lab, IKE_HEADER_LEN + pick(s, (unsigned)lab->packets[0].n - IKE_HEADER_LEN));
		else
			lab_deliver(lab);
	else
		lab_deliver(lab);
}

static void step_backend(struct schedule *s)
{
	struct lab_end *e = pick_end(s);

	if (e->n_pending)
		lab_kernel_complete(e, pick(s, 8) ? KERNEL_OK : KERNEL_FAILED);
	e->auth_fail_sign = e->auth_fail_verify = pick(s, 8) == 0;
	(void)lab_auth_answer(e);
}

/* Signatures and several rounds, in either direction; the service takes its time, too. */
static void random_rounds(struct schedule *s)
{
	static const char *const rounds[][2] = { { "c", "c" }, { "c", "p" }, { "p", "c" }, { "cc", "c" }, { "p", "pc" }, { "cp", "cc" } };
	const char *const *r = rounds[pick(s, ARRAY_LEN(rounds))];
	struct lab *lab = s->lab;

	lab_rounds(&lab->a, "net", true, r[0]);
	lab_rounds(&lab->b, "net", false, r[0]);
	lab_rounds(&lab->b, "net", true, r[1]);
	lab_rounds(&lab->a, "net", false, r[1]);
	lab->a.auth = pick(s, 2) ? LAB_AUTH_BY_HAND : LAB_AUTH_AT_ONCE;
	lab->b.auth = pick(s, 2) ? LAB_AUTH_BY_HAND : LAB_AUTH_AT_ONCE;
	lab->a.auth_cert_len = pick(s, 3) * 1000;
}

static void schedule_quiet(struct lab *lab)
{
	for (unsigned n = 0; lab_auth_run(lab) || lab->n_packets || lab->a.n_pending || lab->b.n_pending; n++) {
		ck_assert_uint_lt(n, 1000);
		lab_run(lab);
		if (lab->a.n_pending)
			lab_kernel_complete(&lab->a, KERNEL_OK);
		if (lab->b.n_pending)
			lab_kernel_complete(&lab->b, KERNEL_OK);
	}
}

/* The net is well again: no packet is lost, backends answer, time goes on for long enough that the silent are found out. */
static void schedule_settle(struct schedule *s)
{
	struct lab *lab = s->lab;
	uint64_t end = lab->now + 700000;

	lab->a.kernel_fail_install = lab->b.kernel_fail_install = false;
	lab->a.kernel_fail_spi = lab->b.kernel_fail_spi = false;
	lab->a.auth = lab->b.auth = LAB_AUTH_AT_ONCE;
	lab->a.auth_fail_sign = lab->a.auth_fail_verify = lab->b.auth_fail_sign = lab->b.auth_fail_verify = false;
	if (s->mobile) {
		lab_roam(&lab->a, "192.0.2.1 198.51.100.1 203.0.113.1");
		lab_roam(&lab->b, "192.0.2.2 198.51.100.2");
	}
	do {
		uint64_t a, b;

		schedule_quiet(lab);
		a = wheel_next(lab->a.ctx.wheel);
		b = wheel_next(lab->b.ctx.wheel);
		if (a > b)
			a = b;
		lab_advance(lab, a != UINT64_MAX && a > lab->now ? a - lab->now : 1);
		if (a == UINT64_MAX)
			break;
	} while (lab->now < end);
	schedule_quiet(lab); /* the last probe is answered, too */
}

static struct ike_sa *twin_of(struct lab_end *e, const struct ike_sa *sa)
{
	for (size_t i = 0; i < e->n_sas; i++)
		if (!e->sas[i]->finished && e->sas[i]->spi_i == sa->spi_i && e->sas[i]->spi_r == sa->spi_r)
			return e->sas[i];
	return NULL;
}

static size_t count_children(const struct ike_sa *sa)
{
	size_t n = 0;

	for (const struct child_sa *c = sa->children; c; c = c->next)
		n++;
	return n;
}

/* What one has been given the other one gave. */
static void schedule_agree_vips(const struct ike_sa *sa, const struct ike_sa *twin)
{
	struct addr mine[LIMIT_VIPS], theirs[LIMIT_VIPS];
	size_t n = vips_addrs(sa, sa->origin, mine);

	ck_assert_uint_eq(n, vips_addrs(twin, twin->origin, theirs));
	for (size_t i = 0; i < n; i++)
		ck_assert(addr_equal(&mine[i], &theirs[i]));
	ck_assert(sa->origin != twin->origin);
}

/* Each IKE_SA of one side is at rest and has its twin at the other, with the same children. */
static void schedule_agree(struct schedule *s, struct lab_end *e, struct lab_end *other)
{
	for (size_t i = 0; i < e->n_sas; i++) {
		struct ike_sa *sa = e->sas[i], *twin = twin_of(other, sa);

		ck_assert_uint_eq(sa->state, IKE_STATE_ESTABLISHED);
		ck_assert(!sa->queued && !sa->active && !sa->passive && !sa->incoming && !sa->outstanding && !sa->setup);
		ck_assert(!sa->park && !sa->parked_request);
		ck_assert_msg(twin, "IKE_SA %u of %s has no twin", sa->log.id, e->name);
		ck_assert_uint_eq(count_children(sa), count_children(twin));
		schedule_agree_vips(sa, twin);
		ck_assert(!sa->unchecked && !sa->settling && !sa->offline);
		ck_assert_msg(s->nat ? (e == &s->lab->a ? twin : sa)->remote.port == s->lab->nat_port + 1 :
				       addr_equal(&sa->local, &twin->remote) && addr_equal(&sa->remote, &twin->local),
			      "IKE_SA %u of %s is elsewhere than its twin", sa->log.id, e->name);
		for (struct child_sa *c = sa->children; c; c = c->next) {
			struct child_sa *t = ike_sa_child_by_spi_out(twin, c->spi_in);

			ck_assert_uint_eq(c->state, CHILD_STATE_INSTALLED);
			ck_assert(t && t->spi_in == c->spi_out);
		}
	}
	for (unsigned i = 0; i < s->requests[e == &s->lab->b]; i++)
		ck_assert_uint_eq(e->requests[s->ids[e == &s->lab->b][i]].done, 1);
}

static void schedule_run(uint64_t seed)
{
	struct schedule s = { .seed = seed, .state = seed * 0x9e3779b97f4a7c15 + 1 };
	struct lab *lab;

	s.nat = pick(&s, 3) == 0;
	s.vips = !s.nat && pick(&s, 3) == 0;
	lab = s.lab = s.nat ? lab_new(behind_a, behind_b) : s.vips ? lab_new(vips_a, vips_b) : lab_new(conf_a, conf_b);
	lab->nat_port = s.nat ? 10000 : 0;
	crypto_ctx_seed(lab->a.ctx.crypto, seed * 2);
	crypto_ctx_seed(lab->b.ctx.crypto, seed * 2 + 1);
	lab->a.kernel_async = pick(&s, 2);
	lab->b.kernel_async = pick(&s, 2);
	lab->a.ctx.options.make_before_break = pick(&s, 2);
	lab->b.ctx.options.make_before_break = pick(&s, 2);
	s.gentle = pick(&s, 4) == 0;
	if (pick(&s, 2))
		lab_attributes(lab);
	/* messages in fragments, on one side or both */
	if (pick(&s, 3) == 0)
		lab->a.ctx.options.fragment_size_v4 = LIMIT_FRAGMENT_SIZE_MIN;
	if (pick(&s, 3) == 0)
		lab->b.ctx.options.fragment_size_v4 = LIMIT_FRAGMENT_SIZE_MIN;
	if (pick(&s, 2))
		random_rounds(&s);
	s.mobile = !s.nat && pick(&s, 3) == 0;
	if (s.mobile) {
		lab_roam(&lab->a, "192.0.2.1");
		lab_roam(&lab->b, "192.0.2.2");
		lab->path = owned;
	}
	for (unsigned i = 0; i < STEPS; i++) {
		unsigned what = pick(&s, 16);

		if (s.mobile && pick(&s, 12) == 0)
			step_roam(&s);

		if (what < 4)
			step_operator(&s);
		else if (what < 12)
			step_net(&s);
		else if (what < 15)
			step_backend(&s);
		else if (s.nat && pick(&s, 3) == 0)
			lab->nat_port += 2;
		else
			lab_advance(lab, 1 + pick(&s, s.gentle ? 1000 : 6000));
		lab_check(lab);
	}
	schedule_settle(&s);
	schedule_agree(&s, &lab->a, &lab->b);
	schedule_agree(&s, &lab->b, &lab->a);
	lab_free(lab);
}

START_TEST(schedules)
{
	lab_seeds("RANDOM", RUNS, (unsigned long)_i, schedule_run);
}
END_TEST

Suite *random_suite(void)
{
	Suite *s = suite_create("exchange/random");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 300);
	tcase_add_loop_test(t, schedules, 0, PARTS);
	suite_add_tcase(s, t);
	return s;
}
