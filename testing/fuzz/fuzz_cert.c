/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: a letter that says what follows.
 *   c  a certificate, DER or PEM
 *   r  a CRL
 *   a  an attribute certificate, DER or PEM
 *   t  certificates, each after two octets of length: a trust anchor, and what a peer sends
 * What is accepted prints and is what it says; a chain that is trusted is one. The unit tests replay the corpus.
 */
#include <stdlib.h>

#include "auth/trust.h"
#include "crypto/acert.h"
#include "fuzz.h"
#include "proto/limits.h"
#include "util/reader.h"

#define NOW INT64_C(1790000000)

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void require_printable(struct bytes text)
{
	for (size_t i = 0; i < text.n; i++)
		require(text.p[i] >= 0x20 && text.p[i] != 0x7f);
}

static void cert_try(struct bytes data)
{
	struct errtext err = { "" };
	struct cert *c = cert_parse(data, &err), *again;
	struct buf names = { NULL, 0, 0 };

	if (!c) {
		require(err.s[0] != '\0');
		return;
	}
	require_printable(bytes_str(cert_text(c).s));
	cert_names_format(&names, c);
	require_printable(buf_bytes(&names));
	buf_free(&names);
	for (size_t i = 0; i < c->n_names; i++)
		require(c->names[i].data.n > 0 && cert_match_id(c, &c->names[i]) == ID_MATCH_PERFECT);
	for (size_t i = 0; i < c->n_crl_uris; i++)
		require_printable(bytes_str(c->crl_uris[i]));
	require(!cert_is_signed_by(c, c) || public_key_equal(c->key, c->key));
	again = cert_parse(c->der, &err);
	require(again && cert_equal(again, c) && again->subject_hash == c->subject_hash);
	cert_unref(again);
	cert_unref(c);
}

/* What is read of an attribute certificate prints, is itself when it is read again, and is nobody's that it does not name. */
static void acert_try(struct bytes data)
{
	struct errtext err = { "" };
	struct acert *ac = acert_parse(data, &err), *again;

	if (!ac) {
		require(err.s[0] != '\0');
		return;
	}
	require_printable(bytes_str(acert_text(ac).s));
	for (size_t i = 0; i < ac->n_groups; i++)
		require(ac->groups[i][0] != '\0' && !strpbrk(ac->groups[i], "\n\r\t\x7f"));
	require(ac->serial.n > 0 && ac->issuer.data.n > 2 && ac->n_groups <= LIMIT_ACERT_GROUPS);
	require(!id_is_any(&ac->holder_issuer) || ac->n_holder_names > 0);
	require(ac->revocable && ac->revocable->attributes && bytes_equal(ac->revocable->serial, ac->serial));
	require(!ac->never_revoked || ac->revocable->n_crl_uris + ac->revocable->n_ocsp_uris == 0);
	again = acert_parse(ac->der, &err);
	require(again && acert_equal(again, ac) && again->n_groups == ac->n_groups);
	acert_unref(again);
	acert_unref(ac);
}

static void crl_try(struct bytes data)
{
	struct errtext err = { "" };
	struct crl *c = crl_parse(data, &err);

	if (!c) {
		require(err.s[0] != '\0');
		return;
	}
	require(!crl_is_newer(c, c));
	crl_unref(c);
}

/* ---- chains */

static struct cert *cert_take(struct reader *r)
{
	size_t n = reader_u16(r);
	struct bytes der = reader_bytes(r, n);
	struct errtext err;

	return reader_ok(r) && der.n ? cert_parse(der, &err) : NULL;
}

static void chain_require(const struct trust_chain *chain, const struct cert *anchor)
{
	require(chain->n >= 1 && chain->n <= TRUST_CHAIN_MAX && cert_equal(chain->certs[chain->n - 1], anchor));
	for (size_t i = 0; i + 1 < chain->n; i++)
		require(cert_is_signed_by(chain->certs[i], chain->certs[i + 1]) && chain->certs[i + 1]->ca);
}

static void chain_try(struct bytes data)
{
	struct conn_round round = { .auth_text = "pubkey" };
	struct trust_input in = { .round = &round, .now = NOW, .skew = 60, .enforce_critical = true };
	struct reader r = reader_of(data);
	struct cert *anchor = cert_take(&r), *peer[TRUST_PEER_CERTS];
	struct creds_set *set = creds_set_new();
	struct errtext err = { "" };
	struct credentials *creds;
	struct trust_chain *chain;

	in.certs = peer;
	while (anchor && in.n_certs < TRUST_PEER_CERTS && reader_left(&r)) {
		peer[in.n_certs] = cert_take(&r);
		in.n_certs += peer[in.n_certs] != NULL;
	}
	if (anchor)
		(void)creds_set_add_cert(set, cert_ref(anchor), CERT_FLAG_CA);
	creds = creds_set_snapshot(set);
	in.creds = creds;
	in.id = in.n_certs ? &peer[0]->subject : NULL;
	if (in.n_certs) {
		chain = trust_check(&in, &err);
		require(chain || err.s[0] != '\0');
		if (chain && anchor->ca)
			chain_require(chain, anchor);
		trust_chain_unref(chain);
	}
	while (in.n_certs)
		cert_unref(peer[--in.n_certs]);
	cert_unref(anchor);
	credentials_unref(creds);
	creds_set_free(set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes rest;
	uint8_t *copy;

	if (!size || size > 65536)
		return 0;
	copy = malloc(size); /* of the exact size, so that over-reads show */
	require(copy != NULL);
	memcpy(copy, data, size);
	rest = bytes_of(copy + 1, size - 1);
	if (copy[0] == 'c')
		cert_try(rest);
	else if (copy[0] == 'r')
		crl_try(rest);
	else if (copy[0] == 'a')
		acert_try(rest);
	else if (copy[0] == 't')
		chain_try(rest);
	free(copy);
	return 0;
}
