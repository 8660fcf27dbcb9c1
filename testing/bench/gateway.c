/* SPDX-License-Identifier: Apache-2.0 */
#include "gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define GATEWAY_START_S 20

double gateway_cpu(const struct gateway *g)
{
	struct timespec ts;
	clockid_t clock;

	if (clock_getcpuclockid(g->daemon, &clock) != 0 || clock_gettime(clock, &ts) != 0) {
		fprintf(stderr, "bewickd has died\n");
		exit(1);
	}
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

double gateway_rss_kib(const struct gateway *g)
{
	char path[64], line[256];
	double kib = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)g->daemon);
	f = fopen(path, "r");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %lf", &kib) == 1)
			break;
	if (f)
		fclose(f);
	return kib;
}

double now_wall(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

void gateway_write(const struct gateway *g, const char *name, const char *fmt, ...)
{
	char path[128];
	va_list ap;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", g->dir, name);
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

static pid_t gateway_spawn(const struct gateway *g, const char *program, const char *const *args)
{
	const char *argv[16] = { program };
	char path[256], log[128];
	pid_t pid;

	for (size_t i = 0; args[i] && i < 14; i++)
		argv[i + 1] = args[i];
	snprintf(path, sizeof(path), "%s/%s", g->build, program);
	snprintf(log, sizeof(log), "%s/%s.log", g->dir, program);
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

void gateway_pki(const struct gateway *g, const char *key, const char *script)
{
	char cmd[2048];

	snprintf(cmd, sizeof(cmd), "set -e; d='%s'; m() { '%s' --key=%s \"$@\"; }; %s", g->dir, g->mkpki, key, script);
	if (system(cmd) == 0)
		return;
	fprintf(stderr, "no certificates: is %s there? (-m)\n", g->mkpki);
	exit(1);
}

void gateway_start(struct gateway *g, const char *conf, const char *more)
{
	char settings[128], plugins[256], uri[128], sock[128];
	const char *daemon_args[] = { "--settings", settings, "--plugin-dir", plugins, NULL };
	const char *ctl_args[] = { "--load-all", "--uri", uri, NULL };
	double limit = now_wall() + GATEWAY_START_S;
	int status;

	gateway_write(g, "bewick.conf",
		      "bewickd {\n port = %u\n port_nat_t = %u\n kernel = null\n pidfile = %s/pid\n"
		      " plugins { vici { socket = unix://%s/vici\n } %s }\n}\n",
		      g->port, g->port + 1, g->dir, g->dir, more);
	gateway_write(g, "swanctl.conf", "%s", conf);
	snprintf(settings, sizeof(settings), "%s/bewick.conf", g->dir);
	snprintf(plugins, sizeof(plugins), "%s/.libs", g->build);
	snprintf(uri, sizeof(uri), "unix://%s/vici", g->dir);
	snprintf(sock, sizeof(sock), "%s/vici", g->dir);
	setenv("SWANCTL_DIR", g->dir, 1);
	g->daemon = gateway_spawn(g, "bewickd", daemon_args);
	while (access(sock, F_OK) != 0) {
		struct timespec ts = { 0, 20000000 };

		if (waitpid(g->daemon, &status, WNOHANG) != 0 || now_wall() > limit) {
			fprintf(stderr, "bewickd did not start: see %s/bewickd.log\n", g->dir);
			exit(1);
		}
		nanosleep(&ts, NULL);
	}
	if (waitpid(gateway_spawn(g, "swanctl", ctl_args), &status, 0) < 0 || status != 0) {
		fprintf(stderr, "swanctl --load-all failed: see %s/swanctl.log\n", g->dir);
		kill(g->daemon, SIGTERM);
		exit(1);
	}
}

void gateway_stop(struct gateway *g)
{
	kill(g->daemon, SIGTERM);
	waitpid(g->daemon, NULL, 0);
}
