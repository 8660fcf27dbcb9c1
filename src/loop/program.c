/* SPDX-License-Identifier: Apache-2.0 */
#include "loop/program.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop/loop.h"

struct running {
	const struct program_run *c;
	pid_t pid;
	int out_fd;
	char line[PROGRAM_LINE];
	size_t used;
};

/* in_fd -1: nothing to be read. What the daemon blocks or ignores, the program does not inherit. */
static int program_spawn(const struct program_run *c, int in_fd, int out_fd, pid_t *ret_pid)
{
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attr;
	sigset_t none, all;
	int e;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&files);
	if (in_fd >= 0)
		posix_spawn_file_actions_adddup2(&files, in_fd, STDIN_FILENO);
	else
		posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, out_fd, STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&files, out_fd, STDERR_FILENO);
	posix_spawnattr_init(&attr);
	posix_spawnattr_setflags(&attr,
				 POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	posix_spawnattr_setpgroup(&attr, 0);
	posix_spawnattr_setsigmask(&attr, &none);
	posix_spawnattr_setsigdefault(&attr, &all);
	e = posix_spawn(ret_pid, c->path, &files, &attr, (char *const *)(uintptr_t)c->argv, c->env ? c->env : environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&files);
	return e;
}

static void running_line(struct running *r)
{
	if (r->used && r->c->line)
		r->c->line(r->c->arg, r->line, r->used);
	r->used = 0;
}

/* False: end of the output. */
static bool running_read(struct running *r)
{
	char buf[512];
	ssize_t n = read(r->out_fd, buf, sizeof(buf));

	if (n < 0)
		return errno == EINTR;
	for (ssize_t i = 0; i < n; i++) {
		if (buf[i] == '\n' || r->used == sizeof(r->line))
			running_line(r);
		if (buf[i] != '\n')
			r->line[r->used++] = buf[i];
	}
	return n > 0;
}

/* Until the output ends. False: cancelled or too late. */
static bool running_follow(struct running *r)
{
	for (;;) {
		struct pollfd p[2] = { { .fd = r->out_fd, .events = POLLIN },
				       { .fd = r->c->cancel_fd, .events = POLLIN } };
		uint64_t now = clock_monotonic_ms();

		if (now >= r->c->deadline_ms)
			return false;
		if (poll(p, 2, r->c->deadline_ms - now > 60000 ? 60000 : (int)(r->c->deadline_ms - now)) < 0 &&
		    errno != EINTR)
			return false;
		if (p[1].revents)
			return false;
		if (p[0].revents && !running_read(r))
			return true;
	}
}

/* A child that closed its output may run on: it is waited for within the limit. */
static bool running_wait(struct running *r, int *ret_status)
{
	for (;;) {
		uint64_t now = clock_monotonic_ms();
		struct pollfd p = { .fd = r->c->cancel_fd, .events = POLLIN };
		pid_t pid = waitpid(r->pid, ret_status, WNOHANG);

		if (pid == r->pid || (pid < 0 && errno != EINTR))
			return pid == r->pid;
		if (now >= r->c->deadline_ms || poll(&p, 1, 10) > 0)
			return false;
	}
}

/* A pipe that holds the input and then ends; -1: errno tells why there is none. */
static int program_input(struct bytes input)
{
	int fds[2];

	if (input.n > PROGRAM_INPUT) {
		errno = E2BIG;
		return -1;
	}
	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	if (write(fds[1], input.p, input.n) != (ssize_t)input.n) {
		close(fds[0]);
		fds[0] = -1;
	}
	close(fds[1]);
	return fds[0];
}

static struct program_result program_follow(struct running *r)
{
	int status = 0;
	bool ended = running_follow(r) && running_wait(r, &status);

	running_line(r);
	if (!ended) {
		kill(-r->pid, SIGKILL);
		waitpid(r->pid, &status, 0);
		return (struct program_result){ PROGRAM_LATE, 0 };
	}
	if (WIFSIGNALED(status))
		return (struct program_result){ PROGRAM_SIGNALED, WTERMSIG(status) };
	return (struct program_result){ PROGRAM_EXITED, WEXITSTATUS(status) };
}

struct program_result program_run(const struct program_run *c)
{
	struct running r = { .c = c, .out_fd = -1 };
	struct program_result result = { PROGRAM_FAILED, 0 };
	int out[2] = { -1, -1 }, in = -1;

	if ((c->input.n && (in = program_input(c->input)) < 0) || pipe2(out, O_CLOEXEC) < 0) {
		result.value = errno;
		goto out;
	}
	result.value = program_spawn(c, in, out[1], &r.pid);
	close(out[1]);
	r.out_fd = out[0];
	if (!result.value)
		result = program_follow(&r);
	close(out[0]);
out:
	if (in >= 0)
		close(in);
	return result;
}

struct text program_result_format(struct program_result r)
{
	struct text t = { "" };

	switch (r.end) {
	case PROGRAM_LATE:
		snprintf(t.s, sizeof(t.s), " was killed: it did not end in time");
		break;
	case PROGRAM_SIGNALED:
		snprintf(t.s, sizeof(t.s), " was ended by signal %d", r.value);
		break;
	case PROGRAM_EXITED:
		if (r.value)
			snprintf(t.s, sizeof(t.s), " failed with status %d", r.value);
		break;
	case PROGRAM_FAILED:
		snprintf(t.s, sizeof(t.s), " cannot be run: %s", strerror(r.value));
		break;
	}
	return t;
}
