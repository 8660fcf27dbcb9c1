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

void bench_certificates(struct bench *b, const char *key, size_t count)
{
	char conf[1024], cert[128], path[128], ca[128];
	struct private_key *k;
	double bare, us;

	gateway_pki(&b->gw, key, CERTS_SCRIPT);
	gateway_start(&b->gw, "connections { " CONF_CERT_LOCAL("") " }\n", "");
	snprintf(conf, sizeof(conf), CONF_CERT_REMOTE("client.load"), b->gw.port + 1);
	snprintf(cert, sizeof(cert), "%s/pki/client.load.pem", b->gw.dir);
	snprintf(path, sizeof(path), "%s/pki/client.load.key", b->gw.dir);
	snprintf(ca, sizeof(ca), "%s/pki/root.pem", b->gw.dir);
	b->load = load_new(b->crypto, conf);
	if (!b->load || !load_certificates(b->load, cert, path, ca))
		exit(1);
	k = certs_key(path);
	bare = floor_setup(b->crypto, 3000) + floor_signatures(k, 1000);
	(void)bench_setups(b, 200, 8);
	us = bench_setups(b, count, 8);
	printf("set-up with %s certificates: %.1f us = %.2f x its floor of %.1f us\n", key, us, us / bare, bare);
	private_key_unref(k);
	load_delete_all(b->load);
	load_free(b->load);
}
