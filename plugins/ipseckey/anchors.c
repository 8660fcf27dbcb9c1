/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "chain.h"
#include "proven.h"

/* DS records as they are, keys as DS records of them. NULL: it is neither, or of no use. */
static ldns_rr *anchor_ds(const ldns_rr *rr)
{
	if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_DS && ldns_rr_rd_count(rr) == 4)
		return ldns_rr_clone(rr);
	if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_DNSKEY && dnskey_may_sign(rr))
		return ldns_key_rr2ds(rr, LDNS_SHA256);
	return NULL;
}

static bool anchors_read(FILE *f, const char *file, ldns_rr_list *ds, struct errtext *err)
{
	ldns_rdf *origin = NULL, *prev = NULL;
	uint32_t ttl = 0;
	int line = 0;
	bool ok = true;

	while (ok && !feof(f)) {
		ldns_rr *rr = NULL, *made;
		ldns_status status = ldns_rr_new_frm_fp_l(&rr, f, &ttl, &origin, &prev, &line);

		if (status == LDNS_STATUS_SYNTAX_EMPTY || status == LDNS_STATUS_SYNTAX_TTL || status == LDNS_STATUS_SYNTAX_ORIGIN ||
		    (status == LDNS_STATUS_ERR && feof(f)))
			continue;
		made = status == LDNS_STATUS_OK ? anchor_ds(rr) : NULL;
		ldns_rr_free(rr);
		ok = made && ldns_rr_list_rr_count(ds) < CHAIN_ANCHORS;
		if (made && (!ok || !ldns_rr_list_push_rr(ds, made)))
			ldns_rr_free(made);
		if (!ok)
			errtext_set(err, "%s:%d: %s", file, line, status != LDNS_STATUS_OK ? ldns_get_errorstr_by_id(status) :
				    made ? "too many trust anchors" : "a trust anchor is a DS record, or a DNSKEY record of a zone");
	}
	ldns_rdf_deep_free(origin);
	ldns_rdf_deep_free(prev);
	return ok;
}

bool anchors_load(const char *file, struct anchors *ret, struct errtext *err)
{
	FILE *f = fopen(file, "re");
	ldns_rr_list *ds;
	bool ok;

	if (!f) {
		errtext_set(err, "trust anchors cannot be read from %s: %s", file, strerror(errno));
		return false;
	}
	ds = ldns_rr_list_new();
	ok = anchors_read(f, file, ds, err);
	fclose(f);
	if (ok && ldns_rr_list_rr_count(ds) == 0) {
		errtext_set(err, "there are no trust anchors in %s", file);
		ok = false;
	}
	if (ok)
		ret->ds = ds;
	else
		ldns_rr_list_deep_free(ds);
	return ok;
}

void anchors_free(struct anchors *a)
{
	ldns_rr_list_deep_free(a->ds);
	a->ds = NULL;
}
