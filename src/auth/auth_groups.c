/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth_inside.h"

#include <stdio.h>
#include <string.h>

/*
 * Whether the peer is in a group that the connection asks for, as attribute certificates say. They are looked at when chain and signature
 * are good; what would have to be fetched of their revocation comes last, after that of the peer's own chain.
 */

static void groups_note(struct errtext *text, const char *what, const char *why)
{
	size_t n = strlen(text->s);

	snprintf(text->s + n, sizeof(text->s) - n, "; %s%s", what, why);
}

bool auth_groups_wanted(const struct auth_job *job)
{
	const struct auth_request *r = job->r;
	bool wanted = r->round->n_groups > 0;

	for (size_t i = 0; i < r->n_others; i++)
		wanted |= r->others[i].round->n_groups > 0;
	return wanted;
}

void auth_groups_reset(struct auth_job *job)
{
	acert_grants_clear(job->grants, job->n_grants);
	job->n_grants = job->grant_at = 0;
	job->groups_why = (struct errtext){ "" };
	trust_chain_unref(job->r->group_chain);
	job->r->group_chain = NULL;
	job->r->group_how = (struct errtext){ "" };
}

void auth_groups_take(struct auth_job *job, struct bytes data)
{
	struct errtext err;
	struct acert *ac;

	if (!auth_groups_wanted(job))
		return;
	if (job->n_acerts == LIMIT_ACERTS) {
		groups_note(&job->groups_ignored, "it sent too many attribute certificates", "");
		return;
	}
	ac = acert_parse(data, &err);
	if (ac)
		job->acerts[job->n_acerts++] = ac;
	else
		groups_note(&job->groups_ignored, "it sent a ", err.s);
}

bool auth_groups_find(struct auth_job *job, const struct trust_input *trust, struct errtext *err)
{
	struct acerts_input in = { .trust = trust, .conn = job->r->conn, .holder = job->chain->certs[0], .sent = job->acerts,
				   .n_sent = job->n_acerts };
	struct errtext why = { "" };

	if (!job->r->round->n_groups)
		return true;
	job->n_grants = acerts_check(&in, job->grants, &why);
	if (job->n_grants)
		return true;
	errtext_set(err, "%s%s", why.s, job->groups_ignored.s);
	return false;
}

enum auth_next auth_groups_run(struct auth_job *job)
{
	struct auth_request *r = job->r;
	struct errtext err;

	for (; job->grant_at < job->n_grants; job->grant_at++) {
		const struct acert_grant *g = &job->grants[job->grant_at];

		switch (auth_verify_chain(job, g->chain, &err)) {
		case REVOCATION_OK:
			r->group_chain = trust_chain_ref(g->chain);
			errtext_set(&r->group_how, "in group '%.100s' by attribute certificate %s", g->group, acert_text(g->acert).s);
			return AUTH_NEXT_COMPUTE; /* that is: goes on */
		case REVOCATION_REVOKED:
		case REVOCATION_REFUSED:
			groups_note(&job->groups_why, "", err.s);
			break;
		case REVOCATION_FETCH:
			return AUTH_NEXT_WAIT;
		}
	}
	if (!r->round->n_groups)
		return AUTH_NEXT_COMPUTE;
	return auth_job_fail(job, "no attribute certificate that puts the peer into a group is known not to be revoked%s",
			     job->groups_why.s);
}
