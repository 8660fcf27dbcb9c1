/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/psk.h"
#include "sa/init_variant.h"
#include "sa/tasks/ike_auth.h"

/* AUTH of one round: ours is made, the peer's is checked (RFC 7296, 2.15; RFC 7427). */

/* The octets that one side authenticates: its first message, the other's nonce, its own SK_p. */
static struct psk_octets proof_octets(const struct ike_sa *sa, bool initiator)
{
	const struct ike_setup *s = sa->setup;

	return (struct psk_octets){
		.message = buf_bytes(initiator ? &s->init_request : &s->init_response),
		.nonce = secret_bytes(initiator ? &s->nr : &s->ni),
		.sk_p = bytes_of(initiator ? ike_keys_pi(&sa->keys) : ike_keys_pr(&sa->keys), sa->keys.p_len),
	};
}

static void proof_log_no_psk(struct ike_sa *sa, const struct task_ike_auth *t)
{
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "no shared key found for '%s' (myself) - '%s': add one to the secrets section",
	       id_text(&t->id_out).s, id_text(&t->id_in).s);
}

/* ---- ours ---- */

/* RFC 9593: it is what the connection says, and the peer may take it nevertheless. */
static void proof_log_unannounced(struct ike_sa *sa, unsigned method)
{
	const struct auth_methods *methods = sa->setup->announced.methods;
	struct buf theirs = { 0 };

	if (!auth_methods_say(methods) || auth_methods_find(methods, method, NULL, BYTES_NONE, NULL, 0) >= 0)
		return;
	auth_methods_format(&theirs, methods);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "%s takes %s (SUPPORTED_AUTH_METHODS), connection '%s' says %s: it may refuse us",
	       addr_format(&sa->remote).s, buf_str(&theirs), sa->conn->name, auth_method_name(method));
	buf_free(&theirs);
}

static enum outcome proof_psk(struct ike_sa *sa, struct task_ike_auth *t)
{
	const struct shared_secret *psk = config_find_psk(sa->ctx->config, &t->id_out, &t->id_in);
	struct psk_octets octets = proof_octets(sa, sa->initiator);
	uint8_t auth[PSK_AUTH_MAX];
	size_t n;

	if (!psk) {
		proof_log_no_psk(sa, t);
		return ike_auth_fatal(sa, CAUSE_AUTHENTICATION, "no shared key found for these identities",
				      NOTIFY_AUTHENTICATION_FAILED);
	}
	if (!result_is_ok(psk_auth(sa->ctx->crypto, sa->suite.prf, secret_bytes(&psk->data), &octets, &t->id_out, auth, &n)))
		return ike_auth_fatal(sa, CAUSE_CRYPTO, "AUTH could not be computed", NOTIFY_AUTHENTICATION_FAILED);
	t->method = AUTH_METHOD_SHARED_KEY;
	t->auth = bytes_of(arena_dup(&t->arena, auth, n), n);
	t->proof = true;
	secret_wipe(auth, sizeof(auth));
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "authentication of '%s' (myself) with pre-shared key", id_text(&t->id_out).s);
	proof_log_unannounced(sa, t->method);
	return OUTCOME_DONE;
}

enum outcome ike_auth_prove(struct ike_sa *sa, struct task_ike_auth *t)
{
	const struct conn_round *round = &sa->conn->local_rounds[t->n_proved++];
	const struct auth_announced *peer = &sa->setup->announced;
	struct sa_authentication *a;
	const char *why = "what is to be signed could not be computed";

	ike_auth_forget_proof(t);
	if (round->auth == CONN_AUTH_PSK)
		return proof_psk(sa, t);
	a = authentication_new(sa, AUTH_SIGN, round, &t->id_out);
	a->r.peer_hashes = peer->hashes;
	a->r.hash_and_url = peer->hash_and_url;
	a->r.certreq_seen = peer->certreq;
	a->r.certreq = bytes_of(arena_dup(&a->r.arena, peer->cas.p, peer->cas.n), peer->cas.n);
	a->r.methods = peer->methods ? arena_dup(&a->r.arena, peer->methods, sizeof(*peer->methods)) : NULL;
	a->r.ocsp_asked = peer->ocsp && (sa->conn->ocsp == CONN_OCSP_REPLY || sa->conn->ocsp == CONN_OCSP_BOTH);
	if (!authentication_octets(sa, a)) {
		authentication_free(a);
	} else if (authentication_submit(sa, a, &why)) {
		t->step = AUTH_STEP_PROVING;
		return OUTCOME_WAIT;
	}
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "authentication of '%s' (myself) failed: %s", id_text(&t->id_out).s, why);
	return ike_auth_fatal(sa, CAUSE_AUTHENTICATION, "we cannot authenticate ourselves", NOTIFY_AUTHENTICATION_FAILED);
}

/* "ECDSA_WITH_SHA256_DER", of AUTH data of ours or of a peer that was verified. */
static void proof_log_signature(struct ike_sa *sa, const struct id *id, bool myself, unsigned method, struct bytes auth)
{
	struct sig_scheme scheme;
	struct reader r = reader_of(auth);
	const char *name = auth_method_name(method);

	if (method == AUTH_METHOD_SIGNATURE &&
	    result_is_ok(sig_scheme_parse(reader_bytes(&r, reader_u8(&r)), &scheme)))
		name = sig_scheme_name(&scheme);
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "authentication of '%s'%s with %s successful", id_text(id).s,
	       myself ? " (myself)" : "", name);
}

enum outcome ike_auth_proved(struct ike_sa *sa, struct task_ike_auth *t, struct auth_request *r)
{
	t->step = AUTH_STEP_IDLE;
	if (!r || !r->ok) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "authentication of '%s' (myself) for connection '%s' failed: %s",
		       id_text(&t->id_out).s, sa->log.name, r ? r->why.s : "no signature in time");
		return ike_auth_fatal(sa, CAUSE_AUTHENTICATION, "we cannot authenticate ourselves",
				      NOTIFY_AUTHENTICATION_FAILED);
	}
	t->method = r->ret_method;
	t->auth = r->ret_auth;
	t->certs = r->ret_certs;
	t->n_certs = r->n_ret_certs;
	t->proof = true;
	if (r->how.s[0])
		LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "using %s", r->how.s);
	if (r->notice)
		LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "%s", r->notice);
	proof_log_signature(sa, &t->id_out, true, t->method, t->auth);
	t->arena = r->arena;
	r->arena = (struct arena){ 0 };
	return OUTCOME_DONE;
}

void ike_auth_put_certs(struct task_ike_auth *t, struct builder *b)
{
	for (size_t i = 0; i < t->n_certs; i++)
		builder_cert(b, false, t->certs[i].encoding, t->certs[i].data);
}

void ike_auth_put(struct task_ike_auth *t, struct builder *b)
{
	builder_auth(b, t->method, t->auth);
}

void ike_auth_forget_proof(struct task_ike_auth *t)
{
	t->proof = false;
	t->n_certs = 0;
	arena_free(&t->arena);
}

/* ---- the peer's ---- */

static enum outcome check_failed(struct ike_sa *sa)
{
	return ike_auth_fatal(sa, CAUSE_AUTHENTICATION, "the peer could not be authenticated", NOTIFY_AUTHENTICATION_FAILED);
}

/* The peer's MAC; the request it covers may be another one than that we saw (sa/init_variant.h). */
static bool check_mac(struct ike_sa *sa, struct task_ike_auth *t, struct bytes psk, struct bytes auth)
{
	struct psk_octets octets = proof_octets(sa, !sa->initiator);
	bool ok = psk_verify(sa->ctx->crypto, sa->suite.prf, psk, &octets, &t->id_in, auth);
	struct buf variant = { 0 };

	for (unsigned n = 0; !ok && !sa->initiator && n < INIT_VARIANTS && init_variant(sa, n, &variant); n++) {
		octets.message = buf_bytes(&variant);
		ok = psk_verify(sa->ctx->crypto, sa->suite.prf, psk, &octets, &t->id_in, auth);
	}
	buf_free(&variant);
	return ok;
}

static enum outcome check_psk(struct ike_sa *sa, struct task_ike_auth *t, const struct payload *p)
{
	const struct shared_secret *psk = config_find_psk(sa->ctx->config, &t->id_out, &t->id_in);

	if (!psk) {
		proof_log_no_psk(sa, t);
		return check_failed(sa);
	}
	if (!check_mac(sa, t, secret_bytes(&psk->data), p->auth.data)) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
		       "authentication of '%s' with pre-shared key failed: the MACs differ, so the two sides have different keys",
		       id_text(&t->id_in).s);
		return check_failed(sa);
	}
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "authentication of '%s' with pre-shared key successful", id_text(&t->id_in).s);
	return OUTCOME_DONE;
}

static void check_copy(struct sa_authentication *a, const struct payload *pauth, const struct payload_list *in)
{
	struct arena *arena = &a->r.arena;
	struct auth_cert *certs;
	size_t n = 0;

	a->r.method = pauth->auth.method;
	a->r.auth = bytes_of(arena_dup(arena, pauth->auth.data.p, pauth->auth.data.n), pauth->auth.data.n);
	for (const struct payload *p = NULL; (p = payload_find(in, PAYLOAD_CERT, p));)
		n++;
	certs = arena_array(arena, struct auth_cert, n + 1);
	for (const struct payload *p = NULL; (p = payload_find(in, PAYLOAD_CERT, p)); a->r.n_certs++)
		certs[a->r.n_certs] = (struct auth_cert){
			p->cert.encoding, bytes_of(arena_dup(arena, p->cert.data.p, p->cert.data.n), p->cert.data.n) };
	a->r.certs = certs;
}

/* Who may take the peer if sa->conn does not. */
static void check_add_others(struct ike_sa *sa, const struct task_ike_auth *t, const struct payload_list *in, struct auth_request *r)
{
	const struct conn *others[AUTH_OTHERS_MAX];
	size_t n = sa->initiator || !t->others ? 0 : ike_auth_others(sa, t, in, others);

	for (size_t i = 0; i < n; i++)
		r->others[r->n_others++] = (struct auth_other){ conn_ref(others[i]), &others[i]->remote_rounds[t->n_checked] };
}

static enum outcome check_signature(struct ike_sa *sa, struct task_ike_auth *t, const struct payload *p,
				    const struct payload_list *in)
{
	struct sa_authentication *a;
	const char *why = "what it signed could not be computed";

	/* RFC 7427 3 MUST: only if both sides have announced it */
	if (p->auth.method == AUTH_METHOD_SIGNATURE && !sa->setup->announced.hashes) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL,
		       "authentication of '%s' failed: it uses %s, but did not announce that (SIGNATURE_HASH_ALGORITHMS)",
		       id_text(&t->id_in).s, auth_method_name(p->auth.method));
		return check_failed(sa);
	}
	a = authentication_new(sa, AUTH_VERIFY, &sa->conn->remote_rounds[t->n_checked], &t->id_in);
	a->r.hash_and_url = sa->ctx->options.hash_and_url;
	check_copy(a, p, in);
	check_add_others(sa, t, in, &a->r);
	if (!authentication_octets(sa, a)) {
		authentication_free(a);
	} else if (authentication_submit(sa, a, &why)) {
		t->step = AUTH_STEP_CHECKING;
		return OUTCOME_WAIT;
	}
	LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "authentication of '%s' failed: %s", id_text(&t->id_in).s, why);
	return check_failed(sa);
}

enum outcome ike_auth_check(struct ike_sa *sa, struct task_ike_auth *t, const struct payload_list *in)
{
	const struct conn_round *round = &sa->conn->remote_rounds[t->n_checked];
	const struct payload *p = payload_find(in, PAYLOAD_AUTH, NULL);

	if (!ike_auth_fits(round, p->auth.method)) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "authentication of '%s' failed: it uses %s, connection '%s' wants auth = %s",
		       id_text(&t->id_in).s, auth_method_name(p->auth.method), sa->log.name, round->auth_text);
		return check_failed(sa);
	}
	return p->auth.method == AUTH_METHOD_SHARED_KEY ? check_psk(sa, t, p) : check_signature(sa, t, p, in);
}

/* Another connection took the peer than the one that was chosen by identities. */
static void check_switch(struct ike_sa *sa, struct task_ike_auth *t, const struct auth_request *r)
{
	LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "'%s' is not for connection '%s', selected connection '%s' (%s)", id_text(&t->id_in).s,
	       sa->log.name, r->conn->name, r->notice);
	ike_sa_set_conn(sa, r->conn);
	if (t->n_proved)
		return; /* its identity is ours already */
	id_free(&sa->local_id);
	sa->local_id = ike_auth_local_id(sa, &sa->conn->local_rounds[0]);
	id_free(&t->id_out);
	t->id_out = id_dup(&sa->local_id);
}

enum outcome ike_auth_checked(struct ike_sa *sa, struct task_ike_auth *t, struct auth_request *r)
{
	t->step = AUTH_STEP_IDLE;
	if (!r || !r->ok) {
		LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "authentication of '%s' (%s) for connection '%s' failed: %s",
		       id_text(&t->id_in).s, addr_format(&sa->remote).s, sa->log.name,
		       r ? r->why.s : "its certificates were not checked in time");
		if (r && r->notice)
			LOG_SA(&sa->log, IKE, LOG_LEVEL_CONTROL, "'%s' is not for other connections either: %s", id_text(&t->id_in).s,
			       r->notice);
		return check_failed(sa);
	}
	if (r->notice)
		check_switch(sa, t, r);
	chains_add(sa, r->chain);
	chains_add(sa, r->group_chain);
	if (r->how.s[0])
		LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "%s", r->how.s);
	if (r->group_how.s[0])
		LOG_SA(&sa->log, CFG, LOG_LEVEL_CONTROL, "'%s' is %s", id_text(&t->id_in).s, r->group_how.s);
	proof_log_signature(sa, &t->id_in, false, r->method, r->auth);
	return OUTCOME_DONE;
}
