/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_CTL_CERTS_H
#define BEWICK_CTL_CERTS_H

#include "ctl/ctl.h"

/* How list-certs shows what the daemon has. */
struct cert_style {
	bool pem, brief, utc;
};

int run_list_certs(struct ctl *ctl);

/* ---- certs_text.c: each prints the lines of one, or that it cannot be read */
struct cert_extras {
	bool has_key;
	const char *subject, *not_before, *not_after; /* of a raw key; "" not told */
};
void put_x509(const struct cert_style *style, struct bytes der, const struct cert_extras *extras);
void put_pubkey(const struct cert_style *style, struct bytes der, const struct cert_extras *extras);

/* ---- certs_status.c */
void put_crl(const struct cert_style *style, struct bytes der);
void put_ocsp(const struct cert_style *style, struct bytes der);

/* ---- certs_attributes.c */
void put_acert(const struct cert_style *style, struct bytes der);

/* ---- certs_fields.c */
/* X509_NAME, ASN1_TIME and so on are OpenSSL's. */
void put_dn(const char *label, const void *x509_name);
void put_hex(const char *label, const uint8_t *p, size_t n);
void put_serial(const char *label, const void *asn1_integer);
/* "Nov 21 01:58:43 2026"; false: it is no time. */
bool time_text(const void *asn1_time, bool utc, char *ret, size_t n, int64_t *ret_at);
/* The two lines of a span of time, as what it is for at present. */
void put_span(const struct cert_style *style, const char *label, const char *from, const char *to, const void *asn1_begin,
	      const void *asn1_end);

#endif
