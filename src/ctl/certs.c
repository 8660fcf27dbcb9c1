/* SPDX-License-Identifier: Apache-2.0 */
/* list-certs */
#include "ctl/certs.h"

#include <stdlib.h>

#include <openssl/evp.h>

#include "util/mem.h"

/* What one event is about. */
static const struct kind {
	const char *type, *flag; /* flag NULL: any */
	const char *heading, *pem;
} kinds[] = {
	{ "X509", "CA", "X.509 CA Certificates", "CERTIFICATE" },
	{ "X509", "AA", "X.509 AA Certificates", "CERTIFICATE" },
	{ "X509", "OCSP", "X.509 OCSP Signer Certificates", "CERTIFICATE" },
	{ "X509", NULL, "X.509 End Entity Certificates", "CERTIFICATE" },
	{ "X509_AC", NULL, "X.509 Attribute Certificates", "ATTRIBUTE CERTIFICATE" },
	{ "X509_CRL", NULL, "X.509 CRLs", "X509 CRL" },
	{ "OCSP_RESPONSE", NULL, "OCSP responses", "OCSP RESPONSE" },
	{ "PUBKEY", NULL, "Raw Public Keys", "PUBLIC KEY" },
};

/* Events come one by one; the heading is printed when the kind changes. */
struct listing {
	struct ctl *ctl;
	struct cert_style style;
	const struct kind *last;
};

static const struct kind *kind_of(struct bytes message)
{
	const char *type = ctl_text(message, "type"), *flag = ctl_text(message, "flag");

	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (strcmp(type, kinds[i].type) == 0 && (!kinds[i].flag || strcmp(flag, kinds[i].flag) == 0))
			return &kinds[i];
	}
	return NULL;
}

static void put_pem(const struct kind *kind, struct bytes der)
{
	char line[65];

	printf("-----BEGIN %s-----\n", kind->pem);
	for (size_t at = 0; at < der.n; at += 48) {
		int n = der.n - at < 48 ? (int)(der.n - at) : 48;

		EVP_EncodeBlock((unsigned char *)line, der.p + at, n);
		puts(line);
	}
	printf("-----END %s-----\n", kind->pem);
}

static void put_kind(const struct cert_style *style, const struct kind *kind, struct bytes message, struct bytes der)
{
	struct cert_extras extras = {
		.has_key = vici_find_bool(message, "has_privkey", false),
		.subject = ctl_text(message, "subject"),
		.not_before = ctl_text(message, "not-before"),
		.not_after = ctl_text(message, "not-after"),
	};

	putchar('\n');
	if (strcmp(kind->type, "X509") == 0)
		put_x509(style, der, &extras);
	else if (strcmp(kind->type, "PUBKEY") == 0)
		put_pubkey(style, der, &extras);
	else if (strcmp(kind->type, "X509_CRL") == 0)
		put_crl(style, der);
	else if (strcmp(kind->type, "OCSP_RESPONSE") == 0)
		put_ocsp(style, der);
	else if (strcmp(kind->type, "X509_AC") == 0)
		put_acert(style, der);
}

static struct listing listing;

static void cert_event(void *arg, const char *event, const struct bewick_vici_message *m)
{
	struct bytes message = ctl_bytes(m), der;
	const struct kind *kind;

	if (ctl_raw_event(arg, event, message))
		return;
	kind = kind_of(message);
	if (!kind || !vici_find(message, VICI_KEY_VALUE, "data", &der)) {
		fprintf(stderr, "the daemon listed something that is no known kind of certificate: '%s'\n",
			ctl_text(message, "type"));
		return;
	}
	if (listing.style.pem) {
		put_pem(kind, der);
		return;
	}
	if (kind != listing.last)
		printf("\nList of %s\n", kind->heading);
	listing.last = kind;
	put_kind(&listing.style, kind, message, der);
}

int run_list_certs(struct ctl *ctl)
{
	struct bewick_vici_message *m = bewick_vici_message_new();

	listing = (struct listing){ .ctl = ctl };
	listing.style = (struct cert_style){ ctl_flag(ctl, "pem"), ctl_flag(ctl, "short"), ctl_flag(ctl, "utc") };
	ctl_add_opt(ctl, m, "type");
	ctl_add_opt(ctl, m, "flag");
	ctl_add_opt(ctl, m, "subject");
	return ctl_stream(ctl, "list-certs", "list-cert", cert_event, m);
}
