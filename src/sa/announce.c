/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "sa/announce_inside.h"

/* What both sides say in the first messages, so that each can choose how to authenticate. */

#define CA_HASH_LEN 20         /* RFC 7296, 3.7: SHA-1 of the CA's SubjectPublicKeyInfo */

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

/* RFC 9593, 3.1: several notifies are one list. */
static void announced_take_methods(struct auth_announced *a, struct bytes data)
{
	if (!a->methods)
		a->methods = xcalloc(1, sizeof(*a->methods));
	auth_methods_take(a->methods, data);
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
		else if (p->notify.type == NOTIFY_MULTIPLE_AUTH_SUPPORTED && sa->ctx->options.multiple_authentication)
			a->multiple = true;
	}
}

void announced_clear(struct auth_announced *a)
{
	buf_free(&a->cas);
	free(a->methods);
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
static unsigned announce_any_hashes(const struct announce_conns *conns)
{
	unsigned hashes = 0;

	for (size_t i = 0; i < conns->n; i++)
		hashes |= announce_conn_hashes(conns->conns[i]);
	return conns->more ? SIG_HASHES : hashes;
}

/* RFC 7427, 4: hashes that we verify signatures with; RFC 8420 3 MUST NOT: "Identity" where no key of Edwards curves is allowed. */
static void announce_hashes(const struct announce_conns *conns, struct builder *b)
{
	unsigned hashes = announce_any_hashes(conns);
	uint8_t data[32];
	struct writer w = writer_of(data, sizeof(data));

	if (!hashes)
		hashes = SIG_HASHES;
	for (unsigned hash = 1; hash < 16; hash++)
		if (hashes & HASH_BIT(hash))
			writer_u16(&w, (uint16_t)hash);
	builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_SIGNATURE_HASH_ALGORITHMS, writer_done(&w));
}

static bool announce_raw_keys(const struct conn *conn)
{
	for (size_t i = 0; i < conn->n_remote_rounds; i++)
		if (conn->remote_rounds[i].n_pubkeys)
			return true;
	return false;
}

/* The CAs that the peer may have its certificate of, and all that belongs to them. */
static void announce_cas(struct ike_sa *sa, const struct announce_conns *conns, struct builder *b)
{
	struct buf cas = { 0 };
	bool ocsp = false, raw = false, any = false;

	for (size_t i = 0; i < conns->n; i++) {
		const struct conn *conn = conns->conns[i];

		if (!announce_signs(conn->remote_rounds, conn->n_remote_rounds))
			continue;
		any = true;
		if (!conn->send_certreq)
			continue;
		auth_certreq(sa->ctx->config, conn, &cas);
		ocsp |= conn->ocsp == CONN_OCSP_REQUEST || conn->ocsp == CONN_OCSP_BOTH;
		raw |= announce_raw_keys(conn);
	}
	if (cas.n) {
		if (sa->ctx->options.hash_and_url)
			builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_HTTP_CERT_LOOKUP_SUPPORTED, BYTES_NONE);
		builder_cert(b, true, CERT_X509_SIGNATURE, buf_bytes(&cas));
		/* RFC 4806, 3: an empty list leaves the choice of OCSP responders to the peer */
		if (ocsp)
			builder_cert(b, true, CERT_OCSP_CONTENT, BYTES_NONE);
	}
	buf_free(&cas);
	if (raw)
		builder_cert(b, true, CERT_RAW_PUBLIC_KEY, BYTES_NONE); /* RFC 7670 3 MUST: without a CA */
	/* RFC 7427 3: both have said that they have method 14, so it is used */
	if (any)
		announce_methods(conns, sa->ctx->options.signature_authentication && sa->setup->announced.hashes, b);
}

/* Who the peer is is not known yet: all that it may be. */
static struct announce_conns announce_any(struct ike_sa *sa)
{
	const struct config *config = sa->ctx->config;
	struct announce_conns conns = { .n = 0 };
	const struct conn *conn;

	for (size_t rank = 0; (conn = config_match_addrs(config, &sa->local, &sa->remote, rank)); rank++) {
		if (conns.n == ANNOUNCE_CONNS) {
			conns.more = true;
			break;
		}
		conns.conns[conns.n++] = conn;
	}
	return conns;
}

void announce_init(struct ike_sa *sa, struct builder *b)
{
	struct announce_conns conns = { .n = 1, .conns = { sa->conn } };

	if (sa->initiator) {
		if (sa->ctx->options.signature_authentication &&
		    (announce_signs(sa->conn->local_rounds, sa->conn->n_local_rounds) ||
		     announce_signs(sa->conn->remote_rounds, sa->conn->n_remote_rounds)))
			announce_hashes(&conns, b);
		return;
	}
	if (sa->setup->announced.hashes || sa->ctx->config->creds->n_certs || sa->ctx->config->creds->n_authorities)
		conns = announce_any(sa);
	/* RFC 7427, 4: both sides send it; who did not is not able to use the answer */
	if (sa->setup->announced.hashes)
		announce_hashes(&conns, b);
	announce_cas(sa, &conns, b);
	if (sa->ctx->options.multiple_authentication)
		builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_MULTIPLE_AUTH_SUPPORTED, BYTES_NONE);
}

void announce_certreq(struct ike_sa *sa, struct builder *b)
{
	const struct announce_conns conns = { .n = 1, .conns = { sa->conn } };

	announce_cas(sa, &conns, b);
}
