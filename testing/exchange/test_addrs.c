/* SPDX-License-Identifier: Apache-2.0 */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "confs.h"
#include "lab.h"
#include "suites.h"

/* Whom the initiator calls, from where, and which connection the responder takes: local_addrs and remote_addrs. */

#define CONF_ADDRS(SIDE, PEER, ADDRS)                                                              \
	"connections { net { version = 2\n" ADDRS "\n" CONF_IKE                                    \
	"\n local { auth = psk\n id = " SIDE ".test }\n remote { auth = psk\n id = " PEER ".test }\n children { "
#define CONF_END " } } }\n" CONF_SECRET

static struct lab *lab_addrs(const char *addrs)
{
	char conf[1024];

	snprintf(conf, sizeof(conf), CONF_ADDRS("a", "b", "%s") CHILD_A("one", "1", ESP) CONF_END, addrs);
	return lab_new(conf, CONF_B);
}

static const struct addr *called(struct lab *lab)
{
	ck_assert_uint_ge(lab->n_packets, 1);
	return &lab->packets[lab->n_packets - 1].local;
}

static void expect_called(struct lab *lab, const char *addr)
{
	ck_assert_str_eq(addr_format(called(lab)).s, addr);
}

/* The attempt is lost, as the retransmits are; the next one begins. */
static void lose_attempt(struct lab *lab)
{
	struct ike_sa *sa = lab->a.sas[0];
	unsigned attempt = sa->setup->attempt;

	for (unsigned i = 0; i < 400 && sa->setup && sa->setup->attempt == attempt; i++) {
		while (lab->n_packets)
			lab_drop(lab);
		lab_advance(lab, 1000);
	}
	ck_assert_uint_eq(sa->setup->attempt, attempt + 1);
}

/* Each attempt another entry; what is no single host, or of a family that we have no address of, is passed over. */
START_TEST(entries_in_turn)
{
	struct lab *lab = lab_addrs("local_addrs = 192.0.2.1\n"
				    "remote_addrs = 203.0.113.0/24, 192.0.2.7, 2001:db8::1, %any, 192.0.2.8\n keyingtries = 0");
	static const char *const turns[] = { "192.0.2.7", "192.0.2.8", "192.0.2.7", "192.0.2.8" };

	lab_initiate(&lab->a, "one");
	for (size_t i = 0; i < ARRAY_LEN(turns); i++) {
		expect_called(lab, turns[i]);
		lose_attempt(lab);
	}
	lab_free(lab);
}
END_TEST

/* Names and addresses: of a name each address once, then the next entry. */
START_TEST(names_among_entries)
{
	struct lab *lab = lab_addrs("local_addrs = 192.0.2.1\n"
				    "remote_addrs = one.test, 192.0.2.9, two.test\n keyingtries = 0");

	lab_initiate(&lab->a, "one");
	lab_resolved(&lab->a, "2001:db8::7 192.0.2.7 192.0.2.8");
	expect_called(lab, "192.0.2.7");
	lose_attempt(lab);
	ck_assert_uint_eq(lab->a.resolves, 2);
	lab_resolved(&lab->a, "2001:db8::7 192.0.2.7 192.0.2.8");
	expect_called(lab, "192.0.2.8");
	lose_attempt(lab);
	lab_resolved(&lab->a, "2001:db8::7 192.0.2.7 192.0.2.8");
	expect_called(lab, "192.0.2.9");
	lose_attempt(lab);
	ck_assert_uint_eq(lab->a.resolves, 4);
	/* the second name has none: the first again */
	lab_resolved(&lab->a, "");
	ck_assert_uint_eq(lab->a.resolves, 5);
	lab_resolved(&lab->a, "192.0.2.2");
	lab_run(lab);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 1);
	lab_free(lab);
}
END_TEST

/* Two names of one host: it is called again all the same. */
START_TEST(names_of_one_host)
{
	struct lab *lab = lab_addrs("local_addrs = 192.0.2.1\n remote_addrs = one.test, two.test\n keyingtries = 0");

	lab_initiate(&lab->a, "one");
	lab_resolved(&lab->a, "192.0.2.7");
	for (unsigned i = 0; i < 3; i++) {
		expect_called(lab, "192.0.2.7");
		lose_attempt(lab);
		for (unsigned k = 0; k < 3; k++)
			lab_resolved(&lab->a, "192.0.2.7");
	}
	lab_free(lab);
}
END_TEST

/* Names of our own, too. */
START_TEST(local_name)
{
	struct lab *lab = lab_addrs("local_addrs = me.test, me-too.test\n remote_addrs = b.test");
	uint64_t r = lab_initiate(&lab->a, "one");

	lab_resolved(&lab->a, "2001:db8::1");
	lab_resolved(&lab->a, "192.0.2.1 192.0.2.3");
	ck_assert_uint_eq(lab->n_packets, 0);
	lab_resolved(&lab->a, "192.0.2.2");
	ck_assert_uint_eq(lab->a.resolves, 3);
	ck_assert_str_eq(addr_format(&lab->packets[0].remote).s, "192.0.2.1");
	lab_run(lab);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_NONE);
	lab_free(lab);
}
END_TEST

/* local_addrs decides the family and the address; what of it is our own is found. */
static const struct {
	const char *local, *from; /* NULL: there is none */
} locals[] = {
	{ "%any", "192.0.2.1" },
	{ "%any4", "192.0.2.1" },
	{ "%any6", NULL },
	{ "0.0.0.0", "192.0.2.1" },
	{ "::", NULL },
	{ "192.0.2.0/24", "192.0.2.1" },
	{ "192.0.2.1-192.0.2.9", "192.0.2.1" },
	{ "198.51.100.0/24", NULL },
	{ "2001:db8::1", NULL },
	{ "2001:db8::1, 192.0.2.77, %any", "192.0.2.77" },
	{ "10.0.0.0/8, %any", "192.0.2.1" },
};

START_TEST(local_entries)
{
	char addrs[256];
	struct lab *lab;
	uint64_t r;

	snprintf(addrs, sizeof(addrs), "local_addrs = %s\n remote_addrs = 192.0.2.2", locals[_i].local);
	lab = lab_addrs(addrs);
	r = lab_initiate(&lab->a, "one");
	if (locals[_i].from) {
		ck_assert_str_eq(addr_format(&lab->packets[0].remote).s, locals[_i].from);
	} else {
		ck_assert_uint_eq(lab->n_packets, 0);
		ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_RESOLVE);
	}
	lab_free(lab);
}
END_TEST

/* Without an address to send from it is tried again, as often as keyingtries says. */
START_TEST(no_way_yet)
{
	struct lab *lab = lab_addrs("local_addrs = 192.0.2.1\n remote_addrs = 2001:db8::2\n keyingtries = 3");
	uint64_t r = lab_initiate(&lab->a, "one");

	lab_advance(lab, 5000);
	ck_assert_uint_eq(lab->a.requests[r].done, 0);
	lab_advance(lab, 5000);
	ck_assert_uint_eq(lab->a.requests[r].done, 1);
	ck_assert_int_eq(lab->a.requests[r].cause, CAUSE_RESOLVE);
	lab_free(lab);
}
END_TEST

/* Which remote_addrs of the responder take a peer at 192.0.2.1. */
static const struct {
	const char *remote;
	bool up;
} remotes[] = {
	{ "%any", true },	    { "%any4", true },	    { "%any6", false },	       { "192.0.2.0/28", true },
	{ "192.0.2.16/28", false }, { "192.0.2.1-192.0.2.2", true }, { "192.0.2.2-192.0.2.9", false },
	{ "192.0.2.3, 192.0.2.1", true }, { "192.0.2.3, 2001:db8::1", false }, { "a.test", true },
};

START_TEST(responder_matches)
{
	char conf[1024];
	struct lab *lab;

	snprintf(conf, sizeof(conf), CONF_ADDRS("b", "a", "local_addrs = 192.0.2.2\n remote_addrs = %s")
		 CHILD_B("one", "1", ESP) CONF_END, remotes[_i].remote);
	lab = lab_new(CONF_A, conf);
	lab_initiate(&lab->a, "one");
	lab_run(lab);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), remotes[_i].up);
	lab_free(lab);
}
END_TEST

/* _i: 0 to 4500 at once, 1 from there (which means both), 2 to a port of its own */
START_TEST(ports)
{
	static const char *const conf[] = { "remote_port = 4500", "local_port = 4500", "remote_port = 4501" };
	char addrs[256];
	struct lab *lab;

	snprintf(addrs, sizeof(addrs), "local_addrs = 192.0.2.1\n remote_addrs = 192.0.2.2\n %s", conf[_i]);
	lab = lab_addrs(addrs);
	lab_initiate(&lab->a, "one");
	ck_assert_uint_eq(lab->packets[0].remote.port, 4500);
	ck_assert_uint_eq(lab->packets[0].local.port, _i == 2 ? 4501 : 4500);
	lab_run(lab);
	ck_assert_uint_eq(lab_children(&lab->b, CHILD_STATE_INSTALLED), 1);
	ck_assert(!lab_sa(&lab->a)->nat_local && !lab_sa(&lab->a)->nat_remote);
	lab_free(lab);
}
END_TEST

Suite *addrs_suite(void)
{
	Suite *s = suite_create("exchange/addrs");
	TCase *t = tcase_create("all");

	tcase_set_timeout(t, 60);
	tcase_add_test(t, entries_in_turn);
	tcase_add_test(t, names_among_entries);
	tcase_add_test(t, names_of_one_host);
	tcase_add_test(t, local_name);
	tcase_add_loop_test(t, local_entries, 0, ARRAY_LEN(locals));
	tcase_add_test(t, no_way_yet);
	tcase_add_loop_test(t, responder_matches, 0, ARRAY_LEN(remotes));
	tcase_add_loop_test(t, ports, 0, 3);
	suite_add_tcase(s, t);
	return s;
}
