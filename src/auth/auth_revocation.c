/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth_inside.h"

#include <stdlib.h>

#include "util/mem.h"

/*
 * The revocation of a chain: each certificate has a run of its own (revocation.h), and what they need is fetched side by side. The
 * sources of one certificate are asked one after the other, and share the time that is left.
 */
enum check_state { CHECK_ASKING, CHECK_GOOD, CHECK_REVOKED, CHECK_REFUSED };

struct auth_check {
	struct revocation_run run;
	enum check_state state;
	const char *why; /* in the request's arena */
};

void auth_verify_chain_end(struct auth_job *job)
{
	auth_ask_no_more(job);
	if (!job->checks)
		return;
	for (size_t i = 0; i < TRUST_CHAIN_MAX - 1; i++)
		revocation_run_clear(&job->checks[i].run);
	free(job->checks);
	job->checks = NULL;
}

/* That of this source; the others that may be asked after it need some, too. */
static uint64_t check_deadline(const struct auth_job *job, const struct auth_check *c)
{
	uint64_t now = clock_monotonic_ms(), left = job->want_deadline_ms > now ? job->want_deadline_ms - now : 0;

	return now + left / (1 + revocation_run_left(&c->run));
}

static struct revocation_env check_env(const struct auth_job *job, const struct trust_chain *chain, size_t at)
{
	return (struct revocation_env){
		.cache = job->s->cache,
		.creds = job->r->config->creds,
		.cert = chain->certs[at],
		.issuer = chain->certs[at + 1],
		.policy = job->r->round->revocation,
		.ocsp = !job->o.no_ocsp,
		.crl = !job->o.no_crl,
		.now = job->now,
		.skew = job->o.clock_skew,
	};
}

static void check_go(struct auth_job *job, const struct trust_chain *chain, size_t at, const char *failed)
{
	struct auth_check *c = &job->checks[at];
	const struct revocation_env env = check_env(job, chain, at);
	struct revocation_source source;
	struct auth_want want;
	struct errtext err;

	switch (revocation_step(&c->run, &env, failed, &source, &err)) {
	case REVOCATION_OK:
		c->state = CHECK_GOOD;
		return;
	case REVOCATION_REVOKED:
		c->state = CHECK_REVOKED;
		c->why = arena_printf(&job->r->arena, "%s", err.s);
		return;
	case REVOCATION_REFUSED:
		c->state = CHECK_REFUSED;
		c->why = arena_printf(&job->r->arena, "%s", err.s);
		return;
	case REVOCATION_FETCH:
		c->state = CHECK_ASKING;
		job->waited = true;
		want = (struct auth_want){ .kind = source.ocsp ? AUTH_WANT_OCSP : AUTH_WANT_CRL, .url = source.url, .cert = env.cert,
					   .issuer = env.issuer };
		auth_ask(job, &want, check_deadline(job, c), (unsigned)at);
		return;
	}
}

/* From the anchor down, until one is known to be revoked. */
static void checks_begin(struct auth_job *job, const struct trust_chain *chain)
{
	job->checks = xcalloc(TRUST_CHAIN_MAX - 1, sizeof(*job->checks));
	for (size_t at = chain->n - 1; at-- > 0;) {
		check_go(job, chain, at, NULL);
		if (job->checks[at].state == CHECK_REVOKED)
			return;
	}
}

static void checks_go_on(struct auth_job *job, const struct trust_chain *chain)
{
	struct auth_waiter *waiter;

	while ((waiter = auth_answered(job))) {
		check_go(job, chain, waiter->tag, waiter->got.ok ? NULL : waiter->got.why.s);
		auth_waiter_free(waiter);
	}
}

/* What is revoked is refused at once; that something is not known is said of the certificate that is next to the anchor. */
static enum revocation_next checks_judge(const struct auth_job *job, const struct trust_chain *chain, struct errtext *err)
{
	for (size_t at = chain->n - 1; at-- > 0;) {
		if (job->checks[at].state != CHECK_REVOKED)
			continue;
		errtext_set(err, "%s", job->checks[at].why);
		return REVOCATION_REVOKED;
	}
	for (size_t at = chain->n - 1; at-- > 0;) {
		if (job->checks[at].state == CHECK_ASKING)
			return REVOCATION_FETCH;
		if (job->checks[at].state != CHECK_REFUSED)
			continue;
		errtext_set(err, "%s", job->checks[at].why);
		return REVOCATION_REFUSED;
	}
	return REVOCATION_OK;
}

/*
 * A certificate that is trusted as it is loaded, without its CA's. Nobody can revoke one that signed itself; of others it is not known,
 * as the peer could have kept back the certificate of the CA that has revoked its own.
 */
static enum revocation_next chain_alone(const struct auth_job *job, const struct cert *cert, struct errtext *err)
{
	enum conn_revocation policy = job->r->round->revocation;

	if (cert->self_issued || policy == REVOCATION_RELAXED ||
	    (policy == REVOCATION_IFURI && cert->n_crl_uris == 0 && cert->n_ocsp_uris == 0))
		return REVOCATION_OK;
	errtext_set(err, "whether certificate %s was revoked is not known, and the connection wants it known (revocation = %s): its "
		    "issuer's certificate is neither loaded nor sent", cert_text(cert).s, policy == REVOCATION_STRICT ? "strict" : "ifuri");
	return REVOCATION_REFUSED;
}

enum revocation_next auth_verify_chain(struct auth_job *job, const struct trust_chain *chain, struct errtext *err)
{
	enum revocation_next next;

	if (chain->n < 2)
		return chain_alone(job, chain->certs[0], err);
	if (!job->checks)
		checks_begin(job, chain);
	else
		checks_go_on(job, chain);
	next = checks_judge(job, chain, err);
	if (next != REVOCATION_FETCH)
		auth_verify_chain_end(job);
	return next;
}

bool auth_chain_was_revoked(struct auth_job *job, const struct trust_chain *chain, struct errtext *err)
{
	bool revoked = false;

	for (size_t at = 0; at + 1 < chain->n && !revoked; at++) {
		struct revocation_env env = check_env(job, chain, at);
		struct revocation_run run = { .begun = false };
		struct revocation_source none;

		/* nothing is asked for any more */
		env.policy = REVOCATION_RELAXED;
		env.ocsp = env.crl = false;
		revoked = revocation_step(&run, &env, NULL, &none, err) == REVOCATION_REVOKED;
		revocation_run_clear(&run);
	}
	return revoked;
}
