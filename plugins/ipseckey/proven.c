/* SPDX-License-Identifier: Apache-2.0 */
#include "proven.h"

#include <stdio.h>
#include <stdlib.h>

#define DNSKEY_ZONE 0x0100
#define DNSKEY_REVOKED 0x0080 /* RFC 5011 */
#define DNSKEY_PROTOCOL 3

struct dname_text dname_text(const ldns_rdf *name)
{
	char *s = ldns_rdf2str(name);
	struct dname_text t = { 0 };

	/* ldns escapes what is not printable */
	snprintf(t.s, sizeof(t.s), "%s", s ? s : "?");
	free(s);
	return t;
}

unsigned dname_labels(const ldns_rdf *name)
{
	return ldns_dname_label_count(name);
}

bool dname_is_within(const ldns_rdf *name, const ldns_rdf *zone)
{
	return dname_labels(zone) == 0 || ldns_dname_compare(name, zone) == 0 || ldns_dname_is_subdomain(name, zone);
}

/* No SHA-1 and nothing older (RFC 8624 allows them to be refused by policy); those that signers use. */
static bool algorithm_is_good(unsigned algorithm)
{
	static const uint8_t good[] = { LDNS_RSASHA256, LDNS_RSASHA512, LDNS_ECDSAP256SHA256, LDNS_ECDSAP384SHA384, LDNS_ED25519,
					LDNS_ED448 };

	for (size_t i = 0; i < sizeof(good); i++)
		if (good[i] == algorithm)
			return true;
	return false;
}

/* ---- what is in a packet ---- */

static bool rr_is(const ldns_rr *rr, const ldns_rdf *name, ldns_rr_type type)
{
	return ldns_rr_get_type(rr) == type && ldns_rr_get_class(rr) == LDNS_RR_CLASS_IN && ldns_dname_compare(ldns_rr_owner(rr), name) == 0;
}

ldns_rr_list *packet_records(const ldns_pkt *pkt, const ldns_rdf *name, ldns_rr_type type)
{
	const ldns_rr_list *answer = ldns_pkt_answer(pkt);
	ldns_rr_list *found = ldns_rr_list_new();

	for (size_t i = 0; i < ldns_rr_list_rr_count(answer); i++) {
		ldns_rr *rr = ldns_rr_list_rr(answer, i);

		if (rr_is(rr, name, type))
			ldns_rr_list_push_rr(found, rr);
	}
	return found;
}

/* A signature of the records that could be used: of their type, by a zone that they are in (RFC 4035, 5.3.1). */
static bool sig_is_usable(const ldns_rr *sig, const ldns_rr *of)
{
	const ldns_rdf *owner = ldns_rr_owner(of);

	if (!rr_is(sig, owner, LDNS_RR_TYPE_RRSIG) || ldns_rr_rd_count(sig) != 9)
		return false;
	/* fewer labels: of a wildcard. That there is no closer name would have to be proven, too; keys have names of their own. */
	return ldns_rdf2rr_type(ldns_rr_rrsig_typecovered(sig)) == ldns_rr_get_type(of) &&
	       ldns_rdf2native_int8(ldns_rr_rrsig_labels(sig)) == dname_labels(owner) &&
	       algorithm_is_good(ldns_rdf2native_int8(ldns_rr_rrsig_algorithm(sig))) &&
	       dname_is_within(owner, ldns_rr_rrsig_signame(sig));
}

const ldns_rdf *packet_signer(const ldns_pkt *pkt, const ldns_rr_list *set)
{
	const ldns_rr_list *answer = ldns_pkt_answer(pkt);

	for (size_t i = 0; i < ldns_rr_list_rr_count(answer); i++) {
		const ldns_rr *rr = ldns_rr_list_rr(answer, i);

		if (sig_is_usable(rr, ldns_rr_list_rr(set, 0)))
			return ldns_rr_rrsig_signame(rr);
	}
	return NULL;
}

/* ---- keys ---- */

bool dnskey_may_sign(const ldns_rr *key)
{
	unsigned flags;

	if (ldns_rr_rd_count(key) != 4)
		return false;
	flags = ldns_rdf2native_int16(ldns_rr_dnskey_flags(key));
	return (flags & DNSKEY_ZONE) && !(flags & DNSKEY_REVOKED) &&
	       ldns_rdf2native_int8(ldns_rr_dnskey_protocol(key)) == DNSKEY_PROTOCOL &&
	       algorithm_is_good(ldns_rdf2native_int8(ldns_rr_dnskey_algorithm(key)));
}

/* RFC 4035, 5.2, with digests by SHA-256 and SHA-384 only. */
bool ds_names_key(const ldns_rr *ds, const ldns_rr *key)
{
	unsigned digest;

	if (ldns_rr_rd_count(ds) != 4)
		return false;
	digest = ldns_rdf2native_int8(ldns_rr_rdf(ds, 2));
	return (digest == LDNS_SHA256 || digest == LDNS_SHA384) &&
	       ldns_rdf2native_int16(ldns_rr_rdf(ds, 0)) == ldns_calc_keytag(key) &&
	       ldns_rdf2native_int8(ldns_rr_rdf(ds, 1)) == ldns_rdf2native_int8(ldns_rr_dnskey_algorithm(key)) &&
	       ldns_rr_compare_ds(ds, key);
}

/* ---- the proof ---- */

/* By one signature: LDNS_STATUS_OK if one of the keys made it. */
static ldns_status sig_check(struct proof *p, ldns_rr *sig, ldns_rr_list *set, const ldns_rr_list *keys)
{
	ldns_status status = LDNS_STATUS_CRYPTO_NO_MATCHING_KEYTAG_DNSKEY;

	for (size_t i = 0; i < ldns_rr_list_rr_count(keys) && p->left; i++) {
		ldns_rr *key = ldns_rr_list_rr(keys, i);

		if (ldns_calc_keytag(key) != ldns_rdf2native_int16(ldns_rr_rrsig_keytag(sig)) ||
		    ldns_rdf2native_int8(ldns_rr_dnskey_algorithm(key)) != ldns_rdf2native_int8(ldns_rr_rrsig_algorithm(sig)))
			continue;
		p->left--;
		status = ldns_verify_rrsig_time(set, sig, key, p->now);
		if (status == LDNS_STATUS_OK)
			break;
	}
	return status;
}

bool proof_check(struct proof *p, const ldns_pkt *pkt, ldns_rr_list *set, const ldns_rdf *zone, const ldns_rr_list *keys,
		 struct errtext *err)
{
	const ldns_rr_list *answer = ldns_pkt_answer(pkt);
	const ldns_rr *first = ldns_rr_list_rr(set, 0);
	ldns_status status = LDNS_STATUS_CRYPTO_NO_RRSIG;
	char *type;

	for (size_t i = 0; i < ldns_rr_list_rr_count(answer) && p->left; i++) {
		ldns_rr *sig = ldns_rr_list_rr(answer, i);
		ldns_status now;

		if (!sig_is_usable(sig, first) || ldns_dname_compare(ldns_rr_rrsig_signame(sig), zone) != 0)
			continue;
		now = sig_check(p, sig, set, keys);
		if (now == LDNS_STATUS_OK)
			return true;
		/* what was tried says more than that a key is not there */
		if (now != LDNS_STATUS_CRYPTO_NO_MATCHING_KEYTAG_DNSKEY || status == LDNS_STATUS_CRYPTO_NO_RRSIG)
			status = now;
	}
	type = ldns_rr_type2str(ldns_rr_get_type(first));
	if (!p->left)
		errtext_set(err, "there are more signatures to be verified than anybody needs");
	else
		errtext_set(err, "the %s records of %s are not proven by the zone %s: %s", type, dname_text(ldns_rr_owner(first)).s,
			    dname_text(zone).s, ldns_get_errorstr_by_id(status));
	free(type);
	return false;
}
