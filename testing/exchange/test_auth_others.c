/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "confs.h"
#include "lab_auth.h"
#include "lab_keys.h"
#include "suites.h"

/* Several connections fit the peer by addresses and identity: constraints decide which one it is, within limits. */

#define CONN(NAME, LOCAL, REMOTE)                                                                                                \
	" " NAME " { local_addrs = 192.0.2.2\n remote_addrs = 192.0.2.1\n " CONF_IKE "\n local { auth = psk\n id = " LOCAL " }\n"      \
	" remote { auth = psk\n id = " REMOTE " }\n children { " CHILD_B("one", "1", ESP) " } }\n"

static struct conn *conn_of(struct lab_end *e, const char *name)
{
	return (struct conn *)(uintptr_t)config_conn(e->ctx.config, name);
}

static void demands(struct lab_end *e, const char *name, size_t round, const char *auth)
{
	struct conn_round *r = (struct conn_round *)(uintptr_t)&conn_of(e, name)->remote_rounds[round];
	struct errtext err;

	ck_assert_msg(auth_rules_parse(bytes_str(auth), true, &r->rules, &err), "%s", err.s);
	r->auth_text = auth;
}

struct world {
	struct lab *lab;
	struct pki_cert *a, *b;
};

/* a has an ECDSA certificate; b has these connections. */
static struct world world_new(const char *conf_b, const char *const *names)
{
	struct world w = { .lab = lab_new(CONF_A, conf_b) };

	w.lab->a.auth = w.lab->b.auth = LAB_AUTH_BY_HAND;
	lab_rounds(&w.lab->a, "net", true, "c");
	lab_rounds(&w.lab->a, "net", false, "c");
	for (; *names; names++) {
		lab_rounds(&w.lab->b, *names, true, "c");
		lab_rounds(&w.lab->b, *names, false, "c");
	}
	w.a = keys_leaf("CN=a", "subjectAltName=DNS:a.test,DNS:a.test-1", PKI_P256);
	w.b = keys_leaf("CN=b", "subjectAltName=DNS:b.test,DNS:c.test,DNS:b.test-1", PKI_P256);
	keys_load(&w.lab->a, w.a, keys_root);
	keys_load(&w.lab->b, w.b, keys_root);
	return w;
}

static void world_free(struct world *w)
{
	lab_free(w->lab);
	pki_cert_free(w->a);
	pki_cert_free(w->b);
}

/* CVE class "constraint enforced after disclosure": a refusal is AUTHENTICATION_FAILED and nothing else, neither identity nor proof. */
static unsigned expect_nothing_told(struct lab *lab)
{
	unsigned refusals = 0;

	struct arena arena = { 0 };
	struct payload_list in;
	struct ike_header h;

	for (size_t i = 0; i < lab->n_packets; i++) {
		if (lab->packets[i].to != &lab->a)
			continue;
		lab_peek(lab, i, &arena, &h, &in);
		if (h.exchange != EXCHANGE_IKE_AUTH || !(h.flags & IKE_FLAG_RESPONSE))
			continue;
		if (!payload_notify(&in, NOTIFY_AUTHENTICATION_FAILED))
			continue;
		ck_assert_uint_eq(in.count, 1);
		refusals++;
	}
	arena_free(&arena);
	return refusals;
}

/* NULL: none. Returns the refusals that came of the service's answers. */
static unsigned expect_conn(struct world *w, const char *name)
{
	unsigned refusals = 0;

	lab_initiate(&w->lab->a, "one");
	do {
		refusals += expect_nothing_told(w->lab);
		lab_run(w->lab);
	} while (keys_serve(w->lab));
	if (!name) {
		ck_assert_uint_eq(w->lab->b.n_auths, 0);
		lab_advance(w->lab, 31000);
		ck_assert_uint_eq(lab_live(&w->lab->b), 0);
		ck_assert_uint_eq(lab_count(&w->lab->b, SA_EVENT_IKE_UP), 0);
		ck_assert_uint_eq(lab_live(&w->lab->a), 0);
		return refusals;
	}
	ck_assert_ptr_nonnull(lab_sa(&w->lab->b));
	ck_assert_uint_eq(lab_sa(&w->lab->b)->state, IKE_STATE_ESTABLISHED);
	ck_assert_uint_eq(lab_sa(&w->lab->a)->state, IKE_STATE_ESTABLISHED);
	ck_assert_str_eq(lab_sa(&w->lab->b)->conn->name, name);
	ck_assert_str_eq(lab_sa(&w->lab->b)->log.name, name);
	ck_assert_uint_eq(lab_children(&w->lab->a, CHILD_STATE_INSTALLED), 1);
	ck_assert_uint_eq(lab_children(&w->lab->b, CHILD_STATE_INSTALLED), 1);
	lab_check(w->lab);
	return refusals;
}

static const char *const net_more[] = { "net", "more", NULL };

/* The second of two that name the peer equally well. */
START_TEST(next_one)
{
	struct world w = world_new("connections {" CONN("net", "b.test", "*.test") CONN("more", "b.test", "*.test") "}\n" CONF_SECRET,
				   net_more);

	demands(&w.lab->b, "net", 0, _i == 1 ? "ike:rsa" : "pubkey");
	demands(&w.lab->b, "more", 0, _i == 2 ? "ike:rsa" : "ike:ecdsa");
	expect_conn(&w, _i == 1 ? "more" : "net");
	/* one proof, however many connections were asked */
	ck_assert_uint_eq(lab_sa(&w.lab->b)->chains->count, 1);
	world_free(&w);
}
END_TEST

/* Which names the peer less exactly is no way around what the exact one demands. */
START_TEST(no_way_around)
{
	static const char *const patterns[] = { "a.test", "*.test", "%any" };
	char conf[2000];
	struct world w;

	snprintf(conf, sizeof(conf), "connections {" CONN("net", "b.test", "%s") CONN("more", "b.test", "%s") "}\n" CONF_SECRET,
		 patterns[_i], patterns[_i + 1 < 3 ? _i + 1 : 2]);
	w = world_new(conf, net_more);
	demands(&w.lab->b, "net", 0, "ike:rsa");
	demands(&w.lab->b, "more", 0, "pubkey");
	ck_assert_uint_eq(expect_conn(&w, _i == 2 ? "more" : NULL), _i == 2 ? 0 : 1);
	world_free(&w);
}
END_TEST

/* Nor is it when there are others that name the peer as exactly. */
START_TEST(no_way_around_two)
{
	static const char *const names[] = { "net", "more", "any", NULL };
	struct world w = world_new("connections {" CONN("net", "b.test", "a.test") CONN("more", "b.test", "a.test")
				   CONN("any", "b.test", "%any") "}\n" CONF_SECRET, names);

	demands(&w.lab->b, "net", 0, "ike:rsa");
	demands(&w.lab->b, "more", 0, "ike:ed25519");
	ck_assert_uint_eq(expect_conn(&w, NULL), 1);
	world_free(&w);
}
END_TEST

/* What the peer brings is its choice: by a secret, or with fewer rounds, it does not come around what is asked of it by name. */
START_TEST(less_proof)
{
	static const char *const patterns[] = { "a.test", "*.test" };
	char conf[2000];
	struct world w;

	snprintf(conf, sizeof(conf), "connections {" CONN("net", "b.test", "%s") CONN("more", "b.test", "%s") "}\n" CONF_SECRET,
		 patterns[_i & 1], patterns[1]);
	w = world_new(conf, net_more);
	if (_i & 2) { /* two rounds are asked for, one comes */
		lab_rounds(&w.lab->b, "net", false, "cc");
	} else { /* a signature is asked for, a MAC comes */
		lab_rounds(&w.lab->a, "net", true, "p");
		lab_rounds(&w.lab->b, "more", false, "p");
	}
	expect_conn(&w, _i & 1 ? "more" : NULL);
	world_free(&w);
}
END_TEST

/* Who asked for b by name gets b; who did not gets who the connection says that we are. */
START_TEST(our_identity)
{
	struct world w = world_new("connections {" CONN("net", "b.test", "*.test") CONN("more", "c.test", "*.test") "}\n" CONF_SECRET,
				   net_more);

	if (_i) {
		struct conn_round *r = (struct conn_round *)(uintptr_t)conn_of(&w.lab->a, "net")->remote_rounds;

		r->id = (struct id){ 0 };
	}
	demands(&w.lab->b, "net", 0, "ike:rsa");
	expect_conn(&w, _i ? "more" : NULL);
	if (_i)
		ck_assert_str_eq(id_text(&lab_sa(&w.lab->a)->remote_id).s, "c.test");
	world_free(&w);
}
END_TEST

/* A second round chooses, too, but only among connections that were the same up to there: what was said of us, and asked of the peer, stays
 * true. */
START_TEST(second_round)
{
	struct world w = world_new("connections {" CONN("net", "b.test", "a.test") CONN("more", "b.test", "a.test") "}\n" CONF_SECRET,
				   net_more);

	lab_rounds(&w.lab->a, "net", true, "cc");
	lab_rounds(&w.lab->b, "net", false, "cc");
	lab_rounds(&w.lab->b, "more", false, "cc");
	demands(&w.lab->b, "net", 1, "ike:rsa");
	if (_i == 1)
		demands(&w.lab->b, "more", 0, "ike:ecdsa");
	if (_i == 2)
		((struct conn_round *)(uintptr_t)conn_of(&w.lab->b, "more")->local_rounds)->revocation = REVOCATION_STRICT;
	if (_i == 3)
		((struct conn_round *)(uintptr_t)conn_of(&w.lab->b, "more")->local_rounds)->id.data = bytes_str("c.test");
	expect_conn(&w, _i == 0 ? "more" : NULL);
	world_free(&w);
}
END_TEST

Suite *auth_others_suite(void)
{
	Suite *s = suite_create("exchange/auth_others");
	TCase *tc = tcase_create("others");

	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, keys_setup, keys_teardown);
	tcase_add_loop_test(tc, next_one, 0, 3);
	tcase_add_loop_test(tc, no_way_around, 0, 3);
	tcase_add_test(tc, no_way_around_two);
	tcase_add_loop_test(tc, less_proof, 0, 4);
	tcase_add_loop_test(tc, our_identity, 0, 2);
	tcase_add_loop_test(tc, second_round, 0, 4);
	suite_add_tcase(s, tc);
	return s;
}
