/* SPDX-License-Identifier: Apache-2.0 */
#include "proto/id_gn.h"

#include "proto/id_dn.h"
#include "util/reader.h"

enum { TAG_UTF8STRING = 0x0c, TAG_OTHER_NAME = 0xa0, TAG_EXPLICIT_0 = 0xa0, TAG_URI = 0x86 };

/* id-on-xmppAddr as a whole OBJECT IDENTIFIER (RFC 6120, 13.7.1.4) */
static const uint8_t xmpp_oid[] = { 0x06, 0x08, 0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x08, 0x05 };

/* One DER element with this tag; the content, or nothing and a bad reader. */
static struct reader der_read(struct reader *r, uint8_t tag)
{
	uint8_t found = reader_u8(r);
	size_t len = reader_u8(r);

	if (len & 0x80) {
		size_t octets = len & 0x7f;

		r->bad |= !octets || octets > 3;
		len = (size_t)reader_uint(r, octets <= 3 ? octets : 0);
	}
	r->bad |= found != tag;
	return reader_sub(r, len);
}

static void der_write(struct buf *out, uint8_t tag, struct bytes content)
{
	buf_add_u8(out, tag);
	if (content.n >= 0x100) {
		buf_add_u8(out, 0x82);
		buf_add_u16(out, (uint16_t)content.n);
	} else if (content.n >= 0x80) {
		buf_add_u8(out, 0x81);
		buf_add_u8(out, (uint8_t)content.n);
	} else {
		buf_add_u8(out, (uint8_t)content.n);
	}
	buf_add_bytes(out, content);
}

void gn_write_uri(struct buf *out, struct bytes text)
{
	der_write(out, TAG_URI, text);
}

void gn_write_xmpp(struct buf *out, struct bytes text)
{
	struct buf string = { NULL, 0, 0 }, value = { NULL, 0, 0 }, name = { NULL, 0, 0 };

	der_write(&string, TAG_UTF8STRING, text);
	der_write(&value, TAG_EXPLICIT_0, buf_bytes(&string));
	buf_add(&name, xmpp_oid, sizeof(xmpp_oid));
	buf_add_bytes(&name, buf_bytes(&value));
	der_write(out, TAG_OTHER_NAME, buf_bytes(&name));
	buf_free(&string);
	buf_free(&value);
	buf_free(&name);
}

static bool gn_read_uri(struct bytes der, struct bytes *ret_text)
{
	struct reader r = reader_of(der);
	struct reader text = der_read(&r, TAG_URI);

	*ret_text = reader_rest(&text);
	return reader_done(&r) && reader_done(&text);
}

static bool gn_read_xmpp(struct bytes der, struct bytes *ret_text)
{
	struct reader r = reader_of(der);
	struct reader name = der_read(&r, TAG_OTHER_NAME);
	struct bytes oid = reader_bytes(&name, sizeof(xmpp_oid));
	struct reader value = der_read(&name, TAG_EXPLICIT_0);
	struct reader text = der_read(&value, TAG_UTF8STRING);

	*ret_text = reader_rest(&text);
	return reader_done(&r) && reader_done(&name) && reader_done(&value) && reader_done(&text) &&
	       bytes_equal(oid, bytes_of(xmpp_oid, sizeof(xmpp_oid)));
}

bool gn_format(struct buf *out, struct bytes der)
{
	struct bytes text;

	if (gn_read_uri(der, &text))
		buf_add_str(out, "uri:");
	else if (gn_read_xmpp(der, &text))
		buf_add_str(out, "xmppaddr:");
	else
		return false;
	text_add_clean(out, text);
	return true;
}
