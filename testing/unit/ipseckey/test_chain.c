/* SPDX-License-Identifier: Apache-2.0 */
#include "ipseckey_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOON "moon.lab.test."
#define RECORD MOON " IN IPSECKEY 10 0 4 . S/2utMSaNZZFn0oL4ZTXnnPplvUmMvF2/IvbFAIHX0M="
#define OTHER MOON " IN IPSECKEY 10 0 4 . QAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static struct world world;
static struct zone_key top, lab, evil;
static struct anchors anchors;
static time_t now;

static void setup(void)
{
	top = zone_key_new("test.");
	lab = zone_key_new("lab.test.");
	evil = zone_key_new("evil.test.");
	anchors.ds = ldns_rr_list_new();
	ldns_rr_list_push_rr(anchors.ds, zone_ds(&top, LDNS_SHA256));
	now = ZONE_NOW;
	world_zone(&world, &top, NULL);
	world_zone(&world, &lab, &top);
	world_zone(&world, &evil, &top);
}

static void teardown(void)
{
	world_clear(&world);
	anchors_free(&anchors);
	zone_key_free(&top);
	zone_key_free(&lab);
	zone_key_free(&evil);
}

static ldns_rr_list *look(const char *name, struct errtext *err)
{
	struct chain_resolver r = { world_ask, &world, &anchors, now };
	ldns_rdf *dname = ldns_dname_new_frm_str(name);
	ldns_rr_list *set = chain_lookup(&r, dname, LDNS_RR_TYPE_IPSECKEY, err);

	ldns_rdf_deep_free(dname);
	return set;
}

static void ck_proven(const char *name, size_t n)
{
	struct errtext err = { "" };
	ldns_rr_list *set = look(name, &err);

	ck_assert_msg(set != NULL, "%s", err.s);
	ck_assert_uint_eq(ldns_rr_list_rr_count(set), n);
	ldns_rr_list_deep_free(set);
}

static void ck_refused(const char *name, const char *why)
{
	struct errtext err = { "" };
	ldns_rr_list *set = look(name, &err);

	ck_assert_msg(set == NULL, "proven, but: %s", why);
	ck_assert_msg(strstr(err.s, why) != NULL, "'%s' is not in '%s'", why, err.s);
}

static void records(const struct zone_key *signer)
{
	world_add_text(&world, MOON, LDNS_RR_TYPE_IPSECKEY, RECORD);
	if (signer)
		world_sign(&world, MOON, LDNS_RR_TYPE_IPSECKEY, signer);
}

static ldns_rr *record(const char *name, ldns_rr_type type, size_t i)
{
	return ldns_rr_list_rr(world_answer(&world, name, type), i);
}

/* RFC 4035, 5: by two zones from the anchor to the record */
START_TEST(test_proven)
{
	world_add_text(&world, MOON, LDNS_RR_TYPE_IPSECKEY, OTHER);
	records(&lab);
	ck_proven(MOON, 2);
	ck_assert_uint_eq(world.asked, 4);
}
END_TEST

/* An anchor at the root, and names between that are no zones. */
START_TEST(test_root_and_empty_names)
{
	struct zone_key root = zone_key_new(".");
	const char *deep = "a.b.c.test.";

	ldns_rr_list_deep_free(anchors.ds);
	anchors.ds = ldns_rr_list_new();
	ldns_rr_list_push_rr(anchors.ds, zone_ds(&root, LDNS_SHA384));
	world_zone(&world, &root, NULL);
	world_add(&world, "test.", LDNS_RR_TYPE_DS, zone_ds(&top, LDNS_SHA384));
	world_sign(&world, "test.", LDNS_RR_TYPE_DS, &root);
	world_add_text(&world, deep, LDNS_RR_TYPE_IPSECKEY, "a.b.c.test. IN IPSECKEY 10 0 4 . S/2utMSaNZZFn0oL4ZTXnnPplvUmMvF2/IvbFAIHX0M=");
	world_sign(&world, deep, LDNS_RR_TYPE_IPSECKEY, &top);
	ck_proven(deep, 1);
	records(&lab);
	ck_proven(MOON, 1);
	zone_key_free(&root);
}
END_TEST

START_TEST(test_closest_anchor)
{
	/* the zone above is no way any more */
	ldns_rr_list_push_rr(anchors.ds, zone_ds(&lab, LDNS_SHA256));
	ldns_rr_list_deep_free(world_answer(&world, "test.", LDNS_RR_TYPE_DNSKEY));
	world.entries[0].answer = ldns_rr_list_new();
	records(&lab);
	ck_proven(MOON, 1);
}
END_TEST

START_TEST(test_forged_record)
{
	records(&lab);
	world_add_text(&world, MOON, LDNS_RR_TYPE_IPSECKEY, OTHER);
	ck_refused(MOON, "the IPSECKEY records of moon.lab.test. are not proven by the zone lab.test.");
}
END_TEST

START_TEST(test_not_signed)
{
	records(NULL);
	ck_refused(MOON, "the records of moon.lab.test. are not signed");
}
END_TEST

/* Signed, but the zone above does not know it. */
START_TEST(test_unsigned_delegation)
{
	struct zone_key island = zone_key_new("island.test.");

	world_zone(&world, &island, NULL);
	world_add_text(&world, "a.island.test.", LDNS_RR_TYPE_IPSECKEY, "a.island.test. IN IPSECKEY 10 0 4 . S/2utMSaNZZFn0oL4ZTXnnPplvUmMvF2/IvbFAIHX0M=");
	world_sign(&world, "a.island.test.", LDNS_RR_TYPE_IPSECKEY, &island);
	ck_refused("a.island.test.", "no signed delegation leads from the zone test. to island.test.");
	zone_key_free(&island);
}
END_TEST

START_TEST(test_expired)
{
	records(&lab);
	now = ZONE_EXPIRES + 1;
	ck_refused(MOON, "are not proven by the zone test.");
	now = ZONE_SIGNED - 1;
	ck_refused(MOON, "are not proven by the zone test.");
	now = ZONE_EXPIRES - 1;
	ck_proven(MOON, 1);
}
END_TEST

/* Only the record's own signature is old. */
START_TEST(test_expired_record)
{
	ldns_key_set_expiration(lab.key, ZONE_NOW - 1);
	records(&lab);
	ck_refused(MOON, "the IPSECKEY records of moon.lab.test. are not proven by the zone lab.test.: DNSSEC signature has expired");
}
END_TEST

START_TEST(test_other_anchor)
{
	struct zone_key other = zone_key_new("test.");

	ldns_rr_list_deep_free(anchors.ds);
	anchors.ds = ldns_rr_list_new();
	ldns_rr_list_push_rr(anchors.ds, zone_ds(&other, LDNS_SHA256));
	records(&lab);
	ck_refused(MOON, "no key of the zone test. is one that its DS record or trust anchor names");
	ldns_rr_list_deep_free(anchors.ds);
	anchors.ds = ldns_rr_list_new();
	ldns_rr_list_push_rr(anchors.ds, zone_ds(&evil, LDNS_SHA256));
	ck_refused(MOON, "there is no trust anchor for lab.test.");
	zone_key_free(&other);
}
END_TEST

/* Who answers in the zone's place has keys of his own, and signs with them. */
START_TEST(test_keys_exchanged)
{
	struct zone_key mine = zone_key_new("lab.test.");
	size_t i = 0;

	while (strcmp(world.entries[i].name, "lab.test.") != 0 || world.entries[i].type != LDNS_RR_TYPE_DNSKEY)
		i++;
	ldns_rr_list_deep_free(world.entries[i].answer);
	world.entries[i].answer = ldns_rr_list_new();
	world_add(&world, "lab.test.", LDNS_RR_TYPE_DNSKEY, ldns_rr_clone(mine.dnskey));
	world_sign(&world, "lab.test.", LDNS_RR_TYPE_DNSKEY, &mine);
	records(&mine);
	ck_refused(MOON, "no key of the zone lab.test. is one that its DS record or trust anchor names");
	/* the right key beside: the set is not signed by it */
	world_add(&world, "lab.test.", LDNS_RR_TYPE_DNSKEY, ldns_rr_clone(lab.dnskey));
	ck_refused(MOON, "the DNSKEY records of lab.test. are not proven by the zone lab.test.");
	zone_key_free(&mine);
}
END_TEST

/* A signed zone, but not the one that the name is in. */
START_TEST(test_signer_beside)
{
	records(&evil);
	ck_refused(MOON, "the records of moon.lab.test. are not signed");
}
END_TEST

/* The zone above signs what is of the one below: DS says where that begins, but nothing forbids it to the zone above. */
START_TEST(test_signer_above)
{
	records(&top);
	ck_proven(MOON, 1);
}
END_TEST

/* What a wildcard made has fewer labels in its signature. */
START_TEST(test_wildcard)
{
	ldns_rr *sig;

	records(&lab);
	sig = record(MOON, LDNS_RR_TYPE_IPSECKEY, 1);
	ldns_rdf_deep_free(ldns_rr_set_rdf(sig, ldns_native2rdf_int8(LDNS_RDF_TYPE_INT8, 2), 2));
	ck_refused(MOON, "the records of moon.lab.test. are not signed");
}
END_TEST

START_TEST(test_ds)
{
	size_t i = 0;

	records(&lab);
	/* SHA-1 only */
	while (strcmp(world.entries[i].name, "lab.test.") != 0 || world.entries[i].type != LDNS_RR_TYPE_DS)
		i++;
	ldns_rr_list_deep_free(world.entries[i].answer);
	world.entries[i].answer = ldns_rr_list_new();
	world_add(&world, "lab.test.", LDNS_RR_TYPE_DS, zone_ds(&lab, LDNS_SHA1));
	world_sign(&world, "lab.test.", LDNS_RR_TYPE_DS, &top);
	ck_refused(MOON, "no key of the zone lab.test. is one");
	/* not signed by the zone above */
	ldns_rr_list_deep_free(world.entries[i].answer);
	world.entries[i].answer = ldns_rr_list_new();
	world_add(&world, "lab.test.", LDNS_RR_TYPE_DS, zone_ds(&lab, LDNS_SHA256));
	world_sign(&world, "lab.test.", LDNS_RR_TYPE_DS, &lab);
	ck_refused(MOON, "the DS records of lab.test. are not proven by the zone test.");
}
END_TEST

/* RFC 5011: a key that is revoked; RFC 4034, 2.1.1: one that is not of a zone. */
START_TEST(test_key_flags)
{
	static const uint16_t flags[] = { LDNS_KEY_ZONE_KEY | LDNS_KEY_SEP_KEY | LDNS_KEY_REVOKE_KEY, LDNS_KEY_SEP_KEY };
	struct zone_key odd = zone_key_new("odd.test.");
	const char *name = "a.odd.test.";

	ldns_key_set_flags(odd.key, flags[_i]);
	ldns_rr_free(odd.dnskey);
	odd.dnskey = ldns_key2rr(odd.key);
	ldns_key_set_flags(odd.key, LDNS_KEY_ZONE_KEY); /* else it does not sign */
	ldns_key_set_keytag(odd.key, ldns_calc_keytag(odd.dnskey));
	world_zone(&world, &odd, &top);
	world_add_text(&world, name, LDNS_RR_TYPE_IPSECKEY, "a.odd.test. IN IPSECKEY 10 0 4 . S/2utMSaNZZFn0oL4ZTXnnPplvUmMvF2/IvbFAIHX0M=");
	world_sign(&world, name, LDNS_RR_TYPE_IPSECKEY, &odd);
	ck_refused(name, "no key of the zone odd.test. is one");
	zone_key_free(&odd);
}
END_TEST

static void alias(const char *from, const char *to, const struct zone_key *signer)
{
	char text[128];

	snprintf(text, sizeof(text), "%s IN CNAME %s", from, to);
	world_add_text(&world, from, LDNS_RR_TYPE_IPSECKEY, text);
	if (signer)
		world_sign(&world, from, LDNS_RR_TYPE_IPSECKEY, signer);
}

START_TEST(test_alias)
{
	records(&lab);
	alias("sun.evil.test.", MOON, &evil);
	ck_proven("sun.evil.test.", 1);
	/* the alias has to be proven, too */
	alias("mars.evil.test.", MOON, NULL);
	ck_refused("mars.evil.test.", "the records of mars.evil.test. are not signed");
	alias("loop.lab.test.", "loop.lab.test.", &lab);
	ck_refused("loop.lab.test.", "is an alias of an alias");
}
END_TEST

START_TEST(test_nothing)
{
	ck_refused(MOON, "moon.lab.test. has no such record");
}
END_TEST

/* An answer full of signatures that nobody made: they are not all verified. */
START_TEST(test_many_signatures)
{
	world_add_text(&world, MOON, LDNS_RR_TYPE_IPSECKEY, OTHER);
	world_sign(&world, MOON, LDNS_RR_TYPE_IPSECKEY, &lab);
	for (int i = 0; i < 100; i++)
		world_add(&world, MOON, LDNS_RR_TYPE_IPSECKEY, ldns_rr_clone(record(MOON, LDNS_RR_TYPE_IPSECKEY, 1)));
	world_add_text(&world, MOON, LDNS_RR_TYPE_IPSECKEY, RECORD);
	ck_refused(MOON, "more signatures to be verified than anybody needs");
}
END_TEST

START_TEST(test_many_records)
{
	char text[128];

	for (int i = 0; i <= CHAIN_RECORDS; i++) {
		snprintf(text, sizeof(text), MOON " IN IPSECKEY %d 0 4 . S/2utMSaNZZFn0oL4ZTXnnPplvUmMvF2/IvbFAIHX0M=", i);
		world_add_text(&world, MOON, LDNS_RR_TYPE_IPSECKEY, text);
	}
	world_sign(&world, MOON, LDNS_RR_TYPE_IPSECKEY, &lab);
	ck_refused(MOON, "has too many records");
}
END_TEST

/* Many zones, one in the other: questions have an end. */
START_TEST(test_deep)
{
	struct zone_key deep;
	char name[200] = "";
	char text[300];

	for (int i = 0; i < 60; i++)
		strcat(name, "a.");
	strcat(name, "test.");
	deep = zone_key_new(name);
	snprintf(text, sizeof(text), "%s IN IPSECKEY 10 0 4 . S/2utMSaNZZFn0oL4ZTXnnPplvUmMvF2/IvbFAIHX0M=", name);
	world_add_text(&world, name, LDNS_RR_TYPE_IPSECKEY, text);
	world_sign(&world, name, LDNS_RR_TYPE_IPSECKEY, &deep);
	ck_refused(name, "takes more than 32 questions");
	ck_assert_uint_le(world.asked, CHAIN_QUERIES);
	zone_key_free(&deep);
}
END_TEST

TCase *chain_tests(void)
{
	TCase *c = tcase_create("chain");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, test_proven);
	tcase_add_test(c, test_root_and_empty_names);
	tcase_add_test(c, test_closest_anchor);
	tcase_add_test(c, test_forged_record);
	tcase_add_test(c, test_not_signed);
	tcase_add_test(c, test_unsigned_delegation);
	tcase_add_test(c, test_expired);
	tcase_add_test(c, test_expired_record);
	tcase_add_test(c, test_other_anchor);
	tcase_add_test(c, test_keys_exchanged);
	tcase_add_test(c, test_signer_beside);
	tcase_add_test(c, test_signer_above);
	tcase_add_test(c, test_wildcard);
	tcase_add_test(c, test_ds);
	tcase_add_loop_test(c, test_key_flags, 0, 2);
	tcase_add_test(c, test_alias);
	tcase_add_test(c, test_nothing);
	tcase_add_test(c, test_many_signatures);
	tcase_add_test(c, test_many_records);
	tcase_add_test(c, test_deep);
	return c;
}
