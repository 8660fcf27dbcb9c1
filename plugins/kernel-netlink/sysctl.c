/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "policies.h"

static bool sysctl_write(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	size_t n = strlen(value);
	bool ok;

	if (fd < 0)
		return false;
	ok = write(fd, value, n) == (ssize_t)n;
	close(fd);
	return ok;
}

static bool sysctl_read(const char *path, char *ret, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = read(fd, ret, size - 1);
	close(fd);
	if (n <= 0)
		return false;
	ret[n] = 0;
	ret[strcspn(ret, "\n")] = 0;
	return true;
}

bool sysctl_set(struct sysctls *s, const char *path, const char *value)
{
	char *before = s->list[s->n].before;

	if (s->n == SYSCTLS_MAX - 1 || !sysctl_read(path, before, sizeof(s->list[0].before)))
		return false;
	if (strcmp(before, value) == 0)
		return true;
	if (!sysctl_write(path, value))
		return false;
	s->list[s->n++].path = path;
	return true;
}

void sysctls_restore(struct sysctls *s)
{
	while (s->n > 0) {
		s->n--;
		(void)sysctl_write(s->list[s->n].path, s->list[s->n].before);
	}
}
