/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/scripts.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop/loop.h"
#include "util/log.h"
#include "util/mem.h"

#define SCRIPT_LINE 1024

struct script {
	struct script *next;
	char *name, *command;
};

struct script_run {
	const char *name;
	pid_t pid;
	int out_fd;
	int cancel_fd;
	uint64_t deadline_ms;
	char line[SCRIPT_LINE];
	size_t used;
};

/* ---- the list ---- */

struct script_list {
	const struct settings *settings;
	const char *section;
	struct script *first, **last;
};

static void script_add(void *arg, const char *name)
{
	struct script_list *list = arg;
	char *key = xasprintf("%s.%s", list->section, name);
	const char *command = settings_str(list->settings, key, NULL);
	struct script *script;

	free(key);
	if (!command)
		return;
	script = xcalloc(1, sizeof(*script));
	script->name = xstrdup(name);
	script->command = xstrdup(command);
	*list->last = script;
	list->last = &script->next;
}

static struct script *script_list_read(const struct settings *s, const char *section)
{
	struct script_list list = { .settings = s, .section = section };

	list.last = &list.first;
	settings_each(s, section, false, script_add, &list);
	return list.first;
}

static void script_list_free(struct script *first)
{
	while (first) {
		struct script *next = first->next;

		free(first->name);
		free(first->command);
		free(first);
		first = next;
	}
}

/* ---- one script ---- */

static int script_spawn(const char *command, int out_fd, pid_t *ret_pid)
{
	char *const argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, (char *)(uintptr_t)command, NULL };
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int e;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out_fd, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, out_fd, STDERR_FILENO);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr,
				 POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	e = posix_spawn(ret_pid, "/bin/sh", &files, &attr, argv, environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return e;
}

static void script_log_line(struct script_run *r)
{
	if (r->used)
		LOG(DMN, LOG_LEVEL_CONTROL, "%s: %.*s", r->name, (int)r->used, r->line);
	r->used = 0;
}

/* False: end of the output. */
static bool script_read(struct script_run *r)
{
	char buf[512];
	ssize_t n = read(r->out_fd, buf, sizeof(buf));

	if (n < 0)
		return errno == EINTR;
	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] == '\n' || r->used == sizeof(r->line))
			script_log_line(r);
		if (buf[i] != '\n')
			r->line[r->used++] = buf[i];
	}
	return n > 0;
}

/* Until the output ends. False: cancelled or too late. */
static bool script_follow(struct script_run *r)
{
	for (;;) {
		struct pollfd p[2] = { { .fd = r->out_fd, .events = POLLIN },
				       { .fd = r->cancel_fd, .events = POLLIN } };
		uint64_t now = clock_monotonic_ms();

		if (now >= r->deadline_ms)
			return false;
		if (poll(p, 2, (int)(r->deadline_ms - now)) < 0 && errno != EINTR)
			return false;
		if (p[1].revents)
			return false;
		if (p[0].revents && !script_read(r))
			return true;
	}
}

/* A child that closed its output may run on: it is waited for within the limit. */
static bool script_wait(struct script_run *r, int *ret_status)
{
	for (;;) {
		uint64_t now = clock_monotonic_ms();
		struct pollfd p = { .fd = r->cancel_fd, .events = POLLIN };
		pid_t pid = waitpid(r->pid, ret_status, WNOHANG);

		if (pid == r->pid || (pid < 0 && errno != EINTR))
			return pid == r->pid;
		if (now >= r->deadline_ms || poll(&p, 1, 10) > 0)
			return false;
	}
}

static void script_report(const struct script_run *r, bool ended, int status)
{
	if (!ended)
		LOG(DMN, LOG_LEVEL_AUDIT, "script '%s' was killed: it did not end in time", r->name);
	else if (WIFSIGNALED(status))
		LOG(DMN, LOG_LEVEL_AUDIT, "script '%s' was ended by signal %d", r->name, WTERMSIG(status));
	else if (WEXITSTATUS(status))
		LOG(DMN, LOG_LEVEL_AUDIT, "script '%s' failed with status %d", r->name, WEXITSTATUS(status));
	else
		LOG(DMN, LOG_LEVEL_DETAIL, "script '%s' is done", r->name);
}

/* False: cancelled, or out of time. */
static bool script_run(const struct script *script, int cancel_fd, uint64_t deadline_ms)
{
	struct script_run r = { .name = script->name, .cancel_fd = cancel_fd, .deadline_ms = deadline_ms };
	int pipe_fds[2], status = 0, e;
	bool ended;

	LOG(DMN, LOG_LEVEL_CONTROL, "running script '%s' (%s)", script->name, script->command);
	if (pipe2(pipe_fds, O_CLOEXEC) < 0) {
		LOG(DMN, LOG_LEVEL_AUDIT, "script '%s': cannot make a pipe: %s", script->name, strerror(errno));
		return true;
	}
	e = script_spawn(script->command, pipe_fds[1], &r.pid);
	close(pipe_fds[1]);
	r.out_fd = pipe_fds[0];
	if (e) {
		LOG(DMN, LOG_LEVEL_AUDIT, "script '%s' cannot be run: %s", script->name, strerror(e));
		close(r.out_fd);
		return true;
	}
	ended = script_follow(&r) && script_wait(&r, &status);
	script_log_line(&r);
	if (!ended) {
		kill(-r.pid, SIGKILL);
		waitpid(r.pid, &status, 0);
	}
	close(r.out_fd);
	script_report(&r, ended, status);
	return ended;
}

static void script_list_run(const struct script *first, int cancel_fd, unsigned limit_ms)
{
	uint64_t deadline = clock_monotonic_ms() + limit_ms;

	while (first && script_run(first, cancel_fd, deadline))
		first = first->next;
}

void scripts_run(const struct settings *s, const char *section, int cancel_fd, unsigned limit_ms)
{
	struct script *first = script_list_read(s, section);

	script_list_run(first, cancel_fd, limit_ms);
	script_list_free(first);
}

/* ---- on a thread ---- */

struct scripts {
	struct script *first;
	unsigned limit_ms;
	int cancel_fd;
	pthread_t thread;
};

static void *scripts_main(void *arg)
{
	struct scripts *scripts = arg;

	script_list_run(scripts->first, scripts->cancel_fd, scripts->limit_ms);
	return NULL;
}

static void scripts_free(struct scripts *scripts)
{
	if (scripts->cancel_fd >= 0)
		close(scripts->cancel_fd);
	script_list_free(scripts->first);
	free(scripts);
}

struct scripts *scripts_start(const struct settings *s, const char *section, unsigned limit_ms)
{
	struct script *first = script_list_read(s, section);
	struct scripts *scripts;
	int e;

	if (!first)
		return NULL;
	scripts = xcalloc(1, sizeof(*scripts));
	scripts->first = first;
	scripts->limit_ms = limit_ms;
	scripts->cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	e = scripts->cancel_fd < 0 ? errno : pthread_create(&scripts->thread, NULL, scripts_main, scripts);
	if (!e)
		return scripts;
	LOG(DMN, LOG_LEVEL_AUDIT, "cannot run the %s: %s", section, strerror(e));
	scripts_free(scripts);
	return NULL;
}

void scripts_end(struct scripts *scripts)
{
	if (!scripts)
		return;
	(void)eventfd_write(scripts->cancel_fd, 1);
	pthread_join(scripts->thread, NULL);
	scripts_free(scripts);
}
