/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/id.h"
#include "proto/id_dn.h"
#include "proto/id_gn.h"
#include "proto/limits.h"
#include "util/mem.h"

/* How the text behind "prefix:" becomes the data; "#hex" is always the octets themselves. */
enum prefix_form { FORM_BYTES, FORM_DN, FORM_URI, FORM_XMPP };

static const struct {
	const char *name;
	uint8_t type;
	enum prefix_form form;
} prefixes[] = {
	{ "ipv4", ID_TYPE_IPV4_ADDR, FORM_BYTES },
	{ "ipv6", ID_TYPE_IPV6_ADDR, FORM_BYTES },
	{ "ipv4net", ID_TYPE_IPV4_ADDR_SUBNET, FORM_BYTES },
	{ "ipv6net", ID_TYPE_IPV6_ADDR_SUBNET, FORM_BYTES },
	{ "ipv4range", ID_TYPE_IPV4_ADDR_RANGE, FORM_BYTES },
	{ "ipv6range", ID_TYPE_IPV6_ADDR_RANGE, FORM_BYTES },
	{ "rfc822", ID_TYPE_RFC822_ADDR, FORM_BYTES },
	{ "email", ID_TYPE_RFC822_ADDR, FORM_BYTES },
	{ "userfqdn", ID_TYPE_RFC822_ADDR, FORM_BYTES },
	{ "fqdn", ID_TYPE_FQDN, FORM_BYTES },
	{ "dns", ID_TYPE_FQDN, FORM_BYTES },
	{ "asn1dn", ID_TYPE_DER_ASN1_DN, FORM_DN },
	{ "asn1gn", ID_TYPE_DER_ASN1_GN, FORM_BYTES },
	{ "xmppaddr", ID_TYPE_DER_ASN1_GN, FORM_XMPP },
	{ "keyid", ID_TYPE_KEY_ID, FORM_BYTES },
	{ "uri", ID_TYPE_DER_ASN1_GN, FORM_URI },
};

static struct bytes behind(struct bytes text, size_t n)
{
	return bytes_of(text.p + n, text.n - n);
}

static bool has_char(struct bytes text, char c)
{
	return text.n && memchr(text.p, c, text.n);
}

/* "#0a0b" to octets. */
static bool hex_parse(struct bytes text, struct buf *out)
{
	if (!text.n || text.p[0] != '#')
		return false;
	buf_reset(out);
	if (hex_decode(behind(text, 1), out))
		return true;
	buf_reset(out);
	return false;
}

static bool is_regex(struct bytes text)
{
	return text.n >= 2 && text.p[0] == '^' && text.p[text.n - 1] == '$';
}

/* What is no DN in spite of its looks is a key id. */
static uint8_t dn_or_key_id(struct bytes text, struct buf *out)
{
	buf_reset(out);
	if (dn_parse(text, out))
		return ID_TYPE_DER_ASN1_DN;
	buf_reset(out);
	buf_add_bytes(out, text);
	return ID_TYPE_KEY_ID;
}

static uint8_t form_parse(uint8_t type, enum prefix_form form, struct bytes text, struct buf *out)
{
	bool hex = hex_parse(text, out);

	switch (form) {
	case FORM_DN:
		if (!hex && !is_regex(text))
			return dn_or_key_id(text, out);
		break;
	case FORM_URI:
		if (!hex) {
			gn_write_uri(out, text);
			return type;
		}
		break;
	case FORM_XMPP:
		if (!hex) {
			gn_write_xmpp(out, text);
			return type;
		}
		break;
	case FORM_BYTES:
		break;
	}
	if (!hex)
		buf_add_bytes(out, text);
	return type;
}

/* "keyid:...", "email:..." */
static bool prefix_form_parse(struct bytes text, struct buf *out, uint8_t *ret_type)
{
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++) {
		size_t n = strlen(prefixes[i].name);

		if (text.n <= n || text.p[n] != ':' ||
		    !bytes_equal_str(bytes_of(text.p, n), prefixes[i].name))
			continue;
		*ret_type = form_parse(prefixes[i].type, prefixes[i].form, behind(text, n + 1), out);
		return true;
	}
	return false;
}

/* "{2}:..." */
static bool numeric_form_parse(struct bytes text, struct buf *out, uint8_t *ret_type)
{
	unsigned type = 0;
	size_t at = 1;

	if (text.n < 4 || text.p[0] != '{')
		return false;
	for (; at < text.n && at < 4 && text.p[at] >= '0' && text.p[at] <= '9'; at++)
		type = type * 10 + (unsigned)(text.p[at] - '0');
	if (at == 1 || text.n < at + 2 || text.p[at] != '}' || text.p[at + 1] != ':' || type > 255)
		return false;
	*ret_type = form_parse((uint8_t)type, FORM_BYTES, behind(text, at + 2), out);
	if (!type) /* any has no data */
		buf_reset(out);
	return true;
}

static bool text_is_any(struct bytes text)
{
	static const char *const forms[] = { "", "%any", "%any6", "*", "0.0.0.0", "::", "0::0" };

	for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
		if (bytes_equal_str(text, forms[i]))
			return true;
	}
	return false;
}

static bool range_parse(struct bytes text, int family, struct buf *out)
{
	const uint8_t *dash = memchr(text.p, '-', text.n);
	struct addr from, to;
	size_t n;

	if (!dash)
		return false;
	n = (size_t)(dash - text.p);
	if (!addr_parse(bytes_of(text.p, n), &from) || !addr_parse(behind(text, n + 1), &to) ||
	    from.family != family || to.family != family || from.scope || to.scope ||
	    memcmp(from.ip, to.ip, addr_len(&from)) > 0)
		return false;
	buf_add(out, from.ip, addr_len(&from));
	buf_add(out, to.ip, addr_len(&to));
	return true;
}

static void net_write(const struct prefix *p, struct buf *out)
{
	buf_add(out, p->net.ip, addr_len(&p->net));
	for (size_t i = 0; i < addr_len(&p->net); i++) {
		unsigned bits = p->len > 8 * i ? p->len - 8 * (unsigned)i : 0;

		buf_add_u8(out, bits >= 8 ? 0xff : (uint8_t)~(0xff >> bits));
	}
}

/* An address, CIDR or range of a family; 0 if it is none. */
static uint8_t address_parse(struct bytes text, int family, struct buf *out)
{
	bool v4 = family == AF_INET;
	struct prefix p;
	struct addr a;

	if (addr_parse(text, &a) && a.family == family && !a.scope) {
		buf_add(out, a.ip, addr_len(&a));
		return v4 ? ID_TYPE_IPV4_ADDR : ID_TYPE_IPV6_ADDR;
	}
	if (has_char(text, '/') && prefix_parse(text, &p) && p.net.family == family) {
		net_write(&p, out);
		return v4 ? ID_TYPE_IPV4_ADDR_SUBNET : ID_TYPE_IPV6_ADDR_SUBNET;
	}
	if (range_parse(text, family, out))
		return v4 ? ID_TYPE_IPV4_ADDR_RANGE : ID_TYPE_IPV6_ADDR_RANGE;
	return 0;
}

/* Text without '@'. */
static uint8_t plain_parse(struct bytes text, struct buf *out)
{
	bool v6 = has_char(text, ':');
	uint8_t type;

	if (text_is_any(text))
		return ID_TYPE_ANY;
	type = address_parse(text, v6 ? AF_INET6 : AF_INET, out);
	if (type)
		return type;
	buf_add_bytes(out, text);
	return v6 ? ID_TYPE_KEY_ID : ID_TYPE_FQDN;
}

/* Text with '@'. */
static uint8_t at_parse(struct bytes text, struct buf *out)
{
	if (text.p[0] != '@') {
		buf_add_bytes(out, text);
		return ID_TYPE_RFC822_ADDR;
	}
	text = behind(text, 1);
	if (hex_parse(text, out))
		return ID_TYPE_KEY_ID;
	if (text.n && text.p[0] == '@') {
		buf_add_bytes(out, behind(text, 1));
		return ID_TYPE_RFC822_ADDR;
	}
	buf_add_bytes(out, text);
	return ID_TYPE_FQDN;
}

bool id_parse(struct bytes text, struct id *ret_id)
{
	struct buf data = { NULL, 0, 0 };
	struct id id = { ID_TYPE_ANY, BYTES_NONE };
	bool fits;

	if (text.n > 4 * LIMIT_ID) /* longer than any text form of so much data */
		return false;
	if (prefix_form_parse(text, &data, &id.type) || numeric_form_parse(text, &data, &id.type))
		;
	else if (has_char(text, '='))
		id.type = dn_or_key_id(text, &data);
	else if (has_char(text, '@'))
		id.type = at_parse(text, &data);
	else
		id.type = plain_parse(text, &data);

	fits = data.n <= LIMIT_ID;
	if (fits) {
		id.data = buf_bytes(&data);
		*ret_id = id_dup(&id);
	}
	buf_free(&data);
	return fits;
}
