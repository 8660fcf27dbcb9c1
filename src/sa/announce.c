/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/authentication.h"

/* What both sides say in the first messages, so that each can choose how to authenticate. */

#define CA_HASH_LEN 20         /* RFC 7296, 3.7: SHA-1 of the CA's SubjectPublicKeyInfo */
#define ANNOUNCE_CONNS 32      /* of those that fit the addresses: for the CAs to ask for */
#define ANNOUNCE_METHODS_MAX 512

/* ---- what the peer says ---- */

static void announced_take_hashes(struct auth_announced *a, struct bytes data)
{
	struct reader r = reader_of(data);

	a->hashes = HASH_BIT(0); /* it has RFC 7427, whatever it names */
	while (reader_left(&r) >= 2) {
		unsigned hash = reader_u16(&r);

		if (hash > 0 && hash < 16)
			a->hashes |= (uint16_t)HASH_BIT(hash);
	}
}

/* RFC 9593, 3.2: announcements of a length, a method and more that depends on it. */
static void announced_take_methods(struct auth_announced *a, struct bytes data)
{
	struct reader r = reader_of(data);

	while (reader_left(&r) >= 2) {
		unsigned len = reader_u8(&r), method = reader_u8(&r);

		if (len < 2)
			return;
		reader_skip(&r, len - 2);
		if (reader_ok(&r) && method < 32)
			a->methods |= 1u << method;
	}
}

static void announced_take_certreq(struct auth_announced *a, const struct payload_cert *req)
{
	if (req->encoding == CERT_OCSP_CONTENT)
		a->ocsp = true;
	if (req->encoding == CERT_X509_SIGNATURE || req->encoding == CERT_RAW_PUBLIC_KEY)
		a->certreq = true;
	if (req->encoding == CERT_X509_SIGNATURE && req->data.n % CA_HASH_LEN == 0)
		buf_add_bytes(&a->cas, req->data);
}

void announced_take(struct ike_sa *sa, const struct payload_list *in)
{
	struct auth_announced *a = &sa->setup->announced;

	for (size_t i = 0; i < in->count; i++) {
		const struct payload *p = &in->p[i];

		if (p->type == PAYLOAD_CERTREQ)
			announced_take_certreq(a, &p->cert);
		if (p->type != PAYLOAD_NOTIFY)
			continue;
		if (p->notify.type == NOTIFY_SIGNATURE_HASH_ALGORITHMS && sa->ctx->options.signature_authentication)
			announced_take_hashes(a, p->notify.data);
		else if (p->notify.type == NOTIFY_SUPPORTED_AUTH_METHODS)
			announced_take_methods(a, p->notify.data);
		else if (p->notify.type == NOTIFY_HTTP_CERT_LOOKUP_SUPPORTED)
			a->hash_and_url = true;
		else if (p->notify.type == NOTIFY_MULTIPLE_AUTH_SUPPORTED)
			a->multiple = true;
	}
}

void announced_clear(struct auth_announced *a)
{
	buf_free(&a->cas);
	*a = (struct auth_announced){ 0 };
}

/* ---- what we say ---- */

static bool announce_signs(const struct conn_round *rounds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (rounds[i].auth != CONN_AUTH_PSK)
			return true;
	return false;
}

static unsigned announce_rule_hashes(const struct key_rule *rule)
{
	unsigned identity = HASH_BIT(HASH_IDENTITY), able = SIG_HASHES;

	if (rule->type == KEY_ED25519 || rule->type == KEY_ED448)
		able = identity;
	else if (rule->type != KEY_ANY)
		able &= ~identity;
	return rule->hashes ? able & rule->hashes : able;
}

/* 0: the peer signs nothing there. */
static unsigned announce_conn_hashes(const struct conn *conn)
{
	unsigned hashes = 0;

	for (size_t i = 0; i < conn->n_remote_rounds; i++) {
		const struct conn_round *round = &conn->remote_rounds[i];

		if (round->auth == CONN_AUTH_PSK)
			continue;
		if (!round->rules.n_ike)
			return SIG_HASHES;
		for (size_t k = 0; k < round->rules.n_ike; k++)
			hashes |= announce_rule_hashes(&round->rules.ike[k]);
	}
	return hashes;
}

/* Of all connections that it may come to be; 0: that says nothing. */
static unsigned announce_any_hashes(struct ike_sa *sa)
{
	const struct conn *conn;
	unsigned hashes = 0;

	for (size_t rank = 0; rank < ANNOUNCE_CONNS && hashes != SIG_HASHES; rank++) {
		conn = config_match_addrs(sa->ctx->config, &sa->local, &sa->remote, rank);
		if (!conn)
			return hashes;
		hashes |= announce_conn_hashes(conn);
	}
	return SIG_HASHES;
}

/* RFC 7427, 4: hashes that we verify signatures with; RFC 8420 3 MUST NOT: "Identity" where no key of Edwards curves is allowed. */
static void announce_hashes(struct ike_sa *sa, struct builder *b)
{
	unsigned hashes = sa->initiator ? announce_conn_hashes(sa->conn) : announce_any_hashes(sa);
	uint8_t data[32];
	struct writer w = writer_of(data, sizeof(data));

	if (!hashes)
		hashes = SIG_HASHES;
	for (unsigned hash = 1; hash < 16; hash++)
		if (hashes & HASH_BIT(hash))
			writer_u16(&w, (uint16_t)hash);
	builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_SIGNATURE_HASH_ALGORITHMS, writer_done(&w));
}

/* One announcement of RFC 9593; Cert Link 0: with any CA. */
static void announce_scheme(struct writer *w, unsigned kind, unsigned hash)
{
	struct sig_scheme s = { (uint8_t)kind, (uint8_t)hash, 0 };
	struct bytes der;

	if (kind == SIG_RSA_PSS)
		s.salt_len = hash == HASH_SHA2_256 ? 32 : hash == HASH_SHA2_384 ? 48 : 64;
	der = sig_scheme_der(&s);
	if (!der.n || der.n > UINT8_MAX - 3)
		return;
	writer_u8(w, (uint8_t)(3 + der.n));
	writer_u8(w, AUTH_METHOD_SIGNATURE);
	writer_u8(w, 0);
	writer_bytes(w, der);
}

/* RFC 9593, 3: the methods that the peer may authenticate with, the best first. */
static void announce_methods(const struct conn *conn, bool rfc7427, struct builder *b)
{
	static const uint8_t hashes[] = { HASH_SHA2_256, HASH_SHA2_384, HASH_SHA2_512 };
	static const uint8_t kinds[] = { SIG_ECDSA, SIG_RSA_PSS, SIG_RSA_PKCS1 };
	static const uint8_t classic[] = { AUTH_METHOD_ECDSA_256, AUTH_METHOD_ECDSA_384, AUTH_METHOD_ECDSA_521, AUTH_METHOD_RSA };
	uint8_t data[ANNOUNCE_METHODS_MAX];
	struct writer w = writer_of(data, sizeof(data));
	bool psk = false;

	for (size_t i = 0; i < conn->n_remote_rounds; i++)
		psk |= conn->remote_rounds[i].auth != CONN_AUTH_PUBKEY;
	if (rfc7427) {
		announce_scheme(&w, SIG_ED25519, HASH_IDENTITY);
		announce_scheme(&w, SIG_ED448, HASH_IDENTITY);
	}
	for (size_t k = 0; rfc7427 && k < ARRAY_LEN(kinds); k++)
		for (size_t h = 0; h < ARRAY_LEN(hashes); h++)
			announce_scheme(&w, kinds[k], hashes[h]);
	for (size_t i = 0; i < ARRAY_LEN(classic); i++) {
		writer_u8(&w, 3);
		writer_u8(&w, classic[i]);
		writer_u8(&w, 0);
	}
	if (psk) {
		writer_u8(&w, 2);
		writer_u8(&w, AUTH_METHOD_SHARED_KEY);
	}
	if (writer_ok(&w))
		builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_SUPPORTED_AUTH_METHODS, writer_done(&w));
}

static bool announce_raw_keys(const struct conn *conn)
{
	for (size_t i = 0; i < conn->n_remote_rounds; i++)
		if (conn->remote_rounds[i].n_pubkeys)
			return true;
	return false;
}

/* The CAs that the peer may have its certificate of, and all that belongs to them. False: none are asked for. */
static bool announce_cas(struct ike_sa *sa, const struct conn *conn, struct builder *b)
{
	struct buf cas = { 0 };

	if (!announce_signs(conn->remote_rounds, conn->n_remote_rounds))
		return false;
	if (conn->send_certreq)
		auth_certreq(sa->ctx->config, conn, &cas);
	if (cas.n) {
		if (sa->ctx->options.hash_and_url)
			builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_HTTP_CERT_LOOKUP_SUPPORTED, BYTES_NONE);
		builder_cert(b, true, CERT_X509_SIGNATURE, buf_bytes(&cas));
		/* RFC 4806, 3: an empty list leaves the choice of OCSP responders to the peer */
		if (conn->ocsp == CONN_OCSP_REQUEST || conn->ocsp == CONN_OCSP_BOTH)
			builder_cert(b, true, CERT_OCSP_CONTENT, BYTES_NONE);
	}
	buf_free(&cas);
	if (conn->send_certreq && announce_raw_keys(conn))
		builder_cert(b, true, CERT_RAW_PUBLIC_KEY, BYTES_NONE); /* RFC 7670 3 MUST: without a CA */
	announce_methods(conn, sa->ctx->options.signature_authentication, b);
	return true;
}

/* Who the peer is is not known yet: of the connections that fit the addresses, the first that asks. */
static void announce_any_cas(struct ike_sa *sa, struct builder *b)
{
	const struct conn *conn;

	if (!sa->ctx->config->creds->n_certs && !sa->ctx->config->creds->n_authorities) {
		(void)announce_cas(sa, sa->conn, b);
		return;
	}
	for (size_t rank = 0; rank < ANNOUNCE_CONNS; rank++) {
		conn = config_match_addrs(sa->ctx->config, &sa->local, &sa->remote, rank);
		if (!conn || announce_cas(sa, conn, b))
			return;
	}
}

void announce_init(struct ike_sa *sa, struct builder *b)
{
	if (sa->initiator) {
		if (sa->ctx->options.signature_authentication &&
		    (announce_signs(sa->conn->local_rounds, sa->conn->n_local_rounds) ||
		     announce_signs(sa->conn->remote_rounds, sa->conn->n_remote_rounds)))
			announce_hashes(sa, b);
		return;
	}
	/* RFC 7427, 4: both sides send it; who did not is not able to use the answer */
	if (sa->setup->announced.hashes)
		announce_hashes(sa, b);
	announce_any_cas(sa, b);
	builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_MULTIPLE_AUTH_SUPPORTED, BYTES_NONE);
}

void announce_certreq(struct ike_sa *sa, struct builder *b)
{
	(void)announce_cas(sa, sa->conn, b);
}
