/* SPDX-License-Identifier: Apache-2.0 */
#include "ipseckey_test.h"

#include <stdlib.h>
#include <string.h>

struct zone_key zone_key_new(const char *zone)
{
	struct zone_key k = { ldns_dname_new_frm_str(zone), ldns_key_new_frm_algorithm(LDNS_SIGN_ECDSAP256SHA256, 256), NULL };

	ck_assert(k.zone && k.key);
	ldns_key_set_pubkey_owner(k.key, ldns_rdf_clone(k.zone));
	ldns_key_set_flags(k.key, LDNS_KEY_ZONE_KEY | LDNS_KEY_SEP_KEY);
	ldns_key_set_inception(k.key, ZONE_SIGNED);
	ldns_key_set_expiration(k.key, ZONE_EXPIRES);
	k.dnskey = ldns_key2rr(k.key);
	ck_assert(k.dnskey != NULL);
	ldns_key_set_keytag(k.key, ldns_calc_keytag(k.dnskey));
	return k;
}

void zone_key_free(struct zone_key *k)
{
	ldns_rdf_deep_free(k->zone);
	ldns_key_deep_free(k->key);
	ldns_rr_free(k->dnskey);
}

ldns_rr *zone_ds(const struct zone_key *k, ldns_hash hash)
{
	return ldns_key_rr2ds(k->dnskey, hash);
}

void world_clear(struct world *w)
{
	for (size_t i = 0; i < w->n; i++) {
		free(w->entries[i].name);
		ldns_rr_list_deep_free(w->entries[i].answer);
	}
	*w = (struct world){ 0 };
}

ldns_rr_list *world_answer(struct world *w, const char *name, ldns_rr_type type)
{
	for (size_t i = 0; i < w->n; i++)
		if (strcmp(w->entries[i].name, name) == 0 && w->entries[i].type == type)
			return w->entries[i].answer;
	return NULL;
}

void world_add(struct world *w, const char *name, ldns_rr_type type, ldns_rr *rr)
{
	ldns_rr_list *answer = world_answer(w, name, type);

	ck_assert(rr != NULL);
	if (!answer) {
		ck_assert(w->n < sizeof(w->entries) / sizeof(*w->entries));
		answer = ldns_rr_list_new();
		w->entries[w->n].name = strdup(name);
		w->entries[w->n].type = type;
		w->entries[w->n++].answer = answer;
	}
	ck_assert(ldns_rr_list_push_rr(answer, rr));
}

void world_add_text(struct world *w, const char *name, ldns_rr_type type, const char *text)
{
	ldns_rr *rr = NULL;

	ck_assert_msg(ldns_rr_new_frm_str(&rr, text, 300, NULL, NULL) == LDNS_STATUS_OK, "%s", text);
	world_add(w, name, type, rr);
}

void world_sign(struct world *w, const char *name, ldns_rr_type type, const struct zone_key *k)
{
	ldns_rr_list *answer = world_answer(w, name, type), *set = ldns_rr_list_new(), *sigs;
	ldns_key_list *keys = ldns_key_list_new();

	for (size_t i = 0; i < ldns_rr_list_rr_count(answer); i++)
		if (ldns_rr_get_type(ldns_rr_list_rr(answer, i)) != LDNS_RR_TYPE_RRSIG)
			ldns_rr_list_push_rr(set, ldns_rr_list_rr(answer, i));
	ldns_key_list_push_key(keys, k->key);
	sigs = ldns_sign_public(set, keys);
	ck_assert(sigs && ldns_rr_list_rr_count(sigs) == 1);
	ldns_rr_list_push_rr(answer, ldns_rr_list_rr(sigs, 0));
	ldns_rr_list_free(sigs);
	ldns_rr_list_free(set);
	ldns_key_list_set_key_count(keys, 0);
	ldns_key_list_free(keys);
}

void world_zone(struct world *w, const struct zone_key *k, const struct zone_key *parent)
{
	char *name = ldns_rdf2str(k->zone);

	world_add(w, name, LDNS_RR_TYPE_DNSKEY, ldns_rr_clone(k->dnskey));
	world_sign(w, name, LDNS_RR_TYPE_DNSKEY, k);
	if (parent) {
		world_add(w, name, LDNS_RR_TYPE_DS, zone_ds(k, LDNS_SHA256));
		world_sign(w, name, LDNS_RR_TYPE_DS, parent);
	}
	free(name);
}

ldns_pkt *world_ask(void *arg, const ldns_rdf *name, ldns_rr_type type, struct errtext *err)
{
	struct world *w = arg;
	char *text = ldns_rdf2str(name);
	ldns_rr_list *answer = world_answer(w, text, type);
	ldns_pkt *pkt = ldns_pkt_new();

	w->asked++;
	ldns_pkt_set_rcode(pkt, LDNS_RCODE_NOERROR);
	if (answer) {
		ldns_rr_list *copy = ldns_rr_list_clone(answer);

		ldns_pkt_push_rr_list(pkt, LDNS_SECTION_ANSWER, copy);
		ldns_rr_list_free(copy);
	}
	(void)err;
	free(text);
	return pkt;
}
