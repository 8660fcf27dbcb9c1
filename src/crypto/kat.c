/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/kat_vectors.h"
#include "crypto/registry.h"

/* Fields of one vector, decoded. Zeroed, it is empty. */
struct decoded {
	struct buf f[5];
	bool ok;
};

static struct decoded decode(const char *a, const char *b, const char *c, const char *d,
			     const char *e)
{
	const char *hex[] = { a, b, c, d, e };
	struct decoded out = { .ok = true };

	for (size_t i = 0; i < 5; i++)
		out.ok &= hex_decode(bytes_str(hex[i]), &out.f[i]);
	return out;
}

static void decoded_free(struct decoded *d)
{
	for (size_t i = 0; i < 5; i++)
		buf_free(&d->f[i]);
}

/* ---- ciphers ---- */

static bool cipher_run(const struct cipher_impl *impl, void *ctx, const struct decoded *v)
{
	const struct buf *key = &v->f[0], *nonce = &v->f[1], *plain = &v->f[3], *sealed = &v->f[4];
	struct bytes aad = buf_bytes(&v->f[2]);
	size_t n = plain->n, total = n + impl->icv_len;
	struct buf data = { 0 };
	bool ok;

	buf_add(&data, plain->p, n);
	memset(buf_extend(&data, impl->icv_len), 0, impl->icv_len);
	ok = impl->ctx_key(impl, ctx, key->p) &&
	     impl->encrypt(impl, ctx, nonce->p, aad, data.p, n, data.p + n) &&
	     !memcmp(data.p, sealed->p, total) &&
	     impl->decrypt(impl, ctx, nonce->p, aad, data.p, n, data.p + n) &&
	     !memcmp(data.p, plain->p, n);
	/* What was tampered with must not pass: last bit of the ICV, first of the text, of the AAD.
	 */
	for (int i = 0; ok && impl->aead && i < 3; i++) {
		uint8_t *spot = i == 0 ? data.p + total - 1 : i == 1 ? data.p : v->f[2].p;

		memcpy(data.p, sealed->p, total);
		*spot ^= 1;
		ok = !impl->decrypt(impl, ctx, nonce->p, aad, data.p, n, data.p + n);
		if (i == 2)
			*spot ^= 1;
	}
	buf_free(&data);
	return ok;
}

static bool cipher_fits(const struct cipher_impl *impl, const struct decoded *v)
{
	return v->ok && v->f[0].n == impl->key_len &&
	       v->f[1].n == (size_t)impl->salt_len + impl->iv_len &&
	       v->f[4].n >= v->f[3].n + impl->icv_len && (!impl->aead || v->f[2].n);
}

static unsigned kat_cipher_id(unsigned id)
{
	return id == ENCR_AES_GCM_8 || id == ENCR_AES_GCM_12 ? ENCR_AES_GCM_16 : id;
}

bool kat_cipher(const struct cipher_impl *impl)
{
	void *ctx = impl->ctx_new(impl);
	bool ok = ctx;

	for (size_t i = 0; ok && i < kat_ciphers_count; i++) {
		const struct kat_cipher *k = &kat_ciphers[i];
		struct decoded v;

		if (k->id != kat_cipher_id(impl->id) || k->key_bits != impl->key_bits)
			continue;
		v = decode(k->key, k->nonce, k->aad, k->plain, k->cipher);
		/* Twice: the second time with a context that was used. */
		ok = cipher_fits(impl, &v) && cipher_run(impl, ctx, &v) &&
		     cipher_run(impl, ctx, &v);
		decoded_free(&v);
	}
	if (ctx)
		impl->ctx_free(ctx);
	return ok;
}

/* ---- MACs ---- */

static bool mac_run(const struct mac_impl *impl, void *ctx, const struct decoded *v)
{
	const struct buf *data = &v->f[1], *expected = &v->f[2];
	struct bytes whole = buf_bytes(data);
	/* In one piece, and then in three with the same key. */
	size_t half = data->n / 2;
	/* (no data has no address to add to) */
	struct bytes parts[] = { { data->p, half }, BYTES_NONE, { half ? data->p + half : data->p, data->n - half } };
	uint8_t out[CRYPTO_MAX_MAC];

	return impl->ctx_key(impl, ctx, buf_bytes(&v->f[0])) &&
	       impl->mac(impl, ctx, &whole, 1, out) && !memcmp(out, expected->p, impl->out_len) &&
	       impl->mac(impl, ctx, parts, 3, out) && !memcmp(out, expected->p, impl->out_len) &&
	       impl->mac(impl, ctx, &whole, 1, out) && !memcmp(out, expected->p, impl->out_len);
}

static bool kat_mac(const struct mac_impl *impl, const struct kat_mac *table, size_t count)
{
	void *ctx = impl->ctx_new(impl);
	bool ok = ctx;

	for (size_t i = 0; ok && i < count; i++) {
		struct decoded v;

		if (table[i].id != impl->id)
			continue;
		v = decode(table[i].key, table[i].data, table[i].mac, "", "");
		ok = v.ok && v.f[2].n == impl->out_len && mac_run(impl, ctx, &v);
		decoded_free(&v);
	}
	if (ctx)
		impl->ctx_free(ctx);
	return ok;
}

bool kat_integ(const struct mac_impl *impl)
{
	return kat_mac(impl, kat_integs, kat_integs_count);
}

bool kat_prf(const struct mac_impl *impl)
{
	return kat_mac(impl, kat_prfs, kat_prfs_count);
}

bool kat_hash(const struct hash_impl *impl)
{
	bool ok = true;

	for (size_t i = 0; ok && i < kat_hashes_count; i++) {
		const struct kat_hash *k = &kat_hashes[i];
		uint8_t out[CRYPTO_MAX_MAC];
		struct decoded v;
		struct bytes data;

		if (k->id != impl->id)
			continue;
		v = decode(k->data, k->hash, "", "", "");
		data = buf_bytes(&v.f[0]);
		ok = v.ok && v.f[1].n == impl->out_len && impl->hash(impl, &data, 1, out) &&
		     !memcmp(out, v.f[1].p, v.f[1].n);
		decoded_free(&v);
	}
	return ok;
}

/* ---- key exchange ---- */

/* secret: the whole, or the first bytes of it. */
static bool ke_run(const struct ke_impl *impl, struct bytes private_value, struct bytes peer,
		   struct bytes secret)
{
	void *key = impl->import(impl, private_value);
	struct secret got = { 0 };
	bool ok = key && impl->finish(impl, key, peer, &got) && got.n == impl->secret_len &&
		  secret.n <= got.n && !memcmp(got.p, secret.p, secret.n);

	secret_clear(&got);
	if (key)
		impl->key_free(key);
	return ok;
}

static bool ke_refuses(const struct ke_impl *impl, struct bytes bad_peer)
{
	struct secret secret = { 0 };
	struct buf public_value = { 0 };
	bool refused =
		!impl->respond(impl, NULL, bad_peer, buf_extend(&public_value, impl->resp_len), &secret);

	secret_clear(&secret);
	buf_free(&public_value);
	return refused;
}

/* Both sides of a fresh exchange agree. */
static bool ke_agrees(const struct ke_impl *impl)
{
	struct buf public_i = { 0 }, public_r = { 0 };
	struct secret secret_i = { 0 }, secret_r = { 0 };
	void *key = impl->initiate(impl, buf_extend(&public_i, impl->init_len));
	bool ok = key &&
		  impl->respond(impl, NULL, bytes_of(public_i.p, impl->init_len),
				buf_extend(&public_r, impl->resp_len), &secret_r) &&
		  impl->finish(impl, key, bytes_of(public_r.p, impl->resp_len), &secret_i) &&
		  secret_i.n == impl->secret_len &&
		  secret_equal(secret_bytes(&secret_i), secret_bytes(&secret_r));

	if (key)
		impl->key_free(key);
	secret_clear(&secret_i);
	secret_clear(&secret_r);
	buf_free(&public_i);
	buf_free(&public_r);
	return ok;
}

static bool kat_modp_ke(const struct ke_impl *impl, const struct kat_modp *k)
{
	struct decoded v = decode(k->private_value, k->secret, "", "", "");
	struct buf peer = { 0 };
	uint8_t *p = buf_extend(&peer, impl->init_len);
	bool ok;

	memset(p, 0, impl->init_len);
	p[0] = 0x80;
	ok = v.ok && ke_run(impl, buf_bytes(&v.f[0]), buf_bytes(&peer), buf_bytes(&v.f[1]));
	/* RFC 6989, 2.1: neither 0, 1 nor what is not below the prime. */
	p[0] = 0;
	ok = ok && ke_refuses(impl, buf_bytes(&peer));
	p[impl->init_len - 1] = 1;
	ok = ok && ke_refuses(impl, buf_bytes(&peer));
	memset(p, 0xff, impl->init_len);
	ok = ok && ke_refuses(impl, buf_bytes(&peer));
	buf_free(&peer);
	decoded_free(&v);
	return ok;
}

bool kat_ke(const struct ke_impl *impl)
{
	/* The large MODP groups would take long to try at every start. */
	bool ok = impl->init_len > 384 || ke_agrees(impl);

	for (size_t i = 0; ok && impl->import && i < kat_kes_count; i++) {
		const struct kat_ke *k = &kat_kes[i];
		struct decoded v;

		if (k->id != impl->id)
			continue;
		v = decode(k->private_value, k->peer, k->secret, k->bad_peer, "");
		ok = v.ok &&
		     ke_run(impl, buf_bytes(&v.f[0]), buf_bytes(&v.f[1]), buf_bytes(&v.f[2])) &&
		     ke_refuses(impl, buf_bytes(&v.f[3]));
		decoded_free(&v);
	}
	for (size_t i = 0; ok && impl->import && i < kat_modps_count; i++) {
		if (kat_modps[i].id == impl->id)
			ok = kat_modp_ke(impl, &kat_modps[i]);
	}
	return ok;
}

/* No known answers here: only that it does something. */
bool kat_rng(const struct rng_impl *impl)
{
	uint8_t a[32] = { 0 }, b[32] = { 0 }, zero[32] = { 0 };

	return impl->random(a, sizeof(a)) && impl->random(b, sizeof(b)) &&
	       memcmp(a, b, sizeof(a)) && memcmp(a, zero, sizeof(a)) && memcmp(b, zero, sizeof(b));
}
