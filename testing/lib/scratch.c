/* SPDX-License-Identifier: Apache-2.0 */
#include "testing/lib/scratch.h"

#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char root[40];

static int scratch_remove(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	remove(path);
	return 0;
}

/* Until nobody has the other end of the pipe any more; in a session of its own, so that no Ctrl-C reaches it. */
static void scratch_sweep(int fd)
{
	char c;

	setsid();
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	for (int other = 0; other < 3; other++)
		close(other);
	while (read(fd, &c, 1) > 0)
		;
	nftw(root, scratch_remove, 16, FTW_DEPTH | FTW_PHYS);
	_exit(0);
}

/* Before main: no thread and no child of the program is there yet. The sweeper is nobody's child, and no test waits for it. */
__attribute__((constructor)) static void scratch_begin(void)
{
	const char *tmp = getenv("TMPDIR");
	int fd[2];
	pid_t pid;

	snprintf(root, sizeof(root), "%s/bewick-test-XXXXXX", tmp && strlen(tmp) < sizeof(root) - 20 ? tmp : "/tmp");
	if (!mkdtemp(root) || pipe2(fd, O_CLOEXEC) != 0)
		abort();
	pid = fork();
	if (pid == 0) {
		close(fd[1]);
		if (fork() == 0)
			scratch_sweep(fd[0]);
		_exit(0);
	}
	close(fd[0]);
	if (pid < 0 || waitpid(pid, NULL, 0) != pid)
		abort();
	/* out of the way of what counts on low numbers */
	if (fcntl(fd[1], F_DUPFD_CLOEXEC, 200) >= 0)
		close(fd[1]);
}

void scratch_dir(char *ret_path, size_t size)
{
	if ((size_t)snprintf(ret_path, size, "%s/XXXXXX", root) >= size || !mkdtemp(ret_path))
		abort();
}
