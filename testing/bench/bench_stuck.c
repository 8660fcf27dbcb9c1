/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bench.h"

/*
 * What a broken server outside costs those who do not need it: peers with secrets come up before, while and after others, with
 * certificates, wait for CRLs of a server that takes connections and says nothing. The latter have some certificates with a
 * CRL each, so that there are several fetches. When the server has gone they come up, as their connection does not insist on
 * CRLs: so they did wait.
 */
#define STUCK_CERTS 8
#define STUCK_SLICE 250	 /* the others are seen to after so many set-ups */
#define STUCK_ADDR 0x200000 /* 127.96.0.0 on: a connection of their own */

#define STUCK_SCRIPT                                                                                                        \
	"m $d/pki init; m --issuer=root $d/pki cert gw.load; m $d/pki swanctl gw.load $d; for n in $(seq %d); do "           \
	"m --issuer=root --crl=http://127.0.0.1:%u/$n.crl $d/pki cert client$n.load; done"
#define STUCK_PSK_LOCAL                                                                                                     \
	"load { " CONF_PROPOSALS "local_addrs = 127.0.0.1\n remote_addrs = 127.64.0.0/11\n local { auth = psk\n id = gw.load }\n" \
	" remote { auth = psk }\n" CONF_CHILD_LOCAL " }\n"
#define STUCK_CERT_LOCAL                                                                                                    \
	"certs { " CONF_PROPOSALS "local_addrs = 127.0.0.1\n remote_addrs = 127.96.0.0/11\n unique = never\n"               \
	" local { auth = pubkey\n id = gw.load }\n remote { auth = pubkey\n revocation = relaxed }\n" CONF_CHILD_LOCAL " }\n"

struct stuck {
	int listener;
	unsigned port;
	int asked[4 * STUCK_CERTS];
	size_t n_asked;
	struct load *peers[STUCK_CERTS];
	size_t n;
};

static void stuck_listen(struct stuck *s)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(at);

	s->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (s->listener < 0 || bind(s->listener, (struct sockaddr *)&at, n) != 0 || listen(s->listener, 64) != 0 ||
	    getsockname(s->listener, (struct sockaddr *)&at, &n) != 0) {
		fprintf(stderr, "no server: %s\n", strerror(errno));
		exit(1);
	}
	s->port = ntohs(at.sin_port);
}

static struct load *stuck_peer(struct bench *b, unsigned number)
{
	char conf[1024], cert[128], key[128], ca[128];
	struct load *l;

	snprintf(conf, sizeof(conf), CONF_CERT_REMOTE("client%u.load"), b->gw.port + 1, number);
	snprintf(cert, sizeof(cert), "%s/pki/client%u.load.pem", b->gw.dir, number);
	snprintf(key, sizeof(key), "%s/pki/client%u.load.key", b->gw.dir, number);
	snprintf(ca, sizeof(ca), "%s/pki/root.pem", b->gw.dir);
	l = load_new(b->crypto, conf);
	if (!l || !load_certificates(l, cert, key, ca))
		exit(1);
	l->next_addr = STUCK_ADDR + number * 0x10000;
	return l;
}

/* One turn of all: what came is taken, repeats are sent. */
static void stuck_turn(struct stuck *s)
{
	int fd;

	for (unsigned i = 0; i < STUCK_CERTS; i++)
		load_turn(s->peers[i], 0);
	while (s->n_asked < sizeof(s->asked) / sizeof(s->asked[0]) && (fd = accept(s->listener, NULL, NULL)) >= 0)
		s->asked[s->n_asked++] = fd;
}

static size_t stuck_waiting(const struct stuck *s)
{
	size_t n = 0;

	for (unsigned i = 0; i < STUCK_CERTS; i++)
		n += s->peers[i]->connecting;
	return n;
}

static uint64_t stuck_sent(const struct stuck *s)
{
	uint64_t n = 0;

	for (unsigned i = 0; i < STUCK_CERTS; i++)
		n += s->peers[i]->ctx.counters[SA_COUNTER_AUTH_OUT_REQ];
	return n;
}

/* All have sent IKE_AUTH, and the server has been asked for each CRL. */
static void stuck_begin(struct stuck *s)
{
	double limit = now_wall() + 10;

	for (size_t i = 0; i < s->n; i++)
		load_begin(s->peers[i % STUCK_CERTS]);
	while (stuck_sent(s) < s->n || s->n_asked < (s->n < STUCK_CERTS ? s->n : STUCK_CERTS)) {
		stuck_turn(s);
		load_turn(s->peers[0], 10);
		if (now_wall() < limit)
			continue;
		fprintf(stderr, "%zu peers wait, %zu CRLs were asked for\n", stuck_waiting(s), s->n_asked);
		exit(1);
	}
}

/* The server is gone; then all go on. */
static size_t stuck_end(struct stuck *s)
{
	double limit = now_wall() + 30;
	size_t up = 0;

	close(s->listener);
	for (size_t i = 0; i < s->n_asked; i++)
		close(s->asked[i]);
	s->listener = -1;
	while (stuck_waiting(s) && now_wall() < limit) {
		for (unsigned i = 0; i < STUCK_CERTS; i++)
			load_turn(s->peers[i], 2);
	}
	for (unsigned i = 0; i < STUCK_CERTS; i++)
		up += s->peers[i]->n_sas;
	return up;
}

/* Set-ups per second, the gateway's CPU time for one, and its first messages: two where cookies are asked for. */
struct stuck_rate {
	double per_s, us, requests;
};

static struct stuck_rate stuck_setups(struct bench *b, struct stuck *s, size_t count)
{
	uint64_t sent = b->load->ctx.counters[SA_COUNTER_INIT_OUT_REQ];
	double wall = now_wall(), us = 0;
	size_t n, done;

	for (done = 0; done < count; done += n) {
		n = count - done < STUCK_SLICE ? count - done : STUCK_SLICE;
		us += bench_setups(b, n, 16) * (double)n;
		if (s->listener >= 0)
			stuck_turn(s);
	}
	sent = b->load->ctx.counters[SA_COUNTER_INIT_OUT_REQ] - sent;
	return (struct stuck_rate){ (double)count / (now_wall() - wall), us / (double)count, (double)sent / (double)count };
}

static void stuck_print(const char *when, struct stuck_rate r)
{
	printf("%s: %.0f set-ups/s, %.1f us of CPU and %.2f IKE_SA_INIT requests each\n", when, r.per_s, r.us, r.requests);
}

void bench_stuck(struct bench *b, size_t stuck, size_t count)
{
	struct stuck s = { .n = stuck };
	struct stuck_rate before, during, after;
	char script[512], conf[1024];
	size_t still, up;

	stuck_listen(&s);
	snprintf(script, sizeof(script), STUCK_SCRIPT, STUCK_CERTS, s.port);
	gateway_pki(&b->gw, "ec256", script);
	gateway_start(&b->gw, "connections { " STUCK_PSK_LOCAL STUCK_CERT_LOCAL " }\n" CONF_SECRETS, "revocation { timeout = 60s }");
	snprintf(conf, sizeof(conf), CONF_PSK_REMOTE, b->gw.port + 1);
	b->load = load_new(b->crypto, conf);
	if (!b->load)
		exit(1);
	for (unsigned i = 0; i < STUCK_CERTS; i++)
		s.peers[i] = stuck_peer(b, i + 1);
	(void)bench_setups(b, 500, 16);
	before = stuck_setups(b, &s, count);
	stuck_print("before", before);
	stuck_begin(&s);
	during = stuck_setups(b, &s, count);
	still = stuck_waiting(&s);
	stuck_print("while a CRL server hangs", during);
	up = stuck_end(&s);
	after = stuck_setups(b, &s, count);
	stuck_print("after it", after);
	printf("while it hangs: %.2f x the rate, %.2f x the CPU; %zu of %zu peers waited for %zu CRLs all the time, %zu came up then\n",
	       2 * during.per_s / (before.per_s + after.per_s), 2 * during.us / (before.us + after.us), still, stuck, s.n_asked, up);
	for (unsigned i = 0; i < STUCK_CERTS; i++)
		load_free(s.peers[i]);
	load_free(b->load);
}
