/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench.h"
#include "floor.h"
#include "plugin/loader.h"

/*
 * What a responder costs: CPU time of a bewickd (kernel-null, settings as shipped but for ports and socket) per
 * set-up, per DPD exchange, per rekeying, memory per pair of SAs; each beside the bare crypto it has to do, measured in the
 * same run. And what SAs cost on which nothing happens, in this process on a clock that is turned by hand: their timers, keepalives,
 * and addresses of this host that change.
 */

/* Memory is settled when it has not shrunk for so long: more than anything lingers. */
#define BENCH_SETTLED_S 15

/* ---- the figures ---- */

double bench_setups(struct bench *b, size_t count, unsigned parallel)
{
	double cpu = gateway_cpu(&b->gw);

	if (!load_establish(b->load, count, parallel))
		exit(1);
	return (gateway_cpu(&b->gw) - cpu) / (double)count * 1e6;
}

#define BENCH_FLOOR_ROUNDS 100

static int bench_compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* One that is low, but no outlier: what else a machine does only adds. */
static double bench_low(double *list, size_t n)
{
	qsort(list, n, sizeof(*list), bench_compare);
	return list[n / 10];
}

struct bench_ratio bench_beside(struct bench *b, size_t count, unsigned parallel, bench_floor_fn *fn, const void *arg)
{
	double us[BENCH_SLICES], bare[BENCH_SLICES];
	struct bench_ratio r;

	for (size_t i = 0; i < BENCH_SLICES; i++) {
		bare[i] = fn(arg, BENCH_FLOOR_ROUNDS);
		us[i] = bench_setups(b, count / BENCH_SLICES, parallel);
	}
	r = (struct bench_ratio){ .us = bench_low(us, BENCH_SLICES), .floor_us = bench_low(bare, BENCH_SLICES) };
	r.ratio = r.us / r.floor_us;
	return r;
}

static double bench_psk_floor(const void *arg, unsigned rounds)
{
	return floor_setup((struct crypto_registry *)(uintptr_t)arg, rounds);
}

/* Brings up more, and probes each of them once. */
static void bench_setups_probed(struct bench *b, size_t count)
{
	struct load *l = b->load;
	double limit = now_wall() + 60;

	while (count) {
		size_t n = count < 500 ? count : 500, first = l->n_sas;
		uint64_t answers = l->ctx.counters[SA_COUNTER_INFO_IN_RESP], sent = 0;

		(void)bench_setups(b, n, 16);
		for (size_t i = first; i < l->n_sas; i++)
			sent += load_probe(l, i);
		while (l->ctx.counters[SA_COUNTER_INFO_IN_RESP] - answers < sent && now_wall() < limit)
			load_turn(l, 10);
		count -= n;
	}
}

/*
 * What a pair of SAs needs: the stored reply to IKE_AUTH is a good part of it, until the peer has probed. Half of them are, each
 * soon after it came up, so that the memory is used again.
 */
static void bench_memory(struct bench *b, size_t count)
{
	double rss[3] = { gateway_rss_kib(&b->gw) }, half = (double)(count / 2);

	(void)bench_setups(b, count / 2, 16);
	rss[1] = gateway_rss_kib(&b->gw);
	bench_setups_probed(b, count / 2);
	rss[2] = gateway_rss_kib(&b->gw);
	printf("memory per IKE_SA + CHILD_SA: %.2f KiB, %.2f KiB when the peer has probed once\n", (rss[1] - rss[0]) / half,
	       (rss[2] - rss[1]) / half);
}

/* Probes all SAs in turn at `rate` per second for `seconds`; ret_lost: requests that had to be repeated. */
static double bench_dpd(struct bench *b, double rate, double seconds, uint64_t *ret_lost)
{
	struct load *l = b->load;
	uint64_t sent = 0, retransmits = l->ctx.counters[SA_COUNTER_RETRANSMIT];
	uint64_t answers = l->ctx.counters[SA_COUNTER_INFO_IN_RESP];
	double cpu = gateway_cpu(&b->gw), start = now_wall(), t;

	while ((t = now_wall() - start) < seconds) {
		unsigned burst = 0;

		while ((double)sent < t * rate && burst++ < 256)
			sent += load_probe(l, sent % l->n_sas);
		load_turn(l, 1);
	}
	for (t = now_wall(); l->ctx.counters[SA_COUNTER_INFO_IN_RESP] - answers < sent && now_wall() < t + 10;)
		load_turn(l, 10);
	cpu = gateway_cpu(&b->gw) - cpu;
	*ret_lost = l->ctx.counters[SA_COUNTER_RETRANSMIT] - retransmits + sent -
		    (l->ctx.counters[SA_COUNTER_INFO_IN_RESP] - answers);
	return cpu / (double)sent * 1e6;
}

/* Rekeys all in turn, `parallel` at a time; CPU time of the daemon for one. */
static double bench_rekeys(struct bench *b, bool ike, unsigned parallel)
{
	struct load *l = b->load;
	double cpu = gateway_cpu(&b->gw), limit = now_wall() + 600;
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
	return (gateway_cpu(&b->gw) - cpu) / (double)l->n_sas * 1e6;
}

/* Memory of the daemon when what lingers for late packets and repeats is gone. */
static double bench_settled_kib(struct bench *b)
{
	double rss = gateway_rss_kib(&b->gw), since = now_wall(), lower;

	while (now_wall() < since + BENCH_SETTLED_S) {
		load_turn(b->load, 200);
		lower = gateway_rss_kib(&b->gw);
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
	double child, ike, before = gateway_rss_kib(&b->gw), once, twice;

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

static void bench_run(struct bench *b, size_t many)
{
	double setup_floor = floor_setup(b->crypto, 3000), dpd_floor = floor_dpd(b->crypto, 200000);
	double rss0, rss1, rss2, dpd;
	struct bench_ratio small, large;
	uint64_t lost;
	char conf[1024];

	gateway_start(&b->gw, "connections { " CONF_PSK_LOCAL " }\n" CONF_SECRETS, "");
	snprintf(conf, sizeof(conf), CONF_PSK_REMOTE, b->gw.port + 1);
	b->load = load_new(b->crypto, conf);
	if (!b->load)
		exit(1);
	printf("floor of a set-up (PSK, X25519, AES-GCM, responder): %.1f us\n", setup_floor);
	printf("floor of a DPD exchange: %.2f us\n", dpd_floor);
	(void)bench_setups(b, 200, 16);
	small = bench_beside(b, 800, 16, bench_psk_floor, b->crypto);
	printf("set-up at 1,000 SAs:  %6.1f us = %.2f x floor\n", small.us, small.ratio);
	rss0 = gateway_rss_kib(&b->gw);
	bench_memory(b, many - 3000);
	large = bench_beside(b, 2000, 16, bench_psk_floor, b->crypto);
	printf("set-up at %zu SAs: %6.1f us = %.2f x floor\n", many, large.us, large.ratio);
	dpd = bench_dpd(b, 12000, 10, &lost);
	printf("DPD exchange with %zu SAs at 12,000/s: %.1f us = %.1f x its floor, %.2f x the floor of a set-up, %.0f per CPU "
	       "second; %llu lost\n",
	       b->load->n_sas, dpd, dpd / dpd_floor, dpd / setup_floor, 1e6 / dpd, (unsigned long long)lost);
	bench_rekeying(b);
	bench_idle(b);
	bench_keepalives(b);
	bench_roam(b);
	rss1 = gateway_rss_kib(&b->gw);
	load_delete_all(b->load);
	rss2 = rss1;
	for (double limit = now_wall() + 30; now_wall() < limit && rss2 > rss0 + (rss1 - rss0) * 0.2;) {
		load_turn(b->load, 200);
		rss2 = gateway_rss_kib(&b->gw);
	}
	printf("memory given back after delete: %.0f %% (%.0f of %.0f KiB)\n", (rss1 - rss2) / (rss1 - rss0) * 100,
	       rss1 - rss2, rss1 - rss0);
	load_free(b->load);
}

static const char usage[] =
	"usage: bench_ike [-b BUILDDIR] [-m MKPKI] [-p PORT] [-n SET-UPS (400, of a whole run 4000 or more)] [-a KEY] [-s PEERS] [-c CONNECTIONS]\n"
	"-a: set-ups with certificates (ec256, rsa2048, ...), made by scripts/mkpki\n"
	"-s: set-ups with secrets while so many peers with certificates wait for a CRL server that hangs\n"
	"-c: set-ups with secrets when each peer has a connection and a secret of its own (200 or more)\n";

struct bench_args {
	const char *key;
	size_t many, stuck, conns; /* many 0: as usual for what is asked */
};

static bool bench_options(struct bench *b, int argc, char **argv, struct bench_args *ret)
{
	int opt;

	while ((opt = getopt(argc, argv, "a:b:c:m:n:p:s:")) != -1) {
		if (opt == 'a')
			ret->key = optarg;
		else if (opt == 'm')
			b->gw.mkpki = optarg;
		else if (opt == 'b')
			b->gw.build = optarg;
		else if (opt == 'c' && atoi(optarg) >= 200)
			ret->conns = (size_t)atoi(optarg);
		else if (opt == 'n' && atoi(optarg) >= 400)
			ret->many = (size_t)atoi(optarg);
		else if (opt == 's' && atoi(optarg) > 0)
			ret->stuck = (size_t)atoi(optarg);
		else if (opt == 'p')
			b->gw.port = (unsigned)atoi(optarg);
		else
			return false;
	}
	/* where memory is measured, there must be enough of it */
	return optind == argc && (ret->key || ret->stuck || ret->conns || !ret->many || ret->many >= 4000);
}

int main(int argc, char **argv)
{
	struct bench b = { .gw = { .port = 15500, .build = ".", .mkpki = "../scripts/mkpki" } };
	struct bench_args args = { 0 };
	struct plugin_env env = { 0 };
	struct plugin_options options = { .load = "openssl!" };
	struct errtext err;
	char plugins[256];

	if (!bench_options(&b, argc, argv, &args))
		return fputs(usage, stderr), 2;
	snprintf(plugins, sizeof(plugins), "%s/.libs", b.gw.build);
	options.dir = plugins;
	b.crypto = env.crypto = crypto_registry_new();
	if (!plugins_load(&options, &env, &err))
		return fprintf(stderr, "%s\n", err.s), 1;
	crypto_registry_freeze(b.crypto);
	snprintf(b.gw.dir, sizeof(b.gw.dir), "/tmp/bench_ike.XXXXXX");
	if (!mkdtemp(b.gw.dir))
		return perror("mkdtemp"), 1;
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (args.conns)
		bench_many(&b, args.conns);
	else if (args.stuck)
		bench_stuck(&b, args.stuck, args.many ? args.many : 6000);
	else if (args.key)
		bench_certificates(&b, args.key, args.many ? args.many : 4000);
	else
		bench_run(&b, args.many ? args.many : 60000);
	gateway_stop(&b.gw);
	return 0;
}
