/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/revocation_inside.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool uri_is_http(const char *uri)
{
	return strncasecmp(uri, "http://", 7) == 0 || strncasecmp(uri, "https://", 8) == 0;
}

static void run_note(struct revocation_run *run, const char *what, const char *why)
{
	size_t n = strlen(run->why.s);

	snprintf(run->why.s + n, sizeof(run->why.s) - n, "%s%s%s%s", n ? "; " : "", what, *what ? ": " : "", why);
}

static void run_add(struct revocation_run *run, bool ocsp, const char *const *uris, size_t n, bool configured)
{
	for (size_t i = 0; i < n; i++) {
		bool seen = run->n_sources == REVOCATION_SOURCES;

		/* a certificate must not make us read our own files */
		if (!configured && strncasecmp(uris[i], "file:", 5) == 0) {
			run_note(run, uris[i], "files are read only if the section authorities names them");
			continue;
		}
		for (size_t k = 0; k < run->n_sources && !seen; k++)
			seen = run->sources[k].ocsp == ocsp && strcmp(run->sources[k].url, uris[i]) == 0;
		if (!seen)
			run->sources[run->n_sources++] = (struct revocation_source){ ocsp, uris[i] };
	}
}

/* What the operator names comes first. */
static void run_find_sources(struct revocation_run *run, const struct revocation_env *env, const struct cert *cert,
			     const struct cert *issuer)
{
	const struct authority *a = credentials_authority(env->creds, issuer);

	run->n_sources = run->source = run->delta = 0;
	run->why = (struct errtext){ "" };
	if (env->ocsp) {
		if (a)
			run_add(run, true, a->ocsp_uris, a->n_ocsp_uris, true);
		run_add(run, true, cert->ocsp_uris, cert->n_ocsp_uris, false);
	}
	if (env->crl) {
		if (a)
			run_add(run, false, a->crl_uris, a->n_crl_uris, true);
		run_add(run, false, cert->crl_uris, cert->n_crl_uris, false);
	}
}

/* What is known already. */
static enum cert_status run_look(const struct revocation_env *env, const struct cert *cert, const struct cert *issuer,
				 struct errtext *text, bool *ret_no_delta)
{
	struct crl *crls[REVOCATION_CRLS];
	struct ocsp_answer answer;
	enum cert_status ocsp = CERT_STATUS_UNKNOWN, by_crl;
	bool delta = false;
	size_t n;

	*ret_no_delta = false;
	if (revocation_cache_ocsp(env->cache, cert, issuer, env->now, &answer, NULL))
		ocsp = answer.status;
	if (ocsp == CERT_STATUS_REVOKED) {
		errtext_set(text, "on %s, reason: %s (OCSP)", revocation_time_text(answer.revoked_at).s,
			    revocation_reason(answer.reason));
		return ocsp;
	}
	/* a CRL that revokes counts, whatever OCSP said before */
	n = revocation_cache_crls(env->cache, env->creds, cert, issuer, crls);
	by_crl = crls_status(cert, crls, n, env->now, env->skew, text, &delta);
	for (size_t i = 0; i < n; i++)
		crl_unref(crls[i]);
	*ret_no_delta = by_crl == CERT_STATUS_GOOD && ocsp == CERT_STATUS_UNKNOWN && !delta;
	return by_crl == CERT_STATUS_UNKNOWN ? ocsp : by_crl;
}

/* Nothing more can be asked. */
static bool run_may_pass(struct revocation_run *run, const struct revocation_env *env, const struct cert *cert,
			 const struct errtext *text, struct errtext *err)
{
	struct cert_text name = cert_text(cert);

	if (env->policy == REVOCATION_RELAXED || (env->policy == REVOCATION_IFURI && run->n_sources == 0 && !*run->why.s))
		return true;
	if (*text->s)
		run_note(run, "", text->s);
	if (cert->crl_indirect)
		run_note(run, "", "it names indirect CRLs, or some of some reasons only, which are not supported");
	if (run->n_sources == 0 && !*run->why.s)
		run_note(run, "", "no CRL of its issuer is loaded, and neither it nor an authority names where to fetch one or whom to ask "
			 "by OCSP");
	errtext_set(err, "whether certificate %s was revoked is not known, and the connection wants it known (revocation = %s): %s",
		    name.s, env->policy == REVOCATION_STRICT ? "strict" : "ifuri", run->why.s);
	return false;
}

/* What became of the CRL since, if it says where that is told; the CRL counts without, too. */
static bool run_find_delta(struct revocation_run *run, const struct revocation_env *env, const struct cert *cert,
			   struct revocation_source *ret_source)
{
	while (env->crl && run->delta < cert->n_delta_uris) {
		const char *url = cert->delta_uris[run->delta++];

		if (!uri_is_http(url))
			continue;
		*ret_source = (struct revocation_source){ false, url };
		return true;
	}
	return false;
}

static enum revocation_next run_cert(struct revocation_run *run, const struct revocation_env *env, const char *failed,
				     struct revocation_source *ret_source, struct errtext *err)
{
	const struct cert *cert = env->chain->certs[run->left - 1], *issuer = env->chain->certs[run->left];
	struct errtext text = { "" };
	bool no_delta;

	if (!run->begun)
		run_find_sources(run, env, cert, issuer);
	else if (failed && !run->delta)
		run_note(run, run->sources[run->source - 1].ocsp ? "OCSP" : "CRL", failed);
	run->begun = true;
	switch (run_look(env, cert, issuer, &text, &no_delta)) {
	case CERT_STATUS_REVOKED:
		errtext_set(err, "certificate %s was revoked: %s", cert_text(cert).s, text.s);
		return REVOCATION_REFUSED;
	case CERT_STATUS_GOOD:
		return no_delta && run_find_delta(run, env, cert, ret_source) ? REVOCATION_FETCH : REVOCATION_OK;
	case CERT_STATUS_UNKNOWN:
		break;
	}
	if (run->source < run->n_sources) {
		*ret_source = run->sources[run->source++];
		return REVOCATION_FETCH;
	}
	return run_may_pass(run, env, cert, &text, err) ? REVOCATION_OK : REVOCATION_REFUSED;
}

enum revocation_next revocation_step(struct revocation_run *run, const struct revocation_env *env, const char *failed,
				     struct revocation_source *ret_source, const struct cert **ret_cert,
				     const struct cert **ret_issuer, struct errtext *err)
{
	enum revocation_next next;

	if (run->left == 0 && !run->begun) {
		if (env->chain->n < 2)
			return REVOCATION_OK;
		run->left = env->chain->n - 1;
	}
	for (; run->left > 0; run->left--, run->begun = false) {
		next = run_cert(run, env, failed, ret_source, err);
		failed = NULL;
		if (next == REVOCATION_FETCH) {
			*ret_cert = env->chain->certs[run->left - 1];
			*ret_issuer = env->chain->certs[run->left];
		}
		if (next != REVOCATION_OK)
			return next;
	}
	return REVOCATION_OK;
}
