/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "config/settings.h"
#include "daemon/daemon.h"
#include "util/log.h"

static bool pid_write(int fd)
{
	char text[32];
	int n = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	return ftruncate(fd, 0) == 0 && pwrite(fd, text, (size_t)n, 0) == n;
}

/* The file is locked for as long as we live. Without one we can do: only what it is for suffers. */
void daemon_write_pid(struct daemon *d)
{
	const char *path = settings_str(d->settings, "pidfile", PIDDIR "/bewickd.pid");
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);

	if (fd < 0) {
		LOG(DMN, LOG_LEVEL_CONTROL, "no pid file: cannot open %s: %s", path, strerror(errno));
		return;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		LOG(DMN, LOG_LEVEL_CONTROL, "no pid file: %s belongs to another bewickd that runs; set 'pidfile'",
		    path);
		close(fd);
		return;
	}
	if (!pid_write(fd)) {
		LOG(DMN, LOG_LEVEL_CONTROL, "no pid file: cannot write %s: %s", path, strerror(errno));
		close(fd);
		return;
	}
	d->pid_fd = fd;
	d->pid_file = xstrdup(path);
}

void daemon_remove_pid(struct daemon *d)
{
	if (!d->pid_file)
		return;
	unlink(d->pid_file);
	close(d->pid_fd);
	free(d->pid_file);
	d->pid_file = NULL;
	d->pid_fd = -1;
}
