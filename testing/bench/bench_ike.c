/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "auth/psk.h"
#include "load.h"
#include "loop/loop.h"
#include "plugin/loader.h"

/*
 * What a responder costs: CPU time of a bewickd (kernel-null, settings as shipped but for ports and socket) per
 * set-up, per DPD exchange, memory per pair of SAs; each beside the bare crypto it has to do, measured in the same run.
 */

#define CONF_LOAD                                                                                  \
	"connections { load { version = 2\n remote_addrs = 127.0.0.1\n remote_port = %u\n"        \
	" proposals = aes128gcm16-prfsha256-x25519\n local { auth = psk }\n remote { auth = psk\n id = gw.load }\n" \
	" children { net { remote_ts = 10.0.0.0/8\n esp_proposals = aes128gcm16 } } } }\n"         \
	"secrets { ike { secret = \"load\" } }\n"
#define CONF_DAEMON                                                                                \
	"connections { load { version = 2\n local_addrs = 127.0.0.1\n remote_addrs = 127.0.0.0/8\n" \
	" proposals = aes128gcm16-prfsha256-x25519\n local { auth = psk\n id = gw.load }\n remote { auth = psk }\n" \
	" children { net { local_ts = 10.0.0.0/8\n esp_proposals = aes128gcm16 } } } }\n"          \
	"secrets { ike { secret = \"load\" } }\n"

struct bench {
	char dir[64];
	pid_t daemon;
	unsigned port;
	const char *build;
	struct crypto_registry *crypto;
	struct load *load;
};

static double now_cpu(pid_t pid)
{
	char path[64], line[1024], *p;
	unsigned long long utime, stime;
	FILE *f;

	/* the sum over all threads, in ticks of 10 ms: the spans measured are seconds */
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	f = fopen(path, "r");
	if (!f || !fgets(line, sizeof(line), f)) {
		fprintf(stderr, "bewickd has died\n");
		exit(1);
	}
	fclose(f);
	p = strrchr(line, ')');
	if (!p || sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &utime, &stime) != 2)
		exit(1);
	return (double)(utime + stime) / (double)sysconf(_SC_CLK_TCK);
}

static double now_rss_kib(pid_t pid)
{
	char path[64], line[256];
	double kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %lf", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

static double now_wall(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static double now_own_cpu(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

/* ---- the floor: what nobody can leave out ---- */

/* As responder: one X25519 pair and agreement, SKEYSEED and seven keys, two AUTHs, child keys, four NAT hashes, one
 * message opened and one sealed. */
static double floor_setup(struct bench *b, unsigned rounds)
{
	struct crypto_ctx *c = crypto_ctx_new(b->crypto);
	struct suite s = { .protocol = PROTOCOL_IKE, .encr = ENCR_AES_GCM_16, .encr_bits = 128,
			   .prf = PRF_HMAC_SHA2_256, .ke = KE_CURVE_25519 };
	const struct ke_impl *ke = crypto_ke(b->crypto, s.ke);
	uint8_t peer[64], own[64], nonce[64], msg[512] = { 0 }, auth[64], hash[64];
	struct protect p;
	void *key = ke->initiate(ke, peer);
	double start;
	size_t n;

	crypto_random(c, nonce, sizeof(nonce));
	if (!result_is_ok(protect_init(b->crypto, &s, &p)))
		exit(1);
	start = now_own_cpu();
	for (unsigned i = 0; i < rounds; i++) {
		struct secret shared = { 0 }, keymat = { 0 };
		struct ike_keys keys = { 0 };
		struct id id = { ID_TYPE_FQDN, bytes_of("gw.load", 7) };
		struct psk_octets octets = { bytes_of(msg, 200), bytes_of(nonce, 32), bytes_of(nonce, 32) };
		struct bytes part = bytes_of(nonce, 22);
		bool ok = ke->respond(ke, bytes_of(peer, 32), own, &shared) &&
			  result_is_ok(keys_derive_ike(c, &s, secret_bytes(&shared), bytes_of(nonce, 32),
						       bytes_of(nonce + 32, 32), 1, 2, 0, BYTES_NONE, &keys));

		for (unsigned k = 0; ok && k < 2; k++)
			ok = result_is_ok(psk_auth(c, s.prf, bytes_str("load"), &octets, &id, auth, &n));
		ok = ok && result_is_ok(keys_derive_child(c, s.prf, bytes_of(ike_keys_d(&keys), keys.d_len), BYTES_NONE,
							  bytes_of(nonce, 32), bytes_of(nonce + 32, 32), 20, 0, &keymat));
		for (unsigned k = 0; ok && k < 4; k++)
			ok = result_is_ok(crypto_hash(c, HASH_SHA1, &part, 1, hash));
		ok = ok && result_is_ok(protect_seal(c, &p, ike_keys_ei(&keys), NULL, msg, 32, 200)) &&
		     result_is_ok(protect_open(c, &p, ike_keys_ei(&keys), NULL, msg, 32, 200));
		secret_clear(&shared);
		secret_clear(&keymat);
		secret_clear(&keys.all);
		if (!ok)
			exit(1);
	}
	start = now_own_cpu() - start;
	ke->key_free(key);
	crypto_ctx_free(c);
	return start / rounds * 1e6;
}

/* One empty INFORMATIONAL opened, one sealed. */
static double floor_dpd(struct bench *b, unsigned rounds)
{
	struct crypto_ctx *c = crypto_ctx_new(b->crypto);
	struct suite s = { .protocol = PROTOCOL_IKE, .encr = ENCR_AES_GCM_16, .encr_bits = 128 };
	uint8_t key[20] = { 1 }, msg[128] = { 0 };
	struct protect p;
	double start;

	if (!result_is_ok(protect_init(b->crypto, &s, &p)))
		exit(1);
	start = now_own_cpu();
	for (unsigned i = 0; i < rounds; i++)
		if (!result_is_ok(protect_seal(c, &p, key, NULL, msg, 32, 1)) ||
		    !result_is_ok(protect_open(c, &p, key, NULL, msg, 32, 1)))
			exit(1);
	start = now_own_cpu() - start;
	crypto_ctx_free(c);
	return start / rounds * 1e6;
}

/* ---- the daemon ---- */

static void bench_write(struct bench *b, const char *name, const char *fmt, ...) PRINTF_LIKE(3, 4);
static void bench_write(struct bench *b, const char *name, const char *fmt, ...)
{
	char path[128];
	va_list ap;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", b->dir, name);
	f = fopen(path, "w");
	if (!f) {
		fprintf(stderr, "cannot write %s: %s\n", path, strerror(errno));
		exit(1);
	}
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	fclose(f);
}

static pid_t bench_spawn(struct bench *b, const char *program, const char *const *args)
{
	const char *argv[16] = { program };
	char path[256], log[128];
	pid_t pid;

	for (size_t i = 0; args[i] && i < 14; i++)
		argv[i + 1] = args[i];
	snprintf(path, sizeof(path), "%s/%s", b->build, program);
	snprintf(log, sizeof(log), "%s/%s.log", b->dir, program);
	pid = fork();
	if (pid == 0) {
		int fd = open(log, O_WRONLY | O_CREAT | O_APPEND, 0600);

		dup2(fd, 1);
		dup2(fd, 2);
		execv(path, (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	return pid;
}

static void bench_start(struct bench *b)
{
	char settings[128], plugins[256], uri[128], sock[128];
	const char *daemon_args[] = { "--settings", settings, "--plugin-dir", plugins, NULL };
	const char *ctl_args[] = { "--load-all", "--uri", uri, NULL };
	double limit = now_wall() + 20;
	int status;

	bench_write(b, "bewick.conf",
		    "bewickd {\n port = %u\n port_nat_t = %u\n kernel = null\n pidfile = %s/pid\n"
		    " plugins { vici { socket = unix://%s/vici\n } }\n}\n",
		    b->port, b->port + 1, b->dir, b->dir);
	bench_write(b, "swanctl.conf", "%s", CONF_DAEMON);
	snprintf(settings, sizeof(settings), "%s/bewick.conf", b->dir);
	snprintf(plugins, sizeof(plugins), "%s/.libs", b->build);
	snprintf(uri, sizeof(uri), "unix://%s/vici", b->dir);
	snprintf(sock, sizeof(sock), "%s/vici", b->dir);
	setenv("SWANCTL_DIR", b->dir, 1);
	b->daemon = bench_spawn(b, "bewickd", daemon_args);
	while (access(sock, F_OK) != 0) {
		struct timespec ts = { 0, 20000000 };

		if (waitpid(b->daemon, &status, WNOHANG) != 0 || now_wall() > limit) {
			fprintf(stderr, "bewickd did not start: see %s/bewickd.log\n", b->dir);
			exit(1);
		}
		nanosleep(&ts, NULL);
	}
	if (waitpid(bench_spawn(b, "swanctl", ctl_args), &status, 0) < 0 || status != 0) {
		fprintf(stderr, "swanctl --load-all failed: see %s/swanctl.log\n", b->dir);
		kill(b->daemon, SIGTERM);
		exit(1);
	}
}

/* ---- the figures ---- */

static double bench_setups(struct bench *b, size_t count, unsigned parallel)
{
	double cpu = now_cpu(b->daemon);

	if (!load_establish(b->load, count, parallel))
		exit(1);
	return (now_cpu(b->daemon) - cpu) / (double)count * 1e6;
}

/* Probes all SAs in turn at `rate` per second for `seconds`; ret_lost: requests that had to be repeated. */
static double bench_dpd(struct bench *b, double rate, double seconds, uint64_t *ret_lost)
{
	struct load *l = b->load;
	uint64_t sent = 0, retransmits = l->ctx.counters[SA_COUNTER_RETRANSMIT];
	uint64_t answers = l->ctx.counters[SA_COUNTER_INFO_IN_RESP];
	double cpu = now_cpu(b->daemon), start = now_wall(), t;

	while ((t = now_wall() - start) < seconds) {
		unsigned burst = 0;

		while ((double)sent < t * rate && burst++ < 256)
			sent += load_probe(l, sent % l->n_sas);
		load_turn(l, 1);
	}
	for (t = now_wall(); l->ctx.counters[SA_COUNTER_INFO_IN_RESP] - answers < sent && now_wall() < t + 10;)
		load_turn(l, 10);
	cpu = now_cpu(b->daemon) - cpu;
	*ret_lost = l->ctx.counters[SA_COUNTER_RETRANSMIT] - retransmits + sent -
		    (l->ctx.counters[SA_COUNTER_INFO_IN_RESP] - answers);
	return cpu / (double)sent * 1e6;
}

static void bench_run(struct bench *b, size_t many)
{
	double setup_floor = floor_setup(b, 3000), dpd_floor = floor_dpd(b, 200000);
	double small, large, rss0, rss1, rss2, dpd;
	uint64_t lost;
	char conf[1024];

	snprintf(conf, sizeof(conf), CONF_LOAD, b->port + 1);
	b->load = load_new(b->crypto, conf);
	if (!b->load)
		exit(1);
	printf("floor of a set-up (PSK, X25519, AES-GCM, responder): %.1f us\n", setup_floor);
	printf("floor of a DPD exchange: %.2f us\n", dpd_floor);
	small = bench_setups(b, 1000, 16);
	printf("set-up at 1,000 SAs:  %6.1f us = %.2f x floor\n", small, small / setup_floor);
	rss0 = now_rss_kib(b->daemon);
	(void)bench_setups(b, many - 3000, 16);
	rss1 = now_rss_kib(b->daemon);
	large = bench_setups(b, 2000, 16);
	printf("set-up at %zu SAs: %6.1f us = %.2f x floor\n", many, large, large / setup_floor);
	printf("memory per IKE_SA + CHILD_SA: %.2f KiB\n", (rss1 - rss0) / (double)(many - 3000));
	dpd = bench_dpd(b, 12000, 10, &lost);
	printf("DPD exchange with %zu SAs at 12,000/s: %.1f us = %.1f x its floor, %.2f x the floor of a set-up; %llu lost\n",
	       b->load->n_sas, dpd, dpd / dpd_floor, dpd / setup_floor, (unsigned long long)lost);
	load_delete_all(b->load);
	rss2 = rss1;
	for (double limit = now_wall() + 30; now_wall() < limit && rss2 > rss0 + (rss1 - rss0) * 0.2;) {
		load_turn(b->load, 200);
		rss2 = now_rss_kib(b->daemon);
	}
	printf("memory given back after delete: %.0f %% (%.0f of %.0f KiB)\n", (rss1 - rss2) / (rss1 - rss0) * 100,
	       rss1 - rss2, rss1 - rss0);
	load_free(b->load);
}

int main(int argc, char **argv)
{
	struct bench b = { .port = 15500, .build = "." };
	struct plugin_env env = { 0 };
	struct plugin_options options = { .load = "openssl!" };
	struct errtext err;
	size_t many = 60000;
	char plugins[256];
	int opt;

	while ((opt = getopt(argc, argv, "b:n:p:")) != -1) {
		if (opt == 'b')
			b.build = optarg;
		else if (opt == 'n' && atoi(optarg) >= 4000)
			many = (size_t)atoi(optarg);
		else if (opt == 'p')
			b.port = (unsigned)atoi(optarg);
		else
			return fprintf(stderr, "usage: bench_ike [-b BUILDDIR] [-n SAS (4000 or more)] [-p PORT]\n"), 2;
	}
	snprintf(plugins, sizeof(plugins), "%s/.libs", b.build);
	options.dir = plugins;
	b.crypto = env.crypto = crypto_registry_new();
	if (!plugins_load(&options, &env, &err))
		return fprintf(stderr, "%s\n", err.s), 1;
	crypto_registry_freeze(b.crypto);
	snprintf(b.dir, sizeof(b.dir), "/tmp/bench_ike.XXXXXX");
	if (!mkdtemp(b.dir))
		return perror("mkdtemp"), 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	bench_start(&b);
	bench_run(&b, many);
	kill(b.daemon, SIGTERM);
	waitpid(b.daemon, NULL, 0);
	return 0;
}
