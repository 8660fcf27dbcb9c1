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
static void run_find_sources(struct revocation_run *run, const struct revocation_env *env)
{
	const struct cert *cert = env->cert;
	const struct authority *a = credentials_authority(env->creds, env->issuer);

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

/* The list that counts for the certificate now, if it says where deltas are (RFC 5280, 5.2.6); it may change from look to look. */
static void run_take_base(struct revocation_run *run, struct crl *const *crls, size_t n)
{
	struct crl *base = NULL;

	for (size_t i = 0; i < n; i++)
		if (crls[i]->base.n == 0 && crls[i]->n_delta_uris && (!base || crl_is_newer(crls[i], base)))
			base = crls[i];
	if (run->base)
		crl_unref(run->base);
	run->base = base ? crl_ref(base) : NULL;
}

/* What is known already. */
static enum cert_status run_look(struct revocation_run *run, const struct revocation_env *env, struct errtext *text, bool *ret_no_delta)
{
	struct crl *crls[REVOCATION_CRLS];
	struct ocsp_answer answer;
	enum cert_status ocsp = CERT_STATUS_UNKNOWN, by_crl;
	bool delta = false;
	size_t n;

	*ret_no_delta = false;
	if (revocation_cache_ocsp(env->cache, env->cert, env->issuer, env->now, &answer, NULL))
		ocsp = answer.status;
	if (ocsp == CERT_STATUS_REVOKED) {
		errtext_set(text, "on %s, reason: %s (OCSP)", revocation_time_text(answer.revoked_at).s,
			    revocation_reason(answer.reason));
		return ocsp;
	}
	/* a CRL that revokes counts, whatever OCSP said before */
	n = revocation_cache_crls(env->cache, env->creds, env->cert, env->issuer, crls);
	by_crl = crls_status(env->cert, crls, n, env->now, env->skew, text, &delta);
	*ret_no_delta = by_crl == CERT_STATUS_GOOD && ocsp == CERT_STATUS_UNKNOWN && !delta;
	if (*ret_no_delta && run->delta == 0)
		run_take_base(run, crls, n);
	for (size_t i = 0; i < n; i++)
		crl_unref(crls[i]);
	return by_crl == CERT_STATUS_UNKNOWN ? ocsp : by_crl;
}

/* Nothing more can be asked. */
static bool run_may_pass(struct revocation_run *run, const struct revocation_env *env, const struct errtext *text, struct errtext *err)
{
	struct cert_text name = cert_text(env->cert);

	if (env->policy == REVOCATION_RELAXED || (env->policy == REVOCATION_IFURI && run->n_sources == 0 && !*run->why.s))
		return true;
	if (*text->s)
		run_note(run, "", text->s);
	if (env->cert->crl_indirect)
		run_note(run, "", "it names indirect CRLs, or some of some reasons only, which are not supported");
	if (run->n_sources == 0 && !*run->why.s)
		run_note(run, "", "no CRL of its issuer is loaded, and neither it nor an authority names where to fetch one or whom to ask "
			 "by OCSP");
	errtext_set(err, "whether certificate %s was revoked is not known, and the connection wants it known (revocation = %s): %s",
		    name.s, env->policy == REVOCATION_STRICT ? "strict" : "ifuri", run->why.s);
	return false;
}

/* URIs of deltas: the certificate's, then those of the CRL that are others. NULL: there are no more. */
static const char *run_delta_uri(const struct revocation_run *run, const struct cert *cert, size_t at)
{
	const char *uri;

	if (at < cert->n_delta_uris)
		return cert->delta_uris[at];
	at -= cert->n_delta_uris;
	if (!run->base || at >= run->base->n_delta_uris)
		return NULL;
	uri = run->base->delta_uris[at];
	for (size_t i = 0; i < cert->n_delta_uris; i++)
		if (strcmp(cert->delta_uris[i], uri) == 0)
			return "";
	return uri;
}

/* What became of the CRL since, if it says where that is told; the CRL counts without, too. */
static bool run_find_delta(struct revocation_run *run, const struct revocation_env *env, struct revocation_source *ret_source)
{
	const char *uri;

	while (env->crl && (uri = run_delta_uri(run, env->cert, run->delta))) {
		run->delta++;
		if (!uri_is_http(uri))
			continue;
		*ret_source = (struct revocation_source){ false, uri };
		return true;
	}
	return false;
}

enum revocation_next revocation_step(struct revocation_run *run, const struct revocation_env *env, const char *failed,
				     struct revocation_source *ret_source, struct errtext *err)
{
	struct errtext text = { "" };
	bool no_delta;

	if (!run->begun)
		run_find_sources(run, env);
	else if (failed && !run->delta)
		run_note(run, run->sources[run->source - 1].ocsp ? "OCSP" : "CRL", failed);
	run->begun = true;
	switch (run_look(run, env, &text, &no_delta)) {
	case CERT_STATUS_REVOKED:
		errtext_set(err, "certificate %s was revoked: %s", cert_text(env->cert).s, text.s);
		return REVOCATION_REVOKED;
	case CERT_STATUS_GOOD:
		return no_delta && run_find_delta(run, env, ret_source) ? REVOCATION_FETCH : REVOCATION_OK;
	case CERT_STATUS_UNKNOWN:
		break;
	}
	if (run->source < run->n_sources) {
		*ret_source = run->sources[run->source++];
		return REVOCATION_FETCH;
	}
	return run_may_pass(run, env, &text, err) ? REVOCATION_OK : REVOCATION_REFUSED;
}

void revocation_run_clear(struct revocation_run *run)
{
	if (run->base)
		crl_unref(run->base);
	*run = (struct revocation_run){ .begun = false };
}
