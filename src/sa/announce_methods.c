/* SPDX-License-Identifier: Apache-2.0 */
#include "sa/announce_inside.h"

/* RFC 9593: peers choose certificate and signature by what we say here, so it has to be what we would accept, and all of it. */

#define ANNOUNCE_METHODS_MAX 640

static bool method_rule_takes(const struct key_rule *rule, const struct sig_scheme *s)
{
	static const uint8_t types[] = { [SIG_RSA_PKCS1] = KEY_RSA, [SIG_RSA_PSS] = KEY_RSA, [SIG_ECDSA] = KEY_ECDSA,
					 [SIG_ED25519] = KEY_ED25519, [SIG_ED448] = KEY_ED448 };

	return (rule->type == KEY_ANY || rule->type == types[s->kind]) && (!rule->pss || s->kind == SIG_RSA_PSS) &&
	       (!rule->hashes || (rule->hashes & HASH_BIT(s->hash)));
}

static bool method_round_takes(const struct conn_round *round, const struct sig_scheme *s)
{
	if (round->auth != CONN_AUTH_PUBKEY && round->auth != CONN_AUTH_ANY)
		return false;
	for (size_t i = 0; i < round->rules.n_ike; i++)
		if (method_rule_takes(&round->rules.ike[i], s))
			return true;
	return round->rules.n_ike == 0;
}

static bool method_scheme_taken(const struct announce_conns *conns, const struct sig_scheme *s)
{
	for (size_t i = 0; i < conns->n; i++)
		for (size_t k = 0; k < conns->conns[i]->n_remote_rounds; k++)
			if (method_round_takes(&conns->conns[i]->remote_rounds[k], s))
				return true;
	return conns->more;
}

static bool method_psk_taken(const struct announce_conns *conns)
{
	for (size_t i = 0; i < conns->n; i++)
		for (size_t k = 0; k < conns->conns[i]->n_remote_rounds; k++)
			if (conns->conns[i]->remote_rounds[k].auth == CONN_AUTH_PSK ||
			    conns->conns[i]->remote_rounds[k].auth == CONN_AUTH_ANY)
				return true;
	return conns->more;
}

/* One announcement; Cert Link 0: with any CA. */
static void method_put_scheme(struct writer *w, const struct announce_conns *conns, uint8_t kind, uint8_t hash)
{
	struct sig_scheme s = { kind, hash, 0 };
	struct bytes der;

	if (kind == SIG_RSA_PSS)
		s.salt_len = hash == HASH_SHA2_256 ? 32 : hash == HASH_SHA2_384 ? 48 : 64;
	der = sig_scheme_der(&s);
	if (!der.n || der.n > UINT8_MAX - 3 || !method_scheme_taken(conns, &s))
		return;
	writer_u8(w, (uint8_t)(3 + der.n));
	writer_u8(w, AUTH_METHOD_SIGNATURE);
	writer_u8(w, 0);
	writer_bytes(w, der);
}

/* RFC 7427, appendix A; the best first. */
static void methods_put_schemes(struct writer *w, const struct announce_conns *conns)
{
	static const uint8_t hashes[] = { HASH_SHA2_256, HASH_SHA2_384, HASH_SHA2_512 };
	static const uint8_t kinds[] = { SIG_ECDSA, SIG_RSA_PSS, SIG_RSA_PKCS1 };

	method_put_scheme(w, conns, SIG_ED25519, HASH_IDENTITY);
	method_put_scheme(w, conns, SIG_ED448, HASH_IDENTITY);
	for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
		for (size_t h = 0; h < ARRAY_LEN(hashes); h++)
			method_put_scheme(w, conns, kinds[k], hashes[h]);
}

/* RFC 4754, and method 1, which is RSA with PKCS#1 and any hash. */
static void methods_put_classic(struct writer *w, const struct announce_conns *conns)
{
	static const struct {
		uint8_t method;
		struct sig_scheme scheme;
	} classic[] = {
		{ AUTH_METHOD_ECDSA_256, { SIG_ECDSA, HASH_SHA2_256, 0 } }, { AUTH_METHOD_ECDSA_384, { SIG_ECDSA, HASH_SHA2_384, 0 } },
		{ AUTH_METHOD_ECDSA_521, { SIG_ECDSA, HASH_SHA2_512, 0 } }, { AUTH_METHOD_RSA, { SIG_RSA_PKCS1, HASH_SHA1, 0 } },
		{ AUTH_METHOD_RSA, { SIG_RSA_PKCS1, HASH_SHA2_256, 0 } },   { AUTH_METHOD_RSA, { SIG_RSA_PKCS1, HASH_SHA2_384, 0 } },
		{ AUTH_METHOD_RSA, { SIG_RSA_PKCS1, HASH_SHA2_512, 0 } },
	};
	unsigned last = 0;

	for (size_t i = 0; i < ARRAY_LEN(classic); i++) {
		if (classic[i].method == last || !method_scheme_taken(conns, &classic[i].scheme))
			continue;
		last = classic[i].method;
		writer_u8(w, 3);
		writer_u8(w, classic[i].method);
		writer_u8(w, 0);
	}
}

void announce_methods(const struct announce_conns *conns, bool signature, struct builder *b)
{
	uint8_t data[ANNOUNCE_METHODS_MAX];
	struct writer w = writer_of(data, sizeof(data));

	if (signature)
		methods_put_schemes(&w, conns);
	else
		methods_put_classic(&w, conns);
	if (method_psk_taken(conns)) {
		writer_u8(&w, 2);
		writer_u8(&w, AUTH_METHOD_SHARED_KEY);
	}
	/* RFC 9593, 3.1: one without announcements would mean something else */
	if (writer_ok(&w) && writer_done(&w).n)
		builder_notify(b, PROTOCOL_NONE, BYTES_NONE, NOTIFY_SUPPORTED_AUTH_METHODS, writer_done(&w));
}
