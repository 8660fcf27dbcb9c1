/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/kept_chain.h"

#include <stdlib.h>
#include <string.h>

#include "auth/revocation.h"
#include "crypto/der.h"
#include "util/mem.h"

struct kept_chain {
	uint32_t der_n;
	uint16_t n_cas;
	struct cert *parsed; /* a reference, of what is no certificate of a peer's but of an attribute certificate; NULL: there is its DER */
	struct cert *cas[]; /* references, the issuer of the former first; then the DER */
};

static uint8_t *kept_der(const struct kept_chain *k)
{
	return (uint8_t *)(uintptr_t)(k->cas + k->n_cas);
}

struct kept_chain *kept_chain_new(const struct trust_chain *c)
{
	size_t n_cas = c->n - 1;
	bool parsed = !c->certs[0]->key;
	struct bytes der = parsed ? BYTES_NONE : c->certs[0]->der;
	struct kept_chain *k = xmalloc(sizeof(*k) + n_cas * sizeof(struct cert *) + der.n);

	k->der_n = (uint32_t)der.n;
	k->n_cas = (uint16_t)n_cas;
	k->parsed = parsed ? cert_ref(c->certs[0]) : NULL;
	for (size_t i = 0; i < n_cas; i++)
		k->cas[i] = cert_ref(c->certs[i + 1]);
	if (der.n)
		memcpy(kept_der(k), der.p, der.n);
	return k;
}

void kept_chain_free(struct kept_chain *k)
{
	if (!k)
		return;
	for (size_t i = 0; i < k->n_cas; i++)
		cert_unref(k->cas[i]);
	cert_unref(k->parsed);
	free(k);
}

/* A reference. */
static struct cert *kept_cert(const struct kept_chain *k)
{
	struct errtext ignored;

	if (k->parsed)
		return cert_ref(k->parsed);
	return cert_parse(bytes_of(kept_der(k), k->der_n), &ignored);
}

/* The whole element of serialNumber (RFC 5280, 4.1). */
static struct bytes kept_serial(const struct kept_chain *k)
{
	struct reader all = reader_of(bytes_of(kept_der(k), k->der_n));
	struct reader cert = der_enter(&all, DER_SEQUENCE), tbs = der_enter(&cert, DER_SEQUENCE);

	if (der_next_is(&tbs, DER_CONTEXT(0)))
		(void)der_element(&tbs);
	return der_element(&tbs);
}

/* What is on no list needs no parsing: that is nearly every certificate, and all are asked for at once. */
static bool kept_cert_revoked_by(const struct kept_chain *k, const struct crl *crl)
{
	struct cert *cert;
	bool is;

	if (!k->n_cas || !id_equal(&k->cas[0]->subject, &crl->issuer))
		return false;
	if (!k->parsed && !crl_has_entry(crl, kept_serial(k)))
		return false;
	cert = kept_cert(k);
	is = cert && crl_says_revoked(crl, cert, k->cas[0]);
	cert_unref(cert);
	return is;
}

bool kept_chain_revoked_by(const struct kept_chain *k, const struct crl *crl)
{
	for (size_t i = 0; i + 1 < k->n_cas; i++)
		if (crl_says_revoked(crl, k->cas[i], k->cas[i + 1]))
			return true;
	return kept_cert_revoked_by(k, crl);
}

size_t kept_chain_length(const struct kept_chain *k)
{
	return k->n_cas + 1u;
}

struct cert_text kept_chain_text(const struct kept_chain *k)
{
	struct cert *cert = kept_cert(k);
	struct cert_text text = { "?" };

	if (cert)
		text = cert_text(cert);
	cert_unref(cert);
	return text;
}
