/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "confs.h"
#include "lab.h"
#include "sa/nat.h"
#include "suites.h"

/* Without MOBIKE. A NAT between the two: who keeps its mapping alive, who follows when it changes (RFC 7296, 2.23; RFC 3948, 4). */

#define CONF_NAT_B(IKE, CHILDREN)                                                                  \
	"connections { net { version = 2\n local_addrs = 192.0.2.2\n remote_addrs = %any\n mobike = no\n" IKE \
	"\n local { auth = psk\n id = b.test }\n remote { auth = psk\n id = a.test }\n"           \
	" children { " CHILDREN " } } }\n" CONF_SECRET
#define NAT_B CONF_NAT_B(CONF_IKE, CHILD_B("one", "1", ESP) CHILD_B("two", "2", ESP))
#define KEEP_MS 20000

/* a is behind a NAT. */
static struct lab *behind(void)
{
	struct lab *lab = lab_new(CONF_A, NAT_B);

	lab->nat_port = 10500;
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab->b.kernel_children, 1);
	return lab;
}

static void probe(struct lab_end *e)
{
	ike_sa_probe(lab_sa(e));
}

/* Where b believes its peer to be: with a child there, if it has one. */
static void expect_peer(struct lab *lab, uint16_t port)
{
	const struct ike_sa *sa = lab_sa(&lab->b);

	ck_assert_str_eq(addr_format(&sa->remote).s, "198.51.100.1");
	ck_assert_uint_eq(sa->remote.port, port);
	for (struct child_sa *c = sa->children; c; c = c->next)
		if (c->state == CHILD_STATE_INSTALLED)
			ck_assert_uint_eq(lab_sent_to(c)->port, port);
}

/* Who is behind it sends them, and only when nothing else was sent. */
START_TEST(keepalives)
{
	struct lab *lab = behind();
	struct ike_sa *a = lab_sa(&lab->a), *b = lab_sa(&lab->b);

	ck_assert(a->nat_local && !a->nat_remote && !b->nat_local && b->nat_remote);
	ck_assert_uint_eq(a->local.port, 4500);
	ck_assert_uint_eq(a->remote.port, 4500);
	expect_peer(lab, 10501);
	lab_advance(lab, KEEP_MS - 1);
	ck_assert_uint_eq(lab->a.keepalives, 0);
	lab_advance(lab, 1);
	ck_assert_uint_eq(lab->a.keepalives, 1);
	for (int i = 0; i < 10; i++)
		lab_advance(lab, KEEP_MS / 2);
	ck_assert_uint_eq(lab->a.keepalives, 6);
	/* a message counts as much */
	lab_advance(lab, KEEP_MS / 2);
	probe(&lab->a);
	lab_run(lab);
	lab_advance(lab, KEEP_MS - 1);
	ck_assert_uint_eq(lab->a.keepalives, 6);
	/* and ESP */
	lab->a.usage_out.last_use_ms = lab->now;
	lab_advance(lab, KEEP_MS - 1);
	ck_assert_uint_eq(lab->a.keepalives, 6);
	lab_advance(lab, 1);
	ck_assert_uint_eq(lab->a.keepalives, 7);
	ck_assert_uint_eq(lab->b.keepalives, 0);
	lab_free(lab);
}
END_TEST

/* RFC 7296, 2.18: a successor goes on with it, the replaced one does not. */
START_TEST(keepalives_after_rekey)
{
	struct lab *lab = behind();

	ike_sa_rekey(lab_sa(&lab->a));
	lab_run(lab);
	ck_assert_uint_eq(lab_count(&lab->a, SA_EVENT_IKE_REKEY), 1);
	for (int i = 0; i < 4; i++)
		lab_advance(lab, KEEP_MS);
	ck_assert_uint_eq(lab->a.keepalives, 4);
	ike_sa_terminate(lab_sa(&lab->a), false, (struct sa_request){ 0 });
	lab_run(lab);
	lab_advance(lab, 4 * KEEP_MS);
	ck_assert_uint_eq(lab->a.keepalives, 4);
	lab_free(lab);
}
END_TEST

/* _i: 0 no NAT, 1 only said to be there, 2 switched off */
START_TEST(no_keepalives)
{
	struct lab *lab = lab_new(_i == 1 ? CONF_A_WITH(CONF_IKE "\nencap = yes", CHILD_A("one", "1", ESP)) : CONF_A, NAT_B);

	if (_i == 2) {
		lab->nat_port = 10500;
		lab->a.ctx.options.keep_alive = 0;
	}
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->a)->nat_fake, _i == 1);
	ck_assert_uint_eq(lab_sa(&lab->a)->nat_local, _i == 2);
	ck_assert_uint_eq(lab_sa(&lab->b)->nat_remote, _i != 0);
	for (int i = 0; i < 10; i++)
		lab_advance(lab, KEEP_MS);
	ck_assert_uint_eq(lab->a.keepalives + lab->b.keepalives, 0);
	lab_free(lab);
}
END_TEST

/* The machine slept: what it finds may need more than one byte. */
START_TEST(late_keepalive_probes)
{
	struct lab *lab = behind();

	lab->a.ctx.options.keep_alive_dpd_margin = 10;
	lab_advance(lab, KEEP_MS + 10000);
	ck_assert_uint_eq(lab->a.keepalives, 1);
	lab_advance(lab, KEEP_MS + 10001);
	ck_assert_uint_eq(lab->a.keepalives, 1);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_run(lab);
	lab_free(lab);
}
END_TEST

/* RFC 7296 2.23 SHOULD: a request, or (_i) a response, from another address of the NAT. */
START_TEST(follows)
{
	struct lab *lab = behind();

	lab_add_child(&lab->a, lab_sa(&lab->a), "two");
	lab_run(lab);
	if (_i) {
		/* b's request still comes through, the answer to it takes another way back */
		probe(&lab->b);
		lab->nat_port = 20500;
		lab_deliver(lab);
	} else {
		lab->nat_port = 20500;
		probe(&lab->a);
	}
	expect_peer(lab, 10501);
	lab_run(lab);
	expect_peer(lab, 20501);
	ck_assert_uint_eq(lab->b.kernel_moves, 2);
	ck_assert_uint_eq(lab->a.kernel_moves, 0);
	ck_assert_ptr_null(lab_sa(&lab->a)->outstanding);
	ck_assert_ptr_null(lab_sa(&lab->b)->outstanding);
	lab_free(lab);
}
END_TEST

/* Retransmissions, too, go to the new address. */
START_TEST(outstanding_follows)
{
	struct lab *lab = behind();

	lab->nat_port = 20500;
	probe(&lab->b);
	ck_assert_uint_eq(lab->n_packets, 0); /* lost: the NAT has forgotten */
	probe(&lab->a);
	lab_run(lab);
	expect_peer(lab, 20501);
	ck_assert_ptr_nonnull(lab_sa(&lab->b)->outstanding);
	lab_advance(lab, 4100);
	ck_assert_uint_eq(lab->n_packets, 1);
	lab_run(lab);
	ck_assert_ptr_null(lab_sa(&lab->b)->outstanding);
	lab_free(lab);
}
END_TEST

/* New SAs are where the old ones were last. */
START_TEST(rekeyed_follows)
{
	struct lab *lab = behind();

	lab->nat_port = 20500;
	ike_sa_rekey(lab_sa(&lab->a));
	lab_run(lab);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_IKE_REKEY), 1);
	expect_peer(lab, 20501);
	lab->nat_port = 30500;
	ike_sa_rekey_child(lab_sa(&lab->a), lab_sa(&lab->a)->children);
	lab_run(lab);
	expect_peer(lab, 30501);
	lab_advance(lab, 10000);
	lab_run(lab);
	expect_peer(lab, 30501);
	ck_assert_uint_eq(lab->b.kernel_children, 1);
	/* moved before and after a rekeying */
	ike_sa_rekey(lab_sa(&lab->a));
	lab_run(lab);
	lab->nat_port = 40500;
	probe(&lab->a);
	lab_run(lab);
	expect_peer(lab, 40501);
	lab_free(lab);
}
END_TEST

/* Both rekey while the NAT changes: whatever of the two IKE_SAs hears of it first, in the end all is at the new place. */
START_TEST(crossing_rekeys_follow)
{
	struct lab *lab = behind();

	ike_sa_rekey(lab_sa(&lab->a));
	ike_sa_rekey(lab_sa(&lab->b));
	for (int i = 0; i < _i; i++)
		lab_deliver(lab);
	lab->nat_port = 20500;
	for (int i = 0; i < 240; i++) {
		for (size_t k = 0; k < lab->a.n_sas; k++)
			if (i % 5 == 0 && lab->a.sas[k]->state == IKE_STATE_ESTABLISHED)
				ike_sa_probe(lab->a.sas[k]);
		lab_run(lab);
		lab_advance(lab, 1000);
	}
	expect_peer(lab, 20501);
	ck_assert_uint_eq(lab_live(&lab->a), 1);
	ck_assert_uint_eq(lab_live(&lab->b), 1);
	ck_assert_uint_eq(lab->b.kernel_children, 1);
	lab_free(lab);
}
END_TEST

/* A copy of what is under way, as it would come from elsewhere. */
static void from_elsewhere(struct lab *lab)
{
	ck_assert(addr_parse(bytes_str("203.0.113.66"), &lab->packets[0].remote));
	lab->packets[0].remote.port = 4500;
}

/* What anybody can send moves nothing: forged (every byte), repeated, too old, in the future. */
START_TEST(follows_nothing_else)
{
	struct lab *lab = behind();

	probe(&lab->a);
	for (size_t i = 0; i < lab->packets[0].n; i++) {
		struct addr was = lab->packets[0].remote;

		from_elsewhere(lab);
		lab_forge(lab, i);
		lab->packets[0].remote = was;
		lab_choose(lab, 0);
		while (lab->n_packets > 1) { /* what was answered, unprotected */
			lab_choose(lab, 1);
			lab_drop(lab);
		}
		expect_peer(lab, 10501);
	}
	lab_repeat(lab);
	ck_assert_uint_eq(lab->n_packets, 2); /* the answer, the repeat */
	lab_deliver(lab);
	from_elsewhere(lab);
	lab_deliver(lab);
	expect_peer(lab, 10501);
	ck_assert_uint_eq(lab->b.ctx.counters[SA_COUNTER_REPEAT], 1);
	lab_run(lab);
	/* one that was overtaken */
	probe(&lab->a);
	lab_repeat(lab);
	lab_deliver(lab);
	probe(&lab->a);
	lab_choose(lab, 1);
	lab_deliver(lab);
	lab_deliver(lab);
	ck_assert_uint_eq(lab->n_packets, 1);
	from_elsewhere(lab);
	lab_deliver(lab);
	expect_peer(lab, 10501);
	ck_assert_uint_eq(lab->n_packets, 0);
	lab_free(lab);
}
END_TEST

/* RFC 7296 2.23 SHOULD NOT: who is behind a NAT; nor who knows of none, nor with MOBIKE (RFC 4555, 3.8). */
START_TEST(does_not_follow)
{
	struct lab *lab = _i == 1 ? lab_new(CONF_A, NAT_B) : behind();
	struct lab_end *end = _i == 0 ? &lab->a : &lab->b, *other = _i == 0 ? &lab->b : &lab->a;
	struct addr was;

	if (_i == 1) {
		lab_initiate(&lab->a, "one");
		lab_run(lab);
	}
	lab_sa(&lab->b)->mobike = _i == 2;
	was = lab_sa(end)->remote;
	probe(other);
	from_elsewhere(lab);
	lab_deliver(lab);
	ck_assert(addr_equal(&lab_sa(end)->remote, &was));
	/* RFC 7296 2.11 MUST: but it is answered there */
	ck_assert_uint_eq(lab->n_packets, _i == 0 ? 1 : lab->nat_port ? 0 : 1);
	lab_free(lab);
}
END_TEST

/* What came to port 500 says nothing of the mapping that ESP has. */
START_TEST(other_port)
{
	struct lab *lab = behind();

	probe(&lab->a);
	lab->packets[0].local.port = 500;
	lab->packets[0].remote.port = 10500;
	lab_deliver(lab);
	expect_peer(lab, 10501);
	lab_free(lab);
}
END_TEST

/* Authenticated ESP has the same say, of a child that is up. */
START_TEST(follows_esp)
{
	struct lab *lab = behind();
	struct addr to = lab_sa(&lab->b)->remote, six;

	to.port = 20501;
	nat_follow_esp(lab_sa(&lab->b)->children, &to);
	expect_peer(lab, 20501);
	ck_assert_uint_eq(lab->b.kernel_moves, 1);
	nat_follow_esp(lab_sa(&lab->b)->children, &to);
	ck_assert_uint_eq(lab->b.kernel_moves, 1);
	ck_assert(addr_parse(bytes_str("2001:db8::1"), &six));
	six.port = 4500;
	nat_follow_esp(lab_sa(&lab->b)->children, &six);
	/* the other side is behind the NAT and does not */
	to = lab_sa(&lab->a)->remote;
	to.port = 4501;
	nat_follow_esp(lab_sa(&lab->a)->children, &to);
	ck_assert_uint_eq(lab_sa(&lab->a)->remote.port, 4500);
	expect_peer(lab, 20501);
	lab_free(lab);
}
END_TEST

/* ---- selectors ---- */

#define HOST_A(MORE) CONF_A_WITH(CONF_IKE, "one { " ESP "\n" MORE " }\n")
#define HOST_B(MORE) CONF_NAT_B(CONF_IKE, "one { " ESP "\n" MORE " }\n")

static void expect_ts(const struct lab_end *e, const char *expected)
{
	struct buf text = { 0 };

	for (size_t i = 0; i < e->n_sas; i++)
		for (const struct child_sa *c = e->sas[i]->children; c; c = c->next) {
			if (c->state != CHILD_STATE_INSTALLED)
				continue;
			buf_reset(&text);
			ts_list_format(&text, child_sa_local_ts(c));
			buf_add_str(&text, " === ");
			ts_list_format(&text, child_sa_remote_ts(c));
			ck_assert_str_eq(buf_str(&text), expected);
		}
	ck_assert_uint_gt(text.n, 0);
	buf_free(&text);
}

/* RFC 7296 2.23.1 MUST: each side has the addresses that it sees, also after either has rekeyed. */
START_TEST(transport)
{
	struct lab *lab = lab_new(HOST_A("mode = transport"), HOST_B("mode = transport"));

	lab->nat_port = 10500;
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	for (int i = 0; i < 3; i++) {
		struct lab_end *e = i ? &lab->a : &lab->b;

		ck_assert_uint_eq(lab->a.kernel_children, 1);
		ck_assert_uint_eq(lab->b.kernel_children, 1);
		ck_assert_uint_eq(lab_sa(&lab->a)->children->mode, IPSEC_MODE_TRANSPORT);
		ck_assert_uint_eq(lab_sa(&lab->b)->children->mode, IPSEC_MODE_TRANSPORT);
		expect_ts(&lab->a, "192.0.2.1/32 === 192.0.2.2/32");
		expect_ts(&lab->b, "192.0.2.2/32 === 198.51.100.1/32");
		ike_sa_rekey_child(lab_sa(e), lab_sa(e)->children);
		lab_run(lab);
		lab_advance(lab, 6000);
		ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_CHILD_REKEY), i + 1);
	}
	lab_free(lab);
}
END_TEST

/* RFC 7296, 2.23.1: where the policy has tunnel mode the selectors count as they were sent. */
START_TEST(transport_declined)
{
	struct lab *lab = lab_new(HOST_A("mode = transport"), HOST_B("local_ts = 192.0.2.2\n remote_ts = 192.0.2.0/24"));

	lab->nat_port = 10500;
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab_sa(&lab->b)->children->mode, IPSEC_MODE_TUNNEL);
	expect_ts(&lab->a, "192.0.2.1/32 === 192.0.2.2/32");
	expect_ts(&lab->b, "192.0.2.2/32 === 192.0.2.1/32");
	lab_free(lab);
}
END_TEST

/* ---- two clients ---- */

#define CLIENT(NAME, ID, CHILD)                                                                    \
	NAME " { version = 2\n local_addrs = 192.0.2.1\n remote_addrs = 192.0.2.2\n" CONF_IKE      \
	"\n local { auth = psk\n id = " ID " }\n remote { auth = psk\n id = b.test }\n children { " CHILD " } }\n"
#define SERVER(NAME, ID, CHILD)                                                                    \
	NAME " { version = 2\n local_addrs = 192.0.2.2\n" CONF_IKE                                 \
	"\n local { auth = psk\n id = b.test }\n remote { auth = psk\n id = " ID " }\n children { " CHILD " } }\n"
#define TUNNEL_A CHILD_A("one", "1", ESP)
#define TUNNEL_B CHILD_B("one", "1", ESP)
#define TRANSPORT "one { " ESP "\n mode = transport }\n"

static const struct {
	const char *a, *b;
	bool both;
} clients[] = {
	/* the same inner addresses: the first one keeps them */
	{ CLIENT("net", "a.test", TUNNEL_A) CLIENT("other", "c.test", TUNNEL_A), SERVER("net", "*", TUNNEL_B), false },
	/* of connections of their own they are meant so; of one identity they are one peer; and these are others */
	{ CLIENT("net", "a.test", TUNNEL_A) CLIENT("other", "c.test", TUNNEL_A),
	  SERVER("net", "a.test", TUNNEL_B) SERVER("more", "c.test", TUNNEL_B), true },
	{ CLIENT("net", "a.test", TUNNEL_A) CLIENT("other", "a.test", TUNNEL_A), SERVER("net", "*", TUNNEL_B), true },
	{ CLIENT("net", "a.test", TUNNEL_A) CLIENT("other", "c.test", CHILD_A("one", "2", ESP)),
	  SERVER("net", "*", TUNNEL_B CHILD_B("two", "2", ESP)), true },
	/* transport mode: all clients of the NAT have its address */
	{ CLIENT("net", "a.test", TRANSPORT) CLIENT("other", "c.test", TRANSPORT),
	  SERVER("net", "a.test", TRANSPORT) SERVER("more", "c.test", TRANSPORT), false },
	{ CLIENT("net", "a.test", TRANSPORT)
	  CLIENT("other", "c.test", "one { " ESP "\n mode = transport\n local_ts = dynamic[tcp/22]\n }\n"),
	  SERVER("net", "*", TRANSPORT), true },
};

START_TEST(two_clients)
{
	char conf_a[2048], conf_b[2048];
	const struct conn *other;
	struct sa_request r;
	struct lab *lab;

	snprintf(conf_a, sizeof(conf_a), "connections { %s }\n" CONF_SECRET, clients[_i].a);
	snprintf(conf_b, sizeof(conf_b), "connections { %s }\n" CONF_SECRET, clients[_i].b);
	lab = lab_new(conf_a, conf_b);
	lab->nat_port = 10500;
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab->b.kernel_children, 1);
	other = config_conn(lab->a.ctx.config, "other");
	r = lab_request_new(&lab->a);
	ike_sa_initiate(ike_sa_new_initiator(&lab->a.ctx, other, 0), conn_child(other, "one"), r);
	lab_run(lab);
	ck_assert_uint_eq(lab->b.kernel_children, clients[_i].both ? 2 : 1);
	ck_assert_int_eq(lab->a.requests[r.id].cause, clients[_i].both ? CAUSE_NONE : CAUSE_SELECTORS);
	/* the IKE_SA is up all the same, and when the first goes there is room */
	ck_assert_uint_eq(lab_live(&lab->b), 2);
	ike_sa_rekey_child(lab->b.sas[0], lab->b.sas[0]->children);
	lab_run(lab);
	ck_assert_uint_eq(lab_count(&lab->b, SA_EVENT_CHILD_REKEY), 1);
	ike_sa_terminate(lab->a.sas[0], false, (struct sa_request){ 0 });
	lab_run(lab);
	lab_advance(lab, 20000);
	if (!clients[_i].both) {
		r = lab_request_new(&lab->a);
		ike_sa_add_child(lab_sa(&lab->a), other, conn_child(other, "one"), r);
		lab_run(lab);
	}
	ck_assert_int_eq(lab->a.requests[r.id].cause, CAUSE_NONE);
	ck_assert_uint_eq(lab->b.kernel_children, 1);
	lab_free(lab);
}
END_TEST

Suite *nat_suite(void)
{
	Suite *s = suite_create("exchange/nat");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, keepalives);
	tcase_add_test(t, keepalives_after_rekey);
	tcase_add_loop_test(t, no_keepalives, 0, 3);
	tcase_add_test(t, late_keepalive_probes);
	tcase_add_loop_test(t, follows, 0, 2);
	tcase_add_test(t, outstanding_follows);
	tcase_add_test(t, rekeyed_follows);
	tcase_add_loop_test(t, crossing_rekeys_follow, 0, 5);
	tcase_add_test(t, follows_nothing_else);
	tcase_add_loop_test(t, does_not_follow, 0, 3);
	tcase_add_test(t, other_port);
	tcase_add_test(t, follows_esp);
	tcase_add_test(t, transport);
	tcase_add_test(t, transport_declined);
	tcase_add_loop_test(t, two_clients, 0, ARRAY_LEN(clients));
	suite_add_tcase(s, t);
	return s;
}
