/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth_identity.h"

static bool identity_is_subject(const struct credentials *creds, const struct cert *c, const struct id *id)
{
	return id_equal(&c->subject, id) && credentials_key(creds, c->key->id);
}

/* RFC 4945 3.1.5 MUST: a binary comparison of ID and Subject succeeds */
const struct id *auth_identity_as_certified(const struct config *config, const struct conn_round *round)
{
	const struct credentials *creds = config->creds;

	if (round->id.type != ID_TYPE_DER_ASN1_DN || round->auth == CONN_AUTH_PSK)
		return &round->id;
	for (size_t i = 0; i < round->n_certs; i++)
		if (identity_is_subject(creds, round->certs[i], &round->id))
			return &round->certs[i]->subject;
	for (size_t i = 0; round->n_certs == 0 && i < creds->n_certs; i++)
		if (creds->certs[i].flag == CERT_FLAG_NONE && identity_is_subject(creds, creds->certs[i].cert, &round->id))
			return &creds->certs[i].cert->subject;
	return &round->id;
}
