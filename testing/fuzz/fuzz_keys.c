/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Input: a letter that says what follows.
 *   p  a public key
 *   k  a private key
 *   r  an algorithm of IPSECKEY, then a key in its form
 *   d  data of a DNSKEY record
 *   s  an AlgorithmIdentifier of a signature
 *   a  an authentication method, then AUTH data: for each of some keys
 * What is accepted is the same when it is written and read again. The unit tests replay the corpus.
 */
#include <stdlib.h>

#include "crypto/key.h"
#include "fuzz.h"
#include "util/mem.h"

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void public_try(struct public_key *k)
{
	struct public_key *again;
	struct errtext err;

	if (!k)
		return;
	require(k->bits >= 256 && k->bits <= 16384);
	again = public_key_parse(k->spki, k->type, &err);
	require(again && public_key_equal(k, again) && bytes_equal(k->spki, again->spki));
	require(!memcmp(k->id, again->id, KEY_ID_LEN) && !memcmp(k->spki_id, again->spki_id, KEY_ID_LEN));
	public_key_unref(again);
	public_key_unref(k);
}

static void private_try(struct bytes data)
{
	struct errtext err = { "" };
	struct private_key *k = private_key_parse(data, KEY_ANY, &err);

	require(k || err.s[0]);
	if (k)
		public_try(public_key_ref(k->public));
	private_key_unref(k);
}

static void scheme_try(struct bytes der)
{
	struct sig_scheme s, same;

	if (!result_is_ok(sig_scheme_parse(der, &s)))
		return;
	require(result_is_ok(sig_scheme_parse(sig_scheme_der(&s), &same)));
	require(s.kind == same.kind && s.hash == same.hash && s.salt_len == same.salt_len);
}

static const char *const keys[] = {
	/* RSA 1024, ECDSA P-256, Ed25519 */
	"30819d300d06092a864886f70d010101050003818b0030818702818100a0d92e77525daf8aec886ab8b50ad450b148947f7a"
	"4160ae22b1db961e3f354ca15942feabd8c768152effa110a154329fd4c6a749abac585cebfa4bdc240258dcd6e304e7056d"
	"32c7f98095db10c9155e226c478b2cbd6c123ad3ec5ef945c1db3e6a76f0830d313ef00658ba60eafadd2b1b20a275a79c16"
	"7824ba2538b499020103",
	"3059301306072a8648ce3d020106082a8648ce3d03010703420004bd2888f14aa3bf915067c0a9946691966e4dd3fe4555f3"
	"809d7b35d2b6bbb8adf2d83472447f5f72e38cce37c1b8571aa2483d65a64c129f5556e1af5f6ce315",
	"302a300506032b6570032100d934a5929fb57e176b77785d52ac11df57a154f5f5c2b5ef958b4c29824c208d",
};

static void auth_try(unsigned method, struct bytes data)
{
	static struct public_key *parsed[ARRAY_LEN(keys)];
	struct buf scratch = { NULL, 0, 0 };
	struct bytes message = bytes_str("message"), signature;
	struct errtext err;
	struct sig_scheme s;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
		if (!parsed[i]) {
			struct buf spki = { NULL, 0, 0 };

			require(hex_decode(bytes_str(keys[i]), &spki));
			parsed[i] = public_key_parse(buf_bytes(&spki), KEY_ANY, &err);
			require(parsed[i] != NULL);
			buf_free(&spki);
		}
		if (!result_is_ok(auth_signature_parse(method, data, parsed[i], &s, &scratch, &signature)))
			continue;
		require(sig_scheme_fits(&s, parsed[i]));
		require(!result_is_ok(public_key_verify(parsed[i], &s, &message, 1, signature))); /* nobody signed it */
	}
	buf_free(&scratch);
}

static void input_try(struct bytes in)
{
	struct bytes rest = bytes_of(in.p + 1, in.n - 1), after = bytes_of(in.p + 2, in.n < 2 ? 0 : in.n - 2);
	struct errtext err;

	switch (in.p[0]) {
	case 'p':
		public_try(public_key_parse(rest, KEY_ANY, &err));
		break;
	case 'k':
		private_try(rest);
		break;
	case 'r':
		if (rest.n)
			public_try(public_key_parse_ipseckey(rest.p[0], after, &err));
		break;
	case 'd':
		public_try(public_key_parse_dnskey(rest, &err));
		break;
	case 's':
		scheme_try(rest);
		break;
	case 'a':
		if (rest.n)
			auth_try(rest.p[0], after);
		break;
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t *copy;

	if (!size || size > 4096)
		return 0;
	copy = malloc(size); /* of the exact size, so that over-reads show */
	require(copy != NULL);
	memcpy(copy, data, size);
	input_try(bytes_of(copy, size));
	free(copy);
	return 0;
}
