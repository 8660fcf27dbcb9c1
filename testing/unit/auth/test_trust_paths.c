/* SPDX-License-Identifier: Apache-2.0 */
/* Ways to a trust anchor: lengths, crossings, loops, and policies along them. */
#include <stdlib.h>

#include "auth_test.h"
#include "util/mem.h"

#define CERTS 64

static struct trust_test t;
static struct pki_cert *all[CERTS];
static size_t n_all;

static void setup(void)
{
	n_all = 0;
	trust_test_init(&t, "CN=leaf");
}

static void teardown(void)
{
	trust_test_clear(&t);
	while (n_all)
		pki_cert_free(all[--n_all]);
}

static struct pki_cert *keep(struct pki_cert *c)
{
	ck_assert_uint_lt(n_all, CERTS);
	all[n_all++] = c;
	return c;
}

static struct pki_cert *ca(const struct pki_cert *issuer, const char *subject)
{
	return keep(pki_ca(issuer, subject));
}

/* A CA with one more extension ("basicConstraints=..." replaces the usual one). */
static struct pki_cert *ca_with(const struct pki_cert *issuer, const char *subject, const char *extension, const char *more)
{
	bool basic = strstr(extension, "basicConstraints") != NULL;
	const char *const extensions[] = { basic ? extension : "basicConstraints=critical,CA:TRUE", "subjectKeyIdentifier=hash",
					   basic ? more : extension, basic ? NULL : more, NULL };

	return keep(pki_cert_new(&(struct pki_spec){ .subject = subject, .issuer = issuer, .extensions = extensions }));
}

static struct pki_cert *leaf_with(const struct pki_cert *issuer, const char *extension)
{
	const char *const extensions[] = { extension, NULL };

	return keep(pki_cert_new(&(struct pki_spec){ .subject = "CN=leaf", .issuer = issuer, .extensions = extensions }));
}

static struct pki_cert *leaf(const struct pki_cert *issuer)
{
	return keep(pki_leaf(issuer, "CN=leaf", NULL));
}

/* ---- lengths */

START_TEST(test_path_length)
{
	struct pki_cert *root = ca_with(NULL, "CN=root", "basicConstraints=critical,CA:TRUE,pathlen:1", NULL);
	struct pki_cert *a = ca(root, "CN=a"), *b = ca(a, "CN=b");

	trust_test_load(&t, root, CERT_FLAG_CA);
	trust_test_send(&t, leaf(a));
	trust_test_send(&t, a);
	trust_test_send(&t, b);
	trust_test_good(&t, "leaf < a < root");
	trust_test_send_none(&t);
	trust_test_send(&t, leaf(b));
	trust_test_send(&t, b);
	trust_test_send(&t, a);
	trust_test_bad(&t, "'CN=leaf'|'CN=root'|pathLenConstraint");
}
END_TEST

START_TEST(test_path_length_of_intermediate)
{
	struct pki_cert *root = ca(NULL, "CN=root");
	struct pki_cert *a = ca_with(root, "CN=a", "basicConstraints=critical,CA:TRUE,pathlen:0", NULL), *b = ca(a, "CN=b");

	trust_test_load(&t, root, CERT_FLAG_CA);
	trust_test_send(&t, leaf(b));
	trust_test_send(&t, b);
	trust_test_send(&t, a);
	trust_test_bad(&t, "'CN=leaf'|'CN=a'|pathLenConstraint");
}
END_TEST

/* The longest that is taken, and one more. */
START_TEST(test_longest)
{
	struct pki_cert *c = ca(NULL, "CN=c0");

	trust_test_load(&t, c, CERT_FLAG_CA);
	for (int i = 1; i <= TRUST_CHAIN_MAX - 2; i++) {
		char *name = xasprintf("CN=c%d", i);

		c = ca(c, name);
		trust_test_send(&t, c);
		free(name);
	}
	trust_test_send(&t, leaf(c));
	trust_test_good(&t, "leaf < c8 < c7 < c6 < c5 < c4 < c3 < c2 < c1 < c0");
	c = ca(c, "CN=c9");
	trust_test_send_none(&t);
	trust_test_send(&t, leaf(c));
	for (size_t i = 1; i < n_all; i++) {
		if (all[i]->cert->ca)
			trust_test_send(&t, all[i]);
	}
	trust_test_bad(&t, "'CN=leaf'|longer than 10");
}
END_TEST

/* ---- crossings */

/* The peer's chain leads to a root that we don't know; a cross certificate that it sends, too, to ours. */
START_TEST(test_cross_certificate)
{
	struct pki_cert *ours = ca(NULL, "CN=ours"), *theirs = ca(NULL, "CN=theirs");
	static const char *const extensions[] = { "basicConstraints=critical,CA:TRUE", "subjectKeyIdentifier=hash",
						  "authorityKeyIdentifier=keyid", NULL };
	struct pki_cert *cross = keep(pki_cert_new(&(struct pki_spec){
		.subject = "CN=theirs", .issuer = ours, .key = theirs->key, .extensions = extensions }));
	struct pki_cert *sub = ca(theirs, "CN=sub");

	trust_test_load(&t, ours, CERT_FLAG_CA);
	trust_test_send(&t, leaf(sub));
	trust_test_send(&t, sub);
	trust_test_send(&t, theirs);
	trust_test_bad(&t, "'CN=leaf'|'CN=theirs'|self-signed");
	trust_test_send(&t, cross);
	trust_test_good(&t, "leaf < sub < theirs < ours");
	/* with theirs loaded, too, the shorter way is taken */
	trust_test_load(&t, theirs, CERT_FLAG_CA);
	trust_test_good(&t, "leaf < sub < theirs");
	/* unless the connection asks for ours */
	t.round.cacerts = (struct cert *[]){ ours->cert };
	t.round.n_cacerts = 1;
	trust_test_good(&t, "leaf < sub < theirs < ours");
}
END_TEST

/* A CA with a new key: the new certificate is signed with the old key, under the same name (RFC 4210, 4.4). */
START_TEST(test_rollover)
{
	static const char *const extensions[] = { "basicConstraints=critical,CA:TRUE", "subjectKeyIdentifier=hash",
						  "authorityKeyIdentifier=keyid", NULL };
	struct pki_cert *old = keep(pki_cert_new(&(struct pki_spec){ .subject = "CN=root", .extensions = extensions }));
	struct pki_cert *new = keep(pki_cert_new(&(struct pki_spec){ .subject = "CN=root", .issuer = old, .extensions = extensions }));

	trust_test_load(&t, old, CERT_FLAG_CA);
	trust_test_send(&t, leaf(new));
	trust_test_bad(&t, "'CN=leaf'");
	trust_test_send(&t, new);
	trust_test_good(&t, "leaf < root < root");
}
END_TEST

/* Two CAs certify each other, and no one else does. */
START_TEST(test_cycle)
{
	static const char *const extensions[] = { "basicConstraints=critical,CA:TRUE", "subjectKeyIdentifier=hash", NULL };
	struct pki_cert *a = ca(NULL, "CN=a"), *b = ca(NULL, "CN=b"), *root = ca(NULL, "CN=root");
	struct pki_cert *ab = keep(pki_cert_new(&(struct pki_spec){ .subject = "CN=a", .issuer = b, .key = a->key, .extensions = extensions }));
	struct pki_cert *ba = keep(pki_cert_new(&(struct pki_spec){ .subject = "CN=b", .issuer = a, .key = b->key, .extensions = extensions }));

	trust_test_load(&t, root, CERT_FLAG_CA);
	trust_test_send(&t, leaf(a));
	trust_test_send(&t, ab);
	trust_test_send(&t, ba);
	trust_test_bad(&t, "no trusted CA|'CN=leaf'");
	/* b is trusted: the way does not go round */
	trust_test_load(&t, b, CERT_FLAG_CA);
	trust_test_good(&t, "leaf < a < b");
}
END_TEST

/* Anchors that certify each other. */
START_TEST(test_cycle_of_anchors)
{
	static const char *const extensions[] = { "basicConstraints=critical,CA:TRUE", "subjectKeyIdentifier=hash", NULL };
	struct pki_cert *a = ca(NULL, "CN=a"), *b = ca(NULL, "CN=b");
	struct pki_cert *ab = keep(pki_cert_new(&(struct pki_spec){ .subject = "CN=a", .issuer = b, .key = a->key, .extensions = extensions }));
	struct pki_cert *ba = keep(pki_cert_new(&(struct pki_spec){ .subject = "CN=b", .issuer = a, .key = b->key, .extensions = extensions }));

	trust_test_load(&t, ab, CERT_FLAG_CA);
	trust_test_load(&t, ba, CERT_FLAG_CA);
	trust_test_send(&t, leaf(a));
	trust_test_good(&t, "leaf < a < b");
}
END_TEST

/* CAs of one name, so that each may have issued each: the search gives up, and soon (check's time limit). */
START_TEST(test_maze)
{
	static const char *const extensions[] = { "basicConstraints=critical,CA:TRUE", NULL };
	struct pki_cert *first = keep(pki_cert_new(&(struct pki_spec){ .subject = "CN=same", .extensions = extensions }));
	struct pki_cert *root = ca(NULL, "CN=root");

	trust_test_load(&t, root, CERT_FLAG_CA);
	trust_test_send(&t, leaf(first));
	for (int i = 0; i < 40; i++)
		trust_test_send(&t, keep(pki_cert_new(&(struct pki_spec){ .subject = "CN=same", .issuer = first, .extensions = extensions })));
	trust_test_bad(&t, "'CN=leaf'|longer than 10");
}
END_TEST

/* The same, but each of the made up CAs claims to be the root's: each costs a signature, so few are tried. */
START_TEST(test_false_intermediates)
{
	static const char *const extensions[] = { "basicConstraints=critical,CA:TRUE", NULL };
	struct pki_cert *root = keep(pki_cert_new(&(struct pki_spec){ .subject = "CN=root", .extensions = extensions }));
	struct pki_cert *fake = NULL;

	trust_test_load(&t, root, CERT_FLAG_CA);
	for (int i = 0; i < TRUST_PEER_CERTS; i++) {
		fake = keep(pki_cert_new(&(struct pki_spec){ .subject = "CN=sub", .issuer_name = "CN=root", .extensions = extensions }));
		if (!i)
			trust_test_send(&t, leaf(fake));
		trust_test_send(&t, fake);
	}
	trust_test_bad(&t, "'CN=sub'|was not signed");
}
END_TEST

/* ---- policies */

static void policy_chain(const char *ca_extension, const char *ca_more, const char *leaf_extension)
{
	struct pki_cert *root = ca(NULL, "CN=root");
	struct pki_cert *sub = ca_with(root, "CN=sub", ca_extension, ca_more);

	trust_test_clear(&t);
	trust_test_init(&t, "CN=leaf");
	trust_test_load(&t, root, CERT_FLAG_CA);
	trust_test_send(&t, leaf_extension ? leaf_with(sub, leaf_extension) : leaf(sub));
	trust_test_send(&t, sub);
}

static void want(const char *const *policies, size_t n)
{
	t.round.policies = policies;
	t.round.n_policies = n;
}

START_TEST(test_policy)
{
	static const char *const one[] = { "1.2.3.4" }, *const two[] = { "1.2.3.4", "1.2.3.5" };

	policy_chain("certificatePolicies=1.2.3.4,1.2.3.5", NULL, "certificatePolicies=1.2.3.4");
	want(one, 1);
	trust_test_good(&t, "leaf < sub < root");
	want(two, 2); /* all of them are asked for */
	trust_test_bad(&t, "1.2.3.5|'CN=leaf'|it does not have it");
	policy_chain("certificatePolicies=1.2.3.4,1.2.3.5", NULL, "certificatePolicies=1.2.3.4,1.2.3.5,1.2.3.6");
	want(two, 2);
	trust_test_good(&t, "leaf < sub < root");
}
END_TEST

START_TEST(test_policy_missing)
{
	static const char *const one[] = { "1.2.3.4" }, *const begins[] = { "1.2.3" };

	policy_chain("certificatePolicies=1.2.3.4", NULL, NULL);
	want(one, 1);
	trust_test_bad(&t, "1.2.3.4 (cert_policy)|'CN=leaf'|it does not have it");
	policy_chain("certificatePolicies=1.2.3.9", NULL, "certificatePolicies=1.2.3.4");
	want(one, 1);
	trust_test_bad(&t, "1.2.3.4|'CN=leaf'|a CA above does not have it");
	policy_chain("certificatePolicies=2.5.29.32.0", NULL, "certificatePolicies=1.2.3.4"); /* anyPolicy */
	want(one, 1);
	trust_test_good(&t, "leaf < sub < root");
	want(begins, 1);
	trust_test_bad(&t, "1.2.3 (cert_policy)");
}
END_TEST

START_TEST(test_policy_constraints)
{
	policy_chain("policyConstraints=critical,requireExplicitPolicy:0", NULL, NULL);
	trust_test_bad(&t, "no policy is valid|'CN=leaf'|policyConstraints");
	policy_chain("policyConstraints=critical,requireExplicitPolicy:0", "certificatePolicies=1.2.3.4", "certificatePolicies=1.2.3.4");
	trust_test_good(&t, "leaf < sub < root");
}
END_TEST

START_TEST(test_policy_inhibit_any)
{
	static const char *const one[] = { "1.2.3.4" };

	policy_chain("inhibitAnyPolicy=critical,0", "certificatePolicies=1.2.3.4", "certificatePolicies=2.5.29.32.0");
	want(one, 1);
	trust_test_bad(&t, "1.2.3.4|'CN=leaf'");
	policy_chain("certificatePolicies=1.2.3.4", NULL, "certificatePolicies=2.5.29.32.0");
	want(one, 1);
	trust_test_good(&t, "leaf < sub < root");
}
END_TEST

START_TEST(test_policy_mapping)
{
	static const char *const ours[] = { "1.2.3.4" };

	/* what is 1.2.3.4 for the root is 1.2.9.9 for those below sub */
	policy_chain("certificatePolicies=1.2.3.4", "policyMappings=critical,1.2.3.4:1.2.9.9", "certificatePolicies=1.2.9.9");
	want(ours, 1);
	trust_test_good(&t, "leaf < sub < root");
	policy_chain("certificatePolicies=1.2.3.4", "policyMappings=critical,1.2.3.4:1.2.9.9", "certificatePolicies=1.2.3.4");
	want(ours, 1);
	trust_test_bad(&t, "1.2.3.4|'CN=leaf'");
}
END_TEST

Suite *suite_trust_paths(void)
{
	const TTest *const tests[] = {
		test_path_length, test_path_length_of_intermediate, test_longest, test_cross_certificate, test_rollover,
		test_cycle, test_cycle_of_anchors, test_maze, test_false_intermediates, test_policy,
		test_policy_missing, test_policy_constraints, test_policy_inhibit_any, test_policy_mapping,
	};
	Suite *s = suite_create("trust_paths");
	TCase *tc = tcase_create("paths");

	tcase_add_checked_fixture(tc, setup, teardown);
	for (size_t i = 0; i < ARRAY_LEN(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return s;
}
