/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/acert.h"

#include <stdlib.h>
#include <time.h>

#include <openssl/err.h>
#include <openssl/x509.h>

#include "crypto/acert_fields.h"
#include "crypto/cert_fields.h"
#include "crypto/x509_data.h"
#include "proto/limits.h"
#include "util/mem.h"

struct acert_own {
	struct arena arena; /* what the views of struct acert point to */
	struct bytes signed_part, signature;
};

/* ---- life */

struct acert *acert_ref(const struct acert *a)
{
	struct acert *mine = (struct acert *)(uintptr_t)a;

	atomic_fetch_add_explicit(&mine->refs, 1, memory_order_relaxed);
	return mine;
}

static void acert_free(struct acert *a)
{
	struct acert_own *own = a->own;

	cert_unref(a->revocable);
	arena_free(&own->arena);
	free(own);
	free(a);
}

void acert_unref(const struct acert *a)
{
	struct acert *mine = (struct acert *)(uintptr_t)a;

	if (mine && atomic_fetch_sub_explicit(&mine->refs, 1, memory_order_acq_rel) == 1)
		acert_free(mine);
}

/* ---- fields (RFC 5755, 4.1) */

/* RFC 5755, 4.2.2: a single directoryName, and a serial number; the certificates that we take have no issuerUID. */
static const char *holder_base(struct arena *a, struct reader *r, struct acert *ac)
{
	struct reader in = der_enter(r, DER_CONTEXT(0)), issuer = der_enter(&in, DER_SEQUENCE);

	ac->holder_issuer = acert_one_dn(a, &issuer);
	ac->holder_serial = der_unsigned(&in);
	if (!reader_ok(&in) || !reader_ok(&issuer))
		return "its holder's certificate is malformed";
	if (id_is_any(&ac->holder_issuer))
		return "the issuer of its holder's certificate is not one name (directoryName)";
	if (reader_left(&in))
		return "its holder has an issuerUID, which is not supported";
	ac->holder_issuer_hash = x509_name_hash(&ac->holder_issuer);
	return NULL;
}

static const char *holder_names(struct arena *a, struct reader *r, struct acert *ac)
{
	struct reader in = der_enter(r, DER_CONTEXT(1));
	struct id *names = arena_array(a, struct id, LIMIT_ACERT_NAMES);

	while (reader_left(&in) && ac->n_holder_names < LIMIT_ACERT_NAMES)
		names[ac->n_holder_names++] = acert_name(a, &in);
	ac->holder_names = names;
	if (reader_left(&in))
		return "its holder has too many names";
	return reader_ok(&in) && ac->n_holder_names ? NULL : "its holder's name is malformed";
}

static const char *acert_holder(struct arena *a, struct reader *r, struct acert *ac)
{
	struct reader in = der_enter(r, DER_SEQUENCE);
	const char *why = NULL;

	if (!reader_left(&in))
		return "it has no holder";
	if (der_next_is(&in, DER_CONTEXT(0)))
		why = holder_base(a, &in, ac);
	if (!why && der_next_is(&in, DER_CONTEXT(1)))
		why = holder_names(a, &in, ac);
	if (!why && der_next_is(&in, DER_CONTEXT(2)))
		why = "its holder is a digest of something (objectDigestInfo), which is not supported";
	if (!why && !reader_done(&in))
		why = "its holder is malformed";
	return why;
}

/* RFC 5755, 4.2.3: the v2Form with a name, and nothing else. */
static const char *acert_issuer(struct arena *a, struct reader *r, struct acert *ac)
{
	struct reader in, names;

	if (!der_next_is(r, DER_CONTEXT(0)))
		return "its issuer is not in the form of version 2";
	in = der_enter(r, DER_CONTEXT(0));
	names = der_enter(&in, DER_SEQUENCE);
	ac->issuer = acert_one_dn(a, &names);
	if (!reader_ok(&in) || !reader_ok(&names))
		return "its issuer is malformed";
	if (id_is_any(&ac->issuer))
		return "its issuer is not one name (directoryName)";
	if (reader_left(&in))
		return "its issuer is more than a name, which is not supported";
	ac->issuer_hash = x509_name_hash(&ac->issuer);
	return NULL;
}

/* RFC 5755, 4.2.6: YYYYMMDDHHMMSSZ */
static bool time_read(struct reader *r, int64_t *ret)
{
	struct bytes text = der_take(r, DER_GENERALIZED_TIME);
	unsigned v[6] = { 0 };
	struct tm tm;

	if (text.n != 15 || text.p[14] != 'Z')
		return false;
	for (size_t i = 0; i < 14; i++) {
		size_t field = i < 4 ? 0 : (i - 2) / 2;

		if (text.p[i] < '0' || text.p[i] > '9')
			return false;
		v[field] = v[field] * 10 + text.p[i] - '0';
	}
	tm = (struct tm){ .tm_year = (int)v[0] - 1900, .tm_mon = (int)v[1] - 1, .tm_mday = (int)v[2], .tm_hour = (int)v[3],
			  .tm_min = (int)v[4], .tm_sec = (int)v[5] };
	*ret = timegm(&tm);
	/* what was out of its range is something else now */
	return tm.tm_mon + 1 == (int)v[1] && tm.tm_mday == (int)v[2] && tm.tm_hour == (int)v[3] && tm.tm_min == (int)v[4] &&
	       tm.tm_sec == (int)v[5];
}

static const char *acert_validity(struct reader *r, struct acert *ac)
{
	struct reader in = der_enter(r, DER_SEQUENCE);

	if (!time_read(&in, &ac->not_before) || !time_read(&in, &ac->not_after) || !reader_done(&in))
		return "its validity is malformed";
	return NULL;
}

/* RFC 5755, 4.2.5: positive, of at most 20 octets. */
static const char *acert_serial(struct reader *r, struct acert *ac)
{
	ac->serial = der_unsigned(r);
	if (!reader_ok(r) || !ac->serial.n || ac->serial.n > 20 || (ac->serial.n == 20 && ac->serial.p[0] & 0x80))
		return "its serial number is not positive, or too long";
	return NULL;
}

static const char *acert_signature(struct reader *r, struct acert *ac, struct bytes *ret_algorithm)
{
	struct result result;

	*ret_algorithm = der_element(r);
	if (!reader_ok(r))
		return "its signature's algorithm is malformed";
	result = sig_scheme_parse(*ret_algorithm, &ac->signature);
	if (!result_is_ok(result))
		ac->signature_why = result.why;
	return NULL;
}

/* AttributeCertificateInfo */
static const char *acert_info(struct arena *a, struct reader *r, struct acert *ac, X509 *x, struct bytes *ret_algorithm)
{
	struct bytes version = der_unsigned(r);
	const char *why;
	struct reader in;

	if (!reader_ok(r))
		return "it is no X.509 attribute certificate";
	if (version.n != 1 || version.p[0] != 1)
		return "it is not of version 2";
	why = acert_holder(a, r, ac);
	why = why ? why : acert_issuer(a, r, ac);
	why = why ? why : acert_signature(r, ac, ret_algorithm);
	why = why ? why : acert_serial(r, ac);
	why = why ? why : acert_validity(r, ac);
	if (why)
		return why;
	in = der_enter(r, DER_SEQUENCE);
	why = acert_attributes(a, &in, ac);
	if (why)
		return why;
	if (der_next_is(r, DER_BIT_STRING)) /* RFC 5755, 4.2.8 */
		return "it has an issuerUniqueID, which is not supported";
	if (reader_left(r)) {
		in = der_enter(r, DER_SEQUENCE);
		why = acert_extensions(a, &in, ac, x);
	}
	return why ? why : reader_done(r) && reader_ok(&in) ? NULL : "something follows its extensions";
}

/* ---- it as what may be revoked */

static bool revocable_names(const struct acert *ac, X509 *x)
{
	const unsigned char *p = ac->issuer.data.p;
	X509_NAME *name = d2i_X509_NAME(NULL, &p, (long)ac->issuer.data.n);
	BIGNUM *n = BN_bin2bn(ac->serial.p, (int)ac->serial.n, NULL);
	bool ok = name && n && X509_set_issuer_name(x, name) == 1 && BN_to_ASN1_INTEGER(n, X509_get_serialNumber(x));

	X509_NAME_free(name);
	BN_free(n);
	return ok;
}

/* ---- all of it */

static const char *acert_decode(struct acert *ac, X509 *x)
{
	struct acert_own *own = ac->own;
	struct reader all = reader_of(ac->der), r = der_enter(&all, DER_SEQUENCE), begin = r, in = r;
	struct bytes algorithm = BYTES_NONE, outer;
	const char *why;

	own->signed_part = der_element(&begin);
	in = der_enter(&r, DER_SEQUENCE);
	if (!reader_ok(&r))
		return "it is no X.509 attribute certificate";
	why = acert_info(&own->arena, &in, ac, x, &algorithm);
	if (why)
		return why;
	outer = der_element(&r);
	own->signature = der_bits(&r);
	if (!reader_done(&r) || !reader_done(&all))
		return "its signature is malformed, or something follows it";
	return bytes_equal(algorithm, outer) ? NULL : "it names two algorithms for its signature";
}

/* Takes x. */
static const char *acert_make_revocable(struct acert *ac, X509 *x)
{
	struct acert_own *own = ac->own;
	const char *what = arena_printf(&own->arena, "with attributes %s", acert_text(ac).s);

	if (!revocable_names(ac, x)) {
		X509_free(x);
		return "out of memory";
	}
	ac->revocable = cert_stand_in(x, what);
	if (ac->revocable)
		ac->revocable->not_after = ac->not_after;
	return ac->revocable ? NULL : "its cRLDistributionPoints or authorityInfoAccess are malformed";
}

struct acert *acert_parse(struct bytes data, struct errtext *err)
{
	struct acert *ac = xcalloc(1, sizeof(*ac));
	struct acert_own *own = xcalloc(1, sizeof(*own));
	struct errtext text = { "" };
	const char *why = text.s;
	X509 *x = X509_new();

	atomic_init(&ac->refs, 1);
	ac->own = own;
	ERR_set_mark();
	if (x509_data_der(&own->arena, data, "ATTRIBUTE CERTIFICATE", LIMIT_ACERT, &ac->der, &text))
		why = x ? acert_decode(ac, x) : "out of memory";
	if (why)
		X509_free(x);
	else
		why = acert_make_revocable(ac, x);
	ERR_pop_to_mark();
	if (!why)
		return ac;
	errtext_set(err, "malformed attribute certificate%s%.200s%s: %s", ac->issuer.data.n ? " of '" : "",
		    ac->issuer.data.n ? id_text(&ac->issuer).s : "", ac->issuer.data.n ? "'" : "", why);
	acert_free(ac);
	return NULL;
}

/* ---- who signed it */

bool acert_equal(const struct acert *a, const struct acert *b)
{
	return a == b || bytes_equal(a->der, b->der);
}

bool acert_maybe_issued_by(const struct acert *a, const struct cert *issuer)
{
	if (a->issuer_hash != issuer->subject_hash || !id_equal(&a->issuer, &issuer->subject))
		return false;
	return !a->authority_key_id.n || !issuer->subject_key_id.n || bytes_equal(a->authority_key_id, issuer->subject_key_id);
}

bool acert_is_signed_by(const struct acert *a, const struct cert *issuer)
{
	const struct acert_own *own = a->own;

	return a->signature.kind != SIG_NONE && sig_scheme_fits(&a->signature, issuer->key) &&
	       result_is_ok(public_key_verify(issuer->key, &a->signature, &own->signed_part, 1, own->signature));
}
