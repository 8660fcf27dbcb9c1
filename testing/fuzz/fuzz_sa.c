/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: a program for two endpoints in one process (testing/exchange/lab.h) and whoever is between them: packets are
 * delivered, lost, repeated, changed; time passes; operators and backends act; a peer that has the keys sends what it likes,
 * others send what anybody can. After each step all invariants hold. At the end the net is well again: both ends come to rest
 * and agree which IKE_SAs there are, and nothing is left when they are gone.
 */
#include <check.h>
#include <malloc.h>
#include <stdlib.h>

#include "fuzz.h"
#include "sa/task.h"
#include "sa_program.h"
#include "testing/exchange/confs.h"

#define STEPS 120
#define HEAP_LIMIT (24u << 20)  /* what one program may hold */
#define SENT_LIMIT 64           /* packets in answer to one */
#define SETTLE_MS 700000

#define IKE_FUZZ CONF_IKE "\n dpd_delay = 30s\n keyingtries = 1\n rekey_time = 500s\n rand_time = 30s\n over_time = 60s\n"
#define CHILDREN(SIDE, MORE) CHILD_##SIDE("one", "1", MORE) CHILD_##SIDE("two", "2", MORE) CHILD_##SIDE("three", "3", MORE)
#define ESP_PLAIN "esp_proposals = aes128gcm16"

#define TRANSPORT_A(NAME, PORT, MORE) NAME " { mode = transport\n local_ts = dynamic[tcp]\n remote_ts = dynamic[tcp/" PORT "]\n" MORE " }\n"
#define TRANSPORT_B(NAME, PORT, MORE) NAME " { mode = transport\n local_ts = dynamic[tcp/" PORT "]\n remote_ts = dynamic[tcp]\n" MORE " }\n"
#define HOSTS(SIDE, MORE) TRANSPORT_##SIDE("one", "1", MORE) TRANSPORT_##SIDE("two", "2", MORE) TRANSPORT_##SIDE("three", "3", MORE)
#define SHORT "\n rekey_time = 70s\n rand_time = 10s\n life_time = 150s\n"

/* Pairs of configurations. */
static const char *const confs[8][2] = {
	{ CONF_A_WITH(IKE_FUZZ, CHILDREN(A, ESP)), CONF_B_WITH(IKE_FUZZ, CHILDREN(B, ESP)) },
	/* b gives a virtual addresses, of which there are few */
	{ CONF_A_WITH(IKE_FUZZ "vips = 0.0.0.0", "one { remote_ts = 10.1.2.0/24\n" ESP_PLAIN " }\n two { remote_ts = 10.2.2.0/24\n" ESP_PLAIN " }\n"
		      CHILD_A("three", "3", ESP_PLAIN)),
	  CONF_B_WITH(IKE_FUZZ "pools = few", "one { local_ts = 10.1.2.0/24\n" ESP_PLAIN " }\n two { local_ts = 10.2.2.0/24\n" ESP_PLAIN " }\n"
		      CHILD_B("three", "3", ESP_PLAIN))
	  "pools { few { addrs = 10.3.0.1-10.3.0.2 } }\n" },
	{ CONF_A_WITH(IKE_FUZZ, CHILD_A("one", "1", ESP) CHILD_A("two", "2", ESP) CHILD_A("three", "3", ESP_PLAIN)),
	  CONF_B_WITH(IKE_FUZZ, CHILD_B("one", "1", ESP) CHILD_B("two", "9", ESP) CHILD_B("three", "3", ESP)) },
	{ CONF_A_WITH(IKE_FUZZ,
		      CHILDREN(A, ESP "\n rekey_time = 70s\n rand_time = 10s\n life_time = 150s\n")),
	  CONF_B_WITH(IKE_FUZZ,
		      CHILDREN(B, ESP "\n rekey_time = 75s\n rand_time = 10s\n life_time = 150s\n")) },
	/* transport mode, which one side may not want */
	{ CONF_A_WITH(IKE_FUZZ, HOSTS(A, ESP)), CONF_B_WITH(IKE_FUZZ, HOSTS(B, ESP)) },
	{ CONF_A_WITH(IKE_FUZZ, TRANSPORT_A("one", "1", ESP_PLAIN) CHILD_A("two", "2", ESP) CHILD_A("three", "3", ESP_PLAIN)),
	  CONF_B_WITH(IKE_FUZZ, TRANSPORT_B("one", "1", ESP_PLAIN) CHILD_B("two", "2", ESP) CHILD_B("three", "3", ESP_PLAIN)) },
	{ CONF_A_WITH(IKE_FUZZ, TRANSPORT_A("one", "1", ESP) "two { " ESP " }\n" CHILD_A("three", "3", ESP)),
	  CONF_B_WITH(IKE_FUZZ, "one { local_ts = dynamic[tcp/1]\n remote_ts = dynamic[tcp]\n" ESP " }\n two { mode = transport\n" ESP " }\n"
		      CHILD_B("three", "3", ESP)) },
	{ CONF_A_WITH(IKE_FUZZ, HOSTS(A, ESP SHORT)), CONF_B_WITH(IKE_FUZZ, HOSTS(B, ESP SHORT)) },
};

static const char *const child_names[] = { "one", "two", "three" };

struct run {
	struct lab *lab;
	struct program in;
	size_t heap;       /* before it began */
	unsigned requests; /* of operators */
	struct {
		struct lab_end *e;
		uint64_t id;
	} asked[LAB_REQUESTS];
};

/* ---- what no stranger changes ---- */

/* Law 2: a packet that did not pass its check changes nothing of an IKE_SA that is up. */
static uint64_t state_hash(const struct lab_end *e)
{
	static const struct hash_key key = { 3, 4 };
	uint64_t sum = 0;

	for (size_t i = 0; i < e->n_sas; i++) {
		const struct ike_sa *sa = e->sas[i];
		uint64_t v[12] = { sa->state, sa->spi_i, sa->spi_r, sa->in.next, sa->last_in_ms, sa->rekey_ms, sa->over_ms,
				   sa->remote.port, sa->incoming != NULL, sa->parked_request };

		if (sa->finished || sa->state == IKE_STATE_CREATED || sa->state == IKE_STATE_CONNECTING)
			continue;
		for (const struct child_sa *c = sa->children; c; c = c->next)
			v[10] += (uint64_t)c->id << c->state, v[11] += c->spi_in + c->spi_out;
		sum += hash_bytes(&key, bytes_of(v, sizeof(v)));
	}
	return sum;
}

/* ---- room: a program ends up with what the lab holds, so old packets are lost first ---- */

static void run_trim(struct run *r, size_t packets)
{
	struct lab *lab = r->lab;

	while (lab->n_packets > packets)
		lab_drop(lab);
	if (lab->a.n_events > LAB_EVENTS / 2)
		lab->a.n_events = 0;
	if (lab->b.n_events > LAB_EVENTS / 2)
		lab->b.n_events = 0;
	while (lab->a.n_pending > LAB_PENDING / 2)
		lab_kernel_complete(&lab->a, KERNEL_OK);
	while (lab->b.n_pending > LAB_PENDING / 2)
		lab_kernel_complete(&lab->b, KERNEL_OK);
}

static bool run_is_full(const struct run *r)
{
	return r->lab->a.n_sas > LAB_SAS / 2 || r->lab->b.n_sas > LAB_SAS / 2;
}

static void run_check(struct run *r)
{
	struct lab_end *ends[] = { &r->lab->a, &r->lab->b };

	lab_check(r->lab);
	ck_assert_uint_le(mallinfo2().uordblks, r->heap + HEAP_LIMIT);
	for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
		for (size_t k = 0; k < ends[i]->n_sas; k++) {
			unsigned tasks = 0, children = 0;

			for (struct task *t = ends[i]->sas[k]->queued; t; t = t->next)
				tasks++;
			for (struct child_sa *c = ends[i]->sas[k]->children; c; c = c->next)
				children++;
			ck_assert_uint_le(tasks, STEPS);
			ck_assert_uint_le(children, 4 * STEPS);
		}
	}
}

/* ---- steps ---- */

static struct lab_end *pick_end(struct run *r)
{
	return program_pick(&r->in, 2) ? &r->lab->b : &r->lab->a;
}

static bool is_up(const struct ike_sa *sa)
{
	return !sa->finished && sa->protect.cipher && sa->state != IKE_STATE_CONNECTING && sa->state != IKE_STATE_CREATED;
}

/* Mostly one that is up, else any. */
static struct ike_sa *pick_sa(struct run *r, struct lab_end *e)
{
	size_t which = program_u8(&r->in), back = which % 4;

	for (size_t i = e->n_sas; which < 192 && i-- > 0;)
		if (is_up(e->sas[i]) && (back-- == 0 || i == 0))
			return e->sas[i];
	if (!e->n_sas)
		return NULL;
	back = which % 4 % e->n_sas;
	return e->sas[e->n_sas - 1 - back]->finished ? NULL : e->sas[e->n_sas - 1 - back];
}

static void run_deliver(struct run *r)
{
	unsigned sent = r->lab->sent;

	if (run_is_full(r))
		return;
	lab_deliver(r->lab);
	ck_assert_uint_le(r->lab->sent - sent, SENT_LIMIT);
}

static struct sa_request run_request(struct run *r, struct lab_end *e)
{
	struct sa_request q = lab_request_new(e);

	r->asked[r->requests].e = e;
	r->asked[r->requests++].id = q.id;
	return q;
}

static void operator_initiate(struct run *r, struct lab_end *e)
{
	const struct conn *conn = config_conn(e->ctx.config, "net");
	unsigned child = program_pick(&r->in, 4);

	if (lab_live(e) < 4)
		ike_sa_initiate(ike_sa_new_initiator(&e->ctx, conn, 0), child < 3 ? conn_child(conn, child_names[child]) : NULL,
				run_request(r, e));
}

static struct child_sa *pick_child(struct run *r, struct ike_sa *sa)
{
	struct child_sa *c = sa->children;

	for (unsigned n = program_pick(&r->in, 4); n && c && c->next; n--)
		c = c->next;
	return c;
}

/* met: for a packet that met a trap, inside of the child's selectors or, as backends can be wrong, outside. */
static void operator_add(struct run *r, struct lab_end *e, struct ike_sa *sa, bool met)
{
	const struct child_conf *child = conn_child(sa->conn, child_names[program_pick(&r->in, 3)]);
	struct child_acquire a;

	if (met) {
		a.src = child->local_ts.p[0].dynamic ? ts_from_addr(&sa->local) : child->local_ts.p[0];
		a.dst = child->remote_ts.p[0].dynamic ? ts_from_addr(&sa->remote) : child->remote_ts.p[0];
		memcpy(a.src.to, a.src.from, sizeof(a.src.to));
		memcpy(a.dst.to, a.dst.from, sizeof(a.dst.to));
		a.src.protocol = a.dst.protocol = IPPROTO_TCP;
		a.dst.port_from = a.dst.port_to = (uint16_t)(1 + program_pick(&r->in, 4));
		if (program_pick(&r->in, 8) == 7)
			a.dst.to[0] = a.dst.from[0] ^= 0x40;
	}
	ike_sa_add_child_for(sa, sa->conn, child, met ? &a : NULL, run_request(r, e));
}

/* As the worker calls them: see worker/requests.c. */
static void step_operator(struct run *r)
{
	struct lab_end *e = pick_end(r);
	struct ike_sa *sa = pick_sa(r, e);
	unsigned what = program_pick(&r->in, 16);
	struct child_sa *c;

	if (r->requests >= LAB_REQUESTS - 2)
		return;
	if (what == 0 || !sa) {
		operator_initiate(r, e);
		return;
	}
	c = pick_child(r, sa);
	switch (what) {
	case 1:
	case 2:
		if (sa->conn && (sa->initiator || sa->state == IKE_STATE_ESTABLISHED))
			operator_add(r, e, sa, what == 2);
		break;
	case 3:
	case 4:
		if (c && c->state >= CHILD_STATE_INSTALLED && c->state <= CHILD_STATE_DELETING && c->state != CHILD_STATE_RETRYING)
			ike_sa_terminate_child(sa, c, run_request(r, e));
		break;
	case 5:
		ike_sa_terminate(sa, program_pick(&r->in, 4) == 3, run_request(r, e));
		break;
	case 6:
		if (sa->state == IKE_STATE_ESTABLISHED)
			ike_sa_probe(sa);
		break;
	case 7:
		ike_sa_reauth(sa);
		break;
	case 8:
		ike_sa_sync_ids(sa);
		break;
	case 13:
	case 14:
		ike_sa_rekey(sa);
		break;
	case 11:
	case 12:
		if (c)
			ike_sa_rekey_child(sa, c);
		break;
	case 15:
		if (c)
			ike_sa_child_gone(sa, c);
		break;
	default:
		if (c)
			ike_sa_child_expired(sa, c, what == 9);
		break;
	}
}

static void step_time(struct run *r)
{
	static const uint32_t amounts[] = { 10, 1000, 4100, 12000, 31000, 100000, 300000 };
	uint64_t end = r->lab->now + amounts[program_pick(&r->in, ARRAY_LEN(amounts))];

	/* not in one leap: a packet that is sent meanwhile can be lost, but not hundreds of them */
	for (unsigned n = 0; r->lab->now < end; n++) {
		uint64_t a = wheel_next(r->lab->a.ctx.wheel), b = wheel_next(r->lab->b.ctx.wheel), next = a < b ? a : b;

		ck_assert_uint_lt(n, 20000);
		if (next <= r->lab->now)
			next = r->lab->now + 1;
		lab_advance(r->lab, (next < end ? next : end) - r->lab->now);
		run_trim(r, LAB_PACKETS / 2);
	}
}

static void step_forge(struct run *r, bool sealed)
{
	struct lab *lab = r->lab;
	struct lab_end *to = pick_end(r);
	struct ike_sa *sa = pick_sa(r, to);
	bool now = program_pick(&r->in, 8) != 0;
	uint64_t before;

	if (sealed) {
		size_t at = lab->n_packets, n;

		if (!sa || !sa->protect.cipher || !forge_sealed(&r->in, to, sa) || !now)
			return;
		for (n = lab->n_packets - at; n; n--) {
			lab_choose(lab, at);
			run_deliver(r);
		}
		return;
	}
	if (!forge_plain(&r->in, to, program_pick(&r->in, 3) ? sa : NULL))
		return;
	lab_choose(lab, lab->n_packets - 1);
	before = state_hash(to);
	run_deliver(r);
	ck_assert_uint_eq(state_hash(to), before);
}

/* A changed byte in what is protected; what is not can be forged as step_forge does. */
static void step_corrupt(struct run *r)
{
	struct lab *lab = r->lab;
	struct lab_end *to = lab->packets[0].to;
	uint64_t before = state_hash(to);

	if (run_is_full(r))
		return;
	lab_forge(lab, program_u16(&r->in) % lab->packets[0].n);
	ck_assert_uint_eq(state_hash(to), before);
}

static void step_net(struct run *r)
{
	struct lab *lab = r->lab;
	unsigned what = program_pick(&r->in, 12);

	if (!lab->n_packets)
		return;
	lab_choose(lab, program_u8(&r->in) % lab->n_packets);
	if (what == 1) {
		lab_drop(lab);
	} else if (what == 2) {
		if (!run_is_full(r))
			lab_repeat(lab);
	} else if (what == 3) {
		step_corrupt(r);
	} else {
		if (what == 4 || what == 5)
			forge_rewrite(&r->in, lab, 0);
		run_deliver(r);
	}
}

static void step_run(struct run *r)
{
	for (unsigned n = 0; r->lab->n_packets; n++) {
		ck_assert_uint_lt(n, 1000);
		if (run_is_full(r))
			return;
		run_deliver(r);
	}
}

static void step_backend(struct run *r)
{
	struct lab_end *e = pick_end(r);
	unsigned what = program_u8(&r->in);

	if (what & 0x80) {
		e->kernel_async = what & 1;
		e->kernel_fail_spi = what & 2;
		e->kernel_fail_install = what & 4;
	} else if (e->n_pending) {
		lab_kernel_complete(e, what % 8 ? KERNEL_OK : KERNEL_FAILED);
	}
}

static void run_step(struct run *r)
{
	switch (program_pick(&r->in, 16)) {
	case 0:
	case 1:
	case 2:
		step_net(r);
		break;
	case 3:
	case 4:
	case 5:
		step_run(r);
		break;
	case 6:
	case 7:
	case 8:
		step_operator(r);
		break;
	case 9:
		step_time(r);
		break;
	case 10:
		step_backend(r);
		break;
	case 11:
		step_forge(r, false);
		break;
	default:
		step_forge(r, true);
		break;
	}
}

/* A program that lost its tunnel gets another one, so that what follows has something to break. */
static void run_tunnel(struct run *r)
{
	struct lab_end *a = &r->lab->a;

	for (size_t i = 0; i < a->n_sas; i++)
		if (!a->sas[i]->finished && a->sas[i]->state != IKE_STATE_CLOSED)
			return;
	if (r->requests >= LAB_REQUESTS / 2 || run_is_full(r))
		return;
	ike_sa_initiate(ike_sa_new_initiator(&a->ctx, config_conn(a->ctx.config, "net"), 0),
			conn_child(config_conn(a->ctx.config, "net"), "one"), run_request(r, a));
	for (unsigned n = 0; n < 4 && r->lab->n_packets; n++) {
		lab_choose(r->lab, r->lab->n_packets - 1);
		lab_deliver(r->lab);
	}
}

/* ---- the end ---- */

/* No packet is lost any more, backends answer, the silent are found out. */
static void run_settle(struct run *r)
{
	struct lab *lab = r->lab;
	uint64_t end = lab->now + SETTLE_MS;

	lab->a.kernel_fail_install = lab->b.kernel_fail_install = false;
	lab->a.kernel_fail_spi = lab->b.kernel_fail_spi = false;
	for (unsigned n = 0;; n++) {
		uint64_t a, b;

		ck_assert_uint_lt(n, 20000);
		while (lab->n_packets || lab->a.n_pending || lab->b.n_pending) {
			lab_run(lab);
			if (lab->a.n_pending)
				lab_kernel_complete(&lab->a, KERNEL_OK);
			if (lab->b.n_pending)
				lab_kernel_complete(&lab->b, KERNEL_OK);
			run_trim(r, LAB_PACKETS);
		}
		a = wheel_next(lab->a.ctx.wheel);
		b = wheel_next(lab->b.ctx.wheel);
		if (a > b)
			a = b;
		if (a == UINT64_MAX || lab->now >= end)
			break;
		lab_advance(lab, a > lab->now ? a - lab->now : 1);
	}
}

static bool has_twin(const struct lab_end *e, const struct ike_sa *sa)
{
	for (size_t i = 0; i < e->n_sas; i++)
		if (!e->sas[i]->finished && e->sas[i]->spi_i == sa->spi_i && e->sas[i]->spi_r == sa->spi_r)
			return true;
	return false;
}

static bool is_at_rest(const struct ike_sa *sa)
{
	return sa->state == IKE_STATE_ESTABLISHED && !sa->queued && !sa->active && !sa->passive && !sa->incoming &&
	       !sa->outstanding && !sa->setup && !sa->park && !sa->parked_request;
}

/* Law 4: nobody is stuck, whatever the other did. */
static void run_at_rest(struct run *r)
{
	struct lab_end *ends[] = { &r->lab->a, &r->lab->b };

	for (size_t k = 0; k < ARRAY_LEN(ends); k++) {
		for (size_t i = 0; i < ends[k]->n_sas; i++) {
			struct ike_sa *sa = ends[k]->sas[i];

			/* the last of those that give way to another may linger */
			if (sa->finished || sa->state == IKE_STATE_CLOSED)
				continue;
			ck_assert_msg(is_at_rest(sa), "IKE_SA %u of %s is stuck in %s", sa->log.id, ends[k]->name,
				      ike_state_name(sa->state));
			ck_assert_msg(has_twin(ends[!k], sa), "IKE_SA %u of %s has no twin", sa->log.id, ends[k]->name);
			for (struct child_sa *c = sa->children; c; c = c->next)
				/* one that was rekeyed takes late packets for a while */
				ck_assert_msg(c->state == CHILD_STATE_INSTALLED ||
						      (c->state == CHILD_STATE_DELETED && c->overlap_ms > r->lab->now), "CHILD_SA %u of %s is stuck in %s", c->id,
					      ends[k]->name, child_state_name(c->state));
		}
	}
	for (unsigned i = 0; i < r->requests; i++)
		ck_assert_uint_eq(r->asked[i].e->requests[r->asked[i].id].done, 1);
}

static void run_options(struct sa_options *o, unsigned how)
{
	if (how & 16)
		o->fragment_size_v4 = LIMIT_FRAGMENT_SIZE_MIN;
	o->make_before_break = how & 32;
	o->qcd_secrets.count = how & 64 ? 1 : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct run r = { .in = { data, size, 0 } };
	unsigned set_up = program_u8(&r.in), how = program_u8(&r.in);

	r.heap = mallinfo2().uordblks;
	r.lab = lab_new(confs[set_up % ARRAY_LEN(confs)][0], confs[set_up % ARRAY_LEN(confs)][1]);
	crypto_ctx_seed(r.lab->a.ctx.crypto, 2 + set_up / 8);
	crypto_ctx_seed(r.lab->b.ctx.crypto, 3 + set_up / 8);
	run_options(&r.lab->a.ctx.options, how);
	run_options(&r.lab->b.ctx.options, how);
	if (how & 128)
		lab_attributes(r.lab);
	/* most begin with a tunnel: else few would come to have one */
	if (how % 4)
		run_tunnel(&r);
	r.lab->a.kernel_async = how & 4;
	r.lab->b.kernel_async = how & 8;
	for (unsigned n = 0; n < STEPS && r.in.n; n++) {
		run_step(&r);
		if (how % 4 > 1)
			run_tunnel(&r);
		run_trim(&r, LAB_PACKETS / 2);
		run_check(&r);
	}
	run_settle(&r);
	run_at_rest(&r);
	lab_free(r.lab);
	return 0;
}
