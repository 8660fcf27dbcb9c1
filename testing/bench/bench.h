/* SPDX-License-Identifier: Apache-2.0 */
#ifndef BEWICK_TESTING_BENCH_BENCH_H
#define BEWICK_TESTING_BENCH_BENCH_H

#include "gateway.h"
#include "load.h"

/* What the parts of bench_ike share. */
struct bench {
	struct gateway gw;
	struct crypto_registry *crypto;
	struct load *load;
};

/* Connections of both sides; the generator's have a %u for the gateway's port NAT-T. */
#define CONF_PROPOSALS "version = 2\n proposals = aes128gcm16-prfsha256-x25519\n"
#define CONF_LOCAL "local_addrs = 127.0.0.1\n remote_addrs = 127.0.0.0/8\n" CONF_PROPOSALS
#define CONF_REMOTE "remote_addrs = 127.0.0.1\n remote_port = %u\n" CONF_PROPOSALS
#define CONF_CHILD_LOCAL "children { net { local_ts = 10.0.0.0/8\n esp_proposals = aes128gcm16-x25519 } }\n"
#define CONF_CHILD_REMOTE "children { net { remote_ts = 10.0.0.0/8\n esp_proposals = aes128gcm16-x25519 } }\n"
#define CONF_SECRETS "secrets { ike { secret = \"load\" } }\n"

#define CONF_PSK_REMOTE                                                                                              \
	"connections { load { " CONF_REMOTE " local { auth = psk }\n remote { auth = psk\n id = gw.load }\n"          \
	CONF_CHILD_REMOTE " } }\n" CONF_SECRETS
#define CONF_PSK_LOCAL                                                                                               \
	"load { " CONF_LOCAL " local { auth = psk\n id = gw.load }\n remote { auth = psk }\n" CONF_CHILD_LOCAL " }\n"
/* The same with certificates; the other class of keys is the only difference. remote: more of the peer's section. */
#define CONF_CERT_REMOTE(id)                                                                                         \
	"connections { load { " CONF_REMOTE " local { auth = pubkey\n id = " id " }\n remote { auth = pubkey\n id = gw.load }\n" \
	CONF_CHILD_REMOTE " } }\n"
#define CONF_CERT_LOCAL(remote)                                                                                      \
	"certs { " CONF_LOCAL " unique = never\n local { auth = pubkey\n id = gw.load }\n remote { auth = pubkey\n " remote " }\n" \
	CONF_CHILD_LOCAL " }\n"

/* Brings up `count` more, `parallel` at a time; CPU time of the gateway for one, in microseconds. */
double bench_setups(struct bench *b, size_t count, unsigned parallel);
/*
 * The same beside a floor: in many slices, each measured just after its floor, so that what else this machine does meets both. The
 * tenth percentile of the slices, as other work only adds.
 */
#define BENCH_SLICES 40
typedef double bench_floor_fn(const void *arg, unsigned rounds);
struct bench_ratio {
	double us, floor_us, ratio;
};
struct bench_ratio bench_beside(struct bench *b, size_t count, unsigned parallel, bench_floor_fn *fn, const void *arg);
/* Set-ups with certificates of this kind of key: both sides sign and verify. */
void bench_certificates(struct bench *b, const char *key, size_t count);
/* Peers with secrets while `stuck` peers wait for a server of CRLs that does not answer. */
void bench_stuck(struct bench *b, size_t stuck, size_t count);
/* Peers with secrets that have a connection each. */
void bench_many(struct bench *b, size_t conns);

#endif
