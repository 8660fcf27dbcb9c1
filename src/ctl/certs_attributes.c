/* SPDX-License-Identifier: Apache-2.0 */
/* Attribute certificates. OpenSSL does not know them: they are read as the daemon does. */
#include "ctl/certs.h"

#include <openssl/asn1.h>

#include "crypto/acert.h"

static void put_id(const char *label, const struct id *id)
{
	struct buf text = { 0 };

	id_format(&text, id);
	printf("  %s \"%s\"\n", label, buf_str(&text));
	buf_free(&text);
}

void put_acert(const struct cert_style *style, struct bytes der)
{
	struct errtext why;
	struct acert *ac = acert_parse(der, &why);
	ASN1_TIME *begin, *end;

	if (!ac) {
		printf("  (cannot be read: %s)\n", why.s);
		return;
	}
	for (size_t i = 0; i < ac->n_holder_names; i++)
		put_id("subject: ", &ac->holder_names[i]);
	put_id("issuer:  ", &ac->issuer);
	begin = ASN1_TIME_set(NULL, ac->not_before);
	end = ASN1_TIME_set(NULL, ac->not_after);
	put_span(style, "validity:  ", "not before ", " not after  ", begin, end);
	ASN1_TIME_free(begin);
	ASN1_TIME_free(end);
	put_hex("serial:   ", ac->serial.p, ac->serial.n);
	if (!id_is_any(&ac->holder_issuer)) {
		put_id("hissuer: ", &ac->holder_issuer);
		put_hex("hserial:  ", ac->holder_serial.p, ac->holder_serial.n);
	}
	for (size_t i = 0; i < ac->n_groups; i++)
		printf("  %s %s\n", i ? "          " : "groups:   ", ac->groups[i]);
	if (ac->authority_key_id.n)
		put_hex("authkey: ", ac->authority_key_id.p, ac->authority_key_id.n);
	acert_unref(ac);
}
