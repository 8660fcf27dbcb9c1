/* SPDX-License-Identifier: Apache-2.0 */
#include "chain.h"

#include <stdlib.h>

#include "proven.h"
#include "util/mem.h"

/* A look-up: what it may still do. */
struct chain {
	const struct chain_resolver *r;
	unsigned queries;
	struct proof proof;
	struct errtext *err;
};

/* A zone whose keys are proven; the records are the packet's. */
struct zone {
	const ldns_rdf *name;
	ldns_pkt *pkt;
	ldns_rr_list *keys;
};

static void zone_clear(struct zone *z)
{
	ldns_rr_list_free(z->keys);
	ldns_pkt_free(z->pkt);
	*z = (struct zone){ 0 };
}

static ldns_pkt *chain_ask(struct chain *c, const ldns_rdf *name, ldns_rr_type type)
{
	if (c->queries++ == CHAIN_QUERIES) {
		errtext_set(c->err, "the way to it takes more than %d questions", CHAIN_QUERIES);
		return NULL;
	}
	return c->r->ask(c->r->arg, name, type, c->err);
}

/* ---- keys of zones ---- */

/* Those of a zone's keys that may sign it. */
static ldns_rr_list *keys_of_zone(const ldns_rr_list *set)
{
	ldns_rr_list *keys = ldns_rr_list_new();

	for (size_t i = 0; i < ldns_rr_list_rr_count(set); i++) {
		ldns_rr *key = ldns_rr_list_rr(set, i);

		if (dnskey_may_sign(key))
			ldns_rr_list_push_rr(keys, key);
	}
	return keys;
}

/* Those of the keys that one of the DS records names. */
static ldns_rr_list *keys_named(const ldns_rr_list *keys, const ldns_rr_list *ds)
{
	ldns_rr_list *named = ldns_rr_list_new();

	for (size_t i = 0; i < ldns_rr_list_rr_count(keys); i++) {
		ldns_rr *key = ldns_rr_list_rr(keys, i);
		bool found = false;

		for (size_t j = 0; j < ldns_rr_list_rr_count(ds) && !found; j++)
			found = ds_names_key(ldns_rr_list_rr(ds, j), key);
		if (found)
			ldns_rr_list_push_rr(named, key);
	}
	return named;
}

/* RFC 4035, 5.2: the DNSKEY set, signed by a key of it that the DS records name. ret is the zone then. */
static bool zone_enter(struct chain *c, const ldns_rdf *name, const ldns_rr_list *ds, struct zone *ret)
{
	struct zone z = { .name = name };
	ldns_rr_list *set = NULL, *named = NULL;
	bool ok = false;

	z.pkt = chain_ask(c, name, LDNS_RR_TYPE_DNSKEY);
	if (!z.pkt)
		return false;
	set = packet_records(z.pkt, name, LDNS_RR_TYPE_DNSKEY);
	if (ldns_rr_list_rr_count(set) == 0 || ldns_rr_list_rr_count(set) > CHAIN_KEYS) {
		errtext_set(c->err, ldns_rr_list_rr_count(set) ? "the zone %s has too many keys" : "the zone %s has no DNSKEY records",
			    dname_text(name).s);
		goto out;
	}
	z.keys = keys_of_zone(set);
	named = keys_named(z.keys, ds);
	if (ldns_rr_list_rr_count(named) == 0) {
		errtext_set(c->err, "no key of the zone %s is one that its DS record or trust anchor names", dname_text(name).s);
		goto out;
	}
	ok = proof_check(&c->proof, z.pkt, set, name, named, c->err);
out:
	ldns_rr_list_free(set);
	ldns_rr_list_free(named);
	if (ok)
		*ret = z;
	else
		zone_clear(&z);
	return ok;
}

/* ---- from zone to zone ---- */

/* The anchors of the closest zone at or above that one. */
static ldns_rr_list *anchors_above(const struct anchors *a, const ldns_rdf *zone)
{
	ldns_rr_list *best = ldns_rr_list_new();

	for (size_t i = 0; i < ldns_rr_list_rr_count(a->ds); i++) {
		ldns_rr *ds = ldns_rr_list_rr(a->ds, i);
		const ldns_rdf *owner = ldns_rr_owner(ds);
		size_t n = ldns_rr_list_rr_count(best);

		if (!dname_is_within(zone, owner))
			continue;
		if (n && dname_labels(owner) > dname_labels(ldns_rr_owner(ldns_rr_list_rr(best, 0)))) {
			ldns_rr_list_free(best);
			best = ldns_rr_list_new();
			n = 0;
		}
		if (!n || dname_labels(owner) == dname_labels(ldns_rr_owner(ldns_rr_list_rr(best, 0))))
			ldns_rr_list_push_rr(best, ds);
	}
	return best;
}

/*
 * One step down, if there is a zone: the DS records at `name`, signed by the zone that we are in. No such records: it
 * is not the top of a zone, or of one that is not signed, which shows when the way ends above the signer.
 */
static bool zone_step(struct chain *c, struct zone *at, const ldns_rdf *name)
{
	ldns_pkt *pkt = chain_ask(c, name, LDNS_RR_TYPE_DS);
	ldns_rr_list *ds;
	struct zone below;
	bool ok = false;

	if (!pkt)
		return false;
	ds = packet_records(pkt, name, LDNS_RR_TYPE_DS);
	if (ldns_rr_list_rr_count(ds) == 0) {
		ok = true;
	} else if (ldns_rr_list_rr_count(ds) > CHAIN_KEYS) {
		errtext_set(c->err, "the zone %s has too many DS records", dname_text(name).s);
	} else if (proof_check(&c->proof, pkt, ds, at->name, at->keys, c->err) && zone_enter(c, name, ds, &below)) {
		zone_clear(at);
		*at = below;
		ok = true;
	}
	ldns_rr_list_free(ds);
	ldns_pkt_free(pkt);
	return ok;
}

/* From an anchor to the zone that signs. names: those below the anchor, kept by the caller. */
static bool zone_reach(struct chain *c, const ldns_rdf *signer, ldns_rdf **names, size_t *n_names, struct zone *ret)
{
	ldns_rr_list *anchors = anchors_above(c->r->anchors, signer);
	struct zone z = { 0 };
	bool ok = false;

	if (ldns_rr_list_rr_count(anchors) == 0) {
		errtext_set(c->err, "there is no trust anchor for %s", dname_text(signer).s);
		goto out;
	}
	if (!zone_enter(c, ldns_rr_owner(ldns_rr_list_rr(anchors, 0)), anchors, &z))
		goto out;
	for (unsigned skip = dname_labels(signer) - dname_labels(z.name); skip-- > 0;) {
		names[*n_names] = ldns_dname_clone_from(signer, (uint16_t)skip);
		if (!zone_step(c, &z, names[(*n_names)++]))
			goto out;
	}
	ok = ldns_dname_compare(z.name, signer) == 0;
	if (!ok)
		errtext_set(c->err, "no signed delegation leads from the zone %s to %s: it is not signed, or the proof was taken away",
			    dname_text(z.name).s, dname_text(signer).s);
out:
	ldns_rr_list_free(anchors);
	if (ok)
		*ret = z;
	else
		zone_clear(&z);
	return ok;
}

/* Whether the zone that says so has signed the records. */
static bool records_prove(struct chain *c, ldns_pkt *pkt, ldns_rr_list *set)
{
	const ldns_rdf *owner = ldns_rr_owner(ldns_rr_list_rr(set, 0));
	const ldns_rdf *signer = packet_signer(pkt, set);
	ldns_rdf *names[LDNS_MAX_DOMAINLEN];
	size_t n_names = 0;
	struct zone z;
	bool ok;

	if (!signer) {
		errtext_set(c->err, "the records of %s are not signed, or not in a way that can be used", dname_text(owner).s);
		return false;
	}
	ok = zone_reach(c, signer, names, &n_names, &z);
	if (ok) {
		ok = proof_check(&c->proof, pkt, set, z.name, z.keys, c->err);
		zone_clear(&z);
	}
	while (n_names)
		ldns_rdf_deep_free(names[--n_names]);
	return ok;
}

/* ---- the look-up ---- */

enum chain_found { CHAIN_FAILED, CHAIN_ALIAS, CHAIN_FOUND };

/* At one name: the records (ret_set), or where its alias leads (ret_target). Both are the caller's. */
static enum chain_found chain_at(struct chain *c, const ldns_rdf *name, ldns_rr_type type, ldns_rr_list **ret_set,
				 ldns_rdf **ret_target)
{
	ldns_pkt *pkt = chain_ask(c, name, type);
	enum chain_found found = CHAIN_FAILED;
	ldns_rr_list *set, *alias;

	if (!pkt)
		return CHAIN_FAILED;
	set = packet_records(pkt, name, type);
	alias = packet_records(pkt, name, LDNS_RR_TYPE_CNAME);
	if (ldns_rr_list_rr_count(set) > CHAIN_RECORDS) {
		errtext_set(c->err, "%s has too many records", dname_text(name).s);
	} else if (ldns_rr_list_rr_count(set)) {
		if (records_prove(c, pkt, set)) {
			*ret_set = ldns_rr_list_clone(set);
			found = CHAIN_FOUND;
		}
	} else if (ldns_rr_list_rr_count(alias) == 1) {
		if (records_prove(c, pkt, alias)) {
			*ret_target = ldns_rdf_clone(ldns_rr_rdf(ldns_rr_list_rr(alias, 0), 0));
			found = CHAIN_ALIAS;
		}
	} else {
		errtext_set(c->err, ldns_pkt_get_rcode(pkt) == LDNS_RCODE_NXDOMAIN ? "the name %s does not exist" :
										     "%s has no such record", dname_text(name).s);
	}
	ldns_rr_list_free(set);
	ldns_rr_list_free(alias);
	ldns_pkt_free(pkt);
	return found;
}

ldns_rr_list *chain_lookup(const struct chain_resolver *r, const ldns_rdf *name, ldns_rr_type type, struct errtext *err)
{
	struct chain c = { .r = r, .proof = { .now = r->now, .left = CHAIN_CHECKS }, .err = err };
	ldns_rdf *at = ldns_rdf_clone(name), *target = NULL;
	enum chain_found found = CHAIN_ALIAS;
	ldns_rr_list *set = NULL;

	for (unsigned i = 0; i <= CHAIN_ALIASES && found == CHAIN_ALIAS; i++) {
		found = chain_at(&c, at, type, &set, &target);
		if (found == CHAIN_ALIAS) {
			ldns_rdf_deep_free(at);
			at = target;
		}
	}
	if (found == CHAIN_ALIAS)
		errtext_set(err, "%s is an alias of an alias, more than %d times", dname_text(name).s, CHAIN_ALIASES);
	ldns_rdf_deep_free(at);
	return set;
}
