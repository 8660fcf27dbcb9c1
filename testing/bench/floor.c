/* SPDX-License-Identifier: Apache-2.0 */
#include "floor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <openssl/x509v3.h>

#include "auth/psk.h"
#include "auth/signed_octets.h"

/* Bytes of plaintext in the messages that carry a proposal, a nonce and a key. */
#define FLOOR_CREATE 200
/* ... and a certificate and its signature. */
#define FLOOR_SIGNED 900
/* Of a Delete, and of nothing. */
#define FLOOR_DELETE 12
#define FLOOR_EMPTY 1

struct floor {
	struct crypto_ctx *c;
	struct suite suite;
	struct protect protect;
	const struct ke_impl *ke;
	void *peer_key;
	uint8_t peer[64], own[64], nonce[64], msg[1024], key[64], d[32];
	/* of signed set-ups */
	const struct private_key *signer;
	bool new_cert;
	struct sig_scheme scheme;
	struct buf cert_signature;
};

typedef bool floor_fn(struct floor *f);

static double floor_cpu(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double floor_run_with(struct floor f, struct crypto_registry *crypto, unsigned rounds, floor_fn *fn)
{
	double start;

	f.c = crypto_ctx_new(crypto);
	f.suite = (struct suite){ .protocol = PROTOCOL_IKE, .encr = ENCR_AES_GCM_16, .encr_bits = 128, .prf = PRF_HMAC_SHA2_256,
				  .ke = KE_CURVE_25519 };
	f.key[0] = 1;
	f.ke = crypto_ke(crypto, f.suite.ke);
	f.peer_key = f.ke->initiate(f.ke, f.peer);
	crypto_random(f.c, f.nonce, sizeof(f.nonce));
	if (!result_is_ok(protect_init(crypto, &f.suite, &f.protect)))
		exit(1);
	start = floor_cpu();
	for (unsigned i = 0; i < rounds; i++) {
		if (!fn(&f)) {
			fprintf(stderr, "the crypto of a floor failed\n");
			exit(1);
		}
	}
	start = floor_cpu() - start;
	f.ke->key_free(f.peer_key);
	crypto_ctx_free(f.c);
	return start / rounds * 1e6;
}

static double floor_run(struct crypto_registry *crypto, unsigned rounds, floor_fn *fn)
{
	return floor_run_with((struct floor){ 0 }, crypto, rounds, fn);
}

static bool floor_seal_open(struct floor *f, size_t n)
{
	return result_is_ok(protect_seal(f->c, &f->protect, f->key, NULL, f->msg, 32, n)) &&
	       result_is_ok(protect_open(f->c, &f->protect, f->key, NULL, f->msg, 32, n));
}

/* A key pair and the agreement, the keys of an IKE_SA. */
static bool floor_ike_keys(struct floor *f, struct bytes old_d, struct ike_keys *keys)
{
	struct secret shared = { 0 };
	bool ok = crypto_ke_respond(f->c, f->ke, bytes_of(f->peer, 32), f->own, &shared) &&
		  result_is_ok(keys_derive_ike(f->c, &f->suite, secret_bytes(&shared), bytes_of(f->nonce, 32),
					       bytes_of(f->nonce + 32, 32), 1, 2, old_d.n ? f->suite.prf : 0, old_d, keys));

	secret_clear(&shared);
	return ok;
}

static bool floor_child_keys(struct floor *f, struct bytes d, struct bytes shared)
{
	struct secret keymat = { 0 };
	bool ok = result_is_ok(keys_derive_child(f->c, f->suite.prf, d, shared, bytes_of(f->nonce, 32),
						 bytes_of(f->nonce + 32, 32), 20, 0, &keymat));

	secret_clear(&keymat);
	return ok;
}

/* Four NAT hashes, child keys, one message opened and one sealed. */
static bool floor_setup_rest(struct floor *f, const struct ike_keys *keys, size_t bytes)
{
	struct bytes part = bytes_of(f->nonce, 22);
	uint8_t hash[64];
	bool ok = floor_child_keys(f, bytes_of(ike_keys_d(keys), keys->d_len), BYTES_NONE);

	for (unsigned k = 0; ok && k < 4; k++)
		ok = result_is_ok(crypto_hash(f->c, HASH_SHA1, &part, 1, hash));
	return ok && floor_seal_open(f, bytes);
}

static struct psk_octets floor_octets(const struct floor *f)
{
	return (struct psk_octets){ bytes_of(f->msg, 200), bytes_of(f->nonce, 32), bytes_of(f->nonce, 32) };
}

static const struct id floor_id = { ID_TYPE_FQDN, { (const uint8_t *)"gw.load", 7 } };

/* One X25519 pair and agreement, SKEYSEED and seven keys, two AUTHs, and the rest. */
static bool floor_setup_round(struct floor *f)
{
	struct psk_octets octets = floor_octets(f);
	struct ike_keys keys = { 0 };
	uint8_t auth[64];
	size_t n;
	bool ok = floor_ike_keys(f, BYTES_NONE, &keys);

	for (unsigned k = 0; ok && k < 2; k++)
		ok = result_is_ok(psk_auth(f->c, f->suite.prf, bytes_str("load"), &octets, &floor_id, auth, &n));
	ok = ok && floor_setup_rest(f, &keys, FLOOR_CREATE);
	secret_clear(&keys.all);
	return ok;
}

static bool floor_verify(struct floor *f, struct bytes part, struct bytes signature)
{
	return result_is_ok(public_key_verify(f->signer->public, &f->scheme, &part, 1, signature));
}

/* What both sides authenticate, a signature, and one or two that are verified. */
static bool floor_sign(struct floor *f)
{
	struct psk_octets octets = floor_octets(f);
	struct arena arena = { 0 };
	struct buf signature = { 0 };
	struct bytes own = { 0 }, peers = { 0 };
	struct errtext err;
	bool ok = result_is_ok(signed_octets(f->c, f->suite.prf, &octets, &floor_id, &arena, &own)) &&
		  result_is_ok(signed_octets(f->c, f->suite.prf, &octets, &floor_id, &arena, &peers)) &&
		  private_key_sign(f->signer, &f->scheme, &own, 1, &signature, &err) &&
		  floor_verify(f, peers, buf_bytes(&signature)) &&
		  (!f->new_cert || floor_verify(f, bytes_of(f->d, sizeof(f->d)), buf_bytes(&f->cert_signature)));

	buf_free(&signature);
	arena_free(&arena);
	return ok;
}

static bool floor_signed_round(struct floor *f)
{
	struct ike_keys keys = { 0 };
	bool ok = floor_ike_keys(f, BYTES_NONE, &keys) && floor_sign(f) && floor_setup_rest(f, &keys, FLOOR_SIGNED);

	secret_clear(&keys.all);
	return ok;
}

/* One empty INFORMATIONAL opened, one sealed. */
static bool floor_dpd_round(struct floor *f)
{
	return floor_seal_open(f, FLOOR_EMPTY);
}

/* A nonce, a key pair and the agreement, KEYMAT; two exchanges opened and sealed. */
static bool floor_child_rekey_round(struct floor *f)
{
	struct secret shared = { 0 };
	bool ok;

	crypto_random(f->c, f->nonce + 32, 32);
	ok = crypto_ke_respond(f->c, f->ke, bytes_of(f->peer, 32), f->own, &shared) &&
	     floor_child_keys(f, bytes_of(f->d, sizeof(f->d)), secret_bytes(&shared));
	secret_clear(&shared);
	return ok && floor_seal_open(f, FLOOR_CREATE) && floor_seal_open(f, FLOOR_DELETE);
}

/* The same with the seven keys of RFC 7296, 2.18. */
static bool floor_ike_rekey_round(struct floor *f)
{
	struct ike_keys keys = { 0 };
	bool ok;

	crypto_random(f->c, f->nonce + 32, 32);
	ok = floor_ike_keys(f, bytes_of(f->d, sizeof(f->d)), &keys);
	secret_clear(&keys.all);
	return ok && floor_seal_open(f, FLOOR_CREATE) && floor_seal_open(f, FLOOR_DELETE);
}

double floor_signed_setup(struct crypto_registry *crypto, const struct private_key *key, bool new_cert, unsigned rounds)
{
	struct floor f = { .signer = key, .new_cert = new_cert };
	struct bytes part = bytes_of(f.d, sizeof(f.d));
	struct errtext err;
	unsigned method;
	double us;

	if (!sig_scheme_choose(key->public, SIG_HASHES, 0, false, &f.scheme, &method) ||
	    !private_key_sign(key, &f.scheme, &part, 1, &f.cert_signature, &err))
		exit(1);
	us = floor_run_with(f, crypto, rounds, floor_signed_round);
	buf_free(&f.cert_signature);
	return us;
}

double floor_decode(struct bytes der, unsigned rounds)
{
	double start = floor_cpu();

	for (unsigned i = 0; i < rounds; i++) {
		const unsigned char *p = der.p;
		X509 *x = d2i_X509(NULL, &p, (long)der.n);

		if (!x || X509_check_purpose(x, -1, 0) != 1 || !X509_get0_pubkey(x))
			exit(1);
		X509_free(x);
	}
	return (floor_cpu() - start) / rounds * 1e6;
}

double floor_setup(struct crypto_registry *crypto, unsigned rounds)
{
	return floor_run(crypto, rounds, floor_setup_round);
}

double floor_dpd(struct crypto_registry *crypto, unsigned rounds)
{
	return floor_run(crypto, rounds, floor_dpd_round);
}

double floor_child_rekey(struct crypto_registry *crypto, unsigned rounds)
{
	return floor_run(crypto, rounds, floor_child_rekey_round);
}

double floor_ike_rekey(struct crypto_registry *crypto, unsigned rounds)
{
	return floor_run(crypto, rounds, floor_ike_rekey_round);
}
