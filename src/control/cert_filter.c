/* SPDX-License-Identifier: Apache-2.0 */
#include "control/internal.h"

/* The words for kinds of certificates: VICI's own and swanctl's. */

static const struct {
	const char *word;
	struct cert_filter filter;
} kinds[] = {
	{ "X509", { VICI_CERT_X509, CERT_FLAG_NONE, true } },
	{ "X509_AC", { VICI_CERT_AC, CERT_FLAG_NONE, true } },
	{ "X509_CRL", { VICI_CERT_CRL, CERT_FLAG_NONE, true } },
	{ "OCSP_RESPONSE", { VICI_CERT_OCSP, CERT_FLAG_NONE, true } },
	{ "PUBKEY", { VICI_CERT_PUBKEY, CERT_FLAG_NONE, true } },
	{ "ANY", { VICI_CERT_ANY, CERT_FLAG_NONE, true } },
	{ "x509ca", { VICI_CERT_X509, CERT_FLAG_CA, false } },
	{ "x509aa", { VICI_CERT_X509, CERT_FLAG_AA, false } },
	{ "x509ocsp", { VICI_CERT_X509, CERT_FLAG_OCSP, false } },
	{ "x509ac", { VICI_CERT_AC, CERT_FLAG_NONE, true } },
	{ "x509crl", { VICI_CERT_CRL, CERT_FLAG_NONE, true } },
};

static const struct {
	const char *word;
	enum cert_flag flag;
} flags[] = {
	{ "NONE", CERT_FLAG_NONE },
	{ "CA", CERT_FLAG_CA },
	{ "AA", CERT_FLAG_AA },
	{ "OCSP", CERT_FLAG_OCSP },
};

bool cert_filter_type(struct bytes word, struct cert_filter *ret)
{
	for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
		if (bytes_equal_nocase(word, kinds[i].word)) {
			*ret = kinds[i].filter;
			return true;
		}
	}
	return false;
}

bool cert_filter_flag(struct bytes word, struct cert_filter *ret)
{
	if (bytes_equal_nocase(word, "ANY")) {
		ret->any_flag = true;
		return true;
	}
	for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
		if (bytes_equal_nocase(word, flags[i].word)) {
			ret->flag = flags[i].flag;
			ret->any_flag = false;
			return true;
		}
	}
	return false;
}

const char *cert_flag_word(enum cert_flag flag)
{
	return flags[flag].word;
}
