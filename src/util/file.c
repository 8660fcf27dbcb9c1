/* SPDX-License-Identifier: Apache-2.0 */
#include "util/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_STEP 4096

/* A FIFO or device would keep us waiting: open does not wait, and only regular files are read. */
static int file_open(const char *path, int *ret_fd)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat st;
	int err = 0;

	if (fd < 0)
		return errno;
	if (fstat(fd, &st) < 0)
		err = errno;
	else if (!S_ISREG(st.st_mode))
		err = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
	if (err)
		close(fd);
	else
		*ret_fd = fd;
	return err;
}

int file_read(const char *path, size_t max, struct buf *ret)
{
	struct buf data = { 0 };
	ssize_t n = 1;
	int fd = -1, err = file_open(path, &fd);

	if (err)
		return err;
	while (n > 0 && data.n <= max) {
		uint8_t *at = buf_extend(&data, FILE_STEP);

		n = read(fd, at, FILE_STEP);
		data.n -= FILE_STEP - (size_t)(n > 0 ? n : 0);
		if (n < 0 && errno == EINTR)
			n = 1;
	}
	if (n < 0)
		err = errno;
	else if (data.n > max)
		err = EFBIG;
	close(fd);
	if (!err)
		buf_add_bytes(ret, buf_bytes(&data));
	buf_wipe(&data); /* it may be a key */
	return err;
}
