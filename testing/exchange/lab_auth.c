/* SPDX-License-Identifier: Apache-2.0 */
#include "lab_auth.h"

#include <stdio.h>
#include <stdlib.h>

#include "sa/task.h"

#define LAB_SIGNATURE 17 /* one octet in front: the length of an AlgorithmIdentifier, which there is none of */

static void auth_sign(const struct id *id, struct bytes octets, uint8_t *ret)
{
	static const struct hash_key k1 = { 11, 12 }, k2 = { 13, 14 };
	struct buf all = { 0 };
	uint64_t h[2];

	buf_add(&all, &id->type, 1);
	buf_add_bytes(&all, id->data);
	buf_add_bytes(&all, octets);
	h[0] = hash_bytes(&k1, buf_bytes(&all));
	h[1] = hash_bytes(&k2, buf_bytes(&all));
	ret[0] = 0;
	memcpy(ret + 1, h, sizeof(h));
	buf_free(&all);
}

bool lab_authenticate(void *host, struct ike_sa *sa, struct auth_request *r)
{
	struct lab_end *e = host;

	ck_assert_uint_ge(r->n_octets, 1);
	ck_assert_uint_gt(r->deadline_ms, e->lab->now);
	ck_assert(r->round->auth != CONN_AUTH_PSK);
	if (e->auth == LAB_AUTH_FULL)
		return false;
	ck_assert_uint_lt(e->n_auths, LAB_AUTHS);
	e->auths[e->n_auths++] = r;
	return true;
}

static void auth_answer(struct lab_end *e, struct auth_request *r)
{
	uint8_t signature[LAB_SIGNATURE];

	r->ok = false;
	errtext_set(&r->why, "the test says so");
	if (r->work == AUTH_SIGN && !e->auth_fail_sign) {
		ck_assert_uint_eq(r->n_octets, 1);
		auth_sign(&r->id, r->octets[0], signature);
		r->ret_method = r->peer_hashes ? AUTH_METHOD_SIGNATURE : AUTH_METHOD_ECDSA_256;
		r->ret_auth = bytes_of(arena_dup(&r->arena, signature, sizeof(signature)), sizeof(signature));
		if (e->auth_cert_len) {
			struct auth_cert *cert = arena_new(&r->arena, struct auth_cert);

			*cert = (struct auth_cert){ CERT_X509_SIGNATURE,
						    bytes_of(arena_alloc(&r->arena, e->auth_cert_len), e->auth_cert_len) };
			r->ret_certs = cert;
			r->n_ret_certs = 1;
		}
		r->ok = true;
	}
	for (size_t i = 0; r->work == AUTH_VERIFY && i < r->n_octets; i++) {
		auth_sign(&r->id, r->octets[i], signature);
		r->ok |= !e->auth_fail_verify && bytes_equal(r->auth, bytes_of(signature, sizeof(signature)));
	}
	if (r->work == AUTH_VERIFY)
		e->auth_certs = r->n_certs;
	e->auth_works[r->work]++;
}

void lab_auth_give(struct lab_end *e, struct auth_request *r)
{
	struct sa_authentication *a = container_of(r, struct sa_authentication, r);

	for (size_t i = 0; i < e->n_sas; i++) {
		if (e->sas[i]->log.id != a->ike_id || e->sas[i]->finished)
			continue;
		ike_sa_authenticated(e->sas[i], &a->r);
		break;
	}
	authentication_free(a);
}

bool lab_auth_answer(struct lab_end *e)
{
	struct auth_request *r;

	if (!e->n_auths)
		return false;
	r = e->auths[0];
	memmove(e->auths, e->auths + 1, --e->n_auths * sizeof(e->auths[0]));
	auth_answer(e, r);
	lab_auth_give(e, r);
	return true;
}

const struct auth_request *lab_auth_waiting(const struct lab_end *e)
{
	return e->n_auths ? e->auths[0] : NULL;
}

bool lab_auth_run(struct lab *lab)
{
	bool any = false;

	while ((lab->a.auth == LAB_AUTH_AT_ONCE && lab_auth_answer(&lab->a)) ||
	       (lab->b.auth == LAB_AUTH_AT_ONCE && lab_auth_answer(&lab->b)))
		any = true;
	return any;
}

void lab_auth_clear(struct lab_end *e)
{
	while (e->n_auths) {
		struct auth_request *r = e->auths[--e->n_auths];

		r->mail.drop(&r->mail);
	}
}

/* None of its CHILD_SAs carries anything. */
static bool auth_unused(const struct ike_sa *sa)
{
	for (const struct child_sa *c = sa->children; c; c = c->next)
		if (c->handle || c->spi_out)
			return false;
	return true;
}

void lab_auth_check(const struct lab_end *e)
{
	for (size_t k = 0; k < e->n_sas; k++) {
		const struct ike_sa *sa = e->sas[k];

		/* no CHILD_SA before its peer is authenticated, and nothing is kept after that */
		ck_assert(sa->established_ms || auth_unused(sa));
		ck_assert(sa->setup || !sa->active || sa->active->finished || sa->active->type != TASK_IKE_AUTH);
	}
}

/* ---- configurations ---- */

static const char *auth_text(enum conn_auth auth)
{
	return auth == CONN_AUTH_PSK ? "psk" : auth == CONN_AUTH_PUBKEY ? "pubkey" : "any";
}

void lab_rounds(struct lab_end *e, const char *name, bool local, const char *classes)
{
	struct conn *conn = (struct conn *)(uintptr_t)config_conn(e->ctx.config, name);
	const struct conn_round *old = local ? conn->local_rounds : conn->remote_rounds;
	size_t n = strlen(classes);
	struct conn_round *rounds = arena_array(&conn->arena, struct conn_round, n);

	for (size_t i = 0; i < n; i++) {
		char text[320];

		rounds[i] = old[0];
		rounds[i].auth = classes[i] == 'p' ? CONN_AUTH_PSK : classes[i] == 'c' ? CONN_AUTH_PUBKEY : CONN_AUTH_ANY;
		rounds[i].auth_text = auth_text(rounds[i].auth);
		if (i == 0)
			continue;
		snprintf(text, sizeof(text), "%s-%zu", id_text(&old[0].id).s, i);
		rounds[i].id = (struct id){ ID_TYPE_FQDN,
					    bytes_of(arena_dup(&conn->arena, text, strlen(text)), strlen(text)) };
	}
	if (local) {
		conn->local_rounds = rounds;
		conn->n_local_rounds = n;
	} else {
		conn->remote_rounds = rounds;
		conn->n_remote_rounds = n;
	}
}
