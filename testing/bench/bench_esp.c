/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ESP in user space costs.
 *
 *   bench_esp crypto            bare AES-GCM and our packets of the same size, sealed and opened
 *   bench_esp net [SECONDS [FLOWS [TUNNELS [LANES [MTU]]]]]
 *                               TCP flows through two backends in two network namespaces (root)
 *   bench_esp net CMD-A CMD-B   the same tunnel, with a command in each namespace; A's end ends it
 *   bench_esp scale [CHILDREN]  install and remove many children in one namespace (root)
 *
 * Inner addresses are 10.1.0.1 (A) and 10.2.0.1 (B), fd01::1 and fd02::1; of the next tunnels 10.1.1.1, and so on.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "config/settings.h"
#include "crypto/esp_crypt.h"
#include "net/net.h"
#include "plugin/loader.h"
#include "userland.h"
#include "util/log.h"

#define PACKET 1400
#define TUNNELS_MAX 100
#define FLOW_PORT 5001

static void die(const char *what)
{
	fprintf(stderr, "bench_esp: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct plugin_env plugin_env;
static struct plugin_set *plugins;

static void crypto_end(void)
{
	plugins_unload(plugins);
	crypto_registry_free(plugin_env.crypto);
}

static const struct crypto_registry *crypto(void)
{
	struct plugin_options options = { .dir = ".", .load = "openssl!" };
	struct errtext err;

	if (plugin_env.crypto)
		return plugin_env.crypto;
	plugin_env.crypto = crypto_registry_new();
	plugins = plugins_load(&options, &plugin_env, &err);
	if (!plugins) {
		fprintf(stderr, "bench_esp: %s\n", err.s);
		exit(1);
	}
	crypto_registry_freeze(plugin_env.crypto);
	atexit(crypto_end);
	return plugin_env.crypto;
}

static const struct suite suite = { .protocol = PROTOCOL_ESP, .encr = ENCR_AES_GCM_16, .encr_bits = 128 };
static const uint8_t keys[2][20] = { { 1, 2, 3 }, { 4, 5, 6 } };

static struct protect protection(void)
{
	struct protect p;

	if (!result_is_ok(protect_init(crypto(), &suite, &p)))
		die("AES-GCM");
	return p;
}

/* ---- crypto ---- */

/* What has one packet done to it; false: failed. */
typedef bool bench_fn(void *arg, uint32_t number);

static uint8_t space[PACKET_HEADROOM + 65536 + PACKET_TAILROOM], *const inner = space + PACKET_HEADROOM;

/* Nanoseconds of one, of the best of many short runs: other programs disturb the rest. */
static double best_of(bench_fn *fn, void *arg)
{
	enum { RUNS = 200, PACKETS = 100 };
	static uint32_t number;
	double best = 1;

	for (int run = 0; run < RUNS; run++) {
		double start = now(CLOCK_THREAD_CPUTIME_ID), cost;

		for (int i = 0; i < PACKETS; i++)
			if (!fn(arg, ++number))
				die("crypto");
		cost = (now(CLOCK_THREAD_CPUTIME_ID) - start) / PACKETS;
		if (cost < best)
			best = cost;
	}
	return best * 1e9;
}

struct bare {
	EVP_CIPHER *cipher;
	EVP_CIPHER_CTX *evp;
	size_t n;
};

/* As little as libcrypto lets one do. */
static bool bare_seal(void *arg, uint32_t number)
{
	struct bare *b = arg;
	uint8_t iv[12] = { 0 }, tag[16], none[16];
	OSSL_PARAM params[] = { OSSL_PARAM_construct_octet_string(OSSL_CIPHER_PARAM_AEAD_TAG, tag, sizeof(tag)),
				OSSL_PARAM_construct_end() };
	int len;

	memcpy(iv, &number, sizeof(number));
	return EVP_EncryptInit_ex2(b->evp, NULL, NULL, iv, NULL) == 1 &&
	       EVP_EncryptUpdate(b->evp, NULL, &len, inner - 16, 8) == 1 &&
	       EVP_EncryptUpdate(b->evp, inner, &len, inner, (int)b->n) == 1 && EVP_EncryptFinal_ex(b->evp, none, &len) == 1 &&
	       EVP_CIPHER_CTX_get_params(b->evp, params) == 1;
}

static double bare_cost(size_t n)
{
	struct bare b = { EVP_CIPHER_fetch(NULL, "AES-128-GCM", NULL), EVP_CIPHER_CTX_new(), n };
	double cost;

	if (!b.cipher || !b.evp || EVP_EncryptInit_ex2(b.evp, b.cipher, keys[0], keys[0], NULL) != 1)
		die("libcrypto");
	cost = best_of(bare_seal, &b);
	EVP_CIPHER_CTX_free(b.evp);
	EVP_CIPHER_free(b.cipher);
	return cost;
}

struct both {
	struct esp_out out;
	struct esp_in in;
	size_t n;
};

static bool esp_seal(void *arg, uint32_t number)
{
	struct both *b = arg;
	enum esp_limit limit;
	struct bytes packet;

	inner[0] = 0x45;
	return esp_encap(&b->out, inner, b->n, number, &packet, &limit) == DROP_NONE;
}

static bool esp_seal_open(void *arg, uint32_t number)
{
	struct both *b = arg;
	enum esp_limit limit;
	struct bytes packet, opened;
	uint8_t next;

	inner[0] = 0x45;
	return esp_encap(&b->out, inner, b->n, number, &packet, &limit) == DROP_NONE &&
	       esp_decap(&b->in, (uint8_t *)packet.p, packet.n, &opened, &next) == DROP_NONE;
}

static void both_init(struct both *b, size_t n)
{
	struct kernel_child c = { .suite = suite, .protect = protection(), .replay_window = 64 };

	c.in.encr_key = c.out.encr_key = bytes_of(keys[0], sizeof(keys[0]));
	*b = (struct both){ .n = n };
	esp_out_init(&b->out, &c);
	esp_in_init(&b->in, &c);
}

static double gbits(size_t n, double ns)
{
	return (double)n * 8 / ns;
}

static int bench_crypto(void)
{
	static const size_t sizes[] = { 64, 500, PACKET, 8900, 60000 };

	for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
		size_t n = sizes[i];
		double bare = bare_cost(n), seal, both;
		struct both b;

		both_init(&b, n);
		seal = best_of(esp_seal, &b);
		both = best_of(esp_seal_open, &b);
		esp_out_clear(&b.out);
		esp_in_clear(&b.in);
		printf("%5zu bytes: bare AES-128-GCM %5.0f ns (%.2f Gbit/s); ESP seal %5.0f ns, open %5.0f ns: %.2f and %.2f x the bare rate\n", n,
		       bare, gbits(n, bare), seal, both - seal, bare / seal, bare / (both - seal));
	}
	return 0;
}

/* ---- a backend in a namespace of its own ---- */

static atomic_int installed;

static void on_done(void *arg, uint64_t token, enum kernel_status status, const struct errtext *err)
{
	if (status != KERNEL_OK) {
		fprintf(stderr, "bench_esp: %s\n", err->s);
		exit(1);
	}
	atomic_fetch_add(&installed, 1);
}

static void wait_installed(int n)
{
	while (atomic_load(&installed) < n)
		sched_yield();
}

static void on_event(void *arg, const struct kernel_event *ev)
{
	fprintf(stderr, "bench_esp: event %d, SPI %08x\n", ev->kind, ev->spi);
}

struct bench {
	double seconds;
	unsigned flows, tunnels, lanes, mtu;
	const char *commands[2];
};

static struct net *bench_net_sockets;

/* Sockets as the daemon has them. */
static struct kernel *backend_start(const struct bench *b)
{
	static struct kernel_env env;
	static int fds[2][LANES_MAX];
	struct net_options o = net_options_default();
	struct errtext err;
	struct kernel *k;
	char text[100];

	snprintf(text, sizeof(text), "bewickd { plugins { kernel-userland { mtu = %u } } }", b->mtu);
	o.esp_sockets = b->lanes;
	o.mark = 220;
	o.steer_secret = 4711;
	if (!result_is_ok(net_open(&o, &bench_net_sockets, &err))) {
		fprintf(stderr, "bench_esp: %s\n", err.s);
		exit(1);
	}
	for (unsigned i = 0; i < b->lanes; i++) {
		fds[0][i] = net_esp_fd(bench_net_sockets, AF_INET, i);
		fds[1][i] = net_esp_fd(bench_net_sockets, AF_INET6, i);
	}
	env = (struct kernel_env){ .settings = settings_from_text(text, &err), .event = on_event, .esp_fds4 = fds[0],
				   .esp_fds6 = fds[1], .esp_n = b->lanes, .mark = 220 };
	k = env.settings ? userland_ops.start(&env, &err) : NULL;
	if (!k) {
		fprintf(stderr, "bench_esp: %s\n", err.s);
		exit(1);
	}
	return k;
}

static struct addr address(const char *text)
{
	struct addr a;

	if (!addr_parse(bytes_str(text), &a))
		die(text);
	a.port = 4500;
	return a;
}

/* Number i of a side has its own nets and its own outer addresses. */
static struct kernel_handle *child_install(struct kernel *k, int side, unsigned i)
{
	struct ts local[2], remote[2], *const ends[] = { side ? remote : local, side ? local : remote };
	struct kernel_child c = { .name = "bench", .protocol = PROTOCOL_ESP, .encap = true, .suite = suite,
				  .protect = protection(), .replay_window = 1024, .copy_df = true, .copy_ecn = true,
				  .local_ts = { 2, local }, .remote_ts = { 2, remote } };
	struct kernel_done done = { .fn = on_done };
	struct kernel_handle *h;
	struct addr outer[2];
	struct errtext err;
	char text[64];

	for (int end = 0; end < 2; end++) {
		snprintf(text, sizeof(text), "10.%d.%u.0/24", end + 1, i);
		if (!ts_parse(bytes_str(text), &ends[end][0]))
			die(text);
		snprintf(text, sizeof(text), "fd0%d:0:0:%x::/64", end + 1, i);
		if (!ts_parse(bytes_str(text), &ends[end][1]))
			die(text);
		snprintf(text, sizeof(text), "192.0.2.%u", 1 + 2 * i + (unsigned)end);
		outer[end] = address(text);
	}
	c.in = (struct kernel_sa){ .spi = 0x1000 + 2 * i + (uint32_t)side, .encr_key = bytes_of(keys[side], 20) };
	c.out = (struct kernel_sa){ .spi = 0x1000 + 2 * i + (uint32_t)!side, .encr_key = bytes_of(keys[!side], 20),
				    .src = outer[side], .dst = outer[!side] };
	if (userland_ops.install(k, &c, done, &h, &err) == KERNEL_FAILED) {
		fprintf(stderr, "bench_esp: %s\n", err.s);
		exit(1);
	}
	wait_installed((int)i + 1);
	return h;
}

static void run(const char *command)
{
	int status = system(command);

	if (status)
		fprintf(stderr, "bench_esp: %s: exit status %d\n", command, WEXITSTATUS(status));
}

static void print_stat(void *arg, const char *name, uint64_t value)
{
	if (value)
		printf("  %s %s %llu\n", (const char *)arg, name, (unsigned long long)value);
}

/* All children of a side together. cpu: seconds of the data plane's threads. */
static void report(struct kernel *k, struct kernel_handle *const *h, const struct bench *b, int side, double cpu)
{
	const char *name = side ? "B" : "A";
	double packets = 0, bytes = 0, size, bare;

	for (unsigned i = 0; i < b->tunnels; i++) {
		struct kernel_usage in, out;

		userland_ops.query(k, h[i], &in, &out);
		packets += (double)(side ? in.packets : out.packets);
		bytes += (double)(side ? in.bytes : out.bytes);
	}
	userland_ops.stats(k, print_stat, (void *)name);
	if (packets <= 0 || cpu <= 0)
		return;
	size = bytes / packets;
	bare = bare_cost((size_t)size);
	printf("%s %s %.0f packets of %.0f bytes, %.0f ns of CPU each: %.2f Gbit/s on one core, %.2f x bare AES-GCM of such packets (%.2f)\n",
	       name, side ? "received" : "sent", packets, size, cpu * 1e9 / packets, bytes * 8 / cpu / 1e9,
	       bare * packets / (cpu * 1e9), gbits((size_t)size, bare));
}

/* ---- flows ---- */

static int flow_socket(const char *local, const char *remote)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(FLOW_PORT) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
	struct addr a = address(remote ? remote : local);

	memcpy(&sa.sin_addr, a.ip, 4);
	if (remote) {
		/* the other side may not be there yet */
		for (int i = 0; connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0; i++) {
			if (i > 10000)
				die("connect");
			poll(NULL, 0, 1);
		}
		return fd;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, TUNNELS_MAX) < 0)
		die("listen");
	return fd;
}

/* CPU seconds of this process without the calling thread. */
static double cpu_others(void)
{
	return now(CLOCK_PROCESS_CPUTIME_ID) - now(CLOCK_THREAD_CPUTIME_ID);
}

/* Flow number i, in a process of its own: its CPU time is not the data plane's. */
static void flow_send(const struct bench *b, unsigned i)
{
	static uint8_t data[131072];
	double end = now(CLOCK_MONOTONIC) + b->seconds;
	char to[32];
	int fd;

	snprintf(to, sizeof(to), "10.2.%u.1", i % b->tunnels);
	fd = flow_socket(NULL, to);
	while (now(CLOCK_MONOTONIC) < end)
		if (write(fd, data, sizeof(data)) < 0)
			die("write");
	/* The tunnel is needed until the other side has it all. */
	shutdown(fd, SHUT_WR);
	while (read(fd, data, sizeof(data)) > 0)
		;
	_exit(0);
}

static void flow_receive(int fd, int result)
{
	static uint8_t data[131072];
	double total = 0;
	ssize_t n;

	while ((n = read(fd, data, sizeof(data))) > 0)
		total += (double)n;
	if (write(result, &total, sizeof(total)) != sizeof(total))
		die("pipe");
	_exit(0);
}

static void flows_send(const struct bench *b)
{
	for (unsigned i = 0; i < b->flows; i++)
		if (fork() == 0)
			flow_send(b, i);
	while (wait(NULL) > 0)
		;
}

static void flows_receive(const struct bench *b)
{
	int fd = flow_socket("0.0.0.0", NULL), result[2];
	double start = 0, took, total = 0, one;

	if (pipe(result) < 0)
		die("pipe");
	for (unsigned i = 0; i < b->flows; i++) {
		int conn = accept(fd, NULL, NULL);

		if (i == 0)
			start = now(CLOCK_MONOTONIC);
		if (fork() == 0)
			flow_receive(conn, result[1]);
		close(conn);
	}
	while (wait(NULL) > 0)
		;
	took = now(CLOCK_MONOTONIC) - start;
	for (unsigned i = 0; i < b->flows && read(result[0], &one, sizeof(one)) == sizeof(one); i++)
		total += one;
	printf("%u flow(s), %u tunnel(s), %u lane(s), MTU %u: %.2f Gbit/s\n", b->flows, b->tunnels, b->lanes, b->mtu,
	       total * 8 / took / 1e9);
	close(fd);
}

static void side_addresses(const struct bench *b, int side)
{
	char line[300];

	run("ip link set lo up");
	snprintf(line, sizeof(line), "ip link set esp0 mtu %u up", b->mtu + 100);
	run(line);
	for (unsigned i = 0; i < b->tunnels; i++) {
		snprintf(line, sizeof(line),
			 "ip addr add 192.0.2.%u/24 dev esp0; ip addr add 10.%d.%u.1/24 dev lo; ip addr add fd0%d:0:0:%x::1/64 dev lo nodad",
			 1 + 2 * i + (unsigned)side, side + 1, i, side + 1, i);
		run(line);
	}
}

/* One side, in its own process and namespace. in/out: pipes that keep the two in step. */
static void side_run(int side, int in, int out, const struct bench *b)
{
	struct kernel_handle *h[TUNNELS_MAX];
	const char *command = b->commands[side];
	struct kernel *k;
	double cpu;
	char byte = 0;

	if (unshare(CLONE_NEWNET) < 0)
		die("a network namespace (root is needed)");
	if (write(out, &byte, 1) != 1 || read(in, &byte, 1) != 1)
		die("pipe");
	side_addresses(b, side);
	k = backend_start(b);
	for (unsigned i = 0; i < b->tunnels; i++)
		h[i] = child_install(k, side, i);
	if (write(out, &byte, 1) != 1 || read(in, &byte, 1) != 1)
		die("pipe");
	cpu = cpu_others();
	if (command)
		run(command);
	else if (side)
		flows_receive(b);
	else
		flows_send(b);
	report(k, h, b, side, command ? 0 : cpu_others() - cpu);
	/* The last packets of a flow need both ends. */
	if (!command && (write(out, &byte, 1) != 1 || read(in, &byte, 1) != 1))
		die("pipe");
	for (unsigned i = 0; i < b->tunnels; i++)
		userland_ops.remove(k, h[i]);
	userland_ops.stop(k);
	run("ip rule show | grep -c 'lookup 220' | grep -qx 0");
	exit(0);
}

static int bench_net(const struct bench *b)
{
	int to[2][2], from[2][2], status;
	pid_t pids[2];
	char line[200], byte = 0;

	fflush(stdout);
	for (int i = 0; i < 2; i++) {
		if (pipe(to[i]) < 0 || pipe(from[i]) < 0)
			die("pipe");
		pids[i] = fork();
		if (pids[i] == 0)
			side_run(i, to[i][0], from[i][1], b);
		/* so that the end of a side is noticed */
		close(to[i][0]);
		close(from[i][1]);
	}
	for (int step = 0; step < (b->commands[0] ? 2 : 3); step++) {
		for (int i = 0; i < 2; i++)
			if (read(from[i][0], &byte, 1) != 1)
				die("a side");
		if (step == 0) {
			snprintf(line, sizeof(line), "ip link add esp0 netns %d type veth peer name esp0 netns %d",
				 (int)pids[0], (int)pids[1]);
			run(line);
		}
		for (int i = 0; i < 2; i++)
			if (write(to[1 - i][1], &byte, 1) != 1)
				die("a side");
	}
	waitpid(pids[0], &status, 0);
	if (b->commands[1])
		kill(pids[1], SIGTERM);
	waitpid(pids[1], NULL, 0);
	return status != 0;
}

/* ---- many children ---- */

static int bench_scale(unsigned n)
{
	struct kernel_done done = { .fn = on_done };
	struct kernel_handle **handles = xcalloc(n, sizeof(*handles));
	struct protect p = protection();
	struct rusage before, after;
	struct errtext err;
	struct kernel *k;
	double start;

	if (unshare(CLONE_NEWNET) < 0)
		die("a network namespace (root is needed)");
	run("ip link set lo up");
	k = backend_start(&(struct bench){ .lanes = 1, .mtu = PACKET });
	getrusage(RUSAGE_SELF, &before);
	start = now(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < n; i++) {
		struct addr host = { .family = AF_INET, .ip = { 10, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i } };
		struct ts local = ts_any(AF_INET), remote = ts_from_addr(&host);
		struct kernel_child c = { .name = "bench", .protocol = PROTOCOL_ESP, .encap = true, .suite = suite,
					  .protect = p, .replay_window = 32, .local_ts = { 1, &local },
					  .remote_ts = { 1, &remote } };

		c.in.encr_key = c.out.encr_key = bytes_of(keys[0], 20);
		c.out.dst = address("192.0.2.2");
		c.out.spi = 0x1000;
		if (userland_ops.spi_alloc(k, 0, done, &c.in.spi, &err) != KERNEL_OK ||
		    userland_ops.install(k, &c, done, &handles[i], &err) == KERNEL_FAILED)
			die(err.s);
	}
	wait_installed((int)n);
	getrusage(RUSAGE_SELF, &after);
	printf("install: %.1f us a child, %.0f bytes a child\n", (now(CLOCK_MONOTONIC) - start) * 1e6 / n,
	       (double)(after.ru_maxrss - before.ru_maxrss) * 1024 / n);
	start = now(CLOCK_MONOTONIC);
	for (unsigned i = 0; i < n; i++)
		userland_ops.remove(k, handles[i]);
	userland_ops.stop(k);
	printf("remove: %.1f us a child\n", (now(CLOCK_MONOTONIC) - start) * 1e6 / n);
	free(handles);
	return 0;
}

int main(int argc, char **argv)
{
	struct bench b = { 5, 1, 1, 1, PACKET, { NULL, NULL } };

	if (getenv("BENCH_LOG"))
		log_sink_add((int8_t[LOG_GROUPS]){ [LOG_GROUP_KNL] = 2, [LOG_GROUP_LIB] = 1 }, log_to_stderr, NULL);
	if (argc > 1 && strcmp(argv[1], "crypto") == 0)
		return bench_crypto();
	if (argc == 4 && strcmp(argv[1], "net") == 0 && atof(argv[2]) <= 0) {
		b.commands[0] = argv[2];
		b.commands[1] = argv[3];
		return bench_net(&b);
	}
	if (argc > 1 && strcmp(argv[1], "net") == 0) {
		unsigned *const numbers[] = { &b.flows, &b.tunnels, &b.lanes, &b.mtu };

		if (argc > 2)
			b.seconds = atof(argv[2]);
		for (int i = 3; i < argc && i < 7; i++)
			*numbers[i - 3] = (unsigned)atoi(argv[i]);
		if (b.flows >= 1 && b.tunnels >= 1 && b.tunnels <= TUNNELS_MAX && b.lanes >= 1 && b.lanes <= LANES_MAX && b.mtu >= 576)
			return bench_net(&b);
	}
	if (argc > 1 && strcmp(argv[1], "scale") == 0)
		return bench_scale(argc > 2 ? (unsigned)atoi(argv[2]) : 60000);
	fprintf(stderr, "usage: bench_esp crypto | net [SECONDS [FLOWS [TUNNELS [LANES [MTU]]]]] | net COMMAND-A COMMAND-B | scale [CHILDREN]\n");
	return 2;
}
