/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/revocation_inside.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static void run_add(struct revocation_run *run, bool ocsp, const char *const *uris, size_t n, bool configured)
{
	for (size_t i = 0; i < n; i++) {
		bool seen = run->n_sources == REVOCATION_SOURCES;

		/* a certificate must not make us read our own files */
		if (!configured && strncasecmp(uris[i], "http://", 7) != 0 && strncasecmp(uris[i], "https://", 8) != 0)
			continue;
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

	run->n_sources = run->source = 0;
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

static void run_note(struct revocation_run *run, const char *what, const char *why)
{
	size_t n = strlen(run->why.s);

	snprintf(run->why.s + n, sizeof(run->why.s) - n, "%s%s%s%s", n ? "; " : "", what, *what ? ": " : "", why);
}

/* What is known already. */
static enum cert_status run_look(const struct revocation_env *env, const struct cert *cert, const struct cert *issuer,
				 struct errtext *text)
{
	struct crl *crls[REVOCATION_CRLS];
	struct ocsp_answer answer;
	enum cert_status ocsp = CERT_STATUS_UNKNOWN, by_crl;
	size_t n;

	if (revocation_cache_ocsp(env->cache, cert, issuer, env->now, &answer, NULL))
		ocsp = answer.status;
	if (ocsp == CERT_STATUS_REVOKED) {
		errtext_set(text, "on %s, reason: %s (OCSP)", revocation_time_text(answer.revoked_at).s,
			    revocation_reason(answer.reason));
		return ocsp;
	}
	/* a CRL that revokes counts, whatever OCSP said before */
	n = revocation_cache_crls(env->cache, env->creds, cert, issuer, crls);
	by_crl = crls_status(cert, crls, n, env->now, env->skew, text);
	for (size_t i = 0; i < n; i++)
		crl_unref(crls[i]);
	return by_crl == CERT_STATUS_UNKNOWN ? ocsp : by_crl;
}

/* Nothing more can be asked. */
static bool run_may_pass(struct revocation_run *run, const struct revocation_env *env, const struct cert *cert,
			 const struct errtext *text, struct errtext *err)
{
	struct cert_text name = cert_text(cert);

	if (env->policy == REVOCATION_RELAXED || (env->policy == REVOCATION_IFURI && run->n_sources == 0))
		return true;
	if (*text->s)
		run_note(run, "", text->s);
	if (run->n_sources == 0 && !*run->why.s)
		run_note(run, "", "no CRL of its issuer is loaded, and neither it nor an authority names where to fetch one or whom to ask "
			 "by OCSP");
	errtext_set(err, "whether certificate %s was revoked is not known, and the connection wants it known (revocation = %s): %s",
		    name.s, env->policy == REVOCATION_STRICT ? "strict" : "ifuri", run->why.s);
	return false;
}

static enum revocation_next run_cert(struct revocation_run *run, const struct revocation_env *env, const char *failed,
				     struct revocation_source *ret_source, struct errtext *err)
{
	const struct cert *cert = env->chain->certs[run->left - 1], *issuer = env->chain->certs[run->left];
	struct errtext text = { "" };

	if (!run->begun)
		run_find_sources(run, env, cert, issuer);
	else if (failed)
		run_note(run, run->sources[run->source - 1].ocsp ? "OCSP" : "CRL", failed);
	run->begun = true;
	switch (run_look(env, cert, issuer, &text)) {
	case CERT_STATUS_REVOKED:
		errtext_set(err, "certificate %s was revoked: %s", cert_text(cert).s, text.s);
		return REVOCATION_REFUSED;
	case CERT_STATUS_GOOD:
		return REVOCATION_OK;
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
