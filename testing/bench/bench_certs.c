/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "floor.h"
#include "util/file.h"

/* What certificates add to a set-up, beside the signatures that nobody can leave out. */

#define CERTS_SCRIPT                                                                                                        \
	"m $d/pki init; for n in gw client; do m --issuer=root $d/pki cert $n.load; done; m $d/pki swanctl gw.load $d"

static struct private_key *certs_key(const char *path)
{
	struct private_key *key = NULL;
	struct buf data = { 0 };
	struct errtext err;

	if (file_read(path, LIMIT_CERT, &data) == 0)
		key = private_key_parse(buf_bytes(&data), KEY_ANY, &err);
	buf_free(&data);
	if (!key)
		exit(1);
	return key;
}

struct certs_floor {
	struct crypto_registry *crypto;
	const struct private_key *key;
	bool new_cert;
};

static double certs_floor(const void *arg, unsigned rounds)
{
	const struct certs_floor *f = arg;

	return floor_signed_setup(f->crypto, f->key, f->new_cert, rounds);
}

static void certs_run(struct bench *b, const char *name, const struct private_key *key, size_t count, bool new_cert)
{
	struct certs_floor floor = { b->crypto, key, new_cert };
	struct bench_ratio r;
	double kib;

	(void)bench_setups(b, 200, 8);
	kib = gateway_rss_kib(&b->gw);
	r = bench_beside(b, count, 8, certs_floor, &floor);
	kib = (gateway_rss_kib(&b->gw) - kib) / (double)(count / BENCH_SLICES * BENCH_SLICES);
	printf("set-up with %s certificates, %s: %.1f us = %.2f x its floor of %.1f us (one signature made, %s verified)\n", name,
	       new_cert ? "each peer with its own" : "the peer's was seen before", r.us, r.ratio, r.floor_us,
	       new_cert ? "AUTH and certificate" : "AUTH");
	printf("memory per IKE_SA + CHILD_SA: %.2f KiB\n", kib);
}

static double certs_decode(const struct load *l)
{
	for (size_t i = 0; i < l->ctx.config->creds->n_certs; i++)
		if (l->ctx.config->creds->certs[i].flag == CERT_FLAG_NONE)
			return floor_decode(l->ctx.config->creds->certs[i].cert->der, 2000);
	return 0;
}

void bench_certificates(struct bench *b, const char *key, size_t count)
{
	char conf[1024], cert[128], path[128], ca[128], ca_key[128];
	struct private_key *k;

	gateway_pki(&b->gw, key, CERTS_SCRIPT);
	gateway_start(&b->gw, "connections { " CONF_CERT_LOCAL("") " }\n", "");
	snprintf(conf, sizeof(conf), CONF_CERT_REMOTE("client.load"), b->gw.port + 1);
	snprintf(cert, sizeof(cert), "%s/pki/client.load.pem", b->gw.dir);
	snprintf(path, sizeof(path), "%s/pki/client.load.key", b->gw.dir);
	snprintf(ca, sizeof(ca), "%s/pki/root.pem", b->gw.dir);
	snprintf(ca_key, sizeof(ca_key), "%s/pki/root.key", b->gw.dir);
	b->load = load_new(b->crypto, conf);
	if (!b->load || !load_certificates(b->load, cert, path, ca))
		exit(1);
	k = certs_key(path);
	certs_run(b, key, k, count, false);
	if (!load_many_certificates(b->load, ca_key, count + 200))
		exit(1);
	certs_run(b, key, k, count, true);
	printf("decoding a certificate, by OpenSSL alone: %.1f us\n", certs_decode(b->load));
	private_key_unref(k);
	load_delete_all(b->load);
	load_free(b->load);
}
