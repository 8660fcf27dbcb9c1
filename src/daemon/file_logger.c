/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon/logger.h"

/* What a pipe with room takes without blocking, also when its flags are not ours to change. */
#define FILE_CHUNK 4096

/* What a line of usual length needs beside its text, so that its memory is taken once. */
#define FILE_PREFIX_ROOM 96

enum file_precision { FILE_SECONDS, FILE_MS, FILE_US };

struct file_logger {
	struct logger logger;
	struct log_writer *writer;
	int fd;
	bool is_socket;
	bool with_name, with_level;
	char *time_format; /* NULL: no time */
	enum file_precision precision;
};

/* ---- the writer's side ---- */

static ssize_t file_write_some(const struct file_logger *f, const char *p, size_t n)
{
	if (n > FILE_CHUNK)
		n = FILE_CHUNK;
	return f->is_socket ? send(f->fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL) : write(f->fd, p, n);
}

static size_t file_write(void *arg, const struct log_writer *w, const char *lines, size_t n)
{
	const struct file_logger *f = arg;

	while (n) {
		ssize_t done;

		if (!log_writer_wait(w, f->fd))
			break;
		done = file_write_some(f, lines, n);
		if (done < 0 && errno != EAGAIN && errno != EINTR)
			break;
		if (done > 0) {
			lines += done;
			n -= (size_t)done;
		}
	}
	return n;
}

static void file_lost(void *arg, uint64_t lines, struct buf *out)
{
	(void)arg;
	buf_printf(out, "00[DMN] %llu line%s of the log lost here: it was not written fast enough\n",
		   (unsigned long long)lines, lines == 1 ? "" : "s");
}

static const struct log_writer_ops file_writer_ops = { file_write, file_lost };

/* ---- the side of who logs ---- */

static size_t file_format_time(const struct file_logger *f, const struct timespec *time, char *out, size_t size)
{
	struct tm tm;
	size_t n;

	if (!f->time_format || !localtime_r(&time->tv_sec, &tm))
		return 0;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral" /* it is the administrator's */
	n = strftime(out, size - sizeof(".123456 "), f->time_format, &tm);
#pragma GCC diagnostic pop
	if (n && f->precision == FILE_MS)
		n += (size_t)sprintf(out + n, ".%03u", (unsigned)(time->tv_nsec / 1000000 % 1000));
	if (n && f->precision == FILE_US)
		n += (size_t)sprintf(out + n, ".%06u", (unsigned)(time->tv_nsec / 1000 % 1000000));
	if (n)
		out[n++] = ' ';
	return n;
}

/* Without printf: a set-up logs about ten lines. */
static void file_format_prefix(const struct file_logger *f, const struct log_event *ev, struct buf *out)
{
	char time[256];

	buf_add(out, time, file_format_time(f, &ev->time, time, sizeof(time)));
	buf_add_decimal(out, ev->thread, 2);
	buf_add_str(out, "[");
	buf_add_str(out, log_group_name(ev->group));
	if (f->with_level)
		buf_add_decimal(out, (uint64_t)ev->level, 1);
	buf_add_str(out, "] ");
	if (f->with_name && ev->sa.name) {
		buf_add_str(out, "<");
		buf_add_str(out, ev->sa.name);
		buf_add_str(out, "|");
		buf_add_decimal(out, ev->sa.id, 1);
		buf_add_str(out, "> ");
	}
}

/* Each line of the text gets the prefix. */
static void file_log(struct logger *l, const struct log_event *ev)
{
	struct file_logger *f = container_of(l, struct file_logger, logger);
	struct buf out = { 0 };
	const char *at = ev->msg, *end = ev->msg + ev->msg_len;

	(void)buf_extend(&out, ev->msg_len + FILE_PREFIX_ROOM);
	buf_reset(&out);
	for (;;) {
		const char *nl = memchr(at, '\n', (size_t)(end - at));

		file_format_prefix(f, ev, &out);
		buf_add(&out, at, (size_t)((nl ? nl : end) - at));
		buf_add_u8(&out, '\n');
		if (!nl)
			break;
		at = nl + 1;
	}
	log_writer_add(f->writer, (const char *)out.p, out.n);
	if (ev->level >= LOG_LEVEL_RAW)
		buf_wipe(&out);
	else
		buf_free(&out);
}

static void file_destroy(struct file_logger *f)
{
	if (f->fd >= 0)
		close(f->fd);
	free(f->time_format);
	free(f);
}

static bool file_free(struct logger *l)
{
	struct file_logger *f = container_of(l, struct file_logger, logger);

	if (!log_writer_free(f->writer, LOGGER_END_MS))
		return false;
	file_destroy(f);
	return true;
}

/* ---- opening ---- */

static int file_open(const char *path, bool append)
{
	struct stat st;

	if (strcmp(path, "stdout") == 0)
		return fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	if (strcmp(path, "stderr") == 0)
		return fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
	/* opening a pipe for writing would wait for a reader, or fail without one */
	if (stat(path, &st) == 0 && S_ISFIFO(st.st_mode))
		return open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	return open(path, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC | O_NOCTTY | (append ? O_APPEND : O_TRUNC),
		    0640);
}

/* Takes the logger. */
static struct logger *file_start(struct file_logger *f, const char *path, bool append, struct errtext *err)
{
	struct stat st;

	f->fd = file_open(path, append);
	if (f->fd < 0 || fstat(f->fd, &st) < 0) {
		errtext_set(err, "cannot open %s: %s", path, strerror(errno));
		goto failed;
	}
	f->is_socket = S_ISSOCK(st.st_mode);
	f->logger.is_stderr = strcmp(path, "stderr") == 0;
	f->logger.log = file_log;
	f->logger.free = file_free;
	f->writer = log_writer_new(&file_writer_ops, f, LOGGER_QUEUE);
	if (f->writer)
		return &f->logger;
	errtext_set(err, "cannot start a thread for it: %s", strerror(errno));
failed:
	file_destroy(f);
	return NULL;
}

static const char *file_setting(const struct settings *s, const char *name, const char *key, const char *fallback)
{
	char *path = xasprintf("filelog.%s.%s", name, key);
	const char *value = settings_str(s, path, fallback);

	free(path);
	return value;
}

static bool file_switch(const struct settings *s, const char *name, const char *key, bool fallback)
{
	char *path = xasprintf("filelog.%s.%s", name, key);
	bool value = settings_bool(s, path, fallback);

	free(path);
	return value;
}

static enum file_precision file_read_precision(const struct settings *s, const char *name)
{
	const char *text = file_setting(s, name, "time_precision", NULL);

	if (text && strcmp(text, "us") == 0)
		return FILE_US;
	if (text && strcmp(text, "ms") != 0 && strcmp(text, "s") != 0)
		LOG(CFG, LOG_LEVEL_CONTROL, "setting 'filelog.%s.time_precision' is '%s': s, ms or us is possible",
		    name, text);
	if ((text && strcmp(text, "ms") == 0) || file_switch(s, name, "time_add_ms", false))
		return FILE_MS;
	return FILE_SECONDS;
}

struct logger *file_logger_new(const struct settings *s, const char *name, bool first, struct errtext *err)
{
	struct file_logger *f = xcalloc(1, sizeof(*f));
	char *section = xasprintf("filelog.%s", name);
	const char *format = file_setting(s, name, "time_format", NULL);

	logger_read_levels(s, section, f->logger.levels);
	free(section);
	f->time_format = format ? xstrdup(format) : NULL;
	f->precision = file_read_precision(s, name);
	f->with_name = file_switch(s, name, "ike_name", false);
	f->with_level = file_switch(s, name, "log_level", false);
	return file_start(f, file_setting(s, name, "path", name), !first || file_switch(s, name, "append", true),
			  err);
}

struct logger *stderr_logger_new(struct errtext *err)
{
	struct file_logger *f = xcalloc(1, sizeof(*f));

	memset(f->logger.levels, LOG_LEVEL_CONTROL, sizeof(f->logger.levels));
	f->logger.levels[LOG_GROUP_ENC] = f->logger.levels[LOG_GROUP_NET] = LOG_LEVEL_AUDIT;
	f->with_name = true;
	return file_start(f, "stderr", true, err);
}
