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

#include "floor.h"
#include "load.h"
#include "loop/loop.h"
#include "plugin/loader.h"
#include "util/file.h"

/*
 * What a responder costs: CPU time of a bewickd (kernel-null, settings as shipped but for ports and socket) per
 * set-up, per DPD exchange, per rekeying, memory per pair of SAs; each beside the bare crypto it has to do, measured in the
 * same run. And what SAs cost on which nothing happens, in this process on a clock that is turned by hand: their timers, keepalives,
 * and addresses of this host that change.
 */

#define CONF_LOAD                                                                                  \
	"connections { load { version = 2\n remote_addrs = 127.0.0.1\n remote_port = %u\n"        \
	" proposals = aes128gcm16-prfsha256-x25519\n local { auth = psk }\n remote { auth = psk\n id = gw.load }\n" \
	" children { net { remote_ts = 10.0.0.0/8\n esp_proposals = aes128gcm16-x25519 } } } }\n"  \
	"secrets { ike { secret = \"load\" } }\n"
#define CONF_DAEMON                                                                                \
	"connections { load { version = 2\n local_addrs = 127.0.0.1\n remote_addrs = 127.0.0.0/8\n" \
	" proposals = aes128gcm16-prfsha256-x25519\n local { auth = psk\n id = gw.load }\n remote { auth = psk }\n" \
	" children { net { local_ts = 10.0.0.0/8\n esp_proposals = aes128gcm16-x25519 } } } }\n"   \
	"secrets { ike { secret = \"load\" } }\n"

/* The same with certificates; the other class of keys is the only difference. */
#define CONF_CERT_LOAD                                                                             \
	"connections { load { version = 2\n remote_addrs = 127.0.0.1\n remote_port = %u\n"        \
	" proposals = aes128gcm16-prfsha256-x25519\n local { auth = pubkey\n id = client.load }\n remote { auth = pubkey\n id = gw.load\n } \n" \
	" children { net { remote_ts = 10.0.0.0/8\n esp_proposals = aes128gcm16-x25519 } } } }\n"
#define CONF_CERT_DAEMON                                                                           \
	"connections { load { version = 2\n local_addrs = 127.0.0.1\n remote_addrs = 127.0.0.0/8\n unique = never\n" \
	" proposals = aes128gcm16-prfsha256-x25519\n local { auth = pubkey\n id = gw.load }\n remote { auth = pubkey }\n" \
	" children { net { local_ts = 10.0.0.0/8\n esp_proposals = aes128gcm16-x25519 } } } }\n"

/* Memory is settled when it has not shrunk for so long: more than anything lingers. */
#define BENCH_SETTLED_S 15

struct bench {
	char dir[64];
	pid_t daemon;
	unsigned port;
	const char *build;
	const char *key; /* of certificates: "ec256"; NULL: pre-shared keys */
	const char *mkpki;
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

/* A CA of its own, and a certificate for each side. */
static void bench_certificates(struct bench *b)
{
	char cmd[2048];

	snprintf(cmd, sizeof(cmd),
		 "set -e; m='%s' d='%s' k='--key=%s'; $m $k $d/pki init; for n in gw client; do $m $k --issuer=root $d/pki cert $n.load; "
		 "done; mkdir -p $d/x509 $d/x509ca $d/private; cp $d/pki/gw.load.pem $d/x509; cp $d/pki/root.pem $d/x509ca; "
		 "cp $d/pki/gw.load.key $d/private", b->mkpki, b->dir, b->key);
	if (system(cmd) != 0) {
		fprintf(stderr, "no certificates: is %s there? (-m)\n", b->mkpki);
		exit(1);
	}
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
	bench_write(b, "swanctl.conf", "%s", b->key ? CONF_CERT_DAEMON : CONF_DAEMON);
	if (b->key)
		bench_certificates(b);
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

/* Rekeys all in turn, `parallel` at a time; CPU time of the daemon for one. */
static double bench_rekeys(struct bench *b, bool ike, unsigned parallel)
{
	struct load *l = b->load;
	double cpu = now_cpu(b->daemon), limit = now_wall() + 600;
	size_t begun = 0, before = ike ? l->ike_rekeyed : l->child_rekeyed, done = 0;

	while (done < l->n_sas || l->by_spi.count > l->n_sas) {
		while (begun < l->n_sas && begun - done < parallel && load_rekey(l, begun, ike))
			begun++;
		load_turn(l, 10);
		done = (ike ? l->ike_rekeyed : l->child_rekeyed) - before;
		if (now_wall() > limit) {
			fprintf(stderr, "only %zu of %zu rekeyings came to an end\n", done, l->n_sas);
			exit(1);
		}
	}
	return (now_cpu(b->daemon) - cpu) / (double)l->n_sas * 1e6;
}

/* Memory of the daemon when what lingers for late packets and repeats is gone. */
static double bench_settled_kib(struct bench *b)
{
	double rss = now_rss_kib(b->daemon), since = now_wall(), lower;

	while (now_wall() < since + BENCH_SETTLED_S) {
		load_turn(b->load, 200);
		lower = now_rss_kib(b->daemon);
		if (lower < rss * 0.99) {
			since = now_wall();
			rss = lower;
		}
	}
	return rss;
}

static void bench_rekeying(struct bench *b)
{
	double child_floor = floor_child_rekey(b->crypto, 3000), ike_floor = floor_ike_rekey(b->crypto, 3000);
	double child, ike, before = now_rss_kib(b->daemon), once, twice;

	child = bench_rekeys(b, false, 64);
	printf("rekeying a CHILD_SA with a key exchange: %.1f us = %.2f x its floor of %.1f us\n", child, child / child_floor,
	       child_floor);
	ike = bench_rekeys(b, true, 64);
	printf("rekeying an IKE_SA: %.1f us = %.2f x its floor of %.1f us\n", ike, ike / ike_floor, ike_floor);
	once = bench_settled_kib(b);
	(void)bench_rekeys(b, false, 64);
	(void)bench_rekeys(b, true, 64);
	twice = bench_settled_kib(b);
	/* all at once is the worst case: for seconds there are two of each, and the holes between them stay for a while */
	printf("memory after all were rekeyed at once: %.2f x what it was before, after another time %.2f x (%.0f, %.0f of %.0f KiB)\n",
	       once / before, twice / before, once, twice, before);
}

/* An hour in which peers send ESP and nothing else. */
static void bench_idle(struct bench *b)
{
	struct load_idle idle = load_idle_hour(b->load, 30, 4 * 3600, 24 * 3600);

	printf("timers of %zu idle SAs (dpd_delay 30 s, rekey_time 4 h, reauth_time 24 h): %.2f s of CPU per hour, %.1f wake-ups per "
	       "SA and hour, %.2f us each\n",
	       b->load->n_sas, idle.cpu_s, (double)idle.wakeups / (double)b->load->n_sas,
	       idle.wakeups ? idle.cpu_s / (double)idle.wakeups * 1e6 : 0);
}

static void bench_keepalives(struct bench *b)
{
	struct load_keepalives k = load_keepalives(b->load, 20, 5);

	printf("keepalives of %zu SAs behind NATs, every 20 s: %.2f us each = %.2f x sending them without SAs; with ESP going out instead "
	       "%.2f us per look\n",
	       b->load->n_sas, k.cpu_s / (double)k.sent * 1e6, k.cpu_s / k.floor_s,
	       k.busy_wakeups ? k.busy_cpu_s / (double)k.busy_wakeups * 1e6 : 0);
	if (k.sent < b->load->n_sas * 14)
		fprintf(stderr, "only %llu keepalives were sent\n", (unsigned long long)k.sent);
}

/* Addresses of this host that change are looked at by every SA; after the other figures, as SAs are at one address then. */
static void bench_roam(struct bench *b)
{
	struct load_roam few = load_roam(b->load, 1000), all = load_roam(b->load, b->load->n_sas);
	double each = all.cpu_s / (double)b->load->n_sas * 1e6;

	printf("an address that comes or goes, for %zu SAs that it does not concern: %.0f ms, %.2f us each = %.2f x their route look-ups, "
	       "%.2f x that of 1,000 SAs\n",
	       b->load->n_sas, all.cpu_s * 1e3, each, all.cpu_s / all.floor_s, each / (few.cpu_s / 1000 * 1e6));
}

/* Set-ups with certificates: both sides sign and verify. */
static void bench_signatures(struct bench *b, size_t count)
{
	char conf[1024], cert[128], key[128], ca[128];
	struct buf data = { 0 };
	struct private_key *k;
	struct errtext err;
	double bare, us;

	snprintf(conf, sizeof(conf), CONF_CERT_LOAD, b->port + 1);
	snprintf(cert, sizeof(cert), "%s/pki/client.load.pem", b->dir);
	snprintf(key, sizeof(key), "%s/pki/client.load.key", b->dir);
	snprintf(ca, sizeof(ca), "%s/pki/root.pem", b->dir);
	b->load = load_new(b->crypto, conf);
	if (!b->load || !load_certificates(b->load, cert, key, ca) || file_read(key, LIMIT_CERT, &data) != 0)
		exit(1);
	k = private_key_parse(buf_bytes(&data), KEY_ANY, &err);
	if (!k)
		exit(1);
	bare = floor_setup(b->crypto, 3000) + floor_signatures(k, 1000);
	(void)bench_setups(b, 200, 8);
	us = bench_setups(b, count, 8);
	printf("set-up with %s certificates: %.1f us = %.2f x its floor of %.1f us\n", b->key, us, us / bare, bare);
	private_key_unref(k);
	buf_free(&data);
	load_delete_all(b->load);
	load_free(b->load);
}

static void bench_run(struct bench *b, size_t many)
{
	double setup_floor = floor_setup(b->crypto, 3000), dpd_floor = floor_dpd(b->crypto, 200000);
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
	printf("DPD exchange with %zu SAs at 12,000/s: %.1f us = %.1f x its floor, %.2f x the floor of a set-up, %.0f per CPU "
	       "second; %llu lost\n",
	       b->load->n_sas, dpd, dpd / dpd_floor, dpd / setup_floor, 1e6 / dpd, (unsigned long long)lost);
	bench_rekeying(b);
	bench_idle(b);
	bench_keepalives(b);
	bench_roam(b);
	rss1 = now_rss_kib(b->daemon);
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
	struct bench b = { .port = 15500, .build = ".", .mkpki = "../scripts/mkpki" };
	struct plugin_env env = { 0 };
	struct plugin_options options = { .load = "openssl!" };
	struct errtext err;
	size_t many = 60000;
	char plugins[256];
	int opt;

	while ((opt = getopt(argc, argv, "a:b:m:n:p:")) != -1) {
		if (opt == 'a')
			b.key = optarg;
		else if (opt == 'm')
			b.mkpki = optarg;
		else if (opt == 'b')
			b.build = optarg;
		else if (opt == 'n' && atoi(optarg) >= 4000)
			many = (size_t)atoi(optarg);
		else if (opt == 'p')
			b.port = (unsigned)atoi(optarg);
		else
			return fprintf(stderr, "usage: bench_ike [-b BUILDDIR] [-n SAS (4000 or more)] [-p PORT] [-a KEY -m MKPKI]\n"
				       "-a: set-ups with certificates (ec256, rsa2048, ...), made by scripts/mkpki\n"), 2;
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
	if (b.key)
		bench_signatures(&b, many < 60000 ? many : 4000);
	else
		bench_run(&b, many);
	kill(b.daemon, SIGTERM);
	waitpid(b.daemon, NULL, 0);
	return 0;
}
