/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include <openssl/x509.h>

#include "crypto/acert.h"

/* Whose an attribute certificate is, and how it is called in logs. */

static bool holder_is_certificate(const struct acert *a, const struct cert *c)
{
	/* a serial number below 0 has the digits of another one */
	return a->holder_issuer_hash == c->issuer_hash && bytes_equal(a->holder_serial, c->serial) &&
	       ASN1_STRING_type(X509_get0_serialNumber(c->x509)) != V_ASN1_NEG_INTEGER && id_equal(&a->holder_issuer, &c->issuer);
}

bool acert_is_of(const struct acert *a, const struct cert *holder)
{
	if (!id_is_any(&a->holder_issuer) && !holder_is_certificate(a, holder))
		return false;
	for (size_t i = 0; i < a->n_holder_names; i++)
		if (!cert_match_id(holder, &a->holder_names[i]))
			return false;
	return !id_is_any(&a->holder_issuer) || a->n_holder_names > 0;
}

static void serial_format(struct buf *out, struct bytes serial)
{
	if (!serial.n)
		buf_add_str(out, "00");
	for (size_t i = 0; i < serial.n && i < 20; i++)
		buf_printf(out, "%s%02x", i ? ":" : "", serial.p[i]);
}

/* Its first name, else the issuer and serial number of its certificate. */
static void acert_holder_format(struct buf *out, const struct acert *a)
{
	for (size_t i = 0; i < a->n_holder_names; i++) {
		if (id_is_any(&a->holder_names[i]))
			continue;
		buf_printf(out, "'%.150s'", id_text(&a->holder_names[i]).s);
		return;
	}
	if (id_is_any(&a->holder_issuer)) {
		buf_add_str(out, "an unknown kind of name");
		return;
	}
	buf_printf(out, "certificate ");
	serial_format(out, a->holder_serial);
	buf_printf(out, " of '%.150s'", id_text(&a->holder_issuer).s);
}

struct cert_text acert_text(const struct acert *a)
{
	struct buf out = { 0 };
	struct cert_text text;

	buf_add_str(&out, "of ");
	acert_holder_format(&out, a);
	buf_printf(&out, " (issuer '%.120s', serial ", id_text(&a->issuer).s);
	serial_format(&out, a->serial);
	snprintf(text.s, sizeof(text.s), "%s)", buf_str(&out));
	buf_free(&out);
	return text;
}
