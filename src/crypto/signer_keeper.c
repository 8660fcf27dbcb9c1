/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/signer_keeper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util/mem.h"

#define KEEPER_FD 3
#define KEEPER_PAUSE_MS 1000 /* between processes that end at once */

union keeper_control {
	struct cmsghdr align;
	char data[CMSG_SPACE(SIGNER_CHANNELS * sizeof(int))];
};

static bool news_send(int news, const struct keeper_news *what, const int channels[SIGNER_CHANNELS])
{
	struct iovec iov = { (void *)(uintptr_t)what, sizeof(*what) };
	union keeper_control control;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c;

	memset(&control, 0, sizeof(control));
	c = CMSG_FIRSTHDR(&m);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(SIGNER_CHANNELS * sizeof(int));
	memcpy(CMSG_DATA(c), channels, SIGNER_CHANNELS * sizeof(int));
	return sendmsg(news, &m, MSG_NOSIGNAL) == (ssize_t)sizeof(*what);
}

int keeper_receive(int news, int flags, struct keeper_news *ret, int ret_channels[SIGNER_CHANNELS])
{
	struct keeper_news what;
	struct iovec iov = { &what, sizeof(what) };
	union keeper_control control;
	struct msghdr m = { .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control) };
	struct cmsghdr *c;
	ssize_t n;

	do {
		n = recvmsg(news, &m, flags | MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? 0 : -1;
	c = CMSG_FIRSTHDR(&m);
	if (n != (ssize_t)sizeof(what) || !c || c->cmsg_type != SCM_RIGHTS ||
	    c->cmsg_len != CMSG_LEN(SIGNER_CHANNELS * sizeof(int)))
		return 0;
	*ret = what;
	memcpy(ret_channels, CMSG_DATA(c), SIGNER_CHANNELS * sizeof(int));
	return 1;
}

/* ---- the process ---- */

static bool channels_open(int ours[SIGNER_CHANNELS], int theirs[SIGNER_CHANNELS])
{
	int size = 2 * SIGNER_REQUEST;

	for (size_t i = 0; i < SIGNER_CHANNELS; i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
			return false;
		ours[i] = pair[0];
		theirs[i] = pair[1];
		(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	}
	return true;
}

static pid_t keeper_start(struct keeper_news *what)
{
	int ours[SIGNER_CHANNELS] = { -1, -1, -1, -1 }, theirs[SIGNER_CHANNELS] = { -1, -1, -1, -1 };
	pid_t pid = channels_open(ours, theirs) ? fork() : -1;

	if (pid == 0)
		signer_process(theirs);
	what->pid = pid;
	if (pid > 0 && !news_send(KEEPER_FD, what, ours)) {
		kill(pid, SIGKILL);
		_exit(0);
	}
	for (size_t i = 0; i < SIGNER_CHANNELS; i++) {
		if (ours[i] >= 0)
			close(ours[i]);
		if (theirs[i] >= 0)
			close(theirs[i]);
	}
	return pid;
}

/* The other end is closed, which is all that ever comes from there. */
static bool keeper_is_alone(int timeout_ms)
{
	struct pollfd p = { .fd = KEEPER_FD, .events = POLLIN };

	return poll(&p, 1, timeout_ms) > 0;
}

/* Until the process has ended; false: nobody needs it any more. */
static bool keeper_watch(int signals, pid_t pid, int *ret_status)
{
	struct pollfd p[2] = { { .fd = KEEPER_FD, .events = POLLIN }, { .fd = signals, .events = POLLIN } };
	struct signalfd_siginfo info;

	for (;;) {
		if (waitpid(pid, ret_status, WNOHANG) == pid)
			return true;
		(void)poll(p, 2, -1);
		if (p[0].revents)
			return false;
		if (p[1].revents)
			(void)!read(signals, &info, sizeof(info));
	}
}

/* It ends with its channels, after what it is at; that may take long, and nobody waits for the result any more. */
static void keeper_end(int signals, pid_t pid)
{
	struct pollfd p = { .fd = signals, .events = POLLIN };

	if (waitpid(pid, NULL, WNOHANG) == 0 && poll(&p, 1, KEEPER_PAUSE_MS) <= 0)
		kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	_exit(0);
}

static int keeper_prepare(int news)
{
	static const int ours[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGPIPE, SIGALRM };
	int high = fcntl(news, F_DUPFD, KEEPER_FD + 1);
	sigset_t set;

	(void)prctl(PR_SET_NAME, "bewick-keeper", 0, 0, 0);
	for (size_t i = 0; i < ARRAY_LEN(ours); i++)
		(void)signal(ours[i], SIG_IGN);
	if (high < 0 || dup3(high, KEEPER_FD, O_CLOEXEC) < 0 || close_range(0, KEEPER_FD - 1, 0) < 0 || close_range(KEEPER_FD + 1, ~0u, 0) < 0)
		_exit(1);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGCHLD, SIG_DFL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void signer_keeper(int news)
{
	struct keeper_news what = { .before = false };
	int signals = keeper_prepare(news);

	for (;;) {
		time_t begun = time(NULL);
		pid_t pid = keeper_start(&what);

		if (pid > 0 && !keeper_watch(signals, pid, &what.status))
			keeper_end(signals, pid);
		what.before = what.before || pid > 0;
		if (time(NULL) - begun < 2 && keeper_is_alone(KEEPER_PAUSE_MS))
			_exit(0);
	}
}
