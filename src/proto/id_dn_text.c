/* SPDX-License-Identifier: Apache-2.0 */
#include <openssl/err.h>
#include <openssl/objects.h>

#include "proto/id_dn.h"
#include "proto/limits.h"
#include "util/mem.h"

/* Names of attribute types as swanctl's users write them. The first name of an object is
 * the one that is printed; types not listed are printed and read as dotted numbers. */
static const struct {
	const char *name;
	int nid;
} attributes[] = {
	{ "C", NID_countryName },
	{ "O", NID_organizationName },
	{ "OU", NID_organizationalUnitName },
	{ "CN", NID_commonName },
	{ "ST", NID_stateOrProvinceName },
	{ "S", NID_surname },
	{ "SN", NID_surname },
	{ "L", NID_localityName },
	{ "T", NID_title },
	{ "G", NID_givenName },
	{ "GN", NID_givenName },
	{ "I", NID_initials },
	{ "N", NID_name },
	{ "D", NID_description },
	{ "E", NID_pkcs9_emailAddress },
	{ "Email", NID_pkcs9_emailAddress },
	{ "emailAddress", NID_pkcs9_emailAddress },
	{ "serialNumber", NID_serialNumber },
	{ "UN", NID_pkcs9_unstructuredName },
	{ "unstructuredName", NID_pkcs9_unstructuredName },
	{ "UA", NID_pkcs9_unstructuredAddress },
	{ "unstructuredAddress", NID_pkcs9_unstructuredAddress },
	{ "DC", NID_domainComponent },
	{ "UID", NID_userId },
	{ "ID", NID_x500UniqueIdentifier },
	{ "STREET", NID_streetAddress },
	{ "postalCode", NID_postalCode },
	{ "businessCategory", NID_businessCategory },
	{ "dnQualifier", NID_dnQualifier },
	{ "generationQualifier", NID_generationQualifier },
	{ "pseudonym", NID_pseudonym },
	{ "organizationIdentifier", NID_organizationIdentifier },
	{ "jurisdictionC", NID_jurisdictionCountryName },
	{ "jurisdictionST", NID_jurisdictionStateOrProvinceName },
	{ "jurisdictionL", NID_jurisdictionLocalityName },
};

/* ---- DER to text ---- */

/* Length of the printable UTF-8 character at p, 0 if there is none. */
static size_t utf8_printable(const uint8_t *p, size_t n)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc0 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
	uint32_t c = len == 1 ? p[0] : p[0] & (0x7fu >> len);

	if (!len || len > n || p[0] >= 0xf8)
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		c = c << 6 | (p[i] & 0x3f);
	}
	if (c < 0x20 || (c >= 0x7f && c < 0xa0) || c < least[len] || c > 0x10ffff ||
	    (c >= 0xd800 && c < 0xe000))
		return 0;
	/* Marks that turn the direction of the text around them. */
	if ((c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	    (c >= 0x2066 && c <= 0x2069))
		return 0;
	return len;
}

void text_add_clean(struct buf *out, struct bytes text)
{
	for (size_t i = 0; i < text.n;) {
		size_t len = utf8_printable(text.p + i, text.n - i);

		if (len)
			buf_add(out, text.p + i, len);
		else
			buf_add_u8(out, '?');
		i += len ? len : 1;
	}
}

static void attribute_format(struct buf *out, const ASN1_OBJECT *object)
{
	int nid = OBJ_obj2nid(object);
	char dotted[128];

	for (size_t i = 0; nid != NID_undef && i < ARRAY_LEN(attributes); i++) {
		if (attributes[i].nid == nid) {
			buf_add_str(out, attributes[i].name);
			return;
		}
	}
	if (OBJ_obj2txt(dotted, sizeof(dotted), object, 1) <= 0)
		dotted[0] = '\0';
	buf_add_str(out, dotted[0] ? dotted : "?");
}

/* Quotes keep a comma in a value from looking like the next RDN. */
static bool value_needs_quotes(struct bytes v)
{
	if (v.n && (v.p[0] == ' ' || v.p[v.n - 1] == ' '))
		return true;
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] == ',' || v.p[i] == '"')
			return true;
	}
	return false;
}

static void value_format(struct buf *out, const ASN1_STRING *value)
{
	unsigned char *utf8 = NULL;
	int n = dn_value_utf8(value, &utf8);
	struct bytes v = bytes_of(utf8, n > 0 ? (size_t)n : 0);
	bool quotes = value_needs_quotes(v);
	size_t start = 0;

	if (n < 0) {
		buf_add_str(out, "#");
		buf_add_hex(out, bytes_of(ASN1_STRING_get0_data(value),
					  (size_t)ASN1_STRING_length(value)));
		return;
	}
	if (quotes)
		buf_add_u8(out, '"');
	for (size_t i = 0; i < v.n; i++) {
		if (v.p[i] != '"' && v.p[i] != '\\')
			continue;
		if (!quotes)
			continue;
		text_add_clean(out, bytes_of(v.p + start, i - start));
		buf_add_u8(out, '\\');
		start = i;
	}
	text_add_clean(out, bytes_of(v.p + start, v.n - start));
	if (quotes)
		buf_add_u8(out, '"');
	OPENSSL_free(utf8);
}

bool dn_format(struct buf *out, struct bytes der)
{
	X509_NAME *name = dn_decode(der);
	int last = -1;

	if (!name)
		return false;
	for (int i = 0; i < X509_NAME_entry_count(name); i++) {
		X509_NAME_ENTRY *e = X509_NAME_get_entry(name, i);

		if (i)
			buf_add_str(out, X509_NAME_ENTRY_set(e) == last ? " + " : ", ");
		last = X509_NAME_ENTRY_set(e);
		attribute_format(out, X509_NAME_ENTRY_get_object(e));
		buf_add_u8(out, '=');
		value_format(out, X509_NAME_ENTRY_get_data(e));
	}
	X509_NAME_free(name);
	return true;
}

/* ---- text to DER ---- */

static struct bytes text_trim(struct bytes t)
{
	while (t.n && dn_space(t.p[0]))
		t = bytes_of(t.p + 1, t.n - 1);
	while (t.n && dn_space(t.p[t.n - 1]))
		t.n--;
	return t;
}

/* "2.5.4.3": the library's own reader is less strict. */
static bool text_is_dotted(struct bytes t)
{
	uint8_t last = '.';

	for (size_t i = 0; i < t.n; i++) {
		bool digit = t.p[i] >= '0' && t.p[i] <= '9';

		if (!digit && (t.p[i] != '.' || last == '.'))
			return false;
		last = t.p[i];
	}
	return last != '.';
}

/* The object in front of the '=' at text[at], or NULL. Sets *ret_end behind the '='. */
static ASN1_OBJECT *attribute_parse(struct bytes text, size_t at, size_t *ret_end)
{
	size_t end = at;
	struct bytes word;
	char dotted[128];

	while (end < text.n && text.p[end] != '=' && text.p[end] != ',' && text.p[end] != '/' &&
	       text.p[end] != '"')
		end++;
	if (end == text.n || text.p[end] != '=')
		return NULL;
	word = text_trim(bytes_of(text.p + at, end - at));
	if (!word.n || word.n >= sizeof(dotted))
		return NULL;
	memcpy(dotted, word.p, word.n);
	dotted[word.n] = '\0';
	*ret_end = end + 1;
	for (size_t i = 0; i < ARRAY_LEN(attributes); i++) {
		if (bytes_equal_nocase(word, attributes[i].name))
			return OBJ_nid2obj(attributes[i].nid);
	}
	return text_is_dotted(word) ? OBJ_txt2obj(dotted, 1) : NULL;
}

/* Whether a new RDN starts at text[at]. */
static bool attribute_starts(struct bytes text, size_t at)
{
	size_t end;
	ASN1_OBJECT *object = attribute_parse(text, at, &end);
	bool starts = object != NULL;

	ASN1_OBJECT_free(object); /* no effect on the built-in ones */
	return starts;
}

/* Reads a value up to the separator; false if quotes or what follows are wrong. */
static bool value_parse(struct bytes text, size_t *at, char separator, struct buf *value)
{
	size_t end = *at;
	bool quoted;

	while (end < text.n && text.p[end] == ' ')
		end++;
	quoted = end < text.n && text.p[end] == '"';
	if (quoted) {
		for (end++; end < text.n && text.p[end] != '"'; end++) {
			if (text.p[end] == '\\' && end + 1 < text.n)
				end++;
			buf_add_u8(value, text.p[end]);
		}
		if (end == text.n)
			return false;
		end++;
		while (end < text.n && text.p[end] == ' ')
			end++;
		if (end < text.n && text.p[end] != separator)
			return false;
	} else {
		/* A slash may be part of a value: "/CN=http://x". */
		while (end < text.n && !(text.p[end] == separator &&
					 (separator == ',' || attribute_starts(text, end + 1))))
			end++;
		buf_add_bytes(value, text_trim(bytes_of(text.p + *at, end - *at)));
	}
	*at = end;
	return true;
}

/* RFC 5280, 4.1.2.4 and appendix A: these have a type of string of their own, the others are UTF-8. */
static int attribute_string_type(int nid)
{
	switch (nid) {
	case NID_countryName:
	case NID_serialNumber:
	case NID_dnQualifier:
	case NID_jurisdictionCountryName:
		return V_ASN1_PRINTABLESTRING;
	case NID_pkcs9_emailAddress:
	case NID_domainComponent:
		return V_ASN1_IA5STRING;
	default:
		return V_ASN1_UTF8STRING;
	}
}

static bool name_add(X509_NAME *name, const ASN1_OBJECT *object, struct bytes value)
{
	int type = attribute_string_type(OBJ_obj2nid(object));

	for (size_t i = 0; i < value.n; i++) {
		if (value.p[i] >= 0x80)
			type = V_ASN1_UTF8STRING;
	}
	return X509_NAME_add_entry_by_OBJ(name, object, type, value.p ? value.p : (const uint8_t *)"",
					  (int)value.n, -1, 0) == 1;
}

static bool name_parse(X509_NAME *name, struct bytes text)
{
	char separator = text.n && text.p[0] == '/' ? '/' : ',';
	size_t at = separator == '/' ? 1 : 0;

	while (at < text.n) {
		struct buf value = { NULL, 0, 0 };
		ASN1_OBJECT *object = attribute_parse(text, at, &at);
		bool ok = object && value_parse(text, &at, separator, &value) &&
			  name_add(name, object, buf_bytes(&value));

		ASN1_OBJECT_free(object);
		buf_free(&value);
		if (!ok)
			return false;
		if (at < text.n && ++at == text.n) /* nothing behind the separator */
			return false;
	}
	return X509_NAME_entry_count(name) > 0;
}

bool dn_parse(struct bytes text, struct buf *out)
{
	X509_NAME *name;
	unsigned char *der = NULL;
	int n = -1;

	if (text.n > LIMIT_ID)
		return false;
	ERR_set_mark();
	name = X509_NAME_new();
	if (name && name_parse(name, text_trim(text)))
		n = i2d_X509_NAME(name, &der);
	ERR_pop_to_mark();
	if (n > 0)
		buf_add(out, der, (size_t)n);
	OPENSSL_free(der);
	X509_NAME_free(name);
	return n > 0;
}
