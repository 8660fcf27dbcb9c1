/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "util/bytes.h"

/*
 * Set-ups with a connection and a secret for each peer, which have no address, so that they differ by identity only. Beside them the
 * same with one for all.
 */

#define MANY_LOCAL                                                                                                   \
	"version = 2\n proposals = aes128gcm16-prfsha256-x25519\n local_addrs = 127.0.0.1\n local { auth = psk\n id = gw.load }\n" \
	CONF_CHILD_LOCAL

/* The generator's peers have their addresses as identities, one after the other. */
static void many_conf(struct buf *conf, size_t n)
{
	buf_add_str(conf, "connections {\n");
	for (size_t i = 1; i <= n; i++)
		buf_printf(conf, "site%zu { " MANY_LOCAL " remote { auth = psk\n id = 127.%zu.%zu.%zu } }\n", i, 64 + (i >> 16), i >> 8 & 255,
			   i & 255);
	buf_add_str(conf, n ? "}\nsecrets {\n" : "any { " MANY_LOCAL " remote { auth = psk } }\n}\nsecrets { ike { secret = \"load\" }\n");
	for (size_t i = 1; i <= n; i++)
		buf_printf(conf, "ike-%zu { id = 127.%zu.%zu.%zu\n secret = \"load\" }\n", i, 64 + (i >> 16), i >> 8 & 255, i & 255);
	buf_add_str(conf, "}\n");
}

static double many_run(struct bench *b, size_t conns, size_t count)
{
	struct buf text = { 0 };
	char conf[1024];
	double start, us;

	many_conf(&text, conns);
	start = now_wall();
	gateway_start(&b->gw, buf_str(&text), "");
	printf("%zu connections and secrets: %.2f s from start to all loaded\n", conns ? conns : 1, now_wall() - start);
	snprintf(conf, sizeof(conf), CONF_PSK_REMOTE, b->gw.port + 1);
	b->load = load_new(b->crypto, conf);
	if (!b->load)
		exit(1);
	(void)bench_setups(b, 100, 16);
	us = bench_setups(b, count, 16);
	load_free(b->load);
	buf_free(&text);
	return us;
}

void bench_many(struct bench *b, size_t conns)
{
	size_t count = conns - 100 < 4000 ? conns - 100 : 4000;
	double one = many_run(b, 0, count), many;

	gateway_stop(&b->gw);
	b->gw.port += 2; /* what still comes for the first one is not for the second */
	many = many_run(b, conns, count);
	printf("set-up with one connection: %.1f us, with %zu: %.1f us = %.2f x\n", one, conns, many, many / one);
}
