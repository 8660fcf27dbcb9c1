/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What ESP in user space costs.
 *
 *   bench_esp crypto            sealing alone: the floor
 *   bench_esp net [SECONDS]     a TCP flow through two backends in two network namespaces (root)
 *   bench_esp net CMD-A CMD-B   the same tunnel, with a command in each namespace; A's end ends it
 *   bench_esp scale [CHILDREN]  install and remove many children in one namespace (root)
 *
 * Inner addresses are 10.1.0.1 (A) and 10.2.0.1 (B), fd01::1 and fd02::1.
 */
#include <errno.h>
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

#include "crypto/esp_crypt.h"
#include "plugin/loader.h"
#include "userland.h"
#include "util/log.h"

#define PACKET 1400
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

static int bench_crypto(void)
{
	struct protect p = protection();
	struct esp_crypt *c = esp_crypt_new(&p, keys[0], NULL);
	static uint8_t packet[8 + 8 + PACKET + 64];
	enum { ROUNDS = 500000 };
	double start = now(CLOCK_PROCESS_CPUTIME_ID), cost;

	for (uint32_t i = 1; i <= ROUNDS; i++) {
		memcpy(packet + 4, &i, 4);
		if (!esp_crypt_seal(c, packet, PACKET, 0, false))
			die("seal");
	}
	cost = (now(CLOCK_PROCESS_CPUTIME_ID) - start) / ROUNDS;
	printf("AES-128-GCM of %d bytes: %.0f ns, %.2f Gbit/s\n", PACKET, cost * 1e9, PACKET * 8 / cost / 1e9);
	esp_crypt_free(c);
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

static int esp_socket(int family)
{
	int fd = socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, size = 8 << 20, mark = 220;
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(4500) };
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(4500) };

	if (family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	setsockopt(fd, SOL_SOCKET, SO_MARK, &mark, sizeof(mark));
	if (bind(fd, family == AF_INET ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6,
		 family == AF_INET ? sizeof(v4) : sizeof(v6)) < 0)
		die("bind to port 4500");
	return fd;
}

static int fd4, fd6;

static void on_event(void *arg, const struct kernel_event *ev)
{
	fprintf(stderr, "bench_esp: event %d, SPI %08x\n", ev->kind, ev->spi);
}

static struct kernel *backend_start(void)
{
	static struct kernel_env env;
	struct errtext err;
	struct kernel *k;

	fd4 = esp_socket(AF_INET);
	fd6 = esp_socket(AF_INET6);
	env = (struct kernel_env){ .event = on_event, .esp_fds4 = &fd4, .esp_fds6 = &fd6, .esp_n = 1, .mark = 220 };
	k = userland_ops.start(&env, &err);
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

static struct kernel_handle *child_install(struct kernel *k, int side)
{
	static const char *const inner4[] = { "10.1.0.0/24", "10.2.0.0/24" }, *const inner6[] = { "fd01::/64", "fd02::/64" };
	static const char *const outer[] = { "192.0.2.1", "192.0.2.2" };
	struct ts local[2], remote[2];
	struct kernel_child c = { .name = "bench", .protocol = PROTOCOL_ESP, .encap = true, .suite = suite,
				  .protect = protection(), .replay_window = 1024, .copy_df = true, .copy_ecn = true,
				  .local_ts = { 2, local }, .remote_ts = { 2, remote } };
	struct kernel_done done = { .fn = on_done };
	struct kernel_handle *h;
	struct errtext err;

	if (!ts_parse(bytes_str(inner4[side]), &local[0]) || !ts_parse(bytes_str(inner6[side]), &local[1]) ||
	    !ts_parse(bytes_str(inner4[!side]), &remote[0]) || !ts_parse(bytes_str(inner6[!side]), &remote[1]))
		die("selectors");
	c.in = (struct kernel_sa){ .spi = 0x1000 + (uint32_t)side, .encr_key = bytes_of(keys[side], 20) };
	c.out = (struct kernel_sa){ .spi = 0x1000 + (uint32_t)!side, .encr_key = bytes_of(keys[!side], 20),
				    .src = address(outer[side]), .dst = address(outer[!side]) };
	if (userland_ops.install(k, &c, done, &h, &err) == KERNEL_FAILED) {
		fprintf(stderr, "bench_esp: %s\n", err.s);
		exit(1);
	}
	wait_installed(1);
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

static void report(struct kernel *k, struct kernel_handle *h, int side, double cpu)
{
	const char *name = side ? "B" : "A";
	struct kernel_usage in, out;
	uint64_t packets;

	userland_ops.query(k, h, &in, &out);
	packets = in.packets + out.packets;
	printf("%s: in %llu packets %llu bytes, out %llu packets %llu bytes", name, (unsigned long long)in.packets,
	       (unsigned long long)in.bytes, (unsigned long long)out.packets, (unsigned long long)out.bytes);
	if (packets && cpu > 0)
		printf("; %.0f ns CPU a packet", cpu * 1e9 / (double)packets);
	printf("\n");
	userland_ops.stats(k, print_stat, (void *)(side ? "B" : "A"));
}

/* ---- a flow ---- */

static int flow_socket(const char *local, const char *remote)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(FLOW_PORT) };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, conn;
	struct addr a = address(remote ? remote : local);

	memcpy(&sa.sin_addr, a.ip, 4);
	if (remote) {
		for (int i = 0; connect(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0; i++)
			if (i > 1000)
				die("connect");
		return fd;
	}
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 1) < 0)
		die("listen");
	conn = accept(fd, NULL, NULL);
	close(fd);
	return conn;
}

/* CPU seconds of this process without the calling thread. */
static double cpu_others(void)
{
	return now(CLOCK_PROCESS_CPUTIME_ID) - now(CLOCK_THREAD_CPUTIME_ID);
}

static void flow_send(double seconds)
{
	static uint8_t data[131072];
	int fd = flow_socket(NULL, "10.2.0.1");
	double end = now(CLOCK_MONOTONIC) + seconds;

	while (now(CLOCK_MONOTONIC) < end)
		if (write(fd, data, sizeof(data)) < 0)
			die("write");
	/* The tunnel is needed until the other side has it all. */
	shutdown(fd, SHUT_WR);
	while (read(fd, data, sizeof(data)) > 0)
		;
	close(fd);
}

static void flow_receive(void)
{
	static uint8_t data[131072];
	int fd = flow_socket("10.2.0.1", NULL);
	double start = now(CLOCK_MONOTONIC), total = 0;
	ssize_t n;

	while ((n = read(fd, data, sizeof(data))) > 0)
		total += (double)n;
	printf("one TCP flow: %.2f Gbit/s\n", total * 8 / (now(CLOCK_MONOTONIC) - start) / 1e9);
	close(fd);
}

/* One side, in its own process and namespace. in/out: pipes that keep the two in step. */
static void side_run(int side, int in, int out, double seconds, const char *command)
{
	static const char *const setup[] = {
		"ip addr add 192.0.2.1/24 dev esp0; ip addr add 10.1.0.1/24 dev lo; ip addr add fd01::1/64 dev lo nodad",
		"ip addr add 192.0.2.2/24 dev esp0; ip addr add 10.2.0.1/24 dev lo; ip addr add fd02::1/64 dev lo nodad",
	};
	struct kernel *k;
	struct kernel_handle *h;
	double cpu;
	char byte = 0;

	if (unshare(CLONE_NEWNET) < 0)
		die("a network namespace (root is needed)");
	if (write(out, &byte, 1) != 1 || read(in, &byte, 1) != 1)
		die("pipe");
	run("ip link set lo up; ip link set esp0 up");
	run(setup[side]);
	k = backend_start();
	h = child_install(k, side);
	if (write(out, &byte, 1) != 1 || read(in, &byte, 1) != 1)
		die("pipe");
	cpu = cpu_others();
	if (command)
		run(command);
	else if (side)
		flow_receive();
	else
		flow_send(seconds);
	report(k, h, side, command ? 0 : cpu_others() - cpu);
	/* The last packets of a flow need both ends. */
	if (!command && (write(out, &byte, 1) != 1 || read(in, &byte, 1) != 1))
		die("pipe");
	userland_ops.remove(k, h);
	userland_ops.stop(k);
	run("ip rule show | grep -c 'lookup 220' | grep -qx 0");
	exit(0);
}

static int bench_net(double seconds, const char *const commands[2])
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
			side_run(i, to[i][0], from[i][1], seconds, commands[i]);
	}
	for (int step = 0; step < (commands[0] ? 2 : 3); step++) {
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
	if (commands[1])
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
	k = backend_start();
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
	const char *commands[2] = { NULL, NULL };

	if (getenv("BENCH_LOG"))
		log_sink_add((int8_t[LOG_GROUPS]){ [LOG_GROUP_KNL] = 2, [LOG_GROUP_LIB] = 1 }, log_to_stderr, NULL);
	if (argc > 1 && strcmp(argv[1], "crypto") == 0)
		return bench_crypto();
	if (argc > 3 && strcmp(argv[1], "net") == 0) {
		commands[0] = argv[2];
		commands[1] = argv[3];
		return bench_net(0, commands);
	}
	if (argc > 1 && strcmp(argv[1], "net") == 0)
		return bench_net(argc > 2 ? atof(argv[2]) : 5, commands);
	if (argc > 1 && strcmp(argv[1], "scale") == 0)
		return bench_scale(argc > 2 ? (unsigned)atoi(argv[2]) : 60000);
	fprintf(stderr, "usage: bench_esp crypto | net [SECONDS] | net COMMAND-A COMMAND-B | scale [CHILDREN]\n");
	return 2;
}
