/* SPDX-License-Identifier: Apache-2.0 */
#include "auth/auth_methods.h"

#include <string.h>

#include "proto/iana.h"
#include "util/reader.h"

/* RFC 9593, 3.2: which octets follow depends on the method, and is said by the length. */
static bool entry_parse(unsigned method, struct bytes rest, struct auth_method_entry *ret)
{
	struct reader r = reader_of(rest);

	*ret = (struct auth_method_entry){ .method = (uint8_t)method };
	switch (method) {
	case AUTH_METHOD_SHARED_KEY:
		return rest.n == 0;
	case AUTH_METHOD_RSA:
	case AUTH_METHOD_ECDSA_256:
	case AUTH_METHOD_ECDSA_384:
	case AUTH_METHOD_ECDSA_521:
		ret->link = reader_u8(&r);
		return rest.n == 1;
	case AUTH_METHOD_SIGNATURE:
		ret->link = reader_u8(&r);
		return rest.n > 1 && result_is_ok(sig_scheme_parse(reader_rest(&r), &ret->scheme));
	}
	return false;
}

void auth_methods_take(struct auth_methods *m, struct bytes data)
{
	struct reader r = reader_of(data);

	while (reader_left(&r) >= 2) {
		unsigned len = reader_u8(&r), method = reader_u8(&r);
		struct bytes rest;
		struct auth_method_entry entry;

		if (len < 2)
			return;
		rest = reader_bytes(&r, len - 2);
		if (!reader_ok(&r))
			return;
		/* RFC 9593 3.2 MUST: those that are not understood are ignored */
		if (!entry_parse(method, rest, &entry))
			m->unknown = true;
		else if (m->n < AUTH_METHODS_MAX)
			m->entries[m->n++] = entry;
	}
}

/* RFC 9593, 3.2.2: all CERTREQ payloads are one list; without any a link means nothing. */
static bool link_fits(unsigned link, struct bytes cas, const struct cert *const *above, size_t n_above)
{
	size_t at = (size_t)(link - 1) * KEY_ID_LEN;

	if (link == 0 || cas.n == 0)
		return true;
	if (at + KEY_ID_LEN > cas.n)
		return false;
	for (size_t i = 0; i < n_above; i++)
		if (memcmp(cas.p + at, above[i]->key->spki_id, KEY_ID_LEN) == 0)
			return true;
	return false;
}

int auth_methods_find(const struct auth_methods *m, unsigned method, const struct sig_scheme *scheme, struct bytes cas,
		      const struct cert *const *above, size_t n_above)
{
	for (int i = 0; i < m->n; i++) {
		const struct auth_method_entry *e = &m->entries[i];

		if (e->method != method || !link_fits(e->link, cas, above, n_above))
			continue;
		if (method != AUTH_METHOD_SIGNATURE ||
		    (e->scheme.kind == scheme->kind && e->scheme.hash == scheme->hash && e->scheme.salt_len == scheme->salt_len))
			return i;
	}
	return -1;
}

void auth_methods_format(struct buf *out, const struct auth_methods *m)
{
	for (size_t i = 0; i < m->n; i++) {
		const struct auth_method_entry *e = &m->entries[i];

		buf_printf(out, "%s%s", i ? ", " : "",
			    e->method == AUTH_METHOD_SIGNATURE ? sig_scheme_name(&e->scheme) : auth_method_name(e->method));
		if (e->link)
			buf_printf(out, " (of CA %u)", e->link);
	}
	if (m->unknown)
		buf_add_str(out, m->n ? ", and some that are not known here" : "only methods that are not known here");
}
